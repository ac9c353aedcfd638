//! Credentials on the wire are in no output: only a hash by which the same one is told again.

use std::fs;
use std::path::Path;

use crate::program::{farmhawk, finish, real_captures};

/// Everything that one run writes: the page, the records, and all files of a folder.
fn everything(capture: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for format in ["text", "jsonl"] {
        let mut command = farmhawk();
        command.args(["analyze", "--all", "--format", format]);
        if format == "jsonl" {
            command.arg("--flows").arg("-o").arg(folder.path());
        }
        let run = finish(command.arg(capture));
        assert_eq!(run.code, 0, "{}", run.stderr);
        said.push_str(&run.stdout);
        said.push_str(&run.stderr);
    }
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap_or_default();
        said.push_str(&String::from_utf8_lossy(&bytes));
    }
    said
}

#[test]
fn a_token_in_the_head_of_a_websocket_is_told_by_its_hash_alone() {
    let Some(captures) = real_captures() else {
        return;
    };
    for name in ["zk-wstunnel-http.pcap", "zk-wstunnel-ssh.pcap"] {
        let said = everything(&captures.join(name));
        // `eyJ` begins each web token (RFC 7519, 3.1).
        assert!(!said.contains("bearer.eyJ"), "{name}");
        assert!(
            said.contains("authorization.bearer.[redacted sha256:"),
            "{name} says no hash"
        );
        assert!(said.contains("wstunnel"), "{name} is still recognised");
    }
}

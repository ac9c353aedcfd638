//! Tests that much else meets too: off by default, of low confidence when a policy asks for them.

use serde_json::Value;

use crate::program::{labelled_captures, run};

/// The findings of the test of first octets in one capture, with a policy that says this.
fn found(capture: &std::path::Path, policy: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    let arguments = ["analyze", "--format", "jsonl", "--all", "-p"].map(std::ffi::OsStr::new);
    let run = run(arguments
        .into_iter()
        .chain([path.as_os_str(), capture.as_os_str()]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut findings = run.of("finding");
    findings.retain(|finding| finding["tool"] == "fully-encrypted");
    findings
}

#[test]
fn streams_encrypted_from_the_first_octet_are_leads_when_they_are_asked_for() {
    let Some(captures) = labelled_captures() else {
        return;
    };
    for name in [
        "nd-tls-heur-shadowsocks-tcp.pcapng",
        "nd-tls-heur-vmess-tcp.pcapng",
    ] {
        let capture = captures.iter().find(|capture| capture.name == name).unwrap();
        let findings = found(&capture.path, "[heuristics]\nencrypted_start = true\n");
        assert!(!findings.is_empty(), "{name}");
        assert!(
            findings.iter().all(|finding| finding["confidence"] == "low"),
            "{name}"
        );
        assert!(found(&capture.path, "").is_empty(), "{name}");
    }
}

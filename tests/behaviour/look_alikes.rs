//! Recorded between real programs (`fixtures/look-alikes`): what a machine sends for minutes without being controlled, and control
//! inside what names nothing.

use std::fs;

use serde_json::Value;

use crate::program::{every_record, finish, fixture};
use crate::unknown::{LAPTOP, connections};

/// What is no control of the laptop.
const INNOCENT: [&str; 7] = [
    "backup-rsync",
    "chat-tls",
    "copy-scp",
    "live-rtp",
    "live-tls",
    "shell-outward",
    "upload-tls",
];

/// MeshCentral over TLS 1.3, which shows no certificate; VNC inside TLS of stunnel, which the operator calls; and inside a WebSocket over
/// TLS, which the laptop calls.
const HIDDEN: [&str; 3] = ["hidden-meshcentral", "hidden-stunnel", "hidden-websocket"];

/// Windows of ten seconds that an innocent recording lasts at least, so that its form could be seen.
const LEAST: usize = 18;

fn findings(name: &str) -> Vec<Value> {
    findings_in(name, "192.168.77.0/24")
}

/// What is found where this network is ours.
fn findings_in(name: &str, network: &str) -> Vec<Value> {
    let capture = fixture("look-alikes").join(name).join("capture.pcap.zst");
    let run = finish(every_record().args(["-n", network]).arg(capture));
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    run.of("finding")
}

#[test]
fn what_is_recorded_is_what_is_tested() {
    let folders = fs::read_dir(fixture("look-alikes")).unwrap();
    let mut names: Vec<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = [INNOCENT.as_slice(), &HIDDEN].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn nothing_innocent_is_taken_for_control() {
    for name in INNOCENT {
        for finding in findings(name) {
            assert_ne!(finding["tool"], "unknown-interactive", "{name}: {finding}");
            assert_ne!(finding["role"], "controlled", "{name}: {finding}");
        }
        // Its form alone, whatever its name.
        let capture = fixture("look-alikes").join(name).join("capture.pcap.zst");
        let mut longest = 0;
        for one in connections(&capture) {
            longest = longest.max(one.windows());
            for host_is_client in [true, false] {
                assert_eq!(one.shape(host_is_client), None, "{name}");
            }
        }
        // Calls over UDP are no connections.
        assert!(
            longest >= LEAST || name == "live-rtp",
            "{name}: {longest} windows"
        );
    }
}

#[test]
fn files_that_go_through_a_shell_are_a_transfer_seen_from_either_end() {
    for name in ["backup-rsync", "copy-scp"] {
        for (network, role) in [
            ("192.168.77.0/24", "controller"),
            ("203.0.113.0/24", "controlled"),
        ] {
            let findings = findings_in(name, network);
            let [finding] = findings.as_slice() else {
                panic!("{name}: {findings:#?}");
            };
            assert_eq!(finding["role"], role, "{name}");
            assert_eq!(finding["activity"], "bulk", "{name}");
            let summary = finding["summary"].as_str().unwrap();
            assert!(summary.contains("moving files"), "{name}: {summary}");
            for word in ["watch", "controlling", "showing"] {
                assert!(!summary.contains(word), "{name}: {summary}");
            }
        }
    }
    let shell = findings("shell-outward");
    assert_eq!(shell[0]["activity"], "driven", "{shell:#?}");
}

#[test]
fn control_inside_what_names_nothing_is_told_and_not_as_sure() {
    for name in HIDDEN {
        let findings = findings(name);
        let found = findings
            .iter()
            .find(|finding| finding["tool"] == "unknown-interactive");
        let finding = found.unwrap_or_else(|| panic!("{name}: {findings:?}"));
        assert_eq!(
            finding["host_ip"],
            LAPTOP.map(|octet| octet.to_string()).join(".")
        );
        assert_eq!(finding["role"], "controlled", "{name}");
        assert!(
            ["low", "medium"].contains(&finding["confidence"].as_str().unwrap()),
            "{name}: {finding}"
        );
    }
}

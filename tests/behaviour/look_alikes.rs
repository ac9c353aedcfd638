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

/// VNC inside TLS of stunnel, which the operator calls, and inside a WebSocket over TLS, which the laptop calls.
const HIDDEN: [&str; 2] = ["hidden-stunnel", "hidden-websocket"];

/// MeshCentral over TLS 1.3, which shows no certificate: the frames of the agent's own connection name it.
const WITHOUT_CERTIFICATE: &str = "hidden-meshcentral";

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
    let mut expected = [INNOCENT.as_slice(), &HIDDEN, &[WITHOUT_CERTIFICATE]].concat();
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
fn a_session_on_the_server_that_a_named_agent_calls_is_that_tools() {
    let findings = findings(WITHOUT_CERTIFICATE);
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    let laptop = LAPTOP.map(|octet| octet.to_string()).join(".");
    assert_eq!(finding["host_ip"], laptop);
    assert_eq!(finding["tool"], "meshcentral");
    assert_eq!(finding["role"], "controlled");
    assert_eq!(finding["activity"], "driven");
    assert_eq!(finding["flow_count"], 2);
    let summary = finding["summary"].as_str().unwrap();
    assert!(
        summary.contains("consistent with MeshCentral controlling it"),
        "{summary}"
    );
    // A capture that begins behind the agent's first words has the session's form alone.
    let capture = fixture("look-alikes")
        .join(WITHOUT_CERTIFICATE)
        .join("capture.pcap.zst");
    let began = finding["timestamp"].as_str().unwrap();
    let (day, rest) = began.split_once('T').unwrap();
    let mut time = rest
        .split(':')
        .map(|part| part.trim_end_matches('Z').parse::<f64>().unwrap());
    let mut next = || time.next().unwrap();
    let later = next() * 3_600.0 + next() * 60.0 + next() + 3.0;
    let (hour, minute, second) = (later / 3_600.0, later / 60.0 % 60.0, later % 60.0);
    let since = format!("{day}T{:02}:{:02}:{second:09.6}Z", hour.floor(), minute.floor());
    let run = finish(
        every_record()
            .args(["-n", "192.168.77.0/24", "--since", &since])
            .arg(capture),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let tools: Vec<Value> = run
        .of("finding")
        .iter()
        .map(|finding| finding["tool"].clone())
        .collect();
    assert_eq!(tools, ["unknown-interactive"], "since {since}");
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

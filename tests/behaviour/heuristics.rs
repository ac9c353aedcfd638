//! Tests that much else meets too: off by default, of low confidence when a policy asks for them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::program::{fixture, labelled_captures, run, two_at_a_time};

/// What the test of first octets finds, and the policy that asks for it.
const ENCRYPTED_START: (&str, &str) = ("fully-encrypted", "[heuristics]\nencrypted_start = true\n");

/// What the test of lengths behind a handshake finds, and the policy that asks for it.
const NESTED_TLS: (&str, &str) = ("nested-tls", "[heuristics]\nnested_tls = true\n");

/// What the test of OpenVPN's lengths finds, and the policy that asks for it.
const OPENVPN_INSIDE: (&str, &str) = ("openvpn-inside", "[heuristics]\nopenvpn_inside = true\n");

/// Captures in which connections have the lengths of a handshake inside and are of something else.
const NOT_NESTED: [(&str, &str); 1] = [(
    "nd-tls-with-huge-ch.pcapng",
    "many short messages each way: three of them in the order and of the lengths of a resumed handshake",
)];

/// The findings of one tool in a capture, with a policy that says this.
fn found(capture: &Path, tool: &str, policy: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    let arguments = ["analyze", "--format", "jsonl", "--all", "-p"].map(std::ffi::OsStr::new);
    let run = run(arguments
        .into_iter()
        .chain([path.as_os_str(), capture.as_os_str()]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut findings = run.of("finding");
    findings.retain(|finding| finding["tool"] == tool);
    findings
}

/// Asserts that a capture gives leads of low confidence where they are asked for, and none otherwise.
fn is_a_lead_when_asked_for(capture: &Path, (tool, policy): (&str, &str)) {
    let name = capture.display();
    let findings = found(capture, tool, policy);
    assert!(!findings.is_empty(), "{name}");
    assert!(
        findings.iter().all(|finding| finding["confidence"] == "low"),
        "{name}"
    );
    assert!(found(capture, tool, "").is_empty(), "{name}");
}

#[test]
fn streams_encrypted_from_the_first_octet_are_leads_when_they_are_asked_for() {
    for name in ["shadowsocks", "vmess"] {
        let capture = fixture("real").join(name).join("capture.pcap");
        is_a_lead_when_asked_for(&capture, ENCRYPTED_START);
    }
    let Some(captures) = labelled_captures() else {
        return;
    };
    for name in [
        "nd-tls-heur-shadowsocks-tcp.pcapng",
        "nd-tls-heur-vmess-tcp.pcapng",
    ] {
        let capture = captures.iter().find(|capture| capture.name == name).unwrap();
        is_a_lead_when_asked_for(&capture.path, ENCRYPTED_START);
    }
}

#[test]
fn handshakes_inside_tls_are_leads_when_they_are_asked_for() {
    for name in ["trojan", "vless-tls", "shadowsocks-tls", "stunnel-socks"] {
        let capture = fixture("real").join(name).join("capture.pcap");
        is_a_lead_when_asked_for(&capture, NESTED_TLS);
    }
}

#[test]
fn recorded_tls_with_something_else_inside_has_no_handshake_inside() {
    let (tool, policy) = NESTED_TLS;
    for name in [
        "https",
        "stunnel",
        "starttls",
        "novnc-tls",
        "tor",
        "softether",
        "openconnect",
        "openvpn-tcp",
        "rdp-xrdp",
        "rdp-shadow",
        "vnc-tls",
        "ipv6",
    ] {
        let capture = fixture("real").join(name).join("capture.pcap");
        assert!(found(&capture, tool, policy).is_empty(), "{name}");
    }
}

#[test]
fn of_the_tls_of_real_captures_only_that_of_tunnels_has_a_handshake_inside() {
    let Some(mut captures) = labelled_captures() else {
        return;
    };
    captures.retain(|capture| capture.has("proto:tls"));
    let (tool, policy) = NESTED_TLS;
    let leads = two_at_a_time(&captures, |capture| {
        (!found(&capture.path, tool, policy).is_empty()).then(|| capture.name.clone())
    });
    let leads: BTreeSet<String> = leads.into_iter().flatten().collect();
    let mut expected = BTreeSet::from(["nd-tls-heur-trojan-tcp-tls.pcapng".to_owned()]);
    expected.extend(NOT_NESTED.map(|(name, _)| name.to_owned()));
    assert_eq!(leads, expected);
}

#[test]
fn openvpn_inside_a_proxy_or_tls_is_a_lead_when_it_is_asked_for() {
    for name in ["openvpn-obfs3", "openvpn-stunnel"] {
        let capture = fixture("real").join(name).join("capture.pcap");
        is_a_lead_when_asked_for(&capture, OPENVPN_INSIDE);
    }
}

#[test]
fn nothing_else_that_was_recorded_has_the_lengths_of_openvpn_inside() {
    let (tool, policy) = OPENVPN_INSIDE;
    let mut looked_at = 0;
    for (folder, file) in [
        ("real", "capture.pcap"),
        ("look-alikes", "capture.pcap.zst"),
        ("hands", "capture.pcap.zst"),
    ] {
        for entry in std::fs::read_dir(fixture(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name == "openvpn-obfs3" || name == "openvpn-stunnel" {
                continue;
            }
            looked_at += 1;
            assert!(found(&path.join(file), tool, policy).is_empty(), "{name}");
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[test]
fn no_stream_of_real_captures_has_the_lengths_of_openvpn_inside() {
    let Some(captures) = labelled_captures() else {
        return;
    };
    let (tool, policy) = OPENVPN_INSIDE;
    let leads = two_at_a_time(&captures, |capture| {
        (!found(&capture.path, tool, policy).is_empty()).then(|| capture.name.clone())
    });
    let leads: Vec<String> = leads.into_iter().flatten().collect();
    assert!(leads.is_empty(), "{leads:?}");
}

//! The program over every real capture: it ends well, finds what the labels say is there, names no other tool as probable,
//! and finds nothing probable in captures without any of it.

use std::sync::LazyLock;

use farmhawk::signatures::Catalogue;
use serde_json::Value;

use crate::program::{Labelled, Run, every_record_of, labelled_captures, run, two_at_a_time};

/// Tools, tunnels and networks that are promised to be found.
const PROMISED: [&str; 33] = [
    "anydesk",
    "teamviewer",
    "rustdesk",
    "chrome-remote-desktop",
    "splashtop",
    "screenconnect",
    "rdp",
    "vnc",
    "wireguard",
    "openvpn",
    "ipsec-ike",
    "ipsec-esp",
    "adb",
    "citrix-ica",
    "nomachine",
    "ssh",
    "telnet",
    "ipsec",
    "l2tp",
    "pptp",
    "teredo",
    "private-internet-access",
    "protonvpn",
    "cloudflare-warp",
    "opera-vpn",
    "tunnelbear",
    "socks",
    "http-connect",
    "http-proxy",
    "reverse-ssh",
    "wstunnel",
    "tor",
    "ultrasurf",
];

/// Captures whose tool is not found, and why that is right. Nearly all were crafted to break decoders.
const NOT_FOUND: [(&str, &str); 18] = [
    (
        "on-balls.pcap",
        "begins in the middle of the session: lengths in the clear and ciphertext, no greeting",
    ),
    (
        "sv-decode-l2tp-decode-l2tp-v3-12.pcap",
        "data of L2TPv3 on UDP 1234 without a control message: only who configured the port knows",
    ),
    (
        "sv-tls-tls-bypass-missing-event-tor-bl.pcap",
        "TLS 1.3 shows no certificate; the hello alone is one family of clients and not enough",
    ),
    (
        "td-l2tp-avp-overflow.pcap",
        "crafted: 16 octets of 262,144, and a control message without sequence numbers, which RFC 2661, 3.1 forbids",
    ),
    (
        "zk-teredo-udp-in-udp.pcap",
        "crafted: one datagram in another, neither on Teredo's port",
    ),
    (
        "td-esp-truncated.pcap",
        "cut after 6 octets of UDP payload: an index and no sequence number",
    ),
    ("td-ikev1-id-ipv6-addr-subnet-oobr.pcap", "its IKE version is 3.6"),
    (
        "td-ikev2-id-normal.pcap",
        "crafted: the initiator's index is zero, which RFC 7296, 3.1 forbids",
    ),
    ("td-ikev2-id-short.pcap", "crafted: as td-ikev2-id-normal"),
    ("td-isakmp-3948-oobr-2.pcap", "six octets 0x30 on port 4500"),
    (
        "td-isakmp-delete-segfault.pcap",
        "random octets: IKE version 11.14",
    ),
    (
        "td-isakmp-no-none-np.pcapng",
        "crafted: zero cookies, and 84 octets claimed of 2,186",
    ),
    (
        "td-isakmp-pointer-loop.pcap",
        "crafted: zero cookies, and 2,560 octets claimed of 30",
    ),
    (
        "td-isakmp-rfc3948-oobr.pcap",
        "octets 0x30 throughout: no IP packet but one, with nothing of IKE",
    ),
    (
        "td-isakmp-various-oobr.pcap",
        "its IKE version is 1.0 with exchange type 16; the second frame is a later fragment",
    ),
    ("td-isakmpv1-attr-oobr.pcap", "its IKE version is 14.8"),
    (
        "zk-http-to-ssh.pcap",
        "HTTP sent to a server of SSH, which refuses it: no session of SSH",
    ),
    (
        "zk-rdp-invalid-length.pcap",
        "the client's TPKT header is broken on purpose; the stream is no RDP from its first octet on",
    ),
];

/// How labels begin that name a tool, a tunnel or a network.
const PREFIXES: [&str; 4] = ["remote:", "vpn:", "tunnel:", "anon:"];

/// The catalogue's own name for a label, which may be an alias.
fn own_name(label: &str) -> &str {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::embedded().unwrap());
    CATALOGUE.tool(label).map_or(label, |tool| &tool.id)
}

/// Labels of LABELS.tsv that stand for several tools, or for one under another name.
const ALSO: [(&str, &str); 3] = [
    ("ipsec", "ipsec-ike"),
    ("ipsec", "ipsec-esp"),
    ("http-proxy", "http-connect"),
];

/// Findings of medium confidence or more that no label promises and that are true all the same: capture, tool, what tshark
/// shows.
const TRUE_ALL_THE_SAME: [(&str, &str, &str); 0] = [];

fn findings(run: &Run) -> Vec<Value> {
    run.of("finding")
}

fn names(finding: &Value, tool: &str) -> bool {
    finding["tool"] == tool || finding["protocol"] == tool
}

/// What is wrong with one capture's run.
fn complaints(capture: &Labelled) -> Vec<String> {
    let name = &capture.name;
    let run = every_record_of(&capture.path);
    let mut wrong = Vec::new();
    if run.code != 0 || run.stderr.contains("panicked") {
        wrong.push(format!("{name}: exit code {}: {}", run.code, run.stderr));
        return wrong;
    }
    let findings = findings(&run);
    let labels = capture.labels.iter();
    let tools = labels.filter_map(|label| PREFIXES.iter().find_map(|prefix| label.strip_prefix(prefix)));
    for tool in tools.map(own_name).filter(|tool| PROMISED.contains(tool)) {
        let is_found = findings.iter().any(|finding| {
            let others = ALSO.iter().filter(|(label, _)| *label == tool);
            names(finding, tool) || others.map(|(_, also)| also).any(|also| names(finding, also))
        });
        let is_excepted = NOT_FOUND.iter().any(|(excepted, _)| excepted == name);
        match (is_found, is_excepted) {
            (false, false) => wrong.push(format!("{name}: {tool} is not found")),
            (true, true) => wrong.push(format!("{name}: {tool} is found now: no exception any more")),
            _ => {}
        }
    }
    let labelled = labelled_tools(capture);
    let is_weighed = capture.has("none") || !labelled.is_empty();
    for finding in findings.iter().filter(|finding| finding["confidence"] != "low") {
        let is_labelled = labelled.iter().any(|tool| names(finding, tool));
        let is_true = TRUE_ALL_THE_SAME
            .iter()
            .any(|(excepted, tool, _)| excepted == name && names(finding, tool));
        if is_weighed && !is_labelled && !is_true {
            wrong.push(format!("{name}: no label says so, but {}", finding["summary"]));
        }
    }
    wrong
}

/// The tools, tunnels and networks that a capture's labels speak of.
fn labelled_tools(capture: &Labelled) -> Vec<&str> {
    let mut tools = Vec::new();
    for label in &capture.labels {
        let Some(tool) = PREFIXES.iter().find_map(|prefix| label.strip_prefix(prefix)) else {
            continue;
        };
        let tool = own_name(tool);
        tools.push(tool);
        tools.extend(
            ALSO.iter()
                .filter(|(known, _)| *known == tool)
                .map(|(_, also)| *also),
        );
    }
    tools
}

#[test]
fn every_capture_gives_what_its_labels_say() {
    let Some(captures) = labelled_captures() else {
        return;
    };
    assert!(captures.len() > 1_000, "only {} captures", captures.len());
    let wrong = two_at_a_time(&captures, complaints).concat();
    assert!(
        wrong.is_empty(),
        "{} complaints:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_file_that_is_no_capture_is_refused_by_name_and_cause() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, start) in [
        ("short.pcap", &b"hi"[..], "[68, 69]"),
        (
            "text.pcap",
            b"no capture at all, but long enough for a header of one\n",
            "[6e, 6f, 20, 63]",
        ),
        ("zeros.pcapng", &[0; 64], "[00, 00, 00, 00]"),
        // Begins like a format and goes on otherwise.
        ("almost.pcap", &[0xd4, 0xc3, 0xb2, 0xa2], "[d4, c3, b2, a2]"),
        ("almost.gz", &[0x1f, 0x8b, 0x07], "[1f, 8b, 07]"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let run = run([std::path::Path::new("analyze"), &path]);
        assert_eq!(run.code, 1, "{name}: {}{}", run.stdout, run.stderr);
        let cause = format!("{name}: not a capture (starts with {start})");
        assert!(run.stderr.contains(&cause), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_file_too_short_for_a_header_is_a_capture_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let cut = "the file's header is cut short";
    for (name, content, cause) in [
        ("empty.pcap", &[][..], "an empty file"),
        ("one.pcapng", &[0x0a], cut),
        ("two.pcap", &[0xd4, 0xc3], cut),
        ("three.pcap", &[0xa1, 0xb2, 0x3c], cut),
        ("magic.pcap", &[0xd4, 0xc3, 0xb2, 0xa1], cut),
        ("two.pcap.gz", &[0x1f, 0x8b], cut),
        ("five.pcap.xz", &[0xfd, b'7', b'z', b'X', b'Z'], cut),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let run = every_record_of(&path);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        let said = format!("{name}: at byte {}: {cause}", content.len());
        assert!(run.stderr.contains(&said), "{name}: {}", run.stderr);
        assert_eq!(run.summary()["packets"]["damaged"][cause], 1, "{name}");
    }
}

//! What is found of every tool, tunnel and network that the labels of the real captures name: one snapshot, a line a label, so
//! that nothing is lost unseen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use farmhawk::signatures::Catalogue;
use serde_json::Value;

use crate::program::{Labelled, every_record_of, labelled_captures, two_at_a_time};

/// Captures in which a label is not found, and why. Nearly all were crafted to break decoders.
const NOT_FOUND: [(&str, &str, &str); 22] = [
    (
        "td-l2tp-avp-overflow.pcap",
        "vpn:l2tp",
        "crafted: 16 octets of 262,144, and a control message without sequence numbers, which RFC 2661, 3.1 forbids",
    ),
    (
        "zk-teredo-udp-in-udp.pcap",
        "tunnel:teredo",
        "crafted: one datagram in another, neither on Teredo's port",
    ),
    (
        "td-esp-truncated.pcap",
        "vpn:ipsec-esp",
        "cut after 4 octets of UDP payload: an index and no sequence number",
    ),
    (
        "td-ikev1-id-ipv6-addr-subnet-oobr.pcap",
        "vpn:ipsec-ike",
        "crafted: exchange type 16, which nothing assigns, and 4,278,190,080 octets claimed",
    ),
    (
        "td-ikev2-id-normal.pcap",
        "vpn:ipsec-ike",
        "crafted: the initiator's index is zero, which RFC 7296, 3.1 forbids",
    ),
    (
        "td-ikev2-id-short.pcap",
        "vpn:ipsec-ike",
        "crafted: as td-ikev2-id-normal",
    ),
    (
        "td-isakmp-3948-oobr-2.pcap",
        "vpn:ipsec-ike",
        "cut behind the header of UDP: nothing of what port 4500 carried",
    ),
    (
        "td-isakmp-delete-segfault.pcap",
        "vpn:ipsec-ike",
        "random octets: IKE version 11.14",
    ),
    (
        "td-isakmp-no-none-np.pcapng",
        "vpn:ipsec-ike",
        "crafted: zero cookies, and 84 octets claimed of 2,186",
    ),
    (
        "td-isakmp-pointer-loop.pcap",
        "vpn:ipsec-ike",
        "crafted: zero cookies, and 2,560 octets claimed of 30",
    ),
    (
        "td-isakmp-rfc3948-oobr.pcap",
        "vpn:ipsec-ike",
        "octets 0x30 throughout: no IP packet but one, with nothing of IKE",
    ),
    (
        "td-isakmp-various-oobr.pcap",
        "vpn:ipsec-ike",
        "its IKE version is 1.0 with exchange type 16; the second frame is a later fragment",
    ),
    (
        "td-isakmpv1-attr-oobr.pcap",
        "vpn:ipsec-ike",
        "crafted: exchange type 40, which IKEv1 does not assign, and 4,293,885,728 octets claimed",
    ),
    (
        "zk-http-to-ssh.pcap",
        "remote:ssh",
        "HTTP sent to a server of SSH, which refuses it: no session of SSH",
    ),
    (
        "zk-rdp-invalid-length.pcap",
        "remote:rdp",
        "the client's TPKT header is broken on purpose; the stream is no RDP from its first octet on",
    ),
    (
        "me-faketls-potatovpn.pcap",
        "vpn:potatovpn",
        "hellos with the names of famous sites to hosting networks, and copies of their certificates: nothing names the product",
    ),
    (
        "nd-dns2tcp-tunnel.pcap",
        "tunnel:dns-dns2tcp",
        "ordinary TLS 1.3 to 1.1.1.1: the questions are inside it, and 50 packets show no volume",
    ),
    (
        "nd-shellfire-vpn.pcapng",
        "vpn:shellfire",
        "its web site is visited, then OpenVPN goes to another network, and is found: nothing ties the two",
    ),
    (
        "nd-tls-heur-shadowsocks-tcp.pcapng",
        "tunnel:shadowsocks",
        "salt and ciphertext from the first octet: a lead where the policy asks for it (heuristics.rs)",
    ),
    (
        "nd-tls-heur-trojan-tcp-tls.pcapng",
        "tunnel:trojan",
        "ordinary TLS outside: a lead where the policy asks for it (heuristics.rs)",
    ),
    (
        "nd-tls-heur-vmess-tcp.pcapng",
        "tunnel:vmess",
        "encrypted from the first octet: a lead where the policy asks for it (heuristics.rs)",
    ),
    (
        "nd-tls-heur-vmess-websocket.pcapng",
        "tunnel:vmess",
        "WebSocket in the clear to the own machine, and chance in its messages: nothing names what is in them",
    ),
];

/// How labels begin that name a tool, a tunnel or a network.
const PREFIXES: [&str; 5] = ["remote:", "vpn:", "tunnel:", "proxy:", "anon:"];

/// Labels of LABELS.tsv that stand for several tools, or for one under another name.
const ALSO: [(&str, &str); 3] = [
    ("ipsec", "ipsec-ike"),
    ("ipsec", "ipsec-esp"),
    ("http-proxy", "http-connect"),
];

/// The catalogue's own name for a label, which may be an alias.
fn own_name(label: &str) -> &str {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::embedded().unwrap());
    CATALOGUE.tool(label).map_or(label, |tool| &tool.id)
}

/// The tool of a label, where it names one.
fn tool_of(label: &str) -> Option<&str> {
    PREFIXES
        .iter()
        .find_map(|prefix| label.strip_prefix(prefix))
        .map(own_name)
}

/// Whether a finding says that this tool is there.
pub(crate) fn names(finding: &Value, tool: &str) -> bool {
    finding["tool"] == tool || finding["protocol"] == tool
}

/// A tool of a label and the others that its label stands for.
fn with_others(tool: &str) -> impl Iterator<Item = &str> {
    let others = ALSO.iter().filter(move |(label, _)| *label == tool);
    std::iter::once(tool).chain(others.map(|(_, also)| *also))
}

/// The tools, tunnels and networks that a capture's labels speak of.
pub(crate) fn labelled_tools(capture: &Labelled) -> Vec<&str> {
    let tools = capture.labels.iter().filter_map(|label| tool_of(label));
    tools.flat_map(with_others).collect()
}

/// The surest finding of each label of a capture; `None` where there is none.
fn found(capture: &Labelled) -> Vec<(String, Option<String>)> {
    let labels: Vec<&String> = capture
        .labels
        .iter()
        .filter(|label| tool_of(label).is_some())
        .collect();
    if labels.is_empty() {
        return Vec::new();
    }
    let findings = every_record_of(&capture.path).of("finding");
    // How long and how much, of everything that is a tunnel's traffic.
    let is_silent = |finding: &&Value| {
        let is_tunnel = matches!(
            finding["kind"].as_str(),
            Some("vpn" | "proxy" | "tor" | "reverse_tunnel")
        );
        let is_traffic = finding["flow_count"].as_u64() > Some(0) && finding["tool"] != "mtu-trace";
        is_tunnel && is_traffic && finding["tunnel"].is_null()
    };
    let silent = findings.iter().find(is_silent);
    assert_eq!(silent, None, "{}", capture.name);
    let surest = |label: &str| {
        let tools: Vec<&str> = tool_of(label).into_iter().flat_map(with_others).collect();
        let named = findings
            .iter()
            .filter(|finding| tools.iter().any(|tool| names(finding, tool)));
        let confidences: Vec<&str> = named
            .filter_map(|finding| finding["confidence"].as_str())
            .collect();
        let known = ["high", "medium", "low"];
        known
            .into_iter()
            .find(|one| confidences.contains(one))
            .map(str::to_owned)
    };
    labels
        .into_iter()
        .map(|label| (label.clone(), surest(label)))
        .collect()
}

/// What became of one label.
#[derive(Default)]
struct Tally {
    captures: usize,
    by_confidence: BTreeMap<String, usize>,
    missed: Vec<String>,
}

#[test]
fn every_label_is_found_as_often_as_before() {
    let Some(captures) = labelled_captures() else {
        return;
    };
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (capture, found) in captures.iter().zip(two_at_a_time(&captures, found)) {
        let name = &capture.name;
        for (label, confidence) in found {
            let reason = NOT_FOUND
                .iter()
                .find(|(excepted, excepted_label, _)| excepted == name && *excepted_label == label);
            let tally = tallies.entry(label.clone()).or_default();
            tally.captures += 1;
            match (confidence, reason) {
                (Some(_), Some(_)) => {
                    wrong.push(format!("{name}: {label} is found now: no exception any more"));
                }
                (Some(confidence), None) => *tally.by_confidence.entry(confidence).or_default() += 1,
                (None, Some((.., reason))) => tally.missed.push(format!("{name}: {reason}")),
                (None, None) => wrong.push(format!("{name}: {label} is not found")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!("found", table(&tallies));
}

/// One line a label, and one for each capture in which it is not found.
fn table(tallies: &BTreeMap<String, Tally>) -> String {
    let mut text = String::new();
    for (label, tally) in tallies {
        let sure: Vec<String> = tally
            .by_confidence
            .iter()
            .map(|(confidence, times)| format!("{times} {confidence}"))
            .collect();
        let found: usize = tally.by_confidence.values().sum();
        let sure = sure.join(", ");
        writeln!(text, "{label:<28}{found:>3} of {:>3}   {sure}", tally.captures).unwrap();
        for missed in &tally.missed {
            writeln!(text, "    not in {missed}").unwrap();
        }
    }
    text
}

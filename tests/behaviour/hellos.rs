//! What clients of TLS, DTLS and QUIC said, in flow records, against tshark: server name, first application protocol,
//! JA3, JA4 and the version of QUIC.
//!
//! The tshark of most distributions prints no JA4. It is put together here from the lists that tshark dissected, so
//! that no reading of ours takes part in both sides.
//!
//! tshark takes up to half a second for each capture, so some small ones are compared; `FARMHAWK_AGREEMENT=all` takes all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::oracle::{has_tshark, is_everything_wanted};
use crate::program::{Labelled, every_record_of, labelled_captures, two_at_a_time};

/// Fields that are compared.
const FIELDS: [&str; 5] = ["sni", "alpn", "ja3", "ja4", "quic"];

/// What one client said; `None` where it said nothing, or where its hello is not all there.
type Hello = [Option<String>; FIELDS.len()];

/// All that clients said, by conversation and field.
type Said = BTreeMap<(String, &'static str), Vec<String>>;

/// Of the captures that are labelled with such a protocol, every so many of at most so many octets are in the sample.
const SAMPLE: usize = 3;
const SMALL: u64 = 16 << 10;

/// Captures with values that differ, how many, and why that is right.
const EXPLAINED: [(&str, usize, &str); 11] = [
    ("ar-mysql-tls.pcap", 2, MYSQL),
    ("cl-openvpn.pcap", 2, OPENVPN),
    ("nd-capwap.pcap", 2, "DTLS within CAPWAP, which tshark opens"),
    (
        "nd-gnutella.pcap",
        8,
        "Gnutella's own turn to TLS: a peer-to-peer protocol that is not dissected here",
    ),
    ("nd-openvpn.pcapng", 12, OPENVPN),
    (
        "nd-ossfuzz-seed-fake-traces-1.pcapng",
        4,
        "crafted: an octet of zero stands before the record in its stream; tshark reads each segment for itself",
    ),
    (
        "nd-quic-forcing-vn-with-data.pcapng",
        3,
        "tshark keeps the keys of a first packet that only provoked a negotiation, and fails to open the real one",
    ),
    (
        "nd-quic-fuzz-overflow.pcapng",
        1,
        "a version of gQUIC in a fragment of impossible length, which tshark does not follow into UDP",
    ),
    ("nf-openvpn.pcap", 6, OPENVPN),
    ("pp-pcapng-example.pcapng", 2, MYSQL),
    (
        "zk-383379789-decrypt-crash.pcap",
        1,
        "crafted: the packet claims 9,728 octets of a datagram of 248, and nobody can open it: no QUIC here",
    ),
];

const OPENVPN: &str = "OpenVPN on ports where tshark does not look for it (told so by -d, it gives the same JA3), or with \
    digests of 64 octets, which it does not read";
const MYSQL: &str = "MySQL's own turn to TLS: not among the protocols that are dissected";

fn ends(protocol: &str, one: String, other: String) -> String {
    let [first, second] = if other < one { [other, one] } else { [one, other] };
    format!("{protocol} {first} {second}")
}

fn gather(hellos: impl IntoIterator<Item = (String, Hello)>) -> Said {
    let mut said = Said::new();
    for (conversation, hello) in hellos {
        for (field, value) in FIELDS.into_iter().zip(hello) {
            if let Some(value) = value {
                said.entry((conversation.clone(), field)).or_default().push(value);
            }
        }
    }
    for values in said.values_mut() {
        values.sort();
    }
    said
}

/// What our records say.
fn ours(flows: &[Value]) -> Said {
    let hellos = flows.iter().filter_map(|flow| {
        let protocol = flow["proto"].as_str().unwrap().to_lowercase();
        let end = |address: &str, port: &str| {
            Some(format!(
                "{} {}",
                flow[address].as_str()?,
                flow.get(port)?.as_u64()?
            ))
        };
        let conversation = ends(
            &protocol,
            end("src_ip", "src_port")?,
            end("dest_ip", "dest_port")?,
        );
        let text = |object: &str, field: &str| Some(flow.get(object)?.get(field)?.as_str()?.to_owned());
        let tls = |field: &str| text("tls", field);
        let hello = [
            tls("sni"),
            tls("alpn"),
            tls("ja3"),
            tls("ja4"),
            text("quic", "version"),
        ];
        Some((conversation, hello))
    });
    gather(hellos)
}

/// Every text under a key that ends so, in the order of the document.
fn texts<'v>(value: &'v Value, ending: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key.ends_with(ending) {
                    let one = std::slice::from_ref(value);
                    let values = value.as_array().map_or(one, Vec::as_slice);
                    found.extend(values.iter().filter_map(Value::as_str));
                }
                texts(value, ending, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, ending, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn all<'v>(value: &'v Value, ending: &str) -> Vec<&'v str> {
    let mut found = Vec::new();
    texts(value, ending, &mut found);
    found
}

/// Every object that has this text under a key that ends so.
fn objects<'v>(value: &'v Value, ending: &str, text: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            let is_one = |(key, value): (&String, &Value)| key.ends_with(ending) && value == text;
            if fields.iter().any(is_one) {
                found.push(value);
            }
            fields
                .values()
                .for_each(|value| objects(value, ending, text, found));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| objects(value, ending, text, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Numbers as tshark prints them, without those that say nothing (GREASE, RFC 8701).
fn numbers(texts: Vec<&str>) -> Vec<u16> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    let mut numbers: Vec<u16> = texts.into_iter().map(number).collect();
    numbers.retain(|number| number & 0x0f0f != 0x0a0a || number >> 8 != number & 0xff);
    numbers
}

/// JA4 from the lists of a whole hello (FoxIO's technical description).
fn ja4(hello: &Value, transport: char) -> String {
    let list = |numbers: &[u16]| {
        let digits: Vec<String> = numbers.iter().map(|number| format!("{number:04x}")).collect();
        digits.join(",")
    };
    let hash = |text: String| {
        if text.is_empty() {
            return "0".repeat(12);
        }
        let digest = Sha256::digest(text.as_bytes());
        let digits: Vec<String> = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        digits.concat()[..12].to_owned()
    };
    let offered = numbers(all(hello, ".handshake.extensions.supported_version"));
    let legacy = numbers(all(hello, ".handshake.version"));
    let rank = |version: &&u16| {
        if **version >= 0xfe00 {
            !**version
        } else {
            **version
        }
    };
    let version = match offered.iter().max_by_key(rank).unwrap_or(&legacy[0]) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    };
    let mut ciphers = numbers(all(hello, ".handshake.ciphersuite"));
    let mut extensions = numbers(all(hello, ".handshake.extension.type"));
    let name = if extensions.contains(&0) { 'd' } else { 'i' };
    let protocols = all(hello, ".handshake.extensions_alpn_str");
    let protocol = protocols.first().copied().unwrap_or("00");
    let edge = |edge: Option<char>| edge.unwrap_or('0');
    let (first, last) = (edge(protocol.chars().next()), edge(protocol.chars().last()));
    let counts = [ciphers.len(), extensions.len()].map(|count| count.min(99));
    ciphers.sort_unstable();
    extensions.retain(|kind| ![0, 16].contains(kind));
    extensions.sort_unstable();
    let mut algorithms = Vec::new();
    objects(hello, ".handshake.extension.type", "13", &mut algorithms);
    let algorithms: Vec<u16> = algorithms
        .into_iter()
        .flat_map(|extension| numbers(all(extension, ".handshake.sig_hash_alg")))
        .collect();
    let mut rest = list(&extensions);
    if !algorithms.is_empty() {
        rest = format!("{rest}_{}", list(&algorithms));
    }
    format!(
        "{transport}{version}{name}{:02}{:02}{first}{last}_{}_{}",
        counts[0],
        counts[1],
        hash(list(&ciphers)),
        hash(rest)
    )
}

/// The name that our records give a version of QUIC, from tshark's number; versions that only provoke a negotiation
/// (RFC 9000, 15), and the zero of the negotiation itself, have none.
fn quic_version(text: &str) -> Option<String> {
    let number = u32::from_str_radix(text.strip_prefix("0x")?, 16).unwrap();
    Some(match number {
        0 => return None,
        _ if number & 0x0f0f_0f0f == 0x0a0a_0a0a => return None,
        0x6b33_43cf => "2".to_owned(),
        0xff00_0000.. => format!("draft-{}", number & 0xff),
        0xface_b001 => "mvfst-22".to_owned(),
        0xface_b002 => "mvfst-27".to_owned(),
        0xface_b00e => "mvfst-exp".to_owned(),
        0x2000_0000.. => String::from_utf8_lossy(&number.to_be_bytes()).into_owned(),
        _ => number.to_string(),
    })
}

/// The innermost layer of one of these names: tshark lists equal ones from the outside in.
fn innermost<'v>(
    layers: &'v Value,
    protocols: &str,
    names: &[&'static str],
) -> Option<(&'static str, &'v Value)> {
    let last = protocols
        .rsplit(':')
        .find_map(|one| names.iter().find(|name| **name == one))?;
    let layer = &layers[*last];
    Some((
        *last,
        layer.as_array().map_or(layer, |layers| layers.last().unwrap()),
    ))
}

/// Conversation, stream and what each hello says, of one frame.
fn hellos_in(layers: &Value) -> Vec<(String, String, Hello)> {
    let protocols = layers["frame"]["frame.protocols"].as_str().unwrap();
    let Some((network, ip)) = innermost(layers, protocols, &["ip", "ipv6"]) else {
        return Vec::new();
    };
    let Some((transport, ports)) = innermost(layers, protocols, &["tcp", "udp", "sctp"]) else {
        return Vec::new();
    };
    let text = |layer: &Value, key: String| layer[key].as_str().unwrap_or("?").to_owned();
    let end = |side: &str| {
        format!(
            "{} {}",
            text(ip, format!("{network}.{side}")),
            text(ports, format!("{transport}.{side}port"))
        )
    };
    let conversation = ends(transport, end("src"), end("dst"));
    let stream = format!("{transport} {}", text(ports, format!("{transport}.stream")));
    let mut hellos = Vec::new();
    objects(layers, ".handshake.type", "1", &mut hellos);
    let owned = |text: &&str| (*text).to_owned();
    let first = |hello: &Value, ending: &str| all(hello, ending).first().map(owned);
    let mut versions = all(layers, "quic.version");
    // The same ending names the versions of gQUIC, which are text.
    versions.retain(|version| version.starts_with("0x"));
    let carrier = match protocols {
        _ if !versions.is_empty() => 'q',
        _ if protocols.contains(":dtls") => 'd',
        _ => 't',
    };
    let mut said: Vec<(String, String, Hello)> = Vec::new();
    for hello in hellos {
        let ja3 = first(hello, ".handshake.ja3");
        let ja4 = ja3.is_some().then(|| ja4(hello, carrier));
        let values = [
            first(hello, ".handshake.extensions_server_name"),
            first(hello, ".handshake.extensions_alpn_str"),
            ja3,
            ja4,
            None,
        ];
        said.push((conversation.clone(), stream.clone(), values));
    }
    let mut others = Hello::default();
    others[0] = first(layers, "gquic.tag.sni");
    others[4] = versions.into_iter().find_map(quic_version);
    others[4] = others[4].take().or_else(|| first(layers, "gquic.version"));
    said.push((conversation, stream, others));
    said
}

/// What tshark says first in each stream.
fn theirs(path: &Path) -> Said {
    let output = Command::new("tshark")
        .args(["-n", "-o", "tcp.reassemble_out_of_order:TRUE"])
        // As we do: what the bytes say first, what the port says next. TPKT would keep the TLS of
        // RDP; VNC takes a minute for what cannot hold TLS.
        .args([
            "-o",
            "tcp.try_heuristic_first:TRUE",
            "-o",
            "udp.try_heuristic_first:TRUE",
        ])
        .args(["--disable-protocol", "tpkt", "--disable-protocol", "vnc"])
        .args(["--no-duplicate-keys", "-T", "json"])
        .args(["-J", "frame ip ipv6 tcp udp sctp tls dtls quic gquic"])
        .args([
            "-Y",
            "tls.handshake.type == 1 || dtls.handshake.type == 1 || quic.version || gquic.version",
        ])
        .arg("-r")
        .arg(path)
        .output()
        .unwrap();
    let frames: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut streams: BTreeMap<String, (String, Hello)> = BTreeMap::new();
    for frame in frames.as_array().into_iter().flatten() {
        for (conversation, stream, hello) in hellos_in(&frame["_source"]["layers"]) {
            let (_, first) = streams
                .entry(stream)
                .or_insert_with(|| (conversation, Hello::default()));
            for (known, value) in first.iter_mut().zip(hello) {
                *known = known.take().or(value);
            }
        }
    }
    gather(streams.into_values())
}

/// Values that agree, by field, and the differences.
fn compare(capture: &Labelled) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    let run = every_record_of(&capture.path);
    let (ours, theirs) = (ours(&run.of("flow")), theirs(&capture.path));
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut agreed = BTreeMap::new();
    let mut wrong = Vec::new();
    for key in keys {
        let none = Vec::new();
        let (ours, theirs) = (ours.get(key).unwrap_or(&none), theirs.get(key).unwrap_or(&none));
        let (conversation, field) = key;
        if ours == theirs {
            *agreed.entry(*field).or_default() += ours.len();
        } else {
            let name = &capture.name;
            wrong.push(format!(
                "{name}: {conversation}: {field}: {ours:?}, tshark {theirs:?}"
            ));
        }
    }
    (agreed, wrong)
}

fn holds_hellos(capture: &Labelled) -> bool {
    ["proto:tls", "proto:quic", "proto:dtls", "proto:gquic"]
        .iter()
        .any(|label| capture.has(label))
}

#[test]
fn what_clients_say_in_their_hellos_is_what_tshark_reads() {
    if !has_tshark() {
        return;
    }
    let Some(mut captures) = labelled_captures() else {
        return;
    };
    if !is_everything_wanted() {
        captures
            .retain(|capture| holds_hellos(capture) && fs::metadata(&capture.path).unwrap().len() <= SMALL);
        captures = captures.into_iter().step_by(SAMPLE).collect();
    }
    let results = two_at_a_time(&captures, compare);
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut excepted = 0;
    for (capture, (agreed, complaints)) in captures.iter().zip(results) {
        for (field, number) in agreed {
            *sums.entry(field).or_default() += number;
        }
        let explained = EXPLAINED.iter().find(|(name, ..)| *name == capture.name);
        let expected = explained.map_or(0, |(_, number, _)| *number);
        if complaints.len() == expected {
            excepted += expected;
        } else {
            wrong.push(format!(
                "{}: {} differ, {expected} are explained",
                capture.name,
                complaints.len()
            ));
            wrong.extend(complaints);
        }
    }
    println!(
        "{} captures, values that agree: {sums:?}, explained: {excepted}",
        captures.len()
    );
    assert!(FIELDS.iter().all(|field| sums.contains_key(field)), "{sums:?}");
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
}

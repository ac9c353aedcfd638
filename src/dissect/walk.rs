//! Test over real captures: which of the dissectors for remote access and tunnels recognise which labelled capture.
//!
//! The walker is naive on purpose (no IP fragments, no tunnels, streams in the order of their sequence numbers): it
//! stands beside the engine and shares nothing with it but the dissectors.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use etherparse::{EtherType, LaxSlicedPacket, TransportSlice};
use pcap_parser::{Block, PcapBlockOwned};

use super::registry::DISSECTORS;
use super::trial::Trial;
use crate::model::fact::Side;
use crate::model::segment::Layer;

/// The dissectors that this test judges.
const JUDGED: &[&str] = &[
    "ssh",
    "rdp",
    "rdpudp",
    "vnc",
    "wireguard",
    "openvpn",
    "ike",
    "esp",
    "ah",
    "l2tp",
    "pptp",
    "socks",
    "telnet",
    "teamviewer",
    "rustdesk",
];

/// Which names answer a label.
fn answers(label: &str) -> &'static [&'static str] {
    match label {
        "remote:ssh" => &["ssh"],
        "remote:rdp" => &["rdp", "rdpudp"],
        "remote:vnc" => &["vnc"],
        "remote:telnet" => &["telnet"],
        "remote:teamviewer" => &["teamviewer"],
        "vpn:openvpn" => &["openvpn"],
        "vpn:wireguard" => &["wireguard"],
        "vpn:ipsec-ike" => &["ike"],
        "vpn:ipsec-esp" => &["esp", "ike"],
        "vpn:ipsec-ah" => &["ah"],
        "vpn:l2tp" => &["l2tp"],
        "vpn:pptp" => &["pptp"],
        "tunnel:socks" => &["socks"],
        _ => &[],
    }
}

/// Captures whose label cannot be answered here, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("ar-ah-esp.pcap", "ESP inside AH: the flow is AH"),
    (
        "ar-socks5-reverse.pcap",
        "malware calls home with bytes of its own and is then the SOCKS server",
    ),
    (
        "dk-nb6-http.pcap",
        "inside PPPoE, which this walker does not open",
    ),
    ("on-balls.pcap", "begins in the middle of an encrypted session"),
    (
        "pp-telnetcommandafterdata.pcap",
        "one packet of six octets in the middle of a session",
    ),
    ("sv-decode-l2tp-decode-l2tp-v2.pcap", "inside PPPoE"),
    (
        "sv-decode-l2tp-decode-l2tp-v3-12.pcap",
        "session data on port 1234 with no control connection",
    ),
    (
        "sv-vxlan-decoder-03-vxlan.pcap",
        "inside VXLAN, which this walker does not open",
    ),
    ("td-esp-truncated.pcap", "one fragment"),
    ("td-l2tp-avp-overflow.pcap", "malformed by a fuzzer"),
    ("td-ikev1-id-ipv6-addr-subnet-oobr.pcap", "malformed by a fuzzer"),
    (
        "td-ikev2-id-normal.pcap",
        "made by hand with an initiator's index of zero",
    ),
    (
        "td-ikev2-id-short.pcap",
        "made by hand with an initiator's index of zero",
    ),
    ("td-isakmp-3948-oobr-2.pcap", "malformed by a fuzzer"),
    ("td-isakmp-delete-segfault.pcap", "malformed by a fuzzer"),
    ("td-isakmp-ikev1-n-print-oobr.pcap", "malformed by a fuzzer"),
    (
        "td-isakmp-no-none-np.pcapng",
        "initiator's index of zero, reserved flags set",
    ),
    ("td-isakmp-pointer-loop.pcap", "malformed by a fuzzer"),
    ("td-isakmp-rfc3948-oobr.pcap", "malformed by a fuzzer"),
    ("td-isakmp-various-oobr.pcap", "malformed by a fuzzer"),
    ("td-isakmpv1-attr-oobr.pcap", "malformed by a fuzzer"),
    (
        "zk-gre-sample.pcap",
        "inside GRE, which this walker does not open",
    ),
    (
        "zk-http-to-ssh.pcap",
        "behind HTTP CONNECT, whose dissector hands over",
    ),
    (
        "zk-rdp-invalid-length.pcap",
        "no TPKT in the request, wrong length in the answer",
    ),
    ("zk-telnet-auth-missing-name.pcap", "telnet commands inside FTP"),
    ("zk-wstunnel-ssh.pcap", "inside a WebSocket"),
];

/// Captures without a label where the protocol is there all the same.
const PRESENT_WITHOUT_LABEL: &[(&str, &str)] = &[
    // OSPFv3 secured by AH, as tshark says too.
    ("cl-ospfv3-with-ah.pcap", "ah"),
];

type End = (IpAddr, u16);

struct Packet {
    protocol: u8,
    layer: Layer,
    from: End,
    to: End,
    payload: Vec<u8>,
    length_on_wire: u32,
    /// Sequence number and whether SYN is set, whether ACK is set.
    tcp: Option<(u32, bool, bool)>,
}

/// Frames of a capture with their link types.
fn frames(path: &Path) -> Vec<(i32, Vec<u8>)> {
    let file = std::fs::read(path).unwrap();
    let capacity = file.len() + (1 << 16);
    let Ok(mut reader) = pcap_parser::create_reader(capacity, &file[..]) else {
        return Vec::new();
    };
    let mut links = Vec::new();
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => links = vec![header.network.0],
                    PcapBlockOwned::Legacy(packet) => frames.push((links[0], packet.data.to_vec())),
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype.0);
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let link = links
                            .get(usize::try_from(packet.if_id).unwrap())
                            .copied()
                            .unwrap_or(1);
                        let kept = packet.data.len().min(usize::try_from(packet.caplen).unwrap());
                        frames.push((link, packet.data[..kept].to_vec()));
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                        frames.push((links[0], packet.data.to_vec()));
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(length);
            }
            Err(_) => return frames,
        }
    }
}

fn packet(link: i32, frame: &[u8]) -> Option<Packet> {
    let sliced = match link {
        1 => LaxSlicedPacket::from_ethernet(frame).ok()?,
        0 | 108 => LaxSlicedPacket::from_ip(frame.get(4..)?).ok()?,
        12 | 14 | 101 | 228 | 229 => LaxSlicedPacket::from_ip(frame).ok()?,
        113 => LaxSlicedPacket::from_ether_type(
            EtherType(u16::from_be_bytes([*frame.get(14)?, *frame.get(15)?])),
            frame.get(16..)?,
        ),
        276 => LaxSlicedPacket::from_ether_type(
            EtherType(u16::from_be_bytes([*frame.first()?, *frame.get(1)?])),
            frame.get(20..)?,
        ),
        _ => return None,
    };
    let (source, destination, protocol, ip_payload): (IpAddr, IpAddr, u8, Vec<u8>) =
        match sliced.net.as_ref()? {
            etherparse::LaxNetSlice::Ipv4(ip) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
                ip.header().protocol().0,
                ip.payload().payload.to_vec(),
            ),
            etherparse::LaxNetSlice::Ipv6(ip) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
                match ip.header().next_header().0 {
                    ah @ 51 => ah,
                    _ => ip.payload().ip_number.0,
                },
                ip.payload().payload.to_vec(),
            ),
            etherparse::LaxNetSlice::Arp(_) => return None,
        };
    let own = |bytes: &[u8]| (bytes.to_vec(), u32::try_from(bytes.len()).unwrap());
    Some(match sliced.transport.filter(|_| protocol != 51) {
        Some(TransportSlice::Tcp(tcp)) => {
            let (payload, length_on_wire) = own(tcp.payload());
            Packet {
                protocol: 6,
                layer: Layer::Tcp,
                from: (source, tcp.source_port()),
                to: (destination, tcp.destination_port()),
                payload,
                length_on_wire,
                tcp: Some((tcp.sequence_number(), tcp.syn(), tcp.ack())),
            }
        }
        Some(TransportSlice::Udp(udp)) => Packet {
            protocol: 17,
            layer: Layer::Udp,
            from: (source, udp.source_port()),
            to: (destination, udp.destination_port()),
            payload: udp.payload().to_vec(),
            length_on_wire: u32::from(udp.length()).saturating_sub(8),
            tcp: None,
        },
        Some(_) => return None,
        None => {
            // Of AH, etherparse steps over the header; the protocol of the IP header itself is what counts here.
            let (payload, length_on_wire) = own(&ip_payload);
            Packet {
                protocol,
                layer: Layer::OtherIp,
                from: (source, 0),
                to: (destination, 0),
                payload,
                length_on_wire,
                tcp: None,
            }
        }
    })
}

struct Flow {
    trial: Trial,
    client: End,
    expected: [Option<u32>; 2],
    held: [BTreeMap<u32, Vec<u8>>; 2],
}

impl Flow {
    fn take(&mut self, packet: &Packet) {
        let side = if packet.from == self.client {
            Side::Client
        } else {
            Side::Server
        };
        let Some((sequence, syn, _)) = packet.tcp else {
            self.trial
                .cut_payload(side, &packet.payload, packet.length_on_wire.max(1));
            return;
        };
        let sequence = sequence.wrapping_add(u32::from(syn));
        let expected = self.expected[side.index()].get_or_insert(sequence);
        if syn && packet.payload.is_empty() {
            *expected = sequence;
            return;
        }
        if !packet.payload.is_empty() {
            self.held[side.index()].insert(sequence, packet.payload.clone());
        }
        let mut ready = Vec::new();
        let held = &mut self.held[side.index()];
        while let Some(start) = held.keys().copied().find(|start| {
            let behind = expected.wrapping_sub(*start);
            behind < 1 << 24
        }) {
            let bytes = held.remove(&start).unwrap();
            let behind = usize::try_from(expected.wrapping_sub(start)).unwrap();
            if let Some(fresh) = bytes.get(behind..).filter(|fresh| !fresh.is_empty()) {
                *expected = expected.wrapping_add(u32::try_from(fresh.len()).unwrap());
                ready.push(fresh.to_vec());
            }
        }
        for bytes in ready {
            self.trial.payload(side, &bytes);
        }
    }
}

/// One flow of a capture that somebody recognised.
struct Recognised {
    names: Vec<&'static str>,
    client: End,
    server: End,
    facts: Vec<(&'static str, String)>,
}

/// All recognised flows of a capture.
fn recognise(path: &Path) -> Vec<Recognised> {
    let judged: Vec<_> = DISSECTORS
        .iter()
        .copied()
        .filter(|dissector| JUDGED.contains(&dissector.name()))
        .collect();
    let mut flows: BTreeMap<(u8, End, End), Flow> = BTreeMap::new();
    for (link, frame) in frames(path) {
        let Some(packet) = packet(link, &frame) else {
            continue;
        };
        let key = (
            packet.protocol,
            packet.from.min(packet.to),
            packet.from.max(packet.to),
        );
        let flow = flows.entry(key).or_insert_with(|| {
            let is_answer = matches!(packet.tcp, Some((_, true, true)));
            let (client, server) = if is_answer {
                (packet.to, packet.from)
            } else {
                (packet.from, packet.to)
            };
            Flow {
                trial: Trial::new(&judged, packet.layer, (client.1, server.1)).with_protocol(packet.protocol),
                client,
                expected: [None; 2],
                held: [BTreeMap::new(), BTreeMap::new()],
            }
        });
        flow.take(&packet);
    }
    flows
        .into_iter()
        .filter(|(_, flow)| !flow.trial.names.is_empty())
        .map(|((_, low, high), flow)| Recognised {
            facts: judged
                .iter()
                .flat_map(|dissector| dissector.fields())
                .flat_map(|field| {
                    flow.trial
                        .said(field.name)
                        .into_iter()
                        .map(|text| (field.name, text))
                })
                .collect(),
            names: flow.trial.names,
            client: flow.client,
            server: if flow.client == low { high } else { low },
        })
        .collect()
}

fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("FARMHAWK_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"),
        PathBuf::from,
    );
    folder.join("LABELS.tsv").is_file().then_some(folder)
}

#[test]
fn labelled_captures_are_recognised_and_unlabelled_ones_are_not() {
    let Some(folder) = captures() else {
        println!("skipped: no captures found");
        return;
    };
    // Part of a file name: then what its flows said is printed, for a look at one capture.
    let only = std::env::var("FARMHAWK_ONLY").ok();
    let table = std::fs::read_to_string(folder.join("LABELS.tsv")).unwrap();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut surprising = Vec::new();
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (file, labels) = (columns[0], columns[4].split(';').collect::<Vec<_>>());
        if only.as_deref().is_some_and(|only| !file.contains(only)) {
            continue;
        }
        let found = recognise(&folder.join(file));
        if only.is_some() {
            for flow in &found {
                println!(
                    "{file} {:?} {:?} -> {:?} {:?}",
                    flow.names, flow.client, flow.server, flow.facts
                );
            }
        }
        let names: Vec<&str> = found.iter().flat_map(|flow| flow.names.iter().copied()).collect();
        for label in &labels {
            let wanted = answers(label);
            if wanted.is_empty() {
                continue;
            }
            let count = counts.entry(label).or_default();
            count.1 += 1;
            if wanted.iter().any(|name| names.contains(name)) {
                count.0 += 1;
            } else if !EXCEPTIONS.iter().any(|(excepted, _)| *excepted == file) {
                missed.push(format!("{file} {label}"));
            }
        }
        for flow in found {
            let is_explained = |name: &&str| {
                PRESENT_WITHOUT_LABEL.contains(&(file, *name))
                    || labels.iter().any(|label| answers(label).contains(name))
            };
            // Labels such as "vpn:ipsec" say less than we do; only what is labelled as nothing must be nothing.
            let is_labelled = !labels.contains(&"none") || flow.names.iter().all(is_explained);
            if !is_labelled {
                surprising.push(format!(
                    "{file} {:?} {:?} {:?} {labels:?}",
                    flow.names, flow.client, flow.server
                ));
            }
        }
    }
    for (label, (recognised, all)) in &counts {
        println!("{label}\t{recognised} of {all}");
    }
    assert!(missed.is_empty(), "not recognised: {missed:#?}");
    assert!(
        surprising.is_empty(),
        "recognised where there is nothing: {surprising:#?}"
    );
}

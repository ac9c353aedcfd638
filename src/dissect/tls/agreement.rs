//! Agreement with an independent reader of real captures: server names and JA3 as tshark prints them.
//!
//! Frames come through libpcap and a naive reassembly, so that this test leans on no other stage. Set
//! `FARMHAWK_AGREEMENT_DUMP` to a file to get every fact of every capture, for comparisons by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};

use crate::dissect::registry::DISSECTORS;
use crate::dissect::{Dissection, Head, Input, Next, Probe};
use crate::model::fact::{FactLog, Facts, FieldId, Side, Stamp, Value};
use crate::model::segment::Layer;

type Key = (u8, (IpAddr, u16), (IpAddr, u16));

/// One conversation under a naive engine.
struct Flow {
    layer: Layer,
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    next: [Option<u32>; 2],
    waiting: [BTreeMap<u32, Vec<u8>>; 2],
    held: [Vec<u8>; 2],
    refused: Vec<bool>,
    running: Option<Box<dyn Dissection>>,
    ended: bool,
    names: Vec<&'static str>,
    log: FactLog,
}

impl Flow {
    fn feed(&mut self, side: Side, length_on_wire: u32, after_gap: bool) {
        let mut sides = [side, side.other()].into_iter();
        let mut newest = sides.next();
        while let Some(side) = newest {
            newest = None;
            if self.ended {
                return;
            }
            let Some(running) = self.running.as_mut() else {
                if !self.probe(side, length_on_wire) {
                    return;
                }
                // Both directions are fed, the client first: what was held is older than what came.
                self.feed(Side::Client, length_on_wire, false);
                self.feed(Side::Server, length_on_wire, false);
                return;
            };
            if self.held[side.index()].is_empty() {
                return;
            }
            let input = Input {
                side,
                bytes: &self.held[side.index()],
                length_on_wire,
                after_gap,
            };
            let mut events = FactLog::default();
            let mut facts = Facts {
                flow: &mut self.log,
                events: &mut events,
                stamp: Stamp {
                    side,
                    ..Stamp::default()
                },
            };
            match running.feed(&input, &mut facts) {
                Next::More(_) | Next::Release if self.layer == Layer::Udp => self.held = Default::default(),
                Next::More(consumed) => drop(self.held[side.index()].drain(..consumed)),
                Next::Release | Next::Done => self.ended = true,
                Next::Reject => {
                    let name = self.names.pop();
                    let place = DISSECTORS
                        .iter()
                        .position(|dissector| Some(dissector.name()) == name);
                    self.refused[place.unwrap()] = true;
                    self.running = None;
                }
                Next::Become(name, consumed) => {
                    self.held[side.index()].drain(..consumed);
                    self.names.push(name);
                    let dissector = DISSECTORS.iter().find(|dissector| dissector.name() == name);
                    self.running = dissector.map(|dissector| dissector.start());
                    self.ended = self.running.is_none();
                    newest = sides.next();
                }
            }
        }
    }

    fn probe(&mut self, side: Side, length_on_wire: u32) -> bool {
        let head = Head {
            layer: self.layer,
            protocol: if self.layer == Layer::Tcp { 6 } else { 17 },
            client_port: self.client.1,
            server_port: self.server.1,
            side,
            to_server: &self.held[0],
            to_client: &self.held[1],
            length_on_wire,
            earlier: &[],
        };
        for (place, dissector) in DISSECTORS.iter().enumerate() {
            if self.refused[place] || !dissector.layers().contains(&self.layer) {
                continue;
            }
            match dissector.probe(&head) {
                Probe::Yes => {
                    self.names.push(dissector.name());
                    self.running = Some(dissector.start());
                    return true;
                }
                Probe::No => self.refused[place] = self.layer == Layer::Tcp,
                Probe::Wait => {}
            }
        }
        if self.layer == Layer::Udp {
            self.held = Default::default();
        }
        false
    }

    fn deliver(&mut self, side: Side, after_gap: bool) {
        let place = side.index();
        let mut gap = after_gap;
        while let Some(next) = self.next[place] {
            let Some((&start, _)) = self.waiting[place].first_key_value() else {
                return;
            };
            let behind = next.wrapping_sub(start);
            if behind > 1 << 31 {
                return;
            }
            let bytes = self.waiting[place].remove(&start).unwrap();
            let Some(fresh) = bytes.get(behind as usize..) else {
                continue;
            };
            if fresh.is_empty() {
                continue;
            }
            self.next[place] = Some(next.wrapping_add(u32::try_from(fresh.len()).unwrap()));
            if self.held[place].len() < 1 << 16 && !self.ended {
                self.held[place].extend_from_slice(fresh);
                self.feed(side, u32::try_from(fresh.len()).unwrap(), gap);
            }
            gap = false;
        }
    }

    fn skip_gaps(&mut self) {
        for side in [Side::Client, Side::Server] {
            let place = side.index();
            while let Some((&start, _)) = self.waiting[place].first_key_value() {
                self.held[place].clear();
                self.next[place] = Some(start);
                self.deliver(side, true);
            }
        }
    }
}

fn take(flows: &mut BTreeMap<Key, Flow>, packet: &LaxSlicedPacket<'_>, cut: bool) {
    let (source, target) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => (
            IpAddr::from(ip.header().source_addr()),
            IpAddr::from(ip.header().destination_addr()),
        ),
        Some(LaxNetSlice::Ipv6(ip)) => (
            IpAddr::from(ip.header().source_addr()),
            IpAddr::from(ip.header().destination_addr()),
        ),
        _ => return,
    };
    let (protocol, from, to) = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (6, (source, tcp.source_port()), (target, tcp.destination_port())),
        Some(TransportSlice::Udp(udp)) => (17, (source, udp.source_port()), (target, udp.destination_port())),
        _ => return,
    };
    let key = (protocol, from.min(to), from.max(to));
    let begins_anew = matches!(&packet.transport, Some(TransportSlice::Tcp(tcp)) if tcp.syn() && !tcp.ack());
    if begins_anew
        && flows
            .get(&key)
            .is_some_and(|flow| flow.next[0].is_some() && !flow.log.is_empty())
    {
        let again = flows.len();
        let mut old = flows.remove(&key).unwrap();
        old.skip_gaps();
        let other = (u8::MAX, (source, 0), (target, u16::try_from(again).unwrap_or(0)));
        flows.insert(other, old);
    }
    let answers = matches!(&packet.transport, Some(TransportSlice::Tcp(tcp)) if tcp.syn() && tcp.ack());
    let (client, server) = if answers { (to, from) } else { (from, to) };
    let flow = flows.entry(key).or_insert_with(|| Flow {
        layer: if protocol == 6 { Layer::Tcp } else { Layer::Udp },
        client,
        server,
        next: [None; 2],
        waiting: Default::default(),
        held: Default::default(),
        refused: vec![false; DISSECTORS.len()],
        running: None,
        ended: false,
        names: Vec::new(),
        log: FactLog::default(),
    });
    let side = if from == flow.client {
        Side::Client
    } else {
        Side::Server
    };
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let mut sequence = tcp.sequence_number();
            if tcp.syn() {
                sequence = sequence.wrapping_add(1);
                flow.next[side.index()] = Some(sequence);
            }
            if !tcp.payload().is_empty() {
                flow.next[side.index()].get_or_insert(sequence);
                let waiting = &mut flow.waiting[side.index()];
                let known = waiting.entry(sequence).or_default();
                if known.len() < tcp.payload().len() {
                    *known = tcp.payload().to_vec();
                }
                let _ = cut;
                flow.deliver(side, false);
            }
        }
        Some(TransportSlice::Udp(udp)) if !flow.ended => {
            flow.held = Default::default();
            flow.held[side.index()] = udp.payload().to_vec();
            flow.feed(side, u32::from(udp.length()).saturating_sub(8), false);
        }
        _ => {}
    }
}

/// All flows of a capture; nothing if libpcap does not read it.
fn flows_of(path: &Path) -> Option<Vec<Flow>> {
    let mut capture = pcap::Capture::from_file(path).ok()?;
    let link = capture.get_datalink().0;
    let mut flows = BTreeMap::new();
    while let Ok(frame) = capture.next_packet() {
        let bytes = frame.data;
        let cooked = |at: usize, skip: usize| {
            let kind = u16::from_be_bytes(*bytes.get(at..)?.first_chunk::<2>()?);
            Some(LaxSlicedPacket::from_ether_type(
                EtherType(kind),
                bytes.get(skip..)?,
            ))
        };
        let packet = match link {
            1 => LaxSlicedPacket::from_ethernet(bytes).ok(),
            12 | 14 | 101 | 228 | 229 => LaxSlicedPacket::from_ip(bytes).ok(),
            0 | 108 => bytes
                .get(4..)
                .and_then(|bytes| LaxSlicedPacket::from_ip(bytes).ok()),
            113 => cooked(14, 16),
            276 => cooked(0, 20),
            _ => None,
        };
        if let Some(packet) = packet {
            take(&mut flows, &packet, frame.header.len > frame.header.caplen);
        }
    }
    let mut flows: Vec<_> = flows.into_values().collect();
    for flow in &mut flows {
        flow.skip_gaps();
    }
    Some(flows)
}

fn texts(flow: &Flow, name: &str) -> Vec<String> {
    let id = FieldId::of(name);
    let mut texts = Vec::new();
    for fact in flow.log.iter().filter(|fact| fact.field == id) {
        if let Value::Text { bytes, .. } = fact.value {
            texts.push(String::from_utf8_lossy(bytes).into_owned());
        }
    }
    texts
}

fn captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let folder = std::env::var_os("FARMHAWK_CAPTURES").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// What tshark says: `conversation name` and `conversation JA3`, each once.
fn oracle(path: &Path) -> Option<[Vec<String>; 2]> {
    let fields = [
        "tcp.stream",
        "udp.stream",
        "tls.handshake.extensions_server_name",
        "dtls.handshake.extensions_server_name",
        "gquic.tag.sni",
        "tls.handshake.ja3",
        "dtls.handshake.ja3",
    ];
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(path)
        .args(["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"]);
    command.args([
        "-Y",
        "tls.handshake.type == 1 || dtls.handshake.type == 1 || gquic.tag.sni",
    ]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().ok()?;
    let mut seen = [Vec::new(), Vec::new()];
    for row in String::from_utf8_lossy(&output.stdout).lines() {
        let cells: Vec<_> = row.split('\t').collect();
        for (cell, value) in cells
            .iter()
            .enumerate()
            .skip(2)
            .filter(|(_, value)| !value.is_empty())
        {
            for value in value.split('|') {
                let place = usize::from(cell > 4);
                seen[place].push((cells[0].to_owned(), cells[1].to_owned(), value.to_owned()));
            }
        }
    }
    Some(seen.map(|mut seen| {
        seen.sort();
        seen.dedup();
        let mut values: Vec<_> = seen.into_iter().map(|(_, _, value)| value).collect();
        values.sort();
        values
    }))
}

/// Small captures that hold what is easy to get wrong: fragments, Retry, cookies, STARTTLS, gQUIC, one direction.
const AGREED: &[&str] = &[
    "j4-latest.pcapng",
    "j4-tls12.pcap",
    "me-quic-v2.pcap",
    "nd-quic-29.pcap",
    "nd-quic-frags-different-dcid.pcapng",
    "nd-quic-q46.pcap",
    "sv-quic-frag.pcap",
    "sv-quic-retry.pcap",
    "zk-dtls1-2.pcap",
    "zk-psql-aws-ssl-require-15432.pcap",
];

#[test]
fn names_and_ja3_of_real_captures_are_those_that_tshark_sees() {
    let Some(folder) = captures() else {
        println!("skipped: no captures");
        return;
    };
    for name in AGREED {
        let path = folder.join(name);
        let (Some(flows), Some([names, ja3])) = (flows_of(&path), oracle(&path)) else {
            println!("skipped: {name}: not there, or tshark not found");
            continue;
        };
        let all = |field: &str| {
            let mut values: Vec<_> = flows.iter().flat_map(|flow| texts(flow, field)).collect();
            values.sort();
            values
        };
        assert_eq!(all("tls.sni"), names, "{name}");
        assert_eq!(all("tls.ja3"), ja3, "{name}");
    }
}

/// JA4 that FoxIO publishes for these captures (test data of its reference implementation), each with its count over TCP.
const PUBLISHED: &[(&str, &[(&str, usize)])] = &[
    (
        "j4-latest.pcapng",
        &[
            ("t12d190800_d83cc789557e_7af1ed941c26", 1),
            ("t13d1516h2_8daaf6152771_9b887d9acb53", 1),
            ("t13d1516h2_8daaf6152771_e5627efa2ab1", 3),
        ],
    ),
    (
        "j4-tls3.pcapng",
        &[
            ("t13d1516h2_8daaf6152771_9b887d9acb53", 3),
            ("t13d1516h2_8daaf6152771_e5627efa2ab1", 4),
        ],
    ),
];

#[test]
fn ja4_of_published_captures_is_what_was_published() {
    let Some(folder) = captures() else {
        println!("skipped: no captures");
        return;
    };
    for (name, published) in PUBLISHED {
        let Some(flows) = flows_of(&folder.join(name)) else {
            println!("skipped: {name} is not there");
            continue;
        };
        let mut counts = BTreeMap::new();
        for fingerprint in flows.iter().flat_map(|flow| texts(flow, "tls.ja4")) {
            if fingerprint.starts_with('t') {
                *counts.entry(fingerprint).or_insert(0) += 1;
            }
        }
        let counts: Vec<_> = counts
            .iter()
            .map(|(text, count)| (text.as_str(), *count))
            .collect();
        assert_eq!(counts, *published, "{name}");
    }
}

#[test]
fn every_capture_is_read_to_its_end() {
    let (Some(folder), Some(target)) = (captures(), std::env::var_os("FARMHAWK_AGREEMENT_DUMP")) else {
        println!("skipped: no captures, or no file to write to");
        return;
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut dump = String::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(flows) = flows_of(&path) else {
            writeln!(dump, "{name}\tunreadable").unwrap();
            continue;
        };
        for (index, flow) in flows.iter().enumerate() {
            if !flow.names.is_empty() {
                let protocol = flow.names.join("+");
                let ports = (flow.client.1, flow.server.1);
                writeln!(dump, "{name}\t{index}\t{protocol}\tports\t{ports:?}").unwrap();
            }
            for fact in &flow.log {
                let field = DISSECTORS
                    .iter()
                    .flat_map(|dissector| dissector.fields())
                    .find(|field| field.id == fact.field)
                    .unwrap();
                let value = match fact.value {
                    Value::Text { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
                    other @ (Value::Bytes { .. }
                    | Value::Number(_)
                    | Value::Endpoint(..)
                    | Value::Answer { .. }) => format!("{other:?}"),
                };
                writeln!(
                    dump,
                    "{name}\t{index}\t{}\t{}\t{value}",
                    flow.names.join("+"),
                    field.name
                )
                .unwrap();
            }
        }
    }
    std::fs::write(target, dump).unwrap();
}

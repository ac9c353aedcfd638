//! Tests over the real captures: segments stay inside their block, both paths agree, blocks may end anywhere, and five-tuples count
//! what tshark's conversations count. The walk over capture files here serves these tests alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::model::frame::FrameRef;
use crate::model::time::Timestamp;
use agreement::{exceptions, stale};

#[path = "../../tests/behaviour/agreement.rs"]
mod agreement;

/// The folder of real captures, when it is there.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("FARMHAWK_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

fn captures() -> Vec<PathBuf> {
    let Some(folder) = folder() else {
        println!("skipped: no folder of captures");
        return Vec::new();
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension != "tsv"));
    paths.sort();
    paths
}

/// Reads numbers in the order of octets of a file.
#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = stretch::array::<2>(bytes, at)?;
        Some(if self.0 {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = stretch::array::<4>(bytes, at)?;
        Some(if self.0 {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }
}

/// A capture as one block; nothing when it is compressed or of another format.
pub(super) fn read(path: &Path) -> Option<Block> {
    let bytes = std::fs::read(path).ok()?;
    let mut block = Block {
        bytes,
        frames: Vec::new(),
    };
    let magic = stretch::array::<4>(&block.bytes, 0)?;
    match magic {
        [0x0a, 0x0d, 0x0d, 0x0a] => read_pcapng(&mut block),
        [0xd4, 0xc3, 0xb2, 0xa1] => read_pcap(&mut block, Order(true), 1_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => read_pcap(&mut block, Order(true), 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => read_pcap(&mut block, Order(false), 1_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => read_pcap(&mut block, Order(false), 1),
        _ => None,
    }?;
    Some(block)
}

fn push(block: &mut Block, at: i64, link: u16, interface: u16, offset: usize, captured: u32, on_wire: u32) {
    let number = block.frames.len() as u64 + 1;
    block.frames.push(FrameHeader {
        at: Timestamp(at),
        source: FrameRef { capture: 0, number },
        link: LinkType(link),
        interface,
        offset: u32::try_from(offset).unwrap(),
        captured,
        length_on_wire: on_wire,
    });
}

fn read_pcap(block: &mut Block, order: Order, unit: i64) -> Option<()> {
    let link = u16::try_from(order.u32(&block.bytes, 20)? & 0xffff).ok()?;
    let mut at = 24;
    while let (Some(seconds), Some(fraction), Some(captured), Some(on_wire)) = (
        order.u32(&block.bytes, at),
        order.u32(&block.bytes, at + 4),
        order.u32(&block.bytes, at + 8),
        order.u32(&block.bytes, at + 12),
    ) {
        let end = at + 16 + captured as usize;
        if captured > 262_144 || end > block.bytes.len() {
            break;
        }
        let time = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * unit;
        push(block, time, link, 0, at + 16, captured, on_wire);
        at = end;
    }
    Some(())
}

fn read_pcapng(block: &mut Block) -> Option<()> {
    let mut order = Order(true);
    let mut interfaces: Vec<(u16, u128)> = Vec::new();
    let mut at = 0;
    while at + 12 <= block.bytes.len() {
        if stretch::u32_at(&block.bytes, at)? == 0x0a0d_0d0a {
            order = Order(stretch::u32_at(&block.bytes, at + 8)? == 0x4d3c_2b1a);
            interfaces.clear();
        }
        let (kind, length) = (
            order.u32(&block.bytes, at)?,
            order.u32(&block.bytes, at + 4)? as usize,
        );
        if length < 12 || at + length > block.bytes.len() {
            break;
        }
        match kind {
            1 => interfaces.push((
                order.u16(&block.bytes, at + 8)?,
                resolution(block, order, at + 16, at + length),
            )),
            6 => {
                let interface = order.u32(&block.bytes, at + 8)?;
                let ticks = u64::from(order.u32(&block.bytes, at + 12)?) << 32
                    | u64::from(order.u32(&block.bytes, at + 16)?);
                let (captured, on_wire) = (
                    order.u32(&block.bytes, at + 20)?,
                    order.u32(&block.bytes, at + 24)?,
                );
                if let Some((link, unit)) = interfaces.get(interface as usize).copied()
                    && captured as usize + 32 <= length
                {
                    let nanoseconds = u128::from(ticks) * 1_000_000_000 / unit;
                    let index = u16::try_from(interface).ok()?;
                    push(
                        block,
                        i64::try_from(nanoseconds).unwrap_or(i64::MAX),
                        link,
                        index,
                        at + 28,
                        captured,
                        on_wire,
                    );
                }
            }
            3 => {
                let on_wire = order.u32(&block.bytes, at + 8)?;
                if let Some((link, _)) = interfaces.first().copied() {
                    let captured = on_wire.min(u32::try_from(length - 16).ok()?);
                    push(block, 0, link, 0, at + 12, captured, on_wire);
                }
            }
            _ => {}
        }
        at += length;
    }
    Some(())
}

/// Ticks of a second: option 9 of an interface.
fn resolution(block: &Block, order: Order, mut at: usize, end: usize) -> u128 {
    while at + 4 < end {
        let (Some(kind), Some(length)) = (order.u16(&block.bytes, at), order.u16(&block.bytes, at + 2))
        else {
            break;
        };
        if kind == 0 {
            break;
        }
        if kind == 9 {
            let value = block.bytes[at + 4];
            let exponent = u32::from(value & 0x7f).min(60);
            return if value & 0x80 == 0 {
                10_u128.pow(exponent.min(20))
            } else {
                1 << exponent
            };
        }
        at += 4 + usize::from(length).next_multiple_of(4);
    }
    1_000_000
}

fn decode_whole(block: &mut Block) -> (Vec<Segment>, Decoder) {
    decode_within(block, &Limits::default())
}

fn decode_within(block: &mut Block, limits: &Limits) -> (Vec<Segment>, Decoder) {
    let mut decoder = Decoder::new(limits);
    let mut segments = Vec::new();
    decoder.decode(block, &mut segments);
    decoder.finish(block, &mut segments);
    (segments, decoder)
}

/// Everything of a segment but where its bytes stand.
fn without_place(segment: &Segment) -> String {
    let placeless = Segment {
        options_offset: 0,
        payload_offset: 0,
        ..*segment
    };
    format!("{placeless:?}")
}

#[test]
fn every_segment_lies_inside_its_block() {
    for path in captures() {
        let Some(mut block) = read(&path) else { continue };
        let (segments, _) = decode_whole(&mut block);
        for segment in segments {
            let end = u64::from(segment.payload_offset) + u64::from(segment.payload_captured);
            assert!(end <= block.bytes.len() as u64, "{}: {segment:?}", path.display());
            let options = u64::from(segment.options_offset) + u64::from(segment.options_length);
            assert!(
                options <= block.bytes.len() as u64,
                "{}: {segment:?}",
                path.display()
            );
            assert!(
                segment.payload_captured <= segment.payload_on_wire,
                "{}: {segment:?}",
                path.display()
            );
        }
    }
}

#[test]
fn both_paths_say_the_same() {
    for path in captures() {
        let Some(mut block) = read(&path) else { continue };
        let mut duplicates = Duplicates::new(0);
        let mut decoder = Decoder::new(&Limits {
            duplicate_window: 0,
            ..Limits::default()
        });
        let frames = block.frames.clone();
        for frame in &frames {
            let (mut fast, mut full) = (Vec::new(), Vec::new());
            let outcome = fast::ethernet(&block.bytes, frame, &mut duplicates, &mut fast);
            if frame.link != LinkType::ETHERNET || outcome != fast::Outcome::Decoded {
                continue;
            }
            Packet::of_frame(frame, &mut block.bytes, &mut full, &mut decoder.state).decode_frame(frame);
            assert_eq!(
                format!("{fast:?}"),
                format!("{full:?}"),
                "{} {}",
                path.display(),
                frame.source.number
            );
        }
    }
}

#[test]
fn blocks_may_end_anywhere() {
    for path in captures() {
        let Some(mut block) = read(&path) else { continue };
        let frames = block.frames.clone();
        let file = block.bytes.clone();
        let (whole, _) = decode_whole(&mut block);
        let mut decoder = Decoder::new(&Limits::default());
        let mut parts = Vec::new();
        let mut last = Block::default();
        for some in frames.chunks(7) {
            last = Block {
                bytes: file.clone(),
                frames: some.to_vec(),
            };
            decoder.decode(&mut last, &mut parts);
            if file.len() > 200_000 {
                break; // Copies of large files would take long; their first frames say enough.
            }
        }
        if file.len() > 200_000 {
            continue;
        }
        decoder.finish(&mut last, &mut parts);
        let whole: Vec<_> = whole.iter().map(without_place).collect();
        let parts: Vec<_> = parts.iter().map(without_place).collect();
        assert_eq!(whole, parts, "{}", path.display());
    }
}

/// Packets and bytes of each five-tuple, both directions together, as `tcp 192.0.2.1:1 192.0.2.2:2`.
fn conversations(segments: &[Segment]) -> BTreeMap<String, (u64, u64)> {
    let mut counts = BTreeMap::new();
    for segment in segments {
        let name = match segment.layer {
            Layer::Tcp => "tcp",
            Layer::Udp if segment.protocol == network::protocol::UDP => "udp",
            Layer::Sctp => "sctp",
            Layer::Udp | Layer::Icmp | Layer::Icmpv6 | Layer::OtherIp | Layer::Link => continue,
        };
        let mut ends = [
            format!("{}:{}", segment.source_address, segment.source_port),
            format!("{}:{}", segment.destination_address, segment.destination_port),
        ];
        ends.sort();
        let count: &mut (u64, u64) = counts.entry(format!("{name} {}", ends.join(" "))).or_default();
        count.0 += 1;
        count.1 += u64::from(segment.frame_on_wire);
    }
    counts
}

/// What tshark counts: as [`conversations`], with `None` for bytes where it rounds them.
fn conversations_of_tshark(path: &Path) -> Option<BTreeMap<String, (u64, Option<u64>)>> {
    let output = Command::new("tshark")
        .args([
            "-n",
            "-q",
            "-z",
            "conv,tcp",
            "-z",
            "conv,udp",
            "-z",
            "conv,sctp",
            "-r",
        ])
        .arg(path)
        .output()
        .ok()?;
    let mut counts = BTreeMap::new();
    let mut name = "";
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        name = match line {
            "TCP Conversations" => "tcp",
            "UDP Conversations" => "udp",
            "SCTP Conversations" => "sctp",
            _ => name,
        };
        // address <-> address, then packets, bytes and unit of either direction and of both.
        let words: Vec<_> = line.split_whitespace().collect();
        if let [one, "<->", other, _, _, _, _, _, _, packets, bytes, unit, ..] = words[..] {
            let mut ends = [one, other];
            ends.sort_unstable();
            // Beyond 31 bits the number is printed as a negative one.
            let bytes = Some(bytes.replace(',', ""))
                .filter(|_| unit == "bytes")
                .and_then(|bytes| bytes.parse::<u64>().ok());
            let count: &mut (u64, Option<u64>) = counts
                .entry(format!("{name} {}", ends.join(" ")))
                .or_insert((0, Some(0)));
            count.0 += packets.parse::<u64>().unwrap();
            count.1 = count.1.zip(bytes).map(|(sum, bytes)| sum + bytes);
        }
    }
    Some(counts)
}

/// The tunnels and link types of the labels, and a sample of them when `FARMHAWK_AGREEMENT` does not say `all`:
/// tshark takes a quarter of a second for each capture.
#[test]
fn five_tuples_count_what_tshark_counts() {
    let sample = [
        "ar-bt-tcp.pcap",
        "ar-icmp-frame-relay.pcap",
        "ar-ipv6-gtp6.pcap",
        "ar-mpls-basic.pcap",
        "ar-multidlt-synthetic.pcapng",
        "cs-ip-frag-source.pcapng",
        "dk-nb6-http.pcap",
        "me-ip-encapsulation.pcap",
        "ml-telnet.pcap",
        "nd-4in6tunnel.pcap",
        "zk-gtp8-teredo.pcap",
        "zk-pppoe-over-qinq.pcap",
        "zk-radiotap.pcap",
        "zk-teredo.pcap",
        "zk-vxlan-triple-v2.pcap",
        "zk-erspan.pcap",
        "lw-simple-http-sll2.pcap",
        "zk-gre-aruba.pcap",
    ];
    let all = std::env::var_os("FARMHAWK_AGREEMENT").is_some_and(|value| value == "all");
    if Command::new("tshark").arg("-v").output().is_err() {
        println!("skipped: tshark not found");
        return;
    }
    let mut disagreements = Vec::new();
    let explained: Vec<&str> = exceptions("decoder").into_iter().map(|(name, _)| name).collect();
    let mut agreeing: BTreeSet<String> = BTreeSet::new();
    for path in captures() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_explained = explained.contains(&name);
        if !(all || is_explained || sample.contains(&name)) {
            continue;
        }
        let Some(mut block) = read(&path) else { continue };
        let Some(theirs) = conversations_of_tshark(&path) else {
            continue;
        };
        // tshark counts a mirror port's copies.
        let everything = Limits {
            duplicate_window: 0,
            ..Limits::default()
        };
        let ours = conversations(&decode_within(&mut block, &everything).0);
        let before = disagreements.len();
        for key in ours.keys().chain(theirs.keys()) {
            let (ours, theirs) = (ours.get(key), theirs.get(key));
            let agrees = matches!((ours, theirs), (Some(ours), Some(theirs))
                if ours.0 == theirs.0 && theirs.1.is_none_or(|bytes| bytes == ours.1));
            if !agrees {
                disagreements.push(format!("{name} {key}: {ours:?}, tshark {theirs:?}"));
            }
        }
        if disagreements.len() == before {
            agreeing.insert(name.to_owned());
        } else if is_explained {
            disagreements.truncate(before);
        }
    }
    disagreements.extend(stale("decoder", |name| agreeing.contains(name)));
    disagreements.dedup();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

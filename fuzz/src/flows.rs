//! Flows: any segments through a shard. Each piece is a segment; its first octets are the fields that matter to flows.

use farmhawk::flow::key::FlowKey;
use farmhawk::flow::table::HashedKey;
use farmhawk::model::address::Address;
use farmhawk::model::block::Block;
use farmhawk::model::frame::FrameRef;
use farmhawk::model::segment::{Layer, Segment, segment_flag};
use farmhawk::model::time::{SECOND, Timestamp};
use farmhawk::pipeline::shard::{Output, Routed, Shard};
use farmhawk::settings::limits::Limits;

use super::pieces::Pieces;

/// Octets of a piece before the payload.
const FIELDS: usize = 10;

/// Segments of one block: small, so that time passes in between.
const PER_BLOCK: usize = 5;

/// Takes the segments in blocks, then ends all flows: as many end as began.
///
/// # Panics
///
/// When they do not: what fuzzing looks for.
pub fn segments(input: &[u8]) {
    let limits = Limits {
        flows: 8,
        head_bytes_per_side: 2 << 10,
        head_bytes: 4 << 10,
        fact_bytes_per_flow: 1 << 10,
        bins_per_flow: 4,
        bins_per_session: 9,
        timed_flows: 2,
        ..Limits::default()
    };
    let mut shard = Shard::new(&limits, 1);
    let mut output = Output::default();
    let mut ended = 0_u64;
    let mut at = Timestamp(1_000 * SECOND);
    let pieces: Vec<_> = Pieces::of(input).collect();
    let mut number = 0;
    for pieces in pieces.chunks(PER_BLOCK) {
        let mut block = Block::default();
        let (mut segments, mut routed) = (Vec::new(), Vec::new());
        for (flags, piece) in pieces {
            number += 1;
            let source = FrameRef { capture: 0, number };
            if let Some(segment) = segment(*flags, piece, &mut at, source, &mut block) {
                let (key, from_upper) = FlowKey::of(&segment);
                let hash = key.hash(7);
                routed.push(Routed {
                    hashed: HashedKey {
                        key,
                        hash,
                        from_upper,
                    },
                    segment: u32::try_from(segments.len()).unwrap_or(u32::MAX),
                });
                segments.push(segment);
            }
        }
        shard.take(&block, &segments, &routed, at, &mut output);
        ended = ended.saturating_add(output.flows.len() as u64);
        output.clear();
    }
    shard.drain(Timestamp(i64::MAX), &mut output);
    ended = ended.saturating_add(output.flows.len() as u64);
    let [_, begun, ..] = shard.counters();
    assert_eq!(begun, ended, "flows that never ended");
    assert_eq!(shard.starts().count(), 0, "flows that live on");
}

/// Makes a segment; `at` moves on.
fn segment(
    flags: u8,
    piece: &[u8],
    at: &mut Timestamp,
    source: FrameRef,
    block: &mut Block,
) -> Option<Segment> {
    let (fields, rest) = piece.split_first_chunk::<FIELDS>()?;
    let &[kind, step, tcp_flags, options, s1, s2, s3, a1, lost, ports] = fields;
    *at = at.plus(match step {
        0..=99 => i64::from(step) * SECOND / 1_000,
        100..=199 => i64::from(step) * SECOND,
        200..=249 => i64::from(step) * 100 * SECOND,
        _ => -SECOND,
    });
    let options = usize::from(options & 0x3c).min(rest.len());
    let (options, payload) = rest.split_at(options);
    let options_offset = u32::try_from(block.bytes.len()).ok()?;
    block.bytes.extend_from_slice(options);
    let payload_offset = u32::try_from(block.bytes.len()).ok()?;
    block.bytes.extend_from_slice(payload);
    let captured = u32::try_from(payload.len()).ok()?;
    let (layer, protocol) = match kind % 8 {
        0..=2 => (Layer::Tcp, 6),
        3 => (Layer::Udp, 17),
        4 => (Layer::Icmp, 1),
        5 => (Layer::Icmpv6, 58),
        6 => (Layer::OtherIp, kind),
        _ => (Layer::Link, 0),
    };
    let mut ends = [
        (Address::from_v4([192, 0, 2, 1]), 40_000 + u16::from(ports & 3)),
        (
            Address::from_v4([192, 0, 2, 2]),
            match ports >> 2 & 3 {
                0 => 443,
                1 => 22,
                2 => 53,
                _ => 3389,
            },
        ),
    ];
    if layer == Layer::Icmp || layer == Layer::Icmpv6 {
        ends = ends.map(|(address, _)| (address, u16::from(ports)));
    }
    if flags & 1 != 0 {
        ends.reverse();
    }
    let [
        (source_address, source_port),
        (destination_address, destination_port),
    ] = ends;
    let payload_on_wire = captured.saturating_add(u32::from(lost));
    Some(Segment {
        at: *at,
        source,
        source_address,
        destination_address,
        source_port,
        destination_port,
        protocol,
        layer,
        flags: (flags & !segment_flag::V6) & (segment_flag::OPENED_TUNNEL | segment_flag::LATER_FRAGMENT)
            | if layer == Layer::Icmpv6 {
                segment_flag::V6
            } else {
                0
            },
        tcp_flags,
        sequence: u32::from_be_bytes([s1, 0, s2, s3]),
        acknowledgement: u32::from_be_bytes([s1, 0, a1, s3]),
        window: u16::from(lost) << 8,
        options_length: u8::try_from(options.len()).ok()?,
        options_offset,
        payload_offset,
        payload_captured: captured,
        payload_on_wire,
        frame_on_wire: payload_on_wire.saturating_add(54),
        ..Segment::default()
    })
}

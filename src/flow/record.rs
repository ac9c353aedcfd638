//! From the live parts of a flow to its record.

use super::{Cold, Hot, Long, tcp::TcpFlow, unpack};
use crate::model::flow::{EndReason, FlowFrames, FlowRecord};
use crate::model::identity::ContentId;
use crate::model::segment::{Encapsulation, Layer};
use crate::model::time::Nanoseconds;

/// Builds the record.
pub(super) fn build(
    hot: &Hot,
    cold: Cold,
    long: Option<Box<Long>>,
    tcp: Option<&TcpFlow>,
    reason: EndReason,
    names: &'static [&'static str],
) -> FlowRecord {
    let [lower, upper] = hot.key.endpoints();
    let (client, server) = if hot.client_is_upper {
        (upper, lower)
    } else {
        (lower, upper)
    };
    let name_of = |code: u8| {
        code.checked_sub(1)
            .and_then(|index| names.get(usize::from(index)).copied())
    };
    let long = long.map(|long| *long).unwrap_or_default();
    let answer = cold
        .answered_by
        .map(|side| (side, Nanoseconds::from(cold.answered_after)));
    let latency = long.timing.and_then(|mut timing| {
        if let Some((side, span)) = answer {
            timing.round_trips.add(side, span);
        }
        timing.into_record().map(Box::new)
    });
    let [packets_carried, bytes_carried, payload_carried] = long.carried;
    let whole = |[there, back]: [u32; 2], [there_carried, back_carried]: [u32; 2]| {
        [
            u64::from(there_carried) << 32 | u64::from(there),
            u64::from(back_carried) << 32 | u64::from(back),
        ]
    };
    let mut frames = FlowFrames {
        first: unpack(cold.first_frame),
        first_payload: [None; 2],
        last: unpack(hot.last_frame),
    };
    for (frame, word) in frames.first_payload.iter_mut().zip(cold.first_payload) {
        *frame = (word != 0).then(|| unpack(word));
    }
    let (tunnels, opened_tunnel) = if hot.key.is_opened_tunnel() {
        cold.tunnels.split_innermost()
    } else {
        (cold.tunnels, Encapsulation::None)
    };
    let layer = hot.key.layer();
    let is_icmp = matches!(layer, Layer::Icmp | Layer::Icmpv6);
    let first_number = frames.first.number;
    let [w0, w1, w2, w3, w4, w5] = hot.key.words();
    FlowRecord {
        id: ContentId::of_words(&[w0, w1, w2, w3, w4, w5, cold.start.0.cast_unsigned(), first_number]),
        space: hot.key.space(),
        is_v6: hot.key.is_v6(),
        layer,
        protocol: hot.key.protocol(),
        client,
        server,
        opener: cold.opener,
        is_opening_cut: cold.is_opening_cut,
        tunnels,
        opened_tunnel,
        macs: cold.macs,
        start: cold.start,
        end: hot.last,
        packets: whole(hot.packets, packets_carried),
        bytes: whole(hot.bytes, bytes_carried),
        payload_bytes: whole(hot.payload, payload_carried),
        ttl: cold.ttl,
        syn_timestamp: cold.syn_timestamp,
        syn_identification: cold.syn_identification,
        icmp: is_icmp.then_some(cold.icmp),
        icmp_one_way: hot.key.is_one_way(),
        tcp: tcp.map(TcpFlow::record),
        protocols: cold.protocols.map(name_of),
        app_proto: name_of(cold.app_proto),
        facts: cold.facts.into_log(cold.fields),
        activity: long.activity.into_bins(),
        answer,
        latency,
        frames,
        end_reason: reason,
    }
}

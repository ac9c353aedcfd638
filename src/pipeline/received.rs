//! How much of the traffic came in, from the counters of the stages that saw it.

use super::front::Reader;
use crate::capture::counters::CaptureCounters;
use crate::explain::damage::Received;
use crate::observe::streams::Streams;

/// Packets and bytes that the captures gave, and that they are known to have lost. Packets are counted before any filter,
/// as what the kernel dropped is.
#[must_use]
pub fn from_captures(reader: &Reader) -> Received {
    let mut received = Received {
        packets_kept: reader.frames,
        capture_bytes_lost: reader
            .damage
            .iter()
            .fold(0, |sum, damage| sum.saturating_add(damage.skipped)),
        ..Received::default()
    };
    for counted in reader.source().captures() {
        received.packets = received.packets.saturating_add(counted.packets);
        received.capture_bytes = received.capture_bytes.saturating_add(counted.bytes);
        received.packets_cut = received.packets_cut.saturating_add(counted.cut);
        let dropped = dropped(counted).unwrap_or(0);
        received.packets_dropped = received.packets_dropped.saturating_add(dropped);
    }
    received
}

/// The same with what the connections showed.
#[must_use]
pub fn with_streams(received: Received, streams: Streams) -> Received {
    Received {
        conversations: streams.conversations,
        conversations_cut: streams.conversations_cut,
        connections: streams.connections,
        connections_one_sided: streams.one_sided,
        stream_bytes_one_sided: streams.one_sided_bytes,
        stream_bytes: streams.bytes,
        stream_bytes_lost: streams.missing,
        ..received
    }
}

/// Packets that the kernel and the interfaces of one capture dropped, where any of them says so.
#[must_use]
pub fn dropped(counted: &CaptureCounters) -> Option<u64> {
    counted
        .interfaces
        .iter()
        .flat_map(|interface| [interface.dropped_by_interface, interface.dropped_by_system])
        .flatten()
        .reduce(u64::saturating_add)
}

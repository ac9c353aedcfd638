//! How whole the TCP connections are that were seen: what a loaded SPAN port or a tap on one fibre loses leaves holes, or one
//! direction alone. Counts; judges nothing.

use crate::model::flow::FlowRecord;

/// Sums over all conversations, and over all TCP connections, that carried data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Conversations with data, of any kind.
    pub conversations: u64,
    /// Those of which the snap length cut what a side said first.
    pub conversations_cut: u64,
    /// Connections with data.
    pub connections: u64,
    /// Those of which one direction alone was seen.
    pub one_sided: u64,
    /// Payload bytes of those.
    pub one_sided_bytes: u64,
    /// Payload bytes that were seen.
    pub bytes: u64,
    /// Payload bytes in holes that nothing filled.
    pub missing: u64,
}

impl Streams {
    /// Counts a flow that ended.
    pub fn add(&mut self, flow: &FlowRecord) {
        let [client, server] = flow.payload_bytes;
        if client == 0 && server == 0 {
            return;
        }
        self.conversations = self.conversations.saturating_add(1);
        let is_cut = u64::from(flow.is_opening_cut);
        self.conversations_cut = self.conversations_cut.saturating_add(is_cut);
        let Some(tcp) = &flow.tcp else { return };
        self.connections = self.connections.saturating_add(1);
        if flow.packets.contains(&0) {
            self.one_sided = self.one_sided.saturating_add(1);
            let bytes = client.saturating_add(server);
            self.one_sided_bytes = self.one_sided_bytes.saturating_add(bytes);
        }
        for (side, seen) in tcp.sides.iter().zip(flow.payload_bytes) {
            self.bytes = self.bytes.saturating_add(seen);
            // One forged sequence number makes a hole of any size: no direction may claim that more was lost than came.
            self.missing = self.missing.saturating_add(side.gap_bytes.min(seen));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::{TcpRecord, TcpSide};

    fn flow(packets: [u64; 2], payload_bytes: [u64; 2], gap_bytes: u64) -> FlowRecord {
        let side = TcpSide {
            gap_bytes,
            ..TcpSide::default()
        };
        FlowRecord {
            packets,
            payload_bytes,
            tcp: Some(TcpRecord {
                sides: [side, TcpSide::default()],
                ..TcpRecord::default()
            }),
            ..FlowRecord::default()
        }
    }

    #[test]
    fn holes_and_lone_directions_are_counted_of_connections_with_data() {
        let mut streams = Streams::default();
        streams.add(&flow([5, 5], [1_000, 50], 400));
        streams.add(&flow([5, 0], [1_000, 0], 0));
        // A scan, and what is not TCP.
        streams.add(&flow([1, 0], [0, 0], 0));
        streams.add(&FlowRecord {
            packets: [9, 0],
            payload_bytes: [900, 0],
            is_opening_cut: true,
            ..FlowRecord::default()
        });
        assert_eq!(
            streams,
            Streams {
                conversations: 3,
                conversations_cut: 1,
                connections: 2,
                one_sided: 1,
                one_sided_bytes: 1_000,
                bytes: 2_050,
                missing: 400,
            }
        );
    }

    #[test]
    fn a_forged_sequence_number_claims_no_more_than_was_seen() {
        let mut streams = Streams::default();
        streams.add(&flow([2, 1], [10, 0], 2_000_000_000));
        assert_eq!((streams.bytes, streams.missing), (10, 10));
    }
}

//! Round trips of a running flow, on either side of the capture point.
//!
//! TCP: the time from a segment with new data to the acknowledgement that covers it. Karn's rule: what was sent twice tells
//! nothing, and neither does what stood before it. Delayed acknowledgements (RFC 9293, 3.8.6.3) are tempered by measuring the
//! last segment that an acknowledgement covers, which is the one that caused it when every second segment is acknowledged at
//! once; what remains is why low quantiles are looked at. The timestamps option would not help: its echo is that of the
//! earliest segment which is not acknowledged yet (RFC 7323, 4.3), so it contains the delay.
//!
//! WireGuard: the answer to a handshake's initiation, every two minutes (white paper, 5.4.2, 5.4.3 and 6.1).
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::model::fact::Side;
use crate::model::segment::{Layer, Segment, tcp_flag};
use crate::model::sketch::Sketch;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Segments whose acknowledgement is awaited, for one direction.
const AWAITED: usize = 8;

/// A distance of sequence numbers beyond this is behind, not ahead (RFC 9293, 3.4).
const HALF: u32 = 1 << 31;

/// Longer than this no answer is awaited.
const LONGEST: Nanoseconds = 10 * SECOND;

/// Length of WireGuard's handshake initiation, and of its response.
const WIREGUARD_HANDSHAKE: [u32; 2] = [148, 92];

/// A segment on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// Sequence number behind its last octet.
    end: u32,
    at: Timestamp,
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default)]
struct Direction {
    awaited: [Sent; AWAITED],
    count: u8,
    has_sent: bool,
    /// Sequence number behind the highest octet seen.
    highest: u32,
}

impl Direction {
    /// Notes a segment with data.
    fn sent(&mut self, at: Timestamp, start: u32, end: u32) {
        if self.has_sent && end.wrapping_sub(self.highest).wrapping_sub(1) >= HALF {
            // Nothing new: which of the copies is answered cannot be told.
            self.count = 0;
            return;
        }
        if self.has_sent && start != self.highest {
            // Partly old, or behind a hole: an acknowledgement may be late for a reason of its own.
            self.count = 0;
        }
        self.has_sent = true;
        self.highest = end;
        if usize::from(self.count) == AWAITED {
            self.awaited.rotate_left(1);
            self.count = self.count.saturating_sub(1);
        }
        if let Some(place) = self.awaited.get_mut(usize::from(self.count)) {
            *place = Sent { end, at };
            self.count = self.count.saturating_add(1);
        }
    }

    /// Time since the last segment that an acknowledgement covers was sent; forgets all that it covers.
    fn acknowledged(&mut self, at: Timestamp, acknowledgement: u32) -> Option<Nanoseconds> {
        let awaited = self.awaited.get(..usize::from(self.count))?;
        let covered = awaited
            .iter()
            .take_while(|sent| acknowledgement.wrapping_sub(sent.end) < HALF)
            .count();
        let last = awaited.get(covered.checked_sub(1)?)?.at;
        self.awaited.rotate_left(covered);
        self.count = self
            .count
            .saturating_sub(u8::try_from(covered).unwrap_or(u8::MAX));
        Some(at.since(last)).filter(|span| (0..LONGEST).contains(span))
    }
}

/// Round trips of one flow.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips {
    directions: [Direction; 2],
    /// Handshake of WireGuard under way: who began it, and when.
    handshake: Option<(Side, Timestamp)>,
    /// To the client, to the server.
    pub sketches: [Sketch; 2],
}

impl RoundTrips {
    /// Takes a round trip between the capture point and `side` that was measured elsewhere.
    pub fn add(&mut self, side: Side, span: Nanoseconds) {
        if let Some(sketch) = self.sketches.get_mut(side.index()) {
            sketch.add(span);
        }
    }

    /// Follows a segment.
    pub fn follow(&mut self, segment: &Segment, side: Side, speaks_wireguard: bool) {
        match segment.layer {
            Layer::Tcp => self.tcp(segment, side),
            Layer::Udp if speaks_wireguard => self.wireguard(segment, side),
            Layer::Udp | Layer::Sctp | Layer::Icmp | Layer::Icmpv6 | Layer::OtherIp | Layer::Link => {}
        }
    }

    fn tcp(&mut self, segment: &Segment, side: Side) {
        if segment.has_tcp(tcp_flag::RST) || segment.has_tcp(tcp_flag::SYN) {
            return;
        }
        let [client, server] = &mut self.directions;
        let (own, other) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        if segment.has_tcp(tcp_flag::ACK)
            && let Some(span) = other.acknowledged(segment.at, segment.acknowledgement)
            && let Some(sketch) = self.sketches.get_mut(side.index())
        {
            sketch.add(span);
        }
        if segment.payload_on_wire > 0 {
            let end = segment.sequence.wrapping_add(segment.payload_on_wire);
            own.sent(segment.at, segment.sequence, end);
        }
    }

    fn wireguard(&mut self, segment: &Segment, side: Side) {
        let [initiation, response] = WIREGUARD_HANDSHAKE;
        if segment.payload_on_wire == initiation {
            // An initiation that is sent again (every five seconds) leaves open which one is answered.
            self.handshake = match self.handshake {
                Some((from, at)) if from == side && segment.at.since(at) < LONGEST => None,
                _ => Some((side, segment.at)),
            };
        } else if segment.payload_on_wire == response
            && let Some((from, at)) = self.handshake
            && from != side
        {
            self.handshake = None;
            let span = segment.at.since(at);
            if (0..LONGEST).contains(&span) {
                self.add(side, span);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MILLISECOND: i64 = 1_000_000;

    fn data(at: i64, sequence: u32, length: u32, acknowledgement: u32) -> Segment {
        Segment {
            at: Timestamp(at),
            layer: Layer::Tcp,
            tcp_flags: tcp_flag::ACK,
            sequence,
            acknowledgement,
            payload_on_wire: length,
            ..Segment::default()
        }
    }

    #[test]
    fn data_and_its_acknowledgement_are_a_round_trip_to_the_other_side() {
        let mut trips = RoundTrips::default();
        trips.follow(&data(0, 1, 100, 1), Side::Client, false);
        trips.follow(&data(30 * MILLISECOND, 1, 0, 101), Side::Server, false);
        let [client, server] = &trips.sketches;
        assert_eq!((client.count(), server.least()), (0, Some(30 * MILLISECOND)));
    }

    #[test]
    fn what_was_sent_twice_gives_no_round_trip() {
        let mut trips = RoundTrips::default();
        trips.follow(&data(0, 1, 100, 1), Side::Client, false);
        trips.follow(&data(300 * MILLISECOND, 1, 100, 1), Side::Client, false);
        trips.follow(&data(301 * MILLISECOND, 1, 0, 101), Side::Server, false);
        assert_eq!(trips.sketches[1].count(), 0);
    }

    #[test]
    fn a_delayed_acknowledgement_of_two_segments_measures_the_second() {
        let mut trips = RoundTrips::default();
        trips.follow(&data(0, 1, 100, 1), Side::Client, false);
        trips.follow(&data(150 * MILLISECOND, 101, 100, 1), Side::Client, false);
        trips.follow(&data(170 * MILLISECOND, 1, 0, 201), Side::Server, false);
        assert_eq!(trips.sketches[1].least(), Some(20 * MILLISECOND));
    }

    #[test]
    fn wireguard_answers_are_measured_and_repeated_initiations_are_not() {
        let datagram = |at: i64, length| Segment {
            at: Timestamp(at * MILLISECOND),
            layer: Layer::Udp,
            payload_on_wire: length,
            ..Segment::default()
        };
        let mut trips = RoundTrips::default();
        trips.follow(&datagram(0, 148), Side::Server, true);
        trips.follow(&datagram(25, 92), Side::Client, true);
        trips.follow(&datagram(120_000, 148), Side::Server, true);
        trips.follow(&datagram(125_000, 148), Side::Server, true);
        trips.follow(&datagram(125_010, 92), Side::Client, true);
        assert_eq!(
            (trips.sketches[0].count(), trips.sketches[0].least()),
            (1, Some(25 * MILLISECOND))
        );
    }

    /// A capture point with a path to each side, a receiver that acknowledges every second segment at once and a lone one late.
    fn exchange(delay_ms: i64, jitter: &[i64], late_ms: i64, wrap: u32) -> RoundTrips {
        let mut trips = RoundTrips::default();
        let mut sequence = wrap;
        for (round, jitter) in (0i64..).zip(jitter) {
            let start = round * 1_000 * MILLISECOND;
            let count = round % 3 + 1;
            for number in 0..count {
                trips.follow(
                    &data(start + number * 100_000, sequence, 1_000, 7),
                    Side::Client,
                    false,
                );
                sequence = sequence.wrapping_add(1_000);
            }
            let last = start + (count - 1) * 100_000;
            let held = if count % 2 == 0 { 0 } else { late_ms * MILLISECOND };
            trips.follow(
                &data(last + delay_ms * MILLISECOND + jitter + held, 7, 0, sequence),
                Side::Server,
                false,
            );
        }
        trips
    }

    proptest! {
        #[test]
        fn the_least_is_the_true_round_trip_whatever_acknowledgements_are_late(
            delay in 1i64..400, late in 0i64..200, wrap: u32,
            jitter in proptest::collection::vec(0i64..800_000, 30..200)
        ) {
            let trips = exchange(delay, &jitter, late, wrap);
            let least = trips.sketches[1].least().unwrap();
            let true_trip = delay * MILLISECOND;
            // 2 ms or 5 %, whichever is more: what the project promises.
            let margin = (2 * MILLISECOND).max(true_trip / 20);
            prop_assert!((least - true_trip).abs() <= margin, "{least} for {true_trip}");
            // A third of the rounds are acknowledged at once.
            let third = trips.sketches[1].quantile(0.25).unwrap();
            prop_assert!((third - true_trip).abs() <= margin + true_trip / 16, "{third} for {true_trip}");
        }

        #[test]
        fn any_segments_at_all_neither_panic_nor_give_negative_spans(list in proptest::collection::vec((0i64..1 << 40, any::<u32>(), 0u32..70_000, any::<u32>(), any::<bool>(), any::<u8>()), 0..80)) {
            let mut trips = RoundTrips::default();
            for (at, sequence, length, acknowledgement, is_client, flags) in list {
                let side = if is_client { Side::Client } else { Side::Server };
                let segment = Segment { tcp_flags: flags, ..data(at, sequence, length, acknowledgement) };
                trips.follow(&segment, side, false);
            }
            prop_assert!(trips.sketches.iter().all(|sketch| sketch.least().unwrap_or(0) >= 0));
        }
    }
}

//! What an observer can tell of a TCP connection: state, loss, disorder, options, handshake round trips.
//!
//! The observer stands somewhere on the path: what it did not see may still have arrived, so nothing here assumes that
//! both directions, or the beginning, were captured. Sequence numbers are compared modulo 2^32 (RFC 9293, 3.4).
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::model::fact::Side;
use crate::model::flow::{TcpRecord, TcpSide, TcpState};
use crate::model::segment::{Segment, tcp_flag};
use crate::model::time::{Nanoseconds, Timestamp};

/// Holes that are remembered for one direction; further ones count as gaps at once.
const MOST_HOLES: usize = 4;

/// A jump of the sequence number beyond this is another connection's segment or damage, not a hole.
const BELIEVABLE_JUMP: u32 = 1 << 30;

/// Missing stretch of a direction's sequence space: first missing octet, and the one behind the last.
#[derive(Clone, Copy, Debug, Default)]
struct Hole {
    start: u32,
    end: u32,
}

/// What the few connections with loss or disorder have, both directions.
#[derive(Clone, Debug, Default)]
struct Trouble {
    holes: [[Hole; MOST_HOLES]; 2],
    count: [u8; 2],
    retransmissions: [u32; 2],
    out_of_order: [u32; 2],
    gaps: [u32; 2],
    gap_bytes: [u32; 2],
}

/// Live state of one direction. Packed, so that a connection takes one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed(2))]
struct Direction {
    /// Sequence number behind the highest octet seen.
    next: u32,
    /// First sequence number of the direction's data, where the SYN was seen.
    initial: u32,
    option_kinds: u32,
    mss: u16,
    first_window: u16,
    window_scale: u8,
    seen: u8,
}

const SEEN_ANY: u8 = 1;
const SEEN_SYN: u8 = 2;
const SEEN_FIN: u8 = 4;
const HAS_SCALE: u8 = 8;
const HAS_MSS: u8 = 16;

/// Handshake: the SYN came more than once, so that it is not known which one was answered (Karn's rule).
const SYN_REPEATED: u8 = 1;
/// Handshake: the SYN-ACK was seen.
const SYN_ACK_SEEN: u8 = 2;
/// Handshake: something was repeated behind the SYN-ACK.
const SYN_ACK_REPEATED: u8 = 4;

/// Live state of a connection: one cache line.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub struct TcpFlow {
    sides: [Direction; 2],
    /// When the SYN, then the SYN-ACK passed.
    handshake_at: Timestamp,
    client_rtt: u32,
    server_rtt: u32,
    trouble: Option<Box<Trouble>>,
    state: TcpState,
    handshake: u8,
}

impl TcpFlow {
    /// Reads a word, so that the record is in the cache afterwards.
    #[must_use]
    pub const fn touch(&self) -> u32 {
        self.client_rtt
    }

    /// State now.
    #[must_use]
    pub const fn state(&self) -> TcpState {
        self.state
    }

    /// Whether a SYN from `side` opens another connection on the same ports: the old one is over, or the initial
    /// sequence number differs from the one that is known.
    #[must_use]
    pub fn is_replaced_by(&self, segment: &Segment, side: Side) -> bool {
        if !segment.has_tcp(tcp_flag::SYN) || segment.has_tcp(tcp_flag::ACK) {
            return false;
        }
        let [client, server] = &self.sides;
        let known = match side {
            Side::Client => client,
            Side::Server => server,
        };
        if known.seen & SEEN_SYN != 0 {
            return known.initial != segment.sequence.wrapping_add(1);
        }
        // Data was seen, but no SYN from this side: a new SYN cannot belong to it.
        known.seen & SEEN_ANY != 0 || matches!(self.state, TcpState::Closed | TcpState::Reset)
    }

    /// Follows one segment. `options` are the bytes of the header's options.
    pub fn follow(&mut self, segment: &Segment, side: Side, options: &[u8]) {
        let is_syn = segment.has_tcp(tcp_flag::SYN);
        let is_fin = segment.has_tcp(tcp_flag::FIN);
        let length = segment
            .payload_on_wire
            .saturating_add(u32::from(is_syn))
            .saturating_add(u32::from(is_fin));
        let end = segment.sequence.wrapping_add(length);
        if is_syn {
            self.handshake(segment, side);
        } else if side == Side::Client
            && self.client_rtt == 0
            && self.handshake & (SYN_ACK_SEEN | SYN_ACK_REPEATED) == SYN_ACK_SEEN
            && segment.has_tcp(tcp_flag::ACK)
            && self
                .stream_start(Side::Server)
                .is_some_and(|start| start == segment.acknowledgement)
        {
            self.client_rtt = round_trip(segment.at.since(self.handshake_at));
        }
        let direction = direction_mut(&mut self.sides, side);
        if direction.seen & SEEN_ANY == 0 {
            direction.seen |= SEEN_ANY;
            direction.first_window = segment.window;
            direction.next = end;
            direction.initial = segment.sequence.wrapping_add(u32::from(is_syn));
            if is_syn {
                direction.seen |= SEEN_SYN;
                read_options(direction, options);
            }
        } else if !segment.has_tcp(tcp_flag::RST) {
            // The sequence number of a reset is often zero or invented; it says nothing about the stream.
            self.advance(segment.sequence, end, length, side);
        }
        self.change_state(segment, side, is_syn, is_fin);
    }

    /// Timing of SYN and SYN-ACK as they pass the capture point.
    fn handshake(&mut self, segment: &Segment, side: Side) {
        let answered = self.handshake & SYN_ACK_SEEN != 0;
        match (side, segment.has_tcp(tcp_flag::ACK)) {
            (Side::Client, false) | (Side::Server, true) if answered => self.handshake |= SYN_ACK_REPEATED,
            (Side::Client, false) => {
                if self.handshake_at != Timestamp::default() {
                    self.handshake |= SYN_REPEATED;
                }
                self.handshake_at = segment.at;
            }
            (Side::Server, true) => {
                if self.handshake_at != Timestamp::default() && self.handshake & SYN_REPEATED == 0 {
                    self.server_rtt = round_trip(segment.at.since(self.handshake_at));
                }
                self.handshake |= SYN_ACK_SEEN;
                self.handshake_at = segment.at;
            }
            (Side::Client, true) | (Side::Server, false) => {}
        }
    }

    /// Places the stretch `[start, end)` into the direction's sequence space.
    fn advance(&mut self, start: u32, end: u32, length: u32, side: Side) {
        if length == 0 {
            return;
        }
        let trouble = &mut self.trouble;
        let direction = direction_mut(&mut self.sides, side);
        let ahead = start.wrapping_sub(direction.next);
        if ahead == 0 {
            direction.next = end;
        } else if ahead < BELIEVABLE_JUMP {
            let hole = Hole {
                start: direction.next,
                end: start,
            };
            direction.next = end;
            let trouble = trouble.get_or_insert_default();
            if !remember(trouble, side, hole) {
                count(&mut trouble.gaps, side, 1);
                count(&mut trouble.gap_bytes, side, ahead);
            }
        } else {
            let behind = direction.next.wrapping_sub(start);
            if behind > BELIEVABLE_JUMP {
                // Neither a hole nor an old copy: follow the newcomer.
                direction.next = end;
                return;
            }
            if behind == 1 && length <= 1 {
                return; // keep-alive (RFC 9293, 3.8.4)
            }
            let trouble = trouble.get_or_insert_default();
            if fill(trouble, side, start, end) {
                count(&mut trouble.out_of_order, side, 1);
            } else {
                count(&mut trouble.retransmissions, side, 1);
            }
            let beyond = end.wrapping_sub(direction.next);
            if beyond != 0 && beyond < BELIEVABLE_JUMP {
                direction.next = end;
            }
        }
    }

    fn change_state(&mut self, segment: &Segment, side: Side, is_syn: bool, is_fin: bool) {
        if segment.has_tcp(tcp_flag::RST) {
            self.state = TcpState::Reset;
            return;
        }
        if is_fin {
            let direction = direction_mut(&mut self.sides, side);
            direction.seen |= SEEN_FIN;
            let [client, server] = &self.sides;
            let both = client.seen & server.seen & SEEN_FIN != 0;
            if self.state != TcpState::Reset {
                self.state = if both { TcpState::Closed } else { TcpState::Closing };
            }
            return;
        }
        self.state = match (self.state, is_syn, side) {
            (TcpState::Midstream, true, Side::Client) if !segment.has_tcp(tcp_flag::ACK) => TcpState::SynSent,
            (TcpState::Midstream | TcpState::SynSent, true, Side::Server) => TcpState::SynReceived,
            (TcpState::SynReceived, false, Side::Client) => TcpState::Established,
            (TcpState::SynSent, false, _) if segment.has_tcp(tcp_flag::ACK) => TcpState::Established,
            (state, ..) => state,
        };
    }

    /// First sequence number of a direction's data: behind the SYN where it was seen.
    #[must_use]
    pub fn stream_start(&self, side: Side) -> Option<u32> {
        let [client, server] = &self.sides;
        let direction = match side {
            Side::Client => client,
            Side::Server => server,
        };
        (direction.seen & SEEN_SYN != 0).then_some(direction.initial)
    }

    /// What the record says at the end: holes that stayed open are gaps.
    #[must_use]
    pub fn record(&self) -> TcpRecord {
        let mut sides = [TcpSide::default(); 2];
        for (index, (record, direction)) in sides.iter_mut().zip(&self.sides).enumerate() {
            *record = TcpSide {
                mss: (direction.seen & HAS_MSS != 0).then_some(direction.mss),
                window_scale: (direction.seen & HAS_SCALE != 0).then_some(direction.window_scale),
                option_kinds: direction.option_kinds,
                first_window: direction.first_window,
                ..TcpSide::default()
            };
            if let Some(trouble) = &self.trouble {
                let of = |counters: &[u32; 2]| counters.get(index).copied().unwrap_or(0);
                record.retransmissions = of(&trouble.retransmissions);
                record.out_of_order = of(&trouble.out_of_order);
                record.gaps = of(&trouble.gaps);
                record.gap_bytes = u64::from(of(&trouble.gap_bytes));
                let open = trouble.holes.get(index).into_iter().flatten();
                let count = trouble.count.get(index).copied().unwrap_or(0);
                for hole in open.take(usize::from(count)) {
                    record.gaps = record.gaps.saturating_add(1);
                    record.gap_bytes = record
                        .gap_bytes
                        .saturating_add(u64::from(hole.end.wrapping_sub(hole.start)));
                }
            }
        }
        TcpRecord {
            state: self.state,
            sides,
            client_rtt: (self.client_rtt != 0).then_some(Nanoseconds::from(self.client_rtt)),
            server_rtt: (self.server_rtt != 0).then_some(Nanoseconds::from(self.server_rtt)),
        }
    }
}

fn direction_mut(sides: &mut [Direction; 2], side: Side) -> &mut Direction {
    let [client, server] = sides;
    match side {
        Side::Client => client,
        Side::Server => server,
    }
}

/// A round trip in nanoseconds, at most 4.29 s (what 32 bits hold), at least one so that zero means "none": an answer that
/// was stamped before its question measures nothing but a clock.
pub(super) fn round_trip(span: Nanoseconds) -> u32 {
    if span < 0 {
        return 0;
    }
    u32::try_from(span).unwrap_or(u32::MAX).max(1)
}

/// Adds to one direction's counter.
fn count(counters: &mut [u32; 2], side: Side, more: u32) {
    if let Some(counter) = counters.get_mut(side.index()) {
        *counter = counter.saturating_add(more);
    }
}

/// Keeps a hole; `false` when there is no room.
fn remember(trouble: &mut Trouble, side: Side, hole: Hole) -> bool {
    let index = side.index();
    let (Some(list), Some(count)) = (trouble.holes.get_mut(index), trouble.count.get_mut(index)) else {
        return false;
    };
    let Some(place) = list.get_mut(usize::from(*count)) else {
        return false;
    };
    *place = hole;
    *count = count.saturating_add(1);
    true
}

/// Takes `[start, end)` out of the holes; whether it touched one.
fn fill(trouble: &mut Trouble, side: Side, start: u32, end: u32) -> bool {
    let index = side.index();
    let (Some(list), Some(count)) = (trouble.holes.get_mut(index), trouble.count.get_mut(index)) else {
        return false;
    };
    let mut kept = [Hole::default(); MOST_HOLES];
    let mut kept_count: u8 = 0;
    let mut touched = false;
    let mut keep = |hole: Hole| {
        if let Some(place) = kept.get_mut(usize::from(kept_count)) {
            *place = hole;
            kept_count = kept_count.saturating_add(1);
        }
    };
    for hole in list.iter().take(usize::from(*count)) {
        let length = hole.end.wrapping_sub(hole.start);
        // Relative to the hole's start, as signed distances, because sequence numbers wrap.
        let from = start
            .wrapping_sub(hole.start)
            .cast_signed()
            .max(0)
            .cast_unsigned();
        let to = end
            .wrapping_sub(hole.start)
            .cast_signed()
            .max(0)
            .cast_unsigned()
            .min(length);
        if from >= length || to <= from {
            keep(*hole);
            continue;
        }
        touched = true;
        if from > 0 {
            keep(Hole {
                start: hole.start,
                end: hole.start.wrapping_add(from),
            });
        }
        if to < length {
            keep(Hole {
                start: hole.start.wrapping_add(to),
                end: hole.end,
            });
        }
    }
    *list = kept;
    *count = kept_count;
    touched
}

/// Reads the options of a SYN (RFC 9293, 3.2; RFC 7323, 2.2).
fn read_options(direction: &mut Direction, options: &[u8]) {
    let mut rest = options;
    while let Some((&kind, after)) = rest.split_first() {
        if kind < 32 {
            direction.option_kinds |= 1 << kind;
        }
        match kind {
            0 => return,
            1 => rest = after,
            _ => {
                let Some((&length, body)) = after.split_first() else {
                    return;
                };
                let Some((value, next)) = usize::from(length)
                    .checked_sub(2)
                    .and_then(|length| body.split_at_checked(length))
                else {
                    return;
                };
                match (kind, value) {
                    (2, [high, low]) => {
                        direction.mss = u16::from_be_bytes([*high, *low]);
                        direction.seen |= HAS_MSS;
                    }
                    (3, [shift]) => {
                        direction.window_scale = *shift;
                        direction.seen |= HAS_SCALE;
                    }
                    _ => {}
                }
                rest = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tcp_flag::{ACK, FIN, RST, SYN};

    fn segment(at_ms: i64, flags: u8, sequence: u32, acknowledgement: u32, length: u32) -> Segment {
        Segment {
            at: Timestamp(at_ms * 1_000_000 + 1),
            tcp_flags: flags,
            sequence,
            acknowledgement,
            payload_on_wire: length,
            window: 64,
            ..Segment::default()
        }
    }

    #[test]
    fn a_handshake_gives_both_half_round_trips_and_the_options() {
        let mut flow = TcpFlow::default();
        flow.follow(
            &segment(0, SYN, 9, 0, 0),
            Side::Client,
            &[2, 4, 5, 0xb4, 1, 3, 3, 7],
        );
        assert_eq!(flow.state(), TcpState::SynSent);
        flow.follow(&segment(30, SYN | ACK, 99, 10, 0), Side::Server, &[2, 4, 4, 0xe5]);
        flow.follow(&segment(32, ACK, 10, 100, 0), Side::Client, &[]);
        let record = flow.record();
        assert_eq!(record.state, TcpState::Established);
        assert_eq!(
            (record.server_rtt, record.client_rtt),
            (Some(30_000_000), Some(2_000_000))
        );
        assert_eq!(
            (record.sides[0].mss, record.sides[1].mss),
            (Some(1_460), Some(1_253))
        );
        assert_eq!(
            (record.sides[0].window_scale, record.sides[1].window_scale),
            (Some(7), None)
        );
        assert_eq!(record.sides[0].option_kinds, 0b1110);
    }

    #[test]
    fn a_connection_takes_one_cache_line() {
        assert_eq!(size_of::<TcpFlow>(), 64);
    }

    #[test]
    fn a_repeated_syn_gives_no_round_trip() {
        let mut flow = TcpFlow::default();
        flow.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
        flow.follow(&segment(1_000, SYN, 9, 0, 0), Side::Client, &[]);
        flow.follow(&segment(1_030, SYN | ACK, 99, 10, 0), Side::Server, &[]);
        assert_eq!(flow.record().server_rtt, None);
    }

    #[test]
    fn a_late_segment_fills_its_hole_and_a_copy_is_a_retransmission() {
        let mut flow = TcpFlow::default();
        for (sequence, length) in [(100, 10), (120, 10), (110, 10), (110, 10), (140, 10)] {
            flow.follow(&segment(0, ACK, sequence, 1, length), Side::Client, &[]);
        }
        let side = flow.record().sides[0];
        assert_eq!((side.out_of_order, side.retransmissions), (1, 1));
        assert_eq!((side.gaps, side.gap_bytes), (1, 10));
    }

    #[test]
    fn a_partly_filled_hole_stays_open_at_both_ends_across_the_wrap() {
        let mut flow = TcpFlow::default();
        let start = u32::MAX - 20;
        flow.follow(&segment(0, ACK, start, 1, 10), Side::Server, &[]);
        flow.follow(&segment(0, ACK, start.wrapping_add(40), 1, 10), Side::Server, &[]);
        flow.follow(&segment(0, ACK, start.wrapping_add(20), 1, 10), Side::Server, &[]);
        let side = flow.record().sides[1];
        assert_eq!((side.out_of_order, side.gaps, side.gap_bytes), (1, 2, 20));
    }

    #[test]
    fn keep_alives_are_no_retransmissions() {
        let mut flow = TcpFlow::default();
        flow.follow(&segment(0, ACK, 100, 1, 10), Side::Client, &[]);
        flow.follow(&segment(0, ACK, 109, 1, 0), Side::Client, &[]);
        flow.follow(&segment(0, ACK, 109, 1, 1), Side::Client, &[]);
        assert_eq!(flow.record().sides[0].retransmissions, 0);
    }

    #[test]
    fn fin_from_both_sides_closes_and_a_reset_ends() {
        let mut flow = TcpFlow::default();
        flow.follow(&segment(0, ACK, 1, 1, 1), Side::Client, &[]);
        flow.follow(&segment(0, FIN | ACK, 2, 1, 0), Side::Client, &[]);
        assert_eq!(flow.state(), TcpState::Closing);
        flow.follow(&segment(0, FIN | ACK, 1, 3, 0), Side::Server, &[]);
        assert_eq!(flow.state(), TcpState::Closed);
        flow.follow(&segment(0, RST, 0, 0, 0), Side::Client, &[]);
        assert_eq!(flow.state(), TcpState::Reset);
        assert_eq!(flow.record().sides[0].retransmissions, 0);
    }

    #[test]
    fn a_new_initial_sequence_number_is_a_new_connection_and_a_repeated_syn_is_not() {
        let mut flow = TcpFlow::default();
        flow.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
        assert!(!flow.is_replaced_by(&segment(1, SYN, 9, 0, 0), Side::Client));
        assert!(flow.is_replaced_by(&segment(1, SYN, 5_000, 0, 0), Side::Client));
        assert!(!flow.is_replaced_by(&segment(1, SYN | ACK, 5_000, 0, 0), Side::Server));
    }

    proptest::proptest! {
        #[test]
        fn any_order_of_segments_leaves_no_gap_when_all_were_seen(order in proptest::sample::subsequence((0..4u32).collect::<Vec<_>>(), 4).prop_shuffle(), start: u32) {
            let mut flow = TcpFlow::default();
            flow.follow(&segment(0, ACK, start, 1, 10), Side::Client, &[]);
            for index in order {
                let sequence = start.wrapping_add(10 + index * 10);
                flow.follow(&segment(0, ACK, sequence, 1, 10), Side::Client, &[]);
            }
            let side = flow.record().sides[0];
            proptest::prop_assert_eq!((side.gaps, side.retransmissions), (0, 0));
        }

        #[test]
        fn arbitrary_segments_never_panic(list in proptest::collection::vec((proptest::num::u8::ANY, proptest::num::u32::ANY, proptest::num::u32::ANY, 0u32..70_000, proptest::bool::ANY), 0..64), options: Vec<u8>) {
            let mut flow = TcpFlow::default();
            for (flags, sequence, acknowledgement, length, client) in list {
                let side = if client { Side::Client } else { Side::Server };
                flow.follow(&segment(0, flags, sequence, acknowledgement, length), side, &options);
            }
            let _ = flow.record();
        }
    }
    use proptest::strategy::Strategy as _;
}

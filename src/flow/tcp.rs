//! What an observer can tell of a TCP connection: state, loss, disorder, options, handshake round trips.
//!
//! The observer stands somewhere on the path: what it did not see may still have arrived, so nothing here assumes that
//! both directions, or the beginning, were captured. Sequence numbers are compared modulo 2^32 (RFC 9293, 3.4).
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod holes;

use holes::{Hole, Holes};

use crate::model::fact::Side;
use crate::model::flow::{TcpRecord, TcpSide, TcpState};
use crate::model::segment::{Segment, tcp_flag};
use crate::model::time::{Nanoseconds, Timestamp};

/// A jump of the sequence number beyond this is another connection's segment or damage, not a hole.
const BELIEVABLE_JUMP: u32 = 1 << 30;

/// How far from the next octet of its sender a reset may stand to be believed: the largest window without scaling (RFC 9293, 3.1).
/// Receivers are stricter (RFC 5961, 3.2: that octet and no other), but they know what arrived, and a capture may have lost something.
const BELIEVABLE_RESET: u32 = 65_535;

/// What the few connections with loss or disorder have, both directions.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// Of each direction. Apart, because most of them only have something repeated: a SYN that nobody answers.
    holes: Option<Box<[Holes; 2]>>,
    /// Initial sequence number of a SYN that does not belong to the connection, and who sent it.
    challenger: Option<(u32, Side)>,
    retransmissions: [u32; 2],
    out_of_order: [u32; 2],
    gaps: [u32; 2],
    gap_bytes: [u32; 2],
    /// Of them, octets that the receiver acknowledged.
    unseen_bytes: [u32; 2],
}

impl Trouble {
    /// The holes of one direction.
    fn holes_mut(&mut self, side: Side) -> Option<&mut Holes> {
        self.holes.as_mut()?.get_mut(side.index())
    }

    /// Counts a hole that nothing will fill.
    fn count_gap(&mut self, side: Side, hole: Hole) {
        count(&mut self.gaps, side, 1);
        count(&mut self.gap_bytes, side, hole.length());
        if hole.is_acknowledged {
            count(&mut self.unseen_bytes, side, hole.length());
        }
    }
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

/// Handshake: a SYN of another connection came on the same ports, and nobody answered it yet.
const CHALLENGED: u8 = 8;

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

    /// Whether with this segment another connection begins on the same ports: a SYN with another initial sequence number than is
    /// known. While the connection is alive and both its ends were seen, anybody can send such a SYN (RFC 5961, section 4): it
    /// replaces nothing before it is answered, or its sender goes on with its numbers.
    #[must_use]
    pub fn is_replaced_by(&self, segment: &Segment, side: Side) -> bool {
        if !segment.has_tcp(tcp_flag::SYN) || segment.has_tcp(tcp_flag::ACK) {
            return self.handshake & CHALLENGED != 0 && self.accepts_challenger(segment, side);
        }
        self.is_foreign_syn(segment, side) && !self.is_guarded()
    }

    /// Whether a SYN belongs to another connection.
    fn is_foreign_syn(&self, segment: &Segment, side: Side) -> bool {
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

    /// Whether an end that was seen would refuse another connection.
    fn is_guarded(&self) -> bool {
        let [client, server] = &self.sides;
        client.seen & server.seen & SEEN_ANY != 0
            && matches!(
                self.state,
                TcpState::Established | TcpState::Midstream | TcpState::Closing
            )
    }

    /// Whether a segment answers the challenger, or continues it.
    fn accepts_challenger(&self, segment: &Segment, side: Side) -> bool {
        let challenger = self.trouble.as_ref().and_then(|trouble| trouble.challenger);
        challenger.is_some_and(|(initial, sender)| {
            let next = initial.wrapping_add(1);
            if segment.has_tcp(tcp_flag::RST) || !segment.has_tcp(tcp_flag::ACK) {
                false
            } else if side == sender {
                segment.sequence == next
            } else {
                segment.has_tcp(tcp_flag::SYN) && segment.acknowledgement == next
            }
        })
    }

    /// Whether a reset may be of the one who seems to send it (RFC 5961, section 3).
    fn believes_reset(&self, segment: &Segment, side: Side) -> bool {
        let [client, server] = &self.sides;
        let sender = match side {
            Side::Client => client,
            Side::Server => server,
        };
        let ahead = segment.sequence.wrapping_sub(sender.next);
        sender.seen & SEEN_ANY == 0
            || ahead <= BELIEVABLE_RESET
            || ahead.wrapping_neg() <= BELIEVABLE_RESET
            // Nothing is established that could be torn down: a SYN that is refused, or a host that knows of no connection.
            || matches!(self.state, TcpState::SynSent | TcpState::SynReceived)
    }

    /// Follows one segment. `options` are the bytes of the header's options.
    pub fn follow(&mut self, segment: &Segment, side: Side, options: &[u8]) {
        let is_syn = segment.has_tcp(tcp_flag::SYN);
        let is_fin = segment.has_tcp(tcp_flag::FIN);
        if is_syn
            && !segment.has_tcp(tcp_flag::ACK)
            && self.is_guarded()
            && self.is_foreign_syn(segment, side)
        {
            self.trouble.get_or_insert_default().challenger = Some((segment.sequence, side));
            self.handshake |= CHALLENGED;
            return;
        }
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
        if let Some(trouble) = &mut self.trouble
            && segment.has_tcp(tcp_flag::ACK)
            && !segment.has_tcp(tcp_flag::RST)
            && let Some(holes) = trouble.holes_mut(side.other())
        {
            holes.acknowledge(segment.acknowledgement);
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
                is_acknowledged: false,
            };
            direction.next = end;
            remember(trouble.get_or_insert_default(), side, hole);
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
            if self.believes_reset(segment, side) {
                self.state = TcpState::Reset;
            }
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
                record.unseen_bytes = u64::from(of(&trouble.unseen_bytes));
                let holes = trouble.holes.as_ref().and_then(|holes| holes.get(index));
                for hole in holes.into_iter().flat_map(Holes::open) {
                    record.gaps = record.gaps.saturating_add(1);
                    let length = u64::from(hole.length());
                    record.gap_bytes = record.gap_bytes.saturating_add(length);
                    if hole.is_acknowledged {
                        record.unseen_bytes = record.unseen_bytes.saturating_add(length);
                    }
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

/// Keeps a hole; where there is no room, an older one is a gap from now on.
fn remember(trouble: &mut Trouble, side: Side, hole: Hole) {
    let holes = trouble.holes.get_or_insert_default().get_mut(side.index());
    if let Some(oldest) = holes.and_then(|holes| holes.remember(hole)) {
        trouble.count_gap(side, oldest);
    }
}

/// Takes `[start, end)` out of the holes; whether it touched one.
fn fill(trouble: &mut Trouble, side: Side, start: u32, end: u32) -> bool {
    let Some(holes) = trouble.holes_mut(side) else {
        return false;
    };
    let (touched, given_up) = holes.fill(start, end);
    if let Some(hole) = given_up {
        trouble.count_gap(side, hole);
    }
    touched
}

/// Value of the time stamp in a SYN's options (RFC 7323, 3.2); zero without one.
pub(super) fn timestamp(options: &[u8]) -> u32 {
    let mut rest = options;
    while let Some((&kind, after)) = rest.split_first() {
        rest = match (kind, after) {
            (0, _) => return 0,
            (1, _) => after,
            (8, [10, a, b, c, d, ..]) => return u32::from_be_bytes([*a, *b, *c, *d]),
            (_, [length, body @ ..]) => {
                let Some(behind) = usize::from(*length)
                    .checked_sub(2)
                    .and_then(|length| body.get(length..))
                else {
                    return 0;
                };
                behind
            }
            (_, []) => return 0,
        };
    }
    0
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
mod tests;

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
    /// The other side acknowledged all of it: it got there, and the capture alone did not see it.
    is_acknowledged: bool,
}

/// The holes of both directions, and how many each has.
#[derive(Clone, Debug, Default)]
struct Holes {
    list: [[Hole; MOST_HOLES]; 2],
    count: [u8; 2],
}

impl Holes {
    /// Those of one direction.
    fn open(&self, index: usize) -> impl Iterator<Item = &Hole> {
        let count = self.count.get(index).copied().unwrap_or(0);
        let list = self.list.get(index).into_iter().flatten();
        list.take(usize::from(count))
    }
}

/// What the few connections with loss or disorder have, both directions.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// Apart, because most of them only have something repeated: a SYN that nobody answers.
    holes: Option<Box<Holes>>,
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
        if let Some(trouble) = &mut self.trouble
            && segment.has_tcp(tcp_flag::ACK)
            && !segment.has_tcp(tcp_flag::RST)
        {
            acknowledge(trouble, side.other(), segment.acknowledgement);
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
                for hole in trouble.holes.iter().flat_map(|holes| holes.open(index)) {
                    record.gaps = record.gaps.saturating_add(1);
                    let length = u64::from(hole.end.wrapping_sub(hole.start));
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

/// Marks the holes that the receiver acknowledged.
fn acknowledge(trouble: &mut Trouble, sender: Side, acknowledgement: u32) {
    let Some(holes) = &mut trouble.holes else { return };
    let index = sender.index();
    let count = holes.count.get(index).copied().unwrap_or(0);
    let list = holes.list.get_mut(index).into_iter().flatten();
    for hole in list.take(usize::from(count)) {
        hole.is_acknowledged |= acknowledgement.wrapping_sub(hole.end) < BELIEVABLE_JUMP;
    }
}

/// Keeps a hole; `false` when there is no room.
fn remember(trouble: &mut Trouble, side: Side, hole: Hole) -> bool {
    let index = side.index();
    let holes = trouble.holes.get_or_insert_default();
    let (Some(list), Some(count)) = (holes.list.get_mut(index), holes.count.get_mut(index)) else {
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
    let Some(holes) = &mut trouble.holes else {
        return false;
    };
    let (Some(list), Some(count)) = (holes.list.get_mut(index), holes.count.get_mut(index)) else {
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
                end: hole.start.wrapping_add(from),
                ..*hole
            });
        }
        if to < length {
            keep(Hole {
                start: hole.start.wrapping_add(to),
                ..*hole
            });
        }
    }
    *list = kept;
    *count = kept_count;
    touched
}

/// Reads the options of a SYN (RFC 9293, 3.2; RFC 7323, 2.2).
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

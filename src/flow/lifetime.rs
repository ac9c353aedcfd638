//! How flows end: by silence, by a new connection on their ports, for want of room, with the input.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::table::HashedKey;
use super::tcp::TcpFlow;
use super::timing::Measured;
use super::{Class, Ending, Flows, Hot, NOTHING, record, side_of};
use crate::model::flow::EndReason;
use crate::model::segment::Segment;
use crate::model::time::{SECOND, Timestamp};

/// How long a flow waits in the wheel at most before it is looked at.
const LOOK_AGAIN: i64 = 30 * SECOND;

/// Flows that are brought into the cache together before they are looked at one by one.
const NEAR: usize = 16;

/// Flows that are compared when one must go.
const LOOKED_AT: usize = 16;

impl Flows {
    /// Whether the flow found is over for this segment: silent for too long, or its five-tuple was taken anew. Ends it then.
    pub(super) fn is_over(
        &mut self,
        index: u32,
        segment: &Segment,
        hashed: &HashedKey,
        ending: &mut impl Ending,
    ) -> bool {
        let Some(hot) = self.hot.get(index) else {
            return true;
        };
        let reason = if segment.at.since(hot.last) > self.time_out(hot) {
            EndReason::TimeOut
        } else if let Some(tcp) = self.tcp.get(hot.tcp)
            && tcp.is_replaced_by(segment, side_of(hot, hashed))
        {
            EndReason::Replaced
        } else {
            return false;
        };
        self.end(index, reason, ending);
        true
    }

    /// Lets packet time pass: ends what was silent for longer than its time-out at `clock`.
    pub fn advance(&mut self, clock: Timestamp, ending: &mut impl Ending) {
        self.clock = clock;
        while let Some(list) = self.wheel.turn(clock) {
            // Those who were put in last are looked at first.
            for near in list.rchunks(NEAR) {
                let over = |flow: &u32| self.hot.get(*flow).is_some_and(|hot| self.is_silent(hot));
                self.bring_near(near.iter().copied().filter(over));
                for flow in near.iter().rev() {
                    self.look_at(*flow, ending);
                }
            }
        }
    }

    /// Looks at a flow whose turn came in the wheel.
    fn look_at(&mut self, flow: u32, ending: &mut impl Ending) {
        let Some(hot) = self.hot.get(flow) else {
            return;
        };
        if !hot.alive {
            self.hot.free(flow);
        } else if self.is_silent(hot) {
            self.end(flow, EndReason::TimeOut, ending);
            self.hot.free(flow);
        } else {
            self.schedule(flow);
        }
    }

    /// Whether a flow was silent for longer than its time-out.
    fn is_silent(&self, hot: &Hot) -> bool {
        hot.alive && self.clock.since(hot.last) > self.time_out(hot)
    }

    /// Brings what the end of these flows reads into the cache, so that the misses of several overlap. Purely a hint.
    fn bring_near(&self, flows: impl Iterator<Item = u32>) {
        let mut seen = 0u32;
        for flow in flows {
            let Some(hot) = self.hot.get(flow) else {
                continue;
            };
            seen ^= hot.key.touch();
            seen ^= self.tcp.get(hot.tcp).map_or(0, TcpFlow::touch);
            seen ^= self.index.touch(u64::from(hot.tag) << 32).unwrap_or(0);
            if let Some(cold) = self.cold.get(flow) {
                seen ^= u32::from(cold.app_proto) ^ cold.facts.touch();
            }
        }
        std::hint::black_box(seen);
    }

    /// Start times of all flows that live, for cutting the final drain into stretches of time.
    pub fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.hot
            .iter()
            .zip(self.cold.iter())
            .filter(|(hot, _)| hot.alive)
            .map(|(_, cold)| cold.start)
    }

    /// Ends every flow that started at or before `until`, because the input ended. No segment may be taken after the
    /// first call: the order of the flows is made once.
    pub fn drain(&mut self, until: Timestamp, ending: &mut impl Ending) {
        if self.draining.is_none() {
            self.draining = Some(self.in_order());
        }
        let mut order = self.draining.take().unwrap_or_default();
        loop {
            let near = order.iter().rev().take(NEAR);
            self.bring_near(near.map(|(_, flow)| *flow));
            for _ in 0..NEAR {
                let Some((_, flow)) = order.pop_if(|(_, flow)| {
                    let cold = self.cold.get(*flow);
                    cold.is_none_or(|cold| cold.start <= until)
                }) else {
                    self.draining = Some(order);
                    return;
                };
                self.end(flow, EndReason::EndOfInput, ending);
            }
        }
    }

    /// Flows that live, the one that started last first, each with the upper bits of its start. Made while all flows are held, so it takes
    /// eight octets for each: exact times are looked up where the bits are the same.
    fn in_order(&self) -> Vec<(u32, u32)> {
        let span = self.starts().fold(None, |span: Option<(i64, i64)>, start| {
            let (first, last) = span.unwrap_or((start.0, start.0));
            Some((first.min(start.0), last.max(start.0)))
        });
        let (first, last) = span.unwrap_or_default();
        let bits = |start: Timestamp| start.0.abs_diff(first);
        let shift = bits(Timestamp(last))
            .checked_ilog2()
            .unwrap_or(0)
            .saturating_sub(31);
        let count = self.starts().count();
        let mut order = Vec::with_capacity(count);
        let living = (0u32..)
            .zip(self.hot.iter().zip(self.cold.iter()))
            .filter(|(_, (hot, _))| hot.alive);
        order.extend(living.map(|(flow, (_, cold))| {
            let upper = bits(cold.start) >> shift;
            (u32::try_from(upper).unwrap_or(u32::MAX), flow)
        }));
        let exact = |flow: u32| self.cold.get(flow).map(|cold| (cold.start, cold.first_frame));
        order.sort_unstable_by(|(upper, flow), (other_upper, other)| {
            other_upper
                .cmp(upper)
                .then_with(|| exact(*other).cmp(&exact(*flow)))
                .then_with(|| other.cmp(flow))
        });
        order
    }

    fn time_out(&self, hot: &Hot) -> i64 {
        match hot.class {
            Class::TcpOpening => self.time_outs.tcp_opening,
            // A session that nobody touches over a weekend is the same session on Monday, and what comes later could not be named: its
            // beginning says what it is. While there is room: each holds a place among those that are measured.
            Class::TcpEstablished if hot.measured == Measured::Now && has_room(self.timed) => {
                self.time_outs.tcp_session
            }
            Class::TcpEstablished => self.time_outs.tcp_established,
            Class::TcpClosed => self.time_outs.tcp_closed,
            Class::Udp => self.time_outs.udp,
            Class::UdpAnswered => self.time_outs.udp_answered,
            Class::Icmp => self.time_outs.icmp,
            Class::Other => self.time_outs.other,
        }
    }

    /// Puts a flow into the wheel at its deadline.
    pub(super) fn schedule(&mut self, flow: u32) {
        let Some((last, time_out)) = self.hot.get(flow).map(|hot| (hot.last, self.time_out(hot))) else {
            return;
        };
        let now = if self.clock == Timestamp::default() {
            last
        } else {
            self.clock
        };
        // A flow's state may change for one with a shorter time-out, so it is looked at from time to time.
        let deadline = last.plus(time_out).min(now.plus(LOOK_AGAIN));
        self.wheel.insert(flow, deadline, now);
    }

    /// Makes room: of some flows that the wheel comes to next, ends the one whose time-out comes up first. All states
    /// are looked at equally often, so the choice is what lets half-open scans go before long sessions.
    pub(super) fn evict(&mut self, ending: &mut impl Ending) {
        // They are put back only when all were taken: the list that one goes back to may be the one that is taken from.
        let mut looked_at = [NOTHING; LOOKED_AT];
        let mut chosen: Option<(Timestamp, u32)> = None;
        let mut has_room = false;
        for place in &mut looked_at {
            let Some(flow) = self.wheel.soonest() else {
                break;
            };
            let Some(hot) = self.hot.get(flow) else { break };
            if !hot.alive {
                // Its place is room enough.
                self.hot.free(flow);
                has_room = true;
                break;
            }
            *place = flow;
            let deadline = hot.last.plus(self.time_out(hot));
            if chosen.is_none_or(|(soonest, _)| deadline < soonest) {
                chosen = Some((deadline, flow));
            }
        }
        let victim = chosen.filter(|_| !has_room).map(|(_, flow)| flow);
        for flow in looked_at {
            if flow != NOTHING && Some(flow) != victim {
                self.schedule(flow);
            }
        }
        if let Some(flow) = victim {
            self.end(flow, EndReason::Evicted, ending);
            self.hot.free(flow);
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    /// Writes a flow's record and takes it out of the table. Its place is freed when the wheel comes by.
    fn end(&mut self, flow: u32, reason: EndReason, ending: &mut impl Ending) {
        let Some(hot) = self.hot.get_mut(flow).filter(|hot| hot.alive) else {
            return;
        };
        hot.alive = false;
        let Some(cold) = self.cold.get_mut(flow) else {
            return;
        };
        let cold = std::mem::take(cold);
        let tcp = self.tcp.get(hot.tcp);
        let long = hot.long.take();
        if hot.measured.is_opening() {
            give_back(&mut self.opening);
        } else if hot.measured == Measured::Now {
            give_back(&mut self.timed);
        }
        let record = record::build(hot, cold, long, tcp, reason, self.names);
        let (tag, attachment, tcp) = (hot.tag, hot.attachment, hot.tcp);
        self.index.remove(u64::from(tag) << 32, flow);
        self.tcp.free(tcp);
        ending.ended(attachment, record);
    }
}

/// Whether less than half of what is bounded is taken.
const fn has_room([taken, most]: [usize; 2]) -> bool {
    taken < most / 2
}

/// One flow fewer of those that are bounded.
const fn give_back(counted: &mut [usize; 2]) {
    counted[0] = counted[0].saturating_sub(1);
}

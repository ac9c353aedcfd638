//! A timer wheel in packet time: which flows may have been silent for too long.
//!
//! Flows stand in singly linked lists, one a second, threaded through the flows themselves. A flow that was refreshed is
//! moved only when its second comes up, so that a packet costs the wheel nothing.

use crate::model::time::{SECOND, Timestamp};

/// Seconds that the wheel spans: more than a flow waits before it is looked at again.
const SECONDS: i64 = 8_192;

/// End of a list.
pub const NOBODY: u32 = u32::MAX;

/// Heads of the lists, and how far the wheel has turned.
#[derive(Debug)]
pub struct Wheel {
    heads: Vec<u32>,
    /// The next second to be looked at; `None` before the first packet.
    position: Option<i64>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            heads: vec![NOBODY; bucket(SECONDS - 1).saturating_add(1)],
            position: None,
        }
    }
}

impl Wheel {
    /// Puts a flow into the list of its deadline; gives the link which the flow has to keep.
    pub fn insert(&mut self, flow: u32, deadline: Timestamp, now: Timestamp) -> u32 {
        let position = *self.position.get_or_insert(second(now));
        let at = second(deadline)
            .saturating_add(1)
            .clamp(position, position.saturating_add(SECONDS - 1));
        match self.heads.get_mut(bucket(at)) {
            Some(head) => std::mem::replace(head, flow),
            None => NOBODY,
        }
    }

    /// Turns to `clock` and gives the head of the next list that came up; the caller walks it and calls again.
    /// `None` when the wheel stands at the clock.
    pub fn turn(&mut self, clock: Timestamp) -> Option<u32> {
        let until = second(clock);
        let position = self.position.as_mut()?;
        // After a jump every list comes up once; turning further would show nothing new.
        if until.saturating_sub(*position) > SECONDS {
            *position = until.saturating_sub(SECONDS);
        }
        while *position < until {
            let index = bucket(*position);
            *position = position.saturating_add(1);
            if let Some(head) = self.heads.get_mut(index).filter(|head| **head != NOBODY) {
                return Some(std::mem::replace(head, NOBODY));
            }
        }
        None
    }

    /// Takes the first flow of the list that comes up soonest: the one to evict when there is no room.
    pub fn soonest(&mut self, next_of: impl Fn(u32) -> u32) -> Option<u32> {
        let start = self.position?;
        for offset in 0..SECONDS {
            if let Some(head) = self
                .heads
                .get_mut(bucket(start.saturating_add(offset)))
                .filter(|head| **head != NOBODY)
            {
                let flow = *head;
                *head = next_of(flow);
                return Some(flow);
            }
        }
        None
    }
}

fn second(at: Timestamp) -> i64 {
    at.0.div_euclid(SECOND)
}

fn bucket(second: i64) -> usize {
    usize::try_from(second.rem_euclid(SECONDS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_comes_up_after_its_deadline_and_not_before() {
        let mut wheel = Wheel::default();
        let now = Timestamp(100 * SECOND);
        assert_eq!(wheel.insert(7, Timestamp(160 * SECOND), now), NOBODY);
        assert_eq!(wheel.turn(Timestamp(160 * SECOND)), None);
        assert_eq!(wheel.turn(Timestamp(162 * SECOND)), Some(7));
        assert_eq!(wheel.turn(Timestamp(10_000 * SECOND)), None);
    }

    #[test]
    fn a_jump_of_years_shows_every_flow_once_and_ends() {
        let mut wheel = Wheel::default();
        let now = Timestamp(0);
        for flow in 0..5u32 {
            wheel.insert(flow, Timestamp(i64::from(flow) * 1_000 * SECOND), now);
        }
        let mut seen = Vec::new();
        while let Some(head) = wheel.turn(Timestamp(i64::MAX)) {
            seen.push(head);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}

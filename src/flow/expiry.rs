//! A timer wheel in packet time: which flows may have been silent for too long.
//!
//! Flows stand in lists, one a second. A flow that was refreshed is moved only when its second comes up, so that a packet
//! costs the wheel nothing.

use crate::model::time::{SECOND, Timestamp};

/// Seconds that the wheel spans: more than a flow waits before it is looked at again.
const SECONDS: i64 = 8_192;

/// The lists, and how far the wheel has turned.
#[derive(Debug)]
pub struct Wheel {
    lists: Vec<Vec<u32>>,
    /// The next second to be looked at; `None` before the first packet.
    position: Option<i64>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            lists: vec![Vec::new(); bucket(SECONDS - 1).saturating_add(1)],
            position: None,
        }
    }
}

impl Wheel {
    /// Puts a flow into the list of its deadline.
    pub fn insert(&mut self, flow: u32, deadline: Timestamp, now: Timestamp) {
        let position = *self.position.get_or_insert(second(now));
        let at = second(deadline)
            .saturating_add(1)
            .clamp(position, position.saturating_add(SECONDS - 1));
        if let Some(list) = self.lists.get_mut(bucket(at)) {
            list.push(flow);
        }
    }

    /// Turns to `clock` and gives the next list that came up; `None` when the wheel stands at the clock.
    pub fn turn(&mut self, clock: Timestamp) -> Option<Vec<u32>> {
        let until = second(clock);
        let position = self.position.as_mut()?;
        // After a jump every list comes up once; turning further would show nothing new.
        if until.saturating_sub(*position) > SECONDS {
            *position = until.saturating_sub(SECONDS);
        }
        while *position < until {
            let index = bucket(*position);
            *position = position.saturating_add(1);
            if let Some(list) = self.lists.get_mut(index).filter(|list| !list.is_empty()) {
                return Some(std::mem::take(list));
            }
        }
        None
    }

    /// Takes a flow of the list that comes up soonest, the one that was put there last: the one to evict when there is no room.
    pub fn soonest(&mut self) -> Option<u32> {
        let start = self.position?;
        (0..SECONDS).find_map(|offset| {
            self.lists
                .get_mut(bucket(start.saturating_add(offset)))
                .and_then(Vec::pop)
        })
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
        wheel.insert(7, Timestamp(160 * SECOND), now);
        assert_eq!(wheel.turn(Timestamp(160 * SECOND)), None);
        assert_eq!(wheel.turn(Timestamp(162 * SECOND)), Some(vec![7]));
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
        while let Some(list) = wheel.turn(Timestamp(i64::MAX)) {
            seen.extend(list);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_flow_that_came_last_into_the_soonest_list_is_the_one_to_evict() {
        let mut wheel = Wheel::default();
        for (flow, deadline) in [(1, 50), (2, 20), (3, 20), (4, 90)] {
            wheel.insert(flow, Timestamp(deadline * SECOND), Timestamp(10 * SECOND));
        }
        let order: Vec<u32> = std::iter::from_fn(|| wheel.soonest()).collect();
        assert_eq!(order, [3, 2, 1, 4]);
    }
}

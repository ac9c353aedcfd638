//! How the clock of each capture runs: packets that are out of order, and steps.
//!
//! Packets that several queues or several interfaces wrote may be a little out of order; a clock that was set goes back by more. A step
//! forward cannot be told from silence, so long ones are counted as what they may be.
//!
//! Files promise microseconds where the clock behind them shows ten milliseconds: the grain is taken from the times themselves. It is
//! the largest power of ten that all of them are multiples of, which after a packet or two is as fine as the file for nearly
//! every capture, and then nothing is computed any more.

use crate::model::frame::FrameHeader;
use crate::model::summary::ClockRecord;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Back by this much is a clock that was set, not a queue that was slow.
const STEP: Nanoseconds = SECOND;

/// Forward by this much is a silence, or a clock that was set.
const SILENCE: Nanoseconds = 3_600 * SECOND;

/// The coarsest grain that is looked for.
const COARSEST: Nanoseconds = SECOND;

/// The finest: below it other errors are larger by far.
const FINEST: Nanoseconds = 1_000;

/// Clocks of all captures.
#[derive(Debug, Default)]
pub struct Clocks(Vec<Clock>);

/// Clock of one capture.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// The latest time, which need not be the last one.
    latest: Timestamp,
    /// Step of the clock, once a packet came.
    grain: Nanoseconds,
    record: ClockRecord,
}

impl Clocks {
    /// Takes the time of a capture's next packet.
    pub fn tick(&mut self, capture: u16, at: Timestamp) {
        let place = usize::from(capture);
        if place >= self.0.len() {
            self.0.resize(place.saturating_add(1), Clock::default());
        }
        let Some(clock) = self.0.get_mut(place) else {
            return;
        };
        clock.tick(at);
    }

    /// Takes the times of a block's packets, in order.
    pub fn take(&mut self, frames: &[FrameHeader]) {
        for run in frames.chunk_by(|one, next| one.source.capture == next.source.capture) {
            let [first, rest @ ..] = run else {
                continue;
            };
            self.tick(first.source.capture, first.at);
            if let Some(clock) = self.0.get_mut(usize::from(first.source.capture)) {
                for frame in rest {
                    clock.tick(frame.at);
                }
            }
        }
    }

    /// What the time between two packets may be wrong by, in nanoseconds: the step of the coarsest clock, or how far one went
    /// backwards. Captures of the same time have clocks of their own, and a packet and its answer may come from different ones:
    /// then it is a second, which no round trip on Earth lasts.
    #[must_use]
    pub fn grain(&self) -> Nanoseconds {
        let mut spans: Vec<(Timestamp, Timestamp)> = self
            .0
            .iter()
            .filter_map(|clock| Some((clock.first?, clock.latest)))
            .collect();
        spans.sort_unstable();
        let are_apart = spans.windows(2).all(|pair| match pair {
            [(_, before), (after, _)] => before.since(*after) < SECOND,
            _ => true,
        });
        if !are_apart {
            return SECOND;
        }
        let wrong_by = |clock: &Clock| match clock.record.furthest_back_ms {
            0 if clock.record.out_of_order == 0 => clock.grain,
            back => clock.grain.max(
                i64::try_from(back)
                    .unwrap_or(i64::MAX)
                    .saturating_add(1)
                    .saturating_mul(SECOND / 1_000),
            ),
        };
        self.0.iter().map(wrong_by).max().unwrap_or_default()
    }

    /// What is known of a capture's clock; `None` where it ran evenly.
    #[must_use]
    pub fn record(&self, capture: usize) -> Option<ClockRecord> {
        let clock = self.0.get(capture)?;
        (clock.record != ClockRecord::default()).then_some(clock.record)
    }
}

impl Clock {
    fn tick(&mut self, at: Timestamp) {
        if self.grain != FINEST {
            self.refine(at);
        }
        self.first.get_or_insert(at);
        self.latest = self.latest.max(at);
        if let Some(last) = self.last.replace(at) {
            let passed = at.since(last);
            if !(0..SILENCE).contains(&passed) {
                self.record.count(passed);
            }
        }
    }

    /// Makes the grain as fine as a time demands.
    fn refine(&mut self, at: Timestamp) {
        if self.grain == 0 {
            self.grain = COARSEST;
        }
        while self.grain > FINEST && at.0.checked_rem(self.grain) != Some(0) {
            self.grain /= 10;
        }
    }
}

impl ClockRecord {
    fn count(&mut self, passed: Nanoseconds) {
        let counter = if passed >= 0 {
            &mut self.forward
        } else {
            let back = passed.unsigned_abs() / 1_000_000;
            self.furthest_back_ms = self.furthest_back_ms.max(back);
            if passed <= -STEP {
                &mut self.backward
            } else {
                &mut self.out_of_order
            }
        };
        *counter = counter.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarsest_clock_is_known_by_its_times() {
        let mut clocks = Clocks::default();
        assert_eq!(clocks.grain(), 0);
        for number in 0..50 {
            clocks.tick(0, Timestamp(SECOND * 1_700_000_000 + number * 10_000_000));
            clocks.tick(1, Timestamp(SECOND * 1_700_000_900 + number * 1_234_567));
        }
        assert_eq!(clocks.grain(), 10_000_000);
        clocks.tick(0, Timestamp(SECOND * 1_700_000_001 + 7_001));
        assert_eq!(clocks.grain(), 1_000);
    }

    #[test]
    fn a_clock_that_goes_backwards_and_clocks_side_by_side_prove_no_round_trip() {
        let at = |millisecond: i64| Timestamp(millisecond * 1_000_000 + 1);
        let mut clocks = Clocks::default();
        for time in [10, 20, 17, 30] {
            clocks.tick(0, at(time));
        }
        assert_eq!(clocks.grain(), 4_000_000);
        for time in [30, 8_000] {
            clocks.tick(1, at(time));
        }
        assert_eq!(clocks.grain(), 4_000_000, "they have but an instant in common");
        clocks.tick(0, at(5_000));
        assert_eq!(clocks.grain(), SECOND);
    }

    #[test]
    fn disorder_steps_and_silences_are_counted_for_each_capture() {
        let mut clocks = Clocks::default();
        for (capture, millisecond) in [
            (0, 1_000),
            (0, 1_020),
            (0, 1_015),
            (1, 50),
            (0, 5_000_000),
            (0, 4_990_000),
            (1, 60),
        ] {
            clocks.tick(capture, Timestamp(millisecond * 1_000_000));
        }
        let record = clocks.record(0).unwrap();
        assert_eq!((record.out_of_order, record.backward, record.forward), (1, 1, 1));
        assert_eq!(record.furthest_back_ms, 10_000);
        assert_eq!(clocks.record(1), None);
        assert_eq!(clocks.record(7), None);
    }
}

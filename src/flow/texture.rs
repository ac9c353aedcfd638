//! The texture of input: how far packets of the size of input events are apart, and whether they come with a period.
//!
//! Keys are some 80 to 300 ms apart (DETECTION 3.3). Relayed over a path whose delay varies they bunch, a path whose delay does not vary leaves
//! them as they are; that bunching tells distance is a hypothesis, so it is shown and weighs nothing. Input that comes with a period
//! is no hand's: a program that keeps a session awake, or a keep-alive.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::hands::Hands;
use crate::model::latency::{Inputs, PERIOD_SCALE};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Payloads of the size of input events, as in [`super::activity`].
const SIZES: std::ops::RangeInclusive<u32> = 4..=350;

/// A longer silence ends what one hand does without stopping to think.
const PAUSE: Nanoseconds = 2 * SECOND;

/// Input of one side.
#[derive(Clone, Debug, Default)]
pub struct Texture {
    last: Option<Timestamp>,
    /// First input behind the last pause.
    began: Option<Timestamp>,
    inputs: Inputs,
    hands: Hands,
}

impl Texture {
    /// The other side sent a payload.
    pub fn other_spoke(&mut self) {
        self.hands.other_spoke();
    }

    /// Takes a payload of the side.
    pub fn take(&mut self, at: Timestamp, payload: u32) {
        if !SIZES.contains(&payload) {
            return;
        }
        self.hands.take(at, payload);
        let gap = self.last.replace(at).map(|last| at.since(last));
        match gap {
            Some(gap) if (0..PAUSE).contains(&gap) => self.inputs.gaps.add(gap),
            _ => {
                if let Some(began) = self.began.replace(at) {
                    self.inputs.periods.add(at.since(began) / PERIOD_SCALE);
                }
            }
        }
    }

    /// What the record keeps.
    #[must_use]
    pub fn into_record(self) -> Inputs {
        let [typed, pointed] = self.hands.into_windows();
        Inputs {
            typed,
            pointed,
            ..self.inputs
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::latency::InputRecord;

    const MILLISECOND: i64 = 1_000_000;

    fn record(times: impl IntoIterator<Item = i64>) -> InputRecord {
        let mut texture = Texture::default();
        for millisecond in times {
            texture.take(Timestamp(SECOND + millisecond * MILLISECOND), 48);
        }
        InputRecord::of(&texture.into_record()).unwrap()
    }

    /// A number between 0 and 999 for each step, the same in every run.
    fn chance(step: i64) -> i64 {
        step.wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407)
            >> 33
            & 0x3ff
    }

    #[test]
    fn keys_are_shown_by_their_median_and_bunches_by_their_share() {
        let mut at = 0;
        let hand: Vec<i64> = (0..400)
            .map(|step| {
                at += 80 + chance(step) / 6;
                at
            })
            .collect();
        let typed = record(hand.iter().copied());
        assert!(
            (140.0..190.0).contains(&typed.median_ms) && typed.bunched < 0.01,
            "{typed:?}"
        );
        assert_eq!(typed.period_s, None);
        // A path that holds everything back until the next third of a second.
        let held = record(hand.iter().map(|at| at / 333 * 333 + 333));
        assert!(held.bunched > 0.3, "{held:?}");
    }

    #[test]
    fn a_period_is_told_and_a_hand_has_none() {
        let awake = record((0..40).map(|step| step * 59_000 + chance(step) % 300));
        assert!((awake.period_s.unwrap() - 59.0).abs() < 4.0, "{awake:?}");
        let hand = record((0..60).scan(0, |at, step| {
            *at += 2_500 + chance(step) * 20;
            Some(*at)
        }));
        assert_eq!(hand.period_s, None, "{hand:?}");
        let few = record((0..10).map(|step| step * 59_000));
        assert_eq!(few.period_s, None);
    }

    #[test]
    fn pictures_are_no_input() {
        let mut texture = Texture::default();
        for step in 0..100 {
            texture.take(Timestamp(step * MILLISECOND), 1_400);
        }
        assert!(InputRecord::of(&texture.into_record()).is_none());
    }
}

//! Typing and pointing, told apart by the rhythm of input and the lengths that come in it.
//!
//! Remote-access protocols send one packet for an event, and each kind of event has one length (RFB: key 8 octets, pointer 6; encryption adds as
//! much to each). Movements of a pointer follow each other within a few hundredths of a second, keys within tenths (DETECTION 3.3: 80 to 300 ms). So
//! three quick packets of one length in a row are a movement, three slow ones are keys, and neither size nor tool need be known. A ten-second window
//! may hold both. Clicks and turns of a wheel alone are neither.
//!
//! What answers pictures comes in the rhythm of the pictures and may look like keys: a length of which nearly every packet follows something from
//! the other side is such an answer, where another length shows that there is input beside it. (In a shell every key is echoed, and nothing else
//! comes.) That is known at the end, so windows are counted by which lengths were slow in them.
//!
//! Not told: input that the sender collects until the path's acknowledgement comes (Nagle's algorithm: RDP clients on long paths send several
//! events in a packet, and only every round trip).
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::model::flow::BIN;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Lengths that are told apart.
const LENGTHS: usize = 5;

/// Combinations of slow lengths in a window, with and without a movement.
const COMBINATIONS: usize = 1 << (LENGTHS + 1);

/// Packets of one length that are less far apart belong to one movement.
const QUICK: Nanoseconds = SECOND * 45 / 1_000;

/// Keys that are further apart belong to different words.
const SLOW: Nanoseconds = SECOND;

/// So many distances in a row are one or the other.
const IN_A_ROW: u8 = 3;

/// Slow packets of a length of which it is told whether they are answers.
const LEAST: u32 = 8;

/// One length.
#[derive(Clone, Copy, Debug, Default)]
struct Length {
    octets: u32,
    /// How often it came, at most (space-saving, Metwally et al. 2005).
    count: u32,
    last: Option<Timestamp>,
    quick: u8,
    slow: u8,
    /// Packets at slow distances, and how many of them followed something from the other side.
    slow_in_all: u32,
    behind_other: u32,
    /// Packets inside movements.
    moved: u32,
    /// How much the other side had said when this came last.
    other: u32,
}

impl Length {
    const fn follows_the_other_side(&self) -> bool {
        self.slow_in_all >= LEAST
            && self.behind_other.saturating_mul(20) >= self.slow_in_all.saturating_mul(19)
    }

    const fn is_input(&self) -> bool {
        self.moved >= LEAST || self.slow_in_all >= LEAST && !self.follows_the_other_side()
    }
}

/// The rhythm of one side's input.
#[derive(Clone, Debug)]
pub(super) struct Hands {
    lengths: [Length; LENGTHS],
    /// Packets with payload of the other side.
    other: u32,
    window: Option<i64>,
    /// Slow lengths of this window as bits, and the bit behind them for a movement.
    seen: u8,
    /// Windows by what was seen in them.
    windows: [u16; COMBINATIONS],
}

impl Default for Hands {
    fn default() -> Self {
        Self {
            lengths: Default::default(),
            other: 0,
            window: None,
            seen: 0,
            windows: [0; COMBINATIONS],
        }
    }
}

impl Hands {
    /// The other side sent a payload.
    pub(super) fn other_spoke(&mut self) {
        self.other = self.other.wrapping_add(1);
    }

    /// Takes a packet of the size of input.
    pub(super) fn take(&mut self, at: Timestamp, octets: u32) {
        let window = at.0.checked_div(BIN);
        if self.window != window {
            self.close();
            self.window = window;
        }
        let other = self.other;
        let place = self.place_of(octets);
        let Some(length) = self.lengths.get_mut(place) else {
            return;
        };
        let gap = length.last.replace(at).map(|last| at.since(last));
        let spoke = std::mem::replace(&mut length.other, other) != other;
        match gap {
            Some(gap) if (0..QUICK).contains(&gap) => {
                (length.quick, length.slow) = (length.quick.saturating_add(1), 0);
                if length.quick >= IN_A_ROW {
                    length.moved = length.moved.saturating_add(1);
                    self.seen |= 1 << LENGTHS;
                }
            }
            Some(gap) if (QUICK..SLOW).contains(&gap) => {
                (length.quick, length.slow) = (0, length.slow.saturating_add(1));
                length.slow_in_all = length.slow_in_all.saturating_add(1);
                length.behind_other = length.behind_other.saturating_add(u32::from(spoke));
                if length.slow >= IN_A_ROW {
                    self.seen |= 1 << (place & 7);
                }
            }
            _ => (length.quick, length.slow) = (0, 0),
        }
    }

    fn close(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        if let Some(count) = self.windows.get_mut(usize::from(seen)) {
            *count = count.saturating_add(1);
        }
    }

    /// The place of a length, which may be that of the rarest.
    fn place_of(&mut self, octets: u32) -> usize {
        let known = |length: &Length| length.count > 0 && length.octets == octets;
        let place = self.lengths.iter().position(known).unwrap_or_else(|| {
            let numbered = self.lengths.iter().enumerate();
            let rarest = numbered.min_by_key(|(_, length)| length.count);
            rarest.map_or(0, |(place, _)| place)
        });
        if let Some(length) = self.lengths.get_mut(place) {
            let count = length.count.saturating_add(1);
            if length.octets != octets || length.count == 0 {
                *length = Length {
                    octets,
                    ..Length::default()
                };
            }
            length.count = count;
        }
        place
    }

    /// Windows of ten seconds in which somebody typed, and in which somebody pointed.
    pub(super) fn into_windows(mut self) -> [u32; 2] {
        self.close();
        let mut keys = 0u8;
        for (place, length) in self.lengths.iter().enumerate() {
            let is_beside_input = self
                .lengths
                .iter()
                .any(|other| other.octets != length.octets && other.is_input());
            if !(length.follows_the_other_side() && is_beside_input) {
                keys |= 1 << (place & 7);
            }
        }
        let (mut typed, mut pointed) = (0u32, 0u32);
        for (seen, count) in (0u8..).zip(self.windows) {
            if seen & keys != 0 {
                typed = typed.saturating_add(u32::from(count));
            }
            if seen >> LENGTHS != 0 {
                pointed = pointed.saturating_add(u32::from(count));
            }
        }
        [typed, pointed]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: i64 = 1_000_000;

    /// What one side sent in order of time: millisecond, octets; no octets are something from the other side.
    fn windows(packets: &[(i64, u32)]) -> [u32; 2] {
        let mut hands = Hands::default();
        for (at, octets) in packets {
            match octets {
                0 => hands.other_spoke(),
                _ => hands.take(Timestamp(100 * SECOND + at * MILLISECOND), *octets),
            }
        }
        hands.into_windows()
    }

    /// Ten seconds of typing from a millisecond on: keys down and up, and for each key down a picture and the request for the next one.
    fn typed(from: i64) -> Vec<(i64, u32)> {
        (0..50)
            .flat_map(|key| {
                let at = from + key * 190;
                [(at, 34), (at + 10, 0), (at + 60, 64), (at + 90, 34)]
            })
            .collect()
    }

    /// A movement of the mouse in each second of ten.
    fn moved(from: i64) -> Vec<(i64, u32)> {
        (0..10)
            .flat_map(|move_| (0..20).map(move |step| (from + move_ * 1_000 + step * 18, 28)))
            .collect()
    }

    /// Ten seconds of an animation: pictures and the requests for them.
    fn watched(from: i64) -> Vec<(i64, u32)> {
        (0..80)
            .flat_map(|picture| [(from + picture * 120, 0), (from + picture * 120 + 40, 64)])
            .collect()
    }

    #[test]
    fn typing_and_pointing_are_told_apart_and_watching_is_neither() {
        let mut all = typed(0);
        all.extend(moved(10_000));
        all.extend(watched(20_000));
        all.extend(typed(30_000));
        assert_eq!(windows(&all), [2, 1]);
    }

    #[test]
    fn a_window_may_hold_both() {
        let mut both = typed(0);
        both.extend(moved(0));
        both.sort_unstable();
        assert_eq!(windows(&both), [1, 1]);
    }

    #[test]
    fn every_key_of_a_shell_is_echoed_and_is_a_key_all_the_same() {
        let shell: Vec<_> = (0..60)
            .flat_map(|key| [(key * 160, 36), (key * 160 + 3, 0)])
            .collect();
        assert_eq!(windows(&shell), [1, 0]);
    }

    #[test]
    fn requests_in_pairs_and_single_clicks_are_neither() {
        let pairs: Vec<_> = (0..40)
            .flat_map(|turn| [(turn * 240, 16), (turn * 240 + 4, 16)])
            .collect();
        assert_eq!(windows(&pairs), [0, 0]);
    }

    proptest::proptest! {
        #[test]
        fn anything_at_all_is_taken(packets in proptest::collection::vec((proptest::num::i64::ANY, proptest::num::u32::ANY), 0..300)) {
            let mut hands = Hands::default();
            for (at, octets) in packets {
                hands.other_spoke();
                hands.take(Timestamp(at), octets % 9);
            }
            let [typed, pointed] = hands.into_windows();
            proptest::prop_assert!(typed <= 301 && pointed <= 301);
        }
    }
}

//! By how much the clocks of several capture points differ, from packets that both saw.
//!
//! Rows of one flow that two points stamped cannot be put in order, nor halves of a handshake subtracted, where their clocks differ.
//! A packet that passes both is known by its fingerprint ([`super::duplicate`]), which routers leave alone and address translation does not. The
//! median of the differences is the offset; packets go both ways, so the time between the points widens the spread more
//! than it moves the median.
//!
//! One packet in eight of those whose fingerprints are computed anyway is looked at, and only once a second capture has begun.

use std::collections::BTreeMap;

use crate::model::summary::ClockOffsetRecord;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Packets that are remembered.
const PLACES: usize = 4_096;

/// Differences that are kept of a pair of captures: a median of more is no better.
const KEPT: usize = 256;

/// Fewest of which an offset is told.
const LEAST: usize = 20;

/// Pairs of captures.
const PAIRS: usize = 64;

/// Further apart are no clocks of one packet, but equal packets.
const FARTHEST: Nanoseconds = 3_600 * SECOND;

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: u64,
    at: Timestamp,
    capture: u16,
}

/// Packets seen lately, and differences by pair of captures, the lower number first.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    places: Box<[Place]>,
    pairs: BTreeMap<(u16, u16), Vec<Nanoseconds>>,
}

impl Offsets {
    /// Takes a packet that hardly ever repeats on its own.
    pub(super) fn take(&mut self, hash: u64, at: Timestamp, capture: u16) {
        if hash & 7 != 0 {
            return;
        }
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES].into_boxed_slice();
        }
        let Some(place) = self.places.get_mut((hash >> 3) as usize % PLACES) else {
            return;
        };
        let before = std::mem::replace(place, Place { hash, at, capture });
        if before.hash != hash || before.capture == capture {
            return;
        }
        let passed = at.since(before.at);
        let (pair, difference) = if before.capture < capture {
            ((before.capture, capture), passed)
        } else {
            ((capture, before.capture), passed.saturating_neg())
        };
        if difference.saturating_abs() > FARTHEST
            || self.pairs.len() >= PAIRS && !self.pairs.contains_key(&pair)
        {
            return;
        }
        let kept = self.pairs.entry(pair).or_default();
        if kept.len() < KEPT {
            kept.push(difference);
        }
    }

    /// The offset of a capture's clock against that of the first capture which saw enough of the same packets.
    pub(super) fn record(&self, capture: usize) -> Option<ClockOffsetRecord> {
        let own = self.pairs.iter();
        let mut own = own.filter(|((_, later), kept)| usize::from(*later) == capture && kept.len() >= LEAST);
        let ((against, _), kept) = own.next()?;
        let mut sorted = kept.clone();
        sorted.sort_unstable();
        let at = |tenths: usize| sorted.get(sorted.len().saturating_mul(tenths) / 10).copied();
        let (low, median, high) = (at(1)?, at(5)?, at(9)?);
        Some(ClockOffsetRecord {
            against: *against,
            offset_us: median / 1_000,
            spread_us: high.saturating_sub(low) / 2_000,
            packets: u32::try_from(kept.len()).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: i64 = 1_000_000;

    /// Packets that capture 0 sees, and capture 1, whose clock is `offset` ms ahead; every other one goes from 0 to 1, the rest the other way,
    /// which takes 3 ms.
    fn told(offset: i64, packets: u64) -> Option<ClockOffsetRecord> {
        let mut sights = Vec::new();
        for number in 1..=packets {
            let at = i64::try_from(number).unwrap() * 10;
            let (first, second) = if number % 2 == 0 {
                (at, at + 3)
            } else {
                (at + 3, at)
            };
            sights.push((first, number * 8, 0));
            sights.push((second + offset, number * 8, 1));
        }
        sights.sort_unstable();
        let mut offsets = Offsets::default();
        for (at, hash, capture) in sights {
            offsets.take(hash, Timestamp((1_000_000 + at) * MILLISECOND), capture);
        }
        offsets.record(1)
    }

    #[test]
    fn the_offset_of_two_points_is_told_within_the_time_between_them() {
        for offset in [0, 250, -250, 12_000] {
            let record = told(offset, 400).unwrap();
            assert!(
                (record.offset_us - offset * 1_000).abs() <= 3_000 && record.spread_us <= 3_000,
                "{offset}: {record:?}"
            );
            assert_eq!((record.against, record.packets), (0, 256));
        }
    }

    #[test]
    fn few_common_packets_and_repeats_in_one_capture_tell_nothing() {
        assert_eq!(told(250, 10), None);
        let mut offsets = Offsets::default();
        for number in 0..100 {
            offsets.take(8, Timestamp(number * SECOND), 0);
        }
        assert_eq!((offsets.record(0), offsets.record(1)), (None, None));
    }
}

//! Packets that several capture points saw: they count once, and show by how much the points' clocks differ.
//!
//! A packet that passes two points is known by its fingerprint ([`super::duplicate`]), which routers leave alone and address translation does not:
//! addresses, ports, sequence numbers and the first octets are in it. Whichever point shows a packet first counts it; the other's copy is left out, as a
//! mirror port's second copy is. So a flow that two points saw has each packet once, one that each saw half of is whole, and files that follow
//! each other lose nothing. Two equal packets of different captures are one packet where they have an IP identification or are TCP's; others
//! (UDP without one) may be asked twice, and only count as one where the captures are known to show the same packets.
//!
//! Rows of one flow that two points stamped cannot be put in order, nor halves of a handshake subtracted, where their clocks differ.
//! The median of the differences is the offset, which is reported; packets go both ways, so the time between the points widens the spread more
//! than it moves the median.
//!
//! Where the clocks differ by so much that [`PLACES`] packets pass in between, copies are not recognised any more and count twice.
//! Nothing is remembered of a single capture.

use std::collections::BTreeMap;

use crate::model::summary::ClockOffsetRecord;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Packets that are remembered: 1.5 MB, which only an analysis of several captures takes.
const PLACES: usize = 1 << 16;

/// Places that a packet may take. With one alone the next packet of that place would drive it out, which of a few hundred packets under way between
/// two clocks happens to one in a hundred.
const WAYS: usize = 4;

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
    places: Box<[[Place; WAYS]]>,
    pairs: BTreeMap<(u16, u16), Vec<Nanoseconds>>,
}

impl Offsets {
    /// Remembers packets from now on: there are several captures.
    pub(super) fn expect_several(&mut self) {
        if self.places.is_empty() {
            self.places = vec![[Place::default(); WAYS]; PLACES / WAYS].into_boxed_slice();
        }
    }

    /// Whether packets are remembered.
    #[inline]
    pub(super) const fn are_several(&self) -> bool {
        !self.places.is_empty()
    }

    /// Takes a packet; gives the other capture that showed it before, where it did. `is_unique` is whether no other packet is like it.
    pub(super) fn take(&mut self, hash: u64, is_unique: bool, at: Timestamp, capture: u16) -> Option<u16> {
        let set = self.places.get_mut((hash >> 3) as usize % (PLACES / WAYS))?;
        let elsewhere = set
            .iter()
            .find(|place| place.hash == hash && place.capture != capture);
        let same = elsewhere.map(|place| (*place, at.since(place.at)));
        let Some((before, passed)) = same.filter(|(_, passed)| passed.saturating_abs() <= FARTHEST) else {
            // Its own place where it came before, else that of the packet which waits longest.
            let taken = set
                .iter_mut()
                .min_by_key(|place| (place.hash != hash || place.capture != capture, place.at))?;
            *taken = Place { hash, at, capture };
            return None;
        };
        let (pair, difference) = if before.capture < capture {
            ((before.capture, capture), passed)
        } else {
            ((capture, before.capture), passed.saturating_neg())
        };
        if !is_unique {
            let is_known = self.pairs.get(&pair).is_some_and(|kept| kept.len() >= LEAST);
            return is_known.then_some(before.capture);
        }
        if self.pairs.len() < PAIRS || self.pairs.contains_key(&pair) {
            let kept = self.pairs.entry(pair).or_default();
            if kept.len() < KEPT {
                kept.push(difference);
            }
        }
        Some(before.capture)
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
        offsets.expect_several();
        let mut left_out = 0;
        for (at, hash, capture) in sights {
            let before = offsets.take(hash, true, Timestamp((1_000_000 + at) * MILLISECOND), capture);
            assert_ne!(before, Some(capture));
            left_out += u64::from(before.is_some());
        }
        assert_eq!(left_out, packets, "each packet counts once");
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
        offsets.expect_several();
        for number in 0..100 {
            assert_eq!(offsets.take(8, true, Timestamp(number * SECOND), 0), None);
        }
        assert_eq!((offsets.record(0), offsets.record(1)), (None, None));
    }

    #[test]
    fn what_may_be_sent_again_counts_once_only_where_captures_are_known_to_show_the_same() {
        let mut offsets = Offsets::default();
        offsets.expect_several();
        let mut sights = |hash: u64, is_unique| {
            [0, 1].map(|capture| {
                offsets.take(
                    hash * 8,
                    is_unique,
                    Timestamp(i64::try_from(hash).unwrap() * SECOND),
                    capture,
                )
            })
        };
        assert_eq!(sights(5_000, false), [None, None]);
        for hash in 1..=20 {
            assert_eq!(sights(hash, true), [None, Some(0)]);
        }
        assert_eq!(sights(6_000, false), [None, Some(0)]);
    }

    #[test]
    fn a_single_capture_is_not_remembered() {
        let mut offsets = Offsets::default();
        assert!(!offsets.are_several());
        assert_eq!(offsets.take(8, true, Timestamp(SECOND), 3), None);
        assert!(offsets.places.is_empty());
    }
}

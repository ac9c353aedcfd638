//! Quantiles of spans of time in fixed memory: counts in buckets whose width grows with the value.
//!
//! Every power of two of microseconds is cut into sixteen equal buckets, as in G. Tene's high dynamic range histogram, so a
//! bucket is never wider than a sixteenth of what it holds. Least, greatest and number of values are kept exactly.
//!
//! Only buckets that hold something take room: most sessions have the two round trips of a handshake, and tens of thousands
//! of them are held at once; a long one has some dozens.

use super::time::Nanoseconds;

/// Buckets of a power of two, as a power of two.
const PART_BITS: u32 = 4;

/// Buckets of a power of two.
const PARTS: u32 = 1 << PART_BITS;

/// Powers of two of microseconds that are told apart: up to 16.8 s.
const OCTAVES: u32 = 24;

/// Buckets in all: the first sixteen microseconds each have their own.
#[cfg(test)]
const BUCKETS: u32 = (OCTAVES - PART_BITS + 1) * PARTS;

/// The sketch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// Buckets that hold something, in order, and how many values.
    counts: Vec<(u16, u16)>,
    count: u32,
    least: u32,
    greatest: u32,
    last: u32,
    /// Sum of the differences between one value and the next, in microseconds.
    changes: u64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self {
            counts: Vec::new(),
            count: 0,
            least: u32::MAX,
            greatest: 0,
            last: 0,
            changes: 0,
        }
    }
}

/// What a sketch says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Number of values.
    pub count: u32,
    /// The least.
    pub least: Nanoseconds,
    /// The median.
    pub median: Nanoseconds,
    /// Nine of ten are no longer.
    pub ninth_decile: Nanoseconds,
    /// Mean difference between one value and the next, as the jitter of RFC 3550 (6.4.1) without its decay.
    pub jitter: Nanoseconds,
}

/// Bucket of a value in microseconds.
fn bucket(value: u32) -> u16 {
    let number = if value < PARTS {
        value
    } else {
        let octave = value.ilog2();
        let part = (value >> (octave - PART_BITS)) & (PARTS - 1);
        (octave - PART_BITS + 1) * PARTS + part
    };
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Least value of a bucket, in microseconds.
fn floor(bucket: u16) -> f64 {
    let bucket = u32::from(bucket);
    if bucket < PARTS {
        return f64::from(bucket);
    }
    let (octave, part) = (bucket / PARTS - 1, bucket % PARTS);
    f64::from(PARTS + part) * 2.0_f64.powi(i32::try_from(octave).unwrap_or(0))
}

/// A value in microseconds; none of a negative one (a clock that ran backwards), and the longest of what is longer than can be told apart.
fn micros(span: Nanoseconds) -> Option<u32> {
    let longest = (1_u32 << OCTAVES) - 1;
    (span >= 0).then(|| u32::try_from(span / 1_000).unwrap_or(u32::MAX).min(longest))
}

impl Quantiles {
    /// What a sketch of one value says.
    #[must_use]
    pub fn once(span: Nanoseconds) -> Option<Self> {
        let value = Nanoseconds::from(micros(span)?) * 1_000;
        Some(Self {
            count: 1,
            least: value,
            median: value,
            ninth_decile: value,
            jitter: 0,
        })
    }
}

impl Sketch {
    /// Takes a value; negative ones (a clock that ran backwards) are left out, longer ones than can be told apart count as the longest.
    pub fn add(&mut self, span: Nanoseconds) {
        let Some(value) = micros(span) else { return };
        if self.count > 0 {
            self.changes = self.changes.saturating_add(u64::from(value.abs_diff(self.last)));
        }
        self.last = value;
        self.count = self.count.saturating_add(1);
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        if self.counts.is_empty() {
            self.counts.reserve_exact(1);
        }
        let count = self.count_of(bucket(value));
        *count = count.saturating_add(1);
        if *count == u16::MAX {
            // Halved together, shares stay what they were.
            self.counts
                .iter_mut()
                .for_each(|(_, count)| *count = count.div_ceil(2));
        }
    }

    /// The count of a bucket, made where there is none.
    fn count_of(&mut self, bucket: u16) -> &mut u16 {
        let place = match self.counts.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => place,
            Err(place) => {
                self.counts.insert(place, (bucket, 0));
                place
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just now")]
        &mut self.counts[place].1
    }

    /// Adds another sketch's values.
    pub fn merge(&mut self, other: &Self) {
        let fits = other.counts.iter().all(|(bucket, more)| {
            let place = self.counts.binary_search_by_key(bucket, |(known, _)| *known);
            let count = place.ok().and_then(|place| self.counts.get(place));
            count.is_none_or(|(_, count)| count.checked_add(*more).is_some())
        });
        // Halved together, as when values are added.
        let share = |count: u16| if fits { count } else { count.div_ceil(2) };
        self.counts
            .iter_mut()
            .for_each(|(_, count)| *count = share(*count));
        for (bucket, more) in &other.counts {
            let count = self.count_of(*bucket);
            *count = count.saturating_add(share(*more));
        }
        self.count = self.count.saturating_add(other.count);
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.changes = self.changes.saturating_add(other.changes);
    }

    /// Number of values.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The least value.
    #[must_use]
    pub fn least(&self) -> Option<Nanoseconds> {
        (self.count > 0).then(|| Nanoseconds::from(self.least) * 1_000)
    }

    /// The value below which the share `share` (0 to 1) of all lies, within a sixteenth of it.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Nanoseconds> {
        if self.count > 0 && self.least == self.greatest {
            // As most sketches: of one handshake.
            return Some(Nanoseconds::from(self.least) * 1_000);
        }
        let kept: f64 = self.counts.iter().map(|(_, count)| f64::from(*count)).sum();
        if kept <= 0.0 {
            return None;
        }
        // A product that should be whole may come out a little above (.14 of 50): then it would lie among the next values.
        let wanted = share.clamp(0.0, 1.0) * kept * (1.0 - 4.0 * f64::EPSILON);
        let mut below = 0.0;
        for (bucket, count) in &self.counts {
            let count = f64::from(*count);
            if below + count >= wanted {
                let (from, to) = (floor(*bucket), floor(bucket.saturating_add(1)));
                let value = from + (to - from) * ((wanted - below) / count).clamp(0.0, 1.0);
                let value = value.clamp(f64::from(self.least), f64::from(self.greatest));
                #[expect(clippy::cast_possible_truncation, reason = "below 2^24 microseconds")]
                return Some((value * 1_000.0).round() as Nanoseconds);
            }
            below += count;
        }
        None
    }

    /// Share of the values below a span, 0 to 1, with buckets that it cuts in proportion; 0 of nothing.
    #[must_use]
    pub fn share_below(&self, span: Nanoseconds) -> f64 {
        let kept: f64 = self.counts.iter().map(|(_, count)| f64::from(*count)).sum();
        let limit = f64::from(u32::try_from(span / 1_000).unwrap_or(0));
        let below = self.counts.iter().map(|(bucket, count)| {
            let (from, to) = (floor(*bucket), floor(bucket.saturating_add(1)));
            f64::from(*count) * ((limit - from) / (to - from)).clamp(0.0, 1.0)
        });
        if kept > 0.0 {
            below.sum::<f64>() / kept
        } else {
            0.0
        }
    }

    /// All that records show; `None` of nothing.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        let changes = u64::from(self.count.saturating_sub(1)).max(1);
        Some(Quantiles {
            count: self.count,
            least: self.least()?,
            median: self.quantile(0.5)?,
            ninth_decile: self.quantile(0.9)?,
            jitter: i64::try_from(self.changes / changes)
                .unwrap_or(0)
                .saturating_mul(1_000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sketch of values in microseconds.
    fn sketch(values: &[u32]) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add(i64::from(*value) * 1_000);
        }
        sketch
    }

    #[test]
    fn every_value_lies_between_the_floors_of_its_bucket() {
        for value in (0..2_000).chain((0..OCTAVES).flat_map(|bit| [1 << bit, (1 << bit) - 1])) {
            let index = bucket(value);
            assert!(u32::from(index) < BUCKETS);
            assert!(
                floor(index) <= f64::from(value) && f64::from(value) < floor(index + 1),
                "{value}"
            );
        }
    }

    #[test]
    fn a_share_that_ends_with_a_value_does_not_reach_into_the_next() {
        for hundredths in 1_u32..100 {
            let (below, above) = (usize::try_from(hundredths).unwrap(), 100 - hundredths);
            let mut values = vec![10; below];
            values.extend(vec![1_000_000; usize::try_from(above).unwrap()]);
            let found = sketch(&values).quantile(f64::from(hundredths) / 100.0).unwrap();
            assert!(found <= 20_000, "{found} at {hundredths}");
        }
    }

    #[test]
    fn nothing_has_no_quantiles_and_a_clock_that_runs_back_adds_nothing() {
        let mut sketch = Sketch::default();
        sketch.add(-5);
        assert_eq!(sketch.quantiles(), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_sixteenth_of_the_true_ones(values in proptest::collection::vec(0u32..16_000_000, 1..400), hundredths in 0usize..=100) {
            let sketch = sketch(&values);
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
            let truth = i64::from(sorted[rank - 1]) * 1_000;
            let share = f64::from(u32::try_from(hundredths).unwrap()) / 100.0;
            let found = sketch.quantile(share).unwrap();
            prop_assert!((found - truth).abs() <= truth / 16 + 1_001, "{found} for {truth}");
            prop_assert_eq!(sketch.least(), sorted.first().map(|least| i64::from(*least) * 1_000));
        }

        #[test]
        fn the_share_below_a_span_is_within_a_bucket_of_the_true_one(values in proptest::collection::vec(0u32..100_000, 1..300), limit in 1u32..100_000) {
            let count = |limit: f64| values.iter().filter(|value| f64::from(**value) < limit).count();
            let share = |count: usize| f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(values.len()).unwrap());
            let found = sketch(&values).share_below(i64::from(limit) * 1_000);
            let limit = f64::from(limit);
            prop_assert!(found >= share(count(limit * 15.0 / 16.0 - 1.0)) - 1e-9);
            prop_assert!(found <= share(count(limit * 17.0 / 16.0 + 1.0)) + 1e-9);
        }

        #[test]
        fn many_values_keep_their_shares(low in 1i64..1_000, high in 2_000i64..1_000_000, times in 1usize..4) {
            let mut sketch = Sketch::default();
            for _ in 0..times * 50_000 {
                sketch.add(low * 1_000);
                sketch.add(high * 1_000);
            }
            prop_assert!(sketch.quantile(0.4).unwrap() < 1_100_000);
            prop_assert!(sketch.quantile(0.6).unwrap() >= 1_900_000);
        }

        #[test]
        fn a_merged_sketch_is_that_of_all_values(one in proptest::collection::vec(0u32..1 << 30, 0..50), other in proptest::collection::vec(0u32..1 << 30, 1..50)) {
            let mut merged = sketch(&one);
            merged.merge(&sketch(&other));
            let whole = sketch(&[one, other].concat());
            prop_assert_eq!(merged.quantile(0.5), whole.quantile(0.5));
            prop_assert_eq!(merged.least(), whole.least());
        }
    }
}

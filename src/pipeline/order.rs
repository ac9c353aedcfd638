//! The one order in which the events and the flows of all partitions are taken.

use crate::model::time::Timestamp;

/// A moment and what came then, by its place, in one number: sorted by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Placed(u128);

impl Placed {
    /// What came at a moment.
    pub(super) fn new(at: Timestamp, place: u64) -> Self {
        let at = u64::from_ne_bytes(at.0.to_ne_bytes()) ^ 1 << 63;
        Self(u128::from(at) << 64 | u128::from(place))
    }

    const fn moment(self) -> u128 {
        self.0 >> 64
    }

    /// The place.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) const fn place(self) -> u64 {
        self.0 as u64
    }
}

/// What is put in order: several runs, each of them nearly in order already. Memory is kept from one block to the next.
#[derive(Debug, Default)]
pub(super) struct Order {
    runs: Vec<Placed>,
    /// Where each run ends.
    ends: Vec<usize>,
    /// What they are merged into.
    merged: Vec<Placed>,
}

impl Order {
    /// Empties it for reuse.
    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.ends.clear();
    }

    /// Adds what one partition says, nearly in order.
    pub(super) fn add_run(&mut self, run: impl Iterator<Item = Placed>) {
        let start = self.runs.len();
        self.runs.extend(run);
        let run = self.runs.get_mut(start..).unwrap_or_default();
        if !run.is_sorted() {
            run.sort_unstable();
        }
        if !run.is_empty() {
            self.ends.push(self.runs.len());
        }
    }

    /// Merges each run with the next one.
    fn merge_pairs(&mut self) {
        self.merged.clear();
        self.merged.reserve(self.runs.len());
        let mut ends = Vec::with_capacity(self.ends.len().div_ceil(2));
        let mut start = 0;
        for pair in self.ends.chunks(2) {
            let middle = pair.first().copied().unwrap_or(start);
            let end = pair.last().copied().unwrap_or(middle);
            let one = self.runs.get(start..middle).unwrap_or_default();
            let other = self.runs.get(middle..end).unwrap_or_default();
            merge(one, other, &mut self.merged);
            ends.push(end);
            start = end;
        }
        self.ends = ends;
        std::mem::swap(&mut self.runs, &mut self.merged);
    }

    /// Everything in order of time, of one moment by what `further` says of a place, and then by the place.
    pub(super) fn merged<K: Ord>(&mut self, further: impl Fn(u64) -> K) -> &[Placed] {
        while self.ends.len() > 1 {
            self.merge_pairs();
        }
        for tied in self
            .runs
            .chunk_by_mut(|one, other| one.moment() == other.moment())
        {
            if tied.len() > 1 {
                tied.sort_by_key(|placed| further(placed.place()));
            }
        }
        &self.runs
    }
}

/// Merges two runs behind what is there.
fn merge(mut one: &[Placed], mut other: &[Placed], merged: &mut Vec<Placed>) {
    while let ([first, behind_first @ ..], [second, behind_second @ ..]) = (one, other) {
        if second < first {
            merged.push(*second);
            other = behind_second;
        } else {
            merged.push(*first);
            one = behind_first;
        }
    }
    merged.extend_from_slice(one);
    merged.extend_from_slice(other);
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn runs_come_in_one_order_whether_they_were_in_order_or_not(
            runs in proptest::collection::vec(proptest::collection::vec((-3i64..3, 0u8..3), 0..20), 0..9),
        ) {
            let all: Vec<(i64, u8)> = runs.iter().flatten().copied().collect();
            let mut order = Order::default();
            // What was there before leaves no trace.
            order.add_run([Placed::new(Timestamp(9), 9)].into_iter());
            order.clear();
            let mut places = 0u64..;
            for run in &runs {
                order.add_run(run.iter().zip(&mut places).map(|((at, _), place)| Placed::new(Timestamp(*at), place)));
            }
            let further = |place| all[usize::try_from(place).unwrap()].1;
            let merged: Vec<u64> = order.merged(further).iter().map(|placed| placed.place()).collect();
            let mut expected: Vec<u64> = (0..all.len() as u64).collect();
            expected.sort_by_key(|place| (all[usize::try_from(*place).unwrap()], *place));
            proptest::prop_assert_eq!(merged, expected);
        }
    }
}

//! Minutes since 1970: the grain in which activity is compared across machines.

use crate::model::profile::Minutes;
use crate::model::time::{SECOND, Timestamp};

/// The minutes that the intervals touch, sorted and without repetition. An interval of more than a week is cut.
#[must_use]
pub fn minutes(intervals: impl Iterator<Item = (Timestamp, Timestamp)>) -> Minutes {
    const LONGEST: i64 = 7 * 24 * 60;
    let minute = |at: Timestamp| at.0.div_euclid(60 * SECOND);
    let mut list: Minutes = Vec::new();
    for (start, end) in intervals {
        let first = minute(start);
        let last = minute(end.plus(-1)).max(first).min(first.saturating_add(LONGEST));
        list.extend((first..=last).filter_map(|minute| u32::try_from(minute).ok()));
    }
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_intervals_count_each_minute_once() {
        let at = |second: i64| Timestamp(second * SECOND);
        let list = minutes([(at(0), at(70)), (at(60), at(120)), (at(300), at(300))].into_iter());
        assert_eq!(list, [0, 1, 5]);
    }
}

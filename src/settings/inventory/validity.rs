//! Days in inventories: from when to when a row holds, and when its person travels.

use jiff::civil::Date;

use super::country;
use crate::model::egress::Travel;

/// What a day looks like, for faults.
pub(super) const DAY: &str = "a day such as 2026-03-01";

/// What a journey looks like, for faults.
pub(super) const TRAVEL: &str =
    "a journey such as 2026-03-01/2026-03-14 or 2026-03-01/2026-03-14 PT (country code of ISO 3166-1)";

/// A day since 1970 of `YYYY-MM-DD`.
pub(super) fn day(text: &str) -> Option<u32> {
    let date: Date = text.trim().parse().ok()?;
    let days = date.since(Date::new(1970, 1, 1).ok()?).ok()?.get_days();
    u32::try_from(days).ok()
}

/// First and last day (ISO 8601, 4.4), and where to.
pub(super) fn travel(text: &str) -> Option<Travel> {
    let (days, country) = match text.trim().split_once(' ') {
        Some((days, country)) => (days, Some(country::code(country.trim())?)),
        None => (text.trim(), None),
    };
    let (first, last) = days.split_once('/')?;
    let days = (day(first)?, day(last)?);
    (days.0 <= days.1).then_some(Travel { days, country })
}

/// Whether two spans of days, open where nothing is given, have a day in common.
pub(super) fn overlap(one: (Option<u32>, Option<u32>), other: (Option<u32>, Option<u32>)) -> bool {
    let begins_in_time = |from: Option<u32>, until: Option<u32>| match (from, until) {
        (Some(from), Some(until)) => from <= until,
        _ => true,
    };
    begins_in_time(one.0, other.1) && begins_in_time(other.0, one.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_journeys_are_read() {
        assert_eq!(day("1970-01-02"), Some(1));
        assert_eq!(day("2026-11-21"), Some(20_778));
        let there = travel("2026-11-21/2026-11-23 pt").unwrap();
        assert_eq!(
            (there.days, there.country.as_deref()),
            ((20_778, 20_780), Some("PT"))
        );
        assert_eq!(travel("2026-11-21/2026-11-21").unwrap().country, None);
        for wrong in [
            "2026-11-21",
            "2026-11-23/2026-11-21",
            "2026-11-21/2026-11-23 Portugal",
            "x/y",
        ] {
            assert_eq!(travel(wrong), None, "{wrong}");
        }
        assert_eq!(day("1969-12-31"), None);
    }

    #[test]
    fn spans_overlap_when_they_share_a_day() {
        assert!(overlap((Some(1), Some(5)), (Some(5), None)));
        assert!(!overlap((Some(1), Some(5)), (Some(6), None)));
        assert!(overlap((None, None), (Some(6), Some(7))));
        assert!(!overlap((Some(8), None), (None, Some(7))));
    }
}

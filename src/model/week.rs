//! Longer structure of somebody's hours: days of rest in the week, and whether the hours move when a zone's clocks are changed
//! (DETECTION 3.8).
//!
//! Both need weeks, and say so where there are too few. A change of clocks moves the hours of whoever lives by that zone by an hour against UTC,
//! and those of whoever lives by another zone not at all; that is compared, never where he is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::hours::{difference, mean, student};
use super::thresholds::THRESHOLDS;
use super::time::{SECOND, Timestamp};

/// Minutes of a day.
const DAY: u32 = 1_440;

/// Days of the week from Thursday on: the first of January 1970 was one.
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// What is said where there are too few days.
pub const TOO_FEW: &str = "not enough days";

/// A change of a zone's clocks, and how far the hours of whoever lives by it move against UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockChange {
    /// When.
    pub at: Timestamp,
    /// Hours by which they move: -1 where clocks are put forward.
    pub expected: f64,
}

/// What hours did at a change of clocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClockChangeRecord {
    /// When the declared zone's clocks were changed.
    pub at: Timestamp,
    /// Hours by which the hours of whoever lives by that zone move against UTC.
    pub expected_hours: f64,
    /// Hours by which they moved.
    pub moved_hours: f64,
    /// Half the width of the 95 % interval of that.
    pub interval_hours: f64,
    /// `follows`, `does_not_follow` or `undecided`.
    pub verdict: &'static str,
}

/// Day number of a minute, where a day has its middle at `centre` (hours UTC).
fn day(minute: u32, centre: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1440"
    )]
    let noon = (centre.rem_euclid(24.0) * 60.0) as u32;
    // A day is named by the UTC date of its middle.
    (minute + DAY / 2).saturating_sub(noon) / DAY
}

/// Active minutes by day.
fn by_day(minutes: &[u32], centre: f64) -> BTreeMap<u32, Vec<u32>> {
    let mut days: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for minute in minutes {
        days.entry(day(*minute, centre)).or_default().push(*minute);
    }
    days
}

/// Weekdays (of the UTC date of the middle of the hours) on which next to nothing was done; sorted minutes since 1970 and the hours'
/// centre. Days that were not watched are no days of rest.
pub fn rest_days(
    minutes: &[u32],
    centre: f64,
    is_watched: &dyn Fn(u32) -> bool,
) -> Result<Vec<&'static str>, &'static str> {
    let days = by_day(minutes, centre);
    let (Some(first), Some(last)) = (days.keys().next(), days.keys().next_back()) else {
        return Err(TOO_FEW);
    };
    if last - first + 1 < THRESHOLDS.week.least_span || days.len() < THRESHOLDS.week.least_active {
        return Err(TOO_FEW);
    }
    let mut sums = [(0.0, 0.0); 7];
    for number in (*first..=*last).filter(|number| is_watched(*number)) {
        let active = days.get(&number).map_or(0, Vec::len);
        if let Some((sum, count)) = sums.get_mut((number % 7) as usize) {
            *sum += f64::from(u32::try_from(active).unwrap_or(u32::MAX));
            *count += 1.0;
        }
    }
    if sums.iter().any(|(_, count)| *count < THRESHOLDS.week.least_seen) {
        return Err(TOO_FEW);
    }
    let usual = sums.map(|(sum, count)| sum / count);
    let mut sorted = usual;
    sorted.sort_by(f64::total_cmp);
    // With at most three days of rest the median is a working day.
    let [_, _, _, median, ..] = sorted;
    let named = WEEKDAYS.into_iter().zip(usual);
    Ok(named
        .filter(|(_, mean)| *mean < THRESHOLDS.week.rest * median)
        .map(|(name, _)| name)
        .collect())
}

/// Number, mean and variance.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let count = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|one| (one - mean).powi(2)).sum();
    (count, mean, squares / (count - 1.0))
}

/// Whether hours moved with a change of clocks: the daily centres before and behind it, by Welch's interval with the degrees of freedom of
/// the smaller side.
pub fn moved(minutes: &[u32], centre: f64, change: ClockChange) -> Result<ClockChangeRecord, &'static str> {
    let turn = u32::try_from(change.at.0.div_euclid(60 * SECOND)).map_err(|_| TOO_FEW)? / DAY;
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    for (number, active) in by_day(minutes, centre) {
        let Some((middle, _)) = mean(active.into_iter()) else {
            continue;
        };
        let side = if number < turn { &mut before } else { &mut behind };
        // Nobody knows on which side the day itself belongs.
        if number != turn && number.abs_diff(turn) <= THRESHOLDS.week.around {
            side.push(difference(centre, middle));
        }
    }
    if before.len().min(behind.len()) < THRESHOLDS.week.least_side {
        return Err(TOO_FEW);
    }
    let (first, was, spread) = moments(&before);
    let (second, is, other) = moments(&behind);
    let error = (spread / first + other / second).sqrt();
    let half = student(before.len().min(behind.len()) - 1) * error;
    let shift = is - was;
    let holds = |value: f64| (shift - value).abs() <= half;
    Ok(ClockChangeRecord {
        at: change.at,
        expected_hours: change.expected,
        moved_hours: (shift * 100.0).round() / 100.0,
        interval_hours: (half * 100.0).round() / 100.0,
        verdict: match (holds(change.expected), holds(0.0)) {
            (true, false) => "follows",
            (false, true) => "does_not_follow",
            _ => "undecided",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hours;

    /// Numbers of chance between 0 and 1, the same in every run (xorshift, Marsaglia 2003).
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
        }
    }

    /// A Thursday.
    const FIRST: u32 = 7 * 2_900;

    /// Eight hours on each day that `works`, from `start` minutes on, which moves by up to three quarters of an hour a day.
    fn weeks(
        days: u32,
        start: impl Fn(u32) -> f64,
        works: impl Fn(usize) -> bool,
        chance: &mut Chance,
    ) -> Vec<u32> {
        let mut minutes = Vec::new();
        for day in 0..days {
            let moved = (chance.next() - 0.5) * 90.0;
            #[expect(clippy::cast_possible_truncation, reason = "within a day or two")]
            let begin = i64::from((FIRST + day) * DAY) + (start(day) + moved) as i64;
            let is_work = works((day % 7) as usize);
            for minute in 0..480 {
                if is_work && chance.next() < 0.5 {
                    minutes.push(u32::try_from(begin + minute).unwrap());
                }
            }
        }
        minutes
    }

    fn change(day: u32, expected: f64) -> ClockChange {
        ClockChange {
            at: Timestamp::from_parts(i64::from(FIRST + day) * 86_400 + 25_200, 0),
            expected,
        }
    }

    fn centre(minutes: &[u32]) -> f64 {
        hours::of(minutes).unwrap().centre
    }

    #[test]
    fn days_of_rest_are_told_from_three_weeks_on() {
        let mut chance = Chance(77);
        let saturday_and_sunday = |weekday| weekday != 2 && weekday != 3;
        let list = weeks(28, |_| 900.0, saturday_and_sunday, &mut chance);
        assert_eq!(
            rest_days(&list, centre(&list), &|_| true),
            Ok(vec!["Saturday", "Sunday"])
        );
        let friday = weeks(28, |_| 900.0, |weekday| weekday != 1, &mut chance);
        assert_eq!(rest_days(&friday, centre(&friday), &|_| true), Ok(vec!["Friday"]));
        let every = weeks(28, |_| 900.0, |_| true, &mut chance);
        assert_eq!(rest_days(&every, centre(&every), &|_| true), Ok(Vec::new()));
        let short = weeks(14, |_| 900.0, saturday_and_sunday, &mut chance);
        assert_eq!(rest_days(&short, centre(&short), &|_| true), Err(TOO_FEW));
        assert_eq!(rest_days(&[], 12.0, &|_| true), Err(TOO_FEW));
        // No capture at week-ends: who works on every day has no day of rest for it.
        let working = weeks(28, |_| 900.0, saturday_and_sunday, &mut chance);
        let on_workdays = |day: u32| saturday_and_sunday((day % 7) as usize);
        assert_eq!(rest_days(&working, centre(&working), &on_workdays), Err(TOO_FEW));
    }

    #[test]
    fn a_day_of_rest_keeps_its_name_when_the_working_day_crosses_midnight() {
        let mut chance = Chance(5);
        // From 20:00 to 04:00, none that begins on Saturday evening: its middle is at midnight.
        let list = weeks(28, |_| 1_205.0, |weekday| weekday != 2, &mut chance);
        let rest = rest_days(&list, centre(&list), &|_| true).unwrap();
        assert_eq!(rest.len(), 1, "{rest:?}");
    }

    #[test]
    fn hours_follow_a_zones_clocks_or_do_not() {
        let workdays = |weekday| weekday != 2 && weekday != 3;
        let (mut wrong, mut decided) = (0, 0);
        for run in 1..=100_u64 {
            let mut chance = Chance(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(run));
            for follows in [true, false] {
                let start = |day: u32| if follows && day >= 24 { 840.0 } else { 900.0 };
                let list = weeks(48, start, workdays, &mut chance);
                let verdict = moved(&list, centre(&list), change(24, -1.0)).unwrap().verdict;
                let truth = if follows { "follows" } else { "does_not_follow" };
                decided += u32::from(verdict != "undecided");
                wrong += u32::from(verdict != "undecided" && verdict != truth);
            }
        }
        assert!(wrong <= 4 && decided >= 180, "{wrong} wrong of {decided} decided");
    }

    #[test]
    fn a_change_at_the_end_of_the_capture_says_that_there_are_not_enough_days() {
        let mut chance = Chance(9);
        let list = weeks(30, |_| 900.0, |_| true, &mut chance);
        assert_eq!(moved(&list, centre(&list), change(27, -1.0)), Err(TOO_FEW));
        assert_eq!(moved(&list, centre(&list), change(90, -1.0)), Err(TOO_FEW));
        assert!(moved(&list, centre(&list), change(15, -1.0)).is_ok());
    }
}

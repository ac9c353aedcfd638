//! Stretches of time in which captures ran: what happened outside them could not be missed, and was not absent either.
//!
//! Question: when may hours, presence and sessions be compared with a day? Answer: on days of which the working day was
//! watched nearly whole. On all others what was seen is what the capture's own hours let through.

use std::sync::Arc;

use serde::Deserialize;

use super::time::{SECOND, Timestamp};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// When a day counts as watched. By itself only one that was watched from midnight to midnight does.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayRule {
    /// Share of the working day that must have been watched.
    pub least_share: f64,
    /// Hours of a working day where none is declared.
    pub usual_hours: f64,
}

impl Default for DayRule {
    fn default() -> Self {
        Self {
            least_share: 1.0,
            usual_hours: 24.0,
        }
    }
}

/// The hours of the day in which somebody is declared to work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkingDay {
    /// Their middle in hours UTC, 0 to 24.
    pub noon_utc: f64,
    /// How many they are; nothing where only their middle is known.
    pub hours: Option<f64>,
}

impl WorkingDay {
    /// The middle in seconds of the day.
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 86400")]
    fn noon(self) -> i64 {
        (self.noon_utc.rem_euclid(24.0) * 3_600.0) as i64
    }

    /// The day to which a minute since 1970 belongs: the UTC date of the nearest middle.
    #[must_use]
    pub fn day_of(self, minute: u32) -> u32 {
        let second = i64::from(minute) * 60 + DAY / 2 - self.noon();
        u32::try_from(second.div_euclid(DAY)).unwrap_or(0)
    }

    /// When it begins and ends on a day.
    #[expect(clippy::cast_possible_truncation, reason = "at most a day")]
    fn span(self, day: u32, hours: f64) -> (Timestamp, Timestamp) {
        let middle = i64::from(day) * DAY + self.noon();
        let half = (hours.clamp(0.0, 24.0) * 1_800.0) as i64;
        (
            Timestamp::from_parts(middle - half, 0),
            Timestamp::from_parts(middle + half, 0),
        )
    }
}

/// Stretches, in order and apart. Cheap to copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretches {
    list: Arc<[(Timestamp, Timestamp)]>,
    rule: DayRule,
}

impl Stretches {
    /// Joins spans that overlap or touch.
    #[must_use]
    pub fn of(mut spans: Vec<(Timestamp, Timestamp)>) -> Self {
        spans.sort_unstable();
        let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (first, last) in spans {
            match joined.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        Self {
            list: joined.into(),
            rule: DayRule::default(),
        }
    }

    /// The same, whose days count by a rule.
    #[must_use]
    pub fn judged_by(self, rule: DayRule) -> Self {
        Self { rule, ..self }
    }

    /// Those that meet a span, whole, and those between them.
    #[must_use]
    pub fn meeting(&self, (from, to): (Timestamp, Timestamp)) -> Self {
        let first = self.list.partition_point(|(_, last)| *last < from);
        let behind = self.list.partition_point(|(first, _)| *first <= to);
        if first == 0 && behind == self.list.len() {
            return self.clone();
        }
        Self {
            list: self.list.get(first..behind).unwrap_or_default().into(),
            rule: self.rule,
        }
    }

    /// First and last moment of each.
    #[must_use]
    pub fn list(&self) -> &[(Timestamp, Timestamp)] {
        &self.list
    }

    /// Minutes that they last together.
    #[must_use]
    pub fn minutes(&self) -> f64 {
        let seconds = self
            .list
            .iter()
            .map(|(first, last)| (last.since(*first) / SECOND).max(0))
            .fold(0, i64::saturating_add);
        f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) / 60.0
    }

    /// When the stretch began that was under way at a moment.
    #[must_use]
    pub fn began(&self, at: Timestamp) -> Option<Timestamp> {
        let behind = self.list.partition_point(|(first, _)| *first <= at);
        let (first, last) = self.list.get(behind.checked_sub(1)?)?;
        (at <= *last).then_some(*first)
    }

    /// Seconds of a span that were watched.
    fn seconds_within(&self, (from, to): (Timestamp, Timestamp)) -> i64 {
        let start = self.list.partition_point(|(_, last)| *last < from);
        let rest = self.list.get(start..).unwrap_or_default().iter();
        rest.take_while(|(first, _)| *first <= to)
            .map(|(first, last)| (last.min(&to).since(*first.max(&from)) / SECOND).max(0))
            .fold(0, i64::saturating_add)
    }

    /// Whether a day was watched: nearly all of its working day, or where none is declared as many hours as one has, whichever
    /// those are.
    #[must_use]
    pub fn has_day(&self, day: u32, declared: Option<WorkingDay>) -> bool {
        let midnight = i64::from(day) * DAY;
        let (span, hours) = match declared {
            Some(declared) => {
                let hours = declared.hours.unwrap_or(self.rule.usual_hours);
                (declared.span(day, hours), hours)
            }
            None => (
                (
                    Timestamp::from_parts(midnight, 0),
                    Timestamp::from_parts(midnight + DAY, 0),
                ),
                self.rule.usual_hours,
            ),
        };
        let watched = f64::from(i32::try_from(self.seconds_within(span)).unwrap_or(i32::MAX));
        watched >= hours * 3_600.0 * self.rule.least_share
    }

    /// Of minutes since 1970 (sorted), those of days that were watched, with the number of such days.
    #[must_use]
    pub fn on_watched_days(&self, minutes: &[u32], declared: Option<WorkingDay>) -> (Vec<u32>, usize) {
        let day = |minute: &u32| declared.map_or(minute / 1_440, |declared| declared.day_of(*minute));
        let (mut kept, mut days) = (Vec::new(), 0_usize);
        for of_day in minutes.chunk_by(|one, other| day(one) == day(other)) {
            if of_day
                .first()
                .is_some_and(|minute| self.has_day(day(minute), declared))
            {
                kept.extend_from_slice(of_day);
                days = days.saturating_add(1);
            }
        }
        (kept, days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_parts(day * DAY + hour * 3_600 + minute * 60, 0)
    }

    const RULE: DayRule = DayRule {
        least_share: 0.9,
        usual_hours: 8.0,
    };

    /// The same hours of some days.
    fn daily(days: std::ops::Range<i64>, from: i64, to: i64) -> Stretches {
        Stretches::of(days.map(|day| (at(day, from, 0), at(day, to, 0))).collect()).judged_by(RULE)
    }

    #[test]
    fn stretches_are_joined_and_know_what_they_hold() {
        let stretches = Stretches::of(vec![
            (at(0, 0, 0), at(0, 1, 0)),
            (at(1, 1, 0), at(1, 2, 0)),
            (at(0, 0, 50), at(0, 1, 10)),
        ]);
        assert_eq!(
            stretches.list(),
            [(at(0, 0, 0), at(0, 1, 10)), (at(1, 1, 0), at(1, 2, 0))]
        );
        assert!((stretches.minutes() - 130.0).abs() < 1e-9);
        assert_eq!(stretches.began(at(0, 1, 5)), Some(at(0, 0, 0)));
        assert_eq!(stretches.began(at(0, 3, 0)), None);
        assert_eq!(
            stretches.meeting((at(0, 0, 5), at(0, 0, 6))).list(),
            [(at(0, 0, 0), at(0, 1, 10))]
        );
        assert_eq!(stretches.meeting((at(0, 0, 5), at(1, 1, 0))), stretches);
    }

    #[test]
    fn a_day_counts_where_its_declared_hours_were_watched_and_not_by_how_long_others_were() {
        // 09:00 to 17:00 in a zone six hours behind UTC.
        let chicago = Some(WorkingDay {
            noon_utc: 19.0,
            hours: Some(8.0),
        });
        assert!(daily(3..4, 15, 23).has_day(3, chicago));
        assert!(!daily(3..4, 15, 22).has_day(3, chicago));
        assert!(!daily(3..4, 0, 15).has_day(3, chicago));
        // Across midnight: the day is that of its middle.
        let night = Some(WorkingDay {
            noon_utc: 1.0,
            hours: Some(8.0),
        });
        let stretches = Stretches::of(vec![(at(3, 21, 0), at(4, 5, 0))]).judged_by(RULE);
        assert!(stretches.has_day(4, night) && !stretches.has_day(3, night));
    }

    #[test]
    fn without_declared_hours_as_many_must_have_been_watched_as_a_working_day_has() {
        let ninety_minutes =
            Stretches::of((0..9).map(|day| (at(day, 13, 0), at(day, 14, 30))).collect()).judged_by(RULE);
        assert!((0..9).all(|day| !ninety_minutes.has_day(day, None)));
        assert!(daily(0..9, 7, 15).has_day(4, None));
        let every_other = (0..12).map(|turn| (at(0, turn * 2, 0), at(0, turn * 2 + 1, 0)));
        assert!(
            Stretches::of(every_other.collect())
                .judged_by(RULE)
                .has_day(0, None),
            "12 h of 24"
        );
    }

    #[test]
    fn minutes_of_days_that_were_not_watched_are_left_out() {
        let stretches = Stretches::of(vec![
            (at(0, 0, 0), at(1, 0, 0)),
            (at(1, 13, 0), at(1, 14, 30)),
            (at(2, 0, 0), at(3, 0, 0)),
        ]);
        let minutes: Vec<u32> = (0..3).map(|day| day * 1_440 + 800).collect();
        assert_eq!(stretches.on_watched_days(&minutes, None), (vec![800, 3_680], 2));
        assert_eq!(
            Stretches::default().on_watched_days(&minutes, None),
            (Vec::new(), 0)
        );
    }
}

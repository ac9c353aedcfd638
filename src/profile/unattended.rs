//! Do sessions begin on a machine at which nobody is? Several a day on several days that begin without anybody there shortly before
//! are the pattern (DETECTION 4.1.2; `[rules.activity]`); a click of consent is not seen in traffic.

use std::collections::BTreeMap;

use super::MINUTES_A_DAY;
use super::personal::is_near;
use crate::model::finding::Activity;
use crate::model::profile::{Minutes, PersonalMinutes};
use crate::model::time::{SECOND, Timestamp};
use crate::model::watched::Stretches;
use crate::settings::rules::ActivityRules;

/// When somebody was at the machine or at its controls, and when nobody could have been seen there; all sorted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace<'a> {
    /// Minutes of activity at the machine.
    pub(super) active: &'a PersonalMinutes,
    /// Minutes in which somebody elsewhere was at the controls.
    pub(super) worked: &'a Minutes,
    /// Minutes that show nothing: what goes through a tunnel.
    pub(super) unseen: &'a Minutes,
}

/// Whether the sessions of these intervals (in order) have the pattern; `None` where there are too few to tell, or where activity
/// at the machine would not show. `watched` is when captures ran, `first_seen` when the machine was seen first.
pub(super) fn judge(
    intervals: &[(Timestamp, Timestamp, Activity)],
    trace: &Trace<'_>,
    watched: &Stretches,
    first_seen: Timestamp,
    rules: &ActivityRules,
) -> Option<bool> {
    let Trace {
        active,
        worked,
        unseen,
    } = *trace;
    let before = rules.unattended_minutes;
    if active.calls == 0 || active.is_cut {
        return None;
    }
    let minute = |at: Timestamp| u32::try_from(at.0.div_euclid(60 * SECOND)).unwrap_or(0);
    let local: Vec<u32> = active
        .minutes
        .iter()
        .copied()
        .filter(|one| !is_near(*one, worked, rules.margin_minutes))
        .collect();
    let mut days: BTreeMap<u32, [usize; 2]> = BTreeMap::new();
    let mut last_end: Option<u32> = None;
    for (start, end, state) in intervals {
        if !matches!(state, Activity::Driven | Activity::Viewed) {
            continue;
        }
        // What came before the capture began is not known; a session may have been under way.
        let begun = watched.began(*start).unwrap_or(*start).max(first_seen);
        let known_from = minute(begun).saturating_add(before);
        let (start, end) = (minute(*start), minute(*end));
        // A short pause is no new session.
        let is_new = last_end.is_none_or(|last| start > last.saturating_add(before));
        last_end = Some(last_end.map_or(end, |last| last.max(end)));
        if !is_new || start < known_from || is_shortly_before(unseen, start, before) {
            continue;
        }
        let is_attended = is_shortly_before(&local, start, before);
        let [all, alone] = days.entry(start / MINUTES_A_DAY).or_default();
        *all = all.saturating_add(1);
        *alone = alone.saturating_add(usize::from(!is_attended));
    }
    let with_enough = |of: fn(&[usize; 2]) -> usize| {
        let full = days
            .values()
            .filter(|counts| of(counts) >= rules.unattended_sessions);
        full.count() >= rules.unattended_days
    };
    with_enough(|[all, _]| *all).then(|| with_enough(|[_, alone]| *alone))
}

/// Whether one of these minutes (in order) lies before the start, and by no more than so many.
fn is_shortly_before(minutes: &[u32], start: u32, before: u32) -> bool {
    let from = minutes.partition_point(|one| one.saturating_add(before) < start);
    minutes.get(from).is_some_and(|one| *one < start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::rules::Rules;

    fn judge(
        intervals: &[(Timestamp, Timestamp, Activity)],
        active: &PersonalMinutes,
        worked: &Minutes,
        watched: &Stretches,
        first_seen: Timestamp,
    ) -> Option<bool> {
        super::judge(
            intervals,
            &Trace {
                active,
                worked,
                unseen: &Minutes::new(),
            },
            watched,
            first_seen,
            &Rules::shipped().activity,
        )
    }

    const DAY: i64 = 1_440;

    fn at(minute: i64) -> Timestamp {
        Timestamp(minute * 60 * SECOND)
    }

    fn always() -> Stretches {
        Stretches::of(vec![(at(0), at(100 * DAY))])
    }

    /// Sessions of twenty minutes at these hours of so many days.
    fn sessions(days: i64, hours: &[i64]) -> Vec<(Timestamp, Timestamp, Activity)> {
        let starts = (0..days).flat_map(|day| hours.iter().map(move |hour| day * DAY + hour * 60));
        starts
            .flat_map(|start| {
                [
                    (at(start), at(start + 15), Activity::Driven),
                    (at(start + 16), at(start + 20), Activity::Viewed),
                    (at(start + 21), at(start + 50), Activity::Idle),
                ]
            })
            .collect()
    }

    fn active(minutes: &[i64]) -> PersonalMinutes {
        PersonalMinutes {
            minutes: minutes
                .iter()
                .map(|minute| u32::try_from(*minute).unwrap())
                .collect(),
            calls: 500,
            is_cut: false,
        }
    }

    fn of(days: i64, hours: &[i64], minutes: &[i64]) -> Option<bool> {
        judge(
            &sessions(days, hours),
            &active(minutes),
            &Vec::new(),
            &always(),
            at(0),
        )
    }

    #[test]
    fn three_a_day_on_three_days_with_nobody_there_are_the_pattern() {
        assert_eq!(of(3, &[8, 10, 14], &[]), Some(true));
        assert_eq!(of(2, &[8, 10, 14], &[]), None, "two days");
        assert_eq!(of(9, &[8, 10], &[]), None, "two a day");
        // Somebody was there five minutes before one of the three.
        let there: Vec<i64> = (0..3).map(|day| day * DAY + 10 * 60 - 5).collect();
        assert_eq!(of(3, &[8, 10, 14], &there), Some(false));
        assert_eq!(of(3, &[8, 10, 14], &[10 * 60 - 11]), Some(true), "long before");
    }

    #[test]
    fn what_is_done_through_the_session_before_is_not_somebody_there() {
        let list = sessions(3, &[8, 10, 14]);
        let done: Vec<i64> = (0..3).map(|day| day * DAY + 10 * 60 - 5).collect();
        let shown: Minutes = done
            .iter()
            .map(|minute| u32::try_from(*minute).unwrap())
            .collect();
        assert_eq!(judge(&list, &active(&done), &shown, &always(), at(0)), Some(true));
    }

    #[test]
    fn one_session_of_a_day_is_not_four_because_the_capture_was_cut_into_hours() {
        // Driven without a pause from eight to five; captured every other hour.
        let hours = || (0..5).flat_map(|day| (8..17).step_by(2).map(move |hour| day * DAY + hour * 60));
        let list: Vec<_> = hours()
            .map(|start| (at(start), at(start + 60), Activity::Driven))
            .collect();
        let cut = Stretches::of(hours().map(|start| (at(start), at(start + 60))).collect());
        let of = |watched: &Stretches| judge(&list, &active(&[]), &Vec::new(), watched, at(8 * 60));
        assert_eq!(of(&cut), None);
        assert_eq!(of(&always()), Some(true), "the same, seen without a pause");
    }

    #[test]
    fn where_activity_does_not_show_nothing_is_said() {
        let list = sessions(3, &[8, 10, 14]);
        let blind = PersonalMinutes::default();
        assert_eq!(judge(&list, &blind, &Vec::new(), &always(), at(0)), None);
        // The first session was under way when the machine was first seen.
        assert_eq!(
            judge(&list, &active(&[]), &Vec::new(), &always(), at(8 * 60 - 3)),
            None
        );
    }

    #[test]
    fn what_a_tunnel_hid_before_a_session_is_no_absence() {
        let tunnel: Minutes = (0..4)
            .flat_map(|day| [9, 12, 15].map(|hour| day * 1_440 + hour * 60 - 1))
            .collect();
        let active = active(&[100, 101]);
        let of = |unseen: &Minutes| {
            super::judge(
                &sessions(4, &[9, 12, 15]),
                &Trace {
                    active: &active,
                    worked: &Minutes::new(),
                    unseen,
                },
                &always(),
                at(0),
                &Rules::shipped().activity,
            )
        };
        assert_eq!(of(&Minutes::new()), Some(true));
        assert_eq!(of(&tunnel), None);
    }
}

//! Hand-over test (C5): a session on one machine ends and one on the other begins at once, more often than chance has it.
//!
//! Chance: the same starts on other days, so that hours of work, shifts and breaks stay what they are (DETECTION 4.4: count against
//! the expectation by permuting day offsets). Other days are those on which captures ran and both were driven: on a day
//! without a capture, or a Sunday, nobody hands over anything, and chance would seem to have it less than it does.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::{HostProfile, Minutes};

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "handover",
    log_odds,
};

/// Minutes of a day.
const DAY: u32 = 1_440;

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let bounds = &scale.weights.handover;
    if !share_a_controller(one, other) {
        return None;
    }
    let (count, z) = statistic(
        &watched(one),
        &watched(other),
        bounds.pause_minutes,
        bounds.least_days,
    )?;
    let (nats, what) = if z > bounds.least_z && count >= bounds.least_count {
        (
            bounds.together,
            format!("driven by turns: {count} times one began within a minute of the other's end (z {z:.1})"),
        )
    } else {
        (
            0.0,
            format!("turns are no more frequent than by chance (z {z:.1})"),
        )
    };
    Some(Term { nats, what })
}

/// Whether nothing says that different controllers sat at the two: a hand-over is one person's.
fn share_a_controller(one: &HostProfile, other: &HostProfile) -> bool {
    let of = |profile: &HostProfile| -> Vec<String> {
        let sessions = profile.live_sessions();
        let controllers = sessions.flat_map(|session| &session.controllers);
        controllers.map(|controller| controller.id.clone()).collect()
    };
    let (first, second) = (of(one), of(other));
    first.is_empty() || second.is_empty() || first.iter().any(|id| second.contains(id))
}

/// First minutes of the stretches without a pause, and the minutes behind their last.
fn edges(minutes: &[u32], pause: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    let mut last: Option<u32> = None;
    for minute in minutes {
        if last.is_none_or(|last| minute.saturating_sub(last) > pause) {
            ends.extend(last.map(|last| last.saturating_add(1)));
            starts.push(*minute);
        }
        last = Some(*minute);
    }
    ends.extend(last.map(|last| last.saturating_add(1)));
    (starts, ends)
}

/// Ends that a start follows within a minute, in either direction, when the other's starts are moved by `shift` minutes within
/// the span of `length` minutes from `from` on.
fn count(
    one: &(Vec<u32>, Vec<u32>),
    other: &(Vec<u32>, Vec<u32>),
    from: u32,
    length: u32,
    shift: u32,
) -> u32 {
    let moved = |minute: &u32| from + (minute - from + shift) % length;
    let follows = |ends: &[u32], starts: &[u32]| {
        ends.iter()
            .filter(|end| starts.binary_search(end).is_ok() || starts.binary_search(&(**end + 1)).is_ok())
            .count()
    };
    let sorted = |list: &[u32]| {
        let mut list: Vec<u32> = list.iter().map(moved).collect();
        list.sort_unstable();
        list
    };
    let (starts, ends) = (sorted(&other.0), sorted(&other.1));
    u32::try_from(follows(&one.1, &starts) + follows(&ends, &one.0)).unwrap_or(u32::MAX)
}

/// Driven minutes of days that were watched.
fn watched(profile: &HostProfile) -> Minutes {
    profile.watched.on_watched_days(&profile.driven_minutes, None).0
}

/// The minutes of these days (sorted), as if the days followed each other from the first of all on.
fn joined(minutes: &[u32], days: &[u32]) -> Minutes {
    let on_days = minutes.iter().filter_map(|minute| {
        let number = days.binary_search(&(minute / DAY)).ok()?;
        Some(u32::try_from(number).ok()? * DAY + minute % DAY)
    });
    on_days.collect()
}

/// Hand-overs that were seen, and their excess over other offsets of days in standard deviations (of at least one event).
fn statistic(first: &Minutes, second: &Minutes, pause: u32, least_days: u32) -> Option<(u32, f64)> {
    let of = |minutes: &Minutes| -> Vec<u32> {
        let mut days: Vec<u32> = minutes.iter().map(|minute| minute / DAY).collect();
        days.dedup();
        days
    };
    let theirs = of(second);
    let mut both = of(first);
    both.retain(|day| theirs.binary_search(day).is_ok());
    let days = u32::try_from(both.len()).ok()?;
    if days < least_days {
        return None;
    }
    // The minute behind the last one may be the span's end.
    let length = days * DAY;
    let one = edges(&joined(first, &both), pause);
    let other = edges(&joined(second, &both), pause);
    let seen = count(&one, &other, 0, length, 0);
    let others: Vec<f64> = (1..days.min(64))
        .map(|day| f64::from(count(&one, &other, 0, length, day * DAY)))
        .collect();
    let number = f64::from(u32::try_from(others.len()).ok()?);
    let mean = others.iter().sum::<f64>() / number;
    let variance = others.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / number;
    // Counts of chance scatter at least as Poisson's do.
    Some((
        seen,
        (f64::from(seen) - mean) / variance.max(mean).max(1.0).sqrt(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five days of somebody who works at two machines by turns, for lengths of chance; or of two people.
    fn days(is_one_person: bool) -> (Minutes, Minutes) {
        let mut lists = (Vec::new(), Vec::new());
        let mut chance = 12_345_u32;
        let mut next = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            chance >> 16
        };
        for day in 0..6 {
            let start = (20_000 + day) * DAY + 540;
            let mut minute = start;
            let mut is_first = true;
            while minute < start + 480 {
                let length = 5 + next() % 25;
                let list = if is_first { &mut lists.0 } else { &mut lists.1 };
                list.extend(minute..minute + length);
                minute += length;
                is_first = !is_first;
            }
            if !is_one_person {
                // Another person with the same hours and his own rhythm.
                lists.1.retain(|minute| minute / DAY != 20_000 + day);
                let mut minute = start;
                while minute < start + 480 {
                    let length = 5 + next() % 25;
                    lists.1.extend(minute..minute + length);
                    minute += length + 5 + next() % 25;
                }
            }
        }
        lists
    }

    #[test]
    fn one_person_hands_over_far_more_often_than_chance_and_two_do_not() {
        let (first, second) = days(true);
        let (seen, z) = statistic(&first, &second, 2, 3).unwrap();
        assert!(seen > 60 && z > 4.0, "{seen} {z}");
        let (first, second) = days(false);
        let (_, z) = statistic(&first, &second, 2, 3).unwrap();
        assert!(z.abs() < 4.0, "{z}");
    }

    #[test]
    fn a_calendar_is_no_hand_over_however_far_its_days_lie_apart() {
        // Slots of an hour by the calendar, the same on each of these days: A at 9 and 11, B at 10 and 12.
        let slots = |days: &[u32], hours: [u32; 2]| -> Minutes {
            let starts = days
                .iter()
                .flat_map(|day| hours.map(|hour| (20_000 + day) * DAY + hour * 60));
            starts.flat_map(|start| start..start + 60).collect()
        };
        for days in [&[0, 1, 2][..], &[0, 9, 20], &[0, 2, 4, 7, 9, 11, 14, 16, 18]] {
            let (_, z) = statistic(&slots(days, [9, 11]), &slots(days, [10, 12]), 2, 3).unwrap();
            assert!(z.abs() < 1.0, "{days:?}: {z}");
        }
    }

    #[test]
    fn too_few_days_and_nobody_at_the_controls_say_nothing() {
        let (first, second) = days(true);
        assert_eq!(statistic(&first, &second, 2, 9), None);
        assert_eq!(statistic(&first, &Vec::new(), 2, 3), None);
    }

    #[test]
    fn short_pauses_end_no_stretch() {
        assert_eq!(edges(&[1, 2, 4, 9], 2), (vec![1, 9], vec![5, 10]));
    }
}

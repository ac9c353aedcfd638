//! A report that looks like a glance: an installed tool sends its log, or what it found, to the relay that its sessions go through, too.
//!
//! Question: does somebody look, or does the tool speak for itself? Ten seconds of it are the same from outside: octets go out, and
//! nothing comes in that a hand would send. But who looks stays; so a stretch of seconds between minutes of silence is no session. It is
//! asked only of tools whose both ends call a relay: where the machine itself is called, the call says that somebody came.

use super::activity_state::Judgement;
use crate::model::finding::Activity;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// What lasts as long as this is no glance.
const LOOK: Nanoseconds = 30 * SECOND;

/// Silence on both sides that sets a glance apart, and how much must have been seen of the session for its silence to say anything.
const APART: Nanoseconds = 120 * SECOND;

/// One interval of a judgement.
type Interval = (Timestamp, Timestamp, Activity);

/// The judgement with what was no more than a report taken for rest.
#[must_use]
pub(super) fn without(mut judged: Judgement) -> Judgement {
    let (Some((first, ..)), Some((_, last, _))) = (judged.intervals.first(), judged.intervals.last()) else {
        return judged;
    };
    if last.since(*first) < LOOK.saturating_add(APART) {
        return judged;
    }
    let is_lively = |state: Activity| matches!(state, Activity::Viewed | Activity::Driven);
    let lively: Vec<Interval> = judged
        .intervals
        .iter()
        .filter(|(.., state)| is_lively(*state))
        .copied()
        .collect();
    let mut glances = Vec::new();
    for stretch in lively.chunk_by(|(_, end, _), (start, ..)| start.since(*end) < APART) {
        let span = match (stretch.first(), stretch.last()) {
            (Some((start, ..)), Some((_, end, _))) => end.since(*start),
            _ => continue,
        };
        if span < LOOK && stretch.iter().all(|(.., state)| *state == Activity::Viewed) {
            glances.extend(stretch.iter().map(|(start, ..)| *start));
        }
    }
    if glances.is_empty() {
        return judged;
    }
    let mut intervals: Vec<Interval> = Vec::new();
    for (start, end, state) in judged.intervals {
        let state = if glances.contains(&start) {
            Activity::Idle
        } else {
            state
        };
        match intervals.last_mut() {
            Some((_, before, same)) if *same == state && start.since(*before) <= APART => *before = end,
            _ => intervals.push((start, end, state)),
        }
    }
    judged.intervals = intervals;
    judged.activity = judged.liveliest();
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Role;

    fn judgement(intervals: &[(i64, i64, Activity)]) -> Judgement {
        let at = |seconds: i64| Timestamp(seconds * SECOND);
        let mut judged = Judgement {
            role: Role::Unknown,
            activity: Activity::Unknown,
            intervals: intervals
                .iter()
                .map(|(start, end, state)| (at(*start), at(*end), *state))
                .collect(),
        };
        judged.activity = judged.liveliest();
        judged
    }

    #[test]
    fn seconds_between_minutes_of_silence_are_a_report() {
        use Activity::{Idle, Viewed};
        let judged = without(judgement(&[
            (0, 300, Idle),
            (300, 310, Viewed),
            (310, 900, Idle),
            (900, 920, Viewed),
            (920, 1_800, Idle),
        ]));
        assert_eq!(judged, judgement(&[(0, 1_800, Idle)]));
    }

    #[test]
    fn who_stays_who_comes_again_and_who_drives_is_no_report() {
        use Activity::{Driven, Idle, Viewed};
        for session in [
            &[(0, 300, Idle), (300, 340, Viewed), (340, 900, Idle)][..],
            &[
                (0, 300, Idle),
                (300, 310, Viewed),
                (310, 380, Idle),
                (380, 390, Viewed),
                (390, 900, Idle),
            ],
            &[(0, 300, Idle), (300, 310, Driven), (310, 900, Idle)],
            &[
                (0, 300, Idle),
                (300, 310, Viewed),
                (310, 320, Driven),
                (320, 900, Idle),
            ],
            // Of so short a capture the silence around it says nothing.
            &[(0, 60, Idle), (60, 80, Viewed)],
        ] {
            assert_eq!(without(judgement(session)), judgement(session));
        }
        assert_eq!(without(judgement(&[])), judgement(&[]));
    }
}

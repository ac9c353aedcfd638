//! A report that looks like a glance: an installed tool sends its log, or what it found, to the relay that its sessions go through, too.
//!
//! Question: does somebody look, or does the tool speak for itself? Ten seconds of it are the same from outside: octets go out, and
//! nothing comes in that a hand would send. But who looks stays; so a stretch of seconds between minutes of silence is no session. And a
//! screen that is sent changes more than once in ten seconds, each change after a receipt or a request, or it is a film; one burst and
//! one answer, however long that goes on, are figures that an agent reports. So are bursts of one size that come every few seconds for minutes:
//! what changes on a screen is not of one size, or it is a clock, and that changes every second. It is asked only of tools whose both ends call a relay: where
//! the machine itself is called, the call says that somebody came.

use super::activity_state::{Judgement, Window, Windows};
use super::thresholds::{Glance, THRESHOLDS};
use crate::model::finding::{Activity, Role};
use crate::model::flow::BIN;
use crate::model::time::{SECOND, Timestamp};

/// What is judgement here.
fn own() -> &'static Glance {
    &THRESHOLDS.glance
}

/// One interval of a judgement.
type Interval = (Timestamp, Timestamp, Activity);

/// The judgement with what was no more than a report taken for rest.
#[must_use]
pub(super) fn without(mut judged: Judgement, windows: &Windows) -> Judgement {
    if judged.role != Role::Controller {
        let mut reports: Vec<Timestamp> = Vec::new();
        for stretch in stretches(&judged) {
            // Who drives sees what changes, in one burst after the last of his keys.
            if stretch.iter().all(|(.., state)| *state == Activity::Viewed) {
                let of_reports = stretch
                    .iter()
                    .filter(|interval| is_of_reports(**interval, windows));
                reports.extend(of_reports.map(|(start, ..)| *start));
            }
        }
        judged = at_rest(judged, &reports);
    }
    without_glances(judged)
}

/// The intervals in which somebody looked or drove, in stretches with minutes of silence between them.
fn stretches(judged: &Judgement) -> Vec<Vec<Interval>> {
    let is_lively = |state: Activity| matches!(state, Activity::Viewed | Activity::Driven);
    let lively: Vec<Interval> = judged
        .intervals
        .iter()
        .filter(|(.., state)| is_lively(*state))
        .copied()
        .collect();
    lively
        .chunk_by(|(_, end, _), (start, ..)| start.since(*end) < own().apart_seconds.saturating_mul(SECOND))
        .map(<[Interval]>::to_vec)
        .collect()
}

/// Whether most of what went out in an interval of looking came in one burst in ten seconds, or in several as regular as a clockwork.
fn is_of_reports((start, end, state): Interval, windows: &Windows) -> bool {
    if state != Activity::Viewed {
        return false;
    }
    let number = |at: Timestamp| u32::try_from(at.0.div_euclid(BIN)).unwrap_or(0);
    let moving = windows
        .range(number(start)..number(end).max(number(start).saturating_add(1)))
        .map(|(_, window)| window)
        .filter(|window| !window.is_opening && window.out.bytes > 0);
    let is_burst = |window: &Window| window.out.turns <= 1 && window.out.bytes < own().film_octets;
    let (mut all, mut bursts) = (0usize, 0usize);
    for window in moving.clone() {
        all = all.saturating_add(1);
        bursts = bursts.saturating_add(usize::from(is_burst(window)));
    }
    bursts.saturating_mul(2) > all || all >= own().clockwork_windows && is_clockwork(moving)
}

/// Whether the same goes out every few seconds.
fn is_clockwork<'w>(windows: impl Iterator<Item = &'w Window>) -> bool {
    let (mut bursts, mut octets): (Vec<u32>, Vec<u64>) = windows
        .map(|window| {
            (
                window.out.turns,
                window.out.bytes / u64::from(window.out.turns.max(1)),
            )
        })
        .unzip();
    bursts.sort_unstable();
    octets.sort_unstable();
    let cut = bursts.len() / own().clockwork_differs.max(1);
    let inner = cut..bursts.len().saturating_sub(cut);
    let (Some([fewest, .., most]), Some([least, .., largest])) =
        (bursts.get(inner.clone()), octets.get(inner))
    else {
        return false;
    };
    let is_slow = *most <= own().clockwork_bursts && most.saturating_sub(*fewest) <= 1;
    let is_alike = largest.saturating_mul(2) <= least.saturating_mul(3);
    is_slow && is_alike && largest.saturating_mul((*most).into()) < own().film_octets
}

/// The judgement with the intervals that begin at these moments at rest.
fn at_rest(mut judged: Judgement, starts: &[Timestamp]) -> Judgement {
    if starts.is_empty() {
        return judged;
    }
    let mut intervals: Vec<Interval> = Vec::new();
    for (start, end, state) in judged.intervals {
        let state = if starts.contains(&start) {
            Activity::Idle
        } else {
            state
        };
        match intervals.last_mut() {
            Some((_, before, same))
                if *same == state && start.since(*before) <= own().apart_seconds.saturating_mul(SECOND) =>
            {
                *before = end;
            }
            _ => intervals.push((start, end, state)),
        }
    }
    judged.intervals = intervals;
    judged.activity = judged.liveliest();
    judged
}

/// The judgement with stretches of seconds between minutes of silence at rest.
fn without_glances(judged: Judgement) -> Judgement {
    let (Some((first, ..)), Some((_, last, _))) = (judged.intervals.first(), judged.intervals.last()) else {
        return judged;
    };
    if last.since(*first)
        < own()
            .look_seconds
            .saturating_mul(SECOND)
            .saturating_add(own().apart_seconds.saturating_mul(SECOND))
    {
        return judged;
    }
    let mut glances = Vec::new();
    for stretch in stretches(&judged) {
        let span = match (stretch.first(), stretch.last()) {
            (Some((start, ..)), Some((_, end, _))) => end.since(*start),
            _ => continue,
        };
        if span < own().look_seconds.saturating_mul(SECOND)
            && stretch.iter().all(|(.., state)| *state == Activity::Viewed)
        {
            glances.extend(stretch.iter().map(|(start, ..)| *start));
        }
    }
    at_rest(judged, &glances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::activity_state::Way;

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
        let judged = without_glances(judgement(&[
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
            assert_eq!(without_glances(judgement(session)), judgement(session));
        }
        assert_eq!(without_glances(judgement(&[])), judgement(&[]));
    }

    #[test]
    fn one_burst_in_ten_seconds_is_a_report_however_long_it_goes_on() {
        use Activity::{Idle, Viewed};
        let windows = |turns: u32, bytes: u64| -> Windows {
            let window = Window {
                out: Way {
                    bytes,
                    small: 0,
                    packets: 12,
                    turns,
                },
                ..Window::default()
            };
            (0..60).map(|number| (number, window)).collect()
        };
        let looking = || judgement(&[(0, 600, Viewed)]);
        assert_eq!(
            without(looking(), &windows(1, 12_000)),
            judgement(&[(0, 600, Idle)])
        );
        for screen in [windows(10, 12_000), windows(1, 400_000), windows(4, 400_000)] {
            assert_eq!(without(looking(), &screen), looking());
        }
        // Seen from who looks, what goes out is no screen.
        let viewer = Judgement {
            role: Role::Controller,
            ..looking()
        };
        assert_eq!(without(viewer.clone(), &windows(1, 12_000)), viewer);
    }

    #[test]
    fn bursts_of_one_size_every_few_seconds_are_a_report_and_what_varies_is_a_screen() {
        use Activity::{Idle, Viewed};
        // Every three seconds: three in a window and sometimes four, of two thousand octets and some.
        let windows = |number: u32, octets: fn(u32) -> u64| -> Windows {
            (0..number)
                .map(|place| {
                    let turns = if place % 3 == 0 { 4 } else { 3 };
                    let out = Way {
                        bytes: octets(place) * u64::from(turns),
                        packets: turns * 3,
                        turns,
                        small: 0,
                    };
                    (
                        place,
                        Window {
                            out,
                            ..Window::default()
                        },
                    )
                })
                .collect()
        };
        let looking = || judgement(&[(0, 600, Viewed)]);
        let alike: fn(u32) -> u64 = |place| 2_000 + u64::from(place % 7) * 100;
        let varied: fn(u32) -> u64 = |place| 2_000 + u64::from(place % 7) * 600;
        assert_eq!(
            without(looking(), &windows(60, alike)),
            judgement(&[(0, 600, Idle)])
        );
        assert_eq!(without(looking(), &windows(60, varied)), looking());
        let short = judgement(&[(0, 200, Viewed)]);
        assert_eq!(without(short.clone(), &windows(20, alike)), short);
        // What somebody drives is his screen, however regular it is.
        let driven = judgement(&[(0, 600, Viewed), (600, 610, Activity::Driven)]);
        assert_eq!(without(driven.clone(), &windows(60, alike)), driven);
    }
}

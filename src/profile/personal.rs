//! How much of what people do on a machine they do through remote sessions (DETECTION 4.1.3).

use std::collections::BTreeSet;

use super::MINUTES_A_DAY;
use crate::model::observable::Observable;
use crate::model::profile::{Coverage, LocalUse, Minutes, PersonalMinutes};
use crate::model::unseen::{Unseen, listed};
use crate::model::watched::{Stretches, WorkingDay};
use crate::settings::rules::ActivityRules;

/// What activity says.
#[derive(Clone, Debug)]
pub(super) struct Personal {
    pub(super) minutes: Observable<Minutes>,
    pub(super) coverage: Observable<Coverage>,
    pub(super) local_use: Observable<LocalUse>,
}

impl Personal {
    /// Nothing can be said, for this reason.
    pub(super) fn hidden(reason: &str) -> Self {
        Self {
            minutes: Observable::hidden(reason),
            coverage: Observable::hidden(reason),
            local_use: Observable::hidden(reason),
        }
    }
}

/// Whether a minute is one of those, or so many minutes beside one.
pub(super) fn is_near(minute: u32, sorted: &[u32], margin: u32) -> bool {
    let from = sorted.partition_point(|one| one.saturating_add(margin) < minute);
    sorted
        .get(from)
        .is_some_and(|one| *one <= minute.saturating_add(margin))
}

/// Minutes in which somebody elsewhere was there (both lists sorted).
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    /// Somebody elsewhere gave input, or worked through a KVM.
    pub(super) worked: &'a Minutes,
    /// The screen was sent, whether or not anybody gave input.
    pub(super) viewed: &'a Minutes,
    /// What captures could not show of the machine.
    pub(super) unseen: &'a Unseen,
}

/// How many minutes of activity fall where.
#[derive(Clone, Copy, Debug, Default)]
struct Split {
    /// Somebody elsewhere was at the controls.
    inside: usize,
    /// Nobody elsewhere had the screen.
    outside: usize,
    /// The screen was sent and nobody elsewhere had given input for a while: who looks on and who works may be two people.
    unclear: usize,
}

impl Split {
    fn of(minutes: &[u32], shown: &Shown<'_>, rules: &ActivityRules) -> Self {
        let mut split = Self::default();
        for minute in minutes {
            let is_shown = is_near(*minute, shown.viewed, rules.margin_minutes);
            let is_read = is_shown && is_near(*minute, shown.worked, rules.reading_minutes);
            let count = if is_read || is_near(*minute, shown.worked, rules.margin_minutes) {
                &mut split.inside
            } else if is_shown {
                &mut split.unclear
            } else {
                &mut split.outside
            };
            *count = count.saturating_add(1);
        }
        split
    }

    const fn told(self) -> usize {
        self.inside.saturating_add(self.outside)
    }
}

/// How many minutes show nothing: what went out was inside of something, nobody elsewhere had the screen, and no site was called by its name.
fn dark(active: &[u32], shown: &Shown<'_>, rules: &ActivityRules) -> usize {
    let is_told = |minute: u32| {
        [shown.worked, shown.viewed]
            .iter()
            .any(|list| is_near(minute, list, rules.margin_minutes))
            || active.binary_search(&minute).is_ok()
    };
    let minutes = shown.unseen.minutes.iter();
    minutes.filter(|minute| !is_told(**minute)).count()
}

/// Compares the minutes of activity with those in which somebody elsewhere was there. Of coverage, days count that were `watched`, by the
/// `declared` working day where there is one.
pub(super) fn judge(
    active: &PersonalMinutes,
    shown: &Shown<'_>,
    watched: &Stretches,
    declared: Option<WorkingDay>,
    rules: &ActivityRules,
) -> Personal {
    let hidden = Personal::hidden;
    if active.calls == 0 {
        return hidden("no connection to a named site was seen");
    }
    if active.is_cut {
        return hidden("more connections than could be remembered");
    }
    let all = Split::of(&active.minutes, shown, rules);
    let present = (all.outside >= rules.present_minutes).then_some(Observable::Observed(LocalUse::Present));
    let in_the_dark = dark(&active.minutes, shown, rules);
    let blind = (in_the_dark > all.told()).then(|| {
        hidden(&format!(
            "{in_the_dark} minutes outside of remote sessions went through {}, into which nobody sees, against {} of human activity that were seen",
            listed(&shown.unseen.carriers),
            all.told()
        ))
    });
    // What is hidden lies outside of sessions and can only lower the share: where most is outside already, it stays that.
    if let Some(blind) = &blind
        && all.inside > all.outside
    {
        return Personal {
            minutes: Observable::Observed(active.minutes.clone()),
            local_use: present.unwrap_or_else(|| blind.local_use.clone()),
            coverage: blind.coverage.clone(),
        };
    }
    let days: BTreeSet<u32> = active
        .minutes
        .iter()
        .map(|minute| minute / MINUTES_A_DAY)
        .collect();
    let hours: BTreeSet<u32> = active.minutes.iter().map(|minute| minute / 60).collect();
    if days.len() >= rules.restless_days && hours.len() >= days.len().saturating_mul(rules.restless_hours) {
        return hidden("the machine's connections never rest: people cannot be told from programs");
    }
    if active.minutes.len() < rules.least_minutes {
        return hidden(&format!(
            "fewer than {} minutes of human activity",
            rules.least_minutes
        ));
    }
    if all.told() < rules.least_minutes.max(all.unclear) {
        let blind =
            hidden("most human activity falls into minutes in which somebody looked on without input");
        return Personal {
            minutes: Observable::Observed(active.minutes.clone()),
            local_use: present.unwrap_or(blind.local_use),
            coverage: blind.coverage,
        };
    }
    let (on_watched, days) = watched.on_watched_days(&active.minutes, declared);
    // Without a whole day the share says what the capture's own hours say: it has no days.
    let split = if days > 0 {
        Split::of(&on_watched, shown, rules)
    } else {
        all
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Personal {
        minutes: Observable::Observed(active.minutes.clone()),
        coverage: Observable::Observed(Coverage {
            share: f64::from(count(split.inside)) / f64::from(count(split.told()).max(1)),
            active_minutes: count(split.told()),
            days: count(days),
        }),
        local_use: present.or(blind.map(|blind| blind.local_use)).unwrap_or(
            if all.outside <= rules.absent_minutes && all.unclear <= all.inside {
                Observable::Absent
            } else {
                Observable::Observed(LocalUse::Unclear)
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;
    use crate::settings::rules::Rules;

    fn judge(
        active: &PersonalMinutes,
        shown: &Shown<'_>,
        watched: &Stretches,
        declared: Option<WorkingDay>,
    ) -> Personal {
        super::judge(active, shown, watched, declared, &Rules::shipped().activity)
    }

    fn active(minutes: impl Iterator<Item = u32>) -> PersonalMinutes {
        let minutes: Minutes = minutes.collect();
        PersonalMinutes {
            calls: u32::try_from(minutes.len() * 2).unwrap(),
            minutes,
            is_cut: false,
        }
    }

    /// Somebody gave input in all of the minutes in which the screen was sent; captures ran without end.
    fn driven(active: &PersonalMinutes, minutes: &Minutes) -> Personal {
        let shown = Shown {
            worked: minutes,
            viewed: minutes,
            unseen: &Unseen::default(),
        };
        judge(active, &shown, &always(), None)
    }

    fn always() -> Stretches {
        Stretches::of(vec![(Timestamp::default(), Timestamp(i64::MAX))])
    }

    #[test]
    fn activity_inside_sessions_is_covered_and_nobody_sits_there() {
        let viewed: Minutes = (600..900).collect();
        let judged = driven(&active(590..890), &viewed);
        let coverage = judged.coverage.seen().copied().unwrap();
        assert!((coverage.share - 291.0 / 300.0).abs() < 1e-9);
        assert_eq!((coverage.active_minutes, coverage.days), (300, 1));
        assert_eq!(judged.local_use, Observable::Absent);
    }

    #[test]
    fn an_hour_outside_sessions_is_somebody_at_the_machine() {
        let judged = driven(&active(0..120), &(0..40).collect());
        assert_eq!(judged.local_use, Observable::Observed(LocalUse::Present));
        let judged = driven(&active(0..120), &(0..80).collect());
        assert_eq!(judged.local_use, Observable::Observed(LocalUse::Unclear));
    }

    #[test]
    fn whoever_works_at_a_screen_that_somebody_only_looks_at_may_well_sit_there() {
        let viewed: Minutes = (0..480).collect();
        let judged = judge(
            &active(10..300),
            &Shown {
                worked: &Vec::new(),
                viewed: &viewed,
                unseen: &Unseen::default(),
            },
            &always(),
            None,
        );
        assert!(judged.coverage.reason().is_some() && judged.local_use.reason().is_some());
        // Somebody also gives input at times: what is told rests on those minutes.
        let judged = judge(
            &active(10..300),
            &Shown {
                worked: &(10..200).collect(),
                viewed: &viewed,
                unseen: &Unseen::default(),
            },
            &always(),
            None,
        );
        let coverage = judged.coverage.seen().copied().unwrap();
        assert_eq!(
            (coverage.active_minutes, judged.local_use),
            (200, Observable::Absent)
        );
    }

    #[test]
    fn an_hour_and_a_half_a_day_is_no_day_of_coverage() {
        let day = |day: u32| day * MINUTES_A_DAY;
        let minutes: Minutes = (0..5)
            .flat_map(|number| day(number) + 780..day(number) + 870)
            .collect();
        let span = |number: u32, from: i64, to: i64| {
            let midnight = i64::from(number) * 86_400;
            (
                Timestamp::from_parts(midnight + from * 60, 0),
                Timestamp::from_parts(midnight + to * 60, 0),
            )
        };
        let cut = Stretches::of((0..5).map(|number| span(number, 780, 870)).collect())
            .judged_by(Rules::shipped().working_day);
        let whole = Stretches::of((0..5).map(|number| span(number, 540, 1_020)).collect())
            .judged_by(Rules::shipped().working_day);
        let shown = Shown {
            worked: &minutes,
            viewed: &minutes,
            unseen: &Unseen::default(),
        };
        let seen = active(minutes.iter().copied());
        let days = |watched: &Stretches, declared| {
            let judged = judge(&seen, &shown, watched, declared);
            judged.coverage.seen().map(|coverage| coverage.days)
        };
        assert_eq!((days(&cut, None), days(&whole, None)), (Some(0), Some(5)));
        // Eight hours, but not those that are declared.
        let night = WorkingDay {
            noon_utc: 1.0,
            hours: Some(8.0),
        };
        assert_eq!(days(&whole, Some(night)), Some(0));
    }

    #[test]
    fn too_little_and_too_much_say_nothing() {
        for seen in [
            PersonalMinutes::default(),
            active(0..30),
            active((0..3 * 24).map(|hour| hour * 60)),
            PersonalMinutes {
                is_cut: true,
                ..active(0..200)
            },
        ] {
            let judged = driven(&seen, &Vec::new());
            assert!(
                judged.coverage.reason().is_some() && judged.local_use.reason().is_some(),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn minutes_inside_of_tunnels_are_unknown_and_not_empty() {
        // An hour of the helpdesk, and the rest of the day in the employer's tunnel.
        let minutes: Minutes = (600..670).collect();
        let through = |minutes: std::ops::Range<u32>| Unseen {
            minutes: minutes.collect(),
            carriers: vec!["ipsec-esp".to_owned()],
            ..Unseen::default()
        };
        let of = |unseen: &Unseen, active: &PersonalMinutes| {
            let shown = Shown {
                worked: &minutes,
                viewed: &minutes,
                unseen,
            };
            judge(active, &shown, &always(), None)
        };
        let helped = active(minutes.iter().copied());
        let all_day = of(&through(675..1_000), &helped);
        let reason = all_day.coverage.reason().unwrap();
        assert!(
            reason.contains("325 minutes outside of remote sessions went through ipsec-esp"),
            "{reason}"
        );
        assert_eq!(all_day.local_use.reason(), Some(reason));
        // Beside a session a tunnel hides nobody, and fewer minutes than were seen change nothing.
        for few in [through(595..675), through(700..760)] {
            assert_eq!(of(&few, &helped).local_use, Observable::Absent);
        }
        // Who was seen at the machine was there, whatever else nobody saw.
        let both = active(minutes.iter().copied().chain(1_100..1_165));
        let seen = of(&through(675..1_000), &both);
        assert_eq!(seen.local_use, Observable::Observed(LocalUse::Present));
        assert_eq!(
            seen.coverage.state(),
            crate::model::evidence::State::NotObservable
        );
    }
}

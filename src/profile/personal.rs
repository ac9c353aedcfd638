//! How much of what people do on a machine they do through remote sessions (DETECTION 4.1.3).

use std::collections::BTreeSet;

use super::MINUTES_A_DAY;
use crate::model::observable::Observable;
use crate::model::profile::{Coverage, LocalUse, Minutes, PersonalMinutes};
use crate::settings::rules::ActivityRules;

/// What activity says.
#[derive(Clone, Debug)]
pub(super) struct Personal {
    pub(super) minutes: Observable<Minutes>,
    pub(super) coverage: Observable<Coverage>,
    pub(super) local_use: Observable<LocalUse>,
}

/// Whether a minute is one of those, or so many minutes beside one.
pub(super) fn is_near(minute: u32, sorted: &[u32], margin: u32) -> bool {
    let from = sorted.partition_point(|one| one.saturating_add(margin) < minute);
    sorted
        .get(from)
        .is_some_and(|one| *one <= minute.saturating_add(margin))
}

/// Compares the minutes of activity with those in which a session showed the screen (both sorted).
pub(super) fn judge(active: &PersonalMinutes, viewed: &Minutes, rules: &ActivityRules) -> Personal {
    let hidden = |reason: &str| Personal {
        minutes: Observable::hidden(reason),
        coverage: Observable::hidden(reason),
        local_use: Observable::hidden(reason),
    };
    if active.calls == 0 {
        return hidden("no connection to a named site was seen");
    }
    if active.is_cut {
        return hidden("more connections than could be remembered");
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
    let inside = active
        .minutes
        .iter()
        .filter(|minute| is_near(**minute, viewed, rules.margin_minutes))
        .count();
    let outside = active.minutes.len().saturating_sub(inside);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let total = count(active.minutes.len());
    Personal {
        minutes: Observable::Observed(active.minutes.clone()),
        coverage: Observable::Observed(Coverage {
            share: f64::from(count(inside)) / f64::from(total.max(1)),
            active_minutes: total,
            days: count(days.len()),
        }),
        local_use: if outside >= rules.present_minutes {
            Observable::Observed(LocalUse::Present)
        } else if outside <= rules.absent_minutes {
            Observable::Absent
        } else {
            Observable::Observed(LocalUse::Unclear)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::rules::Rules;

    fn judge(active: &PersonalMinutes, viewed: &Minutes) -> Personal {
        super::judge(active, viewed, &Rules::shipped().activity)
    }

    fn active(minutes: impl Iterator<Item = u32>) -> PersonalMinutes {
        let minutes: Minutes = minutes.collect();
        PersonalMinutes {
            calls: u32::try_from(minutes.len() * 2).unwrap(),
            minutes,
            is_cut: false,
        }
    }

    #[test]
    fn activity_inside_sessions_is_covered_and_nobody_sits_there() {
        let viewed: Minutes = (600..900).collect();
        let judged = judge(&active(590..890), &viewed);
        let coverage = judged.coverage.seen().copied().unwrap();
        assert!((coverage.share - 291.0 / 300.0).abs() < 1e-9);
        assert_eq!((coverage.active_minutes, coverage.days), (300, 1));
        assert_eq!(judged.local_use, Observable::Absent);
    }

    #[test]
    fn an_hour_outside_sessions_is_somebody_at_the_machine() {
        let judged = judge(&active(0..120), &(0..40).collect());
        assert_eq!(judged.local_use, Observable::Observed(LocalUse::Present));
        let judged = judge(&active(0..120), &(0..80).collect());
        assert_eq!(judged.local_use, Observable::Observed(LocalUse::Unclear));
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
            let judged = judge(&seen, &Vec::new());
            assert!(
                judged.coverage.reason().is_some() && judged.local_use.reason().is_some(),
                "{seen:?}"
            );
        }
    }
}

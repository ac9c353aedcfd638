//! Same room: machines that come up together more often than chance and habit have it, and IP KVMs on the same gateway.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::observable::Observable;
use crate::model::profile::HostProfile;
use crate::model::time::{SECOND, Timestamp};

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "physical",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let weights = &scale.weights.physical;
    let together = boots_together(one, other, i64::from(weights.boot_minutes));
    let kvms = common_kvms(one, other);
    if together.is_none() && kvms.is_none() {
        return None;
    }
    let mut said = Term {
        nats: 0.0,
        what: String::new(),
    };
    let mut reasons = Vec::new();
    if let Some(together) = together.filter(|together| together.chance < weights.boot_chance) {
        said.nats += weights.boots_together;
        reasons.push(format!(
            "they came up within {} minutes of each other {} of {} times, which neither chance nor the hour explains",
            weights.boot_minutes, together.times, together.of
        ));
    }
    if let Some(kvms) = kvms.filter(|kvms| !kvms.is_empty()) {
        said.nats += weights.kvm_on_gateway;
        reasons.push(format!("an IP KVM on the same gateway: {}", kvms.join(", ")));
    }
    said.what = if reasons.is_empty() {
        "nothing that ties them to one room".to_owned()
    } else {
        reasons.join("; ")
    };
    Some(said)
}

/// IP KVMs that both have on their gateway, or that one of them is on the other's; `None` if nobody looked.
fn common_kvms<'a>(one: &'a HostProfile, other: &'a HostProfile) -> Option<Vec<&'a str>> {
    let near = |profile: &'a HostProfile| match &profile.kvm.on_gateway {
        Observable::Observed(kvms) => Some(&**kvms),
        Observable::Absent => Some(&[][..]),
        Observable::NotObservable(_) => None,
    };
    for (profile, kvm) in [(one, other), (other, one)] {
        let found = near(profile).and_then(|kvms| kvms.iter().find(|near| near.host == kvm.host));
        if let Some(found) = found {
            return Some(vec![found.name.as_str()]);
        }
    }
    let (mine, yours) = (near(one)?, near(other)?);
    let shared = mine
        .iter()
        .filter(|kvm| yours.iter().any(|other| other.host == kvm.host));
    Some(shared.map(|kvm| kvm.name.as_str()).collect())
}

/// How often one came up together with the other, and how likely that is by chance.
struct Together {
    times: usize,
    of: usize,
    chance: f64,
}

/// Chance of at least as many common starts if neither knew of the other.
///
/// Each start of one may fall beside one of the other's by accident: where the other comes up at any moment of the days on which both
/// were seen, or by habit: where it comes up at about that hour on the other days too. The larger of the two counts, so that two people
/// who both begin at eight show nothing, and a house in which everything comes back after a power cut shows one coincidence and no more. The
/// number of hits is then a sum of unequal coin tosses, whose tail is counted exactly.
fn boots_together(one: &HostProfile, other: &HostProfile, minutes: i64) -> Option<Together> {
    let (mine, yours) = (one.boots.seen()?, other.boots.seen()?);
    let days: Vec<u32> = (one.days.iter())
        .filter(|day| other.days.binary_search(day).is_ok())
        .copied()
        .collect();
    let (first, last) = (*days.first()?, *days.last()?);
    let within = minutes.saturating_mul(60 * SECOND);
    let near = |moment: Timestamp| {
        yours
            .iter()
            .any(|other| moment.since(*other).saturating_abs() <= within)
    };
    let recent = mine.len().saturating_sub(MOST_STARTS);
    let mine = mine.get(recent..)?;
    let days = i64::from(last.saturating_sub(first)).saturating_add(1);
    let accident = 2.0 * number(minutes) * number(yours.len()) / (number(days) * 1_440.0);
    let habit = |moment: Timestamp| {
        let own = moment.0.div_euclid(DAY);
        let others: Vec<i64> = (i64::from(first)..=i64::from(last))
            .filter(|day| *day != own)
            .collect();
        let hits = others
            .iter()
            .filter(|day| near(moment.plus(day.saturating_sub(own).saturating_mul(DAY))))
            .count();
        number(hits) / number(others.len().max(1))
    };
    let chances: Vec<f64> = mine
        .iter()
        .map(|moment| accident.max(habit(*moment)).min(1.0))
        .collect();
    let times = mine.iter().filter(|moment| near(**moment)).count();
    Some(Together {
        times,
        of: mine.len(),
        chance: tail(&chances, times),
    })
}

/// Starts of one machine that are compared, the latest: comparing is quadratic.
const MOST_STARTS: usize = 64;

/// Nanoseconds of a day.
const DAY: i64 = 86_400 * SECOND;

/// A small number; what is too large for exact arithmetic is as large as it needs to be.
fn number(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

/// Chance that at least so many of independent events with these chances happen (Poisson binomial, by its recursion).
fn tail(chances: &[f64], least: usize) -> f64 {
    // How likely it is that so many happened; the last place gathers `least` and more.
    let mut counts = vec![0.0; least.saturating_add(1)];
    if let Some(none) = counts.first_mut() {
        *none = 1.0;
    }
    for chance in chances {
        let mut before = 0.0;
        for (place, count) in counts.iter_mut().enumerate() {
            let now = *count;
            let stays = if place == least { now } else { now * (1.0 - chance) };
            *count = stays + before * chance;
            before = now;
        }
    }
    counts.last().copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_fair_coin_is_as_in_the_tables() {
        assert!((tail(&[0.5; 4], 3) - 5.0 / 16.0).abs() < 1e-12);
        assert!((tail(&[0.5; 4], 0) - 1.0).abs() < 1e-12);
        assert!((tail(&[0.1, 0.2], 1) - 0.28).abs() < 1e-12);
        assert!((tail(&[0.1, 0.2], 2) - 0.02).abs() < 1e-12);
    }

    /// A machine that was there on ten days and came up at these (day, minute of the day).
    fn machine(starts: &[(i64, i64)]) -> HostProfile {
        HostProfile {
            boots: Observable::Observed(
                starts
                    .iter()
                    .map(|(day, minute)| Timestamp::from_parts((20_000 + day) * 86_400 + minute * 60, 0))
                    .collect(),
            ),
            days: (20_000..20_010).collect(),
            ..HostProfile::default()
        }
    }

    fn chance(one: &[(i64, i64)], other: &[(i64, i64)]) -> f64 {
        boots_together(&machine(one), &machine(other), 10).unwrap().chance
    }

    #[test]
    fn starts_at_odd_hours_together_are_no_chance_and_a_power_cut_is() {
        let restarted = [(0, 700), (2, 190), (5, 1_130)];
        let a_little_later = restarted.map(|(day, minute)| (day, minute + 4));
        assert!(chance(&restarted, &a_little_later) < 1e-4);
        let elsewhere = restarted.map(|(day, minute)| (day, minute + 200));
        assert!(chance(&restarted, &elsewhere) > 0.5);
        // Everything in the house comes back once.
        assert!(chance(&[(4, 333)], &[(4, 335)]) > 1e-3);
    }

    #[test]
    fn an_office_that_opens_every_morning_says_nothing() {
        let morning = |shift: i64| -> Vec<(i64, i64)> {
            (0..10).map(|day| (day, 480 + (day * 7 + shift) % 13)).collect()
        };
        assert!(chance(&morning(0), &morning(5)) > 0.1);
        // Two restarts beside the mornings are still seen.
        let restarted = |shift: i64| {
            let mut starts = morning(shift);
            starts.extend([(3, 1_000 + shift), (6, 90 + shift), (8, 1_250 + shift)]);
            starts.sort_unstable();
            starts
        };
        assert!(chance(&restarted(0), &restarted(5)) < 1e-4);
    }
}

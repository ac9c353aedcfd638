//! Same room: machines that boot together more often than chance, and IP KVMs on the same gateway.

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
    let chance = boots_by_chance(one, other, i64::from(weights.boot_minutes));
    let kvms = common_kvms(one, other);
    if chance.is_none() && kvms.is_none() {
        return None;
    }
    let mut said = Term {
        nats: 0.0,
        what: String::new(),
    };
    let mut reasons = Vec::new();
    if chance.is_some_and(|chance| chance < weights.boot_chance) {
        said.nats += weights.boots_together;
        reasons.push("they boot together".to_owned());
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

/// Chance of at least as many common boots if both booted at random moments of the active days (binomial tail).
fn boots_by_chance(one: &HostProfile, other: &HostProfile, minutes: i64) -> Option<f64> {
    let (mine, yours) = (one.boots.seen()?, other.boots.seen()?);
    let days = f64::from(u32::try_from(one.days.len().min(other.days.len())).ok()?);
    if days < 1.0 || mine.is_empty() || yours.is_empty() {
        return None;
    }
    let near = |boot: &Timestamp| {
        yours
            .iter()
            .any(|other| boot.since(*other).saturating_abs() <= minutes.saturating_mul(60 * SECOND))
    };
    let together = u32::try_from(mine.iter().filter(|boot| near(boot)).count()).ok()?;
    let boots = u32::try_from(mine.len()).ok()?;
    let span = 2.0 * f64::from(i32::try_from(minutes).ok()?);
    let hit = (f64::from(u32::try_from(yours.len()).ok()?) * span / (days * 1_440.0)).min(1.0);
    Some(tail(boots, together, hit))
}

/// `P(X >= least)` of a binomial distribution.
fn tail(trials: u32, least: u32, hit: f64) -> f64 {
    if least == 0 || hit >= 1.0 {
        return 1.0;
    }
    let mut sum = 0.0;
    let mut term = (1.0 - hit).powi(i32::try_from(trials).unwrap_or(i32::MAX));
    for successes in 0..=trials {
        if successes >= least {
            sum += term;
        }
        term *= f64::from(trials - successes) / f64::from(successes + 1) * hit / (1.0 - hit);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_fair_coin_is_as_in_the_tables() {
        assert!((tail(4, 3, 0.5) - 5.0 / 16.0).abs() < 1e-12);
        assert!((tail(4, 0, 0.5) - 1.0).abs() < 1e-12);
        assert!(tail(3, 3, 20.0 / 1_440.0) < 1e-4);
    }
}

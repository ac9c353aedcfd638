//! Schedule: how far the hours must be moved to make one day's pattern into the other's.
//!
//! A capture of one afternoon shows every host in the same hours: below the least number of days it says nothing.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::HostProfile;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "schedule",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let weights = &scale.weights.schedule;
    let days = u32::try_from(one.days.len().min(other.days.len())).ok()?;
    if days < weights.least_days {
        return None;
    }
    let hours = distance(one.hours.seen()?, other.hours.seen()?)?;
    let alike = (1.0 - hours / weights.distance_hours).clamp(-1.0, 1.0);
    let nats = weights.floor + f64::midpoint(alike, 1.0) * (weights.ceiling - weights.floor);
    Some(Term {
        nats,
        what: format!("driven in hours that lie {hours:.1} h apart"),
    })
}

/// Earth mover's distance on the circle of 24 hours: the sum of differences of the running sums from their median.
fn distance(first: &[u32; 24], second: &[u32; 24]) -> Option<f64> {
    let (all_first, all_second) = (total(first), total(second));
    if all_first <= 0.0 || all_second <= 0.0 {
        return None;
    }
    let mut running = 0.0;
    let mut sums: Vec<f64> = first
        .iter()
        .zip(second)
        .map(|(one, other)| {
            running += f64::from(*one) / all_first - f64::from(*other) / all_second;
            running
        })
        .collect();
    sums.sort_by(f64::total_cmp);
    let median = *sums.get(sums.len() / 2)?;
    Some(sums.iter().map(|sum| (sum - median).abs()).sum())
}

fn total(hours: &[u32; 24]) -> f64 {
    hours.iter().map(|minutes| f64::from(*minutes)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_goes_round_midnight_the_short_way() {
        let at = |hour: usize| {
            let mut hours = [0; 24];
            hours[hour] = 60;
            hours
        };
        assert!((distance(&at(23), &at(2)).unwrap() - 3.0).abs() < 1e-9);
        assert!((distance(&at(0), &at(12)).unwrap() - 12.0).abs() < 1e-9);
        assert_eq!(distance(&at(0), &[0; 24]), None);
    }
}

//! One machine that goes out from several countries, again and again.
//!
//! A journey leads from one country to another and perhaps back; who changes between two day by day has two lines, or an
//! exit in one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Contradiction, Placed, Standing, by_day, placed, source, standing};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::model::finding::{Confidence, Finding};

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct SeveralCountries;

impl Conclusion for SeveralCountries {
    fn conclude(&self, hosts: &[HostView], _: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        hosts.iter().filter_map(|host| of_host(host, knowledge)).collect()
    }
}

fn of_host(host: &HostView, knowledge: &Knowledge<'_>) -> Option<Finding> {
    // Most machines have one public address or none.
    if host.public.len() < 2 {
        return None;
    }
    let mut sights = placed(host, knowledge);
    sights.retain(|sight| {
        sight.place.country.is_some() && matches!(standing(&sight.place), Standing::Line | Standing::Unknown)
    });
    // Databases may place the two families of one line apart.
    let fours = sights.iter().filter(|sight| sight.own.address.is_v4()).count();
    let is_v4 = fours.saturating_mul(2) >= sights.len();
    sights.retain(|sight| sight.own.address.is_v4() == is_v4);
    let country = |sight: &Placed<'_>| sight.place.country;
    if sights
        .iter()
        .map(country)
        .all(|one| one == sights.first().and_then(country))
    {
        return None;
    }
    let days = by_day(host, &sights);
    let by_country: BTreeMap<u32, BTreeSet<String>> = days
        .iter()
        .map(|(day, seen)| (*day, seen.iter().filter_map(|sight| sight.country()).collect()))
        .collect();
    let countries: BTreeSet<&String> = by_country.values().flatten().collect();
    if countries.len() < 2 {
        return None;
    }
    // Days with one country, one after the other.
    let single: Vec<&String> = by_country
        .values()
        .filter(|seen| seen.len() == 1)
        .filter_map(|seen| seen.first())
        .collect();
    let changes = single
        .iter()
        .zip(single.iter().skip(1))
        .filter(|(one, other)| one != other)
        .count();
    let are_lines = sights
        .iter()
        .all(|sight| standing(&sight.place) == Standing::Line);
    let is_default = sights.iter().any(|sight| sight.place.country_is_default());
    let rules = &knowledge.rules.findings.place;
    let is_sure = changes >= rules.many_changes && are_lines && !is_default;
    let mut order: Vec<&Placed<'_>> = sights.iter().collect();
    order.sort_by_key(|sight| (sight.own.seen.span().0, sight.own.address));
    let mut shown: Vec<String> = Vec::new();
    let mut named: BTreeSet<String> = BTreeSet::new();
    for sight in &order {
        let country = sight.country().unwrap_or_default();
        if named.insert(country.clone()) && shown.len() < 6 {
            shown.push(format!(
                "{country} ({}, by {})",
                sight.own.address,
                source(&sight.place)
            ));
        }
    }
    let latest = order.last()?;
    Some(
        Contradiction {
            host,
            measure: "several_countries",
            key: String::new(),
            at: order.first()?.own.seen.span().0,
            last: order.iter().map(|sight| sight.own.seen.span().1).max()?,
            what: format!(
                "its public addresses are placed in {} countries: {}; the country changed {changes} times from one day to another",
                countries.len(),
                shown.join(", ")
            ),
            note: None,
            benign: "journeys, life near a border, a VPN that is used now and then, an address that the database places wrongly",
            weight: if is_sure { rules.several_countries } else { rules.weak },
            confidence: if is_sure { Confidence::Medium } else { Confidence::Low },
            frames: latest.frames(),
            address: Some(latest.own.address),
            place: Some(&latest.place),
            claimed_country: host
                .asset
                .as_ref()
                .and_then(|asset| asset.record.country.clone())
                .unwrap_or_default(),
            gap_km: None,
            days: [by_country.values().filter(|seen| seen.len() > 1).count(), days.len()],
            sanctioned: None,
            session: None,
        }
        .into_finding(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::place::samples::{Sample, World};

    fn found(sample: Sample) -> Option<Confidence> {
        let list = World::new().conclude(&SeveralCountries, &[sample.host()]);
        list.first().map(|finding| finding.confidence)
    }

    #[test]
    fn to_and_fro_between_two_lines_is_no_journey() {
        let both = |home: &[u32], away: &[u32]| {
            Sample::of("US")
                .goes_out("192.0.2.150", home)
                .goes_out("203.0.113.150", away)
        };
        assert_eq!(found(both(&[1, 3, 5], &[2, 4])), Some(Confidence::Medium));
        assert_eq!(found(both(&[1, 2, 5], &[3, 4])), Some(Confidence::Low));
        assert_eq!(found(Sample::of("US").goes_out("192.0.2.150", &[1, 2, 3])), None);
    }

    #[test]
    fn exits_carriers_and_two_families_are_no_second_country() {
        for other in ["203.0.113.100", "203.0.113.200"] {
            let sample = Sample::of("US")
                .goes_out("192.0.2.150", &[1, 3, 5])
                .goes_out(other, &[2, 4, 6]);
            assert_eq!(found(sample), None, "{other}");
        }
        let unknown = Sample::of("US")
            .goes_out("192.0.2.9", &[1, 3, 5])
            .goes_out("203.0.113.9", &[2, 4]);
        assert_eq!(found(unknown), Some(Confidence::Low));
    }
}

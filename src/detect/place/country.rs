//! A machine whose own public address is in another country than its inventory row says, day after day (DETECTION 4.2, H8).
//!
//! Days count, not packets, and of those only the ones on which the row holds and no journey is declared. A day on which an
//! address in the claimed country was seen too contradicts nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Contradiction, Placed, Standing, by_day, claimed_coordinates, is_lasting, placed, source, standing,
};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::model::finding::{Confidence, Finding};
use crate::settings::rules::Place as PlaceRules;

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct OtherCountry;

impl Conclusion for OtherCountry {
    fn conclude(&self, hosts: &[HostView], _: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        hosts.iter().flat_map(|host| of_host(host, knowledge)).collect()
    }
}

fn of_host(host: &HostView, knowledge: &Knowledge<'_>) -> Vec<Finding> {
    let Some(claimed) = host.asset.as_ref().and_then(|asset| asset.record.country.clone()) else {
        return Vec::new();
    };
    let rules = &knowledge.rules.findings.place;
    let mut sights = placed(host, knowledge);
    sights.retain(|sight| sight.place.country.is_some());
    let days = by_day(host, &sights);
    let is_claimed = |sight: &Placed<'_>| {
        sight
            .country()
            .is_some_and(|seen| seen.eq_ignore_ascii_case(&claimed))
    };
    let mut elsewhere: BTreeMap<String, Elsewhere<'_>> = BTreeMap::new();
    for (day, seen) in &days {
        if seen.iter().any(|sight| is_claimed(sight)) {
            continue;
        }
        for sight in seen {
            let there = elsewhere.entry(sight.country().unwrap_or_default()).or_default();
            there.days.insert(*day);
            if is_telling(sight) {
                there.telling_days.insert(*day);
            }
            if !there.addresses.iter().any(|known| std::ptr::eq(*known, *sight)) {
                there.addresses.push(sight);
            }
        }
    }
    elsewhere
        .into_iter()
        .filter_map(|(seen, there)| mismatch(host, &claimed, &seen, &there, days.len(), rules))
        .collect()
}

/// What places a host in one country that is not the claimed one.
#[derive(Default)]
struct Elsewhere<'a> {
    days: BTreeSet<u32>,
    /// Those of its days on which an address says so that tells where people are.
    telling_days: BTreeSet<u32>,
    addresses: Vec<&'a Placed<'a>>,
}

/// Whether an address tells where its people are: neither an exit or a carrier's gateway, nor known by the default table alone.
fn is_telling(sight: &Placed<'_>) -> bool {
    !sight.place.country_is_default() && matches!(standing(&sight.place), Standing::Line | Standing::Unknown)
}

fn mismatch(
    host: &HostView,
    claimed: &str,
    seen: &str,
    there: &Elsewhere<'_>,
    of: usize,
    rules: &PlaceRules,
) -> Option<Finding> {
    let addresses = &there.addresses;
    let first = addresses
        .iter()
        .min_by_key(|sight| (!is_telling(sight), sight.own.seen.span().0))?;
    let at = addresses.iter().map(|sight| sight.own.seen.span().0).min()?;
    let last = addresses.iter().map(|sight| sight.own.seen.span().1).max()?;
    let standing = standing(&first.place);
    let on = there.days.len();
    let telling = there.telling_days.len();
    let (weight, confidence) = match telling {
        0 => (rules.weak, Confidence::Low),
        _ if is_lasting(telling, of, rules) => (rules.country_lasting, Confidence::Medium),
        _ => (rules.country_brief, Confidence::Low),
    };
    let gap_km = claimed_coordinates(host).and_then(|claimed_at| {
        let gaps = addresses.iter().filter_map(|sight| {
            let (centre, radius) = sight.place.disc()?;
            Some(claimed_at.gap_km(0.0, centre, radius))
        });
        gaps.reduce(f64::min)
    });
    let day_words = if of == 1 {
        "on the one day that shows it".to_owned()
    } else {
        format!("on {on} of {of} days that show it")
    };
    Some(
        Contradiction {
            host,
            measure: "country",
            key: seen.to_owned(),
            at,
            last,
            what: format!(
                "{} is placed in {seen} by {} {day_words}; the inventory says {claimed}",
                first.words(),
                source(&first.place)
            ),
            note: standing.caution().map(str::to_owned),
            benign: "travel that nobody declared, a home office abroad, a company or consumer VPN whose exit is there, a carrier's \
                     gateway across the border, an address that the database places wrongly",
            weight,
            confidence,
            frames: first.frames(),
            address: Some(first.own.address),
            place: Some(&first.place),
            claimed_country: claimed.to_owned(),
            gap_km,
            days: [on, of],
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

    fn found(world: &World, host: &HostView) -> Vec<Finding> {
        world.conclude(&OtherCountry, std::slice::from_ref(host))
    }

    #[test]
    fn a_country_that_lasts_is_probable_and_a_brief_one_a_lead() {
        let world = World::new();
        let host = |days| Sample::of("US").goes_out("203.0.113.9", days).host();
        let lasting = found(&world, &host(&[1, 2, 3, 4, 5]));
        let [finding] = lasting.as_slice() else {
            panic!("{lasting:?}")
        };
        assert_eq!(finding.confidence, Confidence::Medium);
        let geo = finding.geo.as_ref().unwrap();
        assert_eq!((geo.claimed_country.as_str(), geo.days), ("US", [5, 5]));
        assert!(
            finding.summary.contains(
                "placed in PT by city 2026-11-01 on 5 of 5 days that show it; the inventory says US"
            ),
            "{}",
            finding.summary
        );
        // Phoenix to Lisbon, 50 km of accuracy taken off.
        assert!((geo.gap_km.unwrap() - 8_600.0).abs() < 200.0, "{:?}", geo.gap_km);
        let brief = found(&world, &host(&[1, 2, 3, 4]));
        assert_eq!(brief[0].confidence, Confidence::Low);
        assert!(found(&world, &Sample::of("PT").goes_out("203.0.113.9", &[1, 2]).host()).is_empty());
    }

    #[test]
    fn declared_travel_expired_rows_and_declared_exits_contradict_nothing() {
        let mut world = World::new();
        let mut host = Sample::of("US").goes_out("203.0.113.9", &[1, 2, 3, 4, 5]).host();
        let asset = host.asset.as_mut().unwrap();
        asset.travel = vec![crate::model::egress::Travel {
            days: (1, 3),
            country: None,
        }];
        asset.valid = (None, Some(4));
        let left = found(&world, &host);
        assert_eq!(left[0].geo.as_ref().unwrap().days, [1, 1]);
        assert_eq!(left[0].confidence, Confidence::Low);
        host.asset.as_mut().unwrap().allowed_egress = vec!["203.0.113.0/28".to_owned()];
        assert!(found(&world, &host).is_empty());
        host.asset.as_mut().unwrap().allowed_egress.clear();
        world.policy.allowed_egress = vec!["203.0.113.9/32".parse().unwrap()];
        assert!(found(&world, &host).is_empty());
    }

    #[test]
    fn days_with_the_claimed_country_too_and_carriers_and_exits_lower_it() {
        let world = World::new();
        let both = Sample::of("US")
            .goes_out("203.0.113.9", &[1, 2, 3, 4, 5])
            .goes_out("192.0.2.9", &[1, 2, 3, 4, 5]);
        assert!(found(&world, &both.host()).is_empty());
        let half = Sample::of("US")
            .goes_out("203.0.113.9", &[1, 2, 3, 4, 5, 6])
            .goes_out("192.0.2.9", &[5, 6]);
        assert_eq!(found(&world, &half.host())[0].confidence, Confidence::Low);
        // A VPN's exit and a carrier's gateway in Portugal, on every day.
        for address in ["203.0.113.100", "203.0.113.200"] {
            let host = Sample::of("US").goes_out(address, &[1, 2, 3, 4, 5, 6]).host();
            let list = found(&world, &host);
            assert_eq!(list[0].confidence, Confidence::Low, "{address}");
            assert!(list[0].evidence[0].note.is_some());
        }
    }

    #[test]
    fn the_default_database_alone_gives_a_lead_at_most() {
        let world = World::with_default_only();
        let host = Sample::of("KP").goes_out("8.8.8.8", &[1, 2, 3, 4, 5, 6]).host();
        let list = found(&world, &host);
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].confidence, Confidence::Low);
    }
}

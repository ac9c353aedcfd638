//! A machine that is in its declared country but far from its declared place, day after day (DETECTION 4.2): a lead and no more,
//! since databases place lines hundreds of kilometres wrong.

use super::{
    Contradiction, Placed, Standing, by_day, claimed_coordinates, is_lasting, placed, source, standing,
};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::model::finding::{Confidence, Finding};

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct FarFromHome;

impl Conclusion for FarFromHome {
    fn conclude(&self, hosts: &[HostView], _: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        hosts.iter().filter_map(|host| of_host(host, knowledge)).collect()
    }
}

fn of_host(host: &HostView, knowledge: &Knowledge<'_>) -> Option<Finding> {
    let rules = &knowledge.rules.findings.place;
    let claimed = host.asset.as_ref()?.record.country.clone()?;
    let claimed_at = claimed_coordinates(host)?;
    let mut sights = placed(host, knowledge);
    // Only cities tell: the centre of a country is far from most places in it.
    sights.retain(|sight| {
        sight.place.coordinates.is_some()
            && sight
                .country()
                .is_some_and(|seen| seen.eq_ignore_ascii_case(&claimed))
            && matches!(standing(&sight.place), Standing::Line | Standing::Unknown)
    });
    let gap = |sight: &Placed<'_>| {
        let (centre, radius) = sight.place.disc()?;
        Some(claimed_at.gap_km(0.0, centre, radius))
    };
    let days = by_day(host, &sights);
    // The nearest address of each day.
    let nearest: Vec<f64> = days
        .values()
        .filter_map(|seen| seen.iter().filter_map(|sight| gap(sight)).reduce(f64::min))
        .collect();
    let far = nearest.iter().filter(|gap| **gap > rules.distance_km).count();
    if !is_lasting(far, days.len(), rules) {
        return None;
    }
    let first = sights
        .iter()
        .filter(|sight| gap(sight).is_some_and(|gap| gap > rules.distance_km))
        .min_by_key(|sight| sight.own.seen.span().0)?;
    let gap_km = gap(first)?;
    let (at, last) = first.own.seen.span();
    Some(
        Contradiction {
            host,
            measure: "distance",
            key: String::new(),
            at,
            last,
            what: format!(
                "{} is placed {gap_km:.0} km or more from the declared place by {} on {far} of {} days that show it",
                first.words(),
                source(&first.place),
                days.len()
            ),
            note: None,
            benign: "a provider that registers its addresses elsewhere, a database that places the line wrongly, a move that the \
                     inventory does not know yet",
            weight: rules.weak,
            confidence: Confidence::Low,
            frames: first.frames(),
            address: Some(first.own.address),
            place: Some(&first.place),
            claimed_country: claimed,
            gap_km: Some(gap_km),
            days: [far, days.len()],
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

    #[test]
    fn a_far_city_of_the_same_country_is_a_lead_when_it_lasts() {
        let world = World::new();
        let found = |sample: Sample| world.conclude(&FarFromHome, &[sample.host()]);
        let nashville = "198.51.100.7";
        let list = found(Sample::of("US").goes_out(nashville, &[1, 2, 3, 4, 5]));
        assert_eq!((list.len(), list[0].confidence), (1, Confidence::Low));
        assert!((list[0].geo.as_ref().unwrap().gap_km.unwrap() - 2_250.0).abs() < 100.0);
        assert!(found(Sample::of("US").goes_out(nashville, &[1, 2, 3, 4])).is_empty());
        assert!(found(Sample::of("US").goes_out("192.0.2.7", &[1, 2, 3, 4, 5])).is_empty());
        let home_too = Sample::of("US")
            .goes_out(nashville, &[1, 2, 3, 4, 5])
            .goes_out("192.0.2.7", &[2, 3]);
        assert!(found(home_too).is_empty());
    }
}

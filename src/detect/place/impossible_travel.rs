//! Two sightings of one machine that are further apart than anybody travels in the time between them.
//!
//! Both accuracy radii and the sphere's margin are taken off, so that the speed is the least that explains the two places.
//! A tunnel that is switched on does the same, and does so far more often than anything else: networks that are known to hide or
//! move their users are left out, and without a database that knows both addresses as lines it stays a lead.

use super::{Contradiction, Placed, Standing, of_family, placed, source, standing};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::model::egress::day_of;
use crate::model::finding::{Confidence, Finding};
use crate::model::sphere::Coordinates;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
use crate::settings::rules::Place as PlaceRules;

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct ImpossibleTravel;

impl Conclusion for ImpossibleTravel {
    fn conclude(&self, hosts: &[HostView], _: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        hosts.iter().filter_map(|host| of_host(host, knowledge)).collect()
    }
}

/// Where somebody may be: a centre and a radius in kilometres.
type Disc = (Coordinates, f64);

/// The least way between two discs in kilometres, and the least speed in kilometres an hour that covers it; infinite
/// at one moment.
fn least_travel(from: Disc, to: Disc, between: Nanoseconds) -> (f64, f64) {
    let gap = from.0.gap_km(from.1, to.0, to.1);
    if gap <= 0.0 {
        return (0.0, 0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a journey")]
    let hours = between.unsigned_abs() as f64 / (3_600 * SECOND) as f64;
    (gap, gap / hours)
}

/// A pair of sightings.
struct Leap<'a, 'b> {
    from: (&'b Placed<'a>, Timestamp),
    to: (&'b Placed<'a>, Timestamp),
    gap_km: f64,
    speed: f64,
}

/// The leaps between neighbouring sightings of one family that nobody makes, in order of time.
fn leaps<'a, 'b>(sights: &[&'b Placed<'a>], rules: &PlaceRules) -> Vec<Leap<'a, 'b>> {
    let mut moments: Vec<(Timestamp, usize)> = Vec::new();
    for (index, sight) in sights.iter().enumerate() {
        for (first, last) in sight.own.seen.days.values() {
            moments.extend([(*first, index), (*last, index)]);
        }
    }
    moments.sort_unstable();
    moments.dedup();
    let leap = |one: &(Timestamp, usize), other: &(Timestamp, usize)| {
        let (from, to) = (*sights.get(one.1)?, *sights.get(other.1)?);
        let (gap_km, speed) = least_travel(from.place.disc()?, to.place.disc()?, other.0.since(one.0));
        (gap_km > rules.travel_km && speed > rules.travel_kmh).then_some(Leap {
            from: (from, one.0),
            to: (to, other.0),
            gap_km,
            speed,
        })
    };
    moments
        .iter()
        .zip(moments.iter().skip(1))
        .filter_map(|(one, other)| leap(one, other))
        .collect()
}

fn of_host(host: &HostView, knowledge: &Knowledge<'_>) -> Option<Finding> {
    // Nobody leaps from an address to itself.
    if host.public.len() < 2 {
        return None;
    }
    let rules = &knowledge.rules.findings.place;
    let mut sights = placed(host, knowledge);
    sights.retain(|sight| {
        sight.own.how != "own" && matches!(standing(&sight.place), Standing::Line | Standing::Unknown)
    });
    let families = [true, false].map(|is_v4| of_family(&sights, is_v4));
    let found = families
        .iter()
        .map(|family| leaps(family, rules))
        .find(|leaps| !leaps.is_empty())?;
    let first = found.first()?;
    let ((from, left), (to, arrived)) = (first.from, first.to);
    let is_default = [from, to].iter().any(|sight| sight.place.country_is_default());
    let are_lines = [from, to]
        .iter()
        .all(|sight| standing(&sight.place) == Standing::Line);
    let is_sure = !is_default && are_lines;
    let minutes = arrived.since(left) / (60 * SECOND);
    let speed = if first.speed < 100_000.0 {
        format!(", which takes {:.0} km/h or more", first.speed)
    } else {
        String::new()
    };
    let where_to = |sight: &Placed<'_>| {
        let city = sight
            .place
            .city
            .as_ref()
            .map(|city| format!("{city}, "))
            .unwrap_or_default();
        format!("{city}{}", sight.country().unwrap_or_default())
    };
    let days = super::days_of(sights.iter().map(|sight| sight.own)).len();
    let mut on: Vec<u32> = found.iter().map(|leap| day_of(leap.to.1)).collect();
    on.dedup();
    Some(
        Contradiction {
            host,
            measure: "impossible_travel",
            key: String::new(),
            at: arrived,
            last: found.last().map_or(arrived, |leap| leap.to.1),
            what: format!(
                "{} is placed in {} by {}, and {minutes} min later {} in {} by {}: {:.0} km or more apart{speed}",
                from.words(),
                where_to(from),
                source(&from.place),
                to.words(),
                where_to(to),
                source(&to.place),
                first.gap_km
            ),
            note: Some("the least way and speed: both accuracy radii are taken off".to_owned()),
            benign: "a VPN that was switched on or off, a second line whose addresses are registered elsewhere, an address that the \
                     database places wrongly",
            weight: if is_sure { rules.impossible_travel } else { rules.weak },
            confidence: if is_sure { Confidence::Medium } else { Confidence::Low },
            frames: to.frames(),
            address: Some(to.own.address),
            place: Some(&to.place),
            claimed_country: from.country().unwrap_or_default(),
            gap_km: Some(first.gap_km),
            days: [on.len(), days],
            sanctioned: None,
            session: None,
        }
        .into_finding(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::place::samples::{Sample, World, at};

    fn found(sample: Sample) -> Option<Finding> {
        World::new().conclude(&ImpossibleTravel, &[sample.host()]).pop()
    }

    #[test]
    fn an_ocean_in_an_hour_is_impossible_and_in_a_day_is_a_flight() {
        let leap = |hours| {
            let sample = Sample::of("US")
                .goes_out_at("192.0.2.150", &[at(10, 0)])
                .goes_out_at("203.0.113.150", &[at(10, hours)]);
            found(sample)
        };
        let finding = leap(1).unwrap();
        assert_eq!(finding.confidence, Confidence::Medium);
        assert!(finding.summary.contains("60 min later"), "{}", finding.summary);
        assert!(leap(11).is_none());
        assert!(leap(0).is_some(), "at one moment");
    }

    #[test]
    fn unknown_kinds_give_a_lead_and_exits_and_carriers_nothing() {
        let leap = |to: &str| {
            let sample = Sample::of("US")
                .goes_out_at("192.0.2.150", &[at(10, 0)])
                .goes_out_at(to, &[at(10, 1)]);
            found(sample).map(|finding| finding.confidence)
        };
        assert_eq!(leap("203.0.113.9"), Some(Confidence::Low));
        assert_eq!(leap("203.0.113.100"), None);
        assert_eq!(leap("203.0.113.200"), None);
    }

    fn disc() -> impl Strategy<Value = Disc> {
        (-90.0..=90.0_f64, -180.0..=180.0_f64, 0.0..3_000.0_f64).prop_map(|(latitude, longitude, radius)| {
            (Coordinates::new(latitude, longitude).unwrap(), radius)
        })
    }

    proptest! {
        #[test]
        fn the_least_speed_explains_the_way_and_both_directions_agree(a in disc(), b in disc(), seconds in 1..1_000_000_i64) {
            let (gap, speed) = least_travel(a, b, seconds * SECOND);
            let back = least_travel(b, a, seconds * SECOND);
            prop_assert!((gap - back.0).abs() < 1e-6);
            prop_assert!(gap <= a.0.distance_km(b.0));
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let covered = speed * seconds as f64 / 3_600.0;
            prop_assert!((covered - gap).abs() < 1e-6 * gap.max(1.0));
        }

        #[test]
        fn larger_discs_and_more_time_never_make_it_faster(a in disc(), b in disc(), wider in 0.0..2_000.0_f64, seconds in 1..1_000_000_i64) {
            let (_, speed) = least_travel(a, b, seconds * SECOND);
            let (_, of_wider) = least_travel((a.0, a.1 + wider), b, seconds * SECOND);
            let (_, later) = least_travel(a, b, (seconds + 60) * SECOND);
            prop_assert!(of_wider <= speed && later <= speed);
        }

        #[test]
        fn discs_that_touch_take_no_time(a in disc(), b in disc()) {
            let far = a.0.distance_km(b.0);
            prop_assert_eq!(least_travel((a.0, far), b, 0), (0.0, 0.0));
        }
    }
}

//! What the user's files declare, brought to the terms of packets: where the capture point stands, and when a working day has its
//! middle.

use crate::detect::{HostView, Knowledge};
use crate::model::host::AssetRecord;
use crate::model::profile;
use crate::model::reverse_name::ReverseNames;
use crate::model::sphere::CapturePoint;
use crate::model::time::{Nanoseconds, Timestamp};
use crate::model::vantage::Vantage;
use crate::model::week::ClockChange;
use crate::settings::inventory::{Asset, MatchedBy, WorkHours};

/// Hours that are assumed where only a time zone is declared: 09:00 to 17:00, in minutes of the day.
const USUAL: WorkHours = WorkHours {
    start: 540,
    end: 1_020,
};

/// Changes of a zone that are looked through; some change nothing but a name.
const MOST_CHANGES: usize = 4;

/// Minutes of a day.
const DAY: u16 = 1_440;

/// Middle of the declared working day in hours UTC, with the time zone's offset in the middle of the capture.
fn noon_utc(asset: &Asset, spans: &[(Timestamp, Timestamp)]) -> Option<f64> {
    let first = spans.iter().map(|(first, _)| *first).min()?;
    let last = spans.iter().map(|(_, last)| *last).max()?;
    let zone = asset.timezone.as_ref()?;
    let hours = asset.work_hours.unwrap_or(USUAL);
    let local = f64::from(hours.start) / 60.0 + length(hours) / 2.0;
    let middle = first.plus(last.since(first) / 2);
    let at = jiff::Timestamp::from_nanosecond(i128::from(middle.0)).ok()?;
    let offset = f64::from(zone.to_offset(at).seconds()) / 3_600.0;
    Some((local - offset).rem_euclid(24.0))
}

/// Hours of a working day; one that ends before it begins goes over midnight.
fn length(hours: WorkHours) -> f64 {
    let minutes = if hours.end > hours.start {
        hours.end.saturating_sub(hours.start)
    } else {
        hours.end.saturating_add(DAY).saturating_sub(hours.start)
    };
    f64::from(minutes) / 60.0
}

/// The first change of the declared zone's clocks while the captures ran.
fn clock_change(asset: &Asset, spans: &[(Timestamp, Timestamp)]) -> Option<ClockChange> {
    let first = spans.iter().map(|(first, _)| *first).min()?;
    let last = spans.iter().map(|(_, last)| *last).max()?;
    let zone = asset.timezone.as_ref()?;
    let start = jiff::Timestamp::from_nanosecond(i128::from(first.0)).ok()?;
    let offset = zone.to_offset(start).seconds();
    let change = zone
        .following(start)
        .take(MOST_CHANGES)
        .find(|change| change.offset().seconds() != offset)?;
    let at = Timestamp(i64::try_from(change.timestamp().as_nanosecond()).ok()?);
    (at < last).then(|| ClockChange {
        at,
        expected: f64::from(offset - change.offset().seconds()) / 3_600.0,
    })
}

/// What the inventory declares of a machine. Of one that changed hands while the captures ran, only what all its rows say: what was seen
/// is not told apart by holder. What either allows is allowed.
pub(super) fn asset(
    rows: &[&Asset],
    how: MatchedBy,
    spans: &[(Timestamp, Timestamp)],
) -> Option<profile::Asset> {
    let mut all = rows.iter().map(|row| of_row(row, how, spans));
    let first = all.next()?;
    Some(all.fold(first, |known, next| profile::Asset {
        record: AssetRecord {
            asset: common(known.record.asset, next.record.asset.as_ref()),
            assignee: common(known.record.assignee, next.record.assignee.as_ref()),
            country: common(known.record.country, next.record.country.as_ref()),
            site: common(known.record.site, next.record.site.as_ref()),
            employer: common(known.record.employer, next.record.employer.as_ref()),
            matched_by: known.record.matched_by,
        },
        coordinates: common(known.coordinates, next.coordinates.as_ref()),
        region: common(known.region, next.region.as_ref()),
        declared_noon_utc: common(known.declared_noon_utc, next.declared_noon_utc.as_ref()),
        declared_hours: common(known.declared_hours, next.declared_hours.as_ref()),
        clock_change: common(known.clock_change, next.clock_change.as_ref()),
        allowed_tools: union(known.allowed_tools, next.allowed_tools),
        allowed_egress: union(known.allowed_egress, next.allowed_egress),
        valid: (
            known.valid.0.zip(next.valid.0).map(|(one, other)| one.min(other)),
            known.valid.1.zip(next.valid.1).map(|(one, other)| one.max(other)),
        ),
        travel: union(known.travel, next.travel),
    }))
}

fn common<T: PartialEq>(one: Option<T>, other: Option<&T>) -> Option<T> {
    one.filter(|one| other == Some(one))
}

fn union<T: PartialEq>(mut one: Vec<T>, other: Vec<T>) -> Vec<T> {
    for value in other {
        if !one.contains(&value) {
            one.push(value);
        }
    }
    one
}

fn of_row(asset: &Asset, how: MatchedBy, spans: &[(Timestamp, Timestamp)]) -> profile::Asset {
    profile::Asset {
        record: AssetRecord {
            asset: asset.asset.clone(),
            assignee: asset.assignee.clone(),
            country: asset.country.clone(),
            site: asset.site.clone(),
            employer: asset.employer.clone(),
            matched_by: how.name().to_owned(),
        },
        coordinates: asset.coordinates,
        region: asset.region.clone(),
        declared_noon_utc: noon_utc(asset, spans),
        declared_hours: asset.work_hours.map(length),
        clock_change: clock_change(asset, spans),
        allowed_tools: asset.allowed_tools.clone(),
        allowed_egress: asset.allowed_egress.iter().map(ToString::to_string).collect(),
        valid: asset.valid,
        travel: asset.travel.clone(),
    }
}

/// The knowledge with the place of the capture point: the user's own word, else the one declared site of all hosts of the
/// inventory, if all of them have an address in its networks. Somebody whose site is an office may well work from home.
pub(super) fn placed<'a>(
    knowledge: &Knowledge<'a>,
    hosts: &[HostView],
    vantage: Vantage,
    grain: Nanoseconds,
    reverse_names: &'a ReverseNames,
) -> Knowledge<'a> {
    let site = || {
        let mut common = None;
        for host in hosts {
            let Some(asset) = &host.asset else { continue };
            let site = knowledge.policy.site(asset.record.site.as_deref()?)?;
            let is_there = host
                .ips
                .iter()
                .filter_map(|ip| knowledge.policy.site_of(ip.to_ip()))
                .any(|here| here.name == site.name);
            let (latitude, longitude) = site.coordinates.filter(|_| is_there)?;
            if common.is_some_and(|before| before != (latitude, longitude)) {
                return None;
            }
            common = Some((latitude, longitude));
        }
        CapturePoint::new(common?, "the hosts' declared site")
    };
    Knowledge {
        catalogue: knowledge.catalogue,
        geo: knowledge.geo,
        policy: knowledge.policy,
        rules: knowledge.rules,
        reverse_names: Some(reverse_names),
        at: knowledge
            .at
            .or_else(|| (vantage == Vantage::Home).then(site).flatten())
            .map(|at| CapturePoint { grain, ..at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::policy::{Policy, Site, SiteKind};

    #[test]
    fn the_middle_of_a_declared_day_follows_the_zone_and_its_summer_time() {
        let asset = Asset {
            timezone: jiff::tz::TimeZone::get("America/Chicago").ok(),
            work_hours: WorkHours::parse("09:00-17:00"),
            ..Asset::default()
        };
        // 2026-01-15 and 2026-07-15, noon UTC.
        let noon = |seconds| {
            noon_utc(
                &asset,
                &[(
                    Timestamp::from_parts(seconds, 0),
                    Timestamp::from_parts(seconds, 0),
                )],
            )
        };
        assert_eq!(
            (noon(1_768_478_400), noon(1_784_116_800)),
            (Some(19.0), Some(18.0))
        );
        let night = Asset {
            work_hours: WorkHours::parse("22:00-06:00"),
            ..asset
        };
        assert_eq!(noon_utc(&night, &[Default::default()]), Some(8.0));
    }

    #[test]
    fn a_change_of_clocks_is_told_where_the_captures_span_it() {
        let asset = Asset {
            timezone: jiff::tz::TimeZone::get("America/Chicago").ok(),
            ..Asset::default()
        };
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        // Clocks go forward on 2026-03-08 at 08:00 UTC; the captures run from 15 February to 31 March.
        let change = clock_change(&asset, &[(at(1_771_113_600), at(1_774_915_200))]).unwrap();
        assert_eq!((change.at, change.expected), (at(1_772_956_800), -1.0));
        assert_eq!(
            clock_change(&asset, &[(at(1_771_113_600), at(1_772_000_000))]),
            None
        );
        let unchanging = Asset {
            timezone: jiff::tz::TimeZone::get("Asia/Shanghai").ok(),
            ..asset
        };
        assert_eq!(
            clock_change(&unchanging, &[(at(1_771_113_600), at(1_790_000_000))]),
            None
        );
    }

    #[test]
    fn of_a_machine_that_changed_hands_only_what_both_rows_say_is_declared_and_what_either_allows_is_allowed()
    {
        let row = |assignee: &str, country: &str, tool: &str, valid| Asset {
            asset: Some("LT-1".to_owned()),
            assignee: Some(assignee.to_owned()),
            country: Some(country.to_owned()),
            employer: Some("Acme".to_owned()),
            allowed_tools: vec![tool.to_owned()],
            valid,
            ..Asset::default()
        };
        let ann = row("Ann", "US", "anydesk", (None, Some(10)));
        let ben = row("Ben", "PT", "rdp", (Some(11), Some(20)));
        let both = asset(&[&ann, &ben], MatchedBy::Mac, &[]).unwrap();
        assert_eq!(both.record.asset.as_deref(), Some("LT-1"));
        assert_eq!(both.record.employer.as_deref(), Some("Acme"));
        assert_eq!((both.record.assignee, both.record.country), (None, None));
        assert_eq!(both.allowed_tools, ["anydesk", "rdp"]);
        assert_eq!(both.valid, (None, Some(20)));
        let one = asset(&[&ben], MatchedBy::Mac, &[]).unwrap();
        assert_eq!(one.record.country.as_deref(), Some("PT"));
        assert_eq!(asset(&[], MatchedBy::Mac, &[]), None);
    }

    #[test]
    fn without_a_time_zone_nothing_is_declared() {
        assert_eq!(noon_utc(&Asset::default(), &[Default::default()]), None);
    }

    /// Whether there is a capture point when machines of one declared site, an office in Chicago, have these addresses.
    fn is_placed(addresses: &[&str], vantage: Vantage) -> bool {
        let catalogue = crate::signatures::Catalogue::embedded().unwrap();
        let geo = crate::geo::Geo::embedded();
        let mut policy = Policy::default();
        policy.sites.push(Site {
            name: "office".to_owned(),
            kind: SiteKind::Office,
            networks: vec!["192.0.2.0/24".parse().unwrap()],
            coordinates: Some((41.88, -87.63)),
            allowed_tools: Vec::new(),
        });
        let hosts: Vec<HostView> = addresses
            .iter()
            .map(|address| {
                let mut asset = profile::Asset::default();
                asset.record.site = Some("office".to_owned());
                HostView {
                    ips: vec![address.parse::<std::net::IpAddr>().unwrap().into()],
                    asset: Some(asset),
                    ..HostView::default()
                }
            })
            .collect();
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy: &policy,
            rules: crate::settings::rules::Rules::shipped(),
            at: None,
            reverse_names: None,
        };
        let names = ReverseNames::default();
        placed(&knowledge, &hosts, vantage, 0, &names).at.is_some()
    }

    #[test]
    fn a_site_is_where_the_capture_was_taken_only_if_all_of_its_machines_are_in_its_networks() {
        assert!(is_placed(&["192.0.2.7", "192.0.2.8"], Vantage::Home));
        // Somebody of that office works at home, or two captures were read at once.
        assert!(!is_placed(&["192.0.2.7", "198.51.100.8"], Vantage::Home));
        assert!(!is_placed(&["192.0.2.7"], Vantage::Employer));
        assert!(!is_placed(&[], Vantage::Home));
    }
}

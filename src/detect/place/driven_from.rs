//! Who controls a machine sits behind an address in a country that the policy watches or does not expect, or that is not the
//! one where the inventory has the machine's person.
//!
//! The address is that of a line or an exit; an owner on a journey looks the same.

use super::{Contradiction, Standing, is_exit, source, standing};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::model::address::Address;
use crate::model::egress::day_of;
use crate::model::finding::{Activity, Confidence, Finding, Role};
use crate::model::frame::FrameRef;
use crate::model::time::Timestamp;

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct DrivenFrom;

impl Conclusion for DrivenFrom {
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let mut by_id: Vec<&HostView> = hosts.iter().collect();
        by_id.sort_unstable_by_key(|host| host.id);
        let of = |finding: &Finding| {
            let at = by_id.binary_search_by_key(&finding.host, |host| host.id).ok()?;
            judge(by_id.get(at)?, finding, knowledge)
        };
        findings.iter().filter_map(of).collect()
    }
}

/// Whether whoever comes from an address may be anywhere, as policy and inventory say: a sanctioned exit, or a declared site.
#[must_use]
pub fn is_declared(host: &HostView, address: Address, knowledge: &Knowledge<'_>) -> bool {
    let ip = address.to_ip();
    is_exit(host, ip, knowledge) || knowledge.policy.site_of(ip).is_some()
}

/// The country where the inventory has a machine's person while a session is live, and since when (`holds_since`).
#[must_use]
pub fn claimed_country(host: &HostView, session: &Finding) -> Option<(String, Timestamp)> {
    let country = host.asset.as_ref()?.record.country.clone()?;
    Some((country, holds_since(host, session)?))
}

/// The first moment at which a session showed the screen or gave input (or was there, where it has no such intervals) on a day for
/// which the machine's row says where it is: a row does not count on days of a declared journey.
fn holds_since(host: &HostView, session: &Finding) -> Option<Timestamp> {
    let asset = host.asset.as_ref()?;
    let is_live = |state: &Activity| matches!(state, Activity::Driven | Activity::Viewed);
    let live = session.intervals.iter().filter(|(_, _, state)| is_live(state));
    let mut spans: Vec<(Timestamp, Timestamp)> = live.map(|(start, end, _)| (*start, *end)).collect();
    if spans.is_empty() {
        spans.push((session.timestamp, session.last_seen.max(session.timestamp)));
    }
    let held = spans.into_iter().filter_map(|(start, end)| {
        let day = (day_of(start)..=day_of(end)).find(|day| asset.holds_on(*day))?;
        Some(start.max(Timestamp::from_parts(i64::from(day) * 86_400, 0)))
    });
    held.min()
}

fn judge(host: &HostView, session: &Finding, knowledge: &Knowledge<'_>) -> Option<Finding> {
    // Anybody may knock: who got no further than the log-in drives nothing.
    if session.role != Role::Controlled || session.activity == Activity::Idle {
        return None;
    }
    let controller = session.controller.as_ref()?;
    if is_declared(host, controller.address, knowledge) {
        return None;
    }
    let place = knowledge.place_of(controller.address)?;
    let seen = place.country?.to_string();
    let since = holds_since(host, session);
    let claimed = claimed_country(host, session).map(|(country, _)| country);
    let is_watched = knowledge.policy.watched_countries.contains(&seen);
    let is_unexpected = !knowledge.policy.expected_countries.is_empty()
        && !knowledge.policy.expected_countries.contains(&seen);
    let differs = claimed
        .as_ref()
        .is_some_and(|claimed| !claimed.eq_ignore_ascii_case(&seen));
    let claim = match (is_watched, is_unexpected, &claimed) {
        (true, ..) => "the policy watches that country".to_owned(),
        (_, true, _) => "the policy does not expect that country".to_owned(),
        (_, _, Some(claimed)) if differs => format!("the inventory says {claimed}"),
        _ => return None,
    };
    let standing = standing(&place);
    let is_live = matches!(
        session.activity,
        Activity::Driven | Activity::Viewed | Activity::Unknown
    );
    // Who is declared to be elsewhere may well reach his own machine from there.
    let is_sure = !place.country_is_default()
        && matches!(standing, Standing::Line | Standing::Unknown)
        && is_live
        && session.confidence > Confidence::Low
        && (since.is_some() || host.asset.is_none() || is_watched);
    let rules = &knowledge.rules.findings.place;
    let frames: Vec<FrameRef> = session
        .evidence
        .first()
        .and_then(|evidence| {
            Some(FrameRef {
                capture: evidence.capture?,
                number: *evidence.frames.first()?,
            })
        })
        .into_iter()
        .collect();
    Some(
        Contradiction {
            host,
            measure: "driven_from",
            key: format!("{} {}", session.id.0, controller.address),
            at: since.unwrap_or(session.timestamp),
            last: session.last_seen,
            what: format!(
                "the controller of its {} session, {}, is placed in {seen} by {}; {claim}",
                session.tool,
                controller.address,
                source(&place)
            ),
            note: standing.caution().map(str::to_owned),
            benign: "an owner on a journey, support from abroad, a company or consumer VPN whose exit is there, an address that the \
                     database places wrongly",
            weight: if is_sure { rules.driven_from } else { rules.weak },
            confidence: if is_sure { Confidence::Medium } else { Confidence::Low },
            frames,
            address: Some(controller.address),
            place: Some(&place),
            claimed_country: claimed.unwrap_or_default(),
            gap_km: super::claimed_coordinates(host).and_then(|claimed_at| {
                let (centre, radius) = place.disc()?;
                differs.then(|| claimed_at.gap_km(0.0, centre, radius))
            }),
            days: [1, 1],
            sanctioned: None,
            session: Some(session),
        }
        .into_finding(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::place::samples::{Sample, World, address, at};
    use crate::model::egress::Travel;
    use crate::model::finding::Controller;

    /// A session in which somebody at this address controls the host.
    fn session(host: &HostView, from: &str) -> Finding {
        let other = Sample::of("KP").goes_out("192.0.2.9", &[3]).host();
        let sample = World::new()
            .conclude(&super::super::country::OtherCountry, &[other])
            .remove(0);
        Finding {
            host: host.id,
            role: Role::Controlled,
            activity: Activity::Driven,
            confidence: Confidence::High,
            timestamp: at(3, 0),
            tool: "anydesk".to_owned(),
            controller: Some(Box::new(Controller {
                address: address(from),
                how: "direct".to_owned(),
                geo: None,
            })),
            ..sample
        }
    }

    fn found(world: &World, host: &HostView, from: &str) -> Option<Confidence> {
        let list = world.conclude_with(&DrivenFrom, std::slice::from_ref(host), &[session(host, from)]);
        assert!(list.len() < 2);
        list.first().map(|finding| finding.confidence)
    }

    #[test]
    fn another_country_than_the_inventorys_is_told_and_its_own_is_not() {
        let world = World::new();
        let host = Sample::of("US").host();
        assert_eq!(found(&world, &host, "203.0.113.9"), Some(Confidence::Medium));
        assert_eq!(
            found(&world, &host, "203.0.113.100"),
            Some(Confidence::Low),
            "a VPN's exit"
        );
        assert_eq!(found(&world, &host, "192.0.2.9"), None);
        let default = World::with_default_only();
        assert_eq!(
            found(&default, &Sample::of("KP").host(), "8.8.8.8"),
            Some(Confidence::Low)
        );
    }

    #[test]
    fn who_only_knocked_drives_nothing_and_a_lead_is_no_proof() {
        let world = World::new();
        let host = Sample::of("US").host();
        let with = |change: fn(&mut Finding)| {
            let mut session = session(&host, "203.0.113.9");
            change(&mut session);
            let list = world.conclude_with(&DrivenFrom, std::slice::from_ref(&host), &[session]);
            list.first().map(|finding| finding.confidence)
        };
        assert_eq!(with(|session| session.activity = Activity::Idle), None);
        let weak = with(|session| session.confidence = Confidence::Low);
        assert_eq!(weak, Some(Confidence::Low));
    }

    #[test]
    fn a_session_is_judged_by_the_days_on_which_it_was_live() {
        let world = World::new();
        let mut host = Sample::of("US").host();
        host.asset.as_mut().unwrap().travel = vec![Travel {
            days: (5, 10),
            country: Some("PT".to_owned()),
        }];
        let on = |days: &[u32]| {
            let mut session = session(&host, "203.0.113.9");
            (session.timestamp, session.last_seen) = (at(1, 0), at(12, 0));
            // An agent that keeps its connection all the time.
            session.intervals = vec![(at(1, 0), at(1, 1), Activity::Idle)];
            let live = days
                .iter()
                .map(|day| (at(*day, 0), at(*day, 2), Activity::Driven));
            session.intervals.extend(live);
            let list = world.conclude_with(&DrivenFrom, std::slice::from_ref(&host), &[session]);
            list.first()
                .map(|finding| (finding.confidence, finding.timestamp))
        };
        assert_eq!(on(&[6]), None, "on the journey alone");
        assert_eq!(on(&[6, 11]), Some((Confidence::Medium, at(11, 0))));
        assert_eq!(on(&[2, 6]), Some((Confidence::Medium, at(2, 0))));
    }

    #[test]
    fn exits_that_policy_or_row_sanction_and_declared_sites_say_nothing() {
        let mut world = World::new();
        let mut host = Sample::of("US").host();
        assert!(found(&world, &host, "203.0.113.9").is_some());
        host.asset.as_mut().unwrap().allowed_egress = vec!["203.0.113.0/24".to_owned()];
        assert_eq!(found(&world, &host, "203.0.113.9"), None);
        host.asset.as_mut().unwrap().allowed_egress.clear();
        world.policy.allowed_egress = vec!["203.0.113.9/32".parse().unwrap()];
        assert_eq!(found(&world, &host, "203.0.113.9"), None);
    }

    #[test]
    fn on_a_declared_journey_the_row_says_nothing_and_the_policy_still_does() {
        let mut world = World::new();
        let mut host = Sample::of("US").host();
        host.asset.as_mut().unwrap().travel = vec![Travel {
            days: (2, 4),
            country: Some("PT".to_owned()),
        }];
        assert_eq!(found(&world, &host, "203.0.113.9"), None);
        host.asset = None;
        assert_eq!(found(&world, &host, "203.0.113.9"), None);
        world.policy.expected_countries = vec!["US".to_owned()];
        assert_eq!(found(&world, &host, "203.0.113.9"), Some(Confidence::Medium));
        world.policy.expected_countries.clear();
        world.policy.watched_countries = vec!["PT".to_owned()];
        assert_eq!(found(&world, &host, "203.0.113.9"), Some(Confidence::Medium));
        world.policy.allowed_egress = vec!["203.0.113.0/24".parse().unwrap()];
        assert_eq!(found(&world, &host, "203.0.113.9"), None);
    }
}

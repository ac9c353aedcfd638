//! A machine that goes out through Tor, a consumer VPN, a proxy or rented servers which nobody sanctioned.
//!
//! Many do so for privacy (DETECTION 2.2, B4), so that this says what the network behind the address is, and no more.

use std::sync::Arc;

use super::{Contradiction, count, days_of, is_declared, source};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::geo::Place;
use crate::geo::kinds::NetworkKind;
use crate::model::egress::OwnAddress;
use crate::model::finding::{Confidence, Finding};

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct HiddenEgress;

impl Conclusion for HiddenEgress {
    fn conclude(&self, hosts: &[HostView], _: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let going_out = hosts.iter().filter(|host| !host.public.is_empty());
        going_out.flat_map(|host| of_host(host, knowledge)).collect()
    }
}

/// What a network is, in words, and the measure's name; nothing for networks that hide nobody.
const fn words(kind: NetworkKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        NetworkKind::Tor => ("an exit of Tor", "tor_egress"),
        NetworkKind::Vpn => ("a VPN provider's network", "vpn_egress"),
        NetworkKind::PublicProxy => ("a public proxy", "proxy_egress"),
        NetworkKind::ResidentialProxy => ("a line that is rented out as a proxy", "proxy_egress"),
        NetworkKind::PrivacyRelay => (
            "a privacy relay of an operating system or browser",
            "relay_egress",
        ),
        NetworkKind::Hosting => ("a network of rented servers", "hosting_egress"),
        NetworkKind::EnterpriseGateway
        | NetworkKind::Mobile
        | NetworkKind::Satellite
        | NetworkKind::Residential
        | NetworkKind::Business
        | NetworkKind::Education => return None,
    })
}

/// An own public address and where it is.
type Sight<'a> = (&'a OwnAddress, Arc<Place>);

fn of_host(host: &HostView, knowledge: &Knowledge<'_>) -> Vec<Finding> {
    let mut list: Vec<(NetworkKind, Vec<Sight<'_>>)> = Vec::new();
    // A server at a hoster has its address from there.
    for own in host.public.iter().filter(|own| own.how != "own") {
        let Some(place) = knowledge.place_of(own.address) else {
            continue;
        };
        let Some(kind) = place.kind.filter(|kind| words(*kind).is_some()) else {
            continue;
        };
        if is_declared(host, own.address, knowledge) {
            continue;
        }
        match list.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sights)) => sights.push((own, place)),
            None => list.push((kind, vec![(own, place)])),
        }
    }
    list.sort_by_key(|(kind, _)| kind.name());
    list.iter()
        .filter_map(|(kind, sights)| finding(host, *kind, sights, knowledge))
        .collect()
}

fn finding(
    host: &HostView,
    kind: NetworkKind,
    sights: &[Sight<'_>],
    knowledge: &Knowledge<'_>,
) -> Option<Finding> {
    let (network, measure) = words(kind)?;
    let (first, place) = sights.iter().min_by_key(|(own, _)| own.seen.span().0)?;
    let days = days_of(sights.iter().map(|(own, _)| *own)).len();
    let all_days = days_of(host.public.iter()).len();
    let is_users = sights.iter().any(|(_, place)| !place.kind_is_default());
    let is_plain = matches!(kind, NetworkKind::PrivacyRelay | NetworkKind::Hosting);
    let rules = &knowledge.rules.findings.place;
    let is_sure = is_users && !is_plain && days >= rules.days;
    let names = place
        .as_org
        .as_deref()
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    let says_anything = !knowledge.policy.allowed_egress.is_empty()
        || host
            .asset
            .as_ref()
            .is_some_and(|asset| !asset.allowed_egress.is_empty());
    let what = format!(
        "its public address {} ({}) belongs to {network}{names}, as {} says, on {} of {} days that show one; {}",
        first.address,
        first.way(),
        place.kind_source.clone().unwrap_or_else(|| source(place)),
        count(days),
        count(all_days),
        if says_anything {
            "it is none of the sanctioned exits"
        } else {
            "no exit was declared to be sanctioned"
        }
    );
    let (at, _) = first.seen.span();
    let last = sights.iter().map(|(own, _)| own.seen.span().1).max()?;
    Some(
        Contradiction {
            host,
            measure,
            key: kind.name().to_owned(),
            at,
            last,
            what,
            note: None,
            benign: if kind == NetworkKind::PrivacyRelay {
                "a relay that phones and computers of one maker offer to all who use them: no VPN was installed, and its exits keep the country"
            } else {
                "a VPN or relay for privacy, an employer's gateway in the cloud that nobody declared, a list that is out of date"
            },
            weight: if is_sure { rules.hidden_egress } else { rules.weak },
            confidence: if is_sure { Confidence::Medium } else { Confidence::Low },
            frames: (first.seen.frame.number > 0).then_some(first.seen.frame).into_iter().collect(),
            address: Some(first.address),
            place: Some(place),
            claimed_country: host
                .asset
                .as_ref()
                .and_then(|asset| asset.record.country.clone())
                .unwrap_or_default(),
            gap_km: None,
            days: [days, all_days],
            sanctioned: says_anything.then_some(false),
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
    fn an_exit_of_a_vpn_is_told_unless_it_is_sanctioned() {
        let mut world = World::new();
        let host = Sample::of("PT")
            .goes_out("203.0.113.100", &[1, 2, 3, 4, 5])
            .host();
        let found = world.conclude(&HiddenEgress, std::slice::from_ref(&host));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].confidence, found[0].sanctioned),
            (Confidence::Medium, None)
        );
        assert_eq!(found[0].evidence[0].measure.as_deref(), Some("vpn_egress"));
        assert!(
            found[0].summary.contains("as kinds 2026-11-01 says"),
            "{}",
            found[0].summary
        );
        world.policy.allowed_egress = vec!["198.51.100.0/24".parse().unwrap()];
        let found = world.conclude(&HiddenEgress, std::slice::from_ref(&host));
        assert_eq!(found[0].sanctioned, Some(false));
        world.policy.allowed_egress = vec!["203.0.113.100/32".parse().unwrap()];
        assert!(world.conclude(&HiddenEgress, &[host]).is_empty());
    }

    #[test]
    fn a_reverse_name_of_a_hoster_is_a_lead_where_no_database_of_the_users_says_more() {
        use crate::detect::place::samples::address;
        let mut world = World::new();
        let host = Sample::of("US").goes_out("192.0.2.9", &[1, 2, 3, 4, 5]).host();
        assert!(
            world
                .conclude(&HiddenEgress, std::slice::from_ref(&host))
                .is_empty()
        );
        let frame = crate::model::frame::FrameRef {
            capture: 0,
            number: 31,
        };
        let names = &mut world.reverse_names;
        let rented = "ec2-192-0-2-9.eu-west-1.compute.amazonaws.com";
        names.learn(address("192.0.2.9"), rented, frame);
        // Of this one a database of the user says that it is a household's.
        names.learn(address("192.0.2.200"), rented, frame);
        let found = world.conclude(&HiddenEgress, &[host]);
        let [finding] = found.as_slice() else {
            panic!("{found:#?}");
        };
        assert_eq!(finding.confidence, Confidence::Low);
        let record = finding.peer_geo.as_ref().unwrap();
        assert_eq!(record.kind.as_deref(), Some("hosting"));
        let source = record.kind_source.as_deref().unwrap();
        assert!(source.contains(rented) && source.contains("frame 31"), "{source}");
        let home = Sample::of("US").goes_out("192.0.2.200", &[1, 2, 3, 4, 5]).host();
        assert!(world.conclude(&HiddenEgress, &[home]).is_empty());
    }

    #[test]
    fn few_days_and_the_shipped_table_give_a_lead_and_a_line_nothing() {
        let world = World::new();
        let found = |world: &World, address: &str, days: &[u32]| {
            let host = Sample::of("PT").goes_out(address, days).host();
            let list = world.conclude(&HiddenEgress, &[host]);
            list.first().map(|finding| finding.confidence)
        };
        assert_eq!(found(&world, "203.0.113.100", &[1]), Some(Confidence::Low));
        assert_eq!(found(&world, "203.0.113.150", &[1, 2, 3, 4, 5]), None);
        // The shipped table and the embedded default: Hetzner.
        let default = World::with_default_only();
        assert_eq!(
            found(&default, "88.198.0.1", &[1, 2, 3, 4, 5, 6]),
            Some(Confidence::Low)
        );
    }
}

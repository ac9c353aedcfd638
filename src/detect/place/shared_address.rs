//! People who are declared to live apart, behind one public address on the same days (DETECTION 2.2, B1).
//!
//! Addresses that many unrelated people share are left out: carriers, exits, gateways, declared sites. What stands against it
//! is the inventory and the packets alone; databases only say what kind of network it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::{Contradiction, Standing, is_declared, standing};
use crate::detect::{Conclusion, HostView, Knowledge};
use crate::geo::Place;
use crate::geo::ranges::{Reserved, reserved};
use crate::geo::reverse::Says;
use crate::model::address::Address;
use crate::model::egress::{OwnAddress, line};
use crate::model::finding::{Confidence, Finding};
use crate::model::residence::{self, Residence};
use crate::model::sphere::Coordinates;
use crate::model::time::Timestamp;
use crate::settings::rules::Place as PlaceRules;

/// Machines behind one address beyond which it is nobody's line: no house holds so many.
const MOST_BEHIND: usize = 1_000;
/// Addresses between a carrier's customers and its translator (RFC 6598).
const BETWEEN: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct SharedAddress;

/// A machine behind a line.
struct Behind<'a> {
    host: &'a HostView,
    /// Its addresses there: one, or those of its line's IPv6 network that it made itself (RFC 8981).
    own: Vec<&'a OwnAddress>,
    assignee: &'a str,
    days: BTreeSet<u32>,
}

impl Behind<'_> {
    /// The address that was learnt first.
    fn first(&self) -> Option<&OwnAddress> {
        self.own
            .iter()
            .copied()
            .min_by_key(|own| (own.seen.span().0, own.address))
    }

    /// First and last sight of all of them.
    fn span(&self) -> (Timestamp, Timestamp) {
        let spans = || self.own.iter().map(|own| own.seen.span());
        let first = spans().map(|(first, _)| first).min();
        let last = spans().map(|(_, last)| last).max();
        (first.unwrap_or_default(), last.unwrap_or_default())
    }
}

impl Conclusion for SharedAddress {
    fn conclude(&self, hosts: &[HostView], _: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let mut by_line: BTreeMap<Address, Vec<Behind<'_>>> = BTreeMap::new();
        for host in hosts {
            let Some(asset) = &host.asset else { continue };
            let Some(assignee) = asset.record.assignee.as_deref() else {
                continue;
            };
            // A machine's own global address is nobody else's; of its network nothing is known.
            let others = host.public.iter().filter(|own| own.how != "own");
            for own in others.filter(|own| reserved(own.address.to_ip()) != Some(Reserved::NotGlobal)) {
                let days = own.seen.days.keys().filter(|day| asset.holds_on(**day)).copied();
                let behind = by_line.entry(line(own.address)).or_default();
                match behind.last_mut() {
                    Some(known) if known.host.id == host.id => {
                        known.own.push(own);
                        known.days.extend(days);
                    }
                    _ => behind.push(Behind {
                        host,
                        own: vec![own],
                        assignee,
                        days: days.collect(),
                    }),
                }
            }
        }
        by_line
            .values()
            .filter(|behind| (2..=MOST_BEHIND).contains(&behind.len()))
            .flat_map(|behind| of_line(behind, knowledge))
            .collect()
    }
}

/// Whether two people are declared to live apart.
fn apart(one: &HostView, other: &HostView, least_km: f64) -> Option<Residence> {
    let (mine, theirs) = (one.asset.as_ref()?, other.asset.as_ref()?);
    Some(residence::compare(mine, theirs, &one.elsewhere, least_km)).filter(|known| known.is_apart())
}

/// Whether a host's declared site may be where the address is.
pub(super) fn has_site_there(host: &HostView, place: Option<&Place>, knowledge: &Knowledge<'_>) -> bool {
    let site = || {
        let name = host.asset.as_ref()?.record.site.as_deref()?;
        let (latitude, longitude) = knowledge.policy.site(name)?.coordinates?;
        let (centre, radius) = place?.disc()?;
        let site = Coordinates::new(latitude, longitude)?;
        Some(site.gap_km(knowledge.rules.findings.place.apart_km, centre, radius) <= 0.0)
    };
    site().unwrap_or(false)
}

/// Whether a carrier's translator stands before the address, and what says so: then its customers need not live together. Only what the
/// capture shows of it: an address between customer and carrier (RFC 6598), or the reverse name.
fn shared_by_carrier(behind: &[Behind<'_>], knowledge: &Knowledge<'_>) -> Option<String> {
    let first = behind.first()?.first()?;
    if let Some((named, word, Says::Shared)) = knowledge.reverse_word(first.address) {
        return Some(format!(
            "its reverse name {} speaks of an address that a carrier's customers share ({})",
            named.name, word.source
        ));
    }
    let between = |address: &Address| match address.to_ip() {
        IpAddr::V4(ip) => BETWEEN.contains(&ip),
        IpAddr::V6(_) => false,
    };
    let of_host = |host: &HostView| {
        let learnt = host.public.iter().map(|own| own.address);
        host.ips.iter().copied().chain(learnt).find(between)
    };
    behind.iter().find_map(|one| {
        let address = of_host(one.host)?;
        Some(format!(
            "{} has {address} between itself and its carrier (RFC 6598): customers of the carrier share public addresses",
            one.host.label()
        ))
    })
}

fn of_line(behind: &[Behind<'_>], knowledge: &Knowledge<'_>) -> Vec<Finding> {
    let Some(first) = behind.first().and_then(Behind::first) else {
        return Vec::new();
    };
    let place = knowledge.place_of(first.address);
    let standing = place.as_deref().map_or(Standing::Unknown, standing);
    if matches!(standing, Standing::Carried | Standing::Hidden)
        || behind.iter().any(|one| {
            (one.own.iter()).any(|own| is_declared(one.host, own.address, knowledge))
                || has_site_there(one.host, place.as_deref(), knowledge)
        })
    {
        return Vec::new();
    }
    let rules = &knowledge.rules.findings.place;
    let by_carrier = shared_by_carrier(behind, knowledge);
    let people: BTreeSet<&str> = behind.iter().map(|one| one.assignee).collect();
    behind
        .iter()
        .filter_map(|one| {
            of_one(
                rules,
                one,
                behind,
                people.len(),
                place.as_deref(),
                by_carrier.as_deref(),
            )
        })
        .collect()
}

/// Days on which any public address of the host was learnt.
fn known_days(host: &HostView) -> usize {
    let others = host.public.iter().filter(|own| own.how != "own");
    let days: BTreeSet<u32> = others.flat_map(|own| own.seen.days.keys().copied()).collect();
    days.len()
}

fn of_one(
    rules: &PlaceRules,
    one: &Behind<'_>,
    behind: &[Behind<'_>],
    people: usize,
    place: Option<&Place>,
    shared_by_carrier: Option<&str>,
) -> Option<Finding> {
    let first = one.first()?;
    let mut others: BTreeMap<&str, (Residence, BTreeSet<u32>)> = BTreeMap::new();
    for other in behind {
        if other.assignee == one.assignee {
            continue;
        }
        let mut shared = one.days.intersection(&other.days).copied().peekable();
        if shared.peek().is_none() {
            continue;
        }
        if let Some(distance) = apart(one.host, other.host, rules.apart_km) {
            let (known, common) = others
                .entry(other.assignee)
                .or_insert_with(|| (distance, BTreeSet::new()));
            common.extend(shared);
            if distance.kilometres() < known.kilometres() {
                *known = distance;
            }
        }
    }
    if others.is_empty() {
        return None;
    }
    // Five who came one after the other, a day each, are guests and no household.
    let together = others.values().map(|(_, common)| common.len()).max().unwrap_or(0);
    let long = others
        .values()
        .filter(|(_, common)| common.len() >= rules.days)
        .count();
    if long > 0 {
        others.retain(|_, (_, common)| common.len() >= rules.days);
    }
    let is_crowd = people > rules.crowd;
    let is_usual = one.days.len().saturating_mul(2) >= known_days(one.host);
    let is_sure = long > 0 && is_usual && !is_crowd && shared_by_carrier.is_none();
    let weight = match (is_sure, long) {
        (true, 1) => rules.shared_by_two,
        (true, _) => rules.shared_by_more,
        (false, _) => rules.weak,
    };
    let nearest = others
        .values()
        .filter_map(|(apart, _)| apart.kilometres())
        .reduce(f64::min);
    let distance = nearest.map_or_else(
        || "in another country".to_owned(),
        |km| format!("{km:.0} km away or more"),
    );
    let (at, last) = one.span();
    let people_words = if others.len() == 1 {
        "the machine of another person".to_owned()
    } else {
        format!("the machines of {} other people", others.len())
    };
    Some(
        Contradiction {
            host: one.host,
            measure: "shared_address",
            key: line(first.address).to_string(),
            at,
            last,
            what: format!(
                "its public address {} ({}) is also that of {people_words} whom the inventory has {distance}, on {} of {} days \
                 that show it",
                first.address,
                first.way(),
                together,
                one.days.len()
            ),
            note: is_crowd
                .then(|| format!("{people} people go out from it: an exit of many rather than a line"))
                .or_else(|| shared_by_carrier.map(str::to_owned)),
            benign: "couples and flatmates whose inventory rows are old, a hotel or shared office, an exit of a company or carrier that \
                     nobody declared",
            weight,
            confidence: if is_sure { Confidence::Medium } else { Confidence::Low },
            frames: (first.seen.frame.number > 0).then_some(first.seen.frame).into_iter().collect(),
            address: Some(first.address),
            place,
            claimed_country: one
                .host
                .asset
                .as_ref()
                .and_then(|asset| asset.record.country.clone())
                .unwrap_or_default(),
            gap_km: None,
            days: [together, one.days.len()],
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
    use crate::settings::policy::{Site, SiteKind};

    const SEATTLE: (f64, f64) = (47.61, -122.33);
    const TEMPE: (f64, f64) = (33.43, -111.94);

    fn pair(address: &str, days: [&[u32]; 2], second_home: (f64, f64)) -> Vec<HostView> {
        let [one, other] = days;
        vec![
            Sample::of("US").goes_out(address, one).host(),
            Sample::of("US")
                .assigned("B", second_home)
                .goes_out(address, other)
                .host(),
        ]
    }

    fn found(world: &World, hosts: &[HostView]) -> Vec<Confidence> {
        let list = world.conclude(&SharedAddress, hosts);
        list.iter().map(|finding| finding.confidence).collect()
    }

    const WEEK: &[u32] = &[1, 2, 3, 4, 5];

    #[test]
    fn two_who_live_apart_behind_one_line_are_told_of_both() {
        let world = World::new();
        let both = [Confidence::Medium; 2];
        assert_eq!(found(&world, &pair("192.0.2.9", [WEEK, WEEK], SEATTLE)), both);
        let list = world.conclude(&SharedAddress, &pair("192.0.2.9", [WEEK, WEEK], SEATTLE));
        assert!(list[0].summary.contains("on 5 of 5 days"), "{}", list[0].summary);
        // Without any database it rests on packets and inventory, too.
        let bare = World::with_default_only();
        assert_eq!(found(&bare, &pair("192.0.2.9", [WEEK, WEEK], SEATTLE)), both);
    }

    #[test]
    fn home_is_no_site_that_two_people_share() {
        let world = World::new();
        let mut hosts = pair("192.0.2.9", [WEEK, WEEK], SEATTLE);
        for host in &mut hosts {
            host.elsewhere = ["home".to_owned()].into();
            host.asset.as_mut().unwrap().record.site = Some("Home".to_owned());
        }
        assert_eq!(found(&world, &hosts), [Confidence::Medium; 2]);
        for host in &mut hosts {
            host.asset.as_mut().unwrap().record.site = Some("Leeds".to_owned());
        }
        assert!(found(&world, &hosts).is_empty());
    }

    #[test]
    fn the_addresses_that_a_machine_makes_itself_are_one_line() {
        let world = World::new();
        // A new address on each day, all of one line.
        let host = |sample: Sample, last: u32| {
            let days = WEEK.iter();
            days.fold(sample, |sample, day| {
                sample.goes_out(&format!("2001:db8:1:2::{last}:{day}"), &[*day])
            })
            .host()
        };
        let hosts = [
            host(Sample::of("US"), 1),
            host(Sample::of("US").assigned("B", SEATTLE), 2),
        ];
        let list = world.conclude(&SharedAddress, &hosts);
        assert_eq!(found(&world, &hosts), [Confidence::Medium; 2]);
        assert!(list[0].summary.contains("on 5 of 5 days"), "{}", list[0].summary);
    }

    #[test]
    fn neighbours_successors_and_few_days_weigh_little_or_nothing() {
        let world = World::new();
        assert!(found(&world, &pair("192.0.2.9", [WEEK, WEEK], TEMPE)).is_empty());
        assert!(found(&world, &pair("192.0.2.9", [WEEK, &[6, 7, 8, 9, 10]], SEATTLE)).is_empty());
        let few = pair("192.0.2.9", [WEEK, &[5, 6, 7]], SEATTLE);
        assert_eq!(found(&world, &few), [Confidence::Low; 2]);
    }

    #[test]
    fn carriers_exits_and_declared_sites_are_shared_by_many() {
        let mut world = World::new();
        for address in ["203.0.113.200", "203.0.113.100"] {
            assert!(
                found(&world, &pair(address, [WEEK, WEEK], SEATTLE)).is_empty(),
                "{address}"
            );
        }
        world.policy.sites = vec![Site {
            name: "Desks".to_owned(),
            kind: SiteKind::Coworking,
            networks: vec!["192.0.2.9/32".parse().unwrap()],
            coordinates: Some((33.5, -112.0)),
            allowed_tools: Vec::new(),
        }];
        assert!(found(&world, &pair("192.0.2.9", [WEEK, WEEK], SEATTLE)).is_empty());
        // Not its address, but the second person's declared site is where the address is.
        let mut hosts = pair("192.0.2.77", [WEEK, WEEK], SEATTLE);
        assert_eq!(found(&world, &hosts).len(), 2);
        hosts[1].asset.as_mut().unwrap().record.site = Some("Desks".to_owned());
        assert!(found(&world, &hosts).is_empty());
    }

    #[test]
    fn guests_one_after_the_other_are_no_household() {
        let world = World::new();
        let stay = |name, home, days| {
            Sample::of("US")
                .assigned(name, home)
                .goes_out("192.0.2.9", days)
                .host()
        };
        let hosts = [
            Sample::of("US").goes_out("192.0.2.9", WEEK).host(),
            stay("B", SEATTLE, &[1, 2]),
            stay("C", (40.71, -74.01), &[3, 4]),
            stay("D", (25.76, -80.19), &[5]),
        ];
        let list = found(&world, &hosts);
        assert!(
            list.iter().all(|confidence| *confidence == Confidence::Low),
            "{list:?}"
        );
    }

    #[test]
    fn where_both_are_but_seldom_is_no_home() {
        let world = World::new();
        let host = |name, home, own: &str| {
            Sample::of("US")
                .assigned(name, home)
                .goes_out("192.0.2.9", WEEK)
                .goes_out(own, &[6, 7, 8, 9, 10, 11, 12])
                .host()
        };
        let hosts = [host("A", TEMPE, "192.0.2.10"), host("B", SEATTLE, "192.0.2.11")];
        assert_eq!(found(&world, &hosts), [Confidence::Low; 2]);
    }

    #[test]
    fn customers_behind_a_carriers_translator_are_a_lead_at_most() {
        let mut world = World::new();
        let mut hosts = pair("192.0.2.9", [WEEK, WEEK], SEATTLE);
        hosts[0]
            .ips
            .push(crate::detect::place::samples::address("100.64.7.9"));
        let list = world.conclude(&SharedAddress, &hosts);
        assert_eq!(found(&world, &hosts), [Confidence::Low; 2]);
        let note = list[0].evidence[0].note.as_deref().unwrap();
        assert!(note.contains("100.64.7.9"), "{note}");
        // Its reverse name says so as well.
        let hosts = pair("192.0.2.9", [WEEK, WEEK], SEATTLE);
        assert_eq!(found(&world, &hosts), [Confidence::Medium; 2]);
        let line = crate::detect::place::samples::address("192.0.2.9");
        let name = "cgnat-192-0-2-9.provider.example";
        world
            .reverse_names
            .learn(line, name, crate::model::frame::FrameRef::default());
        assert_eq!(found(&world, &hosts), [Confidence::Low; 2]);
    }

    #[test]
    fn a_crowd_is_an_exit() {
        let world = World::new();
        let names: Vec<String> = (0..30).map(|number| format!("P{number}")).collect();
        let hosts: Vec<HostView> = names
            .iter()
            .enumerate()
            .map(|(number, name)| {
                let home = (25.0 + f64::from(u32::try_from(number).unwrap()), -100.0);
                Sample::of("US")
                    .assigned(name, home)
                    .goes_out("192.0.2.9", WEEK)
                    .host()
            })
            .collect();
        let list = found(&world, &hosts);
        assert_eq!(list.len(), 30);
        assert!(list.iter().all(|confidence| *confidence == Confidence::Low));
    }
}

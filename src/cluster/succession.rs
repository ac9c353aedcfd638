//! Addresses that may be one machine's, one after the other.
//!
//! Behind a router nothing tells whose an IPv6 address is, and a machine takes a new one every day (RFC 8981). So of addresses of
//! one network that nothing ties to a machine, as many count in groups as machines must be there: as were in use at one
//! time. The others keep their own verdicts.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::address::Address;
use crate::model::egress::line;
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::model::time::{Nanoseconds, Timestamp};

/// Hosts that need not be machines beside the others of their networks.
pub(super) fn may_be_others(profiles: &[&HostProfile]) -> BTreeSet<ContentId> {
    let mut networks: BTreeMap<Address, Vec<&HostProfile>> = BTreeMap::new();
    for profile in profiles.iter().copied() {
        if let Some(network) = temporary(profile) {
            networks.entry(network).or_default().push(profile);
        }
    }
    networks
        .into_values()
        .filter(|there| there.len() > 1)
        .flat_map(beside)
        .collect()
}

/// The network of a host of which nothing but temporary addresses in it are known.
fn temporary(profile: &HostProfile) -> Option<Address> {
    let network = line(*profile.ips.first()?);
    let is_such = profile.mac.is_none()
        && profile
            .ips
            .iter()
            .all(|ip| is_temporary(*ip) && line(*ip) == network);
    is_such.then_some(network)
}

/// Whether an interface identifier is neither made of a link address (RFC 4291, appendix A) nor small, as those that people and DHCP
/// servers give out are.
fn is_temporary(address: Address) -> bool {
    let [_, _, _, _, _, _, _, _, first, second, third, fourth, fifth, ..] = address.0;
    !address.is_v4() && (fourth, fifth) != (0xff, 0xfe) && [first, second, third, fourth] != [0; 4]
}

/// Of hosts of one network all but one for each machine that must be there: of those that can have followed each other the one
/// that was controlled longest.
fn beside(mut there: Vec<&HostProfile>) -> Vec<ContentId> {
    there.sort_by_key(|profile| (profile.first_seen, profile.host));
    let mut machines: Vec<Vec<&HostProfile>> = Vec::new();
    let mut ends: BTreeSet<(Timestamp, usize)> = BTreeSet::new();
    for profile in there {
        let free = ends.first().copied().filter(|(end, _)| *end < profile.first_seen);
        let machine = if let Some(found) = free {
            ends.remove(&found);
            found.1
        } else {
            machines.push(Vec::new());
            machines.len().saturating_sub(1)
        };
        if let Some(addresses) = machines.get_mut(machine) {
            addresses.push(profile);
        }
        ends.insert((profile.last_seen, machine));
    }
    let mut others = Vec::new();
    for addresses in machines {
        let longest = addresses
            .iter()
            .max_by_key(|profile| (controlled(profile), std::cmp::Reverse(profile.host)))
            .map(|profile| profile.host);
        others.extend(
            addresses
                .iter()
                .map(|profile| profile.host)
                .filter(|host| Some(*host) != longest),
        );
    }
    others
}

/// How long a host was seen under control.
fn controlled(profile: &HostProfile) -> Nanoseconds {
    profile
        .live_sessions()
        .flat_map(|session| &session.intervals)
        .fold(0, |sum: Nanoseconds, (from, until, _)| {
            sum.saturating_add(until.since(*from))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::MacAddress;

    /// A host with an address, seen in such seconds.
    fn host(ip: &str, from: i64, until: i64) -> HostProfile {
        HostProfile {
            host: ContentId::of(&[ip.as_bytes()]),
            ips: vec![ip.parse::<std::net::IpAddr>().unwrap().into()],
            first_seen: Timestamp::from_parts(from, 0),
            last_seen: Timestamp::from_parts(until, 0),
            ..HostProfile::default()
        }
    }

    fn set_aside(hosts: &[HostProfile]) -> usize {
        may_be_others(&hosts.iter().collect::<Vec<_>>()).len()
    }

    #[test]
    fn one_address_a_day_is_one_machine_and_two_at_one_time_are_two() {
        let mut days: Vec<HostProfile> = (0..6)
            .map(|day| {
                host(
                    &format!("2001:db8:5:1:a1b2:c3d4:e5f6:{day}"),
                    day * 100,
                    day * 100 + 50,
                )
            })
            .collect();
        assert_eq!(set_aside(&days), 5);
        days.push(host("2001:db8:5:1:9999:1:2:3", 20, 30));
        assert_eq!(set_aside(&days), 5, "the first day had two");
        days.push(host("2001:db8:5:2:9999:1:2:3", 500, 530));
        assert_eq!(set_aside(&days), 5, "another network is another line");
    }

    #[test]
    fn what_is_tied_to_a_machine_is_none_of_them() {
        let of = |ips: [&str; 2]| [host(ips[0], 0, 10), host(ips[1], 20, 30)];
        assert_eq!(
            set_aside(&of(["2001:db8::a1b2:1:2:3", "2001:db8::c3d4:1:2:3"])),
            1
        );
        assert_eq!(
            set_aside(&of(["2001:db8::211:22ff:fe33:1", "2001:db8::211:22ff:fe33:2"])),
            0
        );
        assert_eq!(set_aside(&of(["2001:db8::10", "2001:db8::11"])), 0);
        assert_eq!(set_aside(&of(["192.0.2.10", "192.0.2.11"])), 0);
        let mut known = of(["2001:db8::a1b2:1:2:3", "2001:db8::c3d4:1:2:3"]);
        known[0].mac = Some(MacAddress([2, 0, 0, 0, 0, 1]));
        assert_eq!(set_aside(&known), 0);
    }
}

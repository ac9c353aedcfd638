//! From addresses to machines: which local addresses belong to one link address, and which link addresses are
//! routers' and belong to nobody behind them.
//!
//! A link address that carried packets of several foreign networks, or of many local addresses, is a router's; the
//! addresses behind it stay hosts of their own. All others make their addresses one machine.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::locals::{Locals, Sighting};
use crate::model::address::{Address, MacAddress};
use crate::model::egress::Sightings;
use crate::model::few::Few;
use crate::model::identity::ContentId;
use crate::model::observation::LocalIndex;

/// Foreign networks after which a link address counts as a router's: one may be a host's own public address.
const FOREIGN_NETWORKS: usize = 2;

/// Local IPv4 addresses after which a link address counts as a router's (a host with containers has a few).
const LOCAL_ADDRESSES: usize = 6;

/// Local IPv4 addresses that a router may claim to be its own.
const ROUTER_ADDRESSES: usize = 2;

/// Local addresses that are remembered because a link address merely carried their packets.
const MOST_CARRIED: usize = 64;

/// Names, and announcements, that are remembered of one link address.
const MOST_SAID: usize = 64;

/// What is remembered of one link address.
#[derive(Clone, Debug, Default)]
struct Station {
    /// Local addresses that it carried or owns, with whether that came from ARP or DHCP, which are sure.
    locals: Few<LocalIndex, bool>,
    /// Foreign networks (/24, /48) whose packets it carried.
    foreign: BTreeSet<[u8; 16]>,
    /// Names that it gave itself.
    names: BTreeMap<(&'static str, String), Sighting>,
    /// What it announced of itself, by field.
    announced: BTreeMap<(&'static str, String), Sighting>,
    parameters: Option<String>,
    /// Public addresses that DHCP gave it.
    leased: BTreeMap<Address, Sightings>,
}

/// The link addresses.
#[derive(Debug)]
pub struct Identity {
    /// Where each link address stands in `entries`: looked up for every flow.
    index: HashMap<MacAddress, usize, rapidhash::fast::RandomState>,
    entries: Vec<(MacAddress, Station)>,
    /// A link address of which enough foreign networks are known: nearly all foreign packets come from one router.
    known_router: MacAddress,
    most: usize,
}

/// One machine: its addresses and what is common to them.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Stable identifier: of the link address where there is one, else of the first address and its space.
    pub id: ContentId,
    /// Link address.
    pub mac: Option<MacAddress>,
    /// Its entries in the table of local addresses.
    pub locals: Vec<LocalIndex>,
    /// Names with their sources.
    pub names: BTreeMap<(&'static str, String), Sighting>,
    /// What it announced of itself, by the field that said it.
    pub announced: BTreeMap<(&'static str, String), Sighting>,
    /// DHCP parameter request list.
    pub parameters: Option<String>,
    /// Public addresses that DHCP gave it.
    pub leased: BTreeMap<Address, Sightings>,
    /// It forwards other machines' packets.
    pub is_router: bool,
}

impl Identity {
    /// Keeps at most `most` link addresses.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            index: HashMap::default(),
            entries: Vec::new(),
            known_router: MacAddress::ABSENT,
            most,
        }
    }

    fn station(&mut self, mac: MacAddress) -> Option<&mut Station> {
        if let Some(place) = self.index.get(&mac) {
            return self.entries.get_mut(*place).map(|(_, station)| station);
        }
        if !mac.is_present() || mac.is_group() || self.entries.len() >= self.most {
            return None;
        }
        self.index.insert(mac, self.entries.len());
        self.entries.push((mac, Station::default()));
        self.entries.last_mut().map(|(_, station)| station)
    }

    /// All stations in the order of their addresses.
    fn sorted(&self) -> BTreeMap<MacAddress, &Station> {
        self.entries
            .iter()
            .map(|(mac, station)| (*mac, station))
            .collect()
    }

    /// A frame from this link address carried a packet from this address.
    pub fn carried(&mut self, mac: MacAddress, local: Option<LocalIndex>, address: Address) {
        if local.is_none() && mac == self.known_router {
            return;
        }
        let Some(station) = self.station(mac) else { return };
        if let Some(local) = local {
            // A few more than make a router are enough to know one by.
            if station.locals.len() < MOST_CARRIED {
                station.locals.or_insert_with(local, || false);
            }
        } else if station.foreign.len() < FOREIGN_NETWORKS {
            let mut network = address.0;
            let kept = if address.is_v4() { 15 } else { 6 };
            network.iter_mut().skip(kept).for_each(|octet| *octet = 0);
            if network != [0; 16] {
                station.foreign.insert(network);
            }
        } else {
            self.known_router = mac;
        }
    }

    /// ARP or DHCP says that this link address has this local address.
    pub fn owns(&mut self, mac: MacAddress, local: LocalIndex) {
        if let Some(station) = self.station(mac)
            && station.locals.len() < 1_024
        {
            station.locals.extend([(local, true)]);
        }
    }

    /// This link address gave itself a name.
    pub fn named(&mut self, mac: MacAddress, source: &'static str, name: &str, seen: Sighting) {
        let name = name.trim_end_matches('\0').trim();
        if let Some(station) = self.station(mac)
            && !name.is_empty()
            && station.names.len() < MOST_SAID
        {
            station.names.entry((source, name.to_owned())).or_insert(seen);
        }
    }

    /// This link address announced `text` of itself in `field`.
    pub fn announced(&mut self, mac: MacAddress, field: &'static str, text: &str, seen: Sighting) {
        if let Some(station) = self.station(mac)
            && !text.is_empty()
            && station.announced.len() < MOST_SAID
        {
            station.announced.entry((field, text.to_owned())).or_insert(seen);
        }
    }

    /// DHCP gave this link address a public address.
    pub fn leased(&mut self, mac: MacAddress, address: Address, (frame, at): Sighting) {
        if let Some(station) = self.station(mac) {
            if let Some(known) = station.leased.get_mut(&address) {
                known.add(at);
            } else if station.leased.len() < MOST_SAID {
                station.leased.insert(address, Sightings::first(frame, at));
            }
        }
    }

    /// DHCP parameter request list of this link address.
    pub fn parameters(&mut self, mac: MacAddress, text: &str) {
        if let Some(station) = self.station(mac) {
            text.clone_into(station.parameters.get_or_insert_default());
        }
    }

    /// Makes machines of all local addresses, sorted by identifier.
    #[must_use]
    pub fn resolve(&self, locals: &Locals) -> Vec<Host> {
        let stations = self.sorted();
        let mut owner: BTreeMap<LocalIndex, MacAddress> = BTreeMap::new();
        let mut routers = BTreeSet::new();
        for (mac, station) in &stations {
            let carried_v4 = station
                .locals
                .iter()
                .filter(|(local, _)| locals.address(**local).is_v4())
                .count();
            let is_router = station.foreign.len() >= FOREIGN_NETWORKS || carried_v4 > LOCAL_ADDRESSES;
            if is_router {
                routers.insert(*mac);
            }
            // A router that answers ARP for others (RFC 1027) claims them all: then none of its claims tells which is its own.
            let claims_v4 = station
                .locals
                .iter()
                .filter(|(local, is_sure)| **is_sure && locals.address(**local).is_v4())
                .count();
            let is_believed = !is_router || claims_v4 <= ROUTER_ADDRESSES;
            for (local, is_sure) in station.locals.iter() {
                if *is_sure && is_believed || !is_router {
                    // Of two claims the sure one counts, then the smaller address, so that order does not.
                    let rival = owner.get(local).and_then(|rival| stations.get(rival));
                    let rival_is_sure = rival
                        .and_then(|rival| rival.locals.get(local))
                        .copied()
                        .unwrap_or(false);
                    if rival.is_none() || *is_sure && !rival_is_sure {
                        owner.insert(*local, *mac);
                    }
                }
            }
        }
        let mut hosts: BTreeMap<ContentId, Host> = BTreeMap::new();
        for (index, entry) in locals.iter() {
            let mac = owner.get(&index).copied();
            let id = match mac {
                Some(mac) => ContentId::of(&[b"mac", &mac.0, &entry.space.0.to_be_bytes()]),
                None => ContentId::of(&[b"ip", &entry.address.0, &entry.space.0.to_be_bytes()]),
            };
            let host = hosts.entry(id).or_insert_with(|| Host {
                id,
                mac,
                ..Host::default()
            });
            host.locals.push(index);
            for (name, seen) in &entry.names {
                host.names.entry(name.clone()).or_insert(*seen);
            }
            for (announcement, seen) in &entry.announced {
                host.announced.entry(announcement.clone()).or_insert(*seen);
            }
            if let Some(mac) = mac {
                host.is_router = routers.contains(&mac);
                if let Some(station) = stations.get(&mac) {
                    for (name, seen) in &station.names {
                        host.names.entry(name.clone()).or_insert(*seen);
                    }
                    for (announcement, seen) in &station.announced {
                        host.announced.entry(announcement.clone()).or_insert(*seen);
                    }
                    host.parameters.clone_from(&station.parameters);
                    host.leased.clone_from(&station.leased);
                }
            }
        }
        hosts.into_values().collect()
    }

    /// Link addresses that forward other machines' packets.
    pub fn routers<'a>(&'a self, locals: &'a Locals) -> impl Iterator<Item = MacAddress> + 'a {
        self.sorted().into_iter().filter_map(|(mac, station)| {
            let carried_v4 = station
                .locals
                .iter()
                .filter(|(local, _)| locals.address(**local).is_v4())
                .count();
            (station.foreign.len() >= FOREIGN_NETWORKS || carried_v4 > LOCAL_ADDRESSES).then_some(mac)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::AddressSpace;

    const LAPTOP: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

    #[test]
    fn addresses_of_one_link_address_are_one_machine_and_those_behind_a_router_are_not() {
        let mut locals = Locals::new(&[], 100);
        let mut identity = Identity::new(100);
        let space = AddressSpace::default();
        let first = locals.place(space, Address::from_v4([192, 168, 0, 5]));
        let second = locals.place(space, "fe80::5".parse::<std::net::IpAddr>().unwrap().into());
        let behind = locals.place(space, Address::from_v4([10, 9, 9, 9]));
        identity.carried(LAPTOP, first, Address::from_v4([192, 168, 0, 5]));
        identity.carried(LAPTOP, second, Address::default());
        identity.carried(ROUTER, behind, Address::from_v4([10, 9, 9, 9]));
        for last in [1, 2] {
            identity.carried(ROUTER, None, Address::from_v4([198, 51, last, 1]));
        }
        identity.named(LAPTOP, "dhcp", "laptop-1", Sighting::default());
        let hosts = identity.resolve(&locals);
        assert_eq!(hosts.len(), 2);
        let laptop = hosts.iter().find(|host| host.mac == Some(LAPTOP)).unwrap();
        assert_eq!(laptop.locals.len(), 2);
        assert!(laptop.names.contains_key(&("dhcp", "laptop-1".to_owned())));
        assert!(
            hosts
                .iter()
                .any(|host| host.mac.is_none() && host.locals == [behind.unwrap()])
        );
        assert_eq!(identity.routers(&locals).collect::<Vec<_>>(), [ROUTER]);
    }

    #[test]
    fn a_router_that_answers_arp_for_others_owns_none_of_them() {
        let mut locals = Locals::new(&[], 100);
        let mut identity = Identity::new(100);
        let guests: Vec<LocalIndex> = (1..=5)
            .map(|last| {
                locals
                    .place(AddressSpace::default(), Address::from_v4([192, 168, 0, last]))
                    .unwrap()
            })
            .collect();
        for guest in &guests {
            identity.owns(ROUTER, *guest);
        }
        for last in [1, 2] {
            identity.carried(ROUTER, None, Address::from_v4([198, 51, last, 1]));
        }
        let hosts = identity.resolve(&locals);
        assert_eq!(hosts.len(), guests.len());
        assert!(hosts.iter().all(|host| host.mac.is_none()));
    }
}

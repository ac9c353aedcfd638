//! From addresses to machines: which local addresses belong to one link address, and which link addresses are
//! routers' and belong to nobody behind them.
//!
//! Which link address an address belongs to is judged at the end (`observe::owners`); the addresses behind a router stay hosts
//! of their own.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::locals::{Locals, Sighting};
use super::owners::Owners;
use super::thresholds::THRESHOLDS;
use crate::model::address::{Address, MacAddress};
use crate::model::egress::Sightings;
use crate::model::few::Few;
use crate::model::identity::ContentId;
use crate::model::observation::LocalIndex;
use crate::model::pieces::Pieces;

/// Local addresses that are remembered because a link address merely carried their packets.
const MOST_CARRIED: usize = 64;

/// Names, and announcements, that are remembered of one link address.
const MOST_SAID: usize = 64;

/// How a local address comes to be a link address's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// It carried packets from there, as routers do too.
    Carried,
    /// It said so itself (ARP), as routers do for others too (RFC 1027).
    Said,
    /// A DHCP server gave it the address.
    Leased,
}

/// What is remembered of one link address: one line of cache, which nearly every flow asks for.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Station {
    mac: MacAddress,
    /// Enough foreign networks are known of it: nothing more is to be learnt from what else it carries.
    is_router: bool,
    /// A foreign network (/24, /48) whose packets it carried, as a number; zero where there was none.
    foreign: u64,
    /// Further ones.
    further: Box<[u64]>,
    /// Local addresses that it carried or claims, with how sure that is.
    pub(super) locals: Few<LocalIndex, Claim>,
    /// Apart, because most say nothing, and there are as many as link addresses.
    told: Option<Box<Told>>,
}

impl Station {
    /// How many foreign networks it carried packets of, as far as they are counted.
    pub(super) fn foreign_networks(&self) -> usize {
        usize::from(self.foreign != 0).saturating_add(self.further.len())
    }

    /// It carried a packet from a foreign address.
    fn carried_foreign(&mut self, address: Address) {
        let network = network_of(address);
        if network == self.foreign || network == 0 || self.further.contains(&network) {
            return;
        }
        if self.foreign == 0 {
            self.foreign = network;
        } else {
            self.further = self.further.iter().copied().chain([network]).collect();
        }
        self.is_router = self.foreign_networks() >= THRESHOLDS.owners.foreign_networks;
    }
}

/// The network of an address as a number: 24 bits of an IPv4 address with a mark, 48 bits of another.
fn network_of(address: Address) -> u64 {
    let [one, two, three, four, five, six, .., a, b, c, _] = address.0;
    if address.is_v4() {
        u64::from_be_bytes([1, 0, 0, 0, 0, a, b, c])
    } else {
        u64::from_be_bytes([0, 0, one, two, three, four, five, six])
    }
}

/// What a link address said of itself.
#[derive(Clone, Debug, Default)]
struct Told {
    /// Names that it gave itself.
    names: BTreeMap<(&'static str, String), Sighting>,
    /// What it announced of itself, by field.
    announced: BTreeMap<(&'static str, String), Sighting>,
    parameters: Option<String>,
    /// Public addresses that DHCP gave it.
    leased: BTreeMap<Address, Sightings>,
}

/// A link address as a number, for hashing.
const fn number(mac: MacAddress) -> u64 {
    let [one, two, three, four, five, six] = mac.0;
    u64::from_be_bytes([0, 0, one, two, three, four, five, six])
}

/// The link addresses.
#[derive(Debug)]
pub struct Identity {
    /// Where each link address stands in `entries`, where the key is: looked up for every flow.
    index: HashTable<u32>,
    hashed: rapidhash::fast::RandomState,
    entries: Pieces<Station>,
    /// A link address of which enough foreign networks are known: nearly all foreign packets come from one router.
    known_router: MacAddress,
    most: usize,
}

/// Where a link address was found some flows ago, or nowhere: looked at before it is searched for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing(u32);

impl Standing {
    /// Nothing is known.
    pub(super) const NONE: Self = Self(u32::MAX);
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
    /// Those of its addresses that other machines had too, before or after it or in another house.
    pub shared: Vec<Address>,
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
            index: HashTable::new(),
            hashed: rapidhash::fast::RandomState::default(),
            entries: Pieces::default(),
            known_router: MacAddress::ABSENT,
            most,
        }
    }

    fn find(&self, mac: MacAddress) -> Option<u32> {
        let is_of = |place: &u32| {
            self.entries
                .get(*place as usize)
                .is_some_and(|station| station.mac == mac)
        };
        self.index.find(self.hashed.hash_one(number(mac)), is_of).copied()
    }

    /// Where a link address stands, entered when new.
    fn place(&mut self, mac: MacAddress) -> Option<u32> {
        if let Some(place) = self.find(mac) {
            return Some(place);
        }
        if !mac.is_present() || mac.is_group() || self.entries.len() >= self.most {
            return None;
        }
        let place = u32::try_from(self.entries.len()).ok()?;
        let Self {
            index,
            hashed,
            entries,
            ..
        } = self;
        index.insert_unique(hashed.hash_one(number(mac)), place, |known| {
            let station = entries.get(*known as usize);
            station.map_or(0, |station| hashed.hash_one(number(station.mac)))
        });
        entries.push(Station {
            mac,
            ..Station::default()
        });
        Some(place)
    }

    fn station(&mut self, mac: MacAddress) -> Option<&mut Station> {
        let place = self.place(mac)?;
        self.entries.get_mut(place as usize)
    }

    /// Looks a link address up that carried a foreign packet, so that it is at hand when its flow comes.
    pub(super) fn touch(&self, mac: MacAddress) -> Standing {
        if mac == self.known_router {
            return Standing::NONE;
        }
        self.find(mac).map_or(Standing::NONE, Standing)
    }

    fn told(&mut self, mac: MacAddress) -> Option<&mut Told> {
        self.station(mac)
            .map(|station| &mut **station.told.get_or_insert_default())
    }

    /// All stations, in no order that means anything.
    pub(super) fn stations(&self) -> impl Iterator<Item = (MacAddress, &Station)> {
        self.entries.iter().map(|station| (station.mac, station))
    }

    /// A frame from this link address carried a packet from this address.
    pub fn carried(&mut self, mac: MacAddress, local: Option<LocalIndex>, address: Address) {
        let Some(local) = local else {
            self.carried_foreign(Standing::NONE, mac, address);
            return;
        };
        // A few more than make a router are enough to know one by.
        if let Some(station) = self.station(mac)
            && station.locals.len() < MOST_CARRIED
        {
            station.locals.or_insert_with(local, || Claim::Carried);
        }
    }

    /// A frame from this link address, which may have been touched before, carried a packet from this foreign address.
    pub(super) fn carried_foreign(&mut self, Standing(touched): Standing, mac: MacAddress, address: Address) {
        if mac == self.known_router {
            return;
        }
        let at_hand = self.entries.get(touched as usize);
        let place = if at_hand.is_some_and(|station| station.mac == mac) {
            touched
        } else if let Some(place) = self.place(mac) {
            place
        } else {
            return;
        };
        if let Some(station) = self.entries.get_mut(place as usize) {
            if station.is_router {
                self.known_router = mac;
            } else {
                station.carried_foreign(address);
            }
        }
    }

    /// Whether a link address is known by now to carry the packets of several foreign networks.
    pub(super) fn is_router(&self, mac: MacAddress) -> bool {
        self.get(mac).is_some_and(|station| station.is_router)
    }

    /// Whether a link address carried, or claimed, a local IPv4 address.
    pub(super) fn holds_v4(&self, mac: MacAddress, locals: &Locals) -> bool {
        self.get(mac).is_some_and(|station| {
            let mut addresses = station.locals.iter().map(|(local, _)| locals.address(*local));
            addresses.any(Address::is_v4)
        })
    }

    pub(super) fn get(&self, mac: MacAddress) -> Option<&Station> {
        self.entries.get(self.find(mac)? as usize)
    }

    /// This link address says that it has this local address (ARP).
    pub fn claims(&mut self, mac: MacAddress, local: LocalIndex) {
        self.claimed(mac, local, Claim::Said);
    }

    /// DHCP says that this link address has this local address.
    pub fn holds_lease(&mut self, mac: MacAddress, local: LocalIndex) {
        self.claimed(mac, local, Claim::Leased);
    }

    fn claimed(&mut self, mac: MacAddress, local: LocalIndex, how: Claim) {
        if let Some(station) = self.station(mac)
            && station.locals.len() < 1_024
        {
            let known = station.locals.or_insert_with(local, || how);
            *known = how.max(*known);
        }
    }

    /// This link address gave itself a name.
    pub fn named(&mut self, mac: MacAddress, source: &'static str, name: &str, seen: Sighting) {
        let name = name.trim_end_matches('\0').trim();
        if !name.is_empty()
            && let Some(told) = self.told(mac)
            && told.names.len() < MOST_SAID
        {
            told.names.entry((source, name.to_owned())).or_insert(seen);
        }
    }

    /// This link address announced `text` of itself in `field`.
    pub fn announced(&mut self, mac: MacAddress, field: &'static str, text: &str, seen: Sighting) {
        if !text.is_empty()
            && let Some(told) = self.told(mac)
            && told.announced.len() < MOST_SAID
        {
            told.announced.entry((field, text.to_owned())).or_insert(seen);
        }
    }

    /// DHCP gave this link address a public address.
    pub fn leased(&mut self, mac: MacAddress, address: Address, (frame, at): Sighting) {
        if let Some(told) = self.told(mac) {
            if let Some(known) = told.leased.get_mut(&address) {
                known.add(at);
            } else if told.leased.len() < MOST_SAID {
                told.leased.insert(address, Sightings::first(frame, at));
            }
        }
    }

    /// DHCP parameter request list of this link address.
    pub fn parameters(&mut self, mac: MacAddress, text: &str) {
        if let Some(told) = self.told(mac) {
            text.clone_into(told.parameters.get_or_insert_default());
        }
    }

    /// Makes machines of all local addresses, sorted by identifier.
    #[must_use]
    pub fn resolve(&self, locals: &Locals) -> Vec<Host> {
        let mut owners = Owners::new(self, locals);
        let owner = owners.resolve();
        let mut hosts: BTreeMap<ContentId, Host> = BTreeMap::new();
        for (index, entry) in locals.iter() {
            let mac = owner.of(index);
            let id = match mac {
                Some(mac) => ContentId::of(&[b"mac", &mac.0, &entry.space.0.to_be_bytes()]),
                None => ContentId::of(&[b"ip", &entry.address.0, &entry.space.0.to_be_bytes()]),
            };
            if owners.empty.contains(&index) {
                continue;
            }
            let host = hosts.entry(id).or_insert_with(|| Host {
                id,
                mac,
                ..Host::default()
            });
            host.locals.push(index);
            if owners.several.contains(&index) && !host.shared.contains(&entry.address) {
                host.shared.push(entry.address);
            }
            for (name, seen) in &entry.names {
                host.names.entry(name.clone()).or_insert(*seen);
            }
            for (announcement, seen) in &entry.announced {
                host.announced.entry(announcement.clone()).or_insert(*seen);
            }
            if let Some(mac) = mac {
                host.is_router = owners.routers.contains(&mac);
                if let Some(told) = self.get(mac).and_then(|station| station.told.as_ref()) {
                    for (name, seen) in &told.names {
                        host.names.entry(name.clone()).or_insert(*seen);
                    }
                    for (announcement, seen) in &told.announced {
                        host.announced.entry(announcement.clone()).or_insert(*seen);
                    }
                    host.parameters.clone_from(&told.parameters);
                    host.leased.clone_from(&told.leased);
                }
            }
        }
        hosts.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::AddressSpace;
    use crate::model::time::Timestamp;
    use crate::observe::tally::Part;

    const NOW: Timestamp = Timestamp(1);
    const LAPTOP: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

    #[test]
    fn addresses_of_one_link_address_are_one_machine_and_those_behind_a_router_are_not() {
        let mut locals = Locals::new(&[], 100);
        let mut identity = Identity::new(100);
        let space = AddressSpace::default();
        let first = locals.place(space, Address::from_v4([192, 168, 0, 5]), LAPTOP, NOW);
        let second = locals.place(
            space,
            "fe80::5".parse::<std::net::IpAddr>().unwrap().into(),
            LAPTOP,
            NOW,
        );
        let behind = locals.place(space, Address::from_v4([10, 9, 9, 9]), ROUTER, NOW);
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
    }

    #[test]
    fn a_router_that_answers_arp_for_others_owns_none_of_them() {
        let mut locals = Locals::new(&[], 100);
        let mut identity = Identity::new(100);
        let guests: Vec<LocalIndex> = (1..=5)
            .map(|last| {
                locals
                    .claim(
                        AddressSpace::default(),
                        Address::from_v4([192, 168, 0, last]),
                        ROUTER,
                        NOW,
                    )
                    .unwrap()
                    .0
            })
            .collect();
        for guest in &guests {
            identity.claims(ROUTER, *guest);
        }
        for last in [1, 2] {
            identity.carried(ROUTER, None, Address::from_v4([198, 51, last, 1]));
        }
        let hosts = identity.resolve(&locals);
        assert_eq!(hosts.len(), guests.len());
        assert!(hosts.iter().all(|host| host.mac.is_none()));
    }

    #[test]
    fn who_leased_address_after_address_is_no_router_and_who_carries_as_many_is_one() {
        let made = |is_leased: bool| {
            let mut locals = Locals::new(&[], 100);
            let mut identity = Identity::new(100);
            for last in 1..=9 {
                let address = Address::from_v4([192, 168, 0, last]);
                if is_leased {
                    let (local, _) = locals
                        .claim(AddressSpace::default(), address, LAPTOP, NOW)
                        .unwrap();
                    identity.holds_lease(LAPTOP, local);
                } else {
                    let local = locals.place(AddressSpace::default(), address, LAPTOP, NOW);
                    identity.carried(LAPTOP, local, address);
                }
            }
            identity.resolve(&locals).len()
        };
        assert_eq!((made(true), made(false)), (1, 9));
    }

    #[test]
    fn a_machine_has_an_ipv6_address_a_day_and_a_router_carries_many_at_once() {
        let made = |at_once: bool| {
            let mut locals = Locals::new(&[], 100);
            let mut identity = Identity::new(100);
            for number in 0..30_u8 {
                let mut octets = [0; 16];
                octets[0] = 0xfd;
                octets[15] = number;
                let from = if at_once { 0 } else { i64::from(number) * 10 };
                let local = locals.place(AddressSpace::default(), Address(octets), LAPTOP, NOW);
                locals.heard(local.unwrap(), None, Timestamp(from));
                locals.heard(local.unwrap(), None, Timestamp(from + 9));
                identity.carried(LAPTOP, local, Address(octets));
            }
            identity.resolve(&locals).len()
        };
        assert_eq!((made(false), made(true)), (1, 30));
    }

    #[test]
    fn an_address_that_two_claim_without_sending_for_themselves_is_the_claimants_of_then() {
        let mut locals = Locals::new(&[], 100);
        let mut identity = Identity::new(100);
        let address = Address::from_v4([192, 168, 0, 5]);
        let space = AddressSpace::default();
        let other = MacAddress([2, 0, 0, 0, 0, 2]);
        // Packets without link addresses, as a raw capture has them.
        let mut claim = |locals: &mut Locals, mac, at| {
            let (local, _) = locals.claim(space, address, mac, Timestamp(at)).unwrap();
            locals.heard(local, None, Timestamp(at));
            identity.holds_lease(mac, local);
        };
        let before = locals.place(space, address, MacAddress::ABSENT, NOW).unwrap();
        let sent = Part {
            time: (NOW, NOW),
            bytes_out: 5,
            bytes_in: 5,
            carrier: None,
            ttl: None,
            handshake: None,
        };
        locals.took_part(before, &sent);
        claim(&mut locals, LAPTOP, 10);
        claim(&mut locals, other, 20);
        let first = locals.place(space, address, MacAddress::ABSENT, Timestamp(15));
        let second = locals.place(space, address, MacAddress::ABSENT, Timestamp(25));
        let hosts = identity.resolve(&locals);
        let of = |mac| hosts.iter().find(|host| host.mac == mac).unwrap();
        assert!(of(Some(LAPTOP)).locals.contains(&first.unwrap()));
        assert!(of(Some(other)).locals.contains(&second.unwrap()));
        assert_eq!(of(None).locals, [before], "nobody knows whose it was before");
        assert!(hosts.iter().all(|host| host.shared == [address]));
    }
}

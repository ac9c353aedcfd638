//! The local addresses: which ones are ours, and what each of them did.

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::HashTable;
use ipnet::IpNet;

use super::holders::{Found, Holders, Stay};
pub use super::local_address::{LocalAddress, Sighting};
use super::on_link::OnLink;
pub use super::tally::Tally;
use super::tally::{MOST_GATEWAYS, Part};
use crate::model::address::{Address, AddressSpace, MacAddress};
use crate::model::few::Few;
use crate::model::local_networks::LocalNetworks;
use crate::model::observation::LocalIndex;
use crate::model::pieces::Pieces;
use crate::model::router::Router;
use crate::model::time::Timestamp;

/// The role of an address that answers its neighbours' DNS questions.
pub const RESOLVER: &str = "dns_server";

/// The table of local addresses.
#[derive(Debug)]
pub struct Locals {
    networks: LocalNetworks,
    /// What beside them turned out to be ours.
    pub(super) on_link: OnLink,
    /// Whether addresses outside the networks may turn out to be ours: nobody said which are.
    pub(super) learns: bool,
    /// The first entry of each address, whose key stands in its tally.
    index: HashTable<u32>,
    hashed: rapidhash::fast::RandomState,
    /// Addresses that several link addresses carried or claimed.
    shared: Vec<Holders>,
    /// Whether addresses were entered that are in no local network.
    pub(super) has_others: bool,
    entries: Pieces<LocalAddress>,
    /// In the order of `entries`.
    tallies: Pieces<Tally>,
    most: usize,
    refused: u64,
}

/// Where an address was found some flows ago, or nowhere: looked at before it is searched for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint(u32);

impl Hint {
    /// Nothing is known.
    pub(super) const NONE: Self = Self(u32::MAX);
}

impl Locals {
    /// `networks` are ours; the private ranges when there are none. At most `most` addresses are kept.
    #[must_use]
    pub fn new(networks: &[IpNet], most: usize) -> Self {
        Self {
            networks: LocalNetworks::new(networks),
            on_link: OnLink::default(),
            learns: networks.is_empty(),
            index: HashTable::new(),
            hashed: rapidhash::fast::RandomState::default(),
            shared: Vec::new(),
            has_others: false,
            entries: Pieces::default(),
            tallies: Pieces::default(),
            most,
            refused: 0,
        }
    }

    /// Whether an address is ours.
    #[must_use]
    pub fn is_local(&self, address: Address) -> bool {
        if !self.networks.contains(address) && !self.on_link.contains(address) {
            return false;
        }
        let ip = address.to_ip();
        let is_nobody = match ip {
            IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
        };
        !is_nobody && !self.networks.is_directed_broadcast(ip)
    }

    /// Whether an address may be in the table, or come into it: most foreign ones may not.
    fn may_hold(&self, space: AddressSpace, address: Address) -> bool {
        (self.networks.may_contain(address) || self.has_others || self.on_link.contains(address))
            && !space.is_strangers()
    }

    fn hash(&self, space: AddressSpace, address: Address) -> u64 {
        let [one, other] = address.words();
        self.hashed.hash_one((space.0, one, other))
    }

    /// The first entry of an address.
    fn find(&self, space: AddressSpace, address: Address) -> Option<LocalIndex> {
        let is_of = |place: &u32| {
            self.tallies
                .get(*place as usize)
                .is_some_and(|tally| tally.is_of(space, address))
        };
        let place = self.index.find(self.hash(space, address), is_of)?;
        Some(LocalIndex(*place))
    }

    /// Looks an address up without entering it, so that it is at hand when its flow comes.
    pub(super) fn touch(&self, space: AddressSpace, address: Address) -> Hint {
        if !self.may_hold(space, address) {
            return Hint::NONE;
        }
        self.find(space, address)
            .map_or(Hint::NONE, |LocalIndex(place)| Hint(place))
    }

    /// Brings all of what is counted for an address near.
    pub(super) fn touch_tally(&self, Hint(place): Hint) -> bool {
        let tally = self.tallies.get(place as usize);
        tally.is_some_and(Tally::has_more)
    }

    /// Index of a local address for whoever holds it at a moment, entered when new; nothing for one that is not ours or beyond the bound.
    /// `mac` is the link address that carries its packets there, absent where that is not known.
    pub fn place(
        &mut self,
        space: AddressSpace,
        address: Address,
        mac: MacAddress,
        at: Timestamp,
    ) -> Option<LocalIndex> {
        self.place_from(Hint::NONE, space, address, mac, at)
    }

    /// The same, of an address that was touched before.
    pub(super) fn place_from(
        &mut self,
        Hint(hint): Hint,
        space: AddressSpace,
        address: Address,
        mac: MacAddress,
        at: Timestamp,
    ) -> Option<LocalIndex> {
        let touched = self.tallies.get(hint as usize);
        if touched.is_some_and(|tally| tally.is_of(space, address)) {
            return self.held(LocalIndex(hint), mac, at);
        }
        if !self.may_hold(space, address) {
            return None;
        }
        match self.find(space, address) {
            Some(first) => self.held(first, mac, at),
            None if self.is_local(address) => self.add(space, address, mac),
            None => None,
        }
    }

    /// Enters an address although it is in no local range: one end of a conversation that has no local end. `mac` carried its packets.
    pub fn enter(
        &mut self,
        space: AddressSpace,
        address: Address,
        mac: MacAddress,
        at: Timestamp,
    ) -> Option<LocalIndex> {
        if space.is_strangers() {
            return None;
        }
        if let Some(first) = self.find(space, address) {
            return self.held(first, mac, at);
        }
        self.has_others = true;
        self.add(space, address, mac)
    }

    /// ARP or DHCP says that `mac` holds an address from a moment on. Gives its index, and whether another held it before.
    pub(super) fn claim(
        &mut self,
        space: AddressSpace,
        address: Address,
        mac: MacAddress,
        at: Timestamp,
    ) -> Option<(LocalIndex, bool)> {
        if space.is_strangers() {
            return None;
        }
        let Some(first) = self.find(space, address) else {
            let index = self.is_local(address).then(|| self.add(space, address, mac))??;
            self.entries.get_mut(index.0 as usize)?.claimed = Some(at);
            return Some((index, false));
        };
        let tally = self.tallies.get_mut(first.0 as usize)?;
        if !tally.is_shared() {
            let is_untouched = !tally.carrier.is_present() && tally.bytes_out == 0 && tally.bytes_in == 0;
            if tally.carrier == mac || is_untouched {
                tally.carrier = mac;
                self.entries.get_mut(first.0 as usize)?.claimed.get_or_insert(at);
                return Some((first, false));
            }
        }
        let holders = self.holders(first)?;
        let is_other = holders.claim(mac, at);
        Some((self.held(first, mac, at)?, is_other))
    }

    /// The index of an address for its holder.
    fn held(&mut self, first: LocalIndex, mac: MacAddress, at: Timestamp) -> Option<LocalIndex> {
        let mac = if mac.is_group() { MacAddress::ABSENT } else { mac };
        let tally = self.tallies.get_mut(first.0 as usize)?;
        if !tally.is_shared() {
            if !mac.is_present() || tally.carrier == mac {
                return Some(first);
            }
            if !tally.carrier.is_present() {
                tally.carrier = mac;
                return Some(first);
            }
        }
        self.held_in_turn(first, mac, at)
    }

    /// The same, of an address that has several, or comes to have.
    #[cold]
    fn held_in_turn(&mut self, first: LocalIndex, mac: MacAddress, at: Timestamp) -> Option<LocalIndex> {
        let stay = match self.holders(first)?.find(mac, at) {
            Found::Known(index) => return Some(index),
            Found::New(stay) => stay,
        };
        let (space, address) = {
            let entry = self.entries.get(first.0 as usize)?;
            (entry.space, entry.address)
        };
        let index = self.append(space, address, stay.carrier)?;
        let stay = Stay { index, ..stay };
        self.holders(first)?.add(stay);
        Some(index)
    }

    /// The holders of an address, which from now on may have several.
    fn holders(&mut self, first: LocalIndex) -> Option<&mut Holders> {
        let tally = self.tallies.get_mut(first.0 as usize)?;
        if !tally.is_shared() {
            tally.share(u32::try_from(self.shared.len()).ok()?);
            let claimed = self.entries.get(first.0 as usize)?.claimed;
            self.shared.push(Holders::new(tally.carrier, first, claimed));
        }
        self.shared.get_mut(tally.shared())
    }

    fn add(&mut self, space: AddressSpace, address: Address, mac: MacAddress) -> Option<LocalIndex> {
        let mac = if mac.is_group() { MacAddress::ABSENT } else { mac };
        let first = self.append(space, address, mac)?;
        let hash = self.hash(space, address);
        let Self {
            index,
            tallies,
            hashed,
            ..
        } = self;
        index.insert_unique(hash, first.0, |known| {
            tallies.get(*known as usize).map_or(0, |tally| {
                let (space, address) = tally.key();
                let [one, other] = address.words();
                hashed.hash_one((space.0, one, other))
            })
        });
        Some(first)
    }

    fn append(&mut self, space: AddressSpace, address: Address, carrier: MacAddress) -> Option<LocalIndex> {
        if self.entries.len() >= self.most {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        let index = LocalIndex(u32::try_from(self.entries.len()).ok()?);
        self.entries.push(LocalAddress {
            space,
            address,
            ..LocalAddress::default()
        });
        self.tallies.push(Tally::new(space, address, carrier));
        Some(index)
    }

    /// Addresses that several link addresses carried or claimed, in the order in which that came out.
    pub(super) fn shared(&self) -> impl Iterator<Item = &Holders> {
        self.shared.iter()
    }

    /// Counts a flow for an address. Whether a link address carried the packets of the address for the first time.
    pub(super) fn took_part(&mut self, index: LocalIndex, part: &Part) -> bool {
        let tally = self.tallies.get_mut(index.0 as usize);
        tally.is_some_and(|tally| tally.take(part))
    }

    /// Notes the router, by its link address and the capture, through which an address talked to the outside.
    pub fn through(&mut self, index: LocalIndex, mac: MacAddress, capture: u16, at: Timestamp) {
        let day = u32::try_from(at.0.div_euclid(86_400 * crate::model::time::SECOND)).unwrap_or(0);
        if let Some(tally) = self.tallies.get_mut(index.0 as usize)
            && tally.noted.is_news(mac, capture, day)
            && let Some(entry) = self.entries.get_mut(index.0 as usize)
        {
            let gateway = Router::new(mac, entry.space, capture);
            if entry.gateways.len() < MOST_GATEWAYS || entry.gateways.contains_key(&gateway) {
                let days = entry.gateways.or_insert_with(gateway, Few::default);
                if days.len() < 4_096 {
                    days.or_insert_with(day, || ());
                }
            }
            tally.noted.note(mac, entry.gateways.len());
        }
    }

    /// Notes that an address was heard at a moment, when this link address carried a packet of it. Whether it did for the first time.
    pub(super) fn heard(&mut self, index: LocalIndex, carrier: Option<MacAddress>, at: Timestamp) -> bool {
        let part = Part {
            time: (at, at),
            bytes_out: 0,
            bytes_in: 0,
            carrier,
            ttl: None,
            handshake: None,
        };
        self.took_part(index, &part)
    }

    /// Notes that an address asked a resolver for a name.
    pub(super) fn asked(&mut self, index: LocalIndex) {
        if let Some(tally) = self.tallies.get_mut(index.0 as usize) {
            tally.ask();
        }
    }

    /// One entry.
    #[must_use]
    pub fn get(&self, index: LocalIndex) -> Option<&LocalAddress> {
        self.entries.get(index.0 as usize)
    }

    /// One entry, to change it.
    pub fn get_mut(&mut self, index: LocalIndex) -> Option<&mut LocalAddress> {
        self.entries.get_mut(index.0 as usize)
    }

    /// What the flows of an address add up to.
    #[must_use]
    pub fn tally(&self, index: LocalIndex) -> &Tally {
        self.tallies.get(index.0 as usize).unwrap_or(&Tally::NOTHING)
    }

    /// Address of an entry.
    #[must_use]
    pub fn address(&self, index: LocalIndex) -> Address {
        self.get(index).map(|entry| entry.address).unwrap_or_default()
    }

    /// All entries, in the order in which they were entered.
    pub fn iter(&self) -> impl Iterator<Item = (LocalIndex, &LocalAddress)> {
        (0u32..).map(LocalIndex).zip(self.entries.iter())
    }

    /// Holders, and changes of holders, that were beyond the bounds of their addresses.
    #[must_use]
    pub(super) fn crowded(&self) -> u64 {
        self.shared
            .iter()
            .fold(0, |sum: u64, holders| sum.saturating_add(holders.refused))
    }

    /// How many addresses were beyond the bound.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn private_ranges_are_ours_until_others_are_given() {
        let locals = Locals::new(&[], 10);
        for text in ["10.1.2.3", "192.168.0.9", "fd00::1", "fe80::1", "100.64.0.1"] {
            assert!(locals.is_local(address(text)), "{text}");
        }
        for text in [
            "8.8.8.8",
            "224.0.0.251",
            "255.255.255.255",
            "0.0.0.0",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!locals.is_local(address(text)), "{text}");
        }
        let given = Locals::new(&["203.0.113.0/24".parse().unwrap()], 10);
        assert!(given.is_local(address("203.0.113.7")));
        assert!(!given.is_local(address("203.0.113.255")));
        assert!(!given.is_local(address("10.1.2.3")));
    }

    #[test]
    fn an_advertised_prefix_becomes_ours() {
        let mut locals = Locals::new(&[], 10);
        locals.on_link.announced("2001:db8:1::/64".parse().unwrap());
        assert!(locals.is_local(address("2001:db8:1::99")));
        assert!(!locals.is_local(address("2001:db8:2::99")));
    }

    #[test]
    fn the_table_is_bounded_and_counts_what_it_refuses() {
        let mut locals = Locals::new(&[], 2);
        for last in 1..=5u8 {
            locals.place(
                AddressSpace::default(),
                Address::from_v4([10, 0, 0, last]),
                MacAddress::ABSENT,
                Timestamp(0),
            );
        }
        assert_eq!((locals.iter().count(), locals.refused()), (2, 3));
    }
}

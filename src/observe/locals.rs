//! The local addresses: which ones are ours, and what each of them did.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::holders::{Found, Holders, Stay};
pub use super::local_address::{LocalAddress, Sighting};
use super::on_link::OnLink;
use crate::model::address::{Address, AddressSpace, MacAddress};
use crate::model::few::Few;
use crate::model::latency::Near;
use crate::model::local_networks::LocalNetworks;
use crate::model::observation::LocalIndex;
use crate::model::pieces::Pieces;
use crate::model::router::Router;
use crate::model::time::{Nanoseconds, Timestamp};

/// Times to live that systems send out (p0f).
const INITIAL: [u8; 4] = [32, 64, 128, 255];

/// Routers between a machine and a capture point on its site's side: further away, a small time to live is a tool's own.
const MOST_HOPS: u8 = 8;

/// The role of an address that answers its neighbours' DNS questions.
pub const RESOLVER: &str = "dns_server";

/// What every flow of an address changes; apart from the rest, which few do, so that a flow touches one line of cache.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// First packet of its flows.
    pub first_seen: Timestamp,
    /// Last packet.
    pub last_seen: Timestamp,
    /// Bytes that it sent, whole frames.
    pub bytes_out: u64,
    /// Bytes that came to it.
    pub bytes_in: u64,
    /// Round trips between it and the capture point, of its connections' handshakes.
    pub near: Near,
    /// The link address that carries its packets, or claims it; absent where none was seen.
    pub(super) carrier: MacAddress,
    /// Whether it carried any, and was noted for it.
    pub(super) is_carried: bool,
    /// Whether a connection came with the time to live that systems send out.
    pub(super) is_first_hand: bool,
    /// Whether one came with a few less: a router had passed it on.
    pub(super) is_passed_on: bool,
    /// The router and day noted last: nearly every flow is like the one before it.
    last_through: (MacAddress, Option<u16>, u32),
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            first_seen: Timestamp(i64::MAX),
            last_seen: Timestamp(i64::MIN),
            bytes_out: 0,
            bytes_in: 0,
            near: Near::default(),
            carrier: MacAddress::ABSENT,
            is_carried: false,
            is_first_hand: false,
            is_passed_on: false,
            last_through: (MacAddress::ABSENT, None, 0),
        }
    }
}

/// The table of local addresses.
#[derive(Debug)]
pub struct Locals {
    networks: LocalNetworks,
    /// What beside them turned out to be ours.
    pub(super) on_link: OnLink,
    /// Whether addresses outside the networks may turn out to be ours: nobody said which are.
    pub(super) learns: bool,
    index: HashMap<(u64, u128), Slot, rapidhash::fast::RandomState>,
    /// Addresses that several link addresses carried or claimed.
    shared: Vec<Holders>,
    /// Whether addresses were entered that are in no local network.
    pub(super) has_others: bool,
    entries: Pieces<LocalAddress>,
    /// In the order of `entries`.
    tallies: Pieces<Tally>,
    most: usize,
    refused: u64,
    /// What was placed last, where its address has one holder: a packet's sender and receiver are asked for several times.
    latest: [Option<(AddressSpace, Address, MacAddress, LocalIndex)>; 2],
}

/// Where an address stands in the table: with its one holder, or with several.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: LocalIndex,
    /// Place in `shared`; [`ALONE`] where one link address carries it and nobody else claimed it, as nearly all are.
    shared: u32,
}

/// No place in `shared`.
const ALONE: u32 = u32::MAX;

/// An address as a number, most significant octet first.
const fn number(address: Address) -> u128 {
    u128::from_be_bytes(address.0)
}

impl Locals {
    /// `networks` are ours; the private ranges when there are none. At most `most` addresses are kept.
    #[must_use]
    pub fn new(networks: &[IpNet], most: usize) -> Self {
        Self {
            networks: LocalNetworks::new(networks),
            on_link: OnLink::default(),
            learns: networks.is_empty(),
            index: HashMap::default(),
            shared: Vec::new(),
            has_others: false,
            entries: Pieces::default(),
            tallies: Pieces::default(),
            most,
            refused: 0,
            latest: [None; 2],
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

    /// Index of a local address for whoever holds it at a moment, entered when new; nothing for one that is not ours or beyond the bound.
    /// `mac` is the link address that carries its packets there, absent where that is not known.
    pub fn place(
        &mut self,
        space: AddressSpace,
        address: Address,
        mac: MacAddress,
        at: Timestamp,
    ) -> Option<LocalIndex> {
        for (known_space, known, carrier, index) in self.latest.into_iter().flatten() {
            if (known, carrier, known_space) == (address, mac, space) {
                return Some(index);
            }
        }
        let is_local = self.is_local(address);
        if !is_local && !self.has_others || space.is_strangers() {
            return None;
        }
        if let Some(slot) = self.index.get(&(space.0, number(address))).copied() {
            let index = self.held(slot, mac, at)?;
            if slot.shared == ALONE && index == slot.first {
                let [before, _] = self.latest;
                self.latest = [Some((space, address, mac, index)), before];
            }
            return Some(index);
        }
        if !is_local {
            return None;
        }
        self.add(space, address, mac)
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
        if let Some(slot) = self.index.get(&(space.0, number(address))).copied() {
            return self.held(slot, mac, at);
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
        let key = (space.0, number(address));
        let Some(slot) = self.index.get(&key).copied() else {
            let index = self.is_local(address).then(|| self.add(space, address, mac))??;
            self.entries.get_mut(index.0 as usize)?.claimed = Some(at);
            return Some((index, false));
        };
        if slot.shared == ALONE {
            let tally = self.tallies.get_mut(slot.first.0 as usize)?;
            let is_untouched = !tally.carrier.is_present() && tally.bytes_out == 0 && tally.bytes_in == 0;
            if tally.carrier == mac || is_untouched {
                tally.carrier = mac;
                self.entries
                    .get_mut(slot.first.0 as usize)?
                    .claimed
                    .get_or_insert(at);
                return Some((slot.first, false));
            }
            self.share(slot)?;
        }
        let slot = self.index.get(&key).copied()?;
        let holders = self.shared.get_mut(slot.shared as usize)?;
        let is_other = holders.claim(mac, at);
        Some((self.held(slot, mac, at)?, is_other))
    }

    /// The index of an address for its holder.
    fn held(&mut self, slot: Slot, mac: MacAddress, at: Timestamp) -> Option<LocalIndex> {
        let mac = if mac.is_group() { MacAddress::ABSENT } else { mac };
        if slot.shared == ALONE {
            let tally = self.tallies.get_mut(slot.first.0 as usize)?;
            if !mac.is_present() || tally.carrier == mac {
                return Some(slot.first);
            }
            if !tally.carrier.is_present() {
                tally.carrier = mac;
                return Some(slot.first);
            }
        }
        self.held_in_turn(slot, mac, at)
    }

    /// The same, of an address that has several, or comes to have.
    #[cold]
    fn held_in_turn(&mut self, slot: Slot, mac: MacAddress, at: Timestamp) -> Option<LocalIndex> {
        let place = if slot.shared == ALONE {
            self.share(slot)?
        } else {
            slot.shared
        };
        let holders = self.shared.get(place as usize)?;
        let stay = match holders.find(mac, at) {
            Found::Known(index) => return Some(index),
            Found::New(stay) => stay,
        };
        let (space, address) = {
            let entry = self.entries.get(slot.first.0 as usize)?;
            (entry.space, entry.address)
        };
        let index = self.append(space, address, stay.carrier)?;
        let stay = Stay { index, ..stay };
        self.shared.get_mut(place as usize)?.add(stay);
        Some(index)
    }

    /// From now on an address may have several holders.
    fn share(&mut self, slot: Slot) -> Option<u32> {
        let place = u32::try_from(self.shared.len())
            .ok()
            .filter(|place| *place != ALONE)?;
        let entry = self.entries.get(slot.first.0 as usize)?;
        let carrier = self.tallies.get(slot.first.0 as usize)?.carrier;
        let known = self.index.get_mut(&(entry.space.0, number(entry.address)))?;
        self.latest = [None; 2];
        known.shared = place;
        self.shared.push(Holders::new(carrier, slot.first, entry.claimed));
        Some(place)
    }

    fn add(&mut self, space: AddressSpace, address: Address, mac: MacAddress) -> Option<LocalIndex> {
        let mac = if mac.is_group() { MacAddress::ABSENT } else { mac };
        let first = self.append(space, address, mac)?;
        let slot = Slot { first, shared: ALONE };
        self.index.insert((space.0, number(address)), slot);
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
        self.tallies.push(Tally {
            carrier,
            ..Tally::default()
        });
        Some(index)
    }

    /// Addresses that several link addresses carried or claimed, in the order in which that came out.
    pub(super) fn shared(&self) -> impl Iterator<Item = &Holders> {
        self.shared.iter()
    }

    /// Counts a flow for an address.
    pub fn count(&mut self, index: LocalIndex, start: Timestamp, end: Timestamp, out: u64, inward: u64) {
        if let Some(tally) = self.tallies.get_mut(index.0 as usize) {
            tally.first_seen = tally.first_seen.min(start);
            tally.last_seen = tally.last_seen.max(end);
            tally.bytes_out = tally.bytes_out.saturating_add(out);
            tally.bytes_in = tally.bytes_in.saturating_add(inward);
        }
    }

    /// Notes a round trip between the capture point and an address.
    pub fn answered_after(&mut self, index: LocalIndex, at: Timestamp, round_trip: Nanoseconds) {
        if let Some(tally) = self.tallies.get_mut(index.0 as usize) {
            tally.near.add(at, round_trip);
        }
    }

    /// Notes with which time to live (hop limit) an address's connections began: what systems send out, or a few less behind routers.
    pub(super) fn hops(&mut self, index: LocalIndex, ttl: u8) {
        let Some(start) = INITIAL.into_iter().find(|start| ttl <= *start) else {
            return;
        };
        if let Some(tally) = self.tallies.get_mut(index.0 as usize) {
            tally.is_first_hand |= ttl == start;
            tally.is_passed_on |= ttl != start && start.saturating_sub(ttl) <= MOST_HOPS;
        }
    }

    /// Notes the router through which an address talked to the outside.
    pub fn through(&mut self, index: LocalIndex, gateway: Router, at: Timestamp) {
        let day = u32::try_from(at.0.div_euclid(86_400 * crate::model::time::SECOND)).unwrap_or(0);
        let (Some(entry), Some(tally)) = (
            self.entries.get_mut(index.0 as usize),
            self.tallies.get_mut(index.0 as usize),
        ) else {
            return;
        };
        let through = (gateway.mac, gateway.capture, day);
        if tally.last_through != through
            && (entry.gateways.len() < 8 || entry.gateways.contains_key(&gateway))
        {
            tally.last_through = through;
            let days = entry.gateways.or_insert_with(gateway, Few::default);
            if days.len() < 4_096 {
                days.or_insert_with(day, || ());
            }
        }
    }

    /// Notes that an address was heard at a moment.
    pub fn heard(&mut self, index: LocalIndex, at: Timestamp) {
        self.count(index, at, at, 0, 0);
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

    /// Looks an address up without entering it, so that it is at hand when its flow comes.
    #[must_use]
    pub fn touch(&self, space: AddressSpace, address: Address) -> bool {
        self.is_local(address)
            && self
                .index
                .get(&(space.0, number(address)))
                .and_then(|slot| self.tallies.get(slot.first.0 as usize))
                .is_some_and(|tally| tally.bytes_out > 0)
    }

    /// What the flows of an address add up to.
    #[must_use]
    pub fn tally(&self, index: LocalIndex) -> Tally {
        self.tallies.get(index.0 as usize).copied().unwrap_or_default()
    }

    /// Whether a link address carries the packets of an address for the first time.
    pub(super) fn is_new_carrier(&mut self, index: LocalIndex, mac: MacAddress) -> bool {
        let Some(tally) = self.tallies.get_mut(index.0 as usize) else {
            return false;
        };
        let is_new = !tally.is_carried && tally.carrier == mac;
        tally.is_carried |= is_new;
        is_new
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

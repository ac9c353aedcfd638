//! The local addresses: which ones are ours, and what each of them did.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::address::{Address, AddressSpace, MacAddress};
use crate::model::egress::Sightings;
use crate::model::few::Few;
use crate::model::frame::FrameRef;
use crate::model::latency::Near;
use crate::model::observation::LocalIndex;
use crate::model::time::{Nanoseconds, Timestamp};

/// Names that are kept for one address.
const MOST_NAMES: usize = 64;

/// The role of an address that answers its neighbours' DNS questions.
pub const RESOLVER: &str = "dns_server";

/// Something that an address told of itself, or that was told of it: text and the frame that first said it.
pub type Sighting = (FrameRef, Timestamp);

/// One local address.
#[derive(Clone, Debug, Default)]
pub struct LocalAddress {
    /// VLAN tags and network identifier.
    pub space: AddressSpace,
    /// The address.
    pub address: Address,
    /// Names by source (`dhcp`, `mdns`, ...) and text.
    pub names: BTreeMap<(&'static str, String), Sighting>,
    /// DHCP parameter request list.
    pub parameter_list: Option<String>,
    /// What it announced of itself, by the field that said it (`mdns.service`, `ssdp.server`).
    pub announced: BTreeMap<(&'static str, String), Sighting>,
    /// Its own public addresses and how each was learnt (`stun`, `natpmp`, `upnp`, `tunnel`, ...).
    pub public: BTreeMap<(Address, &'static str), Sightings>,
    /// It answered as a router or resolver: `router`, `dns_server`, `dhcp_server`.
    pub roles: BTreeSet<&'static str>,
    /// Link addresses of the routers through which it talked, with the days since 1970.
    pub gateways: Few<MacAddress, BTreeSet<u32>>,
    /// Names that it asked a resolver for, of those that a catalogue knows, are kept by the detectors; here only how many.
    pub questions: u64,
}

impl LocalAddress {
    /// Adds a name that it goes by.
    pub fn add_name(&mut self, source: &'static str, name: &str, seen: Sighting) {
        let name = name.trim_end_matches('\0').trim();
        if !name.is_empty() && self.names.len() < MOST_NAMES {
            self.names.entry((source, name.to_owned())).or_insert(seen);
        }
    }

    /// Adds a public address of its own.
    pub fn goes_out_from(&mut self, address: Address, how: &'static str, (frame, at): Sighting) {
        if let Some(known) = self.public.get_mut(&(address, how)) {
            known.add(at);
        } else if self.public.len() < MOST_NAMES {
            self.public.insert((address, how), Sightings::first(frame, at));
        }
    }

    /// Adds the outside of its tunnel.
    pub fn comes_through(&mut self, outer: Address, seen: Sightings) {
        if let Some(known) = self.public.get_mut(&(outer, TUNNEL)) {
            known.merge(seen);
        } else if self.public.len() < MOST_NAMES {
            self.public.insert((outer, TUNNEL), seen);
        }
    }

    /// Adds what it announced of itself in `field`.
    pub fn announced(&mut self, field: &'static str, text: &str, seen: Sighting) {
        if !text.is_empty() && self.announced.len() < MOST_NAMES {
            self.announced.entry((field, text.to_owned())).or_insert(seen);
        }
    }
}

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
    /// The link address that carried its packets last, and was noted for it.
    pub(super) last_carrier: MacAddress,
    /// The router and day noted last: nearly every flow is like the one before it.
    last_through: (MacAddress, u32),
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            first_seen: Timestamp(i64::MAX),
            last_seen: Timestamp(i64::MIN),
            bytes_out: 0,
            bytes_in: 0,
            near: Near::default(),
            last_carrier: MacAddress::default(),
            last_through: (MacAddress::default(), 0),
        }
    }
}

/// How the outside of a tunnel is learnt.
const TUNNEL: &str = "tunnel";

/// The table of local addresses.
#[derive(Debug)]
pub struct Locals {
    networks: Vec<IpNet>,
    /// The networks as masks over the sixteen octets: asked twice a flow.
    masks: Vec<Mask>,
    /// On-link prefixes that router advertisements announced.
    learnt: BTreeSet<Ipv6Net>,
    index: HashMap<(u64, u128), LocalIndex, rapidhash::fast::RandomState>,
    /// Whether addresses were entered that are in no local network.
    has_others: bool,
    entries: Vec<LocalAddress>,
    /// In the order of `entries`.
    tallies: Vec<Tally>,
    most: usize,
    refused: u64,
}

/// A network over [`Address`]es.
#[derive(Clone, Copy, Debug)]
struct Mask {
    network: u128,
    mask: u128,
}

impl Mask {
    fn of(network: &IpNet) -> Self {
        let host_bits = u32::from(network.max_prefix_len().saturating_sub(network.prefix_len()));
        // IPv4 stands in the mapped form, whose first 96 bits are part of the network.
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Self {
            network: number(Address::from(network.network())) & mask,
            mask,
        }
    }

    const fn contains(self, address: u128) -> bool {
        address & self.mask == self.network
    }
}

/// An address as a number, most significant octet first.
const fn number(address: Address) -> u128 {
    u128::from_be_bytes(address.0)
}

/// The ranges that are private by definition: RFC 1918, RFC 6598, RFC 3927, RFC 1122 (loopback), RFC 4193, RFC 4291 (link-local, loopback).
fn private_networks() -> Vec<IpNet> {
    [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    ]
    .into_iter()
    .filter_map(|text| text.parse().ok())
    .collect()
}

impl Locals {
    /// `networks` are ours; the private ranges when there are none. At most `most` addresses are kept.
    #[must_use]
    pub fn new(networks: &[IpNet], most: usize) -> Self {
        let networks = if networks.is_empty() {
            private_networks()
        } else {
            networks.to_vec()
        };
        Self {
            masks: networks.iter().map(Mask::of).collect(),
            networks,
            learnt: BTreeSet::new(),
            index: HashMap::default(),
            has_others: false,
            entries: Vec::new(),
            tallies: Vec::new(),
            most,
            refused: 0,
        }
    }

    /// Whether an address is ours.
    #[must_use]
    pub fn is_local(&self, address: Address) -> bool {
        let as_number = number(address);
        let is_ours = self.masks.iter().any(|mask| mask.contains(as_number))
            || self
                .learnt
                .iter()
                .any(|network| matches!(address.to_ip(), IpAddr::V6(ip) if network.contains(&ip)));
        if !is_ours {
            return false;
        }
        let ip = address.to_ip();
        let is_nobody = match ip {
            IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
        };
        !is_nobody && !self.is_directed_broadcast(ip)
    }

    /// The broadcast address of a configured network that is one subnet (a /16 or larger is many).
    fn is_directed_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        let is_of = |network: &Ipv4Net| (17..31).contains(&network.prefix_len()) && network.broadcast() == ip;
        self.networks
            .iter()
            .any(|network| matches!(network, IpNet::V4(network) if is_of(network)))
    }

    /// Learns an on-link prefix from a router advertisement (RFC 4861, 4.6.2).
    pub fn learn_prefix(&mut self, prefix: Ipv6Net) {
        if self.learnt.len() < 64 && (48..=64).contains(&prefix.prefix_len()) {
            self.learnt.insert(prefix);
        }
    }

    /// Index of a local address, entered when new; nothing for one that is not ours or beyond the bound.
    pub fn place(&mut self, space: AddressSpace, address: Address) -> Option<LocalIndex> {
        let is_local = self.is_local(address);
        if !is_local && !self.has_others {
            return None;
        }
        if let Some(index) = self.index.get(&(space.0, number(address))) {
            return Some(*index);
        }
        if !is_local {
            return None;
        }
        self.add(space, address)
    }

    /// Enters an address although it is in no local range: one end of a conversation that has no local end.
    pub fn enter(&mut self, space: AddressSpace, address: Address) -> Option<LocalIndex> {
        if let Some(index) = self.index.get(&(space.0, number(address))) {
            return Some(*index);
        }
        self.has_others = true;
        self.add(space, address)
    }

    fn add(&mut self, space: AddressSpace, address: Address) -> Option<LocalIndex> {
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
        self.tallies.push(Tally::default());
        self.index.insert((space.0, number(address)), index);
        Some(index)
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

    /// Notes the router through which an address talked to the outside.
    pub fn through(&mut self, index: LocalIndex, gateway: MacAddress, at: Timestamp) {
        let day = u32::try_from(at.0.div_euclid(86_400 * crate::model::time::SECOND)).unwrap_or(0);
        let (Some(entry), Some(tally)) = (
            self.entries.get_mut(index.0 as usize),
            self.tallies.get_mut(index.0 as usize),
        ) else {
            return;
        };
        if tally.last_through != (gateway, day)
            && (entry.gateways.len() < 8 || entry.gateways.contains_key(&gateway))
        {
            tally.last_through = (gateway, day);
            let days = entry.gateways.or_insert_with(gateway, BTreeSet::new);
            if days.len() < 4_096 {
                days.insert(day);
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
                .and_then(|index| self.tallies.get(index.0 as usize))
                .is_some_and(|tally| tally.bytes_out > 0)
    }

    /// What the flows of an address add up to.
    #[must_use]
    pub fn tally(&self, index: LocalIndex) -> Tally {
        self.tallies.get(index.0 as usize).copied().unwrap_or_default()
    }

    /// Whether a link address carries the packets of an address anew: not if it did so last.
    pub(super) fn is_new_carrier(&mut self, index: LocalIndex, mac: MacAddress) -> bool {
        let Some(tally) = self.tallies.get_mut(index.0 as usize) else {
            return false;
        };
        let is_new = tally.last_carrier != mac;
        tally.last_carrier = mac;
        is_new
    }

    /// Address of an entry.
    #[must_use]
    pub fn address(&self, index: LocalIndex) -> Address {
        self.get(index).map(|entry| entry.address).unwrap_or_default()
    }

    /// All entries, in the order in which they were entered.
    pub fn iter(&self) -> impl Iterator<Item = (LocalIndex, &LocalAddress)> {
        (0u32..).map(LocalIndex).zip(&self.entries)
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

    proptest::proptest! {
        #[test]
        fn masks_say_what_the_networks_say(octets: [u8; 16], bits in 0u8..=128, near: bool, as_v4: bool) {
            use std::net::{Ipv4Addr, Ipv6Addr};
            let [a, b, c, d, ..] = octets;
            let network: IpNet = if as_v4 {
                Ipv4Net::new(Ipv4Addr::new(a, b, c, d), bits % 33).unwrap().into()
            } else {
                Ipv6Net::new(Ipv6Addr::from(octets), bits).unwrap().into()
            };
            let asked: IpAddr = if near { network.broadcast() } else { IpAddr::V4(Ipv4Addr::new(d, c, b, a)) };
            // An IPv6 network of mapped addresses is IPv4's, which is not what is meant here.
            let is_mapped = matches!(network, IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() || network.prefix_len() < 97);
            proptest::prop_assume!(!(is_mapped && asked.is_ipv4()));
            let mask = Mask::of(&network);
            proptest::prop_assert_eq!(mask.contains(number(Address::from(asked))), network.contains(&asked));
        }
    }

    #[test]
    fn an_advertised_prefix_becomes_ours() {
        let mut locals = Locals::new(&[], 10);
        locals.learn_prefix("2001:db8:1::/64".parse().unwrap());
        assert!(locals.is_local(address("2001:db8:1::99")));
        assert!(!locals.is_local(address("2001:db8:2::99")));
    }

    #[test]
    fn the_table_is_bounded_and_counts_what_it_refuses() {
        let mut locals = Locals::new(&[], 2);
        for last in 1..=5u8 {
            locals.place(AddressSpace::default(), Address::from_v4([10, 0, 0, last]));
        }
        assert_eq!((locals.iter().count(), locals.refused()), (2, 3));
    }
}

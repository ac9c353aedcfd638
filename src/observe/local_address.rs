//! What one local address said of itself, and what was said of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::address::{Address, AddressSpace};
use crate::model::egress::Sightings;
use crate::model::few::Few;
use crate::model::frame::FrameRef;
use crate::model::router::Router;
use crate::model::time::Timestamp;

/// Names that are kept for one address.
const MOST_NAMES: usize = 64;

/// How the outside of a tunnel is learnt.
const TUNNEL: &str = "tunnel";

/// Something that an address told of itself, or that was told of it: text and the frame that first said it.
pub type Sighting = (FrameRef, Timestamp);

/// One local address, while one holder has it.
#[derive(Clone, Debug, Default)]
pub struct LocalAddress {
    /// VLAN tags and network identifier.
    pub space: AddressSpace,
    /// The address.
    pub address: Address,
    /// Since when its carrier claims it by ARP or DHCP.
    pub(super) claimed: Option<Timestamp>,
    /// Names by source (`dhcp`, `mdns`, ...) and text.
    pub names: BTreeMap<(&'static str, String), Sighting>,
    /// DHCP parameter request list.
    pub parameter_list: Option<String>,
    /// What it announced of itself, by the field that said it (`mdns.service`, `ssdp.server`).
    pub announced: BTreeMap<(&'static str, String), Sighting>,
    /// Its own public addresses and how each was learnt (`stun`, `natpmp`, `upnp`, `tunnel`, ...).
    pub public: Few<(Address, &'static str), Sightings>,
    /// It answered as a router or resolver: `router`, `dns_server`, `dhcp_server`.
    pub roles: BTreeSet<&'static str>,
    /// Routers through which it talked, with the days since 1970.
    pub gateways: Few<Router, Few<u32, ()>>,
}

impl LocalAddress {
    /// Whether nothing was said of it.
    pub(super) fn is_blank(&self) -> bool {
        self.names.is_empty()
            && self.announced.is_empty()
            && self.public.is_empty()
            && self.roles.is_empty()
            && self.gateways.is_empty()
    }

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
            self.public
                .or_insert_with((address, how), || Sightings::first(frame, at));
        }
    }

    /// Adds the outside of its tunnel.
    pub fn comes_through(&mut self, outer: Address, seen: Sightings) {
        if let Some(known) = self.public.get_mut(&(outer, TUNNEL)) {
            known.merge(seen);
        } else if self.public.len() < MOST_NAMES {
            self.public.or_insert_with((outer, TUNNEL), || seen);
        }
    }

    /// Adds what it announced of itself in `field`.
    pub fn announced(&mut self, field: &'static str, text: &str, seen: Sighting) {
        if !text.is_empty() && self.announced.len() < MOST_NAMES {
            self.announced.entry((field, text.to_owned())).or_insert(seen);
        }
    }
}

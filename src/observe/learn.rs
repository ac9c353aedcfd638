//! What single packets tell about hosts: answers, leases, announcements.
//!
//! One function a protocol family; what they have in common is that a fact about a host ends at a local address or at a
//! link address.

use std::net::IpAddr;

use ipnet::Ipv6Net;

use super::identity::Identity;
use super::locals::{Hint, Locals, RESOLVER};
use super::names::{Names, normalised};
use crate::model::address::{Address, MacAddress};
use crate::model::fact::{Fact, FactIter, Field, FieldId, Value};
use crate::model::frame::FrameRef;
use crate::model::observation::{EventHeader, LocalIndex};
use crate::model::time::Timestamp;

const DNS_ANSWER: FieldId = FieldId::of("dns.answer");
const DNS_PTR: FieldId = FieldId::of("dns.ptr");
const DNS_QUERY: FieldId = FieldId::of("dns.query");
const MDNS_HOST: FieldId = FieldId::of("mdns.host");
const LLMNR_HOST: FieldId = FieldId::of("llmnr.host");
const NBNS_NAME: FieldId = FieldId::of("nbns.name");
const NBNS_SUFFIX: FieldId = FieldId::of("nbns.suffix");
const NBDGM_SOURCE: FieldId = FieldId::of("nbdgm.source");
const DHCP_TYPE: FieldId = FieldId::of("dhcp.type");
const DHCP_MAC: FieldId = FieldId::of("dhcp.mac");
const DHCP_HOST_NAME: FieldId = FieldId::of("dhcp.host_name");
const DHCP_FQDN: FieldId = FieldId::of("dhcp.fqdn");
const DHCP_PARAMETERS: FieldId = FieldId::of("dhcp.parameters");
const DHCP_CLIENT: FieldId = FieldId::of("dhcp.client");
const DHCP_ASSIGNED: FieldId = FieldId::of("dhcp.assigned");
const DHCPV6_FQDN: FieldId = FieldId::of("dhcpv6.fqdn");
const ARP_SENDER: FieldId = FieldId::of("arp.sender");
const ARP_MAC: FieldId = FieldId::of("arp.mac");
const NDP_PREFIX: FieldId = FieldId::of("ndp.prefix");
const NDP_PREFIX_LENGTH: FieldId = FieldId::of("ndp.prefix_length");
const STUN_MAPPED: FieldId = FieldId::of("stun.mapped");
const NATPMP_EXTERNAL: FieldId = FieldId::of("natpmp.external");
const UPNP_EXTERNAL: FieldId = FieldId::of("upnp.external");
const DNS_OWN: FieldId = FieldId::of("dns.own_address");
const HTTP_OWN: FieldId = FieldId::of("http.own_address");
const LLDP_NAME: FieldId = FieldId::of("lldp.system_name");
const CDP_NAME: FieldId = FieldId::of("cdp.device");

/// What a device says of itself in packets from its own address.
const OF_ADDRESS: [Field; 3] = [
    Field::of_event("mdns.service"),
    Field::of_event("mdns.instance"),
    Field::of_event("ssdp.server"),
];

/// What a device says of itself in frames from its own link address.
const OF_LINK: [Field; 2] = [
    Field::of_event("lldp.system_description"),
    Field::of_event("dhcpv6.vendor_class"),
];

const DHCP_VENDOR_CLASS: FieldId = FieldId::of("dhcp.vendor_class");

/// Port of name servers (RFC 1035, 4.2).
const DNS_PORT: u16 = 53;

/// DHCP message type of an acknowledgement (RFC 2132, 9.6).
const DHCP_ACK: u64 = 5;

/// NetBIOS suffix of a workstation's name; others are services and groups of the same name.
const WORKSTATION: u64 = 0x00;

/// Brings near what the facts of a packet will be asked about: the names of the first address that it answers.
pub(super) fn touch(header: &EventHeader, mut facts: FactIter<'_>, names: &Names) -> bool {
    header.from.port == DNS_PORT
        && facts
            .find_map(|fact| match (fact.field, fact.value) {
                (DNS_ANSWER, Value::Answer { address, .. }) => Some(address),
                _ => None,
            })
            .is_some_and(|address| names.touch_asker(header.space, header.to.address, address))
}

/// Takes the facts of one packet, whose sender may have been touched. Gives the local address that it came from, if it is one.
pub(super) fn from_event(
    header: &EventHeader,
    facts: FactIter<'_>,
    touched: Hint,
    locals: &mut Locals,
    names: &mut Names,
    identity: &mut Identity,
) -> Option<LocalIndex> {
    if header.space.is_strangers() {
        return None;
    }
    let [mac, _] = header.macs;
    let from = locals.place_from(touched, header.space, header.from.address, mac, header.at);
    if let Some(local) = from
        && locals.heard(local, Some(mac), header.at)
    {
        identity.carried(mac, from, header.from.address);
    }
    match header.protocol {
        "dhcp" => dhcp(header, facts, locals, names, identity),
        "arp" => arp(header, facts, locals, identity),
        "ndp" => ndp(facts, locals),
        "nbns" => nbns(header, facts, locals),
        _ => {
            let mut event = Event {
                header,
                from,
                has_answered: false,
            };
            facts.for_each(|fact| event.single(&fact, locals, names, identity));
            return from;
        }
    }
    // These may say whose an address is.
    sender(header, locals)
}

/// A packet of facts that stand for themselves.
struct Event<'a> {
    header: &'a EventHeader,
    /// The local address that it came from, if it is one.
    from: Option<LocalIndex>,
    /// Whether it is noted that it came from a resolver.
    has_answered: bool,
}

/// The local address that a packet came from, if it is one.
fn sender(header: &EventHeader, locals: &mut Locals) -> Option<LocalIndex> {
    let [mac, _] = header.macs;
    locals.place(header.space, header.from.address, mac, header.at)
}

/// The local address that a packet went to, if it is one.
pub(super) fn receiver(header: &EventHeader, locals: &mut Locals) -> Option<LocalIndex> {
    let [_, mac] = header.macs;
    locals.place(header.space, header.to.address, mac, header.at)
}

/// A local address of which a packet speaks: the sender's own, or another.
fn spoken_of(address: Address, header: &EventHeader, locals: &mut Locals) -> Option<LocalIndex> {
    if address == header.from.address {
        return sender(header, locals);
    }
    locals.place(header.space, address, MacAddress::ABSENT, header.at)
}

impl Event<'_> {
    /// A machine that answers its neighbours' questions asks for them, not for itself.
    fn answers(&mut self, locals: &mut Locals) {
        let header = self.header;
        if !std::mem::replace(&mut self.has_answered, true)
            && header.from.port == DNS_PORT
            && let Some(server) = self.from
            && locals.is_local(header.to.address)
            && let Some(entry) = locals.get_mut(server)
            && !entry.roles.contains(RESOLVER)
        {
            entry.roles.insert(RESOLVER);
        }
    }

    /// Facts that stand for themselves.
    fn single(&mut self, fact: &Fact<'_>, locals: &mut Locals, names: &mut Names, identity: &mut Identity) {
        let header = self.header;
        let sighting = (fact.source, fact.at);
        match (fact.field, fact.value) {
            (
                DNS_ANSWER,
                Value::Answer {
                    name,
                    address,
                    lifetime,
                },
            ) => {
                self.answers(locals);
                if let Ok(name) = std::str::from_utf8(name) {
                    let name = normalised(name);
                    names.learn(
                        header.space,
                        header.to.address,
                        address,
                        &name,
                        fact.at,
                        lifetime,
                        fact.source,
                    );
                }
            }
            (DNS_PTR, Value::Answer { name, address, .. }) => {
                if let Ok(name) = std::str::from_utf8(name) {
                    names.reversed.learn(address, &normalised(name), fact.source);
                }
            }
            (MDNS_HOST | LLMNR_HOST | NBDGM_SOURCE, Value::Answer { name, address, .. }) => {
                let source = match fact.field {
                    MDNS_HOST => "mdns",
                    LLMNR_HOST => "llmnr",
                    _ => "nbns",
                };
                if let (Some(local), Ok(name)) = (self.spoken_of(address, locals), std::str::from_utf8(name))
                    && let Some(entry) = locals.get_mut(local)
                {
                    entry.add_name(source, &normalised(name), sighting);
                }
            }
            (DHCPV6_FQDN, value) => {
                if let Some(name) = value.as_text() {
                    let [mac, _] = header.macs;
                    identity.named(mac, "dhcp", name, sighting);
                }
            }
            (LLDP_NAME | CDP_NAME, value) => {
                if let Some(name) = value.as_text() {
                    let [mac, _] = header.macs;
                    let source = if fact.field == LLDP_NAME { "lldp" } else { "cdp" };
                    identity.named(mac, source, name, sighting);
                }
            }
            (
                STUN_MAPPED | NATPMP_EXTERNAL | UPNP_EXTERNAL | DNS_OWN | HTTP_OWN,
                Value::Endpoint(address, _),
            ) => {
                let how = match fact.field {
                    STUN_MAPPED => "stun",
                    NATPMP_EXTERNAL => "natpmp",
                    DNS_OWN => "dns",
                    HTTP_OWN => "http",
                    _ => "upnp",
                };
                // The answer goes to who asked; what it names is how the asker looks from outside.
                if !locals.is_local(address)
                    && let Some(local) = receiver(header, locals)
                    && let Some(entry) = locals.get_mut(local)
                {
                    entry.goes_out_from(address, how, sighting);
                }
            }
            (DNS_QUERY, _) => {
                if let Some(local) = self.from {
                    locals.asked(local);
                }
            }
            (field, value) => self.announced(field, value, sighting, locals, identity),
        }
    }

    /// A local address of which it speaks: the sender's own, or another.
    fn spoken_of(&self, address: Address, locals: &mut Locals) -> Option<LocalIndex> {
        if address == self.header.from.address {
            return self.from;
        }
        spoken_of(address, self.header, locals)
    }

    /// What a device announces of itself, in words of its own.
    fn announced(
        &self,
        field: FieldId,
        value: Value<'_>,
        sighting: (FrameRef, Timestamp),
        locals: &mut Locals,
        identity: &mut Identity,
    ) {
        let among = |fields: &[Field]| {
            fields
                .iter()
                .find(|known| known.id == field)
                .map(|known| known.name)
        };
        if let Some(name) = among(&OF_ADDRESS) {
            if let (Some(local), Some(text)) = (self.from, value.as_text())
                && let Some(entry) = locals.get_mut(local)
            {
                entry.announced(name, text, sighting);
            }
        } else if let Some(name) = among(&OF_LINK)
            && let Some(text) = value.as_text()
        {
            let [mac, _] = self.header.macs;
            identity.announced(mac, name, text, sighting);
        }
    }
}

fn mac_of(bytes: &[u8]) -> Option<MacAddress> {
    bytes
        .first_chunk::<6>()
        .copied()
        .map(MacAddress)
        .filter(|mac| mac.is_present() && !mac.is_group())
}

/// DHCP tells names with the client's link address; an acknowledgement ties that to an IP address.
fn dhcp(
    header: &EventHeader,
    facts: FactIter<'_>,
    locals: &mut Locals,
    names: &mut Names,
    identity: &mut Identity,
) {
    let mut mac = None;
    let mut kind = None;
    let mut address = None;
    for fact in facts {
        let sighting = (fact.source, fact.at);
        match (fact.field, fact.value) {
            (DHCP_TYPE, Value::Number(number)) => kind = Some(number),
            (DHCP_MAC, Value::Bytes { bytes, .. }) => mac = mac_of(bytes),
            (DHCP_ASSIGNED, Value::Endpoint(given, _)) if kind == Some(DHCP_ACK) => address = Some(given),
            (DHCP_CLIENT, Value::Endpoint(own, _)) => address = address.or(Some(own)),
            (DHCP_HOST_NAME | DHCP_FQDN, value) => {
                // Servers echo names to the client; only the client's own word counts.
                if let (Some(mac), Some(name), false) = (mac, value.as_text(), is_answer(kind)) {
                    identity.named(mac, "dhcp", name.trim_end_matches('.'), sighting);
                }
            }
            (DHCP_VENDOR_CLASS, value) => {
                if let (Some(mac), Some(text), false) = (mac, value.as_text(), is_answer(kind)) {
                    identity.announced(mac, "dhcp.vendor_class", text, sighting);
                }
            }
            (DHCP_PARAMETERS, value) => {
                if let (Some(mac), Some(text), false) = (mac, value.as_text(), is_answer(kind)) {
                    identity.parameters(mac, text);
                }
            }
            _ => {}
        }
    }
    if kind == Some(DHCP_ACK)
        && let Some(server) = sender(header, locals)
        && let Some(entry) = locals.get_mut(server)
    {
        entry.roles.insert("dhcp_server");
    }
    if let (Some(mac), Some(address)) = (mac, address) {
        if let Some((local, is_other)) = locals.claim(header.space, address, mac, header.at) {
            locals.heard(local, None, header.at);
            identity.holds_lease(mac, local);
            if is_other {
                // What the holder before had resolved says nothing of where this one goes.
                names.forget(header.space, address);
            }
        } else if kind == Some(DHCP_ACK) && !locals.is_local(address) {
            // The outside of a router, or a network that gives its machines public addresses.
            identity.leased(mac, address, (header.source, header.at));
        }
    }
}

/// Offer, acknowledgement, refusal: what a server says.
fn is_answer(kind: Option<u64>) -> bool {
    matches!(kind, Some(2 | 5 | 6))
}

/// ARP ties a sender's address to its link address.
fn arp(header: &EventHeader, facts: FactIter<'_>, locals: &mut Locals, identity: &mut Identity) {
    let mut mac = None;
    let mut address = None;
    for fact in facts {
        match (fact.field, fact.value) {
            (ARP_SENDER, Value::Endpoint(sender, _)) => address = Some(sender),
            (ARP_MAC, Value::Bytes { bytes, .. }) => mac = mac_of(bytes),
            _ => {}
        }
    }
    if let (Some(mac), Some(address)) = (mac, address)
        && let Some((local, _)) = locals.claim(header.space, address, mac, header.at)
    {
        locals.heard(local, None, header.at);
        identity.claims(mac, local);
    }
}

/// Router advertisements say which prefixes are on this link.
fn ndp(facts: FactIter<'_>, locals: &mut Locals) {
    let mut prefix = None;
    for fact in facts {
        match (fact.field, fact.value) {
            (NDP_PREFIX, Value::Endpoint(address, length)) => {
                prefix = Some(address);
                if length > 0 {
                    learn_prefix(address, u64::from(length), locals);
                }
            }
            (NDP_PREFIX_LENGTH, Value::Number(length)) => {
                if let Some(address) = prefix.take() {
                    learn_prefix(address, length, locals);
                }
            }
            _ => {}
        }
    }
}

fn learn_prefix(address: Address, length: u64, locals: &mut Locals) {
    let IpAddr::V6(ip) = address.to_ip() else { return };
    let is_global = ip
        .segments()
        .first()
        .is_some_and(|first| first & 0xe000 == 0x2000);
    if is_global
        && let Some(prefix) = u8::try_from(length)
            .ok()
            .and_then(|length| Ipv6Net::new(ip, length).ok())
    {
        locals.on_link.announced(prefix.trunc());
    }
}

/// A NetBIOS name counts as the machine's when it is a workstation's; the suffix follows the name.
fn nbns(header: &EventHeader, facts: FactIter<'_>, locals: &mut Locals) {
    let mut pending: Option<(String, Address, Fact<'_>)> = None;
    for fact in facts {
        match (fact.field, fact.value) {
            (NBNS_NAME, Value::Answer { name, address, .. }) => {
                pending = std::str::from_utf8(name)
                    .ok()
                    .map(|name| (name.trim().to_owned(), address, fact));
            }
            (NBNS_SUFFIX, Value::Number(suffix)) => {
                if let Some((name, address, said)) = pending.take()
                    && suffix == WORKSTATION
                    && let Some(local) = spoken_of(address, header, locals)
                    && let Some(entry) = locals.get_mut(local)
                {
                    entry.add_name("nbns", &name, (said.source, said.at));
                }
            }
            _ => pending = None,
        }
    }
}

#[cfg(test)]
mod tests;

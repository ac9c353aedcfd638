//! DHCP for IPv6 (RFC 9915, before it RFC 8415): identifiers, names and addresses of clients.
//!
//! Every message says [`TYPE`] first. A message within a relay's is read in place of the relay's own, one level deep.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use super::cursor::Cursor;
use super::dhcp::say_wire_name;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Ports of clients and servers.
const PORTS: [u16; 2] = [546, 547];

/// Message type: 1 solicit, 2 advertise, 3 request, 5 renew, 7 reply, 11 information request, ...
pub const TYPE: Field = Field::of_event("dhcpv6.type");
/// Identifier of the client (DUID), which survives changes of its addresses.
pub const CLIENT_ID: Field = Field::of_event("dhcpv6.client_id");
/// Link address within the client's identifier; that of whichever interface the system chose when it was installed.
pub const MAC: Field = Field::of_event("dhcpv6.mac");
/// Full name (option 39, RFC 4704).
pub const FQDN: Field = Field::of_event("dhcpv6.fqdn");
/// Vendor class data (option 16).
pub const VENDOR_CLASS: Field = Field::of_event("dhcpv6.vendor_class");
/// Options asked for (option 6), `23,24,39`.
pub const PARAMETERS: Field = Field::of_event("dhcpv6.parameters");
/// Address that is asked for or given.
pub const ADDRESS: Field = Field::of_event("dhcpv6.address");
/// Prefix that is delegated; [`PREFIX_LENGTH`] follows.
pub const PREFIX: Field = Field::of_event("dhcpv6.prefix");
/// Length of the prefix said directly before, in bits.
pub const PREFIX_LENGTH: Field = Field::of_event("dhcpv6.prefix_length");
/// A name server (option 23).
pub const NAME_SERVER: Field = Field::of_event("dhcpv6.dns");

/// Relay messages.
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;

/// Option numbers (RFC 8415, 24; 23: RFC 3646, 39: RFC 4704).
mod option {
    pub(super) const CLIENT_ID: u16 = 1;
    pub(super) const ADDRESSES: u16 = 3;
    pub(super) const TEMPORARY_ADDRESSES: u16 = 4;
    pub(super) const ADDRESS: u16 = 5;
    pub(super) const REQUEST: u16 = 6;
    pub(super) const RELAYED: u16 = 9;
    pub(super) const VENDOR_CLASS: u16 = 16;
    pub(super) const NAME_SERVERS: u16 = 23;
    pub(super) const PREFIXES: u16 = 25;
    pub(super) const PREFIX: u16 = 26;
    pub(super) const FQDN: u16 = 39;
}

/// DHCP for IPv6.
#[derive(Clone, Copy, Debug)]
pub struct Dhcpv6;

impl Dissector for Dhcpv6 {
    fn name(&self) -> &'static str {
        "dhcpv6"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &TYPE,
            &CLIENT_ID,
            &MAC,
            &FQDN,
            &VENDOR_CLASS,
            &PARAMETERS,
            &ADDRESS,
            &PREFIX,
            &PREFIX_LENGTH,
            &NAME_SERVER,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let on_port = PORTS.iter().any(|&port| head.has_port(port));
        Probe::when(on_port && message(head.newest()).is_some_and(|(_, options)| starts_with_option(options)))
    }

    fn opening(&self) -> Opening {
        Opening::on(&PORTS)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Messages)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Type and options of a message; of a relay's message the one within.
fn message(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (kind, options) = layer(bytes)?;
    if !matches!(kind, RELAY_FORWARD | RELAY_REPLY) {
        return Some((kind, options));
    }
    let relayed = Options(Cursor::new(options))
        .find(|(number, _)| *number == option::RELAYED)
        .and_then(|(_, inner)| layer(inner));
    Some(relayed.unwrap_or((kind, options)))
}

fn layer(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let kind = cursor.u8()?;
    match kind {
        // Hop count, link address, peer address.
        RELAY_FORWARD | RELAY_REPLY => cursor.skip(33)?,
        // Transaction identifier. Types above 13 belong to lease queries and fail-over.
        1..=36 => cursor.skip(3)?,
        _ => return None,
    }
    Some((kind, cursor.rest()))
}

/// Whether the first option's number is assigned.
fn starts_with_option(options: &[u8]) -> bool {
    Cursor::new(options)
        .u16()
        .is_some_and(|number| (1..=150).contains(&number))
}

/// Walks options.
struct Options<'a>(Cursor<'a>);

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.u16()?, self.0.prefixed_u16()?))
    }
}

/// Without state: every message stands alone.
struct Messages;

impl Dissection for Messages {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some((kind, options)) = message(input.bytes) {
            facts.number(&TYPE, u64::from(kind));
            for (number, value) in Options(Cursor::new(options)) {
                say_option(number, value, facts);
            }
        }
        Next::More(0)
    }
}

fn say_option(number: u16, value: &[u8], facts: &mut Facts<'_>) {
    match number {
        option::CLIENT_ID => {
            facts.bytes(&CLIENT_ID, value);
            if let Some(mac) = link_address(value) {
                facts.bytes(&MAC, &mac);
            }
        }
        option::FQDN => say_wire_name(&FQDN, value.get(1..).unwrap_or_default(), facts),
        option::VENDOR_CLASS => {
            let mut cursor = Cursor::new(value);
            let enterprise = cursor.u32();
            while let Some(text) = enterprise.and_then(|_| cursor.prefixed_u16()) {
                facts.text(&VENDOR_CLASS, text);
            }
        }
        option::REQUEST => {
            let mut text = String::with_capacity(value.len().saturating_mul(3));
            for (index, number) in value.as_chunks::<2>().0.iter().enumerate() {
                let separator = if index == 0 { "" } else { "," };
                // Writing to a string cannot fail.
                let _ = write!(text, "{separator}{}", u16::from_be_bytes(*number));
            }
            facts.text(&PARAMETERS, text.as_bytes());
        }
        option::NAME_SERVERS => {
            for octets in value.as_chunks::<16>().0 {
                facts.endpoint(&NAME_SERVER, Ipv6Addr::from(*octets).into(), 0);
            }
        }
        option::ADDRESSES | option::PREFIXES => say_leases(value.get(12..).unwrap_or_default(), facts),
        option::TEMPORARY_ADDRESSES => say_leases(value.get(4..).unwrap_or_default(), facts),
        _ => {}
    }
}

/// The link address in a DUID of type 1 (with time) or 3 (RFC 8415, 11.2 and 11.4) over Ethernet.
fn link_address(identifier: &[u8]) -> Option<[u8; 6]> {
    let mut cursor = Cursor::new(identifier);
    let kind = cursor.u16()?;
    if cursor.u16()? != 1 {
        return None;
    }
    match kind {
        1 => cursor.skip(4)?,
        3 => {}
        _ => return None,
    }
    cursor.array().filter(|_| cursor.is_empty())
}

/// Addresses and prefixes within an association (RFC 8415, 21.6 and 21.22).
fn say_leases(options: &[u8], facts: &mut Facts<'_>) {
    for (number, value) in Options(Cursor::new(options)) {
        let mut cursor = Cursor::new(value);
        match number {
            option::ADDRESS => {
                if let Some(octets) = cursor.array::<16>() {
                    facts.endpoint(&ADDRESS, Ipv6Addr::from(octets).into(), 0);
                }
            }
            option::PREFIX => {
                // Preferred and valid lifetime stand first.
                let length = cursor.skip(8).and_then(|()| cursor.u8());
                if let (Some(length), Some(octets)) = (length, cursor.array::<16>()) {
                    facts.endpoint(&PREFIX, Ipv6Addr::from(octets).into(), 0);
                    facts.number(&PREFIX_LENGTH, u64::from(length));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::Client;

    const SOLICIT: &[u8] = b"\x01\x10\x08\x74\x00\x01\x00\x0e\x00\x01\x00\x01\x1c\x39\xcf\x88\x02\x00\x00\x00\x00\x07\
        \x00\x06\x00\x04\x00\x17\x00\x18\x00\x27\x00\x08\x01\x06laptop\
        \x00\x10\x00\x0e\x00\x00\x01\x37\x00\x08MSFT 5.0\
        \x00\x03\x00\x28\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x05\x00\x18\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00";

    const EXPECTED: [&str; 7] = [
        "dhcpv6.type=1",
        "dhcpv6.client_id=000100011c39cf88020000000007",
        "dhcpv6.mac=020000000007",
        "dhcpv6.parameters=23,24",
        "dhcpv6.fqdn=laptop",
        "dhcpv6.vendor_class=MSFT 5.0",
        "dhcpv6.address=2001:db8::7",
    ];

    #[test]
    fn a_solicitation_tells_identifier_name_class_and_address() {
        assert_eq!(said(&Dhcpv6, &[(Client, SOLICIT)]), EXPECTED);
    }

    #[test]
    fn what_a_relay_forwards_is_read_as_if_it_came_directly() {
        let mut relayed = vec![RELAY_FORWARD, 0];
        relayed.extend([0; 32]);
        relayed.extend([0, 9, 0, u8::try_from(SOLICIT.len()).unwrap()]);
        relayed.extend(SOLICIT);
        assert_eq!(said(&Dhcpv6, &[(Client, &relayed)]), EXPECTED);
        assert_eq!(probe_datagram(&Dhcpv6, 547, &relayed), Probe::Yes);
    }

    #[test]
    fn another_port_or_type_is_another_protocol() {
        assert_eq!(probe_datagram(&Dhcpv6, 547, SOLICIT), Probe::Yes);
        assert_eq!(probe_datagram(&Dhcpv6, 5_470, SOLICIT), Probe::No);
        assert_eq!(probe_datagram(&Dhcpv6, 547, &[0x80; 40]), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Dhcpv6, SOLICIT);
    }
}

//! Neighbour discovery of IPv6 (RFC 4861): link addresses of neighbours and routers, prefixes and name servers of the link.
//!
//! A dissection is not told the ICMPv6 type, so messages of like layout share one: solicitations and advertisements of
//! neighbours differ only in flags and in which address option they carry, those of routers in length.

use std::net::{IpAddr, Ipv6Addr};

use super::cursor::Cursor;
use super::dns::name::{Case, Name};
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Link address of the sender.
pub const SOURCE_MAC: Field = Field::of_event("ndp.source_mac");
/// Address that is advertised or redirected to; [`TARGET_MAC`] follows.
pub const TARGET: Field = Field::of_event("ndp.target");
/// Link address of the target said directly before.
pub const TARGET_MAC: Field = Field::of_event("ndp.target_mac");
/// Address that is asked for by a sender that does not tell its link address: a test whether it is taken (RFC 4862,
/// 5.4.2), or whether the neighbour is still there.
pub const SOLICITED: Field = Field::of_event("ndp.solicited");
/// Seconds for which the sender is a router; zero if it is none.
pub const ROUTER_LIFETIME: Field = Field::of_event("ndp.router_lifetime");
/// Flags of a router: 0x80 addresses, 0x40 other settings are given by DHCP.
pub const ROUTER_FLAGS: Field = Field::of_event("ndp.router_flags");
/// Prefix of the link; [`PREFIX_LENGTH`] follows.
pub const PREFIX: Field = Field::of_event("ndp.prefix");
/// Length of the prefix said directly before, in bits.
pub const PREFIX_LENGTH: Field = Field::of_event("ndp.prefix_length");
/// A name server (RFC 8106).
pub const NAME_SERVER: Field = Field::of_event("ndp.dns");
/// A domain that names are sought in (RFC 8106).
pub const DOMAIN: Field = Field::of_event("ndp.domain");

/// Types of ICMPv6 messages.
mod kind {
    pub(super) const ROUTER_SOLICITATION: u16 = 133;
    pub(super) const ROUTER_ADVERTISEMENT: u16 = 134;
    pub(super) const NEIGHBOUR_SOLICITATION: u16 = 135;
    pub(super) const NEIGHBOUR_ADVERTISEMENT: u16 = 136;
    pub(super) const REDIRECT: u16 = 137;
}

/// Options (IANA "IPv6 Neighbor Discovery Option Formats").
mod option {
    pub(super) const SOURCE_LINK_ADDRESS: u8 = 1;
    pub(super) const TARGET_LINK_ADDRESS: u8 = 2;
    pub(super) const PREFIX: u8 = 3;
    pub(super) const NAME_SERVERS: u8 = 25;
    pub(super) const DOMAINS: u8 = 31;
}

/// Messages of one layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ndp {
    /// Neighbour solicitation and advertisement.
    Neighbour,
    /// Router solicitation and advertisement.
    Router,
    /// Redirect.
    Redirect,
}

impl Dissector for Ndp {
    fn name(&self) -> &'static str {
        "ndp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        // Listed once, though there are three dissectors.
        if *self != Self::Neighbour {
            return &[];
        }
        &[
            &SOURCE_MAC,
            &TARGET,
            &TARGET_MAC,
            &SOLICITED,
            &ROUTER_LIFETIME,
            &ROUTER_FLAGS,
            &PREFIX,
            &PREFIX_LENGTH,
            &NAME_SERVER,
            &DOMAIN,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Icmpv6]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        // The newest message's type: the opener's, or that of who answers it.
        let (layout, shortest) = match head.client_port {
            kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT => (Self::Neighbour, 20),
            kind::ROUTER_SOLICITATION => (Self::Router, 4),
            kind::ROUTER_ADVERTISEMENT => (Self::Router, 12),
            kind::REDIRECT => (Self::Redirect, 36),
            _ => return Probe::No,
        };
        Probe::when(layout == *self && head.length_on_wire >= shortest)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Messages(*self))
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Without state but the layout: every message stands alone.
struct Messages(Ndp);

impl Dissection for Messages {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let cursor = Cursor::new(input.bytes);
        match self.0 {
            Ndp::Neighbour => say_neighbour(cursor, facts),
            Ndp::Router => say_router(cursor, facts),
            Ndp::Redirect => say_redirect(cursor, facts),
        };
        Next::More(0)
    }
}

/// Walks options: type, length in units of eight octets, value.
struct Options<'a>(Cursor<'a>);

impl<'a> Iterator for Options<'a> {
    type Item = (u8, Cursor<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.0.u8()?;
        let units = usize::from(self.0.u8()?);
        // A length of zero is invalid (RFC 4861, 4.6) and would not end.
        let value = self.0.take(units.checked_mul(8)?.checked_sub(2)?)?;
        Some((kind, Cursor::new(value)))
    }
}

/// Flags or nothing, the target, options.
fn say_neighbour(mut cursor: Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    let flags = cursor.u32()?;
    let target = Ipv6Addr::from(cursor.array::<16>()?).into();
    let mut tells_sender = false;
    for (kind, mut value) in Options(cursor) {
        match (kind, value.array::<6>()) {
            (option::SOURCE_LINK_ADDRESS, Some(mac)) => {
                tells_sender = true;
                facts.bytes(&SOURCE_MAC, &mac);
            }
            (option::TARGET_LINK_ADDRESS, Some(mac)) => {
                tells_sender = true;
                say_target(target, mac, facts);
            }
            _ => {}
        }
    }
    // Advertisements nearly always carry a flag: router, solicited or override.
    if !tells_sender && flags == 0 {
        facts.endpoint(&SOLICITED, target, 0);
    }
    Some(())
}

fn say_target(target: IpAddr, mac: [u8; 6], facts: &mut Facts<'_>) {
    facts.endpoint(&TARGET, target, 0);
    facts.bytes(&TARGET_MAC, &mac);
}

fn say_redirect(mut cursor: Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    cursor.skip(4)?;
    let target = Ipv6Addr::from(cursor.array::<16>()?).into();
    cursor.skip(16)?;
    for (kind, mut value) in Options(cursor) {
        if let (option::TARGET_LINK_ADDRESS, Some(mac)) = (kind, value.array::<6>()) {
            say_target(target, mac, facts);
        }
    }
    Some(())
}

fn say_router(mut cursor: Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    if is_solicitation(cursor.clone()) {
        cursor.skip(4)?;
    } else {
        // Hop limit, flags, lifetime, reachable time, retransmission timer.
        cursor.skip(1)?;
        let flags = cursor.u8()?;
        let lifetime = cursor.u16()?;
        cursor.skip(8)?;
        facts.number(&ROUTER_LIFETIME, u64::from(lifetime));
        facts.number(&ROUTER_FLAGS, u64::from(flags));
    }
    for (kind, value) in Options(cursor) {
        say_router_option(kind, value, facts);
    }
    Some(())
}

/// Four zeros and then options to the last octet; an advertisement has eight octets of times there.
fn is_solicitation(mut cursor: Cursor<'_>) -> bool {
    if cursor.u32() != Some(0) {
        return false;
    }
    let mut options = Options(cursor);
    let first_is_known = options.0.is_empty() || matches!(options.0.peek(), Some(1 | 14 | 24));
    while options.next().is_some() {}
    first_is_known && options.0.is_empty()
}

fn say_router_option(kind: u8, mut value: Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    match kind {
        option::SOURCE_LINK_ADDRESS => facts.bytes(&SOURCE_MAC, &value.array::<6>()?),
        option::PREFIX => {
            let length = value.u8()?;
            // Flags, two lifetimes, reserved.
            value.skip(13)?;
            facts.endpoint(&PREFIX, Ipv6Addr::from(value.array::<16>()?).into(), 0);
            facts.number(&PREFIX_LENGTH, u64::from(length));
        }
        option::NAME_SERVERS => {
            // Reserved, lifetime.
            value.skip(6)?;
            while let Some(octets) = value.array::<16>() {
                facts.endpoint(&NAME_SERVER, Ipv6Addr::from(octets).into(), 0);
            }
        }
        option::DOMAINS => {
            value.skip(6)?;
            // Names one behind the other; zeros fill up to eight octets.
            let names = value.rest();
            let mut position = 0;
            while let Some(after) = super::dns::name::skip(names, position) {
                let name = Name::read(names, position, Case::Lower)?;
                if name.text() == b"." {
                    break;
                }
                facts.text(&DOMAIN, name.text());
                position = after;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, head, said};
    use crate::model::fact::Side::Client;

    const TARGET_OCTETS: &[u8] = b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x07";
    const ADVERTISEMENT: &[u8] = b"\x40\x80\x07\x08\0\0\0\0\0\0\0\0\x01\x01\x02\0\0\0\0\x01\
        \x03\x04\x40\xc0\0\x01\x51\x80\0\0\x38\x40\0\0\0\0\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0\
        \x19\x03\0\0\0\0\x07\x08\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x35\
        \x1f\x02\0\0\0\0\x07\x08\x04corp\0\0\0";

    #[test]
    fn a_router_tells_its_link_address_prefix_name_servers_and_domain() {
        assert_eq!(
            said(&Ndp::Router, &[(Client, ADVERTISEMENT)]),
            [
                "ndp.router_lifetime=1800",
                "ndp.router_flags=128",
                "ndp.source_mac=020000000001",
                "ndp.prefix=2001:db8::",
                "ndp.prefix_length=64",
                "ndp.dns=2001:db8::35",
                "ndp.domain=corp"
            ]
        );
        assert_eq!(
            said(&Ndp::Router, &[(Client, b"\0\0\0\0\x01\x01\x02\0\0\0\0\x07")]),
            ["ndp.source_mac=020000000007"]
        );
    }

    #[test]
    fn neighbours_tell_their_own_or_the_targets_link_address() {
        let solicitation = [&[0; 4], TARGET_OCTETS, b"\x01\x01\x02\0\0\0\0\x08"].concat();
        let advertisement = [b"\x60\0\0\0", TARGET_OCTETS, b"\x02\x01\x02\0\0\0\0\x07"].concat();
        let test = [&[0; 4], TARGET_OCTETS].concat();
        assert_eq!(
            said(
                &Ndp::Neighbour,
                &[(Client, &solicitation), (Client, &advertisement), (Client, &test)]
            ),
            [
                "ndp.source_mac=020000000008",
                "ndp.target=fe80::7",
                "ndp.target_mac=020000000007",
                "ndp.solicited=fe80::7"
            ]
        );
    }

    #[test]
    fn the_type_of_the_message_decides() {
        let mut head = head(Layer::Icmpv6, 0, ADVERTISEMENT);
        head.client_port = kind::ROUTER_ADVERTISEMENT;
        assert_eq!(Ndp::Router.probe(&head), Probe::Yes);
        assert_eq!(Ndp::Neighbour.probe(&head), Probe::No);
        head.client_port = 128;
        assert_eq!(Ndp::Router.probe(&head), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        for layout in [Ndp::Router, Ndp::Neighbour, Ndp::Redirect] {
            every_cut_is_harmless(&layout, ADVERTISEMENT);
        }
    }
}

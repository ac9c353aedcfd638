//! Routers as machines on their links know them.

use std::fmt;

use super::address::{AddressSpace, MacAddress};

/// What tells a router from others: its link address on one link. One address may stand on many links, as that of a switch with
/// a network for each tenant does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Router {
    /// Link address.
    pub mac: MacAddress,
    /// The link: VLAN tags and network identifier.
    pub space: AddressSpace,
    /// The capture in which it was seen, where the link address is one that every such router has: then the same address in
    /// another capture may be anybody's.
    pub capture: Option<u16>,
}

impl Router {
    /// The router of a link address that carried packets in a capture.
    #[must_use]
    pub fn new(mac: MacAddress, space: AddressSpace, capture: u16) -> Self {
        Self {
            mac,
            space,
            capture: is_of_a_protocol(mac).then_some(capture),
        }
    }

    /// Whether its link address is one that a protocol of stand-by routers gives to all alike.
    #[must_use]
    pub const fn is_virtual(&self) -> bool {
        self.capture.is_some()
    }
}

/// Link addresses that routers which stand in for each other share, made of the protocol's prefix and the group's number:
/// VRRP and CARP (RFC 9568, 7.3), HSRP versions 1 and 2 and its IPv6 form, and GLBP (Cisco's configuration guides).
#[must_use]
pub const fn is_of_a_protocol(mac: MacAddress) -> bool {
    matches!(
        mac.0,
        [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]
            | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
            | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _]
            | [0x00, 0x05, 0x73, 0xa0, 0x00..=0x0f, _]
            | [0x00, 0x07, 0xb4, _, _, _]
    )
}

impl fmt::Display for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mac.fmt(f)?;
        for vlan in self.space.vlans().into_iter().flatten() {
            write!(f, " in VLAN {vlan}")?;
        }
        if let Some(network) = self.space.identifier() {
            write!(f, " in network {network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_link_address_on_two_links_is_two_routers_and_a_protocols_is_another_in_every_capture() {
        let own = MacAddress([0x02, 0, 0, 0, 0, 1]);
        let plain = AddressSpace::default();
        assert_eq!(Router::new(own, plain, 0), Router::new(own, plain, 7));
        assert_ne!(
            Router::new(own, plain, 0),
            Router::new(own, plain.with_vlan(3), 0)
        );
        for mac in [
            [0x00, 0x00, 0x5e, 0x00, 0x01, 9],
            [0x00, 0x00, 0x5e, 0x00, 0x02, 9],
            [0x00, 0x00, 0x0c, 0x07, 0xac, 1],
            [0x00, 0x00, 0x0c, 0x9f, 0xf1, 1],
            [0x00, 0x05, 0x73, 0xa0, 0x01, 1],
            [0x00, 0x07, 0xb4, 0x00, 0x01, 2],
        ] {
            let mac = MacAddress(mac);
            assert_ne!(Router::new(mac, plain, 0), Router::new(mac, plain, 7), "{mac}");
        }
        assert!(!Router::new(MacAddress([0x00, 0x00, 0x5e, 0x00, 0x00, 9]), plain, 0).is_virtual());
        assert_eq!(
            Router::new(own, plain.with_vlan(3), 0).to_string(),
            "02:00:00:00:00:01 in VLAN 3"
        );
    }
}

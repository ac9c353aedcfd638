//! Which networks are ours.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::address::Address;

/// Networks that count as ours.
#[derive(Clone, Debug)]
pub struct LocalNetworks {
    networks: Vec<IpNet>,
    /// The networks as masks over the sixteen octets: asked twice a flow.
    masks: Vec<Mask>,
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

impl LocalNetworks {
    /// These networks; the private ranges when there are none.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        let networks = if networks.is_empty() {
            private_networks()
        } else {
            networks.to_vec()
        };
        Self {
            masks: networks.iter().map(Mask::of).collect(),
            networks,
        }
    }

    /// Whether an address stands in one of them.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        let as_number = number(address);
        self.masks.iter().any(|mask| mask.contains(as_number))
    }

    /// The broadcast address of a configured network that is one subnet (a /16 or larger is many).
    #[must_use]
    pub fn is_directed_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        let is_of = |network: &Ipv4Net| (17..31).contains(&network.prefix_len()) && network.broadcast() == ip;
        self.networks
            .iter()
            .any(|network| matches!(network, IpNet::V4(network) if is_of(network)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::Ipv6Net;

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
}

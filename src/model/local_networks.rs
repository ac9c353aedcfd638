//! Which networks are ours.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::address::Address;

/// Networks that count as ours.
#[derive(Clone, Debug)]
pub struct LocalNetworks {
    /// The networks as masks over the sixteen octets: asked several times a flow.
    masks: Vec<Mask>,
    /// Whether an IPv4 address, or another one, that begins with this octet can stand in any: most do not.
    begins: [[bool; 256]; 2],
    /// Broadcast addresses of configured networks that are one subnet (a /16 or larger is many).
    broadcasts: Vec<Ipv4Addr>,
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

    /// Whether any address of a kind with this first octet is in it; the kinds are those of [`beginning`].
    fn has_any(self, kind: usize, first: u8) -> bool {
        let (beginning, known) = if kind == 0 {
            (MAPPED | u128::from(first) << 24, u128::MAX << 24)
        } else {
            (u128::from(first) << 120, u128::MAX << 120)
        };
        let both = self.mask & known;
        beginning & both == self.network & both
    }
}

/// What IPv4 addresses begin with in their mapped form (RFC 4291, 2.5.5.2).
const MAPPED: u128 = 0xffff << 32;

/// Whether an address is of IPv4 (0) or another (1), and its first octet.
fn beginning(address: Address) -> (usize, u8) {
    let [first, .., of_v4, _, _, _] = address.0;
    if address.is_v4() { (0, of_v4) } else { (1, first) }
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
        let masks: Vec<Mask> = networks.iter().map(Mask::of).collect();
        let mut begins = [[false; 256]; 2];
        for (kind, table) in begins.iter_mut().enumerate() {
            for (first, may) in (0..=u8::MAX).zip(table.iter_mut()) {
                *may = masks.iter().any(|mask| mask.has_any(kind, first));
            }
        }
        let subnet = |network: &IpNet| match network {
            IpNet::V4(network) if (17..31).contains(&network.prefix_len()) => Some(network.broadcast()),
            IpNet::V4(_) | IpNet::V6(_) => None,
        };
        Self {
            masks,
            begins,
            broadcasts: networks.iter().filter_map(subnet).collect(),
        }
    }

    /// Whether an address may stand in one of them, by what it begins with.
    #[must_use]
    pub fn may_contain(&self, address: Address) -> bool {
        let (kind, first) = beginning(address);
        let table = self.begins.get(kind);
        table.and_then(|table| table.get(usize::from(first))) == Some(&true)
    }

    /// Whether an address stands in one of them.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        let as_number = number(address);
        self.may_contain(address) && self.masks.iter().any(|mask| mask.contains(as_number))
    }

    /// Whether it is the broadcast address of a configured network that is one subnet.
    #[must_use]
    pub fn is_directed_broadcast(&self, ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(ip) if self.broadcasts.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::{Ipv4Net, Ipv6Net};

    proptest::proptest! {
        #[test]
        fn masks_say_what_the_networks_say(octets: [u8; 16], bits in 0u8..=128, near: bool, as_v4: bool) {
            use std::net::Ipv6Addr;
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
            let local = LocalNetworks::new(&[network]);
            proptest::prop_assert_eq!(local.contains(Address::from(asked)), network.contains(&asked));
        }
    }
}

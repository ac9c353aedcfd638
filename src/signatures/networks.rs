//! Networks: which entries' networks an address lies in.
//!
//! The ends of all networks cut the addresses into stretches that belong to the same entries throughout; a lookup is one
//! binary search over these, however many networks there are and however they lie in each other.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::model::address::Address;

/// Networks of one field.
#[derive(Clone, Debug, Default)]
pub(super) struct NetworkIndex {
    /// Where a stretch begins, and whose it is; each ends where the next begins. Sorted.
    stretches: Vec<(u128, Vec<u32>)>,
    /// With which octets IPv4 addresses begin that lie in any network: a bit for each. Most addresses that are asked about begin otherwise.
    begins: [u64; 4],
}

/// Collects what a [`NetworkIndex`] is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct NetworkIndexBuilder {
    /// First and last address of a network, and whose it is.
    networks: Vec<(u128, u128, u32)>,
}

/// An address as a number; IPv4 in its mapped form.
fn number(address: Address) -> u128 {
    u128::from_be_bytes(address.0)
}

impl NetworkIndexBuilder {
    /// The network belongs to `entry`.
    pub(super) fn add(&mut self, network: IpNet, entry: u32) {
        let first = number(Address::from(network.network()));
        let last = number(Address::from(network.broadcast()));
        self.networks.push((first, last, entry));
    }

    /// Cuts the addresses into stretches, walking over all ends once.
    pub(super) fn finish(self) -> NetworkIndex {
        let mut ends: Vec<(u128, bool, u32)> = Vec::new();
        let mut begins = [0_u64; 4];
        for (first, last, entry) in self.networks {
            // What of it is IPv4, in the mapped form.
            let low = first.max(number(Address::from_v4([0; 4])));
            let high = last.min(number(Address::from_v4([255; 4])));
            if low <= high {
                for octet in (low >> 24 & 0xff)..=(high >> 24 & 0xff) {
                    if let Some(word) = begins.get_mut(usize::try_from(octet / 64).unwrap_or_default()) {
                        *word |= 1 << (octet % 64);
                    }
                }
            }
            ends.push((first, true, entry));
            if let Some(beyond) = last.checked_add(1) {
                ends.push((beyond, false, entry));
            }
        }
        ends.sort_unstable();
        // How many networks of an entry are open: they may lie in each other.
        let mut open: BTreeMap<u32, u32> = BTreeMap::new();
        let mut stretches: Vec<(u128, Vec<u32>)> = Vec::new();
        for (at, begins, entry) in ends {
            let count = open.entry(entry).or_default();
            *count = if begins {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            };
            open.retain(|_, count| *count > 0);
            let owners = open.keys().copied().collect();
            match stretches.last_mut() {
                Some((last, known)) if *last == at => *known = owners,
                _ => stretches.push((at, owners)),
            }
        }
        NetworkIndex { stretches, begins }
    }
}

impl NetworkIndex {
    /// Whether an address may lie in any network; `false` where it lies in none.
    #[inline]
    pub(super) fn may_hold(&self, address: Address) -> bool {
        let [.., begin, _, _, _] = address.0;
        let is_begun = |word: &u64| word >> (begin % 64) & 1 == 1;
        let has_begun = || self.begins.get(usize::from(begin / 64)).is_some_and(is_begun);
        !self.stretches.is_empty() && (!address.is_v4() || has_begun())
    }

    /// Calls `found` with every entry whose network holds the address, given as its sixteen octets.
    pub(super) fn find(&self, octets: &[u8], mut found: impl FnMut(u32)) {
        if self.stretches.is_empty() {
            return;
        }
        let Ok(octets) = <[u8; 16]>::try_from(octets) else {
            return;
        };
        let address = Address(octets);
        if !self.may_hold(address) {
            return;
        }
        let at = number(address);
        let behind = self.stretches.partition_point(|(first, _)| *first <= at);
        let stretch = behind.checked_sub(1).and_then(|index| self.stretches.get(index));
        for entry in stretch.iter().flat_map(|(_, entries)| entries) {
            found(*entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn index(networks: &[&str]) -> NetworkIndex {
        let mut builder = NetworkIndexBuilder::default();
        for (entry, network) in (0..).zip(networks) {
            builder.add(network.parse().unwrap(), entry);
        }
        builder.finish()
    }

    fn found(index: &NetworkIndex, address: &str) -> Vec<u32> {
        let mut all = Vec::new();
        let address: IpAddr = address.parse().unwrap();
        index.find(&Address::from(address).0, |entry| all.push(entry));
        all.sort_unstable();
        all
    }

    #[test]
    fn networks_may_lie_in_each_other_and_touch() {
        let index = index(&[
            "198.51.100.0/24",
            "198.51.100.64/26",
            "198.51.101.0/24",
            "2001:db8::/32",
            "::/0",
        ]);
        assert_eq!(found(&index, "198.51.100.1"), [0, 4]);
        assert_eq!(found(&index, "198.51.100.64"), [0, 1, 4]);
        assert_eq!(found(&index, "198.51.100.127"), [0, 1, 4]);
        assert_eq!(found(&index, "198.51.100.128"), [0, 4]);
        assert_eq!(found(&index, "198.51.101.255"), [2, 4]);
        assert_eq!(found(&index, "2001:db8:ffff::1"), [3, 4]);
        assert_eq!(found(&index, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), [4]);
        let mut twice = NetworkIndexBuilder::default();
        twice.add("198.51.100.0/24".parse().unwrap(), 7);
        twice.add("198.51.100.64/26".parse().unwrap(), 7);
        assert_eq!(found(&twice.finish(), "198.51.100.200"), [7]);
    }

    #[test]
    fn what_is_no_address_lies_nowhere() {
        let index = index(&["0.0.0.0/0"]);
        index.find(b"198.51.100.1", |_| panic!("text is no address here"));
        assert!(found(&self::index(&[]), "192.0.2.1").is_empty());
        assert!(found(&index, "2001:db8::1").is_empty());
    }

    proptest! {
        #[test]
        fn a_lookup_agrees_with_asking_every_network(networks in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..12), address in any::<u32>()) {
            let networks: Vec<IpNet> = networks
                .into_iter()
                .map(|(base, length)| IpNet::new(IpAddr::V4(Ipv4Addr::from(base)), length).unwrap())
                .collect();
            let mut builder = NetworkIndexBuilder::default();
            for (entry, network) in (0..).zip(&networks) {
                builder.add(*network, entry);
            }
            let address = IpAddr::V4(Ipv4Addr::from(address));
            let mut all = Vec::new();
            builder.finish().find(&Address::from(address).0, |entry| all.push(entry));
            let expected: Vec<u32> = (0..).zip(&networks).filter(|(_, network)| network.contains(&address)).map(|(entry, _)| entry).collect();
            prop_assert_eq!(all, expected);
        }
    }
}

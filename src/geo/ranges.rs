//! Address ranges: a sorted table with binary search, and the ranges that belong to nobody on the Internet.
//!
//! Both families share one number line: IPv4 stands at `::ffff:0:0/96` (RFC 4291, 2.5.5.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

/// Disjoint ranges with a value each, looked up by binary search.
#[derive(Clone, Debug)]
pub struct RangeTable<T> {
    /// First address, last address, value; sorted, disjoint.
    rows: Vec<(u128, u128, T)>,
}

impl<T> Default for RangeTable<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

/// Two ranges of one table overlap: the first addresses of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range from {second} overlaps the one from {first}")]
pub struct Overlap {
    /// Where the range begins that stands first.
    pub first: IpAddr,
    /// Where the one begins that runs into it.
    pub second: IpAddr,
}

impl<T> RangeTable<T> {
    /// Sorts the rows (first address, last address, value) and refuses overlaps. A row that ends before it begins is
    /// dropped.
    pub fn new(rows: impl IntoIterator<Item = (IpAddr, IpAddr, T)>) -> Result<Self, Overlap> {
        let mut rows: Vec<(u128, u128, T)> = rows
            .into_iter()
            .map(|(start, end, value)| (number(start), number(end), value))
            .filter(|(start, end, _)| start <= end)
            .collect();
        rows.sort_by_key(|(start, _, _)| *start);
        let overlap = rows.iter().zip(rows.iter().skip(1)).find(|(a, b)| b.0 <= a.1);
        if let Some((first, second)) = overlap {
            return Err(Overlap {
                first: address(first.0),
                second: address(second.0),
            });
        }
        Ok(Self { rows })
    }

    /// The value of the range that holds `ip`.
    #[must_use]
    pub fn get(&self, ip: IpAddr) -> Option<&T> {
        let wanted = number(ip);
        let after = self.rows.partition_point(|(start, _, _)| *start <= wanted);
        let (_, end, value) = self.rows.get(after.checked_sub(1)?)?;
        (wanted <= *end).then_some(value)
    }

    /// Number of ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Position of an address on the number line.
#[must_use]
pub fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address at a position of the number line.
#[must_use]
pub fn address(number: u128) -> IpAddr {
    let v6 = Ipv6Addr::from_bits(number);
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

/// Why an address has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reserved {
    /// Private, shared, link-local, loopback, multicast or kept by IANA: never on the Internet.
    NotGlobal,
    /// For documentation and benchmarks: not on the Internet, but a user's database may describe it, as test
    /// captures and their databases do.
    Documentation,
}

/// IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and what updated it), with multicast
/// (RFC 5771, RFC 4291); 100.64.0.0/10 is RFC 6598. Prefix, length, kind.
const SPECIAL: &[(&str, u32, Reserved)] = &[
    ("0.0.0.0", 8, Reserved::NotGlobal),
    ("10.0.0.0", 8, Reserved::NotGlobal),
    ("100.64.0.0", 10, Reserved::NotGlobal),
    ("127.0.0.0", 8, Reserved::NotGlobal),
    ("169.254.0.0", 16, Reserved::NotGlobal),
    ("172.16.0.0", 12, Reserved::NotGlobal),
    ("192.0.0.0", 24, Reserved::NotGlobal),
    ("192.0.2.0", 24, Reserved::Documentation),
    ("192.168.0.0", 16, Reserved::NotGlobal),
    ("198.18.0.0", 15, Reserved::Documentation),
    ("198.51.100.0", 24, Reserved::Documentation),
    ("203.0.113.0", 24, Reserved::Documentation),
    ("224.0.0.0", 4, Reserved::NotGlobal),
    ("240.0.0.0", 4, Reserved::NotGlobal),
    ("::", 96, Reserved::NotGlobal),
    ("64:ff9b:1::", 48, Reserved::NotGlobal),
    ("100::", 64, Reserved::NotGlobal),
    ("2001:2::", 48, Reserved::Documentation),
    ("2001:10::", 28, Reserved::NotGlobal),
    ("2001:db8::", 32, Reserved::Documentation),
    ("3fff::", 20, Reserved::Documentation),
    ("5f00::", 16, Reserved::NotGlobal),
    ("fc00::", 7, Reserved::NotGlobal),
    ("fe80::", 10, Reserved::NotGlobal),
    ("fec0::", 10, Reserved::NotGlobal),
    ("ff00::", 8, Reserved::NotGlobal),
];

/// Why `ip` has no place on the Internet; `None` for a global address.
#[must_use]
pub fn reserved(ip: IpAddr) -> Option<Reserved> {
    static TABLE: OnceLock<RangeTable<Reserved>> = OnceLock::new();
    TABLE
        .get_or_init(|| {
            let rows = SPECIAL.iter().filter_map(|(prefix, length, kind)| {
                let start: IpAddr = prefix.parse().ok()?;
                let width = if start.is_ipv4() { 32 } else { 128_u32 };
                let hosts = width.checked_sub(*length)?;
                let end = number(start) | (1_u128.checked_shl(hosts)?.checked_sub(1)?);
                Some((start, address(end), *kind))
            });
            RangeTable::new(rows).unwrap_or_default()
        })
        .get(ip)
        .copied()
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, 2.5.5.2), NAT64 with the well-known prefix
/// (RFC 6052, 2.1), 6to4 (RFC 3056, 2) or Teredo (RFC 4380, 4). Other addresses stand for themselves.
#[must_use]
pub fn embedded_ipv4(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.octets() {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
        | [0x20, 0x02, a, b, c, d, ..] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        // The client's address with all bits turned over.
        [0x20, 0x01, 0, 0, .., a, b, c, d] => IpAddr::V4(Ipv4Addr::new(!a, !b, !c, !d)),
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_special_prefix_is_in_the_table_and_its_neighbours_are_not() {
        let (first, last) = (ip("100.64.0.0"), ip("100.127.255.255"));
        assert_eq!(reserved(first), Some(Reserved::NotGlobal));
        assert_eq!(reserved(last), Some(Reserved::NotGlobal));
        assert_eq!(reserved(ip("100.63.255.255")), None);
        assert_eq!(reserved(ip("100.128.0.0")), None);
        for (prefix, _, kind) in SPECIAL {
            assert_eq!(reserved(ip(prefix)), Some(*kind), "{prefix}");
        }
    }

    #[test]
    fn global_addresses_are_not_reserved() {
        for text in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "223.255.255.255"] {
            assert_eq!(reserved(ip(text)), None, "{text}");
        }
    }

    #[test]
    fn translated_addresses_stand_for_their_ipv4() {
        assert_eq!(embedded_ipv4(ip("64:ff9b::808:808")), ip("8.8.8.8"));
        assert_eq!(embedded_ipv4(ip("2002:808:808::1")), ip("8.8.8.8"));
        assert_eq!(embedded_ipv4(ip("::ffff:8.8.8.8")), ip("8.8.8.8"));
        // Prefix, server, flags, then the port and the client with their bits turned over.
        assert_eq!(
            embedded_ipv4(ip("2001:0:4136:e378:8000:63bf:f7f7:f7f7")),
            ip("8.8.8.8")
        );
        assert_eq!(embedded_ipv4(ip("2001:4860::8888")), ip("2001:4860::8888"));
    }

    #[test]
    fn overlapping_ranges_are_refused_by_name() {
        let rows = [
            (ip("8.0.0.0"), ip("8.0.0.9"), 1),
            (ip("8.0.0.9"), ip("8.0.0.20"), 2),
        ];
        let overlap = RangeTable::new(rows).unwrap_err();
        assert_eq!(
            overlap.to_string(),
            "the range from 8.0.0.9 overlaps the one from 8.0.0.0"
        );
    }

    proptest! {
        #[test]
        fn a_table_answers_as_a_linear_search_does(
            bounds in proptest::collection::btree_set(any::<u32>(), 0..40),
            asked in proptest::collection::vec(any::<u32>(), 0..40),
        ) {
            let bounds: Vec<u32> = bounds.into_iter().collect();
            let v4 = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(n));
            let rows: Vec<_> = bounds.chunks_exact(2).map(|pair| (v4(pair[0]), v4(pair[1]), pair[0])).collect();
            let table = RangeTable::new(rows.clone()).unwrap();
            for wanted in asked.iter().chain(&bounds) {
                let expected = rows.iter().find(|(a, b, _)| *a <= v4(*wanted) && v4(*wanted) <= *b).map(|row| row.2);
                prop_assert_eq!(table.get(v4(*wanted)).copied(), expected);
            }
        }

        #[test]
        fn the_number_line_goes_both_ways(bits in any::<u128>()) {
            prop_assert_eq!(number(address(bits)), bits);
        }
    }
}

//! Addresses: link, network and transport, and the space that keeps equal ones apart.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::digits::hexadecimal_text;

/// A 48-bit link address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// All zeros: no address was seen.
    pub const ABSENT: Self = Self([0; 6]);

    /// Whether an address was seen at all.
    #[must_use]
    pub fn is_present(self) -> bool {
        self != Self::ABSENT
    }

    /// Group bit of IEEE 802: broadcast and multicast, never a station's own address.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Locally administered bit of IEEE 802: assigned by software, as randomised addresses are.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }
}

impl MacAddress {
    /// Its usual form: pairs of digits with colons between them.
    fn text(self) -> [u8; 17] {
        let bits = self.0.iter().fold(0, |bits, octet| bits << 8 | u64::from(*octet));
        let digits = hexadecimal_text(bits);
        let mut text = [b':'; 17];
        // Of eight octets the last six.
        for (place, pair) in text.chunks_mut(3).zip(digits.as_chunks::<2>().0.iter().skip(2)) {
            if let Some(place) = place.first_chunk_mut() {
                *place = *pair;
            }
        }
        text
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl serde::Serialize for MacAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// An IP address in sixteen octets: IPv6 as it is, IPv4 in the mapped form `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).
///
/// An IPv6 packet that really carries a mapped address is indistinguishable from IPv4 here; the flow's IP version
/// tells them apart where it matters (Community ID).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 16]);

impl Address {
    /// From the four octets of an IPv4 address.
    #[must_use]
    pub const fn from_v4(octets: [u8; 4]) -> Self {
        // As a number: put together octet by octet it stalled decoding for a tenth of its time.
        Self((0xffff << 32 | u32::from_be_bytes(octets) as u128).to_be_bytes())
    }

    /// Whether this is the mapped form of an IPv4 address.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        const PREFIX: u128 = 0xffff << 32;
        u128::from_be_bytes(self.0) & !0xffff_ffff == PREFIX
    }

    /// The standard library's form, IPv4 unmapped.
    #[must_use]
    pub fn to_ip(self) -> IpAddr {
        let [.., a, b, c, d] = self.0;
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.0))
        }
    }

    /// The address as two words, for hashing and comparing.
    #[must_use]
    pub fn words(self) -> [u64; 2] {
        let value = u128::from_ne_bytes(self.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the two halves of a 128-bit value"
        )]
        [value as u64, (value >> 64) as u64]
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::from_v4(v4.octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [.., first, second, third, fourth] = self.0;
        if !self.is_v4() {
            return self.to_ip().fmt(f);
        }
        // Digit by digit: records name millions, and the general way costs ten times as much.
        let (mut text, mut length) = ([0_u8; 15], 0_usize);
        let mut push = |octet: u8| {
            if let Some(place) = text.get_mut(length) {
                *place = octet;
            }
            length = length.saturating_add(1);
        };
        for (index, octet) in [first, second, third, fourth].into_iter().enumerate() {
            if index > 0 {
                push(b'.');
            }
            if octet > 99 {
                push(b'0'.saturating_add(octet / 100));
            }
            if octet > 9 {
                push(b'0'.saturating_add(octet / 10 % 10));
            }
            push(b'0'.saturating_add(octet % 10));
        }
        f.pad(
            text.get(..length)
                .and_then(|text| std::str::from_utf8(text).ok())
                .unwrap_or_default(),
        )
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One end of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Network address.
    pub address: Address,
    /// Port of TCP, UDP and SCTP; ICMP's type or code as Community ID counts them; zero elsewhere.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.to_ip() {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// What an identifier of an encapsulation means when it keeps address spaces apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SpaceKind {
    /// No such encapsulation.
    #[default]
    None = 0,
    /// Network identifier of VXLAN or GENEVE (24 bits).
    Vni = 1,
    /// Key of a GRE tunnel (32 bits).
    GreKey = 2,
    /// Tunnel endpoint identifier of GTP-U: one subscriber's bearer.
    ///
    /// Each direction of a bearer has its own, so it names the encapsulation but does not separate flows.
    Teid = 3,
    /// Tunnel and session of L2TP, folded.
    L2tp = 4,
    /// Session of PPPoE (16 bits).
    Pppoe = 5,
    /// Inside of tunnels into which only a foreign address sends: its word, and nobody else's. The identifier tells the two ends.
    Stranger = 6,
}

/// What keeps equal addresses apart: VLAN tags and a tunnel's network identifier, packed into one word.
///
/// Layout from the low end: outer VLAN 12 bits, inner VLAN 12 bits, [`SpaceKind`] 4 bits, identifier 32 bits,
/// presence of outer and inner VLAN one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressSpace(pub u64);

impl AddressSpace {
    /// Kind and identifier.
    const IDENTIFIER: u64 = 0xf << 24 | 0xffff_ffff << 28;

    /// Adds a VLAN tag inside those already there; a third and deeper one replaces the inner.
    #[must_use]
    pub const fn with_vlan(self, id: u16) -> Self {
        let id = (id & 0xfff) as u64;
        if self.0 & (1 << 60) == 0 {
            Self(self.0 & !0xfff | id | 1 << 60)
        } else {
            Self(self.0 & !(0xfff << 12) | id << 12 | 1 << 61)
        }
    }

    /// Sets the tunnel's network identifier; the innermost one that separates spaces counts.
    #[must_use]
    pub const fn with_identifier(self, kind: SpaceKind, identifier: u32) -> Self {
        Self(self.0 & !Self::IDENTIFIER | (kind as u64) << 24 | (identifier as u64) << 28)
    }

    /// The same tags with the network identifier of another space.
    #[must_use]
    pub const fn with_identifier_of(self, other: Self) -> Self {
        Self(self.0 & !Self::IDENTIFIER | other.0 & Self::IDENTIFIER)
    }

    /// Whether these are addresses that only a stranger speaks of ([`SpaceKind::Stranger`]): whatever they say, no machine of ours
    /// was seen.
    #[must_use]
    pub const fn is_strangers(self) -> bool {
        self.0 >> 24 & 0xf == SpaceKind::Stranger as u64
    }

    /// VLAN identifiers, outermost first.
    #[must_use]
    pub const fn vlans(self) -> [Option<u16>; 2] {
        let (outer, inner) = ((self.0 & 0xfff) as u16, (self.0 >> 12 & 0xfff) as u16);
        [
            if self.0 & (1 << 60) != 0 {
                Some(outer)
            } else {
                None
            },
            if self.0 & (1 << 61) != 0 {
                Some(inner)
            } else {
                None
            },
        ]
    }

    /// The tunnel's network identifier, where there is one.
    #[must_use]
    pub const fn identifier(self) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "masked to 32 bits")]
        let identifier = (self.0 >> 28) as u32;
        if self.0 >> 24 & 0xf == 0 || self.is_strangers() {
            None
        } else {
            Some(identifier)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_keeps_two_vlans_and_an_identifier_apart() {
        let space = AddressSpace::default()
            .with_vlan(100)
            .with_vlan(4_095)
            .with_identifier(SpaceKind::Vni, 0xff_ffff);
        assert_eq!(space.vlans(), [Some(100), Some(4_095)]);
        assert_eq!(space.identifier(), Some(0xff_ffff));
        assert!(!space.is_strangers());
        let told = space.with_identifier(SpaceKind::Stranger, 7);
        assert!(told.is_strangers());
        assert_eq!((told.vlans(), told.identifier()), (space.vlans(), None));
        let tagged = AddressSpace::default()
            .with_identifier(SpaceKind::Stranger, 7)
            .with_vlan(3);
        assert_eq!(
            tagged.with_identifier_of(space),
            AddressSpace::default()
                .with_vlan(3)
                .with_identifier(SpaceKind::Vni, 0xff_ffff)
        );
        assert_ne!(AddressSpace::default(), AddressSpace::default().with_vlan(0));
    }

    #[test]
    fn mapped_and_plain_addresses_survive_the_round_trip() {
        for text in ["192.0.2.7", "2001:db8::1", "::", "::1"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(Address::from(ip).to_ip(), ip);
        }
    }
}

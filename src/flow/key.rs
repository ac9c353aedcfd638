//! The key of a flow: address space, protocol and both endpoints in canonical order.
//!
//! The order is Community ID's: the lower address first, the lower port first between equal addresses. ICMP types that
//! have a counterpart (echo and reply) take the pair of types as ports; those without one are flows of one direction,
//! whose endpoints are never exchanged (Community ID version 1 specification, after Zeek).

use crate::model::address::{Address, AddressSpace, Endpoint};
use crate::model::segment::{Layer, Segment, segment_flag};

/// Bits of the key's last word below the protocol.
const ONE_WAY: u64 = 1;
const V6: u64 = 2;
const LAYER_SHIFT: u32 = 4;
const OUTSIDE: u64 = 4;

/// Six words that are equal exactly for packets of one flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowKey {
    /// Address space.
    space: u64,
    /// First and second endpoint's address in canonical order.
    lower: Address,
    upper: Address,
    /// Ports (16 bits each), protocol (8), layer (4) and flags (4).
    rest: u64,
}

/// Which endpoint of the key sent a packet: `false` the lower, `true` the upper.
pub type FromUpper = bool;

impl FlowKey {
    /// Key of a segment that has IP addresses, and which of its endpoints sent it.
    #[must_use]
    pub fn of(segment: &Segment) -> (Self, FromUpper) {
        let (source_port, destination_port, one_way) = match segment.layer {
            Layer::Icmp => icmp_ports(segment, ICMP_COUNTERPARTS),
            Layer::Icmpv6 => icmp_ports(segment, ICMPV6_COUNTERPARTS),
            Layer::Tcp | Layer::Udp | Layer::Sctp | Layer::OtherIp | Layer::Link => {
                (segment.source_port, segment.destination_port, false)
            }
        };
        let number = |address: Address| u128::from_be_bytes(address.0);
        let from_upper = !one_way
            && (number(segment.source_address), source_port)
                > (number(segment.destination_address), destination_port);
        let (lower, upper, lower_port, upper_port) = if from_upper {
            (
                segment.destination_address,
                segment.source_address,
                destination_port,
                source_port,
            )
        } else {
            (
                segment.source_address,
                segment.destination_address,
                source_port,
                destination_port,
            )
        };
        let mut flags = 0;
        if one_way {
            flags |= ONE_WAY;
        }
        if segment.is(segment_flag::V6) {
            flags |= V6;
        }
        if segment.is(segment_flag::OPENED_TUNNEL) {
            flags |= OUTSIDE;
        }
        let rest = u64::from(lower_port) << 48
            | u64::from(upper_port) << 32
            | u64::from(segment.protocol) << 16
            | (segment.layer as u64) << LAYER_SHIFT
            | flags;
        (
            Self {
                space: segment.space.0,
                lower,
                upper,
                rest,
            },
            from_upper,
        )
    }

    /// Reads a word, so that the key is in the cache afterwards.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    pub const fn touch(&self) -> u32 {
        self.rest as u32
    }

    /// Endpoints in canonical order.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "ports are cut out of their word")]
    pub const fn endpoints(&self) -> [Endpoint; 2] {
        [
            Endpoint {
                address: self.lower,
                port: (self.rest >> 48) as u16,
            },
            Endpoint {
                address: self.upper,
                port: (self.rest >> 32) as u16,
            },
        ]
    }

    /// VLAN tags and network identifier.
    #[must_use]
    pub const fn space(&self) -> AddressSpace {
        AddressSpace(self.space)
    }

    /// IP protocol number.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the protocol is cut out of its word"
    )]
    pub const fn protocol(&self) -> u8 {
        (self.rest >> 16) as u8
    }

    /// What was read above IP.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        match (self.rest >> LAYER_SHIFT) & 0xf {
            0 => Layer::Tcp,
            1 => Layer::Udp,
            2 => Layer::Sctp,
            3 => Layer::Icmp,
            4 => Layer::Icmpv6,
            5 => Layer::OtherIp,
            _ => Layer::Link,
        }
    }

    /// IP version 6.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.rest & V6 != 0
    }

    /// Whether it is the outside of a tunnel that was opened.
    #[must_use]
    pub const fn is_opened_tunnel(&self) -> bool {
        self.rest & OUTSIDE != 0
    }

    /// ICMP of a type without a counterpart.
    #[must_use]
    pub const fn is_one_way(&self) -> bool {
        self.rest & ONE_WAY != 0
    }

    /// The key as words, for identifiers made of content.
    #[must_use]
    pub fn words(&self) -> [u64; 6] {
        let [a, b] = halves(self.lower);
        let [c, d] = halves(self.upper);
        [self.space, a, b, c, d, self.rest]
    }

    /// Hash for the table of one run. `seed` is drawn at start, because whoever sends packets chooses the keys.
    #[must_use]
    pub fn hash(&self, seed: u64) -> u64 {
        let [a, b] = self.lower.words();
        let [c, d] = self.upper.words();
        let first = fold(a ^ seed, b ^ self.rest);
        let second = fold(c ^ first, d ^ self.space.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15);
        fold(first ^ 0xd6e8_feb8_6659_fd93, second)
    }

    /// Which of `count` partitions owns the flow: the same in every run, so that bounds act alike for any thread count.
    #[must_use]
    pub fn partition(&self, count: usize) -> usize {
        let hash = self.hash(0x2545_f491_4f6c_dd1d) >> 40;
        usize::try_from(hash).unwrap_or(0).checked_rem(count).unwrap_or(0)
    }
}

/// The two halves of an address as numbers, the same on every machine.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves of a 128-bit value"
)]
const fn halves(address: Address) -> [u64; 2] {
    let value = u128::from_be_bytes(address.0);
    [(value >> 64) as u64, value as u64]
}

/// Folded multiplication, the mixing step of wyhash and its successors.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0xa076_1d64_78bd_642f).wrapping_mul(u128::from(b ^ 0xe703_7ed1_a0b4_28db));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "folding the two halves is the purpose"
    )]
    {
        (product as u64) ^ ((product >> 64) as u64)
    }
}

/// Types that answer each other (RFC 792, RFC 950, RFC 1256).
const ICMP_COUNTERPARTS: &[(u16, u16)] = &[(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)];

/// Likewise for ICMPv6 (RFC 4443, RFC 2710, RFC 4861, RFC 4620, RFC 6275).
const ICMPV6_COUNTERPARTS: &[(u16, u16)] = &[
    (128, 129),
    (133, 134),
    (135, 136),
    (130, 131),
    (144, 145),
    (139, 140),
];

/// Ports of an ICMP packet, and whether it is of one direction only.
fn icmp_ports(segment: &Segment, counterparts: &[(u16, u16)]) -> (u16, u16, bool) {
    let kind = segment.source_port;
    for (question, answer) in counterparts {
        if kind == *question {
            return (kind, *answer, false);
        }
        if kind == *answer {
            return (kind, *question, false);
        }
    }
    (kind, segment.destination_port, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(from: [u8; 4], to: [u8; 4], ports: (u16, u16)) -> Segment {
        Segment {
            layer: Layer::Udp,
            protocol: 17,
            source_address: Address::from_v4(from),
            destination_address: Address::from_v4(to),
            source_port: ports.0,
            destination_port: ports.1,
            ..Segment::default()
        }
    }

    #[test]
    fn both_directions_share_a_key_and_know_who_sent() {
        let (there, from_upper) = FlowKey::of(&udp([192, 0, 2, 1], [192, 0, 2, 2], (4_000, 53)));
        let (back, back_from_upper) = FlowKey::of(&udp([192, 0, 2, 2], [192, 0, 2, 1], (53, 4_000)));
        assert_eq!(there, back);
        assert_ne!(from_upper, back_from_upper);
        assert_eq!(there.endpoints()[1].port, 53);
        assert_eq!((there.protocol(), there.layer()), (17, Layer::Udp));
    }

    #[test]
    fn equal_addresses_in_two_vlans_are_two_flows() {
        let mut tagged = udp([192, 0, 2, 1], [192, 0, 2, 2], (1, 2));
        let plain = FlowKey::of(&tagged).0;
        tagged.space = AddressSpace::default().with_vlan(7);
        assert_ne!(FlowKey::of(&tagged).0, plain);
    }

    #[test]
    fn an_echo_and_its_reply_are_one_flow_and_an_unreachable_stands_alone() {
        let mut echo = udp([192, 0, 2, 1], [192, 0, 2, 2], (8, 0));
        echo.layer = Layer::Icmp;
        echo.protocol = 1;
        let mut reply = udp([192, 0, 2, 2], [192, 0, 2, 1], (0, 0));
        reply.layer = Layer::Icmp;
        reply.protocol = 1;
        assert_eq!(FlowKey::of(&echo).0, FlowKey::of(&reply).0);
        let mut unreachable = reply;
        unreachable.source_port = 3;
        let mut other_way = echo;
        other_way.source_port = 3;
        assert_ne!(FlowKey::of(&unreachable).0, FlowKey::of(&other_way).0);
    }
}

//! IPv4 (RFC 791) with options and IPv6 (RFC 8200) with extension headers, lenient where the capture was cut.
//!
//! The header checksum of IPv4 is not verified: offload leaves it unset on the sender, and mirrors copy damage anyway.

use crate::model::address::Address;
use crate::model::segment::{Encapsulation, Layer, segment_flag};

use super::fragment::{Arrival, Fragment, Key};
use super::stretch::{Stretch, array, u8_at, u16_at};
use super::{Packet, Step, append, duplicate, transport};

/// Most extension headers that are followed. RFC 8200 lets each occur once, but asks to accept any number.
const MOST_EXTENSIONS: usize = 100;

/// IP protocol numbers (IANA).
pub(super) mod protocol {
    pub(in crate::decode) const HOP_BY_HOP: u8 = 0;
    pub(in crate::decode) const ICMP: u8 = 1;
    pub(in crate::decode) const IPV4: u8 = 4;
    pub(in crate::decode) const TCP: u8 = 6;
    pub(in crate::decode) const UDP: u8 = 17;
    pub(in crate::decode) const IPV6: u8 = 41;
    pub(in crate::decode) const ROUTING: u8 = 43;
    pub(in crate::decode) const FRAGMENT: u8 = 44;
    pub(in crate::decode) const GRE: u8 = 47;
    pub(in crate::decode) const AUTHENTICATION: u8 = 51;
    pub(in crate::decode) const ICMPV6: u8 = 58;
    pub(in crate::decode) const DESTINATION: u8 = 60;
    pub(in crate::decode) const SCTP: u8 = 132;
    pub(in crate::decode) const UDP_LITE: u8 = 136;
    pub(in crate::decode) const MPLS: u8 = 137;
    /// RFC 3378.
    pub(in crate::decode) const ETHER_IP: u8 = 97;
    /// Ethernet behind segment routing (RFC 8986, 4.9).
    pub(in crate::decode) const ETHERNET: u8 = 143;
}

/// Reads an IP header of the version that its first four bits give.
pub(super) fn header(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    match packet.array::<1>(stretch, 0) {
        Some([first]) if first >> 4 == 4 => version_4(packet, stretch),
        Some([first]) if first >> 4 == 6 => version_6(packet, stretch),
        Some(_) => packet.give_up("packets that should be IP and have another version"),
        None => packet.give_up("frames cut before their network header"),
    }
}

fn version_4(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let Some(fixed) = packet.array::<20>(stretch, 0) else {
        return packet.give_up("frames cut within their IP header");
    };
    let [
        first,
        service,
        l0,
        l1,
        i0,
        i1,
        f0,
        f1,
        ttl,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = fixed;
    let header_length = u32::from(first & 0x0f) * 4;
    let total = u32::from(u16::from_be_bytes([l0, l1]));
    if header_length < 20 || (total != 0 && total < header_length) {
        return packet.give_up("IPv4 headers with an impossible length");
    }
    // Segmentation offload hands packets over with length zero: then the frame's own end counts.
    let whole = if total == 0 {
        stretch
    } else {
        stretch.limited(total)
    };
    if is_copy(packet, whole, header_length) {
        return Step::Done;
    }
    let base = &mut packet.base;
    base.source_address = Address::from_v4([s0, s1, s2, s3]);
    base.destination_address = Address::from_v4([d0, d1, d2, d3]);
    base.flags &= !segment_flag::V6;
    base.protocol = protocol;
    base.ttl = ttl;
    base.dscp = service >> 2;
    base.ip_id = u16::from_be_bytes([i0, i1]);
    let payload = whole.after_or_end(header_length);
    let fragment = u16::from_be_bytes([f0, f1]);
    let (offset, more) = (u32::from(fragment & 0x1fff) * 8, fragment & 0x2000 != 0);
    if offset != 0 || more {
        let id = u32::from(base.ip_id);
        return a_fragment(packet, payload, offset, more, id);
    }
    authenticated(packet, payload)
}

/// Opens the authentication header of IPsec (RFC 4302, 2) where there is one.
fn authenticated(packet: &mut Packet<'_>, payload: Stretch) -> Step {
    if packet.base.protocol == protocol::AUTHENTICATION
        && let Some([next, length]) = packet.array::<2>(payload, 0)
        && let Some(rest) = payload.after((u32::from(length) + 2) * 4)
        && packet.open_in_place(Encapsulation::Ah, payload)
    {
        packet.base.protocol = next;
        return Step::Transport(rest);
    }
    Step::Transport(payload)
}

fn version_6(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let view = packet.view(stretch);
    let (Some([first, second, _, _, l0, l1, next, hop_limit]), Some(source), Some(destination)) =
        (array::<8>(view, 0), array::<16>(view, 8), array::<16>(view, 24))
    else {
        return packet.give_up("frames cut within their IP header");
    };
    let length = u32::from(u16::from_be_bytes([l0, l1]));
    // Jumbograms (RFC 2675) and segmentation offload say zero; so does a packet without payload, which announces that.
    let is_offloaded = length == 0 && next != 59;
    let whole = if is_offloaded {
        stretch
    } else {
        stretch.limited(length + 40)
    };
    if is_copy(packet, whole, 40) {
        return Step::Done;
    }
    let base = &mut packet.base;
    base.source_address = Address(source);
    base.destination_address = Address(destination);
    base.flags |= segment_flag::V6;
    base.protocol = next;
    base.ttl = hop_limit;
    base.dscp = (first << 4 | second >> 4) >> 2;
    base.ip_id = 0;
    extensions(packet, whole.after_or_end(40))
}

/// Follows extension headers (RFC 8200, 4) up to a fragment header or the transport.
fn extensions(packet: &mut Packet<'_>, mut payload: Stretch) -> Step {
    for _ in 0..MOST_EXTENSIONS {
        let protocol = packet.base.protocol;
        match protocol {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION | protocol::AUTHENTICATION => {
                let Some([next, length]) = packet.array::<2>(payload, 0) else {
                    return Step::Transport(payload);
                };
                let length = if protocol == protocol::AUTHENTICATION {
                    (u32::from(length) + 2) * 4
                } else {
                    (u32::from(length) + 1) * 8
                };
                let Some(rest) = payload.after(length) else {
                    return Step::Transport(payload);
                };
                if protocol == protocol::ROUTING
                    && let Some(last) = final_destination(packet.view(payload))
                {
                    packet.base.destination_address = last;
                }
                if protocol == protocol::AUTHENTICATION && !packet.open_in_place(Encapsulation::Ah, payload) {
                    return Step::Transport(payload);
                }
                packet.base.protocol = next;
                payload = rest;
            }
            protocol::FRAGMENT => {
                let (Some([next, _, o0, o1, i0, i1, i2, i3]), Some(rest)) =
                    (packet.array::<8>(payload, 0), payload.after(8))
                else {
                    return Step::Transport(payload);
                };
                packet.base.protocol = next;
                let field = u16::from_be_bytes([o0, o1]);
                let (offset, more) = (u32::from(field & 0xfff8), field & 1 != 0);
                if offset != 0 || more {
                    let id = u32::from_be_bytes([i0, i1, i2, i3]);
                    return a_fragment(packet, rest, offset, more, id);
                }
                // Atomic fragments are whole packets (RFC 6946).
                payload = rest;
            }
            _ => return Step::Transport(payload),
        }
    }
    packet.lose("IPv6 packets with more extension headers than are followed");
    Step::Transport(payload)
}

/// Whether the outermost packet of the frame is a mirror's copy of an earlier one.
fn is_copy(packet: &mut Packet<'_>, whole: Stretch, header_length: u32) -> bool {
    let is_outermost = !packet.has_ip;
    packet.has_ip = true;
    if !is_outermost {
        return false;
    }
    let print = duplicate::fingerprint(packet.view(whole), header_length as usize, packet.base.space);
    let is_copy = packet
        .state
        .duplicates
        .is_copy(print, packet.base.at, packet.base.source.capture);
    if is_copy {
        packet.state.counters.duplicates = packet.state.counters.duplicates.saturating_add(1);
    }
    is_copy
}

/// Hands a fragment to reassembly and goes on with the datagram where this completed it.
fn a_fragment(packet: &mut Packet<'_>, payload: Stretch, offset: u32, more: bool, id: u32) -> Step {
    packet.state.counters.fragments = packet.state.counters.fragments.saturating_add(1);
    if payload.captured < payload.on_wire {
        // Cut by the snap length: the datagram can never be whole. The first fragment still names its ports.
        packet.lose("fragments cut by the snap length");
        return lone_fragment(packet, payload, offset);
    }
    let key = Key {
        capture: packet.base.source.capture,
        space: packet.base.space,
        tunnels: packet.base.tunnels,
        source: packet.base.source_address,
        destination: packet.base.destination_address,
        id,
        // IPv6 identifies datagrams without the protocol (RFC 8200, 4.5), IPv4 with it (RFC 791, 3.2).
        protocol: if packet.base.flags & segment_flag::V6 == 0 {
            packet.base.protocol
        } else {
            0
        },
    };
    let fragment = Fragment {
        key,
        base: packet.base,
        offset,
        more,
        bytes: payload.of(packet.bytes),
    };
    let arrival = packet.state.fragments.take(&fragment, &mut packet.state.losses);
    for evicted in packet.state.fragments.evicted() {
        super::give_unfinished(&evicted, packet.bytes, packet.segments, packet.state);
    }
    match arrival {
        Arrival::Held => Step::Done,
        Arrival::Impossible => lone_fragment(packet, payload, offset),
        Arrival::Whole(datagram) => {
            let length = u32::try_from(datagram.bytes.len()).unwrap_or(0);
            let Some(whole) = append(packet.bytes, &datagram.bytes, length) else {
                return packet.give_up("datagrams that found no room in their block");
            };
            packet.state.counters.reassembled = packet.state.counters.reassembled.saturating_add(1);
            packet.base.flags |= segment_flag::REASSEMBLED;
            packet.base.protocol = datagram.protocol;
            if packet.base.flags & segment_flag::V6 == 0 {
                authenticated(packet, whole)
            } else {
                extensions(packet, whole)
            }
        }
    }
}

/// A fragment that waits for nothing: the first one is read as far as it goes, others only have addresses.
fn lone_fragment(packet: &mut Packet<'_>, payload: Stretch, offset: u32) -> Step {
    if offset == 0 {
        return Step::Transport(payload);
    }
    packet.base.flags |= segment_flag::LATER_FRAGMENT;
    transport::other(packet, payload)
}

/// The final destination in a routing header that was not followed to its end (RFC 8200, 4.4): the last address of type 0
/// (RFC 2460, 4.4) and of mobility's type 2 (RFC 6275, 6.4), the first of segment routing's (RFC 8754, 2).
fn final_destination(view: &[u8]) -> Option<Address> {
    let [_, length, kind, left, last, ..] = array::<8>(view, 0)?;
    let at = match kind {
        _ if left == 0 || length < 2 => return None,
        0 | 2 => (usize::from(length) * 8).checked_sub(8)?,
        4 if usize::from(last) * 2 < usize::from(length) => 8,
        _ => return None,
    };
    array::<16>(view, at).map(Address)
}

/// Whether an IP packet can start here: version, header and length agree with what is there.
///
/// For the inside of tunnels, which only a port or a number announced.
pub(super) fn is_ip(view: &[u8], on_wire: u32) -> bool {
    match u8_at(view, 0).map(|first| (first >> 4, first & 0x0f)) {
        Some((4, words)) => {
            let (Some(total), Some(ttl)) = (u16_at(view, 2), u8_at(view, 8)) else {
                return false;
            };
            view.len() >= 20
                && words >= 5
                && ttl > 0
                && u32::from(total) >= u32::from(words) * 4
                && u32::from(total) <= on_wire
        }
        Some((6, _)) => {
            view.len() >= 40 && u16_at(view, 4).is_some_and(|length| u32::from(length) + 40 <= on_wire)
        }
        _ => false,
    }
}

/// The layer that a protocol number announces.
pub(super) const fn layer(protocol: u8) -> Layer {
    match protocol {
        protocol::TCP => Layer::Tcp,
        protocol::UDP | protocol::UDP_LITE => Layer::Udp,
        protocol::SCTP => Layer::Sctp,
        protocol::ICMP => Layer::Icmp,
        protocol::ICMPV6 => Layer::Icmpv6,
        _ => Layer::OtherIp,
    }
}

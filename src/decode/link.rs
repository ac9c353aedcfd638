//! Link types: what stands at the start of a frame, by the number that the capture gives
//! (registry of `LINKTYPE_` values, tcpdump.org/linktypes.html).
//!
//! A link type that is not listed here is counted under its name and never guessed.

use crate::model::frame::LinkType;

use super::ethernet::kind;
use super::stretch::{Stretch, array, u8_at, u16_at};
use super::{Packet, Step, cooked, dot11, link_name, serial};

/// Opens the frame's first header.
pub(super) fn open(packet: &mut Packet<'_>, link: LinkType, frame: Stretch) -> Step {
    match link.0 {
        0 | 108 => loopback(packet, frame),
        1 => Step::Ethernet(frame),
        6 => token_ring(packet, frame),
        8 => after(packet, frame, 16),
        9 | 50 => serial::point_to_point(packet, frame),
        10 => fddi(packet, frame),
        11 => Step::Llc(frame),
        12 | 14 | 101 | 228 | 229 => Step::Ip(frame),
        51 => serial::pppoe(packet, frame),
        104 => serial::cisco(packet, frame),
        105 => Step::Dot11(frame),
        107 => serial::frame_relay(packet, frame),
        109 => after(packet, frame, 12),
        113 => cooked::version_1(packet, frame),
        117 => packet_filter(packet, frame),
        119 => dot11::prism(packet, frame),
        127 => dot11::radiotap(packet, frame),
        129 => arcnet(packet, frame),
        163 => dot11::avs(packet, frame),
        192 => per_packet(packet, frame),
        239 => netfilter(packet, frame),
        276 => cooked::version_2(packet, frame),
        number => packet.give_up(link_name::not_understood(number)),
    }
}

/// An IP packet behind a header of fixed length: SLIP as BSD writes it (8), OpenBSD's encapsulated IP (109).
fn after(packet: &mut Packet<'_>, frame: Stretch, length: u32) -> Step {
    match frame.after(length) {
        Some(ip) => Step::Ip(ip),
        None => packet.give_up("frames cut before their network header"),
    }
}

/// BSD loopback: the address family in the byte order of whoever captured (0) or in network order (108).
///
/// `AF_INET` is 2 everywhere; `AF_INET6` is 24 (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS), 10 (Linux), 23 (Windows).
fn loopback(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let Some(family) = packet.array::<4>(frame, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    let (little, big) = (u32::from_le_bytes(family), u32::from_be_bytes(family));
    let is_ip = |value: u32| matches!(value, 2 | 10 | 23 | 24 | 28 | 30);
    match frame.after(4) {
        Some(ip) if is_ip(little) || is_ip(big) => Step::Ip(ip),
        _ => packet.give_up("loopback frames of another address family"),
    }
}

/// IEEE 802.5: access and frame control, addresses, a route where the sender's group bit is set, then 802.2.
fn token_ring(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let Some([_, control, rest @ ..]) = packet.array::<15>(frame, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, route] = rest;
    if control & 0xc0 != 0x40 {
        return packet.give_up("token ring frames without data");
    }
    packet.set_macs([s0 & 0x7f, s1, s2, s3, s4, s5], [d0, d1, d2, d3, d4, d5]);
    let route_length = if s0 & 0x80 == 0 {
        0
    } else {
        u32::from(route & 0x1f)
    };
    match frame.after(14 + route_length) {
        Some(llc) => Step::Llc(llc),
        None => packet.give_up("frames cut before their network header"),
    }
}

/// FDDI: frame control, addresses, then 802.2.
fn fddi(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let Some([control, d0, d1, d2, d3, d4, d5, source @ ..]) = packet.array::<13>(frame, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    if control & 0x30 != 0x10 {
        return packet.give_up("FDDI frames without data");
    }
    packet.set_macs(source, [d0, d1, d2, d3, d4, d5]);
    frame.after(13).map_or(Step::Done, Step::Llc)
}

/// ARCNET as Linux gives it: source, destination, two octets of offset, the protocol; RFC 1201 adds three octets of its own
/// fragmentation, RFC 1051 none.
fn arcnet(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let header = packet
        .array::<6>(frame, 0)
        .map(|[_, _, _, _, protocol, split]| (protocol, split));
    match header {
        Some((0xf0, _)) => frame.after(5).map_or(Step::Done, Step::Ip),
        Some((0xf1, _)) => frame
            .after(5)
            .map_or(Step::Done, |arp| Step::EtherType(kind::ARP, arp)),
        Some((0xd4 | 0xc4, 0)) => frame.after(8).map_or(Step::Done, Step::Ip),
        Some((0xd5, 0)) => frame
            .after(8)
            .map_or(Step::Done, |arp| Step::EtherType(kind::ARP, arp)),
        Some(_) => packet.give_up("ARCNET frames of another protocol, or fragments"),
        None => packet.give_up("frames cut before their network header"),
    }
}

/// OpenBSD's packet filter log: its length in the first octet, padded to four.
fn packet_filter(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let length = packet
        .array::<1>(frame, 0)
        .map_or(u32::MAX, |[length]| u32::from(length).next_multiple_of(4));
    after(packet, frame, length)
}

/// Per-packet information (CACE PPI 1.0.10): its length, then the link type of what follows.
fn per_packet(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    /// Field 2 of PPI, "802.11-Common"; bit 0 of its flags: the frame check sequence follows the frame.
    const COMMON: u16 = 2;
    let view = packet.view(frame);
    let Some([_, _, l0, l1, t0, t1, t2, t3]) = array::<8>(view, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    let length = u16::from_le_bytes([l0, l1]);
    let has_check = array::<4>(view, 8)
        .filter(|[k0, k1, _, _]| length >= 22 && u16::from_le_bytes([*k0, *k1]) == COMMON)
        .and_then(|_| u8_at(view, 20))
        .is_some_and(|flags| flags & 1 != 0);
    let Some(mut inner) = frame.after(u32::from(length).max(8)) else {
        return packet.give_up("frames cut before their network header");
    };
    match u32::from_le_bytes([t0, t1, t2, t3]) {
        1 => Step::Ethernet(inner),
        105 => {
            if has_check {
                inner = inner.limited(inner.on_wire.saturating_sub(4));
            }
            Step::Dot11(inner)
        }
        _ => packet.give_up("PPI frames of another link type than Ethernet and 802.11"),
    }
}

/// Linux netfilter log: family, version, resource, then attributes in the byte order of the host, padded to four.
fn netfilter(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    const PAYLOAD: u16 = 9;
    const HARDWARE_ADDRESS: u16 = 8;
    const MOST_ATTRIBUTES: usize = 64;
    let view = packet.view(frame);
    let mut at = 4_usize;
    let mut payload = None;
    let mut sender = None;
    // The order of octets follows from the first attribute: no attribute is 256 octets long at the least.
    let little = array::<2>(view, 4).is_some_and(|[_, high]| high == 0);
    let word = |at: usize| {
        let bytes = array::<2>(view, at)?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    for _ in 0..MOST_ATTRIBUTES {
        let (Some(length), Some(kind)) = (word(at), word(at.saturating_add(2))) else {
            break;
        };
        if length < 4 {
            break;
        }
        match kind & 0x7fff {
            PAYLOAD => {
                payload = Some((at.saturating_add(4), u32::from(length).saturating_sub(4)));
                break;
            }
            HARDWARE_ADDRESS if u16_at(view, at.saturating_add(4)) == Some(6) => {
                sender = array::<6>(view, at.saturating_add(8));
            }
            _ => {}
        }
        at = at.saturating_add(usize::from(length).next_multiple_of(4));
    }
    let Some((ip, length)) =
        payload.and_then(|(at, length)| Some((frame.after(u32::try_from(at).ok()?)?, length)))
    else {
        return packet.give_up("netfilter log frames without a packet");
    };
    if let Some(sender) = sender {
        packet.set_macs(sender, [0; 6]);
    }
    Step::Ip(ip.limited(length))
}

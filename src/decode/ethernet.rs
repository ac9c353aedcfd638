//! Ethernet and what stands between it and IP: tags, 802.2, and the dispatch by `EtherType`.
//!
//! Frames without IP become segments of [`Layer::Link`](crate::model::segment::Layer::Link). `destination_port` says what
//! they are and `source_port` which number space that is: 0 for an `EtherType`; the lower half of the OUI for a SNAP
//! protocol of a vendor (0x000c: Cisco, where 0x2000 is CDP); the SSAP for 802.2 without SNAP, with the DSAP as
//! `destination_port` (below 0x600, so never an `EtherType`); the PPP protocol with `EtherType` 0x880b.

use crate::model::segment::Encapsulation;

use super::stretch::Stretch;
use super::{Packet, Step, serial};

/// `EtherType` values (IEEE registry; RFC numbers where one defines the use).
pub(super) mod kind {
    pub(in crate::decode) const IPV4: u16 = 0x0800;
    pub(in crate::decode) const ARP: u16 = 0x0806;
    /// Transparent Ethernet bridging (RFC 1701).
    pub(in crate::decode) const BRIDGED: u16 = 0x6558;
    /// 802.1Q.
    pub(in crate::decode) const VLAN: u16 = 0x8100;
    pub(in crate::decode) const IPV6: u16 = 0x86dd;
    pub(in crate::decode) const PPP: u16 = 0x880b;
    pub(in crate::decode) const MPLS: u16 = 0x8847;
    /// MPLS with upstream-assigned label (RFC 5332).
    pub(in crate::decode) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(in crate::decode) const PPPOE_DISCOVERY: u16 = 0x8863;
    pub(in crate::decode) const PPPOE: u16 = 0x8864;
    pub(in crate::decode) const EAPOL: u16 = 0x888e;
    /// 802.1ad.
    pub(in crate::decode) const SERVICE_VLAN: u16 = 0x88a8;
    pub(in crate::decode) const LLDP: u16 = 0x88cc;
    /// MACsec.
    pub(in crate::decode) const MACSEC: u16 = 0x88e5;
    /// 802.1ah service instance.
    pub(in crate::decode) const BACKBONE: u16 = 0x88e7;
    /// 802.1BR E-tag.
    pub(in crate::decode) const E_TAG: u16 = 0x893f;
    /// Cisco VN-tag.
    pub(in crate::decode) const VN_TAG: u16 = 0x8926;
    /// Cisco metadata.
    pub(in crate::decode) const CISCO_METADATA: u16 = 0x8909;
    pub(in crate::decode) const NSH: u16 = 0x894f;
    /// Tag of QinQ before 802.1ad.
    pub(in crate::decode) const OLD_SERVICE_VLAN: u16 = 0x9100;
    /// Smallest value that is a type and not a length (IEEE 802.3, 3.2.6).
    pub(in crate::decode) const SMALLEST: u16 = 0x0600;
}

/// Reads the 14 octets of an Ethernet header.
pub(super) fn header(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let Some([d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1]) = packet.array::<14>(frame, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    packet.set_macs([s0, s1, s2, s3, s4, s5], [d0, d1, d2, d3, d4, d5]);
    typed(u16::from_be_bytes([t0, t1]), frame.after_or_end(14))
}

/// Type or length, as the value says (IEEE 802.3, 3.2.6).
fn typed(value: u16, payload: Stretch) -> Step {
    if value >= kind::SMALLEST {
        Step::EtherType(value, payload)
    } else if u32::from(value) <= payload.on_wire {
        Step::Llc(payload.limited(u32::from(value)))
    } else {
        Step::Llc(payload)
    }
}

/// Dispatches on an `EtherType`.
pub(super) fn after_type(packet: &mut Packet<'_>, value: u16, payload: Stretch) -> Step {
    match value {
        kind::IPV4 | kind::IPV6 => Step::Ip(payload),
        kind::VLAN | kind::SERVICE_VLAN | kind::OLD_SERVICE_VLAN | 0x9200 | 0x9300 => vlan(packet, payload),
        kind::MPLS | kind::MPLS_UPSTREAM => Step::Mpls(payload),
        kind::PPPOE => serial::pppoe(packet, payload),
        kind::PPP => Step::Ppp(payload),
        kind::BRIDGED => Step::Ethernet(payload),
        // Service instance: four octets, then the customer's whole header (IEEE 802.1Q, 9.7).
        kind::BACKBONE => payload.after(4).map_or(Step::Done, Step::Ethernet),
        // Four octets of Cisco's VN-tag, six of 802.1BR's E-tag and of Cisco's metadata, then the next type.
        kind::VN_TAG => tag(packet, payload, 4),
        kind::E_TAG | kind::CISCO_METADATA => tag(packet, payload, 6),
        kind::NSH => Step::Nsh(payload),
        kind::MACSEC => macsec(packet, payload),
        _ => packet.give_link(0, value, payload),
    }
}

/// A tag of `length` octets in front of the next type.
fn tag(packet: &mut Packet<'_>, payload: Stretch, length: u32) -> Step {
    let inner = payload
        .after(length)
        .and_then(|rest| Some((packet.array::<2>(rest, 0)?, rest.after(2)?)));
    match inner {
        Some((value, rest)) => typed(u16::from_be_bytes(value), rest),
        None => packet.give_up("frames cut before their network header"),
    }
}

/// MACsec (IEEE 802.1AE, 9.3): opened where it only authenticates; what is encrypted stays a frame without IP.
fn macsec(packet: &mut Packet<'_>, payload: Stretch) -> Step {
    const HAS_CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    const CHECK_VALUE: u32 = 16;
    let opened = packet.array::<2>(payload, 0).and_then(|[control, short]| {
        if control & ENCRYPTED_OR_CHANGED != 0 {
            return None;
        }
        let tag = if control & HAS_CHANNEL == 0 { 6 } else { 14 };
        let value = packet.array::<2>(payload.after(tag)?, 0)?;
        let rest = payload.after(tag.saturating_add(2))?;
        let length = match u32::from(short & 0x3f) {
            0 => rest.on_wire.saturating_sub(CHECK_VALUE),
            // The length counts the type as well.
            short => short.saturating_sub(2),
        };
        Some((u16::from_be_bytes(value), rest.limited(length)))
    });
    match opened {
        Some((value, rest)) => typed(value, rest),
        None => packet.give_link(0, kind::MACSEC, payload),
    }
}

/// 802.1Q tag: priority and VLAN, then the next type.
fn vlan(packet: &mut Packet<'_>, payload: Stretch) -> Step {
    let (Some([c0, c1, t0, t1]), Some(rest)) = (packet.array::<4>(payload, 0), payload.after(4)) else {
        return packet.give_up("frames cut before their network header");
    };
    packet.base.space = packet.base.space.with_vlan(u16::from_be_bytes([c0, c1]));
    typed(u16::from_be_bytes([t0, t1]), rest)
}

/// IEEE 802.2: IP in SNAP (RFC 1042), bridged Ethernet (RFC 2684), or something that is no IP.
pub(super) fn llc(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    const SNAP: u8 = 0xaa;
    const IP: u8 = 0x06;
    const UNNUMBERED: u8 = 0x03;
    let Some([destination, source, control]) = packet.array::<3>(stretch, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    let after = stretch.after_or_end(3);
    if destination == IP && source == IP && control == UNNUMBERED {
        return Step::Ip(after);
    }
    if destination & 0xfe != SNAP || source & 0xfe != SNAP || control != UNNUMBERED {
        return packet.give_link(u16::from(source), u16::from(destination), after);
    }
    snap(packet, after)
}

/// SNAP: an organisation and its protocol number.
pub(super) fn snap(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let (Some([o0, o1, o2, p0, p1]), Some(payload)) = (packet.array::<5>(stretch, 0), stretch.after(5))
    else {
        return packet.give_up("frames cut before their network header");
    };
    let protocol = u16::from_be_bytes([p0, p1]);
    match ([o0, o1, o2], protocol) {
        // RFC 1042, and the bridge tunnel encapsulation of 802.1H.
        ([0, 0, 0 | 0xf8], _) => Step::EtherType(protocol, payload),
        // RFC 2427, 4.2: bridged 802.3 with and without its check sequence.
        ([0, 0x80, 0xc2], 1 | 7) => Step::Ethernet(payload),
        _ => packet.give_link(u16::from_be_bytes([o1, o2]), protocol, payload),
    }
}

/// Names a session or labels in the packet's tunnels; what cannot be named is not opened.
pub(super) fn wrapped(packet: &mut Packet<'_>, encapsulation: Encapsulation, step: Step) -> Step {
    if packet.wrap(encapsulation) {
        step
    } else {
        Step::Done
    }
}

//! Point-to-point links: PPP (RFC 1661) alone, in HDLC-like framing (RFC 1662) and in PPPoE sessions (RFC 2516),
//! Cisco HDLC, and frame relay (Cisco's form and RFC 2427).

use crate::model::address::SpaceKind;
use crate::model::segment::Encapsulation;

use super::ethernet::{kind, snap, wrapped};
use super::stretch::{Stretch, array, u8_at, u16_at};
use super::{Packet, Step};

/// PPP protocol numbers (IANA).
pub(super) mod protocol {
    pub(in crate::decode) const IPV4: u16 = 0x0021;
    pub(in crate::decode) const BRIDGED: u16 = 0x0031;
    pub(in crate::decode) const IPV6: u16 = 0x0057;
    pub(in crate::decode) const MPLS: u16 = 0x0281;
    pub(in crate::decode) const MPLS_UPSTREAM: u16 = 0x0283;
}

/// Address and control octets in front of Cisco's HDLC: unicast and multicast.
const CISCO_ADDRESS: [u8; 2] = [0x0f, 0x8f];

/// A serial line: Cisco HDLC where the first octets say so, PPP otherwise (LINKTYPE_PPP_HDLC).
pub(super) fn point_to_point(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    match packet.array::<2>(frame, 0) {
        Some([address, 0]) if CISCO_ADDRESS.contains(&address) => cisco(packet, frame),
        _ => Step::Ppp(frame),
    }
}

/// Cisco HDLC: address, control, `EtherType`.
pub(super) fn cisco(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    match (packet.array::<4>(frame, 0), frame.after(4)) {
        (Some([_, _, t0, t1]), Some(payload)) => match u16::from_be_bytes([t0, t1]) {
            // 802.2 in Cisco HDLC has this type and one octet of padding (ISO protocols: IS-IS, CLNP).
            0xfefe => payload.after(1).map_or(Step::Done, Step::Llc),
            value => Step::EtherType(value, payload),
        },
        _ => packet.give_up("frames cut before their network header"),
    }
}

/// What a PPP header says: the protocol and where its packet starts. The address field may be left out (RFC 1661, 6.6),
/// and the first octet of the protocol too when it is zero (6.5).
pub(super) fn ppp_header(view: &[u8]) -> Option<(u16, u32)> {
    let skipped: usize = if view.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    let first = u8_at(view, skipped)?;
    let (value, width) = if first & 1 == 1 {
        (u16::from(first), 1)
    } else {
        (u16_at(view, skipped)?, 2)
    };
    Some((value, u32::try_from(skipped.saturating_add(width)).ok()?))
}

/// Whether this can be the start of a PPP packet: its protocol is one that is in use.
pub(super) fn is_ppp(view: &[u8]) -> bool {
    ppp_header(view).is_some_and(|(value, _)| {
        matches!(
            value,
            protocol::IPV4 | protocol::IPV6 | protocol::BRIDGED | protocol::MPLS | protocol::MPLS_UPSTREAM
            // Compressed TCP, multilink, compressed datagrams and encrypted ones.
            | 0x002d | 0x002f | 0x003d | 0x00fd | 0x0053
            // Network control protocols, link control, authentication.
            | 0x8021 | 0x8057 | 0x80fd | 0x8053 | 0x8281 | 0xc021 | 0xc023 | 0xc025 | 0xc223 | 0xc227
        )
    })
}

/// Reads a PPP packet.
pub(super) fn ppp(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let Some((value, length)) = ppp_header(packet.view(stretch)) else {
        return packet.give_up("frames cut before their network header");
    };
    let payload = stretch.after_or_end(length);
    match value {
        protocol::IPV4 | protocol::IPV6 => Step::Ip(payload),
        protocol::MPLS | protocol::MPLS_UPSTREAM => Step::Mpls(payload),
        // RFC 3518, 4.2: two octets of flags and type, then the bridged frame.
        protocol::BRIDGED => payload.after(2).map_or(Step::Done, Step::Ethernet),
        0x002d | 0x002f => packet.give_up("PPP packets with compressed TCP headers"),
        0x003d => packet.give_up("PPP multilink fragments"),
        0x00fd | 0x00fb => packet.give_up("PPP packets that are compressed or encrypted"),
        0x0207 => packet.give_link(0x000c, 0x2000, payload),
        _ => packet.give_link(value, kind::PPP, payload),
    }
}

/// A PPPoE session packet: version and type, code, session, length, then PPP.
pub(super) fn pppoe(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let (Some([version, code, s0, s1, l0, l1]), Some(payload)) =
        (packet.array::<6>(stretch, 0), stretch.after(6))
    else {
        return packet.give_up("frames cut before their network header");
    };
    if version != 0x11 || code != 0 {
        return packet.give_link(0, kind::PPPOE, stretch);
    }
    let session = u32::from(u16::from_be_bytes([s0, s1]));
    packet.base.space = packet.base.space.with_identifier(SpaceKind::Pppoe, session);
    let length = u32::from(u16::from_be_bytes([l0, l1]));
    // Segmentation offload leaves a length that is too short or zero: then the frame's own end counts.
    let payload = if length >= 2 {
        payload.limited(length)
    } else {
        payload
    };
    wrapped(packet, Encapsulation::Pppoe, Step::Ppp(payload))
}

/// Frame relay: two to four address octets, then an `EtherType` (Cisco) or control and NLPID (RFC 2427, 3).
pub(super) fn frame_relay(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    const UNNUMBERED: u8 = 0x03;
    let view = packet.view(frame);
    // The last address octet has its lowest bit set (Q.922, 3.3.1).
    let Some(address) = (1..4_usize).find(|at| u8_at(view, *at).is_some_and(|octet| octet & 1 == 1)) else {
        return packet.give_up("frames cut before their network header");
    };
    let header = address.saturating_add(1);
    let control = u8_at(view, header);
    // An octet of padding may stand between control and NLPID.
    let at = header.saturating_add(if u8_at(view, header.saturating_add(1)) == Some(0) {
        2
    } else {
        1
    });
    let nlpid = u8_at(view, at);
    let rfc_2427 =
        u32::try_from(at.saturating_add(1)).map_or(Stretch::default(), |skip| frame.after_or_end(skip));
    let cisco = array::<2>(view, header).map(u16::from_be_bytes);
    let cisco_payload =
        u32::try_from(header.saturating_add(2)).map_or(Stretch::default(), |skip| frame.after_or_end(skip));
    let step = match (control, nlpid, cisco) {
        (Some(UNNUMBERED), Some(0xcc | 0x8e), _) => Step::Ip(rfc_2427),
        (Some(UNNUMBERED), Some(0x80), _) => {
            return if packet.wrap(Encapsulation::FrameRelay) {
                snap(packet, rfc_2427)
            } else {
                Step::Done
            };
        }
        (Some(UNNUMBERED), Some(0xcf), _) => Step::Ppp(rfc_2427),
        (Some(control), _, Some(value)) if control != UNNUMBERED && value >= kind::SMALLEST => {
            Step::EtherType(value, cisco_payload)
        }
        _ => return packet.give_up("frame relay frames of another protocol"),
    };
    wrapped(packet, Encapsulation::FrameRelay, step)
}

//! Tunnels: packets inside packets.
//!
//! A port or a protocol number only raises the question. A tunnel is opened when what stands inside reads as a header whose
//! lengths agree with what is there; else the packet is just itself. Of an opened tunnel the outer packet is
//! given first, flagged `OPENED_TUNNEL`, then the inner one; labels and sessions without addresses of their own (MPLS,
//! PPPoE) give no outer packet.
//!
//! The identifier of a virtual network (VXLAN, GENEVE) and the key of GRE keep address spaces apart. Those of GTP, L2TP and
//! PPTP differ between the two directions of one conversation, so they do not.

mod ayiya;
pub(super) mod ends;
mod erspan;
mod geneve;
mod gre;
mod gtp;
mod ipip;
mod l2tp;
pub(super) mod mpls;
pub(super) mod nsh;
mod teredo;
mod tzsp;
mod vxlan;

#[cfg(test)]
pub(super) mod tests;

use crate::model::address::SpaceKind;
use crate::model::segment::{Encapsulation, Segment};

use super::ethernet::kind;
use super::network::{is_ip, protocol};
use super::stretch::{Stretch, u8_at, u16_at};
use super::{Packet, Step};

/// The inside of a tunnel that may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    /// What it is carried in.
    pub(super) encapsulation: Encapsulation,
    /// What keeps its addresses apart from others.
    pub(super) identifier: Option<(SpaceKind, u32)>,
    /// How to read on.
    pub(super) step: Step,
}

impl Inside {
    const fn new(encapsulation: Encapsulation, step: Step) -> Self {
        Self {
            encapsulation,
            identifier: None,
            step,
        }
    }

    const fn apart(mut self, kind: SpaceKind, identifier: u32) -> Self {
        self.identifier = Some((kind, identifier));
        self
    }
}

/// UDP ports on which tunnels run (IANA; 8472 is Linux's VXLAN from before the registration).
mod port {
    pub(super) const L2TP: u16 = 1_701;
    pub(super) const GTP_U: u16 = 2_152;
    pub(super) const TEREDO: u16 = 3_544;
    pub(super) const AYIYA: u16 = 5_072;
    pub(super) const VXLAN: u16 = 4_789;
    pub(super) const VXLAN_GPE: u16 = 4_790;
    pub(super) const GENEVE: u16 = 6_081;
    pub(super) const VXLAN_LINUX: u16 = 8_472;
    pub(super) const TZSP: u16 = 37_008;
}

/// Whether a tunnel may run on this UDP port.
pub(super) const fn is_port(port: u16) -> bool {
    matches!(
        port,
        port::L2TP
            | port::GTP_U
            | port::TEREDO
            | port::AYIYA
            | port::VXLAN
            | port::VXLAN_GPE
            | port::GENEVE
            | port::VXLAN_LINUX
            | port::TZSP
    )
}

/// The tunnel in a UDP datagram, where its ports announce one and its content agrees.
pub(super) fn by_port(packet: &Packet<'_>, outer: &Segment, payload: Stretch) -> Option<Inside> {
    let view = packet.view(payload);
    // Tunnels answer to their port; the sender's own is arbitrary in some (VXLAN, GENEVE), so the receiver's comes first.
    [outer.destination_port, outer.source_port]
        .into_iter()
        .find_map(|port| match port {
            port::L2TP => l2tp::inside(view, payload),
            port::GTP_U => gtp::inside(view, payload),
            port::TEREDO => teredo::inside(view, payload),
            port::AYIYA => ayiya::inside(view, payload),
            port::VXLAN | port::VXLAN_LINUX => vxlan::inside(view, payload),
            port::VXLAN_GPE => vxlan::generic(view, payload),
            port::GENEVE => geneve::inside(view, payload),
            port::TZSP => tzsp::inside(view, payload),
            _ => None,
        })
}

/// The tunnel that an IP protocol number announces, where the content agrees.
pub(super) fn by_protocol(packet: &Packet<'_>, payload: Stretch) -> Option<Inside> {
    let view = packet.view(payload);
    match packet.base.protocol {
        protocol::IPV4 | protocol::IPV6 => ipip::inside(view, payload),
        protocol::GRE => gre::inside(view, payload),
        protocol::MPLS => mpls::inside(view, payload),
        // Version 3 in the upper half of the first octet, then a frame (RFC 3378, 3).
        protocol::ETHER_IP if u16_at(view, 0) == Some(0x3000) => ethernet_in_ip(view, payload, 2),
        protocol::ETHERNET => ethernet_in_ip(view, payload, 0),
        _ => None,
    }
}

fn ethernet_in_ip(view: &[u8], payload: Stretch, header: u32) -> Option<Inside> {
    bridged(view, payload, header).map(|frame| Inside::new(Encapsulation::EtherIp, Step::Ethernet(frame)))
}

/// The IP packet behind `header` octets of `payload`, when it reads as one.
fn routed(view: &[u8], payload: Stretch, header: u32) -> Option<Stretch> {
    let inner = payload.after(header)?;
    is_ip(view.get(header as usize..)?, inner.on_wire).then_some(inner)
}

/// The Ethernet frame behind `header` octets of `payload`, when it reads as one.
fn bridged(view: &[u8], payload: Stretch, header: u32) -> Option<Stretch> {
    let inner = payload.after(header)?;
    is_ethernet(view.get(header as usize..)?, inner.on_wire).then_some(inner)
}

/// Whether an Ethernet frame can start here: no group address as sender, and a type or length that agrees with what follows.
fn is_ethernet(view: &[u8], on_wire: u32) -> bool {
    /// Most tags in front of the type.
    const MOST_TAGS: usize = 4;
    if u8_at(view, 6).is_none_or(|first| first & 1 != 0) {
        return false;
    }
    let mut at = 12_usize;
    for _ in 0..MOST_TAGS {
        let Some(value) = u16_at(view, at) else {
            return false;
        };
        let after = at.saturating_add(2);
        let rest = view.get(after..).unwrap_or_default();
        let rest_on_wire = on_wire.saturating_sub(u32::try_from(after).unwrap_or(u32::MAX));
        match value {
            kind::VLAN | kind::SERVICE_VLAN | kind::OLD_SERVICE_VLAN => at = at.saturating_add(4),
            kind::IPV4 | kind::IPV6 => return is_ip(rest, rest_on_wire),
            // Hardware type Ethernet, protocol IPv4 (RFC 826).
            kind::ARP => return u16_at(rest, 0) == Some(1) && u16_at(rest, 2) == Some(kind::IPV4),
            kind::MPLS | kind::MPLS_UPSTREAM => return mpls::has_end(rest),
            kind::PPPOE | kind::PPPOE_DISCOVERY => return u8_at(rest, 0) == Some(0x11),
            // Last: reverse ARP, slow protocols, connectivity faults, loop test, MVRP, MMRP, PTP.
            kind::LLDP
            | kind::MACSEC
            | kind::EAPOL
            | kind::BACKBONE
            | 0x8035
            | 0x8809
            | 0x8902
            | 0x9000
            | 0x88f5
            | 0x88f6
            | 0x88f7 => return true,
            // 802.2: spanning tree, SNAP, IS-IS, NetBIOS, IPX.
            length if length < kind::SMALLEST => {
                return length >= 3
                    && u32::from(length) <= rest_on_wire
                    && matches!(u16_at(rest, 0), Some(0x4242 | 0xaaaa | 0xfefe | 0xf0f0 | 0xe0e0));
            }
            _ => return false,
        }
    }
    false
}

/// How to read what an `EtherType` announces inside a tunnel, when it reads as that.
fn by_type(view: &[u8], payload: Stretch, header: u32, value: u16) -> Option<Step> {
    match value {
        kind::IPV4 | kind::IPV6 => routed(view, payload, header).map(Step::Ip),
        kind::BRIDGED => bridged(view, payload, header).map(Step::Ethernet),
        kind::MPLS | kind::MPLS_UPSTREAM => {
            let inner = payload.after(header)?;
            mpls::is_labelled(view.get(header as usize..)?, inner).then_some(Step::Mpls(inner))
        }
        kind::NSH => {
            let inner = payload.after(header)?;
            nsh::is_header(view.get(header as usize..)?, inner.on_wire).then_some(Step::Nsh(inner))
        }
        kind::PPP => {
            let inner = payload.after(header)?;
            super::serial::is_ppp(view.get(header as usize..)?).then_some(Step::Ppp(inner))
        }
        kind::ARP => payload.after(header).map(|inner| Step::EtherType(value, inner)),
        // Cisco's metadata: in GRE the type stands first, then six octets. It cannot name itself again.
        kind::CISCO_METADATA => {
            let value = u16_at(view, header as usize).filter(|value| *value != kind::CISCO_METADATA)?;
            by_type(view, payload, header.saturating_add(8), value)
        }
        _ => None,
    }
}

//! Linux cooked captures (tcpdump.org, LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2): what the "any" interface gives.
//!
//! The header holds one link address, the sender's. The frame's own hardware type says what the protocol field means.

use super::stretch::Stretch;
use super::{Packet, Step};

/// Hardware types (linux/if_arp.h) whose protocol field is no `EtherType`.
mod hardware {
    /// Infrared, CAN and netlink.
    pub(super) const CAN: u16 = 280;
    pub(super) const FRAME_RELAY: u16 = 770;
    pub(super) const DOT11: u16 = 801;
    pub(super) const DOT11_RADIOTAP: u16 = 803;
    pub(super) const NETLINK: u16 = 824;
    /// Those that have addresses of six octets as Ethernet has: Ethernet itself and the loopback device.
    pub(super) const ETHERNET: u16 = 1;
    pub(super) const LOOPBACK: u16 = 772;
}

/// Version 1: type, hardware, address length, address, protocol.
pub(super) fn version_1(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let Some([_, _, h0, h1, _, length, a0, a1, a2, a3, a4, a5, _, _, p0, p1]) = packet.array::<16>(frame, 0)
    else {
        return packet.give_up("frames cut before their network header");
    };
    let hardware = u16::from_be_bytes([h0, h1]);
    let protocol = u16::from_be_bytes([p0, p1]);
    sender(packet, hardware, length, [a0, a1, a2, a3, a4, a5]);
    content(packet, hardware, protocol, frame.after_or_end(16))
}

/// Version 2: protocol, interface, hardware, type, address length, address.
pub(super) fn version_2(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let Some(
        [
            p0,
            p1,
            _,
            _,
            _,
            _,
            _,
            _,
            h0,
            h1,
            _,
            length,
            a0,
            a1,
            a2,
            a3,
            a4,
            a5,
            _,
            _,
        ],
    ) = packet.array::<20>(frame, 0)
    else {
        return packet.give_up("frames cut before their network header");
    };
    let hardware = u16::from_be_bytes([h0, h1]);
    let protocol = u16::from_be_bytes([p0, p1]);
    sender(packet, hardware, length, [a0, a1, a2, a3, a4, a5]);
    content(packet, hardware, protocol, frame.after_or_end(20))
}

/// Notes the sender's address where it is one of Ethernet's kind; the receiver's was not recorded.
fn sender(packet: &mut Packet<'_>, hardware: u16, length: u8, address: [u8; 6]) {
    if length == 6 && matches!(hardware, hardware::ETHERNET | hardware::LOOPBACK) && address != [0; 6] {
        packet.set_macs(address, [0; 6]);
    }
}

fn content(packet: &mut Packet<'_>, hardware: u16, protocol: u16, payload: Stretch) -> Step {
    /// Values below 1,536 are no `EtherType` but Linux's own (linux/if_ether.h): 802.2, and CAN in its variants.
    const LLC: u16 = 4;
    const CAN: std::ops::RangeInclusive<u16> = 12..=14;
    match hardware {
        hardware::NETLINK => packet.give_up("netlink messages in a Linux cooked capture"),
        hardware::CAN => packet.give_up("CAN frames in a Linux cooked capture"),
        hardware::DOT11 => Step::Dot11(payload),
        hardware::DOT11_RADIOTAP => super::dot11::radiotap(packet, payload),
        hardware::FRAME_RELAY => super::serial::frame_relay(packet, payload),
        _ if protocol == LLC => Step::Llc(payload),
        _ if CAN.contains(&protocol) => packet.give_up("CAN frames in a Linux cooked capture"),
        _ => Step::EtherType(protocol, payload),
    }
}

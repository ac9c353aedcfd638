//! What follows IP: TCP (RFC 9293), UDP (RFC 768), UDP-Lite (RFC 3828), SCTP (RFC 9260), ICMP (RFC 792, RFC 4443).
//!
//! A transport header that the snap length cut gives a segment of [`Layer::OtherIp`] with the ports where four octets are
//! left of it, without them otherwise. The payload of ICMP starts behind type, code and checksum: the first four octets
//! of it are the rest of the header (identifier and sequence, or what the type defines), then follows its body.

use crate::model::segment::{Layer, Segment};

use super::network::{self, protocol};
use super::stretch::{Stretch, array};
use super::{Packet, Step, tunnel};

/// Reads the header that the base's protocol number announces.
pub(super) fn header(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    match network::layer(packet.base.protocol) {
        Layer::Tcp => tcp(packet, stretch),
        Layer::Udp => udp(packet, stretch),
        Layer::Sctp => sctp(packet, stretch),
        layer @ (Layer::Icmp | Layer::Icmpv6) => icmp(packet, layer, stretch),
        Layer::OtherIp | Layer::Link => match tunnel::by_protocol(packet, stretch) {
            Some(inside) => {
                let outer = packet.base;
                packet.open(outer, stretch, inside)
            }
            None => other(packet, stretch),
        },
    }
}

/// A packet of which only the addresses, and perhaps the ports, are known.
pub(super) fn other(packet: &mut Packet<'_>, payload: Stretch) -> Step {
    let mut segment = packet.base;
    segment.layer = Layer::OtherIp;
    packet.give(segment, payload);
    Step::Done
}

/// A header that was cut or cannot be: the ports where they are there, no payload.
fn damaged(packet: &mut Packet<'_>, stretch: Stretch, header_length: u32) -> Step {
    let mut segment = packet.base;
    segment.layer = Layer::OtherIp;
    set_ports(&mut segment, packet.array::<4>(stretch, 0));
    packet.give(segment, stretch.after_or_end(header_length.max(stretch.captured)));
    Step::Done
}

fn set_ports(segment: &mut Segment, ports: Option<[u8; 4]>) {
    if let Some([s0, s1, d0, d1]) = ports {
        segment.source_port = u16::from_be_bytes([s0, s1]);
        segment.destination_port = u16::from_be_bytes([d0, d1]);
    }
}

fn tcp(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let Some(fixed) = packet.array::<20>(stretch, 0) else {
        packet.lose("TCP headers cut");
        return damaged(packet, stretch, 20);
    };
    let [
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
        w0,
        w1,
        ..,
    ] = fixed;
    let header_length = u32::from(offset >> 4) * 4;
    if header_length < 20 || header_length > stretch.on_wire {
        packet.lose("TCP headers with an impossible length");
        return damaged(packet, stretch, 20);
    }
    let mut segment = packet.base;
    segment.layer = Layer::Tcp;
    set_ports(&mut segment, Some([s0, s1, d0, d1]));
    segment.sequence = u32::from_be_bytes([q0, q1, q2, q3]);
    segment.acknowledgement = u32::from_be_bytes([a0, a1, a2, a3]);
    segment.tcp_flags = flags;
    segment.window = u16::from_be_bytes([w0, w1]);
    segment.options_offset = stretch.start.saturating_add(20);
    let options = header_length.min(stretch.captured).saturating_sub(20);
    segment.options_length = u8::try_from(options).unwrap_or(0);
    packet.give(segment, stretch.after_or_end(header_length));
    Step::Done
}

fn udp(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let Some([s0, s1, d0, d1, l0, l1, _, _]) = packet.array::<8>(stretch, 0) else {
        packet.lose("UDP headers cut");
        return damaged(packet, stretch, 8);
    };
    let mut segment = packet.base;
    segment.layer = Layer::Udp;
    set_ports(&mut segment, Some([s0, s1, d0, d1]));
    let length = u32::from(u16::from_be_bytes([l0, l1]));
    // UDP-Lite has its checksum's coverage there. Zero is a jumbogram (RFC 2675, 4) or offload. What IP says ends
    // the datagram where the length says more.
    let whole = if packet.base.protocol == protocol::UDP_LITE || length == 0 {
        stretch
    } else if length < 8 {
        packet.lose("UDP headers with an impossible length");
        return damaged(packet, stretch, 8);
    } else if length > stretch.on_wire {
        stretch
    } else {
        stretch.limited(length)
    };
    let payload = whole.after_or_end(8);
    if let Some(inside) = tunnel::by_port(packet, &segment, payload) {
        return packet.open(segment, payload, inside);
    }
    packet.give(segment, payload);
    Step::Done
}

fn sctp(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    const COMMON_HEADER: u32 = 12;
    let Some(payload) = stretch.after(COMMON_HEADER) else {
        packet.lose("SCTP headers cut");
        return damaged(packet, stretch, COMMON_HEADER);
    };
    let mut segment = packet.base;
    segment.layer = Layer::Sctp;
    set_ports(&mut segment, packet.array::<4>(stretch, 0));
    packet.give(segment, payload);
    Step::Done
}

fn icmp(packet: &mut Packet<'_>, layer: Layer, stretch: Stretch) -> Step {
    let Some([kind, code]) = array::<2>(packet.view(stretch), 0) else {
        packet.lose("ICMP headers cut");
        return other(packet, stretch);
    };
    let mut segment = packet.base;
    segment.layer = layer;
    segment.source_port = u16::from(kind);
    segment.destination_port = u16::from(code);
    packet.give(segment, stretch.after_or_end(4));
    Step::Done
}

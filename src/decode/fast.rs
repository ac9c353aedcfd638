//! The fast path: Ethernet, up to two VLAN tags, IPv4 without options or IPv6 without extensions, TCP or UDP.
//!
//! Question: why twice what the other modules do? Answer: nineteen of twenty packets look like this, and one function with
//! fixed-size reads costs a third of the walk through the layers. Whatever is unusual in any way (a cut
//! header, a fragment, a port on which tunnels run) is left to that walk, so the two can be compared: a test does.

use crate::model::address::{Address, AddressSpace, MacAddress};
use crate::model::frame::FrameHeader;
use crate::model::segment::{Layer, Segment, TunnelStack, segment_flag};

use super::duplicate::{self, Duplicates};
use super::ethernet::kind;
use super::network::protocol;
use super::tunnel;

/// What came of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A segment was given.
    Decoded,
    /// A copy of an earlier packet: nothing was given.
    Duplicate,
    /// Something that the full path must read; nothing was given.
    NotOrdinary,
}

/// The network layer of an ordinary packet.
struct Network {
    source: Address,
    destination: Address,
    protocol: u8,
    flags: u8,
    ttl: u8,
    dscp: u8,
    ip_id: u16,
    header_length: u32,
    /// Length of the whole packet as its header says it.
    total: u32,
}

/// The transport layer of an ordinary packet.
struct Transport<'a> {
    layer: Layer,
    source_port: u16,
    destination_port: u16,
    sequence: u32,
    acknowledgement: u32,
    tcp_flags: u8,
    window: u16,
    options_length: u8,
    payload: &'a [u8],
    payload_on_wire: u32,
}

/// Decodes an ordinary Ethernet frame.
#[inline]
pub(super) fn ethernet(
    bytes: &[u8],
    frame: &FrameHeader,
    duplicates: &mut Duplicates,
    segments: &mut Vec<Segment>,
) -> Outcome {
    decode(bytes, frame, duplicates, segments).unwrap_or(Outcome::NotOrdinary)
}

/// `None`: not ordinary.
#[inline]
fn decode(
    bytes: &[u8],
    frame: &FrameHeader,
    duplicates: &mut Duplicates,
    segments: &mut Vec<Segment>,
) -> Option<Outcome> {
    let start = frame.offset as usize;
    let captured = bytes.get(start..start.checked_add(frame.captured as usize)?)?;
    let (destination_mac, after) = captured.split_first_chunk::<6>()?;
    let (source_mac, after) = after.split_first_chunk::<6>()?;
    let (ether_type, mut rest) = after.split_first_chunk::<2>()?;
    let mut ether_type = u16::from_be_bytes(*ether_type);
    let mut space = AddressSpace::default();
    for _ in 0..2 {
        if ether_type != kind::VLAN && ether_type != kind::SERVICE_VLAN {
            break;
        }
        let (&[c0, c1, t0, t1], after) = rest.split_first_chunk::<4>()?;
        space = space.with_vlan(u16::from_be_bytes([c0, c1]));
        ether_type = u16::from_be_bytes([t0, t1]);
        rest = after;
    }
    let network = match ether_type {
        kind::IPV4 => version_4(rest)?,
        kind::IPV6 => version_6(rest)?,
        _ => return None,
    };
    // Ethernet pads short packets; a packet longer than its frame was cut.
    let whole = rest.get(..network.total as usize).unwrap_or(rest);
    let (_, after) = whole.split_at_checked(network.header_length as usize)?;
    let on_wire = network.total.checked_sub(network.header_length)?;
    let transport = match network.protocol {
        protocol::TCP => tcp(after, on_wire)?,
        protocol::UDP => udp(after, on_wire)?,
        _ => return None,
    };
    let said = u64::from(transport.sequence) << 32
        | u64::from(transport.acknowledgement ^ transport.payload_on_wire) << 16
        | u64::from(network.ip_id ^ transport.source_port);
    if duplicates.wants(said, frame.source.capture) {
        let print = duplicate::fingerprint(whole, network.header_length as usize, space);
        if duplicates.is_copy(print, frame.at, frame.source.capture) {
            return Some(Outcome::Duplicate);
        }
    }
    let transport_offset = offset_of(captured, after, frame)?;
    let payload_captured = u32::try_from(transport.payload.len()).ok()?;
    let cut = if payload_captured < transport.payload_on_wire {
        segment_flag::CUT
    } else {
        0
    };
    segments.push(Segment {
        at: frame.at,
        source: frame.source,
        space,
        source_address: network.source,
        destination_address: network.destination,
        source_port: transport.source_port,
        destination_port: transport.destination_port,
        protocol: network.protocol,
        layer: transport.layer,
        flags: network.flags | segment_flag::HAS_MAC | cut,
        tcp_flags: transport.tcp_flags,
        ttl: network.ttl,
        dscp: network.dscp,
        ip_id: network.ip_id,
        sequence: transport.sequence,
        acknowledgement: transport.acknowledgement,
        window: transport.window,
        options_length: transport.options_length,
        options_offset: if matches!(transport.layer, Layer::Tcp) {
            transport_offset.checked_add(20)?
        } else {
            0
        },
        payload_offset: offset_of(captured, transport.payload, frame)?,
        payload_captured,
        payload_on_wire: transport.payload_on_wire,
        frame_on_wire: frame.length_on_wire,
        tunnels: TunnelStack::default(),
        source_mac: MacAddress(*source_mac),
        destination_mac: MacAddress(*destination_mac),
    });
    Some(Outcome::Decoded)
}

/// Where `part`, which ends where `captured` or earlier, starts in the block.
fn offset_of(captured: &[u8], part: &[u8], frame: &FrameHeader) -> Option<u32> {
    let distance = (part.as_ptr() as usize).checked_sub(captured.as_ptr() as usize)?;
    frame.offset.checked_add(u32::try_from(distance).ok()?)
}

#[inline]
fn version_4(packet: &[u8]) -> Option<Network> {
    let (
        &[
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
        ],
        _,
    ) = packet.split_first_chunk::<20>()?;
    // Neither more fragments nor an offset; "don't fragment" may be set.
    if first != 0x45 || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return None;
    }
    Some(Network {
        source: Address::from_v4([s0, s1, s2, s3]),
        destination: Address::from_v4([d0, d1, d2, d3]),
        protocol,
        flags: 0,
        ttl,
        dscp: service >> 2,
        ip_id: u16::from_be_bytes([i0, i1]),
        header_length: 20,
        total: u32::from(u16::from_be_bytes([l0, l1])),
    })
}

#[inline]
fn version_6(packet: &[u8]) -> Option<Network> {
    let (fixed, _) = packet.split_first_chunk::<40>()?;
    let (&[first, second, _, _, l0, l1, protocol, ttl], addresses) = fixed.split_first_chunk::<8>()?;
    let (source, destination) = addresses.split_first_chunk::<16>()?;
    let length = u16::from_be_bytes([l0, l1]);
    if first >> 4 != 6 || length == 0 {
        return None;
    }
    Some(Network {
        source: Address(*source),
        destination: Address(*destination.first_chunk::<16>()?),
        protocol,
        flags: segment_flag::V6,
        ttl,
        dscp: (first << 4 | second >> 4) >> 2,
        ip_id: 0,
        header_length: 40,
        total: u32::from(length) + 40,
    })
}

/// Reads a TCP header.
#[inline]
fn tcp(transport: &[u8], on_wire: u32) -> Option<Transport<'_>> {
    let (
        &[
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
            words,
            flags,
            w0,
            w1,
            _,
            _,
            _,
            _,
        ],
        _,
    ) = transport.split_first_chunk::<20>()?;
    let header_length = u32::from(words >> 4) * 4;
    if header_length < 20 {
        return None;
    }
    Some(Transport {
        layer: Layer::Tcp,
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        sequence: u32::from_be_bytes([q0, q1, q2, q3]),
        acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
        tcp_flags: flags,
        window: u16::from_be_bytes([w0, w1]),
        options_length: (words >> 4).wrapping_mul(4).wrapping_sub(20),
        payload: transport.get(header_length as usize..)?,
        payload_on_wire: on_wire.checked_sub(header_length)?,
    })
}

/// Reads a UDP header, unless its ports announce a tunnel.
#[inline]
fn udp(transport: &[u8], on_wire: u32) -> Option<Transport<'_>> {
    let (&[s0, s1, d0, d1, l0, l1, _, _], payload) = transport.split_first_chunk::<8>()?;
    let (source_port, destination_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let length = u32::from(u16::from_be_bytes([l0, l1]));
    if length < 8 || length > on_wire || tunnel::is_port(source_port) || tunnel::is_port(destination_port) {
        return None;
    }
    let payload_on_wire = length.checked_sub(8)?;
    Some(Transport {
        layer: Layer::Udp,
        source_port,
        destination_port,
        sequence: 0,
        acknowledgement: 0,
        tcp_flags: 0,
        window: 0,
        options_length: 0,
        payload: payload.get(..payload_on_wire as usize).unwrap_or(payload),
        payload_on_wire,
    })
}

//! Headers with their checksums: Ethernet (IEEE 802.3), IPv4 (RFC 791), UDP (RFC 768), TCP (RFC 9293).

use std::net::Ipv4Addr;

/// IP protocol number of TCP.
pub(super) const TCP: u8 = 6;
/// IP protocol number of UDP.
pub(super) const UDP: u8 = 17;

/// Octets of headers in front of a TCP payload without options, and the snap length of what nobody needs to read in full.
pub(super) const SNAP: usize = 80;

/// A frame of this type between two link addresses.
pub(super) fn ethernet(from: [u8; 6], to: [u8; 6], kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(14 + body.len());
    frame.extend(to);
    frame.extend(from);
    frame.extend(kind.to_be_bytes());
    frame.extend(body);
    // The shortest frame has 60 octets before its check sequence.
    if frame.len() < 60 {
        frame.resize(60, 0);
    }
    frame
}

/// What an IPv4 header says beside its length and checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ipv4Header {
    /// Sender.
    pub(super) source: Ipv4Addr,
    /// Receiver.
    pub(super) destination: Ipv4Addr,
    /// Protocol of what it carries.
    pub(super) protocol: u8,
    /// Identification.
    pub(super) id: u16,
    /// Time to live.
    pub(super) ttl: u8,
}

/// A packet that must not be fragmented.
pub(super) fn ipv4(header: Ipv4Header, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(length(20 + body.len()).to_be_bytes());
    packet.extend(header.id.to_be_bytes());
    packet.extend([0x40, 0, header.ttl, header.protocol, 0, 0]);
    packet.extend(header.source.octets());
    packet.extend(header.destination.octets());
    let sum = checksum(&[&packet]);
    put(&mut packet, 10, sum);
    packet.extend(body);
    packet
}

/// A datagram; the checksum covers the addresses too.
pub(super) fn udp(addresses: [Ipv4Addr; 2], ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    datagram.extend(length(8 + payload.len()).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let sum = transport_checksum(addresses, UDP, &datagram);
    // Zero means "none" (RFC 768).
    put(&mut datagram, 6, if sum == 0 { 0xffff } else { sum });
    datagram
}

/// What a TCP header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpHeader<'a> {
    /// Sender's and receiver's port.
    pub(super) ports: [u16; 2],
    /// Sequence number.
    pub(super) sequence: u32,
    /// Next octet that is expected.
    pub(super) acknowledgement: u32,
    /// Flag bits.
    pub(super) flags: u8,
    /// Window as written, unscaled.
    pub(super) window: u16,
    /// Options, a multiple of four octets.
    pub(super) options: &'a [u8],
}

/// A segment.
pub(super) fn tcp(addresses: [Ipv4Addr; 2], header: TcpHeader<'_>, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + header.options.len() + payload.len());
    segment.extend(header.ports.iter().flat_map(|port| port.to_be_bytes()));
    segment.extend(header.sequence.to_be_bytes());
    segment.extend(header.acknowledgement.to_be_bytes());
    let words = u8::try_from(5 + header.options.len() / 4).unwrap_or(15);
    segment.extend([words << 4, header.flags]);
    segment.extend(header.window.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(header.options);
    segment.extend(payload);
    let sum = transport_checksum(addresses, TCP, &segment);
    put(&mut segment, 16, sum);
    segment
}

fn length(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(u16::MAX)
}

fn put(bytes: &mut [u8], place: usize, value: u16) {
    if let Some(field) = bytes.get_mut(place..place + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

fn transport_checksum([source, destination]: [Ipv4Addr; 2], protocol: u8, body: &[u8]) -> u16 {
    let mut pseudo = Vec::with_capacity(12);
    pseudo.extend(source.octets());
    pseudo.extend(destination.octets());
    pseudo.extend([0, protocol]);
    pseudo.extend(length(body.len()).to_be_bytes());
    checksum(&[&pseudo, body])
}

/// One's complement sum (RFC 1071); every part but the last has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        let pairs = part.chunks_exact(2);
        if let [last] = pairs.remainder() {
            sum += u32::from(*last) << 8;
        }
        sum += pairs
            .filter_map(|pair| pair.first_chunk())
            .map(|pair| u32::from(u16::from_be_bytes(*pair)))
            .sum::<u32>();
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_example_in_rfc_1071() {
        // Section 3: 0001 f203 f4f5 f6f7 sums to ddf2.
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&[&octets]), !0xddf2);
    }

    #[test]
    fn a_header_with_its_checksum_sums_to_nothing() {
        let header = Ipv4Header {
            source: Ipv4Addr::new(192, 168, 77, 21),
            destination: Ipv4Addr::new(203, 0, 113, 9),
            protocol: UDP,
            id: 7,
            ttl: 64,
        };
        let packet = ipv4(header, b"body");
        assert_eq!(checksum(&[&packet[..20]]), 0);
        assert_eq!(packet.len(), 24);
    }
}

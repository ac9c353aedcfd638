//! Frames for proofs: Ethernet, IP, TCP and UDP around the bytes that a signature speaks of.

use std::net::IpAddr;

use etherparse::{IpNumber, PacketBuilder};

/// Link address of the router, behind which every server stands.
pub(crate) const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// One end: link address, address, port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) mac: [u8; 6],
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What a stream carries, one payload after the other.
pub(crate) type Words = Vec<(Side, Vec<u8>)>;

/// Octets like chance (Knuth's MMIX generator), another stretch for each seed.
pub(crate) fn chance(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A datagram.
pub(crate) fn datagram(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let link = PacketBuilder::ethernet2(from.mac, to.mac);
    let mut frame = Vec::new();
    match (from.ip, to.ip) {
        (IpAddr::V4(one), IpAddr::V4(other)) => link
            .ipv4(one.octets(), other.octets(), 64)
            .udp(from.port, to.port)
            .write(&mut frame, payload),
        (IpAddr::V6(one), IpAddr::V6(other)) => link
            .ipv6(one.octets(), other.octets(), 64)
            .udp(from.port, to.port)
            .write(&mut frame, payload),
        (one, other) => panic!("{one} cannot speak with {other}"),
    }
    .unwrap();
    frame
}

/// An IPv4 packet of another protocol.
pub(crate) fn packet(from: End, to: End, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(one), IpAddr::V4(other)) = (from.ip, to.ip) else {
        panic!("only IPv4");
    };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(from.mac, to.mac)
        .ipv4(one.octets(), other.octets(), 64)
        .write(&mut frame, IpNumber(protocol), payload)
        .unwrap();
    frame
}

/// A connection: handshake, then what is said.
pub(crate) fn stream(client: End, server: End, words: &[(Side, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut next = [1_000_u32, 5_000];
    let mut frames = Vec::new();
    let mut segment = |from: End, to: End, syn: bool, numbers: (u32, Option<u32>), payload: &[u8]| {
        let (IpAddr::V4(one), IpAddr::V4(other)) = (from.ip, to.ip) else {
            panic!("only IPv4");
        };
        let mut builder = PacketBuilder::ethernet2(from.mac, to.mac)
            .ipv4(one.octets(), other.octets(), 64)
            .tcp(from.port, to.port, numbers.0, 64_000);
        if syn {
            builder = builder.syn();
        }
        if let Some(number) = numbers.1 {
            builder = builder.ack(number);
        }
        let mut frame = Vec::new();
        builder.write(&mut frame, payload).unwrap();
        frames.push(frame);
    };
    segment(client, server, true, (next[0], None), &[]);
    next[0] += 1;
    segment(server, client, true, (next[1], Some(next[0])), &[]);
    next[1] += 1;
    segment(client, server, false, (next[0], Some(next[1])), &[]);
    for (side, bytes) in words {
        for piece in bytes.chunks(1_400) {
            let length = u32::try_from(piece.len()).unwrap();
            if *side == Side::Client {
                segment(client, server, false, (next[0], Some(next[1])), piece);
                next[0] += length;
            } else {
                segment(server, client, false, (next[1], Some(next[0])), piece);
                next[1] += length;
            }
        }
    }
    frames
}

/// An ARP announcement of an IPv4 address (RFC 5227, 2.3).
pub(crate) fn announcement(host: End) -> Vec<u8> {
    let IpAddr::V4(ip) = host.ip else {
        panic!("only IPv4");
    };
    let mut frame = [0xff; 6].to_vec();
    frame.extend(host.mac);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(host.mac);
    frame.extend(ip.octets());
    frame.extend([0; 6]);
    frame.extend(ip.octets());
    frame
}

//! Decoding: frames of every link type, and datagrams in fragments.

use farmhawk::decode::Decoder;
use farmhawk::model::block::Block;
use farmhawk::model::frame::{FrameHeader, FrameRef, LinkType};
use farmhawk::model::segment::Segment;
use farmhawk::model::time::{Nanoseconds, SECOND, Timestamp};
use farmhawk::settings::limits::Limits;

use super::pieces::Pieces;

/// Ethernet.
pub const ETHERNET: &[LinkType] = &[LinkType::ETHERNET];
/// IEEE 802.11 with and without radiotap.
pub const DOT11: &[LinkType] = &[LinkType::IEEE802_11_RADIOTAP, LinkType::IEEE802_11];
/// Cooked captures and loopback.
pub const COOKED: &[LinkType] = &[
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::LOOP,
];
/// Serial lines; 107 is frame relay.
pub const SERIAL: &[LinkType] = &[
    LinkType::PPP,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHER,
    LinkType::C_HDLC,
    LinkType(107),
];
/// IP without a link header.
pub const RAW: &[LinkType] = &[LinkType::RAW, LinkType::IPV4, LinkType::IPV6];

/// Small bounds, so that they are met.
fn limits() -> Limits {
    Limits {
        fragments: 12,
        fragment_bytes: 8 << 10,
        ..Limits::default()
    }
}

/// Seconds that pass before a piece, by two bits of its flags: also backwards, and past the fragments' time-out.
fn step(flags: u8) -> Nanoseconds {
    match flags >> 6 {
        0 => SECOND / 1_000,
        1 => SECOND,
        2 => 31 * SECOND,
        _ => -SECOND,
    }
}

/// Decodes each piece as a frame of one of `links`: the lower bits of the flags choose; bit 5 says that the frame was cut.
pub fn frames(input: &[u8], links: &[LinkType]) {
    let mut block = Block::default();
    let mut at = Timestamp(SECOND);
    for (number, (flags, piece)) in (1..).zip(Pieces::of(input)) {
        at = at.plus(step(flags));
        let link = links.iter().cycle().nth(usize::from(flags & 0x1f));
        let cut = if flags & 0x20 == 0 { 0 } else { 600 };
        push(
            &mut block,
            link.copied().unwrap_or_default(),
            at,
            number,
            piece,
            cut,
        );
    }
    decode(&mut block);
}

/// Builds an IP fragment from each piece: flags choose version, identification and whether more follow; the first
/// two octets are the offset.
pub fn fragments(input: &[u8]) {
    let mut block = Block::default();
    let mut at = Timestamp(SECOND);
    for (number, (flags, piece)) in (1..).zip(Pieces::of(input)) {
        at = at.plus(step(flags));
        let (offset, payload) = match piece.split_first_chunk::<2>() {
            Some((offset, payload)) => (u16::from_be_bytes(*offset) & 0x1fff, payload),
            None => (0, piece),
        };
        let more = flags & 1 != 0;
        let identification = u16::from(flags >> 1 & 3);
        let protocol = if flags & 0x10 == 0 { 17 } else { 6 };
        let frame = if flags & 8 == 0 {
            v4(identification, offset, more, protocol, payload)
        } else {
            v6(identification, offset, more, protocol, payload)
        };
        let cut = if flags & 0x20 == 0 { 0 } else { 100 };
        push(&mut block, LinkType::RAW, at, number, &frame, cut);
    }
    decode(&mut block);
}

fn v4(identification: u16, offset: u16, more: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len().saturating_add(20)).unwrap_or(u16::MAX);
    let place = offset | if more { 0x2000 } else { 0 };
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&identification.to_be_bytes());
    packet.extend_from_slice(&place.to_be_bytes());
    packet.extend_from_slice(&[64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend_from_slice(payload);
    packet
}

fn v6(identification: u16, offset: u16, more: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len().saturating_add(8)).unwrap_or(u16::MAX);
    let place = offset << 3 | u16::from(more);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[44, 64]);
    for last in [1, 2] {
        packet.extend_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend_from_slice(&[protocol, 0]);
    packet.extend_from_slice(&place.to_be_bytes());
    packet.extend_from_slice(&u32::from(identification).to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn push(block: &mut Block, link: LinkType, at: Timestamp, number: u64, bytes: &[u8], cut: u32) {
    let captured = u32::try_from(bytes.len()).unwrap_or(0);
    block.frames.push(FrameHeader {
        at,
        source: FrameRef { capture: 0, number },
        link,
        interface: 0,
        offset: u32::try_from(block.bytes.len()).unwrap_or(0),
        captured,
        length_on_wire: captured.saturating_add(cut),
    });
    block.bytes.extend_from_slice(bytes);
}

fn decode(block: &mut Block) {
    let mut decoder = Decoder::new(&limits());
    let mut segments = Vec::new();
    decoder.decode(block, &mut segments);
    check(block, &segments);
    segments.clear();
    block.clear();
    decoder.finish(block, &mut segments);
    check(block, &segments);
}

/// What a segment promises to the stages after it.
fn check(block: &Block, segments: &[Segment]) {
    for segment in segments {
        let payload = block.slice(segment.payload_offset, segment.payload_captured);
        assert_eq!(
            payload.len(),
            segment.payload_captured as usize,
            "a payload outside its block"
        );
        assert!(
            segment.payload_captured <= segment.payload_on_wire,
            "more captured than was sent"
        );
        let options = block.slice(segment.options_offset, u32::from(segment.options_length));
        assert_eq!(
            options.len(),
            usize::from(segment.options_length),
            "options outside the block"
        );
    }
}

//! Packets that tests of this folder share, built layer by layer.

use super::Decoder;
use crate::model::block::Block;
use crate::model::frame::{FrameHeader, FrameRef, LinkType};
use crate::model::loss::Losses;
use crate::model::segment::Segment;
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;

/// Address of who sends the samples.
pub(super) const SENDER: [u8; 4] = [192, 0, 2, 1];
/// Address of who receives them.
pub(super) const RECEIVER: [u8; 4] = [198, 51, 100, 2];

/// The parts one behind the other.
pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

/// An IPv4 packet with this protocol number.
pub(super) fn ip_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, protocol, 0, 0];
    header.extend(SENDER);
    header.extend(RECEIVER);
    let mut bytes = join(&[&header, payload]);
    let total = length(&bytes);
    bytes[2..4].copy_from_slice(&total);
    bytes
}

/// An IPv6 packet from 2001:db8::1 to 2001:db8::2 with this next header.
pub(super) fn ip_v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut address = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut bytes = join(&[&[0x60, 0, 0, 0], &length(payload), &[next, 64], &address]);
    address[15] = 2;
    bytes.extend(address);
    bytes.extend(payload);
    bytes
}

/// A UDP datagram.
pub(super) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(payload.len() + 8).unwrap();
    join(&[
        &source.to_be_bytes(),
        &destination.to_be_bytes(),
        &total.to_be_bytes(),
        &[0, 0],
        payload,
    ])
}

/// A TCP segment from port 40000 to 443 without options.
pub(super) fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![
        0x9c, 0x40, 0x01, 0xbb, 0, 0, 3, 0xe8, 0, 0, 0, 7, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0,
    ];
    bytes.extend(payload);
    bytes
}

/// An IPv4 packet with TCP and this payload.
pub(super) fn tcp_v4(payload: &[u8]) -> Vec<u8> {
    ip_v4(6, &tcp(payload))
}

/// An Ethernet frame from 02:00:00:00:00:01 to 02:00:00:00:00:02.
pub(super) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1],
        &kind.to_be_bytes(),
        payload,
    ])
}

/// One fragment of an IPv4 datagram.
pub(super) fn fragment_v4(protocol: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ip_v4(protocol, payload);
    let field = (offset / 8) | if more { 0x2000 } else { 0 };
    bytes[6..8].copy_from_slice(&field.to_be_bytes());
    bytes
}

/// One fragment of an IPv6 datagram.
pub(super) fn fragment_v6(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let field = offset | u16::from(more);
    ip_v6(
        44,
        &join(&[&[next, 0], &field.to_be_bytes(), &[0, 0, 0, 9], payload]),
    )
}

/// A block of frames, a millisecond apart.
pub(super) fn block(link: u16, frames: &[Vec<u8>]) -> Block {
    let mut block = Block::default();
    for (number, frame) in (1..).zip(frames) {
        let captured = u32::try_from(frame.len()).unwrap();
        block.frames.push(FrameHeader {
            at: Timestamp(i64::try_from(number).unwrap() * 1_000_000),
            source: FrameRef { capture: 0, number },
            link: LinkType(link),
            interface: 0,
            offset: u32::try_from(block.bytes.len()).unwrap(),
            captured,
            length_on_wire: captured,
        });
        block.bytes.extend(frame);
    }
    block
}

/// What decoding made of some frames.
pub(super) struct Decoded {
    pub(super) segments: Vec<Segment>,
    pub(super) block: Block,
    pub(super) losses: Losses,
}

impl Decoded {
    /// The payload of a segment.
    pub(super) fn payload(&self, index: usize) -> &[u8] {
        let segment = &self.segments[index];
        self.block.slice(segment.payload_offset, segment.payload_captured)
    }
}

/// Decodes these frames to the end and checks that all segments lie inside the block.
pub(super) fn decode(link: u16, frames: &[Vec<u8>]) -> Decoded {
    decode_block(block(link, frames))
}

/// Likewise for a block. Its sender is ours, so that tunnels are believed.
pub(super) fn decode_block(block: Block) -> Decoded {
    decode_where(block, &["192.0.2.0/24", "2001:db8::/32"])
}

/// Likewise with these networks as ours.
pub(super) fn decode_where(mut block: Block, local: &[&str]) -> Decoded {
    let local: Vec<ipnet::IpNet> = local.iter().map(|network| network.parse().unwrap()).collect();
    let mut decoder = Decoder::new(&Limits::default()).with_local(&local);
    let mut segments = Vec::new();
    decoder.decode(&mut block, &mut segments);
    decoder.finish(&mut block, &mut segments);
    for segment in &segments {
        let end = segment.payload_offset as usize + segment.payload_captured as usize;
        assert!(end <= block.bytes.len(), "{segment:?}");
        let options = segment.options_offset as usize + usize::from(segment.options_length);
        assert!(options <= block.bytes.len(), "{segment:?}");
        assert!(segment.payload_captured <= segment.payload_on_wire, "{segment:?}");
    }
    Decoded {
        segments,
        block,
        losses: decoder.losses().clone(),
    }
}

//! Long headers of QUIC (RFC 8999 for what all versions share, RFC 9000 17.2, RFC 9369 3.2).

use crate::dissect::cursor::Cursor;

/// Longest connection identifier of versions 1 and 2.
const LONGEST_IDENTIFIER: usize = 20;

/// A protected Initial packet.
#[derive(Clone, Copy, Debug)]
pub struct Initial<'a> {
    /// The whole packet with its header.
    pub bytes: &'a [u8],
    /// Where the packet number stands in it.
    pub number_at: usize,
}

/// What kind of packet a long header announces.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// Begins a connection; readable by everybody.
    Initial(Initial<'a>),
    /// An Initial packet of which the end is missing (snap length).
    CutInitial,
    /// A Handshake packet.
    Handshake,
    /// Data before the handshake.
    ZeroRoundTrip,
    /// A server's demand to try again with its token.
    Retry,
    /// A server's list of versions.
    VersionNegotiation,
}

/// A packet with a long header.
#[derive(Clone, Copy, Debug)]
pub struct Long<'a> {
    /// Version number.
    pub version: u32,
    /// Destination connection identifier.
    pub destination: &'a [u8],
    /// The packet.
    pub packet: Packet<'a>,
    /// What follows it in the datagram; empty where no length is given. Of a version negotiation: the versions.
    pub rest: &'a [u8],
    /// Whether the datagram holds all that the header promises.
    pub is_whole: bool,
}

/// A number of variable length (RFC 9000, 16).
pub fn variable(cursor: &mut Cursor<'_>) -> Option<u64> {
    let first = cursor.u8()?;
    let mut value = u64::from(first & 0x3f);
    let more = (1_u8 << (first >> 6)).saturating_sub(1);
    for _ in 0..more {
        value = value << 8 | u64::from(cursor.u8()?);
    }
    Some(value)
}

/// Name of a version that is known, as `quic.version` gives it.
#[must_use]
pub fn version_name(version: u32) -> Option<&'static str> {
    Some(match version {
        0x0000_0001 => "1",
        0x6b33_43cf => "2",
        0xff00_0015 => "draft-21",
        0xff00_0016 => "draft-22",
        0xff00_0017 => "draft-23",
        0xff00_0018 => "draft-24",
        0xff00_0019 => "draft-25",
        0xff00_001a => "draft-26",
        0xff00_001b => "draft-27",
        0xff00_001c => "draft-28",
        0xff00_001d => "draft-29",
        0xff00_001e => "draft-30",
        0xff00_001f => "draft-31",
        0xff00_0020 => "draft-32",
        0xff00_0021 => "draft-33",
        0xff00_0022 => "draft-34",
        0xface_b001 => "mvfst-22",
        0xface_b002 => "mvfst-27",
        0xface_b00e => "mvfst-exp",
        0x5430_3530 => "T050",
        0x5430_3531 => "T051",
        _ => return None,
    })
}

/// Whether a version is one of those reserved to provoke a negotiation (RFC 9000, 15): 0x?a?a?a?a.
#[must_use]
pub const fn is_reserved(version: u32) -> bool {
    version & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// Whether the bit is set that tells QUIC from other protocols on the same port (RFC 9000, 17.2). Who negotiated so may
/// clear it (RFC 9287), which only a server's first packet does in practice.
#[must_use]
pub fn has_fixed_bit(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x40 != 0)
}

/// Reads the packet at the front of a datagram; `None` for short headers and for what is no QUIC.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Long<'_>> {
    let mut cursor = Cursor::new(bytes);
    let first = cursor.u8()?;
    if first & 0x80 == 0 {
        return None;
    }
    let version = cursor.u32()?;
    let destination = cursor.prefixed_u8()?;
    let source = cursor.prefixed_u8()?;
    if destination.len() > LONGEST_IDENTIFIER || source.len() > LONGEST_IDENTIFIER {
        return None;
    }
    let mut long = Long {
        version,
        destination,
        packet: Packet::VersionNegotiation,
        rest: &[],
        is_whole: true,
    };
    if version == 0 {
        long.rest = cursor.rest();
        return Some(long);
    }
    // Version 2 moved the four types by one place.
    let rotation = u8::from(version == 0x6b33_43cf);
    match (first >> 4 & 3).wrapping_sub(rotation) & 3 {
        0 => {
            let token = usize::try_from(variable(&mut cursor)?).ok()?;
            cursor.skip(token)?;
            let length = usize::try_from(variable(&mut cursor)?).ok()?;
            let number_at = cursor.position();
            let end = number_at.checked_add(length)?;
            long.packet = Packet::CutInitial;
            long.is_whole = end <= bytes.len();
            if let Some((packet, rest)) = bytes.split_at_checked(end) {
                long.packet = Packet::Initial(Initial {
                    bytes: packet,
                    number_at,
                });
                long.rest = rest;
            }
        }
        kind @ (1 | 2) => {
            let length = usize::try_from(variable(&mut cursor)?).ok()?;
            long.is_whole = cursor.take_up_to(length).len() == length;
            long.packet = if kind == 1 {
                Packet::ZeroRoundTrip
            } else {
                Packet::Handshake
            };
            long.rest = cursor.rest();
        }
        _ => long.packet = Packet::Retry,
    }
    Some(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_those_of_the_standard() {
        // RFC 9000, A.1.
        let value = |bytes: &[u8]| variable(&mut Cursor::new(bytes));
        assert_eq!(
            value(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            Some(151_288_809_941_952_652)
        );
        assert_eq!(value(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!(value(&[0x7b, 0xbd]), Some(15_293));
        assert_eq!(value(&[0x25]), Some(37));
        assert_eq!(value(&[0x7b]), None);
    }

    #[test]
    fn a_cut_packet_is_recognised_and_never_opened() {
        let bytes = super::super::sample::server_initial_v1();
        for end in 0..bytes.len() {
            let packet = read(&bytes[..end]).map(|long| long.packet);
            assert!(!matches!(packet, Some(Packet::Initial(_))), "{end} bytes");
        }
        assert!(matches!(read(&bytes).unwrap().packet, Packet::Initial(_)));
    }
}

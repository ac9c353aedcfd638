//! The record layer of TLS: five octets of header before everything (RFC 8446, 5.1; RFC 6101 for SSL 3.0).

use super::handshake::is_kind;
use crate::dissect::Probe;
use crate::dissect::cursor::Cursor;

/// ChangeCipherSpec.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// Alert.
pub const ALERT: u8 = 21;
/// Handshake.
pub const HANDSHAKE: u8 = 22;
/// Application data, and everything that TLS 1.3 encrypts.
pub const APPLICATION_DATA: u8 = 23;

/// Octets of a header.
pub const HEADER: usize = 5;

/// Longest content: 2^14 and what TLS 1.2 allows encryption to add (RFC 5246, 6.2.3).
const LONGEST: u16 = (1 << 14) + 2048;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record holds.
    pub kind: u8,
    /// Octets that follow.
    pub length: u16,
}

impl Header {
    /// Reads a header; `None` unless type, version and length are possible.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u8()?;
        let version = cursor.u16()?;
        let length = cursor.u16()?;
        let is_sane = matches!(kind, CHANGE_CIPHER_SPEC..=24)
            && matches!(version, 0x0300..=0x0304)
            && length <= LONGEST
            && (length > 0 || kind == APPLICATION_DATA);
        is_sane.then_some(Self { kind, length })
    }
}

/// Judges the first bytes of one direction; `None` if there are none.
///
/// A hello is known by eleven bytes. In the middle of a connection one header is too little (three fixed bytes), so
/// a second header must stand where the first record ends, or the record must end exactly with the bytes at hand.
#[must_use]
pub fn judge(bytes: &[u8]) -> Option<Probe> {
    let first = bytes.first()?;
    if !matches!(*first, CHANGE_CIPHER_SPEC..=24) || bytes.get(1).is_some_and(|major| *major != 3) {
        return Some(Probe::No);
    }
    if bytes.len() < HEADER {
        return Some(Probe::Wait);
    }
    let Some(header) = Header::read(bytes) else {
        return Some(Probe::No);
    };
    let body = bytes.get(HEADER..).unwrap_or_default();
    Some(match header.kind {
        HANDSHAKE => judge_handshake(header, body),
        ALERT if header.length == 2 => match *body {
            [1 | 2, reason, ..] if reason <= 121 => Probe::Yes,
            [] | [1 | 2] => Probe::Wait,
            _ => Probe::No,
        },
        CHANGE_CIPHER_SPEC => match (header.length, body) {
            (1, [1, ..]) => Probe::Yes,
            (1, []) => Probe::Wait,
            _ => Probe::No,
        },
        _ => judge_chain(header, body),
    })
}

fn judge_handshake(header: Header, body: &[u8]) -> Probe {
    let mut cursor = Cursor::new(body);
    let (Some(kind), Some(length)) = (cursor.u8(), cursor.u24()) else {
        return judge_chain(header, body);
    };
    let is_hello = match kind {
        1 | 2 => length >= 38,
        _ => false,
    };
    if is_hello && length <= 0xffff {
        if header.length < 6 {
            return judge_chain(header, body);
        }
        return match cursor.u16() {
            Some(0x0002 | 0x0300..=0x0304 | 0x7f12..=0x7f1c) => Probe::Yes,
            Some(_) => Probe::No,
            None => Probe::Wait,
        };
    }
    // Another message in the middle of a handshake, or an encrypted one.
    if is_kind(kind) && length.checked_add(4) == Some(u32::from(header.length)) && length > 0 {
        return Probe::Yes;
    }
    judge_chain(header, body)
}

fn judge_chain(header: Header, body: &[u8]) -> Probe {
    let length = usize::from(header.length);
    let Some(behind) = body.get(length..) else {
        return Probe::Wait;
    };
    if behind.is_empty() {
        return if length >= 8 { Probe::Yes } else { Probe::Wait };
    }
    if behind.len() < HEADER {
        return Probe::Wait;
    }
    Probe::when(Header::read(behind).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_hello_is_known_by_its_first_eleven_bytes() {
        let hello = sample::record(HANDSHAKE, &sample::message(1, &sample::client_hello_body()));
        assert_eq!(judge(&[]), None);
        for end in 1..11 {
            assert_eq!(judge(&hello[..end]), Some(Probe::Wait), "{end} bytes");
        }
        assert_eq!(judge(&hello[..11]), Some(Probe::Yes));
    }

    #[test]
    fn application_data_needs_a_second_header_or_an_exact_end() {
        let mut bytes = vec![0x17, 3, 3, 0, 20];
        bytes.extend([0xaa; 20]);
        assert_eq!(judge(&bytes[..24]), Some(Probe::Wait));
        assert_eq!(judge(&bytes), Some(Probe::Yes));
        bytes.extend([0x17, 3, 3, 0, 9]);
        assert_eq!(judge(&bytes), Some(Probe::Yes));
        bytes[26] = 7;
        assert_eq!(judge(&bytes), Some(Probe::No));
    }

    #[test]
    fn other_protocols_are_refused_at_once() {
        for other in [
            &b"GET / HTTP/1.1"[..],
            &[0x16, 0x04],
            &[0x17, 0x03, 0x03, 0xff, 0xff],
            &[0x80, 0x2e, 1, 3, 1],
        ] {
            assert_eq!(judge(other), Some(Probe::No));
        }
    }
}

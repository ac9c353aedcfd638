//! Google's QUIC before the standard: versions Q024 to Q050, with a handshake of its own ("QUIC Crypto", 2016).
//!
//! Its ClientHello (tag CHLO) travels in the clear up to Q046, and like a standard Initial packet in Q050. The header of
//! the older ones begins with flags and the connection identifier; from Q044 on it is a long header.

use super::header::{self, Packet};
use super::initial::Opener;
use super::{field, frames};
use crate::dissect::assembly::Assembly;
use crate::dissect::cursor::Cursor;
use crate::dissect::tls::field as tls;
use crate::dissect::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// How far into a datagram a hello may begin: header, hash and frame header need less.
const FURTHEST_HELLO: usize = 96;

/// Type of CRYPTO frames in Q050.
const CRYPTO: u8 = 8;

/// Datagrams without a hello after which none is expected.
const PATIENCE: u8 = 8;

static FIELDS: &[&Field] = &[&field::VERSION, &field::USER_AGENT, &tls::SNI];

/// gQUIC over UDP.
#[derive(Debug)]
pub struct Gquic;

impl Dissector for Gquic {
    fn name(&self) -> &'static str {
        "gquic"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(version(head.newest()).is_some())
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| first & 0x80 != 0 || first & 0xcb == 0x09)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(GquicDissection::default())
    }
}

/// The version in a packet's header, as its four characters.
fn version(datagram: &[u8]) -> Option<&[u8]> {
    let first = *datagram.first()?;
    let at = match first {
        _ if first & 0x80 != 0 => 1,
        // Version and an eight-octet identifier, no reset, no reserved bit.
        _ if first & 0xcb == 0x09 => 9,
        _ => return None,
    };
    let octets = datagram.get(at..)?.get(..4)?;
    match octets {
        [b'Q', b'0', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit() => Some(octets),
        _ => None,
    }
}

/// One connection.
#[derive(Debug, Default)]
struct GquicDissection {
    version_was_said: bool,
    waited: u8,
    opener: Opener,
    stream: Assembly,
}

impl Dissection for GquicDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some(version) = version(input.bytes)
            && !self.version_was_said
        {
            self.version_was_said = true;
            facts.text(&field::VERSION, version);
        }
        let mut was_heard = false;
        if let Some(hello) = find_hello(input.bytes) {
            was_heard = say_hello(hello, facts);
        } else if let Some(long) = header::read(input.bytes)
            && let Packet::Initial(packet) = &long.packet
            && let Some(opened) = self.opener.open(&long, packet, input.side)
        {
            frames::collect(opened, CRYPTO, &mut self.stream);
            if let Some(hello) = find_hello(self.stream.contiguous()) {
                was_heard = say_hello(hello, facts);
            }
        }
        self.waited = self.waited.saturating_add(1);
        if was_heard || self.waited > PATIENCE {
            return Next::Done;
        }
        Next::More(input.bytes.len())
    }
}

/// The bytes behind the tag CHLO near the beginning of a packet.
fn find_hello(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes.get(..bytes.len().min(FURTHEST_HELLO))?;
    let at = head.windows(4).position(|window| window == b"CHLO")?;
    bytes.get(at.checked_add(4)?..)
}

/// Says name and user agent; false if the hello says neither.
fn say_hello(hello: &[u8], facts: &mut Facts<'_>) -> bool {
    let mut said = false;
    let mut each = |tag: [u8; 4], value: &[u8]| match &tag {
        b"SNI\0" => {
            said = true;
            facts.text(&tls::SNI, value);
        }
        b"UAID" => {
            said = true;
            facts.text(&field::USER_AGENT, value);
        }
        _ => {}
    };
    let _ = walk(hello, &mut each);
    said
}

/// Walks the table of tags: four characters and where their value ends, counted from the first value.
fn walk(hello: &[u8], each: &mut impl FnMut([u8; 4], &[u8])) -> Option<()> {
    let mut cursor = Cursor::new(hello);
    let count = cursor.u16_le()?;
    cursor.skip(2)?;
    let mut values = cursor.at(usize::from(count).checked_mul(8)?.checked_add(4)?)?;
    let mut start = 0_u32;
    for _ in 0..count {
        let tag = cursor.array::<4>()?;
        let end = cursor.u32_le()?;
        let value = values.take(usize::try_from(end.checked_sub(start)?).ok()?)?;
        start = end;
        each(tag, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::drive::Drive;
    use crate::model::fact::Side;

    fn hello() -> Vec<u8> {
        // Flags, identifier, version, packet number, hash, a stream frame, then the hello.
        let mut bytes = vec![0x09, 1, 2, 3, 4, 5, 6, 7, 8, b'Q', b'0', b'4', b'3', 1];
        bytes.extend([0xee; 12]);
        bytes.extend([0xa0, 1, 0, 4]);
        bytes.extend(b"CHLO\x03\0\0\0PAD\0\x02\0\0\0SNI\0\x0e\0\0\0UAID\x11\0\0\0--farm.exampleUA1");
        bytes
    }

    #[test]
    fn a_hello_in_the_clear_gives_name_and_agent() {
        let mut drive = Drive::new(&Gquic);
        assert_eq!(version(&hello()), Some(&b"Q043"[..]));
        assert_eq!(drive.datagram(Side::Client, &hello()), Some(Next::Done));
        assert_eq!(drive.texts("quic.version"), ["Q043"]);
        assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        assert_eq!(drive.texts("quic.user_agent"), ["UA1"]);
    }

    #[test]
    fn every_cut_is_read_without_harm() {
        let bytes = hello();
        for end in 0..bytes.len() {
            let mut drive = Drive::new(&Gquic);
            drive.datagram(Side::Client, &bytes[..end]);
            assert!(drive.texts("tls.sni").iter().all(|name| name == "farm.example"));
        }
    }
}

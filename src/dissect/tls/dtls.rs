//! DTLS 1.0 (RFC 4347), 1.2 (RFC 6347), 1.3 (RFC 9147), and what OpenSSL spoke before they were finished (version 0x0100,
//! Cisco AnyConnect used it): the same handshake over datagrams, in numbered fragments.

use super::field;
use super::handshake::{After, Carrier, Handshake, is_kind, kind};
use super::record;
use crate::dissect::assembly::Assembly;
use crate::dissect::cursor::Cursor;
use crate::dissect::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Octets of a record header.
const HEADER: u32 = 13;

/// Longest handshake message that is put together.
const LONGEST_MESSAGE: usize = 16 << 10;

/// Messages of one side that are put together at once.
const MOST_UNFINISHED: usize = 3;

/// Records read of one datagram.
const MOST_RECORDS: usize = 16;

/// Content type of records with a connection identifier (RFC 9146).
const WITH_CONNECTION_ID: u8 = 25;

/// DTLS over UDP.
#[derive(Debug)]
pub struct Dtls;

impl Dissector for Dtls {
    fn name(&self) -> &'static str {
        "dtls"
    }

    fn fields(&self) -> &'static [&'static Field] {
        field::ALL
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        judge(head.newest(), head.length_on_wire)
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| matches!(first, record::CHANGE_CIPHER_SPEC..=WITH_CONNECTION_ID))
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(DtlsDissection {
            handshake: Handshake::new(Carrier::Datagram),
            directions: Default::default(),
        })
    }
}

/// A record of which the header was read.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    kind: u8,
    epoch: u16,
    length: u16,
    /// The content, shorter than `length` when the datagram was cut.
    body: &'a [u8],
}

/// Reads a record and passes it.
fn read_record<'a>(cursor: &mut Cursor<'a>) -> Option<Record<'a>> {
    let kind = cursor.u8()?;
    if !matches!(kind, record::CHANGE_CIPHER_SPEC..=24) {
        return None;
    }
    if !matches!(cursor.u16()?, 0xfeff | 0xfefd | 0xfefc | 0x0100) {
        return None;
    }
    let epoch = cursor.u16()?;
    cursor.skip(6)?;
    let length = cursor.u16()?;
    let body = cursor.take_up_to(usize::from(length));
    Some(Record {
        kind,
        epoch,
        length,
        body,
    })
}

/// Judges a datagram: records must fill it exactly, and a plain handshake record must hold a possible message.
fn judge(datagram: &[u8], length_on_wire: u32) -> Probe {
    if !matches!(
        datagram.first(),
        Some(record::CHANGE_CIPHER_SPEC..=WITH_CONNECTION_ID)
    ) {
        return Probe::No;
    }
    let mut cursor = Cursor::new(datagram);
    if matches!(datagram, [WITH_CONNECTION_ID, 0xfe, 0xfd, ..]) {
        // The connection identifier has no length of its own, so nothing can be checked: only after a handshake.
        return Probe::No;
    }
    let Some(first) = read_record(&mut cursor) else {
        return Probe::No;
    };
    let end = u32::from(first.length).saturating_add(HEADER);
    let fits = first.length > 0
        && end <= length_on_wire
        && (end == length_on_wire || cursor.is_empty() || is_behind_record(&cursor));
    let is_possible = match (first.kind, first.epoch) {
        (record::HANDSHAKE, 0) => read_fragment(&mut Cursor::new(first.body)).is_some(),
        (record::ALERT, 0) => first.length == 2,
        (record::CHANGE_CIPHER_SPEC, 0) => matches!(first.length, 1 | 3),
        (record::APPLICATION_DATA, 0) => false,
        _ => first.length >= 8,
    };
    Probe::when(fits && is_possible)
}

/// Whether another record stands here, or one of the short headers of DTLS 1.3.
fn is_behind_record(cursor: &Cursor<'_>) -> bool {
    cursor.peek().is_some_and(|first| first >> 5 == 1) || read_record(&mut cursor.clone()).is_some()
}

/// A piece of a handshake message (RFC 6347, 4.2.2).
#[derive(Clone, Copy, Debug)]
struct Fragment<'a> {
    kind: u8,
    length: usize,
    sequence: u16,
    offset: usize,
    piece: &'a [u8],
    is_whole: bool,
}

fn read_fragment<'a>(cursor: &mut Cursor<'a>) -> Option<Fragment<'a>> {
    let kind = cursor.u8()?;
    let length = usize::try_from(cursor.u24()?).ok()?;
    let sequence = cursor.u16()?;
    let offset = usize::try_from(cursor.u24()?).ok()?;
    let piece_length = usize::try_from(cursor.u24()?).ok()?;
    let end = offset.checked_add(piece_length)?;
    if !is_kind(kind) || end > length || length > 0xffff {
        return None;
    }
    let piece = cursor.take_up_to(piece_length);
    Some(Fragment {
        kind,
        length,
        sequence,
        offset,
        piece,
        is_whole: piece.len() == piece_length,
    })
}

/// A message of which pieces are missing.
#[derive(Debug)]
struct Unfinished {
    sequence: u16,
    length: usize,
    assembly: Assembly,
}

/// What was read of one direction.
#[derive(Debug, Default)]
struct Direction {
    unfinished: Vec<Unfinished>,
    has_ended: bool,
}

/// One association.
#[derive(Debug)]
struct DtlsDissection {
    handshake: Handshake,
    directions: [Direction; 2],
}

impl DtlsDissection {
    fn fragment(&mut self, fragment: Fragment<'_>, side: Side, facts: &mut Facts<'_>) -> After {
        let Self {
            handshake,
            directions,
            ..
        } = self;
        if !matches!(
            fragment.kind,
            kind::CLIENT_HELLO | kind::SERVER_HELLO | kind::CERTIFICATE
        ) {
            return After::Clear;
        }
        if fragment.offset == 0 && fragment.piece.len() == fragment.length {
            return handshake.message(fragment.kind, fragment.piece, side, facts);
        }
        if fragment.offset == 0 && fragment.kind == kind::CLIENT_HELLO {
            handshake.beginning(fragment.piece, facts);
        }
        let Some(direction) = directions.get_mut(side.index()) else {
            return After::Clear;
        };
        if !fragment.is_whole || fragment.length > LONGEST_MESSAGE {
            return After::Clear;
        }
        let known = direction
            .unfinished
            .iter()
            .position(|message| message.sequence == fragment.sequence && message.length == fragment.length);
        let place = known.unwrap_or_else(|| {
            if direction.unfinished.len() >= MOST_UNFINISHED {
                direction.unfinished.remove(0);
            }
            direction.unfinished.push(Unfinished {
                sequence: fragment.sequence,
                length: fragment.length,
                assembly: Assembly::default(),
            });
            direction.unfinished.len().saturating_sub(1)
        });
        let Some(message) = direction.unfinished.get_mut(place) else {
            return After::Clear;
        };
        message
            .assembly
            .insert(fragment.offset, fragment.piece, fragment.length);
        let body = message.assembly.contiguous();
        if body.len() < fragment.length {
            return After::Clear;
        }
        let after = handshake.message(fragment.kind, body, side, facts);
        direction.unfinished.remove(place);
        after
    }
}

impl Dissection for DtlsDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        // RFC 7983, 7: what else shares the port begins with other octets.
        if !input.bytes.first().is_some_and(|first| matches!(*first, 20..=63)) {
            return Next::Release;
        }
        let mut cursor = Cursor::new(input.bytes);
        for _ in 0..MOST_RECORDS {
            let before = cursor.peek();
            let record = read_record(&mut cursor);
            let is_encrypted = match record {
                Some(record) => record.epoch > 0 || record.kind == record::CHANGE_CIPHER_SPEC,
                None => before.is_some_and(|first| first >> 5 == 1 || first == WITH_CONNECTION_ID),
            };
            let mut after = After::Clear;
            if let Some(record) = record
                && record.kind == record::HANDSHAKE
                && !is_encrypted
            {
                let mut messages = Cursor::new(record.body);
                while let Some(fragment) = read_fragment(&mut messages) {
                    if self.fragment(fragment, input.side, facts) == After::Encrypted {
                        after = After::Encrypted;
                    }
                }
            }
            if let Some(direction) = self.directions.get_mut(input.side.index())
                && is_encrypted
            {
                direction.has_ended = true;
                direction.unfinished = Vec::new();
            }
            if after == After::Encrypted && self.handshake.client_was_heard() {
                return Next::Done;
            }
            if record.is_none() || is_encrypted {
                break;
            }
        }
        if self.directions.iter().all(|direction| direction.has_ended) {
            return Next::Done;
        }
        Next::More(input.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::dissect::drive::Drive;
    use proptest::prelude::*;

    fn hello() -> Vec<u8> {
        let mut body = sample::client_hello_body();
        body[..2].copy_from_slice(&[0xfe, 0xfd]);
        body.insert(35, 0); // an empty cookie behind the empty session
        body
    }

    fn datagram(body: &[u8], offset: usize, piece: &[u8]) -> Vec<u8> {
        let three = |value: usize| u32::try_from(value).unwrap().to_be_bytes()[1..].to_vec();
        let mut message = vec![1];
        message.extend(three(body.len()));
        message.extend([0, 0]);
        message.extend(three(offset));
        message.extend(three(piece.len()));
        message.extend(piece);
        let mut datagram = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        datagram.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        datagram.extend(message);
        datagram
    }

    #[test]
    fn fragments_in_reverse_give_the_same_hello() {
        let body = hello();
        let mut whole = Drive::new(&Dtls);
        whole.datagram(Side::Client, &datagram(&body, 0, &body));
        let fingerprint = whole.texts("tls.ja4");
        assert_eq!(whole.texts("tls.sni"), ["farm.example"]);
        assert!(fingerprint[0].starts_with("d13d0306h2_"), "{fingerprint:?}");
        for size in 20..body.len() {
            let mut pieces: Vec<_> = body
                .chunks(size)
                .enumerate()
                .map(|(index, piece)| datagram(&body, index * size, piece))
                .collect();
            pieces.reverse();
            let mut drive = Drive::new(&Dtls);
            for piece in &pieces {
                drive.datagram(Side::Client, piece);
            }
            assert_eq!(drive.texts("tls.ja4"), fingerprint, "pieces of {size}");
            assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        }
    }

    #[test]
    fn a_datagram_is_recognised_only_when_records_fill_it() {
        let body = hello();
        let bytes = datagram(&body, 0, &body);
        let length = u32::try_from(bytes.len()).unwrap();
        assert_eq!(judge(&bytes, length), Probe::Yes);
        assert_eq!(judge(&bytes[..40], length), Probe::Yes);
        assert_eq!(judge(&bytes, length + 7), Probe::Yes);
        assert_eq!(judge(&bytes, length - 1), Probe::No);
        for end in 0..25 {
            assert_eq!(judge(&bytes[..end], length), Probe::No);
        }
        let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        assert_eq!(judge(&stun, 20), Probe::No);
        assert_eq!(
            Drive::new(&Dtls).datagram(Side::Client, &stun),
            Some(Next::Release)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..90)), 0..12)) {
            let mut drive = Drive::new(&Dtls);
            let body = hello();
            for (from_client, piece) in pieces {
                let side = if from_client { Side::Client } else { Side::Server };
                drive.datagram(side, &piece);
                drive.datagram(side, &datagram(&body, piece.len(), &piece));
            }
        }
    }
}

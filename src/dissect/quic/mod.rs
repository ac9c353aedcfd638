//! QUIC versions 1 (RFC 9000, 9001) and 2 (RFC 9369), the drafts from 21 on, Facebook's and Google's variants of them.
//!
//! Initial packets can be opened by everybody; their CRYPTO frames carry the ClientHello and the ServerHello, which say
//! the same as in TLS, in the fields of TLS. Packets with short headers look like noise: a flow of which only they
//! were captured is not recognised.

pub mod frames;
pub mod gquic;
pub mod header;
pub mod initial;
pub mod keys;
#[cfg(test)]
mod sample;

use self::header::{Long, Packet};
use self::initial::Opener;
use super::assembly::Assembly;
use super::cursor::Cursor;
use super::tls::field as tls;
use super::tls::handshake::{Carrier, Handshake, kind};
use super::tls::hello::{ClientHello, extension};
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// What QUIC says besides its handshake.
pub mod field {
    use crate::model::fact::Field;

    /// Version: "1", "2", "draft-29", "mvfst-27", "Q046"; a second fact where the server chose another.
    pub static VERSION: Field = Field::of_flow("quic.version");
    /// User agent in Google's transport parameter, or in gQUIC's hello.
    pub static USER_AGENT: Field = Field::of_flow("quic.user_agent");
}

/// Google's transport parameter with a user agent.
const USER_AGENT_PARAMETER: u64 = 0x3129;

/// Packets read of one datagram.
const MOST_PACKETS: usize = 8;

/// Datagrams without an Initial packet after which nothing more is expected.
const PATIENCE: u8 = 8;

static FIELDS: &[&Field] = &[
    &field::VERSION,
    &field::USER_AGENT,
    &tls::SNI,
    &tls::ALPN,
    &tls::ALPN_CHOSEN,
    &tls::VERSION,
    &tls::VERSION_OFFERED,
    &tls::CIPHER,
    &tls::JA3,
    &tls::JA3S,
    &tls::JA4,
    &tls::ECH,
    &tls::CLIENT_RANDOM,
    &tls::RESUMPTION_OFFERED,
    &tls::RESUMED,
    &tls::EARLY_DATA,
];

/// QUIC over UDP.
#[derive(Debug)]
pub struct Quic;

impl Dissector for Quic {
    fn name(&self) -> &'static str {
        "quic"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(is_quic(head.newest(), head.length_on_wire))
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| first & 0x80 != 0)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(QuicDissection {
            handshake: Handshake::new(Carrier::Quic),
            opener: Opener::default(),
            streams: Default::default(),
            version: 0,
            versions_said: 0,
            waited: 0,
        })
    }
}

fn is_quic(datagram: &[u8], length_on_wire: u32) -> bool {
    if datagram.first().is_none_or(|first| first & 0x80 == 0) {
        return false;
    }
    let Some(long) = header::read(datagram) else {
        return false;
    };
    let was_cut = usize::try_from(length_on_wire).is_ok_and(|length| length > datagram.len());
    if !long.is_whole && !was_cut {
        return false;
    }
    if let Packet::VersionNegotiation = long.packet {
        let (versions, rest) = long.rest.as_chunks::<4>();
        let is_known = |version: &[u8; 4]| header::version_name(u32::from_be_bytes(*version)).is_some();
        return rest.is_empty() && versions.iter().any(is_known);
    }
    if !header::has_fixed_bit(datagram) {
        return false;
    }
    // RFC 9000, 14.1: a client's first datagram is padded, also one that provokes a negotiation.
    header::version_name(long.version).is_some()
        || (header::is_reserved(long.version) && length_on_wire >= 1200)
}

/// One connection.
#[derive(Debug)]
struct QuicDissection {
    handshake: Handshake,
    opener: Opener,
    streams: [Assembly; 2],
    version: u32,
    versions_said: u8,
    waited: u8,
}

impl QuicDissection {
    fn say_version(&mut self, version: u32, facts: &mut Facts<'_>) {
        if version == self.version || self.versions_said >= 3 {
            return;
        }
        if let Some(name) = header::version_name(version) {
            self.version = version;
            self.versions_said = self.versions_said.saturating_add(1);
            facts.text(&field::VERSION, name.as_bytes());
        }
    }

    fn initial(&mut self, long: &Long<'_>, packet: &header::Initial<'_>, side: Side, facts: &mut Facts<'_>) {
        let Self {
            handshake,
            opener,
            streams,
            ..
        } = self;
        let Some(stream) = streams.get_mut(side.index()) else {
            return;
        };
        let was_heard = if opener.client() == Some(side) {
            handshake.client_was_heard()
        } else {
            handshake.server_was_heard()
        };
        if was_heard {
            stream.release();
            return;
        }
        let Some(opened) = opener.open(long, packet, side) else {
            return;
        };
        frames::collect(opened, frames::CRYPTO, stream);
        let mut cursor = Cursor::new(stream.contiguous());
        while let (Some(message), Some(length)) = (cursor.u8(), cursor.u24()) {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let body = cursor.take_up_to(length);
            if body.len() < length {
                if message == kind::CLIENT_HELLO {
                    handshake.beginning(body, facts);
                }
                return;
            }
            if message == kind::CLIENT_HELLO && !handshake.client_was_heard() {
                say_user_agent(body, facts);
            }
            // A repetition says nothing, so that reading the stream from its start again does no harm.
            handshake.message(message, body, side, facts);
        }
    }
}

fn say_user_agent(body: &[u8], facts: &mut Facts<'_>) {
    let Some(hello) = ClientHello::read(body, false) else {
        return;
    };
    let parameters = hello
        .extension(extension::QUIC_PARAMETERS)
        .or_else(|| hello.extension(extension::QUIC_PARAMETERS_DRAFT));
    let mut cursor = Cursor::new(parameters.unwrap_or_default());
    while let (Some(kind), Some(length)) = (header::variable(&mut cursor), header::variable(&mut cursor)) {
        let Some(value) = usize::try_from(length)
            .ok()
            .and_then(|length| cursor.take(length))
        else {
            return;
        };
        if kind == USER_AGENT_PARAMETER {
            facts.text(&field::USER_AGENT, value);
        }
    }
}

impl Dissection for QuicDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut bytes = input.bytes;
        let mut holds_initial = false;
        for _ in 0..MOST_PACKETS {
            let Some(long) = header::read(bytes) else {
                break;
            };
            match &long.packet {
                Packet::Initial(packet) => {
                    holds_initial = true;
                    self.say_version(long.version, facts);
                    self.initial(&long, packet, input.side, facts);
                }
                Packet::CutInitial | Packet::Handshake | Packet::ZeroRoundTrip | Packet::Retry => {
                    self.say_version(long.version, facts);
                }
                Packet::VersionNegotiation => break,
            }
            bytes = long.rest;
        }
        let both_were_heard = self.handshake.client_was_heard() && self.handshake.server_was_heard();
        if !holds_initial {
            self.waited = self.waited.saturating_add(1);
        }
        if both_were_heard || self.waited > PATIENCE {
            return Next::Done;
        }
        Next::More(input.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::drive::Drive;
    use super::super::tls::sample as hello_sample;
    use super::*;
    use proptest::prelude::*;

    /// CRYPTO frames with the ClientHello of the samples, in pieces of `size`.
    fn pieces(size: usize) -> Vec<Vec<u8>> {
        let message = hello_sample::message(1, &hello_sample::client_hello_body());
        let frame = |(index, piece): (usize, &[u8])| {
            let mut frame = vec![6];
            for number in [index.saturating_mul(size), piece.len()] {
                frame.extend((u16::try_from(number).unwrap() | 0x4000).to_be_bytes());
            }
            frame.extend(piece);
            frame
        };
        message.chunks(size).enumerate().map(frame).collect()
    }

    #[test]
    fn a_hello_in_disorder_over_datagrams_is_put_together() {
        for (version, name) in [(1, "1"), (0x6b33_43cf, "2"), (0xff00_001d, "draft-29")] {
            let [client, _] = keys::Keys::derive(keys::Derivation::of(version).unwrap(), b"identity");
            let mut drive = Drive::new(&Quic);
            for (number, frame) in pieces(60).iter().enumerate().rev() {
                let number = u32::try_from(number).unwrap();
                drive.datagram(Side::Client, &client.seal(version, b"identity", number, frame));
            }
            assert_eq!(drive.texts("quic.version"), [name]);
            assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
            assert!(drive.texts("tls.ja4")[0].starts_with("q13d0306h2_"));
        }
    }

    #[test]
    fn after_a_retry_the_keys_come_from_the_new_identifier() {
        let keys_of = |identifier: &[u8]| keys::Keys::derive(keys::Derivation::of(1).unwrap(), identifier);
        let [first, _] = keys_of(b"identity");
        let [second, _] = keys_of(b"token id");
        let frames = pieces(150);
        let mut drive = Drive::new(&Quic);
        drive.datagram(Side::Client, &first.seal(1, b"identity", 0, &frames[0]));
        for (number, frame) in frames.iter().enumerate() {
            let number = u32::try_from(number).unwrap();
            drive.datagram(Side::Client, &second.seal(1, b"token id", number, frame));
        }
        assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        assert_eq!(drive.texts("tls.ja4").len(), 1);
    }

    #[test]
    fn a_server_alone_is_recognised_by_its_version() {
        for (bytes, name) in [
            (sample::server_initial_v1(), "1"),
            (sample::server_initial_v2(), "2"),
        ] {
            assert!(is_quic(&bytes, u32::try_from(bytes.len()).unwrap()));
            let mut drive = Drive::new(&Quic);
            drive.datagram(Side::Server, &bytes);
            assert_eq!(drive.texts("quic.version"), [name]);
            assert!(drive.texts("tls.version").is_empty());
        }
    }

    #[test]
    fn a_list_of_versions_counts_if_one_of_them_is_known() {
        let mut bytes = vec![0x80, 0, 0, 0, 0, 0, 1, 7];
        bytes.extend(0x1a2a_3a4a_u32.to_be_bytes());
        assert!(!is_quic(&bytes, 12));
        bytes.extend(1_u32.to_be_bytes());
        assert!(is_quic(&bytes, 16));
        assert!(!is_quic(&bytes[..15], 15));
    }

    #[test]
    fn short_headers_and_strangers_are_refused() {
        for bytes in [&[0x40_u8; 40][..], &[0xc0, 0, 0, 0, 9, 0, 0], &[0x80], &[]] {
            assert!(!is_quic(bytes, u32::try_from(bytes.len()).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..120)), 0..12)) {
            let mut drive = Drive::new(&Quic);
            for (from_client, piece) in pieces {
                let side = if from_client { Side::Client } else { Side::Server };
                let mut packet = vec![0xc0, 0, 0, 0, 1, 0, 0, 0];
                packet.extend(&piece);
                drive.datagram(side, &piece);
                drive.datagram(side, &packet);
                let _ = is_quic(&packet, 1_200);
            }
        }
    }
}

//! TLS 1.0 to 1.3, SSL 3.0 and the hellos of SSL 2.0 over TCP: everything that a handshake says before it is encrypted.
//!
//! Each side is read until its first encrypted record. A flow that was captured in one direction, or from the middle
//! on, gives what is there.

#[cfg(test)]
mod agreement;
pub mod certificate;
mod client_records;
pub mod dtls;
pub mod field;
pub mod handshake;
pub mod hello;
pub mod hex;
pub mod inner_handshake;
pub mod ja3;
pub mod ja4;
pub mod line_protocol;
pub mod names;
mod nested;
pub mod record;
#[cfg(test)]
pub(crate) mod sample;
pub mod sslv2;
pub mod starttls;

use self::client_records::ClientRecords;
use self::handshake::{After, Carrier, Defragmenter, Handshake};
use self::record::Header;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Payloads of a side that has ended which may pass before the other side is no longer waited for.
const PATIENCE: u8 = 16;

/// The same where the client's first records are waited for: a dozen of the server's come between.
const PATIENCE_FOR_RECORDS: u8 = 24;

/// TLS over TCP.
#[derive(Debug)]
pub struct Tls;

impl Dissector for Tls {
    fn name(&self) -> &'static str {
        "tls"
    }

    fn fields(&self) -> &'static [&'static Field] {
        field::ALL
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let to_server = judge(head.to_server);
        let to_client = judge(head.to_client);
        match (to_server, to_client) {
            (Some(Probe::Yes), _) | (_, Some(Probe::Yes)) => Probe::Yes,
            (Some(Probe::No), _) | (_, Some(Probe::No)) | (None, None) => Probe::No,
            _ => Probe::Wait,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(TlsDissection::new())
    }

    fn start_closely(&self) -> Box<dyn Dissection> {
        Box::new(nested::Closely::new())
    }
}

fn judge(bytes: &[u8]) -> Option<Probe> {
    if bytes.first().is_some_and(|first| first & 0x80 != 0) && sslv2::is_hello(bytes) {
        return Some(Probe::Yes);
    }
    record::judge(bytes)
}

/// What was read of one direction.
#[derive(Debug, Default)]
struct Direction {
    defragmenter: Defragmenter,
    was_recognised: bool,
    has_ended: bool,
}

/// One connection.
#[derive(Debug)]
struct TlsDissection {
    handshake: Handshake,
    directions: [Direction; 2],
    waited: u8,
    /// The client's records behind its handshake, where they are read.
    records: Option<ClientRecords>,
    /// They are read no further.
    has_records: bool,
}

impl TlsDissection {
    fn new() -> Self {
        Self {
            handshake: Handshake::new(Carrier::Stream),
            directions: Default::default(),
            waited: 0,
            records: None,
            has_records: false,
        }
    }

    /// Whether more of the client's records is wanted.
    const fn reads_on(&self) -> bool {
        self.records.is_some() && !self.has_records
    }

    /// Reads the headers of the client's records behind its handshake, from the front of `bytes`: how many octets it consumed.
    fn encrypted(&mut self, bytes: &[u8]) -> usize {
        let mut consumed: usize = 0;
        while let Some(records) = self.records.as_mut().filter(|_| !self.has_records) {
            let rest = bytes.get(consumed..).unwrap_or_default();
            if rest.len() < record::HEADER {
                break;
            }
            let header = Header::read(rest).filter(|header| !ClientRecords::is_beyond(*header));
            let Some(header) = header else {
                self.has_records = true;
                break;
            };
            let length = record::HEADER.saturating_add(usize::from(header.length));
            if rest.len() < length {
                break;
            }
            consumed = consumed.saturating_add(length);
            self.has_records = !records.push(header);
        }
        consumed
    }

    /// Reads one record from the front of `bytes`: how many bytes it had, or nothing if it is not all there.
    fn record(&mut self, bytes: &[u8], input: &Input<'_>, facts: &mut Facts<'_>) -> Option<usize> {
        let Self {
            handshake,
            directions,
            ..
        } = self;
        let direction = directions.get_mut(input.side.index())?;
        if !direction.was_recognised
            && let Some((message, length)) = sslv2::read(bytes)
        {
            direction.was_recognised = true;
            direction.has_ended = matches!(message, sslv2::Message::ServerHello(_));
            sslv2::say(message, facts);
            return Some(length);
        }
        if bytes.len() < record::HEADER {
            return None;
        }
        let Some(header) = Header::read(bytes) else {
            direction.has_ended = direction.was_recognised || !sslv2::is_hello(bytes);
            return None;
        };
        direction.was_recognised = true;
        let is_for_show = header.kind == record::CHANGE_CIPHER_SPEC && handshake.is_between_hellos();
        if matches!(header.kind, record::CHANGE_CIPHER_SPEC | record::APPLICATION_DATA) && !is_for_show {
            direction.has_ended = true;
            return None;
        }
        let end = record::HEADER.checked_add(usize::from(header.length))?;
        let Some(body) = bytes.get(record::HEADER..end) else {
            let part = bytes.get(record::HEADER..).unwrap_or_default();
            if let [handshake::kind::CLIENT_HELLO, _, _, _, beginning @ ..] = part
                && header.kind == record::HANDSHAKE
                && direction.defragmenter.is_empty()
            {
                handshake.beginning(beginning, facts);
            }
            return None;
        };
        if header.kind == record::HANDSHAKE {
            let mut after = After::Clear;
            let had_client = handshake.client_was_heard();
            let fits = direction.defragmenter.push(body, |kind, message| {
                after = handshake.message(kind, message, input.side, facts);
                after == After::Clear
            });
            if !had_client && handshake.reads_client() {
                self.records = Some(ClientRecords::default());
            }
            if let Some(beginning) = direction.defragmenter.unfinished_client_hello() {
                handshake.beginning(beginning, facts);
            }
            if after == After::Encrypted {
                let other_was_heard = handshake.client_was_heard();
                for direction in directions.iter_mut() {
                    direction.has_ended |= other_was_heard;
                }
            }
            if let Some(direction) = directions.get_mut(input.side.index()) {
                direction.has_ended |= !fits || after == After::Encrypted;
            }
        }
        Some(end)
    }

    /// Consumes octets of a side that has nothing to say any more; not without end.
    fn wait(&mut self, consumed: usize) -> Next {
        self.waited = self.waited.saturating_add(1);
        let most = if self.reads_on() {
            PATIENCE_FOR_RECORDS
        } else {
            PATIENCE
        };
        if self.waited > most {
            return Next::Done;
        }
        Next::More(consumed)
    }

    fn has_ended(&self, input: &Input<'_>) -> bool {
        self.directions
            .get(input.side.index())
            .is_none_or(|direction| direction.has_ended)
    }
}

impl Dissection for TlsDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap
            && let Some(direction) = self.directions.get_mut(input.side.index())
        {
            // What was being put together is lost; records may go on if the gap ended with one.
            self.has_records = true;
            direction.defragmenter = Defragmenter::default();
            direction.was_recognised = true;
        }
        let mut consumed: usize = 0;
        while !self.has_ended(input) {
            let bytes = input.bytes.get(consumed..).unwrap_or_default();
            let Some(length) = self.record(bytes, input, facts) else {
                break;
            };
            consumed = consumed.saturating_add(length);
        }
        if self.reads_on() && self.has_ended(input) && input.side == self.handshake.client_side() {
            let behind = input.bytes.get(consumed..).unwrap_or_default();
            consumed = consumed.saturating_add(self.encrypted(behind));
            if self.reads_on() {
                return self.wait(consumed);
            }
        }
        if !self.reads_on() && self.directions.iter().all(|direction| direction.has_ended) {
            return if self.directions.iter().any(|direction| direction.was_recognised) {
                Next::Done
            } else {
                Next::Reject
            };
        }
        if self.has_ended(input) {
            return self.wait(input.bytes.len());
        }
        Next::More(consumed)
    }

    fn end(&mut self, facts: &mut Facts<'_>) {
        let Some(records) = self.records.take() else {
            return;
        };
        if let Some(lengths) = records.told() {
            let stamp = facts.stamp;
            facts.stamp.side = self.handshake.client_side();
            facts.bytes(&field::LENGTHS, lengths);
            facts.stamp = stamp;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::drive::Drive;
    use super::*;
    use crate::model::fact::Side;
    use proptest::prelude::*;

    fn client_hello() -> Vec<u8> {
        sample::record(22, &sample::message(1, &sample::client_hello_body()))
    }

    fn server_hello() -> Vec<u8> {
        sample::record(22, &sample::message(2, &sample::server_hello_body()))
    }

    #[test]
    fn any_cut_into_segments_gives_the_same_facts() {
        let mut whole = Drive::new(&Tls);
        whole.stream(Side::Client, &client_hello());
        whole.stream(Side::Server, &server_hello());
        assert_eq!(whole.texts("tls.sni"), ["farm.example"]);
        assert_eq!(whole.texts("tls.alpn"), ["h2", "http/1.1"]);
        assert_eq!(whole.texts("tls.alpn_chosen"), ["h2"]);
        assert_eq!(whole.texts("tls.version"), ["TLS 1.2"]);
        assert_eq!(
            whole.texts("tls.cipher"),
            ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
        );
        for size in 1..client_hello().len() {
            let mut cut = Drive::new(&Tls);
            for piece in client_hello().chunks(size) {
                cut.stream(Side::Client, piece);
            }
            for piece in server_hello().chunks(size) {
                cut.stream(Side::Server, piece);
            }
            for name in ["tls.sni", "tls.ja3", "tls.ja4", "tls.version", "tls.alpn"] {
                assert_eq!(cut.texts(name), whole.texts(name), "{name} with pieces of {size}");
            }
        }
    }

    #[test]
    fn a_hello_spread_over_records_of_any_size_is_put_together() {
        let message = sample::message(1, &sample::client_hello_body());
        for size in 1..message.len() {
            let mut drive = Drive::new(&Tls);
            for piece in message.chunks(size) {
                drive.stream(Side::Client, &sample::record(22, piece));
            }
            assert_eq!(drive.texts("tls.ja4").len(), 1, "records of {size}");
            assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        }
    }

    #[test]
    fn the_name_is_said_when_the_end_of_the_hello_never_comes() {
        let hello = client_hello();
        let mut drive = Drive::new(&Tls);
        drive.stream(Side::Client, &hello[..hello.len() - 1]);
        assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        assert!(drive.texts("tls.ja4").is_empty());
    }

    #[test]
    fn encrypted_records_of_both_sides_end_it() {
        let mut drive = Drive::new(&Tls);
        drive.stream(Side::Client, &client_hello());
        drive.stream(Side::Server, &server_hello());
        assert_eq!(
            drive.stream(Side::Client, &[20, 3, 3, 0, 1, 1]),
            Some(Next::More(6))
        );
        assert_eq!(drive.stream(Side::Server, &[20, 3, 3, 0, 1, 1]), Some(Next::Done));
    }

    #[test]
    fn a_demand_to_offer_again_ends_nothing() {
        let mut retry = sample::server_hello_body();
        retry[2..34].copy_from_slice(&hello::RETRY_REQUEST);
        let change = [20, 3, 3, 0, 1, 1];
        let mut drive = Drive::new(&Tls);
        drive.stream(Side::Client, &client_hello());
        drive.stream(Side::Server, &sample::record(22, &sample::message(2, &retry)));
        drive.stream(Side::Server, &change);
        drive.stream(Side::Client, &change);
        drive.stream(Side::Client, &client_hello());
        assert!(drive.texts("tls.version").is_empty());
        drive.stream(Side::Server, &server_hello());
        assert_eq!(drive.texts("tls.version"), ["TLS 1.2"]);
        assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        assert_eq!(drive.texts("tls.ja4").len(), 1);
    }

    #[test]
    fn one_direction_alone_gives_what_it_says() {
        let mut drive = Drive::new(&Tls);
        drive.stream(Side::Server, &server_hello());
        assert_eq!(drive.texts("tls.version"), ["TLS 1.2"]);
        assert!(drive.texts("tls.sni").is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..12)) {
            let mut drive = Drive::new(&Tls);
            for (from_client, with_header, piece) in pieces {
                let side = if from_client { Side::Client } else { Side::Server };
                let piece = if with_header { sample::record(22, &piece) } else { piece };
                drive.stream(side, &piece);
            }
        }

        #[test]
        fn a_damaged_hello_does_no_harm(place in 0..200_usize, value in any::<u8>()) {
            let mut hello = client_hello();
            let place = place.min(hello.len().saturating_sub(1));
            hello[place] = value;
            let mut drive = Drive::new(&Tls);
            drive.stream(Side::Client, &hello);
        }
    }
}

//! What a TLS handshake says in the clear, whatever carries it: TCP, DTLS or QUIC.
//!
//! Question: a hello may be sent twice (HelloRetryRequest, the cookie of DTLS, Retry of QUIC); which one counts?
//! Answer: the first, since it is what the client would send to anybody; the second is only read to find the end.

use super::certificate::{self, Owner};
use super::hello::{ClientHello, ServerHello, extension, is_grease};
use super::{client_records, field, hex, ja3, ja4, names};
use crate::model::fact::{Facts, Side};

/// Kinds of handshake messages that are read (RFC 8446, B.3).
pub mod kind {
    /// What the client offers.
    pub const CLIENT_HELLO: u8 = 1;
    /// What the server chose.
    pub const SERVER_HELLO: u8 = 2;
    /// A certificate chain.
    pub const CERTIFICATE: u8 = 11;
}

/// Most application protocols, versions said of one hello.
const MOST_OFFERS: usize = 16;

/// What the handshake travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over a stream.
    Stream,
    /// DTLS.
    Datagram,
    /// QUIC's CRYPTO frames.
    Quic,
}

/// Whether the rest of what a side sends can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It can.
    Clear,
    /// Both sides are encrypted from here on (TLS 1.3).
    Encrypted,
}

/// Whether `kind` is a handshake message of any version (IANA, "TLS HandshakeType").
#[must_use]
pub const fn is_kind(kind: u8) -> bool {
    matches!(kind, 0..=5 | 8 | 11..=16 | 20..=25 | 67 | 254)
}

/// What the server answered so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing.
    None,
    /// That the client should offer again (HelloRetryRequest).
    AskedAgain,
    /// What it chose.
    Hello,
}

/// The state of one handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    carrier: Carrier,
    name_was_said: bool,
    client_was_heard: bool,
    server: Answer,
    certificates_said: [bool; 2],
    /// Who sent the ServerHello; the opener of the flow may have been guessed wrong.
    server_side: Side,
    session: ([u8; 32], u8),
    reads_client: bool,
}

impl Handshake {
    /// A handshake of which nothing was seen.
    #[must_use]
    pub const fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            name_was_said: false,
            client_was_heard: false,
            server: Answer::None,
            certificates_said: [false; 2],
            server_side: Side::Server,
            session: ([0; 32], 0),
            reads_client: false,
        }
    }

    /// Who sent the ClientHello.
    #[must_use]
    pub const fn client_side(&self) -> Side {
        self.server_side.other()
    }

    /// Whether the client's records behind its hello are read.
    #[must_use]
    pub const fn reads_client(&self) -> bool {
        self.reads_client
    }

    /// Whether a whole ClientHello was read.
    #[must_use]
    pub const fn client_was_heard(&self) -> bool {
        self.client_was_heard
    }

    /// Whether a whole ServerHello was read.
    #[must_use]
    pub const fn server_was_heard(&self) -> bool {
        matches!(self.server, Answer::Hello)
    }

    /// Whether the server asked the client to offer again and has not chosen yet: what both then send as
    /// ChangeCipherSpec is for middleboxes and ends nothing (RFC 8446, D.4).
    #[must_use]
    pub const fn is_between_hellos(&self) -> bool {
        matches!(self.server, Answer::AskedAgain)
    }

    /// Takes one whole message.
    pub fn message(&mut self, kind: u8, body: &[u8], side: Side, facts: &mut Facts<'_>) -> After {
        match kind {
            kind::CLIENT_HELLO => {
                if let Some(hello) = ClientHello::read(body, self.carrier == Carrier::Datagram) {
                    self.client(&hello, side, facts);
                }
                After::Clear
            }
            kind::SERVER_HELLO => {
                ServerHello::read(body).map_or(After::Clear, |hello| self.server(&hello, side, facts))
            }
            kind::CERTIFICATE => {
                let owner = if side == self.server_side {
                    Owner::Server
                } else {
                    Owner::Client
                };
                if let Some(said) = self.certificates_said.get_mut(side.index())
                    && !*said
                {
                    *said = true;
                    certificate::say(body, owner, facts);
                }
                After::Clear
            }
            _ => After::Clear,
        }
    }

    /// Takes the beginning of a ClientHello of which the rest is not there, and may never be (loss, snap length):
    /// the name is worth having early. Everything else waits for the whole message.
    pub fn beginning(&mut self, body: &[u8], facts: &mut Facts<'_>) {
        if self.name_was_said || self.client_was_heard {
            return;
        }
        if let Some(hello) = ClientHello::read(body, self.carrier == Carrier::Datagram) {
            self.say_name(&hello, facts);
        }
    }

    fn say_name(&mut self, hello: &ClientHello<'_>, facts: &mut Facts<'_>) {
        if let Some(name) = hello.server_name()
            && !self.name_was_said
        {
            self.name_was_said = true;
            facts.text(&field::SNI, name);
        }
    }

    fn client(&mut self, hello: &ClientHello<'_>, side: Side, facts: &mut Facts<'_>) {
        self.server_side = side.other();
        let mut session = [0; 32];
        let length = hello.session_id.len().min(32);
        if let (Some(target), Some(source)) = (session.get_mut(..length), hello.session_id.get(..length)) {
            target.copy_from_slice(source);
        }
        self.session = (session, u8::try_from(length).unwrap_or(0));
        self.say_name(hello, facts);
        if std::mem::replace(&mut self.client_was_heard, true) {
            return;
        }
        self.reads_client = client_records::are_read(hello);
        for protocol in hello.protocols().take(MOST_OFFERS) {
            facts.text(&field::ALPN, protocol);
        }
        let mut listed = false;
        let versions = hello.supported_versions().filter(|version| !is_grease(*version));
        for text in versions.take(MOST_OFFERS).filter_map(names::version) {
            listed = true;
            facts.text(&field::VERSION_OFFERED, text.as_bytes());
        }
        if let Some(text) = names::version(hello.version)
            && !listed
        {
            facts.text(&field::VERSION_OFFERED, text.as_bytes());
        }
        facts.text(&field::JA3, &ja3::client(hello));
        facts.text(&field::JA4, &ja4::client(hello, self.carrier));
        facts.bytes(&field::CLIENT_RANDOM, &hello.random);
        for (kind, body) in hello.extensions() {
            match kind {
                extension::PRE_SHARED_KEY => facts.text(&field::RESUMPTION_OFFERED, b"psk"),
                extension::SESSION_TICKET if !body.is_empty() => {
                    facts.text(&field::RESUMPTION_OFFERED, b"ticket");
                }
                extension::EARLY_DATA => facts.number(&field::EARLY_DATA, 1),
                extension::ENCRYPTED_HELLO | extension::ENCRYPTED_NAME => facts.number(&field::ECH, 1),
                _ => {}
            }
        }
    }

    fn server(&mut self, hello: &ServerHello<'_>, side: Side, facts: &mut Facts<'_>) -> After {
        self.server_side = side;
        if hello.is_retry_request() {
            self.server = Answer::AskedAgain;
            return After::Clear;
        }
        let version = hello.version();
        let is_1_3 = names::is_1_3(version);
        let after = if is_1_3 { After::Encrypted } else { After::Clear };
        if std::mem::replace(&mut self.server, Answer::Hello) == Answer::Hello {
            return after;
        }
        if let Some(text) = names::version(version) {
            facts.text(&field::VERSION, text.as_bytes());
        }
        say_cipher(hello.cipher, facts);
        facts.text(&field::JA3S, &ja3::server(hello));
        if let Some(protocol) = hello.protocol() {
            facts.text(&field::ALPN_CHOSEN, protocol);
        }
        let (session, length) = &self.session;
        let offered = session.get(..usize::from(*length)).unwrap_or_default();
        let is_same_session = !is_1_3 && !offered.is_empty() && offered == hello.session_id;
        if is_same_session || hello.resumes_by_key() {
            facts.number(&field::RESUMED, 1);
        }
        after
    }
}

/// Says a cipher suite by its name, or as 0x and four digits.
pub fn say_cipher(number: u16, facts: &mut Facts<'_>) {
    if let Some(name) = names::cipher(number) {
        facts.text(&field::CIPHER, name.as_bytes());
        return;
    }
    let [high, low] = number.to_be_bytes();
    let ([a, b], [c, d]) = (hex::octet(high), hex::octet(low));
    facts.text(&field::CIPHER, &[b'0', b'x', a, b, c, d]);
}

/// Puts handshake messages together that are spread over records, bounded.
#[derive(Clone, Debug, Default)]
pub struct Defragmenter {
    held: Vec<u8>,
}

/// Longest message that is put together: a chain of certificates may be long, but this holds forty of them.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Splits the first whole message off: its kind, its body and what follows.
fn split_message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let mut cursor = crate::dissect::cursor::Cursor::new(bytes);
    let kind = cursor.u8()?;
    let length = usize::try_from(cursor.u24()?).ok()?;
    let body = cursor.take(length)?;
    Some((kind, body, cursor.rest()))
}

/// Whether `bytes` may be the beginning of a message.
fn may_begin(bytes: &[u8]) -> bool {
    match *bytes {
        [] => true,
        [kind] | [kind, _] => is_kind(kind),
        [kind, top, ..] => is_kind(kind) && top == 0,
    }
}

impl Defragmenter {
    /// Takes the content of one record and gives the messages that are whole now to `take`, until that returns
    /// false. False: this is no sequence of handshake messages, or too long.
    pub fn push(&mut self, fragment: &[u8], mut take: impl FnMut(u8, &[u8]) -> bool) -> bool {
        let mut held = std::mem::take(&mut self.held);
        let whole = if held.is_empty() {
            fragment
        } else {
            held.extend_from_slice(fragment);
            &held
        };
        let mut rest = whole;
        while let Some((kind, body, behind)) = split_message(rest) {
            if !is_kind(kind) || !take(kind, body) {
                return is_kind(kind);
            }
            rest = behind;
        }
        if !may_begin(rest) || rest.len() > LONGEST_MESSAGE {
            return false;
        }
        self.held = if rest.len() == held.len() {
            held
        } else {
            rest.to_vec()
        };
        true
    }

    /// The body of the message that is not whole yet, if it is a ClientHello.
    #[must_use]
    pub fn unfinished_client_hello(&self) -> Option<&[u8]> {
        match self.held.as_slice() {
            [kind::CLIENT_HELLO, _, _, _, body @ ..] => Some(body),
            _ => None,
        }
    }

    /// Whether the next fragment begins a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_for_any_cut_into_records() {
        let mut bytes = vec![2, 0, 0, 3, 1, 2, 3, 14, 0, 0, 0];
        bytes.extend([11, 0, 1, 4]);
        bytes.extend([9; 260]);
        for size in 1..bytes.len() {
            let mut defragmenter = Defragmenter::default();
            let mut lengths = Vec::new();
            for piece in bytes.chunks(size) {
                assert!(defragmenter.push(piece, |kind, body| {
                    lengths.push((kind, body.len()));
                    true
                }));
            }
            assert_eq!(lengths, [(2, 3), (14, 0), (11, 260)], "pieces of {size}");
            assert!(defragmenter.is_empty());
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert!(!Defragmenter::default().push(&[0x77, 0, 0, 1, 1], |_, _| true));
        assert!(!Defragmenter::default().push(&[11, 0x10, 0, 0, 1], |_, _| true));
    }
}

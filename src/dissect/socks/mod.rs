//! SOCKS: versions 4 (the NEC memo of Koblas and Lee), 4a (name in place of an address) and 5 (RFC 1928, RFC 1929).
//!
//! Two octets in front are no proof, so the server's answer must fit before the flow is called SOCKS. After the
//! server agreed to connect, whatever follows is probed again from there. Passwords are passed over, never said.
//! Who opened the connection need not be who asks (`reversed.rs`).

mod reversed;

use std::net::IpAddr;

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Version: 4 or 5.
pub const VERSION: Field = Field::of_flow("socks.version");
/// What the client asks for, as `name:port` or `address:port`.
pub const TARGET: Field = Field::of_flow("socks.target");
/// The same where it is an address.
pub const TARGET_ADDRESS: Field = Field::of_flow("socks.target_address");
/// `connect`, `bind` or `udp-associate`.
pub const COMMAND: Field = Field::of_flow("socks.command");
/// Authentication method that the server chose (RFC 1928, 3): 0 none, 1 GSSAPI, 2 user name, 255 refused.
pub const METHOD: Field = Field::of_flow("socks.method");
/// User name or identifier.
pub const USER: Field = Field::of_flow("socks.user");
/// The server's answer to the request: 0 (version 5) and 90 (version 4) are success.
pub const REPLY: Field = Field::of_flow("socks.reply");
/// 1 where the side that opened the connection is the proxy.
pub const REVERSED: Field = Field::of_flow("socks.reversed");

/// Methods that a client offers at most (assigned are ten; RFC 1928 allows 255).
const MOST_METHODS: usize = 16;
const REFUSED: u8 = 0xff;
const LONGEST_TEXT: usize = 256;

/// Recognises SOCKS.
pub struct Socks;

impl Dissector for Socks {
    fn name(&self) -> &'static str {
        "socks"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &VERSION,
            &TARGET,
            &TARGET_ADDRESS,
            &COMMAND,
            &METHOD,
            &USER,
            &REPLY,
            &REVERSED,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let forward = match head.to_server.first() {
            Some(5) => probe_five(head.to_server, head.to_client),
            Some(4) => probe_four(head.to_server, head.to_client),
            _ => Probe::No,
        };
        match (forward, head.to_client) {
            // A few octets and nothing else: perhaps a preamble.
            (Probe::No, []) if head.to_server.len() <= reversed::LONGEST_PREAMBLE => Probe::Wait,
            (Probe::No, [5, ..]) => reversed::probe(head.to_server, head.to_client),
            _ => forward,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Negotiation {
            stage: Stage::Greeting,
            asker: None,
        })
    }
}

/// Assigned methods 0 to 9 and the private range (RFC 1928, 3; IANA "SOCKS Methods").
const fn is_method(octet: u8) -> bool {
    matches!(octet, 0..=9 | 0x80..=0xfe)
}

fn probe_five(to_server: &[u8], to_client: &[u8]) -> Probe {
    let Some(&count) = to_server.get(1) else {
        return Probe::Wait;
    };
    let count = usize::from(count);
    if count == 0 || count > MOST_METHODS {
        return Probe::No;
    }
    let behind = to_server.get(2..).unwrap_or_default();
    let (methods, behind) = behind.split_at_checked(count).unwrap_or((behind, &[]));
    if !methods.iter().copied().all(is_method) {
        return Probe::No;
    }
    match to_client {
        [] | [5] => Probe::Wait,
        [5, method, answer @ ..] if methods.len() == count => {
            let is_chosen = methods.contains(method) || *method == REFUSED;
            Probe::when(is_chosen && goes_on(*method, behind, answer))
        }
        _ => Probe::No,
    }
}

/// Whether what both sides say behind a method, as far as it is there, is what that method is followed by: a request and its reply
/// (RFC 1928, 4 and 6), or name and password and their reply (RFC 1929, 2).
const fn goes_on(method: u8, behind: &[u8], answer: &[u8]) -> bool {
    match method {
        0 => {
            matches!(
                behind,
                [] | [5] | [5, 1..=3] | [5, 1..=3, 0] | [5, 1..=3, 0, 1 | 3 | 4, ..]
            ) && matches!(answer, [] | [5] | [5, 0..=8] | [5, 0..=8, 0, ..])
        }
        2 => matches!(behind, [] | [1, ..]) && matches!(answer, [] | [1, ..]),
        _ => true,
    }
}

fn probe_four(to_server: &[u8], to_client: &[u8]) -> Probe {
    if to_server.get(1).is_some_and(|command| !matches!(command, 1 | 2)) {
        return Probe::No;
    }
    match (FourRequest::read(&mut Cursor::new(to_server)), to_client) {
        (None, _) if to_server.len() > LONGEST_TEXT.saturating_mul(2) => Probe::No,
        (None, []) | (Some(_), [] | [0]) => Probe::Wait,
        (Some(_), [0, 90..=93, ..]) if to_client.len() < 8 => Probe::Wait,
        (Some(_), [0, 90..=93, ..]) => Probe::Yes,
        _ => Probe::No,
    }
}

/// A request of version 4 or 4a.
struct FourRequest<'a> {
    command: u8,
    port: u16,
    address: [u8; 4],
    user: &'a [u8],
    name: Option<&'a [u8]>,
}

impl<'a> FourRequest<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let [4, command] = cursor.array()? else {
            return None;
        };
        let port = cursor.u16()?;
        let address = cursor.array()?;
        let user = terminated(cursor)?;
        // 0.0.0.x with x not zero: a name follows (SOCKS 4A).
        let name = match address {
            [0, 0, 0, last] if last != 0 => Some(terminated(cursor)?),
            _ => None,
        };
        Some(Self {
            command,
            port,
            address,
            user,
            name,
        })
    }
}

/// A string up to its zero octet.
fn terminated<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let end = cursor
        .rest()
        .iter()
        .take(LONGEST_TEXT)
        .position(|octet| *octet == 0)?;
    let text = cursor.take(end)?;
    cursor.skip(1)?;
    Some(text)
}

/// What is expected next, and from whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Method,
    Credentials,
    CredentialsReply,
    Request,
    Reply { is_last: bool },
    FourReply { is_last: bool },
}

impl Stage {
    /// Whether who asks for the connection speaks, not who is to make it.
    const fn is_askers(self) -> bool {
        match self {
            Self::Greeting | Self::Credentials | Self::Request => true,
            Self::Method | Self::CredentialsReply | Self::Reply { .. } | Self::FourReply { .. } => false,
        }
    }
}

/// What a message led to.
enum Step {
    To(Stage),
    Granted,
    Over,
}

struct Negotiation {
    stage: Stage,
    /// Who greeted.
    asker: Option<Side>,
}

impl Negotiation {
    /// Finds out who asks, from the first side that greets.
    fn listen(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) {
        let greets = match input.side {
            Side::Client => matches!(input.bytes, [4, ..]) || reversed::greeting(input.bytes).is_some(),
            Side::Server => reversed::greeting(input.bytes).is_some(),
        };
        if greets && self.asker.is_none() {
            self.asker = Some(input.side);
            if input.side == Side::Server {
                facts.number(&REVERSED, 1);
            }
        }
    }
}

impl Dissection for Negotiation {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap {
            return Next::Done;
        }
        self.listen(input, facts);
        let mut cursor = Cursor::new(input.bytes);
        let is_asker = self.asker == Some(input.side);
        if self.asker == Some(Side::Server) && self.stage == Stage::Method && !is_asker {
            let Some(at) = reversed::choice(input.bytes) else {
                return Next::More(0);
            };
            let _ = cursor.skip(at);
        }
        loop {
            if self.asker.is_none() || self.stage.is_askers() != is_asker || cursor.is_empty() {
                return Next::More(cursor.position());
            }
            let mut ahead = cursor.clone();
            let Some(step) = take_message(self.stage, &mut ahead, facts) else {
                return Next::More(cursor.position());
            };
            cursor = ahead;
            match step {
                Step::To(stage) => self.stage = stage,
                Step::Granted => return Next::Become("", cursor.position()),
                Step::Over => return Next::Done,
            }
        }
    }
}

/// Reads one whole message; facts are said only when it is complete.
fn take_message(stage: Stage, cursor: &mut Cursor<'_>, facts: &mut Facts<'_>) -> Option<Step> {
    Some(match stage {
        Stage::Greeting if cursor.peek()? == 4 => {
            let request = FourRequest::read(cursor)?;
            facts.number(&VERSION, 4);
            say_command(request.command, facts);
            facts.text(&USER, request.user);
            match request.name {
                Some(name) => say_name(name, request.port, facts),
                None => say_address(IpAddr::from(request.address), request.port, facts),
            }
            Step::To(Stage::FourReply {
                is_last: request.command == 1,
            })
        }
        Stage::Greeting => {
            cursor.u8()?;
            cursor.prefixed_u8()?;
            facts.number(&VERSION, 5);
            Step::To(Stage::Method)
        }
        Stage::Method => {
            let [_, method] = cursor.array()?;
            facts.number(&METHOD, u64::from(method));
            match method {
                0 => Step::To(Stage::Request),
                2 => Step::To(Stage::Credentials),
                _ => Step::Over,
            }
        }
        Stage::Credentials => {
            cursor.u8()?;
            let user = cursor.prefixed_u8()?;
            cursor.prefixed_u8()?;
            facts.text(&USER, user);
            Step::To(Stage::CredentialsReply)
        }
        Stage::CredentialsReply => match cursor.array()? {
            [_, 0] => Step::To(Stage::Request),
            _ => Step::Over,
        },
        Stage::Request => {
            let [5, command, _] = cursor.array()? else {
                return Some(Step::Over);
            };
            let target = Target::read(cursor)?;
            say_command(command, facts);
            match target {
                Target::Unknown => return Some(Step::Over),
                Target::Address(ip, port) => say_address(ip, port, facts),
                Target::Name(name, port) => say_name(name, port, facts),
            }
            Step::To(Stage::Reply {
                is_last: command != 2,
            })
        }
        Stage::Reply { is_last } => {
            let [5, code, _] = cursor.array()? else {
                return Some(Step::Over);
            };
            Target::read(cursor)?;
            after_reply(code, code == 0, is_last, Stage::Reply { is_last: true }, facts)
        }
        Stage::FourReply { is_last } => {
            let [_, code] = cursor.array()?;
            cursor.skip(6)?;
            after_reply(
                code,
                code == 90,
                is_last,
                Stage::FourReply { is_last: true },
                facts,
            )
        }
    })
}

/// BIND is answered twice: when the server listens and when somebody came (RFC 1928, 6).
fn after_reply(code: u8, is_granted: bool, is_last: bool, again: Stage, facts: &mut Facts<'_>) -> Step {
    facts.number(&REPLY, u64::from(code));
    match (is_granted, is_last) {
        (true, true) => Step::Granted,
        (true, false) => Step::To(again),
        (false, _) => Step::Over,
    }
}

enum Target<'a> {
    Address(IpAddr, u16),
    Name(&'a [u8], u16),
    /// An address type that was never assigned.
    Unknown,
}

impl<'a> Target<'a> {
    /// Address type, address, port (RFC 1928, 5).
    fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        Some(match cursor.u8()? {
            1 => {
                let octets: [u8; 4] = cursor.array()?;
                Self::Address(IpAddr::from(octets), cursor.u16()?)
            }
            3 => {
                let name = cursor.prefixed_u8()?;
                Self::Name(name, cursor.u16()?)
            }
            4 => {
                let octets: [u8; 16] = cursor.array()?;
                Self::Address(IpAddr::from(octets), cursor.u16()?)
            }
            _ => Self::Unknown,
        })
    }
}

fn say_command(command: u8, facts: &mut Facts<'_>) {
    let name: &[u8] = match command {
        1 => b"connect",
        2 => b"bind",
        3 => b"udp-associate",
        _ => b"",
    };
    facts.text(&COMMAND, name);
}

fn say_address(ip: IpAddr, port: u16, facts: &mut Facts<'_>) {
    let text = std::net::SocketAddr::new(ip, port).to_string();
    facts.text(&TARGET, text.as_bytes());
    facts.endpoint(&TARGET_ADDRESS, ip, port);
}

fn say_name(name: &[u8], port: u16, facts: &mut Facts<'_>) {
    let mut text = name.to_vec();
    text.extend_from_slice(format!(":{port}").as_bytes());
    facts.text(&TARGET, &text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    fn trial() -> Trial {
        Trial::new(&[&Socks], Layer::Tcp, (40_000, 9_999))
    }

    const NAMED: &[u8] = b"\x05\x01\x00\x03\x0bexample.com\x01\xbb";
    const GRANTED: &[u8] = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";

    #[test]
    fn version_five_with_a_user_gives_target_and_hands_over() {
        let mut trial = trial();
        trial.payload(Side::Client, b"\x05\x02\x00\x02");
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Server, b"\x05\x02");
        assert_eq!(trial.probed, Probe::Yes);
        trial.payload(Side::Client, b"\x01\x03bob\x06secret");
        trial.payload(Side::Server, b"\x01\x00");
        trial.payload(Side::Client, NAMED);
        trial.payload(Side::Server, GRANTED);
        assert_eq!(trial.said("socks.target"), ["example.com:443"]);
        assert_eq!(trial.said("socks.user"), ["bob"]);
        assert_eq!(trial.said("socks.command"), ["connect"]);
        assert_eq!(trial.next, Some(Next::Become("", GRANTED.len())));
    }

    #[test]
    fn version_four_a_gives_the_name() {
        let mut trial = trial();
        trial.payload(
            Side::Client,
            b"\x04\x01\x00\x50\x00\x00\x00\x01me\x00host.example\x00",
        );
        trial.payload(Side::Server, b"\x00\x5a\x00\x00\x00\x00\x00\x00");
        assert_eq!(trial.said("socks.target"), ["host.example:80"]);
        assert_eq!(trial.next, Some(Next::Become("", 8)));
    }

    #[test]
    fn an_address_of_version_six_is_written_with_brackets() {
        let mut trial = trial();
        trial.payload(Side::Client, b"\x05\x01\x00");
        trial.payload(Side::Server, b"\x05\x00");
        let mut request = b"\x05\x01\x00\x04".to_vec();
        request.extend("2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
        request.extend([0, 22]);
        trial.payload(Side::Client, &request);
        assert_eq!(trial.said("socks.target"), ["[2001:db8::7]:22"]);
        assert_eq!(trial.said("socks.target_address"), ["2001:db8::7 22"]);
    }

    #[test]
    fn a_proxy_that_calls_its_controller_is_one_with_or_without_a_preamble() {
        for preamble in [&b""[..], b"NZ\x8d\x08\x87\x4e", &[0x41; 64]] {
            let mut trial = trial();
            trial.payload(Side::Client, preamble);
            for octet in b"\x05\x01\x00" {
                trial.payload(Side::Server, &[*octet]);
                assert_eq!(trial.probed, Probe::Wait, "{preamble:?}");
            }
            trial.payload(Side::Client, b"\x05\x00");
            assert_eq!(trial.probed, Probe::Yes, "{preamble:?}");
            trial.payload(Side::Server, NAMED);
            trial.payload(Side::Client, GRANTED);
            assert_eq!(trial.said("socks.target"), ["example.com:443"]);
            assert_eq!(trial.said("socks.reversed"), ["1"]);
            assert_eq!(trial.next, Some(Next::Become("", GRANTED.len())));
        }
    }

    #[test]
    fn a_greeting_from_the_server_alone_is_no_proof() {
        for (to_server, to_client) in [
            (&b"hello"[..], &b"\x05\x01\x00GET /"[..]),
            (b"\x05\x02", b"\x05\x01\x00"),
            (&[7; 80], b"\x05\x01\x00"),
            (b"hello", b"\x05\x00\x0c\x03"),
        ] {
            let mut trial = trial();
            trial.payload(Side::Client, to_server);
            trial.payload(Side::Server, to_client);
            assert_eq!(trial.probed, Probe::No, "{to_server:?} {to_client:?}");
        }
    }

    #[test]
    fn an_answer_that_was_not_offered_is_refused() {
        let mut trial = trial();
        trial.payload(Side::Client, b"\x05\x01\x00");
        trial.payload(Side::Server, b"\x05\x02");
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn truncated_negotiations_are_survived() {
        survives_every_truncation(
            &Socks,
            Layer::Tcp,
            &[
                (Side::Client, b"\x05\x02\x00\x02"),
                (Side::Server, b"\x05\x02"),
                (Side::Client, b"\x01\x03bob\x06secret"),
                (Side::Server, b"\x01\x00"),
                (Side::Client, NAMED),
                (Side::Server, GRANTED),
            ],
        );
    }
}

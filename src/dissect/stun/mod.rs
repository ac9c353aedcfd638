//! STUN (RFC 8489; classic form RFC 3489), its use by TURN (RFC 8656) and ICE (RFC 8445): public addresses and peers.
//!
//! It shares a flow with what it makes way for (DTLS, RTP, QUIC: RFC 7983); such datagrams are released to others. Addresses
//! are said when they change: checks are repeated every few seconds for as long as a session lasts.

pub mod message;

use std::net::IpAddr;

use self::message::{Class, HEADER_LENGTH, Message, attribute, method};
use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::address::Address;
use crate::model::fact::{Facts, Field};
use crate::model::identity::ContentId;
use crate::model::segment::Layer;

/// Ports of STUN and TURN servers: RFC 8489, and those that large services added.
const PORTS: [u16; 3] = [3478, 3479, 19302];

/// Address of the asker as the answerer sees it.
pub const MAPPED: Field = Field::of_event("stun.mapped");
/// Address of a peer, with whom a relay shall exchange data.
pub const PEER: Field = Field::of_event("stun.peer");
/// Address of a peer to whom a channel is bound (RFC 8656, 11): clients of ICE bind one for the pair that carries data.
pub const CHANNEL_PEER: Field = Field::of_event("stun.channel_peer");
/// Address that a relay gave.
pub const RELAYED: Field = Field::of_event("stun.relayed");
/// Server to ask instead.
pub const ALTERNATE: Field = Field::of_event("stun.alternate");
/// Program of the sender.
pub const SOFTWARE: Field = Field::of_flow("stun.software");
/// User name; in ICE the names of both sides with a colon between.
pub const USERNAME: Field = Field::of_flow("stun.username");
/// Realm of the credentials.
pub const REALM: Field = Field::of_flow("stun.realm");
/// Page on whose behalf the client asks.
pub const ORIGIN: Field = Field::of_flow("stun.origin");
/// First method of the flow: 1 binding, 3 allocate, ...
pub const METHOD: Field = Field::of_flow("stun.method");

/// STUN, TURN and ICE in datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Stun;

/// The same in a stream; a dissection is not told what it stands on, so each transport has its own. Fields are those of [`Stun`].
#[derive(Clone, Copy, Debug)]
pub struct StunOverTcp;

impl Dissector for Stun {
    fn name(&self) -> &'static str {
        "stun"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &MAPPED,
            &PEER,
            &CHANNEL_PEER,
            &RELAYED,
            &ALTERNATE,
            &SOFTWARE,
            &USERNAME,
            &REALM,
            &ORIGIN,
            &METHOD,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let Some(message) = Message::read(head.newest()) else {
            return Probe::No;
        };
        if usize::try_from(head.length_on_wire) != Ok(message.length) {
            return Probe::No;
        }
        if message.has_cookie {
            return Probe::Yes;
        }
        probe_classic(head, &message)
    }

    fn opening(&self) -> Opening {
        // The two top bits are zero.
        Opening::with(|first| first < 0x40)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Datagrams>::default()
    }

    fn follows(&self) -> bool {
        true
    }

    fn is_carrier(&self) -> bool {
        true
    }
}

impl Dissector for StunOverTcp {
    fn name(&self) -> &'static str {
        "stun"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    /// The cookie behind type and length, also behind the length that RFC 4571 puts before each message.
    fn probe(&self, head: &Head<'_>) -> Probe {
        let stream = if head.to_server.is_empty() {
            head.to_client
        } else {
            head.to_server
        };
        let too_short = stream.len() < HEADER_LENGTH.saturating_add(2);
        match Framing::of(stream) {
            Some(_) => Probe::Yes,
            None if too_short && stream.first().is_some_and(|&octet| octet < 2) => Probe::Wait,
            None => Probe::No,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Stream>::default()
    }

    fn follows(&self) -> bool {
        true
    }

    fn is_carrier(&self) -> bool {
        true
    }
}

/// Without the cookie (RFC 3489) the attributes must tell; a bare request is believed on its port, or once it is answered.
fn probe_classic(head: &Head<'_>, message: &Message<'_>) -> Probe {
    // Binding and shared secret were the only methods.
    if !matches!(message.method, 1 | 2) || message.class == Class::Indication || !message.is_whole() {
        return Probe::No;
    }
    // The attributes of RFC 3489, 11.2, the masked address of its drafts, and the server's name that followed.
    let known = |kind: u16| matches!(kind, 1..=11 | 0x8020 | 0x8022);
    if !message.attributes().all(|(kind, _)| known(kind)) {
        return Probe::No;
    }
    let on_port = PORTS.iter().any(|&port| head.has_port(port));
    if on_port || message.length > HEADER_LENGTH {
        Probe::Yes
    } else {
        Probe::Wait
    }
}

/// How messages stand in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// One behind the other (RFC 8489, 6.2.2).
    Bare,
    /// Each behind its two-octet length (RFC 4571, for ICE over TCP: RFC 6544).
    Prefixed,
}

impl Framing {
    fn of(stream: &[u8]) -> Option<Self> {
        let message = |bytes| Message::read(bytes).filter(|message| message.has_cookie);
        if message(stream).is_some() {
            return Some(Self::Bare);
        }
        let mut cursor = Cursor::new(stream);
        let length = usize::from(cursor.u16()?);
        (message(cursor.rest())?.length == length).then_some(Self::Prefixed)
    }
}

/// A flow of datagrams.
#[derive(Debug, Default)]
struct Datagrams(Session);

impl Dissection for Datagrams {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let message = Message::read(input.bytes);
        if let Some(message) = message.filter(|message| {
            usize::try_from(input.length_on_wire) == Ok(message.length)
                && (message.has_cookie || message.method == method::BINDING)
        }) {
            self.0.take(&message, facts);
            Next::More(0)
        } else if self.0.relayed && is_channel_data(input.bytes) {
            Next::More(0)
        } else {
            Next::Release
        }
    }
}

/// A connection.
#[derive(Debug, Default)]
struct Stream {
    session: Session,
    framing: Option<Framing>,
}

impl Dissection for Stream {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap {
            return Next::Done;
        }
        if self.framing.is_none() {
            self.framing = Framing::of(input.bytes);
        }
        let Some(framing) = self.framing else {
            return Next::More(0);
        };
        let mut cursor = Cursor::new(input.bytes);
        let mut consumed = 0;
        loop {
            let unit = match framing {
                Framing::Bare => next_bare(&mut cursor),
                Framing::Prefixed => cursor.prefixed_u16().map_or(Unit::Incomplete, Unit::Whole),
            };
            let bytes = match unit {
                Unit::Whole(bytes) => bytes,
                Unit::Incomplete => return Next::More(consumed),
                Unit::Foreign => return Next::Done,
            };
            consumed = cursor.position();
            if let Some(message) = Message::read(bytes).filter(|message| message.has_cookie)
                && self.session.take(&message, facts) == Take::DataFollows
            {
                return Next::Become("", consumed);
            }
        }
    }
}

/// What a message leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Message,
    /// The peer's own bytes follow in this connection (RFC 6062, 5.3).
    DataFollows,
}

/// What was said in one flow.
#[derive(Debug, Default)]
struct Session {
    named: bool,
    /// A relay was asked for: datagrams that begin with a channel's number are its own.
    relayed: bool,
    said: [u64; 12],
    next: usize,
}

impl Session {
    fn take(&mut self, message: &Message<'_>, facts: &mut Facts<'_>) -> Take {
        if !self.named {
            self.named = true;
            facts.number(&METHOD, u64::from(message.method));
        }
        // Everything but bindings speaks of a relay.
        self.relayed |= (method::ALLOCATE..=method::LAST).contains(&message.method);
        for (kind, value) in message.attributes() {
            let (field, address) = match kind {
                attribute::XOR_MAPPED_ADDRESS | attribute::XOR_MAPPED_ADDRESS_DRAFT => {
                    (&MAPPED, message.masked_address(value))
                }
                attribute::MAPPED_ADDRESS => (&MAPPED, Message::plain_address(value)),
                attribute::XOR_PEER_ADDRESS => (&PEER, message.masked_address(value)),
                attribute::XOR_RELAYED_ADDRESS => (&RELAYED, message.masked_address(value)),
                attribute::ALTERNATE_SERVER => (&ALTERNATE, Message::plain_address(value)),
                _ => {
                    self.say_text(kind, value, facts);
                    continue;
                }
            };
            if let Some((address, port)) = address {
                self.say_address(field, address, port, facts);
                if kind == attribute::XOR_PEER_ADDRESS && message.method == method::CHANNEL_BIND {
                    self.say_address(&CHANNEL_PEER, address, port, facts);
                }
            }
        }
        if message.method == method::CONNECTION_BIND && message.class == Class::Success {
            Take::DataFollows
        } else {
            Take::Message
        }
    }

    fn say_address(&mut self, field: &Field, address: IpAddr, port: u16, facts: &mut Facts<'_>) {
        let parts: [&[u8]; 3] = [
            &field.id.0.to_le_bytes(),
            &Address::from(address).0,
            &port.to_le_bytes(),
        ];
        if self.is_new(&parts) {
            facts.endpoint(field, address, port);
        }
    }

    fn say_text(&mut self, kind: u16, value: &[u8], facts: &mut Facts<'_>) {
        let field = match kind {
            attribute::SOFTWARE => &SOFTWARE,
            attribute::USERNAME => &USERNAME,
            attribute::REALM => &REALM,
            attribute::ORIGIN => &ORIGIN,
            _ => return,
        };
        // Microsoft's and older senders fill texts up with zeros.
        let end = value.iter().rposition(|&octet| octet != 0);
        let text = end.and_then(|end| value.get(..=end)).unwrap_or_default();
        if self.is_new(&[&field.id.0.to_le_bytes(), text]) {
            facts.text(field, text);
        }
    }

    /// Whether this is not among the last things said; from now on it is.
    fn is_new(&mut self, parts: &[&[u8]]) -> bool {
        let hash = ContentId::of(parts).0;
        if self.said.contains(&hash) {
            return false;
        }
        if let Some(place) = self.said.get_mut(self.next) {
            *place = hash;
        }
        self.next = self.next.saturating_add(1);
        if self.next >= self.said.len() {
            self.next = 0;
        }
        true
    }
}

/// The next piece of a stream.
enum Unit<'a> {
    Whole(&'a [u8]),
    Incomplete,
    Foreign,
}

/// A message, or a channel's data filled up to four octets (RFC 8656, 12.5).
fn next_bare<'a>(cursor: &mut Cursor<'a>) -> Unit<'a> {
    let mut ahead = cursor.clone();
    let (Some(kind), Some(length)) = (ahead.u16(), ahead.u16()) else {
        return Unit::Incomplete;
    };
    let length = usize::from(length);
    let whole = match kind >> 14 {
        0 => length.saturating_add(HEADER_LENGTH),
        1 => length.saturating_add(length.wrapping_neg() & 3).saturating_add(4),
        _ => return Unit::Foreign,
    };
    cursor.take(whole).map_or(Unit::Incomplete, Unit::Whole)
}

/// A channel's data in a datagram: number 0x4000 to 0x7fff (RFC 5766; 0x4fff at most since RFC 8656), length, data.
fn is_channel_data(datagram: &[u8]) -> bool {
    let mut cursor = Cursor::new(datagram);
    matches!(
        (cursor.u16(), cursor.u16()),
        (Some(0x4000..=0x7fff), Some(length)) if usize::from(length) <= cursor.remaining()
    )
}

#[cfg(test)]
mod tests;

//! OpenVPN over UDP and TCP: opcode, session identifiers and the protection of the control channel.
//!
//! Layouts as in the project's "OpenVPN Wire Protocol" document. The first octet is an opcode of five bits and a key of
//! three; over TCP two octets of length come before. A control packet says its sender's session in eight octets, then:
//! * plain: acknowledgements, packet identifier;
//! * tls-auth: a digest of 16 to 64 octets, replay counter and time, then as plain;
//! * tls-crypt: replay counter, time and a tag of 32 octets; the rest is encrypted. Version 2 appends a wrapped key.
//!
//! One packet that fits is no proof: a reset must come twice with one session, or be answered in the same protection and, where it is
//! readable, with the session that was asked. In the middle of a flow only data packets of version 2 under an AEAD cipher can be told, by
//! one peer and rising packet identifiers. The control channel carries TLS: hellos and certificates that nothing hides are said as in TLS.

mod acknowledged;
mod control;
pub mod lengths;
mod reset;
pub mod scrambled;

use self::acknowledged::Acknowledged;
use self::control::Control;
use self::reset::{
    CLIENT_RESET_V1, CLIENT_RESET_V2, CLIENT_RESET_V3, Protection, Reset, SERVER_RESET_V1, SERVER_RESET_V2,
};
use super::cursor::Cursor;
use super::tls::field as tls;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe, Seen};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Protection of the control channel: `plain`, `tls-auth`, `tls-crypt`, `tls-crypt-v2`; `xor` for scrambled forms ([`scrambled`]).
pub const PROTECTION: Field = Field::of_flow("openvpn.protection");
/// Session identifier of one side, 8 octets.
pub const SESSION: Field = Field::of_flow("openvpn.session");
/// How long after a control packet over UDP its acknowledgement came, in nanoseconds; said by who acknowledges, once for each.
pub const ROUND_TRIP: Field = Field::of_flow("openvpn.round_trip");

const CONTROL: u8 = 4;
const ACKNOWLEDGEMENT: u8 = 5;
const SOFT_RESET: u8 = 3;
const DATA_V1: u8 = 6;
const DATA_V2: u8 = 9;
const WRAPPED_CONTROL: u8 = 11;

/// Data packets of one side that must agree.
const DATA_PACKETS: usize = 4;
/// How far two data packets near each other may be apart.
const LARGEST_STEP: u32 = 256;
/// Messages after which nothing new is to be expected: old versions cut their certificates into pieces of 100 octets.
const MOST_MESSAGES: u8 = 128;
/// Round trips that are said of a flow: a handshake with a long chain of certificates has some dozens.
const MOST_ROUND_TRIPS: u8 = 24;

static FIELDS: &[&Field] = &[
    &PROTECTION,
    &SESSION,
    &ROUND_TRIP,
    &tls::SNI,
    &tls::ALPN,
    &tls::ALPN_CHOSEN,
    &tls::VERSION,
    &tls::VERSION_OFFERED,
    &tls::CIPHER,
    &tls::JA3,
    &tls::JA3S,
    &tls::JA4,
    &tls::CLIENT_RANDOM,
    &tls::RESUMPTION_OFFERED,
    &tls::RESUMED,
    &tls::SUBJECT,
    &tls::ISSUER,
    &tls::NAME,
    &tls::NOT_BEFORE,
    &tls::NOT_AFTER,
    &tls::FINGERPRINT,
    &tls::SERIAL,
    &tls::SELF_SIGNED,
    &tls::CLIENT_SUBJECT,
    &tls::CLIENT_ISSUER,
    &tls::CLIENT_NAME,
    &tls::CLIENT_NOT_BEFORE,
    &tls::CLIENT_NOT_AFTER,
    &tls::CLIENT_FINGERPRINT,
    &tls::CLIENT_SERIAL,
    &tls::CLIENT_SELF_SIGNED,
];

/// Recognises OpenVPN.
pub struct OpenVpn;

impl Dissector for OpenVpn {
    fn name(&self) -> &'static str {
        "openvpn"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp, Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.layer == Layer::Tcp {
            return probe_stream(head.to_server, head.to_client);
        }
        let bytes = head.newest();
        let Some(&first) = bytes.first() else {
            return Probe::No;
        };
        match first >> 3 {
            CLIENT_RESET_V1 | SERVER_RESET_V1 | CLIENT_RESET_V2 | SERVER_RESET_V2 | CLIENT_RESET_V3 => {
                let Some(reset) = Reset::read(bytes, head.length_on_wire) else {
                    return Probe::No;
                };
                let is_confirmed = head.earlier.iter().any(|seen| {
                    Reset::read(seen.bytes(), seen.length_on_wire)
                        .is_some_and(|before| reset.fits(&before, seen.side == head.side))
                });
                if is_confirmed { Probe::Yes } else { Probe::Wait }
            }
            CONTROL | ACKNOWLEDGEMENT | WRAPPED_CONTROL => {
                let session = bytes.get(1..9);
                let is_confirmed = head.earlier.iter().any(|seen| {
                    seen.side == head.side
                        && seen.bytes().get(1..9) == session
                        && Reset::read(seen.bytes(), seen.length_on_wire).is_some()
                });
                if is_confirmed { Probe::Yes } else { Probe::Wait }
            }
            DATA_V2 => probe_data(head),
            _ => Probe::No,
        }
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| {
            matches!(
                first >> 3,
                1 | 2 | 7 | 8 | 10 | CONTROL | ACKNOWLEDGEMENT | WRAPPED_CONTROL | DATA_V2
            )
        })
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Tunnel::default())
    }

    /// Until the handshake is over or `MOST_MESSAGES` went by: a chain of certificates takes more datagrams than a flow
    /// otherwise gets, with an acknowledgement for each.
    fn follows(&self) -> bool {
        true
    }
}

/// First packet of a stream and what follows it.
fn framed<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.u16()?;
    cursor.take(usize::from(length))
}

fn probe_stream(to_server: &[u8], to_client: &[u8]) -> Probe {
    let mut resets = [None, None];
    let mut is_incomplete = false;
    for (reset, bytes) in resets.iter_mut().zip([to_server, to_client]) {
        let mut cursor = Cursor::new(bytes);
        match framed(&mut cursor) {
            Some(packet) => {
                let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
                let Some(found) = Reset::read(packet, length) else {
                    return Probe::No;
                };
                let again = framed(&mut cursor).and_then(|packet| packet.get(1..9));
                if again == Some(&found.session[..]) {
                    return Probe::Yes;
                }
                *reset = Some(found);
            }
            // A reset with the largest wrapped key stays below two kilobytes.
            None if bytes.first().is_some_and(|high| *high > 7) => return Probe::No,
            None if bytes.get(2).is_some_and(|first| first & 7 != 0) => return Probe::No,
            None => is_incomplete = true,
        }
    }
    match resets {
        [Some(client), Some(server)] if client.fits(&server, false) => Probe::Yes,
        [Some(_), Some(_)] => Probe::No,
        [None, None] if !is_incomplete => Probe::No,
        _ => Probe::Wait,
    }
}

/// Head of four octets (opcode, key, peer) and the packet identifier under an AEAD cipher.
fn data_head(bytes: &[u8]) -> Option<([u8; 4], u32)> {
    let mut cursor = Cursor::new(bytes);
    let head = cursor.array::<4>()?;
    let [first, ..] = head;
    (first >> 3 == DATA_V2).then_some((head, cursor.u32()?))
}

fn probe_data(head: &Head<'_>) -> Probe {
    let Some((opening, identifier)) = data_head(head.newest()) else {
        return Probe::No;
    };
    let mut last = None;
    let mut agreeing: usize = 1;
    let earlier = head.earlier.iter().filter(|seen| seen.side == head.side);
    for (before_opening, before) in earlier.filter_map(|seen: &Seen| data_head(seen.bytes())) {
        let is_rising = last.is_none_or(|last: u32| before.wrapping_sub(last).wrapping_sub(1) < LARGEST_STEP);
        if before_opening != opening || !is_rising {
            return Probe::No;
        }
        last = Some(before);
        agreeing = agreeing.saturating_add(1);
    }
    let is_rising = last.is_none_or(|last| identifier.wrapping_sub(last).wrapping_sub(1) < LARGEST_STEP);
    match (is_rising, agreeing >= DATA_PACKETS) {
        (true, true) => Probe::Yes,
        (true, false) => Probe::Wait,
        (false, _) => Probe::No,
    }
}

#[derive(Default)]
struct Tunnel {
    messages: u8,
    protection: Option<Protection>,
    said_session: [bool; 2],
    control: Option<Control>,
    acknowledged: Acknowledged,
    round_trips: u8,
    /// The handshake is over: nothing more of it is to be measured.
    carries_data: bool,
}

impl Dissection for Tunnel {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut cursor = Cursor::new(input.bytes);
        // A datagram starts with an opcode, which is never zero in its upper half where a stream has its length.
        let is_stream = input.bytes.first().is_some_and(|first| *first <= 7);
        if is_stream {
            while !input.after_gap && self.messages < MOST_MESSAGES {
                let mut ahead = cursor.clone();
                let Some(packet) = framed(&mut ahead) else {
                    return Next::More(cursor.position());
                };
                self.packet(
                    packet,
                    u32::try_from(packet.len()).unwrap_or(u32::MAX),
                    input.side,
                    facts,
                );
                cursor = ahead;
            }
        } else {
            self.packet(input.bytes, input.length_on_wire, input.side, facts);
            self.measure(input, facts);
        }
        let is_measuring = !is_stream && !self.carries_data;
        let has_ended = self.said_session == [true; 2] && self.is_hidden_from_here() && !is_measuring;
        if has_ended || self.messages >= MOST_MESSAGES || input.after_gap {
            Next::Done
        } else {
            Next::More(cursor.position())
        }
    }
}

impl Tunnel {
    /// Whether nothing more of the control channel can be read.
    fn is_hidden_from_here(&self) -> bool {
        match self.protection {
            None | Some(Protection::TlsCrypt) => true,
            Some(Protection::Plain | Protection::TlsAuth(_)) => {
                self.control.as_ref().is_some_and(Control::has_ended)
            }
        }
    }

    /// Says the round trip that a datagram ends.
    fn measure(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) {
        let (Some(&first), Some(behind_session), Some(protection)) =
            (input.bytes.first(), input.bytes.get(9..), self.protection)
        else {
            return;
        };
        let opcode = first >> 3;
        self.carries_data |= matches!(opcode, DATA_V1 | DATA_V2);
        if self.carries_data || matches!(opcode, 0 | SOFT_RESET) || self.round_trips >= MOST_ROUND_TRIPS {
            return;
        }
        let at = facts.stamp.at;
        let span = self
            .acknowledged
            .packet(protection, first, behind_session, input.side, at);
        if let Some(span) = span.and_then(|span| u64::try_from(span).ok()) {
            self.round_trips = self.round_trips.saturating_add(1);
            facts.number(&ROUND_TRIP, span);
        }
    }

    fn packet(&mut self, bytes: &[u8], length: u32, side: Side, facts: &mut Facts<'_>) {
        self.messages = self.messages.saturating_add(1);
        let Some(&first) = bytes.first() else {
            return;
        };
        let opcode = first >> 3;
        if self.protection.is_none() {
            self.protection = match opcode {
                CONTROL => bytes.get(9..).and_then(control::protection),
                _ => Reset::read(bytes, length).map(|reset| reset.protection),
            };
            let name: &[u8] = match self.protection {
                Some(Protection::Plain) => b"plain",
                Some(Protection::TlsAuth(_)) => b"tls-auth",
                Some(Protection::TlsCrypt) if opcode == CLIENT_RESET_V3 => b"tls-crypt-v2",
                Some(Protection::TlsCrypt) => b"tls-crypt",
                None => b"",
            };
            if !name.is_empty() {
                facts.text(&PROTECTION, name);
            }
        }
        let has_session = !matches!(opcode, 0 | SOFT_RESET | DATA_V1 | DATA_V2);
        if let (true, Some(session), Some(said)) = (
            has_session,
            bytes.get(1..9),
            self.said_session.get_mut(side.index()),
        ) && !*said
        {
            *said = true;
            facts.bytes(&SESSION, session);
        }
        // A later key is negotiated under its own number; the first says all.
        if let (Some(protection), Some(behind_session), CONTROL, 0) =
            (self.protection, bytes.get(9..), opcode, first & 7)
        {
            let control = self.control.get_or_insert_with(Control::new);
            let is_whole = usize::try_from(length) == Ok(bytes.len());
            if is_whole && !control.has_ended() {
                control.packet(protection, behind_session, side, facts);
            }
        }
    }
}

#[cfg(test)]
mod tests;

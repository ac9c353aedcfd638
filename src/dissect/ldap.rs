//! LDAP (RFC 4511) as far as its way into TLS (4.14): the outer shape of its messages, in BER.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// The name as which the client binds.
pub static BIND: Field = Field::of_flow("ldap.bind");

/// Object identifier of the extended operation that starts TLS.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Longest message that is waited for.
const LONGEST: usize = 16 << 10;

/// Messages of both sides after which TLS is no longer expected.
const MOST_MESSAGES: u8 = 24;

/// Operations (application tags).
const BIND_REQUEST: u8 = 0x60;
const SEARCH_REQUEST: u8 = 0x63;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;

/// LDAP over TCP.
#[derive(Debug)]
pub struct Ldap;

/// The outside of a message.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    operation: u8,
    /// Content of the operation, as much as is there.
    body: &'a [u8],
    /// Octets of the whole message.
    length: usize,
}

/// A length of one to five octets.
fn ber_length(cursor: &mut Cursor<'_>) -> Option<usize> {
    let first = cursor.u8()?;
    if first < 0x80 {
        return Some(usize::from(first));
    }
    let mut length = 0_usize;
    for _ in 0..Some(first & 0x7f).filter(|octets| (1..=4).contains(octets))? {
        length = length << 8 | usize::from(cursor.u8()?);
    }
    Some(length)
}

fn message(bytes: &[u8]) -> Option<Message<'_>> {
    let mut cursor = Cursor::new(bytes);
    if cursor.u8()? != 0x30 {
        return None;
    }
    let content = ber_length(&mut cursor)?;
    let length = cursor.position().checked_add(content)?;
    if cursor.u8()? != 0x02 {
        return None;
    }
    let identifier = cursor.prefixed_u8()?;
    if !(1..=4).contains(&identifier.len()) {
        return None;
    }
    let operation = cursor.u8()?;
    let inner = ber_length(&mut cursor)?;
    // The operation must end within the message.
    if cursor.position().checked_add(inner)? > length {
        return None;
    }
    Some(Message {
        operation,
        body: cursor.take_up_to(inner),
        length,
    })
}

/// Whether a client's message has the shape that its operation asks for.
fn is_request(message: &Message<'_>) -> bool {
    match message.operation {
        BIND_REQUEST => matches!(message.body, [2, 1, 2 | 3, 4, ..]),
        SEARCH_REQUEST => message.body.first() == Some(&4),
        EXTENDED_REQUEST => message.body.first() == Some(&0x80),
        _ => false,
    }
}

/// Whether a server's message begins with a result code, or with the name of an entry.
fn is_response(message: &Message<'_>) -> bool {
    match message.operation {
        0x61 | 0x65 | EXTENDED_RESPONSE => matches!(message.body, [0x0a, 1, _, 4, ..]),
        0x64 => message.body.first() == Some(&4),
        _ => false,
    }
}

static FIELDS: &[&Field] = &[&BIND];

impl Dissector for Ldap {
    fn name(&self) -> &'static str {
        "ldap"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let newest = head.newest();
        if newest.first() != Some(&0x30) {
            return Probe::No;
        }
        // Either side's message will do: who opened a flow may have been guessed.
        match message(newest) {
            Some(message) if is_request(&message) || is_response(&message) => Probe::Yes,
            None if newest.len() < 12 => Probe::Wait,
            _ => Probe::No,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(LdapDissection {
            asked: false,
            messages: 0,
        })
    }
}

/// One connection.
#[derive(Debug)]
struct LdapDissection {
    asked: bool,
    messages: u8,
}

impl Dissection for LdapDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut consumed: usize = 0;
        while !(self.asked && input.side == Side::Client) {
            let rest = input.bytes.get(consumed..).unwrap_or_default();
            let Some(message) = message(rest) else {
                return if rest.len() > 16 {
                    Next::Done
                } else {
                    Next::More(consumed)
                };
            };
            if message.length > LONGEST || self.messages > MOST_MESSAGES {
                return Next::Done;
            }
            if rest.len() < message.length {
                return Next::More(consumed);
            }
            consumed = consumed.saturating_add(message.length);
            self.messages = self.messages.saturating_add(1);
            match message.operation {
                BIND_REQUEST => {
                    let mut cursor = Cursor::new(message.body.get(4..).unwrap_or_default());
                    if let Some(name) = cursor.prefixed_u8() {
                        facts.text(&BIND, name);
                    }
                    return Next::Done;
                }
                EXTENDED_REQUEST => {
                    let name = Cursor::new(message.body.get(1..).unwrap_or_default()).prefixed_u8();
                    self.asked = name == Some(START_TLS);
                }
                EXTENDED_RESPONSE if self.asked => {
                    self.asked = false;
                    if message.body.starts_with(&[0x0a, 1, 0]) {
                        return Next::Become("tls", consumed);
                    }
                }
                _ => {}
            }
        }
        Next::More(consumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::drive::Drive;

    #[test]
    fn the_extended_operation_hands_over_to_tls() {
        let mut request = vec![0x30, 29, 2, 1, 1, 0x77, 24, 0x80, 22];
        request.extend(START_TLS);
        let response = [0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0];
        for size in 1..=request.len() {
            let mut drive = Drive::new(&Ldap);
            for piece in request.chunks(size) {
                drive.stream(Side::Client, piece);
            }
            let next = drive.stream(Side::Server, &response);
            assert_eq!(
                next,
                Some(Next::Become("tls", response.len())),
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn lengths_of_four_octets_are_read_and_endless_ones_are_not() {
        let bind = [
            0x30, 0x84, 0, 0, 0, 16, 2, 1, 1, 0x60, 0x84, 0, 0, 0, 7, 2, 1, 3, 4, 0, 0x80, 0,
        ];
        assert!(is_request(&message(&bind).unwrap()));
        assert!(message(&[0x30, 0x88, 1, 1, 1, 1, 1, 1, 1, 1]).is_none());
    }
}

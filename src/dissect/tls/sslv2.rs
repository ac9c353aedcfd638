//! Hellos in the form of SSL 2.0, which clients used up to 2010 to offer SSL 3.0 and TLS as well (RFC 5246, E.2;
//! draft-hickman-netscape-ssl-00).

use super::{certificate, field, names};
use crate::dissect::cursor::Cursor;
use crate::model::fact::Facts;

/// What the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A client's; the highest version that it offers.
    ClientHello(u16),
    /// A server's, which speaks SSL 2.0 itself; its certificate.
    ServerHello(&'a [u8]),
}

/// Whether the first bytes can be such a hello: enough for a probe.
#[must_use]
pub fn is_hello(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    let Some(length) = length(&mut cursor) else {
        return false;
    };
    match cursor.u8() {
        Some(1) => client(&mut cursor, length).is_some(),
        Some(4) => server_lengths(&mut cursor, length).is_some(),
        _ => false,
    }
}

/// Reads a whole message: it and its length, or nothing if it is not one or not all there.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Message<'_>, usize)> {
    let mut cursor = Cursor::new(bytes);
    let length = length(&mut cursor)?;
    let mut body = cursor.within(usize::from(length))?;
    let message = match body.u8()? {
        1 => Message::ClientHello(client(&mut body, length)?),
        4 => {
            let certificate = server_lengths(&mut body, length)?;
            Message::ServerHello(body.take(certificate)?)
        }
        _ => return None,
    };
    Some((message, cursor.position()))
}

/// The two-octet header: its highest bit is set, the others are the length.
fn length(cursor: &mut Cursor<'_>) -> Option<u16> {
    let header = cursor.u16()?;
    (header & 0x8000 != 0 && header & 0x7fff >= 11).then_some(header & 0x7fff)
}

/// Version of a client's hello whose three lengths add up to the length of the message.
fn client(cursor: &mut Cursor<'_>, length: u16) -> Option<u16> {
    let version = cursor.u16()?;
    let (ciphers, session, challenge) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    let whole = 9_u16
        .checked_add(ciphers)?
        .checked_add(session)?
        .checked_add(challenge)?;
    let is_sane = matches!(version, 0x0002 | 0x0300..=0x0303)
        && ciphers > 0
        && ciphers.is_multiple_of(3)
        && matches!(session, 0 | 16 | 32)
        && (16..=32).contains(&challenge)
        && whole == length;
    is_sane.then_some(version)
}

/// Length of the certificate in a server's hello whose three lengths add up.
fn server_lengths(cursor: &mut Cursor<'_>, length: u16) -> Option<usize> {
    let hit = cursor.u8()?;
    let kind = cursor.u8()?;
    let version = cursor.u16()?;
    let (certificate, ciphers, connection) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    let whole = 11_u16
        .checked_add(certificate)?
        .checked_add(ciphers)?
        .checked_add(connection)?;
    let is_sane = hit <= 1 && kind <= 1 && version == 2 && ciphers.is_multiple_of(3) && whole == length;
    is_sane.then_some(usize::from(certificate))
}

/// Says what a message says.
pub fn say(message: Message<'_>, facts: &mut Facts<'_>) {
    match message {
        Message::ClientHello(version) => {
            if let Some(text) = names::version(version) {
                facts.text(&field::VERSION_OFFERED, text.as_bytes());
            }
        }
        Message::ServerHello(der) => {
            facts.text(&field::VERSION, b"SSLv2");
            if !der.is_empty() {
                certificate::say_leaf(der, certificate::Owner::Server, facts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_add_up_make_a_hello_and_others_do_not() {
        let mut hello = vec![0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 4];
        hello.extend([7; 16]);
        assert_eq!(read(&hello), Some((Message::ClientHello(0x0301), 30)));
        assert!(is_hello(&hello[..11]));
        for end in 0..hello.len() {
            assert_eq!(read(&hello[..end]), None);
        }
        hello[1] += 1;
        assert!(!is_hello(&hello));
    }
}

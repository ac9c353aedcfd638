//! The reader of STUN messages: header, attributes, plain and masked addresses (RFC 8489, 5 and 14).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dissect::cursor::Cursor;

/// The value that stands in every message since RFC 5389.
pub const MAGIC_COOKIE: u32 = 0x2112_a442;
/// Length of the header.
pub const HEADER_LENGTH: usize = 20;

/// Attributes that are read (IANA "STUN Attributes").
pub mod attribute {
    /// Address in the clear.
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    /// User name of the short- or long-term credentials, or both halves of ICE's.
    pub const USERNAME: u16 = 0x0006;
    /// Another peer's address, masked (RFC 8656).
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    /// Realm of the credentials.
    pub const REALM: u16 = 0x0014;
    /// Address that the relay gives, masked (RFC 8656).
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    /// Sender's address as the receiver sees it, masked.
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// The same before it had a number of its own (drafts of RFC 5389).
    pub const XOR_MAPPED_ADDRESS_DRAFT: u16 = 0x8020;
    /// Program of the sender.
    pub const SOFTWARE: u16 = 0x8022;
    /// Server to ask instead.
    pub const ALTERNATE_SERVER: u16 = 0x8023;
    /// Web page on whose behalf the client asks (draft; browsers sent it).
    pub const ORIGIN: u16 = 0x802f;
}

/// Methods (IANA "STUN Methods").
pub mod method {
    /// What is my address; also ICE's checks.
    pub const BINDING: u16 = 1;
    /// Give me an address at the relay (RFC 8656).
    pub const ALLOCATE: u16 = 3;
    /// Give my data for a peer a number instead of a header (RFC 8656).
    pub const CHANNEL_BIND: u16 = 9;
    /// The last one that RFC 8656 and RFC 6062 define.
    pub const LAST: u16 = 0x00c;
    /// Carry this connection's data from here on (RFC 6062).
    pub const CONNECTION_BIND: u16 = 0x00b;
}

/// Classes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Success.
    Success,
    /// Failure.
    Error,
}

/// A message whose header was read.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// What it asks for.
    pub method: u16,
    /// Whether it asks or answers.
    pub class: Class,
    /// Length of the whole message by its header.
    pub length: usize,
    /// Whether it carries the magic cookie; RFC 3489 had none.
    pub has_cookie: bool,
    /// Cookie and transaction identifier: the mask of addresses.
    mask: [u8; 16],
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header; the attributes may be cut.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u16()?;
        let length = cursor.u16()?;
        // The two top bits are zero, and attributes fill up to four octets.
        if kind & 0xc000 != 0 || length & 3 != 0 {
            return None;
        }
        let mask = cursor.array::<16>()?;
        Some(Self {
            // Bits 4 and 8 are the class, the others the method (RFC 8489, 5).
            method: kind & 0x000f | kind >> 1 & 0x0070 | kind >> 2 & 0x0f80,
            class: match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
                (false, false) => Class::Request,
                (false, true) => Class::Indication,
                (true, false) => Class::Success,
                (true, true) => Class::Error,
            },
            length: usize::from(length).saturating_add(HEADER_LENGTH),
            has_cookie: mask.first_chunk() == Some(&MAGIC_COOKIE.to_be_bytes()),
            mask,
            attributes: cursor.take_up_to(usize::from(length)),
        })
    }

    /// The attributes, type and value, up to the first that is cut.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes(Cursor::new(self.attributes))
    }

    /// Whether the attributes fill the message to its last octet.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut attributes = self.attributes();
        while attributes.next().is_some() {}
        attributes.0.is_empty() && self.attributes.len().saturating_add(HEADER_LENGTH) == self.length
    }

    /// An address in the clear.
    #[must_use]
    pub fn plain_address(value: &[u8]) -> Option<(IpAddr, u16)> {
        read_address(value, 0, &[0; 16])
    }

    /// An address masked with the cookie and, for IPv6, the transaction identifier (RFC 8489, 14.2).
    #[must_use]
    pub fn masked_address(&self, value: &[u8]) -> Option<(IpAddr, u16)> {
        let [high, low, ..] = self.mask;
        read_address(value, u16::from_be_bytes([high, low]), &self.mask)
    }
}

fn read_address(value: &[u8], port_mask: u16, mask: &[u8; 16]) -> Option<(IpAddr, u16)> {
    let mut cursor = Cursor::new(value);
    cursor.skip(1)?;
    let family = cursor.u8()?;
    let port = cursor.u16()? ^ port_mask;
    let address = match family {
        1 => {
            let [a, b, c, d, ..] = *mask;
            let mask = u32::from_be_bytes([a, b, c, d]);
            Ipv4Addr::from(cursor.u32()? ^ mask).into()
        }
        2 => {
            let octets = cursor.array::<16>()?;
            Ipv6Addr::from(u128::from_be_bytes(octets) ^ u128::from_be_bytes(*mask)).into()
        }
        _ => return None,
    };
    Some((address, port))
}

/// Walks attributes.
#[derive(Clone, Debug)]
pub struct Attributes<'a>(Cursor<'a>);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = self.0.clone();
        let kind = cursor.u16()?;
        let length = usize::from(cursor.u16()?);
        let value = cursor.take(length)?;
        cursor.take_up_to(length.wrapping_neg() & 3);
        self.0 = cursor;
        Some((kind, value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The sample responses of RFC 5769, 2.2 and 2.3, without their integrity and fingerprint.
    pub(crate) const IPV4_RESPONSE: &[u8] =
        b"\x01\x01\x00\x1c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
        \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";
    pub(crate) const IPV6_RESPONSE: &[u8] =
        b"\x01\x01\x00\x18\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";

    #[test]
    fn the_masked_addresses_of_rfc_5769_are_read() {
        for (bytes, expected) in [
            (IPV4_RESPONSE, "192.0.2.1"),
            (IPV6_RESPONSE, "2001:db8:1234:5678:11:2233:4455:6677"),
        ] {
            let message = Message::read(bytes).unwrap();
            assert_eq!((message.method, message.class), (method::BINDING, Class::Success));
            assert!(message.is_whole() && message.has_cookie);
            let (_, value) = message
                .attributes()
                .find(|(kind, _)| *kind == attribute::XOR_MAPPED_ADDRESS)
                .unwrap();
            assert_eq!(
                message.masked_address(value),
                Some((expected.parse().unwrap(), 32_853))
            );
        }
    }

    #[test]
    fn methods_are_put_together_around_the_class_bits() {
        let mut bytes = [0; 20];
        bytes[0] = 0x01;
        bytes[1] = 0x13;
        let message = Message::read(&bytes).unwrap();
        assert_eq!((message.method, message.class), (method::ALLOCATE, Class::Error));
    }
}

//! ClientHello and ServerHello: the two messages that every version of TLS sends in the clear.
//!
//! RFC 8446 4.1.2 and 4.1.3 (TLS 1.3), RFC 5246 7.4.1 (1.2), RFC 6347 4.2.1 (the cookie of DTLS), RFC 6066 3 (server
//! name), RFC 7301 (ALPN). Lists are kept as they stand on the wire, in their order, for the fingerprints.

use crate::dissect::cursor::Cursor;

/// Extension numbers (IANA, "TLS ExtensionType Values").
pub mod extension {
    /// server_name (RFC 6066).
    pub const SERVER_NAME: u16 = 0;
    /// supported_groups (RFC 8422).
    pub const GROUPS: u16 = 10;
    /// ec_point_formats (RFC 8422).
    pub const POINT_FORMATS: u16 = 11;
    /// signature_algorithms (RFC 8446).
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    /// application_layer_protocol_negotiation (RFC 7301).
    pub const ALPN: u16 = 16;
    /// session_ticket (RFC 5077).
    pub const SESSION_TICKET: u16 = 35;
    /// pre_shared_key (RFC 8446).
    pub const PRE_SHARED_KEY: u16 = 41;
    /// early_data (RFC 8446).
    pub const EARLY_DATA: u16 = 42;
    /// supported_versions (RFC 8446).
    pub const SUPPORTED_VERSIONS: u16 = 43;
    /// quic_transport_parameters (RFC 9001).
    pub const QUIC_PARAMETERS: u16 = 57;
    /// quic_transport_parameters before the RFC (drafts up to 32).
    pub const QUIC_PARAMETERS_DRAFT: u16 = 0xffa5;
    /// encrypted_client_hello (draft-ietf-tls-esni).
    pub const ENCRYPTED_HELLO: u16 = 0xfe0d;
    /// encrypted_server_name, its predecessor.
    pub const ENCRYPTED_NAME: u16 = 0xffce;
}

/// Whether a number was reserved so that peers learn to ignore unknown ones (GREASE, RFC 8701): 0x0a0a, 0x1a1a, ...
#[must_use]
pub const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && high & 0x0f == 0x0a
}

/// The two-octet numbers of a list.
pub fn numbers(list: &[u8]) -> impl Iterator<Item = u16> {
    list.as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair))
}

/// What a client offers.
#[derive(Clone, Debug)]
pub struct ClientHello<'a> {
    /// `legacy_version`.
    pub version: u16,
    /// 32 octets.
    pub random: [u8; 32],
    /// Session to be resumed, or what middleboxes expect to see.
    pub session_id: &'a [u8],
    /// Cipher suites, two octets each.
    pub ciphers: &'a [u8],
    /// The extensions block without its length; empty where there is none.
    pub extensions: &'a [u8],
    /// Whether all of it was there.
    pub complete: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message; `has_cookie` for DTLS. A body that ends early still gives what is in it.
    #[must_use]
    pub fn read(body: &'a [u8], has_cookie: bool) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let version = cursor.u16()?;
        let random = cursor.array()?;
        let session_id = cursor.prefixed_u8()?;
        if has_cookie {
            cursor.prefixed_u8()?;
        }
        let wanted = usize::from(cursor.u16()?);
        let ciphers = cursor.take_up_to(wanted);
        let compression = cursor.prefixed_u8();
        let mut complete = ciphers.len() == wanted && compression.is_some();
        let wanted = usize::from(cursor.u16().unwrap_or(0));
        let extensions = cursor.take_up_to(wanted);
        complete &= extensions.len() == wanted;
        Some(Self {
            version,
            random,
            session_id,
            ciphers,
            extensions,
            complete,
        })
    }

    /// The extensions in their order.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions(Cursor::new(self.extensions))
    }

    /// The first extension of a kind.
    #[must_use]
    pub fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        self.extensions()
            .find(|(found, _)| *found == kind)
            .map(|(_, body)| body)
    }

    /// The host name in the server_name extension, as sent (upper case stays upper case).
    #[must_use]
    pub fn server_name(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.extension(extension::SERVER_NAME)?);
        let length = usize::from(cursor.u16()?);
        let mut list = Cursor::new(cursor.take_up_to(length));
        while let Some(kind) = list.u8() {
            let name = list.prefixed_u16()?;
            if kind == 0 {
                return Some(name).filter(|name| !name.is_empty());
            }
        }
        None
    }

    /// The application protocols offered, in order of preference.
    #[must_use]
    pub fn protocols(&self) -> Protocols<'a> {
        Protocols::of(self.extension(extension::ALPN))
    }

    /// The list in supported_versions, if that was sent.
    pub fn supported_versions(&self) -> impl Iterator<Item = u16> + use<'a> {
        let list = self
            .extension(extension::SUPPORTED_VERSIONS)
            .and_then(|body| Cursor::new(body).prefixed_u8());
        numbers(list.unwrap_or_default())
    }

    /// A list of numbers behind a two-octet length inside an extension.
    pub fn listed(&self, kind: u16) -> impl Iterator<Item = u16> + use<'a> {
        let list = self
            .extension(kind)
            .and_then(|body| Cursor::new(body).prefixed_u16());
        numbers(list.unwrap_or_default())
    }
}

/// What a server chose.
#[derive(Clone, Debug)]
pub struct ServerHello<'a> {
    /// `legacy_version`: the version chosen, up to TLS 1.2.
    pub legacy_version: u16,
    /// 32 octets.
    pub random: [u8; 32],
    /// The session resumed or opened.
    pub session_id: &'a [u8],
    /// The cipher suite chosen.
    pub cipher: u16,
    extensions: &'a [u8],
}

/// The random that makes a ServerHello a HelloRetryRequest: SHA-256 of that word (RFC 8446, 4.1.3).
pub const RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl<'a> ServerHello<'a> {
    /// Reads the body of the message. The drafts 18 to 21 of TLS 1.3 left session and compression out.
    #[must_use]
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = cursor.u16()?;
        let random = cursor.array()?;
        let early_draft = matches!(legacy_version, 0x7f12..=0x7f15);
        let session_id = if early_draft {
            &[][..]
        } else {
            cursor.prefixed_u8()?
        };
        let cipher = cursor.u16()?;
        if !early_draft {
            cursor.u8()?;
        }
        let wanted = usize::from(cursor.u16().unwrap_or(0));
        Some(Self {
            legacy_version,
            random,
            session_id,
            cipher,
            extensions: cursor.take_up_to(wanted),
        })
    }

    /// Whether it asks the client to offer again.
    #[must_use]
    pub fn is_retry_request(&self) -> bool {
        self.random == RETRY_REQUEST
    }

    /// The extensions in their order.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions(Cursor::new(self.extensions))
    }

    fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        self.extensions()
            .find(|(found, _)| *found == kind)
            .map(|(_, body)| body)
    }

    /// The version chosen.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.extension(extension::SUPPORTED_VERSIONS)
            .and_then(|body| Cursor::new(body).u16())
            .unwrap_or(self.legacy_version)
    }

    /// The application protocol chosen, where that is in the clear (up to TLS 1.2).
    #[must_use]
    pub fn protocol(&self) -> Option<&'a [u8]> {
        Protocols::of(self.extension(extension::ALPN)).next()
    }

    /// Whether the server accepted a key from an earlier session (TLS 1.3).
    #[must_use]
    pub fn resumes_by_key(&self) -> bool {
        self.extension(extension::PRE_SHARED_KEY).is_some()
    }
}

/// Walks an extensions block; ends where an extension is not whole.
#[derive(Clone, Debug)]
pub struct Extensions<'a>(Cursor<'a>);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.u16()?, self.0.prefixed_u16()?))
    }
}

/// Walks a list of application protocols.
#[derive(Clone, Debug)]
pub struct Protocols<'a>(Cursor<'a>);

impl<'a> Protocols<'a> {
    fn of(extension: Option<&'a [u8]>) -> Self {
        let list = extension.and_then(|body| Cursor::new(body).prefixed_u16());
        Self(Cursor::new(list.unwrap_or_default()))
    }
}

impl<'a> Iterator for Protocols<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.prefixed_u8()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_hello_gives_name_protocols_and_versions() {
        let body = sample::client_hello_body();
        let hello = ClientHello::read(&body, false).unwrap();
        assert!(hello.complete);
        assert_eq!(hello.server_name(), Some(&b"farm.example"[..]));
        assert_eq!(hello.protocols().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
        assert_eq!(
            hello.supported_versions().collect::<Vec<_>>(),
            [0x1a1a, 0x0304, 0x0303]
        );
    }

    #[test]
    fn every_cut_of_a_hello_is_read_without_a_name_that_was_not_sent() {
        let body = sample::client_hello_body();
        for end in 0..body.len() {
            let Some(hello) = ClientHello::read(&body[..end], false) else {
                continue;
            };
            // Without its extensions block a hello is complete by the rules of SSL 3.0.
            assert!(!hello.complete || hello.extensions.is_empty());
            assert!(hello.server_name().is_none_or(|name| name == b"farm.example"));
        }
    }

    #[test]
    fn reserved_values_are_told_from_real_ones() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x0a1a) && !is_grease(0x1301) && !is_grease(0x0b0b));
    }
}

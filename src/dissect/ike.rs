//! IKE: version 1 (RFC 2408, RFC 2409) and version 2 (RFC 7296), on UDP 500, behind the non-ESP marker on 4500
//! (RFC 3948), and in TCP (RFC 9329).
//!
//! The header says its own length, which must be the datagram's, beside version and exchange type: enough on any port.
//! On port 500 a wrong length is forgiven.
//! Payloads are read until the encrypted part. Vendor identifiers are named where a vendor published them or where
//! they are text.

use super::cursor::Cursor;
use super::esp::{NAT_TRAVERSAL_PORT, header as esp_header, is_keep_alive};
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Major version: 1 or 2.
pub const VERSION: Field = Field::of_flow("ike.version");
/// Kind of the first exchange: `main`, `aggressive`, `sa-init`, …
pub const EXCHANGE: Field = Field::of_flow("ike.exchange");
/// The initiator's index, 8 octets: the same on ports 500 and 4500.
pub const INITIATOR_SPI: Field = Field::of_flow("ike.initiator_spi");
/// Product behind a vendor identifier, each once.
pub const VENDOR: Field = Field::of_flow("ike.vendor");
/// Vendor identifiers that are not known.
pub const VENDOR_ID: Field = Field::of_flow("ike.vendor_id");
/// The sender offers detection of address translation.
pub const NAT_DETECTION: Field = Field::of_flow("ike.nat_detection");
/// Identity that aggressive mode sends in the clear: a name or a group.
pub const IDENTITY: Field = Field::of_flow("ike.identity");
/// Index of an ESP packet that followed on the same ports, once for each side.
pub const ESP_SPI: Field = Field::of_flow("ike.esp_spi");

const PORT: u16 = 500;
const HEADER_LENGTH: u32 = 28;
/// Prefix of a TCP stream that carries IKE and ESP (RFC 9329, 4).
const STREAM_PREFIX: &[u8] = b"IKETCP";
const MOST_PAYLOADS: usize = 64;
/// Datagrams after which the clear part is over even where one side was never seen.
const MOST_MESSAGES: u8 = 16;

/// Recognises IKE.
pub struct Ike;

impl Dissector for Ike {
    fn name(&self) -> &'static str {
        "ike"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &VERSION,
            &EXCHANGE,
            &INITIATOR_SPI,
            &VENDOR,
            &VENDOR_ID,
            &NAT_DETECTION,
            &IDENTITY,
            &ESP_SPI,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp, Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.layer == Layer::Tcp {
            return match head.to_server.get(..STREAM_PREFIX.len()) {
                Some(prefix) if prefix == STREAM_PREFIX => Probe::Yes,
                None if !head.to_server.is_empty() && STREAM_PREFIX.starts_with(head.to_server) => {
                    Probe::Wait
                }
                _ => Probe::No,
            };
        }
        let is_home = head.has_port(PORT);
        let found = Message::in_datagram(head.newest(), head.length_on_wire);
        if found.is_some_and(|message| message.is_whole || is_home) {
            return Probe::Yes;
        }
        // Keep-alives and ESP may come first on the shared port.
        if head.has_port(NAT_TRAVERSAL_PORT)
            && (is_keep_alive(head.newest()) || esp_header(head.newest()).is_some())
        {
            return Probe::Wait;
        }
        Probe::No
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Exchange::default())
    }
}

/// A message whose header is believable.
struct Message<'a> {
    initiator: [u8; 8],
    next: u8,
    major: u8,
    exchange: &'static str,
    is_encrypted: bool,
    /// Whether the length in the header is the datagram's.
    is_whole: bool,
    payloads: Cursor<'a>,
}

impl<'a> Message<'a> {
    /// With or without the four zero octets that tell it from ESP.
    fn in_datagram(bytes: &'a [u8], length_on_wire: u32) -> Option<Self> {
        match bytes.strip_prefix(&[0, 0, 0, 0]) {
            Some(rest) => Self::read(rest, length_on_wire.checked_sub(4)?),
            None => Self::read(bytes, length_on_wire),
        }
    }

    fn read(bytes: &'a [u8], length_on_wire: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let initiator = cursor.array::<8>()?;
        cursor.skip(8)?;
        let next = cursor.u8()?;
        let version = cursor.u8()?;
        let kind = cursor.u8()?;
        let flags = cursor.u8()?;
        cursor.skip(4)?;
        let length = cursor.u32()?;
        let exchange = exchange_name(version >> 4, kind)?;
        let spare_flags = if version >> 4 == 1 { 0xf8 } else { 0xc7 };
        let is_believable = initiator != [0; 8] && flags & spare_flags == 0;
        is_believable.then_some(Self {
            initiator,
            next,
            major: version >> 4,
            exchange,
            is_whole: length == length_on_wire && length >= HEADER_LENGTH,
            is_encrypted: version >> 4 == 1 && flags & 1 != 0,
            payloads: cursor,
        })
    }
}

/// Exchange types (RFC 2408, 3.1; RFC 2409; RFC 7296, 3.1; RFC 9242).
const fn exchange_name(major: u8, kind: u8) -> Option<&'static str> {
    Some(match (major, kind) {
        (1, 1) => "base",
        (1, 2) => "main",
        (1, 3) => "authentication-only",
        (1, 4) => "aggressive",
        (1, 6) => "transaction",
        (1, 32) => "quick",
        (1, 33) => "new-group",
        (2, 34) => "sa-init",
        (2, 35) => "auth",
        (2, 36) => "create-child-sa",
        (1, 5) | (2, 37) => "informational",
        (2, 38) => "session-resume",
        (2, 43) => "intermediate",
        _ => return None,
    })
}

#[derive(Default)]
struct Exchange {
    messages: u8,
    said_esp: [bool; 2],
    vendors: u32,
    said_nat_detection: bool,
    /// Version, exchange and index were said.
    is_started: bool,
    /// The prefix of RFC 9329 was seen.
    is_stream: bool,
}

impl Dissection for Exchange {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut cursor = Cursor::new(input.bytes);
        if input.bytes.starts_with(STREAM_PREFIX) {
            self.is_stream = true;
            let _ = cursor.skip(STREAM_PREFIX.len());
        }
        if !self.is_stream {
            self.take(input, input.bytes, input.length_on_wire, facts);
            return if self.messages >= MOST_MESSAGES {
                Next::Done
            } else {
                Next::More(0)
            };
        }
        // In TCP every message stands behind its length, which counts itself (RFC 9329, 3).
        loop {
            let mut ahead = cursor.clone();
            let Some(length) = ahead.u16().and_then(|length| length.checked_sub(2)) else {
                return Next::More(cursor.position());
            };
            let Some(message) = ahead.take(usize::from(length)) else {
                return Next::More(cursor.position());
            };
            self.take(input, message, u32::from(length), facts);
            if esp_header(message).is_some() || self.messages >= MOST_MESSAGES {
                return Next::Done;
            }
            cursor = ahead;
        }
    }
}

impl Exchange {
    fn take(&mut self, input: &Input<'_>, bytes: &[u8], length_on_wire: u32, facts: &mut Facts<'_>) {
        self.messages = self.messages.saturating_add(1);
        let Some(message) = Message::in_datagram(bytes, length_on_wire) else {
            if let (Some((index, _)), Some(said)) =
                (esp_header(bytes), self.said_esp.get_mut(input.side.index()))
                && !*said
            {
                *said = true;
                facts.number(&ESP_SPI, u64::from(index));
            }
            return;
        };
        if !self.is_started {
            self.is_started = true;
            facts.number(&VERSION, u64::from(message.major));
            facts.text(&EXCHANGE, message.exchange.as_bytes());
            facts.bytes(&INITIATOR_SPI, &message.initiator);
        }
        if !message.is_encrypted {
            self.payloads(&message, facts);
        }
    }

    /// Walks the chain of payloads (RFC 7296, 3.2; the same in RFC 2408, 3.2) up to the first encrypted one.
    fn payloads(&mut self, message: &Message<'_>, facts: &mut Facts<'_>) {
        let mut cursor = message.payloads.clone();
        let mut kind = message.next;
        for _ in 0..MOST_PAYLOADS {
            let read = || -> Option<(u8, &[u8])> {
                let next = cursor.u8()?;
                cursor.u8()?;
                let length = usize::from(cursor.u16()?).checked_sub(4)?;
                Some((next, cursor.take(length)?))
            };
            let mut read = read;
            // 0: none; 46 and 53: encrypted (RFC 7296, 3.14; RFC 7383, 2.5).
            if matches!(kind, 0 | 46 | 53) {
                return;
            }
            let Some((next, body)) = read() else {
                return;
            };
            match (message.major, kind) {
                (1, 13) | (2, 43) => self.vendor(body, facts),
                // NAT-D of RFC 3947 and of its drafts.
                (1, 20 | 130) => self.nat_detection(facts),
                (1, 5) if message.exchange == "aggressive" => say_identity(body, facts),
                (2, 41)
                    if matches!(
                        Cursor::new(body.get(2..).unwrap_or_default()).u16(),
                        Some(16_388 | 16_389)
                    ) =>
                {
                    self.nat_detection(facts);
                }
                _ => {}
            }
            kind = next;
        }
    }

    fn nat_detection(&mut self, facts: &mut Facts<'_>) {
        if !self.said_nat_detection {
            self.said_nat_detection = true;
            facts.number(&NAT_DETECTION, 1);
        }
    }

    fn vendor(&mut self, identifier: &[u8], facts: &mut Facts<'_>) {
        let Some((place, (_, name))) = VENDORS
            .iter()
            .enumerate()
            .find(|(_, (prefix, _))| identifier.starts_with(prefix))
        else {
            if !CAPABILITIES.iter().any(|prefix| identifier.starts_with(prefix)) {
                facts.bytes(&VENDOR_ID, identifier);
            }
            return;
        };
        let bit = 1_u32.checked_shl(u32::try_from(place).unwrap_or(0)).unwrap_or(0);
        if self.vendors & bit == 0 {
            self.vendors |= bit;
            facts.text(&VENDOR, name.as_bytes());
        }
    }
}

/// Name identities (RFC 2407, 4.6.2.1): domain name, user at domain, key identifier, which Cisco uses for the group.
fn say_identity(body: &[u8], facts: &mut Facts<'_>) {
    if let Some((&[2 | 3 | 11, _, _, _], name)) = body.split_first_chunk::<4>() {
        facts.text(&IDENTITY, name);
    }
}

/// Vendor identifiers by their beginnings. Where it is not text, it is a digest that the vendor chose.
const VENDORS: &[(&[u8], &str)] = &[
    (
        b"\x88\x2f\xe5\x6d\x6f\xd2\x0d\xbc\x22\x51\x61\x3b\x2e\xbe\x5b\xeb",
        "strongswan",
    ),
    (
        b"\x12\xf5\xf2\x8c\x45\x71\x68\xa9\x70\x2d\x9f\xe2\x74\xcc",
        "cisco",
    ),
    (b"\x1f\x07\xf7\x0e\xaa\x65\x14\xd3\xb0\xfa\x96\x54\x2a", "cisco"),
    (b"CISCO", "cisco"),
    (b"FLEXVPN", "cisco"),
    (
        b"\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61",
        "microsoft",
    ),
    (
        b"\xfb\x1d\xe3\xcd\xf3\x41\xb7\xea\x16\xb7\xe5\xbe\x08\x55\xf1\x20",
        "microsoft",
    ),
    (
        b"\xe3\xa5\x96\x6a\x76\x37\x9f\xe7\x07\x22\x82\x31\xe5\xce\x86\x52",
        "microsoft",
    ),
    (b"\x82\x99\x03\x17\x57\xa3\x60\x82\xc6\xa6\x21\xde", "fortinet"),
    (
        b"\xf4\xed\x19\xe0\xc1\x14\xeb\x51\x6f\xaa\xac\x0e\xe3\x7d\xaf\x28\x07\xb4\x38\x1f",
        "checkpoint",
    ),
    (b"\x40\x4b\xf4\x39\x52\x2c\xa3\xf6", "sonicwall"),
    (
        b"\x70\x03\xcb\xc1\x09\x7d\xbe\x9c\x26\x00\xba\x69\x83\xbc\x8b\x35",
        "racoon",
    ),
    (b"OE-Libreswan-", "libreswan"),
    (b"OE", "openswan"),
];

/// Identifiers that announce an extension and no vendor: dead peer detection (RFC 3706), XAUTH, address translation
/// (RFC 3947 and two drafts), fragmentation.
const CAPABILITIES: &[&[u8]] = &[
    b"\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57",
    b"\x09\x00\x26\x89\xdf\xd6\xb7\x12",
    b"\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f",
    b"\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f",
    b"\xcd\x60\x46\x43\x35\xdf\x21\xf8\x7c\xfd\xb2\xfc\x68\xb6\xa4\x48",
    b"\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};
    use crate::model::fact::Side;

    fn message(version: u8, exchange: u8, payloads: &[(u8, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (index, (_, content)) in payloads.iter().enumerate() {
            body.push(payloads.get(index + 1).map_or(0, |(kind, _)| *kind));
            body.push(0);
            body.extend(u16::try_from(content.len() + 4).unwrap().to_be_bytes());
            body.extend(*content);
        }
        let mut bytes = vec![1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([
            payloads.first().map_or(0, |(kind, _)| *kind),
            version,
            exchange,
            if version == 0x20 { 8 } else { 0 },
        ]);
        bytes.extend([0; 4]);
        bytes.extend(u32::try_from(28 + body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn sa_init() -> Vec<u8> {
        message(
            0x20,
            34,
            &[
                (41, &[0, 0, 0x40, 0x04, 1, 2, 3]),
                (43, VENDORS[0].0),
                (43, b"novel"),
            ],
        )
    }

    #[test]
    fn version_two_names_vendor_and_translation_also_behind_the_marker() {
        let mut marked = vec![0; 4];
        marked.extend(sa_init());
        for bytes in [sa_init(), marked] {
            let mut trial = Trial::new(&[&Ike], Layer::Udp, (40_000, 4_500));
            trial.payload(Side::Client, &bytes);
            assert_eq!(trial.said("ike.version"), ["2"]);
            assert_eq!(trial.said("ike.exchange"), ["sa-init"]);
            assert_eq!(trial.said("ike.vendor"), ["strongswan"]);
            assert_eq!(trial.said("ike.vendor_id"), ["6e6f76656c"]);
            assert_eq!(trial.said("ike.nat_detection"), ["1"]);
            assert_eq!(trial.said("ike.initiator_spi"), ["0102030405060708"]);
        }
    }

    #[test]
    fn aggressive_mode_gives_the_group_away() {
        let mut trial = Trial::new(&[&Ike], Layer::Udp, (500, 500));
        trial.payload(Side::Client, &message(0x10, 4, &[(5, b"\x0b\x11\x01\xf4sales")]));
        assert_eq!(trial.said("ike.identity"), ["sales"]);
    }

    #[test]
    fn esp_on_the_same_ports_is_noted_once_for_each_side() {
        let mut trial = Trial::new(&[&Ike], Layer::Udp, (4_500, 4_500));
        let mut first = vec![0; 4];
        first.extend(sa_init());
        trial.payload(Side::Client, &first);
        for sequence in [1, 2] {
            trial.payload(Side::Server, &[0xc0, 0, 0, 1, 0, 0, 0, sequence, 5, 5, 5, 5]);
        }
        assert_eq!(trial.said("ike.esp_spi"), [0xc000_0001_u32.to_string()]);
    }

    #[test]
    fn in_tcp_the_prefix_and_lengths_frame_the_messages() {
        let mut stream = STREAM_PREFIX.to_vec();
        let mut marked = vec![0; 4];
        marked.extend(sa_init());
        stream.extend(u16::try_from(marked.len() + 2).unwrap().to_be_bytes());
        stream.extend(marked);
        let mut trial = Trial::new(&[&Ike], Layer::Tcp, (40_000, 4_500));
        for octet in stream {
            trial.payload(Side::Client, &[octet]);
        }
        assert_eq!(trial.said("ike.vendor"), ["strongswan"]);
        trial.payload(Side::Server, &[0, 10, 0xc0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(trial.said("ike.esp_spi"), [0xc000_0001_u32.to_string()]);
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn a_wrong_length_or_an_unknown_exchange_is_refused() {
        let mut longer = sa_init();
        longer.push(0);
        for bytes in [longer, message(0x20, 99, &[]), message(0x30, 34, &[])] {
            let mut trial = Trial::new(&[&Ike], Layer::Udp, (40_000, 501));
            trial.payload(Side::Client, &bytes);
            assert_eq!(trial.probed, Probe::No);
        }
    }

    #[test]
    fn truncated_messages_are_survived() {
        let bytes = sa_init();
        survives_every_truncation(&Ike, Layer::Udp, &[(Side::Client, &bytes)]);
        survives_every_truncation(
            &Ike,
            Layer::Tcp,
            &[(Side::Client, b"IKETCP\x00\x06\x00\x00\x00\x00")],
        );
    }
}

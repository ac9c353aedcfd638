//! MeshCentral's agent inside TLS, by the lengths of its first records alone: with a certificate of a public authority, or in TLS 1.3, nothing
//! readable names it.
//!
//! The agent writes each WebSocket frame in three parts, the head, the masking key (four octets: RFC 6455, 5.2) and the content, and
//! TLS makes a record of each (Ylianst/MeshAgent microstack/ILibWebClient.c, ILibWebClient_WebSocket_Send). What it says first is
//! among others its request for authentication: a command of two octets and two SHA-384 digests, 98 octets (meshcore/agentcore.c). So
//! behind the upgrade there come records of 2, 4 and n octets, again and again, and one n is 98. Read 2026-11-22.
//!
//! Only a client is read on whose hello leaves ALPN out and ends its list of ciphers as OpenSSL does, and no further than to the first record that
//! does not fit: nearly always the second or third behind its handshake.

use super::hello::{ClientHello, extension};
use super::record::{self, Header};

/// The list of ciphers ends with the promise of safe renegotiation (RFC 5746, 3.3), which OpenSSL puts there and others say otherwise.
const LAST_CIPHER: [u8; 2] = [0, 0xff];

/// What encryption adds to a record: type and tag in TLS 1.3 (RFC 8446, 5.2), the tag alone of ChaCha20 (RFC 7905), nonce and tag of GCM in TLS
/// 1.2 (RFC 5288, 3).
const OVERHEADS: [u16; 3] = [17, 16, 24];

/// Head of a frame of up to 125 octets without its masking key, and the key.
const HEAD: u16 = 2;
const KEY: u16 = 4;

/// The request for authentication.
const AUTHENTICATION: u16 = 98;

/// Octets of a record beyond which it is none of the agent's first: certificates of a client, the upgrade and the agent's own certificate are shorter.
pub(super) const LONGEST: u16 = 4_096;

/// Records before the first frame: the end of TLS 1.3's handshake, the upgrade, and one to spare.
const MOST_BEFORE: u8 = 3;

/// Frames among which the request must be.
const MOST_FRAMES: u8 = 8;

/// What facts call it.
pub(super) const NAME: &[u8] = b"meshcentral-agent";

/// Whether the agent may have made this hello.
pub(super) fn may_send(hello: &ClientHello<'_>) -> bool {
    hello.ciphers.ends_with(&LAST_CIPHER) && hello.extension(extension::ALPN).is_none()
}

/// What the client's records behind its hello say so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// They fit, or have not begun.
    GoesOn,
    /// They are the agent's.
    IsAgent,
    /// They are something else.
    IsOther,
}

/// The client's records, as far as they were read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    /// Records before the first frame.
    before: u8,
    /// What encryption adds, when frames have begun.
    overhead: Option<u16>,
    /// Records of the frames.
    parts: u8,
    has_asked: bool,
}

impl Frames {
    /// Takes the header of the client's next record.
    pub(super) fn push(&mut self, header: Header) -> Reading {
        if header.kind != record::APPLICATION_DATA {
            // Changes of cipher, and up to TLS 1.2 the end of the handshake.
            return if self.parts == 0 {
                Reading::GoesOn
            } else {
                Reading::IsOther
            };
        }
        let is = |octets: u16, overhead: u16| header.length == octets.saturating_add(overhead);
        let Some(overhead) = self.overhead else {
            self.overhead = OVERHEADS.into_iter().find(|overhead| is(HEAD, *overhead));
            if self.overhead.is_some() {
                self.parts = 1;
            } else {
                self.before = self.before.saturating_add(1);
            }
            return if self.before > MOST_BEFORE {
                Reading::IsOther
            } else {
                Reading::GoesOn
            };
        };
        let part = self.parts % 3;
        self.parts = self.parts.saturating_add(1);
        let fits = match part {
            0 => is(HEAD, overhead) || self.has_asked,
            1 => is(KEY, overhead),
            _ => true,
        };
        self.has_asked |= part == 2 && is(AUTHENTICATION, overhead);
        // Another frame goes before it (whom it wants to reach, what it is), so that chance has six records to meet and not three.
        if self.has_asked && self.parts >= 6 {
            return Reading::IsAgent;
        }
        if fits && self.parts < MOST_FRAMES.saturating_mul(3) {
            Reading::GoesOn
        } else {
            Reading::IsOther
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::drive::Drive;
    use super::super::{Tls, sample};
    use super::*;
    use crate::model::fact::Side;

    /// What the records of a client say, by their lengths without encryption's part.
    fn told(overhead: u16, lengths: &[u16]) -> Reading {
        let mut frames = Frames::default();
        let mut reading = frames.push(Header {
            kind: record::CHANGE_CIPHER_SPEC,
            length: 1,
        });
        for length in lengths {
            reading = frames.push(Header {
                kind: record::APPLICATION_DATA,
                length: length + overhead,
            });
            if reading != Reading::GoesOn {
                break;
            }
        }
        reading
    }

    #[test]
    fn frames_in_three_parts_with_the_request_for_authentication_are_the_agents() {
        let first = [52, 161, 2, 4, 27, 2, 4, 38, 2, 4, 50, 2, 4, 98];
        for overhead in OVERHEADS {
            assert_eq!(told(overhead, &first), Reading::IsAgent, "{overhead}");
            assert_eq!(told(overhead, &first[1..]), Reading::IsAgent, "{overhead}");
        }
        assert_eq!(told(17, &first[..13]), Reading::GoesOn);
    }

    #[test]
    fn other_writers_are_told_by_the_first_record_that_does_not_fit() {
        for other in [
            // A page; a frame in one piece; head and key together; a head and no key; the request alone; too many others before it.
            &[52, 161, 400, 300, 200][..],
            &[52, 161, 104, 33, 104],
            &[52, 161, 6, 98, 6, 50],
            &[52, 161, 2, 98, 2, 4, 98],
            &[52, 161, 2, 4, 50, 3, 4, 98],
            &[
                161, 2, 4, 9, 2, 4, 9, 2, 4, 9, 2, 4, 9, 2, 4, 9, 2, 4, 9, 2, 4, 9, 2, 4, 9, 2, 4, 98,
            ],
        ] {
            assert_eq!(told(17, other), Reading::IsOther, "{other:?}");
        }
        assert_eq!(
            told(17, &[52, 161, 2, 4, 98]),
            Reading::GoesOn,
            "three records are not enough"
        );
    }

    fn hello(ciphers: &[u8], extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(u16::try_from(ciphers.len()).unwrap().to_be_bytes());
        body.extend(ciphers);
        body.extend([1, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        sample::record(22, &sample::message(1, &body))
    }

    fn conversation(hello: Vec<u8>) -> Vec<(Side, Vec<u8>)> {
        let record = |length: usize| sample::record(23, &vec![7_u8; length + 17]);
        let client = |lengths: &[usize]| {
            let records: Vec<Vec<u8>> = lengths.iter().map(|length| record(*length)).collect();
            (Side::Client, records.concat())
        };
        vec![
            (Side::Client, hello),
            (
                Side::Server,
                [
                    sample::record(22, &sample::message(2, &sample::server_hello_body())),
                    vec![20, 3, 3, 0, 1, 1],
                    record(1_184),
                ]
                .concat(),
            ),
            (Side::Client, vec![20, 3, 3, 0, 1, 1]),
            client(&[52, 161]),
            (Side::Server, [record(282), record(129)].concat()),
            client(&[2, 4, 27]),
            client(&[2, 4, 38, 2, 4, 50, 2, 4, 98]),
            (Side::Server, record(100)),
        ]
    }

    #[test]
    fn the_agent_is_told_however_the_segments_are_cut_and_nobody_else_is_read_on() {
        let ciphers = [0x13, 2, 0xc0, 0x2c, 0, 0xff];
        let said = |hello: Vec<u8>, piece: usize| {
            let mut drive = Drive::new(&Tls);
            for (side, bytes) in conversation(hello) {
                for part in bytes.chunks(piece) {
                    drive.stream(side, part);
                }
            }
            drive.texts("tls.inside")
        };
        for piece in [313, 536, 1_460, 100_000] {
            assert_eq!(
                said(hello(&ciphers, &[]), piece),
                ["meshcentral-agent"],
                "pieces of {piece}"
            );
        }
        let alpn = [0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
        assert!(said(hello(&ciphers, &alpn), 1_460).is_empty());
        assert!(said(hello(&ciphers[..4], &[]), 1_460).is_empty());
    }
}

//! How long a client's first encrypted records are: some programs open their conversations so that these alone tell them, whatever
//! certificate and version of TLS they use. Which lengths are whose stands in the catalogue (`tls.lengths`).
//!
//! Only a client is read on whose hello leaves ALPN out and ends its list of ciphers as OpenSSL does: no browser, and few others. And only
//! as far as the first record that is longer than any opening has, or [`lengths::MOST`] records.

use super::hello::{ClientHello, extension};
use super::record::{self, Header};
use crate::model::fact::Side;
use crate::model::lengths::{self, Lengths};

/// The list of ciphers ends with the promise of safe renegotiation (RFC 5746, 3.3), which OpenSSL puts there and others say otherwise.
const LAST_CIPHER: [u8; 2] = [0, 0xff];

/// Octets of a record beyond which it opens nothing: certificates of a client, requests and first messages are shorter.
const LONGEST: u16 = 4_096;

/// Whether a client with this hello is read on.
pub(super) fn are_read(hello: &ClientHello<'_>) -> bool {
    hello.ciphers.ends_with(&LAST_CIPHER) && hello.extension(extension::ALPN).is_none()
}

/// The client's encrypted records behind its hello, as far as they were read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClientRecords(Lengths);

impl ClientRecords {
    /// Whether this record is none of those that open a conversation.
    pub(super) const fn is_beyond(header: Header) -> bool {
        header.length > LONGEST
    }

    /// Takes the header of the client's next record: whether the one behind it is wanted too.
    pub(super) fn push(&mut self, header: Header) -> bool {
        // Changes of cipher, and up to TLS 1.2 the end of the handshake, are no part of the conversation.
        if header.kind == record::APPLICATION_DATA {
            self.0.push(Side::Client, u32::from(header.length));
        }
        self.0.count() < lengths::MOST
    }

    /// The lengths, if they are enough to say something.
    pub(super) fn told(&self) -> Option<&[u8]> {
        (self.0.count() >= lengths::LEAST).then(|| self.0.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::drive::Drive;
    use super::super::{Tls, sample};
    use crate::model::fact::Side;

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

    fn record(length: usize) -> Vec<u8> {
        sample::record(23, &vec![7_u8; length])
    }

    /// A connection whose client sends records of these lengths, in two flights.
    fn conversation(hello: Vec<u8>, lengths: &[usize]) -> Vec<(Side, Vec<u8>)> {
        let (first, behind) = lengths.split_at(lengths.len().min(2));
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
            client(first),
            (Side::Server, [record(282), record(129)].concat()),
            client(behind),
            (Side::Server, record(100)),
        ]
    }

    const CIPHERS: [u8; 6] = [0x13, 2, 0xc0, 0x2c, 0, 0xff];

    fn told(hello: Vec<u8>, lengths: &[usize], piece: usize) -> Vec<String> {
        let mut drive = Drive::new(&Tls);
        for (side, bytes) in conversation(hello, lengths) {
            for part in bytes.chunks(piece) {
                drive.stream(side, part);
            }
        }
        drive.end();
        drive.lengths("tls.lengths")
    }

    #[test]
    fn lengths_are_told_however_the_segments_are_cut() {
        let lengths = [69, 178, 19, 21, 44, 19, 21, 55];
        for piece in [313, 536, 1_460, 100_000] {
            assert_eq!(
                told(hello(&CIPHERS, &[]), &lengths, piece),
                [">69 >178 >19 >21 >44 >19 >21 >55"],
                "pieces of {piece}"
            );
        }
    }

    #[test]
    fn reading_ends_with_a_long_record_or_when_there_are_enough() {
        let told = |lengths: &[usize]| told(hello(&CIPHERS, &[]), lengths, 1_460);
        assert_eq!(told(&[69, 178, 19, 5_000, 21]), [">69 >178 >19"]);
        assert!(told(&[69, 178]).is_empty(), "two say nothing");
        let many = told(&[30; 60]);
        assert_eq!(many, [[">30"; 20].join(" ")]);
    }

    #[test]
    fn no_other_client_is_read_on() {
        let alpn = [0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
        let lengths = [69, 178, 19, 21, 44];
        assert!(told(hello(&CIPHERS, &alpn), &lengths, 1_460).is_empty());
        assert!(told(hello(&CIPHERS[..4], &[]), &lengths, 1_460).is_empty());
    }
}

//! Exchanges whose bodies look like chance both ways: what another connection looks like that is carried in them.
//!
//! Asked only of requests that send a body of which nothing says that it is compressed or media, so that nearly all requests cost one
//! comparison. Octets count as chance by Shannon's entropy of the first of them. A sample of so few octets has less than eight bits however
//! random it is: the bounds lie some standard deviations below what random octets have (measured over thousands of samples: 5.77, 6.55 and
//! 7.18 bits for 64, 128 and 256 octets). What is written in base64 has six bits an octet at most.

use crate::model::fact::{Facts, Field, Side};
use crate::model::time::Timestamp;

/// An exchange whose bodies both look like chance: the milliseconds between the request and its answer.
pub(super) const EXCHANGE: Field = Field::of_flow("http.opaque_exchange");
/// An exchange of that kind whose answer began while the request was still being sent.
pub(super) const BOTH_WAYS: Field = Field::of_flow("http.opaque_both_ways");

/// Octets that are looked at, and the bits an octet from which they count as chance.
const SAMPLES: [(usize, f64); 3] = [(256, 6.8), (128, 6.2), (64, 5.3)];
/// The same of octets that are letters and digits of base64 (RFC 4648, 4 and 5).
const BASE64: [(usize, f64); 2] = [(256, 5.6), (128, 5.3)];
/// Exchanges of one connection that are said.
const MOST_SAID: u8 = 16;

/// What is known of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    /// It is of another kind, or nobody asks.
    #[default]
    Ordinary,
    /// Its first octets are not there yet.
    Wanted,
    /// It looks like chance.
    Chance,
}

/// The current exchange of a connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    sent: Look,
    answered: Look,
    asked_at: Timestamp,
    waited: u64,
    said: u8,
}

impl Exchange {
    /// A request was read; `may_be` where its body may be anything.
    pub(super) fn asked(&mut self, may_be: bool, at: Timestamp) {
        self.sent = if may_be { Look::Wanted } else { Look::Ordinary };
        self.answered = Look::Ordinary;
        self.asked_at = at;
    }

    /// An answer was read; `may_be` where its body may be anything.
    pub(super) fn answered(&mut self, may_be: bool, at: Timestamp) {
        if self.sent != Look::Ordinary && may_be {
            self.answered = Look::Wanted;
            self.waited = u64::try_from(at.since(self.asked_at) / 1_000_000).unwrap_or(0);
        }
    }

    /// A piece of a body; `is_open` where the request's body goes on.
    pub(super) fn body(&mut self, side: Side, piece: &[u8], is_open: bool, facts: &mut Facts<'_>) {
        match side {
            Side::Client if self.sent == Look::Wanted => self.sent = judged(piece),
            Side::Server if self.answered == Look::Wanted && self.sent == Look::Chance => {
                self.answered = judged(piece);
                if self.answered == Look::Chance && self.said < MOST_SAID {
                    self.said = self.said.saturating_add(1);
                    facts.number(&EXCHANGE, self.waited);
                    if is_open {
                        facts.number(&BOTH_WAYS, 1);
                    }
                }
            }
            Side::Client | Side::Server => {}
        }
    }
}

/// Whether a header says that a body is compressed or media, and so like chance for a reason.
pub(super) fn explains(name: &str, value: &[u8]) -> bool {
    const TYPES: [&[u8]; 7] = [
        b"image/",
        b"video/",
        b"audio/",
        b"font/",
        b"multipart/",
        b"application/zip",
        b"application/gzip",
    ];
    if name.eq_ignore_ascii_case("content-encoding") {
        return !value.eq_ignore_ascii_case(b"identity");
    }
    let is_type = |known: &&[u8]| {
        let start = value.get(..known.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    name.eq_ignore_ascii_case("content-type") && TYPES.iter().any(is_type)
}

fn judged(piece: &[u8]) -> Look {
    const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ"];
    if COMPRESSED.iter().any(|start| piece.starts_with(start)) {
        return Look::Ordinary;
    }
    let Some((length, bits)) = SAMPLES.into_iter().find(|(length, _)| piece.len() >= *length) else {
        return Look::Wanted;
    };
    let sample = piece.get(..length).unwrap_or_default();
    let entropy = entropy(sample);
    let is_letter =
        |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'-' | b'_' | b'=');
    let is_base64 = BASE64
        .iter()
        .any(|(known, bits)| *known == length && entropy >= *bits && sample.iter().all(is_letter));
    if entropy >= bits || is_base64 {
        Look::Chance
    } else {
        Look::Ordinary
    }
}

/// Shannon's entropy of octets, in bits an octet.
fn entropy(sample: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for octet in sample {
        if let Some(count) = counts.get_mut(usize::from(*octet)) {
            *count = count.saturating_add(1);
        }
    }
    let total = f64::from(u32::try_from(sample.len()).unwrap_or(u32::MAX)).max(1.0);
    let shares = counts.iter().filter(|count| **count > 0).map(|count| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    });
    shares.sum()
}

#[cfg(test)]
mod tests {
    use super::super::Http;
    use super::*;
    use crate::dissect::rehearsal::said_in_stream;
    use crate::model::fact::Side::{Client, Server};

    /// Octets like chance (Knuth's MMIX generator).
    fn chance(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn base64(octets: &[u8]) -> Vec<u8> {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        octets
            .iter()
            .map(|octet| LETTERS[usize::from(octet & 63)])
            .collect()
    }

    fn message(head: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    /// How many exchanges were said to be opaque.
    fn opaque(exchanges: &[(Vec<u8>, Vec<u8>)]) -> usize {
        let stream: Vec<(Side, &[u8])> = exchanges
            .iter()
            .flat_map(|(request, answer)| [(Client, request.as_slice()), (Server, answer.as_slice())])
            .collect();
        let said = said_in_stream(&Http, &stream);
        said.iter()
            .filter(|fact| fact.starts_with("http.opaque_exchange="))
            .count()
    }

    const POST: &str = "POST /t HTTP/1.1\r\nHost: a.example";
    const OK: &str = "HTTP/1.1 200 OK";

    #[test]
    fn bodies_like_chance_both_ways_are_said_for_each_exchange() {
        for length in [64, 200, 1_400] {
            let exchanges: Vec<_> = (1..6)
                .map(|seed| {
                    (
                        message(POST, &chance(seed, length)),
                        message(OK, &chance(seed + 100, length)),
                    )
                })
                .collect();
            assert_eq!(opaque(&exchanges), 5, "{length}");
        }
        let letters = (
            message(POST, &base64(&chance(1, 300))),
            message(OK, &base64(&chance(2, 300))),
        );
        assert_eq!(opaque(&[letters]), 1);
    }

    #[test]
    fn text_media_and_what_is_compressed_are_not_and_neither_is_one_way_alone() {
        let data = chance(1, 400);
        let text = br#"{"jsonrpc":"2.0","method":"items.list","params":{"limit":50,"after":"0193fd"},"id":17,"client":"web-7.2"}"#
            .repeat(3);
        let gzip = [&[0x1f, 0x8b, 8, 0][..], &data].concat();
        for (request, answer) in [
            (message(POST, &data), message(OK, &text)),
            (message(POST, &text), message(OK, &data)),
            (message(POST, &gzip), message(OK, &gzip)),
            (
                message("POST / HTTP/1.1\r\nContent-Encoding: br", &data),
                message(OK, &data),
            ),
            (
                message(POST, &data),
                message("HTTP/1.1 200 OK\r\nContent-Type: video/mp4", &data),
            ),
            (b"GET /segment-1.ts HTTP/1.1\r\n\r\n".to_vec(), message(OK, &data)),
            (message(POST, &data[..40]), message(OK, &data)),
        ] {
            assert_eq!(opaque(&[(request, answer)]), 0);
        }
    }

    #[test]
    fn an_answer_that_begins_before_the_request_ends_goes_both_ways_at_once() {
        let request = b"POST /t HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = |seed| [&b"100\r\n"[..], &chance(seed, 256), b"\r\n"].concat();
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (up, down) = (chunk(1), chunk(2));
        let said = said_in_stream(
            &Http,
            &[
                (Client, request),
                (Client, &up),
                (Server, answer),
                (Server, &down),
            ],
        );
        assert!(
            said.iter().any(|fact| fact == "http.opaque_both_ways=1"),
            "{said:?}"
        );
    }
}

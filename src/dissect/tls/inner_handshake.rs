//! Whether the first encrypted records of a TLS connection have the lengths of another TLS handshake (Xue and others,
//! “Fingerprinting Obfuscated Proxy Traffic with Encapsulated TLS Handshakes”, USENIX Security 2024, whose finding it is that sizes and
//! turns of that handshake survive every proxy that wraps it).
//!
//! The paper compares with means of recorded traffic; here the lengths follow from the protocol itself. Inside TLS 1.2 (RFC 5246, 7.3)
//! the client ends with key exchange, change of cipher and Finished, and the server answers with the last two: the difference
//! is the key exchange, whatever a proxy adds to each. Inside TLS 1.3 (RFC 8446, 2) the client ends with change of cipher and Finished,
//! and its request follows.
//!
//! What a proxy asks for before (SOCKS, WebSocket's upgrade) goes ahead, so every turn of the first few may be the hello.

use crate::model::fact::Side;

/// Records that are looked at.
const MOST: usize = 48;
/// Turns of the client that may be the hello.
const TURNS: usize = 5;
/// What encryption adds to a record in TLS 1.3 (RFC 8446, 5.2: type and tag); TLS 1.2 adds 16 to 24, which is taken for the proxy's.
const OUTSIDE: u16 = 17;
/// What a proxy adds to a message at most: two tags and a length of Shadowsocks and VMess (34), a header of WebSocket (8), rounded up.
const PROXY: u16 = 48;
/// A hello: the shortest have some 130 octets, those with post-quantum keys some 1,900.
const HELLO: std::ops::RangeInclusive<u16> = 130..=2_600;
/// The server's first flight: from a resumed one of TLS 1.3 and from a short chain to a long one.
const FLIGHT_1_3: std::ops::RangeInclusive<u32> = 200..=12_000;
const FLIGHT_1_2: std::ops::RangeInclusive<u32> = 400..=12_000;
/// Change of cipher and Finished of TLS 1.2, by cipher: 6 and 37 (ChaCha20) to 85 (CBC with SHA-256).
const FINISHED_1_2: (u16, u16) = (43, 91);
/// Change of cipher and Finished of TLS 1.3: 6 and 58 (SHA-256) or 74 (SHA-384).
const FINISHED_1_3: (u16, u16) = (64, 80);
/// Key exchange of the client with X25519, P-256 and P-384, its record's header included, less 8: a proxy need not add the same each way.
const KEY_EXCHANGE: [u16; 3] = [34, 67, 99];
const KEY_EXCHANGE_SLACK: u16 = 16;
/// A request is longer than the odd word of a protocol.
const REQUEST: u16 = 40;
const REQUEST_1_3: u16 = 60;
/// Tickets of TLS 1.3 that come before the request: one or two records, seldom three.
const TICKETS: (std::ops::RangeInclusive<u32>, usize) = (150..=1_400, 3);
/// The answer to HTTP/2's settings is a frame without content (RFC 9113, 6.5), in TLS 1.3 and in TLS 1.2: a browser's own connection.
const SETTINGS_ANSWERED: [u16; 2] = [9, 16];

/// The version of the handshake inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// Up to TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Inner {
    /// The name that facts carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

/// Lengths of the first records behind a handshake, what encryption adds taken off.
#[derive(Debug, Default)]
pub struct Lengths {
    records: Vec<(Side, u16)>,
    has_ended: bool,
}

/// Records of one side between two of the other.
#[derive(Clone, Copy, Debug)]
struct Turn<'a>(&'a [(Side, u16)]);

impl Turn<'_> {
    fn first(self) -> u16 {
        self.0.first().map_or(0, |(_, length)| *length)
    }

    fn second(self) -> Option<u16> {
        self.0.get(1).map(|(_, length)| *length)
    }

    fn last(self) -> u16 {
        self.0.last().map_or(0, |(_, length)| *length)
    }

    fn sum(self) -> u32 {
        self.0.iter().map(|(_, length)| u32::from(*length)).sum()
    }

    const fn is_single(self) -> bool {
        self.0.len() == 1
    }
}

impl Lengths {
    /// Takes a record: the version of the handshake inside as soon as that is seen.
    pub fn push(&mut self, side: Side, length: u16) -> Option<Inner> {
        if self.are_over() || (self.records.is_empty() && side == Side::Server) {
            // Tickets of the outer handshake may come before anything.
            return None;
        }
        self.records.push((side, length.saturating_sub(OUTSIDE)));
        if side == Side::Server {
            return None;
        }
        let found = self.judge();
        self.has_ended |= found.is_some();
        found
    }

    /// Whether nothing more is to be learnt.
    #[must_use]
    pub const fn are_over(&self) -> bool {
        self.has_ended || self.records.len() >= MOST
    }

    /// Takes no more.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    fn judge(&self) -> Option<Inner> {
        let turns: Vec<Turn<'_>> = self
            .records
            .chunk_by(|one, other| one.0 == other.0)
            .map(Turn)
            .collect();
        let answered_settings = |turns: &[Turn<'_>]| {
            let mut records = turns.iter().flat_map(|turn| turn.0);
            records.any(|(side, length)| *side == Side::Client && SETTINGS_ANSWERED.contains(length))
        };
        (0..turns.len()).step_by(2).take(TURNS).find_map(|at| {
            let handshake = turns.get(at..)?;
            if is_1_2(handshake) {
                Some(Inner::Tls12)
            } else if is_1_3(handshake) && !answered_settings(turns.get(..at.saturating_add(2))?) {
                Some(Inner::Tls13)
            } else {
                None
            }
        })
    }
}

/// Hello, flight, key exchange and Finished, Finished, request.
fn is_1_2(turns: &[Turn<'_>]) -> bool {
    let [hello, flight, keys, finished, request, ..] = turns else {
        return false;
    };
    let (least, most) = FINISHED_1_2;
    let exchange = keys.first().checked_sub(finished.first());
    let is_exchange = |exchange: u16| {
        KEY_EXCHANGE
            .iter()
            .any(|least| (*least..=least.saturating_add(KEY_EXCHANGE_SLACK)).contains(&exchange))
    };
    HELLO.contains(&hello.last())
        && FLIGHT_1_2.contains(&flight.sum())
        && keys.is_single()
        && finished.is_single()
        && (least..=most.saturating_add(PROXY)).contains(&finished.first())
        && exchange.is_some_and(is_exchange)
        && request.first() >= REQUEST
}

/// Hello, flight, Finished, perhaps tickets, request.
fn is_1_3(turns: &[Turn<'_>]) -> bool {
    let [hello, flight, finished, behind @ ..] = turns else {
        return false;
    };
    let (least, most) = FINISHED_1_3;
    let (tickets, most_tickets) = TICKETS;
    let request_follows = match (finished.second(), behind) {
        (Some(second), _) => second >= REQUEST_1_3,
        (None, [between, request, ..]) => {
            between.0.len() <= most_tickets
                && tickets.contains(&between.sum())
                && request.first() >= REQUEST_1_3
        }
        (None, _) => false,
    };
    HELLO.contains(&hello.last())
        && FLIGHT_1_3.contains(&flight.sum())
        && (least..=most.saturating_add(PROXY)).contains(&finished.first())
        && request_follows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Positive numbers are records of the client, negative ones of the server.
    fn judged(records: &[i32]) -> Option<Inner> {
        let mut lengths = Lengths::default();
        records.iter().find_map(|record| {
            let side = if *record > 0 { Side::Client } else { Side::Server };
            lengths.push(side, u16::try_from(record.unsigned_abs()).unwrap() + OUTSIDE)
        })
    }

    #[test]
    fn a_handshake_of_either_version_is_told_behind_any_overhead() {
        for added in [0, 8, 34, 42] {
            let (x25519, p256) = (42 + 51, 75 + 51);
            for keys in [x25519, p256] {
                let plain = [517, -3_000, keys, -51, 120];
                let wrapped = plain.map(|length: i32| length + length.signum() * added);
                assert_eq!(judged(&wrapped), Some(Inner::Tls12), "{wrapped:?}");
            }
            for finished in [64, 80] {
                let tickets = [517, -2_500, finished, -510, 120];
                let at_once = [517, -2_500, finished, 120, -510];
                for plain in [tickets, at_once] {
                    let wrapped = plain.map(|length: i32| length + length.signum() * added);
                    assert_eq!(judged(&wrapped), Some(Inner::Tls13), "{wrapped:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_proxy_asks_before_is_passed_over() {
        let socks = [4, -2, 10, -10, 517, -2_500, 80, 120];
        assert_eq!(judged(&socks), Some(Inner::Tls13));
        let upgrade = [182, -129, 632, -769, 135, -87, 154];
        assert_eq!(judged(&upgrade), Some(Inner::Tls12));
    }

    #[test]
    fn pages_by_http_are_none() {
        // HTTP/1.1: questions and answers.
        assert_eq!(judged(&[420, -9_000, 415, -1_200, 430, -700]), None);
        // HTTP/2: preface, settings and request; settings and their answer; further requests.
        assert_eq!(
            judged(&[64, 390, -40, 9, -9, -4_000, 75, -300, 80, -2_000, 82]),
            None
        );
    }

    #[test]
    fn a_handshake_that_stops_halfway_or_in_another_order_is_none() {
        assert_eq!(judged(&[517, -3_000, 93, -51]), None);
        assert_eq!(judged(&[517, -3_000, 51, -93, 120]), None);
        assert_eq!(judged(&[517, -60, 93, -51, 120]), None);
    }

    proptest! {
        #[test]
        fn any_records_are_judged_and_few_kept(records in prop::collection::vec((any::<bool>(), any::<u16>()), 0..200)) {
            let mut lengths = Lengths::default();
            for (is_client, length) in records {
                let _ = lengths.push(if is_client { Side::Client } else { Side::Server }, length);
            }
            prop_assert!(lengths.records.len() <= MOST);
        }
    }
}

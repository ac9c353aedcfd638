//! OpenVPN over TCP inside something that hides its octets and keeps its packets apart: an obfuscating proxy (obfs2, obfs3, XOR), TLS
//! of stunnel. Told by the lengths of its packets alone.
//!
//! Xue and others ("OpenVPN is Open to VPN Fingerprinting", USENIX Security 2022, section 6.2 and table 2) look for acknowledgements: packets
//! of one small size, some in the first two bins of ten packets each, few in the next three, hardly any later. They take the third packet's
//! length for that size. Versions since 2.6 send no acknowledgement there, and let later ones name up to eight packets; so here the
//! size follows from the protocol, whatever constant number of octets a wrapper adds: the server's reset is twelve octets longer than the
//! client's, since it acknowledges and names the session, and an acknowledgement of one packet is eight octets longer, four more for each
//! further packet ("OpenVPN Wire Protocol", reliability layer).
//!
//! A wrapper may have a handshake of its own first. Wrappers that pad each packet, or join packets, hide all this. A heuristic: other
//! protocols may have such lengths by chance, so it is asked for by the policy, and is a lead.

use crate::model::fact::{Field, Side};

/// By what OpenVPN is told inside something else: `acknowledgements`. Only where that is asked for.
pub static INSIDE: Field = Field::of_flow("openvpn.inside");
/// What it says.
pub const BY_ACKNOWLEDGEMENTS: &[u8] = b"acknowledgements";

/// What a server's reset has beyond the client's.
const ANSWERED: u32 = 12;
/// What an acknowledgement of one packet has beyond the client's reset.
const ACKNOWLEDGED: u32 = 8;
/// What each further packet adds, and how many an acknowledgement names at most.
const NUMBER: u32 = 4;
const FURTHER: u32 = 7;
/// A client's reset: from plain to one with tls-crypt or the longest digest, and what a wrapper adds (a record of TLS has 22 octets, frames
/// of WebSocket 8).
const RESET: std::ops::RangeInclusive<u32> = 14..=160;
/// Packets before the resets that a wrapper may need for itself.
const BEFORE: u8 = 12;
/// Of these, how many the server may send between the resets: tickets of TLS, padding of obfs3.
const BETWEEN: u8 = 3;
/// Packets in a bin.
const BIN: u8 = 10;
/// Acknowledgements in each bin, least and most, by table 2. The paper goes on to the fifteenth bin; one beyond the handshake is kept here.
const BINS: [std::ops::RangeInclusive<u8>; 6] = [1..=3, 2..=5, 0..=5, 0..=5, 0..=5, 0..=1];

/// Lengths of the packets of one conversation, as far as they have been judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lengths {
    stage: Stage,
    /// Packets that were looked at before the resets.
    before: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// Nothing that may be a client's reset went last.
    #[default]
    Seeking,
    /// The client's reset, and how many packets the server has sent since.
    Asked(u32, u8),
    /// Both resets, by the client's length.
    Answered(u32),
    /// The handshake: the client's reset, packets so far, acknowledgements in this bin.
    Began(u32, u8, u8),
    Over,
}

impl Lengths {
    /// Takes the payload of a packet, or a record of TLS: true once, when all bins are as OpenVPN fills them.
    pub fn push(&mut self, side: Side, length: u32) -> bool {
        let (next, is_found) = match (self.stage, side) {
            (Stage::Over, _) => return false,
            (Stage::Began(reset, count, acknowledgements), _) => {
                Self::count(reset, count, acknowledgements, length)
            }
            (Stage::Answered(reset), Side::Client) if goes_on(reset, length) => {
                let first = u8::from(is_acknowledgement(reset, length));
                (Stage::Began(reset, 3, first), false)
            }
            (Stage::Asked(reset, between), Side::Server) => {
                let next = if length == reset.saturating_add(ANSWERED) {
                    Stage::Answered(reset)
                } else if between < BETWEEN {
                    Stage::Asked(reset, between.saturating_add(1))
                } else {
                    Stage::Seeking
                };
                (next, false)
            }
            // A reset that went unanswered is sent again; behind the handshake of a wrapper comes the first one.
            (Stage::Seeking | Stage::Asked(..) | Stage::Answered(_), Side::Client)
                if RESET.contains(&length) =>
            {
                (Stage::Asked(length, 0), false)
            }
            (Stage::Seeking | Stage::Asked(..) | Stage::Answered(_), _) => (Stage::Seeking, false),
        };
        self.stage = next;
        if !matches!(self.stage, Stage::Began(..)) {
            self.before = self.before.saturating_add(1);
            if self.before > BEFORE {
                self.stage = Stage::Over;
            }
        }
        is_found
    }

    /// Whether nothing more is to be learnt.
    #[must_use]
    pub const fn are_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Looks at no more.
    pub const fn end(&mut self) {
        self.stage = Stage::Over;
    }

    fn count(reset: u32, count: u8, acknowledgements: u8, length: u32) -> (Stage, bool) {
        let acknowledgements = acknowledgements.saturating_add(u8::from(is_acknowledgement(reset, length)));
        let count = count.saturating_add(1);
        if count.checked_rem(BIN) != Some(0) {
            return (Stage::Began(reset, count, acknowledgements), false);
        }
        let bin = usize::from((count / BIN).saturating_sub(1));
        let fits = BINS
            .get(bin)
            .is_some_and(|wanted| wanted.contains(&acknowledgements));
        let is_last = bin.saturating_add(1) >= BINS.len();
        if fits && !is_last {
            (Stage::Began(reset, count, 0), false)
        } else {
            (Stage::Over, fits)
        }
    }
}

/// Whether a client goes on behind the resets: an acknowledgement, or a control packet that carries one and a hello.
fn goes_on(reset: u32, length: u32) -> bool {
    length == reset.saturating_add(ACKNOWLEDGED) || length >= reset.saturating_add(ANSWERED)
}

fn is_acknowledgement(reset: u32, length: u32) -> bool {
    let further = length
        .checked_sub(reset)
        .and_then(|more| more.checked_sub(ACKNOWLEDGED));
    further.is_some_and(|more| more.checked_rem(NUMBER) == Some(0) && more <= NUMBER * FURTHER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Side::{Client, Server};

    /// Handshake of version 2.6 over TCP as its own log counts the packets, then data.
    const RECENT: [(Side, u32); 18] = [
        (Client, 16),
        (Server, 28),
        (Client, 305),
        (Server, 1_224),
        (Client, 28),
        (Server, 177),
        (Client, 1_224),
        (Server, 194),
        (Client, 360),
        (Server, 247),
        (Client, 36),
        (Client, 36),
        (Server, 257),
        (Client, 36),
        (Client, 110),
        (Server, 110),
        (Client, 110),
        (Server, 110),
    ];

    /// The older way: each piece of a certificate is acknowledged by itself.
    fn old() -> Vec<(Side, u32)> {
        let mut packets = vec![
            (Client, 14),
            (Server, 26),
            (Client, 22),
            (Client, 114),
            (Server, 22),
        ];
        for _ in 0..4 {
            packets.extend([(Server, 114), (Server, 114), (Client, 22)]);
        }
        packets.extend([(Client, 114), (Server, 22), (Client, 114), (Server, 26)]);
        packets
    }

    fn with_data(mut packets: Vec<(Side, u32)>) -> Vec<(Side, u32)> {
        while packets.len() < 80 {
            packets.extend([(Client, 110), (Server, 1_400), (Server, 1_400)]);
        }
        packets
    }

    fn is_found(packets: &[(Side, u32)]) -> bool {
        let mut lengths = Lengths::default();
        let times = packets
            .iter()
            .filter(|(side, length)| lengths.push(*side, *length))
            .count();
        assert!(times <= 1 && (times == 0 || lengths.are_over()));
        times == 1
    }

    #[test]
    fn both_ways_of_acknowledging_are_told_whatever_a_wrapper_adds() {
        for packets in [with_data(RECENT.to_vec()), with_data(old())] {
            for added in [0, 17, 22, 40] {
                let wrapped: Vec<(Side, u32)> = packets
                    .iter()
                    .map(|(side, length)| (*side, length + added))
                    .collect();
                assert!(is_found(&wrapped), "{added}");
            }
        }
    }

    #[test]
    fn a_handshake_of_the_wrapper_goes_first_and_the_server_may_speak_between_the_resets() {
        let mut packets = vec![(Client, 991), (Server, 1_124), (Client, 1_448), (Client, 789)];
        packets.extend(with_data(RECENT.to_vec()));
        packets.insert(5, (Server, 166));
        assert!(is_found(&packets));
        for _ in 0..12 {
            packets.insert(0, (Client, 700));
        }
        assert!(!is_found(&packets), "too late");
    }

    #[test]
    fn a_conversation_too_short_is_not_judged_and_one_without_acknowledgements_is_none() {
        let packets = with_data(RECENT.to_vec());
        assert!(is_found(&packets[..60]) && !is_found(&packets[..59]));
        let silent: Vec<(Side, u32)> = packets
            .iter()
            .map(|(side, length)| (*side, if *length == 36 { 37 } else { *length }))
            .collect();
        assert!(!is_found(&silent));
    }

    #[test]
    fn small_packets_that_go_on_behind_the_handshake_are_none() {
        let mut packets = RECENT.to_vec();
        while packets.len() < 80 {
            packets.extend([(Client, 28), (Server, 36)]);
        }
        assert!(!is_found(&packets));
    }

    #[test]
    fn another_difference_of_the_resets_is_none() {
        for answer in [27, 29, 16, 40] {
            let mut packets = with_data(RECENT.to_vec());
            packets[1].1 = answer;
            assert!(!is_found(&packets), "{answer}");
        }
    }

    proptest! {
        #[test]
        fn any_lengths_are_taken_and_end(packets in proptest::collection::vec((any::<bool>(), any::<u32>()), 80..200)) {
            let mut lengths = Lengths::default();
            for (is_client, length) in packets {
                lengths.push(if is_client { Client } else { Server }, length);
            }
            prop_assert!(lengths.are_over());
        }
    }
}

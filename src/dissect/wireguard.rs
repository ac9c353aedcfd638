//! WireGuard (white paper "WireGuard: Next Generation Kernel Network Tunnel", section 5.4): message types, indices.
//!
//! Handshake messages have exact lengths, and end with an authenticator that is empty unless a busy server sent a cookie before: those are
//! believed at once. One whose second authenticator is filled, a cookie reply or data need a second message that fits, because
//! small numbers in front are common elsewhere (games count the types of their messages so). Everything after the headers is encrypted or
//! random, so a body with few distinct octets is refused.
//!
//! Some clients (Cloudflare WARP) put an identifier into the three reserved bytes. Such an initiation is believed
//! only when its second authenticator is empty, as it is without a cookie, and is marked by `wireguard.reserved`.
//! Others (TunnelBear) make the handshake longer; it is believed when the answer repeats the asker's index.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Handshake message that was seen: `initiation`, `response` or `cookie`. Who sent the initiation wants the tunnel.
pub const HANDSHAKE: Field = Field::of_flow("wireguard.handshake");
/// 1 where the side that counts as called sent the first handshake that was seen: the capture began in the middle.
pub const REVERSED: Field = Field::of_flow("wireguard.reversed");
/// Index that the sender of a handshake message chose for itself.
pub const SENDER_INDEX: Field = Field::of_flow("wireguard.sender_index");
/// Index of whom a message is for.
pub const RECEIVER_INDEX: Field = Field::of_flow("wireguard.receiver_index");
/// The reserved bytes of a handshake message where they are not zero.
pub const RESERVED: Field = Field::of_flow("wireguard.reserved");
/// Octets by which a handshake message is longer than it should be: a changed client.
pub const PADDING: Field = Field::of_flow("wireguard.padding");

const INITIATION_LENGTH: u32 = 148;
const RESPONSE_LENGTH: u32 = 92;
const COOKIE_LENGTH: u32 = 64;
/// Header and authentication tag of a data message without content.
const SHORTEST_DATA: u32 = 32;
/// Sixteen random octets have 15 distinct ones on average; fewer than this in a body means structure.
const FEWEST_DISTINCT: u32 = 11;
/// How far two data messages that were seen near each other may be apart in their counter.
const LARGEST_STEP: u64 = 1 << 16;

/// Recognises WireGuard.
pub struct WireGuard;

impl Dissector for WireGuard {
    fn name(&self) -> &'static str {
        "wireguard"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &HANDSHAKE,
            &REVERSED,
            &SENDER_INDEX,
            &RECEIVER_INDEX,
            &RESERVED,
            &PADDING,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let Some(message) = Message::read(head.newest(), head.length_on_wire) else {
            return Probe::No;
        };
        match message {
            Message::Initiation {
                has_cookie: false, ..
            } if head.length_on_wire == INITIATION_LENGTH => Probe::Yes,
            Message::Response {
                reserved: [0, 0, 0],
                has_cookie: false,
                ..
            } if head.length_on_wire == RESPONSE_LENGTH => Probe::Yes,
            Message::Initiation { .. }
            | Message::Response { .. }
            | Message::Cookie { .. }
            | Message::Data { .. } => {
                let confirmed = head
                    .earlier
                    .iter()
                    .filter_map(|seen| Some((seen.side, Message::read(seen.bytes(), seen.length_on_wire)?)))
                    .any(|(side, before)| message.follows(&before, side == head.side));
                if confirmed { Probe::Yes } else { Probe::Wait }
            }
        }
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| matches!(first, 1..=4))
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Tunnel::default())
    }
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Initiation {
        reserved: [u8; 3],
        sender: u32,
        /// The second authenticator is filled.
        has_cookie: bool,
    },
    Response {
        reserved: [u8; 3],
        sender: u32,
        receiver: u32,
        /// See above.
        has_cookie: bool,
    },
    Cookie {
        receiver: u32,
    },
    Data {
        receiver: u32,
        counter: u64,
    },
}

impl Message {
    /// Reads a header; a cut datagram is judged by what is there and by its length on the wire.
    fn read(bytes: &[u8], length_on_wire: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u8()?;
        let reserved = cursor.array::<3>()?;
        match (kind, length_on_wire) {
            (1, length)
                if length == INITIATION_LENGTH || length > INITIATION_LENGTH && reserved == [0; 3] =>
            {
                let sender = cursor.u32_le()?;
                let is_random = looks_random(cursor.take_up_to(16)) && looks_random(cursor.take_up_to(16));
                let body = bytes.get(116..148);
                let (first, second) = body.map_or((None, None), |macs| {
                    let (first, second) = macs.split_at_checked(16).unwrap_or_default();
                    (Some(first), Some(second))
                });
                let is_plausible = if reserved == [0; 3] {
                    length > INITIATION_LENGTH || first.is_none_or(|mac| mac != [0; 16])
                } else {
                    first.is_some_and(looks_random) && second.is_some_and(|mac| mac == [0; 16])
                };
                (is_random && is_plausible).then_some(Self::Initiation {
                    reserved,
                    sender,
                    has_cookie: second.is_some_and(|mac| mac != [0; 16]),
                })
            }
            (2, length) if length == RESPONSE_LENGTH || length > RESPONSE_LENGTH && reserved == [0; 3] => {
                let sender = cursor.u32_le()?;
                let receiver = cursor.u32_le()?;
                looks_random(cursor.take_up_to(16)).then_some(Self::Response {
                    reserved,
                    sender,
                    receiver,
                    has_cookie: bytes.get(76..92).is_some_and(|mac| mac != [0; 16]),
                })
            }
            (3, COOKIE_LENGTH) if reserved == [0; 3] => {
                let receiver = cursor.u32_le()?;
                looks_random(cursor.take_up_to(16)).then_some(Self::Cookie { receiver })
            }
            (4, length) if reserved == [0; 3] && length >= SHORTEST_DATA && length.is_multiple_of(16) => {
                let receiver = cursor.u32_le()?;
                let counter = cursor.u64_le()?;
                looks_random(cursor.take_up_to(16)).then_some(Self::Data { receiver, counter })
            }
            _ => None,
        }
    }

    /// Whether `self` fits to a message that was sent before it, by the same side or by the other.
    fn follows(&self, before: &Self, same_side: bool) -> bool {
        match (*self, *before, same_side) {
            (
                Self::Response { receiver, .. } | Self::Cookie { receiver },
                Self::Initiation { sender, .. },
                false,
            )
            | (
                Self::Cookie { receiver } | Self::Data { receiver, .. },
                Self::Response { sender, .. },
                false,
            ) => receiver == sender,
            (
                Self::Data { receiver, counter },
                Self::Data {
                    receiver: earlier_receiver,
                    counter: earlier_counter,
                },
                true,
            ) => {
                receiver == earlier_receiver
                    && counter != earlier_counter
                    && counter.abs_diff(earlier_counter) <= LARGEST_STEP
            }
            _ => false,
        }
    }
}

/// Whether octets may be ciphertext; too few of them (a cut packet) are not held against it.
fn looks_random(octets: &[u8]) -> bool {
    let mut seen = [0u64; 4];
    for octet in octets {
        if let Some(word) = seen.get_mut(usize::from(octet >> 6)) {
            *word |= 1 << (octet & 63);
        }
    }
    let distinct = seen
        .iter()
        .fold(0u32, |sum, word| sum.saturating_add(word.count_ones()));
    octets.len() < 16 || distinct >= FEWEST_DISTINCT
}

/// Which sides said which of their indices.
#[derive(Default)]
struct Tunnel {
    said_data: [bool; 2],
    initiated: bool,
    answered: bool,
}

impl Dissection for Tunnel {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let Some(message) = Message::read(input.bytes, input.length_on_wire) else {
            return Next::Release;
        };
        match message {
            Message::Initiation { reserved, sender, .. } => {
                facts.text(&HANDSHAKE, b"initiation");
                // Who began renews the handshake (white paper, 6.2), so that a later one tells as well as the first.
                if input.side == Side::Server && !self.initiated {
                    facts.number(&REVERSED, 1);
                }
                self.initiated = true;
                facts.number(&SENDER_INDEX, u64::from(sender));
                say_changes(reserved, input.length_on_wire, INITIATION_LENGTH, facts);
            }
            Message::Response {
                reserved,
                sender,
                receiver,
                ..
            } => {
                facts.text(&HANDSHAKE, b"response");
                facts.number(&SENDER_INDEX, u64::from(sender));
                facts.number(&RECEIVER_INDEX, u64::from(receiver));
                say_changes(reserved, input.length_on_wire, RESPONSE_LENGTH, facts);
                self.answered = true;
            }
            Message::Cookie { receiver } => {
                facts.text(&HANDSHAKE, b"cookie");
                facts.number(&RECEIVER_INDEX, u64::from(receiver));
            }
            Message::Data { receiver, .. } => {
                let [client, server] = &mut self.said_data;
                let said = match input.side {
                    Side::Client => client,
                    Side::Server => server,
                };
                if !*said && !self.answered {
                    facts.number(&RECEIVER_INDEX, u64::from(receiver));
                }
                *said = true;
            }
        }
        if self.answered || self.initiated && self.said_data == [true; 2] {
            Next::Done
        } else {
            Next::More(0)
        }
    }
}

fn say_changes(reserved: [u8; 3], length: u32, expected: u32, facts: &mut Facts<'_>) {
    if length > expected {
        facts.number(&PADDING, u64::from(length.saturating_sub(expected)));
    }
    if reserved != [0; 3] {
        facts.bytes(&RESERVED, &reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    /// Octets that are all different, as ciphertext nearly is.
    fn random(length: usize) -> Vec<u8> {
        (0..length)
            .map(|index| u8::try_from(index * 37 % 251).unwrap())
            .collect()
    }

    fn initiation(reserved: [u8; 3]) -> Vec<u8> {
        let mut bytes = vec![1, reserved[0], reserved[1], reserved[2], 7, 0, 0, 0];
        bytes.extend(random(124));
        bytes.extend([0; 16]);
        bytes
    }

    fn response(receiver: u8) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 9, 0, 0, 0, receiver, 0, 0, 0];
        bytes.extend(random(64));
        bytes.extend([0; 16]);
        bytes
    }

    /// The same, of somebody who got a cookie before.
    fn with_cookie(mut message: Vec<u8>) -> Vec<u8> {
        let length = message.len();
        message[length - 16..].copy_from_slice(&random(16));
        message
    }

    #[test]
    fn a_handshake_with_a_cookie_is_believed_when_its_answer_names_it_and_a_games_message_is_not() {
        let mut asked = trial();
        asked.payload(Side::Client, &with_cookie(initiation([0; 3])));
        assert_eq!(asked.probed, Probe::Wait);
        asked.payload(Side::Server, &with_cookie(response(7)));
        assert_eq!(asked.names, ["wireguard"]);
        let mut game = trial();
        for _ in 0..4 {
            game.payload(Side::Client, &with_cookie(initiation([0; 3])));
            game.payload(Side::Server, &with_cookie(response(8)));
        }
        assert!(game.names.is_empty());
    }

    fn data(receiver: u8, counter: u8, content: usize) -> Vec<u8> {
        let mut bytes = vec![4, 0, 0, 0, receiver, 0, 0, 0, counter, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(random(content + 16));
        bytes
    }

    fn trial() -> Trial {
        Trial::new(&[&WireGuard], Layer::Udp, (40_000, 51_820))
    }

    #[test]
    fn a_handshake_names_both_indices() {
        let mut trial = trial();
        trial.payload(Side::Client, &initiation([0; 3]));
        trial.payload(Side::Server, &response(7));
        assert_eq!(trial.said("wireguard.handshake"), ["initiation", "response"]);
        assert_eq!(trial.said("wireguard.sender_index"), ["7", "9"]);
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn a_longer_handshake_needs_an_answer_to_its_index() {
        let mut ask = initiation([0; 3]);
        ask.extend(random(56));
        for (index, expected) in [(7, Probe::Yes), (8, Probe::Wait)] {
            let mut answer = response(index);
            answer.extend(random(8));
            let mut trial = trial();
            trial.payload(Side::Client, &ask);
            assert_eq!(trial.probed, Probe::Wait);
            trial.payload(Side::Server, &answer);
            assert_eq!(trial.probed, expected);
        }
    }

    #[test]
    fn data_alone_needs_two_messages_with_one_index_and_rising_counters() {
        let mut accepted = trial();
        accepted.payload(Side::Client, &data(5, 1, 0));
        assert_eq!(accepted.probed, Probe::Wait);
        accepted.payload(Side::Client, &data(5, 2, 64));
        assert_eq!(accepted.probed, Probe::Yes);
        for other in [data(6, 2, 64), data(5, 1, 64)] {
            let mut waiting = trial();
            waiting.payload(Side::Client, &data(5, 1, 0));
            waiting.payload(Side::Client, &other);
            assert_eq!(waiting.probed, Probe::Wait);
        }
    }

    #[test]
    fn reserved_bytes_are_accepted_in_an_initiation_without_cookie_only() {
        let mut accepted = trial();
        accepted.payload(Side::Client, &initiation([0xab, 0xcd, 0xef]));
        assert_eq!(accepted.said("wireguard.reserved"), ["abcdef"]);
        let mut refused = trial();
        let mut bytes = initiation([0xab, 0xcd, 0xef]);
        bytes[140] = 1;
        refused.payload(Side::Client, &bytes);
        assert_eq!(refused.probed, Probe::No);
    }

    #[test]
    fn structured_bodies_and_other_lengths_are_refused() {
        let mut zeros = vec![4, 0, 0, 0, 1, 0, 0, 0, 1];
        zeros.resize(64, 0);
        let mut odd = data(5, 1, 0);
        odd.push(0);
        for bytes in [zeros, odd, vec![1; 148]] {
            let mut trial = trial();
            trial.payload(Side::Client, &bytes);
            assert_eq!(trial.probed, Probe::No);
        }
    }

    #[test]
    fn truncated_messages_are_survived() {
        let (first, second, third) = (initiation([0; 3]), response(7), data(9, 0, 16));
        survives_every_truncation(
            &WireGuard,
            Layer::Udp,
            &[
                (Side::Client, &first),
                (Side::Server, &second),
                (Side::Client, &third),
            ],
        );
    }
}

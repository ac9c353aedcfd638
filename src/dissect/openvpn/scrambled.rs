//! OpenVPN whose packets are scrambled by the XOR patch that several VPN services and clients use (`scramble` in the options).
//!
//! All of its methods (a mask, positions, reversal behind the first octet, all of these; Tunnelblick's `openvpn_xorpatch`) change the first
//! octet of every packet by one and the same value, and no length. So the opcodes cannot be read, but how they differ can: a reset of
//! the client, the server's answer (twelve octets longer, since it acknowledges and names the session), then the client's acknowledgement or
//! first control packet. This is the opcode sequence of Xue and others ("OpenVPN is Open to VPN Fingerprinting", USENIX Security
//! 2022) up to a constant. By chance the lengths, and two differences of eight bits, agree in fewer than one of a million conversations.
//!
//! Over TCP the length in front of each packet stays as it is: the patch scrambles what is handed to the socket's framing, and clients of others'
//! making (Partout) take a packet from the stream by its length before they unscramble it.

use super::reset::{CLIENT_RESET_V2, DIGESTS, SERVER_RESET_V2};
use super::{ACKNOWLEDGEMENT, CONTROL, PROTECTION, framed};
use crate::dissect::cursor::Cursor;
use crate::dissect::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Octets of a client's reset: opcode, session, no acknowledgement, packet identifier; with a digest also replay counter and time; with
/// tls-crypt replay counter, time and tag.
const PLAIN: u32 = 14;
const WITH_REPLAY: u32 = PLAIN + 8;
const TLS_CRYPT: u32 = WITH_REPLAY + 32;
/// What the server's reset has beyond that: one acknowledgement, and the session that it answers.
const ANSWERED: u32 = 12;
/// What an acknowledgement has beyond a reset, since it has no packet identifier.
const ACKNOWLEDGED: u32 = 8;

/// Recognises scrambled OpenVPN.
pub struct Scrambled;

/// By how much the first octets of two packets with these opcodes differ; both have key 0.
const fn difference(opcode: u8) -> u8 {
    (CLIENT_RESET_V2 ^ opcode) << 3
}

fn is_reset_length(length: u32) -> bool {
    length == PLAIN
        || length == TLS_CRYPT
        || DIGESTS
            .iter()
            .any(|digest| length == WITH_REPLAY.saturating_add(*digest))
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The first octet and the length of the client's reset.
    Asked(u8, u32),
    /// The server answered.
    Answered(u8, u32),
    /// The client went on.
    WentOn,
}

impl Stage {
    /// With the first datagram. What is not scrambled is for the dissector beside this one.
    fn begin(side: Side, first: u8, length: u32) -> Option<Self> {
        let is_reset = side == Side::Client && is_reset_length(length) && first != CLIENT_RESET_V2 << 3;
        is_reset.then_some(Self::Asked(first, length))
    }

    /// With the next datagram; `None` where it does not fit.
    fn then(self, side: Side, first: u8, length: u32) -> Option<Self> {
        match (self, side) {
            (Self::Asked(mark, asked), Side::Client) => (first == mark && length == asked).then_some(self),
            (Self::Asked(mark, asked), Side::Server) => {
                let is_answer =
                    first ^ mark == difference(SERVER_RESET_V2) && length == asked.saturating_add(ANSWERED);
                is_answer.then_some(Self::Answered(mark, asked))
            }
            (Self::Answered(mark, asked), Side::Server) => {
                let is_again =
                    first ^ mark == difference(SERVER_RESET_V2) && length == asked.saturating_add(ANSWERED);
                is_again.then_some(self)
            }
            (Self::Answered(mark, asked), Side::Client) => {
                let goes_on = match first ^ mark {
                    change if change == difference(ACKNOWLEDGEMENT) => {
                        length == asked.saturating_add(ACKNOWLEDGED)
                    }
                    change if change == difference(CONTROL) => length >= asked.saturating_add(ANSWERED),
                    _ => false,
                };
                goes_on.then_some(Self::WentOn)
            }
            (Self::WentOn, _) => Some(self),
        }
    }
}

impl Dissector for Scrambled {
    fn name(&self) -> &'static str {
        "openvpn-xor"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&PROTECTION]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp, Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.layer == Layer::Tcp {
            return probe_stream(head.to_server, head.to_client);
        }
        let Some(&newest) = head.newest().first() else {
            return Probe::No;
        };
        let newest = (head.side, newest, head.length_on_wire);
        let earlier = head.earlier.iter().filter_map(|seen| {
            let first = seen.bytes().first()?;
            Some((seen.side, *first, seen.length_on_wire))
        });
        let mut stage: Option<Stage> = None;
        for (side, first, length) in earlier.chain([newest]) {
            stage = match stage {
                None => Stage::begin(side, first, length),
                Some(stage) => stage.then(side, first, length),
            };
            if stage.is_none() {
                return Probe::No;
            }
        }
        match stage {
            Some(Stage::WentOn) => Probe::Yes,
            Some(_) => Probe::Wait,
            None => Probe::No,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Named)
    }
}

/// The length of a packet of a stream and its first octet, as far as they are there.
fn heading(bytes: &[u8]) -> Option<(u8, u32)> {
    let mut cursor = Cursor::new(bytes);
    let length = cursor.u16()?;
    Some((cursor.u8()?, u32::from(length)))
}

/// The client's reset, the server's, and what the client says then, each behind its length.
fn probe_stream(to_server: &[u8], to_client: &[u8]) -> Probe {
    let Some((mark, asked)) = heading(to_server) else {
        // A server that speaks first is no OpenVPN's; one octet of a client's length tells nothing yet.
        return if to_client.is_empty() && to_server.first().is_none_or(|high| *high == 0) {
            Probe::Wait
        } else {
            Probe::No
        };
    };
    let Some(stage) = Stage::begin(Side::Client, mark, asked) else {
        return Probe::No;
    };
    let mut client = Cursor::new(to_server);
    let on = framed(&mut client)
        .and_then(|_| client.take_up_to(3).get(..3))
        .and_then(heading);
    let Some((first, length)) = heading(to_client) else {
        // The client waits for the server's reset.
        return if on.is_none() { Probe::Wait } else { Probe::No };
    };
    let Some(stage) = stage.then(Side::Server, first, length) else {
        return Probe::No;
    };
    match on.map(|(first, length)| stage.then(Side::Client, first, length)) {
        None => Probe::Wait,
        Some(Some(_)) => Probe::Yes,
        Some(None) => Probe::No,
    }
}

struct Named;

impl Dissection for Named {
    fn feed(&mut self, _: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        facts.text(&PROTECTION, b"xor");
        Next::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};
    use proptest::prelude::*;

    /// The methods of the patch.
    #[derive(Clone, Copy, Debug)]
    enum Method {
        Mask,
        Positions,
        Reverse,
        All,
    }

    const METHODS: [Method; 4] = [Method::Mask, Method::Positions, Method::Reverse, Method::All];

    fn mask(bytes: &mut [u8]) {
        for (octet, key) in bytes.iter_mut().zip(b"a secret".iter().cycle()) {
            *octet ^= key;
        }
    }

    fn positions(bytes: &mut [u8]) {
        for (octet, place) in bytes.iter_mut().zip(1_u8..) {
            *octet ^= place;
        }
    }

    fn scrambled(method: Method, mut bytes: Vec<u8>) -> Vec<u8> {
        match method {
            Method::Mask => mask(&mut bytes),
            Method::Positions => positions(&mut bytes),
            Method::Reverse => bytes[1..].reverse(),
            Method::All => {
                positions(&mut bytes);
                bytes[1..].reverse();
                positions(&mut bytes);
                mask(&mut bytes);
            }
        }
        bytes
    }

    /// Resets of both sides, and the acknowledgement, without a digest.
    fn opening() -> [(Side, Vec<u8>); 3] {
        let (client, server) = ([0x11; 8], [0x22; 8]);
        [
            (Side::Client, [&[0x38][..], &client, &[0; 5]].concat()),
            (
                Side::Server,
                [&[0x40][..], &server, &[1, 0, 0, 0, 0], &client, &[0; 4]].concat(),
            ),
            (
                Side::Client,
                [&[0x28][..], &client, &[1, 0, 0, 0, 0], &server].concat(),
            ),
        ]
    }

    fn trial(packets: &[(Side, Vec<u8>)]) -> Trial {
        let mut trial = Trial::new(&[&Scrambled], Layer::Udp, (50_002, 1_194));
        for (side, bytes) in packets {
            trial.payload(*side, bytes);
        }
        trial
    }

    #[test]
    fn every_method_of_the_patch_leaves_how_opcodes_differ() {
        for method in METHODS {
            let packets = opening().map(|(side, bytes)| (side, scrambled(method, bytes)));
            // Reversal alone leaves the first octet as it is.
            let is_plain = matches!(method, Method::Reverse);
            let trial = trial(&packets);
            assert_eq!(trial.names == ["openvpn-xor"], !is_plain, "{method:?}");
            assert_eq!(
                trial.said("openvpn.protection") == ["xor"],
                !is_plain,
                "{method:?}"
            );
        }
    }

    /// The packets of a conversation over TCP, each behind its length.
    fn stream(packets: &[(Side, Vec<u8>)]) -> Trial {
        let mut trial = Trial::new(&[&super::super::OpenVpn, &Scrambled], Layer::Tcp, (50_002, 443));
        for (side, bytes) in packets {
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            trial.payload(*side, &[&length[..], bytes].concat());
        }
        trial
    }

    #[test]
    fn over_tcp_the_length_in_front_stays_and_so_does_how_opcodes_differ() {
        for method in METHODS {
            let packets = opening().map(|(side, bytes)| (side, scrambled(method, bytes)));
            let is_plain = matches!(method, Method::Reverse);
            assert_eq!(stream(&packets).names == ["openvpn-xor"], !is_plain, "{method:?}");
            assert!(stream(&packets[..2]).names.is_empty(), "{method:?}");
        }
        // What is plain is for the other.
        assert_eq!(stream(&opening()).names, ["openvpn"]);
        let masked = opening().map(|(side, bytes)| (side, scrambled(Method::Mask, bytes)));
        for packet in 0..3 {
            let mut packets = masked.clone();
            packets[packet].1[0] ^= 1;
            assert!(
                stream(&packets).names.is_empty(),
                "first octet of packet {packet}"
            );
            let mut packets = masked.clone();
            packets[packet].1.push(0);
            assert!(stream(&packets).names.is_empty(), "length of packet {packet}");
        }
        let mut packets = masked;
        packets.swap(0, 1);
        assert!(stream(&packets).names.is_empty());
    }

    #[test]
    fn a_stream_in_pieces_is_told_as_well_and_nothing_before_it_can_be() {
        let packets = opening().map(|(side, bytes)| (side, scrambled(Method::Mask, bytes)));
        let mut trial = Trial::new(&[&Scrambled], Layer::Tcp, (50_002, 443));
        for (side, bytes) in &packets {
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            for octet in [&length[..], bytes].concat() {
                trial.payload(*side, &[octet]);
            }
        }
        assert_eq!(trial.names, ["openvpn-xor"]);
    }

    #[test]
    fn a_reset_that_was_repeated_and_longer_ones_are_followed() {
        let with_digest = |(side, mut bytes): (Side, Vec<u8>)| {
            bytes.splice(9..9, [0x55; 28]);
            (side, scrambled(Method::Mask, bytes))
        };
        let [asked, answer, on] = opening().map(with_digest);
        assert_eq!(
            trial(&[asked.clone(), asked, answer.clone(), answer, on]).names,
            ["openvpn-xor"]
        );
    }

    #[test]
    fn another_order_length_or_difference_is_none_and_what_is_plain_is_for_the_other() {
        let mut packets = opening().map(|(side, bytes)| (side, scrambled(Method::Mask, bytes)));
        packets[1].1.push(0);
        assert!(trial(&packets).names.is_empty());
        let mut packets = opening().map(|(side, bytes)| (side, scrambled(Method::Mask, bytes)));
        packets[1].1[0] ^= 1;
        assert!(trial(&packets).names.is_empty());
        let mut packets = opening().map(|(side, bytes)| (side, scrambled(Method::Mask, bytes)));
        packets.swap(0, 1);
        assert!(trial(&packets).names.is_empty());
        assert_eq!(trial(&opening()).probed, Probe::No);
    }

    #[test]
    fn truncated_datagrams_are_survived() {
        let packets = opening().map(|(side, bytes)| (side, scrambled(Method::Mask, bytes)));
        let borrowed: Vec<(Side, &[u8])> = packets
            .iter()
            .map(|(side, bytes)| (*side, bytes.as_slice()))
            .collect();
        survives_every_truncation(&Scrambled, Layer::Udp, &borrowed);
    }

    proptest! {
        #[test]
        fn octets_of_the_same_lengths_that_are_chance_are_none(
            mut first: [u8; 14], second: [u8; 26], third: [u8; 22],
        ) {
            // Of sixty-five thousand such conversations two would agree.
            prop_assume!(first[0] ^ second[0] != difference(SERVER_RESET_V2));
            first[13] |= 1;
            let packets = [
                (Side::Client, first.to_vec()),
                (Side::Server, second.to_vec()),
                (Side::Client, third.to_vec()),
            ];
            prop_assert!(trial(&packets).names.is_empty());
        }
    }
}

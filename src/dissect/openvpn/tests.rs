//! Tests of the OpenVPN dissector.

use super::*;
use crate::dissect::tls::sample;
use crate::dissect::trial::{Trial, survives_every_truncation};

const ASK: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const ANSWER: [u8; 8] = [9, 8, 7, 6, 5, 4, 3, 2];
const REPLAY: [u8; 8] = [0, 0, 0, 1, 0x66, 0, 0, 0];

fn plain(answered: Option<[u8; 8]>) -> Vec<u8> {
    let mut bytes = vec![u8::from(answered.is_some())];
    if let Some(session) = answered {
        bytes.extend([0; 4]);
        bytes.extend(session);
    }
    bytes.extend([0; 4]);
    bytes
}

fn reset(opcode: u8, session: [u8; 8], digest: usize, answered: Option<[u8; 8]>) -> Vec<u8> {
    let mut bytes = vec![opcode << 3];
    bytes.extend(session);
    if digest > 0 {
        bytes.extend(vec![0xd1; digest]);
        bytes.extend(REPLAY);
    }
    bytes.extend(plain(answered));
    bytes
}

fn crypt(opcode: u8, session: [u8; 8], hidden: usize) -> Vec<u8> {
    let mut bytes = vec![opcode << 3];
    bytes.extend(session);
    bytes.extend(REPLAY);
    bytes.extend(vec![0xd1; 32 + hidden]);
    bytes
}

fn udp() -> Trial {
    Trial::new(&[&OpenVpn], Layer::Udp, (40_000, 40_001))
}

#[test]
fn a_reset_and_its_answer_are_recognised_in_every_protection() {
    let cases = [
        (reset(7, ASK, 0, None), reset(8, ANSWER, 0, Some(ASK)), "plain"),
        (
            reset(7, ASK, 20, None),
            reset(8, ANSWER, 20, Some(ASK)),
            "tls-auth",
        ),
        (
            reset(7, ASK, 32, None),
            reset(8, ANSWER, 32, Some(ASK)),
            "tls-auth",
        ),
        (
            reset(7, ASK, 64, None),
            reset(8, ANSWER, 64, Some(ASK)),
            "tls-auth",
        ),
        (crypt(7, ASK, 5), crypt(8, ANSWER, 17), "tls-crypt"),
    ];
    for (ask, answer, protection) in cases {
        let mut trial = udp();
        trial.payload(Side::Client, &ask);
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Server, &answer);
        assert_eq!(trial.said("openvpn.protection"), [protection]);
        let frame = |packet: &[u8]| {
            let mut bytes = u16::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
            bytes.extend(packet);
            bytes
        };
        let mut stream = Trial::new(&[&OpenVpn], Layer::Tcp, (40_000, 443));
        for octet in frame(&ask) {
            stream.payload(Side::Client, &[octet]);
        }
        stream.payload(Side::Server, &frame(&answer));
        assert_eq!(
            stream.said("openvpn.session"),
            ["0102030405060708", "0908070605040302"]
        );
        survives_every_truncation(
            &OpenVpn,
            Layer::Udp,
            &[(Side::Client, &ask), (Side::Server, &answer)],
        );
        let (ask, answer) = (frame(&ask), frame(&answer));
        survives_every_truncation(
            &OpenVpn,
            Layer::Tcp,
            &[(Side::Client, &ask), (Side::Server, &answer)],
        );
    }
}

#[test]
fn a_wrapped_key_is_answered_like_tls_crypt() {
    let mut trial = udp();
    trial.payload(Side::Client, &crypt(10, ASK, 300));
    trial.payload(Side::Server, &crypt(8, ANSWER, 17 + 6));
    assert_eq!(trial.probed, Probe::Yes);
}

#[test]
fn an_answer_to_another_session_is_no_proof_but_a_second_copy_is() {
    let mut trial = udp();
    trial.payload(Side::Client, &reset(7, ASK, 0, None));
    trial.payload(Side::Server, &reset(8, ANSWER, 0, Some(ANSWER)));
    assert_eq!(trial.probed, Probe::Wait);
    trial.payload(Side::Client, &reset(7, ASK, 0, None));
    assert_eq!(trial.probed, Probe::Yes);
}

#[test]
fn data_in_the_middle_needs_four_rising_packets_of_one_peer() {
    let data = |identifier: u8| {
        let mut bytes = vec![0x48, 0, 0, 3, 0, 0, 1, identifier];
        bytes.extend([0xd1; 60]);
        bytes
    };
    let mut trial = udp();
    for identifier in [1, 2, 4] {
        trial.payload(Side::Client, &data(identifier));
        assert_eq!(trial.probed, Probe::Wait);
    }
    trial.payload(Side::Client, &data(5));
    assert_eq!(trial.probed, Probe::Yes);
    let mut falling = udp();
    falling.payload(Side::Client, &data(5));
    falling.payload(Side::Client, &data(4));
    assert_eq!(falling.probed, Probe::No);
}

#[test]
fn a_digest_without_a_believable_time_is_refused() {
    let mut bytes = reset(7, ASK, 20, None);
    bytes[9 + 20 + 4] = 0;
    let mut trial = udp();
    trial.payload(Side::Client, &bytes);
    assert_eq!(trial.probed, Probe::No);
}

/// A control packet that acknowledges one of the other side's and carries a piece of the stream.
fn control(session: [u8; 8], digest: usize, number: u32, piece: &[u8]) -> Vec<u8> {
    let mut bytes = vec![CONTROL << 3];
    bytes.extend(session);
    if digest > 0 {
        bytes.extend(vec![0xd1; digest]);
        bytes.extend(REPLAY);
    }
    bytes.extend([1, 0, 0, 0, 0]);
    bytes.extend([7; 8]);
    bytes.extend(number.to_be_bytes());
    bytes.extend(piece);
    bytes
}

#[test]
fn the_hellos_in_the_control_channel_are_read_in_any_order() {
    let hello = sample::record(22, &sample::message(1, &sample::client_hello_body()));
    let answer = sample::record(22, &sample::message(2, &sample::server_hello_body()));
    for digest in [0, 20, 64] {
        let mut packets: Vec<_> = (1..)
            .zip(hello.chunks(30))
            .map(|(number, piece)| control(ASK, digest, number, piece))
            .collect();
        packets.reverse();
        packets.extend_from_within(..2);
        let mut trial = udp();
        trial.payload(Side::Client, &reset(7, ASK, digest, None));
        trial.payload(Side::Server, &reset(8, ANSWER, digest, Some(ASK)));
        for packet in &packets {
            trial.payload(Side::Client, packet);
        }
        trial.payload(Side::Server, &control(ANSWER, digest, 1, &answer));
        assert_eq!(trial.said("tls.sni"), ["farm.example"], "digest of {digest}");
        assert_eq!(trial.said("tls.ja4").len(), 1);
        assert_eq!(trial.said("tls.version"), ["TLS 1.2"]);
    }
}

#[test]
fn one_direction_alone_shows_its_protection_by_what_it_carries() {
    let hello = sample::record(22, &sample::message(1, &sample::client_hello_body()));
    for (digest, protection) in [(0, "plain"), (20, "tls-auth"), (64, "tls-auth")] {
        let mut trial = udp();
        trial.payload(Side::Client, &reset(7, ASK, digest, None));
        trial.payload(Side::Client, &control(ASK, digest, 1, &hello));
        assert_eq!(trial.said("openvpn.protection"), [protection]);
        assert_eq!(trial.said("tls.sni"), ["farm.example"]);
    }
    let mut trial = udp();
    trial.payload(Side::Client, &crypt(7, ASK, 5));
    trial.payload(Side::Client, &crypt(CONTROL, ASK, 400));
    assert_eq!(trial.names, ["openvpn"]);
    assert!(trial.said("openvpn.protection").is_empty());
}

#[test]
fn a_hello_behind_a_lost_packet_is_not_made_up() {
    let hello = sample::record(22, &sample::message(1, &sample::client_hello_body()));
    let mut trial = udp();
    trial.payload(Side::Client, &reset(7, ASK, 0, None));
    trial.payload(Side::Server, &reset(8, ANSWER, 0, Some(ASK)));
    for (number, piece) in (1..).zip(hello.chunks(30)).filter(|(number, _)| *number != 2) {
        trial.payload(Side::Client, &control(ASK, 0, number, piece));
    }
    assert!(trial.said("tls.ja4").is_empty());
}

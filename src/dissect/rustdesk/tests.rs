//! Messages built by hand from the field numbers; no capture of the real program was at hand.

use super::*;
use crate::dissect::trial::{Trial, survives_every_truncation};

const CONTROLLER_ADDRESS: [u8; 4] = [203, 0, 113, 77];

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

fn octets(number: usize, content: &[u8]) -> Vec<u8> {
    let mut bytes = varint(number << 3 | 2);
    bytes.extend(varint(content.len()));
    bytes.extend(content);
    bytes
}

fn message(number: usize, fields: &[Vec<u8>]) -> Vec<u8> {
    octets(number, &fields.concat())
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = if body.len() < 64 {
        vec![u8::try_from(body.len() << 2).unwrap()]
    } else {
        u16::try_from(body.len() << 2 | 1).unwrap().to_le_bytes().to_vec()
    };
    bytes.extend(body);
    bytes
}

fn mangled() -> Vec<u8> {
    socket_address::encode(CONTROLLER_ADDRESS, 50_123, 0xdead_beef)
}

fn udp() -> Trial {
    Trial::new(&[&RustDesk], Layer::Udp, (40_000, 443))
}

fn tcp(port: u16) -> Trial {
    Trial::new(&[&RustDesk], Layer::Tcp, (40_000, port))
}

/// As the reference's byte row has it: `32 0d 0a 09 digits 10 serial`.
const REGISTER: &[u8] = b"\x32\x0d\x0a\x09123456789\x10\x05";

#[test]
fn a_registration_on_any_port_names_the_machine_once() {
    let mut trial = udp();
    trial.payload(Side::Client, REGISTER);
    trial.payload(Side::Server, b"\x3a\x00");
    trial.payload(Side::Client, REGISTER);
    assert_eq!(trial.names, ["rustdesk"]);
    assert_eq!(trial.said("rustdesk.id"), ["123456789"]);
    assert_eq!(trial.said("rustdesk.role"), ["registered"]);
    assert_eq!(
        trial.said("rustdesk.message"),
        ["register-peer", "register-peer-response"]
    );
}

#[test]
fn a_request_to_be_controlled_gives_the_controllers_address_away() {
    let requests = [
        message(9, &[octets(1, &mangled()), octets(2, b"relay.example:21117")]),
        message(12, &[octets(1, &mangled()), octets(2, b"relay.example:21117")]),
        message(
            18,
            &[
                octets(2, b"b7d9b1d2-0000-4000-8000-1234567890ab"),
                octets(3, &mangled()),
                octets(4, b"relay.example:21117"),
            ],
        ),
    ];
    for request in requests {
        let mut trial = udp();
        trial.payload(Side::Client, REGISTER);
        trial.payload(Side::Server, &request);
        assert_eq!(trial.said("rustdesk.controller"), ["203.0.113.77 50123"]);
        assert_eq!(trial.said("rustdesk.relay"), ["relay.example:21117"]);
        assert_eq!(trial.said("rustdesk.role"), ["registered", "controlled"]);
        survives_every_truncation(
            &RustDesk,
            Layer::Udp,
            &[(Side::Client, REGISTER), (Side::Server, &request)],
        );
    }
}

#[test]
fn who_asks_for_another_machine_over_tcp_is_the_controller() {
    let request = frame(&message(
        8,
        &[octets(1, b"987654321"), vec![0x10, 1], octets(6, b"1.4.2")],
    ));
    let mut trial = tcp(443);
    for octet in &request {
        trial.payload(Side::Client, &[*octet]);
    }
    assert_eq!(trial.said("rustdesk.target_id"), ["987654321"]);
    assert_eq!(trial.said("rustdesk.version"), ["1.4.2"]);
    assert_eq!(trial.said("rustdesk.role"), ["controller"]);
    survives_every_truncation(&RustDesk, Layer::Tcp, &[(Side::Client, &request)]);
}

#[test]
fn both_legs_at_a_relay_carry_the_identifier_and_tell_who_is_who() {
    let uuid = octets(2, b"b7d9b1d2-0000-4000-8000-1234567890ab");
    let legs = [
        (
            message(18, &[octets(1, b"987654321"), uuid.clone()]),
            "controller",
        ),
        (message(18, std::slice::from_ref(&uuid)), "controlled"),
    ];
    for (leg, role) in legs {
        let mut trial = tcp(21_117);
        trial.payload(Side::Client, &frame(&leg));
        assert_eq!(trial.said("rustdesk.role"), [role]);
        assert_eq!(
            trial.said("rustdesk.uuid"),
            ["b7d9b1d2-0000-4000-8000-1234567890ab"]
        );
    }
}

#[test]
fn the_signed_greeting_of_a_session_names_the_controlled_machine() {
    let mut signed = vec![0x51; 64];
    signed.extend(octets(1, b"123456789"));
    signed.extend(octets(2, &[0x77; 32]));
    let greeting = frame(&octets(3, &octets(1, &signed)));
    let mut trial = tcp(21_118);
    trial.payload(Side::Server, &greeting);
    assert_eq!(trial.said("rustdesk.id"), ["123456789"]);
    assert_eq!(trial.next, Some(Next::Done));
    survives_every_truncation(&RustDesk, Layer::Tcp, &[(Side::Server, &greeting)]);
}

#[test]
fn an_answer_to_discovery_is_an_inventory() {
    let pong = message(
        22,
        &[
            octets(1, b"pong"),
            octets(2, b"02:00:5e:10:00:01"),
            octets(3, b"123456789"),
            octets(4, b"someone"),
            octets(5, b"LAPTOP-7"),
            octets(6, b"Windows"),
        ],
    );
    let mut trial = udp();
    trial.payload(Side::Server, &pong);
    assert_eq!(trial.said("rustdesk.host_name"), ["LAPTOP-7"]);
    assert_eq!(trial.said("rustdesk.mac"), ["02:00:5e:10:00:01"]);
}

#[test]
fn weak_messages_need_a_port_of_rustdesk() {
    for (port, expected) in [(21_115, Probe::Yes), (443, Probe::No)] {
        let mut trial = tcp(port);
        trial.payload(Side::Client, b"\x14\xa2\x01\x02\x08\x01");
        assert_eq!(trial.probed, expected);
    }
}

#[test]
fn unknown_fields_and_trailing_octets_are_refused() {
    let mut longer = REGISTER.to_vec();
    longer.push(0);
    let foreign = message(6, &[octets(1, b"123456789"), octets(3, b"x")]);
    for bytes in [longer, foreign] {
        let mut trial = udp();
        trial.payload(Side::Client, &bytes);
        assert_eq!(trial.probed, Probe::No);
    }
}

//! RustDesk with a private server: registration every 15 s by UDP in the clear, then for each session a request to meet that
//! names the controller, a relay connection opened by the controlled machine, and an encrypted stream (message numbers:
//! rustdesk/hbb_common `rendezvous.proto` and `message.proto`, framing `bytes_codec.rs`; DETECTION 4.1.4 for the mangled address).

use std::net::Ipv4Addr;

use super::screen::Screen;
use crate::lab::connection::{Connection, Side};
use crate::lab::network::{Host, MS, Micros, Network, SECOND};
use crate::lab::random::Random;
use crate::lab::truth::Stretch;

const RENDEZVOUS: u16 = 21_116;
const RELAY: u16 = 21_117;
const REGISTRATION: Micros = 15 * SECOND;

/// An installed RustDesk that waits to be reached.
pub(in crate::lab) struct RustDesk<'a> {
    /// Its machine.
    pub(in crate::lab) machine: &'a Host,
    /// Nine digits.
    pub(in crate::lab) id: &'a str,
    /// The private server: rendezvous and relay on one host.
    pub(in crate::lab) server: &'a Host,
    /// Who asks the server for this machine, as the server sees it.
    pub(in crate::lab) controller: Ipv4Addr,
    /// From a screen update to the viewer's answer.
    pub(in crate::lab) circle: Micros,
}

impl RustDesk<'_> {
    /// Registers from `start` to `end`; each element of `sessions` is one session's stretches.
    pub(in crate::lab) fn run(
        &self,
        network: &mut Network,
        span: (Micros, Micros),
        sessions: &[Vec<Stretch>],
        random: &mut Random,
    ) {
        let (start, end) = span;
        let (server, at) = network.look_up(start, self.machine, &self.server.name, self.server.one_way);
        let port = network.port(self.machine);
        let ends = [self.machine, &server];
        let trip = 2 * server.one_way;
        let serial = [16, 0];
        let mut beat = at;
        while beat < end {
            let peer = outer(6, &[field(1, self.id.as_bytes()), serial.to_vec()].concat());
            network.datagram(beat, ends, [port, RENDEZVOUS], &peer);
            let answered = beat + trip + network.jitter(2 * MS);
            network.datagram(
                answered,
                [&server, self.machine],
                [RENDEZVOUS, port],
                &outer(7, &[]),
            );
            beat += network.period(REGISTRATION) + network.jitter(60 * MS);
        }
        for stretches in sessions {
            if let (Some((from, ..)), Some((_, to, _))) = (stretches.first(), stretches.last()) {
                self.session(network, &server, port, (*from, *to), stretches, random);
            }
        }
    }

    fn session(
        &self,
        network: &mut Network,
        server: &Host,
        port: u16,
        (from, to): (Micros, Micros),
        stretches: &[Stretch],
        random: &mut Random,
    ) {
        // The server tells by UDP that somebody wants in, two seconds before the first picture.
        let told = from.saturating_sub(2 * SECOND);
        let from_port = 40_000 + random.short() % 20_000;
        let caller = mangled(self.controller, from_port, random.word());
        let relay = format!("{}:{RELAY}", server.name);
        let hex = random.hex(32);
        let uuid = dashed(&hex);
        let request = [
            field(2, uuid.as_bytes()),
            field(3, &caller),
            field(4, relay.as_bytes()),
        ]
        .concat();
        network.datagram(
            told,
            [server, self.machine],
            [RENDEZVOUS, port],
            &outer(18, &request),
        );

        // It confirms by TCP to the rendezvous ...
        let at = told + 2 * self.machine.one_way + 6 * MS;
        let mut confirmation = Connection::open(network, at, self.machine, server, RENDEZVOUS);
        let answer = [
            field(1, &caller),
            field(2, uuid.as_bytes()),
            field(3, relay.as_bytes()),
            field(4, self.id.as_bytes()),
            field(7, b"1.3.7"),
        ]
        .concat();
        let ready = confirmation.ready();
        confirmation.say(ready, Side::Client, framed(&outer(19, &answer)));
        confirmation.close(ready + 300 * MS, Side::Client);
        confirmation.play(network);

        // ... and dials the relay with the session's identifier; the greeting with the signed id and key is still in the clear.
        let at = at + 30 * MS;
        let mut line = Connection::open(network, at, self.machine, server, RELAY);
        let ready = line.ready();
        line.say(
            ready,
            Side::Client,
            framed(&outer(18, &field(2, uuid.as_bytes()))),
        );
        let signed = [
            random.octets(64),
            field(1, self.id.as_bytes()),
            field(2, &random.octets(32)),
        ]
        .concat();
        let met = ready + self.circle;
        line.say(met, Side::Client, framed(&outer(3, &field(1, &signed))));
        let keys = [field(1, &random.octets(32)), field(2, &random.octets(48))].concat();
        line.say(met + self.circle, Side::Server, framed(&outer(4, &keys)));
        let (mut at, mut answered) = (met + self.circle + 20 * MS, 0);
        // Log-in, its answer, options: a few small messages before the first picture.
        for (side, length) in [(Side::Client, 96), (Side::Server, 310), (Side::Client, 720)] {
            at += answered + 15 * MS;
            answered = self.circle;
            line.say_cut(at, side, sealed(random, length));
        }
        let screen = Screen {
            controlled: Side::Client,
            // Mouse and key events of a few octets, with 16 of authentication.
            input: (24, 36),
            update: (1_100, 5_200),
            circle: self.circle,
            pause: (800, 2_700),
            wrap: sealed,
        };
        screen.show(&mut line, stretches, random);
        line.close(to + 800 * MS, Side::Server);
        line.play(network);
    }
}

/// An encrypted frame.
fn sealed(random: &mut Random, length: usize) -> Vec<u8> {
    framed(&random.octets(length))
}

/// A message behind the length of one to four octets, whose low two bits say how many they are.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(0) << 2;
    let octets = match message.len() {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3f_ffff => 3,
        _ => 4_usize,
    };
    let marked = length | u32::try_from(octets - 1).unwrap_or(0);
    let mut bytes: Vec<u8> = marked.to_le_bytes().into_iter().take(octets).collect();
    bytes.extend(message);
    bytes
}

/// A message as the one field of the outer message.
fn outer(number: u64, content: &[u8]) -> Vec<u8> {
    field(number, content)
}

/// A field of octets (protobuf wire type 2).
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = varint(number << 3 | 2);
    bytes.extend(varint(u64::try_from(content.len()).unwrap_or(0)));
    bytes.extend(content);
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// `(ip + t) << 49 | t << 17 | (port + (t & 0xffff))`, little-endian, the zeros at its end cut off.
fn mangled(ip: Ipv4Addr, port: u16, time: u32) -> Vec<u8> {
    let address = u128::from(u32::from_le_bytes(ip.octets()));
    let time = u128::from(time);
    let value = (address + time) << 49 | time << 17 | (u128::from(port) + (time & 0xffff));
    let mut octets = value.to_le_bytes().to_vec();
    while octets.last() == Some(&0) {
        octets.pop();
    }
    octets
}

fn dashed(hex: &str) -> String {
    let mut text = String::new();
    for (place, digit) in hex.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_the_fifteen_octets_that_the_catalogue_knows() {
        let peer = outer(6, &[field(1, b"123456789"), vec![16, 0]].concat());
        assert_eq!(peer, b"\x32\x0d\x0a\x09123456789\x10\x00");
    }

    #[test]
    fn frames_say_their_length_in_the_upper_bits() {
        assert_eq!(framed(&[7; 5])[0], 5 << 2);
        assert_eq!(framed(&[7; 0x40])[..2], [0x01, 0x01]);
    }

    #[test]
    fn a_mangled_address_can_be_undone() {
        let octets = mangled(Ipv4Addr::new(203, 0, 113, 200), 50_123, 0xdead_beef);
        let mut wide = [0; 16];
        wide[..octets.len()].copy_from_slice(&octets);
        let value = u128::from_le_bytes(wide);
        let time = value >> 17 & 0xffff_ffff;
        assert_eq!(
            (value >> 49) - time,
            u128::from(u32::from_le_bytes([203, 0, 113, 200]))
        );
        assert_eq!((value & 0x1_ffff) - (time & 0xffff), 50_123);
    }
}

//! SSH (RFC 4253): identification strings of both sides and the name lists of both KEXINIT messages, as HASSH.
//!
//! HASSH is the MD5 of `kex;encryption;mac;compression` as the client lists them for its own direction;
//! the server's variant takes its lists for the other direction (github.com/salesforce/hassh, method described there).
//! SSH version 1 has no such lists and ends after the identification.
//!
//! Who opened the connection need not be SSH's client: the message behind KEXINIT tells who asks for the key exchange.

use md5::{Digest, Md5};

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Identification string of who opened the connection, without the line end: `SSH-2.0-OpenSSH_9.6`.
pub const CLIENT: Field = Field::of_flow("ssh.client");
/// Identification string of who was called.
pub const SERVER: Field = Field::of_flow("ssh.server");
/// HASSH of the client's KEXINIT, 32 hexadecimal digits.
pub const HASSH: Field = Field::of_flow("ssh.hassh");
/// HASSH of the server's KEXINIT, 32 hexadecimal digits.
pub const HASSH_SERVER: Field = Field::of_flow("ssh.hassh_server");
/// 1 where the side that opened the connection is SSH's server: a shell that calls its user.
pub const REVERSED: Field = Field::of_flow("ssh.reversed");

/// Bytes that a server may say before its identification until we stop listening (RFC 4253, 4.2 sets no bound).
const MOST_BEFORE_IDENTIFICATION: usize = 8 << 10;
/// Longest line, its end included (RFC 4253, 4.2: 255 for the identification; other lines are not bounded).
const LONGEST_LINE: usize = 1 << 10;
/// Largest packet that is believed (RFC 4253, 6.1: 35,000 must be supported; OpenSSH takes 256 KiB).
const LARGEST_PACKET: u32 = 256 << 10;
/// Message number of KEXINIT (RFC 4250, 4.1.2).
const KEXINIT: u8 = 20;
/// What clients send first in the exchange: DH, elliptic and hybrid (30), group exchange (30, 34; RFC 4419). Only in the
/// exchange by RSA (RFC 4432), which OpenSSH never had, a server begins with 30.
const ASKS: [u8; 3] = [30, 32, 34];
/// What servers answer (RFC 4253, 8; RFC 5656, 4; RFC 4419, 5).
const ANSWERS: [u8; 2] = [31, 33];

/// Recognises SSH.
pub struct Ssh;

impl Dissector for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&CLIENT, &SERVER, &HASSH, &HASSH_SERVER, &REVERSED]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let mut answer = Probe::No;
        for bytes in [head.to_server, head.to_client] {
            match bytes.split_first_chunk::<5>() {
                Some(([b'S', b'S', b'H', b'-', digit], _)) if digit.is_ascii_digit() => return Probe::Yes,
                Some(_) if begins_with_key_exchange(bytes) => return Probe::Yes,
                None if b"SSH-".starts_with(bytes.get(..bytes.len().min(4)).unwrap_or_default())
                    && !bytes.is_empty() =>
                {
                    answer = Probe::Wait;
                }
                _ => {}
            }
        }
        // Only the server may speak other lines first; then the client's identification decides.
        if head.to_server.is_empty()
            && head.to_client.len() <= MOST_BEFORE_IDENTIFICATION
            && head
                .to_client
                .first()
                .is_some_and(|octet| octet.is_ascii_graphic() || octet.is_ascii_whitespace())
        {
            if head.to_client.windows(7).any(|window| window == b"\nSSH-2.") {
                return Probe::Yes;
            }
            answer = Probe::Wait;
        }
        answer
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Conversation::default())
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Lines until one starts with `SSH-`; so many bytes were passed.
    #[default]
    Lines,
    /// Binary packets until KEXINIT.
    Packets,
    /// The packet behind it.
    Exchange,
    /// Nothing more to learn from this side.
    Finished,
}

#[derive(Default)]
struct Conversation {
    stages: [Stage; 2],
    passed: [usize; 2],
    said_reversed: bool,
}

impl Dissection for Conversation {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let [client, server] = &mut self.stages;
        let [client_passed, server_passed] = &mut self.passed;
        let (stage, passed) = match input.side {
            Side::Client => (client, client_passed),
            Side::Server => (server, server_passed),
        };
        if input.after_gap {
            *stage = Stage::Finished;
        }
        let mut cursor = Cursor::new(input.bytes);
        if *stage == Stage::Lines && *passed == 0 && begins_with_key_exchange(input.bytes) {
            *stage = Stage::Packets;
        }
        if *stage == Stage::Lines {
            *stage = read_lines(&mut cursor, passed, input.side, facts);
        }
        if matches!(*stage, Stage::Packets | Stage::Exchange) {
            let is_reversed = read_packets(&mut cursor, stage, input.side, facts);
            if is_reversed && !self.said_reversed {
                self.said_reversed = true;
                facts.number(&REVERSED, 1);
            }
        }
        if self.stages == [Stage::Finished; 2] {
            return Next::Done;
        }
        let [client, server] = self.stages;
        let stage = match input.side {
            Side::Client => client,
            Side::Server => server,
        };
        Next::More(if stage == Stage::Finished {
            input.bytes.len()
        } else {
            cursor.position()
        })
    }
}

/// Whether KEXINIT comes first, because the capture missed the identification: length, padding, number, cookie, and a
/// list of key exchanges, which are names of printable ASCII (RFC 4251, 6).
fn begins_with_key_exchange(bytes: &[u8]) -> bool {
    let read = || {
        let mut cursor = Cursor::new(bytes);
        let length = cursor.u32()?;
        cursor.u8()?;
        let is_key_exchange = cursor.u8()? == KEXINIT;
        cursor.skip(16)?;
        let list = cursor.u32()?;
        let names = cursor.take(16)?;
        Some(
            is_key_exchange
                && length <= LARGEST_PACKET
                && (16..length).contains(&list)
                && names.iter().all(u8::is_ascii_graphic),
        )
    };
    read().unwrap_or(false)
}

/// Reads up to and including the identification; leaves the cursor on the first byte that was not understood.
fn read_lines(cursor: &mut Cursor<'_>, passed: &mut usize, side: Side, facts: &mut Facts<'_>) -> Stage {
    loop {
        let rest = cursor.rest();
        let Some(end) = rest.iter().take(LONGEST_LINE).position(|octet| *octet == b'\n') else {
            return if rest.len() >= LONGEST_LINE {
                Stage::Finished
            } else {
                Stage::Lines
            };
        };
        let Some(line) = cursor.take(end.saturating_add(1)) else {
            return Stage::Lines;
        };
        if line.starts_with(b"SSH-") {
            let field = match side {
                Side::Client => &CLIENT,
                Side::Server => &SERVER,
            };
            facts.text(field, line.trim_ascii_end());
            // 1.99 is a server that speaks version 2 as well (RFC 4253, 5.1).
            let is_old = line.starts_with(b"SSH-1.") && !line.starts_with(b"SSH-1.99");
            return if is_old { Stage::Finished } else { Stage::Packets };
        }
        *passed = passed.saturating_add(line.len());
        if *passed > MOST_BEFORE_IDENTIFICATION {
            return Stage::Finished;
        }
    }
}

/// Reads packets up to the one behind KEXINIT; whether that is one which the other side should have sent.
fn read_packets(cursor: &mut Cursor<'_>, stage: &mut Stage, side: Side, facts: &mut Facts<'_>) -> bool {
    loop {
        let mut packet = cursor.clone();
        let Some(length) = packet.u32() else {
            return false;
        };
        if !(5..=LARGEST_PACKET).contains(&length) {
            *stage = Stage::Finished;
            return false;
        }
        let Some(mut body) = packet.within(usize::try_from(length).unwrap_or(usize::MAX)) else {
            return false;
        };
        *cursor = packet;
        let message = body.u16().map(u16::to_be_bytes);
        match (message, *stage) {
            // Disconnect, ignore, unimplemented and debug may come before (RFC 4253, 11).
            (Some([_, 1..=4]), _) => {}
            (Some([_, KEXINIT]), Stage::Packets) => {
                if let Some(hash) = hassh(body, side) {
                    let field = match side {
                        Side::Client => &HASSH,
                        Side::Server => &HASSH_SERVER,
                    };
                    facts.text(field, hash.as_bytes());
                }
                *stage = Stage::Exchange;
            }
            (message, before) => {
                *stage = Stage::Finished;
                let wrong: &[u8] = match side {
                    Side::Client => &ANSWERS,
                    Side::Server => &ASKS,
                };
                let number = message.map(|[_, number]| number);
                return before == Stage::Exchange && number.is_some_and(|number| wrong.contains(&number));
            }
        }
    }
}

/// The fingerprint of a KEXINIT message after its number (RFC 4253, 7.1: cookie, then ten name lists).
fn hassh(mut body: Cursor<'_>, side: Side) -> Option<String> {
    use std::fmt::Write as _;

    body.skip(16)?;
    let mut lists: [&[u8]; 8] = [&[]; 8];
    for list in &mut lists {
        let length = body.u32()?;
        *list = body.take(usize::try_from(length).ok()?)?;
    }
    let [
        kex,
        _,
        to_server,
        to_client,
        mac_up,
        mac_down,
        compress_up,
        compress_down,
    ] = lists;
    let chosen = match side {
        Side::Client => [kex, to_server, mac_up, compress_up],
        Side::Server => [kex, to_client, mac_down, compress_down],
    };
    let mut state = Md5::new();
    for (index, list) in chosen.iter().enumerate() {
        if index > 0 {
            state.update(b";");
        }
        state.update(list);
    }
    let mut text = String::with_capacity(32);
    for octet in state.finalize() {
        let _ = write!(text, "{octet:02x}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, hex, survives_every_truncation};

    fn kexinit(lists: [&str; 10]) -> Vec<u8> {
        let mut body = vec![KEXINIT];
        body.extend_from_slice(&[0x5a; 16]);
        for list in lists {
            body.extend_from_slice(&u32::try_from(list.len()).unwrap().to_be_bytes());
            body.extend_from_slice(list.as_bytes());
        }
        body.extend_from_slice(&[0; 5]);
        let padding = 4;
        let mut packet = u32::try_from(body.len() + 1 + padding)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        packet.push(u8::try_from(padding).unwrap());
        packet.extend_from_slice(&body);
        packet.extend_from_slice(&[0; 4]);
        packet
    }

    fn sample() -> Vec<u8> {
        kexinit([
            "k1,k2", "h", "up", "down", "m-up", "m-down", "none", "zlib", "", "",
        ])
    }

    /// A packet with this message number and nothing else.
    fn message(number: u8) -> Vec<u8> {
        let mut packet = vec![0, 0, 0, 12, 10, number];
        packet.extend([0; 10]);
        packet
    }

    fn digest(text: &str) -> String {
        hex(&Md5::digest(text))
    }

    #[test]
    fn both_sides_give_banner_and_fingerprint_also_when_split_into_single_bytes() {
        let mut trial = Trial::new(&[&Ssh], Layer::Tcp, (40_000, 2_222));
        let mut client = b"SSH-2.0-client_1 comment\r\n".to_vec();
        client.extend(sample());
        let mut server = b"Welcome\r\nSSH-1.99-server\n".to_vec();
        server.extend(sample());
        for octet in client {
            trial.payload(Side::Client, &[octet]);
        }
        for octet in server {
            trial.payload(Side::Server, &[octet]);
        }
        assert_eq!(trial.said("ssh.client"), ["SSH-2.0-client_1 comment"]);
        assert_eq!(trial.said("ssh.server"), ["SSH-1.99-server"]);
        assert_eq!(trial.said("ssh.hassh"), [digest("k1,k2;up;m-up;none")]);
        assert_eq!(trial.said("ssh.hassh_server"), [digest("k1,k2;down;m-down;zlib")]);
        trial.payload(Side::Client, &message(30));
        trial.payload(Side::Server, &message(31));
        assert_eq!(trial.next, Some(Next::Done));
        assert!(trial.said("ssh.reversed").is_empty());
    }

    #[test]
    fn a_server_that_opened_the_connection_gives_itself_away_by_what_it_answers() {
        for (to_server, to_client) in [(31, 30), (33, 34), (31, 21), (2, 30)] {
            let mut trial = Trial::new(&[&Ssh], Layer::Tcp, (40_000, 22));
            let side = |number| [&b"SSH-2.0-x\r\n"[..], &sample(), &message(number)].concat();
            trial.payload(Side::Server, &side(to_client));
            trial.payload(Side::Client, &side(to_server));
            assert_eq!(trial.said("ssh.reversed"), ["1"], "{to_server} and {to_client}");
        }
    }

    #[test]
    fn the_old_version_ends_after_the_identification() {
        let mut trial = Trial::new(&[&Ssh], Layer::Tcp, (40_000, 22));
        trial.payload(Side::Server, b"SSH-1.5-1.2.27\n");
        trial.payload(Side::Client, b"SSH-1.5-old\n");
        assert_eq!(trial.next, Some(Next::Done));
        assert_eq!(trial.said("ssh.server"), ["SSH-1.5-1.2.27"]);
    }

    #[test]
    fn a_key_exchange_without_identification_is_enough() {
        let lists = [
            "curve25519-sha256",
            "h",
            "u",
            "d",
            "m",
            "m",
            "none",
            "none",
            "",
            "",
        ];
        let mut trial = Trial::new(&[&Ssh], Layer::Tcp, (40_000, 40_001));
        trial.payload(Side::Client, &kexinit(lists));
        assert_eq!(trial.said("ssh.hassh"), [digest("curve25519-sha256;u;m;none")]);
    }

    #[test]
    fn a_server_that_greets_otherwise_is_refused_when_the_client_speaks() {
        let mut trial = Trial::new(&[&Ssh], Layer::Tcp, (40_000, 25));
        trial.payload(Side::Server, b"220 mail ESMTP\r\n");
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Client, b"EHLO me\r\n");
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn truncated_conversations_are_survived() {
        let mut client = b"SSH-2.0-c\r\n".to_vec();
        client.extend(sample());
        survives_every_truncation(
            &Ssh,
            Layer::Tcp,
            &[(Side::Server, b"SSH-2.0-s\r\n"), (Side::Client, &client)],
        );
    }
}

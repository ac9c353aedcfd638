//! TeamViewer's own framing on TCP (5938, then 443 and 80, where it is not TLS) and UDP.
//!
//! Two frames are known: `17 24`, a command, a little-endian length of 16 bits; and the newer `11 30`, a command, zero, a
//! little-endian length of 32 bits, which does not count the header's 24 octets (both lengths measured). Over UDP eleven octets come before the first form. Commands and forms were read in
//! public captures (reference rows "teamviewer"); there is no public specification. Which commands appeared tells an idle
//! client (keep-alives, router commands) from a session (routing request, session id, data).

use std::net::IpAddr;

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Command byte of a frame, each once.
pub const COMMAND: Field = Field::of_flow("teamviewer.command");
/// Peer's address, as a UDP hole punch spells it out.
pub const PEER: Field = Field::of_flow("teamviewer.peer");

const OLD: [u8; 2] = [0x17, 0x24];
const NEW: [u8; 2] = [0x11, 0x30];
/// Octets of the newer header behind its length.
const REST_OF_HEADER: usize = 16;
/// Where the old frame starts in a datagram.
const UDP_PREFIX: usize = 11;
/// Largest frame that is believed.
const LARGEST_FRAME: usize = 1 << 20;
/// Frames that are looked at in one flow.
const MOST_FRAMES: u16 = 512;

/// Recognises TeamViewer.
pub struct TeamViewer;

impl Dissector for TeamViewer {
    fn name(&self) -> &'static str {
        "teamviewer"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&COMMAND, &PEER]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp, Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.layer == Layer::Udp {
            return match datagram_command(head.newest()) {
                Some(command) if is_known(command) => Probe::Yes,
                _ => Probe::No,
            };
        }
        let mut answer = Probe::No;
        for bytes in [head.to_server, head.to_client] {
            match (bytes, frame(&mut Cursor::new(bytes))) {
                (_, Some(found))
                    if is_known(found.command) && (found.is_old || found.length < LARGEST_FRAME) =>
                {
                    return Probe::Yes;
                }
                ([0x17 | 0x11] | [0x17, 0x24, ..] | [0x11, 0x30, ..], None) if bytes.len() < 8 => {
                    answer = Probe::Wait;
                }
                _ => {}
            }
        }
        answer
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| first == 0)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Session {
            commands: [0; 4],
            frames: 0,
            lost: [false; 2],
        })
    }
}

/// Commands that were identified.
const fn is_known(command: u8) -> bool {
    matches!(
        command,
        0x0a | 0x10 | 0x18 | 0x1b | 0x28 | 0x2e | 0x31 | 0x35 | 0x36 | 0x3c | 0x3f | 0x46 | 0x47 | 0x5a
            ..=0x5c | 0x6b | 0x6c | 0x6f | 0x70
    )
}

struct Frame {
    is_old: bool,
    command: u8,
    /// Octets after what was read of the header.
    length: usize,
}

/// Reads the header of a frame in either form.
fn frame(cursor: &mut Cursor<'_>) -> Option<Frame> {
    let magic = cursor.array::<2>()?;
    let command = cursor.u8()?;
    let (is_old, length) = match magic {
        OLD => (true, usize::from(cursor.u16_le()?)),
        NEW if cursor.u8()? == 0 => {
            let length = usize::try_from(cursor.u32_le()?).ok()?;
            (false, length.saturating_add(REST_OF_HEADER))
        }
        _ => return None,
    };
    Some(Frame {
        is_old,
        command,
        length,
    })
}

/// The command of a datagram.
fn datagram_command(bytes: &[u8]) -> Option<u8> {
    let mut cursor = Cursor::new(bytes);
    let first = cursor.u8()?;
    cursor.skip(UDP_PREFIX.saturating_sub(1))?;
    let is_old = cursor.array::<2>()? == OLD;
    let command = cursor.u8()?;
    (first == 0 && is_old).then_some(command)
}

struct Session {
    /// Commands that were said, one bit each.
    commands: [u64; 4],
    frames: u16,
    /// Sides whose frame boundaries were lost.
    lost: [bool; 2],
}

impl Session {
    fn say(&mut self, command: u8, facts: &mut Facts<'_>) {
        self.frames = self.frames.saturating_add(1);
        if let Some(word) = self.commands.get_mut(usize::from(command >> 6)) {
            let bit = 1 << (command & 63);
            if *word & bit == 0 {
                *word |= bit;
                facts.number(&COMMAND, u64::from(command));
            }
        }
    }

    fn feed_datagram(&mut self, bytes: &[u8], facts: &mut Facts<'_>) -> Next {
        let Some(command) = datagram_command(bytes) else {
            return Next::Release;
        };
        self.say(command, facts);
        if let Some(peer) = spelled_address(bytes.get(UDP_PREFIX..).unwrap_or_default()) {
            facts.endpoint(&PEER, peer, 0);
        }
        if self.frames >= MOST_FRAMES {
            Next::Done
        } else {
            Next::More(0)
        }
    }
}

/// The first run of digits and dots that is an IPv4 address.
fn spelled_address(bytes: &[u8]) -> Option<IpAddr> {
    bytes
        .split(|octet| !(octet.is_ascii_digit() || *octet == b'.'))
        .filter(|run| (7..=15).contains(&run.len()))
        .find_map(|run| std::str::from_utf8(run).ok()?.parse().ok().map(IpAddr::V4))
}

impl Dissection for Session {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let is_datagram = input.bytes.first() == Some(&0) && datagram_command(input.bytes).is_some();
        if is_datagram {
            return self.feed_datagram(input.bytes, facts);
        }
        let [client, server] = self.lost;
        let is_lost = input.after_gap
            || match input.side {
                Side::Client => client,
                Side::Server => server,
            };
        let mut cursor = Cursor::new(input.bytes);
        while !is_lost && self.frames < MOST_FRAMES {
            let mut ahead = cursor.clone();
            let Some(found) = frame(&mut ahead).filter(|found| found.length <= LARGEST_FRAME) else {
                if cursor.remaining() < 8 {
                    return Next::More(cursor.position());
                }
                break;
            };
            // The body is not read, so a frame counts as soon as its header is there, but is passed whole.
            if ahead.skip(found.length).is_none() {
                return Next::More(cursor.position());
            }
            self.say(found.command, facts);
            cursor = ahead;
        }
        let [client, server] = &mut self.lost;
        match input.side {
            Side::Client => *client = true,
            Side::Server => *server = true,
        }
        if self.lost == [true; 2] || self.frames >= MOST_FRAMES {
            Next::Done
        } else {
            Next::More(input.bytes.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    #[test]
    fn frames_of_both_forms_give_each_command_once() {
        let mut trial = Trial::new(&[&TeamViewer], Layer::Tcp, (40_000, 443));
        trial.payload(Side::Client, b"\x17\x24\x0a\x02\x00ab\x17\x24\x1b\x00\x00");
        let mut server = b"\x11\x30\x0a\x00\x01\x00\x00\x00".to_vec();
        server.extend([7; 17]);
        server.extend(b"\x11\x30\x18\x00");
        trial.payload(Side::Server, &server);
        trial.payload(Side::Server, &[0; 20]);
        assert_eq!(trial.names, ["teamviewer"]);
        assert_eq!(trial.said("teamviewer.command"), ["10", "27", "24"]);
    }

    #[test]
    fn a_hole_punch_over_udp_names_the_peer() {
        let mut bytes = vec![0; 10];
        bytes.extend(b"\x03\x17\x24\x47\x50\x00\x00\x00\x0d203.0.113.200\x00");
        let mut trial = Trial::new(&[&TeamViewer], Layer::Udp, (40_000, 40_001));
        trial.payload(Side::Client, &bytes);
        assert_eq!(trial.said("teamviewer.peer"), ["203.0.113.200 0"]);
    }

    #[test]
    fn unknown_commands_are_refused() {
        let mut trial = Trial::new(&[&TeamViewer], Layer::Tcp, (40_000, 5_938));
        trial.payload(Side::Client, b"\x17\x24\x99\x00\x00\x00\x00\x00");
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn truncated_frames_are_survived() {
        let first: &[u8] = b"\x17\x24\x0a\x02\x00ab\x11\x30\x0a\x00\x01\x00\x00\x00x";
        survives_every_truncation(&TeamViewer, Layer::Tcp, &[(Side::Client, first)]);
        survives_every_truncation(
            &TeamViewer,
            Layer::Udp,
            &[(Side::Client, b"\0\0\0\0\0\0\0\0\0\0\x03\x17\x24\x47")],
        );
    }
}

//! Telnet (RFC 854): option negotiation, and the terminal type where the client says it (RFC 1091).
//!
//! What people type stays unread.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Terminal type that the client offers, as sent.
pub const TERMINAL: Field = Field::of_flow("telnet.terminal");

const PORT: u16 = 23;
const IAC: u8 = 0xff;
const SUBNEGOTIATION: u8 = 0xfa;
const END_OF_SUBNEGOTIATION: u8 = 0xf0;
const OPTION_TERMINAL_TYPE: u8 = 24;
const IS: u8 = 0;
/// Where a greeting may stand before the first command, on the protocol's own port.
const LONGEST_GREETING: usize = 512;
/// Bytes of one side in which the terminal type is looked for.
const LONGEST_NEGOTIATION: usize = 4 << 10;

/// Recognises telnet.
pub struct Telnet;

impl Dissector for Telnet {
    fn name(&self) -> &'static str {
        "telnet"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&TERMINAL]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let is_home = head.has_port(PORT);
        let mut answer = Probe::No;
        for bytes in [head.to_client, head.to_server] {
            let commands = leading_commands(bytes);
            if commands >= 2 || commands == 1 && is_home {
                return Probe::Yes;
            }
            let may_go_on =
                bytes.len() < 6 && bytes.first() == Some(&IAC) && (commands == 1 || bytes.len() < 3);
            if may_go_on {
                answer = Probe::Wait;
            }
            if is_home && !bytes.is_empty() && bytes.len() <= LONGEST_GREETING {
                if behind_greeting(bytes).is_some_and(|rest| leading_commands(rest) > 0) {
                    return Probe::Yes;
                }
                answer = Probe::Wait;
            }
        }
        answer
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Negotiation { read: 0 })
    }
}

/// What stands from the first octet on that begins a command: twice 255 is the octet 255 itself (RFC 854).
fn behind_greeting(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let at = rest.iter().position(|octet| *octet == IAC)?;
        rest = rest.get(at..)?;
        match rest {
            [IAC, IAC, behind @ ..] => rest = behind,
            _ => return Some(rest),
        }
    }
}

/// How many complete commands (at most two) stand at the very front: WILL, WONT, DO, DONT with an assigned option. A
/// subnegotiation counts as one, and as two when its end is there.
fn leading_commands(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let mut commands = 0_usize;
    while commands < 2 {
        rest = match rest {
            // Assigned: 0 to 49 and 255 (IANA, "TELNET Options"); 70, 85, 86 and 200, 201 are used by games.
            [IAC, 0xfb..=0xfe, 0..=49 | 70 | 85 | 86 | 200 | 201, behind @ ..] => behind,
            [IAC, SUBNEGOTIATION, 0..=49, body @ ..] => {
                let mut pairs = body.windows(2).take(LONGEST_GREETING);
                let has_end = pairs.any(|pair| pair == [IAC, END_OF_SUBNEGOTIATION]);
                return if has_end { 2 } else { commands.saturating_add(1) };
            }
            _ => break,
        };
        commands = commands.saturating_add(1);
    }
    commands
}

struct Negotiation {
    read: usize,
}

impl Dissection for Negotiation {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.side == Side::Server {
            return Next::More(input.bytes.len());
        }
        let mut cursor = Cursor::new(input.bytes);
        while let Some(start) = cursor.rest().iter().position(|octet| *octet == IAC) {
            let mut command = cursor.clone();
            if command.skip(start).is_none() {
                break;
            }
            let begins = command.position();
            if let [IAC, IAC, ..] = command.rest() {
                let _ = command.skip(2);
                cursor = command;
                continue;
            }
            let Some([_, kind, option]) = command.array() else {
                return Next::More(begins);
            };
            if kind == SUBNEGOTIATION {
                let ending = [IAC, END_OF_SUBNEGOTIATION];
                let Some(end) = command.rest().windows(2).position(|pair| pair == ending) else {
                    return if input.bytes.len() > LONGEST_NEGOTIATION {
                        Next::Done
                    } else {
                        Next::More(begins)
                    };
                };
                let value = command.take(end).unwrap_or_default();
                if let (OPTION_TERMINAL_TYPE, Some((&IS, name))) = (option, value.split_first()) {
                    facts.text(&TERMINAL, name);
                    return Next::Done;
                }
                let _ = command.skip(2);
            }
            cursor = command;
        }
        self.read = self.read.saturating_add(input.bytes.len());
        if self.read > LONGEST_NEGOTIATION {
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

    const TYPE: &[u8] = b"\xff\xfb\x18\xff\xfa\x18\x00xterm-256color\xff\xf0";

    #[test]
    fn two_commands_are_telnet_on_any_port_and_the_terminal_is_said() {
        let mut trial = Trial::new(&[&Telnet], Layer::Tcp, (40_000, 2_323));
        trial.payload(Side::Server, b"\xff\xfd\x18\xff\xfd\x20");
        for octet in TYPE {
            trial.payload(Side::Client, &[*octet]);
        }
        assert_eq!(trial.names, ["telnet"]);
        assert_eq!(trial.said("telnet.terminal"), ["xterm-256color"]);
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn one_command_or_one_behind_a_greeting_needs_the_port() {
        for (port, expected) in [(23, Probe::Yes), (2_323, Probe::No)] {
            let mut trial = Trial::new(&[&Telnet], Layer::Tcp, (40_000, port));
            trial.payload(Side::Server, b"Welcome\r\n\xff\xfb\x01");
            assert_eq!(trial.probed, expected);
        }
    }

    #[test]
    fn data_that_looks_like_a_command_is_stepped_over() {
        let mut trial = Trial::new(&[&Telnet], Layer::Tcp, (40_000, 23));
        trial.payload(Side::Server, b"\xff\xff\xff\xfa\x17\0");
        assert_eq!(trial.probed, Probe::Yes);
        let mut trial = Trial::new(&[&Telnet], Layer::Tcp, (40_000, 23));
        trial.payload(Side::Server, b"\xff\xff\xfb\x01");
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Client, b"\xff\xfb\x1f\xff\xff\xff\xfa\x18\0vt100\xff\xf0");
        assert_eq!(trial.said("telnet.terminal"), ["vt100"]);
    }

    #[test]
    fn a_whole_subnegotiation_is_telnet_on_any_port() {
        for (bytes, expected) in [
            (&b"\xff\xfa\x25\x02\x02\xff\xf0"[..], Probe::Yes),
            (b"\xff\xfa\x25\x02\x02\xff\xf1", Probe::No),
            (b"\xff\xfa\x60\x02\x02\xff\xf0", Probe::No),
        ] {
            let mut trial = Trial::new(&[&Telnet], Layer::Tcp, (40_000, 21));
            trial.payload(Side::Server, bytes);
            assert_eq!(trial.probed, expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_mp3_frame_is_not_a_command() {
        let mut trial = Trial::new(&[&Telnet], Layer::Tcp, (40_000, 8_000));
        trial.payload(Side::Server, b"\xff\xfb\x90\x64\x00\x0f\xff\xfb");
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn truncated_negotiations_are_survived() {
        survives_every_truncation(
            &Telnet,
            Layer::Tcp,
            &[(Side::Server, b"\xff\xfd\x18\xff\xfd\x20"), (Side::Client, TYPE)],
        );
    }
}

//! The Berkeley remote shell and login: rsh (rshd(8) of 4.2BSD) and rlogin (RFC 1282).
//!
//! Both open with texts that end in zero octets: rsh with a port for errors, rlogin with an empty one; then whose account calls,
//! as whom, and the command or the terminal. Whose accounts they are is said, the command is not.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Account on the calling machine, as sent.
pub const RSH_FROM: Field = Field::of_flow("rsh.from");
/// Account asked for.
pub const RSH_TO: Field = Field::of_flow("rsh.to");

const SHELL: u16 = 514;
const LOGIN: u16 = 513;
/// Who calls must own a port below this (rshd(8), RFC 1282), or he is refused.
const RESERVED: u16 = 1_024;
/// Longest name of an account that servers take.
const LONGEST_NAME: usize = 32;
/// Longest command or terminal that is waited for.
const LONGEST_REST: usize = 4 << 10;

/// Recognises the remote shell.
pub struct Rsh;

/// Recognises the remote login.
pub struct Rlogin;

impl Dissector for Rsh {
    fn name(&self) -> &'static str {
        "rsh"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&RSH_FROM, &RSH_TO]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.server_port != SHELL {
            return Probe::No;
        }
        probe(head, |port| {
            port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
        })
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Accounts)
    }
}

impl Dissector for Rlogin {
    fn name(&self) -> &'static str {
        "rlogin"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&RSH_FROM, &RSH_TO]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.server_port != LOGIN {
            return Probe::No;
        }
        probe(head, <[u8]>::is_empty)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Accounts)
    }
}

/// What both send first.
struct Opening<'a> {
    first: &'a [u8],
    from: &'a [u8],
    to: &'a [u8],
    rest: &'a [u8],
}

/// A text up to its zero octet, which is passed over.
fn text<'a>(cursor: &mut Cursor<'a>, longest: usize) -> Option<&'a [u8]> {
    let length = cursor
        .rest()
        .iter()
        .take(longest.saturating_add(1))
        .position(|octet| *octet == 0)?;
    let text = cursor.take(length)?;
    cursor.skip(1)?;
    Some(text)
}

fn opening(bytes: &[u8]) -> Option<Opening<'_>> {
    let mut cursor = Cursor::new(bytes);
    Some(Opening {
        first: text(&mut cursor, LONGEST_NAME)?,
        from: text(&mut cursor, LONGEST_NAME)?,
        to: text(&mut cursor, LONGEST_NAME)?,
        rest: text(&mut cursor, LONGEST_REST)?,
    })
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

fn probe(head: &Head<'_>, is_first: impl Fn(&[u8]) -> bool) -> Probe {
    let bytes = head.to_server;
    if head.client_port >= RESERVED || head.client_port == 0 {
        return Probe::No;
    }
    let Some(opening) = opening(bytes) else {
        let so_far = bytes.len() <= LONGEST_REST
            && bytes
                .iter()
                .all(|octet| *octet == 0 || octet.is_ascii_graphic() || *octet == b' ');
        return if so_far { Probe::Wait } else { Probe::No };
    };
    Probe::when(
        is_first(opening.first) && is_name(opening.from) && is_name(opening.to) && !opening.rest.is_empty(),
    )
}

struct Accounts;

impl Dissection for Accounts {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.side == Side::Server {
            return Next::More(input.bytes.len());
        }
        if let Some(opening) = opening(input.bytes) {
            facts.text(&RSH_FROM, opening.from);
            facts.text(&RSH_TO, opening.to);
        }
        Next::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    const BOTH: &[&dyn Dissector] = &[&Rsh, &Rlogin];

    #[test]
    fn the_accounts_of_a_remote_shell_are_said_and_its_command_is_not() {
        let mut trial = Trial::new(BOTH, Layer::Tcp, (1_023, SHELL));
        trial.payload(Side::Client, b"1022\0");
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Client, b"root\0operator\0cat secret\0");
        assert_eq!(trial.names, ["rsh"]);
        assert_eq!(trial.said("rsh.from"), ["root"]);
        assert_eq!(trial.said("rsh.to"), ["operator"]);
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn a_login_begins_with_an_empty_text() {
        let mut trial = Trial::new(BOTH, Layer::Tcp, (1_000, LOGIN));
        trial.payload(Side::Client, b"\0alice\0bob\0xterm/38400\0");
        assert_eq!(trial.names, ["rlogin"]);
        assert_eq!(trial.said("rsh.to"), ["bob"]);
    }

    #[test]
    fn a_log_message_on_the_same_port_is_none() {
        for (ports, bytes) in [
            ((50_000, SHELL), &b"1022\0root\0root\0id\0"[..]),
            ((1_023, SHELL), b"<13>Nov 1 host program: text\n"),
            ((1_023, SHELL), b"1022\0\0root\0id\0"),
            ((1_023, LOGIN), b"1022\0root\0root\0id\0"),
        ] {
            let mut trial = Trial::new(BOTH, Layer::Tcp, ports);
            trial.payload(Side::Client, bytes);
            assert_eq!(trial.probed, Probe::No, "{ports:?}");
        }
    }

    #[test]
    fn truncated_openings_are_survived() {
        survives_every_truncation(&Rsh, Layer::Tcp, &[(Side::Client, b"1022\0root\0root\0id\0")]);
        survives_every_truncation(
            &Rlogin,
            Layer::Tcp,
            &[(Side::Client, b"\0alice\0bob\0vt100/9600\0")],
        );
    }
}

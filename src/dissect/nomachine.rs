//! NoMachine over TCP (port 4000 by default): a line with the version from each side, then TLS.
//!
//! There is no public description; read out of nDPI's `nomachine.pcapng`: the client begins with `NXSH-8.10.1`, the server
//! answers `NXD-8.10.1`. The server's certificate carries the name of the computer that is shown.

use super::tls::starttls::{first_line, may_become};
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Version of the side that looks.
pub static CLIENT: Field = Field::of_flow("nomachine.client");
/// Version of the side that is looked at.
pub static SERVER: Field = Field::of_flow("nomachine.server");

const CLIENT_WORD: &[u8] = b"NXSH-";
const SERVER_WORD: &[u8] = b"NXD-";

/// Longest line: the word and a version such as 8.10.1.
const LONGEST_LINE: usize = 32;

/// NoMachine.
#[derive(Debug)]
pub struct NoMachine;

static FIELDS: &[&Field] = &[&CLIENT, &SERVER];

impl Dissector for NoMachine {
    fn name(&self) -> &'static str {
        "nomachine"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let judged = [(head.to_server, CLIENT_WORD), (head.to_client, SERVER_WORD)];
        let mut is_waiting = false;
        for (bytes, word) in judged {
            if version(bytes, word).is_some() {
                return Probe::Yes;
            }
            let begins = bytes.starts_with(word) && first_line(bytes).is_none() && bytes.len() < LONGEST_LINE;
            is_waiting |= !bytes.is_empty() && (begins || may_become(bytes, &[word]));
        }
        if is_waiting { Probe::Wait } else { Probe::No }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(NoMachineDissection)
    }
}

/// The version in a side's first line, and how many octets the line has.
fn version<'a>(bytes: &'a [u8], word: &[u8]) -> Option<(&'a [u8], usize)> {
    let version = first_line(bytes)?.strip_prefix(word)?;
    let is_version = version.first().is_some_and(u8::is_ascii_digit)
        && version.len() < LONGEST_LINE
        && version
            .iter()
            .all(|octet| octet.is_ascii_digit() || *octet == b'.');
    let end = bytes.iter().position(|octet| *octet == b'\n')?;
    Some((version, end.checked_add(1)?)).filter(|_| is_version)
}

/// One connection: nothing has to be remembered but the place in the streams.
#[derive(Debug)]
struct NoMachineDissection;

impl Dissection for NoMachineDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let (field, word) = match input.side {
            Side::Client => (&CLIENT, CLIENT_WORD),
            Side::Server => (&SERVER, SERVER_WORD),
        };
        match (version(input.bytes, word), input.side) {
            (Some((text, length)), side) => {
                facts.text(field, text);
                match side {
                    Side::Client => Next::More(length),
                    // What the client sends from here on waited in its window.
                    Side::Server => Next::Become("tls", length),
                }
            }
            (None, Side::Client) => Next::More(0),
            (None, Side::Server) if input.bytes.len() < LONGEST_LINE => Next::More(0),
            (None, Side::Server) => Next::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, played, probe_stream};
    use crate::model::fact::Side::{Client, Server};

    #[test]
    fn both_versions_are_said_and_tls_follows() {
        let (said, last) = played(
            &NoMachine,
            &[(Client, b"NXSH-8.10.1\n"), (Server, b"NXD-8.9.3\n")],
        );
        assert_eq!(said, ["nomachine.client=8.10.1", "nomachine.server=8.9.3"]);
        assert_eq!(last, Next::Become("tls", 10));
    }

    #[test]
    fn the_line_must_be_whole_and_a_version() {
        assert_eq!(probe_stream(&NoMachine, 4_000, b"NXSH-8.10.1\n", b""), Probe::Yes);
        assert_eq!(probe_stream(&NoMachine, 4_000, b"", b"NXD-8.10.1\n"), Probe::Yes);
        for begin in 1..11 {
            assert_eq!(
                probe_stream(&NoMachine, 4_000, &b"NXSH-8.10.1\n"[..begin], b""),
                Probe::Wait
            );
        }
        for other in [
            &b"NXSH-\n"[..],
            b"NXSH-eight\n",
            b"NXSSH\n",
            b"\x16\x03\x01",
            &[b'N'; 40],
        ] {
            assert_eq!(probe_stream(&NoMachine, 4_000, other, b""), Probe::No);
        }
        every_cut_is_harmless(&NoMachine, b"NXSH-8.10.1\n\x16\x03\x01");
    }
}

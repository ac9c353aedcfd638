//! Network Time Protocol (RFC 5905): whom a machine asks for the time.

use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::dissect::cursor::Cursor;
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of NTP.
const PORT: u16 = 123;
/// Length of a message without extensions.
const SHORTEST: u32 = 48;

/// Version of the sender.
pub const VERSION: Field = Field::of_flow("ntp.version");
/// Mode: 1 and 2 symmetric, 3 client, 4 server, 5 broadcast, 6 control, 7 private.
pub const MODE: Field = Field::of_flow("ntp.mode");
/// Distance of a server from its reference clock.
pub const STRATUM: Field = Field::of_flow("ntp.stratum");
/// Reference clock of a server of stratum 1 (`GPS`, `PPS`), or the reason of one that refuses (stratum 0: `RATE`, `DENY`).
pub const REFERENCE: Field = Field::of_flow("ntp.reference");

/// Network Time Protocol.
#[derive(Clone, Copy, Debug)]
pub struct Ntp;

impl Dissector for Ntp {
    fn name(&self) -> &'static str {
        "ntp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&VERSION, &MODE, &STRATUM, &REFERENCE]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let Some(&first) = head.newest().first().filter(|_| head.has_port(PORT)) else {
            return Probe::No;
        };
        let (version, mode) = (first >> 3 & 7, first & 7);
        let fits = match mode {
            1..=5 => head.length_on_wire >= SHORTEST && head.length_on_wire & 3 == 0,
            // Control messages have a header of twelve octets, private ones of eight (RFC 9327; ntpd).
            6 | 7 => head.length_on_wire >= 8,
            _ => false,
        };
        Probe::when(fits && (1..=4).contains(&version))
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Exchange>::default()
    }
}

/// One question and one answer are described.
#[derive(Debug, Default)]
struct Exchange {
    said: [bool; 2],
}

impl Dissection for Exchange {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some(said) = self.said.get_mut(input.side.index())
            && !*said
        {
            *said = true;
            say_message(input.bytes, facts);
        }
        if self.said == [true, true] {
            Next::Done
        } else {
            Next::More(0)
        }
    }
}

fn say_message(bytes: &[u8], facts: &mut Facts<'_>) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    let first = cursor.u8()?;
    let mode = first & 7;
    facts.number(&VERSION, u64::from(first >> 3 & 7));
    facts.number(&MODE, u64::from(mode));
    if matches!(mode, 1 | 2 | 4 | 5) {
        let stratum = cursor.u8()?;
        facts.number(&STRATUM, u64::from(stratum));
        cursor.skip(10)?;
        let reference = cursor.array::<4>()?;
        if stratum < 2 {
            let end = reference.iter().position(|&octet| octet == 0).unwrap_or(4);
            facts.text(&REFERENCE, reference.get(..end).unwrap_or_default());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::{Client, Server};

    fn message(first: u8) -> Vec<u8> {
        let mut message = vec![first, 1, 6, 0xec];
        message.resize(12, 0);
        message.extend(b"GPS\0");
        message.resize(48, 0);
        message
    }

    #[test]
    fn a_question_and_an_answer_are_described_once() {
        let (question, answer) = (message(0x23), message(0x24));
        assert_eq!(
            said(
                &Ntp,
                &[(Client, &question), (Server, &answer), (Client, &question)]
            )[..6],
            [
                "ntp.version=4",
                "ntp.mode=3",
                "ntp.version=4",
                "ntp.mode=4",
                "ntp.stratum=1",
                "ntp.reference=GPS"
            ]
        );
    }

    #[test]
    fn other_ports_lengths_and_versions_are_another_protocol() {
        assert_eq!(probe_datagram(&Ntp, 123, &message(0x23)), Probe::Yes);
        assert_eq!(probe_datagram(&Ntp, 124, &message(0x23)), Probe::No);
        assert_eq!(probe_datagram(&Ntp, 123, &message(0x3b)), Probe::No);
        assert_eq!(probe_datagram(&Ntp, 123, &message(0x23)[..47]), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Ntp, &message(0x24));
    }
}

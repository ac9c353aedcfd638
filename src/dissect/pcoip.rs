//! PCoIP's pictures and input over UDP (HP Anyware, Teradici, VMware Horizon, Amazon WorkSpaces): packets of ESP behind four octets.
//!
//! There is no public description. Read out of the display filters that a firm for troubleshooting published (Advance7, TribeLab, a
//! post-dissector for Wireshark): on UDP 4172 a transport header of four octets, an index and a sequence number as ESP has them
//! (RFC 4303, 2), and nothing else that could be read. So the proof is that of ESP: two datagrams of one side with the same index whose
//! sequence moved a little, and the registered port (IANA: pcoip, 4172).

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Index of one direction.
pub const SPI: Field = Field::of_flow("pcoip.spi");

/// Registered for it, TCP and UDP.
const PORT: u16 = 4_172;

/// Octets before the index.
const TRANSPORT_HEADER: usize = 4;

/// Header, index, sequence, and an authentication tag of at least 12 octets.
const SHORTEST: u32 = 24;

/// Indices up to here are reserved (RFC 4303, 2.1).
const LAST_RESERVED: u32 = 255;

/// How far the sequence may move between two datagrams of one side near each other. Less than what the number of a record of DTLS moves when it
/// is read at this place.
const LARGEST_STEP: u32 = 128;

/// Recognises PCoIP over UDP.
#[derive(Debug)]
pub struct Pcoip;

impl Dissector for Pcoip {
    fn name(&self) -> &'static str {
        "pcoip"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&SPI]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if !head.has_port(PORT) || head.length_on_wire < SHORTEST {
            return Probe::No;
        }
        let Some((index, sequence)) = header(head.newest()) else {
            return Probe::No;
        };
        let is_next = head
            .earlier
            .iter()
            .filter(|seen| seen.side == head.side)
            .filter_map(|seen| header(seen.bytes()))
            .any(|(earlier_index, earlier)| {
                earlier_index == index && earlier != sequence && sequence.abs_diff(earlier) <= LARGEST_STEP
            });
        if is_next { Probe::Yes } else { Probe::Wait }
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Index)
    }
}

/// Index and sequence number, where the index is none of the reserved ones.
fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(TRANSPORT_HEADER)?;
    let index = cursor.u32()?;
    let sequence = cursor.u32()?;
    (index > LAST_RESERVED).then_some((index, sequence))
}

/// Says the index of the direction that was recognised first.
struct Index;

impl Dissection for Index {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some((index, _)) = header(input.bytes) {
            facts.number(&SPI, u64::from(index));
        }
        Next::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};
    use crate::model::fact::Side;

    fn datagram(index: u32, sequence: u32) -> Vec<u8> {
        let mut bytes = vec![0, 1, 2, 3];
        bytes.extend(index.to_be_bytes());
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0xa5; 40]);
        bytes
    }

    #[test]
    fn two_datagrams_of_one_side_are_the_proof() {
        let mut trial = Trial::new(&[&Pcoip], Layer::Udp, (50_002, 4_172));
        trial.payload(Side::Client, &datagram(0xc000_0001, 1));
        trial.payload(Side::Server, &datagram(0xc000_0002, 1));
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Server, &datagram(0xc000_0002, 2));
        assert_eq!(trial.names, ["pcoip"]);
        assert_eq!(trial.said("pcoip.spi"), [0xc000_0002_u32.to_string()]);
    }

    #[test]
    fn another_port_a_still_sequence_and_other_protocols_on_the_port_are_none() {
        let mut elsewhere = Trial::new(&[&Pcoip], Layer::Udp, (50_002, 4_173));
        elsewhere.payload(Side::Client, &datagram(0xc000_0001, 1));
        assert_eq!(elsewhere.probed, Probe::No);
        let judged = |datagrams: &[Vec<u8>]| {
            let mut trial = Trial::new(&[&Pcoip], Layer::Udp, (50_002, 4_172));
            for bytes in datagrams {
                trial.payload(Side::Client, bytes);
            }
            trial.names
        };
        // RTP: two packets of one picture have the same time stamp and source (RFC 3550, 5.1).
        assert!(judged(&[datagram(90_000, 77), datagram(90_000, 77)]).is_empty());
        // DTLS: records of the second epoch (RFC 6347, 4.1).
        let dtls = |number: u8| {
            let mut bytes = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, number, 0, 60];
            bytes.extend([0xa5; 60]);
            bytes
        };
        assert!(judged(&[dtls(1), dtls(2), dtls(3)]).is_empty());
        let mut chance = datagram(0x1234_5678, 1);
        chance[5] ^= 0x40;
        assert!(judged(&[datagram(0x1234_5678, 2), chance]).is_empty());
        assert!(judged(&[vec![0; 40], vec![0; 40]]).is_empty());
    }

    #[test]
    fn truncated_datagrams_are_survived() {
        let (first, second) = (datagram(0xc000_0001, 1), datagram(0xc000_0001, 2));
        survives_every_truncation(
            &Pcoip,
            Layer::Udp,
            &[(Side::Client, &first), (Side::Client, &second)],
        );
    }
}

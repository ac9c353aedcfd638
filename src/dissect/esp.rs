//! IPsec's encrypted packets: ESP (RFC 4303), AH (RFC 4302), and ESP in UDP (RFC 3948).
//!
//! As an IP protocol of its own ESP needs no further proof. In UDP on port 4500 nothing but the index and the sequence
//! number is readable: two datagrams of one side with the same index and a sequence that moved a little are the proof.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Security parameters index of one direction.
pub const ESP_SPI: Field = Field::of_flow("esp.spi");
/// Security parameters index of one direction.
pub const AH_SPI: Field = Field::of_flow("ah.spi");

/// Port of ESP and IKE in UDP (RFC 3948).
pub const NAT_TRAVERSAL_PORT: u16 = 4_500;
/// Port on which GlobalProtect's gateways take the same (Palo Alto Networks, reference of port numbers).
const GLOBALPROTECT_PORT: u16 = 4_501;
const PROTOCOL_ESP: u8 = 50;
const PROTOCOL_AH: u8 = 51;
/// Indices up to here are reserved (RFC 4303, 2.1).
const LAST_RESERVED_SPI: u32 = 255;
/// How far the sequence may move between two datagrams of one side near each other.
const LARGEST_STEP: u32 = 1 << 12;
/// Index, sequence, padding, and an authentication tag of at least 12 octets.
const SHORTEST: u32 = 24;

/// Recognises ESP.
pub struct Esp;

/// Recognises AH.
pub struct Ah;

impl Dissector for Esp {
    fn name(&self) -> &'static str {
        "esp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&ESP_SPI]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::OtherIp, Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.layer == Layer::Udp
            && (head.has_port(NAT_TRAVERSAL_PORT) || head.has_port(GLOBALPROTECT_PORT))
        {
            probe_in_udp(head)
        } else {
            Probe::when(head.layer == Layer::OtherIp && head.protocol == PROTOCOL_ESP)
        }
    }

    fn opening(&self) -> Opening {
        Opening::on(&[NAT_TRAVERSAL_PORT, GLOBALPROTECT_PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Indices {
            field: &ESP_SPI,
            skip: 0,
            said: [false; 2],
        })
    }
}

impl Dissector for Ah {
    fn name(&self) -> &'static str {
        "ah"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&AH_SPI]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::OtherIp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(head.protocol == PROTOCOL_AH)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Indices {
            field: &AH_SPI,
            skip: 4,
            said: [false; 2],
        })
    }
}

/// Index and sequence number, where the index is not a reserved one.
pub(super) fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut cursor = Cursor::new(bytes);
    let index = cursor.u32()?;
    let sequence = cursor.u32()?;
    (index > LAST_RESERVED_SPI).then_some((index, sequence))
}

/// Whether a datagram is the keep-alive of one octet (RFC 3948, 2.3).
pub(super) const fn is_keep_alive(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff])
}

/// Whether a datagram begins as one of uTP (BEP 29): type and version, extension. The connection's number and a clock in
/// microseconds follow, which stay the same and move a little as an index and a sequence do. One index in five thousand looks so, and
/// goes untold where no key exchange was seen before it.
const fn begins_as_utp(bytes: &[u8]) -> bool {
    matches!(bytes, [kind, extension, ..] if *kind & 0x0f == 1 && *kind >> 4 <= 4 && *extension <= 2)
}

fn probe_in_udp(head: &Head<'_>) -> Probe {
    if begins_as_utp(head.newest()) {
        return Probe::No;
    }
    if is_keep_alive(head.newest()) {
        return Probe::Wait;
    }
    let Some((index, sequence)) = header(head.newest()).filter(|_| head.length_on_wire >= SHORTEST) else {
        return Probe::No;
    };
    let confirmed = head
        .earlier
        .iter()
        .filter(|seen| seen.side == head.side)
        .filter_map(|seen| header(seen.bytes()))
        .any(|(earlier_index, earlier_sequence)| {
            earlier_index == index
                && earlier_sequence != sequence
                && sequence.abs_diff(earlier_sequence) <= LARGEST_STEP
        });
    if confirmed { Probe::Yes } else { Probe::Wait }
}

/// Says the index of each direction once.
struct Indices {
    field: &'static Field,
    /// Octets before the index: AH has its next header, length and two reserved octets there.
    skip: usize,
    said: [bool; 2],
}

impl Dissection for Indices {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let [client, server] = &mut self.said;
        let said = match input.side {
            Side::Client => client,
            Side::Server => server,
        };
        let index = || Cursor::new(input.bytes.get(self.skip..)?).u32();
        if !*said && let Some(index) = index() {
            facts.number(self.field, u64::from(index));
            *said = true;
        }
        if self.said == [true; 2] {
            Next::Done
        } else {
            Next::More(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    fn datagram(index: u8, sequence: u8) -> Vec<u8> {
        let mut bytes = vec![0xc0, 0, 0, index, 0, 0, 0, sequence];
        bytes.extend([0xa5; 40]);
        bytes
    }

    #[test]
    fn the_ip_protocol_is_proof_enough() {
        let mut trial = Trial::new(&[&Esp, &Ah], Layer::OtherIp, (0, 0)).with_protocol(PROTOCOL_ESP);
        trial.payload(Side::Client, &datagram(1, 1));
        trial.payload(Side::Server, &datagram(2, 1));
        assert_eq!(trial.names, ["esp"]);
        assert_eq!(
            trial.said("esp.spi"),
            [0xc000_0001_u32.to_string(), 0xc000_0002_u32.to_string()]
        );
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn the_index_of_ah_stands_after_four_octets() {
        let mut trial = Trial::new(&[&Esp, &Ah], Layer::OtherIp, (0, 0)).with_protocol(PROTOCOL_AH);
        trial.payload(
            Side::Client,
            &[4, 4, 0, 0, 0, 0, 0x12, 0x34, 0, 0, 0, 1, 9, 9, 9, 9],
        );
        assert_eq!(trial.said("ah.spi"), ["4660"]);
    }

    #[test]
    fn in_udp_two_datagrams_must_agree() {
        let mut trial = Trial::new(&[&Esp], Layer::Udp, (40_000, 4_500));
        trial.payload(Side::Client, &[0xff]);
        trial.payload(Side::Client, &datagram(1, 1));
        trial.payload(Side::Client, &datagram(2, 2));
        assert_eq!(trial.probed, Probe::Wait);
        trial.payload(Side::Client, &datagram(1, 3));
        assert_eq!(trial.names, ["esp"]);
        let mut gateway = Trial::new(&[&Esp], Layer::Udp, (40_000, GLOBALPROTECT_PORT));
        gateway.payload(Side::Client, &datagram(1, 1));
        assert_eq!(gateway.probed, Probe::Wait);
        let mut elsewhere = Trial::new(&[&Esp], Layer::Udp, (40_000, 4_503));
        elsewhere.payload(Side::Client, &datagram(1, 1));
        assert_eq!(elsewhere.probed, Probe::No);
    }

    #[test]
    fn a_clock_of_utp_is_no_sequence() {
        let mut trial = Trial::new(&[&Esp], Layer::Udp, (40_000, 4_500));
        for clock in 1..4 {
            let mut data = vec![0x01, 0, 0x41, 0x0d, 0, 0, 1, clock];
            data.extend([0xa5; 40]);
            trial.payload(Side::Client, &data);
        }
        assert!(trial.names.is_empty());
    }

    #[test]
    fn truncated_datagrams_are_survived() {
        let (first, second) = (datagram(1, 1), datagram(1, 2));
        survives_every_truncation(
            &Esp,
            Layer::Udp,
            &[(Side::Client, &first), (Side::Client, &second)],
        );
        survives_every_truncation(&Ah, Layer::OtherIp, &[(Side::Client, &first)]);
    }
}

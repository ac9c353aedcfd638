//! NAT port mapping: NAT-PMP (RFC 6886) and its successor PCP (RFC 6887), by which hosts learn their public address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of the gateway.
const PORT: u16 = 5351;

/// Public address that the gateway gives, with the mapped port where one was asked for.
pub const EXTERNAL: Field = Field::of_event("natpmp.external");

/// NAT-PMP and PCP.
#[derive(Clone, Copy, Debug)]
pub struct NatPmp;

impl Dissector for NatPmp {
    fn name(&self) -> &'static str {
        "nat-pmp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&EXTERNAL]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let fits = match *head.newest() {
            // NAT-PMP has messages of 2, 12 and 16 octets and three operations.
            [0, operation, ..] => operation & 0x7f <= 2 && matches!(head.length_on_wire, 2 | 8 | 12 | 16),
            // PCP has a header of 24 octets, fills up to four, and ends at 1,100 (RFC 6887, 7).
            [2, operation, ..] => {
                operation & 0x7f <= 3
                    && (24..=1_100).contains(&head.length_on_wire)
                    && head.length_on_wire & 3 == 0
            }
            _ => false,
        };
        Probe::when(fits && head.has_port(PORT))
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Messages)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Without state: every message stands alone.
struct Messages;

impl Dissection for Messages {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some((address, port)) = external(input.bytes)
            && !address.is_unspecified()
        {
            facts.endpoint(&EXTERNAL, address, port);
        }
        Next::More(0)
    }
}

/// The public address of a successful answer.
fn external(bytes: &[u8]) -> Option<(IpAddr, u16)> {
    let mut cursor = Cursor::new(bytes);
    match (cursor.u8()?, cursor.u8()?) {
        // Result, seconds since the start, address (RFC 6886, 3.2).
        (0, 128) => {
            let result = cursor.u16()?;
            cursor.skip(4)?;
            let address = Ipv4Addr::from(cursor.array::<4>()?);
            (result == 0).then(|| (address.into(), 0))
        }
        // MAP and PEER begin alike (RFC 6887, 11.1 and 12.1).
        (2, 0x81 | 0x82) => {
            cursor.skip(1)?;
            let result = cursor.u8()?;
            // The rest of the header, nonce, protocol, reserved, internal port.
            cursor.skip(20 + 12 + 4 + 2)?;
            let port = cursor.u16()?;
            let address = Ipv6Addr::from(cursor.array::<16>()?);
            (result == 0).then(|| (address.to_canonical(), port))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::Server;

    const PMP: &[u8] = b"\0\x80\0\0\0\0\x01\0\xcb\0\x71\x07";

    #[test]
    fn the_public_address_is_read_of_both_protocols() {
        let mut map = vec![2, 0x81, 0, 0];
        map.resize(40, 0);
        map.extend([0x1f, 0x90, 0x1f, 0x91]);
        map.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7]);
        assert_eq!(
            said(&NatPmp, &[(Server, PMP), (Server, &map)]),
            ["natpmp.external=203.0.113.7", "natpmp.external=203.0.113.7 8081"]
        );
        assert_eq!(probe_datagram(&NatPmp, 5_351, &map), Probe::Yes);
        assert_eq!(probe_datagram(&NatPmp, 5_351, PMP), Probe::Yes);
        assert_eq!(probe_datagram(&NatPmp, 5_352, PMP), Probe::No);
        assert_eq!(probe_datagram(&NatPmp, 5_351, &PMP[..11]), Probe::No);
    }

    #[test]
    fn a_refusal_says_nothing() {
        let mut refused = PMP.to_vec();
        refused[3] = 2;
        assert!(said(&NatPmp, &[(Server, &refused)]).is_empty());
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&NatPmp, PMP);
    }
}

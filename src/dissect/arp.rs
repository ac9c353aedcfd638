//! ARP for IPv4 over Ethernet (RFC 826, RFC 5227): which link address an address belongs to.
//!
//! All ARP of a link is one flow; a pair is said when it is new or has changed, not with every packet.

use std::net::Ipv4Addr;

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::identity::ContentId;
use crate::model::segment::Layer;

/// `EtherType` of ARP.
const ETHER_TYPE: u16 = 0x0806;
/// Hardware Ethernet, protocol IPv4, addresses of six and four octets.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Pairs that are remembered; older ones are said again.
const MOST_PAIRS: usize = 256;

/// Address of the sender; [`MAC`] follows.
pub const SENDER: Field = Field::of_event("arp.sender");
/// Link address of the sender said directly before, or of who makes the [`PROBE`].
pub const MAC: Field = Field::of_event("arp.mac");
/// The pair said directly before was announced to all (sender and target are the same: RFC 5227, 2.3).
pub const ANNOUNCED: Field = Field::of_event("arp.announced");
/// Address of which somebody without an address asks whether it is taken (RFC 5227, 2.1.1); [`MAC`] follows.
pub const PROBE: Field = Field::of_event("arp.probe");

/// ARP.
#[derive(Clone, Copy, Debug)]
pub struct Arp;

impl Dissector for Arp {
    fn name(&self) -> &'static str {
        "arp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&SENDER, &MAC, &ANNOUNCED, &PROBE]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Link]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(head.server_port == ETHER_TYPE && head.newest().starts_with(&ETHERNET_IPV4))
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Pairs([0; MOST_PAIRS]))
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Hash of the pair said last for each place; the place is chosen by the address, so a change of owner is always new.
struct Pairs([u64; MOST_PAIRS]);

impl Dissection for Pairs {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        self.say_packet(input.bytes, facts);
        Next::More(0)
    }
}

impl Pairs {
    fn say_packet(&mut self, bytes: &[u8], facts: &mut Facts<'_>) -> Option<()> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array::<6>()? != ETHERNET_IPV4 || !(1..=2).contains(&cursor.u16()?) {
            return None;
        }
        let mac = cursor.array::<6>()?;
        let sender = Ipv4Addr::from(cursor.array::<4>()?);
        cursor.skip(6)?;
        let target = Ipv4Addr::from(cursor.array::<4>()?);
        let (field, address) = if sender.is_unspecified() {
            (&PROBE, target)
        } else {
            (&SENDER, sender)
        };
        if !self.is_new(field, address, mac) {
            return None;
        }
        facts.endpoint(field, address.into(), 0);
        facts.bytes(&MAC, &mac);
        if sender == target {
            facts.number(&ANNOUNCED, 1);
        }
        Some(())
    }

    /// Whether this differs from what was said last; a question about an address is not yet its use.
    fn is_new(&mut self, field: &Field, address: Ipv4Addr, mac: [u8; 6]) -> bool {
        let octets = address.octets();
        let place = usize::try_from(ContentId::of(&[&octets]).0 & 0xff).unwrap_or(0);
        let hash = ContentId::of(&[&field.id.0.to_le_bytes(), &octets, &mac]).0;
        match self.0.get_mut(place) {
            Some(said) if *said != hash => {
                *said = hash;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, head, said};
    use crate::model::fact::Side::Client;

    fn packet(sender: [u8; 4], mac: u8, target: [u8; 4]) -> Vec<u8> {
        let mut packet = ETHERNET_IPV4.to_vec();
        packet.extend([0, 1, 2, 0, 0, 0, 0, mac]);
        packet.extend(sender);
        packet.extend([0; 6]);
        packet.extend(target);
        packet
    }

    #[test]
    fn a_pair_is_said_once_until_its_owner_changes() {
        let (first, second) = (
            packet([10, 0, 0, 7], 7, [10, 0, 0, 1]),
            packet([10, 0, 0, 7], 8, [10, 0, 0, 1]),
        );
        assert_eq!(
            said(
                &Arp,
                &[
                    (Client, &first),
                    (Client, &first),
                    (Client, &second),
                    (Client, &first)
                ]
            ),
            [
                "arp.sender=10.0.0.7",
                "arp.mac=020000000007",
                "arp.sender=10.0.0.7",
                "arp.mac=020000000008",
                "arp.sender=10.0.0.7",
                "arp.mac=020000000007"
            ]
        );
    }

    #[test]
    fn announcements_and_probes_say_what_they_are() {
        assert_eq!(
            said(
                &Arp,
                &[
                    (Client, &packet([0; 4], 7, [10, 0, 0, 7])),
                    (Client, &packet([10, 0, 0, 7], 7, [10, 0, 0, 7]))
                ]
            ),
            [
                "arp.probe=10.0.0.7",
                "arp.mac=020000000007",
                "arp.sender=10.0.0.7",
                "arp.mac=020000000007",
                "arp.announced=1"
            ]
        );
    }

    #[test]
    fn the_ether_type_and_the_address_lengths_decide() {
        let packet = packet([10, 0, 0, 7], 7, [10, 0, 0, 1]);
        assert_eq!(Arp.probe(&head(Layer::Link, 0x0806, &packet)), Probe::Yes);
        assert_eq!(Arp.probe(&head(Layer::Link, 0x88cc, &packet)), Probe::No);
        assert_eq!(Arp.probe(&head(Layer::Link, 0x0806, &[0; 28])), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Arp, &packet([10, 0, 0, 7], 7, [10, 0, 0, 1]));
    }
}

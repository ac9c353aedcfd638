//! NetBIOS name service (RFC 1002, 4.2): queries, registrations and node status on port 137.

use std::net::Ipv4Addr;

use super::NetbiosName;
use crate::dissect::cursor::Cursor;
use crate::dissect::dns::message::Header;
use crate::dissect::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of the name service.
const PORT: u16 = 137;

/// Names of one node status response that are said; the count is one octet.
const MOST_NAMES: u8 = 64;

/// A name that the sender looks for; [`SUFFIX`] follows.
pub const QUERY: Field = Field::of_event("nbns.query");
/// A host's name with its address: registered, refreshed, or given in an answer; [`SUFFIX`] follows.
pub const NAME: Field = Field::of_event("nbns.name");
/// A workgroup or domain that the sender registers or belongs to; [`SUFFIX`] follows.
pub const GROUP: Field = Field::of_event("nbns.group");
/// A name of the sender itself, from its node status; [`SUFFIX`] follows.
pub const OWN: Field = Field::of_event("nbns.own");
/// Kind of the name said directly before: its sixteenth octet.
pub const SUFFIX: Field = Field::of_event("nbns.suffix");
/// Link address that a node status response gives for its sender.
pub const MAC: Field = Field::of_event("nbns.mac");

/// Operation codes (RFC 1002, 4.2.1.1; 8 refresh, 9 the same as many implementations send it, 15 multi-homed).
mod opcode {
    pub(super) const QUERY: u8 = 0;
    pub(super) const REGISTRATION: u8 = 5;
    pub(super) const RELEASE: u8 = 6;
    pub(super) const WAIT: u8 = 7;
    pub(super) const REFRESH: u8 = 8;
    pub(super) const REFRESH_ALTERNATE: u8 = 9;
    pub(super) const MULTI_HOMED_REGISTRATION: u8 = 15;
}

/// General name service record, and node status.
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;

/// NetBIOS name service.
#[derive(Clone, Copy, Debug)]
pub struct Nbns;

impl Dissector for Nbns {
    fn name(&self) -> &'static str {
        "nbns"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&QUERY, &NAME, &GROUP, &OWN, &SUFFIX, &MAC]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(head.has_port(PORT) && Packet::read(head.newest()).is_some())
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Packets)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// What stands at the front of every packet: the header, and the first name with its type.
struct Packet<'a> {
    header: Header,
    name: NetbiosName,
    kind: u16,
    /// What follows type and class of the first question or record.
    rest: Cursor<'a>,
}

impl<'a> Packet<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = Header::read(bytes)?;
        let known = matches!(
            header.opcode(),
            opcode::QUERY
                | opcode::REGISTRATION
                | opcode::RELEASE
                | opcode::WAIT
                | opcode::REFRESH
                | opcode::REFRESH_ALTERNATE
                | opcode::MULTI_HOMED_REGISTRATION
        );
        if !known || header.counts.iter().all(|&count| count == 0) {
            return None;
        }
        let mut rest = Cursor::new(bytes).at(12)?;
        let name = NetbiosName::read_encoded(&mut rest)?;
        let kind = rest.u16()?;
        rest.skip(2)?;
        Some(Self {
            header,
            name,
            kind,
            rest,
        })
    }
}

/// Without state: every packet stands alone.
struct Packets;

impl Dissection for Packets {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some(packet) = Packet::read(input.bytes) {
            match (packet.header.is_response(), packet.header.opcode()) {
                (false, opcode::QUERY) => say_name(&QUERY, &packet.name, facts),
                (
                    false,
                    opcode::REGISTRATION
                    | opcode::REFRESH
                    | opcode::REFRESH_ALTERNATE
                    | opcode::MULTI_HOMED_REGISTRATION,
                ) => {
                    say_registration(packet, facts);
                }
                (true, opcode::QUERY) if packet.kind == NBSTAT => {
                    say_status(packet.rest, facts);
                }
                (true, opcode::QUERY | opcode::REGISTRATION) if packet.header.rcode() == 0 => {
                    say_addresses(packet, facts);
                }
                _ => {}
            }
        }
        Next::More(0)
    }
}

fn say_name(field: &Field, name: &NetbiosName, facts: &mut Facts<'_>) {
    if !name.text().is_empty() {
        facts.text(field, name.text());
        facts.number(&SUFFIX, u64::from(name.suffix));
    }
}

/// A registration repeats the name of its question in an additional record, nearly always by a pointer.
fn say_registration(mut packet: Packet<'_>, facts: &mut Facts<'_>) {
    let repeated = match packet.rest.peek() {
        Some(192..) => packet.rest.skip(2),
        _ => NetbiosName::read_encoded(&mut packet.rest).map(|_| ()),
    };
    if repeated.and_then(|()| packet.rest.skip(4)).is_some() {
        say_addresses(packet, facts);
    }
}

/// Lifetime and entries of flags and address (RFC 1002, 4.2.13).
fn say_addresses(mut packet: Packet<'_>, facts: &mut Facts<'_>) -> Option<()> {
    if packet.kind != NB {
        return None;
    }
    let lifetime = packet.rest.u32()?;
    let length = packet.rest.u16()?;
    let mut entries = Cursor::new(packet.rest.take_up_to(usize::from(length)));
    while let (Some(flags), Some(octets)) = (entries.u16(), entries.array::<4>()) {
        if flags & 0x8000 != 0 {
            say_name(&GROUP, &packet.name, facts);
        } else if !packet.name.text().is_empty() {
            facts.answer(&NAME, packet.name.text(), Ipv4Addr::from(octets).into(), lifetime);
            facts.number(&SUFFIX, u64::from(packet.name.suffix));
        }
    }
    Some(())
}

/// The names of a node and its link address (RFC 1002, 4.2.18).
fn say_status(mut record: Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    record.skip(6)?;
    let count = record.u8()?;
    for _ in 0..count.min(MOST_NAMES) {
        let name = NetbiosName::from_octets(record.array()?);
        let flags = record.u16()?;
        let field = if flags & 0x8000 == 0 { &OWN } else { &GROUP };
        // The browser announces itself under a name of control characters.
        if !name.text().first().is_some_and(u8::is_ascii_control) {
            say_name(field, &name, facts);
        }
    }
    let mac = record.array::<6>()?;
    if mac != [0; 6] {
        facts.bytes(&MAC, &mac);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::netbios::tests::encoded;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::Client;

    fn registration(flags: u16) -> Vec<u8> {
        let mut packet = vec![0x12, 0x34, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1];
        packet.extend(encoded(b"LAPTOP-7       \x20"));
        packet.extend([0, 0x20, 0, 1, 0xc0, 0x0c, 0, 0x20, 0, 1, 0, 4, 0x93, 0xe0, 0, 6]);
        packet.extend(flags.to_be_bytes());
        packet.extend([10, 0, 0, 7]);
        packet
    }

    #[test]
    fn a_registration_gives_the_hosts_name_and_address() {
        assert_eq!(
            said(&Nbns, &[(Client, &registration(0))]),
            ["nbns.name=LAPTOP-7 10.0.0.7 300000", "nbns.suffix=32"]
        );
        assert_eq!(
            said(&Nbns, &[(Client, &registration(0x8000))]),
            ["nbns.group=LAPTOP-7", "nbns.suffix=32"]
        );
    }

    #[test]
    fn a_node_status_gives_all_names_and_the_link_address() {
        let mut packet = vec![0, 1, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        packet.extend(encoded(b"*\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        packet.extend([0, 0x21, 0, 1, 0, 0, 0, 0, 0, 0x41, 2]);
        packet.extend(b"LAPTOP-7       \x00\x04\x00");
        packet.extend(b"CORP           \x00\x84\x00");
        packet.extend([2, 0, 0, 0, 0, 7]);
        assert_eq!(
            said(&Nbns, &[(Client, &packet)]),
            [
                "nbns.own=LAPTOP-7",
                "nbns.suffix=0",
                "nbns.group=CORP",
                "nbns.suffix=0",
                "nbns.mac=020000000007"
            ]
        );
    }

    #[test]
    fn only_encoded_names_on_the_port_are_taken() {
        assert_eq!(probe_datagram(&Nbns, 137, &registration(0)), Probe::Yes);
        assert_eq!(probe_datagram(&Nbns, 1_370, &registration(0)), Probe::No);
        assert_eq!(probe_datagram(&Nbns, 137, &[0; 80]), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Nbns, &registration(0));
    }
}

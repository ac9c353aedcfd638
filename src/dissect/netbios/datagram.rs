//! NetBIOS datagram service (RFC 1002, 4.4) on port 138, and the host announcements of the browser in it.

use std::net::Ipv4Addr;

use super::NetbiosName;
use crate::dissect::cursor::Cursor;
use crate::dissect::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of the datagram service.
const PORT: u16 = 138;

/// Name and address of the sender, as the datagram says them.
pub const SOURCE: Field = Field::of_event("nbdgm.source");
/// Workgroup, domain or host that is addressed.
pub const DESTINATION: Field = Field::of_event("nbdgm.destination");
/// Name under which the sender announces itself to the browser.
pub const ANNOUNCED: Field = Field::of_event("nbdgm.announced");
/// What the announcement says about the machine, in its owner's words.
pub const COMMENT: Field = Field::of_event("nbdgm.comment");

/// NetBIOS datagram service.
#[derive(Clone, Copy, Debug)]
pub struct Nbdgm;

impl Dissector for Nbdgm {
    fn name(&self) -> &'static str {
        "nbdgm"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&SOURCE, &DESTINATION, &ANNOUNCED, &COMMENT]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(head.has_port(PORT) && Datagram::read(head.newest()).is_some())
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Datagrams)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// A direct or broadcast datagram.
struct Datagram<'a> {
    address: Ipv4Addr,
    source: NetbiosName,
    /// `None` where it is damaged or cut.
    destination: Option<NetbiosName>,
    rest: &'a [u8],
}

impl<'a> Datagram<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        // 0x10 direct unique, 0x11 direct group, 0x12 broadcast.
        if !(0x10..=0x12).contains(&cursor.u8()?) {
            return None;
        }
        cursor.skip(3)?;
        let address = Ipv4Addr::from(cursor.array::<4>()?);
        cursor.skip(6)?;
        Some(Self {
            address,
            source: NetbiosName::read_encoded(&mut cursor)?,
            destination: NetbiosName::read_encoded(&mut cursor),
            rest: cursor.rest(),
        })
    }
}

/// Without state: every datagram stands alone.
struct Datagrams;

impl Dissection for Datagrams {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some(datagram) = Datagram::read(input.bytes) {
            let source = datagram.source.text();
            if !source.is_empty() {
                facts.answer(&SOURCE, source, datagram.address.into(), 0);
            }
            // The browser's own group is named by control characters.
            if let Some(destination) = datagram.destination
                && !destination.text().first().is_some_and(u8::is_ascii_control)
            {
                facts.text(&DESTINATION, destination.text());
            }
            say_announcement(datagram.rest, facts);
        }
        Next::More(0)
    }
}

/// Host (1), local master (15) and workgroup-less announcements in the mailslot `\MAILSLOT\BROWSE` (MS-BRWS, 2.2.1).
fn say_announcement(bytes: &[u8], facts: &mut Facts<'_>) -> Option<()> {
    const SLOT: &[u8] = b"\\MAILSLOT\\BROWSE\0";
    if !bytes.starts_with(b"\xffSMB\x25") {
        return None;
    }
    let slot_at = bytes.windows(SLOT.len()).position(|window| window == SLOT)?;
    let mut cursor = Cursor::new(bytes.get(slot_at..)?);
    cursor.skip(SLOT.len())?;
    if !matches!(cursor.u8()?, 1 | 15) {
        return None;
    }
    // Update count, period.
    cursor.skip(5)?;
    let name = cursor.array::<16>()?;
    // Versions, server type, browser version, signature.
    cursor.skip(10)?;
    facts.text(&ANNOUNCED, until_zero(&name));
    facts.text(&COMMENT, until_zero(cursor.rest()));
    Some(())
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&octet| octet == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::netbios::tests::encoded;
    use crate::dissect::rehearsal::{every_cut_is_harmless, said};
    use crate::model::fact::Side::Client;

    fn announcement() -> Vec<u8> {
        let mut packet = vec![0x11, 2, 0, 1, 10, 0, 0, 7, 0, 138, 0, 0, 0, 0];
        for name in [b"LAPTOP-7       \x00", b"CORP           \x1d"] {
            packet.extend(encoded(name));
        }
        packet.extend(b"\xffSMB\x25");
        packet.extend([0; 60]);
        packet.extend(b"\\MAILSLOT\\BROWSE\0\x01\0\0\0\0\0LAPTOP-7\0\0\0\0\0\0\0\0");
        packet.extend([10, 0, 3, 0x10, 0, 0, 0x0f, 1, 0x55, 0xaa]);
        packet.extend(b"second desk\0");
        packet
    }

    #[test]
    fn a_host_announcement_names_the_host_its_group_and_its_comment() {
        assert_eq!(
            said(&Nbdgm, &[(Client, &announcement())]),
            [
                "nbdgm.source=LAPTOP-7 10.0.0.7 0",
                "nbdgm.destination=CORP",
                "nbdgm.announced=LAPTOP-7",
                "nbdgm.comment=second desk"
            ]
        );
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Nbdgm, &announcement());
    }
}

//! Cisco Discovery Protocol, version 1 and 2: what switches, routers and telephones say about themselves.
//!
//! Layout as Cisco's "Understanding and Configuring CDP" and later descriptions give it. Every announcement says
//! [`DEVICE`] first.

use super::Probe;
use super::announcement::{Announcement, Element, Form};
use super::cursor::{Cursor, ip_address};
use crate::model::fact::{Facts, Field};

/// Protocol identifier below Cisco's organisation code in SNAP.
const PROTOCOL: u16 = 0x2000;
/// Addresses of one announcement that are said.
const MOST_ADDRESSES: u32 = 16;

/// Identifier of the device, mostly its host name.
pub const DEVICE: Field = Field::of_event("cdp.device");
/// Address of the device.
pub const ADDRESS: Field = Field::of_event("cdp.address");
/// Port by which it sends.
pub const PORT: Field = Field::of_event("cdp.port");
/// Version of its software, several lines.
pub const VERSION: Field = Field::of_event("cdp.version");
/// Product.
pub const PLATFORM: Field = Field::of_event("cdp.platform");
/// Capabilities: 0x01 router, 0x08 switch, 0x10 host, 0x80 telephone.
pub const CAPABILITIES: Field = Field::of_event("cdp.capabilities");

/// Types of the elements.
mod element {
    pub(super) const DEVICE: u16 = 0x0001;
    pub(super) const ADDRESSES: u16 = 0x0002;
    pub(super) const PORT: u16 = 0x0003;
    pub(super) const CAPABILITIES: u16 = 0x0004;
    pub(super) const VERSION: u16 = 0x0005;
    pub(super) const PLATFORM: u16 = 0x0006;
    pub(super) const MANAGEMENT_ADDRESSES: u16 = 0x0016;
}

/// Cisco Discovery Protocol.
pub static CDP: Announcement = Announcement {
    name: "cdp",
    fields: &[&DEVICE, &ADDRESS, &PORT, &VERSION, &PLATFORM, &CAPABILITIES],
    probe: |head| Probe::when(head.server_port == PROTOCOL && matches!(head.newest().first(), Some(1 | 2))),
    form: Form {
        // Version, time to live, checksum.
        header: 4,
        element,
        texts: &[
            (element::DEVICE, &DEVICE),
            (element::PORT, &PORT),
            (element::VERSION, &VERSION),
            (element::PLATFORM, &PLATFORM),
        ],
        other,
    },
};

/// Two octets of type, two of length, which counts these four as well.
fn element<'a>(cursor: &mut Cursor<'a>) -> Option<Element<'a>> {
    let kind = cursor.u16()?;
    let length = usize::from(cursor.u16()?).checked_sub(4)?;
    Some((kind, cursor.take(length)?))
}

fn other(kind: u16, value: &[u8], facts: &mut Facts<'_>) {
    match kind {
        element::ADDRESSES | element::MANAGEMENT_ADDRESSES => {
            say_addresses(Cursor::new(value), facts);
        }
        element::CAPABILITIES => {
            if let Some(capabilities) = Cursor::new(value).u32() {
                facts.number(&CAPABILITIES, u64::from(capabilities));
            }
        }
        _ => {}
    }
}

/// A count; for each, kind and name of the protocol, and the address.
fn say_addresses(mut cursor: Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    let count = cursor.u32()?;
    for _ in 0..count.min(MOST_ADDRESSES) {
        // Kind 1 names a protocol by its NLPID (0xcc is IPv4), kind 2 by LLC with SNAP; the length of the address tells.
        cursor.skip(1)?;
        let protocol = cursor.prefixed_u8()?;
        let address = cursor.prefixed_u16()?;
        let is_v4 = protocol == [0xcc];
        let ip = ip_address(address).filter(|ip| ip.is_ipv4() == is_v4);
        if let Some(ip) = ip {
            facts.endpoint(&ADDRESS, ip, 0);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Dissector as _;
    use crate::dissect::rehearsal::{every_cut_is_harmless, head, said};
    use crate::model::fact::Side::Client;
    use crate::model::segment::Layer;

    const ANNOUNCEMENT: &[u8] =
        b"\x02\xb4\x12\x34\0\x01\0\x0aphone7\0\x02\0\x11\0\0\0\x01\x01\x01\xcc\0\x04\x0a\0\0\x09\
        \0\x03\0\x0aPort 1\0\x04\0\x08\0\0\0\x90\0\x06\0\x0cCP-8841!";

    #[test]
    fn an_announcement_tells_device_address_port_and_product() {
        assert_eq!(
            said(&CDP, &[(Client, ANNOUNCEMENT)]),
            [
                "cdp.device=phone7",
                "cdp.address=10.0.0.9",
                "cdp.port=Port 1",
                "cdp.capabilities=144",
                "cdp.platform=CP-8841!",
            ]
        );
        assert_eq!(CDP.probe(&head(Layer::Link, 0x2000, ANNOUNCEMENT)), Probe::Yes);
        assert_eq!(CDP.probe(&head(Layer::Link, 0x2004, ANNOUNCEMENT)), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&CDP, ANNOUNCEMENT);
    }
}

//! Cisco Discovery Protocol, version 1 and 2: what switches, routers and telephones say about themselves.
//!
//! Layout as Cisco's "Understanding and Configuring CDP" and later descriptions give it. Every announcement says
//! [`DEVICE`] first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

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
#[derive(Clone, Copy, Debug)]
pub struct Cdp;

impl Dissector for Cdp {
    fn name(&self) -> &'static str {
        "cdp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&DEVICE, &ADDRESS, &PORT, &VERSION, &PLATFORM, &CAPABILITIES]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Link]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.server_port == PROTOCOL && matches!(head.newest().first(), Some(1 | 2)) {
            Probe::Yes
        } else {
            Probe::No
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Announcements)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Without state: every announcement stands alone.
struct Announcements;

impl Dissection for Announcements {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut cursor = Cursor::new(input.bytes);
        // Version, time to live, checksum.
        if cursor.skip(4).is_none() {
            return Next::More(0);
        }
        while let (Some(kind), Some(length)) = (cursor.u16(), cursor.u16()) {
            // The length counts its own four octets.
            let Some(value) = usize::from(length)
                .checked_sub(4)
                .and_then(|length| cursor.take(length))
            else {
                break;
            };
            match kind {
                element::DEVICE => facts.text(&DEVICE, value),
                element::PORT => facts.text(&PORT, value),
                element::VERSION => facts.text(&VERSION, value),
                element::PLATFORM => facts.text(&PLATFORM, value),
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
        Next::More(0)
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
        let ip: Option<IpAddr> = if protocol == [0xcc] {
            <[u8; 4]>::try_from(address)
                .ok()
                .map(|octets| Ipv4Addr::from(octets).into())
        } else {
            <[u8; 16]>::try_from(address)
                .ok()
                .map(|octets| Ipv6Addr::from(octets).into())
        };
        if let Some(ip) = ip {
            facts.endpoint(&ADDRESS, ip, 0);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, head, said};
    use crate::model::fact::Side::Client;

    const ANNOUNCEMENT: &[u8] =
        b"\x02\xb4\x12\x34\0\x01\0\x0aphone7\0\x02\0\x11\0\0\0\x01\x01\x01\xcc\0\x04\x0a\0\0\x09\
        \0\x03\0\x0aPort 1\0\x04\0\x08\0\0\0\x90\0\x06\0\x0cCP-8841!";

    #[test]
    fn an_announcement_tells_device_address_port_and_product() {
        assert_eq!(
            said(&Cdp, &[(Client, ANNOUNCEMENT)]),
            [
                "cdp.device=phone7",
                "cdp.address=10.0.0.9",
                "cdp.port=Port 1",
                "cdp.capabilities=144",
                "cdp.platform=CP-8841!",
            ]
        );
        assert_eq!(Cdp.probe(&head(Layer::Link, 0x2000, ANNOUNCEMENT)), Probe::Yes);
        assert_eq!(Cdp.probe(&head(Layer::Link, 0x2004, ANNOUNCEMENT)), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Cdp, ANNOUNCEMENT);
    }
}

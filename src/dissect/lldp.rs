//! Link layer discovery (IEEE 802.1AB): what switches, docks, phones and computers say about themselves.
//!
//! Every announcement says [`CHASSIS`] first.

use std::net::IpAddr;

use super::Probe;
use super::announcement::{Announcement, Element, Form};
use super::cursor::{Cursor, ip_address};
use crate::model::address::MacAddress;
use crate::model::fact::{Facts, Field};

/// `EtherType` of LLDP.
const ETHER_TYPE: u16 = 0x88cc;

/// Identifier of the device; a link address is written `02:00:00:00:00:07`.
pub const CHASSIS: Field = Field::of_event("lldp.chassis");
/// Link address of the device, where its identifier is one.
pub const MAC: Field = Field::of_event("lldp.mac");
/// Identifier of the port; link addresses as above.
pub const PORT: Field = Field::of_event("lldp.port");
/// Description of the port.
pub const PORT_DESCRIPTION: Field = Field::of_event("lldp.port_description");
/// Name of the system.
pub const SYSTEM_NAME: Field = Field::of_event("lldp.system_name");
/// Description of the system: product, operating system, versions.
pub const SYSTEM_DESCRIPTION: Field = Field::of_event("lldp.system_description");
/// Capabilities that are enabled: 0x04 bridge, 0x08 access point, 0x10 router, 0x20 telephone, 0x80 station.
pub const CAPABILITIES: Field = Field::of_event("lldp.capabilities");
/// Address by which the device is managed.
pub const MANAGEMENT: Field = Field::of_event("lldp.management");
/// Serial number (LLDP-MED inventory, ANSI/TIA-1057).
pub const SERIAL: Field = Field::of_event("lldp.serial");
/// Manufacturer (LLDP-MED).
pub const MANUFACTURER: Field = Field::of_event("lldp.manufacturer");
/// Model (LLDP-MED).
pub const MODEL: Field = Field::of_event("lldp.model");

/// Types of the elements.
mod element {
    pub(super) const END: u16 = 0;
    pub(super) const CHASSIS: u16 = 1;
    pub(super) const PORT: u16 = 2;
    pub(super) const PORT_DESCRIPTION: u16 = 4;
    pub(super) const SYSTEM_NAME: u16 = 5;
    pub(super) const SYSTEM_DESCRIPTION: u16 = 6;
    pub(super) const CAPABILITIES: u16 = 7;
    pub(super) const MANAGEMENT: u16 = 8;
    pub(super) const ORGANISATION: u16 = 127;
}

/// Identifier of the TR-41 committee, which defined LLDP-MED.
const TR_41: [u8; 3] = [0x00, 0x12, 0xbb];

/// Link layer discovery.
pub static LLDP: Announcement = Announcement {
    name: "lldp",
    fields: &[
        &CHASSIS,
        &MAC,
        &PORT,
        &PORT_DESCRIPTION,
        &SYSTEM_NAME,
        &SYSTEM_DESCRIPTION,
        &CAPABILITIES,
        &MANAGEMENT,
        &SERIAL,
        &MANUFACTURER,
        &MODEL,
    ],
    probe: |head| {
        // The chassis comes first, always.
        let starts = FORM.elements(head.newest()).next();
        Probe::when(
            head.server_port == ETHER_TYPE && starts.is_some_and(|(kind, _)| kind == element::CHASSIS),
        )
    },
    form: FORM,
};

const FORM: Form = Form {
    header: 0,
    element,
    texts: &[
        (element::PORT_DESCRIPTION, &PORT_DESCRIPTION),
        (element::SYSTEM_NAME, &SYSTEM_NAME),
        (element::SYSTEM_DESCRIPTION, &SYSTEM_DESCRIPTION),
    ],
    other,
};

/// Seven bits of type, nine of length.
fn element<'a>(cursor: &mut Cursor<'a>) -> Option<Element<'a>> {
    let head = cursor.u16()?;
    let value = cursor.take(usize::from(head & 0x1ff))?;
    let kind = head >> 9;
    (kind != element::END).then_some((kind, value))
}

fn other(kind: u16, value: &[u8], facts: &mut Facts<'_>) {
    match kind {
        element::CHASSIS => say_identifier(&CHASSIS, value, 4, facts),
        element::PORT => say_identifier(&PORT, value, 3, facts),
        element::CAPABILITIES => {
            if let [_, _, high, low] = *value {
                facts.number(&CAPABILITIES, u64::from(u16::from_be_bytes([high, low])));
            }
        }
        element::MANAGEMENT => {
            if let Some(address) = Cursor::new(value).prefixed_u8().and_then(network_address) {
                facts.endpoint(&MANAGEMENT, address, 0);
            }
        }
        element::ORGANISATION => say_inventory(value, facts),
        _ => {}
    }
}

/// An identifier behind its kind; `mac_kind` is the kind of link addresses, and network addresses come one later.
fn say_identifier(field: &Field, value: &[u8], mac_kind: u8, facts: &mut Facts<'_>) {
    let Some((&kind, identifier)) = value.split_first() else {
        return;
    };
    if kind == mac_kind
        && let Ok(mac) = <[u8; 6]>::try_from(identifier)
    {
        facts.text(field, MacAddress(mac).to_string().as_bytes());
        if mac_kind == 4 {
            facts.bytes(&MAC, &mac);
        }
    } else if kind == mac_kind.saturating_add(1)
        && let Some(address) = network_address(identifier)
    {
        facts.text(field, address.to_string().as_bytes());
    } else {
        facts.text(field, identifier);
    }
}

/// An address behind its family (IANA "Address Family Numbers": 1 IPv4, 2 IPv6).
fn network_address(value: &[u8]) -> Option<IpAddr> {
    let (family, octets) = value.split_first()?;
    ip_address(octets).filter(|ip| *family == if ip.is_ipv4() { 1 } else { 2 })
}

fn say_inventory(value: &[u8], facts: &mut Facts<'_>) {
    let mut cursor = Cursor::new(value);
    if cursor.array() != Some(TR_41) {
        return;
    }
    let field = match cursor.u8() {
        Some(8) => &SERIAL,
        Some(9) => &MANUFACTURER,
        Some(10) => &MODEL,
        _ => return,
    };
    facts.text(field, cursor.rest());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Dissector as _;
    use crate::dissect::rehearsal::{every_cut_is_harmless, head, said};
    use crate::model::fact::Side::Client;
    use crate::model::segment::Layer;

    const ANNOUNCEMENT: &[u8] =
        b"\x02\x07\x04\x02\0\0\0\0\x07\x04\x05\x05Gi0/\x06\x02\0\x78\x0a\x06switch\x0c\x05Linux\
        \x0e\x04\0\x14\0\x04\x10\x0c\x05\x01\x0a\0\0\x02\x02\0\0\0\x01\0\xfe\x08\0\x12\xbb\x0aKX-3\0\0";

    #[test]
    fn an_announcement_tells_names_addresses_and_model() {
        assert_eq!(
            said(&LLDP, &[(Client, ANNOUNCEMENT)]),
            [
                "lldp.chassis=02:00:00:00:00:07",
                "lldp.mac=020000000007",
                "lldp.port=Gi0/",
                "lldp.system_name=switch",
                "lldp.system_description=Linux",
                "lldp.capabilities=4",
                "lldp.management=10.0.0.2",
                "lldp.model=KX-3",
            ]
        );
        assert_eq!(LLDP.probe(&head(Layer::Link, 0x88cc, ANNOUNCEMENT)), Probe::Yes);
        assert_eq!(LLDP.probe(&head(Layer::Link, 0x0806, ANNOUNCEMENT)), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&LLDP, ANNOUNCEMENT);
    }
}

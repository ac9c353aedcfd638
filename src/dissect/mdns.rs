//! Multicast DNS (RFC 6762) and the services that it announces (RFC 6763): who a machine says that it is.
//!
//! Only what the sender claims for itself is said: answers and additional records of responses, and the authority
//! section of its probes (RFC 6762, 8.2). Known answers in queries (7.1) are others' claims and passed over.

use super::dns::answers::{address, reversed_address};
use super::dns::message::{CLASS_IN, Item, Message, OPCODE_QUERY, Section, kind};
use super::dns::name::{self, Case, Name};
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::dissect::cursor::Cursor;
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of multicast DNS.
const PORT: u16 = 5353;

/// Entries of one TXT record that are said.
const MOST_ENTRIES: usize = 16;

/// A name that the sender looks for.
pub const QUERY: Field = Field::of_event("mdns.query");
/// Type of an announced service, `_ssh._tcp`.
pub const SERVICE: Field = Field::of_event("mdns.service");
/// Name of the instance of the service said directly before, as people wrote it: `Living Room`.
pub const INSTANCE: Field = Field::of_event("mdns.instance");
/// Host on which the instance said directly before runs.
pub const TARGET: Field = Field::of_event("mdns.target");
/// Port of the instance, directly after [`TARGET`].
pub const SERVICE_PORT: Field = Field::of_event("mdns.port");
/// An entry of the TXT record of the instance said directly before, `key=value`; of keys that describe a device.
pub const TXT: Field = Field::of_event("mdns.txt");
/// A host's own name and address.
pub const HOST: Field = Field::of_event("mdns.host");

/// Keys of TXT records that tell makes, models and versions: device-info, AirPlay, printers, Chromecast, IP-KVMs.
const TELLING_KEYS: [&[u8]; 24] = [
    b"am",
    b"board",
    b"deviceid",
    b"fn",
    b"integrator",
    b"mac",
    b"macaddress",
    b"manufacturer",
    b"md",
    b"mfg",
    b"model",
    b"osvers",
    b"osxvers",
    b"platform",
    b"product",
    b"serial",
    b"srcvers",
    b"ty",
    b"usb_mdl",
    b"usb_mfg",
    b"vendor",
    b"vers",
    b"version",
    b"video",
];

/// Multicast DNS.
#[derive(Clone, Copy, Debug)]
pub struct Mdns;

impl Dissector for Mdns {
    fn name(&self) -> &'static str {
        "mdns"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&QUERY, &SERVICE, &INSTANCE, &TARGET, &SERVICE_PORT, &TXT, &HOST]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(head.has_port(PORT) && is_mdns(head))
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Announcements)
    }

    fn follows(&self) -> bool {
        true
    }
}

fn is_mdns(head: &Head<'_>) -> bool {
    let Some(message) = Message::read(head.newest()) else {
        return false;
    };
    let length = usize::try_from(head.length_on_wire).unwrap_or(usize::MAX);
    // Opcode and response code are zero on transmission (RFC 6762, 18.3 and 18.11).
    message.header.opcode() == OPCODE_QUERY
        && message.header.rcode() == 0
        && message.header.could_fit(length)
        && message.header.counts != [0; 4]
        && (message.items().next().is_some() || length > head.newest().len())
}

/// Without state: every message stands alone.
struct Announcements;

impl Dissection for Announcements {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let Some(message) = Message::read(input.bytes) else {
            return Next::More(0);
        };
        let is_response = message.header.is_response();
        for item in message.items() {
            match item.section {
                Section::Question if !is_response => say_query(&message, &item, facts),
                Section::Answer | Section::Additional if is_response => say_claim(&message, &item, facts),
                Section::Authority if !is_response => say_claim(&message, &item, facts),
                Section::Question | Section::Answer | Section::Authority | Section::Additional => {}
            }
        }
        Next::More(0)
    }
}

fn say_query(message: &Message<'_>, item: &Item<'_>, facts: &mut Facts<'_>) {
    if let Some(name) = Name::read(message.bytes, item.name_at, Case::Lower) {
        facts.text(&QUERY, name.text());
    }
}

/// Says what a record claims; a lifetime of zero withdraws (RFC 6762, 10.1) and is not said.
fn say_claim(message: &Message<'_>, item: &Item<'_>, facts: &mut Facts<'_>) {
    // The top bit of the class asks to flush caches (RFC 6762, 10.2).
    if item.class & 0x7fff != CLASS_IN || item.lifetime == 0 {
        return;
    }
    match item.kind {
        kind::A | kind::AAAA => {
            if let Some(address) = address(item)
                && let Some(name) = Name::read(message.bytes, item.name_at, Case::Lower)
            {
                facts.answer(&HOST, name.text(), address, item.lifetime);
            }
        }
        kind::PTR => say_pointer(message, item, facts),
        kind::SRV => say_location(message, item, facts),
        kind::TXT => say_description(message, item, facts),
        _ => {}
    }
}

fn say_pointer(message: &Message<'_>, item: &Item<'_>, facts: &mut Facts<'_>) {
    if let Some(address) = reversed_address(message.bytes, item.name_at) {
        if let Some(name) = Name::read(message.bytes, item.data_at, Case::Lower) {
            facts.answer(&HOST, name.text(), address, item.lifetime);
        }
        return;
    }
    say_instance(message, item.data_at, facts);
}

fn say_location(message: &Message<'_>, item: &Item<'_>, facts: &mut Facts<'_>) {
    let mut cursor = Cursor::new(item.data);
    let (Some(()), Some(port)) = (cursor.skip(4), cursor.u16()) else {
        return;
    };
    if let Some(target) = Name::read(message.bytes, item.data_at.saturating_add(6), Case::Lower)
        && say_instance(message, item.name_at, facts)
    {
        facts.text(&TARGET, target.text());
        facts.number(&SERVICE_PORT, u64::from(port));
    }
}

fn say_description(message: &Message<'_>, item: &Item<'_>, facts: &mut Facts<'_>) {
    if !say_instance(message, item.name_at, facts) {
        return;
    }
    let mut cursor = Cursor::new(item.data);
    let mut said = 0_usize;
    while let Some(entry) = cursor.prefixed_u8() {
        let key = entry.split(|&octet| octet == b'=').next().unwrap_or_default();
        let telling = TELLING_KEYS.iter().any(|known| key.eq_ignore_ascii_case(known));
        if telling && said < MOST_ENTRIES {
            facts.text(&TXT, entry);
            said = said.saturating_add(1);
        }
    }
}

/// Says the service and instance of the name at `position`: `Instance._service._tcp.local` or `_service._tcp.local`.
fn say_instance(message: &Message<'_>, position: usize, facts: &mut Facts<'_>) -> bool {
    let Some((labels, count)) = name::labels::<4>(message.bytes, position) else {
        return false;
    };
    let [first, second, third, _] = labels;
    let is_service = |name: &[u8], transport: &[u8]| {
        name.first() == Some(&b'_')
            && (transport.eq_ignore_ascii_case(b"_tcp") || transport.eq_ignore_ascii_case(b"_udp"))
    };
    let (instance, service, transport) = if count >= 3 && is_service(first, second) {
        (None, first, second)
    } else if count >= 4 && is_service(second, third) {
        (Some(first), second, third)
    } else {
        return false;
    };
    // The list of all types is a question about services, not a service (RFC 6763, 9).
    if service.eq_ignore_ascii_case(b"_services") {
        return false;
    }
    let mut text = [0_u8; 128];
    let mut length = 0_usize;
    let octets = service.iter().chain(b".").chain(transport);
    for (place, octet) in text.iter_mut().zip(octets) {
        *place = octet.to_ascii_lowercase();
        length = length.saturating_add(1);
    }
    facts.text(&SERVICE, text.get(..length).unwrap_or_default());
    if let Some(instance) = instance {
        facts.text(&INSTANCE, instance);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::Client;

    /// An IP-KVM announces its web interface: PTR, SRV, TXT and address.
    const KVM: &[u8] = b"\0\0\x84\0\0\0\0\x04\0\0\0\0\
        \x06_pikvm\x04_tcp\x05local\0\0\x0c\0\x01\0\0\x11\x94\0\x10\x0dpikvm-b8:27:e\xc0\x0c\
        \x0dpikvm-b8:27:e\xc0\x0c\0\x21\x80\x01\0\0\0\x78\0\x0c\0\0\0\0\x01\xbb\x03kvm\xc0\x18\
        \x0dpikvm-b8:27:e\xc0\x0c\0\x10\x80\x01\0\0\0\x78\0\x15\x0dmodel=v4-plus\x06path=/\
        \x03kvm\xc0\x18\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x09";

    #[test]
    fn an_announced_service_is_said_with_its_instance_host_port_model_and_address() {
        assert_eq!(
            said(&Mdns, &[(Client, KVM)]),
            [
                "mdns.service=_pikvm._tcp",
                "mdns.instance=pikvm-b8:27:e",
                "mdns.service=_pikvm._tcp",
                "mdns.instance=pikvm-b8:27:e",
                "mdns.target=kvm.local",
                "mdns.port=443",
                "mdns.service=_pikvm._tcp",
                "mdns.instance=pikvm-b8:27:e",
                "mdns.txt=model=v4-plus",
                "mdns.host=kvm.local 10.0.0.9 120",
            ]
        );
        assert_eq!(probe_datagram(&Mdns, 5_353, KVM), Probe::Yes);
        assert_eq!(probe_datagram(&Mdns, 53, KVM), Probe::No);
    }

    #[test]
    fn known_answers_in_a_query_are_not_the_askers_own() {
        let mut query = KVM.to_vec();
        query[2] = 0;
        assert!(said(&Mdns, &[(Client, &query)]).is_empty());
    }

    #[test]
    fn a_probe_claims_the_name_that_its_authority_section_holds() {
        let probe = b"\0\0\0\0\0\x01\0\0\0\x01\0\0\x03mac\x05local\0\0\xff\x80\x01\
            \xc0\x0c\0\x01\0\x01\0\0\0\x78\0\x04\x0a\0\0\x07";
        assert_eq!(
            said(&Mdns, &[(Client, probe)]),
            ["mdns.query=mac.local", "mdns.host=mac.local 10.0.0.7 120"]
        );
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Mdns, KVM);
    }
}

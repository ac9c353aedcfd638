//! DHCP for IPv4 (RFC 2131, options RFC 2132): what a machine calls itself, which address it asked for and got.
//!
//! Every message says [`TYPE`] first and [`MAC`] second, so that what follows can be told apart from the message before.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::cursor::Cursor;
use super::dns::name::{Case, Name};
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Ports of servers and clients.
const PORTS: [u16; 2] = [67, 68];
/// Where the options start, behind the fixed fields and the magic cookie.
const OPTIONS_AT: usize = 240;
/// Magic cookie before the options (RFC 2131, 3).
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

/// Message type: 1 discover, 2 offer, 3 request, 4 decline, 5 acknowledgement, 6 refusal, 7 release, 8 inform; 0 for BOOTP.
pub const TYPE: Field = Field::of_event("dhcp.type");
/// Link address of the client (chaddr).
pub const MAC: Field = Field::of_event("dhcp.mac");
/// Host name (option 12).
pub const HOST_NAME: Field = Field::of_event("dhcp.host_name");
/// Full name (option 81, RFC 4702).
pub const FQDN: Field = Field::of_event("dhcp.fqdn");
/// Vendor class (option 60).
pub const VENDOR_CLASS: Field = Field::of_event("dhcp.vendor_class");
/// Parameters asked for (option 55), `1,3,6,15`, in their order, which tells operating systems apart.
pub const PARAMETERS: Field = Field::of_event("dhcp.parameters");
/// Client identifier (option 61): type octet and value.
pub const CLIENT_ID: Field = Field::of_event("dhcp.client_id");
/// Address that the client asks for (option 50).
pub const REQUESTED: Field = Field::of_event("dhcp.requested");
/// Address that the client has (ciaddr).
pub const CLIENT: Field = Field::of_event("dhcp.client");
/// Address that the server gives (yiaddr).
pub const ASSIGNED: Field = Field::of_event("dhcp.assigned");
/// Lease time in seconds (option 51).
pub const LEASE: Field = Field::of_event("dhcp.lease");
/// Address of the server (option 54).
pub const SERVER: Field = Field::of_event("dhcp.server");
/// First router (option 3).
pub const ROUTER: Field = Field::of_event("dhcp.router");
/// A name server (option 6).
pub const NAME_SERVER: Field = Field::of_event("dhcp.dns");
/// Domain of the network (option 15).
pub const DOMAIN: Field = Field::of_event("dhcp.domain");
/// Relay agent through which the message came (giaddr).
pub const RELAY: Field = Field::of_event("dhcp.relay");

/// Option numbers (RFC 2132; 81: RFC 4702).
mod option {
    pub(super) const PAD: u8 = 0;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const NAME_SERVER: u8 = 6;
    pub(super) const HOST_NAME: u8 = 12;
    pub(super) const DOMAIN: u8 = 15;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const OVERLOAD: u8 = 52;
    pub(super) const MESSAGE_TYPE: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const PARAMETERS: u8 = 55;
    pub(super) const VENDOR_CLASS: u8 = 60;
    pub(super) const CLIENT_ID: u8 = 61;
    pub(super) const FQDN: u8 = 81;
    pub(super) const END: u8 = 255;
}

/// DHCP for IPv4.
#[derive(Clone, Copy, Debug)]
pub struct Dhcp;

impl Dissector for Dhcp {
    fn name(&self) -> &'static str {
        "dhcp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &TYPE,
            &MAC,
            &HOST_NAME,
            &FQDN,
            &VENDOR_CLASS,
            &PARAMETERS,
            &CLIENT_ID,
            &REQUESTED,
            &CLIENT,
            &ASSIGNED,
            &LEASE,
            &SERVER,
            &ROUTER,
            &NAME_SERVER,
            &DOMAIN,
            &RELAY,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        match Message::read(head.newest()) {
            // Forty octets of agreement: sure on any port (4011 of PXE).
            Some(message) if message.options.is_some() => Probe::Yes,
            Some(_) if PORTS.iter().any(|&port| head.has_port(port)) => Probe::Yes,
            _ => Probe::No,
        }
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| matches!(first, 1..=2))
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Messages)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// The fixed fields, and where the options are.
struct Message<'a> {
    mac: [u8; 6],
    client: Ipv4Addr,
    assigned: Ipv4Addr,
    relay: Ipv4Addr,
    server_name: &'a [u8],
    file: &'a [u8],
    /// `None` for BOOTP without options.
    options: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        // 1 request, 2 reply; hardware types up to 38 are assigned, addresses are at most 16 octets long.
        if !(1..=2).contains(&cursor.u8()?) || !(1..=38).contains(&cursor.u8()?) || cursor.u8()? > 16 {
            return None;
        }
        cursor.skip(9)?;
        let client = cursor.array::<4>()?.into();
        let assigned = cursor.array::<4>()?.into();
        cursor.skip(4)?;
        let relay = cursor.array::<4>()?.into();
        let mac = cursor.array::<6>()?;
        cursor.skip(10)?;
        let server_name = cursor.take(64)?;
        let file = cursor.take(128)?;
        let has_cookie = cursor.array::<4>() == Some(COOKIE);
        Some(Self {
            mac,
            client,
            assigned,
            relay,
            server_name,
            file,
            options: bytes.get(OPTIONS_AT..).filter(|_| has_cookie),
        })
    }

    /// The first option of this number; what is longer than 255 octets and goes on in another (RFC 3396) is not joined.
    fn option(&self, wanted: u8) -> Option<&'a [u8]> {
        let options = self.options?;
        if let Some(value) = find(options, wanted) {
            return Some(value);
        }
        // The fields for file and server name may hold options too (RFC 2132, 9.3).
        let &[overload, ..] = find(options, option::OVERLOAD)? else {
            return None;
        };
        let file = (overload & 1 != 0).then_some(self.file);
        let server_name = (overload & 2 != 0).then_some(self.server_name);
        [file, server_name]
            .into_iter()
            .flatten()
            .find_map(|options| find(options, wanted))
    }

    fn address(&self, wanted: u8) -> Option<Ipv4Addr> {
        self.option(wanted)?
            .first_chunk::<4>()
            .map(|octets| Ipv4Addr::from(*octets))
    }
}

fn find(options: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut cursor = Cursor::new(options);
    loop {
        match cursor.u8()? {
            option::PAD => {}
            option::END => return None,
            number => {
                let value = cursor.prefixed_u8()?;
                if number == wanted {
                    return Some(value);
                }
            }
        }
    }
}

/// Without state: every message stands alone.
struct Messages;

impl Dissection for Messages {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some(message) = Message::read(input.bytes) {
            say_message(&message, facts);
        }
        Next::More(0)
    }
}

fn say_message(message: &Message<'_>, facts: &mut Facts<'_>) {
    let kind = message
        .option(option::MESSAGE_TYPE)
        .and_then(|value| value.first().copied());
    facts.number(&TYPE, u64::from(kind.unwrap_or(0)));
    facts.bytes(&MAC, &message.mac);
    for (field, number) in [
        (&HOST_NAME, option::HOST_NAME),
        (&VENDOR_CLASS, option::VENDOR_CLASS),
        (&DOMAIN, option::DOMAIN),
    ] {
        facts.text(field, without_zeros(message.option(number).unwrap_or_default()));
    }
    if let Some(value) = message.option(option::FQDN) {
        say_full_name(value, facts);
    }
    if let Some(parameters) = message.option(option::PARAMETERS) {
        say_parameters(parameters, facts);
    }
    if let Some(identifier) = message.option(option::CLIENT_ID) {
        facts.bytes(&CLIENT_ID, identifier);
    }
    for (field, address) in [
        (&REQUESTED, message.address(option::REQUESTED)),
        (&CLIENT, Some(message.client)),
        (&ASSIGNED, Some(message.assigned)),
        (&RELAY, Some(message.relay)),
        (&SERVER, message.address(option::SERVER)),
        (&ROUTER, message.address(option::ROUTER)),
    ] {
        if let Some(address) = address.filter(|address| !address.is_unspecified()) {
            facts.endpoint(field, address.into(), 0);
        }
    }
    let servers = message.option(option::NAME_SERVER).unwrap_or_default();
    for octets in servers.as_chunks::<4>().0 {
        facts.endpoint(&NAME_SERVER, Ipv4Addr::from(*octets).into(), 0);
    }
    if let Some(lease) = message
        .option(option::LEASE)
        .and_then(|value| Cursor::new(value).u32())
    {
        facts.number(&LEASE, u64::from(lease));
    }
}

/// Names end with a zero octet where old clients send them as C strings.
fn without_zeros(text: &[u8]) -> &[u8] {
    let end = text
        .iter()
        .rposition(|&octet| octet != 0)
        .map_or(0, |last| last.saturating_add(1));
    text.get(..end).unwrap_or_default()
}

/// Flags, two response codes, and the name: as DNS has it where bit E is set, else as text (RFC 4702, 2).
fn say_full_name(value: &[u8], facts: &mut Facts<'_>) {
    let mut cursor = Cursor::new(value);
    let (Some(flags), Some(())) = (cursor.u8(), cursor.skip(2)) else {
        return;
    };
    if flags & 0x04 == 0 {
        facts.text(&FQDN, without_zeros(cursor.rest()));
    } else {
        say_wire_name(&FQDN, cursor.rest(), facts);
    }
}

/// Says a name in DNS form, which may end without its empty label when it is not a full one (RFC 4704, 4.2).
pub(super) fn say_wire_name(field: &Field, bytes: &[u8], facts: &mut Facts<'_>) {
    let mut whole = [0_u8; 257];
    for (place, octet) in whole.iter_mut().take(256).zip(bytes) {
        *place = *octet;
    }
    // The zeros behind the bytes are the empty label; pointers have nothing to point to and fail.
    if let Some(name) = Name::read(&whole, 0, Case::Lower)
        && name.text() != b"."
    {
        facts.text(field, name.text());
    }
}

fn say_parameters(parameters: &[u8], facts: &mut Facts<'_>) {
    let mut text = String::with_capacity(parameters.len().saturating_mul(4));
    for (index, number) in parameters.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{number}");
    }
    facts.text(&PARAMETERS, text.as_bytes());
}

#[cfg(test)]
mod tests;

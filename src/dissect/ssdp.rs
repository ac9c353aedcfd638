//! Simple service discovery (UPnP Device Architecture 2.0, section 1): what devices announce, seek and answer.

use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of SSDP.
const PORT: u16 = 1900;

/// Lines of one message that are read.
const MOST_LINES: usize = 64;

/// Operating system and product of a device that announces itself or answers.
pub const SERVER: Field = Field::of_event("ssdp.server");
/// Unique name of the service.
pub const USN: Field = Field::of_event("ssdp.usn");
/// What is announced, found or, in a search, sought.
pub const TARGET: Field = Field::of_event("ssdp.st");
/// Where the device describes itself.
pub const LOCATION: Field = Field::of_event("ssdp.location");
/// Program that searches.
pub const USER_AGENT: Field = Field::of_event("ssdp.user_agent");
/// Name that a searching control point gives itself (CPFN.UPNP.ORG).
pub const FRIENDLY_NAME: Field = Field::of_event("ssdp.friendly_name");

/// Simple service discovery.
#[derive(Clone, Copy, Debug)]
pub struct Ssdp;

impl Dissector for Ssdp {
    fn name(&self) -> &'static str {
        "ssdp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&SERVER, &USN, &TARGET, &LOCATION, &USER_AGENT, &FRIENDLY_NAME]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let message = head.newest();
        // Searches and announcements are unmistakable; an answer looks like any HTTP response but for its port or target.
        Probe::when(
            message.starts_with(b"NOTIFY * HTTP/1.")
                || message.starts_with(b"M-SEARCH * HTTP/1.")
                || (message.starts_with(b"HTTP/1.1 200") && (head.has_port(PORT) || has_target(message))),
        )
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| matches!(first, b'N' | b'M' | b'H'))
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Messages)
    }

    fn follows(&self) -> bool {
        true
    }
}

fn has_target(message: &[u8]) -> bool {
    headers(message).any(|(name, _)| name.eq_ignore_ascii_case(b"ST") || name.eq_ignore_ascii_case(b"USN"))
}

/// Names and values of the lines behind the first one.
fn headers(message: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = message.split(|&octet| octet == b'\n').skip(1).take(MOST_LINES);
    lines.filter_map(|line| {
        let colon = line.iter().position(|&octet| octet == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
    })
}

/// Without state: every message stands alone.
struct Messages;

impl Dissection for Messages {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        const TEXTS: [(&[u8], &Field); 7] = [
            (b"SERVER", &SERVER),
            (b"USN", &USN),
            (b"ST", &TARGET),
            (b"NT", &TARGET),
            (b"LOCATION", &LOCATION),
            (b"USER-AGENT", &USER_AGENT),
            (b"CPFN.UPNP.ORG", &FRIENDLY_NAME),
        ];
        let is_message = [&b"NOTIFY "[..], b"M-SEARCH ", b"HTTP/1."]
            .iter()
            .any(|start| input.bytes.starts_with(start));
        if is_message {
            for (name, value) in headers(input.bytes) {
                let known = TEXTS.iter().find(|(wanted, _)| name.eq_ignore_ascii_case(wanted));
                if let Some((_, field)) = known {
                    facts.text(field, value);
                }
            }
        }
        Next::More(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::Client;

    const NOTIFY: &[u8] = b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\n\
        Location: http://192.0.2.9:49152/desc.xml\r\nServer: Linux/5.10 UPnP/1.0 Dock/2\r\nUSN:uuid:1::upnp:rootdevice\r\n\r\n";

    #[test]
    fn an_announcement_tells_product_name_and_place() {
        assert_eq!(
            said(&Ssdp, &[(Client, NOTIFY)]),
            [
                "ssdp.st=upnp:rootdevice",
                "ssdp.location=http://192.0.2.9:49152/desc.xml",
                "ssdp.server=Linux/5.10 UPnP/1.0 Dock/2",
                "ssdp.usn=uuid:1::upnp:rootdevice",
            ]
        );
    }

    #[test]
    fn an_answer_off_the_port_needs_a_search_target() {
        assert_eq!(probe_datagram(&Ssdp, 5_000, NOTIFY), Probe::Yes);
        assert_eq!(
            probe_datagram(&Ssdp, 5_000, b"HTTP/1.1 200 OK\r\nST: x\r\n"),
            Probe::Yes
        );
        assert_eq!(
            probe_datagram(&Ssdp, 5_000, b"HTTP/1.1 200 OK\r\nA: x\r\n"),
            Probe::No
        );
        assert_eq!(probe_datagram(&Ssdp, 1_900, b"\x00\x01"), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Ssdp, NOTIFY);
    }
}

//! Names whose answer is the address of whoever asks, by which scripts learn their public address.
//!
//! Asked through a resolver, most of them give the resolver's address. So they count only where the answer says that it comes from
//! the zone's own server (RFC 1035, 4.1.1, AA); OpenDNS's exists at its own resolvers alone.

use std::net::IpAddr;

use super::answers;
use super::message::{CLASS_IN, Message, Section, kind};
use super::name::{Case, Name};
use crate::model::fact::{Facts, Field};

/// The asker's own address.
pub const OWN_ADDRESS: Field = Field::of_event("dns.own_address");

/// First label of the names, with its length in front, and the whole name, and whether only the zone's own server counts. "How can I
/// look up my current external IP address", utf9k.net/questions/dns; for Akamai's also akamai.com/blog/developers, 2018-05-09.
const NAMES: [(&[u8], &[u8], bool); 3] = [
    (b"\x04myip", b"myip.opendns.com", false),
    (b"\x03o-o", b"o-o.myaddr.l.google.com", true),
    (b"\x06whoami", b"whoami.akamai.net", true),
];

/// The AA bit.
const AUTHORITATIVE: u16 = 0x0400;

/// Says the asker's address, where the message answers such a question soundly.
pub(super) fn say(message: &Message<'_>, facts: &mut Facts<'_>) {
    const QUESTION_AT: usize = 12;
    // Nearly every message ends here.
    let Some(first) = message.bytes.get(QUESTION_AT..) else {
        return;
    };
    let is_such = |label: &[u8]| {
        first
            .get(..label.len())
            .is_some_and(|there| there.eq_ignore_ascii_case(label))
    };
    let Some((_, wanted, needs_authority)) = NAMES.iter().find(|(label, ..)| is_such(label)) else {
        return;
    };
    let is_authoritative = message.header.flags & AUTHORITATIVE != 0;
    let is_wanted =
        Name::read(message.bytes, QUESTION_AT, Case::Lower).is_some_and(|name| name.text() == *wanted);
    if !is_wanted || (*needs_authority && !is_authoritative) || message.header.rcode() != 0 {
        return;
    }
    let answers = message
        .items()
        .filter(|item| item.section == Section::Answer && item.class == CLASS_IN);
    for item in answers {
        let address = match item.kind {
            kind::TXT => text_address(item.data),
            _ => answers::address(&item),
        };
        // Google adds lines about the resolver's client subnet, which are no address.
        if let Some(address) = address {
            facts.endpoint(&OWN_ADDRESS, address, 0);
        }
    }
}

/// The address that the first character string is (RFC 1035, 3.3.14).
fn text_address(data: &[u8]) -> Option<IpAddr> {
    let (length, rest) = data.split_first()?;
    let text = rest.get(..usize::from(*length))?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::dissect::dns::Dns;
    use crate::dissect::rehearsal;
    use crate::model::fact::Side::Server;

    /// A response to a question for this name with one record.
    fn response(name: &str, flags: u16, kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 7];
        bytes.extend(flags.to_be_bytes());
        bytes.extend([0, 1, 0, 1, 0, 0, 0, 0]);
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.bytes());
        }
        bytes.push(0);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        bytes
    }

    fn said(message: &[u8]) -> bool {
        let facts = rehearsal::said(&Dns, &[(Server, message)]);
        facts.iter().any(|fact| fact == "dns.own_address=203.0.113.7")
    }

    #[test]
    fn an_address_counts_from_the_zones_own_server_and_opendnss_always() {
        const OWN: u16 = 0x8580;
        const RESOLVED: u16 = 0x8180;
        let a = [203, 0, 113, 7];
        let txt = b"\x0b203.0.113.7";
        assert!(said(&response("myip.opendns.com", RESOLVED, 1, &a)));
        assert!(said(&response("WhoAmI.akamai.net", OWN, 1, &a)));
        assert!(said(&response("o-o.myaddr.l.google.com", OWN, 16, txt)));
        // Through a resolver the address is the resolver's.
        assert!(!said(&response("whoami.akamai.net", RESOLVED, 1, &a)));
        assert!(!said(&response("o-o.myaddr.l.google.com", RESOLVED, 16, txt)));
        assert!(!said(&response("myip.example.com", OWN, 1, &a)));
        assert!(!said(&response("o-o.myaddr.l.google.com", OWN, 16, b"\x2e")));
    }
}

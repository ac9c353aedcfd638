//! n2n, a mesh of Ethernet over UDP: header and the name of the community, versions 1 to 3.
//!
//! Version 1 (n2n 1.3, n2n.h: type, hops, whether a supernode sent it, a name of 16 octets), 2 (n2n 2, n2n_wire.h: hops, flags, 16
//! octets) and 3 (n2n 3, n2n_define.h: 20 octets, eleven types). The header alone is weak: two datagrams must name the same community.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Name of the community, as sent.
pub const COMMUNITY: Field = Field::of_flow("n2n.community");

/// Shortest message: the header of version 2 and three octets of an address.
const SHORTEST: u32 = 23;
/// Most hops that a message is given: edges begin with 2 (`N2N_DEFAULT_TTL`, n2n_define.h), the rest is room.
const MOST_HOPS: u8 = 8;

/// Server and client of DHCP (RFC 2131, 4.1).
const DHCP_PORTS: [u16; 2] = [67, 68];

/// Recognises n2n.
pub struct N2n;

impl Dissector for N2n {
    fn name(&self) -> &'static str {
        "n2n"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&COMMUNITY]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        // A request of DHCP has a header of version 1, and a transaction that may read as a name (RFC 2131, 2).
        if [head.client_port, head.server_port]
            .iter()
            .any(|port| DHCP_PORTS.contains(port))
        {
            return Probe::No;
        }
        let Some(newest) = community(head.newest()).filter(|_| head.length_on_wire >= SHORTEST) else {
            return Probe::No;
        };
        let is_known = head
            .earlier
            .iter()
            .any(|seen| community(seen.bytes()) == Some(newest));
        if is_known { Probe::Yes } else { Probe::Wait }
    }

    fn opening(&self) -> Opening {
        Opening::with(|first| matches!(first, 1..=3))
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Community)
    }
}

/// The version, and the name of the community, where the header is one.
fn community(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let version = cursor.u8()?;
    let [first, second, third] = [cursor.u8()?, cursor.u8()?, cursor.u8()?];
    let (is_header, length) = match version {
        1 => (matches!(first, 1..=5) && second <= MOST_HOPS && third <= 1, 16),
        // Flags: three bits above the type, which is 1 to 11.
        2 | 3 => (
            first <= MOST_HOPS && second == 0 && matches!(third & 0x1f, 1..=11),
            if version == 2 { 16 } else { 20 },
        ),
        _ => return None,
    };
    let field = cursor.take(length)?;
    let end = field.iter().position(|octet| *octet == 0)?;
    let (name, rest) = field.split_at_checked(end)?;
    // Version 1 leaves what stood in memory behind the name.
    let is_padded = version == 1 || rest.iter().all(|octet| *octet == 0);
    let is_name = name.len() >= 2 && name.iter().all(u8::is_ascii_graphic);
    (is_header && is_padded && is_name).then_some((version, name))
}

struct Community;

impl Dissection for Community {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some((_, name)) = community(input.bytes) {
            facts.text(&COMMUNITY, name);
        }
        Next::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};
    use crate::model::fact::Side;

    fn message(header: [u8; 4], name: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = header.to_vec();
        bytes.extend(name);
        bytes.resize(4 + length, 0);
        bytes.extend([0xa5; 20]);
        bytes
    }

    #[test]
    fn two_datagrams_of_one_community_are_n2n_in_every_version() {
        for (header, length) in [([1, 1, 0, 0], 16), ([2, 2, 0, 5], 16), ([3, 2, 0, 0x21], 20)] {
            let mut trial = Trial::new(&[&N2n], Layer::Udp, (50_002, 7_654));
            let datagram = message(header, b"friends", length);
            trial.payload(Side::Client, &datagram);
            assert_eq!(trial.probed, Probe::Wait);
            trial.payload(Side::Server, &datagram);
            assert_eq!(trial.names, ["n2n"], "{header:?}");
            assert_eq!(trial.said("n2n.community"), ["friends"]);
        }
    }

    #[test]
    fn a_request_of_dhcp_is_none_however_it_reads() {
        let mut trial = Trial::new(&[&N2n], Layer::Udp, (68, 67));
        let request = message([1, 1, 6, 0], b"abcd", 16);
        trial.payload(Side::Client, &request);
        trial.payload(Side::Client, &request);
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn another_community_or_what_is_no_name_is_none() {
        let mut trial = Trial::new(&[&N2n], Layer::Udp, (50_002, 7_654));
        trial.payload(Side::Client, &message([3, 2, 0, 1], b"friends", 20));
        trial.payload(Side::Client, &message([3, 2, 0, 1], b"others", 20));
        assert_eq!(trial.probed, Probe::Wait);
        for (header, name) in [
            ([3, 2, 0, 1], &b"\x01\x02\x03"[..]),
            ([3, 2, 0, 0], b"friends"),
            ([3, 200, 0, 1], b"friends"),
            ([9, 2, 0, 1], b"friends"),
        ] {
            let mut trial = Trial::new(&[&N2n], Layer::Udp, (50_002, 7_654));
            trial.payload(Side::Client, &message(header, name, 20));
            assert_eq!(trial.probed, Probe::No, "{header:?}");
        }
    }

    #[test]
    fn truncated_datagrams_are_survived() {
        let datagram = message([3, 2, 0, 1], b"friends", 20);
        survives_every_truncation(
            &N2n,
            Layer::Udp,
            &[(Side::Client, &datagram), (Side::Client, &datagram)],
        );
    }
}

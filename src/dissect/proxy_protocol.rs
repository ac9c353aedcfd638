//! The PROXY protocol of load balancers (HAProxy's `proxy-protocol.txt`, versions 1 and 2): a head that says whose connection
//! is passed on; behind it speaks whatever the client speaks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use super::tls::starttls::{first_line, may_become};
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Address and port of the client whose connection is passed on.
pub static CLIENT: Field = Field::of_flow("proxy_protocol.client");
/// Address and port that it had called.
pub static SERVER: Field = Field::of_flow("proxy_protocol.server");

/// First word of version 1.
const WORD: &[u8] = b"PROXY ";
/// Longest line of version 1, end included (2.1 of the specification).
const LONGEST_LINE: usize = 107;
/// First octets of version 2: chosen so that no other protocol takes them for its own.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest body of version 2 that is waited for: addresses take 216 octets at most, what follows them is seldom long.
const LONGEST_BODY: u16 = 2_048;

/// The PROXY protocol.
#[derive(Debug)]
pub struct ProxyProtocol;

static FIELDS: &[&Field] = &[&CLIENT, &SERVER];

impl Dissector for ProxyProtocol {
    fn name(&self) -> &'static str {
        "proxy-protocol"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let bytes = head.to_server;
        if !matches!(bytes.first(), Some(b'P' | b'\r')) {
            return Probe::No;
        }
        match read(bytes) {
            Some(_) => Probe::Yes,
            None if may_become(bytes, &[WORD, SIGNATURE]) || is_unfinished(bytes) => Probe::Wait,
            None => Probe::No,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(ProxyProtocolDissection)
    }

    fn is_carrier(&self) -> bool {
        true
    }
}

/// Whether the head has begun and more of it is to come.
fn is_unfinished(bytes: &[u8]) -> bool {
    if let Some(behind) = bytes.strip_prefix(SIGNATURE) {
        let mut cursor = Cursor::new(behind);
        let is_known = cursor.u8().is_none_or(|command| command >> 4 == 2);
        cursor.u8();
        return is_known && cursor.u16().is_none_or(|length| length <= LONGEST_BODY);
    }
    bytes.starts_with(WORD) && bytes.len() < LONGEST_LINE && first_line(bytes).is_none()
}

/// What a head says.
struct Said {
    /// Ends of the connection that is passed on; none where the balancer speaks for itself.
    ends: Option<[(IpAddr, u16); 2]>,
    length: usize,
}

fn read(bytes: &[u8]) -> Option<Said> {
    if bytes.starts_with(SIGNATURE) {
        read_binary(bytes)
    } else {
        read_line(bytes)
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, or `PROXY UNKNOWN` and anything.
fn read_line(bytes: &[u8]) -> Option<Said> {
    let line = first_line(bytes.get(..bytes.len().min(LONGEST_LINE))?)?;
    // The line ends with both, CR and LF: a lone LF is none of its own (2.1).
    let length = line.len().checked_add(2)?;
    if bytes.get(line.len()..length)? != b"\r\n" {
        return None;
    }
    let text = std::str::from_utf8(line.strip_prefix(WORD)?).ok()?;
    let mut words = text.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(Said { ends: None, length });
    }
    if !matches!(family, "TCP4" | "TCP6") {
        return None;
    }
    let (client, server): (IpAddr, IpAddr) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (client_port, server_port) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Said {
        ends: Some([(client, client_port), (server, server_port)]),
        length,
    })
}

/// Version 2: signature, version and command, family, length, addresses, and fields that are passed over.
fn read_binary(bytes: &[u8]) -> Option<Said> {
    let mut cursor = Cursor::new(bytes);
    cursor.skip(SIGNATURE.len())?;
    let [command, family] = cursor.array()?;
    if command >> 4 != 2 {
        return None;
    }
    let mut body = cursor.prefixed_u16().map(Cursor::new)?;
    let length = cursor.position();
    let ends = match (command & 15, family) {
        (1, 0x11 | 0x12) => {
            let (client, server) = (Ipv4Addr::from(body.u32()?), Ipv4Addr::from(body.u32()?));
            Some([(client.into(), body.u16()?), (server.into(), body.u16()?)])
        }
        (1, 0x21 | 0x22) => {
            let (client, server) = (
                Ipv6Addr::from(body.array::<16>()?),
                Ipv6Addr::from(body.array::<16>()?),
            );
            Some([(client.into(), body.u16()?), (server.into(), body.u16()?)])
        }
        _ => None,
    };
    Some(Said { ends, length })
}

/// One connection.
#[derive(Debug)]
struct ProxyProtocolDissection;

impl Dissection for ProxyProtocolDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.side == Side::Server {
            return Next::More(0);
        }
        let Some(said) = read(input.bytes) else {
            return Next::Reject;
        };
        if let Some([(client, client_port), (server, server_port)]) = said.ends {
            facts.endpoint(&CLIENT, client, client_port);
            facts.endpoint(&SERVER, server, server_port);
        }
        Next::Become("", said.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, played, probe_stream};
    use crate::model::fact::Side::Client;

    const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n\x16\x03\x01";
    const BINARY: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\0\0\x16\x03\x01";

    #[test]
    fn both_versions_say_whose_connection_it_is_and_something_else_follows() {
        for head in [LINE, BINARY] {
            assert_eq!(probe_stream(&ProxyProtocol, 443, head, b""), Probe::Yes);
            let (said, next) = played(&ProxyProtocol, &[(Client, head)]);
            assert_eq!(
                said,
                [
                    "proxy_protocol.client=192.0.2.1 56324",
                    "proxy_protocol.server=198.51.100.1 443"
                ]
            );
            assert_eq!(next, Next::Become("", head.len() - 3));
            for end in 1..head.len() - 3 {
                assert_eq!(
                    probe_stream(&ProxyProtocol, 443, &head[..end], b""),
                    Probe::Wait,
                    "{end} octets"
                );
            }
            every_cut_is_harmless(&ProxyProtocol, head);
        }
    }

    #[test]
    fn a_line_that_ends_with_a_lone_line_feed_is_no_head() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n";
        assert_eq!(probe_stream(&ProxyProtocol, 443, line, b""), Probe::No);
        every_cut_is_harmless(
            &ProxyProtocol,
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n\r\x16",
        );
    }

    #[test]
    fn a_balancer_that_speaks_for_itself_names_nobody() {
        for head in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
            let (said, next) = played(&ProxyProtocol, &[(Client, head)]);
            assert!(said.is_empty());
            assert_eq!(next, Next::Become("", head.len()));
        }
    }

    #[test]
    fn other_beginnings_are_refused() {
        for other in [
            &b"POST / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 here there 1 2\r\n",
            b"PROXY TCP9 192.0.2.1 192.0.2.2 1 2\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
        ] {
            assert_eq!(
                probe_stream(&ProxyProtocol, 80, other, b""),
                Probe::No,
                "{other:?}"
            );
        }
    }
}

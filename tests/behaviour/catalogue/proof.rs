//! From an indicator to the smallest traffic that shows it: frames made from the indicator's own data.

use std::collections::BTreeSet;
use std::net::IpAddr;

use farmhawk::signatures::Catalogue;
use farmhawk::signatures::entry::{Indicator, Pattern, RoleHint, Tool};
use farmhawk::signatures::payload::Transport;

use super::link;
use super::samples;
use super::tls;
use super::wire::{End, ROUTER, Side, Words, announcement, chance, datagram, stream};

/// Fields of names that stand in one group: each is proven in these, which are enough to show that it is asked about.
const NAMES: [&str; 3] = ["tls.sni", "dns.query", "http.host"];

/// Fields in which a value cannot be made from what the indicator says, because it is a digest.
pub(super) const DIGESTS: [&str; 4] = ["tls.ja3", "tls.ja3s", "tls.ja4", "ssh.hassh"];

/// A datagram that no protocol knows.
const SOMETHING: &[u8] = b"\x5a\x5a\x5a\x5a\x5a";

/// What the database of places says and no packet does; nothing asks for it yet.
pub(super) const NOT_ON_THE_WIRE: [&str; 2] = ["geo.asn", "geo.as_org"];

/// One host that shows one indicator.
#[derive(Debug)]
pub(super) struct Proof<'c> {
    pub(super) tool: &'c Tool,
    pub(super) indicator: &'c Indicator,
    pub(super) field: String,
    pub(super) shown: String,
    pub(super) host: IpAddr,
    pub(super) frames: Vec<Vec<u8>>,
}

/// The host and its server with this number: private addresses, and addresses for measurements (RFC 2544, appendix C.2.2).
pub(super) fn ends(number: u32) -> [End; 2] {
    let [_, high, middle, low] = (number + 0x0001_0101).to_be_bytes();
    let host = End {
        mac: [2, 0x10, 0, high, middle, low],
        ip: [10, high, middle, low].into(),
        port: 40_000,
    };
    let server = End {
        mac: ROUTER,
        ip: [198, 18 + (high & 1), middle, low].into(),
        port: 44_444,
    };
    [host, server]
}

/// Every proof of an indicator; `number` gives each its own host. An error names a field that nobody can make.
pub(super) fn proofs<'c>(
    tool: &'c Tool,
    indicator: &'c Indicator,
    number: &mut u32,
) -> Result<Vec<Proof<'c>>, String> {
    let mut all = Vec::new();
    for pattern in &indicator.patterns {
        let mut made = 0;
        for field in fields(indicator) {
            let [host, server] = ends(*number);
            let Some((host, frames)) = frames(field, pattern, host, server) else {
                continue;
            };
            made += 1;
            *number += 1;
            all.push(Proof {
                tool,
                indicator,
                field: field.to_owned(),
                shown: pattern.to_string(),
                host,
                frames,
            });
        }
        if made == 0 {
            return Err(format!("{}: no packet for {:?}", tool.id, indicator.fields));
        }
    }
    Ok(all)
}

/// One host that looks at a vendor's pages.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) name: String,
    pub(super) host: IpAddr,
    pub(super) frames: Vec<Vec<u8>>,
}

/// A visit to every web site of the catalogue: names that stand there as web sites, and zones of vendors that lead no
/// further than to a lead. The names are asked for, then called in HTTP and in TLS.
pub(super) fn visits(catalogue: &Catalogue) -> Vec<Visit> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for indicator in catalogue.tools().iter().flat_map(|tool| &tool.indicators) {
        let is_site = indicator.role == Some(RoleHint::Website) || indicator.alone && indicator.weight <= 20;
        for pattern in indicator.patterns.iter().filter(|_| is_site) {
            if let Pattern::Suffix(zone) = pattern {
                names.extend([zone.clone(), format!("www.{zone}")]);
            } else if let Pattern::Exact(name) = pattern
                && indicator.fields.iter().any(|field| field == "tls.sni")
            {
                names.insert(name.clone());
            }
        }
    }
    (0..)
        .zip(names)
        .map(|(number, name)| {
            let [host, server] = ends(number);
            let at = |port: u16| End { port, ..server };
            let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n").into_bytes();
            let answer = b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n".to_vec();
            let hello = tls::client_hello(Some(name.as_bytes()), Some(b"h2"));
            let page = [(Side::Client, request), (Side::Server, answer)];
            let certificate = tls::certificate(&format!("CN={name}"), "CN=authority.example");
            let flight = [
                (Side::Client, hello),
                (Side::Server, tls::server_flight(&certificate)),
            ];
            let mut frames = vec![datagram(host, at(53), &question(&name))];
            frames.extend(stream(host, at(80), &page));
            frames.extend(stream(End { port: 40_001, ..host }, at(443), &flight));
            Visit {
                name,
                host: host.ip,
                frames,
            }
        })
        .collect()
}

fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend(link::labels(name));
    bytes.extend([0, 1, 0, 1]);
    bytes
}

/// The fields in which an indicator is proven.
fn fields(indicator: &Indicator) -> impl Iterator<Item = &str> {
    let is_name = indicator.fields.iter().any(|field| field == "tls.sni");
    indicator
        .fields
        .iter()
        .map(String::as_str)
        .filter(move |field| !is_name || NAMES.contains(field))
}

fn text(pattern: &Pattern) -> String {
    String::from_utf8(pattern.example()).unwrap()
}

/// A text as programs send it: something stands behind what it begins with.
fn value(pattern: &Pattern) -> String {
    if matches!(pattern, Pattern::Prefix(_)) {
        format!("{}7", text(pattern))
    } else {
        text(pattern)
    }
}

/// The host's address, and the frames.
fn frames(field: &str, pattern: &Pattern, host: End, server: End) -> Option<(IpAddr, Vec<Vec<u8>>)> {
    let at = |port: u16| End { port, ..server };
    let tcp = |port: u16, words: Words| Some(stream(host, at(port), &words));
    let frames = match field {
        "dns.query" => Some(vec![datagram(host, at(53), &question(&name(pattern)))]),
        "vnc.server_version" => {
            let greeting = format!("RFB {}\n", text(pattern)).into_bytes();
            tcp(
                5900,
                vec![(Side::Server, greeting.clone()), (Side::Client, greeting)],
            )
        }
        // RFC 6143, 7.1, with security type 16 alone, then 24 octets and name and password in 24 each (kelleyk/noVNC bmc-support).
        "vnc.dialect" => {
            let half = |text: &[u8]| [text, &vec![0; 24 - text.len()]].concat();
            let greeting = b"RFB 003.008\n".to_vec();
            tcp(
                5900,
                vec![
                    (Side::Server, greeting.clone()),
                    (Side::Client, greeting),
                    (Side::Server, vec![1, 16]),
                    (Side::Client, vec![16]),
                    (Side::Server, chance(5, 24)),
                    (Side::Client, [half(b"name"), half(b"secret")].concat()),
                    (Side::Server, vec![0; 4]),
                ],
            )
        }
        "stun.software" => Some(vec![datagram(host, at(3478), &binding(&pattern.example()))]),
        "payload.to_server" | "payload.to_client" => {
            let Pattern::Bytes(bytes) = pattern else {
                return None;
            };
            let payload = bytes.example();
            let is_answer = field == "payload.to_client";
            match (bytes.transport, is_answer) {
                (Transport::Tcp, false) => tcp(44_444, vec![(Side::Client, payload)]),
                (Transport::Tcp, true) => tcp(44_444, vec![(Side::Server, payload)]),
                (Transport::Udp, false) => Some(vec![datagram(host, server, &payload)]),
                (Transport::Udp, true) => Some(vec![
                    datagram(host, server, SOMETHING),
                    datagram(server, host, &payload),
                ]),
            }
        }
        "app_proto" => samples::frames(&text(pattern), host, server),
        "tunnel" => samples::tunnel(&text(pattern), host, server),
        "ssh.reversed" | "socks.reversed" => samples::reversed(field, host, server),
        "dhcp.host_name" => Some(link::dhcp(host, value(pattern).as_bytes())),
        "mdns.host" => Some(link::mdns_host(host, &value(pattern))),
        "mdns.service" => Some(link::mdns_service(host, &text(pattern))),
        "mac.oui" => {
            let host = End {
                mac: link_address(&text(pattern)),
                ..host
            };
            Some(vec![announcement(host), datagram(host, server, SOMETHING)])
        }
        "ip.address" => return address(pattern, host, server),
        _ => {
            let web = || web(field, pattern).and_then(|words| tcp(80, words));
            in_tls(field, pattern)
                .and_then(|words| tcp(443, words))
                .or_else(web)
        }
    };
    frames.map(|frames| (host.ip, frames))
}

/// What is said in HTTP.
fn web(field: &str, pattern: &Pattern) -> Option<Words> {
    let ask = |path: &str, more: &str| {
        let head = format!("GET {path} HTTP/1.1\r\n{more}\r\n");
        (Side::Client, head.into_bytes())
    };
    let answer = |head: String| (Side::Server, head.into_bytes());
    Some(match field {
        "http.host" => vec![ask("/", &format!("Host: {}\r\n", name(pattern)))],
        "http.target_form" => vec![
            ask("http://www.example.com/", "Host: www.example.com\r\n"),
            answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ],
        "http.path" => vec![ask(&path(pattern), "Host: 192.0.2.1\r\n")],
        "http.upgrade" => vec![ask("/", &format!("Upgrade: {}\r\n", value(pattern)))],
        "http.method" => {
            let head = format!("{} / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", value(pattern));
            vec![(Side::Client, head.into_bytes())]
        }
        "http.user_agent" => vec![ask("/", &format!("User-Agent: {}\r\n", value(pattern)))],
        "http.server" => {
            let server = value(pattern);
            let head = format!("HTTP/1.1 200 OK\r\nServer: {server}\r\nContent-Length: 0\r\n\r\n");
            vec![ask("/", ""), answer(head)]
        }
        "http.title" => {
            let page = format!("<html><title>{}</title></html>", value(pattern));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len());
            vec![ask("/", ""), answer(head)]
        }
        "websocket.subprotocol" => {
            let offer = value(pattern);
            let more = format!("Upgrade: websocket\r\nSec-WebSocket-Protocol: {offer}\r\n");
            vec![ask("/", &more)]
        }
        "websocket.to_client" => {
            let payload = pattern.example();
            let length = u8::try_from(payload.len()).unwrap();
            vec![
                ask("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_owned()),
                (Side::Server, [&[0x82, length][..], &payload].concat()),
            ]
        }
        _ => return None,
    })
}

/// What is said in TLS before anything is secret.
fn in_tls(field: &str, pattern: &Pattern) -> Option<Words> {
    let hello =
        |name: Option<&[u8]>, protocol: Option<&[u8]>| (Side::Client, tls::client_hello(name, protocol));
    Some(match field {
        "tls.sni" => vec![hello(Some(name(pattern).as_bytes()), None)],
        "tls.alpn" => vec![hello(None, Some(value(pattern).as_bytes()))],
        "tls.inside" if text(pattern) == "meshcentral-agent" => {
            tls::mesh_agent(&tls::certificate("CN=desk.example", "CN=authority.example"))
        }
        "tls.certificate.subject" | "tls.certificate.issuer" => {
            let flight = tls::server_flight(&certificate(field, pattern));
            vec![hello(None, None), (Side::Server, flight)]
        }
        "tls.client_certificate.subject" | "tls.client_certificate.issuer" => {
            let plain = tls::certificate("CN=server.example", "CN=authority.example");
            let own = tls::certificate_message(&certificate(field, pattern));
            vec![
                hello(None, None),
                (Side::Server, tls::server_flight(&plain)),
                (Side::Client, own),
            ]
        }
        _ => return None,
    })
}

/// A binding request of a program that says its name (RFC 8489, 14.14).
fn binding(software: &[u8]) -> Vec<u8> {
    let padded = software.len().next_multiple_of(4);
    let length = |length: usize| u8::try_from(length).unwrap();
    let mut message = vec![0, 1, 0, length(padded + 4), 0x21, 0x12, 0xa4, 0x42];
    message.extend(1..=12);
    message.extend([0x80, 0x22, 0, length(software.len())]);
    message.extend(software);
    message.resize(24 + padded, 0);
    message
}

/// A name that the pattern fits; below a suffix, not the suffix itself, which is where web sites are.
fn name(pattern: &Pattern) -> String {
    if let Pattern::Suffix(suffix) = pattern {
        format!("edge7.{suffix}")
    } else {
        text(pattern)
    }
}

/// A path always begins with a slash.
fn path(pattern: &Pattern) -> String {
    let example = value(pattern);
    if example.starts_with('/') {
        example
    } else {
        format!("/{example}")
    }
}

/// A certificate whose subject or issuer the pattern fits.
fn certificate(field: &str, pattern: &Pattern) -> Vec<u8> {
    let own = text(pattern);
    let other = "CN=unit7.example,O=Example";
    if field.ends_with("subject") {
        tls::certificate(&own, other)
    } else {
        tls::certificate(other, &own)
    }
}

/// `04:c9:8b:1` as a whole link address, the missing digits zero.
fn link_address(prefix: &str) -> [u8; 6] {
    let digits: String = prefix.chars().filter(char::is_ascii_hexdigit).collect();
    let digits = format!("{digits:0<12}");
    let mut address = [0; 6];
    for (place, pair) in address.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *place = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    address
}

/// A datagram to the address; between two of a network of IPv6, so that one end is a host of ours.
fn address(pattern: &Pattern, host: End, server: End) -> Option<(IpAddr, Vec<Vec<u8>>)> {
    let Pattern::Network(network) = pattern else {
        return None;
    };
    let there: IpAddr = text(pattern).parse().unwrap();
    let own = match (there, host.ip) {
        (IpAddr::V4(_), own) => own,
        (IpAddr::V6(_), IpAddr::V4(number)) => {
            let [_, high, middle, low] = number.octets();
            let number = u16::from(middle) << 8 | u16::from(low);
            std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, u16::from(high), number).into()
        }
        (there, own) => panic!("{own} cannot speak with {there} of {network}"),
    };
    let host = End { ip: own, ..host };
    let server = End { ip: there, ..server };
    // An address counts in a conversation: both sides say something that nobody knows, by datagrams and in a stream.
    let words = [Side::Client, Side::Server].map(|side| (side, SOMETHING.to_vec()));
    let mut frames = vec![datagram(host, server, SOMETHING)];
    if !there.is_multicast() {
        frames.push(datagram(server, host, SOMETHING));
    }
    if there.is_ipv4() && !there.is_multicast() {
        frames.extend(stream(host, server, &words));
    }
    Some((own, frames))
}

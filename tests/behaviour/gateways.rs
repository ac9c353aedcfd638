//! Companies' gateways, where TLS ends before the capture point, and streams on the ports of tunnels that look like theirs: conversations
//! made by hand from the public descriptions.

use std::net::IpAddr;

use serde_json::Value;

use crate::catalogue::findings_of;
use crate::catalogue::wire::{End, Side, Words, chance, datagram, stream};

const SERVER: &str = "198.51.100.9";

fn end(ip: &str, port: u16) -> End {
    End {
        mac: [2, 0, 0, 0, 1, u8::try_from(ip.len()).unwrap()],
        ip: ip.parse::<IpAddr>().unwrap(),
        port,
    }
}

/// What is found of a host that had this conversation over TCP.
fn over_tcp(port: u16, words: &Words) -> Vec<Value> {
    let frames = stream(end("10.0.0.7", 40_000), end(SERVER, port), words);
    findings_of(&[frames]).into_values().flatten().collect()
}

/// The same over UDP.
fn over_udp(server: &str, port: u16, words: &Words) -> Vec<Value> {
    let (host, server) = (end("10.0.0.7", 40_000), end(server, port));
    let frames = words.iter().map(|(side, payload)| match side {
        Side::Client => datagram(host, server, payload),
        Side::Server => datagram(server, host, payload),
    });
    findings_of(&[frames.collect()]).into_values().flatten().collect()
}

/// A request, its answer, and packets of a tunnel behind them.
fn asked(request: &str, answer: &str, data: &[u8]) -> Words {
    vec![
        (Side::Client, request.as_bytes().to_vec()),
        (Side::Server, answer.as_bytes().to_vec()),
        (Side::Client, [data, &chance(1, 90)].concat()),
        (Side::Server, [data, &chance(2, 600)].concat()),
    ]
}

fn tools(findings: &[Value]) -> Vec<(&str, &str)> {
    let mut tools: Vec<(&str, &str)> = findings
        .iter()
        .map(|finding| {
            (
                finding["tool"].as_str().unwrap(),
                finding["confidence"].as_str().unwrap(),
            )
        })
        .collect();
    tools.sort_unstable();
    tools
}

#[test]
fn gateways_of_companies_are_named_by_what_their_clients_ask_for() {
    let stf = [b'S', b'T', b'F', 1, 0, 90, 0, 0];
    let conversations: [(&str, Words); 6] = [
        (
            "cisco-anyconnect",
            asked(
                "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: vpn.example\r\nX-CSTP-Version: 1\r\nX-CSTP-MTU: 1406\r\n\r\n",
                "HTTP/1.1 200 CONNECTED\r\nX-CSTP-Version: 1\r\nX-CSTP-Address: 192.0.2.7\r\n\r\n",
                &stf,
            ),
        ),
        (
            "sstp",
            asked(
                "SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\nHost: vpn.example\r\nContent-Length: \
                 18446744073709551615\r\nSSTPCORRELATIONID: {01234567-89AB-4CDE-8F01-23456789ABCD}\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n",
                &[0x10, 1, 0, 98],
            ),
        ),
        (
            "fortinet-sslvpn",
            asked(
                "GET /remote/sslvpn-tunnel HTTP/1.1\r\nHost: sslvpn\r\nCookie: SVPNCOOKIE=x\r\n\r\n",
                "",
                &[0, 96, 0x50, 0x50, 0, 90],
            ),
        ),
        (
            "globalprotect",
            asked(
                "GET /ssl-tunnel-connect.sslvpn?user=a&authcookie=b HTTP/1.1\r\nHost: vpn.example\r\n\r\n",
                "START_TUNNEL",
                &[0x1a, 0x2b, 0x3c, 0x4d, 8, 0, 0, 90, 1, 0, 0, 0, 0, 0, 0, 0],
            ),
        ),
        (
            "pulse-secure",
            asked(
                "GET / HTTP/1.1\r\nHost: vpn.example\r\nContent-Type: EAP\r\nUpgrade: IF-T/TLS 1.0\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 101 Switching Protocols\r\nContent-type: application/octet-stream\r\nUpgrade: IF-T/TLS 1.0\r\n\r\n",
                &[0, 0, 0x55, 0x97, 0, 0, 0, 1, 0, 0, 0, 106, 0, 0, 0, 0],
            ),
        ),
        (
            "zscaler",
            asked(
                "CONNECT gateway.zscalertwo.net:443 HTTP/1.1\r\nHost: gateway.zscalertwo.net:443\r\n\r\n",
                "HTTP/1.1 200 Connection established\r\n\r\n",
                &[],
            ),
        ),
    ];
    for (tool, words) in conversations {
        let findings = over_tcp(443, &words);
        let found = tools(&findings);
        assert!(found.iter().any(|(found, _)| *found == tool), "{tool}: {found:?}");
        let is_other =
            |found: &&(&str, &str)| found.0 != tool && !(tool == "zscaler" && found.0 == "http-connect");
        assert_eq!(found.iter().find(is_other), None, "{tool}");
        // Scanners ask every server for the pages of these products; who opens a tunnel asks for what only a tunnel has.
        for finding in &findings {
            assert!(
                finding["tunnel"]["bytes_in"].as_u64() > Some(0),
                "{tool}: {finding}"
            );
        }
    }
}

#[test]
fn what_only_resembles_a_gateways_requests_is_none() {
    for request in [
        "GET /sra_manual/ HTTP/1.1\r\nHost: www.example\r\n\r\n",
        "GET /remote/ HTTP/1.1\r\nHost: www.example\r\n\r\n",
        "GET /globalprotect HTTP/1.1\r\nHost: www.example\r\n\r\n",
        "GET /chat HTTP/1.1\r\nHost: www.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "POST /SSTP_DUPLEX_POST HTTP/1.1\r\nHost: www.example\r\nContent-Length: 0\r\n\r\n",
        "GET /CSCO/tunnel HTTP/1.1\r\nHost: www.example\r\n\r\n",
    ] {
        let words = asked(
            request,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            &[],
        );
        assert_eq!(tools(&over_tcp(443, &words)), [], "{request}");
    }
}

#[test]
fn esp_goes_by_globalprotects_port_too_and_warp_by_addresses_of_its_own() {
    let esp = |index: u32, number: u32| {
        [
            &index.to_be_bytes()[..],
            &number.to_be_bytes(),
            &chance(u64::from(number), 120),
        ]
        .concat()
    };
    let both = |number: u32| {
        [
            (Side::Client, esp(0x5566_0102, number)),
            (Side::Server, esp(0x7788_0304, number)),
        ]
    };
    let words: Words = (1..8).flat_map(both).collect();
    assert_eq!(tools(&over_udp(SERVER, 4501, &words)), [("ipsec-esp", "high")]);
    assert_eq!(tools(&over_udp(SERVER, 4503, &words)), []);
    // QUIC of which no name was seen: packets with short headers (RFC 9000, 17.3).
    let short = |number: u64| {
        [
            (Side::Client, [vec![0x4a], chance(number, 200)].concat()),
            (Side::Server, [vec![0x4b], chance(number + 50, 900)].concat()),
        ]
    };
    let quic: Words = (0..6).flat_map(short).collect();
    assert_eq!(
        tools(&over_udp("162.159.197.4", 443, &quic)),
        [("cloudflare-warp", "medium")]
    );
    assert_eq!(tools(&over_udp("162.159.200.4", 443, &quic)), []);
}

/// Ports on which tunnels over TCP listen.
const PORTS: [u16; 8] = [443, 655, 1080, 1194, 1723, 5000, 8388, 9001];

/// Messages behind their length in two octets, as games, DNS over TCP and OpenVPN have them, of lengths that OpenVPN's have.
fn framed(seed: u64) -> Words {
    const LENGTHS: [u16; 8] = [14, 26, 22, 42, 54, 50, 86, 98];
    let message = |place: u64, side: Side| {
        let mut body = chance(seed * 31 + place, 100);
        let length = LENGTHS[usize::from(body[1]) % LENGTHS.len()];
        // Few kinds of messages, as small numbers.
        body[0] %= 32;
        body.truncate(usize::from(length));
        (side, [&length.to_be_bytes()[..], &body].concat())
    };
    (0..6)
        .map(|place| {
            message(
                place,
                if place % 2 == 0 {
                    Side::Client
                } else {
                    Side::Server
                },
            )
        })
        .collect()
}

#[test]
fn streams_that_look_like_those_of_tunnels_are_named_as_none() {
    let name = b"\x03www\x07example\x00\x00\x01\x00\x01";
    let dns = |flags: u8| [&[0, 29, 0x12, 0x34, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], name].concat();
    let mut torrent = b"\x13BitTorrent protocol".to_vec();
    torrent.extend(chance(3, 48));
    let fixed: [(&str, Words); 7] = [
        ("DNS", vec![(Side::Client, dns(1)), (Side::Server, dns(0x81))]),
        (
            "MQTT",
            vec![
                (
                    Side::Client,
                    [&[0x10, 16, 0, 4][..], b"MQTT", &[4, 2, 0, 60, 0, 4], b"kv01"].concat(),
                ),
                (Side::Server, vec![0x20, 2, 0, 0]),
                (Side::Client, vec![0xc0, 0]),
            ],
        ),
        (
            "SMB",
            vec![
                (
                    Side::Client,
                    [&[0, 0, 0, 108, 0xfe][..], b"SMB", &[64, 0], &[0; 102]].concat(),
                ),
                (
                    Side::Server,
                    [&[0, 0, 0, 108, 0xfe][..], b"SMB", &[64, 0], &[0; 102]].concat(),
                ),
            ],
        ),
        (
            "BitTorrent",
            vec![(Side::Client, torrent.clone()), (Side::Server, torrent)],
        ),
        (
            "a protocol of types 5 and 4",
            vec![
                (Side::Client, [&[5, 1, 0][..], &chance(4, 40)].concat()),
                (Side::Server, [&[5, 0][..], &chance(5, 30)].concat()),
                (Side::Client, [&[4, 1][..], &chance(6, 40)].concat()),
                (Side::Server, [&[4, 0][..], &chance(7, 30)].concat()),
            ],
        ),
        (
            "a greeting of another server",
            vec![
                (Side::Server, b"VTUN-like server ver 1\n".to_vec()),
                (Side::Client, b"HELO a\r\n".to_vec()),
                (Side::Server, b"250 ok\r\n".to_vec()),
            ],
        ),
        (
            "a door phone's tables, encrypted from the first octet",
            vec![(Side::Client, chance(8, 180)), (Side::Server, chance(9, 260))],
        ),
    ];
    let mut all: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    let made = (0..240).map(|seed| (format!("framed {seed}"), framed(seed)));
    let fixed = fixed
        .into_iter()
        .flat_map(|one| std::iter::repeat_n(one, PORTS.len()));
    for (number, (name, words)) in
        (0_u16..).zip(fixed.map(|(name, words)| (name.to_owned(), words)).chain(made))
    {
        let host = end(&format!("10.1.{}.{}", number / 200, number % 200 + 1), 40_000);
        let port = PORTS[usize::from(number) % PORTS.len()];
        all.push((
            format!("{name} on {port}"),
            stream(host, end(SERVER, port), &words),
        ));
    }
    let frames: Vec<Vec<Vec<u8>>> = all.iter().map(|(_, frames)| frames.clone()).collect();
    let is_tunnel = |finding: &&Value| {
        matches!(
            finding["kind"].as_str(),
            Some("vpn" | "proxy" | "tor" | "reverse_tunnel")
        )
    };
    let found = findings_of(&frames);
    let wrong: Vec<String> = found
        .values()
        .flatten()
        .filter(is_tunnel)
        .map(|finding| {
            format!(
                "{} {} {}",
                finding["tool"], finding["confidence"], finding["summary"]
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        all.len(),
        wrong.join("\n")
    );
}

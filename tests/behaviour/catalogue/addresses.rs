//! What an address alone gives away: the conversation with it, and not a packet to it.

use super::proof::ends;
use super::wire::{End, Side, Words, chance, datagram, packet, stream};
use super::{findings_of, tls};

/// Ingress of Cloudflare WARP, by the provider's documentation.
const WARP: &str = "162.159.193.1";

/// The host, and an end at this address.
fn pair(number: u32, address: &str, port: u16) -> [End; 2] {
    let [host, server] = ends(number);
    let ip = address.parse().unwrap();
    [host, End { ip, port, ..server }]
}

/// The tools that these frames of one host are taken for.
fn tools(frames: Vec<Vec<u8>>) -> Vec<String> {
    let found = findings_of(&[frames]);
    let findings = found.values().flatten();
    findings
        .map(|finding| finding["tool"].as_str().unwrap().to_owned())
        .collect()
}

/// An echo of ICMP (RFC 792), 8 for a request and 0 for a reply.
fn echo(kind: u8) -> Vec<u8> {
    let checksum = 0xffff_u16 - (u16::from(kind) << 8) - 7 - 1;
    let [high, low] = checksum.to_be_bytes();
    vec![kind, 0, high, low, 0, 7, 0, 1]
}

fn talk(client: &[u8], server: &[u8]) -> Words {
    vec![(Side::Client, client.to_vec()), (Side::Server, server.to_vec())]
}

#[test]
fn a_ping_a_scan_and_another_service_on_a_tunnels_address_are_no_tunnel() {
    let [host, server] = pair(90_001, WARP, 2_408);
    let web = End { port: 443, ..server };
    let question = chance(1, 60);
    let certificate = tls::certificate("CN=shop.example", "CN=Example CA");
    let hello = tls::client_hello(Some(b"shop.example"), None);
    let cases = [
        ("a ping", vec![packet(host, server, 1, &echo(8))]),
        (
            "a ping and its answer",
            vec![
                packet(host, server, 1, &echo(8)),
                packet(server, host, 1, &echo(0)),
            ],
        ),
        ("a datagram", vec![datagram(host, server, &question)]),
        ("a port that is tried", stream(host, web, &Vec::new())),
        (
            "a page",
            stream(
                host,
                End { port: 80, ..server },
                &talk(
                    b"GET / HTTP/1.1\r\nHost: 162.159.193.1\r\n\r\n",
                    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                ),
            ),
        ),
        (
            "somebody's site",
            stream(host, web, &talk(&hello, &tls::server_flight(&certificate))),
        ),
        (
            "a call from there",
            stream(server, End { port: 443, ..host }, &talk(&question, &question)),
        ),
    ];
    for (what, frames) in cases {
        let found = tools(frames);
        assert!(
            !found.iter().any(|tool| tool == "cloudflare-warp"),
            "{what}: {found:?}"
        );
    }
    let answered = vec![
        datagram(host, server, &question),
        datagram(server, host, &chance(2, 90)),
    ];
    assert_eq!(tools(answered), ["cloudflare-warp"]);
}

#[test]
fn a_packet_into_a_mesh_and_a_port_of_a_relay_that_is_tried_are_no_session() {
    let [host, node] = pair(90_002, "fd7a:115c:a1e0::7", 22);
    let own = "fd00::9:2".parse().unwrap();
    let host = End { ip: own, ..host };
    assert_eq!(tools(vec![datagram(host, node, b"?????")]), Vec::<String>::new());
    let answered = vec![datagram(host, node, b"?????"), datagram(node, host, b"!!!!!")];
    // Both ends have addresses of ours.
    assert_eq!(tools(answered), ["tailscale"; 2]);
    let [host, relay] = pair(90_003, "204.80.128.1", 443);
    assert_eq!(tools(stream(host, relay, &Vec::new())), Vec::<String>::new());
    assert_eq!(
        tools(stream(host, relay, &talk(&chance(3, 40), &chance(4, 40)))),
        ["zerotier"]
    );
}

#[test]
fn a_router_that_asks_who_listens_to_a_group_has_no_agent() {
    // A query of IGMPv2 (RFC 2236, 2) goes to the group that it asks about.
    for group in ["239.255.102.18", "239.255.255.235"] {
        let [host, listeners] = pair(90_004, group, 0);
        let query = [
            &[0x11, 10, 0, 0][..],
            &group.parse::<std::net::Ipv4Addr>().unwrap().octets(),
        ]
        .concat();
        assert_eq!(
            tools(vec![packet(host, listeners, 2, &query)]),
            Vec::<String>::new(),
            "{group}"
        );
        assert_eq!(
            tools(vec![datagram(
                host,
                End {
                    port: 9_000,
                    ..listeners
                },
                b"?????"
            )])
            .len(),
            1,
            "{group}"
        );
    }
}

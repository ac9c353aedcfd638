//! Whole conversations of meshes and VPNs that were not recorded, packet by packet as their own documents and sources have them: each is
//! one finding of its name, and what it carries brings no second one.

use serde_json::Value;

use super::proof::ends;
use super::wire::{End, Side, Words, chance, datagram, stream};
use super::{findings_of, quic, tls};

/// What a host said to whom: a port, whether over TCP, and the words.
type Talk = (u16, bool, Words);

fn there(bytes: Vec<u8>) -> (Side, Vec<u8>) {
    (Side::Client, bytes)
}

fn back(bytes: Vec<u8>) -> (Side, Vec<u8>) {
    (Side::Server, bytes)
}

/// The findings of a host that had these conversations, each with a server of its own.
fn found(number: u32, talks: &[Talk]) -> Vec<Value> {
    let [host, server] = ends(number);
    let mut frames = Vec::new();
    for (index, (port, is_tcp, words)) in (0_u16..).zip(talks) {
        let host = End {
            port: host.port + index,
            ..host
        };
        let server = End {
            port: *port,
            ..server
        };
        if *is_tcp {
            frames.extend(stream(host, server, words));
        } else {
            frames.extend(words.iter().map(|(side, bytes)| match side {
                Side::Client => datagram(host, server, bytes),
                Side::Server => datagram(server, host, bytes),
            }));
        }
    }
    findings_of(&[frames]).into_values().flatten().collect()
}

/// Asserts that these conversations are one finding, of this tool.
fn is_only(tool: &str, number: u32, talks: &[Talk]) -> Value {
    let found = found(number, talks);
    let [finding] = found.as_slice() else {
        panic!("{tool}: {found:#?}");
    };
    assert_eq!(finding["tool"], tool, "{finding}");
    finding.clone()
}

/// The two messages of a handshake and some data (WireGuard white paper, 5.4); `reserved` are the octets behind the type, 0 by the paper.
fn wireguard(reserved: [u8; 3], seed: u64) -> Words {
    let message = |kind: u8, rest: Vec<u8>| [&[kind][..], &reserved, &rest].concat();
    let (first, second) = (chance(seed, 4), chance(seed + 1, 4));
    let mut words = vec![
        there(message(1, [first.clone(), chance(seed + 2, 140)].concat())),
        back(message(
            2,
            [second.clone(), first.clone(), chance(seed + 3, 80)].concat(),
        )),
    ];
    for counter in 0..6_u64 {
        let data = |to: &[u8], length| {
            message(
                4,
                [to, &counter.to_le_bytes(), &chance(seed + 4 + counter, length)].concat(),
            )
        };
        words.push(there(data(&second, 112)));
        words.push(back(data(&first, 1_312)));
    }
    words
}

/// A message between nodes of Tailscale that look for a path (tailscale/tailscale disco/disco.go): magic, the sender's key, a nonce, a box.
fn disco(seed: u64, sealed: usize) -> Vec<u8> {
    [&b"TS\xf0\x9f\x92\xac"[..], &chance(seed, 32 + 24 + sealed)].concat()
}

/// Records of TLS with data of this length.
fn record(seed: u64, length: usize) -> Vec<u8> {
    let head = [
        23,
        3,
        3,
        u8::try_from(length >> 8).unwrap(),
        u8::try_from(length & 0xff).unwrap(),
    ];
    [&head[..], &chance(seed, length)].concat()
}

/// A connection by TLS to a name.
fn by_tls(name: &str) -> Words {
    let certificate = tls::certificate(&format!("CN={name}"), "CN=Example CA");
    vec![
        there(tls::client_hello(Some(name.as_bytes()), None)),
        back(tls::server_flight(&certificate)),
        there(record(1, 300)),
        back(record(2, 900)),
    ]
}

#[test]
fn tailscale_with_its_relay_and_wireguard_between_nodes_is_one_finding() {
    // net/stun: a binding request with SOFTWARE "tailnode" and a fingerprint.
    let mut request = vec![0, 1, 0, 20, 0x21, 0x12, 0xa4, 0x42];
    request.extend(chance(9, 12));
    request.extend(b"\x80\x22\x00\x08tailnode\x80\x28\x00\x04");
    request.extend(chance(10, 4));
    let mut path = vec![there(disco(20, 62)), back(disco(21, 48))];
    path.extend(wireguard([0; 3], 30));
    let talks = [
        (443, true, by_tls("derp7.tailscale.com")),
        (3478, false, vec![there(request)]),
        (41_641, false, path),
    ];
    let finding = is_only("tailscale", 1, &talks);
    assert_eq!(finding["kind"], "vpn");
}

#[test]
fn an_own_relay_of_tailscale_is_told_by_its_first_frame() {
    // derp/derp.go: type 1 (the server's key), length, the magic, 32 octets; then type 2, the client's.
    let hello = [&b"\x01\x00\x00\x00\x28DERP\xf0\x9f\x94\x91"[..], &chance(11, 32)].concat();
    let answer = [&b"\x02\x00\x00\x00\x80"[..], &chance(12, 128)].concat();
    is_only("tailscale", 2, &[(3340, true, vec![back(hello), there(answer)])]);
}

/// A packet of ZeroTier (node/Packet.hpp): identifier, destination, source, flags with cipher, check; verb and what follows.
fn zerotier(destination: [u8; 5], flags: u8, rest: &[u8], seed: u64) -> Vec<u8> {
    [
        &chance(seed, 8)[..],
        &destination,
        &[0x8a, 0x2e, 0x5b, 0x90, 0x17],
        &[flags],
        &chance(seed + 1, 8),
        rest,
    ]
    .concat()
}

#[test]
fn zerotier_that_greets_its_roots_and_then_a_peer_is_one_finding() {
    // HELLO in the clear: verb, protocol version 12, version 1.10.6, time, identity, address.
    let hello = [&[0x01, 12, 1, 10, 0, 6][..], &chance(41, 104)].concat();
    let root = zerotier([0x77, 0x8c, 0xde, 0x71, 0x90], 0, &hello, 42);
    assert_eq!(root.len(), 137);
    let answer = zerotier([0x8a, 0x2e, 0x5b, 0x90, 0x17], 8, &chance(43, 90), 44);
    let peer = [0x12, 0x34, 0x56, 0x78, 0x9a];
    let frames = (50..56).flat_map(|seed| {
        [
            there(zerotier(peer, 8, &chance(seed, 900), seed)),
            back(zerotier(peer, 8, &chance(seed + 9, 120), seed)),
        ]
    });
    let mut words = vec![there(zerotier(peer, 0, &hello, 47))];
    words.extend(frames);
    let talks = [
        (9993, false, vec![there(root), back(answer)]),
        (9993, false, words),
    ];
    let finding = is_only("zerotier", 3, &talks);
    assert_eq!(finding["kind"], "vpn");
}

#[test]
fn softether_that_asks_for_its_outer_address_and_posts_its_watermark_is_one_finding() {
    let asked = vec![
        there(b"A".to_vec()),
        back(b"IP=198.51.100.77,PORT=51234\0".to_vec()),
        there(b"A".to_vec()),
        back(b"IP=198.51.100.77,PORT=51234\0".to_vec()),
    ];
    let mut post =
        b"POST /vpnsvc/connect.cgi HTTP/1.1\r\nHost: vpn.example.org\r\nContent-Type: image/jpeg\r\n\
        Content-Length: 1411\r\nConnection: Keep-Alive\r\n\r\n"
            .to_vec();
    post.extend(chance(60, 1_411));
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 24\r\n\r\n".to_vec();
    let words = vec![
        there(post),
        back([answer, chance(61, 24)].concat()),
        there(chance(62, 700)),
    ];
    is_only("softether", 4, &[(5004, false, asked), (80, true, words)]);
}

#[test]
fn nebula_that_asks_its_lighthouse_and_handshakes_is_one_finding() {
    // header/header.go: version 1 with type 0 (handshake), subtype 0, reserved, remote index, message counter.
    let message = |kind: u8, index: [u8; 4], counter: u64, seed: u64, length: usize| {
        let head = [&[0x10 | kind, 0, 0, 0][..], &index, &counter.to_be_bytes()].concat();
        [head, chance(seed, length)].concat()
    };
    let index = [0x3a, 0x91, 0x02, 0x77];
    let mut words = vec![
        there(message(0, [0; 4], 1, 70, 140)),
        back(message(0, index, 2, 71, 180)),
    ];
    for counter in 3..9 {
        words.push(there(message(1, index, counter, 72 + counter, 300)));
        words.push(back(message(1, index, counter, 90 + counter, 900)));
    }
    let finding = is_only("nebula", 5, &[(4242, false, words)]);
    assert_eq!(finding["kind"], "vpn");
}

#[test]
fn netbird_with_its_relay_and_wireguard_between_peers_is_one_finding() {
    // relay/messages: version 1, type 6 (authentication), the magic of STUN.
    let hello = [&[1, 6, 0x21, 0x12, 0xa4, 0x42][..], &chance(110, 120)].concat();
    let relay = vec![there(hello), back([&[1, 7][..], &chance(111, 40)].concat())];
    let talks = [
        (443, true, by_tls("signal.netbird.io")),
        (33_080, true, relay),
        (51_820, false, wireguard([0; 3], 112)),
    ];
    let found = found(6, &talks);
    let tools: Vec<&str> = found.iter().map(|one| one["tool"].as_str().unwrap()).collect();
    // The relay names it; a peer's WireGuard names nobody, and is a finding of its own.
    assert!(tools.contains(&"netbird"), "{found:#?}");
    assert!(
        tools.iter().all(|tool| ["netbird", "wireguard"].contains(tool)),
        "{tools:?}"
    );
}

#[test]
fn hamachi_that_logs_in_and_reaches_a_peer_is_one_finding() {
    let mut login = b"\x00\x00\x01\x60\x00\x00\x00\x00\x00\x01".to_vec();
    login.extend(chance(130, 346));
    let mut peer = vec![0; 8];
    peer.extend(chance(131, 4));
    peer.extend([0; 8]);
    peer.extend(chance(132, 56));
    let talks = [
        (12_975, true, vec![there(login), back(chance(133, 200))]),
        (17_771, false, vec![there(peer.clone()), back(peer)]),
    ];
    let finding = is_only("hamachi", 7, &talks);
    assert_eq!(finding["kind"], "vpn");
}

#[test]
fn radmin_vpn_is_told_by_the_name_that_it_calls() {
    let finding = is_only("radmin-vpn", 8, &[(443, true, by_tls("vpn.radmin-vpn.com"))]);
    assert_eq!(finding["kind"], "vpn");
}

#[test]
fn sstp_behind_what_ends_its_tls_is_one_finding() {
    // MS-SSTP 3.2.4.1 and 2.2.9: the request, its answer, and a call connect request with the encapsulated protocol PPP.
    let request = b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n\
        SSTPCORRELATIONID: {0A5D4D52-7C0A-4E4B-8E4D-2B0D5E7B3C11}\r\nContent-Length: 18446744073709551615\r\n\
        Host: vpn.example.org\r\n\r\n";
    let answer =
        b"HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n";
    let call = b"\x10\x01\x00\x0e\x00\x01\x00\x01\x00\x01\x00\x06\x00\x01";
    let words = vec![
        there(request.to_vec()),
        back(answer.to_vec()),
        there(call.to_vec()),
        back(
            [
                &b"\x10\x01\x00\x30\x00\x02\x00\x01\x00\x04\x00\x28\x00\x00\x00\x02"[..],
                &chance(140, 32),
            ]
            .concat(),
        ),
    ];
    let finding = is_only("sstp", 9, &[(8080, true, words)]);
    assert_eq!(finding["kind"], "vpn");
}

#[test]
fn warp_is_told_by_its_log_in_by_its_own_wireguard_and_by_the_name_of_masque() {
    let by_name = (443, true, by_tls("api.cloudflareclient.com"));
    let mut words = vec![there([&[0xc1, 0, 0, 0][..], &chance(150, 190)].concat())];
    words.push(back([&[0xc2, 1, 2, 3][..], &chance(151, 774)].concat()));
    words.extend((0..4).map(|seed| there([&[0xc4, 1, 2, 3][..], &chance(152 + seed, 301)].concat())));
    is_only("cloudflare-warp", 10, &[by_name, (2408, false, words)]);
    let masque = quic::initial("consumer-masque.cloudflareclient.com");
    let finding = is_only("cloudflare-warp", 11, &[(443, false, vec![there(masque)])]);
    assert_eq!(finding["kind"], "vpn");
}

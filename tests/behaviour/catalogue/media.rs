//! Whom WebRTC's pictures go to, from hand-made packets: STUN checks of ICE, and a relay that is told the peer (TURN).

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;

use super::tls;
use super::wire::{End, ROUTER, Side, datagram, stream};
use crate::program::{every_record, finish};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const OPERATOR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const RELAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 40);

fn end(ip: Ipv4Addr, port: u16) -> End {
    let mac = if ip.is_private() {
        [2, 0, 0x5e, 0, 0x77, 0x21]
    } else {
        ROUTER
    };
    End {
        mac,
        ip: ip.into(),
        port,
    }
}

fn laptop(port: u16) -> End {
    end(Ipv4Addr::new(192, 168, 77, 21), port)
}

/// A STUN message (RFC 8489, 5) of these attributes.
fn message(kind: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in attributes {
        body.extend(name.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&kind.to_be_bytes()[..], &length, &COOKIE, b"transaction!", &body].concat()
}

/// A masked address (RFC 8489, 14.2).
fn masked(ip: Ipv4Addr, port: u16) -> Vec<u8> {
    let port = port ^ 0x2112;
    let octets: Vec<u8> = ip.octets().iter().zip(COOKIE).map(|(a, b)| a ^ b).collect();
    [&[0, 1][..], &port.to_be_bytes(), &octets].concat()
}

/// Two minutes of a picture, one large datagram after the other, and a report of the viewer each second. `wrap` puts both into what carries them.
fn picture(from: End, to: End, wrap: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<(u64, Vec<u8>)> {
    let mut frames = Vec::new();
    for tick in 0..1_200_u64 {
        let at = 6_000 + tick * 100;
        // RTP and RTCP (RFC 3550), encrypted.
        frames.push((
            at,
            datagram(from, to, &wrap([&[0x80, 0x60][..], &[0x5a; 1_000]].concat())),
        ));
        if tick % 10 == 0 {
            frames.push((
                at + 20,
                datagram(to, from, &wrap([&[0x81, 0xc9][..], &[0x5a; 60]].concat())),
            ));
        }
    }
    frames
}

/// What gives the tool away: its name in a hello; and an offer and its answer, of kilobytes as they are.
fn named() -> Vec<(u64, Vec<u8>)> {
    let hello = tls::client_hello(Some(b"remotedesktop-pa.googleapis.com"), None);
    let offer = || [&[0x17, 3, 3, 4, 0][..], &[0x5a; 1_024]].concat();
    let words = [
        (Side::Client, hello),
        (Side::Server, offer()),
        (Side::Client, offer()),
        (Side::Server, offer()),
    ];
    let server = end(Ipv4Addr::new(192, 0, 2, 80), 443);
    let frames = stream(laptop(40_001), server, &words);
    (1_000..).step_by(20).zip(frames).collect()
}

/// The finding about the laptop in a capture of these frames, at these milliseconds.
fn finding(mut frames: Vec<(u64, Vec<u8>)>) -> Value {
    frames.extend(named());
    frames.sort();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("media.pcap");
    write(&path, &frames);
    let run = finish(every_record().args(["-n", "192.168.77.0/24"]).arg(&path));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut findings = run.of("finding");
    findings.retain(|finding| finding["tool"] == "chrome-remote-desktop");
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

fn write(path: &Path, frames: &[(u64, Vec<u8>)]) {
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(field.to_le_bytes());
    }
    for (at, frame) in frames {
        let length = u32::try_from(frame.len()).unwrap();
        let seconds = 1_700_000_000 + u32::try_from(at / 1_000).unwrap();
        let micros = u32::try_from(at % 1_000 * 1_000).unwrap();
        for field in [seconds, micros, length, length] {
            file.extend(field.to_le_bytes());
        }
        file.extend(frame);
    }
    fs::write(path, file).unwrap();
}

#[test]
fn who_is_checked_by_ice_and_gets_the_picture_is_the_controller() {
    let (host, other) = (laptop(50_001), end(OPERATOR, 50_002));
    let username = (0x0006, b"aB3d:Zx9w".to_vec());
    let mut frames = picture(host, other, |datagram| datagram);
    frames.push((5_000, datagram(host, other, &message(0x0001, &[username]))));
    let answer = message(0x0101, &[(0x0020, masked(Ipv4Addr::new(203, 0, 113, 7), 50_001))]);
    frames.push((5_040, datagram(other, host, &answer)));
    let finding = finding(frames);
    assert_eq!(
        finding["controller"]["address"],
        OPERATOR.to_string(),
        "{finding}"
    );
    assert_eq!(finding["controller"]["how"], "stun_peer");
    assert_eq!(finding["role"], "controlled");
    assert_eq!(finding["activity"], "viewed", "{}", finding["intervals"]);
}

#[test]
fn the_peer_that_a_relay_is_told_is_the_controller_and_the_relay_is_not() {
    let (host, relay) = (laptop(50_001), end(RELAY, 3_478));
    let peer = |ip| vec![(0x0012, masked(ip, 50_002))];
    let inside = Ipv4Addr::new(10, 0, 0, 5);
    let bound = [peer(OPERATOR), vec![(0x000c, vec![0x40, 0, 0, 0])]].concat();
    let channel = |payload: Vec<u8>| {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0x40, 0][..], &length, &payload].concat()
    };
    let mut frames = picture(host, relay, channel);
    // Allocate and its success, CreatePermission for an inside address and for an outside one, ChannelBind (RFC 8656, 14 and 18).
    for (at, kind, attributes) in [
        (4_000, 0x0003, vec![(0x0019, vec![17, 0, 0, 0])]),
        (4_100, 0x0008, peer(OPERATOR)),
        (4_200, 0x0008, peer(inside)),
        (4_300, 0x0009, bound),
    ] {
        frames.push((at, datagram(host, relay, &message(kind, &attributes))));
    }
    let given = message(0x0103, &[(0x0016, masked(RELAY, 49_152))]);
    frames.push((4_040, datagram(relay, host, &given)));
    let finding = finding(frames);
    assert_eq!(
        finding["controller"]["address"],
        OPERATOR.to_string(),
        "{finding}"
    );
    assert_eq!(finding["controller"]["how"], "turn_peer");
    assert_eq!(finding["role"], "controlled");
}

//! What looks like a tunnel and is none: TLS on a tunnel's port, DTLS, QUIC, STUN, RTP, uTP and games are named as no tunnel, neither
//! made here and put on the ports of tunnels, nor in real captures.

use serde_json::Value;

use super::proof::ends;
use super::wire::{End, Side, chance, datagram, stream};
use super::{findings_of, tls};
use crate::program::{every_record_of, labelled_captures, two_at_a_time};

/// Kinds of findings that speak of tunnels and proxies.
const TUNNELS: [&str; 4] = ["vpn", "proxy", "tor", "reverse_tunnel"];

/// Ports on which tunnels listen.
const UDP_PORTS: [u16; 16] = [
    443, 500, 655, 1194, 1701, 2408, 4242, 4500, 5004, 7654, 8388, 9993, 10_000, 17_771, 41_641, 51_820,
];
const TCP_PORTS: [u16; 14] = [
    443, 655, 1080, 1194, 1723, 5000, 7000, 8388, 9001, 9050, 10_443, 12_975, 22_225, 33_073,
];

/// Labels of captures that hold look-alikes.
const LABELS: [&str; 9] = [
    "proto:dtls",
    "proto:quic",
    "proto:gquic",
    "proto:stun",
    "proto:rtp",
    "proto:rtcp",
    "proto:sip",
    "proto:bittorrent",
    "app:BitTorrent",
];

/// How labels of calls and games begin.
const PROGRAMS: [&str; 34] = [
    "app:Starcraft",
    "app:RakNet",
    "app:Yojimbo",
    "app:WorldOfWarcraft",
    "app:TencentGames",
    "app:TES_Online",
    "app:Steam",
    "app:TocaBoca",
    "app:Zoom",
    "app:Discord",
    "app:WhatsAppCall",
    "app:GoogleCall",
    "app:FacebookVoip",
    "app:SignalVoip",
    "app:TelegramVoip",
    "app:SnapchatCall",
    "app:GoogleMeet",
    "app:Webex",
    "app:Skype",
    "app:Teams",
    "app:SRTP",
    "app:RTSP",
    "app:RTMP",
    "app:Roblox",
    "app:RiotGames",
    "app:PathofExile",
    "app:MapleStory",
    "app:LoLWildRift",
    "app:HalfLife2",
    "app:GaijinEntertainment",
    "app:EpicGames",
    "app:ElectronicArts",
    "app:CryNetwork",
    "app:Syncthing",
];

/// Captures with TLS on ports that are not registered for it.
const ODD_TLS: [&str; 15] = [
    "j4-tls3.pcapng",
    "nd-alexa-app.pcapng",
    "nd-gnutella.pcap",
    "nd-kakaotalk-chat.pcap",
    "nd-pgsql2.pcapng",
    "nd-sonos.pcapng",
    "nd-zoom.pcapng",
    "re-tls-ciphers.pcap",
    "zk-cve-2015-3194.pcap",
    "zk-gap-recovery.pcap",
    "zk-globus-url-copy.pcap",
    "zk-globus-url-copy-bad-encoding.pcap",
    "zk-psql-aws-ssl-require-15432.pcap",
    "zk-tls-fragmented-handshake.pcap",
    "zk-xmpp-dialback-starttls.pcap",
];

/// Captures of that kind in which a tunnel is named rightly, although their labels do not speak of it.
const NAMED: [(&str, &str); 1] = [("me-quic-init-capture2.pcap", "icloud-private-relay")];

fn is_tunnel(finding: &Value) -> bool {
    TUNNELS.iter().any(|kind| finding["kind"] == *kind)
}

/// A hello of DTLS 1.2 and the server's demand for a cookie (RFC 6347, 4.2), then records of data.
fn dtls() -> Vec<(Side, Vec<u8>)> {
    let record = |kind: u8, epoch: u8, number: u8, body: &[u8]| {
        let mut bytes = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number];
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    };
    let mut hello = vec![1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 0xfe, 0xfd];
    hello.extend(chance(7, 32));
    hello.extend([0, 0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0, 0, 4, 0, 23]);
    let mut verify = vec![3, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 23, 0xfe, 0xfd, 20];
    verify.extend(chance(8, 20));
    vec![
        (Side::Client, record(22, 0, 0, &hello)),
        (Side::Server, record(22, 0, 0, &verify)),
        (Side::Client, record(23, 1, 0, &chance(9, 148))),
        (Side::Server, record(23, 1, 0, &chance(10, 92))),
        (Side::Client, record(23, 1, 1, &chance(11, 64))),
    ]
}

/// An Initial of QUIC version 1 whose content is chance, an answer, and packets with short headers (RFC 9000, 17).
fn quic() -> Vec<(Side, Vec<u8>)> {
    let initial = |seed: u64| {
        let mut bytes = vec![0xc3, 0, 0, 0, 1, 8];
        bytes.extend(chance(seed, 8));
        bytes.extend([0, 0, 0x44, 0x9e]);
        bytes.extend(chance(seed + 1, 1_182));
        bytes
    };
    let short = |seed: u64, length: usize| [vec![0x4a], chance(seed, length)].concat();
    vec![
        (Side::Client, initial(20)),
        (Side::Server, initial(30)),
        (Side::Client, short(40, 147)),
        (Side::Server, short(41, 1_200)),
        (Side::Client, short(42, 31)),
    ]
}

/// Binding requests and their answers (RFC 5389, 6).
fn stun() -> Vec<(Side, Vec<u8>)> {
    let head = |kind: [u8; 2], length: u8| {
        let fixed = [kind[0], kind[1], 0, length, 0x21, 0x12, 0xa4, 0x42];
        [fixed.to_vec(), chance(50, 12)].concat()
    };
    let mapped = [0, 0x20, 0, 8, 0, 1, 0x11, 0x22, 0xe1, 0x12, 0xa6, 0x43];
    vec![
        (Side::Client, head([0, 1], 0)),
        (Side::Server, [head([1, 1], 12), mapped.to_vec()].concat()),
    ]
}

/// A call: sound both ways, twenty octets of header and sound (RFC 3550, 5.1).
fn rtp() -> Vec<(Side, Vec<u8>)> {
    let packet = |number: u16, source: u8| {
        let mut bytes = vec![0x80, 0];
        bytes.extend(number.to_be_bytes());
        bytes.extend((u32::from(number) * 160).to_be_bytes());
        bytes.extend([source; 4]);
        bytes.extend(chance(u64::from(number) + 60, 160));
        bytes
    };
    (0..12)
        .flat_map(|number| {
            [
                (Side::Client, packet(number, 7)),
                (Side::Server, packet(number, 9)),
            ]
        })
        .collect()
}

/// The beginning of a connection of uTP (BEP 29): its data begin with the octet of a handshake of WireGuard.
fn utp() -> Vec<(Side, Vec<u8>)> {
    let packet = |kind: u8, number: u8, length: usize| {
        let mut bytes = vec![kind, 0, 0x41, 0x0d, 0, 0, 1, number];
        bytes.extend([0, 0, 0, 9, 0, 16, 0, 0, 0, number, 0, 3]);
        bytes.extend(chance(u64::from(number) + 80, length));
        bytes
    };
    vec![
        (Side::Client, packet(0x41, 1, 0)),
        (Side::Server, packet(0x21, 2, 0)),
        (Side::Client, packet(1, 3, 128)),
        (Side::Server, packet(1, 4, 72)),
        (Side::Client, packet(1, 5, 12)),
        (Side::Server, packet(1, 6, 1_300)),
    ]
}

/// A game that asks for servers in the manner of Valve's, and one that connects in the manner of RakNet.
fn games() -> Vec<(Side, Vec<u8>)> {
    let magic = [
        0, 0xff, 0xff, 0, 0xfe, 0xfe, 0xfe, 0xfe, 0xfd, 0xfd, 0xfd, 0xfd, 0x12, 0x34, 0x56, 0x78,
    ];
    vec![
        (Side::Client, b"\xff\xff\xff\xffTSource Engine Query\0".to_vec()),
        (
            Side::Server,
            [b"\xff\xff\xff\xffI".to_vec(), chance(90, 80)].concat(),
        ),
        (Side::Client, [&[5][..], &magic, &[10], &[0; 1_400]].concat()),
        (Side::Server, [&[6][..], &magic, &chance(91, 11)].concat()),
        (Side::Client, [vec![0x84, 0, 0, 0, 0x40], chance(92, 27)].concat()),
    ]
}

/// A page over TLS, by its name.
fn web() -> Vec<(Side, Vec<u8>)> {
    let record = |seed: u64, length: usize| {
        let bytes = chance(seed, length);
        [
            &[23, 3, 3][..],
            &u16::try_from(length).unwrap().to_be_bytes(),
            &bytes,
        ]
        .concat()
    };
    vec![
        (
            Side::Client,
            tls::client_hello(Some(b"www.example.org"), Some(b"http/1.1")),
        ),
        (
            Side::Server,
            tls::server_flight(&tls::certificate("CN=www.example.org", "CN=Example CA")),
        ),
        (Side::Client, record(100, 420)),
        (Side::Server, record(101, 4_000)),
    ]
}

/// Datagrams of a conversation.
fn datagrams(host: End, server: End, words: &[(Side, Vec<u8>)]) -> Vec<Vec<u8>> {
    let frame = |(side, bytes): &(Side, Vec<u8>)| match side {
        Side::Client => datagram(host, server, bytes),
        Side::Server => datagram(server, host, bytes),
    };
    words.iter().map(frame).collect()
}

#[test]
fn what_is_no_tunnel_is_named_as_none_on_any_tunnels_port() {
    let over_udp = [dtls(), quic(), stun(), rtp(), utp(), games()];
    let mut conversations = Vec::new();
    let mut number = 0;
    let mut pair = |port: u16| {
        number += 1;
        let [host, server] = ends(number);
        (host, End { port, ..server })
    };
    for port in UDP_PORTS {
        for words in &over_udp {
            let (host, server) = pair(port);
            conversations.push(datagrams(host, server, words));
        }
    }
    for port in TCP_PORTS {
        let (host, server) = pair(port);
        conversations.push(stream(host, server, &web()));
    }
    let findings = findings_of(&conversations);
    let tunnels: Vec<&Value> = findings.values().flatten().filter(|one| is_tunnel(one)).collect();
    assert!(tunnels.is_empty(), "{tunnels:#?}");
}

#[test]
fn in_real_captures_of_calls_games_and_the_web_no_tunnel_is_named() {
    let Some(mut captures) = labelled_captures() else {
        return;
    };
    captures.retain(|capture| {
        let is_program = |label: &String| PROGRAMS.iter().any(|program| label.starts_with(program));
        capture.has("none")
            && (LABELS.iter().any(|label| capture.has(label))
                || capture.labels.iter().any(is_program)
                || ODD_TLS.contains(&capture.name.as_str()))
    });
    let odd = captures
        .iter()
        .filter(|capture| ODD_TLS.contains(&capture.name.as_str()));
    assert_eq!(odd.count(), ODD_TLS.len());
    assert!(captures.len() > 120, "only {} captures", captures.len());
    let wrong = two_at_a_time(&captures, |capture| {
        let findings = every_record_of(&capture.path).of("finding");
        let is_right = |finding: &Value| {
            NAMED
                .iter()
                .any(|(name, tool)| *name == capture.name && finding["tool"] == *tool)
        };
        let wrong: Vec<String> = findings
            .iter()
            .filter(|finding| is_tunnel(finding) && !is_right(finding))
            .map(|finding| format!("{}: {}", capture.name, finding["summary"]))
            .collect();
        wrong
    });
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

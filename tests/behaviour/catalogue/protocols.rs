//! Protocols one by one: conversations by hand from each protocol's own document, in both directions, and which tool and which role the
//! program makes of them.

use std::fs::File;
use std::io::BufWriter;

use farmhawk::capture::writer::PcapWriter;
use farmhawk::model::frame::LinkType;
use farmhawk::model::time::{SECOND, Timestamp};
use serde_json::Value;

use super::proof::ends;
use super::wire::{End, Side, Words, datagram, stream};
use crate::program::{farmhawk, finish};

/// A conversation of a client with a server's port.
struct Conversation {
    name: &'static str,
    tool: &'static str,
    port: u16,
    said: Said,
    /// Role of the host when it calls, and when it is called.
    roles: [&'static str; 2],
}

enum Said {
    Stream(Words),
    Datagrams(Vec<(Side, Vec<u8>)>),
}

use Side::{Client, Server};

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// With zeros behind, so many octets.
fn filled(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(length, 0);
    bytes
}

/// MS-RDPEUDP 2.2.2: FEC header, SYN data, correlation identifier, extension with version 3 and the hash of the cookie.
fn rdp_over_udp() -> Vec<(Side, Vec<u8>)> {
    let path = [0x04, 0xd0, 0x04, 0xd0];
    let ask = [
        &[0xff, 0xff, 0xff, 0xff, 0, 0x40, 0x18, 1, 1, 2, 3, 4][..],
        &path,
        &[0xc1; 16],
        &[0; 16],
        &[0, 1, 1, 1],
        &[0xab; 32],
    ]
    .concat();
    let answer = [
        &[1, 2, 3, 4, 0, 0x40, 0x10, 5, 5, 6, 7, 8][..],
        &path,
        &[0, 1, 1, 1],
    ]
    .concat();
    vec![(Client, filled(&ask, 1_232)), (Server, filled(&answer, 1_232))]
}

/// MS-TSGU 2.2.3 over HTTP: the request that a WebSocket is made of (RFC 6455, 4).
fn gateway_websocket() -> Words {
    vec![
        (
            Client,
            text(
                "RDG_OUT_DATA /remoteDesktopGateway/ HTTP/1.1\r\nHost: gateway.example\r\nRDG-Connection-Id: {00000000-0000-0000-0000-000000000007}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            ),
        ),
        (
            Server,
            text("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        ),
    ]
}

/// A request of a gateway that is not upgraded, and the beginning of an answer without end.
fn gateway_request(line: &str) -> Words {
    vec![
        (
            Client,
            format!("{line} HTTP/1.1\r\nHost: gateway.example\r\nContent-Length: 0\r\n\r\n").into_bytes(),
        ),
        (Server, text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    ]
}

/// RFC 6143, 7.1: both versions, security types on offer, the one that is chosen.
fn rfb(server: Side, types: &[u8], chosen: u8) -> Words {
    let viewer = if server == Server { Client } else { Server };
    let offer = [&[u8::try_from(types.len()).unwrap()][..], types].concat();
    vec![
        (server, text("RFB 003.008\n")),
        (viewer, text("RFB 003.008\n")),
        (server, offer),
        (viewer, vec![chosen]),
    ]
}

const IDENTIFIER: &[u8] = b"ID:4711";

/// UltraVNC's repeater greets a viewer with version 0.0, takes an identifier of 250 octets, and passes on.
fn repeater_viewer() -> Words {
    let greeting = [(Server, text("RFB 000.000\n")), (Client, filled(IDENTIFIER, 250))];
    greeting.into_iter().chain(rfb(Server, &[2], 2)).collect()
}

/// In mode 2 the server of RFB calls the repeater, says the same identifier, and waits.
fn repeater_server() -> Words {
    let greeting = [(Client, filled(IDENTIFIER, 250))];
    greeting.into_iter().chain(rfb(Client, &[2], 2)).collect()
}

/// Moonlight's first request (moonlight-common-c, RtspConnection.c); RTSP is RFC 2326.
fn moonlight() -> Words {
    vec![
        (
            Client,
            text(
                "OPTIONS rtsp://192.168.123.123:48010 RTSP/1.0\r\nCSeq: 1\r\nX-GS-ClientVersion: 14\r\nHost: 192.168.123.123\r\n\r\n",
            ),
        ),
        (Server, text("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")),
    ]
}

/// Who calls controls, who is called is controlled.
const BOTH: [&str; 2] = ["controller", "controlled"];

const fn of(
    name: &'static str,
    tool: &'static str,
    port: u16,
    said: Said,
    roles: [&'static str; 2],
) -> Conversation {
    Conversation {
        name,
        tool,
        port,
        said,
        roles,
    }
}

/// RDP in its forms.
fn windows_desktops() -> Vec<Conversation> {
    vec![
        of(
            "RDP over UDP, version 3",
            "rdp",
            3_389,
            Said::Datagrams(rdp_over_udp()),
            BOTH,
        ),
        of(
            "RD Gateway, WebSocket",
            "rdp-webaccess",
            80,
            Said::Stream(gateway_websocket()),
            BOTH,
        ),
        of(
            "RD Gateway, out",
            "rdp-webaccess",
            80,
            Said::Stream(gateway_request("RDG_OUT_DATA /remoteDesktopGateway/")),
            BOTH,
        ),
        of(
            "RD Gateway, in",
            "rdp-webaccess",
            80,
            Said::Stream(gateway_request("RDG_IN_DATA /remoteDesktopGateway/")),
            BOTH,
        ),
        of(
            "RD Gateway, RPC",
            "rdp-webaccess",
            80,
            Said::Stream(gateway_request("RPC_IN_DATA /rpc/rpcproxy.dll?localhost:3388")),
            BOTH,
        ),
    ]
}

/// VNC in its forms, and X11's log-in.
fn open_protocols() -> Vec<Conversation> {
    vec![
        of(
            "TightVNC",
            "vnc",
            5_900,
            Said::Stream(rfb(Server, &[2, 16], 16)),
            BOTH,
        ),
        of(
            "repeater, viewer",
            "vnc",
            5_901,
            Said::Stream(repeater_viewer()),
            BOTH,
        ),
        of(
            "repeater, server",
            "vnc",
            5_500,
            Said::Stream(repeater_server()),
            ["controlled", "controller"],
        ),
        of(
            "Apple Remote Desktop",
            "apple-remote-desktop",
            3_283,
            Said::Datagrams(vec![
                (Client, vec![0, 0x14, 0, 1, 3]),
                (Server, filled(&[0, 1, 3, 0xea, 0, 0x31], 1_006)),
            ]),
            BOTH,
        ),
        // X Display Manager Control Protocol, packets: Query without authentication names, Willing.
        of(
            "XDMCP",
            "xdmcp",
            177,
            Said::Datagrams(vec![
                (Client, vec![0, 1, 0, 2, 0, 1, 0]),
                (Server, vec![0, 1, 0, 5, 0, 6, 0, 0, 0, 0, 0, 0]),
            ]),
            BOTH,
        ),
    ]
}

/// Packets of ESP behind four octets (dissect/pcoip.rs).
fn pcoip() -> Vec<(Side, Vec<u8>)> {
    let packet = |index: u8, sequence: u8| filled(&[0, 0, 0, 0, 0xc0, 0, 0, index, 0, 0, 0, sequence], 60);
    vec![
        (Client, packet(1, 1)),
        (Server, packet(2, 1)),
        (Client, packet(1, 2)),
    ]
}

/// Desktops of a data centre.
fn virtual_desktops() -> Vec<Conversation> {
    vec![
        of(
            "PCoIP, broker",
            "pcoip",
            80,
            Said::Stream(gateway_request("POST /pcoip-broker/xml")),
            BOTH,
        ),
        of("PCoIP", "pcoip", 4_172, Said::Datagrams(pcoip()), BOTH),
        of(
            "Raritan",
            "raritan",
            443,
            Said::Stream(vec![
                (Client, text("e-RIC AUTH=")),
                (Server, text("e-RIC RFB 01.29\n")),
            ]),
            BOTH,
        ),
        of(
            "Blast, broker",
            "vmware-blast",
            80,
            Said::Stream(gateway_request("POST /broker/xml")),
            BOTH,
        ),
        of(
            "Citrix ICA",
            "citrix-ica",
            1_494,
            Said::Stream(vec![
                (Server, b"\x7f\x7fICA\0".to_vec()),
                (Client, b"\x7f\x7fICA\0".to_vec()),
            ]),
            BOTH,
        ),
        of(
            "Citrix CGP",
            "citrix-ica",
            2_598,
            Said::Stream(vec![
                (Client, b"\x1aCGP/01\0\0".to_vec()),
                (Server, b"\x1aCGP/01\0\0".to_vec()),
            ]),
            BOTH,
        ),
    ]
}

/// Products with protocols of their own.
fn products() -> Vec<Conversation> {
    vec![
        of(
            "DameWare",
            "dameware",
            6_129,
            Said::Stream(vec![
                (Server, filled(&[0x30, 0x11], 40)),
                (Client, filled(&[0x30, 0x11], 40)),
            ]),
            BOTH,
        ),
        of(
            "Radmin",
            "radmin",
            4_899,
            Said::Stream(vec![
                (Client, vec![1, 0, 0, 0, 1, 0, 0, 0, 8, 8]),
                (
                    Server,
                    filled(&[1, 0, 0, 0, 0x25, 0, 0, 2, 0x12, 8, 2, 0, 0, 10], 46),
                ),
            ]),
            BOTH,
        ),
        of(
            "Moonlight",
            "sunshine-moonlight",
            48_010,
            Said::Stream(moonlight()),
            BOTH,
        ),
        of(
            "NetSupport Manager",
            "netsupport-manager",
            443,
            Said::Stream(vec![
                (
                    Client,
                    text(
                        "POST /fakeurl.htm HTTP/1.1\r\nUser-Agent: NetSupport Manager/1.3\r\nContent-Length: 0\r\nHost: 203.0.113.9\r\n\r\n",
                    ),
                ),
                (
                    Server,
                    text(
                        "HTTP/1.1 200 OK\r\nServer: NetSupport Gateway/1.6 (Windows NT)\r\nContent-Length: 0\r\n\r\n",
                    ),
                ),
            ]),
            ["agent", "agent"],
        ),
        of(
            "Ammyy Admin, router",
            "ammyy-admin",
            80,
            Said::Stream(vec![
                (
                    Client,
                    text("POST / HTTP/1.1\r\nHost: rl.ammyy.com\r\nContent-Length: 0\r\n\r\n"),
                ),
                (Server, text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
            ]),
            ["agent", "agent"],
        ),
    ]
}

fn conversations() -> impl Iterator<Item = Conversation> {
    windows_desktops()
        .into_iter()
        .chain(open_protocols())
        .chain(virtual_desktops())
        .chain(products())
}

/// Writes frames a millisecond apart, analyses them with 10.0.0.0/8 as ours, and gives the findings.
fn findings(frames: &[(i64, Vec<u8>)]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.pcap");
    let mut out = PcapWriter::new(BufWriter::new(File::create(&path).unwrap()), LinkType(1), false).unwrap();
    for (millisecond, frame) in frames {
        let at = Timestamp(1_750_000_000 * SECOND + millisecond * SECOND / 1_000);
        out.frame(at, frame, u32::try_from(frame.len()).unwrap()).unwrap();
    }
    drop(out);
    let run = finish(
        farmhawk()
            .args(["analyze", "--format", "jsonl", "--all", "-n", "10.0.0.0/8"])
            .arg(&path),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.of("finding")
}

fn frames(said: &Said, client: End, server: End) -> Vec<Vec<u8>> {
    match said {
        Said::Stream(words) => stream(client, server, words),
        Said::Datagrams(list) => list
            .iter()
            .map(|(side, bytes)| match side {
                Client => datagram(client, server, bytes),
                Server => datagram(server, client, bytes),
            })
            .collect(),
    }
}

#[test]
fn each_protocol_is_named_with_its_role_in_both_directions() {
    let mut all = Vec::new();
    let mut wanted = Vec::new();
    for (number, one) in (0_u32..).zip(conversations()) {
        for (place, role) in (0_u32..).zip(one.roles) {
            let [host, other] = ends(40_000 + number * 2 + place);
            let (client, server) = if place == 0 { (host, other) } else { (other, host) };
            let client = End {
                port: 40_001,
                ..client
            };
            let server = End {
                port: one.port,
                ..server
            };
            all.extend(frames(&one.said, client, server));
            wanted.push((one.name, one.tool, role, host.ip.to_string()));
        }
    }
    let timed: Vec<(i64, Vec<u8>)> = (0..).zip(all).collect();
    let found = findings(&timed);
    let mut wrong = Vec::new();
    for (name, tool, role, host) in wanted {
        let own: Vec<(&str, &str)> = found
            .iter()
            .filter(|finding| finding["host_ip"] == host.as_str())
            .map(|finding| {
                (
                    finding["tool"].as_str().unwrap(),
                    finding["role"].as_str().unwrap(),
                )
            })
            .collect();
        if own != [(tool, role)] {
            wrong.push(format!("{name}: {tool} {role} wanted, {own:?} found"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A way that TeamViewer opens straight between the two parties (nDPI teamviewer.pcap), with a screen one way and a hand the other.
fn teamviewer(host_shows: bool) -> Vec<(i64, Vec<u8>)> {
    let [host, other] = ends(50_000 + u32::from(host_shows));
    let [host, other] = [host, other].map(|end| End { port: 36_037, ..end });
    let punch = |address: std::net::IpAddr| {
        let mut bytes = vec![0; 10];
        bytes.extend([3, 0x17, 0x24, 0x47, 0x50, 0, 5, 0, 0, 0]);
        bytes.extend(filled(&[], 7));
        bytes.extend(address.to_string().bytes());
        filled(&bytes, 96)
    };
    let mut frames = vec![
        (0, datagram(host, other, &punch(other.ip))),
        (40, datagram(other, host, &punch(other.ip))),
    ];
    let (shows, drives) = if host_shows { (host, other) } else { (other, host) };
    let data = |length: usize| {
        let mut bytes = vec![0; 10];
        bytes.extend([3, 0x17, 0x24, 0x73]);
        filled(&bytes, length)
    };
    for tenth in 0..600 {
        let at = 1_000 + tenth * 100;
        for event in 0..4 {
            frames.push((at + event * 8, datagram(drives, shows, &data(48))));
        }
        for picture in 0..3 {
            frames.push((at + 50 + picture, datagram(shows, drives, &data(1_100))));
        }
    }
    frames
}

#[test]
fn the_other_party_of_teamviewer_over_udp_is_the_controller_of_who_is_controlled() {
    for (host_shows, role, controller) in [(true, "controlled", true), (false, "controller", false)] {
        let found = findings(&teamviewer(host_shows));
        let [finding] = found.as_slice() else {
            panic!("{found:#?}");
        };
        assert_eq!(finding["tool"], "teamviewer");
        assert_eq!(finding["role"], role);
        assert_eq!(
            finding["controller"]["how"] == "teamviewer_hole_punch",
            controller,
            "{finding}"
        );
        if controller {
            assert_eq!(finding["controller"]["address"], finding["peer"]);
        }
    }
}

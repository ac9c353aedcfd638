//! The smallest conversation by which each dissector that the catalogue relies on recognises its protocol, made by hand
//! from the protocol's own document.

use super::wire::{End, Side, Words, datagram, packet, stream};

/// Octets that look like chance and are not.
fn mixed(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::new();
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push(state.to_le_bytes()[3]);
    }
    bytes
}

/// Frames in which `host` speaks the protocol with `server`; `None` where nobody wrote any.
pub(super) fn frames(protocol: &str, host: End, server: End) -> Option<Vec<Vec<u8>>> {
    let at = |port: u16| End { port, ..server };
    let tcp = |port: u16, words: Words| Some(stream(host, at(port), &words));
    let udp = |port: u16, there: Vec<u8>, back: Vec<u8>| {
        let server = at(port);
        Some(vec![
            datagram(host, server, &there),
            datagram(server, host, &back),
        ])
    };
    match protocol {
        // RFC 4253, 4.2.
        "ssh" => tcp(22, both(b"SSH-2.0-client\r\n", b"SSH-2.0-server\r\n")),
        // RFC 854, RFC 855: DO TERMINAL TYPE, DO TERMINAL SPEED.
        "telnet" => tcp(23, both(b"\xff\xfb\x18\xff\xfb\x20", b"\xff\xfd\x18\xff\xfd\x20")),
        // RFC 6143, 7.1.1.
        "vnc" => tcp(
            5900,
            vec![
                (Side::Server, b"RFB 003.008\n".to_vec()),
                (Side::Client, b"RFB 003.008\n".to_vec()),
            ],
        ),
        // MS-RDPBCGR 2.2.1.1: connection request with a cookie.
        "rdp" => {
            let cookie = b"Cookie: mstshash=user\r\n\x01\x00\x08\x00\x03\x00\x00\x00";
            let mut request = vec![3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0];
            request.extend(cookie);
            let length = u8::try_from(request.len()).unwrap();
            request[3] = length;
            request[4] = length - 5;
            tcp(3389, vec![(Side::Client, request)])
        }
        // MS-RDPEUDP 2.2.2: SYN, padded.
        "rdpudp" => {
            let mut bytes = vec![
                0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 1, 1, 2, 3, 4, 0x04, 0xd0, 0x04, 0xd0,
            ];
            bytes.resize(1_232, 0);
            Some(vec![datagram(host, at(3389), &bytes)])
        }
        // nDPI teamviewer.pcap: magic, command, length.
        "teamviewer" => tcp(
            5938,
            both(
                b"\x17\x24\x0a\x00\x00\x00\x00\x00\x00",
                b"\x11\x30\x0a\x00\x01\x00\x00\x00\x00",
            ),
        ),
        // nDPI nomachine.pcapng: a line with the version from each side.
        "nomachine" => tcp(4000, both(b"NXSH-8.10.1\n", b"NXD-8.10.1\n")),
        // rustdesk/hbb_common protos/rendezvous.proto: RegisterPeer.
        "rustdesk" => udp(
            21_116,
            b"\x32\x0d\x0a\x09123456789\x10\x01".to_vec(),
            b"\x3a\x00".to_vec(),
        ),
        // RFC 1928, 3 and 4.
        "socks" => tcp(
            1080,
            vec![
                (Side::Client, vec![5, 1, 0]),
                (Side::Server, vec![5, 0]),
                (Side::Client, vec![5, 1, 0, 1, 192, 0, 2, 7, 0, 80]),
                (Side::Server, vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
            ],
        ),
        // RFC 9110, 9.3.6.
        "http-connect" => tcp(
            8080,
            both(
                b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n",
                b"HTTP/1.1 200 OK\r\n\r\n",
            ),
        ),
        // WireGuard white paper, 5.4.2 and 5.4.3.
        "wireguard" => {
            let there = [&[1, 0, 0, 0][..], &mixed(144)].concat();
            let mut back = [&[2, 0, 0, 0, 9, 8, 7, 6][..], &there[4..8]].concat();
            back.extend(mixed(80));
            udp(51_820, there, back)
        }
        // OpenVPN protocol documentation: resets in the plain mode.
        "openvpn" => {
            let session = mixed(8);
            let there = [&[0x38][..], &session, &[0, 0, 0, 0, 0]].concat();
            let back = [
                &[0x40][..],
                &mixed(16)[8..],
                &[1, 0, 0, 0, 0],
                &session,
                &[0, 0, 0, 0],
            ]
            .concat();
            udp(1194, there, back)
        }
        // RFC 7296, 3.1 and 3.10: IKE_SA_INIT with a notification.
        "ike" => {
            let mut bytes = mixed(8);
            bytes.extend([0; 8]);
            bytes.extend([41, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 36]);
            bytes.extend([0, 0, 0, 8, 0, 0, 0x40, 0x2e]);
            udp(500, bytes.clone(), bytes)
        }
        // RFC 4303, 2.
        "esp" => {
            let bytes = [&[0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1][..], &mixed(64)].concat();
            Some(vec![
                packet(host, server, 50, &bytes),
                packet(server, host, 50, &bytes),
            ])
        }
        _ => further(protocol, host, server),
    }
}

/// Frames of logins from a reserved port, of a mesh, and of what IPsec only signs.
fn further(protocol: &str, host: End, server: End) -> Option<Vec<Vec<u8>>> {
    let at = |port: u16| End { port, ..server };
    match protocol {
        // RFC 4302, 2: a header that says to be longer than the packet.
        "ah" => {
            let bytes = [4, 20, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1];
            Some(vec![
                packet(host, server, 51, &bytes),
                packet(server, host, 51, &bytes),
            ])
        }
        // rshd(8), RFC 1282: from a reserved port.
        "rsh" | "rlogin" => {
            let (port, words) = if protocol == "rsh" {
                (514, both(b"1022\0root\0root\0id\0", b"\0"))
            } else {
                (513, both(b"\0user\0user\0vt100/9600\0", b"\0"))
            };
            Some(stream(End { port: 1_021, ..host }, at(port), &words))
        }
        // Resets of both sides and an acknowledgement, each octet changed by the same mask (Tunnelblick's openvpn_xorpatch).
        "openvpn-xor" => {
            let (client, other) = (mixed(8), mixed(16)[8..].to_vec());
            let masked = |parts: &[&[u8]]| -> Vec<u8> {
                let octets = parts.concat();
                octets
                    .iter()
                    .zip(b"mask".iter().cycle())
                    .map(|(octet, key)| octet ^ key)
                    .collect()
            };
            let reset = masked(&[&[0x38], &client, &[0; 5]]);
            let answer = masked(&[&[0x40], &other, &[1, 0, 0, 0, 0], &client, &[0; 4]]);
            let on = masked(&[&[0x28], &client, &[1, 0, 0, 0, 0], &other]);
            Some(vec![
                datagram(host, at(1194), &reset),
                datagram(at(1194), host, &answer),
                datagram(host, at(1194), &on),
            ])
        }
        // n2n_typedefs.h: version 3, two hops, a registration.
        "n2n" => {
            let bytes = [&[3, 2, 0, 1][..], b"community\0\0\0\0\0\0\0\0\0\0\0", &mixed(20)].concat();
            Some(vec![
                datagram(host, at(7654), &bytes),
                datagram(at(7654), host, &bytes),
            ])
        }
        // RFC 4303, 2, behind four octets: one index of each side, and a sequence that counts.
        "pcoip" => {
            let packet = |index: u8, sequence: u8| {
                let header = [0, 0, 0, 0, 0xc0, 0, 0, index, 0, 0, 0, sequence];
                [&header[..], &mixed(40)].concat()
            };
            Some(vec![
                datagram(host, at(4172), &packet(1, 1)),
                datagram(at(4172), host, &packet(2, 1)),
                datagram(host, at(4172), &packet(1, 2)),
            ])
        }
        _ => control_connection(protocol, host, server),
    }
}

/// Frames of the control connection of a VPN of the link layer.
fn control_connection(protocol: &str, host: End, server: End) -> Option<Vec<Vec<u8>>> {
    let at = |port: u16| End { port, ..server };
    match protocol {
        // RFC 2637, 2.1: Start-Control-Connection-Request, its answer.
        "pptp" => {
            let message = |kind: u8| {
                let mut bytes = vec![0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, kind, 0, 0, 1, 0];
                bytes.resize(156, 0);
                bytes
            };
            Some(stream(host, at(1723), &both(&message(1), &message(2))))
        }
        // RFC 2661, 4.4.1: SCCRQ with the message's type and the version of the protocol.
        "l2tp" => {
            let message = |kind: u8| {
                let mut bytes = vec![0xc8, 2, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0];
                bytes.extend([0x80, 8, 0, 0, 0, 0, 0, kind, 0x80, 8, 0, 0, 0, 2, 1, 0]);
                bytes
            };
            Some(vec![
                datagram(host, at(1701), &message(1)),
                datagram(at(1701), host, &message(2)),
            ])
        }
        _ => None,
    }
}

/// Frames of a tunnel that the decoder opens, by the name that it gives it.
pub(super) fn tunnel(name: &str, host: End, server: End) -> Option<Vec<Vec<u8>>> {
    let v4 = datagram(host, server, b"inside")[14..].to_vec();
    // RFC 8200, 3: no next header.
    let mut v6 = vec![0x60, 0, 0, 0, 0, 0, 59, 64];
    for last in [1, 2] {
        v6.extend([0x20, 1, 0, 0, 0xc0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    let ip = |protocol: u8, bytes: Vec<u8>| {
        Some(vec![
            packet(host, server, protocol, &bytes),
            packet(server, host, protocol, &bytes),
        ])
    };
    let udp = |port: u16, bytes: Vec<u8>| {
        let server = End { port, ..server };
        Some(vec![
            datagram(host, server, &bytes),
            datagram(server, host, &bytes),
        ])
    };
    match name {
        // RFC 2661, 3.1: data of a session; RFC 1661: PPP with IP version 4.
        "l2tp" => udp(1701, [&[0, 2, 0, 7, 0, 8, 0xff, 3, 0, 0x21][..], &v4].concat()),
        // RFC 4380, 5.1.1.
        "teredo" => udp(3544, v6),
        // draft-massar-v6ops-ayiya-02, 3: an identity of one octet, nothing signed, forward, IPv6.
        "ayiya" => udp(5072, [&[0, 0, 1, 41, 0, 0, 0, 0, 0][..], &v6].concat()),
        // RFC 4302, 2: 24 octets, then UDP.
        "ah" => ip(
            51,
            [
                &[
                    17, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
                ][..],
                &v4[20..],
            ]
            .concat(),
        ),
        // RFC 2003.
        "ipip" => ip(4, v4),
        // RFC 4213, 3.5.
        "6in4" => ip(41, v6),
        // RFC 2784, 2.
        "gre" => ip(47, [&[0, 0, 8, 0][..], &v4].concat()),
        _ => None,
    }
}

/// Frames in which `host` opens a connection on which it then serves.
pub(super) fn reversed(field: &str, host: End, server: End) -> Option<Vec<Vec<u8>>> {
    let words = match field {
        "ssh.reversed" => {
            // RFC 4253, 7.1 and 8: the initial messages of both, then the answer of who serves.
            let packet = |payload: &[u8]| {
                let mut bytes = vec![0, 0, 0, u8::try_from(payload.len() + 5).unwrap(), 4];
                bytes.extend(payload);
                bytes.extend([0; 4]);
                bytes
            };
            let mut lists = vec![20];
            lists.extend(mixed(16));
            for _ in 0..10 {
                lists.extend([0, 0, 0, 1, b'x']);
            }
            lists.extend([0; 5]);
            let side = |number: u8| {
                let identification = b"SSH-2.0-program\r\n".to_vec();
                [identification, packet(&lists), packet(&[number, 0, 0, 0, 0])].concat()
            };
            vec![(Side::Server, side(30)), (Side::Client, side(31))]
        }
        // RFC 1928, 3 to 6, with the sides turned round.
        "socks.reversed" => vec![
            (Side::Server, vec![5, 1, 0]),
            (Side::Client, vec![5, 0]),
            (Side::Server, vec![5, 1, 0, 1, 192, 0, 2, 7, 0, 80]),
            (Side::Client, vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        ],
        _ => return None,
    };
    Some(stream(host, server, &words))
}

fn both(there: &[u8], back: &[u8]) -> Words {
    vec![(Side::Client, there.to_vec()), (Side::Server, back.to_vec())]
}

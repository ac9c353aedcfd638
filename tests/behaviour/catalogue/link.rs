//! What devices say of themselves on their own network, for proofs: DHCP and multicast DNS.

use std::net::IpAddr;

use super::wire::{End, ROUTER, announcement, datagram};

/// A host asks for its address under a name (RFC 2131, RFC 2132) and gets it.
pub(super) fn dhcp(host: End, name: &[u8]) -> Vec<Vec<u8>> {
    let IpAddr::V4(own) = host.ip else {
        panic!("only IPv4");
    };
    let server = End {
        mac: ROUTER,
        ip: [10, 255, 255, 254].into(),
        port: 67,
    };
    let message = |answer: bool| {
        let mut bytes = vec![
            if answer { 2 } else { 1 },
            1,
            6,
            0,
            1,
            2,
            3,
            4,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        bytes.extend(if answer { own.octets() } else { [0; 4] });
        bytes.extend([0; 8]);
        bytes.extend(host.mac);
        bytes.extend([0; 10 + 192]);
        bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, if answer { 5 } else { 3 }]);
        if !answer {
            bytes.extend([12, u8::try_from(name.len()).unwrap()]);
            bytes.extend(name);
        }
        bytes.push(255);
        bytes
    };
    let asking = End {
        ip: [0, 0, 0, 0].into(),
        port: 68,
        ..host
    };
    let everybody = End {
        mac: [0xff; 6],
        ip: [255; 4].into(),
        port: 67,
    };
    vec![
        datagram(asking, everybody, &message(false)),
        datagram(server, End { port: 68, ..host }, &message(true)),
        announcement(host),
    ]
}

/// A multicast DNS response of one record (RFC 6762).
fn response(host: End, name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    bytes.extend(labels(name));
    bytes.extend([0, kind, 0, 1, 0, 0, 0, 120]);
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    let group = End {
        mac: [1, 0, 0x5e, 0, 0, 0xfb],
        ip: [224, 0, 0, 251].into(),
        port: 5353,
    };
    datagram(End { port: 5353, ..host }, group, &bytes)
}

/// A name as DNS writes it (RFC 1035, 3.1).
pub(super) fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A host says its own name.
pub(super) fn mdns_host(host: End, name: &str) -> Vec<Vec<u8>> {
    let IpAddr::V4(own) = host.ip else {
        panic!("only IPv4");
    };
    let name = format!("{}.local", name.trim_end_matches(".local"));
    vec![announcement(host), response(host, &name, 1, &own.octets())]
}

/// A host announces a service, and an instance of it (RFC 6763).
pub(super) fn mdns_service(host: End, service: &str) -> Vec<Vec<u8>> {
    let service = format!("{service}.local");
    vec![
        announcement(host),
        response(host, &service, 12, &labels(&format!("unit7.{service}"))),
    ]
}

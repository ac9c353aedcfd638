//! Where the traffic comes out, through the program: the outside of a tunnel, reverse names, and tunnels in HTTP with what looks like them.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::catalogue::wire::{End, Side, Words, chance, datagram, packet, stream};
use crate::catalogue::{findings_of, write};
use crate::program::{every_record, every_record_of, finish};

fn end(ip: &str, port: u16) -> End {
    End {
        mac: [2, 0, 0, 0, 0, u8::try_from(ip.len()).unwrap()],
        ip: ip.parse::<IpAddr>().unwrap(),
        port,
    }
}

fn capture(folder: &TempDir, frames: &[Vec<u8>]) -> PathBuf {
    let path = folder.path().join("capture.pcap");
    write(&path, std::iter::once(&frames.to_vec()));
    path
}

/// The host record of an address.
fn host(records: &[Value], ip: &str) -> Value {
    let of = |record: &&Value| record["ips"].as_array().unwrap().iter().any(|one| one == ip);
    let found = records.iter().find(of);
    found
        .unwrap_or_else(|| panic!("no {ip} among {records:#?}"))
        .clone()
}

fn hosts(path: &Path) -> Vec<Value> {
    let run = every_record_of(path);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.of("host")
}

const GATEWAY: &str = "203.0.113.1";
const SERVER: &str = "10.0.0.9";

/// What a worker at `line` sends through a tunnel to the gateway, and the server's answer; `wrap` puts the inner packet in.
fn through(line: &str, inner: &str, wrap: impl Fn(End, End, &[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let (worker, server) = (end(inner, 40_000), end(SERVER, 8443));
    let (outside, gateway) = (end(line, 0), end(GATEWAY, 0));
    let conversation = stream(
        worker,
        server,
        &[(Side::Client, chance(1, 300)), (Side::Server, chance(2, 900))],
    );
    let wrapped = conversation.iter().map(|frame| {
        // Behind the Ethernet header; the sender is told by its address.
        let packet = &frame[14..];
        let IpAddr::V4(from) = worker.ip else {
            panic!("IPv4")
        };
        if packet[12..16] == from.octets() {
            wrap(outside, gateway, packet)
        } else {
            wrap(gateway, outside, packet)
        }
    });
    wrapped.collect()
}

/// How an inner packet is put in.
type Wrap = fn(End, End, &[u8]) -> Vec<u8>;

/// GRE without options (RFC 2784, 2).
fn gre(from: End, to: End, inner: &[u8]) -> Vec<u8> {
    packet(from, to, 47, &[&[0, 0, 8, 0][..], inner].concat())
}

/// A data message of L2TP with its length (RFC 2661, 3.1), PPP with address and control, IPv4.
fn l2tp(from: End, to: End, inner: &[u8]) -> Vec<u8> {
    let ppp = [&[0xff, 0x03, 0x00, 0x21][..], inner].concat();
    let length = u16::try_from(8 + ppp.len()).unwrap();
    let head = [&[0x40, 0x02][..], &length.to_be_bytes(), &[0, 7, 0, 1]].concat();
    datagram(
        End { port: 1701, ..from },
        End { port: 1701, ..to },
        &[head, ppp].concat(),
    )
}

#[test]
fn the_outside_of_a_workers_tunnel_is_his_own_public_address() {
    let ways: [(&str, Wrap); 3] = [
        ("gre", gre),
        ("l2tp", l2tp),
        ("ipip", |from, to, inner| packet(from, to, 4, inner)),
    ];
    for (name, wrap) in ways {
        let folder = tempfile::tempdir().unwrap();
        let frames = [
            through("198.51.100.7", "10.8.0.7", wrap),
            through("198.51.100.8", "10.8.0.8", wrap),
        ]
        .concat();
        let records = hosts(&capture(&folder, &frames));
        for (inner, line) in [("10.8.0.7", "198.51.100.7"), ("10.8.0.8", "198.51.100.8")] {
            let record = host(&records, inner);
            assert_eq!(record["public_ips"], serde_json::json!([line]), "{name}");
            assert_eq!(record["public"][0]["ip"], line, "{name}");
            assert_eq!(
                record["public"][0]["how"],
                serde_json::json!(["tunnel"]),
                "{name}"
            );
            assert!(record["public"][0]["first_seen"].is_string(), "{name}");
        }
        // The concentrator's address is nobody's line.
        assert!(host(&records, SERVER)["public_ips"].is_null(), "{name}");
    }
}

#[test]
fn mirrored_packets_and_private_tunnels_tell_nobodys_line() {
    let folder = tempfile::tempdir().unwrap();
    // VXLAN of a cloud's mirror (RFC 7348, 5), an Ethernet frame inside.
    let vxlan = |from: End, to: End, inner: &[u8]| {
        let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], inner].concat();
        let head = [8, 0, 0, 0, 0, 0, 5, 0];
        datagram(
            End { port: 50_000, ..from },
            End { port: 4789, ..to },
            &[&head[..], &frame].concat(),
        )
    };
    let frames = [
        through("198.51.100.7", "10.8.0.7", vxlan),
        through("192.168.7.7", "10.8.0.8", gre),
    ]
    .concat();
    for record in hosts(&capture(&folder, &frames)) {
        assert!(record["public_ips"].is_null(), "{record}");
    }
}

/// A name as DNS writes it (RFC 1035, 3.1).
fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The answer that calls an address by a name.
fn pointer(to: End, reversed: &str, name: &str) -> Vec<u8> {
    let target = labels(name);
    let mut answer = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    answer.extend(labels(&format!("{reversed}.in-addr.arpa")));
    answer.extend([0, 12, 0, 1, 0xc0, 12, 0, 12, 0, 1, 0, 0, 14, 16]);
    answer.extend(u16::try_from(target.len()).unwrap().to_be_bytes());
    answer.extend(target);
    datagram(end("10.0.0.53", 53), to, &answer)
}

#[test]
fn a_reverse_name_stands_in_the_rows_of_its_flows_and_says_the_kind_of_network() {
    let folder = tempfile::tempdir().unwrap();
    let (laptop, server) = (end("10.0.0.7", 40_000), end("198.51.100.9", 443));
    let mut frames = vec![
        pointer(laptop, "9.100.51.198", "198-51-100-9.dynamic.isp.example"),
        pointer(laptop, "77.100.51.198", "198-51-100-77.dynamic.isp.example"),
    ];
    frames.extend(stream(
        laptop,
        server,
        &[(Side::Client, chance(1, 90)), (Side::Server, chance(2, 90))],
    ));
    frames.extend(stream(
        laptop,
        end("198.51.100.10", 443),
        &[(Side::Client, chance(3, 90))],
    ));
    // Its own address, as a STUN server sees it (RFC 5389, 15.2).
    let mapped = [0, 0x20, 0, 8, 0, 1, 0x11, 0x22];
    let cookie = [0x21, 0x12, 0xa4, 0x42];
    let own: Vec<u8> = [198_u8, 51, 100, 77]
        .iter()
        .zip(cookie)
        .map(|(octet, mask)| octet ^ mask)
        .collect();
    let head = |kind: [u8; 2], length: u8| {
        [
            &[kind[0], kind[1], 0, length, 0x21, 0x12, 0xa4, 0x42][..],
            &[7; 12],
        ]
        .concat()
    };
    let stun = end("198.51.100.20", 3478);
    frames.push(datagram(laptop, stun, &head([0, 1], 0)));
    frames.push(datagram(
        stun,
        laptop,
        &[&head([1, 1], 12)[..], &mapped, &own].concat(),
    ));
    let run = every_record_of(&capture(&folder, &frames));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let flows = run.of("flow");
    let row = |ip: &str| flows.iter().find(|flow| flow["dest_ip"] == ip).unwrap();
    let named = row("198.51.100.9");
    assert_eq!(
        named["reverse_name"],
        serde_json::json!({"dest": "198-51-100-9.dynamic.isp.example"})
    );
    assert_eq!(named["geo"]["dest"]["kind"], "residential", "{named}");
    let source = named["geo"]["dest"]["kind_source"].as_str().unwrap();
    assert!(
        source.starts_with("its reverse name 198-51-100-9.dynamic.isp.example in frame 1 "),
        "{source}"
    );
    assert!(row("198.51.100.10")["reverse_name"].is_null());
    assert!(row("198.51.100.10")["geo"].is_null());
    let laptop = host(&run.of("host"), "10.0.0.7");
    let public = &laptop["public"][0];
    assert_eq!(
        (&public["ip"], &public["how"][0]),
        (&"198.51.100.77".into(), &"stun".into())
    );
    assert_eq!(public["reverse_name"], "198-51-100-77.dynamic.isp.example");
    assert_eq!(public["geo"]["kind"], "residential", "{public}");
}

fn message(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Requests of this head with their answers, so many times; bodies by the number of the exchange.
fn exchanges(count: u64, request: impl Fn(u64) -> Vec<u8>, answer: impl Fn(u64) -> Vec<u8>) -> Words {
    (0..count)
        .flat_map(|number| [(Side::Client, request(number)), (Side::Server, answer(number))])
        .collect()
}

/// What is found of a host that had this conversation with a web server.
fn found(words: &[(Side, Vec<u8>)]) -> Vec<Value> {
    let frames = stream(end("10.0.0.7", 40_000), end("198.51.100.9", 80), words);
    findings_of(&[frames]).into_values().flatten().collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream";

#[test]
fn one_path_with_bodies_like_chance_both_ways_is_a_lead_of_low_confidence() {
    let post = |number: u64| {
        message(
            "POST /a/tunnel.php?cmd=forward HTTP/1.1\r\nHost: www.example.org",
            &chance(number, 900),
        )
    };
    let answer = |number: u64| message(OK, &chance(number + 500, 1_200));
    let findings = found(&exchanges(20, post, answer));
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    assert_eq!(
        (&finding["tool"], &finding["confidence"]),
        (&"http-tunnel".into(), &"low".into())
    );
    assert_eq!(finding["evidence"][0]["measure"], "opaque_exchanges");
    let what = finding["evidence"][0]["what"].as_str().unwrap();
    assert!(what.contains("one path"), "{what}");
    // Too few of them are nothing.
    assert!(found(&exchanges(6, post, answer)).is_empty());
}

#[test]
fn what_else_posts_polls_and_loads_by_http_is_no_tunnel() {
    let json = |number: u64| {
        format!(
            "{{\"id\":{number},\"state\":\"running\",\"items\":[{{\"name\":\"a\",\"size\":{}}}]}}",
            number * 37
        )
        .repeat(12)
    };
    let of = |head: &'static str, body: fn(u64) -> Vec<u8>| move |number: u64| message(head, &body(number));
    let data = |number: u64| chance(number, 1_300);
    let gzip = |number: u64| [&[0x1f, 0x8b, 8, 0][..], &chance(number, 900)].concat();
    let conversations: [(&str, Words); 7] = [
        (
            "an interface that is polled",
            exchanges(
                24,
                |number| {
                    message(
                        "POST /api/poll HTTP/1.1\r\nContent-Type: application/json",
                        json(number).as_bytes(),
                    )
                },
                |number| message(OK, json(number).as_bytes()),
            ),
        ),
        (
            "one that compresses",
            exchanges(
                24,
                of("POST /api/sync HTTP/1.1\r\nContent-Encoding: gzip", gzip),
                of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip", gzip),
            ),
        ),
        (
            "a service of updates that posts SOAP",
            exchanges(
                24,
                |_| {
                    message(
                        "POST /ClientWebService/client.asmx HTTP/1.1\r\nContent-Type: text/xml",
                        "<soap:Envelope><soap:Body><SyncUpdates/></soap:Body></soap:Envelope>"
                            .repeat(20)
                            .as_bytes(),
                    )
                },
                of(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: xpress",
                    data,
                ),
            ),
        ),
        (
            "updates in pieces",
            exchanges(
                24,
                |number| {
                    format!(
                        "GET /Content/1F/update.cab HTTP/1.1\r\nRange: bytes={number}000-{number}999\r\n\r\n"
                    )
                    .into_bytes()
                },
                of("HTTP/1.1 206 Partial Content", data),
            ),
        ),
        (
            "a film in segments",
            exchanges(
                24,
                |number| format!("GET /film/segment-{number}.ts HTTP/1.1\r\n\r\n").into_bytes(),
                of("HTTP/1.1 200 OK\r\nContent-Type: video/mp2t", data),
            ),
        ),
        (
            "an upload in parts",
            exchanges(24, of("PUT /store/part HTTP/1.1", data), |number| {
                message(OK, json(number).as_bytes())
            }),
        ),
        (
            "pictures that are exchanged",
            exchanges(
                24,
                of("POST /thumbnail HTTP/1.1\r\nContent-Type: image/jpeg", data),
                of("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg", data),
            ),
        ),
    ];
    for (name, words) in conversations {
        let findings = found(&words);
        assert!(
            findings.iter().all(|finding| finding["tool"] != "http-tunnel"),
            "{name}: {findings:#?}"
        );
    }
}

#[test]
fn data_posted_to_many_paths_is_no_tunnel() {
    let post = |number: u64| message(&format!("POST /object/{number} HTTP/1.1"), &chance(number, 1_000));
    let findings = found(&exchanges(24, post, |number| {
        message(OK, &chance(number + 500, 1_000))
    }));
    assert!(findings.is_empty(), "{findings:#?}");
}

/// A Binding request, or its answer with an address from which it came (RFC 8489, 5 and 14.2).
fn binding(transaction: u8, mapped: Option<[u8; 4]>) -> Vec<u8> {
    let cookie = [0x21, 0x12, 0xa4, 0x42];
    let attribute = mapped.map_or(Vec::new(), |address| {
        let mut bytes = vec![0, 0x20, 0, 8, 0, 1, 0x21 ^ 0x9c, 0x12 ^ 0x40];
        bytes.extend(address.iter().zip(cookie).map(|(octet, key)| octet ^ key));
        bytes
    });
    let (kind, length) = (u8::from(mapped.is_some()), u8::try_from(attribute.len()).unwrap());
    let mut bytes = vec![kind, 1, 0, length];
    bytes.extend(cookie);
    bytes.extend((0..12).map(|place| place * 19 + transaction));
    bytes.extend(attribute);
    bytes
}

/// Machines of a house that ask several servers, and are told that they come from `mapped`.
fn house(mapped: [[u8; 4]; 2]) -> Vec<Vec<u8>> {
    let router = [2, 0, 0, 0, 0, 1];
    let mut frames = Vec::new();
    for (number, mapped) in (10_u8..).zip(mapped) {
        for server in 1..=4_u8 {
            let machine = End {
                mac: [2, 0, 0, 0, 1, number],
                ip: IpAddr::from([192, 168, 1, number]),
                port: 40_000,
            };
            let asked = End {
                mac: router,
                ip: IpAddr::from([198, 51, 100, server]),
                port: 3_478,
            };
            frames.push(datagram(machine, asked, &binding(server, None)));
            frames.push(datagram(asked, machine, &binding(server, Some(mapped))));
        }
    }
    frames
}

#[test]
fn a_house_that_comes_out_of_a_vpn_has_it_on_its_router_and_old_lists_are_called_old() {
    const EXIT: [u8; 4] = [203, 0, 113, 100];
    let folder = tempfile::tempdir().unwrap();
    let list = |name: &str, kind: &str, date: &str, network: &str| {
        let path = folder.path().join(format!("{name}.txt"));
        let text = format!("# name: {name}\n# kind: {kind}\n# date: {date}\n{network}\n");
        std::fs::write(&path, text).unwrap();
        path
    };
    let exits = list("exits", "vpn", "2024-01-01", "203.0.113.64/26");
    let lines = list("lines", "residential", "2025-06-01", "203.0.113.128/26");
    let analyze = |mapped: [[u8; 4]; 2]| {
        let path = capture(&folder, &house(mapped));
        let run = finish(
            every_record()
                .arg("--geoip")
                .arg(&exits)
                .arg("--geoip")
                .arg(&lines)
                .arg(path),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    };
    let on_router = |run: &crate::program::Run| {
        let findings = run.of("finding");
        let own = findings.iter().filter(|one| one["tool"] == "router-vpn");
        own.cloned().collect::<Vec<_>>()
    };
    let run = analyze([EXIT, EXIT]);
    let [finding] = on_router(&run).try_into().unwrap();
    assert_eq!(
        (&finding["kind"], &finding["confidence"]),
        (&"vpn".into(), &"low".into())
    );
    let said = finding["summary"].as_str().unwrap();
    assert!(
        said.contains("2 machines behind the router") && said.contains("exits 2024-01-01"),
        "{said}"
    );
    let remarks = run.summary()["remarks"].to_string();
    assert!(
        remarks.contains("exits of 2024-01-01 is") && remarks.contains("days older than the capture"),
        "{remarks}"
    );
    assert!(!remarks.contains("lines of"), "{remarks}");
    // One of them comes out of a line: whatever the other has, it is not the router's. And what is said to be open says so.
    let run = analyze([EXIT, [203, 0, 113, 150]]);
    assert!(on_router(&run).is_empty());
    let run = analyze([[192, 0, 2, 9]; 2]);
    assert!(on_router(&run).is_empty());
}

#[test]
fn phones_behind_a_relay_of_their_maker_are_in_no_data_centre_and_behind_no_vpn() {
    // As the operator publishes its ranges (RFC 8805): network, country, region, city.
    const RELAYS: &str = "203.0.113.64/27,US,US-AZ,Phoenix,\n2001:db8:26f7::/64,US,US-AZ,Phoenix,\n";
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("relays.txt");
    let head = "# name: relays\n# kind: privacy-relay\n# date: 2026-11-01\n";
    std::fs::write(&list, format!("{head}{RELAYS}")).unwrap();
    let path = capture(&folder, &house([[203, 0, 113, 70], [203, 0, 113, 90]]));
    let run = finish(every_record().arg("--geoip").arg(&list).arg(path));
    assert_eq!(run.code, 0, "{}", run.stderr);
    for number in ["192.168.1.10", "192.168.1.11"] {
        let public = &host(&run.of("host"), number)["public"][0];
        assert_eq!(public["geo"]["kind"], "privacy-relay", "{public}");
    }
    let findings = run.of("finding");
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in &findings {
        assert_eq!(finding["confidence"], "low");
        assert_eq!(finding["evidence"][0]["measure"], "relay_egress");
        let benign = finding["benign"].to_string();
        assert!(benign.contains("no VPN was installed"), "{benign}");
    }
    let hosts = serde_json::to_string(&run.of("host")).unwrap();
    assert!(!hosts.contains("data centre"), "{hosts}");
}

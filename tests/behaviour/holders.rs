//! Whose an address is: captures of a few frames in which an address changes hands, belongs to two houses, stands behind a router,
//! or is only what a stranger says.

use std::fs;
use std::path::{Path, PathBuf};

use farmhawk::capture::writer::PcapWriter;
use farmhawk::model::frame::LinkType;
use farmhawk::model::time::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{every_record, finish};

const ALICE: Mac = [0x00, 0x00, 0x5e, 0x00, 0x53, 0x0a];
const BOB: Mac = [0x00, 0x00, 0x5e, 0x00, 0x53, 0x0b];
const ROUTER: Mac = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xfe];
const UPLINK: Mac = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xfd];
const EVERYBODY: Mac = [0xff; 6];

const SHARED: [u8; 4] = [192, 168, 1, 20];
const GATEWAY: [u8; 4] = [192, 168, 1, 1];
const SITE: [u8; 4] = [192, 0, 2, 50];
const STRANGER: [u8; 4] = [203, 0, 113, 66];

/// 2026-09-10 02:26:40 UTC.
const START: i64 = 1_789_007_200;

type Mac = [u8; 6];

/// Frames with their seconds since [`START`].
#[derive(Default)]
struct Scene(Vec<(f64, Vec<u8>)>);

impl Scene {
    fn put(&mut self, at: f64, frame: Vec<u8>) {
        self.0.push((at, frame));
    }

    /// A connection of a few segments.
    fn connection(&mut self, at: f64, from: &End, to: &End, ports: (u16, u16)) {
        let (client, server) = ((from, to, ports.0, ports.1), (to, from, ports.1, ports.0));
        let segments = [
            (client, 1_000, 0, 0x02, 0),
            (server, 5_000, 1_001, 0x12, 0),
            (client, 1_001, 5_001, 0x10, 0),
            (client, 1_001, 5_001, 0x18, 300),
            (server, 5_001, 1_301, 0x18, 900),
            (client, 1_301, 5_901, 0x11, 0),
            (server, 5_901, 1_302, 0x11, 0),
            (client, 1_302, 5_902, 0x10, 0),
        ];
        for (step, ((sender, receiver, from_port, to_port), sequence, acknowledged, flags, length)) in
            (0u8..).zip(segments)
        {
            let mut tcp = [from_port.to_be_bytes(), to_port.to_be_bytes()].concat();
            tcp.extend(u32::to_be_bytes(sequence));
            tcp.extend(u32::to_be_bytes(acknowledged));
            tcp.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
            tcp.extend(vec![b'x'; length]);
            let packet = packet(sender, receiver, 6, &tcp);
            let frame = ethernet(sender.mac, receiver.mac, sender.kind(), &packet);
            self.put(at + f64::from(step) * 0.02, frame);
        }
    }

    fn datagram(&mut self, at: f64, from: &End, to: &End, ports: (u16, u16), payload: &[u8]) {
        let frame = ethernet(
            from.mac,
            to.mac,
            from.kind(),
            &packet(from, to, 17, &udp(ports, payload)),
        );
        self.put(at, frame);
    }

    /// A broadcast question that names who asks.
    fn arp(&mut self, at: f64, mac: Mac, address: [u8; 4]) {
        let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
        body.extend(mac);
        body.extend(address);
        body.extend([0; 6]);
        body.extend(GATEWAY);
        self.put(at, ethernet(mac, EVERYBODY, 0x0806, &body));
    }

    /// A lease: request and acknowledgement.
    fn lease(&mut self, at: f64, mac: Mac, address: [u8; 4], name: &str) {
        let message = |operation: u8, kind: u8, given: [u8; 4], options: &[u8]| {
            let mut message = vec![operation, 1, 6, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
            message.extend(given);
            message.extend([0; 8]);
            message.extend(mac);
            message.extend([0; 202]);
            message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind]);
            message.extend(options);
            message.push(255);
            message
        };
        let mut options = vec![12, u8::try_from(name.len()).unwrap()];
        options.extend(name.bytes());
        let asks = message(1, 3, [0; 4], &options);
        let nobody = End::v4(mac, [0; 4]);
        let all = End::v4(EVERYBODY, [255; 4]);
        self.datagram(at, &nobody, &all, (68, 67), &asks);
        let answer = message(2, 5, address, &[51, 4, 0, 0, 14, 16]);
        let client = End::v4(mac, address);
        self.datagram(at + 0.01, &End::v4(ROUTER, GATEWAY), &client, (67, 68), &answer);
        self.arp(at + 0.02, mac, address);
    }

    /// Asks a resolver for a name.
    fn question(&mut self, at: f64, from: &End, port: u16, name: &str) {
        let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend(labels(name));
        question.extend([0, 1, 0, 1]);
        let resolver = End::v4(ROUTER, [192, 0, 2, 53]);
        self.datagram(at, from, &resolver, (port, 53), &question);
    }

    fn write(mut self, folder: &TempDir, name: &str) -> PathBuf {
        self.0.sort_by(|one, other| one.0.total_cmp(&other.0));
        let path = folder.path().join(name);
        let file = fs::File::create(&path).unwrap();
        let mut writer = PcapWriter::new(file, LinkType::ETHERNET, false).unwrap();
        for (at, frame) in self.0 {
            #[expect(clippy::cast_possible_truncation, reason = "microseconds of a few days")]
            let at = Timestamp::from_parts(START, 0).plus((at * 1e6) as i64 * 1_000);
            let length = u32::try_from(frame.len()).unwrap();
            writer.frame(at, &frame, length).unwrap();
        }
        writer.finish().unwrap();
        path
    }
}

/// Who sends or receives.
#[derive(Clone)]
struct End {
    mac: Mac,
    address: Vec<u8>,
    hops: u8,
}

impl End {
    fn v4(mac: Mac, address: [u8; 4]) -> Self {
        Self {
            mac,
            address: address.to_vec(),
            hops: 64,
        }
    }

    /// One whose packets a router has passed on.
    fn behind(mac: Mac, address: &str) -> Self {
        let address = match address.parse().unwrap() {
            std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
            std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        Self {
            mac,
            address,
            hops: 63,
        }
    }

    fn kind(&self) -> u16 {
        if self.address.len() == 4 { 0x0800 } else { 0x86dd }
    }
}

fn ethernet(from: Mac, to: Mac, kind: u16, content: &[u8]) -> Vec<u8> {
    [&to, &from, kind.to_be_bytes().as_slice(), content].concat()
}

fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let tag = [0x8100_u16.to_be_bytes(), vlan.to_be_bytes()].concat();
    [addresses, &tag, rest].concat()
}

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    let header = [ports.0, ports.1, length, 0].map(u16::to_be_bytes).concat();
    [&header, payload].concat()
}

fn packet(from: &End, to: &End, protocol: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut header = Vec::new();
    if from.address.len() == 4 {
        let [a, b] = (length + 20).to_be_bytes();
        header.extend([0x45, 0, a, b, 0, 0, 0, 0, from.hops, protocol, 0, 0]);
    } else {
        let [a, b] = length.to_be_bytes();
        header.extend([0x60, 0, 0, 0, a, b, protocol, from.hops]);
    }
    [&header, from.address.as_slice(), &to.address, content].concat()
}

fn labels(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).unwrap();
        std::iter::once(length).chain(label.bytes())
    });
    labels.chain([0]).collect()
}

/// A `PiKVM` announces itself from an address by multicast DNS.
fn announcement(mac: Mac, address: [u8; 4]) -> Vec<u8> {
    let service = labels("_pikvm._tcp.local");
    let instance = [&[5], b"pikvm".as_slice(), &service].concat();
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    message.extend(&service);
    message.extend([0, 12, 0, 1, 0, 0, 0, 120]);
    message.extend(u16::try_from(instance.len()).unwrap().to_be_bytes());
    message.extend(&instance);
    message.extend(labels("pikvm.local"));
    message.extend([0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4]);
    message.extend(address);
    let group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb];
    let packet = packet(
        &End {
            hops: 255,
            ..End::v4(mac, address)
        },
        &End::v4(group, [224, 0, 0, 251]),
        17,
        &udp((5_353, 5_353), &message),
    );
    ethernet(mac, group, 0x0800, &packet)
}

fn web(number: u8) -> End {
    let [a, b, c, _] = SITE;
    End {
        hops: 55,
        ..End::v4(ROUTER, [a, b, c, number])
    }
}

/// A machine works for a few minutes.
fn works(scene: &mut Scene, at: f64, from: &End) {
    let [.., last] = from.mac;
    for number in 0..6 {
        let port = 40_000 + 100 * u16::from(last) + u16::from(number);
        scene.connection(
            at + f64::from(number) * 20.0,
            from,
            &web(50 + number),
            (port, 8_443),
        );
    }
}

fn analysed(captures: &[PathBuf], inventory: Option<&Path>) -> Vec<Value> {
    let mut command = every_record();
    if let Some(path) = inventory {
        command.arg("--assets").arg(path);
    }
    let run = finish(command.args(captures));
    assert!(run.code < 2, "{}", run.stderr);
    run.records()
}

fn of<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let is_such = |record: &&Value| record["event_type"] == kind;
    records.iter().filter(is_such).collect()
}

fn text(mac: Mac) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// The machine of a link address.
fn machine(records: &[Value], mac: Mac) -> &Value {
    let wanted = text(mac);
    let hosts = of(records, "host");
    let found = hosts.iter().find(|host| host["mac"] == wanted.as_str());
    found.unwrap_or_else(|| panic!("no {wanted} among {hosts:?}"))
}

#[test]
fn what_the_next_holder_of_an_address_does_is_not_the_one_befores() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::default();
    let next_day = 86_400.0;
    scene.lease(0.0, ALICE, SHARED, "laptop-alice");
    works(&mut scene, 5.0, &End::v4(ALICE, SHARED));
    scene.lease(next_day, ALICE, [192, 168, 1, 21], "laptop-alice");
    scene.lease(next_day + 3.0, BOB, SHARED, "laptop-bob");
    let bob = End::v4(BOB, SHARED);
    for number in 0..6 {
        let at = next_day + 10.0 + f64::from(number);
        scene.question(at, &bob, 50_000 + number, "relay-1a2b3c4d.net.anydesk.com");
    }
    works(&mut scene, next_day + 30.0, &bob);
    let inventory = folder.path().join("inventory.csv");
    let rows = format!(
        "mac,ip,asset,assignee\n{},,LT-A,Alice\n{},,LT-B,Bob\n",
        text(ALICE),
        text(BOB)
    );
    fs::write(&inventory, rows).unwrap();
    let records = analysed(&[scene.write(&folder, "reuse.pcap")], Some(&inventory));
    let (alice, bob) = (machine(&records, ALICE), machine(&records, BOB));
    assert_eq!(alice["ips"], serde_json::json!(["192.168.1.20", "192.168.1.21"]));
    assert_eq!(bob["ips"], serde_json::json!(["192.168.1.20"]));
    assert_eq!(
        (&alice["asset"]["asset"], &bob["asset"]["asset"]),
        (&"LT-A".into(), &"LT-B".into())
    );
    let named = |host: &Value| host["names"].to_string();
    assert!(named(alice).contains("laptop-alice") && !named(alice).contains("laptop-bob"));
    assert!(named(bob).contains("laptop-bob") && !named(bob).contains("laptop-alice"));
    let findings = of(&records, "finding");
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!(finding["host"], bob["host"], "{finding}");
    }
}

#[test]
fn behind_a_router_the_lease_tells_whose_an_address_was_when() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::default();
    let next_day = 86_400.0;
    let there = End::behind(ROUTER, "192.168.1.20");
    for (at, mac, name) in [(0.0, ALICE, "laptop-alice"), (next_day, BOB, "laptop-bob")] {
        scene.lease(at, mac, SHARED, name);
    }
    let outside = |number| End {
        mac: UPLINK,
        ..web(number)
    };
    for number in 0..4 {
        let at = 20.0 + f64::from(number) * 20.0;
        let port = 41_000 + u16::from(number);
        scene.connection(at, &there, &outside(number), (port, 8_443));
    }
    scene.question(next_day + 60.0, &there, 50_000, "relay-1a2b3c4d.net.anydesk.com");
    let records = analysed(&[scene.write(&folder, "relayed.pcap")], None);
    let (alice, bob) = (machine(&records, ALICE), machine(&records, BOB));
    assert!(alice["bytes_out"].as_u64() > bob["bytes_out"].as_u64());
    for finding in of(&records, "finding") {
        assert_eq!(finding["host"], bob["host"], "{finding}");
    }
}

#[test]
fn two_houses_with_one_private_address_are_two_machines() {
    let folder = tempfile::tempdir().unwrap();
    let house = |name: &str, mac: Mac, at: f64| {
        let mut scene = Scene::default();
        scene.arp(at, mac, SHARED);
        works(&mut scene, at + 1.0, &End::v4(mac, SHARED));
        // Side by side in time, and one of them asks anew between.
        scene.arp(at + 70.0, mac, SHARED);
        scene.write(&folder, name)
    };
    let captures = [house("a.pcap", ALICE, 0.0), house("b.pcap", BOB, 35.0)];
    let records = analysed(&captures, None);
    let (one, other) = (machine(&records, ALICE), machine(&records, BOB));
    for host in [one, other] {
        assert_eq!(host["ips"], serde_json::json!(["192.168.1.20"]));
    }
    assert_eq!(one["bytes_out"], other["bytes_out"]);
    let swapped = [captures[1].clone(), captures[0].clone()];
    let again = analysed(&swapped, None);
    assert_eq!(machine(&again, ALICE)["bytes_out"], one["bytes_out"]);
}

/// What a machine is taken for into whose tunnel port `sender` sends a frame in which its address announces an IP KVM.
fn told_by(folder: &TempDir, name: &str, sender: &End) -> Vec<Value> {
    let mut scene = Scene::default();
    scene.arp(0.0, ALICE, SHARED);
    works(&mut scene, 5.0, &End::v4(ALICE, SHARED));
    let forged = announcement([0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee], SHARED);
    let mirrored = [&[1, 0, 0, 1, 1], forged.as_slice()].concat();
    for at in [200.0, 201.0] {
        scene.datagram(at, sender, &End::v4(ALICE, SHARED), (40_000, 37_008), &mirrored);
    }
    analysed(&[scene.write(folder, name)], None)
}

#[test]
fn a_frame_that_a_stranger_sends_through_a_tunnel_speaks_of_no_machine_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let records = told_by(&folder, "forged.pcap", &End::v4(ROUTER, STRANGER));
    assert_eq!(of(&records, "finding").len(), 0);
    assert_eq!(of(&records, "host").len(), 1);
    let losses = of(&records, "summary")[0].to_string();
    assert!(
        losses.contains("packets in tunnels into which only a foreign address sends"),
        "{losses}"
    );
    // The mirror of our own switch is believed.
    let records = told_by(&folder, "mirror.pcap", &End::v4(ROUTER, [192, 168, 1, 250]));
    let findings = of(&records, "finding");
    assert!(
        findings.iter().any(|finding| finding["kind"] == "ip_kvm"),
        "{findings:?}"
    );
}

#[test]
fn machines_behind_a_router_that_translates_nothing_are_hosts_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::default();
    let mut behind: Vec<String> = (11..15).map(|last| format!("10.7.0.{last}")).collect();
    behind.extend((11..14).map(|last| format!("fd00:7::{last}")));
    for (number, address) in (0u16..).zip(&behind) {
        let is_v4 = address.contains('.');
        let site = if is_v4 { "192.0.2.50" } else { "2001:db8:9::50" };
        let server = End {
            hops: 55,
            ..End::behind(UPLINK, site)
        };
        let at = f64::from(number) * 7.0;
        scene.connection(
            at,
            &End::behind(ROUTER, address),
            &server,
            (40_000 + number, 8_443),
        );
    }
    let records = analysed(&[scene.write(&folder, "branch.pcap")], None);
    let mut found: Vec<String> = of(&records, "host")
        .iter()
        .map(|host| host["ips"].to_string())
        .collect();
    found.sort();
    let mut expected: Vec<String> = behind.iter().map(|ip| format!("[\"{ip}\"]")).collect();
    expected.sort();
    assert_eq!(found, expected);

    // The same addresses first hand are one machine's.
    let mut scene = Scene::default();
    for (number, address) in [(0u16, "10.7.0.11"), (1, "10.7.0.12"), (2, "fd00:7::11")] {
        let from = End {
            hops: 64,
            ..End::behind(ALICE, address)
        };
        let site = if number < 2 {
            "192.0.2.50"
        } else {
            "2001:db8:9::50"
        };
        let server = End {
            hops: 55,
            ..End::behind(ROUTER, site)
        };
        scene.connection(f64::from(number), &from, &server, (40_000 + number, 8_443));
    }
    let records = analysed(&[scene.write(&folder, "one.pcap")], None);
    let own = machine(&records, ALICE);
    assert_eq!(own["ips"].as_array().unwrap().len(), 3, "{own}");
}

#[test]
fn tenants_behind_one_stand_by_address_share_no_router() {
    let folder = tempfile::tempdir().unwrap();
    // HSRP, group 1.
    let stand_by = [0x00, 0x00, 0x0c, 0x07, 0xac, 0x01];
    let board: Mac = [0x02, 0x11, 0x22, 0x33, 0x44, 0x09];
    let mut all = Scene::default();
    for (vlan, mac, address) in [(10, ALICE, [10, 10, 0, 20]), (20, BOB, [10, 20, 0, 20])] {
        let mut scene = Scene::default();
        let gateway = |number| End {
            mac: stand_by,
            ..web(number)
        };
        scene.arp(0.0, mac, address);
        for number in 0..5 {
            let port = 40_000 + u16::from(number);
            let at = 1.0 + f64::from(number) * 20.0;
            scene.connection(at, &End::v4(mac, address), &gateway(number), (port, 8_443));
        }
        if vlan == 10 {
            let address = [10, 10, 0, 9];
            scene.put(3.0, announcement(board, address));
            scene.connection(7.0, &End::v4(board, address), &gateway(99), (45_000, 8_443));
        }
        all.0
            .extend(scene.0.into_iter().map(|(at, frame)| (at, tagged(&frame, vlan))));
    }
    let records = analysed(&[all.write(&folder, "tenants.pcap")], None);
    let sees_board = |mac| {
        machine(&records, mac)["reasons"]
            .to_string()
            .contains("an IP KVM on the network")
    };
    assert!(sees_board(ALICE));
    assert!(!sees_board(BOB));
}

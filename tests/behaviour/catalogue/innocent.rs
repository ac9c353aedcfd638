//! What is no remote access and no proxy although it shares a word, a port or a form with one.

use std::fs::File;
use std::io::BufWriter;

use farmhawk::capture::writer::PcapWriter;
use farmhawk::model::frame::LinkType;
use farmhawk::model::time::{SECOND, Timestamp};
use serde_json::Value;

use super::proof::ends;
use super::wire::{End, Side, Words, chance, datagram, stream};
use super::{findings_of, tls};
use crate::program::{Run, every_record_of};

/// The findings of one host that has this conversation with a server's port.
fn found(number: u32, port: u16, words: impl Fn(&End) -> Words) -> Vec<Value> {
    let [host, server] = ends(number);
    let server = End { port, ..server };
    let frames = stream(host, server, &words(&server));
    let found = findings_of(&[frames]);
    found.into_values().flatten().collect()
}

fn tools(findings: &[Value]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| finding["tool"].as_str().unwrap())
        .collect()
}

/// NetSupport's poll as its gateway gets it: the gateway's own address stands in the request (ET Open, corelight/zeek-netsupport-detector).
fn poll(asked: &str) -> Words {
    let head = format!(
        "POST http://{asked}/fakeurl.htm HTTP/1.1\r\nUser-Agent: NetSupport Manager/1.3\r\nContent-Length: 0\r\nHost: {asked}\r\n\r\n"
    );
    let answer =
        "HTTP/1.1 200 OK\r\nServer: NetSupport Gateway/1.6 (Windows NT)\r\nContent-Length: 0\r\n\r\n";
    vec![
        (Side::Client, head.into_bytes()),
        (Side::Server, answer.as_bytes().to_vec()),
    ]
}

#[test]
fn a_server_that_is_asked_for_its_own_whole_address_is_no_proxy() {
    for port in ["", ":443"] {
        let own = found(71_000, 443, |server| poll(&format!("{}{port}", server.ip)));
        assert_eq!(tools(&own), ["netsupport-manager"], "{own:#?}");
    }
    let other = found(71_001, 443, |_| poll("192.0.2.1"));
    assert_eq!(tools(&other), ["http-proxy", "netsupport-manager"], "{other:#?}");
}

/// What is made of a connection over TLS to this name, whose words after the hello come at these seconds.
fn over_tls(number: u32, name: &str, words: &[(f64, Side, usize)]) -> Run {
    let [host, server] = ends(number);
    let server = End { port: 443, ..server };
    let hello = tls::client_hello(Some(name.as_bytes()), None);
    let flight = tls::server_flight(&tls::certificate(&format!("CN={name}"), "CN=authority.example"));
    let mut said = vec![(Side::Client, hello), (Side::Server, flight)];
    let mut times = vec![0.0; 3];
    for (_, bytes) in &said {
        times.resize(times.len() + bytes.len().div_ceil(1_400), 0.1);
    }
    for (place, (at, side, length)) in (0..).zip(words) {
        let mut record = vec![0x17, 3, 3];
        record.extend(u16::try_from(*length).unwrap().to_be_bytes());
        record.extend(chance(place, *length));
        times.resize(times.len() + record.len().div_ceil(1_400), *at);
        said.push((*side, record));
    }
    run_of(&stream(host, server, &said), &times)
}

/// What is made of frames that come at these seconds.
fn run_of(frames: &[Vec<u8>], times: &[f64]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.pcap");
    let mut out = PcapWriter::new(BufWriter::new(File::create(&path).unwrap()), LinkType(1), false).unwrap();
    assert_eq!(frames.len(), times.len());
    for (place, (frame, at)) in (0_i64..).zip(frames.iter().zip(times)) {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of an hour")]
        let at = Timestamp(1_750_000_000 * SECOND + (at * 1e9) as i64 + place * 1_000);
        out.frame(at, frame, u32::try_from(frame.len()).unwrap()).unwrap();
    }
    drop(out);
    let run = every_record_of(&path);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run
}

/// The one finding of a run.
fn only(run: &Run) -> Value {
    let findings = run.of("finding");
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    finding.clone()
}

/// Half an hour of a heartbeat every 15 seconds.
fn heartbeats() -> Vec<(f64, Side, usize)> {
    (1..120)
        .flat_map(|beat| {
            let at = f64::from(beat) * 15.0;
            [(at, Side::Client, 46), (at + 0.05, Side::Server, 44)]
        })
        .collect()
}

fn sorted(mut words: Vec<(f64, Side, usize)>) -> Vec<(f64, Side, usize)> {
    words.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    words
}

#[test]
fn an_agent_that_sends_its_log_and_fetches_its_next_version_holds_no_session() {
    let mut words = heartbeats();
    let log = (0..40).map(|piece| (302.0 + f64::from(piece) * 0.1, Side::Client, 10_000));
    let version = (0..900).map(|piece| (902.0 + f64::from(piece) * 0.02, Side::Server, 16_000));
    words.extend(log);
    words.extend(version);
    let finding = only(&over_tls(
        71_010,
        "relay-0a1b2c3d.net.anydesk.com",
        &sorted(words),
    ));
    assert_eq!(finding["tool"], "anydesk");
    assert_eq!(finding["role"], "agent", "{finding}");
    let summary = finding["summary"].as_str().unwrap();
    assert!(summary.contains("no session was seen"), "{summary}");
    for interval in finding["intervals"].as_array().unwrap() {
        assert!(
            !["viewed", "driven"].contains(&interval[2].as_str().unwrap()),
            "{finding}"
        );
    }
}

#[test]
fn an_agent_that_sends_figures_every_three_seconds_shows_no_screen() {
    let beats = (1_u32..300).flat_map(|beat| {
        let at = f64::from(beat) * 3.0;
        // Figures of about one length, each acknowledged.
        let length = 1_600 + usize::try_from(beat * 37 % 200).unwrap();
        [(at, Side::Client, length), (at + 0.05, Side::Server, 44)]
    });
    let beats: Vec<_> = beats.collect();
    let finding = only(&over_tls(71_014, "relay-0a1b2c3d.net.anydesk.com", &beats));
    assert_eq!(finding["role"], "agent", "{finding}");
    assert_eq!(finding["activity"], "idle", "{finding}");
    // A screen on which something else happens each time is looked at.
    let changes = (1_u32..300).flat_map(|beat| {
        let at = f64::from(beat) * 3.0;
        let length = 800 + usize::try_from(beat * beat % 11).unwrap() * 900;
        [(at, Side::Client, length), (at + 0.05, Side::Server, 44)]
    });
    let changes: Vec<_> = changes.collect();
    let finding = only(&over_tls(71_015, "relay-0a1b2c3d.net.anydesk.com", &changes));
    assert_eq!(finding["activity"], "viewed", "{finding}");
}

#[test]
fn a_screen_that_is_looked_at_for_longer_is_a_session() {
    let mut words = heartbeats();
    words.extend((0..600).map(|piece| (302.0 + f64::from(piece) * 0.1, Side::Client, 2_000)));
    let finding = only(&over_tls(
        71_011,
        "relay-0a1b2c3d.net.anydesk.com",
        &sorted(words),
    ));
    assert_eq!(finding["activity"], "viewed", "{finding}");
    assert_ne!(finding["role"], "agent");
}

#[test]
fn who_opens_the_page_of_a_kvms_cloud_is_no_kvm() {
    let page = (0..20).map(|piece| (1.0 + f64::from(piece), Side::Server, 12_000));
    let finding = only(&over_tls(71_012, "app.jetkvm.com", &page.collect::<Vec<_>>()));
    assert_eq!(finding["tool"], "jetkvm");
    // Any other role than this one would put an IP KVM on the network (profile/kvms.rs).
    assert_eq!(finding["role"], "controller", "{finding}");
    assert_eq!(finding["activity"], "idle", "a page is no screen: {finding}");
}

#[test]
fn who_reads_about_chrome_remote_desktop_gives_a_lead_at_most() {
    let page = (0..20).map(|piece| (1.0 + f64::from(piece), Side::Server, 12_000));
    let finding = only(&over_tls(
        71_013,
        "remotedesktop.google.com",
        &page.collect::<Vec<_>>(),
    ));
    assert_eq!(finding["confidence"], "low", "{finding}");
    assert_eq!(finding["role"], "unknown", "{finding}");
    assert_eq!(finding["activity"], "idle", "{finding}");
}

#[test]
fn who_signs_in_at_a_vendors_page_gives_a_lead_at_most() {
    let page: Vec<_> = (0..20)
        .map(|piece| (1.0 + f64::from(piece), Side::Server, 12_000))
        .collect();
    let cases = [
        (71_016, "login.tailscale.com", "tailscale"),
        (71_017, "www.astrill.com", "astrill"),
    ];
    for (number, name, tool) in cases {
        let finding = only(&over_tls(number, name, &page));
        assert_eq!(finding["tool"], tool);
        assert_eq!(finding["confidence"], "low", "{finding}");
        let summary = finding["summary"].as_str().unwrap();
        assert!(summary.contains("nothing of its use was seen"), "{summary}");
    }
    // The pictures of its pages come from there.
    assert_eq!(over_tls(71_018, "sb.nordcdn.com", &page).of("finding").len(), 0);
    // What the programs alone call is more than that.
    let servers = [
        (71_019, "controlplane.tailscale.com"),
        (71_022, "us4.astrill.com"),
    ];
    for (number, name) in servers {
        let finding = only(&over_tls(number, name, &page));
        assert_eq!(finding["confidence"], "medium", "{finding}");
    }
}

/// An answered call of RDP: negotiation (MS-RDPBCGR 2.2.1.1, 2.2.1.2: TLS wanted and granted) and TLS.
fn rdp_call() -> Words {
    let request = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];
    let confirm = [
        3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0,
    ];
    let certificate = tls::certificate("CN=DESKTOP-7", "CN=DESKTOP-7");
    vec![
        (Side::Client, request.to_vec()),
        (Side::Server, confirm.to_vec()),
        (Side::Client, tls::client_hello(None, None)),
        (Side::Server, tls::server_flight(&certificate)),
    ]
}

/// The finding of a host whose port of RDP this caller reached, and then these records went at these seconds.
fn called(number: u32, words: &[(f64, Side, usize)]) -> Value {
    let [host, caller] = ends(number);
    let host = End { port: 3_389, ..host };
    let mut said = rdp_call();
    let mut times = vec![
        0.0;
        3 + said
            .iter()
            .map(|(_, bytes)| bytes.len().div_ceil(1_400))
            .sum::<usize>()
    ];
    for (place, (at, side, length)) in (0..).zip(words) {
        let mut record = vec![0x17, 3, 3];
        record.extend(u16::try_from(*length).unwrap().to_be_bytes());
        record.extend(chance(place, *length));
        times.resize(times.len() + record.len().div_ceil(1_400), *at);
        said.push((*side, record));
    }
    only(&run_of(&stream(caller, host, &said), &times))
}

#[test]
fn a_port_that_a_scanner_reached_has_no_controller_and_a_session_has() {
    let scanned = called(71_023, &[]);
    assert_eq!(
        [&scanned["tool"], &scanned["role"], &scanned["controller"]],
        [&Value::from("rdp"), &Value::from("controlled"), &Value::Null],
        "{scanned}"
    );
    assert!(
        scanned["summary"]
            .as_str()
            .unwrap()
            .contains("consistent with offering"),
        "{scanned}"
    );
    let screen: Vec<_> = (0..60)
        .flat_map(|second| {
            let at = 1.0 + f64::from(second);
            [(at, Side::Server, 6_000), (at + 0.1, Side::Client, 60)]
        })
        .collect();
    let session = called(71_024, &screen);
    assert_eq!(session["controller"]["address"], session["peer"], "{session}");
    assert_eq!(session["controller"]["how"], "direct");
}

#[test]
fn a_rendezvous_among_the_local_machines_is_a_server_and_who_registers_there_is_an_agent() {
    let [host, _] = ends(71_020);
    let [server, _] = ends(71_021);
    let server = End {
        port: 21_116,
        ..server
    };
    // RegisterPeer: field 6 with an identifier and a serial number; its answer (rustdesk/hbb_common rendezvous.proto).
    let register = [&[0x32, 0x0d, 0x0a, 9][..], b"123456789", &[0x10, 1]].concat();
    let frames: Vec<Vec<u8>> = (0..8)
        .flat_map(|_| {
            [
                datagram(host, server, &register),
                datagram(server, host, &[0x3a, 0]),
            ]
        })
        .collect();
    let found = findings_of(&[frames]);
    let role = |end: End| {
        let own = &found[&end.ip.to_string()];
        let [finding] = own.as_slice() else {
            panic!("{own:#?}");
        };
        assert_eq!(finding["tool"], "rustdesk");
        assert_eq!(finding["controller"], Value::Null);
        finding["role"].as_str().unwrap().to_owned()
    };
    assert_eq!(role(host), "agent");
    assert_eq!(role(server), "server");
}

#[test]
fn a_web_server_that_refuses_to_be_a_proxy_or_a_gateway_is_neither() {
    let ask = |request: &str, answer: &str| {
        let head = format!("{request} HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 0\r\n\r\n");
        let said = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        vec![
            (Side::Client, head.into_bytes()),
            (Side::Server, said.into_bytes()),
        ]
    };
    let asked = [
        "CONNECT www.example.com:443",
        "SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/",
    ];
    for (number, (request, answer, confidence)) in (71_100..).zip([
        (asked[0], "405 Method Not Allowed", "low"),
        (asked[0], "400 Bad Request", "low"),
        (asked[1], "404 Not Found", "low"),
        (asked[0], "407 Proxy Authentication Required", "high"),
        (asked[0], "200 Connection established", "high"),
    ]) {
        let findings = found(number, 80, |_| ask(request, answer));
        let [finding] = findings.as_slice() else {
            panic!("{answer}: {findings:#?}");
        };
        assert_eq!(finding["confidence"], confidence, "{answer}");
        let summary = finding["summary"].as_str().unwrap();
        assert_eq!(
            summary.contains("it was refused"),
            confidence == "low",
            "{summary}"
        );
    }
}

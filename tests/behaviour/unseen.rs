//! What the captures do not show is not absent: farms of the laboratory whose machines are in tunnels, whose sessions were joined in their
//! middle, of which one direction was captured, or that stand behind the address of their line.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Run, every_record, finish};
use crate::runs::{scenarios, write};
use crate::scenes::{blocks, save};

/// Where in a block of a frame (enhanced packet block of pcapng) the time and the frame's lengths and bytes stand.
const TIME: usize = 12;
const CAPTURED: usize = 20;
const BYTES: usize = 28;

/// Where in an Ethernet frame that carries IPv4 its addresses stand.
const SOURCE: usize = 26;
const DESTINATION: usize = 30;

fn word(block: &[u8], from: usize) -> u32 {
    u32::from_le_bytes(block[from..from + 4].try_into().unwrap())
}

/// Ticks since 1970, and how many of them are a second: micro- or nanoseconds, by their size.
pub(crate) fn time(block: &[u8]) -> (u64, u64) {
    let ticks = u64::from(word(block, TIME)) << 32 | u64::from(word(block, TIME + 4));
    let unit = if ticks > 100_000_000_000_000_000 {
        1_000_000_000
    } else {
        1_000_000
    };
    (ticks, unit)
}

pub(crate) fn frame(block: &[u8]) -> &[u8] {
    let length = usize::try_from(word(block, CAPTURED)).unwrap();
    &block[BYTES..BYTES + length]
}

/// A block of the same interface with another frame at another time.
fn block(like: &[u8], ticks: u64, bytes: &[u8]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let padded = bytes.len().next_multiple_of(4);
    let length = number(BYTES + padded + 4);
    let mut made = like[..4].to_vec();
    made.extend(length);
    made.extend_from_slice(&like[8..TIME]);
    made.extend(u32::try_from(ticks >> 32).unwrap().to_le_bytes());
    made.extend(u32::try_from(ticks & 0xffff_ffff).unwrap().to_le_bytes());
    made.extend(number(bytes.len()));
    made.extend(number(bytes.len()));
    made.extend_from_slice(bytes);
    made.resize(BYTES + padded, 0);
    made.extend(length);
    made
}

/// The addresses of a frame, if it carries IPv4.
pub(crate) fn ends(frame: &[u8]) -> Option<[Ipv4Addr; 2]> {
    let at = |from: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&frame[from..from + 4]).unwrap());
    (frame.get(12..14) == Some(&[8, 0]) && frame.len() >= 34).then(|| [at(SOURCE), at(DESTINATION)])
}

/// Sum of the header's words (RFC 1071).
fn with_sum(mut header: Vec<u8>) -> Vec<u8> {
    header[10..12].fill(0);
    let words = header
        .chunks(2)
        .map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    header[10..12].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    header
}

/// A farm of the laboratory.
pub(crate) struct World {
    /// Kept until the end, when it goes.
    _folder: tempfile::TempDir,
    path: PathBuf,
    head: Vec<u8>,
    pub(crate) frames: Vec<Vec<u8>>,
    /// Addresses of the machines.
    pub(crate) farm: Vec<Ipv4Addr>,
}

impl World {
    /// What the laboratory writes of a scenario.
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = scenarios().find(|one| one.name == name).unwrap();
        let (path, _, truth) = write(scenario, seed, folder.path()).unwrap();
        let (head, frames) = blocks(&fs::read(&path).unwrap());
        let farm = truth.farm.iter().map(|ip| ip.parse().unwrap()).collect();
        Self {
            _folder: folder,
            path,
            head,
            frames,
            farm,
        }
    }

    /// The first midnight of the capture, in ticks.
    pub(crate) fn midnight(&self) -> u64 {
        let (ticks, unit) = time(&self.frames[0]);
        ticks - ticks % (86_400 * unit)
    }

    /// Both ends' Ethernet headers of frames between a laptop and the outside: out and in.
    fn headers(&self, laptop: Ipv4Addr) -> [Vec<u8>; 2] {
        let outside = |ip: Ipv4Addr| !ip.is_private() && !ip.is_multicast() && !ip.is_broadcast();
        let out = self.frames.iter().map(|one| frame(one)).find(|frame| {
            ends(frame).is_some_and(|[source, destination]| source == laptop && outside(destination))
        });
        let out = out.unwrap()[..14].to_vec();
        let inward = [&out[6..12], &out[..6], &out[12..]].concat();
        [out, inward]
    }

    /// Adds frames of a laptop: its own (or what comes to it), seconds since the first midnight, protocol and payload of IPv4.
    pub(crate) fn add(&mut self, laptop: Ipv4Addr, server: Ipv4Addr, packets: &[(f64, bool, u8, Vec<u8>)]) {
        let headers = self.headers(laptop);
        let (_, unit) = time(&self.frames[0]);
        let midnight = self.midnight();
        let like = self.frames[0].clone();
        for (second, is_out, protocol, payload) in packets {
            let (from, to, ethernet, ttl) = if *is_out {
                (laptop, server, &headers[0], 64)
            } else {
                (server, laptop, &headers[1], 52)
            };
            let total = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
            let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, ttl, *protocol, 0, 0];
            ip.extend(from.octets());
            ip.extend(to.octets());
            let bytes = [ethernet.as_slice(), &with_sum(ip), payload].concat();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "days"
            )]
            let ticks = midnight + (second * unit as f64) as u64;
            self.frames.push(block(&like, ticks, &bytes));
        }
    }

    /// Writes the capture and analyses it.
    pub(crate) fn run(&mut self) -> Run {
        self.frames.sort_by_key(|one| time(one).0);
        save(&self.path, &self.head, &self.frames);
        let run = finish(every_record().arg(&self.path));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    }

    /// The first lines of the text.
    pub(crate) fn headline(&self) -> String {
        let text = finish(crate::program::farmhawk().args(["analyze", "-q"]).arg(&self.path)).stdout;
        let head = text.split("\n\n").next().unwrap_or_default();
        head.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// What records say that a cue shows, or why it shows nothing.
pub(crate) fn told(records: &[Value], cue: &str) -> Vec<String> {
    let mut told = Vec::new();
    for record in records {
        let reasons = record["reasons"].as_array().into_iter().flatten();
        let own = reasons.filter(|reason| reason["reason"] == cue);
        told.extend(own.map(|reason| reason["what"].as_str().unwrap().to_owned()));
        let hidden = record["not_observable"].as_array().into_iter().flatten();
        let own = hidden.filter_map(|one| one.as_str()?.strip_prefix(&format!("{cue}: ")));
        told.extend(own.map(str::to_owned));
    }
    told
}

pub(crate) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let head = [from, to, length, 0].map(u16::to_be_bytes).concat();
    [head.as_slice(), payload].concat()
}

/// A message of data of `WireGuard` with so many octets inside.
pub(crate) fn wireguard(receiver: u8, counter: u64, inside: usize) -> Vec<u8> {
    let mut message = vec![4, 0, 0, 0, receiver, 7, 7, 7];
    message.extend(counter.to_le_bytes());
    message.extend((0..inside + 16).map(|place| u8::try_from((place * 37 + 11) % 251).unwrap()));
    message
}

#[test]
fn half_a_day_inside_of_a_tunnel_is_unknown_and_not_empty() {
    let mut world = World::new("s25", 3);
    let plain = world.run().of("farm");
    for cue in ["cover", "local"] {
        let told = told(&plain, cue).concat();
        assert!(!told.is_empty() && !told.contains("nobody sees"), "{told}");
    }
    for laptop in world.farm.clone() {
        let mut packets = Vec::new();
        for minute in (0..5_u32).flat_map(|day| (0..720).map(move |minute| day * 1_440 + minute)) {
            let second = f64::from(minute) * 60.0 + 7.0;
            let counter = u64::from(minute);
            let out = udp(51_820, 51_820, &wireguard(1, counter, 1_088));
            let inward = udp(51_820, 51_820, &wireguard(2, counter, 1_344));
            packets.extend([(second, true, 17, out), (second + 0.1, false, 17, inward)]);
        }
        world.add(laptop, Ipv4Addr::new(198, 51, 100, 200), &packets);
    }
    let farms = world.run().of("farm");
    assert!(!farms.is_empty());
    for cue in ["cover", "local"] {
        let told = told(&farms, cue);
        assert!(
            told.iter()
                .all(|what| what.contains("went through wireguard, into which nobody sees")),
            "{told:?}"
        );
    }
    let vpn = told(&farms, "dev_vpn").concat();
    assert!(!vpn.contains("employer's"), "{vpn}");
}

/// Segments of a connection on which a hand at the client drives what the server shows, for so many windows of ten seconds.
fn desk(start: u32, windows: u32) -> Vec<(f64, bool, u8, Vec<u8>)> {
    let mut next = [1_000_u32, 9_000_u32];
    let mut packets = Vec::new();
    let mut segment = |second: f64, is_out: bool, flags: u8, payload: &[u8]| {
        let side = usize::from(!is_out);
        let ports: [u16; 2] = if is_out { [50_123, 443] } else { [443, 50_123] };
        let mut bytes = ports.map(u16::to_be_bytes).concat();
        bytes.extend(next[side].to_be_bytes());
        bytes.extend(next[side ^ 1].to_be_bytes());
        bytes.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        bytes.extend_from_slice(payload);
        let length = u32::try_from(payload.len()).unwrap() + u32::from(flags & 2 != 0);
        next[side] = next[side].wrapping_add(length);
        packets.push((second, is_out, 6, bytes));
    };
    let record = |length: usize| -> Vec<u8> {
        let mut record = vec![0x17, 3, 3];
        record.extend(u16::try_from(length).unwrap().to_be_bytes());
        record.extend((0..length).map(|place| u8::try_from((place * 89 + 3) % 253).unwrap()));
        record
    };
    let begin = f64::from(start);
    segment(begin, true, 2, &[]);
    segment(begin + 0.02, false, 18, &[]);
    segment(begin + 0.03, true, 16, &[]);
    for window in 1..windows {
        let from = begin + f64::from(window) * 10.0;
        // Somebody reads now and then.
        let inputs = if window % 5 == 0 { 1 } else { 25 };
        for input in 0..inputs {
            let at = from + f64::from(input) * 0.3;
            segment(at, true, 24, &record(48));
            if input % 5 == 0 {
                segment(at + 0.04, false, 24, &record(1_300));
                segment(at + 0.05, false, 24, &record(1_300));
            }
        }
    }
    packets
}

#[test]
fn who_drives_something_elsewhere_sits_at_the_machine() {
    let mut world = World::new("s25", 3);
    for laptop in world.farm.clone() {
        // Twenty minutes past one at night, when nobody works there from elsewhere.
        world.add(laptop, Ipv4Addr::new(198, 51, 100, 77), &desk(4_800, 480));
    }
    let records = world.run().of("farm");
    let local = told(&records, "local");
    assert!(
        local[0].contains("consistent with somebody who sits there"),
        "{local:?}"
    );
}

#[test]
fn a_session_that_was_joined_in_its_middle_is_not_denied() {
    let mut world = World::new("s25", 3);
    let (_, unit) = time(&world.frames[0]);
    let midnight = world.midnight();
    world
        .frames
        .retain(|one| (midnight + 86_400 * unit..midnight + 172_800 * unit).contains(&time(one).0));
    let run = world.run();
    let mut records = run.of("farm");
    records.extend(run.of("host"));
    let of_farm: Vec<String> = (world.farm.iter()).map(ToString::to_string).collect();
    let mut laptops = 0;
    for record in &records {
        let ips = record["ips"].as_array().into_iter().flatten();
        let is_laptop = ips
            .filter_map(Value::as_str)
            .any(|ip| of_farm.iter().any(|own| own == ip));
        if !is_laptop {
            continue;
        }
        laptops += 1;
        for cue in ["n_rc", "auth"] {
            let told = told(std::slice::from_ref(record), cue).concat();
            assert!(
                told.contains("cannot be told: 1 connection began before the capture"),
                "{cue}: {told}"
            );
        }
    }
    assert_eq!(laptops, world.farm.len());
    let remark = format!(
        "{0} connections on {0} machines began before the capture: what they are cannot be told",
        world.farm.len()
    );
    assert!(run.summary()["remarks"].to_string().contains(&remark));
    assert!(world.headline().contains(&remark), "{}", world.headline());
}

#[test]
fn of_one_direction_neither_activity_nor_absence_is_told() {
    let mut world = World::new("s25", 3);
    world
        .frames
        .retain(|one| ends(frame(one)).is_none_or(|[source, _]| source.is_private()));
    let run = world.run();
    let findings = run.of("finding");
    let sessions: Vec<&Value> = findings
        .iter()
        .filter(|one| one["kind"] == "remote_access")
        .collect();
    assert!(sessions.len() >= world.farm.len(), "{findings:?}");
    for session in sessions {
        assert_eq!(session["activity"], "unknown", "{session}");
        assert_eq!(session["intervals"], Value::Null, "{session}");
    }
    let mut records = run.of("farm");
    records.extend(run.of("host"));
    for cue in ["n_rc", "auth"] {
        let told = told(&records, cue);
        assert!(!told.is_empty());
        for what in told {
            assert!(
                what.contains("one direction alone was captured") || what.contains("cannot be told"),
                "{cue}: {what}"
            );
        }
    }
    let headline = world.headline();
    assert!(
        headline.contains("one direction alone was captured"),
        "{headline}"
    );
}

/// Where a frame of IPv4 has its time to live.
const TIME_TO_LIVE: usize = 22;

/// The frames as they pass on the outside of the router, all from one public address.
fn outside(world: &mut World, line: Ipv4Addr) {
    let mut frames = Vec::new();
    for one in &world.frames {
        let bytes = frame(one);
        let Some([source, destination]) = ends(bytes) else {
            continue;
        };
        let is_group = destination.is_multicast() || destination.is_broadcast();
        if source.is_private() == destination.is_private() || is_group || source.is_unspecified() {
            continue;
        }
        let mut translated = bytes.to_vec();
        let place = if source.is_private() { SOURCE } else { DESTINATION };
        translated[place..place + 4].copy_from_slice(&line.octets());
        // Out of the house a packet has passed the router.
        translated[TIME_TO_LIVE] -= u8::from(source.is_private());
        let header = with_sum(translated[14..34].to_vec());
        translated[14..34].copy_from_slice(&header);
        frames.push(block(one, time(one).0, &translated));
    }
    world.frames = frames;
}

#[test]
fn the_address_of_a_line_is_taken_for_local_and_said_to_be() {
    let mut world = World::new("s25", 3);
    let line = Ipv4Addr::new(203, 0, 113, 7);
    outside(&mut world, line);
    let run = world.run();
    let remarks = run.summary()["remarks"].to_string();
    assert!(
        remarks.contains("no packet had a local address: 203.0.113.7") && remarks.contains("(-n)"),
        "{remarks}"
    );
    let host = |run: &Run| {
        let hosts = run.of("host");
        let own = hosts.into_iter().find(|host| host["ips"][0] == line.to_string());
        own.unwrap()
    };
    let taken = host(&run);
    assert!(
        taken["tenants"].as_array().is_some_and(|list| !list.is_empty()),
        "{taken}"
    );
    // As whoever names it himself.
    let named = finish(every_record().args(["-n", "203.0.113.7"]).arg(&world.path));
    assert_eq!(host(&named)["verdict"], taken["verdict"]);
    assert!(!named.summary()["remarks"].to_string().contains("no packet had"));
}

#[test]
fn without_any_local_address_nothing_was_looked_for() {
    let mut world = World::new("s25", 3);
    outside(&mut world, Ipv4Addr::new(203, 0, 113, 7));
    save(&world.path, &world.head, &world.frames);
    // Whoever names other networks than are there.
    let run = finish(every_record().args(["-n", "192.0.2.0/24"]).arg(&world.path));
    let summary = run.summary();
    assert!(
        summary["remarks"]
            .to_string()
            .contains("no packet had a local address, so little was looked for; 203.0.113.7 takes part in"),
        "{summary}"
    );
    assert!(
        summary["little"]
            .as_str()
            .unwrap()
            .contains("no packet had a local address")
    );
    let hosts = run.of("host");
    for host in hosts {
        for cue in ["tenants", "cover", "local"] {
            for what in told(std::slice::from_ref(&host), cue) {
                assert!(
                    !what.contains("no names were asked") && !what.contains("fewer than"),
                    "{cue}: {what}"
                );
            }
        }
    }
}

#[test]
fn an_ip_kvm_that_did_not_announce_itself_is_not_denied() {
    let mut world = World::new("s13", 1);
    let (_, unit) = time(&world.frames[0]);
    let midnight = world.midnight();
    // Two hours a day, in which no board says what it is.
    let watched = 13 * 3_600 * unit..15 * 3_600 * unit;
    world
        .frames
        .retain(|one| watched.contains(&((time(one).0 - midnight) % (86_400 * unit))));
    let run = world.run();
    assert!(
        !run.of("finding").iter().any(|one| one["kind"] == "ip_kvm"),
        "a board announced itself"
    );
    let farms = run.of("farm");
    assert!(!farms.is_empty());
    for cue in ["n_rc", "auth", "kvm"] {
        let told = told(&farms, cue);
        assert!(
            told.iter().all(|what| what.contains("as IP KVMs do")),
            "{cue}: {told:?}"
        );
    }
    let headline = world.headline();
    assert!(headline.contains("as IP KVMs do"), "{headline}");
}

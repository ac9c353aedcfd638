//! Flow records against tshark's conversations and Community IDs, where tshark is installed.
//!
//! The decoder has its own comparison, of what it gives for each frame (`src/decode/captures.rs`); here records are
//! compared, after duplicates, time-outs and the choice of who opened.
//!
//! tshark takes a third of a second for each capture, so a sample is compared; `FARMHAWK_AGREEMENT=all` takes all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::agreement::{exceptions, stale};
use crate::program::{Labelled, every_record_of, labelled_captures, two_at_a_time};

/// Every so many captures one is in the sample.
const SAMPLE: usize = 6;

/// Packets and bytes from the first named end to the other, and back.
type Counts = [(u64, Bytes); 2];

/// Bytes as exactly as they were printed.
#[derive(Clone, Copy, Debug)]
struct Bytes {
    least: u64,
    /// What is below it may have been rounded away.
    grain: u64,
}

impl Bytes {
    fn agrees(self, exact: u64) -> bool {
        exact >= self.least && exact - self.least < self.grain
    }

    /// `12 kB` is anything from 12,000 to 12,999.
    fn read(number: &str, unit: &str) -> Self {
        let scale = match unit {
            "bytes" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            _ => panic!("unit {unit}"),
        };
        Self {
            least: number.replace(',', "").parse::<u64>().unwrap() * scale,
            grain: scale,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            least: self.least + other.least,
            // One grain each; exact ones have none to add.
            grain: self.grain + other.grain - 1,
        }
    }
}

pub(crate) fn has_tshark() -> bool {
    let is_there = Command::new("tshark").arg("-v").output().is_ok();
    if !is_there {
        println!("skipped: tshark not found");
    }
    is_there
}

pub(crate) fn is_everything_wanted() -> bool {
    std::env::var_os("FARMHAWK_AGREEMENT").is_some_and(|value| value == "all")
}

/// Captures whose label names a result of nDPI: whole conversations in all sorts of link types.
fn with_oracle() -> Option<Vec<Labelled>> {
    let mut captures = labelled_captures()?;
    captures.retain(|capture| {
        let mut labels = capture.labels.iter();
        labels.any(|label| label.starts_with("oracle:") && label.contains(".out"))
    });
    assert!(captures.len() > 400, "only {} captures", captures.len());
    if !is_everything_wanted() {
        captures = captures.into_iter().step_by(SAMPLE).collect();
    }
    Some(captures)
}

fn ends(one: String, other: String) -> (String, bool) {
    let is_swapped = other < one;
    let [first, second] = if is_swapped { [other, one] } else { [one, other] };
    (format!("{first} {second}"), is_swapped)
}

/// Our records, those of one conversation summed.
fn ours(flows: &[Value]) -> BTreeMap<String, [(u64, u64); 2]> {
    let mut counts = BTreeMap::new();
    for flow in flows {
        let protocol = flow["proto"].as_str().unwrap();
        if !["TCP", "UDP", "SCTP"].contains(&protocol) || flow.get("src_port").is_none() {
            continue;
        }
        let end = |address: &str, port: &str| format!("{}:{}", flow[address].as_str().unwrap(), flow[port]);
        let (name, is_swapped) = ends(end("src_ip", "src_port"), end("dest_ip", "dest_port"));
        let number = |field: &str| flow[field].as_u64().unwrap();
        let sides = [
            (number("pkts_toserver"), number("bytes_toserver")),
            (number("pkts_toclient"), number("bytes_toclient")),
        ];
        let sum: &mut [(u64, u64); 2] = counts
            .entry(format!("{} {name}", protocol.to_lowercase()))
            .or_default();
        for (place, (packets, bytes)) in sides.into_iter().enumerate() {
            let place = if is_swapped { 1 - place } else { place };
            sum[place].0 += packets;
            sum[place].1 += bytes;
        }
    }
    counts
}

/// What tshark's three tables say. Of equal names (reused ports) it prints one line each.
fn theirs(path: &Path) -> BTreeMap<String, Counts> {
    let tables = ["conv,tcp", "conv,udp", "conv,sctp"].map(|table| ["-z", table]);
    let output = Command::new("tshark")
        .args(["-n", "-q"])
        .args(tables.concat())
        .arg("-r")
        .arg(path)
        .output()
        .unwrap();
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut protocol = "";
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        protocol = match line {
            "TCP Conversations" => "tcp",
            "UDP Conversations" => "udp",
            "SCTP Conversations" => "sctp",
            _ => protocol,
        };
        // Ends; then packets, bytes and unit to the first, from the first, and in all.
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            one,
            "<->",
            other,
            back,
            back_bytes,
            back_unit,
            forth,
            forth_bytes,
            forth_unit,
            ..,
        ] = words[..]
        else {
            continue;
        };
        let (name, is_swapped) = ends(one.to_owned(), other.to_owned());
        let mut sides = [
            (forth.parse().unwrap(), Bytes::read(forth_bytes, forth_unit)),
            (back.parse().unwrap(), Bytes::read(back_bytes, back_unit)),
        ];
        if is_swapped {
            sides.swap(0, 1);
        }
        match counts.entry(format!("{protocol} {name}")) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(sides);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                for (sum, side) in place.get_mut().iter_mut().zip(sides) {
                    *sum = (sum.0 + side.0, sum.1.plus(side.1));
                }
            }
        }
    }
    counts
}

fn disagreements(capture: &Labelled) -> (usize, Vec<String>) {
    let run = every_record_of(&capture.path);
    let (ours, theirs) = (ours(&run.of("flow")), theirs(&capture.path));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut wrong = Vec::new();
    let mut missing = Some(0);
    for name in &names {
        let agrees = match (ours.get(*name), theirs.get(*name)) {
            (Some(ours), Some(theirs)) => ours
                .iter()
                .zip(theirs)
                .all(|(ours, theirs)| ours.0 == theirs.0 && theirs.1.agrees(ours.1)),
            _ => false,
        };
        if !agrees {
            let (ours, theirs) = (ours.get(*name), theirs.get(*name));
            missing = missing.zip(left_out(ours, theirs)).map(|(sum, more)| sum + more);
            wrong.push(format!("{}: {name}: {ours:?}, tshark {theirs:?}", capture.name));
        }
    }
    // What a mirror port copied is counted once here and twice by tshark: what is missing may be that, and nothing else.
    let copies = run.summary()["packets"]["duplicates"].as_u64().unwrap();
    if missing.is_some_and(|missing| missing <= copies) {
        wrong.clear();
    }
    (names.len(), wrong)
}

/// How many packets of a conversation tshark counts beyond ours; `None` where it is not only that.
fn left_out(ours: Option<&[(u64, u64); 2]>, theirs: Option<&Counts>) -> Option<u64> {
    let mut sum = 0;
    for (ours, theirs) in ours?.iter().zip(theirs?) {
        let packets = theirs.0.checked_sub(ours.0)?;
        if packets == 0 && !theirs.1.agrees(ours.1) {
            return None;
        }
        sum += packets;
    }
    Some(sum)
}

#[test]
fn flow_records_count_what_tshark_counts() {
    if !has_tshark() {
        return;
    }
    let Some(captures) = with_oracle() else { return };
    let results = two_at_a_time(&captures, disagreements);
    let mut wrong = Vec::new();
    let mut agreeing = BTreeSet::new();
    let mut conversations = 0;
    let explained = exceptions("flows");
    for (capture, (number, complaints)) in captures.iter().zip(results) {
        conversations += number;
        if complaints.is_empty() {
            agreeing.insert(capture.name.as_str());
        } else if !explained.iter().any(|(name, _)| *name == capture.name) {
            wrong.extend(complaints);
        }
    }
    wrong.extend(stale("flows", |name| agreeing.contains(name)));
    println!("{} captures, {conversations} conversations", captures.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Layers for which the identifier is defined.
fn is_identified(flow: &Value) -> bool {
    let protocol = flow["proto"].as_str().unwrap();
    ["TCP", "UDP", "SCTP", "ICMP", "ICMPv6"].contains(&protocol)
}

/// The identifiers of our records that tshark has for no packet, and how many records were compared.
fn unknown_identifiers(capture: &Labelled) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    let run = every_record_of(&capture.path);
    let output = Command::new("tshark")
        .args([
            "-n",
            "--enable-protocol",
            "communityid",
            "-T",
            "fields",
            "-e",
            "communityid",
            "-r",
        ])
        .arg(&capture.path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let theirs: BTreeSet<&str> = text.lines().flat_map(|line| line.split(',')).collect();
    let mut compared = BTreeMap::new();
    let mut wrong = Vec::new();
    for flow in run.of("flow").iter().filter(|flow| is_identified(flow)) {
        let kind = if flow["proto"].as_str().unwrap().starts_with("ICMP") {
            "ICMP"
        } else {
            "others"
        };
        *compared.entry(kind).or_default() += 1;
        let ours = flow["community_id"].as_str().unwrap();
        // tshark hashes the innermost packet of a frame; outside stands the tunnel.
        let is_outer = flow["opened_tunnel"] == true;
        if !theirs.contains(ours) && !is_outer && flow.get("tunnel").is_none() {
            wrong.push(format!("{}: {ours} is unknown to tshark: {flow}", capture.name));
        }
    }
    (compared, wrong)
}

#[test]
fn community_ids_are_those_of_tshark() {
    if !has_tshark() {
        return;
    }
    let knows = Command::new("tshark").args(["-G", "protocols"]).output().unwrap();
    if !String::from_utf8_lossy(&knows.stdout).contains("communityid") {
        println!("skipped: this tshark has no Community ID");
        return;
    }
    let Some(mut captures) = labelled_captures() else {
        return;
    };
    if !is_everything_wanted() {
        let mut place = 0;
        captures.retain(|capture| {
            place += 1;
            place % 60 == 0 || capture.name.contains("icmp")
        });
    }
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut agreeing = BTreeSet::new();
    let explained = exceptions("identifiers");
    for (capture, (compared, complaints)) in
        captures.iter().zip(two_at_a_time(&captures, unknown_identifiers))
    {
        for (kind, number) in compared {
            *sums.entry(kind).or_default() += number;
        }
        if complaints.is_empty() {
            agreeing.insert(capture.name.as_str());
        } else if !explained.iter().any(|(name, _)| *name == capture.name) {
            wrong.extend(complaints);
        }
    }
    wrong.extend(stale("identifiers", |name| agreeing.contains(name)));
    println!("{} captures, records: {sums:?}", captures.len());
    assert!(
        sums.contains_key("ICMP") && sums.contains_key("others"),
        "{sums:?}"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exception_names_a_capture_and_a_comparison() {
    let rows = include_str!("agreement.tsv").lines().skip(1);
    let known: BTreeSet<String> = labelled_captures()
        .into_iter()
        .flatten()
        .map(|capture| capture.name)
        .collect();
    let mut last = "";
    for row in rows {
        let columns: Vec<&str> = row.split('\t').collect();
        let [name, compared, reason] = columns[..] else {
            panic!("three columns are wanted: {row}");
        };
        assert!(
            name > last,
            "{name} stands behind {last}: one row a capture, sorted"
        );
        last = name;
        assert!(
            known.is_empty() || known.contains(name),
            "no capture is called {name}"
        );
        for word in compared.split(',') {
            assert!(
                ["decoder", "flows", "identifiers"].contains(&word),
                "{name}: {word}"
            );
        }
        assert!(!reason.is_empty(), "{name}: no reason");
    }
}

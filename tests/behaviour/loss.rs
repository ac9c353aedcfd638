//! What is lost before or in a capture: little changes nothing, much lets no verdict go beyond a review and is named
//! (DETECTION 9.1, S29).

use std::fs;

use serde_json::Value;

use crate::program::{farmhawk, finish, fixture};

/// Type of an enhanced packet block, and of the statistics of an interface (pcapng).
const PACKET: u32 = 6;
const STATISTICS: u32 = 5;

/// The blocks of a little-endian pcapng file, with their types.
fn blocks(capture: &[u8]) -> Vec<(u32, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let mut list = Vec::new();
    let mut at = 0;
    while at < capture.len() {
        let length = usize::try_from(word(at + 4)).unwrap();
        list.push((word(at), &capture[at..at + length]));
        at += length;
    }
    list
}

/// The capture of the demonstration's farm without about `percent` of its packets.
fn without(percent: u32) -> Vec<u8> {
    let whole = fs::read(fixture("demo/farm.pcapng")).unwrap();
    let mut number = 0_u32;
    let mut kept = Vec::new();
    for (kind, block) in blocks(&whole) {
        if kind == PACKET {
            number += 1;
            // Scattered like a port's losses, and the same in every run.
            if number.wrapping_mul(0x9e37_79b1) >> 16 & 0xffff < percent * 0xffff / 100 {
                continue;
            }
        }
        kept.extend_from_slice(block);
    }
    kept
}

/// The capture with a statement of its interface: so many packets were dropped.
fn that_says_to_have_dropped(packets: u64) -> Vec<u8> {
    let mut capture = fs::read(fixture("demo/farm.pcapng")).unwrap();
    let length = 40_u32;
    for word in [STATISTICS, length, 0, 0, 0, 5 | 8 << 16] {
        capture.extend_from_slice(&word.to_le_bytes());
    }
    capture.extend_from_slice(&packets.to_le_bytes());
    for word in [0, length] {
        capture.extend_from_slice(&word.to_le_bytes());
    }
    capture
}

/// The farm's record and the summary.
fn analysed(capture: &[u8]) -> (Value, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.pcapng");
    fs::write(&path, capture).unwrap();
    let mut command = farmhawk();
    command.args(["analyze", "--format", "jsonl", "--all"]);
    command.arg("--assets").arg(fixture("demo/inventory.csv"));
    command.arg("--policy").arg(fixture("demo/policy.toml"));
    let run = finish(command.arg(&path));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut farms = run.of("farm");
    assert_eq!(farms.len(), 1);
    (farms.remove(0), run.summary())
}

#[test]
fn a_few_lost_packets_change_no_verdict() {
    let (farm, run) = analysed(&without(3));
    assert!(!run.to_string().contains("no verdict goes beyond"), "{run}");
    assert_eq!(farm["verdict"], "strong");
    assert!(!farm["summary"].as_str().unwrap().contains("not rated higher"));
}

#[test]
fn nearly_a_third_of_lost_packets_allows_no_more_than_a_review_and_is_named() {
    let (farm, run) = analysed(&without(30));
    assert_eq!(farm["verdict"], "review");
    let summary = farm["summary"].as_str().unwrap();
    let words = "% of what the TCP connections carried is missing from the capture";
    assert!(
        summary.contains("not rated higher because") && summary.contains(words),
        "{summary}"
    );
    let remarks = run["remarks"].to_string();
    assert!(
        remarks.contains("no verdict goes beyond review") && remarks.contains(words),
        "{remarks}"
    );
}

#[test]
fn packets_that_the_capturing_kernel_dropped_count_as_lost() {
    assert_eq!(analysed(&that_says_to_have_dropped(300)).0["verdict"], "strong");
    let (farm, _) = analysed(&that_says_to_have_dropped(20_000));
    assert_eq!(farm["verdict"], "review");
    let summary = farm["summary"].as_str().unwrap();
    assert!(
        summary.contains("36 % of the packets were dropped before they reached the capture"),
        "{summary}"
    );
}

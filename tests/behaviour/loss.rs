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

/// The verdict on the capture as it is: more than a review, which damage does not allow.
fn whole() -> Value {
    let verdict = analysed(&fs::read(fixture("demo/farm.pcapng")).unwrap()).0["verdict"].take();
    assert!(verdict == "likely" || verdict == "strong", "{verdict}");
    verdict
}

#[test]
fn a_few_lost_packets_change_no_verdict() {
    let (farm, run) = analysed(&without(3));
    assert!(!run.to_string().contains("no verdict goes beyond"), "{run}");
    assert_eq!(farm["verdict"], whole());
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
    assert_eq!(analysed(&that_says_to_have_dropped(300)).0["verdict"], whole());
    let (farm, _) = analysed(&that_says_to_have_dropped(20_000));
    assert_eq!(farm["verdict"], "review");
    let summary = farm["summary"].as_str().unwrap();
    assert!(
        summary.contains("36 % of the packets were dropped before they reached the capture"),
        "{summary}"
    );
}

/// The capture with every packet cut to so many octets, and only what came within so many seconds of the first.
fn cut(snap: usize, seconds: u64) -> Vec<u8> {
    let whole = fs::read(fixture("demo/farm.pcapng")).unwrap();
    let word = |block: &[u8], at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
    let time = |block: &[u8]| u64::from(word(block, 12)) << 32 | u64::from(word(block, 16));
    let all = blocks(&whole);
    let first = all
        .iter()
        .find(|(kind, _)| *kind == PACKET)
        .map(|(_, block)| time(block));
    let mut kept = Vec::new();
    for (kind, block) in all {
        if kind != PACKET {
            kept.extend_from_slice(block);
            continue;
        }
        // Microseconds, unless the interface says otherwise: the laboratory's does not.
        if time(block) - first.unwrap() > seconds * 1_000_000 {
            continue;
        }
        let captured = snap.min(usize::try_from(word(block, 20)).unwrap());
        let padded = captured.next_multiple_of(4);
        let length = u32::try_from(32 + padded).unwrap().to_le_bytes();
        kept.extend_from_slice(&block[..4]);
        kept.extend_from_slice(&length);
        kept.extend_from_slice(&block[8..20]);
        kept.extend_from_slice(&u32::try_from(captured).unwrap().to_le_bytes());
        kept.extend_from_slice(&block[24..28 + captured]);
        kept.resize(kept.len() + padded - captured, 0);
        kept.extend_from_slice(&length);
    }
    kept
}

/// The records of hosts and groups, the summary, and the first line of the text.
fn judged(capture: &[u8]) -> (Vec<Value>, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pcapng");
    fs::write(&path, capture).unwrap();
    let run = crate::program::every_record_of(&path);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut judged = run.of("farm");
    judged.extend(run.of("host"));
    let text = finish(farmhawk().args(["analyze", "-q"]).arg(&path)).stdout;
    let head = text.split("\n\n").next().unwrap_or_default();
    let head: Vec<&str> = head.split_whitespace().collect();
    (judged, run.summary(), head.join(" "))
}

/// What a record says to have looked for and not found.
fn absent(record: &Value) -> Vec<&str> {
    let reasons = record["reasons"].as_array().into_iter().flatten();
    reasons
        .filter_map(|reason| reason["what"].as_str())
        .filter(|what| what.starts_with("no "))
        .collect()
}

#[test]
fn what_headers_or_minutes_cannot_show_is_not_said_to_be_absent() {
    let (whole, run, _) = judged(&cut(usize::MAX, u64::MAX / 2_000_000));
    assert!(whole.iter().any(|one| !absent(one).is_empty()), "{whole:?}");
    assert_eq!(run["little"], Value::Null);
    let (headers, run, _) = judged(&cut(96, u64::MAX / 2_000_000));
    for one in &headers {
        assert!(absent(one).is_empty(), "{one}");
    }
    let why = "conversations were cut before what names them";
    assert!(run["little"].as_str().unwrap().contains(why), "{run}");
    assert!(
        run["remarks"]
            .to_string()
            .contains("frames were cut by the snap length"),
        "{run}"
    );
    let (minutes, run, head) = judged(&cut(usize::MAX, 60));
    for one in &minutes {
        assert!(absent(one).is_empty(), "{one}");
    }
    assert!(run["little"].as_str().unwrap().starts_with("only "), "{run}");
    assert!(head.contains("but little was seen, only "), "{head}");
}

//! Captures of two points whose clocks differ, a clock that is set back, and what a capture alone did not see.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{every_record, finish, fixture};

/// A recorded session: its file header, and its records as microseconds since 1970 and what stands behind them.
fn session() -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let whole = fs::read(fixture("real/vnc-plain/capture.pcap")).unwrap();
    let word = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap());
    let mut records = Vec::new();
    let mut at = 24;
    while at < whole.len() {
        let end = at + 16 + word(at + 8) as usize;
        let time = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        records.push((time, whole[at + 8..end].to_vec()));
        at = end;
    }
    (whole[..24].to_vec(), records)
}

fn write(path: &Path, header: &[u8], records: &[(u64, Vec<u8>)]) {
    let mut bytes = header.to_vec();
    for (time, rest) in records {
        bytes.extend(u32::try_from(time / 1_000_000).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(time % 1_000_000).unwrap().to_le_bytes());
        bytes.extend(rest);
    }
    fs::write(path, bytes).unwrap();
}

/// The summary's records of captures.
fn captures(paths: &[&Path]) -> Vec<Value> {
    let run = finish(every_record().args(paths));
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.summary()["captures"].as_array().unwrap().clone()
}

#[test]
fn two_points_that_saw_the_same_packets_have_their_offset_estimated() {
    let folder = tempfile::tempdir().unwrap();
    let (header, records) = session();
    for offset in [180_000, 4_000_000] {
        let paths = [folder.path().join("a.pcap"), folder.path().join("b.pcap")];
        write(&paths[0], &header, &records);
        let later: Vec<_> = records
            .iter()
            .map(|(time, rest)| (time + offset, rest.clone()))
            .collect();
        write(&paths[1], &header, &later);
        let captures = captures(&[&paths[0], &paths[1]]);
        let found = &captures[1]["clock_offset"];
        assert_eq!(found["against"], 0, "{captures:?}");
        assert_eq!(found["offset_us"], offset, "{found}");
        assert!(found["packets"].as_u64().unwrap() >= 20, "{found}");
        assert!(captures[0]["clock_offset"].is_null());
    }
}

/// What an analysis counts of each connection: packets, octets, and what TCP showed.
fn connections(paths: &[&Path]) -> Vec<Value> {
    let run = finish(every_record().args(paths));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let connections: Vec<Value> = run
        .of("flow")
        .into_iter()
        .filter(|flow| flow["proto"] == "TCP")
        .map(|flow| {
            let counted = [
                "src_port",
                "dest_port",
                "pkts_toserver",
                "pkts_toclient",
                "bytes_toserver",
                "bytes_toclient",
                "tcp",
            ];
            counted.map(|field| flow[field].clone()).to_vec().into()
        })
        .collect();
    assert!(!connections.is_empty());
    connections
}

#[test]
fn a_flow_that_two_points_saw_counts_once_whatever_their_clocks_say() {
    let folder = tempfile::tempdir().unwrap();
    let (header, records) = session();
    let paths = [folder.path().join("a.pcap"), folder.path().join("b.pcap")];
    write(&paths[0], &header, &records);
    let alone = connections(&[&paths[0]]);
    for offset in [3_000, 180_000, 4_000_000] {
        // A router further: the time to live is one less, the header's checksum and the link addresses are others.
        let later: Vec<_> = records
            .iter()
            .map(|(time, rest)| {
                let mut rest = rest.clone();
                // Behind the record's two lengths stands the Ethernet header.
                if rest[8 + 12..8 + 14] == [8, 0] {
                    rest[8] ^= 0x10;
                    rest[8 + 14 + 8] -= 1;
                    rest[8 + 14 + 10] ^= 1;
                }
                (time + offset, rest)
            })
            .collect();
        write(&paths[1], &header, &later);
        assert_eq!(connections(&[&paths[0], &paths[1]]), alone, "{offset}");
    }
}

#[test]
fn two_points_that_lost_packets_each_make_a_whole_flow_together() {
    let folder = tempfile::tempdir().unwrap();
    let (header, records) = session();
    let whole = folder.path().join("whole.pcap");
    write(&whole, &header, &records);
    let paths = [folder.path().join("a.pcap"), folder.path().join("b.pcap")];
    for (path, lost) in paths.iter().zip([3, 4]) {
        let kept: Vec<_> = records
            .iter()
            .zip(0..)
            .filter(|(_, number)| number % 10 != lost)
            .map(|(record, _)| record.clone())
            .collect();
        write(path, &header, &kept);
    }
    let packets = |paths: &[&Path]| -> u64 {
        let list = connections(paths);
        list.iter()
            .map(|one| one[2].as_u64().unwrap() + one[3].as_u64().unwrap())
            .sum()
    };
    assert_eq!(packets(&[&paths[0], &paths[1]]), packets(&[&whole]));
    assert!(packets(&[&paths[0]]) < packets(&[&whole]));
}

#[test]
fn halves_of_one_capture_have_no_offset() {
    let folder = tempfile::tempdir().unwrap();
    let (header, records) = session();
    let paths = [folder.path().join("a.pcap"), folder.path().join("b.pcap")];
    let (first, second) = records.split_at(records.len() / 2);
    write(&paths[0], &header, first);
    write(&paths[1], &header, second);
    let captures = captures(&[&paths[0], &paths[1]]);
    assert!(
        captures.iter().all(|capture| capture["clock_offset"].is_null()),
        "{captures:?}"
    );
}

#[test]
fn a_clock_that_is_set_back_is_told_and_takes_no_session_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (header, mut records) = session();
    let half = records.len() / 2;
    for (time, _) in &mut records[half..] {
        *time -= 30_000_000;
    }
    let path = folder.path().join("a.pcap");
    write(&path, &header, &records);
    let captures = captures(&[&path]);
    assert_eq!(captures[0]["clock"]["backward"], 1, "{captures:?}");
    let run = finish(every_record().arg(&path));
    let findings = run.of("finding");
    assert!(
        findings.iter().any(|finding| finding["tool"] == "vnc"),
        "{findings:?}"
    );
}

#[test]
fn packets_that_the_receiver_acknowledged_and_the_capture_lost_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (header, records) = session();
    // Every fortieth full packet was not stored.
    let mut full = 0;
    let kept: Vec<_> = records
        .into_iter()
        .filter(|(_, rest)| {
            full += usize::from(rest.len() > 1_000);
            rest.len() <= 1_000 || full % 40 != 0
        })
        .collect();
    let path = folder.path().join("a.pcap");
    write(&path, &header, &kept);
    let run = finish(every_record().arg(&path));
    let flows = run.of("flow");
    let sum = |field: &str| -> u64 { flows.iter().filter_map(|flow| flow["tcp"][field].as_u64()).sum() };
    assert!(sum("gap_bytes") > 0, "{flows:?}");
    assert_eq!(sum("unseen_bytes"), sum("gap_bytes"));
}

//! What is said of the captures themselves: which were read, what they held, and what was not read.

use std::fs;
use std::process::Command;

use crate::program::{every_record_of, farmhawk, finish, fixture};

#[test]
fn a_folder_says_which_of_its_captures_were_not_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("formats/link-raw.pcap"), folder.path().join("a.pcap")).unwrap();
    fs::write(folder.path().join("garbage.pcap"), "no capture at all").unwrap();
    let run = every_record_of(folder.path());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("garbage.pcap: not read: "), "{}", run.stderr);
    let summary = run.summary();
    assert_eq!(summary["captures_unread"], 1);
    assert!(
        summary["remarks"].to_string().contains("garbage.pcap"),
        "{summary}"
    );
    assert_eq!(summary["captures"].as_array().unwrap().len(), 1);
}

#[test]
fn a_capture_that_is_there_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let capture = fixture("real/rdp-shadow/capture.pcap");
    let copy = folder.path().join("copy.pcap");
    fs::copy(&capture, &copy).unwrap();
    let packed = fs::File::create(folder.path().join("packed.pcap.gz")).unwrap();
    let packing = Command::new("gzip")
        .arg("-c")
        .arg(&capture)
        .stdout(packed)
        .status();
    assert!(packing.unwrap().success());
    let once = every_record_of(&copy);
    let twice = every_record_of(folder.path());
    assert_eq!(twice.code, 0, "{}", twice.stderr);
    assert_eq!(once.summary()["packets"], twice.summary()["packets"]);
    assert!(
        twice.stderr.contains("packed.pcap.gz: left out"),
        "{}",
        twice.stderr
    );
    assert!(!once.stderr.contains("left out"), "{}", once.stderr);

    // The same packets in another format are told by when they begin and end.
    let mut other = fs::read(&capture).unwrap();
    other[20..22].copy_from_slice(&[1, 0]);
    other[16] ^= 1;
    fs::write(&copy, other).unwrap();
    let alike = finish(farmhawk().arg("analyze").arg(&copy).arg(&capture));
    assert!(
        alike.stderr.contains("seems to hold the same packets"),
        "{}",
        alike.stderr
    );
}

#[test]
fn packets_are_counted_by_what_became_of_them() {
    let whole = fs::read(fixture("formats/link-raw.pcap")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    // A header and nothing else is a whole capture of no packets.
    fs::write(&path, &whole[..24]).unwrap();
    let run = every_record_of(&path);
    let summary = run.summary();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(summary["packets"]["damaged"], serde_json::json!({}));
    assert!(
        summary["remarks"]
            .to_string()
            .contains("a capture without packets"),
        "{summary}"
    );
    assert_eq!(summary["timestamp"], "1970-01-01T00:00:00.000000Z");
    assert!(summary["time_span"].is_null(), "no packet, no time: {summary}");
    assert!(summary["vantage"].is_null(), "no packet, no vantage: {summary}");
    let page = finish(farmhawk().args(["analyze", "--color", "never"]).arg(&path));
    assert!(!page.stdout.contains("vantage"), "{}", page.stdout);
    // A link type that nobody knows: all are read, none is decoded.
    let mut unknown = whole;
    unknown[20..22].copy_from_slice(&147_u16.to_le_bytes());
    fs::write(&path, unknown).unwrap();
    let packets = every_record_of(&path).summary()["packets"].clone();
    assert!(packets["read"].as_u64().unwrap() > 0, "{packets}");
    assert_eq!(packets["decoded"], 0, "{packets}");
}

#[test]
fn how_long_it_took_is_said_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = farmhawk();
    command
        .args(["analyze", "--format", "jsonl", "--stamp", "-o"])
        .arg(folder.path());
    let run = finish(command.arg(fixture("formats/link-raw.pcap")));
    assert!(run.summary()["wall_seconds"].is_f64(), "{}", run.stdout);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("manifest.json").contains("\"wall_seconds\":"));
    assert!(!read("summary.json").contains("wall_seconds"));
}

#[test]
fn captures_without_packets_as_a_rotation_leaves_them_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A section and one interface, with a comment that makes the file longer than its blocks alone.
    let mut empty: Vec<u8> = Vec::new();
    for word in [0x0a0d_0d0a_u32, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28] {
        empty.extend(word.to_le_bytes());
    }
    for word in [1_u32, 40, 1, 65_535, 0x0010_0001] {
        empty.extend(word.to_le_bytes());
    }
    empty.extend([b'x'; 16]);
    empty.extend(40_u32.to_le_bytes());
    for hour in 0..3 {
        fs::write(folder.path().join(format!("{hour}.pcapng")), &empty).unwrap();
    }
    fs::copy(fixture("formats/link-raw.pcap"), folder.path().join("day.pcap")).unwrap();
    let run = every_record_of(folder.path());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("left out"), "{}", run.stderr);
    assert_eq!(run.summary()["captures"].as_array().unwrap().len(), 4);
}

//! One conversation in every container, link type and encapsulation, whole and damaged: `fixtures/formats/expected.tsv`
//! says what each file holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Run, every_record, every_record_of, farmhawk, finish, fixture, run, two_at_a_time};

/// Files that we refuse by name, and why.
const REFUSED: [(&str, &str); 1] = [("compressed.pcap.bz2", "no reader for bzip2")];

/// Files whose flows are counted otherwise here, and why.
const OTHERWISE: [(&str, &str); 4] = [
    (
        "duplicated-vlan.pcap",
        "VLANs keep flows apart: both the tagged and the untagged one are there",
    ),
    (
        "encap-teredo.pcap",
        "neither inner address is of 2001::/32, as RFC 4380 has it: no Teredo packet looks so",
    ),
    (
        "fragments-ipv4-lost.pcap",
        "a first fragment without its rest counts: it shows ports and the beginning",
    ),
    (
        "fragments-ipv6-overlapping.pcap",
        "RFC 5722 has overlapping fragments thrown away",
    ),
];

struct Expected {
    file: String,
    frames: String,
    flows: BTreeSet<String>,
    tunnel: String,
    vlan: String,
}

impl Expected {
    fn path(&self) -> PathBuf {
        fixture("formats").join(&self.file)
    }

    fn is_refused(&self) -> bool {
        REFUSED.iter().any(|(file, _)| *file == self.file)
    }
}

fn expected() -> Vec<Expected> {
    let table = fs::read_to_string(fixture("formats/expected.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        Expected {
            file: columns[0].to_owned(),
            frames: columns[2].to_owned(),
            flows: columns[3]
                .split("; ")
                .filter(|flow| !flow.is_empty())
                .map(str::to_owned)
                .collect(),
            tunnel: columns[4].to_owned(),
            vlan: columns[5].to_owned(),
        }
    });
    rows.collect()
}

fn list(field: &Value) -> String {
    let Some(items) = field.as_array() else {
        return if field.is_null() {
            "-".to_owned()
        } else {
            field.to_string()
        };
    };
    let words = items
        .iter()
        .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
    words.collect::<Vec<_>>().join(",")
}

/// The flows of the conversation, as expected.tsv writes them.
fn flows(run: &Run) -> BTreeSet<String> {
    let flows = run.of("flow");
    let flows = flows.iter().filter(|flow| {
        ["TCP", "UDP"].contains(&flow["proto"].as_str().unwrap())
            && (flow["dest_port"] == 53 || flow["dest_port"] == 80)
    });
    let written = flows.map(|flow| {
        format!(
            "{} {} {} {} {} {}",
            flow["proto"].as_str().unwrap().to_lowercase(),
            flow["src_ip"].as_str().unwrap(),
            flow["src_port"],
            flow["dest_ip"].as_str().unwrap(),
            flow["dest_port"],
            flow["pkts_toserver"].as_u64().unwrap() + flow["pkts_toclient"].as_u64().unwrap(),
        )
    });
    written.collect()
}

/// What is wrong with one file.
fn complaints(expected: &Expected) -> Vec<String> {
    let file = &expected.file;
    let run = every_record_of(&expected.path());
    if expected.is_refused() {
        assert_eq!(run.code, 1, "{file}");
        assert!(run.stderr.contains(file.as_str()), "{}", run.stderr);
        return Vec::new();
    }
    if run.code != 0 {
        return vec![format!("{file}: exit code {}: {}", run.code, run.stderr)];
    }
    let mut wrong = Vec::new();
    let is_otherwise = OTHERWISE.iter().any(|(otherwise, _)| otherwise == file);
    let found = flows(&run);
    // Half a compressed stream: how much of it comes out is the reader's affair.
    let is_uncertain = expected.frames == "0+";
    if found != expected.flows && !is_uncertain {
        wrong.push(format!("{file}: flows {found:?}, expected {:?}", expected.flows));
    }
    for flow in run.of("flow") {
        if flow["dest_port"] == 80 || flow["dest_port"] == 53 {
            for (field, wanted) in [("tunnel", &expected.tunnel), ("vlan", &expected.vlan)] {
                let said = list(&flow[field]);
                if said != *wanted {
                    wrong.push(format!("{file}: {field} {said}, expected {wanted}"));
                }
            }
        }
    }
    let read = run.summary()["packets"]["read"].as_u64().unwrap();
    if is_otherwise {
        assert!(
            !wrong.is_empty(),
            "{file}: as expected now: no exception any more"
        );
        wrong.clear();
    }
    match expected.frames.strip_suffix('+') {
        Some(least) if read < least.parse().unwrap() => {
            wrong.push(format!("{file}: {read} frames read of at least {least}"));
        }
        None if read.to_string() != expected.frames => {
            wrong.push(format!("{file}: {read} frames read of {}", expected.frames));
        }
        _ => {}
    }
    wrong
}

#[test]
fn every_form_gives_the_same_conversation() {
    let expected = expected();
    assert!(expected.len() > 90, "only {} files", expected.len());
    let wrong = two_at_a_time(&expected, complaints).concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damage_is_named_with_file_and_offset_and_counted() {
    for expected in expected() {
        let is_hurt = expected.file.starts_with("truncated")
            || expected.file.ends_with("truncated.pcap.gz")
            || expected.frames.ends_with('+') && expected.file.starts_with("damaged");
        if !is_hurt {
            continue;
        }
        let file = &expected.file;
        let run = every_record_of(&expected.path());
        assert_eq!(run.code, 0, "{file}: {}", run.stderr);
        let said = format!("{file}: at byte ");
        assert!(run.stderr.contains(&said), "{file}: {}", run.stderr);
        let summary = run.summary();
        let causes = summary["packets"]["damaged"].as_object().unwrap();
        assert!(!causes.is_empty(), "{file}: {summary}");
        let offset = &summary["captures"][0]["damage"][0]["offset"];
        assert!(
            run.stderr.contains(&format!("{said}{offset}:")),
            "{file}: {}",
            run.stderr
        );
    }
}

/// Records without what names the file.
fn without_capture(run: &Run) -> String {
    let mut records = run.records();
    for record in &mut records {
        let fields = record.as_object_mut().unwrap();
        fields.remove("captures");
    }
    serde_json::to_string(&records).unwrap()
}

#[test]
fn compressed_files_and_standard_input_say_what_the_plain_file_says() {
    let plain = every_record_of(&fixture("formats/pcap-le-us.pcap"));
    assert_eq!(plain.of("flow").len(), 2);
    for ending in ["gz", "zst", "lz4", "xz"] {
        let packed = fixture("formats").join(format!("compressed.pcap.{ending}"));
        let run = every_record_of(&packed);
        assert_eq!(without_capture(&run), without_capture(&plain), "{ending}");
        // What stands on standard input is told by its content, packed or not.
        let piped = finish(every_record().arg("-").write_stdin(fs::read(&packed).unwrap()));
        assert_eq!(piped.code, 0, "{ending}: {}", piped.stderr);
        assert_eq!(
            without_capture(&piped),
            without_capture(&plain),
            "{ending} from a pipe"
        );
    }
}

#[test]
fn folders_are_walked_and_patterns_are_expanded() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner/deeper");
    fs::create_dir_all(&inner).unwrap();
    fs::copy(fixture("formats/link-raw.pcap"), folder.path().join("one.pcap")).unwrap();
    fs::copy(fixture("formats/pcapng-le.pcapng"), inner.join("two.pcapng")).unwrap();
    fs::copy(fixture("formats/compressed.pcap.gz"), inner.join("three.pcap.gz")).unwrap();
    fs::write(folder.path().join("notes.txt"), "no capture").unwrap();
    let captures = |argument: PathBuf| {
        let run = finish(farmhawk().args(["analyze", "--format", "jsonl"]).arg(argument));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.summary()["captures"].as_array().unwrap().len()
    };
    assert_eq!(captures(folder.path().to_owned()), 3);
    assert_eq!(captures(folder.path().join("*.pcap")), 1);
    assert_eq!(captures(folder.path().join("**/*.pcap*")), 3);
    let nothing = finish(farmhawk().arg("analyze").arg(folder.path().join("*.nothing")));
    assert_eq!(nothing.code, 1, "{}", nothing.stderr);
}

fn ports(arguments: &[&str]) -> Vec<(u64, u64)> {
    let capture = fixture("formats/pcap-le-us.pcap");
    let common = [
        "analyze",
        "--format",
        "jsonl",
        "--flows",
        capture.to_str().unwrap(),
    ];
    let run = run(common.iter().chain(arguments));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let flows = run.of("flow");
    let flows = flows.iter().map(|flow| {
        let packets = flow["pkts_toserver"].as_u64().unwrap() + flow["pkts_toclient"].as_u64().unwrap();
        (flow["dest_port"].as_u64().unwrap(), packets)
    });
    flows.collect()
}

#[test]
fn a_filter_and_a_span_choose_packets() {
    assert_eq!(ports(&[]), [(53, 2), (80, 11)]);
    assert_eq!(ports(&["-f", "tcp port 80"]), [(80, 11)]);
    assert_eq!(ports(&["-f", "udp and host 198.51.100.53"]), [(53, 2)]);
    // 13 packets, 10 ms apart: those of the question are the first two. Both ends of a span are in it.
    let until = ["--until", "2023-11-14T22:13:20.010Z"];
    assert_eq!(ports(&until), [(53, 2)]);
    let since = ["--since", "2023-11-14T22:13:20.020Z"];
    assert_eq!(ports(&since), [(80, 11)]);
    assert_eq!(
        ports(&[
            "--since",
            "2023-11-14T22:13:20.010Z",
            "--until",
            "2023-11-14T22:13:20.030Z"
        ]),
        [(53, 1), (80, 2)]
    );
}

#[test]
fn comments_of_a_capture_stand_in_the_summary() {
    let capture = fixture("formats/pcapng-rich.pcapng");
    let summary = run([Path::new("analyze"), Path::new("--format=jsonl"), &capture]).summary();
    assert_eq!(
        summary["captures"][0]["comments"],
        json!([
            {"text": "made by make_formats.py"},
            {"frame": 1, "text": "comment on a packet"},
            {"frame": 6, "text": "comment on a packet"},
        ])
    );
    let text = run([Path::new("analyze"), &capture]).stdout;
    assert!(text.contains("frame 6: comment on a packet"), "{text}");
}

#[test]
fn packets_without_a_time_are_told() {
    for (file, is_told) in [("pcapng-simple", true), ("pcapng-le", false)] {
        let capture = fixture(&format!("formats/{file}.pcapng"));
        let summary = run([Path::new("analyze"), Path::new("--format=jsonl"), &capture]).summary();
        let said = summary["remarks"].to_string().contains("13 packets have no time");
        assert_eq!(said, is_told, "{summary}");
    }
}

#[test]
fn link_types_are_named_as_others_name_them() {
    for (file, name) in [
        ("link-raw", "RAW"),
        ("link-linux-sll2", "LINUX_SLL2"),
        ("link-loop", "LOOP"),
    ] {
        let capture = fixture(&format!("formats/{file}.pcap"));
        let summary = run([Path::new("analyze"), Path::new("--format=jsonl"), &capture]).summary();
        assert_eq!(summary["captures"][0]["link_types"][0], name, "{file}");
    }
}

#[test]
fn a_filter_means_on_every_link_type_what_it_means_on_an_interface() {
    // Files, filters, and how many of 13 (or twice 13) packets pass.
    for (file, filter, passed) in [
        ("link-null-le.pcap", "udp port 53", 2),
        ("link-null-be.pcap", "udp port 53", 2),
        ("link-null-ipv6.pcap", "ip6 and udp port 53", 2),
        ("link-loop.pcap", "udp port 53", 2),
        ("link-ppp-ether.pcap", "udp port 53", 2),
        ("link-linux-sll2.pcap", "tcp", 11),
        ("link-radiotap-fcs.pcap", "tcp port 80", 11),
        // Sound, but true of no packet there.
        ("link-ipv4.pcap", "ip6", 0),
        ("link-raw-both.pcap", "ip6", 13),
        // The length on the wire, not what the snap length left of it.
        ("pcap-snaplen-96.pcap", "greater 200", 2),
        ("compressed.pcap.xz", "udp", 2),
        ("compressed.pcapng.gz", "vlan and udp", 0),
    ] {
        let capture = fixture(&format!("formats/{file}"));
        let run = finish(
            farmhawk()
                .args(["analyze", "--quiet", "--format", "jsonl", "--filter", filter])
                .arg(&capture),
        );
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{file}: {filter}");
        let packets = run.summary()["packets"].clone();
        let count = |name: &str| packets[name].as_u64().unwrap();
        assert_eq!(
            count("read") - count("filtered"),
            passed,
            "{file}: {filter}: {packets}"
        );
    }
}

//! The program over every real capture: it ends well, names no tool as probable that no label speaks of, and finds nothing
//! probable in captures without any. What it must find is in `labels.rs`.

use farmhawk::model::finding::UNKNOWN_INTERACTIVE;
use serde_json::Value;

use crate::labels::{labelled_tools, names};
use crate::program::{Labelled, Run, every_record_of, labelled_captures, run, two_at_a_time};

/// Findings of medium confidence or more that no label promises and that are true all the same: capture, tool, what tshark
/// shows.
const TRUE_ALL_THE_SAME: [(&str, &str, &str); 0] = [];

fn findings(run: &Run) -> Vec<Value> {
    run.of("finding")
}

/// What is wrong with one capture's run.
fn complaints(capture: &Labelled) -> Vec<String> {
    let name = &capture.name;
    let run = every_record_of(&capture.path);
    let mut wrong = Vec::new();
    if run.code != 0 || run.stderr.contains("panicked") {
        wrong.push(format!("{name}: exit code {}: {}", run.code, run.stderr));
        return wrong;
    }
    let findings = findings(&run);
    let labelled = labelled_tools(capture);
    let is_weighed = capture.has("none") || !labelled.is_empty();
    for finding in findings
        .iter()
        .filter(|finding| finding["tool"] == UNKNOWN_INTERACTIVE)
    {
        wrong.push(format!(
            "{name}: nobody drives anybody here, but {}",
            finding["summary"]
        ));
    }
    for finding in findings.iter().filter(|finding| finding["confidence"] != "low") {
        let is_labelled = labelled.iter().any(|tool| names(finding, tool));
        let is_true = TRUE_ALL_THE_SAME
            .iter()
            .any(|(excepted, tool, _)| excepted == name && names(finding, tool));
        if is_weighed && !is_labelled && !is_true {
            wrong.push(format!("{name}: no label says so, but {}", finding["summary"]));
        }
    }
    wrong
}

#[test]
fn no_capture_gives_what_no_label_says() {
    let Some(captures) = labelled_captures() else {
        return;
    };
    assert!(captures.len() > 1_000, "only {} captures", captures.len());
    let wrong = two_at_a_time(&captures, complaints).concat();
    assert!(
        wrong.is_empty(),
        "{} complaints:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_file_that_is_no_capture_is_refused_by_name_and_cause() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, start) in [
        ("short.pcap", &b"hi"[..], "[68, 69]"),
        (
            "text.pcap",
            b"no capture at all, but long enough for a header of one\n",
            "[6e, 6f, 20, 63]",
        ),
        ("zeros.pcapng", &[0; 64], "[00, 00, 00, 00]"),
        // Begins like a format and goes on otherwise.
        ("almost.pcap", &[0xd4, 0xc3, 0xb2, 0xa2], "[d4, c3, b2, a2]"),
        ("almost.gz", &[0x1f, 0x8b, 0x07], "[1f, 8b, 07]"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let run = run([std::path::Path::new("analyze"), &path]);
        assert_eq!(run.code, 1, "{name}: {}{}", run.stdout, run.stderr);
        let cause = format!("{name}: not a capture (starts with {start})");
        assert!(run.stderr.contains(&cause), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_file_too_short_for_a_header_is_a_capture_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let cut = "the file's header is cut short";
    for (name, content, cause) in [
        ("empty.pcap", &[][..], "an empty file"),
        ("one.pcapng", &[0x0a], cut),
        ("two.pcap", &[0xd4, 0xc3], cut),
        ("three.pcap", &[0xa1, 0xb2, 0x3c], cut),
        ("magic.pcap", &[0xd4, 0xc3, 0xb2, 0xa1], cut),
        ("two.pcap.gz", &[0x1f, 0x8b], cut),
        ("five.pcap.xz", &[0xfd, b'7', b'z', b'X', b'Z'], cut),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let run = every_record_of(&path);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        let said = format!("{name}: at byte {}: {cause}", content.len());
        assert!(run.stderr.contains(&said), "{name}: {}", run.stderr);
        assert_eq!(run.summary()["packets"]["damaged"][cause], 1, "{name}");
    }
}

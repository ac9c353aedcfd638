//! Typing and pointing of recorded sessions (`fixtures/hands`) against the log of the script that typed and pointed.

use std::collections::BTreeMap;
use std::fs;

use crate::program::{every_record, finish, fixture};

/// Keys of a ten-second window from which it must be taken for typing: fewer may be two words with a pause between them.
const ENOUGH: u32 = 8;

/// A WebSocket is measured only when it has behaved like a session for two windows.
const UNSEEN: u64 = 2;

/// What the script did in ten seconds.
#[derive(Default)]
struct Done {
    keys: u32,
    movements: u32,
    /// Clicks and turns of the wheel, which may look like either.
    others: u32,
}

#[test]
fn seconds_of_typing_and_pointing_are_those_of_the_drivers_log() {
    let mut wrong = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(fixture("hands"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 5, "{folders:?}");
    for folder in folders {
        let mut windows: BTreeMap<u64, Done> = BTreeMap::new();
        for line in fs::read_to_string(folder.join("inputs.tsv")).unwrap().lines() {
            let (at, kind) = line.split_once('\t').unwrap();
            let second: u64 = at.split_once('.').unwrap().0.parse().unwrap();
            let done = windows.entry(second / 10).or_default();
            match kind {
                "key" => done.keys += 1,
                "point" => done.movements += 1,
                _ => done.others += 1,
            }
        }
        let run = finish(
            every_record()
                .args(["-n", "192.168.77.0/24"])
                .arg(folder.join("capture.pcap.zst")),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        let findings = run.of("finding");
        let finding = findings
            .iter()
            .find(|finding| finding["role"] == "controlled")
            .unwrap_or_else(|| panic!("{}: {findings:?}", folder.display()));
        let input = &finding["latency"]["input"];
        let [typed, pointed] = ["typing_s", "pointing_s"].map(|field| input[field].as_u64().unwrap() / 10);
        let count = |of: &dyn Fn(&Done) -> bool| windows.values().filter(|done| of(done)).count() as u64;
        let name = folder.file_name().unwrap().to_str().unwrap();
        let unseen = if name.starts_with("novnc") { UNSEEN } else { 0 };
        // What is done at the end of a window may be seen in the next one.
        let typing =
            count(&|done| done.keys >= ENOUGH) - unseen..=count(&|done| done.keys + done.others > 0) + 1;
        let pointing = count(&|done| done.movements > 0).saturating_sub(unseen)..=count(&|done| {
            done.movements + done.others > 0
        }) + 1;
        if !typing.contains(&typed) || !pointing.contains(&pointed) {
            wrong.push(format!(
                "{}: typed {typed} of {typing:?} windows, pointed {pointed} of {pointing:?}",
                folder.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! Scenarios of the laboratory, handed to the analyser in other ways: cut into pieces in any order, by any number of threads, tagged,
//! tunnelled, doubled. What is said of them stays the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farmhawk::model::farm::Farm;
use serde_json::Value;

use crate::analysis::Analyst;
use crate::program::{farmhawk, finish};
use crate::runs::{scenarios, write};

/// Type of a frame's block (enhanced packet block of pcapng), and where in it the frame's lengths and its bytes stand.
const FRAME: u32 = 6;
const CAPTURED: usize = 20;
const BYTES: usize = 28;

/// The blocks of a capture: those before the first frame, and those of the frames.
pub(crate) fn blocks(capture: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut head, mut frames) = (Vec::new(), Vec::new());
    let mut rest = capture;
    while !rest.is_empty() {
        let word = |from: usize| u32::from_le_bytes(rest[from..from + 4].try_into().unwrap());
        let (block, after) = rest.split_at(usize::try_from(word(4)).unwrap());
        if word(0) == FRAME {
            frames.push(block.to_vec());
        } else {
            head.extend_from_slice(block);
        }
        rest = after;
    }
    (head, frames)
}

/// The frame in a block.
pub(crate) fn frame(block: &[u8]) -> &[u8] {
    let length = u32::from_le_bytes(block[CAPTURED..CAPTURED + 4].try_into().unwrap());
    &block[BYTES..BYTES + usize::try_from(length).unwrap()]
}

/// A block like this one, of other bytes; `less` of the frame are gone on the wire, too.
fn replaced(block: &[u8], bytes: &[u8], less: usize) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let on_wire = u32::from_le_bytes(block[CAPTURED + 4..CAPTURED + 8].try_into().unwrap());
    let on_wire = usize::try_from(on_wire).unwrap() - less;
    let padded = bytes.len().next_multiple_of(4);
    let length = word(BYTES + padded + 4);
    let mut made = block[..4].to_vec();
    made.extend(length);
    made.extend_from_slice(&block[8..CAPTURED]);
    made.extend(word(bytes.len()));
    made.extend(word(on_wire));
    made.extend_from_slice(bytes);
    made.resize(BYTES + padded, 0);
    made.extend(length);
    made
}

pub(crate) fn save(path: &Path, head: &[u8], frames: &[Vec<u8>]) {
    fs::write(path, [head, &frames.concat()].concat()).unwrap();
}

/// What the program says of these captures.
fn said(folder: &Path, vantage: &str, threads: &str, captures: &[PathBuf]) -> String {
    let run = finish(
        farmhawk()
            .args([
                "analyze",
                "--all",
                "--flows",
                "--format",
                "jsonl",
                "--vantage",
                vantage,
                "-j",
                threads,
            ])
            .arg("--policy")
            .arg(folder.join("policy.toml"))
            .arg("--assets")
            .arg(folder.join("inventory.csv"))
            .args(captures),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.stdout
}

#[test]
fn scenarios_in_pieces_are_judged_the_same_in_any_order_by_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for (name, raised) in [("s15", true), ("s22", false), ("s26", true), ("s27", true)] {
        let scenario = scenarios().find(|one| one.name == name).unwrap();
        let (path, inventory, _) = write(scenario, 3, folder.path()).unwrap();
        fs::write(folder.path().join("policy.toml"), scenario.policy).unwrap();
        fs::write(folder.path().join("inventory.csv"), inventory).unwrap();
        let (head, frames) = blocks(&fs::read(&path).unwrap());
        // Two captures one after the other, and two more that two ports wrote at the same time.
        let (first, rest) = frames.split_at(frames.len() / 3);
        let (second, last) = rest.split_at(rest.len() / 2);
        let port = |even: usize| -> Vec<Vec<u8>> {
            let numbered = last.iter().enumerate();
            numbered
                .filter(|(number, _)| number % 2 == even)
                .map(|(_, one)| one.clone())
                .collect()
        };
        let pieces = [first.to_vec(), second.to_vec(), port(0), port(1)];
        let mut captures: Vec<PathBuf> = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            captures.push(folder.path().join(format!("{name}-{number}.pcapng")));
            save(&captures[number], &head, piece);
        }
        let one = said(folder.path(), scenario.vantage, "1", &captures);
        let farms: Vec<Value> = one
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|record: &Value| record["event_type"] == "farm")
            .collect();
        assert_eq!(
            farms.iter().any(|farm| farm["verdict"] != "none"),
            raised,
            "{name}"
        );
        for threads in ["2", "3", "8"] {
            let many = said(folder.path(), scenario.vantage, threads, &captures);
            assert!(one == many, "{name} differs with {threads} threads");
        }
        for threads in ["1", "2", "3"] {
            captures.rotate_left(1);
            let other = said(folder.path(), scenario.vantage, threads, &captures);
            assert!(one == other, "{name} differs in the order {captures:?}");
        }
        captures.reverse();
        assert!(
            one == said(folder.path(), scenario.vantage, "8", &captures),
            "{name} differs backwards"
        );
        for capture in &captures {
            fs::remove_file(capture).unwrap();
        }
    }
}

/// What S33 does to a frame, by the frame itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrapped {
    Vlan,
    Erspan,
    Vxlan,
    Twice,
}

fn wrapping(frame: &[u8]) -> Wrapped {
    match (&frame[12..14], frame[23], &frame[36..38]) {
        ([0x81, 0x00], ..) => Wrapped::Vlan,
        ([0x08, 0x00], 47, _) => Wrapped::Erspan,
        ([0x08, 0x00], 17, [0x12, 0xb5]) => Wrapped::Vxlan,
        _ => Wrapped::Twice,
    }
}

/// The capture that the port would have written without all that.
fn bare(frames: &[Vec<u8>], wrapping: Wrapped) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    for (number, block) in frames.iter().enumerate() {
        let frame = frame(block);
        match wrapping {
            Wrapped::Vlan => kept.push(replaced(block, &[&frame[..12], &frame[16..]].concat(), 4)),
            // Ethernet, IPv4 and eight octets each of GRE and ERSPAN, or of UDP and VXLAN.
            Wrapped::Erspan | Wrapped::Vxlan => kept.push(replaced(block, &frame[50..], 50)),
            Wrapped::Twice => {
                // The second copy comes four microseconds later, at times with others between.
                let before = &frames[number.saturating_sub(12)..number];
                if !before.iter().any(|other| self::frame(other) == frame) {
                    kept.push(block.clone());
                }
            }
        }
    }
    kept
}

/// All that is said of groups, but for identifiers, which hold the tag of a network that is tagged, and for memberships, which are
/// drawn by leaving out edges in the order of identifiers.
pub(crate) fn told(farms: &[Farm]) -> String {
    let mut text = String::new();
    for farm in farms {
        let Value::Object(mut record) = serde_json::to_value(farm).unwrap() else {
            panic!("a record is an object")
        };
        record.remove("id");
        for (list, keys) in [
            ("hosts", &["host", "membership"][..]),
            ("reasons", &["hosts", "findings"]),
        ] {
            for one in record[list].as_array_mut().unwrap() {
                for key in keys {
                    one.as_object_mut().unwrap().remove(*key);
                }
            }
            record[list]
                .as_array_mut()
                .unwrap()
                .sort_by_key(ToString::to_string);
        }
        text.push_str(&serde_json::to_string(&record).unwrap());
    }
    text
}

#[test]
fn a_farm_in_tags_and_tunnels_or_twice_is_judged_like_the_bare_one() {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == "s33").unwrap();
    let mut seen: BTreeMap<Wrapped, u64> = BTreeMap::new();
    for seed in (1..).step_by(2).take(16) {
        let (path, inventory, _) = write(scenario, seed, folder.path()).unwrap();
        let (head, frames) = blocks(&fs::read(&path).unwrap());
        let kind = wrapping(frame(&frames[0]));
        if seen.insert(kind, seed).is_some() {
            continue;
        }
        let analyse = |path: &Path| {
            let analysed = analyst.analyse(&[path.to_owned()], &inventory, scenario.policy);
            analysed.unwrap().case.farms
        };
        let wrapped = told(&analyse(&path));
        let plain = folder.path().join("bare.pcapng");
        save(&plain, &head, &bare(&frames, kind));
        let bare = told(&analyse(&plain));
        assert!(bare.contains("\"verdict\":\"strong\""), "{kind:?} {bare}");
        assert_eq!(wrapped, bare, "{kind:?}, seed {seed}");
        if seen.len() == 4 {
            break;
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

//! The real captures: as many packets as their labels say.

use std::fs;

use super::*;
use crate::capture::inputs::expand;

/// Captures whose label is not the number of packets in them, with what is true of each.
const EXCEPTIONS: &[(&str, u64, &str)] = &[
    (
        "sv-bug-1450-04-tls-der-incomplete-header.pcap",
        13,
        "the label counts up to a record whose header was overwritten; seven records of the same connection follow",
    ),
    (
        "sv-bug-1450-05-tls-der-incomplete-content.pcap",
        13,
        "the same damage",
    ),
];

#[test]
fn every_real_capture_holds_the_packets_of_its_label() {
    let Some(folder) = real_captures() else { return };
    let labels = fs::read_to_string(folder.join("LABELS.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for line in labels.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(name), Some(_), Some(packets)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let Ok(label) = packets.parse::<u64>() else {
            println!("{name}: no count in the labels ({packets})");
            continue;
        };
        let wanted = EXCEPTIONS
            .iter()
            .find(|(file, ..)| *file == name)
            .map_or(label, |(_, count, _)| *count);
        match read_paths(&[&folder.join(name)], &Reading::default()) {
            Ok(outcome) => {
                compared += 1;
                let read = outcome.frames.len() as u64;
                if read != wanted {
                    wrong.push(format!(
                        "{name}: {read} packets, label {label}, damage {:?}",
                        outcome.causes()
                    ));
                } else if !outcome.damage.is_empty() {
                    println!("{name}: {read} packets as labelled, {:?}", outcome.causes());
                }
            }
            Err(error) => wrong.push(format!("{name}: {error}, label {label}")),
        }
    }
    println!("{compared} captures compared");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn all_real_captures_merge_into_one_stream_in_time_order() {
    let Some(folder) = real_captures() else { return };
    let inputs = expand(&[folder]).unwrap();
    assert!(inputs.passed_over > 0, "the labels themselves are no capture");
    let mut source = open(&inputs.captures, &Reading::default()).unwrap();
    let mut block = Block::default();
    let mut largest = vec![i64::MIN; inputs.captures.len()];
    let mut last = i64::MIN;
    let mut packets = 0;
    while source.fill(&mut block).unwrap() {
        for frame in &block.frames {
            let of_capture = &mut largest[usize::from(frame.source.capture)];
            *of_capture = frame.at.0.max(*of_capture);
            assert!(
                *of_capture >= last,
                "captures come in the order of their largest time so far"
            );
            last = *of_capture;
            packets += 1;
        }
    }
    let counted: u64 = source.captures().iter().map(|counters| counters.packets).sum();
    assert_eq!(counted, packets);
    let progress = source.progress();
    assert_eq!(Some(progress.read), progress.total);
}

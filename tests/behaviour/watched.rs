//! What the captures did not show accuses nobody: exits and journeys that are declared, and hours in which no capture ran.

use std::fs;

use farmhawk::model::farm::Farm;

use crate::analysis::{Analysed, Analyst};
use crate::runs::{scenarios, write};
use crate::scenes::{blocks, save};

/// What speaks of a cue in any group: its words and weight.
fn said(farms: &[Farm], cue: &str) -> Vec<(String, f64)> {
    let reasons = farms.iter().flat_map(|farm| &farm.reasons);
    let own = reasons.filter(|reason| reason.reason == cue);
    own.map(|reason| (reason.what.clone(), reason.weight.0)).collect()
}

#[test]
fn declared_exits_and_journeys_are_no_homes_that_are_shared() {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == "s11").unwrap();
    let (path, inventory, _) = write(scenario, 3, folder.path()).unwrap();
    let captures = [path];
    let of = |inventory: &str, policy: &str| -> Analysed {
        analyst.analyse(&captures, inventory, policy).unwrap()
    };
    let plain = of(&inventory, scenario.policy).case;
    let told = said(&plain.farms, "assignees");
    assert!(told[0].1 > 3.0, "{told:?}");
    // "home" is no site that all of them share.
    let shared: Vec<&str> = plain
        .findings
        .iter()
        .filter(|finding| {
            finding
                .evidence
                .iter()
                .any(|one| one.measure.as_deref() == Some("shared_address"))
        })
        .filter_map(|finding| finding.peer.as_deref())
        .collect();
    assert!(shared.len() > 1, "{shared:?}");
    let policy = format!("allowed_egress = [\"{}/32\"]\n{}", shared[0], scenario.policy);
    assert_eq!(said(&of(&inventory, &policy).case.farms, "assignees"), []);
    let mut lines = inventory.lines();
    let mut travelling = format!("{},travel\n", lines.next().unwrap());
    for line in lines {
        travelling.extend([line, ",2026-01-01/2027-12-31\n"]);
    }
    assert_eq!(
        said(&of(&travelling, scenario.policy).case.farms, "assignees"),
        []
    );
}

#[test]
fn an_hour_and_a_half_a_day_shows_neither_hours_nor_that_nobody_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == "s02").unwrap();
    let (path, _, _) = write(scenario, 3, folder.path()).unwrap();
    let rows: Vec<String> = (21..=28)
        .map(|last| format!("10.102.0.{last},L-{last},A-{last},US,America/Chicago,09:00-17:00\n"))
        .collect();
    let inventory = "ip,asset,assignee,country,timezone,work_hours\n".to_owned() + &rows.concat();
    let whole = analyst
        .analyse(std::slice::from_ref(&path), &inventory, scenario.policy)
        .unwrap();
    assert!(!said(&whole.case.farms, "hours").is_empty() && !said(&whole.case.farms, "local").is_empty());
    let (head, mut frames) = blocks(&fs::read(&path).unwrap());
    frames.retain(|frame| {
        let word = |from: usize| u64::from(u32::from_le_bytes(frame[from..from + 4].try_into().unwrap()));
        let stamp = word(12) << 32 | word(16);
        // Micro- or nanoseconds, by their size.
        let seconds = if stamp > 100_000_000_000_000_000 {
            stamp / 1_000_000_000
        } else {
            stamp / 1_000_000
        };
        (46_800..52_200).contains(&(seconds % 86_400))
    });
    save(&path, &head, &frames);
    let cut = analyst
        .analyse(std::slice::from_ref(&path), &inventory, scenario.policy)
        .unwrap();
    assert!(!cut.case.farms.is_empty());
    for cue in ["hours", "local", "cover"] {
        assert_eq!(said(&cut.case.farms, cue), [], "{cue}");
    }
    let is_schedule = |name: &str| name == "schedule_mismatch";
    assert!(
        !cut.case
            .findings
            .iter()
            .any(|finding| is_schedule(finding.kind.name()))
    );
}

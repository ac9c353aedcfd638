//! A farm over five weeks (S38), analysed week by week and as it accumulates: it keeps its identifier although nobody of the first day is
//! there at the end, and no band changes unless the evidence does.

use farmhawk::model::farm::{Farm, Reason};
use farmhawk::model::host::Verdict;
use farmhawk::model::time::Timestamp;

use crate::analysis::Analyst;
use crate::runs::{scenarios, write};

/// An odd seed: one of those that the evaluation does not judge by.
const SEED: u64 = 3;

/// Monday 14 September 2026, 00:00 UTC, is when the laboratory's days begin.
const START: i64 = 1_789_344_000;

const WEEKS: i64 = 5;

fn week(number: i64) -> Timestamp {
    Timestamp::from_parts(START + number * 7 * 86_400, 0)
}

/// The worst group of each of these spans.
fn worst(spans: impl Iterator<Item = [Option<Timestamp>; 2]>) -> Vec<Farm> {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == "s38").unwrap();
    let (path, inventory, _) = write(scenario, SEED, folder.path()).unwrap();
    let captures = [path];
    spans
        .map(|span| {
            let analysed = analyst.analyse_between(&captures, &inventory, scenario.policy, span);
            let farms = analysed.unwrap().case.farms;
            farms.into_iter().max_by_key(|farm| farm.verdict).unwrap()
        })
        .collect()
}

fn labels(farm: &Farm) -> Vec<&str> {
    farm.hosts.iter().map(|host| host.label.as_str()).collect()
}

/// Evidence of the later that differs from that of the earlier, with how many decibans it moved.
fn changes(earlier: &Farm, later: &Farm) -> Vec<(String, f64)> {
    let of = |farm: &Farm, id: &str| -> Option<Reason> {
        farm.reasons.iter().find(|reason| reason.reason == id).cloned()
    };
    let mut ids: Vec<&str> = [earlier, later]
        .iter()
        .flat_map(|farm| farm.reasons.iter().map(|reason| reason.reason.as_str()))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter()
        .filter_map(|id| {
            let (before, after) = (of(earlier, id), of(later, id));
            let said = |reason: &Option<Reason>| reason.as_ref().map(|one| (one.what.clone(), one.state));
            let weight = |reason: &Option<Reason>| reason.as_ref().map_or(0.0, |one| one.weight.0);
            (said(&before) != said(&after)).then(|| (id.to_owned(), weight(&after) - weight(&before)))
        })
        .collect()
}

fn holds(what: &str, farms: &[Farm]) {
    let told: Vec<_> = farms
        .iter()
        .map(|farm| (farm.id, farm.verdict, farm.explanations.farm, labels(farm)))
        .collect();
    println!("{what}: {told:#?}");
    assert!(
        farms.iter().all(|farm| farm.id == farms[0].id),
        "{what}: {told:#?}"
    );
    for pair in farms.windows(2) {
        let [earlier, later] = pair else { continue };
        let changed = changes(earlier, later);
        if earlier.verdict == later.verdict {
            continue;
        }
        // Something that was seen moved the same way as the band.
        let rose = later.verdict > earlier.verdict;
        assert!(
            changed
                .iter()
                .any(|(_, by)| if rose { *by > 1.0 } else { *by < -1.0 }),
            "{what}: {:?} to {:?} with {changed:?}",
            earlier.verdict,
            later.verdict
        );
    }
}

#[test]
fn a_farm_keeps_its_identifier_from_week_to_week_while_its_machines_change() {
    let farms = worst((0..WEEKS).map(|number| [Some(week(number)), Some(week(number + 1))]));
    holds("week by week", &farms);
    let (first, last) = (labels(&farms[0]), labels(&farms[4]));
    assert!(
        first.iter().all(|label| !last.contains(label)),
        "{first:?} and {last:?}"
    );
    assert!(farms.iter().skip(1).all(|farm| farm.verdict >= Verdict::Review));
}

#[test]
fn what_accumulates_over_weeks_lowers_no_verdict() {
    let farms = worst((1..=WEEKS).map(|number| [None, Some(week(number))]));
    holds("accumulated", &farms);
    assert!(
        farms
            .windows(2)
            .all(|pair| pair[0].verdict <= pair[1].verdict && pair[0].hosts.len() <= pair[1].hosts.len())
    );
    // All eight belong to it although they never were there together.
    assert_eq!(farms[4].hosts.len(), 8);
    assert!(farms[4].verdict >= Verdict::Likely);
}

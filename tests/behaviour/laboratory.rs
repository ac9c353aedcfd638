//! Every scenario of the laboratory with one seed, through the analyser: what must never be raised, and what must be found.
//! `make evaluate` does the same over many seeds and measures more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use farmhawk::explain::posterior::FAMILIES;
use farmhawk::model::host::Verdict;
use farmhawk::model::time::{SECOND as ONE_SECOND, Timestamp};

use crate::analysis::Analyst;
use crate::runs::{Outcome, run, scenarios, write};

/// An odd seed: one of those that the evaluation does not judge by.
const SEED: u64 = 3;

fn outcomes() -> Vec<Outcome> {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let all: Vec<_> = scenarios().collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(&analyst, scenario, SEED, folder.path()).unwrap();
                    done.lock().unwrap().push(outcome);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn farms_are_found_and_nothing_benign_is_raised() {
    let outcomes = outcomes();
    assert!(outcomes.len() >= 20);
    for one in outcomes.iter().filter(|one| one.is_benign()) {
        assert!(
            one.farm < Verdict::Likely && one.host < Verdict::Likely,
            "{}: {:?}, a host {:?}",
            one.scenario,
            one.farm,
            one.host
        );
        // Whoever forges all of one kind of evidence, and nothing else, brings nobody harmless to it.
        assert_eq!(one.forged.len(), FAMILIES.len());
        for (family, worst) in FAMILIES.into_iter().zip(&one.forged) {
            assert!(
                *worst < Verdict::Likely,
                "{}: {family:?} forged: {worst:?}",
                one.scenario
            );
        }
    }
    // The test could fail: forging moves something.
    assert!(
        outcomes
            .iter()
            .flat_map(|one| &one.forged)
            .any(|worst| *worst >= Verdict::Note)
    );
    let of = |name: &str| outcomes.iter().find(|one| one.scenario == name).unwrap();
    for name in ["s01", "s02", "s10", "s11", "s12", "s27", "s30", "s33"] {
        let one = of(name);
        assert!(
            one.farm >= Verdict::Likely,
            "{name}: {:?} {:?}",
            one.farm,
            one.probability
        );
        let drawn_in = one
            .hosts
            .iter()
            .filter(|host| host.cluster.is_some() && !host.is_farm);
        assert_eq!(
            drawn_in.count(),
            0,
            "{name}: somebody else of the house is in the group"
        );
    }
    let through_kvms = of("s13");
    assert!(
        through_kvms.farm >= Verdict::Likely,
        "s13: {:?} {:?}",
        through_kvms.farm,
        through_kvms.probability
    );
    assert_eq!(
        of("s29").farm,
        Verdict::Review,
        "a capture with gaps carries no more"
    );
}

#[test]
fn two_houses_under_one_server_are_one_operation_of_two_groups() {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == "s27").unwrap();
    let (path, inventory, _) = write(scenario, SEED, folder.path()).unwrap();
    let case = analyst
        .analyse(&[path], &inventory, scenario.policy)
        .unwrap()
        .case;
    let raised: Vec<_> = case
        .farms
        .iter()
        .filter(|farm| farm.verdict >= Verdict::Review)
        .collect();
    assert_eq!(raised.len(), 2);
    let operation = raised[0].operation.as_ref().expect("an operation");
    assert_eq!(raised[1].operation.as_ref(), Some(operation));
    assert_eq!(operation.groups.len(), 2);
}

#[test]
fn a_farm_that_grows_keeps_its_identifier_and_its_verdict_falls_at_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == "s31").unwrap();
    let (path, inventory, _) = write(scenario, SEED, folder.path()).unwrap();
    let captures = [path];
    // Monday 14 September 2026, 00:00 UTC, is when the laboratory's days begin.
    let start = Timestamp::from_parts(1_789_344_000, 0);
    let mut seen = Vec::new();
    for days in [4, 7, 10] {
        let until = Some(start.plus(days * 86_400 * ONE_SECOND));
        let analysed = analyst.analyse_between(&captures, &inventory, scenario.policy, [None, until]);
        let farms = analysed.unwrap().case.farms;
        let worst = farms.iter().max_by_key(|farm| farm.verdict).unwrap();
        seen.push((worst.verdict, worst.hosts.len(), worst.id));
    }
    assert!(seen.iter().all(|(_, _, id)| *id == seen[0].2), "{seen:?}");
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1),
        "{seen:?}"
    );
    // The laptops stand there from the first day on; what grows is how many of them somebody works on.
    assert!(seen[0].0 < seen[2].0, "{seen:?}");
}

//! Every scenario of the laboratory with one seed, through the analyser: what must never be raised, and what must be found.
//! `make evaluate` does the same over many seeds and measures more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use farmhawk::model::host::Verdict;

use crate::analysis::Analyst;
use crate::runs::{Outcome, run, scenarios};

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
    }
    let of = |name: &str| outcomes.iter().find(|one| one.scenario == name).unwrap();
    for name in ["s01", "s02", "s10", "s12"] {
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

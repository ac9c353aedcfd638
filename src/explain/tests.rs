//! The prototype's figures of DETECTION 9.1, properties of the posterior, and whole explanations of made-up hosts.

mod capture;
mod scenarios;

use proptest::prelude::*;

use super::hypothesis::Hypothesis;
use super::posterior::{family_decibans, posterior};
use super::weights::Weights;
use super::*;

fn weights() -> Weights {
    Weights::embedded().unwrap()
}

/// Any level, or none, for each cue.
fn any_levels() -> impl Strategy<Value = Vec<Option<usize>>> {
    let weights = weights();
    let each: Vec<_> = weights
        .cues
        .iter()
        .map(|table| proptest::option::of(0..table.levels.len()))
        .collect();
    each
}

fn levels_of(weights: &Weights, chosen: &[Option<usize>]) -> Levels {
    let mut levels = Levels::none(weights);
    for (place, level) in chosen.iter().enumerate() {
        levels.put(place, *level);
    }
    levels
}

proptest! {
    #[test]
    fn the_posterior_sums_to_one_and_so_does_its_rounded_form(chosen in any_levels()) {
        let weights = weights();
        let levels = levels_of(&weights, &chosen);
        for vantage in [Vantage::Home, Vantage::Employer] {
            let found = posterior(&weights, &weights.prior(vantage, false), &levels, None);
            prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let rounded = explanations(&found);
            let units: f64 = [
                rounded.farm, rounded.solo, rounded.msp, rounded.vdi,
                rounded.shared, rounded.travel, rounded.own, rounded.normal,
            ].iter().map(|one| (one * 1e4).round()).sum();
            prop_assert!((units - 1e4).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_not_observable_never_changes_the_posterior(chosen in any_levels(), hidden in 0..14_usize) {
        let weights = weights();
        let prior = weights.prior(Vantage::Home, false);
        let mut levels = levels_of(&weights, &chosen);
        levels.put(hidden, None);
        // Equal to a model that has no such cue at all.
        let mut without = weights.clone();
        without.cues.remove(hidden);
        let mut fewer = chosen.clone();
        fewer.remove(hidden);
        let smaller = levels_of(&without, &fewer);
        prop_assert_eq!(
            posterior(&weights, &prior, &levels, None).map(f64::to_bits),
            posterior(&without, &prior, &smaller, None).map(f64::to_bits)
        );
    }
}

#[test]
fn a_second_cue_of_a_family_counts_less_than_the_first() {
    let weights = weights();
    let prior = weights.prior(Vantage::Home, false);
    let weigh = |cues: &[(&str, &str)]| {
        family_decibans(
            &weights,
            &prior,
            &scenarios::levels(&weights, cues),
            crate::model::evidence::Family::Rc,
            Claim::Farm,
        )
        .unwrap()
        .0
    };
    let (one, other) = (weigh(&[("cover", ">.8")]), weigh(&[("local", "absent")]));
    let both = weigh(&[("cover", ">.8"), ("local", "absent")]);
    assert!(both > one.max(other) && both < one + other);
}

#[test]
fn nothing_observed_gives_the_prior_and_no_verdict() {
    let weights = weights();
    for vantage in [Vantage::Home, Vantage::Employer] {
        let prior = weights.prior(vantage, false);
        let bench = Bench {
            weights: &weights,
            prior: &prior,
            claim: Claim::RemoteOperation,
            machines: 1,
            damage: None,
        };
        let judgement = judge(&bench, &Levels::none(&weights));
        assert_eq!(judgement.verdict, Verdict::None);
        assert!((Hypothesis::Msp.of(&judgement.posterior) - Hypothesis::Msp.of(&prior)).abs() < 1e-9);
    }
}

/// Every combination of levels of one family's cues.
fn combinations(
    weights: &Weights,
    family: crate::model::evidence::Family,
) -> Vec<Vec<(usize, Option<usize>)>> {
    let mut all: Vec<Vec<(usize, Option<usize>)>> = vec![Vec::new()];
    for (place, table) in weights.cues.iter().enumerate() {
        if table.family != family {
            continue;
        }
        let choices: Vec<Option<usize>> = (0..table.levels.len()).map(Some).chain([None]).collect();
        all = all
            .iter()
            .flat_map(|before| {
                choices.iter().map(move |level| {
                    let mut more = before.clone();
                    more.push((place, *level));
                    more
                })
            })
            .collect();
    }
    all
}

#[test]
fn forging_any_one_family_makes_no_benign_scenario_likely() {
    let weights = weights();
    let prior = weights.prior(Vantage::Home, false);
    let mut worst = Vec::new();
    for benign in scenarios::BENIGN {
        for family in posterior::FAMILIES {
            for forged in combinations(&weights, family) {
                let mut levels = scenarios::levels(&weights, benign.cues);
                for (place, level) in &forged {
                    levels.put(*place, *level);
                }
                let bench = Bench {
                    weights: &weights,
                    prior: &prior,
                    claim: Claim::Farm,
                    machines: 6,
                    damage: None,
                };
                let judgement = judge(&bench, &levels);
                let farm = Hypothesis::Farm.of(&judgement.posterior);
                worst.push((farm, benign.id, family, judgement.verdict));
            }
        }
    }
    worst.sort_by(|one, other| other.0.total_cmp(&one.0));
    println!("{:?}", &worst[..3]);
    assert!(
        worst.iter().all(|(_, _, _, verdict)| *verdict < Verdict::Likely),
        "{:?}",
        worst[0]
    );
}

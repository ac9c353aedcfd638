//! The prototype's figures of DETECTION 9.1, properties of the posterior, and whole explanations of made-up hosts.

mod capture;
mod figures;
mod hidden;
mod needs;
mod scenarios;

use proptest::prelude::*;

use super::hypothesis::{Hypothesis, explanations};
use super::posterior::{Claim, family_decibans, posterior};
use super::verdict::judge;
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
            let found = posterior(&weights, &weights.prior(vantage, false), &levels, &[]);
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
            posterior(&weights, &prior, &levels, &[]).map(f64::to_bits),
            posterior(&without, &prior, &smaller, &[]).map(f64::to_bits)
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
            has_common_instance: true,
            damage: None,
        };
        let judgement = judge(&bench, &Levels::none(&weights));
        assert_eq!(judgement.verdict, Verdict::None);
        assert!((Hypothesis::Msp.of(&judgement.posterior) - Hypothesis::Msp.of(&prior)).abs() < 1e-9);
    }
}

#[test]
fn forging_any_one_family_makes_no_benign_scenario_likely() {
    let weights = weights();
    let prior = weights.prior(Vantage::Home, false);
    let mut worst = Vec::new();
    for benign in scenarios::BENIGN {
        let seen = scenarios::levels(&weights, benign.cues);
        for family in posterior::FAMILIES {
            for levels in forgery::forgeries(&weights, &seen, family) {
                let bench = Bench {
                    weights: &weights,
                    prior: &prior,
                    claim: Claim::Farm,
                    machines: 6,
                    has_common_instance: true,
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

#[test]
fn an_owner_who_is_far_away_is_not_made_likely_by_forging_one_more_family() {
    // Everything that is done at the machine is done through sessions, over a long loop: rc and lat speak by themselves.
    let away = [
        ("n_rc", "1"),
        ("cover", ">.8"),
        ("sess", "mid"),
        ("local", "absent"),
        ("tenants", "0-1"),
        ("auth", "unlisted-1"),
        ("kvm", "0"),
        ("ctrl_geo", "relay-only"),
        ("dev_vpn", "none"),
        ("xrtt", ">100"),
    ];
    let worst = |weights: &Weights| {
        let prior = weights.prior(Vantage::Home, false);
        let bench = Bench {
            weights,
            prior: &prior,
            claim: Claim::RemoteOperation,
            machines: 1,
            has_common_instance: true,
            damage: None,
        };
        let seen = scenarios::levels(weights, &away);
        posterior::FAMILIES
            .into_iter()
            .flat_map(|family| forgery::forgeries(weights, &seen, family))
            .map(|levels| judge(&bench, &levels).verdict)
            .max()
    };
    assert_eq!(worst(&weights()), Some(Verdict::Review));
    let mut apart = weights();
    apart.two_key.one_kind.clear();
    assert!(
        worst(&apart) >= Some(Verdict::Likely),
        "it is the rule that holds it"
    );
}

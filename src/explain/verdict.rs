//! Verdicts: bands, and the two-key rule that keeps one kind of evidence from deciding alone (DETECTION 5.2).

use crate::model::evidence::Family;
use crate::model::host::Verdict;

use super::hypothesis::ByHypothesis;
use super::posterior::{Claim, FAMILIES, Levels, family_decibans, posterior};
use super::weights::{Hold, Weights};

/// A verdict and what held it down.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The posterior behind it.
    pub posterior: ByHypothesis,
    /// How far the evidence goes.
    pub verdict: Verdict,
    /// Why it is lower than the band of its probability, if it is.
    pub held_down: Option<String>,
}

/// Circumstances of a judgement.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// The model.
    pub weights: &'a Weights,
    /// Prior of the vantage.
    pub prior: &'a ByHypothesis,
    /// What is claimed.
    pub claim: Claim,
    /// How many machines it is about.
    pub machines: usize,
    /// Why the capture cannot carry more than a review, if so.
    pub damage: Option<&'a str>,
}

/// Judges observed levels.
#[must_use]
pub fn judge(bench: &Bench<'_>, levels: &Levels) -> Judgement {
    let found = posterior(bench.weights, bench.prior, levels, &[]);
    let band = bench.weights.bands.of(bench.claim.probability(&found));
    let mut judgement = Judgement {
        posterior: found,
        verdict: band,
        held_down: None,
    };
    if band == Verdict::None {
        return judgement;
    }
    // Priors suppose that something already tripped a filter; a host about which nothing was seen has not.
    let weighed: Vec<(Family, f64)> = FAMILIES
        .into_iter()
        .filter_map(|family| {
            let weight = family_decibans(bench.weights, bench.prior, levels, family, bench.claim)?;
            Some((family, weight.0))
        })
        .collect();
    if weighed.iter().all(|(_, weight)| *weight <= 0.0) {
        judgement.verdict = Verdict::None;
        judgement.held_down = Some("nothing was seen that speaks for it".to_owned());
        return judgement;
    }
    if band >= Verdict::Likely
        && let Some(cause) = obstacle(bench, levels, &weighed)
    {
        judgement.verdict = Verdict::Review;
        judgement.held_down = Some(cause);
    }
    judgement
}

/// Whether the cue of a hold was seen at one of its levels.
#[must_use]
pub fn holds(bench: &Bench<'_>, levels: &Levels, hold: &Hold) -> bool {
    let seen = || {
        let place = bench.weights.position(&hold.cue)?;
        bench.weights.cues.get(place)?.levels.get(levels.get(place)?)
    };
    seen().is_some_and(|level| hold.levels.contains(&level.name))
}

/// What forbids more than a review.
fn obstacle(bench: &Bench<'_>, levels: &Levels, weighed: &[(Family, f64)]) -> Option<String> {
    if let Some(damage) = bench.damage {
        return Some(damage.to_owned());
    }
    if bench.claim == Claim::Farm && bench.machines < 2 {
        return Some("a farm has at least two machines".to_owned());
    }
    let rule = &bench.weights.two_key;
    if let Some(hold) = rule.holds.iter().find(|hold| holds(bench, levels, hold)) {
        return Some(hold.because.clone());
    }
    let speaking: Vec<Family> = weighed
        .iter()
        .filter(|(family, weight)| *weight >= rule.decibans && !rule.context.contains(family))
        .map(|(family, _)| *family)
        .collect();
    let needed = if bench.machines == 2 && bench.claim == Claim::Farm {
        rule.pair_families.max(rule.families)
    } else {
        rule.families
    };
    let kinds = rule.kinds(bench.machines, speaking.iter().copied()).len();
    if kinds < needed {
        return Some(format!(
            "only {kinds} of {needed} needed kinds of evidence of what happens there speak for it clearly"
        ));
    }
    if !speaking.iter().any(|family| rule.keys.contains(family)) {
        return Some("neither remote control nor organisations speak for it clearly".to_owned());
    }
    let kinds = rule.kinds(bench.machines, weighed.iter().map(|(family, _)| *family));
    let alone = kinds.iter().find(|kind| {
        let left = posterior(bench.weights, bench.prior, levels, kind);
        bench.claim.probability(&left) < rule.leave_one_out
    })?;
    let words: Vec<&str> = alone.iter().map(|family| family.words()).collect();
    Some(format!(
        "it rests on one kind of evidence alone ({})",
        words.join(" and ")
    ))
}

//! Verdicts: bands, and the two-key rule that keeps one kind of evidence from deciding alone (DETECTION 5.2).

use crate::model::evidence::Family;
use crate::model::host::Verdict;

use super::hypothesis::ByHypothesis;
use super::posterior::{Claim, FAMILIES, Levels, family_decibans, posterior};
use super::weights::{Hold, Need, Weights};

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
    /// Whether most of them have an instance or a server of a tool in common.
    pub has_common_instance: bool,
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
    is_at(bench, levels, &hold.cue, &hold.levels)
}

/// Whether a group lacks what it needs for more than a review.
#[must_use]
pub fn lacks(bench: &Bench<'_>, levels: &Levels, need: &Need) -> bool {
    bench.claim == Claim::Farm
        && need.below.is_none_or(|below| bench.machines < below)
        && !(need.or_instance && bench.has_common_instance)
        && !need
            .any
            .iter()
            .any(|(cue, wanted)| is_at(bench, levels, cue, wanted))
}

/// Whether a cue was seen at one of these levels.
fn is_at(bench: &Bench<'_>, levels: &Levels, cue: &str, wanted: &[String]) -> bool {
    let seen = || {
        let place = bench.weights.position(cue)?;
        bench.weights.cues.get(place)?.levels.get(levels.get(place)?)
    };
    seen().is_some_and(|level| wanted.contains(&level.name))
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
    if let Some(need) = rule.needs.iter().find(|need| lacks(bench, levels, need)) {
        return Some(need.because.clone());
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

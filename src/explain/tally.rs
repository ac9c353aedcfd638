//! The steps from prior to posterior, as a record (`--explain`).

use std::f64::consts::LN_10;

use super::hypothesis::{ByHypothesis, by_name};
use super::posterior::{FAMILIES, Levels, family_scores, tempering};
use super::verdict::{Bench, Judgement};
use crate::model::host::Explanations;
use crate::model::tally::{FamilyTally, Tally};

/// Natural logarithms as decibans, to the hundredth: seven families are then off by less than a hundredth of the odds.
fn decibans(logs: &ByHypothesis) -> Explanations {
    by_name(&logs.map(|log| (log * 1_000.0 / LN_10).round() / 100.0))
}

/// What leads from the prior to the judgement's posterior.
pub(super) fn tally(bench: &Bench<'_>, levels: &Levels, judgement: &Judgement) -> Tally {
    let weights = bench.weights;
    let families = FAMILIES.into_iter().filter_map(|family| {
        let scores = family_scores(weights, levels, family)?;
        let cues: Vec<String> = (weights.cues.iter().enumerate())
            .filter(|(place, table)| table.family == family && levels.get(*place).is_some())
            .map(|(_, table)| table.id.clone())
            .collect();
        Some(FamilyTally {
            family,
            tempering: tempering(weights.lambda, cues.iter().fold(0.0, |count, _| count + 1.0)),
            cues,
            decibans: decibans(&scores),
        })
    });
    Tally {
        prior: decibans(&bench.prior.map(f64::ln)),
        families: families.collect(),
        held_down: judgement.held_down.clone(),
    }
}

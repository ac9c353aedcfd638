//! Counterfactuals: what the verdict would be if one thing were otherwise (DETECTION 5.2).

use crate::model::farm::Counterfactual;
use crate::model::host::Verdict;

use super::hypothesis::{Hypothesis, rounded};
use super::posterior::Levels;
use super::verdict::{Bench, judge};

/// The changes of the weights file that matter most here, the largest difference first.
///
/// Only cues that were observed are changed, and only changes that differ from what was seen are tried.
#[must_use]
pub fn counterfactuals(bench: &Bench<'_>, levels: &Levels) -> Vec<Counterfactual> {
    let weights = bench.weights;
    let judged_now = judge(bench, levels);
    let now = bench.claim.probability(&judged_now.posterior);
    let mut found: Vec<(f64, Counterfactual)> = Vec::new();
    for change in &weights.what_if {
        let mut then = levels.clone();
        for (cue, level) in &change.set {
            let observed = weights.position(cue).and_then(|place| levels.get(place));
            if observed.is_some() {
                then.set(weights, cue, level);
            }
        }
        if then == *levels {
            continue;
        }
        let judged = judge(bench, &then);
        // Who is below suspicion either way learns nothing from it.
        if judged_now.verdict == Verdict::None && judged.verdict == Verdict::None {
            continue;
        }
        let difference = (bench.claim.probability(&judged.posterior) - now).abs();
        found.push((
            difference,
            Counterfactual {
                change: format!("if {}", change.change),
                farm: Hypothesis::Farm.of(&rounded(&judged.posterior)),
                verdict: judged.verdict,
            },
        ));
    }
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    found
        .into_iter()
        .take(weights.rules.most_counterfactuals)
        .map(|(_, counterfactual)| counterfactual)
        .collect()
}

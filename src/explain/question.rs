//! The next best question: the unobserved cue that would lower the posterior's entropy most (DETECTION 5.2).

use super::hypothesis::{ByHypothesis, Hypothesis};
use super::posterior::{Levels, entropy, posterior};
use super::weights::Weights;

/// The question of the best cue among those that can be asked here; `None` when nothing is left to ask.
#[must_use]
pub fn next<'a>(
    weights: &'a Weights,
    prior: &ByHypothesis,
    levels: &Levels,
    askable: &dyn Fn(&str) -> bool,
) -> Option<&'a str> {
    let now = posterior(weights, prior, levels, &[]);
    let before = entropy(&now);
    let mut best: Option<(f64, &str)> = None;
    for (place, table) in weights.cues.iter().enumerate() {
        if levels.get(place).is_some() || !askable(&table.id) {
            continue;
        }
        let mut expected = 0.0;
        let mut whole = 0.0;
        // An answer is one of the levels, not "one of two".
        let answers = table.levels.iter().enumerate();
        for (level, cells) in answers.filter(|(_, cells)| !cells.is_either) {
            let chance: f64 = Hypothesis::ALL
                .iter()
                .map(|one| one.of(&now) * one.of(&cells.row))
                .sum();
            let mut then = levels.clone();
            then.put(place, Some(level));
            expected += chance * entropy(&posterior(weights, prior, &then, &[]));
            whole += chance;
        }
        let gain = before - expected / whole.max(f64::MIN_POSITIVE);
        if best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, &table.question));
        }
    }
    best.map(|(_, question)| question)
}

//! What a forger of one family of evidence could make of what was seen: the gate that no single family decides (DETECTION 9.1).

use crate::model::evidence::Family;

use super::posterior::Levels;
use super::weights::Weights;

/// The levels that were seen, with each combination of levels that the cues of one family can have, observed or not, in place of its
/// own.
#[must_use]
pub fn forgeries(weights: &Weights, seen: &Levels, family: Family) -> Vec<Levels> {
    let mut all = vec![seen.clone()];
    for (place, table) in weights.cues.iter().enumerate() {
        if table.family != family {
            continue;
        }
        let choices: Vec<Option<usize>> = (0..table.levels.len()).map(Some).chain([None]).collect();
        all = all
            .iter()
            .flat_map(|before| {
                choices.iter().map(move |level| {
                    let mut forged = before.clone();
                    forged.put(place, *level);
                    forged
                })
            })
            .collect();
    }
    all
}

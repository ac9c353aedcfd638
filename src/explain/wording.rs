//! Sentences for a ticket: what the evidence is consistent with, what else it could be, and what held it down.

use std::fmt::Write as _;

use super::hypothesis::{DIGITS, Hypothesis, rounded};
use super::posterior::Claim;
use super::verdict::Judgement;
use super::weights::Weights;
use crate::model::farm::FROM_BESIDE;
use crate::model::host::Verdict;
use crate::model::quantity;

/// One sentence or two about a subject; the same words for a host and a group. `from_beside` says that whoever is known to control these
/// machines sits on their own network.
#[must_use]
pub fn summary(label: &str, weights: &Weights, judgement: &Judgement, from_beside: bool) -> String {
    format!("{label}{}", said(weights, judgement, from_beside))
}

/// The same without the label: what can be said of all subjects that are judged alike.
#[must_use]
pub(super) fn said(weights: &Weights, judgement: &Judgement, from_beside: bool) -> String {
    let ranked = Hypothesis::ranked(&judgement.posterior);
    let posterior = &rounded(&judgement.posterior);
    let [winner, ..] = ranked;
    let (mut name, benign) = weights.words(winner);
    if from_beside && winner == Hypothesis::Farm {
        name = FROM_BESIDE;
    }
    let mut text = format!(
        ": {}; consistent with {name} (posterior {})",
        judgement.verdict.name(),
        probability(winner.of(posterior)),
    );
    if winner.is_remote_operation() {
        if let Some(rival) = ranked.iter().find(|one| !one.is_remote_operation()) {
            let (name, benign) = weights.words(*rival);
            let _ = write!(
                text,
                "; the best benign explanation is {name} ({}): {benign}",
                probability(rival.of(posterior))
            );
        }
    } else if judgement.verdict > Verdict::None {
        // Where nothing was seen, an example of what is often seen would read as if it had been.
        let _ = write!(text, ": {benign}");
    }
    let _ = write!(
        text,
        "; farm {}, operated from elsewhere {}",
        probability(Claim::Farm.probability(posterior)),
        probability(Claim::RemoteOperation.probability(posterior)),
    );
    if let Some(cause) = &judgement.held_down {
        let _ = write!(text, "; not rated higher because {cause}");
    }
    text
}

/// A probability as sentences show it: nothing that is inferred is certain.
pub(super) fn probability(value: f64) -> String {
    let text = quantity::probability(value, DIGITS);
    match text.split_at_checked(1) {
        Some(("<", rest)) => format!("below {rest}"),
        Some((">", rest)) => format!("above {rest}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_inferred_is_printed_as_certain() {
        assert_eq!(probability(1.0), "above .9999");
        assert_eq!(probability(0.999_9), ".9999");
        assert_eq!(probability(0.0), "below .0001");
        assert_eq!(probability(0.5), ".5000");
    }
}

//! The posterior over the eight explanations (DETECTION 5.2).
//!
//! `log P(h | E) = log prior(h) + sum over families t_f * sum of log P(level | h) - log Z`, where
//! `t_f = (1 + lambda (k_f - 1)) / k_f` tempers the `k_f` observed cues of one family. What is not observable is
//! skipped; it never changes anything. Sums run in the order of the tables.

use crate::model::evidence::{Decibans, Family};

use super::hypothesis::{ByHypothesis, Hypothesis};
use super::weights::Weights;

/// Families in the order in which they are summed.
pub const FAMILIES: [Family; 7] = [
    Family::Rc,
    Family::Org,
    Family::Tool,
    Family::Loc,
    Family::Time,
    Family::Lat,
    Family::Ctx,
];

/// The level of each cue's table (by position), `None` where it is not observable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Levels(Vec<Option<usize>>);

impl Levels {
    /// Nothing observed.
    #[must_use]
    pub fn none(weights: &Weights) -> Self {
        Self(vec![None; weights.cues.len()])
    }

    /// Sets a cue's level by names; unknown names change nothing.
    pub fn set(&mut self, weights: &Weights, cue: &str, level: &str) {
        if let Some(place) = weights.position(cue)
            && let Some(table) = weights.cues.get(place)
            && let Some(slot) = self.0.get_mut(place)
        {
            *slot = table.level(level);
        }
    }

    /// Sets a cue's level by positions.
    pub fn put(&mut self, cue: usize, level: Option<usize>) {
        if let Some(slot) = self.0.get_mut(cue) {
            *slot = level;
        }
    }

    /// The level of a cue.
    #[must_use]
    pub fn get(&self, cue: usize) -> Option<usize> {
        self.0.get(cue).copied().flatten()
    }
}

/// What the sum over a family's observed cues is multiplied by: `lambda` 1 takes them as independent, 0 as one.
#[must_use]
pub fn tempering(lambda: f64, cues: f64) -> f64 {
    (1.0 + lambda * (cues - 1.0)) / cues
}

/// Tempered log-likelihoods of one family.
#[must_use]
pub fn family_scores(weights: &Weights, levels: &Levels, family: Family) -> Option<ByHypothesis> {
    let mut sums = [0.0; 8];
    let mut cues = 0.0;
    for (place, table) in weights.cues.iter().enumerate() {
        if table.family != family {
            continue;
        }
        let Some(level) = levels.get(place).and_then(|level| table.levels.get(level)) else {
            continue;
        };
        cues += 1.0;
        for (sum, cell) in sums.iter_mut().zip(level.row) {
            *sum += cell.ln();
        }
    }
    (cues > 0.0).then(|| {
        let tempering = tempering(weights.lambda, cues);
        sums.map(|sum| sum * tempering)
    })
}

/// The posterior, with some families left out if asked.
#[must_use]
pub fn posterior(
    weights: &Weights,
    prior: &ByHypothesis,
    levels: &Levels,
    without: &[Family],
) -> ByHypothesis {
    let mut logs = prior.map(f64::ln);
    for family in FAMILIES {
        if without.contains(&family) {
            continue;
        }
        if let Some(scores) = family_scores(weights, levels, family) {
            for (log, score) in logs.iter_mut().zip(scores) {
                *log += score;
            }
        }
    }
    let highest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raised = logs.map(|log| (log - highest).exp());
    let sum: f64 = raised.iter().sum();
    raised.map(|one| one / sum)
}

/// What is being claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A farm: what a group is asked about.
    Farm,
    /// Remote operation, of one machine or several: what a host is asked about.
    RemoteOperation,
}

impl Claim {
    /// Whether an explanation is part of the claim.
    #[must_use]
    pub fn holds(self, hypothesis: Hypothesis) -> bool {
        match self {
            Self::Farm => hypothesis == Hypothesis::Farm,
            Self::RemoteOperation => hypothesis.is_remote_operation(),
        }
    }

    /// Its probability.
    #[must_use]
    pub fn probability(self, posterior: &ByHypothesis) -> f64 {
        Hypothesis::ALL
            .iter()
            .filter(|one| self.holds(**one))
            .map(|one| one.of(posterior))
            .sum()
    }
}

/// The weight of one observed cue and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// The weight.
    pub decibans: Decibans,
    /// The cell that was used: how probable each explanation makes the level.
    pub cell: ByHypothesis,
    /// What everything else that was observed leaves of each explanation.
    pub others: ByHypothesis,
}

/// Weight of one observed cue: how much likelier the claim makes its level than the benign explanations do together,
/// each as likely as everything else that was observed leaves it.
///
/// The design printed the level against the best rival of that cell alone (5.2). In the laboratory that rival was often an
/// explanation which the rest had long ruled out: an unlisted tool on six machines stood as a reason against a farm, because
/// an owner who reaches one machine of his own has one more often. Not tempered: it describes the item.
#[must_use]
pub fn weigh_cue(
    weights: &Weights,
    prior: &ByHypothesis,
    levels: &Levels,
    cue: usize,
    claim: Claim,
) -> Option<Weighed> {
    let cell = weights.cues.get(cue)?.levels.get(levels.get(cue)?)?.row;
    let mut rest = levels.clone();
    rest.put(cue, None);
    let others = posterior(weights, prior, &rest, &[]);
    let mean = |wanted: &dyn Fn(Hypothesis) -> bool| {
        let mut weighted = 0.0;
        let mut whole = 0.0;
        for one in Hypothesis::ALL.into_iter().filter(|one| wanted(*one)) {
            weighted += one.of(&others) * one.of(&cell);
            whole += one.of(&others);
        }
        weighted / whole
    };
    let claimed = mean(&|one| claim.holds(one));
    let benign = mean(&|one| !one.is_remote_operation());
    Some(Weighed {
        decibans: Decibans::from_nats((claimed / benign).ln()),
        cell,
        others,
    })
}

/// Weight of a whole family, tempered, against the benign explanations together.
///
/// The two-key rule counts this: against the best rival of every single cue no family of organisations could ever
/// count (co-working spaces hold five tenants more easily than farms do), however ill that rival fits the rest.
#[must_use]
pub fn family_decibans(
    weights: &Weights,
    prior: &ByHypothesis,
    levels: &Levels,
    family: Family,
    claim: Claim,
) -> Option<Decibans> {
    let scores = family_scores(weights, levels, family)?;
    let mean = |wanted: &dyn Fn(Hypothesis) -> bool| {
        let mut weighted = 0.0;
        let mut whole = 0.0;
        for one in Hypothesis::ALL.into_iter().filter(|one| wanted(*one)) {
            weighted += one.of(prior) * one.of(&scores).exp();
            whole += one.of(prior);
        }
        weighted / whole
    };
    let claimed = mean(&|one| claim.holds(one));
    let benign = mean(&|one| !one.is_remote_operation());
    Some(Decibans::from_nats((claimed / benign).ln()))
}

/// Entropy in bits.
#[must_use]
pub fn entropy(posterior: &ByHypothesis) -> f64 {
    -posterior
        .iter()
        .filter(|one| **one > 0.0)
        .map(|one| one * one.log2())
        .sum::<f64>()
}

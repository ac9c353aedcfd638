//! How a prior becomes a posterior, for who checks it: every step in decibans, so that the steps can be added.

use serde::Serialize;

use super::evidence::Family;
use super::host::Explanations;

/// From the prior to the posterior (DETECTION 5.2). The posterior of an explanation is `10^(sum / 10)` over the sum of that for all
/// eight, where `sum` is its prior and its entries of all families together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// Ten times the decimal logarithm of each explanation's prior.
    pub prior: Explanations,
    /// What each family of cues adds, in the order in which they are added.
    pub families: Vec<FamilyTally>,
    /// Why the verdict is lower than the posterior alone would have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_down: Option<String>,
}

/// What the observed cues of one family add.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyTally {
    /// The family.
    pub family: Family,
    /// Its observed cues.
    pub cues: Vec<String>,
    /// What their sum is multiplied by: cues of one family say partly the same.
    pub tempering: f64,
    /// The product: ten times the decimal logarithm of P(level), summed over the cues and tempered.
    pub decibans: Explanations,
}

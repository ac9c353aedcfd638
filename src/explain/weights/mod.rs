//! The model's weights: loaded from `weights.toml`, checked, and known by their hash in every report.

mod files;
mod load;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::evidence::Family;
use crate::model::host::Verdict;
use crate::model::vantage::Vantage;
use crate::settings::pair_weights::PairWeights;
pub use crate::settings::rules::Rules;

use super::damage::DamageRule;
use super::hypothesis::{ByHypothesis, Hypothesis};
use super::little::LittleRule;

/// Why weights were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not TOML, or a field is missing or unknown.
    #[error("weights: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The columns are not the eight explanations in their order.
    #[error("weights: columns: expected {expected}, found {found}")]
    Columns {
        /// What they should be.
        expected: String,
        /// What they are.
        found: String,
    },
    /// A row has too few or too many cells, or a cell that is no probability.
    #[error("weights: {table}: row {row:?}: {cause}")]
    Row {
        /// Table.
        table: String,
        /// Row.
        row: String,
        /// What is wrong.
        cause: String,
    },
    /// A column does not add up.
    #[error("weights: {table}: column {column} sums to {sum:.4} instead of {total}")]
    Sum {
        /// Table.
        table: String,
        /// Column.
        column: &'static str,
        /// What it sums to.
        sum: f64,
        /// What it should sum to.
        total: f64,
    },
    /// A threshold that contradicts another.
    #[error("weights: {table} {cause}")]
    Rule {
        /// Entry.
        table: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// A word that means nothing here.
    #[error("weights: {table}: unknown {what} {word:?}")]
    Unknown {
        /// Table.
        table: String,
        /// Kind of word.
        what: &'static str,
        /// The word.
        word: String,
    },
    /// Something that the program needs.
    #[error("weights: {table} is missing")]
    Missing {
        /// What.
        table: String,
    },
}

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Version as the file says.
    pub version: String,
    /// SHA-256 of all of the model's data files (`files`), in hexadecimal.
    pub hash: String,
    /// How much each further cue of a family counts (5.2).
    pub lambda: f64,
    /// Smallest believable cell.
    pub smoothing: f64,
    /// Priors at a home line.
    home: ByHypothesis,
    /// Priors at an employer.
    employer: ByHypothesis,
    /// Priors of farm and solo in incident response.
    incident: Incident,
    /// Lower edges of the bands.
    pub bands: Bands,
    /// The two-key rule.
    pub two_key: TwoKey,
    /// What a capture must hold before a cue may speak.
    pub rules: Rules,
    /// How much may be missing before no verdict goes beyond a review.
    pub damage: DamageRule,
    /// When so little was captured that nothing is said to be absent.
    pub little: LittleRule,
    /// Words for each explanation, in the order of the tables.
    pub words: Vec<Words>,
    /// Tables, sorted by identifier.
    pub cues: Vec<CueTable>,
    /// What counterfactuals change.
    pub what_if: Vec<WhatIf>,
    /// Constants of clustering.
    pub pairs: PairWeights,
}

/// Lower edges of the bands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    note: f64,
    review: f64,
    likely: f64,
    strong: f64,
}

impl Bands {
    /// The band of a probability.
    #[must_use]
    pub fn of(&self, probability: f64) -> Verdict {
        if probability > self.strong {
            Verdict::Strong
        } else if probability >= self.likely {
            Verdict::Likely
        } else if probability >= self.review {
            Verdict::Review
        } else if probability >= self.note {
            Verdict::Note
        } else {
            Verdict::None
        }
    }
}

/// The two-key rule: likely and strong need more than one kind of evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoKey {
    /// Families that must speak for it.
    pub families: usize,
    /// How much each must weigh.
    pub decibans: f64,
    /// One of these must be among them.
    pub keys: Vec<Family>,
    /// Families that never count: what kind of place it is, and not what happens there.
    pub context: Vec<Family>,
    /// Families that a pair of machines needs.
    pub pair_families: usize,
    /// Leaving out any one family must leave at least this probability.
    pub leave_one_out: f64,
    /// Families that count as one kind where it is about one machine.
    pub one_kind: Vec<Vec<Family>>,
    /// What leaves no more than a review, whatever else was seen.
    pub holds: Vec<Hold>,
    /// What must have been seen of a group for more than a review.
    pub needs: Vec<Need>,
}

/// Something without which a group is no more than a review: one of these levels of one of these cues.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Asked of groups with fewer machines than this; of all where it is left out.
    #[serde(default)]
    pub below: Option<usize>,
    /// Whether an instance or a server of a tool that most of the machines have in common is enough as well.
    #[serde(default)]
    pub or_instance: bool,
    /// Cues, and the levels of each that are enough.
    pub any: BTreeMap<String, Vec<String>>,
    /// Why it is not rated higher, in words.
    pub because: String,
    /// What settles it, asked before anything else.
    pub ask: String,
}

/// A cue that says that the claim is not about such machines.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The cue.
    pub cue: String,
    /// Levels at which it does.
    pub levels: Vec<String>,
    /// Why, in words.
    pub because: String,
    /// What settles it, asked before anything else; none where a cue's question does.
    #[serde(default)]
    pub ask: Option<String>,
}

impl TwoKey {
    /// Families by kind, in the order of the families.
    #[must_use]
    pub fn kinds(&self, machines: usize, families: impl Iterator<Item = Family>) -> Vec<Vec<Family>> {
        let mut kinds: Vec<Vec<Family>> = Vec::new();
        for family in families {
            let is_one = |kind: &&mut Vec<Family>| {
                let together =
                    |one: &Vec<Family>| one.contains(&family) && one.iter().any(|other| kind.contains(other));
                machines == 1 && self.one_kind.iter().any(together)
            };
            match kinds.iter_mut().find(is_one) {
                Some(kind) => kind.push(family),
                None => kinds.push(vec![family]),
            }
        }
        kinds
    }
}

/// Words for an explanation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// What it is, after "consistent with".
    pub name: String,
    /// How ordinary life looks like it.
    pub benign: String,
}

/// A level of a cue and how probable each explanation makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its name.
    pub name: String,
    /// `P(level | explanation)`, smoothed.
    pub row: ByHypothesis,
    /// It leaves open which of two other levels it is; its row is their sum.
    pub is_either: bool,
}

/// The table of a cue.
#[derive(Clone, Debug, PartialEq)]
pub struct CueTable {
    /// Identifier.
    pub id: String,
    /// Family, for tempering.
    pub family: Family,
    /// What it measures, in words.
    pub title: String,
    /// What one would ask to learn it.
    pub question: String,
    /// Levels, sorted by name; behind them those that leave open which of two it is.
    pub levels: Vec<Level>,
}

impl CueTable {
    /// Position of a level.
    #[must_use]
    pub fn level(&self, name: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.name == name)
    }
}

/// A change for counterfactuals.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIf {
    /// In words, after "if".
    pub change: String,
    /// Cues and the levels that they would have.
    pub set: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Incident {
    farm: f64,
    solo: f64,
}

impl Weights {
    /// A cue's table.
    #[must_use]
    pub fn cue(&self, id: &str) -> Option<&CueTable> {
        self.position(id).and_then(|place| self.cues.get(place))
    }

    /// Where a cue's table stands.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.cues.binary_search_by(|cue| cue.id.as_str().cmp(id)).ok()
    }

    /// The prior of a vantage; in incident response farm and solo as the file says, the rest scaled.
    #[must_use]
    pub fn prior(&self, vantage: Vantage, is_incident: bool) -> ByHypothesis {
        let plain = match vantage {
            Vantage::Home => self.home,
            Vantage::Employer => self.employer,
        };
        if !is_incident {
            return plain;
        }
        let [_, _, rest @ ..] = plain;
        let scale = (1.0 - self.incident.farm - self.incident.solo) / rest.iter().sum::<f64>();
        let [msp, vdi, shared, travel, own, normal] = rest.map(|one| one * scale);
        [
            self.incident.farm,
            self.incident.solo,
            msp,
            vdi,
            shared,
            travel,
            own,
            normal,
        ]
    }

    /// Words for an explanation.
    #[must_use]
    pub fn words(&self, hypothesis: Hypothesis) -> (&str, &str) {
        Hypothesis::ALL
            .iter()
            .position(|one| *one == hypothesis)
            .and_then(|place| self.words.get(place))
            .map_or(("", ""), |words| (words.name.as_str(), words.benign.as_str()))
    }
}

//! What could not be analysed, counted by cause: nothing is dropped in silence.

use std::collections::BTreeMap;

/// Counters of packets that were skipped or damaged, by cause in plain words.
///
/// Causes are constant texts, so that counting costs no allocation after the first of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<&'static str, u64>);

impl Losses {
    /// Counts one occurrence of `cause`.
    pub fn count(&mut self, cause: &'static str) {
        self.add(cause, 1);
    }

    /// Counts `many` occurrences of `cause`.
    pub fn add(&mut self, cause: &'static str, many: u64) {
        if many > 0 {
            let counter = self.0.entry(cause).or_default();
            *counter = counter.saturating_add(many);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (cause, many) in &other.0 {
            self.add(cause, *many);
        }
    }

    /// Causes and counts in the order of the causes.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(cause, many)| (*cause, *many))
    }

    /// Sum over all causes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, many| sum.saturating_add(*many))
    }
}

impl serde::Serialize for Losses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

//! Groups: hosts that belong together, before anybody says what they are.

use serde::Serialize;

use super::identity::ContentId;

/// What one term says about a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Natural log-odds that the two belong together.
    pub nats: f64,
    /// Why, in words.
    pub what: String,
}

/// A term under its name, as a ledger keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerLine {
    /// The term's identifier.
    pub term: &'static str,
    /// What it said.
    pub said: Term,
}

/// Why two hosts belong together: every observable term, and their sum with the prior of a random pair.
#[derive(Clone, Debug, PartialEq)]
pub struct PairLedger {
    /// The two, the smaller identifier first.
    pub hosts: (ContentId, ContentId),
    /// Terms in the registry's order.
    pub lines: Vec<LedgerLine>,
    /// Terms that could not be observed.
    pub not_observable: Vec<&'static str>,
    /// Natural log-odds.
    pub total: f64,
}

/// A member and how firmly it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Stable identifier.
    pub host: ContentId,
    /// 0 to 1: how much of its group it stays with when edges and terms are dropped.
    pub membership: f64,
    /// Whether it belongs only loosely.
    pub is_loose: bool,
}

/// Groups at different places that are reached from one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Stable while what is shared stays the same.
    pub id: ContentId,
    /// Its groups, sorted.
    pub groups: Vec<ContentId>,
    /// Controllers and private servers that they share, in words, sorted.
    pub shared: Vec<String>,
}

/// Hosts that belong together. Being in one is no guilt: an office is one too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Stable while its router stays; without one while its first-seen member stays in it.
    pub id: ContentId,
    /// At least two, sorted by identifier.
    pub members: Vec<Member>,
    /// The pairs among them, sorted: those that hold it together, and of the first members every other.
    pub edges: Vec<PairLedger>,
    /// What clustering by density says where it does not see the same group.
    pub second_opinion: Option<String>,
    /// The operation that it is a part of, where there is more than one group in it.
    pub operation: Option<Operation>,
}

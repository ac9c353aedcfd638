//! Controller overlap: weighted Jaccard of the controllers that both were seen with.

use std::collections::BTreeSet;

use crate::cluster::pairs::Scale;
use crate::cluster::tokens;
use crate::model::group::Term;
use crate::model::profile::HostProfile;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "controller",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let (first, second) = (controllers(one), controllers(other));
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let mut shared = 0.0;
    let mut all = 0.0;
    let mut named = Vec::new();
    for id in first.union(&second) {
        let weight = scale.rarity.weight(tokens::controller(id));
        all += weight;
        if first.contains(id) && second.contains(id) {
            shared += weight;
            named.push(*id);
        }
    }
    let overlap = if all > 0.0 { shared / all } else { 0.0 };
    let line = &scale.weights.controller;
    let what = if named.is_empty() {
        "different controllers".to_owned()
    } else {
        format!(
            "controllers that are consistent with one place: {}",
            named.join(", ")
        )
    };
    Some(Term {
        nats: line.slope * overlap + line.offset,
        what,
    })
}

/// Identifiers of everybody who was seen at the other end of a live session.
fn controllers(profile: &HostProfile) -> BTreeSet<&str> {
    profile
        .live_sessions()
        .flat_map(|session| &session.controllers)
        .map(|controller| controller.id.as_str())
        .collect()
}

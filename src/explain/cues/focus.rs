//! Whether machines are driven in turn, as one person at several of them must (DETECTION 4.4, C4).
//!
//! Clustering has tested every pair of the group; this reads the result.

use std::collections::BTreeSet;

use crate::explain::subject::{Subject, identifiers};
use crate::model::quantity::counted;

use super::{Cue, Reading, fewer_than_two, is_over};

pub(super) const CUE: Cue = Cue {
    id: "focus",
    levels: &["in turn", "some in turn", "independent", "together"],
    value,
};

/// The term of the pairs' ledgers.
const TERM: &str = "focus";

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.len() < 2 {
        return fewer_than_two(subject);
    }
    let is_controlled = |host| controlled.iter().any(|one| one.host == host);
    let rules = subject.rules;
    let mut tested = BTreeSet::new();
    let (mut in_turn, mut together) = (BTreeSet::new(), BTreeSet::new());
    let (mut pairs, mut pairs_in_turn) = (0.0, 0.0);
    for edge in subject.edges {
        let (first, second) = edge.hosts;
        let Some(line) = edge.lines.iter().find(|line| line.term == TERM) else {
            continue;
        };
        if !is_controlled(first) || !is_controlled(second) {
            continue;
        }
        let nats = line.said.nats;
        if nats >= rules.focus_turns_nats {
            pairs_in_turn += 1.0;
            in_turn.extend([first, second]);
        } else if nats <= rules.focus_together_nats {
            together.extend([first, second]);
        } else if nats.abs() > rules.focus_independent_nats {
            continue;
        }
        pairs += 1.0;
        tested.extend([first, second]);
    }
    if tested.is_empty() {
        return Reading::hidden("too few half hours in which two of the machines are driven");
    }
    let is_most = |hosts: &BTreeSet<_>| is_over(rules.most_share, hosts.len(), tested.len());
    if pairs_in_turn > rules.focus_chance_share * pairs {
        let what = format!(
            "{} of {} are driven in turn with another one, consistent with one person who goes between them",
            in_turn.len(),
            counted(tested.len(), "machine")
        );
        let (level, what) = if is_most(&in_turn) {
            ("in turn", what)
        } else {
            ("some in turn", format!("{what}; the others are not"))
        };
        return Reading::observed(level, what).shown_by(in_turn.into_iter().collect(), Vec::new());
    }
    if is_most(&together) {
        let what = format!(
            "{} of {} are driven at the same moments as another",
            together.len(),
            counted(tested.len(), "machine")
        );
        return Reading::observed("together", what).shown_by(together.into_iter().collect(), Vec::new());
    }
    Reading::observed(
        "independent",
        "the machines are driven independently of each other".to_owned(),
    )
    .shown_by(identifiers(&controlled), Vec::new())
}

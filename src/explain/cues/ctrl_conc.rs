//! Whether several machines have the same few controllers, or each its own (DETECTION 4.4, C3).
//!
//! Fewer than two machines are counted by `n_rc` already, and unknown controllers are not observable: the table is conditional on
//! both.

use std::collections::BTreeMap;

use crate::explain::subject::{Subject, control_findings, identifiers};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;

use super::customers::customers;
use super::{Cue, Reading, fewer_than_two, is_under};

pub(super) const CUE: Cue = Cue {
    id: "ctrl_conc",
    levels: &["1:1", "1:1 scattered", "many:few"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.len() < 2 {
        return fewer_than_two(subject);
    }
    let mut by_controller: BTreeMap<&str, Vec<&HostProfile>> = BTreeMap::new();
    let mut known: Vec<&HostProfile> = Vec::new();
    for machine in controlled {
        let mut ids: Vec<&str> = machine
            .sessions_at_it()
            .flat_map(|session| &session.controllers)
            .map(|controller| controller.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            known.push(machine);
        }
        for id in ids {
            by_controller.entry(id).or_default().push(machine);
        }
    }
    if known.len() < 2 {
        return Reading::hidden("the controllers could not be learnt");
    }
    let shared: Vec<&str> = by_controller
        .iter()
        .filter(|(_, machines)| machines.len() > 1)
        .map(|(id, _)| *id)
        .collect();
    let mut reached: Vec<_> = by_controller
        .values()
        .filter(|machines| machines.len() > 1)
        .flatten()
        .map(|machine| machine.host)
        .collect();
    reached.sort_unstable();
    reached.dedup();
    if !is_under(subject.rules.most_share, reached.len(), known.len()) && !shared.is_empty() {
        let what = format!(
            "{} of {} whose controllers are known share {}: {}",
            reached.len(),
            counted(known.len(), "machine"),
            counted(shared.len(), "controller"),
            shared.join(", ")
        );
        return Reading::observed("many:few", what).shown_by(reached, control_findings(&known));
    }
    let own = "each machine has a controller of its own";
    let reading = match customers(subject) {
        Some(found) => {
            let what = format!("{own}; {}", found.described(subject.controlled().len()));
            Reading::observed("1:1 scattered", what)
        }
        None => Reading::observed("1:1", own.to_owned()),
    };
    reading.shown_by(identifiers(&known), control_findings(&known))
}

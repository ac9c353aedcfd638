//! Whether the controlled machines are servers, by what they offer to machines outside the group: administrators reach servers, and nobody
//! works at them.
//!
//! Nothing is said to be absent: what neighbours on one segment offer each other passes no capture point.

use std::collections::BTreeSet;

use crate::explain::subject::{Subject, identifiers};
use crate::model::address::Address;
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::settings::rules::ServerRules;

use super::{Cue, Reading, is_over, uncontrolled};

pub(super) const CUE: Cue = Cue {
    id: "servers",
    levels: &["most", "some"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return uncontrolled(subject);
    }
    let serving = serving(subject);
    if serving.is_empty() {
        return Reading::hidden(
            "what machines offer to others of their segment does not pass every capture point",
        );
    }
    let services: BTreeSet<&str> = (serving.iter())
        .flat_map(|one| one.serves.iter())
        .flat_map(|served| served.services.iter().copied())
        .collect();
    let services: Vec<&str> = services.into_iter().collect();
    let level = if is_over(subject.rules.most_share, serving.len(), controlled.len()) {
        "most"
    } else {
        "some"
    };
    let (who, are) = match controlled.len() {
        1 => ("the machine".to_owned(), "is a server"),
        many => (
            format!("{} of {}", serving.len(), counted(many, "machine")),
            "are servers",
        ),
    };
    let what = format!("{who} {are} for others: {}", services.join(", "));
    Reading::observed(level, what).shown_by(identifiers(&serving), Vec::new())
}

/// The controlled machines that are servers.
pub(super) fn serving<'a>(subject: &Subject<'a>) -> Vec<&'a HostProfile> {
    let rules = &subject.rules.servers;
    let own: BTreeSet<Address> = (subject.members.iter())
        .flat_map(|member| member.ips.iter().copied())
        .collect();
    let mut controlled = subject.controlled();
    controlled.retain(|one| serves(one, &own, rules));
    controlled
}

/// Whether a machine answers several others than those it is grouped with.
fn serves(one: &HostProfile, own: &BTreeSet<Address>, rules: &ServerRules) -> bool {
    one.serves.as_ref().is_some_and(|served| {
        let others = served.peers.iter().filter(|peer| !own.contains(peer));
        others.count() >= rules.peers
    })
}

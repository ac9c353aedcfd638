//! For how many organisations the machines work (DETECTION 4.2). At an employer every machine is its own.

use std::collections::BTreeSet;

use crate::explain::subject::{Subject, identifiers};
use crate::model::observable::Observable;
use crate::model::organisation::{is_label, may_be_one};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::model::vantage::Vantage;

use super::{Cue, Reading, level_of};

pub(super) const CUE: Cue = Cue {
    id: "tenants",
    levels: &["0-1", "2", "3-4", "5+"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    if subject.vantage == Vantage::Employer {
        return Reading::inapplicable("at an employer every machine belongs to one organisation");
    }
    let machines = subject.of_interest();
    let known: Vec<&HostProfile> = machines.iter().copied().filter(|one| is_known(one)).collect();
    let organisations = organisations(&known);
    let level = match organisations.len() {
        0 | 1 if known.is_empty() || known.len().saturating_mul(2) < machines.len() => {
            let reason = machines.iter().find_map(|one| one.tenants.reason());
            return Reading::hidden(
                reason.unwrap_or("the organisations of most of these machines could not be seen"),
            );
        }
        0 => return Reading::absent("0-1", "no organisation's services are used"),
        many => level_of(CUE.levels, &subject.rules.tenants, many),
    };
    let on = if machines.len() == 1 {
        String::new()
    } else {
        format!(" on {}", counted(known.len(), "machine"))
    };
    let what = format!(
        "{}{on}, by the inventory or the services used: {}",
        counted(organisations.len(), "organisation"),
        organisations.join(", ")
    );
    Reading::observed(level, what).shown_by(identifiers(&known), Vec::new())
}

/// Whether something says, or says the lack of, a machine's organisation.
fn is_known(profile: &HostProfile) -> bool {
    employer(profile).is_some() || !matches!(profile.tenants, Observable::NotObservable(_))
}

fn employer(profile: &HostProfile) -> Option<&str> {
    profile
        .asset
        .seen()
        .and_then(|asset| asset.record.employer.as_deref())
}

/// One name for each organisation: names that one machine uses together are one organisation's.
fn organisations(machines: &[&HostProfile]) -> Vec<String> {
    let mut sets: Vec<BTreeSet<&str>> = Vec::new();
    for machine in machines {
        let mut names: BTreeSet<&str> = match employer(machine) {
            Some(employer) => BTreeSet::from([employer]),
            None => machine.tenants.list().iter().map(String::as_str).collect(),
        };
        if names.is_empty() {
            continue;
        }
        let is_one = |set: &BTreeSet<&str>| {
            set.iter()
                .any(|known| names.iter().any(|name| may_be_one(known, name)))
        };
        let (joined, apart): (Vec<_>, Vec<_>) = sets.into_iter().partition(is_one);
        for set in joined {
            names.extend(set);
        }
        sets = apart;
        sets.push(names);
    }
    // What the inventory writes out and what services call it need not look alike: the larger number of the two is sure.
    let (labels, written): (Vec<_>, Vec<_>) = sets
        .into_iter()
        .partition(|set| set.iter().all(|name| is_label(name)));
    let sets = if labels.len() > written.len() {
        labels
    } else {
        written
    };
    let mut named: Vec<String> = sets
        .iter()
        .map(|set| set.iter().copied().collect::<Vec<_>>().join("/"))
        .collect();
    named.sort_unstable();
    named
}

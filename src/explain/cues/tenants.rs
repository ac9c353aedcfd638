//! For how many organisations the machines work (DETECTION 4.2). At an employer every machine is its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::subject::{Subject, identifiers};
use crate::model::observable::Observable;
use crate::model::organisation::{is_label, may_be_one, service};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::model::vantage::Vantage;

use super::{Cue, Reading, is_under, level_of};

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
        0 | 1 if known.is_empty() || is_under(subject.rules.most_share, known.len(), machines.len()) => {
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

/// The organisations that one machine shows. Names that it uses together are one organisation's, a company's log-in and its chat; but
/// a service knows each of its customers by one name, and several customers of one service are as many organisations: an address with
/// several machines behind it looks so.
fn of_one(machine: &HostProfile) -> Vec<BTreeSet<&str>> {
    if let Some(employer) = employer(machine) {
        return vec![BTreeSet::from([employer])];
    }
    let names: Vec<&str> = machine.tenants.list().iter().map(String::as_str).collect();
    let mut customers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in &names {
        let of_service = customers.entry(service(name)).or_default();
        if !of_service.iter().any(|known| may_be_one(known, name)) {
            of_service.push(name);
        }
    }
    // The service with the most customers, of equals the first by name.
    let most = customers.into_values().rev().max_by_key(Vec::len);
    let mut sets: Vec<BTreeSet<&str>> = most
        .unwrap_or_default()
        .into_iter()
        .map(|name| BTreeSet::from([name]))
        .collect();
    for name in names {
        let own = sets
            .iter()
            .position(|set| set.iter().any(|known| may_be_one(known, name)));
        if let Some(set) = sets.get_mut(own.unwrap_or(0)) {
            set.insert(name);
        }
    }
    sets
}

/// One name for each organisation.
fn organisations(machines: &[&HostProfile]) -> Vec<String> {
    let mut sets: Vec<BTreeSet<&str>> = Vec::new();
    for mut names in machines.iter().flat_map(|machine| of_one(machine)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counted_of(machines: &[&[&str]]) -> usize {
        let profiles: Vec<HostProfile> = machines
            .iter()
            .map(|names| HostProfile {
                tenants: Observable::Observed(names.iter().map(|name| (*name).to_owned()).collect()),
                ..HostProfile::default()
            })
            .collect();
        organisations(&profiles.iter().collect::<Vec<_>>()).len()
    }

    #[test]
    fn several_customers_of_one_service_are_as_many_organisations() {
        let behind_one_address = [
            "acme@okta.com",
            "acme-hq@slack.com",
            "zeta@okta.com",
            "zeta@slack.com",
        ];
        assert_eq!(counted_of(&[&behind_one_address]), 2);
        // A company's log-in, its chat under another name and its tickets.
        assert_eq!(
            counted_of(&[&["acme@okta.com", "red-team@slack.com", "help@zendesk.com"]]),
            1
        );
        // Its two tenants of one name.
        assert_eq!(counted_of(&[&["acme@okta.com", "acme-dev@okta.com"]]), 1);
        assert_eq!(
            counted_of(&[&["acme@okta.com"], &["acme@slack.com"], &["zeta@okta.com"]]),
            2
        );
    }
}

//! Tenancy: machines of different organisations at one place, or colleagues who should live apart.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::organisation::{is_label, may_be_one};
use crate::model::profile::{Asset, HostProfile};
use crate::model::residence::{self, Residence};
use crate::settings::pair_weights::Tenancy;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "tenancy",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let weights = &scale.weights.tenancy;
    let (mine, yours) = (organisations(one), organisations(other));
    if mine.is_empty() || yours.is_empty() {
        return None;
    }
    let shared = mine
        .iter()
        .find(|name| yours.iter().any(|other| may_be_one(name, other)));
    let Some(shared) = shared else {
        // A name that the inventory writes out and a label that a service knows may be one organisation's all the same.
        let is_labelled = |names: &[&str]| names.iter().any(|name| is_label(name));
        if is_labelled(&mine) != is_labelled(&yours) {
            return None;
        }
        return Some(Term {
            nats: weights.different,
            what: format!(
                "different organisations: {} and {}",
                mine.join("/"),
                yours.join("/")
            ),
        });
    };
    if let (Some(first), Some(second)) = (one.asset.seen(), other.asset.seen()) {
        if let Some(site) = same_site(first, second, weights) {
            return Some(Term {
                nats: weights.same_site,
                what: format!("one organisation ({shared}), declared at one site ({site})"),
            });
        }
        if let Some(apart) = homes_apart(first, second, weights) {
            return Some(Term {
                nats: weights.homes_apart,
                what: format!("one organisation ({shared}), {apart}"),
            });
        }
    }
    Some(Term {
        nats: 0.0,
        what: format!("one organisation: {shared}"),
    })
}

/// Names of organisations: the inventory's word where it has one, else what services showed.
fn organisations(profile: &HostProfile) -> Vec<&str> {
    let employer = profile
        .asset
        .seen()
        .and_then(|asset| asset.record.employer.as_deref());
    match employer {
        Some(employer) => vec![employer],
        None => profile.tenants.list().iter().map(String::as_str).collect(),
    }
}

/// The site at which both are declared.
fn same_site<'a>(first: &'a Asset, second: &Asset, weights: &Tenancy) -> Option<&'a str> {
    let site = first.record.site.as_deref()?;
    let is_remote = weights
        .remote_sites
        .iter()
        .any(|word| word.eq_ignore_ascii_case(site));
    (!site.is_empty() && !is_remote && second.record.site.as_deref() == Some(site)).then_some(site)
}

/// How declared homes differ, in words; nothing of one person's homes.
fn homes_apart(first: &Asset, second: &Asset, weights: &Tenancy) -> Option<String> {
    let (mine, theirs) = (&first.record.assignee, &second.record.assignee);
    if mine.as_ref().is_some_and(|who| !who.is_empty()) && mine == theirs {
        return None;
    }
    match residence::compare(first, second, &weights.remote_sites, weights.apart_km) {
        Residence::Kilometres(km) => Some(format!("declared homes {km:.0} km apart")),
        Residence::Countries => {
            let country = |asset: &Asset| asset.record.country.clone().unwrap_or_default();
            Some(format!("declared in {} and {}", country(first), country(second)))
        }
        Residence::Near | Residence::Unknown => None,
    }
}

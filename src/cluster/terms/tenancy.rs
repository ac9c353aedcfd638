//! Tenancy: machines of different organisations at one place, or colleagues who should live apart.

use crate::cluster::pairs::Scale;
use crate::model::evidence::State;
use crate::model::group::Term;
use crate::model::organisation::is_label;
use crate::model::profile::{Asset, HostProfile};
use crate::model::residence::{self, Residence};
use crate::model::tenancy::{Belonging, Organisation, Relation};
use crate::settings::pair_weights::Tenancy;

use super::Entry;

/// Most names of a machine that are looked at, the most used: it is asked of every pair, and an employer has no more.
const MOST_NAMES: usize = 12;

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
    let related = |wanted: Relation| {
        mine.iter()
            .find(|own| yours.iter().any(|other| own.relation(other) == wanted))
    };
    let shared = related(Relation::Same).and_then(|own| own.names.first().copied());
    let Some(shared) = shared else {
        // A name that the inventory writes out and a label that a service knows may be one organisation's all the same, and so may two
        // beside which one name is used.
        let is_labelled =
            |all: &[Organisation<'_>]| all.iter().flat_map(|one| &one.names).any(|name| is_label(name));
        if related(Relation::Open).is_some() || is_labelled(&mine) != is_labelled(&yours) {
            return None;
        }
        if scale.tenants.are_two(one, other) {
            return Some(Term {
                nats: 0.0,
                what: format!(
                    "different organisations, each with a network of its own: {} and {}",
                    written(&mine),
                    written(&yours)
                ),
            });
        }
        if is_beside(one, other) || is_beside(other, one) {
            return Some(Term {
                nats: 0.0,
                what: format!(
                    "different organisations, of which one's machine is under remote control and somebody works at the other's, which is not: \
                     {} and {}",
                    written(&mine),
                    written(&yours)
                ),
            });
        }
        return Some(Term {
            nats: weights.different,
            what: format!(
                "different organisations: {} and {}",
                written(&mine),
                written(&yours)
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

/// Whether a machine is under remote control and the other is one that somebody works at himself. What speaks for a farm is that machines of several
/// organisations are driven at one place; an office, a flat or a shop around them is no part of it, whoever its people work for. Where an IP
/// KVM stands beside them, who works at a machine may be anywhere.
fn is_beside(one: &HostProfile, other: &HostProfile) -> bool {
    one.controlled() == State::Observed
        && other.controlled() == State::Absent
        && !other.active_minutes.list().is_empty()
        && other.kvm.on_gateway.list().is_empty()
}

/// Whose machine it is: the inventory's word where it has one, else what services showed day by day. A machine that organisations use
/// in turn is none's.
pub(in crate::cluster) fn organisations(profile: &HostProfile) -> Vec<Organisation<'_>> {
    let employer = profile
        .asset
        .seen()
        .and_then(|asset| asset.record.employer.as_deref());
    if let Some(employer) = employer {
        return vec![Organisation::written(employer)];
    }
    let tenants = profile.tenants.list();
    match Belonging::of(tenants.get(..MOST_NAMES).unwrap_or(tenants)) {
        Belonging::To(all) => all,
        Belonging::Unknown | Belonging::InTurn(_) | Belonging::Unclear(_) => Vec::new(),
    }
}

/// Names of organisations, one behind the other.
fn written(all: &[Organisation<'_>]) -> String {
    let names: Vec<&str> = all.iter().flat_map(|one| &one.names).copied().collect();
    names.join("/")
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

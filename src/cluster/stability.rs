//! Stability: who stays with a group when edges and whole terms are left out (DETECTION 6.3, step 3).

use crate::model::group::PairLedger;
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::settings::pair_weights::PairWeights;

use super::community::{WeightedEdge, communities};
use super::graph::Component;
use super::pairs::total_without;
use super::terms::REGISTRY;

/// Communities of a component, each a list of (node, membership, whether it is loose); single nodes are left out.
#[must_use]
pub fn firm_communities(
    component: &Component,
    nodes: &[&HostProfile],
    ledgers: &[(usize, usize, PairLedger)],
    weights: &PairWeights,
) -> Vec<Vec<(usize, f64, bool)>> {
    let bounds = &weights.community;
    let all: Vec<&(usize, usize, PairLedger)> = component
        .edges
        .iter()
        .filter_map(|edge| ledgers.get(*edge))
        .collect();
    let local = |node: usize| component.nodes.binary_search(&node).ok();
    let divide = |kept: &dyn Fn(&PairLedger) -> Option<f64>| {
        let edges: Vec<WeightedEdge> = all
            .iter()
            .filter_map(|(first, second, ledger)| Some((local(*first)?, local(*second)?, kept(ledger)?)))
            .collect();
        communities(component.nodes.len(), &edges, bounds.resolution, bounds.seed)
    };
    let labels = divide(&|ledger| Some(ledger.total));
    let mut runs: Vec<Vec<usize>> = (0..bounds.runs)
        .map(|run| divide(&|ledger| (!is_dropped(run, ledger, bounds.drop)).then_some(ledger.total)))
        .collect();
    for entry in REGISTRY {
        let bears = all
            .iter()
            .any(|(_, _, ledger)| ledger.lines.iter().any(|line| line.term == entry.name));
        if bears {
            runs.push(divide(&|ledger| {
                let total = total_without(ledger, entry.name);
                (total > weights.edge).then_some(total)
            }));
        }
    }
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (place, label) in labels.iter().enumerate() {
        if found.len() <= *label {
            found.resize(label.saturating_add(1), Vec::new());
        }
        if let Some(members) = found.get_mut(*label) {
            members.push(place);
        }
    }
    found
        .iter()
        .filter(|members| members.len() > 1)
        .map(|members| {
            members
                .iter()
                .filter_map(|place| {
                    let share = round(together(*place, members, &runs));
                    let node = *component.nodes.get(*place)?;
                    nodes.get(node)?;
                    (share >= bounds.keep).then_some((node, share, share < bounds.firm))
                })
                .collect()
        })
        .collect()
}

/// Mean share of the other members with which a node stays, over all runs.
fn together(place: usize, members: &[usize], runs: &[Vec<usize>]) -> f64 {
    let others = count(members.len().saturating_sub(1)).max(1.0);
    let mut sum = 0.0;
    for run in runs {
        let own = run.get(place);
        let staying = members
            .iter()
            .filter(|other| **other != place && run.get(**other) == own)
            .count();
        sum += count(staying) / others;
    }
    if runs.is_empty() {
        1.0
    } else {
        sum / count(runs.len())
    }
}

/// Whether a run leaves out an edge: drawn from the run and the two hosts, so that no order decides.
fn is_dropped(run: u64, ledger: &PairLedger, chance: f64) -> bool {
    let drawn = ContentId::of_words(&[run, ledger.hosts.0.0, ledger.hosts.1.0]).0 >> 32;
    f64::from(u32::try_from(drawn).unwrap_or(u32::MAX)) < chance * f64::from(u32::MAX)
}

/// A count as a number; counts here are far below 2^32.
fn count(many: usize) -> f64 {
    f64::from(u32::try_from(many).unwrap_or(u32::MAX))
}

/// Four digits: what records show.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

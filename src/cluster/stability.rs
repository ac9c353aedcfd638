//! Stability: who stays with a group when edges and whole terms are left out (DETECTION 6.3, step 3).

use crate::model::group::PairLedger;
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::settings::pair_weights::PairWeights;

use super::community::{WeightedEdge, communities, communities_at_once};
use super::graph::Component;
use super::pairs::total_without;
use super::terms::REGISTRY;

/// A way to divide a graph.
type Divided = fn(usize, &[WeightedEdge], f64, u64) -> Vec<usize>;

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
    let placed: Vec<(usize, usize, &PairLedger)> = all
        .iter()
        .filter_map(|(first, second, ledger)| Some((local(*first)?, local(*second)?, ledger)))
        .collect();
    let divide_by = |divided: Divided, kept: &dyn Fn(&PairLedger) -> Option<f64>| {
        let edges: Vec<WeightedEdge> = placed
            .iter()
            .filter_map(|(first, second, ledger)| Some((*first, *second, kept(ledger)?)))
            .collect();
        divided(component.nodes.len(), &edges, bounds.resolution, bounds.seed)
    };
    let labels = divide_by(communities, &|ledger| Some(ledger.total));
    let divide = |kept: &dyn Fn(&PairLedger) -> Option<f64>| divide_by(communities_at_once, kept);
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
            let shares = together(members, &runs);
            members
                .iter()
                .zip(shares)
                .filter_map(|(place, share)| {
                    let share = round(share);
                    let node = *component.nodes.get(*place)?;
                    nodes.get(node)?;
                    (share >= bounds.keep).then_some((node, share, share < bounds.firm))
                })
                .collect()
        })
        .collect()
}

/// Mean share of the other members with which each stays, over all runs.
fn together(members: &[usize], runs: &[Vec<usize>]) -> Vec<f64> {
    if runs.is_empty() {
        return vec![1.0; members.len()];
    }
    let others = count(members.len().saturating_sub(1)).max(1.0);
    let mut sums = vec![0.0; members.len()];
    let mut sharers: Vec<usize> = Vec::new();
    for run in runs {
        sharers.clear();
        sharers.resize(run.len(), 0);
        let label = |place: &usize| run.get(*place).copied();
        for own in members.iter().filter_map(label) {
            if let Some(many) = sharers.get_mut(own) {
                *many = many.saturating_add(1);
            }
        }
        for (sum, own) in sums.iter_mut().zip(members.iter().map(label)) {
            let many = own.and_then(|own| sharers.get(own)).copied().unwrap_or(0);
            *sum += count(many.saturating_sub(1)) / others;
        }
    }
    sums.iter().map(|sum| sum / count(runs.len())).collect()
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

//! Clustering: which hosts belong together (DETECTION 6).
//!
//! Takes host profiles and the pair weights; gives groups with the ledger of every pair that holds them together.
//! Must not know what a group is: a managed office is one as much as a farm (`explain` says which). Hosts are put
//! in order of their identifiers before anything else happens, so that the order of input decides nothing.

pub mod candidates;
pub mod community;
pub mod graph;
pub mod operations;
pub mod pairs;
mod places;
pub mod second_opinion;
pub mod stability;
mod succession;
pub mod tenants;
pub mod terms;
pub mod tokens;

use std::collections::BTreeMap;

use crate::model::group::{Group, Member, PairLedger};
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::model::router::Router;
use crate::settings::pair_weights::PairWeights;

use pairs::Scale;
use tenants::Tenants;
use tokens::Rarity;

/// Members of a group of which every pair is looked at.
const ALL_PAIRS_OF: usize = 64;

/// What clustering found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    /// Groups of at least two, sorted by identifier.
    pub groups: Vec<Group>,
    /// How many pairs were looked at.
    pub pairs: usize,
    /// Things the reader should know: components that were too large to divide.
    pub remarks: Vec<String>,
}

/// Finds the groups among hosts, in whatever order they come. `others` is the number of hosts beside them, which have
/// nothing that could tie them to anything.
#[must_use]
pub fn cluster(profiles: &[HostProfile], others: usize, weights: &PairWeights) -> Clusters {
    let mut nodes: Vec<&HostProfile> = profiles.iter().filter(|profile| can_belong(profile)).collect();
    nodes.sort_by_key(|profile| profile.host);
    nodes.dedup_by_key(|profile| profile.host);
    let beside = succession::may_be_others(&nodes);
    nodes.retain(|profile| !beside.contains(&profile.host));
    let sets: Vec<Vec<u64>> = nodes.iter().map(|profile| tokens::of(profile)).collect();
    let rarity = Rarity::of(&sets, profiles.len().saturating_add(others), &weights.candidates).among(&nodes);
    let candidates = candidates::pairs(&sets, &rarity, &weights.candidates);
    let tenants = Tenants::of(&nodes);
    let scale = Scale {
        weights,
        rarity: &rarity,
        tenants: &tenants,
    };
    // A group is a place: who is known to be elsewhere belongs to another one, and at most to the same operation. A ledger that
    // makes no edge is forgotten at once: there are millions of them where hosts are many.
    let ledgers: Vec<(usize, usize, PairLedger)> = candidates
        .iter()
        .filter_map(|&(first, second)| {
            let (one, other) = (nodes.get(first)?, nodes.get(second)?);
            if terms::place::are_apart(one, other) {
                return None;
            }
            let ledger = pairs::ledger(one, other, &scale);
            (ledger.total > weights.edge).then_some((first, second, ledger))
        })
        .collect();
    let mut found = Clusters {
        pairs: candidates.len(),
        ..Clusters::default()
    };
    if !beside.is_empty() {
        found.remarks.push(format!(
            "{} without a link address may be the same machines as others of their IPv6 networks, one after the other; groups do \
             not count them",
            counted(beside.len(), "host")
        ));
    }
    let edges = graph::edges(&ledgers, weights.edge);
    for component in graph::components(nodes.len(), &edges) {
        if component.nodes.len() > weights.community.largest_component {
            found.remarks.push(format!(
                "{} hosts hang together too closely to be divided; they were not judged as a group",
                component.nodes.len()
            ));
            continue;
        }
        let opinion = second_opinion(&component, &ledgers, weights.second_opinion.scale);
        for members in stability::firm_communities(&component, &nodes, &ledgers, weights) {
            let group = assemble(members, &nodes, &component, &ledgers, &opinion, &scale);
            found.groups.extend(group);
        }
    }
    tell_apart(&mut found.groups);
    found.groups.sort_by_key(|group| group.id);
    operations::join(&mut found.groups, &nodes, &rarity, weights.operation);
    found
        .remarks
        .extend(places::remarks(&nodes, &found.groups, &scale));
    found
}

/// The groups that clustering by density sees in a component, by position in its nodes.
fn second_opinion(
    component: &graph::Component,
    ledgers: &[(usize, usize, PairLedger)],
    scale: f64,
) -> Vec<Option<usize>> {
    let local = |node: usize| component.nodes.binary_search(&node).ok();
    let distances: Vec<second_opinion::Distance> = component
        .edges
        .iter()
        .filter_map(|edge| ledgers.get(*edge))
        .filter_map(|(first, second, ledger)| {
            let far = second_opinion::distance(ledger.total, scale);
            Some((local(*first)?, local(*second)?, far))
        })
        .collect();
    second_opinion::groups(component.nodes.len(), &distances)
}

/// Whether a host has anything that could tie it to others: the phones and televisions of a house have not.
fn can_belong(profile: &HostProfile) -> bool {
    profile.live_sessions().next().is_some()
        || profile.is_kvm()
        || !profile.kvm.drives_this.list().is_empty()
        || !profile.tenants.list().is_empty()
        || matches!(profile.asset, Observable::Observed(_))
}

/// Makes the group out of its members: who controls others is no member, however close.
fn assemble(
    members: Vec<(usize, f64, bool)>,
    nodes: &[&HostProfile],
    component: &graph::Component,
    ledgers: &[(usize, usize, PairLedger)],
    opinion: &[Option<usize>],
    scale: &Scale<'_>,
) -> Option<Group> {
    let mut kept: Vec<(usize, f64, bool)> = members
        .into_iter()
        .filter(|(node, ..)| nodes.get(*node).is_some_and(|profile| !profile.is_controller()))
        .collect();
    kept.sort_by_key(|(node, ..)| *node);
    if kept.len() < 2 {
        return None;
    }
    let inside = |node: usize| kept.binary_search_by_key(&node, |(kept, ..)| *kept).is_ok();
    let edges = component
        .edges
        .iter()
        .filter_map(|edge| ledgers.get(*edge))
        .filter(|(first, second, _)| inside(*first) && inside(*second))
        .map(|(_, _, ledger)| ledger.clone());
    let mut by_pair: BTreeMap<(ContentId, ContentId), PairLedger> =
        edges.map(|ledger| (ledger.hosts, ledger)).collect();
    let profiles: Vec<&HostProfile> = kept
        .iter()
        .filter_map(|(node, ..)| nodes.get(*node).copied())
        .collect();
    // Also the pairs that nothing ties together: whoever asks how machines are driven must not hear only of those that are alike.
    for (place, one) in profiles.iter().take(ALL_PAIRS_OF).enumerate() {
        for other in profiles.iter().take(place) {
            let hosts = (one.host.min(other.host), one.host.max(other.host));
            by_pair
                .entry(hosts)
                .or_insert_with(|| pairs::ledger(one, other, scale));
        }
    }
    Some(Group {
        id: identifier(&profiles)?,
        members: kept
            .iter()
            .filter_map(|&(node, membership, is_loose)| {
                Some(Member {
                    host: nodes.get(node)?.host,
                    membership,
                    is_loose,
                })
            })
            .collect(),
        edges: by_pair.into_values().collect(),
        second_opinion: second_opinion::disagreement(
            &kept
                .iter()
                .filter_map(|(node, ..)| component.nodes.binary_search(node).ok())
                .collect::<Vec<_>>(),
            opinion,
        ),
        operation: None,
    })
}

/// A group is named after the router behind which most of its members stand, so that it keeps its name when machines come and go
/// and in the next capture; without one, after the member that was seen first.
fn identifier(members: &[&HostProfile]) -> Option<ContentId> {
    let mut routers: BTreeMap<Router, usize> = BTreeMap::new();
    for gateway in members.iter().flat_map(|member| member.gateways.list()) {
        let count = routers.entry(gateway.router).or_default();
        *count = count.saturating_add(1);
    }
    let most = routers
        .into_iter()
        .max_by_key(|(router, count)| (*count, std::cmp::Reverse(*router)));
    if let Some((router, _)) = most.filter(|(_, count)| count.saturating_mul(2) > members.len()) {
        return Some(tokens::router(b"group at", &router));
    }
    let first = members
        .iter()
        .min_by_key(|member| (member.first_seen, member.host))?;
    Some(ContentId::of(&[b"group", &first.host.0.to_le_bytes()]))
}

/// Of several groups behind one router the largest keeps the router's name; the others add that of their first member.
fn tell_apart(groups: &mut [Group]) {
    groups.sort_by_key(|group| {
        let first = group.members.first().map(|member| member.host);
        (group.id, std::cmp::Reverse(group.members.len()), first)
    });
    for same in groups.chunk_by_mut(|one, other| one.id == other.id) {
        for group in same.iter_mut().skip(1) {
            let first = group.members.first().map_or(0, |member| member.host.0);
            group.id = ContentId::of(&[b"group beside", &group.id.0.to_le_bytes(), &first.to_le_bytes()]);
        }
    }
}

#[cfg(test)]
mod tests;

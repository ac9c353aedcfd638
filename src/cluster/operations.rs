//! Operations: groups at different places under one controller or one private server (DETECTION 6.3, step 6).
//!
//! Who shares nothing but the world's relays shares nothing: a token counts only where it is rare, and sanctioned sessions
//! (a provider's many customers) count not at all. Each place keeps its own verdict.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::group::{Group, Operation};
use crate::model::identity::ContentId;
use crate::model::profile::{HostProfile, InstanceKind};

use super::tokens::{self, Rarity};

/// Joins groups into operations; groups are sorted by identifier, profiles by host.
pub fn join(groups: &mut [Group], nodes: &[&HostProfile], rarity: &Rarity, least_weight: f64) {
    let mut holders: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        for member in &group.members {
            let Ok(node) = nodes.binary_search_by_key(&member.host, |profile| profile.host) else {
                continue;
            };
            for (token, name) in nodes.get(node).map(|profile| rare(profile)).unwrap_or_default() {
                if rarity.weight(token) >= least_weight {
                    holders.entry(name).or_default().insert(place);
                }
            }
        }
    }
    holders.retain(|_, places| places.len() > 1);
    let mut labels: Vec<usize> = (0..groups.len()).collect();
    for places in holders.values() {
        let of = |place: usize| labels.get(place).copied().unwrap_or(place);
        let Some(lowest) = places.iter().map(|place| of(*place)).min() else {
            continue;
        };
        let joined: BTreeSet<usize> = places.iter().map(|place| of(*place)).collect();
        for label in &mut labels {
            if joined.contains(label) {
                *label = lowest;
            }
        }
    }
    let of: BTreeSet<usize> = holders.values().flatten().copied().collect();
    let mut operations: BTreeMap<usize, Operation> = BTreeMap::new();
    for place in &of {
        let (Some(label), Some(group)) = (labels.get(*place), groups.get(*place)) else {
            continue;
        };
        operations.entry(*label).or_default().groups.push(group.id);
    }
    for (name, places) in &holders {
        let label = places.iter().next().and_then(|place| labels.get(*place));
        if let Some(operation) = label.and_then(|label| operations.get_mut(label)) {
            operation.shared.push(name.clone());
        }
    }
    for operation in operations.values_mut() {
        operation.groups.sort_unstable();
        // By what is shared: another place under the same controller changes nothing.
        let first = operation.shared.first().map_or("", String::as_str);
        operation.id = ContentId::of(&[b"operation", first.as_bytes()]);
    }
    for place in of {
        let operation = labels.get(place).and_then(|label| operations.get(label));
        if let (Some(group), Some(operation)) = (groups.get_mut(place), operation) {
            group.operation = Some(operation.clone());
        }
    }
}

/// Tokens of controllers and private servers behind sessions that nobody sanctioned, with what a reader calls them.
fn rare(profile: &HostProfile) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let sessions = profile.live_sessions();
    for session in sessions.filter(|session| session.sanctioned != Some(true)) {
        for one in &session.controllers {
            found.push((tokens::controller(&one.id), format!("controller {}", one.id)));
        }
        if let Some(instance) = &session.instance
            && instance.kind == InstanceKind::PrivateServer
        {
            let token = tokens::instance(&session.tool, &instance.name);
            found.push((token, format!("server {}", instance.name)));
        }
    }
    found
}

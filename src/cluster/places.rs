//! What is said of places whose controlled machines are not one group: how many there are, of how many organisations, and why not.
//!
//! A group says what its members are. That one router has ninety machines of forty-five organisations behind it, in three groups or in none,
//! is nowhere in them; nor is what a pair lacked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::address::MacAddress;
use crate::model::evidence::State;
use crate::model::group::{Group, PairLedger};
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::model::tenancy::{Organisation, Relation};

use super::ALL_PAIRS_OF;
use super::pairs::{self, Scale};
use super::terms::tenancy::organisations;

/// Controlled machines of a place from which on it is worth a line: two may be anybody's.
const LEAST_MACHINES: usize = 3;

/// Places that are told of: those with the most machines.
const MOST_PLACES: usize = 4;

/// One sentence for each place with several controlled machines of several organisations that are not all in one group.
pub(super) fn remarks(nodes: &[&HostProfile], groups: &[Group], scale: &Scale<'_>) -> Vec<String> {
    let mut places: BTreeMap<MacAddress, Vec<&HostProfile>> = BTreeMap::new();
    for node in nodes {
        if node.controlled() != State::Observed || node.is_kvm() || node.is_controller() {
            continue;
        }
        let routers = node.gateways.list().iter().map(|gateway| gateway.router);
        let devices: BTreeSet<MacAddress> = routers
            .filter(|one| !one.is_virtual())
            .map(|one| one.mac)
            .collect();
        for device in devices {
            places.entry(device).or_default().push(node);
        }
    }
    let group_of: BTreeMap<ContentId, ContentId> = groups
        .iter()
        .flat_map(|group| group.members.iter().map(|member| (member.host, group.id)))
        .collect();
    let mut told: Vec<(usize, String)> = places
        .iter()
        .filter(|(_, machines)| machines.len() >= LEAST_MACHINES)
        .filter_map(|(device, machines)| Some((machines.len(), remark(*device, machines, &group_of, scale)?)))
        .collect();
    told.sort_by(|(one, text), (other, further)| other.cmp(one).then(text.cmp(further)));
    told.into_iter().take(MOST_PLACES).map(|(_, text)| text).collect()
}

fn remark(
    device: MacAddress,
    machines: &[&HostProfile],
    group_of: &BTreeMap<ContentId, ContentId>,
    scale: &Scale<'_>,
) -> Option<String> {
    let of = |machine: &HostProfile| group_of.get(&machine.host).copied();
    let groups: BTreeSet<ContentId> = machines.iter().filter_map(|machine| of(machine)).collect();
    let alone = machines.iter().filter(|machine| of(machine).is_none()).count();
    let organisations = count(machines);
    if organisations < 2 || groups.len() == 1 && alone == 0 {
        return None;
    }
    let closest = closest(machines, &of, scale)?;
    let in_groups = match groups.len() {
        0 => "in no group".to_owned(),
        many if alone == 0 => format!("in {}", counted(many, "group")),
        many => format!("in {}, {alone} in none", counted(many, "group")),
    };
    let lines: Vec<String> = closest
        .lines
        .iter()
        .map(|line| format!("{} {:+.1}", line.term, line.said.nats))
        .collect();
    let why = if closest.total > scale.weights.edge {
        "they hang together less closely than what each group is made of, and the"
    } else {
        "they are no one group because the"
    };
    Some(format!(
        "behind router {device} {} of {organisations} organisations have traffic consistent with remote control, {in_groups}: {why} \
         closest two of them come to {:.1} where {:.1} is needed ({}; {:+.1} before anything is known)",
        counted(machines.len(), "machine"),
        closest.total,
        scale.weights.edge,
        lines.join(", "),
        scale.weights.prior
    ))
}

/// The ledger of the closest pair that is not in one group; nothing where even the closest hang together and only the whole was divided.
fn closest(
    machines: &[&HostProfile],
    of: &dyn Fn(&HostProfile) -> Option<ContentId>,
    scale: &Scale<'_>,
) -> Option<PairLedger> {
    let some = || machines.iter().take(ALL_PAIRS_OF);
    some()
        .enumerate()
        .flat_map(|(place, one)| some().take(place).map(move |other| (one, other)))
        .filter(|(one, other)| of(one).is_none() || of(one) != of(other))
        .map(|(one, other)| pairs::ledger(one, other, scale))
        .max_by(|one, other| {
            one.total
                .total_cmp(&other.total)
                .then(other.hosts.cmp(&one.hosts))
        })
}

/// How many organisations the machines are known to be of.
fn count(machines: &[&HostProfile]) -> usize {
    let mut known: Vec<Vec<Organisation<'_>>> = Vec::new();
    for machine in machines {
        let own = organisations(machine);
        let is_known = |before: &Vec<Organisation<'_>>| {
            before
                .iter()
                .any(|one| own.iter().any(|other| one.relation(other) != Relation::Different))
        };
        if !own.is_empty() && !known.iter().any(is_known) {
            known.push(own);
        }
    }
    known.len()
}

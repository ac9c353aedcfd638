//! Tenants of a building: organisations that have a network each behind one device.
//!
//! Question: machines of two organisations stand in VLANs of one switch, under the same tool. A farm whose router gives every laptop a
//! network of its own, or two firms of one building? Answer: in the building the networks follow the organisations. Where a network holds
//! several machines and all that can be told are one organisation's, it is that organisation's; that another organisation's network hangs
//! on the same device then ties their machines to each other neither by the place nor by being different. Who drives both in turn, or from
//! one controller, does so all the same.

use std::collections::BTreeMap;

use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::model::router::Router;
use crate::model::tenancy::{Organisation, Relation};

use super::terms::tenancy::organisations;

/// Machines of one organisation that make a network its own.
const LEAST_MACHINES: usize = 2;

/// Whose networks hosts stand in.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    /// Number of the organisation whose networks are all that a host was seen in.
    of_host: BTreeMap<ContentId, usize>,
}

impl Tenants {
    /// Of all hosts of a clustering.
    #[must_use]
    pub fn of(nodes: &[&HostProfile]) -> Self {
        let mut networks: BTreeMap<Router, Vec<Vec<Organisation<'_>>>> = BTreeMap::new();
        for node in nodes
            .iter()
            .filter(|node| !node.is_kvm() && !node.is_controller())
        {
            let own = organisations(node);
            if own.is_empty() {
                continue;
            }
            for gateway in node.gateways.list().iter().filter(|one| !one.router.is_virtual()) {
                networks.entry(gateway.router).or_default().push(own.clone());
            }
        }
        let mut owners: Vec<Vec<Organisation<'_>>> = Vec::new();
        let mut of_network: BTreeMap<Router, usize> = BTreeMap::new();
        for (router, mut machines) in networks {
            let Some(first) = machines.pop().filter(|_| machines.len() + 1 >= LEAST_MACHINES) else {
                continue;
            };
            if !machines.iter().all(|other| is_any(Relation::Same, &first, other)) {
                continue;
            }
            // An organisation may have several networks; whom a name may still make one organisation are none that are apart.
            let known = owners.iter().position(|owner| {
                is_any(Relation::Same, owner, &first) || is_any(Relation::Open, owner, &first)
            });
            let owner = known.unwrap_or(owners.len());
            if known.is_none() {
                owners.push(first);
            }
            of_network.insert(router, owner);
        }
        let of_host = nodes.iter().filter_map(|node| {
            let mut seen = node
                .gateways
                .list()
                .iter()
                .map(|gateway| of_network.get(&gateway.router));
            let first = *seen.next()??;
            seen.all(|other| other == Some(&first))
                .then_some((node.host, first))
        });
        Self {
            of_host: of_host.collect(),
        }
    }

    /// Whether two hosts stand in networks of two organisations.
    #[must_use]
    pub fn are_two(&self, one: &HostProfile, other: &HostProfile) -> bool {
        match (self.of_host.get(&one.host), self.of_host.get(&other.host)) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        }
    }
}

fn is_any(wanted: Relation, some: &[Organisation<'_>], others: &[Organisation<'_>]) -> bool {
    some.iter()
        .any(|one| others.iter().any(|other| one.relation(other) == wanted))
}

//! Tenants of a building: organisations that have a network each behind one device.
//!
//! Question: machines of two organisations stand in VLANs of one switch, under the same tool. A farm whose router gives every laptop a
//! network of its own, or two firms of one building? Answer: in the building the networks follow the organisations. Where a network holds
//! several machines and all that can be told are one organisation's, it is that organisation's; that other organisations have networks on
//! the same device then ties their machines to it neither by the place nor by being different. Machines that are each alone in a network
//! may be anybody's. Who drives both in turn, or from one controller, does so all the same.

use std::collections::BTreeMap;

use crate::model::address::MacAddress;
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
    /// By host.
    of_host: BTreeMap<ContentId, Tenant>,
}

/// One organisation's networks, as a host is seen in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenant {
    /// The device, and the organisation's number among those that have networks on it.
    owner: (MacAddress, usize),
    /// Whether several of its machines stand in the network.
    is_sure: bool,
}

/// What is known of one network.
struct Network<'a> {
    /// Those of its first machine.
    organisations: Vec<Organisation<'a>>,
    /// Machines of which it is known whose they are.
    machines: usize,
    /// Some are another organisation's.
    is_mixed: bool,
}

impl Tenants {
    /// Of all hosts of a clustering.
    #[must_use]
    pub fn of(nodes: &[&HostProfile]) -> Self {
        let mut networks: BTreeMap<Router, Network<'_>> = BTreeMap::new();
        for node in nodes
            .iter()
            .filter(|node| !node.is_kvm() && !node.is_controller())
        {
            let own = organisations(node);
            if own.is_empty() {
                continue;
            }
            for gateway in node.gateways.list().iter().filter(|one| !one.router.is_virtual()) {
                if let Some(network) = networks.get_mut(&gateway.router) {
                    network.machines = network.machines.saturating_add(1);
                    network.is_mixed |= !is_any(Relation::Same, &network.organisations, &own);
                    continue;
                }
                let network = Network {
                    organisations: own.clone(),
                    machines: 1,
                    is_mixed: false,
                };
                networks.insert(gateway.router, network);
            }
        }
        let mut owners: BTreeMap<MacAddress, Vec<Vec<Organisation<'_>>>> = BTreeMap::new();
        let mut of_network: BTreeMap<Router, Tenant> = BTreeMap::new();
        for (router, network) in networks.into_iter().filter(|(_, network)| !network.is_mixed) {
            let owners = owners.entry(router.mac).or_default();
            // An organisation may have several networks; whom a name may still make one organisation are none that are apart.
            let known = owners.iter().position(|owner| {
                is_any(Relation::Same, owner, &network.organisations)
                    || is_any(Relation::Open, owner, &network.organisations)
            });
            let tenant = Tenant {
                owner: (router.mac, known.unwrap_or(owners.len())),
                is_sure: network.machines >= LEAST_MACHINES,
            };
            if known.is_none() {
                owners.push(network.organisations);
            }
            of_network.insert(router, tenant);
        }
        let of_host = nodes.iter().filter_map(|node| {
            let mut seen = node
                .gateways
                .list()
                .iter()
                .map(|gateway| of_network.get(&gateway.router));
            let first = *seen.next()??;
            seen.all(|other| other.is_some_and(|other| other.owner == first.owner))
                .then_some((node.host, first))
        });
        Self {
            of_host: of_host.collect(),
        }
    }

    /// Whether two hosts stand in networks of two organisations, at least one of which has one to itself.
    #[must_use]
    pub fn are_two(&self, one: &HostProfile, other: &HostProfile) -> bool {
        match (self.of_host.get(&one.host), self.of_host.get(&other.host)) {
            (Some(one), Some(other)) => {
                one.owner.0 == other.owner.0 && one.owner != other.owner && (one.is_sure || other.is_sure)
            }
            _ => false,
        }
    }
}

fn is_any(wanted: Relation, some: &[Organisation<'_>], others: &[Organisation<'_>]) -> bool {
    some.iter()
        .any(|one| others.iter().any(|other| one.relation(other) == wanted))
}

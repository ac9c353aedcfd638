//! A tunnel inside a tunnel that was opened: a VPN, proxy or Tor whose packets travel inside GRE, IP in IP, L2TP, Teredo and the like.
//!
//! What providers and mirrors put around packets (MPLS, PPPoE, VXLAN, GTP, ERSPAN) counts as none. Routers between two offices nest
//! tunnels as a matter of course, so that this is a lead and no more.

use crate::detect::Concluded;
use crate::detect::watcher::{ByLocal, Ended, Watcher};
use crate::settings::limits::Limits;
use std::collections::BTreeMap;

use super::Contradiction;
use crate::detect::recognise::Recognised;
use crate::detect::session_finding::kind_of;
use crate::detect::{HostView, Knowledge};
use crate::model::address::Address;
use crate::model::finding::{Confidence, Finding, FindingKind};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::segment::Encapsulation;
use crate::model::time::Timestamp;

/// Pairs of host and tool that are remembered.
const MOST: usize = 10_000;

/// The tunnels that were seen inside others.
#[derive(Debug, Default)]
pub(in crate::detect) struct Nested {
    seen: BTreeMap<(LocalIndex, String), Inside>,
    /// Flows beyond the bound.
    refused: u64,
}

#[derive(Clone, Debug)]
struct Inside {
    outer: Encapsulation,
    frame: FrameRef,
    first: Timestamp,
    last: Timestamp,
    other: Address,
    flows: u64,
}

impl Inside {
    /// Adds what another address of the same machine did.
    fn merge(&mut self, other: &Self) {
        if other.first < self.first {
            self.frame = other.frame;
            self.other = other.other;
            self.outer = other.outer;
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.flows = self.flows.saturating_add(other.flows);
    }
}

/// Whether hosts or their routers build such a tunnel themselves, to be elsewhere.
const fn is_built_by_users(encapsulation: Encapsulation) -> bool {
    matches!(
        encapsulation,
        Encapsulation::Ipip
            | Encapsulation::Sixin4
            | Encapsulation::Gre
            | Encapsulation::L2tp
            | Encapsulation::Teredo
            | Encapsulation::EtherIp
            | Encapsulation::Ayiya
    )
}

impl Nested {
    /// Takes any placed flow with the tools that it belongs to.
    fn add(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let flow = observation.flow;
        if recognised.is_empty() || flow.tunnels.depth() == 0 {
            return;
        }
        let Some(outer) = flow.tunnels.iter().find(|outer| is_built_by_users(*outer)) else {
            return;
        };
        let (local, other) = match observation.locals {
            [Some(local), None] => (local, flow.server.address),
            [None, Some(local)] => (local, flow.client.address),
            _ => return,
        };
        // A tool that is recognised by the tunnel that its packets open is the inner one of two plain encapsulations, such as GRE in
        // IP in IP: what routers do.
        if flow.opened_tunnel != Encapsulation::None {
            return;
        }
        for one in recognised {
            let is_tunnel = matches!(
                kind_of(one.tool),
                Some(FindingKind::Vpn | FindingKind::Proxy | FindingKind::Tor)
            );
            let key = (local, one.tool.id.clone());
            if !is_tunnel {
                continue;
            }
            if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
                self.refused = self.refused.saturating_add(1);
                continue;
            }
            let inside = self.seen.entry(key).or_insert_with(|| Inside {
                outer,
                frame: flow.frames.first,
                first: flow.start,
                last: flow.end,
                other,
                flows: 0,
            });
            inside.first = inside.first.min(flow.start);
            inside.last = inside.last.max(flow.end);
            inside.flows = inside.flows.saturating_add(1);
        }
    }

    /// The findings, once hosts are known.
    fn found(&self, by_local: &ByLocal<'_>, knowledge: &Knowledge<'_>) -> Vec<Finding> {
        // A machine may have had several addresses.
        let mut by_host: BTreeMap<(ContentId, &str), (&HostView, Inside)> = BTreeMap::new();
        for ((local, tool), inside) in &self.seen {
            let Some(host) = by_local.get(local) else { continue };
            by_host
                .entry((host.id, tool))
                .and_modify(|(_, known)| known.merge(inside))
                .or_insert_with(|| (host, inside.clone()));
        }
        let of = |((_, tool), (host, inside)): (&(ContentId, &str), &(&HostView, Inside))| {
            let place = knowledge.place_of(inside.other);
            let name = inside.outer.name();
            let mut finding = Contradiction {
                host,
                measure: "nested_tunnel",
                key: format!("{tool} {name}"),
                at: inside.first,
                last: inside.last,
                what: format!(
                    "traffic consistent with {tool} to {} travels inside another tunnel ({name})",
                    inside.other
                ),
                note: None,
                benign: "routers that join two offices, IPv6 that is brought over IPv4, a VPN that is used from behind a provider's tunnel",
                weight: knowledge.rules.findings.place.weak,
                confidence: Confidence::Low,
                frames: vec![inside.frame],
                address: Some(inside.other),
                place: place.as_deref(),
                claimed_country: String::new(),
                gap_km: None,
                days: [0, 0],
                sanctioned: None,
                session: None,
            }
            .into_finding();
            (*tool).clone_into(&mut finding.tool);
            finding.kind = FindingKind::Vpn;
            finding.geo = None;
            finding.flow_count = inside.flows;
            finding
        };
        by_host.iter().map(of).collect()
    }
}

/// Watches for tunnels inside tunnels.
pub(in crate::detect) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Nested>::default()
}

impl Watcher for Nested {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.add(observation, recognised);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("flows beyond the bound on nested tunnels", self.refused);
        let found = self.found(&ended.by_local, ended.knowledge);
        concluded.findings.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::FlowRecord;
    use crate::model::segment::TunnelStack;
    use crate::signatures::Catalogue;

    #[test]
    fn a_vpn_inside_a_users_tunnel_is_told_and_inside_a_providers_not() {
        let catalogue = Catalogue::embedded().unwrap();
        let tool = |id: &str| catalogue.tool(id).unwrap();
        let told = |outer: Encapsulation, id: &str| {
            let mut nested = Nested::default();
            let mut flow = FlowRecord {
                tunnels: TunnelStack::default().with(outer).unwrap(),
                ..FlowRecord::default()
            };
            flow.server.address = Address::from_v4([198, 51, 100, 1]);
            let recognised = [Recognised {
                tool: tool(id),
                score: 40,
                seen: Vec::new(),
            }];
            let placed = Observation {
                flow: &flow,
                locals: [Some(LocalIndex(1)), None],
                server_name: None,
            };
            nested.add(&placed, &recognised);
            nested.seen.len()
        };
        assert_eq!(told(Encapsulation::Gre, "wireguard"), 1);
        assert_eq!(told(Encapsulation::Vxlan, "wireguard"), 0);
        assert_eq!(told(Encapsulation::Gre, "rdp"), 0);
    }
}

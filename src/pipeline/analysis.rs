//! The back of the pipeline: one thread at a time, everything in one order. Events and ended flows go to the
//! observers, the detectors and the outputs.

use std::sync::Arc;

use super::rows::{RowNotes, flow_at};
use super::schedule::Back;
use super::shard::Output;
use crate::detect::{self, Detectors};
use crate::flow::community_id;
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::segment::Layer;
use crate::model::time::Timestamp;
use crate::model::tunnel_end::TunnelEnd;
use crate::observe::Observers;
use crate::settings::limits::Limits;
use crate::settings::policy::Heuristics;
use crate::signatures::Catalogue;
use crate::signatures::renewal::Renewal;

/// Flows that are brought near before they are taken one by one.
const NEAR: usize = 16;

/// Observers and detectors.
pub struct Analysis<'a> {
    /// Names, hosts, addresses.
    pub observers: Observers,
    /// Tools and sessions.
    pub detectors: Detectors,
    /// Flows that ended.
    pub flows: u64,
    catalogue: &'a Catalogue,
    /// Read while the analysis ran: it counts from then on.
    newer: Option<Arc<Catalogue>>,
    renewal: Option<Arc<Renewal>>,
    wants_rows: bool,
    order: Vec<(Timestamp, FrameRef, u32, u32)>,
    flow_order: Vec<(Timestamp, FrameRef, ContentId, u32)>,
}

/// What an analysis learnt from all events and flows.
pub struct Learnt {
    /// Names, hosts, addresses.
    pub observers: Observers,
    /// Tools and sessions.
    pub detectors: Detectors,
    /// Flows that ended.
    pub flows: u64,
    /// The catalogue in use at the end, where that is not the first.
    pub newer: Option<Arc<Catalogue>>,
}

impl<'a> Analysis<'a> {
    /// An analysis; with `wants_rows` its flows are written. `heuristics` are what the policy wants looked for although much
    /// else looks the same.
    #[must_use]
    pub fn new(
        limits: &Limits,
        local: &[ipnet::IpNet],
        catalogue: &'a Catalogue,
        heuristics: Heuristics,
        wants_rows: bool,
    ) -> Self {
        Self {
            observers: Observers::new(limits, local),
            detectors: Detectors::new(catalogue, limits, heuristics),
            flows: 0,
            catalogue,
            newer: None,
            renewal: None,
            wants_rows,
            order: Vec::new(),
            flow_order: Vec::new(),
        }
    }

    /// That takes another catalogue from there, whenever one is offered.
    #[must_use]
    pub fn renewed_from(mut self, renewal: Arc<Renewal>) -> Self {
        self.renewal = Some(renewal);
        self
    }

    fn renew(&mut self) {
        if let Some(next) = self.renewal.as_ref().and_then(|renewal| renewal.take()) {
            let now = self.newer.as_deref().unwrap_or(self.catalogue);
            self.detectors.renew(now, &next);
            self.newer = Some(next);
        }
    }

    /// What was learnt; `tunnels` are the lines of machines that decoding saw inside of tunnels.
    #[must_use]
    pub fn finish(mut self, tunnels: Vec<TunnelEnd>) -> Learnt {
        self.observers.tunnels(tunnels);
        Learnt {
            observers: self.observers,
            detectors: self.detectors,
            flows: self.flows,
            newer: self.newer,
        }
    }

    fn events(&mut self, outputs: &[Output]) {
        self.order.clear();
        for (partition, output) in (0u32..).zip(outputs) {
            for (index, header) in (0u32..).zip(&output.events) {
                self.order.push((header.at, header.source, partition, index));
            }
        }
        // Stable, because it makes use of runs: each partition's events come nearly in order.
        self.order.sort();
        let catalogue = self.newer.as_deref().unwrap_or(self.catalogue);
        for (_, _, partition, index) in &self.order {
            let Some(output) = outputs.get(*partition as usize) else {
                continue;
            };
            let Some(header) = output.events.get(*index as usize) else {
                continue;
            };
            let facts = output.log.range(header.start as usize, header.end as usize);
            self.observers.event(header, facts.clone());
            let sender = self.observers.sender(header);
            for fact in facts {
                let about = if detect::is_answer(&fact) {
                    self.observers.receiver(header)
                } else {
                    sender
                };
                self.detectors.event(about, header, &fact, catalogue);
            }
        }
    }

    fn flow(&mut self, flow: &FlowRecord, place: u32, notes: &mut RowNotes) {
        self.flows = self.flows.saturating_add(1);
        let mut observation = self.observers.flow(flow);
        if flow.layer != Layer::Link {
            let catalogue = self.newer.as_deref().unwrap_or(self.catalogue);
            let recognised = self
                .detectors
                .recognise(flow, observation.server_name.as_ref(), catalogue);
            // A flow without a local end that belongs to a tool: one end is entered as a host, so that nothing is lost when the user did not say which addresses are ours.
            let has_local = observation.locals.iter().any(Option::is_some);
            if !has_local && !recognised.is_empty() {
                observation.locals = self.observers.enter(flow);
            }
            if recognised.is_empty() {
                self.observers.called(&observation);
            } else {
                let community_id = || Box::<str>::from(community_id::of_record(flow).as_str());
                self.detectors.observe(&observation, &recognised, &community_id);
            }
            self.detectors.used(&observation, &recognised);
        }
        if self.wants_rows {
            let names = self.observers.reverse_names();
            if !names.is_empty() {
                let named =
                    [flow.client.address, flow.server.address].map(|address| names.of(address).cloned());
                if named.iter().any(Option::is_some) {
                    notes.reverse_names.push((notes.flows.len(), named));
                }
            }
            notes.flows.push((place, observation.server_name));
        }
    }
}

impl Back for Analysis<'_> {
    type Notes = RowNotes;

    fn conclude(&mut self, outputs: &[Output], notes: &mut RowNotes) {
        notes.flows.clear();
        notes.reverse_names.clear();
        self.renew();
        self.events(outputs);
        // Records are large: their places are put in order, not they themselves.
        self.flow_order.clear();
        let flows = outputs.iter().flat_map(|output| &output.flows);
        for (place, flow) in (0u32..).zip(flows) {
            self.flow_order
                .push((flow.start, flow.frames.first, flow.id, place));
        }
        let mut order = std::mem::take(&mut self.flow_order);
        // Stable, because it makes use of runs: at the end of the input the flows of each partition come in order.
        order.sort();
        for some in order.chunks(NEAR) {
            let flows = || {
                some.iter()
                    .filter_map(|(.., place)| Some((*place, flow_at(outputs, *place)?)))
            };
            flows().for_each(|(_, flow)| self.observers.touch(flow));
            flows().for_each(|(place, flow)| self.flow(flow, place, notes));
        }
        self.flow_order = order;
    }
}

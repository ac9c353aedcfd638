//! The back of the pipeline: one thread at a time, everything in one order. Events and ended flows go to the
//! observers, the detectors and the outputs.

use std::sync::Arc;

use super::order::{Order, Placed};
use super::rows::{RowNotes, flow_at};
use super::schedule::Back;
use super::shard::Output;
use crate::detect::{self, Detectors};
use crate::flow::community_id;
use crate::model::fact::FactIter;
use crate::model::flow::FlowRecord;
use crate::model::observation::EventHeader;
use crate::model::segment::Layer;
use crate::model::tunnel_end::TunnelEnd;
use crate::observe::{Observers, Touched};
use crate::settings::limits::Limits;
use crate::settings::policy::Heuristics;
use crate::signatures::Catalogue;
use crate::signatures::renewal::Renewal;

/// Events, or flows, that are brought near before they are taken one by one.
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
    /// The order in which the events, or the flows, of a block are taken.
    order: Order,
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
            order: Order::default(),
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
        let event_at = |place: u64| {
            let output = outputs.get(usize::try_from(place >> 32).ok()?)?;
            let index = place & u64::from(u32::MAX);
            let header = output.events.get(usize::try_from(index).ok()?)?;
            let facts = output.log.range(header.start as usize, header.end as usize);
            Some((header, facts))
        };
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        for (partition, output) in (0u64..).zip(outputs) {
            let events = output.events.iter().zip(partition << 32..);
            order.add_run(events.map(|(header, place)| Placed::new(header.at, place)));
        }
        let source = |place| event_at(place).map(|(header, _)| header.source);
        for some in order.merged(source).chunks(NEAR) {
            let mut near = [Touched::NOTHING; NEAR];
            for (placed, touched) in some.iter().zip(&mut near) {
                if let Some((header, facts)) = event_at(placed.place()) {
                    *touched = self.observers.touch_event(header, facts);
                }
            }
            for (placed, touched) in some.iter().zip(near) {
                if let Some((header, facts)) = event_at(placed.place()) {
                    self.event(header, facts, touched);
                }
            }
        }
        self.order = order;
    }

    fn event(&mut self, header: &EventHeader, facts: FactIter<'_>, touched: Touched) {
        let catalogue = self.newer.as_deref().unwrap_or(self.catalogue);
        let sender = self.observers.event(header, facts.clone(), touched);
        let mut receiver = None;
        for fact in facts {
            let about = if detect::is_answer(&fact) {
                *receiver.get_or_insert_with(|| self.observers.receiver(header, touched))
            } else {
                sender
            };
            self.detectors.event(about, header, &fact, catalogue);
        }
    }

    fn flow(&mut self, flow: &FlowRecord, touched: Touched, place: u32, notes: &mut RowNotes) {
        self.flows = self.flows.saturating_add(1);
        let mut observation = self.observers.flow(flow, touched);
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
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        let mut places = 0u64..;
        for output in outputs {
            let flows = output.flows.iter().zip(&mut places);
            order.add_run(flows.map(|(flow, place)| Placed::new(flow.start, place)));
        }
        let at = |place: u64| {
            u32::try_from(place)
                .ok()
                .and_then(|place| flow_at(outputs, place))
        };
        let further = |place| at(place).map(|flow| (flow.frames.first, flow.id));
        for some in order.merged(further).chunks(NEAR) {
            let mut near = [Touched::NOTHING; NEAR];
            for (placed, touched) in some.iter().zip(&mut near) {
                if let Some(flow) = at(placed.place()) {
                    *touched = self.observers.touch(flow);
                }
            }
            for (placed, touched) in some.iter().zip(near) {
                if let Some(flow) = at(placed.place()) {
                    self.flow(
                        flow,
                        touched,
                        u32::try_from(placed.place()).unwrap_or(u32::MAX),
                        notes,
                    );
                }
            }
        }
        self.order = order;
    }
}

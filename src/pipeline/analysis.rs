//! The back of the pipeline: one thread at a time, everything in one order. Events and ended flows go to the
//! observers, the detectors and the outputs.

use std::cell::OnceCell;
use std::io;

use super::places::Places;
use super::schedule::Back;
use super::shard::Output;
use crate::detect::{self, Detectors};
use crate::flow::community_id;
use crate::geo::Geo;
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::segment::Layer;
use crate::model::time::Timestamp;
use crate::observe::Observers;
use crate::report::flow::FlowRow;
use crate::settings::limits::Limits;
use crate::settings::policy::Heuristics;
use crate::signatures::Catalogue;

/// Flows that are brought near before they are taken one by one.
const NEAR: usize = 16;

/// Takes the row of each flow as it ends.
pub type FlowSink<'a> = Box<dyn FnMut(&FlowRow<'_>) -> io::Result<()> + Send + 'a>;

/// Observers, detectors and the output of flows.
pub struct Analysis<'a> {
    /// Names, hosts, addresses.
    pub observers: Observers,
    /// Tools and sessions.
    pub detectors: Detectors,
    /// Flows that ended.
    pub flows: u64,
    /// The first failure of an output.
    pub error: Option<io::Error>,
    catalogue: &'a Catalogue,
    geo: &'a Geo,
    places: Places,
    sink: Option<FlowSink<'a>>,
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
    /// The first failure of an output.
    pub error: Option<io::Error>,
}

impl<'a> Analysis<'a> {
    /// An analysis whose flows go to `sink`, where there is one.
    #[must_use]
    pub fn new(
        limits: &Limits,
        local: &[ipnet::IpNet],
        catalogue: &'a Catalogue,
        geo: &'a Geo,
        sink: Option<FlowSink<'a>>,
    ) -> Self {
        Self {
            observers: Observers::new(limits, local),
            detectors: Detectors::new(catalogue, limits),
            flows: 0,
            error: None,
            catalogue,
            geo,
            places: Places::default(),
            sink,
            order: Vec::new(),
            flow_order: Vec::new(),
        }
    }

    /// With what the policy wants looked for although much else looks the same.
    #[must_use]
    pub fn with_heuristics(mut self, heuristics: Heuristics) -> Self {
        self.detectors.look_for(heuristics);
        self
    }

    /// Lets go of the output; what was learnt stays.
    #[must_use]
    pub fn finish(self) -> Learnt {
        Learnt {
            observers: self.observers,
            detectors: self.detectors,
            flows: self.flows,
            error: self.error,
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
                self.detectors.event(about, header, &fact, self.catalogue);
            }
        }
    }

    fn flow(&mut self, flow: &FlowRecord) {
        self.flows = self.flows.saturating_add(1);
        let identifier = OnceCell::new();
        let community_id = || *identifier.get_or_init(|| community_id::of_record(flow));
        let mut observation = self.observers.flow(flow);
        if flow.layer != Layer::Link {
            let recognised = self
                .detectors
                .recognise(flow, observation.server_name.as_ref(), self.catalogue);
            // A flow without a local end that belongs to a tool: its client is entered as a host, so that nothing
            // is lost when the user did not say which addresses are ours.
            let has_local = observation.locals.iter().any(Option::is_some);
            if !has_local && !recognised.is_empty() {
                let client = self.observers.enter_client(flow);
                observation.locals = [client, None];
            }
            if recognised.is_empty() {
                self.observers.called(&observation);
            } else {
                self.detectors
                    .observe(&observation, &recognised, community_id().as_str());
            }
            self.detectors.used(&observation, &recognised);
        }
        if self.error.is_none()
            && let Some(sink) = &mut self.sink
        {
            let places = [flow.client.address, flow.server.address]
                .map(|address| self.places.place(self.geo, address));
            let row = FlowRow {
                flow,
                server_name: observation.server_name.as_ref(),
                places: [places[0].as_deref(), places[1].as_deref()],
                community_id: identifier.get_or_init(|| community_id::of_record(flow)).as_str(),
            };
            self.error = sink(&row).err();
        }
    }
}

/// The flow at a place counted through all partitions.
fn flow_at(outputs: &[Output], place: u32) -> Option<&FlowRecord> {
    let mut place = place as usize;
    for output in outputs {
        match place.checked_sub(output.flows.len()) {
            Some(rest) => place = rest,
            None => return output.flows.get(place),
        }
    }
    None
}

impl Back for Analysis<'_> {
    fn conclude(&mut self, outputs: &mut [Output]) {
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
            let flows = || some.iter().filter_map(|(.., place)| flow_at(outputs, *place));
            flows().for_each(|flow| self.observers.touch(flow));
            flows().for_each(|flow| self.flow(flow));
        }
        self.flow_order = order;
    }
}

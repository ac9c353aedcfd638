//! The last stage of the pipeline: rows of ended flows, with what was learnt of them, to the outputs.
//!
//! A stage of its own, because nothing that observers and detectors do waits for it: with a second thread, rows are written while
//! the next block is concluded.

use std::io;
use std::sync::Arc;

use super::places::Places;
use super::schedule::Writer;
use super::shard::Output;
use crate::flow::community_id;
use crate::geo::Geo;
use crate::model::flow::FlowRecord;
use crate::model::observation::ServerName;
use crate::model::reverse_name::ReverseName;
use crate::report::flow::FlowRow;

/// Takes the row of each flow as it ends.
pub type FlowSink<'a> = Box<dyn FnMut(&FlowRow<'_>) -> io::Result<()> + Send + 'a>;

/// What the analysis says of the flows of a block.
#[derive(Debug, Default)]
pub struct RowNotes {
    /// In the order in which they are written: the place of a flow, counted through all partitions, and its server's name.
    pub flows: Vec<(u32, Option<ServerName>)>,
    /// What answers called the ends of flows: of the few that they named, by their index in `flows`, in order.
    pub reverse_names: Vec<(usize, Named)>,
}

/// Reverse names of client and server.
pub type Named = [Option<Arc<ReverseName>>; 2];

/// The output of flows.
pub struct Rows<'a> {
    /// The first failure of an output.
    pub error: Option<io::Error>,
    geo: &'a Geo,
    places: Places,
    sink: FlowSink<'a>,
}

impl<'a> Rows<'a> {
    /// Rows that go to `sink`.
    #[must_use]
    pub fn new(geo: &'a Geo, sink: FlowSink<'a>) -> Self {
        Self {
            error: None,
            geo,
            places: Places::default(),
            sink,
        }
    }

    fn flow(&mut self, flow: &FlowRecord, server_name: Option<&ServerName>, named: &Named) {
        if self.error.is_some() {
            return;
        }
        let [client, server] = named;
        let ends = [(flow.client.address, client), (flow.server.address, server)];
        let places = ends.map(|(address, named)| match named {
            None => self.places.place(self.geo, address),
            Some(named) => self.places.named(self.geo, address, named),
        });
        let community_id = community_id::of_record(flow);
        let row = FlowRow {
            flow,
            server_name,
            places: [places[0].as_deref(), places[1].as_deref()],
            reverse_names: [client.as_deref(), server.as_deref()],
            community_id: community_id.as_str(),
        };
        self.error = (self.sink)(&row).err();
    }
}

/// The flow at a place counted through all partitions.
#[must_use]
pub fn flow_at(outputs: &[Output], place: u32) -> Option<&FlowRecord> {
    let mut place = place as usize;
    for output in outputs {
        match place.checked_sub(output.flows.len()) {
            Some(rest) => place = rest,
            None => return output.flows.get(place),
        }
    }
    None
}

impl Writer<RowNotes> for Rows<'_> {
    fn write(&mut self, outputs: &[Output], notes: &RowNotes) {
        let mut named = notes.reverse_names.iter().peekable();
        for (index, (place, server_name)) in notes.flows.iter().enumerate() {
            let named = named.next_if(|(at, _)| *at == index);
            if let Some(flow) = flow_at(outputs, *place) {
                self.flow(
                    flow,
                    server_name.as_ref(),
                    named.map_or(&[None, None], |(_, named)| named),
                );
            }
        }
    }
}

/// Rows where there is somewhere to write them.
impl Writer<RowNotes> for Option<Rows<'_>> {
    fn write(&mut self, outputs: &[Output], notes: &RowNotes) {
        if let Some(rows) = self {
            rows.write(outputs, notes);
        }
    }
}

//! The last stage of the pipeline: rows of ended flows, with what was learnt of them, to the outputs.
//!
//! A stage of its own, because nothing that observers and detectors do waits for it: with a second thread, rows are written while
//! the next block is concluded.

use std::hint::black_box;
use std::io;
use std::sync::Arc;

use super::places::{Kept, Places};
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

    /// Looks up what a row needs, and begins to fetch what it is made of.
    fn begin<'n>(
        &mut self,
        flow: &'n FlowRecord,
        server_name: Option<&'n ServerName>,
        named: Option<&'n Named>,
    ) -> Begun<'n> {
        let [client, server] = named.map_or([None, None], |ends| ends.each_ref().map(Option::as_deref));
        let places = [
            self.places.place(self.geo, flow.client.address, client),
            self.places.place(self.geo, flow.server.address, server),
        ];
        black_box(touched(flow, server_name));
        Begun {
            flow,
            server_name,
            reverse_names: [client, server],
            places,
        }
    }

    fn end(&mut self, begun: &Begun<'_>) {
        if self.error.is_some() {
            return;
        }
        let community_id = community_id::of_record(begun.flow);
        let row = FlowRow {
            flow: begun.flow,
            server_name: begun.server_name,
            places: begun.places.map(|kept| self.places.get(kept)),
            reverse_names: begun.reverse_names,
            community_id: community_id.as_str(),
        };
        self.error = (self.sink)(&row).err();
    }
}

/// Rows that are begun before the first of them is written. Their flows ended in as many partitions and lie far apart: waiting
/// for the memory of each in turn was a fortieth of the time of many short flows; so many are waited for at once.
const TOGETHER: usize = 8;

/// A row whose flow is on its way into the cache.
#[derive(Clone, Copy)]
struct Begun<'n> {
    flow: &'n FlowRecord,
    server_name: Option<&'n ServerName>,
    reverse_names: [Option<&'n ReverseName>; 2],
    places: [Kept; 2],
}

/// A sum that means nothing, over something of each part of what a row shows.
fn touched(flow: &FlowRecord, server_name: Option<&ServerName>) -> u64 {
    let name = server_name.and_then(|called| called.name.as_bytes().first());
    let tcp = flow.tcp.as_ref().map_or(0, |tcp| tcp.sides[1].first_window);
    let parts = [
        flow.id.0,
        flow.start.0.unsigned_abs(),
        flow.payload_bytes[1],
        flow.app_proto.map_or(0, str::len) as u64,
        flow.protocols.len() as u64,
        flow.facts.first().unwrap_or(0).into(),
        flow.end_reason as u64,
        name.copied().unwrap_or(0).into(),
        tcp.into(),
    ];
    parts.into_iter().fold(0, u64::wrapping_add)
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
        let mut rows = notes.flows.iter().enumerate();
        while rows.len() > 0 {
            self.places.make_room(2 * TOGETHER);
            let mut begun = [None; TOGETHER];
            for (place, (index, (flow, server_name))) in begun.iter_mut().zip(rows.by_ref()) {
                let named = named.next_if(|(at, _)| *at == index);
                *place = flow_at(outputs, *flow)
                    .map(|flow| self.begin(flow, server_name.as_ref(), named.map(|(_, named)| named)));
            }
            for begun in begun.iter().flatten() {
                self.end(begun);
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

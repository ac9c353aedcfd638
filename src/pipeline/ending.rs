//! What a flow's end still says: octets that waited behind holes, and what dissections say at the end alone.

use super::heads::{Head, Heads, RESTING, StreamWindow};
use super::shard::Output;
use crate::dissect::engine::{Engine, FlowView, Named};
use crate::dissect::registry::NAMES;
use crate::flow::Ending;
use crate::flow::reassembly::{Offer, Stream};
use crate::model::fact::{FactLog, Facts, Side, Stamp};
use crate::model::flow::FlowRecord;

/// Collects what ends, and reads what waited behind holes that nothing will fill now.
pub(super) struct Finish<'a> {
    pub(super) heads: &'a mut Heads,
    pub(super) engine: Engine,
    pub(super) output: &'a mut Output,
}

impl Ending for Finish<'_> {
    fn ended(&mut self, attachment: u32, record: FlowRecord) {
        self.output.flows.push(record);
        if attachment < RESTING {
            if let Some(head) = self.heads.get_mut(attachment)
                && let Some(record) = self.output.flows.last_mut()
            {
                if head.streams.iter().any(Stream::waits) {
                    read_behind_holes(self.engine, head, record);
                }
                Engine::conclude(
                    &mut head.inspection,
                    &mut Facts {
                        flow: &mut record.facts,
                        events: &mut FactLog::default(),
                        stamp: Stamp {
                            at: record.end,
                            source: record.frames.last,
                            side: Side::Client,
                        },
                    },
                );
            }
            self.heads.free(attachment);
        }
    }
}

/// Reads what waits behind holes that nothing will fill now.
fn read_behind_holes(engine: Engine, head: &mut Head, record: &mut FlowRecord) {
    for side in [Side::Client, Side::Server] {
        let Some(stream) = head.streams.get_mut(side.index()) else {
            continue;
        };
        if stream.give_up_hole() != Offer::Kept {
            continue;
        }
        let view = FlowView {
            layer: record.layer,
            protocol: record.protocol,
            client_port: record.client.port,
            server_port: record.server.port,
        };
        let source = record
            .frames
            .first_payload
            .get(side.index())
            .copied()
            .flatten()
            .unwrap_or(record.frames.first);
        let mut facts = Facts {
            flow: &mut record.facts,
            events: &mut FactLog::default(),
            stamp: Stamp {
                at: record.end,
                source,
                side,
            },
        };
        let protocols = &mut record.protocols;
        let app_proto = &mut record.app_proto;
        let [client, server] = &mut head.streams;
        let mut windows = [StreamWindow::kept(client), StreamWindow::kept(server)];
        engine.stream(
            &mut head.inspection,
            view,
            &mut windows,
            side,
            &mut facts,
            &mut |named| {
                if let Named::Speaks(number) = named {
                    let name = NAMES.get(usize::from(number)).copied();
                    if let Some(place) = protocols.iter_mut().find(|place| place.is_none()) {
                        *place = name;
                    }
                    *app_proto = app_proto.or(name);
                }
            },
        );
    }
}

//! One partition of the packet side: flows, reassembly of heads, dissection. Owns everything it touches.

use std::collections::BTreeMap;

use super::ending::Finish;
use super::heads::{FOLLOWED, FRESH, Head, Heads, RESTING, StreamWindow};
use crate::dissect::engine::{Engine, FlowView, Interest, Named};
use crate::dissect::registry::{self, DISSECTORS, NAMES};
use crate::dissect::{Dissection, Input, Next};
use crate::flow::reassembly::{Offer, Stream};
use crate::flow::table::HashedKey;
use crate::flow::timing::Wish;
use crate::flow::{BATCH, Flows, NOTHING};
use crate::model::address::Endpoint;
use crate::model::block::Block;
use crate::model::fact::{FactLog, Facts, Side, Stamp};
use crate::model::flow::FlowRecord;
use crate::model::observation::EventHeader;
use crate::model::segment::{Layer, Segment, segment_flag};
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;

/// A segment of a block with its key.
#[derive(Clone, Copy, Debug)]
pub struct Routed {
    /// Key and hash.
    pub hashed: HashedKey,
    /// Index of the segment.
    pub segment: u32,
}

/// What a partition says of one block.
#[derive(Debug, Default)]
pub struct Output {
    /// Packets that told something about hosts, in order.
    pub events: Vec<EventHeader>,
    /// What they told.
    pub log: FactLog,
    /// Flows that ended.
    pub flows: Vec<FlowRecord>,
}

impl Output {
    /// Empties it for reuse.
    pub fn clear(&mut self) {
        self.events.clear();
        self.log.clear();
        self.flows.clear();
    }
}

/// The partition.
pub struct Shard {
    flows: Flows,
    heads: Heads,
    engine: Engine,
    scratch: FactLog,
    limits: Limits,
    head_bytes: usize,
    /// Dissections of what is not IP, by EtherType.
    links: BTreeMap<u16, (u8, Box<dyn Dissection>)>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard")
            .field("flows", &self.flows)
            .finish_non_exhaustive()
    }
}

impl Shard {
    /// One of `partitions` partitions.
    #[must_use]
    pub fn new(limits: &Limits, partitions: usize) -> Self {
        Self {
            flows: Flows::new(limits, partitions, NAMES.as_slice()),
            heads: Heads::default(),
            engine: Engine::default()
                .closely(limits.reads_closely)
                .counting(limits.counts_lengths),
            scratch: FactLog::default(),
            limits: limits.clone(),
            head_bytes: limits.head_bytes.div_ceil(partitions.max(1)),
            links: BTreeMap::new(),
        }
    }

    /// Greatest number of flows held at once, flows begun, flows evicted, flows not measured for want of room, packets whose activity was
    /// not kept.
    #[must_use]
    pub fn counters(&self) -> [u64; 5] {
        [
            self.flows.peak as u64,
            self.flows.begun,
            self.flows.evicted,
            self.flows.untimed,
            self.flows.unbinned,
        ]
    }

    /// Takes this partition's segments of a block, then lets time pass to `clock`.
    pub fn take(
        &mut self,
        block: &Block,
        segments: &[Segment],
        routed: &[Routed],
        clock: Timestamp,
        output: &mut Output,
    ) {
        for batch in routed.chunks(BATCH) {
            touch(block, segments, batch);
            self.flows.touch(batch.iter().map(|routed| &routed.hashed));
            for routed in batch {
                if let Some(segment) = segments.get(routed.segment as usize) {
                    self.packet(block, segment, &routed.hashed, output);
                }
            }
        }
        let mut finish = Finish {
            heads: &mut self.heads,
            engine: self.engine,
            output,
        };
        if clock != Timestamp::default() {
            self.flows.advance(clock, &mut finish);
        }
    }

    /// Start times of the flows that live at the end of the input.
    pub fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.flows.starts()
    }

    /// Ends the flows that started until then.
    pub fn drain(&mut self, until: Timestamp, output: &mut Output) {
        let mut finish = Finish {
            heads: &mut self.heads,
            engine: self.engine,
            output,
        };
        self.flows.drain(until, &mut finish);
    }

    fn packet(&mut self, block: &Block, segment: &Segment, hashed: &HashedKey, output: &mut Output) {
        if segment.layer == Layer::Link {
            self.link(block, segment, output);
            return;
        }
        let options = if segment.options_length == 0 || !segment.has_tcp(crate::model::segment::tcp_flag::SYN)
        {
            &[]
        } else {
            block.slice(segment.options_offset, u32::from(segment.options_length))
        };
        let mut finish = Finish {
            heads: &mut self.heads,
            engine: self.engine,
            output,
        };
        let touch = self.flows.take(segment, hashed, options, &mut finish);
        let mut attachment = self.flows.attachment(touch.flow);
        if touch.is_new && !segment.is(segment_flag::OPENED_TUNNEL) && self.engine.wants(segment.layer) {
            attachment = FRESH;
            self.flows.attach(touch.flow, FRESH);
        }
        if attachment == NOTHING {
            return;
        }
        if segment.payload_captured == 0 {
            if touch.is_closed {
                self.close(segment, touch.flow, touch.side, attachment);
                self.keep_facts(touch.flow);
            }
            return;
        }
        let payload = block.slice(segment.payload_offset, segment.payload_captured);
        let from = output.log.begin();
        if (FOLLOWED..FRESH).contains(&attachment) {
            let number = u8::try_from(attachment.saturating_sub(FOLLOWED)).unwrap_or(u8::MAX);
            let input = datagram(payload, segment, touch.side);
            let mut facts = Facts {
                flow: &mut self.scratch,
                events: &mut output.log,
                stamp: stamp(segment, touch.side),
            };
            Engine::follow(number, &input, &mut facts);
        } else {
            self.inspect(segment, payload, touch.flow, touch.side, attachment, output);
            if touch.is_closed {
                self.close(segment, touch.flow, touch.side, self.flows.attachment(touch.flow));
            }
        }
        self.keep_facts(touch.flow);
        if output.log.len() > from {
            let protocol = self.flows.app_proto(touch.flow);
            output
                .events
                .push(header(segment, touch.side, protocol, from, output.log.len()));
        }
    }

    /// Hands what was said of a flow to it.
    fn keep_facts(&mut self, flow: u32) {
        if !self.scratch.is_empty() {
            if self.flows.fact_bytes(flow) < self.limits.fact_bytes_per_flow {
                self.flows.keep_facts(flow, &self.scratch);
            }
            self.scratch.clear();
        }
    }

    /// A connection closed: nothing new comes, so its head goes at once, unless something waits behind a hole that
    /// a late segment may fill.
    fn close(&mut self, segment: &Segment, flow: u32, side: Side, attachment: u32) {
        if attachment < RESTING
            && let Some(head) = self.heads.get_mut(attachment)
            && !head.streams.iter().any(Stream::waits)
        {
            Engine::conclude(
                &mut head.inspection,
                &mut Facts {
                    flow: &mut self.scratch,
                    events: &mut FactLog::default(),
                    stamp: stamp(segment, side),
                },
            );
            self.heads.free(attachment);
            self.flows.attach(flow, NOTHING);
        }
    }

    /// Brings a payload to the engine, through the stream's reassembly for TCP.
    fn inspect(
        &mut self,
        segment: &Segment,
        payload: &[u8],
        flow: u32,
        side: Side,
        attachment: u32,
        output: &mut Output,
    ) {
        let place = if attachment < RESTING {
            Some(attachment)
        } else {
            self.heads.begin(self.engine, segment.layer)
        };
        let Some(place) = place else {
            self.flows.attach(flow, NOTHING);
            return;
        };
        let spare = self.head_bytes.saturating_sub(self.heads.bytes);
        let Some(head) = self.heads.get_mut(place) else {
            return;
        };
        if (RESTING..FOLLOWED).contains(&attachment) {
            head.inspection.clear();
            let number = u8::try_from(attachment.saturating_sub(RESTING)).unwrap_or(u8::MAX);
            Engine::resume(&mut head.inspection, number);
        }
        let before = head.held();
        // ICMP has types and codes of single packets, where the flow's key has pairs of types.
        let [client_port, server_port] = match segment.layer {
            Layer::Icmp | Layer::Icmpv6 => [segment.source_port, segment.destination_port],
            Layer::Tcp | Layer::Udp | Layer::Sctp | Layer::OtherIp | Layer::Link => self.flows.ports(flow),
        };
        let view = FlowView {
            layer: segment.layer,
            protocol: segment.protocol,
            client_port,
            server_port,
        };
        let mut facts = Facts {
            flow: &mut self.scratch,
            events: &mut output.log,
            stamp: stamp(segment, side),
        };
        let flows = &mut self.flows;
        let interest = if segment.layer == Layer::Tcp {
            if let Some(start) = flows.stream_start(flow, side)
                && let Some(stream) = head.streams.get_mut(side.index())
            {
                stream.begin(start);
            }
            let budget = self.limits.head_bytes_per_side.min(spare);
            inspect_stream(
                self.engine,
                head,
                view,
                segment,
                payload,
                side,
                budget,
                &mut facts,
                &mut |named| note(flows, flow, named),
            )
        } else {
            self.engine.datagram(
                &mut head.inspection,
                view,
                &datagram(payload, segment, side),
                self.limits.datagrams_per_flow,
                &mut facts,
                &mut |named| note(flows, flow, named),
            )
        };
        let is_exhausted = head
            .streams
            .iter()
            .any(|stream| stream.delivered() as usize > self.limits.head_bytes_per_side);
        let after = head.held();
        if interest == Interest::Nothing || interest == Interest::More && is_exhausted {
            Engine::conclude(&mut head.inspection, &mut facts);
        }
        self.heads.bytes = self.heads.bytes.saturating_sub(before).saturating_add(after);
        let next = match interest {
            Interest::More if !is_exhausted => place,
            Interest::More | Interest::Nothing => NOTHING,
            Interest::Follow(number) => FOLLOWED.saturating_add(u32::from(number)),
            Interest::Rest(number) => {
                self.flows.answered(flow);
                RESTING.saturating_add(u32::from(number))
            }
        };
        if next != place {
            self.heads.free(place);
        }
        if next != attachment {
            self.flows.attach(flow, next);
        }
    }

    /// What is not IP has no flow; one dissection for each EtherType takes all its frames.
    fn link(&mut self, block: &Block, segment: &Segment, output: &mut Output) {
        /// EtherTypes that are remembered as spoken or not.
        const MOST: usize = 64;
        let payload = block.slice(segment.payload_offset, segment.payload_captured);
        let input = datagram(payload, segment, Side::Client);
        let kind = segment.destination_port;
        let is_known = self.links.contains_key(&kind);
        if !is_known {
            let view = FlowView {
                layer: Layer::Link,
                protocol: 0,
                client_port: segment.source_port,
                server_port: kind,
            };
            let Some(claimed) = self.engine.claim(view, &input) else {
                return;
            };
            if self.links.len() >= MOST {
                return;
            }
            self.links.insert(kind, claimed);
        }
        let Some((number, dissection)) = self.links.get_mut(&kind) else {
            return;
        };
        let from = output.log.begin();
        let mut facts = Facts {
            flow: &mut self.scratch,
            events: &mut output.log,
            stamp: stamp(segment, Side::Client),
        };
        let number = *number;
        match dissection.feed(&input, &mut facts) {
            Next::More(_) | Next::Release => {}
            Next::Done | Next::Reject | Next::Become(..) => {
                self.links.remove(&kind);
            }
        }
        self.scratch.clear();
        if output.log.len() > from {
            output.events.push(header(
                segment,
                Side::Client,
                Some(number),
                from,
                output.log.len(),
            ));
        }
    }
}

/// Brings the segments of a batch, and what they carry, into the cache. Purely a hint: those of one partition stand far apart in a block.
fn touch(block: &Block, segments: &[Segment], batch: &[Routed]) {
    let mut seen = 0u8;
    for routed in batch {
        if let Some(segment) = segments.get(routed.segment as usize) {
            let payload = block.bytes.get(segment.payload_offset as usize);
            seen ^= segment.source_address.0[0] ^ segment.destination_mac.0[5] ^ segment.ttl;
            seen ^= payload.copied().unwrap_or_default();
        }
    }
    std::hint::black_box(seen);
}

/// Puts a TCP payload in order and shows the engine what is new.
#[expect(
    clippy::too_many_arguments,
    reason = "borrows of the shard's parts, which a struct would only rename"
)]
fn inspect_stream(
    engine: Engine,
    head: &mut Head,
    view: FlowView,
    segment: &Segment,
    payload: &[u8],
    side: Side,
    budget: usize,
    facts: &mut Facts<'_>,
    named: &mut dyn FnMut(Named),
) -> Interest {
    let Some(stream) = head.streams.get_mut(side.index()) else {
        return Interest::Nothing;
    };
    let in_place = match stream.offer(segment.sequence, payload, segment.payload_on_wire, budget) {
        Offer::Nothing => return Interest::More,
        Offer::InPlace(offset) => payload.get(offset..).unwrap_or_default(),
        Offer::Kept => &[],
    };
    let [client, server] = &mut head.streams;
    let mut windows = [StreamWindow::kept(client), StreamWindow::kept(server)];
    if let Some(window) = windows.get_mut(side.index()) {
        window.in_place = in_place;
    }
    let interest = engine.stream(&mut head.inspection, view, &mut windows, side, facts, named);
    if interest == Interest::More {
        for window in &mut windows {
            if !window.in_place.is_empty() {
                window.stream.keep_rest(window.in_place, budget);
            }
        }
    }
    interest
}

fn note(flows: &mut Flows, flow: u32, named: Named) {
    match named {
        Named::Speaks(number) => {
            let carrier_before = flows
                .app_proto(flow)
                .and_then(|before| DISSECTORS.get(usize::from(before)))
                .is_some_and(|before| before.is_carrier());
            flows.name_protocol(flow, number, carrier_before);
            if registry::is_measured(number) {
                flows.time(
                    flow,
                    match NAMES.get(usize::from(number)) {
                        Some(&"wireguard") => Wish::Wireguard,
                        Some(&"websocket") => Wish::Opening,
                        _ => Wish::Session,
                    },
                );
            }
        }
        Named::TakenBack(number) => flows.unname_protocol(flow, number),
    }
}

const fn stamp(segment: &Segment, side: Side) -> Stamp {
    Stamp {
        at: segment.at,
        source: segment.source,
        side,
    }
}

fn datagram<'a>(payload: &'a [u8], segment: &Segment, side: Side) -> Input<'a> {
    Input {
        side,
        bytes: payload,
        length_on_wire: segment.payload_on_wire,
        after_gap: false,
    }
}

fn header(segment: &Segment, side: Side, protocol: Option<u8>, from: usize, to: usize) -> EventHeader {
    let end = |address, port| Endpoint { address, port };
    EventHeader {
        at: segment.at,
        source: segment.source,
        layer: segment.layer,
        space: segment.space,
        from: end(segment.source_address, segment.source_port),
        to: end(segment.destination_address, segment.destination_port),
        macs: if segment.is(segment_flag::HAS_MAC) {
            [segment.source_mac, segment.destination_mac]
        } else {
            Default::default()
        },
        side,
        protocol: protocol
            .and_then(|number| NAMES.get(usize::from(number)).copied())
            .unwrap_or_default(),
        start: u32::try_from(from).unwrap_or(u32::MAX),
        end: u32::try_from(to).unwrap_or(u32::MAX),
    }
}

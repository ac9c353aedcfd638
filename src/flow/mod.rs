//! Flows: from segments to bidirectional conversations with their counters.
//!
//! Takes segments of one partition in order; gives flow records when conversations end. Knows no application
//! protocol: what dissectors keep for a flow hangs on it as an opaque attachment and a log of facts.
//!
//! Question: how to look up a million flows at the cost of a cache miss or two? What was tried: pool_floor's figures in
//! a batch of 32 packets (hash, touch slots, touch flows, update) against one by one: the batch is two to three times
//! cheaper, because the misses of a batch overlap. So a caller first passes a batch to [`Flows::touch`] and then takes its
//! segments one by one. Records are split into a hot part of two cache lines and a cold part that is read at the end.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod activity;
pub mod community_id;
pub mod control_loop;
pub mod expiry;
mod hands;
pub mod key;
pub mod lifetime;
pub mod opener;
pub mod opening;
mod pool;
mod protocols;
pub mod reassembly;
mod record;
pub mod round_trip;
pub mod ssh_channels;
pub mod table;
pub mod tcp;
pub mod texture;
pub mod timing;

use activity::{Activity, Counted};
use expiry::Wheel;
use key::FlowKey;
use pool::Pool;
use table::{HashedKey, Index};
use tcp::TcpFlow;
use timing::{Measured, Timing, Wish};

use crate::model::address::MacAddress;
use crate::model::fact::{FactLog, KeptFacts, KeptFields, Side};
use crate::model::flow::{FlowRecord, MOST_PROTOCOLS, OpenerJudgement, TcpState};
use crate::model::frame::FrameRef;
use crate::model::segment::{Layer, Segment, TunnelStack, segment_flag};
use crate::model::time::Timestamp;
use crate::settings::limits::{Limits, TimeOuts};

/// No attachment, no TCP state.
pub const NOTHING: u32 = u32::MAX;

/// Segments that are looked up together, so that their cache misses overlap.
pub const BATCH: usize = 32;

/// Packets of a flow after which its activity is binned: shorter flows are no sessions.
const BINNED_FROM: u32 = 8;

/// What every packet of a flow touches; two cache lines.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Hot {
    key: FlowKey,
    last: Timestamp,
    packets: [u32; 2],
    bytes: [u32; 2],
    payload: [u32; 2],
    last_frame: u64,
    long: Option<Box<Long>>,
    tag: u32,
    tcp: u32,
    attachment: u32,
    class: Class,
    client_is_upper: bool,
    alive: bool,
    /// Whether round trips are measured: [`Long::timing`].
    measured: Measured,
}

/// Octets of a first message that hold what names it: no message of DNS without extensions is longer (RFC 1035, 4.2.1).
const NAMING: u32 = 512;

/// What is written at the start and read at the end.
#[derive(Debug, Default)]
struct Cold {
    start: Timestamp,
    first_frame: u64,
    first_payload: [u64; 2],
    facts: KeptFacts,
    fields: KeptFields,
    macs: [MacAddress; 2],
    tunnels: TunnelStack,
    ttl: [u8; 2],
    icmp: [u8; 2],
    /// Time stamp and IP identification of a SYN from behind a router.
    syn_timestamp: u32,
    syn_identification: u16,
    opener: OpenerJudgement,
    is_opening_cut: bool,
    protocols: [u8; MOST_PROTOCOLS],
    app_proto: u8,
    /// Who answered the only packet before, where that is a question's answer.
    answered_by: Option<Side>,
    /// How long that took, in nanoseconds.
    answered_after: u32,
}

/// What only a flow of many packets has.
#[derive(Debug, Default)]
struct Long {
    activity: Activity,
    /// Upper halves of the counters: packets, bytes, payload.
    carried: [[u32; 2]; 3],
    /// What is measured of the few flows that a person may sit behind.
    timing: Option<Box<Timing>>,
    /// Ten-second bins that looked like a remote session.
    driven_bins: u8,
}

/// Which time-out counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    TcpOpening,
    TcpEstablished,
    TcpClosed,
    Udp,
    UdpAnswered,
    Icmp,
    #[default]
    Other,
}

/// A packet found its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Index of the flow, valid until the next call that takes segments or time.
    pub flow: u32,
    /// Who sent the packet.
    pub side: Side,
    /// It is the flow's first.
    pub is_new: bool,
    /// A TCP connection of which nothing more is to come: both sides closed it. (A reset may overtake data.)
    pub is_closed: bool,
}

/// Receives what ends.
pub trait Ending {
    /// A flow ended; `attachment` is what was hung on it ([`NOTHING`] if nothing was).
    fn ended(&mut self, attachment: u32, record: FlowRecord);
}

/// The flows of one partition.
#[derive(Debug)]
pub struct Flows {
    index: Index,
    hot: Pool<Hot>,
    cold: Pool<Cold>,
    tcp: Pool<TcpFlow>,
    wheel: Wheel,
    ceiling: usize,
    bins_per_flow: usize,
    time_outs: TimeOuts,
    names: &'static [&'static str],
    clock: Timestamp,
    /// Flows that wait for the end, the next one last: [`Flows::drain`].
    draining: Option<Vec<(u32, u32)>>,
    /// Greatest number of flows held at once.
    pub peak: usize,
    /// Flows ended because the table was at its ceiling.
    pub evicted: u64,
    /// Flows begun.
    pub begun: u64,
    /// Flows whose round trips are measured now, and how many may be at once.
    timed: [usize; 2],
    /// The same of those of which the opening alone is followed yet.
    opening: [usize; 2],
    /// Flows whose round trips were not measured because too many were.
    pub untimed: u64,
    /// Packets of flows that lasted longer than their activity is kept.
    pub unbinned: u64,
}

impl Flows {
    /// A table for one of `partitions` partitions. `names` are the protocols that [`Flows::name_protocol`] speaks of.
    #[must_use]
    pub fn new(limits: &Limits, partitions: usize, names: &'static [&'static str]) -> Self {
        Self {
            index: Index::default(),
            hot: Pool::default(),
            cold: Pool::default(),
            tcp: Pool::default(),
            wheel: Wheel::default(),
            ceiling: limits.flows.div_ceil(partitions.max(1)).max(1),
            bins_per_flow: limits.bins_per_flow,
            time_outs: limits.time_outs.clone(),
            names,
            clock: Timestamp::default(),
            draining: None,
            peak: 0,
            evicted: 0,
            begun: 0,
            timed: [0, limits.timed_flows.div_ceil(partitions.max(1))],
            opening: [0, limits.timed_flows.div_ceil(partitions.max(1))],
            untimed: 0,
            unbinned: 0,
        }
    }

    /// Brings the slots and flows of a batch into the cache. Purely a hint.
    pub fn touch<'a>(&self, batch: impl Iterator<Item = &'a HashedKey>) {
        let mut candidates = [NOTHING; BATCH];
        for (candidate, hashed) in candidates.iter_mut().zip(batch) {
            if let Some(index) = self.index.touch(hashed.hash) {
                *candidate = index;
            }
        }
        let mut seen = 0u32;
        for candidate in candidates {
            if let Some(hot) = self.hot.get(candidate) {
                // The key lies in the first of its two cache lines, the pointers in the second.
                seen ^= hot.key.touch();
                seen ^= self.tcp.get(hot.tcp).map_or(0, TcpFlow::touch);
                seen ^= hot.long.as_ref().map_or(0, |long| long.carried[0][0]);
            }
        }
        std::hint::black_box(seen);
    }

    /// Counts a segment for its flow, which is begun if need be. `options` are its TCP options.
    pub fn take(
        &mut self,
        segment: &Segment,
        hashed: &HashedKey,
        options: &[u8],
        ending: &mut impl Ending,
    ) -> Touch {
        let found = self
            .index
            .find(hashed.hash, |index| {
                self.hot.get(index).is_some_and(|hot| hot.key == hashed.key)
            })
            .filter(|index| !self.is_over(*index, segment, hashed, ending));
        let (flow, is_new) = match found {
            Some(flow) => (flow, false),
            None => (self.begin(segment, hashed, ending), true),
        };
        let (side, is_closed) = self.count(flow, segment, hashed, options);
        Touch {
            flow,
            side,
            is_new,
            is_closed,
        }
    }

    fn begin(&mut self, segment: &Segment, hashed: &HashedKey, ending: &mut impl Ending) -> u32 {
        if self.hot.occupied() >= self.ceiling {
            self.evict(ending);
        }
        let (sender_opened, opener) = opener::judge(segment);
        let class = match segment.layer {
            Layer::Tcp => Class::TcpOpening,
            Layer::Udp => Class::Udp,
            Layer::Icmp | Layer::Icmpv6 => Class::Icmp,
            Layer::Sctp | Layer::OtherIp | Layer::Link => Class::Other,
        };
        let tcp = if segment.layer == Layer::Tcp {
            self.tcp.insert(TcpFlow::default())
        } else {
            NOTHING
        };
        let flow = self.hot.insert(Hot {
            key: hashed.key,
            last: segment.at,
            tag: upper_half(hashed.hash),
            tcp,
            attachment: NOTHING,
            class,
            client_is_upper: hashed.from_upper == sender_opened,
            alive: true,
            ..Hot::default()
        });
        let sender_is_client = usize::from(!sender_opened);
        let mut macs = [MacAddress::ABSENT; 2];
        if segment.is(segment_flag::HAS_MAC) {
            for (index, mac) in macs.iter_mut().enumerate() {
                *mac = if index == sender_is_client {
                    segment.source_mac
                } else {
                    segment.destination_mac
                };
            }
        }
        let cold = Cold {
            start: segment.at,
            first_frame: pack(segment.source),
            macs,
            tunnels: segment.tunnels,
            icmp: match segment.layer {
                Layer::Icmp | Layer::Icmpv6 => {
                    [low_byte(segment.source_port), low_byte(segment.destination_port)]
                }
                Layer::Tcp | Layer::Udp | Layer::Sctp | Layer::OtherIp | Layer::Link => [0, 0],
            },
            opener,
            ..Cold::default()
        };
        self.cold.put(flow, cold);
        self.index.insert(hashed.hash, flow);
        self.schedule(flow);
        self.begun = self.begun.saturating_add(1);
        self.peak = self.peak.max(self.hot.occupied());
        flow
    }

    fn count(&mut self, flow: u32, segment: &Segment, hashed: &HashedKey, options: &[u8]) -> (Side, bool) {
        let Some(hot) = self.hot.get_mut(flow) else {
            return (Side::Client, false);
        };
        let side = side_of(hot, hashed);
        let way = side.index();
        let before = hot.last;
        hot.last = hot.last.max(segment.at);
        hot.last_frame = pack(segment.source);
        let is_first_of_side = hot.packets.get(way) == Some(&0);
        let is_first_payload = segment.payload_on_wire > 0 && hot.payload.get(way) == Some(&0);
        let carries = [
            add(&mut hot.packets, way, 1),
            add(&mut hot.bytes, way, segment.frame_on_wire),
            add(&mut hot.payload, way, segment.payload_on_wire),
        ];
        let [there, back] = hot.packets;
        let is_binned = segment.payload_on_wire > 0 && there.saturating_add(back) > BINNED_FROM;
        let mut is_closed = false;
        if hot.class == Class::UdpAnswered {
            hot.class = Class::Udp;
        }
        if let Some(tcp) = self.tcp.get_mut(hot.tcp) {
            tcp.follow(segment, side, options);
            is_closed = tcp.state() == TcpState::Closed;
            hot.class = match tcp.state() {
                TcpState::SynSent | TcpState::SynReceived => Class::TcpOpening,
                TcpState::Midstream | TcpState::Established | TcpState::Closing => Class::TcpEstablished,
                TcpState::Closed | TcpState::Reset => Class::TcpClosed,
            };
        }
        let [packets, bytes, payload] = carries;
        let overflowed = packets | bytes | payload;
        if overflowed {
            let long = hot.long.get_or_insert_default();
            for (counter, carry) in long.carried.iter_mut().zip(carries) {
                if let Some(upper) = counter.get_mut(way) {
                    *upper = upper.saturating_add(u32::from(carry));
                }
            }
        }
        let mut looks_driven = false;
        if is_binned {
            let long = hot.long.get_or_insert_default();
            let counted = long
                .activity
                .count(segment.at, side, segment.payload_on_wire, self.bins_per_flow);
            if counted == Counted::Lost {
                self.unbinned = self.unbinned.saturating_add(1);
            }
            if counted == Counted::BehindDriven && hot.measured.may_be_session() && hot.tcp != NOTHING {
                long.driven_bins = long.driven_bins.saturating_add(1);
                looks_driven = long.driven_bins == timing::DRIVEN_BINS;
            }
        }
        let mut begins = false;
        if hot.measured != Measured::No {
            let count = there.saturating_add(back);
            begins = hot.measured.begins(count, hot.tcp != NOTHING);
            if let Some(timing) = hot.long.as_mut().and_then(|long| long.timing.as_mut()) {
                timing.follow(segment, side);
            }
        }
        if (is_first_of_side || is_first_payload)
            && let Some(cold) = self.cold.get_mut(flow)
        {
            if is_first_of_side {
                if let Some(ttl) = cold.ttl.get_mut(way) {
                    *ttl = segment.ttl;
                }
                // From behind a router: others look at what one machine says itself.
                if side == Side::Client
                    && !segment.ttl.is_power_of_two()
                    && segment.ttl != u8::MAX
                    && !options.is_empty()
                {
                    cold.syn_timestamp = tcp::timestamp(options);
                    cold.syn_identification = segment.ip_id;
                }
                // Of two questions it is not known which one is answered (Karn's rule).
                if there.saturating_add(back) == 2 && hot.tcp == NOTHING {
                    cold.answered_by = Some(side);
                    cold.answered_after = tcp::round_trip(segment.at.since(before));
                }
            }
            if is_first_payload
                && let Some(frame) = cold.first_payload.get_mut(way)
                && *frame == 0
            {
                *frame = pack(segment.source);
                cold.is_opening_cut |= segment.payload_captured < segment.payload_on_wire.min(NAMING);
            }
        }
        if looks_driven {
            self.time(flow, Wish::Session);
        }
        if begins {
            self.begin_timing(flow, segment, side);
        }
        (side, is_closed)
    }

    /// What hangs on a flow.
    #[must_use]
    pub fn attachment(&self, flow: u32) -> u32 {
        self.hot.get(flow).map_or(NOTHING, |hot| hot.attachment)
    }

    /// Hangs something on a flow.
    pub fn attach(&mut self, flow: u32, attachment: u32) {
        if let Some(hot) = self.hot.get_mut(flow) {
            hot.attachment = attachment;
        }
    }

    /// Notes that every question of a flow was answered, until its next packet.
    pub fn answered(&mut self, flow: u32) {
        if let Some(hot) = self.hot.get_mut(flow)
            && hot.class == Class::Udp
        {
            hot.class = Class::UdpAnswered;
        }
    }

    /// Bytes of facts that a flow holds.
    #[must_use]
    pub fn fact_bytes(&self, flow: u32) -> usize {
        self.cold.get(flow).map_or(0, |cold| cold.facts.len())
    }

    /// Puts facts behind those of the flow.
    pub fn keep_facts(&mut self, flow: u32, facts: &FactLog) {
        if !facts.is_empty()
            && let Some(cold) = self.cold.get_mut(flow)
        {
            cold.facts.append(&mut cold.fields, facts);
        }
    }

    /// First sequence number of a side's data, where its SYN was seen.
    #[must_use]
    pub fn stream_start(&self, flow: u32, side: Side) -> Option<u32> {
        let hot = self.hot.get(flow)?;
        self.tcp.get(hot.tcp)?.stream_start(side)
    }

    /// Ports of client and server.
    #[must_use]
    pub fn ports(&self, flow: u32) -> [u16; 2] {
        let Some(hot) = self.hot.get(flow) else {
            return [0, 0];
        };
        let [lower, upper] = hot.key.endpoints();
        if hot.client_is_upper {
            [upper.port, lower.port]
        } else {
            [lower.port, upper.port]
        }
    }
}

/// Adds to one direction's counter; whether its lower half overflowed.
fn add(counter: &mut [u32; 2], way: usize, count: u32) -> bool {
    let Some(sum) = counter.get_mut(way) else {
        return false;
    };
    let (lower, carry) = sum.overflowing_add(count);
    *sum = lower;
    carry
}

/// Who sent a packet of the flow.
const fn side_of(hot: &Hot, hashed: &HashedKey) -> Side {
    if hashed.from_upper == hot.client_is_upper {
        Side::Client
    } else {
        Side::Server
    }
}

const fn upper_half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

fn low_byte(value: u16) -> u8 {
    u8::try_from(value & 0xff).unwrap_or(0)
}

/// A frame reference in one word: 16 bits of capture, 48 bits of number.
fn pack(frame: FrameRef) -> u64 {
    u64::from(frame.capture) << 48 | frame.number & 0xffff_ffff_ffff
}

/// The frame reference of a word.
fn unpack(word: u64) -> FrameRef {
    FrameRef {
        capture: u16::try_from(word >> 48).unwrap_or(0),
        number: word & 0xffff_ffff_ffff,
    }
}

#[cfg(test)]
mod tests;

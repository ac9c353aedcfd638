//! Decoding: from the frames of a block to segments.
//!
//! Takes a [`Block`] as the reader filled it, gives [`Segment`]s that name their bytes by offset in the same block, and
//! must not know flows or application protocols. State is kept in three bounded places only: fragments that wait for
//! the rest of their datagram, the fingerprints of recent packets, and who sends into which tunnel and was seen inside of it. All depend
//! on the frames alone, never on where a block ends.
//!
//! What a frame gives:
//! - ordinary packets: one segment, made by `fast` without leaving one function;
//! - a tunnel that was opened: the outer packet with `OPENED_TUNNEL`, then the inner one;
//! - fragments: nothing until the datagram is whole, then one segment for the frame that completed it, with that frame's
//!   length. So a five-tuple counts what Wireshark's conversations count. Fragments whose rest never came give the segment
//!   of their first fragment when they time out, with the time and frame of that fragment (earlier than what
//!   was given before it);
//! - frames without IP: one segment of [`Layer::Link`].
//!
//! Everything that was not understood is counted by cause in [`Decoder::losses`].

mod cooked;
mod dot11;
mod duplicate;
mod ethernet;
mod fast;
mod fragment;
mod link;
mod link_name;
mod network;
mod offset;
mod retries;
mod serial;
mod strangers;
mod stretch;
mod transport;
mod tunnel;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use crate::model::address::MacAddress;
use crate::model::block::Block;
use crate::model::frame::{FrameHeader, LinkType};
use crate::model::local_networks::LocalNetworks;
use crate::model::loss::Losses;
use crate::model::segment::{Encapsulation, Layer, Segment, segment_flag};
use crate::model::summary::ClockOffsetRecord;
use crate::model::tunnel_end::TunnelEnd;
use crate::settings::limits::Limits;
use duplicate::Duplicates;
use fragment::{Fragments, Unfinished};
use retries::Retries;
use strangers::Strangers;
use stretch::Stretch;
use tunnel::ends::{Ends, Outside};

/// Most headers that are followed in one frame: six tunnels of an Ethernet, two tags, labels, IP and transport each
/// stay below it.
const MOST_STEPS: usize = 64;

/// Most subframes of one 802.11 aggregate: 7,935 octets of at least 14 each would be more, real ones hold a few.
const MOST_SUBFRAMES: usize = 64;

/// How many things decoding saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that were decoded, understood or not.
    pub frames: u64,
    /// Packets left out because a mirror port had copied them twice, or a station had sent them again.
    pub duplicates: u64,
    /// Frames that gave nothing: no conversation, no copy, no fragment.
    pub without_result: u64,
    /// IP fragments.
    pub fragments: u64,
    /// Datagrams rebuilt from fragments.
    pub reassembled: u64,
    /// Tunnel headers that were opened.
    pub opened_tunnels: u64,
}

/// Turns frames into segments, in the order of the frames.
#[derive(Debug)]
pub struct Decoder {
    state: State,
}

/// What lives longer than a frame.
#[derive(Debug)]
struct State {
    losses: Losses,
    counters: Counters,
    fragments: Fragments,
    duplicates: Duplicates,
    retries: Retries,
    tunnel_ends: Ends,
    strangers: Strangers,
}

impl State {
    fn end_block(&mut self) {
        let told = self.strangers.end_block();
        self.losses
            .add("packets in tunnels into which only a foreign address sends", told);
    }
}

impl Decoder {
    /// With the bounds of `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            state: State {
                losses: Losses::default(),
                counters: Counters::default(),
                fragments: Fragments::new(limits),
                duplicates: Duplicates::new(limits.duplicate_window),
                retries: Retries::default(),
                strangers: Strangers::new(LocalNetworks::new(&[]), limits.tunnels),
                tunnel_ends: Ends::default(),
            },
        }
    }

    /// With these networks as ours, instead of the private ranges: whose tunnels are believed depends on it.
    #[must_use]
    pub fn with_local(mut self, networks: &[ipnet::IpNet]) -> Self {
        self.state.strangers.set_local(LocalNetworks::new(networks));
        self
    }

    /// So many captures will come: packets that several of them show are to count once.
    pub fn expect_captures(&mut self, captures: usize) {
        if captures > 1 {
            self.state.duplicates.offsets.expect_several();
        }
    }

    /// Decodes all frames of `block` and appends what they carry to `segments`.
    ///
    /// Rebuilt datagrams are appended to the block's bytes; segments refer to the block they were made from.
    pub fn decode(&mut self, block: &mut Block, segments: &mut Vec<Segment>) {
        let Block { bytes, frames } = block;
        segments.reserve(frames.len());
        let state = &mut self.state;
        state.counters.frames = state.counters.frames.saturating_add(frames.len() as u64);
        for frame in frames.iter() {
            if frame.at >= state.fragments.next_time_out() {
                for late in state.fragments.timed_out(frame.at) {
                    state.losses.count("datagrams whose fragments never came");
                    give_unfinished(&late, bytes, segments, state);
                }
            }
            if frame.link == LinkType::ETHERNET {
                match fast::ethernet(bytes, frame, &mut state.duplicates, segments) {
                    fast::Outcome::Decoded => continue,
                    fast::Outcome::Duplicate => {
                        state.counters.duplicates = state.counters.duplicates.saturating_add(1);
                        continue;
                    }
                    fast::Outcome::NotOrdinary => {}
                }
            }
            let before = (
                segments.len(),
                state.counters.duplicates,
                state.counters.fragments,
            );
            Packet::of_frame(frame, bytes, segments, state).decode_frame(frame);
            if before
                == (
                    segments.len(),
                    state.counters.duplicates,
                    state.counters.fragments,
                )
            {
                state.counters.without_result = state.counters.without_result.saturating_add(1);
            }
        }
        state.end_block();
    }

    /// Gives what still waited for fragments; for the end of the input. Bytes are appended to `block`.
    pub fn finish(&mut self, block: &mut Block, segments: &mut Vec<Segment>) {
        for late in self.state.fragments.all() {
            self.state.losses.count("datagrams whose fragments never came");
            give_unfinished(&late, &mut block.bytes, segments, &mut self.state);
        }
        self.state.end_block();
    }

    /// What was not understood or damaged, by cause.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.state.losses
    }

    /// By how much the clock of a capture differs from that of another that saw the same packets.
    #[must_use]
    pub fn clock_offset(&self, capture: usize) -> Option<ClockOffsetRecord> {
        self.state.duplicates.offsets.record(capture)
    }

    /// From which lines machines inside of opened tunnels go out.
    #[must_use]
    pub fn tunnel_ends(&self) -> Vec<TunnelEnd> {
        self.state.tunnel_ends.list()
    }

    /// What was seen.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.state.counters
    }
}

/// Gives the segment of a datagram that stayed incomplete.
fn give_unfinished(late: &Unfinished, bytes: &mut Vec<u8>, segments: &mut Vec<Segment>, state: &mut State) {
    let mut base = late.base;
    let Some(stretch) = append(bytes, &late.start, late.on_wire) else {
        return;
    };
    if late.start.is_empty() {
        base.flags |= segment_flag::LATER_FRAGMENT;
    }
    let mut packet = Packet {
        bytes,
        base,
        segments,
        state,
        has_ip: true,
        outside: None,
    };
    if late.start.is_empty() {
        transport::other(&mut packet, stretch);
    } else {
        packet.run(Step::Transport(stretch));
    }
}

/// Appends rebuilt bytes to the block; `None` when offsets of 32 bits no longer reach them.
fn append(bytes: &mut Vec<u8>, rebuilt: &[u8], on_wire: u32) -> Option<Stretch> {
    let start = u32::try_from(bytes.len()).ok()?;
    let captured = u32::try_from(rebuilt.len()).ok()?;
    start.checked_add(captured)?;
    bytes.extend_from_slice(rebuilt);
    Some(Stretch {
        start,
        captured,
        on_wire: on_wire.max(captured),
    })
}

/// What is to be read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: the frame is done.
    Done,
    /// An Ethernet header.
    Ethernet(Stretch),
    /// What follows this `EtherType`.
    EtherType(u16, Stretch),
    /// An IEEE 802.2 header.
    Llc(Stretch),
    /// An IP header of either version.
    Ip(Stretch),
    /// What follows the IP headers; the protocol is in the packet's base.
    Transport(Stretch),
    /// A PPP packet, with or without address and control.
    Ppp(Stretch),
    /// MPLS labels.
    Mpls(Stretch),
    /// A network service header.
    Nsh(Stretch),
    /// An IEEE 802.11 header.
    Dot11(Stretch),
    /// Subframes of an 802.11 aggregate.
    Aggregate(Stretch),
}

/// One frame on its way through the headers.
struct Packet<'a> {
    bytes: &'a mut Vec<u8>,
    /// What the headers said so far: the segment that the next layer completes.
    base: Segment,
    segments: &'a mut Vec<Segment>,
    state: &'a mut State,
    /// Whether an IP header was read already: only the outermost one is looked at for duplicates.
    has_ip: bool,
    /// The outside of the tunnel that was opened, where that is some machine's line.
    outside: Option<Outside>,
}

impl<'a> Packet<'a> {
    fn of_frame(
        frame: &FrameHeader,
        bytes: &'a mut Vec<u8>,
        segments: &'a mut Vec<Segment>,
        state: &'a mut State,
    ) -> Self {
        let base = Segment {
            at: frame.at,
            source: frame.source,
            frame_on_wire: frame.length_on_wire,
            ..Segment::default()
        };
        Self {
            bytes,
            base,
            segments,
            state,
            has_ip: false,
            outside: None,
        }
    }

    fn decode_frame(&mut self, frame: &FrameHeader) {
        let inside = (frame.offset as usize)
            .checked_add(frame.captured as usize)
            .is_some_and(|end| end <= self.bytes.len());
        if !inside {
            self.lose("frames outside their block");
            return;
        }
        let stretch = Stretch {
            start: frame.offset,
            captured: frame.captured,
            on_wire: frame.length_on_wire.max(frame.captured),
        };
        let step = link::open(self, frame.link, stretch);
        self.run(step);
    }

    /// Follows the headers until one ends the frame.
    fn run(&mut self, mut step: Step) {
        for _ in 0..MOST_STEPS {
            step = match step {
                Step::Done => return,
                Step::Ethernet(stretch) => ethernet::header(self, stretch),
                Step::EtherType(kind, stretch) => ethernet::after_type(self, kind, stretch),
                Step::Llc(stretch) => ethernet::llc(self, stretch),
                Step::Ip(stretch) => network::header(self, stretch),
                Step::Transport(stretch) => transport::header(self, stretch),
                Step::Ppp(stretch) => serial::ppp(self, stretch),
                Step::Mpls(stretch) => tunnel::mpls::labels(self, stretch),
                Step::Nsh(stretch) => tunnel::nsh::header(self, stretch),
                Step::Dot11(stretch) => dot11::header(self, stretch),
                Step::Aggregate(stretch) => {
                    self.aggregate(stretch);
                    Step::Done
                }
            };
        }
        self.lose("frames with more headers than are followed");
    }

    /// Decodes each subframe of an 802.11 aggregate.
    fn aggregate(&mut self, mut rest: Stretch) {
        let base = self.base;
        for _ in 0..MOST_SUBFRAMES {
            let Some((subframe, next)) = dot11::subframe(self, rest) else {
                return;
            };
            self.run(Step::Llc(subframe));
            self.base = base;
            self.has_ip = false;
            self.outside = None;
            rest = next;
        }
    }

    /// `N` bytes at `at` of `stretch`.
    fn array<const N: usize>(&self, stretch: Stretch, at: usize) -> Option<[u8; N]> {
        stretch::array(stretch.of(self.bytes), at)
    }

    /// The captured bytes of `stretch`.
    fn view(&self, stretch: Stretch) -> &[u8] {
        stretch.of(self.bytes)
    }

    fn lose(&mut self, cause: &'static str) {
        self.state.losses.count(cause);
    }

    /// Counts a cause and ends the frame.
    fn give_up(&mut self, cause: &'static str) -> Step {
        self.lose(cause);
        Step::Done
    }

    /// Sets the link addresses of the packet.
    fn set_macs(&mut self, source: [u8; 6], destination: [u8; 6]) {
        self.base.source_mac = MacAddress(source);
        self.base.destination_mac = MacAddress(destination);
        self.base.flags |= segment_flag::HAS_MAC;
    }

    /// Gives a segment with `payload` as its content.
    fn give(&mut self, mut segment: Segment, payload: Stretch) {
        segment.payload_offset = payload.start;
        segment.payload_captured = payload.captured;
        segment.payload_on_wire = payload.on_wire;
        if payload.captured < payload.on_wire {
            segment.flags |= segment_flag::CUT;
        }
        if let Some(outside) = self.outside
            && !segment.is(segment_flag::OPENED_TUNNEL)
            && segment.layer != Layer::Link
            && !segment.space.is_strangers()
            && !self.state.tunnel_ends.note(outside, &segment)
        {
            self.lose("packets of tunnels beyond the bound on tunnels");
        }
        self.segments.push(segment);
    }

    /// Gives a segment without IP. `selector` is zero for an `EtherType`; see [`ethernet`] for the others.
    fn give_link(&mut self, selector: u16, kind: u16, payload: Stretch) -> Step {
        let mut segment = self.base;
        segment.layer = Layer::Link;
        segment.source_port = selector;
        segment.destination_port = kind;
        self.give(segment, payload);
        Step::Done
    }

    /// Names a wrapping that is no conversation of its own (labels, sessions); `false` when nothing deeper may be opened.
    fn wrap(&mut self, encapsulation: Encapsulation) -> bool {
        let Some(tunnels) = self.base.tunnels.with(encapsulation) else {
            self.lose("tunnels nested deeper than is opened");
            return false;
        };
        self.base.tunnels = tunnels;
        true
    }

    /// Gives a packet as the outside of what its own addresses go on with (the authentication header of IPsec); `false` when
    /// nothing deeper may be opened.
    fn open_in_place(&mut self, encapsulation: Encapsulation, payload: Stretch) -> bool {
        let mut outer = self.base;
        if !self.wrap(encapsulation) {
            return false;
        }
        self.state.counters.opened_tunnels = self.state.counters.opened_tunnels.saturating_add(1);
        outer.flags |= segment_flag::OPENED_TUNNEL;
        outer.tunnels = self.base.tunnels;
        self.give(outer, payload);
        true
    }

    /// Gives the outer packet of a tunnel and prepares the base for the inner one.
    fn open(&mut self, mut outer: Segment, payload: Stretch, inside: tunnel::Inside) -> Step {
        let Some(tunnels) = self.base.tunnels.with(inside.encapsulation) else {
            self.lose("tunnels nested deeper than is opened");
            self.give(outer, payload);
            return Step::Done;
        };
        self.state.counters.opened_tunnels = self.state.counters.opened_tunnels.saturating_add(1);
        outer.flags |= segment_flag::OPENED_TUNNEL;
        outer.tunnels = tunnels;
        self.give(outer, payload);
        self.outside = tunnel::ends::outside(self.outside, &outer, &inside);
        let (from, to) = (outer.source_address, outer.destination_address);
        // Whatever stands inside of what a stranger says is his word too, and tells nothing of who sends into which tunnel.
        let is_told = self.base.space.is_strangers();
        let is_believed = is_told || self.state.strangers.is_believed(from, to, inside.encapsulation);
        let space = match inside.identifier {
            Some((kind, identifier)) if !is_told => self.base.space.with_identifier(kind, identifier),
            _ => self.base.space,
        };
        let space = if is_believed {
            if self.state.strangers.has_waiting() && !is_told {
                let strangers = &mut self.state.strangers;
                strangers.put_right(from, to, inside.encapsulation, self.segments);
            }
            space
        } else {
            let first = (self.base.source, self.segments.len());
            self.state
                .strangers
                .wait(from, to, inside.encapsulation, first, space);
            strangers::space(from, to, self.base.space)
        };
        self.base = Segment {
            at: self.base.at,
            source: self.base.source,
            frame_on_wire: self.base.frame_on_wire,
            flags: self.base.flags & segment_flag::REASSEMBLED,
            space,
            tunnels,
            ..Segment::default()
        };
        inside.step
    }
}

//! The front of the pipeline: reads a block, decodes it, routes its segments to the partitions that own their flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::clock::Clocks;
use super::schedule::{Front, Order, Work};
use super::shard::Routed;
use crate::capture::{CaptureError, Damage, Progress, Source};
use crate::decode::{Counters, Decoder};
use crate::flow::key::FlowKey;
use crate::flow::table::HashedKey;
use crate::model::block::Block;
use crate::model::loss::Losses;
use crate::model::segment::Layer;
use crate::model::summary::ClockOffsetRecord;
use crate::model::time::Timestamp;
use crate::model::tunnel_end::TunnelEnd;
use crate::settings::limits::Limits;

/// Frames whose times are looked at to tell what time it is.
const CLOCK_SAMPLES: usize = 15;

/// Told of the reading's position and of the packets read so far, about once a block.
pub type Watch = Box<dyn FnMut(Progress, u64) + Send>;

/// Reader, decoder and router.
pub struct Reader {
    source: Box<dyn Source>,
    decoder: Decoder,
    seed: u64,
    watch: Option<Watch>,
    /// What went wrong for good.
    pub error: Option<CaptureError>,
    /// Places that could not be read.
    pub damage: Vec<Damage>,
    /// Frames or bytes that were not delivered, by cause.
    pub losses: Losses,
    /// Frames read.
    pub frames: u64,
    /// How the captures' clocks run.
    pub clocks: Clocks,
    /// First and last packet.
    pub span: Option<(Timestamp, Timestamp)>,
    stop: Arc<AtomicBool>,
    is_finished: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads from `source` until it ends or `stop` is set; `seed` is that of the flow table's hash.
    #[must_use]
    pub fn new(
        source: Box<dyn Source>,
        limits: &Limits,
        seed: u64,
        watch: Option<Watch>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let mut decoder = Decoder::new(limits);
        decoder.expect_captures(source.captures().len());
        Self {
            source,
            decoder,
            seed,
            watch,
            error: None,
            damage: Vec::new(),
            losses: Losses::default(),
            frames: 0,
            clocks: Clocks::default(),
            span: None,
            stop,
            is_finished: false,
        }
    }

    /// With these networks as ours, instead of the private ranges.
    #[must_use]
    pub fn with_local(mut self, networks: &[ipnet::IpNet]) -> Self {
        self.decoder = self.decoder.with_local(networks);
        self
    }

    /// What decoding did not understand, by cause, and what it saw.
    #[must_use]
    pub fn decoding(&self) -> (&Losses, Counters) {
        (self.decoder.losses(), self.decoder.counters())
    }

    /// By how much the clock of a capture differs from that of another that saw the same packets.
    #[must_use]
    pub fn clock_offset(&self, capture: usize) -> Option<ClockOffsetRecord> {
        self.decoder.clock_offset(capture)
    }

    /// From which lines machines inside of opened tunnels go out.
    #[must_use]
    pub fn tunnel_ends(&self) -> Vec<TunnelEnd> {
        self.decoder.tunnel_ends()
    }

    /// The source, for its counters.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    fn route(&self, work: &mut Work) {
        let partitions = work.routed.len();
        for (number, segment) in (0u32..).zip(&work.segments) {
            let (hashed, partition) = if segment.layer == Layer::Link {
                (
                    HashedKey {
                        key: FlowKey::default(),
                        hash: 0,
                        from_upper: false,
                    },
                    0,
                )
            } else {
                let (key, from_upper) = FlowKey::of(segment);
                (
                    HashedKey {
                        key,
                        hash: key.hash(self.seed),
                        from_upper,
                    },
                    key.partition(partitions),
                )
            };
            if let Some(routed) = work.routed.get_mut(partition) {
                routed.push(Routed {
                    hashed,
                    segment: number,
                });
            }
        }
    }

    fn collect(&mut self) {
        self.losses.merge(&self.source.take_losses());
        self.damage.extend(self.source.take_damage());
    }
}

/// The time that a block shows: the median of some of its frames, so that one frame with a wild clock ends no flow.
fn clock(block: &Block) -> Option<Timestamp> {
    let step = block.frames.len().div_ceil(CLOCK_SAMPLES).max(1);
    let mut times: Vec<Timestamp> = block.frames.iter().step_by(step).map(|frame| frame.at).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

impl Front for Reader {
    fn next(&mut self, work: &mut Work) -> bool {
        if self.is_finished {
            return false;
        }
        let is_stopped = self.stop.load(Ordering::Relaxed) && !self.source.ends_itself();
        let more = !is_stopped
            && match self.source.fill(&mut work.block) {
                Ok(more) => more,
                Err(error) => {
                    self.error = Some(error);
                    false
                }
            };
        self.collect();
        if more {
            self.frames = self.frames.saturating_add(work.block.frames.len() as u64);
            let times = work.block.frames.iter().map(|frame| (frame.at, frame.at));
            let span = times.chain(self.span);
            self.span = span.reduce(|(first, last), (start, end)| (first.min(start), last.max(end)));
            self.clocks.take(&work.block.frames);
            work.order = Order::Take(clock(&work.block).unwrap_or_default());
            self.decoder.decode(&mut work.block, &mut work.segments);
        } else {
            // What waited for fragments is given once, as the last work.
            self.is_finished = true;
            work.block.clear();
            work.order = Order::Take(Timestamp::default());
            self.decoder.finish(&mut work.block, &mut work.segments);
        }
        self.route(work);
        if let Some(watch) = &mut self.watch {
            watch(self.source.progress(), self.frames);
        }
        true
    }
}

/// Makes the work that ends all flows, a stretch of start times at a time, so that records come out in order and in
/// bounded memory.
#[derive(Debug)]
pub struct Drain {
    ends: std::vec::IntoIter<Timestamp>,
}

impl Drain {
    /// Flows whose records are written at a time.
    const FLOWS: usize = 8_192;

    /// From the start times of all flows that live.
    #[must_use]
    pub fn new(mut starts: Vec<Timestamp>) -> Self {
        starts.sort_unstable();
        let mut ends: Vec<Timestamp> = starts
            .chunks(Self::FLOWS)
            .filter_map(|chunk| chunk.last().copied())
            .collect();
        ends.dedup();
        Self {
            ends: ends.into_iter(),
        }
    }
}

impl Front for Drain {
    fn next(&mut self, work: &mut Work) -> bool {
        let Some(until) = self.ends.next() else {
            return false;
        };
        work.order = Order::Drain(until);
        true
    }
}

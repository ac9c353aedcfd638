//! The pipeline: which stage is wired to which. Contains no knowledge; it wires, counts and orders.
//!
//! ```text
//! front: capture > decode > route      shard: flow > dissect      back: observe > detect (see `analysis`)      writer: `rows`
//! ```

pub mod analysis;
pub mod clock;
pub mod conclude;
mod controllers;
mod declared;
mod ending;
pub mod front;
mod heads;
mod hidden_sessions;
mod host_record;
mod order;
pub mod places;
pub mod quiet;
pub mod received;
pub mod rows;
pub mod schedule;
pub mod shard;
mod translated;
mod vantage;

use front::{Drain, Reader};
use schedule::{Back, Stages, Writer};
use shard::Shard;

use crate::settings::limits::Limits;

/// Partitions of the packet side. Fixed, so that bounds act alike for any number of threads.
pub const PARTITIONS: usize = 8;

/// What the packet side counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounters {
    /// Flows begun.
    pub begun: u64,
    /// Sum of the partitions' greatest numbers of flows held.
    pub peak: u64,
    /// Flows ended because their partition was at its ceiling.
    pub evicted: u64,
    /// Flows whose round trips were not measured because too many were.
    pub untimed: u64,
    /// Packets of flows that lasted longer than their activity is kept ([`Limits::bins_per_flow`]).
    pub unbinned: u64,
}

/// Runs everything that `reader` gives through the partitions to `back` and on to `writer`, then ends all flows.
///
/// `None` only when a stage was lost to a panic, which is raised again before.
pub fn run<B: Back, W: Writer<B::Notes>>(
    threads: usize,
    reader: Reader,
    limits: &Limits,
    back: B,
    writer: W,
) -> Option<(Reader, FlowCounters, B, W)> {
    let shards = (0..PARTITIONS).map(|_| Shard::new(limits, PARTITIONS)).collect();
    let done = schedule::run(
        threads,
        Stages {
            front: reader,
            shards,
            back,
            writer,
        },
    )?;
    let starts = done.shards.iter().flat_map(Shard::starts).collect();
    let reader = done.front;
    let Stages {
        shards, back, writer, ..
    } = schedule::run(
        threads,
        Stages {
            front: Drain::new(starts),
            shards: done.shards,
            back: done.back,
            writer: done.writer,
        },
    )?;
    let mut counters = FlowCounters::default();
    for shard in &shards {
        let [peak, begun, evicted, untimed, unbinned] = shard.counters();
        counters.begun = counters.begun.saturating_add(begun);
        counters.peak = counters.peak.saturating_add(peak);
        counters.evicted = counters.evicted.saturating_add(evicted);
        counters.untimed = counters.untimed.saturating_add(untimed);
        counters.unbinned = counters.unbinned.saturating_add(unbinned);
    }
    Some((reader, counters, back, writer))
}

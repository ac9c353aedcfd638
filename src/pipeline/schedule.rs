//! Who works on what: a small scheduler that keeps every thread busy and the result independent of their number.
//!
//! Question: how do two threads share work whose stages differ in cost with every capture? Answer: any thread may do any
//! task. The tasks of block number n are: read and decode it; take it in each of the partitions; conclude it; write it. Each
//! stage is a value that at most one thread holds at a time, and each takes the blocks in their order, so what it computes
//! cannot depend on who computed it. Threads take the task furthest downstream, so that memory stays bounded by
//! the number of blocks in flight; but a block for each thread is read before partitions take the last one, because who finds
//! nothing but the reader at work waits for it (two threads did so for a tenth of their time). The lock is taken once a task
//! (some hundreds of packets), never once a packet.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::shard::{Output, Routed, Shard};
use crate::model::block::Block;
use crate::model::segment::Segment;
use crate::model::time::Timestamp;

/// What the partitions shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take the segments, then let time pass to this clock.
    Take(Timestamp),
    /// The input ended: end the flows that started until then.
    Drain(Timestamp),
}

/// One unit of work: a decoded block, its segments by partition.
#[derive(Debug)]
pub struct Work {
    /// Frames and bytes.
    pub block: Block,
    /// The segments of its packets, in order.
    pub segments: Vec<Segment>,
    /// Which of them belong to which partition.
    pub routed: Vec<Vec<Routed>>,
    /// What to do with them.
    pub order: Order,
}

impl Work {
    /// Empty work for so many partitions.
    #[must_use]
    pub fn new(partitions: usize) -> Self {
        Self {
            block: Block::default(),
            segments: Vec::new(),
            routed: (0..partitions).map(|_| Vec::new()).collect(),
            order: Order::Take(Timestamp::default()),
        }
    }

    fn clear(&mut self) {
        self.block.clear();
        self.segments.clear();
        self.routed.iter_mut().for_each(Vec::clear);
    }
}

/// Makes work: reads, decodes, routes.
pub trait Front: Send {
    /// Fills empty work; `false` when there is no more.
    fn next(&mut self, work: &mut Work) -> bool;
}

/// Concludes work: sees the outputs of all partitions for one block at a time, in order.
pub trait Back: Send {
    /// What it has to say of the outputs to who writes them; kept and emptied for reuse.
    type Notes: Default + Send;

    /// Takes the outputs, in the order of the partitions.
    fn conclude(&mut self, outputs: &[Output], notes: &mut Self::Notes);
}

/// Writes what was concluded: sees the outputs of one block at a time, in order, with the notes on them. Knows nothing that
/// [`Back`] would have to wait for.
pub trait Writer<N>: Send {
    /// Takes the outputs of a block.
    fn write(&mut self, outputs: &[Output], notes: &N);
}

/// Nothing is written.
impl<N> Writer<N> for () {
    fn write(&mut self, _: &[Output], _: &N) {}
}

struct Slot {
    work: Arc<Work>,
    outputs: Vec<Option<Output>>,
    missing: usize,
}

/// A block that was concluded.
struct Concluded<N> {
    outputs: Vec<Output>,
    notes: N,
}

/// The stages, as they are given in and given back.
pub struct Stages<F, B, W> {
    /// Reads, decodes, routes.
    pub front: F,
    /// The partitions.
    pub shards: Vec<Shard>,
    /// Observes and detects.
    pub back: B,
    /// Writes.
    pub writer: W,
}

struct State<F, B: Back, W> {
    front: Option<F>,
    is_exhausted: bool,
    /// A thread panicked: the others stop instead of waiting for what it held.
    has_failed: bool,
    shards: Vec<(Option<Box<Shard>>, u64)>,
    back: Option<B>,
    writer: Option<W>,
    /// Number of the first block in flight.
    base: u64,
    in_flight: VecDeque<Slot>,
    concluded: VecDeque<Concluded<B::Notes>>,
    spare_work: Vec<Work>,
    spare_output: Vec<Output>,
    spare_notes: Vec<B::Notes>,
}

enum Task<F, B: Back, W> {
    Read(F, Work),
    Take(usize, Box<Shard>, Arc<Work>, u64, Output),
    Conclude(B, Slot, B::Notes),
    Write(W, Concluded<B::Notes>),
}

struct Shared<F, B: Back, W> {
    state: Mutex<State<F, B, W>>,
    changed: Condvar,
    /// So many blocks are read ahead of the partitions.
    least_in_flight: usize,
    most_in_flight: usize,
}

/// Runs all stages over all work on `threads` threads and gives them back.
pub fn run<F: Front, B: Back, W: Writer<B::Notes>>(
    threads: usize,
    stages: Stages<F, B, W>,
) -> Option<Stages<F, B, W>> {
    let Stages {
        front,
        shards,
        back,
        writer,
    } = stages;
    let threads = threads.max(1);
    let shared = Shared {
        state: Mutex::new(State {
            front: Some(front),
            is_exhausted: false,
            has_failed: false,
            shards: shards
                .into_iter()
                .map(|shard| (Some(Box::new(shard)), 0))
                .collect(),
            back: Some(back),
            writer: Some(writer),
            base: 0,
            in_flight: VecDeque::new(),
            concluded: VecDeque::new(),
            spare_work: Vec::new(),
            spare_output: Vec::new(),
            spare_notes: Vec::new(),
        }),
        changed: Condvar::new(),
        least_in_flight: if threads == 1 { 0 } else { threads },
        // One block for each thread to read ahead and one to conclude: with one thread nothing runs ahead.
        most_in_flight: if threads == 1 {
            1
        } else {
            threads.saturating_mul(2).saturating_add(2)
        },
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work(&shared));
        }
        work(&shared);
    });
    let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let shards: Vec<Shard> = state
        .shards
        .into_iter()
        .filter_map(|(shard, _)| shard.map(|shard| *shard))
        .collect();
    Some(Stages {
        front: state.front?,
        shards,
        back: state.back?,
        writer: state.writer?,
    })
}

fn lock<F, B: Back, W>(shared: &Shared<F, B, W>) -> MutexGuard<'_, State<F, B, W>> {
    // A poisoned lock means that another thread panicked; the scope raises that panic again when it joins.
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the other threads when this one unwinds.
struct Alarm<'a, F, B: Back, W>(&'a Shared<F, B, W>);

impl<F, B: Back, W> Drop for Alarm<'_, F, B, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.0).has_failed = true;
            self.0.changed.notify_all();
        }
    }
}

fn work<F: Front, B: Back, W: Writer<B::Notes>>(shared: &Shared<F, B, W>) {
    let _alarm = Alarm(shared);
    let mut state = lock(shared);
    loop {
        if state.has_failed {
            return;
        }
        let Some(task) = next_task(&mut state, shared) else {
            if state.is_exhausted && state.in_flight.is_empty() && state.concluded.is_empty() {
                shared.changed.notify_all();
                return;
            }
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(state);
        let done = perform(task);
        state = lock(shared);
        put_back(&mut state, done);
        shared.changed.notify_all();
    }
}

/// The task furthest downstream that can be done now.
fn next_task<F, B: Back, W>(state: &mut State<F, B, W>, shared: &Shared<F, B, W>) -> Option<Task<F, B, W>> {
    if let Some(writer) = state.writer.take() {
        if let Some(concluded) = state.concluded.pop_front() {
            return Some(Task::Write(writer, concluded));
        }
        state.writer = Some(writer);
    }
    if state.in_flight.front().is_some_and(|slot| slot.missing == 0)
        && let Some(back) = state.back.take()
    {
        if let Some(slot) = state.in_flight.pop_front() {
            state.base = state.base.saturating_add(1);
            let notes = state.spare_notes.pop().unwrap_or_default();
            return Some(Task::Conclude(back, slot, notes));
        }
        state.back = Some(back);
    }
    if state.in_flight.len() < shared.least_in_flight
        && let Some(task) = read_task(state, shared)
    {
        return Some(task);
    }
    let newest = state.base.saturating_add(state.in_flight.len() as u64);
    let behind = state
        .shards
        .iter()
        .enumerate()
        .filter(|(_, (shard, next))| shard.is_some() && *next < newest)
        .min_by_key(|(_, (_, next))| *next)
        .map(|(index, _)| index);
    if let Some(index) = behind
        && let Some((place, next)) = state.shards.get_mut(index)
        && let Ok(offset) = usize::try_from(next.saturating_sub(state.base))
        && let Some(slot) = state.in_flight.get(offset)
        && let Some(shard) = place.take()
    {
        let output = state.spare_output.pop().unwrap_or_default();
        return Some(Task::Take(index, shard, Arc::clone(&slot.work), *next, output));
    }
    read_task(state, shared)
}

/// Reading the next block, if there is one, nobody is at it, and there is room.
fn read_task<F, B: Back, W>(state: &mut State<F, B, W>, shared: &Shared<F, B, W>) -> Option<Task<F, B, W>> {
    let held = state.in_flight.len().saturating_add(state.concluded.len());
    if state.is_exhausted || held >= shared.most_in_flight {
        return None;
    }
    let front = state.front.take()?;
    let work = state.spare_work.pop();
    let work = work.unwrap_or_else(|| Work::new(state.shards.len()));
    Some(Task::Read(front, work))
}

enum Done<F, B: Back, W> {
    Read(F, Option<Work>),
    Take(usize, Box<Shard>, u64, Output),
    Conclude(B, Arc<Work>, Concluded<B::Notes>),
    Write(W, Concluded<B::Notes>),
}

fn perform<F: Front, B: Back, W: Writer<B::Notes>>(task: Task<F, B, W>) -> Done<F, B, W> {
    match task {
        Task::Read(mut front, mut work) => {
            work.clear();
            let more = front.next(&mut work);
            Done::Read(front, more.then_some(work))
        }
        Task::Take(index, mut shard, work, number, mut output) => {
            let routed = work.routed.get(index).map(Vec::as_slice).unwrap_or_default();
            match work.order {
                Order::Take(clock) => shard.take(&work.block, &work.segments, routed, clock, &mut output),
                Order::Drain(until) => shard.drain(until, &mut output),
            }
            Done::Take(index, shard, number, output)
        }
        Task::Conclude(mut back, slot, mut notes) => {
            let outputs: Vec<Output> = slot.outputs.into_iter().flatten().collect();
            back.conclude(&outputs, &mut notes);
            Done::Conclude(back, slot.work, Concluded { outputs, notes })
        }
        Task::Write(mut writer, concluded) => {
            writer.write(&concluded.outputs, &concluded.notes);
            Done::Write(writer, concluded)
        }
    }
}

fn put_back<F, B: Back, W>(state: &mut State<F, B, W>, done: Done<F, B, W>) {
    match done {
        Done::Read(front, work) => {
            state.front = Some(front);
            match work {
                Some(work) => {
                    let partitions = state.shards.len();
                    state.in_flight.push_back(Slot {
                        work: Arc::new(work),
                        outputs: (0..partitions).map(|_| None).collect(),
                        missing: partitions,
                    });
                }
                None => state.is_exhausted = true,
            }
        }
        Done::Take(index, shard, number, output) => {
            if let Some(place) = state.shards.get_mut(index) {
                *place = (Some(shard), number.saturating_add(1));
            }
            let offset = usize::try_from(number.saturating_sub(state.base)).unwrap_or(usize::MAX);
            if let Some(slot) = state.in_flight.get_mut(offset)
                && let Some(place) = slot.outputs.get_mut(index)
            {
                *place = Some(output);
                slot.missing = slot.missing.saturating_sub(1);
            }
        }
        Done::Conclude(back, work, concluded) => {
            state.back = Some(back);
            state.concluded.push_back(concluded);
            if let Ok(work) = Arc::try_unwrap(work) {
                state.spare_work.push(work);
            }
        }
        Done::Write(writer, concluded) => {
            state.writer = Some(writer);
            for mut output in concluded.outputs {
                output.clear();
                state.spare_output.push(output);
            }
            state.spare_notes.push(concluded.notes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::limits::Limits;

    struct Count(u32);

    impl Front for Count {
        fn next(&mut self, work: &mut Work) -> bool {
            self.0 += 1;
            work.order = Order::Take(Timestamp(i64::from(self.0)));
            self.0 <= 500
        }
    }

    #[derive(Default)]
    struct Seen(Vec<usize>);

    impl Back for Seen {
        type Notes = usize;

        fn conclude(&mut self, outputs: &[Output], notes: &mut usize) {
            self.0.push(outputs.len());
            *notes = self.0.len();
        }
    }

    #[derive(Default)]
    struct Written(Vec<usize>);

    impl Writer<usize> for Written {
        fn write(&mut self, outputs: &[Output], notes: &usize) {
            assert_eq!(outputs.len(), 4);
            self.0.push(*notes);
        }
    }

    impl Back for () {
        type Notes = ();

        fn conclude(&mut self, outputs: &[Output], (): &mut ()) {
            assert!(outputs.is_empty(), "this stage fails on purpose");
        }
    }

    fn stages<B, W>(back: B, writer: W) -> Stages<Count, B, W> {
        Stages {
            front: Count(0),
            shards: (0..4).map(|_| Shard::new(&Limits::default(), 4)).collect(),
            back,
            writer,
        }
    }

    #[test]
    fn a_panic_in_a_stage_ends_the_run_instead_of_hanging_it() {
        for threads in [1, 2, 7] {
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                run(threads, stages((), ())).is_some()
            }));
            assert!(run.is_err());
        }
    }

    #[test]
    fn every_block_is_concluded_and_written_once_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let done = run(threads, stages(Seen::default(), Written::default())).unwrap();
            assert_eq!((done.front.0, done.shards.len()), (501, 4));
            assert_eq!(done.back.0, vec![4; 500]);
            assert_eq!(done.writer.0, (1..=500).collect::<Vec<usize>>());
        }
    }
}

//! Several captures as one, in the order of time.
//!
//! The earliest head of all captures comes next; equal times go by capture index. Within a capture frames keep the
//! order of the file. A capture is opened when its first frame is due, so captures that follow each other never are
//! open together, and a long run of one capture travels as the block it was read into, without a copy.
//! How large buffers are, and whether files are closed between reads, depends on the number of captures alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::counters::CaptureCounters;
use super::inputs::Input;
use super::patient::Stop;
use super::savefile::SaveFile;
use super::{CaptureError, Damage, Progress, Source};
use crate::model::block::Block;
use crate::model::loss::Losses;
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;

/// Memory for all buffers together, if every capture is open at once.
const BUFFERS: usize = 64 << 20;
/// Smallest buffer of a capture.
const SMALLEST_BUFFER: usize = 64 << 10;
/// Above so many captures files are closed between reads: half of the usual limit of open files.
const MOST_OPEN: usize = 512;
/// A run of at least this part of a block travels without a copy; shorter ones are gathered.
const RUN_SHARE: usize = 32;

/// A capture among others.
enum Member {
    /// Its first frame is not due yet.
    Waiting(Input),
    /// Being read; `next` is the first frame of `block` that was not delivered.
    Open {
        file: Box<SaveFile>,
        block: Block,
        next: usize,
    },
    /// Read to its end.
    Ended,
}

/// Captures in the order of time.
pub struct Merge {
    members: Vec<Member>,
    /// Counters of captures that wait or ended.
    counters: Vec<CaptureCounters>,
    heads: BinaryHeap<Reverse<(Timestamp, u16)>>,
    limits: Limits,
    block_bytes: usize,
    block_frames: usize,
    digest: bool,
    stop: Stop,
    parked: bool,
    read_by_ended: u64,
    total: Option<u64>,
    losses: Losses,
    damage: Vec<Damage>,
}

impl Merge {
    /// Opens captures; the index of each is its place in `inputs`.
    pub fn open(inputs: &[Input], limits: &Limits, digest: bool, stop: &Stop) -> Result<Self, CaptureError> {
        let share = BUFFERS.checked_div(inputs.len()).unwrap_or(BUFFERS);
        let mut own = limits.clone();
        own.block_bytes = share.max(SMALLEST_BUFFER).min(limits.block_bytes);
        // The smallest record takes a few tens of bytes: more places for frames would stay empty.
        own.block_frames = limits.block_frames.min(own.block_bytes / 32);
        let mut merge = Self {
            members: Vec::with_capacity(inputs.len()),
            counters: Vec::with_capacity(inputs.len()),
            heads: BinaryHeap::with_capacity(inputs.len()),
            limits: own,
            block_bytes: limits.block_bytes,
            block_frames: limits.block_frames,
            digest,
            stop: Stop::clone(stop),
            parked: inputs.len() > MOST_OPEN,
            read_by_ended: 0,
            total: Some(0),
            losses: Losses::default(),
            damage: Vec::new(),
        };
        let mut scratch = Block::default();
        for (place, input) in inputs.iter().enumerate() {
            let index = u16::try_from(place).map_err(|_| CaptureError::TooMany(inputs.len()))?;
            merge.add(input, index, &mut scratch)?;
        }
        Ok(merge)
    }

    /// Learns when a capture begins. What can be opened again is closed until then.
    fn add(&mut self, input: &Input, index: u16, scratch: &mut Block) -> Result<(), CaptureError> {
        let mut limits = self.limits.clone();
        limits.block_bytes = limits.block_bytes.min(SMALLEST_BUFFER);
        limits.block_frames = 1;
        let reopened = matches!(input, Input::File(path) if path.is_file());
        let read_as = if reopened { &limits } else { &self.limits };
        let mut file = SaveFile::open_as(input, index, read_as, self.digest && !reopened, false, &self.stop)?;
        let size = file.progress().total;
        self.total = self.total.zip(size).map(|(sum, size)| sum.saturating_add(size));
        let any = file.fill(scratch)?;
        let first = scratch
            .frames
            .first()
            .map_or(Timestamp(i64::MIN), |frame| frame.at);
        self.heads.push(Reverse((first, index)));
        if reopened || !any {
            self.members.push(if reopened {
                Member::Waiting(input.clone())
            } else {
                Member::Ended
            });
            let mut known = file.counters().clone();
            if reopened {
                known = CaptureCounters {
                    path: known.path,
                    format: known.format,
                    compression: known.compression,
                    size: known.size,
                    ..CaptureCounters::default()
                };
            } else {
                self.losses.merge(&file.take_losses());
                self.damage.append(&mut file.take_damage());
            }
            self.counters.push(known);
        } else {
            self.counters.push(CaptureCounters::default());
            self.members.push(Member::Open {
                file: Box::new(file),
                block: std::mem::take(scratch),
                next: 0,
            });
        }
        Ok(())
    }

    /// Makes sure that the capture has a frame to deliver; gives that frame's time, or nothing at its end.
    fn head(&mut self, index: u16) -> Result<Option<Timestamp>, CaptureError> {
        let place = usize::from(index);
        let Some(member) = self.members.get_mut(place) else {
            return Ok(None);
        };
        if let Member::Waiting(input) = member {
            match SaveFile::open_as(input, index, &self.limits, self.digest, self.parked, &self.stop) {
                Ok(file) => {
                    *member = Member::Open {
                        file: Box::new(file),
                        block: Block::default(),
                        next: 0,
                    };
                }
                Err(error) => {
                    // It could be read a moment ago; the others still can.
                    self.losses.count("a file that could not be opened again");
                    self.damage.push(Damage {
                        path: input.path(),
                        capture: index,
                        offset: 0,
                        cause: "a file that could not be opened again",
                        detail: Some(error.to_string()),
                        skipped: 0,
                    });
                    *member = Member::Ended;
                }
            }
        }
        let Member::Open { file, block, next } = member else {
            return Ok(None);
        };
        if let Some(frame) = block.frames.get(*next) {
            return Ok(Some(frame.at));
        }
        *next = 0;
        let more = file.fill(block)?;
        self.losses.merge(&file.take_losses());
        self.damage.append(&mut file.take_damage());
        if more {
            return Ok(block.frames.first().map(|frame| frame.at));
        }
        self.read_by_ended = self.read_by_ended.saturating_add(file.progress().read);
        if let Member::Open { file, .. } = std::mem::replace(member, Member::Ended)
            && let Some(counters) = self.counters.get_mut(place)
        {
            *counters = file.into_counters();
        }
        Ok(None)
    }

    /// Moves frames of one capture into `out` until another's head is earlier or `out` is full. `true` means full.
    fn move_run(&mut self, index: u16, until: Option<(Timestamp, u16)>, out: &mut Block) -> bool {
        let Some(Member::Open { block, next, .. }) = self.members.get_mut(usize::from(index)) else {
            return false;
        };
        let is_due = |at: Timestamp| until.is_none_or(|other| (at, index) <= other);
        let waiting = block.frames.get(*next..).unwrap_or_default();
        let Some(first) = waiting.first() else {
            return false;
        };
        let bytes_left = block.bytes.len().saturating_sub(first.offset as usize);
        let is_long = bytes_left.saturating_mul(RUN_SHARE) >= self.block_bytes
            || waiting.len().saturating_mul(RUN_SHARE) >= self.block_frames;
        if out.frames.is_empty() && is_long && waiting.iter().all(|frame| is_due(frame.at)) {
            block.frames.drain(..*next);
            std::mem::swap(block, out);
            block.clear();
            *next = 0;
            return true;
        }
        for frame in waiting {
            if !is_due(frame.at) {
                return false;
            }
            let is_full = out.frames.len() >= self.block_frames
                || out.bytes.len().saturating_add(frame.captured as usize) > self.block_bytes;
            if is_full && !out.frames.is_empty() {
                return true;
            }
            let mut moved = *frame;
            moved.offset = u32::try_from(out.bytes.len()).unwrap_or(u32::MAX);
            out.bytes
                .extend_from_slice(block.slice(frame.offset, frame.captured));
            out.frames.push(moved);
            *next = next.saturating_add(1);
        }
        false
    }
}

impl Source for Merge {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        while let Some(Reverse((_, index))) = self.heads.pop() {
            // What a capture was last known to hold next may have ended meanwhile.
            let Some(at) = self.head(index)? else { continue };
            let until = self.heads.peek().map(|Reverse(other)| *other);
            if until.is_some_and(|other| other < (at, index)) {
                self.heads.push(Reverse((at, index)));
                continue;
            }
            let is_full = self.move_run(index, until, block);
            if let Some(at) = self.head(index)? {
                self.heads.push(Reverse((at, index)));
            }
            if is_full {
                break;
            }
        }
        Ok(!block.frames.is_empty())
    }

    fn progress(&self) -> Progress {
        let open = self.members.iter().map(|member| match member {
            Member::Open { file, .. } => file.progress().read,
            Member::Waiting(_) | Member::Ended => 0,
        });
        Progress {
            read: open.fold(self.read_by_ended, u64::saturating_add),
            total: self.total,
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    fn captures(&self) -> Vec<&CaptureCounters> {
        let pairs = self.members.iter().zip(&self.counters);
        pairs
            .map(|(member, counters)| match member {
                Member::Open { file, .. } => file.counters(),
                Member::Waiting(_) | Member::Ended => counters,
            })
            .collect()
    }
}

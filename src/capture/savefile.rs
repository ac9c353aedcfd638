//! One saved capture: its bytes are read straight into the block, and records are described where they stand.
//!
//! A record that straddles the end of a block is carried over to the start of the next one: the only bytes that are
//! copied. pcap-parser was measured, too (LIBRARIES figures: 25 ns a packet); it hands out borrowed records one by one,
//! which a block that travels to other threads would have to copy.

use super::classic::{self, Classic};
use super::compression::Scheme;
use super::counters::{CaptureCounters, Format, Troubles};
use super::inputs::Input;
use super::patient::Stop;
use super::pcapng::{self, Pcapng};
use super::resume::{Halt, Search, search};
use super::stream::Stream;
use super::{CaptureError, Damage, Progress, Source};
use crate::model::block::Block;
use crate::model::loss::Losses;
use crate::settings::limits::Limits;

/// Bytes after damage within which a believable record must start; else the capture ends there.
pub const SEARCH_WINDOW: u64 = 64 << 20;
/// Bytes by which the buffer grows when a search needs more of them.
const SEARCH_STEP: usize = 1 << 20;

/// Smallest buffer: the header of a file fits.
const SMALLEST_BLOCK: usize = 64;

/// The records' format.
enum Records {
    /// Not a byte.
    Nothing,
    /// Classic pcap.
    Classic(Classic),
    /// pcapng.
    Pcapng(Pcapng),
}

/// Damage whose end was not found yet.
struct Lost {
    offset: u64,
    cause: &'static str,
}

/// A saved capture.
pub struct SaveFile {
    stream: Stream,
    records: Records,
    counters: CaptureCounters,
    troubles: Troubles,
    index: u16,
    block_bytes: usize,
    block_frames: usize,
    /// Bytes that belong to the next block.
    carry: Vec<u8>,
    /// Offset of the carried bytes, after decompression.
    offset: u64,
    /// Bytes that the next record is known to need.
    wanted: usize,
    lost: Option<Lost>,
    exhausted: bool,
    /// Reading failed, which was told already.
    failed: bool,
    finished: bool,
}

/// Whether a capture starts with these bytes.
#[must_use]
pub fn is_capture(head: &[u8]) -> bool {
    classic::recognises(head) || pcapng::recognises(head)
}

/// Whether these bytes, all that there are, are too few to tell and could have become a capture, compressed or not: none at
/// all, or the beginning of a format's first bytes. Such a file is a capture cut short, as one is that ends in its header.
#[must_use]
pub fn is_cut_short(head: &[u8]) -> bool {
    classic::may_follow(head) || pcapng::may_follow(head) || Scheme::may_follow(head)
}

impl SaveFile {
    /// Opens a capture; `index` is its place in the list of captures.
    pub fn open(input: &Input, index: u16, limits: &Limits, digest: bool) -> Result<Self, CaptureError> {
        Self::open_as(input, index, limits, digest, false, &Stop::default())
    }

    /// Opens a capture; `parked` closes the file between reads, `stop` ends the reading of one that may keep silent.
    pub(super) fn open_as(
        input: &Input,
        index: u16,
        limits: &Limits,
        digest: bool,
        parked: bool,
        stop: &Stop,
    ) -> Result<Self, CaptureError> {
        let stream = Stream::open(input, digest, parked, stop)?;
        let mut counters = CaptureCounters {
            path: input.path(),
            compression: stream.layers.clone(),
            size: stream.size,
            ..CaptureCounters::default()
        };
        let head = stream.head();
        let records = if pcapng::recognises(head) {
            counters.format = Format::Pcapng;
            Records::Pcapng(Pcapng::new(index, limits.frame_bytes))
        } else if classic::recognises(head) {
            Classic::open(head, index, limits.frame_bytes, &mut counters)
                .map_or(Records::Nothing, Records::Classic)
        } else if stream.is_empty() || is_cut_short(head) {
            Records::Nothing
        } else {
            let start = head.get(..4).unwrap_or(head).to_vec();
            return Err(CaptureError::UnknownFormat(input.path(), start));
        };
        Ok(Self {
            stream,
            records,
            counters,
            troubles: Troubles::default(),
            index,
            block_bytes: limits.block_bytes.max(SMALLEST_BLOCK),
            block_frames: limits.block_frames.max(1),
            carry: Vec::new(),
            offset: 0,
            wanted: 0,
            lost: None,
            exhausted: false,
            failed: false,
            finished: false,
        })
    }

    /// Counters of this capture.
    #[must_use]
    pub const fn counters(&self) -> &CaptureCounters {
        &self.counters
    }

    /// Gives up everything but the counters.
    pub(super) fn into_counters(self) -> CaptureCounters {
        self.counters
    }

    /// Reads on until the block holds what it may, or the input ends.
    fn read(&mut self, block: &mut Block) {
        block.bytes.extend_from_slice(&self.carry);
        self.carry.clear();
        let target = self.block_bytes.max(self.wanted);
        self.wanted = 0;
        let missing = target.saturating_sub(block.bytes.len());
        if self.exhausted || missing == 0 {
            return;
        }
        match self.stream.append(missing, &mut block.bytes) {
            Ok(more) => self.exhausted = !more,
            Err(error) => {
                self.exhausted = true;
                self.failed = true;
                let cause = if self.stream.layers.is_empty() {
                    "reading failed"
                } else {
                    "decompression failed"
                };
                let offset = self.offset.saturating_add(block.bytes.len() as u64);
                self.damage(offset, cause, Some(error.to_string()), 0);
            }
        }
    }

    fn damage(&mut self, offset: u64, cause: &'static str, detail: Option<String>, skipped: u64) {
        let damage = Damage {
            path: self.counters.path.clone(),
            capture: self.index,
            offset,
            cause,
            detail,
            skipped,
        };
        self.troubles.note(&mut self.counters, damage);
    }

    /// Where records start in the first block.
    fn skip_file_header(&mut self, block: &Block) -> usize {
        match &self.records {
            Records::Classic(_) if self.offset == 0 => classic::FILE_HEADER,
            Records::Classic(_) | Records::Pcapng(_) => 0,
            Records::Nothing => {
                let read = block.bytes.len();
                if self.counters.damaged == 0 {
                    let cause = if read == 0 {
                        "an empty file"
                    } else {
                        "the file's header is cut short"
                    };
                    self.damage(read as u64, cause, None, read as u64);
                }
                read
            }
        }
    }

    /// Describes the records of the block from `position` on; gives where the next block starts.
    fn describe(&mut self, block: &mut Block, position: usize) -> usize {
        let mut position = position;
        let mut from = position;
        loop {
            if let Some(lost) = &self.lost {
                let found = match &self.records {
                    Records::Classic(classic) => search(&block.bytes, from, |bytes| {
                        classic.believes(bytes, self.exhausted)
                    }),
                    Records::Pcapng(pcapng) => {
                        search(&block.bytes, from, |bytes| pcapng.believes(bytes, self.exhausted))
                    }
                    Records::Nothing => Search::UpTo(block.bytes.len()),
                };
                let (Search::Found(place) | Search::UpTo(place)) = found;
                let (offset, cause) = (lost.offset, lost.cause);
                let skipped = self.offset.saturating_add(place as u64).saturating_sub(offset);
                position = place;
                if matches!(found, Search::UpTo(_)) {
                    if self.exhausted || skipped > SEARCH_WINDOW {
                        self.lost = None;
                        self.damage(offset, cause, None, skipped);
                        self.finished = true;
                        self.exhausted = true;
                        return block.bytes.len();
                    }
                    let left = block.bytes.len().saturating_sub(place);
                    self.wanted = left.saturating_add(SEARCH_STEP);
                    return position;
                }
                self.lost = None;
                self.damage(offset, cause, None, skipped);
            }
            let (stopped, halt) = match &mut self.records {
                Records::Classic(classic) => classic.take(block, position, self.block_frames),
                Records::Pcapng(pcapng) => pcapng.take(
                    block,
                    position,
                    self.block_frames,
                    self.exhausted,
                    &mut self.counters,
                ),
                Records::Nothing => (block.bytes.len(), Halt::Need(1)),
            };
            self.note_pcapng();
            position = stopped;
            let cause = match halt {
                Halt::Full => return position,
                Halt::Need(bytes) if !self.exhausted => {
                    // Twice as many, so that a chain of lies about lengths costs one copy for each byte and not more.
                    self.wanted = bytes.saturating_mul(2);
                    return position;
                }
                Halt::Need(_) if self.failed || position >= block.bytes.len() => {
                    self.finished = true;
                    return block.bytes.len();
                }
                Halt::Need(_) => "the last record is cut short",
                Halt::Damaged(cause) => cause,
            };
            let offset = self.offset.saturating_add(position as u64);
            self.lost = Some(Lost { offset, cause });
            from = position.saturating_add(1);
        }
    }

    /// Turns what the pcapng parser noted into damage.
    fn note_pcapng(&mut self) {
        let Records::Pcapng(pcapng) = &mut self.records else {
            return;
        };
        for (place, cause) in std::mem::take(&mut pcapng.notes) {
            self.damage(self.offset.saturating_add(place as u64), cause, None, 0);
        }
    }

    fn finish(&mut self) {
        self.counters.sha256 = self.stream.digest();
        self.carry = Vec::new();
    }
}

impl Source for SaveFile {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.frames.reserve(self.block_frames.min(1 << 16));
        loop {
            block.clear();
            if self.finished {
                return Ok(false);
            }
            self.read(block);
            let start = self.skip_file_header(block);
            let end = self.describe(block, start);
            self.carry
                .extend_from_slice(block.bytes.get(end..).unwrap_or_default());
            block.bytes.truncate(end);
            self.offset = self.offset.saturating_add(end as u64);
            self.counters.count(&block.frames);
            if self.finished {
                self.finish();
            }
            if self.stream.size.is_none() {
                self.counters.size = Some(self.stream.read());
            }
            if !block.frames.is_empty() {
                return Ok(true);
            }
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            read: self.stream.read(),
            total: self.stream.size,
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.troubles.losses)
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.troubles.damage)
    }

    fn captures(&self) -> Vec<&CaptureCounters> {
        vec![&self.counters]
    }
}

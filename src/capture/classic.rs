//! Records of classic pcap files (draft-ietf-opsawg-pcap), parsed where they stand in the block.

use super::counters::{CaptureCounters, Format, Interface};
use super::options::{u16_at, u32_at};
use super::resume::{Halt, Verdict};
use crate::model::block::Block;
use crate::model::frame::{FrameHeader, FrameRef, LinkType};
use crate::model::time::Timestamp;

/// Length of the file's header.
pub(super) const FILE_HEADER: usize = 24;
/// Length of a record's header.
const RECORD_HEADER: usize = 16;
/// What Kuznetsov's patch adds to a record's header: interface index, protocol, packet type.
const MODIFIED_EXTRA: usize = 8;

/// Microseconds.
const MICRO: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
const NANO: u32 = 0xa1b2_3c4d;
/// Microseconds with the longer record header of Kuznetsov's patch.
const MODIFIED: u32 = 0xa1b2_cd34;

/// How far apart the times of neighbouring records may be for one to be believed after damage.
const DAY_SECONDS: u32 = 86_400;
/// Records in a row that must be believable after damage.
const CHAIN: usize = 3;

/// What the file's header says, and where the numbering is.
#[derive(Debug)]
pub(super) struct Classic {
    big: bool,
    modified: bool,
    /// Nanoseconds in a unit of the fraction field.
    unit: i64,
    link: LinkType,
    frame_bytes: u32,
    capture: u16,
    number: u64,
    last_seconds: Option<u32>,
}

/// Whether a file that starts so is a classic pcap file; its byte order and magic number.
fn magic(head: &[u8]) -> Option<(bool, u32)> {
    [false, true].into_iter().find_map(|big| {
        let value = u32_at(head, 0, big)?;
        matches!(value, MICRO | NANO | MODIFIED).then_some((big, value))
    })
}

/// Whether a file that starts so is a classic pcap file.
pub(super) fn recognises(head: &[u8]) -> bool {
    magic(head).is_some()
}

/// Whether these bytes, all that there are, could have become a classic pcap file.
pub(super) fn may_follow(head: &[u8]) -> bool {
    [MICRO, NANO, MODIFIED]
        .into_iter()
        .flat_map(|value| [value.to_le_bytes(), value.to_be_bytes()])
        .any(|magic| magic.starts_with(head))
}

impl Classic {
    /// Reads the file's header. `None` when it is cut short.
    ///
    /// The version is not checked: what wrote other numbers wrote the same records. The upper half of the link type holds
    /// the length of the frame check sequence and flags, which say nothing about where records end.
    pub(super) fn open(
        head: &[u8],
        capture: u16,
        frame_bytes: usize,
        counters: &mut CaptureCounters,
    ) -> Option<Self> {
        let (big, magic) = magic(head)?;
        let snap_length = u32_at(head, 16, big)?;
        let link = u16_at(head, if big { 22 } else { 20 }, big)?;
        head.get(..FILE_HEADER)?;
        counters.format = if magic == MODIFIED {
            Format::ModifiedPcap
        } else {
            Format::Pcap
        };
        counters.interfaces = vec![Interface {
            link: LinkType(link),
            snap_length,
            ..Interface::default()
        }];
        Some(Self {
            big,
            modified: magic == MODIFIED,
            unit: if magic == NANO { 1 } else { 1_000 },
            link: LinkType(link),
            frame_bytes: u32::try_from(frame_bytes).unwrap_or(u32::MAX),
            capture,
            number: 0,
            last_seconds: None,
        })
    }

    /// Takes records from `from` on. Gives where it stopped and why.
    pub(super) fn take(&mut self, block: &mut Block, from: usize, most: usize) -> (usize, Halt) {
        match (self.big, self.modified) {
            (false, false) => self.walk::<false, 0>(block, from, most),
            (true, false) => self.walk::<true, 0>(block, from, most),
            (false, true) => self.walk::<false, MODIFIED_EXTRA>(block, from, most),
            (true, true) => self.walk::<true, MODIFIED_EXTRA>(block, from, most),
        }
    }

    fn walk<const BIG: bool, const EXTRA: usize>(
        &mut self,
        block: &mut Block,
        from: usize,
        most: usize,
    ) -> (usize, Halt) {
        let Block { bytes, frames } = block;
        let word = |octets: [u8; 4]| {
            if BIG {
                u32::from_be_bytes(octets)
            } else {
                u32::from_le_bytes(octets)
            }
        };
        let header_length = RECORD_HEADER.saturating_add(EXTRA);
        let mut position = from;
        let mut rest = bytes.get(from..).unwrap_or_default();
        let mut number = self.number;
        let mut last_seconds = self.last_seconds;
        let halt = loop {
            if frames.len() >= most {
                break Halt::Full;
            }
            let Some((header, body)) = rest.split_first_chunk::<RECORD_HEADER>() else {
                break Halt::Need(header_length);
            };
            let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3] = *header;
            let seconds = word([s0, s1, s2, s3]);
            let fraction = word([f0, f1, f2, f3]);
            let captured = word([c0, c1, c2, c3]);
            let on_wire = word([w0, w1, w2, w3]);
            if captured > self.frame_bytes {
                break Halt::Damaged("a record longer than any frame");
            }
            if (seconds | fraction | captured | on_wire) == 0 {
                break Halt::Damaged("a record of zeros");
            }
            let occupied = (captured as usize).saturating_add(EXTRA);
            let Some((_, after)) = body.split_at_checked(occupied) else {
                break Halt::Need(occupied.saturating_add(RECORD_HEADER));
            };
            number = number.wrapping_add(1);
            last_seconds = Some(seconds);
            let start = position.wrapping_add(header_length);
            frames.push(FrameHeader {
                at: Timestamp::from_parts(i64::from(seconds), i64::from(fraction).wrapping_mul(self.unit)),
                source: FrameRef {
                    capture: self.capture,
                    number,
                },
                link: self.link,
                interface: 0,
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "blocks are far smaller than 4 GiB"
                )]
                offset: start as u32,
                captured,
                // A writer that forgot the length on the wire said at least what it captured.
                length_on_wire: on_wire.max(captured),
            });
            position = start.wrapping_add(captured as usize);
            rest = after;
        };
        self.number = number;
        self.last_seconds = last_seconds;
        (position, halt)
    }

    /// Whether a believable record starts with `bytes`: several in a row whose times are near the last one's, or fewer
    /// that end exactly where the file ends.
    pub(super) fn believes(&self, bytes: &[u8], at_end: bool) -> Verdict {
        let extra = if self.modified { MODIFIED_EXTRA } else { 0 };
        let mut near = self.last_seconds;
        let mut position = 0_usize;
        for taken in 0..CHAIN {
            let rest = bytes.get(position..).unwrap_or_default();
            if rest.is_empty() && at_end && taken > 0 && position == bytes.len() {
                return Verdict::Yes;
            }
            let field = |at| u32_at(rest, at, self.big);
            let (Some(seconds), Some(fraction), Some(captured), Some(on_wire)) =
                (field(0), field(4), field(8), field(12))
            else {
                return if at_end { Verdict::No } else { Verdict::Need };
            };
            let limit = if self.unit == 1 { 1_000_000_000 } else { 1_000_000 };
            let believable = (1..=self.frame_bytes).contains(&captured)
                && on_wire >= captured
                && on_wire <= self.frame_bytes.saturating_mul(16)
                && fraction < limit
                && near.is_none_or(|last| last.abs_diff(seconds) <= DAY_SECONDS);
            if !believable {
                return Verdict::No;
            }
            near = Some(seconds);
            position = position
                .saturating_add(RECORD_HEADER)
                .saturating_add(extra)
                .saturating_add(captured as usize);
        }
        if position <= bytes.len() || at_end {
            Verdict::Yes
        } else {
            Verdict::Need
        }
    }
}

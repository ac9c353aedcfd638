//! Blocks of pcapng files (draft-ietf-opsawg-pcapng), parsed where they stand in our block.
//!
//! The path of an Enhanced Packet Block is short and without allocation; every other block is rare.

use super::counters::{CaptureCounters, Interface};
use super::options::{Options, u16_at, u32_at, u64_of};
use super::resolution::Resolution;
use super::resume::{Halt, Verdict};
use crate::model::block::Block;
use crate::model::frame::{FrameHeader, FrameRef, LinkType};
use crate::model::time::{SECOND, Timestamp};

/// Section header; the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
const CUSTOM: u32 = 0xbad;
const CUSTOM_NO_COPY: u32 = 0x4000_0bad;

/// Tells the byte order of a section.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Longest block that is believed; libpcap's bound, too.
pub(super) const LONGEST_BLOCK: u32 = 16 << 20;
/// Longest block that is believed to start in the middle of damage.
const LONGEST_AFTER_DAMAGE: u32 = 1 << 20;
/// Interfaces of one capture: as many as a frame's header can number.
const MOST_INTERFACES: usize = 65_535;
/// How far a packet's time may be from the last one's for its block to be believed after damage.
const DAY: i64 = 86_400 * SECOND;

/// The clock and link of one interface of the current section.
#[derive(Clone, Copy, Debug)]
struct Tap {
    link: LinkType,
    resolution: Resolution,
    /// `if_tsoffset` in nanoseconds.
    offset: i64,
    snap_length: u32,
    /// Index among all interfaces of the capture.
    index: u16,
}

impl Tap {
    /// The time of so many ticks.
    fn time(&self, ticks: u64) -> Timestamp {
        self.resolution.time(ticks, self.offset)
    }
}

/// State of a capture: the current section and the numbering.
#[derive(Debug)]
pub(super) struct Pcapng {
    big: bool,
    taps: Vec<Tap>,
    last: Option<Timestamp>,
    frame_bytes: u32,
    capture: u16,
    number: u64,
    /// Damage that did not cost the way: place in the buffer and cause. Emptied by the caller after each block.
    pub(super) notes: Vec<(usize, &'static str)>,
}

/// Whether a file that starts so is a pcapng file.
pub(super) fn recognises(head: &[u8]) -> bool {
    u32_at(head, 0, true) == Some(SECTION)
        && (head.len() < 12
            || [true, false]
                .into_iter()
                .any(|big| u32_at(head, 8, big) == Some(BYTE_ORDER)))
}

/// Whether these bytes, all that there are, could have become a pcapng file.
pub(super) fn may_follow(head: &[u8]) -> bool {
    SECTION.to_be_bytes().starts_with(head)
}

/// What a block's header asks the caller to do.
enum Extent {
    /// It occupies so many bytes.
    Whole(usize),
    /// Stop.
    Stop(Halt),
}

impl Pcapng {
    /// A capture whose first section was not read yet.
    pub(super) fn new(capture: u16, frame_bytes: usize) -> Self {
        Self {
            big: false,
            taps: Vec::new(),
            last: None,
            frame_bytes: u32::try_from(frame_bytes).unwrap_or(u32::MAX),
            capture,
            number: 0,
            notes: Vec::new(),
        }
    }

    /// Takes blocks from `from` on. Gives where it stopped and why.
    pub(super) fn take(
        &mut self,
        block: &mut Block,
        from: usize,
        most: usize,
        at_end: bool,
        counters: &mut CaptureCounters,
    ) -> (usize, Halt) {
        let mut position = from;
        loop {
            let (stopped, halt) = if self.big {
                self.walk::<true>(block, position, most)
            } else {
                self.walk::<false>(block, position, most)
            };
            position = stopped;
            if let Some(halt) = halt {
                return (position, halt);
            }
            match self.other(block, position, at_end, counters) {
                Extent::Whole(length) => position = position.saturating_add(length),
                Extent::Stop(halt) => return (position, halt),
            }
        }
    }

    /// Takes Enhanced Packet Blocks without comments until something else comes (`None`).
    fn walk<const BIG: bool>(
        &mut self,
        block: &mut Block,
        from: usize,
        most: usize,
    ) -> (usize, Option<Halt>) {
        let Block { bytes, frames } = block;
        let word = |octets: [u8; 4]| {
            if BIG {
                u32::from_be_bytes(octets)
            } else {
                u32::from_le_bytes(octets)
            }
        };
        let mut position = from;
        let mut rest = bytes.get(from..).unwrap_or_default();
        let halt = loop {
            if frames.len() >= most {
                break Some(Halt::Full);
            }
            let Some((header, _)) = rest.split_first_chunk::<28>() else {
                break None;
            };
            let [t0, t1, t2, t3, l0, l1, l2, l3, i0, i1, i2, i3, h0, h1, h2, h3, ..] = *header;
            let [.., n0, n1, n2, n3, c0, c1, c2, c3, w0, w1, w2, w3] = *header;
            let length = word([l0, l1, l2, l3]);
            let captured = word([c0, c1, c2, c3]);
            let plain = word([t0, t1, t2, t3]) == ENHANCED_PACKET
                && length & 3 == 0
                && length <= LONGEST_BLOCK
                && captured <= self.frame_bytes
                && captured.wrapping_add(32) <= length;
            if !plain {
                break None;
            }
            let Some((whole, after)) = rest.split_at_checked(length as usize) else {
                break Some(Halt::Need(length as usize));
            };
            let Some((_, trailer)) = whole.split_last_chunk::<4>() else {
                break None;
            };
            let Some(tap) = self.taps.get(word([i0, i1, i2, i3]) as usize) else {
                break None;
            };
            if word(*trailer) != length {
                break None;
            }
            // Anything behind the padded data is options, of which only comments matter: a comment's code is 1.
            let options = captured.wrapping_add(31) & !3;
            if options.wrapping_add(8) <= length && has_comment(whole, options as usize, BIG) {
                break None;
            }
            let ticks = u64::from(word([h0, h1, h2, h3])) << 32 | u64::from(word([n0, n1, n2, n3]));
            let at = tap.time(ticks);
            self.last = Some(at);
            self.number = self.number.wrapping_add(1);
            frames.push(FrameHeader {
                at,
                source: FrameRef {
                    capture: self.capture,
                    number: self.number,
                },
                link: tap.link,
                interface: tap.index,
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "blocks are far smaller than 4 GiB"
                )]
                offset: position.wrapping_add(28) as u32,
                captured,
                length_on_wire: word([w0, w1, w2, w3]).max(captured),
            });
            position = position.wrapping_add(length as usize);
            rest = after;
        };
        (position, halt)
    }

    /// Takes the block at `position`, whatever it is.
    fn other(
        &mut self,
        block: &mut Block,
        position: usize,
        at_end: bool,
        counters: &mut CaptureCounters,
    ) -> Extent {
        let bytes = block.bytes.get(position..).unwrap_or_default();
        if u32_at(bytes, 0, true) == Some(SECTION) {
            let Some(mark) = u32_at(bytes, 8, true) else {
                return Extent::Stop(Halt::Need(12));
            };
            let big = mark == BYTE_ORDER;
            if !big && mark.swap_bytes() != BYTE_ORDER {
                return Extent::Stop(Halt::Damaged("a section of unknown byte order"));
            }
            let length = match self.extent(bytes, position, big, at_end) {
                Extent::Whole(length) => length,
                stop @ Extent::Stop(_) => return stop,
            };
            self.big = big;
            self.taps.clear();
            let body = bytes.get(8..length.saturating_sub(4)).unwrap_or_default();
            self.comments(body.get(16..).unwrap_or_default(), counters);
            return Extent::Whole(length);
        }
        let length = match self.extent(bytes, position, self.big, at_end) {
            Extent::Whole(length) => length,
            stop @ Extent::Stop(_) => return stop,
        };
        let body = bytes.get(8..length.saturating_sub(4)).unwrap_or_default();
        match u32_at(bytes, 0, self.big) {
            Some(INTERFACE) => self.interface(body, position, counters),
            Some(STATISTICS) => self.statistics(body, counters),
            Some(ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET) => {
                let kind = u32_at(bytes, 0, self.big).unwrap_or(0);
                match self.packet(kind, body, position, counters) {
                    Ok(frame) => block.frames.push(frame),
                    Err(cause) => self.notes.push((position, cause)),
                }
            }
            _ => {}
        }
        Extent::Whole(length)
    }

    /// How many bytes the block takes that starts with `bytes`, if its two lengths agree.
    fn extent(&mut self, bytes: &[u8], position: usize, big: bool, at_end: bool) -> Extent {
        let Some(length) = u32_at(bytes, 4, big) else {
            return Extent::Stop(Halt::Need(12));
        };
        if !(12..=LONGEST_BLOCK).contains(&length) {
            return Extent::Stop(Halt::Damaged("a block of impossible length"));
        }
        // Some writers leave the padding out of the length.
        let whole = (length as usize).next_multiple_of(4);
        if bytes.len() < whole && !(at_end && bytes.len() >= length as usize) {
            return Extent::Stop(Halt::Need(whole));
        }
        for end in [whole, length as usize] {
            if end.checked_sub(4).and_then(|trailer| u32_at(bytes, trailer, big)) == Some(length) {
                return Extent::Whole(end);
            }
        }
        let next = bytes.get(whole..).unwrap_or_default();
        let follows = if next.is_empty() && at_end {
            Verdict::Yes
        } else {
            self.judge(next, big, at_end)
        };
        match follows {
            // Only the trailer is wrong: another block stands where this one says it ends.
            Verdict::Yes => {
                self.notes.push((position, "a block whose two lengths differ"));
                Extent::Whole(whole)
            }
            Verdict::No => Extent::Stop(Halt::Damaged("a block whose two lengths differ")),
            Verdict::Need => Extent::Stop(Halt::Need(
                whole
                    .saturating_add(LONGEST_AFTER_DAMAGE as usize)
                    .max(bytes.len().saturating_add(1)),
            )),
        }
    }

    fn interface(&mut self, body: &[u8], position: usize, counters: &mut CaptureCounters) {
        let big = self.big;
        let (Some(link), Some(snap_length)) = (u16_at(body, 0, big), u32_at(body, 4, big)) else {
            self.notes
                .push((position, "an interface description that is too short"));
            return;
        };
        if counters.interfaces.len() >= MOST_INTERFACES {
            self.notes
                .push((position, "more interfaces than can be numbered"));
            return;
        }
        let mut tap = Tap {
            link: LinkType(link),
            resolution: Resolution::MICROSECONDS,
            offset: 0,
            snap_length,
            index: u16::try_from(counters.interfaces.len()).unwrap_or(u16::MAX),
        };
        let mut name = None;
        for (code, value) in Options::new(body.get(8..).unwrap_or_default(), big) {
            match (code, value) {
                (2, text) => name = Some(text_of(text)),
                (9, [resolution, ..]) => tap.resolution = Resolution::of(*resolution),
                (14, value) => {
                    let seconds = u64_of(value, big).map_or(0, u64::cast_signed);
                    tap.offset = seconds.saturating_mul(SECOND);
                }
                _ => {}
            }
        }
        self.comments(body.get(8..).unwrap_or_default(), counters);
        self.taps.push(tap);
        counters.interfaces.push(Interface {
            name,
            link: tap.link,
            snap_length,
            ..Interface::default()
        });
    }

    /// Keeps the comments of a section or an interface, which are about no frame.
    fn comments(&self, options: &[u8], counters: &mut CaptureCounters) {
        for (_, text) in Options::new(options, self.big).filter(|(code, _)| *code == 1) {
            counters.comment(0, text);
        }
    }

    fn statistics(&self, body: &[u8], counters: &mut CaptureCounters) {
        let tap = u32_at(body, 0, self.big).and_then(|id| self.taps.get(id as usize));
        let Some(interface) = tap.and_then(|tap| counters.interfaces.get_mut(usize::from(tap.index))) else {
            return;
        };
        for (code, value) in Options::new(body.get(12..).unwrap_or_default(), self.big) {
            let value = u64_of(value, self.big);
            match code {
                4 => interface.received = value.or(interface.received),
                5 => interface.dropped_by_interface = value.or(interface.dropped_by_interface),
                7 => interface.dropped_by_system = value.or(interface.dropped_by_system),
                _ => {}
            }
        }
    }

    /// Reads a packet block of any kind; `body` is what stands between the two lengths.
    fn packet(
        &mut self,
        kind: u32,
        body: &[u8],
        position: usize,
        counters: &mut CaptureCounters,
    ) -> Result<FrameHeader, &'static str> {
        const SHORT: &str = "a packet block that is too short";
        let big = self.big;
        let word = |at| u32_at(body, at, big).ok_or(SHORT);
        let (id, start) = match kind {
            ENHANCED_PACKET => (word(0)? as usize, 20),
            OBSOLETE_PACKET => (usize::from(u16_at(body, 0, big).ok_or(SHORT)?), 20),
            _ => (0, 4),
        };
        let tap = self
            .taps
            .get(id)
            .ok_or("a packet of an interface that nothing describes")?;
        let there = u32::try_from(body.len().saturating_sub(start)).unwrap_or(u32::MAX);
        let (at, captured, on_wire) = if kind == SIMPLE_PACKET {
            counters.untimed = counters.untimed.saturating_add(1);
            let on_wire = word(0)?;
            let snap_length = if tap.snap_length == 0 {
                u32::MAX
            } else {
                tap.snap_length
            };
            (
                self.last.unwrap_or_default(),
                on_wire.min(snap_length).min(there),
                on_wire,
            )
        } else {
            let ticks = u64::from(word(4)?) << 32 | u64::from(word(8)?);
            (tap.time(ticks), word(12)?, word(16)?)
        };
        if captured > there {
            return Err("a packet longer than its block");
        }
        if captured > self.frame_bytes {
            return Err("a record longer than any frame");
        }
        self.last = Some(at);
        self.number = self.number.wrapping_add(1);
        let behind = start.saturating_add(captured as usize).next_multiple_of(4);
        if kind != SIMPLE_PACKET {
            for (code, value) in Options::new(body.get(behind..).unwrap_or_default(), big) {
                if code == 1 {
                    counters.comment(self.number, value);
                }
            }
        }
        Ok(FrameHeader {
            at,
            source: FrameRef {
                capture: self.capture,
                number: self.number,
            },
            link: tap.link,
            interface: tap.index,
            offset: u32::try_from(position.saturating_add(8).saturating_add(start)).unwrap_or(u32::MAX),
            captured,
            length_on_wire: on_wire.max(captured),
        })
    }

    /// Whether a believable block starts with `bytes`: a known type, two equal lengths, and for packets an interface
    /// that was described, a length that fits and a time near the last one.
    pub(super) fn believes(&self, bytes: &[u8], at_end: bool) -> Verdict {
        self.judge(bytes, self.big, at_end)
    }

    fn judge(&self, bytes: &[u8], big: bool, at_end: bool) -> Verdict {
        let need = if at_end { Verdict::No } else { Verdict::Need };
        let Some(kind) = u32_at(bytes, 0, big) else {
            return need;
        };
        let known = matches!(
            kind,
            SECTION
                | INTERFACE
                | OBSOLETE_PACKET
                | SIMPLE_PACKET
                | NAME_RESOLUTION
                | STATISTICS
                | ENHANCED_PACKET
                | DECRYPTION_SECRETS
                | CUSTOM
                | CUSTOM_NO_COPY
        );
        if !known {
            return Verdict::No;
        }
        let big = if kind == SECTION {
            match u32_at(bytes, 8, true) {
                None => return need,
                Some(mark) if mark == BYTE_ORDER => true,
                Some(mark) if mark.swap_bytes() == BYTE_ORDER => false,
                Some(_) => return Verdict::No,
            }
        } else {
            big
        };
        let Some(length) = u32_at(bytes, 4, big) else {
            return need;
        };
        if !(12..=LONGEST_AFTER_DAMAGE).contains(&length) || length % 4 != 0 {
            return Verdict::No;
        }
        if kind == ENHANCED_PACKET {
            let field = |at| u32_at(bytes, at, big);
            let (Some(id), Some(high), Some(low), Some(captured)) =
                (field(8), field(12), field(16), field(20))
            else {
                return need;
            };
            let Some(tap) = self.taps.get(id as usize) else {
                return Verdict::No;
            };
            let at = tap.time(u64::from(high) << 32 | u64::from(low));
            if captured > self.frame_bytes
                || captured.saturating_add(32) > length
                || self
                    .last
                    .is_some_and(|last| at.since(last).saturating_abs() > DAY)
            {
                return Verdict::No;
            }
        }
        match (length as usize)
            .checked_sub(4)
            .and_then(|trailer| u32_at(bytes, trailer, big))
        {
            Some(trailer) if trailer == length => Verdict::Yes,
            Some(_) => Verdict::No,
            None => need,
        }
    }
}

/// Whether the options of a packet block hold a comment.
fn has_comment(whole: &[u8], options: usize, big: bool) -> bool {
    let end = whole.len().saturating_sub(4);
    let list = whole.get(options..end).unwrap_or_default();
    Options::new(list, big).any(|(code, _)| code == 1)
}

/// Text of an option, bounded.
fn text_of(value: &[u8]) -> String {
    let value = value.get(..256).unwrap_or(value);
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

//! Reassembly of IP fragments: bounded in number, bytes and packet time.
//!
//! Question: which bytes count where fragments overlap? Answer: for IPv4 those that came first (as BSD and Windows read the
//! common cases); the overlap is counted. For IPv6 the whole datagram is refused (RFC 5722, 4; RFC 8200, 4.5).
//! Exact copies of bytes that are there change nothing in either.
//!
//! A datagram is kept from its first fragment for the time-out of the limits, then given up in the order of arrival.

use std::collections::{BTreeMap, HashMap};

use crate::model::address::{Address, AddressSpace};
use crate::model::loss::Losses;
use crate::model::segment::{Segment, TunnelStack, segment_flag};
use crate::model::time::{Nanoseconds, Timestamp};
use crate::settings::limits::Limits;

/// Largest datagram that IP can carry (16-bit length).
const LARGEST_DATAGRAM: u32 = 65_535;

/// What fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) capture: u16,
    pub(super) space: AddressSpace,
    pub(super) tunnels: TunnelStack,
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) id: u32,
    pub(super) protocol: u8,
}

/// One fragment as it arrived.
#[derive(Debug)]
pub(super) struct Fragment<'a> {
    pub(super) key: Key,
    /// The segment as far as the IP header gives it.
    pub(super) base: Segment,
    /// Where its bytes stand in the datagram.
    pub(super) offset: u32,
    /// Whether others follow it.
    pub(super) more: bool,
    pub(super) bytes: &'a [u8],
}

/// What the arrival of a fragment led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The datagram waits for more, or was refused.
    Held,
    /// The fragment cannot belong to any datagram: it stands for itself.
    Impossible,
    /// The datagram is whole.
    Whole(Datagram),
}

/// A rebuilt datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) bytes: Vec<u8>,
    /// Protocol as the first fragment said it.
    pub(super) protocol: u8,
}

/// A datagram that was given up.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// Segment of the first fragment, or of whichever came when that never did.
    pub(super) base: Segment,
    /// Its bytes from the start to the first hole; empty when the first fragment never came.
    pub(super) start: Vec<u8>,
    /// Length of the datagram as far as known.
    pub(super) on_wire: u32,
}

/// A datagram in the making.
#[derive(Debug)]
struct Partial {
    key: Key,
    base: Segment,
    has_first: bool,
    until: Timestamp,
    bytes: Vec<u8>,
    /// Ranges that are there: sorted, disjoint and not adjacent.
    ranges: Vec<(u32, u32)>,
    total: Option<u32>,
    fragments: usize,
    refused: bool,
}

/// What is kept of unfinished datagrams.
#[derive(Debug)]
pub(super) struct Fragments {
    most: usize,
    most_bytes: usize,
    time_out: Nanoseconds,
    by_key: HashMap<Key, u64>,
    /// In the order of arrival of their first fragment.
    partials: BTreeMap<u64, Partial>,
    next: u64,
    /// Fragments in all of them.
    held: usize,
    bytes: usize,
    next_time_out: Timestamp,
    evicted: Vec<Unfinished>,
}

impl Fragments {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.fragments,
            most_bytes: limits.fragment_bytes,
            time_out: limits.fragment_time_out,
            by_key: HashMap::new(),
            partials: BTreeMap::new(),
            next: 0,
            held: 0,
            bytes: 0,
            next_time_out: Timestamp(i64::MAX),
            evicted: Vec::new(),
        }
    }

    /// From when on [`Self::timed_out`] has something to give.
    pub(super) const fn next_time_out(&self) -> Timestamp {
        self.next_time_out
    }

    /// Gives up what waited too long at `now`, oldest first.
    pub(super) fn timed_out(&mut self, now: Timestamp) -> Vec<Unfinished> {
        let mut unfinished = Vec::new();
        while let Some((serial, partial)) = self.partials.first_key_value()
            && partial.until <= now
        {
            let serial = *serial;
            unfinished.extend(self.give_up(serial));
        }
        self.set_next_time_out();
        unfinished
    }

    /// Gives up everything, oldest first.
    pub(super) fn all(&mut self) -> Vec<Unfinished> {
        self.timed_out(Timestamp(i64::MAX))
    }

    /// What the bounds pushed out since the last call.
    pub(super) fn evicted(&mut self) -> Vec<Unfinished> {
        std::mem::take(&mut self.evicted)
    }

    /// Takes a fragment.
    pub(super) fn take(&mut self, fragment: &Fragment<'_>, losses: &mut Losses) -> Arrival {
        let Some(end) = u32::try_from(fragment.bytes.len())
            .ok()
            .and_then(|length| fragment.offset.checked_add(length))
            .filter(|end| *end <= LARGEST_DATAGRAM)
        else {
            losses.count("fragments beyond the largest datagram");
            return Arrival::Impossible;
        };
        // All but the last carry a multiple of eight (RFC 791, 3.2; RFC 8200, 4.5).
        if fragment.more && !fragment.bytes.len().is_multiple_of(8) || fragment.bytes.is_empty() {
            losses.count("fragments with an impossible length");
            return Arrival::Impossible;
        }
        let serial = self.serial_of(fragment);
        let Some(partial) = self.partials.get_mut(&serial) else {
            return Arrival::Held;
        };
        if partial.refused {
            return Arrival::Held;
        }
        if fragment.offset == 0 && !partial.has_first {
            partial.base = fragment.base;
            partial.has_first = true;
        }
        let contradicts = partial
            .total
            .is_some_and(|total| end > total || (!fragment.more && end != total))
            || (!fragment.more && partial.ranges.last().is_some_and(|(_, last)| *last > end));
        if contradicts {
            losses.count("fragments that contradict their datagram's length");
            return Arrival::Impossible;
        }
        let before = partial.bytes.len();
        match partial.place(fragment.offset, end, fragment.bytes) {
            Placed::New => {}
            Placed::Copy => losses.count("fragments that came twice"),
            Placed::Overlap => {
                losses.count("fragments that overlap");
                if fragment.base.flags & segment_flag::V6 != 0 {
                    partial.refuse();
                }
            }
        }
        if !fragment.more {
            partial.total = Some(end);
        }
        partial.fragments = partial.fragments.saturating_add(1);
        self.held = self.held.saturating_add(1);
        self.bytes = self
            .bytes
            .saturating_add(partial.bytes.len())
            .saturating_sub(before);
        if partial.is_whole() {
            return self.complete(serial);
        }
        self.keep_bounds(losses);
        Arrival::Held
    }

    /// The place of the fragment's datagram, made where there was none.
    fn serial_of(&mut self, fragment: &Fragment<'_>) -> u64 {
        if let Some(serial) = self.by_key.get(&fragment.key) {
            return *serial;
        }
        let serial = self.next;
        self.next = self.next.wrapping_add(1);
        let until = fragment.base.at.plus(self.time_out);
        self.next_time_out = self.next_time_out.min(until);
        self.by_key.insert(fragment.key, serial);
        self.partials.insert(
            serial,
            Partial {
                key: fragment.key,
                base: fragment.base,
                has_first: false,
                until,
                bytes: Vec::new(),
                ranges: Vec::new(),
                total: None,
                fragments: 0,
                refused: false,
            },
        );
        serial
    }

    fn remove(&mut self, serial: u64) -> Option<Partial> {
        let partial = self.partials.remove(&serial)?;
        self.by_key.remove(&partial.key);
        self.held = self.held.saturating_sub(partial.fragments);
        self.bytes = self.bytes.saturating_sub(partial.bytes.len());
        Some(partial)
    }

    fn complete(&mut self, serial: u64) -> Arrival {
        let whole = self.remove(serial);
        self.set_next_time_out();
        whole.map_or(Arrival::Held, |partial| {
            Arrival::Whole(Datagram {
                bytes: partial.bytes,
                protocol: partial.base.protocol,
            })
        })
    }

    fn give_up(&mut self, serial: u64) -> Option<Unfinished> {
        let mut partial = self.remove(serial)?;
        let reach = partial
            .ranges
            .first()
            .filter(|(start, _)| *start == 0)
            .map_or(0, |(_, end)| *end);
        let known = partial.ranges.last().map_or(0, |(_, end)| *end);
        partial.bytes.truncate(reach as usize);
        Some(Unfinished {
            base: partial.base,
            start: if partial.has_first {
                partial.bytes
            } else {
                Vec::new()
            },
            on_wire: partial.total.unwrap_or(known),
        })
    }

    /// Evicts the oldest datagrams while a bound is exceeded.
    fn keep_bounds(&mut self, losses: &mut Losses) {
        while self.held > self.most || self.bytes > self.most_bytes {
            let Some(serial) = self.partials.keys().next().copied() else {
                break;
            };
            losses.count("datagrams given up because too many fragments waited");
            if let Some(unfinished) = self.give_up(serial) {
                self.evicted.push(unfinished);
            }
        }
        self.set_next_time_out();
    }

    /// The oldest waits least, unless the capture's clock ran backwards; then time-outs come a little late.
    fn set_next_time_out(&mut self) {
        self.next_time_out = self
            .partials
            .values()
            .next()
            .map_or(Timestamp(i64::MAX), |partial| partial.until);
    }
}

/// What placing a fragment met.
enum Placed {
    /// Nothing was there.
    New,
    /// All of it was there with the same content.
    Copy,
    /// Part of it was there, or other content.
    Overlap,
}

impl Partial {
    /// Copies what is not there yet.
    fn place(&mut self, start: u32, end: u32, bytes: &[u8]) -> Placed {
        if self.bytes.len() < end as usize {
            self.bytes.resize(end as usize, 0);
        }
        let first = self.ranges.partition_point(|(_, there)| *there < start);
        let mut merged = (start, end);
        let mut last = first;
        let mut at = start;
        let mut common = 0_u32;
        let mut differs = false;
        while let Some((from, to)) = self.ranges.get(last).copied().filter(|(from, _)| *from <= end) {
            let (overlap_from, overlap_to) = (from.max(start), to.min(end));
            if overlap_from < overlap_to {
                common = common.saturating_add(overlap_to.saturating_sub(overlap_from));
                let old = self.bytes.get(overlap_from as usize..overlap_to as usize);
                differs |= old != part(bytes, start, overlap_from, overlap_to);
            }
            if at < overlap_from {
                copy(&mut self.bytes, bytes, start, at, overlap_from);
            }
            at = at.max(overlap_to);
            merged = (merged.0.min(from), merged.1.max(to));
            last = last.saturating_add(1);
        }
        if at < end {
            copy(&mut self.bytes, bytes, start, at, end);
        }
        self.ranges.splice(first..last, [merged]);
        if common == 0 {
            Placed::New
        } else if !differs && common == end.saturating_sub(start) {
            Placed::Copy
        } else {
            Placed::Overlap
        }
    }

    /// Forgets the content; what comes of this datagram until its time-out is passed over.
    fn refuse(&mut self) {
        self.refused = true;
        self.bytes.clear();
        self.ranges.clear();
        self.total = None;
        self.has_first = false;
    }

    fn is_whole(&self) -> bool {
        !self.refused
            && self
                .total
                .is_some_and(|total| self.ranges.as_slice() == [(0, total)])
    }
}

/// The bytes of a fragment that begins at `start`, from `from` to `to` of the datagram.
fn part(bytes: &[u8], start: u32, from: u32, to: u32) -> Option<&[u8]> {
    bytes.get(from.checked_sub(start)? as usize..to.checked_sub(start)? as usize)
}

fn copy(into: &mut [u8], bytes: &[u8], start: u32, from: u32, to: u32) {
    if let (Some(place), Some(new)) = (
        into.get_mut(from as usize..to as usize),
        part(bytes, start, from, to),
    ) && place.len() == new.len()
    {
        place.copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests;

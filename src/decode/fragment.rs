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
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{block, decode, decode_block, fragment_v4, fragment_v6, udp};
    use super::*;
    use crate::model::block::Block;
    use crate::model::segment::Layer;

    /// A datagram with a payload of counting bytes, UDP header included.
    fn datagram(length: u8) -> Vec<u8> {
        udp(1_000, 2_000, &(0..length).collect::<Vec<u8>>())
    }

    #[test]
    fn fragments_in_any_order_give_one_segment_for_the_frame_that_completed_them() {
        let whole = datagram(40);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let parts = [
                fragment_v4(17, 0, true, &whole[..16]),
                fragment_v4(17, 16, true, &whole[16..32]),
                fragment_v4(17, 32, false, &whole[32..]),
            ];
            let frames = order.map(|index: usize| parts[index].clone());
            let decoded = decode(101, &frames);
            assert_eq!(decoded.segments.len(), 1);
            let segment = decoded.segments[0];
            assert_eq!((segment.layer, segment.destination_port), (Layer::Udp, 2_000));
            assert!(segment.is(segment_flag::REASSEMBLED));
            assert_eq!(segment.source.number, 3);
            assert_eq!(segment.frame_on_wire as usize, frames[2].len());
            assert_eq!(decoded.payload(0), &whole[8..]);
            assert_eq!(decoded.losses.total(), 0);
        }
    }

    #[test]
    fn of_overlapping_ipv4_fragments_the_first_bytes_count() {
        let whole = datagram(24);
        let frames = [
            fragment_v4(17, 0, true, &whole[..16]),
            fragment_v4(17, 8, true, &[0xee; 16]),
            fragment_v4(17, 24, false, &whole[24..]),
        ];
        let decoded = decode(101, &frames);
        let expected = [&whole[8..16], &[0xee; 8], &whole[24..]].concat();
        assert_eq!(decoded.payload(0), expected);
        assert_eq!(
            decoded.losses.iter().collect::<Vec<_>>(),
            [("fragments that overlap", 1)]
        );
    }

    #[test]
    fn overlapping_ipv6_fragments_are_refused_as_a_whole() {
        let whole = datagram(24);
        let frames = [
            fragment_v6(17, 0, true, &whole[..16]),
            fragment_v6(17, 8, true, &[0xee; 16]),
            fragment_v6(17, 24, false, &whole[24..]),
            fragment_v6(17, 0, true, &whole[..16]),
        ];
        let decoded = decode(101, &frames);
        assert!(
            decoded
                .segments
                .iter()
                .all(|segment| segment.layer == Layer::OtherIp)
        );
        assert!(
            decoded
                .segments
                .iter()
                .all(|segment| segment.is(segment_flag::LATER_FRAGMENT))
        );
    }

    #[test]
    fn a_fragment_that_comes_twice_changes_nothing() {
        let whole = datagram(24);
        let first = fragment_v6(17, 0, true, &whole[..16]);
        let decoded = decode(
            101,
            &[first.clone(), first, fragment_v6(17, 16, false, &whole[16..])],
        );
        assert_eq!(decoded.payload(0), &whole[8..]);
        assert_eq!(
            decoded.losses.iter().collect::<Vec<_>>(),
            [("fragments that came twice", 1)]
        );
    }

    #[test]
    fn a_first_fragment_whose_rest_never_comes_gives_its_header() {
        let whole = datagram(40);
        let mut late = block(
            101,
            &[
                fragment_v4(17, 0, true, &whole[..24]),
                super::super::samples::tcp_v4(b"x"),
            ],
        );
        late.frames[1].at = late.frames[0].at.plus(30_000_000_000);
        for block in [late, block(101, &[fragment_v4(17, 0, true, &whole[..24])])] {
            let decoded = decode_block(block);
            let segment = decoded.segments[0];
            assert_eq!(
                (segment.layer, segment.source_port, segment.source.number),
                (Layer::Udp, 1_000, 1)
            );
            assert_eq!(decoded.payload(0), &whole[8..24]);
            assert_eq!(
                decoded.losses.iter().collect::<Vec<_>>(),
                [("datagrams whose fragments never came", 1)]
            );
        }
    }

    #[test]
    fn fragments_without_their_first_still_give_the_addresses() {
        let decoded = decode(101, &[fragment_v4(17, 8, true, &[0; 16])]);
        let segment = decoded.segments[0];
        assert_eq!((segment.layer, segment.protocol), (Layer::OtherIp, 17));
        assert!(segment.is(segment_flag::LATER_FRAGMENT));
    }

    #[test]
    fn a_datagram_larger_than_ip_allows_is_refused() {
        let decoded = decode(101, &[fragment_v4(17, 65_528, false, &[0; 16])]);
        assert_eq!(
            decoded.losses.iter().collect::<Vec<_>>(),
            [("fragments beyond the largest datagram", 1)]
        );
    }

    #[test]
    fn bounds_push_out_the_oldest_datagram() {
        let limits = Limits {
            fragments: 3,
            ..Limits::default()
        };
        let frames: Vec<_> = (0..9_u8)
            .map(|id| {
                let mut frame = fragment_v4(17, 0, true, &datagram(8));
                frame[4] = id;
                frame
            })
            .collect();
        let mut block: Block = block(101, &frames);
        let mut decoder = super::super::Decoder::new(&limits);
        let mut segments = Vec::new();
        decoder.decode(&mut block, &mut segments);
        let numbers: Vec<_> = segments.iter().map(|segment| segment.source.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        assert_eq!(
            decoder.losses().iter().collect::<Vec<_>>(),
            [("datagrams given up because too many fragments waited", 6)]
        );
        decoder.finish(&mut block, &mut segments);
        assert_eq!(segments.len(), 9);
    }

    proptest! {
        #[test]
        fn any_cut_in_any_order_rebuilds_the_same(
            payload in prop::collection::vec(any::<u8>(), 0..400),
            cuts in prop::collection::vec(1_usize..50, 0..6),
            order in any::<u64>(),
            is_v6 in any::<bool>(),
        ) {
            let whole = udp(7, 9, &payload);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut * 8).filter(|cut| *cut < whole.len()).collect();
            at.extend([0, whole.len()]);
            at.sort_unstable();
            at.dedup();
            let mut frames: Vec<_> = at
                .windows(2)
                .map(|pair| {
                    let offset = u16::try_from(pair[0]).unwrap();
                    let more = pair[1] < whole.len();
                    let make = if is_v6 { fragment_v6 } else { fragment_v4 };
                    make(17, offset, more, &whole[pair[0]..pair[1]])
                })
                .collect();
            let mut state = order;
            for index in (1..frames.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                frames.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
            }
            let decoded = decode(101, &frames);
            prop_assert_eq!(decoded.segments.len(), 1);
            prop_assert_eq!(decoded.payload(0), &payload[..]);
        }

        #[test]
        fn arbitrary_fragments_never_panic(
            parts in prop::collection::vec((0_u16..40, any::<bool>(), 0_usize..64, any::<bool>()), 0..30),
        ) {
            let frames: Vec<_> = parts
                .iter()
                .map(|(place, more, length, is_v6)| {
                    let make = if *is_v6 { fragment_v6 } else { fragment_v4 };
                    make(17, place * 8, *more, &vec![7; *length])
                })
                .collect();
            decode(101, &frames);
        }
    }
}

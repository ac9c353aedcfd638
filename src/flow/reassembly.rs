//! The first bytes of one direction of a TCP connection, put in order through loss, disorder and overlap.
//!
//! Only what a dissector still wants is kept. The ordinary case (the next segment, nothing waiting) lends the packet's own
//! bytes and keeps none. Where copies of a stretch differ, the first one seen wins, as in most receivers' stacks
//! and in Wireshark's default.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

/// Segments that may wait for a missing one.
const MOST_WAITING: usize = 16;

/// A hole wider than this is not waited for.
const WIDEST_HOLE: u32 = 1 << 20;

/// One direction of a stream while its head is wanted.
#[derive(Debug, Default)]
pub struct Stream {
    /// Sequence number of the next octet in order; known once the SYN or the first data was seen.
    next: Option<u32>,
    /// Octets in order that nobody consumed yet.
    kept: Vec<u8>,
    /// Segments beyond a hole: few streams have one.
    beyond: Option<Box<Beyond>>,
    /// Octets delivered in order so far, consumed or not.
    delivered: u32,
    /// A hole was given up just before the octets that are kept.
    after_gap: bool,
}

/// What waits for something missing.
#[derive(Debug, Default)]
struct Beyond {
    /// First sequence number and octets, sorted by distance.
    segments: Vec<(u32, Vec<u8>)>,
    /// How many octets.
    bytes: usize,
}

/// What a segment did to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Nothing new in order.
    Nothing,
    /// The octets from this offset of the packet's payload on are next, and nothing else is kept: read them in place.
    InPlace(usize),
    /// New octets were added to [`Stream::kept`].
    Kept,
}

impl Stream {
    /// Sets where the stream begins (behind the SYN).
    pub fn begin(&mut self, sequence: u32) {
        if self.next.is_none() {
            self.next = Some(sequence);
        }
    }

    /// Octets in order that nobody consumed yet.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Octets delivered in order so far.
    #[must_use]
    pub const fn delivered(&self) -> u32 {
        self.delivered
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        let beyond = self.beyond.as_ref().map_or(0, |beyond| beyond.bytes);
        self.kept.len().saturating_add(beyond)
    }

    /// Whether segments wait behind a hole.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.beyond.is_some()
    }

    /// Makes it a new one; a small buffer stays for it.
    pub fn reset(&mut self) {
        const KEPT: usize = 2_048;
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        kept.shrink_to(KEPT);
        *self = Self {
            kept,
            ..Self::default()
        };
    }

    /// Whether octets are missing directly before what comes next; reading it clears it.
    pub const fn take_gap(&mut self) -> bool {
        std::mem::replace(&mut self.after_gap, false)
    }

    /// Offers a segment's payload. `budget` bounds what may be held of it.
    pub fn offer(&mut self, sequence: u32, payload: &[u8], on_wire: u32, budget: usize) -> Offer {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        if ahead.cast_signed() > 0 {
            self.wait(sequence, payload, ahead, budget);
            let waiting = self.beyond.as_ref().map_or(0, |beyond| beyond.segments.len());
            return if waiting >= MOST_WAITING || ahead > WIDEST_HOLE {
                self.give_up_hole()
            } else {
                Offer::Nothing
            };
        }
        let seen = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
        let Some(fresh) = payload.get(seen..).filter(|fresh| !fresh.is_empty()) else {
            return Offer::Nothing;
        };
        let cut = u32::try_from(payload.len()).unwrap_or(u32::MAX) < on_wire;
        self.next = Some(sequence.wrapping_add(if cut { on_wire } else { length(payload) }));
        self.delivered = self.delivered.saturating_add(length(fresh));
        if self.kept.is_empty() && !self.waits() {
            if cut {
                self.after_gap = true;
            }
            return Offer::InPlace(seen);
        }
        self.keep(fresh, budget);
        self.join_waiting(budget);
        if cut {
            self.after_gap = true;
        }
        Offer::Kept
    }

    /// Keeps what of the packet's payload was read in place but not consumed.
    pub fn keep_rest(&mut self, rest: &[u8], budget: usize) {
        self.keep(rest, budget);
    }

    /// Forgets the first `count` octets that are kept.
    pub fn consume(&mut self, count: usize) {
        if count >= self.kept.len() {
            self.kept.clear();
        } else {
            self.kept.drain(..count);
        }
    }

    /// Gives up waiting for what is missing and goes on behind it: the capture lost it.
    pub fn give_up_hole(&mut self) -> Offer {
        let first = self.beyond.as_ref().and_then(|beyond| beyond.segments.first());
        let Some((sequence, _)) = first else {
            return Offer::Nothing;
        };
        self.next = Some(*sequence);
        self.after_gap = true;
        self.kept.clear();
        self.join_waiting(usize::MAX);
        if self.kept.is_empty() {
            Offer::Nothing
        } else {
            Offer::Kept
        }
    }

    fn keep(&mut self, bytes: &[u8], budget: usize) {
        let room = budget.saturating_sub(self.held());
        self.kept
            .extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }

    fn wait(&mut self, sequence: u32, payload: &[u8], ahead: u32, budget: usize) {
        if payload.is_empty() || self.held().saturating_add(payload.len()) > budget {
            return;
        }
        let base = self.next.unwrap_or(sequence);
        let beyond = self.beyond.get_or_insert_default();
        if beyond.segments.len() >= MOST_WAITING {
            return;
        }
        let place = beyond
            .segments
            .partition_point(|(other, _)| other.wrapping_sub(base) < ahead);
        if beyond
            .segments
            .get(place)
            .is_some_and(|(other, bytes)| *other == sequence && bytes.len() >= payload.len())
        {
            return;
        }
        beyond.bytes = beyond.bytes.saturating_add(payload.len());
        beyond.segments.insert(place, (sequence, payload.to_vec()));
    }

    /// Moves waiting segments that are in order now behind the kept octets.
    fn join_waiting(&mut self, budget: usize) {
        let Some(mut beyond) = self.beyond.take() else {
            return;
        };
        while let (Some(next), Some((sequence, _))) = (self.next, beyond.segments.first()) {
            if sequence.wrapping_sub(next).cast_signed() > 0 {
                self.beyond = Some(beyond);
                return;
            }
            let (sequence, bytes) = beyond.segments.remove(0);
            beyond.bytes = beyond.bytes.saturating_sub(bytes.len());
            let seen = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(seen..).filter(|fresh| !fresh.is_empty()) {
                self.next = Some(next.wrapping_add(length(fresh)));
                self.delivered = self.delivered.saturating_add(length(fresh));
                let room = budget.saturating_sub(beyond.bytes);
                self.keep(fresh, room);
            }
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::Strategy as _;

    const PLENTY: usize = 1 << 20;

    /// Feeds segments of `data` and collects everything that comes out in order.
    fn collect(stream: &mut Stream, data: &[u8], start: u32, pieces: &[(usize, usize)]) -> Vec<u8> {
        let mut out = Vec::new();
        for &(from, to) in pieces {
            let payload = &data[from..to];
            let sequence = start.wrapping_add(u32::try_from(from).unwrap());
            match stream.offer(sequence, payload, length(payload), PLENTY) {
                Offer::Nothing => {}
                Offer::InPlace(offset) => out.extend_from_slice(&payload[offset..]),
                Offer::Kept => {
                    out.extend_from_slice(stream.kept());
                    stream.consume(stream.kept().len());
                }
            }
        }
        out
    }

    #[test]
    fn ordinary_segments_are_read_in_place_and_nothing_is_held() {
        let mut stream = Stream::default();
        stream.begin(1_000);
        assert_eq!(stream.offer(1_000, b"hello", 5, PLENTY), Offer::InPlace(0));
        assert_eq!(stream.offer(1_003, b"lo world", 8, PLENTY), Offer::InPlace(2));
        assert_eq!(stream.held(), 0);
    }

    #[test]
    fn unconsumed_octets_come_again_in_front() {
        let mut stream = Stream::default();
        assert_eq!(stream.offer(7, b"ab", 2, PLENTY), Offer::InPlace(0));
        stream.keep_rest(b"b", PLENTY);
        assert_eq!(stream.offer(9, b"c", 1, PLENTY), Offer::Kept);
        assert_eq!(stream.kept(), b"bc");
    }

    #[test]
    fn the_first_copy_wins_where_overlapping_copies_differ() {
        let mut stream = Stream::default();
        stream.begin(0);
        stream.offer(4, b"EFGH", 4, PLENTY);
        stream.offer(0, b"abcdXX", 6, PLENTY);
        assert_eq!(stream.kept(), b"abcdXXGH");
    }

    #[test]
    fn a_hole_is_given_up_when_too_much_waits_and_says_so() {
        let mut stream = Stream::default();
        stream.begin(0);
        let mut last = Offer::Nothing;
        for index in 0..u32::try_from(MOST_WAITING).unwrap() {
            last = stream.offer(10 + index, b"x", 1, PLENTY);
        }
        assert_eq!(last, Offer::Kept);
        assert_eq!(stream.kept().len(), MOST_WAITING);
        assert!(stream.take_gap());
    }

    #[test]
    fn what_is_held_never_exceeds_the_budget() {
        let mut stream = Stream::default();
        stream.begin(0);
        for index in 1..100u32 {
            stream.offer(index * 100, &[0; 100], 100, 350);
            assert!(stream.held() <= 350);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_order_with_overlaps_gives_the_stream_back(
            data in proptest::collection::vec(proptest::num::u8::ANY, 1..400),
            cuts in proptest::collection::vec(0usize..400, 0..8),
            overlap in 0usize..20,
            start: u32,
            shuffle in proptest::sample::subsequence((0..10usize).collect::<Vec<_>>(), 10).prop_shuffle(),
        ) {
            let mut edges: Vec<usize> = cuts.iter().map(|cut| cut % data.len()).collect();
            edges.push(0);
            edges.push(data.len());
            edges.sort_unstable();
            edges.dedup();
            let pieces: Vec<(usize, usize)> = edges.windows(2).map(|pair| (pair[0], (pair[1] + overlap).min(data.len()))).collect();
            let order: Vec<(usize, usize)> = shuffle.iter().filter_map(|index| pieces.get(*index)).copied().collect();
            let mut stream = Stream::default();
            stream.begin(start);
            let out = collect(&mut stream, &data, start, &order);
            proptest::prop_assert_eq!(out, data);
        }
    }
}

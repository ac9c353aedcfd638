//! Puts numbered pieces of one byte string in order: DTLS handshake fragments and QUIC CRYPTO frames.
//!
//! What came first stays: a later piece that says otherwise about the same place is ignored there. Bounded in bytes
//! and in holes; a piece beyond the bounds is dropped, never partly believed.

/// Holes that are tracked; senders that shuffle on purpose (Chrome does) use about ten.
const MOST_RANGES: usize = 48;

/// A byte string that arrives in pieces.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
    /// Known ranges: disjoint, ascending, never touching.
    known: Vec<(usize, usize)>,
}

impl Assembly {
    /// Puts `piece` at `offset`, unless it reaches beyond `limit` bytes; tells whether it was taken.
    pub fn insert(&mut self, offset: usize, piece: &[u8], limit: usize) -> bool {
        let Some(end) = offset.checked_add(piece.len()).filter(|end| *end <= limit) else {
            return false;
        };
        if piece.is_empty() {
            return true;
        }
        if self.known.is_empty() {
            self.bytes.clear();
        }
        // The usual case: the next bytes in order.
        if let Some((_, last)) = self.known.last_mut()
            && *last == offset
            && self.bytes.len() == offset
        {
            self.bytes.extend_from_slice(piece);
            *last = end;
            return true;
        }
        if self.known.len() >= MOST_RANGES {
            return false;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.write_unknown(offset, piece, end);
        self.mark(offset, end);
        true
    }

    /// The bytes from the start up to the first hole.
    #[must_use]
    pub fn contiguous(&self) -> &[u8] {
        match self.known.first() {
            Some((0, end)) => self.bytes.get(..*end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Forgets everything and gives the memory back.
    pub fn release(&mut self) {
        *self = Self::default();
    }

    fn write_unknown(&mut self, offset: usize, piece: &[u8], end: usize) {
        let mut from = offset;
        for &(start, stop) in &self.known {
            if stop <= from {
                continue;
            }
            if start >= end {
                break;
            }
            copy(&mut self.bytes, offset, piece, from, start.min(end));
            from = from.max(stop);
        }
        copy(&mut self.bytes, offset, piece, from, end);
    }

    fn mark(&mut self, mut start: usize, mut end: usize) {
        self.known.retain(|&(from, to)| {
            let touches = from <= end && to >= start;
            if touches {
                start = start.min(from);
                end = end.max(to);
            }
            !touches
        });
        let place = self.known.partition_point(|&(from, _)| from < start);
        self.known.insert(place, (start, end));
    }
}

/// Copies the part `from..to` of the whole out of `piece`, which begins at `offset` of the whole.
fn copy(bytes: &mut [u8], offset: usize, piece: &[u8], from: usize, to: usize) {
    if from >= to {
        return;
    }
    let source = piece.get(from.saturating_sub(offset)..to.saturating_sub(offset));
    if let (Some(target), Some(source)) = (bytes.get_mut(from..to), source) {
        target.copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hole_ends_what_is_contiguous_until_it_is_filled() {
        let mut assembly = Assembly::default();
        assert!(assembly.insert(3, b"def", 100));
        assert_eq!(assembly.contiguous(), b"");
        assert!(assembly.insert(0, b"ab", 100));
        assert_eq!(assembly.contiguous(), b"ab");
        assert!(assembly.insert(1, b"XcX", 100));
        assert_eq!(assembly.contiguous(), b"abcdef");
    }

    #[test]
    fn nothing_grows_past_the_limit() {
        let mut assembly = Assembly::default();
        assert!(!assembly.insert(90, b"0123456789a", 100));
        assert!(!assembly.insert(usize::MAX, b"1", 100));
        for hole in 0..1_000 {
            assembly.insert(hole * 2, b"x", 4_000);
        }
        assert!(assembly.known.len() <= MOST_RANGES);
    }

    proptest! {
        #[test]
        fn any_order_of_pieces_gives_the_whole(whole in prop::collection::vec(any::<u8>(), 1..300),
                                               order in Just((0..30usize).collect::<Vec<_>>()).prop_shuffle()) {
            let mut assembly = Assembly::default();
            for part in order {
                let start = part.saturating_mul(10).min(whole.len());
                let end = start.saturating_add(14).min(whole.len());
                assembly.insert(start, &whole[start..end], 400);
            }
            prop_assert_eq!(assembly.contiguous(), &whole[..]);
        }
    }
}

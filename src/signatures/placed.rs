//! Pieces that stand at one known place of a value: which of them does this value hold?
//!
//! Nearly all pieces do: prefixes, and the first bytes of a protocol. They lie sorted by place and octets: the first octet of the value
//! there leaves few of them or none, and where it leaves many the next octets narrow them down one by one.

/// Pieces with what each stands for.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    places: Vec<Place<T>>,
    /// Whether letters in either case are one.
    is_caseless: bool,
}

/// The pieces of one place.
#[derive(Clone, Debug)]
struct Place<T> {
    /// Where they stand.
    at: usize,
    /// Where those begin, among the pieces, that begin with an octet; where the next one's begin they end.
    begins: Box<[u16; 257]>,
    /// Sorted; empty ones first.
    pieces: Vec<Piece<T>>,
}

/// A piece and what it stands for.
type Piece<T> = (Box<[u8]>, T);

/// So few pieces are compared one by one.
const FEW: usize = 8;

impl<T> Default for Placed<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            is_caseless: false,
        }
    }
}

impl<T> Place<T> {
    fn new(at: usize, mut pieces: Vec<Piece<T>>) -> Self {
        pieces.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut begins = Box::new([0; 257]);
        for (octet, begin) in (0_u16..).zip(begins.iter_mut()) {
            let is_before =
                |(piece, _): &Piece<T>| piece.first().is_none_or(|first| u16::from(*first) < octet);
            *begin = u16::try_from(pieces.partition_point(is_before)).unwrap_or(u16::MAX);
        }
        Self { at, begins, pieces }
    }

    /// The pieces from one number to another.
    fn between(&self, from: usize, to: usize) -> &[Piece<T>] {
        let place = |octet: usize| self.begins.get(octet).copied().map_or(0, usize::from);
        self.pieces.get(place(from)..place(to)).unwrap_or_default()
    }
}

impl<T> Placed<T> {
    /// Of pieces with their places, in any order.
    pub(super) fn new(pieces: impl IntoIterator<Item = ((usize, Vec<u8>), T)>, is_caseless: bool) -> Self {
        let mut places: Vec<(usize, Vec<Piece<T>>)> = Vec::new();
        for ((place, mut piece), owner) in pieces {
            if is_caseless {
                piece.make_ascii_lowercase();
            }
            let piece = (piece.into_boxed_slice(), owner);
            match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, others)) => others.push(piece),
                None => places.push((place, vec![piece])),
            }
        }
        let places = places
            .into_iter()
            .map(|(place, pieces)| Place::new(place, pieces));
        Self {
            places: places.collect(),
            is_caseless,
        }
    }

    /// Whether there are no pieces.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Calls `found` with each piece that `value` holds at its place: the place, the length, what it stands for.
    #[inline]
    pub(super) fn find(&self, value: &[u8], mut found: impl FnMut(usize, usize, &T)) {
        for place in &self.places {
            if let Some(rest) = value.get(place.at..) {
                self.find_at(place, rest, &mut found);
            }
        }
    }

    fn find_at(&self, place: &Place<T>, rest: &[u8], found: &mut impl FnMut(usize, usize, &T)) {
        let as_compared = |octet: u8| {
            if self.is_caseless {
                octet.to_ascii_lowercase()
            } else {
                octet
            }
        };
        let before = place.begins.first().copied().map_or(0, usize::from);
        for (_, owner) in place.pieces.iter().take(before) {
            found(place.at, 0, owner);
        }
        let Some(first) = rest.first().map(|octet| usize::from(as_compared(*octet))) else {
            return;
        };
        let mut left = place.between(first, first.saturating_add(1));
        let mut depth = 1;
        // Where many begin alike, the next octets leave few.
        while left.len() > FEW {
            let ended = left.partition_point(|(piece, _)| piece.len() == depth);
            let (ending, longer) = left.split_at(ended);
            for (_, owner) in ending {
                found(place.at, depth, owner);
            }
            let Some(octet) = rest.get(depth).map(|octet| as_compared(*octet)) else {
                return;
            };
            let at = |piece: &Piece<T>| piece.0.get(depth).copied().unwrap_or_default();
            let from = longer.partition_point(|piece| at(piece) < octet);
            let (_, longer) = longer.split_at(from);
            let to = longer.partition_point(|piece| at(piece) == octet);
            left = longer.split_at(to).0;
            depth = depth.saturating_add(1);
        }
        for (piece, owner) in left {
            let held = rest.get(..piece.len());
            if held.is_some_and(|held| {
                held.iter()
                    .zip(piece)
                    .all(|(one, other)| as_compared(*one) == *other)
            }) {
                found(place.at, piece.len(), owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(placed: &Placed<u32>, value: &[u8]) -> Vec<(usize, usize, u32)> {
        let mut all = Vec::new();
        placed.find(value, |place, length, owner| all.push((place, length, *owner)));
        all.sort_unstable();
        all
    }

    #[test]
    fn pieces_are_found_at_their_place_and_nowhere_else() {
        let pieces = [
            ((0, b"GET".to_vec()), 1),
            ((0, b"GE".to_vec()), 2),
            ((2, b"T ".to_vec()), 3),
        ];
        let placed = Placed::new(pieces.clone(), false);
        assert_eq!(found(&placed, b"GET /"), [(0, 2, 2), (0, 3, 1), (2, 2, 3)]);
        assert_eq!(found(&placed, b"GE"), [(0, 2, 2)]);
        assert_eq!(found(&placed, b"get /"), []);
        assert_eq!(found(&placed, b""), []);
        let caseless = Placed::new(pieces, true);
        assert_eq!(found(&caseless, b"get /").len(), 3);
    }

    proptest! {
        #[test]
        fn a_lookup_agrees_with_trying_each_piece(
            pieces in proptest::collection::vec((0_usize..2, proptest::collection::vec(0_u8..3, 0..5)), 0..60),
            value in proptest::collection::vec(0_u8..3, 0..8),
        ) {
            let numbered: Vec<_> = pieces.iter().cloned().zip(0_u32..).collect();
            let placed = Placed::new(numbered, false);
            let mut expected: Vec<(usize, usize, u32)> = pieces
                .iter()
                .zip(0_u32..)
                .filter(|((place, piece), _)| value.get(*place..).is_some_and(|rest| rest.starts_with(piece)))
                .map(|((place, piece), number)| (*place, piece.len(), number))
                .collect();
            expected.sort_unstable();
            prop_assert_eq!(found(&placed, &value), expected);
        }
    }
}

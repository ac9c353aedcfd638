//! A long list of equal records that grows without being moved.
//!
//! Records lie in pieces of fixed size: one growing vector would copy itself at every doubling, hold up to three times what it
//! needs while it does, and leave holes in memory that nothing else of its size will fill.

/// The list; pieces have `1 << BITS` records.
#[derive(Debug)]
pub struct Pieces<T, const BITS: u32 = 10> {
    pieces: Vec<Vec<T>>,
    len: usize,
}

impl<T, const BITS: u32> Default for Pieces<T, BITS> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
        }
    }
}

impl<T, const BITS: u32> Pieces<T, BITS> {
    /// Records of one piece.
    const PIECE: usize = 1 << BITS;

    /// Piece, and place within it.
    const fn place(index: usize) -> (usize, usize) {
        (index >> BITS, index & (Self::PIECE - 1))
    }

    /// The record at `index`; nothing beyond the end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        let (piece, place) = Self::place(index);
        self.pieces.get(piece)?.get(place)
    }

    /// Likewise, to change it.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let (piece, place) = Self::place(index);
        self.pieces.get_mut(piece)?.get_mut(place)
    }

    /// Adds a record at the end.
    pub fn push(&mut self, record: T) {
        if self.pieces.last().is_none_or(|piece| piece.len() == Self::PIECE) {
            self.pieces.push(Vec::with_capacity(Self::PIECE));
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(record);
            self.len = self.len.saturating_add(1);
        }
    }

    /// How many records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The record that was added last.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.pieces.last_mut()?.last_mut()
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_at_their_place_over_many_pieces() {
        let mut list: Pieces<usize, 3> = Pieces::default();
        assert!(list.is_empty() && list.get(0).is_none());
        for number in 0..50 {
            assert_eq!(list.len(), number);
            list.push(number);
            assert_eq!(list.last_mut(), Some(&mut { number }));
        }
        assert!((0..50).all(|number| list.get(number) == Some(&number)));
        assert_eq!((list.get(50), list.get(usize::MAX)), (None, None));
        *list.get_mut(9).unwrap() = 90;
        assert!(
            list.iter()
                .eq((0..9).chain([90]).chain(10..50).collect::<Vec<_>>().iter())
        );
    }
}

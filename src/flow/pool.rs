//! A pool of equal records with stable indices; freed places are used again.
//!
//! Records lie in pieces of fixed size: one growing vector would copy itself at every doubling and hold up to three times what it
//! needs while it does.

/// Records of one piece, as a power of two.
const PIECE_BITS: u32 = 13;

/// Records of one piece.
const PIECE: usize = 1 << PIECE_BITS;

/// The pool.
#[derive(Debug)]
pub(super) struct Pool<T> {
    pieces: Vec<Vec<T>>,
    count: u32,
    free: Vec<u32>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            count: 0,
            free: Vec::new(),
        }
    }
}

/// Piece and place within it.
const fn place(index: u32) -> (usize, usize) {
    ((index >> PIECE_BITS) as usize, (index as usize) & (PIECE - 1))
}

impl<T: Default> Pool<T> {
    /// The record at `index`; nothing for an index beyond the pool.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (piece, place) = place(index);
        self.pieces.get(piece)?.get(place)
    }

    /// Likewise, to change it.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let (piece, place) = place(index);
        self.pieces.get_mut(piece)?.get_mut(place)
    }

    /// Adds a record.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(index) = self.free.pop() {
            if let Some(place) = self.get_mut(index) {
                *place = item;
            }
            return index;
        }
        let index = self.count;
        self.put(index, item);
        index
    }

    /// Puts a record at `index`, which is in the pool or the first behind it.
    pub(super) fn put(&mut self, index: u32, item: T) {
        if let Some(place) = self.get_mut(index) {
            *place = item;
            return;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(item);
            self.count = self.count.saturating_add(1);
        }
    }

    /// Frees a place.
    pub(super) fn free(&mut self, index: u32) {
        if let Some(place) = self.get_mut(index) {
            *place = T::default();
            self.free.push(index);
        }
    }

    /// Places that are in use.
    pub(super) fn occupied(&self) -> usize {
        (self.count as usize).saturating_sub(self.free.len())
    }

    /// All places, free ones included.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_stay_true_over_many_pieces_and_freed_places_are_used_again() {
        let mut pool = Pool::default();
        let count = u32::try_from(PIECE * 2 + 5).unwrap();
        for number in 0..count {
            assert_eq!(pool.insert(number), number);
        }
        assert!((0..count).all(|number| pool.get(number) == Some(&number)));
        assert_eq!(pool.get(count), None);
        pool.free(7);
        assert_eq!(pool.occupied(), PIECE * 2 + 4);
        assert_eq!(pool.insert(99), 7);
        assert_eq!(pool.iter().count(), PIECE * 2 + 5);
    }
}

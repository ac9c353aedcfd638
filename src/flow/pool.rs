//! A pool of equal records with stable indices; freed places are used again.

use crate::model::pieces::Pieces;

/// Records of one piece of the pool, as a power of two: there may be millions.
const PIECE_BITS: u32 = 13;

/// The pool.
#[derive(Debug)]
pub(super) struct Pool<T> {
    places: Pieces<T, PIECE_BITS>,
    free: Vec<u32>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            places: Pieces::default(),
            free: Vec::new(),
        }
    }
}

impl<T: Default> Pool<T> {
    /// The record at `index`; nothing for an index beyond the pool.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.places.get(index as usize)
    }

    /// Likewise, to change it.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.places.get_mut(index as usize)
    }

    /// Adds a record.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(index) = self.free.pop() {
            if let Some(place) = self.get_mut(index) {
                *place = item;
            }
            return index;
        }
        let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(item);
        index
    }

    /// Puts a record at `index`, which is in the pool or the first behind it.
    pub(super) fn put(&mut self, index: u32, item: T) {
        match self.get_mut(index) {
            Some(place) => *place = item,
            None => self.places.push(item),
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
        self.places.len().saturating_sub(self.free.len())
    }

    /// All places, free ones included.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_stay_true_over_many_pieces_and_freed_places_are_used_again() {
        let mut pool = Pool::default();
        let count = u32::try_from((2_usize << PIECE_BITS) + 5).unwrap();
        for number in 0..count {
            assert_eq!(pool.insert(number), number);
        }
        assert!((0..count).all(|number| pool.get(number) == Some(&number)));
        assert_eq!(pool.get(count), None);
        pool.free(7);
        assert_eq!(pool.occupied(), (2 << PIECE_BITS) + 4);
        assert_eq!(pool.insert(99), 7);
        assert_eq!(pool.iter().count(), (2 << PIECE_BITS) + 5);
    }
}

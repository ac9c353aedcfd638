//! A pool of equal records with stable indices; freed places are used again.

/// The pool.
#[derive(Debug)]
pub(super) struct Pool<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: Default> Pool<T> {
    /// The record at `index`; nothing for an index beyond the pool.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.items.get(index as usize)
    }

    /// Likewise, to change it.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.items.get_mut(index as usize)
    }

    /// Adds a record.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(index) = self.free.pop() {
            if let Some(place) = self.items.get_mut(index as usize) {
                *place = item;
            }
            return index;
        }
        let index = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(item);
        index
    }

    /// Frees a place.
    pub(super) fn free(&mut self, index: u32) {
        if let Some(place) = self.items.get_mut(index as usize) {
            *place = T::default();
            self.free.push(index);
        }
    }

    /// Places that are in use.
    pub(super) fn occupied(&self) -> usize {
        self.items.len().saturating_sub(self.free.len())
    }

    /// All places, free ones included.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }
}

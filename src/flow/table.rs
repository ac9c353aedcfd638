//! The table itself: from key to the index of a flow, by open addressing over one word a slot.
//!
//! A slot holds 32 bits of the hash and 32 bits of index, so that a miss rarely touches a flow. Removal shifts the
//! following slots back; there are no tombstones.

use super::key::FlowKey;

/// Index of nothing.
const EMPTY: u64 = 0;

/// The slots.
#[derive(Debug)]
pub struct Index {
    slots: Vec<u64>,
    mask: u32,
    count: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            slots: vec![EMPTY; 1 << 10],
            mask: (1 << 10) - 1,
            count: 0,
        }
    }
}

/// The upper half of the hash: tag and home position.
const fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
const fn parts(slot: u64) -> (u32, u32) {
    ((slot >> 32) as u32, (slot as u32).wrapping_sub(1))
}

impl Index {
    /// First index with the tag of `hash`, if any, which is nearly always the flow sought: brings the slot into the cache.
    #[must_use]
    pub fn touch(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Index of the flow with this key; `is` compares the key of a candidate.
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        let mut position = tag & self.mask;
        loop {
            let slot = *self.slots.get(position as usize)?;
            if slot == EMPTY {
                return None;
            }
            let (other, index) = parts(slot);
            if other == tag && is(index) {
                return Some(index);
            }
            position = position.wrapping_add(1) & self.mask;
        }
    }

    /// Adds a flow that is not there yet.
    pub fn insert(&mut self, hash: u64, index: u32) {
        if self.count.saturating_mul(4) >= self.slots.len().saturating_mul(3) {
            self.grow();
        }
        self.count = self.count.saturating_add(1);
        put(
            &mut self.slots,
            self.mask,
            u64::from(tag_of(hash)) << 32 | (u64::from(index) + 1),
        );
    }

    /// Takes a flow out.
    pub fn remove(&mut self, hash: u64, index: u32) {
        let wanted = u64::from(tag_of(hash)) << 32 | (u64::from(index) + 1);
        let mut hole = tag_of(hash) & self.mask;
        loop {
            match self.slots.get(hole as usize) {
                Some(slot) if *slot == wanted => break,
                Some(slot) if *slot != EMPTY => hole = hole.wrapping_add(1) & self.mask,
                Some(_) | None => return,
            }
        }
        self.count = self.count.saturating_sub(1);
        let mut next = hole;
        loop {
            next = next.wrapping_add(1) & self.mask;
            let Some(slot) = self
                .slots
                .get(next as usize)
                .copied()
                .filter(|slot| *slot != EMPTY)
            else {
                break;
            };
            // A slot may move back when its home does not lie between the hole and itself.
            let origin = parts(slot).0 & self.mask;
            if next.wrapping_sub(origin) & self.mask >= next.wrapping_sub(hole) & self.mask {
                if let Some(place) = self.slots.get_mut(hole as usize) {
                    *place = slot;
                }
                hole = next;
            }
        }
        if let Some(place) = self.slots.get_mut(hole as usize) {
            *place = EMPTY;
        }
    }

    fn grow(&mut self) {
        let size = self.slots.len().saturating_mul(2);
        let mask = u32::try_from(size.saturating_sub(1)).unwrap_or(u32::MAX);
        let mut slots = vec![EMPTY; size];
        for slot in self.slots.iter().filter(|slot| **slot != EMPTY) {
            put(&mut slots, mask, *slot);
        }
        self.slots = slots;
        self.mask = mask;
    }
}

/// Puts a slot at the first free place from its home on.
fn put(slots: &mut [u64], mask: u32, slot: u64) {
    let mut position = parts(slot).0 & mask;
    while let Some(place) = slots.get_mut(position as usize) {
        if *place == EMPTY {
            *place = slot;
            return;
        }
        position = position.wrapping_add(1) & mask;
    }
}

/// Seed for [`FlowKey::hash`], drawn from the system's randomness once a run. It decides no output.
#[must_use]
pub fn draw_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// A key with its hash, computed once and carried along.
#[derive(Clone, Copy, Debug)]
pub struct HashedKey {
    /// The key.
    pub key: FlowKey,
    /// Its hash under the run's seed.
    pub hash: u64,
    /// The upper endpoint sent the packet.
    pub from_upper: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    proptest::proptest! {
        #[test]
        fn behaves_like_a_map_under_any_sequence_of_insertions_and_removals(
            steps in proptest::collection::vec((proptest::bool::ANY, 0u32..200), 0..2_000)
        ) {
            // Few distinct home positions, so that runs collide and wrap.
            let hash_of = |value: u32| u64::from(value % 7).wrapping_mul(0x3ff) << 32 | u64::from(value) << 44;
            let mut index = Index::default();
            let mut model = BTreeSet::new();
            for (insert, value) in steps {
                if insert {
                    if model.insert(value) {
                        index.insert(hash_of(value), value);
                    }
                } else if model.remove(&value) {
                    index.remove(hash_of(value), value);
                }
            }
            for value in 0..200u32 {
                let found = index.find(hash_of(value), |candidate| candidate == value);
                proptest::prop_assert_eq!(found.is_some(), model.contains(&value));
            }
        }
    }

    #[test]
    fn growing_keeps_everything() {
        let mut index = Index::default();
        for value in 0..5_000u32 {
            index.insert(u64::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15), value);
        }
        assert!((0..5_000u32).all(|value| {
            index
                .find(
                    u64::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    |candidate| candidate == value,
                )
                .is_some()
        }));
    }
}

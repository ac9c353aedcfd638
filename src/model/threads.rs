//! Work on many alike things by several threads, whose results do not depend on how many there are.

use std::sync::{Mutex, PoisonError};

/// Fewer things than this are worked on by one thread: starting another takes longer.
const FEW: usize = 256;

/// Portions for each thread: enough that none waits long for the last.
const PORTIONS: usize = 8;

/// How many threads may work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(usize);

impl Default for Threads {
    fn default() -> Self {
        Self(1)
    }
}

impl Threads {
    /// So many, at least one.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self(if count == 0 { 1 } else { count })
    }

    /// Whether there is but one.
    #[must_use]
    pub const fn is_one(self) -> bool {
        self.0 == 1
    }

    /// What `work` makes of each item, in the order of the items.
    pub fn map<T: Send, R: Send>(self, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        if self.is_one() || items.len() < FEW {
            return items.into_iter().map(work).collect();
        }
        let count = items.len();
        let size = count.div_ceil(self.0.saturating_mul(PORTIONS)).max(1);
        let mut items = items.into_iter();
        let portions: Vec<Vec<T>> = (0..count.div_ceil(size))
            .map(|_| items.by_ref().take(size).collect())
            .collect();
        let made = self.each(portions, |portion| {
            portion.into_iter().map(&work).collect::<Vec<R>>()
        });
        let mut list = Vec::with_capacity(count);
        for portion in made {
            list.extend(portion);
        }
        list
    }

    /// What `work` makes of each of a few large items, in their order.
    pub fn each<T: Send, R: Send>(self, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        if self.is_one() || items.len() < 2 {
            return items.into_iter().map(work).collect();
        }
        let count = items.len();
        let waiting = Mutex::new(items.into_iter().enumerate());
        let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
        let labour = || {
            loop {
                // Held for the taking alone: a lock guard in the condition of a `while let` would live through its body.
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((place, item)) = next else { return };
                let made = work(item);
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((place, made));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.0.min(count) {
                scope.spawn(labour);
            }
            labour();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, made)| made).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items_for_any_number_of_threads() {
        for count in [0, 1, FEW - 1, FEW, 5_000] {
            let expected: Vec<usize> = (0..count).map(|number| number * 2).collect();
            for threads in [0, 1, 2, 7] {
                let threads = Threads::new(threads);
                assert_eq!(threads.map((0..count).collect(), |number| number * 2), expected);
                assert_eq!(threads.each((0..count).collect(), |number| number * 2), expected);
            }
        }
    }

    #[test]
    fn a_panic_in_the_work_is_the_callers() {
        let run = || Threads::new(3).map((0..1_000).collect(), |number: u32| assert!(number < 900));
        assert!(std::panic::catch_unwind(run).is_err());
    }
}

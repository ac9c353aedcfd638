//! A catalogue that takes the place of the one in use while an analysis runs.
//!
//! Whoever reads signature files again offers what was read, if nothing was wrong with it; whoever analyses takes it between two
//! blocks. Asking whether there is one costs a load of a flag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Catalogue;

/// Where the next catalogue waits. The last offer counts.
#[derive(Debug, Default)]
pub struct Renewal {
    is_waiting: AtomicBool,
    next: Mutex<Option<Arc<Catalogue>>>,
}

impl Renewal {
    /// Puts a catalogue here.
    pub fn offer(&self, catalogue: Catalogue) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(Arc::new(catalogue));
        self.is_waiting.store(true, Ordering::Release);
    }

    /// Takes the catalogue that waits, if one does.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Catalogue>> {
        if !self.is_waiting.swap(false, Ordering::Acquire) {
            return None;
        }
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_offered_last_is_taken_once() {
        let renewal = Renewal::default();
        assert!(renewal.take().is_none());
        let first = Catalogue::embedded().unwrap();
        let text = "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"app_proto\"\nexact = \"x\"\nweight = 5\nsource = \"s\"\n";
        let second = Catalogue::of_file(std::path::Path::new("my.toml"), text).unwrap();
        let version = second.version().to_owned();
        renewal.offer(first);
        renewal.offer(second);
        assert_eq!(renewal.take().unwrap().version(), version);
        assert!(renewal.take().is_none());
    }
}

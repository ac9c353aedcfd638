//! Reverse names: what answers in the capture called an address (RFC 1035, 3.5).

use std::collections::HashMap;
use std::sync::Arc;

use super::address::Address;
use super::frame::FrameRef;

/// Addresses whose reverse names are remembered: some megabytes.
const MOST: usize = 50_000;

/// The name of an address, and the frame that said so first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseName {
    /// In lower case, without a final dot.
    pub name: String,
    /// The frame.
    pub frame: FrameRef,
}

/// Names by address. Only asked for single addresses, so that no order of theirs decides anything.
#[derive(Debug, Default)]
pub struct ReverseNames {
    by_address: HashMap<Address, Arc<ReverseName>, rapidhash::fast::RandomState>,
}

impl ReverseNames {
    /// Remembers an answer; the first of an address counts.
    pub fn learn(&mut self, address: Address, name: &str, frame: FrameRef) {
        if self.by_address.len() < MOST {
            self.by_address.entry(address).or_insert_with(|| {
                let name = name.to_owned();
                Arc::new(ReverseName { name, frame })
            });
        }
    }

    /// The name of an address.
    #[must_use]
    pub fn of(&self, address: Address) -> Option<&Arc<ReverseName>> {
        self.by_address.get(&address)
    }

    /// Whether no answer named an address, as in most captures.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_an_address_counts_and_memory_is_bounded() {
        let mut names = ReverseNames::default();
        let own = Address::from_v4([203, 0, 113, 7]);
        names.learn(own, "a.example", FrameRef::default());
        names.learn(own, "b.example", FrameRef::default());
        assert_eq!(names.of(own).unwrap().name, "a.example");
        for number in 0..60_000_u32 {
            let [.., high, low] = number.to_be_bytes();
            let third = u8::try_from(number >> 16).unwrap();
            names.learn(
                Address::from_v4([198, third, high, low]),
                "x",
                FrameRef::default(),
            );
        }
        assert_eq!(names.by_address.len(), MOST);
    }
}

//! DNS memory: which name an asker had resolved to which address, and until when.
//!
//! Kept per asker, because another machine's answer says nothing about this one's flow. Bounded by two generations: when
//! the young one is full it becomes the old one, and what was in the old one and not used since is forgotten.

use std::collections::HashMap;

use crate::model::address::{Address, AddressSpace};
use crate::model::frame::FrameRef;
use crate::model::observation::{NameSource, ServerName};
use crate::model::time::{SECOND, Timestamp};

/// Clients keep using an address for a while after its lifetime (DETECTION 4.1.1: ten minutes).
const GRACE: i64 = 600 * SECOND;

/// A name is of no use as a lead when it was resolved longer ago than this.
const STALE: i64 = 24 * 3_600 * SECOND;

/// Answers that are kept for one asker and address.
const MOST_ANSWERS: usize = 4;

#[derive(Clone, Debug)]
struct Answer {
    name: Box<str>,
    at: Timestamp,
    lifetime: u32,
    frame: FrameRef,
}

type Key = (AddressSpace, Address, Address);
type Generation = HashMap<Key, Vec<Answer>, rapidhash::fast::RandomState>;

/// The memory.
#[derive(Debug)]
pub struct Names {
    young: Generation,
    old: Generation,
    most: usize,
}

/// Lower case, without the final dot: how names are compared.
#[must_use]
pub fn normalised(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Names {
    /// A memory of at most `most` pairs of asker and address.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            most: (most / 2).max(1),
        }
    }

    /// Remembers that `asker` was told that `name` stands for `address`.
    #[expect(clippy::too_many_arguments, reason = "an answer has this many parts")]
    pub fn learn(
        &mut self,
        space: AddressSpace,
        asker: Address,
        address: Address,
        name: &str,
        at: Timestamp,
        lifetime: u32,
        frame: FrameRef,
    ) {
        let key = (space, asker, address);
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let entry = match self.young.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(self.old.remove(&key).unwrap_or_default())
            }
        };
        if let Some(known) = entry.iter_mut().find(|answer| *answer.name == *name) {
            // The first frame stays cited; the lifetime starts anew.
            known.at = known.at.max(at);
            known.lifetime = lifetime;
            return;
        }
        if entry.len() >= MOST_ANSWERS {
            entry.remove(0);
        }
        entry.push(Answer {
            name: name.into(),
            at,
            lifetime,
            frame,
        });
    }

    /// The name under which `asker` knew `address` at `moment`: of the answers before it the latest, alive ones first.
    #[must_use]
    pub fn name_of(
        &self,
        space: AddressSpace,
        asker: Address,
        address: Address,
        moment: Timestamp,
    ) -> Option<ServerName> {
        let key = (space, asker, address);
        let answers = self.young.get(&key).or_else(|| self.old.get(&key))?;
        let is_alive = |answer: &Answer| {
            moment.since(answer.at)
                <= i64::from(answer.lifetime)
                    .saturating_mul(SECOND)
                    .saturating_add(GRACE)
        };
        // A flow's first packet may be stamped a little before its answer when capture points differ.
        let known = answers
            .iter()
            .filter(|answer| (-SECOND..=STALE).contains(&moment.since(answer.at)));
        let best = known.max_by_key(|answer| (is_alive(answer), answer.at))?;
        Some(ServerName {
            name: best.name.to_string(),
            source: if is_alive(best) {
                NameSource::Dns
            } else {
                NameSource::StaleDns
            },
            frame: best.frame,
            at: best.at,
            lifetime: Some(best.lifetime),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: AddressSpace = AddressSpace(0);
    const ASKER: Address = Address::from_v4([10, 0, 0, 1]);
    const OTHER: Address = Address::from_v4([10, 0, 0, 2]);
    const SERVER: Address = Address::from_v4([192, 0, 2, 7]);

    fn learn(names: &mut Names, asker: Address, server: Address, name: &str, second: i64, lifetime: u32) {
        names.learn(
            SPACE,
            asker,
            server,
            name,
            Timestamp(second * SECOND),
            lifetime,
            FrameRef::default(),
        );
    }

    fn ask(names: &Names, asker: Address, second: i64) -> Option<(String, NameSource)> {
        names
            .name_of(SPACE, asker, SERVER, Timestamp(second * SECOND))
            .map(|name| (name.name, name.source))
    }

    #[test]
    fn a_name_counts_for_who_asked_and_while_it_lives() {
        let mut names = Names::new(100);
        learn(&mut names, ASKER, SERVER, "relay.example", 100, 60);
        assert_eq!(
            ask(&names, ASKER, 130),
            Some(("relay.example".into(), NameSource::Dns))
        );
        assert_eq!(
            ask(&names, ASKER, 5_000),
            Some(("relay.example".into(), NameSource::StaleDns))
        );
        assert_eq!(ask(&names, ASKER, 200_000), None);
        assert_eq!(ask(&names, OTHER, 130), None);
    }

    #[test]
    fn of_two_names_of_an_address_the_latest_before_the_flow_counts() {
        let mut names = Names::new(100);
        learn(&mut names, ASKER, SERVER, "one.example", 100, 300);
        learn(&mut names, ASKER, SERVER, "two.example", 200, 300);
        assert_eq!(
            ask(&names, ASKER, 150).map(|(name, _)| name),
            Some("one.example".into())
        );
        assert_eq!(
            ask(&names, ASKER, 250).map(|(name, _)| name),
            Some("two.example".into())
        );
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_new() {
        let mut names = Names::new(100);
        for index in 0..10_000u32 {
            let [.., a, b] = index.to_be_bytes();
            learn(
                &mut names,
                ASKER,
                Address::from_v4([198, 51, a, b]),
                "x.example",
                0,
                60,
            );
        }
        learn(&mut names, ASKER, SERVER, "kept.example", 0, 60);
        assert!(names.young.len() + names.old.len() <= 100);
        assert!(ask(&names, ASKER, 1).is_some());
    }
}

//! DNS memory: which name an asker had resolved to which address, and until when.
//!
//! Kept per asker, because another machine's answer says nothing about this one's flow. Bounded by two generations: when
//! the young one is full it becomes the old one, and what was in the old one and not learnt again since is forgotten.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::thresholds::THRESHOLDS;
use crate::model::address::{Address, AddressSpace};
use crate::model::frame::FrameRef;
use crate::model::observation::{NameSource, ServerName};
use crate::model::pieces::Pieces;
use crate::model::reverse_name::ReverseNames;
use crate::model::time::{SECOND, Timestamp};

/// Answers that are kept for one asker and address.
const MOST_ANSWERS: usize = 4;

/// No further answer.
const END: u32 = u32::MAX;

type Hashed = rapidhash::fast::RandomState;

#[derive(Clone, Debug)]
struct Answer {
    name: Arc<str>,
    at: Timestamp,
    frame: FrameRef,
    lifetime: u32,
    /// The answer before this one for the same asker and address.
    earlier: u32,
    /// Who asked, by number, and the address that the name stands for.
    asker: u32,
    address: Address,
}

/// Half of the memory. Askers are numbered and names shared, because a busy resolver's client has thousands of answers
/// and a busy site's name thousands of askers.
///
/// The tables hold places in `answers` alone, whose keys stand there already: with keys of their own they took more memory than the answers.
#[derive(Debug, Default)]
struct Generation {
    askers: HashMap<(AddressSpace, Address), u32, Hashed>,
    /// Number of the next asker.
    next: u32,
    /// One answer of each name.
    names: HashTable<u32>,
    /// The latest answer of each asker and address.
    latest: HashTable<u32>,
    answers: Pieces<Answer>,
    hashed: Hashed,
}

impl Generation {
    fn key(&self, space: AddressSpace, asker: Address, address: Address) -> Option<(u32, Address)> {
        self.askers.get(&(space, asker)).map(|number| (*number, address))
    }

    /// The answers of an asker about an address, the one that was added last first.
    fn of(&self, key: Option<(u32, Address)>) -> impl Iterator<Item = (u32, &Answer)> {
        self.from(key.and_then(|key| self.latest(key)).unwrap_or(END))
    }

    fn latest(&self, key: (u32, Address)) -> Option<u32> {
        let is_of = |place: &u32| {
            self.answers
                .get(*place as usize)
                .is_some_and(|answer| answer.key() == key)
        };
        self.latest.find(self.hashed.hash_one(key), is_of).copied()
    }

    /// The answers from one on to the earlier ones.
    fn from(&self, latest: u32) -> impl Iterator<Item = (u32, &Answer)> {
        let mut next = latest;
        std::iter::from_fn(move || {
            let place = next;
            let answer = self.answers.get(place as usize)?;
            next = answer.earlier;
            Some((place, answer))
        })
        .take(MOST_ANSWERS)
    }

    fn number(&mut self, space: AddressSpace, asker: Address) -> u32 {
        let next = &mut self.next;
        *self.askers.entry((space, asker)).or_insert_with(|| {
            let number = *next;
            *next = next.saturating_add(1);
            number
        })
    }

    /// A name, shared with the answers that have it.
    fn name(&self, name: &str) -> Arc<str> {
        let known = self.names.find(self.hashed.hash_one(name), |place| {
            self.answers
                .get(*place as usize)
                .is_some_and(|answer| *answer.name == *name)
        });
        known
            .and_then(|place| self.answers.get(*place as usize))
            .map_or_else(|| name.into(), |answer| Arc::clone(&answer.name))
    }

    fn push(&mut self, mut answer: Answer) {
        let Self {
            names,
            latest,
            answers,
            hashed,
            ..
        } = self;
        let place = u32::try_from(answers.len()).unwrap_or(END);
        let of = |place: &u32| answers.get(*place as usize);
        let (key, name) = (answer.key(), Arc::clone(&answer.name));
        let entry = latest.entry(
            hashed.hash_one(key),
            |known| of(known).is_some_and(|known| known.key() == key),
            |known| of(known).map_or(0, |known| hashed.hash_one(known.key())),
        );
        answer.earlier = END;
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut known) => {
                answer.earlier = std::mem::replace(known.get_mut(), place);
            }
            hashbrown::hash_table::Entry::Vacant(free) => {
                free.insert(place);
            }
        }
        names
            .entry(
                hashed.hash_one(&*name),
                |known| of(known).is_some_and(|known| known.name == name),
                |known| of(known).map_or(0, |known| hashed.hash_one(&*known.name)),
            )
            .or_insert(place);
        answers.push(answer);
    }
}

impl Answer {
    const fn key(&self) -> (u32, Address) {
        (self.asker, self.address)
    }
}

/// The memory.
#[derive(Debug)]
pub struct Names {
    young: Generation,
    old: Generation,
    most: usize,
    /// What answers called addresses.
    pub reversed: ReverseNames,
}

/// Lower case, without the final dot: how names are compared.
#[must_use]
pub fn normalised(name: &str) -> Cow<'_, str> {
    let name = name.trim_end_matches('.');
    if name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

impl Names {
    /// A memory of at most `most` answers.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            most: (most / 2).max(1),
            reversed: ReverseNames::default(),
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
        if self.young.answers.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        let asker_number = self.young.number(space, asker);
        let key = (asker_number, address);
        if !self.old.answers.is_empty() && self.young.latest(key).is_none() {
            // What the old generation knew goes on to count.
            let known: Vec<Answer> = self
                .old
                .of(self.old.key(space, asker, address))
                .map(|(_, answer)| answer.clone())
                .collect();
            for answer in known.into_iter().rev() {
                self.young.push(Answer {
                    asker: asker_number,
                    ..answer
                });
            }
        }
        let known = self
            .young
            .of(Some(key))
            .find(|(_, answer)| *answer.name == *name)
            .map(|(place, _)| place);
        if let Some(place) = known
            && let Some(answer) = self.young.answers.get_mut(place as usize)
        {
            // The first frame stays cited; the lifetime starts anew.
            answer.at = answer.at.max(at);
            answer.lifetime = lifetime;
            return;
        }
        let name = self.young.name(name);
        self.young.push(Answer {
            name,
            at,
            frame,
            lifetime,
            earlier: END,
            asker: asker_number,
            address,
        });
    }

    /// From now on another machine has this address: what was told there before is not its knowledge.
    pub fn forget(&mut self, space: AddressSpace, asker: Address) {
        self.young.askers.remove(&(space, asker));
        self.old.askers.remove(&(space, asker));
    }

    /// Nothing will be asked for any more but what answers called addresses.
    pub fn forget_all(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// Looks an asker and an address up, so that they are at hand when their flow comes.
    #[must_use]
    pub fn touch(&self, space: AddressSpace, asker: Address, address: Address) -> bool {
        let young = self.young.key(space, asker, address);
        young.is_some_and(|key| self.young.latest(key).is_some())
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
        let (generation, latest) = [&self.young, &self.old].into_iter().find_map(|generation| {
            let key = generation.key(space, asker, address)?;
            Some((generation, generation.latest(key)?))
        })?;
        let limits = &THRESHOLDS.names;
        let stale = limits.stale_seconds.saturating_mul(SECOND);
        let is_alive = |answer: &Answer| {
            let lifetime = i64::from(answer.lifetime).saturating_add(limits.grace_seconds);
            moment.since(answer.at) <= lifetime.saturating_mul(SECOND)
        };
        // A flow's first packet may be stamped a little before its answer when capture points differ.
        let known = generation
            .from(latest)
            .filter(|(_, answer)| (-SECOND..=stale).contains(&moment.since(answer.at)));
        let (_, best) = known.max_by_key(|(place, answer)| (is_alive(answer), answer.at, *place))?;
        Some(ServerName {
            name: Arc::clone(&best.name),
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
            .map(|name| (name.name.to_string(), name.source))
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
        assert!(names.young.answers.len() + names.old.answers.len() <= 100);
        assert!(ask(&names, ASKER, 1).is_some());
    }
}

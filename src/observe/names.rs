//! DNS memory: which name an asker had resolved to which address, and until when.
//!
//! Kept per asker, because another machine's answer says nothing about this one's flow. Bounded by two generations: when
//! the young one is full it becomes the old one, and what was in the old one and not learnt again since is forgotten.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::thresholds::THRESHOLDS;
use crate::model::address::{Address, AddressSpace};
use crate::model::frame::FrameRef;
use crate::model::observation::{NameSource, ServerName};
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
}

/// Half of the memory. Askers are numbered and names shared, because a busy resolver's client has thousands of answers
/// and a busy site's name thousands of askers.
#[derive(Debug, Default)]
struct Generation {
    askers: HashMap<(AddressSpace, Address), u32, Hashed>,
    /// Number of the next asker.
    next: u32,
    names: HashSet<Arc<str>, Hashed>,
    /// The latest answer of each asker and address.
    latest: HashMap<(u32, Address), u32, Hashed>,
    answers: Vec<Answer>,
}

impl Generation {
    fn key(&self, space: AddressSpace, asker: Address, address: Address) -> Option<(u32, Address)> {
        self.askers.get(&(space, asker)).map(|number| (*number, address))
    }

    /// The answers of an asker about an address, the one that was added last first.
    fn of(&self, key: Option<(u32, Address)>) -> impl Iterator<Item = (u32, &Answer)> {
        self.from(key.and_then(|key| self.latest.get(&key)).copied().unwrap_or(END))
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

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.names.insert(Arc::clone(&new));
        new
    }

    fn push(&mut self, key: (u32, Address), mut answer: Answer) {
        let place = u32::try_from(self.answers.len()).unwrap_or(END);
        answer.earlier = self.latest.insert(key, place).unwrap_or(END);
        self.answers.push(answer);
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
        if !self.old.answers.is_empty() && !self.young.latest.contains_key(&key) {
            // What the old generation knew goes on to count.
            let known: Vec<Answer> = self
                .old
                .of(self.old.key(space, asker, address))
                .map(|(_, answer)| answer.clone())
                .collect();
            for answer in known.into_iter().rev() {
                self.young.push(key, answer);
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
        self.young.push(
            key,
            Answer {
                name,
                at,
                frame,
                lifetime,
                earlier: END,
            },
        );
    }

    /// From now on another machine has this address: what was told there before is not its knowledge.
    pub fn forget(&mut self, space: AddressSpace, asker: Address) {
        self.young.askers.remove(&(space, asker));
        self.old.askers.remove(&(space, asker));
    }

    /// Looks an asker and an address up, so that they are at hand when their flow comes.
    #[must_use]
    pub fn touch(&self, space: AddressSpace, asker: Address, address: Address) -> bool {
        let young = self.young.key(space, asker, address);
        young.is_some_and(|key| self.young.latest.contains_key(&key))
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
            Some((generation, *generation.latest.get(&key)?))
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

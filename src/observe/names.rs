//! DNS memory: which name an asker had resolved to which address, and until when.
//!
//! Kept per asker, because another machine's answer says nothing about this one's flow. Bounded by two generations: when
//! the young one is full it becomes the old one, and what was in the old one and not learnt again since is forgotten.

use std::borrow::Cow;
use std::sync::Arc;

use super::answers::{Answer, Generation, Hashes, Key};
use super::thresholds::THRESHOLDS;
use crate::model::address::{Address, AddressSpace};
use crate::model::frame::FrameRef;
use crate::model::observation::{NameSource, ServerName};
use crate::model::reverse_name::ReverseNames;
use crate::model::time::{SECOND, Timestamp};

/// The memory.
#[derive(Debug)]
pub struct Names {
    young: Generation,
    old: Generation,
    hashes: Hashes,
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
            hashes: Hashes::default(),
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
        let key = self.hashes.key(space, asker, address);
        let mut latest = self.young.latest(&key);
        if latest.is_none() && !self.old.answers.is_empty() {
            latest = self.go_on_with(&key);
        }
        let known = latest.and_then(|latest| {
            let mut known = self.young.from(latest);
            known.find(|(_, answer)| *answer.name == *name)
        });
        if let Some((place, _)) = known
            && let Some(answer) = self.young.answers.get_mut(place as usize)
        {
            // The first frame stays cited; the lifetime starts anew.
            answer.at = answer.at.max(at);
            answer.lifetime = lifetime;
            return;
        }
        let hash = self.hashes.name(name);
        let named = self.young.named(name, hash);
        let (name, is_new) = named.map_or_else(
            || (Arc::from(name), true),
            |known| (Arc::clone(&known.name), false),
        );
        let asker = self.young.number(space, asker, &self.hashes);
        let answer = Answer::new(name, (frame, at), lifetime, asker, address);
        self.young.push(answer, &key, &self.hashes);
        if is_new {
            self.young.name_latest(hash, &self.hashes);
        }
    }

    /// What the old generation knew goes on to count. Gives the latest of it in the young one.
    fn go_on_with(&mut self, key: &Key) -> Option<u32> {
        let latest = self.old.latest(key)?;
        let known: Vec<Answer> = self.old.from(latest).map(|(_, answer)| answer.clone()).collect();
        let asker = self.young.number(key.space, key.asker, &self.hashes);
        for answer in known.into_iter().rev() {
            let hash = self.hashes.name(&answer.name);
            let is_new = self.young.named(&answer.name, hash).is_none();
            self.young.push(answer.of(asker), key, &self.hashes);
            if is_new {
                self.young.name_latest(hash, &self.hashes);
            }
        }
        self.young.latest(key)
    }

    /// From now on another machine has this address: what was told there before is not its knowledge.
    pub fn forget(&mut self, space: AddressSpace, asker: Address) {
        self.young.forget(space, asker, &self.hashes);
        self.old.forget(space, asker, &self.hashes);
    }

    /// Nothing will be asked for any more but what answers called addresses.
    pub fn forget_all(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// Looks an asker and an address up, so that they are at hand when their flow comes.
    #[must_use]
    pub fn touch(&self, space: AddressSpace, asker: Address, address: Address) -> bool {
        self.find(space, asker, address).is_some()
    }

    /// The same before an answer comes, for which the asker is needed as well.
    #[must_use]
    pub(super) fn touch_asker(&self, space: AddressSpace, asker: Address, address: Address) -> bool {
        self.touch(space, asker, address) || self.young.number_of(space, asker, &self.hashes).is_some()
    }

    /// The latest answer of an asker about an address, with the half of the memory that has it.
    fn find(&self, space: AddressSpace, asker: Address, address: Address) -> Option<(&Generation, u32)> {
        let halves = [&self.young, &self.old].map(|half| half.may_have(address).then_some(half));
        if halves.iter().all(Option::is_none) {
            return None;
        }
        let key = self.hashes.key(space, asker, address);
        halves
            .into_iter()
            .flatten()
            .find_map(|half| Some((half, half.latest(&key)?)))
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
        let (generation, latest) = self.find(space, asker, address)?;
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
            frame: best.frame(),
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

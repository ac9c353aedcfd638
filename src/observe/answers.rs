//! Half of the DNS memory: answers, and how they are found.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::model::address::{Address, AddressSpace};
use crate::model::frame::FrameRef;
use crate::model::pieces::Pieces;
use crate::model::time::Timestamp;

/// Answers that are kept for one asker and address.
const MOST_ANSWERS: usize = 4;

/// No further answer.
const END: u32 = u32::MAX;

/// An answer. One line of cache: its frame stands here in two parts.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The name asked for.
    pub(super) name: Arc<str>,
    /// When it was given last.
    pub(super) at: Timestamp,
    frame: u64,
    capture: u16,
    /// Seconds.
    pub(super) lifetime: u32,
    /// The answer before this one for the same asker and address.
    earlier: u32,
    /// Who asked, by number, and the address that the name stands for.
    asker: u32,
    address: Address,
}

impl Answer {
    /// What an asker was told of an address.
    pub(super) const fn new(
        name: Arc<str>,
        (frame, at): (FrameRef, Timestamp),
        lifetime: u32,
        asker: u32,
        address: Address,
    ) -> Self {
        Self {
            name,
            at,
            frame: frame.number,
            capture: frame.capture,
            lifetime,
            earlier: END,
            asker,
            address,
        }
    }

    /// The same of an asker by another number.
    pub(super) fn of(self, asker: u32) -> Self {
        Self { asker, ..self }
    }

    /// The frame that gave it first.
    pub(super) const fn frame(&self) -> FrameRef {
        FrameRef {
            capture: self.capture,
            number: self.frame,
        }
    }
}

/// Who asked.
#[derive(Clone, Copy, Debug)]
struct Asker {
    space: AddressSpace,
    address: Address,
    /// Another machine has the address since.
    is_gone: bool,
}

/// Half of the memory. Askers are numbered and names shared, because a busy resolver's client has thousands of answers
/// and a busy site's name thousands of askers.
///
/// The tables hold places in `answers` alone, whose keys stand there already: with keys of their own they took more memory than the answers.
#[derive(Debug, Default)]
pub(super) struct Generation {
    /// Numbers of the askers.
    numbers: HashTable<u32>,
    askers: Pieces<Asker>,
    /// One answer of each name.
    names: HashTable<u32>,
    /// The latest answer of each asker and address.
    latest: HashTable<u32>,
    /// All of them.
    pub(super) answers: Pieces<Answer>,
    answered: Answered,
}

/// Bits of [`Answered`], a power of two: 64 KiB, of which a tenth is set when fifty thousand addresses were answered.
const BITS: usize = 1 << 19;

/// Which addresses any answer stands for, as bits of their hashes: most flows to a resolver, and from scanners, go to one that nobody was told of.
#[derive(Debug, Default)]
struct Answered(Vec<u64>);

impl Answered {
    /// Word and bit of an address.
    fn place(address: Address) -> (usize, u64) {
        let [one, other] = address.words();
        let hash = (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = usize::try_from(hash >> 40).unwrap_or(0) % BITS;
        (bit / 64, 1 << (bit % 64))
    }

    fn add(&mut self, address: Address) {
        if self.0.is_empty() {
            self.0.resize(BITS / 64, 0);
        }
        let (word, bit) = Self::place(address);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether an address may be among them.
    fn may_have(&self, address: Address) -> bool {
        let (word, bit) = Self::place(address);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// What an answer is found by, with its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) space: AddressSpace,
    pub(super) asker: Address,
    address: Address,
    hash: u64,
}

/// The hashes of the tables: the same for both generations.
#[derive(Debug, Default)]
pub(super) struct Hashes(rapidhash::fast::RandomState);

impl Hashes {
    fn asker(&self, space: AddressSpace, asker: Address) -> u64 {
        let [one, other] = asker.words();
        self.0.hash_one((space.0, one, other))
    }

    fn pair(&self, space: AddressSpace, asker: Address, address: Address) -> u64 {
        let ([one, other], [first, second]) = (asker.words(), address.words());
        self.0.hash_one((space.0, one, other, first, second))
    }

    /// What an answer to an asker is found by.
    pub(super) fn key(&self, space: AddressSpace, asker: Address, address: Address) -> Key {
        Key {
            space,
            asker,
            address,
            hash: self.pair(space, asker, address),
        }
    }

    /// Of a name.
    pub(super) fn name(&self, name: &str) -> u64 {
        self.0.hash_one(name)
    }
}

impl Generation {
    /// Whether any asker may have been told of an address.
    pub(super) fn may_have(&self, address: Address) -> bool {
        self.answered.may_have(address)
    }

    fn is_asker(&self, number: u32, space: AddressSpace, address: Address) -> bool {
        self.askers
            .get(number as usize)
            .is_some_and(|asker| asker.address == address && asker.space == space && !asker.is_gone)
    }

    /// The latest answer of an asker about an address.
    pub(super) fn latest(&self, key: &Key) -> Option<u32> {
        let is_of = |place: &u32| {
            self.answers.get(*place as usize).is_some_and(|answer| {
                answer.address == key.address && self.is_asker(answer.asker, key.space, key.asker)
            })
        };
        self.latest.find(key.hash, is_of).copied()
    }

    /// The answers from one on to the earlier ones.
    pub(super) fn from(&self, latest: u32) -> impl Iterator<Item = (u32, &Answer)> {
        let mut next = latest;
        std::iter::from_fn(move || {
            let place = next;
            let answer = self.answers.get(place as usize)?;
            next = answer.earlier;
            Some((place, answer))
        })
        .take(MOST_ANSWERS)
    }

    /// The number of an asker, where it has one.
    pub(super) fn number_of(&self, space: AddressSpace, address: Address, hashes: &Hashes) -> Option<u32> {
        let is_of = |number: &u32| self.is_asker(*number, space, address);
        let hash = hashes.asker(space, address);
        self.numbers.find(hash, is_of).copied()
    }

    /// The number of an asker, given when new.
    pub(super) fn number(&mut self, space: AddressSpace, address: Address, hashes: &Hashes) -> u32 {
        if let Some(number) = self.number_of(space, address, hashes) {
            return number;
        }
        let hash = hashes.asker(space, address);
        let Self { numbers, askers, .. } = self;
        let number = u32::try_from(askers.len()).unwrap_or(END);
        numbers.insert_unique(hash, number, |known| {
            let asker = askers.get(*known as usize);
            asker.map_or(0, |asker| hashes.asker(asker.space, asker.address))
        });
        askers.push(Asker {
            space,
            address,
            is_gone: false,
        });
        number
    }

    /// An asker that is another machine from now on.
    pub(super) fn forget(&mut self, space: AddressSpace, address: Address, hashes: &Hashes) {
        let hash = hashes.asker(space, address);
        let Self { numbers, askers, .. } = self;
        let is_of = |number: &u32| {
            askers
                .get(*number as usize)
                .is_some_and(|asker| asker.address == address && asker.space == space)
        };
        if let Ok(known) = numbers.find_entry(hash, is_of) {
            let (number, _) = known.remove();
            if let Some(asker) = askers.get_mut(number as usize) {
                asker.is_gone = true;
            }
        }
    }

    /// An answer that has this name.
    pub(super) fn named(&self, name: &str, hash: u64) -> Option<&Answer> {
        let of = |place: &u32| self.answers.get(*place as usize);
        let place = self.names.find(hash, |place| {
            of(place).is_some_and(|answer| *answer.name == *name)
        })?;
        of(place)
    }

    /// Adds an answer, as the latest for its asker and address, whose key this is.
    pub(super) fn push(&mut self, mut answer: Answer, key: &Key, hashes: &Hashes) {
        let Self {
            askers,
            latest,
            answers,
            answered,
            ..
        } = self;
        answered.add(answer.address);
        let place = u32::try_from(answers.len()).unwrap_or(END);
        let of = |place: &u32| answers.get(*place as usize);
        let entry = latest.entry(
            key.hash,
            |known| {
                of(known).is_some_and(|known| known.asker == answer.asker && known.address == answer.address)
            },
            |known| {
                of(known).map_or(0, |known| {
                    let asker = askers.get(known.asker as usize);
                    asker.map_or(0, |asker| hashes.pair(asker.space, asker.address, known.address))
                })
            },
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
        answers.push(answer);
    }

    /// Makes the answer that was added last the one that its name is found by.
    pub(super) fn name_latest(&mut self, hash: u64, hashes: &Hashes) {
        let Self { names, answers, .. } = self;
        let place = answers.len().saturating_sub(1);
        names.insert_unique(hash, u32::try_from(place).unwrap_or(END), |known| {
            let known = answers.get(*known as usize);
            known.map_or(0, |known| hashes.name(&known.name))
        });
    }
}

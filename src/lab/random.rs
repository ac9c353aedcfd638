//! The laboratory's own source of chance: the same numbers from the same seed, on any machine and for ever.
//!
//! Sebastiano Vigna's public-domain generators: xoshiro256** for numbers, splitmix64 to fill its state.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// A trait of a scenario as it was drawn: what the truth tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trait {
    /// Range for odd seeds.
    pub(super) fitting: RangeInclusive<u64>,
    /// Range for even seeds, of which the values of `fitting` are left out.
    pub(super) judging: RangeInclusive<u64>,
    /// What was drawn: several where several actors have it.
    pub(super) drawn: Vec<u64>,
}

/// What all streams of one seed share.
#[derive(Debug, Default)]
struct Shared {
    /// Traits that somebody set, whatever the seed would have drawn.
    set: BTreeMap<String, u64>,
    /// Traits that were drawn so far.
    drawn: RefCell<BTreeMap<String, Trait>>,
}

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; 4],
    /// Whether its seed is even: a model is judged by even seeds and fitted on odd ones, so the two draw from different ranges.
    is_judging: bool,
    shared: Rc<Shared>,
}

impl Random {
    /// The stream of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut state = seed;
        let filled = [(); 4].map(|()| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        });
        Self {
            state: filled,
            is_judging: seed.is_multiple_of(2),
            shared: Rc::default(),
        }
    }

    /// The stream of a seed with some traits set.
    pub(super) fn with(seed: u64, set: &[(&str, u64)]) -> Self {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), *value));
        Self {
            shared: Rc::new(Shared {
                set: set.collect(),
                drawn: RefCell::default(),
            }),
            ..Self::new(seed)
        }
    }

    /// A stream for somebody with this name, so that what one actor draws moves nobody else's numbers.
    pub(super) fn fork(&self, name: &str) -> Self {
        let [first, ..] = self.state;
        let fold = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        Self {
            is_judging: self.is_judging,
            shared: Rc::clone(&self.shared),
            ..Self::new(name.bytes().fold(0xcbf2_9ce4_8422_2325 ^ first, fold))
        }
    }

    /// A trait of a scenario: for odd seeds (on which a model may be fitted) drawn from `fitting`, for even ones (by which it is
    /// judged) from what `judging` holds beside it. So no value of the one half is ever a value of the other. The same name gives the
    /// same number.
    pub(super) fn held_out(
        &self,
        name: &str,
        fitting: RangeInclusive<u64>,
        judging: RangeInclusive<u64>,
    ) -> u64 {
        let mut own = self.fork(name);
        let drawn = if let Some(value) = self.shared.set.get(name) {
            *value
        } else if self.is_judging {
            own.beside(&fitting, &judging)
        } else {
            own.within(fitting.clone())
        };
        let mut traits = self.shared.drawn.borrow_mut();
        let told = traits.entry(name.to_owned()).or_insert_with(|| Trait {
            fitting,
            judging,
            drawn: Vec::new(),
        });
        if !told.drawn.contains(&drawn) {
            told.drawn.push(drawn);
        }
        drawn
    }

    /// One of the values of `judging` that `fitting` does not hold, each as likely as the others.
    fn beside(&mut self, fitting: &RangeInclusive<u64>, judging: &RangeInclusive<u64>) -> u64 {
        let below = (fitting.start().min(&(judging.end() + 1))).saturating_sub(*judging.start());
        let from = (*judging.start()).max(fitting.end() + 1);
        let above = (judging.end() + 1).saturating_sub(from);
        debug_assert!(below + above > 0, "{judging:?} holds nothing beside {fitting:?}");
        let place = self.within(0..=(below + above).saturating_sub(1));
        if place < below {
            judging.start() + place
        } else {
            from + (place - below)
        }
    }

    /// The traits that were drawn so far by all streams of the seed.
    pub(super) fn traits(&self) -> BTreeMap<String, Trait> {
        self.shared.drawn.borrow().clone()
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ b << 17, d.rotate_left(45)];
        b.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }

    /// A number of the range. The bias of the remainder is far below what a capture shows.
    pub(super) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + self.next() % width.max(1)
    }

    /// A number of the range as a count or length.
    pub(super) fn count(&mut self, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.within(range)).unwrap_or(usize::MAX)
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// Sixteen bits.
    pub(super) fn short(&mut self) -> u16 {
        let [low, high, ..] = self.next().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Thirty-two bits.
    pub(super) fn word(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// So many octets.
    pub(super) fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut octets = Vec::with_capacity(length + 8);
        while octets.len() < length {
            octets.extend_from_slice(&self.next().to_le_bytes());
        }
        octets.truncate(length);
        octets
    }

    /// An array of octets.
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.next().to_le_bytes()[0])
    }

    /// One of the choices.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> Option<&'a T> {
        let last = u64::try_from(choices.len()).ok()?.checked_sub(1)?;
        choices.get(self.count(0..=last)).copied()
    }

    /// So many digits in lower-case hexadecimal.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            let _ = write!(text, "{:016x}", self.next());
        }
        text.truncate(digits);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_numbers_that_it_always_gave() {
        let mut random = Random::new(7);
        let first = [random.next(), random.next()];
        let mut again = Random::new(7);
        assert_eq!(first, [again.next(), again.next()]);
        assert_ne!(Random::new(8).next(), first[0]);
    }

    #[test]
    fn forks_differ_by_name_and_leave_their_source_alone() {
        let source = Random::new(1);
        assert_ne!(source.fork("one").next(), source.fork("two").next());
        assert_eq!(source.fork("one").next(), source.fork("one").next());
    }

    #[test]
    fn odd_and_even_seeds_draw_from_ranges_of_their_own() {
        for seed in 0..40 {
            let drawn = Random::new(seed).fork("house").held_out("size", 2..=4, 5..=9);
            assert_eq!(seed.is_multiple_of(2), drawn >= 5, "{drawn}");
        }
    }

    #[test]
    fn ranges_that_overlap_share_no_value() {
        for seed in 0..200 {
            let random = Random::new(seed);
            let is_judging = seed.is_multiple_of(2);
            let drawn = random.held_out("size", 5..=6, 3..=9);
            assert_eq!(is_judging, !(5..=6).contains(&drawn));
            assert!((3..=9).contains(&drawn));
            assert_eq!(
                random.held_out("days", 5..=5, 5..=6),
                if is_judging { 6 } else { 5 }
            );
            assert_eq!(
                Random::with(seed, &[("size", 30)])
                    .fork("house")
                    .held_out("size", 5..=6, 3..=9),
                30
            );
            let traits = random.fork("somebody").traits();
            assert_eq!(traits["size"].drawn, [drawn]);
        }
        let all: std::collections::BTreeSet<u64> = (0..200)
            .map(|half| Random::new(half * 2).held_out("size", 5..=6, 3..=9))
            .collect();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [3, 4, 7, 8, 9]);
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = Random::new(3);
        assert!((0..1_000).all(|_| (5..=9).contains(&random.within(5..=9))));
        assert_eq!(random.octets(13).len(), 13);
        assert_eq!(random.hex(5).len(), 5);
    }
}

//! Sequences of byte sets with repeats: what byte patterns (`payload.rs`) and shapes of texts (`shape.rs`) are made of.

/// Most repeats of variable length in one sequence: with 64 places each, matching stays below a few thousand steps.
const MOST_VARIABLE: usize = 2;

/// Most places of a repeat of variable length.
const LONGEST_VARIABLE: u16 = 64;

/// A set of byte values with how often one of them stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    set: [u64; 4],
    least: u16,
    most: u16,
}

impl Element {
    /// No byte yet, once.
    pub(super) const fn empty() -> Self {
        Self {
            set: [0; 4],
            least: 1,
            most: 1,
        }
    }

    /// Any byte, once.
    pub(super) const fn any() -> Self {
        Self {
            set: [u64::MAX; 4],
            ..Self::empty()
        }
    }

    /// Whether it stands for no byte at all.
    pub(super) fn is_empty(&self) -> bool {
        self.set == [0; 4]
    }

    /// Adds a byte to the set.
    pub(super) fn add(&mut self, byte: u8) {
        if let Some(word) = self.set.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    /// The same set, so many times in a row.
    pub(super) fn repeated(self, least: u16, most: u16) -> Result<Self, String> {
        if least > most || most == 0 {
            return Err(format!("the repeat {least}-{most} ends before it begins"));
        }
        Ok(Self { least, most, ..self })
    }

    fn holds(&self, byte: u8) -> bool {
        self.set
            .get(usize::from(byte >> 6))
            .is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn is_variable(&self) -> bool {
        self.least != self.most
    }

    /// The byte, if there is only one and it stands once.
    fn literal(&self) -> Option<u8> {
        let is_single = self.least == 1
            && self.most == 1
            && self.set.iter().map(|word| word.count_ones()).sum::<u32>() == 1;
        is_single.then(|| (0..=u8::MAX).find(|byte| self.holds(*byte)))?
    }
}

/// Elements one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence(Vec<Element>);

impl Sequence {
    /// A sequence that can be matched in bounded time.
    pub(super) fn new(elements: Vec<Element>) -> Result<Self, String> {
        let variable = elements.iter().filter(|element| element.is_variable());
        if elements.is_empty() {
            return Err("no bytes".to_owned());
        }
        if variable.clone().count() > MOST_VARIABLE
            || variable.clone().any(|element| element.most > LONGEST_VARIABLE)
        {
            return Err(format!(
                "more than {MOST_VARIABLE} repeats of variable length, or one beyond {LONGEST_VARIABLE}"
            ));
        }
        Ok(Self(elements))
    }

    /// The most bytes that it may span.
    pub(super) fn span(&self) -> usize {
        self.0.iter().map(|element| usize::from(element.most)).sum()
    }

    /// The longest run of fixed bytes at a known distance from the beginning, with that distance; the earliest of equals.
    pub(super) fn literal(&self) -> Option<(Vec<u8>, usize)> {
        let mut best: Option<(Vec<u8>, usize)> = None;
        let mut offset = 0_usize;
        let mut run: Vec<u8> = Vec::new();
        for element in self.0.iter().map(Some).chain([None]) {
            if let Some(byte) = element.and_then(Element::literal) {
                run.push(byte);
                offset += 1;
                continue;
            }
            if !run.is_empty() && best.as_ref().is_none_or(|(best, _)| best.len() < run.len()) {
                let start = offset - run.len();
                best = Some((std::mem::take(&mut run), start));
            }
            run.clear();
            match element {
                Some(element) if !element.is_variable() => offset += usize::from(element.most),
                _ => break,
            }
        }
        best
    }

    /// Whether it stands at the beginning of `bytes`.
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        stands(&self.0, bytes, false)
    }

    /// Whether it is all of `bytes`.
    pub(super) fn is_all_of(&self, bytes: &[u8]) -> bool {
        stands(&self.0, bytes, true)
    }

    /// The shortest bytes that it stands for, letters and digits where it leaves the choice.
    pub(super) fn example(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for element in &self.0 {
            let choice = (b'0'..=b'z')
                .filter(u8::is_ascii_alphanumeric)
                .chain(0..=u8::MAX)
                .find(|byte| element.holds(*byte));
            bytes.extend(std::iter::repeat_n(
                choice.unwrap_or_default(),
                usize::from(element.least),
            ));
        }
        bytes
    }
}

/// Whether the elements stand at the beginning of `bytes`, and reach to their end where that is asked. Recursion only
/// where a repeat is of variable length.
fn stands(elements: &[Element], mut bytes: &[u8], to_the_end: bool) -> bool {
    let mut elements = elements.iter();
    while let Some(element) = elements.next() {
        let held = bytes
            .iter()
            .take(usize::from(element.most))
            .take_while(|byte| element.holds(**byte))
            .count();
        if held < usize::from(element.least) {
            return false;
        }
        if !element.is_variable() {
            bytes = bytes.get(held..).unwrap_or_default();
            continue;
        }
        let rest = elements.as_slice();
        return (usize::from(element.least)..=held).any(|taken| {
            bytes
                .get(taken..)
                .is_some_and(|from| stands(rest, from, to_the_end))
        });
    }
    !to_the_end || bytes.is_empty()
}

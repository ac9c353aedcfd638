//! Domain names: which entries' names end a name.
//!
//! One map from a suffix to its entries; a lookup tries the name, then what follows each dot, so it costs as many probes as the
//! name has labels and does not depend on the number of entries. The keys are the catalogue's own, so nobody outside chooses
//! which of them collide.

use rapidhash::RapidHashMap;

/// A name on the wire has at most 255 octets and thus at most 127 labels (RFC 1035, 2.3.4); what is longer is cut in front.
const LONGEST: usize = 255;

/// One rule under a suffix.
#[derive(Clone, Debug)]
enum Rule {
    /// Only the whole name.
    Whole(u32),
    /// The whole name or anything in front of a dot.
    Suffix(u32),
    /// In front of the suffix a label with a star: what stands before the star, further labels included, and behind it.
    Label(Box<str>, Box<str>, u32),
}

/// Names of one field. Keys are lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct DomainIndex {
    rules: RapidHashMap<Box<[u8]>, Vec<Rule>>,
    ends: Ends,
}

/// Words of 64 bits in [`Ends`]: 2 KiB, in which the ends of a thousand domains leave most bits unset.
const END_WORDS: usize = 256;

/// In what the keys end: a bit for each two last labels, or for the one of a key that has no more. Nearly every name that is asked about ends in
/// nothing that the catalogue knows, and this tells it from a dozen octets.
#[derive(Clone, Debug)]
struct Ends(Box<[u64; END_WORDS]>);

impl Default for Ends {
    fn default() -> Self {
        Self(Box::new([0; END_WORDS]))
    }
}

/// Word and bit of the ends of a name: of its last label, and of its last two where it has them. Letters in either case are one.
fn ends_of(name: &[u8]) -> [(usize, u64); 2] {
    let place = |state: u32| {
        let number = state.wrapping_mul(0x9e37_79b1) >> 18;
        let word = usize::try_from(number / 64).unwrap_or_default();
        (word, 1_u64 << (number % 64))
    };
    let mut state: u32 = 0x811c_9dc5;
    let mut last = None;
    for octet in name.iter().rev() {
        if *octet == b'.' {
            if let Some(last) = last {
                return [last, place(state)];
            }
            last = Some(place(state));
        }
        state = (state ^ u32::from(octet | 0x20)).wrapping_mul(0x0100_0193);
    }
    let whole = place(state);
    [last.unwrap_or(whole), whole]
}

impl Ends {
    fn add(&mut self, key: &[u8]) {
        let [_, (word, bit)] = ends_of(key);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a key may be the name or what follows one of its dots; `false` where none is.
    fn may_end(&self, name: &[u8]) -> bool {
        let is_set = |(word, bit): (usize, u64)| self.0.get(word).is_some_and(|word| word & bit != 0);
        ends_of(name).into_iter().any(is_set)
    }
}

/// What is looked at of a name.
fn cut(name: &[u8]) -> &[u8] {
    name.get(name.len().saturating_sub(LONGEST)..).unwrap_or(name)
}

impl DomainIndex {
    /// `name` alone belongs to `entry`.
    pub(super) fn add_exact(&mut self, name: &str, entry: u32) {
        self.add(name, Rule::Whole(entry));
    }

    /// `name` and everything below it belong to `entry`.
    pub(super) fn add_suffix(&mut self, name: &str, entry: u32) {
        self.add(name, Rule::Suffix(entry));
    }

    /// Names such as `relay-*.example.com` or `tunnel.*.example.com` belong to `entry`. Nothing happens where there is no such label.
    pub(super) fn add_label(&mut self, name: &str, entry: u32) {
        if let Some(((head, tail), suffix)) = split_label(name) {
            self.add(suffix, Rule::Label(head.into(), tail.into(), entry));
        }
    }

    fn add(&mut self, name: &str, rule: Rule) {
        let key = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        self.ends.add(&key);
        self.rules.entry(key).or_default().push(rule);
    }

    /// Whether any entry may have a name, written in any case and without its final dot; `false` where none has.
    pub(super) fn may_hold(&self, name: &[u8]) -> bool {
        !self.rules.is_empty() && self.ends.may_end(cut(name))
    }

    /// Calls `found` with every entry that `name` belongs to. `name` must be lower case and without its final dot.
    pub(super) fn find(&self, name: &[u8], mut found: impl FnMut(u32)) {
        if !self.may_hold(name) {
            return;
        }
        let name = cut(name);
        let mut start = 0_usize;
        loop {
            let suffix = name.get(start..).unwrap_or_default();
            let head = name.get(..start.saturating_sub(1)).unwrap_or_default();
            for rule in self.rules.get(suffix).into_iter().flatten() {
                match rule {
                    Rule::Whole(entry) if start == 0 => found(*entry),
                    Rule::Suffix(entry) => found(*entry),
                    Rule::Label(begin, end, entry) if is_label(head, begin.as_bytes(), end.as_bytes()) => {
                        found(*entry);
                    }
                    Rule::Whole(_) | Rule::Label(..) => {}
                }
            }
            match suffix.iter().position(|byte| *byte == b'.') {
                Some(dot) => start = start.saturating_add(dot).saturating_add(1),
                None => return,
            }
        }
    }
}

/// `a.relay-*x.net.example` as (`a.relay-`, `x`) and `net.example`; `None` where there is no single star, or no domain of at
/// least two labels behind it: a star directly below a top-level domain would be everybody's.
pub(super) fn split_label(name: &str) -> Option<((&str, &str), &str)> {
    let (head, rest) = name.split_once('*')?;
    let (tail, suffix) = rest.split_once('.')?;
    let is_wild = rest.contains('*') || !suffix.contains('.');
    (!is_wild).then_some(((head, tail), suffix))
}

/// Whether `labels` begins and ends so, with something between that is one label or a part of one.
fn is_label(labels: &[u8], begin: &[u8], end: &[u8]) -> bool {
    let between = labels.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
    between.is_some_and(|between| !between.is_empty() && !between.contains(&b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index() -> DomainIndex {
        let mut index = DomainIndex::default();
        index.add_suffix("Example.com", 1);
        index.add_exact("boot.example.com", 2);
        index.add_label("relay-*.net.example.com", 3);
        index.add_label("*-gw.example.com", 4);
        index.add_label("tunnel.*.example.com", 5);
        index
    }

    fn found(name: &str) -> Vec<u32> {
        let mut all = Vec::new();
        index().find(name.as_bytes(), |entry| all.push(entry));
        all.sort_unstable();
        all
    }

    #[test]
    fn a_suffix_matches_at_a_dot_only() {
        assert_eq!(found("example.com"), [1]);
        assert_eq!(found("a.b.example.com"), [1]);
        assert_eq!(found("badexample.com"), Vec::<u32>::new());
        assert_eq!(found("example.com.evil.test"), Vec::<u32>::new());
        assert_eq!(found(""), Vec::<u32>::new());
        assert_eq!(found("..."), Vec::<u32>::new());
    }

    #[test]
    fn an_exact_name_has_no_children_and_a_star_is_one_label() {
        assert_eq!(found("boot.example.com"), [1, 2]);
        assert_eq!(found("x.boot.example.com"), [1]);
        assert_eq!(found("relay-0a1b2c3d.net.example.com"), [1, 3]);
        assert_eq!(found("relay-.net.example.com"), [1]);
        assert_eq!(found("x.relay-1.net.example.com"), [1]);
        assert_eq!(found("eu-gw.example.com"), [1, 4]);
        assert_eq!(found("tunnel.eu.example.com"), [1, 5]);
        assert_eq!(found("tunnel.a.b.example.com"), [1]);
        assert_eq!(found("x.tunnel.eu.example.com"), [1]);
        assert_eq!(found("tunnel.example.com"), [1]);
    }

    #[test]
    fn a_star_stands_once_and_not_below_a_top_level_domain() {
        for wrong in [
            "example.com",
            "*.com",
            "a*.com",
            "a*.b*.example.com",
            "*",
            "a.*",
            "*.",
        ] {
            assert!(split_label(wrong).is_none(), "{wrong}");
        }
        assert_eq!(split_label("a.b*c.x.example"), Some((("a.b", "c"), "x.example")));
    }

    proptest! {
        #[test]
        fn a_lookup_agrees_with_a_comparison_label_by_label(name in "[a-c.]{0,12}", suffix in "[a-c]{1,2}(\\.[a-c]{1,2}){0,2}") {
            let mut index = DomainIndex::default();
            index.add_suffix(&suffix, 7);
            let mut hit = false;
            index.find(name.as_bytes(), |_| hit = true);
            prop_assert_eq!(hit, name == suffix || name.ends_with(&format!(".{suffix}")));
        }
    }
}

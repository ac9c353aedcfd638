//! TOML files of the user, read so that everything wrong in them is named at once: file, line, field, what, and what was meant.
//!
//! Signature files and policies are read through here. A reader asks a [`Table`] for its keys; what is missing, of another
//! type or unknown becomes a [`Fault`], and reading goes on to the next.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The key, or empty where none is to blame.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        f.write_str(" ")?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong in one or more files, a line each; never empty where it is returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A parsed file and the faults found in it so far.
pub struct Document<'a> {
    path: PathBuf,
    line_ends: Vec<usize>,
    root: DeTable<'a>,
    root_start: usize,
    faults: RefCell<Vec<Fault>>,
}

impl<'a> Document<'a> {
    /// Parses `text`; `path` is for the faults. Wrong syntax is refused at once, with all of it named.
    pub fn parse(path: &Path, text: &'a str) -> Result<Self, Faults> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let line_ends = line_ends(text);
        if !errors.is_empty() {
            let fault = |error: &toml::de::Error| Fault {
                path: path.to_owned(),
                line: line_of(&line_ends, error.span().map_or(0, |span| span.start)),
                field: String::new(),
                what: error.message().to_owned(),
            };
            return Err(Faults(errors.iter().map(fault).collect()));
        }
        Ok(Self {
            path: path.to_owned(),
            line_ends,
            root_start: root.span().start,
            root: root.into_inner(),
            faults: RefCell::default(),
        })
    }

    /// The file's top table.
    #[must_use]
    pub fn root(&self) -> Table<'_> {
        Table {
            file: Place {
                path: &self.path,
                line_ends: &self.line_ends,
                faults: &self.faults,
            },
            entries: &self.root,
            start: self.root_start,
            name: String::new(),
            asked: RefCell::default(),
        }
    }

    /// `value` if nothing was wrong, else everything that was, in the order of the lines.
    pub fn finish<T>(self, value: T) -> Result<T, Faults> {
        let mut faults = self.faults.into_inner();
        if faults.is_empty() {
            return Ok(value);
        }
        faults.sort();
        faults.dedup();
        Err(Faults(faults))
    }
}

/// Offsets of the line ends, so that the line of an offset costs a binary search: large files name thousands of lines.
fn line_ends(text: &str) -> Vec<usize> {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    ends.map(|(offset, _)| offset).collect()
}

/// Line of a byte offset, from 1.
fn line_of(ends: &[usize], offset: usize) -> usize {
    ends.partition_point(|end| *end < offset).saturating_add(1)
}

#[derive(Clone, Copy)]
struct Place<'d> {
    path: &'d Path,
    line_ends: &'d [usize],
    faults: &'d RefCell<Vec<Fault>>,
}

/// A table of a file: ask for keys, then call [`Table::refuse_unknown`].
pub struct Table<'d> {
    file: Place<'d>,
    entries: &'d DeTable<'d>,
    start: usize,
    name: String,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'d> Table<'d> {
    /// Line on which the table begins.
    #[must_use]
    pub fn line(&self) -> usize {
        line_of(self.file.line_ends, self.start)
    }

    /// Whether the key stands here.
    #[must_use]
    pub fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// Notes that `key` is wrong: at its line, or at the table's where it is missing.
    pub fn fault(&self, key: &str, what: impl Into<String>) {
        let start = self
            .entries
            .get(key)
            .map_or(self.start, |value| value.span().start);
        self.fault_at(start, key, what.into());
    }

    fn fault_at(&self, start: usize, key: &str, what: String) {
        let field = match (self.name.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.name.clone(),
            (false, false) => format!("{}.{key}", self.name),
        };
        self.file.faults.borrow_mut().push(Fault {
            path: self.file.path.to_owned(),
            line: line_of(self.file.line_ends, start),
            field,
            what,
        });
    }

    fn value(&self, key: &'static str) -> Option<(&'d DeValue<'d>, usize)> {
        self.asked.borrow_mut().insert(key);
        self.entries
            .get(key)
            .map(|value| (value.get_ref(), value.span().start))
    }

    /// A value read by `read`; another type is a fault.
    fn typed<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<T> {
        let (value, start) = self.value(key)?;
        let found = read(value);
        if found.is_none() {
            self.fault_at(
                start,
                key,
                format!("expected {wanted}, found {}", value.type_str()),
            );
        }
        found
    }

    /// A text.
    #[must_use]
    pub fn text(&self, key: &'static str) -> Option<&'d str> {
        self.typed(key, "a text in quotes", DeValue::as_str)
    }

    /// A text that must be there and not be empty.
    #[must_use]
    pub fn required_text(&self, key: &'static str) -> Option<&'d str> {
        if !self.has(key) {
            self.fault(key, "missing");
            return None;
        }
        let text = self.text(key)?;
        if text.trim().is_empty() {
            self.fault(key, "empty");
            return None;
        }
        Some(text)
    }

    /// A whole number.
    #[must_use]
    pub fn whole(&self, key: &'static str) -> Option<i64> {
        self.typed(key, "a whole number", whole)
    }

    /// A number with or without a fraction.
    #[must_use]
    pub fn number(&self, key: &'static str) -> Option<f64> {
        self.typed(key, "a number", |value| match value {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(integer) => integer.as_str().replace('_', "").parse().ok(),
            DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        })
    }

    /// True or false.
    #[must_use]
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// A list of texts, or one text that stands for a list of one. Each with its line's offset for [`Table::fault_in`].
    #[must_use]
    pub fn texts(&self, key: &'static str) -> Vec<Item<'d>> {
        let Some((value, start)) = self.value(key) else {
            return Vec::new();
        };
        if let Some(text) = value.as_str() {
            return vec![Item { text, start }];
        }
        let Some(array) = value.as_array() else {
            self.fault_at(
                start,
                key,
                format!(
                    "expected a text in quotes or a list of them, found {}",
                    value.type_str()
                ),
            );
            return Vec::new();
        };
        let mut items = Vec::new();
        for element in array {
            let start = element.span().start;
            if let Some(text) = element.get_ref().as_str() {
                items.push(Item { text, start });
            } else {
                let found = element.get_ref().type_str();
                self.fault_at(start, key, format!("expected a text in quotes, found {found}"));
            }
        }
        items
    }

    /// Notes that an item of the list `key` is wrong.
    pub fn fault_in(&self, key: &str, item: Item<'_>, what: impl Into<String>) {
        self.fault_at(item.start, key, what.into());
    }

    /// A table within this one.
    #[must_use]
    pub fn table(&self, key: &'static str) -> Option<Table<'d>> {
        let entries = self.typed(key, "a table", DeValue::as_table)?;
        let start = self.value(key).map_or(self.start, |(_, start)| start);
        Some(self.within(entries, start, key))
    }

    /// The tables of `[[key]]`.
    #[must_use]
    pub fn tables(&self, key: &'static str) -> Vec<Table<'d>> {
        let Some(array) = self.typed(key, "tables in double brackets", DeValue::as_array) else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in array {
            let start = element.span().start;
            match element.get_ref().as_table() {
                Some(entries) => tables.push(self.within(entries, start, key)),
                None => self.fault_at(start, key, "expected a table".to_owned()),
            }
        }
        tables
    }

    fn within(&self, entries: &'d DeTable<'d>, start: usize, name: &str) -> Table<'d> {
        Table {
            file: self.file,
            entries,
            start,
            name: name.to_owned(),
            asked: RefCell::default(),
        }
    }

    /// Faults every key that nobody asked for.
    pub fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries {
            if !asked.contains(key.get_ref().as_ref()) {
                let meant = did_you_mean(key.get_ref(), asked.iter().copied());
                self.fault_at(key.span().start, key.get_ref(), format!("unknown key{meant}"));
            }
        }
    }
}

fn whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    let digits = integer.as_str().replace('_', "");
    i64::from_str_radix(&digits, integer.radix()).ok()
}

/// A text of a list and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Item<'d> {
    /// The text.
    pub text: &'d str,
    start: usize,
}

/// ` (did you mean "x"?)` for the candidate nearest to `word`, or nothing where none is near.
///
/// Near is at most a third of the word in insertions, deletions, exchanges and swaps of neighbours (optimal string alignment).
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let furthest = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= furthest)
        .min()
        .map_or_else(String::new, |(_, candidate)| {
            format!(" (did you mean {candidate:?}?)")
        })
}

/// The `most` candidates that are nearest to a word, the nearest first.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let mut ranked: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked
        .into_iter()
        .take(most)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// Optimal string alignment distance; words beyond 64 characters are compared by their first 64.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) =
        (left.chars().take(64).collect(), right.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    let mut left_before = None;
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut right_before = None;
        for (column, b) in right.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&previous, column) + usize::from(a != b))
                .min(at(&previous, column + 1) + 1)
                .min(at(&current, column) + 1);
            if left_before == Some(b) && right_before == Some(a) && column > 0 {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
            right_before = Some(b);
        }
        before = std::mem::replace(&mut previous, current);
        left_before = Some(a);
    }
    previous.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_file_is_named_with_its_line() {
        let text = "name = 5\n[part]\nsize = \"x\"\nlits = []\n[[row]]\n[[row]]\ncode = \" \"\n";
        let document = Document::parse(Path::new("p.toml"), text).unwrap();
        let root = document.root();
        assert_eq!(root.text("name"), None);
        let part = root.table("part").unwrap();
        assert_eq!(part.whole("size"), None);
        assert!(part.texts("list").is_empty());
        part.refuse_unknown();
        for row in root.tables("row") {
            assert_eq!(row.required_text("code"), None);
        }
        root.refuse_unknown();
        drop((root, part));
        let faults = document.finish(()).unwrap_err().to_string();
        assert_eq!(
            faults,
            "p.toml:1: name: expected a text in quotes, found integer\n\
             p.toml:3: part.size: expected a whole number, found string\n\
             p.toml:4: part.lits: unknown key (did you mean \"list\"?)\n\
             p.toml:5: row.code: missing\n\
             p.toml:7: row.code: empty"
        );
    }

    #[test]
    fn wrong_syntax_is_named_with_its_line() {
        let faults = Document::parse(Path::new("p.toml"), "a = 1\nb = = 2\n")
            .err()
            .unwrap();
        assert!(faults.to_string().starts_with("p.toml:2: "), "{faults}");
    }

    #[test]
    fn the_nearest_word_is_proposed_and_a_far_one_is_not() {
        let tools = ["anydesk", "rdp", "teamviewer"];
        assert_eq!(did_you_mean("anydesl", tools), " (did you mean \"anydesk\"?)");
        assert_eq!(
            did_you_mean("teamveiwer", tools),
            " (did you mean \"teamviewer\"?)"
        );
        assert_eq!(did_you_mean("prd", tools), "");
        assert_eq!(did_you_mean("splashtop", tools), "");
    }
}

//! Values that are compared whole, and pieces of values: fingerprints, ports, prefixes, byte patterns.
//!
//! Whole values stand in one map. Pieces that stand at one known place of a value, as nearly all do, are looked up there
//! (`placed.rs`); the others of a field are looked for in one pass by one automaton (Aho and Corasick, 1975). Where a piece is found, the
//! rest of its pattern is checked.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, BuildError};
use rapidhash::RapidHashMap;

use super::lengths::LengthPattern;
use super::payload::{Anchor, BytePattern, Transport};
use super::placed::Placed;
use super::shape::Shape;
use crate::model::lengths;

/// What must hold around a piece that was found.
#[derive(Clone, Debug)]
enum Check {
    /// Nothing.
    Anywhere,
    /// It is a whole attribute of a distinguished name.
    Attribute,
    /// The value has this shape.
    Shape(Box<Shape>),
    /// It stands where its pattern wants it, and the pattern holds.
    Bytes(Box<BytePattern>, usize, usize),
    /// It is a run of lengths, and their pattern holds.
    Lengths(Box<LengthPattern>),
}

/// The entries that hold a piece, with what must hold around it.
type Owners = Vec<(Check, u32)>;

/// What is known of a payload besides its first bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct PayloadContext {
    /// What carries it; patterns of another transport are passed over.
    pub transport: Option<Transport>,
    /// Its length on the wire; that of the bytes when unknown.
    pub length_on_wire: Option<usize>,
}

/// Whole values and pieces of one field.
#[derive(Debug, Default)]
pub(super) struct ValueIndex {
    whole: RapidHashMap<Box<[u8]>, Vec<u32>>,
    /// How long whole values are: a bit for each length, the last for all longer ones.
    lengths: u64,
    ports: BTreeMap<u16, Vec<u32>>,
    /// Pieces that stand at one place, with the entries that hold them.
    placed: Placed<Owners>,
    automaton: Option<AhoCorasick>,
    /// For every piece of the automaton, the entries that hold it.
    owners: Vec<Owners>,
    /// Bytes of a value that need be searched.
    window: usize,
}

/// Collects what a [`ValueIndex`] is made of.
#[derive(Debug, Default)]
pub(super) struct ValueIndexBuilder {
    index: ValueIndex,
    pieces: BTreeMap<Vec<u8>, Owners>,
    /// The same of pieces that stand at one place.
    placed: BTreeMap<(usize, Vec<u8>), Owners>,
}

/// The bit of a whole value's length.
fn length_bit(value: &[u8]) -> u64 {
    1 << value.len().min(63)
}

impl ValueIndexBuilder {
    pub(super) fn add_whole(&mut self, value: &[u8], entry: u32) {
        self.index.lengths |= length_bit(value);
        self.index.whole.entry(value.into()).or_default().push(entry);
    }

    pub(super) fn add_ports(&mut self, first: u16, last: u16, entry: u32) {
        for port in first..=last {
            self.index.ports.entry(port).or_default().push(entry);
        }
    }

    pub(super) fn add_prefix(&mut self, value: &[u8], entry: u32) {
        self.add_placed(0, value, Check::Anywhere, entry);
    }

    pub(super) fn add_contained(&mut self, value: &[u8], entry: u32) {
        self.index.window = usize::MAX;
        self.add_piece(value, Check::Anywhere, entry);
    }

    pub(super) fn add_attribute(&mut self, value: &[u8], entry: u32) {
        self.index.window = usize::MAX;
        self.add_piece(value, Check::Attribute, entry);
    }

    pub(super) fn add_shape(&mut self, shape: &Shape, entry: u32) {
        let Some((literal, distance)) = shape.literal() else {
            return;
        };
        self.add_placed(distance, &literal, Check::Shape(Box::new(shape.clone())), entry);
    }

    pub(super) fn add_bytes(&mut self, pattern: &BytePattern, entry: u32) {
        let Some(Anchor { literal, first, last }) = pattern.anchor() else {
            return;
        };
        let check = Check::Bytes(Box::new(pattern.clone()), first, last);
        if first == last {
            self.add_placed(first, &literal, check, entry);
            return;
        }
        self.index.window = self.index.window.max(last.saturating_add(literal.len()));
        self.add_piece(&literal, check, entry);
    }

    pub(super) fn add_lengths(&mut self, pattern: &LengthPattern, entry: u32) {
        self.index.window = usize::MAX;
        self.add_piece(
            &pattern.literal(),
            Check::Lengths(Box::new(pattern.clone())),
            entry,
        );
    }

    fn add_piece(&mut self, piece: &[u8], check: Check, entry: u32) {
        self.pieces
            .entry(piece.to_vec())
            .or_default()
            .push((check, entry));
    }

    fn add_placed(&mut self, place: usize, piece: &[u8], check: Check, entry: u32) {
        self.placed
            .entry((place, piece.to_vec()))
            .or_default()
            .push((check, entry));
    }

    /// Builds the automaton. It fails only beyond its own size limits.
    pub(super) fn finish(mut self, is_caseless: bool) -> Result<ValueIndex, BuildError> {
        self.index.placed = Placed::new(self.placed, is_caseless);
        if self.pieces.is_empty() {
            return Ok(self.index);
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(is_caseless)
            .build(self.pieces.keys())?;
        self.index.automaton = Some(automaton);
        self.index.owners = self.pieces.into_values().collect();
        Ok(self.index)
    }
}

impl ValueIndex {
    /// Whether no pattern is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.ports.is_empty() && self.placed.is_empty() && self.automaton.is_none()
    }

    /// Calls `found` with every entry whose pattern `value` fits; an entry may be called more than once.
    pub(super) fn find(&self, value: &[u8], context: PayloadContext, mut found: impl FnMut(u32)) {
        if self.lengths & length_bit(value) != 0
            && let Some(entries) = self.whole.get(value)
        {
            entries.iter().copied().for_each(&mut found);
        }
        if !self.ports.is_empty()
            && let Some(port) = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok())
        {
            self.ports
                .get(&port)
                .into_iter()
                .flatten()
                .copied()
                .for_each(&mut found);
        }
        self.placed.find(value, |place, length, owners| {
            for (check, entry) in owners {
                if holds(check, place, place.saturating_add(length), value, context) {
                    found(*entry);
                }
            }
        });
        let Some(automaton) = &self.automaton else {
            return;
        };
        let searched = value.get(..self.window.min(value.len())).unwrap_or(value);
        for hit in automaton.find_overlapping_iter(searched) {
            for (check, entry) in self.owners.get(hit.pattern().as_usize()).into_iter().flatten() {
                if holds(check, hit.start(), hit.end(), value, context) {
                    found(*entry);
                }
            }
        }
    }
}

fn holds(check: &Check, start: usize, end: usize, value: &[u8], context: PayloadContext) -> bool {
    match check {
        Check::Anywhere => true,
        Check::Attribute => is_attribute(value, start, end),
        Check::Shape(shape) => shape.matches(value),
        Check::Bytes(pattern, first, last) => {
            (*first..=*last).contains(&start)
                && context
                    .transport
                    .is_none_or(|transport| transport == pattern.transport)
                && pattern.matches(value, context.length_on_wire.unwrap_or(value.len()))
        }
        Check::Lengths(pattern) => {
            let fits = |(have, wanted)| have == wanted;
            start.is_multiple_of(lengths::WIDTH)
                && context.transport.zip(pattern.transport).is_none_or(fits)
                && pattern.matches(value)
        }
    }
}

/// Whether the piece from `start` to `end` begins behind a separator and ends before one.
fn is_attribute(value: &[u8], start: usize, end: usize) -> bool {
    let before = value.get(..start).unwrap_or_default().trim_ascii_end();
    let behind = value.get(end..).unwrap_or_default().trim_ascii_start();
    let is_separator = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b',' | b'/' | b'+' | b';'));
    is_separator(before.last()) && is_separator(behind.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(index: &ValueIndex, value: &[u8], context: PayloadContext) -> Vec<u32> {
        let mut all = Vec::new();
        index.find(value, context, |entry| all.push(entry));
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn an_attribute_is_whole_wherever_it_stands() {
        let mut builder = ValueIndexBuilder::default();
        builder.add_attribute(b"CN=tinypilot", 1);
        let index = builder.finish(false).unwrap();
        let none = PayloadContext::default();
        for subject in [
            "CN=tinypilot",
            "C=US, CN=tinypilot",
            "CN=tinypilot,O=x",
            "/O=x/CN=tinypilot",
        ] {
            assert_eq!(found(&index, subject.as_bytes(), none), [1], "{subject}");
        }
        for subject in ["CN=tinypilot-ca", "CN=tinypilot ca", "XCN=tinypilot", ""] {
            assert!(found(&index, subject.as_bytes(), none).is_empty(), "{subject}");
        }
    }

    #[test]
    fn a_shape_is_found_wherever_its_letters_stand() {
        let mut builder = ValueIndexBuilder::default();
        builder.add_shape(&Shape::parse("kvm-[0-9a-f]{4}").unwrap(), 1);
        builder.add_shape(&Shape::parse("[a-z]{4}-kvm*").unwrap(), 2);
        let index = builder.finish(true).unwrap();
        let none = PayloadContext::default();
        assert_eq!(found(&index, b"kvm-12ab", none), [1]);
        assert_eq!(found(&index, b"rack-kvm7", none), [2]);
        for value in ["kvm-12a", "racks-kvm", "-kvm", "akvm-12ab", ""] {
            assert!(found(&index, value.as_bytes(), none).is_empty(), "{value}");
        }
    }

    #[test]
    fn bytes_are_found_by_transport_place_and_length() {
        let mut builder = ValueIndexBuilder::default();
        builder.add_bytes(
            &BytePattern::parse("udp @0 = 01 00 00 00 ; len = 148").unwrap(),
            1,
        );
        builder.add_bytes(&BytePattern::parse("tcp @0 = 01 00").unwrap(), 2);
        builder.add_bytes(&BytePattern::parse("udp @4 = 00 00").unwrap(), 3);
        let index = builder.finish(false).unwrap();
        let bytes = [1, 0, 0, 0, 9, 9];
        let context = |transport, length| PayloadContext {
            transport,
            length_on_wire: length,
        };
        assert_eq!(
            found(&index, &bytes, context(Some(Transport::Udp), Some(148))),
            [1]
        );
        assert_eq!(
            found(&index, &bytes, context(Some(Transport::Tcp), Some(148))),
            [2]
        );
        assert_eq!(found(&index, &bytes, context(None, Some(148))), [1, 2]);
        assert!(found(&index, &bytes, context(Some(Transport::Udp), None)).is_empty());
    }

    #[test]
    fn ports_and_whole_values_and_prefixes_are_told_apart() {
        let mut builder = ValueIndexBuilder::default();
        builder.add_ports(5_900, 5_910, 1);
        builder.add_whole(b"rdp", 2);
        builder.add_prefix(b"any", 3);
        let index = builder.finish(false).unwrap();
        let none = PayloadContext::default();
        assert_eq!(found(&index, b"5905", none), [1]);
        assert_eq!(found(&index, b"rdp", none), [2]);
        assert_eq!(found(&index, b"anydesk/6", none), [3]);
        for value in ["5911", "rdpx", "many", "99999", ""] {
            assert!(found(&index, value.as_bytes(), none).is_empty(), "{value}");
        }
    }
}

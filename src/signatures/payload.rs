//! Byte patterns: what the first payload of a side looks like.
//!
//! Grammar: `(tcp|udp) @OFFSET = BYTES { ; @OFFSET = BYTES } [ ; len = N | N-M | N+Mk ] [ ; note: text ]`. `BYTES` are hex pairs;
//! `??` any byte; `(0a|10)` alternatives; `[30-39]` a range; `*9` or `*1-8` behind one of them a repeat. `@0-9` lets the pattern
//! begin anywhere in that window. `len` is the payload's length (`32+16k`: 32, 48, 64, ...).

use std::fmt;

use super::lengths::{Length, number};
use super::sequence::{Element, Sequence};

/// Most bytes that one pattern may span, windows included.
const LONGEST: usize = 4_096;

/// What carries a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A stream: its first bytes.
    Tcp,
    /// A datagram.
    Udp,
}

/// A sequence and the window in which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    first: usize,
    last: usize,
    sequence: Sequence,
}

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BytePattern {
    /// What must carry it.
    pub transport: Transport,
    parts: Vec<Part>,
    length: Option<Length>,
    text: String,
}

/// The literal by which a pattern is found: its bytes, and where they may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Fixed bytes.
    pub literal: Vec<u8>,
    /// First offset in the payload at which they may stand.
    pub first: usize,
    /// Last one.
    pub last: usize,
}

impl BytePattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (transport, rest) = match text.trim().split_once(char::is_whitespace) {
            Some(("tcp", rest)) => (Transport::Tcp, rest),
            Some(("udp", rest)) => (Transport::Udp, rest),
            _ => return Err("must begin with tcp or udp".to_owned()),
        };
        let mut pattern = Self {
            transport,
            parts: Vec::new(),
            length: None,
            text: text.trim().to_owned(),
        };
        for clause in rest.split(';').map(str::trim) {
            if clause.starts_with("note:") {
                break;
            }
            let (key, value) = clause
                .split_once('=')
                .ok_or_else(|| format!("{clause:?} is no clause"))?;
            match key.trim() {
                "len" if pattern.length.is_none() => pattern.length = Some(Length::parse(value.trim())?),
                at if at.starts_with('@') => pattern.parts.push(part(at, value)?),
                other => return Err(format!("{other:?} is neither @OFFSET nor len")),
            }
        }
        if pattern.anchor().is_none() {
            return Err("has no fixed byte by which it could be found".to_owned());
        }
        Ok(pattern)
    }

    /// The longest run of fixed bytes at a known distance from the window; the earliest of equals.
    #[must_use]
    pub fn anchor(&self) -> Option<Anchor> {
        let mut best: Option<Anchor> = None;
        for part in &self.parts {
            if let Some((literal, distance)) = part.sequence.literal()
                && best
                    .as_ref()
                    .is_none_or(|best| best.literal.len() < literal.len())
            {
                best = Some(Anchor {
                    literal,
                    first: part.first.saturating_add(distance),
                    last: part.last.saturating_add(distance),
                });
            }
        }
        best
    }

    /// The smallest payload that looks so. Parts that overlap and contradict each other have none.
    #[must_use]
    pub fn example(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            let sequence = part.sequence.example();
            let end = part.first.saturating_add(sequence.len());
            bytes.resize(bytes.len().max(end), 0);
            for (place, byte) in bytes.iter_mut().skip(part.first).zip(sequence) {
                *place = byte;
            }
        }
        let length = self
            .length
            .map_or(bytes.len(), |length| length.at_least(bytes.len()));
        bytes.resize(length, 0);
        bytes
    }

    /// Whether the payload, of which `bytes` were captured and which was `length` bytes on the wire, looks so.
    #[must_use]
    pub fn matches(&self, bytes: &[u8], length: usize) -> bool {
        let fits = self.length.is_none_or(|wanted| wanted.fits(length));
        fits && self.parts.iter().all(|part| {
            let last = part.last.min(bytes.len());
            (part.first..=last).any(|start| bytes.get(start..).is_some_and(|from| part.sequence.begins(from)))
        })
    }
}

impl fmt::Display for BytePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn part(at: &str, bytes: &str) -> Result<Part, String> {
    let window = at.trim_start_matches('@');
    let (first, last) = window.split_once('-').unwrap_or((window, window));
    let (first, last) = (number(first)?, number(last)?);
    let sequence = Sequence::new(elements(bytes)?)?;
    if first > last || last.saturating_add(sequence.span()) > LONGEST {
        return Err(format!(
            "the window {at} is empty or reaches beyond {LONGEST} bytes"
        ));
    }
    Ok(Part {
        first,
        last,
        sequence,
    })
}

fn hex(text: &str) -> Result<u8, String> {
    let is_pair = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = u8::from_str_radix(text, 16).ok();
    byte.filter(|_| is_pair)
        .ok_or_else(|| format!("{text:?} is no byte in two hex digits"))
}

fn elements(text: &str) -> Result<Vec<Element>, String> {
    let mut elements = Vec::new();
    for word in text.split_whitespace() {
        let (bytes, repeat) = word
            .split_once('*')
            .map_or((word, None), |(bytes, repeat)| (bytes, Some(repeat)));
        let mut element = Element::empty();
        if bytes == "??" {
            element = Element::any();
        } else if let Some(choices) = bytes.strip_prefix('(').and_then(|bytes| bytes.strip_suffix(')')) {
            for choice in choices.split('|') {
                element.add(hex(choice)?);
            }
        } else if let Some(range) = bytes.strip_prefix('[').and_then(|bytes| bytes.strip_suffix(']')) {
            let (from, to) = range
                .split_once('-')
                .ok_or_else(|| format!("{range:?} is no range"))?;
            (hex(from)?..=hex(to)?).for_each(|byte| element.add(byte));
        } else {
            element.add(hex(bytes)?);
        }
        if element.is_empty() {
            return Err(format!("{word:?} stands for no byte"));
        }
        if let Some(repeat) = repeat {
            let (least, most) = repeat.split_once('-').unwrap_or((repeat, repeat));
            let places = |text: &str| number(text).map(|places| u16::try_from(places).unwrap_or(u16::MAX));
            element = element.repeated(places(least)?, places(most)?)?;
        }
        elements.push(element);
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, bytes: &[u8]) -> bool {
        BytePattern::parse(pattern).unwrap().matches(bytes, bytes.len())
    }

    #[test]
    fn every_form_of_the_grammar_matches_what_it_means() {
        let hole_punch = "udp @0 = 00 ; @11 = 17 24 ; note: command byte at 13 = any";
        assert!(matches(
            hole_punch,
            &[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0x17, 0x24, 9]
        ));
        assert!(!matches(hole_punch, &[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0x17, 0x24]));
        let register = "udp @0 = 32 0d 0a 09 [30-39]*9 10 ?? ; len = 15-16";
        assert!(matches(register, b"\x32\x0d\x0a\x09123456789\x10\x01"));
        assert!(!matches(register, b"\x32\x0d\x0a\x0912345678x\x10\x01"));
        assert!(!matches(register, b"\x32\x0d\x0a\x09123456789\x10\x01zz"));
        let wireguard = "udp @0 = 04 00 00 00 ; len = 32+16k";
        for (length, fits) in [(16, false), (32, true), (33, false), (48, true)] {
            assert_eq!(
                matches(wireguard, &[&[4, 0, 0, 0][..], &vec![7; length - 4]].concat()),
                fits,
                "{length}"
            );
        }
        let window = "udp @0-9 = 73 10 (00|ff)";
        assert!(matches(window, b"abcdefghi\x73\x10\xff") && !matches(window, b"abcdefghij\x73\x10\xff"));
    }

    #[test]
    fn a_repeat_of_variable_length_gives_back_what_the_rest_needs() {
        let pattern = "tcp @0 = 7a [30-39]*1-4 39 12";
        assert!(
            matches(pattern, b"\x7a19\x12")
                && matches(pattern, b"\x7a99\x12")
                && matches(pattern, b"\x7a9999\x12")
        );
        assert!(!matches(pattern, b"\x7a9\x12"));
    }

    #[test]
    fn a_cut_payload_is_judged_by_its_length_on_the_wire() {
        let pattern = BytePattern::parse("udp @0 = 01 00 00 00 ; len = 148").unwrap();
        assert!(pattern.matches(&[1, 0, 0, 0], 148));
        assert!(!pattern.matches(&[1, 0, 0, 0], 4));
    }

    #[test]
    fn wrong_patterns_are_refused_with_the_reason() {
        for (pattern, reason) in [
            ("@0 = 00", "must begin with tcp or udp"),
            ("tcp @0 = 0", "no byte in two hex digits"),
            ("tcp @0 = +1", "no byte in two hex digits"),
            ("tcp @x = 00", "no number"),
            ("tcp @9-3 = 00", "is empty"),
            ("tcp @0 = ?? [00-ff]", "no fixed byte"),
            ("tcp @0 = 00 [09-00]", "no byte"),
            ("tcp len = 5", "no fixed byte"),
            ("tcp @0 = 00 ; len = 5-2", "ends before it begins"),
            ("tcp @0 = 00 ; len = 5+0k", "no length"),
            ("tcp @0 = 01 ??*1-9 ??*1-9 ??*1-9", "variable length"),
            ("tcp @0 = 01 ??*9999", "beyond 4096"),
            ("tcp @0 = 00 ; size = 4", "neither"),
            ("tcp", "must begin"),
        ] {
            let error = BytePattern::parse(pattern).unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }

    #[test]
    fn the_anchor_is_the_longest_run_of_fixed_bytes() {
        let anchor = BytePattern::parse("tcp @2-5 = 01 ?? 02 03 ??*1-4 04 05 06")
            .unwrap()
            .anchor()
            .unwrap();
        assert_eq!((anchor.literal, anchor.first, anchor.last), (vec![2, 3], 4, 7));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_any_bytes_are_judged(text in "(tcp|udp) @[0-9]{1,2} = [0-9a-f?()|\\[\\]*; -]{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(pattern) = BytePattern::parse(&text) {
                let _ = pattern.matches(&bytes, bytes.len());
            }
        }

        #[test]
        fn an_example_fits_its_pattern(text in "(tcp|udp) @[0-4](-9)? = [0-9a-f]{2}( ([0-9a-f]{2}|\\?\\?|\\(0a\\|10\\))(\\*[1-3](-4)?)?){0,5}( ; @3[0-9] = [0-9a-f]{2}){0,1}( ; len = ([4-9][0-9]|3\\+16k))?") {
            if let Ok(pattern) = BytePattern::parse(&text) {
                let example = pattern.example();
                prop_assert!(pattern.matches(&example, example.len()), "{text}: {example:02x?}");
            }
        }

        #[test]
        fn where_a_pattern_matches_its_anchor_stands(bytes in proptest::collection::vec(0_u8..4, 0..12)) {
            let pattern = BytePattern::parse("udp @0-3 = 01 (00|02) 03 ; @1 = ??").unwrap();
            if pattern.matches(&bytes, bytes.len()) {
                let anchor = pattern.anchor().unwrap();
                let stands = (anchor.first..=anchor.last).any(|at| bytes.get(at..).is_some_and(|from| from.starts_with(&anchor.literal)));
                prop_assert!(stands);
            }
        }
    }
}

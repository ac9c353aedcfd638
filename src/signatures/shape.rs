//! Shapes of texts: `kvm-[0-9a-f]{4}`.
//!
//! A small part of what regular expressions can say, and no more than names on the wire need: letters that stand for
//! themselves, `[0-9a-z-]` for one of several, `{4}` or `{1,8}` behind either for how often, a final `*` for whatever
//! follows. A shape is all of a value, from its first letter to its last.

use std::fmt;

use super::sequence::{Element, Sequence};

/// Fewest letters in a row that a shape must hold: by them it is found.
const SHORTEST_LITERAL: usize = 3;

/// A parsed shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    sequence: Sequence,
    is_open: bool,
    text: String,
}

impl Shape {
    /// Reads a shape; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (closed, is_open) = text.strip_suffix('*').map_or((text, false), |text| (text, true));
        let mut elements: Vec<Element> = Vec::new();
        let mut rest = closed;
        while let Some(first) = rest.chars().next() {
            let (element, behind) = match first {
                '[' => {
                    let (class, behind) = rest
                        .get(1..)
                        .unwrap_or_default()
                        .split_once(']')
                        .ok_or("[ without ]")?;
                    (one_of(class)?, behind)
                }
                '{' | '}' | ']' | '*' => return Err(format!("{first:?} stands where a letter should")),
                _ if first.is_ascii() => {
                    let mut element = Element::empty();
                    element.add(u8::try_from(first).unwrap_or_default());
                    (element, rest.get(1..).unwrap_or_default())
                }
                _ => return Err(format!("{first:?} is not ASCII")),
            };
            let (element, behind) = repeat(element, behind)?;
            elements.push(element);
            rest = behind;
        }
        let sequence = Sequence::new(elements)?;
        let shape = Self {
            sequence,
            is_open,
            text: text.to_owned(),
        };
        match shape.sequence.literal() {
            Some((literal, _)) if literal.len() >= SHORTEST_LITERAL => Ok(shape),
            _ => Err(format!(
                "no {SHORTEST_LITERAL} letters in a row by which it could be found"
            )),
        }
    }

    /// The letters by which it is found, and where they stand.
    pub(super) fn literal(&self) -> Option<(Vec<u8>, usize)> {
        self.sequence.literal()
    }

    /// Whether a value has this shape.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        if self.is_open {
            self.sequence.begins(value)
        } else {
            self.sequence.is_all_of(value)
        }
    }

    /// The shortest value of this shape.
    #[must_use]
    pub fn example(&self) -> Vec<u8> {
        self.sequence.example()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The set of `0-9a-f`; a hyphen at the end stands for itself.
fn one_of(class: &str) -> Result<Element, String> {
    let mut element = Element::empty();
    let mut letters = class.bytes().peekable();
    while let Some(from) = letters.next() {
        let mut ahead = letters.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some(b'-'), Some(to)) => {
                letters = ahead;
                to
            }
            _ => from,
        };
        if from > to || !from.is_ascii() || !to.is_ascii() {
            return Err(format!("[{class}] is no set of letters"));
        }
        (from..=to).for_each(|letter| element.add(letter));
    }
    if element.is_empty() {
        return Err("[] stands for no letter".to_owned());
    }
    Ok(element)
}

/// The element as often as `{...}` behind it says.
fn repeat(element: Element, behind: &str) -> Result<(Element, &str), String> {
    let Some(counted) = behind.strip_prefix('{') else {
        return Ok((element, behind));
    };
    let (count, rest) = counted.split_once('}').ok_or("{ without }")?;
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    let number = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| format!("{{{count}}} is no count"))
    };
    Ok((element.repeated(number(least)?, number(most)?)?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(shape: &str, value: &str) -> bool {
        Shape::parse(shape).unwrap().matches(value.as_bytes())
    }

    #[test]
    fn a_shape_is_all_of_a_value() {
        let shape = "kvm-[0-9a-f]{4}";
        assert!(fits(shape, "kvm-0a9f"));
        for other in ["kvm-0a9", "kvm-0a9f1", "kvm-0a9g", "xkvm-0a9f", "", "kvm-"] {
            assert!(!fits(shape, other), "{other}");
        }
        assert!(fits(
            "CN=iDRACdefault[0-9A-F]{12}*",
            "CN=iDRACdefault0123456789AB, OU=x"
        ));
        assert!(fits("ilo[a-z-]{1,3}[0-9]{2}", "iloab-12") && !fits("ilo[a-z-]{1,3}[0-9]{2}", "ilo12"));
    }

    #[test]
    fn wrong_shapes_are_refused_with_the_reason() {
        for (shape, reason) in [
            ("", "no bytes"),
            ("kv[0-9]", "no 3 letters in a row"),
            ("abc[", "[ without ]"),
            ("abc[]", "stands for no letter"),
            ("abc[9-0]", "no set of letters"),
            ("abc{", "{ without }"),
            ("abc{x}", "no count"),
            ("abc{3,1}", "ends before it begins"),
            ("abc*d", "stands where a letter should"),
            ("abc\u{e4}", "not ASCII"),
            ("abc[0-9]{1,99}", "variable length"),
        ] {
            let error = Shape::parse(shape).unwrap_err();
            assert!(error.contains(reason), "{shape}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_an_example_fits(text in "[a-c\\[\\]{}*,0-9-]{0,20}", value in "[a-c0-9]{0,20}") {
            if let Ok(shape) = Shape::parse(&text) {
                let _ = shape.matches(value.as_bytes());
                prop_assert!(shape.matches(&shape.example()), "{} of {text}", String::from_utf8_lossy(&shape.example()));
            }
        }
    }
}

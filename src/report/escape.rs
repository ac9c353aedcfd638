//! Making untrusted text harmless before anything shows it.
//!
//! Names, banners and certificates come from whoever sent the packets. Every renderer passes them through here; what
//! a format needs beyond that (quotes of JSON, entities of HTML) its writer adds.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Most characters of one untrusted text that a report for people shows.
pub const LONGEST_SHOWN: usize = 256;

/// Replaces control characters, escape sequences and bidirectional overrides by visible escapes. Everything that came from
/// the wire goes through here on its way to a terminal. Line feeds and tabs stay.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, is_unsafe)
}

/// The same for a text that stands in a line of its own: line feeds and tabs are escaped too, so that nothing can
/// forge a line or a column, and what is longer than `limit` characters is cut and marked.
#[must_use]
pub fn line(text: &str, limit: usize) -> Cow<'_, str> {
    let cut = text.char_indices().nth(limit).map(|(end, _)| end);
    let kept = cut.and_then(|end| text.get(..end)).unwrap_or(text);
    let mut safe = replace(kept, |character| {
        is_unsafe(character) || matches!(character, '\n' | '\t')
    });
    if cut.is_some() {
        safe.to_mut().push('…');
    }
    safe
}

fn replace(text: &str, replaced: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&replaced) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if replaced(character) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Control characters except line feed and tab, characters that turn the direction of text (Unicode UAX 9), that
/// break lines (U+2028, U+2029), and those that no font shows (byte order mark, tags).
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\t')
        || matches!(
            character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        )
        || matches!(character, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_overrides_become_visible() {
        assert_eq!(escape("plain text\n"), "plain text\n");
        assert_eq!(escape("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(escape("a\u{202e}b\r"), "a\\u{202e}b\\u{d}");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn a_line_stays_one_line_and_within_its_limit() {
        assert_eq!(line("a\nb\tc", 10), "a\\u{a}b\\u{9}c");
        assert_eq!(line("äöü", 3), "äöü");
        assert_eq!(line("äöüß", 3), "äöü…");
        assert_eq!(line("", 0), "");
    }
}

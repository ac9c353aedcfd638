//! Members of JSON objects, appended to a buffer.
//!
//! Question: how to write a record for each of a million flows without the serializer being the dearest stage? serde_json walks
//! every key octet by octet to see whether it needs escapes, and formats numbers, addresses and times through
//! `fmt`. Here keys are constants that are copied whole, texts are looked at eight octets at a time, and digits are made eight
//! at a time without a branch for each. Flow records are written by these alone; other records say by serde what they hold, and
//! [`super::serializer`] writes that with the same means.

use std::io::Write as _;
use std::net::IpAddr;

use super::escape::is_unsafe;
use crate::model::digits::{EACH, decimal, decimal_text};
use crate::model::identity::ContentId;
use crate::model::time::{SECOND, Timestamp};

/// Appends `,"key":` with the key known when compiling, so that it is one copy of constant length.
macro_rules! key {
    ($to:expr, $key:literal) => {
        $to.extend_from_slice(concat!(",\"", $key, "\":").as_bytes())
    };
}
pub(super) use key;

/// Appends an object whose members `write` appends, each behind a comma.
pub(super) fn object(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let open = to.len();
    write(to);
    match to.get_mut(open) {
        // The first member's comma is where the brace belongs.
        Some(comma) => *comma = b'{',
        None => to.push(b'{'),
    }
    to.push(b'}');
}

/// Appends a list of values, each of which `write` appends.
pub(super) fn list<T>(
    to: &mut Vec<u8>,
    values: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    to.push(b'[');
    for (place, value) in values.enumerate() {
        if place > 0 {
            to.push(b',');
        }
        write(to, value);
    }
    to.push(b']');
}

/// Appends a text that came from outside.
///
/// Characters that could steer a terminal or turn text are written as `\uXXXX`: parsers read the same text as ever, and a person who
/// pages through the file sees what is there.
pub(super) fn text(to: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        word(to, text);
    } else {
        escaped(to, text);
    }
}

/// Whether octets are printable ASCII without quote and backslash, which stands between quotes as it is.
fn is_plain(text: &[u8]) -> bool {
    let is_plain = |octet: &u8| matches!(*octet, b' '..=b'~') && !matches!(*octet, b'"' | b'\\');
    // The last eight are looked at twice rather than one by one.
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().all(is_plain);
    };
    let (words, _) = text.as_chunks::<8>();
    let odd = words
        .iter()
        .fold(odd_octets(*last), |odd, word| odd | odd_octets(*word));
    odd == 0
}

/// The highest bit of each octet that is not plain; of others too, but only beside one that is not.
fn odd_octets(word: [u8; 8]) -> u64 {
    let word = u64::from_ne_bytes(word);
    let below_space = word.wrapping_sub(EACH * 0x20);
    let is_quote = (word ^ (EACH * 0x22)).wrapping_sub(EACH);
    let is_backslash = (word ^ (EACH * 0x5c)).wrapping_sub(EACH);
    let delete_and_above = word.wrapping_add(EACH) | word;
    (below_space | is_quote | is_backslash | delete_and_above) & (EACH * 0x80)
}

/// Appends a text in which something needs an escape.
fn escaped(to: &mut Vec<u8>, text: &str) {
    let (mut units, mut octets) = ([0; 2], [0; 4]);
    to.push(b'"');
    for character in text.chars() {
        match character {
            '"' => to.extend_from_slice(b"\\\""),
            '\\' => to.extend_from_slice(b"\\\\"),
            '\u{8}' => to.extend_from_slice(b"\\b"),
            '\t' => to.extend_from_slice(b"\\t"),
            '\n' => to.extend_from_slice(b"\\n"),
            '\u{c}' => to.extend_from_slice(b"\\f"),
            '\r' => to.extend_from_slice(b"\\r"),
            character if is_unsafe(character) => {
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a vector cannot fail.
                    let _ = write!(to, "\\u{unit:04x}");
                }
            }
            character => to.extend_from_slice(character.encode_utf8(&mut octets).as_bytes()),
        }
    }
    to.push(b'"');
}

/// Appends a text of the program's own that needs no escapes.
pub(super) fn word(to: &mut Vec<u8>, word: &str) {
    to.push(b'"');
    to.extend_from_slice(word.as_bytes());
    to.push(b'"');
}

/// Appends a whole number.
pub(super) fn number(to: &mut Vec<u8>, number: impl Into<u64>) {
    let number = number.into();
    if let Ok(digit @ 0..=9) = u8::try_from(number) {
        // Most numbers of most records.
        return to.push(b'0' + digit);
    }
    if let Ok(small @ ..100_000_000) = u32::try_from(number) {
        let digits = decimal(small);
        let zeros = digits.trailing_zeros() / 8;
        let text = (digits | (EACH * 0x30)) >> (zeros * 8);
        // A copy of constant length, and what is too much of it taken off again.
        to.extend_from_slice(&text.to_le_bytes());
        to.truncate(to.len().saturating_sub(zeros as usize));
    } else {
        let mut digits = itoa::Buffer::new();
        to.extend_from_slice(digits.format(number).as_bytes());
    }
}

/// Appends millionths as a decimal fraction of thousandths: 12345 as `12.345`, 1000 as `1.0`.
pub(super) fn thousandths(to: &mut Vec<u8>, millionths: i64) {
    if millionths < 0 {
        to.push(b'-');
    }
    let (whole, mut part) = (
        millionths.unsigned_abs() / 1_000,
        millionths.unsigned_abs() % 1_000,
    );
    number(to, whole);
    to.push(b'.');
    let mut place = 100;
    loop {
        to.push(b'0' + u8::try_from(part / place).unwrap_or(0));
        part %= place;
        if part == 0 {
            return;
        }
        place /= 10;
    }
}

/// Writes moments, and remembers the date, hour and minute of the last: those of a capture's flows lie close together.
#[derive(Debug, Default)]
pub struct Clock {
    /// Minutes since 1970.
    minute: Option<i64>,
    /// A quote, and the text up to the seconds.
    upto_minute: [u8; 18],
}

impl Clock {
    /// A moment between its quotes.
    pub(super) fn text(&mut self, time: Timestamp) -> [u8; 29] {
        const MINUTE: i64 = 60 * SECOND;
        let minute = time.0.div_euclid(MINUTE);
        if self.minute != Some(minute) {
            self.minute = Some(minute);
            let whole = time.to_text();
            let parts = b"\"".iter().chain(whole.as_str().as_bytes());
            for (place, octet) in self.upto_minute.iter_mut().zip(parts) {
                *place = *octet;
            }
        }
        let microseconds = u32::try_from(time.0.rem_euclid(MINUTE) / 1_000).unwrap_or(0);
        let [s0, s1, u0, u1, u2, u3, u4, u5] = decimal_text(microseconds);
        let mut text = [0; 29];
        if let Some(first) = text.first_chunk_mut() {
            *first = self.upto_minute;
        }
        if let Some(last) = text.last_chunk_mut() {
            *last = [s0, s1, b'.', u0, u1, u2, u3, u4, u5, b'Z', b'"'];
        }
        text
    }
}

/// Appends 64 bits as sixteen hexadecimal digits.
pub(super) fn identifier(to: &mut Vec<u8>, identifier: ContentId) {
    to.push(b'"');
    to.extend_from_slice(&identifier.digits());
    to.push(b'"');
}

/// Appends an address in its canonical form (RFC 5952 for IPv6).
pub(super) fn address(to: &mut Vec<u8>, address: IpAddr) {
    to.push(b'"');
    match address {
        IpAddr::V4(address) => {
            for octet in address.octets() {
                let [hundreds, tens, units] = octet_digits(octet);
                let zeros = usize::from(octet < 10) + usize::from(octet < 100);
                let text = u32::from_le_bytes([hundreds, tens, units, b'.']) >> (zeros * 8);
                to.extend_from_slice(&text.to_le_bytes());
                to.truncate(to.len().saturating_sub(zeros));
            }
            // The last point.
            to.pop();
        }
        IpAddr::V6(address) => {
            // Writing to a vector cannot fail.
            let _ = write!(to, "{address}");
        }
    }
    to.push(b'"');
}

/// Three digits of an octet.
const fn octet_digits(octet: u8) -> [u8; 3] {
    [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut to = Vec::new();
        write(&mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn an_object_has_its_braces_with_and_without_members() {
        assert_eq!(written(|to| object(to, |_| ())), "{}");
        let two = written(|to| {
            object(to, |to| {
                key!(to, "a");
                number(to, 1u8);
                key!(to, "b");
                list(to, ["x", "y"].into_iter(), word);
            });
        });
        assert_eq!(two, r#"{"a":1,"b":["x","y"]}"#);
    }

    #[test]
    fn every_text_reads_back_as_itself() {
        for sample in [
            "",
            "plain",
            "quote \" and \\",
            "tab\t",
            "\u{202e}turned",
            "ü",
            "\u{7f}",
        ] {
            let json = written(|to| text(to, sample));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), sample);
            assert!(!json.contains('\u{202e}'));
        }
    }

    #[test]
    fn fractions_are_those_that_the_standard_library_writes() {
        for millionths in [0, 1, 10, 999, 1_000, 1_500, 12_345, 999_999, -20, 60_000_000] {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let expected = millionths as f64 / 1_000.0;
            let read: f64 = written(|to| thousandths(to, millionths)).parse().unwrap();
            assert_eq!(format!("{read:?}"), format!("{expected:?}"));
            assert_eq!(written(|to| thousandths(to, millionths)), format!("{expected:?}"));
        }
    }

    #[test]
    fn addresses_and_identifiers_are_in_their_usual_form() {
        for sample in ["192.0.2.7", "255.0.10.1", "2001:db8::1", "::"] {
            assert_eq!(
                written(|to| address(to, sample.parse().unwrap())),
                format!("\"{sample}\"")
            );
        }
        let known = ContentId(0x00ab_cdef);
        assert_eq!(written(|to| identifier(to, known)), "\"0000000000abcdef\"");
    }

    #[test]
    fn numbers_are_those_that_the_standard_library_writes() {
        let powers = (0..20).map(|power| 10u64.pow(power));
        let around = powers.flat_map(|power| [power - 1, power, power + 1, power / 7]);
        for sample in around.chain(0..20_000).chain([u64::MAX]) {
            assert_eq!(written(|to| number(to, sample)), sample.to_string());
        }
        for octet in 0..=u8::MAX {
            let sample = IpAddr::from([octet, 0, 255, octet]);
            assert_eq!(written(|to| address(to, sample)), format!("\"{sample}\""));
        }
    }

    #[test]
    fn moments_are_those_of_the_model_in_any_order() {
        let mut clock = Clock::default();
        for sample in [
            0,
            59_999_999_999,
            60_000_000_000,
            -1,
            i64::MIN,
            i64::MAX,
            1_749_999_999_123_456_789,
            1,
        ] {
            let moment = Timestamp(sample);
            assert_eq!(clock.text(moment).as_slice(), format!("\"{moment}\"").as_bytes());
        }
    }

    #[test]
    fn one_odd_octet_is_found_wherever_it_stands() {
        for length in 0..40 {
            let plain = vec![b'x'; length];
            assert!(is_plain(&plain));
            for place in 0..length {
                for octet in 0..=u8::MAX {
                    let mut text = plain.clone();
                    text[place] = octet;
                    let is_odd = !matches!(octet, b' '..=b'~') || matches!(octet, b'"' | b'\\');
                    assert_eq!(is_plain(&text), !is_odd, "{octet:#x} at {place} of {length}");
                }
            }
        }
    }
}

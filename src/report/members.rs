//! Members of JSON objects, appended to a buffer.
//!
//! Question: how to write a record for each of a million flows without the serializer being the dearest stage? serde_json walks
//! every key octet by octet to see whether it needs escapes, and formats numbers, addresses and times through
//! `fmt`: 1.4 us a flow. Here keys are constants that are copied whole, texts are looked at once, and only a text that does need
//! escapes goes to serde_json: a third of that (`cargo bench`, "a record as JSON"). Only flow records are written like
//! this; everything else is serde's.

use std::io::Write as _;
use std::net::IpAddr;

use super::json::write_value;
use crate::model::time::Timestamp;

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
pub(super) fn text(to: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: &u8| matches!(*byte, b' '..=b'~') && !matches!(*byte, b'"' | b'\\');
    if text.as_bytes().iter().all(is_plain) {
        word(to, text);
    } else {
        // Writing to a vector cannot fail, nor can serializing a string.
        let _ = write_value(to, text);
    }
}

/// Appends a text of the program's own that needs no escapes.
pub(super) fn word(to: &mut Vec<u8>, word: &str) {
    to.push(b'"');
    to.extend_from_slice(word.as_bytes());
    to.push(b'"');
}

/// Appends a whole number.
pub(super) fn number(to: &mut Vec<u8>, number: impl Into<u64>) {
    let mut digits = itoa::Buffer::new();
    to.extend_from_slice(digits.format(number.into()).as_bytes());
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

/// Appends a moment.
pub(super) fn time(to: &mut Vec<u8>, time: Timestamp) {
    word(to, time.to_text().as_str());
}

/// Appends 64 bits as sixteen hexadecimal digits.
pub(super) fn identifier(to: &mut Vec<u8>, identifier: u64) {
    let mut digits = [0; 16];
    for (digit, byte) in digits.chunks_exact_mut(2).zip(identifier.to_be_bytes()) {
        for (place, nibble) in digit.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = if nibble < 10 {
                b'0' + nibble
            } else {
                b'a' - 10 + nibble
            };
        }
    }
    to.push(b'"');
    to.extend_from_slice(&digits);
    to.push(b'"');
}

/// Appends an address in its canonical form (RFC 5952 for IPv6).
pub(super) fn address(to: &mut Vec<u8>, address: IpAddr) {
    to.push(b'"');
    match address {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    to.push(b'.');
                }
                number(to, octet);
            }
        }
        IpAddr::V6(address) => {
            // Writing to a vector cannot fail.
            let _ = write!(to, "{address}");
        }
    }
    to.push(b'"');
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
        assert_eq!(written(|to| identifier(to, 0x00ab_cdef)), "\"0000000000abcdef\"");
    }
}

//! Quantities as sentences name them: `1 flow`, `2 flows`, `8 min 40 s`.

use std::fmt::Display;

use super::digits::decimal_text;
use super::time::{Nanoseconds, SECOND};

/// `1 host`, `2 hosts`.
#[must_use]
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(many: N, singular: &str) -> String {
    if many == N::from(1) {
        ["1 ", singular].concat()
    } else {
        format!("{many} {singular}s")
    }
}

/// A span of time in its largest two units: `8 min 40 s`, `2 h 05 min`.
#[must_use]
pub fn span(span: Nanoseconds) -> String {
    let seconds = span.max(0) / SECOND;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A probability with so many digits behind the point: `.941`, `<.001`, `>.999`. Nothing that is inferred is certain: what is within
/// half of the last digit of nothing or of one is said to be less or more than the next.
#[must_use]
pub fn probability(value: f64, digits: usize) -> String {
    if let Some(text) = four_digits(value).filter(|_| digits == 4) {
        return text;
    }
    let text = format!("{value:.digits$}");
    let text = text.strip_prefix('0').unwrap_or(&text);
    if text.bytes().all(|byte| matches!(byte, b'.' | b'0')) {
        let mut least = text.to_owned();
        least.pop();
        return format!("<{least}1");
    }
    if text.starts_with('1') {
        return format!(">.{}", "9".repeat(digits));
    }
    text.to_owned()
}

/// A probability with four digits, where it is neither near nothing or one nor near the middle between two: three stand in every host's
/// summary.
fn four_digits(value: f64) -> Option<String> {
    let scaled = value * 1e4;
    let units = scaled.round();
    if !(1.0..1e4).contains(&units) || (scaled - units).abs() > 0.49 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below 10,000 just above"
    )]
    let [.., tenths, hundredths, thousandths, last] = decimal_text(units as u32);
    String::from_utf8(vec![b'.', tenths, hundredths, thousandths, last]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_else_is_many() {
        let said: Vec<String> = [0_u64, 1, 2]
            .into_iter()
            .map(|many| counted(many, "flow"))
            .collect();
        assert_eq!(said, ["0 flows", "1 flow", "2 flows"]);
        assert_eq!(counted(1_usize, "machine"), "1 machine");
    }

    #[test]
    fn four_digits_are_those_that_the_standard_library_writes() {
        for number in 0..200_000_u32 {
            let value = f64::from(number) / 199_999.0;
            if let Some(text) = four_digits(value) {
                assert_eq!(format!("0{text}"), format!("{value:.4}"));
            }
        }
        assert_eq!(four_digits(0.03), Some(".0300".to_owned()));
        assert_eq!(
            [0.0, 1.0, 0.999_99, f64::NAN, 0.000_15].map(four_digits),
            [const { None }; 5]
        );
    }

    #[test]
    fn probabilities_have_fixed_digits_and_are_never_nothing() {
        for (value, digits, text) in [
            (0.9412, 3, ".941"),
            (1.0, 3, ">.999"),
            (0.999_9, 4, ".9999"),
            (0.0001, 3, "<.001"),
            (0.0001, 4, ".0001"),
            (0.000_04, 4, "<.0001"),
            (0.0, 3, "<.001"),
        ] {
            assert_eq!(probability(value, digits), text);
        }
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (520, "8 min 40 s"),
            (3_600, "1 h 00 min"),
            (7_559, "2 h 05 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds * SECOND), text);
        }
    }
}

//! Quantities as sentences name them: `1 flow`, `2 flows`, `8 min 40 s`.

use std::fmt::Display;

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

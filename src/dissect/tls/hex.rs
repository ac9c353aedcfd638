//! Hexadecimal and decimal digits without the formatting machinery: fingerprints are made for every connection.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Both digits of an octet, lower case.
#[must_use]
pub fn octet(value: u8) -> [u8; 2] {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0x0f)).copied().unwrap_or(b'0');
    [digit(value >> 4), digit(value)]
}

/// Appends two digits for each octet.
pub fn push_octets(text: &mut Vec<u8>, octets: &[u8]) {
    for value in octets {
        text.extend_from_slice(&octet(*value));
    }
}

/// Appends `value` as decimal digits.
pub fn push_decimal(text: &mut Vec<u8>, value: u16) {
    let mut divisor = 10_000_u16;
    while divisor > 1 && value < divisor {
        divisor = divisor.checked_div(10).unwrap_or(1);
    }
    let mut rest = value;
    while divisor > 0 {
        let digit = rest.checked_div(divisor).unwrap_or(0);
        rest = rest.checked_rem(divisor).unwrap_or(0);
        text.push(b'0'.wrapping_add(u8::try_from(digit).unwrap_or(0)));
        divisor = divisor.checked_div(10).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatting_machinery() {
        for value in [0, 7, 10, 99, 100, 771, 9_999, 10_000, 65_535] {
            let mut text = Vec::new();
            push_decimal(&mut text, value);
            assert_eq!(text, value.to_string().as_bytes());
        }
        let mut text = Vec::new();
        push_octets(&mut text, &[0, 0x0f, 0xa5]);
        assert_eq!(text, b"000fa5");
    }
}

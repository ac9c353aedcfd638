//! Digits of numbers, eight at a time: what is written a million times must not cost a division and a branch for each.

/// One in each octet of a word.
pub const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// The values of the eight decimal digits of a number below a hundred million, the first in the lowest octet: halves, then pairs, then
/// digits, each step for all at once (after P. Khuong, "How to print integers really fast", 2017).
#[inline]
#[must_use]
pub const fn decimal(number: u32) -> u64 {
    // Reciprocals that are exact in the range that each step has.
    let halves = (number / 10_000) as u64 | ((number % 10_000) as u64) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
}

/// The eight decimal digits of a number below a hundred million as text.
#[inline]
#[must_use]
pub const fn decimal_text(number: u32) -> [u8; 8] {
    (decimal(number) | (EACH * b'0' as u64)).to_le_bytes()
}

/// The sixteen hexadecimal digits of 64 bits as text.
#[inline]
#[must_use]
pub const fn hexadecimal_text(bits: u64) -> [u8; 16] {
    let [first, last] = [half(bits >> 32), half(bits & 0xffff_ffff)];
    ((first as u128) << 64 | last as u128).to_be_bytes()
}

/// The eight hexadecimal digits of 32 bits, the first in the highest octet.
const fn half(bits: u64) -> u64 {
    // Halves of halves, until each of eight octets holds four bits.
    let bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    let bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    let bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One where a digit is a letter.
    let letters = ((bits + EACH * 6) >> 4) & EACH;
    bits + EACH * b'0' as u64 + letters * (b'a' - b'9' - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_that_the_standard_library_writes() {
        let text = |digits: &[u8]| String::from_utf8(digits.to_vec()).unwrap();
        for number in (0..100_000_000).step_by(9_973).chain([9, 99_999_999]) {
            assert_eq!(text(&decimal_text(number)), format!("{number:08}"));
            let bits = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            assert_eq!(text(&hexadecimal_text(bits)), format!("{bits:016x}"));
        }
    }
}

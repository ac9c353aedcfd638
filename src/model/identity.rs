//! Identifiers made from content, so that they survive re-runs, threads and the order of files.

use std::fmt;

use super::digits::hexadecimal_text;

/// Identifier of a flow, host, finding or farm: the first 64 bits of a fixed hash over what defines it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub u64);

impl ContentId {
    /// Hashes the parts with their lengths (so that moving a boundary changes the result).
    ///
    /// FNV-1a over 64 bits with a final mix (splitmix64's): stable for ever, which a seeded or versioned hash would not be.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut state: u64 = 0xcbf2_9ce4_8422_2325;
        for part in parts {
            for byte in part.len().to_le_bytes().iter().chain(part.iter()) {
                state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(mix(state))
    }

    /// Hashes words: the cheap form for what is made for every flow.
    #[must_use]
    pub fn of_words(words: &[u64]) -> Self {
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        for word in words {
            state = mix(state ^ *word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
        Self(mix(state))
    }
}

impl ContentId {
    /// Its sixteen hexadecimal digits.
    #[must_use]
    pub const fn digits(self) -> [u8; 16] {
        hexadecimal_text(self.0)
    }
}

/// Finaliser of splitmix64 (Steele, Lea, Flood 2014).
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl serde::Serialize for ContentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_boundary_changes_the_identifier() {
        assert_ne!(ContentId::of(&[b"ab", b"c"]), ContentId::of(&[b"a", b"bc"]));
        assert_eq!(ContentId::of(&[b"ab"]).to_string().len(), 16);
    }
}

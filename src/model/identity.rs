//! Identifiers made from content, so that they survive re-runs, threads and the order of files.

use std::fmt;

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

/// Finaliser of splitmix64 (Steele, Lea, Flood 2014).
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0_u8; 16];
        for (place, octet) in text.chunks_mut(2).zip(self.0.to_be_bytes()) {
            for (place, half) in place.iter_mut().zip([octet >> 4, octet & 15]) {
                *place = DIGITS.get(usize::from(half)).copied().unwrap_or_default();
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl serde::Serialize for ContentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

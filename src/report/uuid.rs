//! Name-based identifiers: UUID version 5 (RFC 9562, section 5.5).

use std::fmt;

use sha1::{Digest as _, Sha1};

/// A UUID as the number that its hexadecimal digits write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid(pub u128);

/// Namespace of URLs (RFC 9562, section 6.6).
pub const URL: Uuid = Uuid(0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8);

/// The identifier of `name` in a namespace.
#[must_use]
pub fn v5(namespace: Uuid, name: &[u8]) -> Uuid {
    let mut hash = Sha1::new();
    hash.update(namespace.0.to_be_bytes());
    hash.update(name);
    let digest = hash.finalize();
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    let bits = u128::from_be_bytes(first);
    // Four bits of version behind 48 bits, two bits of variant behind 64.
    let bits = bits & !(0xf << 76) | 5 << 76;
    Uuid(bits & !(0b11 << 62) | 0b10 << 62)
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            bits >> 80 & 0xffff,
            bits >> 64 & 0xffff,
            bits >> 48 & 0xffff,
            bits & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_comes_out() {
        // RFC 9562, appendix A.4: version 5 of "www.example.com" in the DNS namespace.
        let dns = Uuid(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8);
        assert_eq!(
            v5(dns, b"www.example.com").to_string(),
            "2ed6657d-e927-568b-95e1-2665a8aea6a2"
        );
    }
}

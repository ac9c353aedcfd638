//! The one reader through which every byte of a payload goes: big-endian, bounded, without indexing.
//!
//! `None` means "not this, or not all of it". Nothing here can panic.

use std::net::IpAddr;

/// A position in a byte string.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            whole: bytes,
            rest: bytes,
        }
    }

    /// Bytes not yet read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes not yet read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Number of bytes read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.whole.len().saturating_sub(self.rest.len())
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A cursor on the same bytes at `position`, as compression pointers of DNS need it.
    #[must_use]
    pub fn at(&self, position: usize) -> Option<Self> {
        Some(Self {
            whole: self.whole,
            rest: self.whole.get(position..)?,
        })
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(head)
    }

    /// The next `length` bytes, or as many as are left.
    pub fn take_up_to(&mut self, length: usize) -> &'a [u8] {
        let (head, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        head
    }

    /// The next `length` bytes as a cursor of their own.
    pub fn within(&mut self, length: usize) -> Option<Self> {
        self.take(length).map(Self::new)
    }

    /// Passes over `length` bytes.
    pub fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next byte without passing it.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// An octet.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    /// Two octets, big-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three octets, big-endian.
    pub fn u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// Four octets, big-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight octets, big-endian.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Two octets, little-endian.
    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four octets, little-endian.
    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight octets, little-endian.
    pub fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A string behind its one-octet length.
    pub fn prefixed_u8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A string behind its two-octet length.
    pub fn prefixed_u16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

/// An address by the number of its octets: four or sixteen.
#[must_use]
pub fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_gives_nothing_and_moves_nothing() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        assert_eq!(cursor.u32(), None);
        assert_eq!(cursor.u16(), Some(0x0102));
        assert_eq!(cursor.take(2), None);
        assert_eq!(cursor.take_up_to(2), &[3]);
        assert!(cursor.is_empty());
        assert_eq!(cursor.position(), 3);
        assert!(cursor.at(4).is_none());
    }

    #[test]
    fn a_length_larger_than_what_follows_gives_nothing() {
        assert_eq!(Cursor::new(&[4, 1, 2]).prefixed_u8(), None);
        assert_eq!(Cursor::new(&[0, 2, 1, 2]).prefixed_u16(), Some(&[1, 2][..]));
    }
}

//! A stretch of the block's bytes: where one layer stands, and how long it was on the wire.
//!
//! Decoding names bytes by offset because rebuilt datagrams are appended to the same buffer while it is read. All reading
//! goes through copies of small arrays, so that nothing borrows the buffer for longer than one field.

/// Where a layer stands in the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Offset of its first byte.
    pub(super) start: u32,
    /// Bytes that were captured.
    pub(super) captured: u32,
    /// Bytes that were on the wire; at least `captured`.
    pub(super) on_wire: u32,
}

impl Stretch {
    /// What follows the first `length` bytes; nothing where those were not all captured.
    pub(super) fn after(self, length: u32) -> Option<Self> {
        Some(Self {
            start: self.start.checked_add(length)?,
            captured: self.captured.checked_sub(length)?,
            on_wire: self.on_wire.saturating_sub(length),
        })
    }

    /// What follows the first `length` bytes, or an empty stretch at the end where those were cut.
    pub(super) fn after_or_end(self, length: u32) -> Self {
        let within = length.min(self.captured);
        Self {
            start: self.start.saturating_add(within),
            captured: self.captured.saturating_sub(within),
            on_wire: self.on_wire.saturating_sub(length),
        }
    }

    /// The first `length` bytes: a header said that the layer ends there.
    ///
    /// A header that promises more than the frame held is believed: the difference shows as cut.
    pub(super) fn limited(self, length: u32) -> Self {
        Self {
            start: self.start,
            captured: self.captured.min(length),
            on_wire: length,
        }
    }

    /// Its captured bytes.
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        start
            .checked_add(self.captured as usize)
            .and_then(|end| bytes.get(start..end))
            .unwrap_or_default()
    }
}

/// `N` bytes at `at`.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// One byte at `at`.
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// Two bytes at `at`, big-endian.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// Four bytes at `at`, big-endian.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_promises_too_much_leaves_the_captured_bytes() {
        let stretch = Stretch {
            start: 4,
            captured: 10,
            on_wire: 12,
        };
        assert_eq!(
            stretch.limited(40),
            Stretch {
                start: 4,
                captured: 10,
                on_wire: 40
            }
        );
        assert_eq!(stretch.after(11), None);
        assert_eq!(
            stretch.after_or_end(11),
            Stretch {
                start: 14,
                captured: 0,
                on_wire: 1
            }
        );
        assert_eq!(stretch.of(&[0; 8]), &[] as &[u8]);
    }
}

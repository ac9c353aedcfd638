//! Numbers in either byte order, and the option lists of pcapng blocks (draft-ietf-opsawg-pcapng, section 3.5).

/// Four bytes at `position`.
pub(super) fn u32_at(bytes: &[u8], position: usize, big: bool) -> Option<u32> {
    let word = bytes.get(position..)?.first_chunk::<4>()?;
    Some(if big {
        u32::from_be_bytes(*word)
    } else {
        u32::from_le_bytes(*word)
    })
}

/// Two bytes at `position`.
pub(super) fn u16_at(bytes: &[u8], position: usize, big: bool) -> Option<u16> {
    let word = bytes.get(position..)?.first_chunk::<2>()?;
    Some(if big {
        u16::from_be_bytes(*word)
    } else {
        u16::from_le_bytes(*word)
    })
}

/// Eight bytes at the start of an option's value.
pub(super) fn u64_of(bytes: &[u8], big: bool) -> Option<u64> {
    let word = bytes.first_chunk::<8>()?;
    Some(if big {
        u64::from_be_bytes(*word)
    } else {
        u64::from_le_bytes(*word)
    })
}

/// Options one behind the other, until `opt_endofopt` or the first that does not fit.
pub(super) struct Options<'a> {
    rest: &'a [u8],
    big: bool,
}

impl<'a> Options<'a> {
    /// The options that start with `bytes`.
    pub(super) const fn new(bytes: &'a [u8], big: bool) -> Self {
        Self { rest: bytes, big }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = u16_at(self.rest, 0, self.big)?;
        let length = usize::from(u16_at(self.rest, 2, self.big)?);
        if code == 0 {
            return None;
        }
        let (_, body) = self.rest.split_at_checked(4)?;
        let value = body.get(..length)?;
        // The last padding may be missing; then there is no further option.
        self.rest = body.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

//! Inputs as a list of pieces: one octet of flags, two of length (big-endian), then that many octets; the last may be cut.

/// The pieces of an input, at most [`Pieces::MOST`].
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Pieces<'a> {
    /// Pieces that are looked at: enough for every state, few enough for many runs a second.
    pub const MOST: usize = 64;

    /// The pieces that `input` consists of.
    #[must_use]
    pub const fn of(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            left: Self::MOST,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (&[flags, high, low], rest) = self.rest.split_first_chunk::<3>()?;
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (piece, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((flags, piece))
    }
}

//! Finding the way back after damage: the next place where a believable record or block starts.

/// Why a parser stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The block has as many frames as it may hold.
    Full,
    /// What starts here needs so many bytes.
    Need(usize),
    /// What starts here cannot be believed.
    Damaged(&'static str),
}

/// Whether something starts at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// More bytes are needed to tell.
    Need,
}

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Something believable starts here.
    Found(usize),
    /// Nothing starts before here; from here on more bytes are needed.
    UpTo(usize),
}

/// Looks from `from` on for the first place of which `judge` says yes. One call costs a step for each byte.
pub(super) fn search(bytes: &[u8], from: usize, judge: impl Fn(&[u8]) -> Verdict) -> Search {
    for position in from..bytes.len() {
        match judge(bytes.get(position..).unwrap_or_default()) {
            Verdict::Yes => return Search::Found(position),
            Verdict::Need => return Search::UpTo(position),
            Verdict::No => {}
        }
    }
    Search::UpTo(bytes.len().max(from))
}

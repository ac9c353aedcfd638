//! Frames of IEEE 802.11 that were sent again.
//!
//! A frame that nobody acknowledged is sent again with the Retry bit and the same sequence control (802.11-2020, 10.3.2.14). Its receiver has
//! the first one, or not; who listens beside them has both, and counts it once.

use std::collections::HashMap;

use crate::model::address::MacAddress;

/// Streams of frames of which the last is remembered; when there are more, all are forgotten.
const MOST: usize = 4_096;

/// Frames that are numbered together: of a capture, from one station to another, of a traffic identifier.
pub(super) type Stream = (u16, MacAddress, MacAddress, Option<u8>);

/// The last frame of each stream.
#[derive(Debug, Default)]
pub(super) struct Retries {
    last: HashMap<Stream, u16, rapidhash::fast::RandomState>,
}

impl Retries {
    /// Whether a frame with this sequence control was seen just before, and is that one again.
    pub(super) fn is_repeated(&mut self, stream: Stream, sequence_control: u16, is_retry: bool) -> bool {
        if self.last.len() >= MOST && !self.last.contains_key(&stream) {
            self.last.clear();
        }
        self.last.insert(stream, sequence_control) == Some(sequence_control) && is_retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

    #[test]
    fn only_a_retry_of_the_same_frame_is_one() {
        let mut retries = Retries::default();
        let stream = (0, ONE, OTHER, None);
        assert!(
            !retries.is_repeated(stream, 16, true),
            "the first was not captured"
        );
        assert!(retries.is_repeated(stream, 16, true));
        assert!(!retries.is_repeated((0, OTHER, ONE, None), 16, true));
        assert!(!retries.is_repeated((0, ONE, OTHER, Some(6)), 16, true));
        assert!(!retries.is_repeated(stream, 32, false));
        assert!(!retries.is_repeated(stream, 32, false), "numbers begin anew");
    }

    #[test]
    fn memory_is_bounded() {
        let mut retries = Retries::default();
        for number in 0..20_000_u32 {
            let [_, _, a, b] = number.to_be_bytes();
            retries.is_repeated((0, MacAddress([2, 0, 0, 0, a, b]), OTHER, None), 16, false);
        }
        assert!(retries.last.len() <= MOST);
    }
}

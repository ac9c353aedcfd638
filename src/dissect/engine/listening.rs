//! Streams that nobody claims, where the run reads closely: what the lengths of what comes say of what is inside.

use super::Window;
use crate::dissect::openvpn::lengths::{BY_ACKNOWLEDGEMENTS, INSIDE, Lengths};
use crate::model::fact::{Facts, Side};

/// What was heard of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listening {
    lengths: Lengths,
    /// How much of each window was counted.
    heard: [usize; 2],
}

impl Listening {
    /// Listens no more: somebody claimed the stream.
    pub(super) const fn end(&mut self) {
        self.lengths.end();
    }

    /// Takes the length of what is new.
    pub(super) fn take<W: Window>(&mut self, windows: &[W; 2], newest: Side, facts: &mut Facts<'_>) {
        let (Some(window), Some(heard)) = (windows.get(newest.index()), self.heard.get_mut(newest.index()))
        else {
            return;
        };
        let all = window.bytes().len();
        let new = all.saturating_sub(*heard);
        *heard = all;
        if new > 0 && self.lengths.push(newest, u32::try_from(new).unwrap_or(u32::MAX)) {
            facts.text(&INSIDE, BY_ACKNOWLEDGEMENTS);
        }
    }

    /// Whether more lengths are wanted. The octets are not, and a hole between them ends it.
    pub(super) fn goes_on<W: Window>(&mut self, windows: &mut [W; 2]) -> bool {
        for window in windows {
            window.consume(window.bytes().len());
            if window.take_gap() {
                self.end();
            }
        }
        self.heard = [0; 2];
        !self.lengths.are_over()
    }
}

//! What is remembered of a flow while its payloads are wanted.

use super::listening::Listening;
use super::{PAYLOAD_LENGTHS, Window, dissector};
use crate::dissect::{Dissection, Dissector, Input, Seen};
use crate::model::fact::{Facts, Side};
use crate::model::lengths::{self, Lengths};
use crate::model::segment::Layer;

/// A dissector that claimed the flow.
pub(super) struct Speaker {
    pub(super) number: u8,
    pub(super) dissection: Box<dyn Dissection>,
}

impl std::fmt::Debug for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(dissector(self.number).map_or("?", Dissector::name))
    }
}

/// What the engine remembers of a flow while its payloads are wanted.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Dissectors that may still claim it.
    pub(super) open: u64,
    pub(super) speakers: Vec<Speaker>,
    pub(super) earlier: Vec<Seen>,
    /// Datagrams so far, without those that a carrier took.
    pub(super) datagrams: u16,
    pub(super) hops: u8,
    pub(super) said_payload: [bool; 2],
    /// Whether somebody has ever claimed it.
    pub(super) is_claimed: bool,
    /// What the lengths say of what is inside, where the run reads closely. Apart, as what follows, because nearly all runs do without.
    listening: Option<Box<Listening>>,
    /// Lengths of its payloads until then, if they are counted.
    counted: Option<Box<Counted>>,
}

/// Lengths of a flow's payloads.
#[derive(Debug, Default)]
struct Counted {
    lengths: Lengths,
    /// Octets of each side of a stream that were counted.
    octets: [u32; 2],
}

impl Inspection {
    pub(super) fn add(&mut self, number: u8, dissection: Box<dyn Dissection>) {
        // Nearly all flows have one, and as many are held as questions are without an answer.
        if self.speakers.is_empty() {
            self.speakers.reserve_exact(1);
        }
        self.speakers.push(Speaker { number, dissection });
    }

    /// Whether it is listened on to a stream that nobody claims; its octets are consumed then.
    pub(super) fn listens_on<W: Window>(&mut self, windows: &mut [W; 2]) -> bool {
        if let Some(counted) = &mut self.counted {
            counted.octets = [0; 2];
        }
        self.listening.get_or_insert_default().goes_on(windows)
    }

    /// Listens to what is new of a stream that nobody has claimed.
    pub(super) fn listen<W: Window>(&mut self, windows: &[W; 2], newest: Side, facts: &mut Facts<'_>) {
        self.listening
            .get_or_insert_default()
            .take(windows, newest, facts);
    }

    /// Somebody claimed the stream: its lengths are of no interest.
    pub(super) fn claimed(&mut self) {
        self.is_claimed = true;
        if let Some(listening) = &mut self.listening {
            listening.end();
        }
    }

    /// Forgets the flow; what was allocated stays for the next one.
    pub fn clear(&mut self) {
        self.speakers.clear();
        self.earlier.clear();
        *self = Self {
            speakers: std::mem::take(&mut self.speakers),
            earlier: std::mem::take(&mut self.earlier),
            ..Self::default()
        };
    }

    /// Whether the lengths of its payloads are still counted: those of TCP and UDP that nobody has claimed.
    pub(super) fn counts_on(&self, layer: Layer) -> bool {
        matches!(layer, Layer::Tcp | Layer::Udp)
            && !self.is_claimed
            && self
                .lengths()
                .is_none_or(|lengths| lengths.count() < lengths::MOST_PAYLOADS)
    }

    /// Counts a datagram.
    pub(super) fn count_datagram(&mut self, input: &Input<'_>) {
        let counted = self.counted.get_or_insert_default();
        counted.lengths.push(input.side, input.length_on_wire);
    }

    /// Counts what is new of a side's stream, of which all octets so far are shown because nobody consumes them.
    pub(super) fn count_stream(&mut self, side: Side, shown: u32) {
        let counted = self.counted.get_or_insert_default();
        let Some(before) = counted.octets.get_mut(side.index()) else {
            return;
        };
        let new = shown.saturating_sub(*before);
        *before = shown;
        if new > 0 {
            counted.lengths.push(side, new);
        }
    }

    /// Says the lengths of payloads that nobody claimed.
    pub(super) fn say_lengths(&self, facts: &mut Facts<'_>) {
        let lengths = self.lengths().filter(|_| !self.is_claimed);
        if let Some(lengths) = lengths.filter(|lengths| lengths.count() >= lengths::LEAST) {
            facts.bytes(&PAYLOAD_LENGTHS, lengths.octets());
        }
    }

    fn lengths(&self) -> Option<&Lengths> {
        self.counted.as_ref().map(|counted| &counted.lengths)
    }
}

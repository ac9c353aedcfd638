//! The heads of flows while they are read: what the dissectors remember of them, and their streams in order. A flow
//! names its head, or what to do with its next payload, by the number that hangs on it.

use crate::dissect::engine::{Engine, Inspection, Window};
use crate::flow::NOTHING;
use crate::flow::reassembly::Stream;
use crate::model::pieces::Pieces;
use crate::model::segment::Layer;

/// Attachment of a flow of which no payload was seen yet.
pub(super) const FRESH: u32 = NOTHING - 1;

/// Attachments from here up to [`FRESH`] name a stateless dissector that follows the flow.
pub(super) const FOLLOWED: u32 = NOTHING - 256;

/// Attachments from here up to [`FOLLOWED`] name a dissector that takes the flow up again.
pub(super) const RESTING: u32 = FOLLOWED - 256;

/// A flow whose head is still read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) inspection: Inspection,
    pub(super) streams: [Stream; 2],
}

impl Head {
    pub(super) fn held(&self) -> usize {
        self.streams.iter().map(Stream::held).sum()
    }
}

/// Heads by index. Places are used again with what they have allocated.
#[derive(Debug, Default)]
pub(super) struct Heads {
    places: Pieces<Head>,
    free: Vec<u32>,
    /// Bytes that all of them hold.
    pub(super) bytes: usize,
}

impl Heads {
    /// A place for a new head; nothing when there are too many.
    pub(super) fn begin(&mut self, engine: Engine, layer: Layer) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            let head = self.places.get_mut(index as usize)?;
            engine.begin(&mut head.inspection, layer);
            return Some(index);
        }
        let index = u32::try_from(self.places.len())
            .ok()
            .filter(|index| *index < RESTING)?;
        let mut head = Head {
            inspection: Inspection::default(),
            streams: [Stream::default(), Stream::default()],
        };
        engine.begin(&mut head.inspection, layer);
        self.places.push(head);
        Some(index)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Head> {
        self.places.get_mut(index as usize)
    }

    pub(super) fn free(&mut self, index: u32) {
        if let Some(head) = self.places.get_mut(index as usize) {
            self.bytes = self.bytes.saturating_sub(head.held());
            head.inspection.clear();
            head.streams.iter_mut().for_each(Stream::reset);
            self.free.push(index);
        }
    }
}

/// Shows the engine what a stream holds, or the packet itself where nothing is held.
#[derive(Debug)]
pub(super) struct StreamWindow<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) in_place: &'a [u8],
}

impl<'a> StreamWindow<'a> {
    pub(super) fn kept(stream: &'a mut Stream) -> Self {
        Self {
            stream,
            in_place: &[],
        }
    }
}

impl Window for StreamWindow<'_> {
    fn bytes(&self) -> &[u8] {
        if self.in_place.is_empty() {
            self.stream.kept()
        } else {
            self.in_place
        }
    }

    fn consume(&mut self, count: usize) {
        if self.in_place.is_empty() {
            self.stream.consume(count);
        } else {
            self.in_place = self.in_place.get(count..).unwrap_or_default();
        }
    }

    fn take_gap(&mut self) -> bool {
        self.stream.take_gap()
    }
}

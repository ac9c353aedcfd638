//! Feeds a dissection as the engine does, for the tests of this folder.

use super::{Dissection, Dissector, Input, Next};
use crate::model::fact::{FactLog, Facts, FieldId, Side, Stamp};

/// One flow.
pub(crate) struct Drive {
    dissection: Box<dyn Dissection>,
    held: [Vec<u8>; 2],
    ended: Option<Next>,
    pub(crate) log: FactLog,
}

impl Drive {
    pub(crate) fn new(dissector: &dyn Dissector) -> Self {
        Self {
            dissection: dissector.start(),
            held: Default::default(),
            ended: None,
            log: FactLog::default(),
        }
    }

    /// Appends bytes to one direction of a stream and feeds what was not consumed yet.
    pub(crate) fn stream(&mut self, side: Side, bytes: &[u8]) -> Option<Next> {
        let mut held = std::mem::take(&mut self.held[side.index()]);
        held.extend_from_slice(bytes);
        let next = self.feed(side, &held)?;
        if let Next::More(consumed) = next {
            assert!(consumed <= held.len(), "consumed more than there was");
            held.drain(..consumed);
        }
        self.held[side.index()] = held;
        Some(next)
    }

    /// Feeds one datagram.
    pub(crate) fn datagram(&mut self, side: Side, bytes: &[u8]) -> Option<Next> {
        self.feed(side, bytes)
    }

    fn feed(&mut self, side: Side, bytes: &[u8]) -> Option<Next> {
        if self.ended.is_some() {
            return None;
        }
        let input = Input {
            side,
            bytes,
            length_on_wire: u32::try_from(bytes.len()).unwrap(),
            after_gap: false,
        };
        let stamp = Stamp {
            side,
            ..Stamp::default()
        };
        let mut events = FactLog::default();
        let mut facts = Facts {
            flow: &mut self.log,
            events: &mut events,
            stamp,
        };
        let next = self.dissection.feed(&input, &mut facts);
        if !matches!(next, Next::More(_) | Next::Release) {
            self.ended = Some(next);
        }
        Some(next)
    }

    /// The texts of a field in their order.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let id = FieldId::of(name);
        let facts = self.log.iter().filter(|fact| fact.field == id);
        facts
            .filter_map(|fact| fact.value.as_text().map(str::to_owned))
            .collect()
    }
}

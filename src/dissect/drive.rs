//! Feeds a dissection as the engine does, for the tests of this folder.

use super::{Dissection, Dissector, Input, Next};
use crate::model::fact::{FactLog, Facts, FieldId, Side, Stamp, Value};
use crate::model::lengths;

/// One flow.
pub(crate) struct Drive {
    dissection: Box<dyn Dissection>,
    held: [Vec<u8>; 2],
    ended: Option<Next>,
    pub(crate) after_gap: bool,
    pub(crate) log: FactLog,
}

impl Drive {
    pub(crate) fn new(dissector: &dyn Dissector) -> Self {
        Self {
            dissection: dissector.start(),
            held: Default::default(),
            ended: None,
            after_gap: false,
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

    /// The flow has ended, or nothing more of it is wanted.
    pub(crate) fn end(&mut self) {
        let mut facts = Facts {
            flow: &mut self.log,
            events: &mut FactLog::default(),
            stamp: Stamp::default(),
        };
        self.dissection.end(&mut facts);
    }

    /// The lengths that a field carries, in words.
    pub(crate) fn lengths(&self, name: &str) -> Vec<String> {
        let id = FieldId::of(name);
        let facts = self.log.iter().filter(|fact| fact.field == id);
        facts
            .filter_map(|fact| match fact.value {
                Value::Bytes { bytes, .. } => Some(lengths::words(bytes)),
                Value::Text { .. } | Value::Number(_) | Value::Endpoint(..) | Value::Answer { .. } => None,
            })
            .collect()
    }

    fn feed(&mut self, side: Side, bytes: &[u8]) -> Option<Next> {
        if self.ended.is_some() {
            return None;
        }
        let input = Input {
            side,
            bytes,
            length_on_wire: u32::try_from(bytes.len()).unwrap(),
            after_gap: self.after_gap,
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

mod tests {
    use super::super::registry::DISSECTORS;
    use super::super::{Head, Probe};
    use super::*;
    use crate::model::segment::Layer;
    use proptest::prelude::*;

    /// Pieces that lead into the depths of some protocol, and any bytes.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let words: [&[u8]; 14] = [
            b"220 ftp\r\n",
            b"EHLO a\r\n",
            b"STARTTLS\r\n",
            b"a1 STARTTLS\r\n",
            b"+OK\r\n",
            b"<?xml version='1.0'?><stream:stream to='",
            b"<starttls/>",
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00",
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b"\x16\x03\x01\x00\x40\x01\0\0\x3c\x03\x03",
            b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x20\x01\0\0\x30\0\0\0\0\0\0\0\x14",
            b"\xc3\0\0\0\x01\x08identity\0\0\x40\x30",
            b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10",
            b"\x09identityQ043\x01CHLO\x01\0\0\0SNI\0",
        ];
        prop_oneof![
            prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..60),
        ]
    }

    proptest! {
        #[test]
        fn no_dissector_panics_or_consumes_what_is_not_there(
            pieces in prop::collection::vec((any::<bool>(), any::<bool>(), piece()), 1..10),
        ) {
            for dissector in DISSECTORS {
                for layer in dissector.layers() {
                    let mut drive = Drive::new(*dissector);
                    for (from_client, after_gap, piece) in &pieces {
                        let side = if *from_client { Side::Client } else { Side::Server };
                        drive.after_gap = *after_gap;
                        if *layer == Layer::Tcp {
                            drive.stream(side, piece);
                        } else {
                            drive.datagram(side, piece);
                        }
                        let head = Head {
                            layer: *layer,
                            protocol: 0,
                            client_port: 40_000,
                            server_port: 25,
                            side,
                            to_server: piece,
                            to_client: &drive.held[1],
                            length_on_wire: 1_400,
                            earlier: &[],
                        };
                        let answer = dissector.probe(&head);
                        prop_assert!(matches!(answer, Probe::Yes | Probe::No | Probe::Wait));
                    }
                }
            }
        }
    }
}

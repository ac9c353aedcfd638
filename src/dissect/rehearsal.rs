//! For tests: feeds payloads to one dissector as the engine would, and puts what it said into words.

use super::registry::DISSECTORS;
use super::{Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Fact, FactLog, Facts, FieldId, Side, Stamp, Value};
use crate::model::segment::Layer;

/// A dissector's flow: its dissection, its logs, and the unconsumed bytes of both streams.
pub(crate) struct Rehearsal {
    dissection: Box<dyn super::Dissection>,
    pub(crate) flow: FactLog,
    pub(crate) events: FactLog,
    pending: [Vec<u8>; 2],
    pub(crate) said: Vec<String>,
    /// What the dissection last wanted.
    pub(crate) last: Next,
}

impl Rehearsal {
    pub(crate) fn of(dissector: &dyn Dissector) -> Self {
        Self {
            dissection: dissector.start(),
            flow: FactLog::default(),
            events: FactLog::default(),
            pending: [Vec::new(), Vec::new()],
            said: Vec::new(),
            last: Next::More(0),
        }
    }

    /// Feeds one datagram of which `length_on_wire` bytes were sent.
    pub(crate) fn datagram(&mut self, stamp: Stamp, bytes: &[u8], length_on_wire: u32) -> Next {
        let input = Input {
            side: stamp.side,
            bytes,
            length_on_wire,
            after_gap: false,
        };
        self.feed(&input, stamp)
    }

    /// Adds bytes to a stream and feeds what was not consumed.
    pub(crate) fn stream(&mut self, stamp: Stamp, bytes: &[u8], after_gap: bool) -> Next {
        let mut pending = std::mem::take(&mut self.pending[stamp.side.index()]);
        if after_gap {
            pending.clear();
        }
        pending.extend_from_slice(bytes);
        let input = Input {
            side: stamp.side,
            bytes: &pending,
            length_on_wire: u32::try_from(pending.len()).unwrap(),
            after_gap,
        };
        let next = self.feed(&input, stamp);
        if let Next::More(consumed) | Next::Become(_, consumed) = next {
            assert!(
                consumed <= pending.len(),
                "consumed {consumed} of {}",
                pending.len()
            );
            pending.drain(..consumed);
        }
        self.pending[stamp.side.index()] = pending;
        next
    }

    fn feed(&mut self, input: &Input<'_>, stamp: Stamp) -> Next {
        let mut facts = Facts {
            flow: &mut self.flow,
            events: &mut self.events,
            stamp,
        };
        let (flow, events) = (facts.flow.len(), facts.events.len());
        self.last = self.dissection.feed(input, &mut facts);
        let new = self.flow.range(flow, self.flow.len());
        let new = new.chain(self.events.range(events, self.events.len()));
        self.said.extend(new.map(|fact| words(&fact)));
        self.last
    }
}

/// Name of a field of any registered dissector.
pub(crate) fn field_name(id: FieldId) -> &'static str {
    DISSECTORS
        .iter()
        .flat_map(|dissector| dissector.fields())
        .find(|field| field.id == id)
        .expect("facts are of fields that are listed")
        .name
}

fn words(fact: &Fact<'_>) -> String {
    let name = field_name(fact.field);
    match fact.value {
        Value::Text { bytes, .. } => format!("{name}={}", String::from_utf8_lossy(bytes)),
        Value::Bytes { bytes, .. } => {
            let digits: Vec<_> = bytes.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("{name}={}", digits.concat())
        }
        Value::Number(number) => format!("{name}={number}"),
        Value::Endpoint(address, 0) => format!("{name}={address}"),
        Value::Endpoint(address, port) => format!("{name}={address} {port}"),
        Value::Answer {
            name: text,
            address,
            lifetime,
        } => format!("{name}={} {address} {lifetime}", String::from_utf8_lossy(text)),
    }
}

fn stamp(side: Side) -> Stamp {
    Stamp {
        side,
        ..Stamp::default()
    }
}

/// What a dissector says of datagrams, each as `field=value`: of each datagram the flow's facts first.
pub(crate) fn said(dissector: &dyn Dissector, datagrams: &[(Side, &[u8])]) -> Vec<String> {
    let mut rehearsal = Rehearsal::of(dissector);
    for (side, bytes) in datagrams {
        let length = u32::try_from(bytes.len()).unwrap();
        rehearsal.datagram(stamp(*side), bytes, length);
    }
    rehearsal.said
}

/// Likewise of segments of a stream, until it is done.
pub(crate) fn said_in_stream(dissector: &dyn Dissector, segments: &[(Side, &[u8])]) -> Vec<String> {
    played(dissector, segments).0
}

/// What it says of segments of a stream, and what it wanted last.
pub(crate) fn played(dissector: &dyn Dissector, segments: &[(Side, &[u8])]) -> (Vec<String>, Next) {
    let mut rehearsal = Rehearsal::of(dissector);
    for (side, bytes) in segments {
        let next = rehearsal.stream(stamp(*side), bytes, false);
        if !matches!(next, Next::More(_)) {
            break;
        }
    }
    (rehearsal.said, rehearsal.last)
}

/// The head of a flow whose first datagram the client sends.
pub(crate) fn head(layer: Layer, server_port: u16, to_server: &[u8]) -> Head<'_> {
    Head {
        layer,
        protocol: 0,
        client_port: 40_000,
        server_port,
        side: Side::Client,
        to_server,
        to_client: &[],
        length_on_wire: u32::try_from(to_server.len()).unwrap(),
        earlier: &[],
    }
}

/// What the dissector thinks of a first datagram to `server_port`.
pub(crate) fn probe_datagram(dissector: &dyn Dissector, server_port: u16, bytes: &[u8]) -> Probe {
    dissector.probe(&head(Layer::Udp, server_port, bytes))
}

/// What the dissector thinks of the beginnings of both streams of a connection to `server_port`.
pub(crate) fn probe_stream(
    dissector: &dyn Dissector,
    server_port: u16,
    to_server: &[u8],
    to_client: &[u8],
) -> Probe {
    dissector.probe(&Head {
        to_client,
        ..head(Layer::Tcp, server_port, to_server)
    })
}

/// Feeds every beginning of a payload, and the payload with each octet changed, from both sides, also behind a gap.
pub(crate) fn every_cut_is_harmless(dissector: &dyn Dissector, payload: &[u8]) {
    let mut changed = payload.to_vec();
    let length = u32::try_from(payload.len()).unwrap();
    for end in 0..payload.len() {
        let cut = &payload[..end];
        for layer in dissector.layers() {
            let _ = dissector.probe(&Head {
                length_on_wire: length,
                ..head(*layer, 0, cut)
            });
        }
        changed[end] ^= 0xff;
        for side in [Side::Client, Side::Server] {
            let mut rehearsal = Rehearsal::of(dissector);
            rehearsal.datagram(stamp(side), cut, length);
            rehearsal.datagram(stamp(side), &changed, length);
            let mut rehearsal = Rehearsal::of(dissector);
            rehearsal.stream(stamp(side), cut, false);
            rehearsal.stream(stamp(side.other()), &changed, true);
        }
        changed[end] ^= 0xff;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_dissector_panic_or_consume_what_is_not_there(
            first in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            second in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            port in proptest::sample::select(vec![53_u16, 67, 80, 123, 137, 138, 547, 1900, 3478, 5351, 5353, 5355]),
        ) {
            for dissector in DISSECTORS {
                for layer in dissector.layers() {
                    let _ = dissector.probe(&head(*layer, port, &first));
                }
                let mut rehearsal = Rehearsal::of(*dissector);
                for side in [Side::Client, Side::Server] {
                    rehearsal.datagram(stamp(side), &first, u32::try_from(first.len()).unwrap());
                    rehearsal.stream(stamp(side), &second, false);
                    rehearsal.stream(stamp(side), &first, true);
                }
            }
        }
    }

    #[test]
    fn no_two_fields_share_an_identifier() {
        let mut fields: Vec<_> = DISSECTORS
            .iter()
            .flat_map(|dissector| dissector.fields())
            .collect();
        fields.sort_by_key(|field| field.id);
        for pair in fields.windows(2) {
            assert!(
                pair[0].id != pair[1].id || pair[0].name == pair[1].name,
                "{pair:?}"
            );
        }
    }
}

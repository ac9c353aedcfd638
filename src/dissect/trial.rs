//! Test support: drives dissectors over the payloads of one flow as the contract in `dissect/mod.rs` says,
//! without the engine: unconsumed bytes of a stream come again in front, datagrams come one by one.

use super::{DATAGRAM_PREFIX, Dissection, Dissector, Head, Input, Next, Probe, Seen};
use crate::model::fact::{FactLog, Facts, FieldId, Side, Stamp, Value};
use crate::model::segment::Layer;

/// How many earlier datagrams probes get to see.
const MOST_EARLIER: usize = 8;

/// One flow under test.
pub(super) struct Trial {
    all: Vec<&'static dyn Dissector>,
    candidates: Vec<&'static dyn Dissector>,
    layer: Layer,
    protocol: u8,
    client_port: u16,
    server_port: u16,
    streams: [Vec<u8>; 2],
    earlier: Vec<Seen>,
    running: Option<Box<dyn Dissection>>,
    finished: bool,
    /// Names of dissectors that said yes, in order; a rejected one is removed again.
    pub(super) names: Vec<&'static str>,
    /// What they handed over to.
    pub(super) became: Option<&'static str>,
    /// The last answer of a probe.
    pub(super) probed: Probe,
    /// The last answer of a dissection.
    pub(super) next: Option<Next>,
    /// Facts about the flow.
    pub(super) flow: FactLog,
    /// Facts for observers.
    pub(super) events: FactLog,
}

impl Trial {
    /// A flow that only `candidates` are asked about.
    pub(super) fn new(candidates: &[&'static dyn Dissector], layer: Layer, ports: (u16, u16)) -> Self {
        let protocol = match layer {
            Layer::Tcp => 6,
            Layer::Udp => 17,
            Layer::Sctp | Layer::Icmp | Layer::Icmpv6 | Layer::OtherIp | Layer::Link => 0,
        };
        let all: Vec<_> = candidates
            .iter()
            .copied()
            .filter(|dissector| dissector.layers().contains(&layer))
            .collect();
        Self {
            candidates: all.clone(),
            all,
            layer,
            protocol,
            client_port: ports.0,
            server_port: ports.1,
            streams: [Vec::new(), Vec::new()],
            earlier: Vec::new(),
            running: None,
            finished: false,
            names: Vec::new(),
            became: None,
            probed: Probe::No,
            next: None,
            flow: FactLog::default(),
            events: FactLog::default(),
        }
    }

    pub(super) fn with_protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    /// Gives the next payload: a segment's new bytes or a datagram.
    pub(super) fn payload(&mut self, side: Side, bytes: &[u8]) {
        self.cut_payload(side, bytes, u32::try_from(bytes.len()).unwrap());
    }

    /// The same for a datagram of which only the beginning was captured.
    pub(super) fn cut_payload(&mut self, side: Side, bytes: &[u8], length_on_wire: u32) {
        if self.finished || bytes.is_empty() {
            return;
        }
        let is_stream = self.layer == Layer::Tcp;
        if is_stream {
            self.streams[side.index()].extend_from_slice(bytes);
        }
        let was_running = self.running.is_some();
        if !was_running && !self.probe(side, bytes, length_on_wire) {
            return;
        }
        if !is_stream {
            self.feed(side, bytes, length_on_wire);
            return;
        }
        let order = if was_running {
            vec![side]
        } else {
            vec![side.other(), side]
        };
        for side in order {
            let stream = std::mem::take(&mut self.streams[side.index()]);
            let consumed = if stream.is_empty() || self.finished || self.running.is_none() {
                0
            } else {
                self.feed(side, &stream, u32::try_from(stream.len()).unwrap())
            };
            self.streams[side.index()] = stream[consumed..].to_vec();
        }
    }

    fn probe(&mut self, side: Side, bytes: &[u8], length_on_wire: u32) -> bool {
        let is_stream = self.layer == Layer::Tcp;
        let (to_server, to_client): (&[u8], &[u8]) = match (is_stream, side) {
            (true, _) => (&self.streams[0], &self.streams[1]),
            (false, Side::Client) => (bytes, &[]),
            (false, Side::Server) => (&[], bytes),
        };
        let head = Head {
            layer: self.layer,
            protocol: self.protocol,
            client_port: self.client_port,
            server_port: self.server_port,
            side,
            to_server,
            to_client,
            length_on_wire,
            earlier: &self.earlier,
        };
        let mut waiting = Vec::new();
        self.probed = Probe::No;
        for dissector in &self.candidates {
            match dissector.probe(&head) {
                Probe::Yes => {
                    self.names.push(dissector.name());
                    self.running = Some(dissector.start());
                    self.probed = Probe::Yes;
                    return true;
                }
                Probe::Wait => {
                    self.probed = Probe::Wait;
                    waiting.push(*dissector);
                }
                Probe::No => {}
            }
        }
        self.candidates = waiting;
        if !is_stream && self.earlier.len() < MOST_EARLIER {
            let mut seen = Seen {
                side,
                length_on_wire,
                length: u8::try_from(bytes.len().min(DATAGRAM_PREFIX)).unwrap(),
                bytes: [0; DATAGRAM_PREFIX],
            };
            let kept = usize::from(seen.length);
            seen.bytes[..kept].copy_from_slice(&bytes[..kept]);
            self.earlier.push(seen);
        }
        false
    }

    fn feed(&mut self, side: Side, bytes: &[u8], length_on_wire: u32) -> usize {
        let Some(running) = self.running.as_mut() else {
            return 0;
        };
        let mut facts = Facts {
            flow: &mut self.flow,
            events: &mut self.events,
            stamp: Stamp {
                side,
                ..Stamp::default()
            },
        };
        let input = Input {
            side,
            bytes,
            length_on_wire,
            after_gap: false,
        };
        let next = running.feed(&input, &mut facts);
        self.next = Some(next);
        match next {
            Next::More(consumed) => consumed.min(bytes.len()),
            Next::Release => 0,
            Next::Done => {
                self.finished = true;
                0
            }
            Next::Reject => {
                self.names.pop();
                self.running = None;
                self.finished = true;
                0
            }
            Next::Become(name, consumed) => {
                self.became = Some(name);
                // An empty name: whatever follows is probed again.
                self.finished = !name.is_empty();
                self.running = None;
                self.candidates = self.all.clone();
                assert!(consumed <= bytes.len(), "consumed more than there was");
                consumed
            }
        }
    }

    /// All facts of a field in order, as text.
    pub(super) fn said(&self, name: &str) -> Vec<String> {
        let id = FieldId::of(name);
        self.flow
            .iter()
            .chain(self.events.iter())
            .filter(|fact| fact.field == id)
            .map(|fact| match fact.value {
                Value::Text { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
                Value::Bytes { bytes, .. } => hex(bytes),
                Value::Number(number) => number.to_string(),
                Value::Endpoint(address, port) => format!("{address} {port}"),
                Value::Answer { address, .. } => address.to_string(),
            })
            .collect()
    }
}

/// Octets as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}

/// Every truncation of every payload must neither panic nor consume more than there is.
pub(super) fn survives_every_truncation(
    dissector: &'static dyn Dissector,
    layer: Layer,
    payloads: &[(Side, &[u8])],
) {
    for cut_at in 0..payloads.len() {
        for length in 0..payloads[cut_at].1.len() {
            let mut trial = Trial::new(&[dissector], layer, (40_000, 40_001));
            trial.names.push(dissector.name());
            trial.running = Some(dissector.start());
            for (index, (side, bytes)) in payloads.iter().enumerate() {
                let bytes = if index == cut_at { &bytes[..length] } else { bytes };
                trial.payload(*side, bytes);
            }
            let mut probing = Trial::new(&[dissector], layer, (40_000, 40_001));
            for (index, (side, bytes)) in payloads.iter().enumerate() {
                let bytes = if index == cut_at { &bytes[..length] } else { bytes };
                probing.payload(*side, bytes);
            }
        }
    }
}

//! Dissection: any pieces in both directions, to one protocol or to all.
//!
//! An input is the transport, the IP protocol, the ports of both sides (two octets each), and pieces: of their flags, bit
//! 0 is set on what the server sent, bit 1 where octets were lost before (streams), bit 2 where a datagram was cut.

use farmhawk::dissect::engine::{Engine, FlowView, Inspection, Interest, Named, Window};
use farmhawk::dissect::registry::DISSECTORS;
use farmhawk::dissect::{Dissector, Head, Input, Next, Probe};
use farmhawk::model::fact::{FactLog, Facts, Side, Stamp};
use farmhawk::model::segment::Layer;

use super::pieces::Pieces;

/// Octets of a direction that are held for a dissection, as `Limits::head_bytes_per_side`.
const MOST_HELD: usize = 64 << 10;

/// Octets of facts that an input of any kind may cause: each octet fed is worth some, and no more than that.
const FACTS_PER_OCTET: usize = 256;

/// Transports in the order of their numbers.
const LAYERS: [Layer; 7] = [
    Layer::Tcp,
    Layer::Udp,
    Layer::Sctp,
    Layer::Icmp,
    Layer::Icmpv6,
    Layer::OtherIp,
    Layer::Link,
];

/// What an input says about its flow, and its pieces.
fn flow(input: &[u8]) -> Option<(FlowView, Pieces<'_>)> {
    let (&[layer, protocol, a, b, c, d], rest) = input.split_first_chunk::<6>()?;
    let view = FlowView {
        layer: LAYERS.iter().cycle().nth(usize::from(layer)).copied()?,
        protocol,
        client_port: u16::from_be_bytes([a, b]),
        server_port: u16::from_be_bytes([c, d]),
    };
    Some((view, Pieces::of(rest)))
}

const fn side_of(flags: u8) -> Side {
    if flags & 1 == 0 {
        Side::Client
    } else {
        Side::Server
    }
}

/// Length on the wire of a datagram that may have been cut.
fn on_wire(flags: u8, piece: &[u8]) -> u32 {
    let captured = u32::try_from(piece.len()).unwrap_or(u32::MAX);
    captured.saturating_add(if flags & 4 == 0 { 0 } else { 700 })
}

/// Feeds the dissectors registered under `name` (some stand on several transports); `false` when there are none.
pub fn protocol(name: &str, input: &[u8]) -> bool {
    let mut exists = false;
    for dissector in DISSECTORS.iter().filter(|dissector| dissector.name() == name) {
        exists = true;
        let Some((mut view, pieces)) = flow(input) else {
            continue;
        };
        // An input for a foreign transport goes to the protocol's own.
        let layers = dissector.layers();
        if !layers.contains(&view.layer) {
            view.layer = layers.first().copied().unwrap_or_default();
        }
        feed(*dissector, view, pieces);
    }
    exists
}

/// Probes with every piece, and feeds it whatever the answer: a hand-over begins a dissection that was never asked.
fn feed(dissector: &dyn Dissector, view: FlowView, pieces: Pieces<'_>) {
    let mut dissection = dissector.start();
    let mut held = [Vec::new(), Vec::new()];
    let mut logs = [FactLog::default(), FactLog::default()];
    let mut fed = 1_usize;
    for (flags, piece) in pieces {
        let side = side_of(flags);
        let is_stream = view.layer == Layer::Tcp;
        let [client, server] = &mut held;
        let (mine, theirs) = if side == Side::Client {
            (client, server)
        } else {
            (server, client)
        };
        let after_gap = is_stream && flags & 2 != 0;
        if after_gap || !is_stream || mine.len().saturating_add(piece.len()) > MOST_HELD {
            mine.clear();
        }
        mine.extend_from_slice(piece);
        if mine.is_empty() {
            continue;
        }
        let length_on_wire = if is_stream {
            u32::try_from(mine.len()).unwrap_or(u32::MAX)
        } else {
            theirs.clear();
            on_wire(flags, piece)
        };
        let (to_server, to_client) = match side {
            Side::Client => (&*mine, &*theirs),
            Side::Server => (&*theirs, &*mine),
        };
        let answer = dissector.probe(&Head {
            layer: view.layer,
            protocol: view.protocol,
            client_port: view.client_port,
            server_port: view.server_port,
            side,
            to_server,
            to_client,
            length_on_wire,
            earlier: &[],
        });
        assert!(matches!(answer, Probe::Yes | Probe::No | Probe::Wait));
        let [flow, events] = &mut logs;
        let mut facts = Facts {
            flow,
            events,
            stamp: Stamp {
                side,
                ..Stamp::default()
            },
        };
        fed = fed.saturating_add(mine.len());
        let next = dissection.feed(
            &Input {
                side,
                bytes: mine,
                length_on_wire,
                after_gap,
            },
            &mut facts,
        );
        match next {
            Next::More(consumed) | Next::Become(_, consumed) if is_stream => {
                assert!(consumed <= mine.len(), "consumed what is not there");
                mine.drain(..consumed);
            }
            Next::More(_) | Next::Release | Next::Become(..) | Next::Done | Next::Reject => {}
        }
        if let Next::Become(name, _) = next {
            let is_known = name.is_empty() || DISSECTORS.iter().any(|known| known.name() == name);
            assert!(is_known, "hands over to {name}, which nobody registered");
        }
        check(&logs, fed);
        if matches!(next, Next::Done | Next::Reject | Next::Become(..)) {
            return;
        }
    }
}

/// The facts can be read back, and there are not more of them than the octets can account for.
fn check(logs: &[FactLog; 2], fed: usize) {
    let mut length = 0_usize;
    for log in logs {
        assert_eq!(
            log.is_empty(),
            log.iter().next().is_none(),
            "facts that cannot be read"
        );
        length = length.saturating_add(log.len());
    }
    let most = fed.saturating_mul(FACTS_PER_OCTET).saturating_add(64 << 10);
    assert!(length <= most, "{length} octets of facts from {fed} octets");
}

/// Octets of one direction that wait.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    after_gap: bool,
}

impl Window for Held {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn consume(&mut self, count: usize) {
        assert!(count <= self.bytes.len(), "consumed what is not there");
        self.bytes.drain(..count);
    }

    fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.after_gap)
    }
}

/// Brings the pieces to the engine as a shard does.
pub fn engine(input: &[u8]) {
    let _ = spoken(input);
}

/// Brings the pieces to the engine; gives the numbers of the protocols that it heard.
#[must_use]
pub fn spoken(input: &[u8]) -> Vec<u8> {
    let mut spoken = Vec::new();
    let Some((view, pieces)) = flow(input) else {
        return spoken;
    };
    let mut named = |named| {
        if let Named::Speaks(number) = named {
            spoken.push(number);
        }
    };
    let engine = Engine::default();
    let mut inspection = Inspection::default();
    engine.begin(&mut inspection, view.layer);
    let mut windows = [Held::default(), Held::default()];
    let mut logs = [FactLog::default(), FactLog::default()];
    let mut fed = 1_usize;
    let mut followed = None;
    for (flags, piece) in pieces {
        let side = side_of(flags);
        let [flow, events] = &mut logs;
        let mut facts = Facts {
            flow,
            events,
            stamp: Stamp {
                side,
                ..Stamp::default()
            },
        };
        if piece.is_empty() {
            continue;
        }
        let datagram = Input {
            side,
            bytes: piece,
            length_on_wire: on_wire(flags, piece),
            after_gap: false,
        };
        fed = fed.saturating_add(piece.len());
        let interest = if let Some(number) = followed {
            Engine::follow(number, &datagram, &mut facts);
            Interest::Follow(number)
        } else if view.layer == Layer::Tcp {
            let Some(window) = windows.get_mut(side.index()) else {
                break;
            };
            if flags & 2 != 0 || window.bytes.len().saturating_add(piece.len()) > MOST_HELD {
                window.bytes.clear();
                window.after_gap = true;
            }
            window.bytes.extend_from_slice(piece);
            let waiting = windows.iter().map(|window| window.bytes.len()).sum();
            fed = fed.saturating_add(waiting);
            engine.stream(&mut inspection, view, &mut windows, side, &mut facts, &mut named)
        } else {
            engine.datagram(&mut inspection, view, &datagram, 24, &mut facts, &mut named)
        };
        check(&logs, fed);
        match interest {
            Interest::More => {}
            Interest::Follow(number) => followed = Some(number),
            Interest::Rest(number) => {
                inspection.clear();
                Engine::resume(&mut inspection, number);
            }
            Interest::Nothing => break,
        }
    }
    spoken
}

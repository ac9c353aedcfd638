//! Which dissector speaks for a flow: probing, feeding, handing over.
//!
//! The engine knows no protocol. It asks the registered dissectors in their order, keeps the few that wait, feeds the one
//! that said yes, and follows it when it hands over (STARTTLS, CONNECT) or shares the flow (STUN beside DTLS).
//! All bounds (how many datagrams, how many hand-overs) are here.

mod inspection;
mod listening;
mod openings;
mod probing;

use std::mem::size_of_val;

use super::openvpn::lengths;
use super::registry::DISSECTORS;
use super::{Dissection, Dissector, Head, Input, Next};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;
pub use inspection::Inspection;
use inspection::Speaker;
use probing::{Verdict, ask, remember, say_payload};

/// First payload of the client of a flow that no dissector claimed at once: for signatures on bytes.
pub static PAYLOAD_TO_SERVER: Field = Field::of_flow("payload.to_server");
/// Likewise of the server.
pub static PAYLOAD_TO_CLIENT: Field = Field::of_flow("payload.to_client");

/// Lengths of the first payloads of such a flow with who sent each ([`crate::model::lengths`]), where a signature asks for them.
pub static PAYLOAD_LENGTHS: Field = Field::of_flow("payload.lengths");

/// The engine's own fields.
pub static FIELDS: &[&Field] = &[
    &PAYLOAD_TO_SERVER,
    &PAYLOAD_TO_CLIENT,
    &PAYLOAD_LENGTHS,
    &lengths::INSIDE,
];

/// Protocols that may speak in one flow of datagrams at once.
const MOST_SPEAKERS: usize = 3;

/// Hand-overs of one stream.
const MOST_HOPS: u8 = 4;

/// Datagrams that are probed while nobody claims them. What a carrier takes does not count: the checks of ICE may be many
/// before DTLS begins behind them.
const MOST_PROBED: u16 = 8;

/// Dissectors by transport, as bits in the order of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    by_layer: [u64; 7],
    /// Whether streams are read closely ([`Dissector::start_closely`]).
    is_close: bool,
    /// Whether the lengths of payloads that nobody claims are counted.
    counts: bool,
}

/// What the caller has to note about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It speaks the protocol with this number in the registry.
    Speaks(u8),
    /// It does not, after all.
    TakenBack(u8),
}

/// Whether a flow's payloads are still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Keep the inspection and bring the next payload.
    More,
    /// Drop the inspection; bring every payload to [`Engine::follow`] with this number: the dissector keeps no state.
    Follow(u8),
    /// Drop the inspection; at the next payload begin one with [`Engine::resume`] and this number.
    Rest(u8),
    /// Drop it; nothing more is wanted.
    Nothing,
}

/// Octets of one direction that wait to be read.
pub trait Window {
    /// The octets from the first unconsumed one on.
    fn bytes(&self) -> &[u8];
    /// Consumes some.
    fn consume(&mut self, count: usize);
    /// Whether octets were lost just before; reading it clears it.
    fn take_gap(&mut self) -> bool;
}

/// What the engine must know of the flow itself.
#[derive(Clone, Copy, Debug)]
pub struct FlowView {
    /// Transport.
    pub layer: Layer,
    /// IP protocol number.
    pub protocol: u8,
    /// Port of the client; for ICMP its type.
    pub client_port: u16,
    /// Port of the server; for ICMP its code, for link segments the EtherType.
    pub server_port: u16,
}

impl Default for Engine {
    fn default() -> Self {
        let mut by_layer = [0u64; 7];
        for (number, dissector) in DISSECTORS.iter().enumerate().take(64) {
            for layer in dissector.layers() {
                if let Some(bits) = by_layer.get_mut(*layer as usize) {
                    *bits |= 1 << number;
                }
            }
        }
        Self {
            by_layer,
            is_close: false,
            counts: false,
        }
    }
}

fn dissector(number: u8) -> Option<&'static dyn Dissector> {
    DISSECTORS.get(usize::from(number)).copied()
}

/// Number of the registered dissector called `name` that stands on this transport.
fn number_of(name: &str, layer: Layer) -> Option<u8> {
    DISSECTORS
        .iter()
        .position(|dissector| dissector.name() == name && dissector.layers().contains(&layer))
        .and_then(|number| u8::try_from(number).ok())
}

impl Engine {
    /// Who dissects frames like this one that belong to no flow (ARP, LLDP): its number and a dissection to keep.
    #[must_use]
    pub fn claim(&self, view: FlowView, input: &Input<'_>) -> Option<(u8, Box<dyn Dissection>)> {
        let head = Head {
            layer: view.layer,
            protocol: view.protocol,
            client_port: view.client_port,
            server_port: view.server_port,
            side: input.side,
            to_server: input.bytes,
            to_client: &[],
            length_on_wire: input.length_on_wire,
            earlier: &[],
        };
        let mut open = self.candidates(view.layer);
        let Verdict::Claimed(number) = ask(&mut open, &head, false) else {
            return None;
        };
        Some((number, dissector(number)?.start()))
    }

    /// Reads streams closely, where the run asks for it.
    #[must_use]
    pub const fn closely(self, is_close: bool) -> Self {
        Self { is_close, ..self }
    }

    /// Counts the lengths of payloads that nobody claims, where a signature asks for them.
    #[must_use]
    pub const fn counting(self, counts: bool) -> Self {
        Self { counts, ..self }
    }

    /// Says what only the end of a flow can say: nothing more is brought of it.
    pub fn conclude(inspection: &mut Inspection, facts: &mut Facts<'_>) {
        for speaker in &mut inspection.speakers {
            speaker.dissection.end(facts);
        }
        inspection.say_lengths(facts);
    }

    /// Starts a dissection of a stream.
    fn start(self, dissector: &dyn Dissector) -> Box<dyn Dissection> {
        if self.is_close {
            dissector.start_closely()
        } else {
            dissector.start()
        }
    }

    /// Whether any dissector stands on this transport.
    #[must_use]
    pub fn wants(&self, layer: Layer) -> bool {
        self.candidates(layer) != 0
    }

    fn candidates(&self, layer: Layer) -> u64 {
        self.by_layer.get(layer as usize).copied().unwrap_or(0)
    }

    /// Begins to inspect a flow, in a cleared inspection.
    pub fn begin(&self, inspection: &mut Inspection, layer: Layer) {
        inspection.open = self.candidates(layer);
    }

    /// Takes up a flow that rested, in a cleared inspection.
    pub fn resume(inspection: &mut Inspection, number: u8) {
        if let Some(dissector) = dissector(number) {
            inspection.add(number, dissector.resume());
        }
    }

    /// Feeds a datagram to a stateless dissector that follows its flow.
    pub fn follow(number: u8, input: &Input<'_>, facts: &mut Facts<'_>) {
        if let Some(dissector) = dissector(number) {
            dissector.start().feed(input, facts);
        }
    }

    /// Brings a datagram (anything but TCP). `most` bounds how many are fed to a dissection that does not follow its flow.
    pub fn datagram(
        &self,
        inspection: &mut Inspection,
        view: FlowView,
        input: &Input<'_>,
        most: u16,
        facts: &mut Facts<'_>,
        named: &mut dyn FnMut(Named),
    ) -> Interest {
        let mut index = 0;
        let mut is_taken = false;
        let mut is_carriers = false;
        while let Some(speaker) = inspection.speakers.get_mut(index) {
            let number = speaker.number;
            match speaker.dissection.feed(input, facts) {
                Next::Release => index = index.saturating_add(1),
                Next::Done | Next::Become(..) => {
                    inspection.speakers.remove(index);
                    is_taken = true;
                    break;
                }
                Next::Reject => {
                    inspection.speakers.remove(index);
                    named(Named::TakenBack(number));
                }
                Next::More(_) => {
                    is_taken = true;
                    is_carriers = dissector(number).is_some_and(Dissector::is_carrier);
                    break;
                }
            }
        }
        if !is_carriers {
            inspection.datagrams = inspection.datagrams.saturating_add(1);
        }
        if !is_taken && inspection.speakers.len() < MOST_SPEAKERS && inspection.open != 0 {
            Self::probe_datagram(inspection, view, input, facts, named);
        }
        let counts = self.counts && inspection.counts_on(view.layer);
        if counts {
            inspection.count_datagram(input);
        }
        Self::interest_after_datagram(inspection, most, counts)
    }

    fn probe_datagram(
        inspection: &mut Inspection,
        view: FlowView,
        input: &Input<'_>,
        facts: &mut Facts<'_>,
        named: &mut dyn FnMut(Named),
    ) {
        loop {
            let earlier = std::mem::take(&mut inspection.earlier);
            let verdict = ask(
                &mut inspection.open,
                &Head {
                    layer: view.layer,
                    protocol: view.protocol,
                    client_port: view.client_port,
                    server_port: view.server_port,
                    side: input.side,
                    to_server: if input.side == Side::Client {
                        input.bytes
                    } else {
                        &[]
                    },
                    to_client: if input.side == Side::Server {
                        input.bytes
                    } else {
                        &[]
                    },
                    length_on_wire: input.length_on_wire,
                    earlier: &earlier,
                },
                // Datagrams of a protocol that begins in the middle of a flow may follow others: a No is not final.
                inspection.datagrams < MOST_PROBED,
            );
            inspection.earlier = earlier;
            let Verdict::Claimed(number) = verdict else {
                if verdict == Verdict::Waiting && inspection.earlier.len() < usize::from(MOST_PROBED) {
                    inspection.earlier.push(remember(input));
                }
                if inspection.speakers.is_empty() {
                    say_payload(inspection, input, facts);
                }
                return;
            };
            let Some(dissector) = dissector(number) else {
                return;
            };
            inspection.open &= !(1u64 << number);
            inspection.is_claimed = true;
            inspection.earlier.clear();
            named(Named::Speaks(number));
            let mut dissection = dissector.start();
            match dissection.feed(input, facts) {
                Next::Reject => named(Named::TakenBack(number)),
                Next::More(_) => {
                    inspection.add(number, dissection);
                    return;
                }
                Next::Release => inspection.add(number, dissection),
                Next::Done | Next::Become(..) => {
                    if !dissector.is_carrier() {
                        inspection.open = 0;
                    }
                    return;
                }
            }
        }
    }

    fn interest_after_datagram(inspection: &mut Inspection, most: u16, counts: bool) -> Interest {
        if let [speaker] = inspection.speakers.as_slice()
            && let Some(dissector) = dissector(speaker.number)
            && dissector.follows()
            && !dissector.is_carrier()
        {
            if size_of_val(&*speaker.dissection) == 0 {
                return Interest::Follow(speaker.number);
            }
            if speaker.dissection.may_rest() {
                return Interest::Rest(speaker.number);
            }
        }
        if inspection.datagrams >= MOST_PROBED && inspection.open != 0 {
            inspection.open = 0;
            inspection.earlier = Vec::new();
        }
        let follows = |speaker: &Speaker| dissector(speaker.number).is_some_and(Dissector::follows);
        if inspection.datagrams >= most {
            inspection.speakers.retain(|speaker| follows(speaker));
        }
        // A dissector that claimed the flow for good ends the search for others.
        let is_settled = inspection
            .speakers
            .iter()
            .any(|speaker| !dissector(speaker.number).is_some_and(Dissector::is_carrier));
        if is_settled {
            inspection.open = 0;
        }
        if inspection.speakers.is_empty() && inspection.open == 0 {
            let [there, back] = inspection.said_payload;
            let waits_for_other_side = there ^ back && inspection.datagrams < MOST_PROBED;
            let counts_on = counts && inspection.datagrams < MOST_PROBED;
            if !waits_for_other_side && !counts_on {
                return Interest::Nothing;
            }
        }
        Interest::More
    }

    /// Brings what is new of a stream: `newest` says whose octets came. Both windows show all octets not consumed yet.
    pub fn stream<W: Window>(
        &self,
        inspection: &mut Inspection,
        view: FlowView,
        windows: &mut [W; 2],
        newest: Side,
        facts: &mut Facts<'_>,
        named: &mut dyn FnMut(Named),
    ) -> Interest {
        let mut sides = [newest, newest.other()];
        let mut fed_other = false;
        if self.is_close && inspection.speakers.is_empty() {
            inspection.listen(windows, newest, facts);
        }
        loop {
            if inspection.speakers.is_empty() {
                match self.probe_stream(inspection, view, windows, newest, facts, named) {
                    Verdict::Claimed(_) => {}
                    Verdict::Waiting => return Interest::More,
                    Verdict::Nobody => {
                        let said_one_side = inspection.said_payload.contains(&false);
                        let more = said_one_side
                            || self.is_close && inspection.listens_on(windows)
                            || self.counts && inspection.counts_on(view.layer);
                        return if more { Interest::More } else { Interest::Nothing };
                    }
                }
                // What the other side said before the newest payload waited until now; it goes first.
                sides = [newest.other(), newest];
                fed_other = true;
            }
            let Some(speaker) = inspection.speakers.first_mut() else {
                return Interest::Nothing;
            };
            let number = speaker.number;
            let mut outcome = Next::More(0);
            for side in sides.into_iter().take(if fed_other { 2 } else { 1 }) {
                let [client, server] = &mut *windows;
                let window = if side == Side::Client { client } else { server };
                let after_gap = window.take_gap();
                let bytes = window.bytes();
                if bytes.is_empty() {
                    continue;
                }
                let length_on_wire = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let stamp = facts.stamp;
                facts.stamp.side = side;
                outcome = speaker.dissection.feed(
                    &Input {
                        side,
                        bytes,
                        length_on_wire,
                        after_gap,
                    },
                    facts,
                );
                facts.stamp = stamp;
                match outcome {
                    Next::More(consumed) => window.consume(consumed),
                    Next::Become(_, consumed) => {
                        window.consume(consumed);
                        break;
                    }
                    Next::Done | Next::Reject | Next::Release => break,
                }
            }
            match outcome {
                Next::More(_) | Next::Release => return Interest::More,
                Next::Done => return Interest::Nothing,
                Next::Reject => {
                    inspection.speakers.clear();
                    inspection.open &= !(1u64 << number);
                    named(Named::TakenBack(number));
                }
                Next::Become(name, _) => {
                    inspection.speakers.clear();
                    inspection.hops = inspection.hops.saturating_add(1);
                    if inspection.hops > MOST_HOPS {
                        return Interest::Nothing;
                    }
                    if name.is_empty() {
                        // The next payload decides; a protocol does not carry itself twice in a row.
                        inspection.open = self.candidates(view.layer) & !(1u64 << number);
                        inspection.said_payload = [true, true];
                        if windows.iter().all(|window| window.bytes().is_empty()) {
                            return Interest::More;
                        }
                    } else {
                        let Some(next) = number_of(name, view.layer) else {
                            return Interest::Nothing;
                        };
                        let Some(dissector) = dissector(next) else {
                            return Interest::Nothing;
                        };
                        inspection.add(next, self.start(dissector));
                        named(Named::Speaks(next));
                        sides = [Side::Client, Side::Server];
                        fed_other = true;
                    }
                }
            }
        }
    }

    fn probe_stream<W: Window>(
        self,
        inspection: &mut Inspection,
        view: FlowView,
        windows: &mut [W; 2],
        newest: Side,
        facts: &mut Facts<'_>,
        named: &mut dyn FnMut(Named),
    ) -> Verdict {
        let [client, server] = &*windows;
        let newest_bytes = if newest == Side::Client {
            client.bytes()
        } else {
            server.bytes()
        };
        let length_on_wire = u32::try_from(newest_bytes.len()).unwrap_or(u32::MAX);
        let verdict = ask(
            &mut inspection.open,
            &Head {
                layer: view.layer,
                protocol: view.protocol,
                client_port: view.client_port,
                server_port: view.server_port,
                side: newest,
                to_server: client.bytes(),
                to_client: server.bytes(),
                length_on_wire,
                earlier: &[],
            },
            false,
        );
        if let Verdict::Claimed(number) = verdict {
            inspection.claimed();
            if let Some(dissector) = dissector(number) {
                inspection.add(number, self.start(dissector));
                named(Named::Speaks(number));
            }
        } else {
            if self.counts && inspection.counts_on(view.layer) {
                inspection.count_stream(newest, length_on_wire);
            }
            say_payload(
                inspection,
                &Input {
                    side: newest,
                    bytes: newest_bytes,
                    length_on_wire,
                    after_gap: false,
                },
                facts,
            );
        }
        verdict
    }
}

#[cfg(test)]
mod tests;

//! Remote control by a tool that nothing names: a long connection in which the host sends a screen and a hand answers it.
//!
//! Question: what does a hand do that no program does? In ten seconds it sends a score of small packets and more, and nothing else;
//! several come without waiting for an answer; the screen answers, with little as long as it stands still otherwise; and a hand
//! rests. Each half of that belongs to something else, too: receipts of an upload are small, but come for many octets each;
//! the sound of a call comes without waiting, but never rests; requests of a page or a dashboard wait for their answers, or are
//! not small; a shell or a chat that the host uses itself sends less than it gets.
//!
//! Over UDP and QUIC it is not looked for: a meeting in which a still screen is shown looks the same, for the voices of the others are small
//! packets that come unasked and rest, and what is shown outweighs them. Of 43 flows of datagrams with payload in six windows and more in all captures and
//! recordings (2026-11-22) none has the shape, but only one without a name is as long as the shape takes, so nothing tried the guard.
//!
//! Numbers: what the recordings in `fixtures/states` show at 2, 40 and 160 ms and no other capture does; they are of three kinds
//! of programs, so that the finding is a lead and hardly more. Looked at is a flow that no entry of the catalogue names, once, when it ends.

use super::Concluded;
use super::watcher::{ByLocal, Ended, Watcher};
use crate::settings::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::activity_state::{self, Window, Windows};
use super::recognise::Recognised;
use super::thresholds::{THRESHOLDS, UnknownInteractive};
use super::{HostView, Knowledge, known_server};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{FieldId, Value};
use crate::model::finding::{Confidence, Finding, FindingKind, Role, UNKNOWN_INTERACTIVE};
use crate::model::flow::{ActivityBin, BIN, FlowRecord};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::segment::Layer;
use crate::model::time::{SECOND, Timestamp};

/// Connections that are remembered: hardly any has the shape.
const MOST: usize = 1_024;

/// Flows that a finding lists.
const MOST_FLOW_IDS: usize = 32;

/// What is judgement here.
pub(super) fn own() -> &'static UnknownInteractive {
    &THRESHOLDS.unknown_interactive
}

/// Protocols inside which anything may be.
const OPAQUE: [&str; 2] = ["tls", "websocket"];

const PAYLOADS: [FieldId; 2] = [FieldId::of("payload.to_server"), FieldId::of("payload.to_client")];

/// What shows the hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Ten-second windows of a hand.
    pub hand: usize,
    /// From first to last.
    pub span: u32,
    /// Median of packets of input in a window of a hand.
    pub packets: u32,
}

impl Shape {
    /// Whether a hand moved in a window of such a connection.
    pub(super) fn has_input(&self, window: &Window) -> bool {
        window.inward.packets.saturating_mul(own().rest) > self.packets
    }

    /// Whether the form alone makes remote control probable, of a connection that the host opened or did not.
    pub(super) fn is_enough(self, is_opened_by_host: bool) -> bool {
        is_opened_by_host && self.hand >= own().enough_hand && self.span >= own().enough_span
    }
}

/// A connection that has the shape.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) flow: ContentId,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) is_opened_by_host: bool,
    pub(super) port: u16,
    pub(super) name: Option<Arc<str>>,
    pub(super) frames: Vec<FrameRef>,
    pub(super) windows: Windows,
    pub(super) shape: Shape,
}

/// The detector.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    found: BTreeMap<(LocalIndex, Address), Vec<Candidate>>,
    held: usize,
    /// Connections beyond the bound.
    pub(super) refused: u64,
}

/// Whether a window is one of a hand that drives who sends `out`.
fn has_hand(window: &Window) -> bool {
    let (screen, input) = (window.out, window.inward);
    let small = u64::from(input.small);
    let packets = u64::from(input.packets);
    let unasked = small.saturating_sub(input.turns.into());
    input.packets >= own().packets
        && small.saturating_mul(100) >= packets.saturating_mul(own().small_percent)
        && input.bytes <= packets.saturating_mul(own().event_octets)
        && unasked.saturating_mul(100) >= small.saturating_mul(own().unasked_percent)
        && screen.bytes >= own().answer_octets
        && screen.bytes <= small.saturating_mul(own().moving_octets)
}

/// The shape of a connection in whose windows the host is `out`, if it is that of remote control.
#[must_use]
pub fn shape(windows: &Windows) -> Option<Shape> {
    let used: Vec<(u32, &Window)> = windows
        .iter()
        .filter(|(_, window)| !window.is_opening)
        .map(|(number, window)| (*number, window))
        .collect();
    let hand: Vec<&Window> = used
        .iter()
        .map(|(_, window)| *window)
        .filter(|window| has_hand(window))
        .collect();
    if hand.len() < own().least_hand {
        return None;
    }
    let span = used.last()?.0.saturating_sub(used.first()?.0).saturating_add(1);
    let mut packets: Vec<u32> = hand.iter().map(|window| window.inward.packets).collect();
    packets.sort_unstable();
    let packets = packets.get(packets.len() / 2).copied()?;
    let moves = |window: &&(u32, &Window)| window.1.inward.packets.saturating_mul(own().rest) > packets;
    let moving = used.iter().filter(moves).count();
    let rests = usize::try_from(span).ok()?.saturating_sub(moving);
    let still = hand
        .iter()
        .filter(|window| {
            window.out.bytes <= u64::from(window.inward.small).saturating_mul(own().still_octets)
        })
        .count();
    let sum = |of: fn(&Window) -> u64, list: &mut dyn Iterator<Item = &Window>| {
        list.map(of).fold(0, u64::saturating_add)
    };
    let screen = sum(|window| window.out.bytes, &mut hand.iter().copied());
    let input = sum(|window| window.inward.bytes, &mut hand.iter().copied());
    let all = || used.iter().map(|(_, window)| *window);
    let small = sum(|window| window.inward.small.into(), &mut all());
    let came = sum(|window| window.inward.packets.into(), &mut all());
    let fits = span >= own().least_span
        && rests >= own().least_rest
        && still.saturating_mul(2) >= hand.len()
        && screen >= input.saturating_mul(own().ratio)
        && small.saturating_mul(100) >= came.saturating_mul(own().small_percent);
    fits.then_some(Shape {
        hand: hand.len(),
        span,
        packets,
    })
}

/// The windows of a flow's bins as the host sees them.
#[must_use]
pub fn windows(bins: &[ActivityBin], start: Timestamp, host_is_client: bool) -> Windows {
    let mut windows = Windows::new();
    activity_state::add(&mut windows, bins, start, host_is_client);
    windows
}

/// Whether what was first said can be read: then it is no secret what is spoken, and somebody would have named it.
fn is_readable(flow: &FlowRecord) -> bool {
    let is_text = |octet: &u8| octet.is_ascii_graphic() || octet.is_ascii_whitespace();
    flow.facts
        .iter()
        .filter(|fact| PAYLOADS.contains(&fact.field))
        .any(|fact| matches!(fact.value, Value::Bytes { bytes, .. } if !bytes.is_empty() && bytes.iter().all(is_text)))
}

impl Unknown {
    /// Takes any placed flow with the tools that it may belong to.
    fn add(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let flow = observation.flow;
        if flow.activity.len() < own().least_hand || flow.layer != Layer::Tcp || !recognised.is_empty() {
            return;
        }
        let (local, is_opened_by_host, other) = match observation.locals {
            [Some(local), None] => (local, true, flow.server.address),
            [None, Some(local)] => (local, false, flow.client.address),
            _ => return,
        };
        let is_opaque = flow.app_proto.is_none_or(|name| OPAQUE.contains(&name));
        if !is_opaque || flow.tunnels.depth() > 0 {
            return;
        }
        let windows = windows(&flow.activity, flow.start, is_opened_by_host);
        let Some(shape) = shape(&windows).filter(|_| !is_readable(flow)) else {
            return;
        };
        if self.held >= MOST {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        self.held = self.held.saturating_add(1);
        let frames = [Some(flow.frames.first), Some(flow.frames.last)];
        self.found.entry((local, other)).or_default().push(Candidate {
            flow: flow.id,
            start: flow.start,
            end: flow.end,
            is_opened_by_host,
            port: flow.server.port,
            name: observation
                .server_name
                .as_ref()
                .map(|name| Arc::clone(&name.name)),
            frames: frames.into_iter().flatten().collect(),
            windows,
            shape,
        });
    }

    /// Makes findings, in order of host and peer.
    fn found(
        self,
        hosts: &ByLocal<'_>,
        knowledge: &Knowledge<'_>,
        concluded: &mut Concluded,
    ) -> Vec<Finding> {
        // A machine may have had several addresses.
        let mut found: BTreeMap<(ContentId, Address), (&HostView, Vec<Candidate>)> = BTreeMap::new();
        for ((local, peer), list) in self.found {
            if let Some(host) = hosts.get(&local) {
                let (_, all) = found.entry((host.id, peer)).or_insert_with(|| (host, Vec::new()));
                all.extend(list);
            }
        }
        // A port that several call is a service of the host: of a game, of a page.
        let mut callers: BTreeMap<(ContentId, u16), BTreeSet<Address>> = BTreeMap::new();
        for ((host, peer), (_, list)) in &found {
            for one in list.iter().filter(|one| !one.is_opened_by_host) {
                callers.entry((*host, one.port)).or_default().insert(*peer);
            }
        }
        let servers = known_server::servers(concluded, knowledge);
        let mut findings = Vec::new();
        for ((id, peer), (host, mut list)) in found {
            list.retain(|one| {
                one.is_opened_by_host || callers.get(&(id, one.port)).is_some_and(|peers| peers.len() == 1)
            });
            if !known_server::adopt(host, peer, &list, &servers, knowledge, concluded) {
                findings.extend(finding(host, peer, &list, knowledge));
            }
        }
        findings
    }
}

/// The item that says so.
pub(super) fn evidence(shape: Shape, decibans: f64, frames: &[FrameRef], at: Option<Timestamp>) -> Evidence {
    let seconds = |windows: u64| windows.saturating_mul(u64::try_from(BIN / SECOND).unwrap_or(0));
    let what = format!(
        "small packets came in as from a hand for {} s of {} s (median {} in ten seconds, some without waiting for an answer, with rests), and the host answered with more octets",
        seconds(u64::try_from(shape.hand).unwrap_or(0)),
        seconds(shape.span.into()),
        shape.packets,
    );
    let mut evidence = Evidence::observed(Family::Rc, what, Decibans(decibans), frames, at);
    evidence.measure = Some("interactive_shape".to_owned());
    evidence.note = Some("form of the traffic alone: it names no tool".into());
    evidence
}

fn finding(host: &HostView, peer: Address, list: &[Candidate], knowledge: &Knowledge<'_>) -> Option<Finding> {
    let first = list.iter().min_by_key(|one| (one.start, one.flow))?;
    let longest = list
        .iter()
        .max_by_key(|one| (one.shape.hand, one.shape.span, one.flow))?;
    let mut windows = Windows::new();
    for one in list {
        for (number, window) in &one.windows {
            windows.entry(*number).or_default().add(*window);
        }
    }
    let last = list.iter().map(|one| one.end).max()?;
    let judged = activity_state::judge(&windows, UNKNOWN_INTERACTIVE, Some(Role::Controlled))
        .within(first.start, last);
    let shape = longest.shape;
    let is_enough = shape.is_enough(longest.is_opened_by_host);
    let weights = &knowledge.rules.findings.unknown;
    let (confidence, score) = if is_enough {
        (Confidence::Medium, Decibans(weights.long))
    } else {
        (Confidence::Low, Decibans(weights.short))
    };
    let evidence = evidence(shape, score.0, &longest.frames, Some(longest.start));
    let name = list.iter().find_map(|one| one.name.as_deref());
    let shown = name.map_or_else(|| peer.to_string(), |name| format!("{name} ({peer})"));
    let allowed = knowledge.sanctioned(
        host,
        UNKNOWN_INTERACTIVE,
        &name.into_iter().collect::<Vec<_>>(),
        Some(peer.to_ip()),
    );
    Some(Finding {
        id: ContentId::of(&[b"unknown-interactive", &host.id.0.to_be_bytes(), &peer.0]),
        timestamp: first.start,
        last_seen: last,
        kind: FindingKind::RemoteAccess,
        tool: UNKNOWN_INTERACTIVE.to_owned(),
        role: Role::Controlled,
        activity: judged.activity,
        intervals: judged.intervals,
        host: host.id,
        host_ip: host.address(),
        peer: Some(peer.to_string()),
        peer_name: name.map(str::to_owned),
        peer_port: Some(longest.port),
        proto: Some("TCP".to_owned()),
        flow_ids: list.iter().take(MOST_FLOW_IDS).map(|one| one.flow).collect(),
        flow_count: u64::try_from(list.len()).unwrap_or(u64::MAX),
        confidence,
        score,
        // What nothing names is on nobody's list, for or against.
        sanctioned: allowed.filter(|is_allowed| *is_allowed),
        summary: format!(
            "{}: traffic consistent with being controlled by a tool that nothing names; {} with {shown}",
            host.label(),
            crate::model::quantity::counted(u64::try_from(list.len()).unwrap_or(u64::MAX), "flow"),
        ),
        benign: vec![
            "a program with a protocol of its own whose user sits at the other end, such as a game or a page that the host serves"
                .to_owned(),
        ],
        evidence: vec![evidence],
        peer_geo: knowledge.place(peer),
        ..Finding::default()
    })
}

/// Watches for remote control by tools that nobody knows.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Unknown>::default()
}

impl Watcher for Unknown {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.add(observation, recognised);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("flows beyond the bound on unknown sessions", self.refused);
        let found = std::mem::take(self).found(&ended.by_local, ended.knowledge, concluded);
        concluded.findings.extend(found);
    }
}

#[cfg(test)]
mod tests;

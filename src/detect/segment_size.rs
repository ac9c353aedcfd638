//! The largest segment that SYNs offer, as a trace of a tunnel: a lead and never a verdict (DETECTION 1.3, 3.5).
//!
//! A stack offers what fits its interface, and routers lower it for what passes them. So an odd value shows in three places: in what a
//! machine offers (it stands behind its own tunnel's interface), in what every server seems to offer it (the router in front of it lowers
//! both ways), and in what somebody offers who calls from outside. Lines by PPPoE, mobile networks, tunnels for IPv6, virtual networks
//! of clouds and routers with a careful owner do the same: the known ones are in `segment_size.tsv` as innocent, and what is left is low
//! for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::recognise::Recognised;
use super::thresholds::{SegmentSize, THRESHOLDS};
use super::watcher::{Ended, Watcher};
use super::{Concluded, HostView};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Confidence, Finding, FindingKind, MTU_TRACE, Role};
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::quantity::counted;
use crate::model::router::Router;
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;

/// What is judgement here.
fn own() -> &'static SegmentSize {
    &THRESHOLDS.segment_size
}

/// Entries that are remembered.
const MOST: usize = 10_000;
/// Other ends that are told apart of one entry.
const MOST_PEERS: usize = 8;
/// Frames that a finding names.
const MOST_FRAMES: usize = 8;

/// A value of the table that may be a tunnel's trace.
#[derive(Clone, Copy, Debug)]
struct Trace {
    is_v6: bool,
    mss: u16,
    what: &'static str,
    source: &'static str,
}

/// The rows of the table that are no innocent ones.
static TRACES: LazyLock<Vec<Trace>> = LazyLock::new(|| rows().filter_map(trace).collect());

fn rows() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("segment_size.tsv").lines();
    lines.filter(|line| !line.starts_with('#'))
}

fn trace(line: &'static str) -> Option<Trace> {
    let mut cells = line.split('\t');
    let (version, mss) = (cells.next()?, cells.next()?.parse().ok()?);
    let (standing, what, source) = (cells.next()?, cells.next()?, cells.next()?);
    (standing == "tunnel").then_some(Trace {
        is_v6: version == "6",
        mss,
        what,
        source,
    })
}

/// Where a value stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// What the machine offers.
    Own,
    /// What servers outside seem to offer it.
    Path,
    /// What this caller from outside offers.
    Caller(Address),
}

#[derive(Clone, Debug)]
struct Seen {
    flows: u32,
    peers: BTreeSet<Address>,
    first: Timestamp,
    last: Timestamp,
    frames: Vec<FrameRef>,
}

/// Place, position in the table.
type Kind = (Place, usize);

/// What machines have in common that are one lead: behind which router, or which machine where it stands for itself.
type Shared = (Kind, Option<Router>, ContentId);

/// Watches what SYNs offer.
#[derive(Debug, Default)]
struct Sizes {
    seen: BTreeMap<(LocalIndex, Kind), Seen>,
    /// Connections beyond the bound.
    refused: u64,
}

/// Watches what SYNs offer.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Sizes>::default()
}

impl Sizes {
    fn add(&mut self, local: LocalIndex, place: Place, mss: Option<u16>, peer: Address, flow: &FlowRecord) {
        let Some(mss) = mss.filter(|mss| *mss <= own().largest) else {
            return;
        };
        let fits = |trace: &Trace| trace.mss == mss && trace.is_v6 == flow.is_v6;
        let Some(row) = TRACES.iter().position(fits) else {
            return;
        };
        let key = (local, (place, row));
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let seen = self.seen.entry(key).or_insert_with(|| Seen {
            flows: 0,
            peers: BTreeSet::new(),
            first: flow.start,
            last: flow.end,
            frames: Vec::new(),
        });
        seen.flows = seen.flows.saturating_add(1);
        seen.first = seen.first.min(flow.start);
        seen.last = seen.last.max(flow.end);
        if seen.peers.len() < MOST_PEERS {
            seen.peers.insert(peer);
        }
        if seen.frames.len() < MOST_FRAMES {
            seen.frames.push(flow.frames.first);
        }
    }
}

impl Watcher for Sizes {
    fn flow(&mut self, observation: &Observation<'_>, _: &[Recognised<'_>]) {
        let flow = observation.flow;
        let Some([client, server]) = flow.tcp.as_ref().map(|tcp| &tcp.sides) else {
            return;
        };
        let is_small = |mss: Option<u16>| mss.is_some_and(|mss| mss <= own().largest);
        if !(is_small(client.mss) || is_small(server.mss)) || flow.tunnels.depth() > 0 {
            return;
        }
        match observation.locals {
            [Some(local), None] => {
                self.add(local, Place::Own, client.mss, flow.server.address, flow);
                self.add(local, Place::Path, server.mss, flow.server.address, flow);
            }
            [None, Some(local)] => {
                let caller = flow.client.address;
                self.add(local, Place::Caller(caller), client.mss, caller, flow);
            }
            _ => {}
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("connections beyond the bound on segment sizes", self.refused);
        let mut by_host: BTreeMap<(ContentId, Kind), (&HostView, Seen)> = BTreeMap::new();
        for ((local, kind), seen) in &self.seen {
            let Some(host) = ended.by_local.get(local) else {
                continue;
            };
            by_host
                .entry((host.id, *kind))
                .and_modify(|(_, known)| known.merge(seen))
                .or_insert_with(|| (host, seen.clone()));
        }
        by_host.retain(|(_, (place, _)), (host, seen)| seen.is_telling(*place, host));
        // What a machine offers, it offers on the way back as well.
        let own: BTreeSet<(ContentId, usize)> = by_host
            .keys()
            .filter(|(_, (place, _))| *place == Place::Own)
            .map(|(host, (_, row))| (*host, *row))
            .collect();
        by_host.retain(|(host, (place, row)), _| *place != Place::Path || !own.contains(&(*host, *row)));
        // Machines behind one router that show the same are one lead, and it is the router's.
        let mut leads: BTreeMap<Shared, Vec<(&HostView, Seen)>> = BTreeMap::new();
        for ((id, kind), (host, seen)) in by_host {
            let router = host.routers.first().map(|(router, _)| *router);
            let is_shared = router.is_some() && !matches!(kind.0, Place::Caller(_));
            let apart = if is_shared { ContentId::default() } else { id };
            leads.entry((kind, router, apart)).or_default().push((host, seen));
        }
        let weight = Decibans(ended.knowledge.rules.findings.place.weak);
        let found = leads
            .iter()
            .filter_map(|(((place, row), ..), hosts)| lead(*place, TRACES.get(*row)?, hosts, weight));
        concluded.findings.extend(found);
    }
}

impl Seen {
    /// Adds what another address of the same machine did.
    fn merge(&mut self, other: &Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        let room = MOST_PEERS.saturating_sub(self.peers.len());
        self.peers.extend(other.peers.iter().take(room));
        let room = MOST_FRAMES.saturating_sub(self.frames.len());
        self.frames.extend(other.frames.iter().take(room));
    }

    /// Whether it is no single server's or connection's doing: four in five of the machine's connections have it.
    fn is_telling(&self, place: Place, host: &HostView) -> bool {
        let is_usual = self.flows.saturating_mul(5) >= host.near.samples.saturating_mul(4);
        match place {
            Place::Own => self.flows >= own().least_flows && is_usual,
            Place::Path => {
                self.flows >= own().least_flows && self.peers.len() >= own().least_servers && is_usual
            }
            Place::Caller(_) => self.flows >= own().least_calls,
        }
    }
}

fn lead(place: Place, trace: &Trace, hosts: &[(&HostView, Seen)], weight: Decibans) -> Option<Finding> {
    let (host, seen) = hosts.first()?;
    let flows = hosts.iter().map(|(_, seen)| u64::from(seen.flows)).sum();
    let others = hosts.len().saturating_sub(1);
    let who = match place {
        Place::Own => "its connections offer".to_owned(),
        Place::Path => "every server outside seems to offer it".to_owned(),
        Place::Caller(caller) => format!("connections from {caller} offer"),
    };
    let shared = if others > 0 {
        format!(
            "; {} behind the same router show the same, so that the router or the line makes it",
            counted(others, "other machine")
        )
    } else {
        String::new()
    };
    let what = format!(
        "{who} segments of at most {} octets in {}, as with {} ({}){shared}",
        trace.mss,
        counted(flows, "connection"),
        trace.what,
        trace.source
    );
    let mut evidence = Evidence::observed(Family::Loc, what.clone(), weight, &seen.frames, Some(seen.first));
    evidence.measure = Some("mss".to_owned());
    evidence.note = Some("anything can be set to it: a lead and never a verdict".into());
    let caller = match place {
        Place::Caller(caller) => Some(caller),
        Place::Own | Place::Path => None,
    };
    let key = [&trace.mss.to_be_bytes()[..], &[u8::from(place == Place::Path)]].concat();
    Some(Finding {
        id: ContentId::of(&[
            MTU_TRACE.as_bytes(),
            &host.id.0.to_be_bytes(),
            &key,
            &caller.unwrap_or_default().0,
        ]),
        timestamp: seen.first,
        last_seen: hosts.iter().map(|(_, seen)| seen.last).max()?,
        kind: FindingKind::Vpn,
        tool: MTU_TRACE.to_owned(),
        role: Role::Unknown,
        host: host.id,
        host_ip: host.address(),
        peer: caller.map(|caller| caller.to_string()),
        proto: Some("TCP".to_owned()),
        flow_count: flows,
        confidence: Confidence::Low,
        score: weight,
        summary: format!("{}: {what}", host.label()),
        benign: vec![
            "a router that lowers segments for a whole network, a mobile network, IPv6 brought over IPv4, a line by PPPoE with something \
             inside, a virtual network"
                .to_owned(),
        ],
        evidence: vec![evidence],
        ..Finding::default()
    })
}

#[cfg(test)]
mod tests;

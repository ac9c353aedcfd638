//! Pictures that go beside a tool's own connections: straight to the other end, or through a TURN relay (WebRTC).
//!
//! Question: who sits behind a session whose names are all a vendor's? Chrome Remote Desktop and most IP KVMs agree on a way by ICE (RFC 8445): the
//! host checks each address of the other end by STUN, or has a relay permit it (RFC 8656: CreatePermission, ChannelBind, Send), and both say
//! the address in the clear unless TURN runs in TLS (DETECTION 4.1.4). The way that carried the picture is the one with the volume; which of the two
//! shows a screen is told by its direction, as of any session. A call has no direction and changes nothing.
//!
//! Only tools whose entry says `media = "webrtc"` are looked at. A machine with the agent of one of them may present its screen in a meeting: so
//! the picture must begin when the tool's own connections had more to say than usual ([`signalling`]), unless the machine is itself a device that
//! does nothing but show screens. What a viewer sends in an even stream is reports on the picture, or sound, and no input.

mod signalling;

use std::collections::BTreeMap;

use signalling::Signalling;

use super::activity_state::{self, Window, Windows};
use super::recognise::Recognised;
use super::sentence::NO_SESSION;
use super::sessions::Session;
use super::thresholds::{Pictures, THRESHOLDS};
use super::watcher::{ById, Ended, Watcher};
use super::{Concluded, HostView, Knowledge};
use crate::model::address::{Address, Endpoint};
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{Fact, FieldId, Value};
use crate::model::finding::{Activity, Confidence, Controller, Finding, FindingKind, Role};
use crate::model::frame::FrameRef;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::model::segment::Layer;
use crate::model::time::{SECOND, Timestamp};
use crate::settings::limits::Limits;
use crate::signatures::Catalogue;

/// What is judgement here.
fn own() -> &'static Pictures {
    &THRESHOLDS.media
}

/// A peer, named to a relay.
const PEER: FieldId = FieldId::of("stun.peer");
/// A peer for whom a channel was bound.
const CHANNEL_PEER: FieldId = FieldId::of("stun.channel_peer");
/// In ICE the names of both sides with a colon between (RFC 8445, 7.2.2).
const USERNAME: FieldId = FieldId::of("stun.username");

/// Ways, permissions and moments of signalling that are remembered of one host each, and of all hosts together.
const MOST: [usize; 2] = [4_096, 262_144];

/// A flow that may carry a picture.
#[derive(Clone, Debug)]
struct Way {
    /// The host's port, and the other end.
    port: u16,
    other: Endpoint,
    start: Timestamp,
    end: Timestamp,
    /// Payload that the host sent, and that it got.
    octets: [u64; 2],
    windows: Windows,
    frame: FrameRef,
}

/// What a host had a relay permit.
#[derive(Clone, Copy, Debug)]
struct Permission {
    /// The host's port and the relay: permissions are an allocation's, and that is the five-tuple's (RFC 8656, 3.2).
    port: u16,
    relay: Endpoint,
    peer: Address,
    /// A channel was bound for it, which is done for the pair that carries the data.
    is_bound: bool,
    at: Timestamp,
    frame: FrameRef,
}

/// What is remembered of one host.
#[derive(Debug, Default)]
struct OfHost {
    ways: Vec<Way>,
    permissions: Vec<Permission>,
    /// By place of the tool in the catalogue.
    signalling: BTreeMap<usize, Signalling>,
}

impl OfHost {
    fn held(&self) -> usize {
        let moments = self.signalling.values().map(Signalling::len);
        moments.fold(
            self.ways.len().saturating_add(self.permissions.len()),
            usize::saturating_add,
        )
    }
}

/// The memory.
#[derive(Debug, Default)]
struct Media {
    hosts: BTreeMap<LocalIndex, OfHost>,
    held: usize,
    /// What the bounds kept out.
    refused: u64,
}

/// Who is at the other end of a picture.
struct Other<'a> {
    way: &'a Way,
    /// The address, how it was told, and the frame that did.
    named: Option<(Address, &'static str, FrameRef)>,
    role: Role,
}

/// Whether an address may be somebody's outside.
fn is_public(address: Address) -> bool {
    match address.to_ip() {
        std::net::IpAddr::V4(ip) => {
            let shared = matches!(ip.octets(), [100, 64..=127, ..]);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared)
        }
        std::net::IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local()),
    }
}

impl Media {
    /// Room for one thing more of a host; `None` where its bound or that of all is met.
    fn room(&mut self, local: LocalIndex) -> Option<&mut OfHost> {
        let [each, all] = MOST;
        let host = self.hosts.entry(local).or_default();
        if self.held >= all || host.held() >= each {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        self.held = self.held.saturating_add(1);
        Some(host)
    }

    /// Takes what a host said to a relay.
    fn permit(&mut self, local: LocalIndex, header: &EventHeader, fact: &Fact<'_>) {
        if fact.field != PEER && fact.field != CHANNEL_PEER {
            return;
        }
        let Value::Endpoint(peer, _) = fact.value else {
            return;
        };
        let said = Permission {
            port: header.from.port,
            relay: header.to,
            peer,
            is_bound: fact.field == CHANNEL_PEER,
            at: header.at,
            frame: header.source,
        };
        let is_known = |one: &Permission| {
            (one.port, one.relay, one.peer, one.is_bound) == (said.port, said.relay, said.peer, said.is_bound)
        };
        let known = self.hosts.get_mut(&local).map(|host| &mut host.permissions);
        if let Some(one) = known.and_then(|list| list.iter_mut().rev().take(16).find(|one| is_known(one))) {
            one.at = one.at.max(said.at);
        } else if let Some(host) = self.room(local) {
            host.permissions.push(said);
        }
    }

    /// Takes any placed flow: those of tools with such pictures, those that carry checks, or a relay's data, and enough for a picture.
    fn add(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let flow = observation.flow;
        for one in recognised.iter().filter(|one| one.tool.media.is_some()) {
            for local in observation.locals.into_iter().flatten() {
                let Some(host) = self.room(local) else { continue };
                let [each, _] = MOST;
                let room = each.saturating_sub(host.held());
                let signalling = host.signalling.entry(one.tool.place).or_default();
                let added = signalling.add(flow, room);
                self.held = self.held.saturating_add(added.kept);
                self.refused = self.refused.saturating_add(added.refused);
            }
        }
        let [sent, got] = flow.payload_bytes;
        if flow.layer != Layer::Udp || sent.max(got) < own().picture_octets || !flow.speaks("stun") {
            return;
        }
        for (place, local) in observation.locals.into_iter().enumerate() {
            let Some(local) = local else { continue };
            let is_client = place == 0;
            let (own, other) = if is_client {
                (flow.client, flow.server)
            } else {
                (flow.server, flow.client)
            };
            let relays = |one: &Permission| one.port == own.port && one.relay == other;
            let is_relayed = (self.hosts.get(&local)).is_some_and(|host| host.permissions.iter().any(relays));
            let has_checks = flow.facts.iter().any(|fact| {
                fact.field == USERNAME && fact.value.as_text().is_some_and(|name| name.contains(':'))
            });
            if !(is_relayed || has_checks) {
                continue;
            }
            let Some(host) = self.room(local) else {
                continue;
            };
            let mut windows = Windows::new();
            activity_state::add(&mut windows, &flow.activity, flow.start, is_client);
            host.ways.push(Way {
                port: own.port,
                other,
                start: flow.start,
                end: flow.end,
                octets: if is_client { [sent, got] } else { [got, sent] },
                windows,
                frame: flow.frames.first,
            });
        }
    }

    /// Who is at the other end of what a host showed by a tool, or looked at, around these times. `is_screen` says that the host does
    /// nothing else, so that any picture is one of the tool's.
    fn other(
        &self,
        host: &HostView,
        tool: usize,
        seen: [Timestamp; 2],
        is_screen: bool,
    ) -> Option<Other<'_>> {
        let [first, last] = [
            seen[0].plus(-own().around_seconds.saturating_mul(SECOND)),
            seen[1].plus(own().around_seconds.saturating_mul(SECOND)),
        ];
        let known = || host.locals.iter().filter_map(|local| self.hosts.get(local));
        let signalling: Vec<&Signalling> = known().filter_map(|one| one.signalling.get(&tool)).collect();
        let (of_host, way) = known()
            .flat_map(|one| one.ways.iter().map(move |way| (one, way)))
            .filter(|(_, way)| way.start <= last && way.end >= first)
            .filter(|(_, way)| is_screen || signalling::begins(&signalling, way.start))
            .max_by_key(|(_, way)| (way.octets.iter().copied().max(), way.frame))?;
        let [sent, got] = way.octets;
        let role = if sent > got.saturating_mul(own().ratio) {
            Role::Controlled
        } else if got > sent.saturating_mul(own().ratio) {
            Role::Controller
        } else {
            return None;
        };
        let permitted = of_host.permissions.iter();
        let mut of_way: Vec<&Permission> = permitted
            .filter(|one| one.port == way.port && one.relay == way.other)
            .filter(|one| (way.start..=way.end).contains(&one.at))
            .collect();
        // Without a channel the candidate that was tried last is the likeliest.
        of_way.sort_by_key(|one| (one.is_bound, one.at, one.frame));
        let is_relayed = !of_way.is_empty();
        let named = if is_relayed {
            let public = of_way.into_iter().rev().find(|one| is_public(one.peer));
            public.map(|one| (one.peer, "turn_peer", one.frame))
        } else {
            Some((way.other.address, "stun_peer", way.frame))
        };
        Some(Other { way, named, role })
    }

    /// Says in the findings of tools with such pictures who is at the other end, and what was seen of them. `sessions` are those behind the findings.
    fn tell(
        &self,
        hosts: &ById<'_>,
        findings: &mut [Finding],
        sessions: &mut [Session],
        knowledge: &Knowledge<'_>,
    ) {
        if self.hosts.values().all(|host| host.ways.is_empty()) {
            return;
        }
        for (place, finding) in findings.iter_mut().enumerate() {
            let shows = knowledge.catalogue.tool(&finding.tool);
            let Some(tool) = shows.filter(|tool| tool.media.is_some()) else {
                continue;
            };
            // What a host only may have is no ground to name anybody.
            if finding.confidence == Confidence::Low {
                continue;
            }
            let Some(host) = hosts.get(&finding.host) else {
                continue;
            };
            let is_screen = finding.kind == FindingKind::IpKvm && finding.role == Role::Server;
            let seen = [finding.timestamp, finding.last_seen];
            let Some(other) = self.other(host, tool.place, seen, is_screen) else {
                continue;
            };
            let session = sessions.iter_mut().find(|session| session.finding == place);
            say(finding, session, &other, knowledge);
        }
    }
}

/// Watches ways of pictures.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Media>::default()
}

impl Watcher for Media {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.add(observation, recognised);
    }

    fn wants(&self, field: FieldId) -> bool {
        matches!(field, PEER | CHANNEL_PEER)
    }

    fn fact(&mut self, about: LocalIndex, header: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        self.permit(about, header, fact);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.losses.add(
            "pictures, permissions of relays and signalling beyond what is remembered",
            self.refused,
        );
        self.tell(
            &ended.by_id,
            &mut concluded.findings,
            &mut concluded.sessions,
            ended.knowledge,
        );
    }
}

/// The windows without the viewer's even stream of small packets: reports on the picture (RTCP, RFC 4585) come many times a second whether or not
/// anybody does anything, and so does sound. What goes beyond what nine windows of ten have, by a tenth of it, is input.
fn without_reports(windows: &Windows, role: Role) -> Windows {
    let viewer = |window: &Window| {
        if role == Role::Controlled {
            window.inward.small
        } else {
            window.out.small
        }
    };
    // The first and the last window are not the picture's alone.
    let inner = windows.len().saturating_sub(2);
    let mut counts: Vec<u32> = windows.values().skip(1).take(inner).map(viewer).collect();
    counts.sort_unstable();
    let even = counts.get(counts.len() / 10).copied().unwrap_or(0);
    let of = |small: u32| {
        let beyond = small.saturating_sub(even);
        if beyond > even / 10 { beyond } else { 0 }
    };
    let mut left = windows.clone();
    for window in left.values_mut() {
        let way = if role == Role::Controlled {
            &mut window.inward
        } else {
            &mut window.out
        };
        way.small = of(way.small);
    }
    left
}

fn say(finding: &mut Finding, session: Option<&mut Session>, other: &Other<'_>, knowledge: &Knowledge<'_>) {
    let mut windows = session
        .as_ref()
        .map_or_else(Windows::new, |session| session.windows.clone());
    for (number, window) in without_reports(&other.way.windows, other.role) {
        windows.entry(number).or_default().add(window);
    }
    let first = finding.timestamp.min(other.way.start);
    let last = finding.last_seen.max(other.way.end);
    let judged = activity_state::judge(&windows, &finding.tool, Some(other.role)).within(first, last);
    finding.role = other.role;
    finding.activity = judged.activity;
    finding.intervals = judged.intervals;
    if let Some(session) = session {
        session.windows = windows;
    }
    let (verb, shown) = if other.role == Role::Controlled {
        ("went to", "consistent with its screen being looked at")
    } else {
        ("came from", "consistent with looking at another machine's screen")
    };
    let end = match other.named {
        Some((address, "turn_peer", _)) => format!("{address} through the relay {}", other.way.other.address),
        Some((address, ..)) => address.to_string(),
        None => format!("somebody behind the relay {}", other.way.other.address),
    };
    let [sent, got] = other.way.octets;
    let what =
        format!("a picture {verb} {end} beside its own connections ({sent} octets out, {got} in): {shown}");
    let mut frames = vec![other.way.frame];
    frames.extend(other.named.map(|(.., frame)| frame));
    frames.sort_unstable();
    frames.dedup();
    let mut evidence = Evidence::observed(Family::Rc, what, Decibans(0.0), &frames, Some(other.way.start));
    evidence.measure = Some("media_peer".to_owned());
    evidence.note = Some(
        "a screen that is shown in another program's call at the same time looks the same; the address may be that of the other end's own relay or VPN"
            .into(),
    );
    finding.evidence.push(evidence);
    finding.last_seen = last;
    if other.role == Role::Controlled {
        finding.controller = other.named.map(|(address, how, _)| {
            Box::new(Controller {
                address,
                how: how.to_owned(),
                geo: knowledge.place(address),
            })
        });
    }
    let state = if finding.activity == Activity::Driven {
        "driven"
    } else {
        "viewed"
    };
    // What the tool's own connections did not show, its picture does.
    let before = finding.summary.replace(NO_SESSION, "");
    finding.summary = format!("{before}; a picture {verb} {end}, {state}");
}

#[cfg(test)]
mod tests;

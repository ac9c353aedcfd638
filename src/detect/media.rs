//! Pictures that go beside a tool's own connections: straight to the other end, or through a TURN relay (WebRTC).
//!
//! Question: who sits behind a session whose names are all a vendor's? Chrome Remote Desktop and most IP KVMs agree on a way by ICE (RFC 8445): the
//! host checks each address of the other end by STUN, or has a relay permit it (RFC 8656: CreatePermission, ChannelBind, Send), and both say
//! the address in the clear unless TURN runs in TLS (DETECTION 4.1.4). The way that carried the picture is the one with the volume; which of the two
//! shows a screen is told by its direction, as of any session. A call has no direction and changes nothing.
//!
//! Only tools whose entry says `media = "webrtc"` are looked at, and a host of one of them may be in another program's call at the same time: the
//! item says so.

use std::collections::BTreeMap;

use super::activity_state::{self, Windows};
use super::recognise::Recognised;
use super::sessions::Session;
use super::watcher::{Ended, Watcher};
use super::{Concluded, HostView, Knowledge};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{Fact, FieldId, Value};
use crate::model::finding::{Activity, Confidence, Controller, Finding, Role};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::model::segment::Layer;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
use crate::settings::limits::Limits;
use crate::signatures::Catalogue;

/// A peer, named to a relay.
const PEER: FieldId = FieldId::of("stun.peer");
/// In ICE the names of both sides with a colon between (RFC 8445, 7.2.2).
const USERNAME: FieldId = FieldId::of("stun.username");

/// Ways and permissions that are remembered, of all hosts together.
const MOST: usize = 65_536;

/// Octets that a picture has at least, the way it goes: ten seconds of a page being read.
const PICTURE: u64 = 64 << 10;

/// Ratio of the directions' octets that tells who shows the screen, as of any session.
const RATIO: u64 = 4;

/// How long before the first and after the last sight of a tool its pictures may go.
const AROUND: Nanoseconds = 60 * SECOND;

/// A flow that may carry a picture.
#[derive(Clone, Debug)]
struct Way {
    other: Address,
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
    relay: Address,
    peer: Address,
    at: Timestamp,
    frame: FrameRef,
}

/// The memory.
#[derive(Debug, Default)]
struct Media {
    ways: BTreeMap<LocalIndex, Vec<Way>>,
    permissions: BTreeMap<LocalIndex, Vec<Permission>>,
    held: usize,
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
    /// Takes what a host said to a relay.
    fn permit(&mut self, local: LocalIndex, header: &EventHeader, fact: &Fact<'_>) {
        if fact.field != PEER || self.held >= MOST {
            return;
        }
        let Value::Endpoint(peer, _) = fact.value else {
            return;
        };
        let known = self.permissions.entry(local).or_default();
        let is_known = |one: &Permission| one.relay == header.to.address && one.peer == peer;
        if known.iter().rev().take(16).any(is_known) {
            return;
        }
        known.push(Permission {
            relay: header.to.address,
            peer,
            at: header.at,
            frame: header.source,
        });
        self.held = self.held.saturating_add(1);
    }

    /// Takes any placed flow: those that carry checks, or a relay's data, and enough for a picture.
    fn add(&mut self, observation: &Observation<'_>) {
        let flow = observation.flow;
        let [sent, got] = flow.payload_bytes;
        if flow.layer != Layer::Udp || sent.max(got) < PICTURE || !flow.speaks("stun") {
            return;
        }
        for (place, local) in observation.locals.into_iter().enumerate() {
            let Some(local) = local else { continue };
            let is_client = place == 0;
            let other = if is_client { flow.server } else { flow.client };
            let relays = |one: &Permission| one.relay == other.address;
            let is_relayed = self
                .permissions
                .get(&local)
                .is_some_and(|list| list.iter().any(relays));
            let has_checks = flow.facts.iter().any(|fact| {
                fact.field == USERNAME && fact.value.as_text().is_some_and(|name| name.contains(':'))
            });
            if !(is_relayed || has_checks) || self.held >= MOST {
                continue;
            }
            let mut windows = Windows::new();
            activity_state::add(&mut windows, &flow.activity, flow.start, is_client);
            self.held = self.held.saturating_add(1);
            self.ways.entry(local).or_default().push(Way {
                other: other.address,
                start: flow.start,
                end: flow.end,
                octets: if is_client { [sent, got] } else { [got, sent] },
                windows,
                frame: flow.frames.first,
            });
        }
    }

    /// Who is at the other end of what a host showed, or looked at, around these times.
    fn other(&self, host: &HostView, first: Timestamp, last: Timestamp) -> Option<Other<'_>> {
        let (first, last) = (first.plus(-AROUND), last.plus(AROUND));
        let ways = host.locals.iter().filter_map(|local| {
            let list = self.ways.get(local)?;
            Some(list.iter().map(move |way| (*local, way)))
        });
        let (local, way) = ways
            .flatten()
            .filter(|(_, way)| way.start <= last && way.end >= first)
            .max_by_key(|(_, way)| (way.octets.iter().copied().max(), way.frame))?;
        let [sent, got] = way.octets;
        let role = if sent > got.saturating_mul(RATIO) {
            Role::Controlled
        } else if got > sent.saturating_mul(RATIO) {
            Role::Controller
        } else {
            return None;
        };
        let permitted = self.permissions.get(&local).into_iter().flatten();
        let mut of_way: Vec<&Permission> = permitted.filter(|one| one.relay == way.other).collect();
        // The way that was chosen in the end is bound last.
        of_way.sort_by_key(|one| (one.at, one.frame));
        let is_relayed = !of_way.is_empty();
        let named = if is_relayed {
            let public = of_way.into_iter().rev().find(|one| is_public(one.peer));
            public.map(|one| (one.peer, "turn_peer", one.frame))
        } else {
            Some((way.other, "stun_peer", way.frame))
        };
        Some(Other { way, named, role })
    }

    /// Says in the findings of tools with such pictures who is at the other end, and what was seen of them. `sessions` are those behind the findings.
    fn tell(
        &self,
        hosts: &BTreeMap<ContentId, &HostView>,
        findings: &mut [Finding],
        sessions: &mut [Session],
        knowledge: &Knowledge<'_>,
    ) {
        if self.ways.is_empty() {
            return;
        }
        for (place, finding) in findings.iter_mut().enumerate() {
            let shows = knowledge
                .catalogue
                .tool(&finding.tool)
                .is_some_and(|tool| tool.media.is_some());
            // What a host only may have is no ground to name anybody.
            if !shows || finding.confidence == Confidence::Low {
                continue;
            }
            let Some(host) = hosts.get(&finding.host) else {
                continue;
            };
            let Some(other) = self.other(host, finding.timestamp, finding.last_seen) else {
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
    fn flow(&mut self, observation: &Observation<'_>, _: &[Recognised<'_>]) {
        self.add(observation);
    }

    fn fact(&mut self, about: LocalIndex, header: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        self.permit(about, header, fact);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let by_id: BTreeMap<ContentId, &HostView> = ended.hosts.iter().map(|host| (host.id, host)).collect();
        self.tell(
            &by_id,
            &mut concluded.findings,
            &mut concluded.sessions,
            ended.knowledge,
        );
    }
}

fn say(finding: &mut Finding, session: Option<&mut Session>, other: &Other<'_>, knowledge: &Knowledge<'_>) {
    let mut windows = session
        .as_ref()
        .map_or_else(Windows::new, |session| session.windows.clone());
    for (number, window) in &other.way.windows {
        windows.entry(*number).or_default().add(*window);
    }
    let judged = activity_state::judge(&windows, &finding.tool, Some(other.role));
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
        Some((address, "turn_peer", _)) => format!("{address} through the relay {}", other.way.other),
        Some((address, ..)) => address.to_string(),
        None => format!("somebody behind the relay {}", other.way.other),
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
    finding.last_seen = finding.last_seen.max(other.way.end);
    if other.role == Role::Controlled {
        finding.controller = other.named.map(|(address, how, _)| Controller {
            address,
            how: how.to_owned(),
            geo: knowledge.place(address),
        });
    }
    let state = if finding.activity == Activity::Driven {
        "driven"
    } else {
        "viewed"
    };
    finding.summary = format!("{}; a picture {verb} {end}, {state}", finding.summary);
}

#[cfg(test)]
mod tests;

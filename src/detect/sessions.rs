//! Tools on hosts: flows of one tool between one pair, joined over gaps, become one finding with role, state and
//! controller.
//!
//! Tools whose both ends call a vendor's relays are grouped by host and tool; tools whose controlled side listens
//! (RDP, VNC, SSH) and tunnels are grouped by host, tool and peer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::activity_state::{self, Windows};
use super::delay;
use super::group::{ASKED, Group, Item, MOST_PEERS, PeerSeen};
use super::recognise::{self, PROTOCOL, Recognised, text_value};
use super::refusal::is_refused;
use super::{ByLocal, HostView, Knowledge, session_finding, ssh_tunnel};
use crate::model::address::Address;
use crate::model::fact::{FieldId, Side, Value};
use crate::model::finding::{Finding, FindingKind};
use crate::model::flow::{FlowRecord, OpenerJudgement};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::segment::Layer;
use crate::model::threads::Threads;
use crate::model::time::Timestamp;
use crate::signatures::conversation::is_answered;
use crate::signatures::entry::{RoleHint, Tool};
use crate::signatures::{Catalogue, FieldPlace};

const WIREGUARD_HANDSHAKE: FieldId = FieldId::of("wireguard.handshake");
const JA4: FieldId = FieldId::of("tls.ja4");
const ALPN: FieldId = FieldId::of("tls.alpn");
const RUSTDESK_CONTROLLER: FieldId = FieldId::of("rustdesk.controller");

/// What the client of a rendezvous or relay says it is: such a connection goes to a server, wherever that stands.
const RUSTDESK_ROLE: FieldId = FieldId::of("rustdesk.role");

/// The other party, as a datagram of TeamViewer that opens a way straight to it spells it out.
const TEAMVIEWER_PEER: FieldId = FieldId::of("teamviewer.peer");

/// Facts that say that the opener of a connection is the server of what is spoken on it.
const REVERSED: [FieldId; 4] = [
    FieldId::of("vnc.reverse"),
    FieldId::of("ssh.reversed"),
    FieldId::of("socks.reversed"),
    FieldId::of("wireguard.reversed"),
];

/// What flows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    local: LocalIndex,
    /// Its place in the catalogue.
    tool: usize,
    peer: Option<Address>,
}

/// A session or tunnel as the profile wants it, beside its finding.
#[derive(Clone, Debug)]
pub struct Session {
    /// The host.
    pub host: ContentId,
    /// Index of its finding in the list of findings.
    pub finding: usize,
    /// Names or addresses of relays and servers.
    pub relays: Vec<String>,
    /// Instance of the tool, where its names show one.
    pub instance: Option<String>,
    /// Whether that instance is a server somebody runs himself.
    pub is_private_server: bool,
    /// Whether its own traffic answered like a session's: more than a client that calls home.
    pub is_in_use: bool,
    /// Whether one direction alone was captured of its connections.
    pub is_one_sided: bool,
    /// Ten-second windows.
    pub windows: Windows,
    /// Payload that the host sent, and that came to it.
    pub payload: [u64; 2],
    /// By how many milliseconds the loop is longer than the path to the relay; why that is not known.
    pub control_excess_ms: Result<f64, &'static str>,
    /// Median round trip to the peer or relay in milliseconds.
    pub transport_ms: Option<f64>,
}

/// How a resolver came to be asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The host asked for it.
    Question,
    /// The host asked for another name, which the resolver said to be an alias of it.
    Alias,
}

impl Asked {
    /// The catalogue's field of such names.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Question => "dns.query",
            Self::Alias => "dns.cname",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Question => "asked for",
            Self::Alias => "asked for an alias of",
        }
    }
}

/// What a finding is made of: the groups of all addresses of a machine.
pub(super) struct Joined<'a> {
    /// The finding's.
    pub(super) id: ContentId,
    pub(super) host: &'a HostView,
    pub(super) tool: &'a Tool,
    /// The other end, of tools whose ends call each other.
    pub(super) peer: Option<Address>,
    pub(super) group: Box<Group>,
}

/// Windows of one group from which on no more are remembered: eight weeks of ten seconds without a pause.
const MOST_WINDOWS: usize = 56 * 8_640;

/// Groups of which findings are made at once.
const AT_ONCE: usize = 4_096;

/// The detector.
#[derive(Debug)]
pub struct Sessions {
    /// Apart from the table, because they are large and are moved several times until they are findings.
    groups: HashMap<Key, Box<Group>, rapidhash::fast::RandomState>,
    most: usize,
    /// Groups beyond the bound.
    pub refused: u64,
    /// Connections of sessions that were busy for longer than windows of activity are kept.
    pub unwindowed: u64,
}

impl Sessions {
    /// With room for so many groups.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            groups: HashMap::default(),
            most,
            refused: 0,
            unwindowed: 0,
        }
    }

    fn group(&mut self, key: Key) -> Option<&mut Group> {
        if self.groups.len() >= self.most && !self.groups.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        Some(self.groups.entry(key).or_default())
    }

    /// Groups under the places that their tools have in another catalogue.
    pub(super) fn renew(&mut self, now: &Catalogue, next: &Catalogue) {
        let mut groups: Vec<(Key, Box<Group>)> = std::mem::take(&mut self.groups).into_iter().collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        for (key, group) in groups {
            let known = now.tools().get(key.tool);
            let Some(tool) = known.and_then(|tool| next.tool(&tool.id)) else {
                continue;
            };
            let key = Key {
                tool: tool.place,
                ..key
            };
            match self.groups.entry(key) {
                Entry::Occupied(other) => other.into_mut().merge(*group),
                Entry::Vacant(free) => {
                    free.insert(group);
                }
            }
        }
    }

    /// Takes a flow with the tools that it may belong to; `community_id` gives its Community ID, which the first of a session alone is
    /// asked for.
    pub fn observe(
        &mut self,
        observation: &Observation<'_>,
        recognised: &[Recognised<'_>],
        community_id: &dyn Fn() -> Box<str>,
    ) {
        let is_tunnel = recognised.iter().any(speaks_tunnel);
        let is_proxied = recognised
            .iter()
            .any(|one| session_finding::kind_of(one.tool) == Some(FindingKind::Proxy));
        for one in recognised {
            if one.tool.class.finding.is_none() {
                continue;
            }
            // What a machine says to itself is one conversation.
            let [client, server] = observation.locals;
            let ends = [client, server.filter(|_| server != client)];
            for (index, local) in ends.into_iter().enumerate() {
                if let Some(local) = local {
                    self.count(
                        local,
                        index == 0,
                        observation,
                        (one, is_tunnel, is_proxied),
                        community_id,
                    );
                }
            }
        }
    }

    fn count(
        &mut self,
        local: LocalIndex,
        local_is_client: bool,
        observation: &Observation<'_>,
        (recognised, is_tunnel, is_proxied): (&Recognised<'_>, bool, bool),
        community_id: &dyn Fn() -> Box<str>,
    ) {
        let (flow, tool) = (observation.flow, recognised.tool);
        let other = if local_is_client { flow.server } else { flow.client };
        let both_local = observation.locals.iter().all(Option::is_some);
        // A product that was seen speaking its protocol is called straight, whatever its brokers are for.
        let speaks = recognised.seen.iter().any(|seen| {
            tool.protocol.is_some() && seen.group == PROTOCOL
                || recognise::FIRST_BYTES.contains(&seen.group) && seen.indicator.role.is_some_and(is_of_end)
        });
        let is_relayed = is_relayed(tool);
        let goes_between =
            is_relayed && !speaks && (!both_local || names_relay(recognised) || asks_server(flow));
        // A relay that stands among the local machines is no end of the sessions that go through it. It is said to be one where it speaks
        // the tool's protocol: a name may have been meant for somebody behind it.
        let serves = goes_between && both_local && !local_is_client;
        if serves && (is_proxied || !is_spoken(recognised)) {
            return;
        }
        let peer = (!goes_between).then_some(other.address);
        let Some(group) = self.group(Key {
            local,
            tool: tool.place,
            peer,
        }) else {
            return;
        };
        for seen in &recognised.seen {
            let fresh = || Item {
                field: Arc::clone(&seen.field),
                what: seen.what(),
                weight: seen.weight(),
                note: seen.indicator.caveat.clone(),
                role: seen.indicator.role,
                at: seen.at,
                value: seen.value(),
                frames: Vec::new(),
                times: 0,
                others: 0,
            };
            let item = group.items.or_insert_with(seen.group, fresh);
            // A later flow may say it better: the client's own host after the vendor's pages.
            if seen.weight() > item.weight {
                let others = item.others.saturating_add(item.times);
                *item = Item { others, ..fresh() };
            }
            item.count(seen.value(), seen.frame);
        }
        group.first = Some(group.first.map_or(flow.start, |first| first.min(flow.start)));
        group.last = group.last.max(flow.end);
        group.flows = group.flows.saturating_add(1);
        group.carry(flow.payload_bytes, local_is_client);
        if serves {
            group.serve(flow, other.address, local_is_client);
            group.community_id.get_or_insert_with(community_id);
            return;
        }
        let is_led_by_local = local_is_client
            != (is_reverse(flow) || tool.is_opened_by_controlled || ssh_tunnel::is_inward(flow));
        group.led_by_local = group.led_by_local.saturating_add(u64::from(is_led_by_local));
        // Of a connection whose beginning is not in the capture nothing tells who called.
        if has_beginning(flow) {
            group.told = group.told.saturating_add(1);
            group.told_led_by_local = group.told_led_by_local.saturating_add(u64::from(is_led_by_local));
        }
        group.ssh.add(flow, local_is_client);
        let is_refused = is_refused(flow);
        let is_answered = is_answered(flow) && !is_refused;
        group.is_refused |= is_refused;
        group.is_answered |= is_answered;
        group.is_tunnel |= is_tunnel && is_answered;
        group.has_program |= local_is_client && is_no_browser(flow);
        group.names(flow);
        let has_room = group.windows.len() < MOST_WINDOWS;
        if has_room {
            activity_state::add(&mut group.windows, &flow.activity, flow.start, local_is_client);
        }
        group.latency.merge(delay::of_flow(flow, local_is_client));
        if group.peers.len() < MOST_PEERS || group.peers.contains_key(&other.address) {
            let seen = group.peers.or_insert_with(other.address, PeerSeen::default);
            let name = observation.server_name.as_ref().filter(|_| local_is_client);
            seen.take(flow, local_is_client, name.map(|name| &name.name));
        }
        note_controllers(group, flow, other.address, local_is_client);
        for fact in flow.facts.iter().filter(|fact| fact.field == RUSTDESK_ROLE) {
            if local_is_client && let Some(role) = fact.value.as_text() {
                group.is_told(role);
            }
        }
        group.proto = group.proto.or_else(|| flow.transport_name());
        group.community_id.get_or_insert_with(community_id);
        if !has_room && !flow.activity.is_empty() {
            self.unwindowed = self.unwindowed.saturating_add(1);
        }
    }

    /// Takes a name that a host asked its resolver for, or was told to be meant by one; with where the catalogue has such names.
    pub fn asked(
        &mut self,
        local: LocalIndex,
        how: Asked,
        name: &str,
        frame: FrameRef,
        at: Timestamp,
        (catalogue, place): (&Catalogue, FieldPlace),
    ) {
        let Some((tool, found)) = recognise::asked(catalogue, place, name) else {
            return;
        };
        if tool.class.finding.is_none() || !is_relayed(tool) {
            return;
        }
        let Some(group) = self.group(Key {
            local,
            tool: tool.place,
            peer: None,
        }) else {
            return;
        };
        let weight = i32::from(found.weight());
        let fresh = || Item {
            field: how.field().into(),
            what: format!("{} {name}", how.words()),
            weight,
            note: found.indicator.caveat.clone(),
            role: found.indicator.role,
            at: Some(at),
            value: text_value(name),
            frames: Vec::new(),
            times: 0,
            others: 0,
        };
        let item = group.items.or_insert_with(ASKED, fresh);
        if weight > item.weight {
            let others = item.others.saturating_add(item.times);
            *item = Item { others, ..fresh() };
        }
        item.count(text_value(name), frame);
        group.first = Some(group.first.map_or(at, |first| first.min(at)));
        group.last = group.last.max(at);
    }

    /// Makes findings of all groups, those of one machine's addresses joined; in order of first sight.
    #[must_use]
    pub fn conclude(
        self,
        hosts: &ByLocal<'_>,
        knowledge: &Knowledge<'_>,
        threads: Threads,
    ) -> (Vec<Finding>, Vec<Session>) {
        let mut groups: Vec<(Key, Box<Group>)> = self.groups.into_iter().collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        let mut joined: HashMap<_, Joined<'_>, rapidhash::fast::RandomState> = HashMap::default();
        for (key, group) in groups {
            let (Some(host), Some(tool)) = (hosts.get(&key.local), knowledge.catalogue.tools().get(key.tool))
            else {
                continue;
            };
            match joined.entry((host.id, key.tool, key.peer)) {
                Entry::Occupied(known) => known.into_mut().group.merge(*group),
                Entry::Vacant(free) => {
                    free.insert(Joined {
                        id: session_finding::identifier(host, tool, key.peer),
                        host,
                        tool,
                        peer: key.peer,
                        group,
                    });
                }
            }
        }
        let mut joined: Vec<Joined<'_>> = joined.into_values().collect();
        joined.sort_unstable_by_key(|one| (one.group.first, one.id));
        // With room for what other detectors add, so that the list is not copied for them.
        let room = joined.len().div_ceil(3).saturating_add(joined.len());
        let mut findings = Vec::with_capacity(room);
        let mut sessions = Vec::with_capacity(joined.len());
        // Some at a time: findings are large, and all of them twice would be the most that is ever held.
        let mut joined = joined.into_iter();
        loop {
            let some: Vec<Joined<'_>> = joined.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            let found = threads.map(some, |one| session_finding::finding(one, knowledge));
            for (finding, mut session) in found.into_iter().flatten() {
                session.finding = findings.len();
                findings.push(finding);
                sessions.push(session);
            }
        }
        (findings, sessions)
    }
}

/// Whether a flow speaks the protocol of a tunnel, whoever runs its server.
fn speaks_tunnel(recognised: &Recognised<'_>) -> bool {
    session_finding::kind_of(recognised.tool) == Some(FindingKind::Vpn)
        && recognised.seen.iter().any(|seen| seen.group == PROTOCOL)
}

/// Whether both ends of a tool call a vendor's servers: then the peer's address is a relay's, not a person's. Names that only
/// colour (the vendor's pages, his licences) relay nothing. Tor's relays are anybody's.
fn is_relayed(tool: &Tool) -> bool {
    if tool.class.finding.as_deref() == Some("tor") || tool.is_opened_by_both {
        return true;
    }
    let is_name = |field: &String| field == "tls.sni" || field == "dns.query";
    tool.indicators
        .iter()
        .any(|indicator| indicator.alone && indicator.fields.iter().any(is_name))
}

/// Whether what gave the tool away is said to one of its servers, wherever that stands: the server's name, or what a machine sends to
/// where it waits to be called.
fn names_relay(recognised: &Recognised<'_>) -> bool {
    recognised.seen.iter().any(|seen| {
        seen.group == "name" || seen.group != "port" && seen.indicator.role == Some(RoleHint::Agent)
    })
}

/// Whether a program called that is no browser: it offers no protocol to speak in TLS, which every browser has done for years (RFC 7301;
/// HTTP/2 is agreed upon in no other way: RFC 9113, 3.2).
fn is_no_browser(flow: &FlowRecord) -> bool {
    flow.facts.find(JA4).is_some() && flow.facts.find(ALPN).is_none()
}

/// Whether a connection is one with a server of the tool by what is said on it.
fn asks_server(flow: &FlowRecord) -> bool {
    flow.speaks("rustdesk") && flow.facts.find(RUSTDESK_ROLE).is_some()
}

/// Whether the tool's own protocol was seen, not only a name.
fn is_spoken(recognised: &Recognised<'_>) -> bool {
    session_finding::kind_of(recognised.tool) == Some(FindingKind::RemoteAccess)
        && recognised
            .seen
            .iter()
            .any(|seen| seen.group == PROTOCOL || recognise::FIRST_BYTES.contains(&seen.group))
}

/// Whether first bytes that say so are exchanged between the two ends themselves.
const fn is_of_end(hint: RoleHint) -> bool {
    matches!(hint, RoleHint::Controlled | RoleHint::Controller)
}

/// Whether who serves opened the connection to whom it serves: a desktop to a waiting viewer, a shell or a proxy to who uses it.
fn is_reverse(flow: &FlowRecord) -> bool {
    flow.facts.iter().any(|fact| REVERSED.contains(&fact.field))
}

/// Whether it was seen who began a flow: by a handshake, or else by its ports. WireGuard's data goes both ways without end, and a capture
/// that began among it shows who sent first there and no more.
fn has_beginning(flow: &FlowRecord) -> bool {
    let began = flow.layer != Layer::Tcp && !flow.speaks("wireguard");
    began || flow.opener != OpenerJudgement::FirstSeen || flow.facts.find(WIREGUARD_HANDSHAKE).is_some()
}

/// Addresses of controllers that a protocol told in the clear.
fn note_controllers(group: &mut Group, flow: &FlowRecord, other: Address, local_is_client: bool) {
    for fact in &flow.facts {
        // It says who the parties are, not which of them drives.
        if fact.field == TEAMVIEWER_PEER
            && let Value::Endpoint(address, _) = fact.value
            && address == other
            && group.parties.len() < MOST_PEERS
        {
            group
                .parties
                .or_insert_with((address, "teamviewer_hole_punch"), || fact.source);
        }
        if fact.field == RUSTDESK_CONTROLLER
            && let Value::Endpoint(address, _) = fact.value
            && (fact.side == Side::Server) == local_is_client
            && group.controllers.len() < MOST_PEERS
        {
            group
                .controllers
                .or_insert_with((address, "rustdesk_rendezvous"), || fact.source);
        }
    }
}

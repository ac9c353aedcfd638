//! Tools on hosts: flows of one tool between one pair, joined over gaps, become one finding with role, state and
//! controller.
//!
//! Tools whose both ends call a vendor's relays are grouped by host and tool; tools whose controlled side listens
//! (RDP, VNC, SSH) and tunnels are grouped by host, tool and peer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::activity_state::{self, Judgement, Windows};
use super::recognise::{self, Recognised};
use super::{HostView, Knowledge};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{FieldId, Side, Value};
use crate::model::finding::{Activity, Confidence, Controller, Finding, FindingKind, Role};
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::time::Timestamp;
use crate::signatures::Catalogue;
use crate::signatures::entry::{RoleHint, Tool};

/// Identifiers of flows that a finding lists; it counts all.
const MOST_FLOW_IDS: usize = 32;

/// Frames that one item of evidence cites.
const MOST_FRAMES: usize = 8;

/// Group of what a host merely asked its resolver for.
const ASKED: &str = "asked";

/// Peers that a group remembers.
const MOST_PEERS: usize = 256;

/// Score from which a finding is sure of what it is.
const HIGH: i32 = 40;

/// Score from which it is probably so.
const MEDIUM: i32 = 25;

const RUSTDESK_CONTROLLER: FieldId = FieldId::of("rustdesk.controller");
const VNC_REVERSE: FieldId = FieldId::of("vnc.reverse");

/// What flows are grouped by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    local: LocalIndex,
    tool: String,
    peer: Option<Address>,
}

/// One item of evidence while it grows.
#[derive(Clone, Debug)]
struct Item {
    /// `tool:field`.
    signature: String,
    /// What the field held, in words.
    what: String,
    /// Decibans.
    weight: i32,
    /// False positives, as the catalogue notes them.
    note: Option<String>,
    /// What it says about the host.
    role: Option<RoleHint>,
    /// When it was first seen.
    at: Timestamp,
    frames: Vec<FrameRef>,
    times: u64,
}

/// Another end of a group's flows.
#[derive(Clone, Debug, Default)]
struct PeerSeen {
    name: Option<String>,
    port: u16,
    flows: u64,
    bytes: u64,
}

/// All flows of one tool between one pair.
#[derive(Clone, Debug, Default)]
struct Group {
    /// By group of fields.
    items: BTreeMap<&'static str, Item>,
    first: Option<Timestamp>,
    last: Timestamp,
    flow_ids: Vec<ContentId>,
    flows: u64,
    /// Flows in which the local end is the one that drives: it called, or was called by a server that reports to it.
    led_by_local: u64,
    is_answered: bool,
    windows: Windows,
    peers: BTreeMap<Address, PeerSeen>,
    controllers: BTreeMap<(Address, &'static str), FrameRef>,
    proto: Option<String>,
    community_id: Option<(ContentId, String)>,
}

impl Group {
    fn merge(&mut self, other: Self) {
        for (name, item) in other.items {
            match self.items.entry(name) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(item);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    let known = place.get_mut();
                    known.times = known.times.saturating_add(item.times);
                    known.frames.extend(item.frames);
                    known.frames.sort_unstable();
                    known.frames.truncate(MOST_FRAMES);
                    known.at = known.at.min(item.at);
                }
            }
        }
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.flow_ids.extend(other.flow_ids);
        self.flow_ids.truncate(MOST_FLOW_IDS);
        self.flows = self.flows.saturating_add(other.flows);
        self.led_by_local = self.led_by_local.saturating_add(other.led_by_local);
        self.is_answered |= other.is_answered;
        for (number, window) in other.windows {
            let sum = self.windows.entry(number).or_default();
            sum.out_bytes = sum.out_bytes.saturating_add(window.out_bytes);
            sum.in_bytes = sum.in_bytes.saturating_add(window.in_bytes);
            sum.out_small = sum.out_small.saturating_add(window.out_small);
            sum.in_small = sum.in_small.saturating_add(window.in_small);
        }
        self.peers.extend(other.peers);
        self.controllers.extend(other.controllers);
        self.proto = self.proto.take().or(other.proto);
        self.community_id = self.community_id.take().or(other.community_id);
    }

    /// Sum over what says different things: that a name was asked for and that it was called is one thing.
    fn score(&self) -> i32 {
        let weight = |group: &str| self.items.get(group).map_or(0, |item| item.weight);
        let names = weight("name").max(weight(ASKED));
        let others = self
            .items
            .iter()
            .filter(|(group, _)| !matches!(**group, "name" | ASKED));
        others
            .map(|(_, item)| item.weight)
            .sum::<i32>()
            .saturating_add(names)
            .min(60)
    }

    fn has_hint(&self, hint: RoleHint) -> bool {
        self.items.values().any(|item| item.role == Some(hint))
    }
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
    /// Ten-second windows.
    pub windows: Windows,
}

/// The detector.
#[derive(Debug)]
pub struct Sessions {
    groups: BTreeMap<Key, Group>,
    most: usize,
    /// Groups beyond the bound.
    pub refused: u64,
}

impl Sessions {
    /// With room for so many groups.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            groups: BTreeMap::new(),
            most,
            refused: 0,
        }
    }

    fn group(&mut self, key: Key) -> Option<&mut Group> {
        if self.groups.len() >= self.most && !self.groups.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        Some(self.groups.entry(key).or_default())
    }

    /// Takes a flow with the tools that it may belong to.
    pub fn observe(
        &mut self,
        observation: &Observation<'_>,
        recognised: &[Recognised<'_>],
        community_id: &str,
    ) {
        for one in recognised {
            if one.tool.class.finding.is_none() {
                continue;
            }
            for (index, local) in observation.locals.into_iter().enumerate() {
                if let Some(local) = local {
                    self.count(local, index == 0, observation, one, community_id);
                }
            }
        }
    }

    fn count(
        &mut self,
        local: LocalIndex,
        local_is_client: bool,
        observation: &Observation<'_>,
        recognised: &Recognised<'_>,
        community_id: &str,
    ) {
        let (flow, tool) = (observation.flow, recognised.tool);
        let other = if local_is_client { flow.server } else { flow.client };
        let both_local = observation.locals.iter().all(Option::is_some);
        let peer = (both_local || !is_relayed(tool)).then_some(other.address);
        let Some(group) = self.group(Key {
            local,
            tool: tool.id.clone(),
            peer,
        }) else {
            return;
        };
        for seen in &recognised.seen {
            let item = group.items.entry(seen.group).or_insert_with(|| Item {
                signature: format!("{}:{}", tool.id, seen.field),
                what: seen.what(),
                weight: seen.weight(),
                note: seen.indicator.note.clone(),
                role: seen.indicator.role,
                at: seen.at,
                frames: Vec::new(),
                times: 0,
            });
            item.times = item.times.saturating_add(1);
            if item.frames.len() < MOST_FRAMES {
                item.frames.push(seen.frame);
            }
        }
        group.first = Some(group.first.map_or(flow.start, |first| first.min(flow.start)));
        group.last = group.last.max(flow.end);
        group.flows = group.flows.saturating_add(1);
        let is_led_by_local = local_is_client != is_reverse(flow);
        group.led_by_local = group.led_by_local.saturating_add(u64::from(is_led_by_local));
        group.is_answered |= flow.payload_bytes.iter().all(|bytes| *bytes > 0);
        if group.flow_ids.len() < MOST_FLOW_IDS {
            group.flow_ids.push(flow.id);
        }
        activity_state::add(&mut group.windows, &flow.activity, local_is_client);
        if group.peers.len() < MOST_PEERS || group.peers.contains_key(&other.address) {
            let seen = group.peers.entry(other.address).or_default();
            seen.flows = seen.flows.saturating_add(1);
            seen.bytes = seen.bytes.saturating_add(flow.bytes.iter().sum());
            seen.port = flow.server.port;
            if local_is_client && let Some(name) = &observation.server_name {
                seen.name = Some(name.name.clone());
            }
        }
        note_controllers(group, flow, local_is_client);
        group.proto = group
            .proto
            .take()
            .or_else(|| flow.transport_name().map(str::to_owned));
        if group.community_id.is_none() {
            group.community_id = Some((flow.id, community_id.to_owned()));
        }
    }

    /// Takes a name that a host asked its resolver for.
    pub fn asked(
        &mut self,
        local: LocalIndex,
        name: &str,
        frame: FrameRef,
        at: Timestamp,
        catalogue: &Catalogue,
    ) {
        let Some((tool, found)) = recognise::asked(catalogue, name) else {
            return;
        };
        if tool.class.finding.is_none() || !is_relayed(tool) {
            return;
        }
        let Some(group) = self.group(Key {
            local,
            tool: tool.id.clone(),
            peer: None,
        }) else {
            return;
        };
        let item = group.items.entry(ASKED).or_insert_with(|| Item {
            signature: format!("{}:dns.query", tool.id),
            what: format!("asked for {name}"),
            weight: i32::from(found.weight()),
            note: found.indicator.note.clone(),
            role: found.indicator.role,
            at,
            frames: Vec::new(),
            times: 0,
        });
        item.times = item.times.saturating_add(1);
        if item.frames.len() < MOST_FRAMES {
            item.frames.push(frame);
        }
        group.first = Some(group.first.map_or(at, |first| first.min(at)));
        group.last = group.last.max(at);
    }

    /// Makes findings of all groups, those of one machine's addresses joined; in order of first sight.
    #[must_use]
    pub fn conclude(
        self,
        hosts: &BTreeMap<LocalIndex, &HostView>,
        knowledge: &Knowledge<'_>,
    ) -> (Vec<Finding>, Vec<Session>) {
        let mut joined: BTreeMap<(ContentId, String, Option<Address>), Group> = BTreeMap::new();
        for (key, group) in self.groups {
            let Some(host) = hosts.get(&key.local) else {
                continue;
            };
            let place = joined.entry((host.id, key.tool, key.peer)).or_default();
            place.merge(group);
        }
        let by_id: BTreeMap<ContentId, &HostView> = hosts.values().map(|host| (host.id, *host)).collect();
        let mut found: Vec<(Finding, Session)> = Vec::new();
        for ((id, tool, peer), group) in joined {
            let (Some(host), Some(tool)) = (by_id.get(&id), knowledge.catalogue.tool(&tool)) else {
                continue;
            };
            if let Some(one) = finding(host, tool, peer, group, knowledge) {
                found.push(one);
            }
        }
        found.sort_by_key(|(finding, _)| (finding.timestamp, finding.id));
        let mut findings = Vec::with_capacity(found.len());
        let mut sessions = Vec::with_capacity(found.len());
        for (index, (finding, mut session)) in found.into_iter().enumerate() {
            session.finding = index;
            findings.push(finding);
            sessions.push(session);
        }
        (findings, sessions)
    }
}

/// Whether both ends of a tool call a vendor's servers: then the peer's address is a relay's, not a person's.
fn is_relayed(tool: &Tool) -> bool {
    tool.indicators.iter().any(|indicator| {
        indicator
            .fields
            .iter()
            .any(|field| field == "tls.sni" || field == "dns.query")
    })
}

/// Addresses of controllers that a protocol told in the clear.
/// Whether the controlled side opened the connection to a waiting viewer.
fn is_reverse(flow: &FlowRecord) -> bool {
    flow.facts.iter().any(|fact| fact.field == VNC_REVERSE)
}

fn note_controllers(group: &mut Group, flow: &FlowRecord, local_is_client: bool) {
    for fact in &flow.facts {
        if fact.field == RUSTDESK_CONTROLLER
            && let Value::Endpoint(address, _) = fact.value
            && (fact.side == Side::Server) == local_is_client
            && group.controllers.len() < MOST_PEERS
        {
            group
                .controllers
                .entry((address, "rustdesk_rendezvous"))
                .or_insert(fact.source);
        }
    }
}

fn kind_of(tool: &Tool) -> Option<FindingKind> {
    Some(match tool.class.finding.as_deref()? {
        "remote_access" => FindingKind::RemoteAccess,
        "ip_kvm" => FindingKind::IpKvm,
        "vpn" => FindingKind::Vpn,
        "proxy" => FindingKind::Proxy,
        "reverse_tunnel" => FindingKind::ReverseTunnel,
        "tor" => FindingKind::Tor,
        _ => return None,
    })
}

/// What the host does, where the protocol or the direction of the connections tells it.
fn declared_role(kind: FindingKind, is_direct: bool, group: &Group) -> Option<Role> {
    let leads = group.led_by_local.saturating_mul(2) >= group.flows;
    let is_remote = matches!(kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
    match (is_remote, is_direct) {
        (true, true) => Some(if leads { Role::Controller } else { Role::Controlled }),
        (true, false) => None,
        (false, _) => Some(if leads || group.flows == 0 {
            Role::Client
        } else {
            Role::Server
        }),
    }
}

fn confidence(group: &Group) -> Confidence {
    let score = group.score();
    // A call that nobody answered proves that somebody tried, not that the tool runs.
    if group.flows > 0 && !group.is_answered {
        Confidence::Low
    } else if score >= HIGH {
        Confidence::High
    } else if score >= MEDIUM {
        Confidence::Medium
    } else {
        Confidence::Low
    }
}

fn finding(
    host: &HostView,
    tool: &Tool,
    peer: Option<Address>,
    group: Group,
    knowledge: &Knowledge<'_>,
) -> Option<(Finding, Session)> {
    let kind = kind_of(tool)?;
    let is_remote = matches!(kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
    let is_login = tool.class.id == "remote-login";
    let declared = declared_role(kind, peer.is_some(), &group);
    let mut judged = if is_remote && !is_login {
        activity_state::judge(&group.windows, declared)
    } else {
        Judgement {
            role: declared.unwrap_or_default(),
            activity: Activity::Unknown,
            intervals: Vec::new(),
        }
    };
    if judged.role == Role::Unknown
        && matches!(judged.activity, Activity::Idle | Activity::Unknown)
        && (group.has_hint(RoleHint::Agent) || group.flows == 0)
    {
        judged.role = Role::Agent;
    }
    let confidence = confidence(&group);
    let score = Decibans(f64::from(group.score()));
    let peer_bytes = peer.map_or([0; 16], |peer| peer.0);
    let id = ContentId::of(&[
        b"finding",
        &host.id.0.to_be_bytes(),
        tool.id.as_bytes(),
        &peer_bytes,
    ]);
    let evidence = evidence(&group, is_remote);
    let main_peer = match peer {
        Some(peer) => group.peers.get_key_value(&peer),
        None => group
            .peers
            .iter()
            .max_by_key(|(address, seen)| (seen.bytes, std::cmp::Reverse(**address))),
    };
    let controller = controller(&group, peer, judged.role, knowledge);
    let names: Vec<&str> = group
        .peers
        .values()
        .filter_map(|seen| seen.name.as_deref())
        .collect();
    let main_address = main_peer.map(|(address, _)| address.to_ip());
    let sanctioned = knowledge.sanctioned(host, &tool.id, &names, main_address);
    let relays: Vec<String> = if peer.is_none() {
        group
            .peers
            .iter()
            .map(|(address, seen)| seen.name.clone().unwrap_or_else(|| address.to_string()))
            .collect()
    } else {
        Vec::new()
    };
    let (instance, is_private_server) = instance(tool, &group);
    let mut finding = Finding {
        id,
        timestamp: group.first?,
        last_seen: group.last,
        kind,
        tool: tool.id.clone(),
        protocol: tool.protocol.clone(),
        role: judged.role,
        activity: judged.activity,
        intervals: judged.intervals,
        controller,
        host: host.id,
        host_ip: host.address(),
        peer: main_peer.map(|(address, _)| address.to_string()),
        peer_name: main_peer.and_then(|(_, seen)| seen.name.clone()),
        peer_port: main_peer.map(|(_, seen)| seen.port).filter(|port| *port != 0),
        proto: group.proto.clone(),
        community_id: group.community_id.clone().map(|(_, text)| text),
        flow_ids: group.flow_ids.clone(),
        flow_count: group.flows,
        confidence,
        score,
        sanctioned,
        summary: String::new(),
        benign: vec![tool.benign().to_owned()],
        evidence,
        peer_geo: main_peer.and_then(|(address, _)| knowledge.place(*address)),
        geo: None,
    };
    finding.summary = summary(host, tool, &finding, &group);
    let session = Session {
        host: host.id,
        finding: 0,
        relays,
        instance,
        is_private_server,
        windows: group.windows,
    };
    Some((finding, session))
}

fn evidence(group: &Group, is_remote: bool) -> Vec<Evidence> {
    let family = if is_remote { Family::Rc } else { Family::Loc };
    let mut list: Vec<Evidence> = group
        .items
        .values()
        .map(|item| {
            let mut what = item.what.clone();
            if item.times > 1 {
                what = format!("{what} ({} times)", item.times);
            }
            if let Some(note) = &item.note {
                what = format!("{what}; could also be: {note}");
            }
            let weight = Decibans(f64::from(item.weight));
            let mut evidence = Evidence::observed(family, what, weight, &item.frames, Some(item.at));
            evidence.signature = Some(item.signature.clone());
            evidence
        })
        .collect();
    list.sort_by(|a, b| {
        b.weight
            .0
            .total_cmp(&a.weight.0)
            .then_with(|| a.signature.cmp(&b.signature))
    });
    if group.flows > 0 && !group.is_answered {
        let mut unanswered = Evidence::observed(
            family,
            "no payload was seen from one of the two sides: tried, or captured in one direction only"
                .to_owned(),
            Decibans(0.0),
            &[],
            None,
        );
        unanswered.measure = Some("answered".to_owned());
        list.push(unanswered);
    }
    list
}

/// Who controls a controlled host, where it can be told.
fn controller(
    group: &Group,
    peer: Option<Address>,
    role: Role,
    knowledge: &Knowledge<'_>,
) -> Option<Controller> {
    if role == Role::Controller || role == Role::Client {
        return None;
    }
    if let Some(((address, how), _)) = group.controllers.iter().next() {
        return Some(Controller {
            address: *address,
            how: (*how).to_owned(),
            geo: knowledge.place(*address),
        });
    }
    let peer = peer.filter(|_| role == Role::Controlled)?;
    Some(Controller {
        address: peer,
        how: "direct".to_owned(),
        geo: knowledge.place(peer),
    })
}

/// The tool's instance: the customer's own name at the vendor, or a server outside the vendor's zone.
fn instance(tool: &Tool, group: &Group) -> (Option<String>, bool) {
    for (address, seen) in &group.peers {
        if let Some(name) = &seen.name
            && name.starts_with("instance-")
        {
            return (Some(name.clone()), false);
        }
        let is_own_server = tool.id == "rustdesk"
            && seen
                .name
                .as_deref()
                .is_none_or(|name| !name.ends_with("rustdesk.com"))
            && !matches!(address.to_ip(), IpAddr::V4(ip) if ip.is_private() || ip.is_broadcast() || ip.is_multicast());
        if is_own_server {
            return (
                Some(seen.name.clone().unwrap_or_else(|| address.to_string())),
                true,
            );
        }
    }
    (None, false)
}

fn summary(host: &HostView, tool: &Tool, finding: &Finding, group: &Group) -> String {
    let who = host.label();
    let name = &tool.name;
    let peer = match (&finding.peer_name, &finding.peer) {
        (Some(name), Some(address)) => format!("{name} ({address})"),
        (None, Some(address)) => address.clone(),
        _ => "an unknown address".to_owned(),
    };
    let seconds = |wanted: Activity| {
        finding
            .intervals
            .iter()
            .filter(|(_, _, state)| *state == wanted)
            .map(|(start, end, _)| end.since(*start) / crate::model::time::SECOND)
            .sum::<i64>()
    };
    let driven = seconds(Activity::Driven);
    let live = driven.saturating_add(seconds(Activity::Viewed));
    let doing = match (finding.role, finding.activity) {
        (Role::Controlled, Activity::Driven) => {
            format!("traffic consistent with {name} controlling it for {driven} of {live} s")
        }
        (Role::Controlled, Activity::Viewed) => {
            format!("traffic consistent with {name} showing its screen for {live} s")
        }
        (Role::Controlled, _) => format!("accepts {name}"),
        (Role::Controller, Activity::Driven) => {
            format!("traffic consistent with controlling another machine by {name} for {driven} s")
        }
        (Role::Controller, _) => format!("connects to another machine by {name}"),
        (Role::Agent, _) => format!("{name} is installed or was asked for; no session seen"),
        (Role::Client, _) => format!("uses {name}"),
        (Role::Server, _) => format!("serves {name}"),
        (Role::Unknown, Activity::Driven | Activity::Viewed) => {
            format!("a {name} session of {live} s; which side is controlled could not be told")
        }
        (Role::Unknown, _) => format!("{name} traffic"),
    };
    if group.flows == 0 {
        return format!("{who}: {doing} (names only)");
    }
    let through = if group.peers.len() > 1 {
        format!("{peer} and {} more", group.peers.len().saturating_sub(1))
    } else {
        peer
    };
    format!("{who}: {doing}, with {through}, {} flows", group.flows)
}

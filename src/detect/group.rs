//! A group of flows while it grows: all flows of one tool between one pair, with what gave the tool away.

use std::sync::Arc;

use super::activity_state::Windows;
use super::delay::Measured;
use super::ssh_tunnel::Uses;
use super::thresholds::THRESHOLDS;
use crate::model::address::Address;
use crate::model::few::Few;
use crate::model::finding::Role;
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::time::Timestamp;
use crate::signatures::entry::RoleHint;

/// Identifiers of flows that a finding lists; it counts all.
pub(super) const MOST_FLOW_IDS: usize = 32;

/// Frames that one item of evidence cites.
pub(super) const MOST_FRAMES: usize = 8;

/// Group of what a host merely asked its resolver for.
pub(super) const ASKED: &str = "asked";

/// Peers that a group remembers.
pub(super) const MOST_PEERS: usize = 256;

/// One item of evidence while it grows.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The field that gave the tool away.
    pub(super) field: Arc<str>,
    /// What the field held, in words.
    pub(super) what: String,
    /// Decibans.
    pub(super) weight: i32,
    /// False positives, as the catalogue notes them.
    pub(super) note: Option<Arc<str>>,
    /// What it says about the host.
    pub(super) role: Option<RoleHint>,
    /// When the first of the frames was captured, where that is known.
    pub(super) at: Option<Timestamp>,
    /// Hash of what the field held.
    pub(super) value: u64,
    /// Frames in which it held that.
    pub(super) frames: Vec<FrameRef>,
    pub(super) times: u64,
    /// How often a field of the group held something else that speaks for the tool.
    pub(super) others: u64,
}

impl Item {
    /// Counts a sight; its frame is cited where it shows the same.
    pub(super) fn count(&mut self, value: u64, frame: FrameRef) {
        if value != self.value {
            self.others = self.others.saturating_add(1);
            return;
        }
        self.times = self.times.saturating_add(1);
        if self.frames.is_empty() {
            // Most have one.
            self.frames.reserve_exact(1);
        }
        if self.frames.len() < MOST_FRAMES {
            self.frames.push(frame);
        }
    }
}

/// Another end of a group's flows.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerSeen {
    pub(super) name: Option<Arc<str>>,
    /// Port there, and port of the host, each where all flows had the same.
    pub(super) port: SamePort,
    pub(super) own_port: SamePort,
    pub(super) flows: u64,
    pub(super) bytes: u64,
}

/// A port as long as it is the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SamePort {
    #[default]
    None,
    One(u16),
    Several,
}

impl SamePort {
    fn add(&mut self, port: u16) {
        *self = match *self {
            _ if port == 0 => return,
            Self::None => Self::One(port),
            Self::One(known) if known == port => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    pub(super) const fn one(self) -> Option<u16> {
        match self {
            Self::One(port) => Some(port),
            Self::None | Self::Several => None,
        }
    }
}

impl PeerSeen {
    /// Takes a flow with it, and its name where it was called by one.
    pub(super) fn take(&mut self, flow: &FlowRecord, local_is_client: bool, name: Option<&Arc<str>>) {
        self.flows = self.flows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(flow.bytes.iter().sum());
        self.calls(local_is_client, flow.client.port, flow.server.port);
        if let Some(name) = name
            && self.name.as_ref() != Some(name)
        {
            self.name = Some(Arc::clone(name));
        }
    }

    /// Takes the ports of a flow.
    fn calls(&mut self, local_is_client: bool, client: u16, server: u16) {
        let (own, other) = if local_is_client {
            (client, server)
        } else {
            (server, client)
        };
        self.port.add(other);
        self.own_port.add(own);
    }
}

/// All flows of one tool between one pair.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own about the flows, and they exclude none of each other"
)]
pub(super) struct Group {
    /// By group of fields.
    pub(super) items: Few<&'static str, Item>,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Timestamp,
    pub(super) flow_ids: Vec<ContentId>,
    pub(super) flows: u64,
    /// Flows in which the local end is the one that drives: it called, or was called by a server that reports to it.
    pub(super) led_by_local: u64,
    /// The same of those of which it is known who called, and how many these are.
    pub(super) told_led_by_local: u64,
    pub(super) told: u64,
    /// Flows of others with the tool's server, which this host is.
    pub(super) served: u64,
    /// What the host itself says that it is, to such a server.
    pub(super) says: Says,
    pub(super) is_answered: bool,
    /// Whether a tunnel that was asked for was refused.
    pub(super) is_refused: bool,
    /// Whether both ends of one of its flows spoke a tunnel's protocol.
    pub(super) is_tunnel: bool,
    /// Whether a program that is no browser called one of its servers: its TLS offered no ALPN.
    pub(super) has_program: bool,
    /// What connections of SSH are used for.
    pub(super) ssh: Uses,
    pub(super) windows: Windows,
    /// Payload that the host sent, and that came to it.
    pub(super) payload: [u64; 2],
    /// Round trips to the host and to its peers, and the loops of both, the host's first.
    pub(super) latency: Measured,
    pub(super) peers: Few<Address, PeerSeen>,
    pub(super) controllers: Few<(Address, &'static str), FrameRef>,
    /// Other parties of sessions that go straight between the two: who controls the host if it is controlled.
    pub(super) parties: Few<(Address, &'static str), FrameRef>,
    pub(super) proto: Option<&'static str>,
    pub(super) community_id: Option<Box<str>>,
}

/// What a machine tells a server that brings two together: that it can be reached, that somebody wants in, that it wants in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) is_registered: bool,
    pub(super) is_controlled: bool,
    pub(super) is_controller: bool,
}

impl Says {
    /// What it is, where it says one of the two.
    pub(super) const fn role(self) -> Option<Role> {
        match (self.is_controlled, self.is_controller) {
            (true, false) => Some(Role::Controlled),
            (false, true) => Some(Role::Controller),
            _ => None,
        }
    }
}

impl Group {
    /// Adds another group of the same machine, tool and peer.
    pub(super) fn merge(&mut self, other: Self) {
        for (name, item) in other.items {
            if !self.items.contains_key(&name) {
                self.items.extend([(name, item)]);
                continue;
            }
            let known = self.items.or_insert_with(name, || item.clone());
            if item.value == known.value {
                known.times = known.times.saturating_add(item.times);
                known.others = known.others.saturating_add(item.others);
                known.frames.extend(item.frames);
                known.frames.sort_unstable();
                known.frames.truncate(MOST_FRAMES);
                known.at = [known.at, item.at].into_iter().flatten().min();
                continue;
            }
            // The heavier one counts; of equal ones that which was seen first.
            let rank = |one: &Item| (std::cmp::Reverse(one.weight), one.at, one.frames.first().copied());
            let (mut kept, other) = if rank(&item) < rank(known) {
                (item, known.clone())
            } else {
                (known.clone(), item)
            };
            kept.others = kept
                .others
                .saturating_add(other.others)
                .saturating_add(other.times);
            *known = kept;
        }
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.flow_ids.extend(other.flow_ids);
        self.flow_ids.truncate(MOST_FLOW_IDS);
        self.flows = self.flows.saturating_add(other.flows);
        self.served = self.served.saturating_add(other.served);
        self.says.is_registered |= other.says.is_registered;
        self.says.is_controlled |= other.says.is_controlled;
        self.says.is_controller |= other.says.is_controller;
        self.led_by_local = self.led_by_local.saturating_add(other.led_by_local);
        self.told_led_by_local = self.told_led_by_local.saturating_add(other.told_led_by_local);
        self.told = self.told.saturating_add(other.told);
        self.is_answered |= other.is_answered;
        self.is_refused |= other.is_refused;
        self.is_tunnel |= other.is_tunnel;
        self.has_program |= other.has_program;
        self.ssh.merge(other.ssh);
        for (number, window) in other.windows {
            self.windows.entry(number).or_default().add(window);
        }
        for (sum, more) in self.payload.iter_mut().zip(other.payload) {
            *sum = sum.saturating_add(more);
        }
        self.latency.merge(other.latency);
        self.peers.extend(other.peers);
        self.controllers.extend(other.controllers);
        self.parties.extend(other.parties);
        self.proto = self.proto.take().or(other.proto);
        self.community_id = self.community_id.take().or(other.community_id);
    }

    /// Adds a flow's payload, the client's first.
    pub(super) fn carry(&mut self, [from_client, from_server]: [u64; 2], local_is_client: bool) {
        let own = if local_is_client {
            [from_client, from_server]
        } else {
            [from_server, from_client]
        };
        for (sum, more) in self.payload.iter_mut().zip(own) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Sum over what says different things: that a name was asked for and that it was called is one thing.
    pub(super) fn score(&self) -> i32 {
        let weight = |group: &'static str| self.items.get(&group).map_or(0, |item| item.weight);
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

    /// Whether data went one way alone, and more than an attempt: of the other way nothing was captured.
    pub(super) fn is_one_sided(&self) -> bool {
        self.flows > 0 && !self.is_answered && self.windows.values().any(|window| window.out != window.inward)
    }

    /// Keeps the identifier of a flow.
    pub(super) fn names(&mut self, flow: &FlowRecord) {
        if self.flow_ids.is_empty() {
            // Most groups have one flow.
            self.flow_ids.reserve_exact(1);
        }
        if self.flow_ids.len() < MOST_FLOW_IDS {
            self.flow_ids.push(flow.id);
        }
    }

    /// Notes a flow of somebody else with this host as the tool's server.
    pub(super) fn serve(&mut self, flow: &FlowRecord, client: Address, local_is_client: bool) {
        self.served = self.served.saturating_add(1);
        self.is_answered |= flow.payload_bytes.iter().all(|bytes| *bytes > 0);
        self.names(flow);
        if self.peers.len() < MOST_PEERS || self.peers.contains_key(&client) {
            let seen = self.peers.or_insert_with(client, PeerSeen::default);
            seen.flows = seen.flows.saturating_add(1);
            seen.bytes = seen.bytes.saturating_add(flow.bytes.iter().sum());
            seen.calls(local_is_client, flow.client.port, flow.server.port);
        }
        self.proto = self.proto.or_else(|| flow.transport_name());
    }

    /// Whether the host is the tool's server and nothing else of it.
    pub(super) const fn is_server(&self) -> bool {
        self.served > 0 && self.served == self.flows
    }

    /// Notes what the host says that it is.
    pub(super) fn is_told(&mut self, role: &str) {
        self.says.is_registered |= role == "registered";
        self.says.is_controlled |= role == "controlled";
        self.says.is_controller |= role == "controller";
    }

    /// Whether far more came to the host than it sent.
    pub(super) fn received_mostly(&self) -> bool {
        let (mut out, mut inward) = (0u64, 0u64);
        for window in self.windows.values() {
            out = out.saturating_add(window.out.bytes);
            inward = inward.saturating_add(window.inward.bytes);
        }
        inward > out.saturating_mul(THRESHOLDS.recognition.fetched_ratio)
    }

    /// Whether everything that gave the tool away belongs to who controls others.
    pub(super) fn is_of_controllers(&self) -> bool {
        let mut hints = self.items.values().filter_map(|item| item.role).peekable();
        hints.peek().is_some() && hints.all(|hint| hint == RoleHint::Controller)
    }

    pub(super) fn has_hint(&self, hint: RoleHint) -> bool {
        self.items.values().any(|item| item.role == Some(hint))
    }
}

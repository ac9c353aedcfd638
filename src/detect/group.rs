//! A group of flows while it grows: all flows of one tool between one pair, with what gave the tool away.

use std::sync::Arc;

use super::activity_state::Windows;
use super::ssh_tunnel::Uses;
use crate::model::address::Address;
use crate::model::few::Few;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::latency::Latency;
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
    /// When it was first seen.
    pub(super) at: Timestamp,
    pub(super) frames: Vec<FrameRef>,
    pub(super) times: u64,
}

/// Another end of a group's flows.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerSeen {
    pub(super) name: Option<Arc<str>>,
    pub(super) port: u16,
    pub(super) flows: u64,
    pub(super) bytes: u64,
}

/// All flows of one tool between one pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// By group of fields.
    pub(super) items: Few<&'static str, Item>,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Timestamp,
    pub(super) flow_ids: Vec<ContentId>,
    pub(super) flows: u64,
    /// Flows in which the local end is the one that drives: it called, or was called by a server that reports to it.
    pub(super) led_by_local: u64,
    pub(super) is_answered: bool,
    /// What connections of SSH are used for.
    pub(super) ssh: Uses,
    pub(super) windows: Windows,
    /// Round trips to the host and to its peers, and the loops of both, the host's first.
    pub(super) latency: Option<Box<Latency>>,
    pub(super) peers: Few<Address, PeerSeen>,
    pub(super) controllers: Few<(Address, &'static str), FrameRef>,
    /// Other parties of sessions that go straight between the two: who controls the host if it is controlled.
    pub(super) parties: Few<(Address, &'static str), FrameRef>,
    pub(super) proto: Option<&'static str>,
    pub(super) community_id: Option<Box<str>>,
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
            if item.weight > known.weight {
                known.field = item.field;
                known.what = item.what;
                known.weight = item.weight;
                known.note = item.note;
                known.role = item.role;
            }
            known.times = known.times.saturating_add(item.times);
            known.frames.extend(item.frames);
            known.frames.sort_unstable();
            known.frames.truncate(MOST_FRAMES);
            known.at = known.at.min(item.at);
        }
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.flow_ids.extend(other.flow_ids);
        self.flow_ids.truncate(MOST_FLOW_IDS);
        self.flows = self.flows.saturating_add(other.flows);
        self.led_by_local = self.led_by_local.saturating_add(other.led_by_local);
        self.is_answered |= other.is_answered;
        self.ssh.merge(other.ssh);
        for (number, window) in other.windows {
            self.windows.entry(number).or_default().add(window);
        }
        if let Some(more) = other.latency {
            match &mut self.latency {
                Some(known) => known.merge(*more),
                None => self.latency = Some(more),
            }
        }
        self.peers.extend(other.peers);
        self.controllers.extend(other.controllers);
        self.parties.extend(other.parties);
        self.proto = self.proto.take().or(other.proto);
        self.community_id = self.community_id.take().or(other.community_id);
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

    pub(super) fn has_hint(&self, hint: RoleHint) -> bool {
        self.items.values().any(|item| item.role == Some(hint))
    }
}

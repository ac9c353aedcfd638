//! Leads: flows that look like something, gathered by host and server into one finding each.
//!
//! What looks so is decided by the detector that adds them; who they belong to, how many there were and when is kept here.

use std::collections::BTreeMap;

use super::session_finding::kind_of;
use super::watcher::Ended;
use super::{Concluded, HostView};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Finding, Role, TunnelUse};
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::LocalIndex;
use crate::model::time::{SECOND, Timestamp};

/// Pairs of host and server that are remembered.
const MOST: usize = 10_000;
/// Flows whose frames and identifiers a finding names.
const NAMED: usize = 8;

/// Flows by host, server and port.
#[derive(Debug, Default)]
pub(super) struct Leads {
    seen: BTreeMap<(LocalIndex, Address, u16), Gathered>,
    /// Flows beyond the bound.
    refused: u64,
}

/// The flows of one host with one server.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    first: Timestamp,
    last: Timestamp,
    frames: Vec<FrameRef>,
    flows: Vec<ContentId>,
    /// Payload that the host sent, and that came to it.
    bytes: [u64; 2],
    /// How many flows.
    pub(super) count: u64,
    /// Sums of what the detector counts of each.
    pub(super) sums: [u64; 4],
}

/// What a detector says of gathered flows.
pub(super) struct Lead {
    /// Tool of the catalogue.
    pub(super) tool: &'static str,
    /// What was measured, as records name it.
    pub(super) measure: &'static str,
    /// The evidence in words.
    pub(super) what: String,
    /// How much it can be trusted.
    pub(super) note: &'static str,
    /// What stands behind the host's label in the finding's sentence.
    pub(super) summary: String,
    /// The innocent explanation.
    pub(super) benign: &'static str,
    /// Weight in decibans.
    pub(super) weight: f64,
    /// How sure the finding is.
    pub(super) confidence: Confidence,
}

impl Leads {
    /// Takes a flow of `local`, its client.
    pub(super) fn add(&mut self, local: LocalIndex, flow: &FlowRecord, counted: [u64; 4]) {
        let key = (local, flow.server.address, flow.server.port);
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let gathered = self.seen.entry(key).or_insert_with(|| Gathered {
            first: flow.start,
            last: flow.end,
            frames: Vec::new(),
            flows: Vec::new(),
            bytes: [0; 2],
            count: 0,
            sums: [0; 4],
        });
        gathered.first = gathered.first.min(flow.start);
        gathered.last = gathered.last.max(flow.end);
        gathered.count = gathered.count.saturating_add(1);
        for (sum, more) in gathered.bytes.iter_mut().zip(flow.payload_bytes) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in gathered.sums.iter_mut().zip(counted) {
            *sum = sum.saturating_add(more);
        }
        if gathered.flows.len() < NAMED {
            gathered.flows.push(flow.id);
            gathered.frames.extend(flow.frames.first_payload.iter().flatten());
        }
    }

    /// Drops what `keep` does not want, which may change the sums of the rest.
    pub(super) fn retain(&mut self, keep: impl FnMut(&(LocalIndex, Address, u16), &mut Gathered) -> bool) {
        self.seen.retain(keep);
    }

    /// How many pairs of host and server there are.
    #[cfg(test)]
    pub(super) fn pairs(&self) -> usize {
        self.seen.len()
    }

    /// Adds the findings: `describe` says what is thought of a server (address and port as text) by its flows.
    pub(super) fn conclude(
        &self,
        ended: &Ended<'_>,
        concluded: &mut Concluded,
        proto: &str,
        describe: impl Fn(&str, &Gathered) -> Option<Lead>,
    ) {
        concluded
            .losses
            .add("flows beyond the bound on leads", self.refused);
        // A machine may have had several addresses.
        let mut by_host: BTreeMap<(ContentId, Address, u16), (&HostView, Gathered)> = BTreeMap::new();
        for ((local, server, port), gathered) in &self.seen {
            let Some(host) = ended.by_local.get(local) else {
                continue;
            };
            by_host
                .entry((host.id, *server, *port))
                .and_modify(|(_, known)| known.merge(gathered))
                .or_insert_with(|| (host, gathered.clone()));
        }
        let of =
            |((_, server, port), (host, gathered)): (&(ContentId, Address, u16), &(&HostView, Gathered))| {
                let has_ports = proto != "ICMP";
                let named = if has_ports {
                    format!("{server} port {port}")
                } else {
                    server.to_string()
                };
                let mut finding = gathered.finding(host, *server, &describe(&named, gathered)?, ended)?;
                finding.peer_port = has_ports.then_some(*port);
                finding.proto = Some(proto.to_owned());
                // The port tells two findings of one server apart.
                let port = port.to_be_bytes();
                finding.id = ContentId::of(&[
                    finding.tool.as_bytes(),
                    &host.id.0.to_be_bytes(),
                    &server.0,
                    &port,
                ]);
                Some(finding)
            };
        concluded.findings.extend(by_host.iter().filter_map(of));
    }
}

impl Gathered {
    /// Adds what another address of the same machine did.
    fn merge(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
        for (sum, more) in self.bytes.iter_mut().zip(other.bytes) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.saturating_add(more);
        }
        let room = NAMED.saturating_sub(self.flows.len());
        self.flows.extend(other.flows.iter().take(room));
        self.frames
            .extend(other.frames.iter().take(room.saturating_mul(2)));
    }

    /// What it was used for. Whether the host sent anything else meanwhile cannot be told: flows that only look like a tunnel's are not told
    /// from its other ones.
    fn used(&self) -> TunnelUse {
        let [bytes_out, bytes_in] = self.bytes;
        let seconds = self.last.since(self.first).max(0) / SECOND;
        TunnelUse {
            seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
            bytes_out,
            bytes_in,
            ..TunnelUse::default()
        }
    }

    fn finding(&self, host: &HostView, server: Address, lead: &Lead, ended: &Ended<'_>) -> Option<Finding> {
        let tool = ended.knowledge.catalogue.tool(lead.tool)?;
        let weight = Decibans(lead.weight);
        let what = lead.what.clone();
        let mut evidence = Evidence::observed(Family::Tool, what, weight, &self.frames, Some(self.first));
        evidence.measure = Some(lead.measure.to_owned());
        evidence.note = Some(lead.note.into());
        Some(Finding {
            id: ContentId::default(),
            timestamp: self.first,
            last_seen: self.last,
            kind: kind_of(tool)?,
            tool: tool.id.clone(),
            protocol: None,
            role: Role::Client,
            activity: Activity::Unknown,
            intervals: Vec::new(),
            controller: None,
            host: host.id,
            host_ip: host.address(),
            peer: Some(server.to_string()),
            peer_name: None,
            peer_port: None,
            host_port: None,
            proto: None,
            community_id: None,
            flow_ids: self.flows.clone(),
            flow_count: self.count,
            confidence: lead.confidence,
            score: weight,
            sanctioned: ended
                .knowledge
                .sanctioned(host, &tool.id, &[], Some(server.to_ip())),
            summary: format!("{}: {}", host.label(), lead.summary),
            benign: vec![lead.benign.to_owned()],
            evidence: vec![evidence],
            peer_geo: ended.knowledge.place(server),
            geo: None,
            latency: None,
            schedule: None,
            tunnel: Some(Box::new(self.used())),
        })
    }
}

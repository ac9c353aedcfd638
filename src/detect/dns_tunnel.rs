//! Data in questions to resolvers: many names below one zone, none asked for twice, of octets like chance, of types that
//! hosts do not ask for.
//!
//! Two kinds of question are counted, by host and zone: those for long names, because nothing else costs less to tell from others, and
//! those of types that carry data back (TXT, NULL and such), because a download has short names. What an innocent service asks
//! so is told by what it is: an address written backwards and a block list's answer (RFC 5782), a digest of a file, a name that the host then
//! connects to; and by its zone where that is known (`dns_lookups.tsv`).

mod zone;

use super::Concluded;
use super::recognise::Recognised;
use super::thresholds::{DnsTunnel, THRESHOLDS};
use super::watcher::{ByLocal, Ended, Watcher};
use super::{DNS_ANSWER, DNS_QUERY};
use crate::settings::limits::Limits;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use self::zone::Zone;
use super::session_finding::{self, kind_of};
use super::{HostView, Knowledge};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{Fact, FieldId, Value};
use crate::model::finding::{Activity, Finding, Role};
use crate::model::identity::ContentId;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::model::quantity::counted;
use crate::signatures::Catalogue;

/// What is judgement here.
fn own() -> &'static DnsTunnel {
    &THRESHOLDS.dns_tunnel
}

const DNS_QTYPE: FieldId = FieldId::of("dns.qtype");
const DNS_NAME: FieldId = FieldId::of("dns.name");
/// The catalogue's entry.
const TOOL: &str = "dns-tunnel";

/// Zones of services that are asked in long names, and whose they are.
static LOOKUPS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let rows = include_str!("dns_lookups.tsv").lines();
    rows.filter(|row| !row.starts_with('#'))
        .filter_map(|row| row.split('\t').next())
        .collect()
});

/// Everything that was asked and may carry data.
#[derive(Debug)]
struct Questions {
    zones: BTreeMap<LocalIndex, BTreeMap<Vec<u8>, Zone>>,
    held: usize,
    most: usize,
    /// Questions below zones beyond the bound.
    refused: u64,
    /// The name of the question whose type is told next; empty where it is of no interest.
    name: Vec<u8>,
}

impl Questions {
    /// With room for so many zones.
    const fn new(most: usize) -> Self {
        Self {
            zones: BTreeMap::new(),
            held: 0,
            most,
            refused: 0,
            name: Vec::new(),
        }
    }

    /// Takes a name that a host asked for: octets, because those of tunnels need not be text.
    fn asked(&mut self, name: &[u8]) {
        self.name.clear();
        if name.len() > own().least_data {
            self.name.extend_from_slice(name);
        }
    }

    /// Takes the type of the question taken before.
    fn of_type(&mut self, local: LocalIndex, kind: u64, header: &EventHeader) {
        let name = std::mem::take(&mut self.name);
        self.question(local, &name, kind, header);
        self.name = name;
        self.name.clear();
    }

    fn question(&mut self, local: LocalIndex, name: &[u8], kind: u64, header: &EventHeader) {
        let is_long = name.len() >= own().shortest_name;
        if !is_long && !zone::carries_data(kind) {
            return;
        }
        let Some((data, zone)) = split(name) else {
            return;
        };
        let octets = data.iter().filter(|octet| **octet != b'.').count();
        let least = if is_long && !zone::carries_data(kind) {
            own().shortest_data
        } else {
            own().least_data
        };
        let is_known = |known: &&str| {
            name.strip_suffix(known.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
        };
        if octets < least || zone::is_reversed_address(data) || LOOKUPS.iter().any(is_known) {
            return;
        }
        let zones = self.zones.entry(local).or_default();
        if !zones.contains_key(zone) {
            if self.held >= self.most {
                self.refused = self.refused.saturating_add(1);
                return;
            }
            self.held = self.held.saturating_add(1);
            zones.insert(zone.to_vec(), Zone::new(header));
        }
        if let Some(zone) = zones.get_mut(zone) {
            zone.count(data, octets, kind, header);
        }
    }

    /// The zone that a host asked below, and what stood before it in this name.
    fn zone_of<'n>(&mut self, local: LocalIndex, name: &'n [u8]) -> Option<(&mut Zone, &'n [u8])> {
        let zones = self.zones.get_mut(&local)?;
        let (data, zone) = split(name)?;
        Some((zones.get_mut(zone)?, data))
    }

    /// Takes an address that a host was told for a name.
    fn answered(&mut self, local: LocalIndex, name: &[u8], address: Address) {
        if name.len() >= own().shortest_name
            && let Some((zone, _)) = self.zone_of(local, name)
        {
            zone.answered(address);
        }
    }

    /// The findings of these hosts.
    fn found(self, hosts: &ByLocal<'_>, knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let mut merged: BTreeMap<(ContentId, Vec<u8>), (&HostView, Zone)> = BTreeMap::new();
        for (local, zones) in self.zones {
            let Some(host) = hosts.get(&local).filter(|host| !host.is_resolver) else {
                continue;
            };
            for (name, zone) in zones {
                match merged.entry((host.id, name)) {
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert((host, zone));
                    }
                    std::collections::btree_map::Entry::Occupied(mut place) => place.get_mut().1.merge(zone),
                }
            }
        }
        let found = merged
            .into_iter()
            .filter_map(|((_, name), (host, zone))| finding(host, &name, &zone, knowledge));
        found.collect()
    }
}

/// What stands before the zone, and the zone: the last two labels, or three where a country's second level has a short name.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut dots = name.iter().enumerate().rev().filter(|(_, octet)| **octet == b'.');
    let mut dot = || dots.next().map(|(at, _)| at);
    let (last, second, third) = (dot()?, dot()?, dot());
    let is_country = name.len().saturating_sub(last) == 3;
    let is_shared = is_country && last.saturating_sub(second) <= 4;
    let at = if is_shared { third? } else { second };
    Some((name.get(..at)?, name.get(at.checked_add(1)?..)?))
}

fn finding(host: &HostView, zone_name: &[u8], zone: &Zone, knowledge: &Knowledge<'_>) -> Option<Finding> {
    let tool = knowledge.catalogue.tool(TOOL)?;
    let rules = &knowledge.rules.findings;
    let reasons = zone.reasons(&rules.tunnel);
    let score: i32 = reasons.iter().map(|(_, weight, _)| weight).sum();
    if score == 0 {
        return None;
    }
    let domain = zone.domain(zone_name);
    let confidence = session_finding::believed(score, rules);
    let evidence = reasons.into_iter().map(|(measure, weight, what)| {
        let weight = Decibans(f64::from(weight));
        let mut evidence = Evidence::observed(Family::Loc, what, weight, &zone.frames, Some(zone.first));
        evidence.measure = Some(measure.to_owned());
        evidence
    });
    Some(Finding {
        id: ContentId::of(&[b"dns-tunnel", &host.id.0.to_be_bytes(), zone_name]),
        timestamp: zone.first,
        last_seen: zone.last,
        kind: kind_of(tool)?,
        tool: tool.id.clone(),
        role: Role::Client,
        activity: Activity::Unknown,
        host: host.id,
        host_ip: host.address(),
        confidence,
        score: Decibans(f64::from(score)),
        sanctioned: knowledge.sanctioned(host, &tool.id, &[&domain], None),
        summary: format!(
            "{}: questions consistent with data carried in names below {domain}; {} of {} octets",
            host.label(),
            counted(zone.names, "name"),
            zone.octets()
        ),
        peer_name: Some(domain),
        benign: vec![tool.benign().to_owned()],
        evidence: evidence.collect(),
        protocol: Some("dns".to_owned()),
        peer: Some(zone.asked.address.to_string()),
        peer_port: Some(zone.asked.port).filter(|port| *port != 0),
        flow_ids: zone.flows.clone(),
        flow_count: zone.flow_count,
        tunnel: Some(Box::new(zone.used())),
        ..Finding::default()
    })
}

/// Watches for data in the names of questions.
pub(super) fn watch(limits: &Limits) -> Box<dyn Watcher> {
    // A zone of long names takes some kilobytes, a group some hundred bytes.
    Box::new(Questions::new(limits.groups / 16))
}

impl Watcher for Questions {
    fn wants(&self, field: FieldId) -> bool {
        matches!(field, DNS_QUERY | DNS_QTYPE | DNS_ANSWER)
    }

    fn fact(&mut self, about: LocalIndex, header: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        match (fact.field, fact.value) {
            (DNS_QUERY, Value::Text { bytes, .. }) => self.asked(bytes),
            (DNS_QTYPE, Value::Number(kind)) => self.of_type(about, kind, header),
            (DNS_ANSWER, Value::Answer { name, address, .. }) => self.answered(about, name, address),
            _ => {}
        }
    }

    /// What a host connects to under a name was no data in it; and what a conversation that asks below a zone comes to.
    fn flow(&mut self, observation: &Observation<'_>, _: &[Recognised<'_>]) {
        let [Some(local), _] = observation.locals else {
            return;
        };
        if self.held == 0 {
            return;
        }
        let flow = observation.flow;
        if let Some(server) = &observation.server_name
            && server.name.len() >= own().shortest_name
            && let Some((zone, data)) = self.zone_of(local, server.name.as_bytes())
        {
            zone.reached(data);
        }
        if flow.app_proto == Some("dns")
            && let Some(name) = flow.facts.find(DNS_NAME)
            && let Value::Text { bytes, .. } = name.value
            && let Some((zone, _)) = self.zone_of(local, bytes)
        {
            zone.carried(flow);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.losses.add(
            "names that may carry data beyond the bound on zones",
            self.refused,
        );
        let all = std::mem::replace(self, Self::new(0));
        concluded
            .findings
            .extend(all.found(&ended.by_local, ended.knowledge));
    }
}

#[cfg(test)]
mod tests;

//! `stix.json`: a STIX 2.1 bundle of what a case shows (OASIS, STIX Version 2.1, 10 June 2021).
//!
//! Observables carry the identifiers that the standard prescribes (section 2.9: UUIDv5 over the canonical JSON of their
//! contributing properties), everything else UUIDv5 over its content in a namespace of our own, so that two runs give
//! the same bundle and a platform merges them. There are no indicators: a relay that a farm used is no detection rule.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::model::case::Case;
use crate::model::farm::Farm;
use crate::model::finding::{Finding, FindingKind};
use crate::model::host::Verdict;
use crate::model::identity::ContentId;
use crate::model::time::Timestamp;

use super::json::write_line;
use super::organisations::Organisations;
use super::shown::Shown;
use super::uuid::{self, Uuid};
use super::words;

/// Namespace of identifiers of observables (STIX 2.1, section 2.9).
const OBSERVABLES: Uuid = Uuid(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);

/// Writes the bundle.
pub fn write(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    let mut bundle = Bundle::new(case);
    let shown = Shown::default();
    let findings: BTreeMap<_, Vec<String>> = shown
        .findings(case)
        .map(|finding| (finding.id, bundle.finding(finding)))
        .collect();
    for farm in shown.farms(case) {
        bundle.farm(case, farm, &findings);
    }
    let objects: Vec<&Value> = bundle.objects.values().collect();
    let ids: Vec<&str> = bundle.objects.keys().map(String::as_str).collect();
    let id = own("bundle", &ids);
    write_line(to, &json!({"type": "bundle", "id": id, "objects": objects}))
}

/// How sure a producer is of an inference (STIX 2.1, section 3.2), from the posterior of what the object says and from the verdict: what
/// held a verdict down holds the confidence down, by the upper edges of the bands (DETECTION 5.2), and what is as sure as can be is "almost
/// certain", 95 in the standard's scale of estimates (appendix A). A hundred is for what was observed.
fn confidence(posterior: f64, verdict: Verdict) -> u8 {
    let most = match verdict {
        Verdict::None => 2,
        Verdict::Note => 20,
        Verdict::Review => 80,
        Verdict::Likely => 94,
        Verdict::Strong => 95,
    };
    (1..=most)
        .rev()
        .find(|percent| f64::from(*percent) <= posterior * 100.0)
        .unwrap_or(0)
}

/// An identifier of our own making: type and UUIDv5 over the parts.
fn own(kind: &str, parts: &[&str]) -> String {
    // UUIDv5 of the name in the URL namespace (RFC 9562, 6.6), as any producer may choose its own.
    let namespace = uuid::v5(uuid::URL, b"https://farmhawk.invalid/stix");
    let mut name = kind.to_owned();
    for part in parts {
        name.push('\0');
        name.push_str(part);
    }
    format!("{kind}--{}", uuid::v5(namespace, name.as_bytes()))
}

/// An identifier of an observable. `serde_json`'s maps are sorted and compact, which for texts, integers and lists of
/// texts is the canonical form (RFC 8785).
fn observable_id(kind: &str, contributing: &Value) -> String {
    format!(
        "{kind}--{}",
        uuid::v5(OBSERVABLES, contributing.to_string().as_bytes())
    )
}

/// RFC 3339 with three digits of a second.
fn milliseconds(at: Timestamp) -> String {
    let text = at.to_text();
    let text = text.as_str().get(..23).unwrap_or_default();
    format!("{text}Z")
}

/// The technique behind a kind of finding: MITRE ATT&CK identifier and name.
const fn technique(kind: FindingKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        FindingKind::RemoteAccess => ("T1219.002", "Remote Desktop Software"),
        FindingKind::IpKvm => ("T1219.003", "Remote Access Hardware"),
        FindingKind::ReverseTunnel => ("T1572", "Protocol Tunneling"),
        FindingKind::Proxy => ("T1090", "Proxy"),
        FindingKind::Tor => ("T1090.003", "Multi-hop Proxy"),
        FindingKind::Vpn
        | FindingKind::GeoMismatch
        | FindingKind::LatencyMismatch
        | FindingKind::ScheduleMismatch
        | FindingKind::TenancyMismatch
        | FindingKind::PolicyViolation => return None,
    })
}

/// Objects by identifier: each once, in a fixed order.
struct Bundle {
    objects: BTreeMap<String, Value>,
    maker: String,
    /// In milliseconds exactly, as `created` and `modified` must be (section 3.2).
    made: String,
    organisations: Organisations,
}

impl Bundle {
    fn new(case: &Case) -> Self {
        let maker = own("identity", &["farmhawk"]);
        let mut bundle = Self {
            objects: BTreeMap::new(),
            maker,
            made: milliseconds(case.summary.timestamp),
            organisations: Organisations::of(case),
        };
        let id = bundle.maker.clone();
        bundle.domain_object(
            "identity",
            id,
            json!({"name": "farmhawk", "identity_class": "system"}),
        );
        bundle
    }

    /// Adds an object with the properties that every domain object and relationship has.
    fn domain_object(&mut self, kind: &str, id: String, properties: Value) -> String {
        let mut object = Map::new();
        if let Value::Object(properties) = properties {
            object.extend(properties);
        }
        object.insert("type".to_owned(), json!(kind));
        object.insert("spec_version".to_owned(), json!("2.1"));
        object.insert("id".to_owned(), json!(id));
        object.insert("created".to_owned(), json!(self.made));
        object.insert("modified".to_owned(), json!(self.made));
        if kind != "identity" {
            object.insert("created_by_ref".to_owned(), json!(self.maker));
        }
        self.objects.insert(id.clone(), Value::Object(object));
        id
    }

    /// Adds an observable; `None` where the text is no address.
    fn address(&mut self, text: &str) -> Option<String> {
        let ip: IpAddr = text.parse().ok()?;
        let kind = if ip.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
        let value = ip.to_string();
        let id = observable_id(kind, &json!({"value": value}));
        let object = json!({"type": kind, "spec_version": "2.1", "id": id, "value": value});
        self.objects.insert(id.clone(), object);
        Some(id)
    }

    fn relationship(&mut self, from: &str, what: &str, to: &str) -> String {
        let id = own("relationship", &[from, what, to]);
        let properties = json!({"relationship_type": what, "source_ref": from, "target_ref": to});
        self.domain_object("relationship", id, properties)
    }

    /// Adds what a finding is about; returns the identifiers that a group may refer to.
    fn finding(&mut self, finding: &Finding) -> Vec<String> {
        let mut observed = Vec::new();
        let host = self.address(&finding.host_ip);
        let peer = finding.peer.as_deref().and_then(|peer| self.address(peer));
        let controller = finding.controller.as_ref().map(|one| one.address.to_string());
        let controller = controller.and_then(|one| self.address(&one));
        observed.extend(host.iter().chain(&peer).chain(&controller).cloned());
        if let Some(traffic) = self.traffic(finding, host.as_deref(), peer.as_deref()) {
            observed.push(traffic);
        }
        let mut refs = Vec::new();
        if !observed.is_empty() {
            observed.sort_unstable();
            observed.dedup();
            let id = own("observed-data", &[&finding.id.to_string()]);
            let properties = json!({
                "first_observed": finding.timestamp,
                "last_observed": finding.last_seen.max(finding.timestamp),
                "number_observed": finding.flow_count.clamp(1, 999_999_999),
                "object_refs": observed,
            });
            refs.push(self.domain_object("observed-data", id, properties));
        }
        let tool = words::shown(&finding.tool);
        let tool_id = own("tool", &[&tool]);
        refs.push(self.domain_object("tool", tool_id.clone(), json!({"name": tool})));
        if let Some((technique, name)) = technique(finding.kind) {
            let id = own("attack-pattern", &[technique]);
            let url = format!(
                "https://attack.mitre.org/techniques/{}/",
                technique.replace('.', "/")
            );
            let reference = json!({"source_name": "mitre-attack", "external_id": technique, "url": url});
            let properties = json!({"name": name, "external_references": [reference]});
            refs.push(self.domain_object("attack-pattern", id.clone(), properties));
            self.relationship(&id, "uses", &tool_id);
        }
        let note = own("note", &[&finding.id.to_string()]);
        let properties = json!({
            "abstract": format!("finding {}: {} {}", finding.id, finding.kind.name(), tool),
            "content": self.said(&finding.summary),
            "object_refs": refs,
        });
        refs.push(self.domain_object("note", note, properties));
        refs
    }

    /// The traffic of a finding; at least one end must be known (STIX 2.1, section 6.12).
    fn traffic(&mut self, finding: &Finding, host: Option<&str>, peer: Option<&str>) -> Option<String> {
        host.or(peer)?;
        let network = if finding.host_ip.contains(':') {
            "ipv6"
        } else {
            "ipv4"
        };
        let mut protocols = vec![network.to_owned()];
        protocols.extend(
            finding
                .proto
                .as_deref()
                .map(|proto| words::shown(proto).to_lowercase()),
        );
        protocols.extend(
            finding
                .protocol
                .as_deref()
                .map(|one| words::shown(one).to_lowercase()),
        );
        let mut properties = Map::new();
        properties.insert("start".to_owned(), json!(finding.timestamp));
        properties.insert("end".to_owned(), json!(finding.last_seen.max(finding.timestamp)));
        properties.insert("protocols".to_owned(), json!(protocols));
        properties.extend(host.map(|host| ("src_ref".to_owned(), json!(host))));
        properties.extend(peer.map(|peer| ("dst_ref".to_owned(), json!(peer))));
        properties.extend(finding.peer_port.map(|port| ("dst_port".to_owned(), json!(port))));
        let id = observable_id("network-traffic", &Value::Object(properties.clone()));
        // Where an end stands, the traffic must be said to be over; the id is of the other properties (STIX 2.1, section 6.12).
        properties.insert("is_active".to_owned(), json!(false));
        properties.insert("type".to_owned(), json!("network-traffic"));
        properties.insert("spec_version".to_owned(), json!("2.1"));
        properties.insert("id".to_owned(), json!(id));
        self.objects.insert(id.clone(), Value::Object(properties));
        Some(id)
    }

    fn farm(&mut self, case: &Case, farm: &Farm, findings: &BTreeMap<ContentId, Vec<String>>) {
        let key = farm.id.to_string();
        let summary = self.said(&farm.summary);
        let [best, ..] = words::ranked(&farm.explanations);
        let infrastructure = self.domain_object(
            "infrastructure",
            own("infrastructure", &[&key]),
            json!({
                "name": format!("group {key}: {}, consistent with {}", farm.verdict.name(), best.words),
                "description": summary,
                "infrastructure_types": ["unknown"],
                "first_seen": farm.timestamp,
                "confidence": confidence(best.probability, farm.verdict),
            }),
        );
        let mut refs = vec![infrastructure.clone()];
        let members: BTreeSet<ContentId> = farm.hosts.iter().map(|member| member.host).collect();
        let is_member = |host| members.contains(&host);
        let addresses = case
            .hosts
            .iter()
            .filter(|host| is_member(host.host))
            .flat_map(|host| &host.ips);
        for address in addresses {
            if let Some(id) = self.address(address) {
                refs.push(self.relationship(&infrastructure, "consists-of", &id));
                refs.push(id);
            }
        }
        for finding in case.findings.iter().filter(|finding| is_member(finding.host)) {
            let Some(about) = findings.get(&finding.id) else {
                continue;
            };
            for id in about {
                if id.starts_with("tool--") {
                    refs.push(self.relationship(&infrastructure, "hosts", id));
                } else if id.starts_with("attack-pattern--") {
                    refs.push(self.relationship(&infrastructure, "related-to", id));
                }
            }
            refs.extend(about.iter().cloned());
        }
        let note = json!({
            "abstract": format!("group {key}: {}", farm.verdict.name()),
            "content": self.explanation(farm),
            "object_refs": [infrastructure],
        });
        refs.push(self.domain_object("note", own("note", &[&key]), note));
        refs.sort_unstable();
        refs.dedup();
        let grouping = json!({
            "name": format!("group {key}"),
            "description": summary,
            "context": "suspicious-activity",
            "object_refs": refs,
        });
        self.domain_object("grouping", own("grouping", &[&key]), grouping);
    }
}

impl Bundle {
    /// A sentence as others may read it.
    fn said(&self, text: &str) -> String {
        self.organisations.hide(&words::sentence(text))
    }

    /// The explanation of a group as the text of a note: posteriors, reasons, what could not be seen.
    fn explanation(&self, farm: &Farm) -> String {
        let mut lines = vec![self.said(&farm.summary)];
        for one in words::ranked(&farm.explanations) {
            lines.push(format!(
                "{} {}: {}",
                words::probability(one.probability),
                one.key,
                one.words
            ));
        }
        for reason in &farm.reasons {
            lines.push(format!(
                "{:+.1} dB {}: {}",
                reason.weight.0,
                words::state(reason.state),
                self.said(&reason.what)
            ));
        }
        for hidden in &farm.not_observable {
            lines.push(format!("not observable: {}", self.said(hidden)));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_inference_is_certain_and_what_held_the_verdict_down_counts() {
        assert_eq!(confidence(1.0, Verdict::Strong), 95);
        assert_eq!(confidence(0.85, Verdict::Likely), 85);
        assert_eq!(confidence(0.999, Verdict::Review), 80);
        assert_eq!(confidence(0.41, Verdict::Review), 41);
        assert_eq!(confidence(0.004, Verdict::None), 0);
        assert_eq!(confidence(f64::NAN, Verdict::Strong), 0);
    }
}

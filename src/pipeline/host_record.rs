//! The record of a host: what was found about a machine, for reports.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::{Concluded, HostView, Knowledge};
use crate::explain::HostExplanation;
use crate::geo::ranges::{Reserved, reserved};
use crate::model::egress::OwnAddress;
use crate::model::finding::{Activity, Finding, FindingKind, MTU_TRACE, Role};
use crate::model::host::{HostName, HostRecord, HostTool, PublicAddress, TenantRecord};
use crate::model::time::{SECOND, Timestamp};
use crate::observe::Observers;
use crate::observe::identity::Host;

/// Names in the order of trust: what DHCP and the machine itself said.
pub(super) fn names(host: &Host) -> Vec<HostName> {
    let rank = |source: &str| match source {
        "dhcp" => 0,
        "mdns" => 1,
        "nbns" => 2,
        _ => 3,
    };
    let mut list: Vec<HostName> = host
        .names
        .keys()
        .map(|(source, name)| HostName {
            name: name.clone(),
            source: (*source).to_owned(),
        })
        .collect();
    list.sort_by(|a, b| (rank(&a.source), &a.name).cmp(&(rank(&b.source), &b.name)));
    list
}

/// The record of a host with its own findings.
pub(super) fn record(
    host: &Host,
    view: &HostView,
    (observers, knowledge): (&Observers, &Knowledge<'_>),
    concluded: &Concluded,
    own: &[&Finding],
    explanation: Option<HostExplanation>,
) -> HostRecord {
    let mut roles: BTreeSet<String> = BTreeSet::new();
    let (mut bytes_in, mut bytes_out) = (0u64, 0u64);
    for index in &host.locals {
        let Some(local) = observers.local(*index) else {
            continue;
        };
        let tally = observers.locals().tally(*index);
        roles.extend(local.roles.iter().map(|role| (*role).to_owned()));
        bytes_in = bytes_in.saturating_add(tally.bytes_in);
        bytes_out = bytes_out.saturating_add(tally.bytes_out);
    }
    if host.is_router {
        roles.insert("router".to_owned());
    }
    for finding in own {
        match finding.role {
            Role::Controlled => roles.insert("controlled".to_owned()),
            Role::Controller => roles.insert("controller".to_owned()),
            Role::Agent | Role::Client | Role::Server | Role::Unknown => false,
        };
    }
    let tools = tools(own);
    let mut vpn: Vec<String> = own
        .iter()
        .filter(|finding| {
            matches!(
                finding.kind,
                FindingKind::Vpn | FindingKind::Proxy | FindingKind::Tor | FindingKind::ReverseTunnel
            ) && finding.tool != MTU_TRACE
        })
        .map(|finding| finding.tool.clone())
        .collect();
    vpn.sort();
    vpn.dedup();
    let public = public(view, knowledge);
    let explanation = explanation.unwrap_or_default();
    HostRecord {
        host: host.id,
        timestamp: view.seen.0,
        ips: view.ips.iter().map(ToString::to_string).collect(),
        mac: host.mac,
        vendor: host.mac.and_then(vendor),
        names: names(host),
        os: None,
        roles: roles.into_iter().collect(),
        first_seen: view.seen.0,
        last_seen: view.seen.1,
        bytes_in,
        bytes_out,
        asset: view.asset.as_ref().map(|asset| asset.record.clone()),
        tools,
        vpn,
        tenants: concluded
            .tenants
            .get(&host.id)
            .into_iter()
            .flatten()
            .map(TenantRecord::from)
            .collect(),
        public_ips: public.iter().map(|own| own.ip.clone()).collect(),
        public,
        devices_behind: concluded.devices.get(&host.id).cloned(),
        verdict: explanation.verdict,
        explanations: explanation.explanations,
        tally: explanation.tally,
        reasons: explanation.reasons,
        not_observable: explanation.not_observable,
        next_question: explanation.next_question,
        summary: explanation.summary,
        findings: own.iter().map(|finding| finding.id).collect(),
    }
}

/// The public addresses from which a host goes out, each once however many ways told it, in the order of their text.
fn public(view: &HostView, knowledge: &Knowledge<'_>) -> Vec<PublicAddress> {
    let mut by_text: BTreeMap<String, PublicAddress> = BTreeMap::new();
    let is_public =
        |own: &&OwnAddress| own.how != "own" && reserved(own.address.to_ip()) != Some(Reserved::NotGlobal);
    for own in view.public.iter().filter(is_public) {
        let (first_seen, last_seen) = own.seen.span();
        let ip = own.address.to_string();
        let known = by_text.entry(ip.clone()).or_insert_with(|| PublicAddress {
            ip,
            how: Vec::new(),
            first_seen,
            last_seen,
            reverse_name: knowledge
                .reverse_names
                .and_then(|names| names.of(own.address))
                .map(|named| named.name.clone()),
            geo: knowledge.place(own.address),
        });
        known.how.push(own.how.to_owned());
        known.first_seen = known.first_seen.min(first_seen);
        known.last_seen = known.last_seen.max(last_seen);
    }
    let addresses = by_text.into_values().map(|mut own| {
        own.how.sort_unstable();
        own.how.dedup();
        own
    });
    addresses.collect()
}

/// The remote tools of a host, each once it was used with, in order of first sight.
fn tools(own: &[&Finding]) -> Vec<HostTool> {
    let mut by_tool: Vec<(HostTool, Vec<&Finding>)> = Vec::new();
    for finding in own {
        if !matches!(finding.kind, FindingKind::RemoteAccess | FindingKind::IpKvm) {
            continue;
        }
        let same = by_tool.iter_mut().find(|(known, _)| {
            known.tool == finding.tool && known.role == finding.role && known.sanctioned == finding.sanctioned
        });
        if let Some((known, findings)) = same {
            known.activity = livelier(known.activity, finding.activity);
            findings.push(finding);
            continue;
        }
        let tool = HostTool {
            tool: finding.tool.clone(),
            role: finding.role,
            activity: finding.activity,
            sanctioned: finding.sanctioned,
            session_seconds: 0,
            driven_seconds: 0,
        };
        by_tool.push((tool, vec![finding]));
    }
    by_tool
        .into_iter()
        .map(|(tool, findings)| HostTool {
            session_seconds: seconds(&findings, &[Activity::Driven, Activity::Viewed]),
            driven_seconds: seconds(&findings, &[Activity::Driven]),
            ..tool
        })
        .collect()
}

fn livelier(one: Activity, other: Activity) -> Activity {
    let rank = |activity| match activity {
        Activity::Unknown => 0,
        Activity::Idle => 1,
        Activity::Bulk => 2,
        Activity::Viewed => 3,
        Activity::Driven => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Seconds in which at least one of the findings was in one of the wanted states: sessions side by side count once.
fn seconds(findings: &[&Finding], wanted: &[Activity]) -> u64 {
    let mut spans: Vec<(Timestamp, Timestamp)> = findings
        .iter()
        .flat_map(|finding| &finding.intervals)
        .filter(|(_, _, state)| wanted.contains(state))
        .map(|(start, end, _)| (*start, *end))
        .collect();
    spans.sort_unstable();
    let mut sum = 0i64;
    let mut covered = Timestamp(i64::MIN);
    for (start, end) in spans {
        let from = start.max(covered);
        if end > from {
            sum = sum.saturating_add(end.since(from));
            covered = end;
        }
    }
    u64::try_from(sum / SECOND).unwrap_or(0)
}

/// Registered vendor of a link address (IEEE registry, by the `oui-data` crate); none for randomised ones.
fn vendor(mac: crate::model::address::MacAddress) -> Option<String> {
    if mac.is_local() {
        return None;
    }
    oui_data::lookup(&mac.to_string()).map(|found| found.organization().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Decibans;
    use crate::model::finding::Confidence;
    use crate::model::identity::ContentId;

    fn finding(tool: &str, role: Role, spans: &[(i64, i64, Activity)]) -> Finding {
        let at = |second: &i64| Timestamp(second * SECOND);
        Finding {
            tool: tool.to_owned(),
            role,
            activity: spans.first().map_or(Activity::Idle, |(.., state)| *state),
            intervals: spans
                .iter()
                .map(|(start, end, state)| (at(start), at(end), *state))
                .collect(),
            id: ContentId(0),
            timestamp: Timestamp::default(),
            last_seen: Timestamp::default(),
            kind: FindingKind::RemoteAccess,
            host: ContentId(0),
            flow_count: 1,
            confidence: Confidence::High,
            score: Decibans::default(),
            ..Finding::default()
        }
    }

    #[test]
    fn sessions_of_one_tool_with_several_others_are_one_entry_and_their_time_counts_once() {
        let first = finding("vnc", Role::Controlled, &[(0, 100, Activity::Viewed)]);
        let second = finding("vnc", Role::Controlled, &[(50, 160, Activity::Driven)]);
        let other = finding("vnc", Role::Controller, &[(0, 10, Activity::Idle)]);
        let list = tools(&[&first, &second, &other]);
        let [controlled, controller] = list.as_slice() else {
            panic!("{list:?}");
        };
        assert_eq!(controlled.activity, Activity::Driven);
        assert_eq!(
            (controlled.session_seconds, controlled.driven_seconds),
            (160, 110)
        );
        assert_eq!(
            (controller.role, controller.session_seconds),
            (Role::Controller, 0)
        );
    }
}

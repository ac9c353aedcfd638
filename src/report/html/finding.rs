//! Hosts and their findings, each with its ledger of evidence.

use maud::{Markup, html};

use super::{badge, rivals};
use crate::model::case::Case;
use crate::model::finding::Finding;
use crate::model::host::{HostRecord, TenantRecord, Verdict};
use crate::model::quantity::counted;
use crate::report::shown::Shown;
use crate::report::words;

/// Most intervals that a finding lists; the chart and the records hold more.
const INTERVALS: usize = 20;

/// A section for each host that is shown, and one for findings of hosts that are not.
pub(super) fn hosts(case: &Case, shown: Shown) -> Markup {
    let mut hosts: Vec<&HostRecord> = shown.hosts(case).collect();
    hosts.sort_by_key(|host| std::cmp::Reverse(host.verdict));
    let mut findings = shown.findings_by_host(case);
    html! {
        @for host in hosts {
            section.host id={ "host-" (host.host) } {
                h2 { (words::host(host)) " " (badge(host.verdict)) }
                (facts(host))
                @if host.verdict >= Verdict::Review { (rivals(&host.explanations, "")) }
                @if host.verdict >= Verdict::Note { (open_ends(host)) }
                @for one in findings.remove(&host.host).unwrap_or_default() { (finding(case, one)) }
            }
        }
        @if !findings.is_empty() {
            section.host {
                h2 { "Other findings" }
                @for one in findings.into_values().flatten() { (finding(case, one)) }
            }
        }
    }
}

/// The sentence about a host by itself, what could not be seen of it, and what to look at next.
fn open_ends(host: &HostRecord) -> Markup {
    html! {
        p { (words::sentence(&host.summary)) }
        dl {
            @if !host.not_observable.is_empty() {
                dt { "Not observable" }
                @for text in &host.not_observable { dd { (words::sentence(text)) } }
            }
            @if !host.next_question.is_empty() {
                dt { "Look next at" }
                dd { b { (words::sentence(&host.next_question)) } }
            }
        }
    }
}

fn facts(host: &HostRecord) -> Markup {
    let join = |list: &[String]| {
        list.iter()
            .map(|one| words::shown(one))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let names = host
        .names
        .iter()
        .map(|one| format!("{} ({})", words::shown(&one.name), words::shown(&one.source)));
    let asset = host.asset.as_ref().map(|asset| {
        let fields = [
            &asset.asset,
            &asset.assignee,
            &asset.country,
            &asset.site,
            &asset.employer,
        ];
        let known: Vec<String> = fields
            .into_iter()
            .flatten()
            .map(|one| words::shown(one))
            .collect();
        format!(
            "{} (matched by {})",
            known.join(", "),
            words::shown(&asset.matched_by)
        )
    });
    let rows = [
        ("Addresses", join(&host.ips)),
        ("Names", names.collect::<Vec<_>>().join(", ")),
        (
            "Link address",
            host.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        ),
        ("Vendor", words::shown(host.vendor.as_deref().unwrap_or_default())),
        ("System", words::shown(host.os.as_deref().unwrap_or_default())),
        ("Roles", join(&host.roles)),
        ("Inventory", asset.unwrap_or_default()),
        ("Tunnels", join(&host.vpn)),
        ("Organisations", organisations(host)),
        ("Public addresses", join(&host.public_ips)),
        (
            "Devices behind it",
            host.devices_behind
                .as_ref()
                .map(|range| words::sentence(&range.what))
                .unwrap_or_default(),
        ),
        ("Seen (UTC)", words::range(host.first_seen, host.last_seen)),
        (
            "Traffic",
            format!(
                "{} in, {} out",
                words::bytes(host.bytes_in),
                words::bytes(host.bytes_out)
            ),
        ),
    ];
    html! {
        table.facts {
            @for (name, text) in rows {
                @if !text.is_empty() { tr { th { (name) } td { (text) } } }
            }
            @for reason in &host.reasons {
                tr { th.figure { (format!("{:+.1} dB", reason.weight.0)) } td { (words::sentence(&reason.what)) } }
            }
        }
    }
}

fn finding(case: &Case, finding: &Finding) -> Markup {
    let peer = words::peer(finding);
    html! {
        article.finding id={ "finding-" (finding.id) } {
            h3 {
                span class={ "badge " (finding.confidence.name()) } { (finding.confidence.name()) }
                " " (words::shown(&finding.tool)) " "
                small {
                    (finding.kind.name()) ", " (finding.role.name()) ", " (finding.activity.name())
                    @if let Some(protocol) = &finding.protocol { ", over " (words::shown(protocol)) }
                    @if let Some(is_allowed) = finding.sanctioned {
                        @if is_allowed { ", allowed here" } @else { ", not allowed here" }
                    }
                    ", " code { (finding.id) }
                }
            }
            p { (words::sentence(&finding.summary)) }
            dl {
                @if let Some(controller) = &finding.controller {
                    dt { "Controller" }
                    dd { (words::controller(controller)) }
                }
                @if !peer.is_empty() {
                    dt { "Other end" }
                    dd { (peer) @if let Some(place) = &finding.peer_geo { ", " (words::place(place)) } }
                }
                @if let Some(geo) = &finding.geo {
                    dt { "Place" }
                    dd {
                        "claimed " (words::shown(&geo.claimed_country)) ", seen " (words::place(&geo.seen))
                        " at " (words::shown(&geo.address))
                        @if let Some(km) = geo.gap_km { ", " (format!("{km:.0}")) " km apart" }
                    }
                }
                dt { "When (UTC)" }
                @for (start, end, activity) in finding.intervals.iter().take(INTERVALS) {
                    dd { (words::range(*start, *end)) " " (activity.name()) }
                }
                @if finding.intervals.is_empty() { dd { (words::range(finding.timestamp, finding.last_seen)) } }
                @let more = finding.intervals.len().saturating_sub(INTERVALS);
                @if more > 0 { dd { "and " (more) " more" } }
                @if !finding.benign.is_empty() {
                    dt { "Also possible" }
                    @for text in &finding.benign { dd { (words::sentence(text)) } }
                }
                @if let Some(community_id) = &finding.community_id {
                    dt { "Flows" }
                    dd { (finding.flow_count) ", the first " code { (words::shown(community_id)) } }
                }
            }
            (ledger(case, finding))
        }
    }
}

/// Every item of evidence with its weight and the frames that show it.
fn ledger(case: &Case, finding: &Finding) -> Markup {
    html! {
        table.ledger {
            caption { "Evidence, score " (words::score(finding)) }
            thead { tr { th { "Weight" } th { "State" } th { "What" } th { "Rule or measure" } th { "Frames" } th { "At (UTC)" } } }
            @for one in &finding.evidence {
                tr {
                    td.figure { (format!("{:+.1}", one.weight.0)) }
                    td { (words::state(one.state)) }
                    td {
                        (words::sentence(&one.what))
                        @if let Some(note) = &one.note { br; small { "Note: " (words::sentence(note)) } }
                    }
                    td {
                        @let rule = one.signature.as_deref().or(one.measure.as_deref());
                        (words::shown(rule.unwrap_or_default()))
                    }
                    td { (words::frames(case, one)) }
                    td { @if let Some(at) = one.at { (words::time(at)) } }
                }
            }
        }
    }
}

/// Organisations with their days.
fn organisations(host: &HostRecord) -> String {
    let shown = |tenant: &TenantRecord| {
        let days = counted(tenant.days.len(), "day");
        let whose = if tenant.shared { ", of several" } else { "" };
        format!("{} ({days}{whose})", words::shown(&tenant.name))
    };
    host.tenants.iter().map(shown).collect::<Vec<_>>().join(", ")
}

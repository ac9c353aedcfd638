//! `report.html`: one file that opens offline and prints well; no script, nothing fetched.
//!
//! The template escapes every text for HTML; texts from outside also pass the functions of `words`, which make control
//! and direction characters visible and bound lengths.

mod farm;
mod finding;
mod gantt;

use std::collections::BTreeMap;
use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::model::case::Case;
use crate::model::host::{Explanations, HostRecord, Verdict};
use crate::model::identity::ContentId;
use crate::model::loss::Losses;

use super::shown::Shown;
use super::words;

/// The style sheet, part of the page.
const STYLE: &str = include_str!("style.css");
/// Nothing may be fetched and no script may run, whatever gets into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes the page.
pub fn write(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(page(case).into_string().as_bytes())
}

fn page(case: &Case) -> Markup {
    let shown = Shown::default();
    let hosts: BTreeMap<ContentId, &HostRecord> = shown.hosts(case).map(|host| (host.host, host)).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                title { "farmhawk case" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "farmhawk case" }
                    (overview(case, shown))
                }
                main {
                    @for farm in shown.farms(case) { (farm::section(&hosts, farm)) }
                    (gantt::section(case, shown))
                    (finding::hosts(case, shown))
                    (captures(case))
                    (knowledge(case))
                    (limits(case, shown))
                }
                footer {
                    p {
                        "Evidence here is consistent with an explanation, never proof of it. Weights are in decibans: +10 dB makes \
                         an explanation ten times likelier against the benign ones that everything else leaves. An address says where a relay stands, not who \
                         sits behind it."
                    }
                }
            }
        }
    }
}

/// Verdicts, before anything else.
fn overview(case: &Case, shown: Shown) -> Markup {
    let farms: Vec<_> = shown.farms(case).collect();
    let hosts = case
        .hosts
        .iter()
        .filter(|host| host.verdict >= Verdict::Review)
        .count();
    let members = shown.farm_of_host(case);
    let alone = |host: &&HostRecord| host.verdict >= Verdict::Review && !members.contains_key(&host.host);
    html! {
        @if farms.is_empty() && hosts == 0 {
            p.lead { "No group and no host reaches " b { "review" } "." }
        }
        @for farm in &farms {
            p.lead {
                (badge(farm.verdict)) " "
                a href={ "#farm-" (farm.id) } { "group" }
                ": " (words::sentence(&farm.summary))
            }
        }
        @for host in case.hosts.iter().filter(alone) {
            p.lead {
                (badge(host.verdict)) " "
                a href={ "#host-" (host.host) } { (words::host(host)) }
                @let [best, ..] = words::ranked(&host.explanations);
                ": consistent with " (best.words) " (" (words::probability(best.probability)) ")"
            }
        }
        p.figures {
            (case.host_count()) " hosts, " (case.findings.len()) " findings, " (case.summary.flows) " flows, "
            (case.summary.packets.read) " packets"
            @if let Some([first, last]) = case.summary.time_span { ", " (words::range(first, last)) " UTC" }
        }
    }
}

/// A verdict as a coloured word; the word itself carries the meaning.
fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "badge " (verdict.name()) } { (verdict.name()) } }
}

/// Rival explanations with bars.
fn rivals(explanations: &Explanations, runner_up: &str) -> Markup {
    html! {
        table.rivals {
            caption { "Rival explanations" }
            @for one in words::ranked(explanations) {
                tr {
                    td.figure { (words::probability(one.probability)) }
                    td.bar {
                        @let width = format!("{:.1}", one.probability.clamp(0.0, 1.0) * 100.0);
                        svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                            rect width=(width) height="8" {}
                        }
                    }
                    td { b { (one.key) } " " (one.words) @if one.key == runner_up { " (runner-up)" } }
                }
            }
        }
    }
}

fn captures(case: &Case) -> Markup {
    let summary = &case.summary;
    let packets = &summary.packets;
    html! {
        section id="captures" {
            h2 { "Captures and losses" }
            table {
                thead { tr { th { "Capture" } th { "Packets" } th { "Size" } th { "Time (UTC)" } th { "SHA-256" } } }
                @for capture in &summary.captures {
                    tr {
                        td {
                            (words::shown(&capture.path))
                            @for damage in &capture.damage {
                                div.loss { "damaged at byte " (damage.offset) ": " (words::shown(&damage.cause)) }
                            }
                            @if let Some(dropped) = capture.kernel_dropped.filter(|dropped| *dropped > 0) {
                                div.loss { (dropped) " packets dropped by the capturing kernel" }
                            }
                        }
                        td.figure { (capture.packets) }
                        td.figure { (words::bytes(capture.bytes)) }
                        td {
                            @if let (Some(first), Some(last)) = (capture.first, capture.last) {
                                (words::range(first, last))
                            }
                        }
                        td.digest { (words::shown(capture.sha256.as_deref().unwrap_or("not computed"))) }
                    }
                }
            }
            p {
                (packets.read) " packets read, " (packets.decoded) " decoded, " (packets.duplicates) " duplicates counted once, "
                (packets.filtered) " filtered. " (summary.flows) " flows, at most " (summary.flows_peak) " at once, "
                (summary.flows_evicted) " ended early because the table was full."
            }
            (losses("Skipped", &packets.skipped))
            (losses("Damaged", &packets.damaged))
        }
    }
}

fn losses(title: &str, losses: &Losses) -> Markup {
    html! {
        @if losses.total() > 0 {
            table {
                caption { (title) " packets by cause" }
                @for (cause, many) in losses.iter() {
                    tr { td.figure { (many) } td { (cause) } }
                }
            }
        }
    }
}

/// Versions and databases, with what their makers ask to be named by.
fn knowledge(case: &Case) -> Markup {
    let summary = &case.summary;
    html! {
        section id="knowledge" {
            h2 { "Knowledge used" }
            p {
                "farmhawk " (words::shown(&summary.version)) ", signature catalogue " (words::shown(&summary.signatures))
                ", weights " (words::shown(&summary.weights)) "."
            }
            @if summary.geo.is_empty() {
                p { "No database of places was in use." }
            } @else {
                table {
                    thead { tr { th { "Database of places" } th { "Built" } th { "Source" } th { "Attribution" } } }
                    @for database in &summary.geo {
                        tr {
                            td { (words::shown(&database.name)) }
                            td { (words::shown(&database.built)) }
                            td { (words::shown(&database.source)) }
                            td { (words::shown(&database.attribution)) }
                        }
                    }
                }
            }
            @for remark in &summary.remarks { p.loss { (words::sentence(remark)) } }
        }
    }
}

/// What could not be seen, in one place.
fn limits(case: &Case, shown: Shown) -> Markup {
    let mut hidden: Vec<String> = shown
        .farms(case)
        .flat_map(|farm| &farm.not_observable)
        .map(|text| words::sentence(text))
        .collect();
    hidden.sort_unstable();
    hidden.dedup();
    let listed = u64::try_from(shown.hosts(case).count()).unwrap_or(u64::MAX);
    let below = case.host_count().saturating_sub(listed);
    html! {
        section id="limits" {
            h2 { "What could not be seen" }
            @if hidden.is_empty() { p { "Nothing was reported as not observable." } }
            ul { @for text in &hidden { li { (text) } } }
            p {
                "Not observable is not absent: what a sensor cannot see from its place speaks neither for nor against anything. "
                (below) " hosts without findings and below review are not listed here; hosts.jsonl holds them."
            }
        }
    }
}

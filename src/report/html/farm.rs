//! A group: what explains it, reasons for and against, what it has in common, what to look at next.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{badge, rivals};
use crate::model::farm::{Farm, Reason};
use crate::model::host::HostRecord;
use crate::model::identity::ContentId;
use crate::report::words;

/// The section of one group; `hosts` are those that the page has a section for.
pub(super) fn section(hosts: &BTreeMap<ContentId, &HostRecord>, farm: &Farm) -> Markup {
    let shared = &farm.shared;
    let lists = [
        ("Controllers", &shared.controllers),
        ("Relays", &shared.relays),
        ("Tools", &shared.tools),
        ("Egress", &shared.egress),
        ("IP KVMs", &shared.kvms),
    ];
    html! {
        section.farm id={ "farm-" (farm.id) } {
            h2 { "Group " code { (farm.id) } " " (badge(farm.verdict)) }
            p { (words::sentence(&farm.summary)) }
            div.columns {
                (rivals(&farm.explanations, &farm.runner_up))
                table {
                    caption { "Machines" }
                    thead { tr { th { "Machine" } th { "Membership" } } }
                    @for member in &farm.hosts {
                        tr {
                            td {
                                (linked(hosts, member.host, &words::shown(&member.label)))
                                @if member.is_kvm { " (IP KVM)" }
                            }
                            td.figure { (format!("{:.2}", member.membership)) }
                        }
                    }
                }
            }
            table {
                caption { "Reasons, the weightiest for a laptop farm first" }
                thead { tr { th { "Weight" } th { "State" } th { "What" } th { "Machines" } th { "Findings" } } }
                @for reason in &farm.reasons { (row(hosts, reason)) }
            }
            dl {
                @for (name, list) in lists {
                    @if !list.is_empty() {
                        dt { (name) }
                        @for text in list { dd { (words::shown(text)) } }
                    }
                }
                @if !shared.operator_hours.is_empty() {
                    dt { "Hours driven (UTC)" }
                    dd { (words::hours(&shared.operator_hours)) }
                }
                @if let Some(said) = &farm.second_opinion {
                    dt { "Second opinion" }
                    dd { (words::sentence(said)) }
                }
                @if let Some(operation) = &farm.operation {
                    dt { "Operation" }
                    dd { (words::operation(operation, farm.id)) }
                }
                @if !farm.not_observable.is_empty() {
                    dt { "Not observable" }
                    @for text in &farm.not_observable { dd { (words::sentence(text)) } }
                }
                @if !farm.counterfactuals.is_empty() {
                    dt { "If it were otherwise" }
                    @for one in &farm.counterfactuals {
                        dd {
                            (words::sentence(&one.change)) ", farm would be " (words::probability(one.farm)) " instead of " (words::probability(farm.explanations.farm)) ", verdict " (one.verdict.name())
                        }
                    }
                }
                @if !farm.next_question.is_empty() {
                    dt { "Look next at" }
                    dd { b { (words::sentence(&farm.next_question)) } }
                }
            }
        }
    }
}

fn row(hosts: &BTreeMap<ContentId, &HostRecord>, reason: &Reason) -> Markup {
    let direction = if reason.weight.0 > 0.0 { "for" } else { "against" };
    html! {
        tr class=(direction) {
            td.figure { (format!("{:+.1}", reason.weight.0)) }
            td { (words::state(reason.state)) }
            td { (words::sentence(&reason.what)) " " small { (words::shown(&reason.reason)) } }
            td {
                @for (place, host) in reason.hosts.iter().enumerate() {
                    @if place > 0 { ", " }
                    @let label = hosts.get(host).map_or_else(|| host.to_string(), |one| words::host(one));
                    (linked(hosts, *host, &label))
                }
            }
            td {
                @for finding in &reason.findings {
                    a href={ "#finding-" (finding) } { code { (finding) } } " "
                }
            }
        }
    }
}

/// A host's name, linked where the page has a section for it.
fn linked(hosts: &BTreeMap<ContentId, &HostRecord>, host: ContentId, label: &str) -> Markup {
    html! {
        @if hosts.contains_key(&host) {
            a href={ "#host-" (host) } { (label) }
        } @else {
            (label)
        }
    }
}

//! A group: what explains it, reasons for and against, what it has in common, what to look at next.

use maud::{Markup, html};

use super::{badge, rivals};
use crate::model::case::Case;
use crate::model::farm::{Farm, Reason};
use crate::report::words;

pub(super) fn section(case: &Case, farm: &Farm) -> Markup {
    let shared = &farm.shared;
    let lists = [
        ("Controllers", &shared.controllers),
        ("Relays", &shared.relays),
        ("Tools", &shared.tools),
        ("Egress", &shared.egress),
        ("KVM switches", &shared.kvms),
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
                            td { a href={ "#host-" (member.host) } { (words::shown(&member.label)) } }
                            td.figure { (format!("{:.2}", member.membership)) }
                        }
                    }
                }
            }
            table {
                caption { "Reasons, the weightiest for a laptop farm first" }
                thead { tr { th { "Weight" } th { "State" } th { "What" } th { "Machines" } th { "Findings" } } }
                @for reason in &farm.reasons { (row(case, reason)) }
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
                @if !farm.not_observable.is_empty() {
                    dt { "Not observable" }
                    @for text in &farm.not_observable { dd { (words::sentence(text)) } }
                }
                @if !farm.counterfactuals.is_empty() {
                    dt { "If it were otherwise" }
                    @for one in &farm.counterfactuals {
                        dd {
                            (words::sentence(&one.change)) ": farm " (words::probability(one.farm)) ", " (one.verdict.name())
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

fn row(case: &Case, reason: &Reason) -> Markup {
    let direction = if reason.weight.0 > 0.0 { "for" } else { "against" };
    html! {
        tr class=(direction) {
            td.figure { (format!("{:+.1}", reason.weight.0)) }
            td { (words::state(reason.state)) }
            td { (words::sentence(&reason.what)) " " small { (words::shown(&reason.reason)) } }
            td {
                @for (place, host) in reason.hosts.iter().enumerate() {
                    @if place > 0 { ", " }
                    a href={ "#host-" (host) } { (words::host_of(case, *host)) }
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

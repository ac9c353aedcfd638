//! Findings, grouped by host.

use std::cmp::Ordering;
use std::io;

use crate::model::case::Case;
use crate::model::evidence::Evidence;
use crate::model::farm::Farm;
use crate::model::finding::{Activity, Finding, Role};
use crate::model::host::{HostRecord, Verdict};

use super::page::{Depth, Page};
use super::{cell_row, explained, joined, ledger, next_question, not_observable, table_cells};
use crate::report::shown::Shown;
use crate::report::words;

pub(super) fn write(page: &mut Page<'_>, case: &Case, shown: Shown) -> io::Result<()> {
    let mut hosts: Vec<&HostRecord> = shown.hosts(case).collect();
    hosts.sort_by_key(|host| std::cmp::Reverse(host.verdict));
    let mut findings = shown.findings_by_host(case);
    let farms = shown.farm_of_host(case);
    for host in hosts {
        page.blank()?;
        self::host(page, farms.get(&host.host).copied(), host)?;
        for one in findings.remove(&host.host).unwrap_or_default() {
            finding(page, case, one)?;
        }
    }
    if !findings.is_empty() {
        page.blank()?;
        let style = page.styles.heading;
        page.heading(0, style, "OTHER FINDINGS", "")?;
    }
    (findings.into_values().flatten()).try_for_each(|one| finding(page, case, one))
}

fn host(page: &mut Page<'_>, group: Option<&Farm>, host: &HostRecord) -> io::Result<()> {
    let style = page.styles.verdict(host.verdict);
    let head = format!("HOST {}", words::host(host));
    let mut text: Vec<String> = Vec::new();
    if host.verdict > Verdict::None {
        text.push(host.verdict.name().to_owned());
    }
    text.extend(host.os.as_deref().map(words::shown));
    text.extend(host.vendor.as_deref().map(words::shown));
    text.extend(host.mac.map(|mac| mac.to_string()));
    page.heading(0, style, &head, &text.join(", "))?;
    page.indent(2);
    // In a group the group's own sentence, gaps and question stand above.
    let depth = page.depth;
    let stands_alone = depth.is_whole || group.is_none() && host.verdict >= Verdict::Note;
    if stands_alone {
        page.paragraph(&words::sentence(&host.summary))?;
    }
    if let Some(asset) = &host.asset {
        let fields = [
            ("asset", &asset.asset),
            ("assignee", &asset.assignee),
            ("works in", &asset.country),
            ("site", &asset.site),
            ("employer", &asset.employer),
        ];
        let known: Vec<String> = fields
            .into_iter()
            .filter_map(|(name, value)| {
                value
                    .as_deref()
                    .map(|value| format!("{name} {}", words::shown(value)))
            })
            .collect();
        page.rows("inventory", [known.join(", ")])?;
    }
    if let Some(farm) = group {
        page.rows(
            "member of",
            [format!("group {} ({})", farm.id, farm.verdict.name())],
        )?;
    }
    if stands_alone && (group.is_none() || depth.is_whole) {
        page.items("explained by", explained(&host.explanations, "", depth))?;
    }
    if depth.is_whole || host.verdict >= Verdict::Note {
        let reasons = host.reasons.iter().map(|one| {
            let figures = format!("{:>+6.1} dB  ", one.weight.0);
            let what = words::sentence(&one.what);
            let cue = depth
                .is_whole
                .then(|| format!(" [{}]", words::shown(&one.reason)));
            (figures, format!("{what}{}", cue.unwrap_or_default()))
        });
        page.items("because", reasons.take(depth.top))?;
        let cells = host.reasons.iter().filter_map(|one| {
            let cell = one.cell.as_deref()?;
            Some(cell_row(&one.reason, one.weight, cell))
        });
        table_cells(page, cells.collect(), "farm and solo")?;
        ledger::write(page, host.tally.as_deref())?;
    }
    if stands_alone {
        not_observable(page, &host.not_observable)?;
        next_question(page, &host.next_question)?;
    }
    Ok(())
}

fn finding(page: &mut Page<'_>, case: &Case, finding: &Finding) -> io::Result<()> {
    let style = page.styles.confidence(finding.confidence);
    let mut what = words::shown(&finding.tool);
    if let Some(protocol) = &finding.protocol {
        what = format!("{what} over {}", words::shown(protocol));
    }
    let mut parts = vec![finding.kind.name().to_owned(), what];
    if finding.role != Role::Unknown {
        parts.push(finding.role.name().to_owned());
    }
    if finding.activity != Activity::Unknown {
        parts.push(finding.activity.name().to_owned());
    }
    parts.extend(finding.sanctioned.map(|is_allowed| {
        let words = if is_allowed {
            "allowed here"
        } else {
            "not allowed here"
        };
        words.to_owned()
    }));
    let head = finding.confidence.name().to_uppercase();
    page.heading(2, style, &head, &format!("{} [{}]", parts.join(", "), finding.id))?;
    page.indent(4);
    let depth = page.depth;
    page.paragraph(&words::sentence(&finding.summary))?;
    page.rows("when (UTC)", when(finding, depth))?;
    page.rows("controller", finding.controller.as_deref().map(words::controller))?;
    let peer = words::peer(finding);
    if !peer.is_empty() {
        let place = finding.peer_geo.as_deref().map(words::place).unwrap_or_default();
        let gap = if place.is_empty() { "" } else { ", " };
        page.rows("other end", [format!("{peer}{gap}{place}")])?;
    }
    page.rows(
        "place",
        finding.geo.as_ref().map(|geo| {
            let gap = geo
                .gap_km
                .map(|km| format!(", {km:.0} km apart"))
                .unwrap_or_default();
            let [days, of] = geo.days;
            format!(
                "claimed {}, seen {} at {}{gap}, on {days} of {of} days",
                words::shown(&geo.claimed_country),
                words::place(&geo.seen),
                words::shown(&geo.address),
            )
        }),
    )?;
    if depth.is_whole {
        page.rows("score", [words::score(finding)])?;
        let flows = format!(
            "{}: {}",
            words::counted(finding.flow_count, "flow"),
            joined(&finding.flow_ids)
        );
        page.rows("flows", (finding.flow_count > 0).then_some(flows))?;
    }
    page.items("evidence", evidence(case, finding, depth))?;
    page.rows(
        "also possible",
        finding.benign.iter().map(|text| words::sentence(text)),
    )
}

/// The session intervals, or first and last sight.
fn when(finding: &Finding, depth: Depth) -> Vec<String> {
    if finding.intervals.is_empty() {
        let lasting = words::span(finding.last_seen.since(finding.timestamp));
        let range = words::range(finding.timestamp, finding.last_seen);
        return vec![format!("{range} ({lasting})")];
    }
    let mut texts: Vec<String> = finding
        .intervals
        .iter()
        .take(depth.top)
        .map(|(start, end, activity)| {
            let lasting = words::span(end.since(*start));
            format!("{} {} ({lasting})", words::range(*start, *end), activity.name())
        })
        .collect();
    let more = finding.intervals.len().saturating_sub(texts.len());
    if more > 0 {
        texts.push(format!(
            "and {more} more, the last until {}",
            words::time(finding.last_seen)
        ));
    }
    texts
}

/// The weightiest items, with the frames that show them.
fn evidence(case: &Case, finding: &Finding, depth: Depth) -> Vec<(String, String)> {
    let mut ranked: Vec<&Evidence> = finding.evidence.iter().collect();
    ranked.sort_by(|one, other| {
        other
            .weight
            .0
            .abs()
            .partial_cmp(&one.weight.0.abs())
            .unwrap_or(Ordering::Equal)
    });
    let mut items: Vec<(String, String)> = ranked
        .iter()
        .take(depth.top)
        .flat_map(|one| {
            let figures = format!("{:>+6.1} dB  {:<10} ", one.weight.0, words::state(one.state));
            let frames = words::frames_up_to(case, one, depth.frames);
            let at = if frames.is_empty() {
                String::new()
            } else {
                format!(" [{frames}]")
            };
            let beside = " ".repeat(figures.len());
            let rule = one.signature.as_ref().or(one.measure.as_ref());
            let rule = rule
                .filter(|_| depth.is_whole)
                .map(|rule| (beside.clone(), format!("rule or measure: {}", words::shown(rule))));
            let note = one
                .note
                .as_ref()
                .map(|note| (beside, format!("note: {}", words::sentence(note))));
            [(figures, format!("{}{at}", words::sentence(&one.what)))]
                .into_iter()
                .chain(rule)
                .chain(note)
        })
        .collect();
    let more = ranked.len().saturating_sub(depth.top);
    if more > 0 {
        items.push((String::new(), format!("and {more} more")));
    }
    items
}

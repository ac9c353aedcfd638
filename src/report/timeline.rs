//! `timeline.csv`: what happened when, with the column names that Plaso and Timesketch read (`datetime`, `timestamp`,
//! `timestamp_desc`, `message`); further columns carry what one filters by.

use std::io::{self, Write};

use crate::model::case::Case;
use crate::model::finding::{Activity, Finding};
use crate::model::identity::ContentId;
use crate::model::time::Timestamp;

use super::words;

const COLUMNS: [&str; 12] = [
    "datetime",
    "timestamp",
    "timestamp_desc",
    "message",
    "host",
    "host_ip",
    "finding",
    "kind",
    "tool",
    "activity",
    "peer",
    "confidence",
];

/// One line.
#[derive(Default)]
struct Entry<'a> {
    at: Timestamp,
    what: &'static str,
    message: String,
    host: Option<ContentId>,
    host_ip: &'a str,
    finding: Option<&'a Finding>,
    activity: Option<Activity>,
}

/// Writes every event of the case in order of time.
pub fn write(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    let mut entries: Vec<Entry<'_>> = case.findings.iter().flat_map(of_finding).collect();
    for host in &case.hosts {
        let host_ip = host.ips.first().map_or("", String::as_str);
        let label = words::host(host);
        for (at, what, verb) in [
            (host.first_seen, "Host First Seen", "first seen"),
            (host.last_seen, "Host Last Seen", "last seen"),
        ] {
            entries.push(Entry {
                at,
                what,
                message: format!("{label} {verb}"),
                host: Some(host.host),
                host_ip,
                ..Entry::default()
            });
        }
    }
    for capture in &case.summary.captures {
        let name = words::file_name(&capture.path);
        let ends = [
            (capture.first, "Capture Start", "begins"),
            (capture.last, "Capture End", "ends"),
        ];
        for (at, what, verb) in ends {
            entries.extend(at.map(|at| Entry {
                at,
                what,
                message: format!("capture {name} {verb}"),
                ..Entry::default()
            }));
        }
    }
    // Stable: events of one moment keep the order findings, hosts, captures, each in the case's own order.
    entries.sort_by_key(|entry| entry.at);
    let mut table = csv::Writer::from_writer(to);
    table.write_record(COLUMNS)?;
    for entry in &entries {
        table.write_record(record(entry))?;
    }
    table.flush()
}

fn of_finding(finding: &Finding) -> Vec<Entry<'_>> {
    let entry = |at, what, message, activity| Entry {
        at,
        what,
        message,
        host: Some(finding.host),
        host_ip: &finding.host_ip,
        finding: Some(finding),
        activity,
    };
    let tool = &finding.tool;
    let mut entries = vec![entry(
        finding.timestamp,
        "Finding First Seen",
        finding.summary.clone(),
        None,
    )];
    for (start, end, activity) in &finding.intervals {
        let span = words::span(end.since(*start));
        entries.push(entry(
            *start,
            "Session Start",
            format!("{tool} session {} for {span}", activity.name()),
            Some(*activity),
        ));
        entries.push(entry(
            *end,
            "Session End",
            format!("{tool} session {} ends", activity.name()),
            Some(*activity),
        ));
    }
    for evidence in &finding.evidence {
        if let Some(at) = evidence.at
            && at != finding.timestamp
        {
            entries.push(entry(at, "Evidence", evidence.what.clone(), None));
        }
    }
    entries.push(entry(
        finding.last_seen,
        "Finding Last Seen",
        format!("{tool} last seen"),
        None,
    ));
    entries
}

fn record(entry: &Entry<'_>) -> [String; COLUMNS.len()] {
    let finding = entry.finding;
    [
        entry.at.to_string(),
        (entry.at.0.div_euclid(1_000)).to_string(),
        entry.what.to_owned(),
        cell(&entry.message),
        entry.host.map(|host| host.to_string()).unwrap_or_default(),
        cell(entry.host_ip),
        finding.map(|one| one.id.to_string()).unwrap_or_default(),
        finding.map(|one| one.kind.name().to_owned()).unwrap_or_default(),
        finding.map(|one| cell(&one.tool)).unwrap_or_default(),
        entry
            .activity
            .map(|one| one.name().to_owned())
            .unwrap_or_default(),
        finding.map(|one| cell(&words::peer(one))).unwrap_or_default(),
        finding
            .map(|one| one.confidence.name().to_owned())
            .unwrap_or_default(),
    ]
}

/// A text that a spreadsheet will not take for a formula: what begins like one gets an apostrophe in front (OWASP,
/// "CSV Injection"). Control characters are escaped, so a cell never spans lines.
fn cell(text: &str) -> String {
    let text = words::sentence(text);
    if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    }
}

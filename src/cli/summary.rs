//! Fills the summary of a case from the counters of its stages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::load::Loaded;
use crate::capture::filter::to_dlt;
use crate::capture::watching;
use crate::model::case::Case;
use crate::model::loss::Losses;
use crate::model::summary::{
    CaptureRecord, CommentRecord, DamageRecord, DatabaseRecord, PacketCounts, Summary,
};
use crate::model::time::Timestamp;
use crate::pipeline::FlowCounters;
use crate::pipeline::front::Reader;
use crate::pipeline::received;

/// Causes of [`crate::capture::Source::take_losses`] that say that the user did not want a packet.
fn is_wanted_away(cause: &str) -> bool {
    cause.contains("filter")
        || cause.contains("--since")
        || cause.contains("--until")
        || cause.contains("span of time")
}

/// Fills everything but what the case's own records tell.
pub fn fill(
    case: &mut Case,
    reader: &Reader,
    counters: FlowCounters,
    flows: u64,
    losses: &Losses,
    loaded: &Loaded,
) {
    let (decoding, seen) = reader.decoding();
    let mut skipped = decoding.clone();
    skipped.merge(losses);
    skipped.add(
        "flows whose round trips were not measured: too many at once",
        counters.untimed,
    );
    let sources = reader.source().captures();
    let unwatched = sources.iter().map(|counted| counted.watching.not_kept);
    skipped.add(watching::BEYOND, unwatched.fold(0, u64::saturating_add));
    skipped.add(
        "packets of flows that lasted longer than their activity is kept",
        counters.unbinned,
    );
    let mut damaged = Losses::default();
    let mut filtered = 0u64;
    for (cause, many) in reader.losses.iter() {
        if is_wanted_away(cause) {
            filtered = filtered.saturating_add(many);
        } else {
            damaged.add(cause, many);
        }
    }
    let captures = captures(reader);
    let mut remarks = [loaded.lost.as_slice(), &loaded.remarks].concat();
    remarks.append(&mut case.summary.remarks);
    let whole_and_empty = captures
        .iter()
        .filter(|capture| capture.packets == 0 && capture.damage.is_empty());
    remarks.extend(whole_and_empty.map(|capture| format!("{}: a capture without packets", capture.path)));
    remarks.extend(sources.iter().filter(|counted| counted.untimed > 0).map(|counted| {
        format!(
            "{}: {} packets have no time (simple packet blocks): they stand at that of the packet before, or at the beginning of 1970",
            counted.path.display(),
            counted.untimed
        )
    }));
    if let Some((_, last)) = reader.span {
        remarks.extend(crate::geo::status::old_at(&loaded.geo, last));
    }
    let of_captures = || captures.iter().filter_map(|capture| capture.last).max();
    let last = reader.span.map(|(_, last)| last).or_else(of_captures);
    case.summary = Summary {
        timestamp: last.unwrap_or_default(),
        captures,
        captures_unread: 0,
        packets: PacketCounts {
            read: reader.frames.saturating_add(filtered),
            decoded: seen
                .frames
                .saturating_sub(seen.duplicates)
                .saturating_sub(seen.without_result),
            duplicates: seen.duplicates,
            filtered,
            skipped,
            damaged,
        },
        flows,
        flows_peak: counters.peak,
        flows_evicted: counters.evicted,
        hosts: case.host_count(),
        findings: findings(case),
        farms: farms(case),
        vantage: case.summary.vantage.take(),
        little: case.summary.little.take(),
        time_span: reader.span.map(|(first, last)| [first, last]),
        wall_seconds: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        signatures: loaded.catalogue.version().to_owned(),
        weights: loaded.weights.hash.clone(),
        geo: loaded
            .geo
            .databases()
            .map(|database| DatabaseRecord {
                name: database.name.clone(),
                built: database.build_date.clone(),
                attribution: database.attribution.clone(),
                source: database
                    .path
                    .as_ref()
                    .map_or_else(|| "embedded".to_owned(), |path| path.display().to_string()),
            })
            .collect(),
        remarks,
    };
}

fn captures(reader: &Reader) -> Vec<CaptureRecord> {
    reader
        .source()
        .captures()
        .into_iter()
        .enumerate()
        .map(|(index, counted)| CaptureRecord {
            path: counted.path.display().to_string(),
            sha256: counted.sha256.map(|digest| hex(&digest)),
            bytes: counted.size.unwrap_or(counted.bytes),
            packets: counted.packets,
            link_types: counted.links.keys().map(|link| link_type(*link)).collect(),
            first: counted.first,
            last: counted.last,
            damage: reader
                .damage
                .iter()
                .filter(|damage| usize::from(damage.capture) == index)
                .map(|damage| DamageRecord {
                    offset: damage.offset,
                    cause: damage.cause.to_owned(),
                })
                .collect(),
            comments: counted
                .comments
                .iter()
                .map(|(frame, text)| CommentRecord::new(*frame, text))
                .collect(),
            comments_not_kept: counted.comments_not_kept,
            kernel_dropped: received::dropped(counted),
            clock: reader.clocks.record(index),
            clock_offset: reader.clock_offset(index),
        })
        .collect()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Name of a link type as libpcap knows it, or its number.
fn link_type(link: crate::model::frame::LinkType) -> String {
    pcap::Linktype(to_dlt(link))
        .get_name()
        .unwrap_or_else(|_| link.0.to_string())
}

fn findings(case: &Case) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for finding in &case.findings {
        let confidence = match finding.confidence {
            crate::model::finding::Confidence::Low => "low",
            crate::model::finding::Confidence::Medium => "medium",
            crate::model::finding::Confidence::High => "high",
        };
        let count = counts
            .entry(finding.kind.name().to_owned())
            .or_default()
            .entry(confidence.to_owned())
            .or_default();
        *count = count.saturating_add(1);
    }
    counts
}

fn farms(case: &Case) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for farm in &case.farms {
        let count: &mut u64 = counts.entry(farm.verdict.name().to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// Captures that seem to hold the same packets, in whatever format: as many packets and bytes, and the same microseconds at begin
/// and end. Their packets count twice.
#[must_use]
pub fn alike(reader: &Reader) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let captures = reader.source().captures().into_iter();
    let alike = captures.filter_map(|counted| {
        let micros = |at: Option<Timestamp>| at.map(|at| at.0.div_euclid(1_000));
        let (first, last) = (micros(counted.first)?, micros(counted.last)?);
        let path = counted.path.display().to_string();
        match seen.entry((counted.packets, counted.bytes_on_wire, first, last)) {
            Entry::Occupied(earlier) => Some(format!(
                "{path}: seems to hold the same packets as {}: as many, as long, from the same moment to the same; they count twice",
                earlier.get()
            )),
            Entry::Vacant(free) => {
                free.insert(path);
                None
            }
        }
    });
    alike.collect()
}

/// When captures ran, of the span of time that was asked for.
#[must_use]
pub fn spans(
    reader: &Reader,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Vec<(Timestamp, Timestamp)> {
    let captures = reader.source().captures();
    captures
        .iter()
        .flat_map(|counted| counted.watching.within(since, until))
        .collect()
}

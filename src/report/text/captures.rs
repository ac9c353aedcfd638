//! What was read, what was lost on the way, and which databases spoke.

use std::io;

use crate::model::case::Case;
use crate::model::loss::Losses;
use crate::model::summary::{CaptureRecord, ClockOffsetRecord, ClockRecord};

use super::page::Page;
use crate::report::words;

/// Comments of one capture that the text shows; the records have all that were kept.
const MOST_COMMENTS: usize = 5;

pub(super) fn write(page: &mut Page<'_>, case: &Case) -> io::Result<()> {
    let summary = &case.summary;
    page.blank()?;
    let style = page.styles.heading;
    page.heading(0, style, "CAPTURES", "")?;
    page.indent(2);
    for capture in &summary.captures {
        let mut text = format!("{} packets, {}", capture.packets, words::bytes(capture.bytes));
        if let (Some(first), Some(last)) = (capture.first, capture.last) {
            text = format!("{text}, {} UTC", words::range(first, last));
        }
        let links: Vec<String> = capture.link_types.iter().map(|one| words::shown(one)).collect();
        if !links.is_empty() {
            text = format!("{text}, {}", links.join(", "));
        }
        page.heading(2, style, &words::file_name(&capture.path), &text)?;
        page.indent(4);
        let damage = capture
            .damage
            .iter()
            .map(|one| format!("at byte {}: {}", one.offset, words::shown(&one.cause)));
        page.rows("damaged", damage)?;
        page.rows("comments", comments(capture))?;
        let dropped = capture.kernel_dropped;
        page.rows(
            "dropped",
            dropped.map(|dropped| format!("{dropped} packets, by the capturing kernel")),
        )?;
        let offset = capture.clock_offset.map(|offset| self::offset(&offset));
        page.rows(
            "clock",
            capture
                .clock
                .map(|clock| self::clock(&clock))
                .into_iter()
                .chain(offset),
        )?;
        page.indent(2);
    }
    let judged = summary
        .vantage
        .as_ref()
        .map(|vantage| format!("{}: {}", vantage.name.name(), words::shown(&vantage.judged_by)));
    page.rows("vantage", judged)?;
    let packets = &summary.packets;
    let counts = format!(
        "{} read, {} decoded, {} duplicates, {} filtered, {} skipped, {} damaged",
        packets.read,
        packets.decoded,
        packets.duplicates,
        packets.filtered,
        packets.skipped.total(),
        packets.damaged.total(),
    );
    page.rows("packets", [counts])?;
    page.items("skipped", causes(&packets.skipped))?;
    page.items("damaged", causes(&packets.damaged))?;
    let evicted = if summary.flows_evicted == 0 {
        String::new()
    } else {
        format!(
            ", {} ended early because the table was full",
            summary.flows_evicted
        )
    };
    let flows = format!(
        "{}, at most {} at once{evicted}",
        summary.flows, summary.flows_peak
    );
    page.rows("flows", [flows])?;
    let databases = summary.geo.iter().map(|one| {
        let (name, built) = (words::shown(&one.name), words::shown(&one.built));
        let text = format!("{name} of {built} ({})", words::shown(&one.source));
        if one.attribution.is_empty() {
            text
        } else {
            format!("{text}: {}", words::shown(&one.attribution))
        }
    });
    page.rows("databases", databases)?;
    let versions = format!(
        "farmhawk {}, catalogue {}, weights {}",
        words::shown(&summary.version),
        words::shown(&summary.signatures),
        words::shown(&summary.weights)
    );
    page.rows("versions", [versions])?;
    let took = summary.wall_seconds.map(|seconds| format!("{seconds:.3} s"));
    page.rows("wall time", took)?;
    page.rows(
        "remarks",
        summary.remarks.iter().map(|text| words::sentence(text)),
    )
}

/// The first comments of a capture, and how many more it has.
fn comments(capture: &CaptureRecord) -> Vec<String> {
    let (shown, more) = capture
        .comments
        .split_at(capture.comments.len().min(MOST_COMMENTS));
    let mut lines: Vec<String> = shown
        .iter()
        .map(|comment| match comment.frame {
            Some(frame) => format!("frame {frame}: {}", words::shown(&comment.text)),
            None => words::shown(&comment.text),
        })
        .collect();
    let more = (more.len() as u64).saturating_add(capture.comments_not_kept);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn causes(losses: &Losses) -> impl Iterator<Item = (String, String)> {
    losses
        .iter()
        .map(|(cause, many)| (format!("{many:>10}  "), cause.to_owned()))
}

/// By how much a clock differs from another, in words.
fn offset(offset: &ClockOffsetRecord) -> String {
    let milliseconds = |microseconds: i64| format!("{}.{:03}", microseconds / 1_000, microseconds % 1_000);
    format!(
        "{} ms {} that of capture {}, give or take {} ms ({} packets that both saw)",
        milliseconds(offset.offset_us.saturating_abs()),
        if offset.offset_us < 0 {
            "behind"
        } else {
            "ahead of"
        },
        offset.against,
        milliseconds(offset.spread_us),
        offset.packets
    )
}

/// How a capture's clock ran, in words.
fn clock(clock: &ClockRecord) -> String {
    let mut parts = Vec::new();
    if clock.out_of_order > 0 {
        parts.push(format!("{} packets out of order", clock.out_of_order));
    }
    if clock.backward > 0 {
        parts.push(format!("set back {} times", clock.backward));
    }
    if clock.out_of_order + clock.backward > 0 {
        parts.push(format!("by {} ms at most", clock.furthest_back_ms));
    }
    if clock.forward > 0 {
        parts.push(format!(
            "{} silences or steps forward of an hour or more",
            clock.forward
        ));
    }
    parts.join(", ")
}

//! Session intervals of every host over time, as one SVG drawing.

use maud::{Markup, html};

use crate::model::case::Case;
use crate::model::finding::{Activity, Finding};
use crate::model::host::HostRecord;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
use crate::report::shown::Shown;
use crate::report::words;

/// Width of the drawing and of its label column, in its own units.
const WIDTH: f64 = 1_000.0;
const LABELS: f64 = 200.0;
/// Height of a row, and of the axis above.
const ROW: f64 = 26.0;
const AXIS: f64 = 24.0;
/// Most bars of one host; beyond, a note says how many are missing.
const BARS: usize = 2_000;
/// Most marks on the axis.
const MARKS: i64 = 8;
/// Steps between marks that people can read, in seconds.
const STEPS: [i64; 14] = [
    1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800, 2_592_000,
];

/// A span of time drawn from left to right.
#[derive(Clone, Copy)]
struct Axis {
    start: Timestamp,
    length: Nanoseconds,
}

impl Axis {
    /// Where a moment lies; moments outside are drawn at the edge.
    fn x(self, at: Timestamp) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a position in a drawing")]
        let share = at.since(self.start) as f64 / self.length as f64;
        LABELS + share.clamp(0.0, 1.0) * (WIDTH - LABELS)
    }

    /// Marks at round times.
    fn marks(self) -> Vec<Timestamp> {
        let fits = |step: &&i64| self.length / step.saturating_mul(SECOND) < MARKS;
        let longest = self.length / SECOND / MARKS + 1;
        let step = STEPS
            .iter()
            .find(fits)
            .copied()
            .unwrap_or(longest)
            .saturating_mul(SECOND);
        let first = self
            .start
            .0
            .div_euclid(step)
            .saturating_add(1)
            .saturating_mul(step);
        let end = self.start.plus(self.length);
        std::iter::successors(Some(Timestamp(first)), |at| Some(at.plus(step)))
            .take_while(|at| *at < end)
            .take(usize::try_from(MARKS).unwrap_or_default())
            .collect()
    }
}

/// The chart, where any finding has intervals.
pub(super) fn section(case: &Case, shown: Shown) -> Markup {
    let mut findings = shown.findings_by_host(case);
    let rows: Vec<(&HostRecord, Vec<&Finding>)> = shown
        .hosts(case)
        .map(|host| {
            let mut own = findings.remove(&host.host).unwrap_or_default();
            own.retain(|one| !one.intervals.is_empty());
            (host, own)
        })
        .filter(|(_, own)| !own.is_empty())
        .collect();
    let times = || {
        rows.iter()
            .flat_map(|(_, own)| own.iter().flat_map(|one| &one.intervals))
    };
    let start = times().map(|(start, ..)| *start).min();
    let end = times().map(|(_, end, _)| *end).max();
    let (Some(start), Some(end)) = (start, end) else {
        return html! {};
    };
    let axis = Axis {
        start,
        length: end.since(start).max(SECOND),
    };
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    let height = AXIS + ROW * rows.len() as f64;
    html! {
        section id="sessions" {
            h2 { "Sessions over time (UTC)" }
            p.legend {
                @for activity in [Activity::Driven, Activity::Viewed, Activity::Bulk, Activity::Idle] {
                    span class={ "key " (activity.name()) } {} (activity.name()) " "
                }
            }
            svg.gantt viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label="Session intervals by host" {
                @for at in axis.marks() {
                    @let x = figure(axis.x(at));
                    line x1=(x) x2=(x) y1=(AXIS) y2=(height) {}
                    text.mark x=(x) y="16" { (mark(at, axis.length)) }
                }
                @for (place, (host, own)) in rows.iter().enumerate() { (row(place, host, own, axis)) }
            }
        }
    }
}

fn row(place: usize, host: &HostRecord, findings: &[&Finding], axis: Axis) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    let top = AXIS + ROW * place as f64;
    let bars = || {
        findings
            .iter()
            .flat_map(|one| one.intervals.iter().map(move |interval| (*one, interval)))
    };
    let missing = bars().count().saturating_sub(BARS);
    let label: String = words::host(host).chars().take(30).collect();
    html! {
        text x="0" y=(figure(top + ROW * 0.65)) {
            (label) @if missing > 0 { " (" (missing) " not drawn)" }
        }
        @for (finding, (start, end, activity)) in bars().take(BARS) {
            @let (left, right) = (axis.x(*start), axis.x(*end));
            rect class=(activity.name()) x=(figure(left)) y=(figure(top + 4.0))
                width=(figure((right - left).max(1.0))) height=(figure(ROW - 8.0)) {
                title { (words::shown(&finding.tool)) " " (activity.name()) ", " (words::range(*start, *end)) }
            }
        }
    }
}

/// A coordinate with fixed digits.
fn figure(value: f64) -> String {
    format!("{value:.1}")
}

/// Time of day for short spans, the date for long ones.
fn mark(at: Timestamp, length: Nanoseconds) -> String {
    let text = words::time(at);
    let (date, clock) = text.split_once(' ').unwrap_or((&text, ""));
    if length < 600 * SECOND {
        clock.to_owned()
    } else if length <= 2 * 86_400 * SECOND {
        words::clock(at)
    } else {
        date.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_few_and_within_the_span_whatever_its_length() {
        for seconds in [1, 59, 3_600, 86_400, 400 * 86_400, i64::MAX / SECOND] {
            let axis = Axis {
                start: Timestamp(7 * SECOND),
                length: seconds * SECOND,
            };
            let marks = axis.marks();
            assert!(marks.len() <= 8, "{seconds}");
            assert!(marks.iter().all(|at| *at > axis.start), "{seconds}");
        }
        let hour = Axis {
            start: Timestamp(0),
            length: 3_600 * SECOND,
        };
        assert_eq!(hour.marks().first(), Some(&Timestamp(900 * SECOND)));
    }
}

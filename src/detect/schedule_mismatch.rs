//! Hours that contradict the declared ones: when a machine is driven from elsewhere, against the working day of the person
//! to whom it was given (DETECTION 3.8, 4.3).
//!
//! Hours say when somebody works, never where he is or who: whoever works for an employer abroad may keep the employer's hours.

use std::collections::BTreeMap;

use super::{Conclusion, HostView, Knowledge};
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, Role, UNKNOWN_INTERACTIVE};
use crate::model::hours::{self, Hours, LEAST_DAYS, ScheduleRecord};
use crate::model::identity::ContentId;
use crate::model::time::{SECOND, Timestamp};

/// Below this the activity has no centre (DETECTION 4.3).
const LEAST_CONCENTRATION: f64 = 0.35;

/// Hours between the two centres from which they contradict each other, even at the near end of the interval.
const APART: f64 = 2.0;

/// Hours from which they belong to other working days.
const FAR_APART: f64 = 5.0;

/// Weight of hours that are far apart, and of those that are apart.
const WEIGHTS: [f64; 2] = [10.0, 5.0];

/// A stretch of so many hours without a pause of four is more than one person does (State, Treasury and FBI guidance of 2022:
/// logged in for a day or more).
const UNBROKEN: f64 = 24.0;

/// Weight of that.
const UNBROKEN_WEIGHT: f64 = 5.0;

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleMismatches;

impl Conclusion for ScheduleMismatches {
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], _: &Knowledge<'_>) -> Vec<Finding> {
        let mut driven: BTreeMap<ContentId, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for finding in findings {
            // What somebody allowed may run at night, and a lead by the form of the traffic names nobody's hours.
            let is_lead = finding.tool == UNKNOWN_INTERACTIVE && finding.confidence == Confidence::Low;
            if finding.kind != FindingKind::RemoteAccess
                || finding.role != Role::Controlled
                || finding.sanctioned == Some(true)
                || is_lead
            {
                continue;
            }
            let intervals = finding.intervals.iter();
            let own = intervals.filter(|(_, _, state)| *state == Activity::Driven);
            let spans = own.map(|(start, end, _)| (*start, *end));
            driven.entry(finding.host).or_default().extend(spans);
        }
        hosts
            .iter()
            .filter_map(|host| {
                let minutes = minutes(driven.get(&host.id)?);
                mismatch(host, &hours::of(&minutes)?)
            })
            .collect()
    }
}

/// Minutes that intervals touch, sorted and without repetition; of each interval a week at most.
fn minutes(intervals: &[(Timestamp, Timestamp)]) -> Vec<u32> {
    let minute = |at: Timestamp| at.0.div_euclid(60 * SECOND);
    let mut list: Vec<u32> = intervals
        .iter()
        .flat_map(|(start, end)| {
            let first = minute(*start);
            let last = minute(end.plus(-1)).clamp(first, first.saturating_add(7 * 1_440));
            (first..=last).filter_map(|minute| u32::try_from(minute).ok())
        })
        .collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn mismatch(host: &HostView, seen: &Hours) -> Option<Finding> {
    let declared = host.asset.as_ref().and_then(|asset| asset.declared_noon_utc);
    let gap = declared.map(|noon| hours::difference(noon, seen.centre).abs());
    let is_sure = seen.days >= LEAST_DAYS && seen.concentration > LEAST_CONCENTRATION;
    let nearest = gap.map(|gap| gap - seen.half_interval.unwrap_or(12.0));
    let mut evidence = Vec::new();
    let mut weight = 0.0;
    if let (true, Some(declared), Some(gap), Some(nearest)) = (is_sure, declared, gap, nearest)
        && nearest > APART
    {
        let [far, near] = WEIGHTS;
        let decibans = if nearest > FAR_APART { far } else { near };
        weight += decibans;
        let what = format!(
            "the centre of the driven hours is {} UTC, give or take {:.1} h (95 %, {} days), that of the declared working day {}: \
             {gap:.1} h apart",
            clock(seen.centre),
            seen.half_interval.unwrap_or_default(),
            seen.days,
            clock(declared)
        );
        evidence.push(item("hours", what, decibans, host));
    }
    if seen.longest_run >= UNBROKEN {
        weight += UNBROKEN_WEIGHT;
        let what = format!(
            "it was driven for {:.0} h without a pause of four hours",
            seen.longest_run
        );
        evidence.push(item("unbroken", what, UNBROKEN_WEIGHT, host));
    }
    let first = evidence.first()?.what.clone();
    let [far, _] = WEIGHTS;
    Some(Finding {
        id: ContentId::of(&[b"schedule", &host.id.0.to_be_bytes()]),
        timestamp: host.seen.0,
        last_seen: host.seen.1,
        kind: FindingKind::ScheduleMismatch,
        tool: "hours".to_owned(),
        role: Role::Controlled,
        activity: Activity::Driven,
        host: host.id,
        host_ip: host.address(),
        flow_count: 0,
        confidence: if weight >= far {
            Confidence::Medium
        } else {
            Confidence::Low
        },
        score: Decibans(weight),
        summary: format!("{}: {first}", host.label()),
        benign: vec![
            "shifts, flexible hours, support from another time zone, several people who share a machine, a wrong entry in the inventory"
                .to_owned(),
        ],
        evidence,
        schedule: Some(Box::new(ScheduleRecord {
            centre_utc: rounded(seen.centre),
            interval_hours: seen.half_interval.map(rounded),
            concentration: rounded(seen.concentration),
            days: u32::try_from(seen.days).unwrap_or(u32::MAX),
            hours_a_day: rounded(seen.hours_a_day),
            longest_run_hours: rounded(seen.longest_run),
            since: host.seen.0,
            declared_noon_utc: declared.map(rounded),
            gap_hours: gap.map(rounded),
        })),
        ..Finding::default()
    })
}

fn item(measure: &str, what: String, weight: f64, host: &HostView) -> Evidence {
    let mut item = Evidence::observed(Family::Time, what, Decibans(weight), &[], Some(host.seen.0));
    item.measure = Some(measure.to_owned());
    item
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// An hour of the day as a clock shows it.
fn clock(hour: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1440"
    )]
    let minutes = (hour.rem_euclid(24.0) * 60.0).round() as u32 % 1_440;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::profile::Asset;

    /// A host that is driven for eight hours from `hour` UTC on `days` days; its declared day has its middle at 19:00 UTC.
    fn found(days: i64, hour: i64, length: i64) -> Option<Finding> {
        let host = HostView {
            asset: Some(Asset {
                declared_noon_utc: Some(19.0),
                ..Asset::default()
            }),
            ..HostView::default()
        };
        let spans: Vec<_> = (0..days)
            .map(|day| {
                // A quarter of an hour's difference from day to day.
                let start = (20_000 + day) * 86_400 + hour * 3_600 + day % 3 * 900;
                let start = Timestamp::from_parts(start, 0);
                (start, start.plus(length * 3_600 * SECOND))
            })
            .collect();
        mismatch(&host, &hours::of(&minutes(&spans)).unwrap())
    }

    #[test]
    fn hours_of_another_working_day_are_told_with_their_interval() {
        let finding = found(6, 1, 8).unwrap();
        assert_eq!(
            (finding.kind, finding.confidence),
            (FindingKind::ScheduleMismatch, Confidence::Medium)
        );
        let schedule = finding.schedule.unwrap();
        assert_eq!(schedule.days, 6);
        assert!((schedule.gap_hours.unwrap() - 10.25).abs() < 0.1, "{schedule:?}");
        assert!(schedule.interval_hours.unwrap() < 0.5);
    }

    #[test]
    fn the_declared_hours_and_too_few_days_say_nothing() {
        assert!(found(6, 15, 8).is_none());
        assert!(found(4, 1, 8).is_none());
    }

    #[test]
    fn thirty_hours_without_a_pause_are_told_without_an_inventory() {
        let span = (
            Timestamp::from_parts(1_000_000, 0),
            Timestamp::from_parts(1_108_000, 0),
        );
        let finding = mismatch(&HostView::default(), &hours::of(&minutes(&[span])).unwrap()).unwrap();
        assert_eq!(finding.evidence[0].measure.as_deref(), Some("unbroken"));
        assert_eq!(finding.confidence, Confidence::Low);
    }

    #[test]
    fn hours_are_written_as_a_clock_shows_them() {
        assert_eq!(
            (clock(23.999), clock(5.25)),
            ("00:00".to_owned(), "05:15".to_owned())
        );
    }
}

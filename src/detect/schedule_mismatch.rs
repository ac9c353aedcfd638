//! Hours that contradict the declared ones: when a machine is driven from elsewhere, against the working day of the person
//! to whom it was given (DETECTION 3.8, 4.3).
//!
//! Hours say when somebody works, never where he is or who: whoever works for an employer abroad may keep the employer's hours.

use std::collections::BTreeMap;

use super::{Conclusion, HostView, Knowledge};
use crate::model::evidence::{Decibans, Evidence, Family, State};
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, Role, UNKNOWN_INTERACTIVE};
use crate::model::hours::{self, Hours, ScheduleRecord};
use crate::model::identity::ContentId;
use crate::model::minutes::minutes;
use crate::model::profile::Asset;
use crate::model::time::Timestamp;
use crate::model::watched::WorkingDay;
use crate::model::week;
use crate::settings::rules::{Rules, Schedule};

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleMismatches;

impl Conclusion for ScheduleMismatches {
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
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
                let minutes = minutes(driven.get(&host.id)?.iter().copied());
                mismatch(host, &minutes, knowledge.rules)
            })
            .collect()
    }
}

/// A stretch that is longer than one person's.
fn unbroken(seen: &Hours, weights: &Schedule, host: &HostView) -> Option<Evidence> {
    (seen.longest_run >= weights.unbroken_hours).then(|| {
        let what = format!(
            "it was driven for {:.0} h without a pause of four hours",
            seen.longest_run
        );
        item("unbroken", what, weights.unbroken, host)
    })
}

fn mismatch(host: &HostView, minutes: &[u32], rules: &Rules) -> Option<Finding> {
    let weights = &rules.findings.schedule;
    let all: Hours = hours::of(minutes)?;
    let day = host.asset.as_ref().and_then(Asset::working_day);
    // Only days of which the declared hours were captured can be compared with them; elsewhere the hours are the capture's.
    let on_watched = day.map(|day| host.watched.on_watched_days(minutes, Some(day)).0);
    let minutes = on_watched.as_deref().unwrap_or(minutes);
    let watched = hours::of(minutes);
    let seen = watched.unwrap_or(all);
    let declared = day.map(|day| day.noon_utc);
    let gap = declared.map(|noon| hours::difference(noon, seen.centre).abs());
    let is_enough = u32::try_from(seen.days).is_ok_and(|days| days >= rules.hours_days);
    let is_centred = watched.is_some() && seen.concentration > rules.hours_concentration;
    let mut evidence = Vec::new();
    let compared = declared
        .filter(|_| is_enough && is_centred)
        .and_then(|declared| compared(&seen, declared, rules, host));
    evidence.extend(compared);
    // What nobody watched can only make a pause shorter.
    evidence.extend(unbroken(&all, weights, host));
    let change = host.asset.as_ref().and_then(|asset| asset.clock_change);
    let moved = change.map(|change| {
        if is_centred {
            week::moved(minutes, seen.centre, change)
        } else {
            Err("the driven hours have no centre, or the captures do not cover the declared ones")
        }
    });
    if let Some(Ok(moved)) = &moved
        && moved.verdict == "does_not_follow"
    {
        let what = format!(
            "the driven hours moved by {:.1} h, give or take {:.1} h (95 %), when the declared zone's clocks were changed, which moves the \
             hours of whoever lives by them by {:.0} h against UTC",
            moved.moved_hours, moved.interval_hours, moved.expected_hours
        );
        evidence.push(item("clock_change", what, weights.clock_change, host));
    }
    let first = evidence.first()?.what.clone();
    let weight: f64 = evidence.iter().map(|item| item.weight.0).sum();
    if let Some(Err(why)) = moved {
        evidence.push(Evidence {
            state: State::NotObservable,
            ..item(
                "clock_change",
                format!("whether the driven hours follow the declared zone's clocks: {why}"),
                0.0,
                host,
            )
        });
    }
    let rest_days = is_centred
        .then(|| week::rest_days(minutes, seen.centre, &|day| is_watched(host, seen.centre, day)).ok())
        .flatten();
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
        confidence: if weight >= weights.far {
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
            longest_run_hours: rounded(all.longest_run),
            since: host.seen.0,
            declared_noon_utc: declared.map(rounded),
            rest_days,
            clock_change: moved.and_then(Result::ok),
            gap_hours: gap.map(rounded),
        })),
        ..Finding::default()
    })
}

/// The item of hours that lie apart from the declared ones, even at the near end of their interval.
fn compared(seen: &Hours, declared: f64, rules: &Rules, host: &HostView) -> Option<Evidence> {
    let weights = &rules.findings.schedule;
    let [apart, far_apart] = rules.hours;
    let gap = hours::difference(declared, seen.centre).abs();
    let nearest = gap - seen.half_interval.unwrap_or(12.0);
    if nearest <= apart {
        return None;
    }
    let decibans = if nearest > far_apart {
        weights.far
    } else {
        weights.near
    };
    let what = format!(
        "the centre of the driven hours is {} UTC, give or take {:.1} h (95 %, {} days), that of the declared working day {}: {gap:.1} h \
         apart",
        clock(seen.centre),
        seen.half_interval.unwrap_or_default(),
        seen.days,
        clock(declared)
    );
    Some(item("hours", what, decibans, host))
}

fn item(measure: &str, what: String, weight: f64, host: &HostView) -> Evidence {
    let mut item = Evidence::observed(Family::Time, what, Decibans(weight), &[], Some(host.seen.0));
    item.measure = Some(measure.to_owned());
    item
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Whether captures ran for the usual hours around a centre on a day. Without a row in the inventory nobody asks.
fn is_watched(host: &HostView, centre: f64, day: u32) -> bool {
    let around = WorkingDay {
        noon_utc: centre,
        hours: None,
    };
    host.asset.is_none() || host.watched.has_day(day, Some(around))
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
    use crate::model::time::SECOND;
    use crate::model::watched::Stretches;

    /// Captures from one hour to another of each of a hundred days.
    fn daily(from: i64, to: i64) -> Stretches {
        let at = |day: i64, hour: i64| Timestamp::from_parts((19_990 + day) * 86_400 + hour * 3_600, 0);
        Stretches::of((0..100).map(|day| (at(day, from), at(day, to))).collect())
            .judged_by(Rules::shipped().working_day)
    }

    /// A host that is driven for eight hours from `hour` UTC on `days` days; its declared day has its middle at 19:00 UTC.
    fn found(days: i64, hour: i64, length: i64) -> Option<Finding> {
        found_in(daily(0, 24), days, hour, length)
    }

    fn found_in(watched: Stretches, days: i64, hour: i64, length: i64) -> Option<Finding> {
        let host = HostView {
            asset: Some(Asset {
                declared_noon_utc: Some(19.0),
                ..Asset::default()
            }),
            watched,
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
        mismatch(&host, &minutes(spans.into_iter()), Rules::shipped())
    }

    #[test]
    fn hours_that_stay_when_the_declared_clocks_change_are_told_and_too_few_days_say_so() {
        // Forty days from 15:00 to 23:00 UTC; the zone's clocks go forward on the twentieth or on the last but one.
        let in_stretches = |watched: &Stretches, changed_on: i64, moves: bool| {
            let spans: Vec<_> = (0..40)
                .map(|day| {
                    let moved = if moves && day >= changed_on { 3_600 } else { 0 };
                    let start = (20_000 + day) * 86_400 + 54_000 - moved + day % 3 * 900;
                    let start = Timestamp::from_parts(start, 0);
                    (start, start.plus(8 * 3_600 * SECOND))
                })
                .collect();
            let host = HostView {
                asset: Some(Asset {
                    declared_noon_utc: Some(19.0),
                    clock_change: Some(week::ClockChange {
                        at: Timestamp::from_parts((20_000 + changed_on) * 86_400 + 28_800, 0),
                        expected: -1.0,
                    }),
                    ..Asset::default()
                }),
                watched: watched.clone(),
                ..HostView::default()
            };
            mismatch(&host, &minutes(spans.into_iter()), Rules::shipped())
        };
        let of = |changed_on, moves| in_stretches(&daily(0, 24), changed_on, moves);
        let finding = of(20, false).unwrap();
        assert_eq!(finding.evidence[0].measure.as_deref(), Some("clock_change"));
        let schedule = finding.schedule.unwrap();
        assert_eq!(schedule.clock_change.unwrap().verdict, "does_not_follow");
        assert_eq!(schedule.rest_days, Some(Vec::new()));
        assert!(of(20, true).is_none(), "follows");
        assert!(of(38, false).is_none(), "not enough days");
        // Captures at noon show the same hours before and behind the change, whatever the hours are.
        assert!(in_stretches(&daily(16, 18), 20, false).is_none());
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
    fn hours_that_the_capture_cut_are_not_somebodys() {
        // From 01:00 to 09:00 UTC, seen from 00:00 to 10:00: the declared day from 15:00 to 23:00 was not.
        assert!(found_in(daily(0, 10), 6, 1, 8).is_none());
        // An hour and a half of a working day that is as declared.
        assert!(found_in(daily(15, 17), 6, 15, 2).is_none());
        assert!(found_in(daily(1, 23), 6, 1, 8).is_some());
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
        let finding = mismatch(
            &HostView::default(),
            &minutes([span].into_iter()),
            Rules::shipped(),
        )
        .unwrap();
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

//! Round trips that contradict a claimed place, and sessions whose loop goes further than their transport (DETECTION 3.1, 3.2).
//!
//! Too fast is proof: nothing answers from farther away than light in fibre reaches. It is proof of where whatever ends the host's
//! TCP connections stands, though, which a proxy on the way may be; and clocks err, so several connections over minutes have to agree,
//! and the step of the clock counts against the claim. Too slow is a cue alone, since every proxy, tunnel and queue adds delay.
//!
//! Peers are not compared with the place that a database gives their address: databases err by more than that, and one address
//! may answer from many places (anycast), so a contradiction would speak about the database.

use super::thresholds::{RoundTrip, THRESHOLDS};
use super::{Conclusion, HostView, Knowledge};
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::model::latency::{DistanceRecord, LatencyRecord, LoopRecord, milliseconds};
use crate::model::sphere::{CapturePoint, Coordinates, at_most, reach_km};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
use crate::settings::rules::Delay;

/// What is judgement here.
fn own() -> &'static RoundTrip {
    &THRESHOLDS.round_trip
}

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct LatencyMismatches;

impl Conclusion for LatencyMismatches {
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let weights = &knowledge.rules.findings.delay;
        let mut list: Vec<Finding> = Vec::new();
        let mut by_id: Vec<(ContentId, &HostView)> = hosts.iter().map(|host| (host.id, host)).collect();
        by_id.sort_unstable_by_key(|(id, _)| *id);
        for finding in findings {
            let Ok(place) = by_id.binary_search_by_key(&finding.host, |(id, _)| *id) else {
                continue;
            };
            if let Some((_, host)) = by_id.get(place) {
                list.extend(longer_loop(host, finding, weights));
            }
        }
        if let Some(at) = knowledge.at {
            list.extend(hosts.iter().filter_map(|host| own_place(host, at, weights)));
        }
        list
    }
}

/// A loop that leads beyond the session's other end.
fn longer_loop(host: &HostView, session: &Finding, weights: &Delay) -> Option<Finding> {
    let latency = session.latency.as_deref()?;
    let judged: &LoopRecord = latency.control_loop.as_ref()?;
    if judged.verdict != "longer" || judged.excess_ms < weights.loop_ms || session.role != Role::Controlled {
        return None;
    }
    let weight = Decibans(if judged.estimators_agree {
        weights.loop_agreed
    } else {
        weights.loop_alone
    });
    #[expect(clippy::cast_possible_truncation, reason = "below a second")]
    let reach = |leg_ms: f64| reach_km((leg_ms * 1e6) as Nanoseconds);
    // The tenth percentile is short by what transports hold acknowledgements back; the median is not.
    let ((_, likely), (possible, _)) = (reach(judged.excess_ms), reach(judged.median_excess_ms));
    let what = format!(
        "{} of {} changes of the screen are answered {:.0} ms or more after the connection's other end had them",
        judged.answered, judged.bursts, judged.excess_ms
    );
    let mut evidence = Evidence::observed(Family::Lat, what, weight, &[], Some(session.timestamp));
    evidence.measure = Some("control_loop".to_owned());
    evidence.note = Some(format!(
        "that is a way of at most {possible:.0} km, usually {likely:.0} km, of which programs take a part; at most {:.1} % of direct \
         sessions are called longer",
        judged.false_positive_rate * 100.0
    ).into());
    let summary = format!(
        "{}: the loop of its {} session is {:.0} ms longer than the connection, consistent with somebody who works far behind the \
         relay or VPN exit that the connection ends at",
        host.label(),
        session.tool,
        judged.excess_ms
    );
    Some(Finding {
        id: ContentId::of(&[b"loop", &session.id.0.to_be_bytes()]),
        kind: FindingKind::LatencyMismatch,
        confidence: if judged.estimators_agree {
            Confidence::Medium
        } else {
            Confidence::Low
        },
        score: weight,
        summary,
        benign: vec![
            "a slow machine or a browser that draws late at the other end, a satellite or mobile line behind the relay, \
             support by somebody far away"
                .to_owned(),
        ],
        evidence: vec![evidence],
        role: Role::Unknown,
        activity: Activity::Unknown,
        intervals: Vec::new(),
        geo: None,
        schedule: None,
        sanctioned: None,
        ..session.clone()
    })
}

/// The inventory's place of a host against the round trip between it and the capture point.
fn own_place(host: &HostView, at: CapturePoint, weights: &Delay) -> Option<Finding> {
    let asset = host.asset.as_ref()?;
    let (latitude, longitude) = asset.coordinates?;
    let claimed = Coordinates::new(latitude, longitude)?;
    let (first, last) = host.near.span;
    if host.near.samples < own().least_samples
        || last.since(first) < own().least_seconds.saturating_mul(SECOND)
    {
        return None;
    }
    let least = host.near.confirmed()?;
    let longest = at_most(least, at.grain);
    let (possible, likely) = reach_km(longest);
    let distance = at.place.gap_km(0.0, claimed, 0.0);
    let (_, usual_of_slower) = reach_km(least.saturating_sub(own().slack_ms.saturating_mul(SECOND / 1_000)));
    let (weight, confidence, is_proof) = if distance > possible {
        (weights.impossible, Confidence::High, true)
    } else if least > own().slack_ms.saturating_mul(SECOND / 1_000) && usual_of_slower > distance {
        (weights.slow, Confidence::Low, false)
    } else {
        return None;
    };
    let claim = DistanceRecord {
        claimed_by: format!("inventory; capture point by {}", at.source),
        distance_km: distance.round(),
        possible_km: possible.round(),
        likely_km: likely.round(),
        round_trip_ms: milliseconds(least),
        samples: host.near.samples,
    };
    let what = if is_proof {
        format!(
            "connections end within {:.1} ms of the capture point, which light in fibre needs for {possible:.0} km, while the \
             place that the inventory gives is {distance:.0} km away",
            milliseconds(longest)
        )
    } else {
        format!(
            "it never answers within less than {:.0} ms, although the place that the inventory gives is {distance:.0} km from the \
             capture point",
            claim.round_trip_ms
        )
    };
    let benign = if is_proof {
        "a proxy, load balancer, VPN's end or accelerator near the capture point that ends TCP in the host's place; a relay; an \
         inventory that is out of date, a capture point that stands elsewhere than was said"
    } else {
        "a satellite or mobile line, a VPN, a full queue"
    };
    let mut evidence = Evidence::observed(Family::Lat, what.clone(), Decibans(weight), &[], Some(first));
    evidence.measure = Some("distance".to_owned());
    evidence.note = Some(
        format!(
            "at least three of {} connections; about the end of the TCP connections, not about a person; clock and stamping are taken \
             to be wrong by {:.1} ms",
            claim.samples,
            milliseconds(longest.saturating_sub(least))
        )
        .into(),
    );
    let subject = if is_proof {
        "has its connections end nearer than where the inventory has it"
    } else {
        "answers later than its declared place explains"
    };
    Some(Finding {
        id: ContentId::of(&[b"distance", &host.id.0.to_be_bytes()]),
        timestamp: first,
        last_seen: last,
        kind: FindingKind::LatencyMismatch,
        tool: "round-trip".to_owned(),
        role: Role::Unknown,
        activity: Activity::Unknown,
        intervals: Vec::<(Timestamp, Timestamp, Activity)>::new(),
        host: host.id,
        host_ip: host.address(),
        flow_count: 0,
        confidence,
        score: Decibans(weight),
        summary: format!("{} {subject}: {what}", host.label()),
        benign: vec![benign.to_owned()],
        evidence: vec![evidence],
        latency: Some(Box::new(LatencyRecord {
            claim: Some(claim),
            ..LatencyRecord::default()
        })),
        ..Finding::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::profile::Asset;
    use crate::settings::rules::Rules;

    fn weights() -> &'static Delay {
        &Rules::shipped().findings.delay
    }

    fn host(round_trip_ms: i64, samples: u32) -> HostView {
        let mut host = HostView {
            asset: Some(Asset {
                // Seattle.
                coordinates: Some((47.61, -122.33)),
                ..Asset::default()
            }),
            ..HostView::default()
        };
        for number in 0..samples {
            host.near.add(
                Timestamp(i64::from(number) * 200 * SECOND),
                round_trip_ms * 1_000_000,
            );
        }
        host
    }

    fn found(host: &HostView, at: (f64, f64)) -> Option<Finding> {
        own_place_by(host, at, 1_000)
    }

    fn own_place_by(host: &HostView, at: (f64, f64), grain: Nanoseconds) -> Option<Finding> {
        let at = CapturePoint::new(at, "--at").unwrap();
        own_place(host, CapturePoint { grain, ..at }, weights())
    }

    const PHOENIX: (f64, f64) = (33.45, -112.07);
    const TACOMA: (f64, f64) = (47.25, -122.44);

    #[test]
    fn an_answer_that_is_faster_than_light_rules_the_place_out() {
        // Seattle to Phoenix takes 18 ms, one of which the stamping may have swallowed.
        let finding = found(&host(16, 6), PHOENIX).unwrap();
        assert_eq!(
            (finding.confidence, finding.score.0),
            (Confidence::High, weights().impossible)
        );
        assert!(finding.summary.contains("nearer than where the inventory has it"));
        assert!(finding.benign[0].contains("proxy") && finding.benign[0].contains("relay"));
        let claim = finding.latency.unwrap().claim.unwrap();
        assert!((claim.distance_km - 1_785.0).abs() < 15.0, "{claim:?}");
        assert!(found(&host(18, 6), PHOENIX).is_none());
    }

    #[test]
    fn a_round_trip_of_nothing_is_no_nearer_than_the_clock_tells() {
        // Some 50 km: what a capture on the machine itself shows.
        assert!(found(&host(0, 6), TACOMA).is_none());
        let claim = found(&host(0, 6), PHOENIX)
            .unwrap()
            .latency
            .unwrap()
            .claim
            .unwrap();
        assert!((claim.possible_km - 100.0).abs() < f64::EPSILON, "{claim:?}");
        // A clock of twenty milliseconds cannot tell Seattle from Phoenix.
        assert!(own_place_by(&host(0, 6), PHOENIX, 20_000_000).is_none());
    }

    #[test]
    fn one_fast_answer_or_a_few_in_a_minute_prove_nothing() {
        let mut one = host(40, 6);
        one.near.add(Timestamp(0), 1_000_000);
        assert!(found(&one, PHOENIX).is_none());
        assert!(found(&host(1, 3), PHOENIX).is_none());
        let mut quick = host(1, 0);
        for number in 0..20 {
            quick.near.add(Timestamp(number * SECOND), 1_000_000);
        }
        assert!(found(&quick, PHOENIX).is_none());
    }

    #[test]
    fn slowness_is_a_cue_and_only_with_enough_samples() {
        let finding = found(&host(180, 6), TACOMA).unwrap();
        assert_eq!(
            (finding.confidence, finding.score.0),
            (Confidence::Low, weights().slow)
        );
        assert!(found(&host(180, 3), TACOMA).is_none());
        assert!(found(&host(90, 6), TACOMA).is_none());
        assert!(found(&host(120, 6), PHOENIX).is_none());
    }

    #[test]
    fn without_a_place_or_a_round_trip_nothing_is_said() {
        assert!(found(&HostView::default(), PHOENIX).is_none());
        assert!(found(&host(1, 0), PHOENIX).is_none());
    }
}

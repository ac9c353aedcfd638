//! Stepping stones: who controls a machine from a neighbour that is itself controlled at the time sits where the neighbour's controller
//! sits.
//!
//! Question: an operator comes to one machine of a house through a relay and goes on from there to six others by VNC. Their
//! controller has a private address and a loop of two milliseconds; is he there? Answer: not if somebody was at the controls of that
//! machine from elsewhere for most of the time in which it controlled them (DETECTION 4.4, chains).

use std::collections::BTreeMap;

use super::{SessionSight, Sight};
use crate::model::address::Address;
use crate::model::finding::{Activity, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
use crate::settings::rules::Rules;

/// Stones that are followed from one machine.
const MOST_STONES: usize = 4;

/// The way by which somebody came to a machine over others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// The machine next to it, from which it was controlled.
    pub stone: Address,
    /// Who controlled the first of them, where that is known.
    pub controller: Option<Address>,
}

/// A session in which somebody was at a machine.
struct Held<'a> {
    session: usize,
    finding: &'a Finding,
    sittings: Sittings,
}

/// Somebody's sittings at a machine, in order of time and without overlaps.
type Sittings = Vec<(Timestamp, Timestamp)>;

/// When a session shows that somebody looks or drives.
fn times(finding: &Finding) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    finding
        .intervals
        .iter()
        .filter(|(_, _, state)| matches!(state, Activity::Viewed | Activity::Driven))
        .map(|(start, end, _)| (*start, *end))
}

/// The stretches in which somebody was at a machine: windows of ten seconds with less than a breath between them are one sitting
/// (DETECTION 4.1.2). Two sessions of one person seldom show something in the same ten seconds: who reads on one screen what he typed on
/// the other, or types into a picture that stands still, moves one of them at a time.
fn sittings(times: impl Iterator<Item = (Timestamp, Timestamp)>, breath: Nanoseconds) -> Sittings {
    let mut list: Vec<(Timestamp, Timestamp)> = times.collect();
    list.sort_unstable();
    let mut joined = Sittings::new();
    for (start, end) in list {
        match joined.last_mut() {
            Some((_, last)) if start.since(*last) <= breath => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// For how long both went on.
fn together(one: &Sittings, other: &Sittings) -> Nanoseconds {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut sum: Nanoseconds = 0;
    while let (Some(&&(start, end)), Some(&&(from, until))) = (one.peek(), other.peek()) {
        sum = sum.saturating_add(end.min(until).since(start.max(from)).max(0));
        if end < until {
            one.next();
        } else {
            other.next();
        }
    }
    sum
}

fn lasting(sittings: &Sittings) -> Nanoseconds {
    sittings
        .iter()
        .map(|(start, end)| end.since(*start))
        .fold(0, i64::saturating_add)
}

/// Gives the sessions that come from a machine which was controlled itself for most of their time what is known of those who controlled
/// it: their place, their relays and the loop that is theirs.
pub(super) fn hand_on(sights: &[Sight], findings: &[Finding], sessions: &mut [SessionSight], rules: &Rules) {
    let breath = i64::from(rules.session_breath_seconds).saturating_mul(SECOND);
    let held: Vec<Held<'_>> = sessions
        .iter()
        .enumerate()
        .filter_map(|(session, sight)| {
            let finding = findings.get(sight.finding)?;
            let is_remote = matches!(finding.kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
            if !is_remote || finding.role != Role::Controlled {
                return None;
            }
            let sittings = sittings(times(finding), breath);
            (!sittings.is_empty()).then_some(Held {
                session,
                finding,
                sittings,
            })
        })
        .collect();
    let mut of_host: BTreeMap<ContentId, Vec<usize>> = BTreeMap::new();
    for (place, one) in held.iter().enumerate() {
        of_host.entry(one.finding.host).or_default().push(place);
    }
    let mut stones: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    for sight in sights {
        if let Some(places) = of_host.get(&sight.host) {
            for address in &sight.ips {
                stones.entry(*address).or_default().extend(places);
            }
        }
    }
    let next: Vec<Option<usize>> = held
        .iter()
        .map(|one| stone(one, &stones, &held, rules.stone_share))
        .collect();
    let mut ways = Vec::new();
    for (one, first) in held.iter().zip(&next) {
        let Some(first) = *first else { continue };
        let (mut last, mut passed) = (first, 1);
        while let Some(further) = next.get(last).copied().flatten() {
            passed += 1;
            if passed > MOST_STONES {
                break;
            }
            last = further;
        }
        if let (Some(stone), Some(last)) = (&one.finding.controller, held.get(last)) {
            ways.push((one.session, stone.address, last.session, last.finding));
        }
    }
    for (session, stone, from, finding) in ways {
        let Some(from) = sessions.get(from).cloned() else {
            continue;
        };
        if let Some(session) = sessions.get_mut(session) {
            session.through = Some(Through {
                stone,
                controller: finding.controller.as_ref().map(|controller| controller.address),
            });
            session.relays = from.relays;
            session.controller_place = from.controller_place;
            session.control_excess_ms = from.control_excess_ms;
            session.transport_ms = from.transport_ms;
        }
    }
}

/// The session by which who controls this one is himself controlled for most of the time.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share of a time needs no more than 52 bits of it"
)]
fn stone(
    one: &Held<'_>,
    stones: &BTreeMap<Address, Vec<usize>>,
    held: &[Held<'_>],
    share: f64,
) -> Option<usize> {
    let controller = one.finding.controller.as_ref()?;
    let least = lasting(&one.sittings) as f64 * share;
    stones
        .get(&controller.address)?
        .iter()
        .filter_map(|place| Some((*place, held.get(*place)?)))
        .filter(|(_, other)| other.finding.host != one.finding.host)
        .map(|(place, other)| (together(&one.sittings, &other.sittings), other.finding.id, place))
        .filter(|(both, ..)| *both as f64 >= least)
        .max()
        .map(|(.., place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Controller;
    use crate::model::observable::Observable;
    use crate::model::profile::{ControllerPlace, ControllerPlaceKind};

    const OPERATOR: Address = Address::from_v4([203, 0, 113, 9]);

    fn address(last: u8) -> Address {
        Address::from_v4([192, 168, 1, last])
    }

    fn sight(last: u8) -> Sight {
        Sight {
            host: ContentId(u64::from(last)),
            ips: vec![address(last)],
            ..Sight::default()
        }
    }

    /// Somebody at the machine with this number, from an address, in these minutes.
    fn session(last: u8, from: Address, minutes: &[(i64, i64)]) -> Finding {
        let at = |minute: i64| Timestamp(minute * 60 * SECOND);
        Finding {
            id: ContentId(100 + u64::from(last)),
            host: ContentId(u64::from(last)),
            role: Role::Controlled,
            intervals: minutes
                .iter()
                .map(|(start, end)| (at(*start), at(*end), Activity::Driven))
                .collect(),
            controller: Some(Box::new(Controller {
                address: from,
                how: "direct".to_owned(),
                geo: None,
            })),
            ..Finding::default()
        }
    }

    fn handed(findings: &[Finding]) -> Vec<SessionSight> {
        let place = |kind| {
            Observable::Observed(ControllerPlace {
                kind,
                country: None,
                organisation: None,
                hides_origin: kind == ControllerPlaceKind::Hosting,
                source: String::new(),
                is_default_database_only: false,
            })
        };
        let sights: Vec<Sight> = (1..=9).map(sight).collect();
        let mut sessions: Vec<SessionSight> = findings
            .iter()
            .enumerate()
            .map(|(number, finding)| {
                let is_far = finding
                    .controller
                    .as_ref()
                    .is_some_and(|one| one.address == OPERATOR);
                SessionSight {
                    finding: number,
                    controller_place: place(if is_far {
                        ControllerPlaceKind::Hosting
                    } else {
                        ControllerPlaceKind::SameRegion
                    }),
                    control_excess_ms: Some(Ok(if is_far { 180.0 } else { 1.0 })),
                    ..SessionSight::default()
                }
            })
            .collect();
        hand_on(&sights, findings, &mut sessions, Rules::shipped());
        sessions
    }

    #[test]
    fn who_goes_on_from_a_controlled_machine_sits_where_its_controller_sits() {
        let sessions = handed(&[
            session(1, OPERATOR, &[(0, 60)]),
            session(2, address(1), &[(5, 20), (40, 50)]),
            session(3, address(2), &[(6, 19)]),
        ]);
        for session in &sessions[1..] {
            let through = session.through.as_ref().unwrap();
            assert_eq!(through.controller, Some(OPERATOR));
            assert_eq!(session.control_excess_ms, Some(Ok(180.0)));
            let place = session.controller_place.seen().unwrap();
            assert_eq!(place.kind, ControllerPlaceKind::Hosting);
        }
        assert_eq!(sessions[2].through.as_ref().unwrap().stone, address(2));
    }

    #[test]
    fn two_screens_of_one_person_move_in_turn_and_are_one_sitting_all_the_same() {
        // Ten seconds of each in a minute and a half, never the same ten; between them the tool's own sign of life.
        let ticks = |from: i64, offset: i64| -> Vec<(Timestamp, Timestamp, Activity)> {
            let at = |second: i64| Timestamp((from * 60 + second) * SECOND);
            (0..20)
                .map(|tick| {
                    let start = tick * 90 + offset;
                    let state = if tick % 2 == 0 {
                        Activity::Driven
                    } else {
                        Activity::Viewed
                    };
                    (at(start), at(start + 10), state)
                })
                .collect()
        };
        let mut first = session(1, OPERATOR, &[]);
        first.intervals = ticks(0, 0);
        let mut onwards = session(2, address(1), &[]);
        onwards.intervals = ticks(0, 45);
        let sessions = handed(&[first.clone(), onwards.clone()]);
        assert_eq!(sessions[1].through.as_ref().unwrap().controller, Some(OPERATOR));
        // Two hours later he is not there.
        onwards.intervals = ticks(120, 45);
        let sessions = handed(&[first, onwards]);
        assert!(sessions[1].through.is_none());
    }

    #[test]
    fn a_stone_is_controlled_and_who_controls_from_his_own_machine_is_not() {
        let onwards = |last: u8| Finding {
            host: ContentId(1),
            role: Role::Controller,
            controller: None,
            ..session(last, address(1), &[(0, 60)])
        };
        let role = |stone: &[(i64, i64)]| {
            let findings = [
                session(1, OPERATOR, stone),
                session(2, address(1), &[(0, 60)]),
                session(3, address(1), &[(0, 60)]),
                onwards(4),
                onwards(5),
            ];
            let sights: Vec<Sight> = (1..=3).map(sight).collect();
            let sessions = (0..findings.len()).map(|finding| SessionSight {
                finding,
                ..SessionSight::default()
            });
            let watched = crate::profile::Watched::default();
            let profiles =
                crate::profile::build(&sights, &findings, sessions.collect(), &watched, Rules::shipped());
            profiles[0].role
        };
        assert_eq!(role(&[(0, 60)]), Role::Controlled);
        assert_eq!(role(&[(0, 10)]), Role::Controller);
    }

    #[test]
    fn who_sits_at_his_machine_for_most_of_the_time_is_there() {
        let sessions = handed(&[
            session(1, OPERATOR, &[(0, 10)]),
            session(2, address(1), &[(5, 20), (40, 50)]),
        ]);
        assert!(sessions.iter().all(|session| session.through.is_none()));
    }

    #[test]
    fn machines_that_control_each_other_end_no_search() {
        let sessions = handed(&[
            session(1, address(2), &[(0, 60)]),
            session(2, address(1), &[(0, 60)]),
        ]);
        assert!(sessions.iter().all(|session| session.through.is_some()));
    }
}

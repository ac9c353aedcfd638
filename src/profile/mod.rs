//! Profiles: what is known of one machine over time, gathered from its findings and sights for clustering and explanation.
//!
//! Takes resolved hosts and findings; gives [`HostProfile`]s. Locates nothing and matches no signature: places and tools
//! arrive with the findings. What cannot be measured yet says so, and why, instead of looking absent.

mod delays;
mod kvms;
mod personal;
mod screens;
mod sight;
mod stepping_stones;
mod unattended;
mod vpn;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::address::Address;
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, Role, UNKNOWN_INTERACTIVE};
use crate::model::identity::ContentId;
use crate::model::minutes::minutes;
use crate::model::observable::Observable;
use crate::model::profile::{
    Asset, ControllerSeen, Egress, Gateway, HostProfile, InstalledTool, Instance, InstanceKind, KvmEvidence,
    Minutes, PersonalMinutes, RemoteSession,
};
use crate::model::tenancy::Tenant;
use crate::model::threads::Threads;
use crate::model::time::{SECOND, Timestamp};
use crate::model::vantage::Vantage;
use crate::settings::rules::{ActivityRules, Rules};

pub use sight::{EgressSight, RouterVpnSight, SessionSight, Sight, Watched};
pub use stepping_stones::Through;

/// Why little is known of an address that is not local.
const NOT_LOCAL: &str = "not looked for: not a local address (name it with -n)";

/// Minutes of a day.
const MINUTES_A_DAY: u32 = 24 * 60;

/// Makes profiles, in the order of `sights`.
#[must_use]
pub fn build(
    sights: &[Sight],
    findings: &[Finding],
    sessions: Vec<SessionSight>,
    watched: &Watched,
    rules: &Rules,
) -> Vec<HostProfile> {
    build_by(Threads::default(), sights, findings, sessions, watched, rules)
}

/// The same by several threads.
#[must_use]
pub fn build_by(
    threads: Threads,
    sights: &[Sight],
    findings: &[Finding],
    mut sessions: Vec<SessionSight>,
    watched: &Watched,
    rules: &Rules,
) -> Vec<HostProfile> {
    stepping_stones::hand_on(sights, findings, &mut sessions, rules);
    let by_finding: BTreeMap<usize, &SessionSight> = sessions
        .iter()
        .map(|session| (session.finding, session))
        .collect();
    let mut by_host: BTreeMap<ContentId, Vec<(&Finding, Option<&SessionSight>)>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        by_host
            .entry(finding.host)
            .or_default()
            .push((finding, by_finding.get(&index).copied()));
    }
    let stones: BTreeSet<Address> = sessions
        .iter()
        .filter_map(|session| session.through.as_ref())
        .map(|through| through.stone)
        .collect();
    let kvms = kvms::by_place(sights, findings, watched.vantage);
    let through_kvms = kvms::sessions(findings, &by_finding);
    let screens = screens::by_place(sights, findings, watched.vantage, &rules.activity);
    threads.map(sights.iter().collect(), |sight: &Sight| {
        let own = by_host.get(&sight.host).map(Vec::as_slice).unwrap_or_default();
        let mut profile = profile(sight, own, &kvms, watched, &rules.activity);
        profile.kvm_sessions = kvms::of(&profile.kvm, &through_kvms);
        if profile.kvm.is_kvm.is_none() && profile.kvm.drives_this.list().is_empty() {
            profile.kvm.unknown = screens::beside(sight, &screens, watched.vantage);
        }
        // Who goes on from it to others is the one who controls it: it is controlled like those, and nobody's own machine.
        if sight.ips.iter().any(|address| stones.contains(address)) {
            profile.role = Role::Controlled;
        }
        profile
    })
}

/// What a machine's own record calls it, so that nobody takes one with two names for two.
fn name_of(sight: &Sight) -> Option<String> {
    let asset = (sight.asset.as_ref()).and_then(|asset| asset.record.asset.clone());
    asset
        .or_else(|| sight.names.first().map(|name| name.name.clone()))
        .or_else(|| sight.ips.first().map(ToString::to_string))
}

fn day(at: Timestamp) -> u32 {
    u32::try_from(at.0.div_euclid(86_400 * SECOND)).unwrap_or(0)
}

/// Days on which it was seen, talked through a router, or was used.
fn days(sight: &Sight) -> BTreeSet<u32> {
    let mut days = sight.days.clone();
    days.extend([day(sight.seen.0), day(sight.seen.1)]);
    days.extend(sight.gateways.values().flatten());
    days.extend(sight.active.minutes.iter().map(|minute| minute / MINUTES_A_DAY));
    days
}

/// When somebody worked on a machine from elsewhere: who does so through a KVM leaves the traces of somebody at the keyboard.
fn worked(driven: &Minutes, sight: &Sight) -> Minutes {
    let mut minutes = driven.clone();
    minutes.extend(&sight.kvm_minutes);
    minutes.sort_unstable();
    minutes
}

/// When somebody was active on a machine: where it called sites, and where a hand at it drove something elsewhere.
fn with_hand(active: &PersonalMinutes, hand: &Minutes) -> PersonalMinutes {
    let mut minutes: BTreeSet<u32> = active.minutes.iter().copied().collect();
    minutes.extend(hand);
    PersonalMinutes {
        minutes: minutes.into_iter().collect(),
        // A hand is seen whether or not any site was called by its name.
        calls: active.calls.saturating_add(u32::from(!hand.is_empty())),
        is_cut: active.is_cut,
    }
}

/// Whether a finding counts as remote access: the form of some traffic alone is a lead, and nobody is controlled for it.
fn is_remote(finding: &Finding) -> bool {
    let is_lead = finding.tool == UNKNOWN_INTERACTIVE && finding.confidence == Confidence::Low;
    finding.kind == FindingKind::RemoteAccess && !is_lead
}

fn profile(
    sight: &Sight,
    own: &[(&Finding, Option<&SessionSight>)],
    kvms: &kvms::ByPlace,
    watched: &Watched,
    rules: &ActivityRules,
) -> HostProfile {
    let remote = |finding: &&(&Finding, Option<&SessionSight>)| is_remote(finding.0);
    let mut controlled: Vec<RemoteSession> = own
        .iter()
        .filter(remote)
        .filter(|(finding, _)| finding.role == Role::Controlled)
        .map(|(finding, session)| remote_session(finding, *session))
        .collect();
    let installed = own
        .iter()
        .filter(remote)
        .filter(|(finding, _)| finding.role == Role::Agent)
        .map(|(finding, _)| InstalledTool {
            tool: finding.tool.clone(),
            sanctioned: finding.sanctioned,
            finding: finding.id,
        })
        .collect();
    let in_state = |wanted: &[Activity]| {
        let intervals = controlled.iter().flat_map(|session| &session.intervals);
        minutes(
            intervals
                .filter(|(_, _, state)| wanted.contains(state))
                .map(|(start, end, _)| (*start, *end)),
        )
    };
    let driven_minutes = in_state(&[Activity::Driven]);
    let viewed_minutes = in_state(&[Activity::Driven, Activity::Viewed]);
    let mut days = days(sight);
    days.extend(viewed_minutes.iter().map(|minute| minute / MINUTES_A_DAY));
    let worked_minutes = worked(&driven_minutes, sight);
    let stretches = watched.stretches.meeting(sight.seen);
    let active = with_hand(&sight.active, &sight.unseen.hand);
    for session in &mut controlled {
        session.unattended = unattended::judge(
            &session.intervals,
            &unattended::Trace {
                active: &active,
                worked: &worked_minutes,
                unseen: &sight.unseen.minutes,
            },
            &stretches,
            sight.seen.0,
            rules,
        );
    }
    let activity = if sight.is_entered {
        personal::Personal::hidden(NOT_LOCAL)
    } else {
        personal::judge(
            &active,
            &personal::Shown {
                worked: &worked_minutes,
                viewed: &viewed_minutes,
                unseen: &sight.unseen,
            },
            &stretches,
            sight.asset.as_ref().and_then(Asset::working_day),
            rules,
        )
    };
    let is_kvm = own.iter().find(|(finding, _)| kvms::shows_screens(finding));
    let near = kvms::near(sight, kvms, watched.vantage);
    HostProfile {
        host: sight.host,
        first_seen: sight.seen.0,
        last_seen: sight.seen.1,
        watched: stretches,
        ips: sight.ips.clone(),
        mac: sight.mac,
        names: sight.names.clone(),
        asset: asset(sight, watched),
        gateways: gateways(sight, watched.vantage),
        network: kvms::network(sight, watched.vantage),
        egress: egress(sight),
        stands_in: sight.stands_in,
        role: main_role(own),
        hours: hours(&driven_minutes),
        sessions: sessions(controlled, sight, rules),
        installed,
        driven_minutes,
        viewed_minutes,
        coverage: activity.coverage,
        local_use: activity.local_use,
        active_minutes: activity.minutes,
        tenants: tenants(sight),
        kvm: KvmEvidence {
            is_kvm: is_kvm.map(|(finding, _)| finding.id),
            drives_this: kvms::driving(sight, &near),
            on_gateway: near,
            // Filled in like its sessions.
            unknown: None,
        },
        // Filled in when those of all machines are known.
        kvm_sessions: Vec::new(),
        serves: sight.serves.clone(),
        vpn: vpn::at(sight, vpn::judge(own, rules)),
        router_vpn: vpn::on_router(sight, watched.vantage),
        days: days.into_iter().collect(),
        boots: sight.starts.clone(),
        control_excess_ms: delays::control_excess(own),
        transport_ms: delays::transport(own),
    }
}

/// Whether what a machine's tunnels and unnamed datagrams show may well be a session in which it is controlled.
#[must_use]
pub fn is_mostly_formed(sight: &Sight, rules: &ActivityRules) -> bool {
    let active = with_hand(&sight.active, &sight.unseen.hand);
    sight
        .unseen
        .is_mostly_formed(&active.minutes, rules.least_minutes)
}

/// Sessions in which the machine is controlled; where none was seen to be live and one may be, nothing is absent.
fn sessions(
    controlled: Vec<RemoteSession>,
    sight: &Sight,
    rules: &ActivityRules,
) -> Observable<Vec<RemoteSession>> {
    let why = sight.unseen.hides_sessions(is_mostly_formed(sight, rules));
    let why = why.or_else(|| sight.is_entered.then(|| NOT_LOCAL.to_owned()));
    if !controlled.iter().any(RemoteSession::is_live)
        && let Some(why) = why
    {
        Observable::NotObservable(why)
    } else if controlled.is_empty() {
        Observable::Absent
    } else {
        Observable::Observed(controlled)
    }
}

/// Organisations that the host's names show.
fn tenants(sight: &Sight) -> Observable<Vec<Tenant>> {
    match (sight.tenants.is_empty(), sight.has_asked) {
        (false, _) => Observable::Observed(sight.tenants.clone()),
        (true, _) if sight.is_entered => Observable::hidden(NOT_LOCAL),
        (true, true) => Observable::Absent,
        (true, false) => Observable::hidden("no names were asked for in the clear"),
    }
}

/// The inventory's row.
fn asset(sight: &Sight, watched: &Watched) -> Observable<Asset> {
    match (&sight.asset, watched.has_inventory) {
        (Some(asset), _) => Observable::Observed(asset.clone()),
        (None, true) => Observable::Absent,
        (None, false) => Observable::hidden("no inventory was given"),
    }
}

/// Driven minutes by hour of the day, UTC.
fn hours(driven_minutes: &[u32]) -> Observable<[u32; 24]> {
    if driven_minutes.is_empty() {
        return Observable::hidden("nobody was seen at the controls");
    }
    let mut hours = [0u32; 24];
    for minute in driven_minutes {
        if let Some(hour) = hours.get_mut((minute / 60 % 24) as usize) {
            *hour = hour.saturating_add(1);
        }
    }
    Observable::Observed(hours)
}

/// Routers through which it talked: at an employer those are the concentrator's or the office's own, and nobody's home.
fn gateways(sight: &Sight, vantage: Vantage) -> Observable<Vec<Gateway>> {
    if vantage == Vantage::Employer {
        return Observable::hidden("an employer's router says nothing of where its machines are");
    }
    if sight.gateways.is_empty() {
        return Observable::hidden("no link address of a router was seen");
    }
    let list = sight
        .gateways
        .iter()
        .map(|(router, days)| Gateway {
            router: *router,
            days: days.iter().copied().collect(),
        })
        .collect();
    Observable::Observed(list)
}

fn egress(sight: &Sight) -> Observable<Vec<Egress>> {
    if sight.egress.is_empty() {
        return Observable::hidden("nothing told the machine's public address");
    }
    let list = sight
        .egress
        .iter()
        .map(|seen| Egress {
            address: seen.address,
            days: seen.days.clone(),
            is_declared: seen.is_declared,
            kind: seen.kind,
            source: seen.source.clone(),
            is_default_database_only: seen.is_default_database_only,
        })
        .collect();
    Observable::Observed(list)
}

fn remote_session(finding: &Finding, session: Option<&SessionSight>) -> RemoteSession {
    let place = || session.map_or_else(Observable::default, |session| session.controller_place.clone());
    let through = session.and_then(|session| session.through.as_ref());
    let controllers = match (through, finding.controller.as_deref()) {
        (Some(through), _) => vec![ControllerSeen {
            id: through.controller.unwrap_or(through.stone).to_string(),
            address: through.controller,
            how: format!("through {}", through.stone),
            place: place(),
        }],
        (None, Some(controller)) => vec![ControllerSeen {
            id: controller.address.to_string(),
            address: Some(controller.address),
            how: controller.how.clone(),
            place: place(),
        }],
        (None, None) => Vec::new(),
    };
    let instance = session.and_then(|session| session.instance.clone());
    RemoteSession {
        tool: finding.tool.clone(),
        instance: instance.map(|(name, is_private)| Instance {
            name,
            kind: if is_private {
                InstanceKind::PrivateServer
            } else {
                InstanceKind::Tenant
            },
        }),
        sanctioned: finding.sanctioned,
        controllers,
        relays: session.map(|session| session.relays.clone()).unwrap_or_default(),
        intervals: finding.intervals.clone(),
        unattended: None,
        finding: finding.id,
    }
}

/// What a host mostly is in remote sessions, by the time of its live sessions; an idle agent counts least.
fn main_role(own: &[(&Finding, Option<&SessionSight>)]) -> Role {
    let mut seconds: BTreeMap<Role, i64> = BTreeMap::new();
    for (finding, _) in own.iter().filter(|(finding, _)| is_remote(finding)) {
        let live: i64 = finding
            .intervals
            .iter()
            .filter(|(_, _, state)| matches!(state, Activity::Driven | Activity::Viewed))
            .map(|(start, end, _)| end.since(*start) / SECOND)
            .sum();
        let sum = seconds.entry(finding.role).or_default();
        *sum = sum.saturating_add(live);
    }
    seconds
        .into_iter()
        .filter(|(role, _)| *role != Role::Unknown)
        .max_by_key(|(role, live)| (*live, std::cmp::Reverse(*role)))
        .map_or(Role::Unknown, |(role, _)| role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::watched::Stretches;

    #[test]
    fn a_machine_was_watched_by_the_captures_that_know_it_and_by_those_between() {
        let at = |minute: i64| Timestamp(minute * 60 * SECOND);
        let watched = Watched {
            stretches: Stretches::of(vec![
                (at(0), at(60)),
                (at(1_500), at(1_560)),
                (at(50), at(70)),
                (at(3_000), at(3_060)),
            ]),
            ..Watched::default()
        };
        let rules = Rules::shipped();
        let minutes = |first: i64, last: i64| {
            let sight = Sight {
                seen: (at(first), at(last)),
                ..Sight::default()
            };
            build(&[sight], &[], Vec::new(), &watched, rules)[0].watched_minutes()
        };
        assert!((minutes(5, 40) - 70.0).abs() < 1e-9);
        assert!((minutes(1_510, 1_520) - 60.0).abs() < 1e-9);
        assert!((minutes(5, 3_010) - 190.0).abs() < 1e-9);
    }

    #[test]
    fn of_an_address_that_is_not_local_nothing_is_absent() {
        let sight = Sight {
            is_entered: true,
            has_asked: true,
            ..Sight::default()
        };
        let rules = Rules::shipped();
        let profiles = build(&[sight], &[], Vec::new(), &Watched::default(), rules);
        let profile = &profiles[0];
        for reason in [
            profile.sessions.reason(),
            profile.tenants.reason(),
            profile.coverage.reason(),
            profile.local_use.reason(),
        ] {
            assert_eq!(reason, Some(NOT_LOCAL));
        }
    }
}

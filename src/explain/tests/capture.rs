//! Whole explanations of made-up hosts: a blatant farm in an hour, and the offices and homes that must stay quiet.

use super::*;
use crate::model::address::{Address, AddressSpace, MacAddress};
use crate::model::finding::{Activity, Role};
use crate::model::group::Member;
use crate::model::observable::Observable;
use crate::model::profile::{
    Asset, ControllerPlace, ControllerPlaceKind, ControllerSeen, Coverage, Egress, Gateway, InstalledTool,
    KvmEvidence, KvmSeen, LocalUse, NetworkKind, RemoteSession, Shows,
};
use crate::model::router::Router;
use crate::model::tenancy::Tenant;
use crate::model::time::{SECOND, Timestamp};
use crate::model::watched::Stretches;

const DAY: u32 = 20_000;

fn start() -> Timestamp {
    Timestamp::from_parts(i64::from(DAY) * 86_400 + 50_000, 0)
}

/// A machine that was watched for an hour and controlled through a relay for most of it.
fn machine(
    number: u8,
    tool: &str,
    sanctioned: Option<bool>,
    controller: Option<&str>,
    tenant: &str,
) -> HostProfile {
    let controllers = controller
        .map(|id| ControllerSeen {
            id: id.to_owned(),
            address: None,
            how: "relay_id".to_owned(),
            place: Observable::hidden("relayed"),
        })
        .into_iter()
        .collect();
    HostProfile {
        host: ContentId::of(&[b"host", &[number]]),
        first_seen: start(),
        last_seen: start().plus(3_600 * SECOND),
        watched: Stretches::of(vec![(start(), start().plus(3_600 * SECOND))]),
        ips: vec![Address::from_v4([192, 168, 1, number])],
        days: vec![DAY],
        gateways: Observable::Observed(vec![Gateway {
            router: Router::new(MacAddress([2, 0, 0, 0, 0, 1]), AddressSpace::default(), 0),
            days: vec![DAY],
        }]),
        tenants: Observable::Observed(vec![Tenant::on(tenant, &[1])]),
        role: Role::Controlled,
        sessions: Observable::Observed(vec![RemoteSession {
            tool: tool.to_owned(),
            sanctioned,
            controllers,
            relays: vec!["198.51.100.1".to_owned()],
            intervals: vec![(start(), start().plus(3_000 * SECOND), Activity::Driven)],
            unattended: Some(true),
            finding: ContentId::of(&[b"finding", &[number]]),
            ..RemoteSession::default()
        }]),
        kvm: KvmEvidence {
            on_gateway: Observable::Absent,
            ..KvmEvidence::default()
        },
        vpn: Observable::Absent,
        coverage: Observable::Observed(Coverage {
            share: 1.0,
            active_minutes: 50,
            days: 1,
        }),
        local_use: Observable::Absent,
        ..HostProfile::default()
    }
}

fn on_line(mut profile: HostProfile, kind: NetworkKind, is_default_database_only: bool) -> HostProfile {
    profile.egress = Observable::Observed(vec![Egress {
        address: Address::from_v4([203, 0, 113, 5]),
        days: profile.days.clone(),
        is_declared: false,
        kind: Some(kind),
        source: Some("test".to_owned()),
        is_default_database_only,
    }]);
    profile
}

pub(super) fn group_of(profiles: &[HostProfile]) -> Vec<Group> {
    let members = profiles.iter().map(|profile| Member {
        host: profile.host,
        membership: 1.0,
        is_loose: false,
    });
    vec![Group {
        id: ContentId(1),
        members: members.collect(),
        edges: Vec::new(),
        second_opinion: None,
        operation: None,
    }]
}

pub(super) fn explained(profiles: &[HostProfile]) -> Explained {
    explain(
        &group_of(profiles),
        profiles,
        0,
        &weights(),
        &Circumstances::default(),
    )
}

pub(super) fn farm() -> Vec<HostProfile> {
    (1..=5)
        .map(|number| {
            let tenant = format!("firm{number}");
            machine(number, "anydesk", Some(false), Some("operator"), &tenant)
        })
        .collect()
}

#[test]
fn a_blatant_farm_is_up_for_review_after_an_hour_and_says_what_is_missing() {
    let found = explained(&farm());
    let record = &found.farms[0];
    println!("{record:#?}");
    assert_eq!(record.verdict, Verdict::Review);
    assert!(
        record
            .not_observable
            .iter()
            .any(|one| one.starts_with("cover: capture too short"))
    );
    assert!(
        record
            .not_observable
            .iter()
            .any(|one| one.starts_with("local: capture too short"))
    );
    assert!(
        record
            .not_observable
            .iter()
            .any(|one| one.starts_with("sess: capture too short"))
    );
    assert!(!record.next_question.is_empty());
    assert_eq!(record.shared.controllers, ["operator"]);
    assert!(record.summary.contains("consistent with"));
    assert!(!record.summary.contains(" is a farm"));
    let declared = record
        .counterfactuals
        .iter()
        .find(|one| one.change.contains("sanctioned"))
        .unwrap();
    assert!(declared.farm < 0.02 && declared.verdict == Verdict::None);
}

#[test]
fn a_blatant_farm_is_up_for_review_even_where_nobody_listed_tools() {
    let all: Vec<HostProfile> = (1..=5)
        .map(|number| {
            machine(
                number,
                "anydesk",
                None,
                Some("operator"),
                &format!("firm{number}"),
            )
        })
        .collect();
    let found = explained(&all);
    assert_eq!(
        found.farms[0].verdict,
        Verdict::Review,
        "{:?}",
        found.farms[0].explanations
    );
    let auth = found.farms[0]
        .not_observable
        .iter()
        .find(|one| one.starts_with("auth"));
    assert_eq!(auth.unwrap(), "auth: no list of sanctioned tools was given");
}

fn place_controllers(profile: &mut HostProfile, kind: ControllerPlaceKind, is_default_database_only: bool) {
    if let Observable::Observed(sessions) = &mut profile.sessions {
        for controller in sessions.iter_mut().flat_map(|session| &mut session.controllers) {
            controller.address = Some(Address::from_v4([198, 51, 100, 77]));
            controller.place = Observable::Observed(ControllerPlace {
                kind,
                country: Some("ZZ".to_owned()),
                organisation: None,
                hides_origin: false,
                source: "test".to_owned(),
                is_default_database_only,
            });
        }
    }
}

#[test]
fn the_default_database_alone_never_raises_anything() {
    let mut plain = farm();
    for profile in &mut plain {
        place_controllers(profile, ControllerPlaceKind::Foreign, true);
    }
    let mut without = farm();
    for profile in &mut without {
        if let Observable::Observed(sessions) = &mut profile.sessions {
            sessions[0].relays.clear();
        }
    }
    let guessed: Vec<HostProfile> = plain
        .iter()
        .map(|profile| on_line(profile.clone(), NetworkKind::Residential, true))
        .collect();
    let (found, base) = (explained(&guessed), explained(&without));
    assert_eq!(found.farms[0].explanations, base.farms[0].explanations);
    for cue in ["ctrl_geo", "site"] {
        let line = found.farms[0]
            .not_observable
            .iter()
            .find(|one| one.starts_with(cue))
            .unwrap();
        assert!(line.contains("default geo database"), "{line}");
    }
}

#[test]
fn a_declared_provider_in_an_office_is_nothing() {
    let all: Vec<HostProfile> = (1..=6)
        .map(|number| {
            let mut profile = machine(number, "screenconnect", Some(true), Some("msp"), "dental");
            let mut asset = Asset::default();
            asset.record.site = Some("main street".to_owned());
            profile.asset = Observable::Observed(asset);
            profile
        })
        .collect();
    let found = explained(&all);
    assert_eq!(found.farms[0].verdict, Verdict::None);
    assert!(
        found.farms[0].explanations.farm < 0.0001,
        "{:?}",
        found.farms[0].explanations
    );
    assert!(found.hosts.iter().all(|host| host.verdict == Verdict::None));
}

#[test]
fn an_undeclared_provider_in_an_office_stays_below_review_even_on_a_home_line() {
    for sanctioned in [None, Some(false)] {
        let all: Vec<HostProfile> = (1..=6)
            .map(|number| machine(number, "screenconnect", sanctioned, Some("msp"), "dental"))
            .map(|profile| on_line(profile, NetworkKind::Residential, false))
            .collect();
        let found = explained(&all);
        assert!(
            found.farms[0].verdict < Verdict::Review,
            "{:?}",
            found.farms[0].explanations
        );
        // An owner of six machines is the rival: where nobody declared anything, one controller fits him too.
        assert!(found.farms[0].explanations.msp > 0.5);
        assert!(found.hosts.iter().all(|host| host.verdict < Verdict::Review));
    }
}

#[test]
fn a_call_centre_controls_others_and_is_nothing() {
    let all: Vec<HostProfile> = (1..=8)
        .map(|number| HostProfile {
            role: Role::Controller,
            sessions: Observable::Absent,
            ..machine(number, "rdp", None, None, "centre")
        })
        .collect();
    let found = explained(&all);
    assert!(found.hosts.iter().all(|host| host.verdict == Verdict::None));
    assert_eq!(found.farms[0].verdict, Verdict::None);
}

#[test]
fn one_user_of_teamviewer_in_a_dormitory_is_no_more_than_a_note() {
    for sanctioned in [None, Some(false)] {
        let mut all = vec![machine(1, "teamviewer", sanctioned, None, "university")];
        for number in 2..=9 {
            all.push(HostProfile {
                sessions: Observable::Absent,
                role: Role::Unknown,
                ..machine(number, "", None, None, "university")
            });
        }
        let found = explained(&all);
        assert_eq!(found.farms[0].verdict, Verdict::None);
        assert!(
            found.hosts.iter().all(|host| host.verdict <= Verdict::Note),
            "{:#?}",
            found.hosts[0]
        );
    }
}

#[test]
fn a_tool_that_is_rolled_out_but_has_no_session_is_nothing() {
    let all: Vec<HostProfile> = (1..=30)
        .map(|number| HostProfile {
            sessions: Observable::Absent,
            role: Role::Agent,
            installed: vec![InstalledTool {
                tool: "anydesk".to_owned(),
                sanctioned: Some(false),
                finding: ContentId(u64::from(number)),
            }],
            ..machine(number, "", None, None, "firm")
        })
        .collect();
    let found = explained(&all);
    assert_eq!(found.farms[0].verdict, Verdict::None);
    assert!(found.hosts.iter().all(|host| host.verdict == Verdict::None));
    // An idle session is no session either.
    let mut idle = machine(1, "anydesk", Some(false), None, "firm");
    if let Observable::Observed(sessions) = &mut idle.sessions {
        sessions[0].intervals[0].2 = Activity::Idle;
    }
    let alone = explain_host(&idle, &weights(), &Circumstances::default(), &[]);
    assert_eq!(alone.verdict, Verdict::None);
}

#[test]
fn a_damaged_capture_carries_no_more_than_a_review() {
    let all: Vec<HostProfile> = farm()
        .into_iter()
        .map(|profile| on_line(profile, NetworkKind::Residential, false))
        .collect();
    let circumstances = Circumstances {
        damage: Some("a third of the packets is missing".to_owned()),
        ..Circumstances::default()
    };
    let found = explain(&group_of(&all), &all, 0, &weights(), &circumstances);
    assert_eq!(found.farms[0].verdict, Verdict::Review);
    assert!(
        found.farms[0]
            .summary
            .contains("a third of the packets is missing")
    );
}

#[test]
fn five_days_let_coverage_and_local_use_speak() {
    let all: Vec<HostProfile> = farm()
        .into_iter()
        .map(|mut profile| {
            profile.days = (DAY..DAY + 5).collect();
            profile.watched = Stretches::of(vec![(start(), start().plus(5 * 86_400 * SECOND))])
                .judged_by(weights().rules.working_day);
            profile.coverage = Observable::Observed(Coverage {
                share: 0.93,
                active_minutes: 2_000,
                days: 5,
            });
            if let Observable::Observed(sessions) = &mut profile.sessions {
                sessions[0].intervals = (0..5)
                    .map(|day| {
                        let from = start().plus(day * 86_400 * SECOND);
                        (from, from.plus(25_000 * SECOND), Activity::Driven)
                    })
                    .collect();
            }
            on_line(profile, NetworkKind::Residential, false)
        })
        .collect();
    let found = explained(&all);
    let record = &found.farms[0];
    assert_eq!(record.verdict, Verdict::Review, "two kinds of evidence");
    assert!(record.summary.contains("only 2 of 3 needed kinds of evidence"));
    let far: Vec<HostProfile> = (all.iter().cloned())
        .map(|profile| HostProfile {
            control_excess_ms: Observable::Observed(140.0),
            ..profile
        })
        .collect();
    assert!(explained(&far).farms[0].verdict >= Verdict::Likely);
    assert!(record.explanations.farm > 0.98);
    let of = |cue: &str| record.reasons.iter().find(|reason| reason.reason == cue).unwrap();
    assert!(of("cover").weight.0 > 5.0);
    assert_eq!(of("local").state, State::Absent);
    let lived_in: Vec<HostProfile> = all
        .into_iter()
        .map(|profile| HostProfile {
            local_use: Observable::Observed(LocalUse::Present),
            ..profile
        })
        .collect();
    assert!(explained(&lived_in).farms[0].explanations.farm < record.explanations.farm);
}

#[test]
fn an_employer_sees_assignees_who_should_live_apart_and_admits_what_it_cannot_see() {
    let all: Vec<HostProfile> = [33.0, 41.0, 47.0]
        .into_iter()
        .zip(1_u8..)
        .map(|(latitude, number)| {
            let mut asset = Asset {
                coordinates: Some((latitude, -100.0)),
                ..Asset::default()
            };
            asset.record.assignee = Some(format!("person {number}"));
            let profile = HostProfile {
                asset: Observable::Observed(asset),
                sessions: Observable::Absent,
                kvm: KvmEvidence::default(),
                role: Role::Unknown,
                ..machine(number, "", None, None, "firm")
            };
            on_line(profile, NetworkKind::Residential, false)
        })
        .collect();
    let circumstances = Circumstances {
        vantage: Vantage::Employer,
        ..Circumstances::default()
    };
    let found = explain(&group_of(&all), &all, 0, &weights(), &circumstances);
    let record = &found.farms[0];
    assert!(record.verdict >= Verdict::Note, "{record:#?}");
    assert!(record.verdict < Verdict::Likely);
    assert!(record.not_observable.iter().any(|one| one.starts_with("kvm:")));
    assert!(record.not_observable.iter().any(|one| one.starts_with("n_rc:")));
}

#[test]
fn a_router_is_a_shared_home_only_where_it_cannot_be_the_employers_own() {
    let of = |employers: [&str; 3]| -> Vec<HostProfile> {
        let apart = [33.0, 41.0, 47.0].into_iter().zip(employers);
        let profiles = apart.zip(1_u8..).map(|((latitude, employer), number)| {
            let mut asset = Asset {
                coordinates: Some((latitude, -100.0)),
                ..Asset::default()
            };
            asset.record.employer = Some(employer.to_owned());
            asset.record.assignee = Some(format!("P{number}"));
            HostProfile {
                asset: Observable::Observed(asset),
                ..machine(number, "anydesk", None, Some("operator"), "firm")
            }
        });
        profiles.collect()
    };
    let is_told = |all: &[HostProfile], is_vantage_assumed| {
        let circumstances = Circumstances {
            is_vantage_assumed,
            ..Circumstances::default()
        };
        let found = explain(&group_of(all), all, 0, &weights(), &circumstances);
        found.farms[0].reasons.iter().any(|one| one.reason == "assignees")
    };
    let staff = of(["Acme"; 3]);
    assert!(!is_told(&staff, true), "it may be where the staff comes together");
    assert!(is_told(&staff, false), "somebody said that it is a house");
    assert!(
        is_told(&of(["Acme", "Acme", "Brook"]), true),
        "nobody's own router has two employers"
    );
}

#[test]
fn the_order_of_hosts_and_members_decides_nothing() {
    let sorted = farm();
    let mut turned = sorted.clone();
    turned.reverse();
    turned.swap(0, 2);
    let mut one = group_of(&sorted);
    one[0].members.rotate_left(2);
    assert_eq!(
        explain(&one, &sorted, 0, &weights(), &Circumstances::default()).hosts,
        explained(&turned).hosts
    );
    assert_eq!(
        explain(&one, &sorted, 0, &weights(), &Circumstances::default()).farms,
        explained(&turned).farms
    );
}

#[test]
fn no_word_of_a_report_says_nationality_or_that_something_is_a_farm() {
    let found = explained(&farm());
    let mut words: Vec<String> = found.farms.iter().map(|farm| farm.summary.clone()).collect();
    words.extend(found.hosts.iter().map(|host| host.summary.clone()));
    for text in words {
        assert!(text.contains("consistent with"));
        for word in ["Chinese", "Korean", "Russian", "nationality", "is a farm"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[test]
fn a_tool_on_most_machines_of_an_employer_is_policy_but_in_a_house_it_is_not() {
    let all: Vec<HostProfile> = (1..=40)
        .map(|number| {
            let tenant = format!("firm{number}");
            machine(number, "anydesk", Some(false), Some("operator"), &tenant)
        })
        .collect();
    let employer = Circumstances {
        vantage: Vantage::Employer,
        ..Circumstances::default()
    };
    let found = explain(&group_of(&all), &all, 0, &weights(), &employer);
    let record = &found.farms[0];
    assert_eq!(record.verdict, Verdict::None, "{:?}", record.explanations);
    assert!(
        record
            .not_observable
            .iter()
            .any(|one| one.contains("policy rather than anomaly"))
    );
    assert!(explained(&all).farms[0].verdict >= Verdict::Review);
}

mod assignees;
mod kvm;
mod little;
mod local;
mod place;
mod rounds;
mod watched;

//! Whole clustering runs on hand-made profiles, and the sanity table of DETECTION 6.2.

mod building;

use proptest::prelude::*;

use super::*;
use crate::model::address::{Address, AddressSpace, MacAddress, SpaceKind};
use crate::model::finding::{Activity, Role};
use crate::model::profile::{
    Asset, ControllerSeen, Egress, Gateway, Instance, InstanceKind, KvmSeen, RemoteSession, Shows,
};
use crate::model::tenancy::Tenant;
use crate::model::time::{SECOND, Timestamp};
use crate::model::watched::Stretches;

fn weights() -> PairWeights {
    PairWeights::from_toml(include_str!("../explain/weights.toml")).unwrap()
}

const DAY: u32 = 20_000;

/// A machine behind a router, controlled by somebody, on five days.
fn machine(number: u8, tenant: &str, controller: &str) -> HostProfile {
    let start = Timestamp::from_parts(i64::from(DAY) * 86_400, 0);
    HostProfile {
        host: ContentId::of(&[b"host", &[number]]),
        first_seen: start.plus(i64::from(number) * SECOND),
        watched: Stretches::of(vec![(start, start.plus(5 * 86_400 * SECOND))]),
        ips: vec![Address::from_v4([192, 168, 1, number])],
        days: (DAY..DAY + 5).collect(),
        gateways: Observable::Observed(vec![Gateway {
            router: Router::new(MacAddress([2, 0, 0, 0, 0, 1]), AddressSpace::default(), 0),
            days: (DAY..DAY + 5).collect(),
        }]),
        tenants: Observable::Observed(vec![Tenant::on(tenant, &[1])]),
        role: Role::Controlled,
        sessions: Observable::Observed(vec![RemoteSession {
            tool: "anydesk".to_owned(),
            sanctioned: Some(false),
            controllers: vec![ControllerSeen {
                id: controller.to_owned(),
                address: None,
                how: "relay_id".to_owned(),
                place: Observable::hidden("relayed"),
            }],
            intervals: vec![(start, start.plus(3_600 * SECOND), Activity::Driven)],
            ..RemoteSession::default()
        }]),
        ..HostProfile::default()
    }
}

fn total(one: &HostProfile, other: &HostProfile) -> PairLedger {
    let weights = weights();
    let sets = vec![tokens::of(one), tokens::of(other)];
    let rarity = Rarity::of(&sets, 2, &weights.candidates);
    pairs::ledger(
        one,
        other,
        &Scale {
            weights: &weights,
            rarity: &rarity,
            tenants: &Tenants::of(&[one, other]),
        },
    )
}

/// Minutes of one person who drives a machine for ten minutes, then the other, five days long.
fn turns(first: bool) -> Vec<u32> {
    (0..5)
        .flat_map(|day| (0..480).map(move |minute| (DAY + day) * 1_440 + 840 + minute))
        .filter(|minute| (minute / 10 % 2 == 0) == first)
        .collect()
}

/// When somebody restarts the machines of a room, at another hour each day: always the same hour would be a habit.
fn burst(day: u32) -> Timestamp {
    Timestamp::from_parts(i64::from(DAY + day) * 86_400 + 30_000 + i64::from(day) * 9_000, 0)
}

#[test]
fn the_sanity_table_holds_for_two_farm_machines_under_one_person() {
    let mut one = machine(1, "a", "c");
    let mut other = machine(2, "b", "x");
    for (profile, first) in [(&mut one, true), (&mut other, false)] {
        // Half of the controllers in common: the document's 3.5 (of at most 7.5).
        let mut hours = [0; 24];
        hours[14] = 60;
        profile.hours = Observable::Observed(hours);
        profile.driven_minutes = turns(first);
        let boots = (0..5).map(burst);
        profile.boots = Observable::Observed(boots.collect());
    }
    if let Observable::Observed(sessions) = &mut one.sessions {
        let mut second = sessions[0].controllers[0].clone();
        second.id = "x".to_owned();
        sessions[0].controllers.push(second);
    }
    let ledger = total(&one, &other);
    let of = |term: &str| {
        ledger
            .lines
            .iter()
            .find(|line| line.term == term)
            .unwrap()
            .said
            .nats
    };
    assert!((of("controller") - 3.5).abs() < 0.5, "{ledger:?}");
    assert!((of("place") - 3.5).abs() < 1e-9);
    assert!((of("focus") - 6.0).abs() < 1e-9);
    assert!((of("tool") - 1.0).abs() < 1e-9);
    assert!((of("tenancy") - 2.0).abs() < 1e-9);
    assert!((of("physical") - 1.5).abs() < 1e-9);
    assert!((ledger.total - 15.5).abs() < 1.1, "{}", ledger.total);
    assert_eq!(ledger.not_observable, ["path"]);
}

#[test]
fn the_sanity_table_holds_for_two_farm_machines_that_share_nothing_but_the_room() {
    let room = |number, tenant: &str, controller: &str, hour: usize| {
        let mut profile = machine(number, tenant, controller);
        let mut hours = [0; 24];
        hours[hour] = 60;
        profile.hours = Observable::Observed(hours);
        let boots = (0..5).map(burst);
        profile.boots = Observable::Observed(boots.collect());
        profile
    };
    let ledger = total(&room(1, "a", "x", 10), &room(2, "b", "y", 14));
    assert!((ledger.total - 5.5).abs() < 1e-6, "{ledger:?}");
}

#[test]
fn the_sanity_table_holds_for_an_office_with_and_without_its_declaration() {
    let office = |number, is_declared: bool| {
        let mut profile = machine(number, "dental", "msp");
        if let Observable::Observed(sessions) = &mut profile.sessions {
            sessions[0].sanctioned = Some(is_declared);
            sessions[0].instance = Some(Instance {
                name: "instance-abc".to_owned(),
                kind: InstanceKind::Tenant,
            });
        }
        if is_declared {
            let mut asset = Asset::default();
            asset.record.site = Some("main street".to_owned());
            asset.record.employer = Some("dental".to_owned());
            profile.asset = Observable::Observed(asset);
        }
        let mut hours = [0; 24];
        hours[15] = 30;
        profile.hours = Observable::Observed(hours);
        profile
    };
    let open = total(&office(1, false), &office(2, false));
    // The document adds one controller in full at 7.5; terms are clamped to 6 by the same section.
    assert!((open.total - (10.5 - 1.5)).abs() < 1e-6, "{}", open.total);
    let declared = total(&office(1, true), &office(2, true));
    assert!((declared.total - (1.5 - 1.5)).abs() < 1e-6, "{}", declared.total);
}

#[test]
fn the_sanity_table_holds_for_an_employer_and_for_strangers_at_one_address() {
    let remote = |number, latitude: f64| {
        let mut asset = Asset {
            coordinates: Some((latitude, -100.0)),
            ..Asset::default()
        };
        asset.record.employer = Some("firm".to_owned());
        HostProfile {
            host: ContentId::of(&[b"remote", &[number]]),
            asset: Observable::Observed(asset),
            days: (DAY..DAY + 20).collect(),
            egress: Observable::Observed(vec![Egress {
                address: Address::from_v4([203, 0, 113, 7]),
                days: (DAY..DAY + 20).collect(),
                is_declared: false,
                kind: None,
                source: None,
                is_default_database_only: false,
            }]),
            ..HostProfile::default()
        }
    };
    let assignees = total(&remote(1, 33.0), &remote(2, 41.0));
    assert!((assignees.total - 3.0).abs() < 1e-6, "{}", assignees.total);
    let stranger = |number, tenant: &str, controller: &str| {
        let mut profile = machine(number, tenant, controller);
        profile.gateways = Observable::hidden("not on this segment");
        profile.egress = Observable::Observed(vec![Egress {
            address: Address::from_v4([203, 0, 113, 9]),
            days: (DAY..DAY + 5).collect(),
            is_declared: false,
            kind: Some(crate::model::profile::NetworkKind::Shared),
            source: None,
            is_default_database_only: false,
        }]);
        profile
    };
    let strangers = total(&stranger(1, "a", "x"), &stranger(2, "b", "y"));
    assert!((strangers.total - 0.9).abs() < 0.03, "{}", strangers.total);
}

#[test]
fn a_declared_exit_ties_nobody_and_one_person_has_one_home() {
    let at_exit = |number: u8, latitude: f64, assignee: &str, is_declared: bool| {
        let mut asset = Asset {
            coordinates: Some((latitude, -100.0)),
            ..Asset::default()
        };
        asset.record.employer = Some("firm".to_owned());
        asset.record.assignee = Some(assignee.to_owned());
        HostProfile {
            host: ContentId::of(&[b"staff", &[number]]),
            asset: Observable::Observed(asset),
            days: (DAY..DAY + 20).collect(),
            egress: Observable::Observed(vec![Egress {
                address: Address::from_v4([203, 0, 113, 7]),
                days: (DAY..DAY + 20).collect(),
                is_declared,
                kind: None,
                source: None,
                is_default_database_only: false,
            }]),
            ..HostProfile::default()
        }
    };
    let term = |one: &HostProfile, other: &HostProfile, name: &str| {
        let said = total(one, other).lines.into_iter().find(|line| line.term == name);
        said.map(|line| line.said.nats)
    };
    let (ann, bob) = (at_exit(1, 33.0, "ann", false), at_exit(2, 41.0, "bob", false));
    assert_eq!(term(&ann, &bob, "place"), Some(3.5));
    assert_eq!(term(&ann, &bob, "tenancy"), Some(2.0));
    // The exit is declared for either of them.
    let staff = at_exit(2, 41.0, "bob", true);
    assert_eq!(term(&ann, &staff, "place"), None);
    let shared = |one: &HostProfile, other: &HostProfile| {
        let others = tokens::of(other);
        tokens::of(one).iter().any(|token| others.contains(token))
    };
    assert!(shared(&ann, &bob) && !shared(&ann, &staff));
    // Old and new home of one person.
    assert_eq!(term(&ann, &at_exit(2, 41.0, "ann", false), "tenancy"), Some(0.0));
}

#[test]
fn a_router_is_a_place_on_its_link_and_a_stand_by_address_in_its_capture() {
    let place = |one: Router, other: Router| {
        let behind = |number, router| {
            let mut profile = machine(number, &format!("firm{number}"), &format!("c{number}"));
            profile.gateways = Observable::Observed(vec![Gateway {
                router,
                days: (DAY..DAY + 5).collect(),
            }]);
            profile
        };
        let (one, other) = (behind(1, one), behind(2, other));
        let said = total(&one, &other)
            .lines
            .iter()
            .find(|line| line.term == "place")
            .map(|line| line.said.nats);
        (said, terms::place::are_apart(&one, &other))
    };
    let plain = AddressSpace::default();
    let own = MacAddress([2, 0, 0, 0, 0, 1]);
    assert_eq!(
        place(Router::new(own, plain, 0), Router::new(own, plain, 3)),
        (Some(3.5), false)
    );
    // A VLAN for each machine, or for each tenant of a building.
    let [one, other] = [10, 20].map(|vlan| Router::new(own, plain.with_vlan(vlan), 0));
    assert_eq!(place(one, other), (Some(0.875), false));
    let [one, other] = [10, 20].map(|network| {
        let space = plain.with_identifier(SpaceKind::Vni, network);
        Router::new(own, space, 0)
    });
    assert_eq!(place(one, other), (Some(-0.5), true));
    // VRRP, group 9.
    let stand_by = MacAddress([0, 0, 0x5e, 0, 1, 9]);
    let of = |capture| Router::new(stand_by, plain, capture);
    assert_eq!(place(of(0), of(0)), (Some(3.5), false));
    assert_eq!(place(of(0), of(1)), (None, false));
}

#[test]
fn without_routers_one_network_is_a_place_at_reduced_weight() {
    let seen_in = |number, network: [u8; 4]| {
        let mut profile = machine(number, &format!("firm{number}"), &format!("c{number}"));
        profile.gateways = Observable::hidden("no link addresses");
        profile.network = Some(Address::from_v4(network));
        profile
    };
    let place = |one: &HostProfile, other: &HostProfile| {
        let lines = total(one, other).lines.into_iter();
        lines
            .filter(|line| line.term == "place")
            .map(|line| line.said.nats)
            .next()
    };
    let (one, beside) = (seen_in(1, [10, 0, 0, 0]), seen_in(2, [10, 0, 0, 0]));
    assert_eq!(place(&one, &beside), Some(0.875));
    assert_eq!(place(&one, &seen_in(2, [10, 0, 1, 0])), None);
    assert_eq!(place(&one, &machine(2, "firm2", "c2")), None);
    assert!(
        tokens::of(&one)
            .iter()
            .any(|token| tokens::of(&beside).contains(token))
    );
}

#[test]
fn a_house_of_controlled_machines_is_no_crowd_and_its_groups_do_not_follow_the_tools() {
    let tools = ["anydesk", "teamviewer", "splashtop"];
    let house = |is_controlled: bool| -> Vec<HostProfile> {
        let made = (1..=90_u8).map(|number| {
            let mut profile = machine(number, &format!("firm{}", number % 45), "");
            if let Observable::Observed(sessions) = &mut profile.sessions {
                for session in sessions.iter_mut() {
                    session.controllers.clear();
                    tools[usize::from(number) % 3].clone_into(&mut session.tool);
                    if !is_controlled {
                        session.intervals.clear();
                    }
                }
            }
            profile
        });
        made.collect()
    };
    let found = cluster(&house(true), 0, &weights());
    let sizes: Vec<usize> = found.groups.iter().map(|group| group.members.len()).collect();
    assert_eq!(sizes, [90]);
    // The router of as many whom nobody controls makes nobody a neighbour.
    let idle = house(false);
    let nodes: Vec<&HostProfile> = idle.iter().collect();
    let sets: Vec<Vec<u64>> = nodes.iter().map(|profile| tokens::of(profile)).collect();
    let weights = weights();
    let rarity = Rarity::of(&sets, 90, &weights.candidates).among(&nodes);
    assert!(sets[0].iter().all(|token| rarity.weight(*token) < 1e-9));
}

#[test]
fn a_farm_and_an_office_are_two_groups_and_the_helpdesk_is_in_neither() {
    let mut all: Vec<HostProfile> = (1..=5)
        .map(|number| machine(number, &format!("firm{number}"), "operator"))
        .collect();
    for number in 11..=14 {
        let mut profile = machine(number, "office", "helpdesk");
        profile.gateways = Observable::Observed(vec![Gateway {
            router: Router::new(MacAddress([2, 0, 0, 0, 0, 9]), AddressSpace::default(), 0),
            days: (DAY..DAY + 5).collect(),
        }]);
        all.push(profile);
    }
    let mut helpdesk = machine(20, "office", "helpdesk");
    helpdesk.role = Role::Controller;
    helpdesk.gateways = all[6].gateways.clone();
    all.push(helpdesk.clone());
    let found = cluster(&all, 0, &weights());
    let mut sizes: Vec<usize> = found.groups.iter().map(|group| group.members.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [4, 5]);
    for group in &found.groups {
        assert!(group.members.iter().all(|member| member.host != helpdesk.host));
        assert!(
            group
                .members
                .iter()
                .all(|member| member.membership > 0.8 && !member.is_loose)
        );
        assert!(!group.edges.is_empty());
    }
}

#[test]
fn the_phones_and_televisions_of_a_house_are_no_group() {
    let all: Vec<HostProfile> = (1..=8)
        .map(|number| HostProfile {
            sessions: Observable::Absent,
            tenants: Observable::Absent,
            ..machine(number, "", "")
        })
        .collect();
    assert!(cluster(&all, 0, &weights()).groups.is_empty());
}

#[test]
fn kvm_switches_tie_the_machines_beside_them_to_one_room() {
    let switch = KvmSeen {
        host: ContentId(77),
        shows: Shows::Unknown,
        name: "pikvm".to_owned(),
        finding: ContentId(78),
    };
    let mut all: Vec<HostProfile> = (1..=3)
        .map(|number| {
            let mut profile = machine(number, &format!("firm{number}"), "");
            profile.sessions = Observable::Absent;
            profile.kvm.on_gateway = Observable::Observed([switch.clone()].into());
            profile
        })
        .collect();
    let mut kvm = machine(9, "", "");
    kvm.host = switch.host;
    kvm.sessions = Observable::Absent;
    kvm.tenants = Observable::Absent;
    kvm.kvm.is_kvm = Some(switch.finding);
    all.push(kvm);
    let found = cluster(&all, 0, &weights());
    assert_eq!(found.groups.len(), 1);
    assert_eq!(found.groups[0].members.len(), 4, "the switch is part of it");
    let of = |one: &HostProfile, other: &HostProfile| {
        let ledger = total(one, other);
        let line = ledger.lines.iter().find(|line| line.term == "physical").cloned();
        line.unwrap().said
    };
    let (kvm, laptop) = (all.last().unwrap(), all.first().unwrap());
    for said in [of(laptop, kvm), of(kvm, laptop), of(laptop, &all[1])] {
        assert!((said.nats - 1.0).abs() < 1e-9, "{said:?}");
    }
}

/// Machines from this number on behind a router of their own.
fn house(router: u8, from: u8, many: u8, controller: &str) -> Vec<HostProfile> {
    (from..from + many)
        .map(|number| {
            let mut profile = machine(number, &format!("firm{number}"), controller);
            profile.gateways = Observable::Observed(vec![Gateway {
                router: Router::new(MacAddress([2, 0, 0, 0, 0, router]), AddressSpace::default(), 0),
                days: (DAY..DAY + 5).collect(),
            }]);
            profile
        })
        .collect()
}

#[test]
fn two_houses_under_one_controller_are_two_groups_of_one_operation() {
    let mut all = house(1, 1, 4, "operator");
    all.extend(house(2, 11, 3, "operator"));
    all.extend(house(3, 21, 3, "somebody else"));
    let found = cluster(&all, 0, &weights()).groups;
    assert_eq!(found.len(), 3);
    let joined: Vec<&Group> = found.iter().filter(|group| group.operation.is_some()).collect();
    assert_eq!(joined.len(), 2);
    assert_eq!(joined[0].operation, joined[1].operation);
    let operation = joined[0].operation.as_ref().unwrap();
    assert_eq!(operation.groups, [joined[0].id, joined[1].id]);
    assert_eq!(operation.shared, ["controller operator"]);
    // What a policy or an inventory sanctions is a provider's business with its customers.
    for profile in &mut all {
        if let Observable::Observed(sessions) = &mut profile.sessions {
            sessions[0].sanctioned = Some(true);
        }
    }
    let found = cluster(&all, 0, &weights()).groups;
    assert!(found.iter().all(|group| group.operation.is_none()));
}

#[test]
fn a_controller_of_half_the_world_makes_no_operation() {
    let mut all = Vec::new();
    for router in 0..24 {
        all.extend(house(router, router * 10, 4, "support"));
    }
    let found = cluster(&all, 0, &weights()).groups;
    assert!(found.len() > 20 && found.iter().all(|group| group.operation.is_none()));
}

#[test]
fn a_group_keeps_its_identifier_when_it_grows_and_when_its_first_machine_has_gone() {
    let all = house(1, 1, 6, "operator");
    let of = |some: &[HostProfile]| cluster(some, 0, &weights()).groups[0].id;
    assert_eq!(of(&all[..3]), of(&all));
    assert_eq!(of(&all[3..]), of(&all));
    assert_ne!(of(&house(2, 1, 6, "operator")), of(&all));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_order_of_hosts_decides_nothing(order in Just((1..=12_u8).collect::<Vec<_>>()).prop_shuffle()) {
        let make = |number: u8| machine(number, &format!("firm{}", number % 5), if number.is_multiple_of(2) { "x" } else { "y" });
        let sorted: Vec<HostProfile> = (1..=12).map(make).collect();
        let shuffled: Vec<HostProfile> = order.into_iter().map(make).collect();
        prop_assert_eq!(cluster(&sorted, 0, &weights()), cluster(&shuffled, 0, &weights()));
    }
}

//! Organisations in one building, behind one device.

use super::*;

/// Machines of organisations in VLANs of one device, all under one tool.
pub(super) fn building(networks: &[(u32, &str, u8)]) -> Vec<HostProfile> {
    let mut number = 0;
    let mut all = Vec::new();
    for (vlan, tenant, machines) in networks {
        for _ in 0..*machines {
            number += 1;
            let mut profile = machine(number, tenant, &format!("c{number}"));
            let space = AddressSpace::default().with_vlan(u16::try_from(*vlan).unwrap());
            profile.gateways = Observable::Observed(vec![Gateway {
                router: Router::new(MacAddress([2, 0, 0, 0, 0, 1]), space, 0),
                days: (DAY..DAY + 5).collect(),
            }]);
            let mut hours = [0; 24];
            hours[10] = 60;
            profile.hours = Observable::Observed(hours);
            all.push(profile);
        }
    }
    all
}

pub(super) fn sizes(all: &[HostProfile]) -> Vec<usize> {
    let found = cluster(all, 0, &weights());
    let mut sizes: Vec<usize> = found.groups.iter().map(|group| group.members.len()).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn tenants_of_a_building_are_groups_of_their_own_and_laptops_with_a_network_each_are_one() {
    assert_eq!(
        sizes(&building(&[(10, "firm", 4), (20, "other", 3), (30, "third", 3)])),
        [3, 3, 4]
    );
    // A router that keeps laptops of as many employers apart, one by one.
    let each: Vec<(u32, String)> = (1..=5).map(|number| (number, format!("firm{number}"))).collect();
    let each: Vec<(u32, &str, u8)> = each
        .iter()
        .map(|(vlan, firm)| (*vlan, firm.as_str(), 1))
        .collect();
    assert_eq!(sizes(&building(&each)), [5]);
    // Networks that do not follow the organisations.
    assert_eq!(
        sizes(&building(&[
            (10, "firm", 2),
            (10, "other", 1),
            (20, "third", 1),
            (20, "firm4", 2)
        ])),
        [6]
    );
    // One organisation with a network a floor, and its neighbour: nothing that is known of them ties the floors.
    assert_eq!(
        sizes(&building(&[(10, "firm", 2), (11, "firm", 2), (20, "other", 3)])),
        [2, 2, 3]
    );
    // Who drives them in turn ties even networks that follow the organisations.
    let mut driven = building(&[(10, "firm", 2), (20, "other", 2)]);
    for (number, profile) in driven.iter_mut().enumerate() {
        profile.driven_minutes = turns(number < 2);
        if let Observable::Observed(sessions) = &mut profile.sessions {
            sessions[0].controllers[0].id = "one operator".to_owned();
        }
    }
    assert_eq!(sizes(&driven), [4]);
}

#[test]
fn a_place_whose_machines_are_no_one_group_says_how_many_there_are_and_why() {
    let remarks = |all: &[HostProfile]| cluster(all, 0, &weights()).remarks;
    let apart = building(&[(10, "firm", 4), (20, "other", 3), (30, "third", 1)]);
    let [remark] = &remarks(&apart)[..] else {
        panic!("one place")
    };
    for said in [
        "behind router 02:00:00:00:00:01 8 machines of 3 organisations have traffic consistent with remote control, in 2 groups, 1 in none",
        "where 1.0 is needed",
        "tool +1.0",
        "-2.5 before anything is known",
    ] {
        assert!(remark.contains(said), "{said}: {remark}");
    }
    // One group says it itself, and machines of one organisation, or two machines, are no news.
    assert!(remarks(&building(&[(10, "firm", 2), (10, "other", 2)])).is_empty());
    assert!(remarks(&building(&[(10, "firm", 2), (11, "firm", 2)])).is_empty());
    assert!(remarks(&building(&[(10, "firm", 1), (11, "firm", 1)])).is_empty());
}

#[test]
fn whose_office_a_farm_stands_in_is_no_part_of_it() {
    let of = |one: &HostProfile, other: &HostProfile| {
        let lines = total(one, other).lines;
        lines
            .iter()
            .find(|line| line.term == "tenancy")
            .unwrap()
            .said
            .nats
    };
    let (one, other) = (machine(1, "a", "c"), machine(2, "b", "c"));
    let different = weights().tenancy.different;
    assert!((of(&one, &other) - different).abs() < 1e-9, "both are controlled");
    let mut clerk = machine(3, "b", "c");
    clerk.sessions = Observable::Absent;
    assert!(
        (of(&one, &clerk) - different).abs() < 1e-9,
        "nobody was seen to work at it"
    );
    clerk.active_minutes = Observable::Observed(vec![DAY * 1_440 + 600]);
    assert!(of(&one, &clerk).abs() < 1e-9, "somebody works at it");
    assert!(of(&clerk, &one).abs() < 1e-9);
    let kvm = KvmSeen::default();
    clerk.kvm.on_gateway = Observable::Observed(vec![kvm].into());
    assert!(
        (of(&one, &clerk) - different).abs() < 1e-9,
        "he may work through the KVM"
    );
    clerk.kvm.on_gateway = Observable::Absent;
    clerk.sessions = Observable::NotObservable("joined".to_owned());
    assert!(
        (of(&one, &clerk) - different).abs() < 1e-9,
        "he may be controlled"
    );
}

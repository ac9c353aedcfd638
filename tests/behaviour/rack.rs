//! A provider's rack (S39) against a farm: what holds the one at a review, and how little a farm gains by putting it on.

use farmhawk::explain::explain;
use farmhawk::model::address::Address;
use farmhawk::model::host::{HostName, Verdict};
use farmhawk::model::profile::{HostProfile, Served};

use crate::analysis::{Analysed, Analyst};
use crate::runs::{scenarios, write};

/// An odd seed: one of those that the evaluation does not judge by.
const SEED: u64 = 3;

fn analysed(name: &str, analyst: &Analyst) -> Analysed {
    let folder = tempfile::tempdir().unwrap();
    let scenario = scenarios().find(|one| one.name == name).unwrap();
    let (path, inventory, _) = write(scenario, SEED, folder.path()).unwrap();
    analyst.analyse(&[path], &inventory, scenario.policy).unwrap()
}

/// The worst group's verdict when each machine is changed, and everything else is as it was seen.
fn changed(analysed: &Analysed, analyst: &Analyst, change: &dyn Fn(&mut HostProfile)) -> Verdict {
    let grounds = &analysed.grounds;
    let mut profiles = grounds.profiles.clone();
    profiles.iter_mut().for_each(change);
    let explained = explain(
        &grounds.groups,
        &profiles,
        grounds.others,
        analyst.weights(),
        &grounds.circumstances,
    );
    explained
        .farms
        .iter()
        .map(|farm| farm.verdict)
        .max()
        .unwrap_or_default()
}

fn plain(profile: &mut HostProfile) {
    profile.names.clear();
}

fn idle(profile: &mut HostProfile) {
    profile.serves = None;
}

fn serving(profile: &mut HostProfile, peers: u8) {
    profile.serves = Some(Served {
        peers: (1..=peers)
            .map(|last| Address::from_v4([192, 0, 2, last]))
            .collect(),
        services: vec!["https"],
    });
}

fn named(profile: &mut HostProfile, name: &str) {
    profile.names = vec![HostName {
        name: name.to_owned(),
        source: "dhcp".to_owned(),
    }];
}

#[test]
fn servers_of_several_clients_under_one_far_technician_are_for_a_person_to_look_at() {
    let analyst = Analyst::new().unwrap();
    let seen = analysed("s39", &analyst);
    let group = &seen.case.farms[0];
    assert!(group.verdict <= Verdict::Review, "{}", group.summary);
    let said = |cue: &str| group.reasons.iter().find(|one| one.reason == cue).unwrap();
    assert!(said("servers").weight.0 < -5.0 && said("names").weight.0 < -3.0);
    assert!(
        said("servers").what.contains("https, ldap, smb"),
        "{}",
        said("servers").what
    );
    // Either alone holds it; without both it looks as a farm does.
    assert!(changed(&seen, &analyst, &plain) <= Verdict::Review);
    assert!(changed(&seen, &analyst, &idle) <= Verdict::Review);
    let as_laptops = |profile: &mut HostProfile| {
        plain(profile);
        idle(profile);
    };
    assert!(changed(&seen, &analyst, &as_laptops) >= Verdict::Likely);
}

#[test]
fn a_farm_gets_no_clean_bill_by_opening_ports() {
    let analyst = Analyst::new().unwrap();
    for name in ["s02", "s25"] {
        let seen = analysed(name, &analyst);
        let before = seen.case.farms[0].verdict;
        assert!(before >= Verdict::Likely, "{name}: {before:?}");
        // A port that a neighbour or two ask, as shared folders and printers are asked: nothing changes.
        let after = changed(&seen, &analyst, &|profile| serving(profile, 2));
        assert_eq!(after, before, "{name}");
        // Machines of the group that ask each other are no others.
        let members: Vec<_> = seen.case.farms[0].hosts.iter().map(|one| one.host).collect();
        let own: Vec<Address> = (seen.grounds.profiles.iter())
            .filter(|profile| members.contains(&profile.host))
            .flat_map(|profile| profile.ips.clone())
            .collect();
        let among_themselves = |profile: &mut HostProfile| {
            profile.serves = Some(Served {
                peers: own.clone(),
                services: vec!["smb"],
            });
        };
        assert_eq!(changed(&seen, &analyst, &among_themselves), before, "{name}");
        // A name that says "server" of somebody's laptop.
        let laptops = |profile: &mut HostProfile| named(profile, "SQL-LT-0412");
        assert_eq!(changed(&seen, &analyst, &laptops), before, "{name}");
        // Who puts on everything still gets a person to look.
        let all = |profile: &mut HostProfile| {
            serving(profile, 30);
            named(profile, "SRV-04");
        };
        assert_eq!(changed(&seen, &analyst, &all), Verdict::Review, "{name}");
    }
}

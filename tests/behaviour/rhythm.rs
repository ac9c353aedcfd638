//! When machines come up and whose exits controllers use, from packets to verdict: the laboratory's S35 and its look-alikes.

use farmhawk::model::group::Group;
use farmhawk::model::host::Verdict;
use farmhawk::model::profile::ControllerPlaceKind;

use crate::analysis::{Analysed, Analyst};
use crate::runs::{scenarios, write};

/// An odd seed: one of those that the evaluation does not judge by.
const SEED: u64 = 3;

fn analysed(name: &str) -> Analysed {
    let folder = tempfile::tempdir().unwrap();
    let scenario = scenarios().find(|one| one.name == name).unwrap();
    let (path, inventory, _) = write(scenario, SEED, folder.path()).unwrap();
    let analyst = Analyst::new().unwrap();
    analyst.analyse(&[path], &inventory, scenario.policy).unwrap()
}

/// Pairs of a group, and those of them of which it counts that they came up together.
fn pairs(group: &Group) -> (usize, usize) {
    let together = group.edges.iter().filter(|edge| {
        edge.lines
            .iter()
            .any(|line| line.term == "physical" && line.said.what.contains("came up within"))
    });
    (group.edges.len(), together.count())
}

#[test]
fn laptops_that_come_back_together_at_odd_hours_are_tied_to_one_room() {
    let seen = analysed("s35");
    let (all, together) = seen
        .grounds
        .groups
        .iter()
        .map(pairs)
        .max_by_key(|(all, _)| *all)
        .unwrap();
    assert!(all >= 10 && together == all, "{together} of {all}");
    let worst = seen.case.farms.iter().max_by_key(|farm| farm.verdict).unwrap();
    assert!(worst.verdict >= Verdict::Likely);
    let controllers = seen.grounds.profiles.iter().flat_map(|profile| {
        let sessions = profile.live_sessions();
        sessions.flat_map(|session| &session.controllers)
    });
    let watched = controllers
        .filter_map(|controller| controller.place.seen())
        .filter(|place| place.kind == ControllerPlaceKind::WatchedVpn);
    assert!(watched.count() >= 5);
    let place = worst
        .reasons
        .iter()
        .find(|reason| reason.reason == "ctrl_geo")
        .unwrap();
    assert!(
        place.what.contains("the policy's list of 2026-09-01") && place.weight.0 > 10.0,
        "{place:?}"
    );
}

#[test]
fn an_office_that_opens_every_morning_and_has_a_power_cut_is_tied_to_nothing_by_that() {
    let seen = analysed("s36");
    let starts: Vec<usize> = (seen.grounds.profiles.iter())
        .map(|profile| profile.boots.list().len())
        .filter(|starts| *starts > 0)
        .collect();
    // Five mornings and the power cut, of every workplace.
    assert!(
        starts.len() >= 5 && starts.iter().all(|starts| *starts == 6),
        "{starts:?}"
    );
    assert!(seen.grounds.groups.iter().all(|group| pairs(group).1 == 0));
    assert!(seen.case.farms.iter().all(|farm| farm.verdict < Verdict::Review));
    assert!(seen.case.hosts.iter().all(|host| host.verdict < Verdict::Review));
}

#[test]
fn who_uses_a_service_that_reports_name_for_himself_is_not_up_for_review() {
    let seen = analysed("s37");
    let profiles = &seen.grounds.profiles;
    let user = profiles
        .iter()
        .find(|profile| profile.vpn.seen().is_some())
        .unwrap();
    let service = user.vpn.seen().unwrap();
    assert!(service.is_watched && service.product == "astrill");
    let all = &seen.case.hosts;
    assert!(all.iter().all(|host| host.verdict < Verdict::Review), "{all:?}");
    let host = all.iter().find(|host| host.host == user.host).unwrap();
    let vpn = host
        .reasons
        .iter()
        .find(|reason| reason.reason == "dev_vpn")
        .unwrap();
    assert!(vpn.what.contains("many use it for other reasons"), "{}", vpn.what);
    assert!(seen.case.farms.is_empty());
}

//! Rented machines (S41) against a farm: what holds the one at a review, and what a farm may not borrow of it.

use farmhawk::explain::explain;
use farmhawk::model::address::Address;
use farmhawk::model::host::{AssetRecord, Verdict};
use farmhawk::model::observable::Observable;
use farmhawk::model::profile::{
    Asset, ControllerPlace, ControllerPlaceKind, ControllerSeen, HostProfile, RemoteSession,
};

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

/// The worst group's verdict and the next question when each session is changed, given the machine's number, and all else is as seen.
fn changed(
    analysed: &Analysed,
    analyst: &Analyst,
    change: &dyn Fn(usize, &mut RemoteSession),
    of_machine: &dyn Fn(&mut HostProfile),
) -> (Verdict, String) {
    let grounds = &analysed.grounds;
    let mut profiles = grounds.profiles.clone();
    for (number, profile) in profiles.iter_mut().enumerate() {
        of_machine(profile);
        if let Observable::Observed(sessions) = &mut profile.sessions {
            for session in sessions {
                change(number, session);
            }
        }
    }
    let explained = explain(
        &grounds.groups,
        &profiles,
        grounds.others,
        analyst.weights(),
        &grounds.circumstances,
    );
    let worst = explained.farms.first().unwrap();
    (worst.verdict, worst.next_question.clone())
}

const COUNTRIES: [&str; 8] = ["GB", "DE", "JP", "AU", "BR", "ZA", "CA", "IN"];

/// A controller of its own for each machine, in a country of its own.
fn own(number: usize, change: impl Fn(&mut ControllerPlace)) -> ControllerSeen {
    let mut place = ControllerPlace {
        kind: ControllerPlaceKind::Unclaimed,
        country: Some(COUNTRIES[number % COUNTRIES.len()].to_owned()),
        organisation: Some(format!("line {number}")),
        hides_origin: false,
        source: "test".to_owned(),
        is_default_database_only: false,
    };
    change(&mut place);
    let address = Address::from_v4([192, 0, 2, u8::try_from(number).unwrap()]);
    ControllerSeen {
        id: address.to_string(),
        address: Some(address),
        how: "direct".to_owned(),
        place: Observable::Observed(place),
    }
}

fn as_it_is(_: &mut HostProfile) {}

#[test]
fn machines_whose_customers_sit_in_many_countries_are_for_a_person_to_ask_about() {
    let analyst = Analyst::new().unwrap();
    let seen = analysed("s41", &analyst);
    let group = &seen.case.farms[0];
    assert_eq!(group.verdict, Verdict::Review, "{}", group.summary);
    assert!(group.summary.contains("machines for rent"), "{}", group.summary);
    assert!(
        group.next_question.contains("let to customers"),
        "{}",
        group.next_question
    );
    let said = |cue: &str| group.reasons.iter().find(|one| one.reason == cue).unwrap();
    assert!(
        said("tenants")
            .what
            .contains("as customers come to what they rent")
    );
    assert!(said("tenants").weight.0 < 0.0);
    assert!(
        said("ctrl_conc").what.contains("6 countries"),
        "{}",
        said("ctrl_conc").what
    );
    assert!(seen.case.hosts.iter().all(|host| host.verdict < Verdict::Likely));
    // Nothing but that tells it from a farm: where the controllers cannot be placed, it looks as one does.
    let unplaced = |_: usize, session: &mut RemoteSession| {
        for controller in &mut session.controllers {
            controller.place = Observable::hidden("no database places them");
        }
    };
    assert!(changed(&seen, &analyst, &unplaced, &as_it_is).0 >= Verdict::Likely);
}

#[test]
fn a_farm_whose_workers_hide_each_behind_an_exit_of_his_own_stays_one() {
    let analyst = Analyst::new().unwrap();
    let seen = analysed("s02", &analyst);
    let through = |change: &dyn Fn(usize, &mut RemoteSession), machine: &dyn Fn(&mut HostProfile)| {
        changed(&seen, &analyst, change, machine).0
    };
    let exits = |number: usize, session: &mut RemoteSession| {
        session.controllers = vec![own(number, |place| {
            place.kind = ControllerPlaceKind::Hosting;
            place.hides_origin = true;
        })];
    };
    assert!(through(&exits, &as_it_is) >= Verdict::Likely);
    let proxies = |number: usize, session: &mut RemoteSession| {
        session.controllers = vec![own(number, |place| place.hides_origin = true)];
    };
    assert!(through(&proxies, &as_it_is) >= Verdict::Likely);
    // A service that no database knows: its addresses lie in many countries.
    let service = |number: usize, session: &mut RemoteSession| {
        session.controllers = vec![own(number, |place| {
            place.organisation = Some("a service".to_owned());
        })];
    };
    assert!(through(&service, &as_it_is) >= Verdict::Likely);
    // Another exit every day.
    let hopping = |number: usize, session: &mut RemoteSession| {
        session.controllers = vec![own(number, |_| {}), own(number + 20, |_| {})];
        if let Observable::Observed(place) = &mut session.controllers[1].place {
            place.country = Some("NZ".to_owned());
        }
    };
    assert!(through(&hopping, &as_it_is) >= Verdict::Likely);
    // Operators of two countries.
    let two = |number: usize, session: &mut RemoteSession| {
        session.controllers = vec![own(number, |place| {
            place.country = Some(COUNTRIES[number % 2].to_owned());
        })];
    };
    assert!(through(&two, &as_it_is) >= Verdict::Likely);
    // Behind a relay of their own.
    let relayed = |number: usize, session: &mut RemoteSession| {
        session.controllers = vec![own(number, |_| {})];
        session.relays = vec!["203.0.113.9".to_owned()];
    };
    // (The delay that was measured is none beyond this relay, which is made up: the verdict says nothing here.)
    let (_, question) = changed(&seen, &analyst, &relayed, &as_it_is);
    assert!(!question.contains("let to customers"), "{question}");
    // Machines that somebody's employer gave to people.
    let plain = |number: usize, session: &mut RemoteSession| session.controllers = vec![own(number, |_| {})];
    let given = |profile: &mut HostProfile| {
        let record = AssetRecord {
            assignee: Some(profile.host.to_string()),
            ..AssetRecord::default()
        };
        profile.asset = Observable::Observed(Asset {
            record,
            ..Asset::default()
        });
    };
    assert!(through(&plain, &given) >= Verdict::Likely);
    // Who hides nothing and sits in many countries, each with a machine of his own, still gets a person to look, and a question.
    let (verdict, question) = changed(&seen, &analyst, &plain, &as_it_is);
    assert_eq!(verdict, Verdict::Review);
    assert!(question.contains("let to customers"), "{question}");
}

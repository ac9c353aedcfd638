//! Whether assignees who should live apart go out through one place: only where the inventory says so of these days.

use super::*;
use crate::model::egress::Travel;

/// A laptop of somebody at this place, at home on one line.
fn of(number: u8, assignee: &str, coordinates: Option<(f64, f64)>) -> HostProfile {
    let mut asset = Asset {
        coordinates,
        ..Asset::default()
    };
    asset.record.assignee = Some(assignee.to_owned());
    asset.record.country = Some("US".to_owned());
    asset.record.site = Some("home".to_owned());
    let profile = HostProfile {
        asset: Observable::Observed(asset),
        gateways: Observable::hidden("an employer's router"),
        days: (DAY..DAY + 5).collect(),
        ..machine(number, "anydesk", Some(false), None, "firm")
    };
    on_line(profile, NetworkKind::Residential, false)
}

/// Three people who live far from each other.
fn apart() -> Vec<HostProfile> {
    let homes = [33.0, 41.0, 47.0].into_iter().zip(1_u8..);
    homes
        .map(|(latitude, number)| of(number, &format!("person {number}"), Some((latitude, -100.0))))
        .collect()
}

fn change(profiles: &mut [HostProfile], change: impl Fn(u8, &mut Asset, &mut Egress)) {
    for (number, profile) in (1_u8..).zip(profiles) {
        let (Observable::Observed(asset), Observable::Observed(egress)) =
            (&mut profile.asset, &mut profile.egress)
        else {
            panic!("both are given");
        };
        change(number, asset, &mut egress[0]);
    }
}

/// What the cue says of them: its weight, or why it says nothing.
fn said(profiles: &[HostProfile]) -> Result<f64, String> {
    let circumstances = Circumstances {
        vantage: Vantage::Employer,
        ..Circumstances::default()
    };
    let found = explain(&group_of(profiles), profiles, 0, &weights(), &circumstances);
    let record = &found.farms[0];
    let reason = record.reasons.iter().find(|reason| reason.reason == "assignees");
    if let Some(reason) = reason.filter(|reason| reason.state != State::NotObservable) {
        return Ok(reason.weight.0);
    }
    let hidden = record
        .not_observable
        .iter()
        .find(|one| one.starts_with("assignees:"));
    Err(hidden.cloned().unwrap_or_default())
}

#[test]
fn three_who_live_apart_on_one_line_are_told() {
    assert!(said(&apart()).unwrap() > 3.0);
}

#[test]
fn regions_are_no_distances_however_they_are_spelt() {
    for regions in [
        ["OR", "Oregon", "oregon"],
        ["Oregon", "Oregon", "Oregon"],
        ["Oregon", "Texas", "Ohio"],
    ] {
        let mut all = apart();
        change(&mut all, |number, asset, _| {
            asset.coordinates = None;
            asset.region = Some(regions[usize::from(number) - 1].to_owned());
        });
        assert!(said(&all).unwrap_err().contains("how far apart"), "{regions:?}");
    }
}

#[test]
fn declared_exits_journeys_and_rows_that_do_not_hold_say_nothing() {
    let mut exits = apart();
    change(&mut exits, |_, _, egress| egress.is_declared = true);
    assert!(said(&exits).unwrap_err().contains("declared exits"));
    // Declared for one of them, it is an exit of many.
    let mut one = apart();
    change(&mut one, |number, _, egress| egress.is_declared = number == 1);
    assert!(said(&one).is_err());
    let mut travelling = apart();
    change(&mut travelling, |_, asset, _| {
        asset.travel = vec![Travel {
            days: (DAY - 1, DAY + 9),
            country: None,
        }];
    });
    assert!(said(&travelling).unwrap_err().contains("days for which"));
    let mut old = apart();
    change(&mut old, |_, asset, _| asset.valid = (None, Some(DAY - 1)));
    assert!(said(&old).is_err());
}

#[test]
fn one_person_has_one_home_and_who_comes_after_another_does_not_live_with_him() {
    // An old home and a new one in the rows of two laptops of the same person.
    let mut moved = apart();
    moved.truncate(2);
    change(&mut moved, |_, asset, _| {
        asset.record.assignee = Some("Ann".to_owned());
    });
    assert!(said(&moved).is_err());
    // With a third laptop, of somebody who lives where that person lived: near one of the two homes.
    let mut with = moved.clone();
    with.push(of(3, "Bob", Some((33.1, -100.0))));
    assert!(said(&with).unwrap() < 0.0);
    let mut in_turn = apart();
    change(&mut in_turn, |number, _, egress| {
        egress.days = vec![DAY + u32::from(number)];
    });
    assert!(said(&in_turn).unwrap() < 0.0);
    // Rows that name nobody cannot say that two people live apart.
    let mut nameless = apart();
    change(&mut nameless, |_, asset, _| asset.record.assignee = None);
    assert!(said(&nameless).is_err());
}

#[test]
fn addresses_of_one_ipv6_line_are_one_place() {
    let mut all = apart();
    change(&mut all, |number, _, egress| {
        let address = format!("2001:db8:1:2:{number}::1");
        egress.address = Address::from(address.parse::<std::net::IpAddr>().unwrap());
    });
    assert!(said(&all).unwrap() > 3.0);
}

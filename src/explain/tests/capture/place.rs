//! What the place of a group adds to what happens there.

use super::*;
use crate::model::profile::{VpnPlace, VpnUse};

#[test]
fn a_blatant_farm_on_a_home_line_under_a_watched_vpn_is_likely_after_an_hour() {
    let mut all: Vec<HostProfile> = farm()
        .into_iter()
        .map(|profile| on_line(profile, NetworkKind::Residential, false))
        .collect();
    // Remote control and organisations: where that is, is no third kind of evidence. A shared house is a home, too.
    assert_eq!(explained(&all).farms[0].verdict, Verdict::Review);
    for profile in &mut all {
        place_controllers(profile, ControllerPlaceKind::WatchedVpn, false);
    }
    assert!(explained(&all).farms[0].verdict >= Verdict::Likely);
}

#[test]
fn a_place_that_the_policy_declares_counts_for_more_than_what_a_database_says_of_its_line() {
    let of = |kind| {
        let profiles: Vec<HostProfile> = farm()
            .into_iter()
            .map(|profile| HostProfile {
                stands_in: kind,
                ..on_line(profile, NetworkKind::Residential, false)
            })
            .collect();
        let found = explained(&profiles);
        let site = found.farms[0]
            .reasons
            .iter()
            .find(|one| one.reason == "site")
            .unwrap();
        (site.what.clone(), site.weight.0)
    };
    let (line, weight) = of(None);
    assert!(
        line.contains("a residential line") && weight > 0.0,
        "{line} {weight}"
    );
    let (declared, weight) = of(Some(NetworkKind::Shared));
    assert!(declared.contains("in a place that many"), "{declared}");
    assert!(weight < 0.0, "{weight}");
}

#[test]
fn a_vpn_is_in_use_on_one_machine_or_cannot_be_told() {
    let of = |vpn: Observable<VpnUse>| {
        let profile = HostProfile {
            vpn,
            ..machine(1, "anydesk", Some(false), None, "firm")
        };
        let found = explained(&[profile]);
        let host = &found.hosts[0];
        let reason = host.reasons.iter().find(|reason| reason.reason == "dev_vpn");
        reason.map(|reason| reason.what.clone())
    };
    let used = of(Observable::Observed(VpnUse {
        place: VpnPlace::Machine,
        product: "nordvpn".to_owned(),
        is_watched: false,
        finding: ContentId(5),
    }));
    assert_eq!(
        used.as_deref(),
        Some("a VPN that is not the employer's is in use on 1 machine: nordvpn")
    );
    assert_eq!(of(Observable::hidden("its client is installed")), None);
    let none = of(Observable::Absent).unwrap();
    assert!(none.contains("on most machines themselves"), "{none}");
}

#[test]
fn that_machines_use_no_vpn_leaves_their_routers_open_unless_that_was_seen_too() {
    let used = VpnUse {
        place: VpnPlace::Router,
        product: "a VPN provider's network".to_owned(),
        is_watched: false,
        finding: ContentId(9),
    };
    let of = |router_vpn: Observable<VpnUse>| {
        let profiles: Vec<HostProfile> = farm()
            .into_iter()
            .map(|profile| HostProfile {
                vpn: Observable::Absent,
                router_vpn: router_vpn.clone(),
                ..profile
            })
            .collect();
        let found = explained(&profiles);
        let farm = &found.farms[0];
        let reason = farm.reasons.iter().find(|one| one.reason == "dev_vpn").unwrap();
        let is_open = |said: &String| said.starts_with("dev_vpn: a VPN on their router: nobody knows");
        (
            reason.state,
            reason.weight.0,
            farm.not_observable.iter().any(is_open),
        )
    };
    let (open, lines, router) = (
        of(Observable::hidden("nobody knows")),
        of(Observable::Absent),
        of(Observable::Observed(used)),
    );
    assert_eq!((open.0, open.2), (State::Absent, true));
    assert_eq!((lines.0, lines.2), (State::Absent, false));
    assert_eq!((router.0, router.2), (State::Observed, false));
    // Not to know it weighs less against a farm than to know that there is none.
    assert!(
        lines.1 < open.1 && open.1 < 0.0 && router.1 > 0.0,
        "{} {} {}",
        lines.1,
        open.1,
        router.1
    );
}

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
    assert!(none.contains("one on their router would not show"), "{none}");
}

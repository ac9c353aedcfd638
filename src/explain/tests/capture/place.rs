//! What the place of a group adds to what happens there.

use super::*;

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

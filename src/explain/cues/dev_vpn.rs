//! Use of a VPN that is not the employer's, on the machines or on the router.

use crate::explain::subject::{Subject, identifiers};
use crate::model::observable::Observable;
use crate::model::profile::{HostProfile, VpnPlace, VpnUse};
use crate::model::quantity::counted;

use super::{Cue, Reading, is_under};

pub(super) const CUE: Cue = Cue {
    id: "dev_vpn",
    levels: &["none", "consumer", "router", NOT_ON_MACHINES],
    value,
};

/// None on the machines, while the way in which their router goes out is not known.
const NOT_ON_MACHINES: &str = "none or router";

/// The VPN that a machine uses at this place.
fn used(profile: &HostProfile, place: VpnPlace) -> Option<&VpnUse> {
    let seen = [profile.vpn.seen(), profile.router_vpn.seen()];
    seen.into_iter().flatten().find(|vpn| vpn.place == place)
}

/// Whether it was seen, or would have been, that a machine uses one.
fn is_known(profile: &HostProfile) -> bool {
    !matches!(profile.vpn, Observable::NotObservable(_)) || used(profile, VpnPlace::Router).is_some()
}

fn value(subject: &Subject<'_>) -> Reading {
    let machines = subject.of_interest();
    let most = subject.rules.most_share;
    let known = machines.iter().filter(|one| is_known(one)).count();
    // Where most cannot be told, nothing is absent.
    if known == 0
        || (is_under(most, known, machines.len())
            && [VpnPlace::Machine, VpnPlace::Router]
                .into_iter()
                .all(|place| machines.iter().all(|one| used(one, place).is_none())))
    {
        let reason = machines.iter().find_map(|one| one.vpn.reason());
        return Reading::hidden(reason.unwrap_or("no machine was looked at"));
    }
    for (place, level, words) in [
        (
            VpnPlace::Router,
            "router",
            "a VPN on the router is the way out of",
        ),
        (
            VpnPlace::Machine,
            "consumer",
            "a VPN that is not the employer's is in use on",
        ),
    ] {
        let users: Vec<&HostProfile> = machines
            .iter()
            .copied()
            .filter(|one| used(one, place).is_some())
            .collect();
        if users.is_empty() || is_under(most, users.len(), known) {
            continue;
        }
        let mut products: Vec<&str> = users
            .iter()
            .filter_map(|one| used(one, place))
            .map(|vpn| vpn.product.as_str())
            .collect();
        products.sort_unstable();
        products.dedup();
        let findings = users
            .iter()
            .filter_map(|one| used(one, place))
            .map(|vpn| vpn.finding)
            .collect();
        let is_watched = users
            .iter()
            .filter_map(|one| used(one, place))
            .any(|vpn| vpn.is_watched);
        let named = if is_watched {
            "; public reports on such cases or the policy name it, and many use it for other reasons"
        } else {
            ""
        };
        let what = format!(
            "{words} {}: {}{named}",
            counted(users.len(), "machine"),
            products.join(", ")
        );
        return Reading::observed(level, what).shown_by(identifiers(&users), findings);
    }
    // Whoever has none of his own may stand behind a router that has one.
    match machines.iter().find_map(|one| one.router_vpn.reason()) {
        None => Reading::absent(
            "none",
            "no VPN service known by name is in use on most machines, and they go out through lines of their own",
        ),
        Some(reason) => Reading::absent(
            NOT_ON_MACHINES,
            "no VPN service known by name is in use on most machines themselves",
        )
        .leaving_open(format!("a VPN on their router: {reason}")),
    }
}

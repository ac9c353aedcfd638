//! Use of a VPN that is not the employer's, on the machines or on the router.

use crate::explain::subject::{Subject, identifiers};
use crate::model::observable::Observable;
use crate::model::profile::{HostProfile, VpnPlace};
use crate::model::quantity::counted;

use super::{Cue, Reading};

pub(super) const CUE: Cue = Cue {
    id: "dev_vpn",
    levels: &["none", "consumer", "router"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let machines = subject.of_interest();
    let known = machines
        .iter()
        .filter(|one| !matches!(one.vpn, Observable::NotObservable(_)))
        .count();
    if known == 0 {
        let reason = machines.iter().find_map(|one| one.vpn.reason());
        return Reading::hidden(reason.unwrap_or("no machine was looked at"));
    }
    for (place, level, words) in [
        (VpnPlace::Router, "router", "go out through a VPN on their router"),
        (
            VpnPlace::Machine,
            "consumer",
            "use a VPN that is not the employer's",
        ),
    ] {
        let users: Vec<&HostProfile> = machines
            .iter()
            .copied()
            .filter(|one| one.vpn.seen().is_some_and(|vpn| vpn.place == place))
            .collect();
        if users.is_empty() || users.len().saturating_mul(2) < known {
            continue;
        }
        let mut products: Vec<&str> = users
            .iter()
            .filter_map(|one| one.vpn.seen())
            .map(|vpn| vpn.product.as_str())
            .collect();
        products.sort_unstable();
        products.dedup();
        let findings = users
            .iter()
            .filter_map(|one| one.vpn.seen())
            .map(|vpn| vpn.finding)
            .collect();
        let is_watched = users
            .iter()
            .filter_map(|one| one.vpn.seen())
            .any(|vpn| vpn.is_watched);
        let named = if is_watched {
            "; public reports on such cases or the policy name it, and many use it for other reasons"
        } else {
            ""
        };
        let what = format!(
            "{} {words}: {}{named}",
            counted(users.len(), "machine"),
            products.join(", ")
        );
        return Reading::observed(level, what).shown_by(identifiers(&users), findings);
    }
    Reading::absent("none", "no VPN but the employer's is in use on most machines")
}

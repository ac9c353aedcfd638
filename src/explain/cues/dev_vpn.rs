//! Use of a VPN that is not the employer's, on the machines or on the router.

use crate::explain::subject::{Subject, identifiers};
use crate::model::observable::Observable;
use crate::model::profile::{Egress, HostProfile, NetworkKind, VpnPlace};
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
    // Where most cannot be told, nothing is absent.
    if known == 0
        || (known.saturating_mul(2) < machines.len() && machines.iter().all(|one| one.vpn.seen().is_none()))
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
            "{words} {}: {}{named}",
            counted(users.len(), "machine"),
            products.join(", ")
        );
        return Reading::observed(level, what).shown_by(identifiers(&users), findings);
    }
    Reading::absent(
        "none",
        if machines.iter().all(|one| shows_line(one)) {
            "no VPN service known by name is in use on most machines, and they go out through lines of their own"
        } else {
            // The level leaves a router's VPN out as well, which nobody looks for: that weighs in their favour.
            "no VPN service known by name is in use on most machines themselves; one on their router would not show"
        },
    )
}

/// Whether a machine's public addresses are known to be lines of households or companies: then no VPN stands on its router.
fn shows_line(profile: &HostProfile) -> bool {
    let is_line = |egress: &Egress| {
        matches!(
            egress.kind,
            Some(NetworkKind::Residential | NetworkKind::Business | NetworkKind::Shared)
        ) && !egress.is_default_database_only
    };
    let known = profile.egress.list();
    !known.is_empty() && known.iter().all(is_line)
}

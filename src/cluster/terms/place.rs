//! Co-location: days on which both went through the same router or public address.

use std::collections::BTreeSet;

use crate::cluster::pairs::Scale;
use crate::cluster::tokens;
use crate::model::group::Term;
use crate::model::observable::Observable;
use crate::model::profile::{Egress, Gateway, HostProfile, NetworkKind};

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "place",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let line = &scale.weights.place;
    let mut shared_days: BTreeSet<u32> = BTreeSet::new();
    let mut is_crowded = false;
    let mut is_loose = false;
    let mut where_ = BTreeSet::new();
    let mut comparable = false;
    if let (Observable::Observed(first), Observable::Observed(second)) = (&one.gateways, &other.gateways) {
        let same = matching(first, second, |mine, yours| mine.router == yours.router);
        comparable = !same.is_empty() || are_known(first, second);
        for (mine, yours) in same {
            if common(&mine.days, &yours.days, &mut shared_days) {
                where_.insert(format!("router {}", mine.router));
            }
        }
    }
    // One device with a network for each of its users: a switch of a building with many tenants does that, and who keeps his machines apart.
    if shared_days.is_empty()
        && let (Observable::Observed(first), Observable::Observed(second)) = (&one.gateways, &other.gateways)
    {
        for (mine, yours) in matching(first, second, is_one_device) {
            if common(&mine.days, &yours.days, &mut shared_days) {
                is_loose = true;
                let links: BTreeSet<String> = [mine, yours].map(|one| one.router.to_string()).into();
                where_.insert(format!(
                    "router {} with a network for each",
                    links.into_iter().collect::<Vec<_>>().join(", ")
                ));
            }
        }
    }
    // Without link addresses nothing says more of where they stand than that one capture point saw both in one network.
    if !comparable && let Some(network) = one.network.filter(|network| other.network == Some(*network)) {
        comparable = true;
        if common(&one.days, &other.days, &mut shared_days) {
            is_loose = true;
            where_.insert(format!("network {network}/24, no router was seen"));
        }
    }
    let (first, second) = (own_egress(one), own_egress(other));
    if !first.is_empty() && !second.is_empty() {
        comparable = true;
        let same =
            |mine: &&Egress, yours: &&Egress| tokens::egress(mine.address) == tokens::egress(yours.address);
        for (mine, yours) in matching(&first, &second, same) {
            if common(&mine.days, &yours.days, &mut shared_days) {
                where_.insert(format!("public address {}", mine.address));
                is_loose = false;
                is_crowded |= mine.kind == Some(NetworkKind::Shared)
                    || yours.kind == Some(NetworkKind::Shared)
                    || scale.rarity.crowd(tokens::egress(mine.address)) > line.crowd;
            }
        }
    }
    if scale.tenants.are_two(one, other) && !shared_days.is_empty() {
        return Some(Term {
            nats: line.offset,
            what: "in networks of two organisations, as tenants of one building have them".to_owned(),
        });
    }
    let fewest = one.days.len().min(other.days.len());
    if !comparable || fewest == 0 {
        return None;
    }
    let share =
        (f64::from(u32::try_from(shared_days.len()).ok()?) / f64::from(u32::try_from(fewest).ok()?)).min(1.0);
    let factor = if is_crowded || is_loose {
        line.shared_factor
    } else {
        1.0
    };
    let what = if shared_days.is_empty() {
        "never at the same place on one day".to_owned()
    } else {
        let places: Vec<String> = where_.into_iter().collect();
        format!(
            "at the same place on {} of {fewest} days: {}{}",
            shared_days.len(),
            places.join(", "),
            if is_crowded { " (shared by many)" } else { "" }
        )
    };
    Some(Term {
        nats: (line.slope * share + line.offset) * factor,
        what,
    })
}

/// Where a host goes out that is not declared as an exit or a site of many: there people come together wherever they are.
fn own_egress(profile: &HostProfile) -> Vec<&Egress> {
    let all = profile.egress.list().iter();
    all.filter(|egress| !egress.is_declared).collect()
}

/// Whether two are known to stand behind different routers throughout: two places, however much else they share.
pub(in crate::cluster) fn are_apart(one: &HostProfile, other: &HostProfile) -> bool {
    match (&one.gateways, &other.gateways) {
        (Observable::Observed(first), Observable::Observed(second)) => {
            are_known(first, second)
                && matching(first, second, |mine, yours| {
                    mine.router == yours.router || is_one_device(mine, yours)
                })
                .is_empty()
        }
        _ => false,
    }
}

/// Whether two routers are one device on two links: VLANs of one switch. Inside of tunnels the same address may be anybody's.
fn is_one_device(mine: &Gateway, yours: &Gateway) -> bool {
    let (mine, yours) = (mine.router, yours.router);
    mine.mac == yours.mac
        && !mine.is_virtual()
        && mine.space != yours.space
        && mine.space.identifier() == yours.space.identifier()
}

/// Whether all of these can be told from others: a stand-by router's address in two captures may be one router or two.
fn are_known(first: &[Gateway], second: &[Gateway]) -> bool {
    first
        .iter()
        .chain(second)
        .all(|gateway| !gateway.router.is_virtual())
}

/// Pairs of entries of two lists that are the same place.
fn matching<'a, T>(first: &'a [T], second: &'a [T], same: impl Fn(&T, &T) -> bool) -> Vec<(&'a T, &'a T)> {
    first
        .iter()
        .flat_map(|mine| second.iter().map(move |yours| (mine, yours)))
        .filter(|(mine, yours)| same(mine, yours))
        .collect()
}

/// Adds the days that both lists hold; whether there are any.
fn common(first: &[u32], second: &[u32], days: &mut BTreeSet<u32>) -> bool {
    let shared: Vec<u32> = first
        .iter()
        .filter(|day| second.binary_search(day).is_ok())
        .copied()
        .collect();
    days.extend(&shared);
    !shared.is_empty()
}

//! Assignees who should live apart and go out through one place (DETECTION 4.2, B1).

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::subject::{Subject, identifiers};
use crate::model::profile::{Asset, Egress, HostProfile};
use crate::model::quantity::counted;
use crate::model::sphere::Coordinates;

use super::{Cue, Reading, level_of};

pub(super) const CUE: Cue = Cue {
    id: "assignees",
    levels: &["0-1", "2", "3+", "declared-site"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let machines = subject.machines();
    if machines.len() < 2 {
        return Reading::inapplicable("one machine has one assignee");
    }
    if let Some(site) = subject.declared_site() {
        return Reading::observed(
            "declared-site",
            format!("the inventory declares all at one site: {site}"),
        )
        .shown_by(identifiers(&machines), Vec::new());
    }
    // Per place: the machines that went out through it and whose home the inventory knows.
    let mut places: BTreeMap<String, Vec<&HostProfile>> = BTreeMap::new();
    let mut declared = 0_usize;
    let routers = subject.is_router_a_place();
    for machine in &machines {
        if machine.asset.seen().is_none_or(|asset| home(asset).is_none()) {
            continue;
        }
        declared = declared.saturating_add(1);
        for egress in machine.egress.list() {
            if !is_usual(machine, egress, subject.rules.usual_place_share) {
                continue;
            }
            places
                .entry(egress.address.to_string())
                .or_default()
                .push(machine);
        }
        for gateway in routers.then(|| machine.gateways.list()).into_iter().flatten() {
            places.entry(gateway.mac.to_string()).or_default().push(machine);
        }
    }
    if declared < 2 {
        return Reading::hidden("no inventory says where the assignees live");
    }
    let best = places
        .iter()
        .map(|(place, there)| (apart(there, subject.rules.assignees_apart_km), place, there))
        .max_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(one.1)));
    let Some((homes, place, there)) = best else {
        return Reading::hidden(if routers {
            "the place where these machines go out is not known"
        } else {
            "their router may be the employer's own, and the place where these machines go out is not known (if the capture was taken \
             in a house, say so: --vantage home)"
        });
    };
    if there.len() < 2 {
        return Reading::absent("0-1", "no two assignees go out through one place");
    }
    let level = level_of(CUE.levels, &subject.rules.assignees, homes);
    let what = format!(
        "assignees with {} go out through one place ({place})",
        counted(homes, "declared home")
    );
    Reading::observed(level, what).shown_by(identifiers(there), Vec::new())
}

/// Whether a machine goes out through this address on enough of the days on which its address is known: who is given another
/// one every day, as a carrier's customers are, shares each with strangers at times.
fn is_usual(machine: &HostProfile, egress: &Egress, least: f64) -> bool {
    let known: BTreeSet<u32> = machine
        .egress
        .list()
        .iter()
        .flat_map(|one| one.days.iter().copied())
        .collect();
    let count = |many: usize| f64::from(u32::try_from(many).unwrap_or(u32::MAX));
    count(egress.days.len()) >= least * count(known.len())
}

/// Where an asset is declared: coordinates, or country and region.
#[derive(Clone, Copy, PartialEq)]
enum Home<'a> {
    At(Coordinates),
    Named(&'a str, Option<&'a str>),
}

fn home(asset: &Asset) -> Option<Home<'_>> {
    if let Some(place) = asset.coordinates.and_then(Coordinates::of_degrees) {
        return Some(Home::At(place));
    }
    let country = asset.record.country.as_deref()?;
    Some(Home::Named(country, asset.region.as_deref()))
}

/// How many homes are pairwise apart, taken greedily in the order of hosts.
fn apart(machines: &[&HostProfile], least_km: f64) -> usize {
    let mut homes: Vec<Home<'_>> = Vec::new();
    for machine in machines {
        let Some(home) = machine.asset.seen().and_then(home) else {
            continue;
        };
        if homes.iter().all(|other| is_apart(*other, home, least_km)) {
            homes.push(home);
        }
    }
    homes.len()
}

fn is_apart(one: Home<'_>, other: Home<'_>, least_km: f64) -> bool {
    match (one, other) {
        (Home::At(here), Home::At(there)) => here.distance_km(there) > least_km,
        (Home::Named(here, region), Home::Named(there, elsewhere)) => {
            here != there || matches!((region, elsewhere), (Some(one), Some(other)) if one != other)
        }
        // One is known by coordinates and one by name: nothing says that they are apart.
        (Home::At(_), Home::Named(..)) | (Home::Named(..), Home::At(_)) => false,
    }
}

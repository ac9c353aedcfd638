//! Assignees who should live apart and go out through one place (DETECTION 4.2, B1).

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::subject::{Subject, identifiers};
use crate::model::address::Address;
use crate::model::egress::line;
use crate::model::profile::{Asset, HostProfile};
use crate::model::quantity::counted;
use crate::model::residence::{self, Residence};

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
    let mut places: BTreeMap<String, Place<'_>> = BTreeMap::new();
    let mut people: BTreeSet<&str> = BTreeSet::new();
    for machine in &machines {
        let Some(asset) = machine.asset.seen() else {
            continue;
        };
        let Some(assignee) = asset.record.assignee.as_deref() else {
            continue;
        };
        if asset.coordinates.is_none() && asset.record.country.is_none() {
            continue;
        }
        people.insert(assignee);
        for (place, visit) in visits(machine, asset, subject.rules.usual_place_share) {
            let known = places.entry(place).or_default();
            known.is_declared |= visit.is_declared;
            if visit.days.is_empty() {
                continue;
            }
            let person = known.people.entry(assignee).or_default();
            person.machines.push(machine);
            person.homes.push(asset);
            person.days.extend(visit.days);
        }
    }
    if people.len() < 2 {
        return Reading::hidden("no inventory says where two assignees of these machines live");
    }
    if places.is_empty() {
        return Reading::hidden("the place where these machines go out is not known");
    }
    let apart = |one: &Person<'_>, other: &Person<'_>| {
        lives_apart(
            one,
            other,
            &subject.rules.remote_sites,
            subject.rules.assignees_apart_km,
        )
    };
    // What many share by declaration says nothing of where anybody lives.
    let told = places
        .iter()
        .filter(|(_, place)| !place.is_declared && !place.people.is_empty());
    let best = told
        .map(|(name, place)| (place.judge(&apart), name, place))
        .max_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(one.1)));
    let Some((judged, name, place)) = best else {
        return Reading::hidden(
            "the machines were only seen at declared exits and sites, or on days for which the inventory says nothing",
        );
    };
    let level = match judged.apart {
        0 | 1 if judged.has_unknown => {
            return Reading::hidden(
                "the inventory does not say how far apart the assignees at one place live",
            );
        }
        0 | 1 if judged.people < 2 => {
            return Reading::absent("0-1", "no two assignees go out through one place");
        }
        homes => level_of(CUE.levels, &subject.rules.assignees, homes),
    };
    let what = match judged.apart {
        0 | 1 => {
            format!("the assignees who go out through one place ({name}) are not declared to live apart")
        }
        homes => format!(
            "{} who are declared to live apart go out through one place ({name})",
            counted(homes, "assignee")
        ),
    };
    let there: Vec<&HostProfile> = place
        .people
        .values()
        .flat_map(|one| one.machines.iter().copied())
        .collect();
    Reading::observed(level, what).shown_by(identifiers(&there), Vec::new())
}

/// Somebody at a place: machines, what the inventory says of where they belong, and the days on which it says so.
#[derive(Default)]
struct Person<'a> {
    machines: Vec<&'a HostProfile>,
    homes: Vec<&'a Asset>,
    days: BTreeSet<u32>,
}

/// A router or a line, and who was there.
#[derive(Default)]
struct Place<'a> {
    people: BTreeMap<&'a str, Person<'a>>,
    /// Whether it is a declared exit or site for anybody.
    is_declared: bool,
}

/// What a place says: how many people are there at a time who live apart, and whether some may or may not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Judged {
    apart: usize,
    has_unknown: bool,
    /// How many people were there.
    people: usize,
}

impl Place<'_> {
    /// People who live apart from each other and were there on common days, taken greedily from the one with most of them on.
    fn judge(&self, apart: &dyn Fn(&Person<'_>, &Person<'_>) -> Option<bool>) -> Judged {
        let people: Vec<&Person<'_>> = self.people.values().collect();
        let are_together = |one: &Person<'_>, other: &Person<'_>| !one.days.is_disjoint(&other.days);
        let mut has_unknown = false;
        let mut order: Vec<(usize, usize, &Person<'_>)> = Vec::new();
        for (number, one) in people.iter().enumerate() {
            let mut others = 0_usize;
            for (_, other) in people.iter().enumerate().filter(|(other, _)| *other != number) {
                if are_together(one, other) {
                    let judged = apart(one, other);
                    has_unknown |= judged.is_none();
                    others += usize::from(judged == Some(true));
                }
            }
            order.push((others, number, one));
        }
        order.sort_by_key(|(others, number, _)| (std::cmp::Reverse(*others), *number));
        let mut chosen: Vec<&Person<'_>> = Vec::new();
        for (_, _, one) in order {
            if chosen
                .iter()
                .all(|other| are_together(one, other) && apart(one, other) == Some(true))
            {
                chosen.push(one);
            }
        }
        Judged {
            apart: chosen.len(),
            has_unknown,
            people: people.len(),
        }
    }
}

/// Whether two people live apart by every row of theirs; nothing where the rows cannot be compared. Who has moved has rows of two
/// homes, and lives in either.
fn lives_apart(one: &Person<'_>, other: &Person<'_>, elsewhere: &[String], least_km: f64) -> Option<bool> {
    let mut is_known = true;
    for mine in &one.homes {
        for theirs in &other.homes {
            match residence::compare(mine, theirs, elsewhere, least_km) {
                Residence::Near => return Some(false),
                Residence::Unknown => is_known = false,
                Residence::Kilometres(_) | Residence::Countries => {}
            }
        }
    }
    is_known.then_some(true)
}

/// Days on which a machine was at a place.
struct Visit {
    days: BTreeSet<u32>,
    is_declared: bool,
}

/// The places that are a machine's own: its routers, and the lines through which it goes out on enough of the days on which its
/// address is known (who is given another one every day, as a carrier's customers are, shares each with strangers at times). Only
/// days for which its row says where it is.
fn visits(machine: &HostProfile, asset: &Asset, least: f64) -> Vec<(String, Visit)> {
    let mut lines: BTreeMap<Address, Visit> = BTreeMap::new();
    let mut known: BTreeSet<u32> = BTreeSet::new();
    for egress in machine.egress.list() {
        known.extend(&egress.days);
        let visit = lines.entry(line(egress.address)).or_insert_with(|| Visit {
            days: BTreeSet::new(),
            is_declared: false,
        });
        visit.days.extend(&egress.days);
        visit.is_declared |= egress.is_declared;
    }
    let count = |many: usize| f64::from(u32::try_from(many).unwrap_or(u32::MAX));
    let usual = lines
        .into_iter()
        .filter(|(_, visit)| count(visit.days.len()) >= least * count(known.len()))
        .map(|(line, visit)| (line.to_string(), visit));
    let routers = machine.gateways.list().iter().map(|gateway| {
        let visit = Visit {
            days: gateway.days.iter().copied().collect(),
            is_declared: false,
        };
        (gateway.router.to_string(), visit)
    });
    let mut all: Vec<(String, Visit)> = usual.chain(routers).collect();
    for (_, visit) in &mut all {
        visit.days.retain(|day| asset.holds_on(*day));
    }
    all
}

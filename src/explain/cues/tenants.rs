//! For how many organisations the machines work (DETECTION 4.2). At an employer every machine is its own.
//!
//! What is counted is what was seen, and what cannot be told is no smaller number: where the fewest and the most organisations that the
//! names can stand for are of different levels, the cue is not observable and says why. Machines that several organisations use in turn
//! have a level of their own: a farm's laptops belong to one employer each, hot desks, pools and hosted machines do not. So have those that
//! look let to customers ([`super::customers`]): tables know no dependence between cues, and of what stands in offices hardly anything
//! has several organisations but what is let, of which a good part has such controllers.

mod count;

use std::collections::BTreeSet;

use crate::explain::subject::{Subject, identifiers};
use crate::model::common_employer::in_common;
use crate::model::observable::Observable;
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::model::tenancy::{Belonging, Organisation, Tenant};
use crate::model::vantage::Vantage;

use super::customers::customers;
use super::{Cue, Reading, is_over, is_under, level_of};
use count::Count;

/// The level of machines that several organisations use in turn.
const IN_TURN: &str = "in turn";

/// The level of machines that look let to customers, each to another.
const CUSTOMERS: &str = "customers";

/// Names that a sentence shows of those that do not count, and machines that it describes.
const MOST_SHOWN: usize = 4;

pub(super) const CUE: Cue = Cue {
    id: "tenants",
    levels: &["0-1", "2", "3-4", "5+", IN_TURN, CUSTOMERS],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let reading = by_names(subject);
    // One organisation whose people sit in several countries lets nothing.
    if matches!(reading.level, Some("0-1" | IN_TURN)) {
        return reading;
    }
    let Some(found) = customers(subject) else {
        return reading;
    };
    let machines = subject.controlled();
    let beside = match reading.level {
        Some(_) => reading.what,
        None => "whose they are, no names tell".to_owned(),
    };
    let what = format!(
        "{}, as customers come to what they rent; {beside}",
        found.described(machines.len())
    );
    Reading::observed(CUSTOMERS, what).shown_by(identifiers(&machines), Vec::new())
}

/// For how many organisations the machines work, by the names that they use.
fn by_names(subject: &Subject<'_>) -> Reading {
    if subject.vantage == Vantage::Employer {
        return Reading::inapplicable("at an employer every machine belongs to one organisation");
    }
    let machines = subject.of_interest();
    let known: Vec<(&HostProfile, Belonging<'_>)> = machines
        .iter()
        .filter_map(|one| Some((*one, belonging(one)?)))
        .collect();
    let hosts: Vec<&HostProfile> = known.iter().map(|(one, _)| *one).collect();
    let is_of = |wanted: fn(&Belonging<'_>) -> bool| {
        let of_kind = known.iter().filter(|(_, whose)| wanted(whose));
        of_kind.collect::<Vec<_>>()
    };
    let in_turn = is_of(|whose| matches!(whose, Belonging::InTurn(_)));
    let settled = is_of(|whose| matches!(whose, Belonging::To(_) | Belonging::Unknown));
    let unsettled = is_of(|whose| matches!(whose, Belonging::InTurn(_) | Belonging::Unclear(_)));
    let all = Count::of(&organisations(&known.iter().collect::<Vec<_>>()));
    let by = "by the inventory or the services used";
    let most = subject.rules.most_share;
    let are_most_known = !is_under(most, known.len(), machines.len());
    if are_most_known && is_over(most, in_turn.len(), known.len()) {
        let on = if machines.len() == 1 {
            "in turn, as at a hot desk, in a pool or on a hosted machine".to_owned()
        } else {
            format!(
                "on {}, in turn on {} of them, as at hot desks, in pools or on hosted machines",
                counted(machines.len(), "machine"),
                in_turn.len()
            )
        };
        let what = format!("{} {on}, {by}: {}", all.written(), described(&in_turn));
        return Reading::observed(IN_TURN, what).shown_by(identifiers(&hosts), Vec::new());
    }
    let mut sure = Count::of(&organisations(&settled));
    // A machine that is one of several organisations' is somebody's.
    if !unsettled.is_empty() {
        sure.least = sure.least.max(1);
    }
    if sure.least < 2 && !are_most_known || known.is_empty() {
        let reason = machines.iter().find_map(|one| one.tenants.reason());
        let has_shared = machines.iter().any(|one| !one.tenants.list().is_empty());
        return Reading::hidden(reason.unwrap_or(if has_shared && known.is_empty() {
            "only names were seen that machines of several organisations use"
        } else {
            "the organisations of most of these machines could not be seen"
        }));
    }
    let level = |many| level_of(CUE.levels, &subject.rules.tenants, many);
    if level(sure.least) != level(all.most) {
        return Reading::hidden(&unsettled_reason(&sure, &all, &unsettled, machines.len()));
    }
    let used: Vec<&[Tenant]> = hosts.iter().map(|one| one.tenants.list()).collect();
    let common = in_common(&used);
    if !common.is_empty() && level(all.most) != level(1) && hosts.iter().all(|one| employer(one).is_none()) {
        return Reading::hidden(&format!(
            "between 1 and {} organisations: day by day all {} also use {}, whose machines they may all be, and the others its customers: {}",
            all.most,
            counted(hosts.len(), "machine"),
            common.join("/"),
            all.names.join(", ")
        ));
    }
    if all.most == 0 {
        return Reading::absent("0-1", "no organisation's services are used");
    }
    let on = if machines.len() == 1 {
        String::new()
    } else {
        format!(" on {}", counted(hosts.len(), "machine"))
    };
    let counts = if unsettled.is_empty() { &sure } else { &all };
    let what = format!(
        "{}{on}, {by}: {}{}",
        counts.written(),
        counts.names.join(", "),
        not_counted(&known)
    );
    Reading::observed(level(sure.least), what).shown_by(identifiers(&hosts), Vec::new())
}

/// Why the number of organisations cannot be told.
fn unsettled_reason(
    sure: &Count,
    all: &Count,
    unsettled: &[&(&HostProfile, Belonging<'_>)],
    machines: usize,
) -> String {
    let range = format!("between {} and {} organisations", sure.least, all.most);
    if unsettled.is_empty() {
        let names = all.names.join(", ");
        return format!("{range}: names that stand for no other are used beside several of {names}");
    }
    let whose = if machines == 1 {
        "whose machine it is".to_owned()
    } else {
        format!("whose {} of {machines} machines are", unsettled.len())
    };
    format!(
        "{range}: {whose} cannot be told, several are used on different days and none on most of them: {}",
        described(unsettled)
    )
}

/// Machines with what they used and on how many days.
fn described(machines: &[&(&HostProfile, Belonging<'_>)]) -> String {
    let one = |(profile, whose): &&(&HostProfile, Belonging<'_>)| {
        let used: Vec<String> = whose
            .organisations()
            .iter()
            .filter_map(|one| {
                Some(format!(
                    "{} on {}",
                    one.names.first()?,
                    counted(one.days.len(), "day")
                ))
            })
            .collect();
        format!("{} uses {}", profile.label(), used.join(", "))
    };
    let mut texts: Vec<String> = machines.iter().map(one).collect();
    texts.sort_unstable();
    shortened(texts, "; ")
}

/// Names that machines use and that are nobody's or not those of most days.
fn not_counted(known: &[(&HostProfile, Belonging<'_>)]) -> String {
    let (mut shared, mut rare): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    for (profile, whose) in known {
        let of_it = whose.organisations();
        let is_of_it = |name: &str| {
            of_it
                .iter()
                .any(|one| one.names.contains(&name) || one.beside.contains(&name))
        };
        let is_written = employer(profile).is_some();
        for tenant in profile.tenants.list() {
            let name = tenant.name.as_str();
            if is_written || is_of_it(name) {
                continue;
            }
            if tenant.is_shared {
                shared.insert(name);
            } else {
                rare.insert(name);
            }
        }
    }
    // What one machine uses on few days may well be whose another one is.
    let counted: BTreeSet<&str> = known
        .iter()
        .flat_map(|(_, whose)| whose.organisations())
        .flat_map(|one| one.names.iter().chain(&one.beside))
        .copied()
        .collect();
    shared.retain(|name| !counted.contains(name));
    rare.retain(|name| !counted.contains(name));
    let said = |why: &str, names: BTreeSet<&str>| {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let is_any = !names.is_empty();
        is_any.then(|| format!("; not counted, as used {why}: {}", shortened(names, ", ")))
    };
    let texts = [said("beside several of these", shared), said("on few days", rare)];
    texts.into_iter().flatten().collect()
}

/// The first few of a list.
fn shortened(list: Vec<String>, between: &str) -> String {
    let more = list.len().saturating_sub(MOST_SHOWN);
    let shown: Vec<String> = list.into_iter().take(MOST_SHOWN).collect();
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", shown.join(between))
}

/// Whose machine it is, where something says so, or says that it is nobody's.
fn belonging(profile: &HostProfile) -> Option<Belonging<'_>> {
    if let Some(employer) = employer(profile) {
        return Some(Belonging::To(vec![Organisation::written(employer)]));
    }
    match &profile.tenants {
        Observable::NotObservable(_) => None,
        Observable::Absent => Some(Belonging::Unknown),
        Observable::Observed(tenants) => {
            Some(Belonging::of(tenants)).filter(|whose| *whose != Belonging::Unknown)
        }
    }
}

fn employer(profile: &HostProfile) -> Option<&str> {
    profile
        .asset
        .seen()
        .and_then(|asset| asset.record.employer.as_deref())
}

/// The organisations of machines, one after the other.
fn organisations<'a>(machines: &[&'a (&HostProfile, Belonging<'a>)]) -> Vec<&'a Organisation<'a>> {
    machines
        .iter()
        .flat_map(|(_, whose)| whose.organisations())
        .collect()
}

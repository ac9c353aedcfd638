//! IP KVMs reached over the network that show the members' screens, and those beside them of which that cannot be told. Invisible from
//! an employer's network.
//!
//! Beside one that shows a member those count like it; where none does they say little. One that shows another machine says nothing of these, and neither does one that was watched and shows none that was seen: a house may
//! have it for its file server.

use std::collections::BTreeMap;

use crate::explain::subject::Subject;
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::profile::{KvmSeen, Shows};
use crate::model::vantage::Vantage;

use super::{Cue, Reading, level_of};

pub(super) const CUE: Cue = Cue {
    id: "kvm",
    levels: &["0", "near", "1", "2+"],
    value,
};

/// Levels of the KVMs that are known to show members.
const SHOWING: [&str; 3] = ["", "1", "2+"];

fn value(subject: &Subject<'_>) -> Reading {
    let mut seen: BTreeMap<ContentId, KvmSeen> = BTreeMap::new();
    let mut add = |kvm: &KvmSeen| {
        let known = seen.entry(kvm.host).or_insert_with(|| kvm.clone());
        known.shows = known.shows.max(kvm.shows);
    };
    for member in &subject.members {
        member.kvm.on_gateway.list().iter().for_each(&mut add);
        member.kvm.drives_this.list().iter().for_each(&mut add);
        if let Some(finding) = member.kvm.is_kvm {
            add(&KvmSeen {
                host: member.host,
                shows: Shows::Unknown,
                name: member.label(),
                finding,
            });
        }
    }
    let is_member = |host: ContentId| subject.members.iter().any(|one| one.host == host);
    let (mut own, mut near, mut others) = (Vec::new(), Vec::new(), 0_usize);
    for kvm in seen.values() {
        match kvm.shows {
            Shows::Machine(host) if is_member(host) => own.push(kvm),
            Shows::Unknown => near.push(kvm),
            Shows::Machine(_) | Shows::Nobody => others = others.saturating_add(1),
        }
    }
    if own.is_empty() && near.is_empty() {
        return none(subject, others);
    }
    let (level, shown) = if own.is_empty() {
        ("near", &near)
    } else {
        // Who stands one beside these machines, and others of which nothing was seen, had those brought for the same end.
        let all = own.len().saturating_add(near.len());
        (level_of(&SHOWING, &subject.rules.kvm, all), &own)
    };
    let switches = |many: usize| match many {
        1 => "an IP KVM".to_owned(),
        many => format!("{many} IP KVMs"),
    };
    let which = if near.len() == 1 {
        "whose screen it shows"
    } else {
        "whose screens they show"
    };
    let what = match (own.len(), near.len()) {
        (0, many) => format!(
            "{} on the network, and {which} cannot be told: {}",
            switches(many),
            named(&near)
        ),
        (many, 0) => format!("{} on the network: {}", switches(many), named(&own)),
        (many, more) => format!(
            "{} on the network: {}; of {more} more cannot be told {which}",
            switches(many),
            named(&own)
        ),
    };
    let mut findings: Vec<_> = shown.iter().map(|kvm| kvm.finding).collect();
    findings.sort_unstable();
    findings.dedup();
    Reading::observed(level, what).shown_by(shown.iter().map(|kvm| kvm.host).collect(), findings)
}

/// No KVM that says anything of these machines.
fn none(subject: &Subject<'_>, others: usize) -> Reading {
    if others > 0 {
        return Reading::inapplicable(
            "the IP KVMs on the network were watched, and what they show does not go together with what any machine among these does",
        );
    }
    if subject.vantage == Vantage::Employer {
        return Reading::hidden("IP KVMs beside the machines do not show from an employer's network");
    }
    let machines = subject.machines();
    let unseen = machines.iter().find_map(|one| match &one.kvm.on_gateway {
        Observable::NotObservable(reason) => Some(reason.as_str()),
        Observable::Observed(_) | Observable::Absent => one.kvm.unknown.as_deref(),
    });
    match unseen {
        Some(reason) => Reading::hidden(reason),
        None => Reading::absent("0", "no IP KVM on the network"),
    }
}

/// One name each. Boards keep the name that they were delivered with, and then several have one.
fn named(kvms: &[&KvmSeen]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for kvm in kvms {
        let count = counts.entry(kvm.name.as_str()).or_default();
        *count = count.saturating_add(1);
    }
    let names: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| match count {
            1 => name.to_owned(),
            several => format!("{name} ({several} of that name)"),
        })
        .collect();
    names.join(", ")
}

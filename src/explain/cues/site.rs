//! What kind of line the machines go out through. What only the embedded default database knows says nothing here.

use crate::explain::subject::{Subject, identifiers};
use crate::model::profile::{HostProfile, NetworkKind};
use crate::model::quantity::counted;

use super::{Cue, Reading};

pub(super) const CUE: Cue = Cue {
    id: "site",
    levels: &["declared", "shared", "hosting", "residential"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let machines = subject.machines();
    if let Some(site) = subject.declared_site() {
        return Reading::observed("declared", format!("the inventory declares the site: {site}"))
            .shown_by(identifiers(&machines), Vec::new());
    }
    // The kind that most machines show; of equals the one that incriminates least, which is the order here.
    let mut best: Option<(&'static str, &str, Vec<&HostProfile>)> = None;
    for (kinds, level, words) in [
        (
            &[NetworkKind::Shared][..],
            "shared",
            "a line that many unrelated users share",
        ),
        (
            &[NetworkKind::Hosting, NetworkKind::Vpn][..],
            "hosting",
            "a data centre or VPN exit",
        ),
        (
            &[NetworkKind::Residential][..],
            "residential",
            "a residential line",
        ),
    ] {
        let hosts: Vec<&HostProfile> = machines
            .iter()
            .copied()
            .filter(|one| kinds.iter().any(|kind| goes_out(one, *kind)))
            .collect();
        if hosts.len() > best.as_ref().map_or(0, |(_, _, most)| most.len()) {
            best = Some((level, words, hosts));
        }
    }
    let Some((level, words, hosts)) = best else {
        let mut all = machines.iter().flat_map(|one| one.egress.list());
        return Reading::hidden(if all.any(|egress| egress.is_default_database_only) {
            "the kind of line rests on the default geo database alone, which is not enough to raise anything"
        } else {
            "the kind of line is not known"
        });
    };
    let place = match level {
        "shared" => "a place that many unrelated people share",
        "hosting" => "a data centre",
        _ => "a home",
    };
    let machines = counted(hosts.len(), "machine");
    let what = if hosts.iter().all(|one| one.stands_in.is_some()) {
        format!("{machines} in {place}, as the policy declares")
    } else {
        format!("{machines} go out through {words}")
    };
    Reading::observed(level, what).shown_by(identifiers(&hosts), Vec::new())
}

/// Whether a machine stands in a place that is declared to be of a kind; where nothing is declared, whether it goes out through a
/// network of that kind that more than the default database knows.
fn goes_out(profile: &HostProfile, kind: NetworkKind) -> bool {
    if let Some(declared) = profile.stands_in {
        return declared == kind;
    }
    profile
        .egress
        .list()
        .iter()
        .any(|egress| egress.kind == Some(kind) && !egress.is_default_database_only)
}

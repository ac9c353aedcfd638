//! Whether anybody sits at the controlled machines themselves (DETECTION 4.1.3).
//!
//! Nobody sits at a server, whoever administers it (DETECTION 2.1, A9: headless servers look alike): of machines that are servers for
//! others it is not asked. Somebody who does sit at one is seen all the same.

use std::collections::BTreeSet;

use crate::explain::subject::{Subject, identifiers};
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::profile::{HostProfile, LocalUse};
use crate::model::quantity::counted;

use super::{Cue, Reading, is_over, servers, uncontrolled};

pub(super) const CUE: Cue = Cue {
    id: "local",
    levels: &["present", "absent", "unclear"],
    value,
};

/// "the machine" where there is one, else how many of them.
fn these(all: &[&HostProfile], some: usize) -> String {
    match all.len() {
        1 => "the machine".to_owned(),
        _ => counted(some, "machine"),
    }
}

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return uncontrolled(subject);
    }
    let servers: BTreeSet<ContentId> = identifiers(&servers::serving(subject)).into_iter().collect();
    let is_server = |one: &HostProfile| servers.contains(&one.host);
    let wanted = usize::try_from(subject.rules.local_days).unwrap_or(usize::MAX);
    let of = |judge: &dyn Fn(&HostProfile) -> bool| -> Vec<&HostProfile> {
        controlled.iter().copied().filter(|one| judge(one)).collect()
    };
    let present = of(&|one| one.local_use == Observable::Observed(LocalUse::Present));
    let is_known = |one: &HostProfile| one.watched_days() >= wanted && !is_server(one);
    let absent = of(&|one| one.local_use == Observable::Absent && is_known(one));
    let unclear = of(&|one| one.local_use == Observable::Observed(LocalUse::Unclear) && is_known(one));
    let known = present
        .len()
        .saturating_add(absent.len())
        .saturating_add(unclear.len());
    if known == 0 && controlled.iter().all(|one| is_server(one)) {
        return Reading::inapplicable("nobody sits at a server, whoever administers it");
    }
    if known == 0 {
        let reason = controlled.iter().find_map(|one| one.local_use.reason());
        return Reading::hidden(&reason.map_or_else(
            || {
                format!(
                    "capture too short: fewer than {wanted} active days whose working hours were captured"
                )
            },
            str::to_owned,
        ));
    }
    let is_most = |hosts: &[&HostProfile]| is_over(subject.rules.most_share, hosts.len(), known);
    if is_most(&absent) {
        let what = format!(
            "no trace of anybody at {} outside remote sessions",
            these(&subject.machines(), absent.len())
        );
        return Reading::absent("absent", &what).shown_by(identifiers(&absent), Vec::new());
    }
    if is_most(&present) {
        let what = format!(
            "activity outside remote sessions at {}, consistent with somebody who sits there",
            these(&subject.machines(), present.len())
        );
        return Reading::observed("present", what).shown_by(identifiers(&present), Vec::new());
    }
    Reading::observed(
        "unclear",
        "whether somebody works at the machines directly differs or is unclear".to_owned(),
    )
    .shown_by(identifiers(&controlled), Vec::new())
}

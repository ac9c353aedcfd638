//! Whether anybody sits at the controlled machines themselves (DETECTION 4.1.3).

use crate::explain::subject::{Subject, identifiers};
use crate::model::observable::Observable;
use crate::model::profile::{HostProfile, LocalUse};
use crate::model::quantity::counted;

use super::{Cue, Reading, is_over, uncontrolled};

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
    let wanted = usize::try_from(subject.rules.local_days).unwrap_or(usize::MAX);
    let of = |judge: &dyn Fn(&HostProfile) -> bool| -> Vec<&HostProfile> {
        controlled.iter().copied().filter(|one| judge(one)).collect()
    };
    let present = of(&|one| one.local_use == Observable::Observed(LocalUse::Present));
    let absent = of(&|one| one.local_use == Observable::Absent && one.watched_days() >= wanted);
    let unclear =
        of(&|one| one.local_use == Observable::Observed(LocalUse::Unclear) && one.watched_days() >= wanted);
    let known = present
        .len()
        .saturating_add(absent.len())
        .saturating_add(unclear.len());
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

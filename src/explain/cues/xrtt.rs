//! How much longer the control loop is than the path to the relay (DETECTION 3.2).

use crate::explain::subject::{Subject, identifiers, median, session_findings};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;

use super::{Cue, Reading};

pub(super) const CUE: Cue = Cue {
    id: "xrtt",
    levels: &["<40", "40-100", ">100"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return Reading::inapplicable("no machine is under remote control");
    }
    let known: Vec<&HostProfile> = controlled
        .iter()
        .copied()
        .filter(|one| one.control_excess_ms.seen().is_some())
        .collect();
    let Some(excess) = median(
        known
            .iter()
            .filter_map(|one| one.control_excess_ms.seen().copied())
            .collect(),
    ) else {
        let reason = controlled.iter().find_map(|one| one.control_excess_ms.reason());
        return Reading::hidden(reason.unwrap_or("not measured"));
    };
    let level = if excess < 40.0 {
        "<40"
    } else if excess <= 100.0 {
        "40-100"
    } else {
        ">100"
    };
    let what = format!(
        "the control loop takes {excess:.0} ms longer than the path to the relay (median of {})",
        counted(known.len(), "machine")
    );
    Reading::observed(level, what).shown_by(identifiers(&known), session_findings(&known))
}

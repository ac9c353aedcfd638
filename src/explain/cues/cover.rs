//! How much of the human activity at the controlled machines falls into remote sessions (DETECTION 4.1.3).

use crate::explain::subject::{Subject, identifiers, median, median_of, session_findings};
use crate::model::profile::HostProfile;

use super::{Cue, Reading, uncontrolled};

pub(super) const CUE: Cue = Cue {
    id: "cover",
    levels: &["<.1", ".1-.5", ".5-.8", ">.8"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return uncontrolled(subject);
    }
    let rules = subject.rules;
    let known: Vec<&HostProfile> = controlled
        .iter()
        .copied()
        .filter(|one| {
            let coverage = one.coverage.seen();
            coverage.is_some_and(|coverage| coverage.days >= rules.cover_days)
        })
        .collect();
    // What is asked about is the group's coverage: it is known as well as all of its minutes let it be.
    let minutes = known
        .iter()
        .filter_map(|one| one.coverage.seen())
        .fold(0_u32, |sum, coverage| sum.saturating_add(coverage.active_minutes));
    let known = if minutes < rules.cover_active_minutes {
        Vec::new()
    } else {
        known
    };
    let shares = known
        .iter()
        .filter_map(|one| one.coverage.seen())
        .map(|coverage| coverage.share)
        .collect();
    let Some(share) = median(shares) else {
        if controlled.iter().any(|one| one.coverage.seen().is_some()) {
            return Reading::hidden(&format!(
                "capture too short: fewer than {} minutes of human activity over {} days whose working hours were captured",
                rules.cover_active_minutes, rules.cover_days
            ));
        }
        let reason = controlled.iter().find_map(|one| one.coverage.reason());
        return Reading::hidden(reason.unwrap_or("no human activity was seen"));
    };
    let [some, half, most] = rules.cover;
    let level = if share < some {
        "<.1"
    } else if share < half {
        ".1-.5"
    } else if share <= most {
        ".5-.8"
    } else {
        ">.8"
    };
    let what = format!(
        "{:.0} % of the human activity happens inside remote sessions{}",
        share * 100.0,
        median_of(known.len())
    );
    Reading::observed(level, what).shown_by(identifiers(&known), session_findings(&known))
}

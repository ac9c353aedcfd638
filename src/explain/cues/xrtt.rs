//! How much longer the control loop is than the path to the relay (DETECTION 3.2).
//!
//! A connection without a relay has no such difference, whoever is at its other end and however far: a VPN carries the
//! connection itself to the operator. There only a loop that *is* longer says something, that something on the way ends the
//! connection.

use crate::explain::subject::{Subject, identifiers, median, session_findings};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;

use super::{Cue, Reading};

pub(super) const CUE: Cue = Cue {
    id: "xrtt",
    levels: &["<40", "40-100", ">100"],
    value,
};

/// Milliseconds below which a loop is as long as its path.
const NEAR_MS: f64 = 40.0;

/// Why a loop that is as long as its path may say nothing.
const DIRECT: &str =
    "the sessions run over no relay, so their loops are as long as their paths wherever the operator is";

/// Whether the excess of a machine's sessions tells anything.
fn says_something(profile: &HostProfile) -> bool {
    let is_relayed = profile
        .sessions
        .list()
        .iter()
        .any(|session| !session.relays.is_empty());
    let excess = profile.control_excess_ms.seen().copied().unwrap_or(0.0);
    is_relayed || excess >= NEAR_MS
}

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return Reading::inapplicable("no machine is under remote control");
    }
    let measured: Vec<&HostProfile> = controlled
        .iter()
        .copied()
        .filter(|one| one.control_excess_ms.seen().is_some())
        .collect();
    let known: Vec<&HostProfile> = measured
        .iter()
        .copied()
        .filter(|one| says_something(one))
        .collect();
    if known.is_empty() && !measured.is_empty() {
        return Reading::hidden(DIRECT);
    }
    let Some(excess) = median(
        known
            .iter()
            .filter_map(|one| one.control_excess_ms.seen().copied())
            .collect(),
    ) else {
        let reason = controlled.iter().find_map(|one| one.control_excess_ms.reason());
        return Reading::hidden(reason.unwrap_or("not measured"));
    };
    let level = if excess < NEAR_MS {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observable::Observable;
    use crate::model::profile::RemoteSession;

    fn profile(relays: &[&str], excess_ms: f64) -> HostProfile {
        let session = RemoteSession {
            relays: relays.iter().map(|name| (*name).to_owned()).collect(),
            ..RemoteSession::default()
        };
        HostProfile {
            sessions: Observable::Observed(vec![session]),
            control_excess_ms: Observable::Observed(excess_ms),
            ..HostProfile::default()
        }
    }

    #[test]
    fn a_short_loop_speaks_only_where_a_relay_ends_the_connection() {
        assert!(!says_something(&profile(&[], 1.0)));
        assert!(says_something(&profile(&["relay.example"], 1.0)));
        assert!(says_something(&profile(&[], 150.0)));
    }
}

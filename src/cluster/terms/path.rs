//! Path twins: control legs of equal length at both machines (DETECTION 3.2, 6.2).

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::HostProfile;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "path",
    log_odds,
};

/// Equal excess of the loop and equal round trip to the relay, on enough days of both machines.
fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let weights = &scale.weights.path;
    let excess = one.control_excess_ms.seen()? - other.control_excess_ms.seen()?;
    let transport = one.transport_ms? - other.transport_ms?;
    let days = u32::try_from(one.days.len().min(other.days.len())).ok()?;
    if days < weights.least_days {
        return None;
    }
    let is_twin = excess.abs() < weights.excess_ms && transport.abs() < weights.transport_ms;
    Some(Term {
        nats: if is_twin { weights.twin } else { 0.0 },
        what: format!(
            "control loops differ by {:.1} ms behind round trips that differ by {:.1} ms",
            excess.abs(),
            transport.abs()
        ),
    })
}

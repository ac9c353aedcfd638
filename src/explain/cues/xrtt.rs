//! How far away the operator's end is: behind the relay, by how much longer the control loop is than the path to the relay
//! (DETECTION 3.2); without a relay, by the whole loop, for then the path to the peer is the operator's own.

use crate::explain::subject::{Subject, identifiers, median, median_of, session_findings};
use crate::model::profile::HostProfile;

use super::{Cue, Reading, uncontrolled};

pub(super) const CUE: Cue = Cue {
    id: "xrtt",
    levels: &["<40", "40-100", ">100"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return uncontrolled(subject);
    }
    let known: Vec<(&HostProfile, f64)> = controlled
        .iter()
        .filter_map(|one| Some((*one, distance_ms(one)?)))
        .collect();
    let Some(distance) = median(known.iter().map(|(_, distance)| *distance).collect()) else {
        let reason = controlled.iter().find_map(|one| one.control_excess_ms.reason());
        return Reading::hidden(reason.unwrap_or("not measured"));
    };
    let [near, far] = subject.rules.xrtt_ms;
    let level = if distance < near {
        "<40"
    } else if distance <= far {
        "40-100"
    } else {
        ">100"
    };
    let hosts: Vec<&HostProfile> = known.iter().map(|(host, _)| *host).collect();
    let is_behind = if hosts.iter().all(|host| is_relayed(host)) {
        "than the path to the relay"
    } else if hosts.iter().any(|host| is_relayed(host)) {
        "than the path to the relay, where there is one"
    } else {
        "than to a machine beside the capture point: it comes without a relay"
    };
    let what = format!(
        "the control loop takes {distance:.0} ms longer {is_behind}{}",
        median_of(hosts.len())
    );
    Reading::observed(level, what).shown_by(identifiers(&hosts), session_findings(&hosts))
}

/// Milliseconds from the last point that is known not to be the operator to the operator and back.
fn distance_ms(profile: &HostProfile) -> Option<f64> {
    let excess = *profile.control_excess_ms.seen()?;
    if is_relayed(profile) {
        Some(excess)
    } else {
        Some(excess + profile.transport_ms?)
    }
}

/// Whether a live session goes through a relay or a server.
fn is_relayed(profile: &HostProfile) -> bool {
    profile.live_sessions().any(|session| !session.relays.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observable::Observable;
    use crate::model::profile::RemoteSession;
    use crate::model::time::{SECOND, Timestamp};

    fn driven(relays: &[&str]) -> HostProfile {
        let start = Timestamp::from_parts(1_789_344_000, 0);
        HostProfile {
            control_excess_ms: Observable::Observed(2.0),
            transport_ms: Some(180.0),
            sessions: Observable::Observed(vec![RemoteSession {
                relays: relays.iter().map(|&relay| relay.to_owned()).collect(),
                intervals: vec![(
                    start,
                    start.plus(600 * SECOND),
                    crate::model::finding::Activity::Driven,
                )],
                ..RemoteSession::default()
            }]),
            ..HostProfile::default()
        }
    }

    #[test]
    fn without_a_relay_the_path_to_the_peer_is_the_operators_own() {
        assert_eq!(distance_ms(&driven(&["relay.example"])), Some(2.0));
        assert_eq!(distance_ms(&driven(&[])), Some(182.0));
        let mut unknown = driven(&[]);
        unknown.transport_ms = None;
        assert_eq!(distance_ms(&unknown), None);
    }
}

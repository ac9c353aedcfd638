//! What a summary says of sessions that may have stayed unseen: connections that were joined in their middle, and what has the form of a
//! session inside of tunnels and datagrams.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::Concluded;
use crate::explain::little;
use crate::model::evidence::State;
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::profile::{self, Sight};
use crate::settings::rules::Rules;

/// What carries the form of a session, by machine.
type Formed = BTreeMap<ContentId, Vec<String>>;

/// Machines most of whose use goes with something that has the form of a session.
fn formed(sights: &[Sight], rules: &Rules) -> Formed {
    sights
        .iter()
        .filter(|sight| !sight.unseen.formed.is_empty() && profile::is_mostly_formed(sight, &rules.activity))
        .map(|sight| (sight.host, sight.unseen.formed_by.clone()))
        .collect()
}

/// One sentence for each way in which sessions may have stayed unseen, in their order.
pub(super) fn causes(
    concluded: &Concluded,
    sights: &[Sight],
    profiles: &[HostProfile],
    rules: &Rules,
) -> Vec<String> {
    let all = [begun_before(concluded), in_form(&formed(sights, rules), profiles)];
    all.into_iter()
        .flatten()
        .chain(unknown_screens(profiles))
        .collect()
}

/// Sentences on screens beside machines at most.
const MOST_SCREENS: usize = 3;

/// What is to be said of screens of which nobody knows whose they are, beside machines that somebody uses and nobody was seen to control.
fn unknown_screens(profiles: &[HostProfile]) -> Vec<String> {
    let beside = profiles.iter().filter(|profile| {
        profile.controlled() != State::Observed && !profile.active_minutes.list().is_empty()
    });
    let all: BTreeSet<&str> = beside
        .filter_map(|profile| profile.kvm.unknown.as_deref())
        .collect();
    all.into_iter().take(MOST_SCREENS).map(str::to_owned).collect()
}

/// What is to be said of connections that were joined in their middle and may be sessions.
fn begun_before(concluded: &Concluded) -> Option<String> {
    let hidden = concluded.unseen.values().map(|unseen| unseen.begun_before);
    let counts = hidden.filter(|connections| *connections > 0);
    let (connections, machines) = counts.fold((0_u64, 0_u64), |(sum, machines), one| {
        (sum.saturating_add(one), machines.saturating_add(1))
    });
    little::begun_before(connections, machines)
}

/// What is to be said of machines whose tunnels or unnamed datagrams may be sessions, and of which no session was seen.
fn in_form(formed: &Formed, profiles: &[HostProfile]) -> Option<String> {
    let hidden = profiles
        .iter()
        .filter(|profile| profile.controlled() == State::NotObservable && !profile.is_kvm());
    let (mut machines, mut carriers) = (0_u64, BTreeSet::new());
    for own in hidden.filter_map(|profile| formed.get(&profile.host)) {
        machines = machines.saturating_add(1);
        carriers.extend(own.iter().cloned());
    }
    little::formed(machines, &carriers.into_iter().collect::<Vec<_>>())
}

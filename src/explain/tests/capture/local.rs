//! Somebody at the machine, and sessions that begin without anybody there: two cues that must not contradict each other.

use super::*;
use crate::model::profile::Served;

fn n_rc(local_use: &Observable<LocalUse>) -> String {
    let all: Vec<HostProfile> = (1..=3)
        .map(|number| HostProfile {
            local_use: local_use.clone(),
            ..machine(number, "anydesk", None, None, "firm")
        })
        .collect();
    let found = explained(&all);
    let mut reasons = found.farms[0].reasons.iter();
    reasons.find(|one| one.reason == "n_rc").unwrap().what.clone()
}

#[test]
fn where_somebody_sits_nothing_is_said_to_begin_without_a_trace_of_anybody() {
    let trace = "without a trace of anybody there";
    assert!(n_rc(&Observable::Absent).contains(trace));
    assert!(!n_rc(&Observable::Observed(LocalUse::Present)).contains(trace));
}

#[test]
fn of_servers_it_is_not_asked_whether_anybody_sits_at_them() {
    let all = |peers: usize| -> Vec<HostProfile> {
        let outside = (1..).map(|last| Address::from_v4([198, 51, 100, last]));
        let served = Served {
            peers: outside.take(peers).collect(),
            services: vec!["smb"],
        };
        let watched = Stretches::of(vec![(start(), start().plus(5 * 86_400 * SECOND))]);
        (1..=3)
            .map(|number| HostProfile {
                serves: Some(served.clone()),
                days: (DAY..DAY + 5).collect(),
                watched: watched.clone().judged_by(weights().rules.working_day),
                ..machine(number, "anydesk", None, None, "firm")
            })
            .collect()
    };
    let is_absent = |profiles: &[HostProfile]| {
        let found = explained(profiles);
        let mut reasons = found.farms[0].reasons.iter();
        reasons.any(|one| one.reason == "local" && one.state == State::Absent)
    };
    assert!(is_absent(&all(0)) && is_absent(&all(2)));
    assert!(!is_absent(&all(3)));
    // Who does sit at one is seen.
    let mut lived_in = all(3);
    for profile in &mut lived_in {
        profile.local_use = Observable::Observed(LocalUse::Present);
    }
    let found = explained(&lived_in);
    let local = found.farms[0].reasons.iter().find(|one| one.reason == "local");
    assert!(local.unwrap().weight.0 < 0.0);
}

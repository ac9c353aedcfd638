//! Somebody at the machine, and sessions that begin without anybody there: two cues that must not contradict each other.

use super::*;

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

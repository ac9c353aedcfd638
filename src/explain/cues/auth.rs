//! Whether the tools that control these machines are sanctioned.
//!
//! Without any list of sanctioned tools every tool is unlisted, on honest machines as on others: then it says nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::subject::{Subject, identifiers, session_findings};
use crate::model::finding::Activity;
use crate::model::profile::{HostProfile, RemoteSession};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
use crate::model::vantage::Vantage;
use crate::settings::rules::Rules;

use super::{Cue, Reading};

pub(super) const CUE: Cue = Cue {
    id: "auth",
    levels: &["allowed", "unlisted-1", "unlisted-2+", "none"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let sessions = subject.sessions();
    if sessions.is_empty() {
        if subject.vantage == Vantage::Employer {
            return Reading::hidden("an IP KVM at the machines would not show from an employer's network");
        }
        let looked = |one: &&HostProfile| one.hidden_control().is_none();
        return if subject.machines().iter().all(looked) {
            Reading::absent("none", "no remote tool has a session")
        } else {
            let why = subject.blind().unwrap_or_else(|| "not measured".to_owned());
            Reading::hidden(&format!(
                "whether remote tools have sessions cannot be told: {why}"
            ))
        };
    }
    let controlled = subject.controlled();
    let unlisted: Vec<&HostProfile> = controlled
        .iter()
        .copied()
        .filter(|one| !unlisted_tools(subject, one).is_empty())
        .collect();
    let tools: BTreeSet<&str> = unlisted
        .iter()
        .flat_map(|one| unlisted_tools(subject, one))
        .collect();
    let names: Vec<&str> = tools.into_iter().collect();
    let findings = session_findings(&controlled);
    if unlisted
        .iter()
        .any(|one| is_of_two_tools(unlisted_sessions(subject, one), together(subject.rules)))
    {
        let what = format!(
            "two or more tools on one machine that no policy or inventory sanctions: {}",
            names.join(", ")
        );
        return Reading::observed("unlisted-2+", what).shown_by(identifiers(&unlisted), findings);
    }
    if !unlisted.is_empty() {
        let what = format!(
            "in use without a policy or inventory that sanctions it: {}",
            names.join(", ")
        );
        return Reading::observed("unlisted-1", what).shown_by(identifiers(&unlisted), findings);
    }
    if sessions.iter().all(|session| session.sanctioned == Some(true)) {
        return Reading::observed("allowed", "every remote tool here is sanctioned".to_owned())
            .shown_by(identifiers(&controlled), findings);
    }
    if sessions.iter().any(|session| subject.is_prevalent(&session.tool)) {
        return Reading::hidden("the tool is on so many machines here that it is policy rather than anomaly");
    }
    Reading::hidden("no list of sanctioned tools was given")
}

/// A machine's live sessions that a list leaves out.
fn unlisted_sessions<'a>(
    subject: &Subject<'_>,
    profile: &'a HostProfile,
) -> impl Iterator<Item = &'a RemoteSession> {
    profile
        .live_sessions()
        .filter(|session| session.sanctioned == Some(false) && !subject.is_prevalent(&session.tool))
}

/// Their tools.
fn unlisted_tools<'a>(subject: &Subject<'_>, profile: &'a HostProfile) -> BTreeSet<&'a str> {
    unlisted_sessions(subject, profile)
        .map(|session| session.tool.as_str())
        .collect()
}

/// How near two tools are to each other that are two at once.
fn together(rules: &Rules) -> Nanoseconds {
    i64::from(rules.two_tools_days).saturating_mul(86_400 * SECOND)
}

/// Whether a machine was shown through two tools within thirty days (DETECTION 4.1.5): whoever changed his tool in spring has one.
fn is_of_two_tools<'a>(sessions: impl Iterator<Item = &'a RemoteSession>, together: Nanoseconds) -> bool {
    let mut shown: Vec<(Timestamp, Timestamp, &str)> = sessions
        .flat_map(|session| {
            let live = |activity: Activity| matches!(activity, Activity::Viewed | Activity::Driven);
            let intervals = session.intervals.iter();
            intervals
                .filter(move |(.., activity)| live(*activity))
                .map(|(start, end, _)| (*start, *end, session.tool.as_str()))
        })
        .collect();
    shown.sort_unstable();
    let mut last: BTreeMap<&str, Timestamp> = BTreeMap::new();
    shown.into_iter().any(|(start, end, tool)| {
        let is_second = last
            .iter()
            .any(|(other, ended)| *other != tool && start.since(*ended) <= together);
        let ended = last.entry(tool).or_insert(end);
        *ended = end.max(*ended);
        is_second
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tools_months_apart_are_one_after_the_other() {
        let day = |day: i64| Timestamp(day * 86_400 * SECOND);
        let session = |tool: &str, days: &[i64]| RemoteSession {
            tool: tool.to_owned(),
            sanctioned: Some(false),
            intervals: days
                .iter()
                .map(|at| (day(*at), day(*at).plus(60 * SECOND), Activity::Driven))
                .collect(),
            ..RemoteSession::default()
        };
        let second =
            |sessions: Vec<RemoteSession>| is_of_two_tools(sessions.iter(), together(Rules::shipped()));
        assert!(second(vec![session("anydesk", &[1]), session("rustdesk", &[20])]));
        assert!(second(vec![
            session("anydesk", &[1, 90]),
            session("rustdesk", &[61])
        ]));
        assert!(!second(vec![
            session("anydesk", &[1]),
            session("rustdesk", &[32])
        ]));
        assert!(!second(vec![session("anydesk", &[1, 5, 9])]));
    }
}

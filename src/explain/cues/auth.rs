//! Whether the tools that control these machines are sanctioned.
//!
//! Without any list of sanctioned tools every tool is unlisted, on honest machines as on others: then it says nothing.

use std::collections::BTreeSet;

use crate::explain::subject::{Subject, identifiers, session_findings};
use crate::model::observable::Observable;
use crate::model::profile::HostProfile;
use crate::model::vantage::Vantage;

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
        let looked = |one: &&HostProfile| !matches!(one.sessions, Observable::NotObservable(_));
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
    if unlisted.iter().any(|one| unlisted_tools(subject, one).len() > 1) {
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

/// Tools of a machine's live sessions that a list leaves out.
fn unlisted_tools<'a>(subject: &Subject<'_>, profile: &'a HostProfile) -> BTreeSet<&'a str> {
    profile
        .live_sessions()
        .filter(|session| session.sanctioned == Some(false) && !subject.is_prevalent(&session.tool))
        .map(|session| session.tool.as_str())
        .collect()
}

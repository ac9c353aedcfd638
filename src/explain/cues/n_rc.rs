//! How many machines are under a remote control that nobody sanctioned. An installed, idle agent is no session.

use crate::explain::subject::{Subject, identifiers, session_findings};
use crate::model::observable::Observable;
use crate::model::profile::LocalUse;
use crate::model::quantity::counted;
use crate::model::vantage::Vantage;

use super::{Cue, Reading, level_of};

pub(super) const CUE: Cue = Cue {
    id: "n_rc",
    levels: &["0", "1", "2", "3-4", "5-9", "10+"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let machines = subject.machines();
    let unsanctioned = subject.unsanctioned();
    if unsanctioned.is_empty() {
        let controlled = subject.controlled();
        if !controlled.is_empty() {
            let what = format!(
                "{} under remote control, all of it sanctioned or common policy here",
                counted(controlled.len(), "machine")
            );
            return Reading::absent("0", &what)
                .shown_by(identifiers(&controlled), session_findings(&controlled));
        }
        if let Some(why) = subject.blind() {
            return Reading::hidden(&format!("whether there is remote control cannot be told: {why}"));
        }
        if subject.vantage == Vantage::Employer {
            return Reading::hidden("an IP KVM at the machines would not show from an employer's network");
        }
        return Reading::absent("0", "no machine is under remote control");
    }
    let level = level_of(CUE.levels, &subject.rules.n_rc, unsanctioned.len());
    let mut tools: Vec<&str> = unsanctioned
        .iter()
        .flat_map(|one| one.live_sessions())
        .map(|session| session.tool.as_str())
        .collect();
    tools.sort_unstable();
    tools.dedup();
    let by = if tools.is_empty() {
        "through IP KVMs".to_owned()
    } else {
        format!("through {}", tools.join(", "))
    };
    let unattended = unsanctioned
        .iter()
        .filter(|one| {
            // Who is at the machine at other hours is a trace of somebody: `local` says so, and this would read as its contrary.
            one.local_use != Observable::Observed(LocalUse::Present)
                && one
                    .live_sessions()
                    .any(|session| session.unattended == Some(true))
        })
        .count();
    let nobody = match unattended {
        0 => String::new(),
        1 if machines.len() == 1 => ", whose sessions begin without a trace of anybody there".to_owned(),
        1 => "; on one of them sessions begin without a trace of anybody there".to_owned(),
        many => format!("; on {many} of them sessions begin without a trace of anybody there"),
    };
    let which = if machines.len() == 1 {
        String::new()
    } else {
        format!(
            "{} of {} ",
            unsanctioned.len(),
            counted(machines.len(), "machine")
        )
    };
    let rest = subject.blind().map_or_else(String::new, |why| {
        format!("; whether others are cannot be told: {why}")
    });
    let what = format!("{which}consistent with remote control {by}{nobody}{rest}");
    Reading::observed(level, what).shown_by(identifiers(&unsanctioned), session_findings(&unsanctioned))
}

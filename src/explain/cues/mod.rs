//! Cues, one file each: what a host or group shows, as a level of the cue's table in `weights.toml`.
//!
//! A cue says what was observed, that it would have been and was not, or why it cannot be told. It holds no number
//! of the model: probabilities and thresholds lie in the weights file.

mod assignees;
mod auth;
mod cover;
mod ctrl_conc;
mod ctrl_geo;
mod customers;
mod dev_vpn;
mod focus;
mod hours;
mod kvm;
mod local;
mod n_rc;
mod names;
mod servers;
mod sess;
mod site;
mod tenants;
mod xrtt;

use crate::model::evidence::State;
use crate::model::identity::ContentId;

use super::subject::Subject;

/// What a cue says.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Observed, absent, not observable.
    pub state: State,
    /// Level of the table; none where not observable.
    pub level: Option<&'static str>,
    /// What was seen, or why nothing can be.
    pub what: String,
    /// Hosts that show it.
    pub hosts: Vec<ContentId>,
    /// Findings behind it.
    pub findings: Vec<ContentId>,
    /// Whether it makes sense to ask for it here.
    pub is_askable: bool,
    /// The part of the question that nothing here answers, and why; the level leaves it open.
    pub open_part: Option<String>,
}

impl Reading {
    /// It was seen.
    #[must_use]
    pub fn observed(level: &'static str, what: String) -> Self {
        Self {
            state: State::Observed,
            level: Some(level),
            what,
            hosts: Vec::new(),
            findings: Vec::new(),
            is_askable: false,
            open_part: None,
        }
    }

    /// It would have been seen, and was not there.
    #[must_use]
    pub fn absent(level: &'static str, what: &str) -> Self {
        Self {
            state: State::Absent,
            ..Self::observed(level, what.to_owned())
        }
    }

    /// It cannot be told, for this reason.
    #[must_use]
    pub fn hidden(reason: &str) -> Self {
        Self {
            state: State::NotObservable,
            level: None,
            is_askable: true,
            ..Self::observed("", reason.to_owned())
        }
    }

    /// The question has no sense here.
    #[must_use]
    pub fn inapplicable(reason: &str) -> Self {
        Self {
            is_askable: false,
            ..Self::hidden(reason)
        }
    }

    /// Nothing speaks, and nothing is missed.
    #[must_use]
    pub fn unsaid() -> Self {
        Self::inapplicable("")
    }

    /// With a part that cannot be told.
    #[must_use]
    pub fn leaving_open(mut self, part: String) -> Self {
        self.open_part = Some(part);
        self
    }

    /// With the hosts and findings that show it.
    #[must_use]
    pub fn shown_by(mut self, hosts: Vec<ContentId>, findings: Vec<ContentId>) -> Self {
        self.hosts = hosts;
        self.findings = findings;
        self
    }
}

/// The same of what is asked about sessions: a machine may be controlled through an IP KVM alone.
fn without_sessions(subject: &Subject<'_>) -> Reading {
    match subject.blind() {
        Some(_) => uncontrolled(subject),
        None => Reading::inapplicable("no session of a remote tool was seen"),
    }
}

/// What is asked about machines under remote control has no sense where none is; where one may be, that is all that can be said.
fn uncontrolled(subject: &Subject<'_>) -> Reading {
    match subject.blind() {
        Some(why) => Reading::inapplicable(&format!("whether there is remote control cannot be told: {why}")),
        None => Reading::inapplicable("no machine is under remote control"),
    }
}
/// What is asked about several machines under remote control has no sense of fewer; where more may be, that is all that can be said.
fn fewer_than_two(subject: &Subject<'_>) -> Reading {
    match subject.blind() {
        Some(_) => uncontrolled(subject),
        None => Reading::inapplicable("fewer than two machines are under remote control"),
    }
}

/// What joins two levels of a table in the name of a level that leaves open which of them it is.
pub const EITHER: &str = " or ";

/// The level of a count: the one whose edge it reaches, of levels from nothing upwards.
fn level_of(levels: &[&'static str], edges: &[usize], count: usize) -> &'static str {
    let reached = edges.iter().filter(|edge| count >= **edge).count();
    levels.get(reached).copied().unwrap_or_default()
}

/// Whether so many are more than a share of all.
fn is_over(share: f64, some: usize, all: usize) -> bool {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(some) > share * number(all)
}

/// Whether so many are less than a share of all.
fn is_under(share: f64, some: usize, all: usize) -> bool {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(some) < share * number(all)
}

/// A cue under its name.
#[derive(Clone, Copy, Debug)]
pub struct Cue {
    /// Its table in the weights file.
    pub id: &'static str,
    /// Levels that it may give; the loader checks that the table has them, and adds those that are one of two ([`EITHER`]).
    pub levels: &'static [&'static str],
    /// Reads it off the subject.
    pub value: fn(&Subject<'_>) -> Reading,
}

/// All cues.
pub const REGISTRY: &[Cue] = &[
    n_rc::CUE,
    cover::CUE,
    sess::CUE,
    local::CUE,
    tenants::CUE,
    assignees::CUE,
    auth::CUE,
    kvm::CUE,
    ctrl_geo::CUE,
    ctrl_conc::CUE,
    dev_vpn::CUE,
    hours::CUE,
    focus::CUE,
    xrtt::CUE,
    site::CUE,
    servers::CUE,
    names::CUE,
];

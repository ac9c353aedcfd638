//! Detectors that watch while flows and facts pass, and say at the end what they saw.
//!
//! Beside sessions, which are grouped by tool and peer for everybody, there are things that are told only from flows of no tool,
//! from questions or from two devices side by side. Each is a [`Watcher`] in a file of its own with a line in
//! [`super::DETECTORS`]; what only looks at the end is a [`Conclusion`].

use std::collections::HashMap;
use std::fmt;

use super::recognise::Recognised;
use super::{Concluded, HostView, Knowledge};
use crate::model::fact::{Fact, FieldId};
use crate::model::finding::Finding;
use crate::model::identity::ContentId;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::settings::limits::Limits;
use crate::settings::policy::Heuristics;
use crate::signatures::Catalogue;

/// What is known when everything was seen.
pub struct Ended<'a> {
    /// The hosts, in order.
    pub hosts: &'a [HostView],
    /// The host of each local address.
    pub by_local: ByLocal<'a>,
    /// The hosts by their identifiers.
    pub by_id: ById<'a>,
    /// What detectors may ask.
    pub knowledge: &'a Knowledge<'a>,
}

impl<'a> Ended<'a> {
    /// Of hosts, and what is known beside them.
    #[must_use]
    pub fn new(hosts: &'a [HostView], knowledge: &'a Knowledge<'a>) -> Self {
        Self {
            hosts,
            by_local: ByLocal::new(hosts),
            by_id: hosts.iter().map(|host| (host.id, host)).collect(),
            knowledge,
        }
    }
}

/// Hosts by their identifiers.
pub type ById<'a> = HashMap<ContentId, &'a HostView, rapidhash::fast::RandomState>;

/// The host of each local address: a list, since the indices of addresses have no gaps.
pub struct ByLocal<'a>(Vec<Option<&'a HostView>>);

impl<'a> ByLocal<'a> {
    /// Of hosts; where two have one address, the last.
    #[must_use]
    pub fn new(hosts: &'a [HostView]) -> Self {
        let mut list = Vec::new();
        for host in hosts {
            for place in host
                .locals
                .iter()
                .filter_map(|local| usize::try_from(local.0).ok())
            {
                if list.len() <= place {
                    list.resize(place.saturating_add(1), None);
                }
                if let Some(slot) = list.get_mut(place) {
                    *slot = Some(host);
                }
            }
        }
        Self(list)
    }

    /// The host of an address.
    #[must_use]
    pub fn get(&self, local: &LocalIndex) -> Option<&'a HostView> {
        self.0.get(usize::try_from(local.0).ok()?).copied().flatten()
    }
}

/// Watches what passes, in time order, and concludes at the end. Bounded in memory by itself.
pub trait Watcher: fmt::Debug + Send {
    /// Takes a placed flow with the tools that it may belong to.
    fn flow(&mut self, _observation: &Observation<'_>, _recognised: &[Recognised<'_>]) {}

    /// Whether it takes facts of a field: asked once for each field, because most facts are for none.
    fn wants(&self, _field: FieldId) -> bool {
        false
    }

    /// Takes a fact that it wants about a host: who said it, or for an answer who gets it.
    fn fact(&mut self, _about: LocalIndex, _header: &EventHeader, _fact: &Fact<'_>, _catalogue: &Catalogue) {}

    /// Adds what it saw to what those before it in the list concluded.
    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded);
}

/// Finds what can be told only when everything was seen.
pub trait Conclusion: Sync {
    /// Findings about hosts; `findings` are those that were concluded before, to refer to.
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding>;
}

/// A detector beside sessions, as it is registered.
pub(super) enum Detector {
    /// One that watches, made anew for each run.
    Watching(fn(&Limits) -> Box<dyn Watcher>),
    /// One that watches in runs whose policy asks for it.
    WhereWanted(fn(Heuristics) -> bool, fn(&Limits) -> Box<dyn Watcher>),
    /// One that has nothing to remember.
    Concluding(&'static dyn Conclusion),
}

/// A detector beside sessions, in a run.
pub(super) enum Running {
    /// One that watches.
    Watching(Box<dyn Watcher>),
    /// One that only looks at the end.
    Concluding(&'static dyn Conclusion),
}

impl Detector {
    /// Makes it ready for a run that wants it.
    pub(super) fn start(&self, limits: &Limits, heuristics: Heuristics) -> Option<Running> {
        match self {
            Self::Watching(make) => Some(Running::Watching(make(limits))),
            Self::WhereWanted(is_wanted, make) => {
                is_wanted(heuristics).then(|| Running::Watching(make(limits)))
            }
            Self::Concluding(conclusion) => Some(Running::Concluding(*conclusion)),
        }
    }
}

impl Running {
    /// Adds what it found.
    pub(super) fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        match self {
            Self::Watching(watcher) => watcher.conclude(ended, concluded),
            Self::Concluding(conclusion) => {
                let found = conclusion.conclude(ended.hosts, &concluded.findings, ended.knowledge);
                // A vector that doubles would hold room for as many again as the longest list there is.
                let spare = concluded
                    .findings
                    .capacity()
                    .saturating_sub(concluded.findings.len());
                if spare < found.len() {
                    let eighth = concluded.findings.len() / 8;
                    concluded.findings.reserve_exact(found.len().max(eighth));
                }
                concluded.findings.extend(found);
            }
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watching(watcher) => watcher.fmt(formatter),
            Self::Concluding(_) => formatter.write_str("Concluding"),
        }
    }
}

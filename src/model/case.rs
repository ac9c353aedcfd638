//! The case: everything that a renderer may show, and nothing that it would have to compute.

use serde::Serialize;

use super::farm::Farm;
use super::finding::Finding;
use super::host::HostRecord;
use super::summary::Summary;

/// What an analysis found. Flows are not in it: there may be millions, so they go to the outputs one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What was read and what was lost.
    pub summary: Summary,
    /// Groups, the worst first.
    pub farms: Vec<Farm>,
    /// Local machines.
    pub hosts: Vec<HostRecord>,
    /// Local machines about which nothing was found, and which are not described because no output asks for them.
    pub unlisted_hosts: u64,
    /// Findings.
    pub findings: Vec<Finding>,
}

impl Case {
    /// How many local machines there are, listed or not.
    #[must_use]
    pub fn host_count(&self) -> u64 {
        u64::try_from(self.hosts.len())
            .unwrap_or(u64::MAX)
            .saturating_add(self.unlisted_hosts)
    }
}

/// A record together with the word that tells its kind (INTERFACE: every record has `event_type` and `timestamp`).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Event<'a, T> {
    /// `farm`, `host`, `finding` or `summary`.
    pub event_type: &'static str,
    /// The record.
    #[serde(flatten)]
    pub record: &'a T,
}

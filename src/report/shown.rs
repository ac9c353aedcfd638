//! Which of a case's records people are shown (INTERFACE, option `--all`).

use std::collections::BTreeMap;

use crate::model::case::Case;
use crate::model::farm::Farm;
use crate::model::finding::Finding;
use crate::model::host::{HostRecord, Verdict};
use crate::model::identity::ContentId;

/// Which of a case's records people are shown: the one place where that is decided.
///
/// Groups and hosts from the verdict `review` on, hosts with findings always, findings that the evidence supports at all
/// (`low` and above: more for than against). Records that are not shown stay in the case folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// `--all`: everything.
    pub all: bool,
}

impl Shown {
    /// Groups to show.
    pub fn farms(self, case: &Case) -> impl Iterator<Item = &Farm> {
        case.farms
            .iter()
            .filter(move |farm| self.all || farm.verdict >= Verdict::Review)
    }

    /// Hosts to show.
    pub fn hosts(self, case: &Case) -> impl Iterator<Item = &HostRecord> {
        case.hosts
            .iter()
            .filter(move |host| self.all || host.verdict >= Verdict::Review || !host.findings.is_empty())
    }

    /// Findings to show.
    pub fn findings(self, case: &Case) -> impl Iterator<Item = &Finding> {
        case.findings
            .iter()
            .filter(move |finding| self.all || finding.score.0 > 0.0)
    }

    /// The same, by host, each host's in the order of the case.
    #[must_use]
    pub fn findings_by_host(self, case: &Case) -> BTreeMap<ContentId, Vec<&Finding>> {
        let mut by_host: BTreeMap<ContentId, Vec<&Finding>> = BTreeMap::new();
        for finding in self.findings(case) {
            by_host.entry(finding.host).or_default().push(finding);
        }
        by_host
    }

    /// The group that each member of a shown group belongs to; the worst where it is in several.
    #[must_use]
    pub fn farm_of_host(self, case: &Case) -> BTreeMap<ContentId, &Farm> {
        let mut by_host = BTreeMap::new();
        for farm in self.farms(case) {
            for member in &farm.hosts {
                by_host.entry(member.host).or_insert(farm);
            }
        }
        by_host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_findings_are_shown_whatever_their_verdict() {
        let case = Case {
            hosts: vec![
                HostRecord::default(),
                HostRecord {
                    findings: vec![ContentId(1)],
                    ..HostRecord::default()
                },
                HostRecord {
                    verdict: Verdict::Review,
                    ..HostRecord::default()
                },
            ],
            ..Case::default()
        };
        assert_eq!(Shown::default().hosts(&case).count(), 2);
        assert_eq!(Shown { all: true }.hosts(&case).count(), 3);
    }
}

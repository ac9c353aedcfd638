//! Which of a case's records people are shown (INTERFACE, option `--all`).

use crate::model::case::Case;
use crate::model::farm::Farm;
use crate::model::finding::Finding;
use crate::model::host::{HostRecord, Verdict};

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::ContentId;

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

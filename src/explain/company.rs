//! What a group says of its members: machines that are alike are explained together.
//!
//! Question: a firm has one remote tool on all its machines, each reached all day by the one who works at it from home. Together they
//! are a call centre's desktops or an office with a habit; each alone is an owner who is away, or worse. Which counts? Answer
//! (DETECTION 6.4 g): what most of a group show alike is explained by the group, for they are more than it is. A member that stands out
//! from the others keeps its own verdict: one operated machine does not become harmless by standing in an office.

use std::collections::BTreeMap;

use super::hypothesis::{Hypothesis, row};
use super::weights::Weights;
use super::{HostExplanation, wording};
use crate::model::farm::Farm;
use crate::model::host::Verdict;
use crate::model::identity::ContentId;

/// Why members are rated no higher than a note, by member: of groups of which one benign explanation is likelier than that anybody
/// else works there, farm and single machines together. Most of the group must stand at most one step below the member.
pub(super) fn holds(
    farms: &[Farm],
    alone: &[HostExplanation],
    weights: &Weights,
) -> BTreeMap<ContentId, String> {
    let verdicts: BTreeMap<ContentId, Verdict> = alone.iter().map(|one| (one.host, one.verdict)).collect();
    let mut held = BTreeMap::new();
    for farm in farms.iter().filter(|farm| farm.verdict <= Verdict::Review) {
        let row = row(&farm.explanations);
        let [best, ..] = Hypothesis::ranked(&row);
        let operated: f64 = Hypothesis::ALL
            .iter()
            .filter(|one| one.is_remote_operation())
            .map(|one| one.of(&row))
            .sum();
        if best.is_remote_operation() || best.of(&row) <= operated {
            continue;
        }
        let machines: Vec<(ContentId, Verdict)> = farm
            .hosts
            .iter()
            .filter(|member| !member.is_kvm)
            .filter_map(|member| Some((member.host, *verdicts.get(&member.host)?)))
            .collect();
        let (name, _) = weights.words(best);
        for (host, verdict) in machines.iter().filter(|(_, verdict)| *verdict >= Verdict::Review) {
            let near = machines.iter().filter(|(_, other)| one_above(*other) >= *verdict);
            if near.count().saturating_mul(2) < machines.len() {
                continue;
            }
            let cause = format!(
                "{} machines of one group show the same together, and {name} explains them best ({})",
                machines.len(),
                wording::probability(best.of(&row))
            );
            held.insert(*host, cause);
        }
    }
    held
}

/// The verdict one step above.
const fn one_above(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::None => Verdict::Note,
        Verdict::Note => Verdict::Review,
        Verdict::Review => Verdict::Likely,
        Verdict::Likely | Verdict::Strong => Verdict::Strong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::farm::FarmMember;
    use crate::model::host::Explanations;

    use Verdict::{Likely, None, Note, Review};

    /// Which of a group's members are held, of machines with these verdicts by themselves.
    fn held(group: Verdict, farm: f64, vdi: f64, alone: &[Verdict]) -> Vec<bool> {
        let host = |number: usize| ContentId(u64::try_from(number).unwrap());
        let hosts = (0..alone.len()).map(|number| FarmMember {
            host: host(number),
            label: String::new(),
            membership: 1.0,
            is_kvm: false,
        });
        let group = Farm {
            verdict: group,
            explanations: Explanations {
                farm,
                vdi,
                own: 1.0 - farm - vdi,
                ..Explanations::default()
            },
            hosts: hosts.collect(),
            ..Farm::default()
        };
        let explained = alone.iter().enumerate().map(|(number, verdict)| HostExplanation {
            host: host(number),
            verdict: *verdict,
            ..HostExplanation::default()
        });
        let explained: Vec<HostExplanation> = explained.collect();
        let found = holds(&[group], &explained, &Weights::embedded().unwrap());
        (0..alone.len())
            .map(|number| found.contains_key(&host(number)))
            .collect()
    }

    #[test]
    fn members_that_are_alike_are_explained_by_their_group() {
        assert_eq!(held(Note, 0.1, 0.7, &[Review; 3]), [true; 3]);
        // No explanation alone has half, and few members are up for review: the others show nearly the same.
        assert_eq!(
            held(Note, 0.12, 0.46, &[Review, Note, Note, Note]),
            [true, false, false, false]
        );
        // The group is up for review, and its best explanation is benign.
        assert_eq!(held(Review, 0.3, 0.6, &[Review; 3]), [true; 3]);
        // It is not, or nothing benign outweighs that somebody else works there.
        assert_eq!(held(Review, 0.55, 0.4, &[Review; 3]), [false; 3]);
        assert_eq!(held(Likely, 0.3, 0.6, &[Review; 3]), [false; 3]);
    }

    #[test]
    fn a_member_that_stands_out_keeps_its_own_verdict() {
        assert_eq!(held(None, 0.0, 0.9, &[Review, None, None]), [false; 3]);
        assert_eq!(held(Note, 0.1, 0.7, &[Likely, Note, Note, Note]), [false; 4]);
        assert_eq!(
            held(Note, 0.1, 0.7, &[Likely, Review, Review, Note]),
            [true, true, true, false]
        );
    }
}

//! What a group says of its members: machines that are alike are explained together.
//!
//! Question: a firm has one remote tool on all its machines, each reached all day by the one who works at it from home. Together they
//! are a call centre's desktops or an office with a habit; each alone is an owner who is away, or worse. Which counts? Answer
//! (DETECTION 6.4 g): what most of a group show alike is explained by the group. A member that is unlike the others keeps its own
//! verdict.

use std::collections::BTreeMap;

use super::hypothesis::{Hypothesis, row};
use super::weights::Weights;
use super::{HostExplanation, wording};
use crate::model::farm::Farm;
use crate::model::host::Verdict;
use crate::model::identity::ContentId;

/// Why members are rated no higher than a note, by member: of groups below a review with a benign explanation more likely than all
/// others together, whose members would mostly be up for review by themselves.
pub(super) fn holds(
    farms: &[Farm],
    alone: &[HostExplanation],
    weights: &Weights,
) -> BTreeMap<ContentId, String> {
    let verdicts: BTreeMap<ContentId, Verdict> = alone.iter().map(|one| (one.host, one.verdict)).collect();
    let mut held = BTreeMap::new();
    for farm in farms.iter().filter(|farm| farm.verdict < Verdict::Review) {
        let row = row(&farm.explanations);
        let [best, ..] = Hypothesis::ranked(&row);
        if best.is_remote_operation() || best.of(&row) < 0.5 {
            continue;
        }
        let machines = farm.hosts.iter().filter(|member| !member.is_kvm);
        let raised: Vec<ContentId> = machines
            .clone()
            .map(|member| member.host)
            .filter(|host| {
                verdicts
                    .get(host)
                    .is_some_and(|verdict| *verdict >= Verdict::Review)
            })
            .collect();
        if raised.len().saturating_mul(2) < machines.count() {
            continue;
        }
        let (name, _) = weights.words(best);
        let cause = format!(
            "{} machines of one group show the same together, and {name} explains them best ({})",
            farm.hosts.len(),
            wording::probability(best.of(&row))
        );
        held.extend(raised.into_iter().map(|host| (host, cause.clone())));
    }
    held
}

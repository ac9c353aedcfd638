//! What would be said if somebody forged one family of evidence: every combination of levels that its cues can have, with
//! everything else as it was seen.

use farmhawk::explain;
use farmhawk::explain::forgery::forgeries;
use farmhawk::explain::posterior::{Claim, FAMILIES, Levels};
use farmhawk::explain::subject::{Subject, prevalent_tools};
use farmhawk::explain::verdict::{Bench, judge};
use farmhawk::explain::weights::Weights;
use farmhawk::model::group::PairLedger;
use farmhawk::model::host::Verdict;
use farmhawk::model::profile::HostProfile;
use farmhawk::pipeline::conclude::Grounds;

/// The worst verdict that forging each family can bring about, in the order of the families: on a host by itself, on a group, or on
/// all hosts of the capture together, for a forger may well make them look as if they belonged together. And what it takes where that
/// is likely or more.
pub(crate) fn worst(grounds: &Grounds, weights: &Weights) -> (Vec<Verdict>, Vec<String>) {
    let mut profiles: Vec<&HostProfile> = grounds.profiles.iter().collect();
    profiles.sort_by_key(|profile| profile.host);
    let circumstances = &grounds.circumstances;
    let prevalent = prevalent_tools(&profiles, grounds.others, circumstances.vantage, &weights.rules);
    let prior = weights.prior(circumstances.vantage, circumstances.is_incident);
    let mut subjects: Vec<(Vec<&HostProfile>, &[PairLedger])> = vec![(profiles.clone(), &[])];
    for group in &grounds.groups {
        let is_member = |profile: &&&HostProfile| group.members.iter().any(|one| one.host == profile.host);
        subjects.push((profiles.iter().filter(is_member).copied().collect(), &group.edges));
    }
    subjects.extend(profiles.iter().map(|profile| (vec![*profile], &[][..])));
    let mut worst = vec![Verdict::None; FAMILIES.len()];
    // Hosts that show the same are judged the same.
    let mut raised = Vec::new();
    let mut judged: Vec<(Claim, usize, Levels)> = Vec::new();
    for (members, edges) in subjects {
        let claim = if members.len() > 1 {
            Claim::Farm
        } else {
            Claim::RemoteOperation
        };
        let subject = Subject {
            members,
            edges,
            vantage: circumstances.vantage,
            rules: &weights.rules,
            prevalent: &prevalent,
            is_vantage_assumed: circumstances.is_vantage_assumed,
            little: circumstances.little.as_deref(),
            damage: circumstances.damage.as_deref(),
        };
        let bench = Bench {
            weights,
            prior: &prior,
            claim,
            machines: subject.machines().len(),
            has_common_instance: true,
            damage: circumstances.damage.as_deref(),
        };
        let (_, seen) = explain::read(&subject, weights);
        let key = (claim, bench.machines, seen.clone());
        if judged.contains(&key) {
            continue;
        }
        judged.push(key);
        for (family, worst) in FAMILIES.into_iter().zip(worst.iter_mut()) {
            for forged in forgeries(weights, &seen, family) {
                let verdict = judge(&bench, &forged).verdict;
                if verdict >= Verdict::Likely && *worst < Verdict::Likely {
                    raised.push(format!(
                        "{family:?} forged on {} hosts: {}",
                        subject.members.len(),
                        levels(weights, &forged)
                    ));
                }
                *worst = (*worst).max(verdict);
            }
        }
    }
    (worst, raised)
}

/// Levels in words.
fn levels(weights: &Weights, levels: &Levels) -> String {
    let cues = weights.cues.iter().enumerate();
    let named = cues.filter_map(|(place, table)| {
        let level = table.levels.get(levels.get(place)?)?;
        Some(format!("{} {}", table.id, level.name))
    });
    named.collect::<Vec<_>>().join(", ")
}

//! Hosts about which nothing was found: nearly all of a large network.
//!
//! Question: how does the end of an analysis stay cheap with two hundred thousand hosts? Answer: a host without finding,
//! inventory row, organisation, public address or KVM switch near it can be no member of a group, and the same can be said of every
//! one of them. They are counted, and only described (with one explanation for all that are alike) where an output
//! lists every host.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::{Concluded, HostView};
use crate::explain::weights::Weights;
use crate::explain::{Circumstances, HostExplanation, explain_host};
use crate::model::finding::FindingKind;
use crate::model::identity::ContentId;
use crate::model::profile::{HostProfile, NetworkKind};
use crate::profile::{self, Sight, Watched};

/// Which hosts are quiet, in the order of `views`.
#[must_use]
pub fn judge(views: &[HostView], concluded: &Concluded) -> Vec<bool> {
    let owners: BTreeSet<ContentId> = concluded.findings.iter().map(|finding| finding.host).collect();
    // A KVM switch says something about every machine near it.
    let has_kvm = concluded
        .findings
        .iter()
        .any(|finding| finding.kind == FindingKind::IpKvm);
    let is_quiet = |view: &HostView| {
        !has_kvm
            && view.asset.is_none()
            && view.public.is_empty()
            && !owners.contains(&view.id)
            && !concluded.tenants.contains_key(&view.id)
            && (concluded.unseen.get(&view.id)).is_none_or(|unseen| {
                unseen.shown.is_empty() && unseen.hides_sessions(!unseen.formed.is_empty()).is_none()
            })
    };
    views.iter().map(is_quiet).collect()
}

/// What a quiet host's profile can differ in: whether it asked for names, talked through a router, on how many days it was seen, and in
/// what kind of place it stands.
type Kind = (bool, bool, usize, Option<NetworkKind>);

/// Explains quiet hosts: each kind once.
pub struct Explainer<'a> {
    watched: &'a Watched,
    weights: &'a Weights,
    circumstances: &'a Circumstances,
    /// By kind, with the label of the first of them.
    known: BTreeMap<Kind, (String, HostExplanation)>,
}

impl<'a> Explainer<'a> {
    /// For one capture.
    #[must_use]
    pub fn new(watched: &'a Watched, weights: &'a Weights, circumstances: &'a Circumstances) -> Self {
        Self {
            watched,
            weights,
            circumstances,
            known: BTreeMap::new(),
        }
    }

    /// What explains a quiet host.
    pub fn explain(&mut self, sight: &Sight) -> HostExplanation {
        let kind = (
            sight.has_asked,
            sight.gateways.is_empty(),
            sight.days.len(),
            sight.stands_in,
        );
        let host = sight.host;
        let profiles = profile::build(
            std::slice::from_ref(sight),
            &[],
            Vec::new(),
            self.watched,
            &self.weights.rules,
        );
        let label = profiles.first().map(HostProfile::label).unwrap_or_default();
        let (known_label, known) = self.known.entry(kind).or_insert_with(|| {
            let explanation = profiles
                .first()
                .map(|profile| explain_host(profile, self.weights, self.circumstances, &[]))
                .unwrap_or_default();
            (label.clone(), explanation)
        });
        let said = known
            .summary
            .strip_prefix(known_label.as_str())
            .unwrap_or(&known.summary);
        HostExplanation {
            host,
            summary: format!("{label}{said}"),
            ..known.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Address;

    fn sight(last: u8, has_asked: bool) -> Sight {
        Sight {
            host: ContentId(u64::from(last)),
            ips: vec![Address::from_v4([192, 0, 2, last])],
            has_asked,
            ..Sight::default()
        }
    }

    #[test]
    fn an_explanation_is_the_one_that_the_host_would_have_got_alone() {
        let weights = Weights::embedded().unwrap();
        let circumstances = Circumstances::default();
        let watched = Watched::default();
        let mut explainer = Explainer::new(&watched, &weights, &circumstances);
        for (last, has_asked) in [(1, false), (2, false), (3, true), (4, true)] {
            let one = sight(last, has_asked);
            let profiles = profile::build(
                std::slice::from_ref(&one),
                &[],
                Vec::new(),
                &watched,
                &weights.rules,
            );
            let alone = explain_host(&profiles[0], &weights, &circumstances, &[]);
            assert_eq!(explainer.explain(&one), alone);
        }
    }
}

//! The verdict on one host by itself.
//!
//! What a host shows is read off it, host by host. What follows from that is the same for all hosts that show the same, and in a large
//! network nearly all do: it is worked out once for them.

use std::collections::HashMap;
use std::sync::Arc;

use super::hypothesis::{ByHypothesis, explanations};
use super::posterior::{Claim, Levels};
use super::subject::Subject;
use super::verdict::{Bench, judge};
use super::weights::Weights;
use super::{Circumstances, HostExplanation, REGISTRY, Read, ask, read, tally, weighed, wording};
use crate::model::evidence::{Decibans, State};
use crate::model::host::{Cell, Explanations, HostReason, Verdict};
use crate::model::profile::HostProfile;
use crate::model::tally::Tally;

/// Explains one host by itself; `prevalent` are the tools that are policy where it stands.
#[must_use]
pub fn explain_host(
    profile: &HostProfile,
    weights: &Weights,
    circumstances: &Circumstances,
    prevalent: &[String],
) -> HostExplanation {
    HostExplainer::new(weights, circumstances, prevalent).explain(profile, None)
}

/// Explains hosts under the same circumstances.
pub(super) struct HostExplainer<'a> {
    weights: &'a Weights,
    circumstances: &'a Circumstances,
    prevalent: &'a [String],
    prior: ByHypothesis,
    /// What was worked out: at most one for each host.
    known: HashMap<Shown, Conclusion, rapidhash::fast::RandomState>,
    /// What cannot be observed, by cue: the same texts at thousands of hosts.
    hidden: Vec<Hidden>,
}

/// The reasons why one cue has no answer, as records have them.
type Hidden = HashMap<Box<str>, Arc<str>, rapidhash::fast::RandomState>;

/// Reasons that are remembered of one cue.
const MOST_REASONS: usize = 256;

/// What a host shows, as far as its verdict depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shown {
    levels: Levels,
    /// The cues that can be asked for, as bits in the order of the registry.
    askable: u32,
    /// Too little can be seen of it to say anything against it.
    is_blind: bool,
    /// A screen stands beside it of which nobody knows whose it is, and nothing else hides whether it is controlled.
    is_bystander: bool,
    /// Why its group holds it down, if it does.
    held_by_group: Option<String>,
}

/// What follows.
struct Conclusion {
    verdict: Verdict,
    explanations: Explanations,
    /// The place of a cue among the readings, and what it weighs, the heaviest first.
    reasons: Vec<(usize, Decibans, Option<Box<Cell>>)>,
    tally: Option<Box<Tally>>,
    next_question: String,
    /// The sentence behind the host's name.
    said: String,
}

impl<'a> HostExplainer<'a> {
    pub(super) fn new(
        weights: &'a Weights,
        circumstances: &'a Circumstances,
        prevalent: &'a [String],
    ) -> Self {
        Self {
            weights,
            circumstances,
            prevalent,
            prior: weights.prior(circumstances.vantage, circumstances.is_incident),
            known: HashMap::default(),
            hidden: REGISTRY.iter().map(|_| Hidden::default()).collect(),
        }
    }

    /// What could not be observed, and why, as [`super::not_observable`] says it.
    fn not_observable(&mut self, reads: &[Read]) -> Vec<Arc<str>> {
        let mut list = Vec::with_capacity(reads.len());
        for (one, known) in reads.iter().zip(&mut self.hidden) {
            let Some(reason) = one.hidden() else { continue };
            let text = if let Some(text) = known.get(reason) {
                Arc::clone(text)
            } else {
                let text: Arc<str> = [one.cue, ": ", reason].concat().into();
                if known.len() < MOST_REASONS {
                    known.insert(reason.into(), Arc::clone(&text));
                }
                text
            };
            list.push(text);
        }
        list
    }

    /// Explains a host, rated no higher than a note for the reason that its group gives, if that gives one.
    pub(super) fn explain(
        &mut self,
        profile: &HostProfile,
        held_by_group: Option<&String>,
    ) -> HostExplanation {
        let circumstances = self.circumstances;
        let subject = Subject {
            members: vec![profile],
            edges: &[],
            vantage: circumstances.vantage,
            rules: &self.weights.rules,
            prevalent: self.prevalent,
            is_vantage_assumed: circumstances.is_vantage_assumed,
            little: circumstances.little.as_deref(),
            damage: circumstances.damage.as_deref(),
        };
        let (reads, levels) = read(&subject, self.weights);
        // What stands beside it says nothing of a machine of which nothing could be seen.
        let is_controlled = |one: &Read| one.cue == "n_rc" && one.reading.state == State::Observed;
        let is_controlled = reads.iter().any(is_controlled);
        let is_blind = (subject.little.is_some() || subject.blind().is_some()) && !is_controlled;
        let is_bystander =
            !is_controlled && profile.sessions.reason().is_none() && profile.kvm.unknown.is_some();
        let bits = reads
            .iter()
            .zip(0_u32..)
            .filter(|(one, _)| one.reading.is_askable);
        let shown = Shown {
            levels,
            askable: bits.fold(0, |all, (_, place)| all | 1_u32.checked_shl(place).unwrap_or(0)),
            is_blind,
            is_bystander,
            held_by_group: held_by_group.cloned(),
        };
        let not_observable = self.not_observable(&reads);
        if !self.known.contains_key(&shown) {
            let conclusion = self.conclude(&shown, &reads);
            self.known.insert(shown.clone(), conclusion);
        }
        let Some(known) = self.known.get(&shown) else {
            return HostExplanation::default();
        };
        let mut texts: Vec<String> = reads.into_iter().map(|one| one.reading.what).collect();
        let reasons = known.reasons.iter().filter_map(|(place, weight, cell)| {
            Some(HostReason {
                reason: REGISTRY.get(*place)?.id.to_owned(),
                what: std::mem::take(texts.get_mut(*place)?),
                weight: *weight,
                cell: cell.clone(),
            })
        });
        let mut summary = profile.label();
        summary.reserve_exact(known.said.len());
        summary.push_str(&known.said);
        HostExplanation {
            host: profile.host,
            verdict: known.verdict,
            explanations: known.explanations,
            reasons: reasons.collect(),
            not_observable,
            tally: known.tally.clone(),
            next_question: known.next_question.clone(),
            summary,
        }
    }

    fn conclude(&self, shown: &Shown, reads: &[Read]) -> Conclusion {
        let Shown { levels, .. } = shown;
        let bench = Bench {
            weights: self.weights,
            prior: &self.prior,
            claim: Claim::RemoteOperation,
            machines: 1,
            has_common_instance: false,
            damage: self.circumstances.damage.as_deref(),
        };
        let mut judgement = judge(&bench, levels);
        if shown.is_blind && judgement.verdict >= Verdict::Review {
            judgement.verdict = Verdict::Note;
            judgement.held_down =
                Some("too little was captured to show whether it is under remote control".to_owned());
        }
        // Such a screen hides what may be, and shows nothing of this machine.
        if shown.is_bystander && judgement.verdict > Verdict::None {
            judgement.verdict = Verdict::None;
            judgement.held_down = Some("nothing was seen of it but what stands beside it".to_owned());
        }
        if let Some(cause) = (shown.held_by_group.as_ref()).filter(|_| judgement.verdict >= Verdict::Review) {
            judgement.verdict = Verdict::Note;
            judgement.held_down = Some(cause.clone());
        }
        let shows_cells = self.circumstances.shows_cells;
        let mut reasons: Vec<(usize, Decibans, Option<Box<Cell>>)> = reads
            .iter()
            .enumerate()
            .filter_map(|(place, one)| {
                let (weight, cell) = weighed(&bench, levels, one.cue, shows_cells)?;
                Some((place, weight, cell))
            })
            .collect();
        reasons.sort_by(|(_, one, _), (_, other, _)| other.0.total_cmp(&one.0));
        let next_question = if judgement.verdict > Verdict::None {
            ask(&bench, levels, reads).unwrap_or_default()
        } else {
            String::new()
        };
        Conclusion {
            verdict: judgement.verdict,
            explanations: explanations(&judgement.posterior),
            reasons,
            tally: shows_cells.then(|| Box::new(tally::tally(&bench, levels, &judgement))),
            next_question,
            said: wording::said(self.weights, &judgement, false),
        }
    }
}

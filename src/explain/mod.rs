//! Explanation: what a host or a group is most likely to be, why, and what else it could be (DETECTION 5).
//!
//! Takes groups, profiles and the model's weights; gives verdicts with their reasons, rivals, counterfactuals and the
//! next best question. Must not hold a number of the model: all of them lie in `weights.toml`. Never says that
//! something *is* a farm; evidence is "consistent with" it. Nothing here knows or says who a person is.

mod company;
pub mod counterfactual;
pub mod cues;
pub mod damage;
pub mod farm;
pub mod forgery;
mod host;
pub mod hypothesis;
pub mod little;
pub mod posterior;
pub mod question;
pub mod subject;
mod tally;
pub mod verdict;
pub mod weights;
pub mod wording;

use std::sync::Arc;

use crate::model::evidence::{Decibans, State};
use crate::model::farm::Farm;
use crate::model::group::Group;
use crate::model::host::{Cell, Explanations, HostReason, Verdict};
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::model::tally::Tally;
use crate::model::threads::Threads;
use crate::model::vantage::Vantage;

use cues::{REGISTRY, Reading};
use host::HostExplainer;
pub use host::explain_host;
use hypothesis::significant;
use posterior::{Levels, weigh_cue};
use subject::{Subject, prevalent_tools};
use verdict::Bench;
use weights::Weights;

/// Under which circumstances the capture was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// Where.
    pub vantage: Vantage,
    /// Whether nobody said so and nothing in the capture tells.
    pub is_vantage_assumed: bool,
    /// Whether somebody already has a reason to look: other priors (5.3).
    pub is_incident: bool,
    /// Why the capture cannot carry more than a review (heavy loss, one direction only), if so; in words.
    pub damage: Option<String>,
    /// Why what was not seen may well be there (minutes of traffic, frames cut to their headers), if so; in words.
    pub little: Option<String>,
    /// Whether reasons carry the cells of the tables that they were weighed by, and groups and hosts the steps to their posterior: for who
    /// checks one verdict, not for thousands of hosts.
    pub shows_cells: bool,
}

/// The verdict on one host alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostExplanation {
    /// The host.
    pub host: ContentId,
    /// How far the evidence goes that it is operated from elsewhere.
    pub verdict: Verdict,
    /// What explains it.
    pub explanations: Explanations,
    /// Ranked by weight.
    pub reasons: Vec<HostReason>,
    /// What could not be observed, and why.
    pub not_observable: Vec<Arc<str>>,
    /// The steps from prior to posterior, where they are wanted.
    pub tally: Option<Box<Tally>>,
    /// The one observation that would settle most; empty where nothing speaks for anything.
    pub next_question: String,
    /// One sentence for a ticket.
    pub summary: String,
}

/// Everything that was explained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// A record for each group, the worst first.
    pub farms: Vec<Farm>,
    /// A verdict for each host, sorted by identifier.
    pub hosts: Vec<HostExplanation>,
}

/// A cue, where its table stands, and what it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Identifier.
    pub cue: &'static str,
    /// What it said.
    pub reading: Reading,
}

impl Read {
    /// Why it, or a part of it, could not be observed, where that is so.
    fn hidden(&self) -> Option<&str> {
        let is_whole = self.reading.state == State::NotObservable && !self.reading.what.is_empty();
        let whole = is_whole.then_some(self.reading.what.as_str());
        whole.or(self.reading.open_part.as_deref())
    }
}

/// Hosts that one thread explains at a time, where there are several.
const PORTION: usize = 512;

/// Explains groups and hosts, in whatever order they come. `others` is the number of hosts beside them about which
/// nothing was found.
#[must_use]
pub fn explain(
    groups: &[Group],
    profiles: &[HostProfile],
    others: usize,
    weights: &Weights,
    circumstances: &Circumstances,
) -> Explained {
    explain_by(
        Threads::default(),
        groups,
        profiles,
        others,
        weights,
        circumstances,
    )
}

/// The same by several threads.
#[must_use]
pub fn explain_by(
    threads: Threads,
    groups: &[Group],
    profiles: &[HostProfile],
    others: usize,
    weights: &Weights,
    circumstances: &Circumstances,
) -> Explained {
    let mut sorted: Vec<&HostProfile> = profiles.iter().collect();
    sorted.sort_by_key(|profile| profile.host);
    sorted.dedup_by_key(|profile| profile.host);
    let prevalent = prevalent_tools(&sorted, others, circumstances.vantage, &weights.rules);
    let mut farms: Vec<Farm> = groups
        .iter()
        .filter(|group| group.members.len() > 1)
        .map(|group| farm::explain_group(group, &sorted, weights, circumstances, &prevalent))
        .collect();
    farms.sort_by(|one, other| {
        (other.verdict.cmp(&one.verdict))
            .then(other.explanations.farm.total_cmp(&one.explanations.farm))
            .then(one.id.cmp(&other.id))
    });
    // What one host's verdict rests on is remembered for those like it, by each thread for its own.
    let portion = if threads.is_one() { sorted.len() } else { PORTION };
    let portions: Vec<&[&HostProfile]> = sorted.chunks(portion.max(1)).collect();
    let explained = threads.each(portions, |portion| {
        let mut explainer = HostExplainer::new(weights, circumstances, &prevalent);
        let explain = |profile: &&HostProfile| explainer.explain(profile, None);
        portion.iter().map(explain).collect::<Vec<HostExplanation>>()
    });
    let mut hosts: Vec<HostExplanation> = explained.into_iter().flatten().collect();
    let held = company::holds(&farms, &hosts, weights);
    let mut explainer = HostExplainer::new(weights, circumstances, &prevalent);
    for (host, profile) in hosts.iter_mut().zip(&sorted) {
        if let Some(cause) = held.get(&profile.host) {
            *host = explainer.explain(profile, Some(cause));
        }
    }
    Explained { farms, hosts }
}

/// Reads every cue off a subject.
#[must_use]
pub fn read(subject: &Subject<'_>, weights: &Weights) -> (Vec<Read>, Levels) {
    let mut levels = Levels::none(weights);
    let reads = REGISTRY
        .iter()
        .map(|cue| {
            let is_damaged = weights.damage.hides.iter().any(|hidden| hidden == cue.id);
            let damage = subject.damage.filter(|_| is_damaged);
            let reading = believable((cue.value)(subject), subject.little, damage);
            if let Some(level) = reading.level {
                levels.set(weights, cue.id, level);
            }
            Read { cue: cue.id, reading }
        })
        .collect();
    (reads, levels)
}

/// A reading that says "not there" only where it would have been seen, and anything only where enough was.
fn believable(reading: Reading, little: Option<&str>, damage: Option<&str>) -> Reading {
    if reading.state == State::NotObservable {
        return reading;
    }
    match (damage, little) {
        (Some(why), _) => Reading::hidden(&format!("cannot be told, because {why}")),
        (None, Some(why)) if reading.state == State::Absent => {
            Reading::hidden(&format!("{}, which says little: {why}", reading.what))
        }
        _ => reading,
    }
}

/// The weight of a cue that was read, with its cell if that is wanted; `None` where it is not observable.
fn weighed(
    bench: &Bench<'_>,
    levels: &Levels,
    cue: &str,
    shows_cell: bool,
) -> Option<(Decibans, Option<Box<Cell>>)> {
    let place = bench.weights.position(cue)?;
    let weighed = weigh_cue(bench.weights, bench.prior, levels, place, bench.claim)?;
    let level = bench.weights.cues.get(place)?.levels.get(levels.get(place)?)?;
    let cell = shows_cell.then(|| {
        Box::new(Cell {
            level: level.name.clone(),
            probability: significant(&weighed.cell),
            others: significant(&weighed.others),
        })
    });
    Some((weighed.decibans.rounded(), cell))
}

/// What could not be observed, and why: `cue: reason`.
#[must_use]
pub fn not_observable(reads: &[Read]) -> Vec<String> {
    let hidden = |one: &Read| Some([one.cue, ": ", one.hidden()?].concat());
    reads.iter().filter_map(hidden).collect()
}

/// The next best question: that of what holds a verdict down or is missing for a higher one, before those of the cues that can be asked for.
#[must_use]
pub fn ask(bench: &Bench<'_>, levels: &Levels, reads: &[Read]) -> Option<String> {
    let mut holds = bench.weights.two_key.holds.iter();
    if let Some(question) =
        holds.find_map(|hold| hold.ask.clone().filter(|_| verdict::holds(bench, levels, hold)))
    {
        return Some(question);
    }
    let band = || {
        let found = posterior::posterior(bench.weights, bench.prior, levels, &[]);
        bench.weights.bands.of(bench.claim.probability(&found))
    };
    let mut needs = bench.weights.two_key.needs.iter();
    if let Some(need) = needs.find(|need| verdict::lacks(bench, levels, need) && band() >= Verdict::Likely) {
        return Some(need.ask.clone());
    }
    let askable = |id: &str| reads.iter().any(|one| one.cue == id && one.reading.is_askable);
    question::next(bench.weights, bench.prior, levels, &askable).map(str::to_owned)
}

#[cfg(test)]
mod tests;

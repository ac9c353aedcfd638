//! The record of a group: its verdict with everything that a reader needs to check or to doubt it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::farm::{Farm, FarmMember, Reason, Shared, size};
use crate::model::group::Group;
use crate::model::profile::HostProfile;

use super::counterfactual::counterfactuals;
use super::hypothesis::{Hypothesis, explanations};
use super::posterior::{Claim, Levels};
use super::subject::Subject;
use super::verdict::{Bench, judge};
use super::weights::Weights;
use super::{Circumstances, Read, ask, not_observable, read, tally, weighed, wording};

/// How many members a summary names.
const NAMED: usize = 4;

/// Explains one group; `profiles` are sorted by identifier, `prevalent` are the tools that are policy here.
#[must_use]
pub fn explain_group(
    group: &Group,
    profiles: &[&HostProfile],
    weights: &Weights,
    circumstances: &Circumstances,
    prevalent: &[String],
) -> Farm {
    let of = |host| {
        let place = profiles
            .binary_search_by_key(&host, |profile| profile.host)
            .ok()?;
        profiles.get(place).copied()
    };
    let mut members: Vec<&HostProfile> = group
        .members
        .iter()
        .filter_map(|member| of(member.host))
        .collect();
    members.sort_by_key(|profile| profile.host);
    let subject = Subject {
        members,
        edges: &group.edges,
        vantage: circumstances.vantage,
        rules: &weights.rules,
        prevalent,
        is_vantage_assumed: circumstances.is_vantage_assumed,
        little: circumstances.little.as_deref(),
        damage: circumstances.damage.as_deref(),
    };
    let (reads, levels) = read(&subject, weights);
    let prior = weights.prior(circumstances.vantage, circumstances.is_incident);
    let bench = Bench {
        weights,
        prior: &prior,
        claim: Claim::Farm,
        machines: subject.machines().len(),
        has_common_instance: has_common_instance(&subject),
        damage: circumstances.damage.as_deref(),
    };
    let judgement = judge(&bench, &levels);
    let [_, second, ..] = Hypothesis::ranked(&judgement.posterior);
    let mut hosts: Vec<FarmMember> = group
        .members
        .iter()
        .map(|member| FarmMember {
            host: member.host,
            label: of(member.host).map_or_else(|| member.host.to_string(), HostProfile::label),
            membership: member.membership,
            is_kvm: of(member.host).is_some_and(HostProfile::is_kvm),
        })
        .collect();
    hosts.sort_by_key(|member| member.host);
    let mut farm = Farm {
        id: group.id,
        timestamp: subject
            .members
            .iter()
            .map(|profile| profile.first_seen)
            .min()
            .unwrap_or_default(),
        verdict: judgement.verdict,
        explanations: explanations(&judgement.posterior),
        runner_up: second.name().to_owned(),
        tally: (circumstances.shows_cells).then(|| Box::new(tally::tally(&bench, &levels, &judgement))),
        reasons: reasons(&reads, &bench, &levels, circumstances.shows_cells),
        shared: shared(&subject),
        second_opinion: group.second_opinion.clone(),
        operation: group.operation.clone(),
        not_observable: not_observable(&reads),
        next_question: ask(&bench, &levels, &reads).unwrap_or_default(),
        counterfactuals: counterfactuals(&bench, &levels),
        summary: String::new(),
        hosts,
    };
    farm.summary = wording::summary(
        &label(&farm.hosts),
        weights,
        &judgement,
        farm.is_driven_from_beside(),
    );
    farm
}

/// Whether more than half of the controlled machines have an instance or a server of a tool in common.
fn has_common_instance(subject: &Subject<'_>) -> bool {
    let controlled = subject.controlled();
    let mut machines: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in &controlled {
        let of_one = one.live_sessions().filter_map(|session| {
            let instance = session.instance.as_ref()?;
            Some((session.tool.as_str(), instance.name.as_str()))
        });
        for instance in of_one.collect::<BTreeSet<_>>() {
            let count = machines.entry(instance).or_default();
            *count = count.saturating_add(1);
        }
    }
    machines
        .into_values()
        .any(|count| count.saturating_mul(2) > controlled.len())
}

/// Observed and absent cues, the weightiest for a farm first.
fn reasons(reads: &[Read], bench: &Bench<'_>, levels: &Levels, shows_cells: bool) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = reads
        .iter()
        .filter_map(|one| {
            let mut hosts = one.reading.hosts.clone();
            hosts.sort_unstable();
            let (weight, cell) = weighed(bench, levels, one.cue, shows_cells)?;
            Some(Reason {
                reason: one.cue.to_owned(),
                what: one.reading.what.clone(),
                weight,
                cell,
                state: one.reading.state,
                hosts,
                findings: one.reading.findings.clone(),
            })
        })
        .collect();
    reasons.sort_by(|one, other| other.weight.0.total_cmp(&one.weight.0));
    reasons
}

/// "4 machines and 2 IP KVMs (a, b, c, d and 2 more)".
fn label(members: &[FarmMember]) -> String {
    let mut names: Vec<(bool, &str)> = members
        .iter()
        .map(|member| (member.is_kvm, member.label.as_str()))
        .collect();
    names.sort_unstable();
    let shown: Vec<&str> = names.iter().take(NAMED).map(|(_, name)| *name).collect();
    let more = names.len().saturating_sub(NAMED);
    let rest = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    format!("{} ({}{rest})", size(members), shown.join(", "))
}

/// What at least two members have in common; IP KVMs and hours of all of them.
fn shared(subject: &Subject<'_>) -> Shared {
    let machines = subject.machines();
    let mut shared = Shared {
        controllers: common(&machines, |one| {
            one.sessions_at_it()
                .flat_map(|session| &session.controllers)
                .map(|controller| controller.id.clone())
                .collect()
        }),
        relays: common(&machines, |one| {
            one.live_sessions()
                .flat_map(|session| session.relays.clone())
                .collect()
        }),
        tools: common(&machines, |one| {
            one.live_sessions().map(|session| session.tool.clone()).collect()
        }),
        egress: common(&machines, |one| {
            one.egress
                .list()
                .iter()
                .map(|egress| egress.address.to_string())
                .collect()
        }),
        ..Shared::default()
    };
    for member in &subject.members {
        if member.is_kvm() {
            shared.kvms.push(member.label());
        }
        let near = member
            .kvm
            .on_gateway
            .list()
            .iter()
            .chain(member.kvm.drives_this.list());
        shared.kvms.extend(near.map(|kvm| kvm.name.clone()));
        let hours = member
            .driven_minutes
            .iter()
            .map(|minute| u8::try_from(minute / 60 % 24).unwrap_or_default());
        shared.operator_hours.extend(hours);
    }
    shared.kvms.sort_unstable();
    shared.kvms.dedup();
    shared.operator_hours.sort_unstable();
    shared.operator_hours.dedup();
    shared
}

/// Texts that at least two machines show, sorted.
fn common(machines: &[&HostProfile], texts: impl Fn(&HostProfile) -> Vec<String>) -> Vec<String> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for machine in machines {
        let mut own = texts(machine);
        own.sort_unstable();
        own.dedup();
        for text in own {
            let count = counts.entry(text).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(text, _)| text)
        .collect()
}

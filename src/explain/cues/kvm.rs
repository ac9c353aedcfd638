//! IP KVMs reached over the network, beside or among the members. Invisible from an employer's network.

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::subject::Subject;
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::profile::KvmSeen;
use crate::model::vantage::Vantage;

use super::{Cue, Reading, level_of};

pub(super) const CUE: Cue = Cue {
    id: "kvm",
    levels: &["0", "1", "2+"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let mut seen: BTreeSet<KvmSeen> = BTreeSet::new();
    for member in &subject.members {
        if let Some(finding) = member.kvm.is_kvm {
            seen.insert(KvmSeen {
                host: member.host,
                name: member.label(),
                finding,
            });
        }
        seen.extend(member.kvm.on_gateway.list().iter().cloned());
        seen.extend(member.kvm.drives_this.list().iter().cloned());
    }
    let mut hosts: Vec<_> = seen.iter().map(|kvm| kvm.host).collect();
    hosts.dedup();
    if hosts.is_empty() {
        if subject.vantage == Vantage::Employer {
            return Reading::hidden("IP KVMs beside the machines do not show from an employer's network");
        }
        let machines = subject.machines();
        let unseen = machines.iter().find_map(|one| match &one.kvm.on_gateway {
            Observable::NotObservable(reason) => Some(reason.as_str()),
            Observable::Observed(_) | Observable::Absent => None,
        });
        return match unseen {
            Some(reason) => Reading::hidden(reason),
            None => Reading::absent("0", "no IP KVM on the network"),
        };
    }
    let level = level_of(CUE.levels, &subject.rules.kvm, hosts.len());
    let switches = match hosts.len() {
        1 => "an IP KVM".to_owned(),
        many => format!("{many} IP KVMs"),
    };
    // One name each. Boards keep the name that they were delivered with, and then several have one.
    let named: BTreeMap<ContentId, &str> = seen.iter().map(|kvm| (kvm.host, kvm.name.as_str())).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in named.into_values() {
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }
    let names: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| match count {
            1 => name.to_owned(),
            several => format!("{name} ({several} of that name)"),
        })
        .collect();
    let what = format!("{switches} on the network: {}", names.join(", "));
    let mut findings: Vec<_> = seen.iter().map(|kvm| kvm.finding).collect();
    findings.sort_unstable();
    findings.dedup();
    Reading::observed(level, what).shown_by(hosts, findings)
}

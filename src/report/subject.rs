//! What `--explain` asks about: one group, host or finding of a case, and what belongs to it.

use std::collections::BTreeSet;

use crate::model::case::Case;
use crate::model::farm::Farm;
use crate::model::finding::Finding;
use crate::model::host::HostRecord;
use crate::model::identity::ContentId;

/// The case of one record alone: a group with its members and their findings, a host with its findings and the groups that it is
/// in, or a finding with its host. `wanted` is an identifier; a host is also told by an address, a name or its link address.
/// Nothing where it is none of these.
#[must_use]
pub fn of(case: &Case, wanted: &str) -> Option<Case> {
    let is_id = |id: ContentId| id.to_string().eq_ignore_ascii_case(wanted);
    let farms = chosen(&case.farms, |farm: &Farm| is_id(farm.id));
    if !farms.is_empty() {
        let members: BTreeSet<ContentId> = (farms.iter())
            .flat_map(|farm| farm.hosts.iter().map(|member| member.host))
            .collect();
        let hosts = chosen(&case.hosts, |host: &HostRecord| members.contains(&host.host));
        let findings = chosen(&case.findings, |one: &Finding| members.contains(&one.host));
        return Some(narrowed(case, farms, hosts, findings));
    }
    let findings = chosen(&case.findings, |one: &Finding| is_id(one.id));
    if !findings.is_empty() {
        let concerned: BTreeSet<ContentId> = findings.iter().map(|one| one.host).collect();
        let hosts = chosen(&case.hosts, |host: &HostRecord| concerned.contains(&host.host));
        return Some(narrowed(case, Vec::new(), hosts, findings));
    }
    let hosts = chosen(&case.hosts, |host: &HostRecord| {
        is_id(host.host) || also_known_as(host).any(|name| name.eq_ignore_ascii_case(wanted))
    });
    if hosts.is_empty() {
        return None;
    }
    let ids: BTreeSet<ContentId> = hosts.iter().map(|host| host.host).collect();
    let holds = |farm: &Farm| farm.hosts.iter().any(|member| ids.contains(&member.host));
    let farms = chosen(&case.farms, holds);
    let findings = chosen(&case.findings, |one: &Finding| ids.contains(&one.host));
    Some(narrowed(case, farms, hosts, findings))
}

/// Everything that [`of`] would find.
#[must_use]
pub fn known(case: &Case) -> Vec<String> {
    let farms = case.farms.iter().map(|farm| farm.id);
    let findings = case.findings.iter().map(|finding| finding.id);
    let hosts = case.hosts.iter().map(|host| host.host);
    let ids = farms.chain(findings).chain(hosts).map(|id| id.to_string());
    ids.chain(case.hosts.iter().flat_map(also_known_as)).collect()
}

fn also_known_as(host: &HostRecord) -> impl Iterator<Item = String> {
    let names = host.names.iter().map(|name| name.name.clone());
    let mac = host.mac.iter().map(ToString::to_string);
    host.ips.iter().cloned().chain(names).chain(mac)
}

fn chosen<T: Clone>(all: &[T], is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| is_wanted(one)).cloned().collect()
}

fn narrowed(case: &Case, farms: Vec<Farm>, hosts: Vec<HostRecord>, findings: Vec<Finding>) -> Case {
    Case {
        summary: case.summary.clone(),
        farms,
        hosts,
        findings,
        unlisted_hosts: 0,
    }
}

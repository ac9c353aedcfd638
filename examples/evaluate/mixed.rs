//! All home scenarios of one seed in one analysis: many sites, some of them farms.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use farmhawk::lab;
use farmhawk::model::host::Verdict;
use farmhawk::model::vantage::Vantage;

use crate::analysis::{Analysed, Analyst};
use crate::measure::{Agreement, agreement};
use crate::runs::{HostOutcome, Truth, hosts, scenarios, vantage, write};

/// What came of one such analysis.
pub(crate) struct Mixed {
    /// Seed.
    pub(crate) seed: u64,
    /// Captures.
    pub(crate) sites: usize,
    /// Groups at review or above against the farms.
    pub(crate) agreement: Agreement,
    /// Benign hosts in such a group.
    pub(crate) drawn_in: usize,
    /// Benign hosts.
    pub(crate) bystanders: usize,
    /// Of each group that holds machines of several captures or benign ones: who, and what ties those to the rest; farms in pieces.
    pub(crate) strange: Vec<String>,
}

/// Writes, analyses and compares.
pub(crate) fn run(analyst: &Analyst, seed: u64, folder: &Path) -> anyhow::Result<Mixed> {
    let mut captures = Vec::new();
    let mut inventory = lab::inventory_header();
    let mut policy = String::new();
    let mut truths: Vec<Truth> = Vec::new();
    for scenario in scenarios().filter(|one| vantage(one) == Vantage::Home) {
        // A capture with frames missing would hold down the verdicts on all others; one host behind its router is no group; one
        // that is tagged as a whole lies in an address space of its own.
        if matches!(scenario.name, "s29" | "s32" | "s33") {
            continue;
        }
        let (path, rows, truth) = write(scenario, seed, folder)?;
        captures.push(path);
        inventory.extend(rows.lines().skip(1).flat_map(|row| [row, "\n"]));
        if let Some(places) = scenario.policy.find("[[") {
            policy.push_str(scenario.policy.get(places..).unwrap_or_default());
            policy.push('\n');
        }
        truths.push(truth);
    }
    let policy = format!("allowed_tools = [\"freshservice\"]\n\n{policy}");
    let analysed = analyst.analyse(&captures, &inventory, &policy)?;
    for path in &captures {
        fs::remove_file(path)?;
    }
    let mut items = Vec::new();
    let mut torn = Vec::new();
    let (mut drawn_in, mut bystanders) = (0, 0);
    for (site, truth) in truths.iter().enumerate() {
        torn.extend(pieces(&captures, site, &hosts(&analysed, truth), truth));
        for (number, host) in hosts(&analysed, truth).into_iter().enumerate() {
            let alone = format!("{site} {number}");
            let true_one = if host.is_farm {
                format!("{site} farm at {}", host.place)
            } else {
                alone.clone()
            };
            items.push((
                true_one,
                host.cluster.map_or(alone, |cluster| format!("group {cluster}")),
            ));
            if !host.is_farm {
                bystanders += 1;
                drawn_in += usize::from(host.cluster.is_some());
            }
        }
    }
    Ok(Mixed {
        seed,
        sites: captures.len(),
        agreement: agreement(&items),
        drawn_in,
        bystanders,
        strange: strange(&analysed, &truths).into_iter().chain(torn).collect(),
    })
}

/// Machines by the group that they are in.
type Pieces<'a> = BTreeMap<Option<usize>, Vec<&'a str>>;

/// Farms whose machines are not all in one group, and benign machines that are in any.
fn pieces(captures: &[PathBuf], site: usize, hosts: &[HostOutcome], truth: &Truth) -> Vec<String> {
    let name = captures.get(site).and_then(|path| path.file_stem());
    let name = name.and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let mut farms: BTreeMap<(&str, bool), Pieces<'_>> = BTreeMap::new();
    for (address, host) in truth.hosts.iter().zip(hosts) {
        if host.is_farm || host.cluster.is_some() {
            let groups = farms.entry((&host.place, host.is_farm)).or_default();
            groups.entry(host.cluster).or_default().push(address);
        }
    }
    let is_whole = |(farm, groups): &(_, Pieces<'_>)| {
        let (_, is_farm): (&str, bool) = *farm;
        is_farm && groups.len() == 1 && !groups.contains_key(&None)
    };
    let torn = farms.into_iter().filter(|one| !is_whole(one));
    torn.map(|((place, is_farm), groups)| {
        let what = if is_farm { "farm" } else { "benign" };
        format!("{name}, {what} at {place}: {groups:?}\n")
    })
    .collect()
}

/// Groups at review or above that are not one farm of one capture, with the pairs that cross its edge.
fn strange(analysed: &Analysed, truths: &[Truth]) -> Vec<String> {
    let of = |host| {
        let record = analysed.case.hosts.iter().find(|record| record.host == host)?;
        truths.iter().enumerate().find_map(|(site, truth)| {
            let ip = record.ips.iter().find(|ip| truth.hosts.contains(ip))?;
            let (place, _) = ip.rsplit_once('.')?;
            Some(((site, place.to_owned()), truth.farm.contains(ip), ip.clone()))
        })
    };
    let mut told = Vec::new();
    for farm in (analysed.case.farms.iter()).filter(|farm| farm.verdict >= Verdict::Review) {
        let members: Vec<_> = farm.hosts.iter().filter_map(|member| of(member.host)).collect();
        if members
            .windows(2)
            .all(|pair| (&pair[0].0, pair[0].1) == (&pair[1].0, pair[1].1))
        {
            continue;
        }
        let names: Vec<&str> = members.iter().map(|(.., ip)| ip.as_str()).collect();
        let mut text = format!("{} {}: {}\n", farm.id, farm.verdict.name(), names.join(" "));
        let edges = analysed.grounds.groups.iter().filter(|group| group.id == farm.id);
        for edge in edges.flat_map(|group| &group.edges) {
            let (Some(one), Some(other)) = (of(edge.hosts.0), of(edge.hosts.1)) else {
                continue;
            };
            if (one.0, one.1) == (other.0, other.1) {
                continue;
            }
            let _ = write!(text, "    {} {} {:.1}:", one.2, other.2, edge.total);
            for line in &edge.lines {
                let _ = write!(text, " {} {:.1} ({});", line.term, line.said.nats, line.said.what);
            }
            text.push('\n');
        }
        told.push(text);
    }
    told
}

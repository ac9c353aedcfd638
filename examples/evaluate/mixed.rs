//! All home scenarios of one seed in one analysis: many sites, some of them farms.

use std::fs;
use std::path::Path;

use farmhawk::lab;
use farmhawk::model::vantage::Vantage;

use crate::analysis::Analyst;
use crate::measure::{Agreement, agreement};
use crate::runs::{Truth, hosts, scenarios, vantage, write};

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
}

/// Writes, analyses and compares.
pub(crate) fn run(analyst: &Analyst, seed: u64, folder: &Path) -> anyhow::Result<Mixed> {
    let mut captures = Vec::new();
    let mut inventory = lab::inventory_header();
    let mut policy = String::new();
    let mut truths: Vec<Truth> = Vec::new();
    for scenario in scenarios().filter(|one| vantage(one) == Vantage::Home) {
        // A capture with frames missing would hold down the verdicts on all others.
        if scenario.name == "s29" {
            continue;
        }
        let (path, rows, truth) = write(scenario, seed, folder)?;
        captures.push(path);
        inventory.extend(rows.lines().skip(1).flat_map(|row| [row, "\n"]));
        if scenario.policy.contains("[[") {
            policy.push_str(scenario.policy);
        }
        truths.push(truth);
    }
    let policy = format!("allowed_tools = [\"freshservice\"]\n\n{policy}");
    let analysed = analyst.analyse(&captures, &inventory, &policy, Vantage::Home)?;
    for path in &captures {
        fs::remove_file(path)?;
    }
    let mut items = Vec::new();
    let (mut drawn_in, mut bystanders) = (0, 0);
    for (site, truth) in truths.iter().enumerate() {
        for (number, host) in hosts(&analysed, truth).into_iter().enumerate() {
            let alone = format!("{site} {number}");
            let true_one = if host.is_farm {
                format!("{site} farm")
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
    })
}

//! One run: a scenario and a seed written, analysed without its truth, then compared with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use farmhawk::explain;
use farmhawk::explain::posterior::FAMILIES;
use farmhawk::lab::{self, Scenario};
use farmhawk::model::farm::Farm;
use farmhawk::model::finding::FindingKind;
use farmhawk::model::host::Verdict;
use farmhawk::model::vantage::Vantage;

use crate::analysis::{Analysed, Analyst};
use crate::forge;

/// What was drawn for a scenario: its name, the range of odd seeds, and that of even ones.
pub(crate) type Trait = (String, [u64; 2], [u64; 2]);

/// What the truth file says, as far as it is compared.
pub(crate) struct Truth {
    /// Addresses of the farm.
    pub(crate) farm: Vec<String>,
    /// Addresses of all machines.
    pub(crate) hosts: Vec<String>,
    /// What an analysis ought to say.
    pub(crate) verdict: String,
    /// What was drawn: name, range of odd seeds, range of even seeds.
    pub(crate) traits: Vec<Trait>,
}

/// A host and what was said of it.
#[derive(Clone, Debug)]
pub(crate) struct HostOutcome {
    /// Whether it belongs to a farm.
    pub(crate) is_farm: bool,
    /// Its network: machines of one operation in two houses are two groups.
    pub(crate) place: String,
    /// Posterior of a farm of its group, times its membership; 0 without a group.
    pub(crate) score: f64,
    /// Verdict of its group.
    pub(crate) group: Verdict,
    /// Number of its group, if that is at review or above.
    pub(crate) cluster: Option<usize>,
}

/// What came of one run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Scenario.
    pub(crate) scenario: &'static str,
    /// Seed.
    pub(crate) seed: u64,
    /// Verdict that the truth asks for.
    pub(crate) expected: String,
    /// The worst verdict on a group.
    pub(crate) farm: Verdict,
    /// The worst verdict on a host.
    pub(crate) host: Verdict,
    /// Posterior of a farm in the likeliest group; `None` without groups.
    pub(crate) probability: Option<f64>,
    /// Prior odds of a farm there.
    pub(crate) prior_odds: f64,
    /// Hosts.
    pub(crate) hosts: Vec<HostOutcome>,
    /// The worst verdict on a group without one family, in the order of the families.
    pub(crate) without: Vec<Verdict>,
    /// The worst verdict that forging one family could bring about, in the order of the families; of benign captures only.
    pub(crate) forged: Vec<Verdict>,
    /// What was drawn for the scenario: name, range of odd seeds, range of even seeds without that.
    pub(crate) traits: Vec<Trait>,
    /// The worst group with its reasons, for who reads single runs.
    pub(crate) told: String,
    /// Baselines: any remote tool on three hosts, a conversation of four hours, a VPN.
    pub(crate) baselines: [bool; 3],
}

impl Outcome {
    /// Whether the scenario holds a farm.
    pub(crate) fn is_farm(&self) -> bool {
        self.hosts.iter().any(|host| host.is_farm)
    }

    /// Whether nobody works at anybody's machine from elsewhere who should not.
    pub(crate) fn is_benign(&self) -> bool {
        self.expected == "none"
    }
}

/// The scenarios that are evaluated: those of 9.1.
pub(crate) fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    lab::scenarios().iter().filter(|scenario| {
        let mut letters = scenario.name.bytes();
        letters.next() == Some(b's') && letters.all(|letter| letter.is_ascii_digit())
    })
}

/// The vantage of a scenario.
pub(crate) fn vantage(scenario: &Scenario) -> Vantage {
    if scenario.vantage == "employer" {
        Vantage::Employer
    } else {
        Vantage::Home
    }
}

/// Writes a scenario; gives the capture's path, the inventory and the truth.
pub(crate) fn write(
    scenario: &Scenario,
    seed: u64,
    folder: &Path,
) -> anyhow::Result<(PathBuf, String, Truth)> {
    write_with(scenario, seed, &[], folder)
}

/// The same with some traits set.
pub(crate) fn write_with(
    scenario: &Scenario,
    seed: u64,
    traits: &[(&str, u64)],
    folder: &Path,
) -> anyhow::Result<(PathBuf, String, Truth)> {
    let (mut capture, mut rows, mut facts) = (Vec::new(), lab::inventory_header().into_bytes(), Vec::new());
    lab::write_with(scenario, seed, traits, &mut capture, &mut rows, &mut facts)?;
    let path = folder.join(format!("{}-{seed}.pcapng", scenario.name));
    fs::write(&path, &capture)?;
    let table: toml::Table = String::from_utf8(facts)?.parse()?;
    Ok((path, String::from_utf8(rows)?, truth(&table)))
}

fn truth(table: &toml::Table) -> Truth {
    let texts = |value: Option<&toml::Value>| -> Vec<String> {
        let list = value.and_then(toml::Value::as_array);
        let texts = list.into_iter().flatten().filter_map(toml::Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let capture = table.get("capture").and_then(|list| list.get(0));
    let hosts = capture
        .and_then(|capture| capture.get("host"))
        .and_then(toml::Value::as_array);
    Truth {
        farm: texts(capture.and_then(|capture| capture.get("farm"))),
        hosts: hosts
            .into_iter()
            .flatten()
            .filter_map(|host| host.get("address")?.as_str().map(str::to_owned))
            .collect(),
        verdict: capture
            .and_then(|capture| capture.get("verdict"))
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        traits: capture.map(traits).unwrap_or_default(),
    }
}

fn traits(capture: &toml::Value) -> Vec<Trait> {
    let range = |value: Option<&toml::Value>| -> Option<[u64; 2]> {
        let ends = value?.as_array()?.iter();
        let ends: Vec<u64> = ends.filter_map(|end| end.as_integer()?.try_into().ok()).collect();
        ends.try_into().ok()
    };
    let list = capture.get("trait").and_then(toml::Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|one| {
            let name = one.get("name")?.as_str()?.to_owned();
            Some((name, range(one.get("odd_seeds"))?, range(one.get("even_seeds"))?))
        })
        .collect()
}

/// Runs one scenario with one seed.
pub(crate) fn run(
    analyst: &Analyst,
    scenario: &'static Scenario,
    seed: u64,
    folder: &Path,
) -> anyhow::Result<Outcome> {
    let (path, inventory, truth) = write(scenario, seed, folder)?;
    let analysed = analyst.analyse(std::slice::from_ref(&path), &inventory, scenario.policy)?;
    fs::remove_file(&path)?;
    let vantage = analysed.case.summary.vantage.as_ref();
    let prior = analyst
        .weights()
        .prior(vantage.map(|vantage| vantage.name).unwrap_or_default(), false);
    let [farm, ..] = prior;
    let case = &analysed.case;
    let (forged, raised) = if truth.verdict == "none" {
        forge::worst(&analysed.grounds, analyst.weights())
    } else {
        (Vec::new(), Vec::new())
    };
    let told = told(&analysed) + &raised.join("\n");
    Ok(Outcome {
        scenario: scenario.name,
        seed,
        expected: truth.verdict.clone(),
        farm: worst(&case.farms),
        host: case
            .hosts
            .iter()
            .map(|host| host.verdict)
            .max()
            .unwrap_or_default(),
        probability: (case.farms.iter().map(|farm| farm.explanations.farm)).max_by(f64::total_cmp),
        prior_odds: farm / (1.0 - farm),
        hosts: hosts(&analysed, &truth),
        without: ablation(analyst, &analysed),
        baselines: baselines(&analysed),
        forged,
        told,
        traits: truth.traits,
    })
}

/// The first group, which is the worst, and the worst host, with their reasons.
fn told(analysed: &Analysed) -> String {
    let case = &analysed.case;
    let mut text = String::new();
    for farm in case.farms.iter().take(2) {
        let _ = writeln!(text, "{}", farm.summary);
        for reason in &farm.reasons {
            let _ = writeln!(
                text,
                "    {:+.1} {}: {}",
                reason.weight.0, reason.reason, reason.what
            );
        }
        for hidden in &farm.not_observable {
            let _ = writeln!(text, "    n/a {hidden}");
        }
        let groups = analysed.grounds.groups.iter().filter(|group| group.id == farm.id);
        for pair in groups.flat_map(|group| &group.edges) {
            let _ = write!(
                text,
                "    pair {} {} {:+.1}:",
                pair.hosts.0, pair.hosts.1, pair.total
            );
            for line in &pair.lines {
                let _ = write!(
                    text,
                    " {} {:+.1} ({});",
                    line.term, line.said.nats, line.said.what
                );
            }
            text.push('\n');
        }
    }
    if let Some(host) = case.hosts.iter().max_by_key(|host| host.verdict) {
        let _ = writeln!(text, "  worst host: {}", host.summary);
    }
    text
}

/// The worst verdict on a group.
pub(crate) fn worst(farms: &[Farm]) -> Verdict {
    farms.iter().map(|farm| farm.verdict).max().unwrap_or_default()
}

/// Every machine of the truth with what was said of it.
pub(crate) fn hosts(analysed: &Analysed, truth: &Truth) -> Vec<HostOutcome> {
    let case = &analysed.case;
    let mut said: BTreeMap<&str, (f64, Verdict, Option<usize>)> = BTreeMap::new();
    for (number, farm) in case.farms.iter().enumerate() {
        for member in &farm.hosts {
            let record = case.hosts.iter().find(|host| host.host == member.host);
            for ip in record.iter().flat_map(|record| &record.ips) {
                let cluster = (farm.verdict >= Verdict::Review).then_some(number);
                let score = farm.explanations.farm * member.membership;
                said.insert(ip, (score, farm.verdict, cluster));
            }
        }
    }
    truth
        .hosts
        .iter()
        .map(|address| {
            let (score, group, cluster) =
                said.get(address.as_str())
                    .copied()
                    .unwrap_or((0.0, Verdict::None, None));
            let (place, _) = address.rsplit_once('.').unwrap_or_default();
            HostOutcome {
                is_farm: truth.farm.contains(address),
                place: place.to_owned(),
                score,
                group,
                cluster,
            }
        })
        .collect()
}

/// Verdicts of models that know nothing of one family.
fn ablation(analyst: &Analyst, analysed: &Analysed) -> Vec<Verdict> {
    let grounds = &analysed.grounds;
    FAMILIES
        .into_iter()
        .map(|family| {
            let mut weights = analyst.weights().clone();
            weights.cues.retain(|cue| cue.family != family);
            let explained = explain::explain(
                &grounds.groups,
                &grounds.profiles,
                grounds.others,
                &weights,
                &grounds.circumstances,
            );
            worst(&explained.farms)
        })
        .collect()
}

fn baselines(analysed: &Analysed) -> [bool; 3] {
    let findings = &analysed.case.findings;
    let mut with_tool: Vec<_> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::RemoteAccess)
        .map(|finding| finding.host)
        .collect();
    with_tool.sort_unstable();
    with_tool.dedup();
    [
        with_tool.len() >= 3,
        analysed.longest_seconds >= 4 * 3_600,
        findings.iter().any(|finding| finding.kind == FindingKind::Vpn),
    ]
}

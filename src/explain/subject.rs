//! The subject of an explanation: one host or the members of a group, as cues look at them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::State;
use crate::model::group::PairLedger;
use crate::model::identity::ContentId;
use crate::model::profile::{Asset, HostProfile, RemoteSession};
use crate::model::quantity::counted;
use crate::model::vantage::Vantage;

use super::weights::Rules;

/// Hosts to be explained, sorted by identifier.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// All members.
    pub members: Vec<&'a HostProfile>,
    /// Ledgers of the pairs that hold the members together.
    pub edges: &'a [PairLedger],
    /// Where the capture was taken.
    pub vantage: Vantage,
    /// What a capture must hold before a cue may speak.
    pub rules: &'a Rules,
    /// Tools that are so common at an employer that they are policy, sorted.
    pub prevalent: &'a [String],
    /// Whether nobody said where the capture was taken and nothing in it tells: the vantage is an assumption.
    pub is_vantage_assumed: bool,
    /// Why what was not seen may well be there, if so.
    pub little: Option<&'a str>,
    /// Why so much is missing that some cues have no answer, if so.
    pub damage: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// The machines among the members: neither IP KVMs nor those who control others.
    #[must_use]
    pub fn machines(&self) -> Vec<&'a HostProfile> {
        self.members
            .iter()
            .copied()
            .filter(|profile| !profile.is_kvm() && !profile.is_controller())
            .collect()
    }

    /// The machines that were seen under remote control, whoever allowed it.
    #[must_use]
    pub fn controlled(&self) -> Vec<&'a HostProfile> {
        self.machines()
            .into_iter()
            .filter(|profile| profile.controlled() == State::Observed)
            .collect()
    }

    /// Why it cannot be told whether machines are under remote control, where that is so of any of those that were not seen to be, in words.
    #[must_use]
    pub fn blind(&self) -> Option<String> {
        let machines = self.machines();
        let reasons: Vec<&str> = machines
            .iter()
            .filter(|one| one.controlled() != State::Observed)
            .filter_map(|one| one.hidden_control())
            .collect();
        let first = reasons.first()?;
        Some(match machines.len() {
            1 => (*first).to_owned(),
            all => format!(
                "{first} (likewise at {} of {})",
                reasons.len(),
                counted(all, "machine")
            ),
        })
    }

    /// Of these, the ones under a control that nobody sanctioned.
    #[must_use]
    pub fn unsanctioned(&self) -> Vec<&'a HostProfile> {
        self.controlled()
            .into_iter()
            .filter(|profile| {
                !profile.kvm.drives_this.list().is_empty()
                    || profile
                        .live_sessions()
                        .any(|session| session.sanctioned != Some(true) && !self.is_prevalent(&session.tool))
            })
            .collect()
    }

    /// Whether a tool is so common here that it is policy.
    #[must_use]
    pub fn is_prevalent(&self, tool: &str) -> bool {
        self.prevalent.iter().any(|one| one == tool)
    }

    /// The machines that organisations and places are asked about: the controlled ones, or all where none is.
    #[must_use]
    pub fn of_interest(&self) -> Vec<&'a HostProfile> {
        let controlled = self.controlled();
        if controlled.is_empty() {
            self.machines()
        } else {
            controlled
        }
    }

    /// Live sessions of the controlled machines.
    #[must_use]
    pub fn sessions(&self) -> Vec<&'a RemoteSession> {
        self.controlled()
            .into_iter()
            .flat_map(HostProfile::live_sessions)
            .collect()
    }

    /// Whether the machines' router is a place where people are. Behind an employer's own router its whole staff comes together; where
    /// nobody said on which side the capture was taken, only machines of several employers tell that it is none's.
    #[must_use]
    pub fn is_router_a_place(&self) -> bool {
        let machines = self.machines();
        let mut employers = machines
            .iter()
            .filter_map(|one| one.asset.seen()?.record.employer.as_deref());
        let first = employers.next();
        match self.vantage {
            Vantage::Employer => false,
            Vantage::Home if self.is_vantage_assumed => employers.any(|one| Some(one) != first),
            Vantage::Home => true,
        }
    }

    /// The declared site of an asset, where it is a site and not a word for "elsewhere".
    #[must_use]
    pub fn site_of<'b>(&self, asset: &'b Asset) -> Option<&'b str> {
        asset.site_but(&self.rules.remote_sites)
    }

    /// The one site at which all machines are declared.
    #[must_use]
    pub fn declared_site(&self) -> Option<&'a str> {
        let mut common = None;
        for machine in self.machines() {
            let site = self.site_of(machine.asset.seen()?)?;
            if common.is_some_and(|before| before != site) {
                return None;
            }
            common = Some(site);
        }
        common
    }
}

/// Tools on so many of an employer's machines that they are policy rather than anomaly (DETECTION 6.4), sorted.
///
/// Only at an employer: in a house full of controlled machines the tool is common because the house is a farm.
#[must_use]
pub fn prevalent_tools(
    profiles: &[&HostProfile],
    others: usize,
    vantage: Vantage,
    rules: &Rules,
) -> Vec<String> {
    let machines = u32::try_from(profiles.len().saturating_add(others)).unwrap_or(u32::MAX);
    if vantage != Vantage::Employer || machines < rules.prevalent_machines {
        return Vec::new();
    }
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for profile in profiles {
        let live = profile
            .sessions
            .list()
            .iter()
            .map(|session| session.tool.as_str());
        let idle = profile.installed.iter().map(|installed| installed.tool.as_str());
        for tool in live.chain(idle).collect::<BTreeSet<_>>() {
            let count = counts.entry(tool).or_default();
            *count = count.saturating_add(1);
        }
    }
    let least = rules.prevalent_share * f64::from(machines);
    counts
        .into_iter()
        .filter(|(_, count)| f64::from(*count) > least)
        .map(|(tool, _)| tool.to_owned())
        .collect()
}

/// Identifiers of hosts.
#[must_use]
pub fn identifiers(hosts: &[&HostProfile]) -> Vec<ContentId> {
    hosts.iter().map(|profile| profile.host).collect()
}

/// Findings behind the live sessions of hosts, sorted.
#[must_use]
pub fn session_findings(hosts: &[&HostProfile]) -> Vec<ContentId> {
    let mut findings: Vec<ContentId> = hosts
        .iter()
        .flat_map(|profile| profile.live_sessions())
        .map(|session| session.finding)
        .collect();
    findings.sort_unstable();
    findings.dedup();
    findings
}

/// The findings of all sessions through which somebody was at these machines, IP KVMs' among them.
#[must_use]
pub fn control_findings(hosts: &[&HostProfile]) -> Vec<ContentId> {
    let mut findings: Vec<ContentId> = hosts
        .iter()
        .flat_map(|profile| profile.sessions_at_it())
        .map(|session| session.finding)
        .collect();
    findings.sort_unstable();
    findings.dedup();
    findings
}

/// " (median of 4 machines)"; nothing of one, whose value it is.
#[must_use]
pub fn median_of(machines: usize) -> String {
    if machines < 2 {
        String::new()
    } else {
        format!(" (median of {})", counted(machines, "machine"))
    }
}

/// The lower median of values; `None` of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

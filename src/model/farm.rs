//! Farms: hosts that belong together, and what explains it best (INTERFACE, `event_type: "farm"`).

use std::net::IpAddr;

use serde::Serialize;

use super::evidence::{Decibans, State};
use super::group::Operation;
use super::host::{Cell, Explanations, Verdict};
use super::identity::ContentId;
use super::quantity::counted;
use super::tally::Tally;
use super::time::Timestamp;

/// A host of a group and how firmly it belongs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FarmMember {
    /// Stable identifier.
    pub host: ContentId,
    /// An address or name to recognise it by.
    pub label: String,
    /// 0 to 1: how often it stays with the group when edges are dropped.
    pub membership: f64,
    /// Whether it is an IP KVM: something through which a machine is worked on, and no machine that anybody works at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_kvm: bool,
}

/// How many there are: "6 machines and 2 IP KVMs".
#[must_use]
pub fn size(members: &[FarmMember]) -> String {
    let kvms = members.iter().filter(|member| member.is_kvm).count();
    let machines = counted(members.len().saturating_sub(kvms), "machine");
    match kvms {
        0 => machines,
        _ if kvms == members.len() => counted(kvms, "IP KVM"),
        _ => format!("{machines} and {}", counted(kvms, "IP KVM")),
    }
}

impl Farm {
    /// Whether all controllers that are known sit on the machines' own private network, and nothing says that somebody comes to them from
    /// elsewhere: the place of the controllers speaks against it.
    #[must_use]
    pub fn is_driven_from_beside(&self) -> bool {
        let place = self.reasons.iter().find(|reason| reason.reason == "ctrl_geo");
        place.is_some_and(|place| place.state == State::Observed && place.weight.0 < 0.0)
            && !self.shared.controllers.is_empty()
            && self.shared.controllers.iter().all(|one| is_private(one))
    }
}

/// Whether a controller is known by an address that is routed nowhere.
fn is_private(controller: &str) -> bool {
    match controller.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        Err(_) => false,
    }
}

/// How one says of a farm whose machines are driven from their own network what it is consistent with.
pub const FROM_BESIDE: &str =
    "several machines driven from their own network, as those of a laptop farm are from elsewhere";

/// One reason for or against, in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// The cue's identifier.
    pub reason: String,
    /// What was seen, in words.
    pub what: String,
    /// Weight for a farm against the benign explanations together.
    pub weight: Decibans,
    /// What it is made of; `--explain` alone asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<Box<Cell>>,
    /// Seen, absent, not observable.
    pub state: State,
    /// Hosts that show it.
    pub hosts: Vec<ContentId>,
    /// Findings behind it.
    pub findings: Vec<ContentId>,
}

/// What the hosts of a group have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shared {
    /// Addresses of controllers.
    pub controllers: Vec<String>,
    /// Relays and private servers.
    pub relays: Vec<String>,
    /// Tools.
    pub tools: Vec<String>,
    /// Public addresses or VPN exits.
    pub egress: Vec<String>,
    /// KVMs.
    pub kvms: Vec<String>,
    /// Hours of the day (UTC) in which sessions were driven.
    pub operator_hours: Vec<u8>,
}

/// What would change if one thing were otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counterfactual {
    /// The change, in words.
    pub change: String,
    /// Posterior probability of a farm then.
    pub farm: f64,
    /// Verdict then.
    pub verdict: Verdict,
}

/// A group of hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Farm {
    /// Stable identifier.
    pub id: ContentId,
    /// First sight of a member.
    pub timestamp: Timestamp,
    /// Members, sorted by identifier.
    pub hosts: Vec<FarmMember>,
    /// How far the evidence goes.
    pub verdict: Verdict,
    /// What explains it.
    pub explanations: Explanations,
    /// The best rival of the winner.
    pub runner_up: String,
    /// The steps from prior to posterior; `--explain` alone asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tally: Option<Box<Tally>>,
    /// Ranked by weight.
    pub reasons: Vec<Reason>,
    /// What they have in common.
    pub shared: Shared,
    /// What another way of clustering says, where it does not see the same group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_opinion: Option<String>,
    /// The operation that it is a part of: groups at other places that share a controller or a private server with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What could not be seen from this vantage.
    pub not_observable: Vec<String>,
    /// The one observation that would settle most.
    pub next_question: String,
    /// What would change the verdict.
    pub counterfactuals: Vec<Counterfactual>,
    /// One sentence for a ticket.
    pub summary: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_drives_machines_from_beside_them_does_not_do_so_from_elsewhere() {
        let farm = |weight: f64, controllers: &[&str]| Farm {
            reasons: vec![Reason {
                reason: "ctrl_geo".to_owned(),
                what: String::new(),
                weight: Decibans(weight),
                cell: None,
                state: State::Observed,
                hosts: Vec::new(),
                findings: Vec::new(),
            }],
            shared: Shared {
                controllers: controllers.iter().map(|one| (*one).to_owned()).collect(),
                ..Shared::default()
            },
            ..Farm::default()
        };
        assert!(farm(-11.4, &["192.168.1.10", "fd00::1"]).is_driven_from_beside());
        assert!(!farm(-11.4, &["192.168.1.10", "203.0.113.7"]).is_driven_from_beside());
        assert!(!farm(-11.4, &[]).is_driven_from_beside());
        assert!(!farm(-11.4, &["an operator"]).is_driven_from_beside());
        // Who comes to the neighbour over a relay is elsewhere.
        assert!(!farm(2.5, &["192.168.1.10"]).is_driven_from_beside());
    }
}

//! Hosts: one record for each local machine (INTERFACE, `event_type: "host"`).

use std::sync::Arc;

use serde::Serialize;

use super::address::MacAddress;
use super::evidence::Decibans;
use super::finding::{Activity, PlaceRecord, Role};
use super::identity::ContentId;
use super::tally::Tally;
use super::tenancy::Tenant;
use super::time::Timestamp;

/// A customer's name at a service that a host used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TenantRecord {
    /// Label and service: `acme@okta.com`.
    pub name: String,
    /// Days on which it was used (UTC), ascending: `2026-03-02`.
    pub days: Vec<String>,
    /// Machines of several organisations use it: nobody's name, and it joins nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

impl From<&Tenant> for TenantRecord {
    fn from(tenant: &Tenant) -> Self {
        let date = |day: &u32| {
            let start = Timestamp::from_parts(i64::from(*day).saturating_mul(86_400), 0);
            start.to_text().as_str().chars().take(10).collect()
        };
        Self {
            name: tenant.name.clone(),
            days: tenant.days.iter().map(date).collect(),
            shared: tenant.is_shared,
        }
    }
}

/// A name and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct HostName {
    /// The name.
    pub name: String,
    /// `dhcp`, `mdns`, `nbns`, `llmnr`, `tls`, `inventory`, ...
    pub source: String,
}

/// The row of the inventory that a host matched.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AssetRecord {
    /// Inventory's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Country where the assignee works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Declared site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Who employs the assignee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employer: Option<String>,
    /// Which key matched: `mac`, `ip`, `cidr`, `hostname`.
    pub matched_by: String,
}

/// A tool seen on a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostTool {
    /// The catalogue's identifier.
    pub tool: String,
    /// What the host does with it.
    pub role: Role,
    /// The liveliest thing that happened.
    pub activity: Activity,
    /// Whether policy or inventory allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sanctioned: Option<bool>,
    /// Seconds of sessions in which the screen was sent (viewed or driven).
    pub session_seconds: u64,
    /// Seconds of these in which somebody gave input.
    pub driven_seconds: u64,
}

/// Verdict on a host or a group: how far the evidence goes (DETECTION 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks for it.
    #[default]
    None,
    /// Worth a line.
    Note,
    /// A person should look.
    Review,
    /// Probably so.
    Likely,
    /// Hardly anything else explains it.
    Strong,
}

impl Verdict {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Note => "note",
            Self::Review => "review",
            Self::Likely => "likely",
            Self::Strong => "strong",
        }
    }
}

/// Posterior probabilities of the competing explanations; they sum to one (DETECTION 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Explanations {
    /// Relay farm: at least two machines worked from elsewhere.
    pub farm: f64,
    /// One machine worked from elsewhere.
    pub solo: f64,
    /// Managed site, IT support.
    pub msp: f64,
    /// Office, terminal server, call centre.
    pub vdi: f64,
    /// Shared house, co-working, carrier-grade NAT.
    pub shared: f64,
    /// Travelling or expatriate employee.
    pub travel: f64,
    /// Owner reaching the own machine.
    #[serde(rename = "self")]
    pub own: f64,
    /// Nothing of the kind.
    pub normal: f64,
}

/// One local machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HostRecord {
    /// Stable identifier.
    pub host: ContentId,
    /// First sight.
    pub timestamp: Timestamp,
    /// Addresses, sorted.
    pub ips: Vec<String>,
    /// Link address, where seen on its own segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Registered vendor of the link address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Names, sorted.
    pub names: Vec<HostName>,
    /// Operating system, where something said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// What it does: `controlled`, `controller`, `gateway`, `dns_server`, ...
    pub roles: Vec<String>,
    /// First sight.
    pub first_seen: Timestamp,
    /// Last sight.
    pub last_seen: Timestamp,
    /// Bytes that came to it.
    pub bytes_in: u64,
    /// Bytes that it sent.
    pub bytes_out: u64,
    /// Inventory row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetRecord>,
    /// Tools.
    pub tools: Vec<HostTool>,
    /// VPNs and tunnels that it is an end of.
    pub vpn: Vec<String>,
    /// Organisations whose services it uses (identity providers, tenants), each with its days.
    pub tenants: Vec<TenantRecord>,
    /// Its own public addresses, where the capture showed them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public_ips: Vec<String>,
    /// The same with how each was learnt, when, and what its network is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<PublicAddress>,
    /// How many devices stand behind its address, where it is a router's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices_behind: Option<DevicesBehind>,
    /// Verdict on the host alone.
    pub verdict: Verdict,
    /// What explains it.
    pub explanations: Explanations,
    /// The steps from prior to posterior; `--explain` alone asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tally: Option<Box<Tally>>,
    /// The weightiest reasons behind that, in decibans; each is against its own rivals, so that they do not add up to the posterior.
    pub reasons: Vec<HostReason>,
    /// What could not be seen from this vantage.
    pub not_observable: Vec<Arc<str>>,
    /// The one observation that would settle most; absent where nothing speaks for anything.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next_question: String,
    /// One sentence for a ticket.
    pub summary: String,
    /// Findings about it.
    pub findings: Vec<ContentId>,
}

/// One of a machine's own public addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PublicAddress {
    /// The address.
    pub ip: String,
    /// How it was learnt: `stun`, `natpmp`, `upnp`, `dns`, `http`, `dhcp`, `tunnel`.
    pub how: Vec<String>,
    /// First sight.
    pub first_seen: Timestamp,
    /// Last sight.
    pub last_seen: Timestamp,
    /// What answers in the captures called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_name: Option<String>,
    /// Where it is, and the kind of its network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Arc<PlaceRecord>>,
}

/// How many devices stand behind one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DevicesBehind {
    /// Fewest that explain what was seen.
    pub least: u32,
    /// Most that can be told apart; identical machines count as one.
    pub most: u32,
    /// What it rests on, in words.
    pub what: String,
}

/// The cell of the model's table behind a reason, for who checks its weight: ten times the decimal logarithm of the cell's mean over the
/// explanations that are claimed, against its mean over the benign ones, each explanation weighed by what everything else leaves of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Level of the cue.
    pub level: String,
    /// How probable each explanation makes this level.
    pub probability: Explanations,
    /// What everything else that was observed leaves of each explanation.
    pub others: Explanations,
}

/// Why a host's explanations are what they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostReason {
    /// The cue's identifier.
    pub reason: String,
    /// In words.
    pub what: String,
    /// Weight against the benign explanations together.
    pub weight: Decibans,
    /// What it is made of; `--explain` alone asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<Box<Cell>>,
}

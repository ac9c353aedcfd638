//! Findings: what was recognised on one host, with its evidence (INTERFACE, `event_type: "finding"`).

use std::sync::Arc;

use serde::Serialize;

use super::address::Address;
use super::evidence::{Decibans, Evidence};
use super::hours::ScheduleRecord;
use super::identity::ContentId;
use super::latency::LatencyRecord;
use super::time::Timestamp;

/// Stands for the tool in findings of remote control by a tool that the catalogue does not name.
pub const UNKNOWN_INTERACTIVE: &str = "unknown-interactive";

/// Stands for the tool in leads that rest on the size of segments alone: no tunnel was seen.
pub const MTU_TRACE: &str = "mtu-trace";

/// What a finding is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A remote-access tool or protocol.
    #[default]
    RemoteAccess,
    /// An IP KVM reached over the network.
    IpKvm,
    /// A virtual private network.
    Vpn,
    /// A proxy.
    Proxy,
    /// A tunnel that lets others in from outside.
    ReverseTunnel,
    /// Tor.
    Tor,
    /// A place that contradicts the claimed one.
    GeoMismatch,
    /// A round trip that contradicts the claimed place.
    LatencyMismatch,
    /// Hours that contradict the claimed ones.
    ScheduleMismatch,
    /// Organisations that contradict each other.
    TenancyMismatch,
    /// Something that the policy does not allow.
    PolicyViolation,
}

impl FindingKind {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RemoteAccess => "remote_access",
            Self::IpKvm => "ip_kvm",
            Self::Vpn => "vpn",
            Self::Proxy => "proxy",
            Self::ReverseTunnel => "reverse_tunnel",
            Self::Tor => "tor",
            Self::GeoMismatch => "geo_mismatch",
            Self::LatencyMismatch => "latency_mismatch",
            Self::ScheduleMismatch => "schedule_mismatch",
            Self::TenancyMismatch => "tenancy_mismatch",
            Self::PolicyViolation => "policy_violation",
        }
    }
}

/// What the host does in the finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Its screen goes out, input comes in.
    Controlled,
    /// Another's screen comes in, its input goes out.
    Controller,
    /// The tool is installed and reports to its vendor.
    Agent,
    /// It opened the connection of a VPN or proxy.
    Client,
    /// It answers.
    Server,
    /// Nothing told.
    #[default]
    Unknown,
}

impl Role {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controlled => "controlled",
            Self::Controller => "controller",
            Self::Agent => "agent",
            Self::Client => "client",
            Self::Server => "server",
            Self::Unknown => "unknown",
        }
    }
}

/// What happened in a remote session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing but keep-alives.
    Idle,
    /// The screen is sent; nobody gives input.
    Viewed,
    /// Somebody is at the controls.
    Driven,
    /// A file transfer.
    Bulk,
    /// Not enough packets to tell.
    #[default]
    Unknown,
}

impl Activity {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Viewed => "viewed",
            Self::Driven => "driven",
            Self::Bulk => "bulk",
            Self::Unknown => "unknown",
        }
    }
}

/// How sure a finding is; about *what* it is, never about whether it is permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A lead.
    #[default]
    Low,
    /// Probably so.
    Medium,
    /// The bytes say so.
    High,
}

impl Confidence {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A place as a finding or flow shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlaceRecord {
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// City name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Autonomous system number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Its organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_org: Option<String>,
    /// Kind of network: `hosting`, `vpn`, `residential`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which database, list, table or reverse name said what kind it is, with its date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind_source: Option<String>,
    /// Which database said so, with its date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Who sits behind a relayed or direct session, where that could be learnt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Controller {
    /// Its public address.
    pub address: Address,
    /// How it was learnt: `direct`, `rustdesk_rendezvous`, `stun_peer`, ...
    pub how: String,
    /// Where that address is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Arc<PlaceRecord>>,
}

/// What was claimed and what was seen, behind a geo mismatch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GeoMismatch {
    /// Country that the inventory or the policy claims, or an earlier sight shows.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub claimed_country: String,
    /// Place that the packets' address has.
    pub seen: Arc<PlaceRecord>,
    /// The address.
    pub address: String,
    /// Kilometres between claim and sight, the accuracy radius taken off; where both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_km: Option<f64>,
    /// Days on which it was so, of the days with activity.
    pub days: [u32; 2],
}

/// Whether a host in a tunnel sends anything else outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// Nothing else was seen to leave while it was up.
    Full,
    /// Something was.
    Split,
    /// Too short to tell, or only a lead: what looks like a tunnel is not told from what stands beside it.
    #[default]
    Unknown,
}

/// What a tunnel was used for, as far as its outside shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TunnelUse {
    /// From its first to its last payload, to ten seconds.
    pub seconds: u32,
    /// Payload that the host sent through it.
    pub bytes_out: u64,
    /// Payload that came to the host through it.
    pub bytes_in: u64,
    /// Whether all that the host sends outside goes through it.
    pub routing: Routing,
    /// Whole minutes for which it was up.
    pub whole_minutes: u32,
    /// Those of them in which the host sent or got something outside beside it.
    pub minutes_beside: u32,
}

/// One finding. What most have not is kept apart, since tens of thousands are held at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Finding {
    /// Stable over re-runs of the same input.
    pub id: ContentId,
    /// First sight.
    pub timestamp: Timestamp,
    /// Last sight.
    pub last_seen: Timestamp,
    /// What it is about.
    pub kind: FindingKind,
    /// The catalogue's identifier.
    pub tool: String,
    /// The protocol under a product, where both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Role of `host`.
    pub role: Role,
    /// The liveliest thing that happened.
    pub activity: Activity,
    /// When what happened: start, end, state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<(Timestamp, Timestamp, Activity)>,
    /// Who sits at the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<Box<Controller>>,
    /// Stable identifier of the local side.
    pub host: ContentId,
    /// Address of the local side.
    pub host_ip: String,
    /// The other side of the flows, as far as one address covers them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Its name, where one was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_name: Option<String>,
    /// Its port, where all flows had the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<u16>,
    /// The host's own port, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// Transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    /// Community ID of the first flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// Flows behind it, in order of time, bounded; `flow_count` counts all.
    pub flow_ids: Vec<ContentId>,
    /// How many flows there were.
    pub flow_count: u64,
    /// How sure it is.
    pub confidence: Confidence,
    /// The number behind the confidence: at most `finding.highest_score` of `model/thresholds.toml` where a tool was recognised, however much its evidence has together.
    pub score: Decibans,
    /// Whether the policy or the inventory allows this tool here; absent when neither says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sanctioned: Option<bool>,
    /// One sentence for a ticket.
    pub summary: String,
    /// What else could explain it.
    pub benign: Vec<String>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// Where the peer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_geo: Option<Arc<PlaceRecord>>,
    /// Figures of a geo mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Box<GeoMismatch>>,
    /// Delays that were measured, and the claim that they contradict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Box<LatencyRecord>>,
    /// Hours that were seen, and those that were declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<ScheduleRecord>>,
    /// How long and how much, where it is a tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Box<TunnelUse>>,
}

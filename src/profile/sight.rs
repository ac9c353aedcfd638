//! What profiles are made of: resolved machines as the pipeline saw them, and what sessions add.

use std::collections::{BTreeMap, BTreeSet};

use super::stepping_stones::Through;
use crate::model::address::{Address, MacAddress};
use crate::model::host::HostName;
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::profile::{
    Asset, ControllerPlace, Days, KvmSeen, Minutes, NetworkKind, PersonalMinutes, Served,
};
use crate::model::router::Router;
use crate::model::tenancy::Tenant;
use crate::model::time::Timestamp;
use crate::model::unseen::Unseen;
use crate::model::vantage::Vantage;
use crate::model::watched::Stretches;

/// A machine with everything that was seen of it.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Stable identifier.
    pub host: ContentId,
    /// First and last packet.
    pub seen: (Timestamp, Timestamp),
    /// Addresses, sorted.
    pub ips: Vec<Address>,
    /// Link address.
    pub mac: Option<MacAddress>,
    /// Names, the best first.
    pub names: Vec<HostName>,
    /// Row of the inventory.
    pub asset: Option<Asset>,
    /// Routers through which it talked, with the days.
    pub gateways: BTreeMap<Router, BTreeSet<u32>>,
    /// Its own public addresses: when each was seen, and what is known of its network.
    pub egress: Vec<EgressSight>,
    /// What kind of network the policy declares for its place.
    pub stands_in: Option<NetworkKind>,
    /// The VPN of the router in front of it, where one was found.
    pub router_vpn: Option<RouterVpnSight>,
    /// Organisations whose services it uses, the most used first.
    pub tenants: Vec<Tenant>,
    /// Whether it asked any resolver in the clear: without that, absence of tenants says nothing.
    pub has_asked: bool,
    /// When somebody was active on it.
    pub active: PersonalMinutes,
    /// Days on which it was seen.
    pub days: BTreeSet<u32>,
    /// IP KVMs whose picture follows its traffic.
    pub driven_by: Observable<Vec<KvmSeen>>,
    /// Whether it is an IP KVM that was watched for long enough to be paired.
    pub is_watched_kvm: bool,
    /// Minutes in which somebody watched it through them, in order.
    pub kvm_minutes: Minutes,
    /// What it offered to others.
    pub serves: Option<Served>,
    /// When it came up.
    pub starts: Observable<Vec<Timestamp>>,
    /// What captures could not show of it.
    pub unseen: Unseen,
    /// Whether it is known only because connections of it mattered: its address is not local, and nothing else was looked for.
    pub is_entered: bool,
}

/// A public address of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressSight {
    /// The address.
    pub address: Address,
    /// Days on which it was seen, sorted.
    pub days: Days,
    /// Whether policy or inventory declare it as an exit or a site of many.
    pub is_declared: bool,
    /// Kind of its network, where something knows it.
    pub kind: Option<NetworkKind>,
    /// Which database or list said so.
    pub source: Option<String>,
    /// Whether nothing but the embedded default database said so.
    pub is_default_database_only: bool,
}

/// A VPN of the router in front of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterVpnSight {
    /// Product, or who holds the exit.
    pub product: String,
    /// Public reports on such cases name it, or the policy lists it.
    pub is_watched: bool,
    /// It is a service that hides where one is, and something else than the embedded default database says so.
    pub is_service: bool,
    /// The host itself is the router.
    pub is_own: bool,
    /// The finding.
    pub finding: ContentId,
}

/// What a finding's session adds to a profile.
#[derive(Clone, Debug, Default)]
pub struct SessionSight {
    /// Index of the finding.
    pub finding: usize,
    /// Relays and servers.
    pub relays: Vec<String>,
    /// Instance of the tool.
    pub instance: Option<(String, bool)>,
    /// Where the controller sits.
    pub controller_place: Observable<ControllerPlace>,
    /// The tool is sold to consumers for hiding where one is.
    pub is_consumer_vpn: bool,
    /// Its own traffic answered like a session's: more than a client that calls home.
    pub is_in_use: bool,
    /// It is a VPN service that public reports on such cases name, or that the policy lists.
    pub is_watched_vpn: bool,
    /// By how many milliseconds the session's loop is longer than its transport; why that is not known.
    pub control_excess_ms: Option<Result<f64, &'static str>>,
    /// Median round trip to the peer or relay in milliseconds.
    pub transport_ms: Option<f64>,
    /// The way over other machines by which the controller came; found when profiles are built.
    pub through: Option<Through>,
}

/// When captures ran and whether an inventory was given.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// When captures ran.
    pub stretches: Stretches,
    /// Whether there is an inventory at all.
    pub has_inventory: bool,
    /// Where the captures were taken.
    pub vantage: Vantage,
}

//! Profiles: one local machine over time, with everything that clustering and explanation ask about it (DETECTION 4).
//!
//! Plain data. What could not be looked for says so and why ([`Observable`]); thresholds that turn figures into
//! judgements are not applied here but where the model's weights are known.

use super::address::{Address, MacAddress};
use super::egress::Travel;
use super::evidence::State;
use super::finding::{Activity, Role};
use super::host::{AssetRecord, HostName};
use super::identity::ContentId;
use super::observable::Observable;
use super::router::Router;
use super::tenancy::Tenant;
use super::time::{SECOND, Timestamp};
use super::watched::{Stretches, WorkingDay};
use super::week::ClockChange;
use std::sync::Arc;

/// Minutes since 1970-01-01T00:00Z, sorted and without repetition.
pub type Minutes = Vec<u32>;

/// When somebody was active on a machine, as its connections show it (DETECTION 4.1.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalMinutes {
    /// The minutes.
    pub minutes: Minutes,
    /// Connections to named sites that this rests on.
    pub calls: u32,
    /// Not all of them could be remembered.
    pub is_cut: bool,
}

/// Days since 1970-01-01 (UTC), sorted and without repetition.
pub type Days = Vec<u32>;

/// The inventory's row of a host, with what the record leaves out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asset {
    /// The row as host records carry it.
    pub record: AssetRecord,
    /// Declared latitude and longitude in degrees.
    pub coordinates: Option<(f64, f64)>,
    /// Declared region, where the inventory names one.
    pub region: Option<String>,
    /// Middle of the declared working day in hours UTC, 0 to 24.
    pub declared_noon_utc: Option<f64>,
    /// How many hours it has; none where only a time zone is declared.
    pub declared_hours: Option<f64>,
    /// A change of the declared time zone's clocks while the captures ran.
    pub clock_change: Option<ClockChange>,
    /// Tools that the inventory allows on this machine.
    pub allowed_tools: Vec<String>,
    /// Egress networks that the inventory allows, as written there.
    pub allowed_egress: Vec<String>,
    /// First and last day on which the row holds, since 1970; open where not declared.
    pub valid: (Option<u32>, Option<u32>),
    /// Days on which the person is declared to be elsewhere.
    pub travel: Vec<Travel>,
}

impl Asset {
    /// The declared working day, as far as the inventory says when it is.
    #[must_use]
    pub fn working_day(&self) -> Option<WorkingDay> {
        self.declared_noon_utc.map(|noon_utc| WorkingDay {
            noon_utc,
            hours: self.declared_hours,
        })
    }

    /// The declared site, where it is a site and not one of these words for "elsewhere".
    #[must_use]
    pub fn site_but(&self, elsewhere: &[String]) -> Option<&str> {
        let site = self.record.site.as_deref()?;
        let is_elsewhere = elsewhere.iter().any(|word| word.eq_ignore_ascii_case(site));
        (!site.is_empty() && !is_elsewhere).then_some(site)
    }

    /// Whether the row says where the machine is on this day: it holds, and nobody is declared to travel.
    #[must_use]
    pub fn holds_on(&self, day: u32) -> bool {
        let (from, until) = self.valid;
        from.is_none_or(|from| from <= day)
            && until.is_none_or(|until| day <= until)
            && !self
                .travel
                .iter()
                .any(|travel| travel.days.0 <= day && day <= travel.days.1)
    }
}

/// A router through which a host talked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// Which it is.
    pub router: Router,
    /// Days on which the host used it.
    pub days: Days,
}

/// Kind of network of a public address, as databases or lists know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkKind {
    /// Lines of households.
    Residential,
    /// Lines of a company.
    Business,
    /// Data centres.
    Hosting,
    /// Exits of VPN providers.
    Vpn,
    /// Many unrelated users behind one address: carrier-grade NAT, co-working, hotels.
    Shared,
}

/// A public address from which a host went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// The address.
    pub address: Address,
    /// Days on which the host used it.
    pub days: Days,
    /// Whether policy or inventory declare it as an exit or a site of many: wherever they are, people go out there.
    pub is_declared: bool,
    /// Kind of network, where something knows it.
    pub kind: Option<NetworkKind>,
    /// Which database or list said so.
    pub source: Option<String>,
    /// Whether nothing but the embedded default database said so.
    pub is_default_database_only: bool,
}

/// What an instance of a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKind {
    /// An account or instance at the vendor (ScreenConnect instance, AnyDesk namespace).
    Tenant,
    /// A server that somebody runs himself (RustDesk, MeshCentral).
    PrivateServer,
}

/// The instance of a tool to which a session belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Its name or address.
    pub name: String,
    /// What it is.
    pub kind: InstanceKind,
}

/// Where a controller sits in relation to the machine that it controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControllerPlaceKind {
    /// The same network or region.
    SameRegion,
    /// Another country than the one claimed for the machine or its line.
    Foreign,
    /// A country, and nothing claims one for the machine: it can be held against other controllers' countries alone.
    Unclaimed,
    /// A data centre or the exit of a VPN.
    Hosting,
    /// The exit of a provider that public reporting ties to the scheme (DETECTION 1.3).
    WatchedVpn,
}

/// The place of a controller and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerPlace {
    /// In relation to the machine.
    pub kind: ControllerPlaceKind,
    /// ISO 3166-1 alpha-2 of the address, where known. Never the nationality of a person.
    pub country: Option<String>,
    /// Network's organisation or VPN provider.
    pub organisation: Option<String>,
    /// Whether databases know the address as one that hides where its users are: an exit, a proxy, a data centre.
    pub hides_origin: bool,
    /// Which database or list said so.
    pub source: String,
    /// Whether nothing but the embedded default database said so; then it must not raise anything.
    pub is_default_database_only: bool,
}

/// Who sat at the other end of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerSeen {
    /// What makes it the same controller elsewhere: its address, or a relayed session's identifier. Never the address
    /// of a vendor's relay, which strangers share: that belongs into `relays`.
    pub id: String,
    /// Its public address, where learnt.
    pub address: Option<Address>,
    /// How it was learnt: `direct`, `rustdesk_rendezvous`, `stun_peer`, `relay_id`, ...
    pub how: String,
    /// Where it is.
    pub place: Observable<ControllerPlace>,
}

/// Sessions of one tool in which the host is controlled: one finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteSession {
    /// The catalogue's identifier of the tool.
    pub tool: String,
    /// The tool's instance, where known.
    pub instance: Option<Instance>,
    /// Whether policy or inventory allow it; `None` when neither says anything.
    pub sanctioned: Option<bool>,
    /// Who sat at the other end, as far as learnt.
    pub controllers: Vec<ControllerSeen>,
    /// Relay servers.
    pub relays: Vec<String>,
    /// When what happened, in order of time.
    pub intervals: Vec<(Timestamp, Timestamp, Activity)>,
    /// Whether sessions began without anybody at the machine, three a day on three days; `None` where that cannot be told.
    pub unattended: Option<bool>,
    /// The finding.
    pub finding: ContentId,
}

impl RemoteSession {
    /// Seconds in which the screen was sent or somebody gave input.
    #[must_use]
    pub fn live_seconds(&self) -> u64 {
        self.intervals
            .iter()
            .filter(|(_, _, activity)| matches!(activity, Activity::Viewed | Activity::Driven))
            .map(|(start, end, _)| u64::try_from(end.since(*start) / SECOND).unwrap_or(0))
            .fold(0, u64::saturating_add)
    }

    /// Whether the screen was ever sent: an agent that only reports to its vendor is no session.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.intervals
            .iter()
            .any(|(_, _, activity)| matches!(activity, Activity::Viewed | Activity::Driven))
    }
}

/// A tool that is installed and reports to its vendor, without a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledTool {
    /// The catalogue's identifier.
    pub tool: String,
    /// Whether policy or inventory allow it.
    pub sanctioned: Option<bool>,
    /// The finding.
    pub finding: ContentId,
}

/// How much of a person's activity at a machine falls into remote sessions (DETECTION 4.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Share, 0 to 1.
    pub share: f64,
    /// Minutes with human activity that it rests on, on days that were watched if there are any.
    pub active_minutes: u32,
    /// Distinct days of these that were watched ([`Stretches::has_day`]).
    pub days: u32,
}

/// Traces of somebody at the machine itself, outside sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalUse {
    /// An hour of it or more.
    Present,
    /// Some, too little to tell.
    Unclear,
}

/// Whose screen an IP KVM shows (DETECTION 4.1.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shows {
    /// That cannot be told: nobody watched it for long enough.
    #[default]
    Unknown,
    /// It was watched, and its picture follows the traffic of no machine that was seen.
    Nobody,
    /// This machine's.
    Machine(ContentId),
}

/// An IP KVM reached over the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KvmSeen {
    /// The KVM's own host identifier.
    pub host: ContentId,
    /// Whose screen it shows.
    pub shows: Shows,
    /// Product or name.
    pub name: String,
    /// The finding.
    pub finding: ContentId,
}

/// What is known of IP KVMs around a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KvmEvidence {
    /// The finding that says the host is one itself.
    pub is_kvm: Option<ContentId>,
    /// Those on the same gateway: one list for all behind it.
    pub on_gateway: Observable<Arc<[KvmSeen]>>,
    /// Those whose picture follows this host's traffic (DETECTION 4.1.6).
    pub drives_this: Observable<Vec<KvmSeen>>,
    /// Why one may show this host's screen although none is known to, in words: screens beside it of which nobody knows whose they are.
    pub unknown: Option<String>,
}

/// Where a VPN runs that a host uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VpnPlace {
    /// On the machine.
    Machine,
    /// On the router in front of it.
    Router,
}

/// What a machine offers to others, as a server does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Who was answered, sorted; not all, where they are many.
    pub peers: Vec<Address>,
    /// Names of the services, sorted.
    pub services: Vec<&'static str>,
}

/// Use of a VPN that is not the employer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpnUse {
    /// Where it runs.
    pub place: VpnPlace,
    /// Product or protocol.
    pub product: String,
    /// Public reports on such cases name it, or the policy lists it; most who use it have nothing to do with them.
    pub is_watched: bool,
    /// The finding.
    pub finding: ContentId,
}

/// One local machine over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostProfile {
    /// Stable identifier.
    pub host: ContentId,
    /// First sight.
    pub first_seen: Timestamp,
    /// Last sight.
    pub last_seen: Timestamp,
    /// Stretches in which a capture that knows it was running: what "too short" and "absent" are measured by. Two
    /// captures of an hour, a day apart, are two hours and not a day.
    pub watched: Stretches,
    /// Addresses, sorted.
    pub ips: Vec<Address>,
    /// Link address, where seen on its own segment.
    pub mac: Option<MacAddress>,
    /// Names, sorted.
    pub names: Vec<HostName>,
    /// Inventory row; absent when the inventory was given and does not know the host.
    pub asset: Observable<Asset>,
    /// Routers through which it talks, on its own segment. Not observable at an employer: a concentrator is nobody's home.
    pub gateways: Observable<Vec<Gateway>>,
    /// The private IPv4 network (/24) in which captures saw it, where they show no router's link address.
    pub network: Option<Address>,
    /// Public addresses from which it goes out.
    pub egress: Observable<Vec<Egress>>,
    /// What kind of network the policy declares for the place where its address lies.
    pub stands_in: Option<NetworkKind>,
    /// Sessions in which it is controlled.
    pub sessions: Observable<Vec<RemoteSession>>,
    /// Tools that are merely installed.
    pub installed: Vec<InstalledTool>,
    /// What it mostly is in remote sessions.
    pub role: Role,
    /// Minutes in which somebody gave input through a session.
    pub driven_minutes: Minutes,
    /// Minutes in which the screen was sent, driven ones included.
    pub viewed_minutes: Minutes,
    /// Minutes with human activity, whoever caused it.
    pub active_minutes: Observable<Minutes>,
    /// Share of human activity that falls into sessions.
    pub coverage: Observable<Coverage>,
    /// Organisations whose services it uses, the most used first (DETECTION 4.2); whose machine it is tells [`super::tenancy`].
    pub tenants: Observable<Vec<Tenant>>,
    /// IP KVMs.
    pub kvm: KvmEvidence,
    /// Sessions through the IP KVMs that show its screen.
    pub kvm_sessions: Vec<RemoteSession>,
    /// What it offers to other machines; between machines of one segment that seldom passes a capture point.
    pub serves: Option<Served>,
    /// Use of a VPN that is not the employer's.
    pub vpn: Observable<VpnUse>,
    /// Such a VPN on the router in front of it. Absent where its public addresses are known for lines of their own.
    pub router_vpn: Observable<VpnUse>,
    /// Driven minutes by hour of the day, UTC.
    pub hours: Observable<[u32; 24]>,
    /// Days on which it was active; at least one, or nothing that is counted by days can be said.
    pub days: Days,
    /// Somebody at the machine itself, outside sessions.
    pub local_use: Observable<LocalUse>,
    /// When it came onto its network after it had been off, asleep or cut off: one after another where somebody restarts several.
    pub boots: Observable<Vec<Timestamp>>,
    /// Milliseconds by which the control loop is longer than the path to the relay (DETECTION 3.2).
    pub control_excess_ms: Observable<f64>,
    /// Median round trip to the other end of its sessions in milliseconds.
    pub transport_ms: Option<f64>,
}

impl HostProfile {
    /// A name or address to recognise it by: the shortest sure way for a reader.
    #[must_use]
    pub fn label(&self) -> String {
        if let Some(asset) = self.asset.seen().and_then(|asset| asset.record.asset.as_deref()) {
            return asset.to_owned();
        }
        if let Some(name) = self.names.first() {
            return name.name.clone();
        }
        if let Some(ip) = self.ips.first() {
            return ip.to_string();
        }
        self.mac
            .map_or_else(|| self.host.to_string(), |mac| mac.to_string())
    }

    /// Minutes for which it was watched.
    #[must_use]
    pub fn watched_minutes(&self) -> f64 {
        self.watched.minutes()
    }

    /// Days on which it was seen and its working day was watched, or where none is declared as many hours as one has.
    #[must_use]
    pub fn watched_days(&self) -> usize {
        let declared = self.asset.seen().and_then(Asset::working_day);
        let days = self.days.iter();
        days.filter(|day| self.watched.has_day(**day, declared)).count()
    }

    /// Sessions through which somebody was at it: its own, and those of the IP KVMs that show its screen.
    pub fn sessions_at_it(&self) -> impl Iterator<Item = &RemoteSession> {
        self.live_sessions().chain(&self.kvm_sessions)
    }

    /// Sessions in which its screen was sent.
    pub fn live_sessions(&self) -> impl Iterator<Item = &RemoteSession> {
        self.sessions.list().iter().filter(|session| session.is_live())
    }

    /// Whether it controls others rather than being controlled.
    #[must_use]
    pub fn is_controller(&self) -> bool {
        self.role == Role::Controller
    }

    /// Whether it is an IP KVM itself.
    #[must_use]
    pub const fn is_kvm(&self) -> bool {
        self.kvm.is_kvm.is_some()
    }

    /// State of the question whether it is controlled from elsewhere, by its own connections and the IP KVMs that are known to show it.
    #[must_use]
    pub fn controlled(&self) -> State {
        if self.live_sessions().next().is_some() || !self.kvm.drives_this.list().is_empty() {
            return State::Observed;
        }
        match self.sessions {
            Observable::Observed(_) | Observable::Absent => State::Absent,
            Observable::NotObservable(_) => State::NotObservable,
        }
    }

    /// Why it may be controlled although nothing showed it, in words; screens beside it are reason enough ([`KvmEvidence::unknown`]).
    #[must_use]
    pub fn hidden_control(&self) -> Option<&str> {
        self.sessions.reason().or(self.kvm.unknown.as_deref())
    }
}

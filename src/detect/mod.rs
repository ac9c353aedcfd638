//! Detection: from placed flows and host facts to findings.
//!
//! Takes observations in time order and, at the end, the resolved hosts; gives findings with their evidence. Sees no packets,
//! prints nothing, and never looks at another host's findings.
//!
//! Every flow is first recognised against the catalogue ([`recognise`]), once; sessions are grouped from that. Everything else
//! is a detector of its own, one file and one line in `DETECTORS`: a [`Watcher`] where something must be remembered of what
//! passes, a [`Conclusion`] where the end tells all (a device by its name, a place that contradicts another).

pub mod activity_state;
pub mod activity_thresholds;
mod clocks_behind;
pub mod delay;
pub mod device;
mod devices_behind;
mod dns_tunnel;
mod encrypted_start;
mod file_transfer;
mod glance;
mod group;
pub mod hidden_leg;
mod http_tunnel;
mod icmp_tunnel;
mod instance;
mod known_server;
mod kvm_pairing;
mod kvm_watch;
pub mod latency_mismatch;
mod lead;
mod media;
mod nested_tls;
mod opening_answers;
mod openvpn_inside;
pub mod place;
pub mod recognise;
mod refusal;
pub mod schedule_mismatch;
mod segment_size;
mod sentence;
mod services;
mod session_finding;
pub mod sessions;
mod shape_against;
mod ssh_tunnel;
pub mod tenants;
pub mod thresholds;
mod tor_names;
mod tunnel_use;
pub mod unknown_interactive;
mod unseen;
mod watcher;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::geo::ranges::{Reserved, reserved};
use crate::geo::{Geo, Place, reverse};
use crate::model::address::{Address, MacAddress};
use crate::model::egress::OwnAddress;
use crate::model::fact::{Fact, FieldId};
use crate::model::finding::{Finding, PlaceRecord};
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::host::DevicesBehind;
use crate::model::identity::ContentId;
use crate::model::latency::Near;
use crate::model::loss::Losses;
use crate::model::observation::{EventHeader, LocalIndex, Observation, ServerName};
use crate::model::profile::{Asset, Served};
use crate::model::reverse_name::{ReverseName, ReverseNames};
use crate::model::router::Router;
use crate::model::sphere::CapturePoint;
use crate::model::tenancy::Tenant;
use crate::model::threads::Threads;
use crate::model::time::Timestamp;
use crate::model::unseen::Unseen;
use crate::model::watched::Stretches;
use crate::settings::limits::Limits;
use crate::settings::policy::{Heuristics, Policy};
use crate::settings::rules::Rules;
use crate::signatures::Catalogue;

pub use kvm_watch::Drives;
pub use place::router_vpn::RouterVpn;
use recognise::{Recognised, Recogniser};
use sessions::{Asked, Session, Sessions};
pub use watcher::{ById, ByLocal, Conclusion, Ended, Watcher};
use watcher::{Detector, Running};

const DNS_QUERY: FieldId = FieldId::of("dns.query");
/// An address that a resolver answers.
const DNS_ANSWER: FieldId = FieldId::of("dns.answer");
const DNS_CNAME: FieldId = FieldId::of("dns.cname");

/// A machine as detectors see it, resolved at the end of the input.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    /// Stable identifier.
    pub id: ContentId,
    /// Its entries in the table of local addresses.
    pub locals: Vec<LocalIndex>,
    /// Addresses, sorted.
    pub ips: Vec<Address>,
    /// Link address.
    pub mac: Option<MacAddress>,
    /// Names as (source, name), with the frame that first said each.
    pub names: Vec<(String, String, FrameRef, Timestamp)>,
    /// What it announced of itself: the field that said it, the text, the first frame.
    pub announced: Vec<(&'static str, String, FrameRef, Timestamp)>,
    /// Its own public addresses, how each was learnt, and when.
    pub public: Vec<OwnAddress>,
    /// Row of the inventory.
    pub asset: Option<Asset>,
    /// Words in the inventory's column of sites that name none.
    pub elsewhere: Arc<[String]>,
    /// Routers through which it talked; with the days since 1970 where its public address is known.
    pub routers: Vec<(Router, BTreeSet<u32>)>,
    /// It forwards other machines' packets.
    pub is_router: bool,
    /// When captures ran that know it; of machines with a row in the inventory.
    pub watched: Stretches,
    /// First and last sight.
    pub seen: (Timestamp, Timestamp),
    /// Whether it answers its neighbours' DNS questions, and so asks them of others: what it asks says nothing about it.
    pub is_resolver: bool,
    /// Round trips between it and the capture point, of its connections' handshakes.
    pub near: Near,
}

impl HostView {
    /// The address to show: IPv4 before IPv6, the smallest.
    #[must_use]
    pub fn address(&self) -> String {
        let best = self
            .ips
            .iter()
            .min_by_key(|address| (!address.is_v4(), **address));
        best.map(ToString::to_string)
            .or_else(|| self.mac.map(|mac| mac.to_string()))
            .unwrap_or_default()
    }

    /// What the inventory or it itself calls it.
    fn named(&self) -> Option<&str> {
        let asset = self
            .asset
            .as_ref()
            .and_then(|asset| asset.record.asset.as_deref());
        asset.or_else(|| self.names.first().map(|(_, name, ..)| name.as_str()))
    }

    /// Its name, or its address where it has none.
    #[must_use]
    pub fn name(&self) -> String {
        self.named().map_or_else(|| self.address(), str::to_owned)
    }

    /// Address with the best name behind it.
    #[must_use]
    pub fn label(&self) -> String {
        match self.named() {
            Some(name) => [self.address().as_str(), " (", name, ")"].concat(),
            None => self.address(),
        }
    }
}

/// What detectors may ask.
pub struct Knowledge<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The databases of places.
    pub geo: &'a Geo,
    /// What findings weigh, and from where on.
    pub rules: &'a Rules,
    /// What is allowed where.
    pub policy: &'a Policy,
    /// What answers in the capture called addresses.
    pub reverse_names: Option<&'a ReverseNames>,
    /// Where the capture point stands, where that is known.
    pub at: Option<CapturePoint>,
}

impl Knowledge<'_> {
    /// Whether a tool is allowed on a host: `None` when neither inventory nor policy says anything about tools. `names`
    /// and `address` are those of its servers, by which an instance is told.
    #[must_use]
    pub fn sanctioned(
        &self,
        host: &HostView,
        tool: &str,
        names: &[&str],
        address: Option<IpAddr>,
    ) -> Option<bool> {
        let on_asset = host
            .asset
            .as_ref()
            .map(|asset| asset.allowed_tools.as_slice())
            .unwrap_or_default();
        let declared = host.asset.as_ref().and_then(|asset| asset.record.site.as_deref());
        let site = declared
            .and_then(|name| self.policy.site(name))
            .or_else(|| host.ips.iter().find_map(|ip| self.policy.site_of(ip.to_ip())));
        let on_site = site.map(|site| site.allowed_tools.as_slice()).unwrap_or_default();
        let is_allowed = self.policy.sanctions(tool)
            || self.policy.sanctions_instance(tool, names, address)
            || on_asset.iter().chain(on_site).any(|allowed| allowed == tool);
        if is_allowed {
            return Some(true);
        }
        let says_nothing = self.policy.allowed_tools.is_empty()
            && self.policy.instances.is_empty()
            && on_asset.is_empty()
            && on_site.is_empty();
        (!says_nothing).then_some(false)
    }

    /// Where an address is, as records show it.
    #[must_use]
    pub fn place(&self, address: Address) -> Option<Arc<PlaceRecord>> {
        self.place_of(address).map(|place| Arc::clone(place.record()))
    }

    /// What databases say of an address, and where none of the user's says what kind of network it is, its reverse name: a
    /// lead, since who holds the address writes that.
    #[must_use]
    pub fn place_of(&self, address: Address) -> Option<Arc<Place>> {
        let named = self.reverse_names.and_then(|names| names.of(address));
        named_place(self.geo, address, named.map(|named| &**named))
    }

    /// The reverse name of a public address with the word in it that says something, and what.
    #[must_use]
    pub fn reverse_word(
        &self,
        address: Address,
    ) -> Option<(&ReverseName, &'static reverse::Word, reverse::Says)> {
        let named = self.reverse_names?.of(address)?;
        let word = word_in(address, named)?;
        Some((named, word, word.says))
    }
}

/// The word that says something in the reverse name of a public address.
fn word_in(address: Address, named: &ReverseName) -> Option<&'static reverse::Word> {
    let is_public = reserved(address.to_ip()) != Some(Reserved::NotGlobal);
    is_public.then(|| reverse::word(&named.name)).flatten()
}

/// What databases say of an address that may have a reverse name, as [`Knowledge::place_of`] does.
#[must_use]
pub fn named_place(geo: &Geo, address: Address, named: Option<&ReverseName>) -> Option<Arc<Place>> {
    let place = geo.place(address.to_ip());
    let is_known = |place: &Arc<Place>| place.kind.is_some() && !place.kind_is_default();
    if place.as_ref().is_some_and(is_known) {
        return place;
    }
    let said = named.and_then(|named| Some((named, word_in(address, named)?)));
    let Some((named, word)) = said else {
        return place;
    };
    let reverse::Says::Kind(kind) = word.says else {
        return place;
    };
    let mut named_so = place.unwrap_or_default();
    let place = Arc::make_mut(&mut named_so);
    place.record.take();
    place.kind = Some(kind);
    place.kind_source = Some(format!(
        "its reverse name {} in frame {} ({}, {})",
        named.name, named.frame.number, word.source, word.read
    ));
    Some(named_so)
}

/// A place as records show it.
#[must_use]
pub fn place_record(place: &Place) -> PlaceRecord {
    PlaceRecord::clone(place.record())
}

/// Every detector beside sessions, in the order in which they conclude: each is told what those before it found.
static DETECTORS: &[Detector] = &[
    Detector::Watching(tunnel_use::watch),
    Detector::Watching(unknown_interactive::watch),
    Detector::Watching(unseen::watch),
    Detector::Watching(dns_tunnel::watch),
    Detector::Concluding(&device::Device),
    Detector::Watching(media::watch),
    Detector::Concluding(&place::country::OtherCountry),
    Detector::Concluding(&place::distance::FarFromHome),
    Detector::Concluding(&place::driven_from::DrivenFrom),
    Detector::Concluding(&place::hidden_egress::HiddenEgress),
    Detector::Concluding(&place::impossible_travel::ImpossibleTravel),
    Detector::Concluding(&place::several_countries::SeveralCountries),
    Detector::Concluding(&place::shared_address::SharedAddress),
    Detector::Concluding(&latency_mismatch::LatencyMismatches),
    Detector::Concluding(&schedule_mismatch::ScheduleMismatches),
    Detector::Watching(place::nested_tunnel::watch),
    Detector::WhereWanted(|heuristics| heuristics.encrypted_start, encrypted_start::watch),
    Detector::WhereWanted(|heuristics| heuristics.nested_tls, nested_tls::watch),
    Detector::WhereWanted(|heuristics| heuristics.openvpn_inside, openvpn_inside::watch),
    Detector::Watching(icmp_tunnel::watch),
    Detector::Watching(http_tunnel::watch),
    Detector::Watching(tor_names::watch),
    Detector::Watching(kvm_watch::watch),
    Detector::Watching(tenants::watch),
    Detector::Watching(devices_behind::watch),
    Detector::Watching(services::watch),
    // It asks how many devices stand behind an address.
    Detector::Watching(place::router_vpn::watch),
    // Behind all that ask who has a tunnel: it does not show one.
    Detector::Watching(segment_size::watch),
];

/// All detectors of a run.
#[derive(Debug)]
pub struct Detectors {
    recogniser: Recogniser,
    sessions: Sessions,
    beside: Vec<Running>,
    /// Which of `beside` take the facts of a field.
    takers: HashMap<FieldId, Box<[usize]>, rapidhash::fast::RandomState>,
}

/// Whether a fact is about who gets the packet, not about who sends it: what a resolver answers.
#[must_use]
pub fn is_answer(fact: &Fact<'_>) -> bool {
    matches!(fact.field, DNS_CNAME | DNS_ANSWER)
}

/// The catalogue's fields that are looked up here beside the facts of flows, which all are.
pub fn further_fields() -> impl Iterator<Item = &'static str> {
    let asked = [Asked::Question, Asked::Alias].map(Asked::field);
    let lists = [device::FIELDS, recognise::OWN_FIELDS];
    asked.into_iter().chain(lists.into_iter().flatten().copied())
}

/// What detection concludes.
#[derive(Debug, Default)]
pub struct Concluded {
    /// Findings in order of first sight.
    pub findings: Vec<Finding>,
    /// The sessions behind findings, for profiles; `finding` is an index into `findings`.
    pub sessions: Vec<Session>,
    /// Organisations by host, of those hosts that have any.
    pub tenants: BTreeMap<ContentId, Vec<Tenant>>,
    /// How many devices stand behind the addresses of hosts, of those that stand for several.
    pub devices: BTreeMap<ContentId, DevicesBehind>,
    /// The VPN of the router in front of hosts, of those that have one there.
    pub router_vpns: BTreeMap<ContentId, RouterVpn>,
    /// Which IP KVM drives which host.
    pub drives: Drives,
    /// What could not be seen of hosts, of those of which something could not.
    pub unseen: BTreeMap<ContentId, Unseen>,
    /// What hosts offered to others, of those that offered anything.
    pub served: BTreeMap<ContentId, Served>,
    /// What was beyond a bound, by cause.
    pub losses: Losses,
}

impl Detectors {
    /// For one catalogue; `heuristics` are what the policy wants looked for although much else looks the same.
    #[must_use]
    pub fn new(catalogue: &Catalogue, limits: &Limits, heuristics: Heuristics) -> Self {
        Self {
            recogniser: Recogniser::new(catalogue),
            sessions: Sessions::new(limits.groups),
            beside: DETECTORS
                .iter()
                .filter_map(|detector| detector.start(limits, heuristics))
                .collect(),
            takers: HashMap::default(),
        }
    }

    fn watchers(&mut self) -> impl Iterator<Item = &mut Box<dyn Watcher>> {
        self.beside.iter_mut().filter_map(|running| match running {
            Running::Watching(watcher) => Some(watcher),
            Running::Concluding(_) => None,
        })
    }

    /// Takes a fact about hosts; `local` is whom it is about: who said it, or for an answer who gets it.
    pub fn event(
        &mut self,
        local: Option<LocalIndex>,
        header: &EventHeader,
        fact: &Fact<'_>,
        catalogue: &Catalogue,
    ) {
        let Some(local) = local else { return };
        let beside = &mut self.beside;
        let takers = self.takers.entry(fact.field).or_insert_with(|| {
            let takers = (beside.iter().enumerate()).filter(
                |(_, running)| matches!(running, Running::Watching(watcher) if watcher.wants(fact.field)),
            );
            takers.map(|(place, _)| place).collect()
        });
        for place in takers {
            if let Some(Running::Watching(watcher)) = beside.get_mut(*place) {
                watcher.fact(local, header, fact, catalogue);
            }
        }
        let asked = match fact.field {
            DNS_QUERY => Some(Asked::Question),
            DNS_CNAME => Some(Asked::Alias),
            _ => None,
        };
        if let (Some(asked), Some(name)) = (asked, fact.value.as_text()) {
            let place = self.recogniser.place(fact.field);
            self.sessions
                .asked(local, asked, name, header.source, header.at, (catalogue, place));
        }
    }

    /// From now on another catalogue counts. What was found is kept, unless the new one has no such tool.
    pub fn renew(&mut self, now: &Catalogue, next: &Catalogue) {
        self.recogniser = Recogniser::new(next);
        self.sessions.renew(now, next);
    }

    /// The tools that a flow may belong to: once for each flow, for [`Detectors::observe`].
    pub fn recognise<'a>(
        &mut self,
        flow: &'a FlowRecord,
        server_name: Option<&'a ServerName>,
        catalogue: &'a Catalogue,
    ) -> Vec<Recognised<'a>> {
        self.recogniser.recognise(catalogue, flow, server_name)
    }

    /// Takes a placed flow that belongs to tools, and what gives its Community ID.
    pub fn observe(
        &mut self,
        observation: &Observation<'_>,
        recognised: &[Recognised<'_>],
        community_id: &dyn Fn() -> Box<str>,
    ) {
        self.sessions.observe(observation, recognised, community_id);
    }

    /// Takes any placed flow with the tools that it may belong to.
    pub fn used(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.watchers()
            .for_each(|watcher| watcher.flow(observation, recognised));
    }

    /// Concludes when everything was seen.
    #[must_use]
    pub fn conclude(mut self, hosts: &[HostView], knowledge: &Knowledge<'_>, threads: Threads) -> Concluded {
        let ended = Ended::new(hosts, knowledge);
        let mut losses = Losses::default();
        losses.add("sessions beyond the bound on groups", self.sessions.refused);
        losses.add(
            "connections whose activity is beyond what is kept of one session",
            self.sessions.unwindowed,
        );
        let (findings, sessions) = self.sessions.conclude(&ended.by_local, knowledge, threads);
        let mut concluded = Concluded {
            findings,
            sessions,
            losses,
            ..Concluded::default()
        };
        for running in &mut self.beside {
            running.conclude(&ended, &mut concluded);
        }
        concluded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{FactLog, Field, Side, Stamp, Value};
    use crate::model::finding::Role;

    #[test]
    fn a_name_of_ones_own_that_stands_for_a_vendors_is_the_vendors() {
        let catalogue = Catalogue::embedded().unwrap();
        let mut detectors = Detectors::new(&catalogue, &Limits::default(), Heuristics::default());
        let mut log = FactLog::default();
        let stamp = Stamp {
            at: Timestamp(1),
            source: FrameRef::default(),
            side: Side::Server,
        };
        let vendor = Value::Text {
            bytes: b"instance-ab12cd-relay.screenconnect.com",
            cut: false,
        };
        log.push(&Field::of_event("dns.cname"), stamp, &vendor);
        let local = LocalIndex(3);
        for fact in &log {
            assert!(is_answer(&fact));
            detectors.event(Some(local), &EventHeader::default(), &fact, &catalogue);
        }
        let host = HostView {
            locals: vec![local],
            ..HostView::default()
        };
        let (geo, policy) = (Geo::embedded(), Policy::default());
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy: &policy,
            rules: Rules::shipped(),
            reverse_names: None,
            at: None,
        };
        let concluded = detectors.conclude(&[host], &knowledge, Threads::default());
        let [finding] = concluded.findings.as_slice() else {
            panic!("{} findings", concluded.findings.len());
        };
        assert_eq!(
            (finding.tool.as_str(), finding.role),
            ("screenconnect", Role::Agent)
        );
        assert_eq!(
            finding.evidence[0].signature.as_deref(),
            Some("screenconnect:dns.cname")
        );
        assert!(
            finding.evidence[0]
                .what
                .starts_with("asked for an alias of instance-ab12cd-relay"),
            "{}",
            finding.evidence[0].what
        );
    }
}

//! The end of an analysis: from observers and detectors to the finished case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::controllers::session_sights;
use super::host_record::{names, record};
use super::{declared, hidden_sessions, quiet, received, translated};
use crate::cluster;
use crate::detect::place;
use crate::detect::{Concluded, Detectors, HostView, Knowledge, place_record};
use crate::explain::damage::Received;
use crate::explain::weights::Weights;
use crate::explain::{self, Circumstances, HostExplanation, little};
use crate::geo::kinds::NetworkKind as GeoKind;
use crate::model::address::Address;
use crate::model::case::Case;
use crate::model::egress::{OwnAddress, Sightings, day_of};
use crate::model::finding::Finding;
use crate::model::frame::FrameRef;
use crate::model::group::Group;
use crate::model::host::{HostName, HostRecord};
use crate::model::identity::ContentId;
use crate::model::latency::Near;
use crate::model::loss::Losses;
use crate::model::observation::LocalIndex;
use crate::model::profile::{HostProfile, NetworkKind};
use crate::model::router::Router;
use crate::model::summary::VantageRecord;
use crate::model::threads::Threads;
use crate::model::time::{Nanoseconds, Timestamp};
use crate::model::vantage::Vantage;
use crate::model::watched::Stretches;
use crate::observe::Observers;
use crate::observe::identity::Host;
use crate::observe::locals::{RESOLVER, Tally};
use crate::profile::{self, EgressSight, RouterVpnSight, Sight, Watched};
use crate::settings::inventory::Inventory;
use crate::settings::policy::SiteKind;

/// What the end needs to know beside the detectors.
pub struct Ending<'a> {
    /// Catalogue, places, policy.
    pub knowledge: Knowledge<'a>,
    /// The inventory, where there is one.
    pub inventory: Option<&'a Inventory>,
    /// The model.
    pub weights: &'a Weights,
    /// Where the captures were taken; nothing where it is to be judged from them.
    pub vantage: Option<Vantage>,
    /// Whether somebody already has a reason to look (DETECTION 5.3).
    pub is_incident: bool,
    /// Packets and bytes that the captures gave and lost.
    pub received: Received,
    /// When the captures ran.
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// How many threads may work.
    pub threads: Threads,
    /// Step of the coarsest clock among them.
    pub grain: Nanoseconds,
    /// Whether hosts about which nothing was found are described too, for outputs that list every host.
    pub lists_all_hosts: bool,
    /// Whether reasons carry the cells of the model that they were weighed by.
    pub shows_cells: bool,
}

/// What the verdicts rest on: enough to explain the same hosts with other weights.
#[derive(Debug)]
pub struct Grounds {
    /// Hosts about which something was found; none where they were not to be kept.
    pub profiles: Vec<HostProfile>,
    /// Which of them belong together.
    pub groups: Vec<Group>,
    /// How many hosts there are beside them.
    pub others: usize,
    /// Vantage and damage.
    pub circumstances: Circumstances,
}

/// Finishes an analysis; the summary is filled by the caller.
#[must_use]
pub fn conclude(
    observers: Observers,
    detectors: Detectors,
    ending: &Ending<'_>,
    losses: &mut Losses,
) -> Case {
    conclude_keeping(false, observers, detectors, ending, losses).0
}

/// The same, with what the verdicts rest on.
#[must_use]
pub fn conclude_with_grounds(
    observers: Observers,
    detectors: Detectors,
    ending: &Ending<'_>,
    losses: &mut Losses,
) -> (Case, Grounds) {
    conclude_keeping(true, observers, detectors, ending, losses)
}

fn conclude_keeping(
    keeps_profiles: bool,
    mut observers: Observers,
    detectors: Detectors,
    ending: &Ending<'_>,
    losses: &mut Losses,
) -> (Case, Grounds) {
    let hosts = observers.resolve(losses);
    let observers = &observers;
    let threads = ending.threads;
    let stretches = Stretches::of(ending.spans.clone()).judged_by(ending.weights.rules.working_day);
    let elsewhere: Arc<[String]> = ending.weights.rules.remote_sites.as_slice().into();
    let views: Vec<HostView> = threads.map(hosts.iter().collect(), |host| {
        placed_in_time(view(host, observers, ending), &stretches, &elsewhere)
    });
    let is_placed = ending.vantage.is_some() || !views.is_empty();
    let vantage = super::vantage::judge(ending.vantage, &views, observers);
    let knowledge = declared::placed(
        &ending.knowledge,
        &views,
        vantage.name,
        ending.grain,
        observers.reverse_names(),
    );
    let mut concluded = detectors.conclude(&views, &knowledge, threads);
    losses.merge(&concluded.losses);
    let is_quiet = quiet::judge(&views, &concluded);
    let seen = (observers, &knowledge);
    let notable: Vec<(&Host, &HostView)> = (hosts.iter().zip(&views))
        .zip(&is_quiet)
        .filter(|(_, is_quiet)| !**is_quiet)
        .map(|(host, _)| host)
        .collect();
    let others = hosts.len().saturating_sub(notable.len());
    let sights: Vec<Sight> = threads.map(notable.clone(), |(host, view)| {
        sight(host, view, seen, &concluded)
    });
    let sessions = std::mem::take(&mut concluded.sessions);
    let sessions = session_sights(&views, sessions, &concluded.findings, &knowledge);
    let watched = Watched {
        stretches,
        has_inventory: ending.inventory.is_some(),
        vantage: vantage.name,
    };
    let rules = &ending.weights.rules;
    let mut profiles = profile::build_by(threads, &sights, &concluded.findings, sessions, &watched, rules);
    let causes = hidden_sessions::causes(&concluded, &sights, &profiles, rules);
    drop(sights);
    let clusters = cluster::cluster(&profiles, others, &ending.weights.pairs);
    let circumstances = circumstances(observers, &vantage, ending);
    let explained = explain::explain_by(
        threads,
        &clusters.groups,
        &profiles,
        others,
        ending.weights,
        &circumstances,
    );
    if !keeps_profiles {
        // They are as large as the records that are made next.
        profiles = Vec::new();
    }
    let mut explained_hosts: Vec<Option<HostExplanation>> = explained.hosts.into_iter().map(Some).collect();
    let ids: Vec<ContentId> = explained_hosts.iter().flatten().map(|one| one.host).collect();
    let mut explanation = |id: ContentId| explained_hosts.get_mut(ids.binary_search(&id).ok()?)?.take();
    let by_owner = by_owner(&concluded.findings);
    let notable = notable.into_iter().map(|one| (one, explanation(one.0.id)));
    let mut records: Vec<HostRecord> = threads.map(notable.collect(), |((host, view), explanation)| {
        let own = own_findings(&by_owner, host.id);
        record(host, view, seen, &concluded, own, explanation)
    });
    if ending.lists_all_hosts {
        let mut explainer = quiet::Explainer::new(&watched, ending.weights, &circumstances);
        let quiet = hosts.iter().zip(&views).zip(&is_quiet);
        records.extend(quiet.filter(|(_, is_quiet)| **is_quiet).map(|((host, view), _)| {
            let sight = sight(host, view, seen, &concluded);
            let explanation = explainer.explain(&sight);
            record(host, view, seen, &concluded, &[], Some(explanation))
        }));
    }
    records.sort_by_cached_key(|record| (std::cmp::Reverse(record.verdict), record.first_seen, record.host));
    let mut case = Case {
        farms: explained.farms,
        hosts: records,
        unlisted_hosts: if ending.lists_all_hosts {
            0
        } else {
            u64::try_from(others).unwrap_or(u64::MAX)
        },
        findings: std::mem::take(&mut concluded.findings),
        ..Case::default()
    };
    case.findings
        .sort_by_cached_key(|finding| (finding.timestamp, finding.id));
    case.summary.vantage = is_placed.then_some(vantage);
    case.summary.remarks.extend(clusters.remarks);
    case.summary.remarks.extend(observers.remarks());
    say_what_is_missing(&mut case, causes, &circumstances, observers, &ending.received);
    let grounds = Grounds {
        profiles,
        groups: clusters.groups,
        others,
        circumstances,
    };
    (case, grounds)
}

/// Findings in the order of the hosts that they are about, each host's in their order.
fn by_owner(findings: &[Finding]) -> Vec<&Finding> {
    let mut by_owner: Vec<&Finding> = findings.iter().collect();
    by_owner.sort_by_key(|finding| finding.host);
    by_owner
}

/// Those of them that are about one host.
fn own_findings<'a, 'b>(by_owner: &'b [&'a Finding], host: ContentId) -> &'b [&'a Finding] {
    let from = by_owner.partition_point(|finding| finding.host < host);
    let (_, rest) = by_owner.split_at(from);
    let count = rest.iter().take_while(|finding| finding.host == host).count();
    rest.split_at(count).0
}

/// Says in the summary what the captures lack, and what that hides: `hidden` are the ways in which sessions may have stayed unseen.
fn say_what_is_missing(
    case: &mut Case,
    hidden: Vec<String>,
    circumstances: &Circumstances,
    observers: &Observers,
    received: &Received,
) {
    let outsiders = observers.outsiders();
    let nobodys = outsiders
        .hide_nearly_all()
        .then(|| "no packet had a local address".to_owned());
    let mut little: Vec<String> = circumstances.little.clone().into_iter().chain(nobodys).collect();
    little.extend(hidden.iter().cloned());
    case.summary.little = (!little.is_empty()).then(|| little.join(" and "));
    let remarks = &mut case.summary.remarks;
    remarks.extend(translated::remarks(&case.findings));
    remarks.extend(outsiders.remark());
    remarks.extend(little::remark(received));
    remarks.extend(hidden);
    if let Some(damage) = &circumstances.damage {
        remarks.push(format!("no verdict goes beyond review: {damage}"));
    }
}

/// The circumstances, with what the captures and the connections in them are known to lack.
fn circumstances(observers: &Observers, vantage: &VantageRecord, ending: &Ending<'_>) -> Circumstances {
    let received = received::with_streams(ending.received, observers.streams());
    let watched = Stretches::of(ending.spans.clone());
    let watched = watched.list().iter().map(|(first, last)| last.since(*first));
    Circumstances {
        little: little::why(
            &received,
            watched.fold(0, i64::saturating_add),
            &ending.weights.little,
            &ending.weights.damage,
        ),
        vantage: vantage.name,
        is_vantage_assumed: vantage.is_assumed,
        is_incident: ending.is_incident,
        damage: received.damage(&ending.weights.damage),
        shows_cells: ending.shows_cells,
    }
}

fn addresses(host: &Host, observers: &Observers) -> Vec<Address> {
    let mut list: Vec<Address> = host
        .locals
        .iter()
        .map(|local| observers.locals().address(*local))
        .collect();
    list.sort_unstable();
    // One address may have stood in the table twice, with others' turns between.
    list.dedup();
    list
}

/// A machine with a row in the inventory, with what its row is compared by.
fn placed_in_time(view: HostView, stretches: &Stretches, elsewhere: &Arc<[String]>) -> HostView {
    if view.asset.is_none() {
        return view;
    }
    HostView {
        elsewhere: Arc::clone(elsewhere),
        watched: stretches.meeting(view.seen),
        ..view
    }
}

fn view(host: &Host, observers: &Observers, ending: &Ending<'_>) -> HostView {
    let ips = addresses(host, observers);
    let mut seen = (Timestamp(i64::MAX), Timestamp(i64::MIN));
    let mut public = Vec::new();
    let mut near = Near::default();
    let mut is_resolver = false;
    for index in &host.locals {
        let Some(local) = observers.local(*index) else {
            continue;
        };
        let tally = observers.locals().tally(*index);
        seen = (seen.0.min(tally.first_seen), seen.1.max(tally.last_seen));
        near.merge(tally.near);
        is_resolver |= local.roles.contains(RESOLVER);
        public.extend(local.public.iter().map(|((address, how), seen)| OwnAddress {
            address: *address,
            how,
            seen: seen.clone(),
        }));
    }
    let named: Vec<HostName> = names(host);
    let hostnames: Vec<&str> = named.iter().map(|name| name.name.as_str()).collect();
    let asset = ending.inventory.and_then(|inventory| {
        let ip = |address: &Address| address.to_ip();
        let all: Vec<std::net::IpAddr> = ips.iter().map(ip).collect();
        let shared: Vec<std::net::IpAddr> = host.shared.iter().map(ip).collect();
        inventory
            .find(
                host.mac,
                &all,
                &shared,
                &hostnames,
                (day_of(seen.0), day_of(seen.1)),
            )
            .and_then(|(rows, how)| declared::asset(&rows, how, &ending.spans))
    });
    public.extend(host.leased.iter().map(|(address, seen)| OwnAddress {
        address: *address,
        how: "dhcp",
        seen: seen.clone(),
    }));
    let routers = routers(host, observers, !public.is_empty());
    if asset.is_some() {
        public.extend(global_addresses(&ips, &host.locals, seen, observers));
    }
    let mut with_frames: Vec<(String, String, _, _)> = Vec::new();
    for name in &named {
        if let Some((frame, at)) = host
            .names
            .iter()
            .find(|((source, text), _)| *source == name.source && *text == name.name)
            .map(|(_, s)| *s)
        {
            with_frames.push((name.source.clone(), name.name.clone(), frame, at));
        }
    }
    HostView {
        id: host.id,
        locals: host.locals.clone(),
        ips,
        mac: host.mac,
        names: with_frames,
        announced: host
            .announced
            .iter()
            .map(|((field, text), (frame, at))| (*field, text.clone(), *frame, *at))
            .collect(),
        public,
        asset,
        elsewhere: Arc::default(),
        routers,
        is_router: host.is_router,
        watched: Stretches::default(),
        is_resolver,
        near,
        seen: if seen.0 > seen.1 {
            (Timestamp::default(), Timestamp::default())
        } else {
            seen
        },
    }
}

/// The routers of a machine; with the days of each only where they are asked for, since most machines are not asked.
fn routers(host: &Host, observers: &Observers, with_days: bool) -> Vec<(Router, BTreeSet<u32>)> {
    let locals = host.locals.iter().filter_map(|local| observers.local(*local));
    let mut list: Vec<(Router, BTreeSet<u32>)> = Vec::new();
    for (router, days) in locals.flat_map(|local| local.gateways.iter()) {
        let days: BTreeSet<u32> = with_days
            .then(|| days.keys().copied())
            .into_iter()
            .flatten()
            .collect();
        match list.iter_mut().find(|(known, _)| known == router) {
            Some((_, known)) => known.extend(days),
            None => list.push((*router, days)),
        }
    }
    list
}

/// Addresses of a machine that are on the Internet themselves, with the days on which it was used or seen.
fn global_addresses(
    ips: &[Address],
    locals: &[LocalIndex],
    (first, last): (Timestamp, Timestamp),
    observers: &Observers,
) -> Vec<OwnAddress> {
    let is_global = |ip: &&Address| {
        crate::geo::ranges::reserved(ip.to_ip()) != Some(crate::geo::ranges::Reserved::NotGlobal)
    };
    let list: Vec<Address> = ips.iter().filter(is_global).copied().collect();
    if list.is_empty() || first > last {
        return Vec::new();
    }
    let mut seen = Sightings::first(FrameRef::default(), first);
    for minute in observers.presence().minutes(locals).minutes {
        seen.add(Timestamp::from_parts(i64::from(minute) * 60, 0));
    }
    seen.add(last);
    list.into_iter()
        .map(|address| OwnAddress {
            address,
            how: "own",
            seen: seen.clone(),
        })
        .collect()
}

fn sight(
    host: &Host,
    view: &HostView,
    (observers, knowledge): (&Observers, &Knowledge<'_>),
    concluded: &Concluded,
) -> Sight {
    let mut gateways: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    let mut public: BTreeMap<Address, BTreeSet<u32>> = BTreeMap::new();
    let mut tallies = host.locals.iter().map(|local| observers.locals().tally(*local));
    let has_asked = tallies.any(Tally::has_asked);
    for local in host.locals.iter().filter_map(|local| observers.local(*local)) {
        for (router, days) in local.gateways.iter() {
            gateways.entry(*router).or_default().extend(days.keys());
        }
    }
    // An address that is the machine's own on its network says nothing of where it goes out.
    for own in view.public.iter().filter(|own| own.how != "own") {
        public
            .entry(own.address)
            .or_default()
            .extend(own.seen.days.keys());
    }
    Sight {
        host: host.id,
        seen: view.seen,
        ips: view.ips.clone(),
        mac: host.mac,
        names: names(host),
        asset: view.asset.clone(),
        stands_in: (view.ips.iter())
            .find_map(|ip| knowledge.policy.site_of(ip.to_ip()))
            .and_then(|site| kind_of(site.kind)),
        gateways,
        egress: public
            .into_iter()
            .map(|(address, days)| {
                // A reverse name is a lead, as the embedded database is: neither weighs by itself.
                let place = knowledge.place_of(address);
                let kind = place.as_ref().and_then(|place| place.kind).and_then(network_kind);
                let is_relay = place
                    .as_ref()
                    .is_some_and(|place| place.kind == Some(GeoKind::PrivacyRelay));
                let says = place.as_deref().map(place_record);
                let source = says.and_then(|place| place.source.or(place.kind_source));
                let known = knowledge.geo.place(address.to_ip());
                let is_default = place.as_ref().is_some_and(|place| {
                    let is_known = known.is_some_and(|known| known.kind_source == place.kind_source);
                    place.network_is_default() || !is_known
                });
                EgressSight {
                    address,
                    days: days.into_iter().collect(),
                    // Its operator says of a relay's address that strangers share it.
                    is_declared: is_relay || place::is_shared_by_declaration(view, address, knowledge),
                    kind,
                    source,
                    is_default_database_only: is_default,
                }
            })
            .collect(),
        tenants: concluded.tenants.get(&host.id).cloned().unwrap_or_default(),
        has_asked,
        router_vpn: concluded.router_vpns.get(&host.id).map(|seen| RouterVpnSight {
            product: seen.product.clone(),
            is_watched: seen.is_watched,
            is_service: seen.is_service,
            is_own: seen.is_own,
            finding: seen.finding,
        }),
        active: observers.presence().minutes(&host.locals),
        days: [view.seen.0, view.seen.1].into_iter().map(day_of).collect(),
        driven_by: concluded.drives.of(host.id),
        is_watched_kvm: concluded.drives.was_watched(host.id),
        kvm_minutes: concluded.drives.minutes(host.id),
        serves: concluded.served.get(&host.id).cloned(),
        starts: observers.starts().of(host.mac),
        is_entered: is_entered(view, observers),
        unseen: concluded.unseen.get(&host.id).cloned().unwrap_or_default(),
    }
}

/// Whether a machine is one only because connections of it mattered: none of its addresses is ours, nor was taken for it from the start.
fn is_entered(view: &HostView, observers: &Observers) -> bool {
    let taken = observers.outsiders().common().filter(|common| common.is_taken);
    let is_looked_for =
        |ip: &Address| observers.locals().is_local(*ip) || taken.is_some_and(|common| common.address == *ip);
    !view.ips.is_empty() && !view.ips.iter().any(is_looked_for)
}

/// What a declared place says of its network. An office or a client's site says nothing by itself: whose machines may stand there,
/// the inventory declares.
const fn kind_of(site: SiteKind) -> Option<NetworkKind> {
    match site {
        SiteKind::Coworking | SiteKind::Dorm => Some(NetworkKind::Shared),
        SiteKind::Datacenter => Some(NetworkKind::Hosting),
        SiteKind::Home => Some(NetworkKind::Residential),
        SiteKind::Office | SiteKind::Client => None,
    }
}

pub(super) fn network_kind(kind: GeoKind) -> Option<NetworkKind> {
    Some(match kind.name() {
        // A relay of an operating system is neither: it keeps the country, and says nothing of the line behind it.
        "vpn" | "tor" => NetworkKind::Vpn,
        "hosting" => NetworkKind::Hosting,
        "residential" => NetworkKind::Residential,
        "business" => NetworkKind::Business,
        "mobile" | "satellite" => NetworkKind::Shared,
        _ => return None,
    })
}

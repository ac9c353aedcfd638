//! The end of an analysis: from observers and detectors to the finished case.

use std::collections::{BTreeMap, BTreeSet};

use super::host_record::{names, record};
use super::{declared, quiet, received};
use crate::cluster;
use crate::detect::place::watched_vpn;
use crate::detect::{Concluded, Detectors, HostView, Knowledge, place_record};
use crate::explain::damage::Received;
use crate::explain::weights::Weights;
use crate::explain::{self, Circumstances, HostExplanation};
use crate::geo::kinds::NetworkKind as GeoKind;
use crate::model::address::Address;
use crate::model::case::Case;
use crate::model::egress::{OwnAddress, Sightings, day_of};
use crate::model::finding::Finding;
use crate::model::frame::FrameRef;
use crate::model::group::Group;
use crate::model::host::{AssetRecord, HostName, HostRecord};
use crate::model::identity::ContentId;
use crate::model::latency::Near;
use crate::model::loss::Losses;
use crate::model::observation::LocalIndex;
use crate::model::profile::{Asset, ControllerPlace, ControllerPlaceKind, HostProfile, NetworkKind};
use crate::model::threads::Threads;
use crate::model::time::{Nanoseconds, Timestamp};
use crate::model::vantage::Vantage;
use crate::observe::Observers;
use crate::observe::identity::Host;
use crate::observe::locals::RESOLVER;
use crate::profile::{self, EgressSight, SessionSight, Sight, Watched};
use crate::settings::inventory::Inventory;
use crate::settings::policy::SiteKind;
use crate::signatures::entry::VpnService;

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
    /// First and last packet of each capture.
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
    /// Hosts about which something was found.
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
    observers: &Observers,
    detectors: Detectors,
    ending: &Ending<'_>,
    losses: &mut Losses,
) -> Case {
    conclude_with_grounds(observers, detectors, ending, losses).0
}

/// The same, with what the verdicts rest on.
#[must_use]
pub fn conclude_with_grounds(
    observers: &Observers,
    detectors: Detectors,
    ending: &Ending<'_>,
    losses: &mut Losses,
) -> (Case, Grounds) {
    let hosts = observers.hosts(losses);
    let threads = ending.threads;
    let views: Vec<HostView> = threads.map(hosts.iter().collect(), |host| view(host, observers, ending));
    let is_placed = ending.vantage.is_some() || !views.is_empty();
    let vantage = super::vantage::judge(ending.vantage, &views, observers);
    let knowledge = declared::placed(
        &ending.knowledge,
        &views,
        vantage.name,
        ending.grain,
        observers.reverse_names(),
    );
    let concluded = detectors.conclude(&views, &knowledge, threads);
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
        sight(host, view, seen, &concluded, ending)
    });
    let sessions = session_sights(&views, &concluded, ending);
    let watched = Watched {
        spans: profile::stretches(ending.spans.clone()),
        has_inventory: ending.inventory.is_some(),
        vantage: vantage.name,
    };
    let activity = &ending.weights.rules.activity;
    let profiles = profile::build(&sights, &concluded.findings, &sessions, &watched, activity);
    let clusters = cluster::cluster(&profiles, others, &ending.weights.pairs);
    let circumstances = circumstances(observers, vantage.name, ending);
    let explained = explain::explain(
        &clusters.groups,
        &profiles,
        others,
        ending.weights,
        &circumstances,
    );
    let by_host: BTreeMap<ContentId, &HostExplanation> = explained
        .hosts
        .iter()
        .map(|explanation| (explanation.host, explanation))
        .collect();
    let mut by_owner: BTreeMap<ContentId, Vec<&Finding>> = BTreeMap::new();
    for finding in &concluded.findings {
        by_owner.entry(finding.host).or_default().push(finding);
    }
    let mut records: Vec<HostRecord> = threads.map(notable, |(host, view)| {
        let own = by_owner.get(&host.id).map(Vec::as_slice).unwrap_or_default();
        record(host, view, seen, &concluded, own, by_host.get(&host.id).copied())
    });
    if ending.lists_all_hosts {
        let mut explainer = quiet::Explainer::new(&watched, ending.weights, &circumstances);
        let quiet = hosts.iter().zip(&views).zip(&is_quiet);
        records.extend(quiet.filter(|(_, is_quiet)| **is_quiet).map(|((host, view), _)| {
            let sight = sight(host, view, seen, &concluded, ending);
            let explanation = explainer.explain(&sight);
            record(host, view, seen, &concluded, &[], Some(&explanation))
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
        findings: concluded.findings,
        ..Case::default()
    };
    case.findings
        .sort_by_cached_key(|finding| (finding.timestamp, finding.id));
    case.summary.vantage = is_placed.then_some(vantage);
    case.summary.remarks.extend(clusters.remarks);
    if let Some(damage) = &circumstances.damage {
        case.summary
            .remarks
            .push(format!("no verdict goes beyond review: {damage}"));
    }
    let grounds = Grounds {
        profiles,
        groups: clusters.groups,
        others,
        circumstances,
    };
    (case, grounds)
}

/// The circumstances, with what the captures and the connections in them are known to lack.
fn circumstances(observers: &Observers, vantage: Vantage, ending: &Ending<'_>) -> Circumstances {
    let received = received::with_streams(ending.received, observers.streams());
    Circumstances {
        vantage,
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
    list
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
        let all: Vec<std::net::IpAddr> = ips.iter().map(|ip| ip.to_ip()).collect();
        inventory
            .find(host.mac, &all, &hostnames, (day_of(seen.0), day_of(seen.1)))
            .map(|(asset, how)| Asset {
                record: AssetRecord {
                    asset: asset.asset.clone(),
                    assignee: asset.assignee.clone(),
                    country: asset.country.clone(),
                    site: asset.site.clone(),
                    employer: asset.employer.clone(),
                    matched_by: how.name().to_owned(),
                },
                coordinates: asset.coordinates,
                region: asset.region.clone(),
                declared_noon_utc: declared::noon_utc(asset, &ending.spans),
                clock_change: declared::clock_change(asset, &ending.spans),
                allowed_tools: asset.allowed_tools.clone(),
                allowed_egress: asset.allowed_egress.iter().map(ToString::to_string).collect(),
                valid: asset.valid,
                travel: asset.travel.clone(),
            })
    });
    public.extend(host.leased.iter().map(|(address, seen)| OwnAddress {
        address: *address,
        how: "dhcp",
        seen: seen.clone(),
    }));
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
        is_resolver,
        near,
        seen: if seen.0 > seen.1 {
            (Timestamp::default(), Timestamp::default())
        } else {
            seen
        },
    }
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
    ending: &Ending<'_>,
) -> Sight {
    let mut gateways: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    let mut public: BTreeMap<Address, BTreeSet<u32>> = BTreeMap::new();
    let mut has_asked = false;
    for local in host.locals.iter().filter_map(|local| observers.local(*local)) {
        has_asked |= local.questions > 0;
        for (mac, days) in local.gateways.iter() {
            gateways.entry(*mac).or_default().extend(days);
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
            .find_map(|ip| ending.knowledge.policy.site_of(ip.to_ip()))
            .and_then(|site| kind_of(site.kind)),
        gateways,
        egress: public
            .into_iter()
            .map(|(address, days)| {
                // A reverse name is a lead, as the embedded database is: neither weighs by itself.
                let place = knowledge.place_of(address);
                let kind = place.as_ref().and_then(|place| place.kind).and_then(network_kind);
                let says = place.as_ref().map(place_record);
                let source = says.and_then(|place| place.source.or(place.kind_source));
                let known = knowledge.geo.place(address.to_ip());
                let is_default = place.as_ref().is_some_and(|place| {
                    let is_known = known.is_some_and(|known| known.kind_source == place.kind_source);
                    place.network_is_default() || !is_known
                });
                EgressSight {
                    address,
                    days: days.into_iter().collect(),
                    kind,
                    source,
                    is_default_database_only: is_default,
                }
            })
            .collect(),
        tenants: concluded.tenants.get(&host.id).cloned().unwrap_or_default(),
        has_asked,
        active: observers.presence().minutes(&host.locals),
        days: [view.seen.0, view.seen.1].into_iter().map(day_of).collect(),
        driven_by: concluded.drives.of(host.id),
        kvm_minutes: concluded.drives.minutes(host.id),
        starts: observers.starts().of(host.mac),
    }
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

fn network_kind(kind: GeoKind) -> Option<NetworkKind> {
    Some(match kind.name() {
        "vpn" | "tor" | "privacy-relay" => NetworkKind::Vpn,
        "hosting" => NetworkKind::Hosting,
        "residential" => NetworkKind::Residential,
        "business" => NetworkKind::Business,
        "mobile" | "satellite" => NetworkKind::Shared,
        _ => return None,
    })
}

fn session_sights(views: &[HostView], concluded: &Concluded, ending: &Ending<'_>) -> Vec<SessionSight> {
    let by_id: BTreeMap<ContentId, &HostView> = views.iter().map(|view| (view.id, view)).collect();
    concluded
        .sessions
        .iter()
        .map(|session| {
            let finding = concluded.findings.get(session.finding);
            let host = by_id.get(&session.host).copied();
            let tool = finding.and_then(|finding| ending.knowledge.catalogue.tool(&finding.tool));
            SessionSight {
                finding: session.finding,
                relays: session.relays.clone(),
                instance: session
                    .instance
                    .clone()
                    .map(|name| (name, session.is_private_server)),
                controller_place: finding.and_then(|finding| controller_place(finding, host?, ending)),
                control_excess_ms: Some(session.control_excess_ms),
                transport_ms: session.transport_ms,
                is_consumer_vpn: tool.is_some_and(|tool| tool.vpn_service > VpnService::No),
                is_watched_vpn: tool.is_some_and(|tool| watched_vpn::is_watched(tool, &ending.knowledge)),
            }
        })
        .collect()
}

/// Where a controller sits in relation to the machine: behind a VPN service that reports name, on the same network, in a data
/// centre, in another country than the assignee's.
fn controller_place(finding: &Finding, host: &HostView, ending: &Ending<'_>) -> Option<ControllerPlace> {
    let controller = finding.controller.as_ref()?;
    let ip = controller.address.to_ip();
    let place = ending.knowledge.geo.place(ip);
    if let Some(exit) = watched_vpn::exit(controller.address, place.as_ref(), &ending.knowledge) {
        return Some(ControllerPlace {
            kind: ControllerPlaceKind::WatchedVpn,
            country: place
                .and_then(|place| place.country)
                .map(|country| country.to_string()),
            organisation: Some(exit.provider),
            source: exit.source,
            is_default_database_only: exit.is_default_database_only,
        });
    }
    let Some(place) = place else {
        let is_inside = views_local(controller.address, host);
        return is_inside.then(|| ControllerPlace {
            kind: ControllerPlaceKind::SameRegion,
            country: None,
            organisation: None,
            source: "the address itself: the same private network".to_owned(),
            is_default_database_only: false,
        });
    };
    let record = place_record(&place);
    let claimed = host.asset.as_ref().and_then(|asset| asset.record.country.clone());
    let is_rented = place
        .kind
        .and_then(network_kind)
        .is_some_and(|kind| matches!(kind, NetworkKind::Vpn | NetworkKind::Hosting));
    let (kind, is_default) = if is_rented {
        (ControllerPlaceKind::Hosting, place.network_is_default())
    } else {
        match (claimed, &record.country) {
            (Some(claimed), Some(country)) if !claimed.eq_ignore_ascii_case(country) => {
                (ControllerPlaceKind::Foreign, place.country_is_default())
            }
            (Some(_), Some(_)) => (ControllerPlaceKind::SameRegion, place.country_is_default()),
            _ => return None,
        }
    };
    Some(ControllerPlace {
        kind,
        country: record.country.clone(),
        organisation: record.as_org.clone(),
        source: record.source.clone().unwrap_or_default(),
        is_default_database_only: is_default,
    })
}

/// Whether an address is private like the host's own.
fn views_local(address: Address, host: &HostView) -> bool {
    let is_private = |address: Address| match address.to_ip() {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    is_private(address) && host.ips.iter().any(|ip| is_private(*ip))
}

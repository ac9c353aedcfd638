//! A router's VPN, which takes everybody behind the router along.
//!
//! Inside the network no tunnel shows: the machines speak with the outside in the clear, and only the address from which they come out
//! (STUN, services that name it, the router's own word) belongs to a VPN. Such an address was put there beyond the capture point, so it is
//! told where none of the machines that say it has a tunnel of its own and none behind the same router comes out elsewhere that day.
//!
//! Outside of the router the tunnel shows, and whose it is shows by the time to live: packets of the machines have lost one to the
//! router, those that it makes itself have not (RFC 1812, 5.3.1). An address that stands for several devices and sends its tunnel's packets
//! with a full time to live is the router. A machine that shares its connection with guests looks the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Contradiction, count, is_declared, source, watched_vpn};
use crate::detect::recognise::Recognised;
use crate::detect::session_finding::kind_of;
use crate::detect::watcher::{Ended, Watcher};
use crate::detect::{Concluded, HostView, Knowledge};
use crate::geo::Place;
use crate::geo::kinds::NetworkKind;
use crate::model::address::MacAddress;
use crate::model::egress::OwnAddress;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Confidence, Finding, FindingKind, Role, Routing};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::quantity::counted;
use crate::model::router::Router;
use crate::settings::limits::Limits;
use crate::signatures::entry::VpnService;

/// What findings call it, since the product is seldom known.
const TOOL: &str = "router-vpn";

/// Addresses whose tunnels are remembered.
const MOST: usize = 10_000;

/// Times to live that systems send out (p0f).
const INITIAL: [u8; 4] = [32, 64, 128, 255];

/// A VPN of the router in front of a host, or of the host that is a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterVpn {
    /// Product, or what the network behind the exit is.
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

/// Packets of an address's own tunnels.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// Flows whose packets came as systems send them.
    first_hand: u32,
    /// Flows whose packets a router had passed on.
    passed_on: u32,
    frame: FrameRef,
}

/// Watches who makes the tunnels' packets.
#[derive(Debug, Default)]
struct Tunnels {
    by_local: BTreeMap<LocalIndex, Sent>,
    /// Flows beyond the bound.
    refused: u64,
}

/// Watches who makes the tunnels' packets.
pub(in crate::detect) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Tunnels>::default()
}

impl Watcher for Tunnels {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if recognised.is_empty() {
            return;
        }
        let ([Some(local), None], [ttl, _]) = (observation.locals, observation.flow.ttl) else {
            return;
        };
        let is_vpn = |one: &Recognised<'_>| kind_of(one.tool) == Some(FindingKind::Vpn);
        if ttl == 0 || observation.flow.tunnels.depth() > 0 || !recognised.iter().any(is_vpn) {
            return;
        }
        if self.by_local.len() >= MOST && !self.by_local.contains_key(&local) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let sent = self.by_local.entry(local).or_insert_with(|| Sent {
            frame: observation.flow.frames.first,
            ..Sent::default()
        });
        let flows = if INITIAL.contains(&ttl) {
            &mut sent.first_hand
        } else {
            &mut sent.passed_on
        };
        *flows = flows.saturating_add(1);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("flows beyond the bound on routers' tunnels", self.refused);
        self.of_routers(ended, concluded);
        let tunnels = [FindingKind::Vpn, FindingKind::Proxy, FindingKind::Tor];
        let with_tunnel: BTreeSet<ContentId> = (concluded.findings.iter())
            .filter(|one| one.flow_count > 0 && tunnels.contains(&one.kind))
            .map(|one| one.host)
            .collect();
        let mut routers: BTreeMap<MacAddress, &HostView> = BTreeMap::new();
        for host in ended.hosts.iter().filter(|host| host.is_router) {
            if let Some(mac) = host.mac {
                routers.entry(mac).or_insert(host);
            }
        }
        let comes_out = |own: &OwnAddress| {
            let place = || ended.knowledge.place_of(own.address);
            tells(own) && place().and_then(|place| place.kind).is_some_and(is_exit)
        };
        let hidden_hosts = ended
            .hosts
            .iter()
            .filter(|host| host.public.iter().any(comes_out));
        let through: HashSet<Router, rapidhash::fast::RandomState> = hidden_hosts
            .flat_map(|host| host.routers.iter().map(|(router, _)| *router))
            .collect();
        let behind = behind(ended.hosts, |router| through.contains(router));
        let hidden: Vec<(Finding, Vec<ContentId>, RouterVpn)> = behind
            .iter()
            .filter_map(|(router, hosts)| {
                let network = Network {
                    router,
                    hosts,
                    machine: routers.get(&router.mac).copied(),
                };
                network.vpn(ended.knowledge, &with_tunnel)
            })
            .collect();
        for (finding, hosts, vpn) in hidden {
            for host in hosts {
                concluded.router_vpns.entry(host).or_insert_with(|| vpn.clone());
            }
            concluded.findings.push(finding);
        }
    }
}

/// The machines behind some routers, each router's in the order of the hosts. Asked for those alone that matter: hundreds of thousands of
/// machines have a router each.
fn behind(hosts: &[HostView], matters: impl Fn(&Router) -> bool) -> BTreeMap<Router, Vec<&HostView>> {
    let mut behind: BTreeMap<Router, Vec<&HostView>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| !host.is_router) {
        for (router, _) in host.routers.iter().filter(|(router, _)| matters(router)) {
            behind.entry(*router).or_default().push(host);
        }
    }
    behind
}

impl Tunnels {
    /// Tunnels that a router in view makes itself.
    fn of_routers(&self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let mut sent: BTreeMap<ContentId, Sent> = BTreeMap::new();
        for (local, more) in &self.by_local {
            let Some(host) = ended.by_local.get(local) else {
                continue;
            };
            let sum = sent.entry(host.id).or_insert(Sent {
                frame: more.frame,
                ..Sent::default()
            });
            sum.first_hand = sum.first_hand.saturating_add(more.first_hand);
            sum.passed_on = sum.passed_on.saturating_add(more.passed_on);
        }
        sent.retain(|_, sent| sent.first_hand > 0 && sent.passed_on == 0);
        let by_id = &ended.by_id;
        let senders = sent.keys().filter_map(|id| by_id.get(id));
        let links: BTreeSet<MacAddress> = senders
            .filter(|host| host.is_router)
            .filter_map(|host| host.mac)
            .collect();
        let mut by_link: BTreeMap<MacAddress, Vec<&HostView>> = BTreeMap::new();
        let hosts = if links.is_empty() { &[] } else { ended.hosts };
        for (router, hosts) in behind(hosts, |router| links.contains(&router.mac)) {
            by_link.entry(router.mac).or_default().extend(hosts);
        }
        for finding in &mut concluded.findings {
            let is_tunnel = finding.kind == FindingKind::Vpn
                && finding.role == Role::Client
                && finding.flow_count > 0
                && finding.confidence > Confidence::Low;
            let (true, Some(sent), Some(host)) =
                (is_tunnel, sent.get(&finding.host), by_id.get(&finding.host))
            else {
                continue;
            };
            let own = host
                .mac
                .filter(|_| host.is_router)
                .and_then(|mac| by_link.get(&mac));
            let own: &[&HostView] = own.map_or(&[], Vec::as_slice);
            let devices = concluded.devices.get(&host.id);
            if own.is_empty() && devices.is_none() {
                continue;
            }
            let tool = ended.knowledge.catalogue.tool(&finding.tool);
            let is_watched = tool.is_some_and(|tool| watched_vpn::is_watched(tool, ended.knowledge));
            let vpn = RouterVpn {
                product: finding.tool.clone(),
                is_watched,
                is_service: finding.sanctioned != Some(true)
                    && (is_watched || tool.is_some_and(|tool| tool.vpn_service > VpnService::No)),
                is_own: true,
                finding: finding.id,
            };
            let routing = finding.tunnel.as_ref().map(|tunnel| tunnel.routing);
            if routing != Some(Routing::Split) {
                for machine in own {
                    let vpn = RouterVpn {
                        is_own: false,
                        ..vpn.clone()
                    };
                    concluded.router_vpns.entry(machine.id).or_insert(vpn);
                }
            }
            concluded.router_vpns.entry(host.id).or_insert(vpn);
            let who = devices.map_or_else(
                || format!("{} send their packets through it", counted(own.len(), "machine")),
                |devices| format!("{} devices or more stand behind it", devices.least),
            );
            let what = format!(
                "the router makes this tunnel itself: its packets leave {} with a full time to live, and {who}",
                host.address()
            );
            let mut evidence = Evidence::observed(Family::Loc, what, Decibans(0.0), &[sent.frame], None);
            evidence.measure = Some(TOOL.to_owned());
            evidence.note = Some("a machine that shares its connection with guests looks the same".into());
            finding.evidence.push(evidence);
            finding.benign.push(
                "a household that has all its devices use one VPN, a tunnel between two sites".to_owned(),
            );
        }
    }
}

/// What an address from which a network comes out says, where it hides somebody.
struct Exit<'a> {
    host: &'a HostView,
    own: &'a OwnAddress,
    place: Arc<Place>,
    kind: NetworkKind,
}

/// The machines behind one router.
struct Network<'a> {
    router: &'a Router,
    hosts: &'a [&'a HostView],
    /// The router, where it is a host.
    machine: Option<&'a HostView>,
}

/// Networks through which a router may send everything; an operating system's relay is a machine's own.
const fn is_exit(kind: NetworkKind) -> bool {
    kind.hides_origin() && !matches!(kind, NetworkKind::PrivacyRelay | NetworkKind::EnterpriseGateway)
}

/// Whether an own address says where its machine comes out, beyond the capture point.
fn tells(own: &OwnAddress) -> bool {
    !matches!(own.how, "own" | "tunnel" | "dhcp")
}

impl<'a> Network<'a> {
    /// The finding that all machines come out of a VPN, whom it is about, and what it is.
    fn vpn(
        &self,
        knowledge: &Knowledge<'_>,
        with_tunnel: &BTreeSet<ContentId>,
    ) -> Option<(Finding, Vec<ContentId>, RouterVpn)> {
        let (exits, days) = self.exits(knowledge, with_tunnel)?;
        let first = exits
            .iter()
            .min_by_key(|exit| (exit.own.seen.span().0, exit.host.id))?;
        let machines: BTreeMap<ContentId, &HostView> =
            exits.iter().map(|exit| (exit.host.id, exit.host)).collect();
        let watched = watched_vpn::exit(first.own.address, Some(&first.place), knowledge);
        let is_watched = watched
            .as_ref()
            .is_some_and(|exit| !exit.is_default_database_only);
        let is_rented = exits.iter().any(|exit| exit.kind == NetworkKind::Hosting);
        let is_users = exits.iter().all(|exit| !exit.place.kind_is_default());
        let product = watched.map_or_else(
            || {
                let name = first.place.as_org.as_deref().map(|name| format!(" ({name})"));
                format!(
                    "a network of kind {}{}",
                    first.kind.name(),
                    name.unwrap_or_default()
                )
            },
            |exit| exit.provider,
        );
        let rules = &knowledge.rules.findings.place;
        let is_sure = is_users && !is_rented && machines.len() > 1 && days.len() >= rules.days;
        let what = format!(
            "{} behind the router {} come out of {} ({}), which belongs to {product}, as {} says, on {}, and none of them has a tunnel of \
             its own: consistent with a VPN on the router",
            counted(machines.len(), "machine"),
            self.router,
            first.own.address,
            first.own.way(),
            first
                .place
                .kind_source
                .clone()
                .unwrap_or_else(|| source(&first.place)),
            counted(days.len(), "day"),
        );
        let last = exits.iter().map(|exit| exit.own.seen.span().1).max()?;
        let frames = exits.iter().map(|exit| exit.own.seen.frame);
        let mut frames: Vec<FrameRef> = frames.filter(|frame| frame.number > 0).collect();
        frames.sort_unstable();
        frames.dedup();
        let mut finding = Contradiction {
            host: self.machine.unwrap_or(first.host),
            measure: "router_vpn",
            key: self.router.to_string(),
            at: first.own.seen.span().0,
            last,
            what,
            note: (machines.len() == 1).then(|| "one machine alone: its own tunnel that nobody recognised looks the same".to_owned()),
            benign: "a household that has all its devices use one VPN, an office behind a gateway in the cloud, a line of a hoster, a list that is out of date",
            weight: if is_sure { rules.hidden_egress } else { rules.weak },
            confidence: if is_sure { Confidence::Medium } else { Confidence::Low },
            frames,
            address: Some(first.own.address),
            place: Some(&first.place),
            claimed_country: String::new(),
            gap_km: None,
            days: [days.len(), days.len()],
            sanctioned: None,
            session: None,
        }
        .into_finding();
        finding.kind = FindingKind::Vpn;
        TOOL.clone_into(&mut finding.tool);
        finding.role = Role::Client;
        finding.geo = None;
        finding.flow_count = u64::from(count(exits.len()));
        let vpn = RouterVpn {
            product,
            is_watched,
            is_service: is_watched || (is_users && !is_rented),
            is_own: false,
            finding: finding.id,
        };
        Some((finding, machines.into_keys().collect(), vpn))
    }

    /// The addresses from which the machines come out, and the days on which all of them are a VPN's.
    fn exits(
        &self,
        knowledge: &Knowledge<'_>,
        with_tunnel: &BTreeSet<ContentId>,
    ) -> Option<(Vec<Exit<'a>>, BTreeSet<u32>)> {
        let (mut exits, mut days, mut other) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for host in self.hosts.iter().copied() {
            let at_router = |day: &u32| {
                (host.routers.iter()).any(|(router, days)| router == self.router && days.contains(day))
            };
            let owned: Vec<&OwnAddress> = host.public.iter().filter(|own| tells(own)).collect();
            if owned.is_empty() || with_tunnel.contains(&host.id) {
                continue;
            }
            for own in owned {
                let own_days = own.seen.days.keys().copied().filter(at_router);
                let place = knowledge.place_of(own.address);
                let kind = place
                    .as_ref()
                    .and_then(|place| place.kind)
                    .filter(|kind| is_exit(*kind));
                match (place, kind) {
                    (Some(place), Some(kind)) if !is_declared(host, own.address, knowledge) => {
                        days.extend(own_days);
                        exits.push(Exit {
                            host,
                            own,
                            place,
                            kind,
                        });
                    }
                    _ => other.extend(own_days),
                }
            }
        }
        days.retain(|day| !other.contains(day));
        exits.retain(|exit| exit.own.seen.days.keys().any(|day| days.contains(day)));
        (!exits.is_empty()).then_some((exits, days))
    }
}

#[cfg(test)]
mod tests;

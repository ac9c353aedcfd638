//! Routers that have a VPN, and networks that only look so.

use super::*;
use crate::detect::place::samples::{Sample, World};
use crate::model::address::{AddressSpace, MacAddress};
use crate::model::finding::TunnelUse;
use crate::model::host::DevicesBehind;

const ROUTER: Router = Router {
    mac: MacAddress([2, 0, 0, 0, 0, 9]),
    space: AddressSpace(0),
    capture: None,
};

/// A machine behind the router that comes out of an address on these days.
fn machine(name: &str, exit: Option<&str>, days: &[u32]) -> HostView {
    let sample = Sample::of("US").assigned(name, (33.4, -112.0));
    let mut host = exit
        .map_or(Sample::of("US").assigned(name, (33.4, -112.0)), |exit| {
            sample.goes_out(exit, days)
        })
        .host();
    host.routers = vec![(ROUTER, days.iter().copied().collect())];
    host
}

fn router() -> HostView {
    HostView {
        id: ContentId(77),
        mac: Some(ROUTER.mac),
        is_router: true,
        ..HostView::default()
    }
}

fn conclude(world: &World, hosts: &[HostView], mut concluded: Concluded, tunnels: &mut Tunnels) -> Concluded {
    world.watch(tunnels, hosts, &mut concluded);
    concluded
}

fn of_lan(world: &World, hosts: &[HostView], findings: Vec<Finding>) -> Concluded {
    let concluded = Concluded {
        findings,
        ..Concluded::default()
    };
    conclude(world, hosts, concluded, &mut Tunnels::default())
}

const DAYS: [u32; 5] = [1, 2, 3, 4, 5];
const EXIT: &str = "203.0.113.100";

#[test]
fn a_whole_network_that_comes_out_of_a_vpn_has_it_on_its_router() {
    let world = World::new();
    let hosts = [
        machine("a", Some(EXIT), &DAYS),
        machine("b", Some(EXIT), &DAYS),
        router(),
    ];
    let found = of_lan(&world, &hosts, Vec::new());
    let [finding] = found.findings.as_slice() else {
        panic!("{:#?}", found.findings);
    };
    assert_eq!(
        (
            finding.kind,
            finding.tool.as_str(),
            finding.confidence,
            finding.host
        ),
        (FindingKind::Vpn, "router-vpn", Confidence::Medium, ContentId(77))
    );
    assert!(
        finding.summary.contains("2 machines behind the router"),
        "{}",
        finding.summary
    );
    assert!(finding.summary.contains("consistent with a VPN on the router"));
    assert_eq!(found.router_vpns.len(), 2);
    for vpn in found.router_vpns.values() {
        assert!(vpn.is_service && !vpn.is_own && vpn.finding == finding.id);
    }
    // A day is a lead.
    let hosts = [machine("a", Some(EXIT), &[1]), machine("b", Some(EXIT), &[1])];
    let found = of_lan(&world, &hosts, Vec::new());
    assert_eq!(found.findings[0].confidence, Confidence::Low);
    // One machine alone, too, and where none of its neighbours says anything.
    let hosts = [machine("a", Some(EXIT), &DAYS), machine("b", None, &DAYS)];
    let found = of_lan(&world, &hosts, Vec::new());
    assert_eq!(
        (found.findings[0].confidence, found.router_vpns.len()),
        (Confidence::Low, 1)
    );
    assert!(found.findings[0].evidence[0].note.is_some());
}

#[test]
fn a_neighbour_that_comes_out_elsewhere_or_a_tunnel_of_ones_own_is_no_routers_vpn() {
    let world = World::new();
    let of = |hosts: &[HostView], findings| of_lan(&world, hosts, findings).router_vpns.len();
    // A line of a household; an address of which nothing is known.
    for other in ["203.0.113.150", "192.0.2.9"] {
        let hosts = [machine("a", Some(EXIT), &DAYS), machine("b", Some(other), &DAYS)];
        assert_eq!(of(&hosts, Vec::new()), 0, "{other}");
    }
    // On another day it says nothing of this one.
    let hosts = [
        machine("a", Some(EXIT), &DAYS),
        machine("b", Some("192.0.2.9"), &[9]),
    ];
    assert_eq!(of(&hosts, Vec::new()), 1);
    let own = |host: &HostView| Finding {
        kind: FindingKind::Vpn,
        host: host.id,
        flow_count: 1,
        ..Finding::default()
    };
    let hosts = [machine("a", Some(EXIT), &DAYS), machine("b", Some(EXIT), &DAYS)];
    let findings: Vec<Finding> = hosts.iter().map(own).collect();
    assert_eq!(of(&hosts, findings), 0);
    // A sanctioned exit is no secret.
    let mut world = World::new();
    world.policy.allowed_egress = vec!["203.0.113.64/26".parse().unwrap()];
    assert_eq!(of_lan(&world, &hosts, Vec::new()).router_vpns.len(), 0);
}

#[test]
fn rented_servers_by_the_shipped_table_are_a_lead_that_counts_for_nothing() {
    let world = World::with_default_only();
    let hosts = [
        machine("a", Some("88.198.0.1"), &DAYS),
        machine("b", Some("88.198.0.1"), &DAYS),
    ];
    let found = of_lan(&world, &hosts, Vec::new());
    assert_eq!(found.findings[0].confidence, Confidence::Low);
    assert!(found.router_vpns.values().all(|vpn| !vpn.is_service));
}

/// A finding of a VPN service on a host.
fn service(host: ContentId, routing: Routing) -> Finding {
    Finding {
        kind: FindingKind::Vpn,
        tool: "nordvpn".to_owned(),
        role: Role::Client,
        host,
        flow_count: 1,
        confidence: Confidence::High,
        tunnel: Some(Box::new(TunnelUse {
            routing,
            ..TunnelUse::default()
        })),
        ..Finding::default()
    }
}

/// What is concluded of a host that sends its tunnel's packets with such a time to live.
fn of_tunnel(hosts: &[HostView], ttl: u8, devices: bool, routing: Routing) -> Concluded {
    use crate::model::flow::FlowRecord;
    use crate::signatures::Catalogue;
    let catalogue = Catalogue::embedded().unwrap();
    let mut tunnels = Tunnels::default();
    let flow = FlowRecord {
        ttl: [ttl, 57],
        ..FlowRecord::default()
    };
    let observation = Observation {
        flow: &flow,
        locals: [Some(LocalIndex(3)), None],
        server_name: None,
    };
    let recognised = [Recognised {
        tool: catalogue.tool("nordvpn").unwrap(),
        score: 40,
        seen: Vec::new(),
    }];
    tunnels.flow(&observation, &recognised);
    let range = DevicesBehind {
        least: 3,
        most: 5,
        what: String::new(),
    };
    let concluded = Concluded {
        findings: vec![service(hosts[0].id, routing)],
        devices: devices.then(|| (hosts[0].id, range)).into_iter().collect(),
        ..Concluded::default()
    };
    conclude(&World::new(), hosts, concluded, &mut tunnels)
}

#[test]
fn outside_of_the_router_the_time_to_live_tells_whose_tunnel_it_is() {
    let address = HostView {
        id: ContentId(5),
        locals: vec![LocalIndex(3)],
        ..HostView::default()
    };
    let hosts = std::slice::from_ref(&address);
    let found = of_tunnel(hosts, 64, true, Routing::Full);
    assert!(found.router_vpns[&ContentId(5)].is_own && found.router_vpns[&ContentId(5)].is_service);
    let said = &found.findings[0].evidence[0];
    assert_eq!(said.measure.as_deref(), Some("router-vpn"));
    assert!(said.what.contains("3 devices or more"), "{}", said.what);
    // A machine behind it makes it; one machine alone makes it.
    assert!(of_tunnel(hosts, 63, true, Routing::Full).router_vpns.is_empty());
    assert!(of_tunnel(hosts, 64, false, Routing::Full).router_vpns.is_empty());
}

#[test]
fn a_tunnel_of_the_router_in_view_takes_the_machines_behind_it_unless_it_is_split() {
    let hosts = [
        HostView {
            locals: vec![LocalIndex(3)],
            ..router()
        },
        machine("a", None, &DAYS),
        machine("b", None, &DAYS),
    ];
    let found = of_tunnel(&hosts, 64, false, Routing::Unknown);
    assert_eq!(found.router_vpns.len(), 3);
    assert_eq!(found.router_vpns.values().filter(|vpn| vpn.is_own).count(), 1);
    let found = of_tunnel(&hosts, 64, false, Routing::Split);
    assert_eq!(found.router_vpns.len(), 1);
}

//! Which segment sizes are a lead, and which say nothing.

use super::*;
use crate::detect::place::samples::World;
use crate::model::address::MacAddress;
use crate::model::flow::TcpRecord;
use crate::model::latency::Near;

const HOME: Router = Router {
    mac: MacAddress([2, 0, 0, 0, 0, 9]),
    space: crate::model::address::AddressSpace(0),
    capture: None,
};

fn host(number: u32, connections: u32) -> HostView {
    let mut near = Near::default();
    for _ in 0..connections {
        near.add(Timestamp(0), 1_000_000);
    }
    HostView {
        id: ContentId(u64::from(number)),
        locals: vec![LocalIndex(number)],
        routers: vec![(HOME, BTreeSet::new())],
        near,
        ..HostView::default()
    }
}

/// A connection with what either side offers.
fn connection(peer: u8, mss: [Option<u16>; 2], is_v6: bool) -> FlowRecord {
    let mut tcp = TcpRecord::default();
    for (side, mss) in tcp.sides.iter_mut().zip(mss) {
        side.mss = mss;
    }
    let mut flow = FlowRecord {
        tcp: Some(tcp),
        is_v6,
        ..FlowRecord::default()
    };
    flow.server.address = Address::from_v4([198, 51, 100, peer]);
    flow.client.address = Address::from_v4([203, 0, 113, peer]);
    flow
}

/// What is found of these hosts, each with these connections (the local end calls, or is called).
fn found(hosts: &[HostView], connections: &[FlowRecord], calls: bool) -> Vec<Finding> {
    let mut sizes = Sizes::default();
    for host in hosts {
        for flow in connections {
            let local = Some(host.locals[0]);
            let observation = Observation {
                flow,
                locals: if calls { [local, None] } else { [None, local] },
                server_name: None,
            };
            sizes.flow(&observation, &[]);
        }
    }
    let mut concluded = Concluded::default();
    World::with_default_only().watch(&mut sizes, hosts, &mut concluded);
    concluded.findings
}

fn six(mss: [Option<u16>; 2]) -> Vec<FlowRecord> {
    (1..=6).map(|peer| connection(peer, mss, false)).collect()
}

#[test]
fn every_row_reads_once_and_has_a_source_and_a_day() {
    let mut seen = BTreeSet::new();
    for line in rows() {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 6, "{line}");
        assert!(
            matches!(cells[0], "4" | "6") && matches!(cells[2], "tunnel" | "innocent"),
            "{line}"
        );
        assert!(!cells[3].is_empty() && !cells[4].is_empty(), "{line}");
        assert!(crate::geo::build::epoch_of(cells[5]).is_some(), "{line}");
        assert!(
            seen.insert((cells[0], cells[1].parse::<u16>().unwrap())),
            "{line} stands twice"
        );
    }
    assert!(TRACES.iter().all(|trace| trace.mss <= own().largest) && TRACES.len() > 5);
}

#[test]
fn every_value_of_a_tunnel_is_a_low_lead_and_every_innocent_one_nothing() {
    for line in rows() {
        let cells: Vec<&str> = line.split('\t').collect();
        let mss = Some(cells[1].parse().unwrap());
        let connections: Vec<FlowRecord> = (1..=6)
            .map(|peer| connection(peer, [mss, Some(1_460)], cells[0] == "6"))
            .collect();
        let leads = found(&[host(1, 6)], &connections, true);
        assert_eq!(leads.len(), usize::from(cells[2] == "tunnel"), "{line}");
        for lead in leads {
            assert_eq!(lead.confidence, Confidence::Low, "{line}");
            assert!(
                lead.summary.contains(cells[3]) && !lead.benign.is_empty(),
                "{}",
                lead.summary
            );
        }
    }
}

#[test]
fn one_server_or_a_few_connections_among_many_are_no_trace() {
    let path = six([Some(1_460), Some(1_380)]);
    let of = |connections: &[FlowRecord], all| found(&[host(1, all)], connections, true);
    let [lead] = of(&path, 6).try_into().unwrap();
    assert!(lead.summary.contains("every server outside"), "{}", lead.summary);
    // Most of its connections have another size.
    assert!(of(&path, 60).is_empty());
    // Always the same server.
    let one: Vec<FlowRecord> = (1..=6)
        .map(|_| connection(1, [Some(1_460), Some(1_380)], false))
        .collect();
    assert!(of(&one, 6).is_empty());
    assert!(of(&path[..4], 4).is_empty());
    // Without the option, and inside of a tunnel that was opened.
    assert!(of(&six([None, None]), 6).is_empty());
    let inside: Vec<FlowRecord> = path
        .iter()
        .map(|flow| FlowRecord {
            tunnels: crate::model::segment::TunnelStack::default()
                .with(crate::model::segment::Encapsulation::Gre)
                .unwrap(),
            ..flow.clone()
        })
        .collect();
    assert!(of(&inside, 6).is_empty());
}

#[test]
fn what_a_whole_network_shows_is_one_lead_and_its_routers() {
    let hosts = [host(1, 6), host(2, 6), host(3, 6)];
    let [lead] = found(&hosts, &six([Some(1_380), Some(1_380)]), true)
        .try_into()
        .unwrap();
    assert!(
        lead.summary.contains("2 other machines behind the same router"),
        "{}",
        lead.summary
    );
    assert_eq!(lead.flow_count, 18);
}

#[test]
fn a_caller_from_outside_is_named() {
    let calls: Vec<FlowRecord> = (0..3)
        .map(|_| connection(7, [Some(1_253), Some(1_460)], false))
        .collect();
    let [lead] = found(&[host(1, 0)], &calls, false).try_into().unwrap();
    assert_eq!(lead.peer.as_deref(), Some("203.0.113.7"));
    assert!(
        lead.summary.contains("1253") && lead.summary.contains("Astrill"),
        "{}",
        lead.summary
    );
    assert!(found(&[host(1, 0)], &calls[..2], false).is_empty());
}

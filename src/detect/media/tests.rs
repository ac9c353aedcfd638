use super::*;
use crate::detect::Detectors;
use crate::geo::Geo;
use crate::model::address::Endpoint;
use crate::model::fact::{FactLog, Field, Side, Stamp};
use crate::model::flow::{ActivityBin, FlowRecord};
use crate::model::identity::ContentId;
use crate::model::threads::Threads;
use crate::settings::policy::{Heuristics, Policy};

const LOCAL: LocalIndex = LocalIndex(0);
const LAPTOP: [u8; 4] = [192, 168, 77, 21];
const OPERATOR: [u8; 4] = [198, 51, 100, 9];
const RELAY: [u8; 4] = [203, 0, 113, 40];
/// The laptop's port of pictures.
const PORT: u16 = 50_001;

fn stamp() -> Stamp {
    Stamp {
        at: Timestamp(5 * SECOND),
        source: FrameRef {
            capture: 0,
            number: 7,
        },
        side: Side::Client,
    }
}

/// A tool's own connection, which gives away the tool and nothing of who is behind it.
fn signalling(name: &'static str) -> FlowRecord {
    let mut flow = FlowRecord {
        id: ContentId(1),
        layer: Layer::Tcp,
        start: Timestamp(SECOND),
        end: Timestamp(300 * SECOND),
        payload_bytes: [3_000, 6_000],
        packets: [9, 9],
        ..FlowRecord::default()
    };
    flow.client.address = Address::from_v4(LAPTOP);
    flow.server.address = Address::from_v4([192, 0, 2, 80]);
    let value = Value::Text {
        bytes: name.as_bytes(),
        cut: false,
    };
    flow.facts.push(&Field::of_flow("tls.sni"), stamp(), &value);
    flow
}

/// A flow over which a picture goes out, `octets` in each of twelve windows, with what a viewer reports back.
fn picture(other: [u8; 4], username: Option<&'static str>, octets: [u32; 2]) -> FlowRecord {
    let [out, back] = octets;
    let mut flow = FlowRecord {
        id: ContentId(2),
        layer: Layer::Udp,
        start: Timestamp(10 * SECOND),
        end: Timestamp(130 * SECOND),
        payload_bytes: [u64::from(out) * 12, u64::from(back) * 12],
        protocols: [Some("stun"), Some("dtls"), None, None],
        activity: (2..14)
            .map(|number| ActivityBin {
                number,
                bytes: [out, back],
                ..ActivityBin::default()
            })
            .collect(),
        ..FlowRecord::default()
    };
    flow.client.address = Address::from_v4(LAPTOP);
    flow.server.address = Address::from_v4(other);
    (flow.client.port, flow.server.port) = (PORT, 3_478);
    if let Some(name) = username {
        let value = Value::Text {
            bytes: name.as_bytes(),
            cut: false,
        };
        flow.facts.push(&Field::of_flow("stun.username"), stamp(), &value);
    }
    flow
}

/// Findings about the laptop after these flows, and these peers that it named to the relay.
fn concluded(flows: &[FlowRecord], permitted: &[[u8; 4]]) -> Vec<Finding> {
    let permitted: Vec<(&str, u16, [u8; 4])> =
        permitted.iter().map(|peer| ("stun.peer", PORT, *peer)).collect();
    told(flows, &permitted)
}

/// The same with what it said of them, and from which port.
fn told(flows: &[FlowRecord], permitted: &[(&'static str, u16, [u8; 4])]) -> Vec<Finding> {
    let (catalogue, geo, policy) = (Catalogue::embedded().unwrap(), Geo::embedded(), Policy::default());
    let mut detectors = Detectors::new(&catalogue, &Limits::default(), Heuristics::default());
    for (field, port, peer) in permitted {
        let header = EventHeader {
            at: Timestamp(11 * SECOND),
            from: Endpoint {
                address: Address::from_v4(LAPTOP),
                port: *port,
            },
            to: Endpoint {
                address: Address::from_v4(RELAY),
                port: 3_478,
            },
            ..EventHeader::default()
        };
        let mut log = FactLog::default();
        let value = Value::Endpoint(Address::from_v4(*peer), 50_000);
        log.push(&Field::of_event(field), stamp(), &value);
        for fact in &log {
            detectors.event(Some(LOCAL), &header, &fact, &catalogue);
        }
    }
    for flow in flows {
        let observation = Observation {
            flow,
            locals: [Some(LOCAL), None],
            server_name: None,
        };
        let recognised = detectors.recognise(flow, None, &catalogue);
        detectors.observe(&observation, &recognised, &|| "".into());
        detectors.used(&observation, &recognised);
    }
    let host = HostView {
        id: ContentId(9),
        locals: vec![LOCAL],
        ips: vec![Address::from_v4(LAPTOP)],
        ..HostView::default()
    };
    let knowledge = Knowledge {
        catalogue: &catalogue,
        geo: &geo,
        policy: &policy,
        rules: crate::settings::rules::Rules::shipped(),
        reverse_names: None,
        at: None,
    };
    detectors.conclude(&[host], &knowledge, Threads::new(1)).findings
}

const HOST: &str = "remotedesktop-pa.googleapis.com";
const CHECKS: Option<&str> = Some("aB3d:Zx9w");

fn controller(finding: &Finding) -> Option<(Address, &str)> {
    let controller = finding.controller.as_ref()?;
    Some((controller.address, controller.how.as_str()))
}

#[test]
fn who_is_checked_by_ice_and_gets_the_picture_is_the_controller() {
    let found = concluded(
        &[signalling(HOST), picture(OPERATOR, CHECKS, [400_000, 3_000])],
        &[],
    );
    let [finding] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(finding.tool, "chrome-remote-desktop");
    assert_eq!(
        controller(finding),
        Some((Address::from_v4(OPERATOR), "stun_peer"))
    );
    assert_eq!(
        (finding.role, finding.activity),
        (Role::Controlled, Activity::Viewed)
    );
    let item = finding
        .evidence
        .iter()
        .find(|item| item.measure.as_deref() == Some("media_peer"));
    assert!(item.unwrap().what.contains("198.51.100.9"), "{item:?}");
}

#[test]
fn behind_a_relay_the_peer_that_was_permitted_last_and_is_no_inside_address_is_the_controller() {
    let found = concluded(
        &[signalling(HOST), picture(RELAY, None, [400_000, 3_000])],
        &[OPERATOR, [192, 168, 1, 5]],
    );
    assert_eq!(
        controller(&found[0]),
        Some((Address::from_v4(OPERATOR), "turn_peer"))
    );
    // The relay itself is nobody.
    let hidden = concluded(
        &[signalling(HOST), picture(RELAY, None, [400_000, 3_000])],
        &[[192, 168, 1, 5]],
    );
    assert_eq!((hidden[0].role, controller(&hidden[0])), (Role::Controlled, None));
}

#[test]
fn who_gets_the_picture_controls_and_a_call_says_nothing() {
    let looks = concluded(
        &[signalling(HOST), picture(OPERATOR, CHECKS, [3_000, 400_000])],
        &[],
    );
    assert_eq!((looks[0].role, controller(&looks[0])), (Role::Controller, None));
    let call = concluded(
        &[signalling(HOST), picture(OPERATOR, CHECKS, [300_000, 400_000])],
        &[],
    );
    assert_eq!(controller(&call[0]), None);
    assert!(
        call[0]
            .evidence
            .iter()
            .all(|item| item.measure.as_deref() != Some("media_peer"))
    );
}

#[test]
fn other_tools_other_hosts_of_the_same_time_and_checks_without_a_picture_are_left_alone() {
    let other = concluded(
        &[
            signalling("relay-a1b2c3d4.net.anydesk.com"),
            picture(OPERATOR, CHECKS, [400_000, 3_000]),
        ],
        &[],
    );
    assert_eq!(controller(&other[0]), None, "{other:?}");
    let idle = concluded(&[signalling(HOST), picture(OPERATOR, CHECKS, [200, 200])], &[]);
    assert_eq!(controller(&idle[0]), None);
    // Neither checks nor a relay that was asked: STUN alone is a look at one's own address.
    let plain = concluded(
        &[signalling(HOST), picture(OPERATOR, None, [400_000, 3_000])],
        &[],
    );
    assert_eq!(controller(&plain[0]), None);
    let later = {
        let mut way = picture(OPERATOR, CHECKS, [400_000, 3_000]);
        (way.start, way.end) = (Timestamp(900 * SECOND), Timestamp(1_000 * SECOND));
        concluded(&[signalling(HOST), way], &[])
    };
    assert_eq!(controller(&later[0]), None);
}

#[test]
fn a_meeting_beside_an_agent_that_waits_is_none_of_its_pictures() {
    // The agent says its few words every five minutes; the meeting begins between two of them.
    let agent = (0..6).map(|turn| {
        let mut flow = signalling(HOST);
        flow.id = ContentId(10 + u64::try_from(turn).unwrap());
        flow.start = Timestamp(turn * 300 * SECOND);
        flow.end = flow.start.plus(2 * SECOND);
        flow
    });
    let mut meeting = picture(OPERATOR, CHECKS, [400_000, 60_000]);
    (meeting.start, meeting.end) = (Timestamp(400 * SECOND), Timestamp(700 * SECOND));
    let flows: Vec<FlowRecord> = agent.chain([meeting]).collect();
    let found = concluded(&flows, &[]);
    assert_eq!((found.len(), controller(&found[0])), (1, None), "{found:?}");
    assert_ne!(found[0].role, Role::Controlled);
}

#[test]
fn of_a_relays_peers_the_one_with_a_channel_counts_and_those_of_other_allocations_do_not() {
    let tried = [192, 0, 2, 200];
    let flows = [signalling(HOST), picture(RELAY, None, [400_000, 3_000])];
    let found = told(
        &flows,
        &[
            ("stun.channel_peer", PORT, OPERATOR),
            ("stun.peer", PORT, OPERATOR),
            ("stun.peer", PORT, tried),
            ("stun.channel_peer", PORT + 1, [192, 0, 2, 201]),
        ],
    );
    assert_eq!(
        controller(&found[0]),
        Some((Address::from_v4(OPERATOR), "turn_peer"))
    );
}

#[test]
fn an_even_stream_of_reports_or_sound_is_no_input() {
    let watched = |small: fn(u16) -> u16| {
        let mut way = picture(OPERATOR, CHECKS, [400_000, 60_000]);
        for (number, bin) in (0..).zip(&mut way.activity) {
            bin.small = [0, small(number)];
            bin.packets = [400, bin.small[1]];
        }
        concluded(&[signalling(HOST), way], &[])[0].activity
    };
    assert_eq!(watched(|number| 500 + number % 3), Activity::Viewed);
    assert_eq!(watched(|number| 500 + 70 * (number % 4)), Activity::Driven);
}

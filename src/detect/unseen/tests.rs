use super::*;
use crate::model::address::Address;
use crate::model::observation::ServerName;

const LOCAL: LocalIndex = LocalIndex(2);

/// A connection of these bins, each of so many octets in.
fn flow(numbers: std::ops::Range<u32>, octets: u32) -> FlowRecord {
    let bins = numbers.map(|number| ActivityBin {
        number,
        bytes: [octets / 4, octets - octets / 4],
        ..ActivityBin::default()
    });
    let mut flow = FlowRecord {
        activity: bins.collect(),
        ..FlowRecord::default()
    };
    flow.server.address = Address::from_v4([198, 51, 100, 1]);
    flow.payload_bytes = [0, u64::from(octets) * u64::try_from(flow.activity.len()).unwrap()];
    flow
}

/// The minutes that a connection hides.
fn hidden(flow: &FlowRecord, server_name: Option<ServerName>) -> usize {
    let mut unseen = Unseen::default();
    unseen.flow(
        &Observation {
            flow,
            locals: [Some(LOCAL), None],
            server_name,
        },
        &[],
    );
    unseen.by_local.get(&LOCAL).map_or(0, |one| one.opaque.len())
}

/// A connection on which one side sends as a hand does and the other answers with more, for so many windows.
fn driven(windows: u32, by_client: bool) -> FlowRecord {
    let sides = |hand: u32, screen: u32| if by_client { [hand, screen] } else { [screen, hand] };
    let small = |list: [u32; 2]| list.map(|count| u16::try_from(count).unwrap());
    let bins = (0..windows).map(|number| {
        let is_reading = number % 5 > 2;
        let [hand, screen] = if is_reading { [60, 600] } else { [4_000, 20_000] };
        let [sent, shown] = if is_reading { [1, 2] } else { [90, 60] };
        ActivityBin {
            number: 600 + number,
            bytes: sides(hand, screen),
            small: small(sides(sent, 3)),
            packets: small(sides(sent, shown)),
            turns: small(sides(sent.min(50), shown.min(40))),
        }
    });
    FlowRecord {
        layer: Layer::Tcp,
        app_proto: Some("tls"),
        activity: bins.collect(),
        ..flow(0..0, 0)
    }
}

#[test]
fn whoever_drives_something_elsewhere_is_at_the_machine_whatever_its_name() {
    let name = |name: &str| ServerName {
        name: name.into(),
        source: crate::model::observation::NameSource::Sni,
        frame: crate::model::frame::FrameRef::default(),
        at: crate::model::time::Timestamp::default(),
        lifetime: None,
    };
    let minutes = |flow: &FlowRecord, is_client: bool| {
        let mut unseen = Unseen::default();
        let locals = if is_client {
            [Some(LOCAL), None]
        } else {
            [None, Some(LOCAL)]
        };
        let observation = Observation {
            flow,
            locals,
            server_name: Some(name("desk.example.com")),
        };
        unseen.flow(&observation, &[]);
        unseen
            .by_local
            .remove(&LOCAL)
            .map_or(Minutes::new(), |one| one.hand)
    };
    assert_eq!(minutes(&driven(60, true), true), (100..110).collect::<Minutes>());
    assert_eq!(
        minutes(&driven(60, false), false),
        (100..110).collect::<Minutes>()
    );
    assert_eq!(minutes(&driven(60, false), true), Minutes::new(), "it is driven");
    assert_eq!(minutes(&driven(8, true), true), Minutes::new(), "it is short");
    let mut calls = driven(60, true);
    calls.layer = Layer::Udp;
    assert_eq!(minutes(&calls, true), Minutes::new(), "calls and games");
}

#[test]
fn a_long_unnamed_connection_that_carries_much_hides_what_it_carries() {
    assert_eq!(hidden(&flow(600..960, 20_000), None), 60);
    let named = ServerName {
        name: "backup.example.com".into(),
        source: crate::model::observation::NameSource::Sni,
        frame: crate::model::frame::FrameRef::default(),
        at: crate::model::time::Timestamp::default(),
        lifetime: None,
    };
    assert_eq!(hidden(&flow(600..960, 20_000), Some(named)), 0, "it has a name");
    assert_eq!(hidden(&flow(600..640, 200_000), None), 0, "it is short");
    assert_eq!(hidden(&flow(600..20_600, 60), None), 0, "nothing but keep-alives");
    let mut readable = flow(600..960, 20_000);
    readable.app_proto = Some("smtp");
    assert_eq!(hidden(&readable, None), 0, "what it speaks is known");
}

#[test]
fn keep_alives_carry_nothing() {
    let keep_alives = (0..600).map(|bin| (bin, 120));
    assert_eq!(carrying(keep_alives), Minutes::new());
    assert_eq!(
        carrying([(60, 1_000), (65, 1_500), (66, 1_500)].into_iter()),
        [10]
    );
}

/// A connection that the capture joined in its middle, in each of whose windows the host sends and gets so much.
fn joined(windows: u32, out: u32, inward: u32, opener: OpenerJudgement) -> FlowRecord {
    let bins = (0..windows).map(|number| ActivityBin {
        number: 600 + number * 2,
        bytes: [out, inward],
        packets: [30, 20],
        small: [2, 20],
        turns: [10, 10],
    });
    FlowRecord {
        layer: Layer::Tcp,
        opener,
        activity: bins.collect(),
        start: crate::model::time::Timestamp(6_000 * SECOND),
        end: crate::model::time::Timestamp((6_000 + i64::from(windows) * 20) * SECOND),
        ..flow(0..0, 0)
    }
}

#[test]
fn what_was_joined_in_its_middle_and_shows_something_may_be_a_session() {
    let of = |flow: &FlowRecord| may_be_session(flow, true);
    assert!(of(&joined(60, 20_000, 1_500, OpenerJudgement::Port)));
    assert!(of(&joined(60, 20_000, 1_500, OpenerJudgement::FirstSeen)));
    assert!(
        !of(&joined(60, 20_000, 1_500, OpenerJudgement::Handshake)),
        "its name was seen"
    );
    assert!(
        !of(&joined(60, 1_500, 20_000, OpenerJudgement::Port)),
        "a download"
    );
    assert!(!of(&joined(60, 90, 80, OpenerJudgement::Port)), "keep-alives");
    assert!(
        !of(&joined(20, 20_000, 1_500, OpenerJudgement::Port)),
        "it is short"
    );
    // What its form tells is a finding, and no secret.
    let mut told = driven(200, false);
    told.opener = OpenerJudgement::Port;
    told.end = told.start.plus(2_000 * SECOND);
    assert!(!of(&told));
    told.activity.truncate(60);
    assert!(of(&told), "a lead alone");
}

/// The minutes that datagrams have with the form of a session in which the machine is driven.
fn formed(flow: &FlowRecord, server_name: Option<&ServerName>) -> usize {
    formed_of(std::slice::from_ref(flow), server_name)
}

/// The same of several flows between the same two.
fn formed_of(flows: &[FlowRecord], server_name: Option<&ServerName>) -> usize {
    let mut unseen = Unseen::default();
    for flow in flows {
        let observation = Observation {
            flow,
            locals: [Some(LOCAL), None],
            server_name: server_name.cloned(),
        };
        unseen.flow(&observation, &[]);
    }
    unseen
        .datagrams
        .values()
        .map(|windows| of_form(windows).len())
        .sum()
}

#[test]
fn datagrams_without_a_name_that_look_like_a_session_are_kept() {
    let mut datagrams = driven(60, false);
    datagrams.layer = Layer::Udp;
    for protocol in [None, Some("quic"), Some("stun")] {
        datagrams.app_proto = protocol;
        assert_eq!(formed(&datagrams, None), 10, "{protocol:?}");
    }
    // Turns of a minute, each too short to tell, are told together.
    datagrams.app_proto = None;
    let turns: Vec<FlowRecord> = (0..10)
        .map(|turn| FlowRecord {
            activity: datagrams.activity[turn * 6..turn * 6 + 6].to_vec(),
            ..datagrams.clone()
        })
        .collect();
    assert_eq!(turns.iter().map(|turn| formed(turn, None)).sum::<usize>(), 0);
    assert_eq!(formed_of(&turns, None), 10);
    let named = ServerName {
        name: "meet.example.com".into(),
        source: crate::model::observation::NameSource::Sni,
        frame: crate::model::frame::FrameRef::default(),
        at: crate::model::time::Timestamp::default(),
        lifetime: None,
    };
    assert_eq!(formed(&datagrams, Some(&named)), 0, "somebody's service");
    datagrams.app_proto = Some("dns");
    assert_eq!(formed(&datagrams, None), 0, "what it speaks is known");
    let mut driving = driven(60, true);
    driving.layer = Layer::Udp;
    driving.app_proto = None;
    assert_eq!(formed(&driving, None), 0, "the machine drives something");
    assert_eq!(
        formed(&driven(60, false), None),
        0,
        "connections have a finding of their own"
    );
}

#[test]
fn a_session_inside_a_tunnel_shows_by_its_form_once_what_wraps_it_is_gone() {
    let bare = unknown_interactive::windows(
        &driven(60, false).activity,
        crate::model::time::Timestamp(0),
        true,
    );
    let wrap = |way: Way| Way {
        bytes: way.bytes + u64::from(way.packets) * own().wrapping_octets,
        ..way
    };
    let wrapped: Windows = bare
        .iter()
        .map(|(number, window)| {
            let window = Window {
                out: wrap(window.out),
                inward: wrap(window.inward),
                ..*window
            };
            (*number, window)
        })
        .collect();
    assert!(of_form(&wrapped).is_empty(), "the wrapping hides the form");
    assert_eq!(without_wrapping(&wrapped), bare);
    assert_eq!(of_form(&without_wrapping(&wrapped)).len(), 10);
    let upload: Windows = wrapped
        .iter()
        .map(|(number, window)| {
            let out = Way {
                bytes: window.out.bytes * 200,
                ..window.out
            };
            (*number, Window { out, ..*window })
        })
        .collect();
    assert!(
        of_form(&without_wrapping(&upload)).is_empty(),
        "receipts of an upload"
    );
}

use super::*;
use crate::detect::activity_state::Way;
use crate::geo::Geo;
use crate::model::address::Endpoint;
use crate::settings::policy::Policy;
use crate::signatures::Catalogue;

const HOST: LocalIndex = LocalIndex(4);

fn way(bytes: u32, small: u16, packets: u16, turns: u16) -> (u32, u16, u16, u16) {
    (bytes, small, packets, turns)
}

/// Bins of a connection that the host opened: what it sends, what comes in.
fn bins(list: impl IntoIterator<Item = [(u32, u16, u16, u16); 2]>) -> Vec<ActivityBin> {
    let numbered = (100..).zip(list);
    numbered
        .map(|(number, [out, inward])| ActivityBin {
            number,
            bytes: [out.0, inward.0],
            small: [out.1, inward.1],
            packets: [out.2, inward.2],
            turns: [out.3, inward.3],
        })
        .collect()
}

const STILL_SCREEN: [(u32, u16, u16, u16); 2] = [(600, 0, 2, 1), (60, 1, 1, 1)];

/// Somebody types and points, then reads, and so on, for so many windows.
fn session(windows: usize) -> Vec<ActivityBin> {
    let hand = [way(20_000, 3, 60, 40), way(4_000, 90, 90, 50)];
    bins((0..windows).map(|number| if number % 5 < 3 { hand } else { STILL_SCREEN }))
}

fn shape_of(bins: &[ActivityBin]) -> Option<Shape> {
    shape(&windows(bins, Timestamp(900 * SECOND), true))
}

fn flow(bins: Vec<ActivityBin>) -> FlowRecord {
    FlowRecord {
        layer: Layer::Tcp,
        protocol: 6,
        app_proto: Some("tls"),
        activity: bins,
        start: Timestamp(900 * SECOND),
        end: Timestamp(9_000 * SECOND),
        server: Endpoint {
            address: Address::from_v4([203, 0, 113, 9]),
            port: 443,
        },
        client: Endpoint {
            address: Address::from_v4([10, 0, 0, 9]),
            port: 50_000,
        },
        ..FlowRecord::default()
    }
}

fn concluded(flows: &[(FlowRecord, [Option<LocalIndex>; 2])]) -> Vec<Finding> {
    let catalogue = Catalogue::embedded().unwrap();
    let (geo, policy) = (Geo::embedded(), Policy::default());
    let knowledge = Knowledge {
        catalogue: &catalogue,
        geo: &geo,
        policy: &policy,
        rules: crate::settings::rules::Rules::shipped(),
        reverse_names: None,
        at: None,
    };
    let mut unknown = Unknown::default();
    for (flow, locals) in flows {
        let observation = Observation {
            flow,
            locals: *locals,
            server_name: None,
        };
        unknown.add(&observation, &[]);
    }
    let host = HostView {
        id: ContentId(1),
        locals: vec![HOST],
        ..HostView::default()
    };
    unknown.found(
        &ByLocal::new(std::slice::from_ref(&host)),
        &knowledge,
        &mut Concluded::default(),
    )
}

const OUTBOUND: [Option<LocalIndex>; 2] = [Some(HOST), None];

#[test]
fn a_hand_that_a_screen_answers_is_a_lead_and_after_half_an_hour_probable() {
    for (windows, confidence) in [(30, Confidence::Low), (240, Confidence::Medium)] {
        let found = concluded(&[(flow(session(windows)), OUTBOUND)]);
        let [finding] = found.as_slice() else {
            panic!("{} findings", found.len());
        };
        assert_eq!(
            (finding.tool.as_str(), finding.role, finding.confidence),
            ("unknown-interactive", Role::Controlled, confidence)
        );
        assert!(finding.summary.contains("consistent with"), "{}", finding.summary);
        assert!(!finding.intervals.is_empty());
    }
}

#[test]
fn who_looks_at_the_screen_of_another_is_not_accused() {
    let mirrored: Vec<ActivityBin> = session(60)
        .into_iter()
        .map(|mut bin| {
            for pair in [&mut bin.small, &mut bin.packets, &mut bin.turns] {
                pair.swap(0, 1);
            }
            bin.bytes.swap(0, 1);
            bin
        })
        .collect();
    assert_eq!(shape_of(&mirrored), None);
    assert!(concluded(&[(flow(mirrored), OUTBOUND)]).is_empty());
}

#[test]
fn what_looks_like_half_of_it_has_not_the_shape() {
    let same = |windows: usize, one| bins(std::iter::repeat_n(one, windows));
    let with_rests = |one: [(u32, u16, u16, u16); 2]| {
        bins((0..60).map(move |number| if number % 4 == 3 { STILL_SCREEN } else { one }))
    };
    for (what, bins) in [
        // Each receipt stands for 32 KiB.
        (
            "upload",
            with_rests([way(3_200_000, 0, 2_300, 90), way(4_000, 100, 100, 90)]),
        ),
        // Acknowledgements of what is inside a tunnel: one for two segments.
        (
            "upload through a tunnel",
            with_rests([way(290_000, 0, 200, 60), way(9_000, 100, 100, 60)]),
        ),
        // Fifty packets of sound a second.
        (
            "call",
            same(60, [way(900_000, 20, 900, 300), way(50_000, 500, 500, 300)]),
        ),
        // Each request waits for its answer.
        (
            "dashboard",
            with_rests([way(40_000, 0, 50, 40), way(4_000, 40, 40, 40)]),
        ),
        // Requests of a browser are larger.
        (
            "page",
            with_rests([way(40_000, 0, 50, 20), way(12_000, 40, 40, 20)]),
        ),
        (
            "chat",
            with_rests([way(3_000, 30, 30, 20), way(3_000, 30, 30, 20)]),
        ),
        // Typing into a shell elsewhere: more comes back than is sent.
        (
            "shell",
            with_rests([way(3_000, 60, 60, 50), way(9_000, 70, 75, 50)]),
        ),
        // What comes in is a film.
        (
            "film",
            with_rests([way(3_000, 60, 60, 50), way(900_000, 0, 700, 50)]),
        ),
        // Both ways, as through a VPN.
        (
            "tunnel",
            bins((0..60).map(|number| match number % 4 {
                0 => [way(20_000, 3, 60, 40), way(4_000, 90, 90, 50)],
                _ => [way(9_000, 100, 100, 60), way(400_000, 0, 290, 60)],
            })),
        ),
    ] {
        assert_eq!(shape_of(&bins), None, "{what}");
    }
    assert!(shape_of(&session(60)).is_some());
    assert_eq!(shape_of(&session(9)), None, "too short");
}

#[test]
fn a_port_that_several_call_is_a_service_and_named_or_readable_flows_are_left_alone() {
    let inbound = |caller: u8| {
        let mut one = flow(session(60));
        for bin in &mut one.activity {
            bin.bytes.swap(0, 1);
            for pair in [&mut bin.small, &mut bin.packets, &mut bin.turns] {
                pair.swap(0, 1);
            }
        }
        one.client.address = Address::from_v4([198, 51, 100, caller]);
        one.server.address = Address::from_v4([10, 0, 0, 9]);
        (one, [None, Some(HOST)])
    };
    let one = concluded(&[inbound(1)]);
    assert_eq!(
        one.iter().map(|finding| finding.confidence).collect::<Vec<_>>(),
        [Confidence::Low]
    );
    assert!(concluded(&[inbound(1), inbound(2)]).is_empty());
    let mut mail = flow(session(60));
    mail.app_proto = Some("imap");
    let mut datagrams = flow(session(60));
    datagrams.layer = Layer::Udp;
    assert!(concluded(&[(mail, OUTBOUND), (datagrams, OUTBOUND)]).is_empty());
    let both = [Some(HOST), Some(LocalIndex(5))];
    assert!(concluded(&[(flow(session(60)), both)]).is_empty());
}

#[test]
fn a_shape_needs_rests() {
    let hand = [way(20_000, 3, 60, 40), way(4_000, 90, 90, 50)];
    let restless = bins(std::iter::repeat_n(hand, 60));
    assert_eq!(shape_of(&restless), None);
}

proptest::proptest! {
    #[test]
    fn anything_at_all_is_taken(list in proptest::collection::vec(
        proptest::array::uniform2((proptest::num::u32::ANY, proptest::num::u16::ANY, proptest::num::u16::ANY, proptest::num::u16::ANY)), 0..60)) {
        let bins = bins(list);
        let windows = windows(&bins, Timestamp(0), false);
        if let Some(shape) = shape(&windows) {
            proptest::prop_assert!(shape.hand >= own().least_hand && shape.span >= own().least_span);
        }
    }
}

#[test]
fn windows_know_their_directions() {
    let bins = session(3);
    let seen = windows(&bins, Timestamp(0), true);
    let first = seen.values().next().unwrap();
    assert_eq!(
        first.out,
        Way {
            bytes: 20_000,
            small: 3,
            packets: 60,
            turns: 40
        }
    );
}

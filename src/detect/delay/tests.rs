use super::*;

/// As sketches, as findings are made from them.
fn of_flow(flow: &FlowRecord, local_is_client: bool) -> Option<Box<Latency>> {
    super::of_flow(flow, local_is_client).into_latency()
}

#[test]
fn a_handshake_says_what_its_sketch_would() {
    let shown = Shown {
        has_screen: true,
        is_controlled: true,
    };
    for spans in [[-1, 30_000_000], [1_234_567, -1], [400, 99_999_999_999]] {
        let measured = Measured::Handshake(spans);
        let sketched = told(measured.clone().into_latency().as_deref(), shown, None);
        assert_eq!(
            format!("{:?}", told_of(measured, shown, None)),
            format!("{sketched:?}")
        );
    }
}

#[test]
fn spans_have_the_tenth_that_is_nearest() {
    for micros in (50_u32..3_000).chain([99_949, 99_950, 99_951, 1_234_567]) {
        let milliseconds = f64::from(micros) / 1_000.0;
        assert_eq!(span(milliseconds), format!("{milliseconds:.1} ms"));
    }
    assert_eq!(span(0.05), "0.1 ms");
    assert_eq!(span(0.049), "less than 0.1 ms");
}
use crate::model::fact::{Field, Side, Stamp};
use crate::model::flow::TcpRecord;
use crate::model::latency::ControlLoop;

#[test]
fn the_hosts_side_comes_first_whichever_side_it_is() {
    let flow = FlowRecord {
        tcp: Some(TcpRecord {
            client_rtt: Some(1_000_000),
            server_rtt: Some(30_000_000),
            ..TcpRecord::default()
        }),
        ..FlowRecord::default()
    };
    let quantiles = |is_client| of_flow(&flow, is_client).unwrap().quantiles();
    let [host, peer] = quantiles(true);
    assert_eq!(
        (host.unwrap().least, peer.unwrap().least),
        (1_000_000, 30_000_000)
    );
    let [host, _] = quantiles(false);
    assert_eq!(host.unwrap().least, 30_000_000);
    assert!(of_flow(&FlowRecord::default(), true).is_none());
}

#[test]
fn connections_that_several_streams_share_have_no_loop() {
    let mut latency = Latency::default();
    let of_client = ControlLoop {
        bursts: 50,
        ..ControlLoop::default()
    };
    latency.loops = Some(Box::new([of_client, ControlLoop::default()]));
    let mut flow = FlowRecord {
        latency: Some(Box::new(latency)),
        ..FlowRecord::default()
    };
    assert_eq!(of_flow(&flow, true).unwrap().first_loop().unwrap().bursts, 50);
    flow.facts.push(
        &Field::of_flow("tls.alpn"),
        Stamp::default(),
        &Value::Text {
            bytes: b"h2,http/1.1",
            cut: false,
        },
    );
    let shared = of_flow(&flow, true).unwrap();
    assert!(shared.first_loop().is_none());
    let shown = Shown {
        has_screen: true,
        ..Shown::default()
    };
    let said = told(Some(&*shared), shown, None).evidence;
    assert!(
        said.iter().any(|item| item.what.contains("HTTP/2")),
        "not for want of changes of the screen: {said:?}"
    );
}

#[test]
fn a_question_that_was_answered_is_a_round_trip_to_who_answered() {
    let flow = FlowRecord {
        answer: Some((Side::Server, 12_000_000)),
        ..FlowRecord::default()
    };
    let delays = told(of_flow(&flow, true).as_deref(), Shown::default(), None);
    assert_eq!(delays.transport_ms, Some(12.0));
    assert!(delays.evidence[0].note.as_deref().unwrap().contains("--at"));
    let phoenix = CapturePoint::new((33.45, -112.07), "--at");
    let note = |latency: &Latency| {
        let delays = told(Some(latency), Shown::default(), phoenix);
        delays.evidence[0].note.as_deref().unwrap().to_owned()
    };
    let mut latency = of_flow(&flow, true).unwrap();
    assert!(
        note(&latency).starts_with("too few round trips"),
        "{}",
        note(&latency)
    );
    for _ in 0..4 {
        latency.round_trips[1].add(12_000_000);
    }
    assert!(note(&latency).contains("within 1299 km"), "{}", note(&latency));
}

#[test]
fn a_bound_that_says_nothing_is_not_printed() {
    let mut latency = Latency::default();
    for span in [12_000, 300_000, 400_000] {
        latency.round_trips[1].add(span);
    }
    let delays = told(Some(&latency), Shown::default(), None);
    let what = &delays.evidence[0].what;
    assert!(!what.contains("at least") && !what.contains("0.0 ms"), "{what}");
    latency.round_trips[1] = crate::model::sketch::Sketch::default();
    latency.round_trips[1].add(12_000);
    let delays = told(Some(&latency), Shown::default(), None);
    assert!(delays.evidence[0].what.ends_with(": less than 0.1 ms"));
}

#[test]
fn late_answers_in_the_opening_count_for_a_host_that_is_called_and_driven() {
    let mut latency = Latency::default();
    for _ in 0..6 {
        latency.openings[1].add(180_000_000);
    }
    let mut flow = FlowRecord {
        protocols: [Some("ssh"), None, None, None],
        latency: Some(Box::new(latency)),
        ..FlowRecord::default()
    };
    let controlled = Shown {
        has_screen: false,
        is_controlled: true,
    };
    let delays = told(of_flow(&flow, false).as_deref(), controlled, None);
    assert!((delays.excess_ms.unwrap() - 180.0).abs() < 1.0, "{delays:?}");
    assert_eq!(delays.evidence[0].measure.as_deref(), Some("opening"));
    let nobody = told(of_flow(&flow, false).as_deref(), Shown::default(), None);
    assert_eq!(nobody.excess_ms, None);
    assert_eq!(
        told(of_flow(&flow, true).as_deref(), controlled, None).excess_ms,
        None
    );
    flow.protocols = [Some("telnet"), None, None, None];
    assert_eq!(
        told(of_flow(&flow, false).as_deref(), controlled, None).excess_ms,
        None
    );
}

//! Tests of the flow record as JSON.

use super::*;
use crate::model::fact::{Field, Stamp};
use crate::model::flow::TcpRecord;

#[test]
fn a_flow_writes_what_is_known_and_leaves_out_what_is_not() {
    let mut flow = FlowRecord {
        protocol: 6,
        app_proto: Some("tls"),
        tcp: Some(TcpRecord::default()),
        ..FlowRecord::default()
    };
    flow.facts.push(
        &Field::of_flow("tls.sni"),
        Stamp::default(),
        &Value::Text {
            bytes: b"a.example",
            cut: false,
        },
    );
    let named = ReverseName {
        name: "host-7.dyn.example".to_owned(),
        frame: crate::model::frame::FrameRef::default(),
    };
    let row = FlowRow {
        flow: &flow,
        server_name: None,
        places: [None, None],
        reverse_names: [None, Some(&named)],
        community_id: "1:x",
    };
    let mut json = Vec::new();
    row.append_json(&mut json, &mut Clock::default());
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["tls"]["sni"], "a.example");
    assert_eq!(json["proto"], "TCP");
    assert_eq!(
        json["reverse_name"],
        serde_json::json!({"dest": "host-7.dyn.example"})
    );
    for absent in ["quic", "http", "geo", "vlan", "tunnel", "icmp_type"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    assert!(json["tcp"].get("rtt_ms").is_none());
    assert!(json.get("latency").is_none() && json.get("answer_ms").is_none());
}

#[test]
fn round_trips_stand_apart_for_each_side_of_the_capture_point() {
    let mut latency = Latency::default();
    for milliseconds in [20, 22, 30] {
        latency.round_trips[1].add(milliseconds * 1_000_000);
    }
    let flow = FlowRecord {
        protocol: 17,
        answer: Some((Side::Server, 20_500_000)),
        latency: Some(Box::new(latency)),
        ..FlowRecord::default()
    };
    let row = FlowRow {
        flow: &flow,
        server_name: None,
        places: [None, None],
        reverse_names: [None, None],
        community_id: "1:x",
    };
    let mut json = Vec::new();
    row.append_json(&mut json, &mut Clock::default());
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["answer_ms"], 20.5);
    let side = &json["latency"]["server_side"];
    assert_eq!(
        (&side["count"], &side["min_ms"], &side["jitter_ms"]),
        (&3.into(), &20.0.into(), &5.0.into())
    );
    assert!(json["latency"].get("client_side").is_none());
}

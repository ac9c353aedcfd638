//! `flows.parquet`, read back.

use std::fs::File;
use std::io::Write as _;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

use super::sample::{HOSTILE, case};
use super::sample_flow::flow;
use super::{row, us};
use crate::model::case::Case;
use crate::model::fact::{Field as FactField, Side, Stamp, Value};
use crate::model::finding::PlaceRecord;
use crate::model::flow::{FlowRecord, TcpRecord, TcpSide};
use crate::model::frame::FrameRef;
use crate::model::latency::Latency;
use crate::model::observation::{NameSource, ServerName};
use crate::model::reverse_name::ReverseName;
use crate::model::segment::Encapsulation;
use crate::model::time::Timestamp;
use crate::report::flow::{Clock, FlowRow, Placed};
use crate::report::output::Output as _;
use crate::report::parquet::{FlowTable, ROWS_IN_GROUP};

fn table(flows: impl IntoIterator<Item = FlowRecord>) -> Vec<u8> {
    let mut output = FlowTable::new(Vec::new()).unwrap();
    let place = us();
    for flow in flows {
        output.flow(&row(&flow, &place)).unwrap();
    }
    Box::new(output).finish(&case()).unwrap()
}

fn opened(bytes: &[u8]) -> SerializedFileReader<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    SerializedFileReader::new(file).unwrap()
}

fn rows(bytes: &[u8]) -> Vec<Row> {
    let reader = opened(bytes);
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
    row.get_column_iter()
        .find(|(column, _)| *column == name)
        .unwrap()
        .1
}

#[test]
fn every_value_of_a_flow_comes_back() {
    let rows = rows(&table((0..3).map(flow)));
    assert_eq!(rows.len(), 3);
    let one = &rows[1];
    let text = |name: &str| {
        let Field::Str(text) = field(one, name) else {
            panic!("{name} is no text");
        };
        text.clone()
    };
    assert_eq!(text("flow_id"), "0000000000000001");
    assert_eq!(text("src_ip"), "192.0.2.1");
    assert_eq!(text("dest_ip"), "203.0.113.0");
    assert_eq!(text("proto"), "TCP");
    assert_eq!(text("tls_sni"), "server-1.example");
    assert_eq!(text("dest_country"), "US");
    assert_eq!(text("tcp_state"), "closed");
    assert_eq!(field(one, "dest_port"), &Field::Int(443));
    assert_eq!(field(one, "pkts_toserver"), &Field::Long(1));
    assert_eq!(
        field(one, "start"),
        &Field::TimestampMicros(1_772_456_460_000_000)
    );
    assert_eq!(field(one, "rtt_server_ms"), &Field::Double(12.345));
    assert_eq!(field(one, "dest_asn"), &Field::Long(64_500));
    for unknown in ["src_country", "rtt_client_ms", "ssh_client", "vlan", "tunnel"] {
        assert_eq!(field(one, unknown), &Field::Null, "{unknown}");
    }
    // The third is UDP: no TCP columns.
    assert_eq!(field(&rows[2], "tcp_state"), &Field::Null);
    assert_eq!(field(&rows[2], "retransmissions"), &Field::Null);
}

#[test]
fn groups_are_bounded_and_bytes_depend_on_flows_alone() {
    let many = u32::try_from(ROWS_IN_GROUP).unwrap() + 10;
    let bytes = table((0..many).map(flow));
    assert!(bytes == table((0..many).map(flow)));
    let reader = opened(&bytes);
    let metadata = reader.metadata();
    assert_eq!(metadata.num_row_groups(), 2);
    assert_eq!(metadata.file_metadata().num_rows(), i64::from(many));
    assert!(
        metadata
            .file_metadata()
            .created_by()
            .unwrap()
            .starts_with("farmhawk ")
    );
    for group in metadata.row_groups() {
        assert!(group.num_rows() <= i64::try_from(ROWS_IN_GROUP).unwrap());
    }
}

#[test]
fn a_table_without_flows_is_a_table() {
    assert_eq!(rows(&table(Vec::new())).len(), 0);
    let output = FlowTable::new(Vec::new()).unwrap();
    assert!(
        Box::new(output)
            .finish(&Case::default())
            .unwrap()
            .starts_with(b"PAR1")
    );
}

#[test]
fn hostile_text_is_data_and_comes_back_as_it_was() {
    let mut hostile = FlowRecord::default();
    hostile.facts.push(
        &FactField::of_flow("tls.sni"),
        Stamp::default(),
        &Value::Text {
            bytes: HOSTILE.as_bytes(),
            cut: false,
        },
    );
    let rows = rows(&table([hostile]));
    assert_eq!(field(&rows[0], "tls_sni"), &Field::Str(HOSTILE.to_owned()));
}

/// A flow of which everything is known that a TCP connection can show.
fn whole_flow() -> FlowRecord {
    let side = TcpSide {
        retransmissions: 3,
        out_of_order: 2,
        gaps: 1,
        gap_bytes: 1_400,
        unseen_bytes: 700,
        mss: Some(1_253),
        window_scale: Some(8),
        first_window: 64_240,
        ..TcpSide::default()
    };
    let mut latency = Latency::default();
    for milliseconds in [20, 22, 30] {
        latency.round_trips[0].add(milliseconds * 1_000_000);
        latency.round_trips[1].add(milliseconds * 1_000_000);
    }
    let mut whole = FlowRecord {
        tcp: Some(TcpRecord {
            sides: [side; 2],
            client_rtt: Some(1_000_000),
            server_rtt: Some(2_000_000),
            ..TcpRecord::default()
        }),
        protocols: [Some("tls"), Some("http"), None, None],
        answer: Some((Side::Server, 20_500_000)),
        latency: Some(Box::new(latency)),
        opened_tunnel: Encapsulation::Gre,
        ttl: [63, 52],
        ..flow(3)
    };
    let texts = [
        "tls.alpn",
        "tls.ja4",
        "tls.ja3",
        "tls.ja3s",
        "tls.certificate.issuer",
        "tls.certificate.subject",
        "ssh.client",
        "ssh.server",
        "http.host",
        "http.method",
        "http.url",
        "http.user_agent",
        "http.server",
        "dns.query",
    ];
    for name in texts {
        let value = Value::Text {
            bytes: b"something",
            cut: false,
        };
        whole
            .facts
            .push(&FactField::of_flow(name), Stamp::default(), &value);
    }
    whole
}

/// The column of a value of the JSON record, by its path there.
fn column(path: &str) -> String {
    let (head, tail) = path.split_once('.').unwrap_or((path, ""));
    let flat = tail.replace('.', "_");
    match head {
        "timestamp" => "start".to_owned(),
        "tcp" if tail == "state" => "tcp_state".to_owned(),
        "tcp" if tail.starts_with("rtt_ms.") => {
            format!(
                "rtt_{}_ms",
                tail.trim_start_matches("rtt_ms.").trim_end_matches("_side")
            )
        }
        "latency" => format!("latency_{}", flat.replace("_side_", "_")),
        "server_name" if tail == "name" => "server_name".to_owned(),
        "ssh" if tail == "hassh" => "hassh".to_owned(),
        // Names that stand alone without the object.
        "tcp" | "geo" => flat,
        _ if tail.is_empty() => head.to_owned(),
        _ => format!("{head}_{flat}"),
    }
}

fn leaves(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    match value.as_object() {
        Some(members) => {
            for (key, member) in members {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                leaves(member, &path, found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn every_value_of_the_json_record_has_its_column() {
    let known = Placed::new(PlaceRecord {
        country: Some("US".to_owned()),
        city: Some("Phoenix".to_owned()),
        asn: Some(64_500),
        as_org: Some("Example".to_owned()),
        kind: Some("hosting".to_owned()),
        kind_source: Some("a list".to_owned()),
        source: Some("a database".to_owned()),
    });
    let whole = whole_flow();
    let name = ServerName {
        name: "server.example".into(),
        source: NameSource::Dns,
        frame: FrameRef::default(),
        at: Timestamp::default(),
        lifetime: Some(300),
    };
    let reverse_name = ReverseName {
        name: "host-7.dyn.example".to_owned(),
        frame: FrameRef::default(),
    };
    let row = FlowRow {
        flow: &whole,
        server_name: Some(&name),
        places: [Some(&known), Some(&known)],
        reverse_names: [Some(&reverse_name), Some(&reverse_name)],
        community_id: "1:x",
    };
    let mut text = Vec::new();
    row.append_json(&mut text, &mut Clock::default());
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut paths = Vec::new();
    leaves(&json, "", &mut paths);
    assert!(paths.len() > 70, "{paths:?}");
    let mut output = FlowTable::new(Vec::new()).unwrap();
    output.flow(&row).unwrap();
    let rows = rows(&Box::new(output).finish(&case()).unwrap());
    let written: Vec<&String> = rows[0]
        .get_column_iter()
        .filter(|(_, value)| **value != Field::Null)
        .map(|(name, _)| name)
        .collect();
    let missing: Vec<&String> = paths
        .iter()
        .filter(|path| *path != "event_type" && !written.iter().any(|name| **name == column(path)))
        .collect();
    assert!(missing.is_empty(), "{missing:?} not among {written:?}");
}

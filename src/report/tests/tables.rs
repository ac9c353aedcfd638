//! `flows.parquet`, read back.

use std::fs::File;
use std::io::Write as _;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

use super::sample::{HOSTILE, case};
use super::sample_flow::flow;
use super::{row, us};
use crate::model::case::Case;
use crate::model::fact::{Field as FactField, Stamp, Value};
use crate::model::flow::FlowRecord;
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

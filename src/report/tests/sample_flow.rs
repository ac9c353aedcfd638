//! Flows to write: as many different ones as a test wants.

use super::sample::at;
use crate::model::address::{Address, Endpoint};
use crate::model::fact::{Field, Stamp, Value};
use crate::model::flow::{FlowRecord, TcpRecord, TcpState};
use crate::model::identity::ContentId;

/// A flow of a number, so that many different ones can be made.
pub(super) fn flow(number: u32) -> FlowRecord {
    let [.., high, low] = number.to_be_bytes();
    let mut flow = FlowRecord {
        id: ContentId(u64::from(number)),
        protocol: if number % 3 == 2 { 17 } else { 6 },
        client: Endpoint {
            address: Address::from_v4([192, 0, 2, low]),
            port: 40_000,
        },
        server: Endpoint {
            address: Address::from_v4([203, 0, 113, high]),
            port: 443,
        },
        start: at(i64::from(number)),
        end: at(i64::from(number) + 1),
        packets: [u64::from(number), 7],
        bytes: [1_000, 2_000],
        payload_bytes: [600, 1_600],
        app_proto: Some("tls"),
        tcp: (number % 3 != 2).then(|| TcpRecord {
            state: TcpState::Closed,
            server_rtt: Some(12_345_678),
            ..TcpRecord::default()
        }),
        ..FlowRecord::default()
    };
    let name = format!("server-{}.example", number % 100);
    flow.facts.push(
        &Field::of_flow("tls.sni"),
        Stamp::default(),
        &Value::Text {
            bytes: name.as_bytes(),
            cut: false,
        },
    );
    flow
}

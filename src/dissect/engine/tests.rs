//! Protocols that share one flow of datagrams.

use super::*;
use crate::dissect::tls::sample;
use crate::model::fact::{FactLog, Side, Stamp};

/// A binding request with the cookie and no attributes.
const STUN: &[u8] = b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl";

/// A whole ClientHello in one record of DTLS 1.2, with an empty cookie.
fn dtls_hello() -> Vec<u8> {
    let mut body = sample::client_hello_body();
    body.insert(35, 0);
    let whole = sample::message(1, &body);
    // Number of the message, where this piece begins, and its length.
    let (head, body) = whole.split_at(4);
    let message = [head, &[0; 5], &head[1..], body].concat();
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    record.extend(message);
    record
}

/// Names that spoke in a flow of these datagrams, all from the client.
fn speakers(datagrams: &[&[u8]]) -> Vec<&'static str> {
    let engine = Engine::default();
    let mut inspection = Inspection::default();
    engine.begin(&mut inspection, Layer::Udp);
    let view = FlowView {
        layer: Layer::Udp,
        protocol: 17,
        client_port: 50_000,
        server_port: 50_001,
    };
    let (mut flow, mut events) = (FactLog::default(), FactLog::default());
    let mut names = Vec::new();
    for bytes in datagrams {
        let input = Input {
            side: Side::Client,
            bytes,
            length_on_wire: u32::try_from(bytes.len()).unwrap(),
            after_gap: false,
        };
        let mut facts = Facts {
            flow: &mut flow,
            events: &mut events,
            stamp: Stamp::default(),
        };
        engine.datagram(&mut inspection, view, &input, 24, &mut facts, &mut |named| {
            if let Named::Speaks(number) = named {
                names.push(dissector(number).unwrap().name());
            }
        });
    }
    names
}

#[test]
fn dtls_is_found_behind_any_number_of_checks_by_ice() {
    let hello = dtls_hello();
    for checks in [1, 8, 100] {
        let mut datagrams = vec![STUN; checks];
        datagrams.push(&hello);
        assert_eq!(speakers(&datagrams), ["stun", "dtls"], "behind {checks}");
    }
}

#[test]
fn datagrams_of_nobody_end_the_search() {
    let hello = dtls_hello();
    let rtp = [0x80, 0x60, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let mut datagrams: Vec<&[u8]> = vec![STUN];
    datagrams.extend([&rtp[..]; MOST_PROBED as usize]);
    datagrams.push(&hello);
    assert_eq!(speakers(&datagrams), ["stun"]);
}

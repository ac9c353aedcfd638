//! Tunnels that were asked for by HTTP and refused.
//!
//! Question: is a server that answers CONNECT a proxy? Every web server on the Internet is asked by who looks for open proxies, and answers
//! with an error (RFC 9110, 9.3.6: only a 2xx opens the tunnel). So an error is no more than the attempt, but for the demand for a
//! proxy's credentials, which nothing but a proxy makes (RFC 9110, 15.5.8).

use crate::model::fact::{FieldId, Value};
use crate::model::flow::FlowRecord;

const METHOD: FieldId = FieldId::of("http.method");
const STATUS: FieldId = FieldId::of("http.status");
/// First octets of a connection that nobody reads, as SSTP's.
const TO_SERVER: FieldId = FieldId::of("payload.to_server");
const TO_CLIENT: FieldId = FieldId::of("payload.to_client");

/// Methods by which a tunnel is asked for: CONNECT, and that of SSTP (MS-SSTP 3.2.4.1).
const CONNECT: &str = "CONNECT";
const SSTP: &[u8] = b"SSTP_DUPLEX_POST ";

/// Proxy authentication required.
const CREDENTIALS: u64 = 407;

/// Whether a flow asked for a tunnel and got nothing but errors.
pub(super) fn is_refused(flow: &FlowRecord) -> bool {
    let is_error = |status: u64| status >= 300 && status != CREDENTIALS;
    if bytes(flow, TO_SERVER).is_some_and(|first| first.starts_with(SSTP)) {
        return bytes(flow, TO_CLIENT).and_then(status).is_some_and(is_error);
    }
    let asked = flow.facts.find(METHOD).and_then(|fact| fact.value.as_text());
    if asked != Some(CONNECT) {
        return false;
    }
    let mut statuses = flow
        .facts
        .iter()
        .filter(|fact| fact.field == STATUS)
        .filter_map(|fact| fact.value.as_number())
        .peekable();
    statuses.peek().is_some() && statuses.all(is_error)
}

fn bytes(flow: &FlowRecord, field: FieldId) -> Option<&[u8]> {
    let Value::Bytes { bytes, .. } = flow.facts.find(field)?.value else {
        return None;
    };
    Some(bytes)
}

/// The number in a status line (RFC 9112, 4).
fn status(line: &[u8]) -> Option<u64> {
    let version = line.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(version.get(2..5)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{FactLog, Field, Side, Stamp};
    use crate::model::frame::FrameRef;
    use crate::model::time::Timestamp;

    fn flow(method: &str, statuses: &[u64]) -> FlowRecord {
        let mut facts = FactLog::default();
        let stamp = |side| Stamp {
            at: Timestamp(1),
            source: FrameRef::default(),
            side,
        };
        let text = Value::Text {
            bytes: method.as_bytes(),
            cut: false,
        };
        facts.push(&Field::of_flow("http.method"), stamp(Side::Client), &text);
        for status in statuses {
            facts.push(
                &Field::of_flow("http.status"),
                stamp(Side::Server),
                &Value::Number(*status),
            );
        }
        FlowRecord {
            facts,
            ..FlowRecord::default()
        }
    }

    #[test]
    fn only_errors_refuse_and_the_demand_for_a_proxys_credentials_does_not() {
        for (statuses, refused) in [
            (&[405][..], true),
            (&[400, 403], true),
            (&[301], true),
            (&[200], false),
            (&[407], false),
            (&[403, 200], false),
            (&[], false),
        ] {
            assert_eq!(is_refused(&flow("CONNECT", statuses)), refused, "{statuses:?}");
            assert!(!is_refused(&flow("GET", statuses)), "{statuses:?}");
        }
    }

    #[test]
    fn a_gateway_of_sstp_answers_with_success_and_a_web_server_does_not() {
        let answered = |answer: &'static [u8]| {
            let mut facts = FactLog::default();
            let first: [(_, _, &[u8]); 2] = [
                (
                    "payload.to_server",
                    Side::Client,
                    b"SSTP_DUPLEX_POST /sra_{BA195980",
                ),
                ("payload.to_client", Side::Server, answer),
            ];
            for (name, side, bytes) in first {
                let stamp = Stamp {
                    at: Timestamp(1),
                    source: FrameRef::default(),
                    side,
                };
                let value = Value::Bytes { bytes, on_wire: 64 };
                facts.push(&Field::of_flow(name), stamp, &value);
            }
            is_refused(&FlowRecord {
                facts,
                ..FlowRecord::default()
            })
        };
        assert!(answered(b"HTTP/1.1 404 Not Found\r\n") && answered(b"HTTP/1.0 400 Bad Request\r\n"));
        for other in [
            &b"HTTP/1.1 200\r\n"[..],
            b"HTTP/1.",
            b"HTTP/1.1 4",
            b"\x10\x01\0\x30",
            b"",
        ] {
            assert!(!answered(other), "{other:?}");
        }
    }
}

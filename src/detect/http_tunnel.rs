//! Tunnels in cleartext HTTP: one path asked again and again, with bodies like chance both ways (told by `dissect::http::opaque`).
//!
//! Programs that carry connections in requests (reGeorg and its successors, ABPTTS, suo5, Tunna) post to one page that somebody put on
//! a web server, poll it or let the answer wait, and what they carry is encrypted. What posts to one path and is none of
//! these sends text, or says that it is compressed; an upload is answered in text, a download is asked for without a body. Protocols of
//! applications that encrypt by themselves look the same, so this is a lead of low confidence, whatever its volume. Costs other HTTP
//! connections a search of their facts, and everything else nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Concluded;
use super::lead::{Lead, Leads};
use super::recognise::Recognised;
use super::thresholds::{HttpTunnel, THRESHOLDS};
use super::watcher::{Ended, Watcher};
use crate::model::address::Address;
use crate::model::fact::{FieldId, Value};
use crate::model::finding::Confidence;
use crate::model::flow::FlowRecord;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::quantity::counted;
use crate::settings::limits::Limits;

/// What is judgement here.
fn own() -> &'static HttpTunnel {
    &THRESHOLDS.http_tunnel
}

const EXCHANGE: FieldId = FieldId::of("http.opaque_exchange");
const BOTH_WAYS: FieldId = FieldId::of("http.opaque_both_ways");
/// The catalogue's entry.
const TOOL: &str = "http-tunnel";
const PATH: FieldId = FieldId::of("http.path");

/// Hosts and servers whose path is remembered.
const MOST_PATHS: usize = 10_000;
/// Connections of that kind: exchanges, answers that waited, octets that each way has at least, exchanges both ways at once.
#[derive(Debug, Default)]
struct HttpTunnels {
    leads: Leads,
    /// The path that a host first asked a server for in this way, as a hash.
    paths: BTreeMap<(LocalIndex, Address, u16), u64>,
}

/// Watches for tunnels in HTTP.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<HttpTunnels>::default()
}

/// The path that all requests of a connection have, without what stands behind it, as a hash.
fn path(flow: &FlowRecord) -> Option<u64> {
    let mut paths = flow.facts.iter().filter(|fact| fact.field == PATH);
    let stem = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    let first = stem(paths.next()?.value.as_text()?);
    let are_equal = paths.all(|fact| fact.value.as_text().map(stem).is_some_and(|other| other == first));
    let mut hasher = DefaultHasher::new();
    first.hash(&mut hasher);
    are_equal.then(|| hasher.finish())
}

/// What a connection counts for.
fn counts(flow: &FlowRecord) -> Option<[u64; 4]> {
    flow.facts.find(EXCHANGE)?;
    let mut sums = [0_u64; 4];
    let [exchanges, waited, octets, both_ways] = &mut sums;
    for fact in &flow.facts {
        match (fact.field, fact.value) {
            (EXCHANGE, Value::Number(wait)) => {
                *exchanges = exchanges.saturating_add(1);
                *waited = waited.saturating_add(u64::from(wait >= own().long_ms));
            }
            (BOTH_WAYS, _) => *both_ways = both_ways.saturating_add(1),
            _ => {}
        }
    }
    let [out, back] = flow.payload_bytes;
    *octets = out.min(back);
    Some(sums)
}

impl HttpTunnels {
    fn add(&mut self, local: LocalIndex, flow: &FlowRecord) {
        let (Some(sums), Some(path)) = (counts(flow), path(flow)) else {
            return;
        };
        let key = (local, flow.server.address, flow.server.port);
        if self.paths.len() >= MOST_PATHS && !self.paths.contains_key(&key) {
            return;
        }
        if *self.paths.entry(key).or_insert(path) == path {
            self.leads.add(local, flow, sums);
        }
    }
}

impl Watcher for HttpTunnels {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if let [Some(local), _] = observation.locals
            && observation.flow.app_proto == Some("http")
            && recognised.is_empty()
        {
            self.add(local, observation.flow);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        self.leads.conclude(ended, concluded, "TCP", |server, gathered| {
            let [exchanges, waited, octets, both_ways] = gathered.sums;
            let is_stream = both_ways > 0;
            if octets < own().least_octets || (exchanges < own().fewest && !is_stream) {
                return None;
            }
            let mut what = format!(
                "{} for one path with bodies like chance both ways, at least {octets} octets each way",
                counted(exchanges, "exchange")
            );
            if waited > 0 {
                let _ = write!(what, ", {} that waited", counted(waited, "answer"));
            }
            if is_stream {
                what.push_str(", sent both ways at once");
            }
            let weights = &ended.knowledge.rules.findings.tunnel;
            Some(Lead {
                tool: TOOL,
                measure: "opaque_exchanges",
                what,
                note: "a heuristic: an application that encrypts its own messages and sends them by HTTP looks the same",
                summary: format!(
                    "HTTP with {server} carries data like chance both ways on one path, consistent with a tunnel (a heuristic)"
                ),
                benign: "an application or device that encrypts its own messages and sends them by HTTP, a game, a licence service",
                weight: if octets >= own().much_octets || waited >= own().long_waits || is_stream {
                    weights.http_much
                } else {
                    weights.http_little
                },
                confidence: Confidence::Low,
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{FactLog, Field, Stamp};

    fn connection(paths: &[&str], waits: &[u64]) -> FlowRecord {
        let mut facts = FactLog::default();
        for path in paths {
            let value = Value::Text {
                bytes: path.as_bytes(),
                cut: false,
            };
            facts.push(&Field::of_flow("http.path"), Stamp::default(), &value);
        }
        for wait in waits {
            let field = Field::of_flow("http.opaque_exchange");
            facts.push(&field, Stamp::default(), &Value::Number(*wait));
        }
        FlowRecord {
            facts,
            payload_bytes: [9_000, 30_000],
            ..FlowRecord::default()
        }
    }

    #[test]
    fn one_path_is_told_whatever_stands_behind_it_and_several_are_none() {
        let one = connection(&["/t.php?c=1", "/t.php?c=2"], &[1]);
        assert_eq!(path(&one), path(&connection(&["/t.php"], &[1])));
        assert_eq!(path(&connection(&["/a", "/b"], &[1])), None);
        assert_eq!(path(&connection(&[], &[1])), None);
    }

    #[test]
    fn exchanges_and_answers_that_waited_are_counted() {
        let counted = counts(&connection(&["/t"], &[30, 2_000, 25_000]));
        assert_eq!(counted, Some([3, 2, 9_000, 0]));
        assert_eq!(counts(&connection(&["/t"], &[])), None);
    }

    #[test]
    fn what_goes_to_another_path_of_the_server_is_not_counted_with_it() {
        let mut tunnels = HttpTunnels::default();
        tunnels.add(LocalIndex(1), &connection(&["/t"], &[1]));
        tunnels.add(LocalIndex(1), &connection(&["/u"], &[1]));
        tunnels.add(LocalIndex(2), &connection(&["/u"], &[1]));
        assert_eq!((tunnels.paths.len(), tunnels.leads.pairs()), (2, 2));
    }
}

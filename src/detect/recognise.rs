//! Which tools a flow may belong to, by the catalogue.
//!
//! Every fact of the flow is looked up once in the index of its field. What counts: of overlapping matches in one field
//! the heaviest, over different fields the sum, up to a ceiling. A tool is named only when at least one indicator may
//! name it alone (ports never may), or when two independent fields together weigh as much.

use std::collections::BTreeMap;

use crate::model::fact::{FactLog, FieldId, Side, Value};
use crate::model::frame::FrameRef;
use crate::model::observation::{NameSource, Observation};
use crate::model::segment::Layer;
use crate::model::time::Timestamp;
use crate::signatures::entry::{RoleHint, Tool};
use crate::signatures::payload::Transport;
use crate::signatures::{Catalogue, Match, PayloadContext};

/// Weight from which indicators of two fields may name a tool although neither may alone.
const TOGETHER: i32 = 30;

/// Beyond this more of the same adds nothing.
const CEILING: i32 = 60;

/// One indicator that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `tool:field`.
    pub signature: String,
    /// What the field held, in words.
    pub what: String,
    /// Decibans.
    pub weight: i32,
    /// False positives, as the catalogue notes them.
    pub note: Option<String>,
    /// What it says about the host on its side.
    pub role: Option<RoleHint>,
    /// Whether it may name the tool alone.
    pub alone: bool,
    /// The frame that shows it.
    pub frame: FrameRef,
    /// When.
    pub at: Timestamp,
    /// Which side said it.
    pub side: Side,
}

/// A tool that a flow belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The catalogue's identifier.
    pub tool: String,
    /// Sum of the heaviest of each field, up to a ceiling.
    pub score: i32,
    /// The heaviest of each field.
    pub seen: Vec<Seen>,
}

/// Recognises tools against one catalogue.
#[derive(Debug)]
pub struct Recogniser {
    /// Names of the catalogue's fields by the identifier that facts carry.
    fields: BTreeMap<FieldId, String>,
}

#[derive(Default)]
struct Gathered<'c>(BTreeMap<&'c str, BTreeMap<&'static str, Seen>>);

/// Groups of fields that say the same thing: the server's name by DNS and by SNI is one name.
fn group(field: &str) -> &'static str {
    match field {
        "tls.sni" | "dns.query" | "dns.cname" | "http.host" | "proxy.target" => "name",
        "tls.ja3" | "tls.ja4" | "tls.ja3s" => "fingerprint",
        "port.tcp" | "port.udp" => "port",
        "payload.to_server" | "websocket.to_server" => "first bytes of the client",
        "payload.to_client" | "websocket.to_client" => "first bytes of the server",
        "app_proto" => "protocol",
        "tls.alpn" => "alpn",
        field if field.starts_with("tls.certificate") || field.starts_with("tls.client_certificate") => {
            "certificate"
        }
        field if field.starts_with("http.") => "http",
        _ => "other",
    }
}

impl<'c> Gathered<'c> {
    fn add(&mut self, found: Match<'c>, field: &str, what: &str, frame: FrameRef, at: Timestamp, side: Side) {
        let weight = i32::from(found.weight());
        let place = self.0.entry(&found.tool.id).or_default();
        let group = group(field);
        if place
            .get(group)
            .is_some_and(|known| (known.weight, known.alone) >= (weight, found.indicator.alone))
        {
            return;
        }
        place.insert(
            group,
            Seen {
                signature: format!("{}:{field}", found.tool.id),
                what: what.to_owned(),
                weight,
                note: found.indicator.note.clone(),
                role: found.indicator.role,
                alone: found.indicator.alone,
                frame,
                at,
                side,
            },
        );
    }
}

impl Recogniser {
    /// Prepares the look-ups.
    #[must_use]
    pub fn new(catalogue: &Catalogue) -> Self {
        Self {
            fields: catalogue
                .fields()
                .map(|name| (FieldId::of(name), name.to_owned()))
                .collect(),
        }
    }

    /// The tools that a flow may belong to, in order of their identifiers.
    #[must_use]
    pub fn recognise(&self, catalogue: &Catalogue, observation: &Observation<'_>) -> Vec<Recognised> {
        let flow = observation.flow;
        let mut gathered = Gathered::default();
        let first = flow
            .frames
            .first_payload
            .iter()
            .flatten()
            .min()
            .copied()
            .unwrap_or(flow.frames.first);
        for protocol in flow.protocols.iter().flatten() {
            for found in catalogue.matches("app_proto", protocol.as_bytes()) {
                let what = format!("protocol {protocol}");
                gathered.add(found, "app_proto", &what, first, flow.start, Side::Client);
            }
        }
        self.facts(catalogue, &flow.facts, flow.layer, &mut gathered);
        if let Some(name) = &observation.server_name
            && matches!(name.source, NameSource::Dns | NameSource::StaleDns)
        {
            let said = if name.source == NameSource::Dns {
                "resolved before as"
            } else {
                "resolved long before as"
            };
            for found in catalogue.matches("dns.query", name.name.as_bytes()) {
                let what = format!("server {said} {}", name.name);
                gathered.add(found, "dns.query", &what, name.frame, name.at, Side::Client);
            }
        }
        if gathered.0.is_empty() {
            return Vec::new();
        }
        // Ports only colour what something else has named.
        let field = if flow.layer == Layer::Tcp {
            "port.tcp"
        } else {
            "port.udp"
        };
        let port = flow.server.port.to_string();
        for found in catalogue.matches(field, port.as_bytes()) {
            if gathered.0.contains_key(found.tool.id.as_str()) {
                let what = format!("port {port}");
                gathered.add(found, field, &what, flow.frames.first, flow.start, Side::Client);
            }
        }
        gathered
            .0
            .into_iter()
            .filter_map(|(tool, seen)| weigh(tool, seen))
            .collect()
    }

    fn facts<'c>(
        &self,
        catalogue: &'c Catalogue,
        facts: &FactLog,
        layer: Layer,
        gathered: &mut Gathered<'c>,
    ) {
        for fact in facts {
            let Some(field) = self.fields.get(&fact.field) else {
                continue;
            };
            match fact.value {
                Value::Text { bytes, .. } => {
                    let list = std::str::from_utf8(bytes).unwrap_or_default();
                    // ALPN stands as a list; each offer is looked up by itself.
                    let values = if field == "tls.alpn" {
                        list.split(',')
                    } else {
                        list.split('\0')
                    };
                    for value in values {
                        for found in catalogue.matches(field, value.as_bytes()) {
                            let what = format!("{field} {value}");
                            gathered.add(found, field, &what, fact.source, fact.at, fact.side);
                        }
                    }
                }
                Value::Bytes { bytes, on_wire } => {
                    let context = PayloadContext {
                        transport: Some(if layer == Layer::Tcp {
                            Transport::Tcp
                        } else {
                            Transport::Udp
                        }),
                        length_on_wire: usize::try_from(on_wire).ok(),
                    };
                    for found in catalogue.payload_matches(field, bytes, context) {
                        let shown: Vec<String> =
                            bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                        let what = format!("{} {}", group(field), shown.join(" "));
                        gathered.add(found, field, &what, fact.source, fact.at, fact.side);
                    }
                }
                Value::Number(_) | Value::Endpoint(..) | Value::Answer { .. } => {}
            }
        }
    }
}

fn weigh(tool: &str, seen: BTreeMap<&'static str, Seen>) -> Option<Recognised> {
    let mut seen: Vec<Seen> = seen.into_values().collect();
    let score = seen.iter().map(|one| one.weight).sum::<i32>().min(CEILING);
    let other_than_port = seen
        .iter()
        .filter(|one| !one.signature.contains(":port."))
        .count();
    let is_named = seen.iter().any(|one| one.alone) || other_than_port >= 2 && score >= TOGETHER;
    if !is_named {
        return None;
    }
    seen.sort_by(|a, b| {
        b.weight
            .cmp(&a.weight)
            .then_with(|| a.signature.cmp(&b.signature))
    });
    Some(Recognised {
        tool: tool.to_owned(),
        score,
        seen,
    })
}

/// What a name that a host merely asked for says: the tool and the indicator.
#[must_use]
pub fn asked<'c>(catalogue: &'c Catalogue, name: &str) -> Option<(&'c Tool, Match<'c>)> {
    catalogue
        .matches("dns.query", name.as_bytes())
        .filter(|found| found.indicator.alone)
        .max_by_key(|found| (found.weight(), std::cmp::Reverse(found.tool.id.clone())))
        .map(|found| (found.tool, found))
}

//! Which tools a flow may belong to, by the catalogue.
//!
//! Every fact of the flow is looked up once in the index of its field. What counts: of overlapping matches in one field
//! the heaviest, over different fields the sum, up to a ceiling. A tool is named only when at least one indicator may
//! name it alone (ports never may), or when two independent fields together weigh as much.

mod seen;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

pub use seen::{Seen, Shown, text_value};

use super::thresholds::THRESHOLDS;
use crate::model::authority::host_of;
use crate::model::fact::{FieldId, Value};
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::observation::{NameSource, ServerName};
use crate::model::segment::{Encapsulation, Layer};
use crate::model::thresholds;
use crate::model::time::Timestamp;
use crate::signatures::conversation::is_answered;
use crate::signatures::entry::{Indicator, Tool};
use crate::signatures::payload::Transport;
use crate::signatures::{Catalogue, FieldPlace, Match, Matches, PayloadContext};

/// The form in which a request names what it asks for, and whom it names in the form that proxies are asked in.
const TARGET_FORM: FieldId = FieldId::of("http.target_form");
const PROXY_TARGET: FieldId = FieldId::of("http.proxy_target");

/// The protocols that a client offers to speak in TLS, as a list.
const ALPN: FieldId = FieldId::of("tls.alpn");

/// Whose octets are lengths and no first bytes.
const LENGTHS: [FieldId; 2] = [FieldId::of("tls.lengths"), FieldId::of("payload.lengths")];

/// Whether a whole address that a request asked for is that of the server it went to, which a proxy is never asked for: servers must take
/// requests in that form (RFC 9112, 3.2.2), and some programs write them so.
fn asks_the_server_itself(flow: &FlowRecord, server_name: Option<&ServerName>) -> bool {
    let Some(target) = flow
        .facts
        .find(PROXY_TARGET)
        .and_then(|fact| fact.value.as_text())
    else {
        return false;
    };
    let host = host_of(target.as_bytes());
    let address = std::str::from_utf8(host).ok().and_then(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().ok()
    });
    match address {
        Some(address) => address == flow.server.address.to_ip(),
        None => server_name.is_some_and(|server| server.name.as_bytes().eq_ignore_ascii_case(host)),
    }
}

/// A tool that a flow belongs to.
#[derive(Clone, Debug)]
pub struct Recognised<'a> {
    /// The tool.
    pub tool: &'a Tool,
    /// Sum of the heaviest of each group, up to a ceiling.
    pub score: i32,
    /// The heaviest of each group.
    pub seen: Vec<Seen<'a>>,
}

/// Recognises tools against one catalogue.
#[derive(Debug)]
pub struct Recogniser {
    /// Protocols that no tool of the catalogue is named by: most flows speak one of these.
    plain: Vec<&'static str>,
    /// The catalogue's fields by the identifier that facts carry.
    fields: HashMap<FieldId, Field, rapidhash::fast::RandomState>,
    own: OwnFields,
}

/// The catalogue's fields that are looked up without a fact.
pub static OWN_FIELDS: &[&str] = &[
    "app_proto",
    "dns.query",
    "ip.address",
    "ip.server",
    "port.tcp",
    "port.udp",
    "tunnel",
];

/// A field that is asked about.
#[derive(Clone, Debug)]
struct Field {
    name: Arc<str>,
    group: &'static str,
    /// Where the catalogue has it.
    place: FieldPlace,
}

/// Fields that are asked about without a fact.
#[derive(Debug)]
struct OwnFields {
    protocol: Field,
    query: Field,
    address: Field,
    server: Field,
    tcp: Field,
    udp: Field,
    tunnel: Field,
}

impl Field {
    fn of(catalogue: &Catalogue, name: &str) -> Self {
        Self {
            name: Arc::from(name),
            group: group(name),
            place: catalogue.field(name).unwrap_or(FieldPlace::NOWHERE),
        }
    }

    fn matches<'c>(&self, catalogue: &'c Catalogue, value: &[u8]) -> Matches<'c> {
        self.payload_matches(catalogue, value, PayloadContext::default())
    }

    fn payload_matches<'c>(
        &self,
        catalogue: &'c Catalogue,
        value: &[u8],
        context: PayloadContext,
    ) -> Matches<'c> {
        catalogue.matches_at(self.place, value, context)
    }
}

/// What was gathered, in the order in which it was found: a handful at most.
#[derive(Default)]
struct Gathered<'a>(Vec<(&'a Tool, Seen<'a>)>);

/// The group of what a dissector recognised.
pub const PROTOCOL: &str = "protocol";

/// The groups of what either side said first.
pub const FIRST_BYTES: [&str; 2] = ["first bytes of the client", "first bytes of the server"];

/// What carries a flow's payloads, as byte and length patterns say it.
fn transport_of(flow: &FlowRecord) -> Transport {
    if flow.layer == Layer::Tcp {
        Transport::Tcp
    } else {
        Transport::Udp
    }
}

/// Groups of fields that say the same thing: the server's name by DNS and by SNI is one name.
fn group(field: &str) -> &'static str {
    match field {
        "tls.sni" | "dns.query" | "dns.cname" | "http.host" | "http.proxy_target" | "socks.target" => "name",
        "tls.ja3" | "tls.ja4" | "tls.ja3s" => "fingerprint",
        "port.tcp" | "port.udp" => "port",
        "payload.to_server" | "websocket.to_server" => "first bytes of the client",
        "payload.to_client" | "websocket.to_client" => "first bytes of the server",
        "app_proto" | "tunnel" => PROTOCOL,
        "payload.lengths" => "lengths of the first payloads",
        "tls.lengths" => "lengths of the client's first records",
        "tls.alpn" => "alpn",
        "ip.address" | "ip.server" => "address",
        field if field.starts_with("tls.certificate") || field.starts_with("tls.client_certificate") => {
            "certificate"
        }
        field if field.starts_with("http.") => "http",
        _ => "other",
    }
}

impl<'a> Gathered<'a> {
    fn add(
        &mut self,
        found: &Match<'a>,
        field: &Field,
        shown: Shown<'a>,
        frame: FrameRef,
        at: Option<Timestamp>,
    ) {
        let group = field.group;
        let rank = |indicator: &Indicator| (indicator.weight, indicator.alone);
        let known = self
            .0
            .iter_mut()
            .find(|(tool, seen)| tool.place == found.tool.place && seen.group == group);
        if let Some((_, known)) = &known
            && rank(known.indicator) >= rank(found.indicator)
        {
            return;
        }
        let seen = Seen {
            group,
            field: Arc::clone(&field.name),
            shown,
            indicator: found.indicator,
            frame,
            at,
        };
        match known {
            Some((_, place)) => *place = seen,
            None => self.0.push((found.tool, seen)),
        }
    }
}

impl Recogniser {
    /// Prepares the look-ups.
    #[must_use]
    pub fn new(catalogue: &Catalogue) -> Self {
        Self {
            plain: Vec::new(),
            fields: catalogue
                .fields()
                .map(|name| (FieldId::of(name), Field::of(catalogue, name)))
                .collect(),
            own: OwnFields {
                protocol: Field::of(catalogue, "app_proto"),
                query: Field::of(catalogue, "dns.query"),
                address: Field::of(catalogue, "ip.address"),
                server: Field::of(catalogue, "ip.server"),
                tcp: Field::of(catalogue, "port.tcp"),
                udp: Field::of(catalogue, "port.udp"),
                tunnel: Field::of(catalogue, "tunnel"),
            },
        }
    }

    /// Where the catalogue has a field of facts.
    #[must_use]
    pub fn place(&self, field: FieldId) -> FieldPlace {
        self.fields
            .get(&field)
            .map_or(FieldPlace::NOWHERE, |field| field.place)
    }

    /// The tools that a flow may belong to, in order of their identifiers.
    pub fn recognise<'a>(
        &mut self,
        catalogue: &'a Catalogue,
        flow: &'a FlowRecord,
        server_name: Option<&'a ServerName>,
    ) -> Vec<Recognised<'a>> {
        let mut gathered = Gathered::default();
        let first = flow
            .frames
            .first_payload
            .iter()
            .flatten()
            .min()
            .copied()
            .unwrap_or(flow.frames.first);
        // The record has the time of the first frame; that of another is known where a fact was said in it.
        let of_first = || {
            let is_start = first == flow.frames.first;
            let said = || {
                flow.facts
                    .iter()
                    .find(|fact| fact.source == first)
                    .map(|fact| fact.at)
            };
            is_start.then_some(flow.start).or_else(said)
        };
        for protocol in flow.protocols.iter().flatten() {
            if self.plain.contains(protocol) {
                continue;
            }
            let mut is_plain = true;
            for found in self.own.protocol.matches(catalogue, protocol.as_bytes()) {
                gathered.add(
                    &found,
                    &self.own.protocol,
                    Shown::Protocol(protocol),
                    first,
                    of_first(),
                );
                is_plain = false;
            }
            if is_plain {
                self.plain.push(protocol);
            }
        }
        // What is inside a tunnel that was opened speaks for itself; its outside has no other name.
        if flow.opened_tunnel != Encapsulation::None {
            let name = flow.opened_tunnel.name();
            for found in self.own.tunnel.matches(catalogue, name.as_bytes()) {
                let (field, shown) = (&self.own.tunnel, Shown::Tunnel(name));
                gathered.add(&found, field, shown, first, of_first());
            }
        }
        self.facts(catalogue, flow, server_name, &mut gathered);
        if let Some(name) = server_name
            && matches!(name.source, NameSource::Dns | NameSource::StaleDns)
        {
            for found in self.own.query.matches(catalogue, name.name.as_bytes()) {
                gathered.add(
                    &found,
                    &self.own.query,
                    Shown::Resolved(name),
                    name.frame,
                    Some(name.at),
                );
            }
        }
        self.addresses(catalogue, flow, &mut gathered);
        if gathered.0.is_empty() {
            return Vec::new();
        }
        // Ports only colour what something else has named.
        let field = if flow.layer == Layer::Tcp {
            &self.own.tcp
        } else {
            &self.own.udp
        };
        let port = flow.server.port;
        for found in field.matches(catalogue, port.to_string().as_bytes()) {
            if gathered.0.iter().any(|(tool, _)| tool.place == found.tool.place) {
                gathered.add(
                    &found,
                    field,
                    Shown::Port(port),
                    flow.frames.first,
                    Some(flow.start),
                );
            }
        }
        weigh(gathered)
    }

    fn addresses<'a>(&self, catalogue: &'a Catalogue, flow: &FlowRecord, gathered: &mut Gathered<'a>) {
        for (end, is_called) in [(flow.client.address, false), (flow.server.address, true)] {
            if !catalogue.may_hold(self.own.address.place, end) {
                continue;
            }
            let matches = self.own.address.matches(catalogue, &end.0);
            for found in matches.filter(|found| found.indicator.conversation.is(flow, is_called)) {
                let (field, shown) = (&self.own.address, Shown::Address(end));
                gathered.add(&found, field, shown, flow.frames.first, Some(flow.start));
            }
        }
        // A machine has other services: time by UDP, pages in the clear. And anybody can try its ports.
        let (end, own) = (flow.server.address, &self.own.server);
        let may_be = catalogue.may_hold(own.place, end)
            && flow.layer == Layer::Tcp
            && matches!(flow.app_proto, None | Some("tls"));
        if may_be && is_answered(flow) {
            let matches = own.matches(catalogue, &end.0);
            for found in matches.filter(|found| found.indicator.conversation.is(flow, true)) {
                let shown = Shown::Address(end);
                gathered.add(&found, own, shown, flow.frames.first, Some(flow.start));
            }
        }
    }

    fn facts<'a>(
        &self,
        catalogue: &'a Catalogue,
        flow: &'a FlowRecord,
        server_name: Option<&ServerName>,
        gathered: &mut Gathered<'a>,
    ) {
        for fact in &flow.facts {
            let Some(field) = self.fields.get(&fact.field) else {
                continue;
            };
            match fact.value {
                Value::Text { .. }
                    if fact.field == TARGET_FORM && asks_the_server_itself(flow, server_name) => {}
                Value::Text { bytes, .. } => {
                    let mut look_up = |value: &'a str| {
                        for found in field.matches(catalogue, value.as_bytes()) {
                            gathered.add(&found, field, Shown::Text(value), fact.source, Some(fact.at));
                        }
                    };
                    let text = std::str::from_utf8(bytes).unwrap_or_default();
                    // ALPN stands as a list; each offer is looked up by itself. No text has a zero that means anything.
                    if fact.field == ALPN {
                        text.split(',').for_each(look_up);
                    } else if bytes.contains(&0) {
                        text.split('\0').for_each(look_up);
                    } else {
                        look_up(text);
                    }
                }
                Value::Bytes { bytes, .. } if LENGTHS.contains(&fact.field) => {
                    let context = PayloadContext {
                        transport: Some(transport_of(flow)),
                        length_on_wire: None,
                    };
                    for found in field.payload_matches(catalogue, bytes, context) {
                        gathered.add(&found, field, Shown::Lengths(bytes), fact.source, Some(fact.at));
                    }
                }
                Value::Bytes { bytes, on_wire } => {
                    let context = PayloadContext {
                        transport: Some(transport_of(flow)),
                        length_on_wire: usize::try_from(on_wire).ok(),
                    };
                    for found in field.payload_matches(catalogue, bytes, context) {
                        gathered.add(&found, field, Shown::Bytes(bytes), fact.source, Some(fact.at));
                    }
                }
                Value::Number(number) => {
                    for found in field.matches(catalogue, number.to_string().as_bytes()) {
                        gathered.add(&found, field, Shown::Number(number), fact.source, Some(fact.at));
                    }
                }
                Value::Endpoint(..) | Value::Answer { .. } => {}
            }
        }
    }
}

/// Sums what was gathered for each tool and keeps the tools that may be named.
fn weigh(mut gathered: Gathered<'_>) -> Vec<Recognised<'_>> {
    gathered.0.sort_by(|(one, seen), (other, also)| {
        let by_tool = if one.place == other.place {
            Ordering::Equal
        } else {
            one.id.cmp(&other.id)
        };
        by_tool
            .then(also.weight().cmp(&seen.weight()))
            .then(seen.group.cmp(also.group))
    });
    let mut list: Vec<Recognised<'_>> = Vec::new();
    for (tool, seen) in gathered.0 {
        match list.last_mut() {
            Some(last) if last.tool.place == tool.place => last.seen.push(seen),
            _ => list.push(Recognised {
                tool,
                score: 0,
                seen: vec![seen],
            }),
        }
    }
    list.retain_mut(|one| {
        one.score = one
            .seen
            .iter()
            .map(Seen::weight)
            .sum::<i32>()
            .min(thresholds::THRESHOLDS.finding.highest_score);
        let other_than_port = one.seen.iter().filter(|seen| seen.group != "port").count();
        one.seen.iter().any(|seen| seen.indicator.alone)
            || other_than_port >= 2 && one.score >= THRESHOLDS.recognition.together
    });
    // A product on top of a protocol says both: the protocol stands in the product's own entry. It must be surer than the
    // protocol, or the surer finding would be lost.
    let carried: Vec<(&str, i32)> = list
        .iter()
        .filter_map(|one| one.tool.protocol.as_deref().map(|protocol| (protocol, one.score)))
        .collect();
    list.retain(|one| {
        let is_carried = |(protocol, score): &(&str, i32)| *protocol == one.tool.id && *score > one.score;
        !carried.iter().any(is_carried)
    });
    list
}

/// What a name that a host merely asked for, or was told, says: the tool and the indicator.
#[must_use]
pub fn asked<'c>(catalogue: &'c Catalogue, field: FieldPlace, name: &str) -> Option<(&'c Tool, Match<'c>)> {
    catalogue
        .matches_at(field, name.as_bytes(), PayloadContext::default())
        .filter(|found| found.indicator.alone)
        .max_by_key(|found| (found.weight(), std::cmp::Reverse(found.tool.id.as_str())))
        .map(|found| (found.tool, found))
}

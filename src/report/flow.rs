//! The flow record as JSON writes it (INTERFACE, `event_type: "flow"`): Suricata's EVE names where one exists.
//!
//! Borrows everything from the record; a field is left out when it is unknown, never null.

use super::json::write_value;
pub use super::members::Clock;
use super::members::{address, identifier, key, list, number, object, text, thousandths, word};
use crate::model::fact::{FactLog, FieldId, Side, Value};
use crate::model::finding::PlaceRecord;
use crate::model::flow::{FlowRecord, TcpRecord, TcpSide};
use crate::model::latency::Latency;
use crate::model::observation::ServerName;
use crate::model::reverse_name::ReverseName;
use crate::model::segment::Encapsulation;
use crate::model::sketch::Quantiles;

/// A flow and what was found out about it.
#[derive(Clone, Copy, Debug)]
pub struct FlowRow<'a> {
    /// The record.
    pub flow: &'a FlowRecord,
    /// Best name of its server.
    pub server_name: Option<&'a ServerName>,
    /// Places of client and server.
    pub places: [Option<&'a Placed>; 2],
    /// What answers in the capture called the addresses of client and server.
    pub reverse_names: [Option<&'a ReverseName>; 2],
    /// Community ID.
    pub community_id: &'a str,
}

/// A place and its JSON text, written once for the many flows of its address.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The place.
    pub record: PlaceRecord,
    json: Box<[u8]>,
}

impl Placed {
    /// Writes the text.
    #[must_use]
    pub fn new(record: PlaceRecord) -> Self {
        let mut json = Vec::new();
        // A structure of texts and numbers refuses nothing.
        let _ = write_value(&mut json, &record);
        Self {
            record,
            json: json.into_boxed_slice(),
        }
    }
}

#[derive(Default)]
pub(super) struct Tls<'a> {
    pub(super) sni: Option<&'a str>,
    pub(super) alpn: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) ja4: Option<&'a str>,
    pub(super) ja3: Option<&'a str>,
    pub(super) ja3s: Option<&'a str>,
    pub(super) issuer: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
}

#[derive(Default)]
pub(super) struct Quic<'a> {
    pub(super) version: Option<&'a str>,
}

#[derive(Default)]
pub(super) struct Ssh<'a> {
    pub(super) client: Option<&'a str>,
    pub(super) server: Option<&'a str>,
    pub(super) hassh: Option<&'a str>,
}

#[derive(Default)]
pub(super) struct Http<'a> {
    pub(super) hostname: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) url: Option<&'a str>,
    pub(super) user_agent: Option<&'a str>,
    pub(super) server: Option<&'a str>,
    pub(super) status: Option<u64>,
}

#[derive(Default)]
pub(super) struct Dns<'a> {
    pub(super) rrname: Option<&'a str>,
}

/// What the facts of a flow say, sorted into the record's objects.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) tls: Option<Tls<'a>>,
    pub(super) quic: Option<Quic<'a>>,
    pub(super) ssh: Option<Ssh<'a>>,
    pub(super) http: Option<Http<'a>>,
    pub(super) dns: Option<Dns<'a>>,
}

/// Where a text fact goes. The first of a field counts, as the first request of a connection does.
fn place<'s, 'a>(said: &'s mut Said<'a>, field: FieldId) -> Option<&'s mut Option<&'a str>> {
    const SNI: FieldId = FieldId::of("tls.sni");
    const ALPN: FieldId = FieldId::of("tls.alpn");
    const VERSION: FieldId = FieldId::of("tls.version");
    const JA4: FieldId = FieldId::of("tls.ja4");
    const JA3: FieldId = FieldId::of("tls.ja3");
    const JA3S: FieldId = FieldId::of("tls.ja3s");
    const ISSUER: FieldId = FieldId::of("tls.certificate.issuer");
    const SUBJECT: FieldId = FieldId::of("tls.certificate.subject");
    const QUIC_VERSION: FieldId = FieldId::of("quic.version");
    const SSH_CLIENT: FieldId = FieldId::of("ssh.client");
    const SSH_SERVER: FieldId = FieldId::of("ssh.server");
    const HASSH: FieldId = FieldId::of("ssh.hassh");
    const HOST: FieldId = FieldId::of("http.host");
    const METHOD: FieldId = FieldId::of("http.method");
    const PATH: FieldId = FieldId::of("http.path");
    const USER_AGENT: FieldId = FieldId::of("http.user_agent");
    const SERVER: FieldId = FieldId::of("http.server");
    const DNS_NAME: FieldId = FieldId::of("dns.name");
    Some(match field {
        SNI => &mut said.tls.get_or_insert_default().sni,
        ALPN => &mut said.tls.get_or_insert_default().alpn,
        VERSION => &mut said.tls.get_or_insert_default().version,
        JA4 => &mut said.tls.get_or_insert_default().ja4,
        JA3 => &mut said.tls.get_or_insert_default().ja3,
        JA3S => &mut said.tls.get_or_insert_default().ja3s,
        ISSUER => &mut said.tls.get_or_insert_default().issuer,
        SUBJECT => &mut said.tls.get_or_insert_default().subject,
        QUIC_VERSION => &mut said.quic.get_or_insert_default().version,
        SSH_CLIENT => &mut said.ssh.get_or_insert_default().client,
        SSH_SERVER => &mut said.ssh.get_or_insert_default().server,
        HASSH => &mut said.ssh.get_or_insert_default().hassh,
        HOST => &mut said.http.get_or_insert_default().hostname,
        METHOD => &mut said.http.get_or_insert_default().method,
        PATH => &mut said.http.get_or_insert_default().url,
        USER_AGENT => &mut said.http.get_or_insert_default().user_agent,
        SERVER => &mut said.http.get_or_insert_default().server,
        DNS_NAME => &mut said.dns.get_or_insert_default().rrname,
        _ => return None,
    })
}

pub(super) fn sort(facts: &FactLog) -> Said<'_> {
    const STATUS: FieldId = FieldId::of("http.status");
    let mut said = Said::default();
    for fact in facts {
        match fact.value {
            Value::Text { bytes, .. } => {
                if let Ok(text) = std::str::from_utf8(bytes)
                    && let Some(place) = place(&mut said, fact.field)
                {
                    place.get_or_insert(text);
                }
            }
            Value::Number(number) if fact.field == STATUS => {
                said.http.get_or_insert_default().status.get_or_insert(number);
            }
            Value::Number(_) | Value::Bytes { .. } | Value::Endpoint(..) | Value::Answer { .. } => {}
        }
    }
    said
}

impl FlowRow<'_> {
    /// Appends the record as one JSON object.
    pub fn append_json(&self, to: &mut Vec<u8>, clock: &mut Clock) {
        let start = clock.text(self.flow.start);
        object(to, |to| {
            self.append_ends(to, &start);
            self.append_counters(to, &start, clock);
            self.append_contents(to);
        });
    }

    /// Appends who spoke with whom.
    fn append_ends(&self, to: &mut Vec<u8>, start: &[u8; 29]) {
        let flow = self.flow;
        to.extend_from_slice(b",\"event_type\":\"flow\",\"timestamp\":");
        to.extend_from_slice(start);
        key!(to, "flow_id");
        identifier(to, flow.id);
        key!(to, "community_id");
        word(to, self.community_id);
        let has_ports = matches!(flow.protocol, 6 | 17 | 132) && flow.icmp.is_none();
        key!(to, "src_ip");
        address(to, flow.client.address.to_ip());
        if has_ports {
            key!(to, "src_port");
            number(to, flow.client.port);
        }
        key!(to, "dest_ip");
        address(to, flow.server.address.to_ip());
        if has_ports {
            key!(to, "dest_port");
            number(to, flow.server.port);
        }
        key!(to, "proto");
        match flow.transport_name() {
            Some(name) => word(to, name),
            None => word(to, &flow.protocol.to_string()),
        }
        if let Some(name) = flow.app_proto {
            key!(to, "app_proto");
            word(to, name);
        }
        // One protocol or none says no more than `app_proto`.
        if flow.protocols.iter().flatten().count() > 1 {
            key!(to, "protocols");
            list(to, flow.protocols.iter().flatten(), |to, name| word(to, name));
        }
        if let Some([kind, code]) = flow.icmp {
            key!(to, "icmp_type");
            number(to, kind);
            key!(to, "icmp_code");
            number(to, code);
        }
        if flow.tunnels.depth() > 0 {
            key!(to, "tunnel");
            list(to, flow.tunnels.iter(), |to, tunnel| word(to, tunnel.name()));
        }
        if flow.opened_tunnel != Encapsulation::None {
            key!(to, "opened_tunnel");
            to.extend_from_slice(b"true");
        }
        let vlans = flow.space.vlans();
        if vlans != [None, None] {
            key!(to, "vlan");
            list(to, vlans.into_iter().flatten(), number);
        }
        if let Some(network) = flow.space.identifier() {
            key!(to, "network_id");
            number(to, network);
        }
    }

    fn append_counters(&self, to: &mut Vec<u8>, start: &[u8; 29], clock: &mut Clock) {
        let flow = self.flow;
        key!(to, "start");
        to.extend_from_slice(start);
        key!(to, "end");
        to.extend_from_slice(&clock.text(flow.end));
        let ([packets_there, packets_back], [there, back]) = (flow.packets, flow.bytes);
        let [payload_there, payload_back] = flow.payload_bytes;
        key!(to, "pkts_toserver");
        number(to, packets_there);
        key!(to, "pkts_toclient");
        number(to, packets_back);
        key!(to, "bytes_toserver");
        number(to, there);
        key!(to, "bytes_toclient");
        number(to, back);
        key!(to, "payload_toserver");
        number(to, payload_there);
        key!(to, "payload_toclient");
        number(to, payload_back);
        key!(to, "opener");
        word(to, flow.opener.name());
        key!(to, "reason");
        word(to, flow.end_reason.name());
        if let Some(record) = &flow.tcp {
            key!(to, "tcp");
            object(to, |to| tcp(to, flow, record));
        }
        if let Some((_, span)) = flow.answer {
            key!(to, "answer_ms");
            thousandths(to, span / 1_000);
        }
        if let Some(measured) = &flow.latency {
            latency(to, measured);
        }
    }

    fn append_contents(&self, to: &mut Vec<u8>) {
        if let Some(called) = self.server_name {
            key!(to, "server_name");
            object(to, |to| {
                key!(to, "name");
                text(to, &called.name);
                key!(to, "source");
                word(to, called.source.name());
                if let Some(lifetime) = called.lifetime {
                    key!(to, "lifetime");
                    number(to, lifetime);
                }
            });
        }
        if !self.flow.facts.is_empty() {
            said(to, &sort(&self.flow.facts));
        }
        let [from, at] = self.reverse_names;
        if from.is_some() || at.is_some() {
            key!(to, "reverse_name");
            object(to, |to| {
                if let Some(named) = from {
                    key!(to, "src");
                    text(to, &named.name);
                }
                if let Some(named) = at {
                    key!(to, "dest");
                    text(to, &named.name);
                }
            });
        }
        if let [None, None] = self.places {
            return;
        }
        let [from, at] = self.places;
        key!(to, "geo");
        object(to, |to| {
            if let Some(place) = from {
                key!(to, "src");
                to.extend_from_slice(&place.json);
            }
            if let Some(place) = at {
                key!(to, "dest");
                to.extend_from_slice(&place.json);
            }
        });
    }
}

/// Figures of the round trips on both sides of the capture point, of the few flows that have them.
fn latency(to: &mut Vec<u8>, measured: &Latency) {
    let [client, server] = measured.quantiles();
    if client.is_none() && server.is_none() {
        return;
    }
    key!(to, "latency");
    object(to, |to| {
        if let Some(client) = client {
            key!(to, "client_side");
            quantiles(to, &client);
        }
        if let Some(server) = server {
            key!(to, "server_side");
            quantiles(to, &server);
        }
    });
}

fn quantiles(to: &mut Vec<u8>, side: &Quantiles) {
    object(to, |to| {
        key!(to, "count");
        number(to, side.count);
        key!(to, "min_ms");
        thousandths(to, side.least / 1_000);
        key!(to, "median_ms");
        thousandths(to, side.median / 1_000);
        key!(to, "p90_ms");
        thousandths(to, side.ninth_decile / 1_000);
        key!(to, "jitter_ms");
        thousandths(to, side.jitter / 1_000);
    });
}

fn tcp(to: &mut Vec<u8>, flow: &FlowRecord, record: &TcpRecord) {
    let [client, server] = &record.sides;
    key!(to, "state");
    word(to, record.state.name());
    if record.client_rtt.is_some() || record.server_rtt.is_some() {
        key!(to, "rtt_ms");
        object(to, |to| {
            if let Some(span) = record.client_rtt {
                key!(to, "client_side");
                thousandths(to, span / 1_000);
            }
            if let Some(span) = record.server_rtt {
                key!(to, "server_side");
                thousandths(to, span / 1_000);
            }
        });
    }
    let both = |counter: fn(&TcpSide) -> u32| counter(client).saturating_add(counter(server));
    let counters = [
        both(|side| side.retransmissions),
        both(|side| side.out_of_order),
        both(|side| side.gaps),
    ];
    if counters == [0; 3] {
        // Of nearly all connections.
        to.extend_from_slice(b",\"retransmissions\":0,\"out_of_order\":0,\"gaps\":0");
    } else {
        let [retransmissions, out_of_order, gaps] = counters;
        key!(to, "retransmissions");
        number(to, retransmissions);
        key!(to, "out_of_order");
        number(to, out_of_order);
        key!(to, "gaps");
        number(to, gaps);
    }
    let gap_bytes = client.gap_bytes.saturating_add(server.gap_bytes);
    if gap_bytes > 0 {
        key!(to, "gap_bytes");
        number(to, gap_bytes);
        let unseen = client.unseen_bytes.saturating_add(server.unseen_bytes);
        if unseen > 0 {
            key!(to, "unseen_bytes");
            number(to, unseen);
        }
    }
    let [from_client, from_server] = flow.packets;
    if from_client > 0 {
        key!(to, "client");
        object(to, |to| tcp_end(to, flow, Side::Client, client));
    }
    if from_server > 0 {
        key!(to, "server");
        object(to, |to| tcp_end(to, flow, Side::Server, server));
    }
}

fn tcp_end(to: &mut Vec<u8>, flow: &FlowRecord, side: Side, end: &TcpSide) {
    if let Some(size) = end.mss {
        key!(to, "mss");
        number(to, size);
    }
    if let Some(scale) = end.window_scale {
        key!(to, "window_scale");
        number(to, scale);
    }
    key!(to, "window");
    number(to, end.first_window);
    key!(to, "ttl");
    number(to, flow.ttl.get(side.index()).copied().unwrap_or(0));
}

/// Appends `,"key":"text"` where there is a text.
macro_rules! texts {
    ($to:expr, $($key:literal: $text:expr),+ $(,)?) => {
        $(if let Some(value) = $text {
            key!($to, $key);
            text($to, value);
        })+
    };
}

fn said(to: &mut Vec<u8>, said: &Said<'_>) {
    if let Some(tls) = &said.tls {
        key!(to, "tls");
        object(to, |to| {
            texts!(to, "sni": tls.sni, "alpn": tls.alpn, "version": tls.version, "ja4": tls.ja4, "ja3": tls.ja3,
                "ja3s": tls.ja3s, "issuer": tls.issuer, "subject": tls.subject);
        });
    }
    if let Some(quic) = &said.quic {
        key!(to, "quic");
        object(to, |to| texts!(to, "version": quic.version));
    }
    if let Some(ssh) = &said.ssh {
        key!(to, "ssh");
        object(to, |to| {
            texts!(to, "client": ssh.client, "server": ssh.server, "hassh": ssh.hassh);
        });
    }
    if let Some(http) = &said.http {
        key!(to, "http");
        object(to, |to| {
            texts!(to, "hostname": http.hostname, "method": http.method, "url": http.url,
                "user_agent": http.user_agent, "server": http.server);
            if let Some(status) = http.status {
                key!(to, "status");
                number(to, status);
            }
        });
    }
    if let Some(dns) = &said.dns {
        key!(to, "dns");
        object(to, |to| texts!(to, "rrname": dns.rrname));
    }
}

#[cfg(test)]
mod tests;

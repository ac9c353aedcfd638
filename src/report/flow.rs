//! The flow record as JSON writes it (INTERFACE, `event_type: "flow"`): Suricata's EVE names where one exists.
//!
//! Borrows everything from the record; a field is left out when it is unknown, never null.

use std::net::IpAddr;

use serde::Serialize;
use serde::ser::SerializeSeq as _;

use crate::model::fact::{FactLog, FieldId, Side, Value};
use crate::model::finding::PlaceRecord;
use crate::model::flow::FlowRecord;
use crate::model::identity::ContentId;
use crate::model::observation::ServerName;
use crate::model::segment::TunnelStack;
use crate::model::time::{Nanoseconds, Timestamp};

/// A flow and what was found out about it.
#[derive(Clone, Copy, Debug)]
pub struct FlowRow<'a> {
    /// The record.
    pub flow: &'a FlowRecord,
    /// Best name of its server.
    pub server_name: Option<&'a ServerName>,
    /// Places of client and server.
    pub places: [Option<&'a PlaceRecord>; 2],
    /// Community ID.
    pub community_id: &'a str,
}

#[derive(Serialize)]
struct Row<'a> {
    event_type: &'static str,
    timestamp: Timestamp,
    flow_id: ContentId,
    community_id: &'a str,
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Proto,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'static str>,
    #[serde(skip_serializing_if = "Protocols::is_trivial")]
    protocols: Protocols<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Tunnels::is_empty")]
    tunnel: Tunnels,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    opened_tunnel: bool,
    #[serde(skip_serializing_if = "Vlans::is_empty")]
    vlan: Vlans,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_id: Option<u32>,
    start: Timestamp,
    end: Timestamp,
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    payload_toserver: u64,
    payload_toclient: u64,
    opener: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quic: Option<Quic<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh: Option<Ssh<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<Dns<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo: Option<Geo<'a>>,
}

/// Name of the transport, or its number.
#[derive(Serialize)]
#[serde(untagged)]
enum Proto {
    Name(&'static str),
    Number(String),
}

struct Protocols<'a>(&'a FlowRecord);

impl Protocols<'_> {
    /// One protocol or none says no more than `app_proto`.
    fn is_trivial(&self) -> bool {
        self.0.protocols.iter().flatten().count() < 2
    }
}

impl Serialize for Protocols<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.protocols.iter().flatten())
    }
}

struct Tunnels(TunnelStack);

impl Tunnels {
    fn is_empty(&self) -> bool {
        self.0.depth() == 0
    }
}

impl Serialize for Tunnels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.depth()))?;
        for encapsulation in self.0.iter() {
            list.serialize_element(encapsulation.name())?;
        }
        list.end()
    }
}

struct Vlans([Option<u16>; 2]);

impl Vlans {
    fn is_empty(&self) -> bool {
        self.0 == [None, None]
    }
}

impl Serialize for Vlans {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flatten())
    }
}

#[derive(Serialize)]
struct Tcp {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<RoundTrips>,
    retransmissions: u32,
    out_of_order: u32,
    gaps: u32,
    #[serde(skip_serializing_if = "is_zero")]
    gap_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<TcpEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<TcpEnd>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Milliseconds, three digits.
#[derive(Serialize)]
struct RoundTrips {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_side: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_side: Option<f64>,
}

#[derive(Serialize)]
struct TcpEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    mss: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_scale: Option<u8>,
    window: u16,
    ttl: u8,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<u32>,
}

#[derive(Default, Serialize)]
pub(super) struct Tls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alpn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ja4: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ja3: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ja3s: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub(super) struct Quic<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub(super) struct Ssh<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hassh: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub(super) struct Http<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u64>,
}

#[derive(Default, Serialize)]
pub(super) struct Dns<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rrname: Option<&'a str>,
}

#[derive(Serialize)]
struct Geo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    src: Option<&'a PlaceRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest: Option<&'a PlaceRecord>,
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

pub(super) fn milliseconds(span: Nanoseconds) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a round trip are far below 2^52"
    )]
    let micros = (span / 1_000) as f64;
    micros / 1_000.0
}

fn tcp(flow: &FlowRecord) -> Option<Tcp> {
    let record = flow.tcp.as_ref()?;
    let [client, server] = &record.sides;
    let has = |side: Side| flow.packets.get(side.index()).is_some_and(|packets| *packets > 0);
    let end = |side: Side, of: &crate::model::flow::TcpSide| TcpEnd {
        mss: of.mss,
        window_scale: of.window_scale,
        window: of.first_window,
        ttl: flow.ttl.get(side.index()).copied().unwrap_or(0),
    };
    let rtt_ms = (record.client_rtt.is_some() || record.server_rtt.is_some()).then(|| RoundTrips {
        client_side: record.client_rtt.map(milliseconds),
        server_side: record.server_rtt.map(milliseconds),
    });
    Some(Tcp {
        state: record.state.name(),
        rtt_ms,
        retransmissions: client.retransmissions.saturating_add(server.retransmissions),
        out_of_order: client.out_of_order.saturating_add(server.out_of_order),
        gaps: client.gaps.saturating_add(server.gaps),
        gap_bytes: client.gap_bytes.saturating_add(server.gap_bytes),
        client: has(Side::Client).then(|| end(Side::Client, client)),
        server: has(Side::Server).then(|| end(Side::Server, server)),
    })
}

impl Serialize for FlowRow<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flow = self.flow;
        let said = sort(&flow.facts);
        let has_ports = matches!(flow.protocol, 6 | 17 | 132) && flow.icmp.is_none();
        let [icmp_type, icmp_code] = flow.icmp.map_or([None, None], |icmp| icmp.map(Some));
        let [src, dest] = self.places;
        Row {
            event_type: "flow",
            timestamp: flow.start,
            flow_id: flow.id,
            community_id: self.community_id,
            src_ip: flow.client.address.to_ip(),
            src_port: has_ports.then_some(flow.client.port),
            dest_ip: flow.server.address.to_ip(),
            dest_port: has_ports.then_some(flow.server.port),
            proto: flow
                .transport_name()
                .map_or_else(|| Proto::Number(flow.protocol.to_string()), Proto::Name),
            app_proto: flow.app_proto,
            protocols: Protocols(flow),
            icmp_type,
            icmp_code,
            tunnel: Tunnels(flow.tunnels),
            opened_tunnel: flow.is_opened_tunnel,
            vlan: Vlans(flow.space.vlans()),
            network_id: flow.space.identifier(),
            start: flow.start,
            end: flow.end,
            pkts_toserver: flow.packets[0],
            pkts_toclient: flow.packets[1],
            bytes_toserver: flow.bytes[0],
            bytes_toclient: flow.bytes[1],
            payload_toserver: flow.payload_bytes[0],
            payload_toclient: flow.payload_bytes[1],
            opener: flow.opener.name(),
            reason: flow.end_reason.name(),
            tcp: tcp(flow),
            server_name: self.server_name.map(|name| Called {
                name: &name.name,
                source: name.source.name(),
                lifetime: name.lifetime,
            }),
            tls: said.tls,
            quic: said.quic,
            ssh: said.ssh,
            http: said.http,
            dns: said.dns,
            geo: (src.is_some() || dest.is_some()).then_some(Geo { src, dest }),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
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
        let row = FlowRow {
            flow: &flow,
            server_name: None,
            places: [None, None],
            community_id: "1:x",
        };
        let json = serde_json::to_value(row).unwrap();
        assert_eq!(json["tls"]["sni"], "a.example");
        assert_eq!(json["proto"], "TCP");
        for absent in ["quic", "http", "geo", "vlan", "tunnel", "icmp_type"] {
            assert!(json.get(absent).is_none(), "{absent}");
        }
        assert!(json["tcp"].get("rtt_ms").is_none());
    }
}

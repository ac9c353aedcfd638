//! The columns of `flows.parquet`, one line each: name, whether every row has it, whether its values repeat, and
//! where the value comes from. Names are those of the JSON record with its objects flattened.

use std::fmt::Display;
use std::io::Write as _;

use crate::model::finding::PlaceRecord;
use crate::model::flow::{FlowRecord, TcpRecord, TcpSide};
use crate::model::latency::milliseconds;
use crate::model::segment::Encapsulation;
use crate::model::sketch::Quantiles;
use crate::model::time::Timestamp;

use super::flow::{FlowRow, Said, sort};

/// A flow with its facts sorted, as columns take their values from it.
pub(super) struct Flat<'a> {
    row: &'a FlowRow<'a>,
    said: Said<'a>,
    round_trips: [Option<Quantiles>; 2],
}

impl<'a> Flat<'a> {
    /// Sorts the facts once for all columns.
    pub(super) fn new(row: &'a FlowRow<'a>) -> Self {
        Self {
            row,
            said: sort(&row.flow.facts),
            round_trips: row
                .flow
                .latency
                .as_ref()
                .map_or([None; 2], |measured| measured.quantiles()),
        }
    }

    const fn flow(&self) -> &'a FlowRecord {
        self.row.flow
    }

    fn has_ports(&self) -> bool {
        matches!(self.flow().protocol, 6 | 17 | 132) && self.flow().icmp.is_none()
    }

    fn reverse_name(&self, side: usize) -> Option<&'a str> {
        let named = self.row.reverse_names.get(side).copied().flatten();
        named.map(|named| named.name.as_str())
    }

    fn place(&self, side: usize) -> Option<&'a PlaceRecord> {
        self.row
            .places
            .get(side)
            .copied()
            .flatten()
            .map(|placed| &placed.record)
    }

    /// Round trips between the capture point and a side.
    fn round_trips(&self, side: usize) -> Option<Quantiles> {
        self.round_trips.get(side).copied().flatten()
    }

    fn tcp(&self) -> Option<&'a TcpRecord> {
        self.flow().tcp.as_ref()
    }

    /// A side of a TCP connection that sent anything.
    fn end(&self, side: usize) -> Option<&'a TcpSide> {
        of(&self.flow().packets, side).filter(|packets| *packets > 0)?;
        self.tcp()?.sides.get(side)
    }

    /// Bytes that are missing of both directions; nothing where none are.
    fn missing(&self, bytes: impl Fn(&TcpSide) -> u64) -> Option<u64> {
        let sum = self.tcp()?.sides.iter().map(bytes).fold(0, u64::saturating_add);
        (sum > 0).then_some(sum)
    }

    /// Sum of a counter over both directions of a TCP connection.
    fn both(&self, counter: impl Fn(&TcpSide) -> u32) -> Option<u64> {
        self.tcp()
            .map(|tcp| tcp.sides.iter().map(|side| u64::from(counter(side))).sum())
    }
}

/// Where a column's value comes from, and with it the column's type.
#[derive(Clone, Copy)]
pub(super) enum Take {
    /// A text that lies somewhere.
    Text(for<'r> fn(&'r Flat<'_>) -> Option<&'r str>),
    /// A text that is written here; nothing written is no value.
    Shown(fn(&Flat<'_>, &mut Vec<u8>)),
    /// 32 bits.
    Small(fn(&Flat<'_>) -> Option<i32>),
    /// 64 bits.
    Count(fn(&Flat<'_>) -> Option<u64>),
    /// A moment, written in microseconds.
    Time(fn(&Flat<'_>) -> Option<Timestamp>),
    /// A measurement.
    Real(fn(&Flat<'_>) -> Option<f64>),
    /// True or false.
    Flag(fn(&Flat<'_>) -> bool),
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: &'static str,
    /// Every row has a value.
    pub(super) is_required: bool,
    /// Values repeat, so that a dictionary pays.
    pub(super) repeats: bool,
    /// Its value.
    pub(super) take: Take,
}

const fn always(name: &'static str, take: Take) -> Column {
    Column {
        name,
        is_required: true,
        repeats: false,
        take,
    }
}

const fn maybe(name: &'static str, take: Take) -> Column {
    Column {
        name,
        is_required: false,
        repeats: false,
        take,
    }
}

const fn repeating(column: Column) -> Column {
    Column {
        repeats: true,
        ..column
    }
}

/// Writes what it shows; writing to a vector cannot fail.
fn show(to: &mut Vec<u8>, value: impl Display) {
    let _ = write!(to, "{value}");
}

/// Writes a list, separated by commas.
fn list<T: Display>(to: &mut Vec<u8>, values: impl Iterator<Item = T>) {
    for (place, value) in values.enumerate() {
        if place > 0 {
            to.push(b',');
        }
        show(to, value);
    }
}

/// The first of a pair is the client's, the second the server's.
const fn of<T: Copy>(pair: &[T; 2], side: usize) -> Option<T> {
    let [client, server] = *pair;
    match side {
        0 => Some(client),
        1 => Some(server),
        _ => None,
    }
}

/// All columns, in the order of the file.
pub(super) const COLUMNS: &[Column] = &[
    always("flow_id", Take::Shown(|it, to| show(to, it.flow().id))),
    always("community_id", Take::Text(|it| Some(it.row.community_id))),
    repeating(always(
        "src_ip",
        Take::Shown(|it, to| show(to, it.flow().client.address)),
    )),
    maybe(
        "src_port",
        Take::Small(|it| it.has_ports().then(|| i32::from(it.flow().client.port))),
    ),
    repeating(always(
        "dest_ip",
        Take::Shown(|it, to| show(to, it.flow().server.address)),
    )),
    maybe(
        "dest_port",
        Take::Small(|it| it.has_ports().then(|| i32::from(it.flow().server.port))),
    ),
    repeating(always(
        "proto",
        Take::Shown(|it, to| match it.flow().transport_name() {
            Some(name) => show(to, name),
            None => show(to, it.flow().protocol),
        }),
    )),
    repeating(maybe("app_proto", Take::Text(|it| it.flow().app_proto))),
    repeating(maybe(
        "protocols",
        Take::Shown(|it, to| list(to, it.flow().protocols.iter().flatten())),
    )),
    maybe(
        "icmp_type",
        Take::Small(|it| it.flow().icmp.and_then(|icmp| of(&icmp, 0)).map(i32::from)),
    ),
    maybe(
        "icmp_code",
        Take::Small(|it| it.flow().icmp.and_then(|icmp| of(&icmp, 1)).map(i32::from)),
    ),
    repeating(maybe(
        "tunnel",
        Take::Shown(|it, to| list(to, it.flow().tunnels.iter().map(Encapsulation::name))),
    )),
    repeating(maybe(
        "vlan",
        Take::Shown(|it, to| list(to, it.flow().space.vlans().iter().flatten())),
    )),
    maybe(
        "network_id",
        Take::Count(|it| it.flow().space.identifier().map(u64::from)),
    ),
    always(
        "opened_tunnel",
        Take::Flag(|it| it.flow().opened_tunnel != Encapsulation::None),
    ),
    always("start", Take::Time(|it| Some(it.flow().start))),
    always("end", Take::Time(|it| Some(it.flow().end))),
    always("pkts_toserver", Take::Count(|it| of(&it.flow().packets, 0))),
    always("pkts_toclient", Take::Count(|it| of(&it.flow().packets, 1))),
    always("bytes_toserver", Take::Count(|it| of(&it.flow().bytes, 0))),
    always("bytes_toclient", Take::Count(|it| of(&it.flow().bytes, 1))),
    always(
        "payload_toserver",
        Take::Count(|it| of(&it.flow().payload_bytes, 0)),
    ),
    always(
        "payload_toclient",
        Take::Count(|it| of(&it.flow().payload_bytes, 1)),
    ),
    repeating(always("opener", Take::Text(|it| Some(it.flow().opener.name())))),
    repeating(always(
        "reason",
        Take::Text(|it| Some(it.flow().end_reason.name())),
    )),
    repeating(maybe(
        "tcp_state",
        Take::Text(|it| it.tcp().map(|tcp| tcp.state.name())),
    )),
    maybe(
        "rtt_client_ms",
        Take::Real(|it| it.tcp()?.client_rtt.map(milliseconds)),
    ),
    maybe(
        "rtt_server_ms",
        Take::Real(|it| it.tcp()?.server_rtt.map(milliseconds)),
    ),
    maybe(
        "answer_ms",
        Take::Real(|it| it.flow().answer.map(|(_, span)| milliseconds(span))),
    ),
    maybe(
        "latency_client_count",
        Take::Count(|it| it.round_trips(0).map(|one| one.count.into())),
    ),
    maybe(
        "latency_client_min_ms",
        Take::Real(|it| it.round_trips(0).map(|one| milliseconds(one.least))),
    ),
    maybe(
        "latency_client_median_ms",
        Take::Real(|it| it.round_trips(0).map(|one| milliseconds(one.median))),
    ),
    maybe(
        "latency_client_p90_ms",
        Take::Real(|it| it.round_trips(0).map(|one| milliseconds(one.ninth_decile))),
    ),
    maybe(
        "latency_client_jitter_ms",
        Take::Real(|it| it.round_trips(0).map(|one| milliseconds(one.jitter))),
    ),
    maybe(
        "latency_server_count",
        Take::Count(|it| it.round_trips(1).map(|one| one.count.into())),
    ),
    maybe(
        "latency_server_min_ms",
        Take::Real(|it| it.round_trips(1).map(|one| milliseconds(one.least))),
    ),
    maybe(
        "latency_server_median_ms",
        Take::Real(|it| it.round_trips(1).map(|one| milliseconds(one.median))),
    ),
    maybe(
        "latency_server_p90_ms",
        Take::Real(|it| it.round_trips(1).map(|one| milliseconds(one.ninth_decile))),
    ),
    maybe(
        "latency_server_jitter_ms",
        Take::Real(|it| it.round_trips(1).map(|one| milliseconds(one.jitter))),
    ),
    maybe(
        "retransmissions",
        Take::Count(|it| it.both(|side| side.retransmissions)),
    ),
    maybe(
        "out_of_order",
        Take::Count(|it| it.both(|side| side.out_of_order)),
    ),
    maybe("gaps", Take::Count(|it| it.both(|side| side.gaps))),
    maybe("gap_bytes", Take::Count(|it| it.missing(|side| side.gap_bytes))),
    maybe(
        "unseen_bytes",
        Take::Count(|it| it.missing(|side| side.unseen_bytes)),
    ),
    maybe("client_mss", Take::Small(|it| it.end(0)?.mss.map(i32::from))),
    maybe(
        "client_window_scale",
        Take::Small(|it| it.end(0)?.window_scale.map(i32::from)),
    ),
    maybe(
        "client_window",
        Take::Small(|it| it.end(0).map(|end| i32::from(end.first_window))),
    ),
    maybe(
        "client_ttl",
        Take::Small(|it| {
            it.end(0)?;
            of(&it.flow().ttl, 0).map(i32::from)
        }),
    ),
    maybe("server_mss", Take::Small(|it| it.end(1)?.mss.map(i32::from))),
    maybe(
        "server_window_scale",
        Take::Small(|it| it.end(1)?.window_scale.map(i32::from)),
    ),
    maybe(
        "server_window",
        Take::Small(|it| it.end(1).map(|end| i32::from(end.first_window))),
    ),
    maybe(
        "server_ttl",
        Take::Small(|it| {
            it.end(1)?;
            of(&it.flow().ttl, 1).map(i32::from)
        }),
    ),
    repeating(maybe(
        "server_name",
        Take::Text(|it| it.row.server_name.map(|one| &*one.name)),
    )),
    repeating(maybe(
        "server_name_source",
        Take::Text(|it| it.row.server_name.map(|one| one.source.name())),
    )),
    maybe(
        "server_name_lifetime",
        Take::Count(|it| it.row.server_name?.lifetime.map(u64::from)),
    ),
    repeating(maybe("tls_sni", Take::Text(|it| it.said.tls.as_ref()?.sni))),
    repeating(maybe("tls_alpn", Take::Text(|it| it.said.tls.as_ref()?.alpn))),
    repeating(maybe(
        "tls_version",
        Take::Text(|it| it.said.tls.as_ref()?.version),
    )),
    repeating(maybe("tls_ja4", Take::Text(|it| it.said.tls.as_ref()?.ja4))),
    repeating(maybe("tls_ja3", Take::Text(|it| it.said.tls.as_ref()?.ja3))),
    repeating(maybe("tls_ja3s", Take::Text(|it| it.said.tls.as_ref()?.ja3s))),
    repeating(maybe("tls_issuer", Take::Text(|it| it.said.tls.as_ref()?.issuer))),
    repeating(maybe(
        "tls_subject",
        Take::Text(|it| it.said.tls.as_ref()?.subject),
    )),
    repeating(maybe(
        "quic_version",
        Take::Text(|it| it.said.quic.as_ref()?.version),
    )),
    repeating(maybe("ssh_client", Take::Text(|it| it.said.ssh.as_ref()?.client))),
    repeating(maybe("ssh_server", Take::Text(|it| it.said.ssh.as_ref()?.server))),
    repeating(maybe("hassh", Take::Text(|it| it.said.ssh.as_ref()?.hassh))),
    repeating(maybe(
        "http_hostname",
        Take::Text(|it| it.said.http.as_ref()?.hostname),
    )),
    repeating(maybe(
        "http_method",
        Take::Text(|it| it.said.http.as_ref()?.method),
    )),
    maybe("http_url", Take::Text(|it| it.said.http.as_ref()?.url)),
    repeating(maybe(
        "http_user_agent",
        Take::Text(|it| it.said.http.as_ref()?.user_agent),
    )),
    repeating(maybe(
        "http_server",
        Take::Text(|it| it.said.http.as_ref()?.server),
    )),
    maybe("http_status", Take::Count(|it| it.said.http.as_ref()?.status)),
    repeating(maybe("dns_rrname", Take::Text(|it| it.said.dns.as_ref()?.rrname))),
    repeating(maybe(
        "src_country",
        Take::Text(|it| it.place(0)?.country.as_deref()),
    )),
    maybe("src_asn", Take::Count(|it| it.place(0)?.asn.map(u64::from))),
    repeating(maybe(
        "src_as_org",
        Take::Text(|it| it.place(0)?.as_org.as_deref()),
    )),
    repeating(maybe("src_kind", Take::Text(|it| it.place(0)?.kind.as_deref()))),
    repeating(maybe("src_city", Take::Text(|it| it.place(0)?.city.as_deref()))),
    repeating(maybe(
        "src_kind_source",
        Take::Text(|it| it.place(0)?.kind_source.as_deref()),
    )),
    repeating(maybe(
        "src_source",
        Take::Text(|it| it.place(0)?.source.as_deref()),
    )),
    repeating(maybe(
        "dest_country",
        Take::Text(|it| it.place(1)?.country.as_deref()),
    )),
    maybe("dest_asn", Take::Count(|it| it.place(1)?.asn.map(u64::from))),
    repeating(maybe(
        "dest_as_org",
        Take::Text(|it| it.place(1)?.as_org.as_deref()),
    )),
    repeating(maybe("dest_kind", Take::Text(|it| it.place(1)?.kind.as_deref()))),
    repeating(maybe("dest_city", Take::Text(|it| it.place(1)?.city.as_deref()))),
    repeating(maybe(
        "dest_kind_source",
        Take::Text(|it| it.place(1)?.kind_source.as_deref()),
    )),
    repeating(maybe(
        "dest_source",
        Take::Text(|it| it.place(1)?.source.as_deref()),
    )),
    repeating(maybe("reverse_name_src", Take::Text(|it| it.reverse_name(0)))),
    repeating(maybe("reverse_name_dest", Take::Text(|it| it.reverse_name(1)))),
];

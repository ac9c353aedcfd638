//! Streams that are encrypted from their first octet, by the test that a national firewall was found to use (Wu and others, "How the
//! Great Firewall of China Detects and Blocks Fully Encrypted Traffic", USENIX Security 2023): set bits an octet near one half, and no
//! runs of printable characters. Shadowsocks, VMess and obfs4 look so, and so do private protocols, compressed files and
//! encrypted backups.
//!
//! Off unless the policy asks for it. Looks only at the first 64 octets of each side, which are kept of streams that nobody
//! recognises, and only of streams whose beginning was captured. Our own addition: the answer must look so too.

use super::Concluded;
use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use crate::settings::limits::Limits;
use std::collections::BTreeMap;

use super::session_finding::kind_of;
use super::{HostView, Knowledge};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{FieldId, Value};
use crate::model::finding::{Activity, Confidence, Finding, Role};
use crate::model::flow::{FlowRecord, OpenerJudgement};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::quantity::counted;
use crate::model::segment::Layer;
use crate::model::time::Timestamp;

const TOOL: &str = "fully-encrypted";

const TO_SERVER: FieldId = FieldId::of("payload.to_server");
const TO_CLIENT: FieldId = FieldId::of("payload.to_client");

/// Set bits an octet outside of which a start is exempt (Wu and others, Ex1), in tenths.
const BITS: (u32, u32) = (34, 46);
/// Printable octets at the start, and in a run, from which it is exempt (Ex2, Ex4).
const PRINTABLE: (usize, usize) = (6, 20);
/// Fewer octets say little: of 48 that chance sets, three starts in a thousand are outside of the bounds (the sum of 384 bits has a
/// standard deviation of 9.8, the bounds lie 28.8 away).
const SHORTEST: usize = 48;

const WEIGHT: f64 = 3.0;
/// Pairs of host and server that are remembered.
const MOST: usize = 10_000;
/// Flows whose frames and identifiers a finding names.
const NAMED: usize = 8;

/// Streams of that kind, by host and server.
#[derive(Debug, Default)]
struct EncryptedStarts {
    seen: BTreeMap<(LocalIndex, Address, u16), Streams>,
}

#[derive(Clone, Debug)]
struct Streams {
    first: Timestamp,
    last: Timestamp,
    frames: Vec<FrameRef>,
    flows: Vec<ContentId>,
    count: u64,
}

/// Whether the first octets of a stream look like chance.
fn looks_encrypted(bytes: &[u8]) -> bool {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if bytes.len() < SHORTEST {
        return false;
    }
    let bits: u32 = bytes.iter().map(|octet| octet.count_ones()).sum();
    let is_printable = |octet: &u8| (0x20..=0x7e).contains(octet);
    let printable = bytes.iter().filter(|octet| is_printable(octet)).count();
    let longest = bytes
        .split(|octet| !is_printable(octet))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    let starts = bytes.iter().take_while(|octet| is_printable(octet)).count();
    // Ex3: more than half.
    let (least, most) = BITS;
    let tenths = bits.saturating_mul(10);
    least.saturating_mul(length) < tenths
        && tenths < most.saturating_mul(length)
        && starts < PRINTABLE.0
        && longest <= PRINTABLE.1
        && printable.saturating_mul(2) <= bytes.len()
}

fn start(flow: &FlowRecord, field: FieldId) -> Option<&[u8]> {
    if let Value::Bytes { bytes, .. } = flow.facts.find(field)?.value {
        return Some(bytes);
    }
    None
}

impl Streams {
    /// Adds what another address of the same machine opened.
    fn merge(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
        let room = NAMED.saturating_sub(self.flows.len());
        self.flows.extend(other.flows.iter().take(room));
        self.frames
            .extend(other.frames.iter().take(room.saturating_mul(2)));
    }
}

impl EncryptedStarts {
    /// Takes any placed flow that belongs to no tool.
    fn add(&mut self, observation: &Observation<'_>) {
        let flow = observation.flow;
        if flow.app_proto.is_some() || flow.layer != Layer::Tcp {
            return;
        }
        let [Some(local), _] = observation.locals else {
            return;
        };
        let is_whole = flow.opener == OpenerJudgement::Handshake;
        let both = [TO_SERVER, TO_CLIENT].map(|field| start(flow, field).is_some_and(looks_encrypted));
        if !is_whole || both != [true; 2] {
            return;
        }
        let key = (local, flow.server.address, flow.server.port);
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            return;
        }
        let streams = self.seen.entry(key).or_insert_with(|| Streams {
            first: flow.start,
            last: flow.end,
            frames: Vec::new(),
            flows: Vec::new(),
            count: 0,
        });
        streams.first = streams.first.min(flow.start);
        streams.last = streams.last.max(flow.end);
        streams.count = streams.count.saturating_add(1);
        if streams.flows.len() < NAMED {
            streams.flows.push(flow.id);
            streams.frames.extend(flow.frames.first_payload.iter().flatten());
        }
    }

    /// The findings, once hosts are known.
    fn found(&self, by_local: &BTreeMap<LocalIndex, &HostView>, knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let Some(tool) = knowledge.catalogue.tool(TOOL) else {
            return Vec::new();
        };
        // A machine may have had several addresses.
        let mut by_host: BTreeMap<(ContentId, Address, u16), (&HostView, Streams)> = BTreeMap::new();
        for ((local, server, port), streams) in &self.seen {
            let Some(host) = by_local.get(local) else { continue };
            by_host
                .entry((host.id, *server, *port))
                .and_modify(|(_, known)| known.merge(streams))
                .or_insert_with(|| (*host, streams.clone()));
        }
        let of = |((_, server, port), (host, streams)): (
            &(ContentId, Address, u16),
            &(&HostView, Streams),
        )| {
            let what = format!(
                "first octets of both sides with 3.4 to 4.6 set bits each and without printable runs, in {}",
                counted(streams.count, "stream")
            );
            let mut evidence = Evidence::observed(
                Family::Tool,
                what,
                Decibans(WEIGHT),
                &streams.frames,
                Some(streams.first),
            );
            evidence.measure = Some("encrypted_start".to_owned());
            evidence.note = Some(
                "a heuristic: fewer than one in a hundred ordinary streams look so (Wu and others 2023)"
                    .into(),
            );
            let port = *port;
            Some(Finding {
                id: ContentId::of(&[
                    b"encrypted-start",
                    &host.id.0.to_be_bytes(),
                    &server.0,
                    &port.to_be_bytes(),
                ]),
                timestamp: streams.first,
                last_seen: streams.last,
                kind: kind_of(tool)?,
                tool: tool.id.clone(),
                protocol: None,
                role: Role::Client,
                activity: Activity::Unknown,
                intervals: Vec::new(),
                controller: None,
                host: host.id,
                host_ip: host.address(),
                peer: Some(server.to_string()),
                peer_name: None,
                peer_port: Some(port),
                proto: Some("TCP".to_owned()),
                community_id: None,
                flow_ids: streams.flows.clone(),
                flow_count: streams.count,
                confidence: Confidence::Low,
                score: Decibans(WEIGHT),
                sanctioned: knowledge.sanctioned(host, &tool.id, &[], Some(server.to_ip())),
                summary: format!(
                    "{}: {} to {server} port {port} encrypted from the first octet, consistent with Shadowsocks, VMess or obfs4, and \
                     with many private protocols (a heuristic)",
                    host.label(),
                    counted(streams.count, "stream")
                ),
                benign: vec![
                    "a private protocol of a game, a messenger or a backup, compressed or encrypted files sent plainly".to_owned(),
                ],
                evidence: vec![evidence],
                peer_geo: knowledge.place(*server),
                geo: None,
                latency: None,
                schedule: None,
                tunnel: None,
            })
        };
        by_host.iter().filter_map(of).collect()
    }
}

/// Watches for streams that are encrypted from their first octet.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<EncryptedStarts>::default()
}

impl Watcher for EncryptedStarts {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if recognised.is_empty() {
            self.add(observation);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let found = self.found(&ended.by_local, ended.knowledge);
        concluded.findings.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_tls_and_what_has_few_or_many_bits_are_exempt() {
        let tls: Vec<u8> = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0; 40]].concat();
        for exempt in [
            &b"GET / HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n"[..],
            &tls,
            &[0xff; 64],
            &[0x0f; 8],
        ] {
            assert!(!looks_encrypted(exempt), "{exempt:02x?}");
        }
        // Four set bits an octet, nothing printable.
        assert!(looks_encrypted(&[0x0f; 64]));
        let printable_start = [&b"abcdef"[..], &[0x0f; 58]].concat();
        assert!(!looks_encrypted(&printable_start));
    }

    #[test]
    fn nothing_is_looked_at_unless_it_was_asked_for() {
        use crate::model::fact::{FactLog, Field, Side, Stamp};
        let mut facts = FactLog::default();
        for (name, side) in [
            ("payload.to_server", Side::Client),
            ("payload.to_client", Side::Server),
        ] {
            let stamp = Stamp {
                at: Timestamp(1),
                source: FrameRef::default(),
                side,
            };
            let value = Value::Bytes {
                bytes: &[0x0f; 64],
                on_wire: 64,
            };
            facts.push(&Field::of_flow(name), stamp, &value);
        }
        let mut flow = FlowRecord {
            facts,
            layer: Layer::Tcp,
            opener: OpenerJudgement::Handshake,
            ..FlowRecord::default()
        };
        flow.server.address = Address::from_v4([198, 51, 100, 1]);
        let seen = |flow: &FlowRecord| {
            let mut starts = EncryptedStarts::default();
            starts.add(&Observation {
                flow,
                locals: [Some(LocalIndex(1)), None],
                server_name: None,
            });
            starts.seen.len()
        };
        assert_eq!(seen(&flow), 1);
        flow.app_proto = Some("ssh");
        assert_eq!(seen(&flow), 0);
    }

    proptest! {
        #[test]
        fn the_order_of_octets_beyond_runs_and_any_length_do_no_harm(bytes: Vec<u8>) {
            let _ = looks_encrypted(&bytes);
        }

        #[test]
        fn text_is_never_taken_for_chance(text in "[ -~]{48,64}") {
            prop_assert!(!looks_encrypted(text.as_bytes()));
        }
    }
}

//! What one host asked below one zone: how many names, how they look, what came of them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::address::{Address, Endpoint};
use crate::model::finding::TunnelUse;
use crate::model::flow::FlowRecord;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::EventHeader;
use crate::model::quantity::counted;
use crate::model::time::{SECOND, Timestamp};
use crate::settings::rules::Tunnel;

use super::own;

/// Different names that are told apart for each zone.
pub(super) const MOST_DISTINCT: usize = 1_000;
/// Frames that are cited, and conversations that are named.
const MOST_CITED: usize = 8;
/// NULL (RFC 1035), KEY (RFC 3445 left it to DNSSEC's own uses) and the first of those for private use (RFC 6895): iodine asks for the first
/// and the last, dns2tcp for the second.
const ODD_TYPES: [u64; 3] = [10, 25, 65_399];
/// CNAME and TXT, which programs on hosts ask for now and then, and tunnels all the time, because the answers have room.
const ROOMY_TYPES: [u64; 2] = [5, 16];
/// Octets of digests in hexadecimal digits: MD5 and half of SHA-256, SHA-1.
const DIGESTS: [usize; 2] = [32, 40];

/// What one host asked below one zone.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) names: u64,
    distinct: BTreeSet<u64>,
    octets: u64,
    odd_types: u64,
    roomy_types: u64,
    /// Names with octets that no host name may have, in labels longer than ordinary.
    foreign: u64,
    /// Names that are a digest or another identifier of fixed form.
    identifiers: u64,
    histogram: [u32; 256],
    /// The labels next to the zone that all names have: of a tunnel the rest of its domain.
    common: Option<Vec<u8>>,
    /// Names that were asked from the port of the name before.
    from_one_port: u64,
    port: u16,
    /// Names that the host connected to afterwards.
    reached: BTreeSet<u64>,
    /// Addresses answered that only block lists and the like give, and others.
    listed: u64,
    addresses: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) frames: Vec<FrameRef>,
    /// Who was asked first: the tunnel's own end, or a resolver on the way to it.
    pub(super) asked: Endpoint,
    pub(super) flows: Vec<ContentId>,
    pub(super) flow_count: u64,
    bytes: [u64; 2],
}

/// Whether questions of a type are asked for the data that answers have room for.
pub(super) fn carries_data(kind: u64) -> bool {
    ROOMY_TYPES.contains(&kind) || ODD_TYPES.contains(&kind)
}

/// Whether a name begins with an address written backwards, as lists of addresses are asked (RFC 5782, 2.1 and 2.4).
pub(super) fn is_reversed_address(data: &[u8]) -> bool {
    let labels = || data.split(|octet| *octet == b'.');
    let is_octet = |label: &[u8]| (1..=3).contains(&label.len()) && label.iter().all(u8::is_ascii_digit);
    let is_nibble = |label: &[u8]| label.len() == 1 && label.iter().all(u8::is_ascii_hexdigit);
    labels().take_while(|label| is_octet(label)).count() >= 4
        || labels().take_while(|label| is_nibble(label)).count() >= 32
}

/// Whether a label of a name is a digest in hexadecimal digits or a UUID (RFC 9562, 4): the name says which file or device, and no more.
fn is_identifier(data: &[u8]) -> bool {
    let is_hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let is_uuid = |label: &[u8]| {
        label.len() == 36
            && label.iter().enumerate().all(|(at, octet)| {
                (*octet == b'-') == is_hyphen(at) && (is_hyphen(at) || octet.is_ascii_hexdigit())
            })
    };
    let is_digest = |label: &[u8]| DIGESTS.contains(&label.len()) && label.iter().all(u8::is_ascii_hexdigit);
    let mut labels = data.split(|octet| *octet == b'.');
    labels.any(|label| is_digest(label) || is_uuid(label))
}

/// Whether a name has octets that no host name has in a label longer than ordinary. Names of services are written for people, with spaces and
/// letters of every script, in UTF-8 and beside labels that begin with an underscore (RFC 6763, 4.1 and 7).
fn is_strange(data: &[u8]) -> bool {
    let labels = || data.split(|octet| *octet == b'.');
    let has_foreign = |label: &[u8]| {
        label
            .iter()
            .any(|octet| matches!(octet, b'=' | b'+' | b'*' | b'/'))
            || std::str::from_utf8(label).is_err()
    };
    labels().any(|label| label.len() >= own().longest_label && has_foreign(label) && !label.contains(&b' '))
        && !labels().any(|label| label.starts_with(b"_"))
}

/// The labels at the end that both have.
fn common_labels<'n>(one: &'n [u8], other: &[u8]) -> &'n [u8] {
    let backwards = one
        .rsplit(|octet| *octet == b'.')
        .zip(other.rsplit(|octet| *octet == b'.'));
    let equal = backwards.take_while(|(label, also)| label == also);
    let length = equal.fold(0_usize, |length, (label, _)| {
        let dot = usize::from(length > 0);
        length.saturating_add(dot).saturating_add(label.len())
    });
    one.get(one.len().saturating_sub(length)..).unwrap_or_default()
}

fn hash_of(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    hasher.finish()
}

impl Zone {
    pub(super) const fn new(header: &EventHeader) -> Self {
        Self {
            names: 0,
            distinct: BTreeSet::new(),
            octets: 0,
            odd_types: 0,
            roomy_types: 0,
            foreign: 0,
            identifiers: 0,
            histogram: [0; 256],
            common: None,
            from_one_port: 0,
            port: 0,
            reached: BTreeSet::new(),
            listed: 0,
            addresses: 0,
            first: header.at,
            last: header.at,
            frames: Vec::new(),
            asked: header.to,
            flows: Vec::new(),
            flow_count: 0,
            bytes: [0; 2],
        }
    }

    /// Takes a name: what stands before the zone, its octets without dots, and the type asked for.
    pub(super) fn count(&mut self, data: &[u8], octets: usize, kind: u64, header: &EventHeader) {
        self.names = self.names.saturating_add(1);
        self.last = self.last.max(header.at);
        let one = |is_so: bool| u64::from(is_so);
        self.odd_types = self.odd_types.saturating_add(one(ODD_TYPES.contains(&kind)));
        self.roomy_types = self.roomy_types.saturating_add(one(carries_data(kind)));
        self.from_one_port = self
            .from_one_port
            .saturating_add(one(self.port == header.from.port));
        self.port = header.from.port;
        // Beyond the bound a name may be one that was counted before.
        if self.distinct.len() >= MOST_DISTINCT || !self.distinct.insert(hash_of(data)) {
            return;
        }
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(0));
        for octet in data.iter().filter(|octet| **octet != b'.') {
            if let Some(place) = self.histogram.get_mut(usize::from(*octet)) {
                *place = place.saturating_add(1);
            }
        }
        match &mut self.common {
            Some(common) => {
                let length = common_labels(data, common).len();
                common.drain(..common.len().saturating_sub(length));
            }
            None => self.common = Some(data.to_vec()),
        }
        self.foreign = self.foreign.saturating_add(one(is_strange(data)));
        self.identifiers = self.identifiers.saturating_add(one(is_identifier(data)));
        if self.frames.len() < MOST_CITED {
            self.frames.push(header.source);
        }
    }

    /// Takes an address that was answered: lists say by addresses of the loopback network what they know (RFC 5782, 2.1), and 127.0.0.1 is
    /// none of theirs.
    pub(super) fn answered(&mut self, address: Address) {
        let is_listed = match address.to_ip() {
            std::net::IpAddr::V4(ip) => ip.is_loopback() && ip != std::net::Ipv4Addr::LOCALHOST,
            std::net::IpAddr::V6(_) => false,
        };
        self.listed = self.listed.saturating_add(u64::from(is_listed));
        self.addresses = self.addresses.saturating_add(1);
    }

    /// Takes a name that the host connected to.
    pub(super) fn reached(&mut self, data: &[u8]) {
        let hash = hash_of(data);
        if self.reached.len() < MOST_DISTINCT && self.distinct.contains(&hash) {
            self.reached.insert(hash);
        }
    }

    /// Takes a conversation that asks below the zone.
    pub(super) fn carried(&mut self, flow: &FlowRecord) {
        self.flow_count = self.flow_count.saturating_add(1);
        for (sum, more) in self.bytes.iter_mut().zip(flow.payload_bytes) {
            *sum = sum.saturating_add(more);
        }
        if self.flows.len() < MOST_CITED {
            self.flows.push(flow.id);
        }
    }

    /// Adds what another address of the same machine asked.
    pub(super) fn merge(&mut self, other: Self) {
        self.names = self.names.saturating_add(other.names);
        self.distinct.extend(other.distinct);
        self.octets = self.octets.saturating_add(other.octets);
        self.odd_types = self.odd_types.saturating_add(other.odd_types);
        self.roomy_types = self.roomy_types.saturating_add(other.roomy_types);
        self.foreign = self.foreign.saturating_add(other.foreign);
        self.identifiers = self.identifiers.saturating_add(other.identifiers);
        for (place, more) in self.histogram.iter_mut().zip(other.histogram) {
            *place = place.saturating_add(more);
        }
        self.common = match (self.common.take(), other.common) {
            (Some(one), Some(other)) => Some(common_labels(&one, &other).to_vec()),
            (one, other) => one.or(other),
        };
        self.from_one_port = self.from_one_port.saturating_add(other.from_one_port);
        self.reached.extend(other.reached);
        self.listed = self.listed.saturating_add(other.listed);
        self.addresses = self.addresses.saturating_add(other.addresses);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.frames.extend(other.frames);
        self.frames.truncate(MOST_CITED);
        self.flows.extend(other.flows);
        self.flows.truncate(MOST_CITED);
        self.flow_count = self.flow_count.saturating_add(other.flow_count);
        for (sum, more) in self.bytes.iter_mut().zip(other.bytes) {
            *sum = sum.saturating_add(more);
        }
    }

    /// The labels that all names have; none where there is only one name.
    fn shared(&self) -> &[u8] {
        let common = self.common.as_deref().filter(|_| self.distinct.len() > 1);
        common.unwrap_or_default()
    }

    /// The domain below which the data stand: the zone, and the labels before it that all names have.
    pub(super) fn domain(&self, zone: &[u8]) -> String {
        let zone = String::from_utf8_lossy(zone);
        match self.shared() {
            [] => zone.into_owned(),
            shared => format!("{}.{zone}", String::from_utf8_lossy(shared)),
        }
    }

    /// Octets that differ from name to name.
    pub(super) fn octets(&self) -> u64 {
        let shared = self.shared().iter().filter(|octet| **octet != b'.').count();
        let each = u64::try_from(shared).unwrap_or(0);
        self.octets.saturating_sub(each.saturating_mul(self.different()))
    }

    fn different(&self) -> u64 {
        u64::try_from(self.distinct.len()).unwrap_or(u64::MAX)
    }

    /// What it was used for. Payload is that of the conversations which ask below the zone, where they were seen to end. Whether the host sends
    /// anything else outside cannot be told, since its other questions go to the same resolver.
    pub(super) fn used(&self) -> TunnelUse {
        let [sent, bytes_in] = self.bytes;
        let seconds = self.last.since(self.first).max(0) / SECOND;
        TunnelUse {
            seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
            bytes_out: sent.max(self.octets()),
            bytes_in,
            ..TunnelUse::default()
        }
    }

    /// Shannon's entropy of the octets that differ, in bits an octet.
    fn entropy(&self) -> f64 {
        let mut histogram = self.histogram;
        let each = u32::try_from(self.distinct.len()).unwrap_or(u32::MAX);
        for octet in self.shared() {
            if let Some(place) = histogram.get_mut(usize::from(*octet)) {
                *place = place.saturating_sub(each);
            }
        }
        let total: f64 = histogram.iter().map(|count| f64::from(*count)).sum();
        let share = |count: u32| f64::from(count) / total.max(1.0);
        let bits = histogram.iter().filter(|count| **count > 0).map(|count| {
            let share = share(*count);
            -share * share.log2()
        });
        bits.sum()
    }

    /// Whether it is known what the names are for: hosts that were then called, files and devices that were looked up, lists.
    fn is_explained(&self) -> bool {
        let different = self.different();
        let reached = u64::try_from(self.reached.len()).unwrap_or(u64::MAX);
        let are_hosts = reached.saturating_mul(5) >= different;
        let are_identifiers = self.identifiers.saturating_mul(10) >= different.saturating_mul(9);
        let are_listed = self.listed > 0 && self.listed == self.addresses;
        self.odd_types == 0 && self.foreign == 0 && (are_hosts || are_identifiers || are_listed)
    }

    /// What speaks for a tunnel, with its weight: nothing where the names are few and ordinary.
    pub(super) fn reasons(&self, weights: &Tunnel) -> Vec<(&'static str, i32, String)> {
        let mut reasons = Vec::new();
        if self.is_explained() {
            return reasons;
        }
        let distinct = self.distinct.len();
        let are_distinct =
            self.different().saturating_mul(5) >= self.names.saturating_mul(4) || distinct >= MOST_DISTINCT;
        if self.odd_types.saturating_mul(2) >= self.names && self.odd_types >= 5 {
            let what = format!(
                "{} of types that hosts do not ask for",
                counted(self.odd_types, "question")
            );
            reasons.push(("question types", weights.dns_types, what));
        }
        if self.foreign > 0 {
            let what = format!(
                "{} with octets that no host name has",
                counted(self.foreign, "name")
            );
            reasons.push(("octets", weights.dns_octets, what));
        }
        let are_roomy = self.roomy_types.saturating_mul(2) >= self.names;
        let is_one_port = self.from_one_port.saturating_mul(5) >= self.names.saturating_mul(4);
        let are_long = self.octets() >= own().least_each.saturating_mul(self.different());
        // Resolvers of hosts take a port for each question (RFC 5452, 9.2); a tunnel's program keeps its own.
        if distinct >= own().few_names && are_distinct && (are_long || are_roomy && is_one_port) {
            let is_many = distinct >= own().many_names && self.octets() >= own().many_octets;
            let long = if are_long { "long " } else { "" };
            let what = format!(
                "{distinct} different {long}names, {} octets before the domain",
                self.octets()
            );
            let weight = if is_many {
                weights.dns_many
            } else {
                weights.dns_some
            };
            reasons.push(("volume", weight, what));
            if are_roomy && self.odd_types == 0 {
                let port = if is_one_port { ", from one port" } else { "" };
                let what = format!(
                    "{} of types whose answers have room for data{port}",
                    counted(self.roomy_types, "question")
                );
                reasons.push(("question types", weights.dns_roomy, what));
            }
            if self.entropy() >= own().chance_bits {
                let what = format!("{:.1} bits an octet", self.entropy());
                reasons.push(("entropy", weights.dns_entropy, what));
            }
        }
        reasons
    }
}

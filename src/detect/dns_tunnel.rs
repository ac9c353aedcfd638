//! Data in questions to resolvers: many long names below one zone, none asked for twice, of octets like chance, of types that
//! hosts do not ask for.
//!
//! Such a name costs nothing to tell from others: it is long. Only those are counted, by host and zone. What an innocent service asks so
//! (a reputation of a file by its hash, a block list, reverse names) is told by its zone where it is known
//! (`dns_lookups.tsv`), and by its small volume where it is not.

use super::Concluded;
use super::DNS_QUERY;
use super::thresholds::{DnsTunnel, THRESHOLDS};
use super::watcher::{Ended, Watcher};
use crate::settings::limits::Limits;
use crate::settings::rules::Tunnel;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use super::session_finding::{self, kind_of};
use super::{HostView, Knowledge};
use crate::model::address::Endpoint;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{Fact, FieldId, Value};
use crate::model::finding::{Activity, Finding, Role};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::observation::{EventHeader, LocalIndex};
use crate::model::quantity::counted;
use crate::model::time::Timestamp;
use crate::signatures::Catalogue;

/// What is judgement here.
fn own() -> &'static DnsTunnel {
    &THRESHOLDS.dns_tunnel
}

const DNS_QTYPE: FieldId = FieldId::of("dns.qtype");
/// The catalogue's entry.
const TOOL: &str = "dns-tunnel";
/// Different names that are told apart for each zone.
const MOST_DISTINCT: usize = 1_000;
/// Frames that are cited.
const MOST_FRAMES: usize = 8;
/// NULL (RFC 1035) and the first of those for private use (RFC 6895), which iodine asks for.
const ODD_TYPES: [u64; 2] = [10, 65_399];

/// Zones of services that are asked in long names, and whose they are.
static LOOKUPS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let rows = include_str!("dns_lookups.tsv").lines();
    rows.filter(|row| !row.starts_with('#'))
        .filter_map(|row| row.split('\t').next())
        .collect()
});

/// What one host asked below one zone.
#[derive(Debug)]
struct Zone {
    names: u64,
    distinct: BTreeSet<u64>,
    octets: u64,
    odd_types: u64,
    /// Names with octets that no host name may have, in labels longer than ordinary.
    foreign: u64,
    histogram: [u32; 256],
    first: Timestamp,
    last: Timestamp,
    frames: Vec<FrameRef>,
    /// Who was asked first: the tunnel's own end, or a resolver on the way to it.
    asked: Endpoint,
}

/// Everything that was asked in long names.
#[derive(Debug)]
struct Questions {
    zones: BTreeMap<(LocalIndex, String), Zone>,
    most: usize,
    /// Questions below zones beyond the bound.
    refused: u64,
    /// The zone of the question whose type is told next.
    latest: Option<(LocalIndex, String)>,
}

impl Questions {
    /// With room for so many zones.
    const fn new(most: usize) -> Self {
        Self {
            zones: BTreeMap::new(),
            most,
            refused: 0,
            latest: None,
        }
    }

    /// Takes a name that a host asked for: octets, because those of tunnels need not be text.
    fn asked(&mut self, local: LocalIndex, name: &[u8], header: &EventHeader) {
        self.latest = None;
        if name.len() < own().shortest_name {
            return;
        }
        let Some((data, zone)) = split(name) else {
            return;
        };
        let octets = data.iter().filter(|octet| **octet != b'.').count();
        let is_known = |known: &&str| {
            name.strip_suffix(known.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
        };
        if octets < own().shortest_data || LOOKUPS.iter().any(is_known) {
            return;
        }
        let key = (local, String::from_utf8_lossy(zone).into_owned());
        if self.zones.len() >= self.most && !self.zones.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let zone = self.zones.entry(key.clone()).or_insert_with(|| Zone::new(header));
        zone.count(data, octets, header);
        self.latest = Some(key);
    }

    /// Takes the type of the question taken before.
    fn of_type(&mut self, kind: u64) {
        let zone = self.latest.take().and_then(|key| self.zones.get_mut(&key));
        if let Some(zone) = zone
            && ODD_TYPES.contains(&kind)
        {
            zone.odd_types = zone.odd_types.saturating_add(1);
        }
    }

    /// The findings of these hosts.
    fn found(self, hosts: &BTreeMap<LocalIndex, &HostView>, knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let mut zones: BTreeMap<(ContentId, String), (&HostView, Zone)> = BTreeMap::new();
        for ((local, name), zone) in self.zones {
            let Some(host) = hosts.get(&local).filter(|host| !host.is_resolver) else {
                continue;
            };
            match zones.entry((host.id, name)) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert((host, zone));
                }
                std::collections::btree_map::Entry::Occupied(mut place) => place.get_mut().1.merge(zone),
            }
        }
        let found = zones
            .into_iter()
            .filter_map(|((_, name), (host, zone))| finding(host, &name, &zone, knowledge));
        found.collect()
    }
}

/// What stands before the zone, and the zone: the last two labels, or three where a country's second level has a short name.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut dots = name.iter().enumerate().rev().filter(|(_, octet)| **octet == b'.');
    let mut dot = || dots.next().map(|(at, _)| at);
    let (last, second, third) = (dot()?, dot()?, dot());
    let is_country = name.len().saturating_sub(last) == 3;
    let is_shared = is_country && last.saturating_sub(second) <= 4;
    let at = if is_shared { third? } else { second };
    Some((name.get(..at)?, name.get(at.checked_add(1)?..)?))
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

impl Zone {
    const fn new(header: &EventHeader) -> Self {
        Self {
            names: 0,
            distinct: BTreeSet::new(),
            octets: 0,
            odd_types: 0,
            foreign: 0,
            histogram: [0; 256],
            first: header.at,
            last: header.at,
            frames: Vec::new(),
            asked: header.to,
        }
    }

    fn count(&mut self, data: &[u8], octets: usize, header: &EventHeader) {
        self.names = self.names.saturating_add(1);
        self.last = self.last.max(header.at);
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        let hash = hasher.finish();
        // Beyond the bound a name may be one that was counted before.
        if self.distinct.len() >= MOST_DISTINCT || !self.distinct.insert(hash) {
            return;
        }
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(0));
        for octet in data.iter().filter(|octet| **octet != b'.') {
            if let Some(place) = self.histogram.get_mut(usize::from(*octet)) {
                *place = place.saturating_add(1);
            }
        }
        if is_strange(data) {
            self.foreign = self.foreign.saturating_add(1);
        }
        if self.frames.len() < MOST_FRAMES {
            self.frames.push(header.source);
        }
    }

    fn merge(&mut self, other: Self) {
        self.names = self.names.saturating_add(other.names);
        self.distinct.extend(other.distinct);
        self.octets = self.octets.saturating_add(other.octets);
        self.odd_types = self.odd_types.saturating_add(other.odd_types);
        self.foreign = self.foreign.saturating_add(other.foreign);
        for (place, more) in self.histogram.iter_mut().zip(other.histogram) {
            *place = place.saturating_add(more);
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.frames.extend(other.frames);
        self.frames.truncate(MOST_FRAMES);
    }

    /// Shannon's entropy of the octets before the zone, in bits an octet.
    fn entropy(&self) -> f64 {
        let total: f64 = self.histogram.iter().map(|count| f64::from(*count)).sum();
        let share = |count: u32| f64::from(count) / total.max(1.0);
        let bits = self.histogram.iter().filter(|count| **count > 0).map(|count| {
            let share = share(*count);
            -share * share.log2()
        });
        bits.sum()
    }

    /// What speaks for a tunnel, with its weight: nothing where the names are few and ordinary.
    fn reasons(&self, weights: &Tunnel) -> Vec<(&'static str, i32, String)> {
        let distinct = self.distinct.len();
        let are_distinct = u64::try_from(distinct)
            .is_ok_and(|distinct| distinct.saturating_mul(5) >= self.names.saturating_mul(4))
            || distinct >= MOST_DISTINCT;
        let mut reasons = Vec::new();
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
        let is_many = distinct >= own().many_names && self.octets >= own().many_octets;
        if distinct >= own().few_names && are_distinct {
            let what = format!(
                "{distinct} different long names, {} octets before the zone",
                self.octets
            );
            let weight = if is_many {
                weights.dns_many
            } else {
                weights.dns_some
            };
            reasons.push(("volume", weight, what));
            if self.entropy() >= own().chance_bits {
                let what = format!("{:.1} bits an octet", self.entropy());
                reasons.push(("entropy", weights.dns_entropy, what));
            }
        }
        reasons
    }
}

fn finding(host: &HostView, zone_name: &str, zone: &Zone, knowledge: &Knowledge<'_>) -> Option<Finding> {
    let tool = knowledge.catalogue.tool(TOOL)?;
    let rules = &knowledge.rules.findings;
    let reasons = zone.reasons(&rules.tunnel);
    let score: i32 = reasons.iter().map(|(_, weight, _)| weight).sum();
    if score == 0 {
        return None;
    }
    let confidence = session_finding::believed(score, rules);
    let evidence = reasons.into_iter().map(|(measure, weight, what)| {
        let weight = Decibans(f64::from(weight));
        let mut evidence = Evidence::observed(Family::Loc, what, weight, &zone.frames, Some(zone.first));
        evidence.measure = Some(measure.to_owned());
        evidence
    });
    Some(Finding {
        id: ContentId::of(&[b"dns-tunnel", &host.id.0.to_be_bytes(), zone_name.as_bytes()]),
        timestamp: zone.first,
        last_seen: zone.last,
        kind: kind_of(tool)?,
        tool: tool.id.clone(),
        role: Role::Client,
        activity: Activity::Unknown,
        host: host.id,
        host_ip: host.address(),
        peer_name: Some(zone_name.to_owned()),
        confidence,
        score: Decibans(f64::from(score)),
        sanctioned: knowledge.sanctioned(host, &tool.id, &[zone_name], None),
        summary: format!(
            "{}: questions consistent with data carried in names below {zone_name}; {} of {} octets",
            host.label(),
            counted(zone.names, "name"),
            zone.octets
        ),
        benign: vec![tool.benign().to_owned()],
        evidence: evidence.collect(),
        protocol: Some("dns".to_owned()),
        peer: Some(zone.asked.address.to_string()),
        peer_port: Some(zone.asked.port).filter(|port| *port != 0),
        flow_count: 0,
        ..Finding::default()
    })
}

/// Watches for data in the names of questions.
pub(super) fn watch(limits: &Limits) -> Box<dyn Watcher> {
    // A zone of long names takes some kilobytes, a group some hundred bytes.
    Box::new(Questions::new(limits.groups / 16))
}

impl Watcher for Questions {
    fn wants(&self, field: FieldId) -> bool {
        matches!(field, DNS_QUERY | DNS_QTYPE)
    }

    fn fact(&mut self, about: LocalIndex, header: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        match (fact.field, fact.value) {
            (DNS_QUERY, Value::Text { bytes, .. }) => self.asked(about, bytes, header),
            (DNS_QTYPE, Value::Number(kind)) => self.of_type(kind),
            _ => {}
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("long names beyond the bound on zones", self.refused);
        let all = std::mem::replace(self, Self::new(0));
        concluded
            .findings
            .extend(all.found(&ended.by_local, ended.knowledge));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Geo;
    use crate::model::finding::Confidence;
    use crate::settings::policy::Policy;
    use crate::signatures::Catalogue;

    const LOCAL: LocalIndex = LocalIndex(1);

    /// What questions of one type lead to.
    fn found(names: impl Iterator<Item = String>, kind: u64) -> Vec<Finding> {
        let mut questions = Questions::new(10);
        for name in names {
            questions.asked(LOCAL, name.as_bytes(), &EventHeader::default());
            questions.of_type(kind);
        }
        let host = HostView {
            locals: vec![LOCAL],
            ..HostView::default()
        };
        let (catalogue, geo, policy) = (Catalogue::embedded().unwrap(), Geo::embedded(), Policy::default());
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy: &policy,
            rules: crate::settings::rules::Rules::shipped(),
            reverse_names: None,
            at: None,
        };
        questions.found(&BTreeMap::from([(LOCAL, &host)]), &knowledge)
    }

    /// So many names with data that never repeats, below a zone.
    fn data(count: u64, zone: &str) -> impl Iterator<Item = String> {
        (0..count).map(move |number| {
            let mut state = number;
            let label: String = (0..60)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::try_from(state >> 59).unwrap()])
                })
                .collect();
            format!("{label}.{zone}")
        })
    }

    #[test]
    fn many_names_of_data_are_a_tunnel_and_few_are_not() {
        let tunnel = found(data(200, "t.example"), 1);
        assert_eq!((tunnel.len(), tunnel[0].confidence), (1, Confidence::Medium));
        assert_eq!(tunnel[0].peer_name.as_deref(), Some("t.example"));
        assert_eq!(found(data(30, "t.example"), 1)[0].confidence, Confidence::Low);
        assert!(found(data(19, "t.example"), 1).is_empty());
    }

    #[test]
    fn a_type_that_no_host_asks_for_makes_it_sure() {
        assert_eq!(found(data(30, "t.example"), 10)[0].confidence, Confidence::High);
    }

    #[test]
    fn a_name_that_is_asked_again_and_again_carries_nothing() {
        let name = data(1, "contents.example").next().unwrap();
        assert!(found(std::iter::repeat_n(name, 500), 1).is_empty());
    }

    #[test]
    fn reverse_names_and_known_services_are_asked_in_long_names() {
        for zone in ["8.b.d.0.1.0.0.2.ip6.arpa", "avqs.mcafee.com"] {
            assert!(found(data(500, zone), 1).is_empty(), "{zone}");
        }
    }

    #[test]
    fn the_long_names_of_printers_and_of_other_scripts_are_no_tunnel() {
        let printers = (0..10).map(|number| {
            format!("B\u{fc}ro Empfang = HP Color LaserJet MFP (4C5E0{number})._ipp._tcp.office.example")
        });
        assert!(found(printers, 1).is_empty());
        let umlauts = (0..10).map(|number| format!("{}{number}.shop.example", "\u{e4}\u{f6}".repeat(12)));
        assert!(found(umlauts, 1).is_empty());
        let odd = data(1, "t.example").map(|name| format!("+{name}"));
        assert_eq!(found(odd, 1)[0].confidence, Confidence::Low);
    }

    #[test]
    fn beyond_the_bound_of_names_nothing_is_counted_twice() {
        let names = u64::try_from(MOST_DISTINCT).unwrap() + 500;
        let many: Vec<String> = data(names, "t.example").collect();
        let once = found(many.iter().cloned(), 1);
        let twice = found(many.iter().cloned().chain(many.iter().skip(1_200).cloned()), 1);
        assert!(
            once[0].evidence[0]
                .what
                .contains("1000 different long names, 60000 octets"),
            "{once:?}"
        );
        assert_eq!(once[0].evidence[0].what, twice[0].evidence[0].what);
    }

    #[test]
    fn below_a_countrys_second_level_the_zone_has_three_labels() {
        let of = |name: &'static str| split(name.as_bytes()).map(|(_, zone)| zone);
        assert_eq!(of("a.b.shop.co.uk"), Some(&b"shop.co.uk"[..]));
        assert_eq!(of("a.b.shop.example"), Some(&b"shop.example"[..]));
        assert_eq!(of("co.uk"), None);
    }
}

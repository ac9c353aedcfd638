//! Tor by the names that its clients make up: a client puts `www.`, four to twenty-five letters and digits of base32 and `.com` into each
//! hello, another name every time, and asks no resolver for any of them (Tor's `crypto_random_hostname`; Tor proposal 369 shows that
//! hellos and certificates still have such names in 2026).
//!
//! Over TLS 1.3, where no certificate is seen, this is what is left beside a known hello. One such name may be a web site's, asked for before
//! the capture began: so two at one server, none asked for and no other name there, or one beside a hello that the catalogue has for Tor.
//! Costs a connection with a server's name the comparison of its first four letters.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::lead::{Lead, Leads};
use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use super::{Concluded, DNS_QUERY};
use crate::model::address::Address;
use crate::model::fact::{Fact, FieldId, Value};
use crate::model::finding::Confidence;
use crate::model::observation::{EventHeader, LocalIndex, NameSource, Observation};
use crate::model::quantity::counted;
use crate::settings::limits::Limits;
use crate::settings::rules::Tunnel;
use crate::signatures::Catalogue;

/// The catalogue's entry.
const TOOL: &str = "tor";
const JA4: FieldId = FieldId::of("tls.ja4");
/// Letters and digits between `www.` and `.com`.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=25;
/// Names that were asked for, and servers, that are remembered.
const MOST: usize = 10_000;
/// Different names of one server that are told apart.
const MOST_NAMES: usize = 8;
/// Ports of relays by the manual of Tor (ORPort).
const PORT: u16 = 9_001;

/// What a host called a server.
#[derive(Debug, Default)]
struct Called {
    names: BTreeSet<u64>,
    /// Hellos in which it did.
    hellos: BTreeSet<String>,
    /// With a name that nobody made up, or that was asked for: a server of contents.
    has_others: bool,
}

/// Connections of that kind.
#[derive(Debug, Default)]
struct TorNames {
    leads: Leads,
    asked: BTreeSet<(LocalIndex, u64)>,
    servers: BTreeMap<(LocalIndex, Address, u16), Called>,
    /// Connections with a made-up name to servers beyond the bound.
    refused: u64,
}

/// Watches for names that are made up.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<TorNames>::default()
}

/// Whether a name could be one that Tor made up. One without a digit is as likely a word.
fn is_made_up(name: &[u8]) -> bool {
    let Some(label) = name
        .strip_prefix(b"www.")
        .and_then(|rest| rest.strip_suffix(b".com"))
    else {
        return false;
    };
    LENGTHS.contains(&label.len())
        && label
            .iter()
            .all(|octet| matches!(octet, b'a'..=b'z' | b'2'..=b'7'))
}

fn hash_of(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Whether one of a server's names has a digit among letters, which few words have and nine of ten made-up names.
fn has_digits(name: &[u8]) -> bool {
    let label = name.get(4..name.len().saturating_sub(4)).unwrap_or_default();
    label.iter().any(u8::is_ascii_digit) && label.iter().any(u8::is_ascii_alphabetic)
}

impl TorNames {
    fn add(&mut self, local: LocalIndex, observation: &Observation<'_>) {
        let flow = observation.flow;
        let Some(server) = observation
            .server_name
            .as_ref()
            .filter(|server| server.source == NameSource::Sni)
        else {
            return;
        };
        let name = server.name.as_bytes();
        let key = (local, flow.server.address, flow.server.port);
        if !is_made_up(name) {
            if !self.servers.is_empty()
                && let Some(called) = self.servers.get_mut(&key)
            {
                called.has_others = true;
            }
            return;
        }
        if self.servers.len() >= MOST && !self.servers.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let hash = hash_of(name);
        let called = self.servers.entry(key).or_default();
        called.has_others |= self.asked.contains(&(local, hash));
        let is_new = called.names.len() < MOST_NAMES && called.names.insert(hash);
        let has_digits = is_new && has_digits(name);
        if let Some(hello) = flow.facts.find(JA4).and_then(|fact| fact.value.as_text())
            && called.hellos.len() < MOST_NAMES
            && !called.hellos.contains(hello)
        {
            called.hellos.insert(hello.to_owned());
        }
        let counts = [u64::from(is_new), u64::from(has_digits), 0, 0];
        self.leads.add(local, flow, counts);
    }
}

/// What speaks for Tor at a server of so many made-up names, of which so many have digits.
fn weight(names: u64, with_digits: u64, has_hello: bool, port: u16, weights: &Tunnel) -> Option<f64> {
    let are_several = names >= 2 && with_digits >= 1;
    let is_told = are_several || has_hello;
    let of = |is_so: bool, weight: f64| if is_so { weight } else { 0.0 };
    let several = of(are_several, weights.tor_names);
    is_told.then(|| several + of(has_hello, weights.tor_hello) + of(port == PORT, weights.tor_port))
}

impl Watcher for TorNames {
    fn wants(&self, field: FieldId) -> bool {
        field == DNS_QUERY
    }

    fn fact(&mut self, about: LocalIndex, _: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        if fact.field == DNS_QUERY
            && let Value::Text { bytes, .. } = fact.value
            && is_made_up(bytes)
            && self.asked.len() < MOST
        {
            self.asked.insert((about, hash_of(bytes)));
        }
    }

    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if let [Some(local), _] = observation.locals
            && recognised.is_empty()
        {
            self.add(local, observation);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.losses.add(
            "connections under made-up names beyond what is remembered",
            self.refused,
        );
        let catalogue = ended.knowledge.catalogue;
        let weights = &ended.knowledge.rules.findings.tunnel;
        let is_tors = |hello: &String| {
            let mut matches = catalogue.matches("tls.ja4", hello.as_bytes());
            matches.any(|found| found.tool.id == TOOL)
        };
        let servers = &self.servers;
        self.leads.retain(|key, gathered| {
            let Some(called) = servers.get(key).filter(|called| !called.has_others) else {
                return false;
            };
            let [_, _, hello, port] = &mut gathered.sums;
            *hello = u64::from(called.hellos.iter().any(is_tors));
            *port = u64::from(key.2);
            true
        });
        self.leads.conclude(ended, concluded, "TCP", |server, gathered| {
            let [names, with_digits, hello, port] = gathered.sums;
            let port = u16::try_from(port).unwrap_or_default();
            let weight = weight(names, with_digits, hello > 0, port, weights)?;
            let shown = if hello > 0 {
                ", in a hello of Tor's cipher suites"
            } else {
                ""
            };
            let several = counted(names, "name");
            Some(Lead {
                tool: TOOL,
                measure: "made_up_names",
                what: format!("{several} of base32 letters in hellos, none of them asked for in DNS{shown}"),
                note: "the hellos of other programs may have such names: some tunnels make theirs up as well, and names that were asked for \
                       before the capture or by encrypted DNS seem not asked for",
                summary: format!("connections to {server} under {several} that nobody asked for, consistent with Tor, used from here"),
                benign: "privacy, journalism, research; somebody who reads what is blocked",
                weight,
                confidence: if hello > 0 {
                    Confidence::Medium
                } else {
                    Confidence::Low
                },
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::FlowRecord;
    use crate::model::frame::FrameRef;
    use crate::model::observation::ServerName;
    use crate::model::time::Timestamp;

    const LOCAL: LocalIndex = LocalIndex(1);

    fn call(names: &mut TorNames, name: &str) {
        let mut flow = FlowRecord::default();
        flow.server.address = Address::from_v4([192, 0, 2, 9]);
        let server_name = ServerName {
            name: name.into(),
            source: NameSource::Sni,
            frame: FrameRef::default(),
            at: Timestamp(1),
            lifetime: None,
        };
        let observation = Observation {
            flow: &flow,
            locals: [Some(LOCAL), None],
            server_name: Some(server_name),
        };
        names.flow(&observation, &[]);
    }

    /// Made-up names, those of them with digits, and whether the server has other names, after these calls.
    fn called(asked: &[&str], names: &[&str]) -> Option<(u64, u64, bool)> {
        let mut tor = TorNames::default();
        tor.asked
            .extend(asked.iter().map(|name| (LOCAL, hash_of(name.as_bytes()))));
        for name in names {
            call(&mut tor, name);
        }
        let mut sums = None;
        tor.leads.retain(|_, gathered| {
            sums = Some(gathered.sums);
            true
        });
        let [names, with_digits, ..] = sums?;
        Some((
            names,
            with_digits,
            tor.servers.values().any(|called| called.has_others),
        ))
    }

    #[test]
    fn names_of_recorded_clients_are_made_up_and_those_of_sites_are_not() {
        for name in [
            "www.4gk67zpn3brh7qxg.com",
            "www.57xl.com",
            "www.ymbob.com",
            "www.nkxsblumcc4fqqcbgimliqcz.com",
        ] {
            assert!(is_made_up(name.as_bytes()), "{name}");
        }
        for name in [
            "www.163.com",
            "www.abc.com",
            "www.a1b2c3.com",
            "www.with-hyphen.com",
            "abcdef2.com",
            "www.shop.abc2.com",
            "www.abcd2.net",
            "www.abcdefghijklmnopqrstuvwxyz.com",
        ] {
            assert!(!is_made_up(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn another_name_each_time_counts_and_the_same_one_does_not() {
        let again = ["www.57xl.com"; 5];
        assert_eq!(called(&[], &again), Some((1, 1, false)));
        assert_eq!(
            called(&[], &["www.57xl.com", "www.ymbob.com"]),
            Some((2, 1, false))
        );
        let weights = &crate::settings::rules::Rules::shipped().findings.tunnel;
        let of = |names, with_digits, has_hello| weight(names, with_digits, has_hello, PORT, weights);
        assert_eq!(
            [of(1, 1, false), of(2, 0, false)],
            [None; 2],
            "one name, two words"
        );
        assert!(of(2, 1, false) < of(2, 2, true));
    }

    #[test]
    fn a_name_that_was_asked_for_or_stands_beside_others_is_a_sites() {
        let two = ["www.57xl.com", "www.tool4you.com"];
        assert_eq!(called(&["www.tool4you.com"], &two), Some((2, 2, true)));
        assert_eq!(
            called(&[], &["www.57xl.com", "cdn.example", "www.tool4you.com"]),
            Some((2, 2, true))
        );
        assert_eq!(called(&[], &["cdn.example"]), None);
    }
}

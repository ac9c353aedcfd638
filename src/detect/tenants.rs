//! Organisations whose services a host uses: the customer's own label in names of identity providers and other
//! services (DETECTION 4.2). One household line with many of them is what a farm cannot avoid.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use super::{Concluded, DNS_QUERY};
use crate::model::egress::day_of;
use crate::model::fact::Fact;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;
use crate::signatures::Catalogue;

/// The table, with its sources.
const TABLE: &str = include_str!("tenants.tsv");

/// Labels that name no customer.
const GENERIC: &[&str] = &[
    "www",
    "login",
    "api",
    "app",
    "apps",
    "help",
    "support",
    "status",
    "developer",
    "docs",
    "admin",
    "static",
    "cdn",
    "assets",
    "auth",
    "sso",
    "id",
    "accounts",
    "web",
    "files",
    "edge",
    "mail",
    "blog",
    "files-edge",
    "wss-primary",
    "wss-backup",
    "slackb",
    "edgeapi",
    "a",
    "b",
    "ns1",
    "ns2",
    "global",
    "ok1static",
    "ok2static",
    "ok3static",
    "ok4static",
    "ok5static",
    "ok6static",
    "ok7static",
    "ok8static",
    "ok9static",
    "ok10static",
    "ok11static",
    "ok12static",
    "ok14static",
];

/// Least weight of a token that says whom somebody works for: six uses on one day, or three on each of two.
const LEAST_USE: f64 = 1.9;

/// Tenths of the main token's days on which another must be used to be of the same organisation (DETECTION 4.2).
const TOGETHER_TENTHS: usize = 6;

/// Services and how customers are named in them.
#[derive(Debug)]
pub struct Tenants {
    suffixes: HashSet<&'static str, rapidhash::fast::RandomState>,
    /// The last two labels of each, by which nearly every name is told to be none of them.
    roots: HashSet<&'static str, rapidhash::fast::RandomState>,
    /// Flows and questions by host, token and day since 1970.
    seen: BTreeMap<(LocalIndex, String, u32), u64>,
    most: usize,
    /// Uses beyond the bound.
    refused: u64,
}

impl Tenants {
    /// With room for so many pairs of host and token.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let suffixes: HashSet<&'static str, _> = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('\t').next())
            .collect();
        Self {
            roots: suffixes.iter().map(|suffix| root(suffix)).collect(),
            suffixes,
            seen: BTreeMap::new(),
            most,
            refused: 0,
        }
    }

    /// The token of a name: the customer's label and the service, `acme@okta.com`.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<String> {
        if !self.roots.contains(root(name)) {
            return None;
        }
        let suffix = name
            .match_indices('.')
            .filter_map(|(dot, _)| name.get(dot.saturating_add(1)..))
            .find_map(|behind| self.suffixes.get(behind))?;
        let front = name.strip_suffix(suffix)?.trim_end_matches('.');
        let label = front.rsplit('.').next()?;
        let is_customer = !label.is_empty()
            && label.len() >= 2
            && !GENERIC.contains(&label)
            && !label.starts_with("api-")
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_customer.then(|| format!("{label}@{suffix}"))
    }

    /// Notes a name that a host used.
    pub fn used(&mut self, local: LocalIndex, name: &str, at: Timestamp) {
        if let Some(token) = self.token(name) {
            let key = (local, token, day_of(at));
            if self.seen.len() < self.most || self.seen.contains_key(&key) {
                let count = self.seen.entry(key).or_default();
                *count = count.saturating_add(1);
            } else {
                self.refused = self.refused.saturating_add(1);
            }
        }
    }

    /// Tokens of a set of addresses, the most used first: the one with the largest sum of `log(1 + uses)` over days, and those
    /// that are used on most of its days (DETECTION 4.2). What a browser meets once, a shop's support page, is nobody's employer.
    #[must_use]
    pub fn of(&self, locals: &[LocalIndex]) -> Vec<String> {
        let mut days: BTreeMap<&str, BTreeMap<u32, u64>> = BTreeMap::new();
        for local in locals {
            let from = (*local, String::new(), 0);
            for ((_, token, day), count) in self
                .seen
                .range(from..)
                .take_while(|((other, ..), _)| other == local)
            {
                let sum = days.entry(token).or_default().entry(*day).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        let mut ranked: Vec<(f64, &str, BTreeMap<u32, u64>)> = days
            .into_iter()
            .map(|(token, days)| (days.values().map(|uses| weight(*uses)).sum(), token, days))
            .filter(|(sum, ..): &(f64, &str, _)| *sum >= LEAST_USE)
            .collect();
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        let Some((_, _, main)) = ranked.first() else {
            return Vec::new();
        };
        let main: BTreeSet<u32> = main.keys().copied().collect();
        ranked
            .iter()
            .filter(|(_, _, days)| {
                let together = main.iter().filter(|day| days.contains_key(day)).count();
                together.saturating_mul(10) >= main.len().saturating_mul(TOGETHER_TENTHS)
            })
            .map(|(_, token, _)| (*token).to_owned())
            .collect()
    }
}

/// The last two labels of a name.
fn root(name: &str) -> &str {
    let mut dots = name.bytes().enumerate().rev().filter(|(_, octet)| *octet == b'.');
    let second = dots.nth(1).map(|(dot, _)| dot.saturating_add(1));
    second.and_then(|start| name.get(start..)).unwrap_or(name)
}

/// How much so many uses on one day weigh.
fn weight(uses: u64) -> f64 {
    f64::from(u32::try_from(uses).unwrap_or(u32::MAX)).ln_1p()
}

/// Watches whose services hosts use.
pub(super) fn watch(limits: &Limits) -> Box<dyn Watcher> {
    Box::new(Tenants::new(limits.hosts))
}

impl Watcher for Tenants {
    fn flow(&mut self, observation: &Observation<'_>, _: &[Recognised<'_>]) {
        let [Some(client), _] = observation.locals else {
            return;
        };
        if let Some(name) = &observation.server_name {
            self.used(client, &name.name, observation.flow.start);
        }
    }

    fn fact(&mut self, about: LocalIndex, header: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        if fact.field == DNS_QUERY
            && let Some(name) = fact.value.as_text()
        {
            self.used(about, name, header.at);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("uses of services beyond the bound on hosts", self.refused);
        concluded.tenants = ended
            .hosts
            .iter()
            .filter(|host| !host.is_resolver)
            .map(|host| (host.id, self.of(&host.locals)))
            .filter(|(_, tenants)| !tenants.is_empty())
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_label_is_a_token_and_a_services_own_name_is_not() {
        let tenants = Tenants::new(10);
        assert_eq!(tenants.token("acme.okta.com").as_deref(), Some("acme@okta.com"));
        assert_eq!(
            tenants.token("files.acme.slack.com").as_deref(),
            Some("acme@slack.com")
        );
        for name in [
            "login.okta.com",
            "okta.com",
            "notokta.com",
            "www.slack.com",
            "example.com",
        ] {
            assert_eq!(tenants.token(name), None, "{name}");
        }
    }

    /// Names and how often each was used on one of these days.
    fn found(uses: &[(&str, i64, usize)]) -> Vec<String> {
        let mut tenants = Tenants::new(100);
        for (name, day, times) in uses {
            for _ in 0..*times {
                tenants.used(LocalIndex(1), name, Timestamp(day * 86_400 * 1_000_000_000));
            }
        }
        tenants.used(LocalIndex(2), "other.okta.com", Timestamp(0));
        tenants.of(&[LocalIndex(1)])
    }

    #[test]
    fn the_most_used_organisation_comes_first_and_what_is_used_beside_it_behind() {
        let uses = [
            ("acme.okta.com", 1, 9),
            ("acme.okta.com", 2, 9),
            ("acme-hq.slack.com", 1, 8),
            ("acme-hq.slack.com", 2, 8),
            ("customer.zendesk.com", 2, 7),
        ];
        assert_eq!(found(&uses), ["acme@okta.com", "acme-hq@slack.com"]);
    }

    #[test]
    fn what_a_browser_meets_once_is_nobodys_employer() {
        assert!(found(&[("shop.zendesk.com", 1, 3), ("bravo.okta.com", 1, 5)]).is_empty());
        assert_eq!(found(&[("bravo.okta.com", 1, 6)]), ["bravo@okta.com"]);
        assert_eq!(
            found(&[("bravo.okta.com", 1, 3), ("bravo.okta.com", 2, 3)]),
            ["bravo@okta.com"]
        );
    }
}

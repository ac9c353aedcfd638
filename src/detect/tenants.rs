//! Organisations whose services a host uses: the customer's own label in names of identity providers and other
//! services (DETECTION 4.2). One household line with many of them is what a farm cannot avoid.

use super::Concluded;
use super::DNS_QUERY;
use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use crate::model::fact::Fact;
use crate::model::observation::{EventHeader, Observation};
use crate::settings::limits::Limits;
use crate::signatures::Catalogue;
use std::collections::{BTreeMap, HashSet};

use crate::model::observation::LocalIndex;

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

/// Services and how customers are named in them.
#[derive(Debug)]
pub struct Tenants {
    suffixes: HashSet<&'static str, rapidhash::fast::RandomState>,
    /// Flows and questions by host and token.
    seen: BTreeMap<(LocalIndex, String), u64>,
    most: usize,
}

impl Tenants {
    /// With room for so many pairs of host and token.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let suffixes = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('\t').next())
            .collect();
        Self {
            suffixes,
            seen: BTreeMap::new(),
            most,
        }
    }

    /// The token of a name: the customer's label and the service, `acme@okta.com`.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<String> {
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
    pub fn used(&mut self, local: LocalIndex, name: &str) {
        if let Some(token) = self.token(name) {
            let key = (local, token);
            if self.seen.len() < self.most || self.seen.contains_key(&key) {
                let count = self.seen.entry(key).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// Tokens of a set of addresses, the most used first.
    #[must_use]
    pub fn of(&self, locals: &[LocalIndex]) -> Vec<String> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for local in locals {
            let from = (*local, String::new());
            for ((_, token), count) in self
                .seen
                .range(from..)
                .take_while(|((other, _), _)| other == local)
            {
                let sum = sums.entry(token).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        let mut ranked: Vec<(&str, u64)> = sums.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        ranked.into_iter().map(|(token, _)| token.to_owned()).collect()
    }
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
            self.used(client, &name.name);
        }
    }

    fn fact(&mut self, about: LocalIndex, _: &EventHeader, fact: &Fact<'_>, _: &Catalogue) {
        if fact.field == DNS_QUERY
            && let Some(name) = fact.value.as_text()
        {
            self.used(about, name);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.tenants = ended
            .hosts
            .iter()
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

    #[test]
    fn the_most_used_organisation_comes_first() {
        let mut tenants = Tenants::new(10);
        for name in ["b.okta.com", "acme.okta.com", "acme.okta.com", "zeta.okta.com"] {
            tenants.used(LocalIndex(1), name);
        }
        tenants.used(LocalIndex(2), "other.okta.com");
        assert_eq!(tenants.of(&[LocalIndex(1)]), ["acme@okta.com", "zeta@okta.com"]);
    }
}

//! Organisations whose services a host uses: the customer's own label in names of identity providers and other
//! services (DETECTION 4.2). One household line with many of them is what a farm cannot avoid.

mod shared;
mod zone;

use std::collections::BTreeMap;

use super::recognise::Recognised;
use super::thresholds::THRESHOLDS;
use super::watcher::{Ended, Watcher};
use super::{Concluded, DNS_QUERY};
use crate::model::egress::day_of;
use crate::model::fact::{Fact, FieldId};
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::model::organisation::{may_be_one, service};
use crate::model::tenancy::Tenant;
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;
use crate::signatures::Catalogue;

use zone::Zones;

/// Most names of one host, the most used: who has more stands for a whole company, and is said to be of many all the same.
const MOST_NAMES: usize = 64;

/// What hosts use of services in which organisations are customers.
#[derive(Debug)]
pub struct Tenants {
    zones: Zones,
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
        Self {
            zones: Zones::default(),
            seen: BTreeMap::new(),
            most,
            refused: 0,
        }
    }

    /// Notes a name that a host used.
    pub fn used(&mut self, local: LocalIndex, name: &str, at: Timestamp) {
        let Some(customer) = self.zones.customer(name) else {
            return;
        };
        // The customer's label and the service, `acme@okta.com`.
        let token = format!("{}@{}", customer.name, customer.zone);
        let key = (local, token, day_of(at));
        if self.seen.len() < self.most || self.seen.contains_key(&key) {
            let count = self.seen.entry(key).or_default();
            *count = count.saturating_add(1);
        } else {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// Tokens of a set of addresses with their days, the most used first: those whose organisation, by name, was used enough to be
    /// somebody's employer. Which of them the machine is is told from their days ([`crate::model::tenancy`]).
    #[must_use]
    pub fn of(&self, locals: &[LocalIndex]) -> Vec<Tenant> {
        let mut days: Uses<'_> = BTreeMap::new();
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
        if days.len() > MOST_NAMES {
            days = most_used(days);
        }
        let is_used = |token: &str| {
            let mut by_day: BTreeMap<u32, u64> = BTreeMap::new();
            for (_, other) in days.iter().filter(|(other, _)| may_be_one(other, token)) {
                for (day, uses) in other {
                    let sum = by_day.entry(*day).or_default();
                    *sum = sum.saturating_add(*uses);
                }
            }
            by_day.values().map(|uses| weight(*uses)).sum::<f64>() >= THRESHOLDS.tenants.least_use
        };
        let mut used: Vec<Tenant> = days
            .iter()
            .filter(|(token, _)| is_used(token))
            .map(|(token, days)| Tenant {
                name: (*token).to_owned(),
                days: days.keys().copied().collect(),
                weight: days.values().map(|uses| weight(*uses)).sum(),
                signs_in: self.zones.signs_in(service(token)),
                is_shared: false,
            })
            .collect();
        used.sort_by(|one, other| {
            let by_weight = other.weight.total_cmp(&one.weight);
            by_weight.then_with(|| one.name.cmp(&other.name))
        });
        used
    }
}

/// Names of one host with its uses by day.
type Uses<'a> = BTreeMap<&'a str, BTreeMap<u32, u64>>;

/// The most used of many names; of equals the first by name.
fn most_used(days: Uses<'_>) -> Uses<'_> {
    let mut all: Vec<(f64, &str, BTreeMap<u32, u64>)> = days
        .into_iter()
        .map(|(token, days)| (days.values().map(|uses| weight(*uses)).sum(), token, days))
        .collect();
    all.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    let kept = all.into_iter().take(MOST_NAMES);
    kept.map(|(_, token, days)| (token, days)).collect()
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

    fn wants(&self, field: FieldId) -> bool {
        field == DNS_QUERY
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
        let (hosts, mut used): (Vec<_>, Vec<Vec<Tenant>>) = ended
            .hosts
            .iter()
            .filter(|host| !host.is_resolver)
            .map(|host| (host.id, self.of(&host.locals)))
            .filter(|(_, tenants)| !tenants.is_empty())
            .unzip();
        let shared = shared::shared(&used, &self.zones);
        for tenant in used.iter_mut().flatten() {
            tenant.is_shared = shared.contains(&tenant.name);
        }
        concluded.tenants = hosts.into_iter().zip(used).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and how often each was used on one of these days.
    fn found(uses: &[(&str, i64, usize)]) -> Vec<String> {
        let mut tenants = Tenants::new(100);
        for (name, day, times) in uses {
            for _ in 0..*times {
                tenants.used(LocalIndex(1), name, Timestamp(day * 86_400 * 1_000_000_000));
            }
        }
        tenants.used(LocalIndex(2), "other.okta.com", Timestamp(0));
        let used = tenants.of(&[LocalIndex(1)]);
        used.into_iter().map(|tenant| tenant.name).collect()
    }

    #[test]
    fn every_organisation_is_listed_with_its_days_the_most_used_first() {
        let uses = [
            ("acme.okta.com", 1, 9),
            ("acme.okta.com", 2, 9),
            ("acme-hq.slack.com", 1, 8),
            ("acme-hq.slack.com", 2, 8),
            ("customer.zendesk.com", 2, 7),
        ];
        assert_eq!(
            found(&uses),
            ["acme@okta.com", "acme-hq@slack.com", "customer@zendesk.com"]
        );
        let mut tenants = Tenants::new(100);
        for day in [3, 1, 3] {
            for _ in 0..6 {
                tenants.used(
                    LocalIndex(1),
                    "acme.okta.com",
                    Timestamp(day * 86_400 * 1_000_000_000),
                );
            }
        }
        let used = tenants.of(&[LocalIndex(1)]);
        assert_eq!(used[0].days, [1, 3]);
        assert!(used[0].signs_in && !used[0].is_shared);
    }

    #[test]
    fn what_a_browser_meets_once_is_nobodys_employer() {
        assert!(found(&[("shop.zendesk.com", 1, 3), ("bravo.okta.com", 1, 5)]).is_empty());
        assert_eq!(found(&[("bravo.okta.com", 1, 6)]), ["bravo@okta.com"]);
        assert_eq!(
            found(&[("bravo.okta.com", 1, 2), ("bravo.okta.com", 2, 2)]),
            ["bravo@okta.com"]
        );
        // No host makes the rest wait with names of its own making.
        let many: Vec<String> = (0..200)
            .map(|place| format!("firm{place:03}x.okta.com"))
            .collect();
        let mut uses: Vec<(&str, i64, usize)> = many.iter().map(|name| (name.as_str(), 1, 6)).collect();
        uses.push(("bravo.okta.com", 1, 7));
        let mut tenants = Tenants::new(1_000);
        for (name, day, times) in uses {
            for _ in 0..times {
                tenants.used(LocalIndex(1), name, Timestamp(day * 86_400 * 1_000_000_000));
            }
        }
        let kept = tenants.of(&[LocalIndex(1)]);
        assert_eq!(
            (kept.len(), kept[0].name.as_str()),
            (MOST_NAMES, "bravo@okta.com")
        );
        // At several services on one day.
        assert_eq!(
            found(&[("bravo.okta.com", 1, 2), ("bravo.slack.com", 1, 4)]),
            ["bravo@slack.com", "bravo@okta.com"]
        );
    }
}

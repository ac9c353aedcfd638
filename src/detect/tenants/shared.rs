//! Names that stand beside different organisations on most of the machines that use them: nobody's, whatever the tables lack.
//!
//! Question: how does a name of the service itself, or of a data centre, that no table has, not become the organisation of all who call
//! it? Answer: a service knows each of its customers by one name. Where most of the machines that use a name are, day by day beside
//! it, different customers of the same service, or of one at which people sign in, the name is none of theirs: it stays listed, and
//! joins nothing.
//!
//! A company whose staff are guests at many others is not mistaken for such a name: guests do not sign in there for whom they work, and
//! one customer who stands beside it on more than half of the machines may be the company itself under another name.

use std::collections::{BTreeMap, BTreeSet};

use super::zone::Zones;
use crate::detect::thresholds::THRESHOLDS;
use crate::model::organisation::{may_be_one, service};
use crate::model::tenancy::Tenant;

/// The shared ones among the names that machines use.
#[must_use]
pub(super) fn shared(machines: &[Vec<Tenant>], zones: &Zones) -> BTreeSet<String> {
    let mut users: BTreeMap<&str, Vec<(&Tenant, &[Tenant])>> = BTreeMap::new();
    for used in machines {
        for tenant in used {
            users.entry(&tenant.name).or_default().push((tenant, used));
        }
    }
    users
        .into_iter()
        .filter(|(name, users)| users.len() > 1 && is_shared(name, users, zones))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn is_shared(name: &str, users: &[(&Tenant, &[Tenant])], zones: &Zones) -> bool {
    let own = service(name);
    // By service: on how many of the machines each other customer of it stands beside the name, and on how many any does.
    let mut beside: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for (tenant, used) in users {
        let mut here: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for other in used.iter().filter(|other| other.name != name) {
            let of = service(&other.name);
            let may_tell = of == own || zones.signs_in(of);
            let is_like_it = of == own && may_be_one(&other.name, name);
            if may_tell && !is_like_it && stands_beside(tenant, other) {
                here.entry(of).or_default().insert(&other.name);
            }
        }
        for (of, names) in here {
            let (machines, each) = beside.entry(of).or_default();
            *machines = machines.saturating_add(1);
            for name in names {
                let count = each.entry(name).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    beside.into_values().any(|(machines, each)| {
        let most = each.values().copied().max().unwrap_or(0);
        machines.saturating_mul(2) > users.len() && most.saturating_mul(2) <= machines
    })
}

/// Whether another name is used on the days of one.
fn stands_beside(tenant: &Tenant, other: &Tenant) -> bool {
    let together = tenant.days.iter().filter(|day| other.days.contains(day)).count();
    together.saturating_mul(10)
        >= tenant
            .days
            .len()
            .saturating_mul(THRESHOLDS.tenants.together_tenths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(machines: &[&[&str]]) -> Vec<String> {
        let zones = Zones::default();
        let of = |names: &&[&str]| {
            names
                .iter()
                .map(|name| Tenant {
                    signs_in: zones.signs_in(service(name)),
                    ..Tenant::on(name, &[1, 2])
                })
                .collect()
        };
        let machines: Vec<Vec<Tenant>> = machines.iter().map(of).collect();
        shared(&machines, &zones).into_iter().collect()
    }

    #[test]
    fn a_name_beside_different_customers_is_nobodys() {
        // Of its own service.
        assert_eq!(
            found(&[
                &["acme@slack.com", "relay-x@slack.com"],
                &["borealis@slack.com", "relay-x@slack.com"],
                &["cresta@slack.com", "relay-x@slack.com"],
                &["relay-x@slack.com"],
            ]),
            ["relay-x@slack.com"]
        );
        // Of another, at which people sign in; two machines of each organisation.
        let (one, other) = (
            ["acme@okta.com", "dc@atlassian.net"],
            ["borealis@okta.com", "dc@atlassian.net"],
        );
        assert_eq!(found(&[&one, &one, &other, &other]), ["dc@atlassian.net"]);
    }

    #[test]
    fn a_company_with_guests_and_partners_is_no_such_name() {
        // One who works at clients of his own each.
        let guests: [&[&str]; 3] = [
            &["acme@okta.com", "client-one@slack.com"],
            &["acme@okta.com", "other-client@slack.com"],
            &["acme@okta.com", "third-client@slack.com"],
        ];
        assert!(found(&guests).is_empty());
        // Its own names at other services, and a partner whom most of them know.
        let own: [&[&str]; 3] = [
            &["acme@okta.com", "acme@slack.com", "partner@okta.com"],
            &["acme@okta.com", "acme@slack.com", "partner@okta.com"],
            &["acme@okta.com", "acme-hq@slack.com", "else@okta.com"],
        ];
        assert!(found(&own).is_empty(), "{:?}", found(&own));
        // Few of many.
        let few: [&[&str]; 4] = [
            &["acme@slack.com", "one-client@slack.com"],
            &["acme@slack.com", "two-client@slack.com"],
            &["acme@slack.com"],
            &["acme@slack.com"],
        ];
        assert!(found(&few).is_empty());
    }
}

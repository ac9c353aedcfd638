//! An organisation that all machines of a place have in common beside one of their own each: their employer, maybe, who looks after others'
//! affairs (DETECTION 4.2).

use std::collections::BTreeSet;

use super::organisation::{may_be_one, service};
use super::tenancy::Tenant;
use super::thresholds::THRESHOLDS;

/// Names of one organisation that all of these machines use day by day beside their own, where there is one: at several services, one of
/// which people sign in to. A name that several organisations' machines use is the service's own as a rule (`is_shared`), but a service
/// names nothing at others; and who works for a firm that looks after others' affairs uses his employer's services and those of a client.
#[must_use]
pub fn in_common<'a>(machines: &[&'a [Tenant]]) -> Vec<&'a str> {
    let Some((first, others)) = machines.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let everywhere = |tenant: &&Tenant| {
        let is_it = |used: &[Tenant]| {
            used.iter()
                .any(|known| known.name == tenant.name && is_regular(&known.days, used))
        };
        tenant.is_shared && is_it(first) && others.iter().all(|used| is_it(used))
    };
    let all: Vec<&Tenant> = first.iter().filter(everywhere).collect();
    let of_one = |one: &&Tenant| -> Vec<&'a Tenant> {
        let alike = all.iter().filter(|other| may_be_one(&one.name, &other.name));
        alike.copied().collect()
    };
    let is_organisation = |names: &Vec<&Tenant>| {
        let services: BTreeSet<&str> = names.iter().map(|one| service(&one.name)).collect();
        services.len() > 1 && names.iter().any(|one| one.signs_in)
    };
    let found = all.iter().map(of_one).find(is_organisation);
    let mut names: Vec<&str> = found
        .unwrap_or_default()
        .into_iter()
        .map(|one| one.name.as_str())
        .collect();
    names.sort_unstable();
    names
}

/// Whether something is used day by day on a machine that uses all of these.
fn is_regular(days: &[u32], used: &[Tenant]) -> bool {
    let active: BTreeSet<u32> = used.iter().flat_map(|one| one.days.iter().copied()).collect();
    days.len().saturating_mul(10) >= active.len().saturating_mul(THRESHOLDS.tenancy.regular_tenths)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a machine used on two days; names with an asterisk are shared.
    fn used(names: &[&str]) -> Vec<Tenant> {
        let one = |name: &&str| Tenant {
            signs_in: name.ends_with("@okta.com"),
            is_shared: name.starts_with('*'),
            ..Tenant::on(name.trim_start_matches('*'), &[1, 2])
        };
        names.iter().map(one).collect()
    }

    fn common(machines: &[Vec<Tenant>]) -> Vec<String> {
        let machines: Vec<&[Tenant]> = machines.iter().map(Vec::as_slice).collect();
        in_common(&machines).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn an_employer_whose_staff_work_at_a_client_each_is_common_to_their_machines() {
        let clerks = [
            used(&["acme@okta.com", "*ledger@okta.com", "*ledger@sharepoint.com"]),
            used(&["borealis@okta.com", "*ledger@okta.com", "*ledger@sharepoint.com"]),
        ];
        assert_eq!(common(&clerks), ["ledger@okta.com", "ledger@sharepoint.com"]);
        assert!(
            common(&clerks[..1]).is_empty(),
            "one machine has nothing in common"
        );
    }

    #[test]
    fn a_name_of_the_service_itself_is_nobodys() {
        let at_one = [
            used(&["acme@okta.com", "*cdn@okta.com"]),
            used(&["borealis@okta.com", "*cdn@okta.com"]),
        ];
        assert!(common(&at_one).is_empty(), "at one service");
        let unsigned = [
            used(&["acme@okta.com", "*cdn@slack.com", "*cdn@zendesk.com"]),
            used(&["borealis@okta.com", "*cdn@slack.com", "*cdn@zendesk.com"]),
        ];
        assert!(common(&unsigned).is_empty(), "nobody signs in there");
        let some = [
            used(&["acme@okta.com", "*ledger@okta.com", "*ledger@slack.com"]),
            used(&["borealis@okta.com"]),
        ];
        assert!(common(&some).is_empty(), "not on all");
        let mut rare = used(&["acme@okta.com", "*ledger@okta.com", "*ledger@slack.com"]);
        for tenant in rare.iter_mut().skip(1) {
            tenant.days = vec![2];
        }
        let mut seldom = vec![
            rare,
            used(&["borealis@okta.com", "*ledger@okta.com", "*ledger@slack.com"]),
        ];
        for tenant in &mut seldom[0][..1] {
            tenant.days = (1..9).collect();
        }
        assert!(common(&seldom).is_empty(), "on few days");
    }
}

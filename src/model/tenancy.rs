//! What a machine's use of organisations' services says of whose machine it is (DETECTION 4.2).
//!
//! DETECTION 4.2 takes the token with the largest sum of `log(1 + uses)` over days for a machine's organisation, and those that are used on
//! six of ten of its days for the same one's. Here organisations are asked the same of each other: who is used on six of ten of the
//! days on which any is, is one whom somebody at the machine works for.
//!
//! * One such organisation: the machine is its own. What else was used is listed and does not count.
//! * Several, day by day together: somebody works for all of them, or several machines stand behind one address. Who holds three jobs
//!   is expected at each of them every working day (DETECTION 1.1: one operative, several jobs), so that jobs held side by side share
//!   their days; each counts.
//! * None, and one after the other with returns, or at least three: a machine that people of several organisations use in turn, as
//!   hot desks, pools, rented and hosted machines are. A laptop of a farm has one employer and cannot look so, whatever else it calls.
//! * None otherwise: whose it is cannot be told, and no number may be made out of it.
//!
//! A service knows each of its customers by one name: two different names of one service are never one organisation's, whatever third
//! name is used beside both.

use std::collections::BTreeSet;

use super::organisation::{may_be_one, service};
use super::thresholds::THRESHOLDS;

/// A customer's name at a service, as a machine used it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tenant {
    /// Label and service: `acme@okta.com`.
    pub name: String,
    /// Days since 1970 on which it was used, ascending.
    pub days: Vec<u32>,
    /// How much it was used: the sum over days of `log(1 + uses)`.
    pub weight: f64,
    /// Whether people sign in at this service for whom they work, or whose machine it manages: guests have no part in it.
    pub signs_in: bool,
    /// Whether machines of several organisations use it: nobody's name, then.
    pub is_shared: bool,
}

impl Tenant {
    /// One that was used on a day, and of which nothing else is known.
    #[must_use]
    pub fn on(name: &str, days: &[u32]) -> Self {
        Self {
            name: name.to_owned(),
            days: days.to_vec(),
            weight: f64::from(u32::try_from(days.len()).unwrap_or(u32::MAX)),
            ..Self::default()
        }
    }
}

/// One organisation, as one machine knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Organisation<'a> {
    /// Its name, and what is like it at other services.
    pub names: Vec<&'a str>,
    /// Other names that are used day by day beside it, and may be its own: a chat's, a ticket system's.
    pub beside: Vec<&'a str>,
    /// Days on which it was used, ascending.
    pub days: Vec<u32>,
    weight: f64,
    signs_in: bool,
}

/// What two machines' organisations are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// One and the same, by name.
    Same,
    /// Different ones.
    Different,
    /// One name is used beside both: they may be one.
    Open,
}

impl<'a> Organisation<'a> {
    /// One that somebody wrote out.
    #[must_use]
    pub fn written(name: &'a str) -> Self {
        Self {
            names: vec![name],
            ..Self::default()
        }
    }

    /// What two are to each other.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        if are_alike(&self.names, &other.names) {
            return Relation::Same;
        }
        if self.is_known_apart(other) {
            return Relation::Different;
        }
        let [mine, yours] = [self, other].map(|one| [one.names.as_slice(), &one.beside].concat());
        if are_alike(&mine, &yours) {
            Relation::Open
        } else {
            Relation::Different
        }
    }

    /// Whether a service knows both, and not by names that are alike.
    #[must_use]
    pub fn is_known_apart(&self, other: &Self) -> bool {
        let at_one_service = |name: &&str| other.names.iter().any(|known| service(known) == service(name));
        self.names.iter().any(at_one_service) && !are_alike(&self.names, &other.names)
    }

    /// Whether somebody works for it rather than meets it: it has people sign in, or is there at two services.
    fn has_workers(&self) -> bool {
        let services: BTreeSet<&str> = self.names.iter().map(|name| service(name)).collect();
        self.signs_in || services.len() > 1
    }
}

fn are_alike(one: &[&str], other: &[&str]) -> bool {
    one.iter()
        .any(|name| other.iter().any(|known| may_be_one(known, name)))
}

/// Whose machine it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Belonging<'a> {
    /// Nothing that names an organisation was used.
    Unknown,
    /// These organisations', each used day by day; one as a rule.
    To(Vec<Organisation<'a>>),
    /// Several organisations' in turn.
    InTurn(Vec<Organisation<'a>>),
    /// One of several, and which one cannot be told.
    Unclear(Vec<Organisation<'a>>),
}

impl<'a> Belonging<'a> {
    /// By the names that a machine used.
    #[must_use]
    pub fn of(tenants: &'a [Tenant]) -> Self {
        let all = by_name(tenants);
        if all.len() < 2 {
            return if all.is_empty() {
                Self::Unknown
            } else {
                Self::To(all)
            };
        }
        let active: BTreeSet<u32> = all.iter().flat_map(|one| one.days.iter().copied()).collect();
        let is_regular = |one: &Organisation<'_>| {
            one.days.len().saturating_mul(10)
                >= active.len().saturating_mul(THRESHOLDS.tenancy.regular_tenths)
        };
        let (regular, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_regular);
        if !regular.is_empty() {
            return Self::To(of_regular(regular));
        }
        let workers = others.iter().filter(|one| one.has_workers()).count();
        let takes_turns =
            workers >= THRESHOLDS.tenancy.turn_organisations || workers > 1 && has_returns(&others);
        if active.len() >= THRESHOLDS.tenancy.turn_days && takes_turns {
            Self::InTurn(others)
        } else {
            Self::Unclear(others)
        }
    }

    /// The organisations, however they are used.
    #[must_use]
    pub fn organisations(&self) -> &[Organisation<'a>] {
        match self {
            Self::Unknown => &[],
            Self::To(all) | Self::InTurn(all) | Self::Unclear(all) => all,
        }
    }
}

/// The organisations by name alone, the most used first.
fn by_name(tenants: &[Tenant]) -> Vec<Organisation<'_>> {
    let mut own: Vec<&Tenant> = tenants.iter().filter(|tenant| !tenant.is_shared).collect();
    own.sort_by(|one, other| {
        let by_weight = other.weight.total_cmp(&one.weight);
        by_weight.then_with(|| one.name.cmp(&other.name))
    });
    let mut all: Vec<Organisation<'_>> = Vec::new();
    for tenant in own {
        let known = all
            .iter()
            .position(|one| one.names.iter().any(|name| may_be_one(name, &tenant.name)));
        if known.is_none() {
            all.push(Organisation::default());
        }
        let last = all.len().saturating_sub(1);
        let Some(organisation) = all.get_mut(known.unwrap_or(last)) else {
            continue;
        };
        organisation.names.push(&tenant.name);
        organisation.days.extend(&tenant.days);
        organisation.weight += tenant.weight;
        organisation.signs_in |= tenant.signs_in;
    }
    for one in &mut all {
        one.days.sort_unstable();
        one.days.dedup();
    }
    all.sort_by(|one, other| {
        let by_weight = other.weight.total_cmp(&one.weight);
        by_weight.then_with(|| one.names.cmp(&other.names))
    });
    all
}

/// What is used day by day: one organisation with its names at several services, unless a service knows several of them. Where some have
/// workers, the others are what those meet: a customer's tickets, a partner's chat.
fn of_regular(regular: Vec<Organisation<'_>>) -> Vec<Organisation<'_>> {
    let have_workers = regular.iter().any(Organisation::has_workers);
    let counts = |one: &Organisation<'_>| !have_workers || one.has_workers();
    let mut services: BTreeSet<&str> = BTreeSet::new();
    for one in &regular {
        services.extend(one.names.iter().map(|name| service(name)));
    }
    let is_at = |one: &Organisation<'_>, wanted: &str| one.names.iter().any(|name| service(name) == wanted);
    // The service with the most of them, of equals the first by name.
    let with_most = services.into_iter().rev().max_by_key(|wanted| {
        regular
            .iter()
            .filter(|one| counts(one) && is_at(one, wanted))
            .count()
    });
    let most = with_most.unwrap_or_default();
    let (mut apart, beside): (Vec<_>, Vec<_>) = regular
        .into_iter()
        .partition(|one| counts(one) && is_at(one, most));
    if apart.len() > 1 {
        return apart;
    }
    let mut all: Vec<Organisation<'_>> = apart.drain(..).chain(beside).collect();
    all.sort_by(|one, other| {
        let by_workers = other.has_workers().cmp(&one.has_workers());
        by_workers.then_with(|| other.weight.total_cmp(&one.weight))
    });
    let mut rest = all.into_iter();
    let Some(mut main) = rest.next() else {
        return Vec::new();
    };
    main.beside = rest.flat_map(|one| one.names).collect();
    vec![main]
}

/// Whether one is used again after another was.
fn has_returns(all: &[Organisation<'_>]) -> bool {
    all.iter().any(|one| {
        let span = one.days.first().zip(one.days.last());
        span.is_some_and(|(first, last)| {
            all.iter().filter(|other| other.names != one.names).any(|other| {
                other
                    .days
                    .iter()
                    .any(|day| first < day && day < last && !one.days.contains(day))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing_in(name: &str, days: &[u32]) -> Tenant {
        Tenant {
            signs_in: true,
            ..Tenant::on(name, days)
        }
    }

    fn names<'a>(all: &'a [Organisation<'_>]) -> Vec<&'a str> {
        all.iter().map(|one| one.names[0]).collect()
    }

    #[test]
    fn a_machine_is_its_daily_organisations_whatever_else_it_meets() {
        let used = [
            signing_in("acme@okta.com", &[1, 2, 3, 4, 5]),
            Tenant::on("red-team@slack.com", &[1, 2, 4, 5]),
            Tenant::on("acme@slack.com", &[2, 3]),
            signing_in("client@okta.com", &[3]),
            Tenant::on("shop@zendesk.com", &[2]),
        ];
        let Belonging::To(all) = Belonging::of(&used) else {
            panic!("{:?}", Belonging::of(&used));
        };
        assert_eq!(names(&all), ["acme@okta.com"]);
        assert_eq!(all[0].names, ["acme@okta.com", "acme@slack.com"]);
        assert_eq!(all[0].beside, ["red-team@slack.com"]);
    }

    #[test]
    fn jobs_held_side_by_side_share_their_days_and_all_count() {
        let used = ["acme@okta.com", "borealis@okta.com", "cresta@okta.com"]
            .map(|name| signing_in(name, &[1, 2, 3, 4, 5]));
        let Belonging::To(all) = Belonging::of(&used) else {
            panic!("{:?}", Belonging::of(&used));
        };
        assert_eq!(all.len(), 3);
        // A partner's chat beside one job is none.
        let used = [
            signing_in("acme@okta.com", &[1, 2, 3]),
            Tenant::on("acme@slack.com", &[1, 2, 3]),
            Tenant::on("partner@slack.com", &[1, 2, 3]),
        ];
        let Belonging::To(all) = Belonging::of(&used) else {
            panic!("{:?}", Belonging::of(&used));
        };
        assert_eq!(names(&all), ["acme@okta.com"]);
        assert_eq!(all[0].beside, ["partner@slack.com"]);
    }

    #[test]
    fn organisations_one_after_the_other_take_turns() {
        let each_day = [(1, "acme"), (2, "borealis"), (3, "cresta"), (4, "dunlin")]
            .map(|(day, name)| signing_in(&format!("{name}@okta.com"), &[day]));
        assert!(matches!(Belonging::of(&each_day), Belonging::InTurn(all) if all.len() == 4));
        let and_back = [
            signing_in("acme@okta.com", &[1, 3]),
            signing_in("borealis@okta.com", &[2, 4]),
        ];
        assert!(matches!(Belonging::of(&and_back), Belonging::InTurn(_)));
        // A new job, too few days, and shops that a browser meets.
        let one_after_the_other = [
            signing_in("acme@okta.com", &[1, 2]),
            signing_in("borealis@okta.com", &[3, 4]),
        ];
        assert!(matches!(
            Belonging::of(&one_after_the_other),
            Belonging::Unclear(_)
        ));
        let two_days = [
            signing_in("acme@okta.com", &[1]),
            signing_in("borealis@okta.com", &[2]),
        ];
        assert!(matches!(Belonging::of(&two_days), Belonging::Unclear(_)));
        let shops = [1, 2, 3, 4].map(|day| Tenant::on(&format!("shop{day}x@zendesk.com"), &[day]));
        assert!(matches!(Belonging::of(&shops), Belonging::Unclear(_)));
        assert_eq!(Belonging::of(&[]), Belonging::Unknown);
    }

    #[test]
    fn what_everybody_uses_is_nobodys() {
        let used = [Tenant {
            is_shared: true,
            ..Tenant::on("relay@slack.com", &[1, 2])
        }];
        assert_eq!(Belonging::of(&used), Belonging::Unknown);
    }

    #[test]
    fn a_service_knows_each_customer_by_one_name() {
        let one = |names: &[&'static str], beside: &[&'static str]| Organisation {
            names: names.to_vec(),
            beside: beside.to_vec(),
            ..Organisation::default()
        };
        let third = &["third@jamfcloud.com"];
        let acme = one(&["acme@okta.com"], third);
        assert_eq!(acme.relation(&one(&["acme-hq@slack.com"], &[])), Relation::Same);
        assert_eq!(
            acme.relation(&one(&["zeta@okta.com"], third)),
            Relation::Different
        );
        assert_eq!(acme.relation(&one(&["zeta@slack.com"], third)), Relation::Open);
        assert_eq!(acme.relation(&one(&["zeta@slack.com"], &[])), Relation::Different);
    }
}

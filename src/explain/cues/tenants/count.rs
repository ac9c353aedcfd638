//! How many organisations several machines' names stand for: fewest and most.
//!
//! Names that are alike are one organisation's. A name that one organisation's machines use beside their own, and others' machines for
//! themselves, joins the two, unless it stands beside several or a service knows both by different names. What may be joined and need
//! not be is why there is a fewest and a most.

use std::collections::BTreeSet;

use crate::model::organisation::{is_label, may_be_one};
use crate::model::quantity::counted;
use crate::model::tenancy::{Organisation, Relation};

/// Most organisations that are compared with each other: beyond them it no longer matters how many there are.
const MOST_COMPARED: usize = 64;

/// Organisations behind names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// If everything that may be one is.
    pub(super) least: usize,
    /// If nothing is that need not be.
    pub(super) most: usize,
    /// One text for each of the most, in order.
    pub(super) names: Vec<String>,
}

/// One organisation as several machines know it.
type Set<'a> = Vec<&'a Organisation<'a>>;

impl Count {
    /// Of the organisations of machines.
    pub(super) fn of(all: &[&Organisation<'_>]) -> Self {
        let sets = by_name(all);
        // What the inventory writes out and what services call it need not look alike: the larger number of the two is sure.
        let is_labelled = |set: &Set<'_>| set.iter().flat_map(|one| &one.names).all(|name| is_label(name));
        let (labels, written): (Vec<_>, Vec<_>) = sets.into_iter().partition(is_labelled);
        let (labels, written) = (Self::of_sets(labels), Self::of_sets(written));
        if (labels.least, labels.most) > (written.least, written.most) {
            labels
        } else {
            written
        }
    }

    fn of_sets(sets: Vec<Set<'_>>) -> Self {
        if sets.len() > MOST_COMPARED {
            return Self {
                least: sets.len(),
                most: sets.len(),
                names: sets.iter().map(written).collect(),
            };
        }
        let sets = joined(sets, |sets, one, other| {
            let own_beside = |set: &Set<'_>| names_beside(set, other) && !are_apart(set, other);
            own_beside(one) && sets.iter().filter(|set| own_beside(set)).count() == 1
        });
        let names = sets.iter().map(written).collect();
        let most = sets.len();
        let fewest = joined(sets, |_, one, other| {
            let is_open =
                |mine: &&Organisation<'_>| other.iter().any(|yours| mine.relation(yours) == Relation::Open);
            !are_apart(one, other) && one.iter().any(is_open)
        });
        Self {
            least: fewest.len(),
            most,
            names,
        }
    }

    /// "3 organisations", "2 to 4 organisations".
    pub(super) fn written(&self) -> String {
        if self.least == self.most {
            counted(self.most, "organisation")
        } else {
            format!("{} to {} organisations", self.least, self.most)
        }
    }
}

/// Organisations whose names are alike, in order of their names.
fn by_name<'a>(all: &[&'a Organisation<'a>]) -> Vec<Set<'a>> {
    let mut sets: Vec<Set<'a>> = Vec::new();
    // Machines that use the same names are compared once.
    let mut known: BTreeSet<[Vec<&str>; 2]> = BTreeSet::new();
    for one in all {
        let mut names = [one.names.clone(), one.beside.clone()];
        for list in &mut names {
            list.sort_unstable();
        }
        if !known.insert(names) {
            continue;
        }
        if sets.len() > MOST_COMPARED {
            sets.push(vec![*one]);
            continue;
        }
        let is_same = |set: &Set<'_>| set.iter().any(|known| known.relation(one) == Relation::Same);
        let (mut same, others): (Vec<_>, Vec<_>) = sets.into_iter().partition(is_same);
        same.push(vec![*one]);
        sets = others;
        sets.push(same.concat());
    }
    sets.sort_by_cached_key(written);
    sets
}

/// Joins two by two for as long as some may be joined, the first ones first.
fn joined<'a>(
    mut sets: Vec<Set<'a>>,
    may_join: impl Fn(&[Set<'a>], &Set<'a>, &Set<'a>) -> bool,
) -> Vec<Set<'a>> {
    loop {
        let pairs = sets.iter().enumerate().flat_map(|(place, one)| {
            let others = sets.iter().enumerate().filter(move |(other, _)| *other != place);
            others.map(move |(other, set)| (place, one, other, set))
        });
        let next = pairs
            .into_iter()
            .find(|(_, one, _, other)| may_join(&sets, one, other))
            .map(|(place, _, other, _)| (place.min(other), place.max(other)));
        let Some((first, second)) = next else {
            return sets;
        };
        let taken = sets.remove(second);
        if let Some(set) = sets.get_mut(first) {
            set.extend(taken);
        }
    }
}

/// Whether machines of one use the other's names beside their own.
fn names_beside(one: &Set<'_>, other: &Set<'_>) -> bool {
    let mut beside = one.iter().flat_map(|one| &one.beside);
    beside.any(|name| {
        let mut names = other.iter().flat_map(|other| &other.names);
        names.any(|known| may_be_one(known, name))
    })
}

/// Whether a service knows both, by different names.
fn are_apart(one: &Set<'_>, other: &Set<'_>) -> bool {
    one.iter()
        .any(|mine| other.iter().any(|yours| mine.is_known_apart(yours)))
}

/// The names of one.
fn written(set: &Set<'_>) -> String {
    let names: BTreeSet<&str> = set.iter().flat_map(|one| &one.names).copied().collect();
    names.into_iter().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tenancy::{Belonging, Tenant};

    fn count_of(machines: &[&[&str]]) -> (usize, usize) {
        let tenants: Vec<Vec<Tenant>> = machines
            .iter()
            .map(|names| {
                let all = names.iter().enumerate();
                all.map(|(place, name)| Tenant {
                    // The first is the most used.
                    weight: 9.0 - f64::from(u8::try_from(place).unwrap()),
                    signs_in: name.ends_with("okta.com"),
                    ..Tenant::on(name, &[1, 2, 3])
                })
                .collect()
            })
            .collect();
        let belongings: Vec<Belonging<'_>> = tenants.iter().map(|used| Belonging::of(used)).collect();
        let all: Vec<&Organisation<'_>> = belongings.iter().flat_map(Belonging::organisations).collect();
        let count = Count::of(&all);
        assert_eq!(count.names.len(), count.most);
        (count.least, count.most)
    }

    #[test]
    fn several_customers_of_one_service_are_as_many_organisations() {
        let behind_one_address = [
            "acme@okta.com",
            "acme-hq@slack.com",
            "zeta@okta.com",
            "zeta@slack.com",
        ];
        assert_eq!(count_of(&[&behind_one_address]), (2, 2));
        // A company's log-in, its chat under another name and its tickets.
        assert_eq!(
            count_of(&[&["acme@okta.com", "red-team@slack.com", "help@zendesk.com"]]),
            (1, 1)
        );
        // Its two tenants of one name.
        assert_eq!(count_of(&[&["acme@okta.com", "acme-dev@okta.com"]]), (1, 1));
        assert_eq!(
            count_of(&[&["acme@okta.com"], &["acme@slack.com"], &["zeta@okta.com"]]),
            (2, 2)
        );
    }

    #[test]
    fn a_third_name_beside_two_customers_of_one_service_joins_nothing() {
        let machines: [&[&str]; 3] = [
            &["acme@okta.com", "dc@atlassian.net"],
            &["borealis@okta.com", "dc@atlassian.net"],
            &["cresta@okta.com", "dc@atlassian.net"],
        ];
        assert_eq!(count_of(&machines), (3, 3));
        // Nor where the services differ: they may be one, and need not be.
        let machines: [&[&str]; 2] = [
            &["acme@okta.com", "dc@atlassian.net"],
            &["borealis@zendesk.com", "dc@atlassian.net"],
        ];
        assert_eq!(count_of(&machines), (1, 2));
    }

    #[test]
    fn a_name_beside_one_organisation_alone_is_its_own() {
        let machines: [&[&str]; 2] = [&["acme@okta.com", "red-team@slack.com"], &["red-team@slack.com"]];
        assert_eq!(count_of(&machines), (1, 1));
        // The third machine may be of either, and so of no third one for sure.
        let machines: [&[&str]; 3] = [
            &["acme@okta.com", "red-team@slack.com"],
            &["zeta@okta.com", "red-team@slack.com"],
            &["red-team@slack.com"],
        ];
        assert_eq!(count_of(&machines), (2, 3));
    }
}

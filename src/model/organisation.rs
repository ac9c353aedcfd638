//! Names of organisations, from inventories and from services, and whether two may be one organisation's.
//!
//! A customer has one label at its identity provider and mostly the same at its other services, and its inventory writes the name
//! out: `acme@okta.com`, `acme-hq@slack.com` and `Acme Ltd.` are taken for one. Two that are taken for one by mistake weaken a
//! suspicion; two that are taken apart by mistake would make one.

use super::thresholds::THRESHOLDS;

/// The letters and digits of a name, without the service behind a customer's label.
fn letters(name: &str) -> String {
    let label = name.split_once('@').map_or(name, |(label, _)| label);
    label
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether two names may be one organisation's: one begins as the other does.
#[must_use]
pub fn may_be_one(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let (one, other) = (letters(one), letters(other));
    let shorter = one.len().min(other.len());
    one == other
        || shorter >= THRESHOLDS.organisation.common_letters
            && (one.starts_with(&other) || other.starts_with(&one))
}

/// The service that knows a customer by this name; nothing where people wrote it out.
#[must_use]
pub fn service(name: &str) -> &str {
    name.split_once('@').map_or("", |(_, service)| service)
}

/// Whether a name is a customer's label at a service, and not written out by people.
#[must_use]
pub fn is_label(name: &str) -> bool {
    name.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_one_customer_and_its_written_name_are_one() {
        for (one, other) in [
            ("acme@okta.com", "acme@slack.com"),
            ("acme@okta.com", "acme-hq@slack.com"),
            ("Acme Ltd.", "acme@okta.com"),
            ("Acme", "ACME Ltd."),
            ("ab", "ab@okta.com"),
        ] {
            assert!(may_be_one(one, other) && may_be_one(other, one), "{one} {other}");
        }
        for (one, other) in [("acme@okta.com", "zeta@okta.com"), ("ab", "abc"), ("", "acme")] {
            assert!(
                !may_be_one(one, other) && !may_be_one(other, one),
                "{one} {other}"
            );
        }
    }
}

//! Role: who controls others does not belong among those who are controlled.

use crate::cluster::pairs::Scale;
use crate::model::finding::Role;
use crate::model::group::Term;
use crate::model::profile::HostProfile;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "role",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    if one.is_controller() || other.is_controller() {
        return Some(Term {
            nats: scale.weights.role.controller,
            what: "one of them controls others".to_owned(),
        });
    }
    let is_known = |profile: &HostProfile| profile.role == Role::Controlled;
    (is_known(one) && is_known(other)).then(|| Term {
        nats: 0.0,
        what: "both are controlled".to_owned(),
    })
}

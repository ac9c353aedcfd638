//! Path twins: control legs of equal length at both machines (DETECTION 3.2).
//!
//! Needs the delay of both legs per day, which no stage measures yet: not observable for any pair.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::HostProfile;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "path",
    log_odds,
};

fn log_odds(_one: &HostProfile, _other: &HostProfile, _scale: &Scale<'_>) -> Option<Term> {
    None
}

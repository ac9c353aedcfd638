//! Terms between two hosts, one file each (DETECTION 6.2). `None` means: cannot be observed for this pair.

mod controller;
mod focus;
mod handover;
mod path;
mod physical;
pub(super) mod place;
mod role;
mod schedule;
pub(super) mod tenancy;
mod tool;

use crate::model::group::Term;
use crate::model::profile::HostProfile;

use super::pairs::Scale;

/// A term under its name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name in ledgers.
    pub name: &'static str,
    /// Natural log-odds that two hosts belong together; not clamped yet.
    pub log_odds: fn(&HostProfile, &HostProfile, &Scale<'_>) -> Option<Term>,
}

/// All terms, in the order in which they are summed.
pub const REGISTRY: &[Entry] = &[
    controller::ENTRY,
    place::ENTRY,
    focus::ENTRY,
    tool::ENTRY,
    tenancy::ENTRY,
    schedule::ENTRY,
    handover::ENTRY,
    physical::ENTRY,
    role::ENTRY,
    path::ENTRY,
];

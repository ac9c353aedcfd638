//! Thresholds of what is observed of hosts: read from `thresholds.toml`, which says where each comes from.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::embedded;

/// All of them.
pub(super) static THRESHOLDS: LazyLock<Thresholds> =
    LazyLock::new(|| embedded::read("observe/thresholds.toml", include_str!("thresholds.toml")));

/// One table each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Thresholds {
    /// When somebody is active at a machine.
    pub(super) presence: Presence,
    /// When a machine comes up.
    pub(super) starts: Starts,
    /// An address outside that stands for the whole line.
    pub(super) outsiders: Outsiders,
    /// Who is a router.
    pub(super) owners: Owners,
    /// What an address was resolved from.
    pub(super) names: Names,
}

/// When somebody is active at a machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Presence {
    /// Hours over which it must have been heard.
    pub(super) hours: usize,
    /// Tenths of them in which a site of its background comes.
    pub(super) nearly_all_tenths: usize,
}

/// When a machine comes up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Starts {
    /// Seconds from its lease.
    pub(super) confirmed_seconds: i64,
    /// Seconds of one start.
    pub(super) one_start_seconds: i64,
}

/// An address outside that stands for the whole line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outsiders {
    /// Conversations of one that may be local.
    pub(super) enough: u64,
    /// Conversations worth a remark.
    pub(super) worth_saying: u64,
    /// Nearly all, in percent.
    pub(super) nearly_all_percent: u64,
}

/// Who is a router.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owners {
    /// Local IPv4 addresses of a host, at most.
    pub(super) local_addresses: usize,
    /// Local IPv4 addresses that a router claims.
    pub(super) router_addresses: usize,
    /// IPv6 addresses of a host at one time, at most.
    pub(super) addresses_at_once: usize,
    /// Foreign networks of a router.
    pub(super) foreign_networks: usize,
}

/// What an address was resolved from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// Seconds beyond a lifetime.
    pub(super) grace_seconds: i64,
    /// Seconds after which a name is no lead.
    pub(super) stale_seconds: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sound() {
        LazyLock::force(&THRESHOLDS);
    }
}

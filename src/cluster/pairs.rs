//! Pairs: what every term says about two hosts, summed in the registry's order (DETECTION 6.2).

use crate::model::group::{LedgerLine, PairLedger};
use crate::model::profile::HostProfile;
use crate::settings::pair_weights::PairWeights;

use super::tenants::Tenants;
use super::terms::REGISTRY;
use super::tokens::Rarity;

/// What terms measure by.
#[derive(Clone, Copy, Debug)]
pub struct Scale<'a> {
    /// Constants.
    pub weights: &'a PairWeights,
    /// How rare what is shared is.
    pub rarity: &'a Rarity,
    /// Whose networks the hosts stand in.
    pub tenants: &'a Tenants,
}

/// The ledger of a pair; the same whichever host comes first.
#[must_use]
pub fn ledger(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> PairLedger {
    let (first, second) = if one.host <= other.host {
        (one, other)
    } else {
        (other, one)
    };
    let mut ledger = PairLedger {
        hosts: (first.host, second.host),
        lines: Vec::new(),
        not_observable: Vec::new(),
        total: scale.weights.prior,
    };
    for entry in REGISTRY {
        match (entry.log_odds)(first, second, scale) {
            Some(mut said) => {
                said.nats = said.nats.clamp(-scale.weights.clamp, scale.weights.clamp);
                ledger.total += said.nats;
                ledger.lines.push(LedgerLine {
                    term: entry.name,
                    said,
                });
            }
            None => ledger.not_observable.push(entry.name),
        }
    }
    ledger
}

/// The pair's log-odds without one term: what stability asks.
#[must_use]
pub fn total_without(ledger: &PairLedger, term: &str) -> f64 {
    let left_out = ledger
        .lines
        .iter()
        .find(|line| line.term == term)
        .map_or(0.0, |line| line.said.nats);
    ledger.total - left_out
}

//! Candidate pairs: never all against all, but who shares something rare, or much (DETECTION 6.1).

use crate::model::identity::ContentId;
use crate::settings::pair_weights::Candidates;

use super::tokens::Rarity;

/// Pairs that may stand in the list before copies are removed.
const SWEEP: usize = 1 << 20;

/// Pairs worth a ledger, sorted; nodes are positions in `sets`.
#[must_use]
pub fn pairs(sets: &[Vec<u64>], rarity: &Rarity, bounds: &Candidates) -> Vec<(usize, usize)> {
    let mut buckets: Vec<(u64, usize)> = Vec::new();
    for (node, set) in sets.iter().enumerate() {
        for token in set {
            if rarity.weight(*token) >= bounds.least_weight {
                buckets.push((*token, node));
            }
        }
        if set.len() >= bounds.least_set {
            buckets.extend(bands(set, bounds).into_iter().map(|band| (band, node)));
        }
    }
    buckets.sort_unstable();
    buckets.dedup();
    let mut found = Vec::new();
    let mut next_sweep = SWEEP;
    for bucket in buckets.chunk_by(|one, other| one.0 == other.0) {
        // A bucket as large as a company would give millions of pairs; neighbours keep it connected.
        let reach = if bucket.len() <= bounds.all_pairs_up_to {
            bucket.len()
        } else {
            bounds.neighbours
        };
        for (place, (_, first)) in bucket.iter().enumerate() {
            for (_, second) in bucket.iter().skip(place.saturating_add(1)).take(reach) {
                found.push((*first, *second));
            }
        }
        // Buckets of alike sets repeat each other's pairs: forget the copies before they fill the memory.
        if found.len() > next_sweep {
            found.sort_unstable();
            found.dedup();
            next_sweep = found.len().saturating_mul(2).max(SWEEP);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// One hash for each band of `MinHash` rows (Broder 1997): sets that are much alike collide in at least one.
fn bands(set: &[u64], bounds: &Candidates) -> Vec<u64> {
    (0..bounds.bands)
        .map(|band| {
            let rows: Vec<u64> = (0..bounds.rows)
                .map(|row| {
                    let seed = band.saturating_mul(bounds.rows).saturating_add(row);
                    let seed = u64::try_from(seed).unwrap_or(u64::MAX);
                    set.iter()
                        .map(|token| ContentId::of_words(&[seed, *token]).0)
                        .min()
                        .unwrap_or(0)
                })
                .collect();
            let band = u64::try_from(band).unwrap_or(u64::MAX);
            rows.iter()
                .fold(ContentId::of_words(&[u64::MAX, band]).0, |state, row| {
                    ContentId::of_words(&[state, *row]).0
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::pair_weights::PairWeights;

    fn bounds() -> Candidates {
        PairWeights::from_toml(include_str!("../explain/weights.toml"))
            .unwrap()
            .candidates
    }

    #[test]
    fn who_shares_nothing_rare_is_no_candidate() {
        let bounds = bounds();
        let sets = vec![vec![1, 7], vec![2, 7], vec![3]];
        let rarity = Rarity::of(&sets, 3, &bounds);
        assert_eq!(pairs(&sets, &rarity, &bounds), [(0, 1)]);
    }

    #[test]
    fn a_token_of_a_whole_company_costs_neighbours_and_not_all_pairs() {
        let bounds = bounds();
        let sets: Vec<Vec<u64>> = (0..2_000).map(|_| vec![9]).collect();
        let rarity = Rarity::of(&sets, 100_000, &bounds);
        let pairs = pairs(&sets, &rarity, &bounds);
        assert!(pairs.len() <= 2_000 * bounds.neighbours);
        assert!(pairs.len() >= 1_999);
    }

    #[test]
    fn large_sets_that_are_much_alike_collide_although_every_token_is_common() {
        let bounds = bounds();
        let common: Vec<u64> = (0..40).collect();
        let sets: Vec<Vec<u64>> = (0..100).map(|_| common.clone()).collect();
        let rarity = Rarity::of(&sets, 100, &bounds);
        assert!(rarity.weight(0).abs() < 1e-9, "the prevalence rule holds");
        assert_eq!(pairs(&sets, &rarity, &bounds).len(), 100 * 99 / 2);
    }
}

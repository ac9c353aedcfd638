//! Communities: Leiden with the constant Potts model (Traag, Waltman, van Eck 2019), which has no resolution limit.
//!
//! The crate behind it is young and pinned; nothing outside this file knows of it.

use leiden_rs::{GraphDataBuilder, Leiden, LeidenConfig, QualityType};

/// A weighted edge between two nodes.
pub type WeightedEdge = (usize, usize, f64);

/// Sweeps after which a partition is taken as it is.
const MOST_SWEEPS: u32 = 100;

/// Quality gained that counts as an improvement.
const LEAST_GAIN: f64 = 1e-9;

/// The community of every node, numbered in the order of their lowest nodes.
///
/// Edges are sorted first, so that their order decides nothing. A graph which the crate refuses (weights that are
/// not positive numbers) stays whole.
#[must_use]
pub fn communities(nodes: usize, edges: &[WeightedEdge], resolution: f64, seed: u64) -> Vec<usize> {
    let mut sorted: Vec<WeightedEdge> = edges
        .iter()
        .map(|&(one, other, weight)| (one.min(other), one.max(other), weight))
        .collect();
    sorted.sort_by(|one, other| {
        (one.0, one.1)
            .cmp(&(other.0, other.1))
            .then(one.2.total_cmp(&other.2))
    });
    run(nodes, &sorted, resolution, seed).unwrap_or_else(|| vec![0; nodes])
}

/// The crate's part.
fn run(nodes: usize, edges: &[WeightedEdge], resolution: f64, seed: u64) -> Option<Vec<usize>> {
    if nodes == 0 || edges.is_empty() {
        return Some((0..nodes).collect());
    }
    let mut builder = GraphDataBuilder::new(nodes);
    for &(one, other, weight) in edges {
        builder.add_edge(one, other, weight).ok()?;
    }
    let graph = builder.build().ok()?;
    let config = LeidenConfig {
        resolution,
        seed: Some(seed),
        quality: QualityType::CPM,
        ..LeidenConfig::default()
    };
    let found = Leiden::new(config).run(&graph).ok()?;
    Some(renumber(&settled(found.partition.as_slice(), edges, resolution)))
}

/// Moves single nodes, also into communities of their own, until no move gains anything.
///
/// The crate never tries an empty community in its last pass: on the karate club at resolution .15 it left a node
/// with others although it would be .65 better off alone. Sweeps run in the order of nodes and are bounded.
fn settled(labels: &[usize], edges: &[WeightedEdge], resolution: f64) -> Vec<usize> {
    let mut labels = labels.to_vec();
    let mut neighbours: Vec<Vec<(usize, f64)>> = vec![Vec::new(); labels.len()];
    for &(one, other, weight) in edges {
        for (node, far) in [(one, other), (other, one)] {
            if let Some(list) = neighbours.get_mut(node).filter(|_| one != other) {
                list.push((far, weight));
            }
        }
    }
    let highest = labels.iter().copied().max().unwrap_or(0);
    let mut sizes = vec![0.0; highest.saturating_add(2)];
    for label in &labels {
        if let Some(size) = sizes.get_mut(*label) {
            *size += 1.0;
        }
    }
    for _ in 0..MOST_SWEEPS {
        let mut has_moved = false;
        for (node, near) in neighbours.iter().enumerate() {
            let Some(&own) = labels.get(node) else { continue };
            let empty = sizes.iter().position(|size| *size < 0.5);
            let Some((target, gain)) = best_move(near, own, empty, &labels, &sizes, resolution) else {
                continue;
            };
            if gain <= LEAST_GAIN {
                continue;
            }
            if let (Some(label), Some(left)) = (labels.get_mut(node), sizes.get_mut(own)) {
                *label = target;
                *left -= 1.0;
            }
            if let Some(joined) = sizes.get_mut(target) {
                *joined += 1.0;
            }
            if sizes.iter().all(|size| *size > 0.5) {
                sizes.push(0.0);
            }
            has_moved = true;
        }
        if !has_moved {
            break;
        }
    }
    labels
}

/// The community that a node would gain most by joining, and the gain; of equals the lowest number.
fn best_move(
    near: &[(usize, f64)],
    own: usize,
    empty: Option<usize>,
    labels: &[usize],
    sizes: &[f64],
    resolution: f64,
) -> Option<(usize, f64)> {
    let mut ties: Vec<(usize, f64)> = near
        .iter()
        .filter_map(|(node, weight)| Some((*labels.get(*node)?, *weight)))
        .chain(empty.map(|label| (label, 0.0)))
        .collect();
    ties.sort_by_key(|(label, _)| *label);
    let sums: Vec<(usize, f64)> = ties
        .chunk_by(|one, other| one.0 == other.0)
        .filter_map(|chunk| Some((chunk.first()?.0, chunk.iter().map(|(_, weight)| weight).sum())))
        .collect();
    let of = |label: usize| {
        sums.iter()
            .find(|(one, _)| *one == label)
            .map_or(0.0, |(_, sum)| *sum)
    };
    let staying = of(own) - resolution * (sizes.get(own)? - 1.0);
    let mut best: Option<(usize, f64)> = None;
    for (label, sum) in sums.iter().filter(|(label, _)| *label != own) {
        let gain = sum - resolution * sizes.get(*label)? - staying;
        if best.is_none_or(|(_, most)| gain > most + LEAST_GAIN) {
            best = Some((*label, gain));
        }
    }
    best
}

/// Numbers communities in the order of their first nodes: the crate's own numbers mean nothing.
fn renumber(labels: &[usize]) -> Vec<usize> {
    let mut known: Vec<(usize, usize)> = Vec::new();
    labels
        .iter()
        .map(
            |label| match known.binary_search_by_key(label, |(seen, _)| *seen) {
                Ok(place) => known.get(place).map_or(0, |(_, number)| *number),
                Err(place) => {
                    let number = known.len();
                    known.insert(place, (*label, number));
                    number
                }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Zachary 1977, figure 3: who saw whom outside the karate club, members numbered from 1.
    const KARATE: &[(usize, &[usize])] = &[
        (1, &[2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 18, 20, 22, 32]),
        (2, &[3, 4, 8, 14, 18, 20, 22, 31]),
        (3, &[4, 8, 9, 10, 14, 28, 29, 33]),
        (4, &[8, 13, 14]),
        (5, &[7, 11]),
        (6, &[7, 11, 17]),
        (7, &[17]),
        (9, &[31, 33, 34]),
        (10, &[34]),
        (14, &[34]),
        (15, &[33, 34]),
        (16, &[33, 34]),
        (19, &[33, 34]),
        (20, &[34]),
        (21, &[33, 34]),
        (23, &[33, 34]),
        (24, &[26, 28, 30, 33, 34]),
        (25, &[26, 28, 32]),
        (26, &[32]),
        (27, &[30, 34]),
        (28, &[34]),
        (29, &[32, 34]),
        (30, &[33, 34]),
        (31, &[33, 34]),
        (32, &[33, 34]),
        (33, &[34]),
    ];

    fn karate() -> Vec<WeightedEdge> {
        KARATE
            .iter()
            .flat_map(|(one, others)| others.iter().map(move |other| (one - 1, other - 1, 1.0)))
            .collect()
    }

    /// Quality of the constant Potts model, straight from its definition.
    fn quality(labels: &[usize], edges: &[WeightedEdge], resolution: f64) -> f64 {
        let inside: f64 = edges
            .iter()
            .filter(|(one, other, _)| labels[*one] == labels[*other])
            .map(|(_, _, weight)| weight)
            .sum();
        let mut expected = 0.0;
        for label in 0..=labels.len() {
            let size = labels.iter().filter(|one| **one == label).count();
            expected += f64::from(u32::try_from(size * size.saturating_sub(1) / 2).unwrap());
        }
        inside - resolution * expected
    }

    #[test]
    fn the_karate_club_has_78_ties_and_falls_into_its_known_factions() {
        // Zachary's split, with member 10 (one tie to each side) on the side where sizes are equal: 272 instead of 273
        // pairs to pay for.
        let edges = karate();
        assert_eq!(edges.len(), 78);
        let labels = communities(34, &edges, 0.06, 42);
        assert_eq!(
            labels,
            [
                0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                1, 1, 1
            ]
        );
    }

    #[test]
    fn no_single_move_improves_what_was_found() {
        let edges = karate();
        for resolution in [0.03, 0.06, 0.15, 0.5] {
            let labels = communities(34, &edges, resolution, 42);
            let best = quality(&labels, &edges, resolution);
            for node in 0..34 {
                for target in 0..=labels.iter().max().unwrap() + 1 {
                    let mut moved = labels.clone();
                    moved[node] = target;
                    let then = quality(&moved, &edges, resolution);
                    assert!(
                        then <= best + 1e-9,
                        "{resolution}: node {node} to {target}: {best} to {then}"
                    );
                }
            }
        }
    }

    #[test]
    fn weights_that_are_no_numbers_leave_the_graph_whole() {
        assert_eq!(communities(2, &[(0, 1, f64::NAN)], 0.5, 42), [0, 0]);
        assert_eq!(communities(0, &[], 0.5, 42), [0_usize; 0]);
    }

    proptest! {
        #[test]
        fn the_order_and_direction_of_edges_decide_nothing(shuffled in Just(karate()).prop_shuffle(), turned in any::<u64>()) {
            let mixed: Vec<WeightedEdge> = shuffled
                .iter()
                .enumerate()
                .map(|(place, &(one, other, weight))| {
                    if turned >> (place % 64) & 1 == 0 { (one, other, weight) } else { (other, one, weight) }
                })
                .collect();
            prop_assert_eq!(communities(34, &mixed, 0.06, 42), communities(34, &karate(), 0.06, 42));
        }
    }
}

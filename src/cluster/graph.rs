//! The graph: edges where log-odds suffice, and its connected components.

use crate::model::group::PairLedger;

/// A connected component.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Nodes, sorted.
    pub nodes: Vec<usize>,
    /// Edges as positions in the ledgers, sorted.
    pub edges: Vec<usize>,
}

/// An edge: two nodes, and where its ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The lower node.
    pub first: usize,
    /// The higher node.
    pub second: usize,
    /// Position of the ledger.
    pub ledger: usize,
}

/// Pairs whose log-odds are above the threshold.
#[must_use]
pub fn edges(ledgers: &[(usize, usize, PairLedger)], threshold: f64) -> Vec<Edge> {
    ledgers
        .iter()
        .enumerate()
        .filter(|(_, (_, _, ledger))| ledger.total > threshold)
        .map(|(position, (first, second, _))| Edge {
            first: *first,
            second: *second,
            ledger: position,
        })
        .collect()
}

/// Components of at least two nodes, in the order of their lowest node (union-find with path halving).
#[must_use]
pub fn components(nodes: usize, edges: &[Edge]) -> Vec<Component> {
    let mut parents: Vec<usize> = (0..nodes).collect();
    for edge in edges {
        let (one, other) = (root(&mut parents, edge.first), root(&mut parents, edge.second));
        if let Some(slot) = parents.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
    let mut labelled: Vec<(usize, usize)> = (0..nodes).map(|node| (root(&mut parents, node), node)).collect();
    labelled.sort_unstable();
    let mut by_root: Vec<(usize, usize)> = edges
        .iter()
        .map(|edge| (root(&mut parents, edge.first), edge.ledger))
        .collect();
    by_root.sort_unstable();
    labelled
        .chunk_by(|one, other| one.0 == other.0)
        .filter(|chunk| chunk.len() > 1)
        .map(|chunk| {
            let label = chunk.first().map_or(0, |(label, _)| *label);
            let from = by_root.partition_point(|(root, _)| *root < label);
            Component {
                nodes: chunk.iter().map(|(_, node)| *node).collect(),
                edges: by_root
                    .iter()
                    .skip(from)
                    .take_while(|(root, _)| *root == label)
                    .map(|(_, ledger)| *ledger)
                    .collect(),
            }
        })
        .collect()
}

/// The representative of a node among those joined with it; shortens the way for the next question.
pub(super) fn root(parents: &mut [usize], mut node: usize) -> usize {
    while let Some(&parent) = parents.get(node) {
        if parent == node {
            break;
        }
        let above = parents.get(parent).copied().unwrap_or(parent);
        if let Some(slot) = parents.get_mut(node) {
            *slot = above;
        }
        node = above;
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_chains_are_two_components_and_a_lone_node_is_none() {
        let edge = |first, second, ledger| Edge {
            first,
            second,
            ledger,
        };
        let found = components(6, &[edge(4, 5, 2), edge(0, 1, 0), edge(1, 2, 1)]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].nodes, [0, 1, 2]);
        assert_eq!(found[0].edges, [0, 1]);
        assert_eq!(found[1].nodes, [4, 5]);
        assert_eq!(found[1].edges, [2]);
    }
}

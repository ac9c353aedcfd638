//! A second opinion on groups: HDBSCAN (Campello, Moulavi, Sander 2013), which knows of density and of members that belong nowhere.
//!
//! Works on the distance `exp(-L / 4)` of the pairs that have a ledger; others are never near. Groups of two are allowed, and so
//! is one group of all. It decides nothing: where it disagrees with the communities, the record of the group says so.

use super::graph::root;

/// A pair and how far apart it is, above 0.
pub type Distance = (usize, usize, f64);

/// Smallest group.
const LEAST: usize = 2;

/// The distance of a pair with these natural log-odds, by the model's scale.
#[must_use]
pub fn distance(log_odds: f64, scale: f64) -> f64 {
    (-log_odds / scale).exp().max(1e-9)
}

/// The group of each of `nodes`, `None` for who belongs to none. Numbers follow the lowest node of each group.
#[must_use]
pub fn groups(nodes: usize, distances: &[Distance]) -> Vec<Option<usize>> {
    let merges = merges(nodes, distances);
    let mut clusters = condensed(nodes, &merges);
    let chosen = chosen(&mut clusters);
    let mut of: Vec<Option<usize>> = vec![None; nodes];
    for place in chosen {
        if let Some(cluster) = clusters.get(place) {
            for node in &cluster.members {
                if let Some(slot) = of.get_mut(*node) {
                    *slot = Some(place);
                }
            }
        }
    }
    let mut order: Vec<usize> = Vec::new();
    of.iter()
        .map(|place| {
            let place = (*place)?;
            if !order.contains(&place) {
                order.push(place);
            }
            order.iter().position(|one| *one == place)
        })
        .collect()
}

/// What joins at which distance: two trees, each a node or an earlier merge (numbered from `nodes` on).
struct Merge {
    parts: [usize; 2],
    distance: f64,
}

/// Single linkage over mutual reachability: Kruskal's algorithm on the pairs that are known.
fn merges(nodes: usize, distances: &[Distance]) -> Vec<Merge> {
    // With two as the least size the core distance is that of the nearest neighbour.
    let mut core = vec![f64::INFINITY; nodes];
    for &(one, other, far) in distances {
        for node in [one, other] {
            if let Some(nearest) = core.get_mut(node) {
                *nearest = nearest.min(far);
            }
        }
    }
    let reach = |node: usize| core.get(node).copied().unwrap_or(f64::INFINITY);
    let mut pairs: Vec<Distance> = distances
        .iter()
        .filter(|(one, other, far)| one != other && *one < nodes && *other < nodes && far.is_finite())
        .map(|&(one, other, far)| {
            (
                one.min(other),
                one.max(other),
                far.max(reach(one)).max(reach(other)),
            )
        })
        .collect();
    pairs.sort_by(|one, other| {
        one.2
            .total_cmp(&other.2)
            .then((one.0, one.1).cmp(&(other.0, other.1)))
    });
    let mut parents: Vec<usize> = (0..nodes).collect();
    let mut trees: Vec<usize> = (0..nodes).collect();
    let mut merges = Vec::new();
    for (one, other, far) in pairs {
        let (one, other) = (root(&mut parents, one), root(&mut parents, other));
        if one == other {
            continue;
        }
        let (low, high) = (one.min(other), one.max(other));
        let parts = [low, high].map(|node| trees.get(node).copied().unwrap_or(node));
        if let Some(tree) = trees.get_mut(low) {
            *tree = nodes.saturating_add(merges.len());
        }
        if let Some(parent) = parents.get_mut(high) {
            *parent = low;
        }
        merges.push(Merge { parts, distance: far });
    }
    merges
}

/// A group of the condensed tree.
struct Cluster {
    parent: Option<usize>,
    /// Everybody who was ever in it.
    members: Vec<usize>,
    /// Density (one by distance) at which it begins.
    born: f64,
    /// How long its members stay, summed: excess of mass.
    stability: f64,
    is_chosen: bool,
}

/// Walks the merges from the last to the first: a group goes on while it only loses single members, and ends where it falls into
/// two that are large enough.
fn condensed(nodes: usize, merges: &[Merge]) -> Vec<Cluster> {
    let joined: Vec<usize> = merges
        .iter()
        .flat_map(|merge| merge.parts)
        .filter_map(|part| part.checked_sub(nodes))
        .collect();
    let mut clusters: Vec<Cluster> = Vec::new();
    // Trees that nothing joins are groups by themselves.
    let roots = (0..merges.len()).filter(|merge| !joined.contains(merge));
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    for merge in roots {
        let members = leaves(merge.saturating_add(nodes), nodes, merges);
        if members.len() < LEAST {
            continue;
        }
        let born = merges.get(merge).map_or(0.0, |merge| 1.0 / merge.distance);
        clusters.push(Cluster {
            parent: None,
            members,
            // A group of all begins where its last member joins.
            born,
            stability: 0.0,
            is_chosen: false,
        });
        waiting.push((merge, clusters.len().saturating_sub(1)));
    }
    while let Some((place, cluster)) = waiting.pop() {
        let Some(merge) = merges.get(place) else { continue };
        let density = 1.0 / merge.distance;
        let parts = merge.parts.map(|part| leaves(part, nodes, merges));
        let large = parts.iter().filter(|part| part.len() >= LEAST).count();
        let leaving: usize = if large == 2 {
            parts.iter().map(Vec::len).sum()
        } else {
            parts.iter().map(Vec::len).filter(|many| *many < LEAST).sum()
        };
        if let Some(own) = clusters.get_mut(cluster) {
            own.stability += (density - own.born) * f64::from(u32::try_from(leaving).unwrap_or(u32::MAX));
        }
        for (part, members) in merge.parts.into_iter().zip(parts) {
            let Some(below) = part.checked_sub(nodes) else {
                continue;
            };
            if large == 2 {
                clusters.push(Cluster {
                    parent: Some(cluster),
                    members,
                    born: density,
                    stability: 0.0,
                    is_chosen: false,
                });
                waiting.push((below, clusters.len().saturating_sub(1)));
            } else {
                waiting.push((below, cluster));
            }
        }
    }
    clusters
}

/// Nodes under a tree, sorted.
fn leaves(tree: usize, nodes: usize, merges: &[Merge]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut waiting = vec![tree];
    while let Some(one) = waiting.pop() {
        match one.checked_sub(nodes) {
            None => found.push(one),
            Some(place) => waiting.extend(merges.get(place).iter().flat_map(|merge| merge.parts)),
        }
    }
    found.sort_unstable();
    found
}

/// The groups whose excess of mass is greatest: a group, or the best of those that it falls into.
fn chosen(clusters: &mut [Cluster]) -> Vec<usize> {
    let mut best: Vec<f64> = clusters.iter().map(|_| 0.0).collect();
    // Parts stand behind their wholes.
    for place in (0..clusters.len()).rev() {
        let below = best.get(place).copied().unwrap_or(0.0);
        let Some(cluster) = clusters.get_mut(place) else {
            continue;
        };
        cluster.is_chosen = cluster.stability >= below;
        let value = cluster.stability.max(below);
        if let Some(sum) = cluster.parent.and_then(|parent| best.get_mut(parent)) {
            *sum += value;
        }
    }
    let is_covered = |mut place: usize| {
        while let Some(parent) = clusters.get(place).and_then(|cluster| cluster.parent) {
            if clusters.get(parent).is_some_and(|parent| parent.is_chosen) {
                return true;
            }
            place = parent;
        }
        false
    };
    (0..clusters.len())
        .filter(|place| clusters.get(*place).is_some_and(|cluster| cluster.is_chosen) && !is_covered(*place))
        .collect()
}

/// What the second opinion says of a group, where it differs; `members` are positions in `groups`.
#[must_use]
pub fn disagreement(members: &[usize], groups: &[Option<usize>]) -> Option<String> {
    let mut seen: Vec<Option<usize>> = members
        .iter()
        .map(|member| groups.get(*member).copied().flatten())
        .collect();
    seen.sort_unstable();
    let alone = seen.iter().filter(|group| group.is_none()).count();
    let parts: Vec<(usize, usize)> = seen
        .chunk_by(|one, other| one == other)
        .filter_map(|chunk| Some((chunk.first().copied().flatten()?, chunk.len())))
        .collect();
    let outside = groups
        .iter()
        .enumerate()
        .filter(|(place, group)| {
            !members.contains(place)
                && group.is_some_and(|group| parts.iter().any(|(part, _)| *part == group))
        })
        .count();
    if parts.len() == 1 && alone == 0 && outside == 0 {
        return None;
    }
    let mut said = Vec::new();
    if parts.len() > 1 {
        let sizes: Vec<String> = parts.iter().map(|(_, many)| many.to_string()).collect();
        said.push(format!("{} groups of {} members", parts.len(), sizes.join(", ")));
    }
    if alone > 0 {
        said.push(format!("{alone} of {} members in no group", members.len()));
    }
    if outside > 0 {
        let machines = if outside == 1 { "machine" } else { "machines" };
        said.push(format!("{outside} more {machines} with them"));
    }
    Some(format!(
        "clustering by density (HDBSCAN) sees {}",
        said.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line; who is further apart than 10 is no known pair.
    fn on_line(points: &[f64]) -> Vec<Distance> {
        let mut pairs = Vec::new();
        for (one, here) in points.iter().enumerate() {
            for (other, there) in points.iter().enumerate().skip(one + 1) {
                if (here - there).abs() < 10.0 {
                    pairs.push((one, other, (here - there).abs()));
                }
            }
        }
        pairs
    }

    #[test]
    fn two_dense_stretches_are_two_groups_and_a_straggler_is_in_none() {
        let pairs = on_line(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 12.0]);
        let found = groups(7, &pairs);
        assert_eq!(
            found,
            [Some(0), Some(0), Some(0), Some(1), Some(1), Some(1), None]
        );
    }

    #[test]
    fn one_even_stretch_is_one_group() {
        assert_eq!(groups(5, &on_line(&[0.0, 1.0, 2.0, 3.0, 4.0])), [Some(0); 5]);
        assert_eq!(groups(2, &[(0, 1, 0.5)]), [Some(0); 2]);
        assert_eq!(groups(3, &[]), [None; 3]);
    }

    #[test]
    fn the_order_of_pairs_decides_nothing() {
        let pairs = on_line(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 12.0]);
        let mut turned = pairs.clone();
        turned.reverse();
        assert_eq!(groups(7, &pairs), groups(7, &turned));
    }

    #[test]
    fn a_difference_is_told_and_agreement_is_not() {
        let two = [Some(0), Some(0), Some(1), Some(1), None];
        assert_eq!(disagreement(&[0, 1], &two), None);
        let said = disagreement(&[0, 1, 2, 3, 4], &two).unwrap();
        assert!(said.contains("2 groups of 2, 2 members"), "{said}");
        assert!(said.contains("1 of 5 members in no group"), "{said}");
        assert!(
            disagreement(&[0], &two)
                .unwrap()
                .contains("1 more machine with them")
        );
    }
}

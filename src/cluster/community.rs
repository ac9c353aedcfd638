//! Communities: Leiden with the constant Potts model (Traag, Waltman, van Eck 2019), which has no resolution limit.
//!
//! A small implementation of our own. The crate that was tried first never tried an empty community in its last pass (on the
//! karate club at resolution .15 it left a node with others although it would be .65 better off alone), and moving
//! single nodes after it cost the guarantee that communities hang together.
//!
//! Nodes are visited in orders drawn from the seed, the first of them their own order; the best of several partitions is taken,
//! and of equals the first. Merging while refining takes the best neighbour instead of drawing one: chance comes from the
//! orders alone. The result depends on the set of edges, the resolution and the seed, and on nothing else.

use std::collections::VecDeque;

use crate::model::identity::ContentId;

/// A weighted edge between two nodes.
pub type WeightedEdge = (usize, usize, f64);

/// Orders of nodes that are tried.
const STARTS: u64 = 8;

/// Levels and rounds after which a partition is taken as it is.
const MOST_ROUNDS: usize = 64;

/// Quality gained that counts as an improvement.
const LEAST_GAIN: f64 = 1e-9;

/// The community of every node, numbered in the order of their lowest nodes.
///
/// A graph with weights that are not positive numbers stays whole.
#[must_use]
pub fn communities(nodes: usize, edges: &[WeightedEdge], resolution: f64, seed: u64) -> Vec<usize> {
    best_of(STARTS, nodes, edges, resolution, seed)
}

/// The same from one start: for the many divisions of one graph with some of its edges, which are compared with each other.
#[must_use]
pub fn communities_at_once(nodes: usize, edges: &[WeightedEdge], resolution: f64, seed: u64) -> Vec<usize> {
    best_of(1, nodes, edges, resolution, seed)
}

fn best_of(starts: u64, nodes: usize, edges: &[WeightedEdge], resolution: f64, seed: u64) -> Vec<usize> {
    let is_sound =
        |edge: &WeightedEdge| edge.0 < nodes && edge.1 < nodes && edge.2.is_finite() && edge.2 > 0.0;
    if !edges.iter().all(is_sound) {
        return vec![0; nodes];
    }
    let graph = Graph::new(nodes, edges);
    let mut best: Option<(f64, Vec<usize>)> = None;
    for start in 0..starts {
        let found = settle(&graph, resolution, &order(nodes, seed, start));
        let quality = graph.quality(&found, resolution);
        if best.as_ref().is_none_or(|(most, _)| quality > most + LEAST_GAIN) {
            best = Some((quality, found));
        }
    }
    best.map(|(_, found)| renumber(&found)).unwrap_or_default()
}

/// Nodes of one level: machines at first, then the communities of the level below.
struct Graph {
    /// Neighbours and weights, sorted, without the node itself.
    near: Vec<Vec<(usize, f64)>>,
    /// Machines in each node.
    sizes: Vec<f64>,
}

impl Graph {
    fn new(nodes: usize, edges: &[WeightedEdge]) -> Self {
        let mut near: Vec<Vec<(usize, f64)>> = vec![Vec::new(); nodes];
        let mut push = |one: usize, other: usize, weight: f64| {
            let Some(list) = near.get_mut(one) else { return };
            match list.last_mut() {
                Some((last, sum)) if *last == other => *sum += weight,
                _ => list.push((other, weight)),
            }
        };
        // Edges that come in order, the smaller end first, give every node its neighbours in order at once.
        let is_in_order = |pair: &[WeightedEdge]| match pair {
            [one, other] => (one.0, one.1) < (other.0, other.1),
            _ => true,
        };
        let is_sorted = edges.iter().all(|(one, other, _)| one < other) && edges.windows(2).all(is_in_order);
        if is_sorted {
            for &(one, other, weight) in edges {
                push(one, other, weight);
                push(other, one, weight);
            }
        } else {
            let mut sorted: Vec<WeightedEdge> = edges
                .iter()
                .filter(|(one, other, _)| one != other)
                .flat_map(|&(one, other, weight)| [(one, other, weight), (other, one, weight)])
                .collect();
            sorted.sort_unstable_by(|one, other| {
                (one.0, one.1)
                    .cmp(&(other.0, other.1))
                    .then(one.2.total_cmp(&other.2))
            });
            for (one, other, weight) in sorted {
                push(one, other, weight);
            }
        }
        Self {
            near,
            sizes: vec![1.0; nodes],
        }
    }

    fn size(&self, node: usize) -> f64 {
        self.sizes.get(node).copied().unwrap_or(0.0)
    }

    fn neighbours(&self, node: usize) -> &[(usize, f64)] {
        self.near.get(node).map_or(&[], Vec::as_slice)
    }

    /// Machines in each community.
    fn masses(&self, labels: &[usize]) -> Vec<f64> {
        let many = labels.iter().max().map_or(0, |most| most.saturating_add(1));
        let mut masses = vec![0.0; many];
        for (label, size) in labels.iter().zip(&self.sizes) {
            if let Some(mass) = masses.get_mut(*label) {
                *mass += size;
            }
        }
        masses
    }

    /// Quality of the constant Potts model: weight inside communities, less the resolution for each pair in one. What lies
    /// inside a node counts the same for every partition and is left out.
    fn quality(&self, labels: &[usize], resolution: f64) -> f64 {
        let mut inside = 0.0;
        for (node, near) in self.near.iter().enumerate() {
            for (other, weight) in near {
                if node < *other && labels.get(node) == labels.get(*other) {
                    inside += weight;
                }
            }
        }
        let pairs: f64 = self
            .masses(labels)
            .iter()
            .map(|mass| mass * (mass - 1.0) / 2.0)
            .sum();
        inside - resolution * pairs
    }

    /// The graph whose nodes are the communities.
    fn aggregated(&self, labels: &[usize]) -> Self {
        let masses = self.masses(labels);
        let mut edges = Vec::new();
        for (node, near) in self.near.iter().enumerate() {
            for (other, weight) in near {
                if let (Some(one), Some(two)) = (labels.get(node), labels.get(*other))
                    && node < *other
                    && one != two
                {
                    edges.push((*one, *two, *weight));
                }
            }
        }
        Self {
            sizes: masses.clone(),
            ..Self::new(masses.len(), &edges)
        }
    }
}

/// Nodes in an order drawn from the seed; the first start takes them as they stand.
fn order(nodes: usize, seed: u64, start: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes).collect();
    if start > 0 {
        order.sort_by_cached_key(|node| {
            let node = u64::try_from(*node).unwrap_or(u64::MAX);
            (ContentId::of_words(&[seed, start, node]), node)
        });
    }
    order
}

/// Leiden until nothing improves: every pass begins with the partition of the one before.
fn settle(graph: &Graph, resolution: f64, order: &[usize]) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..graph.near.len()).collect();
    for _ in 0..MOST_ROUNDS {
        let next = connected(graph, &pass(graph, labels.clone(), resolution, order));
        let has_improved = graph.quality(&next, resolution) > graph.quality(&labels, resolution) + LEAST_GAIN;
        if !has_improved {
            break;
        }
        labels = next;
    }
    labels
}

/// One pass: move nodes, refine, go on with the refined communities as nodes.
fn pass(graph: &Graph, labels: Vec<usize>, resolution: f64, order: &[usize]) -> Vec<usize> {
    // Where each machine is now, through all levels.
    let mut places: Vec<usize> = (0..graph.near.len()).collect();
    let mut labels = labels;
    let mut level: Option<Graph> = None;
    let mut own_order: Option<Vec<usize>> = None;
    for _ in 0..MOST_ROUNDS {
        let here = level.as_ref().unwrap_or(graph);
        let visited = own_order.as_deref().unwrap_or(order);
        move_nodes(here, &mut labels, resolution, visited);
        let refined = renumber(&refine(here, &labels, resolution, visited));
        let many = refined.iter().max().map_or(0, |most| most.saturating_add(1));
        if many == here.near.len() {
            break;
        }
        let mut above = vec![0; many];
        for (node, fine) in refined.iter().enumerate() {
            if let (Some(slot), Some(label)) = (above.get_mut(*fine), labels.get(node)) {
                *slot = *label;
            }
        }
        for place in &mut places {
            *place = refined.get(*place).copied().unwrap_or(0);
        }
        let next = here.aggregated(&refined);
        labels = renumber(&above);
        own_order = Some((0..many).collect());
        level = Some(next);
    }
    places
        .iter()
        .map(|place| labels.get(*place).copied().unwrap_or(0))
        .collect()
}

/// Weight of one node's edges to each community; emptied for the next node by what was written, not by what there is.
struct Ties {
    sums: Vec<f64>,
    /// Communities that the node has edges to, in the order of its neighbours.
    near: Vec<usize>,
}

impl Ties {
    fn new(labels: usize) -> Self {
        Self {
            sums: vec![0.0; labels],
            near: Vec::new(),
        }
    }

    fn look_at(&mut self, graph: &Graph, node: usize, labels: &[usize]) {
        for label in self.near.drain(..) {
            if let Some(sum) = self.sums.get_mut(label) {
                *sum = 0.0;
            }
        }
        for (other, weight) in graph.neighbours(node) {
            if let Some(label) = labels.get(*other)
                && let Some(sum) = self.sums.get_mut(*label)
            {
                // Weights are positive, so nothing but a new community has none.
                if *sum <= 0.0 {
                    self.near.push(*label);
                }
                *sum += weight;
            }
        }
    }

    fn to(&self, label: usize) -> f64 {
        self.sums.get(label).copied().unwrap_or(0.0)
    }

    fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.near.iter().map(|label| (*label, self.to(*label)))
    }
}

/// Fast local moving: every node goes where it gains most, also alone; who stood near a node that moved is asked again.
fn move_nodes(graph: &Graph, labels: &mut [usize], resolution: f64, order: &[usize]) {
    let nodes = graph.near.len();
    let mut masses = graph.masses(labels);
    masses.resize(nodes.max(masses.len()).saturating_add(1), 0.0);
    let mut empty: Vec<usize> = (0..masses.len())
        .rev()
        .filter(|label| masses.get(*label).is_some_and(|mass| *mass < 0.5))
        .collect();
    let mut near = Ties::new(masses.len());
    let mut queue: VecDeque<usize> = order.iter().copied().collect();
    let mut is_waiting = vec![true; nodes];
    // Each move gains, so this ends; the bound guards against what rounding could do.
    let mut left = nodes.saturating_mul(1_000);
    while let Some(node) = queue.pop_front() {
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
        if let Some(waits) = is_waiting.get_mut(node) {
            *waits = false;
        }
        let Some(&own) = labels.get(node) else { continue };
        let size = graph.size(node);
        near.look_at(graph, node, labels);
        let mass = |label: usize| masses.get(label).copied().unwrap_or(0.0);
        let staying = near.to(own) - resolution * size * (mass(own) - size);
        let alone = empty.last().copied().filter(|_| mass(own) > size + 0.5);
        let mut best = alone.map(|label| (label, -staying));
        for (label, weight) in near.iter().filter(|(label, _)| *label != own) {
            let gain = weight - resolution * size * mass(label) - staying;
            if best.is_none_or(|(_, most)| gain > most + LEAST_GAIN) {
                best = Some((label, gain));
            }
        }
        let Some((target, _)) = best.filter(|(_, gain)| *gain > LEAST_GAIN) else {
            continue;
        };
        if Some(target) == alone {
            empty.pop();
        }
        if let Some(label) = labels.get_mut(node) {
            *label = target;
        }
        for (label, change) in [(own, -size), (target, size)] {
            if let Some(mass) = masses.get_mut(label) {
                *mass += change;
                if *mass < 0.5 {
                    empty.push(label);
                }
            }
        }
        for (other, _) in graph.neighbours(node) {
            if labels.get(*other) != Some(&target)
                && let Some(waits) = is_waiting.get_mut(*other).filter(|waits| !**waits)
            {
                *waits = true;
                queue.push_back(*other);
            }
        }
    }
}

/// Refinement: inside each community nodes begin alone and join along edges, where both they and what they join are well
/// connected to the rest of the community. What comes out hangs together.
fn refine(graph: &Graph, labels: &[usize], resolution: f64, order: &[usize]) -> Vec<usize> {
    let masses = graph.masses(labels);
    let mut fine: Vec<usize> = (0..graph.near.len()).collect();
    let mut fine_mass = graph.sizes.clone();
    // Weight from each refined community to the rest of its community.
    let mut outward: Vec<f64> = (0..graph.near.len())
        .map(|node| {
            let near = graph.neighbours(node).iter();
            near.filter(|(other, _)| labels.get(*other) == labels.get(node))
                .map(|(_, weight)| weight)
                .sum()
        })
        .collect();
    let mut is_alone = vec![true; graph.near.len()];
    let mut near = Ties::new(graph.near.len());
    for &node in order {
        let Some(&label) = labels.get(node) else { continue };
        if !is_alone.get(node).copied().unwrap_or(false) {
            continue;
        }
        let whole = masses.get(label).copied().unwrap_or(0.0);
        let size = graph.size(node);
        let value = |list: &[f64], place: usize| list.get(place).copied().unwrap_or(0.0);
        if value(&outward, node) < resolution * size * (whole - size) {
            continue;
        }
        let mut best: Option<(usize, f64, f64)> = None;
        near.look_at(graph, node, &fine);
        for (target, weight) in near.iter() {
            if target == node || labels.get(target) != Some(&label) {
                continue;
            }
            let mass = value(&fine_mass, target);
            let is_well = value(&outward, target) >= resolution * mass * (whole - mass);
            let gain = weight - resolution * size * mass;
            if is_well && gain > 0.0 && best.is_none_or(|(_, most, _)| gain > most + LEAST_GAIN) {
                best = Some((target, gain, weight));
            }
        }
        let Some((target, _, weight)) = best else { continue };
        if let Some(slot) = fine.get_mut(node) {
            *slot = target;
        }
        let moved = value(&outward, node);
        if let Some(mass) = fine_mass.get_mut(target) {
            *mass += size;
        }
        if let Some(out) = outward.get_mut(target) {
            *out += moved - 2.0 * weight;
        }
        for place in [node, target] {
            if let Some(alone) = is_alone.get_mut(place) {
                *alone = false;
            }
        }
    }
    fine
}

/// Splits communities into the parts that hang together: that always gains.
fn connected(graph: &Graph, labels: &[usize]) -> Vec<usize> {
    let mut parts = vec![usize::MAX; labels.len()];
    let mut next = 0;
    for start in 0..labels.len() {
        if parts.get(start) != Some(&usize::MAX) {
            continue;
        }
        let mut waiting = vec![start];
        while let Some(node) = waiting.pop() {
            let Some(part) = parts.get_mut(node).filter(|part| **part == usize::MAX) else {
                continue;
            };
            *part = next;
            let near = graph.neighbours(node).iter();
            waiting.extend(
                near.filter(|(other, _)| labels.get(*other) == labels.get(node))
                    .map(|(other, _)| *other),
            );
        }
        next = next.saturating_add(1);
    }
    parts
}

/// Numbers communities in the order of their first nodes.
fn renumber(labels: &[usize]) -> Vec<usize> {
    let most = labels.iter().max().map_or(0, |most| most.saturating_add(1));
    let mut numbers: Vec<Option<usize>> = vec![None; most];
    let mut next = 0_usize;
    labels
        .iter()
        .map(|label| {
            let Some(slot) = numbers.get_mut(*label) else {
                return 0;
            };
            *slot.get_or_insert_with(|| {
                let number = next;
                next = next.saturating_add(1);
                number
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;

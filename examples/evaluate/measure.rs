//! Measures: precision and recall, partitions compared, calibration.

use std::collections::BTreeMap;

/// A count as a number.
pub(crate) fn count(many: usize) -> f64 {
    f64::from(u32::try_from(many).unwrap_or(u32::MAX))
}

/// A share; 1 of nothing.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        count(part) / count(whole)
    }
}

/// Area under precision over recall, as the mean precision at each true one; equal scores count together.
pub(crate) fn average_precision(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
    let all = sorted.iter().filter(|(_, is_true)| *is_true).count();
    let (mut seen, mut found, mut area) = (0, 0, 0.0);
    for tied in sorted.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let hits = tied.iter().filter(|(_, is_true)| *is_true).count();
        seen += tied.len();
        found += hits;
        area += share(found, seen) * count(hits);
    }
    if all == 0 { 1.0 } else { area / count(all) }
}

/// How two partitions of the same items agree.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Agreement {
    /// Adjusted Rand index (Hubert and Arabie 1985).
    pub(crate) rand: f64,
    /// V-measure (Rosenberg and Hirschberg 2007).
    pub(crate) v: f64,
    /// B-cubed F (Bagga and Baldwin 1998).
    pub(crate) b_cubed: f64,
}

/// Compares partitions: for each item its true and its found cluster.
pub(crate) fn agreement(items: &[(String, String)]) -> Agreement {
    let mut cells: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut truths: BTreeMap<&str, f64> = BTreeMap::new();
    let mut founds: BTreeMap<&str, f64> = BTreeMap::new();
    for (truth, found) in items {
        *cells.entry((truth, found)).or_default() += 1.0;
        *truths.entry(truth).or_default() += 1.0;
        *founds.entry(found).or_default() += 1.0;
    }
    let all = count(items.len());
    let pairs = |many: &f64| many * (many - 1.0) / 2.0;
    let both: f64 = cells.values().map(pairs).sum();
    let (of_truth, of_found): (f64, f64) =
        (truths.values().map(pairs).sum(), founds.values().map(pairs).sum());
    let expected = of_truth * of_found / pairs(&all).max(1.0);
    let most = f64::midpoint(of_truth, of_found);
    let rand = if (most - expected).abs() < 1e-12 {
        1.0
    } else {
        (both - expected) / (most - expected)
    };
    let entropy = |clusters: &BTreeMap<&str, f64>| -> f64 {
        -clusters
            .values()
            .map(|many| many / all * (many / all).ln())
            .sum::<f64>()
    };
    let (mut of_truth_given_found, mut of_found_given_truth) = (0.0, 0.0);
    let (mut precision, mut recall) = (0.0, 0.0);
    for ((truth, found), many) in &cells {
        let (in_truth, in_found) = (truths[truth], founds[found]);
        of_truth_given_found -= many / all * (many / in_found).ln();
        of_found_given_truth -= many / all * (many / in_truth).ln();
        precision += many * many / in_found / all;
        recall += many * many / in_truth / all;
    }
    let ratio = |conditional: f64, whole: f64| {
        if whole < 1e-12 {
            1.0
        } else {
            1.0 - conditional / whole
        }
    };
    let homogeneity = ratio(of_truth_given_found, entropy(&truths));
    let completeness = ratio(of_found_given_truth, entropy(&founds));
    Agreement {
        rand,
        v: harmonic(homogeneity, completeness),
        b_cubed: harmonic(precision, recall),
    }
}

fn harmonic(one: f64, other: f64) -> f64 {
    if one + other <= 0.0 {
        0.0
    } else {
        2.0 * one * other / (one + other)
    }
}

/// Cost of the likelihood ratios (Brummer and du Preez 2006): 0 is perfect, 1 says nothing.
pub(crate) fn cllr(ratios: &[(f64, bool)]) -> f64 {
    let mean = |is_farm: bool| {
        let list: Vec<f64> = ratios
            .iter()
            .filter(|(_, truth)| *truth == is_farm)
            .map(|(ratio, _)| {
                if is_farm {
                    (1.0 + 1.0 / ratio).log2()
                } else {
                    (1.0 + ratio).log2()
                }
            })
            .collect();
        list.iter().sum::<f64>() / count(list.len()).max(1.0)
    };
    f64::midpoint(mean(true), mean(false))
}

/// A bin of a reliability table: mean of what was said, share of what was so, how many.
pub(crate) type Bin = (f64, f64, usize);

/// Edges of the bins: those of the bands.
pub(crate) const EDGES: [f64; 6] = [0.0, 0.02, 0.2, 0.8, 0.99, 1.000_1];

/// Reliability by bin, and the expected calibration error.
pub(crate) fn reliability(said: &[(f64, bool)]) -> (Vec<Bin>, f64) {
    let mut bins = Vec::new();
    let mut error = 0.0;
    for edges in EDGES.windows(2) {
        let [low, high] = [edges[0], edges[1]];
        let inside: Vec<&(f64, bool)> = said
            .iter()
            .filter(|(one, _)| *one >= low && *one < high)
            .collect();
        let many = inside.len();
        let mean = inside.iter().map(|(one, _)| one).sum::<f64>() / count(many).max(1.0);
        let so = count(inside.iter().filter(|(_, is_so)| *is_so).count()) / count(many).max(1.0);
        error += (mean - so).abs() * count(many) / count(said.len()).max(1.0);
        bins.push((mean, so, many));
    }
    (bins, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_order_has_the_whole_area_and_a_reversed_one_little() {
        assert!((average_precision(&[(0.9, true), (0.8, true), (0.1, false)]) - 1.0).abs() < 1e-9);
        assert!((average_precision(&[(0.9, false), (0.1, true)]) - 0.5).abs() < 1e-9);
        assert!((average_precision(&[(0.0, false), (0.0, true)]) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_same_partition_agrees_wholly_and_one_heap_does_not() {
        let item = |truth: &str, found: &str| (truth.to_owned(), found.to_owned());
        let same = agreement(&[item("a", "x"), item("a", "x"), item("b", "y"), item("b", "y")]);
        assert!(
            (same.rand - 1.0).abs() < 1e-9
                && (same.v - 1.0).abs() < 1e-9
                && (same.b_cubed - 1.0).abs() < 1e-9
        );
        let heap = agreement(&[item("a", "x"), item("a", "x"), item("b", "x"), item("b", "x")]);
        assert!(heap.rand.abs() < 1e-9 && heap.v < 0.1);
        assert!((heap.b_cubed - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn ratios_of_one_cost_one_and_good_ones_little() {
        assert!((cllr(&[(1.0, true), (1.0, false)]) - 1.0).abs() < 1e-9);
        assert!(cllr(&[(1e4, true), (1e-4, false)]) < 0.001);
    }

    #[test]
    fn saying_what_is_so_has_no_error() {
        let (bins, error) = reliability(&[(0.5, true), (0.5, false)]);
        assert!(error < 1e-9 && bins[2].2 == 2);
    }
}

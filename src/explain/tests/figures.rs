//! Figures that are shown: those of records and sentences agree, and weights come out of their cells by hand.

use super::capture::{explained, farm, group_of};
use super::*;
use crate::model::host::Cell;

#[test]
fn the_cells_of_a_reason_give_its_weight_by_hand() {
    let circumstances = Circumstances {
        shows_cells: true,
        ..Circumstances::default()
    };
    let all = farm();
    let found = explain(&group_of(&all), &all, 0, &weights(), &circumstances);
    let row = |shown: &Explanations| {
        let Explanations {
            farm,
            solo,
            msp,
            vdi,
            shared,
            travel,
            own,
            normal,
        } = *shown;
        [farm, solo, msp, vdi, shared, travel, own, normal]
    };
    let by_hand = |cell: &Cell, claimed: usize| {
        let (level, others) = (row(&cell.probability), row(&cell.others));
        let mean = |places: std::ops::Range<usize>| {
            let sum = |weigh: &dyn Fn(usize) -> f64| places.clone().map(weigh).sum::<f64>();
            sum(&|place| level[place] * others[place]) / sum(&|place| others[place])
        };
        10.0 * (mean(0..claimed) / mean(2..8)).log10()
    };
    let groups = found.farms.iter().flat_map(|farm| &farm.reasons);
    let hosts = found.hosts.iter().flat_map(|host| &host.reasons);
    let cells: Vec<(f64, f64)> = groups
        .map(|one| (one.weight.0, by_hand(one.cell.as_deref().unwrap(), 1)))
        .chain(hosts.map(|one| (one.weight.0, by_hand(one.cell.as_deref().unwrap(), 2))))
        .collect();
    assert!(cells.len() > 10, "{cells:?}");
    assert!(
        cells.iter().all(|(said, by_hand)| (said - by_hand).abs() < 0.06),
        "{cells:?}"
    );
    let unasked = explain(&group_of(&all), &all, 0, &weights(), &Circumstances::default());
    assert!(unasked.farms[0].reasons.iter().all(|one| one.cell.is_none()));
}

#[test]
fn a_summary_says_the_figures_of_the_record() {
    let all = farm();
    let found = explained(&all);
    for (summary, explanations) in (found.farms.iter())
        .map(|farm| (&farm.summary, &farm.explanations))
        .chain(found.hosts.iter().map(|host| (&host.summary, &host.explanations)))
    {
        let shown = wording::probability;
        let said = format!(
            "; farm {}, operated from elsewhere {}",
            shown(explanations.farm),
            shown(explanations.farm + explanations.solo)
        );
        assert!(summary.contains(&said), "{summary} lacks {said}");
    }
}

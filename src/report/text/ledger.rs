//! The steps from prior to posterior in the text of `--explain`.

use std::io;

use super::page::Page;
use crate::model::host::Explanations;
use crate::model::tally::Tally;
use crate::report::words;

/// Prior, what each family adds, their sum, and how the posterior comes of it.
pub(super) fn write(page: &mut Page<'_>, tally: Option<&Tally>) -> io::Result<()> {
    let Some(tally) = tally else {
        return Ok(());
    };
    let mut sums = values(&tally.prior);
    let mut rows = vec![(String::new(), format!("prior: {}", row(&sums)))];
    for family in &tally.families {
        let added = values(&family.decibans);
        for (sum, one) in sums.iter_mut().zip(&added) {
            sum.1 += one.1;
        }
        let cues: Vec<String> = family.cues.iter().map(|cue| words::shown(cue)).collect();
        let text = format!(
            "{} [{}], \u{d7} {:.2}: {}",
            family.family.words(),
            cues.join(", "),
            family.tempering,
            row(&added)
        );
        rows.push((String::new(), text));
    }
    rows.push((String::new(), format!("sum: {}", row(&sums))));
    let how = "all in dB; the posterior of an explanation is 10^(sum/10) over the sum of that for all eight. Cues of one family say \
               partly the same: the sum of 10 log10 P(level) over them, from the table cells, is multiplied by the family's factor. \
               The weights before the reasons are each against its own rivals and without that factor, so they do not add up to \
               the posterior";
    rows.push((String::new(), how.to_owned()));
    if let Some(cause) = &tally.held_down {
        let text = format!(
            "the verdict is held below the band of the posterior: {}",
            words::shown(cause)
        );
        rows.push((String::new(), text));
    }
    page.items("adds up", rows)
}

/// Each explanation's word with its entry.
fn values(explanations: &Explanations) -> [(&'static str, f64); 8] {
    words::in_order(explanations).map(|one| (one.key, one.probability))
}

fn row(values: &[(&str, f64)]) -> String {
    let texts: Vec<String> = values
        .iter()
        .map(|(key, value)| format!("{key} {value:+.2}"))
        .collect();
    texts.join(", ")
}

//! Focus test (C4): attention is exclusive, so one person at several machines drives them in turn.
//!
//! Mantel-Haenszel over blocks of half an hour, so that common lunch breaks and shifts cancel out.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::HostProfile;
use crate::settings::pair_weights::Focus;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "focus",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let bounds = &scale.weights.focus;
    let z = statistic(&one.driven_minutes, &other.driven_minutes, bounds)?;
    let what = if z <= -4.0 {
        format!("driven in turn as if by one person (Z {z:.1})")
    } else if z >= 6.0 {
        format!("driven at the same moments as if by one script (Z {z:.1})")
    } else {
        format!("driven independently of each other (Z {z:.1})")
    };
    Some(Term {
        nats: (bounds.slope * z).clamp(bounds.floor, bounds.ceiling),
        what,
    })
}

/// Z of the test; `None` with too few blocks.
fn statistic(first: &[u32], second: &[u32], bounds: &Focus) -> Option<f64> {
    let length = bounds.block_minutes.max(2);
    let minutes = f64::from(length);
    let mut blocks = 0_u32;
    let (mut observed, mut expected, mut variance) = (0.0, 0.0, 0.0);
    for block in first.chunk_by(|one, other| one / length == other / length) {
        let start = block.first()? / length * length;
        let from = second.partition_point(|minute| *minute < start);
        let to = second.partition_point(|minute| *minute < start.saturating_add(length));
        let theirs = second.get(from..to)?;
        let (n1, n2) = (
            u32::try_from(block.len()).ok()?,
            u32::try_from(theirs.len()).ok()?,
        );
        let counts = bounds.least_driven..=bounds.most_driven;
        if !counts.contains(&n1) || !counts.contains(&n2) {
            continue;
        }
        let both = block
            .iter()
            .filter(|minute| theirs.binary_search(minute).is_ok())
            .count();
        let (n1, n2) = (f64::from(n1), f64::from(n2));
        blocks = blocks.saturating_add(1);
        observed += f64::from(u32::try_from(both).ok()?);
        expected += n1 * n2 / minutes;
        variance += n1 * n2 * (minutes - n1) * (minutes - n2) / (minutes * minutes * (minutes - 1.0));
    }
    (blocks >= bounds.least_blocks && variance > 0.0).then(|| (observed - expected) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::pair_weights::PairWeights;

    fn bounds() -> Focus {
        PairWeights::from_toml(include_str!("../../explain/weights.toml"))
            .unwrap()
            .focus
    }

    #[test]
    fn taking_turns_gives_a_low_z_and_equal_minutes_a_high_one() {
        let first: Vec<u32> = (0..600).filter(|minute| minute / 10 % 2 == 0).collect();
        let second: Vec<u32> = (0..600).filter(|minute| minute / 10 % 2 == 1).collect();
        assert!(statistic(&first, &second, &bounds()).unwrap() < -10.0);
        assert!(statistic(&first, &first, &bounds()).unwrap() > 10.0);
    }

    #[test]
    fn too_few_blocks_say_nothing() {
        let first: Vec<u32> = (0..270).filter(|minute| minute % 2 == 0).collect();
        assert_eq!(statistic(&first, &first, &bounds()), None);
    }
}

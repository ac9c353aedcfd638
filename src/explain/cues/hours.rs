//! How far the middle of the driven hours lies from the middle of the declared working day (DETECTION 3.8, 4.3).

use crate::explain::subject::{Subject, identifiers, median};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;

use super::{Cue, Reading};

pub(super) const CUE: Cue = Cue {
    id: "hours",
    levels: &["<2h", "2-5h", ">5h"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return Reading::inapplicable("no machine is under remote control");
    }
    let rules = subject.rules;
    let wanted = usize::try_from(rules.hours_days).unwrap_or(usize::MAX);
    if controlled.iter().all(|one| one.days.len() < wanted) {
        return Reading::hidden(&format!("capture too short: fewer than {wanted} active days"));
    }
    let mut known: Vec<&HostProfile> = Vec::new();
    let mut gaps = Vec::new();
    for machine in controlled.iter().filter(|one| one.days.len() >= wanted) {
        let noon = machine.asset.seen().and_then(|asset| asset.declared_noon_utc);
        let middle = machine.hours.seen().and_then(middle);
        if let (Some(noon), Some((middle, concentration))) = (noon, middle)
            && concentration > rules.hours_concentration
        {
            let gap = (middle - noon).rem_euclid(24.0);
            gaps.push(gap.min(24.0 - gap));
            known.push(machine);
        }
    }
    let Some(gap) = median(gaps) else {
        return Reading::hidden("declared working hours or a clear daily pattern are missing");
    };
    let level = if gap < 2.0 {
        "<2h"
    } else if gap <= 5.0 {
        "2-5h"
    } else {
        ">5h"
    };
    let what = format!(
        "driven hours lie {gap:.1} h from the declared working day (median of {})",
        counted(known.len(), "machine")
    );
    Reading::observed(level, what).shown_by(identifiers(&known), Vec::new())
}

/// Middle of the day in hours UTC and its concentration: the first circular harmonic.
fn middle(hours: &[u32; 24]) -> Option<(f64, f64)> {
    let (mut real, mut imaginary, mut all) = (0.0, 0.0, 0.0);
    for (hour, minutes) in (0_u32..).zip(hours) {
        let angle = (f64::from(hour) + 0.5) / 24.0 * std::f64::consts::TAU;
        real += f64::from(*minutes) * angle.cos();
        imaginary += f64::from(*minutes) * angle.sin();
        all += f64::from(*minutes);
    }
    (all > 0.0).then(|| {
        let phase = imaginary.atan2(real).rem_euclid(std::f64::consts::TAU);
        (phase / std::f64::consts::TAU * 24.0, real.hypot(imaginary) / all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_working_day_across_midnight_is_found() {
        let mut hours = [0; 24];
        for hour in [22, 23, 0, 1] {
            hours[hour] = 60;
        }
        let (middle, concentration) = middle(&hours).unwrap();
        assert!(middle.min(24.0 - middle) < 1e-6);
        assert!(concentration > 0.8);
    }
}

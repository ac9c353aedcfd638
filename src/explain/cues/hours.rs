//! How far the middle of the driven hours lies from the middle of the declared working day (DETECTION 3.8, 4.3).

use crate::explain::subject::{Subject, identifiers, median};
use crate::model::hours::{self, Hours};
use crate::model::profile::{Asset, HostProfile};
use crate::model::quantity::counted;

use super::{Cue, Reading, uncontrolled};

pub(super) const CUE: Cue = Cue {
    id: "hours",
    levels: &["<2h", "2-5h", ">5h"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled = subject.controlled();
    if controlled.is_empty() {
        return uncontrolled(subject);
    }
    let rules = subject.rules;
    let wanted = usize::try_from(rules.hours_days).unwrap_or(usize::MAX);
    let rhythms: Vec<(&HostProfile, Option<Hours>)> = controlled
        .iter()
        .map(|machine| (*machine, rhythm(machine)))
        .collect();
    let days = |rhythm: &Option<Hours>| rhythm.map_or(0, |rhythm| rhythm.days);
    if rhythms.iter().all(|(_, rhythm)| days(rhythm) < wanted) {
        return Reading::hidden(&format!(
            "not enough days: fewer than {wanted} whose working hours were captured and on which somebody was at the controls"
        ));
    }
    let mut known: Vec<&HostProfile> = Vec::new();
    let (mut gaps, mut nearest) = (Vec::new(), Vec::new());
    let mut widest: f64 = 0.0;
    for (machine, rhythm) in rhythms.iter().filter(|(_, rhythm)| days(rhythm) >= wanted) {
        let noon = machine.asset.seen().and_then(|asset| asset.declared_noon_utc);
        if let (Some(noon), Some(rhythm)) = (noon, rhythm)
            && rhythm.concentration > rules.hours_concentration
        {
            let gap = hours::difference(noon, rhythm.centre).abs();
            let give_or_take = rhythm.half_interval.unwrap_or(12.0);
            gaps.push(gap);
            nearest.push((gap - give_or_take).max(0.0));
            widest = widest.max(give_or_take);
            known.push(machine);
        }
    }
    let (Some(gap), Some(near)) = (median(gaps), median(nearest)) else {
        return Reading::hidden("declared working hours or a clear daily pattern are missing");
    };
    // Only what the interval leaves counts as a gap, and what it does not decide as neither.
    let [apart, far_apart] = rules.hours;
    let level = if gap < apart {
        "<2h"
    } else if near < apart {
        return Reading::hidden(&format!(
            "the centre of the driven hours lies {gap:.1} h from that of the declared working day, give or take {widest:.1} h: too \
             few days to tell a gap"
        ));
    } else if near <= far_apart {
        "2-5h"
    } else {
        ">5h"
    };
    let what = format!(
        "the centre of the driven hours lies {gap:.1} h from that of the declared working day (median of {}, give or take {widest:.1} h \
         at most)",
        counted(known.len(), "machine")
    );
    Reading::observed(level, what).shown_by(identifiers(&known), Vec::new())
}

/// The rhythm of the driven minutes, of days on which the declared working day was watched: elsewhere it is the capture's.
fn rhythm(machine: &HostProfile) -> Option<Hours> {
    let declared = machine.asset.seen().and_then(Asset::working_day);
    let (minutes, _) = machine.watched.on_watched_days(&machine.driven_minutes, declared);
    hours::of(&minutes)
}

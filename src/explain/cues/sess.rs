//! How long remote sessions last: support is short, work lasts all day.

use crate::explain::subject::{Subject, identifiers, median, median_of, session_findings};
use crate::model::egress::day_of;
use crate::model::finding::Activity;
use crate::model::profile::{Asset, HostProfile};
use crate::model::time::{SECOND, Timestamp};
use crate::settings::rules::Rules;

use super::{Cue, Reading, is_under, without_sessions};

pub(super) const CUE: Cue = Cue {
    id: "sess",
    levels: &["short", "mid", "long"],
    value,
};

/// What one machine's sessions look like, in minutes.
struct Lengths {
    mean: f64,
    per_day: f64,
    watched: f64,
    /// Whether any day was watched: elsewhere sessions begin and end with the capture.
    has_day: bool,
}

fn value(subject: &Subject<'_>) -> Reading {
    let rules = subject.rules;
    let controlled: Vec<&HostProfile> = subject
        .controlled()
        .into_iter()
        .filter(|one| one.live_sessions().next().is_some())
        .collect();
    let all: Vec<Lengths> = controlled.iter().filter_map(|one| lengths(one, rules)).collect();
    let (Some(mean), Some(per_day), Some(watched)) = (
        median(all.iter().map(|one| one.mean).collect()),
        median(all.iter().map(|one| one.per_day).collect()),
        median(all.iter().map(|one| one.watched).collect()),
    ) else {
        return without_sessions(subject);
    };
    let days = all.iter().filter(|one| one.has_day).count();
    let level = if per_day >= f64::from(rules.session_long_minutes_per_day) {
        "long"
    } else if watched < f64::from(rules.session_watch_minutes) || is_under(rules.most_share, days, all.len())
    {
        return Reading::hidden(&format!(
            "capture too short: {watched:.0} minutes without a whole working day do not show how long sessions last"
        ));
    } else if mean < f64::from(rules.session_short_minutes) {
        "short"
    } else {
        "mid"
    };
    let what = format!(
        "remote sessions last {mean:.0} minutes and fill {:.1} hours of a day{}, pauses of up to {} minutes counted in",
        per_day / 60.0,
        median_of(all.len()),
        rules.session_gap_seconds / 60
    );
    Reading::observed(level, what).shown_by(identifiers(&controlled), session_findings(&controlled))
}

/// Joins intervals over short gaps to sittings, and those over longer ones to sessions, and measures them.
fn lengths(profile: &HostProfile, rules: &Rules) -> Option<Lengths> {
    let mut intervals: Vec<(Timestamp, Timestamp)> = profile
        .live_sessions()
        .flat_map(|session| &session.intervals)
        .filter(|(_, _, activity)| matches!(activity, Activity::Viewed | Activity::Driven))
        .map(|(start, end, _)| (*start, *end))
        .collect();
    intervals.sort_unstable();
    let seconds = |number: u32| i64::from(number).saturating_mul(SECOND);
    let breath = seconds(rules.session_breath_seconds);
    let mut sittings: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (start, end) in intervals {
        match sittings.last_mut() {
            Some(last) if start.since(last.1) <= breath => last.1 = last.1.max(end),
            _ => sittings.push((start, end)),
        }
    }
    let mut sessions: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut before = 0;
    for (start, end) in sittings {
        let worked = end.since(start).max(before);
        let pause = worked.saturating_mul(i64::from(rules.session_pause_ratio));
        let pause = pause.min(seconds(rules.session_gap_seconds));
        match sessions.last_mut() {
            Some(last) if start.since(last.1) <= pause => last.1 = end,
            _ => sessions.push((start, end)),
        }
        before = end.since(start);
    }
    let sum =
        |list: &[(Timestamp, Timestamp)]| list.iter().map(|(start, end)| minutes(*start, *end)).sum::<f64>();
    let total = sum(&sessions);
    // How long one lasts is told by days that were watched: elsewhere the capture cuts them.
    let declared = profile.asset.seen().and_then(Asset::working_day);
    let mut whole = sessions.clone();
    whole.retain(|(start, _)| profile.watched.has_day(day_of(*start), declared));
    if whole.is_empty() {
        whole = sessions;
    }
    let many = f64::from(u32::try_from(whole.len()).ok()?);
    let days = f64::from(u32::try_from(profile.days.len().max(1)).ok()?);
    (many > 0.0).then(|| Lengths {
        mean: sum(&whole) / many,
        per_day: total / days,
        watched: profile.watched_minutes(),
        has_day: profile.watched_days() > 0,
    })
}

/// Minutes between two moments.
fn minutes(start: Timestamp, end: Timestamp) -> f64 {
    let seconds = (end.since(start) / SECOND).max(0);
    f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) / 60.0
}

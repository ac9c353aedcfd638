//! How long remote sessions last: support is short, work lasts all day.
//!
//! Question: five machines, one operator, turns of a quarter of an hour: is he done with a machine each time he goes on to the next?
//! Support is; who works at all of them is not, and is away from each for longer than any pause that could be allowed to a person with one
//! machine. From one machine's sessions the two cannot be told apart. So where who left a machine went on to others of the group and came
//! back, and sessions are long enough for work once that is taken for no end, it is not said that they are short; nor that they
//! are long, for a technician may come back, too.

use std::collections::BTreeMap;

use crate::explain::subject::{Subject, identifiers, median, median_of, session_findings};
use crate::model::egress::day_of;
use crate::model::finding::Activity;
use crate::model::profile::{Asset, HostProfile, RemoteSession};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};
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
    let Some(found) = typical(&controlled, rules, None) else {
        return without_sessions(subject);
    };
    let Typical {
        mean,
        per_day,
        machines,
        ..
    } = found;
    let level = match found.level(rules) {
        Ok("short") => {
            let rounds = Rounds::of(&controlled, rules);
            let going_on = typical(&controlled, rules, Some(&rounds));
            if let Some(going_on) = going_on.filter(|one| one.level(rules) != Ok("short")) {
                return Reading::inapplicable(&format!(
                    "who was at a machine went on to others of them and came back: sessions last {mean:.0} minutes, or {:.0} if he was not \
                     done with it meanwhile, and which of the two cannot be told",
                    going_on.mean
                ));
            }
            "short"
        }
        Ok(level) => level,
        Err(why) => return Reading::hidden(&why),
    };
    let what = format!(
        "remote sessions last {mean:.0} minutes and fill {:.1} hours of a day{}, pauses of up to {} minutes counted in",
        per_day / 60.0,
        median_of(machines),
        rules.session_gap_seconds / 60
    );
    Reading::observed(level, what).shown_by(identifiers(&controlled), session_findings(&controlled))
}

/// The medians over machines.
struct Typical {
    mean: f64,
    per_day: f64,
    watched: f64,
    days: usize,
    machines: usize,
}

impl Typical {
    /// The cue's level; why there is none.
    fn level(&self, rules: &Rules) -> Result<&'static str, String> {
        if self.per_day >= f64::from(rules.session_long_minutes_per_day) {
            Ok("long")
        } else if self.watched < f64::from(rules.session_watch_minutes)
            || is_under(rules.most_share, self.days, self.machines)
        {
            Err(format!(
                "capture too short: {:.0} minutes without a whole working day do not show how long sessions last",
                self.watched
            ))
        } else if self.mean < f64::from(rules.session_short_minutes) {
            Ok("short")
        } else {
            Ok("mid")
        }
    }
}

/// What these machines' sessions look like; nothing of none.
fn typical(machines: &[&HostProfile], rules: &Rules, rounds: Option<&Rounds<'_>>) -> Option<Typical> {
    let all: Vec<Lengths> = machines
        .iter()
        .filter_map(|one| lengths(one, rules, rounds))
        .collect();
    Some(Typical {
        mean: median(all.iter().map(|one| one.mean).collect())?,
        per_day: median(all.iter().map(|one| one.per_day).collect())?,
        watched: median(all.iter().map(|one| one.watched).collect())?,
        days: all.iter().filter(|one| one.has_day).count(),
        machines: all.len(),
    })
}

/// A stretch of time.
type Stretch = (Timestamp, Timestamp);

/// Stretches in order, those joined that are no farther from each other.
fn joined(mut stretches: Vec<Stretch>, gap: Nanoseconds) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut list: Vec<Stretch> = Vec::new();
    for (start, end) in stretches {
        match list.last_mut() {
            Some(last) if start.since(last.1) <= gap => last.1 = last.1.max(end),
            _ => list.push((start, end)),
        }
    }
    list
}

fn seconds(number: u32) -> Nanoseconds {
    i64::from(number).saturating_mul(SECOND)
}

/// When somebody looked or gave input in a session.
fn live(session: &RemoteSession) -> impl Iterator<Item = Stretch> {
    let is_live = |state: Activity| matches!(state, Activity::Viewed | Activity::Driven);
    let live = session
        .intervals
        .iter()
        .filter(move |(.., state)| is_live(*state));
    live.map(|(start, end, _)| (*start, *end))
}

/// When each controller was at any of the machines; whom no session shows may be any of them.
struct Rounds<'a> {
    of: BTreeMap<&'a str, Vec<Stretch>>,
    anybody: Vec<Stretch>,
}

impl<'a> Rounds<'a> {
    fn of(machines: &[&'a HostProfile], rules: &Rules) -> Self {
        let mut known: BTreeMap<&str, Vec<Stretch>> = BTreeMap::new();
        let (mut hidden, mut all): (Vec<Stretch>, Vec<Stretch>) = (Vec::new(), Vec::new());
        for session in machines.iter().flat_map(|one| one.live_sessions()) {
            all.extend(live(session));
            if session.controllers.is_empty() {
                hidden.extend(live(session));
            }
            for controller in &session.controllers {
                known.entry(&controller.id).or_default().extend(live(session));
            }
        }
        let gap = seconds(rules.session_gap_seconds);
        let with_hidden = |mut own: Vec<Stretch>| {
            own.extend(&hidden);
            joined(own, gap)
        };
        let of = known
            .into_iter()
            .map(|(controller, own)| (controller, with_hidden(own)));
        Self {
            of: of.collect(),
            anybody: joined(all, gap),
        }
    }

    /// Whether who left this machine at the one moment went on to others and was back at the other.
    fn go_on(&self, machine: &HostProfile, left: Timestamp, back: Timestamp) -> bool {
        let holds = |stretches: &Vec<Stretch>| {
            let after = stretches.partition_point(|(start, _)| *start <= left);
            let last = after.checked_sub(1).and_then(|place| stretches.get(place));
            last.is_some_and(|(_, end)| *end >= back)
        };
        let sessions = || machine.live_sessions().flat_map(|session| &session.controllers);
        match sessions().next() {
            None => holds(&self.anybody),
            Some(_) => sessions().any(|one| self.of.get(one.id.as_str()).is_some_and(holds)),
        }
    }
}

/// Joins intervals over short gaps to sittings, and those over longer ones to sessions, and measures them. With the rounds that controllers
/// make, who goes on to another machine and comes back has not ended a session.
fn lengths(profile: &HostProfile, rules: &Rules, rounds: Option<&Rounds<'_>>) -> Option<Lengths> {
    let intervals: Vec<Stretch> = profile.live_sessions().flat_map(live).collect();
    let sittings = joined(intervals, seconds(rules.session_breath_seconds));
    let mut sessions: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut before = 0;
    for (start, end) in sittings {
        let worked = end.since(start).max(before);
        let pause = worked.saturating_mul(i64::from(rules.session_pause_ratio));
        let gap = seconds(rules.session_gap_seconds);
        let goes_on = |left: Timestamp| rounds.is_some_and(|rounds| rounds.go_on(profile, left, start));
        let is_one = |left: Timestamp| {
            let away = start.since(left);
            away <= pause && (away <= gap || goes_on(left))
        };
        match sessions.last_mut() {
            Some(last) if is_one(last.1) => last.1 = end,
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

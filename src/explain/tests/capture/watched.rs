//! Hours, presence and sessions are judged where captures ran for whole working days, and nowhere else.

use super::*;

/// Minutes of a day.
const MINUTES: u32 = 1_440;

/// Machines that are driven from 09:00 to 17:00 UTC on seven days, as captures from one hour to another of each day show it.
fn seen(from: u32, to: u32, noon_utc: Option<f64>) -> Vec<HostProfile> {
    let moment = |day: u32, hour: u32| {
        Timestamp::from_parts(i64::from(DAY + day) * 86_400 + i64::from(hour) * 3_600, 0)
    };
    let spans: Vec<(Timestamp, Timestamp)> = (0..7).map(|day| (moment(day, from), moment(day, to))).collect();
    let (start, end) = (from.max(9), to.min(17));
    (1..=3)
        .map(|number| {
            let mut profile = machine(number, "anydesk", Some(false), None, "firm");
            profile.days = (DAY..DAY + 7).collect();
            profile.watched = Stretches::of(spans.clone()).judged_by(weights().rules.working_day);
            profile.driven_minutes = (0..7)
                .flat_map(|day| {
                    let midnight = (DAY + day) * MINUTES;
                    // A little earlier or later from day to day.
                    let moved = day % 3 * 5;
                    midnight + start * 60 + moved..midnight + end * 60
                })
                .collect();
            if let Observable::Observed(sessions) = &mut profile.sessions {
                let whole = (0..7).map(|day| (moment(day, start), moment(day, end), Activity::Driven));
                sessions[0].intervals = whole.collect();
            }
            profile.asset = Observable::Observed(Asset {
                declared_noon_utc: noon_utc,
                ..Asset::default()
            });
            profile.local_use = Observable::Absent;
            on_line(profile, NetworkKind::Residential, false)
        })
        .collect()
}

/// What a cue says of a group: its words with its weight, or why it says nothing.
fn said(profiles: &[HostProfile], cue: &str) -> Result<(String, f64), String> {
    let found = explained(profiles);
    let record = &found.farms[0];
    let reason = record.reasons.iter().find(|reason| reason.reason == cue);
    if let Some(reason) = reason.filter(|reason| reason.state != State::NotObservable) {
        return Ok((reason.what.clone(), reason.weight.0));
    }
    let prefix = format!("{cue}:");
    let hidden = record.not_observable.iter().find(|one| one.starts_with(&prefix));
    Err(hidden.cloned().unwrap_or_default())
}

#[test]
fn hours_are_compared_where_the_declared_day_was_captured() {
    // Declared in another zone: its day has its middle at 22:00 UTC, and captures ran on.
    let (what, weight) = said(&seen(0, 24, Some(22.0)), "hours").unwrap();
    assert!(what.contains("9.0 h") || what.contains("8.9 h"), "{what}");
    assert!(weight > 0.0);
    // The same hours, declared as they are.
    assert!(said(&seen(0, 24, Some(13.0)), "hours").unwrap().1 < 0.0);
    // Captured for three hours a day: their centre is the capture's, whatever was declared.
    for noon in [13.0, 16.5, 22.0] {
        let hidden = said(&seen(9, 12, Some(noon)), "hours").unwrap_err();
        assert!(hidden.contains("working hours were captured"), "{hidden}");
    }
    // From nine to five, and declared to work from six to two at night.
    assert!(said(&seen(9, 17, Some(22.0)), "hours").is_err());
}

#[test]
fn nobody_is_said_to_be_away_who_was_watched_for_an_hour_a_day() {
    assert!(said(&seen(0, 24, None), "local").unwrap().1 > 5.0);
    assert!(said(&seen(9, 17, None), "local").unwrap().1 > 5.0);
    let hidden = said(&seen(10, 12, None), "local").unwrap_err();
    assert!(hidden.contains("working hours were captured"), "{hidden}");
    // A whole day's hours, but not those of the declared day.
    assert!(said(&seen(9, 17, Some(22.0)), "local").is_err());
    // Somebody who was seen was there.
    let mut present = seen(10, 12, None);
    for profile in &mut present {
        profile.local_use = Observable::Observed(LocalUse::Present);
    }
    assert!(said(&present, "local").unwrap().1 < 0.0);
}

#[test]
fn sessions_that_the_capture_cuts_have_no_length() {
    let (what, _) = said(&seen(0, 24, None), "sess").unwrap();
    assert!(what.contains("last 480 minutes"), "{what}");
    // Fourteen hours, two a day: neither the whole of a session nor a day was seen.
    let hidden = said(&seen(10, 12, None), "sess").unwrap_err();
    assert!(hidden.contains("how long sessions last"), "{hidden}");
}

//! Who goes from machine to machine: support when it is done, and work at all of them, look alike at each.

use super::*;

/// Five machines over a week; who is at which for a quarter of an hour, by quarter of the day.
fn driven(
    turn: impl Fn(u8, i64) -> bool,
    controller: impl Fn(u8) -> Option<&'static str>,
) -> Vec<HostProfile> {
    let noon = |day: u32| Timestamp::from_parts(i64::from(DAY + day) * 86_400 + 8 * 3_600, 0);
    let spans = vec![(noon(0), noon(7))];
    (1..=5)
        .map(|number| {
            let mut profile = machine(number, "rustdesk", Some(false), controller(number), "firm");
            profile.days = (DAY..DAY + 7).collect();
            profile.watched = Stretches::of(spans.clone()).judged_by(weights().rules.working_day);
            let turn = &turn;
            let turns = (0..7).flat_map(|day| {
                let quarters = (0..32).filter(move |quarter| turn(number, *quarter));
                quarters.map(move |quarter| {
                    let from = noon(day).plus(quarter * 900 * SECOND);
                    (from, from.plus(880 * SECOND), Activity::Driven)
                })
            });
            if let Observable::Observed(sessions) = &mut profile.sessions {
                sessions[0].intervals = turns.collect();
            }
            profile
        })
        .collect()
}

/// Weight of the length of sessions; why it has none.
fn sess(profiles: &[HostProfile]) -> Result<f64, String> {
    let found = explained(profiles);
    let record = &found.farms[0];
    let reason = record.reasons.iter().find(|reason| reason.reason == "sess");
    if let Some(reason) = reason.filter(|reason| reason.state != State::NotObservable) {
        return Ok(reason.weight.0);
    }
    let hidden = record.not_observable.iter().find(|one| one.starts_with("sess:"));
    Err(hidden.cloned().unwrap_or_default())
}

fn in_turn(number: u8, quarter: i64) -> bool {
    quarter % 5 == i64::from(number - 1)
}

#[test]
fn who_goes_on_to_the_next_and_comes_back_has_not_finished() {
    for controller in [Some("operator"), None] {
        let why = sess(&driven(in_turn, |_| controller)).unwrap_err();
        assert!(why.contains("went on to others of them and came back"), "{why}");
    }
}

#[test]
fn who_does_not_come_back_and_who_was_nowhere_meanwhile_has_finished() {
    // A technician's round: each machine once a day.
    let round = driven(
        |number, quarter| quarter == i64::from(number),
        |_| Some("technician"),
    );
    assert!(sess(&round).unwrap() < -3.0);
    // An hour away each time, as if nobody were at the others either: all at once.
    let together = driven(|_, quarter| quarter % 5 == 0, |_| Some("operator"));
    assert!(sess(&together).unwrap() < -3.0);
    // Somebody else is at the others.
    let each = ["first", "second", "third", "fourth", "fifth"];
    let others = driven(in_turn, |number| each.get(usize::from(number - 1)).copied());
    assert!(sess(&others).unwrap() < -3.0);
}

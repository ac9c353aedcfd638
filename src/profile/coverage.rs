//! How much of the human activity at a machine falls into remote sessions, and whether anybody sits at it (DETECTION 4.1.3).

use crate::model::observable::Observable;
use crate::model::profile::{Coverage, LocalUse, Minutes};

/// Minutes around a session that still belong to it: what a page loads late, the grain of the windows.
const MARGIN: u32 = 1;

/// Minutes of activity outside sessions from which somebody is there.
const PRESENT: usize = 60;

/// Minutes up to which nobody is: updates that no list knows, a start by hand.
const ABSENT: usize = 15;

/// Minutes of `active` that fall into `sessions` or beside them, and those that do not.
fn inside(active: &[u32], sessions: &[u32]) -> (usize, usize) {
    let is_inside = |minute: &&u32| {
        let from = sessions.partition_point(|session| session.saturating_add(MARGIN) < **minute);
        sessions
            .get(from)
            .is_some_and(|session| *session <= minute.saturating_add(MARGIN))
    };
    let inside = active.iter().filter(is_inside).count();
    (inside, active.len().saturating_sub(inside))
}

/// The share of `active` minutes that sessions cover.
#[must_use]
pub fn coverage(active: Option<&Minutes>, sessions: &Minutes) -> Observable<Coverage> {
    let Some(active) = active else {
        return Observable::hidden("no names of services could be seen, so nothing tells human activity");
    };
    if active.is_empty() {
        return Observable::hidden("no human activity was seen");
    }
    let mut days: Vec<u32> = active.iter().map(|minute| minute / 1_440).collect();
    days.dedup();
    let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
    let (within, _) = inside(active, sessions);
    Observable::Observed(Coverage {
        share: f64::from(count(within)) / f64::from(count(active.len())),
        active_minutes: count(active.len()),
        days: count(days.len()),
    })
}

/// Whether somebody was at the machine outside sessions.
#[must_use]
pub fn local_use(active: Option<&Minutes>, sessions: &Minutes) -> Observable<LocalUse> {
    let Some(active) = active else {
        return Observable::hidden("no names of services could be seen, so nothing tells human activity");
    };
    match inside(active, sessions).1 {
        0..=ABSENT => Observable::Absent,
        PRESENT.. => Observable::Observed(LocalUse::Present),
        _ => Observable::Observed(LocalUse::Unclear),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_minutes_inside_is_a_half() {
        let active: Minutes = (0..120).map(|minute| 1_440 + minute * 2).collect();
        let sessions: Minutes = (1_440..1_440 + 119).collect();
        let found = coverage(Some(&active), &sessions);
        let found = found.seen().unwrap();
        assert!((found.share - 0.5).abs() < 0.01, "{found:?}");
        assert_eq!((found.active_minutes, found.days), (120, 1));
    }

    #[test]
    fn an_hour_outside_is_somebody_and_a_quarter_is_nobody() {
        let minutes = |many: u32| -> Minutes { (0..many).map(|minute| minute * 3).collect() };
        let none = Minutes::new();
        assert_eq!(local_use(Some(&minutes(15)), &none), Observable::Absent);
        assert_eq!(
            local_use(Some(&minutes(30)), &none),
            Observable::Observed(LocalUse::Unclear)
        );
        assert_eq!(
            local_use(Some(&minutes(60)), &none),
            Observable::Observed(LocalUse::Present)
        );
        assert_eq!(local_use(Some(&minutes(60)), &minutes(60)), Observable::Absent);
        assert!(local_use(None, &none).reason().is_some());
    }
}

//! Minutes in which somebody used a machine, whoever and from wherever: new conversations with named services that machines do
//! not call by themselves (DETECTION 4.1.3).
//!
//! Three kinds of calls are no sign of a person: those of a remote tool itself, those to services of the shipped list, and those
//! to a name that this machine calls through most hours of some day, as no person does.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::model::observation::{LocalIndex, Observation};
use crate::model::profile::Minutes;
use crate::model::time::SECOND;

/// The list, with its sources.
const TABLE: &str = include_str!("presence.tsv");

/// A name called in so many different hours of one day is called by the machine: nobody works that long every day.
const RESTLESS_HOURS: usize = 16;

/// A call.
#[derive(Clone, Debug)]
struct Call {
    local: LocalIndex,
    minute: u32,
    name: Arc<str>,
}

/// All calls, within a bound.
#[derive(Debug)]
pub struct Presence {
    calls: Vec<Call>,
    most: usize,
    background: HashSet<&'static str, rapidhash::fast::RandomState>,
    /// Calls beyond the bound.
    pub refused: u64,
}

impl Presence {
    /// With room for so many calls.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
        Self {
            calls: Vec::new(),
            most,
            background: rows.filter_map(|line| line.split('\t').next()).collect(),
            refused: 0,
        }
    }

    /// Notes a conversation that belongs to no remote tool.
    pub fn called(&mut self, observation: &Observation<'_>) {
        let (Some(local), Some(name)) = (
            observation.locals.first().copied().flatten(),
            &observation.server_name,
        ) else {
            return;
        };
        if !matches!(observation.flow.server.port, 80 | 443) {
            return;
        }
        if self.calls.len() >= self.most {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let minute = observation.flow.start.0.div_euclid(60 * SECOND);
        self.calls.push(Call {
            local,
            minute: u32::try_from(minute).unwrap_or(0),
            name: Arc::clone(&name.name),
        });
    }

    /// Puts the calls in order: before the first question.
    pub fn sort(&mut self) {
        self.calls.sort_by(|one, other| {
            (one.local, one.minute, &one.name).cmp(&(other.local, other.minute, &other.name))
        });
    }

    /// Minutes with somebody at a machine; `None` where no call of it had a name. After [`Presence::sort`].
    #[must_use]
    pub fn of(&self, locals: &[LocalIndex]) -> Option<Minutes> {
        let calls: Vec<&Call> = locals.iter().flat_map(|local| self.calls_of(*local)).collect();
        if calls.is_empty() {
            return None;
        }
        let mut hours: BTreeMap<(&str, u32), BTreeSet<u32>> = BTreeMap::new();
        for call in &calls {
            let day = call.minute / 1_440;
            hours
                .entry((&call.name, day))
                .or_default()
                .insert(call.minute / 60);
        }
        let restless: BTreeSet<&str> = hours
            .iter()
            .filter(|(_, hours)| hours.len() >= RESTLESS_HOURS)
            .map(|((name, _), _)| *name)
            .collect();
        let mut minutes: Minutes = calls
            .iter()
            .filter(|call| !restless.contains(&*call.name) && !self.is_background(&call.name))
            .map(|call| call.minute)
            .collect();
        minutes.sort_unstable();
        minutes.dedup();
        Some(minutes)
    }

    fn calls_of(&self, local: LocalIndex) -> &[Call] {
        let from = self.calls.partition_point(|call| call.local < local);
        let to = self.calls.partition_point(|call| call.local <= local);
        self.calls.get(from..to).unwrap_or_default()
    }

    /// Whether a name or a zone above it is on the shipped list.
    fn is_background(&self, name: &str) -> bool {
        self.background.contains(name)
            || name
                .match_indices('.')
                .filter_map(|(dot, _)| name.get(dot.saturating_add(1)..))
                .any(|zone| self.background.contains(zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(calls: &[(u32, u32, &str)]) -> Presence {
        let mut presence = Presence::new(10);
        presence.calls = calls
            .iter()
            .map(|(local, minute, name)| Call {
                local: LocalIndex(*local),
                minute: *minute,
                name: Arc::from(*name),
            })
            .collect();
        presence.sort();
        presence
    }

    #[test]
    fn updates_are_nobody_and_pages_are_somebody() {
        let presence = presence(&[
            (1, 7, "news.example"),
            (1, 3, "slscr.update.microsoft.com"),
            (1, 5, "notupdate.microsoft.com.example"),
            (2, 9, "news.example"),
        ]);
        assert_eq!(presence.of(&[LocalIndex(1)]), Some(vec![5, 7]));
        assert_eq!(presence.of(&[LocalIndex(1), LocalIndex(2)]), Some(vec![5, 7, 9]));
        assert_eq!(presence.of(&[LocalIndex(3)]), None);
    }

    #[test]
    fn what_is_called_through_the_night_is_the_machine() {
        let mut calls: Vec<(u32, u32, &str)> =
            (0..20).map(|hour| (1, hour * 60 + 4, "sync.example")).collect();
        calls.extend((8..17).map(|hour| (1, hour * 60 + 9, "news.example")));
        let minutes = presence(&calls).of(&[LocalIndex(1)]).unwrap();
        assert_eq!(minutes.len(), 9);
        assert!(minutes.iter().all(|minute| minute % 60 == 9));
    }
}

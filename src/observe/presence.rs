//! Traces of a person at a machine: minutes in which it connects to a site that no program calls by itself (DETECTION 4.1.3).
//!
//! Question: how is a person told from the programs that call home all day? Names of updates, telemetry, push and the like
//! are listed (`background.tsv`); a site that a machine calls in nearly every hour, day and night, is that machine's own
//! background. What is left is activity, whoever caused it: somebody at the machine, or somebody who works on it from
//! elsewhere. DETECTION wants two connections a minute; one is enough here, because activity that is counted in vain outside
//! sessions speaks for whoever uses the machine, and activity that is missed there speaks against him.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::thresholds::THRESHOLDS;
use crate::model::observation::LocalIndex;
use crate::model::profile::{Minutes, PersonalMinutes};
use crate::model::time::{SECOND, Timestamp};

/// The table, with its sources.
const TABLE: &str = include_str!("background.tsv");

/// Names whose site is remembered.
const MOST_NAMES: usize = 1 << 18;

/// Connections that are remembered of one address: ten a minute for two working weeks.
const MOST_OF_ONE: usize = 50_000;

/// A site: its place in the list of sites; none for background.
type Site = Option<u32>;

/// The memory.
#[derive(Debug)]
pub struct Presence {
    background: HashSet<&'static str, rapidhash::fast::RandomState>,
    sites_by_name: HashMap<Arc<str>, Site, rapidhash::fast::RandomState>,
    sites: HashMap<Box<str>, u32, rapidhash::fast::RandomState>,
    /// By local address: minute since 1970 and site, as they came.
    calls: Vec<Vec<(u32, u32)>>,
    /// Calls that may still be remembered.
    room: usize,
    /// Calls for which there was no room.
    pub refused: u64,
}

impl Presence {
    /// Remembers at most `most` connections.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let background = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('\t').next())
            .collect();
        Self {
            background,
            sites_by_name: HashMap::default(),
            sites: HashMap::default(),
            calls: Vec::new(),
            room: most,
            refused: 0,
        }
    }

    fn site(&mut self, name: &Arc<str>) -> Site {
        if let Some(site) = self.sites_by_name.get(name) {
            return *site;
        }
        if self.sites_by_name.len() >= MOST_NAMES {
            self.sites_by_name.clear();
        }
        let behind_dots = name
            .match_indices('.')
            .filter_map(|(dot, _)| name.get(dot.saturating_add(1)..));
        let is_background = std::iter::once(&**name)
            .chain(behind_dots)
            .any(|suffix| self.background.contains(suffix));
        let site = psl::domain_str(name).filter(|_| !is_background).map(|domain| {
            let next = u32::try_from(self.sites.len()).unwrap_or(u32::MAX);
            *self.sites.entry(domain.into()).or_insert(next)
        });
        self.sites_by_name.insert(Arc::clone(name), site);
        site
    }

    /// A machine connected to a name.
    pub fn connected(&mut self, local: LocalIndex, name: &Arc<str>, at: Timestamp) {
        let place = local.0 as usize;
        // Before the name is looked up: sites are entered for calls that are remembered, and so bounded with them.
        if self.room == 0
            || self
                .calls
                .get(place)
                .is_some_and(|calls| calls.len() >= MOST_OF_ONE)
        {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let Some(site) = self.site(name) else { return };
        if self.calls.len() <= place {
            self.calls.resize_with(place.saturating_add(1), Vec::new);
        }
        let Some(calls) = self.calls.get_mut(place) else {
            return;
        };
        let minute = u32::try_from(at.0.div_euclid(60 * SECOND)).unwrap_or(0);
        if calls.last() == Some(&(minute, site)) {
            return;
        }
        self.room = self.room.saturating_sub(1);
        calls.push((minute, site));
    }

    /// The minutes in which somebody was active on a machine with these addresses.
    #[must_use]
    pub fn minutes(&self, locals: &[LocalIndex]) -> PersonalMinutes {
        let mut calls: Vec<(u32, u32)> = locals
            .iter()
            .filter_map(|local| self.calls.get(local.0 as usize))
            .flatten()
            .copied()
            .collect();
        calls.sort_unstable();
        calls.dedup();
        let background = background_of(&calls);
        let personal = calls.iter().filter(|(_, site)| !background.contains(site));
        let mut minutes: Minutes = personal.map(|(minute, _)| *minute).collect();
        minutes.dedup();
        let is_cut = locals
            .iter()
            .filter_map(|local| self.calls.get(local.0 as usize))
            .any(|calls| calls.len() >= MOST_OF_ONE)
            || self.room == 0;
        PersonalMinutes {
            minutes,
            calls: u32::try_from(calls.len()).unwrap_or(u32::MAX),
            is_cut,
        }
    }
}

/// Sites that are called in nearly every hour in which the machine calls anything.
fn background_of(calls: &[(u32, u32)]) -> HashSet<u32> {
    let mut hours: BTreeMap<u32, HashSet<u32>> = BTreeMap::new();
    let mut all: HashSet<u32> = HashSet::new();
    for (minute, site) in calls {
        hours.entry(*site).or_default().insert(minute / 60);
        all.insert(minute / 60);
    }
    let span = match (calls.first(), calls.last()) {
        (Some((first, _)), Some((last, _))) => (last / 60).saturating_sub(first / 60) as usize,
        _ => 0,
    };
    // In less than half a day a person may call his tools in every hour.
    if span < THRESHOLDS.presence.hours || all.len() < THRESHOLDS.presence.hours {
        return HashSet::new();
    }
    hours
        .into_iter()
        .filter(|(_, own)| {
            own.len().saturating_mul(10) >= all.len().saturating_mul(THRESHOLDS.presence.nearly_all_tenths)
        })
        .map(|(site, _)| site)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAPTOP: LocalIndex = LocalIndex(2);

    fn call(presence: &mut Presence, minute: i64, names: &[&str]) {
        for name in names {
            presence.connected(LAPTOP, &Arc::from(*name), Timestamp(minute * 60 * SECOND));
        }
    }

    #[test]
    fn a_site_is_a_person_and_background_is_none() {
        let mut presence = Presence::new(100);
        call(&mut presence, 5, &["www.example.com", "cdn.example.net"]);
        call(&mut presence, 6, &["www.example.com", "static.example.com"]);
        call(
            &mut presence,
            7,
            &["ctldl.windowsupdate.com", "1-courier.push.apple.com"],
        );
        let seen = presence.minutes(&[LAPTOP]);
        assert_eq!((seen.minutes, seen.is_cut), (vec![5, 6], false));
        assert_eq!(presence.minutes(&[LocalIndex(0)]).minutes, Vec::<u32>::new());
    }

    #[test]
    fn what_a_machine_calls_day_and_night_is_its_background() {
        let mut presence = Presence::new(10_000);
        for hour in 0..24 {
            call(
                &mut presence,
                hour * 60,
                &["sync.example.org", "chat.example.com"],
            );
        }
        for minute in 600..630 {
            call(
                &mut presence,
                minute,
                &["chat.example.com", "news.example.net", "shop.example.edu"],
            );
        }
        let seen = presence.minutes(&[LAPTOP]);
        assert_eq!(seen.minutes, (600..630).collect::<Vec<u32>>());
    }

    #[test]
    fn memory_is_bounded_and_says_so() {
        let mut presence = Presence::new(10);
        for minute in 0..100 {
            call(&mut presence, minute, &["a.example.com", "b.example.net"]);
        }
        assert!(presence.minutes(&[LAPTOP]).is_cut);
        assert_eq!((presence.refused, presence.calls[2].len()), (190, 10));
    }

    #[test]
    fn every_listed_name_has_a_source_and_is_a_name() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [suffix, what, source] = fields.as_slice() else {
                panic!("{line}");
            };
            assert!(
                psl::domain_str(suffix).is_some() && !what.is_empty() && !source.is_empty(),
                "{line}"
            );
        }
    }
}

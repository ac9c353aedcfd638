//! When a capture really ran: its frames, joined over pauses that a living network may have.
//!
//! Question: what tells a capture that was cut to the same hour of every day from one that ran on? Answer: no network that
//! anybody uses is silent for hours; leases, names and clocks are renewed more often. A longer silence is no observation.

use crate::model::frame::FrameHeader;
use crate::model::thresholds::THRESHOLDS;
use crate::model::time::{SECOND, Timestamp};

/// Cause under which frames are counted that lie in stretches beyond the bound.
pub const BEYOND: &str = "capture times with more pauses than are remembered: they do not count as watched";

/// Stretches that are kept of one capture; what lies beyond them does not count as watched.
const MOST: usize = 4_096;

/// Stretches of one capture.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// In order, farther than a pause from each other.
    list: Vec<(Timestamp, Timestamp)>,
    /// The one that grew last.
    at: usize,
    /// Frames beyond the bound.
    pub not_kept: u64,
}

/// Silence from which nothing says that the capture ran.
fn pause() -> i64 {
    THRESHOLDS.watching.pause_seconds.saturating_mul(SECOND)
}

/// Whether a moment belongs to a stretch or continues it.
fn continues((first, last): (Timestamp, Timestamp), at: Timestamp) -> bool {
    first.since(at) <= pause() && at.since(last) <= pause()
}

impl Watching {
    /// Takes a block's frames, of which the earliest and the latest are known. Looks at single frames only where a pause may
    /// lie between them.
    pub(super) fn block(&mut self, frames: &[FrameHeader], first: Timestamp, last: Timestamp) {
        let known = self.list.get(self.at).copied();
        let is_one = last.since(first) <= pause()
            && known.is_none_or(|known| continues(known, first) && continues(known, last));
        if is_one {
            self.moment(first);
            self.moment(last);
        } else {
            for frame in frames {
                self.moment(frame.at);
            }
        }
    }

    fn moment(&mut self, at: Timestamp) {
        let after = self.list.partition_point(|(first, _)| *first <= at);
        let near = [Some(self.at), after.checked_sub(1), Some(after)];
        for place in near.into_iter().flatten() {
            if let Some(stretch) = self.list.get_mut(place)
                && continues(*stretch, at)
            {
                *stretch = (stretch.0.min(at), stretch.1.max(at));
                self.at = place;
                self.join();
                return;
            }
        }
        if self.list.len() >= MOST {
            self.not_kept = self.not_kept.saturating_add(1);
            return;
        }
        self.list.insert(after, (at, at));
        self.at = after;
    }

    /// Joins the stretch that grew with those that it reached.
    fn join(&mut self) {
        let reaches = |list: &[(Timestamp, Timestamp)], place: usize| {
            let (one, next) = (list.get(place), list.get(place.saturating_add(1)));
            one.zip(next)
                .is_some_and(|(one, next)| next.0.since(one.1) <= pause())
        };
        while reaches(&self.list, self.at) {
            let (_, last) = self.list.remove(self.at.saturating_add(1));
            if let Some(stretch) = self.list.get_mut(self.at) {
                stretch.1 = stretch.1.max(last);
            }
        }
        while let Some(before) = self.at.checked_sub(1)
            && reaches(&self.list, before)
        {
            let (first, last) = self.list.remove(self.at);
            self.at = before;
            if let Some(stretch) = self.list.get_mut(before) {
                *stretch = (stretch.0.min(first), stretch.1.max(last));
            }
        }
    }

    /// The stretches, cut to a span of time that was asked for.
    pub fn within(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.list.iter().filter_map(move |(first, last)| {
            let first = since.map_or(*first, |since| since.max(*first));
            let last = until.map_or(*last, |until| until.min(*last));
            (first <= last).then_some((first, last))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    /// The stretches of frames at these seconds, in blocks of so many.
    fn of(seconds: &[i64], block: usize) -> Vec<(i64, i64)> {
        let mut watching = Watching::default();
        for some in seconds.chunks(block) {
            let frames: Vec<FrameHeader> = some
                .iter()
                .map(|second| FrameHeader {
                    at: Timestamp::from_parts(*second, 0),
                    ..FrameHeader::default()
                })
                .collect();
            let first = frames.iter().map(|frame| frame.at).min().unwrap();
            let last = frames.iter().map(|frame| frame.at).max().unwrap();
            watching.block(&frames, first, last);
        }
        let list = watching.within(None, None);
        list.map(|(first, last)| (first.0 / SECOND, last.0 / SECOND))
            .collect()
    }

    #[test]
    fn a_capture_cut_to_the_same_hours_of_each_day_is_as_many_stretches() {
        let mut seconds: Vec<i64> = Vec::new();
        for day in 0..5 {
            seconds.extend((0..90).map(|minute| day * 24 * HOUR + 13 * HOUR + minute * 60));
        }
        for block in [1, 7, 1_000] {
            let list = of(&seconds, block);
            assert_eq!(list.len(), 5, "{block}");
            assert_eq!(list[1], (37 * HOUR, 37 * HOUR + 89 * 60));
        }
    }

    #[test]
    fn quiet_nights_and_frames_out_of_order_are_one_stretch() {
        let seconds: Vec<i64> = (0..20).map(|hour| hour * HOUR).collect();
        let mut turned = seconds.clone();
        turned.reverse();
        turned.swap(3, 11);
        for block in [1, 3, 50] {
            assert_eq!(of(&seconds, block), [(0, 19 * HOUR)]);
            assert_eq!(of(&turned, block), [(0, 19 * HOUR)]);
        }
        // Two stretches that a frame between them joins.
        assert_eq!(of(&[0, 4 * HOUR, 2 * HOUR], 1), [(0, 4 * HOUR)]);
        assert_eq!(of(&[0, 4 * HOUR], 1), [(0, 0), (4 * HOUR, 4 * HOUR)]);
    }

    #[test]
    fn what_was_not_asked_for_was_not_watched_and_memory_is_bounded() {
        let mut watching = Watching::default();
        for turn in 0..10_000 {
            watching.moment(Timestamp::from_parts(turn * 3 * HOUR, 0));
        }
        assert_eq!(
            (watching.list.len(), watching.not_kept),
            (MOST, 10_000 - MOST as u64)
        );
        let second = |hour: i64| Some(Timestamp::from_parts(hour * HOUR, 0));
        assert_eq!(watching.within(second(4), second(10)).count(), 2);
    }
}

//! What moved in each ten seconds of a flow, in 24 bytes a bin: the raw material of the session state machine
//! (DETECTION 4.1.2).

use crate::model::fact::Side;
use crate::model::flow::{ActivityBin, bin_of};
use crate::model::time::Timestamp;

/// Payloads of these sizes are what input events look like (DETECTION 4.1.2). From 4 and not from 20: an event of RFB has
/// 6 or 8 octets (RFC 6143, 7.5), one of RDP's fast path 4 (MS-RDPBCGR 2.2.8.1.2). Keep-alive probes of TCP carry one.
const SMALL: std::ops::RangeInclusive<u32> = 4..=350;

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It was counted in its bin.
    Kept,
    /// The same, and it ended a bin that looks like a remote session under somebody's hands.
    BehindDriven,
    /// Its bin would be one too many.
    Lost,
}

/// How many bins a flow may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// So many before any is given up.
    pub bins: usize,
    /// So many where nothing else can be given up.
    pub most: usize,
}

/// What the busier side of a bin sends at most that is given up first, second and last where a flow has too many: keep-alives, which
/// would otherwise take the room of what somebody does on the same connection days later. A shell's echo of somebody who types begins at
/// 128 octets in ten seconds, and a screen that somebody sees change at 1536 (`detect/activity_state.tsv`).
const KEEP_ALIVES: [u32; 3] = [127, 511, 1023];

/// Bins of one flow, in order of time.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The newest bin: nearly every packet belongs to it.
    newest: Option<ActivityBin>,
    earlier: Vec<ActivityBin>,
    /// Bins for which room was made beyond the first; nothing while there is some.
    more: usize,
    /// Who sent the last payload.
    last: Option<Side>,
}

impl Activity {
    /// Counts a payload. A packet that is late by a bin or two is counted where it belongs. Where there is no room for another bin,
    /// keep-alives are given up; beyond `room.most` bins nothing is kept.
    pub fn count(&mut self, at: Timestamp, side: Side, payload: u32, room: Room) -> Counted {
        let number = bin_of(at);
        let most = room.bins.max(self.more);
        let mut was_driven = false;
        let bin = match &mut self.newest {
            Some(bin) if bin.number == number => bin,
            Some(bin) if bin.number > number => match late(&mut self.earlier, number, most) {
                Some(bin) => bin,
                None => return Counted::Lost,
            },
            newest => {
                if self.earlier.len().saturating_add(1) >= most
                    && newest.is_some()
                    && !make_room(&mut self.earlier, &mut self.more, room)
                {
                    return Counted::Lost;
                }
                was_driven = newest.as_ref().is_some_and(looks_driven);
                self.earlier.extend(newest.take());
                newest.insert(ActivityBin {
                    number,
                    ..ActivityBin::default()
                })
            }
        };
        let way = side.index();
        if let Some(bytes) = bin.bytes.get_mut(way) {
            *bytes = bytes.saturating_add(payload);
        }
        if let Some(packets) = bin.packets.get_mut(way) {
            *packets = packets.saturating_add(1);
        }
        if self.last != Some(side)
            && let Some(turns) = bin.turns.get_mut(way)
        {
            *turns = turns.saturating_add(1);
        }
        self.last = Some(side);
        if SMALL.contains(&payload)
            && let Some(small) = bin.small.get_mut(way)
        {
            *small = small.saturating_add(1);
        }
        if was_driven {
            Counted::BehindDriven
        } else {
            Counted::Kept
        }
    }

    /// The bins.
    #[must_use]
    pub fn into_bins(self) -> Vec<ActivityBin> {
        let mut bins = self.earlier;
        if let Some(newest) = self.newest {
            bins.reserve_exact(1);
            bins.push(newest);
        }
        bins
    }
}

/// Small packets one way and the other way what answers input (the state DRIVEN of DETECTION 4.1.2), whichever way that is.
fn looks_driven(bin: &ActivityBin) -> bool {
    /// Input events, and octets that answer them.
    const LEAST: (u16, u32) = (3, 8 << 10);
    let ([client, server], [small_client, small_server]) = (bin.bytes, bin.small);
    small_client >= LEAST.0 && server >= LEAST.1 || small_server >= LEAST.0 && client >= LEAST.1
}

/// Gives up keep-alives where a flow has no room for another bin, or lets it have more; `false` where neither helps. What is left fills at
/// most seven eighths then, so that this happens once in a thousand bins.
#[cold]
fn make_room(earlier: &mut Vec<ActivityBin>, more: &mut usize, room: Room) -> bool {
    let most = room.bins.max(*more);
    let enough = most.saturating_sub((most / 8).max(2));
    for octets in KEEP_ALIVES {
        earlier.retain(|bin| bin.bytes.iter().any(|sent| *sent > octets));
        if earlier.len() <= enough {
            return true;
        }
    }
    let grown = most.saturating_mul(2).min(room.most);
    *more = grown.max(*more);
    earlier.len().saturating_add(1) < grown
}

/// The bin of a late packet among the earlier ones, made where there is none and room for it.
fn late(earlier: &mut Vec<ActivityBin>, number: u32, most: usize) -> Option<&mut ActivityBin> {
    let place = earlier.partition_point(|bin| bin.number < number);
    if earlier.get(place).is_none_or(|bin| bin.number != number) {
        if earlier.len().saturating_add(1) >= most {
            return None;
        }
        earlier.insert(
            place,
            ActivityBin {
                number,
                ..ActivityBin::default()
            },
        );
    }
    earlier.get_mut(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::SECOND;

    fn room(most: usize) -> Room {
        Room { bins: most, most }
    }

    #[test]
    fn payloads_fall_into_their_ten_seconds_also_when_late() {
        let mut activity = Activity::default();
        for (second, side, payload) in [
            (0, Side::Client, 100),
            (9, Side::Server, 1_400),
            (10, Side::Client, 3),
            (8, Side::Client, 350),
            (60, Side::Client, 351),
        ] {
            activity.count(Timestamp(second * SECOND), side, payload, room(10));
        }
        let bins = activity.into_bins();
        assert_eq!(bins.iter().map(|bin| bin.number).collect::<Vec<_>>(), [0, 1, 6]);
        assert_eq!((bins[0].bytes, bins[0].small), ([450, 1_400], [2, 0]));
        assert_eq!((bins[0].packets, bins[0].turns), ([2, 1], [1, 1]));
        assert_eq!((bins[1].bytes, bins[1].small), ([3, 0], [0, 0]));
        assert_eq!((bins[1].packets, bins[1].turns), ([1, 0], [1, 0]));
        assert_eq!((bins[2].packets, bins[2].turns), ([1, 0], [0, 0]));
    }

    #[test]
    fn the_end_of_a_driven_bin_is_told() {
        let mut activity = Activity::default();
        for tenth in 0..10 {
            let mut count =
                |side, payload| activity.count(Timestamp(tenth * SECOND / 10), side, payload, room(9));
            assert_eq!(count(Side::Client, 40), Counted::Kept);
            assert_eq!(count(Side::Server, 1_400), Counted::Kept);
        }
        let mut at = |second| activity.count(Timestamp(second * SECOND), Side::Client, 40, room(9));
        assert_eq!((at(10), at(20)), (Counted::BehindDriven, Counted::Kept));
    }

    #[test]
    fn the_number_of_bins_is_bounded() {
        let mut activity = Activity::default();
        let lost = (0..1_000)
            .map(|second| activity.count(Timestamp(second * 100 * SECOND), Side::Client, 1_400, room(7)))
            .filter(|counted| *counted == Counted::Lost)
            .count();
        assert_eq!((activity.into_bins().len(), lost), (7, 993));
    }

    /// Counts a payload in each of these bins.
    fn fill(activity: &mut Activity, bins: std::ops::Range<i64>, payload: u32, room: Room) -> usize {
        bins.filter(|bin| {
            let counted = activity.count(Timestamp(bin * 10 * SECOND), Side::Client, payload, room);
            counted == Counted::Lost
        })
        .count()
    }

    #[test]
    fn keep_alives_do_not_take_the_room_of_what_is_done_later() {
        let room = Room { bins: 80, most: 80 };
        let mut activity = Activity::default();
        let mut lost = fill(&mut activity, 0..40, 1_400, room);
        lost += fill(&mut activity, 40..10_000, 46, room);
        lost += fill(&mut activity, 10_000..10_020, 1_400, room);
        let bins = activity.into_bins();
        let busy = bins.iter().filter(|bin| bin.bytes[0] == 1_400).count();
        assert_eq!((lost, busy), (0, 60));
        assert!(bins.len() <= 80 && bins.is_sorted_by_key(|bin| bin.number));
    }

    #[test]
    fn what_somebody_does_has_more_room_than_keep_alives_and_a_bound() {
        let room = Room { bins: 80, most: 200 };
        let mut activity = Activity::default();
        assert_eq!(fill(&mut activity, 0..200, 1_400, room), 0);
        assert_eq!(fill(&mut activity, 200..300, 1_400, room), 100);
        assert_eq!(activity.into_bins().len(), 200);
        // Larger keep-alives go as well, where the smallest are not enough.
        let mut activity = Activity::default();
        assert_eq!(fill(&mut activity, 0..1_000, 900, room), 0);
        assert!(activity.into_bins().len() <= 80);
    }
}

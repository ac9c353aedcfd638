//! What is missing of a direction's sequence space, until it comes late or the connection ends.

use super::BELIEVABLE_JUMP;

/// Holes that are remembered for one direction; of more, the oldest is given up: what fills holes comes soon or never.
const MOST: usize = 32;

/// Missing stretch of a direction's sequence space: first missing octet, and the one behind the last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hole {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The other side acknowledged all of it: it got there, and the capture alone did not see it.
    pub(super) is_acknowledged: bool,
}

impl Hole {
    /// Octets that are missing.
    pub(super) const fn length(self) -> u32 {
        self.end.wrapping_sub(self.start)
    }
}

/// The holes of one direction, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Holes(Vec<Hole>);

impl Holes {
    /// Those that are still open.
    pub(super) fn open(&self) -> impl Iterator<Item = &Hole> {
        self.0.iter()
    }

    /// Keeps a hole; gives the one that is given up for it.
    pub(super) fn remember(&mut self, hole: Hole) -> Option<Hole> {
        let oldest = (self.0.len() >= MOST).then(|| self.0.remove(0));
        self.0.push(hole);
        oldest
    }

    /// Marks the holes that the receiver acknowledged.
    pub(super) fn acknowledge(&mut self, acknowledgement: u32) {
        for hole in &mut self.0 {
            hole.is_acknowledged |= acknowledgement.wrapping_sub(hole.end) < BELIEVABLE_JUMP;
        }
    }

    /// Takes `[start, end)` out of the holes; gives whether it touched one, and what is given up where it split one too many.
    pub(super) fn fill(&mut self, start: u32, end: u32) -> (bool, Option<Hole>) {
        let mut touched = false;
        let mut given_up = None;
        let mut place = 0;
        while let Some(hole) = self.0.get_mut(place) {
            let whole = *hole;
            // Relative to the hole's start, as signed distances, because sequence numbers wrap.
            let within = |number: u32| {
                let distance = number.wrapping_sub(whole.start).cast_signed();
                distance.max(0).cast_unsigned().min(whole.length())
            };
            let (from, to) = (within(start), within(end));
            place = place.saturating_add(1);
            if to <= from {
                continue;
            }
            touched = true;
            let before = Hole {
                end: whole.start.wrapping_add(from),
                ..whole
            };
            let behind = Hole {
                start: whole.start.wrapping_add(to),
                ..whole
            };
            match (before.length() > 0, behind.length() > 0) {
                (true, true) => {
                    // Only one hole can be split by one stretch: holes do not overlap.
                    *hole = behind;
                    if self.0.len() < MOST {
                        self.0.insert(place.saturating_sub(1), before);
                    } else {
                        given_up = Some(before);
                    }
                    break;
                }
                (true, false) => *hole = before,
                (false, true) => *hole = behind,
                (false, false) => {
                    place = place.saturating_sub(1);
                    self.0.remove(place);
                }
            }
        }
        (touched, given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(start: u32, end: u32) -> Hole {
        Hole {
            start,
            end,
            is_acknowledged: false,
        }
    }

    fn open(holes: &Holes) -> Vec<(u32, u32)> {
        holes.open().map(|hole| (hole.start, hole.end)).collect()
    }

    #[test]
    fn what_comes_late_is_taken_out_also_where_numbers_wrap() {
        let mut holes = Holes::default();
        holes.remember(hole(u32::MAX - 9, 10));
        assert!(holes.fill(u32::MAX - 4, 5).0);
        assert_eq!(open(&holes), [(u32::MAX - 9, u32::MAX - 4), (5, 10)]);
        assert!(holes.fill(u32::MAX - 20, u32::MAX - 4).0);
        assert_eq!(open(&holes), [(5, 10)]);
        assert!(!holes.fill(10, 20).0);
        assert!(holes.fill(0, 8).0);
        assert_eq!(open(&holes), [(8, 10)]);
        assert!(holes.fill(0, 100).0);
        assert_eq!(open(&holes), []);
    }

    #[test]
    fn a_stretch_over_several_holes_fills_all() {
        let mut holes = Holes::default();
        for start in [10, 30, 50] {
            holes.remember(hole(start, start + 10));
        }
        assert!(holes.fill(15, 55).0);
        assert_eq!(open(&holes), [(10, 15), (55, 60)]);
    }

    #[test]
    fn neither_new_holes_nor_splits_make_more_than_are_kept() {
        let mut holes = Holes::default();
        let mut given_up = 0;
        for number in 0..100 {
            given_up += u32::from(holes.remember(hole(number * 100, number * 100 + 50)).is_some());
        }
        assert_eq!((open(&holes).len(), given_up), (MOST, 68));
        assert_eq!(open(&holes)[0], (6_800, 6_850));
        let (touched, lost) = holes.fill(9_920, 9_930);
        assert!(touched);
        assert_eq!(lost.map(|hole| (hole.start, hole.end)), Some((9_900, 9_920)));
        assert_eq!(open(&holes).last(), Some(&(9_930, 9_950)));
        assert_eq!(open(&holes).len(), MOST);
    }
}

//! When a tool's own connections had more to say than usual: a session is offered and answered through them (JSEP, RFC 8829), with
//! descriptions and candidates of kilobytes each way, before its picture goes another way. An agent that waits says the same few words again and again.

use crate::detect::thresholds::{Pictures, THRESHOLDS};
use crate::model::flow::{BIN, FlowRecord};
use crate::model::time::{SECOND, Timestamp};

/// What is judgement here.
fn own() -> &'static Pictures {
    &THRESHOLDS.media
}

/// How many moments were taken, and how many there was no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) kept: usize,
    pub(super) refused: u64,
}

/// What the connections of one tool of one host carried, and when.
#[derive(Debug, Default)]
pub(super) struct Signalling {
    moments: Vec<(Timestamp, u64)>,
}

impl Signalling {
    /// Takes a connection, so many moments of it: by its bins, or as a whole where it is too short to have any.
    pub(super) fn add(&mut self, flow: &FlowRecord, room: usize) -> Added {
        let octets = flow.payload_bytes.iter().copied().fold(0, u64::saturating_add);
        let whole = flow.activity.is_empty().then_some((flow.start, octets));
        let bins = flow.activity.iter().map(|bin| {
            let octets = bin.bytes.iter().copied().map(u64::from).sum();
            (Timestamp(i64::from(bin.number).saturating_mul(BIN)), octets)
        });
        let before = self.moments.len();
        self.moments.extend(whole.into_iter().chain(bins).take(room));
        let kept = self.moments.len().saturating_sub(before);
        let all = flow.activity.len().max(1);
        Added {
            kept,
            refused: u64::try_from(all.saturating_sub(kept)).unwrap_or(u64::MAX),
        }
    }

    /// Moments that are held.
    pub(super) fn len(&self) -> usize {
        self.moments.len()
    }
}

/// Whether a picture that begins then was agreed on through these connections.
pub(super) fn begins(signalling: &[&Signalling], picture: Timestamp) -> bool {
    let (from, until) = (
        picture.plus(-own().before_seconds.saturating_mul(SECOND)),
        picture.plus(own().after_seconds.saturating_mul(SECOND)),
    );
    let mut near = 0_u64;
    // Stretches as long as that around the picture, by their number from there.
    let mut others: std::collections::BTreeMap<i64, u64> = std::collections::BTreeMap::new();
    for (at, octets) in signalling.iter().flat_map(|one| &one.moments) {
        let sum = if *at >= from && *at < until {
            &mut near
        } else {
            let stretch = at.since(from).div_euclid(
                own().before_seconds.saturating_mul(SECOND) + own().after_seconds.saturating_mul(SECOND),
            );
            others.entry(stretch).or_default()
        };
        *sum = sum.saturating_add(*octets);
    }
    let mut usual: Vec<u64> = others.into_values().filter(|octets| *octets > 0).collect();
    usual.sort_unstable();
    let usual = usual.get(usual.len() / 2).copied().unwrap_or(0);
    near >= own().offer_octets && near >= usual.saturating_mul(own().unusual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::ActivityBin;

    /// Connections of so many octets that begin at these seconds.
    fn connections(list: &[(i64, u64)]) -> Signalling {
        let mut signalling = Signalling::default();
        for (second, octets) in list {
            let flow = FlowRecord {
                start: Timestamp(second * SECOND),
                payload_bytes: [octets / 2, octets - octets / 2],
                ..FlowRecord::default()
            };
            signalling.add(&flow, 100);
        }
        signalling
    }

    #[test]
    fn a_picture_begins_behind_an_offer_and_not_beside_an_agent_that_waits() {
        let waits: Vec<(i64, u64)> = (0..10).map(|turn| (turn * 400, 6_000)).collect();
        let waiting = connections(&waits);
        // Also when the picture happens to begin beside one of its usual words.
        for picture in [10, 405, 600, 3_630] {
            assert!(!begins(&[&waiting], Timestamp(picture * SECOND)), "{picture}");
        }
        let offered = connections(&[&waits[..], &[(2_010, 14_000)]].concat());
        assert!(begins(&[&offered], Timestamp(2_015 * SECOND)));
        assert!(!begins(&[&offered], Timestamp(2_100 * SECOND)));
        let offer = connections(&[(2_010, 14_000)]);
        assert!(begins(&[&waiting, &offer], Timestamp(2_015 * SECOND)));
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let bins = (0..20).map(|number| ActivityBin {
            number,
            ..ActivityBin::default()
        });
        let flow = FlowRecord {
            activity: bins.collect(),
            ..FlowRecord::default()
        };
        let mut signalling = Signalling::default();
        let added = signalling.add(&flow, 15);
        assert_eq!((added.kept, added.refused, signalling.len()), (15, 5, 15));
    }

    #[test]
    fn a_few_words_are_no_offer() {
        assert!(!begins(&[&connections(&[(8, 1_800)])], Timestamp(10 * SECOND)));
        assert!(begins(&[&connections(&[(8, 9_000)])], Timestamp(10 * SECOND)));
        assert!(!begins(&[], Timestamp(10 * SECOND)));
    }
}

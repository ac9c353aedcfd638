//! What comes back after the bursts of a remote session: the raw material of the hidden leg (DETECTION 3.2).
//!
//! A host that shows its screen sends a burst whenever the picture changes, and the program of whoever looks at it answers
//! each: with a request for the next update, or an acknowledgement of the frame. A relay or the exit of a VPN acknowledges the
//! segments itself, so the time from that acknowledgement to the answer is the leg behind it, and what the looking program
//! takes. Measuring from the acknowledgement of the same burst leaves queues out that both wait in.
//!
//! Question: which packet back is the answer? Whoever works sends keys and movements of the mouse all the time, and the first
//! packet behind a burst is often one of these. An answer has one length, though; so lags are counted by the length of the packet,
//! the most frequent lengths, and judged at the end: a length that comes *before* most bursts causes them, unless it comes once
//! from burst to burst, as where the next picture waits for the answer to the one before; of a key there are two, down and up.
//!
//! Only what comes before the side sends anything else is an answer to the burst. A change of the screen that is longer than the
//! transport's window goes out in several parts, a round trip apart, and an encoder that is slow makes parts as well; the viewer
//! answers the last, so a lag behind the first would show a leg that is not there.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::model::latency::{ControlLoop, Lags, Reply};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Silence of the side that shows the screen before what it sends counts as a burst.
const QUIET: Nanoseconds = SECOND / 5;

/// A longer pause than this ends a burst.
const PAUSE: Nanoseconds = SECOND * 3 / 100;

/// Octets from which a burst is a change of the picture, not the echo of a key.
const LEAST: u32 = 1_000;

/// Bursts whose answers are awaited at once.
const BURSTS: usize = 4;

/// Lengths that are told apart.
const LENGTHS: usize = 6;

/// What comes so shortly before a burst may have caused it: a key that changes the screen is still down then, and its release behind the
/// burst is no answer. Keys are held for 50 to 150 ms.
const BEFORE: Nanoseconds = SECOND / 5;

/// Larger packets are a picture or a file that goes the other way, not an answer (DETECTION 4.1.2).
const LARGEST: u32 = 350;

/// A distance of sequence numbers beyond this is behind, not ahead (RFC 9293, 3.4).
const HALF: u32 = 1 << 31;

/// A burst and who answered it.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    /// Sequence number behind its last octet.
    end: u32,
    octets: u32,
    last: Timestamp,
    /// When the transport acknowledged all of it.
    acknowledged: Option<Timestamp>,
    is_counted: bool,
    is_awaited: bool,
    /// Nothing else was sent since.
    is_last: bool,
    /// Lengths that came after it, as bits of their places.
    answered: u8,
    /// Lengths that came shortly before it.
    before: u8,
}

/// A length of packets that come back.
#[derive(Clone, Debug, Default)]
struct Length {
    octets: u32,
    /// How often it came, at most: a newcomer inherits the count of the rarest (space-saving, Metwally et al. 2005).
    count: u32,
    last: Timestamp,
    answered: u32,
    before: u32,
    /// Bursts between which and the next it came once.
    alone: u32,
    /// How often it came since the last burst.
    since: u8,
    /// Behind bursts before which it did not come, and behind the others.
    lags: [Lags; 2],
}

/// The bursts of one side and what came back.
#[derive(Clone, Debug, Default)]
pub struct Loop {
    bursts: [Burst; BURSTS],
    /// Place of the newest burst.
    newest: usize,
    last_payload: Option<Timestamp>,
    lengths: [Length; LENGTHS],
    counted: u32,
    all: Lags,
}

impl Loop {
    /// The side whose bursts these are sent a payload that ends at sequence number `end`.
    pub fn sent(&mut self, at: Timestamp, end: u32, octets: u32) {
        let pause = self.last_payload.map(|last| at.since(last));
        self.last_payload = Some(at);
        if pause.is_some_and(|pause| pause >= QUIET) {
            self.bursts.iter_mut().for_each(|burst| burst.is_last = false);
            self.begin(at, end, octets);
        } else if let Some(burst) = self.bursts.get_mut(self.newest)
            && burst.is_last
        {
            if at.since(burst.last) > PAUSE || end.wrapping_sub(burst.end) >= HALF {
                burst.is_last = false;
            } else {
                burst.octets = burst.octets.saturating_add(octets);
                burst.end = end;
                burst.last = at;
                burst.acknowledged = None;
            }
        }
    }

    fn begin(&mut self, at: Timestamp, end: u32, octets: u32) {
        let mut before = 0u8;
        let was_counted = self.bursts.get(self.newest).is_some_and(|burst| burst.is_counted);
        for (place, known) in self.lengths.iter_mut().enumerate() {
            if known.count > 0 && (0..=BEFORE).contains(&at.since(known.last)) {
                before |= bit(place);
            }
            if was_counted && known.since == 1 {
                known.alone = known.alone.saturating_add(1);
            }
            known.since = 0;
        }
        self.newest = self.newest.wrapping_add(1) % BURSTS;
        if let Some(place) = self.bursts.get_mut(self.newest) {
            *place = Burst {
                end,
                octets,
                last: at,
                is_awaited: true,
                is_last: true,
                before,
                ..Burst::default()
            };
        }
    }

    /// The other side sent a packet.
    pub fn came_back(&mut self, at: Timestamp, acknowledgement: Option<u32>, payload: u32) {
        let is_awaited = self.bursts.iter().any(|burst| burst.is_awaited);
        if !is_awaited && payload == 0 {
            return;
        }
        if let Some(acknowledgement) = acknowledgement {
            self.acknowledge(at, acknowledgement);
        }
        if payload == 0 || payload > LARGEST {
            return;
        }
        let place = self.place_of(payload);
        let Some(length) = self.lengths.get_mut(place) else {
            return;
        };
        length.last = at;
        length.since = length.since.saturating_add(1);
        for burst in self.bursts.iter_mut().filter(|burst| burst.is_awaited) {
            let Some(since) = burst.acknowledged else {
                continue;
            };
            let lag = at.since(since);
            if !self.all.add(lag) {
                burst.is_awaited = false;
                continue;
            }
            if burst.is_last && burst.answered & bit(place) == 0 {
                burst.answered |= bit(place);
                length.answered = length.answered.saturating_add(1);
                let [own, other] = &mut length.lags;
                let lags = if burst.before & bit(place) == 0 {
                    own
                } else {
                    other
                };
                lags.add(lag);
            }
        }
    }

    fn acknowledge(&mut self, at: Timestamp, acknowledgement: u32) {
        for burst in self.bursts.iter_mut().filter(|burst| burst.is_awaited) {
            if burst.acknowledged.is_some()
                || burst.octets < LEAST
                || acknowledgement.wrapping_sub(burst.end) >= HALF
            {
                continue;
            }
            burst.acknowledged = Some(at);
            if burst.is_counted {
                continue;
            }
            burst.is_counted = true;
            self.counted = self.counted.saturating_add(1);
            for (place, known) in self.lengths.iter_mut().enumerate() {
                if burst.before & bit(place) != 0 {
                    known.before = known.before.saturating_add(1);
                }
            }
        }
    }

    /// The place of a length, which may be that of the rarest.
    fn place_of(&mut self, payload: u32) -> usize {
        let known = self
            .lengths
            .iter()
            .position(|known| known.count > 0 && known.octets == payload);
        if let Some(place) = known {
            if let Some(length) = self.lengths.get_mut(place) {
                length.count = length.count.saturating_add(1);
            }
            return place;
        }
        let rarest = self
            .lengths
            .iter()
            .enumerate()
            .min_by_key(|(_, known)| known.count);
        let (place, count) = rarest.map_or((0, 0), |(place, known)| (place, known.count));
        if let Some(length) = self.lengths.get_mut(place) {
            *length = Length {
                octets: payload,
                count: count.saturating_add(1),
                ..Length::default()
            };
        }
        for burst in &mut self.bursts {
            burst.answered &= !bit(place);
            burst.before &= !bit(place);
        }
        place
    }

    /// What the record keeps.
    #[must_use]
    pub fn into_record(self) -> ControlLoop {
        let mut replies: Vec<Reply> = self
            .lengths
            .into_iter()
            .filter(|length| length.answered > 0)
            .map(|length| {
                let [lags, behind_its_own] = length.lags;
                Reply {
                    length: length.octets,
                    answered: length.answered,
                    before: length.before,
                    alone: length.alone,
                    lags,
                    behind_its_own,
                }
            })
            .collect();
        replies.sort_unstable_by_key(|reply| (std::cmp::Reverse(reply.answered), reply.length));
        ControlLoop {
            bursts: self.counted,
            replies,
            all: self.all,
        }
    }
}

/// The bit of a place among the lengths.
const fn bit(place: usize) -> u8 {
    1 << (place & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: i64 = 1_000_000;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp(SECOND + millisecond * MILLISECOND)
    }

    /// Bursts every `every` ms that the transport acknowledges after 5 ms and the program answers after `answer` ms.
    fn session(answer: i64, every: i64, count: u32) -> ControlLoop {
        let mut flow = Loop::default();
        let mut end = u32::MAX - 5_000;
        flow.sent(at(-1_000), end, 10);
        for number in 0..count {
            let start = i64::from(number) * every;
            for part in 0..3 {
                end = end.wrapping_add(1_400);
                flow.sent(at(start + part), end, 1_400);
            }
            flow.came_back(at(start + 7), Some(end), 0);
            flow.came_back(at(start + answer), Some(end), 10);
        }
        flow.into_record()
    }

    #[test]
    fn an_answer_to_every_burst_is_found_with_its_lag_behind_the_acknowledgement() {
        let record = session(127, 500, 60);
        assert_eq!(record.bursts, 60);
        let [reply] = record.replies.as_slice() else {
            panic!("{:?}", record.replies)
        };
        assert_eq!((reply.length, reply.answered, reply.before), (10, 60, 0));
        assert_eq!(reply.lags.0[12], 60);
        // The next burst's answer is within the second, too: the cross-correlation counts all.
        assert_eq!((record.all.0[12], record.all.0[62]), (60, 59));
    }

    #[test]
    fn a_picture_in_parts_is_not_answered_behind_the_first() {
        let mut flow = Loop::default();
        let mut end = 0;
        flow.sent(at(-1_000), end, 10);
        for number in 0..30 {
            let start = number * 1_000;
            // The window lets the second part go when the first is acknowledged, a round trip of 180 ms later.
            for part in [start, start + 181] {
                end += 14_000;
                flow.sent(at(part), end, 14_000);
                flow.came_back(at(part + 180), Some(end), 0);
            }
            flow.came_back(at(start + 365), Some(end), 10);
        }
        let record = flow.into_record();
        assert_eq!((record.bursts, record.replies.len()), (30, 0), "{record:?}");
    }

    /// Thirty bursts that a key causes `early` ms before, each acknowledged after 4 ms, and what comes back when and how long.
    fn after_keys(early: i64, back: &[(i64, u32)]) -> ControlLoop {
        let mut flow = Loop::default();
        let mut end = 0;
        flow.sent(at(-1_000), end, 10);
        for number in 0..30 {
            let start = number * 600;
            flow.came_back(at(start - early), Some(end), 8);
            end += 2_000;
            flow.sent(at(start), end, 2_000);
            flow.came_back(at(start + 4), Some(end), 0);
            for (after, octets) in back {
                flow.came_back(at(start + after), Some(end), *octets);
            }
        }
        flow.into_record()
    }

    fn of(record: &ControlLoop, length: u32) -> &Reply {
        let mut replies = record.replies.iter();
        replies.find(|reply| reply.length == length).unwrap()
    }

    #[test]
    fn what_comes_before_bursts_is_told_from_what_answers_them() {
        let record = after_keys(20, &[(90, 40)]);
        // The first of its kind was not known yet when the first burst began.
        assert!(of(&record, 8).before >= 29);
        let answer = of(&record, 40);
        assert_eq!((answer.before, answer.answered), (0, 30));
    }

    #[test]
    fn an_answer_that_lets_the_next_picture_go_comes_once_between_two_and_a_key_twice() {
        let record = after_keys(40, &[(40, 8), (530, 23)]);
        let (key, answer) = (of(&record, 8), of(&record, 23));
        assert!(key.before >= 29 && answer.before >= 28);
        assert!(key.alone <= 1 && answer.alone >= 29, "{:?}", record.replies);
    }

    #[test]
    fn echoes_of_keys_and_a_running_film_are_no_bursts() {
        let mut flow = Loop::default();
        let mut end = 0;
        for number in 0..200 {
            end += 100;
            flow.sent(at(number * 300), end, 100);
            flow.came_back(at(number * 300 + 50), Some(end), 36);
        }
        for number in 0..200 {
            end += 1_400;
            flow.sent(at(60_000 + number * 33), end, 1_400);
            flow.came_back(at(60_000 + number * 33 + 20), Some(end), 10);
        }
        assert!(flow.into_record().bursts <= 1);
    }

    #[test]
    fn a_picture_that_goes_the_other_way_is_no_answer() {
        let mut flow = Loop::default();
        flow.sent(at(-1_000), 0, 10);
        for number in 1..30 {
            let end = 2_000 * u32::try_from(number).unwrap();
            flow.sent(at(number * 600), end, 2_000);
            flow.came_back(at(number * 600 + 4), Some(end), 0);
            flow.came_back(at(number * 600 + 254), Some(end), 1_460);
        }
        let record = flow.into_record();
        assert_eq!(
            (record.bursts, record.replies.len(), record.all.total()),
            (29, 0, 0)
        );
    }

    #[test]
    fn many_lengths_do_not_push_out_the_frequent_one() {
        let mut flow = Loop::default();
        let mut end = 0;
        flow.sent(at(-1_000), end, 10);
        for number in 0u32..100 {
            let start = i64::from(number) * 700;
            end += 3_000;
            flow.sent(at(start), end, 3_000);
            flow.came_back(at(start + 3), Some(end), 0);
            flow.came_back(at(start + 100), Some(end), 33);
            if number % 2 == 0 {
                flow.came_back(at(start + 300), Some(end), 40 + number);
            }
        }
        let record = flow.into_record();
        let frequent = record.replies.iter().find(|reply| reply.length == 33).unwrap();
        assert_eq!(frequent.answered, 100);
    }

    proptest::proptest! {
        #[test]
        fn anything_at_all_is_taken(steps in proptest::collection::vec((0i64..1 << 40, proptest::num::u32::ANY, 0u32..5_000, proptest::bool::ANY), 0..200)) {
            let mut flow = Loop::default();
            for (time, number, octets, is_sent) in steps {
                if is_sent {
                    flow.sent(Timestamp(time), number, octets);
                } else {
                    flow.came_back(Timestamp(time), Some(number), octets);
                }
            }
            let record = flow.into_record();
            proptest::prop_assert!(record.replies.iter().all(|reply| reply.answered >= reply.lags.total()));
        }
    }
}

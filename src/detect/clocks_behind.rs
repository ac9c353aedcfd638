//! Clocks and counters behind one address: several of them that run side by side are several machines.
//!
//! TCP time stamps (RFC 7323, 5.4) are a clock of some rate with an offset: SYNs of one machine lie on a line over capture time. Whether two lines
//! are two machines depends on what draws the offset. Linux drew it for each connection in 4.10, for each pair of source and destination address
//! from 4.11 on (secure_tcp_ts_off), and draws it for each connection again lately (6.18 in `fixtures/real`); before 4.10 there was one for all. Apple's
//! systems draw it for each connection, Windows sends none unless asked. So only SYNs to *one* destination are compared: there a machine
//! has one line, or none that two connections share. Two lines that run side by side are two machines, or one with two addresses
//! behind the router. Lines that follow each other may be one machine that was started again, and count once. That a random offset falls on a
//! line has a chance of some ten million to one; three connections must lie on it.
//!
//! Skew (Kohno et al. 2005): the slope of the line against the capture's clock. It is told and counts nothing: since 4.13 Linux takes time stamps from the
//! monotonic clock, which NTP keeps at the right rate, so machines hardly differ, and two points of a SYN's time are blurred by the way.
//!
//! IP identifications (Bellovin 2002): a counter for everything (small stacks, old Windows) shows as rising numbers over several destinations,
//! one for each destination (Windows since 8; Klein and Pinkas 2019) as rising numbers to one; Linux begins each connection with
//! a number of chance, which shows as nothing. Numbers of a SYN are at most a few above those of the connection before, and of its packets.

use super::thresholds::{ClocksBehind, THRESHOLDS};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// What is judgement here.
fn own() -> &'static ClocksBehind {
    &THRESHOLDS.clocks_behind
}

/// One SYN, and the connection behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    /// Zero without one.
    pub(super) timestamp: u32,
    /// Zero without one.
    pub(super) identification: u16,
    /// Packets that the connection's client sent.
    pub(super) packets: u32,
}

/// Rates of time-stamp clocks in ticks a second: Linux and Apple 1,000, older Linux 250 and 100, BSD 1,000, 10 and 2 (RFC 7323, 5.4: 1 ms to 1 s).
const RATES: [i64; 5] = [1_000, 250, 100, 10, 2];

/// Lines, or counters, that are told apart at a time.
const MOST: usize = 16;

/// SYNs on one clock.
#[derive(Clone, Debug)]
struct Line {
    points: Vec<(Timestamp, u32)>,
    /// Rates that all of them fit, as bits of [`RATES`].
    rates: u8,
}

impl Line {
    /// Rates that the line fits with one more point, and how far the point is off in nanoseconds at the best of them.
    fn fits(&self, at: Timestamp, timestamp: u32) -> Option<(u8, Nanoseconds)> {
        let (last, before) = *self.points.last()?;
        let passed = at.since(last);
        let ticks = i64::from(timestamp.wrapping_sub(before).cast_signed());
        let margin = own()
            .way_ms
            .saturating_mul(SECOND / 1_000)
            .saturating_add(passed / 1_000_000 * own().drift);
        let mut fitting = (0, Nanoseconds::MAX);
        for (place, rate) in RATES
            .iter()
            .enumerate()
            .filter(|(place, _)| self.rates >> place & 1 == 1)
        {
            let tick = SECOND / rate;
            let off = ticks.saturating_mul(tick).saturating_sub(passed).saturating_abs();
            // A clock of slow ticks is read up to one of them late.
            if off <= margin.saturating_add(tick) {
                fitting = (fitting.0 | 1 << place, off.min(fitting.1));
            }
        }
        (fitting.0 != 0).then_some(fitting)
    }

    /// Millionths by which it runs faster than the capture's clock (least squares), where it is long enough.
    fn skew(&self) -> Option<f64> {
        let (first, start) = *self.points.first()?;
        let rate = RATES
            .iter()
            .enumerate()
            .find(|(place, _)| self.rates >> place & 1 == 1)?
            .1;
        let pairs = self.points.iter().map(|(at, timestamp)| {
            let ticks = timestamp.wrapping_sub(start).cast_signed();
            #[expect(clippy::cast_precision_loss, reason = "a span of days, to the microsecond")]
            let (passed, rate) = (at.since(first) as f64 / 1e9, *rate as f64);
            (passed, f64::from(ticks) / rate - passed)
        });
        let count = f64::from(u32::try_from(self.points.len()).ok()?);
        let (mut sum, mut gained, mut squares, mut products, mut last) = (0.0, 0.0, 0.0, 0.0, 0.0_f64);
        for (passed, gain) in pairs {
            sum += passed;
            gained += gain;
            squares += passed * passed;
            products += passed * gain;
            last = last.max(passed);
        }
        let spread = squares - sum * sum / count;
        (last >= own().least_for_skew_seconds && spread > 0.0)
            .then(|| (products - sum * gained / count) / spread * 1e6)
    }
}

/// What runs side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Clocks {
    /// Clocks that were seen at the same time.
    pub(super) count: usize,
    /// Skews of those that are long enough, in millionths.
    pub(super) skews: Vec<f64>,
}

/// Clocks of time stamps among SYNs from one address to one destination, in order of time.
pub(super) fn clocks(points: &[Point]) -> Clocks {
    let mut lines: Vec<Line> = Vec::new();
    for point in points.iter().filter(|point| point.timestamp != 0) {
        let best = lines
            .iter_mut()
            .filter_map(|line| {
                line.fits(point.at, point.timestamp)
                    .map(|(rates, off)| (off, rates, line))
            })
            .min_by_key(|(off, ..)| *off);
        if let Some((_, rates, line)) = best {
            line.rates = rates;
            line.points.push((point.at, point.timestamp));
        } else if lines.len() < MOST {
            lines.push(Line {
                points: vec![(point.at, point.timestamp)],
                rates: u8::MAX >> (8 - RATES.len()),
            });
        }
    }
    lines.retain(|line| line.points.len() >= own().least_on_line);
    let spans = lines
        .iter()
        .filter_map(|line| Some((line.points.first()?.0, line.points.last()?.0)));
    Clocks {
        count: side_by_side(&spans),
        skews: lines.iter().filter_map(Line::skew).collect(),
    }
}

/// A counter of identifications.
#[derive(Clone, Debug)]
struct Counter {
    first: Timestamp,
    last: Point,
    count: u32,
    destinations: Vec<usize>,
}

/// Counters among SYNs in order of time, each with the number of its destination; those for everything must pass between destinations.
pub(super) fn counters(points: &[(Point, usize)], is_for_everything: bool) -> usize {
    let mut counters: Vec<Counter> = Vec::new();
    for (point, destination) in points.iter().filter(|(point, _)| point.identification != 0) {
        let next = counters
            .iter_mut()
            .filter_map(|counter| {
                let step = u32::from(point.identification.wrapping_sub(counter.last.identification));
                let reach = counter
                    .last
                    .packets
                    .saturating_add(own().beside)
                    .min(own().largest_step);
                (1..=reach).contains(&step).then_some((step, counter))
            })
            .min_by_key(|(step, _)| *step);
        if let Some((_, counter)) = next {
            counter.last = *point;
            counter.count = counter.count.saturating_add(1);
            if !counter.destinations.contains(destination)
                && counter.destinations.len() < own().least_destinations
            {
                counter.destinations.push(*destination);
            }
        } else if counters.len() < MOST {
            counters.push(Counter {
                first: point.at,
                last: *point,
                count: 1,
                destinations: vec![*destination],
            });
        }
    }
    let least = if is_for_everything {
        own().least_destinations
    } else {
        1
    };
    counters.retain(|counter| counter.count >= own().least_on_counter && counter.destinations.len() >= least);
    side_by_side(&counters.iter().map(|counter| (counter.first, counter.last.at)))
}

/// The most of these spans that hold one moment.
fn side_by_side(spans: &(impl Iterator<Item = (Timestamp, Timestamp)> + Clone)) -> usize {
    let at = |moment: Timestamp| {
        let spans = spans.clone();
        spans
            .filter(|(first, last)| (*first..=*last).contains(&moment))
            .count()
    };
    spans.clone().map(|(first, _)| at(first)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of chance, the same in every run (xorshift, Marsaglia 2003).
    fn chance(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state >> 11
    }

    fn point(second: i64, timestamp: u64) -> Point {
        Point {
            at: Timestamp(1_700_000_000 * SECOND + second * SECOND),
            timestamp: u32::try_from(timestamp & 0xffff_ffff).unwrap(),
            identification: 0,
            packets: 20,
        }
    }

    /// Connections of machines with these offsets and skews, each every so many seconds, for an hour.
    fn machines(offsets: &[(u64, i64)], every: i64) -> Vec<Point> {
        let mut points: Vec<Point> = (0..3_600 / every)
            .flat_map(|number| {
                offsets.iter().zip(0..).map(move |((offset, skew), machine)| {
                    let second = number * every + machine;
                    let ticks = second * 1_000 + second * skew / 1_000;
                    point(second, offset.wrapping_add(ticks.cast_unsigned()))
                })
            })
            .collect();
        points.sort_unstable_by_key(|point| point.at);
        points
    }

    #[test]
    fn machines_are_told_by_their_offsets_and_their_skew_is_measured() {
        let seen = clocks(&machines(&[(5, 0), (4_294_000_000, 40), (900_000_000, -30)], 40));
        assert_eq!(seen.count, 3);
        let mut skews = seen.skews;
        skews.sort_by(f64::total_cmp);
        for (skew, truth) in skews.iter().zip([-30.0, 0.0, 40.0]) {
            assert!((skew - truth).abs() < 1.0, "{skews:?}");
        }
        assert_eq!(clocks(&machines(&[(77, 0)], 40)).count, 1);
    }

    #[test]
    fn slow_clocks_are_clocks_too() {
        let points: Vec<Point> = (0..60)
            .flat_map(|number| {
                [
                    point(number * 30, 7 + u64::try_from(number).unwrap() * 3_000),
                    point(number * 30 + 4, 900 + u64::try_from(number).unwrap() * 60),
                ]
            })
            .collect();
        assert_eq!(clocks(&points).count, 2);
    }

    #[test]
    fn an_offset_for_each_connection_shows_no_clock() {
        for seed in 1..40 {
            let mut state = seed * 77;
            let points: Vec<Point> = (0..64)
                .map(|number| point(number * 20, chance(&mut state)))
                .collect();
            assert_eq!(clocks(&points), Clocks::default());
        }
    }

    #[test]
    fn a_machine_that_was_started_again_counts_once() {
        let mut points = machines(&[(5, 0)], 60);
        let again = machines(&[(2_000_000_000, 0)], 60);
        points.extend(again.into_iter().map(|mut point| {
            point.at = point.at.plus(4_000 * SECOND);
            point
        }));
        assert_eq!(clocks(&points).count, 1);
    }

    fn numbered(list: &[(i64, u16, usize)]) -> Vec<(Point, usize)> {
        let with = |&(second, identification, destination): &(i64, u16, usize)| {
            (
                Point {
                    identification,
                    ..point(second, 0)
                },
                destination,
            )
        };
        list.iter().map(with).collect()
    }

    #[test]
    fn counters_for_everything_and_for_one_destination_are_told_apart() {
        let mut list = Vec::new();
        for step in 0..10u16 {
            let second = i64::from(step) * 30;
            // Two machines with a counter for everything, which pass the end of the numbers.
            list.push((second, 65_500u16.wrapping_add(step * 40), usize::from(step % 4)));
            list.push((second + 7, 20_000 + step * 60, usize::from(step % 3)));
        }
        assert_eq!(counters(&numbered(&list), true), 2);
        let one: Vec<_> = list
            .iter()
            .copied()
            .filter(|(second, ..)| second % 30 == 0)
            .collect();
        assert_eq!(counters(&numbered(&one), true), 1);
        // A counter for each destination is one machine, however many destinations it has.
        let each: Vec<_> = (0..40u16)
            .map(|step| {
                (
                    i64::from(step) * 9,
                    step % 4 * 15_000 + step * 25 + 1,
                    usize::from(step % 4),
                )
            })
            .collect();
        assert_eq!(counters(&numbered(&each), true), 0);
        let to_one: Vec<_> = each
            .iter()
            .copied()
            .filter(|(.., destination)| *destination == 2)
            .collect();
        assert_eq!(counters(&numbered(&to_one), false), 1);
    }

    #[test]
    fn numbers_of_chance_are_hardly_ever_two_counters() {
        let mut wrong = 0;
        for seed in 1..400u64 {
            let mut state = seed * 1_003;
            let list: Vec<_> = (0..64)
                .map(|number| {
                    (
                        number * 20,
                        u16::try_from(chance(&mut state) & 0xffff).unwrap(),
                        0,
                    )
                })
                .collect();
            wrong += u32::from(counters(&numbered(&list), false) > 1);
        }
        assert_eq!(wrong, 0);
    }

    proptest::proptest! {
        #[test]
        fn anything_at_all_is_taken(list in proptest::collection::vec((0i64..1 << 40, proptest::num::u32::ANY, proptest::num::u16::ANY, proptest::num::u32::ANY, 0usize..5), 0..80)) {
            let mut points: Vec<(Point, usize)> = list
                .into_iter()
                .map(|(at, timestamp, identification, packets, destination)| (Point { at: Timestamp(at), timestamp, identification, packets }, destination))
                .collect();
            points.sort_by_key(|(point, _)| point.at);
            let alone: Vec<Point> = points.iter().map(|(point, _)| *point).collect();
            proptest::prop_assert!(clocks(&alone).count <= MOST && counters(&points, true) <= MOST);
        }
    }
}

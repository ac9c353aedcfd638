//! Whose screen is it that an IP KVM shows? The picture changes when the machine behind it does something (DETECTION 4.1.6).
//!
//! x is by how much the KVM sends more than ten seconds before, while somebody watches; y is in how many of these seconds
//! a machine opened connections. The machine behind the KVM is the one whose connections come with the changes of the picture,
//! more than chance lets them and more than any other machine's do. DETECTION has steps of one second; flows keep their
//! bytes in steps of ten, so that lags of -1 to 3 s move the machine's seconds from one step to the next, and nothing is counted
//! per packet. Roots of the differences are compared: one great change that falls together with one connection would otherwise
//! be a correlation by itself. For the same reason both halves of the time must agree, and the number of joint changes is asked.

use super::thresholds::{KvmPairing, THRESHOLDS};

/// Steps of watching that are looked at, at most: a day.
const MOST: usize = 8_640;

/// Seconds of a step.
const STEP: i64 = 10;

/// What is judgement here.
pub(super) fn own() -> &'static KvmPairing {
    &THRESHOLDS.kvm_pairing
}

/// The changes of a KVM's picture while it is watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// Numbers of the steps, in order.
    steps: Vec<u32>,
    /// Root of by how much each has more octets than the one before.
    rises: Vec<f64>,
}

/// How well a machine's connections go with the changes of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// Correlation at the best lag.
    pub(super) correlation: f64,
    /// That lag in seconds: how long the picture takes to follow.
    pub(super) lag: i64,
}

impl Changes {
    /// Of a KVM that sent so many octets in these steps; the first step of each watching is left out, since its rise is
    /// the watching itself.
    pub(super) fn of(octets: impl IntoIterator<Item = (u32, u64)>) -> Self {
        let mut changes = Self::default();
        let mut last: Option<(u32, u64)> = None;
        for (number, now) in octets
            .into_iter()
            .filter(|(_, octets)| *octets >= own().picture_octets)
        {
            if changes.steps.len() >= MOST {
                break;
            }
            if let Some((before, octets)) = last
                && number > before
                && number.saturating_sub(before) <= own().pause
            {
                // A still picture may send next to nothing.
                for still in before.saturating_add(1)..number {
                    changes.push(still, 0);
                }
                let is_next = number.saturating_sub(before) == 1;
                changes.push(number, now.saturating_sub(if is_next { octets } else { 0 }));
            }
            last = Some((number, now));
        }
        changes
    }

    fn push(&mut self, step: u32, rise: u64) {
        self.steps.push(step);
        self.rises
            .push(f64::from(u32::try_from(rise).unwrap_or(u32::MAX)).sqrt());
    }

    /// Steps for which it was watched.
    pub(super) fn watched(&self) -> usize {
        self.steps.len()
    }

    /// Minutes since 1970 in which it was watched, in order.
    pub(super) fn minutes(&self) -> Vec<u32> {
        let mut minutes: Vec<u32> = self.steps.iter().map(|step| step / 6).collect();
        minutes.dedup();
        minutes
    }

    /// In how many seconds of each step a machine opened connections, where it did any: `seconds` in order, since 1970.
    fn connections(&self, seconds: &[u32], lag: i64) -> Vec<(usize, f64)> {
        let mut list: Vec<(usize, f64)> = Vec::new();
        for second in seconds {
            let number = i64::from(*second).saturating_add(lag).div_euclid(STEP);
            let Some(place) = u32::try_from(number)
                .ok()
                .and_then(|number| self.steps.binary_search(&number).ok())
            else {
                continue;
            };
            match list.last_mut() {
                Some((last, count)) if *last == place => *count += 1.0,
                _ => list.push((place, 1.0)),
            }
        }
        list
    }

    /// The best fit of a machine over all lags; `None` where too little happens together.
    pub(super) fn fit(&self, seconds: &[u32]) -> Option<Fit> {
        let fits = own().lags.iter().filter_map(|lag| {
            let connections = self.connections(seconds, *lag);
            let joint = connections
                .iter()
                .filter(|(place, _)| self.rises.get(*place).is_some_and(|rise| *rise > 0.0));
            if joint.count() < own().joint {
                return None;
            }
            let correlation = correlation(&self.rises, &connections, 0)?;
            Some(Fit {
                correlation,
                lag: *lag,
            })
        });
        fits.max_by(|a, b| a.correlation.total_cmp(&b.correlation))
    }

    /// Whether the picture is the machine's: `others` is the best correlation of any other machine.
    pub(super) fn is_of(&self, seconds: &[u32], fit: Fit, others: f64, seed: u64) -> bool {
        if self.watched() < own().watched
            || fit.correlation < own().correlation
            || fit.correlation < others + own().margin
        {
            return false;
        }
        let middle = self.rises.len() / 2;
        let connections = self.connections(seconds, fit.lag);
        let (first, second) = self.rises.split_at(middle);
        let cut = connections.partition_point(|(place, _)| *place < middle);
        let (early, late) = connections.split_at(cut);
        let late: Vec<(usize, f64)> = late
            .iter()
            .map(|(place, count)| (place.saturating_sub(middle), *count))
            .collect();
        let halves = [correlation(first, early, 0), correlation(second, &late, 0)];
        let agree = halves
            .into_iter()
            .all(|half| half.is_some_and(|half| half >= own().correlation / 2.0));
        agree && self.is_beyond_chance(seconds, fit, seed)
    }

    /// Whether the fit is as many standard deviations above what the same two give when one is shifted in a circle, each shift at its
    /// best lag.
    fn is_beyond_chance(&self, seconds: &[u32], fit: Fit, seed: u64) -> bool {
        let by_lag: Vec<Vec<(usize, f64)>> = own()
            .lags
            .iter()
            .map(|lag| self.connections(seconds, *lag))
            .collect();
        let room = self.rises.len().saturating_sub(2 * own().nearest);
        if room == 0 {
            return false;
        }
        let mut state = seed;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..own().shifts {
            let drawn = usize::try_from(next(&mut state) >> 33).unwrap_or(0) % room;
            let shift = own().nearest.saturating_add(drawn);
            let best = by_lag
                .iter()
                .filter_map(|connections| correlation(&self.rises, connections, shift))
                .fold(-1.0, f64::max);
            sum += best;
            squares += best * best;
        }
        let count = f64::from(own().shifts);
        let mean = sum / count;
        let deviation = (squares / count - mean * mean).max(0.0).sqrt();
        fit.correlation > mean + own().deviations * deviation
    }
}

/// Pearson's correlation of a series with another that is mostly nothing, shifted by so many places in a circle.
fn correlation(series: &[f64], sparse: &[(usize, f64)], shift: usize) -> Option<f64> {
    let length = series.len();
    let count = f64::from(u32::try_from(length).ok()?);
    let moments = |sum: f64, squares: f64| {
        let mean = sum / count;
        (mean, (squares / count - mean * mean).max(0.0).sqrt())
    };
    let (mean, deviation) = moments(
        series.iter().sum(),
        series.iter().map(|value| value * value).sum(),
    );
    let (other_mean, other_deviation) = moments(
        sparse.iter().map(|(_, value)| value).sum(),
        sparse.iter().map(|(_, value)| value * value).sum(),
    );
    if count < 2.0 || deviation <= f64::EPSILON || other_deviation <= f64::EPSILON {
        return None;
    }
    let products: f64 = sparse
        .iter()
        .filter_map(|(place, value)| {
            let place = place.saturating_add(shift).checked_rem(length)?;
            series.get(place).map(|other| other * value)
        })
        .sum();
    Some((products / count - mean * other_mean) / (deviation * other_deviation))
}

/// Steele, Lea and Flood's SplitMix64 (2014): enough to draw shifts, and the same everywhere.
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which somebody does something, on average every so many, for so long.
    fn clicks(seed: u64, every: u32, length: u32) -> Vec<u32> {
        let mut state = seed;
        let mut list = Vec::new();
        let mut at = 0;
        loop {
            at += 1 + u32::try_from(next(&mut state) % u64::from(2 * every)).unwrap();
            if at >= length {
                return list;
            }
            list.push(at);
        }
    }

    /// A picture that changes so many seconds after each of these, and a little by itself.
    fn picture(seed: u64, clicks: &[u32], after: u32, length: u32) -> Changes {
        let mut state = seed;
        let mut octets: Vec<u64> = (0..length / 10)
            .map(|_| 9_000 + next(&mut state) % 6_000)
            .collect();
        for click in clicks {
            if let Some(step) = octets.get_mut(((click + after) / 10) as usize) {
                *step += 60_000 + next(&mut state) % 90_000;
            }
        }
        Changes::of((0..).zip(octets))
    }

    const HOUR: u32 = 3_600;

    fn is_paired(changes: &Changes, own: &[u32], others: f64) -> bool {
        changes
            .fit(own)
            .is_some_and(|fit| changes.is_of(own, fit, others, 7))
    }

    #[test]
    fn a_picture_that_follows_a_machines_connections_is_its_own() {
        for seed in 0..20 {
            let own = clicks(seed, 30, HOUR);
            let changes = picture(seed + 100, &own, 2, HOUR);
            let fit = changes.fit(&own).unwrap();
            assert!(fit.correlation > 0.5, "{fit:?}");
            assert!(changes.is_of(&own, fit, 0.1, seed), "{seed}: {fit:?}");
        }
    }

    #[test]
    fn less_than_half_an_hour_or_another_machine_as_good_is_nothing() {
        let own = clicks(1, 30, HOUR);
        let changes = picture(2, &own, 1, HOUR);
        assert!(is_paired(&changes, &own, 0.0));
        let fit = changes.fit(&own).unwrap();
        assert!(!changes.is_of(&own, fit, fit.correlation - 0.05, 7));
        let short = picture(2, &own, 1, HOUR / 2 - 20);
        assert!(!is_paired(&short, &own, 0.0));
    }

    #[test]
    fn one_great_change_together_with_one_connection_is_chance() {
        let mut octets: Vec<(u32, u64)> = (0..360).map(|step| (step, 9_000)).collect();
        octets[100].1 = 90_000_000;
        let changes = Changes::of(octets);
        assert_eq!(changes.fit(&[1_001]), None);
        // Nor is one half of the time enough.
        let own = clicks(3, 30, HOUR);
        let (half, late): (Vec<u32>, Vec<u32>) = own.iter().partition(|second| **second < HOUR / 2);
        let mixed: Vec<u32> = half.iter().chain(&clicks(9, 30, HOUR / 2)).copied().collect();
        assert!(!late.is_empty());
        let mut shifted: Vec<u32> = mixed
            .iter()
            .map(|second| {
                if *second < HOUR / 2 {
                    *second + HOUR / 2
                } else {
                    *second
                }
            })
            .collect();
        shifted.sort_unstable();
        assert!(!is_paired(&picture(4, &own, 1, HOUR), &shifted, 0.0));
    }

    #[test]
    fn pauses_between_watchings_are_left_out() {
        let octets = [(5, 8_000), (6, 9_000), (9, 9_000), (500, 90_000), (501, 90_100)];
        let changes = Changes::of(octets);
        assert_eq!(changes.steps, [6, 7, 8, 9, 501]);
        assert_eq!(
            changes.rises,
            [1_000_f64.sqrt(), 0.0, 0.0, 9_000_f64.sqrt(), 10.0]
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(200))]

        #[test]
        fn machines_that_have_nothing_to_do_with_it_are_not_paired(
            seeds in (0..u64::MAX, 0..u64::MAX, 0..u64::MAX),
            every in 5_u32..120,
            own_every in 5_u32..120,
            hours in 1_u32..6,
        ) {
            let watched = clicks(seeds.0, every, hours * HOUR);
            let changes = picture(seeds.1, &watched, 2, hours * HOUR);
            let other = clicks(seeds.2, own_every, hours * HOUR);
            proptest::prop_assert!(!is_paired(&changes, &other, 0.0));
        }

        #[test]
        fn anything_at_all_is_taken(
            octets in proptest::collection::btree_map(0_u32..400, 0_u64..u64::MAX, 0..300),
            seconds in proptest::collection::btree_set(proptest::num::u32::ANY, 0..100),
        ) {
            let changes = Changes::of(octets);
            let seconds: Vec<u32> = seconds.into_iter().collect();
            if let Some(fit) = changes.fit(&seconds) {
                proptest::prop_assert!((-1.001..=1.001).contains(&fit.correlation));
                let _ = changes.is_of(&seconds, fit, -1.0, 1);
            }
        }
    }
}

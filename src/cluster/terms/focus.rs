//! Focus test (C4): attention is exclusive, so one person at several machines drives them in turn.
//!
//! Mantel-Haenszel over blocks of half an hour, so that common lunch breaks and shifts cancel out. That test takes the minutes of a block for
//! independent of each other, which they are not: who works for a quarter of an hour at a time meets somebody else's quarter of an hour whole or not at
//! all. So the variance is the greater one of the test's own and of what the blocks show among themselves (as of clustered observations; Liang and
//! Zeger 1986).

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::HostProfile;
use crate::settings::pair_weights::Focus;

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "focus",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    let bounds = &scale.weights.focus;
    let tested = statistic(&one.driven_minutes, &other.driven_minutes, bounds)?;
    let z = tested.z;
    // Too little was seen: one person could have given it as well as two.
    if z > bounds.turns && tested.of_one_person > bounds.least_power {
        return None;
    }
    let what = if z <= bounds.turns {
        format!("driven in turn as if by one person (Z {z:.1})")
    } else if z >= 6.0 {
        format!("driven at the same moments as if by one script (Z {z:.1})")
    } else {
        format!("driven independently of each other (Z {z:.1})")
    };
    Some(Term {
        nats: (bounds.slope * z).clamp(bounds.floor, bounds.ceiling),
        what,
    })
}

/// What the test gives.
#[derive(Clone, Copy, Debug)]
struct Tested {
    /// Its Z.
    z: f64,
    /// The Z that one person at both would be expected to give in the same blocks.
    of_one_person: f64,
}

/// The test; `None` with too few blocks.
fn statistic(first: &[u32], second: &[u32], bounds: &Focus) -> Option<Tested> {
    let length = bounds.block_minutes.max(2);
    let minutes = f64::from(length);
    let mut blocks = 0_u32;
    let (mut surplus, mut squares, mut expected, mut variance) = (0.0, 0.0, 0.0, 0.0);
    for block in first.chunk_by(|one, other| one / length == other / length) {
        let start = block.first()? / length * length;
        let from = second.partition_point(|minute| *minute < start);
        let to = second.partition_point(|minute| *minute < start.saturating_add(length));
        let theirs = second.get(from..to)?;
        let (n1, n2) = (
            u32::try_from(block.len()).ok()?,
            u32::try_from(theirs.len()).ok()?,
        );
        let counts = bounds.least_driven..=bounds.most_driven;
        if !counts.contains(&n1) || !counts.contains(&n2) {
            continue;
        }
        let both = block
            .iter()
            .filter(|minute| theirs.binary_search(minute).is_ok())
            .count();
        let (n1, n2) = (f64::from(n1), f64::from(n2));
        blocks = blocks.saturating_add(1);
        let by_chance = n1 * n2 / minutes;
        let beyond = f64::from(u32::try_from(both).ok()?) - by_chance;
        surplus += beyond;
        squares += beyond * beyond;
        expected += by_chance;
        variance += n1 * n2 * (minutes - n1) * (minutes - n2) / (minutes * minutes * (minutes - 1.0));
    }
    if blocks < bounds.least_blocks || variance <= 0.0 {
        return None;
    }
    let count = f64::from(blocks);
    let among_blocks = (squares - surplus * surplus / count) * count / (count - 1.0).max(1.0);
    let variance = variance.max(among_blocks);
    Some(Tested {
        z: surplus / variance.sqrt(),
        of_one_person: (bounds.one_person - 1.0) * expected / variance.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::pair_weights::PairWeights;

    fn bounds() -> Focus {
        PairWeights::from_toml(include_str!("../../explain/weights.toml"))
            .unwrap()
            .focus
    }

    #[test]
    fn taking_turns_gives_a_low_z_and_equal_minutes_a_high_one() {
        let first: Vec<u32> = (0..600).filter(|minute| minute / 10 % 2 == 0).collect();
        let second: Vec<u32> = (0..600).filter(|minute| minute / 10 % 2 == 1).collect();
        assert!(statistic(&first, &second, &bounds()).unwrap().z < -10.0);
        assert!(statistic(&first, &first, &bounds()).unwrap().z > 10.0);
    }

    /// Two machines that are driven for these minutes of each half hour, in turn or at random, over so many half hours.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "minutes of half an hour"
    )]
    fn driven(halves: u32, length: u32, in_turn: bool) -> [HostProfile; 2] {
        let mut chance = Chance::of(3);
        let mut lists = [Vec::new(), Vec::new()];
        for half in 0..halves {
            for (place, list) in (0_u32..).zip(lists.iter_mut()) {
                let start = if in_turn {
                    place * 15
                } else {
                    (chance.next() * 30.0) as u32
                };
                // Round the half hour, so that every minute is as likely as any other.
                let mut minutes: Vec<u32> = (start..start + length)
                    .map(|minute| half * 30 + minute % 30)
                    .collect();
                minutes.sort_unstable();
                list.extend(minutes);
            }
        }
        lists.map(|driven_minutes| HostProfile {
            driven_minutes,
            ..HostProfile::default()
        })
    }

    #[test]
    fn independence_is_only_told_where_one_person_would_have_shown() {
        let weights = PairWeights::from_toml(include_str!("../../explain/weights.toml")).unwrap();
        let rarity = crate::cluster::tokens::Rarity::default();
        let scale = Scale {
            weights: &weights,
            rarity: &rarity,
            tenants: &crate::cluster::tenants::Tenants::default(),
        };
        let said = |[one, other]: [HostProfile; 2]| log_odds(&one, &other, &scale).map(|term| term.nats);
        // Twelve half hours with five minutes each carry no judgement, however they fall, nor do forty with ten minutes at a stretch: whole
        // stretches meet or miss each other. Two hundred do.
        assert_eq!(said(driven(12, 5, false)), None);
        assert_eq!(said(driven(40, 10, false)), None);
        assert!(said(driven(200, 10, false)).unwrap().abs() < 1.5);
        assert!(said(driven(40, 10, true)).unwrap() > 2.0);
    }

    #[test]
    fn too_few_blocks_say_nothing() {
        let first: Vec<u32> = (0..270).filter(|minute| minute % 2 == 0).collect();
        assert!(statistic(&first, &first, &bounds()).is_none());
    }

    /// Numbers of chance between 0 and 1, the same in every run (xorshift, Marsaglia 2003).
    struct Chance(u64);

    impl Chance {
        fn of(run: u64) -> Self {
            let mut chance = Self(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(run + 1));
            for _ in 0..9 {
                chance.next();
            }
            chance
        }

        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
        }

        /// Exponential with this mean, in seconds.
        fn seconds(&mut self, mean: f64) -> f64 {
            -mean * (1.0 - self.next()).max(1e-9).ln()
        }
    }

    /// Mean time at one machine before turning to the next, in seconds.
    const TURN: f64 = 150.0;

    /// Marks the minutes that a stretch of seconds touches.
    fn mark(minutes: &mut Vec<u32>, from: f64, to: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "days in minutes"
        )]
        let minute = |second: f64| (second / 60.0) as u32;
        minutes.extend(minute(from)..=minute(to));
    }

    fn sorted(mut list: Vec<u32>) -> Vec<u32> {
        list.sort_unstable();
        list.dedup();
        list
    }

    /// Five days of eight and a half hours of one person at three machines, of whom two are compared.
    fn one_person(chance: &mut Chance) -> (Vec<u32>, Vec<u32>) {
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        for day in 0..5 {
            let mut now = f64::from(day) * 86_400.0 + 32_400.0;
            let end = now + 8.5 * 3_600.0;
            let mut machine = 0;
            while now < end {
                let stay = chance.seconds(TURN);
                mark(&mut lists[machine], now, now + stay);
                now += stay + chance.seconds(TURN / 4.0);
                machine = (machine + if chance.next() < 0.5 { 1 } else { 2 }) % 3;
            }
        }
        let [first, second, _] = lists;
        (sorted(first), sorted(second))
    }

    /// Five days of one of several people who know nothing of each other; with `lunch` all stop in the middle of the day.
    fn somebody(chance: &mut Chance, lunch: bool) -> Vec<u32> {
        let mut list = Vec::new();
        for day in 0..5 {
            let mut now = f64::from(day) * 86_400.0 + 32_400.0;
            let end = now + 8.5 * 3_600.0;
            // A quarter past and a quarter to the hour: breaks do not keep to blocks.
            let pause = f64::from(day) * 86_400.0 + 43_200.0 + 900.0;
            // Nobody begins at the stroke of the hour: the first hour is not looked at.
            let start = now;
            now -= 3_600.0;
            while now < end {
                let stay = chance.seconds(TURN);
                let is_seen = now + stay > start;
                if is_seen && (!lunch || now + stay < pause || now > pause + 3_600.0) {
                    mark(&mut list, now.max(start), (now + stay).min(end - 1.0));
                }
                now += stay + chance.seconds(TURN);
            }
        }
        sorted(list)
    }

    /// Fifth percentile, median and 95th percentile of Z over many runs.
    fn spread(pair: impl Fn(&mut Chance) -> (Vec<u32>, Vec<u32>)) -> [f64; 3] {
        let bounds = bounds();
        let mut all: Vec<f64> = (0..200)
            .map(|run| {
                let (first, second) = pair(&mut Chance::of(run));
                statistic(&first, &second, &bounds).unwrap().z
            })
            .collect();
        all.sort_by(f64::total_cmp);
        [all[10], all[100], all[190]]
    }

    #[test]
    fn people_who_stay_for_a_quarter_of_an_hour_at_a_time_are_independent_too() {
        let bounds = bounds();
        let mut chance = Chance::of(11);
        let mut person = || {
            let mut list = Vec::new();
            for day in 0..3 {
                let mut now = f64::from(day) * 86_400.0 + chance.seconds(1_200.0);
                while now < f64::from(day) * 86_400.0 + 28_800.0 {
                    let stay = chance.seconds(900.0);
                    mark(&mut list, now, now + stay);
                    now += stay + chance.seconds(900.0);
                }
            }
            sorted(list)
        };
        let pairs = (0..600).map(|_| (person(), person()));
        let tested: Vec<f64> = pairs
            .filter_map(|(one, other)| statistic(&one, &other, &bounds))
            .map(|tested| tested.z)
            .collect();
        let extreme = tested.iter().filter(|z| z.abs() > 4.0).count();
        // With the test's own variance alone one pair in a hundred.
        assert!(
            tested.len() > 500 && extreme <= 2,
            "{extreme} of {}",
            tested.len()
        );
    }

    #[test]
    fn the_simulation_of_the_method_is_reproduced() {
        // DETECTION 4.4: one operator -14.6 (-17.6 to -11.1), independent people 0.0 (-2.3 to 2.4), with a common lunch 2.0 (-0.8 to
        // 4.0).
        let [_, median, most] = spread(one_person);
        assert!(
            (-17.6..=-11.1).contains(&median) && most < -8.0,
            "{median} {most}"
        );
        let [least, median, most] = spread(|chance| (somebody(chance, false), somebody(chance, false)));
        assert!(
            median.abs() < 0.5 && least > -3.0 && most < 3.0,
            "{least} {median} {most}"
        );
        let [least, median, most] = spread(|chance| (somebody(chance, true), somebody(chance, true)));
        assert!(
            (1.0..3.0).contains(&median) && least > -2.0 && most < 6.0,
            "{least} {median} {most}"
        );
    }
}

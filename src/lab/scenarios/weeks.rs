//! Five weeks of a farm whose machines arrive and leave one by one (S38).

use super::farms::{self, Work};
use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{Micros, Network};
use crate::lab::random::Random;
use crate::lab::site::{DAY, ORGANISATIONS, Reach, Site, services};
use crate::lab::truth::Truth;

pub(super) const S38: Scenario = Scenario {
    name: "s38",
    about: "S38: five weeks of a farm: laptops arrive and leave one by one, and none of those of the first day is there at the end",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s38,
};

/// Days of a week.
const WEEK_DAYS: u64 = 7;
/// Days of the scenario.
const DAYS: u64 = 5 * WEEK_DAYS;
/// Day on which each laptop arrives, and the first on which it is no longer there, before either is moved by a day or two.
const STAYS: [(u64, u64); 8] = [
    (0, 16),
    (0, 23),
    (3, 30),
    (8, DAYS),
    (11, DAYS),
    (15, DAYS),
    (21, DAYS),
    (25, DAYS),
];

fn s38(random: &Random) -> (Network, Truth) {
    let mut work = Work::of(random);
    work.days = DAYS;
    let mut site = Site::new(random, 138, DAYS, "likely");
    let moved = random.held_out("moved", 0..=1, 0..=3);
    for operator in 0..2_usize {
        let turns = site.turns(
            &format!("operator {operator}"),
            STAYS.len() / 2,
            (farms::day_shift(work.begins, operator), work.minutes),
            work.turn,
        );
        for (place, turns) in turns.iter().enumerate() {
            let laptop = place * 2 + operator;
            let Some((arrives, leaves)) = STAYS.get(laptop).copied() else {
                continue;
            };
            let arrives = if arrives == 0 { 0 } else { arrives + moved };
            let leaves = (leaves + moved).min(DAYS);
            let is_worked = |at: Micros| {
                let day = at / DAY;
                (arrives..leaves).contains(&day) && day % WEEK_DAYS < 5
            };
            let own: Vec<(Micros, Micros)> = turns.iter().filter(|(at, _)| is_worked(*at)).copied().collect();
            let organisation = ORGANISATIONS.get(laptop).copied().unwrap_or("northwind-example");
            let octet = 21 + u8::try_from(laptop).unwrap_or(0);
            let short = organisation.trim_end_matches("-example");
            let machine = site.machine_while(
                &format!("{short}-lt-{octet}"),
                octet,
                "laptop of the farm",
                (arrives, leaves),
            );
            site.used_in(&machine, &own, &services(organisation));
            let controller = farms::exit(138, operator).to_string();
            // No connection to a relay lasts for weeks: each day has its own.
            for day in arrives..leaves {
                let turns: Vec<(Micros, Micros)> =
                    own.iter().filter(|(at, _)| at / DAY == day).copied().collect();
                site.reached_while(&machine, &Reach::AnyDesk, &turns, &controller, (day, day + 1));
            }
            site.in_farm(&machine);
        }
    }
    site.appliance("LivingRoom-TV", 201, "television");
    site.appliance("android-kitchen", 202, "phone");
    site.done()
}

//! A farm behind a stepping stone (S40): the operator comes to one machine of the house through a relay, and goes on from there to the
//! laptops. Each of these is controlled from its own network, with no delay, by a neighbour.

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{Micros, Network};
use crate::lab::random::Random;
use crate::lab::site::{ORGANISATIONS, Reach, Site, WEEK, services};
use crate::lab::truth::Truth;

pub(super) const S40: Scenario = Scenario {
    name: "s40",
    about: "S40: laptops of as many employers, worked on in turn by RDP from one machine of the house, to which the operator comes by AnyDesk",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s40,
};

fn s40(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 140, WEEK, "likely");
    let laptops = usize::try_from(random.held_out("size", 5..=6, 4..=8)).unwrap_or(5);
    let hours = (random.held_out("begins", 13..=14, 11..=15), 420);
    let visit = (
        random.held_out("least turn", 400..=500, 300..=600),
        random.held_out("most turn", 900..=1_200, 800..=1_800),
    );
    let turns = site.turns("operator", laptops, hours, visit);
    let stone = site.machine("desk-pc", 20, "the machine to which the operator comes");
    let mut held: Vec<(Micros, Micros)> = turns.iter().flatten().copied().collect();
    held.sort_unstable();
    site.reached(&stone, &Reach::AnyDesk, &held, "203.0.113.153");
    site.in_farm(&stone);
    for (number, turns) in turns.iter().enumerate() {
        let organisation = ORGANISATIONS.get(number).copied().unwrap_or("northwind-example");
        let short = organisation.trim_end_matches("-example");
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let laptop = site.machine(&format!("{short}-lt-{octet}"), octet, "laptop of the farm");
        site.used_in(&laptop, turns, &services(organisation));
        site.reached(&laptop, &Reach::Rdp(stone.clone()), turns, &stone.ip.to_string());
        site.in_farm(&laptop);
    }
    site.appliance("android-kitchen", 202, "phone");
    site.done()
}

//! A hosting room (S41): machines that are let, each to another customer, who reaches his own straight from his own line. Nothing is
//! wrong; what it shares with a farm is nearly everything but where the controllers sit.

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::atlas::Placed;
use crate::lab::network::{MS, Network};
use crate::lab::random::Random;
use crate::lab::site::{ORGANISATIONS, Reach, Site, WEEK, services};
use crate::lab::truth::Truth;

pub(super) const S41: Scenario = Scenario {
    name: "s41",
    about: "S41: rented machines in a hosting room; each customer works on his own by RDP for two hours a day, straight from his line, and they sit in as many countries",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s41,
};

/// A customer's line: what databases say of it, the hour (UTC) at which his work begins, and milliseconds to him.
type Line = (Placed, u64, u64);

const fn line(
    first: [u8; 4],
    (country, asn, organisation): (&'static str, u32, &'static str),
    begins: u64,
    away: u64,
) -> Line {
    let placed = Placed {
        first,
        country,
        asn,
        organisation,
    };
    (placed, begins, away)
}

/// Where customers sit, in the order in which machines are let; their providers do not exist.
const CUSTOMERS: [Line; 9] = [
    line([192, 0, 2, 192], ("GB", 64_496, "Harbour Fibre Example"), 8, 40),
    line(
        [192, 0, 2, 200],
        ("DE", 64_497, "Nordlicht Telekom Example"),
        7,
        48,
    ),
    line(
        [192, 0, 2, 208],
        ("JP", 64_498, "Minato Broadband Example"),
        0,
        85,
    ),
    line(
        [192, 0, 2, 216],
        ("AU", 64_499, "Southern Cable Example"),
        22,
        104,
    ),
    line(
        [192, 0, 2, 224],
        ("BR", 64_500, "Rio Verde Internet Example"),
        12,
        66,
    ),
    line(
        [192, 0, 2, 232],
        ("ZA", 64_501, "Highveld Networks Example"),
        6,
        110,
    ),
    line([198, 51, 100, 192], ("CA", 64_502, "Maple Line Example"), 14, 22),
    line([198, 51, 100, 200], ("IN", 64_503, "Deccan Data Example"), 4, 118),
    line(
        [198, 51, 100, 208],
        ("CH", 64_504, "Alpine Access Example"),
        9,
        51,
    ),
];

/// What databases say of them.
pub(super) fn placed() -> Vec<Placed> {
    CUSTOMERS.iter().map(|(placed, ..)| *placed).collect()
}

fn s41(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 141, WEEK, "none");
    let count = usize::try_from(random.held_out("size", 6..=7, 4..=9)).unwrap_or(6);
    let minutes = random.held_out("minutes", 110..=130, 80..=180);
    for (number, (placed, begins, away)) in CUSTOMERS.iter().take(count).enumerate() {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let organisation = ORGANISATIONS.get(number).copied().unwrap_or("northwind-example");
        let machine = site.machine(&format!("node-{octet}"), octet, "a rented machine");
        let [a, b, c, first] = placed.first;
        let address = [a, b, c, first + 2].into();
        let customer = site.network.outside("customer", address, *away * MS);
        let mut turns = site.turns(&format!("customer {number}"), 1, (*begins, minutes), (900, 2_000));
        let turns = turns.pop().unwrap_or_default();
        site.used_in(&machine, &turns, &services(organisation));
        site.reached(&machine, &Reach::Rdp(customer), &turns, &address.to_string());
    }
    site.done()
}

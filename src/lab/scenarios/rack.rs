//! A provider's rack with the servers of several clients (S39): one technician far away goes from one to the next all day. Nothing is
//! wrong; what it shares with a farm is nearly everything but what the machines are.

use std::net::Ipv4Addr;

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::connection::{Connection, Side};
use crate::lab::network::{Host, MINUTE, MS, Network};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOUR, ORGANISATIONS, Reach, Site, WEEK, services};
use crate::lab::truth::Truth;

pub(super) const S39: Scenario = Scenario {
    name: "s39",
    about: "S39: a provider's rack with the servers of several clients, whose offices use them; one technician far away administers them through one ScreenConnect instance that nobody declared",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s39,
};

/// What the clients' offices ask of their servers: files, directory, an application.
const ASKED: [&u16; 3] = [&445, &389, &443];

fn s39(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 39, WEEK, "none");
    let count = usize::try_from(random.held_out("size", 5..=6, 4..=10)).unwrap_or(5);
    let hours = (random.held_out("begins", 13..=14, 11..=15), 360);
    let visit = (
        random.held_out("least turn", 160..=200, 120..=260),
        random.held_out("most turn", 380..=460, 300..=900),
    );
    let turns = site.turns("technician", count, hours, visit);
    for (number, turns) in turns.iter().enumerate() {
        let place = u8::try_from(number).unwrap_or(0);
        let organisation = ORGANISATIONS.get(number).copied().unwrap_or("northwind-example");
        let short = organisation.trim_end_matches("-example");
        let name = format!("{short}-SRV{place:02}");
        let server = site.machine(&name, 21 + place, "a client's server");
        site.used_in(&server, turns, &services(organisation));
        site.reached(&server, &Reach::ScreenConnect("p7r4vd"), turns, "203.0.113.152");
        office(&mut site, &server, place, random);
    }
    site.done()
}

/// A client's office: its workplaces use the server on working days, through a tunnel between the two that ends before the mirror port.
fn office(site: &mut Site, server: &Host, place: u8, random: &Random) {
    let mut own = random.fork(&format!("office {place}"));
    for number in 0..random.held_out("workplaces", 4..=6, 3..=9) {
        let last = 21 + u8::try_from(number).unwrap_or(0);
        let address = Ipv4Addr::new(10, 100 + place, 0, last);
        let workplace = site.network.outside("workplace", address, 9 * MS);
        for day in 0..WEEK {
            let mut at = day * DAY + 12 * HOUR + own.within(0..=HOUR);
            while at < day * DAY + 21 * HOUR {
                let port = own.pick(&ASKED).copied().unwrap_or(445);
                let mut line = Connection::open(&mut site.network, at, &workplace, server, port);
                let ready = line.ready();
                let asks = own.octets(180);
                line.say(ready, Side::Client, asks);
                let answers = own.count(200..=600);
                let answers = own.octets(answers);
                line.say(ready + 3 * MS, Side::Server, answers);
                line.close(ready + 400 * MS, Side::Client);
                line.play(&mut site.network);
                at += own.within(50 * MINUTE..=150 * MINUTE);
            }
        }
    }
}

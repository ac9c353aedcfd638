//! Offices over days (S03, S04, S05, S07, S08, S24, S34): provider's agents, terminal servers, staff, laboratories. Nothing is wrong
//! in any of them.

use std::net::Ipv4Addr;

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, SECOND, Stack};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOMES, HOUR, Reach, Site, services};
use crate::lab::tools::pikvm::PiKvm;
use crate::lab::truth::Truth;

const PROVIDER_ALLOWED: &str = "[[instance]]\ntool = \"screenconnect\"\nnames = [\"instance-d4n7al-relay.screenconnect.com\"]\n\n[[site]]\nname = \"main-street\"\nkind = \"office\"\nnetworks = [\"10.3.0.0/24\"]\nallowed_tools = [\"screenconnect\"]\n";
const SERVER_ALLOWED: &str = "[[site]]\nname = \"plant\"\nkind = \"office\"\nnetworks = [\"10.8.0.0/24\"]\nallowed_tools = [\"rdp\"]\n";

pub(super) const S03: Scenario = Scenario {
    name: "s03",
    about: "S03: a dental office under its provider's ScreenConnect, which the policy declares; short support sessions",
    policy: PROVIDER_ALLOWED,
    vantage: "home",
    build: s03,
};
pub(super) const S04: Scenario = Scenario {
    name: "s04",
    about: "S04: the same office without a declared instance, site or inventory",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s04,
};
pub(super) const S05: Scenario = Scenario {
    name: "s05",
    about: "S05: staff of a remote-first company at home, seen at the company's concentrator",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s05,
};
pub(super) const S07: Scenario = Scenario {
    name: "s07",
    about: "S07: a call centre whose thin clients work on a terminal server outside by RDP",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s07,
};
pub(super) const S08: Scenario = Scenario {
    name: "s08",
    about: "S08: the terminal server's side: RDP from inside the plant all day, allowed there",
    policy: SERVER_ALLOWED,
    vantage: "home",
    build: s08,
};
pub(super) const S24: Scenario = Scenario {
    name: "s24",
    about: "S24: a test laboratory with IP KVMs and declared machines",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s24,
};
pub(super) const S34: Scenario = Scenario {
    name: "s34",
    about: "S34: an employer's IT rolls AnyDesk out to thirty laptops in a week, with a support session on some",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s34,
};

fn many(drawn: u64) -> usize {
    usize::try_from(drawn).unwrap_or(usize::MAX)
}

/// Support: one or two short visits to some machines in the week. Gives each machine's turns.
fn support(random: &mut Random, machines: usize, days: u64, percent: u64) -> Vec<Vec<(Micros, Micros)>> {
    (0..machines)
        .map(|_| {
            let mut turns = Vec::new();
            for day in 0..days {
                if random.percent(percent) {
                    let from = day * DAY + random.within(14 * HOUR..=21 * HOUR);
                    turns.push((from, from + random.within(4 * MINUTE..=16 * MINUTE)));
                }
            }
            turns
        })
        .collect()
}

fn practice(random: &Random, number: u8, is_declared: bool) -> (Network, Truth) {
    let mut site = Site::new(random, number, 3, "none");
    let machines = many(random.held_out("size", 6..=8, 5..=14));
    let percent = random.held_out("visits", 45..=55, 15..=90);
    let visits = support(&mut random.fork("support"), machines, 3, percent);
    let own = services("bridgedental-example");
    for (number, turns) in visits.iter().enumerate() {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("ROOM-{octet}"), octet, "workplace");
        site.works_at(&machine, (13, 22), &own);
        site.reached(&machine, &Reach::ScreenConnect("d4n7al"), turns, "203.0.113.150");
        if is_declared {
            site.declared(
                &machine,
                HOMES[0],
                "main-street",
                "bridgedental-example",
                "screenconnect",
            );
        }
    }
    site.appliance("office-printer", 201, "printer");
    site.done()
}

fn s03(random: &Random) -> (Network, Truth) {
    practice(random, 3, true)
}

fn s04(random: &Random) -> (Network, Truth) {
    practice(random, 4, false)
}

fn s05(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 5, 3, "none");
    for number in 0..random.held_out("size", 9..=11, 6..=16) {
        let number = u8::try_from(number).unwrap_or(0);
        let machine = site.machine(
            &format!("staff-{number}"),
            21 + number,
            "laptop at an employee's home",
        );
        site.works_at(&machine, (13, 21), &services("northwind-example"));
        let home = HOMES.get(usize::from(number) % HOMES.len()).unwrap_or(&HOMES[0]);
        site.declared(&machine, *home, "home", "northwind-example", "");
    }
    site.done()
}

/// A person's day on a terminal server: most of the hours, with pauses.
fn shift(random: &mut Random, days: u64, (from, to): (u64, u64)) -> Vec<(Micros, Micros)> {
    let mut turns = Vec::new();
    for day in 0..days {
        let mut at = day * DAY + from * HOUR + random.within(0..=15 * MINUTE);
        let end = day * DAY + to * HOUR;
        while at < end {
            let until = (at + random.within(30 * MINUTE..=80 * MINUTE)).min(end);
            turns.push((at, until));
            at = until + random.within(5 * MINUTE..=25 * MINUTE);
        }
    }
    turns
}

fn rdp(site: &mut Site, client: &Host, server: &Host, turns: &[(Micros, Micros)], random: &mut Random) {
    use crate::lab::tools::rdp::Rdp;
    use crate::lab::truth::{Session, State};
    let stretches: Vec<_> = turns
        .iter()
        .map(|(from, to)| (*from, *to, State::Driven))
        .collect();
    for own in stretches.chunk_by(|one, other| one.0 / DAY == other.0 / DAY) {
        if let Some((from, ..)) = own.first() {
            let session = Rdp {
                client,
                server,
                user: "agent",
            };
            session.run(&mut site.network, from.saturating_sub(5 * SECOND), own, random);
        }
    }
    site.truth.sessions.push(Session {
        tool: "rdp",
        controlled: server.ip.to_string(),
        controller: client.ip.to_string(),
        controller_seen: "direct",
        relay: String::new(),
        stretches,
    });
}

fn s07(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 7, 2, "none");
    let server = site
        .network
        .outside("ts.callhost.example", Ipv4Addr::new(203, 0, 113, 60), 18 * MS);
    let mut own = random.fork("shifts");
    for number in 0..random.held_out("size", 6..=7, 4..=11) {
        let number = u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("THIN-{number}"), 21 + number, "thin client");
        let turns = shift(&mut own, 2, (13, 21));
        rdp(&mut site, &machine, &server, &turns, &mut own);
    }
    site.done()
}

fn s08(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 8, 2, "none");
    let server = site.machine("TS-01", 10, "terminal server");
    site.declared(&server, HOMES[2], "plant", "oakline-example", "rdp");
    let mut own = random.fork("shifts");
    for number in 0..random.held_out("size", 6..=7, 4..=11) {
        let number = u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("DESK-{number}"), 21 + number, "workplace");
        let turns = shift(&mut own, 2, (12, 20));
        rdp(&mut site, &machine, &server, &turns, &mut own);
        site.declared(&machine, HOMES[2], "plant", "oakline-example", "rdp");
    }
    site.done()
}

fn s24(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 24, 3, "none");
    for number in 0..random.held_out("size", 4..=4, 2..=7) {
        let number = u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("QA-{number}"), 21 + number, "machine under test");
        site.works_at(&machine, (14, 19), &services("riverton-example"));
        site.declared(&machine, HOMES[4], "qa-lab", "riverton-example", "pikvm");
        let name = format!("pikvm-qa{number:02}");
        let mut own = site.chance(&name);
        let board = site.network.machine(&name, 101 + number, Stack::Linux, 180);
        let kvm = PiKvm {
            board: &board,
            serial: "51a20b7c",
            public: Ipv4Addr::new(203, 0, 113, 78),
        };
        kvm.run(&mut site.network, (6 * HOUR, 30 * HOUR), &mut own);
        site.truth.host(&board, "IP-KVM");
    }
    site.done()
}

fn s34(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 34, 2, "none");
    let machines = many(random.held_out("size", 28..=32, 24..=44));
    let percent = random.held_out("visits", 12..=16, 6..=30);
    let visits = support(&mut random.fork("support"), machines, 2, percent);
    for (number, turns) in visits.iter().enumerate() {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("corp-{octet}"), octet, "laptop");
        site.works_at(&machine, (13, 21), &services("fairmont-example"));
        site.reached(&machine, &Reach::AnyDesk, turns, "203.0.113.151");
    }
    site.done()
}

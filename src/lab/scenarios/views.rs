//! What an employer's concentrator sees (S11, S14, S20, S23, S26, S28): laptops at home or not, their public addresses by the
//! video calls that they make, an inventory of where they should be. IP KVMs show nowhere.

use std::net::Ipv4Addr;

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{Host, MINUTE, MS, Micros, Network};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOMES, HOUR, Reach, Site, WEEK, services};
use crate::lab::tools::wireguard::WireGuard;
use crate::lab::truth::Truth;

const FLOOR_ALLOWED: &str = "[[site]]\nname = \"delivery-floor\"\nkind = \"office\"\nnetworks = [\"10.23.0.0/24\"]\nallowed_tools = [\"rdp\"]\n";

pub(super) const S11: Scenario = Scenario {
    name: "s11",
    about: "S11: laptops of three or more assignees behind one VPN exit, worked on through AnyDesk, among staff at home",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s11,
};
pub(super) const S14: Scenario = Scenario {
    name: "s14",
    about: "S14: laptops of three assignees behind one public address, worked on through KVMs that the employer cannot see",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s14,
};
pub(super) const S20: Scenario = Scenario {
    name: "s20",
    about: "S20: an employee abroad behind a travel router's VPN, among staff at home",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s20,
};
pub(super) const S23: Scenario = Scenario {
    name: "s23",
    about: "S23: an offshore development centre works on declared virtual desktops by RDP",
    policy: FLOOR_ALLOWED,
    vantage: "employer",
    build: s23,
};
pub(super) const S26: Scenario = Scenario {
    name: "s26",
    about: "S26: two laptops of one employer behind one address, with AnyDesk and a consumer VPN",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s26,
};
pub(super) const S28: Scenario = Scenario {
    name: "s28",
    about: "S28: three unrelated employees whose mobile carrier gives them addresses of one small pool",
    policy: NOTHING_ALLOWED,
    vantage: "employer",
    build: s28,
};

const EMPLOYER: &str = "northwind-example";

/// Where a laptop should be, by its number.
fn home(number: u64) -> [&'static str; 5] {
    let place = usize::try_from(number).unwrap_or(0) % HOMES.len();
    HOMES.get(place).copied().unwrap_or(HOMES[0])
}

/// A laptop of the employer with its row of the inventory.
fn laptop(site: &mut Site, number: u64, role: &'static str) -> Host {
    let octet = 21 + u8::try_from(number).unwrap_or(0);
    let machine = site.machine(&format!("nw-{octet:03}"), octet, role);
    site.declared(&machine, home(number), "home", EMPLOYER, "");
    machine
}

/// A call on each working day.
fn calls(site: &mut Site, machine: &Host, days: u64, from: &dyn Fn(u64) -> Ipv4Addr) {
    let mut random = site.chance(&format!("calls of {}", machine.name));
    for day in 0..days {
        let at = day * DAY + 14 * HOUR + random.within(0..=5 * HOUR);
        site.calls(at, machine, from(day));
    }
}

/// Staff at home, each behind a line of his own.
fn staff(site: &mut Site, from: u64, many: u64, days: u64) {
    for number in from..from + many {
        let machine = laptop(site, number, "laptop at an employee's home");
        site.works_at(&machine, (13, 21), &services(EMPLOYER));
        let line = Ipv4Addr::new(192, 0, 2, 100 + u8::try_from(number).unwrap_or(0));
        calls(site, &machine, days, &|_| line);
    }
}

/// Laptops in one place that somebody elsewhere works on in turn.
fn worked_on(site: &mut Site, random: &Random, many: u64, minutes: u64, exit: Ipv4Addr) -> Vec<Host> {
    let count = usize::try_from(many).unwrap_or(0);
    let begins = random.held_out("begins", 13..=14, 12..=15);
    let turns = site.turns("operator", count, (begins, minutes), (200, 500));
    let mut machines = Vec::new();
    for (number, turns) in (0..many).zip(&turns) {
        let machine = laptop(site, number, "laptop of the farm");
        site.used_in(&machine, turns, &services(EMPLOYER));
        site.reached(&machine, &Reach::AnyDesk, turns, "203.0.113.220");
        calls(site, &machine, WEEK, &|_| exit);
        site.in_farm(&machine);
        machines.push(machine);
    }
    machines
}

fn s11(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 11, WEEK, "likely");
    let many = random.held_out("size", 3..=4, 3..=6);
    let minutes = random.held_out("minutes", 340..=400, 300..=460);
    worked_on(&mut site, random, many, minutes, Ipv4Addr::new(203, 0, 113, 230));
    let others = random.held_out("staff", 8..=10, 5..=14);
    staff(&mut site, many, others, WEEK);
    site.done()
}

fn s14(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 14, WEEK, "review");
    for number in 0..3 {
        let machine = laptop(&mut site, number, "laptop of the farm");
        site.works_at(&machine, (13, 20), &services(EMPLOYER));
        calls(&mut site, &machine, WEEK, &|_| Ipv4Addr::new(203, 0, 113, 231));
        site.in_farm(&machine);
    }
    let others = random.held_out("staff", 6..=8, 4..=12);
    staff(&mut site, 3, others, WEEK);
    site.done()
}

fn s20(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 20, WEEK, "none");
    let machine = laptop(&mut site, 0, "laptop of an employee abroad");
    let begins = random.held_out("begins", 5..=6, 3..=8);
    site.works_at(&machine, (begins, begins + 8), &services(EMPLOYER));
    calls(&mut site, &machine, WEEK, &|_| Ipv4Addr::new(203, 0, 113, 232));
    let others = random.held_out("staff", 6..=8, 4..=12);
    staff(&mut site, 1, others, WEEK);
    site.done()
}

fn s23(random: &Random) -> (Network, Truth) {
    let days = 3;
    let mut site = Site::new(random, 23, days, "none");
    let mut own = random.fork("shifts");
    for number in 0..random.held_out("size", 6..=7, 4..=10) {
        let octet = u8::try_from(number).unwrap_or(0);
        let desktop = site.machine(&format!("VD-{octet:02}"), 21 + octet, "virtual desktop");
        let who = Ipv4Addr::new(203, 0, 113, 160 + octet);
        let developer = site.network.outside("developer", who, 110 * MS);
        let mut turns: Vec<(Micros, Micros)> = Vec::new();
        for day in 0..days {
            let from = day * DAY + 6 * HOUR + 30 * MINUTE + own.within(0..=20 * MINUTE);
            let noon = from + own.within(3 * HOUR..=4 * HOUR);
            let back = noon + own.within(30 * MINUTE..=HOUR);
            turns.push((from, noon));
            turns.push((back, back + own.within(3 * HOUR..=4 * HOUR)));
        }
        site.used_in(&desktop, &turns, &services(EMPLOYER));
        site.reached(&desktop, &Reach::Rdp(developer), &turns, &who.to_string());
        site.declared(&desktop, HOMES[2], "delivery-floor", EMPLOYER, "rdp");
    }
    site.done()
}

fn s26(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 26, WEEK, "review");
    let minutes = random.held_out("minutes", 380..=420, 330..=460);
    let machines = worked_on(&mut site, random, 2, minutes, Ipv4Addr::new(203, 0, 113, 233));
    let mut own = random.fork("vpn");
    for machine in &machines {
        for day in 0..WEEK {
            let at = day * DAY + 12 * HOUR + own.within(0..=20 * MINUTE);
            let (exit, at) = site.network.look_up(at, machine, "us9463.nordvpn.com", 18 * MS);
            let tunnel = WireGuard {
                machine,
                server: &exit,
                packets: 12,
            };
            tunnel.run(&mut site.network, (at, at + HOUR), &mut own);
        }
    }
    let others = random.held_out("staff", 6..=8, 4..=12);
    staff(&mut site, 2, others, WEEK);
    site.done()
}

fn s28(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 28, WEEK, "none");
    let pool = random.held_out("pool", 6..=8, 4..=12);
    for number in 0..3 {
        let machine = laptop(&mut site, number, "laptop with a mobile line");
        site.works_at(&machine, (13, 21), &services(EMPLOYER));
        let given = random.fork(&machine.name);
        calls(&mut site, &machine, WEEK, &|day| {
            let last = given.fork(&format!("day {day}")).within(0..=pool - 1);
            Ipv4Addr::new(203, 0, 113, 240 + u8::try_from(last % 12).unwrap_or(0))
        });
    }
    let others = random.held_out("staff", 6..=8, 4..=12);
    staff(&mut site, 3, others, WEEK);
    site.done()
}

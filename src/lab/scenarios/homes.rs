//! Homes over days (S06, S09, S17, S18, S19, S21, S22): shared houses, owners, couples, hobbyists, and one laptop that somebody else
//! works on.

use std::net::Ipv4Addr;

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{MINUTE, MS, Micros, Network, SECOND, Stack};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOMES, HOUR, ORGANISATIONS, Reach, Site, WEEK, services};
use crate::lab::tools::pikvm::PiKvm;
use crate::lab::tools::wireguard::WireGuard;
use crate::lab::truth::Truth;

/// Nothing is allowed, and whoever investigates knows what kind of house it is.
const DORM: &str = "allowed_tools = [\"freshservice\"]\n\n[[site]]\nname = \"dorm\"\nkind = \"dorm\"\nnetworks = [\"10.6.0.0/24\"]\n";
const COWORKING: &str = "allowed_tools = [\"freshservice\"]\n\n[[site]]\nname = \"desks\"\nkind = \"coworking\"\nnetworks = [\"10.19.0.0/24\"]\n";

pub(super) const S06: Scenario = Scenario {
    name: "s06",
    about: "S06: a shared house of students; one of them is helped through AnyDesk now and then",
    policy: DORM,
    vantage: "home",
    build: s06,
};
pub(super) const S09: Scenario = Scenario {
    name: "s09",
    about: "S09: a travelling manager whose laptop goes out through a consumer VPN",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s09,
};
pub(super) const S17: Scenario = Scenario {
    name: "s17",
    about: "S17: an owner reaches the PC at home through AnyDesk on some evenings, and sits at it on others",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s17,
};
pub(super) const S18: Scenario = Scenario {
    name: "s18",
    about: "S18: a hobbyist's rack with two PiKVMs",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s18,
};
pub(super) const S19: Scenario = Scenario {
    name: "s19",
    about: "S19: a co-working space with two dozen laptops of many tenants, two of them with AnyDesk",
    policy: COWORKING,
    vantage: "home",
    build: s19,
};
pub(super) const S21: Scenario = Scenario {
    name: "s21",
    about: "S21: one laptop worked on from elsewhere all day through two tools, with a VPN of its own",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s21,
};
pub(super) const S22: Scenario = Scenario {
    name: "s22",
    about: "S22: a couple with two employers; one support session",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s22,
};

/// Sessions of some length on some evenings.
fn evenings(random: &mut Random, days: u64, percent: u64, minutes: (u64, u64)) -> Vec<(Micros, Micros)> {
    let mut turns = Vec::new();
    for day in 0..days {
        if random.percent(percent) {
            let from = day * DAY + random.within(20 * HOUR..=22 * HOUR);
            turns.push((from, from + random.within(minutes.0..=minutes.1) * MINUTE));
        }
    }
    turns
}

fn s06(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 6, 4, "none");
    let people = random.held_out("size", 6..=7, 4..=10);
    let percent = random.held_out("helped", 55..=65, 30..=100);
    for number in 0..usize::try_from(people).unwrap_or(0) {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("student-{octet}"), octet, "student's laptop");
        let own = services(
            ORGANISATIONS
                .get(number % 3)
                .copied()
                .unwrap_or("northwind-example"),
        );
        site.works_at(&machine, (16, 23), &own);
        if number == 0 {
            let turns = evenings(&mut random.fork("help"), 4, percent, (5, 20));
            site.reached(&machine, &Reach::AnyDesk, &turns, "203.0.113.152");
        }
    }
    site.appliance("dorm-tv", 201, "television");
    site.done()
}

fn s09(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 9, 3, "none");
    let machine = site.machine("exec-laptop", 21, "manager's laptop");
    site.works_at(&machine, (8, 12), &services("summit-example"));
    site.declared(&machine, HOMES[3], "", "summit-example", "");
    let mut own = random.fork("vpn");
    for day in 0..3 {
        let at = day * DAY + 13 * HOUR;
        let (exit, at) = site.network.look_up(at, &machine, "us9463.nordvpn.com", 18 * MS);
        let tunnel = WireGuard {
            machine: &machine,
            server: &exit,
            packets: 12,
        };
        tunnel.run(&mut site.network, (at, at + 2 * HOUR), &mut own);
    }
    site.done()
}

fn s17(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 17, WEEK, "none");
    let machine = site.machine("study-pc", 21, "owner's PC");
    site.works_at(&machine, (7, 10), &[]);
    let percent = random.held_out("evenings", 55..=65, 30..=100);
    let longest = random.held_out("longest", 80..=100, 60..=160);
    let turns = evenings(&mut random.fork("evenings"), WEEK, percent, (30, longest));
    site.used_in(&machine, &turns, &[]);
    site.reached(&machine, &Reach::AnyDesk, &turns, "203.0.113.153");
    site.appliance("LivingRoom-TV", 201, "television");
    site.done()
}

fn s18(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 18, 3, "none");
    for number in 0..random.held_out("size", 3..=3, 2..=6) {
        let number = u8::try_from(number).unwrap_or(0);
        let machine = site.machine(
            &format!("lab-node-{number}"),
            21 + number,
            "machine of a hobbyist",
        );
        site.works_at(&machine, (18, 21), &[]);
    }
    for board in 0..2_u8 {
        let name = format!("pikvm-rack{board}");
        let mut own = site.chance(&name);
        let host = site.network.machine(&name, 101 + board, Stack::Linux, 180);
        let kvm = PiKvm {
            board: &host,
            serial: "0badcafe",
            public: Ipv4Addr::new(203, 0, 113, 79),
        };
        kvm.run(&mut site.network, (6 * HOUR, 30 * HOUR), &mut own);
        let viewer = site
            .network
            .outside("owner's phone", Ipv4Addr::new(203, 0, 113, 154), 30 * MS);
        let at = 20 * HOUR + own.within(0..=HOUR);
        kvm.watched(&mut site.network, &viewer, (at, at + 20 * SECOND), &mut own);
        site.truth.host(&host, "IP-KVM");
    }
    site.done()
}

fn s19(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 19, 3, "none");
    let tenants = usize::try_from(random.held_out("size", 22..=26, 16..=40)).unwrap_or(0);
    let helped = usize::try_from(random.held_out("helped", 12..=12, 6..=14)).unwrap_or(1);
    for number in 0..tenants {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("guest-{octet}"), octet, "tenant's laptop");
        let own = services(
            ORGANISATIONS
                .get(number % 12)
                .copied()
                .unwrap_or("northwind-example"),
        );
        site.works_at(&machine, (14, 20), &own);
        if number % helped == 5 {
            let turns = evenings(&mut random.fork(&machine.name), 3, 80, (10, 40));
            site.reached(&machine, &Reach::AnyDesk, &turns, "203.0.113.155");
        }
    }
    site.done()
}

fn s21(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 21, WEEK, "solo");
    let machine = site.machine("contractor-lt", 21, "laptop worked on from elsewhere");
    let minutes = random.held_out("minutes", 400..=440, 330..=500);
    let all = site.turns("operator", 1, (13, minutes), (1_200, 2_400));
    let turns = all.first().cloned().unwrap_or_default();
    site.used_in(&machine, &turns, &services("northwind-example"));
    let (first, second): (Vec<_>, Vec<_>) = turns.iter().partition(|(at, _)| (at / DAY).is_multiple_of(2));
    site.reached(&machine, &Reach::AnyDesk, &first, "203.0.113.210");
    let server = site
        .network
        .outside("help.stonewell.example", Ipv4Addr::new(203, 0, 113, 250), 31 * MS);
    site.network.publish(&server);
    let exit = Ipv4Addr::new(203, 0, 113, 210);
    site.reached(&machine, &Reach::RustDesk(server, exit), &second, "203.0.113.210");
    let mut vpn = random.fork("vpn");
    for day in 0..WEEK {
        let at = day * DAY + 12 * HOUR + 30 * MINUTE;
        let (tunnel_end, at) = site.network.look_up(at, &machine, "us9463.nordvpn.com", 18 * MS);
        let tunnel = WireGuard {
            machine: &machine,
            server: &tunnel_end,
            packets: 12,
        };
        tunnel.run(&mut site.network, (at, at + HOUR), &mut vpn);
    }
    let phone = site.network.machine("contractor-phone", 202, Stack::Linux, 1_800);
    site.truth.host(&phone, "phone");
    site.done()
}

fn s22(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 22, WEEK, "none");
    for (number, organisation) in ["northwind-example", "lakeside-example"].into_iter().enumerate() {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("couple-{octet}"), octet, "employee's laptop");
        site.works_at(&machine, (14, 22), &services(organisation));
        if number == 0 {
            let at = random.fork("support").within(15 * HOUR..=20 * HOUR) + DAY;
            let length = random.held_out("length", 15..=20, 5..=45);
            let turns = [(at, at + length * MINUTE)];
            site.reached(&machine, &Reach::AnyDesk, &turns, "203.0.113.156");
        }
    }
    site.appliance("LivingRoom-TV", 201, "television");
    site.done()
}

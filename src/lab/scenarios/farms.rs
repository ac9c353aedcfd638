//! Farms over days (S01, S02, S10, S12, S13, S15, S16, S25, S29, S31): laptops of many employers in one house, worked on from
//! elsewhere. How many laptops, operators and hours there are is drawn from the seed around the scenario's figures.

use std::net::Ipv4Addr;

use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, Stack};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOMES, HOUR, ORGANISATIONS, Reach, Site, WEEK, services};
use crate::lab::tools::pikvm::PiKvm;
use crate::lab::truth::Truth;

pub(super) const S01: Scenario = Scenario {
    name: "s01",
    about: "S01: twelve laptops of at least five employers in a house, worked on through AnyDesk's relays by a few operators, PiKVMs beside them",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s01,
};
pub(super) const S02: Scenario = Scenario {
    name: "s02",
    about: "S02: eight laptops reached directly by RDP from two addresses outside",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s02,
};
pub(super) const S10: Scenario = Scenario {
    name: "s10",
    about: "S10: six laptops through a RustDesk server of the operators' own",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s10,
};
pub(super) const S12: Scenario = Scenario {
    name: "s12",
    about: "S12: nine laptops worked on in three shifts round the clock",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s12,
};
pub(super) const S13: Scenario = Scenario {
    name: "s13",
    about: "S13: four laptops without any remote software, each behind a PiKVM, seen from the house",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s13,
};
pub(super) const S15: Scenario = Scenario {
    name: "s15",
    about: "S15: two laptops of two employers, used a few hours a day through AnyDesk's relays: low and slow",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s15,
};
pub(super) const S16: Scenario = Scenario {
    name: "s16",
    about: "S16: six laptops on which somebody in the house browses as a decoy outside the operators' hours",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s16,
};
pub(super) const S25: Scenario = Scenario {
    name: "s25",
    about: "S25: five laptops of five employers, one tool, no KVM",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s25,
};
pub(super) const S29: Scenario = Scenario {
    name: "s29",
    about: "S29: a farm of which three frames in ten are missing from the capture",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s29,
};
pub(super) const S31: Scenario = Scenario {
    name: "s31",
    about: "S31: a farm that grows from one laptop to six within ten days",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s31,
};

/// What differs between farms.
struct Plan {
    /// Second octet of the network.
    number: u8,
    days: u64,
    laptops: usize,
    employers: usize,
    /// Laptops of one operator.
    each: usize,
    /// Hour at which an operator begins (by his number), and minutes that he works.
    hours: fn(usize) -> u64,
    minutes: u64,
    reach: fn(&mut Site, usize) -> Reach,
    boards: usize,
}

fn day_shift(operator: usize) -> u64 {
    13 + u64::try_from(operator % 2).unwrap_or(0)
}

fn anydesk(_: &mut Site, _: usize) -> Reach {
    Reach::AnyDesk
}

/// Addresses of operators, as servers see them: exits of VPNs, of each farm its own.
fn exit(number: u8, operator: usize) -> Ipv4Addr {
    let operator = u8::try_from(operator % 5).unwrap_or(0);
    Ipv4Addr::new(203, 0, 113, number % 32 * 6 + operator)
}

/// The farm's own server.
fn server(site: &mut Site, number: u8) -> Host {
    let name = format!("desk{number}.harbourline.example");
    let address = Ipv4Addr::new(203, 0, 113, number % 32 * 6 + 5);
    let server = site.network.outside(&name, address, 31 * MS);
    site.network.publish(&server);
    server
}

fn run(random: &Random, plan: &Plan, verdict: &'static str) -> Site {
    let mut site = Site::new(random, plan.number, plan.days, verdict);
    let mut left = plan.laptops;
    let mut laptop = 0;
    let mut operator = 0;
    while left > 0 {
        let own = plan.each.min(left);
        let hours = ((plan.hours)(operator), plan.minutes);
        let turns = site.turns(&format!("operator {operator}"), own, hours, (170, 420));
        for turns in &turns {
            let organisation = ORGANISATIONS
                .get(laptop % plan.employers)
                .copied()
                .unwrap_or("northwind-example");
            let machine = one(&mut site, laptop, organisation);
            let reach = (plan.reach)(&mut site, operator);
            site.used_in(&machine, turns, &services(organisation));
            site.reached(&machine, &reach, turns, &exit(plan.number, operator).to_string());
            site.in_farm(&machine);
            laptop += 1;
        }
        left -= own;
        operator += 1;
    }
    for board in 0..plan.boards {
        kvm(&mut site, board);
    }
    site.appliance("LivingRoom-TV", 201, "television");
    site.appliance("android-kitchen", 202, "phone");
    site
}

fn one(site: &mut Site, laptop: usize, organisation: &str) -> Host {
    let octet = 21 + u8::try_from(laptop).unwrap_or(0);
    let short = organisation.trim_end_matches("-example");
    site.machine(&format!("{short}-lt-{octet}"), octet, "laptop of the farm")
}

fn kvm(site: &mut Site, board: usize) {
    let octet = 150 + u8::try_from(board).unwrap_or(0);
    let name = format!("pikvm-{octet:02x}0f5c");
    let mut random = site.chance(&name);
    let host = site.network.machine(&name, octet, Stack::Linux, 180);
    let kvm = PiKvm {
        board: &host,
        serial: "5f0c11aa",
        public: Ipv4Addr::new(203, 0, 113, 77),
    };
    let start = 6 * HOUR + random.within(0..=10 * MINUTE);
    kvm.run(&mut site.network, (start, start + 30 * HOUR), &mut random);
    site.truth.host(&host, "IP-KVM");
    // It stands beside the laptops for nothing else.
    site.in_farm(&host);
}

fn drawn(random: &Random, low: u64, high: u64) -> usize {
    random.fork("size").count(low..=high)
}

fn s01(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 101,
        days: WEEK,
        laptops: drawn(random, 11, 13),
        employers: random.fork("employers").count(5..=8),
        each: 3,
        hours: day_shift,
        minutes: 310,
        reach: anydesk,
        boards: 3,
    };
    run(random, &plan, "strong").done()
}

fn s02(random: &Random) -> (Network, Truth) {
    fn direct(site: &mut Site, operator: usize) -> Reach {
        Reach::Rdp(site.network.outside("operator", exit(102, operator), 90 * MS))
    }
    let plan = Plan {
        number: 102,
        days: WEEK,
        laptops: drawn(random, 7, 9),
        employers: random.fork("employers").count(5..=7),
        each: 4,
        hours: day_shift,
        minutes: 400,
        reach: direct,
        boards: 0,
    };
    run(random, &plan, "strong").done()
}

fn private(site: &mut Site, operator: usize) -> Reach {
    Reach::RustDesk(server(site, 110), exit(110, operator))
}

fn s10(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 110,
        days: WEEK,
        laptops: drawn(random, 5, 7),
        employers: random.fork("employers").count(4..=6),
        each: 3,
        hours: day_shift,
        minutes: 310,
        reach: private,
        boards: 0,
    };
    run(random, &plan, "strong").done()
}

fn s12(random: &Random) -> (Network, Truth) {
    fn shifts(operator: usize) -> u64 {
        [2, 9, 16].get(operator % 3).copied().unwrap_or(9)
    }
    let plan = Plan {
        number: 112,
        days: WEEK,
        laptops: 9,
        employers: random.fork("employers").count(5..=7),
        each: 3,
        hours: shifts,
        minutes: 310,
        reach: anydesk,
        boards: 0,
    };
    run(random, &plan, "strong").done()
}

/// Turns of S13 in which all of the picture is in the capture, about an hour of each KVM; of the others there is less, since
/// all would fill it.
const SHOWN_TURNS: usize = 6;

fn s13(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 113, WEEK, "likely");
    let turns = site.turns("operator", 4, (13, 360), (400, 900));
    for (laptop, turns) in turns.iter().enumerate() {
        let organisation = ORGANISATIONS.get(laptop).copied().unwrap_or("northwind-example");
        let machine = one(&mut site, laptop, organisation);
        let (shown, unshown) = turns.split_at(turns.len().min(SHOWN_TURNS));
        let pages = site.used_in(&machine, unshown, &services(organisation));
        site.in_farm(&machine);
        kvm(&mut site, laptop);
        let name = format!("pikvm-watched-{laptop}");
        let mut own = site.chance(&name);
        let board = site
            .network
            .machine(&name, 150 + u8::try_from(laptop).unwrap_or(0), Stack::Linux, 180);
        let viewer = site.network.outside("operator", exit(113, 0), 95 * MS);
        let tool = PiKvm {
            board: &board,
            serial: "5f0c11aa",
            public: Ipv4Addr::new(203, 0, 113, 77),
        };
        for turn in shown {
            let read = site.reads(&machine, *turn, &services(organisation), &mut own);
            tool.worked_through(&mut site.network, &viewer, *turn, &read, &mut own);
        }
        for turn in unshown {
            tool.glimpsed(&mut site.network, &viewer, *turn, &pages, &mut own);
        }
    }
    site.appliance("LivingRoom-TV", 201, "television");
    site.done()
}

fn s15(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 115,
        days: WEEK,
        laptops: 2,
        employers: 2,
        each: 2,
        hours: day_shift,
        minutes: 240,
        reach: anydesk,
        boards: 0,
    };
    run(random, &plan, "review").done()
}

fn s16(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 116,
        days: WEEK,
        laptops: 6,
        employers: 5,
        each: 3,
        hours: day_shift,
        minutes: 310,
        reach: anydesk,
        boards: 0,
    };
    let mut site = run(random, &plan, "review");
    let mut decoy = random.fork("decoy");
    for laptop in 0..6_u8 {
        let machine = site.network.machine("decoy", 21 + laptop, Stack::Windows, 900);
        let hour = 8 + decoy.within(0..=1);
        site.works_at(&machine, (hour, hour + 3), &[]);
    }
    site.done()
}

fn s25(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 125,
        days: WEEK,
        laptops: 5,
        employers: 5,
        each: random.fork("each").count(2..=3),
        hours: day_shift,
        minutes: 310,
        reach: anydesk,
        boards: 0,
    };
    run(random, &plan, "likely").done()
}

fn s29(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 129,
        days: 3,
        laptops: 6,
        employers: 5,
        each: 3,
        hours: day_shift,
        minutes: 310,
        reach: anydesk,
        boards: 1,
    };
    let (mut network, truth) = run(random, &plan, "review").done();
    network.lose(30);
    (network, truth)
}

fn s31(random: &Random) -> (Network, Truth) {
    let days = 10;
    let mut site = Site::new(random, 131, days, "likely");
    for pair in 0..3_usize {
        let begins = u64::try_from(pair).unwrap_or(0) * 3 * DAY;
        let turns = site.turns(&format!("operator {pair}"), 2, (14, 200), (170, 420));
        for (second, turns) in turns.iter().enumerate() {
            // The first day has one laptop.
            let from = begins + u64::try_from(second).unwrap_or(0) * DAY;
            let own: Vec<(Micros, Micros)> = turns.iter().filter(|(at, _)| *at >= from).copied().collect();
            let laptop = pair * 2 + second;
            let organisation = ORGANISATIONS.get(laptop).copied().unwrap_or("northwind-example");
            let machine = one(&mut site, laptop, organisation);
            site.used_in(&machine, &own, &services(organisation));
            site.reached(&machine, &Reach::AnyDesk, &own, &exit(131, pair).to_string());
            site.declared(
                &machine,
                *HOMES.get(laptop).unwrap_or(&HOMES[0]),
                "",
                organisation,
                "",
            );
            site.in_farm(&machine);
        }
    }
    site.appliance("android-kitchen", 202, "phone");
    site.done()
}

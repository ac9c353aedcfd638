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
pub(super) struct Plan {
    /// Second octet of the network.
    pub(super) number: u8,
    pub(super) laptops: usize,
    pub(super) employers: usize,
    /// Laptops of one operator at most.
    pub(super) each: usize,
    /// How operators work.
    pub(super) work: Work,
    /// Hour at which an operator begins, by the usual hour and his number.
    pub(super) hours: fn(u64, usize) -> u64,
    pub(super) reach: fn(&mut Site, usize) -> Reach,
    pub(super) boards: usize,
}

/// How operators work: drawn for the farm, from other ranges for odd seeds than for even ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) days: u64,
    /// Hour at which the first begins.
    pub(super) begins: u64,
    pub(super) minutes: u64,
    /// Seconds at a machine before turning to the next.
    pub(super) turn: (u64, u64),
}

impl Work {
    pub(super) fn of(random: &Random) -> Self {
        Self {
            days: random.held_out("days", WEEK..=WEEK, WEEK..=WEEK + 1),
            begins: random.held_out("begins", 13..=14, 11..=15),
            minutes: random.held_out("minutes", 300..=340, 270..=420),
            turn: (
                random.held_out("least turn", 160..=200, 120..=260),
                random.held_out("most turn", 380..=460, 300..=900),
            ),
        }
    }
}

pub(super) fn day_shift(begins: u64, operator: usize) -> u64 {
    begins + u64::try_from(operator % 2).unwrap_or(0)
}

pub(super) fn anydesk(_: &mut Site, _: usize) -> Reach {
    Reach::AnyDesk
}

/// One tool of two for the whole farm.
fn one_tool(site: &mut Site, _: usize) -> Reach {
    if site.chance("tool").percent(60) {
        Reach::AnyDesk
    } else {
        Reach::ScreenConnect("f4rw0k")
    }
}

/// Every operator has his tool.
fn any_tool(site: &mut Site, operator: usize) -> Reach {
    if site.chance(&format!("tool {operator}")).percent(60) {
        Reach::AnyDesk
    } else {
        Reach::ScreenConnect("f4rw0k")
    }
}

/// Addresses of operators, as servers see them: exits of VPNs, of each farm its own.
pub(super) fn exit(number: u8, operator: usize) -> Ipv4Addr {
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

pub(super) fn run(random: &Random, plan: &Plan, verdict: &'static str) -> Site {
    let mut site = Site::new(random, plan.number, plan.work.days, verdict);
    let mut left = plan.laptops;
    let mut laptop = 0;
    let mut operator = 0;
    while left > 0 {
        let own = plan.each.min(left);
        let hours = ((plan.hours)(plan.work.begins, operator), plan.work.minutes);
        let turns = site.turns(&format!("operator {operator}"), own, hours, plan.work.turn);
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

pub(super) fn many(drawn: u64) -> usize {
    usize::try_from(drawn).unwrap_or(usize::MAX)
}

pub(super) fn large(random: &Random, number: u8) -> Plan {
    Plan {
        number,
        laptops: many(random.held_out("size", 11..=12, 12..=15)),
        employers: many(random.held_out("employers", 5..=6, 5..=9)),
        each: many(random.held_out("each", 3..=3, 2..=4)),
        work: Work::of(random),
        hours: day_shift,
        reach: anydesk,
        boards: many(random.held_out("boards", 2..=3, 1..=5)),
    }
}

fn s01(random: &Random) -> (Network, Truth) {
    run(random, &large(random, 101), "strong").done()
}

fn s02(random: &Random) -> (Network, Truth) {
    fn direct(site: &mut Site, operator: usize) -> Reach {
        let away = site.chance("away").held_out("ms", 80..=95, 60..=120);
        Reach::Rdp(site.network.outside("operator", exit(102, operator), away * MS))
    }
    let mut work = Work::of(random);
    work.minutes += random.held_out("longer", 60..=90, 0..=120);
    let plan = Plan {
        number: 102,
        laptops: many(random.held_out("size", 7..=8, 8..=11)),
        employers: many(random.held_out("employers", 5..=6, 5..=8)),
        each: many(random.held_out("each", 4..=4, 3..=5)),
        work,
        hours: day_shift,
        reach: direct,
        boards: 0,
    };
    run(random, &plan, "strong").done()
}

/// A RustDesk server of the farm's own, and who comes through it.
pub(super) fn own_server(site: &mut Site, number: u8, operator: usize) -> Reach {
    Reach::RustDesk(server(site, number), exit(number, operator))
}

fn private(site: &mut Site, operator: usize) -> Reach {
    own_server(site, 110, operator)
}

fn s10(random: &Random) -> (Network, Truth) {
    let plan = Plan {
        number: 110,
        laptops: many(random.held_out("size", 5..=6, 6..=8)),
        employers: many(random.held_out("employers", 4..=5, 4..=7)),
        each: many(random.held_out("each", 3..=3, 2..=4)),
        work: Work::of(random),
        hours: day_shift,
        reach: private,
        boards: 0,
    };
    run(random, &plan, "strong").done()
}

fn s12(random: &Random) -> (Network, Truth) {
    fn shifts(begins: u64, operator: usize) -> u64 {
        let apart = u64::try_from(operator % 3).unwrap_or(0) * 7;
        (begins + 13 + apart) % 24
    }
    let plan = Plan {
        number: 112,
        laptops: many(random.held_out("size", 8..=9, 9..=12)),
        employers: many(random.held_out("employers", 5..=6, 5..=8)),
        each: many(random.held_out("each", 3..=3, 3..=4)),
        work: Work::of(random),
        hours: shifts,
        reach: any_tool,
        boards: 0,
    };
    run(random, &plan, "strong").done()
}

/// Turns of S13 in which all of the picture is in the capture, about an hour of each KVM; of the others there is less, since
/// all would fill it.
const SHOWN_TURNS: usize = 6;

fn s13(random: &Random) -> (Network, Truth) {
    let work = Work::of(random);
    let mut site = Site::new(random, 113, work.days, "likely");
    let laptops = many(random.held_out("size", 4..=4, 3..=5));
    let turns = site.turns("operator", laptops, (work.begins, work.minutes + 40), (400, 900));
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
    let mut work = Work::of(random);
    work.minutes = random.held_out("fewer", 230..=250, 180..=270);
    let plan = Plan {
        number: 115,
        laptops: 2,
        employers: 2,
        each: 2,
        work,
        hours: day_shift,
        reach: anydesk,
        boards: 0,
    };
    run(random, &plan, "review").done()
}

fn s16(random: &Random) -> (Network, Truth) {
    let laptops = random.held_out("size", 6..=6, 5..=7);
    let plan = Plan {
        number: 116,
        laptops: many(laptops),
        employers: many(random.held_out("employers", 5..=5, 4..=6)),
        each: many(random.held_out("each", 3..=3, 2..=4)),
        work: Work::of(random),
        hours: day_shift,
        reach: anydesk,
        boards: 0,
    };
    let mut site = run(random, &plan, "review");
    let mut decoy = random.fork("decoy");
    let hours = random.held_out("decoy hours", 2..=3, 1..=4);
    for laptop in 0..laptops {
        let octet = 21 + u8::try_from(laptop).unwrap_or(0);
        let machine = site.network.machine("decoy", octet, Stack::Windows, 900);
        let hour = 7 + decoy.within(0..=1);
        site.works_at(&machine, (hour, hour + hours), &[]);
    }
    site.done()
}

fn s25(random: &Random) -> (Network, Truth) {
    let laptops = many(random.held_out("size", 5..=5, 4..=6));
    let plan = Plan {
        number: 125,
        laptops,
        employers: laptops,
        each: many(random.held_out("each", 3..=3, 2..=4)),
        work: Work::of(random),
        hours: day_shift,
        reach: one_tool,
        boards: 0,
    };
    run(random, &plan, "likely").done()
}

fn s29(random: &Random) -> (Network, Truth) {
    let mut work = Work::of(random);
    work.days = 3;
    let plan = Plan {
        number: 129,
        laptops: many(random.held_out("size", 6..=6, 5..=8)),
        employers: 5,
        each: 3,
        work,
        hours: day_shift,
        reach: anydesk,
        boards: 1,
    };
    let (mut network, truth) = run(random, &plan, "review").done();
    network.lose(random.held_out("missing", 28..=32, 24..=45));
    (network, truth)
}

fn s31(random: &Random) -> (Network, Truth) {
    let days = random.held_out("days", 10..=10, 9..=11);
    let work = Work::of(random);
    let mut site = Site::new(random, 131, days, "likely");
    for pair in 0..3_usize {
        let begins = u64::try_from(pair).unwrap_or(0) * 3 * DAY;
        let turns = site.turns(
            &format!("operator {pair}"),
            2,
            (work.begins, work.minutes * 2 / 3),
            work.turn,
        );
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

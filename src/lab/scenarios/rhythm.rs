//! When machines come up, and VPN services that reports name (S35 to S37): a farm whose laptops come back together, an office that opens
//! every morning and has a power cut, and somebody who uses such a service for himself.

use std::net::Ipv4Addr;

use super::farms::{self, Plan, Work};
use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, SECOND};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOUR, Reach, Site, WEEK, services};
use crate::lab::tools::wireguard::WireGuard;
use crate::lab::truth::Truth;

/// The exits from which S35's operators come: whoever investigates has them from somewhere.
const EXITS_LISTED: &str = "allowed_tools = [\"freshservice\"]\n\n[[watched_vpn]]\nprovider = \"astrill\"\nnetworks = [\"203.0.113.42/31\", \"203.0.113.44/31\"]\ndate = \"2026-09-01\"\n";

pub(super) const S35: Scenario = Scenario {
    name: "s35",
    about: "S35: laptops of several employers that come back onto the network together at odd hours, controlled from exits of a VPN service that reports name",
    policy: EXITS_LISTED,
    vantage: "home",
    build: s35,
};
pub(super) const S36: Scenario = Scenario {
    name: "s36",
    about: "S36: an office whose machines come up every morning, and all at once after a power cut; its provider's support is not declared",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s36,
};
pub(super) const S37: Scenario = Scenario {
    name: "s37",
    about: "S37: somebody at home goes out through a VPN service that reports name, and reaches the PC through AnyDesk on some evenings",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s37,
};

/// Machines come up one after another, from this moment on.
fn come_up(site: &mut Site, machines: &[Host], at: Micros, apart: (Micros, Micros)) {
    let mut random = site.chance(&format!("coming up at {at}"));
    let mut at = at;
    for machine in machines {
        site.network.boot_windows(at, machine, &mut random);
        at += random.within(apart.0..=apart.1);
    }
}

/// A machine that a scenario's farm has made already, to be referred to again.
fn again(site: &mut Site, name: &str, octet: u8) -> Host {
    site.network
        .machine(name, octet, crate::lab::network::Stack::Windows, 900)
}

fn s35(random: &Random) -> (Network, Truth) {
    fn through_own_server(site: &mut Site, operator: usize) -> Reach {
        farms::own_server(site, 135, operator)
    }
    let laptops = farms::many(random.held_out("size", 5..=6, 6..=8));
    let work = Work::of(random);
    let plan = Plan {
        number: 135,
        laptops,
        employers: farms::many(random.held_out("employers", 4..=5, 4..=7)),
        each: farms::many(random.held_out("each", 3..=3, 2..=4)),
        work,
        hours: farms::day_shift,
        reach: through_own_server,
        boards: 0,
    };
    let mut site = farms::run(random, &plan, "strong");
    let names: Vec<String> = (site.truth.hosts.iter())
        .filter(|(_, role, _)| *role == "laptop of the farm")
        .map(|(name, ..)| name.clone())
        .collect();
    let machines: Vec<Host> = (21_u8..)
        .zip(&names)
        .map(|(octet, name)| again(&mut site, name, octet))
        .collect();
    let mut own = random.fork("power");
    for night in 1..=random.held_out("times", 3..=4, 2..=4) {
        // At night, when nobody works.
        let at = night * DAY + own.within(0..=5 * HOUR);
        come_up(&mut site, &machines, at, (8 * SECOND, 45 * SECOND));
    }
    site.done()
}

fn s36(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 136, WEEK, "none");
    let percent = random.held_out("visits", 40..=50, 20..=70);
    let mut support = random.fork("support");
    let mut machines = Vec::new();
    for number in 0..random.held_out("size", 6..=8, 5..=12) {
        let octet = 21 + u8::try_from(number).unwrap_or(0);
        let machine = site.machine(&format!("DESK-{octet}"), octet, "workplace");
        site.works_at(&machine, (13, 22), &services("cedarpoint-example"));
        let mut visits = Vec::new();
        for day in 0..WEEK {
            if support.percent(percent) {
                let from = day * DAY + support.within(14 * HOUR..=20 * HOUR);
                visits.push((from, from + support.within(4 * MINUTE..=16 * MINUTE)));
            }
        }
        site.reached(
            &machine,
            &Reach::ScreenConnect("c3d4rp"),
            &visits,
            "203.0.113.157",
        );
        machines.push(machine);
    }
    let mut morning = random.fork("mornings");
    let late = random.held_out("spread", 20..=25, 8..=40);
    let cut = 2 * DAY + random.fork("power cut").within(15 * HOUR..=19 * HOUR);
    for day in 0..WEEK {
        for machine in &machines {
            let at = day * DAY + 12 * HOUR + 30 * MINUTE + morning.within(0..=late * MINUTE);
            come_up(&mut site, std::slice::from_ref(machine), at, (0, 0));
        }
        if day == cut / DAY {
            come_up(&mut site, &machines, cut, (SECOND, 4 * SECOND));
        }
    }
    site.appliance("office-printer", 201, "printer");
    site.done()
}

fn s37(random: &Random) -> (Network, Truth) {
    let mut site = Site::new(random, 137, WEEK, "none");
    let machine = site.machine("den-pc", 21, "owner's PC");
    site.works_at(&machine, (17, 22), &[]);
    let percent = random.held_out("evenings", 45..=55, 20..=80);
    let mut evenings = random.fork("evenings");
    let (mut turns, mut tunnel) = (Vec::new(), random.fork("vpn"));
    for day in 0..WEEK {
        let (exit, at) = site.network.look_up(
            day * DAY + 18 * HOUR + tunnel.within(0..=HOUR),
            &machine,
            "us4.astrill.com",
            18 * MS,
        );
        let vpn = WireGuard {
            machine: &machine,
            server: &exit,
            packets: 12,
        };
        vpn.run(&mut site.network, (at, at + 2 * HOUR), &mut tunnel);
        if evenings.percent(percent) {
            let from = day * DAY + evenings.within(13 * HOUR..=15 * HOUR);
            turns.push((from, from + evenings.within(20 * MINUTE..=70 * MINUTE)));
        }
    }
    site.used_in(&machine, &turns, &[]);
    site.reached(
        &machine,
        &Reach::AnyDesk,
        &turns,
        &Ipv4Addr::new(203, 0, 113, 158).to_string(),
    );
    site.appliance("LivingRoom-TV", 201, "television");
    site.done()
}

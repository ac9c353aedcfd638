//! The same farm captured in other ways (S27, S30, S32, S33): two lines at once, in a flood, behind its address translation, in
//! tags and tunnels.

use std::net::Ipv4Addr;

use super::farms::{Plan, Work, anydesk, large, run};
use super::{NOTHING_ALLOWED, Scenario};
use crate::lab::mirror::Wrapping;
use crate::lab::network::{Host, MS, Network};
use crate::lab::random::Random;
use crate::lab::site::{DAY, HOUR, Reach, Site};
use crate::lab::truth::Truth;

pub(super) const S27: Scenario = Scenario {
    name: "s27",
    about: "S27: a farm on two lines: machines in two houses, reached through one server of the operators' own",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s27,
};
pub(super) const S30: Scenario = Scenario {
    name: "s30",
    about: "S30: a farm as in S01 while one of its machines is flooded from forged addresses",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s30,
};
pub(super) const S32: Scenario = Scenario {
    name: "s32",
    about: "S32: a farm seen outside its router: one address, one link address",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s32,
};
pub(super) const S33: Scenario = Scenario {
    name: "s33",
    about: "S33: a farm as in S01 whose capture is tagged, tunnelled or holds every frame twice, by the seed",
    policy: NOTHING_ALLOWED,
    vantage: "home",
    build: s33,
};

fn small(random: &Random, number: u8, reach: fn(&mut Site, usize) -> Reach) -> Plan {
    let size = |low| usize::try_from(low).unwrap_or(0);
    Plan {
        number,
        laptops: size(random.held_out("size", 4..=5, 4..=7)),
        employers: size(random.held_out("employers", 4..=4, 3..=6)),
        each: size(random.held_out("each", 3..=3, 2..=4)),
        work: Work::of(random),
        hours: |begins, operator| begins + u64::try_from(operator % 2).unwrap_or(0),
        reach,
        boards: 0,
    }
}

/// The server that both houses use, and the address from which it is used.
fn common(site: &mut Site, operator: usize) -> Reach {
    let server: Host = site.network.outside(
        "desk.farharbour.example",
        Ipv4Addr::new(203, 0, 113, 251),
        31 * MS,
    );
    site.network.publish(&server);
    let operator = u8::try_from(operator % 2).unwrap_or(0);
    Reach::RustDesk(server, Ipv4Addr::new(203, 0, 113, 252 + operator))
}

fn s27(random: &Random) -> (Network, Truth) {
    let house = |name: &str, number| {
        let own = random.fork(name);
        run(&own, &small(&own, number, common), "likely").done()
    };
    let (mut network, mut truth) = house("one house", 127);
    let (other, facts) = house("other house", 128);
    network.absorb(other);
    truth.farm.extend(facts.farm);
    truth.hosts.extend(facts.hosts);
    truth.sessions.extend(facts.sessions);
    (network, truth)
}

fn s30(random: &Random) -> (Network, Truth) {
    let (mut network, truth) = run(random, &large(random, 130), "strong").done();
    let many = random.held_out("flood", 18_000..=22_000, 15_000..=40_000);
    let from = 2 * DAY + 14 * HOUR;
    let target = Ipv4Addr::new(10, 130, 0, 21);
    network.flood((from, from + HOUR / 6), many, target, random);
    (network, truth)
}

fn s32(random: &Random) -> (Network, Truth) {
    let (mut network, mut truth) = run(random, &small(random, 132, anydesk), "review").done();
    // An address of the shared space stands for the line's (RFC 6598).
    let line = Ipv4Addr::new(100, 64, 132, 7);
    network.translate(line);
    // One host is all there is to be seen.
    truth.farm = vec![line.to_string()];
    truth.hosts = vec![("line".to_owned(), "the house behind its router", line.to_string())];
    for session in &mut truth.sessions {
        session.controlled = line.to_string();
    }
    (network, truth)
}

fn s33(random: &Random) -> (Network, Truth) {
    let (mut network, truth) = run(random, &large(random, 133), "strong").done();
    let wrappings = [Wrapping::Vlan, Wrapping::Erspan, Wrapping::Vxlan, Wrapping::Twice];
    let drawn = random.fork("wrapping").count(0..=3);
    network.wrap(wrappings.get(drawn).copied().unwrap_or(Wrapping::Vlan));
    (network, truth)
}

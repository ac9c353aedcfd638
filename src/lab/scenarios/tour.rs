//! One of each: every tool that the laboratory has, ten minutes on a machine of its own, in a network that is nobody's. For
//! trying things out; no verdict is meant.

use std::net::Ipv4Addr;

use super::Scenario;
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, SECOND, Stack};
use crate::lab::random::Random;
use crate::lab::tools::anydesk::AnyDesk;
use crate::lab::tools::pikvm::PiKvm;
use crate::lab::tools::rdp::Rdp;
use crate::lab::tools::rustdesk::RustDesk;
use crate::lab::tools::screenconnect::ScreenConnect;
use crate::lab::tools::wireguard::WireGuard;
use crate::lab::truth::{self, Session, State, Stretch, Truth};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "tour",
    about: "AnyDesk, RustDesk, ScreenConnect, RDP from outside, a PiKVM and WireGuard, each on a machine of its own for ten minutes",
    policy: "",
    vantage: "home",
    build,
};

/// Wednesday 16 September 2026, 09:00 UTC.
const START: i64 = 1_789_549_200;
const END: Micros = 10 * MINUTE;
const ROUTER: Ipv4Addr = Ipv4Addr::new(172, 16, 9, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 90);
const VISITOR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 91);

fn build(random: &Random) -> (Network, Truth) {
    let mut network = Network::new(START, END, ROUTER, random);
    let mut truth = Truth {
        verdict: "not meant",
        expected: vec!["each tool once, on the machine named after it"],
        ..Truth::default()
    };
    let visitor = network.outside("visitor", VISITOR, 38 * MS);
    relayed(&mut network, &mut truth, random);

    let mut own = random.fork("rdp");
    let (machine, ready) = machine(&mut network, &mut truth, "tour-rdp", 24, &mut own);
    let stretches = truth::at_work(&mut own, ready + 30 * SECOND, 5 * MINUTE, 20);
    let session = Rdp {
        client: &visitor,
        server: &machine,
        user: "visitor",
    };
    session.run(&mut network, ready + 20 * SECOND, &stretches, &mut own);
    note(&mut truth, ("rdp", "direct"), &machine, "", stretches);

    let mut own = random.fork("pikvm");
    let board = network.machine("pikvm", 25, Stack::Linux, 200);
    truth.host(&board, "IP-KVM");
    let kvm = PiKvm {
        board: &board,
        serial: "10c7e2d4",
        public: PUBLIC,
    };
    kvm.run(&mut network, (8 * SECOND, END), &mut own);
    let span = (6 * MINUTE, 7 * MINUTE);
    kvm.watched(&mut network, &visitor, span, &mut own);
    note(
        &mut truth,
        ("pikvm", "direct"),
        &board,
        "",
        vec![(span.0, span.1, State::Driven)],
    );

    let mut own = random.fork("wireguard");
    let (machine, ready) = machine_of_linux(&mut network, &mut truth, &mut own);
    let exit = network.outside("exit", Ipv4Addr::new(203, 0, 113, 92), 22 * MS);
    let tunnel = WireGuard {
        machine: &machine,
        server: &exit,
        packets: 60,
    };
    tunnel.run(&mut network, (ready + MINUTE, 6 * MINUTE), &mut own);
    (network, truth)
}

/// The tools whose both ends dial out.
fn relayed(network: &mut Network, truth: &mut Truth, random: &Random) {
    let mut own = random.fork("anydesk");
    let (anydesk, ready) = machine(network, truth, "tour-anydesk", 21, &mut own);
    let stretches = truth::at_work(&mut own, 2 * MINUTE, 5 * MINUTE, 25);
    let tool = AnyDesk {
        machine: &anydesk,
        protocol: Some("anydesk/8.0.9/windows"),
        relay: "0e7d5a13",
        circle: 120 * MS,
    };
    let relay = tool.run(network, (ready, END), &stretches, &mut own);
    note(
        truth,
        ("anydesk", "hidden"),
        &anydesk,
        &relay.ip.to_string(),
        stretches,
    );

    let mut own = random.fork("rustdesk");
    let (rustdesk, ready) = machine(network, truth, "tour-rustdesk", 22, &mut own);
    let server = network.service("rs-ny.rustdesk.com", 44 * MS);
    let stretches = truth::at_work(&mut own, 3 * MINUTE, 6 * MINUTE, 25);
    let tool = RustDesk {
        machine: &rustdesk,
        id: "190662847",
        server: &server,
        controller: VISITOR,
        circle: 150 * MS,
    };
    tool.run(network, (ready, END), std::slice::from_ref(&stretches), &mut own);
    note(
        truth,
        ("rustdesk", "rendezvous"),
        &rustdesk,
        &server.ip.to_string(),
        stretches,
    );

    let mut own = random.fork("screenconnect");
    let (machine, ready) = machine(network, truth, "tour-screenconnect", 23, &mut own);
    let stretches = truth::at_work(&mut own, 4 * MINUTE, 7 * MINUTE, 25);
    let tool = ScreenConnect {
        machine: &machine,
        instance: "t0ur01",
        circle: 90 * MS,
    };
    let relay = tool.run(network, (ready, END), &stretches, &mut own);
    note(
        truth,
        ("screenconnect", "hidden"),
        &machine,
        &relay.ip.to_string(),
        stretches,
    );
}

fn machine(
    network: &mut Network,
    truth: &mut Truth,
    name: &str,
    octet: u8,
    random: &mut Random,
) -> (Host, Micros) {
    let machine = network.machine(name, octet, Stack::Windows, 300);
    truth.host(&machine, "machine of one tool");
    let on = random.within(2 * SECOND..=30 * SECOND);
    let ready = network.boot_windows(on, &machine, random);
    (machine, ready)
}

fn machine_of_linux(network: &mut Network, truth: &mut Truth, random: &mut Random) -> (Host, Micros) {
    let machine = network.machine("tour-wireguard", 26, Stack::Linux, 300);
    truth.host(&machine, "machine of one tool");
    let ready = network.phone((15 * SECOND, 90 * SECOND), &machine, random);
    (machine, ready)
}

fn note(
    truth: &mut Truth,
    (tool, controller_seen): (&'static str, &'static str),
    controlled: &Host,
    relay: &str,
    stretches: Vec<Stretch>,
) {
    truth.sessions.push(Session {
        tool,
        controlled: controlled.ip.to_string(),
        controller: VISITOR.to_string(),
        controller_seen,
        relay: relay.to_owned(),
        stretches,
    });
}

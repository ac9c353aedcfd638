//! A practice with eight workplaces (like S03 and S08): the agents of its IT company on every machine, one short support session, a
//! terminal server in use all day, staff who browse, a printer, somebody's phone on a consumer VPN. Nothing is wrong.

use std::net::Ipv4Addr;

use super::Scenario;
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, SECOND, Stack};
use crate::lab::random::Random;
use crate::lab::tools::rdp::Rdp;
use crate::lab::tools::screenconnect::ScreenConnect;
use crate::lab::tools::web::Visit;
use crate::lab::tools::wireguard::WireGuard;
use crate::lab::truth::{self, Asset, Session, Stretch, Truth};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "office",
    about: "a practice of eight PCs and a server under an IT company's ScreenConnect, one support session, RDP to the terminal server, a phone with NordVPN, a look at TeamViewer's web site",
    policy: "",
    vantage: "home",
    build,
};

/// Tuesday 15 September 2026, 12:30 UTC.
const START: i64 = 1_789_475_400;
const END: Micros = 60 * MINUTE;

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
/// The IT company's tenant.
const INSTANCE: &str = "k3x9q2";
/// The practice's own services.
const OWN: [&str; 3] = [
    "bridgedental-example.sharepoint.com",
    "booking.bridgedental.example",
    "records.practicecloud.example",
];
const PCS: [&str; 8] = [
    "FRONT-01",
    "FRONT-02",
    "BILLING-01",
    "ROOM-01",
    "ROOM-02",
    "ROOM-03",
    "XRAY-01",
    "MANAGER-01",
];
/// The PC on which the IT company helps, and those that work on the terminal server.
const HELPED: usize = 2;
const THIN: [(usize, &str); 2] = [(0, "front1"), (1, "front2")];

fn build(random: &Random) -> (Network, Truth) {
    let mut network = Network::new(START, END, ROUTER, random);
    let mut truth = Truth {
        verdict: "none",
        expected: vec![
            "no farm: one employer, one declared ScreenConnect instance, one declared site",
            "ScreenConnect as agent on nine machines, one session of a few minutes",
            "RDP from two PCs to the terminal server, allowed at this site",
            "a consumer VPN on a phone: a note at most",
            "TeamViewer's web site was looked up: no use of the tool",
        ],
        ..Truth::default()
    };
    let router = network.router.clone();
    truth.host(&router, "office router, mirror port");
    let server = network.machine("SRV-BRIDGE01", 10, Stack::Windows, 110);
    let mut own = random.fork("server");
    let ready = network.boot_windows(4 * SECOND, &server, &mut own);
    network.idle_windows((ready, END), &server, &mut own);
    agent(&mut network, &mut truth, &server, ready, &[], &mut own);
    truth.host(&server, "terminal server");
    inventory(&mut truth, &server, "IT-100", "");

    for (number, name) in PCS.into_iter().enumerate() {
        workplace(&mut network, &mut truth, (number, name), &server, random);
    }
    let printer = network.machine("office-printer", 50, Stack::Linux, 240);
    network.printer(12 * SECOND, END, &printer);
    truth.host(&printer, "printer");
    phone(&mut network, &mut truth, random);
    (network, truth)
}

fn workplace(
    network: &mut Network,
    truth: &mut Truth,
    (number, name): (usize, &str),
    server: &Host,
    random: &Random,
) {
    let mut random = random.fork(name);
    let octet = u8::try_from(101 + number).unwrap_or(101);
    let machine = network.machine(name, octet, Stack::Windows, 160);
    // People arrive over a quarter of an hour.
    let on = random.within(10 * SECOND..=9 * MINUTE);
    let ready = network.boot_windows(on, &machine, &mut random);
    network.idle_windows((ready, END), &machine, &mut random);
    let helped = if number == HELPED {
        truth::at_work(&mut random, 41 * MINUTE, 46 * MINUTE, 25)
    } else {
        Vec::new()
    };
    agent(network, truth, &machine, ready, &helped, &mut random);
    if number == HELPED {
        // Somebody wonders whether there is another way to be helped.
        network.look_up(39 * MINUTE, &machine, "www.teamviewer.com", 12 * MS);
    }
    let thin = THIN.iter().find(|(thin, _)| *thin == number);
    if let Some((_, user)) = thin {
        let stretches = day(&mut random, ready + 50 * SECOND);
        let session = Rdp {
            client: &machine,
            server,
            user,
        };
        session.run(network, ready + 40 * SECOND, &stretches, &mut random);
        truth.sessions.push(Session {
            tool: "rdp",
            controlled: server.ip.to_string(),
            controller: machine.ip.to_string(),
            controller_seen: "direct",
            relay: String::new(),
            stretches,
        });
    }
    let pause = if thin.is_some() {
        (5 * MINUTE, 11 * MINUTE)
    } else {
        (70 * SECOND, 4 * MINUTE)
    };
    for name in OWN.iter().take(2) {
        network.visit(ready + 20 * SECOND, &machine, Visit::page(name), &mut random);
    }
    network.browse((ready + MINUTE, END), &machine, &OWN, pause, &mut random);
    truth.host(&machine, "workplace");
    let asset = format!("IT-{}", 101 + number);
    let assignee = format!("assignee-{}", 11 + number);
    inventory(truth, &machine, &asset, &assignee);
}

/// Work at a counter: a few minutes with a patient's file, a few without.
fn day(random: &mut Random, from: Micros) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut at = from;
    while at + 2 * MINUTE < END {
        let to = (at + random.within(2 * MINUTE..=5 * MINUTE)).min(END);
        stretches.extend(truth::at_work(random, at, to, 12));
        at = to + random.within(MINUTE..=4 * MINUTE);
    }
    stretches
}

fn agent(
    network: &mut Network,
    truth: &mut Truth,
    machine: &Host,
    ready: Micros,
    helped: &[Stretch],
    random: &mut Random,
) {
    let agent = ScreenConnect {
        machine,
        instance: INSTANCE,
        circle: 74 * MS,
    };
    let relay = agent.run(network, (ready + 6 * SECOND, END), helped, random);
    if !helped.is_empty() {
        truth.sessions.push(Session {
            tool: "screenconnect",
            controlled: machine.ip.to_string(),
            controller: "203.0.113.150".to_owned(),
            controller_seen: "hidden",
            relay: relay.ip.to_string(),
            stretches: helped.to_vec(),
        });
    }
}

fn phone(network: &mut Network, truth: &mut Truth, random: &Random) {
    let mut random = random.fork("phone");
    let phone = network.machine("android-break-room", 71, Stack::Linux, 2_400);
    let ready = network.phone((11 * MINUTE, 20 * MINUTE), &phone, &mut random);
    let (exit, at) = network.look_up(
        ready + 9 * MINUTE + 20 * SECOND,
        &phone,
        "us9463.nordvpn.com",
        18 * MS,
    );
    let tunnel = WireGuard {
        machine: &phone,
        server: &exit,
        packets: 70,
    };
    tunnel.run(network, (at, at + 14 * MINUTE), &mut random);
    truth.host(&phone, "an employee's phone");
}

fn inventory(truth: &mut Truth, machine: &Host, asset: &str, assignee: &str) {
    let ip = machine.ip.to_string();
    truth.assets.push(Asset {
        cells: [
            &ip,
            &machine.name,
            asset,
            assignee,
            "US",
            "Illinois",
            "41.88",
            "-87.63",
            "America/Chicago",
            "bridge-dental",
            "07:30-16:30",
            "bridgedental-example",
            "screenconnect;rdp",
            "",
        ]
        .map(str::to_owned),
    });
}

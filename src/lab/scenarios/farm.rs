//! A small farm in a house (like S01 and S10): six laptops of five employers, worked on in turn by one operator through tools
//! that nobody allowed, two IP-KVMs beside them, and a household that lives on.

use std::net::Ipv4Addr;

use super::Scenario;
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, SECOND, Stack};
use crate::lab::random::Random;
use crate::lab::tools::anydesk::AnyDesk;
use crate::lab::tools::pikvm::PiKvm;
use crate::lab::tools::rustdesk::RustDesk;
use crate::lab::tools::web::Visit;
use crate::lab::truth::{self, Asset, Session, State, Stretch, Truth};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "farm",
    about: "six laptops of five employers in one house, worked on in turn by one operator through RustDesk with a private server and AnyDesk, two PiKVMs, a television and a phone",
    policy: "",
    vantage: "home",
    build,
};

/// Monday 14 September 2026, 13:55 UTC: just before nine in Chicago.
const START: i64 = 1_789_394_100;
const END: Micros = 60 * MINUTE;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// The house as the world sees it.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
/// The operator as the rendezvous server sees him: a VPN's exit.
const OPERATOR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 200);
/// The operator's own server.
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 40);
/// From a picture to the operator's answer, beyond the relay.
const CIRCLE: Micros = 236 * MS;

/// What reaches a laptop.
#[derive(Clone, Copy)]
enum Reach {
    /// RustDesk with this identifier.
    RustDesk(&'static str),
    /// AnyDesk through the relay of these digits, with the protocol that the client offers.
    AnyDesk(&'static str, Option<&'static str>),
}

/// The laptop whose screen and keyboard the first KVM has.
const BEHIND_KVM: usize = 1;

struct Laptop {
    name: &'static str,
    octet: u8,
    organisation: &'static str,
    place: [&'static str; 5],
    reach: Reach,
}

/// Country, region, latitude, longitude, time zone: where the people of the payroll live.
const LAPTOPS: [Laptop; 6] = [
    Laptop {
        name: "laptop-northwind-01",
        octet: 21,
        organisation: "northwind-example",
        place: ["US", "Oregon", "45.52", "-122.68", "America/Los_Angeles"],
        reach: Reach::RustDesk("317204985"),
    },
    Laptop {
        name: "laptop-northwind-02",
        octet: 22,
        organisation: "northwind-example",
        place: ["US", "Texas", "30.27", "-97.74", "America/Chicago"],
        reach: Reach::AnyDesk("5d0c41ae", Some("anydesk/7.1.8/windows")),
    },
    Laptop {
        name: "LT-LAKESIDE-0417",
        octet: 23,
        organisation: "lakeside-example",
        place: ["US", "Ohio", "39.96", "-83.00", "America/New_York"],
        reach: Reach::RustDesk("402871163"),
    },
    Laptop {
        name: "brightfield-dev-7",
        octet: 24,
        organisation: "brightfield-example",
        place: ["US", "Florida", "27.95", "-82.46", "America/New_York"],
        reach: Reach::RustDesk("288930471"),
    },
    Laptop {
        name: "OAKLINE-L2209",
        octet: 25,
        organisation: "oakline-example",
        place: ["US", "Colorado", "39.74", "-104.99", "America/Denver"],
        reach: Reach::AnyDesk("b91f7732", None),
    },
    Laptop {
        name: "smt-nb-0133",
        octet: 26,
        organisation: "summit-example",
        place: ["US", "Georgia", "33.75", "-84.39", "America/New_York"],
        reach: Reach::RustDesk("365518027"),
    },
];

/// One turn of the operator: which laptop, or which KVM beyond them, from when to when.
type Turn = (usize, Micros, Micros);

fn build(random: &Random) -> (Network, Truth) {
    let mut network = Network::new(START, END, ROUTER, random);
    let mut truth = Truth {
        verdict: "likely",
        expected: vec![
            "one farm of the six laptops",
            "RustDesk on four of them, controlled from 203.0.113.200 by the rendezvous server's own words",
            "AnyDesk on two of them, controller hidden by the relay",
            "two PiKVMs, one of them watched from 203.0.113.200 while 192.168.77.22 is at work without its AnyDesk",
            "five employers on one household line",
        ],
        ..Truth::default()
    };
    let router = network.router.clone();
    truth.host(&router, "home router, mirror port");
    let server = network.outside("desk.harbourline.example", SERVER, 31 * MS);
    network.publish(&server);

    let turns = turns(&mut random.fork("operator"));
    for (number, laptop) in LAPTOPS.iter().enumerate() {
        run_laptop(
            &mut network,
            &mut truth,
            (number, laptop),
            &server,
            &turns,
            random,
        );
    }
    run_boards(&mut network, &mut truth, &turns, random);
    household(&mut network, &mut truth, random);
    (network, truth)
}

/// The operator goes round: two to six minutes a machine, a short way between them, never two at once.
fn turns(random: &mut Random) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut at = 6 * MINUTE;
    let mut last = LAPTOPS.len();
    let mut order: Vec<usize> = Vec::new();
    while at + 3 * MINUTE < END {
        if order.is_empty() {
            // Every machine once in a round, and half-way a look through a KVM at one that does not answer.
            order = (0..LAPTOPS.len()).collect();
            for place in 0..order.len() {
                let other = random.count(0..=5);
                order.swap(place, other);
            }
            order.insert(3, LAPTOPS.len());
        }
        let Some(next) = order.pop() else { break };
        if next == last {
            order.insert(0, next);
            continue;
        }
        let length = if next == LAPTOPS.len() {
            random.within(100 * SECOND..=160 * SECOND)
        } else {
            random.within(130 * SECOND..=330 * SECOND)
        };
        let end = (at + length).min(END - 30 * SECOND);
        turns.push((next, at, end));
        at = end + random.within(6 * SECOND..=25 * SECOND);
        last = next;
    }
    turns
}

fn run_laptop(
    network: &mut Network,
    truth: &mut Truth,
    (number, laptop): (usize, &Laptop),
    server: &Host,
    turns: &[Turn],
    random: &Random,
) {
    let mut random = random.fork(laptop.name);
    let wifi = random.within(900..=2_600);
    let machine = network.machine(laptop.name, laptop.octet, Stack::Windows, wifi);
    // Somebody walks along the shelf and switches them on.
    let number_of_it = u64::try_from(number).unwrap_or(0);
    let on = 20 * SECOND + number_of_it * 11 * SECOND + random.within(0..=4 * SECOND);
    let ready = network.boot_windows(on, &machine, &mut random);
    network.idle_windows((ready, END), &machine, &mut random);

    let sessions: Vec<Vec<Stretch>> = turns
        .iter()
        .filter(|(whose, ..)| *whose == number)
        .map(|(_, from, to)| truth::at_work(&mut random, *from, *to, 18))
        .collect();
    let own = [
        format!("{}.okta.com", laptop.organisation),
        format!("{}.slack.com", laptop.organisation),
        format!("git.{}.example", laptop.organisation.trim_end_matches("-example")),
    ];
    // The clients of chat and identity run from the start; work happens only while somebody is there.
    for (name, later) in own.iter().zip([4 * SECOND, 9 * SECOND]) {
        network.visit(ready + later, &machine, Visit::page(name), &mut random);
    }
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    for (whose, from, to) in turns {
        if *whose == number || (*whose == LAPTOPS.len() && number == BEHIND_KVM) {
            let pause = (25 * SECOND, 70 * SECOND);
            network.browse((*from, *to), &machine, &own, pause, &mut random);
        }
    }

    let tool = reach(
        network,
        &machine,
        laptop.reach,
        server,
        ready,
        &sessions,
        &mut random,
    );
    truth.host(&machine, "laptop of the farm");
    truth.farm.push(machine.ip.to_string());
    truth
        .sessions
        .extend(sessions.into_iter().map(|stretches| Session {
            tool: tool.0,
            controlled: machine.ip.to_string(),
            controller: OPERATOR.to_string(),
            controller_seen: tool.1,
            relay: tool.2.clone(),
            stretches,
        }));
    let [country, region, latitude, longitude, zone] = laptop.place;
    let asset = format!("LT-{:04}", 1_200 + number * 37);
    let assignee = format!("assignee-{}", number + 1);
    let ip = machine.ip.to_string();
    truth.assets.push(Asset {
        cells: [
            &ip,
            laptop.name,
            &asset,
            &assignee,
            country,
            region,
            latitude,
            longitude,
            zone,
            "",
            "09:00-17:00",
            laptop.organisation,
            "",
            "",
        ]
        .map(str::to_owned),
    });
}

/// Runs what reaches a laptop; gives its tool, how the controller shows, and the relay.
fn reach(
    network: &mut Network,
    machine: &Host,
    reach: Reach,
    server: &Host,
    ready: Micros,
    sessions: &[Vec<Stretch>],
    random: &mut Random,
) -> (&'static str, &'static str, String) {
    let span = (ready + 2 * SECOND, END);
    match reach {
        Reach::RustDesk(id) => {
            let tool = RustDesk {
                machine,
                id,
                server,
                controller: OPERATOR,
                circle: CIRCLE,
            };
            tool.run(network, span, sessions, random);
            ("rustdesk", "rendezvous", server.ip.to_string())
        }
        Reach::AnyDesk(relay, protocol) => {
            let tool = AnyDesk {
                machine,
                protocol,
                relay,
                circle: CIRCLE + 9 * MS,
            };
            let stretches = sessions.concat();
            let relay = tool.run(network, span, &stretches, random);
            ("anydesk", "hidden", relay.ip.to_string())
        }
    }
}

fn run_boards(network: &mut Network, truth: &mut Truth, turns: &[Turn], random: &Random) {
    let viewer = network.outside("operator", OPERATOR, 96 * MS);
    let boards = [("pikvm", 31, "8f21c07b"), ("pikvm-5ce0a941", 32, "5ce0a941")];
    for (place, (name, octet, serial)) in boards.into_iter().enumerate() {
        let mut random = random.fork(name);
        let board = network.machine(name, octet, Stack::Linux, 180);
        let kvm = PiKvm {
            board: &board,
            serial,
            public: PUBLIC,
        };
        let start = 9 * SECOND + u64::try_from(place).unwrap_or(0) * 3 * SECOND;
        kvm.run(network, (start, END), &mut random);
        truth.host(&board, "IP-KVM");
        for (_, from, to) in turns
            .iter()
            .filter(|(whose, ..)| place == 0 && *whose == LAPTOPS.len())
        {
            kvm.watched(network, &viewer, (*from, *to), &mut random);
            truth.sessions.push(Session {
                tool: "pikvm",
                controlled: board.ip.to_string(),
                controller: OPERATOR.to_string(),
                controller_seen: "direct",
                relay: String::new(),
                stretches: vec![(*from, *to, State::Driven)],
            });
        }
    }
}

fn household(network: &mut Network, truth: &mut Truth, random: &Random) {
    let mut television = random.fork("television");
    let set = network.machine("LivingRoom-TV", 61, Stack::Linux, 1_400);
    network.television(3 * MINUTE, (24 * MINUTE, 33 * MINUTE), &set, &mut television);
    truth.host(&set, "television");
    let mut pocket = random.fork("phone");
    let phone = network.machine("android-kitchen", 62, Stack::Linux, 2_200);
    network.phone((2 * MINUTE, END), &phone, &mut pocket);
    truth.host(&phone, "phone");
}

//! A place over days: who is there, who works when, who is worked on from elsewhere. What scenarios of several days are made of.
//!
//! Such captures are thin: a few packets for each minute of activity. Tools keep their bytes, but keep-alives come every half
//! hour and input every minute and a half, which is below every time-out that an analysis could have.

use std::net::Ipv4Addr;

use super::lease::{Client, NETWORKD, WINDOWS};
use super::network::{Host, MINUTE, MS, Micros, Network, SECOND, Stack};
use super::random::Random;
use super::tls::Program;
use super::tools::anydesk::AnyDesk;
use super::tools::pikvm::{STUN_PORT, STUN_SERVER, mapped, stun};
use super::tools::rdp::Rdp;
use super::tools::rustdesk::RustDesk;
use super::tools::screenconnect::ScreenConnect;
use super::tools::web::Visit;
use super::truth::{Asset, Session, State, Stretch, Truth};

/// Monday 14 September 2026, 00:00 UTC.
const START: i64 = 1_789_344_000;
/// An hour.
pub(super) const HOUR: Micros = 60 * MINUTE;
/// A day.
pub(super) const DAY: Micros = 24 * HOUR;

/// A week of work: five days and the first hours of the sixth.
pub(super) const WEEK: u64 = 5;

/// How somebody elsewhere reaches a machine.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// AnyDesk through the vendor's relays.
    AnyDesk,
    /// RustDesk through a server of one's own, asked for by this address.
    RustDesk(Host, Ipv4Addr),
    /// RDP straight from this host outside, through a port of the router.
    Rdp(Host),
    /// A provider's ScreenConnect with this instance.
    ScreenConnect(&'static str),
}

/// A place while it is written.
pub(super) struct Site {
    /// Its network.
    pub(super) network: Network,
    /// What is true.
    pub(super) truth: Truth,
    random: Random,
    days: u64,
    habits: Habits,
}

/// What differs from place to place whatever happens there. Ranges for odd seeds and for even ones.
#[derive(Clone, Copy, Debug)]
struct Habits {
    /// Pauses between pages in per cent of what is usual.
    pause: u64,
    /// Most microseconds that a machine's radio costs.
    radio: u64,
    /// Milliseconds from a picture to the operator's answer beyond the relay: least and most.
    circle: (u64, u64),
    /// Frames in a hundred that the mirror port loses.
    loss: u64,
    /// Hours by which people begin later than is usual, from one early on.
    later: u64,
    /// Things of the household beside those that the scenario names.
    things: u64,
}

impl Habits {
    fn of(random: &Random) -> Self {
        let least = random.held_out("circle", 140..=170, 110..=210);
        Self {
            pause: random.held_out("pause", 90..=110, 70..=160),
            radio: random.held_out("radio", 1_200..=2_400, 2_400..=9_000),
            circle: (least, least + random.held_out("spread", 60..=110, 30..=180)),
            loss: random.held_out("loss", 0..=1, 0..=3),
            later: random.held_out("later", 1..=1, 0..=2),
            things: random.held_out("things", 0..=1, 0..=4),
        }
    }
}

impl Site {
    /// A place with the network `10.<number>.0.0/24` for so many days.
    pub(super) fn new(random: &Random, number: u8, days: u64, verdict: &'static str) -> Self {
        let router = Ipv4Addr::new(10, number, 0, 1);
        let mut network = Network::new(START, days * DAY, router, random);
        network.is_sparse = true;
        let mut truth = Truth {
            verdict,
            ..Truth::default()
        };
        truth.host(&network.router, "router, mirror port");
        Self {
            network,
            truth,
            random: random.fork("site"),
            days,
            habits: Habits::of(&random.fork("habits")),
        }
    }

    /// Chance of its own for somebody.
    pub(super) fn chance(&self, name: &str) -> Random {
        self.random.fork(name)
    }

    /// A Windows machine that is switched on in the first morning and stays on.
    pub(super) fn machine(&mut self, name: &str, octet: u8, role: &'static str) -> Host {
        self.machine_while(name, octet, role, (0, self.days))
    }

    /// The same from the morning of one day to the end of the day before another.
    pub(super) fn machine_while(
        &mut self,
        name: &str,
        octet: u8,
        role: &'static str,
        (arrives, leaves): (u64, u64),
    ) -> Host {
        let mut random = self.random.fork(name);
        let wifi = random.within(300..=self.habits.radio);
        let machine = self.network.machine(name, octet, Stack::Windows, wifi);
        let on = arrives * DAY + 6 * HOUR + random.within(0..=20 * MINUTE);
        let (vendor_class, parameters) = WINDOWS;
        let client = Client {
            name,
            vendor_class,
            parameters,
        };
        let ready = self.network.join(on, &machine, client);
        // Its own calls, also at night.
        let mut at = ready + random.within(MINUTE..=30 * MINUTE);
        while at < leaves * DAY {
            let service = super::household::BACKGROUND;
            if let Some(service) = random.pick(&service) {
                self.network
                    .visit(at, &machine, glance(Program::Windows, service), &mut random);
            }
            at += random.within(90 * MINUTE..=170 * MINUTE);
        }
        self.truth.host(&machine, role);
        machine
    }

    /// A phone, a television, a printer: something that is there.
    pub(super) fn appliance(&mut self, name: &str, octet: u8, role: &'static str) -> Host {
        let mut random = self.random.fork(name);
        let machine = self.network.machine(name, octet, Stack::Linux, 1_800);
        let (vendor_class, parameters) = NETWORKD;
        let client = Client {
            name,
            vendor_class,
            parameters,
        };
        self.network
            .join(6 * HOUR + random.within(0..=HOUR), &machine, client);
        for day in 0..self.days {
            for _ in 0..random.within(3..=6) {
                let at = day * DAY + random.within(7 * HOUR..=23 * HOUR);
                self.network.visit(
                    at,
                    &machine,
                    glance(Program::OpenSsl, "www.weather.example"),
                    &mut random,
                );
            }
        }
        self.truth.host(&machine, role);
        machine
    }

    /// Somebody sits at a machine on working days, from and to these hours of the day, and uses these services.
    pub(super) fn works_at(&mut self, machine: &Host, hours: (u64, u64), own: &[String]) {
        let mut random = self.random.fork(&format!("at {}", machine.name));
        for day in 0..self.days {
            let morning = (day * DAY + self.habits.later * HOUR).saturating_sub(HOUR);
            let from = morning + hours.0 * HOUR + random.within(0..=25 * MINUTE);
            let to = morning + hours.1 * HOUR;
            self.browses((from, to), machine, own, (5 * MINUTE, 12 * MINUTE), &mut random);
        }
    }

    fn browses(
        &mut self,
        (from, to): (Micros, Micros),
        machine: &Host,
        own: &[String],
        pause: (Micros, Micros),
        random: &mut Random,
    ) -> Vec<Micros> {
        let mut visits = Vec::new();
        let mut at = from;
        while at < to {
            visits.push(at);
            let is_own = random.percent(45);
            let place = random.count(0..=99);
            let name = match own.get(place % own.len().max(1)) {
                Some(own) if is_own => own.as_str(),
                _ => random
                    .pick(&super::household::PAGES)
                    .unwrap_or("www.weather.example"),
            };
            self.network
                .visit(at, machine, glance(Program::Browser, name), random);
            at += random.within(pause.0..=pause.1) * self.habits.pause / 100;
        }
        visits
    }

    /// Pages that somebody opens on a machine in one turn, one after another as they are read. Gives when.
    pub(super) fn reads(
        &mut self,
        machine: &Host,
        (from, to): (Micros, Micros),
        own: &[String],
        random: &mut Random,
    ) -> Vec<Micros> {
        let first = from + random.within(5 * SECOND..=20 * SECOND);
        let pause = (15 * SECOND, 60 * SECOND);
        self.browses(
            (first, to.saturating_sub(5 * SECOND)),
            machine,
            own,
            pause,
            random,
        )
    }

    /// What happens at a machine while somebody elsewhere works on it: he uses its services and reads pages.
    /// Gives when he opened pages.
    pub(super) fn used_in(
        &mut self,
        machine: &Host,
        turns: &[(Micros, Micros)],
        own: &[String],
    ) -> Vec<Micros> {
        let mut pages = Vec::new();
        let mut random = self.random.fork(&format!("on {}", machine.name));
        for (from, to) in turns {
            let first = from + random.within(5 * SECOND..=40 * SECOND);
            let last = to.saturating_sub(15 * SECOND);
            pages.extend(self.browses(
                (first, last),
                machine,
                own,
                (60 * SECOND, 100 * SECOND),
                &mut random,
            ));
        }
        pages
    }

    /// One person at several machines on working days: from this hour of the day for so many minutes, a few minutes a turn,
    /// never two at once. Gives each machine's turns.
    pub(super) fn turns(
        &self,
        who: &str,
        machines: usize,
        (hour, minutes): (u64, u64),
        turn: (u64, u64),
    ) -> Vec<Vec<(Micros, Micros)>> {
        let mut random = self.random.fork(who);
        let mut turns = vec![Vec::new(); machines];
        for day in 0..self.days {
            let start = day * DAY + hour * HOUR + random.within(0..=20 * MINUTE);
            let end = (start + minutes * MINUTE).min(self.days * DAY - MINUTE);
            let mut at = start;
            let mut next = random.count(0..=7);
            while at + 2 * MINUTE < end {
                let length = random.within(turn.0 * SECOND..=turn.1 * SECOND);
                let to = (at + length).min(end);
                if let Some(own) = turns.get_mut(next % machines.max(1)) {
                    own.push((at, to));
                }
                at = to + random.within(8 * SECOND..=40 * SECOND);
                // Mostly the next one, at times another.
                next += if random.percent(80) { 1 } else { 2 };
            }
        }
        turns
    }

    /// A tool on a machine from the first morning on, and the turns in which somebody works through it.
    pub(super) fn reached(
        &mut self,
        machine: &Host,
        reach: &Reach,
        turns: &[(Micros, Micros)],
        controller: &str,
    ) {
        self.reached_while(machine, reach, turns, controller, (0, self.days));
    }

    /// The same from the morning of one day to the end of the day before another.
    pub(super) fn reached_while(
        &mut self,
        machine: &Host,
        reach: &Reach,
        turns: &[(Micros, Micros)],
        controller: &str,
        (arrives, leaves): (u64, u64),
    ) {
        let mut random = self.random.fork(&format!("reach {}", machine.name));
        let installed = arrives * DAY + 7 * HOUR + random.within(0..=10 * MINUTE);
        let span = (installed, leaves * DAY);
        let stretches: Vec<Stretch> = turns
            .iter()
            .map(|(from, to)| (*from, *to, State::Driven))
            .collect();
        let circle = random.within(self.habits.circle.0..=self.habits.circle.1) * MS;
        let (tool, seen, relay) = match reach {
            Reach::AnyDesk => {
                let digits = random.hex(8);
                let tool = AnyDesk {
                    machine,
                    protocol: random.percent(50).then_some("anydesk/7.1.8/windows"),
                    relay: &digits,
                    circle,
                };
                let relay = tool.run(&mut self.network, span, &stretches, &mut random);
                ("anydesk", "hidden", relay.ip.to_string())
            }
            Reach::RustDesk(server, controller) => {
                let id = (100_000_000 + random.within(0..=899_999_999)).to_string();
                let tool = RustDesk {
                    machine,
                    id: &id,
                    server,
                    controller: *controller,
                    circle,
                };
                let each: Vec<Vec<Stretch>> = stretches.iter().map(|one| vec![*one]).collect();
                tool.run(&mut self.network, span, &each, &mut random);
                ("rustdesk", "rendezvous", server.ip.to_string())
            }
            Reach::Rdp(client) => {
                for day in 0..self.days {
                    let own: Vec<Stretch> = stretches
                        .iter()
                        .filter(|(from, ..)| from / DAY == day)
                        .copied()
                        .collect();
                    if let Some((from, ..)) = own.first() {
                        let session = Rdp {
                            client,
                            server: machine,
                            user: "admin",
                        };
                        session.run(&mut self.network, from - 5 * SECOND, &own, &mut random);
                    }
                }
                ("rdp", "direct", String::new())
            }
            Reach::ScreenConnect(instance) => {
                let tool = ScreenConnect {
                    machine,
                    instance,
                    circle,
                };
                let relay = tool.run(&mut self.network, span, &stretches, &mut random);
                ("screenconnect", "hidden", relay.ip.to_string())
            }
        };
        if !stretches.is_empty() {
            self.truth.sessions.push(Session {
                tool,
                controlled: machine.ip.to_string(),
                controller: controller.to_owned(),
                controller_seen: seen,
                relay,
                stretches,
            });
        }
    }

    /// A video call begins on a machine: its client asks a STUN server how it looks from outside (RFC 8489).
    pub(super) fn calls(&mut self, at: Micros, machine: &Host, public: Ipv4Addr) {
        let mut random = self.random.fork(&format!("call {} {at}", machine.name));
        let (server, asked) = self.network.look_up(at, machine, STUN_SERVER, 11 * MS);
        let port = self.network.port(machine);
        let request = stun(0x0001, random.array(), &[]);
        self.network
            .datagram(asked, [machine, &server], [port, STUN_PORT], &request);
        let answer = mapped(&request, public, port);
        let answered = asked + 2 * server.one_way;
        self.network
            .datagram(answered, [&server, machine], [STUN_PORT, port], &answer);
    }

    /// A row of the inventory: where the assignee lives by (country, region, latitude, longitude, zone), site, employer, tools.
    pub(super) fn declared(
        &mut self,
        machine: &Host,
        place: [&str; 5],
        site: &str,
        employer: &str,
        allowed_tools: &str,
    ) {
        let number = self.truth.assets.len() + 1;
        let [country, region, latitude, longitude, zone] = place;
        let ip = machine.ip.to_string();
        let (asset, assignee) = (format!("A-{number:04}"), format!("assignee-{number}"));
        self.truth.assets.push(Asset {
            cells: [
                &ip,
                &machine.name,
                &asset,
                &assignee,
                country,
                region,
                latitude,
                longitude,
                zone,
                site,
                "09:00-17:00",
                employer,
                allowed_tools,
                "",
            ]
            .map(str::to_owned),
        });
    }

    /// Notes that a machine belongs to the farm.
    pub(super) fn in_farm(&mut self, machine: &Host) {
        self.truth.farm.push(machine.ip.to_string());
    }

    /// What was written.
    pub(super) fn done(mut self) -> (Network, Truth) {
        for thing in 0..self.habits.things {
            let octet = 230 + u8::try_from(thing).unwrap_or(0);
            self.appliance(&format!("thing-{octet}"), octet, "something of the household");
        }
        self.network.lose(self.habits.loss);
        (self.network, self.truth)
    }
}

/// One request, a short answer, and gone.
const fn glance(program: Program, name: &str) -> Visit<'_> {
    Visit {
        program,
        name,
        requests: 1,
        most: 1_300,
        lingers: 2 * SECOND,
    }
}

/// Services of an organisation: identity, chat, code.
pub(super) fn services(organisation: &str) -> Vec<String> {
    vec![
        format!("{organisation}.okta.com"),
        format!("{organisation}.slack.com"),
        format!("git.{organisation}.example"),
    ]
}

/// Organisations that do not exist.
pub(super) const ORGANISATIONS: [&str; 12] = [
    "northwind-example",
    "lakeside-example",
    "brightfield-example",
    "oakline-example",
    "summit-example",
    "riverton-example",
    "harborlight-example",
    "cedarpoint-example",
    "stonebridge-example",
    "fairmont-example",
    "westgate-example",
    "pinecrest-example",
];

/// Where people of a payroll live: country, region, latitude, longitude, time zone.
pub(super) const HOMES: [[&str; 5]; 6] = [
    ["US", "Oregon", "45.52", "-122.68", "America/Los_Angeles"],
    ["US", "Texas", "30.27", "-97.74", "America/Chicago"],
    ["US", "Ohio", "39.96", "-83.00", "America/New_York"],
    ["US", "Florida", "27.95", "-82.46", "America/New_York"],
    ["US", "Colorado", "39.74", "-104.99", "America/Denver"],
    ["US", "Georgia", "33.75", "-84.39", "America/New_York"],
];

//! What stands in a home or an office beside the machines of interest: their systems' own chatter, a television, phones, a
//! printer, people who browse.

use super::lease::{ANDROID, Client, EMBEDDED, WINDOWS};
use super::network::{Host, MINUTE, MS, Micros, Network, SECOND};
use super::random::Random;
use super::tls::Program;
use super::tools::web::Visit;

const WINDOWS_CHECK: (&str, &str, &str) = ("www.msftconnecttest.com", "/connecttest.txt", "Microsoft NCSI");
const WINDOWS_ONLINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 22\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nMicrosoft Connect Test";
const ANDROID_CHECK: (&str, &str, &str) = (
    "connectivitycheck.gstatic.com",
    "/generate_204",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.32 Safari/537.36",
);
const ANDROID_ONLINE: &str = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Names that Windows asks for by itself.
pub(super) const BACKGROUND: [&str; 8] = [
    "settings-win.data.microsoft.com",
    "v10.events.data.microsoft.com",
    "smartscreen-prod.microsoft.com",
    "login.live.com",
    "slscr.update.microsoft.com",
    "client.wns.windows.com",
    "checkappexec.microsoft.com",
    "fe3cr.delivery.mp.microsoft.com",
];

/// Pages that people read.
pub(super) const PAGES: [&str; 10] = [
    "news.dailyreader.example",
    "www.weather.example",
    "search.example",
    "mail.webpost.example",
    "maps.wayfinder.example",
    "shop.everyday.example",
    "www.encyclopedia.example",
    "forum.gardeners.example",
    "video.clips.example",
    "recipes.kitchen.example",
];

impl Network {
    /// A Windows machine is switched on: lease, connectivity check, time, the system's own services. Gives the time at which
    /// somebody could use it.
    pub(super) fn boot_windows(&mut self, at: Micros, machine: &Host, random: &mut Random) -> Micros {
        let (vendor_class, parameters) = WINDOWS;
        let client = Client {
            name: &machine.name,
            vendor_class,
            parameters,
        };
        let ready = self.join(at, machine, client);
        self.check(ready + 300 * MS, machine, WINDOWS_CHECK, WINDOWS_ONLINE);
        self.ask_time(ready + 2 * SECOND, machine, "time.windows.com");
        for name in BACKGROUND.iter().take(4) {
            let later = random.within(2 * SECOND..=14 * SECOND);
            self.visit(ready + later, machine, Visit::service(name), random);
        }
        ready + 15 * SECOND
    }

    /// The system's own calls until `end`, and its gateway's link address asked for again.
    pub(super) fn idle_windows(&mut self, span: (Micros, Micros), machine: &Host, random: &mut Random) {
        let (start, end) = span;
        let mut at = start + random.within(MINUTE..=6 * MINUTE);
        while at < end {
            if let Some(name) = random.pick(&BACKGROUND) {
                self.visit(at, machine, Visit::service(name), random);
            }
            self.resolve(at + 30 * SECOND, machine);
            at += random.within(6 * MINUTE..=14 * MINUTE);
        }
    }

    /// A person reads pages, `own` ones of the household or office among them.
    pub(super) fn browse(
        &mut self,
        span: (Micros, Micros),
        machine: &Host,
        own: &[&str],
        pause: (Micros, Micros),
        random: &mut Random,
    ) {
        let (start, end) = span;
        let mut at = start + random.within(SECOND..=pause.0);
        while at < end {
            let choices: &[&str] = if random.percent(40) && !own.is_empty() {
                own
            } else {
                &PAGES
            };
            if let Some(name) = random.pick(choices) {
                self.visit(at, machine, Visit::page(name), random);
            }
            at += random.within(pause.0..=pause.1);
        }
    }

    /// A phone joins, checks whether it is online, keeps its push connection's host in mind, is looked at now and then.
    pub(super) fn phone(&mut self, span: (Micros, Micros), phone: &Host, random: &mut Random) -> Micros {
        let (start, end) = span;
        let (vendor_class, parameters) = ANDROID;
        let client = Client {
            name: &phone.name,
            vendor_class,
            parameters,
        };
        let ready = self.join(start, phone, client);
        self.check(ready + 100 * MS, phone, ANDROID_CHECK, ANDROID_ONLINE);
        self.ask_time(ready + SECOND, phone, "time.android.com");
        let push = Visit {
            program: Program::OpenSsl,
            name: "mtalk.google.com",
            requests: 2,
            most: 700,
            lingers: 20 * MINUTE,
        };
        self.visit(ready + 4 * SECOND, phone, push, random);
        self.browse(
            (ready + 5 * SECOND, end),
            phone,
            &[],
            (3 * MINUTE, 9 * MINUTE),
            random,
        );
        ready
    }

    /// A television joins and shows a film: a piece every ten seconds from `start` to `end`.
    pub(super) fn television(
        &mut self,
        joined: Micros,
        span: (Micros, Micros),
        set: &Host,
        random: &mut Random,
    ) {
        let (vendor_class, parameters) = EMBEDDED;
        let client = Client {
            name: &set.name,
            vendor_class,
            parameters,
        };
        let ready = self.join(joined, set, client);
        self.announce(
            ready,
            set,
            "_googlecast._tcp",
            8_009,
            &["fn=Living room", "md=TV"],
        );
        let (start, end) = span;
        let film = Visit {
            program: Program::OpenSsl,
            name: "edge7.streambox.example",
            requests: 6,
            most: 26_000,
            lingers: SECOND,
        };
        let mut at = start.max(ready);
        while at < end {
            self.visit(at, set, film, random);
            at += random.within(18 * SECOND..=26 * SECOND);
        }
    }

    /// A printer joins and announces itself.
    pub(super) fn printer(&mut self, at: Micros, end: Micros, printer: &Host) {
        let (vendor_class, parameters) = EMBEDDED;
        let client = Client {
            name: &printer.name,
            vendor_class,
            parameters,
        };
        let mut at = self.join(at, printer, client);
        while at < end {
            self.announce(
                at,
                printer,
                "_ipp._tcp",
                631,
                &["ty=Laser 400", "rp=ipp/print", "pdl=application/pdf"],
            );
            at += 20 * MINUTE;
        }
    }

    /// NTP (RFC 5905): a question and its answer.
    pub(super) fn ask_time(&mut self, at: Micros, machine: &Host, name: &str) {
        let (server, at) = self.look_up(at, machine, name, 12 * MS);
        let stamp = self.random.octets(8);
        let mut question = vec![0xe3, 0, 6, 0xfa];
        question.resize(40, 0);
        question.extend(&stamp);
        let ports = [123, 123];
        self.datagram(at, [machine, &server], ports, &question);
        let mut answer = vec![0x24, 2, 6, 0xe9, 0, 0, 2, 0, 0, 0, 3, 0, 192, 0, 2, 1];
        answer.extend(self.random.octets(8));
        answer.extend(&stamp);
        answer.extend(self.random.octets(16));
        self.datagram(at + 2 * server.one_way, [&server, machine], ports, &answer);
    }
}

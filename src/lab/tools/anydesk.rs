//! AnyDesk through a relay: TLS 1.2 whose certificates can be read, a heartbeat every 15 s, small input records of one size
//! (shared facts: remote-access.tsv, rows `anydesk`; measured there on nDPI's and nfstream's captures).

use super::screen::Screen;
use crate::lab::certificate::{COMMON_NAME, COUNTRY, ORGANISATION, certificate};
use crate::lab::connection::{Connection, Side};
use crate::lab::network::{Host, MS, Micros, Network, SECOND};
use crate::lab::random::Random;
use crate::lab::tls::{self, Answer, Program};
use crate::lab::truth::Stretch;

/// Period of the heartbeat.
const HEARTBEAT: Micros = 15 * SECOND;
/// Content of its record out, and of the answer: 51 and 49 octets with the record's header.
const BEAT: (usize, usize) = (46, 44);
/// Content of an input record: 47 octets with its header.
const INPUT: u64 = 42;

/// An installed AnyDesk that waits to be reached.
pub(in crate::lab) struct AnyDesk<'a> {
    /// Its machine.
    pub(in crate::lab) machine: &'a Host,
    /// Protocol that newer clients offer: `anydesk/<version>/<system>`.
    pub(in crate::lab) protocol: Option<&'a str>,
    /// Eight hexadecimal digits in the relay's name.
    pub(in crate::lab) relay: &'a str,
    /// From a screen update to the viewer's answer.
    pub(in crate::lab) circle: Micros,
}

impl AnyDesk<'_> {
    /// Comes online at `start` and stays until `end`; in between somebody else works on it. Gives the relay.
    pub(in crate::lab) fn run(
        &self,
        network: &mut Network,
        span: (Micros, Micros),
        stretches: &[Stretch],
        random: &mut Random,
    ) -> Host {
        let (start, end) = span;
        let (boot, at) = network.look_up(start, self.machine, "boot.net.anydesk.com", 14 * MS);
        let mut first = Connection::open(network, at, self.machine, &boot, 443);
        let ready = self.begin(&mut first, at, random);
        first.say_cut(ready, Side::Client, tls::encrypted(random, 412));
        first.say_cut(ready + 40 * MS, Side::Server, tls::encrypted(random, 780));
        first.close(ready + 900 * MS, Side::Client);
        first.play(network);

        let name = format!("relay-{}.net.anydesk.com", self.relay);
        let (relay, at) = network.look_up(ready + 1_200 * MS, self.machine, &name, 16 * MS);
        let mut line = Connection::open(network, at, self.machine, &relay, 443);
        let ready = self.begin(&mut line, at, random);
        line.say_cut(ready, Side::Client, tls::encrypted(random, 530));
        line.say_cut(ready + 45 * MS, Side::Server, tls::encrypted(random, 210));
        let period = network.period(HEARTBEAT);
        let mut beat = ready + period;
        while beat < end {
            line.say_cut(beat, Side::Client, tls::encrypted(random, BEAT.0));
            let answered = beat + line.round_trip(Side::Server) + random.within(300..=2_000);
            line.say_cut(answered, Side::Server, tls::encrypted(random, BEAT.1));
            beat += period + random.within(0..=9 * MS);
        }
        let screen = Screen {
            controlled: Side::Client,
            input: (INPUT, INPUT),
            update: (1_100, 5_200),
            circle: self.circle,
            pause: (800, 2_700),
            wrap: tls::encrypted,
        };
        screen.show(&mut line, stretches, random);
        line.play(network);
        relay
    }

    fn begin(&self, connection: &mut Connection, at: Micros, random: &mut Random) -> Micros {
        let own = [
            (COUNTRY, "DE"),
            (ORGANISATION, "philandro Software GmbH"),
            (COMMON_NAME, "AnyNet Relay"),
        ];
        let root = [
            (COMMON_NAME, "AnyNet Root CA"),
            (ORGANISATION, "philandro Software GmbH"),
            (COUNTRY, "DE"),
        ];
        let protocols: Vec<&str> = self.protocol.into_iter().collect();
        let session = tls::Session {
            program: Program::AnyDesk,
            name: None,
            protocols: &protocols,
            answer: Answer::Readable(certificate(random, &own, &root, [18, 38])),
        };
        session.begin(connection, at, random)
    }
}

//! ScreenConnect's agent: one connection to its tenant's relay that is not TLS, kept alive every minute; a session opens
//! more volume on it. First octets: remote-access.tsv, rows `screenconnect` (no public capture was found; sizes after the hello
//! and the period of the keep-alive are this model's).

use super::screen::Screen;
use crate::lab::connection::{Connection, Side};
use crate::lab::network::{Host, MS, Micros, Network, SECOND};
use crate::lab::random::Random;
use crate::lab::truth::Stretch;

const KEEP_ALIVE: Micros = 60 * SECOND;

/// An agent.
pub(in crate::lab) struct ScreenConnect<'a> {
    /// Its machine.
    pub(in crate::lab) machine: &'a Host,
    /// The tenant's identifier in the relay's name.
    pub(in crate::lab) instance: &'a str,
    /// From a screen update to the technician's answer.
    pub(in crate::lab) circle: Micros,
}

impl ScreenConnect<'_> {
    /// Runs from `start` to `end`, with a technician at work in the stretches.
    pub(in crate::lab) fn run(
        &self,
        network: &mut Network,
        (start, end): (Micros, Micros),
        stretches: &[Stretch],
        random: &mut Random,
    ) -> Host {
        let name = format!("instance-{}-relay.screenconnect.com", self.instance);
        let (relay, at) = network.look_up(start, self.machine, &name, 21 * MS);
        let mut line = Connection::open(network, at, self.machine, &relay, 443);
        let ready = line.ready();
        let mut hello = vec![0x87, 0x15, 0x10];
        hello.extend([0; 13]);
        hello.extend(random.octets(180));
        line.say(ready, Side::Client, hello);
        line.say_cut(ready + 46 * MS, Side::Server, random.octets(64));
        line.say_cut(ready + 60 * MS, Side::Client, random.octets(520));
        let period = network.period(KEEP_ALIVE);
        let mut beat = ready + period;
        while beat < end {
            line.say_cut(beat, Side::Client, random.octets(18));
            line.say_cut(beat + 44 * MS, Side::Server, random.octets(18));
            beat += period + random.within(0..=30 * MS);
        }
        let screen = Screen {
            controlled: Side::Client,
            input: (30, 60),
            update: (1_400, 6_000),
            circle: self.circle,
            pause: (600, 1_900),
            wrap: Random::octets,
        };
        screen.show(&mut line, stretches, random);
        line.play(network);
        relay
    }
}

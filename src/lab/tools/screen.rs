//! What all remote screens have in common: input comes in clusters at a person's pace and is answered by screen updates; a
//! watched screen sends updates of its own; the far viewer's replies come a whole loop later (DETECTION 3.2, 4.1.2).

use crate::lab::connection::{Connection, Side};
use crate::lab::network::{MS, Micros, SECOND};
use crate::lab::random::Random;
use crate::lab::truth::{State, Stretch};

/// How a tool wraps what it says: octets on the wire for so many octets of content.
pub(in crate::lab) type Wrap = fn(&mut Random, usize) -> Vec<u8>;

/// A remote screen on a connection.
pub(in crate::lab) struct Screen {
    /// Which end of the connection shows its screen.
    pub(in crate::lab) controlled: Side,
    /// Content of an input event.
    pub(in crate::lab) input: (u64, u64),
    /// Content of a screen update in octets, at the controls.
    pub(in crate::lab) update: (u64, u64),
    /// From a screen update to the viewer's reply to it, as the mirror port sees the two.
    pub(in crate::lab) circle: Micros,
    /// Milliseconds between clusters of input.
    pub(in crate::lab) pause: (u64, u64),
    /// The tool's framing.
    pub(in crate::lab) wrap: Wrap,
}

impl Screen {
    /// Writes the stretches down on the connection; between them it stays silent.
    pub(in crate::lab) fn show(
        &self,
        connection: &mut Connection,
        stretches: &[Stretch],
        random: &mut Random,
    ) {
        for (from, to, state) in stretches {
            if connection.is_sparse {
                self.sparse(connection, (*from, *to), *state, random);
                continue;
            }
            match state {
                State::Viewed => self.watched(connection, *from, *to, random),
                State::Driven => self.driven(connection, *from, *to, random),
            }
        }
    }

    fn say(
        &self,
        connection: &mut Connection,
        at: Micros,
        is_screen: bool,
        length: usize,
        random: &mut Random,
    ) {
        let side = if is_screen {
            self.controlled
        } else {
            self.controlled.other()
        };
        connection.say_cut(at, side, (self.wrap)(random, length));
    }

    /// As little as shows the state: a cluster of keys with its answer every minute and a half, within ten seconds of the clock.
    fn sparse(
        &self,
        connection: &mut Connection,
        (from, to): (Micros, Micros),
        state: State,
        random: &mut Random,
    ) {
        let mut next = from;
        while next < to {
            let mut at = next / (10 * SECOND) * (10 * SECOND) + random.within(500 * MS..=4 * SECOND);
            at = at.max(from);
            if state == State::Driven {
                for _ in 0..random.within(4..=6) {
                    let length = random.count(self.input.0..=self.input.1);
                    self.say(connection, at, false, length, random);
                    at += random.within(85 * MS..=290 * MS);
                }
            }
            let drawn = at + connection.round_trip(self.controlled) + random.within(25 * MS..=70 * MS);
            let length = random.count(8_400..=9_200);
            self.say(connection, drawn, true, length, random);
            let answered = drawn + self.circle + random.within(0..=14 * MS);
            let length = usize::try_from(self.input.0).unwrap_or(20);
            self.say(connection, answered, false, length, random);
            next += random.within(75 * SECOND..=100 * SECOND);
        }
    }

    fn watched(&self, connection: &mut Connection, from: Micros, to: Micros, random: &mut Random) {
        let mut at = from;
        let mut reply = from + random.within(2 * SECOND..=6 * SECOND);
        while at < to {
            let length = random.count(1_400..=3_800);
            self.say(connection, at, true, length, random);
            if at >= reply {
                let length = random.count(self.input.0..=self.input.1);
                self.say(connection, at + self.circle, false, length, random);
                reply = at + random.within(6 * SECOND..=9 * SECOND);
            }
            at += random.within(900 * MS..=2 * SECOND);
        }
    }

    fn driven(&self, connection: &mut Connection, from: Micros, to: Micros, random: &mut Random) {
        let mut at = from + random.within(50 * MS..=400 * MS);
        while at < to {
            // A few keys, or a movement of the mouse and a click.
            let is_typing = random.percent(55);
            let events = if is_typing {
                random.within(2..=5)
            } else {
                random.within(3..=7)
            };
            let mut event = at;
            for number in 0..events {
                let length = random.count(self.input.0..=self.input.1);
                self.say(connection, event, false, length, random);
                // The first event of a cluster is answered, then every other key.
                if number == 0 || (is_typing && number % 2 == 0) {
                    let length = random.count(self.update.0..=self.update.1);
                    let drawn =
                        event + connection.round_trip(self.controlled) + random.within(25 * MS..=70 * MS);
                    self.say(connection, drawn, true, length, random);
                    if number == 0 {
                        let length = usize::try_from(self.input.0).unwrap_or(20);
                        let jitter = random.within(0..=14 * MS);
                        self.say(connection, drawn + self.circle + jitter, false, length, random);
                    }
                }
                event += if is_typing {
                    random.within(85 * MS..=290 * MS)
                } else {
                    random.within(15 * MS..=19 * MS)
                };
            }
            at = event + random.within(self.pause.0..=self.pause.1) * MS;
        }
    }
}

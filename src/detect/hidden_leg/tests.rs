//! Sessions made of chance, direct and behind a relay: the test's rates are those that it states.

use super::*;
use crate::flow::control_loop::Loop;
use crate::model::time::{SECOND, Timestamp};

/// Numbers of chance, the same in every run (xorshift, Marsaglia 2003).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Exponential with this mean.
    fn waiting(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).max(1e-9).ln()
    }

    /// Nearly normal: the sum of twelve uniform ones.
    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.next()).sum();
        mean + deviation * (sum - 6.0)
    }
}

/// How a session is worked.
#[derive(Clone, Copy)]
struct Session {
    /// Round trip from the capture point to where the transport ends, in ms.
    transport: f64,
    /// Round trip behind it, in ms.
    hidden: f64,
    /// Whether the looking program answers frames.
    has_answers: bool,
    /// Mean time between keys, in ms.
    keys: f64,
}

/// Two minutes: keys come in, each changes the screen, and the looking program answers the change.
fn two_minutes(session: Session, chance: &mut Chance) -> ControlLoop {
    // What passes the capture point: time in ms, who sent it (the screen's side or not), octets.
    let mut packets: Vec<(f64, bool, u32)> = vec![(-1_000.0, true, 10)];
    let (mut now, mut screen_is_free) = (0.0, 0.0_f64);
    while now < 120_000.0 {
        now += chance.normal(session.keys, session.keys / 3.0).max(30.0);
        packets.push((now, false, 8));
        if chance.next() < 0.2 {
            // Movements of the mouse.
            let mut moved = now;
            for _ in 0..20 {
                moved += chance.waiting(25.0);
                packets.push((moved, false, 6));
            }
        }
        let update = (now + 15.0 + chance.waiting(10.0)).max(screen_is_free);
        let octets = if chance.next() < 0.7 { 4_000 } else { 300 };
        packets.push((update, true, octets));
        screen_is_free = update + 10.0;
        packets.push((update + session.transport + chance.waiting(1.0), false, 0));
        if session.has_answers {
            let decoding = 5.0 + chance.waiting(4.0);
            let jitter = chance.waiting(session.hidden / 20.0 + 0.1);
            packets.push((
                update + session.transport + session.hidden + decoding + jitter,
                false,
                10,
            ));
        }
    }
    packets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut flow = Loop::default();
    let mut sent: Vec<(f64, u32)> = Vec::new();
    let mut end = 0u32;
    for (at, is_screen, octets) in packets {
        #[expect(clippy::cast_possible_truncation, reason = "minutes in nanoseconds")]
        let time = Timestamp(10 * SECOND + (at * 1e6) as i64);
        if is_screen {
            end = end.wrapping_add(octets);
            sent.push((at, end));
            flow.sent(time, end, octets);
        } else {
            // The transport's end has what was sent a round trip ago.
            let arrived = sent.iter().rev().find(|(then, _)| then + session.transport <= at);
            flow.came_back(time, arrived.map(|(_, end)| *end), octets);
        }
    }
    flow.into_record()
}

/// How many of `runs` sessions were judged longer, and how many could be judged at all.
fn judged(session: Session, runs: u64) -> (u32, u32) {
    let mut counts = (0, 0);
    for run in 0..runs {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (run + 1).wrapping_mul(0xd134_2543_de82_ef95));
        if let Ok(record) = judge(&two_minutes(session, &mut chance)) {
            counts.1 += 1;
            counts.0 += u32::from(record.verdict == "longer");
        }
    }
    counts
}

#[test]
fn a_leg_of_80_ms_and_more_is_found_in_nine_of_ten_sessions_and_its_length_is_right() {
    for hidden in [80.0, 180.0, 300.0] {
        for transport in [2.0, 20.0, 80.0] {
            let session = Session {
                transport,
                hidden,
                has_answers: true,
                keys: 450.0,
            };
            let (longer, _) = judged(session, 100);
            assert!(
                longer >= 90,
                "{longer} of 100 for {hidden} ms behind {transport} ms"
            );
            let record = judge(&two_minutes(session, &mut Chance(7))).unwrap();
            assert!(
                (record.excess_ms - hidden).abs() < 20.0,
                "{record:?} for {hidden}"
            );
        }
    }
}

#[test]
fn fewer_direct_sessions_than_the_stated_rate_are_called_longer() {
    for (transport, has_answers) in [(1.0, true), (20.0, true), (150.0, true), (20.0, false)] {
        let session = Session {
            transport,
            hidden: 0.0,
            has_answers,
            keys: 450.0,
        };
        let (longer, judged) = judged(session, 300);
        assert!(longer < 3, "{longer} of 300 over {transport} ms");
        assert_eq!(judged > 270, has_answers, "{judged} of 300 were judged");
    }
}

#[test]
fn what_comes_at_any_time_answers_nothing() {
    let even = Lags([5; LAG_STEPS]);
    let reply = Reply {
        length: 20,
        answered: 500,
        before: 0,
        alone: 0,
        lags: even.clone(),
        behind_its_own: Lags::default(),
    };
    let seen = ControlLoop {
        bursts: 500,
        replies: vec![reply],
        all: even,
    };
    assert!(judge(&seen).is_err());
    assert_eq!(peak(&seen.all), None);
    assert!(judge(&ControlLoop::default()).is_err());
}

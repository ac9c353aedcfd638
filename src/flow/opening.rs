//! How a connection opens: what one program says, and how long after the transport's acknowledgement the other's answers it.
//!
//! Remote-access protocols begin with questions that programs answer without waiting for anybody: versions, keys, security types,
//! channels (SSH: RFC 4253, 4252 and 4254; RFB: RFC 6143, 7.1 to 7.3; RDP: MS-RDPBCGR 1.3.1.1; TLS: RFC 8446, 2). A relay acknowledges each
//! question itself and has to carry it on, so every answer is late by the leg behind it, while at least one answer of a program that sits
//! at the connection's end comes at once. This shows legs behind protocols whose clients answer nothing afterwards (DETECTION 3.2;
//! CalcuLatency, USENIX Security 2024, and Xue et al., NDSS 2025, compare such layers, too).
//!
//! Only the first few answers count: later ones wait for somebody's hands. And only those to what was said in one go: where a program goes on
//! speaking after a pause, an answer may belong to what it said first, and its lag behind the rest shows nothing (so a picture that is
//! drawn in pieces is answered while it still comes).
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::model::fact::Side;
use crate::model::segment::{Layer, Segment, tcp_flag};
use crate::model::sketch::Sketch;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Answers that are looked at. The shortest of the openings that were recorded (RFB without encryption) has five.
pub const MOST: usize = 6;

/// Whoever lets the other wait for longer is a person, and the opening is over.
const LONGEST: Nanoseconds = 2 * SECOND;

/// Who goes on speaking after this has said two things.
const IN_ONE_GO: Nanoseconds = SECOND * 3 / 100;

/// A distance of sequence numbers beyond this is behind, not ahead (RFC 9293, 3.4).
const HALF: u32 = 1 << 31;

/// What one side said last, and how what it said was answered.
#[derive(Clone, Copy, Debug, Default)]
struct Speaker {
    /// Sequence number behind its last octet.
    end: u32,
    /// It said something that the other side has not answered yet.
    is_waiting: bool,
    has_spoken: bool,
    /// When it began to say what it waits to be answered.
    began: Timestamp,
    /// And when it said the last of that.
    last: Timestamp,
    /// When the transport acknowledged all of it.
    acknowledged: Option<Timestamp>,
    /// Time from there to the answer.
    lags: [Nanoseconds; MOST],
    count: usize,
    is_over: bool,
}

impl Speaker {
    /// The other side acknowledged up to here.
    fn acknowledge(&mut self, at: Timestamp, acknowledgement: u32) {
        if self.is_waiting && self.acknowledged.is_none() && acknowledgement.wrapping_sub(self.end) < HALF {
            self.acknowledged = Some(at);
        }
    }

    /// The other side said something.
    fn answered(&mut self, at: Timestamp) {
        let is_waiting = std::mem::take(&mut self.is_waiting);
        // Before the acknowledgement: both speak at once, and it is no answer.
        let Some(since) = self.acknowledged.take().filter(|_| is_waiting && !self.is_over) else {
            return;
        };
        let lag = at.since(since);
        if !(0..=LONGEST).contains(&lag) {
            self.is_over = true;
            return;
        }
        if self.last.since(self.began) > IN_ONE_GO {
            return;
        }
        if let Some(place) = self.lags.get_mut(self.count) {
            *place = lag;
            self.count = self.count.saturating_add(1);
        }
        self.is_over = self.count >= MOST;
    }

    /// It says something that ends here.
    fn says(&mut self, at: Timestamp, end: u32) {
        if self.has_spoken && end.wrapping_sub(self.end).wrapping_sub(1) >= HALF {
            // Sent twice: which copy is answered cannot be told (Karn's rule).
            self.is_waiting = false;
            return;
        }
        if !self.is_waiting {
            self.began = at;
        }
        self.last = at;
        self.has_spoken = true;
        self.end = end;
        self.is_waiting = true;
        self.acknowledged = None;
    }

    fn sketch(&self) -> Sketch {
        let mut sketch = Sketch::default();
        for lag in self.lags.iter().take(self.count) {
            sketch.add(*lag);
        }
        sketch
    }
}

/// The opening of one connection.
#[derive(Clone, Debug, Default)]
pub struct Opening([Speaker; 2]);

impl Opening {
    /// Follows a segment.
    pub fn follow(&mut self, segment: &Segment, side: Side) {
        if segment.layer != Layer::Tcp || segment.has_tcp(tcp_flag::SYN) || segment.has_tcp(tcp_flag::RST) {
            return;
        }
        let Self([client, server]) = self;
        if client.is_over && server.is_over {
            return;
        }
        let (own, other) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        if segment.has_tcp(tcp_flag::ACK) {
            other.acknowledge(segment.at, segment.acknowledgement);
        }
        if segment.payload_on_wire > 0 {
            let end = segment.sequence.wrapping_add(segment.payload_on_wire);
            let is_new = !own.has_spoken || end.wrapping_sub(own.end).wrapping_sub(1) < HALF;
            if is_new {
                other.answered(segment.at);
            }
            own.says(segment.at, end);
        }
    }

    /// Answers to what the client said, and to what the server said.
    #[must_use]
    pub fn into_record(self) -> [Sketch; 2] {
        self.0.map(|speaker| speaker.sketch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: i64 = 1_000_000;

    /// A connection in which the client answers each of the server's questions, which reach the capture point's far end after `half` ms and
    /// are acknowledged there, `answer` ms after the acknowledgement.
    fn opening(answer: &[i64]) -> [Sketch; 2] {
        let mut opening = Opening::default();
        let mut at = 1_000;
        let (mut asked, mut told) = (u32::MAX - 20, 77);
        let mut send = |at: i64, sequence, acknowledgement, length, side| {
            let segment = Segment {
                at: Timestamp(at * MILLISECOND),
                layer: Layer::Tcp,
                tcp_flags: tcp_flag::ACK,
                sequence,
                acknowledgement,
                payload_on_wire: length,
                ..Segment::default()
            };
            opening.follow(&segment, side);
        };
        for lag in answer {
            send(at, asked, told, 12, Side::Server);
            asked = asked.wrapping_add(12);
            send(at + 20, told, asked, 0, Side::Client);
            send(at + 20 + lag, told, asked, 30, Side::Client);
            told += 30;
            send(at + 21 + lag, asked, told, 0, Side::Server);
            at += 22 + lag;
        }
        opening.into_record()
    }

    #[test]
    fn answers_are_counted_from_the_acknowledgement_of_their_question() {
        let [to_client, to_server] = opening(&[180, 190, 181]);
        assert_eq!(
            (to_server.count(), to_server.least()),
            (3, Some(180 * MILLISECOND))
        );
        // The server's next question is its answer to the client.
        assert_eq!((to_client.count(), to_client.least()), (2, Some(MILLISECOND)));
    }

    #[test]
    fn an_opening_ends_when_somebody_is_waited_for_and_after_a_few_answers() {
        let [_, server] = opening(&[5, 5, 7_000, 5, 5]);
        assert_eq!(server.count(), 2);
        let [_, server] = opening(&[5; 20]);
        assert_eq!(server.count(), 6);
    }

    #[test]
    fn what_crosses_a_question_or_repeats_one_is_no_answer() {
        let mut opening = Opening::default();
        let data = |at: i64, sequence, acknowledgement, length| Segment {
            at: Timestamp(at * MILLISECOND),
            layer: Layer::Tcp,
            tcp_flags: tcp_flag::ACK,
            sequence,
            acknowledgement,
            payload_on_wire: length,
            ..Segment::default()
        };
        opening.follow(&data(0, 1, 1, 10), Side::Server);
        opening.follow(&data(1, 1, 1, 10), Side::Client);
        opening.follow(&data(100, 11, 11, 10), Side::Server);
        opening.follow(&data(300, 11, 11, 10), Side::Server);
        opening.follow(&data(320, 11, 21, 10), Side::Client);
        let [_, server] = opening.into_record();
        assert_eq!(server.count(), 0);
    }

    #[test]
    fn an_answer_to_what_was_said_with_pauses_is_not_measured() {
        let mut opening = Opening::default();
        let data = |at: i64, sequence, acknowledgement, length| Segment {
            at: Timestamp(at * MILLISECOND),
            layer: Layer::Tcp,
            tcp_flags: tcp_flag::ACK,
            sequence,
            acknowledgement,
            payload_on_wire: length,
            ..Segment::default()
        };
        // A picture in two pieces, sixty milliseconds apart; the answer to the first comes shortly behind the second.
        opening.follow(&data(0, 1, 1, 1_000), Side::Server);
        opening.follow(&data(60, 1_001, 1, 1_000), Side::Server);
        opening.follow(&data(62, 1, 2_001, 0), Side::Client);
        opening.follow(&data(90, 1, 2_001, 10), Side::Client);
        // One that comes at once is answered as a whole.
        opening.follow(&data(200, 2_001, 11, 1_000), Side::Server);
        opening.follow(&data(210, 3_001, 11, 1_000), Side::Server);
        opening.follow(&data(212, 11, 4_001, 0), Side::Client);
        opening.follow(&data(292, 11, 4_001, 10), Side::Client);
        let [_, server] = opening.into_record();
        assert_eq!((server.count(), server.least()), (1, Some(80 * MILLISECOND)));
    }

    proptest::proptest! {
        #[test]
        fn anything_at_all_is_taken(steps in proptest::collection::vec((0i64..1 << 40, proptest::num::u32::ANY, proptest::num::u32::ANY, 0u32..2_000, proptest::bool::ANY), 0..200)) {
            let mut opening = Opening::default();
            for (at, sequence, acknowledgement, length, is_client) in steps {
                let side = if is_client { Side::Client } else { Side::Server };
                let segment = Segment { at: Timestamp(at), layer: Layer::Tcp, tcp_flags: tcp_flag::ACK, sequence, acknowledgement, payload_on_wire: length, ..Segment::default() };
                opening.follow(&segment, side);
            }
            proptest::prop_assert!(opening.into_record().iter().all(|sketch| sketch.count() <= 6));
        }
    }
}

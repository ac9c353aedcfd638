//! How long answers take: round trips on either side of the capture point, and the loop of a remote session.

use super::sketch::{Quantiles, Sketch};
use super::time::{Nanoseconds, SECOND};

/// Width of one step of a [`Lags`] histogram.
pub const LAG_STEP: Nanoseconds = SECOND / 100;

/// Steps of a [`Lags`] histogram: a loop round the whole Earth takes a third of the second that they span.
pub const LAG_STEPS: usize = 100;

/// Counts of lags by hundredths of a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lags(pub [u16; LAG_STEPS]);

impl Default for Lags {
    fn default() -> Self {
        Self([0; LAG_STEPS])
    }
}

impl Lags {
    /// Counts a lag; `false` where it is negative or beyond the span.
    pub fn add(&mut self, lag: Nanoseconds) -> bool {
        let place = usize::try_from(lag / LAG_STEP).unwrap_or(usize::MAX);
        match self.0.get_mut(place).filter(|_| lag >= 0) {
            Some(count) => {
                *count = count.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Number of lags.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().map(|count| u32::from(*count)).sum()
    }
}

/// Packets of one length that came back after bursts: an acknowledgement of frames has one length, a key or a movement of the
/// mouse another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Length of the payload in octets.
    pub length: u32,
    /// Bursts behind which one came within a second.
    pub answered: u32,
    /// Bursts before which one came within a tenth of a second: what causes bursts rather than answering them.
    pub before: u32,
    /// Time from the acknowledgement of the burst by the transport to the first of this length.
    pub lags: Lags,
}

/// What came back after the bursts of one side (DETECTION 3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlLoop {
    /// Bursts whose end the transport acknowledged.
    pub bursts: u32,
    /// Packets back by length, the most frequent lengths.
    pub replies: Vec<Reply>,
    /// Lags of all packets back, whatever their length: the cross-correlation of bursts and replies.
    pub all: Lags,
}

/// Round trips and loops of one flow, or of the flows of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Round trips between the capture point and the client, and the server.
    pub round_trips: [Sketch; 2],
    /// What answers the bursts of the client, and of the server.
    pub loops: [ControlLoop; 2],
}

impl Latency {
    /// Figures of both sides.
    #[must_use]
    pub fn quantiles(&self) -> [Option<Quantiles>; 2] {
        self.round_trips.each_ref().map(Sketch::quantiles)
    }
}

impl ControlLoop {
    /// Adds the loop of another flow.
    pub fn merge(&mut self, other: Self) {
        self.bursts = self.bursts.saturating_add(other.bursts);
        self.all.merge(&other.all);
        for reply in other.replies {
            let has_room = self.replies.len() < MOST_REPLIES;
            match self.replies.iter_mut().find(|known| known.length == reply.length) {
                Some(known) => {
                    known.answered = known.answered.saturating_add(reply.answered);
                    known.before = known.before.saturating_add(reply.before);
                    known.lags.merge(&reply.lags);
                }
                None if has_room => self.replies.push(reply),
                None => {}
            }
        }
    }
}

/// Lengths of replies that a session remembers.
const MOST_REPLIES: usize = 32;

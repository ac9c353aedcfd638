//! How long answers take: round trips on either side of the capture point, and the loop of a remote session.

use serde::Serialize;

use super::sketch::{Quantiles, Sketch};
use super::ssh_channels::SshChannels;
use super::thresholds::THRESHOLDS;
use super::time::{Nanoseconds, SECOND, Timestamp};

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
    /// Bursts behind which one came within a second, before anything else was sent.
    pub answered: u32,
    /// Bursts before which one came within a fifth of a second: what causes bursts rather than answering them.
    pub before: u32,
    /// Bursts between which and the next one exactly one came.
    pub alone: u32,
    /// Time from the acknowledgement of the burst by the transport to the first of this length, of bursts before which none came.
    pub lags: Lags,
    /// The same of bursts before which one came: if it caused the burst, this may be the key's way up.
    pub behind_its_own: Lags,
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

/// What [`Inputs::periods`] are divided by: a sketch ends at 16.8 s.
pub const PERIOD_SCALE: i64 = 16;

/// How far input-sized packets of one side are apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// From one to the next, without silences of two seconds.
    pub gaps: Sketch,
    /// From the first behind one such silence to the first behind the next, divided by [`PERIOD_SCALE`].
    pub periods: Sketch,
    /// Windows of ten seconds in which somebody typed.
    pub typed: u32,
    /// Windows of ten seconds in which somebody moved a pointer.
    pub pointed: u32,
}

impl Inputs {
    /// Adds another flow's.
    pub fn merge(&mut self, more: &Self) {
        self.gaps.merge(&more.gaps);
        self.periods.merge(&more.periods);
        self.typed = self.typed.saturating_add(more.typed);
        self.pointed = self.pointed.saturating_add(more.pointed);
    }
}

/// The same as records show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct InputRecord {
    /// Pairs of input-sized packets with less than two seconds between them.
    pub count: u32,
    /// Median time between them.
    pub median_ms: f64,
    /// Share that is less than 15 ms apart: keys are not, unless the path holds them back and lets them go together.
    pub bunched: f64,
    /// Period of the input behind silences, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_s: Option<f64>,
    /// Seconds of ten-second windows with typing in them.
    pub typing_s: u32,
    /// Seconds of ten-second windows with movements of a pointer in them.
    pub pointing_s: u32,
}

impl InputRecord {
    /// Of one side's input; `None` where it has none.
    #[must_use]
    pub fn of(inputs: &Inputs) -> Option<Self> {
        if inputs.gaps.count() == 0 && inputs.periods.count() == 0 {
            return None;
        }
        let seconds = |share: f64| {
            let span = inputs.periods.quantile(share)?;
            Some(milliseconds(span.saturating_mul(PERIOD_SCALE)) / 1_000.0)
        };
        let period = || {
            let (low, median, high) = (seconds(0.1)?, seconds(0.5)?, seconds(0.9)?);
            (high - low <= THRESHOLDS.input.even * median).then_some((median * 10.0).round() / 10.0)
        };
        Some(Self {
            count: inputs.gaps.count(),
            median_ms: milliseconds(inputs.gaps.quantile(0.5).unwrap_or(0)),
            bunched: (inputs
                .gaps
                .share_below(THRESHOLDS.input.bunched_ms.saturating_mul(SECOND / 1_000))
                * 1_000.0)
                .round()
                / 1_000.0,
            period_s: (inputs.periods.count() >= THRESHOLDS.input.periods)
                .then(period)
                .flatten(),
            typing_s: inputs.typed.saturating_mul(10),
            pointing_s: inputs.pointed.saturating_mul(10),
        })
    }
}

/// Round trips and loops of one flow, or of the flows of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Round trips between the capture point and the client, and the server.
    pub round_trips: [Sketch; 2],
    /// How long after the transport's acknowledgement the other program answered what the client said while the connection opened, and what
    /// the server said.
    pub openings: [Sketch; 2],
    /// Input-sized packets of the client, and of the server; nothing where neither sent any.
    pub inputs: Option<Box<[Inputs; 2]>>,
    /// What answers the bursts of the client, and of the server; nothing where neither sent any.
    pub loops: Option<Box<[ControlLoop; 2]>>,
    /// Of one flow of SSH: who opened channels in it.
    pub channels: Option<SshChannels>,
    /// Loops were left out, because what comes back may belong to another stream of the same connection.
    pub is_shared: bool,
}

impl Latency {
    /// With client and server exchanged.
    #[must_use]
    pub fn turned(mut self) -> Self {
        self.round_trips.swap(0, 1);
        self.openings.swap(0, 1);
        if let Some(inputs) = &mut self.inputs {
            inputs.swap(0, 1);
        }
        if let Some(loops) = &mut self.loops {
            loops.swap(0, 1);
        }
        self
    }

    /// Adds another flow's.
    pub fn merge(&mut self, other: Self) {
        self.is_shared |= other.is_shared;
        for (known, more) in self.round_trips.iter_mut().zip(&other.round_trips) {
            known.merge(more);
        }
        for (known, more) in self.openings.iter_mut().zip(&other.openings) {
            known.merge(more);
        }
        match (&mut self.inputs, other.inputs) {
            (Some(inputs), Some(others)) => {
                for (known, more) in inputs.iter_mut().zip(others.iter()) {
                    known.merge(more);
                }
            }
            (inputs @ None, others) => *inputs = others,
            (Some(_), None) => {}
        }
        match (&mut self.loops, other.loops) {
            (Some(loops), Some(others)) => {
                for (known, more) in loops.iter_mut().zip(*others) {
                    known.merge(more);
                }
            }
            (loops @ None, others) => *loops = others,
            (Some(_), None) => {}
        }
    }

    /// The loop of the side that comes first.
    #[must_use]
    pub fn first_loop(&self) -> Option<&ControlLoop> {
        let [first, _] = self.loops.as_deref()?;
        Some(first)
    }

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
                    known.alone = known.alone.saturating_add(reply.alone);
                    known.lags.merge(&reply.lags);
                    known.behind_its_own.merge(&reply.behind_its_own);
                }
                None if has_room => self.replies.push(reply),
                None => {}
            }
        }
    }
}

/// Lengths of replies that a session remembers.
const MOST_REPLIES: usize = 32;

/// Round trips as records show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RoundTripRecord {
    /// Number of samples.
    pub count: u32,
    /// The least, in milliseconds.
    pub min_ms: f64,
    /// The median.
    pub median_ms: f64,
    /// Nine of ten are no longer.
    pub p90_ms: f64,
    /// Mean change from one sample to the next.
    pub jitter_ms: f64,
}

impl From<Quantiles> for RoundTripRecord {
    fn from(quantiles: Quantiles) -> Self {
        Self {
            count: quantiles.count,
            min_ms: milliseconds(quantiles.least),
            median_ms: milliseconds(quantiles.median),
            p90_ms: milliseconds(quantiles.ninth_decile),
            jitter_ms: milliseconds(quantiles.jitter),
        }
    }
}

/// A span in milliseconds with three digits behind the point.
#[must_use]
pub fn milliseconds(span: Nanoseconds) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a round trip are far below 2^52"
    )]
    let micros = (span / 1_000) as f64;
    micros / 1_000.0
}

/// The loop of a session against the round trip of its transport.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoopRecord {
    /// Bursts of the screen that the transport acknowledged.
    pub bursts: u32,
    /// Of these, the ones that the other end's program answered.
    pub answered: u32,
    /// Length of its answers in octets.
    pub answer_length: u32,
    /// How much later than the transport's acknowledgement nine of ten answers came, at least (estimator E1).
    pub excess_ms: f64,
    /// The median of that.
    pub median_excess_ms: f64,
    /// Most frequent lag of any packet back (estimator E2), where one stands out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_ms: Option<f64>,
    /// Whether the two estimators agree.
    pub estimators_agree: bool,
    /// Natural logarithm of the likelihood ratio of a longer loop against a direct one.
    pub log_likelihood: f64,
    /// How often a direct session would be called longer, at most.
    pub false_positive_rate: f64,
    /// `longer`, `direct` or `undecided`.
    pub verdict: &'static str,
}

/// The answers of a connection's opening against the round trip of its transport.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OpeningRecord {
    /// Answers of the other end's program.
    pub answers: u32,
    /// How much later than the transport's acknowledgement of what they answer they came, at least.
    pub least_ms: f64,
    /// The median of that.
    pub median_ms: f64,
    /// Natural logarithm of the likelihood ratio of a longer loop against a direct one.
    pub log_likelihood: f64,
    /// How often a direct session would be called longer, at most.
    pub false_positive_rate: f64,
    /// `longer` or `undecided`: an opening with quick answers may be a relay's own.
    pub verdict: &'static str,
}

/// A claimed place against a round trip.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DistanceRecord {
    /// Who claims it, in words.
    pub claimed_by: String,
    /// Kilometres from the capture point to the claimed place, its uncertainty taken off.
    pub distance_km: f64,
    /// Kilometres that light in fibre covers in the least round trip, one way (two thirds of its speed in the void).
    pub possible_km: f64,
    /// Kilometres that are usual for it (four ninths of that speed).
    pub likely_km: f64,
    /// The least round trip in milliseconds.
    pub round_trip_ms: f64,
    /// Samples that it is the least of.
    pub samples: u32,
}

/// What was measured of a session's delays, and what it was compared with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LatencyRecord {
    /// Between the capture point and the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_side: Option<RoundTripRecord>,
    /// Between the capture point and the other end of the transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_side: Option<RoundTripRecord>,
    /// The loop of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_loop: Option<LoopRecord>,
    /// Input-sized packets of who drives the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputRecord>,
    /// The opening of its connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<OpeningRecord>,
    /// The claimed place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<DistanceRecord>,
}

/// Round trips between a host and the capture point, by the handshakes of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// The least, the shortest first, [`NONE`] behind them: one alone may be a clock that was set between two packets.
    shortest: [Nanoseconds; SHORTEST],
    /// Number of them.
    pub samples: u32,
    /// First and last connection.
    pub span: (Timestamp, Timestamp),
}

/// How many of the least are kept.
const SHORTEST: usize = 3;

/// No round trip.
const NONE: Nanoseconds = Nanoseconds::MAX;

impl Default for Near {
    fn default() -> Self {
        Self::NOTHING
    }
}

impl Near {
    /// Of a host of which none was seen.
    pub const NOTHING: Self = Self {
        shortest: [NONE; SHORTEST],
        samples: 0,
        span: (Timestamp(0), Timestamp(0)),
    };

    /// Takes the round trip of a connection that began at a moment.
    pub fn add(&mut self, at: Timestamp, round_trip: Nanoseconds) {
        self.widen((at, at));
        self.keep(round_trip);
        self.samples = self.samples.saturating_add(1);
    }

    fn widen(&mut self, (first, last): (Timestamp, Timestamp)) {
        self.span = if self.samples > 0 {
            (self.span.0.min(first), self.span.1.max(last))
        } else {
            (first, last)
        };
    }

    fn keep(&mut self, round_trip: Nanoseconds) {
        let mut longer = round_trip;
        for place in &mut self.shortest {
            if *place > longer {
                std::mem::swap(place, &mut longer);
            }
        }
    }

    /// Adds those of another address of the same host.
    pub fn merge(&mut self, other: Self) {
        if other.samples == 0 {
            return;
        }
        self.widen(other.span);
        other
            .shortest
            .into_iter()
            .for_each(|round_trip| self.keep(round_trip));
        self.samples = self.samples.saturating_add(other.samples);
    }

    /// A round trip that at least three connections stayed within.
    #[must_use]
    pub fn confirmed(&self) -> Option<Nanoseconds> {
        self.shortest.last().copied().filter(|longest| *longest != NONE)
    }
}

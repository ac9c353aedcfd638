//! What the delays of a session's flows say: round trips on both sides, how far the peer can be, and the hidden leg.

use std::sync::{Arc, LazyLock};

use super::hidden_leg::{self, TOO_FEW};
use super::opening_answers;
use super::thresholds::THRESHOLDS;
use crate::model::evidence::{Decibans, Evidence, Family, State};
use crate::model::fact::{FieldId, Value};
use crate::model::flow::FlowRecord;
use crate::model::latency::{
    InputRecord, Latency, LatencyRecord, LoopRecord, OpeningRecord, RoundTripRecord,
};
use crate::model::sketch::Quantiles;
use crate::model::sphere::{CapturePoint, at_most, reach_km};
use crate::model::time::Nanoseconds;

const ALPN: FieldId = FieldId::of("tls.alpn");

/// Round trips that a dissector saw in what it read.
const OPENVPN_ROUND_TRIP: FieldId = FieldId::of("openvpn.round_trip");

/// Protocols whose answers wait for something else than the screen: mail that is pushed, and streams that share a connection.
/// A third of the false positives of NDSS 2025 were IMAP.
const OTHERS: [&str; 4] = ["imap", "pop3", "smtp", "http2"];

/// Why a loop is not followed that was there.
const SHARED: &str = "streams may share the connection (HTTP/2 was offered), so that what answers a change of the screen cannot be told";

/// Delays of a session's flows. Most have one flow, of which no more is known than its handshake: that is kept as it is, because a
/// sketch of it would be the largest part of what is remembered of fifty thousand sessions.
#[derive(Clone, Debug, Default)]
pub(super) enum Measured {
    /// None.
    #[default]
    Nothing,
    /// Of one handshake: round trips to the host and to the other end, negative where there is none.
    Handshake([Nanoseconds; 2]),
    /// All else.
    Sketched(Box<Latency>),
}

impl Measured {
    /// Adds another flow's, or another session's.
    pub(super) fn merge(&mut self, other: Self) {
        if matches!(self, Self::Nothing) {
            *self = other;
            return;
        }
        let Some(other) = other.into_latency() else { return };
        if let Some(mut known) = std::mem::take(self).into_latency() {
            known.merge(*other);
            *self = Self::Sketched(known);
        }
    }

    /// As sketches.
    pub(super) fn into_latency(self) -> Option<Box<Latency>> {
        match self {
            Self::Nothing => None,
            Self::Handshake(spans) => {
                let mut measured = Box::<Latency>::default();
                for (sketch, span) in measured.round_trips.iter_mut().zip(spans) {
                    sketch.add(span);
                }
                Some(measured)
            }
            Self::Sketched(measured) => Some(measured),
        }
    }
}

/// Delays of one flow, those of the local host first.
pub(super) fn of_flow(flow: &FlowRecord, local_is_client: bool) -> Measured {
    if flow.latency.is_none() && !flow.facts.may_have(OPENVPN_ROUND_TRIP) {
        let [client, server] = handshake(flow);
        return match (client, server) {
            (..0, ..0) => Measured::Nothing,
            spans if local_is_client => Measured::Handshake(spans.into()),
            (client, server) => Measured::Handshake([server, client]),
        };
    }
    let mut measured = flow.latency.clone().unwrap_or_default();
    if flow.latency.is_none() {
        for (sketch, span) in measured.round_trips.iter_mut().zip(handshake(flow)) {
            sketch.add(span);
        }
    }
    for fact in flow.facts.iter().filter(|fact| fact.field == OPENVPN_ROUND_TRIP) {
        let span = fact.value.as_number().and_then(|span| i64::try_from(span).ok());
        if let (Some(span), Some(sketch)) = (span, measured.round_trips.get_mut(fact.side.index())) {
            sketch.add(span);
        }
    }
    if measured.round_trips.iter().all(|sketch| sketch.count() == 0) && flow.latency.is_none() {
        return Measured::Nothing;
    }
    // What was not measured has neither loops nor openings.
    if flow.latency.is_some() {
        let is_shared = is_shared(flow);
        if is_shared {
            measured.is_shared = measured.loops.take().is_some();
        }
        if is_shared || local_is_client || !opening_answers::is_negotiated(flow) {
            measured.openings = Default::default();
        }
    }
    if !local_is_client {
        *measured = measured.turned();
    }
    Measured::Sketched(measured)
}

/// What a flow that was not measured shows all the same: the round trips of its handshake, or the answer to its question, the client's
/// first; negative where there is none.
fn handshake(flow: &FlowRecord) -> [Nanoseconds; 2] {
    let tcp = flow.tcp.as_ref();
    let mut spans = [
        tcp.and_then(|tcp| tcp.client_rtt),
        tcp.and_then(|tcp| tcp.server_rtt),
    ];
    if let Some((side, span)) = flow.answer
        && let Some(place) = spans.get_mut(side.index())
    {
        *place = Some(span);
    }
    spans.map(|span| span.unwrap_or(-1))
}

/// Whether answers on a flow may belong to something else than a session.
fn is_shared(flow: &FlowRecord) -> bool {
    let offers_http2 = || {
        let mut offers = flow.facts.iter().filter(|fact| fact.field == ALPN);
        offers.any(|fact| match fact.value {
            Value::Text { bytes, .. } => bytes.split(|byte| *byte == b',').any(|one| one == b"h2"),
            Value::Bytes { .. } | Value::Number(_) | Value::Endpoint(..) | Value::Answer { .. } => false,
        })
    };
    OTHERS.iter().any(|name| flow.speaks(name)) || offers_http2()
}

/// What is said of a session's delays.
#[derive(Debug, Default)]
pub(super) struct Delays {
    pub(super) record: Option<LatencyRecord>,
    pub(super) evidence: Vec<Evidence>,
    /// By how many milliseconds the loop is longer than its transport.
    pub(super) excess_ms: Option<f64>,
    /// Why that is not known.
    pub(super) hidden: &'static str,
    /// Median round trip to the peer in milliseconds.
    pub(super) transport_ms: Option<f64>,
}

/// What a session shows of who sits at its ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    /// The host may be the one whose screen is looked at.
    pub(super) has_screen: bool,
    /// Somebody else drives the host.
    pub(super) is_controlled: bool,
}

/// Puts a session's delays into words; `at` is where the capture point stands.
pub(super) fn told(measured: Option<&Latency>, shown: Shown, at: Option<CapturePoint>) -> Delays {
    let mut delays = Delays {
        hidden: "no round trips of a session were measured",
        ..Delays::default()
    };
    if let Some(measured) = measured {
        tell(&mut delays, measured, measured.quantiles(), shown, at);
    }
    delays
}

/// The same of a session's delays as they were kept.
pub(super) fn told_of(measured: Measured, shown: Shown, at: Option<CapturePoint>) -> Delays {
    let Measured::Handshake(spans) = measured else {
        return told(measured.into_latency().as_deref(), shown, at);
    };
    let mut delays = told(None, shown, at);
    tell(
        &mut delays,
        &Latency::default(),
        spans.map(Quantiles::once),
        shown,
        at,
    );
    delays
}

/// Puts what was measured, and what it comes to at either side, into words.
fn tell(
    delays: &mut Delays,
    measured: &Latency,
    [host_side, peer_side]: [Option<Quantiles>; 2],
    shown: Shown,
    at: Option<CapturePoint>,
) {
    let mut record = LatencyRecord {
        host_side: host_side.map(Into::into),
        peer_side: peer_side.map(Into::into),
        ..LatencyRecord::default()
    };
    if let (Some(peer), Some(quantiles)) = (record.peer_side, peer_side) {
        delays.transport_ms = Some(peer.median_ms);
        delays.evidence.push(round_trip_item(&peer, quantiles.least, at));
    }
    if shown.has_screen {
        let of_host = measured.first_loop();
        let none = if measured.is_shared { SHARED } else { TOO_FEW };
        match of_host.map_or(Err(none), hidden_leg::judge) {
            Ok(judged) => {
                if judged.verdict == "undecided" {
                    delays.hidden =
                        "the answers to changes of the screen are too few or too mixed to tell a longer loop";
                } else {
                    delays.excess_ms = Some(judged.excess_ms);
                }
                delays.evidence.push(loop_item(&judged));
                record.control_loop = Some(judged);
            }
            Err(reason) => {
                delays.hidden = reason;
                let mut item = Evidence::observed(Family::Lat, reason.to_owned(), Decibans(0.0), &[], None);
                item.measure = Some("control_loop".to_owned());
                item.state = State::NotObservable;
                delays.evidence.push(item);
            }
        }
    } else {
        delays.hidden = "the host does not show its screen while it is connected";
    }
    let input = measured.inputs.as_deref().map(|[_, input]| input);
    record.input = input.and_then(InputRecord::of).filter(|_| shown.is_controlled);
    if let Some(period) = record.input.and_then(|input| input.period_s) {
        let what = format!(
            "packets of the size of input come every {period:.1} s behind silences, more evenly than a hand's"
        );
        let mut item = Evidence::observed(Family::Time, what, Decibans(0.0), &[], None);
        item.measure = Some("input_period".to_owned());
        item.note = Some(
            "consistent with a program that keeps the session awake; keep-alives of the tool look the same"
                .into(),
        );
        delays.evidence.push(item);
    }
    let [opening, _] = &measured.openings;
    record.opening = opening_answers::judge(opening).filter(|_| shown.is_controlled);
    if let Some(judged) = record
        .opening
        .as_ref()
        .filter(|judged| judged.verdict == "longer")
    {
        delays.evidence.push(opening_item(judged));
        match record.control_loop.as_ref().map_or("", |judged| judged.verdict) {
            "longer" => {}
            "direct" => {
                delays.excess_ms = None;
                delays.hidden = "the opening of the connection and its answers to changes of the screen contradict each other";
            }
            _ => delays.excess_ms = Some(judged.least_ms),
        }
    }
    delays.record = Some(record);
}

/// What is noted where nobody said where the capture point stands: the same text in thousands of findings.
static NOWHERE: LazyLock<Arc<str>> = LazyLock::new(|| {
    "how far that reaches cannot be told: where the capture point stands is not known (--at)".into()
});

/// Below this a round trip is shown as nothing, which bounds nothing.
const SHOWN_MS: f64 = 0.05;

/// A span in words; what is too short to show has an upper bound instead.
fn span(milliseconds: f64) -> String {
    if milliseconds < SHOWN_MS {
        return "less than 0.1 ms".to_owned();
    }
    // Round trips are whole microseconds. Unless they lie in the middle between two tenths, where it matters on which side the binary
    // fraction lies, the tenths are told from them: thousands of findings have a sentence with it.
    let micros = (milliseconds * 1_000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a small positive number"
    )]
    let whole = micros as u64;
    let is_whole = micros < 1e9 && (milliseconds * 1_000.0 - micros).abs() < 1e-3;
    if !is_whole || whole % 100 == 50 {
        return format!("{milliseconds:.1} ms");
    }
    let tenths = whole.saturating_add(50) / 100;
    let [milliseconds, tenth] = [tenths / 10, tenths % 10].map(|number| number.to_string());
    [&milliseconds, ".", &tenth, " ms"].concat()
}

fn round_trip_item(peer: &RoundTripRecord, least: Nanoseconds, at: Option<CapturePoint>) -> Evidence {
    let what = if peer.count == 1 {
        [
            "round trip from the capture point to the other end of the connection: ",
            &span(peer.min_ms),
        ]
        .concat()
    } else {
        let floor = if peer.min_ms < SHOWN_MS {
            String::new()
        } else {
            format!("{:.1} ms at least, ", peer.min_ms)
        };
        format!(
            "round trips from the capture point to the other end of the connection: {floor}{} the median, {} for nine of ten, of {} \
             ({} from one to the next)",
            span(peer.median_ms),
            span(peer.p90_ms),
            peer.count,
            span(peer.jitter_ms)
        )
    };
    let mut item = Evidence::observed(Family::Lat, what, Decibans(0.0), &[], None);
    item.measure = Some("round_trip".to_owned());
    item.note = Some(match at {
        Some(_) if peer.count < THRESHOLDS.round_trip.least_samples => {
            "too few round trips to say how far away that end is: one alone may be a clock that was set"
                .into()
        }
        Some(at) => {
            let (possible, likely) = reach_km(at_most(least, at.grain));
            format!(
                "so that end, which need not be where a person sits, is within {possible:.0} km of the capture point ({}), and \
                 usually within {likely:.0} km",
                at.source
            )
            .into()
        }
        None => Arc::clone(&NOWHERE),
    });
    item
}

fn opening_item(judged: &OpeningRecord) -> Evidence {
    let what = format!(
        "while the connection opened, the other end's program answered {} times, each time {:.0} ms or more (median {:.0} ms) after the \
         connection's other end had acknowledged what it answers: the program runs behind that end",
        judged.answers, judged.least_ms, judged.median_ms
    );
    let mut item = Evidence::observed(Family::Lat, what, Decibans(0.0), &[], None);
    item.measure = Some("opening".to_owned());
    item.note = Some(
        format!(
            "at most {:.1} % of direct sessions are called longer; a proxy, load balancer or accelerator that ends TCP looks the same",
            judged.false_positive_rate * 100.0
        )
        .into(),
    );
    item
}

fn loop_item(judged: &LoopRecord) -> Evidence {
    let counted = format!("{} of {} changes of the screen", judged.answered, judged.bursts);
    let (state, what) = match judged.verdict {
        "longer" => (
            State::Observed,
            format!(
                "{counted} are answered by packets of {} octets, {:.0} ms or more after the connection's other end acknowledged \
                 them (median {:.0} ms), which is consistent with somebody who looks on from behind that end",
                judged.answer_length, judged.excess_ms, judged.median_excess_ms
            ),
        ),
        "direct" => (
            State::Absent,
            format!(
                "{counted} are answered {:.0} ms (median {:.0} ms) after the connection's other end acknowledged them, which is consistent \
                 with somebody who looks on at that end",
                judged.excess_ms, judged.median_excess_ms
            ),
        ),
        _ => (
            State::NotObservable,
            format!(
                "{counted} are answered, too few or too mixed to tell whether somebody looks on from behind the connection's other end"
            ),
        ),
    };
    let mut item = Evidence::observed(Family::Lat, what, Decibans(0.0), &[], None);
    item.state = state;
    item.measure = Some("control_loop".to_owned());
    let check = match judged.correlation_ms {
        Some(lag) if judged.estimators_agree => format!("correlation of all packets agrees ({lag:.0} ms)"),
        Some(lag) => format!("correlation of all packets says {lag:.0} ms instead"),
        None => "correlation of all packets shows no peak".to_owned(),
    };
    item.note = Some(
        format!(
            "at most {:.1} % of direct sessions are called longer; {check}",
            judged.false_positive_rate * 100.0
        )
        .into(),
    );
    item
}

#[cfg(test)]
mod tests;

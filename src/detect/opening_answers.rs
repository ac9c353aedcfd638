//! Does a program answer from behind the connection's end while the connection opens? (DETECTION 3.2)
//!
//! Whoever sits behind a relay has every answer arrive late by the leg behind it; of a program that sits at the end at least one comes at once,
//! however slow its others are ([`crate::flow::opening`]). So all of them must be late, and there must be enough for the sequential test
//! of [`hidden_leg`](super::hidden_leg) with its share of the false positives. Quick answers say nothing: a relay that speaks the protocol
//! gives them, too.
//!
//! The number of answers was chosen on the recordings `fixtures/legs/*-{10,90,10-90}`; bounds and error rates are those of the other estimator.
//!
//! Not for protocols whose opening waits for people (Telnet), and not for connections that the host opened itself: there a server
//! answers, which may take its time.

use super::hidden_leg::own;
use crate::model::fact::{FieldId, Value};
use crate::model::flow::FlowRecord;
use crate::model::latency::{OpeningRecord, milliseconds};
use crate::model::sketch::Sketch;

/// Protocols that begin with questions which programs answer by themselves.
const NEGOTIATED: [&str; 5] = ["ssh", "rdp", "vnc", "tls", "nomachine"];

/// Beginning of what a WebSocket's server sends.
const TO_CLIENT: FieldId = FieldId::of("websocket.to_client");

/// What RFB begins with (RFC 6143, 7.1.1).
const RFB: &[u8] = b"RFB ";

/// Whether the flow's opening may be judged.
pub(super) fn is_negotiated(flow: &FlowRecord) -> bool {
    let carries_rfb = || {
        flow.facts
            .iter()
            .filter(|fact| fact.field == TO_CLIENT)
            .any(|fact| match fact.value {
                Value::Text { bytes, .. } | Value::Bytes { bytes, .. } => bytes.starts_with(RFB),
                Value::Number(_) | Value::Endpoint(..) | Value::Answer { .. } => false,
            })
    };
    NEGOTIATED.iter().any(|name| flow.speaks(name)) || flow.speaks("websocket") && carries_rfb()
}

/// Judges the answers to what a host said; `None` without any.
pub(super) fn judge(answers: &Sketch) -> Option<OpeningRecord> {
    let seen = answers.quantiles()?;
    // Of several connections one answer in ten may have crossed another question.
    let count = f64::from(seen.count);
    let floor = if seen.count < 10 {
        seen.least
    } else {
        answers.quantile(0.1)?
    };
    let short = if seen.least >= own().long() {
        0.0
    } else {
        (count * 0.1).ceil()
    };
    let are_late = floor >= own().long();
    let log_likelihood = if are_late {
        own().independence
            * ((count - short) * (own().long_if_longer / own().long_if_direct).ln()
                + short * ((1.0 - own().long_if_longer) / (1.0 - own().long_if_direct)).ln())
    } else {
        0.0
    };
    let rate = own().false_positive_rate * own().share_of_false_positives;
    Some(OpeningRecord {
        answers: seen.count,
        least_ms: milliseconds(seen.least),
        median_ms: milliseconds(seen.median),
        log_likelihood: (log_likelihood * 10.0).round() / 10.0,
        false_positive_rate: rate,
        verdict: if log_likelihood >= rate.recip().ln() {
            "longer"
        } else {
            "undecided"
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(milliseconds: &[i64]) -> &'static str {
        let mut sketch = Sketch::default();
        for one in milliseconds {
            sketch.add(one * 1_000_000);
        }
        judge(&sketch).map_or("nothing", |record| record.verdict)
    }

    #[test]
    fn five_late_answers_are_a_leg_and_four_are_not_enough() {
        assert_eq!(verdict(&[186, 181, 181, 181, 242]), "longer");
        assert_eq!(verdict(&[186, 181, 181, 181]), "undecided");
        assert_eq!(verdict(&[]), "nothing");
    }

    #[test]
    fn one_quick_answer_shows_that_the_program_sits_at_the_end() {
        assert_eq!(verdict(&[1, 80, 104, 80, 80, 80]), "undecided");
        assert_eq!(verdict(&[39, 300, 300, 300, 300, 300]), "undecided");
    }

    #[test]
    fn of_many_connections_a_few_answers_may_have_crossed_a_question() {
        let mut list = vec![180; 60];
        list.extend([3, 4]);
        assert_eq!(verdict(&list), "longer");
        list.extend([2; 10]);
        assert_eq!(verdict(&list), "undecided");
    }

    proptest::proptest! {
        /// Direct sessions on slow machines: each answer late with the probability that the test grants, independent of the others.
        #[test]
        fn direct_sessions_are_called_longer_no_more_often_than_it_says(seed in 0u64..40) {
            let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
            let mut chance = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state >> 11
            };
            let sessions = 2_000;
            let wrong = (0..sessions)
                .filter(|_| {
                    let lags: Vec<i64> = (0..6)
                        .map(|_| if chance() % 1_000 < 200 { 41 } else { 0 } + i64::try_from(chance() % 30).unwrap())
                        .collect();
                    verdict(&lags) == "longer"
                })
                .count();
            // Four times as many late ones as the test's own bound grants.
            proptest::prop_assert!(wrong <= sessions / 100, "{wrong}");
        }
    }
}

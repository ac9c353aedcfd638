//! Does the loop of a remote session go further than its transport? (DETECTION 3.2)
//!
//! After CalcuLatency (USENIX Security 2024) and Xue et al. (NDSS 2025): a relay or the exit of a VPN ends the transport's
//! session, and the program's session goes on behind it. For every burst of the screen the time between the
//! transport's acknowledgement and the program's answer is known ([`ControlLoop`]).
//!
//! Estimator E1 takes the answers of one length: that which answers most bursts, comes in a narrow window and is no key or movement of
//! the mouse, which come before bursts too. Its tenth percentile is the floor: programs and people only add. Estimator
//! E2 takes all packets back, smooths their lags by Laplace's kernel and looks for the peak; it only checks E1.
//!
//! The thresholds for what is an answer were set on the recordings `fixtures/legs/*-{10,90,10-90}`; the others are what they are judged on
//! (tests/behaviour/legs.rs, BENCHMARKS.md).
//!
//! What it cannot find: clients that answer nothing that they are shown (SSH; RDP without frame acknowledgements). A key's echo goes back to
//! the relay, which acknowledges it, and the person does not wait for it; there the opening of the connection tells
//! (`super::opening_answers`), where it was captured.
//!
//! The test is a sequential one (Wald 1945): each answer is longer than a bound (`thresholds.toml`) or not, which it is for at most
//! `long_if_direct` of the answers of a direct session. Whenever one stops, the likelihood ratio exceeds `1 / rate` in at most a
//! share `rate` of direct sessions (Ville's inequality), so it may be asked at the end of a flow as well. Answers that
//! follow each other depend on each other: as a Markov chain of first order with a correlation of one third they count half.
//! That several lengths are looked at is paid for in full (Bonferroni).
//!
//! How many changes of the screen are enough is stated in `thresholds.toml` and nowhere else. DETECTION 3.2 proposes fifty, for a tenth percentile that stands by itself;
//! here the sequential test decides, and stops by itself after seven or eight answers that are all long, or goes on for as long as they are mixed.
//! So it is asked from `least_bursts` changes and `least_answers` answers on, below which no verdict but "undecided" would come of it.

use crate::model::latency::{ControlLoop, LAG_STEP, LAG_STEPS, Lags, LoopRecord, Reply, milliseconds};
use crate::model::time::Nanoseconds;

use super::thresholds::{HiddenLeg, THRESHOLDS};

const MILLISECOND: Nanoseconds = 1_000_000;

/// What is judgement here.
pub(super) fn own() -> &'static HiddenLeg {
    &THRESHOLDS.hidden_leg
}

impl HiddenLeg {
    /// From when on an answer is long.
    pub(super) const fn long(&self) -> Nanoseconds {
        self.long_ms.saturating_mul(MILLISECOND)
    }
}

/// Why a loop cannot be judged: the usual reason.
pub const TOO_FEW: &str = "too few changes of the screen after a pause to follow their answers";

/// Judges a loop; or says why it cannot.
pub fn judge(seen: &ControlLoop) -> Result<LoopRecord, &'static str> {
    if seen.bursts < own().least_bursts {
        return Err(TOO_FEW);
    }
    let (best_length, best) = seen
        .replies
        .iter()
        .filter_map(|reply| Some((reply.length, answers(reply, seen.bursts)?)))
        .max_by_key(|(length, lags)| (lags.total(), std::cmp::Reverse(*length)))
        .ok_or("nothing that comes back answers the changes of the screen")?;
    let total = best.total();
    let long = f64::from(above(&best, own().long()));
    let short = f64::from(total) - long;
    let log_likelihood = own().independence
        * (long * (own().long_if_longer / own().long_if_direct).ln()
            + short * ((1.0 - own().long_if_longer) / (1.0 - own().long_if_direct)).ln());
    let rate = own().false_positive_rate * own().share_of_false_positives;
    let asked = f64::from(u32::try_from(seen.replies.len()).unwrap_or(u32::MAX));
    // Answers to what was sent before the burst come early; those of the burst itself come together.
    let kept = dense(&best);
    let floor = quantile(&kept, 0.1);
    // Movements of the mouse go on behind the change that they caused: most at once, the rest at any time.
    let verdict = if log_likelihood >= (asked / rate).ln() && floor >= own().long() {
        "longer"
    } else if log_likelihood <= own().false_negative_rate.ln() {
        "direct"
    } else {
        "undecided"
    };
    let median = quantile(&kept, 0.5);
    let correlation = peak(&seen.all);
    Ok(LoopRecord {
        bursts: seen.bursts,
        answered: total,
        answer_length: best_length,
        excess_ms: milliseconds(floor),
        median_excess_ms: milliseconds(median),
        correlation_ms: correlation.map(milliseconds),
        estimators_agree: correlation
            .is_some_and(|peak| (peak - median).abs() <= own().agreement_ms.saturating_mul(MILLISECOND)),
        log_likelihood: (log_likelihood * 10.0).round() / 10.0,
        false_positive_rate: rate,
        verdict,
    })
}

/// The lags of a length whose packets answer bursts, rather than coming anyway.
fn answers(reply: &Reply, bursts: u32) -> Option<Lags> {
    let share = |count: u32, least: f64| f64::from(count) >= least * f64::from(bursts);
    let is_alone = share(reply.alone, own().alone);
    let mut lags = reply.lags.clone();
    if is_alone {
        lags.merge(&reply.behind_its_own);
    }
    let total = lags.total();
    let densest = dense(&lags);
    let may_be_input = !is_alone && f64::from(reply.before) > own().most_before * f64::from(bursts);
    let is_answer = total >= own().least_answers
        && share(total, own().least_share)
        && f64::from(densest.total()) >= own().in_window * f64::from(total)
        && (!may_be_input || quantile(&densest, 0.1) >= own().held_ms.saturating_mul(MILLISECOND));
    is_answer.then_some(lags)
}

/// The lags in the window that holds most of them, the earliest of equals.
fn dense(lags: &Lags) -> Lags {
    let windows = lags.0.windows(own().window_steps).enumerate();
    let fullest = windows.max_by_key(|(start, window)| {
        let count: u32 = window.iter().map(|count| u32::from(*count)).sum();
        (count, std::cmp::Reverse(*start))
    });
    let from = fullest.map_or(0, |(start, _)| start);
    let mut kept = Lags::default();
    for (place, count) in kept.0.iter_mut().zip(lags.0).skip(from).take(own().window_steps) {
        *place = count;
    }
    kept
}

/// Lags from a span on.
fn above(lags: &Lags, span: Nanoseconds) -> u32 {
    let from = usize::try_from(span / LAG_STEP).unwrap_or(LAG_STEPS);
    lags.0.iter().skip(from).map(|count| u32::from(*count)).sum()
}

/// The lag below which the share `share` of all lies.
fn quantile(lags: &Lags, share: f64) -> Nanoseconds {
    let wanted = share * f64::from(lags.total());
    let mut below = 0.0;
    for (step, count) in (0i64..).zip(lags.0) {
        let count = f64::from(count);
        if count > 0.0 && below + count >= wanted {
            #[expect(clippy::cast_possible_truncation, reason = "at most a second")]
            let part = (((wanted - below) / count).clamp(0.0, 1.0) * 1e7) as i64;
            return step.saturating_mul(LAG_STEP).saturating_add(part);
        }
        below += count;
    }
    0
}

/// The lag at which most packets come back, where it stands out of those that come anyway (estimator E2).
fn peak(lags: &Lags) -> Option<Nanoseconds> {
    let smooth: Vec<f64> = (0..LAG_STEPS)
        .map(|centre| {
            lags.0
                .iter()
                .enumerate()
                .map(|(step, count)| {
                    let away = f64::from(u32::try_from(centre.abs_diff(step)).unwrap_or(u32::MAX));
                    f64::from(*count) * (-away).exp()
                })
                .sum()
        })
        .collect();
    let mut sorted = smooth.clone();
    sorted.sort_by(f64::total_cmp);
    let base = *sorted.get(LAG_STEPS / 2)?;
    let (step, height) = (0i64..)
        .zip(&smooth)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    ((height - base) / (base + 1.0).sqrt() >= own().peak)
        .then(|| step.saturating_mul(LAG_STEP).saturating_add(LAG_STEP / 2))
}

#[cfg(test)]
mod tests;

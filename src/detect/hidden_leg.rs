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
//! The test is a sequential one (Wald 1945): each answer is longer than [`THRESHOLD`] or not, which it is for at most
//! `LONG_IF_DIRECT` of the answers of a direct session. Whenever one stops, the likelihood ratio exceeds `1 / rate` in at most a
//! share `rate` of direct sessions (Ville's inequality), so it may be asked at the end of a flow as well. Answers that
//! follow each other depend on each other: as a Markov chain of first order with a correlation of one third they count half.
//! That several lengths are looked at is paid for in full (Bonferroni).
//!
//! How many changes of the screen are enough is stated here and nowhere else. DETECTION 3.2 proposes fifty, for a tenth percentile that stands by itself;
//! here the sequential test decides, and stops by itself after seven or eight answers that are all long, or goes on for as long as they are mixed.
//! So it is asked from `LEAST_BURSTS` changes and `LEAST_ANSWERS` answers on, below which no verdict but "undecided" would come of it.

use crate::model::latency::{ControlLoop, LAG_STEP, LAG_STEPS, Lags, LoopRecord, Reply, milliseconds};
use crate::model::time::Nanoseconds;

/// An answer that comes this much later than the transport's acknowledgement is a long one: programs take less than 25 ms
/// (DETECTION 3.2).
pub const THRESHOLD: Nanoseconds = 40 * 1_000_000;

/// Share of long answers in a direct session, at most (NDSS 2025: 1 - theta 0).
pub(super) const LONG_IF_DIRECT: f64 = 0.05;

/// Share of long answers behind a relay, at least (NDSS 2025: theta 1).
pub(super) const LONG_IF_LONGER: f64 = 0.5;

/// How often a direct session may be called longer.
pub const FALSE_POSITIVE_RATE: f64 = 0.01;

/// What of that each of the two estimators that may say so gets: this one, and the answers of the opening.
pub(super) const SHARE_OF_FALSE_POSITIVES: f64 = 0.5;

/// How often a longer one may be called direct.
const FALSE_NEGATIVE_RATE: f64 = 0.1;

/// What an answer counts, because the one before it was alike: (1 - r) / (1 + r) for a correlation r of one third.
pub(super) const INDEPENDENCE: f64 = 0.5;

/// Fewest changes of the screen.
const LEAST_BURSTS: u32 = 10;

/// Fewest answers. Eight in a row that are all long are beyond the test's bound.
const LEAST_ANSWERS: u32 = 8;

/// Least share of the bursts that an answer's length must follow. Most answers are lost to what is sent before they come.
const LEAST_SHARE: f64 = 0.1;

/// Share of the bursts before which a length may come without being taken for input.
const MOST_BEFORE: f64 = 0.3;

/// What may be a key has to come this late: keys are seldom held for longer.
const HELD: Nanoseconds = 120 * 1_000_000;

/// Least share of the bursts between which and the next one a length comes exactly once, where it comes before most of them all the same:
/// the next picture waits for the answer to the one before. Of keys there are two (in recordings a tenth to a fifth of
/// the bursts have one alone; answers three quarters and more).
const ALONE: f64 = 0.6;

/// Steps of a window of 60 ms, in which half of the answers must lie: what people do afterwards is spread wider.
const WINDOW: usize = 6;

/// Share of the answers in that window.
const IN_WINDOW: f64 = 0.5;

/// Standard errors by which E2's peak must stand out.
const PEAK: f64 = 6.0;

/// Lags by which the estimators may differ.
const AGREEMENT: Nanoseconds = 30 * 1_000_000;

/// Why a loop cannot be judged: the usual reason.
pub const TOO_FEW: &str = "too few changes of the screen after a pause to follow their answers";

/// Judges a loop; or says why it cannot.
pub fn judge(seen: &ControlLoop) -> Result<LoopRecord, &'static str> {
    if seen.bursts < LEAST_BURSTS {
        return Err(TOO_FEW);
    }
    let (best_length, best) = seen
        .replies
        .iter()
        .filter_map(|reply| Some((reply.length, answers(reply, seen.bursts)?)))
        .max_by_key(|(length, lags)| (lags.total(), std::cmp::Reverse(*length)))
        .ok_or("nothing that comes back answers the changes of the screen")?;
    let total = best.total();
    let long = f64::from(above(&best, THRESHOLD));
    let short = f64::from(total) - long;
    let log_likelihood = INDEPENDENCE
        * (long * (LONG_IF_LONGER / LONG_IF_DIRECT).ln()
            + short * ((1.0 - LONG_IF_LONGER) / (1.0 - LONG_IF_DIRECT)).ln());
    let rate = FALSE_POSITIVE_RATE * SHARE_OF_FALSE_POSITIVES;
    let asked = f64::from(u32::try_from(seen.replies.len()).unwrap_or(u32::MAX));
    // Answers to what was sent before the burst come early; those of the burst itself come together.
    let own = dense(&best);
    let floor = quantile(&own, 0.1);
    // Movements of the mouse go on behind the change that they caused: most at once, the rest at any time.
    let verdict = if log_likelihood >= (asked / rate).ln() && floor >= THRESHOLD {
        "longer"
    } else if log_likelihood <= FALSE_NEGATIVE_RATE.ln() {
        "direct"
    } else {
        "undecided"
    };
    let median = quantile(&own, 0.5);
    let correlation = peak(&seen.all);
    Ok(LoopRecord {
        bursts: seen.bursts,
        answered: total,
        answer_length: best_length,
        excess_ms: milliseconds(floor),
        median_excess_ms: milliseconds(median),
        correlation_ms: correlation.map(milliseconds),
        estimators_agree: correlation.is_some_and(|peak| (peak - median).abs() <= AGREEMENT),
        log_likelihood: (log_likelihood * 10.0).round() / 10.0,
        false_positive_rate: rate,
        verdict,
    })
}

/// The lags of a length whose packets answer bursts, rather than coming anyway.
fn answers(reply: &Reply, bursts: u32) -> Option<Lags> {
    let share = |count: u32, least: f64| f64::from(count) >= least * f64::from(bursts);
    let is_alone = share(reply.alone, ALONE);
    let mut lags = reply.lags.clone();
    if is_alone {
        lags.merge(&reply.behind_its_own);
    }
    let total = lags.total();
    let densest = dense(&lags);
    let may_be_input = !is_alone && f64::from(reply.before) > MOST_BEFORE * f64::from(bursts);
    let is_answer = total >= LEAST_ANSWERS
        && share(total, LEAST_SHARE)
        && f64::from(densest.total()) >= IN_WINDOW * f64::from(total)
        && (!may_be_input || quantile(&densest, 0.1) >= HELD);
    is_answer.then_some(lags)
}

/// The lags in the window that holds most of them, the earliest of equals.
fn dense(lags: &Lags) -> Lags {
    let windows = lags.0.windows(WINDOW).enumerate();
    let fullest = windows.max_by_key(|(start, window)| {
        let count: u32 = window.iter().map(|count| u32::from(*count)).sum();
        (count, std::cmp::Reverse(*start))
    });
    let from = fullest.map_or(0, |(start, _)| start);
    let mut kept = Lags::default();
    for (place, count) in kept.0.iter_mut().zip(lags.0).skip(from).take(WINDOW) {
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
    ((height - base) / (base + 1.0).sqrt() >= PEAK)
        .then(|| step.saturating_mul(LAG_STEP).saturating_add(LAG_STEP / 2))
}

#[cfg(test)]
mod tests;

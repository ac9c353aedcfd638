//! The progress bar: bytes, packets a second, time left. On a terminal's standard error only.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::front::Watch;

/// A bar for a run, if standard error is a terminal and nobody asked for quiet.
#[must_use]
pub fn watch(quiet: bool) -> Option<Watch> {
    if quiet || !stderr().is_terminal() || super::is_dumb_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    let known = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes} {msg} {eta} left").ok();
    let unknown = ProgressStyle::with_template("{spinner} {bytes} {msg}").ok();
    #[expect(
        clippy::disallowed_methods,
        reason = "how fast we read is about the clock on the wall"
    )]
    let start = Instant::now();
    let mut last = Duration::ZERO;
    Some(Box::new(move |progress, frames| {
        let elapsed = start.elapsed();
        if elapsed.saturating_sub(last) < Duration::from_millis(200) {
            return;
        }
        last = elapsed;
        let style = if progress.total.is_some() {
            &known
        } else {
            &unknown
        };
        if let Some(style) = style {
            bar.set_style(style.clone());
        }
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.read);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = frames as f64 / elapsed.as_secs_f64().max(0.001) / 1e6;
        bar.set_message(format!("{rate:.2} M packets/s"));
    }))
}

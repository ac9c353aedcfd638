//! `--since` and `--until`: only frames of a span of time.

use super::counters::CaptureCounters;
use super::{CaptureError, Damage, Progress, Source};
use crate::model::block::Block;
use crate::model::loss::Losses;
use crate::model::time::Timestamp;

/// Cause under which frames outside the span are counted.
pub const OUTSIDE: &str = "outside the span of time asked for";

/// A source narrowed to a span of time. It reads to the end: frames of a capture need not be in order.
pub struct Span {
    inner: Box<dyn Source>,
    since: Timestamp,
    until: Timestamp,
    removed: u64,
}

impl Span {
    /// Only frames from `since` to `until`, both included.
    #[must_use]
    pub fn new(inner: Box<dyn Source>, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self {
            inner,
            since: since.unwrap_or(Timestamp(i64::MIN)),
            until: until.unwrap_or(Timestamp(i64::MAX)),
            removed: 0,
        }
    }
}

impl Source for Span {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let more = self.inner.fill(block)?;
        let before = block.frames.len();
        let span = self.since..=self.until;
        block.frames.retain(|frame| span.contains(&frame.at));
        let removed = before.saturating_sub(block.frames.len()) as u64;
        self.removed = self.removed.saturating_add(removed);
        Ok(more)
    }

    fn progress(&self) -> Progress {
        self.inner.progress()
    }

    fn take_losses(&mut self) -> Losses {
        let mut losses = self.inner.take_losses();
        losses.add(OUTSIDE, std::mem::take(&mut self.removed));
        losses
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        self.inner.take_damage()
    }

    fn captures(&self) -> Vec<&CaptureCounters> {
        self.inner.captures()
    }
}

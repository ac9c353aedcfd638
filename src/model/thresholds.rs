//! Thresholds of what several stages ask of the same facts: read from `thresholds.toml`, which says where each comes from.

use std::sync::LazyLock;

use serde::Deserialize;

use super::embedded;

/// All of them.
pub static THRESHOLDS: LazyLock<Thresholds> =
    LazyLock::new(|| embedded::read("model/thresholds.toml", include_str!("thresholds.toml")));

/// One table each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Whose a machine is, by the days on which it uses organisations (tenancy.rs).
    pub tenancy: Tenancy,
    /// Names that may be of one organisation.
    pub organisation: Organisation,
    /// Hours of activity.
    pub hours: Hours,
    /// Days of rest, and what stays when clocks change.
    pub week: Week,
    /// The texture of input (3.3).
    pub input: Input,
    /// When a capture ran (capture/watching.rs).
    pub watching: Watching,
    /// Where captures were taken (pipeline/vantage.rs).
    pub vantage: Vantage,
    /// What stands behind the confidence of a finding.
    pub finding: Scores,
}

/// Whose a machine is, by the days on which it uses organisations (tenancy.rs).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenancy {
    /// Tenths of the days from which on an organisation is an employer.
    pub regular_tenths: usize,
    /// Fewest days on which turns can be told.
    pub turn_days: usize,
    /// Organisations that take turns where none returns.
    pub turn_organisations: usize,
}

/// Names that may be of one organisation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Letters in common.
    pub common_letters: usize,
}

/// Hours of activity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Minutes that end an unbroken run.
    pub pause_minutes: u32,
}

/// Days of rest, and what stays when clocks change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Week {
    /// Days between the first and the last.
    pub least_span: u32,
    /// Days with activity among them.
    pub least_active: usize,
    /// Times that each weekday was watched.
    pub least_seen: f64,
    /// Share of the usual activity of a day of rest.
    pub rest: f64,
    /// Days before and behind a change.
    pub around: u32,
    /// Fewest with activity on either side.
    pub least_side: usize,
}

/// The texture of input (3.3).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Milliseconds below which input is bunched.
    pub bunched_ms: i64,
    /// Silences of which a period is told.
    pub periods: u32,
    /// Width of a period relative to its median.
    pub even: f64,
}

/// When a capture ran (capture/watching.rs).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watching {
    /// Seconds of silence from which nothing says that it did.
    pub pause_seconds: i64,
}

/// Where captures were taken (pipeline/vantage.rs).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vantage {
    /// Lines behind one router that make it no house's.
    pub lines: usize,
}

/// What stands behind the confidence of a finding.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Highest score of a tool that was recognised.
    pub highest_score: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sound() {
        LazyLock::force(&THRESHOLDS);
    }
}

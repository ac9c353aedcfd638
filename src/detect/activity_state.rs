//! Is a remote session idle, watched, driven, or moving files? From sizes and times alone (DETECTION 4.1.2).
//!
//! Works in windows of ten seconds on all flows of one tool between one pair. Input events are small packets towards the
//! controlled machine; they are answered by screen updates away from it. Both directions are tried, since with relayed tools
//! nothing else tells who controls whom.

use std::collections::BTreeMap;

use crate::model::finding::{Activity, Role};
use crate::model::flow::{ActivityBin, BIN};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Below this the screen does not move (bytes in ten seconds).
const QUIET: u64 = 4 << 10;

/// Screen updates that answer input.
const ANSWERED: u64 = 8 << 10;

/// Input events in a window that a person causes.
const INPUTS: u32 = 3;

/// Beyond this without input it is a transfer.
const TRANSFER: u64 = 8 << 20;

/// Windows of one state with less between them than this are one interval.
const JOIN: Nanoseconds = 120 * SECOND;

/// Ratio of the directions' bytes that tells who shows the screen.
const RATIO: u64 = 4;

/// One window: bytes and input-sized packets out of the local host, and into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Payload bytes that the host sent.
    pub out_bytes: u64,
    /// Payload bytes that came to it.
    pub in_bytes: u64,
    /// Input-sized packets that it sent.
    pub out_small: u32,
    /// Input-sized packets that came to it.
    pub in_small: u32,
}

/// Windows by their number.
pub type Windows = BTreeMap<u32, Window>;

/// Adds the bins of one flow; `local_is_client` says which direction is out.
pub fn add(windows: &mut Windows, bins: &[ActivityBin], local_is_client: bool) {
    for bin in bins {
        let window = windows.entry(bin.number).or_default();
        let ([client_bytes, server_bytes], [client_small, server_small]) = (bin.bytes, bin.small);
        let (out_bytes, in_bytes, out_small, in_small) = if local_is_client {
            (client_bytes, server_bytes, client_small, server_small)
        } else {
            (server_bytes, client_bytes, server_small, client_small)
        };
        window.out_bytes = window.out_bytes.saturating_add(u64::from(out_bytes));
        window.in_bytes = window.in_bytes.saturating_add(u64::from(in_bytes));
        window.out_small = window.out_small.saturating_add(u32::from(out_small));
        window.in_small = window.in_small.saturating_add(u32::from(in_small));
    }
}

/// State of a window, if the host shows its screen (`out` is screen).
fn state(screen: u64, other: u64, inputs: u32) -> Activity {
    if screen.max(other) > TRANSFER && inputs < INPUTS {
        Activity::Bulk
    } else if inputs >= INPUTS && screen >= ANSWERED {
        Activity::Driven
    } else if screen >= QUIET {
        Activity::Viewed
    } else {
        Activity::Idle
    }
}

/// What the windows say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Controlled, controller, or unknown.
    pub role: Role,
    /// The liveliest state.
    pub activity: Activity,
    /// When what happened.
    pub intervals: Vec<(Timestamp, Timestamp, Activity)>,
}

/// Judges the windows. `declared` is the role where the protocol itself tells it (who listens for RDP is controlled).
#[must_use]
pub fn judge(windows: &Windows, declared: Option<Role>) -> Judgement {
    let role = declared.unwrap_or_else(|| role(windows));
    if windows.is_empty() {
        return Judgement {
            role,
            activity: Activity::Unknown,
            intervals: Vec::new(),
        };
    }
    let mut intervals: Vec<(Timestamp, Timestamp, Activity)> = Vec::new();
    for (number, window) in windows {
        let is_controller = role == Role::Controller;
        let state = if is_controller {
            state(window.in_bytes, window.out_bytes, window.out_small)
        } else {
            state(window.out_bytes, window.in_bytes, window.in_small)
        };
        let start = Timestamp(i64::from(*number).saturating_mul(BIN));
        let end = start.plus(BIN);
        match intervals.last_mut() {
            Some((_, last, before)) if *before == state && start.since(*last) <= JOIN => *last = end,
            _ => intervals.push((start, end, state)),
        }
    }
    let liveliness = |activity: &Activity| match activity {
        Activity::Unknown => 0,
        Activity::Idle => 1,
        Activity::Bulk => 2,
        Activity::Viewed => 3,
        Activity::Driven => 4,
    };
    let activity = intervals
        .iter()
        .map(|(_, _, state)| *state)
        .max_by_key(liveliness)
        .unwrap_or(Activity::Unknown);
    Judgement {
        role,
        activity,
        intervals,
    }
}

/// Who shows the screen, over the windows that look driven from one of the two sides.
fn role(windows: &Windows) -> Role {
    let mut out = 0u64;
    let mut inward = 0u64;
    let mut driven = 0u32;
    for window in windows.values() {
        let shows = state(window.out_bytes, window.in_bytes, window.in_small) == Activity::Driven;
        let drives = state(window.in_bytes, window.out_bytes, window.out_small) == Activity::Driven;
        if shows || drives {
            driven = driven.saturating_add(1);
            out = out.saturating_add(window.out_bytes);
            inward = inward.saturating_add(window.in_bytes);
        }
    }
    if driven == 0 {
        Role::Unknown
    } else if out > inward.saturating_mul(RATIO) {
        Role::Controlled
    } else if inward > out.saturating_mul(RATIO) {
        Role::Controller
    } else {
        Role::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(out_bytes: u64, in_bytes: u64, out_small: u32, in_small: u32) -> Window {
        Window {
            out_bytes,
            in_bytes,
            out_small,
            in_small,
        }
    }

    #[test]
    fn a_screen_that_answers_input_is_driven_and_its_host_controlled() {
        let windows = Windows::from([
            (1, window(100, 100, 0, 0)),
            (2, window(200_000, 4_000, 0, 60)),
            (3, window(90_000, 3_000, 1, 40)),
            (4, window(50_000, 100, 0, 1)),
        ]);
        let judged = judge(&windows, None);
        assert_eq!(
            (judged.role, judged.activity),
            (Role::Controlled, Activity::Driven)
        );
        let states: Vec<Activity> = judged.intervals.iter().map(|(_, _, state)| *state).collect();
        assert_eq!(states, [Activity::Idle, Activity::Driven, Activity::Viewed]);
        assert_eq!(judged.intervals[1].1.since(judged.intervals[1].0), 2 * BIN);
    }

    #[test]
    fn the_mirror_image_is_a_controller() {
        let windows = Windows::from([(2, window(4_000, 200_000, 60, 0))]);
        assert_eq!(judge(&windows, None).role, Role::Controller);
        assert_eq!(judge(&windows, None).activity, Activity::Driven);
    }

    #[test]
    fn a_call_with_equal_directions_gives_no_role_and_a_download_is_bulk() {
        let call = Windows::from([(1, window(300_000, 300_000, 400, 400))]);
        assert_eq!(judge(&call, None).role, Role::Unknown);
        let download = Windows::from([(1, window(20_000, 20 << 20, 0, 0))]);
        assert_eq!(judge(&download, None).activity, Activity::Bulk);
    }

    #[test]
    fn intervals_join_over_short_pauses_and_break_over_long_ones() {
        let windows = Windows::from([
            (1, window(200_000, 4_000, 0, 60)),
            (10, window(200_000, 4_000, 0, 60)),
            (100, window(200_000, 4_000, 0, 60)),
        ]);
        assert_eq!(judge(&windows, None).intervals.len(), 2);
    }
}

//! Thresholds of the detectors that judge the form of traffic: read from `thresholds.toml`, which says where each comes from.

use std::sync::LazyLock;

use serde::Deserialize;

/// The file.
const FILE: &str = include_str!("thresholds.toml");

/// All of them.
#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
pub static THRESHOLDS: LazyLock<Thresholds> =
    LazyLock::new(|| toml::from_str(FILE).expect("thresholds.toml is sound"));

/// One table each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Naming a tool.
    pub recognition: Recognition,
    /// A leg behind the relay.
    pub hidden_leg: HiddenLeg,
    /// Whose screen an IP KVM shows.
    pub kvm_pairing: KvmPairing,
    /// Remote control inside what names nothing.
    pub unknown_interactive: UnknownInteractive,
    /// Idle, viewed, driven, transfer.
    pub activity_state: ActivityState,
    /// Traffic that no remote control has.
    pub shape_against: ShapeAgainst,
    /// What nobody can look into.
    pub unseen: Unseeable,
}

/// What nobody can look into: tunnels, and connections that were joined in their middle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseeable {
    /// Octets of a minute beyond keep-alives.
    pub carries_octets: u64,
    /// Windows of an unnamed connection that may be everything a machine does.
    pub long_windows: usize,
    /// Its octets.
    pub bulk_octets: u64,
    /// Seconds of a session that carries somebody's work.
    pub lasting_seconds: i64,
    /// Octets of a window that shows a screen.
    pub screen_octets: u64,
    /// Such windows.
    pub screen_windows: usize,
}

/// Naming a tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recognition {
    /// Weight from which two fields name a tool together.
    pub together: i32,
}

/// A leg behind the relay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HiddenLeg {
    /// Milliseconds from which an answer is long.
    pub long_ms: i64,
    /// Share of long answers in a direct session, at most.
    pub long_if_direct: f64,
    /// Share behind a relay, at least.
    pub long_if_longer: f64,
    /// How often a direct session may be called longer.
    pub false_positive_rate: f64,
    /// What of that one estimator gets.
    pub share_of_false_positives: f64,
    /// How often a longer one may be called direct.
    pub false_negative_rate: f64,
    /// What an answer counts beside the one before.
    pub independence: f64,
    /// Fewest changes of the screen.
    pub least_bursts: u32,
    /// Fewest answers.
    pub least_answers: u32,
    /// Least share of the bursts that a length must follow.
    pub least_share: f64,
    /// Share of the bursts before which a length may come.
    pub most_before: f64,
    /// Milliseconds for which a key may be held.
    pub held_ms: i64,
    /// Share of the bursts with exactly one of a length.
    pub alone: f64,
    /// Steps in which the answers must lie.
    pub window_steps: usize,
    /// Share of the answers in them.
    pub in_window: f64,
    /// Standard errors of a peak.
    pub peak: f64,
    /// Milliseconds by which estimators may differ.
    pub agreement_ms: i64,
}

/// Whose screen an IP KVM shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KvmPairing {
    /// Least correlation.
    pub correlation: f64,
    /// Standard deviations above chance.
    pub deviations: f64,
    /// How much better than the next machine.
    pub margin: f64,
    /// Windows of watching.
    pub watched: usize,
    /// Joint changes.
    pub joint: usize,
    /// Octets of a picture in a window.
    pub picture_octets: u64,
    /// Windows without a picture that end no watching.
    pub pause: u32,
}

/// Remote control inside what names nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownInteractive {
    /// Windows of a hand.
    pub least_hand: usize,
    /// Windows from first to last.
    pub least_span: u32,
    /// Windows of rest.
    pub least_rest: usize,
    /// How many times fewer packets a resting hand sends.
    pub rest: u32,
    /// Packets of a hand in a window.
    pub packets: u32,
    /// Percent of small packets.
    pub small_percent: u64,
    /// Octets of a packet of input.
    pub event_octets: u64,
    /// Percent of small packets without an answer between.
    pub unasked_percent: u64,
    /// Octets of screen that answer.
    pub answer_octets: u64,
    /// Octets for each packet of input while the screen stands still.
    pub still_octets: u64,
    /// The same, whatever moves.
    pub moving_octets: u64,
    /// How many times the octets of the input the screen has.
    pub ratio: u64,
    /// Windows of a hand that make it probable.
    pub enough_hand: usize,
    /// Windows from first to last that do.
    pub enough_span: u32,
}

/// Idle, viewed, driven, transfer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityState {
    /// Octets of a transfer.
    pub transfer_octets: u64,
    /// Windows within which the screen answers.
    pub near: u32,
    /// Packets of a clock.
    pub clock_packets: u32,
    /// Octets of a clock, by those that count as quiet.
    pub clock_times: u64,
    /// Seconds of setting up.
    pub opening_seconds: i64,
    /// Requests for one update.
    pub most_requests: u32,
    /// One of how many windows may show fewer requests.
    pub outliers: usize,
    /// Small packets by which requests are told.
    pub fewest_small: u32,
    /// Messages of a packet where they are gathered, in halves.
    pub gathered_halves: u64,
    /// One of how many messages goes beyond the packets of screen.
    pub surplus: u64,
    /// Octets of a packet of a shell.
    pub shell_octets: u64,
    /// Windows in which the far end drives.
    pub reversed_windows: usize,
    /// Octets of an upload for each receipt.
    pub upload_octets: u64,
    /// Seconds between windows of one interval.
    pub join_seconds: i64,
    /// Ratio of the directions.
    pub ratio: u64,
}

/// Traffic that no remote control has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeAgainst {
    /// Windows that look so.
    pub windows: usize,
    /// Packets of each direction.
    pub packets: u32,
    /// Octets beyond which it is no input.
    pub input_octets: u64,
    /// So many windows in ten.
    pub most_of: usize,
    /// Octets of a window in which something moves.
    pub moves_octets: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sound_and_its_shares_are_shares() {
        let (leg, kvm) = (&THRESHOLDS.hidden_leg, &THRESHOLDS.kvm_pairing);
        let shares = [
            leg.long_if_direct,
            leg.long_if_longer,
            leg.false_positive_rate,
            leg.share_of_false_positives,
            leg.false_negative_rate,
            leg.independence,
            leg.least_share,
            leg.most_before,
            leg.alone,
            leg.in_window,
            kvm.correlation,
            kvm.margin,
        ];
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        assert!(leg.long_if_direct < leg.long_if_longer);
        assert!(THRESHOLDS.unknown_interactive.least_hand < THRESHOLDS.unknown_interactive.enough_hand);
        assert!(THRESHOLDS.unknown_interactive.still_octets < THRESHOLDS.unknown_interactive.moving_octets);
    }
}

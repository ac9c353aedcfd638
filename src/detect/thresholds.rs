//! Thresholds of the detectors that judge the form of traffic: read from `thresholds.toml`, which says where each comes from.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::embedded;

/// All of them.
pub static THRESHOLDS: LazyLock<Thresholds> =
    LazyLock::new(|| embedded::read("detect/thresholds.toml", include_str!("thresholds.toml")));

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
    /// Files that go through a shell's connection: what a terminal never does (file_transfer.rs).
    pub file_transfer: FileTransfer,
    /// Reports that look like a glance (glance.rs).
    pub glance: Glance,
    /// Segment sizes that tunnels announce (segment_size.tsv).
    pub segment_size: SegmentSize,
    /// Echoes that carry something.
    pub icmp_tunnel: IcmpTunnel,
    /// Streams that are encrypted from their first octet (Wu and others, USENIX Security 2023).
    pub encrypted_start: EncryptedStart,
    /// Systems behind one address.
    pub devices_behind: DevicesBehind,
    /// Clocks and counters behind one address.
    pub clocks_behind: ClocksBehind,
    /// Pictures that go beside a tool, and what announces them (media.rs).
    pub media: Pictures,
    /// Names that carry data.
    pub dns_tunnel: DnsTunnel,
    /// HTTP whose bodies are like chance both ways; what it weighs stands in [rules.findings.tunnel] of explain/weights.toml.
    pub http_tunnel: HttpTunnel,
    /// Round trips against places.
    pub round_trip: RoundTrip,
    /// Organisations whose services a host uses; whose machine it is, stands in model/thresholds.toml.
    pub tenants: Tenants,
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
    /// Minutes of such windows from which on somebody may look at what a machine shows.
    pub picture_minutes: usize,
    /// Whole minutes of a tunnel.
    pub whole_minutes: u32,
    /// Octets that a tunnel and a connection inside of it put around each packet.
    pub wrapping_octets: u64,
}

/// Naming a tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recognition {
    /// Weight from which two fields name a tool together.
    pub together: i32,
    /// Ratio of what came to what was sent, where a program fetched something.
    pub fetched_ratio: u64,
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
    /// Seconds by which the picture may follow, or go before.
    pub lags: Vec<i64>,
    /// Shifts in a circle.
    pub shifts: u32,
    /// Nearest shift, in windows.
    pub nearest: usize,
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

/// Files that go through a shell's connection: what a terminal never does (file_transfer.rs).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTransfer {
    /// Octets of a packet on average, beyond which it is nothing that was typed (4.1.2).
    pub input_octets: u64,
    /// Octets towards the shell in a window that nobody types.
    pub sent_octets: u64,
    /// Octets from the shell in a window that nobody reads.
    pub fetched_octets: u64,
    /// Octets of a packet on average where files come.
    pub full_octets: u64,
    /// Octets fetched for each small packet that goes the other way.
    pub octets_for_each: u64,
}

/// Reports that look like a glance (glance.rs).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glance {
    /// What lasts as long as this is no glance.
    pub look_seconds: i64,
    /// Silence on both sides that sets a glance apart, and how much must have been seen of the session for its silence to say anything.
    pub apart_seconds: i64,
    /// Octets of a window that make a film.
    pub film_octets: u64,
    /// Windows for which bursts must go on like a clockwork.
    pub clockwork_windows: usize,
    /// Bursts in ten seconds at most.
    pub clockwork_bursts: u32,
    /// One window of so many at either end may differ.
    pub clockwork_differs: usize,
}

/// Segment sizes that tunnels announce (segment_size.tsv).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentSize {
    /// Above this nothing is a lead.
    pub largest: u16,
    /// Connections that a lead rests on at least.
    pub least_flows: u32,
    /// Different servers for what a router does.
    pub least_servers: usize,
    /// Connections of a caller from outside.
    pub least_calls: u32,
}

/// Echoes that carry something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcmpTunnel {
    /// Octets that answers must carry beyond what was asked.
    pub beyond_octets: u64,
    /// Answers from which on there may be a finding, and octets of a tunnel in use.
    pub fewest: u64,
    /// Octets of a tunnel in use.
    pub much_octets: u64,
}

/// Streams that are encrypted from their first octet (Wu and others, USENIX Security 2023).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptedStart {
    /// Set bits an octet outside of which a start is exempt (Ex1), in tenths.
    pub bits: [u32; 2],
    /// Printable octets at the start, and in a run, from which it is exempt (Ex2, Ex4).
    pub printable_start: usize,
    /// Printable octets in a run from which it is exempt.
    pub printable_run: usize,
    /// Fewer octets say little.
    pub shortest: usize,
}

/// Systems behind one address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicesBehind {
    /// Connections that a stack must have opened to count.
    pub least_flows: u32,
}

/// Clocks and counters behind one address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClocksBehind {
    /// What a SYN's way may vary by.
    pub way_ms: i64,
    /// Drift of clocks, in millionths.
    pub drift: i64,
    /// SYNs that must lie on a line.
    pub least_on_line: usize,
    /// How far a counter may move on beside the packets that were seen.
    pub beside: u32,
    /// Largest step that says something.
    pub largest_step: u32,
    /// SYNs that must follow a counter, and destinations between which a counter for everything must pass.
    pub least_on_counter: u32,
    /// Destinations between which a counter for everything must pass.
    pub least_destinations: usize,
    /// Seconds from which on a skew is told.
    pub least_for_skew_seconds: f64,
}

/// Pictures that go beside a tool, and what announces them (media.rs).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    /// Octets that a picture has at least, the way it goes.
    pub picture_octets: u64,
    /// Ratio of the directions' octets that tells who shows the screen, as of any session (4.1.2).
    pub ratio: u64,
    /// How long before the first and after the last sight of a tool its pictures may go.
    pub around_seconds: i64,
    /// Between offer and picture.
    pub before_seconds: i64,
    /// Seconds behind the beginning of a picture for late candidates.
    pub after_seconds: i64,
    /// Octets of an offer and its answer, at the least.
    pub offer_octets: u64,
    /// How many times what is usual.
    pub unusual: u64,
}

/// Names that carry data.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsTunnel {
    /// Names shorter than this are not looked at.
    pub shortest_name: usize,
    /// Octets of data before the zone.
    pub shortest_data: usize,
    /// Octets of data in questions of types whose answers have room for more.
    pub least_data: usize,
    /// Octets that differ from name to name, on average, where answers have no room.
    pub least_each: u64,
    /// Longest label of ordinary names.
    pub longest_label: usize,
    /// Different names of one zone from which there may be a finding.
    pub few_names: usize,
    /// Different names of a tunnel in use.
    pub many_names: usize,
    /// Octets in them.
    pub many_octets: u64,
    /// Bits an octet, letters without their case.
    pub chance_bits: f64,
}

/// HTTP whose bodies are like chance both ways; what it weighs stands in [rules.findings.tunnel] of explain/weights.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTunnel {
    /// Exchanges from which there may be a finding, unless one goes both ways at once.
    pub fewest: u64,
    /// Octets each way, heads of messages included, from which there may be one.
    pub least_octets: u64,
    /// Octets of a tunnel in use.
    pub much_octets: u64,
    /// Milliseconds for which an answer waits that was asked for before there was anything to say, and how many such answers are many.
    pub long_ms: u64,
    /// Answers that wait so long, from which they are many.
    pub long_waits: u64,
}

/// Round trips against places.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundTrip {
    /// Fewest samples, over the least time, of which a round trip says something about a place (3.1).
    pub least_samples: u32,
    /// Seconds over which they must be spread.
    pub least_seconds: i64,
    /// Milliseconds beyond what is usual for the way that say something.
    pub slack_ms: i64,
}

/// Organisations whose services a host uses; whose machine it is, stands in model/thresholds.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenants {
    /// Least weight of an organisation that somebody works for.
    pub least_use: f64,
    /// Tenths of a name's days on a machine on which another stands beside it (4.2.
    pub together_tenths: usize,
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

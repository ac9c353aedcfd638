//! Is a remote session idle, watched, driven, or moving files? From sizes and times alone (DETECTION 4.1.2).
//!
//! Works in windows of ten seconds on all flows of one tool between one pair. Whoever watches sends packets of the size
//! of input too: a request or a receipt, or two, for each update of the screen. Those come in turns, one turn after
//! each update, while a hand sends without waiting; so what counts as input is what goes beyond the requests of a turn, and
//! how many these are the windows tell in which the screen moves most undisturbed. Where a tunnel gathers several messages
//! into one packet, it is what goes beyond one message for each packet of screen. Both directions are tried, since with
//! relayed tools nothing else tells who controls whom.

use std::collections::BTreeMap;

use super::activity_thresholds::Thresholds;
use super::file_transfer;
use super::thresholds::{ActivityState, THRESHOLDS};
use crate::model::finding::{Activity, Role};
use crate::model::flow::{ActivityBin, BIN};
use crate::model::time::{SECOND, Timestamp};

/// What is judgement here.
fn own() -> &'static ActivityState {
    &THRESHOLDS.activity_state
}

/// One direction of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Payload bytes.
    pub bytes: u64,
    /// Input-sized packets.
    pub small: u32,
    /// Packets with payload.
    pub packets: u32,
    /// Those that follow one of the other side.
    pub turns: u32,
}

impl Way {
    /// Adds what went the same way.
    pub fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.small = self.small.saturating_add(other.small);
        self.packets = self.packets.saturating_add(other.packets);
        self.turns = self.turns.saturating_add(other.turns);
    }
}

/// One window: what went out of the local host, and what came to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// What the host sent.
    pub out: Way,
    /// What came to it.
    pub inward: Way,
    /// A connection was being set up: both sides send small packets then, whoever sits there.
    pub is_opening: bool,
}

impl Window {
    /// Adds what other flows moved in the same ten seconds.
    pub fn add(&mut self, other: Self) {
        self.out.add(other.out);
        self.inward.add(other.inward);
        self.is_opening |= other.is_opening;
    }
}

/// Windows by their number.
pub type Windows = BTreeMap<u32, Window>;

/// Adds the bins of one flow that began at `start`; `local_is_client` says which direction is out.
pub fn add(windows: &mut Windows, bins: &[ActivityBin], start: Timestamp, local_is_client: bool) {
    let opened = start
        .plus(own().opening_seconds.saturating_mul(SECOND))
        .0
        .div_euclid(BIN);
    for bin in bins {
        let [client, server] = [0, 1].map(|way: usize| Way {
            bytes: bin.bytes.get(way).copied().unwrap_or(0).into(),
            small: bin.small.get(way).copied().unwrap_or(0).into(),
            packets: bin.packets.get(way).copied().unwrap_or(0).into(),
            turns: bin.turns.get(way).copied().unwrap_or(0).into(),
        });
        let (out, inward) = if local_is_client {
            (client, server)
        } else {
            (server, client)
        };
        windows.entry(bin.number).or_default().add(Window {
            out,
            inward,
            is_opening: i64::from(bin.number) <= opened,
        });
    }
}

/// Windows as the one sees them who takes one of the two sides for the screen.
struct Reading<'a> {
    thresholds: &'a Thresholds,
    /// Packets that a viewer sends for each update.
    requests: u32,
    /// The same in percent of the small packets of the screen, of which an update may have several.
    share: u32,
    /// Octets of one message of input, where messages are gathered.
    message: u64,
    /// Whether the local host shows its screen.
    shows: bool,
}

impl<'a> Reading<'a> {
    fn new(windows: &Windows, thresholds: &'a Thresholds, shows: bool) -> Self {
        let mut reading = Self {
            thresholds,
            requests: 1,
            share: 0,
            message: u64::MAX,
            shows,
        };
        let mut requests: Vec<u32> = windows
            .values()
            .map(|window| reading.ways(window))
            .filter(|(screen, _)| screen.bytes >= thresholds.quiet)
            .filter_map(|(_, input)| requests_of(input))
            .collect();
        requests.sort_unstable();
        if let Some(fewest) = requests.get(requests.len() / own().outliers) {
            reading.requests = (*fewest).min(own().most_requests);
        }
        let mut shares: Vec<u32> = windows
            .values()
            .map(|window| reading.ways(window))
            .filter(|(screen, _)| screen.bytes >= thresholds.quiet && screen.small >= own().fewest_small)
            .filter_map(|(screen, input)| input.small.saturating_mul(100).checked_div(screen.small))
            .collect();
        shares.sort_unstable();
        if let Some(fewest) = shares.get(shares.len() / own().outliers) {
            reading.share = (*fewest).min(reading.requests.saturating_mul(100));
        }
        let sizes = windows.values().filter_map(|window| {
            let (_, input) = reading.ways(window);
            let is_enough = input.small >= thresholds.inputs && input.small == input.packets;
            is_enough.then(|| input.bytes / u64::from(input.small))
        });
        reading.message = sizes.min().unwrap_or(u64::MAX).max(1);
        reading
    }

    /// The screen's way and the input's.
    fn ways(&self, window: &Window) -> (Way, Way) {
        if self.shows {
            (window.out, window.inward)
        } else {
            (window.inward, window.out)
        }
    }

    /// Packets that nothing but a hand explains.
    fn inputs(&self, screen: Way, input: Way) -> u32 {
        let small = u64::from(input.small);
        let is_echo = screen.bytes <= small.saturating_mul(self.thresholds.echo);
        // What a shell echoes is not less than what was typed, unlike the receipts of an upload.
        if is_echo && (!self.thresholds.carries || screen.bytes >= input.bytes / 5 * 4) {
            return input.small;
        }
        // Over a long way several small updates are under way at once, each asked for by itself: they make one turn. In a shell
        // each is an echo, which nobody asks for.
        let by_packets = if self.thresholds.is_shell {
            0
        } else {
            screen.small.saturating_mul(self.share) / 100
        };
        let asked = input.turns.saturating_mul(self.requests).max(by_packets);
        let unasked = input.small.saturating_sub(asked);
        let messages = input.bytes / self.message;
        let is_gathered = input.bytes.saturating_mul(2)
            >= small
                .saturating_mul(self.message)
                .saturating_mul(own().gathered_halves);
        if !self.thresholds.carries || !is_gathered {
            return unasked;
        }
        let surplus = messages.saturating_sub(u64::from(screen.packets));
        if surplus.saturating_mul(own().surplus) < messages {
            return unasked;
        }
        unasked.max(u32::try_from(surplus).unwrap_or(u32::MAX))
    }

    /// State of a window; `None` for input that the screen does not answer, or that may be the setting up.
    fn state(&self, window: &Window) -> Option<Activity> {
        let (screen, input) = self.ways(window);
        let limits = self.thresholds;
        let inputs = self.inputs(screen, input);
        let has_hand = inputs >= limits.inputs
            && u64::from(inputs).saturating_mul(100)
                >= u64::from(input.small).saturating_mul(u64::from(limits.share));
        let is_copy = limits.is_shell && file_transfer::is_one(screen, input, has_hand);
        if is_copy || screen.bytes.max(input.bytes) > own().transfer_octets && !has_hand {
            Some(Activity::Bulk)
        } else if has_hand {
            (screen.bytes >= limits.answered && !window.is_opening).then_some(Activity::Driven)
        } else {
            Some(self.without_hand(screen))
        }
    }

    fn without_hand(&self, screen: Way) -> Activity {
        let (packets, times) = (own().clock_packets, own().clock_times);
        let is_clock = screen.packets < packets
            && screen.bytes < self.thresholds.quiet.saturating_mul(times)
            && !self.thresholds.is_shell;
        if screen.bytes >= self.thresholds.quiet && !is_clock {
            Activity::Viewed
        } else {
            Activity::Idle
        }
    }

    /// States of all windows, in their order.
    fn states(&self, windows: &Windows) -> Vec<(u32, Activity)> {
        let first: Vec<(u32, Option<Activity>)> = windows
            .iter()
            .map(|(number, window)| (*number, self.state(window)))
            .collect();
        let driven: Vec<u32> = first
            .iter()
            .filter(|(_, state)| *state == Some(Activity::Driven))
            .map(|(number, _)| *number)
            .collect();
        let is_near = |number: u32| {
            let at = driven.partition_point(|other| *other < number);
            let neighbours = [at.checked_sub(1), Some(at)];
            neighbours
                .into_iter()
                .flatten()
                .filter_map(|place| driven.get(place))
                .any(|other| other.abs_diff(number) <= own().near)
        };
        let is_opening: Vec<bool> = windows.values().map(|window| window.is_opening).collect();
        let mut states = first
            .into_iter()
            .zip(windows.values())
            .map(|((number, state), window)| {
                let unanswered = || {
                    let is_driven = if window.is_opening {
                        driven.binary_search(&number.saturating_add(1)).is_ok()
                    } else {
                        is_near(number)
                    };
                    if is_driven {
                        Activity::Driven
                    } else {
                        self.without_hand(self.ways(window).0)
                    }
                };
                (number, state.unwrap_or_else(unanswered))
            })
            .collect::<Vec<(u32, Activity)>>();
        // A log-in is an exchange of keys of the size of a screen, and most that scanners try end with it: what a connection opens
        // with is looked at only where looking goes on.
        let mut goes_on = None;
        for ((number, state), is_opening) in states.iter_mut().zip(is_opening).rev() {
            if *state == Activity::Viewed && is_opening && goes_on != Some(number.saturating_add(1)) {
                *state = Activity::Idle;
            }
            goes_on = matches!(state, Activity::Viewed | Activity::Driven).then_some(*number);
        }
        self.round_off(&mut states);
        states
    }

    /// What is said before files go through a shell's connection, and the last of them, is part of the copy.
    fn round_off(&self, states: &mut [(u32, Activity)]) {
        if !self.thresholds.is_shell {
            return;
        }
        let copies: Vec<u32> = states
            .iter()
            .filter(|(_, state)| *state == Activity::Bulk)
            .map(|(number, _)| *number)
            .collect();
        for (number, state) in states {
            let at = copies.partition_point(|other| *other < *number);
            let is_near = [at.checked_sub(1), Some(at)]
                .into_iter()
                .filter_map(|place| copies.get(place?))
                .any(|other| other.abs_diff(*number) <= 1);
            if *state == Activity::Viewed && is_near {
                *state = Activity::Bulk;
            }
        }
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

impl Judgement {
    /// The liveliest state of all intervals.
    pub(super) fn liveliest(&self) -> Activity {
        let liveliness = |activity: &Activity| match activity {
            Activity::Unknown => 0,
            Activity::Idle => 1,
            Activity::Bulk => 2,
            Activity::Viewed => 3,
            Activity::Driven => 4,
        };
        let states = self.intervals.iter().map(|(.., state)| *state);
        states.max_by_key(liveliness).unwrap_or_default()
    }

    /// The same with no interval beyond these moments: windows are of ten seconds, and nothing of a session is known before its first packet
    /// and behind its last.
    #[must_use]
    pub fn within(mut self, first: Timestamp, last: Timestamp) -> Self {
        let last = last.max(first);
        for (start, end, _) in &mut self.intervals {
            *start = (*start).clamp(first, last);
            *end = (*end).clamp(first, last);
        }
        self
    }
}

/// Input-sized packets for each turn, a tenth short of the next whole number being that number; `None` where nothing tells.
fn requests_of(input: Way) -> Option<u32> {
    if input.small == 0 {
        return Some(0);
    }
    let (small, turns) = (input.small.saturating_mul(10), input.turns);
    let whole = small
        .saturating_add(turns)
        .checked_div(turns.saturating_mul(10))?;
    Some(whole.max(1))
}

/// Judges the windows of a tool. `declared` is the role where the protocol itself tells it (who listens for RDP is
/// controlled).
#[must_use]
pub fn judge(windows: &Windows, tool: &str, declared: Option<Role>) -> Judgement {
    let mut thresholds = Thresholds::of(tool);
    let role = match (declared, Thresholds::reversed(tool)) {
        (Some(Role::Controller), Some(reversed)) if is_reversed(windows, &reversed) => {
            thresholds = reversed;
            Role::Controlled
        }
        (Some(role), _) => role,
        (None, _) => role(windows, &thresholds),
    };
    told(windows, &thresholds, role)
}

/// Judges the windows of a tunnel whose far end comes in through who opened it, where that is known: it carries a screen
/// or a shell, whose packets are short.
#[must_use]
pub fn judge_tunnel(windows: &Windows, tool: &str, role: Role) -> Judgement {
    let shell = Thresholds::of(tool);
    let (mut bytes, mut packets) = (0u64, 0u64);
    for window in windows.values().filter(|window| !window.is_opening) {
        let screen = if role == Role::Controller {
            window.inward
        } else {
            window.out
        };
        bytes = bytes.saturating_add(screen.bytes);
        packets = packets.saturating_add(screen.packets.into());
    }
    let is_shell = bytes <= packets.saturating_mul(own().shell_octets);
    let thresholds = Thresholds::reversed(tool).filter(|_| !is_shell).unwrap_or(shell);
    told(windows, &thresholds, role)
}

/// The states of all windows, for who has this role.
fn told(windows: &Windows, thresholds: &Thresholds, role: Role) -> Judgement {
    if windows.is_empty() {
        return Judgement {
            role,
            activity: Activity::Unknown,
            intervals: Vec::new(),
        };
    }
    let mut intervals: Vec<(Timestamp, Timestamp, Activity)> = Vec::new();
    for (number, state) in Reading::new(windows, thresholds, role != Role::Controller).states(windows) {
        let start = Timestamp(i64::from(number).saturating_mul(BIN));
        let end = start.plus(BIN);
        match intervals.last_mut() {
            Some((_, last, before))
                if *before == state && start.since(*last) <= own().join_seconds.saturating_mul(SECOND) =>
            {
                *last = end;
            }
            _ => intervals.push((start, end, state)),
        }
    }
    let mut judged = Judgement {
        role,
        activity: Activity::Unknown,
        intervals,
    };
    judged.activity = judged.liveliest();
    judged
}

/// Who shows the screen, over the windows that look driven from one of the two sides.
fn role(windows: &Windows, thresholds: &Thresholds) -> Role {
    let [shows, drives] = [true, false].map(|shows| Reading::new(windows, thresholds, shows));
    let mut sums = [0u64; 2];
    for window in windows.values() {
        if [&shows, &drives]
            .into_iter()
            .any(|reading| reading.state(window) == Some(Activity::Driven))
        {
            let [out, inward] = sums;
            sums = [
                out.saturating_add(window.out.bytes),
                inward.saturating_add(window.inward.bytes),
            ];
        }
    }
    let [out, inward] = sums;
    if out > inward.saturating_mul(own().ratio) {
        Role::Controlled
    } else if inward > out.saturating_mul(own().ratio) {
        Role::Controller
    } else {
        Role::Unknown
    }
}

/// Whether the far end drives who opened the connection: a tunnel that lets others in (ssh -R). Its screen goes out and
/// input comes in, several packets without an answer between, which no receipt of an upload does. A tunnel through which the
/// host is only watched is not told by this: requests and updates by turns are also what small files and their receipts (SFTP) or posts
/// and their answers (-L) look like. How its channels were opened tells it ([`judge_tunnel`]); of a connection whose
/// beginning was not captured the opener stays the controller.
fn is_reversed(windows: &Windows, thresholds: &Thresholds) -> bool {
    let reading = Reading::new(windows, thresholds, true);
    let driven = windows.values().filter(|window| {
        reading.state(window) == Some(Activity::Driven)
            && window.out.bytes <= u64::from(window.inward.small).saturating_mul(own().upload_octets)
    });
    let (mut out, mut inward) = (0u64, 0u64);
    for window in windows.values() {
        out = out.saturating_add(window.out.bytes);
        inward = inward.saturating_add(window.inward.bytes);
    }
    out > inward.saturating_mul(own().ratio) && driven.count() >= own().reversed_windows
}

#[cfg(test)]
mod tests;

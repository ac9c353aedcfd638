//! What the captures cannot show of what a machine does: whatever goes through its tunnels; and who is at it all the same.
//!
//! Question: did nobody work at the machine, or could nobody be seen? Minutes in which a VPN, a mesh, an employer's gateway, a proxy
//! or Tor carries more than keep-alives hold something, and so do those of a connection that nothing names, of a protocol that hides
//! what it carries, and that is alone with its host for hours: a tunnel whose maker is not in the catalogue.
//!
//! A hand shows from both ends: where a machine sends as one does and the other end answers with more (`unknown_interactive`, seen
//! from there), somebody is at the machine, whatever the connection's name is. Whether he sits there or drives it from elsewhere is
//! told by when that was.
//!
//! Last, a capture that begins in the middle of a connection has not seen who called whom, and by which name. Where such a connection shows
//! more than it is sent, as a screen does, it may be a session of a tool that nobody can name any more; whoever says that there is none
//! says more than he saw.
//!
//! Datagrams that nothing names and what goes through a tunnel are no finding by their form, since a meeting in which a screen is shown has it
//! too (`unknown_interactive`). But who says that nobody drives the machine says more than he saw there as well: the minutes in which something
//! with that form moved are kept, and whether they are most of what is done at the machine is judged where its activity is known.
//!
//! Looked at are connections with payload in at least a minute's windows, when they end; minutes of tunnels come from their sessions.

use std::collections::BTreeMap;

use super::Concluded;
use super::activity_state::{self, Way, Window, Windows};
use super::recognise::Recognised;
use super::thresholds::{THRESHOLDS, Unseeable};
use super::tunnel_use::{BINS, is_group, is_tunnel};
use super::unknown_interactive;
use super::watcher::{Ended, Watcher};
use crate::model::address::Address;
use crate::model::finding::{FindingKind, Role};
use crate::model::flow::{ActivityBin, FlowRecord, OpenerJudgement};
use crate::model::observation::{LocalIndex, Observation};
use crate::model::profile::Minutes;
use crate::model::segment::Layer;
use crate::model::time::SECOND;
use crate::model::unseen::DATAGRAMS;
use crate::settings::limits::Limits;

/// What is judgement here.
fn own() -> &'static Unseeable {
    &THRESHOLDS.unseen
}

/// Protocols inside which anything may be.
const OPAQUE: [&str; 4] = ["tls", "websocket", "dtls", "quic"];

/// Protocols of datagrams that open the way for something else, which nothing names then (RFC 8445).
const OPENING: [&str; 1] = ["stun"];

/// Minutes that are remembered of all machines together.
const MOST: usize = 2_000_000;

/// Windows of datagrams that are remembered of all machines together.
const MOST_WINDOWS: usize = 262_144;

/// How the text calls a connection that nothing names.
const UNNAMED: &str = "connections that nothing names";

/// What was seen of one local address.
#[derive(Debug, Default)]
struct OfOne {
    /// Minutes of unnamed connections.
    opaque: Minutes,
    /// Minutes in which a hand at the machine drove something elsewhere.
    hand: Minutes,
    /// Connections that may be sessions.
    begun_before: u64,
    /// Minutes in which unnamed connections showed something.
    shown: Minutes,
}

/// The watcher.
#[derive(Debug, Default)]
struct Unseen {
    by_local: BTreeMap<LocalIndex, OfOne>,
    /// Datagrams that nothing names, by both ends: whoever works at a machine in turns comes back to it in flows of their own.
    datagrams: BTreeMap<(LocalIndex, Address), Windows>,
    held: usize,
    /// Windows of datagrams.
    held_windows: usize,
    /// Connections beyond the bound.
    refused: u64,
}

/// The local end of a connection with the outside, and whether it is the client.
fn end(observation: &Observation<'_>) -> Option<(LocalIndex, bool)> {
    let flow = observation.flow;
    let (local, is_client, other) = match observation.locals {
        [Some(local), None] => (local, true, flow.server.address),
        [None, Some(local)] => (local, false, flow.client.address),
        _ => return None,
    };
    (flow.tunnels.depth() == 0 && !is_group(other)).then_some((local, is_client))
}

/// Whether nothing says what a connection is for, and its protocol hides what it carries.
fn is_unnamed(observation: &Observation<'_>, recognised: &[Recognised<'_>]) -> bool {
    recognised.is_empty()
        && observation.server_name.is_none()
        && observation
            .flow
            .app_proto
            .is_none_or(|name| OPAQUE.contains(&name))
}

/// The minutes in which bins carry more than keep-alives.
fn carrying(bins: impl Iterator<Item = (u32, u64)>) -> Minutes {
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for (number, octets) in bins {
        let sum = sums.entry(number / BINS).or_default();
        *sum = sum.saturating_add(octets);
    }
    sums.retain(|_, sum| *sum >= own().carries_octets);
    sums.into_keys().collect()
}

/// Octets of a bin, both ways.
fn octets(bin: &ActivityBin) -> u64 {
    bin.bytes.iter().map(|bytes| u64::from(*bytes)).sum()
}

/// Whether so many bins may be a hand's that nothing but the whole shape tells: what nearly no connection has.
fn may_have_hand(bins: &[ActivityBin], own: usize) -> bool {
    let other = own ^ 1;
    let is_busy = |bin: &&ActivityBin| {
        bin.small
            .get(own)
            .is_some_and(|small| u32::from(*small) >= unknown_interactive::own().packets)
            && bin
                .bytes
                .get(other)
                .is_some_and(|bytes| u64::from(*bytes) >= unknown_interactive::own().answer_octets)
    };
    bins.iter()
        .filter(is_busy)
        .nth(unknown_interactive::own().least_hand.saturating_sub(1))
        .is_some()
}

/// The minutes of a connection in which a hand at the machine moved, if it has the shape of one.
fn of_hand(flow: &FlowRecord, is_client: bool) -> Minutes {
    if !may_have_hand(&flow.activity, usize::from(!is_client)) {
        return Minutes::new();
    }
    // As the other end sees them, which shows something and is driven.
    let windows = unknown_interactive::windows(&flow.activity, flow.start, !is_client);
    let Some(shape) = unknown_interactive::shape(&windows) else {
        return Minutes::new();
    };
    let moving = windows.iter().filter(|(_, window)| shape.has_input(window));
    let mut minutes: Minutes = moving.map(|(number, _)| number / BINS).collect();
    minutes.dedup();
    minutes
}

/// The minutes in which something with the form of a session moved: windows as the machine that is driven sees them.
fn of_form(windows: &Windows) -> Minutes {
    let Some(shape) = unknown_interactive::shape(windows) else {
        return Minutes::new();
    };
    let moving = windows.iter().filter(|(_, window)| shape.has_input(window));
    let mut minutes: Minutes = moving.map(|(number, _)| number / BINS).collect();
    minutes.dedup();
    minutes
}

/// The minutes in which more goes out than comes in, and as much as a screen sends beyond keep-alives.
fn of_picture(windows: &Windows) -> Minutes {
    let mut minutes: Minutes = windows
        .iter()
        .filter(|(_, window)| {
            window.out.bytes >= own().screen_octets && window.out.bytes > window.inward.bytes
        })
        .map(|(number, _)| number / BINS)
        .collect();
    minutes.dedup();
    minutes
}

/// What a tunnel carries, without what it and the connections inside of it put around it.
fn without_wrapping(windows: &Windows) -> Windows {
    let bare = |way: Way| Way {
        bytes: way
            .bytes
            .saturating_sub(u64::from(way.packets).saturating_mul(own().wrapping_octets)),
        ..way
    };
    let inner = |(number, window): (&u32, &Window)| {
        let window = Window {
            out: bare(window.out),
            inward: bare(window.inward),
            is_opening: window.is_opening,
        };
        (*number, window)
    };
    windows.iter().map(inner).collect()
}

/// Whether a connection whose beginning was not captured may be a session in which the machine is controlled: it lasts, and shows
/// something by its form or at least by its direction. What the form tells by itself is a finding (`unknown_interactive`).
fn may_be_session(flow: &FlowRecord, is_client: bool) -> bool {
    let is_begun_before = matches!(flow.opener, OpenerJudgement::Port | OpenerJudgement::FirstSeen);
    if flow.layer != Layer::Tcp
        || !is_begun_before
        || flow.duration() < own().lasting_seconds.saturating_mul(SECOND)
    {
        return false;
    }
    let windows = unknown_interactive::windows(&flow.activity, flow.start, is_client);
    if let Some(shape) = unknown_interactive::shape(&windows) {
        return !shape.is_enough(is_client);
    }
    let shows =
        |window: &&Window| window.out.bytes >= own().screen_octets && window.out.bytes > window.inward.bytes;
    let sum = |of: fn(&Window) -> u64| windows.values().map(of).fold(0, u64::saturating_add);
    sum(|window| window.out.bytes) > sum(|window| window.inward.bytes)
        && windows.values().filter(shows).count() >= own().screen_windows
}

/// The minutes in which a session of a tunnel carried something.
fn inside(windows: &Windows) -> Minutes {
    let both =
        |(number, window): (&u32, &Window)| (*number, window.out.bytes.saturating_add(window.inward.bytes));
    carrying(windows.iter().map(both))
}

impl Unseen {
    /// Whether there is room for so many minutes more.
    fn has_room(&mut self, minutes: usize) -> bool {
        if self.held.saturating_add(minutes) > MOST {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        self.held = self.held.saturating_add(minutes);
        true
    }

    /// Takes the minutes in which a hand at the machine shows.
    fn add_hand(&mut self, local: LocalIndex, is_client: bool, flow: &FlowRecord) {
        let minutes = of_hand(flow, is_client);
        if !minutes.is_empty() && self.has_room(minutes.len()) {
            self.by_local.entry(local).or_default().hand.extend(minutes);
        }
    }

    /// Takes the windows of datagrams that nothing names.
    fn add_datagrams(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let flow = observation.flow;
        let opens = flow.app_proto.is_some_and(|name| OPENING.contains(&name));
        let is_nameless = recognised.is_empty() && observation.server_name.is_none();
        if flow.activity.is_empty() || !is_nameless || !(opens || is_unnamed(observation, recognised)) {
            return;
        }
        let Some((local, is_client)) = end(observation) else {
            return;
        };
        let other = if is_client { flow.server } else { flow.client };
        if self.held_windows >= MOST_WINDOWS {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let windows = self.datagrams.entry((local, other.address)).or_default();
        let before = windows.len();
        activity_state::add(windows, &flow.activity, flow.start, is_client);
        let more = windows.len().saturating_sub(before);
        self.held_windows = self.held_windows.saturating_add(more);
    }

    /// Takes the minutes of an unnamed connection that carries much.
    fn add_unnamed(&mut self, local: LocalIndex, flow: &FlowRecord, is_client: bool) {
        let payload = flow
            .payload_bytes
            .iter()
            .fold(0, |sum: u64, own| sum.saturating_add(*own));
        if flow.activity.len() < own().long_windows || payload < own().bulk_octets {
            return;
        }
        let minutes = carrying(flow.activity.iter().map(|bin| (bin.number, octets(bin))));
        if self.has_room(minutes.len()) {
            self.by_local.entry(local).or_default().opaque.extend(minutes);
        }
        // Those of datagrams are told with their form.
        if flow.layer == Layer::Tcp {
            let shown = of_picture(&unknown_interactive::windows(
                &flow.activity,
                flow.start,
                is_client,
            ));
            if !shown.is_empty() && self.has_room(shown.len()) {
                self.by_local.entry(local).or_default().shown.extend(shown);
            }
        }
    }
}

/// Watches for what nobody can look into.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Unseen>::default()
}

impl Watcher for Unseen {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let flow = observation.flow;
        if flow.layer == Layer::Udp {
            self.add_datagrams(observation, recognised);
        }
        if flow.activity.len() < unknown_interactive::own().least_hand {
            return;
        }
        let Some((local, is_client)) = end(observation) else {
            return;
        };
        if flow.layer == Layer::Tcp {
            self.add_hand(local, is_client, flow);
        }
        if is_unnamed(observation, recognised) {
            self.add_unnamed(local, flow, is_client);
            if may_be_session(flow, is_client) && self.has_room(1) {
                let own = self.by_local.entry(local).or_default();
                own.begun_before = own.begun_before.saturating_add(1);
            }
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.losses.add(
            "flows beyond the bound on minutes that hide what they carry",
            self.refused,
        );
        for session in &concluded.sessions {
            let Some(finding) = concluded.findings.get(session.finding) else {
                continue;
            };
            let is_remote = matches!(finding.kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
            if session.is_one_sided && is_remote && finding.role != Role::Controller {
                let own = concluded.unseen.entry(session.host).or_default();
                own.one_sided.push(finding.tool.clone());
            }
            if !is_tunnel(finding.kind) {
                continue;
            }
            let minutes = inside(&session.windows);
            if !minutes.is_empty() {
                let own = concluded.unseen.entry(session.host).or_default();
                own.minutes.extend(minutes);
                own.carriers.push(finding.tool.clone());
            }
            let formed = of_form(&without_wrapping(&session.windows));
            if !formed.is_empty() {
                let own = concluded.unseen.entry(session.host).or_default();
                own.formed.extend(formed);
                own.formed_by.push(finding.tool.clone());
            }
        }
        for (local, seen) in std::mem::take(&mut self.by_local) {
            let Some(host) = ended.by_local.get(&local) else {
                continue;
            };
            let own = concluded.unseen.entry(host.id).or_default();
            own.hand.extend(seen.hand);
            own.shown.extend(seen.shown);
            own.begun_before = own.begun_before.saturating_add(seen.begun_before);
            if !seen.opaque.is_empty() {
                own.minutes.extend(seen.opaque);
                own.carriers.push(UNNAMED.to_owned());
            }
        }
        for ((local, _), windows) in std::mem::take(&mut self.datagrams) {
            let (formed, shown) = (of_form(&windows), of_picture(&windows));
            let Some(host) = ended.by_local.get(&local) else {
                continue;
            };
            if !formed.is_empty() || !shown.is_empty() {
                let own = concluded.unseen.entry(host.id).or_default();
                own.shown.extend(shown);
                if !formed.is_empty() {
                    own.formed.extend(formed);
                    own.formed_by.push(DATAGRAMS.to_owned());
                }
            }
        }
        for own in concluded.unseen.values_mut() {
            own.shown.sort_unstable();
            own.shown.dedup();
            if own.shown.len() < self::own().picture_minutes {
                own.shown.clear();
            }
            for minutes in [&mut own.minutes, &mut own.hand, &mut own.formed] {
                minutes.sort_unstable();
                minutes.dedup();
            }
            for names in [&mut own.carriers, &mut own.one_sided, &mut own.formed_by] {
                names.sort_unstable();
                names.dedup();
            }
        }
    }
}

#[cfg(test)]
mod tests;

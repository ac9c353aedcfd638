//! How much goes through a tunnel, for how long, and whether the host sends anything else outside while it is up.
//!
//! The last is told by minutes: those in which the host sent payload to an address that is not local in any flow that is no tunnel. In a
//! full tunnel there are none, in a split tunnel there are. What runs inside an opened tunnel does not
//! count, nor do neighbours and groups, nor what others send to a host that does not answer. One whole minute with something beside
//! the tunnel shows that not all goes through it; that all does takes several.

use super::Concluded;
use super::thresholds::THRESHOLDS;
use super::watcher::{Ended, Watcher};
use crate::settings::limits::Limits;

use super::activity_state::Windows;
use super::recognise::Recognised;
use super::session_finding::kind_of;
use crate::model::address::Address;
use crate::model::fact::Side;
use crate::model::finding::{Finding, FindingKind, Routing, TunnelUse};
use crate::model::flow::{BIN, bin_of};
use crate::model::observation::{LocalIndex, Observation};
use crate::model::time::SECOND;

/// Bins of flows in a minute.
pub(super) const BINS: u32 = 6;
const _: () = assert!(60 * SECOND == 6 * BIN);
/// Minutes that are remembered of all hosts together: 32 MB.
const MOST: usize = 8_000_000;

/// Minutes of which each host's newest are at hand: flows end in bursts, so these few keep out nearly all that are known.
const AT_HAND: usize = 4;

/// No minute.
const NEVER: u32 = u32::MAX;

/// The minutes of one host, the newest where every flow of it looks.
#[derive(Debug)]
struct Spoken {
    /// The newest first.
    newest: [u32; AT_HAND],
    /// Those before them, in order of arrival: none in a capture of minutes.
    #[expect(
        clippy::box_collection,
        reason = "most hosts have none, and there are hundreds of thousands"
    )]
    older: Option<Box<Vec<u32>>>,
}

impl Default for Spoken {
    fn default() -> Self {
        Self {
            newest: [NEVER; AT_HAND],
            older: None,
        }
    }
}

impl Spoken {
    fn push(&mut self, minute: u32) {
        self.newest.rotate_right(1);
        let [newest, ..] = &mut self.newest;
        let oldest = std::mem::replace(newest, minute);
        if oldest != NEVER {
            self.older.get_or_insert_default().push(oldest);
        }
    }

    /// All of them.
    fn iter(&self) -> impl Iterator<Item = u32> {
        let older = self.older.iter().flat_map(|older| older.iter());
        let newest = self.newest.iter().filter(|minute| **minute != NEVER);
        older.chain(newest).copied()
    }
}

/// The minutes in which each host spoke with the outside without a tunnel.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// By index of the local address.
    minutes: Vec<Spoken>,
    held: usize,
    /// Those beyond the bound: where there is one, nobody is said to send nothing.
    refused: u64,
}

/// Whether findings of this kind carry what a host sends.
pub(super) const fn is_tunnel(kind: FindingKind) -> bool {
    matches!(
        kind,
        FindingKind::Vpn | FindingKind::Proxy | FindingKind::Tor | FindingKind::ReverseTunnel
    )
}

/// Whether an address is a group's, or everybody's.
pub(super) fn is_group(address: Address) -> bool {
    let [first, .., a, b, c, d] = address.0;
    if address.is_v4() {
        return a & 0xf0 == 0xe0 || [a, b, c, d] == [255; 4];
    }
    first == 0xff
}

impl Outside {
    /// Takes any placed flow with the tools that it belongs to.
    fn add(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let flow = observation.flow;
        let (local, other, own) = match observation.locals {
            [Some(local), None] => (local, flow.server.address, Side::Client),
            [None, Some(local)] => (local, flow.client.address, Side::Server),
            _ => return,
        };
        let has_sent = flow
            .payload_bytes
            .get(own.index())
            .is_some_and(|bytes| *bytes > 0);
        // Nothing that was sent, nothing to remember.
        if !has_sent && flow.activity.is_empty() {
            return;
        }
        let carries = |one: &Recognised<'_>| kind_of(one.tool).is_some_and(is_tunnel);
        if flow.tunnels.depth() > 0 || is_group(other) || recognised.iter().any(carries) {
            return;
        }
        let Ok(place) = usize::try_from(local.0) else {
            return;
        };
        if self.minutes.len() <= place {
            self.minutes.resize_with(place.saturating_add(1), Spoken::default);
        }
        let Some(minutes) = self.minutes.get_mut(place) else {
            return;
        };
        // Short flows keep no bins: the moment when they began stands for them.
        let is_short = flow.activity.is_empty() && has_sent;
        let begin = is_short.then(|| bin_of(flow.start) / BINS);
        let sending = flow
            .activity
            .iter()
            .filter(|bin| bin.bytes.get(own.index()).is_some_and(|bytes| *bytes > 0));
        let bins = sending.map(|bin| bin.number / BINS);
        for minute in bins.chain(begin) {
            if minutes.newest.contains(&minute) {
                continue;
            }
            if self.held >= MOST {
                self.refused = self.refused.saturating_add(1);
                return;
            }
            minutes.push(minute);
            self.held = self.held.saturating_add(1);
        }
    }

    /// What a session of a tunnel, by its windows, was used for by a host of these addresses.
    fn during(&self, kind: FindingKind, windows: &Windows, locals: &[LocalIndex]) -> Option<TunnelUse> {
        if !is_tunnel(kind) {
            return None;
        }
        let (first, last) = (*windows.keys().next()?, *windows.keys().next_back()?);
        let sums = windows.values().fold([0_u64; 2], |[out, inward], window| {
            [
                out.saturating_add(window.out.bytes),
                inward.saturating_add(window.inward.bytes),
            ]
        });
        // The first and the last minute are not the tunnel's alone.
        let (begins, ends) = ((first / BINS).saturating_add(1), last / BINS);
        let minutes = ends.saturating_sub(begins);
        let mut others: Vec<u32> = locals
            .iter()
            .filter_map(|local| self.minutes.get(usize::try_from(local.0).ok()?))
            .flat_map(Spoken::iter)
            .filter(|minute| (begins..ends).contains(minute))
            .collect();
        others.sort_unstable();
        others.dedup();
        let beside = u32::try_from(others.len()).unwrap_or(u32::MAX);
        let routing = match (minutes, beside) {
            (_, 1..) => Routing::Split,
            (few, _) if few < THRESHOLDS.unseen.whole_minutes => Routing::Unknown,
            _ if self.refused > 0 => Routing::Unknown,
            _ => Routing::Full,
        };
        Some(TunnelUse {
            seconds: last
                .saturating_sub(first)
                .saturating_add(1)
                .saturating_mul(60 / BINS),
            bytes_out: sums.first().copied().unwrap_or(0),
            bytes_in: sums.last().copied().unwrap_or(0),
            routing,
            whole_minutes: minutes,
            minutes_beside: beside,
        })
    }
}

/// What a tunnel was used for whose conversations were too short to have windows: what they carried, from their first packet to their last.
fn briefly(finding: &Finding, payload: [u64; 2]) -> Option<TunnelUse> {
    let [bytes_out, bytes_in] = payload;
    let carried = bytes_out > 0 || bytes_in > 0;
    let seconds = finding.last_seen.since(finding.timestamp).max(0) / SECOND;
    (is_tunnel(finding.kind) && carried).then(|| TunnelUse {
        seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        bytes_out,
        bytes_in,
        ..TunnelUse::default()
    })
}

/// Watches when hosts speak with the outside.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Outside>::default()
}

impl Watcher for Outside {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.add(observation, recognised);
    }

    /// Says of the sessions of tunnels what they were used for.
    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.losses.add(
            "minutes of traffic beside tunnels beyond what is remembered",
            self.refused,
        );
        for session in &concluded.sessions {
            let finding = concluded.findings.get_mut(session.finding);
            if let Some(finding) = finding.filter(|finding| is_tunnel(finding.kind))
                && let Some(host) = ended.by_id.get(&session.host)
            {
                let during = self.during(finding.kind, &session.windows, &host.locals);
                let during = during.or_else(|| briefly(finding, session.payload));
                finding.tunnel = during.map(Box::new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::activity_state::{Way, Window};
    use crate::model::flow::{ActivityBin, FlowRecord};

    const LOCAL: LocalIndex = LocalIndex(2);

    /// A flow of the host with payload in these ten-second bins.
    fn flow(server: [u8; 4], bins: &[u32]) -> FlowRecord {
        let mut flow = FlowRecord::default();
        flow.server.address = Address::from_v4(server);
        flow.activity = bins
            .iter()
            .map(|number| ActivityBin {
                number: *number,
                bytes: [10, 10],
                small: [0, 0],
                ..ActivityBin::default()
            })
            .collect();
        flow
    }

    fn placed(flow: &FlowRecord, locals: [Option<LocalIndex>; 2]) -> Observation<'_> {
        Observation {
            flow,
            locals,
            server_name: None,
        }
    }

    /// A tunnel that was up from one bin to another.
    fn tunnel(bins: [u32; 2]) -> Windows {
        let way = |bytes| Way {
            bytes,
            ..Way::default()
        };
        let window = Window {
            out: way(100),
            inward: way(900),
            is_opening: false,
        };
        bins.into_iter().map(|bin| (bin, window)).collect()
    }

    fn during(outside: &Outside) -> TunnelUse {
        outside
            .during(FindingKind::Vpn, &tunnel([600, 660]), &[LOCAL])
            .unwrap()
    }

    #[test]
    fn a_host_that_sends_nothing_else_outside_is_in_a_full_tunnel() {
        let mut outside = Outside::default();
        // Before and after, to a neighbour and to a group.
        let (before, neighbour, group) = (
            flow([198, 51, 100, 1], &[1, 599, 600, 665, 700]),
            flow([192, 168, 1, 9], &[630]),
            flow([224, 0, 0, 251], &[630]),
        );
        outside.add(&placed(&before, [Some(LOCAL), None]), &[]);
        outside.add(&placed(&neighbour, [Some(LOCAL), Some(LocalIndex(0))]), &[]);
        outside.add(&placed(&group, [Some(LOCAL), None]), &[]);
        let used = during(&outside);
        assert_eq!(
            (used.routing, used.whole_minutes, used.minutes_beside),
            (Routing::Full, 9, 0)
        );
        assert_eq!((used.seconds, used.bytes_out, used.bytes_in), (610, 200, 1_800));
    }

    #[test]
    fn minutes_with_other_traffic_are_counted_once() {
        let mut outside = Outside::default();
        let one = flow([198, 51, 100, 1], &[612, 613, 630]);
        let other = flow([198, 51, 100, 2], &[614, 631]);
        outside.add(&placed(&one, [Some(LOCAL), None]), &[]);
        outside.add(&placed(&other, [None, Some(LOCAL)]), &[]);
        let used = during(&outside);
        assert_eq!((used.routing, used.minutes_beside), (Routing::Split, 2));
    }

    #[test]
    fn one_minute_beside_a_short_tunnel_shows_that_not_all_goes_through_it() {
        let mut outside = Outside::default();
        let beside = flow([198, 51, 100, 1], &[608]);
        outside.add(&placed(&beside, [Some(LOCAL), None]), &[]);
        let short = |last| {
            let used = outside
                .during(FindingKind::Vpn, &tunnel([600, last]), &[LOCAL])
                .unwrap();
            (used.whole_minutes, used.routing)
        };
        assert_eq!(short(612), (1, Routing::Split));
        // The minute in which a tunnel ends is not its alone.
        assert_eq!(short(611), (0, Routing::Unknown));
    }

    #[test]
    fn what_strangers_send_to_a_host_that_does_not_answer_is_not_the_hosts() {
        let mut outside = Outside::default();
        let mut scan = flow([192, 168, 1, 9], &[620, 640]);
        scan.client.address = Address::from_v4([198, 51, 100, 1]);
        for bin in &mut scan.activity {
            bin.bytes = [10, 0];
        }
        let mut probe = flow([192, 168, 1, 9], &[]);
        probe.client.address = Address::from_v4([198, 51, 100, 1]);
        probe.start = crate::model::time::Timestamp(630 * BIN);
        probe.payload_bytes = [40, 0];
        for one in [&scan, &probe] {
            outside.add(&placed(one, [None, Some(LOCAL)]), &[]);
        }
        assert_eq!(during(&outside).routing, Routing::Full);
        scan.activity[0].bytes = [10, 10];
        outside.add(&placed(&scan, [None, Some(LOCAL)]), &[]);
        let used = during(&outside);
        assert_eq!((used.routing, used.minutes_beside), (Routing::Split, 1));
    }

    #[test]
    fn connections_too_short_for_bins_are_other_traffic_too() {
        let mut outside = Outside::default();
        let mut short = flow([198, 51, 100, 1], &[]);
        short.start = crate::model::time::Timestamp(630 * BIN);
        outside.add(&placed(&short, [Some(LOCAL), None]), &[]);
        assert_eq!(during(&outside).routing, Routing::Full, "a flow without payload");
        short.payload_bytes = [100, 0];
        outside.add(&placed(&short, [Some(LOCAL), None]), &[]);
        let used = during(&outside);
        assert_eq!((used.routing, used.minutes_beside), (Routing::Split, 1));
    }

    #[test]
    fn conversations_too_short_for_windows_say_what_they_carried() {
        let mut finding = Finding {
            kind: FindingKind::Vpn,
            last_seen: crate::model::time::Timestamp(3 * SECOND),
            ..Finding::default()
        };
        let used = briefly(&finding, [40, 60]).unwrap();
        assert_eq!(
            (used.seconds, used.bytes_out, used.bytes_in, used.routing),
            (3, 40, 60, Routing::Unknown)
        );
        assert_eq!(briefly(&finding, [0, 0]), None, "only asked for");
        finding.kind = FindingKind::RemoteAccess;
        assert_eq!(briefly(&finding, [40, 60]), None);
    }

    #[test]
    fn a_short_tunnel_tells_nothing_and_what_is_no_tunnel_has_no_use() {
        let outside = Outside::default();
        let short = outside
            .during(FindingKind::Vpn, &tunnel([600, 612]), &[LOCAL])
            .unwrap();
        assert_eq!(short.routing, Routing::Unknown);
        assert_eq!(
            outside.during(FindingKind::RemoteAccess, &tunnel([600, 660]), &[LOCAL]),
            None
        );
    }
}

//! How many devices share one address behind a router that is not ours to look behind (DETECTION 3.6).
//!
//! Only addresses whose packets have passed a router on their way to the capture point are asked: their TTL is not what a stack sends
//! out. On a local network nearly every flow fails that test at once.
//!
//! At least: systems that open connections differently (initial TTL and the order-free set of SYN options, RFC 9293, 3.2; p0f counts
//! stacks the same way). One system does so in one way, but for Multipath TCP, which is not counted; identical machines cannot be told apart, so it is a bound from below. At most, of what
//! can be told apart: every combination of stack, window and TLS fingerprint taken for a device of its own, and every host name.
//! Identical machines hide behind both, and the text says so.
//!
//! What runs side by side bounds from below as well: clocks of TCP time stamps and counters of IP identifications
//! (`super::clocks_behind`), from the SYNs alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::clocks_behind::{self, Clocks, Point};
use super::recognise::Recognised;
use super::thresholds::THRESHOLDS;
use super::watcher::{Ended, Watcher};
use super::{Concluded, HostView};
use crate::model::address::Address;
use crate::model::fact::{FieldId, Value};
use crate::model::flow::{FlowRecord, OpenerJudgement};
use crate::model::host::DevicesBehind;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::settings::limits::Limits;

const JA4: FieldId = FieldId::of("tls.ja4");

/// TTLs that stacks send out (p0f).
const INITIAL: [u8; 4] = [32, 64, 128, 255];

/// Different stacks, or clients, that are remembered of one address.
const MOST_KINDS: usize = 64;

/// SYNs that are remembered of one address to one destination, and in all.
const MOST_SYNS: usize = 64;
const MOST_SYNS_IN_ALL: usize = 500_000;

/// The option of Multipath TCP (RFC 8684, 3.1: kind 30). One system puts it into some SYNs and not into others, by what opens them.
const MULTIPATH: u32 = 1 << 30;

/// How a system opens connections: initial TTL and kinds of options, but for one that systems use at times.
type Stack = (u8, u32);

/// Stack, window, its scale, and hash of the TLS fingerprint.
type Client = (Stack, u16, Option<u8>, u64);

/// What was seen of one address: lists, because most have an entry or two and there may be a hundred thousand of them.
#[derive(Debug, Default)]
struct Seen {
    stacks: Vec<(Stack, u32)>,
    clients: Vec<Client>,
}

impl Seen {
    fn add(&mut self, client: Client) {
        let (stack, ..) = client;
        if let Some((_, count)) = self.stacks.iter_mut().find(|(known, _)| *known == stack) {
            *count = count.saturating_add(1);
        } else if self.stacks.len() < MOST_KINDS {
            self.stacks.reserve_exact(1);
            self.stacks.push((stack, 1));
        }
        if self.clients.len() < MOST_KINDS && !self.clients.contains(&client) {
            self.clients.reserve_exact(1);
            self.clients.push(client);
        }
    }
}

/// Watches the stacks behind addresses.
#[derive(Debug)]
struct Stacks {
    by_local: BTreeMap<LocalIndex, Seen>,
    /// SYNs from an address to a destination.
    syns: BTreeMap<(LocalIndex, Address), Vec<Point>>,
    remembered: usize,
    most: usize,
    /// Connections of addresses beyond the bound.
    refused: u64,
}

/// Watches the stacks behind addresses.
pub(super) fn watch(limits: &Limits) -> Box<dyn Watcher> {
    Box::new(Stacks {
        by_local: BTreeMap::new(),
        syns: BTreeMap::new(),
        remembered: 0,
        most: limits.hosts,
        refused: 0,
    })
}

/// The TTL that a packet began with, where it has passed a router since.
fn initial(ttl: u8) -> Option<u8> {
    let start = INITIAL.into_iter().find(|start| ttl <= *start)?;
    (ttl != 0 && ttl != start).then_some(start)
}

fn fingerprint(flow: &FlowRecord) -> u64 {
    let Some(Value::Text { bytes, .. }) = flow.facts.find(JA4).map(|fact| fact.value) else {
        return 0;
    };
    // FNV-1a (Fowler, Noll, Vo).
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3)
    })
}

impl Watcher for Stacks {
    fn flow(&mut self, observation: &Observation<'_>, _: &[Recognised<'_>]) {
        let flow = observation.flow;
        let [ttl, _] = flow.ttl;
        let Some(start) = initial(ttl) else { return };
        let ([Some(local), _], Some(tcp)) = (observation.locals, &flow.tcp) else {
            return;
        };
        if flow.opener != OpenerJudgement::Handshake {
            return;
        }
        if self.by_local.len() >= self.most && !self.by_local.contains_key(&local) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let [client, _] = &tcp.sides;
        let stack = (start, client.option_kinds & !MULTIPATH);
        self.by_local.entry(local).or_default().add((
            stack,
            client.first_window,
            client.window_scale,
            fingerprint(flow),
        ));
        self.remember(local, flow);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("connections beyond the bound on hosts", self.refused);
        concluded.devices = self.ranges(ended.hosts);
    }
}

/// What runs side by side behind an address.
#[derive(Debug, Default)]
struct SideBySide {
    clocks: Clocks,
    counters: usize,
}

impl Stacks {
    /// Remembers a SYN.
    fn remember(&mut self, local: LocalIndex, flow: &FlowRecord) {
        if flow.syn_timestamp == 0 && flow.syn_identification == 0 || self.remembered >= MOST_SYNS_IN_ALL {
            return;
        }
        let points = self.syns.entry((local, flow.server.address)).or_default();
        if points.len() < MOST_SYNS {
            self.remembered = self.remembered.saturating_add(1);
            let [packets, _] = flow.packets;
            points.push(Point {
                at: flow.start,
                timestamp: flow.syn_timestamp,
                identification: flow.syn_identification,
                packets: u32::try_from(packets).unwrap_or(u32::MAX),
            });
        }
    }

    /// Clocks and counters behind an address.
    fn side_by_side(&self, local: LocalIndex) -> SideBySide {
        let from = (local, Address::default());
        let own = self.syns.range(from..).take_while(|((of, _), _)| *of == local);
        let (mut seen, mut all) = (SideBySide::default(), Vec::new());
        for (destination, (_, points)) in own.enumerate() {
            let mut points: Vec<(Point, usize)> = points.iter().map(|point| (*point, destination)).collect();
            points.sort_by_key(|(point, _)| (point.at, point.timestamp, point.identification));
            let alone: Vec<Point> = points.iter().map(|(point, _)| *point).collect();
            let clocks = clocks_behind::clocks(&alone);
            if clocks.count > seen.clocks.count {
                seen.clocks = clocks;
            }
            seen.counters = seen.counters.max(clocks_behind::counters(&points, false));
            all.extend(points);
        }
        all.sort_by_key(|(point, destination)| {
            (point.at, *destination, point.timestamp, point.identification)
        });
        seen.counters = seen.counters.max(clocks_behind::counters(&all, true));
        seen
    }

    fn ranges(&self, hosts: &[HostView]) -> BTreeMap<ContentId, DevicesBehind> {
        let mut ranges = BTreeMap::new();
        let is_seen = |local: &LocalIndex| {
            let from = (*local, Address::default());
            let mut own = self.syns.range(from..).map(|((of, _), _)| of == local);
            self.by_local.contains_key(local) || own.next() == Some(true)
        };
        let is_empty = self.by_local.is_empty() && self.syns.is_empty();
        for host in hosts
            .iter()
            .filter(|host| !is_empty && host.locals.iter().any(is_seen))
        {
            let seen = host.locals.iter().filter_map(|local| self.by_local.get(local));
            let (mut stacks, mut clients) = (BTreeMap::<Stack, u32>::new(), BTreeSet::<Client>::new());
            for one in seen {
                for (stack, count) in &one.stacks {
                    let sum = stacks.entry(*stack).or_default();
                    *sum = sum.saturating_add(*count);
                }
                clients.extend(&one.clients);
            }
            stacks.retain(|_, count| *count >= THRESHOLDS.devices_behind.least_flows);
            clients.retain(|(stack, ..)| stacks.contains_key(stack));
            let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (source, name, ..) in &host.names {
                names.entry(source).or_default().insert(name);
            }
            let names = names.values().map(BTreeSet::len).max().unwrap_or(0);
            let beside = host.locals.iter().map(|local| self.side_by_side(*local));
            let beside = beside.max_by_key(|seen| seen.clocks.count.max(seen.counters));
            if let Some(range) = range(stacks.len(), clients.len(), names, &beside.unwrap_or_default()) {
                ranges.insert(host.id, range);
            }
        }
        ranges
    }
}

/// The estimate of a number of stacks, of clients, of names, and of what runs side by side; nothing where all of it may be one device.
fn range(stacks: usize, clients: usize, names: usize, beside: &SideBySide) -> Option<DevicesBehind> {
    let clocks = beside.clocks.count;
    let least = stacks.max(clocks).max(beside.counters);
    if least < 2 {
        return None;
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let most = clients.max(names).max(least);
    let mut what = format!(
        "{least} to {most} devices behind it can be told apart: {stacks} kinds of systems open connections from behind a router, in \
         {clients} combinations of system, window and TLS fingerprint"
    );
    if clocks > 1 {
        let skews = &beside.clocks.skews;
        let least = skews.iter().copied().reduce(f64::min);
        let most = skews.iter().copied().reduce(f64::max);
        let skew = match (least, most) {
            (Some(least), Some(most)) => format!(" ({least:+.0} to {most:+.0} ppm against the capture's)"),
            _ => String::new(),
        };
        let _ = write!(
            what,
            "; {clocks} clocks of TCP time stamps run side by side towards one server{skew}"
        );
    }
    if beside.counters > 1 {
        let _ = write!(
            what,
            "; {} counters of IP identifications run side by side",
            beside.counters
        );
    }
    what.push_str(
        "; identical machines may count as one, a virtual machine or a second address of one as another",
    );
    Some(DevicesBehind {
        least: number(least),
        most: number(most),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::{TcpRecord, TcpSide};

    const ADDRESS: LocalIndex = LocalIndex(4);

    /// A connection from behind so many routers.
    fn connection(initial: u8, hops: u8, options: u32, window: u16) -> FlowRecord {
        FlowRecord {
            ttl: [initial - hops, 57],
            opener: OpenerJudgement::Handshake,
            tcp: Some(TcpRecord {
                sides: [
                    TcpSide {
                        option_kinds: options,
                        first_window: window,
                        ..TcpSide::default()
                    },
                    TcpSide::default(),
                ],
                ..TcpRecord::default()
            }),
            ..FlowRecord::default()
        }
    }

    fn estimate(flows: &[(FlowRecord, u32)]) -> Option<(u32, u32)> {
        let mut watcher = Stacks {
            by_local: BTreeMap::new(),
            syns: BTreeMap::new(),
            remembered: 0,
            most: 10,
            refused: 0,
        };
        for (flow, times) in flows {
            for _ in 0..*times {
                let observation = Observation {
                    flow,
                    locals: [Some(ADDRESS), None],
                    server_name: None,
                };
                watcher.flow(&observation, &[]);
            }
        }
        let hosts = [HostView {
            id: ContentId::of(&[b"one"]),
            locals: vec![ADDRESS],
            ..HostView::default()
        }];
        let ranges = watcher.ranges(&hosts);
        ranges.values().next().map(|range| (range.least, range.most))
    }

    #[test]
    fn a_phone_that_uses_multipath_tcp_at_times_is_one_system() {
        let flows = [
            (connection(64, 1, 0b1_0001_1110, 65_535), 5),
            (connection(64, 1, 0b1_0001_1110 | 1 << 30, 65_535), 5),
        ];
        assert_eq!(estimate(&flows), None);
    }

    #[test]
    fn different_systems_behind_a_router_are_counted_as_a_range() {
        let flows = [
            (connection(64, 1, 0b1_0001_1110, 64_240), 5),
            (connection(64, 1, 0b1_0001_1110, 65_535), 5),
            (connection(128, 1, 0b10_1110, 64_240), 5),
        ];
        assert_eq!(estimate(&flows), Some((2, 3)));
    }

    #[test]
    fn one_system_and_machines_on_our_own_network_have_no_estimate() {
        assert_eq!(estimate(&[(connection(64, 2, 30, 64_240), 50)]), None);
        let near = [
            (connection(64, 0, 30, 64_240), 5),
            (connection(128, 0, 14, 64_240), 5),
        ];
        assert_eq!(estimate(&near), None);
    }

    #[test]
    fn identical_machines_are_told_apart_by_their_clocks_and_one_by_none() {
        use crate::model::time::{SECOND, Timestamp};
        let of = |offset: u32, number: u32| {
            let mut flow = connection(64, 1, 30, 64_240);
            flow.start = Timestamp(i64::from(number) * 60 * SECOND);
            flow.syn_timestamp = offset.wrapping_add(number * 60_000);
            (flow, 1)
        };
        let two: Vec<_> = (0..20)
            .flat_map(|number| [of(5_000, number), of(3_000_000_000, number)])
            .collect();
        assert_eq!(estimate(&two), Some((2, 2)));
        let one: Vec<_> = (0..20).map(|number| of(5_000, number)).collect();
        assert_eq!(estimate(&one), None);
    }

    #[test]
    fn a_stack_that_is_seen_once_or_twice_is_none() {
        let flows = [
            (connection(64, 1, 30, 64_240), 50),
            (connection(255, 1, 0, 1_024), 2),
        ];
        assert_eq!(estimate(&flows), None);
    }
}

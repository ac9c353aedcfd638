//! How many devices share one address behind a router that is not ours to look behind (DETECTION 3.6).
//!
//! Only addresses whose packets have passed a router on their way to the capture point are asked: their TTL is not what a stack sends
//! out. On a local network nearly every flow fails that test at once.
//!
//! At least: systems that open connections differently (initial TTL and the order-free set of SYN options, RFC 9293, 3.2; p0f counts
//! stacks the same way). One system does so in one way; identical machines cannot be told apart, so it is a bound from below. At most, of what
//! can be told apart: every combination of stack, window and TLS fingerprint taken for a device of its own, and every host name.
//! Identical machines hide behind both, and the text says so.
//!
//! Clocks of TCP time stamps (Kohno 2005) and series of IP identifications (Bellovin 2002) are not used: Linux since 4.10 and Apple's
//! systems give each connection or peer an offset of its own, Windows sends no time stamps, identifications are random or per peer; and both need
//! something kept of every packet.

use std::collections::{BTreeMap, BTreeSet};

use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use super::{Concluded, HostView};
use crate::model::fact::{FieldId, Value};
use crate::model::flow::{FlowRecord, OpenerJudgement};
use crate::model::host::DevicesBehind;
use crate::model::identity::ContentId;
use crate::model::observation::{LocalIndex, Observation};
use crate::settings::limits::Limits;

const JA4: FieldId = FieldId::of("tls.ja4");

/// TTLs that stacks send out (p0f).
const INITIAL: [u8; 4] = [32, 64, 128, 255];

/// Connections that a stack must have opened to count: one may be forged or crafted.
const LEAST_FLOWS: u32 = 3;

/// Different stacks, or clients, that are remembered of one address.
const MOST_KINDS: usize = 64;

/// How a system opens connections: initial TTL and kinds of options.
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
    most: usize,
    /// Connections of addresses beyond the bound.
    refused: u64,
}

/// Watches the stacks behind addresses.
pub(super) fn watch(limits: &Limits) -> Box<dyn Watcher> {
    Box::new(Stacks {
        by_local: BTreeMap::new(),
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
        let stack = (start, client.option_kinds);
        self.by_local.entry(local).or_default().add((
            stack,
            client.first_window,
            client.window_scale,
            fingerprint(flow),
        ));
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("connections beyond the bound on hosts", self.refused);
        concluded.devices = self.ranges(ended.hosts);
    }
}

impl Stacks {
    fn ranges(&self, hosts: &[HostView]) -> BTreeMap<ContentId, DevicesBehind> {
        let mut ranges = BTreeMap::new();
        for host in hosts {
            let seen = host.locals.iter().filter_map(|local| self.by_local.get(local));
            let (mut stacks, mut clients) = (BTreeMap::<Stack, u32>::new(), BTreeSet::<Client>::new());
            for one in seen {
                for (stack, count) in &one.stacks {
                    let sum = stacks.entry(*stack).or_default();
                    *sum = sum.saturating_add(*count);
                }
                clients.extend(&one.clients);
            }
            stacks.retain(|_, count| *count >= LEAST_FLOWS);
            clients.retain(|(stack, ..)| stacks.contains_key(stack));
            let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (source, name, ..) in &host.names {
                names.entry(source).or_default().insert(name);
            }
            let names = names.values().map(BTreeSet::len).max().unwrap_or(0);
            if let Some(range) = range(stacks.len(), clients.len(), names) {
                ranges.insert(host.id, range);
            }
        }
        ranges
    }
}

/// The estimate of a number of stacks, of clients and of names; nothing where all of it may be one device.
fn range(stacks: usize, clients: usize, names: usize) -> Option<DevicesBehind> {
    if stacks < 2 {
        return None;
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let most = clients.max(names).max(stacks);
    Some(DevicesBehind {
        least: number(stacks),
        most: number(most),
        what: format!(
            "{stacks} to {most} devices behind it can be told apart: {stacks} kinds of systems open connections from behind a router, in \
             {clients} combinations of system, window and TLS fingerprint; identical machines count as one, a virtual machine as another"
        ),
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
    fn a_stack_that_is_seen_once_or_twice_is_none() {
        let flows = [
            (connection(64, 1, 30, 64_240), 50),
            (connection(255, 1, 0, 1_024), 2),
        ];
        assert_eq!(estimate(&flows), None);
    }
}

//! Which machines' packets come out of which tunnels: where a tunnel is opened, the sender of the outer packets is the line from
//! which the sender of the inner ones goes out. At an employer's gateway that is a worker's own public address.
//!
//! Only tunnels count in which IP packets travel between two networks (L2TP, PPTP and other GRE, IP in IP, 6in4, AYIYA): whole frames are
//! bridges and mirrored copies, and what a carrier wraps around its customers (GTP, labels) is its own. A gateway's
//! address is nobody's line: of the two ends of a tunnel, the one that has tunnels with more others is the gateway, and where both have
//! as many, the one behind which more machines speak. Where nothing tells the two apart, nobody's line is learnt.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::decode::Step;
use crate::model::address::{Address, AddressSpace};
use crate::model::egress::Sightings;
use crate::model::segment::{Encapsulation, Segment};
use crate::model::time::{SECOND, Timestamp};
use crate::model::tunnel_end::TunnelEnd;

use super::Inside;

/// Tunnels, each direction counted, that are remembered: some megabytes.
const MOST: usize = 20_000;
/// Machines that are remembered of one direction of a tunnel: beyond these it is a gateway's.
const MOST_INSIDE: usize = 32;
/// How often a machine is noted again.
const AGAIN: i64 = 60 * SECOND;

/// Sender and receiver of a tunnel's outer packets.
pub(in crate::decode) type Outside = [Address; 2];

/// The outside that counts for what is inside: the outermost one of a tunnel between networks.
pub(in crate::decode) fn outside(
    known: Option<Outside>,
    outer: &Segment,
    inside: &Inside,
) -> Option<Outside> {
    let is_between_networks = matches!(
        inside.encapsulation,
        Encapsulation::L2tp
            | Encapsulation::Gre
            | Encapsulation::Ipip
            | Encapsulation::Sixin4
            | Encapsulation::Ayiya
    );
    let carries_packets = matches!(inside.step, Step::Ip(_) | Step::Ppp(_));
    if !is_between_networks || !carries_packets {
        return None;
    }
    known.or(Some([outer.source_address, outer.destination_address]))
}

/// A machine inside.
#[derive(Debug)]
struct Machine {
    space: AddressSpace,
    address: Address,
    latest: Timestamp,
    seen: Sightings,
}

/// All tunnels that were opened.
#[derive(Debug, Default)]
pub(in crate::decode) struct Ends {
    inside: HashMap<Outside, Vec<Machine>, rapidhash::fast::RandomState>,
}

impl Ends {
    /// Takes the inner packet of a tunnel; `false` where there was no room for it.
    pub(in crate::decode) fn note(&mut self, outside: Outside, inner: &Segment) -> bool {
        if self.inside.len() >= MOST && !self.inside.contains_key(&outside) {
            return false;
        }
        let machines = self.inside.entry(outside).or_default();
        let (space, address) = (inner.space, inner.source_address);
        let has_room = machines.len() < MOST_INSIDE;
        let known = machines
            .iter_mut()
            .find(|known| known.address == address && known.space == space);
        if let Some(known) = known {
            if inner.at.since(known.latest) >= AGAIN {
                known.latest = inner.at;
                known.seen.add(inner.at);
            }
        } else if has_room {
            machines.push(Machine {
                space,
                address,
                latest: inner.at,
                seen: Sightings::first(inner.source, inner.at),
            });
        }
        true
    }

    /// The machines behind the ends that are no gateways, in order.
    pub(in crate::decode) fn list(&self) -> Vec<TunnelEnd> {
        let mut tunnels: Vec<(&Outside, &Vec<Machine>)> = self.inside.iter().collect();
        tunnels.sort_unstable_by_key(|(outside, _)| **outside);
        let mut others: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for ([from, to], _) in &tunnels {
            others.entry(*from).or_default().insert(*to);
            others.entry(*to).or_default().insert(*from);
        }
        let size = |end: Address, other: Address| {
            let tunnels = others.get(&end).map_or(0, BTreeSet::len);
            let machines = self.inside.get(&[end, other]).map_or(0, Vec::len);
            (tunnels, machines)
        };
        let lines = tunnels
            .iter()
            .filter(|([from, to], _)| size(*from, *to) < size(*to, *from));
        let ends = lines.flat_map(|([from, _], machines)| {
            machines.iter().map(|machine| TunnelEnd {
                space: machine.space,
                inner: machine.address,
                outer: *from,
                seen: machine.seen.clone(),
            })
        });
        ends.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::stretch::Stretch;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<std::net::IpAddr>().unwrap())
    }

    fn packet(from: &str, to: &str, second: i64) -> Segment {
        Segment {
            at: Timestamp::from_parts(second, 0),
            source_address: address(from),
            destination_address: address(to),
            ..Segment::default()
        }
    }

    /// The lines of tunnels through which each of these packets went: outer sender and receiver, inner sender.
    fn lines(packets: &[[&str; 3]]) -> Vec<(String, String)> {
        let mut ends = Ends::default();
        for (second, [from, to, inner]) in (0..).zip(packets) {
            assert!(ends.note([address(from), address(to)], &packet(inner, "10.0.0.9", second)));
        }
        let list = ends.list();
        list.iter()
            .map(|end| (end.inner.to_string(), end.outer.to_string()))
            .collect()
    }

    const GATEWAY: &str = "203.0.113.1";

    #[test]
    fn a_workers_line_is_the_outside_of_his_tunnel_and_the_gateways_address_is_nobodys() {
        let packets = [
            ["198.51.100.7", GATEWAY, "10.8.0.7"],
            [GATEWAY, "198.51.100.7", "10.0.0.9"],
            ["198.51.100.8", GATEWAY, "10.8.0.8"],
            // Two behind one line.
            ["198.51.100.8", GATEWAY, "10.8.0.9"],
            [GATEWAY, "198.51.100.8", "10.0.0.9"],
        ];
        let expected = [
            ("10.8.0.7", "198.51.100.7"),
            ("10.8.0.8", "198.51.100.8"),
            ("10.8.0.9", "198.51.100.8"),
        ];
        assert_eq!(
            lines(&packets),
            expected.map(|(inner, outer)| (inner.to_owned(), outer.to_owned()))
        );
    }

    #[test]
    fn of_one_tunnel_alone_the_end_with_more_machines_behind_it_is_the_gateway() {
        let packets = [
            ["198.51.100.7", GATEWAY, "10.8.0.7"],
            [GATEWAY, "198.51.100.7", "10.0.0.9"],
            [GATEWAY, "198.51.100.7", "192.0.2.80"],
        ];
        assert_eq!(
            lines(&packets),
            [("10.8.0.7".to_owned(), "198.51.100.7".to_owned())]
        );
    }

    #[test]
    fn mirrored_frames_and_a_carriers_wrapping_have_no_outside_that_counts() {
        let outer = packet("198.51.100.7", GATEWAY, 0);
        let stretch = Stretch::default();
        let of = |encapsulation, step| {
            let inside = Inside {
                encapsulation,
                identifier: None,
                step,
            };
            outside(None, &outer, &inside)
        };
        let line = Some([outer.source_address, outer.destination_address]);
        assert_eq!(of(Encapsulation::L2tp, Step::Ppp(stretch)), line);
        assert_eq!(of(Encapsulation::Gre, Step::Ip(stretch)), line);
        assert_eq!(of(Encapsulation::Gre, Step::Ethernet(stretch)), None);
        for mirror in [Encapsulation::Erspan2, Encapsulation::Vxlan, Encapsulation::Gtpu] {
            assert_eq!(of(mirror, Step::Ip(stretch)), None, "{mirror:?}");
        }
    }

    #[test]
    fn memory_is_bounded_for_tunnels_and_for_machines_inside() {
        let mut ends = Ends::default();
        for number in 0..1_000_u32 {
            let [.., high, low] = number.to_be_bytes();
            let inner = Address::from_v4([10, 0, high, low]);
            let inner = Segment {
                source_address: inner,
                ..Segment::default()
            };
            ends.note([address("198.51.100.7"), address(GATEWAY)], &inner);
        }
        let outside = [address("198.51.100.7"), address(GATEWAY)];
        assert_eq!(ends.inside[&outside].len(), MOST_INSIDE);
        for number in 0..30_000_u32 {
            let [_, one, high, low] = number.to_be_bytes();
            let from = Address::from_v4([198, one, high, low]);
            ends.note([from, address(GATEWAY)], &Segment::default());
        }
        assert_eq!(ends.inside.len(), MOST);
    }
}

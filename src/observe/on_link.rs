//! Which ends outside of the networks that are known as ours are on the captured link all the same.
//!
//! A house with IPv6 has addresses that nobody declared, and a campus has no private ones at all. What says that an end is here is the
//! time to live of its first packet: systems send out 64, 128 or 255 (p0f), and every router on the way takes one off (RFC 791, 3.2;
//! RFC 8200, 3). Of two ends of which one comes with such a number and the other with less, the first is on the link or behind a
//! bridge. A link address that carries the packets of several foreign networks says nothing: it is a router's, and proxies there answer
//! in others' names.
//!
//! Learnt from ended flows in their one order, before they are placed, so that a flow that tells whose its ends are has its host at once.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::Ipv6Net;

use super::identity::Identity;
use super::locals::Locals;
use super::tally::Part;
use crate::model::address::Address;
use crate::model::flow::FlowRecord;
use crate::model::observation::LocalIndex;
use crate::model::quantity::counted;

/// Times to live with which systems send out what is to leave the link.
const SENT_OUT: [u8; 3] = [64, 128, 255];

/// IPv6 networks that are kept. A site has one or two; more are not a site.
const MOST_NETWORKS: usize = 64;

/// Single IPv4 addresses that are kept.
const MOST_ADDRESSES: usize = 65_536;

/// Networks and addresses that were learnt to be ours.
#[derive(Debug, Default)]
pub(super) struct OnLink {
    /// IPv6 prefixes that router advertisements announced, or that machines of ours send from.
    networks: BTreeSet<Ipv6Net>,
    /// How many of them no router announced.
    pub(super) unannounced: usize,
    /// IPv4 addresses that send first-hand. Networks cannot be told from them: their neighbours by number may be anybody's.
    pub(super) addresses: HashSet<Address, rapidhash::fast::RandomState>,
    /// Connections of tools without an end that is known as ours, of which nothing told which end is.
    pub(super) untold: u64,
}

impl OnLink {
    /// Whether an address was learnt to be ours.
    pub(super) fn contains(&self, address: Address) -> bool {
        if address.is_v4() {
            return !self.addresses.is_empty() && self.addresses.contains(&address);
        }
        !self.networks.is_empty()
            && matches!(address.to_ip(), IpAddr::V6(ip) if self.networks.iter().any(|network| network.contains(&ip)))
    }

    /// Takes a prefix that a router announced (RFC 4861, 4.6.2). Whether it is new.
    pub(super) fn announced(&mut self, network: Ipv6Net) -> bool {
        self.networks.len() < MOST_NETWORKS
            && (48..=64).contains(&network.prefix_len())
            && self.networks.insert(network)
    }

    /// Takes the network of an IPv6 address, or an IPv4 address, that sent first-hand.
    fn sent_from(&mut self, address: Address) {
        match address.to_ip() {
            IpAddr::V4(_) if self.addresses.len() < MOST_ADDRESSES => {
                self.addresses.insert(address);
            }
            IpAddr::V4(_) => {}
            IpAddr::V6(ip) => {
                if let Ok(network) = Ipv6Net::new(ip, 64)
                    && self.announced(network.trunc())
                {
                    self.unannounced = self.unannounced.saturating_add(1);
                }
            }
        }
    }
}

impl OnLink {
    /// What the reader should know: what was taken for ours, and where that could not be told.
    /// The latter only with `asks`: where hardly anything has an end of ours, that is said of the whole.
    pub(super) fn remarks(&self, asks: bool) -> Vec<String> {
        let mut remarks = Vec::new();
        let networks = (self.unannounced > 0).then(|| counted(self.unannounced, "IPv6 network"));
        let addresses = match self.addresses.len() {
            0 => None,
            1 => Some("1 public IPv4 address".to_owned()),
            many => Some(format!("{many} public IPv4 addresses")),
        };
        let learnt: Vec<String> = [networks, addresses].into_iter().flatten().collect();
        if !learnt.is_empty() {
            remarks.push(format!(
                "taken for ours: {}, because packets from there had not passed a router; --local (-n) says which networks are ours",
                learnt.join(" and ")
            ));
        }
        if asks && self.untold > 0 {
            let many = usize::try_from(self.untold).unwrap_or(usize::MAX);
            remarks.push(format!(
                "{} of remote tools have no end in a network that is known as ours: the side that opened them was taken for ours, and who \
                 controls whom may be the other way round; --local (-n) says which networks are ours",
                counted(many, "connection")
            ));
        }
        remarks
    }
}

/// An end of a flow, client or server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

impl End {
    const BOTH: [Self; 2] = [Self::Client, Self::Server];

    const fn of<T: Copy>(self, [client, server]: [T; 2]) -> T {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    const fn address(self, flow: &FlowRecord) -> Address {
        match self {
            Self::Client => flow.client.address,
            Self::Server => flow.server.address,
        }
    }

    fn is_first_hand(self, flow: &FlowRecord) -> bool {
        SENT_OUT.contains(&self.of(flow.ttl))
    }

    /// Whether its packets had passed a router.
    fn is_passed_on(self, flow: &FlowRecord) -> bool {
        self.of(flow.ttl) != 0 && !self.is_first_hand(flow)
    }
}

/// Learns from a flow that has no end which is known as ours; whether anything was learnt.
pub(super) fn learn(flow: &FlowRecord, locals: &mut Locals, identity: &Identity) -> bool {
    // Inside of tunnels the time to live says how far the tunnel's ends are, and a router's own packets never left it.
    if flow.tunnels.iter().next().is_some() {
        return false;
    }
    let found = End::BOTH.into_iter().find(|end| {
        let (mac, address) = (end.of(flow.macs), end.address(flow));
        if !end.is_first_hand(flow) || identity.is_router(mac) || !is_somebodys(address) {
            return false;
        }
        // A machine of ours has its other addresses here, too, whomever it speaks to.
        let is_other_address = !address.is_v4() && identity.holds_v4(mac, locals);
        is_other_address || locals.learns && end.other().is_passed_on(flow)
    });
    let Some(end) = found else { return false };
    locals.on_link.sent_from(end.address(flow));
    locals.is_local(end.address(flow))
}

/// Of a flow of a tool, which has no end that is known as ours: its client's address with its link address, or its server's where what was seen
/// of the link says that the client is elsewhere.
pub(super) fn enter(flow: &FlowRecord, locals: &mut Locals, identity: &Identity) -> [Option<LocalIndex>; 2] {
    let told = |is_ours: &dyn Fn(End) -> bool| {
        let ours: Vec<End> = End::BOTH.into_iter().filter(|end| is_ours(*end)).collect();
        match ours.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    };
    let by_hops = || told(&|end| end.is_first_hand(flow) && end.other().is_passed_on(flow));
    let by_carrier = || {
        told(&|end| {
            let (mac, other) = (end.of(flow.macs), end.other().of(flow.macs));
            mac.is_present() && !identity.is_router(mac) && identity.is_router(other)
        })
    };
    let end = by_hops().or_else(by_carrier).unwrap_or_else(|| {
        locals.on_link.untold = locals.on_link.untold.saturating_add(1);
        End::Client
    });
    let local = locals.enter(flow.space, end.address(flow), end.of(flow.macs), flow.start);
    if let Some(local) = local {
        let part = Part {
            time: (flow.start, flow.end),
            bytes_out: end.of(flow.bytes),
            bytes_in: end.other().of(flow.bytes),
            carrier: None,
            ttl: None,
            handshake: None,
        };
        locals.took_part(local, &part);
    }
    match end {
        End::Client => [local, None],
        End::Server => [None, local],
    }
}

/// Whether an address may be one machine's on the Internet, and not a group's or a protocol's.
fn is_somebodys(address: Address) -> bool {
    match address.to_ip() {
        // Class E with broadcast, and "this network" (RFC 6890).
        IpAddr::V4(ip) => !ip.is_multicast() && (1..240).contains(&ip.octets()[0]),
        // All that IANA gave out for single machines (RFC 4291, 2.4).
        IpAddr::V6(ip) => ip.segments()[0] >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::{AddressSpace, Endpoint, MacAddress};
    use crate::model::time::Timestamp;

    const LAPTOP: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    fn flow(client: &str, server: &str, ttl: [u8; 2], macs: [MacAddress; 2]) -> FlowRecord {
        let end = |text| Endpoint {
            address: address(text),
            port: 443,
        };
        FlowRecord {
            client: end(client),
            server: end(server),
            ttl,
            macs,
            ..FlowRecord::default()
        }
    }

    /// Which of the ends are ours after such a flow, where nobody said, or somebody said something else.
    fn learnt(flow: &FlowRecord, said: &[&str], prepare: &dyn Fn(&mut Locals, &mut Identity)) -> [bool; 2] {
        let said: Vec<ipnet::IpNet> = said.iter().map(|text| text.parse().unwrap()).collect();
        let (mut locals, mut identity) = (Locals::new(&said, 10), Identity::new(10));
        prepare(&mut locals, &mut identity);
        let is_learnt = learn(flow, &mut locals, &identity);
        let ours = [flow.client.address, flow.server.address].map(|address| locals.is_local(address));
        assert_eq!(is_learnt, ours != [false; 2]);
        ours
    }

    #[test]
    fn who_sends_first_hand_to_somebody_behind_routers_is_ours() {
        let nothing = |_: &mut Locals, _: &mut Identity| {};
        for (client, server) in [("192.0.2.7", "203.0.113.9"), ("2001:db8::7", "3fff::9")] {
            for (ttl, expected) in [
                ([64, 51], [true, false]),
                ([113, 128], [false, true]),
                // Both first-hand, as in made-up captures; neither, as between two routers; one side unseen.
                ([64, 64], [false, false]),
                ([63, 51], [false, false]),
                ([64, 0], [false, false]),
            ] {
                let flow = flow(client, server, ttl, [LAPTOP, ROUTER]);
                assert_eq!(learnt(&flow, &[], &nothing), expected, "{client} {ttl:?}");
                assert_eq!(
                    learnt(&flow, &["10.0.0.0/8"], &nothing),
                    [false; 2],
                    "{client} {ttl:?}"
                );
            }
        }
        let many = |_: &mut Locals, identity: &mut Identity| {
            for last in 1..=2 {
                identity.carried(LAPTOP, None, Address::from_v4([198, 51, last, 1]));
            }
        };
        let behind = flow("192.0.2.7", "203.0.113.9", [64, 51], [LAPTOP, ROUTER]);
        assert_eq!(
            learnt(&behind, &[], &many),
            [false; 2],
            "a router answers for others"
        );
    }

    #[test]
    fn the_ipv6_network_of_a_machine_of_ours_is_ours_whatever_the_user_said_of_ipv4() {
        let holds = |locals: &mut Locals, identity: &mut Identity| {
            let own = Address::from_v4([10, 0, 0, 7]);
            let local = locals.place(AddressSpace::default(), own, LAPTOP, Timestamp(1));
            identity.carried(LAPTOP, local, own);
        };
        let both = flow("2001:db8::7", "2001:db8:0:1::9", [64, 64], [LAPTOP, ROUTER]);
        assert_eq!(learnt(&both, &["10.0.0.0/8"], &holds), [true, false]);
        assert_eq!(learnt(&both, &["10.0.0.0/8"], &|_, _| {}), [false, false]);
        let v4 = flow("192.0.2.7", "203.0.113.9", [64, 64], [LAPTOP, ROUTER]);
        assert_eq!(learnt(&v4, &["10.0.0.0/8"], &holds), [false, false]);
    }

    #[test]
    fn the_end_that_a_router_did_not_carry_is_entered_and_where_nothing_tells_it_is_counted() {
        let (mut locals, mut identity) = (Locals::new(&[], 10), Identity::new(10));
        let inward = flow("203.0.113.9", "192.0.2.7", [60, 61], [ROUTER, LAPTOP]);
        let [client, server] = enter(&inward, &mut locals, &identity);
        assert!(client.is_some() && server.is_none());
        assert_eq!(locals.on_link.remarks(true).len(), 1);
        for last in 1..=2 {
            identity.carried(ROUTER, None, Address::from_v4([198, 51, last, 1]));
        }
        let [client, server] = enter(&inward, &mut locals, &identity);
        assert!(client.is_none());
        assert_eq!(locals.tally(server.unwrap()).carrier, LAPTOP);
        assert_eq!(locals.on_link.untold, 1);
    }

    #[test]
    fn what_is_learnt_is_bounded() {
        let mut on_link = OnLink::default();
        for number in 0..200_u8 {
            let mut octets = [0; 16];
            (octets[0], octets[7]) = (0x20, number);
            on_link.sent_from(Address(octets));
        }
        assert_eq!(
            (on_link.networks.len(), on_link.unannounced),
            (MOST_NETWORKS, MOST_NETWORKS)
        );
    }
}

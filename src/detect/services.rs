//! Which services a machine offers to which others: what parts a server from a computer that somebody works at.
//!
//! Whether a host answers or asks, and on which ports, tells its role without a look at what is said (Tan and others, USENIX 2003; Karagiannis
//! and others, BLINC, SIGCOMM 2005). A conversation counts where both sides sent payload and it belongs to no remote access or
//! tunnel: an open port that nobody uses offers nothing.

use std::collections::BTreeMap;

use super::Concluded;
use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use crate::model::address::Address;
use crate::model::few::Few;
use crate::model::flow::OpenerJudgement;
use crate::model::observation::{LocalIndex, Observation};
use crate::model::profile::Served;
use crate::settings::limits::Limits;

/// The table, with its source.
const TABLE: &str = include_str!("services.tsv");

/// Servers that are remembered.
const MOST_SERVERS: usize = 1 << 16;

/// Other machines that are remembered of one server: more make it no more of a server.
const MOST_PEERS: usize = 32;

/// A service: IP protocol and port, and its name.
type Service = ((u8, u16), &'static str);

/// The memory.
#[derive(Debug)]
pub(super) struct Services {
    /// Sorted.
    known: Vec<Service>,
    /// By server: who was answered, and by which of the services as bits.
    answered: BTreeMap<LocalIndex, Few<Address, u32>>,
    /// What the bound kept out.
    refused: u64,
}

impl Services {
    fn new() -> Self {
        let mut known: Vec<Service> = TABLE.lines().filter_map(service).take(32).collect();
        known.sort_unstable();
        Self {
            known,
            answered: BTreeMap::new(),
            refused: 0,
        }
    }

    fn add(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let [_, Some(server)] = observation.locals else {
            return;
        };
        let flow = observation.flow;
        if !recognised.is_empty() || flow.payload_bytes.contains(&0) {
            return;
        }
        let place = self
            .known
            .binary_search_by_key(&(flow.protocol, flow.server.port), |(key, _)| *key);
        let Ok(place) = place else { return };
        if flow.opener == OpenerJudgement::FirstSeen {
            return;
        }
        if self.answered.len() >= MOST_SERVERS && !self.answered.contains_key(&server) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let peers = self.answered.entry(server).or_default();
        if peers.len() < MOST_PEERS || peers.contains_key(&flow.client.address) {
            let bits = peers.or_insert_with(flow.client.address, || 0);
            *bits |= 1_u32.checked_shl(u32::try_from(place).unwrap_or(0)).unwrap_or(0);
        }
    }

    /// What a host of these addresses offered to whom; nothing where it offered nothing.
    fn of(&self, locals: &[LocalIndex]) -> Option<Served> {
        let mut served = Served::default();
        let mut all = 0;
        for (peer, bits) in locals
            .iter()
            .filter_map(|local| self.answered.get(local))
            .flat_map(Few::iter)
        {
            served.peers.push(*peer);
            all |= *bits;
        }
        served.peers.sort_unstable();
        served.peers.dedup();
        let named = self.known.iter().enumerate().filter_map(|(place, (_, name))| {
            let bit = 1_u32.checked_shl(u32::try_from(place).ok()?)?;
            (all & bit != 0).then_some(*name)
        });
        served.services = named.collect();
        served.services.sort_unstable();
        served.services.dedup();
        (!served.peers.is_empty()).then_some(served)
    }
}

/// A row of the table.
fn service(line: &'static str) -> Option<Service> {
    let mut cells = line.split('\t');
    let protocol = match cells.next()? {
        "tcp" => 6,
        "udp" => 17,
        _ => return None,
    };
    Some(((protocol, cells.next()?.parse().ok()?), cells.next()?))
}

/// Watches who answers whom.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::new(Services::new())
}

impl Watcher for Services {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.add(observation, recognised);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded
            .losses
            .add("servers beyond the bound on who answers whom", self.refused);
        if self.answered.is_empty() {
            return;
        }
        for local in self.answered.keys() {
            if let Some(host) = ended.by_local.get(local)
                && !concluded.served.contains_key(&host.id)
                && let Some(served) = self.of(&host.locals)
            {
                concluded.served.insert(host.id, served);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Endpoint;
    use crate::model::flow::FlowRecord;

    const SERVER: LocalIndex = LocalIndex(4);

    fn flow(peer: u8, port: u16, payload_bytes: [u64; 2]) -> FlowRecord {
        FlowRecord {
            protocol: 6,
            client: Endpoint {
                address: Address::from_v4([192, 0, 2, peer]),
                port: 50_000,
            },
            server: Endpoint {
                address: Address::from_v4([10, 0, 0, 4]),
                port,
            },
            opener: OpenerJudgement::Handshake,
            payload_bytes,
            ..FlowRecord::default()
        }
    }

    fn add(services: &mut Services, flow: &FlowRecord, locals: [Option<LocalIndex>; 2]) {
        let observation = Observation {
            flow,
            locals,
            server_name: None,
        };
        services.add(&observation, &[]);
    }

    #[test]
    fn the_table_has_room_for_all_its_rows() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(Services::new().known.len(), rows);
    }

    #[test]
    fn who_answers_others_is_a_server_and_who_asks_or_listens_is_none() {
        let mut services = Services::new();
        let both = [None, Some(SERVER)];
        add(&mut services, &flow(1, 445, [300, 9_000]), both);
        add(&mut services, &flow(2, 445, [300, 9_000]), both);
        add(&mut services, &flow(2, 389, [300, 9_000]), both);
        // Nobody is answered on a port that only listens; remote access is no service; and who asks offers nothing.
        add(&mut services, &flow(3, 80, [40, 0]), both);
        add(&mut services, &flow(4, 3389, [300, 9_000]), both);
        add(
            &mut services,
            &flow(5, 443, [300, 9_000]),
            [Some(LocalIndex(9)), None],
        );
        let served = services.of(&[SERVER]).unwrap();
        assert_eq!(
            (served.peers.len(), served.services.as_slice()),
            (2, &["ldap", "smb"][..])
        );
        assert_eq!(services.of(&[LocalIndex(9)]), None);
    }

    #[test]
    fn a_server_of_thousands_is_remembered_by_a_few_of_them() {
        let mut services = Services::new();
        for peer in 0..200 {
            add(&mut services, &flow(peer, 80, [40, 800]), [None, Some(SERVER)]);
        }
        assert_eq!(services.of(&[SERVER]).unwrap().peers.len(), MOST_PEERS);
    }
}

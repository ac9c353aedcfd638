//! WireGuard, alone or as a provider's client: handshake, data in steps of sixteen octets, a new handshake every two minutes
//! (WireGuard white paper, 5.4 and 6).

use crate::lab::network::{Host, MS, Micros, Network, SECOND};
use crate::lab::random::Random;

/// A tunnel from a machine to a server.
pub(in crate::lab) struct WireGuard<'a> {
    /// Who opens it.
    pub(in crate::lab) machine: &'a Host,
    /// Where it ends.
    pub(in crate::lab) server: &'a Host,
    /// Packets a minute while it is up.
    pub(in crate::lab) packets: u64,
}

impl WireGuard<'_> {
    /// Keeps it up for this span.
    pub(in crate::lab) fn run(&self, network: &mut Network, span: (Micros, Micros), random: &mut Random) {
        let (start, end) = span;
        let port = network.port(self.machine);
        let (out, back) = ([self.machine, self.server], [self.server, self.machine]);
        let (to, from) = ([port, 51_820], [51_820, port]);
        let trip = 2 * self.server.one_way;
        let mut at = start;
        while at < end {
            let own = random.octets(4);
            let theirs = random.octets(4);
            let initiation = [vec![1, 0, 0, 0], own.clone(), random.octets(140)].concat();
            network.datagram(at, out, to, &initiation);
            let response = [vec![2, 0, 0, 0], theirs.clone(), own.clone(), random.octets(80)].concat();
            network.datagram(at + trip, back, from, &response);
            let until = (at + 120 * SECOND + random.within(0..=4 * SECOND)).min(end);
            let mut data = at + trip + 2 * MS;
            let mut counters = [0_u64; 2];
            while data < until {
                let is_out = random.percent(45);
                let blocks = if is_out || random.percent(50) {
                    random.count(4..=20)
                } else {
                    random.count(40..=84)
                };
                let [sent, received] = &mut counters;
                let (counter, index) = if is_out { (sent, &theirs) } else { (received, &own) };
                let message = [
                    vec![4, 0, 0, 0],
                    index.clone(),
                    counter.to_le_bytes().to_vec(),
                    random.octets(blocks * 16),
                ]
                .concat();
                *counter += 1;
                let (ends, ports) = if is_out { (out, to) } else { (back, from) };
                network.datagram_cut(data, ends, ports, &message);
                data += random.within(10 * MS..=120 * SECOND / self.packets.max(1));
            }
            at = until;
        }
    }
}

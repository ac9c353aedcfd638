//! The network of a scenario and the mirror port on its router: machines inside, services outside, and every frame that
//! passes between them, in the order in which the mirror port sees it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::Ipv4Addr;

use super::frame::{self, Ipv4Header, SNAP};
use super::random::Random;
use crate::capture::writer::PcapngWriter;
use crate::model::frame::LinkType;
use crate::model::time::{SECOND as NANOSECONDS, Timestamp};

/// Microseconds since the capture began.
pub(super) type Micros = u64;
/// One millisecond.
pub(super) const MS: Micros = 1_000;
/// One second.
pub(super) const SECOND: Micros = 1_000_000;
/// One minute.
pub(super) const MINUTE: Micros = 60 * SECOND;

/// How a machine's network code looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// Windows: TTL 128.
    Windows,
    /// Linux, Android, most appliances: TTL 64.
    Linux,
}

/// One end of a conversation, inside or outside.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Name that it goes by; for services the DNS name.
    pub(super) name: String,
    /// Link address on the segment of the mirror port: its own, or the router's for everything outside.
    pub(super) mac: [u8; 6],
    /// Address.
    pub(super) ip: Ipv4Addr,
    /// Time to live with which its packets pass the mirror port.
    pub(super) ttl: u8,
    /// How its network code looks.
    pub(super) stack: Stack,
    /// Time from the host to the mirror port.
    pub(super) one_way: Micros,
}

/// A frame with its place in time.
pub(super) struct Passed {
    pub(super) at: Micros,
    pub(super) order: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) length_on_wire: u32,
}

/// The network.
pub(super) struct Network {
    start: i64,
    pub(super) passed: Vec<Passed>,
    services: BTreeMap<String, Host>,
    ports: BTreeMap<Ipv4Addr, u16>,
    ids: BTreeMap<Ipv4Addr, u16>,
    /// Answers that machines remember: until when.
    pub(super) remembered: BTreeMap<(Ipv4Addr, String), Micros>,
    /// The router: gateway, resolver and DHCP server.
    pub(super) router: Host,
    /// A capture of days: tools keep alive and show their screens seldom enough for its size ([`super::site`]).
    pub(super) is_sparse: bool,
    /// Chance of jitter, ports and sequence numbers.
    pub(super) random: Random,
    pub(super) end: Micros,
}

impl Network {
    /// A network whose router has this address; `start` in seconds since 1970. Nothing is recorded after `end`.
    pub(super) fn new(start: i64, end: Micros, router: Ipv4Addr, random: &Random) -> Self {
        let router = Host {
            name: "router".to_owned(),
            mac: mac_of(router),
            ip: router,
            ttl: 64,
            stack: Stack::Linux,
            one_way: 15,
        };
        Self {
            start,
            passed: Vec::new(),
            services: BTreeMap::new(),
            ports: BTreeMap::new(),
            ids: BTreeMap::new(),
            remembered: BTreeMap::new(),
            router,
            is_sparse: false,
            random: random.fork("network"),
            end,
        }
    }

    /// A machine on the segment.
    pub(super) fn machine(&self, name: &str, last_octet: u8, stack: Stack, one_way: Micros) -> Host {
        let [a, b, c, _] = self.router.ip.octets();
        let ip = Ipv4Addr::new(a, b, c, last_octet);
        Host {
            name: name.to_owned(),
            mac: mac_of(ip),
            ip,
            ttl: if stack == Stack::Windows { 128 } else { 64 },
            stack,
            one_way,
        }
    }

    /// The service of this name, as far away as it was said first; its address is one of the documentation ranges' (RFC 5737).
    pub(super) fn service(&mut self, name: &str, one_way: Micros) -> Host {
        if let Some(known) = self.services.get(name) {
            return known.clone();
        }
        let number = u8::try_from(10 + self.services.len() % 180).unwrap_or(10);
        let ip = if self.services.len() < 180 {
            Ipv4Addr::new(198, 51, 100, number)
        } else {
            Ipv4Addr::new(192, 0, 2, number)
        };
        let host = self.outside(name, ip, one_way);
        self.services.insert(name.to_owned(), host.clone());
        host
    }

    /// A host outside at a given address.
    pub(super) fn outside(&mut self, name: &str, ip: Ipv4Addr, one_way: Micros) -> Host {
        let hops = u8::try_from(self.random.within(8..=16)).unwrap_or(12);
        Host {
            name: name.to_owned(),
            mac: self.router.mac,
            ip,
            ttl: 64 - hops,
            stack: Stack::Linux,
            one_way,
        }
    }

    /// Registers an outside host under its name, so that the resolver answers with its address.
    pub(super) fn publish(&mut self, host: &Host) {
        self.services.insert(host.name.clone(), host.clone());
    }

    /// The next port from which a machine opens a conversation.
    pub(super) fn port(&mut self, host: &Host) -> u16 {
        let first = 49_152 + self.random.short() % 9_000;
        let port = self.ports.entry(host.ip).or_insert(first);
        *port = if *port >= 65_000 { 49_152 } else { *port + 1 };
        *port
    }

    /// The period of a keep-alive here.
    pub(super) fn period(&self, usual: Micros) -> Micros {
        if self.is_sparse {
            usual.max(30 * MINUTE)
        } else {
            usual
        }
    }

    /// Up to so much later, as queues and radios make it.
    pub(super) fn jitter(&mut self, most: Micros) -> Micros {
        self.random.within(0..=most)
    }

    /// A raw frame passes the mirror port.
    pub(super) fn pass(&mut self, at: Micros, mut bytes: Vec<u8>, is_whole: bool) {
        if at >= self.end {
            return;
        }
        let length_on_wire = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if !is_whole {
            bytes.truncate(SNAP);
        }
        let order = self.passed.len();
        self.passed.push(Passed {
            at,
            order,
            bytes,
            length_on_wire,
        });
    }

    /// An IPv4 packet passes.
    pub(super) fn packet(
        &mut self,
        at: Micros,
        [from, to]: [&Host; 2],
        protocol: u8,
        body: &[u8],
        is_whole: bool,
    ) {
        let first = self.random.short();
        let id = self.ids.entry(from.ip).or_insert(first);
        *id = id.wrapping_add(1);
        let header = Ipv4Header {
            source: from.ip,
            destination: to.ip,
            protocol,
            id: *id,
            ttl: from.ttl,
        };
        let packet = frame::ipv4(header, body);
        self.pass(at, frame::ethernet(from.mac, to.mac, 0x0800, &packet), is_whole);
    }

    /// A datagram passes, whole.
    pub(super) fn datagram(&mut self, at: Micros, ends: [&Host; 2], ports: [u16; 2], payload: &[u8]) {
        let [from, to] = ends;
        let body = frame::udp([from.ip, to.ip], ports, payload);
        self.packet(at, ends, frame::UDP, &body, true);
    }

    /// A datagram passes of which nobody needs to read more than the beginning.
    pub(super) fn datagram_cut(&mut self, at: Micros, ends: [&Host; 2], ports: [u16; 2], payload: &[u8]) {
        let [from, to] = ends;
        let body = frame::udp([from.ip, to.ip], ports, payload);
        self.packet(at, ends, frame::UDP, &body, false);
    }

    /// Forgets so many of a hundred frames: a mirror port or a disk that could not keep up.
    pub(super) fn lose(&mut self, percent: u64) {
        let mut random = self.random.fork("loss");
        self.passed.retain(|_| !random.percent(percent));
    }

    /// What passed so far, in order of time.
    #[cfg(test)]
    pub(super) fn frames(&self) -> Vec<(Micros, Vec<u8>)> {
        let mut frames: Vec<_> = self
            .passed
            .iter()
            .map(|passed| (passed.at, passed.order, passed.bytes.clone()))
            .collect();
        frames.sort();
        frames.into_iter().map(|(at, _, bytes)| (at, bytes)).collect()
    }

    /// Writes all that passed, in order of time.
    pub(super) fn write(mut self, capture: &mut dyn Write) -> io::Result<usize> {
        self.passed.sort_by_key(|passed| (passed.at, passed.order));
        let mut writer = PcapngWriter::new(capture)?;
        for passed in &self.passed {
            let since = i64::try_from(passed.at).unwrap_or(0).saturating_mul(1_000);
            let at = Timestamp(self.start.saturating_mul(NANOSECONDS).saturating_add(since));
            writer.frame(LinkType::ETHERNET, at, &passed.bytes, passed.length_on_wire, None)?;
        }
        writer.finish()?;
        Ok(self.passed.len())
    }
}

/// A locally administered link address that tells the machine's place in its network.
fn mac_of(ip: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = ip.octets();
    [0x02, a, b, c, 0x10, d]
}

/// A group on the segment: everybody who listens to it.
pub(super) fn group(ip: Ipv4Addr) -> Host {
    let [_, b, c, d] = ip.octets();
    let mac = if ip.is_broadcast() {
        [0xff; 6]
    } else {
        // RFC 1112, 6.4.
        [0x01, 0x00, 0x5e, b & 0x7f, c, d]
    };
    Host {
        name: "group".to_owned(),
        mac,
        ip,
        ttl: 255,
        stack: Stack::Linux,
        one_way: 0,
    }
}

//! PiKVM: its announcement on the link, its janus that asks a STUN server every 10 s with nobody watching, and video straight to
//! whoever watches (kvm-and-hosts.tsv and remote-access.tsv, rows `pikvm`; RFC 8489, RFC 8445).

use std::net::Ipv4Addr;

use crate::lab::lease::{Client, NETWORKD};
use crate::lab::network::{Host, MINUTE, MS, Micros, Network, SECOND};
use crate::lab::random::Random;

pub(in crate::lab) const STUN_SERVER: &str = "stun.l.google.com";
pub(in crate::lab) const STUN_PORT: u16 = 19_302;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// A board beside a laptop.
pub(in crate::lab) struct PiKvm<'a> {
    /// The board.
    pub(in crate::lab) board: &'a Host,
    /// Serial number that it announces.
    pub(in crate::lab) serial: &'a str,
    /// Public address of its house.
    pub(in crate::lab) public: Ipv4Addr,
}

impl PiKvm<'_> {
    /// Joins the network at `start`, announces itself, probes until `end`.
    pub(in crate::lab) fn run(&self, network: &mut Network, span: (Micros, Micros), random: &mut Random) {
        let (start, end) = span;
        let (vendor_class, parameters) = NETWORKD;
        let client = Client {
            name: &self.board.name,
            vendor_class,
            parameters,
        };
        let ready = network.join(start, self.board, client);
        let serial = format!("serial={}", self.serial);
        let text = [
            "model=v3",
            "video=hdmi",
            "board=rpi4",
            &serial,
            "platform=v3-hdmi-rpi4",
        ];
        network.announce(ready, self.board, "_pikvm._tcp", 443, &text);
        network.announce(ready + 30 * MINUTE, self.board, "_pikvm._tcp", 443, &text);
        let mut at = ready + 3 * SECOND;
        while at < end {
            let (server, asked) = network.look_up(at, self.board, STUN_SERVER, 11 * MS);
            let port = network.port(self.board);
            let trip = 2 * server.one_way + network.jitter(MS);
            let first = stun(0x0001, random.array(), &[]);
            network.datagram(asked, [self.board, &server], [port, STUN_PORT], &first);
            let answer = mapped(&first, self.public, port);
            network.datagram(asked + trip, [&server, self.board], [STUN_PORT, port], &answer);
            // Asks to be answered from another address and port; no public server does that (RFC 3489, 11.2.4).
            let second = stun(0x0001, random.array(), &[0, 3, 0, 4, 0, 0, 0, 6]);
            network.datagram(
                asked + trip + MS,
                [self.board, &server],
                [port, STUN_PORT],
                &second,
            );
            at += network.period(10 * SECOND) + network.jitter(40 * MS);
        }
    }

    /// Somebody at `viewer` watches and types: ICE's checks, then video one way and small packets the other.
    pub(in crate::lab) fn watched(
        &self,
        network: &mut Network,
        viewer: &Host,
        span: (Micros, Micros),
        random: &mut Random,
    ) {
        let (start, end) = span;
        let ports = self.checks(network, viewer, span, random);
        let mut video = Video::new(ports, random);
        let mut at = start + 2 * viewer.one_way + 300 * MS;
        while at < end {
            let packets = random.within(1..=4);
            at = video.send(network, [self.board, viewer], at, packets, random);
            at += random.within(120 * MS..=420 * MS);
        }
        self.input(network, viewer, (span, ports), random);
    }

    /// The same for longer, as it is seen of somebody at work: the picture mostly stands still, of typing little changes, and when
    /// a page is opened (`pages`, in order) much of it does, as soon as the page has come.
    pub(in crate::lab) fn worked_through(
        &self,
        network: &mut Network,
        viewer: &Host,
        span: (Micros, Micros),
        pages: &[Micros],
        random: &mut Random,
    ) {
        let (start, end) = span;
        let ports = self.checks(network, viewer, span, random);
        let mut changes: Vec<(Micros, u64)> = pages
            .iter()
            .filter(|page| (start..end).contains(page))
            .map(|page| {
                (
                    page + random.within(400 * MS..=2_300 * MS),
                    random.within(24..=70),
                )
            })
            .collect();
        // Another window, a page that is scrolled: much changes, and nothing is called.
        let mut at = start + random.within(SECOND..=20 * SECOND);
        while at < end {
            let packets = if random.percent(20) {
                random.within(15..=60)
            } else {
                random.within(2..=9)
            };
            changes.push((at, packets));
            at += random.within(3 * SECOND..=25 * SECOND);
        }
        // The picture as a whole comes first, and something small of it twice a second.
        changes.push((start + 300 * MS, 60));
        let mut at = start + SECOND;
        while at < end {
            changes.push((at, 1));
            at += random.within(300 * MS..=700 * MS);
        }
        changes.sort_unstable();
        let mut video = Video::new(ports, random);
        for (at, packets) in changes {
            video.send(network, [self.board, viewer], at, packets, random);
        }
        self.input(network, viewer, (span, ports), random);
    }

    /// The same, thin enough for a capture of days: nothing but the pages and a few movements of a hand with each.
    pub(in crate::lab) fn glimpsed(
        &self,
        network: &mut Network,
        viewer: &Host,
        (start, end): (Micros, Micros),
        pages: &[Micros],
        random: &mut Random,
    ) {
        let ports = self.checks(network, viewer, (start, start + 3 * SECOND), random);
        let mut video = Video::new(ports, random);
        video.send(network, [self.board, viewer], start + 300 * MS, 60, random);
        for page in pages.iter().filter(|page| (start..end).contains(page)) {
            let after = page + random.within(400 * MS..=2_300 * MS);
            let packets = random.within(24..=70);
            video.send(network, [self.board, viewer], after, packets, random);
            let hand = (page.saturating_sub(2 * SECOND), *page);
            self.input(network, viewer, (hand, ports), random);
        }
    }

    /// ICE's checks of the path, for as long as it is used (RFC 8445, 7; RFC 7675). Gives the ports of both ends.
    fn checks(
        &self,
        network: &mut Network,
        viewer: &Host,
        (start, end): (Micros, Micros),
        random: &mut Random,
    ) -> [u16; 2] {
        let ports = [network.port(self.board), 50_000 + random.short() % 9_000];
        let [own, theirs] = ports;
        let (out, back) = ([self.board, viewer], [viewer, self.board]);
        let trip = 2 * viewer.one_way;
        let user = format!("{}:{}", random.hex(4), random.hex(4));
        let mut check = start;
        while check < end {
            let mut attributes = vec![0, 6, 0, 9];
            attributes.extend(user.as_bytes());
            attributes.extend([0; 3]);
            attributes.extend([0x00, 0x25, 0, 0]);
            let request = stun(0x0001, random.array(), &attributes);
            network.datagram(check, out, ports, &request);
            network.datagram(
                check + trip,
                back,
                [theirs, own],
                &mapped(&request, self.public, own),
            );
            check += 2_500 * MS + network.jitter(200 * MS);
        }
        ports
    }

    /// Records of the data channel (DTLS 1.2): what a hand sends.
    fn input(
        &self,
        network: &mut Network,
        viewer: &Host,
        ((start, end), [own, theirs]): ((Micros, Micros), [u16; 2]),
        random: &mut Random,
    ) {
        let mut at = start + SECOND;
        let mut record = 1_u64;
        while at < end {
            for _ in 0..random.within(2..=5) {
                let length = random.count(38..=64);
                let mut packet = vec![23, 0xfe, 0xfd, 0, 1];
                packet.extend(record.to_be_bytes().into_iter().skip(2));
                packet.extend(u16::try_from(length).unwrap_or(0).to_be_bytes());
                packet.extend(random.octets(length));
                network.datagram(at, [viewer, self.board], [theirs, own], &packet);
                record += 1;
                at += random.within(90 * MS..=260 * MS);
            }
            at += random.within(600 * MS..=2_200 * MS);
        }
    }
}

/// Secure RTP with H.264 (RFC 3711, RFC 6184).
struct Video {
    ports: [u16; 2],
    sequence: u16,
    source: Vec<u8>,
}

impl Video {
    fn new(ports: [u16; 2], random: &mut Random) -> Self {
        Self {
            ports,
            sequence: random.short(),
            source: random.octets(4),
        }
    }

    /// So many packets one after another; gives when the last was sent.
    fn send(
        &mut self,
        network: &mut Network,
        ends: [&Host; 2],
        mut at: Micros,
        packets: u64,
        random: &mut Random,
    ) -> Micros {
        for _ in 0..packets {
            self.sequence = self.sequence.wrapping_add(1);
            let mut packet = vec![0x80, 96];
            packet.extend(self.sequence.to_be_bytes());
            packet.extend(u32::try_from((at / 11) & 0xffff_ffff).unwrap_or(0).to_be_bytes());
            packet.extend(&self.source);
            let length = random.count(300..=1_120);
            packet.extend(random.octets(length));
            network.datagram_cut(at, ends, self.ports, &packet);
            at += 180;
        }
        at
    }
}

pub(in crate::lab) fn stun(kind: u16, transaction: [u8; 12], attributes: &[u8]) -> Vec<u8> {
    let mut message = kind.to_be_bytes().to_vec();
    message.extend(u16::try_from(attributes.len()).unwrap_or(0).to_be_bytes());
    message.extend(COOKIE);
    message.extend(transaction);
    message.extend(attributes);
    message
}

/// The answer to a request: the asker's address, masked with the cookie.
pub(in crate::lab) fn mapped(request: &[u8], ip: Ipv4Addr, port: u16) -> Vec<u8> {
    let transaction = request
        .get(8..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or_default();
    let [first, second, ..] = COOKIE;
    let masked_port = port ^ u16::from_be_bytes([first, second]);
    let masked_ip = u32::from(ip) ^ u32::from_be_bytes(COOKIE);
    let mut attribute = vec![0, 0x20, 0, 8, 0, 1];
    attribute.extend(masked_port.to_be_bytes());
    attribute.extend(masked_ip.to_be_bytes());
    stun(0x0101, transaction, &attribute)
}

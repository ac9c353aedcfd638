//! TCP connections as a mirror port on the path sees them: handshake, segments of at most the MSS, acknowledgements after
//! the round trip of each side, a clean end.
//!
//! A connection is first written down (who says what when), then played: sequence and acknowledgement numbers, piggy-backed
//! and delayed acknowledgements (RFC 9293, RFC 1122 4.2.3.2) follow from the times. Nothing is lost.

use std::collections::{BTreeMap, VecDeque};

use super::frame::{self, TcpHeader};
use super::network::{Host, MS, Micros, Network, Stack};

const MSS: usize = 1_460;
/// Time that a full frame takes at 100 Mbit/s.
const SERIALISATION: Micros = 121;
/// How long a lone segment waits for company before it is acknowledged.
const DELAYED: Micros = 40 * MS;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PUSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Who opened the connection.
    Client,
    /// Who listens.
    Server,
}

impl Side {
    /// The other one.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

struct Message {
    at: Micros,
    side: Side,
    bytes: Vec<u8>,
    is_whole: bool,
}

/// What is to be done at a moment.
enum Action {
    /// The message of this number is handed to the sender's network code.
    Send(usize),
    /// The sender's network code may send the next segment.
    Pump(Side),
    /// A side owes an acknowledgement up to here.
    Owe(Side, u32),
    /// A side ends its half.
    End(Side),
}

/// A connection while it is written down.
pub(super) struct Connection {
    client: Host,
    server: Host,
    ports: [u16; 2],
    opened: Micros,
    messages: Vec<Message>,
    closed: Option<(Micros, Side)>,
    /// As the network's.
    pub(super) is_sparse: bool,
}

impl Connection {
    /// The client opens at `at`: the moment its first packet passes the mirror port.
    pub(super) fn open(network: &mut Network, at: Micros, client: &Host, server: &Host, port: u16) -> Self {
        let own = network.port(client);
        Self {
            client: client.clone(),
            server: server.clone(),
            ports: [own, port],
            opened: at,
            messages: Vec::new(),
            closed: None,
            is_sparse: network.is_sparse,
        }
    }

    /// Round trip between the mirror port and a side.
    pub(super) const fn round_trip(&self, side: Side) -> Micros {
        2 * match side {
            Side::Client => self.client.one_way,
            Side::Server => self.server.one_way,
        }
    }

    /// When the client's first words pass.
    pub(super) const fn ready(&self) -> Micros {
        self.opened + self.round_trip(Side::Server) + self.round_trip(Side::Client) + 200
    }

    /// A side says something that is kept whole in the capture.
    pub(super) fn say(&mut self, at: Micros, side: Side, bytes: Vec<u8>) {
        self.message(at, side, bytes, true);
    }

    /// A side says something encrypted: the capture keeps the beginning of each segment.
    pub(super) fn say_cut(&mut self, at: Micros, side: Side, bytes: Vec<u8>) {
        self.message(at, side, bytes, false);
    }

    fn message(&mut self, at: Micros, side: Side, bytes: Vec<u8>, is_whole: bool) {
        self.messages.push(Message {
            at: at.max(self.ready()),
            side,
            bytes,
            is_whole,
        });
    }

    /// A side ends the connection; nothing may be said after.
    pub(super) fn close(&mut self, at: Micros, side: Side) {
        self.closed = Some((at, side));
    }

    /// Lets it happen.
    pub(super) fn play(mut self, network: &mut Network) {
        // Whoever closes does so after everything was said and acknowledged.
        let last = self.messages.iter().map(|message| message.at).max();
        if let (Some((at, _)), Some(last)) = (self.closed.as_mut(), last) {
            *at = (*at).max(last + 400 * MS);
        }
        let mut play = Play::new(self, network);
        play.handshake(network);
        play.run(network);
    }
}

/// One side's state while a connection is played.
#[derive(Default)]
struct Half {
    next: u32,
    /// Highest octet that it received, and what is on its way with the moment from which its answers could show it.
    received: u32,
    arriving: VecDeque<(Micros, u32)>,
    acknowledged: u32,
    queue: VecDeque<(Vec<u8>, bool)>,
    is_pumping: bool,
    has_odd: bool,
    has_ended: bool,
}

struct Play {
    connection: Connection,
    halves: [Half; 2],
    agenda: BTreeMap<(Micros, usize), Action>,
    planned: usize,
}

impl Play {
    fn new(connection: Connection, network: &mut Network) -> Self {
        let halves = [(); 2].map(|()| Half {
            next: network.random.word(),
            ..Half::default()
        });
        Self {
            connection,
            halves,
            agenda: BTreeMap::new(),
            planned: 0,
        }
    }

    fn half(&mut self, side: Side) -> &mut Half {
        let [client, server] = &mut self.halves;
        match side {
            Side::Client => client,
            Side::Server => server,
        }
    }

    fn plan(&mut self, at: Micros, action: Action) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), action);
    }

    fn emit(
        &mut self,
        network: &mut Network,
        at: Micros,
        side: Side,
        flags: u8,
        payload: &[u8],
        whole: bool,
    ) {
        let half = self.half(side);
        while let Some((visible, end)) = half.arriving.front().copied()
            && visible <= at
        {
            half.received = end;
            half.arriving.pop_front();
        }
        let sequence = half.next;
        let acknowledgement = if flags & ACK == 0 { 0 } else { half.received };
        half.acknowledged = half.received;
        let octets = u32::try_from(payload.len()).unwrap_or(0) + u32::from(flags & (SYN | FIN) != 0);
        half.next = half.next.wrapping_add(octets);
        let end = half.next;
        let (from, to, ports) = match side {
            Side::Client => (
                &self.connection.client,
                &self.connection.server,
                self.connection.ports,
            ),
            Side::Server => {
                let [own, port] = self.connection.ports;
                (&self.connection.server, &self.connection.client, [port, own])
            }
        };
        let is_opening = flags & SYN != 0;
        let header = TcpHeader {
            ports,
            sequence,
            acknowledgement,
            flags,
            window: window(from.stack, is_opening),
            options: if is_opening { options(from.stack) } else { &[] },
        };
        let segment = frame::tcp([from.ip, to.ip], header, payload);
        network.packet(at, [from, to], frame::TCP, &segment, whole);
        if octets > 0 {
            let other = side.other();
            let visible = at + self.connection.round_trip(other);
            self.half(other).arriving.push_back((visible, end));
        }
    }

    fn handshake(&mut self, network: &mut Network) {
        let opened = self.connection.opened;
        let answered = opened + self.connection.round_trip(Side::Server);
        let done = answered + self.connection.round_trip(Side::Client);
        self.emit(network, opened, Side::Client, SYN, &[], true);
        self.emit(network, answered, Side::Server, SYN | ACK, &[], true);
        self.emit(network, done, Side::Client, ACK, &[], true);
        for number in 0..self.connection.messages.len() {
            if let Some(at) = self.connection.messages.get(number).map(|message| message.at) {
                self.plan(at, Action::Send(number));
            }
        }
        if let Some((at, side)) = self.connection.closed {
            self.plan(at, Action::End(side));
        }
    }

    fn run(&mut self, network: &mut Network) {
        while let Some(((at, _), action)) = self.agenda.pop_first() {
            match action {
                Action::Send(number) => {
                    let Some(message) = self.connection.messages.get_mut(number) else {
                        continue;
                    };
                    let (side, bytes, is_whole) =
                        (message.side, std::mem::take(&mut message.bytes), message.is_whole);
                    let half = self.half(side);
                    half.queue.push_back((bytes, is_whole));
                    if !std::mem::replace(&mut half.is_pumping, true) {
                        self.plan(at, Action::Pump(side));
                    }
                }
                Action::Pump(side) => self.pump(network, at, side),
                Action::Owe(side, end) => {
                    // Sequence numbers wrap: what lies behind is less than half the circle away.
                    let missing = end.wrapping_sub(self.half(side).acknowledged);
                    if missing != 0 && missing < 1 << 31 {
                        self.emit(network, at, side, ACK, &[], true);
                    }
                }
                Action::End(side) => {
                    self.emit(network, at, side, FIN | ACK, &[], true);
                    self.half(side).has_ended = true;
                    let other = side.other();
                    let answer = at + self.connection.round_trip(other) + 300;
                    if self.half(other).has_ended {
                        let end = self.half(side).next;
                        self.plan(answer, Action::Owe(other, end));
                    } else {
                        self.plan(answer, Action::End(other));
                    }
                }
            }
        }
    }

    fn pump(&mut self, network: &mut Network, at: Micros, side: Side) {
        let half = self.half(side);
        let Some((mut bytes, is_whole)) = half.queue.pop_front() else {
            half.is_pumping = false;
            return;
        };
        let rest = if bytes.len() > MSS {
            bytes.split_off(MSS)
        } else {
            Vec::new()
        };
        let flags = if rest.is_empty() { ACK | PUSH } else { ACK };
        if !rest.is_empty() {
            half.queue.push_front((rest, is_whole));
        }
        let is_second = half.has_odd;
        half.has_odd = !is_second;
        self.emit(network, at, side, flags, &bytes, is_whole);
        let end = self.half(side).next;
        let other = side.other();
        let wait = if is_second { 30 } else { DELAYED };
        let due = at + self.connection.round_trip(other) + wait;
        self.plan(due, Action::Owe(other, end));
        let jitter = network.jitter(20);
        self.plan(at + SERIALISATION + jitter, Action::Pump(side));
    }
}

const fn window(stack: Stack, is_opening: bool) -> u16 {
    match (stack, is_opening) {
        (_, true) => 64_240,
        (Stack::Windows, false) => 1_026,
        (Stack::Linux, false) => 501,
    }
}

/// Maximum segment size 1460, window scale, selective acknowledgements, in the order of the system.
const fn options(stack: Stack) -> &'static [u8] {
    match stack {
        Stack::Windows => &[2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2],
        Stack::Linux => &[2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7],
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::lab::network::{MINUTE, SECOND};
    use crate::lab::random::Random;

    /// One segment: when, who, sequence, acknowledgement, flags, octets that it takes in sequence space.
    type Seen = (Micros, Side, u32, u32, u8, u32);

    /// A request of 10 octets that is answered by 4,000, both at the same round trips, then an end by the server.
    fn played() -> Vec<Seen> {
        let router = Ipv4Addr::new(192, 168, 77, 1);
        let mut network = Network::new(0, MINUTE, router, &Random::new(5));
        let client = network.machine("client", 2, Stack::Windows, MS);
        let server = network.service("server.example", 10 * MS);
        let mut connection = Connection::open(&mut network, SECOND, &client, &server, 443);
        let ready = connection.ready();
        connection.say(ready, Side::Client, vec![1; 10]);
        connection.say(ready + 25 * MS, Side::Server, vec![2; 4_000]);
        connection.close(ready + SECOND, Side::Server);
        connection.play(&mut network);
        network
            .frames()
            .iter()
            .map(|(at, bytes)| seen(*at, bytes))
            .collect()
    }

    fn seen(at: Micros, bytes: &[u8]) -> Seen {
        let word = |place: usize| u32::from_be_bytes(bytes[place..place + 4].try_into().unwrap());
        let total = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        let header = usize::from(bytes[46] >> 4) * 4;
        let flags = bytes[47];
        let octets = u32::try_from(total - 20 - header).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        let side = if bytes[26] == 192 {
            Side::Client
        } else {
            Side::Server
        };
        (at, side, word(38), word(42), flags, octets)
    }

    #[test]
    fn sequence_numbers_are_gapless_and_acknowledgements_never_ahead() {
        let mut next: [Option<u32>; 2] = [None, None];
        for (_, side, sequence, acknowledgement, flags, octets) in played() {
            let (own, other) = (side as usize, side.other() as usize);
            if let Some(expected) = next[own] {
                assert_eq!(sequence, expected);
            }
            if flags & ACK != 0 {
                let behind = next[other].unwrap().wrapping_sub(acknowledgement);
                assert!(behind < 5_000, "acknowledges what was not sent: {behind}");
            }
            next[own] = Some(sequence.wrapping_add(octets));
        }
    }

    #[test]
    fn everything_is_acknowledged_in_the_end() {
        let all = played();
        let [sent, received] = [Side::Server, Side::Client].map(|wanted| {
            let last = all.iter().rfind(|(_, side, ..)| *side == wanted).unwrap();
            (last.2.wrapping_add(last.5), last.3)
        });
        assert_eq!((sent.0, sent.1), (received.1, received.0));
    }

    #[test]
    fn the_handshake_shows_the_round_trip_of_each_side() {
        let times: Vec<Micros> = played().iter().take(3).map(|one| one.0).collect();
        assert_eq!(times, [SECOND, SECOND + 20 * MS, SECOND + 22 * MS]);
    }

    #[test]
    fn no_segment_is_longer_than_the_greatest_that_was_agreed() {
        let mss = u32::try_from(MSS).unwrap();
        let all = played();
        assert!(all.iter().all(|one| one.5 <= mss));
        assert_eq!(
            all.iter().filter(|one| one.5 > 1).map(|one| one.5).sum::<u32>(),
            4_010
        );
    }
}

//! Dissection: from the first bytes of a flow to facts.
//!
//! Takes payloads of one flow at a time, with their direction; gives facts. Must not see a host, a peer's place or
//! another flow, and keeps no state but its own flow's.
//!
//! A protocol is one file with a [`Dissector`] and one line in [`registry`]. The engine (`engine.rs`) asks every
//! dissector of the flow's transport whether the head of the flow is its own ([`Dissector::probe`]); the first
//! that says yes gets one [`Dissection`], and the payloads, until it is done.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod announcement;
pub mod arp;
pub mod assembly;
pub mod cdp;
pub mod cursor;
pub mod dhcp;
pub mod dhcpv6;
pub mod dns;
pub mod engine;
pub mod esp;
pub mod ftp;
pub mod http;
pub mod ike;
pub mod imap;
pub mod l2tp;
pub mod ldap;
pub mod lldp;
pub mod llmnr;
pub mod mdns;
pub mod n2n;
pub mod natpmp;
pub mod ndp;
pub mod netbios;
pub mod nomachine;
pub mod ntp;
pub mod openvpn;
pub mod pcoip;
pub mod pop3;
pub mod postgresql;
pub mod pptp;
pub mod proxy;
pub mod proxy_protocol;
pub mod quic;
pub mod rdp;
pub mod registry;
pub mod rfb;
pub mod rsh;
pub mod rustdesk;
pub mod smtp;
pub mod socks;
pub mod ssdp;
pub mod ssh;
pub mod stun;
pub mod teamviewer;
pub mod telnet;
pub mod tls;
pub mod websocket;
pub mod wireguard;
pub mod xmpp;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod capture_walk;
#[cfg(test)]
pub(crate) mod drive;
#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod trial;
#[cfg(test)]
mod walk;

use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// How many leading bytes of earlier datagrams a probe gets to see.
pub const DATAGRAM_PREFIX: usize = 64;

/// The beginning of an earlier datagram of the same flow, kept while a dissector says [`Probe::Wait`].
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Who sent it.
    pub side: Side,
    /// Its full length.
    pub length_on_wire: u32,
    /// How many bytes of `bytes` are real.
    pub length: u8,
    /// Its first bytes.
    pub bytes: [u8; DATAGRAM_PREFIX],
}

impl Seen {
    /// The bytes that were kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// What a probe may look at.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Transport, or [`Layer::Link`] for what is not IP.
    pub layer: Layer,
    /// IP protocol number.
    pub protocol: u8,
    /// Port of who opened the flow; a hint only.
    pub client_port: u16,
    /// Port of who was called; a hint only. For [`Layer::Link`] the `EtherType`.
    pub server_port: u16,
    /// Who sent the newest payload.
    pub side: Side,
    /// TCP: contiguous bytes from the start of the stream. Otherwise the newest datagram if the client sent it.
    pub to_server: &'a [u8],
    /// TCP: contiguous bytes from the start of the stream. Otherwise the newest datagram if the server sent it.
    pub to_client: &'a [u8],
    /// Full length of the newest datagram or segment payload, also where the snap length cut it.
    pub length_on_wire: u32,
    /// Earlier datagrams (never for TCP), oldest first, if somebody waited.
    pub earlier: &'a [Seen],
}

impl<'a> Head<'a> {
    /// The newest payload: what `side` sent.
    #[must_use]
    pub const fn newest(&self) -> &'a [u8] {
        match self.side {
            Side::Client => self.to_server,
            Side::Server => self.to_client,
        }
    }

    /// Whether either port is `port`.
    #[must_use]
    pub const fn has_port(&self, port: u16) -> bool {
        self.client_port == port || self.server_port == port
    }
}

/// The answer of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// This flow speaks my protocol; I am sure.
    Yes,
    /// It does not, and nothing more can change that.
    No,
    /// What is there fits, but more bytes or the other side must be seen.
    Wait,
}

impl Probe {
    /// Sure one way or the other.
    #[must_use]
    pub const fn when(is_mine: bool) -> Self {
        if is_mine { Self::Yes } else { Self::No }
    }
}

/// One payload, or all bytes of a stream that were not consumed yet.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Who sent them.
    pub side: Side,
    /// The bytes; for streams from the first unconsumed one on.
    pub bytes: &'a [u8],
    /// Datagram: its full length, larger than `bytes.len()` when the snap length cut it. Stream: `bytes.len()`.
    pub length_on_wire: u32,
    /// Stream: bytes are missing directly before `bytes` (the capture lost them); a parser should resynchronise or end.
    pub after_gap: bool,
}

/// What a dissection wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More; `usize` bytes of the stream were consumed and need not be kept (ignored for datagrams).
    More(usize),
    /// Nothing: everything that it can say was said.
    Done,
    /// It was not this protocol after all; the engine tries the others, its name is taken back.
    Reject,
    /// This protocol goes on, but this datagram is another's (STUN beside DTLS and RTP): probe it for others.
    Release,
    /// From the byte after the consumed ones on, another protocol speaks in both directions: its registered name. An empty
    /// name says that it is not known which (CONNECT, an upgrade to something rare): all are asked again from there.
    Become(&'static str, usize),
}

/// What every datagram (UDP) of a protocol has in common, so that a look at it spares the probe of most of what is foreign.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Whether a datagram may begin with this octet.
    pub first: fn(u8) -> bool,
    /// Ports of which the flow has one; empty where it may have any.
    pub ports: &'static [u16],
}

impl Opening {
    /// Nothing in common.
    pub const ANY: Self = Self {
        first: |_| true,
        ports: &[],
    };

    /// A first octet of those that `first` accepts, on any ports.
    #[must_use]
    pub const fn with(first: fn(u8) -> bool) -> Self {
        Self { first, ports: &[] }
    }

    /// One of these ports.
    #[must_use]
    pub const fn on(ports: &'static [u16]) -> Self {
        Self { ports, ..Self::ANY }
    }
}

/// Recognises a protocol and starts its dissection. One constant per protocol, listed in [`registry`].
pub trait Dissector: Sync {
    /// Name in records (`app_proto`), as Wireshark and Suricata call it, lower case.
    fn name(&self) -> &'static str;

    /// What its facts may say.
    fn fields(&self) -> &'static [&'static Field];

    /// The transports it may stand on.
    fn layers(&self) -> &'static [Layer];

    /// Looks at the head of a flow. Must be cheap for foreign traffic: test the most telling byte first.
    fn probe(&self, head: &Head<'_>) -> Probe;

    /// What its datagrams have in common: of one that does not fit, [`Dissector::probe`] says [`Probe::No`], so it is not asked.
    fn opening(&self) -> Opening {
        Opening::ANY
    }

    /// Starts a dissection; the payload that was probed is fed next. A stateless one is a unit struct, whose box costs nothing.
    fn start(&self) -> Box<dyn Dissection>;

    /// Likewise for a run that asks for more of a flow than its beginning: what its first lengths say of what is inside.
    fn start_closely(&self) -> Box<dyn Dissection> {
        self.start()
    }

    /// Takes a flow up again whose dissection said that it may rest.
    fn resume(&self) -> Box<dyn Dissection> {
        self.start()
    }

    /// Whether it wants every payload for as long as the flow lives (DNS, STUN, DHCP), instead of the head alone.
    fn follows(&self) -> bool {
        false
    }

    /// Whether it only carries or announces another protocol, whose name then becomes the flow's `app_proto`.
    fn is_carrier(&self) -> bool {
        false
    }
}

/// The state of one protocol in one flow.
pub trait Dissection: Send {
    /// Takes the next payload. Streams: `input.bytes` begins at the first byte that was not consumed before.
    /// Must be total: any bytes give facts or nothing.
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next;

    /// Whether it has nothing to remember until the next datagram, so that the flow may be taken up again later by
    /// [`Dissector::resume`]. Asked of dissectors of datagrams that follow their flows.
    fn may_rest(&self) -> bool {
        false
    }

    /// Says what only the end can say: no payload of the flow comes any more, or none is wanted. Asked once of whoever reads a stream.
    fn end(&mut self, _facts: &mut Facts<'_>) {}
}

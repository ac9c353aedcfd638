//! The flow record: what the packet side of the pipeline says of one conversation at its end.

use super::address::{AddressSpace, Endpoint, MacAddress};
use super::fact::{FactLog, Side};
use super::frame::FrameRef;
use super::identity::ContentId;
use super::latency::Latency;
use super::segment::{Encapsulation, Layer, TunnelStack};
use super::time::{Nanoseconds, Timestamp};

/// How it was judged which side opened a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum OpenerJudgement {
    /// The opening packet was seen: a SYN, or the first packet of a protocol that begins with its client.
    Handshake,
    /// A SYN-ACK was the first packet seen: its receiver opened.
    HandshakeAnswer,
    /// The capture began in the middle; one port is a registered or well-known service and the other is ephemeral.
    Port,
    /// The protocol said which side is the client (a TLS hello, an HTTP request).
    Protocol,
    /// Nothing told: the sender of the first packet seen counts as the opener.
    #[default]
    FirstSeen,
}

impl OpenerJudgement {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::HandshakeAnswer => "handshake_answer",
            Self::Port => "port",
            Self::Protocol => "protocol",
            Self::FirstSeen => "first_seen",
        }
    }
}

/// Why a flow's record was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EndReason {
    /// The capture ended.
    #[default]
    EndOfInput,
    /// Nothing was seen for the time-out of its protocol and state.
    TimeOut,
    /// Both sides closed it, or one reset it.
    Closed,
    /// A new connection took its five-tuple.
    Replaced,
    /// The table was at its ceiling.
    Evicted,
}

impl EndReason {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndOfInput => "end_of_input",
            Self::TimeOut => "timeout",
            Self::Closed => "closed",
            Self::Replaced => "replaced",
            Self::Evicted => "evicted",
        }
    }
}

/// State of a TCP connection as an observer infers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TcpState {
    /// Seen from the middle; no handshake.
    #[default]
    Midstream,
    /// The client's SYN.
    SynSent,
    /// The server's SYN-ACK.
    SynReceived,
    /// Handshake complete.
    Established,
    /// One side sent FIN.
    Closing,
    /// Both sides sent FIN.
    Closed,
    /// Somebody sent RST.
    Reset,
}

impl TcpState {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Midstream => "midstream",
            Self::SynSent => "syn_sent",
            Self::SynReceived => "syn_recv",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }
}

/// What one direction of a TCP connection showed. Sequence numbers are relative where the start was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpSide {
    /// Segments whose data, or part of it, had been seen before.
    pub retransmissions: u32,
    /// Segments that arrived behind later ones, filling a hole.
    pub out_of_order: u32,
    /// Holes that were never filled: the capture, or the network, lost data.
    pub gaps: u32,
    /// Bytes in those holes.
    pub gap_bytes: u64,
    /// Of these, the ones that the other side acknowledged: the network delivered them, and the capture did not see them.
    pub unseen_bytes: u64,
    /// Maximum segment size option of the SYN.
    pub mss: Option<u16>,
    /// Shift of the window scale option of the SYN.
    pub window_scale: Option<u8>,
    /// Kinds of the SYN's options in order, as bits (bit n: kind n, for n < 32).
    pub option_kinds: u32,
    /// Window of the SYN, or of the first segment seen.
    pub first_window: u16,
}

/// What a TCP connection showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpRecord {
    /// State at the end.
    pub state: TcpState,
    /// Client, server.
    pub sides: [TcpSide; 2],
    /// SYN-ACK to the ACK that answers it: round trip between the capture point and the client.
    pub client_rtt: Option<Nanoseconds>,
    /// SYN to SYN-ACK: round trip between the capture point and the server.
    pub server_rtt: Option<Nanoseconds>,
}

/// Length of one activity bin.
pub const BIN: Nanoseconds = 10 * super::time::SECOND;

/// Number of the bin of a moment since 1970; 0 before.
#[must_use]
pub fn bin_of(at: Timestamp) -> u32 {
    u32::try_from(at.0.div_euclid(BIN)).unwrap_or(0)
}

/// What moved in ten seconds of a flow, for the state machine of remote sessions (idle, viewed, driven, bulk).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivityBin {
    /// Number of the bin since 1970: packet time divided by [`BIN`].
    pub number: u32,
    /// Payload bytes from the client, from the server.
    pub bytes: [u32; 2],
    /// Packets with 4 to 350 bytes of payload from the client, from the server: the size of input events.
    pub small: [u16; 2],
    /// Packets with any payload from the client, from the server.
    pub packets: [u16; 2],
    /// Of these, those that follow one of the other side: how often each side took its turn.
    pub turns: [u16; 2],
}

/// Most protocols that one flow is recorded to have spoken one in another (TLS in RDP, WebSocket in TLS in CONNECT).
pub const MOST_PROTOCOLS: usize = 4;

/// One conversation.
#[derive(Clone, Debug, Default)]
pub struct FlowRecord {
    /// Hash of key, start time and first frame number: the same for every run over the same input.
    pub id: ContentId,
    /// VLAN tags and network identifier.
    pub space: AddressSpace,
    /// IP version 6.
    pub is_v6: bool,
    /// What stands above IP.
    pub layer: Layer,
    /// IP protocol number.
    pub protocol: u8,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// How that was judged.
    pub opener: OpenerJudgement,
    /// Encapsulations around it.
    pub tunnels: TunnelStack,
    /// The tunnel that was opened, where it is itself the outside of one; `None` otherwise.
    pub opened_tunnel: Encapsulation,
    /// Link addresses of client and server on the segment that was captured; absent inside tunnels.
    pub macs: [MacAddress; 2],
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// Packets from the client, from the server.
    pub packets: [u64; 2],
    /// Bytes likewise: whole frames as on the wire.
    pub bytes: [u64; 2],
    /// Payload bytes likewise, as the headers promise.
    pub payload_bytes: [u64; 2],
    /// TTL or hop limit of the first packet each way; 0 where none was seen.
    pub ttl: [u8; 2],
    /// Time stamp (RFC 7323) and IP identification of the client's SYN, where it has passed a router on its way to the capture point; zero
    /// where there is none, or nobody asks.
    pub syn_timestamp: u32,
    /// See above.
    pub syn_identification: u16,
    /// Type and code of the first ICMP message each way.
    pub icmp: Option<[u8; 2]>,
    /// ICMP of a type that has no counterpart: the flow has one direction.
    pub icmp_one_way: bool,
    /// TCP alone.
    pub tcp: Option<TcpRecord>,
    /// Names of the protocols recognised, in order.
    pub protocols: [Option<&'static str>; MOST_PROTOCOLS],
    /// The one that counts as `app_proto`.
    pub app_proto: Option<&'static str>,
    /// What its bytes said.
    pub facts: FactLog,
    /// Ten-second bins in which payload moved, in order of time.
    pub activity: Vec<ActivityBin>,
    /// Who answered the first packet, and after how long; not TCP, and only where nothing was asked twice before.
    pub answer: Option<(Side, Nanoseconds)>,
    /// Round trips and loops, of flows that a person may sit behind.
    pub latency: Option<Box<Latency>>,
    /// First frame, first frame with payload from the client, from the server, and the last frame.
    pub frames: FlowFrames,
    /// Whether the snap length cut what either side said first, so that too little is left for a name.
    pub is_opening_cut: bool,
    /// Why the record was written.
    pub end_reason: EndReason,
}

/// The frames that a finding cites for a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowFrames {
    /// First packet.
    pub first: FrameRef,
    /// First packet with payload from the client, from the server.
    pub first_payload: [Option<FrameRef>; 2],
    /// Last packet.
    pub last: FrameRef,
}

impl FlowRecord {
    /// Name of the transport as EVE writes it, of those that have one in the records; `None` where only the number says it.
    #[must_use]
    pub const fn transport_name(&self) -> Option<&'static str> {
        Some(match self.protocol {
            1 => "ICMP",
            6 => "TCP",
            17 => "UDP",
            47 => "GRE",
            50 => "ESP",
            58 => "ICMPv6",
            132 => "SCTP",
            _ => return None,
        })
    }

    /// Time between first and last packet.
    #[must_use]
    pub const fn duration(&self) -> Nanoseconds {
        self.end.since(self.start)
    }

    /// Whether `name` is among the protocols recognised.
    #[must_use]
    pub fn speaks(&self, name: &str) -> bool {
        self.protocols.iter().flatten().any(|protocol| *protocol == name)
    }
}

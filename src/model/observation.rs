//! What crosses from the packet side to the observers, and from the observers to the detectors.

use std::sync::Arc;

use super::address::{AddressSpace, Endpoint, MacAddress};
use super::fact::Side;
use super::flow::FlowRecord;
use super::frame::FrameRef;
use super::segment::Layer;
use super::time::Timestamp;

/// The packet whose facts stand in a stretch of a shard's event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHeader {
    /// Capture time; with `source` the total order of events.
    pub at: Timestamp,
    /// The frame.
    pub source: FrameRef,
    /// What stood above the network layer.
    pub layer: Layer,
    /// VLAN tags and network identifier.
    pub space: AddressSpace,
    /// Sender.
    pub from: Endpoint,
    /// Receiver.
    pub to: Endpoint,
    /// Link address of sender and receiver, where they belong to this packet's own link.
    pub macs: [MacAddress; 2],
    /// Whether the sender opened the flow.
    pub side: Side,
    /// Name of the protocol that speaks.
    pub protocol: &'static str,
    /// Where its facts begin in the log.
    pub start: u32,
    /// Where they end.
    pub end: u32,
}

/// Where a flow's name for its server came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameSource {
    /// TLS or QUIC server name indication.
    Sni,
    /// Host header of HTTP.
    HttpHost,
    /// A DNS answer that the same host saw before, within its lifetime and a grace of ten minutes.
    Dns,
    /// A DNS answer that the same host saw before, but whose lifetime had passed.
    StaleDns,
}

impl NameSource {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sni => "sni",
            Self::HttpHost => "http_host",
            Self::Dns => "dns",
            Self::StaleDns => "dns_stale",
        }
    }
}

/// A name of the server of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    /// Lower case, without the final dot; shared by the flows to it.
    pub name: Arc<str>,
    /// Where it came from.
    pub source: NameSource,
    /// The frame that said it.
    pub frame: FrameRef,
    /// When.
    pub at: Timestamp,
    /// Lifetime in seconds, for DNS.
    pub lifetime: Option<u32>,
}

/// Index of a local address, while one holder has it, in the observers' table; a host is one or several of these, resolved at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalIndex(pub u32);

/// A flow that was placed: which of its ends are ours, and what its server is called.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// The flow.
    pub flow: &'a FlowRecord,
    /// Client and server, where they are local machines.
    pub locals: [Option<LocalIndex>; 2],
    /// Best name of the server.
    pub server_name: Option<ServerName>,
}

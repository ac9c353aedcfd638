//! Every bound on memory and time, with its default and the reason for it.
//!
//! What meets a bound is evicted or passed over and counted; no input can make a table grow past these.

use crate::model::time::{Nanoseconds, SECOND};

/// Bounds of one analysis. Tables that are split into partitions divide them evenly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows held at once. About 300 bytes each, so the default stays below a gibibyte.
    pub flows: usize,
    /// Bytes of one direction of a stream that dissectors may see: a certificate chain of 16 KiB fits four times.
    pub head_bytes_per_side: usize,
    /// Whether TLS is read on behind its handshake, by the lengths of its records, and streams that nobody knows by those of their
    /// packets: only where the policy asks for it.
    pub reads_closely: bool,
    /// Whether the lengths of payloads that no dissector claims are counted: only where a signature asks for them, or may come to.
    pub counts_lengths: bool,
    /// Bytes held by all unfinished heads together.
    pub head_bytes: usize,
    /// Bytes of facts that one flow may keep.
    pub fact_bytes_per_flow: usize,
    /// Datagrams of one flow that are fed to a dissection which does not follow the flow.
    pub datagrams_per_flow: u16,
    /// Ten-second bins that one flow may keep before those of keep-alives are given up (a day and a half of uninterrupted activity).
    pub bins_per_flow: usize,
    /// The same of a flow that is measured because a person may sit behind it, where they hold more than keep-alives: twelve days without
    /// a pause, seven weeks of working days.
    pub bins_per_session: usize,
    /// Flows whose round trips are measured at once, about 5 KiB each: those of remote access and tunnels.
    pub timed_flows: usize,
    /// Fragments held at once for reassembly.
    pub fragments: usize,
    /// Bytes of fragments held at once.
    pub fragment_bytes: usize,
    /// How long an incomplete datagram is kept (RFC 8200, 4.5: 60 s; Linux: 30 s).
    pub fragment_time_out: Nanoseconds,
    /// Ways of tunnels (sender, receiver, kind) that are remembered, to tell whether both ends send.
    pub tunnels: usize,
    /// Two equal packets within this time are one packet that a SPAN copied twice.
    pub duplicate_window: Nanoseconds,
    /// Bytes of one block: small enough for the second-level cache (measured: 16 MiB is twice as slow as 1 MiB).
    pub block_bytes: usize,
    /// Frames of one block.
    pub block_frames: usize,
    /// Largest frame that is believed; libpcap's own bound (`MAXIMUM_SNAPLEN`) is 262,144.
    pub frame_bytes: usize,
    /// Time-outs of flows.
    pub time_outs: TimeOuts,
    /// Pairs of asker and address whose names are remembered.
    pub answers: usize,
    /// Local addresses that are kept, and link addresses.
    pub hosts: usize,
    /// Connections to named sites that are remembered, to tell when people are active.
    pub calls: usize,
    /// Pairs of host and tool (and peer) whose flows are gathered into findings.
    pub groups: usize,
}

/// How long after its last packet a flow ends, by protocol and state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeOuts {
    /// TCP after a handshake or in the middle (RFC 5382, REQ-5: NATs keep it at least 2 h 4 min).
    pub tcp_established: Nanoseconds,
    /// The same, of a connection that a person may sit behind: over a weekend, from Friday's evening to Monday's morning.
    pub tcp_session: Nanoseconds,
    /// TCP with an incomplete handshake. Systems send a SYN again after 1, 2, 4, 8, 16 and 32 s (RFC 6298), so that all of an attempt are one
    /// flow; RFC 5382 has NATs wait for 4 minutes, Suricata waits for 60 s, Zeek for 5 s.
    pub tcp_opening: Nanoseconds,
    /// TCP after FIN from both sides or RST: late copies still belong to it. RFC 9293, 3.4.2, waits for two maximum segment
    /// lifetimes of two minutes, because another connection must not take an old one's data. Nothing is mistaken here by a new flow for
    /// what comes later than that, so it is enough that the first four repetitions of a FIN (1, 2, 4 and 8 s after each other, RFC 6298)
    /// find theirs. Zeek waits for 5 s (`tcp_close_delay`), Suricata for 10 s.
    pub tcp_closed: Nanoseconds,
    /// UDP (RFC 4787, REQ-5: 5 minutes recommended).
    pub udp: Nanoseconds,
    /// UDP whose questions were all answered (DNS). Zeek ends these after 10 s (`dns_session_timeout`); resolvers ask again
    /// within 15 s at most when an answer was lost (unbound, BIND). A third of the flows of a mirror port are such.
    pub udp_answered: Nanoseconds,
    /// ICMP queries (RFC 5508, REQ-1: 60 s).
    pub icmp: Nanoseconds,
    /// Everything else.
    pub other: Nanoseconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 3_000_000,
            head_bytes_per_side: 64 << 10,
            reads_closely: false,
            counts_lengths: false,
            head_bytes: 256 << 20,
            fact_bytes_per_flow: 16 << 10,
            datagrams_per_flow: 24,
            bins_per_flow: 12_960,
            bins_per_session: 103_680,
            timed_flows: 16_384,
            fragments: 16_384,
            fragment_bytes: 64 << 20,
            fragment_time_out: 30 * SECOND,
            tunnels: 65_536,
            duplicate_window: SECOND / 20,
            block_bytes: 1 << 20,
            block_frames: 16_384,
            frame_bytes: 262_144,
            time_outs: TimeOuts::default(),
            answers: 500_000,
            hosts: 200_000,
            calls: 2_000_000,
            groups: 50_000,
        }
    }
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self {
            tcp_established: 7_440 * SECOND,
            tcp_session: 72 * 3_600 * SECOND,
            tcp_opening: 60 * SECOND,
            tcp_closed: 15 * SECOND,
            udp: 300 * SECOND,
            udp_answered: 15 * SECOND,
            icmp: 60 * SECOND,
            other: 300 * SECOND,
        }
    }
}

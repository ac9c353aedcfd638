//! What is measured of the few flows that a person may sit behind: round trips and the loop of the session.
//!
//! Kept only for flows that speak a protocol of remote access or of tunnels, and for connections that behave like a remote
//! session for a while ([`Flows::time`](super::Flows::time)), and only once they are long: about 4 KiB each. A short flow shows what its
//! handshake shows, which is there anyway, and any other flow costs nothing.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::Flows;
use super::control_loop::Loop;
use super::round_trip::RoundTrips;
use super::tcp::TcpFlow;
use crate::model::fact::Side;
use crate::model::latency::Latency;
use crate::model::segment::{Layer, Segment, tcp_flag};

/// Ten-second bins that must have looked driven before a connection that speaks no such protocol is measured. One is what a
/// web page that is read may give.
pub(super) const DRIVEN_BINS: u8 = 2;

/// Packets of a flow from which it is measured.
pub(super) const MEASURED_FROM: u32 = 24;

/// Whether a flow is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Measured {
    /// Nobody asked for it, or there was no room.
    #[default]
    No,
    /// It will be, once it is long enough.
    Wanted,
    /// The same, and handshakes of WireGuard are looked for.
    WantedAsWireguard,
    /// [`Long::timing`](super::Long::timing) is there.
    Now,
}

/// What is measured of one flow.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Round trips.
    pub round_trips: RoundTrips,
    /// Bursts of the client, of the server, and what came back.
    loops: [Loop; 2],
    /// Whether handshakes of WireGuard are looked for.
    pub speaks_wireguard: bool,
}

impl Timing {
    /// Follows a segment of the flow.
    pub fn follow(&mut self, segment: &Segment, side: Side) {
        self.round_trips.follow(segment, side, self.speaks_wireguard);
        if segment.layer != Layer::Tcp || segment.has_tcp(tcp_flag::SYN) || segment.has_tcp(tcp_flag::RST) {
            return;
        }
        let [client, server] = &mut self.loops;
        let (own, other) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let acknowledgement = segment.has_tcp(tcp_flag::ACK).then_some(segment.acknowledgement);
        other.came_back(segment.at, acknowledgement, segment.payload_on_wire);
        if segment.payload_on_wire > 0 {
            let end = segment.sequence.wrapping_add(segment.payload_on_wire);
            own.sent(segment.at, end, segment.payload_on_wire);
        }
    }

    /// What the record keeps.
    #[must_use]
    pub fn into_record(self) -> Latency {
        let loops = self.loops.map(Loop::into_record);
        let has_bursts = loops.iter().any(|of_side| of_side.bursts > 0);
        Latency {
            round_trips: self.round_trips.sketches,
            loops: has_bursts.then(|| Box::new(loops)),
        }
    }
}

impl Flows {
    /// Measures the round trips of a flow once it has carried enough packets, unless too many are measured then.
    pub fn time(&mut self, flow: u32, speaks_wireguard: bool) {
        if let Some(hot) = self.hot.get_mut(flow)
            && hot.measured == Measured::No
        {
            hot.measured = if speaks_wireguard {
                Measured::WantedAsWireguard
            } else {
                Measured::Wanted
            };
        }
    }

    /// Begins to measure a flow: of its first packets only the handshake is known.
    pub(super) fn begin_timing(&mut self, flow: u32) {
        let Some(hot) = self.hot.get_mut(flow) else {
            return;
        };
        let speaks_wireguard = hot.measured == Measured::WantedAsWireguard;
        let [timed, most] = &mut self.timed;
        if *timed >= *most {
            hot.measured = Measured::No;
            self.untimed = self.untimed.saturating_add(1);
            return;
        }
        *timed = timed.saturating_add(1);
        hot.measured = Measured::Now;
        let mut timing = Timing {
            speaks_wireguard,
            ..Timing::default()
        };
        if let Some(tcp) = self.tcp.get(hot.tcp).map(TcpFlow::record) {
            for (side, span) in [(Side::Client, tcp.client_rtt), (Side::Server, tcp.server_rtt)] {
                if let Some(span) = span {
                    timing.round_trips.add(side, span);
                }
            }
        }
        hot.long.get_or_insert_default().timing = Some(Box::new(timing));
    }
}

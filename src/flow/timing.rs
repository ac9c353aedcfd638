//! What is measured of the few flows that a person may sit behind: round trips and the loop of the session.
//!
//! Kept only for flows that speak a protocol of remote access or of tunnels, and for connections that behave like a remote
//! session for a while ([`Flows::time`](super::Flows::time)): about 5 KiB each, and nothing for any other flow.
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
        Latency {
            round_trips: self.round_trips.sketches,
            loops: self.loops.map(Loop::into_record),
        }
    }
}

impl Flows {
    /// Measures the round trips of a flow from now on, unless too many are measured already.
    pub fn time(&mut self, flow: u32, speaks_wireguard: bool) {
        let Some(hot) = self.hot.get_mut(flow).filter(|hot| !hot.is_timed) else {
            return;
        };
        let [timed, most] = &mut self.timed;
        if *timed >= *most {
            self.untimed = self.untimed.saturating_add(1);
            return;
        }
        *timed = timed.saturating_add(1);
        hot.is_timed = true;
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

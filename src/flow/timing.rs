//! What is measured of the few flows that a person may sit behind: round trips and the loop of the session.
//!
//! Kept only for flows that speak a protocol of remote access or of tunnels, and for connections that behave like a remote
//! session for a while ([`Flows::time`](super::Flows::time)), and only once they are long: about 4 KiB each. A short flow shows what its
//! handshake shows, which is there anyway, and any other flow costs nothing. The opening of a connection that speaks such a protocol is
//! followed from its first packets on, in half a KiB: nothing brings it back later.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::Flows;
use super::control_loop::Loop;
use super::opening::Opening;
use super::round_trip::RoundTrips;
use super::ssh_channels::Follower;
use super::tcp::TcpFlow;
use super::texture::Texture;
use crate::model::fact::Side;
use crate::model::latency::{Inputs, Latency};
use crate::model::segment::{Layer, Segment, tcp_flag};

/// Ten-second bins that must have looked driven before a connection that speaks no such protocol is measured. One is what a
/// web page that is read may give.
pub(super) const DRIVEN_BINS: u8 = 2;

/// Packets of a flow from which it is measured.
const MEASURED_FROM: u32 = 24;

/// Packets after which a connection is no longer opening: what is wanted later began without being followed.
const OPENING: u32 = 12;

/// What is asked of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Everything.
    Session,
    /// Everything, and handshakes of WireGuard are looked for.
    Wireguard,
    /// How it opens: it may carry a session that nothing names (RFB in a WebSocket). More only if it behaves like one.
    Opening,
}

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
    /// The opening alone will be.
    WantedOpening,
    /// [`Long::timing`](super::Long::timing) is there and follows the opening; everything once the flow is long.
    Opening,
    /// It follows the opening and nothing else.
    OpeningAlone,
    /// It follows everything.
    Now,
}

impl Measured {
    /// Whether a flow with so many packets gets to the next step.
    pub(super) const fn begins(self, packets: u32, is_tcp: bool) -> bool {
        match self {
            Self::No | Self::OpeningAlone | Self::Now => false,
            Self::Wanted => packets >= MEASURED_FROM || is_tcp && packets <= OPENING,
            Self::WantedOpening => is_tcp && packets <= OPENING,
            Self::WantedAsWireguard | Self::Opening => packets >= MEASURED_FROM,
        }
    }

    /// Whether more of it would be measured if it behaved like a session.
    pub(super) const fn may_be_session(self) -> bool {
        matches!(self, Self::No | Self::WantedOpening | Self::OpeningAlone)
    }

    /// With a wish more.
    const fn with(self, wish: Wish) -> Self {
        match (self, wish) {
            (Self::No | Self::WantedOpening, Wish::Session) => Self::Wanted,
            (Self::No | Self::WantedOpening, Wish::Wireguard) => Self::WantedAsWireguard,
            (Self::No, Wish::Opening) => Self::WantedOpening,
            (Self::OpeningAlone, Wish::Session | Wish::Wireguard) => Self::Opening,
            (known, _) => known,
        }
    }

    /// Whether it holds one of the places for openings.
    pub(super) const fn is_opening(self) -> bool {
        matches!(self, Self::Opening | Self::OpeningAlone)
    }
}

/// What is measured of one flow.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Round trips.
    pub round_trips: RoundTrips,
    /// How the connection opens, where that was seen.
    opening: Option<Opening>,
    /// Which end opens channels, should it be SSH and its beginning have been seen.
    channels: Option<Box<Follower>>,
    /// What client and server send, once the flow is long. Apart, because far more openings are followed than long flows.
    sides: Option<Box<[Sent; 2]>>,
    /// Whether handshakes of WireGuard are looked for.
    pub speaks_wireguard: bool,
}

/// What one side of a long flow sends.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// Bursts, and what came back after them.
    bursts: Loop,
    /// Packets of the size of input.
    texture: Texture,
}

impl Timing {
    /// Follows a segment of the flow.
    pub fn follow(&mut self, segment: &Segment, side: Side) {
        self.round_trips.follow(segment, side, self.speaks_wireguard);
        if let Some(opening) = &mut self.opening {
            opening.follow(segment, side);
        }
        if let Some(channels) = &mut self.channels {
            channels.follow(segment, side);
        }
        if segment.layer != Layer::Tcp || segment.has_tcp(tcp_flag::SYN) || segment.has_tcp(tcp_flag::RST) {
            return;
        }
        let Some([client, server]) = self.sides.as_deref_mut() else {
            return;
        };
        let (own, other) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let acknowledgement = segment.has_tcp(tcp_flag::ACK).then_some(segment.acknowledgement);
        other
            .bursts
            .came_back(segment.at, acknowledgement, segment.payload_on_wire);
        if segment.payload_on_wire > 0 {
            own.texture.take(segment.at, segment.payload_on_wire);
            other.texture.other_spoke();
            let end = segment.sequence.wrapping_add(segment.payload_on_wire);
            own.bursts.sent(segment.at, end, segment.payload_on_wire);
        }
    }

    /// What the record keeps; nothing of a flow that stayed short.
    #[must_use]
    pub fn into_record(self) -> Option<Latency> {
        let [client, server] = *self.sides?;
        let inputs = [client.texture, server.texture].map(Texture::into_record);
        let loops = [client.bursts, server.bursts].map(Loop::into_record);
        let has_bursts = loops.iter().any(|of_side| of_side.bursts > 0);
        Some(Latency {
            round_trips: self.round_trips.sketches,
            openings: self.opening.map(Opening::into_record).unwrap_or_default(),
            inputs: (inputs != <[Inputs; 2]>::default()).then(|| Box::new(inputs)),
            loops: has_bursts.then(|| Box::new(loops)),
            channels: self.channels.and_then(|channels| channels.into_record()),
            is_shared: false,
        })
    }
}

impl Flows {
    /// Measures the round trips of a flow once it has carried enough packets, unless too many are measured then.
    pub fn time(&mut self, flow: u32, wish: Wish) {
        if let Some(hot) = self.hot.get_mut(flow) {
            hot.measured = hot.measured.with(wish);
        }
    }

    /// Begins to measure a flow, or to measure more of it: of its first packets only the handshake is known.
    pub(super) fn begin_timing(&mut self, flow: u32, segment: &Segment, side: Side) {
        let Some(hot) = self.hot.get_mut(flow) else {
            return;
        };
        let [there, back] = hot.packets;
        let is_long = there.saturating_add(back) >= MEASURED_FROM;
        if hot.measured.is_opening() {
            let [opening, _] = &mut self.opening;
            *opening = opening.saturating_sub(1);
        }
        let [counted, most] = if is_long {
            &mut self.timed
        } else {
            &mut self.opening
        };
        if *counted >= *most {
            // An opening that there is no room for leaves the rest to be measured.
            if is_long {
                hot.measured = Measured::No;
                hot.long.iter_mut().for_each(|long| long.timing = None);
            }
            self.untimed = self.untimed.saturating_add(u64::from(is_long));
            return;
        }
        *counted = counted.saturating_add(1);
        let speaks_wireguard = hot.measured == Measured::WantedAsWireguard;
        hot.measured = match (is_long, hot.measured) {
            (true, _) => Measured::Now,
            (false, Measured::WantedOpening) => Measured::OpeningAlone,
            (false, _) => Measured::Opening,
        };
        let long = hot.long.get_or_insert_default();
        if let Some(timing) = &mut long.timing {
            timing.sides = Some(Box::default());
            return;
        }
        let mut timing = Timing {
            speaks_wireguard,
            opening: (!is_long).then(Opening::default),
            channels: (hot.measured == Measured::Opening).then(Box::default),
            sides: is_long.then(Box::default),
            ..Timing::default()
        };
        if let Some(tcp) = self.tcp.get(hot.tcp).map(TcpFlow::record) {
            for (side, span) in [(Side::Client, tcp.client_rtt), (Side::Server, tcp.server_rtt)] {
                if let Some(span) = span {
                    timing.round_trips.add(side, span);
                }
            }
        }
        if let Some(opening) = &mut timing.opening {
            opening.follow(segment, side);
        }
        if let Some(channels) = &mut timing.channels {
            channels.follow(segment, side);
        }
        long.timing = Some(Box::new(timing));
    }
}

//! What every flow of a local address changes.

use crate::model::address::{Address, AddressSpace, MacAddress};
use crate::model::latency::Near;
use crate::model::time::{Nanoseconds, Timestamp};

/// Times to live that systems send out (p0f).
const INITIAL: [u8; 4] = [32, 64, 128, 255];

/// Routers between a machine and a capture point on its site's side: further away, a small time to live is a tool's own.
const MOST_HOPS: u8 = 8;

/// Routers that are kept of one address: as many as [`Noted`] has bits.
pub(super) const MOST_GATEWAYS: usize = 8;

/// What every flow of an address changes; apart from the rest, which few do, so that a flow touches one line of cache, and another one
/// when it leaves through a router.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Tally {
    /// VLAN tags and network identifier; with the address what an entry is found by.
    space: AddressSpace,
    address: Address,
    /// First packet of its flows.
    pub first_seen: Timestamp,
    /// Last packet.
    pub last_seen: Timestamp,
    /// Bytes that it sent, whole frames.
    pub bytes_out: u64,
    /// Bytes that came to it.
    pub bytes_in: u64,
    /// The link address that carries its packets, or claims it; absent where none was seen.
    pub(super) carrier: MacAddress,
    /// Bits: see the constants.
    marks: u8,
    /// What is known of the routers through which it talks.
    pub(super) noted: Noted,
    /// Round trips between it and the capture point, of its connections' handshakes.
    pub near: Near,
    /// Place among the holders, where it has several.
    shared: u32,
}

/// The link addresses of the routers that are kept of an address, and on which day they were noted last: nearly every flow says nothing that is
/// not known already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    day: u32,
    capture: u16,
    /// How many are kept.
    kept: u8,
    /// Bits: those that were noted on this day, in this capture.
    today: u8,
    routers: [MacAddress; MOST_GATEWAYS],
}

impl Noted {
    const NOTHING: Self = Self {
        day: 0,
        capture: 0,
        kept: 0,
        today: 0,
        routers: [MacAddress::ABSENT; MOST_GATEWAYS],
    };

    /// Whether it is news that an address talks through a router: not when that was noted, or when there is no room for another router.
    pub(super) fn is_news(&mut self, router: MacAddress, capture: u16, day: u32) -> bool {
        if (self.day, self.capture) != (day, capture) {
            (self.day, self.capture, self.today) = (day, capture, 0);
        }
        match self.routers.iter().position(|known| *known == router) {
            Some(place) => self.today & (1 << place) == 0,
            None => usize::from(self.kept) < MOST_GATEWAYS,
        }
    }

    /// Notes a router, when so many are kept with it.
    pub(super) fn note(&mut self, router: MacAddress, kept: usize) {
        if let Some(place) = self.routers.get_mut(usize::from(self.kept))
            && usize::from(self.kept) < kept
        {
            *place = router;
            self.kept = self.kept.saturating_add(1);
        }
        if let Some(place) = self.routers.iter().position(|known| *known == router) {
            self.today |= 1 << place;
        }
    }
}

/// Its carrier carried any packet, and was noted for it.
const CARRIED: u8 = 1;
/// A connection came with the time to live that systems send out.
const FIRST_HAND: u8 = 2;
/// One came with a few less: a router had passed it on.
const PASSED_ON: u8 = 4;
/// Several link addresses carried or claimed it.
const SHARED: u8 = 8;
/// It asked a resolver for a name.
const ASKED: u8 = 16;

impl Tally {
    /// Whether a connection came with the time to live that systems send out.
    pub(super) const fn is_first_hand(&self) -> bool {
        self.marks & FIRST_HAND != 0
    }

    /// Whether one came with a few less: a router had passed it on.
    pub(super) const fn is_passed_on(&self) -> bool {
        self.marks & PASSED_ON != 0
    }

    /// Whether it asked a resolver for a name.
    #[must_use]
    pub const fn has_asked(&self) -> bool {
        self.marks & ASKED != 0
    }

    pub(super) const fn is_shared(&self) -> bool {
        self.marks & SHARED != 0
    }

    /// Whether it is what an address's flows change.
    pub(super) fn is_of(&self, space: AddressSpace, address: Address) -> bool {
        self.address == address && self.space == space
    }

    /// Notes with which time to live (hop limit) its connections began: what systems send out, or a few less behind routers.
    fn hops(&mut self, ttl: u8) {
        if let Some(start) = INITIAL.into_iter().find(|start| ttl <= *start) {
            if ttl == start {
                self.marks |= FIRST_HAND;
            } else if start.saturating_sub(ttl) <= MOST_HOPS {
                self.marks |= PASSED_ON;
            }
        }
    }

    /// Whether a link address carries its packets for the first time: noted once as long as that stays.
    fn is_new_carrier(&mut self, mac: MacAddress) -> bool {
        let is_new = self.marks & CARRIED == 0 && self.carrier == mac;
        if is_new {
            self.marks |= CARRIED;
        }
        is_new
    }
}

impl Tally {
    /// Of an address of which nothing was seen.
    pub(super) const NOTHING: Self = Self {
        space: AddressSpace(0),
        address: Address([0; 16]),
        first_seen: Timestamp(i64::MAX),
        last_seen: Timestamp(i64::MIN),
        bytes_out: 0,
        bytes_in: 0,
        carrier: MacAddress::ABSENT,
        marks: 0,
        noted: Noted::NOTHING,
        near: Near::NOTHING,
        shared: 0,
    };

    /// Of an address whose packets a link address carries.
    pub(super) const fn new(space: AddressSpace, address: Address, carrier: MacAddress) -> Self {
        Self {
            space,
            address,
            carrier,
            ..Self::NOTHING
        }
    }

    /// What it is found by.
    pub(super) const fn key(&self) -> (AddressSpace, Address) {
        (self.space, self.address)
    }

    /// Place among the holders, where it has several.
    pub(super) const fn shared(&self) -> usize {
        self.shared as usize
    }

    /// From now on the address may have several holders.
    pub(super) const fn share(&mut self, place: u32) {
        self.shared = place;
        self.marks |= SHARED;
    }

    /// It asked a resolver for a name.
    pub(super) const fn ask(&mut self) {
        self.marks |= ASKED;
    }

    /// Whether anything stands in its further lines of cache, so that they are near.
    pub(super) const fn has_more(&self) -> bool {
        self.noted.kept > 0 || self.near.samples > 0
    }

    /// Counts a flow. Whether a link address carried the packets of the address for the first time.
    pub(super) fn take(&mut self, part: &Part) -> bool {
        let (start, end) = part.time;
        self.first_seen = self.first_seen.min(start);
        self.last_seen = self.last_seen.max(end);
        self.bytes_out = self.bytes_out.saturating_add(part.bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(part.bytes_in);
        if let Some(ttl) = part.ttl {
            self.hops(ttl);
        }
        if let Some(round_trip) = part.handshake {
            self.near.add(start, round_trip);
        }
        part.carrier.is_some_and(|mac| self.is_new_carrier(mac))
    }
}

/// What a flow, or a packet, says of an address that takes part in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// First and last packet.
    pub(super) time: (Timestamp, Timestamp),
    /// Bytes that it sent, whole frames.
    pub(super) bytes_out: u64,
    /// Bytes that came to it.
    pub(super) bytes_in: u64,
    /// The link address that carried its packets, if it sent any.
    pub(super) carrier: Option<MacAddress>,
    /// The time to live (hop limit) with which its connection began.
    pub(super) ttl: Option<u8>,
    /// Round trip between it and the capture point, of the connection's handshake.
    pub(super) handshake: Option<Nanoseconds>,
}

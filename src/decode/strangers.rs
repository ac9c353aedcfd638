//! Tunnels into which only a foreign address sends.
//!
//! Anybody on the Internet can send a datagram to a tunnel's port, with a frame inside that names whatever machine he likes. So a
//! tunnel's inside is believed when its sender is ours (a mirror of our own switch, our end of a tunnel), or when the
//! other end sends into the same tunnel: what he cannot make it do. Else its addresses stand in a space of
//! their own ([`SpaceKind::Stranger`]), in which no machine of ours is seen. The first packet of a tunnel between two foreign addresses
//! comes before the other end's: when that one follows in the same block, the packet is put right.

use std::collections::HashSet;

use crate::model::address::{Address, AddressSpace, SpaceKind};
use crate::model::frame::FrameRef;
use crate::model::local_networks::LocalNetworks;
use crate::model::segment::{Encapsulation, Segment};

/// Sender, receiver, and what the tunnel is.
type Way = (Address, Address, Encapsulation);

/// Most packets of a block that wait for the other end of their tunnels.
const MOST_WAITING: usize = 4_096;

/// A packet that is believed if the other end of its tunnel sends as well.
#[derive(Debug)]
struct Waiting {
    way: Way,
    /// The frame, and the place of its first inner segment.
    source: FrameRef,
    first: usize,
    /// Where its addresses stand if it is believed.
    space: AddressSpace,
}

/// Which tunnels were sent into from where.
#[derive(Debug)]
pub(super) struct Strangers {
    waiting: Vec<Waiting>,
    /// Packets of this block that could not be kept waiting.
    unkept: u64,
    local: LocalNetworks,
    ways: HashSet<Way, rapidhash::fast::RandomState>,
    /// The way that was taken last: tunnels carry many packets.
    last: Option<Way>,
    most: usize,
}

impl Strangers {
    /// Remembers at most so many ways.
    pub(super) fn new(local: LocalNetworks, most: usize) -> Self {
        Self {
            local,
            ways: HashSet::default(),
            last: None,
            most,
            waiting: Vec::new(),
            unkept: 0,
        }
    }

    /// A packet that is not believed yet: its inner segments begin at `first`, and would stand in `space`.
    pub(super) fn wait(
        &mut self,
        from: Address,
        to: Address,
        tunnel: Encapsulation,
        (source, first): (FrameRef, usize),
        space: AddressSpace,
    ) {
        if self.waiting.len() < MOST_WAITING {
            let way = (from, to, tunnel);
            self.waiting.push(Waiting {
                way,
                source,
                first,
                space,
            });
        } else {
            self.unkept = self.unkept.saturating_add(1);
        }
    }

    /// `from` sends to `to` inside a tunnel and is believed: so is what came the other way in this block.
    pub(super) fn put_right(
        &mut self,
        from: Address,
        to: Address,
        tunnel: Encapsulation,
        segments: &mut [Segment],
    ) {
        let way = (to, from, tunnel);
        self.waiting.retain(|waiting| {
            if waiting.way != way {
                return true;
            }
            let rest = segments.get_mut(waiting.first..).unwrap_or_default();
            let of_frame = rest
                .iter_mut()
                .take_while(|segment| segment.source == waiting.source);
            for segment in of_frame {
                if segment.space.is_strangers() {
                    // Tags further inside stay.
                    segment.space = segment.space.with_identifier_of(waiting.space);
                }
            }
            false
        });
    }

    /// Whether anything waits.
    pub(super) const fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The block ends: how many packets of it are only what a stranger says.
    pub(super) fn end_block(&mut self) -> u64 {
        let waited = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        self.waiting.clear();
        std::mem::take(&mut self.unkept).saturating_add(waited)
    }

    /// From now on these networks are ours.
    pub(super) fn set_local(&mut self, local: LocalNetworks) {
        self.local = local;
    }

    /// Whether what `from` sends to `to` inside a tunnel may speak of our machines.
    pub(super) fn is_believed(&mut self, from: Address, to: Address, tunnel: Encapsulation) -> bool {
        let way = (from, to, tunnel);
        if self.last == Some(way) {
            return true;
        }
        if self.ways.len() < self.most {
            self.ways.insert(way);
        }
        let is_believed = self.local.contains(from) || self.ways.contains(&(to, from, tunnel));
        if is_believed {
            self.last = Some(way);
        }
        is_believed
    }
}

/// The space of what only one end of a tunnel says.
pub(super) fn space(from: Address, to: Address, outside: AddressSpace) -> AddressSpace {
    // FNV-1a (Fowler, Noll, Vo), folded: the space has room for 32 bits.
    let octets = from.0.into_iter().chain(to.0);
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)
    });
    #[expect(clippy::cast_possible_truncation, reason = "folded to 32 bits")]
    let folded = (hash ^ hash >> 32) as u32;
    outside.with_identifier(SpaceKind::Stranger, folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: Address = Address::from_v4([192, 168, 1, 2]);
    const ONE: Address = Address::from_v4([198, 51, 100, 7]);
    const OTHER: Address = Address::from_v4([203, 0, 113, 66]);

    fn strangers(local: &[&str], most: usize) -> Strangers {
        let local: Vec<ipnet::IpNet> = local.iter().map(|text| text.parse().unwrap()).collect();
        Strangers::new(LocalNetworks::new(&local), most)
    }

    #[test]
    fn who_is_foreign_is_believed_once_the_other_end_sends_into_the_same_tunnel() {
        let mut tunnels = strangers(&[], 10);
        assert!(!tunnels.is_believed(OTHER, ONE, Encapsulation::Gre));
        assert!(!tunnels.is_believed(OTHER, ONE, Encapsulation::Gre));
        assert!(!tunnels.is_believed(ONE, OTHER, Encapsulation::Tzsp));
        assert!(tunnels.is_believed(ONE, OTHER, Encapsulation::Gre));
        assert!(tunnels.is_believed(OTHER, ONE, Encapsulation::Gre));
        assert!(!tunnels.is_believed(OTHER, INSIDE, Encapsulation::Gre));
    }

    #[test]
    fn our_own_are_believed_at_once_and_so_is_who_is_declared_ours() {
        assert!(strangers(&[], 10).is_believed(INSIDE, ONE, Encapsulation::Erspan2));
        assert!(strangers(&["203.0.113.0/24"], 10).is_believed(OTHER, ONE, Encapsulation::Tzsp));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut tunnels = strangers(&[], 1);
        assert!(!tunnels.is_believed(OTHER, ONE, Encapsulation::Gre));
        assert!(!tunnels.is_believed(ONE, OTHER, Encapsulation::Tzsp));
        assert!(!tunnels.is_believed(OTHER, ONE, Encapsulation::Tzsp));
        assert_eq!(tunnels.ways.len(), 1);
    }
}

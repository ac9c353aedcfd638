//! Places of addresses as records show them. Looked up once for an address that keeps coming back, and written once for
//! all addresses of which the databases say the same.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::detect::{named_place, place_record};
use crate::geo::{Geo, Place, Position};
use crate::model::address::Address;
use crate::model::reverse_name::ReverseName;
use crate::report::flow::Placed;

/// Sets of IPv4 addresses whose place is at hand; a power of two. A network of ten thousand people calls fifty thousand addresses.
const SETS: usize = 1 << 13;

/// Addresses of one set: what one line of the processor's cache holds.
const WAYS: usize = 8;

/// Places that are kept, and addresses of each other kind.
const MOST: usize = 1 << 16;

/// A place that is kept: valid until [`Places::make_room`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept(u32);

/// Addresses with their places, the latest in front.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
struct Set([(u32, Kept); WAYS]);

type Hashed = rapidhash::fast::RandomState;

/// The memory.
#[derive(Debug, Default)]
pub struct Places {
    /// IPv4 addresses by their hash. The all-zero address has no place.
    recent: Vec<Set>,
    recent_v6: HashMap<Address, Kept, Hashed>,
    by_position: HashMap<Position, Kept, Hashed>,
    /// Of addresses whose reverse name was seen: what it says of their network belongs to them alone.
    named: HashMap<Address, Kept, Hashed>,
    /// What [`Kept`] counts, from one.
    kept: Vec<Placed>,
}

impl Places {
    /// Forgets everything if what so many more addresses say might not find room.
    pub fn make_room(&mut self, more: usize) {
        let lengths = [self.kept.len(), self.recent_v6.len(), self.named.len()];
        if lengths.into_iter().max().unwrap_or(0).saturating_add(more) > MOST {
            *self = Self::default();
        }
    }

    /// Where an address is, whose reverse name may say what kind of network it has; nothing for private ones and those that no database
    /// knows.
    pub fn place(&mut self, geo: &Geo, address: Address, name: Option<&ReverseName>) -> Kept {
        match (name, address.to_ip()) {
            (Some(name), _) => self.named(geo, address, name),
            // Addresses of ours are too many to be remembered, and would drive the others out.
            (None, IpAddr::V4(ip)) if ip.is_private() => Kept::default(),
            (None, IpAddr::V4(ip)) => self.recent(geo, ip),
            (None, IpAddr::V6(_)) => {
                if let Some(known) = self.recent_v6.get(&address) {
                    return *known;
                }
                let kept = self.looked_up(geo, address.to_ip());
                self.recent_v6.insert(address, kept);
                kept
            }
        }
    }

    /// The place that is kept.
    #[must_use]
    pub fn get(&self, kept: Kept) -> Option<&Placed> {
        self.kept.get(usize::try_from(kept.0.checked_sub(1)?).ok()?)
    }

    fn recent(&mut self, geo: &Geo, ip: Ipv4Addr) -> Kept {
        if self.recent.is_empty() {
            self.recent.resize_with(SETS, Set::default);
        }
        let bits = ip.to_bits();
        let hash = bits.wrapping_mul(0x9e37_79b9) >> 19;
        let set = hash as usize & (SETS - 1);
        let known = self.recent.get(set);
        let known = known.and_then(|Set(ways)| ways.iter().find(|(known, _)| *known == bits));
        if let Some((_, kept)) = known {
            return *kept;
        }
        let kept = self.looked_up(geo, IpAddr::V4(ip));
        if let Some(Set(ways)) = self.recent.get_mut(set) {
            ways.rotate_right(1);
            if let Some(first) = ways.first_mut() {
                *first = (bits, kept);
            }
        }
        kept
    }

    fn named(&mut self, geo: &Geo, address: Address, name: &ReverseName) -> Kept {
        if let Some(known) = self.named.get(&address) {
            return *known;
        }
        let place = named_place(geo, address, Some(name));
        let kept = self.keep(place.as_deref());
        self.named.insert(address, kept);
        kept
    }

    fn looked_up(&mut self, geo: &Geo, ip: IpAddr) -> Kept {
        let position = geo.position(ip);
        if let Some(known) = position.and_then(|position| self.by_position.get(&position)) {
            return *known;
        }
        let kept = self.keep(geo.place(ip).as_deref());
        if let Some(position) = position {
            // Of addresses without a place there may be more positions than places.
            if self.by_position.len() >= MOST {
                self.by_position.clear();
            }
            self.by_position.insert(position, kept);
        }
        kept
    }

    fn keep(&mut self, place: Option<&Place>) -> Kept {
        let Some(place) = place else {
            return Kept::default();
        };
        self.kept.push(Placed::new(place_record(place)));
        u32::try_from(self.kept.len()).map_or(Kept::default(), Kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_hand_is_what_databases_say_whoever_was_asked_for_between() {
        let geo = Geo::embedded();
        let mut places = Places::default();
        let v4 = |number: u32| Address::from_v4((0x0808_0000 + number * 4_099).to_be_bytes());
        let v6 = |number: u32| Address::from(IpAddr::from([0x2600, (number % 256) as u16, 0, 0, 0, 0, 0, 1]));
        for round in 0..3 {
            for number in 0..3_000 {
                // In the last round everything is forgotten now and then.
                places.make_room(if round == 2 && number % 1_000 == 0 {
                    MOST
                } else {
                    2
                });
                for address in [v4(number), v6(number)] {
                    let kept = places.place(&geo, address, None);
                    let said = places.get(kept).map(|place| place.record.clone());
                    let known = geo.place(address.to_ip());
                    assert_eq!(said, known.map(|place| place_record(&place)));
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut places = Places::default();
        for number in (0..).take(MOST) {
            let address = Address::from_v4(u32::to_be_bytes(number));
            places.recent_v6.insert(address, Kept(0));
        }
        places.make_room(1);
        assert!(places.recent_v6.is_empty());
    }
}

//! Places of addresses as records show them. Looked up once for an address that keeps coming back, and written once for
//! all addresses of which the databases say the same.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::detect::{named_place, place_record};
use crate::geo::{Geo, Position};
use crate::model::address::Address;
use crate::model::reverse_name::ReverseName;
use crate::report::flow::Placed;

/// Sets of addresses whose place is at hand; a power of two.
const SETS: usize = 1 << 13;

/// Addresses of one set. With one, a quarter of ten thousand addresses drive each other out of so large a memory; with four, one in thirty.
const WAYS: usize = 4;

/// Places that are kept.
const MOST: usize = 1 << 16;

type Shown = Option<Arc<Placed>>;

/// The memory.
#[derive(Debug, Default)]
pub struct Places {
    /// Sets of addresses by their hash, the latest of each in front.
    recent: Vec<[(Address, Shown); WAYS]>,
    written: HashMap<Position, Shown, rapidhash::fast::RandomState>,
    /// Of addresses whose reverse name was seen: what it says of their network belongs to them alone.
    named: HashMap<Address, Shown, rapidhash::fast::RandomState>,
}

impl Places {
    /// Where an address is; nothing for private ones and those that no database knows.
    pub fn place(&mut self, geo: &Geo, address: Address) -> Shown {
        // Addresses of ours are too many to be remembered, and would drive the others out.
        if matches!(address.to_ip(), IpAddr::V4(ip) if ip.is_private()) {
            return None;
        }
        if self.recent.is_empty() {
            // The all-zero address has no place.
            self.recent.resize_with(SETS, Default::default);
        }
        let [one, other] = address.words();
        let hash = (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51;
        let set = usize::try_from(hash).unwrap_or(0) & (SETS - 1);
        let ways = self
            .recent
            .get(set)
            .map(<[_; WAYS]>::as_slice)
            .unwrap_or_default();
        if let Some((_, place)) = ways.iter().find(|(known, _)| *known == address) {
            return place.clone();
        }
        let place = self.written(geo, address);
        if let Some(ways) = self.recent.get_mut(set) {
            ways.rotate_right(1);
            if let Some(first) = ways.first_mut() {
                *first = (address, place.clone());
            }
        }
        place
    }

    /// Where an address is whose reverse name was seen, which may say what kind of network it has.
    pub fn named(&mut self, geo: &Geo, address: Address, name: &ReverseName) -> Shown {
        if let Some(known) = self.named.get(&address) {
            return known.clone();
        }
        let place = named_place(geo, address, Some(name));
        let place = place.map(|place| Arc::new(Placed::new(place_record(&place))));
        if self.named.len() >= MOST {
            self.named.clear();
        }
        self.named.insert(address, place.clone());
        place
    }

    fn written(&mut self, geo: &Geo, address: Address) -> Shown {
        let ip = address.to_ip();
        let position = geo.position(ip);
        if let Some(known) = position.and_then(|position| self.written.get(&position)) {
            return known.clone();
        }
        let place = geo
            .place(ip)
            .map(|place| Arc::new(Placed::new(place_record(&place))));
        if let Some(position) = position {
            if self.written.len() >= MOST {
                self.written.clear();
            }
            self.written.insert(position, place.clone());
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_hand_is_what_databases_say_whoever_was_asked_for_between() {
        let geo = Geo::embedded();
        let mut places = Places::default();
        let address = |number: u32| Address::from_v4((0x0808_0000 + number * 4_099).to_be_bytes());
        for _ in 0..2 {
            for number in 0..3_000 {
                let said = places
                    .place(&geo, address(number))
                    .map(|place| place.record.clone());
                let known = geo
                    .place(address(number).to_ip())
                    .map(|place| place_record(&place));
                assert_eq!(said, known);
            }
        }
    }
}

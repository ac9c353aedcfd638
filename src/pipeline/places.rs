//! Places of addresses as records show them. Looked up once for an address that keeps coming back, and written once for
//! all addresses of which the databases say the same.

use std::collections::HashMap;
use std::sync::Arc;

use crate::detect::place_record;
use crate::geo::{Geo, Position};
use crate::model::address::Address;
use crate::report::flow::Placed;

/// Addresses whose place is at hand; a power of two.
const RECENT: usize = 1 << 15;

/// Places that are kept.
const MOST: usize = 1 << 16;

type Shown = Option<Arc<Placed>>;

/// The memory.
#[derive(Debug, Default)]
pub struct Places {
    /// One address a slot, by its hash.
    recent: Vec<(Address, Shown)>,
    written: HashMap<Position, Shown, rapidhash::fast::RandomState>,
}

impl Places {
    /// Where an address is; nothing for private ones and those that no database knows.
    pub fn place(&mut self, geo: &Geo, address: Address) -> Shown {
        if self.recent.is_empty() {
            // The all-zero address has no place.
            self.recent.resize(RECENT, (Address::default(), None));
        }
        let [one, other] = address.words();
        let hash = (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49;
        let slot = usize::try_from(hash).unwrap_or(0) & (RECENT - 1);
        if let Some((known, place)) = self.recent.get(slot)
            && *known == address
        {
            return place.clone();
        }
        let place = self.written(geo, address);
        if let Some(recent) = self.recent.get_mut(slot) {
            *recent = (address, place.clone());
        }
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

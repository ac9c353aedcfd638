//! Places of addresses, looked up once for each address that keeps coming back.

use std::collections::HashMap;
use std::sync::Arc;

use crate::detect::place_record;
use crate::geo::Geo;
use crate::model::address::Address;
use crate::report::flow::Placed;

/// Addresses that are remembered, in two generations.
const MOST: usize = 1 << 16;

/// The memory.
#[derive(Debug, Default)]
pub struct Places {
    young: HashMap<Address, Option<Arc<Placed>>, rapidhash::fast::RandomState>,
    old: HashMap<Address, Option<Arc<Placed>>, rapidhash::fast::RandomState>,
}

impl Places {
    /// Where an address is; nothing for private ones and those that no database knows.
    pub fn place(&mut self, geo: &Geo, address: Address) -> Option<Arc<Placed>> {
        if let Some(known) = self.young.get(&address) {
            return known.clone();
        }
        if self.young.len() >= MOST / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        let place = match self.old.remove(&address) {
            Some(known) => known,
            None => geo
                .place(address.to_ip())
                .map(|place| Arc::new(Placed::new(place_record(&place)))),
        };
        self.young.insert(address, place.clone());
        place
    }
}

//! Who holds an address when.
//!
//! DHCP gives an address to one machine after another, and two houses use the same private ones. So an address is not one machine
//! for ever: it has an entry for each link address that carried its packets. Whoever carried packets of an address that it
//! never claimed (by ARP or DHCP) may be a router; its entries are told apart by who had claimed the address last at that time.

use crate::model::address::MacAddress;
use crate::model::observation::LocalIndex;
use crate::model::time::Timestamp;

/// Entries of one address: a lease for every day of a fortnight. What comes then is nobody's.
const MOST_STAYS: usize = 16;

/// Changes of the claimant that are remembered: two houses' captures side by side change with every ARP request.
const MOST_CLAIMS: usize = 256;

/// One entry of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stay {
    /// The link address that carried its packets; absent where that is not known.
    pub(super) carrier: MacAddress,
    /// Who had claimed the address then, where that is not the carrier; absent where nobody had.
    pub(super) holder: MacAddress,
    /// Whether the carrier claimed it itself.
    pub(super) is_claimed: bool,
    /// The entry.
    pub(super) index: LocalIndex,
}

/// The holders of an address that has several.
#[derive(Debug)]
pub(super) struct Holders {
    stays: Vec<Stay>,
    /// From when on who claimed it, in order of time; a change each.
    claims: Vec<(Timestamp, MacAddress)>,
    /// Claims and entries beyond the bounds.
    pub(super) refused: u64,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// To an entry that there is.
    Known(LocalIndex),
    /// To one that has to be made; its index is none yet.
    New(Stay),
}

impl Holders {
    /// Of an address that had one so far.
    pub(super) fn new(carrier: MacAddress, index: LocalIndex, claimed: Option<Timestamp>) -> Self {
        Self {
            stays: vec![Stay {
                carrier,
                holder: MacAddress::ABSENT,
                is_claimed: claimed.is_some(),
                index,
            }],
            claims: claimed.map(|from| (from, carrier)).into_iter().collect(),
            refused: 0,
        }
    }

    /// A link address claims it. Whether another did so last.
    pub(super) fn claim(&mut self, mac: MacAddress, at: Timestamp) -> bool {
        for stay in self.stays.iter_mut().filter(|stay| stay.carrier == mac) {
            stay.is_claimed = true;
        }
        let last = self.claims.last().map(|(_, mac)| *mac);
        if last != Some(mac) {
            if self.claims.len() < MOST_CLAIMS {
                self.claims.push((at, mac));
            } else {
                self.refused = self.refused.saturating_add(1);
                // From there on nobody knows.
                if last.is_some_and(MacAddress::is_present) {
                    self.claims.push((at, MacAddress::ABSENT));
                }
            }
        }
        last.is_some_and(|last| last != mac)
    }

    /// Who had claimed it at a moment.
    fn claimant(&self, at: Timestamp) -> MacAddress {
        self.claims
            .iter()
            .rev()
            .find(|(from, _)| *from <= at)
            .map_or(MacAddress::ABSENT, |(_, mac)| *mac)
    }

    /// The entry of a packet that `mac` carried at a moment.
    pub(super) fn find(&self, mac: MacAddress, at: Timestamp) -> Found {
        let claimant = self.claimant(at);
        let of = |carrier: MacAddress| self.stays.iter().filter(move |stay| stay.carrier == carrier);
        let is_claimed = self.claims.iter().any(|(_, claimed)| *claimed == mac);
        let known = if mac.is_present() {
            of(mac)
                .find(|stay| stay.is_claimed)
                .or_else(|| of(mac).find(|stay| stay.holder == claimant))
        } else if claimant.is_present() {
            // What comes without a link address is of whoever holds the address then.
            of(claimant).next()
        } else {
            of(mac).find(|stay| !stay.holder.is_present())
        };
        let nobody = Stay::default();
        match known {
            Some(stay) => Found::Known(stay.index),
            None if self.stays.len() < MOST_STAYS => Found::New(Stay {
                carrier: mac,
                holder: if is_claimed { MacAddress::ABSENT } else { claimant },
                is_claimed: mac.is_present() && is_claimed,
                ..nobody
            }),
            // The last entry is nobody's.
            None => of(MacAddress::ABSENT)
                .find(|stay| !stay.holder.is_present())
                .map_or(Found::New(nobody), |stay| Found::Known(stay.index)),
        }
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, stay: Stay) {
        if self.stays.len() >= MOST_STAYS {
            self.refused = self.refused.saturating_add(1);
        }
        self.stays.push(stay);
    }

    /// The entries.
    pub(super) fn stays(&self) -> &[Stay] {
        &self.stays
    }

    /// Whether more happened than is remembered, so that what is nobody's may be anybody's.
    pub(super) const fn is_crowded(&self) -> bool {
        self.refused > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
    const ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

    /// The entry of a packet, made where there is none.
    fn entry(holders: &mut Holders, mac: MacAddress, at: i64) -> LocalIndex {
        match holders.find(mac, Timestamp(at)) {
            Found::Known(index) => index,
            Found::New(stay) => {
                let index = LocalIndex(u32::try_from(holders.stays().len()).unwrap());
                holders.add(Stay { index, ..stay });
                index
            }
        }
    }

    #[test]
    fn who_claims_an_address_has_one_entry_and_who_only_carries_it_one_for_each_holder() {
        let mut holders = Holders::new(ONE, LocalIndex(0), Some(Timestamp(10)));
        assert!(!holders.claim(ONE, Timestamp(15)));
        let early = entry(&mut holders, ROUTER, 20);
        assert!(holders.claim(OTHER, Timestamp(30)));
        let late = entry(&mut holders, ROUTER, 40);
        assert_ne!(early, late);
        // Flows are told when they end: those that began before count for the holder of then.
        assert_eq!(entry(&mut holders, ROUTER, 25), early);
        assert_eq!(holders.stays()[early.0 as usize].holder, ONE);
        assert_eq!(holders.stays()[late.0 as usize].holder, OTHER);
        let other = entry(&mut holders, OTHER, 40);
        assert_eq!(entry(&mut holders, OTHER, 12), other);
        assert_eq!(entry(&mut holders, ONE, 40), LocalIndex(0));
        // What has no link address is the holder's.
        assert_eq!(entry(&mut holders, MacAddress::ABSENT, 29), LocalIndex(0));
        assert_eq!(entry(&mut holders, MacAddress::ABSENT, 31), other);
    }

    #[test]
    fn beyond_the_bounds_nothing_is_anybodys() {
        let mut holders = Holders::new(ONE, LocalIndex(0), Some(Timestamp(0)));
        for turn in 1..1_000 {
            let mac = if turn % 2 == 0 { ONE } else { OTHER };
            holders.claim(mac, Timestamp(turn));
        }
        assert_eq!(holders.claims.len(), MOST_CLAIMS + 1);
        assert!(holders.is_crowded());
        for last in 10..200 {
            entry(&mut holders, MacAddress([2, 0, 0, 0, 1, last]), 2_000);
        }
        assert_eq!(holders.stays().len(), MOST_STAYS + 1);
        assert_eq!(holders.stays().last().unwrap().carrier, MacAddress::ABSENT);
    }
}

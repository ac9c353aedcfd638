//! Which machine each local address belonged to while its holder had it: judged at the end of the input.
//!
//! A link address that carried packets of several foreign networks, or of many local addresses, is a router's; the addresses behind
//! it stay hosts of their own. So do addresses whose packets a router had passed on already (their time to live is a few less than
//! systems send out) and that the link address never claimed. All others make their addresses one machine.

use std::collections::BTreeSet;

use super::holders::{Holders, Stay};
use super::identity::{Claim, Identity, Station};
use super::locals::Locals;
use super::thresholds::THRESHOLDS;
use crate::model::address::MacAddress;
use crate::model::observation::LocalIndex;
use crate::model::time::Timestamp;

/// What the link addresses speak for.
pub(super) struct Owners<'a> {
    identity: &'a Identity,
    locals: &'a Locals,
    /// Link addresses that forward other machines' packets.
    pub(super) routers: BTreeSet<MacAddress>,
    /// Of these and of others, those that carried packets which a router had passed on.
    forwarders: BTreeSet<MacAddress>,
    /// Routers whose claims by ARP tell nothing: they claim everything.
    proxies: BTreeSet<MacAddress>,
    /// Entries that are nobody's, and of which nothing is known.
    pub(super) empty: BTreeSet<LocalIndex>,
    /// Entries of addresses that several machines had.
    pub(super) several: BTreeSet<LocalIndex>,
}

/// The link address of each entry, where it has one.
pub(super) struct Whose(Vec<Option<MacAddress>>);

impl Whose {
    pub(super) fn of(&self, local: LocalIndex) -> Option<MacAddress> {
        self.0.get(local.0 as usize).copied().flatten()
    }

    fn set(&mut self, local: LocalIndex, mac: Option<MacAddress>) {
        if let Some(known) = self.0.get_mut(local.0 as usize) {
            *known = mac;
        }
    }
}

impl<'a> Owners<'a> {
    pub(super) fn new(identity: &'a Identity, locals: &'a Locals) -> Self {
        let mut owners = Self {
            identity,
            locals,
            routers: BTreeSet::new(),
            forwarders: BTreeSet::new(),
            proxies: BTreeSet::new(),
            empty: BTreeSet::new(),
            several: BTreeSet::new(),
        };
        for (mac, station) in identity.stations() {
            let is_router = station.foreign_networks() >= THRESHOLDS.owners.foreign_networks
                || owners.distinct_v4(station, |claim| claim < Claim::Leased)
                    > THRESHOLDS.owners.local_addresses
                || owners.v6_at_once(station) > THRESHOLDS.owners.addresses_at_once;
            if is_router {
                owners.routers.insert(mac);
                // A router that answers ARP for others (RFC 1027) claims them all: then none of its claims tells which is its own.
                if owners.distinct_v4(station, |claim| claim == Claim::Said)
                    > THRESHOLDS.owners.router_addresses
                {
                    owners.proxies.insert(mac);
                }
            }
            if station
                .locals
                .iter()
                .any(|(local, claim)| *claim == Claim::Carried && owners.is_passed_on(*local))
            {
                owners.forwarders.insert(mac);
            }
        }
        owners
    }

    /// Different IPv4 addresses of a link address with such a claim.
    fn distinct_v4(&self, station: &Station, counts: impl Fn(Claim) -> bool) -> usize {
        if station.locals.len() <= THRESHOLDS.owners.router_addresses {
            return 0;
        }
        let entries = station
            .locals
            .iter()
            .filter(|(_, claim)| counts(**claim))
            .filter_map(|(local, _)| self.locals.get(*local));
        let addresses: BTreeSet<_> = entries
            .filter(|entry| entry.address.is_v4())
            .map(|entry| (entry.space, entry.address))
            .collect();
        addresses.len()
    }

    /// The most IPv6 addresses of a link address that were in use at one time.
    fn v6_at_once(&self, station: &Station) -> usize {
        if station.locals.len() <= THRESHOLDS.owners.addresses_at_once {
            return 0;
        }
        let mut turns: Vec<(Timestamp, bool)> = Vec::new();
        for (local, _) in station.locals.iter() {
            let tally = self.locals.tally(*local);
            if !self.locals.address(*local).is_v4() && tally.first_seen <= tally.last_seen {
                turns.extend([(tally.first_seen, true), (tally.last_seen, false)]);
            }
        }
        // At one moment the ends come first.
        turns.sort_unstable();
        let (mut now, mut most) = (0_usize, 0_usize);
        for (_, begins) in turns {
            now = if begins {
                now.saturating_add(1)
            } else {
                now.saturating_sub(1)
            };
            most = most.max(now);
        }
        most
    }

    /// Whether all connections from there had passed a router before they were captured.
    fn is_passed_on(&self, local: LocalIndex) -> bool {
        let tally = self.locals.tally(local);
        tally.is_passed_on() && !tally.is_first_hand()
    }

    fn claim(&self, local: LocalIndex, mac: MacAddress) -> Option<Claim> {
        self.identity.get(mac)?.locals.get(&local).copied()
    }

    /// Whether the carrier of an entry claimed it, and can be believed.
    fn is_sure(&self, local: LocalIndex, carrier: MacAddress) -> bool {
        match self.claim(local, carrier) {
            Some(Claim::Leased) => true,
            Some(Claim::Said) => !self.proxies.contains(&carrier),
            Some(Claim::Carried) | None => false,
        }
    }

    /// Whether the carrier of an entry carried it as its own, as far as can be seen.
    fn may_be_own(&self, local: LocalIndex, carrier: MacAddress) -> bool {
        self.claim(local, carrier).is_some()
            && !self.routers.contains(&carrier)
            && !self.is_passed_on(local)
            && (!self.forwarders.contains(&carrier) || self.locals.tally(local).is_first_hand())
    }

    /// The link address of each entry that has one.
    pub(super) fn resolve(&mut self) -> Whose {
        let carriers = self.locals.iter().map(|(local, _)| {
            let carrier = self.locals.tally(local).carrier;
            (self.is_sure(local, carrier) || self.may_be_own(local, carrier)).then_some(carrier)
        });
        let mut owner = Whose(carriers.collect());
        for holders in self.locals.shared() {
            let open = self.share_out(holders, &mut owner);
            let machines: BTreeSet<Option<MacAddress>> = holders
                .stays()
                .iter()
                .filter(|stay| self.is_lively(stay.index))
                .map(|stay| owner.of(stay.index))
                .collect();
            let empty: Vec<LocalIndex> = open.into_iter().filter(|local| !self.is_lively(*local)).collect();
            self.empty.extend(empty);
            if machines.len() > 1 {
                self.several.extend(holders.stays().iter().map(|stay| stay.index));
            }
        }
        owner
    }

    /// Whether anything came from there, or was said of it.
    fn is_lively(&self, local: LocalIndex) -> bool {
        let tally = self.locals.tally(local);
        tally.first_seen <= tally.last_seen || self.locals.get(local).is_some_and(|entry| !entry.is_blank())
    }

    /// Of an address that several link addresses carried or claimed: whose was it when? Gives the entries that are nobody's.
    fn share_out(&self, holders: &Holders, owner: &mut Whose) -> Vec<LocalIndex> {
        let stays = holders.stays();
        let sure: BTreeSet<MacAddress> = stays
            .iter()
            .filter(|stay| self.is_sure(stay.index, stay.carrier))
            .map(|stay| stay.carrier)
            .collect();
        let is_first_hand = |stay: &Stay| self.locals.tally(stay.index).is_first_hand();
        let carries_itself = |mac: MacAddress| {
            stays
                .iter()
                .any(|stay| stay.carrier == mac && is_first_hand(stay))
        };
        let mut open = Vec::new();
        for stay in stays {
            let is_own = self.may_be_own(stay.index, stay.carrier);
            let whose = if sure.contains(&stay.carrier) {
                Some(stay.carrier)
            } else if sure.contains(&stay.holder) {
                // Two machines that both send for themselves are two, whatever one of them claims (two houses in one analysis);
                // else the carrier passes on what the holder sends.
                let is_another = is_own && is_first_hand(stay) && carries_itself(stay.holder);
                Some(if is_another { stay.carrier } else { stay.holder })
            } else {
                (is_own && (sure.is_empty() || is_first_hand(stay))).then_some(stay.carrier)
            };
            owner.set(stay.index, whose);
            if whose.is_none() {
                open.push(stay.index);
            }
        }
        // What is left was carried by routers, or by nobody who is known, while nobody claimed the address: its one owner's, if there is one.
        let all: BTreeSet<MacAddress> = stays.iter().filter_map(|stay| owner.of(stay.index)).collect();
        if let (Some(only), 1, false) = (all.first(), all.len(), holders.is_crowded()) {
            for local in open {
                owner.set(local, Some(*only));
            }
            return Vec::new();
        }
        open
    }
}

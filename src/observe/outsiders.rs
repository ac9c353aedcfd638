//! Conversations neither end of which is ours: whose are they, when hardly any packet has a local address?
//!
//! Question: a capture from outside of a router, or of a machine with a public address, has no local address at all unless the user
//! says which is his. Then nothing is looked for, and nothing may be called absent. The address that takes part in nearly all of
//! the conversations stands where the capture was taken, and it is taken for local from then on, if it calls others: a server that many call
//! takes part in all of them too, and its callers are strangers to each other.
//!
//! Counted by few counters (Misra and Gries 1982): whatever takes part in more than one of nine conversations has one. One that
//! takes part in nearly all of them has it from its first conversation on, and so is counted exactly.

use std::net::IpAddr;

use super::thresholds::THRESHOLDS;
use crate::model::address::{Address, AddressSpace};
use crate::model::flow::FlowRecord;

/// Addresses that are counted at once.
const COUNTERS: usize = 8;

/// One address.
#[derive(Clone, Copy, Debug)]
struct Counter {
    space: AddressSpace,
    address: Address,
    /// What the algorithm keeps.
    kept: u64,
    /// Conversations since it is counted.
    flows: u64,
    /// Those of them that it opened.
    opened: u64,
}

/// The address that takes part in nearly all conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Common {
    /// The address.
    pub address: Address,
    /// Percent of the conversations.
    pub percent: u64,
    /// Whether it was taken for local.
    pub is_taken: bool,
}

/// The counters.
#[derive(Debug)]
pub struct Outsiders {
    counters: Vec<Counter>,
    /// Conversations neither end of which is ours.
    flows: u64,
    /// All conversations.
    all: u64,
    taken: Option<Common>,
    /// Whether nobody said what is ours.
    may_take: bool,
}

/// Whether `part` is nearly all of `whole`.
fn is_nearly_all(part: u64, whole: u64) -> bool {
    part.saturating_mul(100) >= whole.saturating_mul(THRESHOLDS.outsiders.nearly_all_percent)
}

/// Whether somebody may stand behind an address.
fn is_somebodys(address: Address) -> bool {
    match address.to_ip() {
        IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
    }
}

impl Outsiders {
    /// Takes an address for local only where `may_take`: nobody said which are.
    #[must_use]
    pub const fn new(may_take: bool) -> Self {
        Self {
            counters: Vec::new(),
            flows: 0,
            all: 0,
            taken: None,
            may_take,
        }
    }

    /// Whether an address was taken for local, and nothing is to be counted any more.
    #[must_use]
    pub const fn has_taken(&self) -> bool {
        self.taken.is_some()
    }

    /// Counts a conversation with an end that is ours.
    pub const fn ours(&mut self) {
        self.all = self.all.saturating_add(1);
    }

    /// Counts one without. Gives the address that is to be taken for local from now on, once.
    #[cold]
    pub fn add(&mut self, flow: &FlowRecord) -> Option<(AddressSpace, Address)> {
        if !is_somebodys(flow.client.address) || !is_somebodys(flow.server.address) {
            return None;
        }
        self.all = self.all.saturating_add(1);
        self.flows = self.flows.saturating_add(1);
        self.count(flow.space, flow.client.address, true);
        self.count(flow.space, flow.server.address, false);
        if self.taken.is_some()
            || !self.may_take
            || self.flows < THRESHOLDS.outsiders.enough
            || !is_nearly_all(self.flows, self.all)
        {
            return None;
        }
        let common = self.most().copied()?;
        let is_caller = common.opened.saturating_mul(2) > common.flows;
        if !is_caller {
            return None;
        }
        self.taken = Some(Common {
            address: common.address,
            percent: self.percent(&common),
            is_taken: true,
        });
        Some((common.space, common.address))
    }

    fn count(&mut self, space: AddressSpace, address: Address, opened: bool) {
        let known = |one: &&mut Counter| one.address == address && one.space == space;
        if let Some(counter) = self.counters.iter_mut().find(known) {
            counter.kept = counter.kept.saturating_add(1);
            counter.flows = counter.flows.saturating_add(1);
            counter.opened = counter.opened.saturating_add(u64::from(opened));
        } else if self.counters.len() < COUNTERS {
            self.counters.push(Counter {
                space,
                address,
                kept: 1,
                flows: 1,
                opened: u64::from(opened),
            });
        } else {
            for counter in &mut self.counters {
                counter.kept = counter.kept.saturating_sub(1);
            }
            self.counters.retain(|counter| counter.kept > 0);
        }
    }

    /// What takes part in nearly all.
    fn most(&self) -> Option<&Counter> {
        let most = self.counters.iter().max_by_key(|one| (one.flows, one.address));
        most.filter(|one| is_nearly_all(one.flows, self.flows))
    }

    fn percent(&self, counter: &Counter) -> u64 {
        let percent = u128::from(counter.flows).saturating_mul(100) / u128::from(self.flows.max(1));
        u64::try_from(percent).unwrap_or(100).min(100)
    }

    /// The address that takes part in nearly all conversations, where hardly any has a local end.
    #[must_use]
    pub fn common(&self) -> Option<Common> {
        if self.taken.is_some() {
            return self.taken;
        }
        if !self.hide_nearly_all() {
            return None;
        }
        let common = self.most()?;
        Some(Common {
            address: common.address,
            percent: self.percent(common),
            is_taken: false,
        })
    }

    /// Whether hardly any conversation has an end that is ours, and none of theirs was taken for it: then little was looked for.
    #[must_use]
    pub fn hide_nearly_all(&self) -> bool {
        !self.has_taken()
            && self.flows >= THRESHOLDS.outsiders.worth_saying
            && is_nearly_all(self.flows, self.all)
    }

    /// What the summary remarks, if there is anything to remark.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        match self.common() {
            Some(Common {
                address,
                percent,
                is_taken: true,
            }) => Some(format!(
                "no packet had a local address: {address}, which took part in {percent} % of the first conversations and opened most \
                 of them, was taken for local from then on; name what is yours with --local (-n) to look at all of it"
            )),
            Some(Common { address, percent, .. }) => Some(format!(
                "no packet had a local address, so little was looked for; {address} takes part in {percent} % of the conversations: \
                 name it with --local (-n) if it is yours"
            )),
            None if self.hide_nearly_all() => Some(
                "no packet had a local address, so little was looked for: name your networks with --local (-n)"
                    .to_owned(),
            ),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(client: [u8; 4], server: [u8; 4]) -> FlowRecord {
        let mut flow = FlowRecord::default();
        flow.client.address = Address::from_v4(client);
        flow.server.address = Address::from_v4(server);
        flow
    }

    const LINE: [u8; 4] = [203, 0, 113, 7];

    /// Feeds so many conversations of one address with as many others; gives what is taken for local.
    fn fed(outsiders: &mut Outsiders, count: u8, is_caller: bool) -> Option<Address> {
        let mut taken = None;
        for last in 0..count {
            let other = [198, 51, 100, last];
            let one = if is_caller {
                flow(LINE, other)
            } else {
                flow(other, LINE)
            };
            taken = taken.or(outsiders.add(&one).map(|(_, address)| address));
        }
        taken
    }

    #[test]
    fn who_takes_part_in_nearly_all_and_calls_others_is_local() {
        let mut line = Outsiders::new(true);
        assert_eq!(fed(&mut line, 63, true), None, "few say nothing");
        assert_eq!(fed(&mut line, 1, true), Some(Address::from_v4(LINE)));
        let remark = line.remark().unwrap();
        assert!(
            remark.contains("203.0.113.7, which took part in 100 %"),
            "{remark}"
        );
        assert_eq!(fed(&mut line, 100, true), None, "once");
        let mut told = Outsiders::new(false);
        assert_eq!(fed(&mut told, 200, true), None, "somebody said what is ours");
        assert!(told.remark().unwrap().contains("(-n)"));
    }

    #[test]
    fn a_server_that_many_call_is_named_and_not_taken() {
        let mut server = Outsiders::new(true);
        assert_eq!(fed(&mut server, 200, false), None);
        let remark = server.remark().unwrap();
        assert!(remark.contains("203.0.113.7 takes part in 100 %") && remark.contains("(-n)"));
    }

    #[test]
    fn among_local_addresses_and_without_a_common_end_nobody_is_taken() {
        let mut home = Outsiders::new(true);
        (0..100).for_each(|_| home.ours());
        assert_eq!((fed(&mut home, 100, true), home.remark()), (None, None));
        let mut transit = Outsiders::new(true);
        for number in 0..200 {
            assert_eq!(
                transit.add(&flow([192, 0, 2, number], [198, 51, 100, number])),
                None
            );
        }
        assert!(
            transit
                .remark()
                .unwrap()
                .ends_with("name your networks with --local (-n)")
        );
        let mut groups = Outsiders::new(true);
        for _ in 0..200 {
            assert_eq!(groups.add(&flow(LINE, [224, 0, 0, 251])), None);
        }
        assert_eq!(groups.remark(), None);
    }
}

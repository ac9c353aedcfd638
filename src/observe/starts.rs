//! When machines came up: a lease asked for anew, and then what a system that has just come up does.
//!
//! Question: what is a start? A client that has lost its state asks for a lease from the beginning (DISCOVER) or for the address it had
//! (a REQUEST that names no server and has no address yet: INIT-REBOOT, RFC 2131, 4.3.2 and 4.4.2); one that only renews does neither.
//! Radio that comes and goes asks as well, so a second thing must follow within two minutes: a name that systems ask for to learn whether
//! they are online or what time it is (`background.tsv`), or the own name announced to the neighbours. Waking up and a link that
//! comes back look the same and count: what they have in common is that the machine was not there before.
//!
//! A machine with a fixed address asks for no lease, and behind another router nobody hears the asking: of those nothing is said. The first
//! ARP packet after a silence is no substitute, for a machine is silent in its own capture whenever nobody needs it.

use std::collections::{BTreeMap, HashSet};

use super::thresholds::THRESHOLDS;
use crate::model::address::MacAddress;
use crate::model::fact::{Fact, FactIter, FieldId, Value};
use crate::model::observable::Observable;
use crate::model::observation::EventHeader;
use crate::model::time::{SECOND, Timestamp};

/// Names that systems call by themselves; its second column says what for.
const TABLE: &str = include_str!("background.tsv");

/// What the names are for that a system asks for when it comes up.
const AT_START: [&str; 2] = ["connectivity check", "time"];

/// Starts that are remembered of one machine: several a day for a quarter of a year.
const MOST_OF_ONE: usize = 512;

const DHCP_TYPE: FieldId = FieldId::of("dhcp.type");
const DHCP_MAC: FieldId = FieldId::of("dhcp.mac");
const DHCP_SERVER: FieldId = FieldId::of("dhcp.server");
const DHCP_CLIENT: FieldId = FieldId::of("dhcp.client");
const DNS_QUERY: FieldId = FieldId::of("dns.query");
const MDNS_HOST: FieldId = FieldId::of("mdns.host");
const NBNS_NAME: FieldId = FieldId::of("nbns.name");

/// Message types (RFC 2132, 9.6).
const DISCOVER: u64 = 1;
const REQUEST: u64 = 3;

/// What is known of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Machine {
    /// A lease asked for anew that nothing has confirmed yet.
    asked: Option<Timestamp>,
    starts: Vec<Timestamp>,
}

/// The memory.
#[derive(Debug)]
pub struct Starts {
    names: HashSet<&'static str, rapidhash::fast::RandomState>,
    machines: BTreeMap<MacAddress, Machine>,
    /// The latest lease that anybody asked for anew: nothing else is looked at unless it is recent.
    latest: Option<Timestamp>,
    most: usize,
    /// Machines and starts beyond the bounds.
    pub refused: u64,
}

impl Starts {
    /// For at most so many machines.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let is_asked_at_start = |line: &&str| {
            let what = line.split('\t').nth(1).unwrap_or_default();
            !line.starts_with('#') && AT_START.contains(&what)
        };
        Self {
            names: TABLE
                .lines()
                .filter(is_asked_at_start)
                .filter_map(|line| line.split('\t').next())
                .collect(),
            machines: BTreeMap::new(),
            latest: None,
            most,
            refused: 0,
        }
    }

    /// Takes what a packet told about hosts.
    pub fn event(&mut self, header: &EventHeader, facts: FactIter<'_>) {
        if header.protocol == "dhcp" {
            self.lease(header, facts);
            return;
        }
        let is_soon = |asked: Timestamp| {
            (0..=THRESHOLDS.starts.confirmed_seconds.saturating_mul(SECOND)).contains(&header.at.since(asked))
        };
        if !self.latest.is_some_and(is_soon) {
            return;
        }
        let [mac, _] = header.macs;
        let is_waiting = self
            .machines
            .get(&mac)
            .is_some_and(|machine| machine.asked.is_some_and(is_soon));
        if is_waiting && facts.into_iter().any(|fact| self.shows_start(&fact)) {
            self.confirm(mac);
        }
    }

    /// When a machine with this link address came up; absent where its leases were seen and none began anew.
    #[must_use]
    pub fn of(&self, mac: Option<MacAddress>) -> Observable<Vec<Timestamp>> {
        match mac.and_then(|mac| self.machines.get(&mac)) {
            Some(machine) if !machine.starts.is_empty() => Observable::Observed(machine.starts.clone()),
            Some(_) => Observable::Absent,
            None => Observable::hidden("no lease of an address was asked for where the capture was taken"),
        }
    }

    fn lease(&mut self, header: &EventHeader, facts: FactIter<'_>) {
        let (mut kind, mut mac) = (None, None);
        let (mut names_server, mut has_address) = (false, false);
        for fact in facts {
            match (fact.field, fact.value) {
                (DHCP_TYPE, Value::Number(number)) => kind = Some(number),
                (DHCP_MAC, Value::Bytes { bytes, .. }) => {
                    mac = bytes.first_chunk::<6>().copied().map(MacAddress);
                }
                (DHCP_SERVER, _) => names_server = true,
                (DHCP_CLIENT, _) => has_address = true,
                _ => {}
            }
        }
        let Some(mac) = mac.filter(|mac| mac.is_present() && !mac.is_group()) else {
            return;
        };
        let is_anew = match kind {
            Some(DISCOVER) => true,
            Some(REQUEST) => !names_server && !has_address,
            _ => false,
        };
        if !is_anew && kind != Some(REQUEST) {
            return;
        }
        if self.machines.len() >= self.most && !self.machines.contains_key(&mac) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let machine = self.machines.entry(mac).or_default();
        if is_anew {
            machine.asked = Some(header.at);
            self.latest = Some(header.at);
        }
    }

    /// Whether somebody who has just come up says this: a question for one of the names, or the own name announced to the neighbours
    /// (multicast DNS, RFC 6762, 8.3; registration of a NetBIOS name, RFC 1002, 4.2.2).
    fn shows_start(&self, fact: &Fact<'_>) -> bool {
        let Some(name) = fact.value.as_text().filter(|_| fact.field == DNS_QUERY) else {
            return matches!(fact.field, MDNS_HOST | NBNS_NAME);
        };
        let name = name.to_ascii_lowercase();
        let behind_dots = name
            .match_indices('.')
            .filter_map(|(dot, _)| name.get(dot.saturating_add(1)..));
        std::iter::once(name.as_str())
            .chain(behind_dots)
            .any(|suffix| self.names.contains(suffix))
    }

    fn confirm(&mut self, mac: MacAddress) {
        let Some(machine) = self.machines.get_mut(&mac) else {
            return;
        };
        let Some(asked) = machine.asked.take() else { return };
        let is_same = |last: &Timestamp| {
            asked.since(*last) < THRESHOLDS.starts.one_start_seconds.saturating_mul(SECOND)
        };
        if machine.starts.last().is_some_and(is_same) {
            return;
        }
        if machine.starts.len() >= MOST_OF_ONE {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        machine.starts.push(asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{FactLog, Field, Stamp};

    const LAPTOP: MacAddress = MacAddress([2, 0, 0, 0, 0, 7]);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(1_789_394_100 + second, 0)
    }

    fn says(
        starts: &mut Starts,
        second: i64,
        protocol: &'static str,
        mac: MacAddress,
        said: &[(&'static str, Value<'_>)],
    ) {
        let mut log = FactLog::default();
        let start = log.begin();
        for (name, value) in said {
            log.push(&Field::of_event(name), Stamp::default(), value);
        }
        let header = EventHeader {
            at: at(second),
            protocol,
            macs: [mac, MacAddress::default()],
            ..EventHeader::default()
        };
        let end = log.len();
        starts.event(&header, log.range(start, end));
    }

    fn lease(starts: &mut Starts, second: i64, kind: u64, more: &[(&'static str, Value<'_>)]) {
        let mut said = vec![
            ("dhcp.type", Value::Number(kind)),
            (
                "dhcp.mac",
                Value::Bytes {
                    bytes: &LAPTOP.0,
                    on_wire: 6,
                },
            ),
        ];
        said.extend_from_slice(more);
        says(starts, second, "dhcp", LAPTOP, &said);
    }

    fn asks(starts: &mut Starts, second: i64, mac: MacAddress, name: &str) {
        let query = Value::Text {
            bytes: name.as_bytes(),
            cut: false,
        };
        says(starts, second, "dns", mac, &[("dns.query", query)]);
    }

    fn seconds(starts: &Starts) -> Vec<i64> {
        let begins = at(0);
        let found = starts.of(Some(LAPTOP));
        found
            .list()
            .iter()
            .map(|start| start.since(begins) / SECOND)
            .collect()
    }

    #[test]
    fn a_lease_asked_for_anew_and_a_check_whether_one_is_online_are_a_start() {
        let mut starts = Starts::new(10);
        lease(&mut starts, 0, DISCOVER, &[]);
        assert!(seconds(&starts).is_empty(), "nothing has confirmed it yet");
        asks(&mut starts, 8, LAPTOP, "www.msftconnecttest.com");
        assert_eq!(seconds(&starts), [0]);
        // The address it had, asked for again after a restart.
        lease(&mut starts, 9_000, REQUEST, &[]);
        says(
            &mut starts,
            9_003,
            "mdns",
            LAPTOP,
            &[("mdns.host", Value::Number(1))],
        );
        assert_eq!(seconds(&starts), [0, 9_000]);
    }

    #[test]
    fn a_renewal_a_page_and_a_late_check_are_none() {
        let own = [("dhcp.client", Value::Number(1))];
        let server = [("dhcp.server", Value::Number(1))];
        for more in [own.as_slice(), server.as_slice()] {
            let mut starts = Starts::new(10);
            lease(&mut starts, 0, REQUEST, more);
            asks(&mut starts, 8, LAPTOP, "www.msftconnecttest.com");
            assert_eq!(starts.of(Some(LAPTOP)), Observable::Absent);
        }
        let mut starts = Starts::new(10);
        lease(&mut starts, 0, DISCOVER, &[]);
        asks(&mut starts, 8, LAPTOP, "www.example.com");
        asks(
            &mut starts,
            9,
            MacAddress([2, 0, 0, 0, 0, 8]),
            "www.msftconnecttest.com",
        );
        asks(&mut starts, 121, LAPTOP, "www.msftconnecttest.com");
        assert_eq!(starts.of(Some(LAPTOP)), Observable::Absent);
    }

    #[test]
    fn asking_again_and_again_is_one_start() {
        let mut starts = Starts::new(10);
        for second in [0, 20, 200] {
            lease(&mut starts, second, DISCOVER, &[]);
            asks(&mut starts, second + 5, LAPTOP, "time.windows.com");
        }
        assert_eq!(seconds(&starts), [0]);
    }

    #[test]
    fn who_was_never_heard_asking_is_not_said_to_have_stayed_up() {
        let mut starts = Starts::new(0);
        assert!(starts.of(Some(LAPTOP)).reason().is_some());
        lease(&mut starts, 0, DISCOVER, &[]);
        assert_eq!(starts.refused, 1);
        assert!(starts.of(Some(LAPTOP)).reason().is_some() && starts.of(None).reason().is_some());
    }
}

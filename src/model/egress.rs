//! A machine's own public addresses: how each was learnt, and on which days.

use super::address::Address;
use super::few::Few;
use super::frame::FrameRef;
use super::time::{SECOND, Timestamp};

/// Days that are remembered of one address: more than ten years.
const MOST_DAYS: usize = 4_096;

/// Days since 1970-01-01 (UTC).
#[must_use]
pub fn day_of(at: Timestamp) -> u32 {
    u32::try_from(at.0.div_euclid(86_400 * SECOND)).unwrap_or(0)
}

/// What one line has: an IPv4 address, or the /64 of an IPv6 address (RFC 6177), given by its first one.
#[must_use]
pub fn line(address: Address) -> Address {
    if address.is_v4() {
        return address;
    }
    let mut octets = address.0;
    octets.iter_mut().skip(8).for_each(|octet| *octet = 0);
    Address(octets)
}

/// When an address was seen to be a machine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sightings {
    /// The frame that first said so.
    pub frame: FrameRef,
    /// First and last sight of each day since 1970.
    pub days: Few<u32, (Timestamp, Timestamp)>,
}

impl Sightings {
    /// Seen once.
    #[must_use]
    pub fn first(frame: FrameRef, at: Timestamp) -> Self {
        Self {
            frame,
            days: Few::from_iter([(day_of(at), (at, at))]),
        }
    }

    /// Seen again.
    pub fn add(&mut self, at: Timestamp) {
        let day = day_of(at);
        if let Some((first, last)) = self.days.get_mut(&day) {
            *first = at.min(*first);
            *last = at.max(*last);
        } else if self.days.len() < MOST_DAYS {
            self.days.or_insert_with(day, || (at, at));
        }
    }

    /// Adds the days of others; the earlier frame stays.
    pub fn merge(&mut self, other: Self) {
        if other.span().0 < self.span().0 {
            self.frame = other.frame;
        }
        for (_, (first, last)) in other.days {
            self.add(first);
            self.add(last);
        }
    }

    /// First and last sight.
    #[must_use]
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let first = self.days.values().next();
        let last = self.days.values().next_back();
        (
            first.map(|(first, _)| *first).unwrap_or_default(),
            last.map(|(_, last)| *last).unwrap_or_default(),
        )
    }
}

/// One of a machine's own public addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAddress {
    /// The address.
    pub address: Address,
    /// How it was learnt: `stun`, `natpmp`, `upnp`, `dns`, `http`, `dhcp`, `tunnel`, or `own` for an address of its own.
    pub how: &'static str,
    /// When.
    pub seen: Sightings,
}

impl OwnAddress {
    /// How it was learnt, as people write it.
    #[must_use]
    pub fn way(&self) -> &'static str {
        match self.how {
            "stun" => "learnt by STUN",
            "natpmp" => "learnt by NAT-PMP or PCP",
            "upnp" => "learnt by UPnP",
            "dns" => "learnt by a DNS question for the asker's own address",
            "http" => "learnt from a web service that names the caller's address",
            "dhcp" => "given to it by DHCP",
            "tunnel" => "the outside of its tunnel",
            "own" => "an address of its own",
            other => other,
        }
    }
}

/// Days on which a machine is declared to be away from its place of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Travel {
    /// First and last day, since 1970.
    pub days: (u32, u32),
    /// Where to, alpha-2, where declared.
    pub country: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_entry_however_often_and_in_whatever_order_it_is_seen() {
        let at = |hours: i64| Timestamp::from_parts(20_000 * 86_400 + hours * 3_600, 0);
        let mut seen = Sightings::first(FrameRef::default(), at(9));
        for hours in [17, 3, 30] {
            seen.add(at(hours));
        }
        assert_eq!(seen.days.keys().copied().collect::<Vec<_>>(), [20_000, 20_001]);
        assert_eq!(seen.days.get(&20_000), Some(&(at(3), at(17))));
        assert_eq!(seen.span(), (at(3), at(30)));
    }
}

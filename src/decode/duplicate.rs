//! Packets that a mirror port copied twice.
//!
//! A SPAN session that mirrors both the way in and the way out of a switch, or both ends of a hop, shows each packet twice:
//! counters double, every segment looks retransmitted. But two equal packets need not be a copy: TCP retransmits, acknowledgements
//! repeat, applications send the same datagram again, and many stacks leave the IP identification at zero
//! (RFC 6864; IPv6 has none at all).
//!
//! Question: when is an equal packet a copy? Answer: when the capture as a whole shows it. A fingerprint covers what a hop
//! leaves alone: all of the IP header but time to live, checksum and service field, and the first 64 octets of what follows,
//! with the transport's checksum, which stands for the rest. Equal packets within the window are counted among
//! those that hardly ever repeat on their own (they carry data, or an IP identification). Only while at least a quarter
//! of the last thousand such packets were repeats (half of them are where everything is doubled) are repeats left out.
//! Copies of the next millisecond all belong to one original (some sessions copy four times); a later one takes its original
//! away, so that a true repetition in a doubled capture keeps its first of two.
//!
//! Until enough packets were judged for that, those speak that are copies beyond doubt: equal in everything that a hop leaves
//! alone, the IP identification among it, and within a millisecond of each other. Who retransmits sends another
//! identification (RFC 6864 forbids to use one again so soon), and not within a millisecond. Only where different packets one
//! behind the other carry one identification, as generators of packets write them, it identifies nothing. While such
//! copies are a quarter of the packets, what repeats within a millisecond is left out: so a mirrored capture of a dozen packets is
//! halved from its second packet on. Without identifications (IPv6; IPv4 where it is zero) a small capture proves nothing.
//!
//! Fingerprints of all packets cost as much as the rest of decoding. After the first thousands of a capture one packet in
//! eight is looked at, chosen by its content so that both copies are; all of them once the capture proved doubled.
//!
//! Packets in different VLANs are never copies of each other: leaving one out would tear the two directions of a flow apart.

use std::num::NonZeroU16;

use super::offset::Offsets;
use crate::model::address::AddressSpace;
use crate::model::time::{Nanoseconds, Timestamp};

/// Octets behind the IP header that enter the fingerprint.
const OCTETS_OF_PAYLOAD: usize = 64;

/// Places for recent packets: 4,096 of 16 octets stay in the second-level cache; at a million packets in a second
/// that is four milliseconds, at ten thousand half a second.
const PLACES: usize = 4_096;

/// Packets that must have been judged before anything is left out.
const LEAST_EVIDENCE: u32 = 128;

/// After so many judged packets older ones weigh half.
const MOST_EVIDENCE: u32 = 1_024;

/// So many packets at the start of a capture are all looked at.
const LOOKED_AT_FIRST: u32 = 4_096;

/// Copies that come so close belong to one original, however many they are.
const CLOSE: Nanoseconds = 1_000_000;

/// What a packet is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    hash: u64,
    /// Whether an equal packet would say something: such packets hardly ever repeat on their own.
    is_evidence: bool,
    /// The identification of a packet that has one: no other packet of its sender carries the same for a while.
    identification: Option<NonZeroU16>,
    /// Whether it has sequence numbers.
    is_tcp: bool,
}

/// What was seen last at a place.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: u64,
    at: Timestamp,
}

/// How much of one capture repeats.
#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    packets: u32,
    repeats: u32,
    /// Repeats that can be nothing but copies.
    copies: u32,
    /// The packet with an identification seen last, and whether different ones one behind the other ever had the same.
    last: Option<Fingerprint>,
    reuses: bool,
    /// Counts up to [`LOOKED_AT_FIRST`].
    looked_at: u32,
    is_doubled: bool,
    /// Another capture shows the same packets.
    is_shared: bool,
}

/// Recent packets and what they say of their capture.
#[derive(Debug)]
pub(super) struct Duplicates {
    window: Nanoseconds,
    places: Box<[Place]>,
    /// By number of the capture.
    estimates: Vec<Estimate>,
    /// What several captures saw, and the differences between their clocks.
    pub(super) offsets: Offsets,
}

/// Mixes a word into a hash: one multiplication to 128 bits, halves folded together (the core of wyhash and rapidhash).
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves of a 128-bit product"
)]
const fn mix(state: u64, word: u64) -> u64 {
    let product = ((state ^ 0x2d35_8dcc_aa6c_78a5) as u128) * ((word ^ 0x8bb8_4b93_962e_acc9) as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The fingerprint of an IP packet whose header takes `header_length` octets.
#[inline]
pub(super) fn fingerprint(packet: &[u8], header_length: usize, space: AddressSpace) -> Fingerprint {
    let word = |at: usize| {
        packet
            .get(at..)
            .and_then(|rest| rest.first_chunk::<8>())
            .map_or(0, |chunk| u64::from_ne_bytes(*chunk))
    };
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let (mut hash, is_numbered, protocol) = if is_v4 {
        // Length, identification, fragment; then protocol without the time to live; then both addresses.
        let lengths = word(0) & u64::from_ne_bytes([0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        let identification = word(0) & u64::from_ne_bytes([0, 0, 0, 0, 0xff, 0xff, 0, 0]);
        let protocol = packet.get(9).copied().unwrap_or(0);
        let hash = mix(mix(space.0, lengths), word(12));
        (mix(hash, u64::from(protocol)), identification != 0, protocol)
    } else {
        let lengths = word(0) & u64::from_ne_bytes([0xf0, 0, 0, 0, 0xff, 0xff, 0xff, 0]);
        let hash = mix(mix(space.0, lengths), word(8));
        let hash = mix(mix(mix(hash, word(16)), word(24)), word(32));
        (hash, false, packet.get(6).copied().unwrap_or(0))
    };
    let mut payload = packet.get(header_length..).unwrap_or_default();
    let carries_data = if protocol == super::network::protocol::TCP {
        let words = payload.get(12).map_or(0, |octet| usize::from(octet >> 4));
        payload.len() > words.saturating_mul(4)
    } else {
        false
    };
    payload = payload.get(..OCTETS_OF_PAYLOAD).unwrap_or(payload);
    let (chunks, rest) = payload.as_chunks::<8>();
    for chunk in chunks {
        hash = mix(hash, u64::from_ne_bytes(*chunk));
    }
    if !rest.is_empty() {
        let last = rest.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
        hash = mix(hash, last);
    }
    Fingerprint {
        hash: mix(hash, payload.len() as u64),
        is_evidence: is_numbered || carries_data,
        identification: is_v4.then(|| identification(packet)).flatten(),
        is_tcp: protocol == super::network::protocol::TCP,
    }
}

/// The identification of an IPv4 packet that has one of its own: those of fragments are their datagram's, zero is none.
#[inline]
fn identification(packet: &[u8]) -> Option<NonZeroU16> {
    let &[high, low, flags, offset] = packet.get(4..)?.first_chunk()?;
    let is_fragment = u16::from_be_bytes([flags, offset]) & 0x3fff != 0;
    NonZeroU16::new(u16::from_be_bytes([high, low])).filter(|_| !is_fragment)
}

impl Duplicates {
    /// Recognises copies within `window`; a window of zero switches it off.
    pub(super) fn new(window: Nanoseconds) -> Self {
        Self {
            window,
            places: vec![Place::default(); PLACES].into_boxed_slice(),
            estimates: Vec::new(),
            offsets: Offsets::default(),
        }
    }

    /// Whether a packet is to be looked at; `said` is what its headers say that differs from packet to packet.
    #[inline]
    pub(super) fn wants(&self, said: u64, capture: u16) -> bool {
        self.estimates.get(usize::from(capture)).is_none_or(|estimate| {
            estimate.is_doubled || estimate.is_shared || estimate.looked_at < LOOKED_AT_FIRST
        }) || said.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 == 0
    }

    /// Whether another capture showed this packet before.
    fn is_seen_elsewhere(&mut self, print: Fingerprint, at: Timestamp, capture: u16) -> bool {
        let is_unique = print.is_tcp || print.identification.is_some();
        let Some(other) = self.offsets.take(print.hash, is_unique, at, capture) else {
            return false;
        };
        let both = usize::from(other.max(capture)).saturating_add(1);
        if self.estimates.len() < both {
            self.estimates.resize(both, Estimate::default());
        }
        for one in [other, capture] {
            if let Some(estimate) = self.estimates.get_mut(usize::from(one)) {
                estimate.is_shared = true;
            }
        }
        true
    }

    /// Whether this packet is a copy to be left out.
    #[inline]
    pub(super) fn is_copy(&mut self, print: Fingerprint, at: Timestamp, capture: u16) -> bool {
        if self.offsets.are_several() && self.is_seen_elsewhere(print, at, capture) {
            return true;
        }
        let hash = mix(print.hash, u64::from(capture));
        #[expect(clippy::cast_possible_truncation, reason = "reduced to the number of places")]
        let Some(place) = self.places.get_mut(hash as usize % PLACES) else {
            return false;
        };
        let distance = at.since(place.at);
        let is_repeat = place.hash == hash && distance >= 0 && distance < self.window;
        // A late repeat takes its original away: what comes next is an original again.
        if !is_repeat {
            *place = Place { hash, at };
        } else if distance >= CLOSE {
            *place = Place::default();
        }
        let capture = usize::from(capture);
        let Some(estimate) = self.estimates.get_mut(capture) else {
            self.estimates
                .resize(capture.saturating_add(1), Estimate::default());
            return false;
        };
        estimate.looked_at = estimate.looked_at.saturating_add(1);
        let is_close = is_repeat && distance < CLOSE;
        if print.is_evidence {
            estimate.judge(print, is_repeat, is_close);
        }
        is_repeat && estimate.is_doubled || is_close && estimate.seems_doubled()
    }
}

impl Estimate {
    /// Whether so few packets as were judged show a doubled capture already: by copies that can be nothing else.
    const fn seems_doubled(&self) -> bool {
        self.packets < LEAST_EVIDENCE
            && !self.reuses
            && self.copies > 0
            && self.copies.saturating_mul(4) >= self.packets
    }

    #[inline]
    fn judge(&mut self, print: Fingerprint, is_repeat: bool, is_close: bool) {
        if print.identification.is_some() {
            self.copies = self.copies.saturating_add(u32::from(is_close));
            self.reuses |= self
                .last
                .is_some_and(|last| last.identification == print.identification && last.hash != print.hash);
            self.last = Some(print);
        }
        self.packets = self.packets.saturating_add(1);
        self.repeats = self.repeats.saturating_add(u32::from(is_repeat));
        if self.packets >= MOST_EVIDENCE {
            self.packets /= 2;
            self.repeats /= 2;
        }
        // On from a quarter, off below an eighth.
        let share = if self.is_doubled { 8 } else { 4 };
        self.is_doubled =
            self.packets >= LEAST_EVIDENCE && self.repeats.saturating_mul(share) >= self.packets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(number: u64) -> Fingerprint {
        Fingerprint {
            hash: mix(1, number),
            is_evidence: true,
            identification: None,
            is_tcp: true,
        }
    }

    #[test]
    fn a_doubled_capture_is_recognised_and_then_halved() {
        let mut duplicates = Duplicates::new(50_000_000);
        let mut left_out = 0;
        for number in 0..1_000 {
            let at = Timestamp(i64::try_from(number).unwrap() * 1_000_000);
            assert!(!duplicates.is_copy(print(number), at, 0));
            left_out += u32::from(duplicates.is_copy(print(number), at.plus(20_000), 0));
        }
        assert!((930..=940).contains(&left_out), "{left_out}");
    }

    /// What comes of a capture: each packet (hash, identification) with its time in microseconds.
    fn left_out(packets: &[(u64, u16, i64)]) -> Vec<usize> {
        let mut duplicates = Duplicates::new(50_000_000);
        let copies = packets
            .iter()
            .enumerate()
            .filter(|(_, (number, identification, at))| {
                let print = Fingerprint {
                    identification: NonZeroU16::new(*identification),
                    ..print(*number)
                };
                duplicates.is_copy(print, Timestamp(at * 1_000), 0)
            });
        copies.map(|(place, _)| place).collect()
    }

    #[test]
    fn a_mirrored_capture_of_four_packets_is_halved() {
        assert_eq!(
            left_out(&[(1, 7, 0), (1, 7, 3), (2, 8, 500), (2, 8, 503)]),
            [1, 3]
        );
        // The second of a pair without identification follows what the first pair proved.
        assert_eq!(
            left_out(&[(1, 7, 0), (1, 7, 3), (2, 0, 500), (2, 0, 503)]),
            [1, 3]
        );
    }

    #[test]
    fn what_may_be_sent_again_is_no_copy_in_a_small_capture() {
        // Sent again with another identification: another packet, whatever else is equal.
        assert!(left_out(&[(1, 7, 0), (2, 8, 3), (3, 9, 6)]).is_empty());
        // After more than a millisecond, or without an identification, nothing is beyond doubt.
        assert!(left_out(&[(1, 7, 0), (1, 7, 1_000), (2, 8, 5_000), (2, 8, 6_000)]).is_empty());
        assert!(left_out(&[(1, 0, 0), (1, 0, 3), (2, 0, 500), (2, 0, 503)]).is_empty());
    }

    #[test]
    fn an_identification_that_different_packets_share_identifies_nothing() {
        assert!(left_out(&[(1, 1, 0), (2, 1, 0), (3, 1, 10), (3, 1, 10), (4, 1, 20)]).is_empty());
    }

    #[test]
    fn one_copy_among_many_packets_is_left_alone() {
        let mut packets: Vec<(u64, u16, i64)> = (1..40)
            .map(|number| (u64::from(number), number, 100 * i64::from(number)))
            .collect();
        packets.insert(30, (30, 30, 3_001));
        assert!(left_out(&packets).is_empty());
    }

    #[test]
    fn a_few_retransmissions_are_left_alone() {
        let mut duplicates = Duplicates::new(50_000_000);
        for number in 0..10_000_u64 {
            let at = Timestamp(i64::try_from(number).unwrap() * 1_000_000);
            assert!(!duplicates.is_copy(print(number), at, 0));
            if number % 5 == 0 {
                assert!(!duplicates.is_copy(print(number), at.plus(20_000), 0));
            }
        }
    }

    #[test]
    fn a_hop_changes_nothing_that_is_looked_at() {
        let mut packet = super::super::samples::tcp_v4(b"hello, here is some data");
        let before = fingerprint(&packet, 20, AddressSpace::default());
        packet[1] = 0xb8;
        packet[8] -= 1;
        packet[10] ^= 0x55;
        assert_eq!(before, fingerprint(&packet, 20, AddressSpace::default()));
        packet[5] ^= 1;
        assert_ne!(before, fingerprint(&packet, 20, AddressSpace::default()));
    }

    #[test]
    fn bare_acknowledgements_without_identification_are_no_evidence() {
        let mut packet = super::super::samples::tcp_v4(b"");
        packet[4..6].fill(0);
        assert!(!fingerprint(&packet, 20, AddressSpace::default()).is_evidence);
        let mut packet = super::super::samples::tcp_v4(b"x");
        packet[4..6].fill(0);
        assert!(fingerprint(&packet, 20, AddressSpace::default()).is_evidence);
    }
}

//! IEEE 802.11 and the headers that capturing drivers put in front of it.
//!
//! Data frames in the clear are opened; what is encrypted, and management and control frames, are counted.
//! Sections are those of IEEE 802.11-2020.

use super::stretch::{Stretch, array, u8_at};
use super::{Packet, Step};
use crate::model::address::MacAddress;

/// Bits of the second octet of the frame control field (9.2.4.1).
mod flag {
    pub(super) const TO_DISTRIBUTION: u8 = 0x01;
    pub(super) const FROM_DISTRIBUTION: u8 = 0x02;
    pub(super) const MORE_FRAGMENTS: u8 = 0x04;
    pub(super) const RETRY: u8 = 0x08;
    pub(super) const PROTECTED: u8 = 0x40;
    pub(super) const HIGH_THROUGHPUT_CONTROL: u8 = 0x80;
}

/// Length of the frame check sequence.
const CHECK_SEQUENCE: u32 = 4;

/// Reads an 802.11 header.
pub(super) fn header(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    with_padding(packet, frame, false)
}

/// As [`header`]; some drivers pad the header to a multiple of four, as radiotap's flags say.
fn with_padding(packet: &mut Packet<'_>, frame: Stretch, padded: bool) -> Step {
    const DATA: u8 = 2;
    const NO_DATA: u8 = 4;
    const QUALITY_OF_SERVICE: u8 = 8;
    let Some([control, flags]) = packet.array::<2>(frame, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    let (kind, subtype) = (control >> 2 & 3, control >> 4);
    if kind != DATA {
        return packet.give_up("802.11 management and control frames");
    }
    if subtype & NO_DATA != 0 {
        return packet.give_up("802.11 data frames without data");
    }
    if flags & flag::PROTECTED != 0 {
        return packet.give_up("802.11 data frames that are encrypted");
    }
    let to_and_from = (
        flags & flag::TO_DISTRIBUTION != 0,
        flags & flag::FROM_DISTRIBUTION != 0,
    );
    let view = packet.view(frame);
    let (Some(first), Some(second), Some(third), Some(sequence)) = (
        array::<6>(view, 4),
        array::<6>(view, 10),
        array::<6>(view, 16),
        array::<2>(view, 22),
    ) else {
        return packet.give_up("frames cut before their network header");
    };
    // Table 9-60: which of the addresses are destination and source.
    let (destination, source) = match to_and_from {
        (false, false) => (first, second),
        (true, false) => (third, second),
        (false, true) => (first, third),
        (true, true) => (third, array::<6>(view, 24).unwrap_or_default()),
    };
    let mut length = if to_and_from == (true, true) { 30 } else { 24 };
    let mut is_aggregate = false;
    let mut traffic = None;
    if subtype & QUALITY_OF_SERVICE != 0 {
        traffic = u8_at(view, length).map(|octet| octet & 0x0f);
        is_aggregate = u8_at(view, length).is_some_and(|octet| octet & 0x80 != 0);
        length = length.saturating_add(2);
        if flags & flag::HIGH_THROUGHPUT_CONTROL != 0 {
            length = length.saturating_add(4);
        }
    }
    if padded {
        length = length.next_multiple_of(4);
    }
    let [low, _] = sequence;
    if low & 0x0f != 0 || flags & flag::MORE_FRAGMENTS != 0 {
        return packet.give_up("802.11 data frames that are fragments");
    }
    let stream = (
        packet.base.source.capture,
        MacAddress(first),
        MacAddress(second),
        traffic,
    );
    let (control, is_retry) = (u16::from_le_bytes(sequence), flags & flag::RETRY != 0);
    if packet.state.retries.is_repeated(stream, control, is_retry) {
        packet.state.counters.duplicates = packet.state.counters.duplicates.saturating_add(1);
        return Step::Done;
    }
    packet.set_macs(source, destination);
    match u32::try_from(length).ok().and_then(|length| frame.after(length)) {
        Some(body) if is_aggregate => Step::Aggregate(body),
        Some(body) => Step::Llc(body),
        None => packet.give_up("frames cut before their network header"),
    }
}

/// The next subframe of an A-MSDU (9.3.2.2): destination, source, length, 802.2, padding to four. Sets the addresses.
pub(super) fn subframe(packet: &mut Packet<'_>, rest: Stretch) -> Option<(Stretch, Stretch)> {
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, l0, l1] = packet.array::<14>(rest, 0)?;
    let length = u32::from(u16::from_be_bytes([l0, l1]));
    let body = rest.after(14)?;
    if length < 8 || length > body.on_wire {
        return None;
    }
    packet.set_macs([s0, s1, s2, s3, s4, s5], [d0, d1, d2, d3, d4, d5]);
    let next = rest.after_or_end(14_u32.saturating_add(length).next_multiple_of(4));
    Some((body.limited(length), next))
}

/// Radiotap (radiotap.org): version, pad, length and presence bits, all little-endian, then fields in the order of the bits.
pub(super) fn radiotap(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    const TIMER: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE: u32 = 1 << 31;
    const HAS_CHECK: u8 = 0x10;
    const IS_PADDED: u8 = 0x20;
    const BAD_CHECK: u8 = 0x40;
    let view = packet.view(frame);
    let Some([version, _, l0, l1]) = array::<4>(view, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    let length = u16::from_le_bytes([l0, l1]);
    let mut at = 4_usize;
    let mut first_presence = 0;
    // A chain of presence words; radiotap's own length bounds it.
    while at < usize::from(length) {
        let Some(word) = array::<4>(view, at).map(u32::from_le_bytes) else {
            break;
        };
        if at == 4 {
            first_presence = word;
        }
        at = at.saturating_add(4);
        if word & MORE == 0 {
            break;
        }
    }
    if first_presence & TIMER != 0 {
        at = at.next_multiple_of(8).saturating_add(8);
    }
    let flags = if first_presence & FLAGS != 0 && at < usize::from(length) {
        u8_at(view, at).unwrap_or(0)
    } else {
        0
    };
    let Some(mut inner) = frame.after(u32::from(length)) else {
        return packet.give_up("frames cut before their network header");
    };
    if version != 0 || length < 8 {
        return packet.give_up("radiotap headers of another version");
    }
    if flags & BAD_CHECK != 0 {
        return packet.give_up("802.11 frames that were received damaged");
    }
    if flags & HAS_CHECK != 0 {
        inner = inner.limited(inner.on_wire.saturating_sub(CHECK_SEQUENCE));
    }
    with_padding(packet, inner, flags & IS_PADDED != 0)
}

/// AVS header: magic, length, both big-endian.
pub(super) fn avs(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    let length = packet.array::<4>(frame, 4).map(u32::from_be_bytes);
    match length
        .filter(|length| *length >= 8)
        .and_then(|length| frame.after(length))
    {
        Some(inner) => Step::Dot11(inner),
        None => packet.give_up("frames cut before their network header"),
    }
}

/// Prism header: message code and length in the order of the capturing machine; an AVS header may stand in its place.
pub(super) fn prism(packet: &mut Packet<'_>, frame: Stretch) -> Step {
    const AVS_MAGIC: [u8; 3] = [0x80, 0x21, 0x10];
    let Some([m0, m1, m2, _, length @ ..]) = packet.array::<8>(frame, 0) else {
        return packet.give_up("frames cut before their network header");
    };
    if [m0, m1, m2] == AVS_MAGIC {
        return avs(packet, frame);
    }
    let length = u32::from_le_bytes(length).min(u32::from_be_bytes(length));
    match frame.after(length.max(8)) {
        Some(inner) => Step::Dot11(inner),
        None => packet.give_up("frames cut before their network header"),
    }
}

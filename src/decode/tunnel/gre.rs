//! GRE: version 0 (RFC 2784, RFC 2890) and the enhanced form of PPTP, version 1 (RFC 2637, 4.1).

use crate::model::address::SpaceKind;
use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::ethernet::kind;
use super::super::stretch::{Stretch, u8_at, u16_at, u32_at};
use super::{Inside, by_type, erspan, routed};

/// Bits of the first two octets.
mod flag {
    pub(super) const CHECKSUM: u16 = 0x8000;
    pub(super) const ROUTING: u16 = 0x4000;
    pub(super) const KEY: u16 = 0x2000;
    pub(super) const SEQUENCE: u16 = 0x1000;
    /// Version 1 only.
    pub(super) const ACKNOWLEDGEMENT: u16 = 0x0080;
    pub(super) const VERSION: u16 = 0x0007;
    /// Zero in version 0; a receiver refuses the packet otherwise (RFC 2784, 2.3).
    pub(super) const REFUSED: u16 = 0x0ff8;
}

/// Aruba's access points send 802.11 frames to their controller under these types, one for each way of bridging.
const ARUBA: std::ops::RangeInclusive<u16> = 0x8200..=0x83ff;

/// Cisco's web cache redirection: the packet, or four octets and then the packet (version 2).
const WCCP: u16 = 0x883e;

/// The inside of a GRE packet.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let (flags, value) = (u16_at(view, 0)?, u16_at(view, 2)?);
    match flags & flag::VERSION {
        0 => version_0(view, payload, flags, value),
        1 => version_1(view, payload, flags, value),
        _ => None,
    }
}

fn version_0(view: &[u8], payload: Stretch, flags: u16, value: u16) -> Option<Inside> {
    if flags & (flag::ROUTING | flag::REFUSED) != 0 {
        return None;
    }
    let key_at: u32 = if flags & flag::CHECKSUM == 0 { 4 } else { 8 };
    let key = if flags & flag::KEY == 0 {
        None
    } else {
        Some(u32_at(view, key_at as usize)?)
    };
    let sequence_at = key_at + if key.is_some() { 4 } else { 0 };
    let has_sequence = flags & flag::SEQUENCE != 0;
    let header = sequence_at + if has_sequence { 4 } else { 0 };
    let inside = match value {
        erspan::TYPE_1_AND_2 if has_sequence => erspan::type_2(view, payload, header)?,
        erspan::TYPE_1_AND_2 => erspan::type_1(view, payload, header)?,
        erspan::TYPE_3 => erspan::type_3(view, payload, header)?,
        WCCP => {
            let redirect = if u8_at(view, header as usize)? >> 4 == 4 {
                0
            } else {
                4
            };
            Inside::new(
                Encapsulation::Gre,
                Step::Ip(routed(view, payload, header + redirect)?),
            )
        }
        value if ARUBA.contains(&value) => {
            let frame = payload.after(header)?;
            // Version 0 and a data frame in its frame control.
            if u8_at(view, header as usize)? & 0x0f != 0x08 {
                return None;
            }
            Inside::new(Encapsulation::Gre, Step::Dot11(frame))
        }
        _ => Inside::new(Encapsulation::Gre, by_type(view, payload, header, value)?),
    };
    Some(match key {
        Some(key) => inside.apart(SpaceKind::GreKey, key),
        None => inside,
    })
}

/// PPTP: the key's halves are length and call; a packet without payload only acknowledges.
fn version_1(view: &[u8], payload: Stretch, flags: u16, value: u16) -> Option<Inside> {
    if value != kind::PPP || flags & flag::KEY == 0 || flags & flag::SEQUENCE == 0 {
        return None;
    }
    let length = u32::from(u16_at(view, 4)?);
    let header = if flags & flag::ACKNOWLEDGEMENT == 0 {
        12
    } else {
        16
    };
    if length == 0 || length.saturating_add(header) > payload.on_wire {
        return None;
    }
    let payload = payload.limited(length.saturating_add(header));
    Some(Inside::new(
        Encapsulation::Gre,
        by_type(view, payload, header, kind::PPP)?,
    ))
}

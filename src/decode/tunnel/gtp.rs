//! GTP-U, version 1 (3GPP TS 29.281, 5): user packets of a mobile network.

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::stretch::{Stretch, u8_at, u16_at};
use super::{Inside, routed};

/// Message type of a user packet.
const G_PDU: u8 = 0xff;
/// Most extension headers that are followed.
const MOST_EXTENSIONS: usize = 8;

/// The inside of a user packet: version 1, protocol type GTP, a length that agrees.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let flags = u8_at(view, 0)?;
    if flags & 0xf0 != 0x30 || u8_at(view, 1)? != G_PDU {
        return None;
    }
    let length = u32::from(u16_at(view, 2)?);
    if length.saturating_add(8) > payload.on_wire {
        return None;
    }
    let mut header = 8_u32;
    if flags & 0x07 != 0 {
        header = 12;
        let mut next = u8_at(view, 11)?;
        for _ in 0..MOST_EXTENSIONS {
            if flags & 0x04 == 0 || next == 0 {
                break;
            }
            // Length in units of four, the type of the next one in the last octet (5.2.1).
            let words = u32::from(u8_at(view, header as usize)?);
            if words == 0 {
                return None;
            }
            header = header.saturating_add(words * 4);
            next = u8_at(view, header.checked_sub(1)? as usize)?;
        }
    }
    let payload = payload.limited(length.saturating_add(8));
    Some(Inside::new(
        Encapsulation::Gtpu,
        Step::Ip(routed(view, payload, header)?),
    ))
}

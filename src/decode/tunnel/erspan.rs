//! ERSPAN: a mirror port's frames in GRE (draft-foschiano-erspan-03).

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::stretch::{Stretch, u8_at};
use super::{Inside, bridged};

/// GRE protocol of types I and II; they differ in the sequence number, which only type II has.
pub(super) const TYPE_1_AND_2: u16 = 0x88be;
/// GRE protocol of type III.
pub(super) const TYPE_3: u16 = 0x22eb;

/// Type I: the frame follows GRE directly.
pub(super) fn type_1(view: &[u8], payload: Stretch, header: u32) -> Option<Inside> {
    Some(Inside::new(
        Encapsulation::Erspan1,
        Step::Ethernet(bridged(view, payload, header)?),
    ))
}

/// Type II: version 1 and eight octets.
pub(super) fn type_2(view: &[u8], payload: Stretch, header: u32) -> Option<Inside> {
    if u8_at(view, header as usize)? >> 4 != 1 {
        return None;
    }
    let frame = bridged(view, payload, header.saturating_add(8))?;
    Some(Inside::new(Encapsulation::Erspan2, Step::Ethernet(frame)))
}

/// Type III: version 2 and twelve octets; the last bit of them announces eight more of the platform.
///
/// The bits before it tell an Ethernet frame (P set, type 0 or 2) from an IP packet (type 2).
pub(super) fn type_3(view: &[u8], payload: Stretch, header: u32) -> Option<Inside> {
    if u8_at(view, header as usize)? >> 4 != 2 {
        return None;
    }
    let last = u8_at(view, header.saturating_add(11) as usize)?;
    let length = if last & 1 == 0 { 12 } else { 20 };
    let frame = bridged(view, payload, header.saturating_add(length))?;
    Some(Inside::new(Encapsulation::Erspan3, Step::Ethernet(frame)))
}

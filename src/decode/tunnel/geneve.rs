//! GENEVE (RFC 8926, 3.4).

use crate::model::address::SpaceKind;
use crate::model::segment::Encapsulation;

use super::super::stretch::{Stretch, u8_at, u16_at, u32_at};
use super::{Inside, by_type};

/// The inside of a GENEVE packet: version 0, options of a multiple of four, a protocol type.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let first = u8_at(view, 0)?;
    if first >> 6 != 0 {
        return None;
    }
    let header = 8 + u32::from(first & 0x3f) * 4;
    let step = by_type(view, payload, header, u16_at(view, 2)?)?;
    Some(Inside::new(Encapsulation::Geneve, step).apart(SpaceKind::Vni, u32_at(view, 4)? >> 8))
}

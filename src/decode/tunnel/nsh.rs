//! Network service header (RFC 8300, 2.2).

use crate::model::segment::Encapsulation;

use super::super::stretch::{Stretch, u8_at, u16_at};
use super::super::{Packet, Step};
use super::by_type;
use crate::decode::ethernet::kind;

/// Length of the header in octets: six bits, in words of four.
fn length(view: &[u8]) -> Option<u32> {
    Some(u32::from(u16_at(view, 0)? & 0x3f) * 4)
}

/// Whether such a header can start here: version 0, at least base and service path, a metadata type that exists.
pub(super) fn is_header(view: &[u8], on_wire: u32) -> bool {
    u8_at(view, 0).is_some_and(|first| first >> 6 == 0)
        && length(view).is_some_and(|length| (8..=on_wire).contains(&length))
        && u8_at(view, 2).is_some_and(|metadata| matches!(metadata & 0x0f, 1 | 2))
}

/// Reads the header and what it announces.
pub(in crate::decode) fn header(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let view = packet.view(stretch);
    let step = is_header(view, stretch.on_wire).then(|| {
        let value = match u8_at(view, 3)? {
            1 => kind::IPV4,
            2 => kind::IPV6,
            3 => kind::BRIDGED,
            4 => kind::NSH,
            5 => kind::MPLS,
            _ => return None,
        };
        by_type(view, stretch, length(view)?, value)
    });
    match step.flatten() {
        Some(step) => crate::decode::ethernet::wrapped(packet, Encapsulation::Nsh, step),
        None => packet.give_link(0, kind::NSH, stretch),
    }
}

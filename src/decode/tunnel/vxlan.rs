//! VXLAN (RFC 7348), with group policy bits tolerated, and its generic protocol extension (draft-ietf-nvo3-vxlan-gpe).

use crate::model::address::SpaceKind;
use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::ethernet::kind;
use super::super::stretch::{Stretch, u8_at, u32_at};
use super::{Inside, bridged, by_type};

/// Length of both headers.
const HEADER: u32 = 8;

/// Flags: the network identifier is valid.
const VALID: u8 = 0x08;
/// Flags of the generic form: the next protocol is given.
const HAS_NEXT: u8 = 0x04;

/// The inside of a VXLAN packet.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    // The other bits are reserved and ignored on receipt (RFC 7348, 5); extensions use some of them.
    if u8_at(view, 0)? & VALID == 0 {
        return None;
    }
    let frame = bridged(view, payload, HEADER)?;
    Some(
        Inside::new(Encapsulation::Vxlan, Step::Ethernet(frame)).apart(SpaceKind::Vni, u32_at(view, 4)? >> 8),
    )
}

/// The inside of a packet of the generic form, whose fourth octet names the next protocol.
pub(super) fn generic(view: &[u8], payload: Stretch) -> Option<Inside> {
    let flags = u8_at(view, 0)?;
    if flags & VALID == 0 || flags & 0xc0 != 0 {
        return None;
    }
    let value = match u8_at(view, 3)? {
        _ if flags & HAS_NEXT == 0 => kind::BRIDGED,
        1 => kind::IPV4,
        2 => kind::IPV6,
        3 => kind::BRIDGED,
        4 => kind::NSH,
        5 => kind::MPLS,
        _ => return None,
    };
    let step = by_type(view, payload, HEADER, value)?;
    Some(Inside::new(Encapsulation::Vxlan, step).apart(SpaceKind::Vni, u32_at(view, 4)? >> 8))
}

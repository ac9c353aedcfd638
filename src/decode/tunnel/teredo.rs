//! Teredo (RFC 4380, 5.1.1): IPv6 in UDP, with an authentication and an origin indication in front of it at times.

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::stretch::{Stretch, array, u8_at, u16_at};
use super::{Inside, routed};

/// Prefix of Teredo addresses, 2001::/32 (RFC 4380, 2.6).
const PREFIX: [u8; 4] = [0x20, 0x01, 0, 0];

/// The IPv6 packet inside. One of its addresses must be Teredo's, or link-local as in router solicitations.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let mut header = 0_u32;
    if u16_at(view, 0)? == 0x0001 {
        // Authentication: lengths of identifier and value, both, then nonce (8) and confirmation (1).
        let (identifier, value) = (u8_at(view, 2)?, u8_at(view, 3)?);
        header = 13 + u32::from(identifier) + u32::from(value);
    }
    if u16_at(view, header as usize)? == 0x0000 {
        header = header.saturating_add(8);
    }
    let at = header as usize;
    if u8_at(view, at)? >> 4 != 6 {
        return None;
    }
    let inner = routed(view, payload, header)?;
    let is_expected = |address: [u8; 16]| {
        address.starts_with(&PREFIX)
            || (address.first() == Some(&0xfe) && address.get(1).is_some_and(|octet| octet & 0xc0 == 0x80))
    };
    let source = array::<16>(view, at.saturating_add(8))?;
    let destination = array::<16>(view, at.saturating_add(24))?;
    (is_expected(source) || is_expected(destination))
        .then_some(Inside::new(Encapsulation::Teredo, Step::Ip(inner)))
}

//! `L2TPv2` data packets (RFC 2661, 3.1) with PPP inside.

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::network::is_ip;
use super::super::serial::{is_ppp, ppp_header, protocol};
use super::super::stretch::{Stretch, u16_at};
use super::Inside;

/// Bits of the first two octets.
mod flag {
    pub(super) const CONTROL: u16 = 0x8000;
    pub(super) const LENGTH: u16 = 0x4000;
    pub(super) const SEQUENCE: u16 = 0x0800;
    pub(super) const OFFSET: u16 = 0x0200;
    pub(super) const RESERVED: u16 = 0x34f0;
    pub(super) const VERSION: u16 = 0x000f;
}

/// The PPP packet inside.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let flags = u16_at(view, 0)?;
    if flags & (flag::CONTROL | flag::RESERVED) != 0 || flags & flag::VERSION != 2 {
        return None;
    }
    let mut payload = payload;
    let mut header = 2_u32;
    if flags & flag::LENGTH != 0 {
        let length = u32::from(u16_at(view, 2)?);
        if length > payload.on_wire {
            return None;
        }
        payload = payload.limited(length);
        header = 4;
    }
    // Tunnel and session.
    header = header.saturating_add(4);
    if flags & flag::SEQUENCE != 0 {
        header = header.saturating_add(4);
    }
    if flags & flag::OFFSET != 0 {
        let padding = u32::from(u16_at(view, header as usize)?);
        header = header.saturating_add(2).saturating_add(padding);
    }
    let inner = payload.after(header)?;
    let ppp = inner.captured as usize;
    let ppp = view.get(header as usize..)?.get(..ppp)?;
    let (value, skipped) = ppp_header(ppp)?;
    let is_plausible = match value {
        protocol::IPV4 | protocol::IPV6 => is_ip(
            ppp.get(skipped as usize..)?,
            inner.on_wire.saturating_sub(skipped),
        ),
        _ => is_ppp(ppp),
    };
    is_plausible.then_some(Inside::new(Encapsulation::L2tp, Step::Ppp(inner)))
}

//! TZSP: frames that a remote sensor or router sends (TaZmen Sniffer Protocol; MikroTik's sniffer).

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::stretch::{Stretch, u8_at, u16_at};
use super::{Inside, bridged};

/// Most tagged fields that are passed over.
const MOST_TAGS: usize = 64;

/// The frame inside: version 1, a received (0) or transmitted (1) packet, the kind of frame, tags, the frame.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    if u8_at(view, 0)? != 1 || u8_at(view, 1)? > 1 {
        return None;
    }
    let kind = u16_at(view, 2)?;
    let mut at = 4_usize;
    let mut ended = false;
    for _ in 0..MOST_TAGS {
        match u8_at(view, at)? {
            END => {
                at = at.saturating_add(1);
                ended = true;
                break;
            }
            PADDING => at = at.saturating_add(1),
            _ => {
                let length = u8_at(view, at.saturating_add(1))?;
                at = at.saturating_add(2).saturating_add(usize::from(length));
            }
        }
    }
    if !ended {
        return None;
    }
    let header = u32::try_from(at).ok()?;
    let step = match kind {
        1 => Step::Ethernet(bridged(view, payload, header)?),
        // 802.11: version 0 of its protocol, and a data, control or management frame.
        18 => {
            let inner = payload.after(header)?;
            if inner.captured < 24 || u8_at(view, at)? & 0x03 != 0 {
                return None;
            }
            Step::Dot11(inner)
        }
        _ => return None,
    };
    Some(Inside::new(Encapsulation::Tzsp, step))
}

//! IP directly in IP: RFC 2003, RFC 2473, RFC 4213.

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::stretch::{Stretch, u8_at};
use super::{Inside, routed};

/// The inner packet; its own version says what the tunnel is, whichever number announced it.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let inner = routed(view, payload, 0)?;
    let encapsulation = match u8_at(view, 0)? >> 4 {
        6 => Encapsulation::Sixin4,
        _ => Encapsulation::Ipip,
    };
    Some(Inside::new(encapsulation, Step::Ip(inner)))
}

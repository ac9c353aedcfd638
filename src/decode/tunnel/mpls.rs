//! MPLS labels (RFC 3032), and Ethernet pseudo-wires under them with or without a control word (RFC 4448).
//!
//! Labels do not say what they carry. The first four bits tell IP from a control word; a frame without a control word
//! may begin like IP, so lengths decide.

use crate::model::segment::{Encapsulation, segment_flag};

use super::super::ethernet::{kind, wrapped};
use super::super::network::is_ip;
use super::super::stretch::{Stretch, u8_at};
use super::super::{Packet, Step};
use super::{Inside, is_ethernet};

/// Most labels that are passed over.
const MOST_LABELS: u32 = 16;

/// Length of the label stack, to the entry whose "bottom of stack" bit is set.
fn stack_length(view: &[u8]) -> Option<u32> {
    for entry in 1..=MOST_LABELS {
        let last = u8_at(view, (entry * 4 - 2) as usize)?;
        if last & 1 == 1 {
            return Some(entry * 4);
        }
    }
    None
}

/// Whether a label stack that ends stands here.
pub(super) fn has_end(view: &[u8]) -> bool {
    stack_length(view).is_some()
}

/// Whether labels stand here with something under them that is understood.
pub(super) fn is_labelled(view: &[u8], stretch: Stretch) -> bool {
    stack_length(view)
        .and_then(|length| under(view, stretch, length))
        .is_some()
}

/// Labels directly in IP (RFC 4023).
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let (step, is_bridged) = under(view, payload, stack_length(view)?)?;
    let encapsulation = if is_bridged {
        Encapsulation::EthernetPseudowire
    } else {
        Encapsulation::Mpls
    };
    Some(Inside::new(encapsulation, step))
}

/// What stands under the labels: IP, or a frame with (four octets) or without a control word.
fn under(view: &[u8], stretch: Stretch, length: u32) -> Option<(Step, bool)> {
    let inner = stretch.after(length)?;
    let rest = view.get(length as usize..)?;
    if is_ip(rest, inner.on_wire) {
        return Some((Step::Ip(inner), false));
    }
    if u8_at(rest, 0).is_some_and(|first| first >> 4 == 0)
        && is_ethernet(rest.get(4..)?, inner.on_wire.saturating_sub(4))
    {
        return Some((Step::Ethernet(inner.after(4)?), true));
    }
    is_ethernet(rest, inner.on_wire).then_some((Step::Ethernet(inner), true))
}

/// Reads labels and goes on with what they carry.
pub(in crate::decode) fn labels(packet: &mut Packet<'_>, stretch: Stretch) -> Step {
    let view = packet.view(stretch);
    let Some(length) = stack_length(view) else {
        return packet.give_up("MPLS label stacks without an end");
    };
    let inner = stretch.after_or_end(length);
    // Nothing fits exactly: IP whose length disagrees (cut by a tool that kept no length on the wire) is the likeliest.
    let looks_like_ip =
        u8_at(inner.of(packet.bytes), 0).is_some_and(|first| matches!(first, 0x45..=0x4f | 0x60..=0x6f));
    let (step, is_bridged) = match under(view, stretch, length) {
        Some(found) => found,
        None if looks_like_ip => (Step::Ip(inner), false),
        None => return packet.give_link(0, kind::MPLS, inner),
    };
    if !is_bridged {
        return wrapped(packet, Encapsulation::Mpls, step);
    }
    // The inner frame has addresses of its own; those of the provider's link say nothing of its stations.
    packet.base.flags &= !segment_flag::HAS_MAC;
    if !packet.wrap(Encapsulation::Mpls) {
        return Step::Done;
    }
    wrapped(packet, Encapsulation::EthernetPseudowire, step)
}

//! Asking dissectors whose a payload is, and what is kept of payloads that are nobody's.

use super::openings::fitting;
use super::{Inspection, PAYLOAD_TO_CLIENT, PAYLOAD_TO_SERVER, dissector};
use crate::dissect::{DATAGRAM_PREFIX, Head, Input, Probe, Seen};
use crate::model::fact::{Facts, Side, Value};

/// Bytes of an unclaimed first payload that are kept.
const PAYLOAD_PREFIX: usize = 64;

/// Whose a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This dissector's.
    Claimed(u8),
    /// Nobody's yet; somebody waits for more.
    Waiting,
    /// Nobody's.
    Nobody,
}

/// Asks the open dissectors in order, but for those of whom it is known that they would say No. With `again` a No does not close the
/// door: it was about this datagram.
pub(super) fn ask(open: &mut u64, head: &Head<'_>, again: bool) -> Verdict {
    let fitting = fitting(head);
    let mut rest = *open & fitting;
    let mut is_waiting = false;
    while rest != 0 {
        let number = rest.trailing_zeros();
        rest &= rest.wrapping_sub(1);
        let number = u8::try_from(number).unwrap_or(0);
        let Some(dissector) = dissector(number) else {
            continue;
        };
        match dissector.probe(head) {
            Probe::Yes => {
                if !again {
                    *open &= fitting | u64::MAX << number;
                }
                return Verdict::Claimed(number);
            }
            Probe::Wait => is_waiting = true,
            Probe::No if again => {}
            Probe::No => *open &= !(1u64 << number),
        }
    }
    if !again {
        *open &= fitting;
    }
    if is_waiting {
        Verdict::Waiting
    } else {
        Verdict::Nobody
    }
}

/// Keeps the beginning of a datagram for probes that wait.
pub(super) fn remember(input: &Input<'_>) -> Seen {
    let mut bytes = [0; DATAGRAM_PREFIX];
    let length = input.bytes.len().min(DATAGRAM_PREFIX);
    for (to, from) in bytes.iter_mut().zip(input.bytes) {
        *to = *from;
    }
    Seen {
        side: input.side,
        length_on_wire: input.length_on_wire,
        length: u8::try_from(length).unwrap_or(0),
        bytes,
    }
}

/// Says the first payload of a side that nobody claimed.
pub(super) fn say_payload(inspection: &mut Inspection, input: &Input<'_>, facts: &mut Facts<'_>) {
    let Some(said) = inspection.said_payload.get_mut(input.side.index()) else {
        return;
    };
    if *said || input.bytes.is_empty() {
        return;
    }
    *said = true;
    let field = if input.side == Side::Client {
        &PAYLOAD_TO_SERVER
    } else {
        &PAYLOAD_TO_CLIENT
    };
    let bytes = input
        .bytes
        .get(..input.bytes.len().min(PAYLOAD_PREFIX))
        .unwrap_or_default();
    facts.say(
        field,
        &Value::Bytes {
            bytes,
            on_wire: input.length_on_wire,
        },
    );
}

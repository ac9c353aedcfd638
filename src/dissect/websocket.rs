//! WebSocket (RFC 6455) after its opening handshake: what the first data frames of both sides begin with.
//!
//! Reached only through HTTP, which says path and subprotocol; the frames tell what is carried, such as a screen protocol.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Octets of a message that are said.
const BEGINNING: usize = 64;

/// Beginning of the first data frame that the client sends, unmasked.
pub const TO_SERVER: Field = Field::of_flow("websocket.to_server");
/// Beginning of the first data frame that the server sends.
pub const TO_CLIENT: Field = Field::of_flow("websocket.to_client");

/// WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct WebSocket;

impl Dissector for WebSocket {
    fn name(&self) -> &'static str {
        "websocket"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&TO_SERVER, &TO_CLIENT]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, _: &Head<'_>) -> Probe {
        // Frames have no mark of their own; HTTP hands over.
        Probe::No
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Frames>::default()
    }
}

/// What is left of the frame at hand, and whether the first data frame was said, for both sides.
#[derive(Debug, Default)]
struct Frames {
    left: [u64; 2],
    said: [bool; 2],
}

/// A frame's header (RFC 6455, 5.2).
struct Header {
    is_control: bool,
    length: u64,
    mask: Option<[u8; 4]>,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let first = cursor.u8()?;
        let second = cursor.u8()?;
        let length = match second & 0x7f {
            126 => u64::from(cursor.u16()?),
            127 => cursor.u64()?,
            length => u64::from(length),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            Some(cursor.array()?)
        };
        Some(Self {
            is_control: first & 0x08 != 0,
            length,
            mask,
        })
    }
}

impl Dissection for Frames {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap {
            return Next::Done;
        }
        let [left, other_left] = &mut self.left;
        let [said, other_said] = &mut self.said;
        let (left, said, field) = match input.side {
            Side::Client => (left, said, &TO_SERVER),
            Side::Server => (other_left, other_said, &TO_CLIENT),
        };
        let mut cursor = Cursor::new(input.bytes);
        loop {
            let passed = cursor.take_up_to(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(u64::try_from(passed.len()).unwrap_or(u64::MAX));
            let mut ahead = cursor.clone();
            let Some(header) = Header::read(&mut ahead) else {
                break;
            };
            if !header.is_control && header.length > 0 && !*said {
                let wanted = BEGINNING.min(usize::try_from(header.length).unwrap_or(usize::MAX));
                let Some(payload) = ahead.clone().take(wanted) else {
                    break;
                };
                say_beginning(field, payload, header.mask, facts);
                *said = true;
            }
            *left = header.length;
            cursor = ahead;
        }
        if self.said == [true, true] {
            return Next::Done;
        }
        Next::More(cursor.position())
    }
}

fn say_beginning(field: &Field, payload: &[u8], mask: Option<[u8; 4]>, facts: &mut Facts<'_>) {
    let mut beginning = [0_u8; BEGINNING];
    let mask = mask.unwrap_or_default();
    for ((place, octet), mask) in beginning.iter_mut().zip(payload).zip(mask.iter().cycle()) {
        *place = octet ^ mask;
    }
    facts.bytes(field, beginning.get(..payload.len()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, played, said_in_stream};
    use crate::model::fact::Side::{Client, Server};

    // A ping, then the examples of RFC 6455, 5.7: "Hello" masked and in the clear.
    const MASKED: &[u8] = b"\x89\x80\x01\x02\x03\x04\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    const CLEAR: &[u8] = b"\x81\x05Hello\x81\x01";

    #[test]
    fn the_first_data_frames_are_said_unmasked() {
        let (said, next) = played(&WebSocket, &[(Client, MASKED), (Server, CLEAR)]);
        assert_eq!(
            said,
            ["websocket.to_server=48656c6c6f", "websocket.to_client=48656c6c6f"]
        );
        assert_eq!(next, Next::Done);
    }

    #[test]
    fn frames_are_found_however_the_stream_is_cut() {
        for cut in 0..MASKED.len() {
            let (head, tail) = MASKED.split_at(cut);
            let said = said_in_stream(&WebSocket, &[(Client, head), (Client, tail)]);
            assert_eq!(said, ["websocket.to_server=48656c6c6f"], "cut at {cut}");
        }
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&WebSocket, MASKED);
    }
}

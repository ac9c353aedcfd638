//! RustDesk: the rendezvous with its server (UDP and TCP 21116, TCP 21115), the request at a relay (TCP 21117), the opening
//! of a session (relay, or directly on 21118) and discovery on the local network (UDP 21119).
//!
//! The messages are protobuf in the clear unless the server demands a key over TCP. Ports are settings of private servers,
//! so the bytes decide: one outer field of a known number that fills the datagram or frame, and inside it only fields of
//! that message with their types.
//!
//! Facts from the open-source programs' message definitions; **no real capture was at hand**, the tests are built from the field
//! numbers. Newer servers may add fields, which makes a message foreign here; the next message then decides.
//!
//! Who is who: the flow's client is a machine with RustDesk. Over UDP a server tells it about somebody who wants in
//! (`rustdesk.controller`, decoded from the mangled address; the flow's client is `controlled`). Over TCP the
//! machine that asks for another's identifier is the `controller`.

mod message;
mod socket_address;

use self::message::{Fields, Message, framed, length_delimited};
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Kind of a rendezvous message, each once: `register-peer`, `punch-hole`, …
pub const MESSAGE: Field = Field::of_flow("rustdesk.message");
/// Identifier of the machine that registers or opens a session as the controlled one.
pub const ID: Field = Field::of_flow("rustdesk.id");
/// Identifier of the machine that is asked for.
pub const TARGET_ID: Field = Field::of_flow("rustdesk.target_id");
/// Address from which the controller reached the server.
pub const CONTROLLER: Field = Field::of_flow("rustdesk.controller");
/// Address under which the controlled machine is reached, as the controller learns it.
pub const CONTROLLED: Field = Field::of_flow("rustdesk.controlled");
/// Relay that both sides shall use.
pub const RELAY: Field = Field::of_flow("rustdesk.relay");
/// Identifier that both legs of a relayed session share.
pub const UUID: Field = Field::of_flow("rustdesk.uuid");
/// What the flow's client is: `registered`, `controlled`, `controller`.
pub const ROLE: Field = Field::of_flow("rustdesk.role");
/// Version of the program, where a message says it.
pub const VERSION: Field = Field::of_flow("rustdesk.version");
/// Host name in an answer to discovery.
pub const HOST_NAME: Field = Field::of_event("rustdesk.host_name");
/// Link address in an answer to discovery, as text.
pub const MAC: Field = Field::of_event("rustdesk.mac");
/// User name in an answer to discovery.
pub const USER: Field = Field::of_event("rustdesk.user");
/// Operating system in an answer to discovery.
pub const PLATFORM: Field = Field::of_event("rustdesk.platform");

/// Ports of the public servers and of servers with the settings they come with.
const PORTS: [u16; 5] = [21_115, 21_116, 21_117, 21_118, 21_119];
/// Bytes that a frame of the rendezvous may have; messages stay far below.
const LARGEST_FRAME: usize = 4 << 10;
/// Frames that are looked at in one stream.
const MOST_FRAMES: u8 = 16;

/// Recognises RustDesk.
pub struct RustDesk;

impl Dissector for RustDesk {
    fn name(&self) -> &'static str {
        "rustdesk"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &MESSAGE,
            &ID,
            &TARGET_ID,
            &CONTROLLER,
            &CONTROLLED,
            &RELAY,
            &UUID,
            &ROLE,
            &VERSION,
            &HOST_NAME,
            &MAC,
            &USER,
            &PLATFORM,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp, Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let is_home = PORTS.iter().any(|port| head.has_port(*port));
        if head.layer == Layer::Udp {
            let length = u32::try_from(head.newest().len()).unwrap_or(u32::MAX);
            return match Message::read(head.newest()) {
                Some(message) if length == head.length_on_wire && (message.is_telling() || is_home) => {
                    Probe::Yes
                }
                _ => Probe::No,
            };
        }
        let mut answer = Probe::No;
        for bytes in [head.to_server, head.to_client] {
            match framed(bytes) {
                Some(frame) if frame.length > LARGEST_FRAME => {}
                Some(frame) => match frame.body {
                    Some(body) if signed_id(body).is_some() => return Probe::Yes,
                    Some(body) => match Message::read(body) {
                        Some(message) if message.is_telling() || is_home => return Probe::Yes,
                        _ => {}
                    },
                    // The tag alone refuses most of what is not it.
                    None if Message::may_begin(frame.beginning) => answer = Probe::Wait,
                    None => {}
                },
                None if !bytes.is_empty() => answer = Probe::Wait,
                None => {}
            }
        }
        answer
    }

    fn opening(&self) -> Opening {
        // One field with octets, whose key has the type in its low bits.
        Opening::with(|first| first & 7 == 2)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Rendezvous::default())
    }

    fn follows(&self) -> bool {
        // A request to take control may come hours after the registration, on the same flow.
        true
    }
}

/// Identifier in the signed greeting with which a controlled machine opens a session: field 3 of the session's messages,
/// holding a signature of 64 octets and then identifier (1) and public key of 32 octets (2).
fn signed_id(body: &[u8]) -> Option<&[u8]> {
    const SIGNATURE: usize = 64;
    let greeting = length_delimited(body, 3)?;
    let signed = length_delimited(greeting, 1)?;
    let mut fields = Fields::new(signed.get(SIGNATURE..)?);
    let id = fields.next()?.octets(1)?;
    let key = fields.next()?.octets(2)?;
    (key.len() == 32 && message::is_id(id)).then_some(id)
}

#[derive(Default)]
struct Rendezvous {
    /// Kinds that were said, one bit for each field number.
    said: u32,
    roles: u8,
    frames: u8,
    /// Hash-free memory of the last controller, so that a repeated telling is said once.
    last_controller: Option<(std::net::IpAddr, u16)>,
}

impl Dissection for Rendezvous {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if let Some(message) = Message::read(input.bytes) {
            self.take(&message, input.side, false, facts);
            return Next::More(input.bytes.len());
        }
        let mut rest = input.bytes;
        while self.frames < MOST_FRAMES && !input.after_gap {
            let Some(frame) = framed(rest).filter(|frame| frame.length <= LARGEST_FRAME) else {
                break;
            };
            let Some(body) = frame.body else {
                return Next::More(input.bytes.len().saturating_sub(rest.len()));
            };
            self.frames = self.frames.saturating_add(1);
            rest = frame.after;
            if let Some(id) = signed_id(body) {
                facts.text(&ID, id);
                // The session is encrypted from here.
                return Next::Done;
            }
            match Message::read(body) {
                Some(message) => self.take(&message, input.side, true, facts),
                None => return Next::Done,
            }
        }
        if self.frames >= MOST_FRAMES || input.after_gap {
            Next::Done
        } else {
            Next::More(input.bytes.len().saturating_sub(rest.len()))
        }
    }
}

impl Rendezvous {
    fn role(&mut self, bit: u8, name: &str, facts: &mut Facts<'_>) {
        if self.roles & bit == 0 {
            self.roles |= bit;
            facts.text(&ROLE, name.as_bytes());
        }
    }

    fn take(&mut self, message: &Message<'_>, side: Side, is_stream: bool, facts: &mut Facts<'_>) {
        let bit = 1_u32.checked_shl(u32::from(message.number)).unwrap_or(0);
        let is_new = self.said & bit == 0;
        self.said |= bit;
        if is_new {
            facts.text(&MESSAGE, message.kind.name.as_bytes());
        }
        let field = |number: u8| {
            message
                .fields()
                .find_map(|field| field.octets(number))
                .unwrap_or_default()
        };
        match (message.kind.name, side) {
            ("register-peer" | "register-pk", Side::Client) if is_new => {
                facts.text(&ID, field(1));
                self.role(1, "registered", facts);
            }
            ("punch-hole" | "fetch-local-addr", Side::Server) => {
                self.controller(field(1), facts);
                facts.text(&RELAY, field(2));
            }
            ("request-relay", Side::Server) => {
                self.controller(field(3), facts);
                facts.text(&RELAY, field(4));
                facts.text(&UUID, field(2));
            }
            // The controller names whom it wants; the controlled side only repeats the session's identifier.
            ("request-relay", Side::Client) => {
                facts.text(&TARGET_ID, field(1));
                facts.text(&RELAY, field(4));
                facts.text(&UUID, field(2));
                let (bit, name) = if field(1).is_empty() {
                    (2, "controlled")
                } else {
                    (4, "controller")
                };
                if is_stream {
                    self.role(bit, name, facts);
                }
            }
            ("punch-hole-request", Side::Client) => {
                facts.text(&TARGET_ID, field(1));
                facts.text(&VERSION, field(6));
                self.role(4, "controller", facts);
            }
            ("punch-hole-sent", Side::Client) => {
                self.controller(field(1), facts);
                facts.text(&ID, field(2));
                facts.text(&RELAY, field(3));
                facts.text(&VERSION, field(5));
            }
            ("local-addr", Side::Client) => {
                self.controller(field(1), facts);
                facts.text(&RELAY, field(3));
                facts.text(&ID, field(4));
                facts.text(&VERSION, field(5));
            }
            ("relay-response", Side::Client) => {
                self.controller(field(1), facts);
                facts.text(&UUID, field(2));
                facts.text(&RELAY, field(3));
            }
            ("punch-hole-response" | "relay-response", Side::Server) => {
                if let Some((ip, port)) = socket_address::decode(field(1)) {
                    facts.endpoint(&CONTROLLED, ip, port);
                }
                let is_relayed = message.kind.name == "relay-response";
                facts.text(&RELAY, field(if is_relayed { 3 } else { 4 }));
                if is_relayed {
                    facts.text(&UUID, field(2));
                }
                self.role(4, "controller", facts);
            }
            ("peer-discovery", _) => {
                facts.text(&MAC, field(2));
                facts.text(&ID, field(3));
                facts.text(&USER, field(4));
                facts.text(&HOST_NAME, field(5));
                facts.text(&PLATFORM, field(6));
            }
            _ => {}
        }
    }

    /// Says the controller's address and that the flow's client is the controlled machine.
    fn controller(&mut self, mangled: &[u8], facts: &mut Facts<'_>) {
        let Some(found) = socket_address::decode(mangled) else {
            return;
        };
        if self.last_controller != Some(found) {
            self.last_controller = Some(found);
            facts.endpoint(&CONTROLLER, found.0, found.1);
        }
        self.role(2, "controlled", facts);
    }
}

#[cfg(test)]
mod tests;

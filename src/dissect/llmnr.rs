//! Link-local multicast name resolution (RFC 4795): what Windows machines ask their neighbours, and who answers.

use super::dns::answers::address;
use super::dns::message::{CLASS_IN, Message, OPCODE_QUERY, Section};
use super::dns::name::{Case, Name};
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of LLMNR.
const PORT: u16 = 5355;

/// A name that the sender looks for.
pub const QUERY: Field = Field::of_event("llmnr.query");
/// A name that the sender answers to, and its address.
pub const HOST: Field = Field::of_event("llmnr.host");

/// Link-local multicast name resolution.
#[derive(Clone, Copy, Debug)]
pub struct Llmnr;

impl Dissector for Llmnr {
    fn name(&self) -> &'static str {
        "llmnr"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&QUERY, &HOST]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        Probe::when(head.has_port(PORT) && is_llmnr(head.newest()))
    }

    fn opening(&self) -> Opening {
        Opening::on(&[PORT])
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Messages)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Exactly one question, opcode zero, and the four reserved bits zero (RFC 4795, 2.1.1).
fn is_llmnr(bytes: &[u8]) -> bool {
    Message::read(bytes).is_some_and(|message| {
        message.header.opcode() == OPCODE_QUERY
            && message.header.questions() == 1
            && message.header.flags & 0x00f0 == 0
            && message
                .items()
                .next()
                .is_some_and(|question| question.class == CLASS_IN)
    })
}

/// Without state: every message stands alone.
struct Messages;

impl Dissection for Messages {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let Some(message) = Message::read(input.bytes) else {
            return Next::More(0);
        };
        let is_response = message.header.is_response();
        for item in message.items() {
            let Some(name) = Name::read(message.bytes, item.name_at, Case::Lower) else {
                break;
            };
            match item.section {
                Section::Question if !is_response => facts.text(&QUERY, name.text()),
                Section::Answer if is_response => {
                    if let Some(address) = address(&item) {
                        facts.answer(&HOST, name.text(), address, item.lifetime);
                    }
                }
                Section::Question | Section::Answer | Section::Authority | Section::Additional => {}
            }
        }
        Next::More(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
    use crate::model::fact::Side::{Client, Server};

    const QUERY_BYTES: &[u8] = b"\x51\x5a\0\0\0\x01\0\0\0\0\0\0\x08DESKTOP7\0\0\x01\0\x01";
    const RESPONSE: &[u8] = b"\x51\x5a\x80\0\0\x01\0\x01\0\0\0\0\x08DESKTOP7\0\0\x01\0\x01\
        \x08DESKTOP7\0\0\x01\0\x01\0\0\0\x1e\0\x04\x0a\0\0\x07";

    #[test]
    fn a_question_names_what_is_sought_and_an_answer_the_host() {
        assert_eq!(
            said(&Llmnr, &[(Client, QUERY_BYTES), (Server, RESPONSE)]),
            ["llmnr.query=desktop7", "llmnr.host=desktop7 10.0.0.7 30"]
        );
    }

    #[test]
    fn another_port_or_reserved_bits_are_another_protocol() {
        assert_eq!(probe_datagram(&Llmnr, 5_355, QUERY_BYTES), Probe::Yes);
        assert_eq!(probe_datagram(&Llmnr, 5_356, QUERY_BYTES), Probe::No);
        let mut changed = QUERY_BYTES.to_vec();
        changed[3] = 0x80;
        assert_eq!(probe_datagram(&Llmnr, 5_355, &changed), Probe::No);
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&Llmnr, RESPONSE);
    }
}

//! DNS over UDP and TCP (RFC 1035), with service bindings (RFC 9460) and dynamic updates (RFC 2136).
//!
//! Recognised on port 53, and elsewhere when every bit that must be zero is zero and the message ends where it says.

pub(crate) mod answers;
pub mod message;
pub mod name;
pub mod own_address;

use self::answers::say_answers;
use self::message::{CLASS_IN, Header, Item, Message, OPCODE_QUERY, OPCODE_UPDATE, Section};
use self::name::{Case, Name};
use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Port of DNS servers.
const PORT: u16 = 53;
/// Port of LLMNR, over TCP too.
const LLMNR_PORT: u16 = 5355;

/// Questions of one flow that are remembered until their answers come.
const MOST_UNANSWERED: usize = 8;

/// First question of the flow.
pub const NAME: Field = Field::of_flow("dns.name");
/// A name asked for. Said for every question; for one that is repeated in a response only if the query was not seen.
pub const QUERY: Field = Field::of_event("dns.query");
/// Type of the question said directly before (IANA number).
pub const QTYPE: Field = Field::of_event("dns.qtype");
/// The name asked for, an address it has, and the lowest lifetime along the aliases between them.
pub const ANSWER: Field = Field::of_event("dns.answer");
/// A name that an alias leads to.
pub const CNAME: Field = Field::of_event("dns.cname");
/// A name that reverse resolution gave for an address.
pub const PTR: Field = Field::of_event("dns.ptr");
/// An address that a host registers for a name of its own by dynamic update.
pub const UPDATE: Field = Field::of_event("dns.update");
/// Response code other than zero; the name asked for follows as [`FAILED`].
pub const RCODE: Field = Field::of_event("dns.rcode");
/// The name for which the response code said directly before was given.
pub const FAILED: Field = Field::of_event("dns.failed");
/// A name whose service binding carries a configuration for encrypted client hellos (RFC 9848).
pub const ECH: Field = Field::of_event("dns.ech");

/// DNS in datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Dns;

/// DNS in a stream, each message behind its length (RFC 1035, 4.2.2). Of the same name and fields as [`Dns`]: a
/// dissection is not told what it stands on, so each transport has its own.
#[derive(Clone, Copy, Debug)]
pub struct DnsOverTcp;

impl Dissector for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &NAME,
            &QUERY,
            &QTYPE,
            &ANSWER,
            &CNAME,
            &PTR,
            &UPDATE,
            &RCODE,
            &FAILED,
            &ECH,
            &own_address::OWN_ADDRESS,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let cut = usize::try_from(head.length_on_wire).is_ok_and(|length| length > head.newest().len());
        let recognised = if head.has_port(PORT) {
            is_plausible(head.newest(), cut)
        } else {
            is_certain(head.newest())
        };
        if recognised { Probe::Yes } else { Probe::No }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Datagrams>::default()
    }

    fn resume(&self) -> Box<dyn Dissection> {
        Box::new(Datagrams(Conversation {
            named: true,
            ..Conversation::default()
        }))
    }

    fn follows(&self) -> bool {
        true
    }
}

impl Dissector for DnsOverTcp {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.has_port(LLMNR_PORT) {
            // Of the same form, but its names are the neighbours' (RFC 4795, 2.4).
            return Probe::No;
        }
        probe_stream(head)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Stream>::default()
    }

    fn follows(&self) -> bool {
        true
    }
}

fn probe_stream(head: &Head<'_>) -> Probe {
    let stream = if head.to_server.is_empty() {
        head.to_client
    } else {
        head.to_server
    };
    let mut cursor = Cursor::new(stream);
    let (Some(length), Some(header)) = (cursor.u16(), Header::read(cursor.rest())) else {
        // What is there must fit for the wait to be worth it; two octets of length say nothing off the port.
        return if head.has_port(PORT) && stream.len() < 2 + message::HEADER_LENGTH {
            Probe::Wait
        } else {
            Probe::No
        };
    };
    let length = usize::from(length);
    if !header.could_fit(length) || !is_sane(&header) {
        return Probe::No;
    }
    let first = cursor.take_up_to(length);
    let cut = first.len() < length;
    let recognised = if head.has_port(PORT) {
        is_plausible(first, cut)
    } else if cut {
        // A large answer off the port: its own question is looked at once it is whole.
        return Probe::Wait;
    } else {
        is_certain(first)
    };
    if recognised { Probe::Yes } else { Probe::No }
}

/// What any DNS message fulfils: a known opcode, an assigned response code, the reserved bit zero.
fn is_sane(header: &Header) -> bool {
    header.opcode() <= 6
        && header.opcode() != 3
        && header.rcode() <= 11
        && !(header.opcode() == OPCODE_QUERY && header.questions() > 16)
}

/// Test for port 53: a sane header, and names that are names as far as the bytes reach.
fn is_plausible(bytes: &[u8], cut: bool) -> bool {
    let Some(message) = Message::read(bytes) else {
        return false;
    };
    if !is_sane(&message.header) || !(cut || message.header.could_fit(bytes.len())) {
        return false;
    }
    let mut items = message.items();
    match items.next() {
        Some(first) => !is_class_absurd(&first),
        // Nothing promised at all: refusals and notes without a question exist.
        None => cut || (!items.is_broken() && message.header.is_response()),
    }
}

fn is_class_absurd(item: &Item<'_>) -> bool {
    item.section == Section::Question && !matches!(item.class, 1..=4 | 254 | 255)
}

/// Test for other ports: one question of a known kind and class, and not one octet more or less than promised.
fn is_certain(bytes: &[u8]) -> bool {
    let Some(message) = Message::read(bytes) else {
        return false;
    };
    let header = message.header;
    let [questions, answers, authorities, additional] = header.counts;
    let shape = if header.is_response() {
        answers <= 512 && authorities <= 64 && additional <= 64
    } else {
        // AD and CD may be set in queries; AA, TC, RA and a response code may not.
        header.flags & 0x068f == 0 && answers == 0 && authorities == 0 && additional <= 2
    };
    if header.opcode() != OPCODE_QUERY || questions != 1 || !shape {
        return false;
    }
    if header.reserved_bit() || header.rcode() > 5 || !header.could_fit(bytes.len()) {
        return false;
    }
    let Some(question) = message.items().next() else {
        return false;
    };
    let known = matches!(question.kind, 1..=65 | 99 | 249..=258);
    known
        && matches!(question.class, CLASS_IN | 3 | 255)
        && question.name_at.saturating_add(1) < bytes.len()
        && Name::read(bytes, question.name_at, Case::Lower).is_some_and(|name| is_legible(name.text()))
        && message.is_whole()
}

/// Whether a name consists of what names consist of, so that chance cannot make one.
fn is_legible(name: &[u8]) -> bool {
    name.len() > 2 && name.iter().all(u8::is_ascii_graphic)
}

/// A flow of datagrams.
#[derive(Debug, Default)]
struct Datagrams(Conversation);

impl Dissection for Datagrams {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        self.0.take(input.bytes, facts);
        Next::More(0)
    }

    fn may_rest(&self) -> bool {
        self.0.named && self.0.asked == [None; MOST_UNANSWERED]
    }
}

/// A stream of messages behind their lengths.
#[derive(Debug, Default)]
struct Stream(Conversation);

impl Dissection for Stream {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap {
            return Next::Done;
        }
        let mut cursor = Cursor::new(input.bytes);
        let mut consumed = 0;
        while let Some(message) = cursor.prefixed_u16() {
            self.0.take(message, facts);
            consumed = cursor.position();
        }
        Next::More(consumed)
    }
}

/// State of one flow: what was asked and is not answered yet.
#[derive(Debug, Default)]
struct Conversation {
    named: bool,
    asked: [Option<u16>; MOST_UNANSWERED],
    next: usize,
}

impl Conversation {
    fn take(&mut self, bytes: &[u8], facts: &mut Facts<'_>) {
        let Some(message) = Message::read(bytes) else {
            return;
        };
        match message.header.opcode() {
            OPCODE_QUERY if is_sane(&message.header) => {
                self.say_questions(&message, facts);
                if message.header.is_response() {
                    say_rcode(&message, facts);
                    say_answers(&message, facts);
                    own_address::say(&message, facts);
                }
            }
            OPCODE_UPDATE if !message.header.is_response() => say_update(&message, facts),
            _ => {}
        }
    }

    fn say_questions(&mut self, message: &Message<'_>, facts: &mut Facts<'_>) {
        let repeated = message.header.is_response() && self.was_asked(message.header.id);
        if !message.header.is_response() {
            if let Some(place) = self.asked.get_mut(self.next) {
                *place = Some(message.header.id);
            }
            self.next = self.next.wrapping_add(1) % MOST_UNANSWERED;
        }
        if repeated && self.named {
            return;
        }
        for question in message
            .items()
            .take_while(|item| item.section == Section::Question)
        {
            let Some(name) = Name::read(message.bytes, question.name_at, Case::Lower) else {
                return;
            };
            if !self.named {
                facts.text(&NAME, name.text());
                self.named = true;
            }
            if !repeated {
                facts.text(&QUERY, name.text());
                facts.number(&QTYPE, u64::from(question.kind));
            }
        }
    }

    /// Whether a question of this identifier waits for its answer; from now on it does not.
    fn was_asked(&mut self, id: u16) -> bool {
        self.asked
            .iter_mut()
            .find(|asked| **asked == Some(id))
            .and_then(Option::take)
            .is_some()
    }
}

fn say_rcode(message: &Message<'_>, facts: &mut Facts<'_>) {
    let rcode = message.header.rcode();
    if rcode == 0 {
        return;
    }
    facts.number(&RCODE, u64::from(rcode));
    let question = message.items().next();
    if let Some(question) = question.filter(|item| item.section == Section::Question)
        && let Some(name) = Name::read(message.bytes, question.name_at, Case::Lower)
    {
        facts.text(&FAILED, name.text());
    }
}

/// Addresses that an update adds (RFC 2136, 2.5.1); what it deletes has another class or no data.
fn say_update(message: &Message<'_>, facts: &mut Facts<'_>) {
    for item in message.items() {
        if item.section != Section::Authority || item.class != CLASS_IN {
            continue;
        }
        if let Some(address) = answers::address(&item)
            && let Some(name) = Name::read(message.bytes, item.name_at, Case::Lower)
        {
            facts.answer(&UPDATE, name.text(), address, item.lifetime);
        }
    }
}

#[cfg(test)]
mod tests;

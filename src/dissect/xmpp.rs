//! XMPP (RFC 6120) as far as its way into TLS (section 5).

use super::tls::starttls::{begins, may_become};
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// The domain that the client wants to speak to.
pub static TO: Field = Field::of_flow("xmpp.to");

/// How far streams are searched.
const FURTHEST: usize = 8 << 10;

/// XMPP over TCP.
#[derive(Debug)]
pub struct Xmpp;

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

static FIELDS: &[&Field] = &[&TO];

impl Dissector for Xmpp {
    fn name(&self) -> &'static str {
        "xmpp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let newest = head.newest();
        let openings: [&[u8]; 2] = [b"<?xml ", b"<stream:stream"];
        if !openings.iter().any(|word| begins(newest, word)) {
            return if may_become(newest, &openings) && !newest.is_empty() {
                Probe::Wait
            } else {
                Probe::No
            };
        }
        let start = newest.get(..newest.len().min(512)).unwrap_or_default();
        if find(start, b"http://etherx.jabber.org/streams").is_some() {
            Probe::Yes
        } else if start.len() < 512 && !newest.contains(&0) {
            Probe::Wait
        } else {
            Probe::No
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(XmppDissection {
            asked: false,
            named: false,
        })
    }
}

/// One connection.
#[derive(Debug)]
struct XmppDissection {
    asked: bool,
    named: bool,
}

impl Dissection for XmppDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.bytes.len() > FURTHEST {
            return Next::Done;
        }
        match input.side {
            Side::Client if self.asked => Next::More(0),
            Side::Client => {
                if let Some(name) = attribute(input.bytes)
                    && !std::mem::replace(&mut self.named, true)
                {
                    facts.text(&TO, name);
                }
                match element(input.bytes, b"<starttls") {
                    Some(end) => {
                        self.asked = true;
                        Next::More(end)
                    }
                    None => Next::More(0),
                }
            }
            Side::Server => match element(input.bytes, b"<proceed") {
                Some(end) if self.asked => Next::Become("tls", end),
                _ => Next::More(0),
            },
        }
    }
}

/// Where an element without content ends.
fn element(bytes: &[u8], name: &[u8]) -> Option<usize> {
    let start = find(bytes, name)?;
    let rest = bytes.get(start..)?;
    let tag_end = rest.iter().position(|octet| *octet == b'>')?;
    let mut end = start.checked_add(tag_end)?.checked_add(1)?;
    // `<starttls ...></starttls>` is allowed as well.
    if rest.get(tag_end.checked_sub(1)?) != Some(&b'/') {
        let closing = bytes.get(end..)?.iter().position(|octet| *octet == b'>')?;
        end = end.checked_add(closing)?.checked_add(1)?;
    }
    Some(end)
}

/// Value of the first attribute `to`.
fn attribute(bytes: &[u8]) -> Option<&[u8]> {
    let at = find(bytes, b" to=")?.checked_add(4)?;
    let (quote, rest) = bytes.get(at..)?.split_first()?;
    rest.split(|octet| octet == quote).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::drive::Drive;

    #[test]
    fn proceed_hands_over_to_tls() {
        let mut drive = Drive::new(&Xmpp);
        drive.stream(Side::Client, b"<?xml version='1.0'?><stream:stream to='im.example' xmlns:stream='http://etherx.jabber.org/streams'>");
        drive.stream(
            Side::Server,
            b"<stream:features><starttls xmlns='urn:x'/></stream:features>",
        );
        drive.stream(Side::Client, b"<starttls xmlns='urn:x'></starttls>");
        let proceed = b"<proceed xmlns='urn:x'/>";
        let next = drive.stream(Side::Server, proceed);
        assert_eq!(next, Some(Next::Become("tls", 84)));
        assert_eq!(drive.texts("xmpp.to"), ["im.example"]);
    }
}

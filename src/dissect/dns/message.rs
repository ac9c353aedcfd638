//! The reader of DNS messages (RFC 1035, 4.1), also for mDNS and LLMNR, which share the layout.
//!
//! It gives items one by one and stops at the first fault, so that a cut message still gives what stands before the cut.

use super::name;
use crate::dissect::cursor::Cursor;

/// Record types that are read (IANA "Resource Record (RR) TYPEs").
pub mod kind {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Canonical name of an alias.
    pub const CNAME: u16 = 5;
    /// Pointer to a name.
    pub const PTR: u16 = 12;
    /// Text strings.
    pub const TXT: u16 = 16;
    /// IPv6 address (RFC 3596).
    pub const AAAA: u16 = 28;
    /// Location of a service (RFC 2782).
    pub const SRV: u16 = 33;
    /// Options of the message (RFC 6891).
    pub const OPT: u16 = 41;
    /// Service binding (RFC 9460).
    pub const SVCB: u16 = 64;
    /// Service binding of HTTPS (RFC 9460).
    pub const HTTPS: u16 = 65;
}

/// Class IN; mDNS uses the top bit for another purpose (RFC 6762, 10.2 and 18.12).
pub const CLASS_IN: u16 = 1;

/// Standard query.
pub const OPCODE_QUERY: u8 = 0;
/// Dynamic update (RFC 2136).
pub const OPCODE_UPDATE: u8 = 5;

/// Length of the header.
pub const HEADER_LENGTH: usize = 12;

/// The header: identifier, flags, and how many items each section promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by who asks, repeated by who answers.
    pub id: u16,
    /// QR, opcode and the bits behind it.
    pub flags: u16,
    /// Promised items: questions, answers, authorities, additional records.
    pub counts: [u16; 4],
}

impl Header {
    /// Reads the twelve octets.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        Some(Self {
            id: cursor.u16()?,
            flags: cursor.u16()?,
            counts: [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?],
        })
    }

    /// Whether this is an answer.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// Kind of query.
    #[must_use]
    pub const fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    /// Response code without its extension in OPT.
    #[must_use]
    pub const fn rcode(&self) -> u8 {
        (self.flags & 0xf) as u8
    }

    /// The one bit that must still be zero (RFC 6895, 2.1).
    #[must_use]
    pub const fn reserved_bit(&self) -> bool {
        self.flags & 0x40 != 0
    }

    /// Whether the sender says that it left something out.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// Number of promised questions.
    #[must_use]
    pub const fn questions(&self) -> u16 {
        let [questions, ..] = self.counts;
        questions
    }

    /// Whether as many octets as the promised items need at least could stand in a message of `length`
    /// (a question takes five, a record eleven).
    #[must_use]
    pub fn could_fit(&self, length: usize) -> bool {
        let [questions, records @ ..] = self.counts;
        let records: usize = records.iter().map(|&count| usize::from(count)).sum();
        let least = usize::from(questions)
            .saturating_mul(5)
            .saturating_add(records.saturating_mul(11));
        HEADER_LENGTH.saturating_add(least) <= length
    }
}

/// The four sections in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is asked.
    Question,
    /// What answers it.
    Answer,
    /// Who is responsible; in updates what shall be changed, in mDNS probes what the sender claims.
    Authority,
    /// What else may help.
    Additional,
}

/// A question or a record; `name_at` and `data_at` are positions in the message, for [`name`].
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Where it stands.
    pub section: Section,
    /// Position of its name.
    pub name_at: usize,
    /// Type.
    pub kind: u16,
    /// Class.
    pub class: u16,
    /// Lifetime in seconds; zero for questions.
    pub lifetime: u32,
    /// Record data; empty for questions.
    pub data: &'a [u8],
    /// Position of the data.
    pub data_at: usize,
}

/// A message whose header was read.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Its header.
    pub header: Header,
}

impl<'a> Message<'a> {
    /// Reads the header.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Some(Self {
            bytes,
            header: Header::read(bytes)?,
        })
    }

    /// The questions and records, in order, up to the first fault.
    #[must_use]
    pub const fn items(&self) -> Items<'a> {
        Items {
            bytes: self.bytes,
            position: HEADER_LENGTH,
            section: Section::Question,
            left: self.header.counts,
            broken: false,
        }
    }

    /// Whether every promised item is there and nothing follows the last one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut items = self.items();
        while items.next().is_some() {}
        !items.broken && items.position == self.bytes.len()
    }
}

/// Walks a message.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    bytes: &'a [u8],
    position: usize,
    section: Section,
    left: [u16; 4],
    broken: bool,
}

impl<'a> Items<'a> {
    /// Whether the walk ended at a fault or a cut.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// The section of the next item, once the empty ones before it are passed.
    fn next_section(&mut self) -> Option<Section> {
        const ORDER: [Section; 4] = [
            Section::Question,
            Section::Answer,
            Section::Authority,
            Section::Additional,
        ];
        let (section, left) = ORDER
            .into_iter()
            .zip(self.left.iter_mut())
            .find(|(_, left)| **left > 0)?;
        *left = left.saturating_sub(1);
        Some(section)
    }

    fn read(&mut self) -> Option<Item<'a>> {
        let name_at = self.position;
        let after = name::skip(self.bytes, name_at)?;
        let mut cursor = Cursor::new(self.bytes).at(after)?;
        let kind = cursor.u16()?;
        let class = cursor.u16()?;
        let (lifetime, data, data_at) = if self.section == Section::Question {
            (0, &[][..], cursor.position())
        } else {
            let lifetime = cursor.u32()?;
            let length = cursor.u16()?;
            let data_at = cursor.position();
            (lifetime, cursor.take(usize::from(length))?, data_at)
        };
        self.position = cursor.position();
        Some(Item {
            section: self.section,
            name_at,
            kind,
            class,
            lifetime,
            data,
            data_at,
        })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.broken {
            return None;
        }
        self.section = self.next_section()?;
        let item = self.read();
        self.broken = item.is_none();
        item
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A response to www.example.com: an alias to e.example.net, which has one address.
    pub(crate) const ALIAS: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\
        \x03wWw\x07exAmple\x03com\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x0f\x01e\x07example\x03net\x00\
        \xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07";

    #[test]
    fn a_whole_message_is_walked_to_its_end() {
        let message = Message::read(ALIAS).unwrap();
        let kinds: Vec<_> = message.items().map(|item| (item.section, item.kind)).collect();
        assert_eq!(
            kinds,
            [
                (Section::Question, kind::A),
                (Section::Answer, kind::CNAME),
                (Section::Answer, kind::A)
            ]
        );
        assert!(message.is_whole());
        assert!(message.header.could_fit(ALIAS.len()));
    }

    #[test]
    fn a_cut_message_gives_the_items_before_the_cut() {
        let cut = &ALIAS[..ALIAS.len() - 1];
        let message = Message::read(cut).unwrap();
        let mut items = message.items();
        assert_eq!(items.by_ref().count(), 2);
        assert!(items.is_broken());
        assert!(!message.is_whole());
    }

    #[test]
    fn counts_that_cannot_fit_are_seen() {
        let header = Header::read(b"\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff").unwrap();
        assert!(!header.could_fit(65_535));
    }
}

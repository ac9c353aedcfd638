//! RustDesk's rendezvous messages: framing of streams, the protobuf wire format, and which fields a message may have.

use crate::dissect::cursor::Cursor;

/// One field of a protobuf message ("Protocol Buffers Encoding": number, then varint or octets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    /// Wire type 0.
    Varint(u8),
    /// Wire type 2.
    Octets(u8, &'a [u8]),
}

impl<'a> Wire<'a> {
    /// The octets of the field with this number.
    pub(super) fn octets(self, number: u8) -> Option<&'a [u8]> {
        match self {
            Self::Octets(found, octets) if found == number => Some(octets),
            Self::Octets(..) | Self::Varint(_) => None,
        }
    }
}

/// Reads fields until the end or until something that no message of RustDesk has.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
        }
    }

    /// Whether everything was read as fields.
    const fn is_finished(&self) -> bool {
        self.cursor.is_empty()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Wire<'a>;

    fn next(&mut self) -> Option<Wire<'a>> {
        let mut ahead = self.cursor.clone();
        let key = varint(&mut ahead)?;
        let number = u8::try_from(key >> 3).ok()?;
        let field = match key & 7 {
            0 => {
                varint(&mut ahead)?;
                Wire::Varint(number)
            }
            2 => {
                let length = usize::try_from(varint(&mut ahead)?).ok()?;
                Wire::Octets(number, ahead.take(length)?)
            }
            _ => return None,
        };
        self.cursor = ahead;
        Some(field)
    }
}

fn varint(cursor: &mut Cursor<'_>) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let octet = cursor.u8()?;
        value |= u64::from(octet & 0x7f).checked_shl(shift)?;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The content of the one field that fills `bytes`, if it has this number.
pub(super) fn length_delimited(bytes: &[u8], number: u8) -> Option<&[u8]> {
    let mut fields = Fields::new(bytes);
    let content = fields.next()?.octets(number)?;
    fields.is_finished().then_some(content)
}

/// A frame at the front of a stream.
pub(super) struct Frame<'a> {
    /// Length that its header says.
    pub(super) length: usize,
    /// The message, when all of it is there.
    pub(super) body: Option<&'a [u8]>,
    /// As much of the message as is there.
    pub(super) beginning: &'a [u8],
    /// What follows the message.
    pub(super) after: &'a [u8],
}

/// Reads a frame's header: the low two bits of the first octet are its length less one, the rest, little-endian, is the
/// length of the message.
pub(super) fn framed(bytes: &[u8]) -> Option<Frame<'_>> {
    let header = usize::from(bytes.first()? & 3).saturating_add(1);
    let mut octets = [0; 4];
    octets.get_mut(..header)?.copy_from_slice(bytes.get(..header)?);
    let length = usize::try_from(u32::from_le_bytes(octets) >> 2).ok()?;
    let beginning = bytes.get(header..)?;
    let (body, after) = match beginning.split_at_checked(length) {
        Some((body, after)) => (Some(body), after),
        None => (None, &[][..]),
    };
    Some(Frame {
        length,
        body,
        beginning,
        after,
    })
}

/// What a field may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A number or a truth value.
    Number,
    /// An identifier of a machine.
    Id,
    /// Printable text.
    Text,
    /// Anything, of at most so many octets.
    Octets,
    /// A mangled socket address.
    Socket,
}

/// A kind of message.
pub(super) struct Kind {
    /// Field number in the outer message.
    number: u8,
    /// Name in records.
    pub(super) name: &'static str,
    /// Its fields; index 0 is field 1.
    fields: &'static [Holds],
    /// A field without which it is not believed on a foreign port.
    telling: u8,
}

use Holds::{Id, Number, Octets, Socket, Text};

/// The kinds, by number; from the message definitions that all RustDesk programs share.
const KINDS: &[Kind] = &[
    kind(6, "register-peer", &[Id, Number], 1),
    kind(7, "register-peer-response", &[Number], 0),
    kind(
        8,
        "punch-hole-request",
        &[
            Id, Number, Text, Number, Text, Text, Number, Number, Number, Octets, Text, Text,
        ],
        1,
    ),
    kind(
        9,
        "punch-hole",
        &[
            Socket, Text, Number, Number, Number, Number, Octets, Octets, Octets, Text, Text,
        ],
        1,
    ),
    kind(
        10,
        "punch-hole-sent",
        &[Socket, Id, Text, Number, Text, Number, Octets, Text],
        1,
    ),
    kind(
        11,
        "punch-hole-response",
        &[
            Socket, Octets, Number, Text, Number, Number, Text, Number, Number, Number, Octets, Text,
        ],
        1,
    ),
    kind(12, "fetch-local-addr", &[Socket, Text, Octets, Octets, Octets], 1),
    kind(13, "local-addr", &[Socket, Socket, Text, Id, Text, Octets], 1),
    kind(14, "configure-update", &[Number, Text], 0),
    kind(15, "register-pk", &[Id, Octets, Octets, Id, Number], 1),
    kind(16, "register-pk-response", &[Number, Number], 0),
    kind(17, "software-update", &[Text], 0),
    kind(
        18,
        "request-relay",
        &[
            Id, Text, Socket, Text, Number, Text, Number, Text, Octets, Octets, Text,
        ],
        2,
    ),
    kind(
        19,
        "relay-response",
        &[
            Socket, Text, Text, Octets, Octets, Text, Text, Number, Number, Octets, Number, Text,
        ],
        2,
    ),
    kind(20, "test-nat-request", &[Number], 0),
    kind(21, "test-nat-response", &[Number, Octets], 0),
    kind(22, "peer-discovery", &[Text, Text, Id, Text, Text, Text, Text], 0),
    kind(23, "online-request", &[Id, Id], 1),
    kind(24, "online-response", &[Octets], 0),
    kind(25, "key-exchange", &[Octets], 0),
    kind(26, "health-check", &[Text], 0),
];

const fn kind(number: u8, name: &'static str, fields: &'static [Holds], telling: u8) -> Kind {
    Kind {
        number,
        name,
        fields,
        telling,
    }
}

/// A message whose every field is one of its kind's.
pub(super) struct Message<'a> {
    /// Field number in the outer message.
    pub(super) number: u8,
    pub(super) kind: &'static Kind,
    content: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a datagram or the body of a frame.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Fields::new(bytes);
        let Wire::Octets(number, content) = outer.next()? else {
            return None;
        };
        let kind = KINDS.iter().find(|kind| kind.number == number)?;
        if !outer.is_finished() {
            return None;
        }
        let mut fields = Fields::new(content);
        let fits = fields.by_ref().all(|field| kind.accepts(field));
        (fits && fields.is_finished()).then_some(Self {
            number,
            kind,
            content,
        })
    }

    /// Whether the first octets of a message could belong to one.
    pub(super) fn may_begin(bytes: &[u8]) -> bool {
        match varint(&mut Cursor::new(bytes)) {
            // 3 is the greeting of a session.
            Some(key) => key & 7 == 2 && (key >> 3 == 3 || (6..=26).contains(&(key >> 3))),
            None => bytes.len() < 2,
        }
    }

    pub(super) const fn fields(&self) -> Fields<'a> {
        Fields::new(self.content)
    }

    /// Whether it holds enough to be believed on any port.
    pub(super) fn is_telling(&self) -> bool {
        if self.kind.name == "peer-discovery" {
            return self
                .fields()
                .find_map(|field| field.octets(1))
                .is_some_and(|command| matches!(command, b"ping" | b"pong"));
        }
        self.kind.telling != 0
            && self
                .fields()
                .find_map(|field| field.octets(self.kind.telling))
                .is_some_and(|octets| !octets.is_empty())
    }
}

impl Kind {
    fn accepts(&self, field: Wire<'_>) -> bool {
        let (number, octets) = match field {
            Wire::Varint(number) => (number, None),
            Wire::Octets(number, octets) => (number, Some(octets)),
        };
        let place = usize::from(number).checked_sub(1);
        match (place.and_then(|place| self.fields.get(place)), octets) {
            (Some(Number), None) => true,
            (Some(Id), Some(octets)) => is_id(octets),
            (Some(Text), Some(octets)) => std::str::from_utf8(octets).is_ok_and(|text| !text.contains('\0')),
            (Some(Octets), Some(octets)) => octets.len() <= 512,
            (Some(Socket), Some(octets)) => {
                octets.is_empty() || super::socket_address::decode(octets).is_some()
            }
            _ => false,
        }
    }
}

/// Nine or ten digits by default, or 6 to 16 letters, digits and a few signs that a user chose.
pub(super) fn is_id(octets: &[u8]) -> bool {
    (6..=32).contains(&octets.len())
        && octets
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.' | b'@'))
}

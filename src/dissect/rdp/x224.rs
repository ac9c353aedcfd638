//! TPKT (RFC 1006) and the X.224 connection request and confirm of RDP ([MS-RDPBCGR] 2.2.1.1 and 2.2.1.2).

use super::{COOKIE, CORRELATION, FAILURE, REQUESTED, ROUTING_TOKEN, SECURITY};
use crate::dissect::cursor::Cursor;
use crate::model::fact::Facts;

const CONNECTION_REQUEST: u8 = 0xe0;
const CONNECTION_CONFIRM: u8 = 0xd0;
const TPKT_VERSION: u8 = 3;
const TPKT_HEADER: u16 = 4;
const COOKIE_PREFIX: &[u8] = b"Cookie: mstshash=";
const TYPE_REQUEST: u8 = 1;
const TYPE_RESPONSE: u8 = 2;
const TYPE_FAILURE: u8 = 3;
const TYPE_CORRELATION: u8 = 6;
/// Length that all three negotiation structures say of themselves.
const NEGOTIATION_LENGTH: u16 = 8;
/// Flag of the request: correlation information follows.
const HAS_CORRELATION: u8 = 0x08;

/// Security protocols by their bit ([MS-RDPBCGR] 2.2.1.1.1).
const PROTOCOLS: [(u32, &str); 5] = [
    (0x01, "tls"),
    (0x02, "credssp"),
    (0x04, "rdstls"),
    (0x08, "credssp-ex"),
    (0x10, "aad"),
];

/// What stands at the front of a stream.
pub(super) enum Tpkt<'a> {
    /// Not TPKT.
    Foreign,
    /// Not all of it.
    Incomplete,
    /// One unit, without the TPKT header.
    Unit(&'a [u8]),
}

impl<'a> Tpkt<'a> {
    /// Reads one unit; the cursor has passed it where it was whole.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Self {
        match cursor.rest() {
            [] | [TPKT_VERSION] => return Self::Incomplete,
            [TPKT_VERSION, 0, ..] => {}
            _ => return Self::Foreign,
        }
        let mut ahead = cursor.clone();
        let Some(length) = ahead.skip(2).and_then(|()| ahead.u16()) else {
            return Self::Incomplete;
        };
        let Some(length) = length.checked_sub(TPKT_HEADER).filter(|length| *length >= 3) else {
            return Self::Foreign;
        };
        let Some(unit) = ahead.take(usize::from(length)) else {
            return Self::Incomplete;
        };
        *cursor = ahead;
        Self::Unit(unit)
    }
}

/// What the security negotiation came to.
pub(super) enum Outcome {
    /// A request: the answer is to come.
    Open,
    /// The protocol's own encryption.
    Standard,
    /// TLS begins, whatever is inside.
    Tls,
    /// The server refused.
    Refused,
}

/// A connection request or confirm.
pub(super) struct Negotiation<'a> {
    is_request: bool,
    /// Line in front of the structures, without its end.
    line: Option<&'a [u8]>,
    /// Type, flags and value of the negotiation structure.
    structure: Option<(u8, u8, u32)>,
    correlation: Option<[u8; 16]>,
    has_rest: bool,
}

impl<'a> Negotiation<'a> {
    /// Reads a unit whose length indicator agrees with TPKT's length.
    pub(super) fn read(unit: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(unit);
        let indicator = usize::from(cursor.u8()?);
        if indicator != cursor.remaining() {
            return None;
        }
        let code = cursor.u8()?;
        let is_request = code == CONNECTION_REQUEST;
        if !is_request && code != CONNECTION_CONFIRM {
            return None;
        }
        // References and class; RDP uses class 0.
        cursor.skip(4)?;
        if cursor.u8()? != 0 {
            return None;
        }
        let line = read_line(&mut cursor);
        let structure = read_structure(&mut cursor);
        let correlation = match structure {
            Some((TYPE_REQUEST, flags, _)) if flags & HAS_CORRELATION != 0 => read_correlation(&mut cursor),
            _ => None,
        };
        Some(Self {
            is_request,
            line,
            structure,
            correlation,
            has_rest: !cursor.is_empty(),
        })
    }

    /// Whether it says something that only RDP says.
    pub(super) fn is_of_rdp(&self) -> bool {
        self.structure.is_some() || self.line.is_some_and(|line| line.starts_with(b"Cookie: "))
    }

    /// Whether nothing at all follows the fixed part.
    pub(super) const fn is_bare(&self) -> bool {
        self.structure.is_none() && self.line.is_none() && !self.has_rest
    }

    /// What follows from it.
    pub(super) const fn outcome(&self) -> Outcome {
        match self.structure {
            _ if self.is_request => Outcome::Open,
            Some((TYPE_FAILURE, _, _)) => Outcome::Refused,
            Some((_, _, 1..)) => Outcome::Tls,
            Some((_, _, 0)) | None => Outcome::Standard,
        }
    }

    /// Says what is in it.
    pub(super) fn say(&self, facts: &mut Facts<'_>) {
        if let Some(line) = self.line {
            match line.strip_prefix(COOKIE_PREFIX) {
                Some(user) => facts.text(&COOKIE, user),
                None => facts.text(&ROUTING_TOKEN, line.strip_prefix(b"Cookie: ").unwrap_or(line)),
            }
        }
        match (self.is_request, self.structure) {
            (true, Some((_, _, protocols))) => {
                let names: Vec<&str> = PROTOCOLS
                    .iter()
                    .filter(|(bit, _)| protocols & bit != 0)
                    .map(|(_, name)| *name)
                    .collect();
                let text = if names.is_empty() {
                    "standard".to_owned()
                } else {
                    names.join(",")
                };
                facts.text(&REQUESTED, text.as_bytes());
            }
            (false, Some((TYPE_FAILURE, _, code))) => facts.number(&FAILURE, u64::from(code)),
            (false, Some((_, _, chosen))) if chosen != 0 => {
                let name = PROTOCOLS
                    .iter()
                    .find(|(bit, _)| *bit == chosen)
                    .map_or("unknown", |(_, name)| name);
                facts.text(&SECURITY, name.as_bytes());
            }
            (false, _) => facts.text(&SECURITY, b"standard"),
            (true, None) => {}
        }
        if let Some(correlation) = &self.correlation {
            facts.bytes(&CORRELATION, correlation);
        }
    }
}

/// A text line up to its carriage return and line feed: cookie or routing token.
fn read_line<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let rest = cursor.rest();
    if !rest.first()?.is_ascii_alphabetic() {
        return None;
    }
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = cursor.take(end)?;
    cursor.skip(2)?;
    Some(line)
}

fn read_structure(cursor: &mut Cursor<'_>) -> Option<(u8, u8, u32)> {
    let mut ahead = cursor.clone();
    let kind = ahead.u8()?;
    let flags = ahead.u8()?;
    let length = ahead.u16_le()?;
    let value = ahead.u32_le()?;
    let is_known =
        matches!(kind, TYPE_REQUEST | TYPE_RESPONSE | TYPE_FAILURE) && length == NEGOTIATION_LENGTH;
    is_known.then(|| {
        *cursor = ahead;
        (kind, flags, value)
    })
}

/// [MS-RDPBCGR] 2.2.1.1.2: type, flags, length 36, identifier, 16 reserved octets.
fn read_correlation(cursor: &mut Cursor<'_>) -> Option<[u8; 16]> {
    if cursor.u8()? != TYPE_CORRELATION {
        return None;
    }
    cursor.skip(3)?;
    let identifier = cursor.array()?;
    cursor.skip(16)?;
    Some(identifier)
}

//! Facts: single things that bytes said, in a compact log that costs no allocation for each.
//!
//! Question: how do strings leave the packet path without an allocation for every one? Answer: a [`FactLog`] is one byte
//! buffer into which facts are written one behind the other; reading it back borrows from it. A flow owns one log for
//! what belongs to its record ([`Scope::Flow`]); a shard owns one for what hosts must learn at once
//! ([`Scope::Event`]).
//!
//! Fields are constants declared beside the dissector that says them. They are named like `tls.sni`; the 16-bit identifier
//! that stands in the log is a hash of the name, computed at compile time, so that no central list has to grow.
//! A test over the registry refuses collisions.

mod kept;
mod seek;

use std::net::IpAddr;

use super::address::Address;
use super::frame::FrameRef;
use super::time::Timestamp;
pub use kept::{KeptFacts, KeptFields};

/// Longest text or byte string that a fact keeps; what is longer is cut there and marked.
pub const LONGEST_VALUE: usize = 256;

/// Which direction of a flow said something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// Sent by who opened the flow.
    #[default]
    Client = 0,
    /// Sent by who was called.
    Server = 1,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// 0 for the client, 1 for the server: an index into per-direction pairs.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Where a fact goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Into the flow's record: server names, fingerprints, banners.
    Flow,
    /// To the observers at once, in packet order: answers, leases, announcements, everything that is about hosts.
    Event,
}

/// What a dissector may say: a constant declared in the dissector's own file.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Full name, `protocol.what`, as signatures write it.
    pub name: &'static str,
    /// Where facts of this field go.
    pub scope: Scope,
    /// Hash of the name.
    pub id: FieldId,
}

/// Compile-time hash of a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u32);

impl FieldId {
    /// Identifier of the field called `name` (FNV-1a). Of 16 bits, two of some hundred fields did meet.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "const fn cannot use get; the index is below the length"
    )]
    pub const fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut state: u32 = 0x811c_9dc5;
        let mut index = 0;
        while index < bytes.len() {
            state = (state ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
            index += 1;
        }
        Self(state)
    }

    /// The bit that stands for the field, and for others, in a set.
    const fn bit(self) -> u32 {
        1 << (self.0 & 31)
    }
}

impl Field {
    /// A field whose facts stay with the flow.
    #[must_use]
    pub const fn of_flow(name: &'static str) -> Self {
        Self {
            name,
            scope: Scope::Flow,
            id: FieldId::of(name),
        }
    }

    /// A field whose facts go to the observers at once.
    #[must_use]
    pub const fn of_event(name: &'static str) -> Self {
        Self {
            name,
            scope: Scope::Event,
            id: FieldId::of(name),
        }
    }
}

/// The value of a fact, borrowed from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text from the wire, not yet trusted to be UTF-8; `cut` when it was longer than [`LONGEST_VALUE`].
    Text {
        /// The bytes as sent.
        bytes: &'a [u8],
        /// Whether the end is missing.
        cut: bool,
    },
    /// Opaque bytes, likewise; `on_wire` is their full length where that is known to be larger.
    Bytes {
        /// The first of them.
        bytes: &'a [u8],
        /// How many there were.
        on_wire: u32,
    },
    /// A number, or 0 and 1 for false and true.
    Number(u64),
    /// An address with a port; port 0 where there is none.
    Endpoint(Address, u16),
    /// A name that stands for an address for so many seconds.
    Answer {
        /// The name asked for (not the alias it led to), lower case, without the final dot.
        name: &'a [u8],
        /// The address answered.
        address: Address,
        /// Lifetime in seconds.
        lifetime: u32,
    },
}

impl<'a> Value<'a> {
    /// The text, if it is text in valid UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&'a str> {
        match self {
            Value::Text { bytes, .. } => std::str::from_utf8(bytes).ok(),
            Value::Bytes { .. } | Value::Number(_) | Value::Endpoint(..) | Value::Answer { .. } => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text { .. } | Value::Bytes { .. } | Value::Endpoint(..) | Value::Answer { .. } => None,
        }
    }
}

/// One fact, borrowed from a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact<'a> {
    /// Which field.
    pub field: FieldId,
    /// When its frame was captured.
    pub at: Timestamp,
    /// The frame that said it.
    pub source: FrameRef,
    /// Who said it.
    pub side: Side,
    /// What was said.
    pub value: Value<'a>,
}

/// Facts one behind the other in one buffer. Those of one packet share the stamp that stands before them.
#[derive(Clone, Debug, Default)]
pub struct FactLog {
    bytes: Vec<u8>,
    /// Where the last stamp ends, if it may be shared; 0 if not.
    stamped: u32,
    /// Which fields may be there: a bit for each remainder of their identifiers, so that most that are not there are not looked for.
    fields: u32,
}

impl PartialEq for FactLog {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for FactLog {}

const KIND_TEXT: u8 = 0;
const KIND_TEXT_CUT: u8 = 1;
const KIND_BYTES: u8 = 2;
const KIND_NUMBER: u8 = 3;
const KIND_ENDPOINT: u8 = 4;
const KIND_ANSWER: u8 = 5;
/// Not a fact: when and where those that follow were seen.
const KIND_STAMP: u8 = 6;

impl<'a> IntoIterator for &'a FactLog {
    type Item = Fact<'a>;
    type IntoIter = FactIter<'a>;

    fn into_iter(self) -> FactIter<'a> {
        self.iter()
    }
}

/// Where and when the facts that are being written were seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp {
    /// Capture time of the frame.
    pub at: Timestamp,
    /// The frame.
    pub source: FrameRef,
    /// Who sent it.
    pub side: Side,
}

impl FactLog {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that the log holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its first octet, for who wants it fetched before it is read.
    #[must_use]
    pub fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// Forgets everything; capacity stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.stamped = 0;
        self.fields = 0;
    }

    /// Begins a stretch that can be read by itself with [`FactLog::range`]; gives its start.
    pub fn begin(&mut self) -> usize {
        self.stamped = 0;
        self.bytes.len()
    }

    /// Writes one fact, behind the stamp that it shares with those before it.
    pub fn push(&mut self, field: &Field, stamp: Stamp, value: &Value<'_>) {
        // What stands between the header and the text, in a buffer of the longest such part.
        let mut fixed = [0; LONGEST_FIXED];
        let (kind, tail): (u8, &[u8]) = match *value {
            Value::Text { bytes, cut } if cut || bytes.len() > LONGEST_VALUE => (KIND_TEXT_CUT, bytes),
            Value::Text { bytes, .. } => (KIND_TEXT, bytes),
            Value::Bytes { bytes, on_wire } => {
                put(&mut fixed, 0, on_wire.to_le_bytes());
                (KIND_BYTES, bytes)
            }
            Value::Number(number) => {
                put(&mut fixed, 0, number.to_le_bytes());
                (KIND_NUMBER, &[])
            }
            Value::Endpoint(address, port) => {
                put(&mut fixed, 0, address.0);
                put(&mut fixed, 16, port.to_le_bytes());
                (KIND_ENDPOINT, &[])
            }
            Value::Answer {
                name,
                address,
                lifetime,
            } => {
                put(&mut fixed, 0, address.0);
                put(&mut fixed, 16, lifetime.to_le_bytes());
                (KIND_ANSWER, name)
            }
        };
        let fixed = fixed.get(..fixed_length(kind)).unwrap_or_default();
        let tail = tail.get(..LONGEST_VALUE).unwrap_or(tail);
        let length = u16::try_from(fixed.len().saturating_add(tail.len())).unwrap_or(u16::MAX);
        let mut header = [0; HEADER];
        put(&mut header, 0, [kind | (stamp.side as u8) << 7]);
        put(&mut header, 1, field.id.0.to_le_bytes());
        put(&mut header, 5, length.to_le_bytes());
        self.fields |= field.id.bit();
        let stamp = stamp.octets();
        let end = self.stamped as usize;
        let last = end
            .checked_sub(STAMP)
            .and_then(|start| self.bytes.get(start..end));
        let is_stamped = last == Some(stamp.as_slice());
        self.bytes.reserve(STAMP + HEADER + fixed.len() + tail.len());
        if !is_stamped {
            self.bytes.extend_from_slice(&stamp);
            // Behind four gigabytes every fact has a stamp of its own.
            self.stamped = u32::try_from(self.bytes.len()).unwrap_or(0);
        }
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(fixed);
        self.bytes.extend_from_slice(tail);
    }

    /// Reads the facts in the order in which they were written.
    #[must_use]
    pub fn iter(&self) -> FactIter<'_> {
        FactIter::over(&self.bytes)
    }

    /// Reads the facts that were written between two values of [`FactLog::len`].
    #[must_use]
    pub fn range(&self, start: usize, end: usize) -> FactIter<'_> {
        FactIter::over(self.bytes.get(start..end).unwrap_or_default())
    }

    /// The first fact of a field.
    #[must_use]
    pub fn find(&self, field: FieldId) -> Option<Fact<'_>> {
        if !self.may_have(field) {
            return None;
        }
        self.iter().seek(field)
    }

    /// Whether a fact of a field may be here; `false` where none is.
    #[must_use]
    pub const fn may_have(&self, field: FieldId) -> bool {
        self.fields & field.bit() != 0
    }
}

/// Kind and side, field, length.
const HEADER: usize = 1 + 4 + 2;

/// Kind, capture, frame, time.
const STAMP: usize = 1 + 2 + 8 + 8;

/// The longest part between header and text: an address with a lifetime.
const LONGEST_FIXED: usize = 20;

/// Octets between the header and the text of such a fact.
const fn fixed_length(kind: u8) -> usize {
    match kind {
        KIND_BYTES => 4,
        KIND_NUMBER => 8,
        KIND_ENDPOINT => 18,
        KIND_ANSWER => LONGEST_FIXED,
        _ => 0,
    }
}

/// Puts octets at their place in a part of fixed form.
#[inline]
fn put<const N: usize>(part: &mut [u8], at: usize, octets: [u8; N]) {
    if let Some(place) = part.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = octets;
    }
}

impl Stamp {
    /// As it stands in a log.
    #[inline]
    fn octets(self) -> [u8; STAMP] {
        let mut octets = [0; STAMP];
        put(&mut octets, 0, [KIND_STAMP]);
        put(&mut octets, 1, self.source.capture.to_le_bytes());
        put(&mut octets, 3, self.source.number.to_le_bytes());
        put(&mut octets, 11, self.at.0.to_le_bytes());
        octets
    }
}

/// Reads a [`FactLog`] from front to back.
#[derive(Clone, Debug)]
pub struct FactIter<'a> {
    rest: &'a [u8],
    at: Timestamp,
    source: FrameRef,
}

/// Takes octets off the front.
#[inline]
fn octets<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*head)
}

impl<'a> FactIter<'a> {
    const fn over(rest: &'a [u8]) -> Self {
        Self {
            rest,
            at: Timestamp(0),
            source: FrameRef {
                capture: 0,
                number: 0,
            },
        }
    }

    /// Takes a stamp over.
    fn stamp(&mut self, [_, a, b, stamp @ ..]: [u8; STAMP]) {
        let (mut number, mut at) = ([0; 8], [0; 8]);
        let (first, last) = stamp.split_at(8);
        number.copy_from_slice(first);
        at.copy_from_slice(last);
        self.source.capture = u16::from_le_bytes([a, b]);
        self.source.number = u64::from_le_bytes(number);
        self.at = Timestamp(i64::from_le_bytes(at));
    }

    fn read(&mut self) -> Option<Fact<'a>> {
        while self.rest.first() == Some(&KIND_STAMP) {
            let stamp = octets::<STAMP>(&mut self.rest)?;
            self.stamp(stamp);
        }
        let rest = &mut self.rest;
        let [kind, field @ .., low, high] = octets::<HEADER>(rest)?;
        let field = FieldId(u32::from_le_bytes(field));
        let length = usize::from(u16::from_le_bytes([low, high]));
        let (mut body, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        let value = match kind & 0x7f {
            KIND_BYTES => {
                let on_wire = u32::from_le_bytes(octets(&mut body)?);
                Value::Bytes { bytes: body, on_wire }
            }
            KIND_NUMBER => Value::Number(u64::from_le_bytes(octets(&mut body)?)),
            KIND_ENDPOINT => Value::Endpoint(
                Address(octets(&mut body)?),
                u16::from_le_bytes(octets(&mut body)?),
            ),
            KIND_ANSWER => {
                let address = Address(octets(&mut body)?);
                let lifetime = u32::from_le_bytes(octets(&mut body)?);
                Value::Answer {
                    name: body,
                    address,
                    lifetime,
                }
            }
            text => Value::Text {
                bytes: body,
                cut: text == KIND_TEXT_CUT,
            },
        };
        let side = if kind & 0x80 == 0 {
            Side::Client
        } else {
            Side::Server
        };
        Some(Fact {
            field,
            at: self.at,
            source: self.source,
            side,
            value,
        })
    }
}

impl<'a> Iterator for FactIter<'a> {
    type Item = Fact<'a>;

    #[inline]
    fn next(&mut self) -> Option<Fact<'a>> {
        self.read()
    }
}

/// What a dissection writes to: both logs and the stamp of the packet at hand.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Log of the flow.
    pub flow: &'a mut FactLog,
    /// Log of the shard, for the observers.
    pub events: &'a mut FactLog,
    /// When and where.
    pub stamp: Stamp,
}

impl Facts<'_> {
    /// Says `value` of `field`.
    pub fn say(&mut self, field: &Field, value: &Value<'_>) {
        match field.scope {
            Scope::Flow => self.flow.push(field, self.stamp, value),
            Scope::Event => self.events.push(field, self.stamp, value),
        }
    }

    /// Says a text; an empty one is not said.
    pub fn text(&mut self, field: &Field, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.say(field, &Value::Text { bytes, cut: false });
        }
    }

    /// Says opaque bytes.
    pub fn bytes(&mut self, field: &Field, bytes: &[u8]) {
        let on_wire = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.say(field, &Value::Bytes { bytes, on_wire });
    }

    /// Says a number.
    pub fn number(&mut self, field: &Field, number: u64) {
        self.say(field, &Value::Number(number));
    }

    /// Says an address with its port (0 for none).
    pub fn endpoint(&mut self, field: &Field, ip: IpAddr, port: u16) {
        self.say(field, &Value::Endpoint(Address::from(ip), port));
    }

    /// Says that `name` stands for `ip` during `lifetime` seconds.
    pub fn answer(&mut self, field: &Field, name: &[u8], ip: IpAddr, lifetime: u32) {
        self.say(
            field,
            &Value::Answer {
                name,
                address: Address::from(ip),
                lifetime,
            },
        );
    }
}

#[cfg(test)]
mod tests;

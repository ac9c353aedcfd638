//! What gave a tool away, and how it is put into words.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::model::address::Address;
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::lengths;
use crate::model::observation::{NameSource, ServerName};
use crate::model::time::Timestamp;
use crate::signatures::entry::Indicator;

/// What gave a tool away, borrowed; put into words only when a finding needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// A recognised protocol.
    Protocol(&'a str),
    /// A tunnel that was opened.
    Tunnel(&'static str),
    /// The number of a field.
    Number(u64),
    /// The text of a field.
    Text(&'a str),
    /// First bytes of a side.
    Bytes(&'a [u8]),
    /// Lengths one behind the other, as [`lengths`] writes them.
    Lengths(&'a [u8]),
    /// A name that the host had resolved; long before, where its lifetime had passed.
    Resolved(&'a ServerName),
    /// The address of one of the two ends.
    Address(Address),
    /// The server's port.
    Port(u16),
}

/// One indicator that was seen.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Fields that say the same thing share a group.
    pub group: &'static str,
    /// The field.
    pub field: Arc<str>,
    /// What it held.
    pub shown: Shown<'a>,
    /// The catalogue's indicator.
    pub indicator: &'a Indicator,
    /// The frame that shows it.
    pub frame: FrameRef,
    /// When it was captured, where that is known.
    pub at: Option<Timestamp>,
}

impl Seen<'_> {
    /// Decibans.
    #[must_use]
    pub fn weight(&self) -> i32 {
        i32::from(self.indicator.weight)
    }

    /// Hash of what the field held.
    #[must_use]
    pub fn value(&self) -> u64 {
        match self.shown {
            Shown::Protocol(text) | Shown::Text(text) | Shown::Tunnel(text) => text_value(text),
            Shown::Number(number) => number,
            // First bytes of a message hold numbers that differ each time: it is the pattern that was seen.
            Shown::Bytes(_) | Shown::Lengths(_) => 0,
            Shown::Resolved(name) => text_value(&name.name),
            Shown::Address(address) => ContentId::of(&[&address.0]).0,
            Shown::Port(port) => u64::from(port),
        }
    }

    /// What the field held, in words.
    #[must_use]
    pub fn what(&self) -> String {
        match self.shown {
            Shown::Protocol(name) => ["protocol ", name].concat(),
            Shown::Tunnel(name) => format!("outside of a tunnel: {name}"),
            Shown::Number(number) => format!("{} {number}", self.field),
            Shown::Text(text) => [&self.field, " ", text].concat(),
            Shown::Bytes(bytes) => {
                let mut text = String::with_capacity(self.group.len().saturating_add(24));
                text.push_str(self.group);
                for byte in bytes.iter().take(8) {
                    let _ = write!(text, " {byte:02x}");
                }
                text
            }
            Shown::Lengths(octets) => format!("{}: {}", self.group, lengths::words(octets)),
            Shown::Resolved(name) if name.source == NameSource::Dns => {
                ["server resolved before as ", &name.name].concat()
            }
            Shown::Resolved(name) => format!("server resolved long before as {}", name.name),
            Shown::Address(address) => format!("address {address}"),
            Shown::Port(port) => format!("port {port}"),
        }
    }
}

/// Hash of a text that a field held.
#[must_use]
pub fn text_value(text: &str) -> u64 {
    ContentId::of(&[text.as_bytes()]).0
}

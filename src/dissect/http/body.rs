//! Bodies of HTTP/1 messages: how long they are, and the little that is looked for in them.

use std::net::IpAddr;

use super::{TITLE, UPNP_EXTERNAL};
use crate::model::fact::Facts;

/// Longest title or address that is believed.
const LONGEST_TITLE: usize = 200;

/// Longest line behind the last chunk that is waited for.
const LONGEST_TRAILER: usize = 4_096;

/// What of a body is left to pass over (RFC 9112, 6.3 and 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing: a head comes next.
    #[default]
    None,
    /// So many octets.
    Length(u64),
    /// Chunks, beginning with the length of one.
    Chunked,
    /// So many octets of a chunk and its line end, then further chunks.
    Chunk(u64),
    /// The lines behind the last chunk.
    Trailer,
    /// Everything up to the end of the connection.
    UntilClose,
}

impl Body {
    /// Of a declared length.
    pub(super) const fn of_length(length: u64) -> Self {
        if length == 0 {
            Self::None
        } else {
            Self::Length(length)
        }
    }

    /// Whether what comes next is of the message itself, not of how it is cut.
    pub(super) const fn is_data(self) -> bool {
        matches!(self, Self::Length(_) | Self::Chunk(_) | Self::UntilClose)
    }

    /// Passes over what is there: how many octets, zero if more must come; `None` when it is no such body.
    pub(super) fn pass(&mut self, rest: &[u8]) -> Option<usize> {
        match *self {
            Self::None => Some(0),
            Self::UntilClose => Some(rest.len()),
            Self::Length(left) => {
                let (count, left) = passed(left, rest);
                *self = Self::of_length(left);
                Some(count)
            }
            Self::Chunk(left) => {
                let (count, left) = passed(left, rest);
                *self = if left == 0 {
                    Self::Chunked
                } else {
                    Self::Chunk(left)
                };
                Some(count)
            }
            Self::Chunked => match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete((count, 0))) => {
                    *self = Self::Trailer;
                    Some(count)
                }
                Ok(httparse::Status::Complete((count, size))) => {
                    *self = Self::Chunk(size.saturating_add(2));
                    Some(count)
                }
                // A length with extensions takes some dozen octets.
                Ok(httparse::Status::Partial) if rest.len() < 256 => Some(0),
                Ok(httparse::Status::Partial) | Err(_) => {
                    *self = Self::None;
                    None
                }
            },
            Self::Trailer => {
                let Some(end) = rest.iter().position(|&octet| octet == b'\n') else {
                    return (rest.len() < LONGEST_TRAILER).then_some(0);
                };
                let line = rest.get(..end).unwrap_or_default();
                if line.is_empty() || line == b"\r" {
                    *self = Self::None;
                }
                Some(end.saturating_add(1))
            }
        }
    }
}

/// How many of `left` octets are there, and how many then remain.
fn passed(left: u64, rest: &[u8]) -> (usize, u64) {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    let left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    (count, left)
}

/// Says the title of a page, or the public address in a gateway's answer (UPnP WANIPConnection, GetExternalIPAddress).
pub(super) fn say_title_or_address(body: &[u8], facts: &mut Facts<'_>) {
    let body = body.get(..body.len().min(4_096)).unwrap_or_default();
    if let Some(title) = between(body, b"<title>") {
        facts.text(&TITLE, title.trim_ascii());
    } else if let Some(address) = between(body, b"<NewExternalIPAddress>")
        && let Some(address) = std::str::from_utf8(address).ok()
        && let Ok(address) = address.trim().parse::<IpAddr>()
    {
        facts.endpoint(&UPNP_EXTERNAL, address, 0);
    }
}

/// What stands between an element's opening tag, in any case, and the next tag.
fn between<'a>(body: &'a [u8], opening: &[u8]) -> Option<&'a [u8]> {
    let behind = memchr::memchr_iter(b'<', body).find_map(|bracket| {
        let (tag, behind) = body.get(bracket..)?.split_at_checked(opening.len())?;
        tag.eq_ignore_ascii_case(opening).then_some(behind)
    })?;
    let end = memchr::memchr(b'<', behind)?;
    behind.get(..end).filter(|text| text.len() <= LONGEST_TITLE)
}

//! Which end of an SSH connection opens channels in it: told by the sizes of packets, which encryption leaves as they are up to padding.
//!
//! What goes through a tunnel of SSH has any shape, and a screen that is watched through `-R` moves as an upload through `-L` does. How
//! a channel is opened, however, differs, and nothing else has happened before the first one is:
//!
//! * SERVICE_ACCEPT for `ssh-userauth` has 17 octets (RFC 4253, 10), and so has CHANNEL_OPEN_CONFIRMATION (RFC 4254, 5.1): whatever
//!   cipher, padding and MAC make of the one, they make of the other. It answers the client's first packet behind NEWKEYS, which is as long.
//! * USERAUTH_SUCCESS and REQUEST_SUCCESS have one octet: with blocks of 8 and of 16 octets alike they are 16 shorter (RFC 4253, 6).
//! * Opening a `session` takes 24 octets, at most 16 more than its confirmation. OpenSSH sends `no-more-sessions@openssh.com` behind it
//!   (PROTOCOL, 2.2), in one segment or in two.
//! * Opening `direct-tcpip` (`-L`, `-D`) or `forwarded-tcpip` (`-R`) takes 45 and 48 octets and two addresses as text (RFC 4254,
//!   7.2). The first is asked for by who asked for the log-in, the second by who granted it.
//! * `tcpip-forward` is asked for at once (RFC 4254, 7.1) and granted by REQUEST_SUCCESS; nothing else is at that time.
//!
//! Only the first channel is certain, and what fits none of these forms (a tunnel device, `-w`) ends the telling. Later channels are counted
//! behind a silence, and no other kind is looked for: between keys, echoes and windows a request and its confirmation are two packets
//! like others. A tunnel beside a shell in one connection is thus not told, nor is one whose beginning was not captured, nor one whose
//! log-in came in one segment with something else. A program that opens `direct-tcpip` to a long name (`-W`, `-J`) or, with blocks of 16, a tunnel
//! device at once may pass for one that opens a session.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::model::fact::Side;
use crate::model::segment::{Layer, Segment, tcp_flag};
use crate::model::ssh_channels::{FirstChannel, SshChannels};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// The shortest list of algorithms that is believed: KEXINIT has ten name lists and 17 octets before them.
const LISTS: u32 = 200;

/// SERVICE_ACCEPT: 17 octets with length and padding are 24 or 32, and a MAC of 0 to 64 octets follows.
const ACCEPT: std::ops::RangeInclusive<u32> = 24..=132;

/// NEWKEYS of either side: one octet in blocks of eight, without a MAC (RFC 4253, 6 and 7.3).
const NEW_KEYS: u32 = 16;

/// Lengths count whole blocks of eight octets at least.
const BLOCK: u32 = 8;

/// How much shorter a message of one octet is than one of 17.
const ONE_OCTET: u32 = 16;

/// By how much a request for a session is longer than its confirmation.
const SESSION: std::ops::RangeInclusive<u32> = 0..=16;

/// By how much one is longer than two confirmations where `no-more-sessions@openssh.com` comes with it: that is 16 octets longer than a
/// confirmation with any cipher.
const SESSION_AND_NO_MORE: std::ops::RangeInclusive<u32> = 16..=32;

/// By how much a request for a TCP connection is longer: two addresses of 3 octets and more, up to the longest name (RFC 1035, 2.3.4).
const CONNECTION: std::ops::RangeInclusive<u32> = 32..=330;

/// How long behind the log-in a grant is that of what was asked for first: nobody sends keep-alives so soon.
const AT_ONCE: Nanoseconds = 2 * SECOND;

/// A silence behind which a request may be told from what channels carry.
const SILENCE: Nanoseconds = SECOND;

/// Packets with payload until which somebody has logged in, or nothing is told.
const LOG_IN: u32 = 200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Versions, lists and keys are exchanged.
    #[default]
    Keys,
    /// Somebody logs in.
    LogIn,
    /// Channels may be opened.
    Open,
    /// Nothing is told.
    Lost,
}

/// A packet with payload, as the next one sees it.
#[derive(Clone, Copy, Debug)]
struct Before {
    side: Side,
    length: u32,
    at: Timestamp,
    /// It came behind a silence.
    is_late: bool,
}

/// Follows one connection.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    stage: Stage,
    /// Sequence numbers behind what each side said, where it has spoken.
    ends: [Option<u32>; 2],
    has_lists: [bool; 2],
    packets: u32,
    /// Length of SERVICE_ACCEPT and of CHANNEL_OPEN_CONFIRMATION.
    accept: u32,
    logged_in: Timestamp,
    before: Option<Before>,
    /// Lengths of what the opener said last, and before that.
    asked: [u32; 2],
    /// What it said since it logged in.
    requests: u32,
    record: SshChannels,
}

impl Follower {
    /// Follows a segment.
    pub fn follow(&mut self, segment: &Segment, side: Side) {
        let length = segment.payload_on_wire;
        if self.stage == Stage::Lost
            || length == 0
            || segment.layer != Layer::Tcp
            || segment.has_tcp(tcp_flag::SYN)
        {
            return;
        }
        let Some(end) = self.ends.get_mut(side.index()) else {
            return;
        };
        // Said again, or out of turn.
        if end.is_some_and(|end| segment.sequence.wrapping_sub(end) >= 1 << 31) {
            return;
        }
        *end = Some(segment.sequence.wrapping_add(length));
        self.packets = self.packets.saturating_add(1);
        self.take(side, length, segment.at);
        let is_late = self
            .before
            .is_none_or(|before| segment.at.since(before.at) >= SILENCE);
        self.before = Some(Before {
            side,
            length,
            at: segment.at,
            is_late,
        });
        if side == Side::Client {
            let [last, _] = self.asked;
            self.asked = [length, last];
            self.requests = self.requests.saturating_add(1);
        }
    }

    fn take(&mut self, side: Side, length: u32, at: Timestamp) {
        match self.stage {
            Stage::Keys => self.exchange(side, length),
            Stage::LogIn => {
                if side == Side::Server && Some(length) == self.accept.checked_sub(ONE_OCTET) {
                    self.stage = Stage::Open;
                    self.logged_in = at;
                    self.requests = 0;
                }
            }
            Stage::Open => self.open(side, length, at),
            Stage::Lost => {}
        }
        if self.stage != Stage::Open && self.packets > LOG_IN {
            self.stage = Stage::Lost;
        }
    }

    /// Waits for the answer to the first packet behind the opener's NEWKEYS, behind the lists of both.
    fn exchange(&mut self, side: Side, length: u32) {
        let is_behind_lists = self.has_lists.iter().all(|has| *has);
        let [last, before] = self.asked;
        let is_first = last == length && before == NEW_KEYS || Some(last) == length.checked_add(NEW_KEYS);
        if is_behind_lists && side == Side::Server && is_first && ACCEPT.contains(&length) {
            self.accept = length;
            self.stage = Stage::LogIn;
        }
        if length >= LISTS
            && let Some(has) = self.has_lists.get_mut(side.index())
        {
            *has = true;
        }
    }

    /// Looks for a request and its confirmation.
    fn open(&mut self, side: Side, length: u32, at: Timestamp) {
        let is_first = self.record.first.is_none();
        if is_first
            && side == Side::Server
            && Some(length) == self.accept.checked_sub(ONE_OCTET)
            && at.since(self.logged_in) <= AT_ONCE
        {
            self.record.is_listening_asked = true;
        }
        if length != self.accept {
            return;
        }
        match (self.record.first, side) {
            // The end that was called may tell its keys between a first request and its confirmation.
            (None, Side::Server) => {
                let [request, _] = self.asked;
                match self.first_request(request) {
                    Some(kind) => self.count(kind, request),
                    None => self.stage = Stage::Lost,
                }
            }
            (Some(FirstChannel::Session), _) => {}
            (first, _) => {
                let kind = if side == Side::Client {
                    FirstChannel::Inward
                } else {
                    FirstChannel::Outward
                };
                let Some(before) = self.before.filter(|before| before.side != side) else {
                    return;
                };
                // The grant of what was asked for may come with the first connection.
                let granted = self.accept.saturating_sub(ONE_OCTET);
                let request = match before.length.checked_sub(granted) {
                    Some(rest) if is_first && !self.is_connection(before.length) => rest,
                    _ => before.length,
                };
                if self.is_connection(request) && (is_first || before.is_late && first == Some(kind)) {
                    self.record.is_listening_asked |= request != before.length;
                    self.count(kind, request);
                } else if is_first && self.requests > 0 {
                    // Something else was opened: from here on nothing is certain.
                    self.stage = Stage::Lost;
                }
            }
        }
    }

    /// Whether so long a packet may ask for a TCP connection.
    fn is_connection(&self, length: u32) -> bool {
        let more = length.saturating_sub(self.accept);
        CONNECTION.contains(&more) && more.is_multiple_of(BLOCK)
    }

    /// What the opener asked for first.
    fn first_request(&self, length: u32) -> Option<FirstChannel> {
        let more = length.checked_sub(self.accept)?;
        let more_than_two = more.checked_sub(self.accept);
        let is_two = more_than_two.is_some_and(|more| SESSION_AND_NO_MORE.contains(&more));
        // Of two messages in one segment the lengths, each whole blocks behind a head and a MAC, mostly do not fit one message.
        let is_session =
            SESSION.contains(&more) || is_two && (self.requests == 1 || !more.is_multiple_of(BLOCK));
        if is_session {
            Some(FirstChannel::Session)
        } else {
            self.is_connection(length).then_some(FirstChannel::Outward)
        }
    }

    fn count(&mut self, kind: FirstChannel, length: u32) {
        let (least, most) = self.record.lengths;
        self.record.lengths = if self.record.first.is_none() {
            (length, length)
        } else {
            (least.min(length), most.max(length))
        };
        self.record.first = Some(kind);
        self.record.opened = self.record.opened.saturating_add(1);
    }

    /// What was told; nothing of a connection in which nobody was seen to log in.
    #[must_use]
    pub fn into_record(self) -> Option<SshChannels> {
        (self.stage == Stage::Open).then_some(self.record)
    }
}

#[cfg(test)]
mod tests;

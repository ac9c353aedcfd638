//! The first packet of either side of OpenVPN, under each protection of the control channel.

use crate::dissect::cursor::Cursor;

pub(super) const CLIENT_RESET_V1: u8 = 1;
pub(super) const SERVER_RESET_V1: u8 = 2;
pub(super) const CLIENT_RESET_V2: u8 = 7;
pub(super) const SERVER_RESET_V2: u8 = 8;
pub(super) const CLIENT_RESET_V3: u8 = 10;

/// Lengths of the digests that tls-auth can use: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
pub(super) const DIGESTS: [u32; 6] = [16, 20, 28, 32, 48, 64];
/// Opcode and session.
const OPENING: u32 = 9;
/// Tag of tls-crypt.
const TAG: u32 = 32;
/// Replay counters start at one in their low half; early negotiation marks the high half (0x0f000001, seen also 0x0a010001).
const LARGEST_REPLAY: u32 = 1 << 12;
const EARLY_NEGOTIATION: [u32; 3] = [0, 0x0a01, 0x0f00];
/// Flags for the resumption of a wrapped key, hidden behind the server's answer.
const HIDDEN_FLAGS: u32 = 6;
/// Times that a clock may show: the years 2000 to 2099.
const TIMES: std::ops::Range<u32> = 946_684_800..4_102_444_800;
/// How the control channel is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    Plain,
    TlsAuth(u32),
    TlsCrypt,
}

/// The first packet of either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    pub(super) opcode: u8,
    pub(super) session: [u8; 8],
    pub(super) protection: Protection,
    /// The other side's session, where the packet acknowledges and is readable.
    answered: Option<[u8; 8]>,
}

impl Reset {
    /// Reads a reset; fields beyond a cut are not held against it, the length on the wire is.
    pub(super) fn read(bytes: &[u8], length: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let first = cursor.u8()?;
        let opcode = first >> 3;
        let is_reset = matches!(
            opcode,
            CLIENT_RESET_V1 | SERVER_RESET_V1 | CLIENT_RESET_V2 | SERVER_RESET_V2 | CLIENT_RESET_V3
        );
        if !is_reset || first & 7 != 0 {
            return None;
        }
        let session = cursor.array()?;
        if session == [0; 8] {
            return None;
        }
        let tail = length.checked_sub(OPENING)?;
        let (protection, answered) = if opcode == CLIENT_RESET_V3 {
            // The wrapped key is at least its tag, a type octet and its length.
            let has_wrapped_key = tail > 8 + TAG + 5 + TAG;
            (replay_fits(&mut cursor) && has_wrapped_key).then_some((Protection::TlsCrypt, None))?
        } else {
            read_protection(&cursor, tail)?
        };
        Some(Self {
            opcode,
            session,
            protection,
            answered,
        })
    }

    /// Whether this reset is another copy of `before`, or its answer, or what it answers.
    pub(super) fn fits(&self, before: &Self, same_side: bool) -> bool {
        if same_side {
            return self.opcode == before.opcode && self.session == before.session;
        }
        let is_pair = matches!(
            (self.opcode, before.opcode),
            (CLIENT_RESET_V1, SERVER_RESET_V1)
                | (SERVER_RESET_V1, CLIENT_RESET_V1)
                | (CLIENT_RESET_V2 | CLIENT_RESET_V3, SERVER_RESET_V2)
                | (SERVER_RESET_V2, CLIENT_RESET_V2 | CLIENT_RESET_V3)
        );
        is_pair
            && self.protection == before.protection
            && self.session != before.session
            && self.answered.is_none_or(|session| session == before.session)
            && before.answered.is_none_or(|session| session == self.session)
    }
}

/// Whether a replay counter and a time stand next; octets that were cut away fit.
fn replay_fits(cursor: &mut Cursor<'_>) -> bool {
    let counter_fits = cursor.u32().is_none_or(|counter| {
        (1..=LARGEST_REPLAY).contains(&(counter & 0xffff)) && EARLY_NEGOTIATION.contains(&(counter >> 16))
    });
    counter_fits && cursor.u32().is_none_or(|time| TIMES.contains(&time))
}

/// Finds the protection whose layout has exactly this length and believable contents.
fn read_protection(after_session: &Cursor<'_>, tail: u32) -> Option<(Protection, Option<[u8; 8]>)> {
    // Acknowledgements: none, or one with the other side's session; then the packet identifier.
    for plain in [5, 17] {
        let extra = tail.checked_sub(plain)?;
        let has_answer = plain == 17;
        if extra == 0
            && let Some(answered) = read_plain(after_session.clone(), has_answer)
        {
            return Some((Protection::Plain, answered));
        }
        if (extra == 8 + TAG || extra == 8 + TAG + HIDDEN_FLAGS) && replay_fits(&mut after_session.clone()) {
            return Some((Protection::TlsCrypt, None));
        }
        if let Some(digest) = extra.checked_sub(8).filter(|digest| DIGESTS.contains(digest)) {
            let mut cursor = after_session.clone();
            cursor.take_up_to(usize::try_from(digest).ok()?);
            if replay_fits(&mut cursor)
                && let Some(answered) = read_plain(cursor, has_answer)
            {
                return Some((Protection::TlsAuth(digest), answered));
            }
        }
    }
    None
}

/// The session that is answered, if any; nothing where the octets do not fit.
#[expect(
    clippy::option_option,
    reason = "outer: it fits; inner: there is a session to compare"
)]
fn read_plain(mut cursor: Cursor<'_>, has_answer: bool) -> Option<Option<[u8; 8]>> {
    let Some(count) = cursor.u8() else {
        return Some(None);
    };
    if count != u8::from(has_answer) {
        return None;
    }
    let answered = if has_answer {
        cursor.u32();
        cursor.array()
    } else {
        None
    };
    (cursor.u32().unwrap_or(0) == 0).then_some(answered)
}

//! TLS in the control channel of OpenVPN, where no key hides it (plain and tls-auth).
//!
//! Behind opcode and session (and what tls-auth adds) stand acknowledgements, the number of the packet and a piece of the
//! stream. Packets of one side are numbered from its reset on, which has zero; over UDP they come lost, twice or early.

use super::reset::{DIGESTS, Protection};
use crate::dissect::cursor::Cursor;
use crate::dissect::tls::Tls;
use crate::dissect::tls::record::HANDSHAKE;
use crate::dissect::{Dissection, Dissector as _, Input, Next};
use crate::model::fact::{Facts, Side};

/// Replay counter and time behind the digest of tls-auth.
const REPLAY: usize = 8;
/// Acknowledgements that one packet may carry.
const MOST_ACKNOWLEDGED: u8 = 8;
/// Packets that are kept because an earlier one is missing: OpenVPN sends at most this many unacknowledged.
const MOST_AHEAD: usize = 12;
/// Octets of one side that wait for the rest of their record.
const MOST_WAITING: usize = 32 << 10;

/// One side's stream.
#[derive(Default)]
struct Lane {
    /// How many packets were put together.
    taken: u32,
    ahead: Vec<(u32, Vec<u8>)>,
    waiting: Vec<u8>,
}

/// Both sides' streams, and what reads them.
pub(super) struct Control {
    tls: Box<dyn Dissection>,
    lanes: [Lane; 2],
    has_ended: bool,
}

impl Control {
    pub(super) fn new() -> Self {
        Self {
            tls: Tls.start(),
            lanes: Default::default(),
            has_ended: false,
        }
    }

    /// Whether nothing more is to be read.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Takes a control packet from behind its session on.
    pub(super) fn packet(&mut self, protection: Protection, bytes: &[u8], side: Side, facts: &mut Facts<'_>) {
        let Some((number, piece)) = piece(protection, bytes) else {
            self.has_ended |= protection == Protection::TlsCrypt;
            return;
        };
        let Some(lane) = self.lanes.get_mut(side.index()) else {
            return;
        };
        let Some(distance) = number.checked_sub(lane.taken) else {
            return;
        };
        match distance {
            // The reset has number zero and no piece, and was taken before the first.
            0 => {}
            1 => {
                lane.append(piece);
                self.has_ended |= lane.waiting.len() > MOST_WAITING;
                self.read(side, facts);
            }
            _ => lane.keep(number, piece),
        }
    }

    fn read(&mut self, side: Side, facts: &mut Facts<'_>) {
        let Some(lane) = self.lanes.get_mut(side.index()) else {
            return;
        };
        let input = Input {
            side,
            bytes: &lane.waiting,
            length_on_wire: u32::try_from(lane.waiting.len()).unwrap_or(u32::MAX),
            after_gap: false,
        };
        match self.tls.feed(&input, facts) {
            Next::More(consumed) => {
                lane.waiting.drain(..consumed.min(lane.waiting.len()));
            }
            Next::Done | Next::Reject | Next::Release | Next::Become(..) => {
                self.has_ended = true;
                self.lanes = Default::default();
            }
        }
    }
}

impl Lane {
    /// Appends the next packet, and those behind it that came early.
    fn append(&mut self, piece: &[u8]) {
        self.taken = self.taken.saturating_add(1);
        self.waiting.extend_from_slice(piece);
        let is_next = |(number, _): &(u32, Vec<u8>)| number.checked_sub(self.taken) == Some(1);
        if let Some(place) = self.ahead.iter().position(is_next) {
            let (_, piece) = self.ahead.swap_remove(place);
            self.append(&piece);
        }
    }

    fn keep(&mut self, number: u32, piece: &[u8]) {
        let is_new = self.ahead.iter().all(|(known, _)| *known != number);
        if is_new && self.ahead.len() < MOST_AHEAD {
            self.ahead.push((number, piece.to_vec()));
        }
    }
}

/// The protection under which the first packet of a side carries a handshake record, where no reset told it.
pub(super) fn protection(bytes: &[u8]) -> Option<Protection> {
    let digests = DIGESTS.into_iter().map(Protection::TlsAuth);
    [Protection::Plain]
        .into_iter()
        .chain(digests)
        .find(|protection| matches!(piece(*protection, bytes), Some((1, [HANDSHAKE, 3, ..]))))
}

/// Number and content of a control packet that can be read.
fn piece(protection: Protection, bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let (_, number) = head(protection, true, &mut cursor)?;
    Some((number?, cursor.rest()))
}

/// What a control packet acknowledges, and its own number.
pub(super) struct Acknowledging {
    /// Numbers of the other side's packets; the places behind the count mean nothing.
    acknowledged: [u32; MOST_ACKNOWLEDGED as usize],
    count: usize,
    /// Its own, which an acknowledgement alone has none of.
    pub(super) number: Option<u32>,
}

impl Acknowledging {
    /// Whether the packet of this number has arrived.
    pub(super) fn acknowledges(&self, number: u32) -> bool {
        self.acknowledged
            .iter()
            .take(self.count)
            .any(|one| *one == number)
    }
}

/// Reads that from behind the session on, where it is not encrypted.
pub(super) fn acknowledging(protection: Protection, has_number: bool, bytes: &[u8]) -> Option<Acknowledging> {
    let ((acknowledged, count), number) = head(protection, has_number, &mut Cursor::new(bytes))?;
    Some(Acknowledging {
        acknowledged,
        count,
        number,
    })
}

/// Numbers that a packet acknowledges, and how many they are.
type Numbers = ([u32; MOST_ACKNOWLEDGED as usize], usize);

/// What stands before the content of a control packet.
fn head(protection: Protection, has_number: bool, cursor: &mut Cursor<'_>) -> Option<(Numbers, Option<u32>)> {
    match protection {
        Protection::Plain => {}
        Protection::TlsAuth(digest) => cursor.skip(usize::try_from(digest).ok()?.checked_add(REPLAY)?)?,
        Protection::TlsCrypt => return None,
    }
    let count = usize::from(cursor.u8().filter(|count| *count <= MOST_ACKNOWLEDGED)?);
    let mut acknowledged = [0; MOST_ACKNOWLEDGED as usize];
    for place in acknowledged.iter_mut().take(count) {
        *place = cursor.u32()?;
    }
    if count > 0 {
        // The session of who is answered.
        cursor.skip(8)?;
    }
    let number = if has_number { Some(cursor.u32()?) } else { None };
    Some(((acknowledged, count), number))
}

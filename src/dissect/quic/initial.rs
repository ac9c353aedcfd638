//! Finds the keys that open an Initial packet.
//!
//! They come from the destination identifier of the client's first Initial packet, or of the first one after a Retry.
//! Neither need be in the capture as expected (it may begin late, the flow's opener may be guessed wrong, a server may
//! answer in another version), so what is known is tried first and then the packet's own identifier. AEAD tells
//! whether a guess was right; the number of guesses of a flow is bounded.

use crate::model::fact::Side;

use super::header::{Initial, Long};
use super::keys::{Derivation, Keys};

/// Derivations that one flow may cost (about 3 us each).
const MOST_DERIVATIONS: u8 = 12;

/// Keys that opened a packet.
#[derive(Debug)]
struct Known {
    version: u32,
    identifier: ([u8; 20], u8),
    client: Side,
    keys: [Keys; 2],
}

impl Known {
    fn identifier(&self) -> &[u8] {
        let (octets, length) = &self.identifier;
        octets.get(..usize::from(*length)).unwrap_or_default()
    }

    fn of(&self, side: Side) -> &Keys {
        let [client, server] = &self.keys;
        if side == self.client { client } else { server }
    }
}

/// Opens the Initial packets of one flow.
#[derive(Debug, Default)]
pub struct Opener {
    known: Option<Known>,
    derivations: u8,
    scratch: Vec<u8>,
}

impl Opener {
    /// Who the client is, once a packet was opened.
    #[must_use]
    pub fn client(&self) -> Option<Side> {
        self.known.as_ref().map(|known| known.client)
    }

    /// The frames of a packet, if keys for it can be found.
    pub fn open(&mut self, long: &Long<'_>, packet: &Initial<'_>, side: Side) -> Option<&[u8]> {
        let mut own_was_tried = false;
        let mut found = None;
        if let Some(known) = &self.known {
            if known.version == long.version {
                found = known.of(side).open(packet, &mut self.scratch);
                own_was_tried = known.identifier() == long.destination && known.client == side;
            } else {
                let (identifier, client) = (known.identifier, known.client);
                let octets = identifier.0.get(..usize::from(identifier.1)).unwrap_or_default();
                found = self.guess(long.version, octets, client, packet, side);
            }
        }
        if found.is_none() && !own_was_tried {
            found = self.guess(long.version, long.destination, side, packet, side);
        }
        self.scratch.get(found?)
    }

    fn guess(
        &mut self,
        version: u32,
        identifier: &[u8],
        client: Side,
        packet: &Initial<'_>,
        side: Side,
    ) -> Option<std::ops::Range<usize>> {
        if self.derivations >= MOST_DERIVATIONS {
            return None;
        }
        let derivation = Derivation::of(version)?;
        self.derivations = self.derivations.saturating_add(1);
        let mut octets = [0; 20];
        octets.get_mut(..identifier.len())?.copy_from_slice(identifier);
        let known = Known {
            version,
            identifier: (octets, u8::try_from(identifier.len()).ok()?),
            client,
            keys: Keys::derive(derivation, identifier),
        };
        let frames = known.of(side).open(packet, &mut self.scratch)?;
        self.known = Some(known);
        Some(frames)
    }
}

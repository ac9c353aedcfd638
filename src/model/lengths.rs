//! Lengths one behind the other, with who sent each: of a flow's first payloads, or of the records inside.
//!
//! What is encrypted still has a length, and programs open their conversations alike. A handful is kept, in place, and travels as octets
//! (two for each) in which signatures look for patterns.

use super::fact::Side;

/// Lengths that are kept at most: the longest opening that a signature knows has fourteen.
pub const MOST: usize = 20;

/// Payloads of a flow that are kept at most: as many as datagrams of a flow that nobody claims are probed.
pub const MOST_PAYLOADS: usize = 8;

/// Fewer say nothing: any two numbers come together somewhere.
pub const LEAST: usize = 3;

/// The longest length that is told from longer ones.
pub const LONGEST: u16 = 0x7fff;

/// The bit of what the server sent.
const FROM_SERVER: u16 = 0x8000;

/// Octets of one length.
pub const WIDTH: usize = 2;

/// A side and a length.
pub type Sent = (Side, u16);

/// The first lengths of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    octets: [u8; MOST * WIDTH],
    used: u8,
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            octets: [0; MOST * WIDTH],
            used: 0,
        }
    }
}

impl Lengths {
    /// Adds one; what is beyond [`MOST`] is dropped.
    pub fn push(&mut self, side: Side, length: u32) {
        let used = usize::from(self.used);
        let place = self.octets.get_mut(used..used.saturating_add(WIDTH));
        if let Some(place) = place {
            place.copy_from_slice(&octets((side, u16::try_from(length).unwrap_or(LONGEST))));
            self.used = u8::try_from(used.saturating_add(WIDTH)).unwrap_or(u8::MAX);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.used) / WIDTH
    }

    /// As facts carry them.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.used)).unwrap_or_default()
    }
}

/// One of them as octets.
#[must_use]
pub fn octets((side, length): Sent) -> [u8; WIDTH] {
    let from = match side {
        Side::Client => 0,
        Side::Server => FROM_SERVER,
    };
    (length.min(LONGEST) | from).to_be_bytes()
}

/// What a fact carries, one by one.
pub fn read(octets: &[u8]) -> impl Iterator<Item = Sent> {
    octets.chunks_exact(WIDTH).map(|pair| {
        let word = pair
            .iter()
            .fold(0_u16, |word, octet| word << 8 | u16::from(*octet));
        let side = if word & FROM_SERVER == 0 {
            Side::Client
        } else {
            Side::Server
        };
        (side, word & LONGEST)
    })
}

/// In words: `>517 <1175 >80`, where `>` is what the client sent.
#[must_use]
pub fn words(octets: &[u8]) -> String {
    let word = |(side, length): Sent| match side {
        Side::Client => format!(">{length}"),
        Side::Server => format!("<{length}"),
    };
    read(octets).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_no_more_than_there_is_room_for() {
        let mut lengths = Lengths::default();
        lengths.push(Side::Client, 517);
        lengths.push(Side::Server, 70_000);
        assert_eq!(words(lengths.octets()), ">517 <32767");
        for length in 0..40 {
            lengths.push(Side::Client, length);
        }
        assert_eq!(lengths.count(), MOST);
        let read: Vec<Sent> = read(lengths.octets()).collect();
        assert_eq!(read.len(), MOST);
        assert_eq!(read.last(), Some(&(Side::Client, 17)));
    }
}

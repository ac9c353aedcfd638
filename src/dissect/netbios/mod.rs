//! NetBIOS over UDP (RFC 1001, RFC 1002): names of Windows machines and workgroups.

pub mod datagram;
pub mod name_service;

use super::cursor::Cursor;

/// A NetBIOS name: fifteen characters and the kind of service in the sixteenth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetbiosName {
    octets: [u8; 15],
    /// The sixteenth octet: 0x00 workstation or group, 0x20 file server, 0x1b and 0x1c domain, 0x1d and 0x1e browser.
    pub suffix: u8,
}

impl NetbiosName {
    /// From the sixteen octets.
    #[must_use]
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        let [name @ .., suffix] = octets;
        Self { octets: name, suffix }
    }

    /// The characters as sent, without the blanks or zeros that fill them up.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        let end = self
            .octets
            .iter()
            .rposition(|octet| !matches!(octet, b' ' | 0))
            .map_or(0, |last| last.saturating_add(1));
        self.octets.get(..end).unwrap_or_default()
    }

    /// Reads a first-level encoded name (RFC 1001, 14.1): a label of 32 letters, two for each octet, behind it the
    /// labels of the scope and an empty one, or a pointer.
    pub fn read_encoded(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.u8()? != 32 {
            return None;
        }
        let letters = cursor.array::<32>()?;
        let mut octets = [0_u8; 16];
        for (octet, pair) in octets.iter_mut().zip(letters.as_chunks::<2>().0) {
            let [high, low] = pair.map(|letter| letter.wrapping_sub(b'A'));
            if high > 15 || low > 15 {
                return None;
            }
            *octet = high << 4 | low;
        }
        // The scope is at most 255 octets long, so this ends within 128 labels.
        for _ in 0..128 {
            match cursor.u8()? {
                0 => return Some(Self::from_octets(octets)),
                length @ 1..=63 => cursor.skip(usize::from(length))?,
                192.. => {
                    cursor.skip(1)?;
                    return Some(Self::from_octets(octets));
                }
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A name in first-level encoding, without scope.
    pub(crate) fn encoded(name: &[u8; 16]) -> Vec<u8> {
        let mut label = vec![32];
        for octet in name {
            label.extend([octet >> 4, octet & 15].map(|half| half.wrapping_add(b'A')));
        }
        label.push(0);
        label
    }

    #[test]
    fn the_example_of_rfc_1001_reads_as_the_name_it_encodes() {
        // "The NetBIOS name" with scope SCOPE.ID.COM, RFC 1001, 14.1, with the letter that the RFC has wrong (GH for h).
        let encoded = b"\x20FEGIGFCAEOGFHEECEJEPFDCAGOGBGNGF\x05SCOPE\x02ID\x03COM\x00";
        let name = NetbiosName::read_encoded(&mut Cursor::new(encoded)).unwrap();
        assert_eq!((name.text(), name.suffix), (&b"The NetBIOS nam"[..], b'e'));
        for end in 0..encoded.len() {
            assert_eq!(NetbiosName::read_encoded(&mut Cursor::new(&encoded[..end])), None);
        }
    }

    #[test]
    fn letters_beyond_p_are_no_encoded_name() {
        let encoded = b"\x20FEGHGFCAEOGFHEECEJEPFDCAGOGBGNGQ\x00";
        assert_eq!(NetbiosName::read_encoded(&mut Cursor::new(encoded)), None);
    }
}

//! The frames of an Initial packet (RFC 9000, 19): only CRYPTO says something.

use super::header::variable;
use crate::dissect::assembly::Assembly;
use crate::dissect::cursor::Cursor;

/// Bytes of one side's handshake that are put in order; a hello with post-quantum keys has about 2 KiB.
pub const LONGEST_STREAM: usize = 16 << 10;

/// Type of CRYPTO frames.
pub const CRYPTO: u8 = 6;

/// Puts the CRYPTO frames (frames of type `crypto_kind`) of an opened packet into `stream`; false if a frame could not be read.
pub fn collect(frames: &[u8], crypto_kind: u8, stream: &mut Assembly) -> bool {
    let mut cursor = Cursor::new(frames);
    // Every turn takes at least one byte, so that the packet's length bounds the loop.
    while let Some(kind) = cursor.u8() {
        let read = match kind {
            0 | 1 => Some(()),
            2 | 3 => acknowledgement(&mut cursor, kind == 3),
            _ if kind == crypto_kind => crypto(&mut cursor, stream),
            _ => None,
        };
        if read.is_none() {
            return false;
        }
    }
    true
}

fn acknowledgement(cursor: &mut Cursor<'_>, has_counts: bool) -> Option<()> {
    variable(cursor)?;
    variable(cursor)?;
    let ranges = variable(cursor)?;
    variable(cursor)?;
    for _ in 0..ranges {
        variable(cursor)?;
        variable(cursor)?;
    }
    if has_counts {
        for _ in 0..3 {
            variable(cursor)?;
        }
    }
    Some(())
}

fn crypto(cursor: &mut Cursor<'_>, stream: &mut Assembly) -> Option<()> {
    let offset = usize::try_from(variable(cursor)?).ok()?;
    let length = usize::try_from(variable(cursor)?).ok()?;
    let piece = cursor.take(length)?;
    stream.insert(offset, piece, LONGEST_STREAM);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_disorder_between_padding_come_out_in_order() {
        let mut stream = Assembly::default();
        let frames = [
            0, 0, 6, 3, 2, b'd', b'e', 1, 2, 0, 0, 0, 0, 6, 0, 3, b'a', b'b', b'c', 0,
        ];
        assert!(collect(&frames, CRYPTO, &mut stream));
        assert_eq!(stream.contiguous(), b"abcde");
    }

    #[test]
    fn an_acknowledgement_of_endless_ranges_ends_with_its_bytes() {
        let mut stream = Assembly::default();
        let frames = [2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1, 1];
        assert!(!collect(&frames, CRYPTO, &mut stream));
    }
}

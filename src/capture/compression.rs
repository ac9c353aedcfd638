//! Compressed captures, told by their first bytes: gzip (RFC 1952), Zstandard (RFC 8878), LZ4 frames, xz.

use std::io::{self, BufRead, BufReader, Read};

use lz4_flex::frame::FrameDecoder;

/// Compressions around a capture that are opened: a compressed file that was compressed again, no more.
pub const MOST_LAYERS: usize = 2;

/// Memory that a decompressor may ask for, in KiB: the largest preset of xz needs 65 MiB to read.
const XZ_MEMORY_KIB: u32 = 256 << 10;

/// Bytes that a decompressor reads at once.
const READ_AT_ONCE: usize = 128 << 10;

/// Bytes that a decompressor is asked for at once: the most that is lost before damage.
const STEP: usize = 4 << 10;

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// gzip, several members one behind the other.
    Gzip,
    /// Zstandard, several frames.
    Zstd,
    /// LZ4 frame format.
    Lz4,
    /// xz, several streams.
    Xz,
}

/// First bytes of each.
const MAGIC: [(&[u8], Scheme); 4] = [
    (&[0x1f, 0x8b, 0x08], Scheme::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Scheme::Zstd),
    (&[0x04, 0x22, 0x4d, 0x18], Scheme::Lz4),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0x00], Scheme::Xz),
];

impl Scheme {
    /// The compression that starts with these bytes.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        MAGIC
            .iter()
            .find_map(|(magic, scheme)| head.starts_with(magic).then_some(*scheme))
    }

    /// Whether these bytes, all that there are, could have become a compressed file.
    #[must_use]
    pub fn may_follow(head: &[u8]) -> bool {
        MAGIC.iter().any(|(magic, _)| magic.starts_with(head))
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }

    /// A reader of what was compressed into `inner`.
    pub fn decoder(self, inner: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        let inner = BufReader::with_capacity(READ_AT_ONCE, inner);
        Ok(match self {
            Self::Gzip => steps(flate2::bufread::MultiGzDecoder::new(inner)),
            Self::Zstd => steps(zstd::stream::read::Decoder::with_buffer(inner)?),
            Self::Lz4 => steps(Lz4Frames(FrameDecoder::new(inner))),
            Self::Xz => steps(lzma_rust2::XzReader::new_mem_limit(inner, true, XZ_MEMORY_KIB)),
        })
    }
}

fn steps<R: Read + Send + 'static>(inner: R) -> Box<dyn Read + Send> {
    Box::new(Steps {
        inner,
        held: Box::new([0; STEP]),
        from: 0,
        to: 0,
    })
}

/// Asks a decompressor for little at a time, whatever is asked of itself.
///
/// A decompressor that meets damage gives the error and keeps what it had decompressed in that call: a small gzip with one
/// wrong bit gave nothing at all, and what was lost depended on the size of the block. Found by fuzzing.
struct Steps<R> {
    inner: R,
    held: Box<[u8; STEP]>,
    from: usize,
    to: usize,
}

impl<R: Read> Read for Steps<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.from >= self.to {
            self.from = 0;
            self.to = 0;
            self.to = self.inner.read(self.held.as_mut_slice())?;
        }
        let waiting = self.held.get(self.from..self.to).unwrap_or_default();
        let length = waiting.len().min(buffer.len());
        let (head, waiting) = (buffer.get_mut(..length), waiting.get(..length));
        if let (Some(head), Some(waiting)) = (head, waiting) {
            head.copy_from_slice(waiting);
        }
        self.from = self.from.saturating_add(length);
        Ok(length)
    }
}

/// LZ4 frames one behind the other; the decoder itself reports an end after each.
struct Lz4Frames<R: Read>(FrameDecoder<BufReader<R>>);

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.0.read(buffer)?;
            if length > 0 || buffer.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    /// What can be read of damaged gzip by a reader that asks for `at_once` bytes.
    fn readable(bytes: &[u8], at_once: usize) -> Vec<u8> {
        let mut decoder = Scheme::Gzip.decoder(Cursor::new(bytes.to_vec())).unwrap();
        let mut buffer = vec![0; at_once];
        let mut all = Vec::new();
        while let Ok(length @ 1..) = decoder.read(&mut buffer) {
            all.extend_from_slice(&buffer[..length]);
        }
        all
    }

    #[test]
    fn what_stands_before_damage_is_read_however_much_is_asked_for() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        for number in 0..8_000_u32 {
            write!(gzip, "{:x}", number.wrapping_mul(2_654_435_761)).unwrap();
        }
        let whole = gzip.finish().unwrap();
        let middle = whole.len() / 2;
        for position in middle..middle + 100 {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x55;
            let much = readable(&damaged, 1 << 20);
            assert_eq!(much, readable(&damaged, 64));
            assert!(
                much.len() > 16 << 10,
                "{} bytes before byte {position}",
                much.len()
            );
        }
    }
}

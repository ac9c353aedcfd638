//! Compressed captures, told by their first bytes: gzip (RFC 1952), Zstandard (RFC 8878), LZ4 frames, xz.

use std::io::{self, BufRead, BufReader, Read};

use lz4_flex::frame::FrameDecoder;

/// Compressions around a capture that are opened: a compressed file that was compressed again, no more.
pub const MOST_LAYERS: usize = 2;

/// Memory that a decompressor may ask for, in KiB: the largest preset of xz needs 65 MiB to read.
const XZ_MEMORY_KIB: u32 = 256 << 10;

/// Bytes that a decompressor reads at once.
const READ_AT_ONCE: usize = 128 << 10;

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

impl Scheme {
    /// The compression that starts with these bytes.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Some(Self::Xz),
            _ => None,
        }
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
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(inner)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(inner)?),
            Self::Lz4 => Box::new(Lz4Frames(FrameDecoder::new(inner))),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(inner, true, XZ_MEMORY_KIB)),
        })
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

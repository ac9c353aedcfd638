//! Captures out: pcapng with each frame's origin in its comment, and classic pcap.

use std::io::{self, Write};

use crate::model::frame::LinkType;
use crate::model::time::{SECOND, Timestamp};

/// Longest comment that is written: what an option's length can say.
const LONGEST_COMMENT: usize = 65_535;

/// Writes pcapng (draft-ietf-opsawg-pcapng): one section, an interface for each link type, nanoseconds, little-endian.
pub struct PcapngWriter<W: Write> {
    out: W,
    links: Vec<LinkType>,
}

impl<W: Write> PcapngWriter<W> {
    /// Writes the section's header.
    pub fn new(mut out: W) -> io::Result<Self> {
        let mut body = Vec::with_capacity(16);
        body.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0]);
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        write_block(&mut out, 0x0a0d_0d0a, &[&body])?;
        Ok(Self {
            out,
            links: Vec::new(),
        })
    }

    /// Writes a frame; an interface is described before the first frame of its link type.
    pub fn frame(
        &mut self,
        link: LinkType,
        at: Timestamp,
        bytes: &[u8],
        length_on_wire: u32,
        comment: Option<&str>,
    ) -> io::Result<()> {
        let id = match self.links.iter().position(|known| *known == link) {
            Some(id) => id,
            None => self.interface(link, None)?,
        };
        let ticks = at.0.max(0).unsigned_abs();
        let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or(0));
        let mut head = [0; 20];
        let fields = [
            u32::try_from(id).unwrap_or(0),
            high,
            low,
            length(bytes)?,
            length_on_wire,
        ];
        for (place, field) in head.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let mut options = Vec::new();
        if let Some(comment) = comment {
            let kept = comment.floor_char_boundary(LONGEST_COMMENT);
            let kept = comment.as_bytes().get(..kept).unwrap_or_default();
            put_option(&mut options, 1, kept);
            options.extend_from_slice(&[0; 4]);
        }
        write_block(&mut self.out, 6, &[&head, bytes, padding(bytes.len()), &options])
    }

    /// Describes an interface, with a name if there is one; frames of this link type that follow belong to the first one
    /// described.
    pub fn interface(&mut self, link: LinkType, name: Option<&str>) -> io::Result<usize> {
        let mut body = Vec::with_capacity(32);
        body.extend_from_slice(&link.0.to_le_bytes());
        body.extend_from_slice(&[0; 2]);
        body.extend_from_slice(&262_144_u32.to_le_bytes());
        if let Some(name) = name {
            put_option(&mut body, 2, name.as_bytes());
        }
        put_option(&mut body, 9, &[9]);
        body.extend_from_slice(&[0; 4]);
        write_block(&mut self.out, 1, &[&body])?;
        self.links.push(link);
        Ok(self.links.len().saturating_sub(1))
    }

    /// Flushes, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Writes classic pcap in nanoseconds (or microseconds), little-endian.
pub struct PcapWriter<W: Write> {
    out: W,
    nanoseconds: bool,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header; all frames have this link type.
    pub fn new(mut out: W, link: LinkType, nanoseconds: bool) -> io::Result<Self> {
        let magic: u32 = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let fields = [magic, 0x0004_0002, 0, 0, 262_144, u32::from(link.0)];
        for field in fields {
            out.write_all(&field.to_le_bytes())?;
        }
        Ok(Self { out, nanoseconds })
    }

    /// Writes a frame; times before 1970 and after 2106 are clamped.
    pub fn frame(&mut self, at: Timestamp, bytes: &[u8], length_on_wire: u32) -> io::Result<()> {
        let seconds = u32::try_from(at.0.div_euclid(SECOND).max(0)).unwrap_or(u32::MAX);
        let nanoseconds = u32::try_from(at.0.rem_euclid(SECOND)).unwrap_or(0);
        let fraction = if self.nanoseconds {
            nanoseconds
        } else {
            nanoseconds / 1_000
        };
        for field in [seconds, fraction, length(bytes)?, length_on_wire] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(bytes)
    }

    /// Flushes, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn length(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a frame longer than 4 GiB"))
}

/// Zeros that round `length` up to four.
fn padding(length: usize) -> &'static [u8] {
    const ZEROS: &[u8] = &[0; 3];
    let missing = length.next_multiple_of(4).saturating_sub(length);
    ZEROS.get(..missing).unwrap_or_default()
}

fn put_option(list: &mut Vec<u8>, code: u16, value: &[u8]) {
    list.extend_from_slice(&code.to_le_bytes());
    list.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    list.extend_from_slice(value.get(..LONGEST_COMMENT).unwrap_or(value));
    list.extend_from_slice(padding(value.len()));
}

fn write_block(out: &mut impl Write, kind: u32, parts: &[&[u8]]) -> io::Result<()> {
    let body = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let length = u32::try_from(body.saturating_add(12))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a block longer than 4 GiB"))?
        .to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    for part in parts {
        out.write_all(part)?;
    }
    out.write_all(&length)
}

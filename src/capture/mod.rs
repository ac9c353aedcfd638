//! Capture: from files, standard input and interfaces to blocks of frames.
//!
//! Takes paths or an interface; gives [`Block`]s whose frames stand in the order of analysis. Must not look above the
//! link header. Damage never ends a run: what can be read is delivered, what cannot is named by file and byte offset.
//!
//! An input of a new kind is one file with a [`Source`] and one arm where sources are opened.
#![warn(clippy::arithmetic_side_effects)]

mod bpf;
mod classic;
pub mod compression;
pub mod counters;
pub mod filter;
pub mod inputs;
pub mod live;
pub mod merge;
mod options;
pub mod patient;
mod pcapng;
mod repeated;
mod resolution;
mod resume;
pub mod savefile;
pub mod span;
mod stream;
pub mod watching;
pub mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::model::block::Block;
use crate::model::frame::LinkType;
use crate::model::loss::Losses;
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;

use counters::CaptureCounters;
use inputs::Input;
use patient::Stop;

/// Where blocks of frames come from.
pub trait Source: Send {
    /// Replaces what `block` held by the next frames. `false` means that the source has ended and the block is empty;
    /// `true` means to go on, also where the block is empty because nothing came in time or a filter took everything.
    ///
    /// Damage inside a capture is no error: it is told by [`Source::take_damage`].
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError>;

    /// How far the reading is.
    fn progress(&self) -> Progress;

    /// What could not be delivered since the last call, counted by cause.
    fn take_losses(&mut self) -> Losses;

    /// Damage found since the last call, the first [`counters::MOST_DAMAGE`] places of each capture.
    fn take_damage(&mut self) -> Vec<Damage>;

    /// What is known of each capture so far, in the order of their indices.
    fn captures(&self) -> Vec<&CaptureCounters>;

    /// Whether it heeds the wish to stop itself, and still gives what it holds by then.
    fn ends_itself(&self) -> bool {
        false
    }
}

/// Position in the inputs, in bytes of the files as they stand on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, before decompression.
    pub read: u64,
    /// Bytes there are, where that is known.
    pub total: Option<u64>,
}

/// A place in a capture that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The capture as the user named it.
    pub path: PathBuf,
    /// Its index in the list of captures.
    pub capture: u16,
    /// Byte offset in the capture, after decompression.
    pub offset: u64,
    /// What is wrong there.
    pub cause: &'static str,
    /// What the operating system or the decompressor said of it.
    pub detail: Option<String>,
    /// Bytes that were passed over because of it.
    pub skipped: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: at byte {}: {}",
            self.path.display(),
            self.offset,
            self.cause
        )?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        if self.skipped > 0 {
            write!(f, ", {} bytes passed over", self.skipped)?;
        }
        Ok(())
    }
}

/// Why an input could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A file or folder that was named does not exist.
    #[error("{path}: no such file or folder", path = .0.display())]
    NotFound(PathBuf),
    /// It exists, but the operating system does not let us read it.
    #[error("{path}: {cause}", path = .0.display(), cause = .1)]
    Open(PathBuf, io::Error),
    /// Its first bytes belong to no format that we read.
    #[error("{path}: not a capture (starts with {start:02x?})", path = .0.display(), start = .1)]
    UnknownFormat(PathBuf, Vec<u8>),
    /// A folder or a pattern that holds no capture.
    #[error("{path}: no capture found", path = .0.display())]
    NothingFound(PathBuf),
    /// A folder or a pattern that holds nothing that could be read, and the first of what could not.
    #[error("{argument}: no capture could be read ({path}: {cause})", argument = .argument.display(), path = .path.display())]
    NothingRead {
        /// As the user named it.
        argument: PathBuf,
        /// What could not be read.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// More captures than an index can number.
    #[error("{0} captures are more than the 65536 that one analysis can number")]
    TooMany(usize),
    /// The capture filter is wrong whatever the link type: a mistake on the command line.
    #[error("filter \"{filter}\": {cause}")]
    Filter {
        /// As the user wrote it.
        filter: String,
        /// What libpcap says of it.
        cause: String,
    },
    /// The capture filter cannot be used on frames of a link type that occurs.
    #[error("filter \"{filter}\" cannot be used on link type {link}: {cause}", link = .link.0)]
    FilterForLink {
        /// As the user wrote it.
        filter: String,
        /// The link type that was met.
        link: LinkType,
        /// What libpcap says of it.
        cause: String,
    },
    /// No interface of this name exists.
    #[error("{name}: no such interface (there are: {existing})")]
    UnknownInterface {
        /// As the user wrote it.
        name: String,
        /// Names of the interfaces that exist.
        existing: String,
    },
    /// Capturing on the interface is not allowed to us.
    #[error("{0}: no permission to capture (needs CAP_NET_RAW, and CAP_NET_ADMIN for promiscuous mode)")]
    Permission(String),
    /// The interface failed or went away.
    #[error("{interface}: {cause}")]
    Interface {
        /// Its name.
        interface: String,
        /// What libpcap says.
        cause: String,
    },
}

impl CaptureError {
    /// Whether the command line is wrong, as opposed to the input.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Filter { .. })
    }
}

/// How captures are read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Bounds.
    pub limits: Limits,
    /// Whether the SHA-256 of each capture is computed while it is read (about 0.5 s a gigabyte).
    pub digest: bool,
    /// Capture filter in libpcap's language.
    pub filter: Option<String>,
    /// Frames before this moment are passed over.
    pub since: Option<Timestamp>,
    /// Frames after this moment are passed over.
    pub until: Option<Timestamp>,
    /// Ends the reading of what may keep silent.
    pub stop: Stop,
}

/// Opens captures as one source in time order; [`inputs::expand`] makes the list.
pub fn open(inputs: &[Input], reading: &Reading) -> Result<Box<dyn Source>, CaptureError> {
    let programs = reading.filter.as_deref().map(filter::Programs::new).transpose()?;
    let source: Box<dyn Source> = match inputs {
        [only] => Box::new(savefile::SaveFile::open_as(
            only,
            0,
            &reading.limits,
            reading.digest,
            false,
            &reading.stop,
        )?),
        several => Box::new(merge::Merge::open(
            several,
            &reading.limits,
            reading.digest,
            &reading.stop,
        )?),
    };
    Ok(narrow(source, programs, reading))
}

/// Puts the capture filter and the span of time in front of `source`, where they are asked for.
fn narrow(source: Box<dyn Source>, programs: Option<filter::Programs>, reading: &Reading) -> Box<dyn Source> {
    let mut source = source;
    if reading.since.is_some() || reading.until.is_some() {
        source = Box::new(span::Span::new(source, reading.since, reading.until));
    }
    if let Some(programs) = programs {
        source = Box::new(filter::Filter::new(source, programs));
    }
    source
}

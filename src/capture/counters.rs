//! What is known of one capture: counters, interfaces, comments, damage.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Damage;
use super::compression::Scheme;
use super::watching::Watching;
use crate::model::frame::{FrameHeader, LinkType};
use crate::model::loss::Losses;
use crate::model::time::Timestamp;

/// Places of damage that are named for one capture; further ones are only counted.
pub const MOST_DAMAGE: usize = 64;
/// Comments that are kept for one capture.
pub const MOST_COMMENTS: usize = 4_096;
/// Longest comment that is kept, in bytes.
pub const LONGEST_COMMENT: usize = 1_024;

/// The format of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Nothing was in it.
    #[default]
    Empty,
    /// Classic pcap of tcpdump.
    Pcap,
    /// Classic pcap with the longer record headers of Kuznetsov's patch.
    ModifiedPcap,
    /// pcapng.
    Pcapng,
    /// An interface.
    Live,
}

/// One interface of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name, where the capture says it.
    pub name: Option<String>,
    /// Its link type.
    pub link: LinkType,
    /// Longest frame that it captures; 0 means unlimited.
    pub snap_length: u32,
    /// Packets that it received, as the last statistics say.
    pub received: Option<u64>,
    /// Packets dropped by the interface.
    pub dropped_by_interface: Option<u64>,
    /// Packets dropped by the operating system.
    pub dropped_by_system: Option<u64>,
}

/// Counters of one capture.
#[derive(Clone, Debug, Default)]
pub struct CaptureCounters {
    /// As the user named it; `-` for standard input; the name of an interface.
    pub path: PathBuf,
    /// What it is.
    pub format: Format,
    /// How it is compressed, outermost first.
    pub compression: Vec<Scheme>,
    /// Size on disk in bytes, where known; of a stream, the bytes that were read of it, before decompression.
    pub size: Option<u64>,
    /// Frames delivered.
    pub packets: u64,
    /// Captured bytes of those frames.
    pub bytes: u64,
    /// Their bytes on the wire.
    pub bytes_on_wire: u64,
    /// Frames of which fewer octets were captured than were on the wire.
    pub cut: u64,
    /// Earliest time of a frame.
    pub first: Option<Timestamp>,
    /// Latest time of a frame.
    pub last: Option<Timestamp>,
    /// When it ran.
    pub watching: Watching,
    /// Frames by link type.
    pub links: BTreeMap<LinkType, u64>,
    /// Its interfaces; one for classic pcap.
    pub interfaces: Vec<Interface>,
    /// Frames without a time of their own (simple packet blocks).
    pub untimed: u64,
    /// Comments: number of the frame, 0 where one is about the whole capture or an interface, and text.
    pub comments: Vec<(u64, String)>,
    /// Comments that were not kept.
    pub comments_not_kept: u64,
    /// Places of damage.
    pub damaged: u64,
    /// SHA-256 of the file as it stands on disk: known at its end, if it was asked for.
    pub sha256: Option<[u8; 32]>,
}

impl CaptureCounters {
    /// Counts the frames of one block.
    pub(super) fn count(&mut self, frames: &[FrameHeader]) {
        let Some(head) = frames.first() else { return };
        let (mut first, mut last) = (head.at, head.at);
        let (mut bytes, mut on_wire) = (0_u64, 0_u64);
        let (mut link, mut of_link) = (head.link, 0_u64);
        for frame in frames {
            first = first.min(frame.at);
            last = last.max(frame.at);
            bytes = bytes.wrapping_add(u64::from(frame.captured));
            on_wire = on_wire.wrapping_add(u64::from(frame.length_on_wire));
            if frame.link != link {
                self.count_link(link, of_link);
                (link, of_link) = (frame.link, 0);
            }
            of_link = of_link.wrapping_add(1);
        }
        self.count_link(link, of_link);
        // Nearly all captures hold their frames whole.
        if bytes < on_wire {
            let is_cut = |frame: &&FrameHeader| frame.captured < frame.length_on_wire;
            let cut = frames.iter().filter(is_cut).count();
            self.cut = self.cut.saturating_add(cut as u64);
        }
        self.packets = self.packets.saturating_add(frames.len() as u64);
        self.bytes = self.bytes.saturating_add(bytes);
        self.bytes_on_wire = self.bytes_on_wire.saturating_add(on_wire);
        self.first = Some(self.first.map_or(first, |earlier| earlier.min(first)));
        self.last = Some(self.last.map_or(last, |earlier| earlier.max(last)));
        self.watching.block(frames, first, last);
    }

    fn count_link(&mut self, link: LinkType, many: u64) {
        let counter = self.links.entry(link).or_default();
        *counter = counter.saturating_add(many);
    }

    /// Keeps a comment, within bounds.
    pub(super) fn comment(&mut self, number: u64, text: &[u8]) {
        if self.comments.len() >= MOST_COMMENTS {
            self.comments_not_kept = self.comments_not_kept.saturating_add(1);
            return;
        }
        let kept = text.get(..LONGEST_COMMENT).unwrap_or(text);
        let kept = String::from_utf8_lossy(kept).trim_end_matches('\0').to_owned();
        self.comments.push((number, kept));
    }
}

/// Damage and losses that nobody has fetched yet.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) damage: Vec<Damage>,
    pub(super) losses: Losses,
}

impl Troubles {
    /// Notes damage in a capture; the list is bounded, the counters are not.
    pub(super) fn note(&mut self, counters: &mut CaptureCounters, damage: Damage) {
        self.losses.count(damage.cause);
        if counters.damaged < MOST_DAMAGE as u64 {
            self.damage.push(damage);
        }
        counters.damaged = counters.damaged.saturating_add(1);
    }
}

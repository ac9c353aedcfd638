//! The summary: what was read, what was lost, what was found (INTERFACE, last line).

use std::collections::BTreeMap;

use serde::Serialize;

use super::loss::Losses;
use super::time::Timestamp;
use super::vantage::Vantage;

/// One capture that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CaptureRecord {
    /// Its path as given, or `-`.
    pub path: String,
    /// Digest of the file as it stands on disk, where it was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Bytes of the file as it stands on disk.
    pub bytes: u64,
    /// Packets read.
    pub packets: u64,
    /// Link types, by name.
    pub link_types: Vec<String>,
    /// First packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// What was lost and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<DamageRecord>,
    /// What those who captured or looked at it wrote into it (pcapng).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<CommentRecord>,
    /// Further comments, of which only the number was kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub comments_not_kept: u64,
    /// Packets that the capturing kernel dropped, where it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_dropped: Option<u64>,
    /// How its clock ran, where not evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockRecord>,
    /// By how much its clock differs from that of another capture which saw the same packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<ClockOffsetRecord>,
}

/// A comment in a capture: bytes from outside, like everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CommentRecord {
    /// Number of the frame that it is about; absent where it is about the capture, or about an interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// What it says.
    pub text: String,
}

impl CommentRecord {
    /// A comment on a frame, whose number is 0 where it is about none.
    #[must_use]
    pub fn new(frame: u64, text: &str) -> Self {
        Self {
            frame: (frame != 0).then_some(frame),
            text: text.to_owned(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The clock of a capture against that of another, from packets that both saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClockOffsetRecord {
    /// Index of the other capture.
    pub against: u16,
    /// Median of this one's time less the other's, in microseconds; the way between the two points is in it.
    pub offset_us: i64,
    /// Half of the range that holds eight of ten.
    pub spread_us: i64,
    /// Packets that it rests on.
    pub packets: u32,
}

/// How the clock of a capture ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClockRecord {
    /// Packets that stand behind a later one, by less than a second.
    pub out_of_order: u64,
    /// Steps back by a second or more: the clock was set.
    pub backward: u64,
    /// Steps forward by an hour or more: silence, or the clock was set.
    pub forward: u64,
    /// The furthest that it went back, in milliseconds.
    pub furthest_back_ms: u64,
}

/// One place where a capture could not be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DamageRecord {
    /// Byte offset in the capture (after decompression).
    pub offset: u64,
    /// What is wrong there.
    pub cause: String,
}

/// A database of places in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DatabaseRecord {
    /// Its type as its metadata says.
    pub name: String,
    /// Build date.
    pub built: String,
    /// Path, or `embedded`.
    pub source: String,
    /// Licence and the words that its makers ask to be named by.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attribution: String,
}

/// What an analysis did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Time of the last packet, so that two runs over the same input print the same bytes. Where none passed the filter, of the
    /// last that was read; where none was read, the beginning of 1970: every record has a time, and `time_span` has none then.
    pub timestamp: Timestamp,
    /// Captures in canonical order; evidence refers to them by index.
    pub captures: Vec<CaptureRecord>,
    /// Files and folders in the folders that were named which should have been read and could not be; the remarks name them.
    pub captures_unread: u64,
    /// Packets.
    pub packets: PacketCounts,
    /// Flows.
    pub flows: u64,
    /// Peak number of flows held.
    pub flows_peak: u64,
    /// Flows that were ended early because the table was at its ceiling.
    pub flows_evicted: u64,
    /// Local machines.
    pub hosts: u64,
    /// Findings by kind and confidence.
    pub findings: BTreeMap<String, BTreeMap<String, u64>>,
    /// Groups by verdict.
    pub farms: BTreeMap<String, u64>,
    /// Why what was not seen may well be there, where captures hold little: minutes of traffic, frames cut to their headers,
    /// one direction alone, connections that were joined in their middle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub little: Option<String>,
    /// Where the captures were taken; absent where no host of ours was seen and nobody said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vantage: Option<VantageRecord>,
    /// First and last packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_span: Option<[Timestamp; 2]>,
    /// Seconds that the analysis took; absent unless asked for, because output does not depend on the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<f64>,
    /// Version of the program.
    pub version: String,
    /// Version of the catalogue.
    pub signatures: String,
    /// Hash of the model's weights.
    pub weights: String,
    /// Databases of places.
    pub geo: Vec<DatabaseRecord>,
    /// Things the reader should know: old databases, unknown columns, refused files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Where the captures were taken, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VantageRecord {
    /// The vantage that priors and limits of sight were taken from.
    pub name: Vantage,
    /// Who says so, or what speaks for it, in words.
    pub judged_by: String,
    /// Whether nobody says so and nothing speaks for it.
    #[serde(skip)]
    pub is_assumed: bool,
}

/// Packets by fate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PacketCounts {
    /// Read from captures.
    pub read: u64,
    /// Decoded to at least a link or network conversation; copies are not among them.
    pub decoded: u64,
    /// Recognised as copies of another packet and counted once.
    pub duplicates: u64,
    /// Removed by the capture filter or the time span.
    pub filtered: u64,
    /// Not or not wholly understood, by cause.
    pub skipped: Losses,
    /// Damaged, by cause.
    pub damaged: Losses,
}

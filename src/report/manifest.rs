//! `manifest.json`: what went in, what came out, by which program with which knowledge, and when.
//!
//! The one file of a case that holds wall-clock fields; they stand together under `run`.

use serde::Serialize;

use crate::model::case::Case;
use crate::model::summary::DatabaseRecord;
use crate::model::time::Timestamp;

use super::json::write_line;

/// Its name; a folder that holds it holds a case.
pub const MANIFEST: &str = "manifest.json";

/// A file, its digest and length as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileRecord {
    /// Path as given; for outputs relative to the case folder.
    pub path: String,
    /// SHA-256, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What the caller knows about the run, and the case does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// The command line, program first.
    pub command_line: Vec<String>,
    /// Files read beside the captures: inventory, policy, signatures of the user's own.
    pub inputs: Vec<FileRecord>,
    /// When the run began and ended, by the wall clock.
    pub run: Option<[Timestamp; 2]>,
}

/// Wall-clock fields.
#[derive(Serialize)]
struct Run {
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_seconds: Option<f64>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

/// The manifest.
#[derive(Serialize)]
pub(super) struct Manifest<'a> {
    event_type: &'static str,
    timestamp: Timestamp,
    tool: Tool<'a>,
    signatures: &'a str,
    weights: &'a str,
    databases: &'a [DatabaseRecord],
    command_line: &'a [String],
    inputs: Vec<FileRecord>,
    outputs: Vec<FileRecord>,
    run: Run,
}

impl<'a> Manifest<'a> {
    pub(super) fn new(case: &'a Case, provenance: &'a Provenance, outputs: Vec<FileRecord>) -> Self {
        let summary = &case.summary;
        let captures = summary.captures.iter().map(|capture| FileRecord {
            path: capture.path.clone(),
            sha256: capture.sha256.clone(),
            bytes: Some(capture.bytes),
        });
        let [started, finished] = provenance.run.map_or([None, None], |run| run.map(Some));
        Self {
            event_type: "manifest",
            timestamp: summary.timestamp,
            tool: Tool {
                name: "farmhawk",
                version: &summary.version,
            },
            signatures: &summary.signatures,
            weights: &summary.weights,
            databases: &summary.geo,
            command_line: &provenance.command_line,
            inputs: captures.chain(provenance.inputs.iter().cloned()).collect(),
            outputs,
            run: Run {
                started,
                finished,
                wall_seconds: summary.wall_seconds.or_else(|| {
                    provenance
                        .run
                        .map(|[started, finished]| seconds(started, finished))
                }),
            },
        }
    }

    /// One line of JSON.
    pub(super) fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing texts and numbers to memory cannot fail.
        let _ = write_line(&mut text, self);
        text
    }
}

/// Seconds from one moment to another.
#[must_use]
pub fn seconds(started: Timestamp, finished: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
    let milliseconds = (finished.since(started) / 1_000_000) as f64;
    milliseconds / 1_000.0
}

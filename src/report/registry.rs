//! The outputs of a case folder, a line each.

use std::io;

use super::case::CaseFile;
use super::output::{Document, Output, Render};
use super::parquet::FlowTable;
use super::{html, json, stix, timeline};

/// An output of the case folder.
pub struct Entry {
    /// Its file.
    pub file: &'static str,
    /// Begins it.
    pub open: fn(CaseFile) -> io::Result<Box<dyn Output<CaseFile>>>,
}

/// Everything that a case folder holds beside its manifest.
pub const OUTPUTS: &[Entry] = &[
    entry("report.html", |to| document(to, html::write)),
    entry("summary.json", |to| document(to, json::summary)),
    entry("farms.jsonl", |to| document(to, json::farms)),
    entry("hosts.jsonl", |to| document(to, json::hosts)),
    entry("findings.jsonl", |to| document(to, json::findings)),
    entry("flows.parquet", |to| Ok(Box::new(FlowTable::new(to)?))),
    entry("stix.json", |to| document(to, stix::write)),
    entry("timeline.csv", |to| document(to, timeline::write)),
];

const fn entry(file: &'static str, open: fn(CaseFile) -> io::Result<Box<dyn Output<CaseFile>>>) -> Entry {
    Entry { file, open }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the type of an entry: other outputs write when they begin"
)]
fn document(to: CaseFile, render: Render) -> io::Result<Box<dyn Output<CaseFile>>> {
    Ok(Box::new(Document::new(to, render)))
}

//! The default database: country and AS for every address, inside the program.
//!
//! `geoip/default.mmdb.xz` is decompressed once, at the first lookup and not at the start: a run that never asks for a
//! public address never pays for it. Its tables are known to have faults (geoip/README.md), so no finding above low confidence may
//! rest on it alone: see `Place::country_is_default` and `Place::network_is_default`.

use std::io::Read;
use std::sync::OnceLock;

use maxminddb::Reader;

/// The database as it stands in the repository.
static COMPRESSED: &[u8] = include_bytes!("../../geoip/default.mmdb.xz");

/// Bytes that the decompressed database may have at most; what is larger is damaged.
const LARGEST: u64 = 256 << 20;

/// A table that the default was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name of the package that carried it.
    pub package: &'static str,
    /// Version of that package.
    pub version: &'static str,
    /// Date of its data, `YYYY-MM-DD`.
    pub date: &'static str,
    /// What was taken from it.
    pub gives: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// The words of thanks that the licence asks for.
    pub attribution: &'static str,
}

/// The tables that the default was made from, in the order of `geoip/sources.tsv`.
#[must_use]
pub fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let lines = include_str!("../../geoip/sources.tsv").lines();
        lines.skip(1).filter_map(source).collect()
    })
}

fn source(line: &'static str) -> Option<Source> {
    let mut columns = line.split('\t');
    Some(Source {
        package: columns.next()?,
        version: columns.next()?,
        date: columns.next()?,
        gives: columns.next()?,
        licence: columns.next()?,
        attribution: columns.next()?,
    })
}

/// Date of the newest of its tables, `YYYY-MM-DD`: the date of the database.
#[must_use]
pub fn date() -> &'static str {
    sources()
        .iter()
        .map(|source| source.date)
        .max()
        .unwrap_or_default()
}

/// Decompresses the default and opens it.
///
/// An error is a damaged build of this program, in the words of the decoder.
pub(super) fn open() -> Result<Reader<Vec<u8>>, String> {
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(COMPRESSED, false)
        .take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|cause| cause.to_string())?;
    Reader::from_source(bytes).map_err(|cause| cause.to_string())
}

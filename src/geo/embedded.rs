//! The default database: country and AS for every address, inside the program.
//!
//! `geoip/default.mmdb.xz` is unpacked when the program is built; at run time only the pages that a lookup touches are
//! read. Its tables are known to have faults (geoip/README.md), so no finding above low confidence may
//! rest on it alone: see `Place::country_is_default` and `Place::network_is_default`.

use std::borrow::Cow;
use std::sync::OnceLock;

use maxminddb::Reader;

/// The database, unpacked by the build script.
static UNPACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/default.mmdb"));

/// A table that the default was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
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

/// Opens the default.
///
/// An error is a damaged build of this program, in the words of the reader.
pub(super) fn open() -> Result<Reader<Cow<'static, [u8]>>, String> {
    Reader::from_source(Cow::Borrowed(UNPACKED)).map_err(|cause| cause.to_string())
}

//! Builds the embedded default: two public tables merged into one small database.
//!
//! Input are CSV tables of ranges, `first,last,country` and `first,last,asn,organisation` with both ends included, as the
//! packages named in `geoip/renew.sh` carry them. Output is one .mmdb with `country_code`, `asn` and `org`, compressed with xz where its name ends in `.xz`.
//! The same input and date give the same bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use lzma_rust2::{XzOptions, XzWriter};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};

use super::countries::CountryCode;
use super::ranges::{address, number};

/// What the metadata of the built database call it.
pub const DATABASE_TYPE: &str = "farmhawk-country-asn";

/// xz preset: the slowest, since the file is built once and read by everybody.
const PRESET: u32 = 9;

/// What to build from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Tables `first,last,country`.
    pub countries: Vec<PathBuf>,
    /// Tables `first,last,asn,organisation`.
    pub networks: Vec<PathBuf>,
    /// Date of the tables, `YYYY-MM-DD`; becomes the build date.
    pub date: String,
    /// What the metadata say of the sources: packages with versions.
    pub description: String,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Rows taken from the country tables.
    pub country_rows: usize,
    /// Rows taken from the AS tables.
    pub network_rows: usize,
    /// Rows passed over or cut, because an earlier one holds the same addresses.
    pub overlaps: usize,
    /// Ranges written.
    pub ranges: usize,
    /// Size of the database.
    pub mmdb_bytes: usize,
    /// Size as written, compressed or not.
    pub written_bytes: usize,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file cannot be read or written.
    #[error("{path}: {cause}", path = .0.display(), cause = .1)]
    File(PathBuf, io::Error),
    /// A row of a table is wrong.
    #[error("{path}:{line}: {what}", path = .0.display(), line = .1, what = .2)]
    Row(PathBuf, u64, String),
    /// The date is none.
    #[error("{0:?} is not a date (YYYY-MM-DD)")]
    Date(String),
    /// The database could not be assembled.
    #[error("the database cannot be written: {0}")]
    Writer(#[from] mmdb_writer::Error),
}

/// A row of a table on the number line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span<T> {
    first: u128,
    last: u128,
    value: T,
}

/// A network by number and position of its name in the list of names.
type Network = (u32, u32);

/// Merges the tables and writes the database to `out`, compressed where that name ends in `.xz`.
pub fn build(inputs: &Inputs, out: &Path) -> Result<Built, BuildError> {
    let epoch = epoch_of(&inputs.date).ok_or_else(|| BuildError::Date(inputs.date.clone()))?;
    let mut names = BTreeMap::new();
    let mut countries = Vec::new();
    for path in &inputs.countries {
        read_table(path, &mut countries, |row| CountryCode::parse(row.get(2)?))?;
    }
    let mut networks = Vec::new();
    for path in &inputs.networks {
        read_table(path, &mut networks, |row| {
            let asn = row.get(2)?.parse().ok()?;
            let next = u32::try_from(names.len()).ok()?;
            let name = row.get(3).unwrap_or_default().to_owned();
            Some((asn, *names.entry(name).or_insert(next)))
        })?;
    }
    let (country_rows, network_rows) = (countries.len(), networks.len());
    let overlaps = disjoin(&mut countries) + disjoin(&mut networks);
    let spans = merge(&countries, &networks);
    let names: BTreeMap<u32, String> = names
        .into_iter()
        .map(|(name, position)| (position, name))
        .collect();
    let bytes = assemble(&spans, &names, epoch, &inputs.description)?;
    let file = |cause| BuildError::File(out.to_owned(), cause);
    let mmdb_bytes = bytes.len();
    let is_compressed = out
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xz"));
    let written = if is_compressed {
        compress(&bytes).map_err(file)?
    } else {
        bytes
    };
    fs::write(out, &written).map_err(file)?;
    Ok(Built {
        country_rows,
        network_rows,
        overlaps,
        ranges: spans.len(),
        mmdb_bytes,
        written_bytes: written.len(),
    })
}

/// Seconds since 1970 of a date `YYYY-MM-DD` in UTC.
#[must_use]
pub fn epoch_of(date: &str) -> Option<u64> {
    let date: jiff::civil::Date = date.parse().ok()?;
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(at.timestamp().as_second()).ok()
}

/// Appends the rows of one table.
fn read_table<T>(
    path: &Path,
    rows: &mut Vec<Span<T>>,
    mut value: impl FnMut(&csv::StringRecord) -> Option<T>,
) -> Result<(), BuildError> {
    let file = File::open(path).map_err(|cause| BuildError::File(path.to_owned(), cause))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(file);
    for record in reader.records() {
        let record = record.map_err(|cause| {
            let line = cause.position().map_or(0, csv::Position::line);
            BuildError::Row(path.to_owned(), line, cause.to_string())
        })?;
        let wrong = |what: &str| {
            let line = record.position().map_or(0, csv::Position::line);
            BuildError::Row(path.to_owned(), line, what.to_owned())
        };
        let ip = |column| record.get(column)?.parse::<IpAddr>().ok();
        let (Some(first), Some(last)) = (ip(0), ip(1)) else {
            return Err(wrong("no range of addresses in the first two columns"));
        };
        if first > last || first.is_ipv4() != last.is_ipv4() {
            return Err(wrong("the range ends before it begins"));
        }
        let value = value(&record).ok_or_else(|| wrong("no country or AS number in the third column"))?;
        rows.push(Span {
            first: number(first),
            last: number(last),
            value,
        });
    }
    Ok(())
}

/// Sorts the rows and cuts each where an earlier one ends; returns how many were touched.
fn disjoin<T>(rows: &mut Vec<Span<T>>) -> usize {
    rows.sort_by_key(|span| span.first);
    let mut touched = 0;
    let mut free_from = 0_u128;
    rows.retain_mut(|span| {
        if span.first < free_from {
            touched += 1;
            if span.last < free_from {
                return false;
            }
            span.first = free_from;
        }
        free_from = span.last.saturating_add(1);
        true
    });
    touched
}

/// What both tables say, in ranges in which neither changes; equal neighbours are joined.
pub(super) fn merge<A: Copy + PartialEq, B: Copy + PartialEq>(
    left: &[Span<A>],
    right: &[Span<B>],
) -> Vec<Span<(Option<A>, Option<B>)>> {
    let mut merged: Vec<Span<(Option<A>, Option<B>)>> = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    let mut at = 0_u128;
    loop {
        while lefts.next_if(|span| span.last < at).is_some() {}
        while rights.next_if(|span| span.last < at).is_some() {}
        let (a, b) = (lefts.peek(), rights.peek());
        let starts = [a.map(|span| span.first), b.map(|span| span.first)];
        let Some(first) = starts.into_iter().flatten().map(|first| first.max(at)).min() else {
            return merged;
        };
        let a = a.map(|span| (span.first, span.last, span.value));
        let b = b.map(|span| (span.first, span.last, span.value));
        let end_of = |span: (u128, u128)| {
            if span.0 <= first {
                span.1
            } else {
                span.0.saturating_sub(1)
            }
        };
        let ends = [
            a.map(|span| end_of((span.0, span.1))),
            b.map(|span| end_of((span.0, span.1))),
        ];
        let last = ends.into_iter().flatten().min().unwrap_or(first);
        let value = (
            a.and_then(|span| (span.0 <= first).then_some(span.2)),
            b.and_then(|span| (span.0 <= first).then_some(span.2)),
        );
        match merged.last_mut() {
            Some(previous) if previous.value == value && previous.last.checked_add(1) == Some(first) => {
                previous.last = last;
            }
            _ => merged.push(Span { first, last, value }),
        }
        let Some(next) = last.checked_add(1) else {
            return merged;
        };
        at = next;
    }
}

fn assemble(
    spans: &[Span<(Option<CountryCode>, Option<Network>)>],
    names: &BTreeMap<u32, String>,
    epoch: u64,
    description: &str,
) -> Result<Vec<u8>, BuildError> {
    let mut writer = Writer::builder(DATABASE_TYPE)
        .description(&[("en", description)])
        .ipv4_aliasing(Ipv4Aliasing::Disabled)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(epoch))
        .build();
    for span in spans {
        let (country, network) = &span.value;
        let mut record: Vec<(&str, Value)> = Vec::with_capacity(3);
        if let Some(country) = country {
            record.push(("country_code", Value::from(country.as_str())));
        }
        if let Some((asn, name)) = network {
            record.push(("asn", Value::from(*asn)));
            if let Some(name) = names.get(name).filter(|name| !name.is_empty()) {
                record.push(("org", Value::from(name.as_str())));
            }
        }
        writer.insert_range(address(span.first), address(span.last), &Value::map(record))?;
    }
    Ok(writer.to_bytes()?)
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(PRESET))?;
    writer.write_all(bytes)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn two_tables_become_one_database_with_the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = Inputs {
            countries: vec![table(
                folder.path(),
                "c.csv",
                "8.0.0.0,8.0.3.255,US\n2600::,2600:0:0:ffff:ffff:ffff:ffff:ffff,US\n",
            )],
            networks: vec![table(
                folder.path(),
                "n.csv",
                "8.0.2.0,8.0.5.255,64500,\"Example, Inc.\"\n",
            )],
            date: "2026-06-17".to_owned(),
            description: "test".to_owned(),
        };
        let (one, two) = (folder.path().join("1.xz"), folder.path().join("2.xz"));
        let built = build(&inputs, &one).unwrap();
        build(&inputs, &two).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
        assert_eq!(
            (
                built.country_rows,
                built.network_rows,
                built.ranges,
                built.overlaps
            ),
            (2, 1, 4, 0)
        );
        let mut bytes = Vec::new();
        let compressed = fs::read(&one).unwrap();
        io::Read::read_to_end(&mut lzma_rust2::XzReader::new(&compressed[..], false), &mut bytes).unwrap();
        let reader = maxminddb::Reader::from_source(bytes).unwrap();
        assert_eq!(reader.metadata().build_epoch, epoch_of("2026-06-17").unwrap());
        let both: serde_json::Value = reader
            .lookup("8.0.2.1".parse().unwrap())
            .unwrap()
            .decode()
            .unwrap()
            .unwrap();
        assert_eq!(
            both,
            serde_json::json!({"country_code": "US", "asn": 64_500, "org": "Example, Inc."})
        );
        let network: serde_json::Value = reader
            .lookup("8.0.4.1".parse().unwrap())
            .unwrap()
            .decode()
            .unwrap()
            .unwrap();
        assert_eq!(
            network,
            serde_json::json!({"asn": 64_500, "org": "Example, Inc."})
        );
    }

    #[test]
    fn a_wrong_row_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        for (text, wanted) in [
            (
                "8.0.0.0,8.0.0.1,US\n8.0.0.9,8.0.0.2,US\n",
                "c.csv:2: the range ends before it begins",
            ),
            ("x,8.0.0.1,US\n", "c.csv:1: no range of addresses"),
            ("8.0.0.0,8.0.0.1,USA\n", "c.csv:1: no country"),
        ] {
            let inputs = Inputs {
                countries: vec![table(folder.path(), "c.csv", text)],
                date: "2026-06-17".to_owned(),
                ..Inputs::default()
            };
            let error = build(&inputs, &folder.path().join("out"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let error = build(&Inputs::default(), Path::new("out"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "\"\" is not a date (YYYY-MM-DD)");
    }

    fn spans() -> impl Strategy<Value = Vec<Span<u8>>> {
        proptest::collection::vec((0_u128..60, 0_u128..12, 0_u8..3), 0..12).prop_map(|rows| {
            let mut spans: Vec<_> = rows
                .into_iter()
                .map(|(first, more, value)| Span {
                    first,
                    last: first + more,
                    value,
                })
                .collect();
            disjoin(&mut spans);
            spans
        })
    }

    proptest! {
        #[test]
        fn a_merge_says_of_every_address_what_both_tables_say(left in spans(), right in spans()) {
            let merged = merge(&left, &right);
            let at = |spans: &[Span<u8>], n: u128| spans.iter().find(|s| s.first <= n && n <= s.last).map(|s| s.value);
            for n in 0..80 {
                let expected = (at(&left, n), at(&right, n));
                let said = merged.iter().find(|s| s.first <= n && n <= s.last).map_or((None, None), |s| s.value);
                prop_assert_eq!(said, expected, "address {}", n);
            }
            for pair in merged.windows(2) {
                prop_assert!(pair[0].last < pair[1].first);
            }
        }
    }
}

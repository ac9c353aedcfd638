//! Places: what databases say of a public address.
//!
//! Takes an address; gives country, coordinates, network and its kind, each with the database that said so. Sees
//! no packets and no flows.
//!
//! Databases of the user come first, the finest and newest of them before the others; field by field, the first that
//! knows wins, and the embedded default fills what is left. Coordinates never come from a database that
//! names another country than the one taken.

pub mod build;
pub mod countries;
pub mod embedded;
mod flat;
pub mod kinds;
mod lists;
mod maxmind;
mod place;
pub mod ranges;
pub mod reverse;
pub mod status;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use maxminddb::{Metadata, Reader, WithinOptions};
use serde::Serialize;

use crate::model::sphere::Coordinates;
use crate::model::time::Timestamp;
use countries::CountryCode;
use kinds::NetworkKind;
use lists::List;
pub use place::{Part, Place, PlaceSource};
use ranges::Reserved;

/// A database that was opened, as the summary and `geoip status` show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseDescription {
    /// File name without extension, or `embedded`.
    pub name: String,
    /// What its metadata call it.
    #[serde(rename = "type")]
    pub database_type: String,
    /// When it was built, `YYYY-MM-DD`.
    pub build_date: String,
    /// Where it was read from; absent for the embedded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Shape of its records: `nested` or `flat`.
    pub format: &'static str,
    /// Licence and the words of thanks that it asks for.
    pub attribution: String,
    /// Whether it is the embedded default, on which alone nothing above low confidence may rest.
    pub is_default: bool,
    /// Seconds since 1970 of its build.
    #[serde(skip)]
    pub build_epoch: u64,
}

/// An opened database.
pub(crate) struct Database {
    description: Arc<DatabaseDescription>,
    pub(crate) reader: Reader<Cow<'static, [u8]>>,
    format: &'static dyn Format,
}

/// A shape of records. One file each, listed in [`FORMATS`].
pub(crate) trait Format: Sync {
    /// Name of the shape.
    fn name(&self) -> &'static str;
    /// Whether the database has this shape, by its metadata and its first records.
    fn recognises(&self, metadata: &Metadata, samples: &[serde_json::Value]) -> bool;
    /// What the database says of `ip`.
    fn read(&self, database: &Database, ip: IpAddr) -> Option<Record>;
}

/// Every shape, in the order in which they are tried.
static FORMATS: &[&dyn Format] = &[&maxmind::Nested, &flat::Flat];

/// Records that are looked at to tell a database's shape.
const SAMPLES: usize = 16;

/// First bytes of an xz file (The .xz File Format 1.2.1, 2.1.1.1).
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Memory that unpacking may take, in KiB: the largest preset of xz needs 65 MiB.
const XZ_MEMORY_KIB: u32 = 256 << 10;

/// Longest database that is unpacked; the largest that are sold stay below 1 GB.
const LONGEST_UNPACKED: u64 = 2 << 30;

/// Networks, with data or without, that are looked at for samples.
const LOOKED_AT: usize = 4_096;

/// What one database says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) country: Option<CountryCode>,
    pub(crate) region: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) coordinates: Option<Coordinates>,
    pub(crate) accuracy_radius_km: Option<u32>,
    pub(crate) asn: Option<u32>,
    pub(crate) as_org: Option<String>,
    pub(crate) kind: Option<NetworkKind>,
}

/// Why a database was not taken; the run goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The file or folder cannot be read.
    #[error("{path}: {cause}", path = .0.display(), cause = .1)]
    Unreadable(PathBuf, io::Error),
    /// A folder without databases.
    #[error("{path}: no .mmdb file and no list of ranges in this folder", path = .0.display())]
    Empty(PathBuf),
    /// Not a database, or a damaged one.
    #[error("{path}: not a readable .mmdb database: {cause}", path = .0.display(), cause = .1)]
    Damaged(PathBuf, String),
    /// A database about something else.
    #[error("{path}: database of type {kind:?} holds no country, city, AS or anonymity field that is known here", path = .0.display(), kind = .1)]
    Foreign(PathBuf, String),
    /// A list of ranges with something wrong in a line, or with line 0 in the whole.
    #[error("{path}{line}: {what}", path = .0.display(), line = line_of(*.1), what = .2)]
    List(PathBuf, usize, String),
}

/// A line as faults name it.
fn line_of(line: usize) -> String {
    if line == 0 {
        String::new()
    } else {
        format!(":{line}")
    }
}

/// Where the databases' records on an address lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    reserved: Option<Reserved>,
    list: Option<usize>,
    records: [Option<usize>; 6],
}

/// The databases of a run.
pub struct Geo {
    /// The user's, finest and newest first.
    databases: Vec<Database>,
    /// The user's lists of ranges, newest first.
    lists: Vec<List>,
    /// The embedded one, opened at the first lookup; `None` inside when it could not be.
    default: Option<OnceLock<Option<Database>>>,
    default_description: Arc<DatabaseDescription>,
    /// Findings and hosts ask for the same few places again and again.
    known: RwLock<Known>,
}

type Hashed = rapidhash::fast::RandomState;

/// Places that were put together.
#[derive(Default)]
struct Known {
    /// By address: where in `places`. IPv4 apart, of which there are many: half the memory to search.
    by_v4: HashMap<u32, u32, Hashed>,
    by_v6: HashMap<u128, u32, Hashed>,
    /// By where their records lie: whole networks have one.
    by_position: HashMap<Position, u32, Hashed>,
    places: Vec<Option<Arc<Place>>>,
}

impl Known {
    fn of_address(&self, ip: IpAddr) -> Option<&Option<Arc<Place>>> {
        let place = match ip {
            IpAddr::V4(ip) => self.by_v4.get(&ip.to_bits()),
            IpAddr::V6(ip) => self.by_v6.get(&ip.to_bits()),
        };
        self.places.get(usize::try_from(*place?).ok()?)
    }

    fn of_position(&self, position: Position) -> Option<(u32, &Option<Arc<Place>>)> {
        let place = *self.by_position.get(&position)?;
        Some((place, self.places.get(usize::try_from(place).ok()?)?))
    }

    /// Remembers a place; forgets all others where there are too many.
    fn keep(&mut self, ip: IpAddr, position: Option<Position>, place: Option<Arc<Place>>) {
        if self.by_v4.len().max(self.by_v6.len()) >= MOST_KNOWN || self.places.len() >= MOST_KNOWN {
            *self = Self::default();
        }
        let known = position.and_then(|position| self.of_position(position));
        let index = known.map_or_else(
            || u32::try_from(self.places.len()).unwrap_or(u32::MAX),
            |(index, _)| index,
        );
        if known.is_none() {
            self.places.push(place);
            if let Some(position) = position {
                self.by_position.insert(position, index);
            }
        }
        match ip {
            IpAddr::V4(ip) => self.by_v4.insert(ip.to_bits(), index),
            IpAddr::V6(ip) => self.by_v6.insert(ip.to_bits(), index),
        };
    }
}

/// Places that are kept.
const MOST_KNOWN: usize = 1 << 16;

impl Geo {
    /// The embedded default alone.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            databases: Vec::new(),
            lists: Vec::new(),
            default: Some(OnceLock::new()),
            default_description: Arc::new(default_description()),
            known: RwLock::default(),
        }
    }

    /// The user's databases (files, or folders of `.mmdb` files, either compressed with xz or not) before the embedded default. Those that cannot be used
    /// are named in the errors; the others are in use.
    #[must_use]
    pub fn open(paths: &[PathBuf]) -> (Self, Vec<GeoError>) {
        let mut geo = Self::embedded();
        let mut errors = Vec::new();
        for path in paths.iter().flat_map(|path| match files(path) {
            Ok(files) => files.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }) {
            let path = match path {
                Ok(path) => path,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let opened = match lists::open(&path) {
                Some(list) => list.map(|list| geo.lists.push(list)),
                None => open_file(&path).map(|database| geo.databases.push(database)),
            };
            errors.extend(opened.err());
        }
        geo.lists.sort_by(|a, b| {
            let newest_first = b.description.build_epoch.cmp(&a.description.build_epoch);
            newest_first.then_with(|| a.description.path.cmp(&b.description.path))
        });
        geo.databases.sort_by(|a, b| {
            let newest_first = b.description.build_epoch.cmp(&a.description.build_epoch);
            fineness(b)
                .cmp(&fineness(a))
                .then(newest_first)
                .then_with(|| a.description.path.cmp(&b.description.path))
        });
        (geo, errors)
    }

    /// The user's databases without the embedded default.
    #[must_use]
    pub fn without_default(mut self) -> Self {
        self.default = None;
        self
    }

    /// What is known of `ip`; `None` for private and reserved addresses and for those that no database knows.
    ///
    /// Addresses kept for documentation and benchmarks are asked of the user's databases only.
    #[must_use]
    pub fn place(&self, ip: IpAddr) -> Option<Arc<Place>> {
        // Most are ours, or known already.
        if matches!(ip, IpAddr::V4(ip) if ip.is_private()) {
            return None;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.of_address(ip) {
            return place.clone();
        }
        if ranges::reserved(ranges::embedded_ipv4(ip)) == Some(Reserved::NotGlobal) {
            return None;
        }
        let position = self.position(ip);
        let of_network = position.and_then(|position| Some(known.of_position(position)?.1.clone()));
        drop(known);
        let place = of_network.unwrap_or_else(|| self.read(ip).map(Arc::new));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.keep(ip, position, place.clone());
        place
    }

    /// What lists and databases say of an address that is not a private one.
    fn read(&self, ip: IpAddr) -> Option<Place> {
        let ip = ranges::embedded_ipv4(ip);
        let reserved = ranges::reserved(ip);
        let mut place = Place::default();
        // What the user wrote down himself comes before what anybody sells.
        if let Some(list) = self.lists.iter().find(|list| list.holds(ip)) {
            let record = Record {
                kind: Some(list.kind),
                ..Record::default()
            };
            place.fill(record, &list.description);
        }
        for database in &self.databases {
            if let Some(record) = database.format.read(database, ip) {
                place.fill(record, &database.description);
            }
        }
        let is_wanting = place.country.is_none() || place.asn.is_none();
        if reserved.is_none()
            && is_wanting
            && let Some(database) = self.default_database()
            && let Some(record) = database.format.read(database, ip)
        {
            place.fill(record, &database.description);
        }
        if place.kind.is_none() {
            let known = place.asn.and_then(kinds::known_network);
            place.kind = known.map(|known| known.kind);
            place.kind_source = known.map(|known| {
                format!(
                    "AS{} in the shipped table ({}, {})",
                    known.asn, known.source, known.read
                )
            });
        }
        (!place.sources.is_empty()).then_some(place)
    }

    /// Where the databases' records on `ip` lie: addresses of one position have one place. Nothing with more databases
    /// than a position has room for.
    #[must_use]
    pub fn position(&self, ip: IpAddr) -> Option<Position> {
        let ip = ranges::embedded_ipv4(ip);
        let reserved = ranges::reserved(ip);
        let mut position = Position {
            reserved,
            ..Position::default()
        };
        if reserved == Some(Reserved::NotGlobal) {
            return Some(position);
        }
        position.list = self.lists.iter().position(|list| list.holds(ip));
        let databases = self.databases.iter().chain(self.default_database());
        let mut places = position.records.iter_mut();
        for database in databases {
            *places.next()? = database.reader.lookup(ip).ok().and_then(|found| found.offset());
        }
        Some(position)
    }

    /// Unpacks the embedded default now, which takes a third of a second (measured, release build); the first lookup does
    /// it otherwise. Whoever has a thread to spare calls this from it while captures are read.
    pub fn warm(&self) {
        let _ = self.default_database();
    }

    /// The databases in use, in order of preference.
    pub fn databases(&self) -> impl Iterator<Item = &DatabaseDescription> {
        let default = self.default.as_ref().map(|_| self.default_description.as_ref());
        self.databases
            .iter()
            .map(|database| database.description.as_ref())
            .chain(self.lists.iter().map(|list| list.description.as_ref()))
            .chain(default)
    }

    /// The user's lists of kind `tor`: what each is called and its day, and its networks. Whoever is called there, or calls from there, is a relay.
    #[must_use]
    pub fn tor_lists(&self) -> Vec<(String, Vec<ipnet::IpNet>)> {
        let lists = self.lists.iter().filter(|list| !list.networks.is_empty());
        lists
            .map(|list| {
                let named = &list.description;
                (
                    format!("{} {}", named.name, named.build_date),
                    list.networks.clone(),
                )
            })
            .collect()
    }

    /// Whether nothing but the embedded default is in use.
    #[must_use]
    pub const fn has_default_only(&self) -> bool {
        self.databases.is_empty() && self.lists.is_empty()
    }

    fn default_database(&self) -> Option<&Database> {
        let open = || {
            let reader = embedded::open()
                .inspect_err(|cause| tracing::warn!(cause, "the embedded address database cannot be read"))
                .ok()?;
            Some(Database {
                description: Arc::clone(&self.default_description),
                reader,
                format: &flat::Flat,
            })
        };
        self.default.as_ref()?.get_or_init(open).as_ref()
    }
}

/// Finer databases come first: a city before a country before the rest.
fn fineness(database: &Database) -> u8 {
    let kind = database.description.database_type.to_ascii_lowercase();
    let words = [
        ("enterprise", 4),
        ("city", 3),
        ("location", 3),
        ("country", 2),
        ("anonymous", 1),
    ];
    words
        .iter()
        .find(|(word, _)| kind.contains(word))
        .map_or(0, |(_, rank)| *rank)
}

/// The databases and lists at `path`: itself, or the `.mmdb`, `.cidr` and `.netset` files of a folder in order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, GeoError> {
    let unreadable = |cause| GeoError::Unreadable(path.to_owned(), cause);
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if lists::has_ending(&file) || is_named_like_a_database(&file) {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(GeoError::Empty(path.to_owned()));
    }
    Ok(found)
}

/// The file's name without `.mmdb` and `.xz`.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".xz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
        .to_owned()
}

/// The bytes themselves, or what was compressed into them with xz.
fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(&XZ_MAGIC) {
        return Ok(bytes);
    }
    let mut database = Vec::new();
    let reader = lzma_rust2::XzReader::new_mem_limit(&*bytes, true, XZ_MEMORY_KIB);
    reader.take(LONGEST_UNPACKED).read_to_end(&mut database)?;
    Ok(database)
}

/// Whether a file of a folder is named like a database.
fn is_named_like_a_database(path: &Path) -> bool {
    let has = |path: &Path, wanted: &str| {
        path.extension()
            .is_some_and(|own| own.eq_ignore_ascii_case(wanted))
    };
    has(path, "mmdb") || has(path, "xz") && has(&path.with_extension(""), "mmdb")
}

fn open_file(path: &Path) -> Result<Database, GeoError> {
    let damaged = |cause: maxminddb::MaxMindDbError| GeoError::Damaged(path.to_owned(), cause.to_string());
    let bytes = fs::read(path).map_err(|cause| GeoError::Unreadable(path.to_owned(), cause))?;
    let bytes = unpacked(bytes).map_err(|cause| GeoError::Damaged(path.to_owned(), cause.to_string()))?;
    let reader = Reader::from_source(Cow::Owned(bytes)).map_err(damaged)?;
    let mut samples = Vec::new();
    // What would be passed over is asked for, too, and counted (empty networks, second ways to IPv4): a tree of a hundred
    // nodes whose branches join again has more of it than can ever be walked. Before the first network with data stand at most as
    // many as an address has bits.
    let everything = WithinOptions::default()
        .include_networks_without_data()
        .include_aliased_networks();
    for network in reader.networks(everything).map_err(damaged)?.take(LOOKED_AT) {
        samples.extend(
            network
                .map_err(damaged)?
                .decode::<serde_json::Value>()
                .map_err(damaged)?,
        );
        if samples.len() >= SAMPLES {
            break;
        }
    }
    let metadata = reader.metadata();
    let Some(format) = FORMATS
        .iter()
        .find(|format| format.recognises(metadata, &samples))
    else {
        return Err(GeoError::Foreign(path.to_owned(), metadata.database_type.clone()));
    };
    let description = DatabaseDescription {
        name: name_of(path),
        database_type: metadata.database_type.clone(),
        build_date: date_of(metadata.build_epoch),
        path: Some(path.to_owned()),
        format: format.name(),
        attribution: status::attribution(&metadata.database_type).to_owned(),
        is_default: false,
        build_epoch: metadata.build_epoch,
    };
    Ok(Database {
        description: Arc::new(description),
        reader,
        format: *format,
    })
}

fn default_description() -> DatabaseDescription {
    DatabaseDescription {
        name: "embedded".to_owned(),
        database_type: build::DATABASE_TYPE.to_owned(),
        build_date: embedded::date().to_owned(),
        path: None,
        format: "flat",
        attribution: status::default_attribution(),
        is_default: true,
        build_epoch: build::epoch_of(embedded::date()).unwrap_or_default(),
    }
}

/// `YYYY-MM-DD` of seconds since 1970.
fn date_of(epoch: u64) -> String {
    let at = Timestamp::from_parts(i64::try_from(epoch).unwrap_or(i64::MAX), 0);
    at.to_text().as_str().get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;

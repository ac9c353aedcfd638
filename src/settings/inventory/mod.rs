//! The inventory: which machines are expected, whose they are, where and when their people work.
//!
//! CSV with a header, or a JSON array of objects. A bad cell is named with its line and what is wrong with it and left out; its row
//! stays, unless nothing is left to match a host by, or it is not known on which days it holds. Columns that are not known are
//! kept with the asset and reported. A host is matched by link address, then address, then network, then name.

mod foreign;
mod hours;
mod rows;
mod validity;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::{country, policy};
use crate::document::{Fault, Faults};
use crate::model::address::MacAddress;
use crate::model::egress::Travel;
pub use hours::WorkHours;
use rows::Row;
use validity::overlap;

/// Columns that are understood.
const COLUMNS: [&str; 19] = [
    "mac",
    "ip",
    "cidr",
    "hostname",
    "asset",
    "assignee",
    "country",
    "region",
    "latitude",
    "longitude",
    "timezone",
    "site",
    "work_hours",
    "employer",
    "allowed_tools",
    "allowed_egress",
    "valid_from",
    "valid_until",
    "travel",
];

/// A row: a machine, or a network of machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asset {
    /// Line of the row in its file, from 1.
    pub line: usize,
    /// Link addresses.
    pub macs: Vec<MacAddress>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Host names, lower case.
    pub hostnames: Vec<String>,
    /// Asset tag.
    pub asset: Option<String>,
    /// Who has it.
    pub assignee: Option<String>,
    /// Country where the person works, alpha-2, upper case.
    pub country: Option<String>,
    /// Region there.
    pub region: Option<String>,
    /// Latitude and longitude of the place of work in degrees.
    pub coordinates: Option<(f64, f64)>,
    /// Its time zone.
    pub timezone: Option<TimeZone>,
    /// Declared site.
    pub site: Option<String>,
    /// Working hours there.
    pub work_hours: Option<WorkHours>,
    /// Whose machine it is.
    pub employer: Option<String>,
    /// Tools sanctioned on it.
    pub allowed_tools: Vec<String>,
    /// VPN exits sanctioned for it.
    pub allowed_egress: Vec<IpNet>,
    /// First and last day on which the row holds, since 1970; open where not given.
    pub valid: (Option<u32>, Option<u32>),
    /// Days on which the person is elsewhere.
    pub travel: Vec<Travel>,
    /// Columns that are not understood, as they stand.
    pub other: BTreeMap<String, String>,
}

/// By what a host was matched, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchedBy {
    /// Link address.
    Mac,
    /// Address.
    Ip,
    /// Network.
    Cidr,
    /// Host name.
    Hostname,
}

impl MatchedBy {
    /// Its word in records: the column's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Ip => "ip",
            Self::Cidr => "cidr",
            Self::Hostname => "hostname",
        }
    }
}

/// Rows by a key; several where each holds for other days.
type Index<K> = BTreeMap<K, Vec<usize>>;

/// All rows and what they are found by.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    assets: Vec<Asset>,
    macs: Index<MacAddress>,
    ips: Index<IpAddr>,
    networks: Index<IpNet>,
    prefix_lengths: BTreeSet<u8>,
    hostnames: Index<String>,
    unknown_columns: BTreeSet<String>,
    faults: Vec<Fault>,
    cell_faults: Vec<Fault>,
}

impl Inventory {
    /// Reads an inventory. `tools` are the catalogue's ids. With `strict`, a bad row or cell refuses the whole file.
    pub fn read(path: &Path, tools: &[&str], strict: bool) -> Result<Self, Faults> {
        let bytes = fs::read(path).map_err(|cause| refusal(path, 0, cause.to_string()))?;
        Self::parse(path, &bytes, tools, strict)
    }

    /// Reads the bytes of an inventory; `path` is for the faults.
    pub fn parse(path: &Path, bytes: &[u8], tools: &[&str], strict: bool) -> Result<Self, Faults> {
        let mut inventory = Self::default();
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if let Some(found) = foreign::form(bytes) {
            return Err(refusal(path, 1, found));
        }
        let is_json = bytes.trim_ascii_start().first() == Some(&b'[');
        let rows = if is_json {
            rows::of_json(path, bytes)
        } else {
            rows::of_csv(path, bytes)
        }?;
        for row in rows {
            match row.and_then(|row| inventory.asset(path, &row, tools)) {
                Ok(asset) => inventory.add(path, asset),
                Err(faults) => inventory.faults.extend(faults.0),
            }
        }
        let has_faults = !(inventory.faults.is_empty() && inventory.cell_faults.is_empty());
        if strict && has_faults {
            inventory.faults.append(&mut inventory.cell_faults);
            inventory.faults.sort_by_key(|fault| fault.line);
            return Err(Faults(inventory.faults));
        }
        Ok(inventory)
    }

    /// The rows of a host that was seen from one day to another: by its link address, then one of its addresses, then the
    /// narrowest network, then one of its names (whole, or the first label where the inventory has no dots). Rows that hold for
    /// none of the days are passed over; there are several where it changed hands. `shared` are those of its addresses that
    /// other machines had too: no row is found by them alone.
    #[must_use]
    pub fn find(
        &self,
        mac: Option<MacAddress>,
        ips: &[IpAddr],
        shared: &[IpAddr],
        hostnames: &[&str],
        days: (u32, u32),
    ) -> Option<(Vec<&Asset>, MatchedBy)> {
        let by_mac = mac
            .and_then(|mac| self.held(self.macs.get(&mac), days))
            .map(|at| (at, MatchedBy::Mac));
        let by_ip = || {
            ips.iter()
                .filter(|ip| !shared.contains(ip))
                .find_map(|ip| self.held(self.ips.get(ip), days))
                .map(|at| (at, MatchedBy::Ip))
        };
        let by_network = || {
            ips.iter()
                .filter_map(|ip| self.narrowest(*ip, days))
                .max_by_key(|(length, _)| *length)
                .map(|(_, at)| (at, MatchedBy::Cidr))
        };
        let by_name = || {
            hostnames
                .iter()
                .find_map(|name| self.named(name, days))
                .map(|at| (at, MatchedBy::Hostname))
        };
        let (rows, how) = by_mac.or_else(by_ip).or_else(by_network).or_else(by_name)?;
        Some((rows, how))
    }

    /// Those of these rows that hold on one of the days; nothing where none does.
    fn held(&self, rows: Option<&Vec<usize>>, days: (u32, u32)) -> Option<Vec<&Asset>> {
        let held: Vec<&Asset> = rows?
            .iter()
            .filter_map(|at| self.assets.get(*at))
            .filter(|asset| overlap(asset.valid, (Some(days.0), Some(days.1))))
            .collect();
        (!held.is_empty()).then_some(held)
    }

    /// All rows that could be read, in the file's order.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// What was wrong with the rows that were left out.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What was wrong with the cells that were left out of rows that stay.
    #[must_use]
    pub fn cell_faults(&self) -> &[Fault] {
        &self.cell_faults
    }

    /// Columns that are not understood: kept, and to be reported.
    pub fn unknown_columns(&self) -> impl Iterator<Item = &str> {
        self.unknown_columns.iter().map(String::as_str)
    }

    fn narrowest(&self, ip: IpAddr, days: (u32, u32)) -> Option<(u8, Vec<&Asset>)> {
        self.prefix_lengths.iter().rev().find_map(|length| {
            let network = IpNet::new(ip, *length).ok()?.trunc();
            Some((*length, self.held(self.networks.get(&network), days)?))
        })
    }

    fn named(&self, name: &str, days: (u32, u32)) -> Option<Vec<&Asset>> {
        let name = host_name(name);
        let label = name.split('.').next().unwrap_or_default();
        self.held(self.hostnames.get(&name), days)
            .or_else(|| self.held(self.hostnames.get(label), days))
    }

    /// The first row of a key that holds on days of `valid` too.
    fn rival<K: Ord + ToString>(
        &self,
        index: &Index<K>,
        keys: &[K],
        valid: (Option<u32>, Option<u32>),
    ) -> Option<(String, usize)> {
        keys.iter().find_map(|key| {
            let rows = index.get(key)?.iter().copied();
            let line = rows
                .filter_map(|at| self.assets.get(at))
                .find(|asset| overlap(asset.valid, valid))?
                .line;
            Some((key.to_string(), line))
        })
    }

    /// Reads one row; everything wrong in it is named. What leaves nothing to go by refuses the row.
    fn asset(&mut self, path: &Path, row: &Row, tools: &[&str]) -> Result<Asset, Faults> {
        let mut reader = RowReader {
            path,
            row,
            faults: row.faults.clone(),
        };
        let latitude = reader.one("latitude", |text| degrees(text, 90.0), "degrees from -90 to 90");
        let longitude = reader.one(
            "longitude",
            |text| degrees(text, 180.0),
            "degrees from -180 to 180",
        );
        let asset = Asset {
            line: row.line,
            macs: reader.many("mac", mac, "a link address such as 00:1a:2b:3c:4d:5e"),
            ips: reader.many("ip", |text| text.parse().ok(), "an address"),
            networks: reader.many(
                "cidr",
                |text| policy::network(text).map(|network| network.trunc()),
                "a network (CIDR)",
            ),
            hostnames: reader.many("hostname", |text| Some(host_name(text)), "a name"),
            asset: reader.text("asset"),
            assignee: reader.text("assignee"),
            country: reader.country(),
            region: reader.text("region"),
            coordinates: latitude.zip(longitude),
            timezone: reader.one(
                "timezone",
                |text| TimeZone::get(text).ok(),
                "a time zone of the IANA list",
            ),
            site: reader.text("site"),
            work_hours: reader.one("work_hours", WorkHours::parse, "hours such as 09:00-17:00"),
            employer: reader.text("employer"),
            allowed_tools: reader.tools(tools),
            allowed_egress: reader.many(
                "allowed_egress",
                policy::network,
                "an address or a network (CIDR)",
            ),
            valid: (
                reader.one("valid_from", validity::day, validity::DAY),
                reader.one("valid_until", validity::day, validity::DAY),
            ),
            travel: reader.many("travel", validity::travel, validity::TRAVEL),
            other: row
                .cells
                .iter()
                .filter(|(key, _)| !COLUMNS.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        };
        if latitude.is_some() != longitude.is_some() {
            reader.fault("latitude", "latitude and longitude only together");
        }
        if let (Some(from), Some(until)) = asset.valid
            && until < from
        {
            reader.fault("valid_until", "before valid_from");
        }
        let has_key = !(asset.macs.is_empty()
            && asset.ips.is_empty()
            && asset.networks.is_empty()
            && asset.hostnames.is_empty());
        let is_about = |fault: &Fault, columns: &[&str]| columns.contains(&fault.field.as_str());
        if !has_key && !reader.faults.iter().any(|fault| is_about(fault, &rows::KEYS)) {
            reader.fault("", "no mac, ip, cidr or hostname: nothing to match it by");
        }
        self.unknown_columns.extend(asset.other.keys().cloned());
        // Without the days that it holds for, a row would hold for ever.
        let is_dated = !reader
            .faults
            .iter()
            .any(|fault| is_about(fault, &["valid_from", "valid_until"]));
        if has_key && is_dated {
            self.cell_faults.extend(reader.faults);
            Ok(asset)
        } else {
            Err(Faults(reader.faults))
        }
    }

    /// Takes an asset in, unless an earlier row already has one of its keys on the same days.
    fn add(&mut self, path: &Path, asset: Asset) {
        let at = self.assets.len();
        let rival = self
            .rival(&self.macs, &asset.macs, asset.valid)
            .or_else(|| self.rival(&self.ips, &asset.ips, asset.valid))
            .or_else(|| self.rival(&self.networks, &asset.networks, asset.valid))
            .or_else(|| self.rival(&self.hostnames, &asset.hostnames, asset.valid));
        if let Some((key, line)) = rival {
            self.faults
                .extend(refusal(path, asset.line, format!("{key} already stands in line {line}")).0);
            return;
        }
        enter(&mut self.macs, &asset.macs, at);
        enter(&mut self.ips, &asset.ips, at);
        enter(&mut self.networks, &asset.networks, at);
        self.prefix_lengths
            .extend(asset.networks.iter().map(IpNet::prefix_len));
        enter(&mut self.hostnames, &asset.hostnames, at);
        self.assets.push(asset);
    }
}

fn enter<K: Ord + Clone>(index: &mut Index<K>, keys: &[K], at: usize) {
    for key in keys {
        index.entry(key.clone()).or_default().push(at);
    }
}

/// One fault that is about a line, or with line 0 about the file.
fn refusal(path: &Path, line: usize, what: impl Into<String>) -> Faults {
    Faults(vec![Fault {
        path: path.to_owned(),
        line,
        field: String::new(),
        what: what.into(),
    }])
}

struct RowReader<'a> {
    path: &'a Path,
    row: &'a Row,
    faults: Vec<Fault>,
}

impl RowReader<'_> {
    fn fault(&mut self, field: &str, what: impl Into<String>) {
        self.faults.push(Fault {
            path: self.path.to_owned(),
            line: self.row.line,
            field: field.to_owned(),
            what: what.into(),
        });
    }

    fn text(&self, column: &str) -> Option<String> {
        self.row.cells.get(column).cloned()
    }

    fn one<T>(&mut self, column: &str, read: impl Fn(&str) -> Option<T>, wanted: &str) -> Option<T> {
        let text = self.text(column)?;
        let value = read(&text);
        if value.is_none() {
            self.fault(column, format!("{text:?} is not {wanted}"));
        }
        value
    }

    fn country(&mut self) -> Option<String> {
        let text = self.text("country")?;
        let code = country::code(&text);
        if code.is_none() {
            self.fault("country", country::complaint(&text));
        }
        code
    }

    fn many<T>(&mut self, column: &str, read: impl Fn(&str) -> Option<T>, wanted: &str) -> Vec<T> {
        let text = self.text(column).unwrap_or_default();
        let mut values = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match read(part) {
                Some(value) => values.push(value),
                None => self.fault(column, format!("{part:?} is not {wanted}")),
            }
        }
        values
    }

    fn tools(&mut self, tools: &[&str]) -> Vec<String> {
        let named = self.many("allowed_tools", |text| Some(text.to_owned()), "a tool");
        let mut known = Vec::new();
        for tool in named {
            match policy::known_tool(&tool, tools) {
                Some(id) => known.push(id.to_owned()),
                None => self.fault("allowed_tools", policy::unknown_tool(&tool, tools)),
            }
        }
        known
    }
}

fn degrees(text: &str, most: f64) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|degrees| (-most..=most).contains(degrees))
}

/// Twelve hex digits, whatever stands between their pairs; no group address and not all zeros.
fn mac(text: &str) -> Option<MacAddress> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b':' | b'-' | b'.'))
        .collect();
    let digits = std::str::from_utf8(&digits)
        .ok()
        .filter(|digits| digits.len() == 12)?;
    let value = digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u64::from_str_radix(digits, 16).ok())??;
    let [_, _, octets @ ..] = value.to_be_bytes();
    let mac = MacAddress(octets);
    (mac.is_present() && !mac.is_group()).then_some(mac)
}

/// A name as it is compared: lower case, without the final dot and the suffix of multicast DNS.
fn host_name(text: &str) -> String {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    name.strip_suffix(".local").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests;

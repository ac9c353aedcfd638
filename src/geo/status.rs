//! What `geoip status` and `geoip lookup` print: databases with their age and the thanks that their licences ask for.

use std::fmt::Write;
use std::net::IpAddr;

use serde::Serialize;

use super::build::epoch_of;
use super::embedded;
use super::{DatabaseDescription, Geo, Place, kinds, ranges};
use crate::model::time::{SECOND, Timestamp};

/// Days after which a database is called old: addresses change hands, and vendors publish monthly.
const OLD_DAYS: u64 = 120;

/// Words of thanks by the beginning of a database's type.
const VENDORS: &[(&str, &str)] = &[
    (
        "GeoLite2",
        "GeoLite2 data created by MaxMind, https://www.maxmind.com (GeoLite End User License Agreement of the user)",
    ),
    (
        "GeoIP2",
        "GeoIP2 data by MaxMind, https://www.maxmind.com (licence of the user)",
    ),
    (
        "DBIP-",
        "IP Geolocation by DB-IP, https://db-ip.com (lite databases: CC BY 4.0)",
    ),
    (
        "ipinfo",
        "IP address data powered by IPinfo, https://ipinfo.io (licence of the user)",
    ),
];

/// The thanks that a database of this type asks for.
pub(super) fn attribution(database_type: &str) -> &'static str {
    let lower = database_type.to_ascii_lowercase();
    VENDORS
        .iter()
        .find(|(vendor, _)| lower.starts_with(&vendor.to_ascii_lowercase()))
        .map_or("supplied by the user", |(_, thanks)| thanks)
}

/// The thanks that the sources of the embedded default ask for, each once.
pub(super) fn default_attribution() -> String {
    let mut thanks: Vec<&str> = Vec::new();
    for part in embedded::sources()
        .iter()
        .flat_map(|source| source.attribution.split("; "))
    {
        if !thanks.contains(&part) {
            thanks.push(part);
        }
    }
    thanks.join("; ")
}

/// Whole days from an epoch in seconds to `now`; none where it lies ahead.
fn days_since(epoch: u64, now: Timestamp) -> u64 {
    let seconds = u64::try_from(now.0 / SECOND).unwrap_or_default();
    seconds.saturating_sub(epoch) / 86_400
}

impl DatabaseDescription {
    /// Whole days between its build and `now`.
    #[must_use]
    pub fn age_days(&self, now: Timestamp) -> u64 {
        days_since(self.build_epoch, now)
    }
}

/// What a summary says of databases and lists, the shipped ones among them, that are old for a capture that ends at `last`.
#[must_use]
pub fn old_at(geo: &Geo, last: Timestamp) -> Vec<String> {
    let old = geo
        .databases()
        .filter(|database| database.age_days(last) > OLD_DAYS);
    let mut remarks: Vec<String> = old
        .map(|database| {
            let whose = if database.is_default {
                "the shipped database"
            } else {
                &database.name
            };
            let (date, days) = (&database.build_date, database.age_days(last));
            format!("{whose} of {date} is {days} days older than the capture: addresses change hands")
        })
        .collect();
    let is_old = |read: &str| epoch_of(read).is_some_and(|epoch| days_since(epoch, last) > OLD_DAYS);
    let (old, all, oldest) = kinds::rows_where(is_old);
    if let Some(oldest) = oldest {
        remarks.push(format!(
            "{old} of {all} rows of the shipped table of networks are more than {OLD_DAYS} days older than the capture, the oldest of \
             {oldest}: networks change hands"
        ));
    }
    remarks
}

/// The text of `geoip status`. `now` is the caller's clock: this stage reads none.
#[must_use]
pub fn status_text(geo: &Geo, now: Timestamp) -> String {
    let mut text = String::new();
    for database in geo.databases() {
        let age = database.age_days(now);
        let note = if age > OLD_DAYS { ", old" } else { "" };
        let place = database
            .path
            .as_ref()
            .map_or_else(|| "embedded".to_owned(), |path| path.display().to_string());
        let _ = writeln!(text, "{} ({})", database.name, database.database_type);
        let _ = writeln!(text, "  built     {} ({age} days ago{note})", database.build_date);
        let _ = writeln!(text, "  from      {place}");
        if database.is_default {
            for source in embedded::sources() {
                let _ = writeln!(
                    text,
                    "  table     {} {} of {}: {}; {}",
                    source.package, source.version, source.date, source.gives, source.licence
                );
            }
        }
        let _ = writeln!(text, "  thanks    {}", database.attribution);
        if database.is_default {
            let _ = writeln!(
                text,
                "  caution   its tables have known faults (geoip/README.md): no finding above low confidence rests on it alone"
            );
        }
    }
    text
}

/// The object of `geoip status`: the databases in order of preference, each with its age in days.
#[must_use]
pub fn status_record(geo: &Geo, now: Timestamp) -> impl Serialize {
    let databases: Vec<DatabaseStatus<'_>> = geo
        .databases()
        .map(|database| DatabaseStatus {
            description: database,
            age_days: database.age_days(now),
            is_old: database.age_days(now) > OLD_DAYS,
            tables: if database.is_default {
                embedded::sources()
            } else {
                &[]
            },
        })
        .collect();
    StatusRecord { databases }
}

#[derive(Serialize)]
struct StatusRecord<'a> {
    databases: Vec<DatabaseStatus<'a>>,
}

#[derive(Serialize)]
struct DatabaseStatus<'a> {
    #[serde(flatten)]
    description: &'a DatabaseDescription,
    age_days: u64,
    is_old: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tables: &'a [embedded::Source],
}

/// The object of `geoip lookup`: what is known, or why nothing is.
#[must_use]
pub fn lookup_record(geo: &Geo, ip: IpAddr) -> impl Serialize {
    let place = geo.place(ip).as_deref().cloned();
    let is_reserved = ranges::reserved(ranges::embedded_ipv4(ip)).is_some();
    LookupRecord {
        ip,
        is_known: place.is_some(),
        is_reserved,
        place,
    }
}

#[derive(Serialize)]
struct LookupRecord {
    ip: IpAddr,
    is_known: bool,
    is_reserved: bool,
    #[serde(flatten)]
    place: Option<Place>,
}

/// The text of `geoip lookup`.
#[must_use]
pub fn lookup_text(geo: &Geo, ip: IpAddr) -> String {
    if let Some(place) = geo.place(ip) {
        return place_text(ip, &place);
    }
    match ranges::reserved(ranges::embedded_ipv4(ip)) {
        Some(_) => format!("{ip}: private or reserved, it has no place\n"),
        None => format!("{ip}: no database knows it\n"),
    }
}

fn place_text(ip: IpAddr, place: &Place) -> String {
    let mut text = format!("{ip}\n");
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "  {label:<12} {value}");
        }
    };
    line(
        "country",
        place.country.map(|code| match code.country() {
            Some(country) => format!("{code} ({})", country.name),
            None => code.to_string(),
        }),
    );
    line("region", place.region.clone());
    line("city", place.city.clone());
    line(
        "coordinates",
        place.coordinates.map(|at| {
            let radius = place
                .accuracy_radius_km
                .map_or_else(String::new, |km| format!(", within {km} km"));
            format!("{:.4}, {:.4}{radius}", at.latitude(), at.longitude())
        }),
    );
    line(
        "network",
        place
            .asn
            .map(|asn| format!("AS{asn} {}", place.as_org.as_deref().unwrap_or_default())),
    );
    line(
        "kind",
        place.kind.map(|kind| match &place.kind_source {
            Some(source) => format!("{}, by {source}", kind.name()),
            None => kind.name().to_owned(),
        }),
    );
    for source in &place.sources {
        let given: Vec<&str> = source.parts.iter().map(|part| part.name()).collect();
        line(
            "source",
            Some(format!(
                "{} {} ({})",
                source.database.name,
                source.database.build_date,
                given.join(", ")
            )),
        );
    }
    text
}

//! Flat databases: one level, values often as text.
//!
//! IPinfo (`country`, `asn: "AS64500"`, `lat: "1.5"`), IPinfo Lite (`country_code`, `as_name`), the tables of
//! ip-location-db (`country_code`; `city`, `state1`, `latitude`; `autonomous_system_number`) and the embedded default
//! (`country_code`, `asn`, `org`).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use maxminddb::Metadata;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::countries::CountryCode;
use super::kinds::NetworkKind;
use super::{Database, Format, Record};
use crate::model::sphere::Coordinates;

/// The flat shape.
pub(super) struct Flat;

const COUNTRY: &[&str] = &["country_code", "country", "iso_code"];
const REGION: &[&str] = &["region", "region_name", "state1", "state", "subdivision"];
const CITY: &[&str] = &["city", "city_name"];
const LATITUDE: &[&str] = &["latitude", "lat"];
const LONGITUDE: &[&str] = &["longitude", "lng", "lon"];
const RADIUS: &[&str] = &["accuracy_radius", "radius"];
const ASN: &[&str] = &["asn", "autonomous_system_number", "as_number"];
const AS_ORG: &[&str] = &[
    "as_name",
    "autonomous_system_organization",
    "org",
    "as_org",
    "organization",
    "name",
];
const KIND: &[&str] = &["as_type", "type", "usage_type"];
const FLAGS: &[(&[&str], NetworkKind)] = &[
    (&["tor", "is_tor"], NetworkKind::Tor),
    (&["vpn", "is_vpn"], NetworkKind::Vpn),
    (
        &["residential_proxy", "is_residential_proxy"],
        NetworkKind::ResidentialProxy,
    ),
    (&["proxy", "is_proxy"], NetworkKind::PublicProxy),
    (&["relay", "is_relay"], NetworkKind::PrivacyRelay),
    (&["hosting", "is_hosting"], NetworkKind::Hosting),
    (&["mobile", "is_mobile"], NetworkKind::Mobile),
];

/// A value whose type differs between vendors: the reader converts no 16-bit number into a 32-bit one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loose<'a> {
    Text(&'a str),
    Number(f64),
    Flag(bool),
    Other,
}

impl Loose<'_> {
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Flag(_) | Self::Other => None,
        }
    }

    pub(super) fn whole(self) -> Option<u32> {
        match self {
            Self::Text(text) => text.trim_start_matches("AS").parse().ok(),
            Self::Number(number) if (0.0..=f64::from(u32::MAX)).contains(&number) =>
            {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
                Some(number as u32)
            }
            Self::Number(_) | Self::Flag(_) | Self::Other => None,
        }
    }

    fn is_true(self) -> bool {
        match self {
            Self::Flag(flag) => flag,
            Self::Text(text) => text.eq_ignore_ascii_case("true") || text == "1",
            Self::Number(number) => number > 0.0,
            Self::Other => false,
        }
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(text))
    }

    fn visit_str<E>(self, _: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Flag(flag))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(number))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(f64::from(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose<'de>, E> {
        Ok(i32::try_from(number).map_or(Loose::Other, |number| Loose::Number(f64::from(number))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose<'de>, E> {
        Ok(u32::try_from(number).map_or(Loose::Other, |number| Loose::Number(f64::from(number))))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Loose<'de>, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

type Columns<'a> = BTreeMap<&'a str, Loose<'a>>;

/// The first of the names that the record holds.
fn first<'a>(columns: &Columns<'a>, names: &[&str]) -> Option<Loose<'a>> {
    names.iter().find_map(|name| columns.get(name).copied())
}

/// The first of the names that holds text which is not empty.
fn text(columns: &Columns<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match columns.get(name) {
        Some(Loose::Text(text)) if !text.is_empty() => Some((*text).to_owned()),
        _ => None,
    })
}

fn kind(columns: &Columns<'_>) -> Option<NetworkKind> {
    let flagged = FLAGS
        .iter()
        .find(|(names, _)| first(columns, names).is_some_and(Loose::is_true));
    if let Some((_, kind)) = flagged {
        return Some(*kind);
    }
    match text(columns, KIND)?.to_ascii_lowercase().as_str() {
        "hosting" | "dch" => Some(NetworkKind::Hosting),
        "isp" | "residential" => Some(NetworkKind::Residential),
        "mobile" | "mob" => Some(NetworkKind::Mobile),
        "business" | "com" => Some(NetworkKind::Business),
        "education" | "edu" => Some(NetworkKind::Education),
        _ => None,
    }
}

impl Format for Flat {
    fn name(&self) -> &'static str {
        "flat"
    }

    fn recognises(&self, metadata: &Metadata, samples: &[serde_json::Value]) -> bool {
        let wanted = || {
            [COUNTRY, CITY, LATITUDE, ASN]
                .into_iter()
                .chain(FLAGS.iter().map(|flag| flag.0))
        };
        let is_flat = |sample: &serde_json::Value| {
            let holds = |name: &&str| sample.get(*name).is_some_and(|value| !value.is_object());
            wanted().any(|names| names.iter().any(holds))
        };
        let is_known = metadata.database_type.to_ascii_lowercase().starts_with("ipinfo");
        samples.iter().any(is_flat) || (is_known && samples.is_empty())
    }

    fn read(&self, database: &Database, ip: IpAddr) -> Option<Record> {
        let columns: Columns<'_> = database.reader.lookup(ip).ok()?.decode().ok()??;
        let code = |name: &&str| match columns.get(*name) {
            Some(Loose::Text(text)) => CountryCode::parse(text),
            _ => None,
        };
        let latitude = first(&columns, LATITUDE).and_then(Loose::number);
        let longitude = first(&columns, LONGITUDE).and_then(Loose::number);
        Some(Record {
            country: COUNTRY.iter().find_map(code),
            region: text(&columns, REGION),
            city: text(&columns, CITY),
            coordinates: latitude
                .zip(longitude)
                .and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude)),
            accuracy_radius_km: first(&columns, RADIUS).and_then(Loose::whole),
            asn: first(&columns, ASN).and_then(Loose::whole),
            as_org: text(&columns, AS_ORG),
            kind: kind(&columns),
        })
    }
}

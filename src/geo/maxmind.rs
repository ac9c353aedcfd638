//! Databases in MaxMind's shape: nested records with names by language.
//!
//! GeoLite2 and GeoIP2 City, Country, Enterprise, ASN, ISP and Anonymous-IP (MaxMind's published schema), and DB-IP's
//! databases, which follow it.

use std::net::IpAddr;

use maxminddb::Metadata;
use serde::Deserialize;

use super::countries::CountryCode;
use super::flat::Loose;
use super::kinds::NetworkKind;
use super::{Database, Format, Record};
use crate::model::sphere::Coordinates;

/// The nested shape.
pub(super) struct Nested;

#[derive(Deserialize)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    names: Option<Names<'a>>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Location<'a> {
    #[serde(borrow)]
    latitude: Option<Loose<'a>>,
    longitude: Option<Loose<'a>>,
    accuracy_radius: Option<Loose<'a>>,
}

#[derive(Deserialize)]
struct Traits<'a> {
    #[serde(borrow)]
    autonomous_system_number: Option<Loose<'a>>,
    autonomous_system_organization: Option<&'a str>,
    user_type: Option<&'a str>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the schema of Anonymous-IP")]
struct Nest<'a> {
    #[serde(borrow)]
    country: Option<Country<'a>>,
    #[serde(borrow)]
    city: Option<Named<'a>>,
    #[serde(borrow)]
    subdivisions: Option<Vec<Named<'a>>>,
    #[serde(borrow)]
    location: Option<Location<'a>>,
    #[serde(borrow)]
    traits: Option<Traits<'a>>,
    #[serde(borrow)]
    autonomous_system_number: Option<Loose<'a>>,
    autonomous_system_organization: Option<&'a str>,
    #[serde(default)]
    is_anonymous_vpn: bool,
    #[serde(default)]
    is_hosting_provider: bool,
    #[serde(default)]
    is_public_proxy: bool,
    #[serde(default)]
    is_residential_proxy: bool,
    #[serde(default)]
    is_tor_exit_node: bool,
}

impl Nest<'_> {
    /// The most telling flag of Anonymous-IP, or the user type of Enterprise.
    fn kind(&self) -> Option<NetworkKind> {
        let flags = [
            (self.is_tor_exit_node, NetworkKind::Tor),
            (self.is_anonymous_vpn, NetworkKind::Vpn),
            (self.is_residential_proxy, NetworkKind::ResidentialProxy),
            (self.is_public_proxy, NetworkKind::PublicProxy),
            (self.is_hosting_provider, NetworkKind::Hosting),
        ];
        let flagged = flags
            .into_iter()
            .find_map(|(is_set, kind)| is_set.then_some(kind));
        flagged.or_else(|| user_type(self.traits.as_ref()?.user_type?))
    }
}

/// MaxMind's user types that are kinds of network.
fn user_type(word: &str) -> Option<NetworkKind> {
    Some(match word {
        "hosting" | "content_delivery_network" => NetworkKind::Hosting,
        "consumer_privacy_network" => NetworkKind::PrivacyRelay,
        "cellular" => NetworkKind::Mobile,
        "residential" => NetworkKind::Residential,
        "business" => NetworkKind::Business,
        "college" | "school" => NetworkKind::Education,
        _ => return None,
    })
}

impl Format for Nested {
    fn name(&self) -> &'static str {
        "nested"
    }

    fn recognises(&self, metadata: &Metadata, samples: &[serde_json::Value]) -> bool {
        let is_known = ["GeoLite2", "GeoIP2", "DBIP-"]
            .iter()
            .any(|vendor| metadata.database_type.starts_with(vendor));
        let is_nested = |sample: &serde_json::Value| {
            let objects = ["country", "registered_country", "city", "location", "traits"];
            objects
                .iter()
                .any(|key| sample.get(key).is_some_and(serde_json::Value::is_object))
                || (sample
                    .get("is_anonymous")
                    .is_some_and(serde_json::Value::is_boolean))
        };
        samples.iter().any(is_nested) || (is_known && samples.is_empty())
    }

    fn read(&self, database: &Database, ip: IpAddr) -> Option<Record> {
        let nest: Nest<'_> = database.reader.lookup(ip).ok()?.decode().ok()??;
        let english = |named: &Named<'_>| named.names.as_ref()?.en.map(str::to_owned);
        let traits = nest.traits.as_ref();
        let location = nest.location.as_ref();
        Some(Record {
            country: nest
                .country
                .as_ref()
                .and_then(|country| CountryCode::parse(country.iso_code?)),
            region: nest
                .subdivisions
                .as_ref()
                .and_then(|regions| english(regions.first()?)),
            city: nest.city.as_ref().and_then(english),
            coordinates: location
                .and_then(|at| Coordinates::new(at.latitude?.number()?, at.longitude?.number()?)),
            accuracy_radius_km: location.and_then(|at| at.accuracy_radius?.whole()),
            asn: nest
                .autonomous_system_number
                .or_else(|| traits?.autonomous_system_number)
                .and_then(Loose::whole),
            as_org: nest
                .autonomous_system_organization
                .or_else(|| traits?.autonomous_system_organization)
                .map(str::to_owned),
            kind: nest.kind(),
        })
    }
}

//! What is known of one address, part by part, each from the database that knew it first.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::countries::CountryCode;
use super::kinds::NetworkKind;
use super::{DatabaseDescription, Record};
use crate::model::finding::PlaceRecord;
use crate::model::sphere::Coordinates;

/// A database that gave a part of a [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceSource {
    /// Which.
    #[serde(serialize_with = "named")]
    pub database: Arc<DatabaseDescription>,
    /// What it gave.
    pub parts: Vec<Part>,
}

/// A part of a [`Place`] that one database gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The country.
    Country,
    /// Coordinates, region or city.
    Location,
    /// AS number and organisation.
    Network,
    /// Kind of network.
    Kind,
}

impl Part {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Location => "location",
            Self::Network => "network",
            Self::Kind => "kind",
        }
    }
}

/// A record carries a source as `name date`.
fn named<S: serde::Serializer>(database: &DatabaseDescription, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{} {}", database.name, database.build_date))
}

/// What is known of a public address. Every part may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Place {
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// First-level subdivision, English name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// City, English name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Latitude and longitude in degrees.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<Coordinates>,
    /// Radius around the coordinates within which the address probably is, in kilometres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_radius_km: Option<u32>,
    /// Autonomous system number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Its organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_org: Option<String>,
    /// Kind of network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<NetworkKind>,
    /// Which database, list or table says what kind it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind_source: Option<String>,
    /// Which databases said so, in order of preference.
    pub sources: Vec<PlaceSource>,
    /// The same as records show it, once it was asked for: thousands of findings share the places of a few networks.
    #[serde(skip)]
    pub(crate) record: OnceLock<Arc<PlaceRecord>>,
}

impl Place {
    /// As records show it.
    #[must_use]
    pub fn record(&self) -> &Arc<PlaceRecord> {
        self.record.get_or_init(|| Arc::new(self.made_record()))
    }

    fn made_record(&self) -> PlaceRecord {
        let mut said = String::new();
        for source in &self.sources {
            let separator = if said.is_empty() { "" } else { ", " };
            for part in [separator, &source.database.name, " ", &source.database.build_date] {
                said.push_str(part);
            }
        }
        PlaceRecord {
            country: self.country.map(|country| country.to_string()),
            city: self.city.clone(),
            asn: self.asn,
            as_org: self.as_org.clone(),
            kind: self.kind.map(|kind| kind.name().to_owned()),
            kind_source: self.kind.and(self.kind_source.clone()),
            source: (!self.sources.is_empty()).then_some(said),
        }
    }

    /// Whether only the embedded default knows the country: nothing above low confidence may rest on it alone.
    #[must_use]
    pub fn country_is_default(&self) -> bool {
        self.is_default(Part::Country)
    }

    /// Whether only the embedded default knows the AS.
    #[must_use]
    pub fn network_is_default(&self) -> bool {
        self.is_default(Part::Network)
    }

    /// Whether only the shipped table or the embedded default knows the kind.
    #[must_use]
    pub fn kind_is_default(&self) -> bool {
        let mut sources = self.sources.iter();
        !sources.any(|source| !source.database.is_default && source.parts.contains(&Part::Kind))
    }

    fn is_default(&self, part: Part) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| source.database.is_default && source.parts.contains(&part))
    }

    /// Where the address is taken to be and how far from there it may be, in kilometres: its coordinates, or the centre
    /// and reach of its country.
    #[must_use]
    pub fn disc(&self) -> Option<(Coordinates, f64)> {
        if let Some(coordinates) = self.coordinates {
            return Some((coordinates, self.accuracy_radius_km.map_or(100.0, f64::from)));
        }
        let country = self.country?.country()?;
        Some((country.centre, country.reach_km))
    }

    /// Takes from `record` what is not known yet.
    pub(super) fn fill(&mut self, record: Record, database: &Arc<DatabaseDescription>) {
        let mut parts = Vec::new();
        if self.country.is_none() && record.country.is_some() {
            self.country = record.country;
            parts.push(Part::Country);
        }
        let agrees = self.country == record.country;
        let had = (self.coordinates, self.city.is_some(), self.region.is_some());
        if agrees && self.coordinates.is_none() && record.coordinates.is_some() {
            self.coordinates = record.coordinates;
            self.accuracy_radius_km = record.accuracy_radius_km;
        }
        if agrees && self.city.is_none() && record.city.is_some() {
            self.city = record.city;
            self.region = record.region;
        } else if agrees && self.region.is_none() && record.region.is_some() {
            self.region = record.region;
        }
        if had != (self.coordinates, self.city.is_some(), self.region.is_some()) {
            parts.push(Part::Location);
        }
        if self.asn.is_none() && record.asn.is_some() {
            self.asn = record.asn;
            self.as_org = record.as_org;
            parts.push(Part::Network);
        } else if self.as_org.is_none() && self.asn == record.asn && record.as_org.is_some() {
            self.as_org = record.as_org;
            parts.push(Part::Network);
        }
        if self.kind.is_none() && record.kind.is_some() {
            self.kind = record.kind;
            self.kind_source = Some(format!("{} {}", database.name, database.build_date));
            parts.push(Part::Kind);
        }
        if !parts.is_empty() {
            let database = Arc::clone(database);
            self.sources.push(PlaceSource { database, parts });
        }
    }
}

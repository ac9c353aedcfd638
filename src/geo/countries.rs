//! Countries: name, centre and size, for distances where nothing finer is known.
//!
//! `countries.tsv` was computed from Natural Earth's 1:50m map (public domain): the centre is the area's centre of the largest
//! piece of land, `radius_km` reaches every point of that piece, `reach_km` every point of the country, islands and
//! overseas parts included. Proofs of impossibility must use the reach.

use std::fmt;
use std::sync::OnceLock;

use crate::model::sphere::Coordinates;

/// A country by its ISO 3166-1 alpha-2 code, upper case; two letters, not necessarily assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// Reads two ASCII letters in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 2] = text.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(code.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What the table says of it; `None` for a code that is not assigned.
    #[must_use]
    pub fn country(self) -> Option<&'static Country> {
        let table = all();
        let position = table.binary_search_by_key(&self, |country| country.code).ok()?;
        table.get(position)
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for CountryCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Country {
    /// Its code.
    pub code: CountryCode,
    /// Short English name.
    pub name: &'static str,
    /// Centre of its largest piece of land.
    pub centre: Coordinates,
    /// From the centre to the farthest point of that piece, in kilometres.
    pub radius_km: f64,
    /// From the centre to the farthest point of the country, in kilometres.
    pub reach_km: f64,
}

/// All countries in order of their codes.
#[must_use]
pub fn all() -> &'static [Country] {
    static TABLE: OnceLock<Vec<Country>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows: Vec<Country> = include_str!("countries.tsv")
            .lines()
            .skip(1)
            .filter_map(row)
            .collect();
        rows.sort_by_key(|country| country.code);
        rows
    })
}

fn row(line: &'static str) -> Option<Country> {
    let mut columns = line.split('\t');
    let code = CountryCode::parse(columns.next()?)?;
    let name = columns.next()?;
    let (latitude, longitude) = (columns.next()?.parse().ok()?, columns.next()?.parse().ok()?);
    Some(Country {
        code,
        name,
        centre: Coordinates::new(latitude, longitude)?,
        radius_km: columns.next()?.parse().ok()?,
        reach_km: columns.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_and_has_a_source_and_a_day() {
        let lines = include_str!("countries.tsv").lines().skip(1);
        assert_eq!(lines.clone().count(), all().len());
        for line in lines {
            let mut said = line.split('\t').skip(6);
            assert!(said.next().is_some_and(|source| !source.is_empty()), "{line}");
            let day = said.next().and_then(crate::geo::build::epoch_of);
            assert!(day.is_some() && said.next().is_none(), "{line}");
        }
        for country in all() {
            assert!(
                country.radius_km <= country.reach_km && country.radius_km > 0.0,
                "{}",
                country.name
            );
        }
    }

    #[test]
    fn codes_are_read_in_any_case_and_only_as_two_letters() {
        let germany = CountryCode::parse("de").unwrap();
        assert_eq!(germany.as_str(), "DE");
        assert_eq!(germany.country().unwrap().name, "Germany");
        for wrong in ["", "D", "DEU", "D1", "é"] {
            assert!(CountryCode::parse(wrong).is_none(), "{wrong}");
        }
        assert!(CountryCode::parse("QQ").unwrap().country().is_none());
    }

    #[test]
    fn capitals_lie_within_their_country() {
        for (code, latitude, longitude) in [
            ("US", 38.9, -77.0),
            ("KP", 39.0, 125.8),
            ("NZ", -41.3, 174.8),
            ("FR", 48.9, 2.4),
            ("RU", 55.8, 37.6),
        ] {
            let country = CountryCode::parse(code).unwrap().country().unwrap();
            let capital = Coordinates::new(latitude, longitude).unwrap();
            assert!(country.centre.distance_km(capital) <= country.reach_km, "{code}");
        }
    }
}

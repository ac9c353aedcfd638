//! Where the inventory has two people live: apart, near each other, or nowhere that could be compared.
//!
//! The name of a region is no distance: people spell it in many ways, and neighbours live on both sides of its border.

use super::profile::Asset;
use super::sphere::{Coordinates, MARGIN};

/// What two rows say of the distance between the places where their people work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Residence {
    /// So many kilometres or more, which is far enough.
    Kilometres(f64),
    /// Other countries, where not both have coordinates.
    Countries,
    /// The same site, or nearer than asked for.
    Near,
    /// Nothing that could be compared: one has no place, or the same country and no coordinates.
    Unknown,
}

impl Residence {
    /// Whether they live apart.
    #[must_use]
    pub const fn is_apart(self) -> bool {
        matches!(self, Self::Kilometres(_) | Self::Countries)
    }

    /// How far, where coordinates say it.
    #[must_use]
    pub const fn kilometres(self) -> Option<f64> {
        match self {
            Self::Kilometres(distance) => Some(distance),
            Self::Countries | Self::Near | Self::Unknown => None,
        }
    }
}

/// Compares two rows. From `least_km` on people live apart; `elsewhere` are words in the column of sites that name none.
#[must_use]
pub fn compare(one: &Asset, other: &Asset, elsewhere: &[String], least_km: f64) -> Residence {
    if let (Some(here), Some(there)) = (one.site_but(elsewhere), other.site_but(elsewhere))
        && here.eq_ignore_ascii_case(there)
    {
        return Residence::Near;
    }
    let placed = |asset: &Asset| asset.coordinates.and_then(Coordinates::of_degrees);
    if let (Some(here), Some(there)) = (placed(one), placed(other)) {
        let distance = here.distance_km(there) * (1.0 - MARGIN);
        return if distance > least_km {
            Residence::Kilometres(distance)
        } else {
            Residence::Near
        };
    }
    match (&one.record.country, &other.record.country) {
        (Some(here), Some(there)) if !here.eq_ignore_ascii_case(there) => Residence::Countries,
        _ => Residence::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(country: &str, region: &str, coordinates: Option<(f64, f64)>, site: &str) -> Asset {
        let mut asset = Asset {
            region: Some(region.to_owned()),
            coordinates,
            ..Asset::default()
        };
        asset.record.country = Some(country.to_owned());
        asset.record.site = Some(site.to_owned());
        asset
    }

    #[test]
    fn regions_are_no_distances_and_home_is_no_site() {
        let words = ["home".to_owned()];
        let of = |one: &Asset, other: &Asset| compare(one, other, &words, 50.0);
        let named = |region: &str| row("US", region, None, "home");
        for other in ["Oregon", "oregon", "OR", "Texas"] {
            assert_eq!(of(&named("Oregon"), &named(other)), Residence::Unknown);
        }
        assert_eq!(
            of(&named("Oregon"), &row("CA", "Ontario", None, "home")),
            Residence::Countries
        );
        let placed = |latitude: f64, site: &str| row("US", "", Some((latitude, -100.0)), site);
        assert!(of(&placed(33.0, "Home"), &placed(41.0, "home")).is_apart());
        assert_eq!(of(&placed(33.0, "home"), &placed(33.1, "home")), Residence::Near);
        assert_eq!(
            of(&placed(33.0, "Leeds"), &placed(41.0, "leeds")),
            Residence::Near
        );
        // One by coordinates and one by name, in one country.
        assert_eq!(of(&placed(33.0, ""), &named("Oregon")), Residence::Unknown);
    }
}

//! Distance on the earth.

/// Share of a distance by which a sphere may be wrong against the ellipsoid WGS 84.
pub const MARGIN: f64 = 0.005;

/// Great-circle distance in kilometres between two places in degrees (haversine, mean radius 6,371 km).
#[must_use]
pub fn great_circle_km(here: (f64, f64), there: (f64, f64)) -> f64 {
    let (lat1, lat2) = (here.0.to_radians(), there.0.to_radians());
    let half_lat = (lat2 - lat1) / 2.0;
    let half_lon = (there.1 - here.1).to_radians() / 2.0;
    let chord = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
    2.0 * 6_371.0 * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phoenix_and_seattle_are_1_800_kilometres_apart() {
        // DETECTION 3.1: 18.0 ms of round trip at 99.93 km/ms.
        let km = great_circle_km((33.45, -112.07), (47.61, -122.33));
        assert!((km - 18.0 * 99.93).abs() < 20.0, "{km}");
    }
}

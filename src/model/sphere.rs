//! Distances on the Earth: a sphere with its mean radius, and the margin that this costs.
//!
//! The great circle by the haversine formula (R. W. Sinnott, Sky and Telescope 68, 1984), which stays exact for
//! small distances. A sphere is wrong by at most 0.5 % against the ellipsoid WGS 84; whoever concludes that a place is
//! impossible subtracts [`MARGIN`] first.

use serde::Serialize;

use crate::model::latency::milliseconds;
use crate::model::time::Nanoseconds;

/// Mean radius of the Earth in kilometres (IUGG, R1).
pub const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// Share of a distance by which the sphere may be wrong.
pub const MARGIN: f64 = 0.005;

/// Kilometres of fibre that light covers one way in a millisecond of round trip: two thirds of its speed in the void
/// (Gueye et al. 2006, constraint-based geolocation). Nothing that is farther away answers in that time.
const POSSIBLE_KM_PER_MS: f64 = 299_792.458 / 1_000.0 / 2.0 * 2.0 / 3.0;

/// Likewise four ninths, which routed paths seldom exceed (Katz-Bassett et al. 2006).
const LIKELY_KM_PER_MS: f64 = 299_792.458 / 1_000.0 / 2.0 * 4.0 / 9.0;

/// Least uncertainty of a round trip, whatever the clock: the time that stacks, cards and capture queues take to stamp a
/// packet. It is a hundred kilometres, so nobody is said to be nearer than that.
const LEAST_UNCERTAINTY: Nanoseconds = 1_000_000;

/// The longest that a round trip of this length can have been, by a clock that shows every `grain` nanoseconds.
#[must_use]
pub fn at_most(round_trip: Nanoseconds, grain: Nanoseconds) -> Nanoseconds {
    round_trip.max(0).saturating_add(grain.max(LEAST_UNCERTAINTY))
}

/// Where captures were taken, as far as delays need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CapturePoint {
    /// Where it stands.
    pub place: Coordinates,
    /// Who says so.
    pub source: &'static str,
    /// What the time between two of its packets may be wrong by: the step of its clock, or how far that went backwards.
    pub grain: Nanoseconds,
}

impl CapturePoint {
    /// The point at these degrees north and east, unless it is none, with a clock that is not known to be coarse.
    #[must_use]
    pub fn new(degrees: (f64, f64), source: &'static str) -> Option<Self> {
        let place = Coordinates::of_degrees(degrees)?;
        Some(Self {
            place,
            source,
            grain: 0,
        })
    }
}

/// How far away somebody can be who answers after a round trip, and how far he usually is, in kilometres.
#[must_use]
pub fn reach_km(round_trip: Nanoseconds) -> (f64, f64) {
    let milliseconds = milliseconds(round_trip.max(0));
    (milliseconds * POSSIBLE_KM_PER_MS, milliseconds * LIKELY_KM_PER_MS)
}

/// A point on the Earth in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coordinates {
    latitude: f64,
    longitude: f64,
}

impl Coordinates {
    /// A point, unless latitude is outside -90 to 90 or longitude outside -180 to 180 degrees or one is no number.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_valid = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        is_valid.then_some(Self { latitude, longitude })
    }

    /// The same of degrees north and east.
    #[must_use]
    pub fn of_degrees((latitude, longitude): (f64, f64)) -> Option<Self> {
        Self::new(latitude, longitude)
    }

    /// Degrees north of the equator.
    #[must_use]
    pub const fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich.
    #[must_use]
    pub const fn longitude(self) -> f64 {
        self.longitude
    }

    /// Great-circle distance in kilometres.
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_north = ((to - from) / 2.0).sin();
        let half_east = ((other.longitude - self.longitude).to_radians() / 2.0).sin();
        let chord = half_north * half_north + from.cos() * to.cos() * half_east * half_east;
        2.0 * EARTH_RADIUS_KM * chord.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Least distance in kilometres between two discs with these radii: zero when they overlap. The sphere's margin is
    /// taken off, so the result is never more than the true one.
    #[must_use]
    pub fn gap_km(self, radius_km: f64, other: Self, other_radius_km: f64) -> f64 {
        (self.distance_km(other) * (1.0 - MARGIN) - radius_km - other_radius_km).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point() -> impl Strategy<Value = Coordinates> {
        (-90.0..=90.0_f64, -180.0..=180.0_f64)
            .prop_map(|(latitude, longitude)| Coordinates::new(latitude, longitude).unwrap())
    }

    #[test]
    fn known_distances_come_out_within_the_margin() {
        let phoenix = Coordinates::new(33.45, -112.07).unwrap();
        let seattle = Coordinates::new(47.61, -122.33).unwrap();
        let shenyang = Coordinates::new(41.80, 123.43).unwrap();
        assert!((phoenix.distance_km(seattle) - 1_791.0).abs() < 15.0);
        assert!((phoenix.distance_km(shenyang) - 9_910.0).abs() < 60.0);
        let (north, south) = (
            Coordinates::new(90.0, 0.0).unwrap(),
            Coordinates::new(-90.0, 77.0).unwrap(),
        );
        assert!((north.distance_km(south) - std::f64::consts::PI * EARTH_RADIUS_KM).abs() < 1e-6);
    }

    #[test]
    fn a_millisecond_of_round_trip_reaches_a_hundred_kilometres_at_most() {
        let (possible, likely) = reach_km(1_000_000);
        assert!((possible - 99.93).abs() < 0.01 && (likely - 66.62).abs() < 0.01);
        // DETECTION 3.1: Phoenix to Shenyang takes 99.2 ms at least.
        let (possible, _) = reach_km(99_200_000);
        assert!((possible - 9_913.0).abs() < 5.0);
    }

    #[test]
    fn what_is_no_place_on_earth_is_refused() {
        for (latitude, longitude) in [(90.1, 0.0), (0.0, 180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert!(Coordinates::new(latitude, longitude).is_none());
        }
    }

    #[test]
    fn nobody_is_nearer_than_the_clock_can_tell() {
        let (possible, _) = reach_km(at_most(0, 1_000));
        assert!((possible - 99.93).abs() < 0.01);
        // Ten milliseconds from one time to the next.
        let (possible, _) = reach_km(at_most(0, 10_000_000));
        assert!((possible - 999.3).abs() < 0.1);
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in point(), b in point(), c in point()) {
            let (ab, ba, ac, cb) = (a.distance_km(b), b.distance_km(a), a.distance_km(c), c.distance_km(b));
            prop_assert!((ab - ba).abs() < 1e-6);
            prop_assert!(a.distance_km(a) < 1e-9);
            prop_assert!(ab <= std::f64::consts::PI * EARTH_RADIUS_KM + 1e-6);
            prop_assert!(ab <= ac + cb + 1e-3);
        }

        #[test]
        fn turning_the_earth_changes_no_distance(a in point(), b in point(), turn in -180.0..180.0_f64) {
            let turned = |p: Coordinates| {
                Coordinates::new(p.latitude(), (p.longitude() + turn + 540.0).rem_euclid(360.0) - 180.0).unwrap()
            };
            prop_assert!((a.distance_km(b) - turned(a).distance_km(turned(b))).abs() < 1e-3);
        }

        #[test]
        fn a_gap_never_exceeds_the_distance(a in point(), b in point(), ra in 0.0..5_000.0, rb in 0.0..5_000.0) {
            let gap = a.gap_km(ra, b, rb);
            prop_assert!(gap >= 0.0 && gap <= a.distance_km(b));
        }
    }
}

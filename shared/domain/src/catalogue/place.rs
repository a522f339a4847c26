//! Where a facility is: a point on the globe and a time zone.
//!
//! Invariant: a [`Point`] is finite and in range, a [`Zone`] is a zone of the IANA database.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Mean radius of the earth in kilometres (IUGG), used by every distance.
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A point in degrees, WGS 84. Latitude is -90 to 90, longitude -180 to 180.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawPoint")]
pub struct Point {
    lat: f64,
    lon: f64,
}

#[derive(Deserialize)]
struct RawPoint {
    lat: f64,
    lon: f64,
}

/// Why a text or a pair of numbers is not a point.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PointError {
    /// The latitude is out of range.
    #[error("expected a latitude of -90 to 90 degrees, found {0}")]
    Latitude(f64),
    /// The longitude is out of range.
    #[error("expected a longitude of -180 to 180 degrees, found {0}")]
    Longitude(f64),
    /// The text is not Beckn's `gps` form.
    #[error("expected gps as \"latitude,longitude\" in degrees, such as \"12.9164,77.6089\"")]
    Gps,
}

impl TryFrom<RawPoint> for Point {
    type Error = PointError;
    fn try_from(raw: RawPoint) -> Result<Self, Self::Error> {
        Self::new(raw.lat, raw.lon)
    }
}

impl Point {
    /// A point from degrees.
    pub fn new(lat: f64, lon: f64) -> Result<Self, PointError> {
        if !(-90.0..=90.0).contains(&lat) {
            return Err(PointError::Latitude(lat));
        }
        if !(-180.0..=180.0).contains(&lon) {
            return Err(PointError::Longitude(lon));
        }
        Ok(Self { lat, lon })
    }

    /// Parses Beckn's `Location.gps`: `latitude,longitude`, blanks around the numbers allowed.
    pub fn parse_gps(text: &str) -> Result<Self, PointError> {
        let (lat, lon) = text.split_once(',').ok_or(PointError::Gps)?;
        let number = |part: &str| part.trim().parse::<f64>().map_err(|_| PointError::Gps);
        Self::new(number(lat)?, number(lon)?)
    }

    /// Latitude in degrees, north is positive.
    pub fn lat(&self) -> f64 {
        self.lat
    }

    /// Longitude in degrees, east is positive.
    pub fn lon(&self) -> f64 {
        self.lon
    }

    /// Great-circle distance in kilometres (haversine on a sphere of [`EARTH_RADIUS_KM`]).
    /// Right across the antimeridian and at the poles.
    pub fn distance_km(&self, other: &Point) -> f64 {
        let (a, b) = (self.lat.to_radians(), other.lat.to_radians());
        let dlat = (b - a) / 2.0;
        let dlon = (other.lon - self.lon).to_radians() / 2.0;
        let h = dlat.sin().powi(2) + a.cos() * b.cos() * dlon.sin().powi(2);
        // Rounding can lift `h` a hair above 1 for opposite points.
        2.0 * EARTH_RADIUS_KM * h.min(1.0).sqrt().asin()
    }
}

/// Beckn's `gps` form.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.lat, self.lon)
    }
}

/// A time zone by its IANA name, such as `Asia/Kolkata`, from the database bundled in the program.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// The text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IANA time zone such as Asia/Kolkata, found {0:?}")]
pub struct ZoneError(String);

impl Zone {
    /// Looks a zone up by name.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let zone = TimeZone::get(name).map_err(|_| ZoneError(name.chars().take(64).collect()))?;
        // The database's own spelling, so that `asia/kolkata` and `Asia/Kolkata` are one zone.
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Self { name, zone })
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone for date arithmetic.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn gps_round_trips_and_errors_say_what_was_expected() {
        let point = Point::parse_gps("12.9164682, 77.6089985").unwrap();
        assert_eq!(Point::parse_gps(&point.to_string()).unwrap(), point);
        assert_eq!(Point::parse_gps("12.9"), Err(PointError::Gps));
        assert_eq!(Point::parse_gps("91,0"), Err(PointError::Latitude(91.0)));
        assert_eq!(Point::parse_gps("0,181"), Err(PointError::Longitude(181.0)));
        assert!(Point::parse_gps("NaN,0").is_err());
    }

    #[test]
    fn distance_knows_the_antimeridian_and_the_poles() {
        let at = |lat, lon| Point::new(lat, lon).unwrap();
        let degree = EARTH_RADIUS_KM.to_radians();
        assert!((at(0.0, 179.5).distance_km(&at(0.0, -179.5)) - degree).abs() < 1e-6);
        assert!((at(89.5, 0.0).distance_km(&at(89.5, 180.0)) - degree).abs() < 1e-6);
        assert!(at(90.0, 12.0).distance_km(&at(90.0, -80.0)) < 1e-6);
        assert!((at(0.0, 0.0).distance_km(&at(0.0, 180.0)) - 180.0 * degree).abs() < 1e-6);
    }

    #[test]
    fn zones_come_from_the_database() {
        assert_eq!(Zone::parse("asia/kolkata").unwrap().name(), "Asia/Kolkata");
        assert!(Zone::parse("Asia/Navapur").unwrap_err().to_string().contains("Asia/Navapur"));
    }
}

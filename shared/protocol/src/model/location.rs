//! Places.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Descriptor, Scalar};
use crate::wire::{Described, Shape, wire_object};

/// A text or a pair of numbers that is no position on Earth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected \"latitude,longitude\" in decimal degrees, latitude from -90 to 90 and longitude from -180 to 180")]
pub struct InvalidGps;

/// A position (`Gps`): latitude and longitude in decimal degrees (WGS 84), kept as written.
///
/// Invariant: latitude is from −90 to 90, longitude from −180 to 180. `Debug` shows neither: a position is
/// often a home.
#[derive(Clone, PartialEq)]
pub struct Gps {
    written: String,
    latitude: f64,
    longitude: f64,
}

impl Gps {
    /// A position from its numbers, in degrees.
    ///
    /// # Errors
    /// [`InvalidGps`] when a number is out of range or none.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, InvalidGps> {
        if (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) {
            Ok(Self { written: format!("{latitude},{longitude}"), latitude, longitude })
        } else {
            Err(InvalidGps)
        }
    }

    /// Reads `latitude,longitude`; blanks may follow the comma, as the specification's pattern has it.
    ///
    /// # Errors
    /// [`InvalidGps`] when the text has another form or a number is out of range.
    pub fn parse(text: &str) -> Result<Self, InvalidGps> {
        let (latitude, longitude) = text.split_once(',').ok_or(InvalidGps)?;
        let position = Self::new(degrees(latitude)?, degrees(longitude.trim_start())?)?;
        Ok(Self { written: text.to_owned(), ..position })
    }

    /// Degrees north of the equator.
    #[must_use]
    pub const fn latitude(&self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich.
    #[must_use]
    pub const fn longitude(&self) -> f64 {
        self.longitude
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// A decimal number: digits, one point at most, a sign. Rust's parser would also read `inf` and `1e3`.
fn degrees(text: &str) -> Result<f64, InvalidGps> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !well_formed {
        return Err(InvalidGps);
    }
    text.parse().map_err(|_| InvalidGps)
}

impl fmt::Debug for Gps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gps(<redacted>)")
    }
}

impl FromStr for Gps {
    type Err = InvalidGps;

    fn from_str(text: &str) -> Result<Self, InvalidGps> {
        Self::parse(text)
    }
}

impl Serialize for Gps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Gps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Described for Gps {
    const SHAPE: Shape = Shape::Gps;
}

wire_object! {
    /// A place (`Location`). A patient's home may stand in one.
    #[derive(Default)]
    pub struct Location: private {
        /// Its id.
        pub id: Option<String>,
        /// What it is.
        pub descriptor: Option<Descriptor>,
        /// A map of it.
        pub map_url: Option<String>,
        /// Its position.
        pub gps: Option<Gps>,
        /// Its address, as one text.
        pub address: Option<String>,
        /// City.
        pub city: Option<City>,
        /// District.
        pub district: Option<String>,
        /// State or region.
        pub state: Option<State>,
        /// Country.
        pub country: Option<Country>,
        /// Postal code.
        pub area_code: Option<String>,
        /// Everything within a distance of a point.
        pub circle: Option<Circle>,
        /// A distance around `gps`. Not in Beckn 1.1.0; the searches of the health protocol carry it.
        pub radius: Option<Scalar>,
        /// An area.
        pub polygon: Option<String>,
        /// A space.
        pub space_3d: Option<String> as "3dspace",
        /// Its rating.
        pub rating: Option<String>,
    }
}

wire_object! {
    /// Everything within a distance of a point (`Circle`).
    #[derive(Default)]
    pub struct Circle: private {
        /// The point.
        pub gps: Option<Gps>,
        /// The distance.
        pub radius: Option<Scalar>,
    }
}

wire_object! {
    /// A city (`City`).
    #[derive(Default)]
    pub struct City {
        /// Its name.
        pub name: Option<String>,
        /// Its code, such as `std:080`.
        pub code: Option<String>,
    }
}

wire_object! {
    /// A state or region (`State`).
    #[derive(Default)]
    pub struct State {
        /// Its name.
        pub name: Option<String>,
        /// Its code.
        pub code: Option<String>,
    }
}

wire_object! {
    /// A country (`Country`).
    #[derive(Default)]
    pub struct Country {
        /// Its name.
        pub name: Option<String>,
        /// Its code, such as `IND` (ISO 3166-1).
        pub code: Option<String>,
    }
}
